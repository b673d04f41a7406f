//! The same traffic in every shape that is read gives the same findings.
//!
//! A shape is compared with the native records of the facts that it carries, and all that a hunt says of what it found must
//! be equal to the byte: campaigns, accounts, evidence, samples, tokens, population, blind spots. What is read is checked as
//! well: as many exchanges, in the format that is meant, nothing bad, damaged or incomplete.

#![expect(clippy::indexing_slicing, reason = "keys of JSON that the test made or the program printed")]

mod framings;
mod records;
mod spans;
mod traffic;
mod wrappers;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};
use spans::Span;
use traffic::{ALL, Call, Facts, NO_AGENT, NO_CLIENT, calls};
use wrappers::{Line, WRAPPERS};

use crate::cli::{Folder, members, run};

/// Shapes that are not read as they should be yet, with the reason. A test fails when one of them is.
const GAPS: [(&str, &str); 0] = [];

type Record = fn(&Call) -> Value;
type Convention = fn(&Call) -> Span;
type Encoding = fn(&[Span]) -> Vec<Value>;
type Traces = fn(&[Call]) -> Vec<Value>;
type Framing = fn(&[Value]) -> Vec<u8>;

/// Each source that writes records, and logged bodies: name, format, what it carries.
const RECORDS: [(&str, &str, Facts, Record); 28] = [
    ("native", "native", ALL, |call| call.native(ALL)),
    ("native synonyms", "native", ALL, records::native_synonyms),
    ("DynamoDB items", "native", ALL, records::dynamodb),
    ("LiteLLM", "litellm", ALL, records::litellm),
    ("LiteLLM callback", "litellm", ALL, records::litellm_callback),
    ("LiteLLM pass-through", "litellm", ALL, records::litellm_pass_through),
    ("LiteLLM spend", "litellm-spend", ALL, records::litellm_spend),
    ("Bedrock Converse", "bedrock", Facts { arns: true, ..NO_AGENT }, records::bedrock_converse),
    ("Bedrock Anthropic", "bedrock", Facts { arns: true, ..NO_AGENT }, records::bedrock_anthropic),
    ("Langfuse", "langfuse", ALL, records::langfuse),
    ("Langfuse API", "langfuse", ALL, records::langfuse_api),
    ("Helicone", "helicone", NO_AGENT, records::helicone),
    ("Portkey", "portkey", NO_AGENT, records::portkey),
    ("Kong", "kong", ALL, records::kong),
    ("Azure APIM", "azure-apim", NO_AGENT, records::azure_apim),
    ("Azure APIM diagnostics", "azure-apim", NO_AGENT, records::azure_apim_diagnostics),
    ("Azure OpenAI", "azure-openai", Facts { texts: false, tokens: false, ..NO_CLIENT }, records::azure_openai),
    ("Vertex", "vertex", NO_AGENT, records::vertex),
    ("Vertex Anthropic", "vertex", NO_AGENT, records::vertex_anthropic),
    ("LangSmith", "langsmith", ALL, records::langsmith),
    ("OpenAI chat", "openai", ALL, records::openai_chat),
    ("OpenAI chat, bodies as texts", "openai", ALL, records::openai_texts),
    ("OpenAI responses", "openai", ALL, records::openai_responses),
    ("OpenAI chunks", "openai", ALL, records::openai_chunks),
    ("OpenAI event stream", "openai", ALL, records::openai_events),
    ("OpenAI flat", "openai", ALL, records::openai_flat),
    ("OpenAI HTTP", "openai", ALL, records::openai_http),
    ("Anthropic", "anthropic", ALL, records::anthropic),
];

/// Bodies of Gemini are read by the reader of OpenAI's.
const GEMINI: (&str, &str, Facts, Record) = ("Gemini", "openai", ALL, records::gemini);

