//! `stillwatch playbook`: what is done about a campaign, step by step, and by when others have to be told.
//!
//! Promises that nothing of a playbook is run, and that a step is done only once the ledger says so.

use std::fmt::Write as _;
use std::path::Path;

use exchange::Time;
use playbook::cacao::{Command, Playbook, Step, StepKind};
use playbook::deadline::{self, Deadline, Due};
use playbook::limits::PLAYBOOK_BYTES_MAX;
use playbook::run::{Done, Outcome, Run};
use playbook::shipped;
use report::words::{counted, printable};
use serde_json::{Value, json};
use store::bounded::read_text;
use verify::entry::Statement;

use super::seal;
use crate::cli::{PlaybookCommand, VaultEntry};
use crate::failure::{Exit, Failure};
use crate::output::{print, print_json};
use crate::playbooks::{Runs, Said};

/// Characters of a text that is printed.
const TEXT_CHARS: usize = 1_000;

/// Does what was asked.
pub(crate) fn run(command: &PlaybookCommand) -> Result<Exit, Failure> {
    match command {
        PlaybookCommand::List => list(),
        PlaybookCommand::Show { playbook, cacao } => show(playbook, *cacao),
        PlaybookCommand::Begin { playbook, case, entry } => begin(playbook, case.as_deref(), entry),
        PlaybookCommand::Status { run, data, json } => status(run.as_deref(), data, *json),
        PlaybookCommand::Done { run, step, failed, note, entry } => done(run, step, *failed, note, entry),
        PlaybookCommand::Deadlines { from, file, json } => deadlines(*from, file.as_deref(), *json),
    }
}

fn plain(text: &str) -> String {
    printable(text, TEXT_CHARS)
}

fn list() -> Result<Exit, Failure> {
    let mut text = String::new();
    for (name, playbook) in shipped::all() {
        let _ = writeln!(text, "{name:<10} {}\n           {}", playbook.name, playbook.description);
    }
    print(&text).map(|()| Exit::Nothing)
}

/// The text of a playbook: one that comes with the program, or one in a file.
fn text_of(named: &str) -> Result<String, Failure> {
    if let Some(text) = shipped::text(named) {
        return Ok(text.to_owned());
    }
    let path = Path::new(named);
    let names: Vec<&str> = shipped::all().into_iter().map(|(name, _)| name).collect();
    let expected = format!("expected {}, or a file with a playbook as CACAO 2.0", names.join(", "));
    read_text(path, PLAYBOOK_BYTES_MAX)
        .map_err(|error| Failure::io(format!("`{}` cannot be read; {expected}", plain(named)), error))
}

fn read(named: &str, text: &str) -> Result<Playbook, Failure> {
    Playbook::read(text).map_err(|error| Failure::bad_input(format!("`{}`: {error}", plain(named))))
}

fn show(named: &str, cacao: bool) -> Result<Exit, Failure> {
    let text = text_of(named)?;
    let playbook = read(named, &text)?;
    if cacao {
        print(&text)?;
        return Ok(Exit::Nothing);
    }
    let mut told = format!("{}\n{}\n", plain(&playbook.name), plain(&playbook.description));
    let steps = numbered(&playbook);
    for (number, _, step) in &steps {
        let _ = write!(told, "\n{number}. {}\n", plain(&step.name));
        told.push_str(&about(step));
        told.push_str(&leads_to(step, &steps));
    }
    print(&told).map(|()| Exit::Nothing)
}

/// The steps at which somebody does something, each with its number.
fn numbered(playbook: &Playbook) -> Vec<(usize, &str, &Step)> {
    let steps = playbook.in_order().into_iter();
    let at_work = steps.filter(|(_, step)| !matches!(step.kind, StepKind::Start { .. } | StepKind::End));
    at_work.enumerate().map(|(at, (id, step))| (at + 1, id, step)).collect()
}

/// What is to be done in a step.
fn about(step: &Step) -> String {
    let mut text = String::new();
    if !step.description.is_empty() {
        let _ = writeln!(text, "   {}", plain(&step.description));
    }
    match &step.kind {
        StepKind::Action { commands, .. } => {
            for Command { kind, command, .. } in commands {
                let sign = if kind == "manual" { "-" } else { "$" };
                let _ = writeln!(text, "   {sign} {}", plain(command));
            }
        }
        StepKind::Condition { condition, .. } => {
            let _ = writeln!(text, "   ? {}", plain(condition));
        }
        _ => {}
    }
    text
}

fn leads_to(step: &Step, steps: &[(usize, &str, &Step)]) -> String {
    let number = |id: &String| {
        steps.iter().find(|(_, is, _)| is == id).map_or_else(|| "the end".to_owned(), |(number, ..)| number.to_string())
    };
    match &step.kind {
        StepKind::Action { then, otherwise, .. } if then == otherwise => format!("   then {}\n", number(then)),
        StepKind::Action { then, otherwise, .. } => {
            format!("   then {}; where it fails {}\n", number(then), number(otherwise))
        }
        StepKind::Condition { yes, no, .. } => format!("   yes: {}, no: {}\n", number(yes), number(no)),
        StepKind::Parallel { branches, then } => {
            let all: Vec<String> = branches.iter().map(number).collect();
            format!("   at once: {}; once all are done {}\n", all.join(", "), number(then))
        }
        _ => String::new(),
    }
}

fn begin(named: &str, case: Option<&str>, entry: &VaultEntry) -> Result<Exit, Failure> {
    let text = text_of(named)?;
    let playbook = read(named, &text)?;
    let run = Runs::of(&entry.data).begin((&playbook, &text), case, said(entry)?, &mut |it| put_down(entry, it))?;
    print(&format!("Began {}: {}.\n\n{}", run.id, plain(&playbook.name), to_do(&run, &playbook)))?;
    Ok(Exit::Nothing)
}

