//! Verdicts of people: that they are kept, heeded and taken back, and that nobody shelters under them.
//!
//! The traffic is that of the other tests, and a part of it: a hydra of which only every second account has come yet.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use serde_json::{Value, json};

use super::cli::{Folder, Ran, Traffic, hydra, members, parsed, read, rewritten, run};

// What a verdict does.

#[test]
fn whom_somebody_vouched_for_is_not_reported_until_it_is_taken_back() {
    for verdict in ["benign", "research"] {
        let folder = Folder::new(&format!("label-{verdict}"));
        let log = hydra().write_to(&folder);
        let labels = said(&folder, verdict, "cmp_1", hydra().findings(), &[]);
        let hunt = ["hunt", &log, "--labels", &labels, "--json"];
        let vetted = run(&hunt);
        assert_eq!((vetted.code, vetted.stderr.as_str()), (0, ""), "{}", vetted.stdout);
        let group = &vetted.json()["cleared"][0];
        assert_eq!(accounts(&group["identity"]), members(&parsed(hydra().findings())), "all of them are told");
        let judgement = &group["judgements"][0];
        assert_eq!(
            (&judgement["by"], &judgement["time"], &judgement["verdict"], &judgement["reason"]),
            (&json!("ann"), &json!("2026-08-01T00:00:00Z"), &json!(verdict), &json!("a course"))
        );
        let shown = run(&hunt[..4]);
        let words: Vec<&str> = shown.stdout.split_whitespace().collect();
        assert!(shown.stdout.starts_with("No campaign was found"), "{}", shown.stdout);
        assert!(words.join(" ").contains("by ann on 2026-08-01"), "{}", shown.stdout);

        let before = read(&labels);
        let undone = run(&["label", "undo", "lbl_1", "--by", "bob", "--reason", "no course", "--labels", &labels]);
        assert_eq!(undone.code, 0, "{undone:?}");
        assert!(read(&labels).starts_with(&before) && read(&labels).lines().count() == 2, "a further line");
        let again = run(&hunt);
        assert!(again.code == 10 && again.stdout == hydra().findings(), "as if nothing had been said");
    }
}

#[test]
fn who_joins_a_vetted_family_later_is_found() {
    let folder = Folder::new("label-joined");
    let labels = said(&folder, "benign", "cmp_1", half().findings(), &[]);
    let looked_at = members(&parsed(half().findings()));
    let found = run(&["hunt", &hydra().write_to(&folder), "--labels", &labels, "--json"]);
    assert_eq!(found.code, 10, "{}", found.stdout);
    let document = found.json();
    let reported = members(&document);
    let new: BTreeSet<String> = hydra().campaign_accounts().difference(&looked_at).cloned().collect();
    assert!(reported.is_subset(&new), "nobody who was looked at");
    assert!(reported.len() * 10 >= new.len() * 9, "{} of {}", reported.len(), new.len());
    let campaign = &document["campaigns"][0];
    let judgement = &campaign["judgements"][0];
    assert_eq!(judgement["verdict"], "benign");
    assert_eq!(strings(&judgement["new_accounts"]), reported);
    assert!(campaign["exchanges"].as_u64() < parsed(hydra().findings())["campaigns"][0]["exchanges"].as_u64());
}

