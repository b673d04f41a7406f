//! Sources as tables: under which names each of them writes what an [`Exchange`](crate::Exchange) holds.
//!
//! A table is a file in `sources/`, so that a source is added without code: its name, where its names are documented, by
//! which keys its records are known, and a list of paths for each fact, of which the first found wins. The tables are part
//! of the program; [`Mapping::all`] parses them once. What a table may say is what the fields of [`Mapping`] are.
//!
//! A path is a key, or keys joined by dots (`metadata.user_id`, `choices.0.message`). A key that has dots in it itself,
//! as OpenTelemetry's attributes do, is found under its whole name first. Instead of a path, a list of identities may name
//! another one (`@key`): what was found for it stands here too. A key `*` is the first one under which the rest of the path
//! is found (`ai.*.usage.prompt_tokens`).
//!
//! Who, when and where from are also found under names that [are alike](alike): loggers spell the same word in many ways.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;

use crate::json::{Json, Marks, Object, mark};
use crate::place::{Half, Side, Span};

/// One source.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Mapping {
    /// Its name on the command line and in reports.
    pub(crate) name: String,
    /// What it is, in a few words.
    pub(crate) title: String,
    /// Where its names are documented.
    pub(crate) source: String,
    /// The version that was read.
    pub(crate) version: String,
    /// Whether its records are spans, or objects of their own.
    pub(crate) layer: Layer,
    /// A span table that holds what this one does not say; its paths come behind those of this one.
    pub(crate) extends: Option<String>,
    /// Any of these tells one of its records.
    pub(crate) recognise: Vec<Condition>,
    /// Any of these tells a model call; without any, each record is one.
    pub(crate) call: Vec<Condition>,
    /// Any of these tells a span around calls, which is a call itself where none within it was logged.
    pub(crate) outer: Vec<Condition>,
    /// Any of these tells a record that is no call of its own.
    pub(crate) skip: Vec<Skip>,
    /// Events that tell of a record, which stands at a path within.
    pub(crate) event: Vec<Event>,
    /// Any of these tells a record of what was asked only; what came back follows under the same id.
    pub(crate) asked: Vec<Condition>,
    /// Any of these tells a record of what came back only.
    pub(crate) answered: Vec<Condition>,
    /// The id of what a record is part of, whose own record may name who asked. That one has it as its own id.
    pub(crate) part_of: Vec<String>,
    /// Texts that stand for a missing one.
    pub(crate) placeholders: Vec<String>,
    /// Values that hold JSON in a string, to be opened before anything is looked for.
    pub(crate) open: Vec<String>,

    // Identities. Each may name others by `@`.
    pub(crate) account: Vec<String>,
    /// What is told where none of these is there.
    #[serde(skip)]
    pub(crate) account_expected: String,
    pub(crate) user: Vec<String>,
    pub(crate) key: Vec<String>,
    pub(crate) team: Vec<String>,
    pub(crate) org: Vec<String>,
    pub(crate) end_user: Vec<String>,
    /// Objects whose keys are anybody's choice: a value that the accounts file names is the end user.
    pub(crate) known_end_user: Vec<String>,
    pub(crate) service: Vec<String>,
    /// An ARN of AWS: the caller without the name of an assumed role's session, which becomes the key.
    pub(crate) arn: Vec<String>,
    pub(crate) session: Vec<String>,

    // When and what.
    pub(crate) id: Vec<String>,
    /// Ids of the group of attempts at one call, of which all but the last failed. Attempts need have but one of them in
    /// common.
    pub(crate) attempts: Vec<String>,
    /// Whether a throttled request and an equal one soon after it are attempts at one call, without any id in common.
    pub(crate) repeats_when_throttled: bool,
    pub(crate) time: Vec<String>,
    pub(crate) end: Vec<String>,
    pub(crate) duration_ms: Vec<String>,
    pub(crate) duration_s: Vec<String>,
    pub(crate) operation: Vec<String>,
    /// Words of the source for an operation.
    pub(crate) operations: BTreeMap<String, String>,
    pub(crate) model: Vec<String>,
    pub(crate) status: Vec<String>,
    /// Words of the source for an HTTP status.
    pub(crate) statuses: BTreeMap<String, u16>,
    /// Present and not empty when the call failed.
    pub(crate) error: Vec<String>,

    // Where from.
    pub(crate) ip: Vec<String>,
    pub(crate) asn: Vec<String>,
    pub(crate) country: Vec<String>,
    pub(crate) ja4: Vec<String>,
    pub(crate) user_agent: Vec<String>,
    /// Lists of tags, among them `User-Agent: …`.
    pub(crate) user_agent_tags: Vec<String>,

    // What was asked.
    /// A request body of any API.
    pub(crate) request: Vec<String>,
    pub(crate) system: Vec<String>,
    pub(crate) messages: Vec<String>,
    /// Turns under numbered keys that begin so.
    pub(crate) indexed_messages: Vec<String>,
    /// Where this holds, the only turn is the request body as text.
    pub(crate) body_in_turn: Vec<Condition>,
    pub(crate) tools: Vec<String>,
    pub(crate) indexed_tools: Vec<String>,
    /// Objects of settings, under the names of any API.
    pub(crate) params: Vec<String>,
    /// Single settings, by the name an API has for them.
    pub(crate) param: BTreeMap<String, Vec<String>>,

    // What came back.
    /// A response body of any API.
    pub(crate) response: Vec<String>,
    /// A turn of the model, or a list of them.
    pub(crate) output: Vec<String>,
    pub(crate) indexed_output: Vec<String>,
    pub(crate) finish_reason: Vec<String>,
    /// An object of token counts, under the names of any API.
    pub(crate) usage: Vec<String>,
    pub(crate) tokens: Tokens,
    /// Where a body lies that is not in the record.
    pub(crate) elsewhere: Vec<String>,
}

