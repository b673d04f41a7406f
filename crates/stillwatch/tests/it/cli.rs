//! The program as a person meets it: what is typed, what is printed, and the exit code.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

const NOTHING: i32 = 0;
const FOUND: i32 = 10;
const USAGE: i32 = 2;
const UNREADABLE: i32 = 65;

/// What a run of the program came to.
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Ran {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).expect("JSON on standard output")
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Ran {
        Ran {
            code: output.status.code().expect("an exit code"),
            out: String::from_utf8(output.stdout).expect("UTF-8 on standard output"),
            err: String::from_utf8(output.stderr).expect("UTF-8 on standard error"),
        }
    }
}

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_stillwatch"))
}

fn run<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Ran {
    program().args(args).stdin(Stdio::null()).output().expect("the program runs").into()
}

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("stillwatch-cli-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder for the test");
        Folder(path)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        fs::write(&path, bytes).expect("a file for the test");
        path.display().to_string()
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("a path in UTF-8")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

/// Simulated traffic.
struct Traffic {
    exchanges: String,
    accounts: String,
    labels: String,
}

impl Traffic {
    fn simulate(scenario: &str, knobs: &[&str]) -> Traffic {
        let folder = Folder::new(scenario);
        let mut args = vec!["simulate", scenario, "--out", folder.path(), "--scale", "0.2", "--set", "days=1"];
        knobs.iter().for_each(|knob| args.extend(["--set", knob]));
        assert_eq!(run(args).code, 0);
        let read = |name: &str| fs::read_to_string(folder.0.join(name)).expect("a simulated file");
        Traffic { exchanges: read("exchanges.jsonl"), accounts: read("accounts.jsonl"), labels: read("labels.jsonl") }
    }

    /// Writes all of it to a folder of its own.
    fn folder(&self, name: &str) -> Folder {
        let folder = Folder::new(name);
        folder.write("exchanges.jsonl", &self.exchanges);
        folder.write("accounts.jsonl", &self.accounts);
        folder.write("labels.jsonl", &self.labels);
        folder
    }
}

fn hydra() -> &'static Traffic {
    static HYDRA: OnceLock<Traffic> = OnceLock::new();
    HYDRA.get_or_init(|| Traffic::simulate("hydra", &["accounts=80"]))
}

fn honest() -> &'static Traffic {
    static HONEST: OnceLock<Traffic> = OnceLock::new();
    HONEST.get_or_init(|| Traffic::simulate("honest", &[]))
}

/// The members of every campaign in a document.
fn members(document: &Value) -> Vec<BTreeSet<String>> {
    let campaigns = document.get("campaigns").and_then(Value::as_array).expect("campaigns");
    let accounts = campaigns.iter().map(|campaign| {
        let accounts = campaign.get("accounts").and_then(Value::as_array).expect("accounts").iter();
        let sure = accounts.filter(|member| member.get("probability").and_then(Value::as_f64) >= Some(0.5));
        sure.filter_map(|member| member.get("account").and_then(Value::as_str)).map(str::to_owned).collect()
    });
    accounts.collect()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).expect("compressed in memory");
    encoder.finish().expect("compressed in memory")
}

#[test]
fn exit_codes_say_what_came_of_it() {
    let folder = hydra().folder("codes");
    let found = run(["hunt", folder.path()]);
    assert_eq!(found.code, FOUND, "{}", found.err);
    assert!(found.out.starts_with("1 campaign was found"), "{}", found.out);
    let quiet = honest().folder("codes-honest");
    let nothing = run(["hunt", quiet.path()]);
    assert_eq!(nothing.code, NOTHING, "{}", nothing.out);
    assert!(nothing.out.starts_with("No campaign was found"), "{}", nothing.out);
    for wrong in [vec!["hunt"], vec!["hunt", "x", "--alpha", "2"], vec!["hunt", "x", "--format", "csv"], vec!["chase"]]
    {
        assert_eq!(run(&wrong).code, USAGE, "{wrong:?}");
    }
    let unreadable = folder.write("notes.txt", "not an exchange\nnor this\n");
    for (path, said) in [(unreadable.as_str(), "--format"), ("no/such/file.jsonl", "no/such/file.jsonl")] {
        let ran = run(["hunt", path]);
        assert_eq!(ran.code, UNREADABLE, "{path}: {}", ran.err);
        assert!(ran.err.contains(said), "{path}: {}", ran.err);
    }
}