/// Each convention that spans follow.
const CONVENTIONS: [(&str, &str, Facts, Convention); 14] = [
    ("OTLP", "otlp", ALL, spans::otlp),
    ("OTLP indexed", "otlp", ALL, spans::otlp_indexed),
    ("OTLP events", "otlp", ALL, spans::otlp_events),
    ("OTLP content events", "otlp", ALL, spans::otlp_content_events),
    ("LiteLLM OTLP", "litellm-otlp", ALL, spans::litellm_otlp),
    ("Langfuse OTLP", "langfuse-otlp", ALL, spans::langfuse_otlp),
    ("OpenInference", "openinference", ALL, spans::openinference),
    ("OpenInference bodies", "openinference", ALL, spans::openinference_bodies),
    ("Vercel", "vercel", ALL, spans::vercel),
    ("OpenLLMetry", "openllmetry", ALL, spans::openllmetry),
    ("OpenLLMetry, old names", "openllmetry", ALL, spans::openllmetry_old),
    ("Logfire", "logfire", ALL, spans::logfire),
    ("Logfire client", "logfire", ALL, spans::logfire_client),
    ("MLflow", "mlflow", NO_CLIENT, spans::mlflow),
];

/// Each encoding of spans, and whether it has a place for events.
const ENCODINGS: [(&str, bool, Encoding); 12] = [
    ("many to an export", true, spans::many_to_an_export),
    ("Python console", true, spans::python_console),
    ("one to an export", true, spans::one_to_an_export),
    ("instrumentation library", true, spans::instrumentation_library),
    ("snake case", true, spans::in_snake_case),
    ("marshalled by Go", true, spans::marshalled_by_go),
    ("Tempo", true, spans::tempo),
    ("JavaScript console", true, spans::javascript_console),
    ("Jaeger", false, spans::jaeger),
    ("Jaeger in Elasticsearch", false, spans::jaeger_in_elasticsearch),
    ("Zipkin", false, spans::zipkin),
    ("ClickHouse", true, spans::clickhouse),
];

/// Calls whose facts stand in several spans or log records.
const TRACES: [(&str, Traces); 6] = [
    ("logs after spans", spans::logs_after_spans),
    ("logs before spans", spans::logs_before_spans),
    ("turns in logs", spans::turns_in_logs),
    ("account on the root", spans::account_on_the_root),
    ("children before parents", spans::children_before_parents),
    ("parents before children", spans::parents_before_children),
];

const FRAMINGS: [(&str, Framing); 29] = [
    ("lines", framings::lines),
    ("CRLF", framings::crlf),
    ("no newline at the end", framings::no_newline_at_the_end),
    ("byte order mark", framings::byte_order_mark),
    ("pretty", framings::pretty),
    ("array", framings::array),
    ("pretty array", framings::pretty_array),
    ("array of lines", framings::array_of_lines),
    ("lines of arrays", framings::lines_of_arrays),
    ("joined", framings::joined),
    ("text sequence", framings::text_sequence),
    ("container", framings::container),
    ("syslog", framings::syslog),
    ("compose", framings::compose),
    ("logger", framings::logger),
    ("quoted", framings::quoted),
    ("gzip", framings::gz),
    ("gzip in gzip", framings::gz_in_gz),
    ("gzip members", framings::gz_members),
    ("zstd", framings::zst),
    ("zstd frames", framings::zst_frames),
    ("zstd frames after lengths", framings::zst_after_lengths),
    ("UTF-16LE", framings::utf_16_le),
    ("UTF-16BE", framings::utf_16_be),
    ("UTF-16LE with a mark", framings::utf_16_le_marked),
    ("UTF-16BE with a mark", framings::utf_16_be_marked),
    ("UTF-32LE", framings::utf_32_le),
    ("UTF-32BE with a mark", framings::utf_32_be),
    ("UTF-16 in gzip", framings::utf_16_in_gz),
];

const TABLES: [(&str, Framing); 6] = [
    ("CSV", framings::csv),
    ("CSV of Windows", framings::csv_of_windows),
    ("CSV with backslashes", framings::csv_with_backslashes),
    ("CSV behind headings", framings::csv_behind_headings),
    ("CSV with zones", framings::csv_with_zones),
    ("TSV", framings::tsv),
];

const TABLES_WITHIN_JSON: [(&str, Framing); 2] =
    [("Log Analytics", framings::log_analytics), ("BigQuery", framings::big_query)];

#[test]
fn every_record_gives_the_same_findings() {
    let mut shapes = Shapes::default();
    for (name, format, facts, record) in RECORDS.into_iter().chain([GEMINI]) {
        let written: Vec<Value> = calls().iter().map(record).collect();
        shapes.compare(name, format, facts, &framings::lines(&written));
    }
    shapes.end();
}

