//! Runs: what arrives when, whose answer counts, who was wronged, and what points are given for.

use std::collections::BTreeSet;

use drill::exercise::{Difficulty, Exercise, Milestone};
use drill::limits::{ANSWER_BYTES_MAX, ANSWER_SECONDS, NAME_BYTES_MAX, TIMELINE_MAX, WRONGED_NAMED_MAX};
use drill::look::{Case, Effect, Look, Response, Standing};
use drill::moment::Moment;
use drill::report::Told;
use drill::run::{Arrived, NotTaken, Now};
use drill::traffic::Truth;
use drill::{Report, Run};
use exchange::Time;

use crate::exercises::{exercise, inject};

fn accounts(name: &str, count: usize) -> BTreeSet<String> {
    (0..count).map(|at| format!("{name}{at}")).collect()
}

/// A run with these injects: ten accounts of a campaign send a hundred exchanges, among twenty others, in 100 seconds.
fn run(injects: &str) -> Run {
    let exercise = Exercise::read(&exercise(injects)).unwrap();
    let truth = Truth { campaign: accounts("c", 10), honest: accounts("h", 20), campaign_exchanges: 100 };
    // As long as it is written for, so that its delays are what they say.
    Run::begin(exercise, Difficulty::Easy, truth, 600.0)
}

fn at(seconds: f64) -> Now {
    Now { seconds, staging: Time::from_seconds(seconds as i64 * 100), traffic: (seconds / 100.0).min(1.0) }
}

fn told() -> Told {
    Told {
        id: "drill_1".to_owned(),
        by: "ann".to_owned(),
        reason: "a test".to_owned(),
        began: Time::from_seconds(0),
        seconds: 100.0,
        speed: 100,
        seed: 1,
        is_cut_short: false,
        version: "0".to_owned(),
    }
}

/// A campaign stands with these members.
fn standing(members: &BTreeSet<String>) -> Look {
    let campaigns = vec![Standing { id: "camp_1".to_owned(), members: members.clone() }];
    Look { campaigns, ..Look::default() }
}

fn responded(look: Look, rung: &str, is_in_force: bool, accounts: BTreeSet<String>) -> Look {
    let response = Response {
        id: "response_1".to_owned(),
        rung: rung.to_owned(),
        effect: Effect::of(rung),
        is_in_force,
        author: "ann".to_owned(),
        approved_by: None,
        undone_by: (!is_in_force).then(|| "bob".to_owned()),
        covers: accounts.len() as u64,
        accounts,
    };
    Look { responses: vec![response], ..look }
}

fn case(id: &str, is_about_campaign: bool) -> Case {
    Case { id: id.to_owned(), by: "bob".to_owned(), is_about_campaign }
}

fn arrived(run: &mut Run, seconds: f64) -> Vec<String> {
    run.arrive(at(seconds)).into_iter().map(|arrived| arrived.inject.id).collect()
}

#[test]
fn an_inject_arrives_once_and_only_after_what_it_waits_for() {
    let words = "[inject.ask]\nwhy = ''\nquestion = 'words'";
    let mut run = run(&[
        inject("first", ""),
        inject("later", "delay = 0.5"),
        inject("half", "when = 'traffic:0.5'"),
        inject("found", &format!("when = 'detected'\ndelay = 0.1\n{words}")),
        inject("answered", "when = 'answered:found'"),
        inject("never", "when = 'blocked'"),
        inject("harder", "at = ['hard']"),
    ]
    .concat());
    assert_eq!(arrived(&mut run, 0.0), ["first"]);
    assert!(arrived(&mut run, 29.0).is_empty());
    assert_eq!(arrived(&mut run, 30.0), ["later"]);
    // A campaign of honest people is no detection of the campaign.
    run.look(at(35.0), standing(&accounts("h", 5)));
    assert_eq!(run.reached(Milestone::Detected), None);
    run.look(at(40.0), Look::default());
    run.look(at(41.0), standing(&accounts("c", 5)));
    assert!(arrived(&mut run, 46.0).is_empty());
    assert_eq!(arrived(&mut run, 50.0), ["half", "found"]);
    assert!(arrived(&mut run, 51.0).is_empty());
    run.answer(at(52.0), "found", "ann", "well").unwrap();
    assert_eq!(arrived(&mut run, 53.0), ["answered"]);
    assert_eq!(run.finish(told()).not_arrived, ["T"]);
}

