//! How many requests are understood, by intent and language, and how many ordinary ones are taken for something else. Prints
//! figures only, so that the wordings stay unread by whoever writes the rules.

use std::collections::BTreeMap;

use event::{Capability, Intents};
use exchange::{Client, Content, Exchange, Message, Request, Response, Role, Time, Usage};
use signals::intent::intents;

/// Intents as the files name them.
const LABELS: [(&str, Capability); 6] = [
    ("reasoning", Capability::ReasoningTrace),
    ("grading", Capability::Grading),
    ("data_generation", Capability::DataGeneration),
    ("tool_use", Capability::ToolUse),
    ("trace_cleaning", Capability::TraceCleaning),
    ("concealment", Capability::Concealment),
];
const LANGUAGES: [&str; 10] = ["en", "zh", "ja", "ko", "es", "pt", "fr", "de", "ru", "ar"];

fn of(prompt: &str) -> Intents {
    let content = Content::Text(prompt.into());
    intents(&Exchange {
        fingerprint: None,
        id: "ex".into(),
        time: Time::from_seconds(0),
        account: "acc".into(),
        org: None,
        key: None,
        end_user: None,
        session: None,
        operation: None,
        model: None,
        client: Client::default(),
        request: Request { messages: vec![Message { role: Role::User, content }], ..Request::default() },
        response: Response::default(),
        usage: Usage::default(),
        status: None,
        duration_ms: None,
    })
}

/// Rows, those that show the intent, and those that show another but not it.
#[derive(Clone, Copy, Default)]
struct Cell {
    rows: u32,
    hit: u32,
    other: u32,
}

impl Cell {
    fn add(&mut self, label: Option<Capability>, found: Intents) {
        let any = |other: bool| LABELS.iter().any(|&(_, c)| (Some(c) != label) == other && found.has(c));
        let hit = if label.is_some() { any(false) } else { any(true) };
        self.rows += 1;
        self.hit += u32::from(hit);
        self.other += u32::from(!hit && any(true));
    }

    fn share(self, part: u32) -> f64 {
        f64::from(part) / f64::from(self.rows.max(1))
    }
}

/// Cells by label and language; `all` is for all languages.
#[derive(Default)]
struct Table(BTreeMap<(String, String), Cell>);

impl Table {
    fn read(&mut self, language: &str, text: &str) {
        for (label, prompt) in text.lines().filter_map(|line| line.split_once('\t')) {
            let capability = LABELS.iter().find(|(name, _)| *name == label).map(|&(_, capability)| capability);
            assert!(capability.is_some() || label == "none", "an unknown label");
            let found = of(prompt);
            for column in [language, "all"] {
                self.0.entry((label.to_owned(), column.to_owned())).or_default().add(capability, found);
            }
        }
    }

    fn cell(&self, label: &str, language: &str) -> Cell {
        self.0.get(&(label.to_owned(), language.to_owned())).copied().unwrap_or_default()
    }

    fn print(&self) {
        println!("{:16}{:>6}{}{:>8}", "", "all", LANGUAGES.map(|name| format!("{name:>6}")).concat(), "other");
        for label in LABELS.iter().map(|&(name, _)| name).chain(["none"]) {
            let shares = ["all"].iter().chain(&LANGUAGES).map(|language| {
                let cell = self.cell(label, language);
                format!("{:6.2}", cell.share(cell.hit))
            });
            let all = self.cell(label, "all");
            println!("{label:16}{}{:8.3}", shares.collect::<String>(), all.share(all.other));
        }
        let none = self.cell("none", "all");
        println!("none: {} of {}", none.hit, none.rows);
    }
}

/// Wordings that the rules were made from: what they hold must not be lost.
#[test]
fn own_wordings_are_understood() {
    let mut missed = Vec::new();
    for line in include_str!("wordings.tsv").lines().filter(|line| !line.starts_with('#')) {
        let (label, prompt) = line.split_once('\t').unwrap();
        let found = of(prompt);
        let others = LABELS.iter().filter(|&&(name, _)| name != label);
        let right = match LABELS.iter().find(|(name, _)| *name == label) {
            Some(&(_, capability)) => found.has(capability),
            None => !others.into_iter().any(|&(_, capability)| found.has(capability)),
        };
        if !right {
            missed.push((line, found.iter().map(Capability::id).collect::<Vec<_>>()));
        }
    }
    assert!(missed.is_empty(), "{} missed: {missed:#?}", missed.len());
}

/// Wordings that somebody else wrote before there were rules.
#[test]
fn wordings_never_seen_are_understood() {
    let mut table = Table::default();
    for language in LANGUAGES {
        let path = format!("{}/tests/intents/{language}.tsv", env!("CARGO_MANIFEST_DIR"));
        table.read(language, &std::fs::read_to_string(path).unwrap());
    }
    table.print();
    for (label, floor) in FLOORS {
        let cell = table.cell(label, "all");
        assert!(cell.share(cell.hit) >= floor, "{label}: {} of {}", cell.hit, cell.rows);
    }
    let none = table.cell("none", "all");
    assert!(none.share(none.hit) <= FALSE_HITS_MAX, "{} of {}", none.hit, none.rows);
}

/// What must be reached over all languages, some points below what was.
const FLOORS: [(&str, f64); 6] = [
    ("reasoning", 0.36),
    ("grading", 0.32),
    ("data_generation", 0.3),
    ("tool_use", 0.24),
    ("trace_cleaning", 0.23),
    ("concealment", 0.31),
];
/// The most ordinary requests that may be taken for something else.
const FALSE_HITS_MAX: f64 = 0.025;