/// Accounts that an attacker puts into a vetted family, before it is looked at or after, move the evidence for another
/// campaign by half a power of ten at most. Measured is 0.3, all of it because there are more accounts at all.
#[test]
fn who_pumps_a_vetted_family_hardly_moves_the_evidence_for_others() {
    let folder = Folder::new("label-pumped");
    let other = Traffic::seeded("hydra", "3", &["days=2", "honest=500", "accounts=200", "requests=40"]);
    let with_other = |traffic: &Traffic| {
        let exchanges = [&*traffic.exchanges, &*other.exchanges].concat();
        Traffic::of(exchanges, [&*traffic.accounts, &*other.accounts].concat(), String::new())
    };
    let (without, pumped) = (with_other(half()), with_other(hydra()));
    let label = |name: &str, seen: &Traffic| {
        said(&folder, "benign", "cmp_1", seen.findings(), &[("--labels", &folder.path(name))])
    };
    let (before, after) = (label("before", hydra()), label("after", half()));
    let evidence = |traffic: &Traffic, labels: &str| {
        let document = run(&["hunt", &traffic.write_to(&folder), "--labels", labels, "--json"]).json();
        // Reported or not: the threshold depends on how many groups are.
        let groups = ["campaigns", "cleared"].into_iter().flat_map(|key| document[key].as_array().expect("groups"));
        let others = other.campaign_accounts();
        let theirs = groups.filter(|group| {
            let accounts = group["identity"]["accounts"].as_array().expect("accounts");
            accounts.iter().filter(|account| account.as_str().is_some_and(|id| others.contains(id))).count() > 20
        });
        theirs.filter_map(|group| group["log10_e"].as_f64()).fold(f64::NEG_INFINITY, f64::max)
    };
    let usual = evidence(&without, &after);
    for (what, moved) in [
        ("pumped before", evidence(&pumped, &before)),
        ("pumped after", evidence(&pumped, &after)),
        ("a summary of the pumped family alone", evidence(&without, &before)),
    ] {
        assert!(usual > 3.0 && (moved - usual).abs() <= 1.2, "{what}: {usual} {moved}");
    }
}

#[test]
fn a_confirmed_campaign_is_told_with_who_is_new() {
    let folder = Folder::new("label-confirmed");
    let labels = said(&folder, "campaign", "cmp_1", half().findings(), &[]);
    let looked_at = members(&parsed(half().findings()));
    let log = hydra().write_to(&folder);
    let found = run(&["hunt", &log, "--labels", &labels, "--json"]);
    assert_eq!(found.code, 10);
    let (document, unlabelled) = (found.json(), parsed(hydra().findings()));
    let (reported, before) = (members(&document), members(&unlabelled));
    assert!(
        reported.len().abs_diff(before.len()) * 20 <= before.len(),
        "who is in it is measured against other groups"
    );
    assert!(reported.is_superset(&looked_at.intersection(&before).cloned().collect()), "all of them are reported");
    let campaign = &document["campaigns"][0];
    assert_eq!(campaign["log10_threshold"], unlabelled["campaigns"][0]["log10_threshold"], "no threshold is lowered");
    let judgement = &campaign["judgements"][0];
    assert_eq!((&judgement["verdict"], &judgement["label"]), (&json!("campaign"), &json!("lbl_1")));
    let new: BTreeSet<String> = members(&document).difference(&looked_at).cloned().collect();
    let named = strings(&judgement["new_accounts"]);
    // Who is paid for by one that was looked at is not new.
    assert!(named.is_subset(&new) && named.len() + 2 >= new.len(), "{} of {}", named.len(), new.len());
    let shown = run(&["hunt", &log, "--labels", &labels]);
    assert!(shown.stdout.contains("ann called this a confirmed campaign on 2026-08-01"), "{}", shown.stdout);
}

#[test]
fn approved_research_ends() {
    let folder = Folder::new("label-until");
    let log = hydra().write_to(&folder);
    let last = parsed(hydra().findings())["campaigns"][0]["last_seen"].as_str().expect("a time").to_owned();
    for (until, code) in [("2026-07-01", 10), (last.as_str(), 0), ("2027-01-01", 0)] {
        let labels = folder.path(until);
        said(&folder, "research", "cmp_1", hydra().findings(), &[("--until", until), ("--labels", &labels)]);
        let hunted = run(&["hunt", &log, "--labels", &labels, "--json"]);
        assert_eq!(hunted.code, code, "{until}");
        if code == 10 {
            let judgement = &hunted.json()["campaigns"][0]["judgements"][0];
            assert_eq!(judgement["until"], "2026-07-01T00:00:00Z", "that it ended is told");
        }
    }
}

