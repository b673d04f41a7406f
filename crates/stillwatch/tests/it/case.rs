//! Case files: made of a campaign, checked by whoever gets them, and refused where anything was changed.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use rawzip::{CompressionMethod, ZipArchiveWriter};
use verify::case::{self, BadCase, Manifest};
use verify::hash::Hash;
use verify::timestamp::Authorities;
use verify::trust::Trust;

use crate::cli::{Folder, Ran, hydra, run};
use crate::up::Gateway;

type Files = BTreeMap<String, Vec<u8>>;

/// A case file of a simulated campaign, and the key of its ledger.
struct Made {
    folder: Folder,
    data: String,
    findings: String,
    key: String,
    archive: Vec<u8>,
}

fn made(name: &str) -> Made {
    let gateway = Gateway::start_in(Folder::new(name), &[]);
    let data = gateway.data();
    let (code, folder) = gateway.end("-TERM");
    assert_eq!(code, Some(0));
    // As if the gateway had recorded it.
    let traffic = hydra();
    let records = Path::new(&data).join("exchanges");
    std::fs::write(records.join("20260701T000000000Z-1-000001.jsonl"), &traffic.exchanges).expect("written");
    std::fs::write(records.join("accounts.jsonl"), &traffic.accounts).expect("written");
    let findings = folder.file("hunt.json", traffic.findings());
    let key = run(&["ledger", "key", "--data", &data]).stdout.trim().to_owned();
    let terms = folder.file("terms of use.txt", "No training of other models.");
    let out = folder.path("case.zip");
    let exported = export(&data, &findings, &["--out", &out, "--case", "case-12", "--attach", &terms]);
    assert!(exported.code == 0 && exported.stdout.contains("SHA-256"), "{exported:?}");
    let archive = std::fs::read(&out).expect("a case file");
    Made { folder, data, findings, key, archive }
}

fn export(data: &str, findings: &str, more: &[&str]) -> Ran {
    let words =
        ["case", "export", "cmp_1", "--data", data, "--findings", findings, "--by", "ann", "--reason", "for counsel"];
    run(&[&words[..], more].concat())
}

fn trust(key: &str) -> Trust {
    Trust::new(key.parse().expect("a key"), Vec::new(), Authorities::default()).expect("no witness")
}

impl Made {
    fn check(&self, archive: &[u8]) -> Result<case::Checked, BadCase> {
        case::check(archive, &trust(&self.key))
    }

    /// Why the case file with these changes does not count.
    fn refused(&self, change: impl FnOnce(&mut Files)) -> String {
        let mut files = case::files(&self.archive).expect("files");
        change(&mut files);
        self.check(&packed(&files)).expect_err("it counts").to_string()
    }
}

fn packed(files: &Files) -> Vec<u8> {
    let mut out = Vec::new();
    let mut archive = ZipArchiveWriter::new(&mut out);
    for (path, bytes) in files {
        let file = archive.new_file(path.as_str()).compression_method(CompressionMethod::STORE);
        let (mut entry, config) = file.start().expect("an entry");
        let mut data = config.wrap(&mut entry);
        data.write_all(bytes).expect("written");
        let (_, descriptor) = data.finish().expect("finished");
        entry.finish(descriptor).expect("finished");
    }
    archive.finish().expect("finished");
    out
}

fn take(files: &mut Files, path: &str) -> Vec<u8> {
    files.remove(path).unwrap_or_else(|| panic!("{path}"))
}

/// Makes the manifest fit what is there, as somebody does who has all but the ledger's key.
fn listed_anew(files: &mut Files) {
    let old: Manifest = serde_json::from_slice(&take(files, "manifest.json")).expect("a manifest");
    let export = take(files, "export.tlog-proof");
    let anew = Manifest::of(&old.case, &old.campaign, &old.made_at, &old.by, files);
    files.insert("manifest.json".to_owned(), serde_json::to_vec_pretty(&anew).expect("JSON"));
    files.insert("export.tlog-proof".to_owned(), export);
}

#[test]
fn a_case_file_is_checked_by_whoever_gets_it_and_says_what_it_shows() {
    let made = made("case-shown");
    let checked = made.check(&made.archive).expect("it counts");
    assert_eq!((checked.manifest.case.as_str(), checked.manifest.campaign.as_str()), ("case-12", "cmp_1"));
    assert_eq!((checked.records, checked.sealed, checked.opened), (200, 0, 0));
    let file = made.folder.path("case.zip");
    let shown = run(&["verify", &file, "--key", &made.key]);
    assert!(
        shown.code == 0 && shown.stdout.contains("It counts: case case-12 about cmp_1, exported by ann"),
        "{shown:?}"
    );
    let files = case::files(&made.archive).expect("files");
    let text =
        |path: &str| String::from_utf8(files.get(path).unwrap_or_else(|| panic!("{path}")).clone()).expect("text");
    // An element of the claim without an exhibit is said to be not shown, and what speaks against it has a place.
    let report = text("report.html");
    for said in [
        "Access by fraudulent or unauthorised credentials",
        "NOT SHOWN. It would be shown by: The terms",
        "Several accounts acting together",
        "3. What speaks against it",
        "attachments/terms of use.txt",
        "0 of 36,480 honest accounts named",
        "is a bill and no law",
        "Measures that were in force before: NOT SHOWN",
        "Legal hold: NONE",
    ] {
        assert!(report.contains(said), "{said}");
    }
    assert!(text("certification.html").contains("Rules of Evidence 902(13) and 902(14)"));
    assert!(files.get("report.pdf").is_some_and(|pdf| pdf.starts_with(b"%PDF-")));
    // What is recorded stands apart from what is inferred.
    assert!(
        !text("records/R00001.json").contains("probability") && text("inference/finding.json").contains("probability")
    );
    // The export, and nothing else, has an entry of its own.
    let tail = run(&["ledger", "tail", "--data", &made.data, "-n", "1"]).stdout;
    assert!(tail.contains("export") && tail.contains("person:ann") && tail.contains("campaign:cmp_1"), "{tail}");
}

