//! Reads a record by the table of its source.
//!
//! The order in which facts are looked for is the same for every source; only where they stand differs. What does not fit
//! is dropped and noted; only a record without time, or without anything that could be an account, is bad.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::bad::{BadRecord, Damages, Notes, Remark};
use crate::body::{self, Answer};
use crate::call::{Call, Who};
use crate::content;
use crate::fields::Fields;
use crate::format::Format;
use crate::json::{Json, Object};
use crate::mapping::{Mapping, alike, any_key};
use crate::place::{Side, Span};
use crate::position::Position;
use crate::record::{Client, Content, Exchange, Message, Operation, Part, Request, Role, Tool, Usage, is_default};
use crate::secret::secret_free;
use crate::time::Time;

/// A record and its table.
pub(crate) struct Mapped<'a, 'n> {
    record: Object<'a>,
    table: &'static Mapping,
    notes: &'n mut Notes,
}

/// What a request body says besides what was asked.
#[derive(Default)]
struct Body<'a> {
    model: Option<Cow<'a, str>>,
    operation: Option<Operation>,
}

/// Who a record says it was.
#[derive(Default)]
struct Identities<'a> {
    user: Option<Cow<'a, str>>,
    key: Option<Cow<'a, str>>,
    team: Option<Cow<'a, str>>,
    org: Option<Cow<'a, str>>,
    end_user: Option<Cow<'a, str>>,
    service: Option<Cow<'a, str>>,
    arn: Option<Cow<'a, str>>,
}

impl<'a> Identities<'a> {
    fn or(self, other: Self) -> Self {
        Identities {
            user: self.user.or(other.user),
            key: self.key.or(other.key),
            team: self.team.or(other.team),
            org: self.org.or(other.org),
            end_user: self.end_user.or(other.end_user),
            service: self.service.or(other.service),
            arn: self.arn.or(other.arn),
        }
    }
}

/// How the names of a source are written.
#[derive(Clone, Copy, Debug)]
enum Spelling {
    /// As they are documented.
    Documented,
    /// In other case or with other marks between their words; see [`alike`].
    Alike,
}

/// Reads one record as a call, or as facts about one.
///
/// # Errors
///
/// Says which of time and account is missing.
pub(crate) fn read<'a>(
    record: Object<'a>,
    table: &'static Mapping,
    position: &Position<'_>,
    ordinal: u64,
    span: Option<Span>,
    has_account: bool,
    notes: &mut Notes,
) -> Result<Call<'a>, BadRecord> {
    let mut mapped = Mapped { record, table, notes };
    mapped.open();
    // What makes a call may stand within JSON in a string.
    let (is_call, is_outer) = (table.is_call(&mapped.record), table.is_outer(&mapped.record));
    let half = table.half(&mapped.record);
    let time = mapped.time()?;
    let body_in_turn = table.body_in_turn.iter().any(|condition| condition.holds(&mapped.record));
    let (ids, (account, who)) = mapped.identified();
    if who == Who::Nobody && span.is_none() && !has_account {
        return Err(BadRecord::Missing { field: "account", expected: &table.account_expected });
    }
    let org = mapped.org(&ids);
    let session = mapped.id(&table.session);
    let of_attempts = table.attempts.iter().filter_map(|path| mapped.id(std::slice::from_ref(path)));
    let attempts = of_attempts.map(Cow::into_owned).collect();
    let id = mapped.id(&table.id).map(Into::into);
    let end = mapped.at(&table.end, Json::time).or(span.as_ref().and_then(|span| span.end));
    // What came back alone does not say when it was asked.
    let is_answer = half.as_ref().is_some_and(|half| half.side == Side::Answered);
    let duration_ms = if is_answer { None } else { mapped.duration_ms(time, end) };
    let client = mapped.client();
    let (status, failed) = mapped.status();
    let word = mapped.at(&table.operation, Json::text);
    let mut model = mapped.at(&table.model, Json::text).filter(|model| !is_nothing(model));
    let usage = mapped.tokens();
    let finish_reason = mapped.finish_reason();
    let (mut request, body) = mapped.request(body_in_turn);
    model = model.or(body.model);
    if word.as_deref().is_some_and(|word| word.to_ascii_lowercase().ends_with("stream")) {
        request.params.stream = request.params.stream.or(Some(true));
    }
    let operation = mapped.operation(word, body.operation, model.as_deref());
    let mut answer = mapped.answer();
    if answer.response.finish_reason.is_none()
        && let Some(reason) = finish_reason
    {
        answer.finish(reason);
    }
    if table.elsewhere.iter().any(|path| mapped.record.find(path).is_some()) {
        mapped.notes.remark(Remark::Elsewhere);
    }
    let end_user = ids.end_user.or(ids.user).filter(|user| *user != account);
    let exchange = Exchange {
        fingerprint: None,
        id: id.unwrap_or_else(|| match &span {
            // A span's id is unique within its trace only.
            Some(span) if span.trace.len() + span.id.len() < crate::limits::ID_BYTES_MAX && !span.id.is_empty() => {
                format!("{}/{}", span.trace, span.id).into()
            }
            _ => position.id(ordinal),
        }),
        time,
        account: account.into(),
        org: org.map(Into::into),
        key: ids.key.map(Into::into),
        end_user: end_user.map(Into::into),
        session: session.map(Into::into),
        operation,
        model,
        client,
        request,
        response: answer.response,
        usage: merged(usage, answer.usage, !table.tokens.written.is_empty()),
        status,
        duration_ms,
    };
    let repeats = table.repeats_when_throttled;
    Ok(Call {
        exchange,
        format: Format::Native,
        who,
        is_call: is_call && !is_answer,
        is_outer,
        failed,
        attempts,
        repeats,
        half,
        span,
        damage: Damages::default(),
    })
}

