//! Playbooks as CACAO 2.0 (OASIS) writes them: steps that lead to others, each with what is to be done.
//!
//! Reads what people walk through: steps of the types start, end, action, if-condition and parallel. What else there is in CACAO is refused by its
//! name, since a step that is passed over unsaid would be a step that nobody does.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::limits::{COMMANDS_MAX, PLAYBOOK_BYTES_MAX, STEPS_MAX};

const VERSION: &str = "cacao-2.0";

/// A playbook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Playbook {
    /// `playbook--` and a UUID.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// When it was last changed: its version.
    pub modified: String,
    /// The step that it begins with.
    start: String,
    steps: BTreeMap<String, Step>,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it is called.
    pub name: String,
    /// What it is about.
    pub description: String,
    /// What is to be done, or asked.
    pub kind: StepKind,
}

/// What kind of step it is, and where it leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// It begins.
    Start {
        /// The first step.
        then: String,
    },
    /// It ends.
    End,
    /// Somebody does something.
    Action {
        /// What.
        commands: Vec<Command>,
        /// The step after it.
        then: String,
        /// The step after it where it fails; the same where that is not told.
        otherwise: String,
    },
    /// Somebody decides.
    Condition {
        /// What is asked.
        condition: String,
        /// The step after yes.
        yes: String,
        /// The step after no.
        no: String,
    },
    /// Several things at once.
    Parallel {
        /// The first step of each.
        branches: Vec<String>,
        /// The step once all have ended.
        then: String,
    },
}

/// What is to be done in a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// `manual`, `bash` and others. Nothing of it is run.
    #[serde(rename = "type")]
    pub kind: String,
    /// What.
    #[serde(default)]
    pub command: String,
    /// About it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
}

/// Why something is no playbook that can be walked through.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no playbook that can be walked through: {0}")]
pub struct BadPlaybook(String);

#[derive(Deserialize)]
struct Written {
    #[serde(rename = "type")]
    kind: String,
    spec_version: String,
    id: String,
    name: String,
    #[serde(default)]
    description: String,
    modified: String,
    workflow_start: String,
    workflow: BTreeMap<String, WrittenStep>,
}

#[derive(Deserialize)]
struct WrittenStep {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    description: String,
    on_completion: Option<String>,
    on_success: Option<String>,
    on_failure: Option<String>,
    on_true: Option<String>,
    on_false: Option<String>,
    condition: Option<String>,
    next_steps: Option<Vec<String>>,
    commands: Option<Vec<Command>>,
    #[serde(flatten)]
    _rest: BTreeMap<String, Value>,
}

impl Playbook {
    /// Reads one.
    ///
    /// # Errors
    ///
    /// Says what is wrong with it, and in which step.
    pub fn read(text: &str) -> Result<Playbook, BadPlaybook> {
        let bad = |why: String| BadPlaybook(why);
        if text.len() > PLAYBOOK_BYTES_MAX {
            return Err(bad(format!("expected at most {PLAYBOOK_BYTES_MAX} bytes")));
        }
        let written: Written = serde_json::from_str(text).map_err(|error| bad(error.to_string()))?;
        if written.kind != "playbook" || written.spec_version != VERSION {
            return Err(bad(format!("expected `\"type\": \"playbook\"` and `\"spec_version\": \"{VERSION}\"`")));
        }
        if !is_id(&written.id, "playbook") {
            return Err(bad("expected an id of `playbook--` and a UUID".to_owned()));
        }
        if written.workflow.len() > STEPS_MAX {
            return Err(bad(format!("expected at most {STEPS_MAX} steps")));
        }
        let steps = written.workflow.into_iter().map(|(id, step)| Ok((id.clone(), read_step(&id, step)?)));
        let playbook = Playbook {
            id: written.id,
            name: written.name,
            description: written.description,
            modified: written.modified,
            start: written.workflow_start,
            steps: steps.collect::<Result<_, BadPlaybook>>()?,
        };
        playbook.check()?;
        Ok(playbook)
    }

    /// The step that it begins with.
    #[must_use]
    pub fn start(&self) -> &str {
        &self.start
    }

    /// A step, by its id.
    #[must_use]
    pub fn step(&self, id: &str) -> Option<&Step> {
        self.steps.get(id)
    }

    /// Every step, with its id, in the order in which one comes to it.
    #[must_use]
    pub fn in_order(&self) -> Vec<(&str, &Step)> {
        let (mut seen, mut order, mut waiting) = (BTreeSet::new(), Vec::new(), vec![self.start.as_str()]);
        while let Some(id) = waiting.pop() {
            let Some((id, step)) = self.steps.get_key_value(id) else { continue };
            if seen.insert(id.as_str()) {
                order.push((id.as_str(), step));
                waiting.extend(step.kind.leads_to().into_iter().rev());
            }
        }
        order
    }

    /// The steps that one comes to from one, itself among them, but for ends.
    fn from(&self, id: &str) -> BTreeSet<&str> {
        let (mut seen, mut waiting) = (BTreeSet::new(), vec![id]);
        while let Some(id) = waiting.pop() {
            let Some((id, step)) = self.steps.get_key_value(id) else { continue };
            if step.kind != StepKind::End && seen.insert(id.as_str()) {
                waiting.extend(step.kind.leads_to());
            }
        }
        seen
    }

