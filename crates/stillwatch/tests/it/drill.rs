//! A drill from its beginning to its report: somebody answers, responds by the console's own API, and is measured.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use report::words::encoded;
use serde_json::{Value, json};

use crate::cli::{Folder, read, run};
use crate::up::{Gateway, within};

const EXERCISE: &str = r#"
name = "own"
title = "An exercise of <one's own>"
teaches = "What is tested."
minutes = 0.4

[traffic.easy]
scenario = "hydra"
scale = 0.1
set = { start_day = "0.1" }

[[inject]]
id = "begin"
from = "Lead"
title = "It begins"
text = "Which one?"
ask.question.choice.options = ["this", "that"]
ask.question.choice.right = [2]
ask.why = "That one it is."

[[inject]]
id = "respond"
from = "Lead"
title = "Respond"
when = "detected"
text = "Do something."
ask.question.do = "blocked"
ask.why = "It was something."

[[inject]]
id = "tell"
from = "Legal"
title = "Tell"
when = "answered:respond"
text = "How many?"
ask.question.number.fact = "members"
ask.question.number.within = 0.5
ask.why = "So many."
ask.counts_as = "notification"
"#;

/// A drill that runs, and does not outlive its test.
struct Drill {
    process: Child,
    /// Where its page is.
    room: String,
    folder: String,
}

impl Drop for Drill {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Asks a page; the status and what came.
fn ask(room: &str, method: &str, path: &str, body: &str) -> (u16, String) {
    let (host, base) = room.split_once('/').expect("a path");
    let mut stream = TcpStream::connect(host).expect("its page");
    let length = body.len();
    let request = format!(
        "{method} /{base}{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.expect("a status"), answer)
}

impl Drill {
    fn begin(words: &[&str], folder: &str) -> Drill {
        let mut process = Command::new(env!("CARGO_BIN_EXE_stillwatch"))
            .arg("drill")
            .args(words)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program");
        let mut lines = BufReader::new(process.stdout.take().expect("what it says")).lines();
        let room = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let room = line.trim().strip_prefix("The drill: http://")?;
            Some(room.to_owned())
        });
        // What it says later is taken, so that it is not kept waiting.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Drill { process, room: room.expect("the address of its page"), folder: folder.to_owned() }
    }

    fn page(&self) -> String {
        ask(&self.room, "GET", "", "").1
    }

    fn answer(&self, inject: &str, said: &str) -> u16 {
        ask(&self.room, "POST", "answer", &format!("inject={inject}&by=ann&said={}", encoded(said))).0
    }

    /// Asks the staging instance.
    fn manage(&self, words: &[&str]) -> Value {
        let ready: Value = serde_json::from_str(&read(&format!("{}/ready.json", self.folder))).expect("JSON");
        let said = |name: &str| ready.get(name).and_then(Value::as_str).expect("said").to_owned();
        let (server, key) = (said("admin"), said("admin_key_file"));
        let ran = run(&[words, &["--server", &server, "--admin-key-file", &key, "--json"]].concat());
        // 10 where findings have a campaign.
        assert!([0, 10].contains(&ran.code), "{}", ran.stderr);
        ran.json()
    }
}