impl<'a> Mapped<'a, '_> {
    /// The first of `paths` that holds something that `convert` takes.
    fn at<T>(&mut self, paths: &[String], convert: impl Fn(Json<'a>) -> Option<T>) -> Option<T> {
        paths.iter().find_map(|path| {
            let found = match any_key(&self.record, path) {
                Some(path) => self.record.take_at(&path),
                None => self.record.take_at(path),
            };
            convert(found.filter(|json| !json.is_empty())?)
        })
    }

    /// As [`Mapped::at`], then under names that are alike.
    fn at_alike<T>(&mut self, paths: &[String], convert: impl Fn(Json<'a>) -> Option<T>) -> Option<T> {
        let found = self.at(paths, &convert);
        found.or_else(|| paths.iter().find_map(|path| convert(alike(&self.record, path)?.clone())))
    }

    fn json(&mut self, paths: &[String]) -> Option<Json<'a>> {
        let placeholders = &self.table.placeholders;
        self.at(paths, |json| match json {
            Json::Text(text) if placeholders.iter().any(|placeholder| *placeholder == text) => None,
            json => Some(json),
        })
    }

    /// Opens what the table says holds JSON in a string.
    fn open(&mut self) {
        for path in &self.table.open {
            if let Some(json) = self.record.take_at(path) {
                let (json, damage) = json.opened();
                self.notes.damage.extend(damage);
                self.record.put_at(path, json);
            }
        }
    }

    /// The first of `paths` that holds an id; where none does, names that are alike are looked at.
    fn id(&self, paths: &[String]) -> Option<Cow<'a, str>> {
        self.id_spelled(paths, Spelling::Documented).or_else(|| self.id_spelled(paths, Spelling::Alike))
    }

    fn id_spelled(&self, paths: &[String], spelling: Spelling) -> Option<Cow<'a, str>> {
        let placeholders = &self.table.placeholders;
        let is_told = |id: &Cow<'a, str>| !is_nothing(id) && !placeholders.iter().any(|placeholder| placeholder == id);
        let found = |path: &String| match spelling {
            Spelling::Documented => self.record.find(path),
            Spelling::Alike => alike(&self.record, path),
        };
        paths.iter().find_map(|path| found(path)?.clone().id().filter(is_told).map(secret_free))
    }

    fn time(&mut self) -> Result<Time, BadRecord> {
        let mut wrong = None;
        for path in &self.table.time {
            if let Some(json) = self.record.find(path).or_else(|| alike(&self.record, path)).cloned() {
                match json.clone().time() {
                    Some(time) => return Ok(time),
                    None => {
                        let (found, expected) = (json.describe(), json.time_expected());
                        wrong = wrong.or(Some(BadRecord::Wrong { field: path, found, expected }));
                    }
                }
            }
        }
        let field = self.table.time.first().map_or("time", String::as_str);
        Err(wrong.unwrap_or(BadRecord::Missing { field, expected: Time::EXPECTED }))
    }

    /// Who it was, and whom of these the account is. Names that are only alike count where no documented one tells whose the
    /// call was: a caller may have sent them along.
    fn identified(&self) -> (Identities<'a>, (Cow<'a, str>, Who)) {
        let documented = self.identities(Spelling::Documented);
        match self.account(&documented, Spelling::Documented) {
            (_, Who::Nobody | Who::Service | Who::EndUser) => {
                let alike = self.identities(Spelling::Alike);
                let ids = documented.or(alike);
                let account = self.account(&ids, Spelling::Alike);
                (ids, account)
            }
            account => (documented, account),
        }
    }

    fn identities(&self, spelling: Spelling) -> Identities<'a> {
        let table = self.table;
        let id = |paths: &[String]| self.id_spelled(paths, spelling);
        let mut ids = Identities {
            user: id(&table.user),
            key: id(&table.key),
            team: id(&table.team),
            org: id(&table.org),
            end_user: id(&table.end_user),
            service: id(&table.service),
            arn: None,
        };
        if let Some(arn) = table.arn.iter().find_map(|path| self.record.find(path)?.clone().id()) {
            let (caller, session) = principal(arn);
            ids.arn = Some(secret_free(caller));
            ids.key = ids.key.or(session.filter(|session| !session.is_empty()).map(secret_free));
        }
        ids
    }

    fn account(&self, ids: &Identities<'a>, spelling: Spelling) -> (Cow<'a, str>, Who) {
        for path in &self.table.account {
            let (found, who) = match path.strip_prefix('@') {
                None => {
                    let paths = std::slice::from_ref(path);
                    let found = self.id_spelled(paths, Spelling::Documented);
                    (found.or_else(|| self.id_spelled(paths, spelling)), Who::Account)
                }
                Some("arn") => (ids.arn.clone(), Who::Account),
                Some("user") => (ids.user.clone(), Who::User),
                Some("key") => (ids.key.clone(), Who::Key),
                Some("team") => (ids.team.clone(), Who::Team),
                Some("org") => (ids.org.clone(), Who::Org),
                Some("end_user") => (ids.end_user.clone(), Who::EndUser),
                Some(_) => (ids.service.clone(), Who::Service),
            };
            if let Some(id) = found {
                return (id, who);
            }
        }
        (Cow::Borrowed(""), Who::Nobody)
    }

    fn org(&mut self, ids: &Identities<'a>) -> Option<Cow<'a, str>> {
        ids.org.clone().or_else(|| ids.team.clone())
    }

    fn duration_ms(&mut self, time: Time, end: Option<Time>) -> Option<f64> {
        let told = self
            .at(&self.table.duration_ms, Json::float)
            .or_else(|| self.at(&self.table.duration_s, Json::float).map(|seconds| seconds * 1e3));
        told.or_else(|| end.map(|end| end.seconds_since(time) * 1e3)).filter(|ms| *ms >= 0.0)
    }

    fn client(&mut self) -> Client<'a> {
        let table = self.table;
        Client {
            ip: self.at_alike(&table.ip, addresses).filter(|ip| !is_nothing(ip)),
            asn: self.at(&table.asn, Json::whole),
            country: self.at(&table.country, Json::id),
            ja4: self.at(&table.ja4, Json::id),
            user_agent: self.at_alike(&table.user_agent, Json::text).or_else(|| self.tagged_agent()),
            ..Client::default()
        }
    }

    fn tagged_agent(&mut self) -> Option<Cow<'a, str>> {
        let tags = self.at(&self.table.user_agent_tags, |json| json.unwrapped().list())?;
        let agents = tags.into_iter().filter_map(Json::text).filter_map(|tag| {
            let agent = tag.strip_prefix("User-Agent: ")?;
            Some(agent.to_owned())
        });
        agents.max_by_key(String::len).map(Cow::Owned)
    }

    /// The HTTP status, and whether the call failed.
    fn status(&mut self) -> (Option<u16>, bool) {
        let table = self.table;
        let error = table.error.iter().filter_map(|path| self.record.find(path));
        let error = error.clone().any(|json| !json.is_empty() && !matches!(json, Json::Bool(false)));
        let status = self.at(&table.status, |json| match &json {
            Json::Text(text) => table.statuses.get(text.as_ref()).copied().or_else(|| text.parse().ok()),
            _ => json.whole(),
        });
        let failed = error || status.is_some_and(|status| status >= 400);
        (status, failed)
    }

    fn operation(&self, word: Option<Cow<'_, str>>, body: Option<Operation>, model: Option<&str>) -> Option<Operation> {
        let word = word?;
        match self.table.operations.get(word.as_ref()).map(String::as_str) {
            // One verb serves every API; the body tells which.
            Some("by body") if model.is_some_and(|model| model.contains("embed")) => Some(Operation::Embeddings),
            Some("by body") => body,
            Some(name) => Some(Operation::named(name)),
            None if word.contains("batch") => Some(Operation::Batch),
            None => Some(Operation::named(&word)),
        }
    }

    fn tokens(&mut self) -> Usage {
        let tokens = &self.table.tokens;
        let cached: Option<u64> = self.at(&tokens.cached, Json::whole);
        let written: Option<u64> = self.at(&tokens.written, Json::whole);
        let input: Option<u64> = self.at(&tokens.input, Json::whole);
        let apart =
            if tokens.written.is_empty() { 0 } else { cached.unwrap_or(0).saturating_add(written.unwrap_or(0)) };
        let mut usage = Usage {
            input_tokens: input.map(|input| input.saturating_add(apart)),
            output_tokens: self.at(&tokens.output, Json::whole),
            reasoning_tokens: self.at(&tokens.reasoning, Json::whole),
            cached_tokens: cached,
        };
        if let Some(json) = self.at(&self.table.usage, |json| Some(json.unwrapped())) {
            let told = body::usage(json, self.notes);
            usage = merged(usage, told, false);
        }
        usage
    }

    fn finish_reason(&mut self) -> Option<Cow<'a, str>> {
        self.at(&self.table.finish_reason, |json| match json.unwrapped() {
            Json::List(reasons) => reasons.into_iter().find_map(Json::text),
            json => json.text(),
        })
    }

    /// What was asked, and what a request body says besides.
    fn request(&mut self, body_in_turn: bool) -> (Request<'a>, Body<'a>) {
        let table = self.table;
        let mut body = Body::default();
        let mut request = Request::default();
        for path in &table.params {
            if let Some(Json::Object(object)) = self.record.take_at(path).map(Json::unwrapped) {
                let found = body::request(&mut Fields::new("params", object), self.notes);
                request.tools.extend(found.tools);
                if is_default(&request.params) {
                    request.params = found.params;
                }
            }
        }
        for (setting, paths) in &table.param {
            if let Some(json) = self.at(paths, Some) {
                let mut named = Object::default();
                named.push(Cow::Owned(setting.clone()), json);
                let found = body::params(&mut Fields::new("params", named), self.notes);
                request.params = found.or(std::mem::take(&mut request.params));
            }
        }
        request.messages = self.messages(body_in_turn, &mut request, &mut body);
        if request.messages.is_empty()
            && let Some(json) = self.json(&table.request)
            && let (Json::Object(object), damage) = json.opened()
        {
            self.note(damage);
            request.messages = self.body(object, &mut request, &mut body);
        }
        if let Some(json) = self.json(&table.system) {
            request.system = Some(content::content(json.unwrapped(), "system", self.notes));
        }
        if request.tools.is_empty()
            && let Some(json) = self.json(&table.tools)
        {
            request.tools = content::tools(json, "tools", self.notes);
        }
        for prefix in &table.indexed_tools {
            if request.tools.is_empty() {
                request.tools = self.indexed_tools(prefix);
            }
        }
        let placeholders = &table.placeholders;
        request.messages.retain(|Message { content, .. }| match content {
            Content::Text(text) => !placeholders.iter().any(|placeholder| placeholder == text),
            Content::Parts(_) => true,
        });
        (request, body)
    }

    /// Reads a request body; returns its turns.
    fn body(&mut self, object: Object<'a>, request: &mut Request<'a>, body: &mut Body<'a>) -> Vec<Message<'a>> {
        body.operation = Some(if object.has("anthropic_version") {
            Operation::Messages
        } else if object.has("prompt") || object.has("inputText") {
            Operation::Completion
        } else {
            Operation::Chat
        });
        let mut fields = Fields::new("request", object);
        body.model = fields.text(&["model"], self.notes);
        let found = body::request(&mut fields, self.notes);
        request.system = found.system;
        request.tools.extend(found.tools);
        request.params = found.params.or(std::mem::take(&mut request.params));
        found.messages
    }

    /// The turns; a body in the only turn goes into `request`.
    fn messages(&mut self, body_in_turn: bool, request: &mut Request<'a>, body: &mut Body<'a>) -> Vec<Message<'a>> {
        let table = self.table;
        if let Some(json) = self.json(&table.messages) {
            let raw = if let Json::Text(text) = &json { Some(text.clone()) } else { None };
            let (json, damage) = json.opened();
            self.note(damage);
            let turns = match json {
                Json::Object(mut object) if !object.has("role") && object.has("messages") => object.take("messages"),
                // A whole request body where the turns are expected.
                Json::Object(object) if !object.has("role") && is_body(&object) => {
                    return self.body(object, request, body);
                }
                // A prompt that is JSON is no turn.
                json if raw.is_some() && !is_turns(&json) => raw.clone().map(Json::Text),
                json => Some(json),
            };
            let turns = turns.map(|json| content::messages(json, "messages", self.notes)).unwrap_or_default();
            if body_in_turn
                && let [Message { content: Content::Text(text), .. }] = turns.as_slice()
                && let Some(Json::Object(object)) = Json::parse_owned(text)
                && is_body(&object)
            {
                return self.body(object, request, body);
            }
            if !turns.is_empty() {
                return with_what_is_hidden(turns, raw);
            }
        }
        for prefix in &table.indexed_messages {
            let turns = self.indexed_messages(prefix);
            if !turns.is_empty() {
                return turns;
            }
        }
        Vec::new()
    }

    fn answer(&mut self) -> Answer<'a> {
        let table = self.table;
        let mut answer = Answer::default();
        if let Some(json) = self.json(&table.response) {
            answer = Answer::read(json, self.notes);
        }
        let placeholders = &table.placeholders;
        let told = |text: &Cow<'a, str>| !placeholders.iter().any(|placeholder| placeholder == text);
        answer.response.content = answer.response.content.filter(told);
        answer.response.reasoning = answer.response.reasoning.filter(told);
        if answer.response.content.is_none()
            && let Some(json) = self.json(&table.output)
        {
            let (json, damage) = json.opened();
            self.note(damage);
            match json {
                Json::List(choices) => {
                    choices.into_iter().take(1).for_each(|choice| output(choice, &mut answer, self.notes));
                }
                Json::Object(object) if object.has("choices") || object.has("output") || object.has("candidates") => {
                    answer = Answer::read(Json::Object(object), self.notes);
                }
                json => output(json, &mut answer, self.notes),
            }
        }
        for prefix in &table.indexed_output {
            if answer.response.content.is_none() && answer.response.tool_calls.is_empty() {
                let choice = indexed_objects(&mut self.record, prefix).into_values().next();
                choice.into_iter().for_each(|choice| output(Json::Object(choice), &mut answer, self.notes));
            }
        }
        answer
    }

    fn note(&mut self, damage: Damages) {
        self.notes.damage.extend(damage);
    }

    /// Turns written as `PREFIX N . field`, in the order of N.
    fn indexed_messages(&mut self, prefix: &str) -> Vec<Message<'a>> {
        let turns = indexed_objects(&mut self.record, prefix).into_values().map(Json::Object).collect();
        content::messages(Json::List(turns), "messages", self.notes)
    }

    fn indexed_tools(&mut self, prefix: &str) -> Vec<Tool<'a>> {
        let tools = indexed_objects(&mut self.record, prefix).into_values();
        let tools = tools.filter_map(|mut tool| {
            let name = tool.take("name")?.text()?;
            Some(Tool { name, description: tool.take("description").and_then(Json::text) })
        });
        tools.collect()
    }
}

