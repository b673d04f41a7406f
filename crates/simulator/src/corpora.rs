//! Text, arrivals and networks from a folder of corpora.
//!
//! Promises to read only the files that a scenario names, so that others can be kept aside for evaluation: by file,
//! never by row. Refuses a name it does not know, and a row that is not as expected, with file and line. Memory is
//! bounded by [`CORPUS_ROWS_MAX`](crate::limits::CORPUS_ROWS_MAX) a file. Rows are borrowed when records are made and end up nowhere else.

mod rows;
mod tables;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use exchange::{Content, Message, Role};
use serde::Deserialize;

use rows::rows;

use crate::asked::Asked;
use crate::draw::{mix, shuffle, stream};
use crate::error::SimulateError;
use crate::network::World;
use crate::plan::{Account, Arrival, Capacity, Work};
use crate::scenario::{Harvest, Language, Scenario};

/// What was read of the corpora; nothing without a folder.
#[derive(Default)]
pub(crate) struct Corpora {
    people: Vec<Row>,
    product: Vec<Row>,
    jobs: Groups,
    exercises: Groups,
    benchmarks: Groups,
    systems: Vec<String>,
    campaigns: BTreeMap<Harvest, Vec<Row>>,
    /// The row of people that a conversation begins with, by account and session.
    given: BTreeMap<(u32, u32), usize>,
}

/// Rows that share a template, an exercise or a benchmark.
type Groups = Vec<Vec<Row>>;

/// One request and perhaps its answer.
struct Row {
    system: Option<String>,
    messages: Vec<(Role, String)>,
    answer: Option<String>,
}

/// What a file's rows are used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    People,
    Product,
    Jobs,
    Exercises,
    Benchmarks,
    Systems,
    Campaign(Harvest),
}

impl Corpora {
    /// Reads the texts that `scenario` names, or all that are open.
    pub(crate) fn read(folder: &Path, scenario: &Scenario) -> Result<Corpora, SimulateError> {
        let mut corpora = Corpora::default();
        for name in &scenario.texts {
            if !FILES.iter().any(|(file, _)| file == name) {
                return Err(SimulateError::UnknownText { name: name.clone() });
            }
        }
        let wanted = |file: &str| match scenario.texts.as_slice() {
            [] => file.starts_with("open/"),
            texts => texts.iter().any(|text| text == file),
        };
        for &(file, purpose) in FILES.iter().filter(|&&(file, _)| wanted(file)) {
            let path = folder.join(format!("{file}.jsonl.zst"));
            match purpose {
                Use::Systems => corpora.systems.extend(rows::<Pattern>(&path)?.into_iter().map(|row| row.system)),
                Use::People => corpora.people.extend(texts(&path)?.into_iter().map(|(row, _)| row)),
                Use::Product => corpora.product.extend(texts(&path)?.into_iter().map(|(row, _)| row)),
                Use::Jobs => group(&mut corpora.jobs, texts(&path)?),
                Use::Exercises => group(&mut corpora.exercises, texts(&path)?),
                Use::Benchmarks => group(&mut corpora.benchmarks, texts(&path)?),
                Use::Campaign(harvest) => {
                    let rows = texts(&path)?.into_iter().map(|(row, _)| row);
                    corpora.campaigns.entry(harvest).or_default().extend(rows);
                }
            }
        }
        shuffle(&mut stream(scenario.seed, &[PEOPLE]), &mut corpora.people);
        // A work list is worked through in no order that the files had.
        for (number, rows) in (1..).zip(corpora.campaigns.values_mut()) {
            shuffle(&mut stream(scenario.seed, &[PEOPLE, number]), rows);
        }
        if scenario.campaigns.iter().any(|campaign| campaign.harvest == Harvest::HumanPrompts) {
            // A campaign that harvests what people write takes half of it; nobody honest has the same text.
            let half = corpora.people.split_off(corpora.people.len() / 2);
            corpora.campaigns.entry(Harvest::HumanPrompts).or_default().extend(half);
        }
        Ok(corpora)
    }