/// Token counts.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Tokens {
    pub(crate) input: Vec<String>,
    pub(crate) output: Vec<String>,
    pub(crate) reasoning: Vec<String>,
    pub(crate) cached: Vec<String>,
    /// Written to the cache. With it, `input` counts neither these nor `cached`.
    pub(crate) written: Vec<String>,
}

/// What a table's records are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Layer {
    /// Objects of their own.
    #[default]
    Record,
    /// Spans, as [`span`](crate::span) flattens them.
    Span,
}

/// Something that holds of a record when every part of it does.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Condition {
    /// All of these paths hold something.
    pub(crate) has: Vec<String>,
    /// One of these does.
    pub(crate) any: Vec<String>,
    /// None of these does.
    pub(crate) lacks: Vec<String>,
    /// Some key begins with one of these.
    pub(crate) keys: Vec<String>,
    /// This path holds one of the words of `is`, or a text that contains one of `contains`, in any case.
    pub(crate) path: Option<String>,
    pub(crate) is: Vec<String>,
    pub(crate) contains: Vec<String>,
    /// This path holds a number above zero.
    pub(crate) above_zero: Option<String>,
}

/// A condition under which a record is stepped over, and why.
#[derive(Debug, Deserialize)]
pub(crate) struct Skip {
    /// Why, in a few words.
    pub(crate) why: String,
    #[serde(flatten)]
    pub(crate) when: Condition,
}

/// What tells an event, and where in it the record stands.
#[derive(Debug, Deserialize)]
pub(crate) struct Event {
    /// The path of the record.
    pub(crate) at: String,
    #[serde(flatten)]
    pub(crate) when: Condition,
}

