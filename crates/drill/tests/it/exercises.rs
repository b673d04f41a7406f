//! Exercises: those that come with the program, and those that cannot be.

use drill::exercise::{Difficulty, Exercise, Question, When};
use drill::limits::{
    EXERCISE_BYTES_MAX, INJECTS_MAX, MINUTES_MAX, NAME_BYTES_MAX, OPTIONS_MAX, SCALE_MAX, TEXT_BYTES_MAX,
};
use drill::shipped;
use proptest::prelude::*;

/// An exercise with these injects.
pub(crate) fn exercise(injects: &str) -> String {
    format!(
        "name = 'own'\ntitle = 'Own'\nteaches = 'x'\nminutes = 10\n[traffic.easy]\nscenario = 'hydra'\nscale = 0.1\n{injects}"
    )
}

pub(crate) fn inject(id: &str, rest: &str) -> String {
    format!("[[inject]]\nid = '{id}'\nfrom = 'Lead'\ntitle = 'T'\ntext = 'x'\n{rest}\n")
}

#[test]
fn those_that_come_with_the_program_can_be_read_and_have_every_difficulty_they_need() {
    let all = shipped::all();
    let names: Vec<&str> = all.iter().map(|exercise| exercise.name.as_str()).collect();
    assert_eq!(names, ["tutorial", "hydra", "failover", "four-requests", "reasoning", "false-alarm"]);
    for exercise in &all {
        assert_eq!(Exercise::read(shipped::text(&exercise.name).unwrap()).as_ref(), Ok(exercise));
        if exercise.is_tutorial {
            continue;
        }
        assert_eq!(exercise.difficulties().collect::<Vec<_>>(), Difficulty::ALL, "{}", exercise.name);
        for difficulty in Difficulty::ALL {
            let asks = exercise.injects(difficulty).filter(|inject| inject.ask.is_some()).count();
            assert!(asks >= 3, "{} {difficulty} asks {asks}", exercise.name);
        }
    }
}

#[test]
fn what_is_wrong_with_one_is_said_by_field() {
    let asks = |ask: &str| inject("a", &format!("[inject.ask]\nwhy = 'x'\n{ask}"));
    for (text, expected) in [
        ("name = 1".to_owned(), "invalid type"),
        (exercise("").replace("'own'", "'Own'"), "`name`: expected at most 100 lower-case letters"),
        (exercise("").replace("minutes = 10", "minutes = 0"), "`minutes`: expected more than 0"),
        (exercise("").replace("minutes = 10", "minutes = 1441"), "`minutes`: expected 0 to 1440"),
        (exercise("").replace("scale = 0.1", "scale = 0"), "`traffic.easy.scale`: expected more than 0"),
        (exercise("").replace("scale = 0.1", "scale = 0.1\nspeed = 2"), "unknown field `speed`"),
        (exercise("").replace("easy", "harder"), "unknown variant `harder`"),
        (exercise(&inject("a", "when = 'soon'")), "`soon`: expected begin, detected,"),
        (exercise(&inject("a", "when = 'traffic:2'")), "traffic:SHARE with a share from 0 to 1"),
        (exercise(&inject("a", "when = 'answered:b'")), "inject 1 (a): when`: there is no inject `b`"),
        (exercise(&(inject("a", "") + &inject("a", ""))), "inject 2 (a): id`: another inject has it"),
        (exercise(&asks("question = 'sing'")), "unknown variant `sing`"),
        (exercise(&asks("question.choice = { options = ['a', 'b'], right = [3] }")), "expected numbers of options"),
        (exercise(&asks("question.choice = { options = ['a'], right = [1] }")), "expected 2 to 20"),
        (exercise(&asks("question.number = { fact = 'members', within = 2 }")), "ask.within`: expected 0 to 1"),
        (exercise(&asks("question.do = 'dance'")), "unknown variant `dance`"),
    ] {
        let error = Exercise::read(&text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}\n{error}\nexpected {expected}");
    }
}

#[test]
fn limits_hold_and_what_is_over_them_is_refused() {
    let many = |count: usize| exercise(&(0..count).map(|at| inject(&format!("a{at}"), "")).collect::<String>());
    assert!(Exercise::read(&many(INJECTS_MAX)).is_ok());
    assert!(Exercise::read(&many(INJECTS_MAX + 1)).unwrap_err().to_string().contains("at most 100"));
    let options = |count: usize| {
        let ask =
            format!("[inject.ask]\nwhy = ''\nquestion.choice = {{ options = {:?}, right = [1] }}", vec!["o"; count]);
        exercise(&inject("a", &ask))
    };
    assert!(Exercise::read(&options(OPTIONS_MAX)).is_ok());
    assert!(Exercise::read(&options(OPTIONS_MAX + 1)).is_err());
    let title = |length: usize| exercise("").replace("title = 'Own'", &format!("title = '{}'", "x".repeat(length)));
    assert!(Exercise::read(&title(TEXT_BYTES_MAX)).is_ok());
    assert!(Exercise::read(&title(TEXT_BYTES_MAX + 1)).unwrap_err().to_string().contains("`title`: expected at most"));
    let with = |from: &str, to: String| Exercise::read(&exercise("").replace(from, &to)).is_ok();
    assert!(with("minutes = 10", format!("minutes = {MINUTES_MAX}")));
    assert!(!with("minutes = 10", format!("minutes = {}", MINUTES_MAX + 1.0)));
    assert!(with("scale = 0.1", format!("scale = {SCALE_MAX}")));
    assert!(!with("scale = 0.1", format!("scale = {}", SCALE_MAX + 1.0)));
    assert!(with("'own'", format!("'{}'", "o".repeat(NAME_BYTES_MAX))));
    assert!(!with("'own'", format!("'{}'", "o".repeat(NAME_BYTES_MAX + 1))));
    let padded = |length: usize| {
        let text = exercise("");
        format!("{text}{}", "#".repeat(length - text.len()))
    };
    assert!(Exercise::read(&padded(EXERCISE_BYTES_MAX)).is_ok());
    assert!(Exercise::read(&padded(EXERCISE_BYTES_MAX + 1)).is_err());
}

#[test]
fn what_an_inject_waits_for_is_read() {
    let text =
        exercise(&(inject("a", "[inject.ask]\nwhy = ''\nquestion = 'words'") + &inject("b", "when = 'answered:a'")));
    let exercise = Exercise::read(&text).unwrap();
    let injects: Vec<_> = exercise.injects(Difficulty::Easy).collect();
    assert_eq!(injects[0].ask.as_ref().unwrap().question, Question::Words);
    assert_eq!(injects[1].when, When::Answered("a".to_owned()));
}

proptest! {
    #[test]
    fn no_text_at_all_makes_it_panic(text in ".{0,400}") {
        let _ = Exercise::read(&text);
        let _ = Exercise::read(&exercise(&text));
        let _ = Exercise::read(&exercise(&inject("a", &text)));
    }
}