#[test]
fn a_later_label_supersedes_and_comes_and_goes_alone() {
    let folder = Folder::new("label-again");
    let log = hydra().write_to(&folder);
    let labels = said(&folder, "benign", "cmp_1", hydra().findings(), &[]);
    said(&folder, "campaign", "cmp_1", hydra().findings(), &[]);
    let states = || {
        let listed = run(&["label", "list", "--json", "--labels", &labels]).json();
        strings(&Value::Array(listed.as_array().expect("a list").iter().map(|l| l["state"].clone()).collect()))
    };
    let hunt = || run(&["hunt", &log, "--labels", &labels]).code;
    assert_eq!((hunt(), states()), (10, ["in_force".to_owned(), "superseded".to_owned()].into()));
    assert_eq!(run(&["label", "undo", "lbl_2", "--by", "bob", "--reason", "-", "--labels", &labels]).code, 0);
    assert_eq!((hunt(), states()), (0, ["in_force".to_owned(), "undone".to_owned()].into()));
}

#[test]
fn cleared_groups_and_campaign_files_can_be_labelled() {
    let folder = Folder::new("label-cleared");
    let log = hydra().write_to(&folder);
    let groups = parsed(hydra().findings())["cleared"].as_array().expect("groups").clone();
    let group = groups.iter().find(|group| accounts(&group["identity"]).len() > 1).expect("a group of several");
    let labels = said(&folder, "benign", group["id"].as_str().expect("an id"), hydra().findings(), &[]);
    let vetted = run(&["hunt", &log, "--labels", &labels, "--json"]);
    assert_eq!(vetted.code, 10, "the campaign is reported as before");
    assert_eq!(members(&vetted.json()), members(&parsed(hydra().findings())));
    let first = &vetted.json()["cleared"][0];
    assert_eq!(first["judgements"][0]["by"], "ann");
    assert_eq!(accounts(&first["identity"]), accounts(&group["identity"]));

    let found = folder.path("found.jsonl");
    assert_eq!(run(&["hunt", &log, "--campaigns-out", &found]).code, 10);
    let labels = folder.path("from-campaigns");
    said(&folder, "benign", "cmp_1", &read(&found), &[("--labels", &labels)]);
    assert_eq!(run(&["hunt", &log, "--labels", &labels]).code, 0);
}

#[test]
fn a_vetted_group_is_listed_once() {
    let folder = Folder::new("label-once");
    let (log, labels) = (hydra().write_to(&folder), folder.path("said"));
    for findings in [half().findings(), hydra().findings()] {
        said(&folder, "benign", "cmp_1", findings, &[("--labels", &labels)]);
        let document = run(&["hunt", &log, "--labels", &labels, "--json"]).json();
        // Those who share a card with them, or ask for the same, are groups of their own.
        let by_text =
            |group: &&Value| group["label"].as_str().is_some_and(|label| !label.starts_with("(accounts that"));
        let groups = document["cleared"].as_array().expect("groups").iter().filter(by_text);
        assert_eq!(groups.filter(|group| group["judgements"].is_array()).count(), 1, "{}", document["cleared"]);
    }
}

#[test]
fn labels_give_the_same_bytes_on_any_number_of_threads() {
    let folder = Folder::new("label-threads");
    let log = hydra().write_to(&folder);
    let labels = said(&folder, "benign", "cmp_1", half().findings(), &[]);
    let hunted = ["1", "3"].map(|threads| run(&["hunt", &log, "--labels", &labels, "--json", "--threads", threads]));
    assert!(hunted[0].code == 10 && hunted[0].stdout == hunted[1].stdout);
}

// What cannot be said or read.

