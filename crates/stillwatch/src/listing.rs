//! What the admin API answered, for people: lists as columns, one thing as lines.

use comfy_table::{Table, presets};
use serde_json::Value;

use report::words::{MESSAGE_CHARS_MAX, printable};

/// A line for each of `items`, with the fields that `columns` name; a column that none of them has is left out.
pub(crate) fn columns(columns: &[&str], items: &[Value]) -> String {
    if items.is_empty() {
        return "There are none.\n".to_owned();
    }
    let has = |column: &&str| items.iter().any(|item| item.get(*column).is_some_and(|value| !cell(value).is_empty()));
    let columns: Vec<&str> = columns.iter().copied().filter(has).collect();
    let mut table = Table::new();
    table.load_style(presets::NOTHING).force_no_tty().set_header(columns.iter().map(|column| column.replace('_', " ")));
    for item in items {
        table.add_row(columns.iter().map(|column| item.get(*column).map(cell).unwrap_or_default()));
    }
    lines(&table)
}

/// A line for each field.
pub(crate) fn fields(thing: &Value) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).force_no_tty();
    for (name, value) in thing.as_object().into_iter().flatten() {
        let value = cell(value);
        if !value.is_empty() {
            table.add_row([name.replace('_', " "), value]);
        }
    }
    lines(&table)
}

fn lines(table: &Table) -> String {
    let text = table.to_string();
    let lines = text.lines().map(|line| line.trim_end().strip_prefix(' ').unwrap_or(line).trim_end());
    lines.map(|line| format!("{line}\n")).collect()
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => printable(text, MESSAGE_CHARS_MAX),
        Value::Array(list) => list.iter().map(cell).collect::<Vec<_>>().join(", "),
        Value::Object(object) => {
            let filled = object.iter().map(|(name, value)| (name, cell(value))).filter(|(_, value)| !value.is_empty());
            filled.map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join("; ")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_leave_out_what_nothing_has() {
        let items = [json!({"id": "a", "name": "Ann\u{1b}[31m", "region": null}), json!({"id": "bcd", "name": ""})];
        let text = columns(&["id", "name", "region"], &items);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("id ") && lines[0].ends_with("name") && lines.len() == 3, "{text}");
        assert!(!text.contains('\u{1b}') && lines[2] == "bcd", "{text}");
        assert_eq!(columns(&["id"], &[]), "There are none.\n");
    }

    #[test]
    fn one_thing_is_told_in_lines() {
        let text =
            fields(&json!({"id": "a", "last_used": "now", "scope": {"actions": ["infer", "stream"], "models": []}}));
        assert!(
            text.contains("last used") && text.contains("actions infer, stream") && !text.contains("models"),
            "{text}"
        );
    }
}
