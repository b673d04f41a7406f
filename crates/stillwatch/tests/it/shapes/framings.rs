//! How records stand in a file.

use std::io::Write;

use serde_json::{Value, json};

use crate::cli::gzip;

pub(super) fn lines(records: &[Value]) -> Vec<u8> {
    records.iter().map(|record| format!("{record}\n")).collect::<String>().into_bytes()
}

pub(super) fn crlf(records: &[Value]) -> Vec<u8> {
    records.iter().map(|record| format!("{record}\r\n")).collect::<String>().into_bytes()
}

pub(super) fn no_newline_at_the_end(records: &[Value]) -> Vec<u8> {
    lines(records).trim_ascii_end().to_vec()
}

pub(super) fn byte_order_mark(records: &[Value]) -> Vec<u8> {
    ["\u{feff}".as_bytes(), &lines(records)].concat()
}

pub(super) fn pretty(records: &[Value]) -> Vec<u8> {
    let pretty = |record| serde_json::to_string_pretty(record).expect("JSON") + "\n";
    records.iter().map(pretty).collect::<String>().into_bytes()
}

pub(super) fn array(records: &[Value]) -> Vec<u8> {
    serde_json::to_vec(records).expect("JSON")
}

pub(super) fn pretty_array(records: &[Value]) -> Vec<u8> {
    serde_json::to_vec_pretty(records).expect("JSON")
}

/// An array with a record to a line.
pub(super) fn array_of_lines(records: &[Value]) -> Vec<u8> {
    let records: Vec<String> = records.iter().map(Value::to_string).collect();
    format!("[\n{}\n]\n", records.join(",\n")).into_bytes()
}

/// An array to a line, of some records each.
pub(super) fn lines_of_arrays(records: &[Value]) -> Vec<u8> {
    records.chunks(7).flat_map(|records| [array(records), b"\n".to_vec()].concat()).collect()
}

pub(super) fn joined(records: &[Value]) -> Vec<u8> {
    records.iter().map(Value::to_string).collect::<String>().into_bytes()
}

pub(super) fn text_sequence(records: &[Value]) -> Vec<u8> {
    records.iter().map(|record| format!("\u{1e}{record}\n")).collect::<String>().into_bytes()
}

fn prefixed(records: &[Value], prefix: &str) -> Vec<u8> {
    records.iter().map(|record| format!("{prefix}{record}\n")).collect::<String>().into_bytes()
}

pub(super) fn container(records: &[Value]) -> Vec<u8> {
    prefixed(records, "2026-07-20T08:02:27.123456789Z stdout F ")
}

pub(super) fn syslog(records: &[Value]) -> Vec<u8> {
    prefixed(records, "<134>1 2026-07-20T08:02:27.123Z host-1 gateway 42 - - ")
}

pub(super) fn compose(records: &[Value]) -> Vec<u8> {
    prefixed(records, "gateway-1  | ")
}

pub(super) fn logger(records: &[Value]) -> Vec<u8> {
    prefixed(records, "2026-07-20 08:02:27,123 INFO [main] gateway.calls - ")
}

/// Each record as a JSON text in a JSON text.
pub(super) fn quoted(records: &[Value]) -> Vec<u8> {
    records.iter().map(|record| format!("{}\n", Value::from(record.to_string()))).collect::<String>().into_bytes()
}

pub(super) fn gz(records: &[Value]) -> Vec<u8> {
    gzip(&lines(records))
}

pub(super) fn gz_in_gz(records: &[Value]) -> Vec<u8> {
    gzip(&gz(records))
}

/// Several members in a row, as appending rotators leave them.
pub(super) fn gz_members(records: &[Value]) -> Vec<u8> {
    records.chunks(200).flat_map(gz).collect()
}

pub(super) fn zst(records: &[Value]) -> Vec<u8> {
    zstd::encode_all(lines(records).as_slice(), 3).expect("memory takes it")
}

pub(super) fn zst_frames(records: &[Value]) -> Vec<u8> {
    records.chunks(200).flat_map(zst).collect()
}

/// zstd frames, each after its length, as OpenTelemetry's collector writes them.
pub(super) fn zst_after_lengths(records: &[Value]) -> Vec<u8> {
    let frame = |records: &[Value]| {
        let packed = zstd::encode_all(lines(records).trim_ascii_end(), 3).expect("memory takes it");
        [&u32::try_from(packed.len()).expect("a short frame").to_be_bytes(), packed.as_slice()].concat()
    };
    records.chunks(50).flat_map(frame).collect()
}

/// UTF-16 with a mark or without, in either order of bytes.
fn utf_16(records: &[Value], mark: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    let text = mark.to_owned() + &String::from_utf8(lines(records)).expect("UTF-8");
    text.encode_utf16().flat_map(bytes).collect()
}

fn utf_32(records: &[Value], mark: &str, bytes: fn(u32) -> [u8; 4]) -> Vec<u8> {
    let text = mark.to_owned() + &String::from_utf8(lines(records)).expect("UTF-8");
    text.chars().map(u32::from).flat_map(bytes).collect()
}

