//! An exercise: which traffic runs at which difficulty, and what arrives when.
//!
//! Promises that an exercise that is read keeps to its limits, names no inject that is not there, and waits for none that comes after itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::limits::{
    EXERCISE_BYTES_MAX, INJECTS_MAX, MINUTES_MAX, NAME_BYTES_MAX, OPTIONS_MAX, SCALE_MAX, TEXT_BYTES_MAX,
};

/// An exercise.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exercise {
    /// What it is called on the command line.
    pub name: String,
    /// What it is called in reports.
    pub title: String,
    /// Which published incident it is made after, if it is.
    #[serde(default)]
    pub source: String,
    /// What those who take part learn.
    pub teaches: String,
    /// How long it takes, unless somebody says otherwise.
    pub minutes: f64,
    /// Whether it goes on only as the player does, and is not scored.
    #[serde(default)]
    pub is_tutorial: bool,
    /// Whether nobody takes part.
    #[serde(skip)]
    pub is_unattended: bool,
    traffic: BTreeMap<Difficulty, Traffic>,
    #[serde(default, rename = "inject")]
    injects: Vec<Inject>,
}

/// How hard an exercise is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Difficulty {
    /// The campaign is plain, and nothing else happens.
    Easy,
    /// The campaign takes some care, and others want something.
    Medium,
    /// The campaign hides or comes back, and others press for what is wrong.
    Hard,
}

impl Difficulty {
    /// All of them, easiest first.
    pub const ALL: [Difficulty; 3] = [Difficulty::Easy, Difficulty::Medium, Difficulty::Hard];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Difficulty::Easy => "easy",
            Difficulty::Medium => "medium",
            Difficulty::Hard => "hard",
        }
    }
}

impl fmt::Display for Difficulty {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// The traffic of an exercise: a scenario of the simulator.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Traffic {
    /// Which scenario.
    pub scenario: String,
    /// By how much its numbers of accounts are multiplied.
    pub scale: f64,
    /// Its settings, by name.
    #[serde(default)]
    pub set: BTreeMap<String, String>,
    /// Whether half of the campaign's accounts wait, and go on with its work once the others are stopped.
    #[serde(default)]
    pub has_reserve: bool,
}

/// Something that arrives while the campaign runs.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inject {
    /// What other injects call it by.
    pub id: String,
    /// Who says it.
    pub from: String,
    /// What it is about.
    pub title: String,
    /// What is said, in paragraphs.
    pub text: String,
    /// What it waits for.
    #[serde(default)]
    pub when: When,
    /// How many minutes it comes after that.
    #[serde(default)]
    pub delay: f64,
    /// At which difficulties it arrives; at all of them where none is named.
    #[serde(default)]
    pub at: BTreeSet<Difficulty>,
    /// What is asked.
    #[serde(default)]
    pub ask: Option<Ask>,
}

/// What an inject waits for.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub enum When {
    /// Nothing.
    #[default]
    Begin,
    /// Something that happens.
    Milestone(Milestone),
    /// An inject that was answered, or what it asks for was done.
    Answered(String),
    /// A share of the traffic's time, from 0 to 1.
    Traffic(f64),
}

/// Something that happens in a drill and that others wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Milestone {
    /// Detection names the campaign.
    Detected,
    /// An alert tells of it.
    Alerted,
    /// Somebody opens a case.
    Case,
    /// Somebody says what a finding is.
    Verdict,
    /// A response restricts accounts.
    Restricted,
    /// A response blocks accounts.
    Blocked,
    /// A response is taken back.
    Undone,
    /// An appeal is decided.
    AppealDecided,
    /// Next to nothing of the campaign is answered any more.
    Contained,
}

impl Milestone {
    /// All of them.
    pub const ALL: [Milestone; 9] = [
        Milestone::Detected,
        Milestone::Alerted,
        Milestone::Case,
        Milestone::Verdict,
        Milestone::Restricted,
        Milestone::Blocked,
        Milestone::Undone,
        Milestone::AppealDecided,
        Milestone::Contained,
    ];