fn done(id: &str, step: &str, failed: bool, note: &str, entry: &VaultEntry) -> Result<Exit, Failure> {
    let runs = Runs::of(&entry.data);
    let (_, playbook) = runs.known(id)?;
    let found = numbered(&playbook).into_iter().find(|(number, is, _)| *is == step || number.to_string() == step);
    let Some((_, step, _)) = found else {
        return Err(Failure::usage(format!(
            "there is no step `{}` in {id}; `stillwatch playbook status {id}` numbers them",
            plain(step)
        )));
    };
    let outcome = if failed { Outcome::Failed } else { Outcome::Done };
    let (run, playbook) = runs.step(id, (step, outcome, note), said(entry)?, &mut |it| put_down(entry, it))?;
    print(&to_do(&run, &playbook)).map(|()| Exit::Nothing)
}

fn said(entry: &VaultEntry) -> Result<Said<'_>, Failure> {
    Ok(Said { by: &entry.by, at: seal::now()?, reason: Some(&entry.reason) })
}

fn put_down(entry: &VaultEntry, statement: Statement) -> Result<(), Failure> {
    seal::append(&entry.data, statement).map(drop)
}

/// What is to be done now.
fn to_do(run: &Run, playbook: &Playbook) -> String {
    if run.is_over() {
        return format!("{} is over: {} done.\n", run.id, counted(run.done.len() as u64, "step"));
    }
    let mut text = String::from("To be done now:\n");
    let next = run.next();
    for (number, _, step) in numbered(playbook).into_iter().filter(|(_, id, _)| next.contains(id)) {
        let _ = write!(text, "\n{number}. {}\n{}", plain(&step.name), about(step));
    }
    let _ = writeln!(
        text,
        "\nNext: `stillwatch playbook done {} NUMBER --by NAME --reason TEXT`, with --failed where it failed or the answer is no.",
        run.id
    );
    text
}

fn status(id: Option<&str>, data: &Path, json: bool) -> Result<Exit, Failure> {
    let Some(id) = id else {
        let all = Runs::of(data).all()?;
        if json {
            let all: Vec<Value> = all.iter().map(|run| json!({"id": run.id, "playbook": run.playbook, "case": run.case, "since": run.since, "is_over": run.is_over(), "done": run.done.len()})).collect();
            return print_json(&json!({"runs": all}));
        }
        let mut text = String::new();
        for run in &all {
            let (_, playbook) = Runs::of(data).known(&run.id)?;
            let case = run.case.as_ref().map(|case| format!(", about {}", plain(case))).unwrap_or_default();
            let is = if run.is_over() {
                "over".to_owned()
            } else {
                format!("{} to be done", counted(run.next().len() as u64, "step"))
            };
            let _ = writeln!(
                text,
                "{}  {}{case}: since {} by {}, {} done, {is}",
                run.id,
                plain(&playbook.name),
                run.since,
                plain(&run.by),
                run.done.len()
            );
        }
        if all.is_empty() {
            text.push_str(
                "No playbook was begun; `stillwatch playbook begin campaign --by NAME --reason TEXT` begins one.\n",
            );
        }
        print(&text)?;
        return Ok(Exit::Nothing);
    };
    let (run, playbook) = Runs::of(data).known(id)?;
    if json {
        let next: Vec<Value> =
            run.next().iter().filter_map(|id| Some(json!({"step": id, "name": playbook.step(id)?.name}))).collect();
        return print_json(&json!({"run": run, "name": playbook.name, "next": next, "is_over": run.is_over()}));
    }
    let mut text = format!("{}: {}\n", run.id, plain(&playbook.name));
    for Done { step, outcome, by, at, note } in &run.done {
        let name = playbook.step(step).map(|step| plain(&step.name)).unwrap_or_default();
        let is_question = playbook.step(step).is_some_and(|step| matches!(step.kind, StepKind::Condition { .. }));
        let told = match (outcome, is_question) {
            (Outcome::Done, false) => "done",
            (Outcome::Failed, false) => "failed",
            (Outcome::Done, true) => "yes",
            (Outcome::Failed, true) => "no",
        };
        let note = if note.is_empty() { String::new() } else { format!(": {}", plain(note)) };
        let _ = writeln!(text, "  {at} {}: {name}: {told}{note}", plain(by));
    }
    text.push('\n');
    text.push_str(&to_do(&run, &playbook));
    print(&text).map(|()| Exit::Nothing)
}

fn deadlines(from: Time, file: Option<&Path>, json: bool) -> Result<Exit, Failure> {
    let all: Vec<Deadline> = match file {
        None => deadline::shipped(),
        Some(path) => {
            let text = read_text(path, PLAYBOOK_BYTES_MAX)
                .map_err(|error| Failure::io(format!("`{}` cannot be read", path.display()), error))?;
            deadline::read(&text).map_err(|error| Failure::bad_input(format!("`{}`: {error}", path.display())))?
        }
    };
    let ends = deadline::due(&all, from);
    if json {
        let each: Vec<Value> =
            ends.iter().map(|Due { deadline, at }| json!({"at": at, "deadline": deadline})).collect();
        return print_json(&json!({"from": from, "deadlines": each}));
    }
    let mut text = format!("Counted from {from}. Which of these apply is for counsel to say.\n");
    for Due { deadline, at } in ends {
        let _ =
            writeln!(text, "{at}  {}, {}\n    {}", plain(&deadline.law), plain(&deadline.place), plain(&deadline.what));
    }
    print(&text).map(|()| Exit::Nothing)
}
