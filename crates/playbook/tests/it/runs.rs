//! Playbooks that are read and walked through.

use exchange::Time;
use playbook::limits::{COMMANDS_MAX, NOTE_BYTES_MAX, PLAYBOOK_BYTES_MAX, STEPS_MAX};
use playbook::run::{Done, NotDone};
use playbook::{Outcome, Playbook, Run, StepKind, shipped};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn id(kind: &str, number: usize) -> String {
    format!("{kind}--00000000-0000-4000-8000-{number:012}")
}

fn action(then: &str) -> Value {
    json!({"type": "action", "name": "do", "commands": [{"type": "manual", "command": "it"}], "agent": id("individual", 1), "on_completion": then})
}

/// A playbook of some steps, which begins with the first.
fn written(steps: &[(String, Value)]) -> Value {
    let mut workflow: Map<String, Value> = steps.iter().cloned().collect();
    workflow.insert(id("start", 0), json!({"type": "start", "on_completion": steps[0].0}));
    json!({
        "type": "playbook", "spec_version": "cacao-2.0", "id": id("playbook", 1), "name": "p", "created_by": id("identity", 1),
        "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z", "workflow_start": id("start", 0), "workflow": workflow,
    })
}

fn read(steps: &[(String, Value)]) -> Result<Playbook, String> {
    Playbook::read(&written(steps).to_string()).map_err(|error| error.to_string())
}

fn end(number: usize) -> (String, Value) {
    (id("end", number), json!({"type": "end"}))
}

fn begun(playbook: &Playbook) -> Run {
    Run::begin(playbook, "run_1".to_owned(), None, "ann".to_owned(), Time::from_nanos(0))
}

fn done(step: &str, outcome: Outcome) -> Done {
    Done { step: step.to_owned(), outcome, by: "ann".to_owned(), at: Time::from_nanos(1), note: String::new() }
}

#[test]
fn those_that_are_shipped_are_walked_to_an_end_whatever_is_decided() {
    assert_eq!(shipped::all().len(), 3);
    for (name, playbook) in shipped::all() {
        for answer in [Outcome::Done, Outcome::Failed] {
            let mut run = begun(&playbook);
            for _ in 0..100 {
                let Some(next) = run.next().first().map(|step| (*step).to_owned()) else { break };
                let is_question = matches!(playbook.step(&next).unwrap().kind, StepKind::Condition { .. });
                run.step(&playbook, done(&next, if is_question { answer } else { Outcome::Done })).unwrap();
            }
            assert!(run.is_over() && run.done.len() >= 3, "{name}: {:?}", run.next());
        }
        assert!(shipped::text(name).is_some_and(|text| Playbook::read(text).is_ok()));
    }
}

#[test]
fn what_runs_at_once_is_all_done_before_what_comes_after() {
    let [a, b, after] = [1, 2, 3].map(|number| id("action", number));
    let parallel = id("parallel", 1);
    let steps = [
        (parallel.clone(), json!({"type": "parallel", "next_steps": [a, b], "on_completion": after})),
        (a.clone(), action(&id("end", 1))),
        (b.clone(), action(&id("end", 2))),
        (after.clone(), action(&id("end", 3))),
        end(1),
        end(2),
        end(3),
    ];
    let playbook = read(&steps).unwrap();
    let mut run = begun(&playbook);
    assert_eq!(run.next(), [a.as_str(), b.as_str()]);
    assert_eq!(run.step(&playbook, done(&after, Outcome::Done)), Err(NotDone::NotNow(after.clone())));
    run.step(&playbook, done(&b, Outcome::Done)).unwrap();
    assert_eq!(run.next(), [a.as_str()]);
    assert_eq!(run.step(&playbook, done(&b, Outcome::Done)), Err(NotDone::NotNow(b)), "it is done");
    // Written and read again it goes on.
    let text = serde_json::to_string(&run).unwrap();
    let mut run: Run = serde_json::from_str(&text).unwrap();
    assert!(run.is_known());
    run.step(&playbook, done(&a, Outcome::Done)).unwrap();
    assert_eq!(run.next(), [after.as_str()]);
    run.step(&playbook, done(&after, Outcome::Done)).unwrap();
    assert!(run.is_over());
}