#[test]
fn nothing_in_a_case_file_can_be_changed() {
    let made = made("case-changed");
    let files = case::files(&made.archive).expect("files");
    // A flipped bit is found, or was in what says nothing.
    for at in (0..made.archive.len()).step_by(997) {
        let mut changed = made.archive.clone();
        changed[at] ^= 1;
        let is_same = || case::files(&changed).is_ok_and(|found| found == files);
        assert!(made.check(&changed).is_err() || is_same(), "byte {at}");
    }
    for cut in [0, 1, 100, made.archive.len() / 2, made.archive.len() - 1] {
        assert!(made.check(made.archive.get(..cut).expect("a part")).is_err(), "{cut} bytes");
    }
    let other = "records/R00002.json";
    let why = made.refused(|files| {
        let (one, two) = (take(files, "records/R00001.json"), take(files, other));
        files.insert("records/R00001.json".to_owned(), two);
        files.insert(other.to_owned(), one);
    });
    assert!(why.contains("records/R00001.json: it is not what was exported"), "{why}");
    let why = made.refused(|files| drop(take(files, "report.pdf")));
    assert!(why.contains("report.pdf: it is missing"), "{why}");
    let why = made.refused(|files| drop(files.insert("report2.html".to_owned(), b"x".to_vec())));
    assert!(why.contains("report2.html: it is not in the manifest"), "{why}");
    let why = made.refused(|files| drop(take(files, "export.tlog-proof")));
    assert!(why.contains("export.tlog-proof: it is missing"), "{why}");
    // With a manifest that fits, the ledger has another.
    let why = made.refused(|files| {
        files.insert("report.html".to_owned(), b"<h1>Innocent</h1>".to_vec());
        listed_anew(files);
    });
    assert!(why.contains("manifest.json: the entry commits to another manifest"), "{why}");
    // The key of somebody else, whose ledger says what he likes.
    let eve = Gateway::start_in(Folder::new("case-eve"), &[]);
    let (data, _) = (eve.data(), eve.get("/api/v1/responses"));
    let (_, folder) = eve.end("-TERM");
    let key = run(&["ledger", "key", "--data", &data]).stdout;
    assert!(case::check(&made.archive, &trust(key.trim())).is_err());
    drop(folder);
}

#[test]
fn a_line_that_the_ledger_does_not_have_is_no_exhibit() {
    let made = made("case-line");
    // Whoever keeps the ledger exports lines of his own making: each has to be where the ledger says.
    let files = case::files(&made.archive).expect("files");
    let bytes = files.get("records/R00001.json").expect("a record");
    let entries = &made.check(&made.archive).expect("it counts").entries;
    let record: case::Record = serde_json::from_slice(bytes).expect("a record");
    let statement = entries.get(&record.entry).and_then(|shown| shown.statement.as_ref()).expect("a statement");
    let proof: Vec<Hash> = record.proof.iter().map(|hash| Hash::from_base64(hash).expect("a hash")).collect();
    let is_there = |line: &str, number: u64| verify::recorded::is_committed(statement, line.as_bytes(), number, &proof);
    assert!(is_there(&record.record, record.line));
    assert!(!is_there(&record.record.replacen("acc", "adc", 1), record.line));
    assert!(!is_there(&record.record, record.line + 1));
}

#[test]
fn what_cannot_be_exported_is_told() {
    let made = made("case-told");
    let out = made.folder.path("other.zip");
    let of = |more: &[&str]| export(&made.data, &made.findings, &[&["--out", &out], more].concat());
    let words = [
        "case",
        "export",
        "cmp_9",
        "--data",
        &made.data,
        "--findings",
        &made.findings,
        "--by",
        "a",
        "--reason",
        "x",
        "--out",
        &out,
    ];
    let unknown = run(&words);
    assert!(
        unknown.code == 2 && unknown.stderr.contains("there is no campaign `cmp_9`; reported are cmp_1"),
        "{unknown:?}"
    );
    let plain = of(&["--plain"]);
    assert!(plain.code == 2 && plain.stderr.contains("expected --key"), "{plain:?}");
    let attached = of(&["--attach", "/nowhere/terms.pdf"]);
    assert!(attached.code == 74 && attached.stderr.contains("terms.pdf"), "{attached:?}");
    let no_findings = run(&[
        "case",
        "export",
        "cmp_1",
        "--data",
        &made.data,
        "--findings",
        &out,
        "--by",
        "a",
        "--reason",
        "x",
        "--out",
        &out,
    ]);
    assert!(no_findings.code == 74, "{no_findings:?}");
    assert!(!Path::new(&out).exists());
}