/// Calls that are told in several records.
#[test]
fn every_call_in_parts_gives_the_same_findings() {
    let mut shapes = Shapes::default();
    for (name, format, facts, written) in [
        ("Langfuse, traces before observations", "langfuse", ALL, records::langfuse_apart(calls(), true)),
        ("Langfuse, traces after observations", "langfuse", ALL, records::langfuse_apart(calls(), false)),
        ("Langfuse, ingestion", "langfuse", ALL, records::langfuse_ingestion(calls())),
    ] {
        shapes.compare(name, format, facts, &framings::lines(&written));
    }
    shapes.end();
}

#[test]
fn every_span_gives_the_same_findings() {
    let mut shapes = Shapes::default();
    for (name, format, facts, convention) in CONVENTIONS {
        let spans: Vec<Span> = calls().iter().map(convention).collect();
        let has_events = spans.iter().any(|span| !span.events.is_empty());
        // How spans are encoded is not a matter of the convention, so that few need all encodings.
        let many = if matches!(format, "otlp" | "openinference") { ENCODINGS.len() } else { 2 };
        for (encoding, keeps_events, encode) in ENCODINGS.into_iter().take(many) {
            if keeps_events || !has_events {
                let shape = format!("{name}, {encoding}");
                shapes.compare(&shape, format, facts, &framings::lines(&encode(&spans)));
            }
        }
    }
    for (name, traces) in TRACES {
        shapes.compare(name, "otlp", ALL, &framings::lines(&traces(calls())));
    }
    let rows: Vec<Value> = calls().iter().map(spans::phoenix).collect();
    shapes.compare("Phoenix rows", "openinference", ALL, &framings::lines(&rows));
    let traces: Vec<Value> = calls().iter().map(spans::mlflow_trace).collect();
    shapes.compare("MLflow traces", "mlflow", NO_CLIENT, &framings::lines(&traces));
    shapes.end();
}

#[test]
fn every_framing_gives_the_same_findings() {
    let mut shapes = Shapes::default();
    let spans: Vec<Span> = calls().iter().map(spans::otlp).collect();
    for (name, format, written) in [
        ("native", "native", calls().iter().map(|call| call.native(ALL)).collect::<Vec<_>>()),
        ("OTLP", "otlp", spans::many_to_an_export(&spans)),
    ] {
        for (framing, frame) in FRAMINGS {
            shapes.compare(&format!("{name}, {framing}"), format, ALL, &frame(&written));
        }
    }
    shapes.end();
}

#[test]
fn every_table_gives_the_same_findings() {
    let mut shapes = Shapes::default();
    let tables =
        ["LiteLLM spend", "Langfuse", "Helicone", "Portkey", "Azure APIM", "Vertex", "LangSmith", "OpenAI flat"];
    for (name, format, facts, record) in RECORDS.into_iter().filter(|(name, ..)| tables.contains(name)) {
        let written: Vec<Value> = calls().iter().map(record).collect();
        for (framing, frame) in TABLES.into_iter().chain(TABLES_WITHIN_JSON) {
            shapes.compare(&format!("{name}, {framing}"), format, facts, &frame(&written));
        }
    }
    shapes.end();
}

#[test]
fn every_wrapper_gives_the_same_findings() {
    let mut shapes = Shapes::default();
    for (name, format, record) in
        [("OpenAI chat", "openai", records::openai_chat as Record), ("LiteLLM", "litellm", records::litellm)]
    {
        let lines: Vec<Line<'_>> = calls().iter().map(|call| Line { call, record: record(call) }).collect();
        for (wrapper, wrap) in WRAPPERS {
            shapes.compare(&format!("{name}, {wrapper}"), format, ALL, &framings::lines(&wrap(&lines)));
        }
    }
    // The account that EventBridge names is not the caller.
    let lines: Vec<Line<'_>> =
        calls().iter().map(|call| Line { call, record: records::openai_by_user(call) }).collect();
    for (wrapper, wrap) in WRAPPERS.into_iter().filter(|(wrapper, _)| wrapper.starts_with("EventBridge")) {
        shapes.compare(&format!("OpenAI by user, {wrapper}"), "openai", ALL, &framings::lines(&wrap(&lines)));
    }
    shapes.end();
}