/// A prompt may itself be JSON that looks like turns. Where most of a text is not in the turns that were read from it, the
/// text stands beside them, so that nothing can be hidden that way.
fn with_what_is_hidden<'a>(mut turns: Vec<Message<'a>>, raw: Option<Cow<'a, str>>) -> Vec<Message<'a>> {
    if let Some(raw) = raw {
        let read: usize = turns.iter().flat_map(|turn| turn.content.texts()).map(str::len).sum();
        let has_media =
            |turn: &Message<'_>| matches!(&turn.content, Content::Parts(parts) if parts.contains(&Part::Media));
        if read * HIDDEN_ONE_IN < raw.len() && raw.len() > HIDDEN_BYTES_MIN && !turns.iter().any(has_media) {
            turns.push(Message { role: Role::User, content: Content::Text(raw) });
        }
    }
    turns
}

/// Turns that hold less than one in so many bytes of their text leave something out.
const HIDDEN_ONE_IN: usize = 3;
/// Shorter texts are mostly the syntax of JSON.
const HIDDEN_BYTES_MIN: usize = 512;

/// Whether an object is a request body of some API.
fn is_body(object: &Object<'_>) -> bool {
    ["messages", "prompt", "input", "contents", "inputText"].into_iter().any(|key| object.has(key))
}