#[test]
fn a_drill_is_held_measured_and_put_down() {
    let (_, folder) = Gateway::start_in(Folder::new("drill"), &[]).end("-TERM");
    let data = folder.path("data");
    let exercise = folder.file("own.toml", EXERCISE);
    let words = ["run", &exercise, "--data", &data, "--reason", "a test", "--team", "ann,bob"];
    let mut drill = Drill::begin(&words, &format!("{data}/drills/drill_1"));

    // Whoever does not know the address sees nothing.
    let (host, _) = drill.room.split_once('/').expect("a path");
    assert_eq!(ask(&format!("{host}/"), "GET", "", "").0, 404);
    assert!(within(Duration::from_secs(10), || drill.page().contains("It begins")));
    let page = drill.page();
    assert!(page.contains("An exercise of &#60;one&#39;s own&#62;"), "{page}");
    assert_eq!(drill.answer("begin", "3"), 422);
    assert_eq!(drill.answer("respond", "1"), 422);
    assert_eq!(drill.answer("begin", "2"), 303);
    assert_eq!(drill.answer("begin", "1"), 422, "the first answer counts");
    assert!(drill.page().contains("That one it is."));

    let campaign = || {
        let campaigns = drill.manage(&["findings"]);
        campaigns.pointer("/campaigns/0/id").and_then(Value::as_str).map(str::to_owned)
    };
    assert!(within(Duration::from_secs(60), || campaign().is_some()), "no campaign");
    let campaign = campaign().expect("a campaign");
    let words = ["--rung", "block", "--reason", "a test", "--by", "ann", "--joiners", "inherit"];
    let block = drill.manage(&[&["response", "apply", "--campaign", &campaign][..], &words].concat());
    if block.get("state") == Some(&json!("waits")) {
        let id = block.get("id").and_then(Value::as_str).expect("an id");
        drill.manage(&["response", "approve", id, "--by", "bob"]);
    }
    assert!(within(Duration::from_secs(20), || drill.answer("tell", "40") == 303), "it does not arrive");
    let ended = drill.process.wait().expect("its end");
    assert_eq!(ended.code(), Some(0));

    let report = run(&["drill", "report", "drill_1", "--data", &data, "--json"]).json();
    let at = |pointer: &str| report.pointer(pointer).unwrap_or_else(|| panic!("{pointer} in {report}"));
    assert!(at("/times/began/seconds").as_f64() < at("/times/detected/seconds").as_f64());
    assert!(at("/times/detected/seconds").as_f64() <= at("/times/restricted/seconds").as_f64());
    assert_eq!(at("/accounts/wronged"), &json!(0));
    assert!(at("/exchanges/campaign_answered").as_u64() < at("/exchanges/campaign_sent").as_u64());
    assert_eq!(at("/exchanges/honest_refused"), &json!(0));
    let right =
        at("/asked").as_array().expect("a list").iter().filter(|asked| asked.get("is_right") == Some(&json!(true)));
    assert_eq!(right.count(), 3);
    assert!(at("/score/points").as_u64() > Some(60), "{report}");
    assert!(read(&format!("{data}/drills/drill_1/report.html")).contains("After-action report"));
    assert!(run(&["drill", "scores", "--data", &data]).stdout.contains("drill_1"));
    let entries = run(&["ledger", "tail", "-n", "1", "--data", &data, "--json"]).json();
    let statement = entries.pointer("/entries/0/statement").expect("a statement");
    assert_eq!(statement.get("actor"), Some(&json!("person:ann")));
    assert_eq!(statement.pointer("/detail/points"), at("/score/points").into());
    // It outlives nobody.
    let running = std::fs::read_to_string(format!("{data}/drills/drill_1/data/running.json"));
    assert!(running.is_err(), "the staging instance still runs");
}

#[test]
fn a_campaign_that_is_not_noticed_in_time_is_told_and_found_by_the_audit() {
    let (_, folder) = Gateway::start_in(Folder::new("drill-check"), &[]).end("-TERM");
    let data = folder.path("data");
    // Where others would be reached, and would not answer.
    let config = folder.file(
        "gateway.toml",
        "[[upstream]]\nurl = 'http://127.0.0.1:1'\n[[alert]]\nname = 'soc'\nsyslog = 'udp://127.0.0.1:9'\n\
         [response]\nblock_alone_max = 7\n",
    );
    let exercise = folder.file("own.toml", EXERCISE);
    let words = [
        "drill",
        "check",
        &exercise,
        "--minutes",
        "0.5",
        "--sent-max",
        "0",
        "--alert-seconds",
        "120",
        "--config",
        &config,
        "--data",
        &data,
    ];
    let ran = run(&words);
    assert_eq!(ran.code, 65, "{ran:?}");
    assert!(ran.stdout.contains("NOT AS IT SHOULD BE: detection named the campaign when "), "{ran:?}");
    assert!(ran.stdout.contains("and told by an alert when "), "{ran:?}");
    assert_eq!(ran.stdout.matches("NOT AS IT SHOULD BE").count(), 1, "{ran:?}");
    let used = read(&format!("{data}/drills/drill_1/gateway.toml"));
    assert!(used.contains("block_alone_max = 7") && !used.contains("soc") && !used.contains("127.0.0.1:1\""), "{used}");
    let ran = run(&["audit", "--data", &data, "--without", "host", "--format", "json"]);
    let findings = ran.json();
    let rules = findings.get("findings").and_then(Value::as_array).expect("a list");
    assert!(rules.iter().any(|finding| finding.get("rule") == Some(&json!("campaign-not-noticed"))), "{findings}");
}

#[test]
fn what_cannot_be_held_says_why() {
    let folder = Folder::new("drill-wrong");
    let broken = folder.file("broken.toml", EXERCISE.replace("minutes = 0.4", "minutes = 'long'"));
    let unknown = folder.file("unknown.toml", EXERCISE.replace("\"hydra\"", "\"kraken\""));
    for (words, code, expected) in [
        (&["run", "nothing"][..], 74, "`nothing` cannot be read; expected tutorial, hydra"),
        (&["run", &broken], 65, "minutes = 'long'"),
        (&["run", &unknown, "--data", &folder.path("data")], 65, "no scenario `kraken`"),
        (&["run", "tutorial", "--difficulty", "hard"], 2, "`tutorial` is not hard; it is easy"),
        (&["run", "hydra", "--minutes", "0"], 2, "expected a number from 0.1 to 1440"),
        (&["report", "../x"], 2, "expected a drill, such as drill_1"),
        (&["report", "drill_7", "--data", &folder.path("data")], 74, "there is no report of drill_7"),
    ] {
        let ran = run(&[&["drill"], words].concat());
        assert_eq!(ran.code, code, "{ran:?}");
        assert!(ran.stderr.contains(expected), "{ran:?}");
    }
}
