//! Tables: on a page in parts, and whole as CSV or JSON.
//!
//! Promises that what is saved has the rows and columns of what is shown, that no cell of a CSV is taken for a formula, and that rows that do not fit are
//! told.

use std::cmp::Ordering;

use admin::order::stretch;
use askama::Template;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use report::words::{grouped, printable};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::limits::{CELL_CHARS, ROWS_MAX, ROWS_SAVED_MAX};

/// A table.
#[derive(Template)]
#[template(path = "table.html")]
pub(crate) struct Table {
    /// Its name, in addresses and files.
    name: &'static str,
    caption: String,
    columns: Vec<Column>,
    rows: Vec<Row>,
    /// That rows are missing which were not looked at.
    missing: Option<String>,
    /// What is said where there are no rows.
    empty: String,
    /// How many rows there are in all.
    total: usize,
    /// Rows before those that were drawn.
    drawn_from: usize,
    /// Rows before those shown.
    before: usize,
    /// What the boxes are called by which rows are chosen, where they are.
    choice: Option<&'static str>,
    /// The address of the page without which part is shown, ending with `?` or `&`.
    address: String,
    /// Whether it is the answer to a form, which no address has.
    is_answer: bool,
}

/// A column.
#[derive(Clone, Copy)]
pub(crate) struct Column {
    label: &'static str,
    is_number: bool,
}

impl Column {
    pub(crate) const fn text(label: &'static str) -> Column {
        Column { label, is_number: false }
    }

    pub(crate) const fn number(label: &'static str) -> Column {
        Column { label, is_number: true }
    }
}

/// A row; the first cell names it.
pub(crate) struct Row {
    id: String,
    /// What a form says of it where it is chosen.
    chosen: String,
    cells: Vec<Cell>,
}

/// What stands in a column.
pub(crate) struct Cell {
    text: String,
    to: Option<String>,
    tone: &'static str,
}

impl Cell {
    pub(crate) fn text(text: impl AsRef<str>) -> Cell {
        Cell { text: printable(text.as_ref(), CELL_CHARS), to: None, tone: "" }
    }

    pub(crate) fn number(number: u64) -> Cell {
        Cell::text(grouped(number))
    }

    /// Whether it is broken into lines where there is no room.
    fn is_long(&self) -> bool {
        self.text.chars().nth(LONG_CHARS).is_some()
    }

    /// The same, as a way to another page.
    pub(crate) fn to(self, address: impl Into<String>) -> Cell {
        Cell { to: Some(address.into()), ..self }
    }

    /// The same, marked: `alarm`, `calm` or `quiet`.
    pub(crate) fn tone(self, tone: &'static str) -> Cell {
        Cell { tone, ..self }
    }
}

impl Row {
    /// What the row is called.
    fn name(&self) -> &str {
        self.cells.first().map_or("", |cell| cell.text.as_str())
    }

    pub(crate) fn new(id: impl Into<String>, cells: Vec<Cell>) -> Row {
        let id = id.into();
        Row { chosen: id.clone(), id, cells }
    }

    /// The same, of which a form says this where it is chosen.
    pub(crate) fn chosen_as(self, chosen: String) -> Row {
        Row { chosen, ..self }
    }
}

/// Characters of a cell that stays on one line.
const LONG_CHARS: usize = 44;

/// Which part of a table is asked for, and as what.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Asked {
    /// Which table of the page is to be saved.
    #[serde(default)]
    table: String,
    /// As what.
    #[serde(default, rename = "as")]
    form: String,
    /// Rows before those that are shown.
    #[serde(default)]
    before: String,
}

impl Asked {
    /// How many rows there are before those that a page shows, of so many in all.
    fn before(&self, total: usize) -> usize {
        self.before.parse::<usize>().unwrap_or(0).min(total.saturating_sub(1) / ROWS_MAX * ROWS_MAX)
    }

    /// Whether something is to be saved whole.
    pub(crate) fn is_saved(&self) -> bool {
        !self.table.is_empty()
    }
}

impl Table {
    /// Whether it has no rows.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// A table of all `rows`, of which a page shows a part.
    pub(crate) fn new(name: &'static str, caption: impl Into<String>, columns: &[Column], rows: Vec<Row>) -> Table {
        Table {
            name,
            caption: caption.into(),
            columns: columns.to_vec(),
            total: rows.len(),
            drawn_from: 0,
            rows,
            missing: None,
            empty: "There is none.".to_owned(),
            before: 0,
            choice: None,
            address: "?".to_owned(),
            is_answer: false,
        }
    }

