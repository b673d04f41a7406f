//! The drills of a data folder: each report as JSON and as a page, and what its ledger says of it.

use std::fs;
use std::path::{Path, PathBuf};

use drill::Report;
use report::drill_page;
use serde_json::json;
use store::bounded::read_text;
use store::whole;
use verify::hash::Hash;

use crate::command::seal;
use crate::failure::Failure;

/// The folder of the data folder in which drills are kept.
const FOLDER: &str = "drills";
/// Bytes of a report that is read.
const REPORT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Drills of one data folder. No more are held.
const DRILLS_MAX: usize = 10_000;

/// A drill that is to be held: its number, and the folder for all that belongs to it.
pub(super) fn begin(data: &Path) -> Result<(String, PathBuf), Failure> {
    let folder = data.join(FOLDER);
    fs::create_dir_all(&folder).map_err(|error| Failure::unwritable(&folder, &error))?;
    let numbers = numbers(&folder)?;
    if numbers.len() >= DRILLS_MAX {
        return Err(Failure::bad_input(format!("`{}` has {DRILLS_MAX} drills; move old ones away", folder.display())));
    }
    let mut number = numbers.last().copied().unwrap_or_default();
    loop {
        number = number.saturating_add(1);
        let id = format!("drill_{number}");
        let own = folder.join(&id);
        // Two that begin at once get a number each.
        match fs::create_dir(&own) {
            Ok(()) => return Ok((id, own)),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Failure::unwritable(&own, &error)),
        }
    }
}

/// Keeps a report, and puts it down in the ledger as `kind` where there is one; where its page is, and which entry it is.
pub(super) fn keep(
    data: &Path,
    own: &Path,
    report: &Report,
    kind: Option<&str>,
) -> Result<(PathBuf, Option<u64>), Failure> {
    let text = serde_json::to_string_pretty(report).map_err(Failure::unreadable)? + "\n";
    let path = own.join("report.json");
    whole::write(&path, text.as_bytes()).map_err(|error| Failure::unwritable(&path, &error))?;
    let page =
        drill_page::page(report).map_err(|error| Failure::io("the report cannot be written as a page", error))?;
    let html = own.join("report.html");
    whole::write(&html, page.as_bytes()).map_err(|error| Failure::unwritable(&html, &error))?;
    let Some(kind) = kind else { return Ok((html, None)) };
    let times: serde_json::Map<String, serde_json::Value> = report
        .durations()
        .into_iter()
        .filter_map(|(name, took, _)| Some((format!("{name}_seconds"), json!(took?.round()))))
        .collect();
    let detail = json!({
        "exercise": report.exercise,
        "difficulty": report.difficulty,
        "seed": report.told.seed,
        "points": report.score.as_ref().map(|score| score.points),
        "wronged": report.accounts.wronged,
        "is_cut_short": report.told.is_cut_short,
        "times": times,
        "report_sha256": Hash::of(&[text.as_bytes()]).to_hex(),
    });
    let told = &report.told;
    let statement = seal::said(kind, &told.by, Some(&told.reason), format!("drill:{}", told.id), detail);
    seal::append(data, statement).map(|entry| (html, Some(entry)))
}

/// One report.
pub(super) fn read(data: &Path, id: &str) -> Result<Report, Failure> {
    let is_one = id.strip_prefix("drill_").is_some_and(|number| number.parse::<u64>().is_ok());
    let path = data.join(FOLDER).join(id).join("report.json");
    if !is_one {
        return Err(Failure::usage("expected a drill, such as drill_1; `stillwatch drill scores` names them"));
    }
    let missing = format!("there is no report of {id} in `{}`", data.join(FOLDER).display());
    let text = read_text(&path, REPORT_BYTES_MAX).map_err(|error| Failure::io(missing, error))?;
    let report: Report =
        serde_json::from_str(&text).map_err(|error| Failure::bad_input(format!("`{}`: {error}", path.display())))?;
    if !report.is_known() {
        return Err(Failure::bad_input(format!("`{}` is a report of another version", path.display())));
    }
    Ok(report)
}

/// Every report, in the order in which drills were begun; those that never came to their end have none.
pub(super) fn all(data: &Path) -> Result<Vec<Report>, Failure> {
    let folder = data.join(FOLDER);
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let ended = numbers(&folder)?.into_iter().map(|number| format!("drill_{number}"));
    let ended = ended.filter(|id| folder.join(id).join("report.json").is_file());
    ended.map(|id| read(data, &id)).collect()
}

fn numbers(folder: &Path) -> Result<Vec<u64>, Failure> {
    let failed = |error| Failure::io(format!("`{}` cannot be read", folder.display()), error);
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        numbers.extend(name.to_str().and_then(|name| name.strip_prefix("drill_")?.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}
