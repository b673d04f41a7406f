//! What is remembered, written down and read back.

#![expect(clippy::expect_used, reason = "everything read here was written here")]

use detect::{Config, Engine, Label, Labels, Unrestored};
use exchange::Notes;
use findings::{Campaign, Identity, Prints, Verdict};
use simulator::World;

use crate::golden::{learnt, simulated};

/// Feeds an engine records.
pub(crate) fn feed(engine: &mut Engine, records: &[&str]) {
    for record in records {
        exchange::read_exchanges(record, &mut Notes::default(), &mut |exchange| {
            engine.hunt(&signals::of(&exchange));
        })
        .expect("a record as the simulator writes it");
    }
}

pub(crate) fn restored(engine: &Engine) -> Engine {
    Engine::restore(Config::default(), Labels::default(), &engine.snapshot()).expect("a snapshot as it was written")
}

/// What somebody says who vouches for a group when a campaign was last seen.
pub(crate) fn vouched(campaign: &Campaign, identity: Identity) -> Labels {
    Labels::new(vec![Label {
        id: "lbl_1".into(),
        verdict: Verdict::Benign,
        by: "ann".into(),
        time: campaign.last_seen,
        reason: "a course".into(),
        until: None,
        identity,
    }])
}

#[test]
fn restored_and_fed_the_rest_finds_what_the_whole_finds() {
    for (world, cuts) in [("template", [0, 1, 700, 2500]), ("nine-in-ten", [40, 1001, 3000, 5000])] {
        let (exchanges, accounts, _) = simulated(World::by_name(world).expect("a world"));
        let exchanges = std::str::from_utf8(&exchanges).expect("UTF-8");
        let records: Vec<&str> = exchanges.lines().collect();
        let mut whole = learnt(Engine::new(Config::default()), &accounts);
        feed(&mut whole, &records);
        let remembered = whole.snapshot();
        let findings = serde_json::to_string(&whole.finish()).expect("JSON");
        let mut parts = learnt(Engine::new(Config::default()), &accounts);
        let mut done = 0;
        for cut in cuts {
            feed(&mut parts, &records[done..cut]);
            parts = restored(&parts);
            done = cut;
        }
        feed(&mut parts, &records[done..]);
        assert!(parts.snapshot() == remembered, "{world}: the same is remembered");
        assert!(restored(&parts).snapshot() == remembered, "{world}: written again");
        assert_eq!(serde_json::to_string(&parts.finish()).expect("JSON"), findings, "{world}");
    }
}

#[test]
fn what_is_no_snapshot_of_this_version_is_refused() {
    let snapshot = Engine::new(Config::default()).snapshot();
    let read = |bytes: &[u8]| Engine::restore(Config::default(), Labels::default(), bytes).err();
    assert_eq!(read(&snapshot), None);
    assert_eq!(read(b"{}"), Some(Unrestored::NoSnapshot));
    let magic = b"stillwatch state\n".len();
    for length in 0..snapshot.len() {
        let expected = if length < magic { Unrestored::NoSnapshot } else { Unrestored::Damaged };
        assert_eq!(read(&snapshot[..length]), Some(expected), "cut off after {length} bytes");
    }
    let mut other = snapshot.clone();
    other[magic] += 1;
    assert_eq!(read(&other), Some(Unrestored::Version { found: detect::VERSION + 1 }));
    for at in [magic + 2, magic + 12, snapshot.len() - 1] {
        let mut damaged = snapshot.clone();
        damaged[at] ^= 1;
        assert_eq!(read(&damaged), Some(Unrestored::Damaged), "byte {at}");
    }
}

#[test]
fn labels_that_changed_since_are_heeded_and_those_that_are_gone_forgotten() {
    let (exchanges, accounts, _) = simulated(World::by_name("template").expect("a world"));
    let records: Vec<&str> = std::str::from_utf8(&exchanges).expect("UTF-8").lines().collect();
    let mut whole = learnt(Engine::new(Config::default()), &accounts);
    feed(&mut whole, &records);
    let remembered = whole.snapshot();
    let campaigns = whole.finish().campaigns;
    let [campaign] = campaigns.as_slice() else { panic!("{} campaigns", campaigns.len()) };
    let vouched = |identity: Identity| vouched(campaign, identity);
    let vetted = || vouched(campaign.identity.clone());
    let heeded = Engine::restore(Config::default(), vetted(), &remembered).expect("a snapshot");
    assert_eq!(heeded.finish().campaigns.len(), 0, "somebody vouches for all of them now");
    let mut part = learnt(Engine::with_labels(Config::default(), vetted()), &accounts);
    feed(&mut part, &records[..records.len() / 3]);
    // The first of these labels is about another text of the same accounts.
    let elsewhere = vouched(Identity { template: Prints((1..99).collect()), ..campaign.identity.clone() });
    for (what, labels) in [("nobody vouches for them", Labels::default()), ("for another text of theirs", elsewhere)] {
        let renamed = Labels::new(labels.iter().cloned().map(|label| Label { id: "lbl_2".into(), ..label }).collect());
        let mut gone = Engine::restore(Config::default(), renamed, &part.snapshot()).expect("a snapshot");
        feed(&mut gone, &records[records.len() / 3..]);
        assert_eq!(gone.finish().campaigns.len(), 1, "{what}");
    }
    feed(&mut part, &records[records.len() / 3..]);
    assert_eq!(part.finish().campaigns.len(), 0);
}