    /// A table of many `items` in order, of which only the rows are drawn that are asked for.
    pub(crate) fn of<T>(
        name: &'static str,
        caption: impl Into<String>,
        columns: &[Column],
        (items, by): (Vec<T>, impl Fn(&T, &T) -> Ordering),
        row: impl Fn(&T) -> Row,
        asked: &Asked,
    ) -> Table {
        let total = items.len();
        let (from, most) = if asked.table == name { (0, ROWS_SAVED_MAX) } else { (asked.before(total), ROWS_MAX) };
        let rows = stretch(items, from, most, by).iter().map(row).collect();
        Table { total, drawn_from: from, ..Table::new(name, caption, columns, rows) }
    }

    /// The same, where rows are missing: what is said of them.
    pub(crate) fn without(self, missing: Option<String>) -> Table {
        Table { missing, ..self }
    }

    /// The same, saying this where there are no rows.
    pub(crate) fn or(self, empty: impl Into<String>) -> Table {
        Table { empty: empty.into(), ..self }
    }

    /// The same, on a page that is asked for with these fields besides.
    pub(crate) fn within(self, fields: &[(&str, &str)]) -> Table {
        let fields: Vec<_> = fields.iter().filter(|(_, value)| !value.is_empty()).collect();
        let query = serde_urlencoded::to_string(fields).unwrap_or_default();
        let address = if query.is_empty() { "?".to_owned() } else { format!("?{query}&") };
        Table { address, ..self }
    }

    /// The same, as a part of an answer to a form: no address has it, so that it cannot be saved by one.
    pub(crate) fn answer(self) -> Table {
        Table { is_answer: true, ..self }
    }

    /// The same, with a box before each row by which it is chosen, as a field of a form.
    pub(crate) fn choice(self, label: &'static str) -> Table {
        Table { choice: Some(label), ..self }
    }

    /// What was asked to be saved of this table, if it was.
    pub(crate) fn saved(&self, asked: &Asked) -> Option<Response> {
        if asked.table != self.name {
            return None;
        }
        let (kind, ending, text) = match asked.form.as_str() {
            "csv" => ("text/csv; charset=utf-8", "csv", self.csv()),
            "json" => ("application/json", "json", self.json().to_string()),
            _ => return None,
        };
        let file = format!("attachment; filename=\"{}.{ending}\"", self.name);
        Some(([(CONTENT_TYPE, kind.to_owned()), (CONTENT_DISPOSITION, file)], text).into_response())
    }

    /// The part that was asked for.
    pub(crate) fn part(mut self, asked: &Asked) -> Table {
        let before = asked.before(self.total);
        self.rows = self.rows.into_iter().skip(before.saturating_sub(self.drawn_from)).take(ROWS_MAX).collect();
        self.before = before;
        self
    }

    /// Whether the keyboard comes into it anyway: otherwise it has to, to move it where it is wider than the page.
    fn has_stops(&self) -> bool {
        self.choice.is_some() || self.rows.iter().flat_map(|row| &row.cells).any(|cell| cell.to.is_some())
    }

    /// What of the whole is shown, where that is not all.
    fn shown(&self) -> Option<String> {
        (self.total > self.rows.len()).then(|| {
            let (first, last) = (self.before + 1, self.before + self.rows.len());
            format!("{} to {} of {}", grouped(first as u64), grouped(last as u64), grouped(self.total as u64))
        })
    }

    fn earlier(&self) -> Option<usize> {
        (self.before > 0).then(|| self.before.saturating_sub(ROWS_MAX))
    }

    fn later(&self) -> Option<usize> {
        let next = self.before + self.rows.len();
        (next < self.total).then_some(next)
    }

    fn left_out(&self) -> Option<String> {
        let more = self.total.checked_sub(ROWS_SAVED_MAX).filter(|more| *more > 0);
        more.map(|more| format!("{more} more rows are left out")).or_else(|| self.missing.clone())
    }

    fn csv(&self) -> String {
        let line = |cells: &mut dyn Iterator<Item = &str>| cells.map(csv_cell).collect::<Vec<_>>().join(",") + "\r\n";
        let mut text = line(&mut self.columns.iter().map(|column| column.label));
        for row in self.rows.iter().take(ROWS_SAVED_MAX) {
            text += &line(&mut row.cells.iter().map(|cell| cell.text.as_str()));
        }
        if let Some(told) = self.left_out() {
            text += &line(&mut [told.as_str()].into_iter());
        }
        text
    }