#[test]
fn what_cannot_be_labelled_is_refused_and_nothing_is_written() {
    let folder = Folder::new("label-refused");
    let (labels, findings) = (folder.path("labels.jsonl"), folder.file("findings.json", hydra().findings()));
    let broken = folder.file("broken.jsonl", "{\"campaign\":\"cmp_1\"}\n{\n");
    let old = folder.file("old.jsonl", "{\"campaign\":\"cmp_1\",\"accounts\":[]}\n");
    let all = ["--verdict", "benign", "--reason", "x", "--by", "ann", "--labels", &labels];
    let absent = folder.path("absent");
    let cases: [(&[&str], i32, &str); 9] = [
        (&["cmp_9", "--from", &findings], 65, "has no finding `cmp_9`; it has cmp_1, grp_1"),
        (&["cmp_1", "--from", &absent], 65, "absent` cannot be read"),
        (&["cmp_2", "--from", &broken], 65, "broken.jsonl`:2: expected what `hunt --campaigns-out`"),
        (&["cmp_1", "--from", &old], 65, "old.jsonl`:1: cmp_1: `identity` is missing"),
        (&["cmp_1"], 2, "--from <FILE>"),
        (&["cmp_1", "--from", &findings, "--until", "2027-01-01"], 2, "--until goes with --verdict research"),
        (&["cmp_1", "--from", &findings, "--at", "noon"], 2, "expected a date such as 2026-12-31"),
        (&["cmp_1", "--from", &findings, "--verdict", "fine"], 2, "expected benign, research or campaign"),
        (&["cmp_1", "--from", &findings, "--reason", " "], 2, "expected some text"),
    ];
    for (args, code, named) in cases {
        let overridden = |flag: &str| args.contains(&flag);
        let rest = all.chunks(2).filter(|pair| !overridden(pair[0])).flatten().copied();
        let ran = run(&["label", "add"].into_iter().chain(args.iter().copied()).chain(rest).collect::<Vec<_>>());
        assert_eq!(ran.code, code, "{args:?} {ran:?}");
        assert!(ran.stderr.contains(named), "{args:?} {}", ran.stderr);
        assert!(!std::path::Path::new(&labels).exists(), "{args:?}");
    }
    let undone = run(&["label", "undo", "lbl_1", "--by", "ann", "--reason", "x", "--labels", &labels]);
    assert_eq!(undone.code, 65, "{undone:?}");
    said(&folder, "benign", "cmp_1", hydra().findings(), &[]);
    let undone = run(&["label", "undo", "lbl_7", "--by", "ann", "--reason", "x", "--labels", &labels]);
    assert!(undone.code == 65 && undone.stderr.contains("has no label `lbl_7` in force"), "{undone:?}");
}

#[test]
fn bad_labels_end_with_65_and_name_line_and_field() {
    let folder = Folder::new("label-bad");
    let log = folder.file("log.jsonl", "");
    let good = read(&said(&folder, "benign", "cmp_1", hydra().findings(), &[]));
    let changed = |path: &str, value: Value| {
        rewritten(&good, |line| {
            line["id"] = json!("lbl_2");
            *line.pointer_mut(path).unwrap_or_else(|| panic!("{path}")) = value.clone();
            true
        })
    };
    let without = |field: &str| {
        rewritten(&good, |line| {
            line["id"] = json!("lbl_2");
            line.as_object_mut().is_some_and(|line| line.remove(field).is_some())
        })
    };
    for (line, named) in [
        ("{\n".to_owned(), "no JSON object"),
        ("[]\n".to_owned(), "no JSON object"),
        (without("version"), "`version` is missing"),
        (changed("/version", json!(2)), "`version` is 2, expected 1"),
        (changed("/id", json!("lbl_9")), "`id` is `lbl_9`, expected `lbl_2`"),
        (without("by"), "`by` is missing"),
        (changed("/by", json!(7)), "`by`: invalid type: integer `7`, expected a string"),
        (changed("/time", json!("noon")), "`time` is `noon`, expected an RFC 3339 time"),
        (changed("/verdict", json!("fine")), "`verdict`: unknown variant `fine`, expected one of `benign`, `research`"),
        (changed("/identity/template", json!("xyz")), "`identity.template`: expected 16 hexadecimal digits"),
        (changed("/identity/template", json!("")), "`identity.template` is empty"),
        (changed("/identity/accounts", json!([])), "`identity.accounts` is empty"),
        (changed("/identity/habits", json!({"takeover": "even"})), "`identity.habits`: invalid type: string \"even\""),
        (without("identity"), "`identity` is missing"),
        (
            r#"{"version":1,"id":"lbl_2","time":"2026-08-01T00:00:00Z","by":"a","reason":"b","undo":"lbl_7"}"#
                .to_owned()
                + "\n",
            "`undo` is `lbl_7`, expected a label above that is in force",
        ),
    ] {
        let line = if named.contains("template` is empty") {
            line.replace("\"infrastructure\":true", "\"infrastructure\":false")
        } else {
            line
        };
        let labels = folder.file("bad.jsonl", format!("{good}{line}"));
        for args in [&["hunt", &log, "--labels", &labels][..], &["label", "list", "--labels", &labels]] {
            let ran = run(args);
            assert_eq!((ran.code, ran.stdout.as_str()), (65, ""), "{named} {ran:?}");
            assert!(ran.stderr.contains(&format!("`{labels}`:2: {named}")), "{named}: {}", ran.stderr);
        }
    }
}