/// Whether a value is a turn or a list of them, in the notation of any API.
fn is_turns(json: &Json<'_>) -> bool {
    const KEYS: [&str; 9] = ["role", "content", "parts", "text", "type", "data", "author", "from", "tool_calls"];
    match json {
        Json::Object(object) => KEYS.into_iter().any(|key| object.has(key)),
        Json::List(items) => match items.first() {
            Some(Json::List(_)) => items.iter().any(is_turns),
            Some(Json::Object(_)) => items.first().is_some_and(is_turns),
            first => first.is_some(),
        },
        _ => true,
    }
}

/// An address, or a list of hops as a proxy would have written it.
fn addresses(json: Json<'_>) -> Option<Cow<'_, str>> {
    match json {
        Json::List(hops) => {
            let hops: Vec<Cow<'_, str>> = hops.into_iter().filter_map(Json::id).collect();
            (!hops.is_empty()).then(|| Cow::Owned(hops.join(", ")))
        }
        json => json.id(),
    }
}

/// What sources write where there is nothing.
fn is_nothing(id: &str) -> bool {
    matches!(id, "None" | "null" | "nil" | "undefined" | "unknown" | "N/A" | "anonymous" | "<nil>")
}

/// One choice: a message with `parts` or `content`, under `message` in some.
fn output<'a>(json: Json<'a>, answer: &mut Answer<'a>, notes: &mut Notes) {
    let mut fields = match json.unwrapped() {
        Json::Object(object) => Fields::new("output", object),
        json => return answer.content(json, "output", notes),
    };
    let reason = fields.text(&["finish_reason", "finishReason"], notes);
    let message = fields.take("message").map(Json::unwrapped);
    let mut message = match message {
        Some(Json::Object(object)) => Fields::new("output", object),
        Some(json) => return answer.content(json, "output", notes),
        None => fields,
    };
    if let Some(json) = ["parts", "content", "text"].into_iter().find_map(|key| message.take(key)) {
        answer.content(json.unwrapped(), "output", notes);
    }
    message.text(&["reasoning", "reasoning_content"], notes).into_iter().for_each(|text| answer.reason(text));
    if let Some(json) = message.take("tool_calls").or_else(|| message.take("toolCalls")) {
        answer.tool_calls(json, notes);
    }
    reason.into_iter().for_each(|reason| answer.finish(reason));
}