    /// The world as the folder's tables describe it.
    pub(crate) fn world(folder: &Path, seed: u64) -> Result<World, SimulateError> {
        tables::read(folder, seed)
    }

    /// Gives every text that a person wrote to one conversation of one account.
    pub(crate) fn give(&mut self, accounts: &[Account], arrivals: &[Arrival]) {
        let mut rows = 0..self.people.len();
        for arrival in arrivals.iter().filter(|arrival| arrival.work == Work::Chat && arrival.turn == 0) {
            let english = accounts.get(arrival.account as usize).is_some_and(|a| a.language == Language::English);
            let key = (arrival.account, arrival.session);
            if english && !self.given.contains_key(&key) {
                let Some(row) = rows.next() else { break };
                self.given.insert(key, row);
            }
        }
    }

    /// How many items there are for each campaign.
    pub(crate) fn capacity(&self, scenario: &Scenario) -> Capacity {
        let rows = |harvest| self.campaigns.get(&harvest).map(|rows| rows.len() as u32).filter(|&rows| rows > 0);
        scenario.campaigns.iter().map(|campaign| rows(campaign.harvest)).collect()
    }

    /// The text of a request where the corpora have one for it, and own text where they have only a part.
    pub(crate) fn asked<'a>(
        &'a self,
        scenario: &Scenario,
        account: &Account,
        arrival: &Arrival,
        own: &dyn Fn(&Arrival) -> Asked<'a>,
    ) -> Asked<'a> {
        let item = u64::from(arrival.serial);
        let any = || mix(account.seed, &[item, arrival.session.into()]);
        let row = match arrival.work {
            Work::Chat => return self.conversation(arrival, own),
            Work::Agent(number) => {
                let mut asked = own(arrival);
                let system = at(&self.systems, number.into());
                asked.system = system.map(|system| Cow::Borrowed(system.as_str())).or(asked.system);
                return asked;
            }
            Work::Product(_) => at(&self.product, any()),
            Work::Batch(number) => at(&self.jobs, number.into()).and_then(|rows| at(rows, item)),
            Work::Class(number) => {
                at(&self.exercises, mix(scenario.seed, &[number.into(), item])).and_then(|rows| at(rows, any()))
            }
            Work::Benchmark(number) => at(&self.benchmarks, number.into()).and_then(|rows| at(rows, item)),
            Work::Campaign(number) => {
                let harvest = scenario.campaigns.get(number as usize).map(|campaign| campaign.harvest);
                harvest.and_then(|harvest| self.campaigns.get(&harvest)).and_then(|rows| at(rows, item))
            }
            Work::Coding | Work::Hackathon(_) | Work::LoadTest(_) | Work::Research(_) | Work::Habit(..) => None,
        };
        match row {
            Some(row) => row.asked(own(arrival)),
            None => own(arrival),
        }
    }

    /// A conversation that begins with a real text goes on with own ones.
    fn conversation<'a>(&'a self, arrival: &Arrival, own: &dyn Fn(&Arrival) -> Asked<'a>) -> Asked<'a> {
        let row = self.given.get(&(arrival.account, arrival.session)).and_then(|&row| self.people.get(row));
        let Some(row) = row else { return own(arrival) };
        let Some(turn) = arrival.turn.checked_sub(1) else { return row.asked(own(arrival)) };
        let opening = row.asked(own(&Arrival { turn: 0, ..*arrival }));
        let mut asked = own(&Arrival { turn, ..*arrival });
        let mut messages = opening.messages;
        messages.push(Message { role: Role::Assistant, content: Content::Text(opening.answer) });
        messages.append(&mut asked.messages);
        Asked { messages, ..asked }
    }
}

impl Row {
    /// The row as a request; `own` gives the answer where the row has none.
    fn asked<'a>(&'a self, own: Asked<'a>) -> Asked<'a> {
        let text = |text: &'a str| Content::Text(Cow::Borrowed(text));
        let answer = match &self.answer {
            Some(answer) => Cow::Borrowed(answer.as_str()),
            None => own.answer,
        };
        Asked {
            system: self.system.as_deref().map(Cow::Borrowed),
            messages: self.messages.iter().map(|(role, said)| Message { role: *role, content: text(said) }).collect(),
            tools: Vec::new(),
            answer,
            reasoning: own.reasoning,
        }
    }
}