#[test]
fn the_first_answer_counts_and_what_is_no_answer_is_refused() {
    let choice =
        "[inject.ask]\nwhy = 'because'\nminutes = 0.5\nquestion.choice = { options = ['no', 'yes'], right = [2] }";
    let number = "[inject.ask]\nwhy = ''\nquestion.number = { fact = 'members', within = 0.2 }";
    let todo = "[inject.ask]\nwhy = ''\nquestion.do = 'case'";
    let mut run = run(&[
        inject("choice", choice),
        inject("late", choice),
        inject("number", number),
        inject("todo", todo),
        inject("says", ""),
        inject("later", "when = 'detected'"),
    ]
    .concat());
    assert_eq!(run.answer(at(0.0), "choice", "ann", "2"), Err(NotTaken::NotArrived("choice".to_owned())));
    arrived(&mut run, 0.0);
    let refused =
        |run: &mut Run, id: &str, by: &str, said: &str| run.answer(at(1.0), id, by, said).unwrap_err().to_string();
    assert_eq!(refused(&mut run, "choice", "ann", "3"), "expected a number from 1 to 2");
    assert_eq!(refused(&mut run, "choice", "ann", "0"), "expected a number from 1 to 2");
    assert_eq!(refused(&mut run, "choice", " ", "2"), "expected a name of at most 100 bytes");
    assert!(refused(&mut run, "choice", &"x".repeat(NAME_BYTES_MAX + 1), "2").contains("a name"));
    assert!(refused(&mut run, "choice", "ann", &"2".repeat(ANSWER_BYTES_MAX + 1)).contains("at most 2000 bytes"));
    assert_eq!(refused(&mut run, "number", "ann", "some"), "expected a number");
    assert!(refused(&mut run, "todo", "ann", "done").contains("to be done"));
    assert!(refused(&mut run, "says", "ann", "yes").contains("asks nothing"));
    assert!(refused(&mut run, "later", "ann", "yes").contains("has arrived"));

    let right = run.answer(at(2.0), "choice", "ann", " 2 ").unwrap();
    assert_eq!((right.is_right, right.is_in_time, right.said.as_str()), (Some(true), true, "yes"));
    assert_eq!(run.answer(at(3.0), "choice", "ann", "1"), Err(NotTaken::Answered("choice".to_owned())));
    let late = run.answer(at(30.5), "late", "bob", "2").unwrap();
    assert_eq!((late.is_right, late.is_in_time), (Some(true), false));
    run.look(at(31.0), standing(&accounts("c", 10)));
    let number = run.answer(at(31.0), "number", "ann", "12").unwrap();
    assert_eq!((number.is_right, number.expected.as_str()), (Some(true), "10"));
    // One that is about no campaign is of no use.
    run.look(at(31.5), Look { cases: vec![case("case_0", false)], ..standing(&accounts("c", 10)) });
    assert_eq!(run.reached(Milestone::Case), None);
    run.look(at(32.0), Look { cases: vec![case("case_1", true)], ..standing(&accounts("c", 10)) });
    let report = run.finish(told());
    let done = report.asked.iter().find(|asked| asked.inject == "todo").unwrap();
    assert_eq!((done.is_right, done.by.as_str()), (Some(true), "bob"));
    // Of four decisions the late one does not count.
    let score = report.score.as_ref().unwrap();
    let decisions = score.parts.iter().find(|part| part.name == "decisions").unwrap();
    assert_eq!(decisions.points, 15.0);
}

