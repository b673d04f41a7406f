//! Reads `labels.jsonl` and `campaigns.jsonl`.
//!
//! Promises an error that names file, line, field and what was expected at the first thing that is wrong: a score over
//! half-read labels would be worse than none. Refuses lines over the limits below before they are held in memory.
//! Fields that are not known are left alone, so that both files can grow.

use std::collections::BTreeSet;
use std::io::{self, BufRead, Read};

use exchange::Time;
use serde_json::{Map, Value};

use super::score::{Found, Labels};

/// The longest line of `labels.jsonl`.
pub const LABELS_LINE_BYTES_MAX: usize = 64 << 10;
/// The longest line of `campaigns.jsonl`: some 200 000 accounts.
pub const CAMPAIGNS_LINE_BYTES_MAX: usize = 16 << 20;

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The input itself failed.
    #[error("{file}: {cause}")]
    Input {
        /// The file.
        file: String,
        /// What the input says.
        #[source]
        cause: io::Error,
    },
    /// A line is not what the format says.
    #[error("{file}:{line}: {}{problem}", .field.as_ref().map(|field| format!("`{field}`: ")).unwrap_or_default())]
    Line {
        /// The file.
        file: String,
        /// The line, from 1.
        line: u64,
        /// The field, when the problem is with one.
        field: Option<String>,
        /// What is wrong, with what was expected.
        problem: String,
    },
}

/// Reads `labels.jsonl`; `file` names it in errors.
///
/// # Errors
///
/// At the first line that is no label, is too long, or contradicts an earlier one.
pub fn read_labels(file: &str, input: impl BufRead) -> Result<Labels, ReadError> {
    let mut labels = Labels::default();
    each_line(file, input, LABELS_LINE_BYTES_MAX, |fields| {
        let campaign = match fields.get("campaign") {
            Some(Value::Null) => None,
            Some(Value::String(name)) if !name.is_empty() => Some(name.as_str()),
            other => return Err(unexpected("campaign", "a name or null", other)),
        };
        let role = match fields.get("role") {
            None | Some(Value::Null) => None,
            Some(Value::String(role)) if !role.is_empty() => Some(role.as_str()),
            other => return Err(unexpected("role", "a name or null", other)),
        };
        let labelled = match (fields.contains_key("account"), fields.contains_key("exchange")) {
            (true, false) => labels.label_account(text(fields, "account")?, campaign, role),
            (false, true) => labels.label_exchange(text(fields, "exchange")?, campaign),
            _ => return Err(Problem { field: None, text: "expected either `account` or `exchange`".to_owned() }),
        };
        labelled.map_err(|contradiction| Problem { field: None, text: contradiction.to_string() })
    })?;
    Ok(labels)
}

/// Reads `campaigns.jsonl`; `file` names it in errors.
///
/// # Errors
///
/// At the first line that is no finding or is too long, and where two findings have one name.
pub fn read_campaigns(file: &str, input: impl BufRead) -> Result<Vec<Found>, ReadError> {
    let mut names = BTreeSet::new();
    let mut found = Vec::new();
    each_line(file, input, CAMPAIGNS_LINE_BYTES_MAX, |fields| {
        let campaign = text(fields, "campaign")?;
        if !names.insert(campaign.to_owned()) {
            let problem = format!("expected a name of its own, but an earlier line has `{}`", campaign.escape_debug());
            return Err(Problem { field: Some("campaign".to_owned()), text: problem });
        }
        let detected_at: Time = text(fields, "detected_at")?
            .parse()
            .map_err(|_| unexpected("detected_at", Time::EXPECTED, fields.get("detected_at")))?;
        let Some(Value::Array(accounts)) = fields.get("accounts") else {
            return Err(unexpected("accounts", "a list", fields.get("accounts")));
        };
        let accounts =
            accounts.iter().enumerate().map(|(index, value)| member(index, value)).collect::<Result<_, _>>()?;
        found.push(Found { campaign: campaign.to_owned(), detected_at, accounts });
        Ok(())
    })?;
    Ok(found)
}

fn member(index: usize, value: &Value) -> Result<(String, f64), Problem> {
    let at = |problem: Problem| Problem {
        field: problem.field.map(|field| format!("accounts[{index}].{field}")),
        text: problem.text,
    };
    let Value::Object(fields) = value else {
        return Err(unexpected(&format!("accounts[{index}]"), "an object", Some(value)));
    };
    let account = text(fields, "account").map_err(at)?;
    let probability = fields.get("probability").and_then(Value::as_f64).filter(|value| (0.0..=1.0).contains(value));
    match probability {
        Some(probability) => Ok((account.to_owned(), probability)),
        None => Err(at(unexpected("probability", "a number from 0 to 1", fields.get("probability")))),
    }
}

/// What is wrong with a line.
struct Problem {
    field: Option<String>,
    text: String,
}

fn unexpected(field: &str, expected: &str, value: Option<&Value>) -> Problem {
    let found = match value {
        None => "it is missing".to_owned(),
        Some(value) => format!("found {}", shortened(&value.to_string())),
    };
    Problem { field: Some(field.to_owned()), text: format!("expected {expected}, {found}") }
}

fn text<'v>(fields: &'v Map<String, Value>, field: &str) -> Result<&'v str, Problem> {
    match fields.get(field) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text),
        other => Err(unexpected(field, "a text that is not empty", other)),
    }
}

/// A value as it is quoted in an error: printable and short.
fn shortened(value: &str) -> String {
    const QUOTED_CHARS_MAX: usize = 60;
    let mut short: String = value.chars().take(QUOTED_CHARS_MAX).flat_map(char::escape_debug).collect();
    // JSON writes its own quotes; escaping them once more would only be noise.
    short = short.replace("\\\"", "\"");
    if value.chars().nth(QUOTED_CHARS_MAX).is_some() {
        short.push('…');
    }
    format!("`{short}`")
}

/// Calls `line` with the fields of every line that is not blank.
fn each_line(
    file: &str,
    mut input: impl BufRead,
    bytes_max: usize,
    mut line: impl FnMut(&Map<String, Value>) -> Result<(), Problem>,
) -> Result<(), ReadError> {
    let mut bytes = Vec::new();
    for number in 1.. {
        bytes.clear();
        // One byte more than allowed plus the newline shows a line that is too long.
        let taken = (&mut input).take(bytes_max as u64 + 2).read_until(b'\n', &mut bytes);
        let taken = taken.map_err(|cause| ReadError::Input { file: file.to_owned(), cause })?;
        if taken == 0 {
            break;
        }
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
        }
        parse(&bytes, bytes_max).and_then(|fields| fields.map_or(Ok(()), |fields| line(&fields))).map_err(
            |problem| ReadError::Line {
                file: file.to_owned(),
                line: number,
                field: problem.field,
                problem: problem.text,
            },
        )?;
    }
    Ok(())
}

/// The fields of a line; `None` for a blank one.
fn parse(line: &[u8], bytes_max: usize) -> Result<Option<Map<String, Value>>, Problem> {
    let whole = |text: String| Problem { field: None, text };
    if line.len() > bytes_max {
        return Err(whole(format!("expected at most {bytes_max} bytes, the line is longer")));
    }
    if line.trim_ascii().is_empty() {
        return Ok(None);
    }
    match serde_json::from_slice(line) {
        Ok(Value::Object(fields)) => Ok(Some(fields)),
        Ok(other) => Err(whole(format!("expected a JSON object, found {}", shortened(&other.to_string())))),
        Err(error) => Err(whole(format!("expected a JSON object, but at column {}: {error}", error.column()))),
    }
}
