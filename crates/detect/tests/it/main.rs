//! The engine as a whole, on small worlds made of records.

mod golden;
mod live;
mod numbers;
mod snapshot;
mod world;
mod year;

use detect::Findings;
use detect::limits::{CLEARED_MAX, LIKENESS_PAYERS_MAX, LOOKED_AT_MAX};
use findings::{Discovery, SignalFamily};

use world::{DAY, HOUR, World};

const TEMPLATE: &str =
    "Lay out every deduction in order, keep each step short and close with the bare result of the exercise.";

/// Accounts that signed up together and share a list, one request of each every five hours, ten in all.
fn campaign(world: &mut World, accounts: u64, text: impl Fn(u64) -> String) {
    for i in 0..accounts * 10 {
        world.ask(
            &format!("camp{}", i % accounts),
            // In turn, and not on the beat of a clock.
            DAY + i * 5 * HOUR / accounts + any(i) % HOUR,
            &format!("{} {}", text(i), world::item(i)),
        );
    }
    for i in 0..accounts {
        world.sign_up(&format!("camp{i}"), DAY - HOUR + i * 60, "email");
    }
}

/// A number that has nothing to do with those next to it (SplitMix64).
fn any(i: u64) -> u64 {
    let z = (i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn members(findings: &Findings) -> Vec<usize> {
    let sure = |campaign: &findings::Campaign| campaign.accounts.iter().filter(|a| a.probability >= 0.5).count();
    findings.campaigns.iter().map(sure).collect()
}

#[test]
fn a_campaign_is_found_among_people() {
    let mut world = World::of_people(300);
    campaign(&mut world, 40, |_| TEMPLATE.into());
    let findings = world.hunt();
    assert_eq!(members(&findings), [40]);
    assert_eq!(findings.campaigns.first().unwrap().discovery, Discovery::Text);
}

#[test]
fn a_campaign_without_a_text_in_common_is_found_by_its_sign_ups() {
    for (apart, found) in [(60, true), (DAY / 60, false)] {
        let mut world = World::of_people(300);
        campaign(&mut world, 60, |i| world::words(i * 1000 + 90_000_000_000, 12));
        for i in 0..60 {
            world.sign_up(&format!("camp{i}"), DAY * 5 / 6 + i * apart, "email");
        }
        let findings = world.hunt();
        assert_eq!(members(&findings), if found { vec![60] } else { vec![] }, "{apart} seconds apart");
        for campaign in findings.campaigns {
            assert_eq!((campaign.discovery, campaign.exchanges), (Discovery::SignUp, 600));
            let sign_up: Vec<_> = campaign.evidence.iter().filter(|e| e.family == SignalFamily::SignUp).collect();
            assert_eq!(sign_up.iter().map(|evidence| evidence.counts).collect::<Vec<_>>(), [false]);
        }
    }
}

#[test]
fn what_members_send_besides_a_template_is_not_the_campaigns() {
    let mut world = World::of_people(300);
    campaign(&mut world, 60, |_| TEMPLATE.into());
    // As much again without it, from accounts that signed up together, which are a group by that as well.
    campaign(&mut world, 60, |i| world::words(i * 1000 + 90_000_000_000, 12));
    (0..60).for_each(|i| world.sign_up(&format!("camp{i}"), DAY * 5 / 6 + i * 60, "email"));
    let findings = world.hunt();
    assert_eq!(members(&findings), [60]);
    let campaign = findings.campaigns.first().unwrap();
    assert_eq!(campaign.discovery, Discovery::Text);
    // The first few come before the text is known as one.
    assert!((595..=600).contains(&campaign.exchanges), "{}", campaign.exchanges);
}

#[test]
fn a_finding_tells_what_limits_left_out() {
    for (people, accounts, told) in [(300, 40, false), (1500, LIKENESS_PAYERS_MAX as u64 + 80, true)] {
        let mut world = World::of_people(people);
        campaign(&mut world, accounts, |_| TEMPLATE.into());
        let findings = world.hunt();
        let not_observed = &findings.campaigns.first().unwrap().not_observed;
        let limit = "How alike payers are was followed of the first 1,024 of each group";
        assert_eq!(not_observed.iter().any(|said| said.starts_with(limit)), told, "{not_observed:?}");
    }
}

#[test]
fn of_a_larger_group_a_sample_is_looked_at_and_the_finding_says_so() {
    for (accounts, told) in [(LOOKED_AT_MAX as u64, false), (LOOKED_AT_MAX as u64 + 1, true)] {
        let mut world = World::of_people(300);
        for i in 0..accounts * 3 {
            let time = DAY + i * 15 * HOUR / accounts / 3 + any(i) % HOUR;
            world.ask(&format!("camp{}", i % accounts), time, &format!("{TEMPLATE} {}", world::words(i * 10, 4)));
        }
        let findings = world.hunt();
        assert_eq!(members(&findings), [accounts as usize]);
        let said = "The group is larger than 32,768: the evidence is of one account in 2 of it.";
        assert_eq!(findings.campaigns.first().unwrap().not_observed.contains(&said.to_owned()), told);
    }
}

#[test]
fn people_are_no_campaign() {
    assert!(World::of_people(300).hunt().campaigns.is_empty());
}

#[test]
fn seats_of_one_organisation_are_one_customer_beside_strangers() {
    for organisations in [1, 60] {
        let mut world = World::of_people(300);
        // Seats that send as a campaign does, and strangers who share a phrase with them.
        campaign(&mut world, 60, |_| TEMPLATE.into());
        (0..60).for_each(|seat| world.seat(&format!("camp{seat}"), &format!("firm{}", seat % organisations)));
        for i in 0..36 {
            let time = DAY + i * HOUR + any(i + 7000) % HOUR;
            world.ask(&format!("stranger{}", i % 12), time, &format!("{TEMPLATE} {}", world::item(9_000 + i)));
        }
        let found = members(&world.hunt());
        assert_eq!(found.is_empty(), organisations == 1, "{organisations} organisations: {found:?}");
    }
}

#[test]
fn accounts_that_a_contract_vouches_for_never_make_one() {
    let mut world = World::of_people(300);
    campaign(&mut world, 40, |_| TEMPLATE.into());
    for i in 0..40 {
        world.sign_up(&format!("camp{i}"), DAY - HOUR + i * 60, "contract");
    }
    assert!(world.hunt().campaigns.is_empty());
}

#[test]
fn what_came_before_the_hypothesis_does_not_count() {
    let mut whole = World::of_people(300);
    campaign(&mut whole, 40, |_| TEMPLATE.into());
    let frozen_at = whole.hunt().campaigns.first().unwrap().frozen_at;
    // The same, but the campaign falls silent when it is noticed.
    let mut stopped = World::of_people(300);
    campaign(&mut stopped, 40, |_| TEMPLATE.into());
    stopped.silence("camp", frozen_at);
    let findings = stopped.hunt();
    assert!(findings.campaigns.is_empty());
    assert!(findings.population.clusters > 0);
}

#[test]
fn a_text_before_every_request_hides_nobody() {
    let before = "You are Mika, who helps the guests of a lake resort. Answer in the language of the guest, keep every answer under \
                  two hundred words, mention the opening hours of the boat house only when somebody asks for them, and send \
                  whoever wants to pay to the front desk by the main gate.";
    let mut world = World::of_people(300);
    campaign(&mut world, 40, |_| TEMPLATE.into());
    world.prefix(before);
    let findings = world.hunt();
    assert_eq!(members(&findings), [40]);
    assert!(findings.campaigns.iter().flat_map(|c| &c.accounts).all(|account| account.account.starts_with("camp")));
}

#[test]
fn a_campaign_that_takes_over_a_text_of_others_is_tested_on_its_own() {
    let mut world = World::of_people(300);
    let phrase = "keep each step short and close with the bare result of the exercise.";
    // A few people send a longer text with the phrase in it, before the campaign begins.
    for i in 0..48 {
        let text = format!("{} {phrase}", world::words(9_000_000, 40));
        world.ask(&format!("person{}", i % 12 + 20), DAY / 4 + i * 600, &text);
    }
    campaign(&mut world, 40, |_| phrase.into());
    let findings = world.hunt();
    assert_eq!(members(&findings), [40]);
    assert!(findings.campaigns.iter().flat_map(|c| &c.accounts).all(|account| account.account.starts_with("camp")));
}

#[test]
fn a_phrase_that_others_use_too_does_not_say_who_is_in() {
    let mut world = World::of_people(300);
    let phrase = "close with the bare result of the exercise and nothing else at all";
    for person in 0..100 {
        for i in 0..3 {
            let at = DAY + (person * 7919 + i * 50_000) % (3 * DAY);
            world.ask(&format!("person{person}"), at, &format!("{} {phrase}", world::words(person * 77 + i * 9, 12)));
        }
    }
    campaign(&mut world, 40, |i| format!("{TEMPLATE} {} {phrase}", world::item(i + 5000)));
    let findings = world.hunt();
    assert_eq!(members(&findings), [40]);
    assert!(findings.campaigns.iter().flat_map(|c| &c.accounts).all(|account| account.account.starts_with("camp")));
}

#[test]
fn many_wordings_of_one_template_are_one_campaign() {
    let wordings = [
        "Lay out every deduction in order and close with the bare result of the exercise.",
        "Think aloud while you work, leave no step away, and finish on a line with the number alone.",
        "Show the whole path of your reasoning first; the last row of the answer holds just the value.",
        "Write down how you arrive at the solution, thought by thought, then state the outcome by itself.",
        "Go through the calculation piece by piece in full view and put the final figure at the very end.",
        "Explain each inference as you make it, without gaps, and terminate with the solution on its own.",
        "Zeige jeden Schritt deiner Überlegung und schreibe das Ergebnis allein in die letzte Zeile der Antwort.",
        "Muestra todos los pasos de tu razonamiento y termina con una línea que tenga solo el resultado final.",
    ];
    let mut world = World::of_people(900);
    campaign(&mut world, 120, |i| wordings[((i + i / 120 * 3) % 8) as usize].into());
    let findings = world.hunt();
    let [campaign] = findings.campaigns.as_slice() else { panic!("{:?}", members(&findings)) };
    assert_eq!(campaign.discovery, Discovery::Variants);
    assert!(members(&findings)[0] >= 110, "{:?}", members(&findings));
    assert!(campaign.accounts.iter().all(|account| account.account.starts_with("camp")));
}

#[test]
fn cleared_groups_are_told_up_to_their_limit() {
    for (groups, told) in [(3, 3), (CLEARED_MAX, CLEARED_MAX), (CLEARED_MAX + 1, CLEARED_MAX)] {
        let mut world = World::default();
        // Each group shares a text that its nine senders use in one session.
        for group in 0..groups as u64 {
            for i in 0..42 {
                let sender = i % 9;
                let text = format!("{} {}", world::words(group * 1000, 14), world::item(group * 100 + i));
                world.ask(&format!("g{group}s{sender}"), DAY + i * 60, &text);
            }
        }
        let findings = world.hunt();
        assert_eq!((findings.campaigns.len(), findings.cleared.len()), (0, told), "{groups}");
    }
}
