//! A watcher beside a record that grows, is left and taken up again.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "everything read here was written here")]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use simulator::{Output, World, simulate};
use store::segment;
use watch::detector::{Told, What};
use watch::facts::{Accounts, Progress, Verdicts};
use watch::{Detector, Follower, Position, Settings, Setup, Watcher, checkpoint};

const SETTINGS: Settings = Settings { alpha: 0.05, lateness_seconds: 30 };

/// What a world is simulated to: its record as a gateway writes it, its account facts, and who belongs to its campaigns.
struct Simulated {
    lines: Vec<Vec<u8>>,
    accounts: Vec<u8>,
    campaign: BTreeSet<String>,
}

fn simulated() -> Simulated {
    let scenario = World::by_name("template").unwrap().scenario().with_seed(7).scaled(0.5);
    let (mut exchanges, mut accounts, mut labels) = (Vec::new(), Vec::new(), Vec::new());
    let mut output = Output { exchanges: &mut exchanges, accounts: &mut accounts, labels: &mut labels };
    simulate(&scenario, None, &mut output).unwrap();
    let line = |record: &[u8]| {
        let mut line = Vec::new();
        segment::write_line(&mut line, |line| line.extend_from_slice(record));
        line
    };
    let lines = exchanges.split(|byte| *byte == b'\n').filter(|record| !record.is_empty()).map(line).collect();
    let member = |line: &[u8]| -> Option<String> {
        let label: serde_json::Value = serde_json::from_slice(line).unwrap();
        label.get("campaign")?.as_str()?;
        Some(label.get("account")?.as_str()?.to_owned())
    };
    let labels = labels.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    Simulated { lines, accounts, campaign: labels.filter_map(member).collect() }
}

fn add(path: &Path, bytes: &[u8]) {
    let mut file = fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(bytes).unwrap();
}

/// What a detector comes to, in all that it tells.
fn told(detector: &Detector) -> (String, Vec<watch::Campaign>, watch::detector::Counts) {
    let findings = serde_json::to_string(&detector.findings()).unwrap();
    (findings, detector.board().campaigns.clone(), detector.counts())
}

/// Reads all that is new: first what is said of accounts, as a watcher does.
fn read(accounts: &mut Accounts, follower: &mut Follower, detector: &mut Detector) {
    loop {
        let said = accounts.read().unwrap();
        if said.is_empty() {
            break;
        }
        detector.hear(said);
    }
    while let Some(lines) = follower.read().unwrap() {
        detector.take(lines);
    }
}