    fn json(&self) -> Value {
        let row = |row: &Row| -> Value {
            let cells = self.columns.iter().zip(&row.cells);
            cells.map(|(column, cell)| (column.label.to_owned(), json!(cell.text))).collect::<Map<_, _>>().into()
        };
        json!({self.name: self.rows.iter().take(ROWS_SAVED_MAX).map(row).collect::<Vec<_>>(), "left_out": self.left_out()})
    }
}

/// A cell of a CSV (RFC 4180), with nothing that a spreadsheet takes for a formula.
fn csv_cell(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if is_formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: usize) -> Table {
        let columns = [Column::text("account"), Column::number("exchanges")];
        let rows =
            (0..rows).map(|n| Row::new(format!("a{n}"), vec![Cell::text(format!("a{n}")), Cell::number(n as u64)]));
        Table::new("accounts", "Accounts", &columns, rows.collect())
    }

    fn asked(before: &str) -> Asked {
        Asked { before: before.to_owned(), ..Asked::default() }
    }

    #[test]
    fn a_page_shows_so_many_rows_and_the_rest_is_on_the_next() {
        assert_eq!(table(ROWS_MAX).part(&asked("")).shown(), None);
        let first = table(ROWS_MAX + 1).part(&asked(""));
        assert_eq!((first.rows.len(), first.earlier(), first.later()), (ROWS_MAX, None, Some(ROWS_MAX)));
        let second = table(ROWS_MAX + 1).part(&asked(&ROWS_MAX.to_string()));
        assert_eq!((second.rows.len(), second.earlier(), second.later()), (1, Some(0), None));
        assert_eq!(second.shown().as_deref(), Some("101 to 101 of 101"));
        for odd in ["-1", "x", "99999999999999999999", "1000000"] {
            assert!(!table(3).part(&asked(odd)).rows.is_empty(), "{odd}");
        }
    }

    #[test]
    fn of_many_items_the_rows_are_drawn_that_are_asked_for() {
        let drawn = std::cell::Cell::new(0);
        let of = |count: usize, asked: &Asked| {
            drawn.set(0);
            let row = |n: &usize| {
                drawn.set(drawn.get() + 1);
                Row::new(n.to_string(), vec![Cell::number(*n as u64)])
            };
            let columns = [Column::number("n")];
            Table::of("numbers", "Numbers", &columns, ((0..count).rev().collect(), usize::cmp), row, asked)
        };
        let second = of(1_000, &asked("100")).part(&asked("100"));
        assert_eq!((second.rows[0].name(), second.rows.len(), drawn.get()), ("100", ROWS_MAX, ROWS_MAX));
        assert_eq!((second.shown().as_deref(), second.later()), (Some("101 to 200 of 1,000"), Some(200)));
        let last = of(1_000, &asked("5000")).part(&asked("5000"));
        assert_eq!((last.rows[0].name(), last.rows.len(), last.later()), ("900", ROWS_MAX, None));
        let saved = Asked { table: "numbers".to_owned(), form: "csv".to_owned(), ..Asked::default() };
        let whole = of(ROWS_SAVED_MAX + 1, &saved);
        assert_eq!((drawn.get(), whole.left_out().as_deref()), (ROWS_SAVED_MAX, Some("1 more rows are left out")));
    }

    #[test]
    fn what_is_saved_is_whole_up_to_its_limit_and_the_rest_is_told() {
        for (rows, more) in [(ROWS_SAVED_MAX, false), (ROWS_SAVED_MAX + 1, true)] {
            let csv = table(rows).csv();
            assert_eq!(csv.lines().count(), 1 + ROWS_SAVED_MAX + usize::from(more));
            assert_eq!(csv.contains("1 more rows are left out"), more);
        }
        assert_eq!(table(1).json()["accounts"][0]["exchanges"], "0");
    }

    #[test]
    fn no_cell_is_a_formula_or_leaves_its_place() {
        for (text, cell) in [
            ("=1+1", "'=1+1"),
            ("-2", "'-2"),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("plain", "plain"),
        ] {
            assert_eq!(csv_cell(text), cell);
        }
    }
}