#[test]
fn whoever_is_honest_and_was_restricted_is_counted_also_where_it_was_taken_back() {
    let mut run = run("");
    for account in accounts("c", 10).iter().chain(&accounts("h", 20)) {
        run.sent(at(1.0), account, true);
    }
    let both: BTreeSet<String> = accounts("c", 8).into_iter().chain(accounts("h", 2)).collect();
    run.look(at(10.0), standing(&both));
    // Nobody notices these.
    run.look(at(11.0), responded(standing(&both), "observe", true, both.clone()));
    assert_eq!(run.reached(Milestone::Restricted), None);
    run.look(at(12.0), responded(standing(&both), "shield", true, both.clone()));
    run.look(at(13.0), responded(standing(&both), "shield", false, BTreeSet::new()));
    assert!(run.reached(Milestone::Undone).is_some());
    let report = run.finish(told());
    assert_eq!((report.accounts.wronged, report.accounts.wronged_at_the_end), (2, 0));
    assert_eq!(report.accounts.wronged_named[0].until.unwrap().seconds, 13.0);
    assert_eq!((report.accounts.campaign, report.accounts.restricted), (10, 0));
    let score = report.score.unwrap();
    let honest = score.parts.iter().find(|part| part.name == "honest accounts are left alone").unwrap();
    assert_eq!((honest.points, honest.of), (24.0, 30.0));
}

#[test]
fn whoever_is_honest_and_is_refused_without_a_response_is_counted_too() {
    let mut run = run("");
    run.sent(at(1.0), "h1", true);
    run.sent(at(2.0), "h2", false);
    run.sent(at(3.0), "h1", false);
    run.look(at(4.0), Look::default());
    run.sent(at(5.0), "h2", true);
    let told: Vec<&str> = run.timeline().iter().map(|line| line.what.as_str()).collect();
    assert_eq!(told, ["requests of 2 honest accounts are refused, who were answered before"]);
    let report = run.finish(self::told());
    assert_eq!((report.accounts.wronged, report.accounts.wronged_at_the_end), (2, 1));
    assert_eq!(report.accounts.wronged_named[0].rung, "refused");
}

#[test]
fn what_is_told_line_by_line_and_by_name_has_an_end_and_the_rest_is_counted() {
    let told = |alerts: usize| {
        let mut run = run("");
        (0..alerts).for_each(|_| run.alerted(at(1.0)));
        let report = run.finish(self::told());
        (report.timeline.len(), report.untold)
    };
    assert_eq!((told(TIMELINE_MAX), told(TIMELINE_MAX + 1)), ((TIMELINE_MAX, 0), (TIMELINE_MAX, 1)));
    let named = |count: usize| {
        let exercise = Exercise::read(&exercise("")).unwrap();
        let truth = Truth { honest: accounts("h", count), ..Truth::default() };
        let mut run = Run::begin(exercise, Difficulty::Easy, truth, 600.0);
        accounts("h", count).iter().for_each(|account| run.sent(at(1.0), account, false));
        let accounts = run.finish(self::told()).accounts;
        (accounts.wronged_named.len(), accounts.wronged)
    };
    assert_eq!(named(WRONGED_NAMED_MAX), (WRONGED_NAMED_MAX, WRONGED_NAMED_MAX as u64));
    assert_eq!(named(WRONGED_NAMED_MAX + 1), (WRONGED_NAMED_MAX, WRONGED_NAMED_MAX as u64 + 1));
}

#[test]
fn a_campaign_is_detected_once_most_of_its_members_are_and_what_is_to_be_contained_is_done_when_it_is() {
    let mut run = run(&inject("stop", "[inject.ask]\nwhy = ''\nquestion.do = 'contained'"));
    arrived(&mut run, 0.0);
    let most_honest: BTreeSet<String> = accounts("c", 2).into_iter().chain(accounts("h", 5)).collect();
    run.look(at(1.0), standing(&most_honest));
    assert_eq!(run.reached(Milestone::Detected), None);
    run.look(at(2.0), standing(&accounts("c", 8)));
    assert_eq!(run.reached(Milestone::Detected).unwrap().seconds, 2.0);
    (0..40).for_each(|_| run.sent(at(3.0), "c1", false));
    assert_eq!(run.finish(told()).asked[0].is_right, Some(true));
}

