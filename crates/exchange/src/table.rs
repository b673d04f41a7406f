//! Tables within JSON, as databases answer: names of columns once, and rows of values. Each row becomes an object.
//!
//! Log Analytics writes `columns` and `rows`, BigQuery a `schema` and `rows` of `{"f": [{"v": …}]}`, nested where a column is.
//! A name longer than [`limits::COLUMN_NAME_BYTES_MAX`] is no column, so that rows take no more memory than their text
//! times that. Cells without a column are dropped.

use std::borrow::Cow;

use crate::json::{Json, Object};
use crate::limits;

/// A column, and those within it.
struct Column {
    name: String,
    within: Vec<Column>,
}

/// Where an object is a table, makes objects of its rows, in their place.
pub(crate) fn spread(table: &mut Object<'_>) {
    if !matches!(table.get("rows"), Some(Json::List(_))) {
        return;
    }
    let columns = COLUMNS.iter().find_map(|path| columns(table.find(path)?)).unwrap_or_default();
    let Some(Json::List(rows)) = table.get_mut("rows").filter(|_| !columns.is_empty()) else { return };
    for row in rows {
        if let Some(cells) = take_cells(row) {
            *row = Json::Object(object(cells, &columns));
        }
    }
}

/// Where the columns stand.
const COLUMNS: [&str; 4] = ["columns", "schema.fields", "fields", "schema.columns"];

/// Columns: names, or objects with one. They are nested as deep as JSON is, which its parser bounds.
fn columns(json: &Json<'_>) -> Option<Vec<Column>> {
    let Json::List(items) = json else { return None };
    let column = |item: &Json<'_>| match item {
        Json::Text(name) => Column { name: name.to_string(), within: Vec::new() },
        Json::Object(column) => Column {
            name: column.get_text("name").or_else(|| column.get_text("Name")).unwrap_or_default().to_owned(),
            within: column.get("fields").and_then(columns).unwrap_or_default(),
        },
        _ => Column { name: String::new(), within: Vec::new() },
    };
    Some(items.iter().map(column).collect())
}

/// The cells of a row that is a list of values, or one of BigQuery.
fn take_cells<'a>(row: &mut Json<'a>) -> Option<Vec<Json<'a>>> {
    match row {
        Json::List(cells) => Some(std::mem::take(cells)),
        Json::Object(row) => match row.get_mut("f") {
            Some(Json::List(cells)) => Some(std::mem::take(cells).into_iter().map(value).collect()),
            _ => None,
        },
        _ => None,
    }
}

fn value(cell: Json<'_>) -> Json<'_> {
    match cell {
        Json::Object(mut cell) => cell.take("v").unwrap_or(Json::Null),
        cell => cell,
    }
}

fn object<'a>(cells: Vec<Json<'a>>, columns: &[Column]) -> Object<'a> {
    let mut row = Object::default();
    for (column, cell) in columns.iter().zip(cells) {
        let is_column = !column.name.is_empty() && column.name.len() <= limits::COLUMN_NAME_BYTES_MAX;
        if is_column && cell != Json::Null {
            row.push(Cow::Owned(column.name.clone()), nested(cell, column));
        }
    }
    row
}

/// A cell that is a row of its own, or a list of cells.
fn nested<'a>(mut cell: Json<'a>, column: &Column) -> Json<'a> {
    if let Json::Object(_) = &cell
        && let Some(cells) = take_cells(&mut cell)
    {
        return Json::Object(object(cells, &column.within));
    }
    match cell {
        Json::List(items) => {
            let is_cell = |item: &Json<'_>| matches!(item, Json::Object(cell) if cell.keys().eq(["v"]));
            let item = |item| if is_cell(&item) { nested(value(item), column) } else { item };
            Json::List(items.into_iter().map(item).collect())
        }
        cell => cell,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(text: &str) -> String {
        let mut table = Json::parse(text).unwrap().object().unwrap();
        super::spread(&mut table);
        table.get("rows").map(Json::to_text).unwrap_or_default()
    }

    #[test]
    fn rows_become_objects() {
        for (table, rows) in [
            (
                r#"{"columns":[{"name":"a","type":"string"},{"name":"b"}],"rows":[["x",1],["y",null,3]]}"#,
                r#"[{"a":"x","b":1},{"a":"y"}]"#,
            ),
            (r#"{"columns":["a","b"],"rows":[["x",["l"]]]}"#, r#"[{"a":"x","b":["l"]}]"#),
            (
                r#"{"schema":{"fields":[{"name":"a"},{"name":"b","fields":[{"name":"c"}]},{"name":"d"}]},"rows":[{"f":[{"v":"x"},{"v":{"f":[{"v":"y"}]}},{"v":[{"v":"1"},{"v":"2"}]}]}]}"#,
                r#"[{"a":"x","b":{"c":"y"},"d":["1","2"]}]"#,
            ),
            // No tables.
            (r#"{"rows":[["x"]]}"#, r#"[["x"]]"#),
            (r#"{"columns":["a"],"rows":[{"x":1},"y"]}"#, r#"[{"x":1},"y"]"#),
        ] {
            assert_eq!(spread(table), rows, "{table}");
        }
    }
}