impl Mapping {
    /// Every table, in the order in which records are recognised.
    pub(crate) fn all() -> &'static [Mapping] {
        static ALL: OnceLock<Vec<Mapping>> = OnceLock::new();
        ALL.get_or_init(|| {
            let mut tables: Vec<Mapping> = SOURCES.iter().filter_map(|text| toml::from_str(text).ok()).collect();
            for at in 0..tables.len() {
                let base = tables.get(at).and_then(|table| table.extends.clone());
                let base = base.and_then(|name| tables.iter().position(|table| table.name == name));
                if let Some(base) = base
                    && let Ok([table, base]) = tables.get_disjoint_mut([at, base])
                {
                    table.extend(base);
                }
            }
            for table in &mut tables {
                table.account_expected = table.accounts_named();
            }
            tables
        })
    }

    /// The paths that may name an account, for a message.
    fn accounts_named(&self) -> String {
        let lists = self.account.iter().map(|path| match path.strip_prefix('@') {
            None => std::slice::from_ref(path),
            Some("user") => &self.user,
            Some("key") => &self.key,
            Some("team") => &self.team,
            Some("org") => &self.org,
            Some("end_user") => &self.end_user,
            Some("arn") => &self.arn,
            Some(_) => &self.service,
        });
        let paths: Vec<String> = lists.flatten().map(|path| format!("`{path}`")).collect();
        format!("one of {}", paths.join(", "))
    }

    /// Whether a record may be one of its own that a table knows. It is nearly free, and says no of most others.
    pub(crate) fn may_know(record: &Object<'_>) -> bool {
        static MARKS: OnceLock<Marks> = OnceLock::new();
        let marks = MARKS.get_or_init(|| {
            let tables = Mapping::all().iter().filter(|table| table.layer == Layer::Record);
            let first = tables.flat_map(|table| &table.recognise).filter_map(|condition| condition.has.first());
            let mut marks = Marks::default();
            first.for_each(|path| {
                marks.meets(mark(path.split('.').next().unwrap_or_default()));
            });
            marks
        });
        record.marks().any(|mark| marks.may_hold(mark))
    }

    /// The table that knows a record of this kind.
    pub(crate) fn of(layer: Layer, record: &Object<'_>) -> Option<(usize, &'static Mapping)> {
        if layer == Layer::Record && !Mapping::may_know(record) {
            return None;
        }
        let mut tables = Mapping::all().iter().enumerate().filter(|(_, table)| table.layer == layer);
        tables.find(|(_, table)| table.recognise.iter().any(|condition| condition.holds(record)))
    }

    /// Whether a record is a model call.
    pub(crate) fn is_call(&self, record: &Object<'_>) -> bool {
        self.call.is_empty() || self.call.iter().any(|condition| condition.holds(record))
    }

    /// Whether it is one only where no call is within it.
    pub(crate) fn is_outer(&self, record: &Object<'_>) -> bool {
        !self.outer.is_empty() && !self.is_call(record) && self.outer.iter().any(|condition| condition.holds(record))
    }

    /// The record that an event tells of, with the kind and the time of the event where it has none; any other as it is.
    pub(crate) fn told<'a>(&self, mut record: Object<'a>) -> Object<'a> {
        let at = self.event.iter().find(|event| event.when.holds(&record)).map(|event| event.at.as_str());
        match at.and_then(|at| record.take_at(at)) {
            Some(Json::Object(mut inner)) => {
                for key in ["type", "timestamp"] {
                    if !inner.has(key)
                        && let Some(value) = record.take(key)
                    {
                        inner.push(Cow::Borrowed(key), value);
                    }
                }
                inner
            }
            _ => record,
        }
    }

    /// Where a record stands in what it is part of. Whoever wrote the parts between says no more about who asked.
    pub(crate) fn place(&self, record: &Object<'_>) -> Option<Span> {
        let id = |paths: &[String]| paths.iter().find_map(|path| record.find(path)?.clone().id()).map(Cow::into_owned);
        let trace = id(&self.part_of)?;
        let id = id(&self.id).unwrap_or_default();
        let parent = Some(trace.clone()).filter(|trace| *trace != id);
        Some(Span { trace, id, parent, end: None, is_log: false })
    }

    /// Which part of a call a record holds, where another holds the rest.
    pub(crate) fn half(&self, record: &Object<'_>) -> Option<Half> {
        let holds = |conditions: &[Condition]| conditions.iter().any(|condition| condition.holds(record));
        let side = if holds(&self.asked) {
            Side::Asked
        } else if holds(&self.answered) {
            Side::Answered
        } else {
            return None;
        };
        let id = self.id.iter().find_map(|path| record.find(path)?.clone().id())?;
        Some(Half { side, id: id.into_owned() })
    }

    /// Why a record is none.
    pub(crate) fn skips(&self, record: &Object<'_>) -> Option<&str> {
        self.skip.iter().find(|skip| skip.when.holds(record)).map(|skip| skip.why.as_str())
    }

    /// Puts what `base` says behind what this says.
    fn extend(&mut self, base: &Mapping) {
        macro_rules! behind {
            ($($list:ident).+) => {
                let have: Vec<String> = std::mem::take(&mut self.$($list).+);
                let new = base.$($list).+.iter().filter(|path| !have.contains(path)).cloned();
                self.$($list).+ = have.iter().cloned().chain(new).collect();
            };
        }
        behind!(open);
        behind!(account);
        behind!(user);
        behind!(key);
        behind!(team);
        behind!(org);
        behind!(end_user);
        behind!(service);
        behind!(session);
        behind!(time);
        behind!(end);
        behind!(operation);
        behind!(model);
        behind!(status);
        behind!(error);
        behind!(ip);
        behind!(country);
        behind!(ja4);
        behind!(user_agent);
        behind!(system);
        behind!(messages);
        behind!(indexed_messages);
        behind!(tools);
        behind!(indexed_tools);
        behind!(output);
        behind!(indexed_output);
        behind!(finish_reason);
        behind!(tokens.input);
        behind!(tokens.output);
        behind!(tokens.reasoning);
        behind!(tokens.cached);
        for (word, operation) in &base.operations {
            self.operations.entry(word.clone()).or_insert_with(|| operation.clone());
        }
        for (setting, paths) in &base.param {
            self.param.entry(setting.clone()).or_default().extend(paths.iter().cloned());
        }
    }
}