/// The objects written as `PREFIX N . field`, or `PREFIX N . message . field`; tool calls within are indexed again.
fn indexed_objects<'a>(record: &mut Object<'a>, prefix: &str) -> BTreeMap<u32, Object<'a>> {
    let mut objects: BTreeMap<u32, Object<'a>> = BTreeMap::new();
    let mut calls: BTreeMap<(u32, u32), Object<'a>> = BTreeMap::new();
    for (key, value) in record.take_prefixed(prefix) {
        let Some((index, field)) = split_index(&key) else {
            continue;
        };
        let field = field.strip_prefix("message.").unwrap_or(field);
        match field.strip_prefix("tool_calls.").and_then(split_index) {
            Some((call, field)) => {
                let field = field.strip_prefix("tool_call.").unwrap_or(field);
                let field = field.strip_prefix("function.").unwrap_or(field);
                calls.entry((index, call)).or_default().push(Cow::Owned(field.to_owned()), value);
            }
            None => {
                let value = if field == "content" { content::opened_parts(value) } else { value.unwrapped() };
                objects.entry(index).or_default().push(Cow::Owned(field.to_owned()), value);
            }
        }
    }
    for object in objects.values_mut() {
        parts_of(object);
    }
    let mut lists: BTreeMap<u32, Vec<Json<'a>>> = BTreeMap::new();
    for ((index, _), call) in calls {
        lists.entry(index).or_default().push(Json::Object(call));
    }
    for (index, list) in lists {
        objects.entry(index).or_default().push(Cow::Borrowed("tool_calls"), Json::List(list));
    }
    objects
}