    /// Its name in exercises.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Milestone::Detected => "detected",
            Milestone::Alerted => "alerted",
            Milestone::Case => "case",
            Milestone::Verdict => "verdict",
            Milestone::Restricted => "restricted",
            Milestone::Blocked => "blocked",
            Milestone::Undone => "undone",
            Milestone::AppealDecided => "appeal_decided",
            Milestone::Contained => "contained",
        }
    }
}

impl TryFrom<String> for When {
    type Error = String;

    fn try_from(text: String) -> Result<When, String> {
        text.parse()
    }
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<When, String> {
        let milestone = Milestone::ALL.into_iter().find(|milestone| milestone.name() == text);
        let share = |share: &str| share.parse().ok().filter(|share| (0.0..=1.0).contains(share)).map(When::Traffic);
        let known = match text.split_once(':') {
            None if text == "begin" => Some(When::Begin),
            None => milestone.map(When::Milestone),
            Some(("answered", id)) => Some(When::Answered(id.to_owned())),
            Some(("traffic", part)) => share(part),
            Some(_) => None,
        };
        known.ok_or_else(|| {
            let milestones = Milestone::ALL.map(Milestone::name).join(", ");
            format!(
                "`{text}`: expected begin, {milestones}, answered:INJECT, or traffic:SHARE with a share from 0 to 1"
            )
        })
    }
}

/// What an inject asks.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// What is asked.
    pub question: Question,
    /// What is said once it is answered: why what is right is right.
    pub why: String,
    /// Within how many minutes it has to be answered to count.
    #[serde(default)]
    pub minutes: Option<f64>,
    /// What it counts as.
    #[serde(default)]
    pub counts_as: Counts,
}

/// A question.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Question {
    /// One of several.
    Choice {
        /// What there is to choose from.
        options: Vec<String>,
        /// Which of them are right, by their numbers from 1.
        right: BTreeSet<usize>,
    },
    /// A number that the console shows.
    Number {
        /// Which.
        fact: Fact,
        /// How far off it may be, as a share of what is right.
        within: f64,
    },
    /// Something to be done in the console or on the command line.
    Do(Milestone),
    /// Words, which people read afterwards.
    Words,
}

/// A number that the console shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// Accounts that detection names as members of the campaign, at that moment.
    Members,
    /// Campaigns that stand, at that moment.
    Campaigns,
}

/// What an answer counts as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counts {
    /// A decision.
    #[default]
    Decision,
    /// Others being told.
    Notification,
    /// Nothing: it is kept for the report.
    Nothing,
}

/// Why an exercise is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadExercise {
    /// It is longer than any exercise.
    #[error("expected at most {EXERCISE_BYTES_MAX} bytes")]
    TooLong,
    /// It is no exercise.
    #[error("{0}")]
    Form(String),
    /// Something in it cannot be.
    #[error("`{field}`: {message}")]
    Field {
        /// Where.
        field: String,
        /// What was expected.
        message: String,
    },
}

fn bad(field: impl Into<String>, message: impl Into<String>) -> BadExercise {
    BadExercise::Field { field: field.into(), message: message.into() }
}

impl Exercise {
    /// Reads one.
    ///
    /// # Errors
    ///
    /// Says which field cannot be, and what was expected.
    pub fn read(text: &str) -> Result<Exercise, BadExercise> {
        if text.len() > EXERCISE_BYTES_MAX {
            return Err(BadExercise::TooLong);
        }
        let exercise: Exercise = toml::from_str(text).map_err(|error| BadExercise::Form(error.to_string()))?;
        exercise.check()?;
        Ok(exercise)
    }

    /// The same traffic, at which nothing arrives and nobody is asked.
    #[must_use]
    pub fn unattended(self) -> Exercise {
        Exercise { injects: Vec::new(), is_unattended: true, ..self }
    }

    /// The traffic at a difficulty, if the exercise has it.
    #[must_use]
    pub fn traffic(&self, difficulty: Difficulty) -> Option<&Traffic> {
        self.traffic.get(&difficulty)
    }