/// What stands at a path whose keys may be written in other case, and with other marks between their words: `userId`,
/// `user-id` and `UserID` for `user_id`.
pub(crate) fn alike<'o, 'a>(record: &'o Object<'a>, path: &str) -> Option<&'o Json<'a>> {
    let get = |name: &str| record.get(record.keys().find(|key| are_alike(key, name) && record.has(key))?);
    get(path).or_else(|| {
        path.match_indices('.').find_map(|(dot, _)| {
            let (head, rest) = (path.get(..dot)?, path.get(dot + 1..)?);
            match get(head)? {
                Json::Object(inner) => alike(inner, rest),
                _ => None,
            }
        })
    })
}

fn are_alike(key: &str, name: &str) -> bool {
    fn letters(text: &str) -> impl Iterator<Item = u8> {
        text.bytes().filter(|byte| !matches!(byte, b'_' | b'-' | b'.')).map(|byte| byte.to_ascii_lowercase())
    }
    letters(key).eq(letters(name))
}

/// The path that one with `*` in it stands for in this record.
pub(crate) fn any_key(record: &Object<'_>, path: &str) -> Option<String> {
    let (head, rest) = path.split_once(".*.")?;
    let Some(Json::Object(inner)) = record.find(head) else { return None };
    let mut paths = inner.keys().map(|key| format!("{head}.{key}.{rest}"));
    paths.find(|path| record.find(path).is_some_and(|json| !json.is_empty()))
}