    /// That what runs at once is apart: no branch leads back to where it began or into another. Otherwise the same step would be to be done twice,
    /// and again and again.
    fn check_branches(&self) -> Result<(), BadPlaybook> {
        for (id, step) in &self.steps {
            let StepKind::Parallel { branches, .. } = &step.kind else { continue };
            let mut seen = BTreeSet::from([id.as_str()]);
            for branch in branches {
                for within in self.from(branch) {
                    if !seen.insert(within) {
                        return Err(BadPlaybook(format!(
                            "of the step `{id}` two branches, or one and its beginning, lead to `{within}`"
                        )));
                    }
                }
            }
        }
        Ok(())
    }

    /// That every step is there, leads somewhere, is come to, and that one comes to an end from each.
    fn check(&self) -> Result<(), BadPlaybook> {
        let bad = |why: String| Err(BadPlaybook(why));
        if !self.steps.get(&self.start).is_some_and(|step| matches!(step.kind, StepKind::Start { .. })) {
            return bad("`workflow_start` names no step of the type start".to_owned());
        }
        for (id, step) in &self.steps {
            if let Some(missing) = step.kind.leads_to().into_iter().find(|to| !self.steps.contains_key(*to)) {
                return bad(format!("the step `{id}` leads to `{missing}`, which is not there"));
            }
        }
        self.check_branches()?;
        let reached = self.in_order().len();
        if reached < self.steps.len() {
            return bad(format!("{} steps are never come to", self.steps.len() - reached));
        }
        // From the ends backwards.
        let mut ending: BTreeSet<&str> =
            self.steps.iter().filter(|(_, step)| step.kind == StepKind::End).map(|(id, _)| id.as_str()).collect();
        loop {
            let before = ending.len();
            for (id, step) in &self.steps {
                if step.kind.leads_to().into_iter().any(|to| ending.contains(to)) {
                    ending.insert(id);
                }
            }
            if ending.len() == before {
                break;
            }
        }
        match self.steps.keys().find(|id| !ending.contains(id.as_str())) {
            Some(id) => bad(format!("from the step `{id}` no end is come to")),
            None => Ok(()),
        }
    }
}

impl StepKind {
    /// The steps that it leads to.
    #[must_use]
    pub fn leads_to(&self) -> Vec<&str> {
        match self {
            StepKind::Start { then } => vec![then],
            StepKind::End => Vec::new(),
            StepKind::Action { then, otherwise, .. } => vec![then, otherwise],
            StepKind::Condition { yes, no, .. } => vec![yes, no],
            StepKind::Parallel { branches, then } => branches.iter().chain([then]).map(String::as_str).collect(),
        }
    }
}

fn read_step(id: &str, step: WrittenStep) -> Result<Step, BadPlaybook> {
    let WrittenStep {
        kind,
        name,
        description,
        on_completion,
        on_success,
        on_failure,
        on_true,
        on_false,
        condition,
        next_steps,
        commands,
        ..
    } = step;
    let missing = |what: &str| BadPlaybook(format!("the step `{id}`: expected `{what}`"));
    if !is_id(id, &kind) {
        return Err(BadPlaybook(format!("the step `{id}`: expected an id of its type, `--` and a UUID")));
    }
    let kind = match kind.as_str() {
        "start" => StepKind::Start { then: on_completion.ok_or_else(|| missing("on_completion"))? },
        "end" => StepKind::End,
        "action" => {
            let commands = commands.filter(|commands| !commands.is_empty()).ok_or_else(|| missing("commands"))?;
            if commands.len() > COMMANDS_MAX {
                return Err(BadPlaybook(format!("the step `{id}`: expected at most {COMMANDS_MAX} commands")));
            }
            let then = on_completion.or(on_success).ok_or_else(|| missing("on_completion` or `on_success"))?;
            let otherwise = on_failure.unwrap_or_else(|| then.clone());
            StepKind::Action { commands, then, otherwise }
        }
        "if-condition" => StepKind::Condition {
            condition: condition.ok_or_else(|| missing("condition"))?,
            yes: on_true.ok_or_else(|| missing("on_true"))?,
            no: on_false.or(on_completion).ok_or_else(|| missing("on_false"))?,
        },
        "parallel" => {
            let branches = next_steps.filter(|branches| branches.len() >= 2).ok_or_else(|| missing("next_steps"))?;
            StepKind::Parallel { branches, then: on_completion.ok_or_else(|| missing("on_completion"))? }
        }
        other => {
            return Err(BadPlaybook(format!(
                "the step `{id}` is of the type `{}`; start, end, action, if-condition and parallel can be walked through",
                other.escape_debug()
            )));
        }
    };
    Ok(Step { name, description, kind })
}

/// Whether a text is an id of a kind: the kind, `--` and a UUID.
fn is_id(text: &str, kind: &str) -> bool {
    let Some(uuid) = text.strip_prefix(kind).and_then(|rest| rest.strip_prefix("--")) else { return false };
    uuid.len() == 36
        && uuid
            .bytes()
            .enumerate()
            .all(|(at, byte)| if matches!(at, 8 | 13 | 18 | 23) { byte == b'-' } else { byte.is_ascii_hexdigit() })
}