#[test]
fn a_drill_that_takes_less_time_goes_faster_and_nobody_is_asked_for_longer_than_it_takes() {
    let words = "delay = 5\n[inject.ask]\nwhy = ''\nminutes = 4\nquestion = 'words'";
    let exercise = Exercise::read(&exercise(&inject("a", words))).unwrap();
    // Written for 10 minutes, held in 2.
    let mut run = Run::begin(exercise, Difficulty::Easy, Truth::default(), 120.0);
    assert!(arrived(&mut run, 59.9).is_empty());
    assert_eq!(arrived(&mut run, 60.0), ["a"]);
    let first = run.arrived()[0].clone();
    assert_eq!(run.deadline(&first), Some(60.0 + 48.0));
    let late = Arrived { at: Moment { seconds: 230.0, ..first.at }, ..first };
    assert_eq!(run.deadline(&late), Some(120.0 + ANSWER_SECONDS));
}

#[test]
fn a_campaign_is_contained_where_next_to_nothing_is_answered_and_no_longer_once_it_comes_back() {
    let mut run = run("");
    let mut second = 0.0;
    let mut send = |run: &mut Run, count: usize, is_answered: bool| {
        for _ in 0..count {
            second += 0.1;
            run.sent(at(second), "c1", is_answered);
        }
    };
    send(&mut run, 40, true);
    send(&mut run, 35, false);
    assert_eq!(run.reached(Milestone::Contained), None);
    send(&mut run, 1, false);
    // Since the first of them that was refused.
    let since = run.reached(Milestone::Contained).unwrap().seconds;
    assert!((since - 4.1).abs() < 0.01, "{since}");
    send(&mut run, 15, true);
    assert!(run.reached(Milestone::Contained).is_some());
    send(&mut run, 10, true);
    assert_eq!(run.reached(Milestone::Contained), None);
    let report = run.finish(told());
    assert_eq!((report.times.contained, report.times.reopened), (None, 1));
    let slices = &report.exchanges.slices;
    assert_eq!(slices.iter().map(|slice| slice.campaign_answered + slice.campaign_refused).sum::<u64>(), 101);
}

#[test]
fn what_is_not_noticed_in_time_is_a_fault() {
    let report = |detected: f64, alerted: f64, honest: bool| -> Report {
        let mut run = run("");
        for second in 0..100 {
            let now = at(f64::from(second));
            run.sent(now, "c1", true);
            run.sent(now, "h1", honest);
            if f64::from(second) == detected {
                let named = if honest {
                    accounts("c", 10)
                } else {
                    accounts("c", 10).into_iter().chain(accounts("h", 1)).collect()
                };
                run.look(now, standing(&named));
            }
            if f64::from(second) == alerted {
                run.alerted(now);
            }
        }
        run.finish(told())
    };
    assert_eq!(report(24.0, 29.0, true).faults(0.25, 5.0), Vec::<String>::new());
    let late = report(25.0, 31.0, true).faults(0.25, 5.0);
    assert!(late[0].contains("when 26 % of its exchanges had been sent, and 25 % were allowed"), "{late:?}");
    assert!(late[1].contains("0:06 after detection"), "{late:?}");
    assert_eq!(report(-1.0, -1.0, true).faults(0.25, 5.0), ["detection did not name the campaign"]);
    assert_eq!(report(1.0, -1.0, true).faults(0.25, 5.0), ["no alert told of the campaign"]);
    let touched = report(1.0, 2.0, false).faults(0.25, 5.0);
    assert_eq!(touched, ["1 honest accounts are named", "100 of 100 exchanges of honest accounts were refused"]);
}

#[test]
fn points_are_given_for_what_was_measured_only() {
    let report = |is_detected: bool| -> Report {
        let mut run = run("");
        if is_detected {
            run.look(at(1.0), standing(&accounts("c", 10)));
        }
        for at_second in 0..100 {
            run.sent(at(f64::from(at_second)), "c1", at_second < 25);
        }
        run.finish(told())
    };
    let (seen, unseen) = (report(true), report(false));
    // 30 of 40 for what was stopped, and 30 of 30 for leaving others alone.
    assert_eq!(seen.score.as_ref().unwrap().points, 86);
    // What was not detected nobody could stop: there are no points, and that is said.
    assert_eq!(unseen.score, None);
    assert!(unseen.remarks()[0].starts_with("Detection did not name the campaign"));
    assert!(seen.text().contains("86 of 100 points"), "{}", seen.text());
    let again: Report = serde_json::from_str(&serde_json::to_string(&seen).unwrap()).unwrap();
    assert_eq!(again, seen);
    assert!(again.is_known());
}