/// The item of this number, over and over.
fn at<T>(items: &[T], number: u64) -> Option<&T> {
    items.get((number % items.len().max(1) as u64) as usize)
}

fn group(groups: &mut Groups, rows: Vec<(Row, String)>) {
    let mut by_name: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for (row, name) in rows {
        by_name.entry(name).or_default().push(row);
    }
    groups.extend(by_name.into_values());
}

/// A row as it is written.
#[derive(Deserialize)]
struct Text {
    system: Option<String>,
    messages: Vec<Said>,
    response: Option<String>,
    #[serde(default)]
    meta: Meta,
}

#[derive(Deserialize)]
struct Said {
    role: String,
    content: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Meta {
    template: Option<serde_json::Value>,
    exercise: Option<serde_json::Value>,
    benchmark: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Pattern {
    system: String,
}

/// The rows of a file, each with the name of its group.
fn texts(path: &Path) -> Result<Vec<(Row, String)>, SimulateError> {
    let row = |text: Text| {
        let Meta { template, exercise, benchmark } = text.meta;
        let group = exercise.or(benchmark).or(template).map_or(String::new(), |group| group.to_string());
        let messages = text.messages.into_iter().map(|said| (role(&said.role), said.content)).collect();
        (Row { system: text.system, messages, answer: text.response }, group)
    };
    Ok(rows::<Text>(path)?.into_iter().map(row).collect())
}

fn role(name: &str) -> Role {
    match name {
        "system" => Role::System,
        "assistant" => Role::Assistant,
        "user" => Role::User,
        _ => Role::Other,
    }
}

const PEOPLE: u64 = 0x7065_6f70;

/// Every text file that is known, and what it stands in for.
const FILES: &[(&str, Use)] = &[
    ("open/benign-oasst", Use::People),
    ("open/campaign-cot-gsm8k", Use::Campaign(Harvest::ReasoningTrace)),
    ("open/campaign-fireact", Use::Campaign(Harvest::ToolUse)),
    ("open/campaign-gpteacher-codegen", Use::Campaign(Harvest::Coding)),
    ("open/campaign-gpteacher-roleplay", Use::Campaign(Harvest::HumanPrompts)),
    ("open/campaign-gpteacher-toolformer", Use::Campaign(Harvest::ToolUse)),
    ("open/campaign-selfinstruct", Use::Campaign(Harvest::DataGeneration)),
    ("open/lookalike-banking77", Use::Product),
    ("open/lookalike-batch-jobs", Use::Jobs),
    ("open/lookalike-class-exercise", Use::Exercises),
    ("open/lookalike-eval-harness", Use::Benchmarks),
    ("open/templates/fabric-patterns", Use::Systems),
    ("private/benign-instructionwild", Use::People),
    ("private/benign-sharegpt", Use::People),
    ("private/campaign-alpaca-direct", Use::Campaign(Harvest::HumanPrompts)),
    ("private/campaign-autoj-judge", Use::Campaign(Harvest::Grading)),
    ("private/campaign-autoj-pairwise", Use::Campaign(Harvest::Grading)),
    ("private/campaign-codealpaca-direct", Use::Campaign(Harvest::Coding)),
    ("private/campaign-codealpaca-selfinstruct", Use::Campaign(Harvest::DataGeneration)),
    ("private/campaign-evol-instruct-alpaca", Use::Campaign(Harvest::DataGeneration)),
    ("private/campaign-evol-instruct-seeds", Use::Campaign(Harvest::DataGeneration)),
    ("private/campaign-fireact-restricted", Use::Campaign(Harvest::ToolUse)),
    ("private/campaign-flask-judge", Use::Campaign(Harvest::Grading)),
    ("private/campaign-zero-shot-cot", Use::Campaign(Harvest::ReasoningTrace)),
    ("private/lookalike-batch-jobs", Use::Jobs),
];