#[test]
fn a_decision_and_a_failure_lead_elsewhere() {
    let [work, mend] = [1, 2].map(|number| id("action", number));
    let question = id("if-condition", 1);
    let steps = [
        (
            question.clone(),
            json!({"type": "if-condition", "condition": "is it?", "on_true": work, "on_false": id("end", 1)}),
        ),
        (
            work.clone(),
            json!({"type": "action", "commands": [{"type": "manual"}], "on_success": id("end", 2), "on_failure": mend}),
        ),
        (mend.clone(), action(&id("end", 2))),
        end(1),
        end(2),
    ];
    let playbook = read(&steps).unwrap();
    let walk = |answers: &[(&str, Outcome)]| {
        let mut run = begun(&playbook);
        answers.iter().for_each(|(step, outcome)| run.step(&playbook, done(step, *outcome)).unwrap());
        run.next().iter().map(|step| (*step).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(walk(&[(&question, Outcome::Failed)]), Vec::<String>::new());
    assert_eq!(walk(&[(&question, Outcome::Done)]), [work.as_str()]);
    assert_eq!(walk(&[(&question, Outcome::Done), (&work, Outcome::Done)]), Vec::<String>::new());
    assert_eq!(walk(&[(&question, Outcome::Done), (&work, Outcome::Failed)]), [mend.as_str()]);
}

#[test]
fn a_playbook_that_cannot_be_walked_through_says_why() {
    let (work, other) = (id("action", 1), id("action", 2));
    for (steps, expected) in [
        (vec![(work.clone(), action(&id("end", 9))), end(1)], "which is not there"),
        (
            vec![(work.clone(), action(&id("end", 1))), (other.clone(), action(&id("end", 1))), end(1)],
            "1 steps are never come to",
        ),
        (vec![(work.clone(), action(&other)), (other.clone(), action(&work))], "no end is come to"),
        (
            vec![(id("while-condition", 1), json!({"type": "while-condition", "condition": "c", "on_true": "x"}))],
            "is of the type `while-condition`",
        ),
        (
            vec![(work.clone(), json!({"type": "action", "commands": [], "on_completion": id("end", 1)})), end(1)],
            "expected `commands`",
        ),
        (
            vec![(work.clone(), json!({"type": "action", "commands": [{"type": "manual"}]})), end(1)],
            "expected `on_completion` or `on_success`",
        ),
        (vec![("action--1".to_owned(), action(&id("end", 1))), end(1)], "expected an id of its type"),
    ] {
        let error = read(&steps).unwrap_err();
        assert!(error.contains(expected), "{expected}: {error}");
    }
    for (text, expected) in [("{", "EOF"), ("{}", "missing field"), (r#"{"type":1}"#, "invalid type")] {
        let error = Playbook::read(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
    let mut other = written(&[(work.clone(), action(&id("end", 1))), end(1)]);
    other["spec_version"] = json!("cacao-1.1");
    assert!(Playbook::read(&other.to_string()).unwrap_err().to_string().contains("cacao-2.0"));
}

#[test]
fn playbooks_and_runs_have_limits() {
    let chain = |count: usize| {
        let mut steps: Vec<(String, Value)> =
            (1..=count).map(|n| (id("action", n), action(&id("action", n + 1)))).collect();
        steps[count - 1].1["on_completion"] = json!(id("end", 1));
        steps.push(end(1));
        read(&steps)
    };
    // The start and the end count, too.
    assert!(chain(STEPS_MAX - 2).is_ok());
    assert!(chain(STEPS_MAX - 1).unwrap_err().contains("at most 500 steps"));
    let commands = |count: usize| {
        let mut step = action(&id("end", 1));
        step["commands"] = json!(vec![json!({"type": "manual"}); count]);
        read(&[(id("action", 1), step), end(1)])
    };
    assert!(commands(COMMANDS_MAX).is_ok());
    assert!(commands(COMMANDS_MAX + 1).unwrap_err().contains("at most 50 commands"));
    let text = written(&[(id("action", 1), action(&id("end", 1))), end(1)]).to_string();
    let padded = |bytes: usize| Playbook::read(&format!("{text}{}", " ".repeat(bytes - text.len())));
    assert!(padded(PLAYBOOK_BYTES_MAX).is_ok());
    assert!(padded(PLAYBOOK_BYTES_MAX + 1).unwrap_err().to_string().contains("at most 1048576 bytes"));
    let playbook = Playbook::read(&text).unwrap();
    let noted = |bytes: usize| {
        let note = "x".repeat(bytes);
        begun(&playbook).step(&playbook, Done { note, ..done(&id("action", 1), Outcome::Done) })
    };
    assert_eq!((noted(NOTE_BYTES_MAX), noted(NOTE_BYTES_MAX + 1)), (Ok(()), Err(NotDone::NoteTooLong)));
}

#[test]
fn what_runs_at_once_is_apart_and_a_circle_without_work_stands_still() {
    let (one, other, work) = (id("parallel", 1), id("parallel", 2), id("action", 1));
    let parallel =
        |branches: [&str; 2], then: &str| json!({"type": "parallel", "next_steps": branches, "on_completion": then});
    let (e1, e2) = (id("end", 1), id("end", 2));
    for steps in [
        vec![(one.clone(), parallel([&other, &e1], &e1)), (other.clone(), parallel([&one, &e1], &e1)), end(1)],
        vec![(one.clone(), parallel([&work, &work], &e1)), (work.clone(), action(&e1)), end(1)],
        vec![(one.clone(), parallel([&work, &e1], &e1)), (work.clone(), action(&one)), end(1)],
    ] {
        let error = read(&steps).unwrap_err();
        assert!(error.contains("two branches, or one and its beginning, lead to"), "{error}");
    }
    let circle =
        [(one.clone(), parallel([&e1, &e2], &other)), (other.clone(), parallel([&e1, &e2], &one)), end(1), end(2)];
    let run = begun(&read(&circle).unwrap());
    assert!(run.next().len() <= 2 && !run.is_over(), "{:?}", run.next());
}

proptest! {
    #[test]
    fn whatever_is_read_is_refused_or_walked_through(steps in prop::collection::vec((0_usize..5, 0_usize..6, 0_usize..6), 1..6), answers in prop::collection::vec(any::<bool>(), 30)) {
        let kinds = ["action", "if-condition", "parallel", "end", "action"];
        let name = |at: usize| steps.get(at).map_or_else(|| id("end", 99), |(kind, ..)| id(kinds[*kind], at));
        let mut all: Vec<(String, Value)> = steps.iter().enumerate().map(|(at, (kind, to, other))| {
            let (to, other) = (name(*to), name(*other));
            (name(at), match kinds[*kind] {
                "if-condition" => json!({"type": "if-condition", "condition": "c", "on_true": to, "on_false": other}),
                "parallel" => json!({"type": "parallel", "next_steps": [to, other], "on_completion": other}),
                "end" => json!({"type": "end"}),
                _ => json!({"type": "action", "commands": [{"type": "manual"}], "on_success": to, "on_failure": other}),
            })
        }).collect();
        all.push(end(99));
        if let Ok(playbook) = read(&all) {
            let mut run = begun(&playbook);
            for answer in answers {
                let Some(next) = run.next().first().map(|step| (*step).to_owned()) else { break };
                let outcome = if answer { Outcome::Done } else { Outcome::Failed };
                // What is to be done can be done, or nobody can do it and the run stands still.
                if run.step(&playbook, done(&next, outcome)).is_err() {
                    break;
                }
            }
        }
    }
}