pub(super) fn utf_16_le(records: &[Value]) -> Vec<u8> {
    utf_16(records, "", u16::to_le_bytes)
}

pub(super) fn utf_16_be(records: &[Value]) -> Vec<u8> {
    utf_16(records, "", u16::to_be_bytes)
}

pub(super) fn utf_16_le_marked(records: &[Value]) -> Vec<u8> {
    utf_16(records, "\u{feff}", u16::to_le_bytes)
}

pub(super) fn utf_16_be_marked(records: &[Value]) -> Vec<u8> {
    utf_16(records, "\u{feff}", u16::to_be_bytes)
}

pub(super) fn utf_32_le(records: &[Value]) -> Vec<u8> {
    utf_32(records, "", u32::to_le_bytes)
}

pub(super) fn utf_32_be(records: &[Value]) -> Vec<u8> {
    utf_32(records, "\u{feff}", u32::to_be_bytes)
}

pub(super) fn utf_16_in_gz(records: &[Value]) -> Vec<u8> {
    gzip(&utf_16_le_marked(records))
}

// Tables, with the keys of the records as columns; what is no text stands as JSON.

pub(super) fn csv(records: &[Value]) -> Vec<u8> {
    table(records, ",", "\n")
}

pub(super) fn csv_of_windows(records: &[Value]) -> Vec<u8> {
    ["\u{feff}".as_bytes(), &table(records, ";", "\r\n")].concat()
}

pub(super) fn tsv(records: &[Value]) -> Vec<u8> {
    table(records, "\t", "\n")
}

/// As Spark and MySQL write it.
pub(super) fn csv_with_backslashes(records: &[Value]) -> Vec<u8> {
    let columns = columns(records);
    let cell = |record: &Value, name: &String| match &record[name.as_str()] {
        Value::Null => String::new(),
        Value::String(text) => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
        other => format!("\"{}\"", other.to_string().replace('\\', "\\\\").replace('"', "\\\"")),
    };
    let row = |record| columns.iter().map(|name| cell(record, name)).collect::<Vec<_>>().join(",") + "\n";
    let header = columns.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(",") + "\n";
    (header + &records.iter().map(row).collect::<String>()).into_bytes()
}

pub(super) fn csv_behind_headings(records: &[Value]) -> Vec<u8> {
    ["\u{feff}Calls of June\nWho,,What\n".as_bytes(), &csv(records)].concat()
}

/// The first column as Log Analytics exports those of times.
pub(super) fn csv_with_zones(records: &[Value]) -> Vec<u8> {
    let text = String::from_utf8(csv(records)).expect("UTF-8");
    let (header, rows) = text.split_once('\n').expect("a header");
    let times =
        ["TimeGenerated", "startTime", "start_time", "logging_time", "timestamp", "created_at", "request_created_at"];
    let zoned = |name: &str| if times.contains(&name) { format!("{name} [UTC]") } else { name.to_owned() };
    let header: Vec<String> = header.split(',').map(zoned).collect();
    format!("\u{feff}{}\n{rows}", header.join(",")).into_bytes()
}

pub(super) fn log_analytics(records: &[Value]) -> Vec<u8> {
    let columns = columns(records);
    let rows: Vec<Value> =
        records.iter().map(|record| columns.iter().map(|name| record[name.as_str()].clone()).collect()).collect();
    let columns: Vec<Value> = columns.iter().map(|name| json!({"name": name, "type": "string"})).collect();
    json!({"tables": [{"name": "PrimaryResult", "columns": columns, "rows": rows}]}).to_string().into_bytes()
}

pub(super) fn big_query(records: &[Value]) -> Vec<u8> {
    let columns = columns(records);
    let row = |record: &Value| {
        let cells: Vec<Value> = columns.iter().map(|name| json!({"v": record[name.as_str()]})).collect();
        json!({"f": cells})
    };
    let rows: Vec<Value> = records.iter().map(row).collect();
    let fields: Vec<Value> = columns.iter().map(|name| json!({"name": name, "type": "STRING"})).collect();
    json!({"kind": "bigquery#queryResponse", "schema": {"fields": fields}, "rows": rows}).to_string().into_bytes()
}

fn columns(records: &[Value]) -> Vec<&String> {
    records.first().and_then(Value::as_object).expect("a record").keys().collect()
}

fn table(records: &[Value], divider: &str, end: &str) -> Vec<u8> {
    let columns = columns(records);
    let mut text = Vec::new();
    write!(text, "{}{end}", columns.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(divider))
        .expect("memory");
    for record in records {
        let cell = |name: &&String| match &record[name.as_str()] {
            Value::Null => String::new(),
            Value::String(text) => quoted_cell(text),
            other => quoted_cell(&other.to_string()),
        };
        write!(text, "{}{end}", columns.iter().map(cell).collect::<Vec<_>>().join(divider)).expect("memory");
    }
    text
}

fn quoted_cell(text: &str) -> String {
    if text.contains([',', ';', '\t', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