/// Content parts written as `contents.N.message_content.field`, as a list under `content`.
fn parts_of(object: &mut Object<'_>) {
    let mut parts: BTreeMap<u32, Object<'_>> = BTreeMap::new();
    for (key, value) in object.take_prefixed("contents.") {
        if let Some((index, field)) = split_index(&key) {
            let field = field.strip_prefix("message_content.").unwrap_or(field);
            parts.entry(index).or_default().push(Cow::Owned(field.to_owned()), value);
        }
    }
    if !parts.is_empty() && !object.has("content") {
        object.push(Cow::Borrowed("content"), Json::List(parts.into_values().map(Json::Object).collect()));
    }
}

fn split_index(key: &str) -> Option<(u32, &str)> {
    let (index, field) = key.split_once('.')?;
    Some((index.parse().ok()?, field))
}

/// The caller in an ARN, and the session name if it is an assumed role.
fn principal(arn: Cow<'_, str>) -> (Cow<'_, str>, Option<Cow<'_, str>>) {
    if !arn.contains(":assumed-role/") {
        return (arn, None);
    }
    match arn.rsplit_once('/') {
        // Names stand without the blanks around them, as any other text of a record does.
        Some((role, session)) if role.contains('/') => {
            let session = Some(session.trim()).filter(|session| !session.is_empty());
            (Cow::Owned(role.trim().to_owned()), session.map(|session| Cow::Owned(session.to_owned())))
        }
        _ => (arn, None),
    }
}