/// A number that has nothing to do with those next to it (SplitMix64).
fn any(i: u64) -> u64 {
    let z = (i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[test]
fn pieces_kills_and_restarts_change_nothing() {
    let Simulated { lines, accounts, .. } = simulated();
    let folder = tempfile::tempdir().unwrap();
    let all = lines.concat();
    add(&folder.path().join("1.jsonl"), &all);
    add(&folder.path().join("accounts.jsonl"), &accounts);
    let mut whole = Detector::new(&SETTINGS);
    let mut follower = Follower::new(folder.path(), Position::default());
    let said = |folder: &Path, progress| Accounts::new(folder.join("accounts.jsonl"), progress);
    read(&mut said(folder.path(), Progress::default()), &mut follower, &mut whole);
    assert!(!whole.board().campaigns.is_empty(), "nothing to compare");

    let folder = tempfile::tempdir().unwrap();
    let mut follower = Follower::new(folder.path(), Position::default());
    add(&folder.path().join("accounts.jsonl"), &accounts);
    let mut known = said(folder.path(), Progress::default());
    let mut detector = Detector::new(&SETTINGS);
    let mut written = checkpoint::write(5, follower.position(), known.progress(), &detector);
    let (mut at, mut file, mut kills) = (0, 1, 0);
    while at < all.len() || follower.waiting_bytes() > 0 {
        // Pieces of a few bytes up to half a megabyte, torn anywhere but where a file ends.
        let chance = any(at as u64 + kills);
        let end = all.len().min(at + 1 + (chance % (1 << (3 + chance % 17))) as usize);
        add(&folder.path().join(format!("{file}.jsonl")), &all[at..end]);
        if all[..end].ends_with(b"\n") && chance.is_multiple_of(3) {
            file += 1;
        }
        at = end;
        read(&mut known, &mut follower, &mut detector);
        match any(chance) % 40 {
            0 => written = checkpoint::write(5, follower.position(), known.progress(), &detector),
            1 => {
                kills += 1;
                let restored = checkpoint::read(&written, &SETTINGS).unwrap();
                (follower, detector) = (Follower::new(folder.path(), restored.position), restored.detector);
                known = said(folder.path(), restored.accounts);
                assert_eq!(restored.generation, 5);
                read(&mut known, &mut follower, &mut detector);
            }
            _ => {}
        }
    }
    assert!(kills > 3, "{kills} kills");
    assert_eq!(told(&detector), told(&whole));
}

#[test]
fn a_campaign_is_told_while_it_runs_and_stays_the_same_after_a_restart() {
    let Simulated { lines, accounts, campaign } = simulated();
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    add(&place("accounts.jsonl"), &accounts);
    let (changes, seen) = (Arc::<Mutex<Vec<Told>>>::default(), Arc::<Mutex<Vec<Told>>>::default());
    let start = |checkpoint: Option<&str>, changes: &Arc<Mutex<Vec<Told>>>| {
        let heard = Arc::clone(changes);
        Watcher::start(Setup {
            folder: folder.path().to_owned(),
            accounts: place("accounts.jsonl"),
            checkpoint: checkpoint.map(place),
            past: checkpoint.map(|_| place("past.json")),
            verdicts: Box::new(|_| None),
            settings: SETTINGS,
            new_generation: Box::new(|| 9),
            begin: Box::new(|| {}),
            say: Box::new(|said| assert!(said.starts_with("nothing is written down"), "{said}")),
            tell: Box::new(move |told| heard.lock().unwrap().extend(told.iter().cloned())),
        })
        .unwrap()
    };
    let middle = lines.len() * 2 / 3;
    add(&place("1.jsonl"), &lines[..middle].concat());
    let watcher = start(Some("detection.state"), &changes);
    let watched = Arc::clone(watcher.watched());
    watcher.finish();
    let before = watched.board();
    assert_eq!(watched.status().behind_bytes, 0);
    let members = |board: &watch::Board| -> BTreeSet<String> {
        let members = board.campaigns.iter().flat_map(|campaign| &campaign.members);
        members.map(|member| member.account.clone()).collect()
    };
    let [only] = before.campaigns.as_slice() else { panic!("{before:?}") };
    let known = watched.past();
    let [last] = known.campaigns() else { panic!("{known:?}") };
    let accounts: BTreeSet<&str> = last.campaign.accounts.iter().map(|member| member.account.as_str()).collect();
    assert!(last.campaign.id == only.id && only.members.iter().all(|member| accounts.contains(&*member.account)));
    assert!(last.campaign.samples.is_empty() && last.campaign.skeleton.is_empty(), "no text is written down");
    assert!(fs::read_to_string(place("past.json")).unwrap().contains(&only.id));
    assert!(members(&before).is_subset(&campaign) && only.log10_e > only.log10_threshold && !only.rival.is_empty());

    add(&place("2.jsonl"), &lines[middle..].concat());
    let watcher = start(Some("detection.state"), &changes);
    let onlooker = start(None, &seen);
    for watcher in [&watcher, &onlooker] {
        while watcher.watched().status().counts.exchanges < lines.len() as u64 {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    let findings = |watcher: &Watcher| {
        serde_json::to_string(&watcher.watched().findings(Duration::from_secs(60)).unwrap()).unwrap()
    };
    assert_eq!(findings(&watcher), findings(&onlooker), "who reads all of it finds the same");
    let after = watcher.watched().board();
    assert_eq!(after.campaigns, onlooker.watched().board().campaigns);
    assert_eq!(after.campaigns.first().map(|campaign| &campaign.id), Some(&only.id));
    assert!(members(&after).len() > members(&before).len(), "others joined it");
    onlooker.finish();
    watcher.finish();
    let (changes, seen) = (changes.lock().unwrap(), seen.lock().unwrap());
    assert!(
        changes.iter().any(|told| matches!(told.what, What::Detected { .. })) && *changes == *seen,
        "told once, across the restart"
    );
}

/// A record with its bodies as OpenAI's API has them, as a gateway writes it.
fn with_bodies(line: &[u8]) -> Vec<u8> {
    let mut record: serde_json::Value = serde_json::from_slice(line).unwrap();
    let mut messages = record["request"]["messages"].as_array().cloned().unwrap();
    if let Some(system) = record["request"]["system"].as_str() {
        messages.insert(0, serde_json::json!({"role": "system", "content": system}));
    }
    let answer = serde_json::json!({"role": "assistant", "content": record["response"]["content"]});
    record["request"] = serde_json::json!({"model": "frontier-9", "messages": messages});
    record["response"] = serde_json::json!({
        "id": "x", "object": "chat.completion", "created": 1, "model": "frontier-9",
        "choices": [{"index": 0, "message": answer, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
    });
    for key in ["sum", "model", "usage", "operation"] {
        record.as_object_mut().unwrap().remove(key);
    }
    record["endpoint"] = "/v1/chat/completions".into();
    let mut line = Vec::new();
    segment::write_line(&mut line, |line| line.extend_from_slice(record.to_string().as_bytes()));
    line
}

#[test]
fn bodies_are_read_in_the_form_in_which_they_were_sent() {
    let Simulated { lines, accounts, .. } = simulated();
    let folder = tempfile::tempdir().unwrap();
    add(&folder.path().join("accounts.jsonl"), &accounts);
    add(&folder.path().join("1.jsonl"), &lines.iter().flat_map(|line| with_bodies(line)).collect::<Vec<u8>>());
    let mut known = Accounts::new(folder.path().join("accounts.jsonl"), Progress::default());
    let (mut follower, mut detector) = (Follower::new(folder.path(), Position::default()), Detector::new(&SETTINGS));
    read(&mut known, &mut follower, &mut detector);
    detector.finish();
    assert_eq!(detector.counts().exchanges, lines.len() as u64);
    let campaign = &detector.findings().campaigns[0];
    let models: Vec<&str> = campaign.models.iter().map(|model| model.model.as_str()).collect();
    assert_eq!((models, campaign.tokens_known), (vec!["frontier-9"], 1.0));
    assert!(campaign.input_tokens > 0 && campaign.samples.iter().all(|sample| !sample.answer.is_empty()));
}

#[test]
fn a_verdict_that_is_taken_back_leaves_no_trace() {
    let Simulated { lines, accounts, .. } = simulated();
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    add(&place("accounts.jsonl"), &accounts);
    let (judgement, said) = (Arc::<Mutex<Option<Verdicts>>>::default(), Arc::<Mutex<Vec<String>>>::default());
    let start = |judgement: Arc<Mutex<Option<Verdicts>>>, said: &Arc<Mutex<Vec<String>>>| {
        let (said, mut next) = (Arc::clone(said), 7);
        Watcher::start(Setup {
            folder: folder.path().to_owned(),
            accounts: place("accounts.jsonl"),
            checkpoint: None,
            past: None,
            verdicts: Box::new(move |known| judgement.lock().unwrap().clone().filter(|now| known != Some(now))),
            settings: SETTINGS,
            new_generation: Box::new(move || {
                next += 1;
                next
            }),
            begin: Box::new(|| {}),
            say: Box::new(move |text| said.lock().unwrap().push(text.to_owned())),
            tell: Box::new(|_| {}),
        })
        .unwrap()
    };
    let watcher = start(Arc::clone(&judgement), &said);
    let watched = watcher.watched();
    let wait = |what: &str, holds: &dyn Fn() -> bool| {
        let waited = (0..6_000).find(|_| {
            holds() || {
                std::thread::sleep(Duration::from_millis(10));
                false
            }
        });
        assert!(waited.is_some(), "{what}");
    };
    let third = lines.len() / 3;
    add(&place("1.jsonl"), &lines[..2 * third].concat());
    wait("a campaign", &|| watched.status().behind_bytes == 0 && watched.board().campaigns.len() == 1);
    let found = watched.findings(Duration::from_secs(60)).unwrap();
    let time = watched.status().seen.unwrap();
    let label = detect::Label {
        id: "lbl_1".to_owned(),
        verdict: findings::Verdict::Benign,
        by: "ann".to_owned(),
        time,
        reason: "a course".to_owned(),
        until: None,
        identity: found.campaigns[0].identity.clone(),
    };
    *judgement.lock().unwrap() = Some((time, vec![label]));
    add(&place("2.jsonl"), &lines[2 * third..lines.len() - 100].concat());
    wait("nobody", &|| watched.status().behind_bytes == 0 && watched.board().campaigns.is_empty());
    let sequence = watched.board().sequence;
    *judgement.lock().unwrap() = Some((watched.status().seen.unwrap(), Vec::new()));
    add(&place("3.jsonl"), &lines[lines.len() - 100..].concat());
    // That somebody said something makes it look, whatever it was.
    let other = start(Arc::clone(&judgement), &Arc::default());
    let all = |watcher: &Watcher| {
        let status = watcher.watched().status();
        status.has_caught_up && status.counts.exchanges == lines.len() as u64
    };
    wait("all of it again", &|| watched.status().generation == Some(9) && all(&watcher) && all(&other));
    assert_eq!(said.lock().unwrap().iter().filter(|text| text.starts_with("a verdict was taken back")).count(), 1);
    assert_eq!(watched.board().campaigns, other.watched().board().campaigns);
    assert!(watched.board().campaigns.len() == 1 && watched.board().sequence > sequence);
    other.finish();
    watcher.finish();
}

#[test]
fn what_cannot_be_restored_is_said_and_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let detector = Detector::new(&SETTINGS);
    let good = checkpoint::write(5, &Position::default(), Progress::default(), &detector);
    let mut damaged = good.clone();
    *damaged.last_mut().unwrap() ^= 1;
    let mut newer = good.clone();
    newer[22] += 1;
    let cases = [
        (good, None),
        (damaged, Some("damaged")),
        (newer, Some("it has version 2, and this build reads version 1")),
        (b"else".to_vec(), Some("it is no checkpoint")),
    ];
    for (bytes, expected) in cases {
        fs::write(place("state"), bytes).unwrap();
        let said: Arc<Mutex<Vec<String>>> = Arc::default();
        let heard = Arc::clone(&said);
        let watcher = Watcher::start(Setup {
            folder: folder.path().to_owned(),
            accounts: place("accounts.jsonl"),
            checkpoint: Some(place("state")),
            past: None,
            verdicts: Box::new(|_| None),
            settings: SETTINGS,
            new_generation: Box::new(|| 9),
            begin: Box::new(|| {}),
            say: Box::new(move |trouble| heard.lock().unwrap().push(trouble.to_owned())),
            tell: Box::new(|_| {}),
        });
        let watcher = watcher.unwrap();
        let watched = Arc::clone(watcher.watched());
        watcher.finish();
        let generation = if expected.is_none() { 5 } else { 9 };
        assert_eq!((watched.status().generation, watched.status().has_caught_up), (Some(generation), true));
        let said = said.lock().unwrap();
        match expected {
            None => assert!(said.is_empty(), "{said:?}"),
            Some(expected) => assert!(said.concat().contains(expected), "{said:?}"),
        }
    }
}