/// Every format that the program lists is among the shapes.
#[test]
fn every_format_is_written() {
    let listed = run(&["inspect", "--formats"]).stdout;
    let records = RECORDS.iter().map(|(_, format, ..)| *format);
    let written: BTreeSet<&str> = records.chain(CONVENTIONS.iter().map(|(_, format, ..)| *format)).collect();
    // Where each is documented stands on lines of its own, which begin with blanks.
    for name in listed.lines().filter(|line| !line.starts_with(' ')).filter_map(|line| line.split(' ').next()) {
        assert!(written.contains(name), "no shape is of `{name}`:\n{listed}");
    }
}

/// What came of the shapes of a test.
#[derive(Default)]
struct Shapes {
    differ: Vec<String>,
    seen: BTreeSet<String>,
}

impl Shapes {
    fn compare(&mut self, name: &str, format: &str, facts: Facts, bytes: &[u8]) {
        assert!(self.seen.insert(name.to_owned()), "two shapes are `{name}`");
        let difference = difference(name, format, facts, bytes);
        match (GAPS.iter().find(|(gap, _)| *gap == name), difference) {
            (None, Some(difference)) => self.differ.push(format!("{name}: {difference}")),
            (Some((_, reason)), None) => self.differ.push(format!("{name} is read as it should be, not: {reason}")),
            _ => {}
        }
    }

    fn end(self) {
        assert!(
            self.differ.is_empty(),
            "{} of {} shapes differ:\n{}",
            self.differ.len(),
            self.seen.len(),
            self.differ.join("\n")
        );
    }
}

/// In what the findings of a shape differ from those of the native records of the same facts.
fn difference(name: &str, format: &str, facts: Facts, bytes: &[u8]) -> Option<String> {
    let (read, found) = match hunted(name, bytes) {
        Ok(hunted) => hunted,
        Err(said) => return Some(said),
    };
    let (mut expected, findings) = native(facts);
    expected["formats"] = json!({format: calls().len()});
    READ.iter()
        .find_map(|part| first_difference(&expected[part], &read[part], part))
        .or_else(|| first_difference(&findings, &found, ""))
}

/// What must be the same of what was read. How it was unwrapped or joined, and which field named the account, may differ.
const READ: [&str; 6] = ["exchanges", "formats", "bad_lines", "damaged", "incomplete", "warnings"];

/// What was read of the native records of `facts`, and what was found.
fn native(facts: Facts) -> (Value, Value) {
    static KNOWN: Mutex<BTreeMap<Facts, (Value, Value)>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let hunted = known.entry(facts).or_insert_with(|| {
        let written: Vec<Value> = calls().iter().map(|call| call.native(facts)).collect();
        let (read, found) = hunted("expected", &framings::lines(&written)).expect("native records are read");
        assert_eq!(read["exchanges"], calls().len());
        // Where there are texts there is something to find, so that equal findings mean something.
        assert_eq!(members(&found).len() >= 50, facts.texts, "{found}");
        (read, found)
    });
    hunted.clone()
}

/// What a hunt in a file reads and what it finds, or what it says instead.
fn hunted(name: &str, bytes: &[u8]) -> Result<(Value, Value), String> {
    let folder = Folder::new(&format!("shape-{}", name.replace('/', "-")));
    let hunted = run(&["hunt", &folder.file("log", bytes), "--json"]);
    if !matches!(hunted.code, 0 | 10) {
        return Err(hunted.stderr.lines().next().unwrap_or_default().to_owned());
    }
    let mut document = hunted.json();
    Ok((document["read"].take(), document))
}

/// The first place where two documents differ, with what stands there.
fn first_difference(expected: &Value, found: &Value, path: &str) -> Option<String> {
    let within = |key: &str, expected: Option<&Value>, found: Option<&Value>| {
        let (expected, found) = (expected.unwrap_or(&Value::Null), found.unwrap_or(&Value::Null));
        first_difference(expected, found, &format!("{path}/{key}"))
    };
    match (expected, found) {
        (Value::Object(one), Value::Object(other)) => {
            let keys: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            keys.into_iter().find_map(|key| within(key, one.get(key), other.get(key)))
        }
        (Value::Array(one), Value::Array(other)) => {
            (0..one.len().max(other.len())).find_map(|at| within(&at.to_string(), one.get(at), other.get(at)))
        }
        _ if expected == found => None,
        _ => Some(format!("{path}: {found:.200} instead of {expected:.200}")),
    }
}