/// The counts of the record itself, then those of the response body. Where a record counts cached input apart, a response
/// that knows of a cache is more exact, and a response's count of output is what the model said.
fn merged(told: Usage, reported: Usage, apart: bool) -> Usage {
    if apart {
        return Usage {
            input_tokens: if reported.cached_tokens.is_some() { reported.input_tokens } else { told.input_tokens }
                .or(told.input_tokens)
                .or(reported.input_tokens),
            output_tokens: reported.output_tokens.or(told.output_tokens),
            reasoning_tokens: reported.reasoning_tokens.or(told.reasoning_tokens),
            cached_tokens: reported.cached_tokens.or(told.cached_tokens),
        };
    }
    Usage {
        input_tokens: told.input_tokens.or(reported.input_tokens),
        output_tokens: told.output_tokens.or(reported.output_tokens),
        reasoning_tokens: told.reasoning_tokens.or(reported.reasoning_tokens),
        cached_tokens: told.cached_tokens.or(reported.cached_tokens),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_of_a_role_stands_without_blanks() {
        let of = |arn: &'static str| {
            let (caller, session) = principal(Cow::Borrowed(arn));
            (caller.into_owned(), session.map(Cow::into_owned))
        };
        let role = "arn:aws:sts::1:assumed-role/Reader";
        assert_eq!(of("arn:aws:sts::1:assumed-role/Reader/\u{b}job-7 "), (role.into(), Some("job-7".into())));
        assert_eq!(of("arn:aws:sts::1:assumed-role/Reader / "), (role.into(), None));
        assert_eq!(of("arn:aws:iam::1:user/ann"), ("arn:aws:iam::1:user/ann".into(), None));
    }
}