#[test]
fn findings_are_the_same_bytes_whatever_the_number_of_threads() {
    let folder = hydra().folder("threads");
    let outputs: Vec<[Vec<u8>; 3]> = ["1", "2", "5"]
        .into_iter()
        .map(|threads| {
            let file = |name: &str| folder.0.join(format!("{threads}-{name}"));
            let (campaigns, report) = (file("campaigns"), file("report"));
            let ran = program()
                .args(["hunt", folder.path(), "--json", "--threads", threads])
                .args([Path::new("--campaigns-out"), &campaigns, Path::new("--report"), &report])
                .output()
                .expect("the program runs");
            let read = |path: &Path| fs::read(path).expect("a written file");
            [ran.stdout, read(&campaigns), read(&report)]
        })
        .collect();
    assert!(outputs.iter().flatten().all(|bytes| bytes.len() > 500));
    assert!(outputs.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn it_does_not_matter_how_the_log_comes_in() {
    let folder = hydra().folder("ways");
    let accounts = folder.0.join("accounts.jsonl").display().to_string();
    let plain = run(["hunt", folder.path(), "--json"]);
    let other = Folder::new("ways-other");
    let packed = other.write("log.jsonl.gz", gzip(&hydra().exchanges));
    let gz = run(["hunt", &packed, "--accounts", &accounts, "--json"]);
    assert_eq!(gz.out, plain.out);
    let zstd = zstd::encode_all(hydra().exchanges.as_bytes(), 1).expect("compressed in memory");
    // Content tells what a file is, whatever it is called.
    let packed = other.write("log.bin", zstd);
    assert_eq!(run(["hunt", &packed, "--accounts", &accounts, "--json"]).out, plain.out);
    let mut child = program()
        .args(["hunt", "-", "--accounts", &accounts, "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut input = child.stdin.take().expect("its standard input");
    std::thread::scope(|scope| {
        scope.spawn(move || input.write_all(hydra().exchanges.as_bytes()).expect("all is read"));
        let piped = Ran::from(child.wait_with_output().expect("it ends"));
        assert_eq!(piped.out, plain.out);
        assert!(!piped.err.contains(['\r', '\u{1b}']), "no progress bar in a pipe: {:?}", piped.err);
    });
}

#[test]
fn labels_are_never_read() {
    let folder = hydra().folder("labels");
    let with = run(["hunt", folder.path(), "--json"]);
    folder.write("labels.jsonl", "\u{0}not even JSON");
    let garbage = run(["hunt", folder.path(), "--json"]);
    fs::remove_file(folder.0.join("labels.jsonl")).expect("the labels go");
    let without = run(["hunt", folder.path(), "--json"]);
    assert_eq!((&garbage.out, &garbage.err), (&with.out, &with.err));
    assert_eq!((&without.out, &without.err), (&with.out, &with.err));
}

#[test]
fn broken_lines_are_named_and_nothing_else_is_lost() {
    let folder = hydra().folder("broken");
    let whole = run(["hunt", folder.path(), "--json"]);
    let mut lines: Vec<&str> = hydra().exchanges.lines().collect();
    lines.insert(7, "{\"id\": \"half a rec");
    folder.write("exchanges.jsonl", lines.join("\n"));
    let ran = run(["hunt", folder.path(), "--json"]);
    assert_eq!(ran.code, FOUND);
    assert!(ran.err.contains("exchanges.jsonl") && ran.err.contains(":8"), "file and line: {}", ran.err);
    let (mut before, mut after) = (whole.json(), ran.json());
    assert_eq!(after["read"]["bad_lines"], 1);
    for document in [&mut before, &mut after] {
        document.as_object_mut().expect("an object").remove("read");
    }
    assert_eq!(before, after);
    // The limit is a share of all lines: at it a run goes on, beyond it it fails.
    let at = format!("{}", 1.0 / lines.len() as f64 * 1.0001);
    assert_eq!(run(["hunt", folder.path(), "--bad-lines-max", &at]).code, FOUND);
    let beyond = run(["hunt", folder.path(), "--bad-lines-max", "0"]);
    assert_eq!(beyond.code, UNREADABLE);
    assert!(beyond.err.contains("--bad-lines-max"), "{}", beyond.err);
}

#[test]
fn a_truncated_file_gives_what_could_be_read_and_says_so() {
    let folder = hydra().folder("truncated");
    let mut packed = gzip(&hydra().exchanges);
    packed.truncate(packed.len() / 2);
    fs::remove_file(folder.0.join("exchanges.jsonl")).expect("the whole file goes");
    folder.write("exchanges.jsonl.gz", packed);
    let ran = run(["hunt", folder.path(), "--json"]);
    assert!(ran.err.contains("incomplete") && ran.err.contains("exchanges.jsonl.gz"), "{}", ran.err);
    assert!(ran.json()["read"]["exchanges"].as_u64() > Some(1000));
}

#[test]
fn little_to_go_by_is_no_campaign() {
    let folder = Folder::new("little");
    let empty = folder.write("empty.jsonl", "");
    let ran = run(["hunt", &empty]);
    assert_eq!(ran.code, NOTHING, "{}", ran.err);
    assert!(ran.out.contains("No exchange was read"), "{}", ran.out);
    // One account, whatever it sends.
    let first = hydra().exchanges.lines().find_map(|line| serde_json::from_str::<Value>(line).ok()).expect("a record");
    let account = first["account"].as_str().expect("an account");
    let one: Vec<String> = hydra()
        .exchanges
        .lines()
        .map(|line| {
            let mut record: Value = serde_json::from_str(line).expect("a record");
            record["account"] = account.into();
            record.to_string()
        })
        .collect();
    let one = folder.write("one.jsonl", one.join("\n"));
    let ran = run(["hunt", &one]);
    assert_eq!(ran.code, NOTHING, "{}", ran.out);
    assert!(ran.out.contains("1 account"), "{}", ran.out);
}

#[test]
fn missing_fields_are_no_evidence_and_are_named() {
    let folder = Folder::new("missing");
    let bare = |traffic: &Traffic| -> String {
        let lines = traffic.exchanges.lines().map(|line| {
            let record: Value = serde_json::from_str(line).expect("a record");
            let kept = ["id", "time", "account", "request"].map(|field| (field.to_owned(), record[field].clone()));
            Value::Object(kept.into_iter().collect()).to_string()
        });
        lines.collect::<Vec<_>>().join("\n")
    };
    let honest = folder.write("honest.jsonl", bare(honest()));
    let ran = run(["hunt", &honest, "--json"]);
    assert_eq!(ran.code, NOTHING, "{}", ran.out);
    let spots = ran.json()["blind_spots"].to_string();
    for missing in ["payment instrument", "address block", "Sign-up times"] {
        assert!(spots.contains(missing), "{missing}: {spots}");
    }
    // Text and times alone still show who harvests.
    let hydra_bare = folder.write("hydra.jsonl", bare(hydra()));
    let ran = run(["hunt", &hydra_bare, "--json"]);
    let labels: BTreeSet<String> = hydra()
        .labels
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|label| label["campaign"].is_string())
        .filter_map(|label| label["account"].as_str().map(str::to_owned))
        .collect();
    for found in members(&ran.json()) {
        let right = found.intersection(&labels).count();
        assert!(right * 10 >= found.len() * 9, "{right} of {} are the campaign's", found.len());
    }
}

#[test]
fn campaigns_out_has_the_promised_fields() {
    let folder = hydra().folder("out");
    let out = folder.0.join("campaigns.jsonl").display().to_string();
    assert_eq!(run(["hunt", folder.path(), "--campaigns-out", &out]).code, FOUND);
    let text = fs::read_to_string(&out).expect("the campaigns");
    let campaign: Value = serde_json::from_str(text.lines().next().expect("a line")).expect("JSON");
    for field in [
        "campaign",
        "detected_at",
        "first_seen",
        "last_seen",
        "exchanges",
        "accounts",
        "capabilities",
        "evidence",
        "log10_e",
        "operator",
        "frozen_at",
    ] {
        assert!(campaign.get(field).is_some(), "{field}: {campaign}");
    }
    // What was written can be scored, and the score is what hunting in place gives.
    let scored = run(["evaluate", folder.path(), "--campaigns", &out, "--json"]);
    assert_eq!(scored.json()["found"], 1, "{}", scored.out);
}

#[test]
fn the_report_names_who_and_since_when() {
    let folder = hydra().folder("report");
    let report = folder.0.join("report.html").display().to_string();
    assert_eq!(run(["hunt", folder.path(), "--report", &report]).code, FOUND);
    let page = fs::read_to_string(&report).expect("the report");
    for part in ["1 campaign was found", "Why: the evidence", "The template", "What was not observed", "<svg"] {
        assert!(page.contains(part), "{part}");
    }
    let unwritable = run(["hunt", folder.path(), "--report", "no/such/folder/report.html"]);
    assert_ne!(unwritable.code, FOUND, "a report that was asked for and not written is no success");
    assert!(unwritable.err.contains("no/such/folder/report.html"), "{}", unwritable.err);
}

#[test]
fn help_teaches_and_lists_the_exit_codes() {
    let help = run(["--help"]);
    assert_eq!(help.code, 0);
    for part in ["hunt", "simulate", "evaluate", "demo", "10", "65"] {
        assert!(help.out.contains(part), "{part}: {}", help.out);
    }
    assert!(run(["hunt", "--help"]).out.contains("Examples"));
    assert!(run(["simulate", "list"]).out.contains("own-infrastructure"));
}
