//! A playbook, walked through by the program, and deadlines.

use serde_json::Value;

use crate::cli::{Folder, Ran, run};
use crate::up::Gateway;

fn playbook(words: &[&str]) -> Ran {
    run(&[&["playbook"], words].concat())
}

#[test]
fn a_playbook_is_walked_through_and_every_step_is_put_down_first() {
    let gateway = Gateway::start_in(Folder::new("playbook"), &[]);
    let data = gateway.data();
    let say = |words: &[&str]| playbook(&[words, &["--by", "ann", "--reason", "a drill", "--data", &data]].concat());
    let begun = say(&["begin", "appeal", "--case", "case_7"]);
    assert!(begun.code == 0 && begun.stdout.contains("1. Look at the account afresh"), "{begun:?}");
    let early = say(&["done", "run_1", "2"]);
    assert!(early.code == 65 && early.stderr.contains("is not to be done now"), "{early:?}");
    let next = say(&["done", "run_1", "1", "--note", "nothing \u{1b}[2J odd"]);
    assert!(next.code == 0 && next.stdout.contains("2. Was it wrong?"), "{next:?}");
    let no = say(&["done", "run_1", "2", "--failed"]);
    assert!(no.stdout.contains("Say that it stays") && !no.stdout.contains("Let them in again"), "{no:?}");
    let status = playbook(&["status", "run_1", "--data", &data]);
    assert!(status.stdout.contains("Was it wrong?: no") && !status.stdout.contains('\u{1b}'), "{status:?}");
    let shown = playbook(&["show", "appeal"]).stdout;
    let last = shown.lines().find_map(|line| line.strip_suffix(". Say that it stays")).expect("the step");
    let over = say(&["done", "run_1", last]);
    assert_eq!((over.code, over.stdout.as_str()), (0, "run_1 is over: 3 steps done.\n"), "{over:?}");
    let told: Value = serde_json::from_str(&playbook(&["status", "--json", "--data", &data]).stdout).expect("JSON");
    assert_eq!(told.pointer("/runs/0/is_over"), Some(&Value::Bool(true)));
    // A step that was not done is put down nowhere.
    let entries = run(&["ledger", "tail", "-n", "1000", "--data", &data, "--json"]).stdout;
    let entries: Value = serde_json::from_str(&entries).expect("JSON");
    let entries = entries.get("entries").and_then(Value::as_array).expect("entries");
    let count = |kind: &str| entries.iter().filter(|entry| entry.get("kind").is_some_and(|is| is == kind)).count();
    assert_eq!((count("playbook"), count("playbook_step")), (1, 3), "{entries:?}");
    for (words, code, expected) in [
        (vec!["begin", "nothing"], 74, "expected campaign, weights, appeal, or a file"),
        (vec!["done", "run_9", "1"], 65, "there is no run `run_9`"),
        (vec!["done", "../run_1", "1"], 65, "there is no run"),
        (vec!["done", "run_1", "99"], 2, "there is no step `99`"),
    ] {
        let ran = say(&words);
        assert!(ran.code == code && ran.stderr.contains(expected), "{words:?}: {ran:?}");
    }
}

#[test]
fn a_playbook_of_ones_own_is_read_and_goes_on_when_its_file_is_gone() {
    let gateway = Gateway::start_in(Folder::new("playbook-own"), &[]);
    let (data, folder) = (gateway.data(), Folder::new("playbook-file"));
    let own = folder.file("own.json", playbook(&["show", "weights", "--cacao"]).stdout);
    let say = |words: &[&str]| playbook(&[words, &["--by", "ann", "--reason", "a drill", "--data", &data]].concat());
    assert_eq!(say(&["begin", &own]).code, 0);
    std::fs::remove_file(&own).expect("removed");
    assert_eq!(say(&["done", "run_1", "1"]).code, 0);
    let bad = folder.file("bad.json", "{}");
    let refused = say(&["begin", &bad]);
    assert!(refused.code == 65 && refused.stderr.contains("missing field"), "{refused:?}");
    let nowhere = folder.path("nowhere");
    let words = ["begin", "appeal", "--by", "ann", "--reason", "r", "--data", &nowhere];
    assert_eq!(playbook(&words).code, 65);
}

#[test]
fn deadlines_are_counted_from_a_time() {
    let told = playbook(&["deadlines", "--from", "2026-03-01T09:30:00Z"]);
    assert!(told.code == 0 && told.stdout.contains("2026-03-02T09:30:00Z  NIS2"), "{told:?}");
    let folder = Folder::new("deadlines");
    let own = folder.file("own.json", r#"[{"id":"a","law":"ours","place":"1","what":"tell","days":1}]"#);
    let told = playbook(&["deadlines", "--from", "2026-03-01", "--file", &own, "--json"]);
    let told: Value = serde_json::from_str(&told.stdout).expect("JSON");
    assert_eq!(told.pointer("/deadlines/0/at"), Some(&Value::from("2026-03-02T00:00:00Z")));
    let bad = folder.file("bad.json", "[{}]");
    let refused = playbook(&["deadlines", "--from", "2026-03-01", "--file", &bad]);
    assert!(refused.code == 65 && refused.stderr.contains("no list of deadlines"), "{refused:?}");
}

#[test]
fn ten_thousand_runs_are_kept_and_no_more_begun() {
    let gateway = Gateway::start_in(Folder::new("playbook-runs"), &[]);
    let data = gateway.data();
    let begin = || playbook(&["begin", "appeal", "--by", "ann", "--reason", "a drill", "--data", &data]);
    assert_eq!(begin().code, 0);
    let first = std::fs::read_to_string(format!("{data}/playbooks/run_1.json")).expect("a run");
    for number in 2..10_000 {
        let other = first.replace("\"run_1\"", &format!("\"run_{number}\""));
        std::fs::write(format!("{data}/playbooks/run_{number}.json"), other).expect("written");
    }
    let last = begin();
    assert!(last.code == 0 && last.stdout.starts_with("Began run_10000: "), "{last:?}");
    let refused = begin();
    assert!(refused.code == 65 && refused.stderr.contains("has 10000 runs"), "{refused:?}");
}