#[test]
fn a_line_that_was_cut_off_is_told_and_nothing_is_lost() {
    let folder = Folder::new("label-cut");
    let log = hydra().write_to(&folder);
    let labels = said(&folder, "benign", "cmp_1", hydra().findings(), &[]);
    let cut = read(&labels) + r#"{"version":1,"id":"lbl_2","undo":"#;
    folder.file("labels.jsonl", &cut);
    let told = format!("incomplete: `{labels}`:2: the last line is cut off and was not used\n");
    let hunted = run(&["hunt", &log, "--labels", &labels]);
    assert_eq!((hunted.code, hunted.stderr), (0, told.clone()), "the first label is heeded");
    let listed = run(&["label", "list", "--json", "--labels", &labels]);
    assert_eq!((listed.code, listed.stderr, listed.stdout.matches("lbl_1").count()), (0, told, 1));
    let undone = run(&["label", "undo", "lbl_1", "--by", "ann", "--reason", "x", "--labels", &labels]);
    assert_eq!(undone.code, 65);
    assert!(
        undone.stderr.contains(&format!("`{labels}`:2: the last line is cut off; complete or remove it")),
        "{undone:?}"
    );
    assert_eq!(read(&labels), cut);
}

#[test]
fn what_people_write_cannot_reach_the_terminal() {
    let folder = Folder::new("label-hostile");
    let log = hydra().write_to(&folder);
    let hostile = "x\u{1b}[2J\u{202e}y";
    for verdict in ["benign", "campaign"] {
        let labels = folder.path(verdict);
        let flags = [("--by", hostile), ("--reason", hostile), ("--labels", &labels)];
        said(&folder, verdict, "cmp_1", hydra().findings(), &flags);
        for args in [&["hunt", &log, "--labels", &labels][..], &["label", "list", "--labels", &labels]] {
            let ran = run(args);
            ran.is_plain(verdict);
            assert!(ran.stdout.contains('y'), "{}", ran.stdout);
        }
    }
}

// What the tests above are made of.

/// The hydra with every second of its accounts.
fn half() -> &'static Traffic {
    static HALF: OnceLock<Traffic> = OnceLock::new();
    HALF.get_or_init(|| {
        let later: BTreeSet<String> = hydra().campaign_accounts().into_iter().skip(1).step_by(2).collect();
        let keep = |log: &str| rewritten(log, |line| line["account"].as_str().is_some_and(|a| !later.contains(a)));
        Traffic::of(keep(&hydra().exchanges), keep(&hydra().accounts), hydra().labels.clone())
    })
}

/// Says of a finding what it is, with `flags` instead of or beside the usual ones. The file of labels.
fn said(folder: &Folder, verdict: &str, finding: &str, findings: &str, flags: &[(&str, &str)]) -> String {
    let (findings, labels) = (folder.file("findings", findings), folder.path("labels.jsonl"));
    let mut args = vec!["label", "add", finding, "--verdict", verdict, "--from", &findings];
    let usual = [("--by", "ann"), ("--reason", "a course"), ("--at", "2026-08-01"), ("--labels", &labels)];
    let missing = usual.into_iter().filter(|(flag, _)| flags.iter().all(|(other, _)| other != flag));
    let flags: Vec<(&str, &str)> = flags.iter().copied().chain(missing).collect();
    flags.iter().for_each(|&(flag, value)| args.extend([flag, value]));
    let ran: Ran = run(&args);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    ran.is_plain("label add");
    flags.iter().find(|(flag, _)| *flag == "--labels").map(|(_, labels)| (*labels).to_owned()).expect("a file")
}

fn accounts(identity: &Value) -> BTreeSet<String> {
    strings(&identity["accounts"])
}

fn strings(list: &Value) -> BTreeSet<String> {
    list.as_array().expect("a list").iter().filter_map(Value::as_str).map(str::to_owned).collect()
}