    /// The difficulties that it has, easiest first.
    pub fn difficulties(&self) -> impl Iterator<Item = Difficulty> + '_ {
        self.traffic.keys().copied()
    }

    /// What arrives at a difficulty.
    pub fn injects(&self, difficulty: Difficulty) -> impl Iterator<Item = &Inject> {
        self.injects.iter().filter(move |inject| inject.at.is_empty() || inject.at.contains(&difficulty))
    }

    fn check(&self) -> Result<(), BadExercise> {
        let is_name = |name: &str| {
            !name.is_empty()
                && name.len() <= NAME_BYTES_MAX
                && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        };
        let a_name = format!("expected at most {NAME_BYTES_MAX} lower-case letters, digits and hyphens");
        if !is_name(&self.name) {
            return Err(bad("name", a_name));
        }
        for (field, text) in [("title", &self.title), ("source", &self.source), ("teaches", &self.teaches)] {
            check_text(field, text)?;
        }
        check_minutes("minutes", self.minutes)?;
        if self.minutes <= 0.0 {
            return Err(bad("minutes", "expected more than 0"));
        }
        if self.traffic.is_empty() {
            return Err(bad("traffic", "expected [traffic.easy], [traffic.medium] or [traffic.hard]"));
        }
        for (difficulty, traffic) in &self.traffic {
            if !(traffic.scale > 0.0 && traffic.scale <= SCALE_MAX) {
                return Err(bad(
                    format!("traffic.{difficulty}.scale"),
                    format!("expected more than 0 and at most {SCALE_MAX}"),
                ));
            }
        }
        if self.injects.len() > INJECTS_MAX {
            return Err(bad("inject", format!("expected at most {INJECTS_MAX}")));
        }
        let (mut ids, mut asking) = (BTreeSet::new(), BTreeSet::new());
        for (at, inject) in self.injects.iter().enumerate() {
            let field = |name: &str| format!("inject {} ({}): {name}", at + 1, inject.id);
            if !is_name(&inject.id) {
                return Err(bad(field("id"), a_name));
            }
            if !ids.insert(inject.id.as_str()) {
                return Err(bad(field("id"), "another inject has it"));
            }
            if let When::Answered(id) = &inject.when
                && !asking.contains(id.as_str())
            {
                return Err(bad(field("when"), format!("there is no inject `{id}` that asks something before it")));
            }
            if inject.ask.is_some() {
                asking.insert(inject.id.as_str());
            }
            check_text(&field("from"), &inject.from)?;
            check_text(&field("title"), &inject.title)?;
            check_text(&field("text"), &inject.text)?;
            check_minutes(&field("delay"), inject.delay)?;
            inject.ask.iter().try_for_each(|ask| ask.check(&field))?;
        }
        Ok(())
    }
}

impl Ask {
    fn check(&self, field: &dyn Fn(&str) -> String) -> Result<(), BadExercise> {
        check_text(&field("ask.why"), &self.why)?;
        check_minutes(&field("ask.minutes"), self.minutes.unwrap_or_default())?;
        match &self.question {
            Question::Choice { options, right } => {
                if !(2..=OPTIONS_MAX).contains(&options.len()) {
                    return Err(bad(field("ask.options"), format!("expected 2 to {OPTIONS_MAX}")));
                }
                options.iter().try_for_each(|option| check_text(&field("ask.options"), option))?;
                if right.is_empty() || !right.iter().all(|number| (1..=options.len()).contains(number)) {
                    return Err(bad(field("ask.right"), "expected numbers of options, from 1"));
                }
                Ok(())
            }
            Question::Number { within, .. } if !(0.0..=1.0).contains(within) => {
                Err(bad(field("ask.within"), "expected 0 to 1"))
            }
            Question::Number { .. } | Question::Do(_) | Question::Words => Ok(()),
        }
    }
}

fn check_text(field: &str, text: &str) -> Result<(), BadExercise> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(bad(field, format!("expected at most {TEXT_BYTES_MAX} bytes")));
    }
    Ok(())
}

fn check_minutes(field: &str, minutes: f64) -> Result<(), BadExercise> {
    if !(0.0..=MINUTES_MAX).contains(&minutes) {
        return Err(bad(field, format!("expected 0 to {MINUTES_MAX}")));
    }
    Ok(())
}