impl Condition {
    pub(crate) fn holds(&self, record: &Object<'_>) -> bool {
        let has = |path: &String| record.find(path).is_some();
        self.has.iter().all(has)
            && (self.any.is_empty() || self.any.iter().any(has))
            && !self.lacks.iter().any(has)
            && (self.keys.is_empty()
                || record.keys().any(|key| self.keys.iter().any(|prefix| key.starts_with(prefix.as_str()))))
            && self.above_zero.as_ref().is_none_or(|path| {
                record.find(path).and_then(|json| json.clone().whole::<u64>()).is_some_and(|number| number > 0)
            })
            && self.path.as_ref().is_none_or(|path| match record.find(path) {
                Some(Json::Text(text)) => {
                    let text = text.to_ascii_lowercase();
                    self.is.iter().any(|word| text == word.to_ascii_lowercase())
                        || self.contains.iter().any(|part| text.contains(&part.to_ascii_lowercase()))
                }
                _ => false,
            })
    }
}

macro_rules! sources {
    ($($name:literal),* $(,)?) => {
        [$(include_str!(concat!("../sources/", $name, ".toml"))),*]
    };
}

/// Records of their own before spans; among spans, those that say more than the common convention before it.
const SOURCES: [&str; 19] = sources![
    "litellm",
    "litellm-spend",
    "bedrock",
    "langfuse",
    "helicone",
    "portkey",
    "kong",
    "azure-openai",
    "azure-apim",
    "vertex",
    "langsmith",
    "litellm-otlp",
    "langfuse-otlp",
    "openinference",
    "mlflow",
    "vercel",
    "openllmetry",
    "logfire",
    "otlp",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_table_is_read_and_says_what_it_is() {
        for text in SOURCES {
            let table: Mapping = toml::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
            assert!(!table.name.is_empty() && !table.title.is_empty(), "{}", table.name);
            assert!(!table.source.is_empty() && !table.version.is_empty(), "{}", table.name);
            assert!(!table.recognise.is_empty(), "{}", table.name);
            // `may_know` looks at the first key of each condition.
            let is_known_by_key = |condition: &Condition| table.layer == Layer::Span || !condition.has.is_empty();
            assert!(table.recognise.iter().all(is_known_by_key), "{}", table.name);
        }
        assert_eq!(Mapping::all().len(), SOURCES.len());
        let names: BTreeSet<&str> = Mapping::all().iter().map(|table| table.name.as_str()).collect();
        assert_eq!(names.len(), SOURCES.len());
    }

    /// Native records are most of what is read, and must not pay for the tables.
    #[test]
    fn a_native_record_is_told_from_all_tables_at_once() {
        let record = r#"{"id":"x","time":1,"account":"a","org":"o","key":"k","end_user":"u","session":"s","operation":"chat",
            "model":"m","client":{},"request":{},"response":{},"usage":{},"status":200,"duration_ms":1,"fingerprint":{}}"#;
        assert!(!Mapping::may_know(&Json::parse(record).unwrap().object().unwrap()));
    }

    #[test]
    fn names_are_alike_whatever_their_case_and_marks() {
        for key in ["user_id", "userId", "UserID", "user-id", "USER_ID", "user.id"] {
            assert!(are_alike(key, "user_id") && are_alike(key, "userId"), "{key}");
        }
        for key in ["user", "user_ids", "users_id", ""] {
            assert!(!are_alike(key, "user_id"), "{key}");
        }
        let record = Json::parse(r#"{"Meta-Data":{"userId":"ann"},"ai":{"x":{"n":null},"y":{"n":7}}}"#).unwrap();
        let record = record.object().unwrap();
        assert_eq!(alike(&record, "metadata.user_id"), Some(&Json::Text("ann".into())));
        assert_eq!(any_key(&record, "ai.*.n").as_deref(), Some("ai.y.n"));
        assert_eq!(any_key(&record, "ai.*.m"), None);
    }

    #[test]
    fn identities_name_only_each_other() {
        for table in Mapping::all() {
            let lists =
                [&table.account, &table.user, &table.key, &table.team, &table.org, &table.end_user, &table.session];
            for reference in lists.into_iter().flatten().filter_map(|path| path.strip_prefix('@')) {
                let known = ["user", "key", "team", "org", "end_user", "service", "arn"];
                assert!(known.contains(&reference), "{}: @{reference}", table.name);
            }
        }
    }
}
