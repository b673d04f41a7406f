//! The native record: one object per exchange, as the simulator and every exporter write it.
//!
//! Required are `time`, `account` and `request` (an object, possibly empty). Everything else is optional; what does not
//! fit is dropped and noted, and unknown keys are ignored. Taken as synonyms, in this order after the proper name:
//!
//! | field | synonyms |
//! |---|---|
//! | `id` | `request_id` |
//! | `time` | `timestamp`, `ts`, `created_at` |
//! | `account` | `account_id` |
//! | `org` | `org_id`, `organization`, `organization_id` |
//! | `key` | `key_id`, `api_key_id` |
//! | `end_user` | `end_user_id` |
//! | `session` | `session_id`, `conversation_id` |
//! | `duration_ms` | `latency_ms` |
//!
//! Decoding settings and usage are taken under the names of every API, content in every form [`Part`](crate::Part) knows.

use std::borrow::Cow;

use crate::bad::{BadRecord, Notes};
use crate::body::{self, Answer};
use crate::call::{Call, Who};
use crate::fields::Fields;
use crate::fields::{required_account, required_time};
use crate::json::{Json, Object};
use crate::limits::FINGERPRINT_BYTES_MAX;
use crate::position::Position;
use crate::record::{Client, Exchange, Fingerprint, Network, Operation, Request, Response};
use crate::secret::secret_free;

/// Reads one record.
pub(crate) fn read<'a>(
    mut record: Fields<'a>,
    has_account: bool,
    position: &Position<'_>,
    ordinal: u64,
    notes: &mut Notes,
) -> Result<Call<'a>, BadRecord> {
    let time = required_time(&mut record, &["time", "timestamp", "ts", "created_at"])?;
    let account = required_account(&mut record, &["account", "account_id"]);
    let account = if has_account { account.unwrap_or_default() } else { account? };
    let mut request = match record.take("request") {
        Some(Json::Object(object)) => Fields::new("request", object),
        // Only time and account are needed of a record that was damaged: else what stands in a prompt could hide it.
        _ if !notes.damage.is_empty() => Fields::new("request", Object::default()),
        None => {
            return Err(BadRecord::Missing { field: "request", expected: "an object" });
        }
        Some(other) => {
            return Err(BadRecord::Wrong { field: "request", found: other.describe(), expected: "an object" });
        }
    };
    let asked = match request.fields("params", "request.params", notes) {
        Some(mut params) => {
            let params = body::params(&mut params, notes);
            Request { params, ..body::asked(&mut request, notes) }
        }
        None => body::request(&mut request, notes),
    };
    let exchange = Exchange {
        id: record.id(&["id", "request_id"], notes).map_or_else(|| position.id(ordinal), Into::into),
        time,
        account: account.into(),
        org: record.id(&["org", "org_id", "organization", "organization_id"], notes).map(Into::into),
        key: record.id(&["key", "key_id", "api_key_id"], notes).map(secret_free).map(Into::into),
        end_user: record.id(&["end_user", "end_user_id"], notes).map(secret_free).map(Into::into),
        session: record.id(&["session", "session_id", "conversation_id"], notes).map(Into::into),
        operation: record.text(&["operation"], notes).map(|word| Operation::named(&word)),
        model: record.text(&["model"], notes),
        client: record.fields("client", "client", notes).map(|fields| client(fields, notes)).unwrap_or_default(),
        request: asked,
        response: record
            .fields("response", "response", notes)
            .map(|fields| response(fields, notes))
            .unwrap_or_default(),
        usage: record.take("usage").map(|json| body::usage(json, notes)).unwrap_or_default(),
        status: record.whole(&["status"], notes),
        duration_ms: record.float(&["duration_ms", "latency_ms"], notes),
        fingerprint: record.fields("fingerprint", "fingerprint", notes).and_then(|fields| fingerprint(fields, notes)),
    };
    Ok(Call::alone(exchange, Who::Account))
}

/// Fingerprints instead of text; none where those of what was asked are not as expected.
fn fingerprint<'a>(mut fields: Fields<'a>, notes: &mut Notes) -> Option<Fingerprint<'a>> {
    let digits = |each: usize| {
        move |json: Json<'a>| {
            let text = json.text()?;
            let fits = text.len() <= FINGERPRINT_BYTES_MAX && text.len().is_multiple_of(each);
            (fits && text.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(text)
        }
    };
    let prints =
        fields.typed(&["prints"], "24 hexadecimal digits a fingerprint", notes, digits(Fingerprint::PRINT_DIGITS))?;
    let output =
        fields.typed(&["output"], "16 hexadecimal digits a fingerprint", notes, digits(Fingerprint::OUTPUT_DIGITS));
    let words = fields.typed(&["words"], "8 hexadecimal digits a word", notes, digits(Fingerprint::WORD_DIGITS));
    let meaning = fields.typed(&["meaning"], "128 hexadecimal digits", notes, digits(Fingerprint::MEANING_DIGITS));
    let intents = fields.list(&["intents"], notes).unwrap_or_default().into_iter().filter_map(Json::text);
    Some(Fingerprint {
        prints,
        output: output.unwrap_or_default(),
        words: words.unwrap_or_default(),
        meaning: meaning.filter(|digits| digits.len() <= Fingerprint::MEANING_DIGITS).unwrap_or_default(),
        intents: intents.take(INTENTS_MAX).collect(),
        follow_up: fields.flag(&["follow_up"], notes).unwrap_or(false),
    })
}

/// Capabilities named in one record, at most.
const INTENTS_MAX: usize = 32;

/// Where a request came from.
pub(crate) fn client<'a>(mut fields: Fields<'a>, notes: &mut Notes) -> Client<'a> {
    Client {
        ip: fields.id(&["ip"], notes),
        asn: fields.whole(&["asn"], notes),
        country: fields.id(&["country"], notes),
        network: fields.text(&["network"], notes).map(|word| Network::named(&word)),
        ja4: fields.id(&["ja4"], notes),
        ja4h: fields.id(&["ja4h"], notes),
        user_agent: fields.text(&["user_agent"], notes),
    }
}

fn response<'a>(mut fields: Fields<'a>, notes: &mut Notes) -> Response<'a> {
    let mut answer = Answer::default();
    if let Some(json) = fields.take("content") {
        answer.content(json, "response.content", notes);
    }
    fields.text(&["reasoning"], notes).into_iter().for_each(|text| answer.reason(text));
    if let Some(json) = fields.take("tool_calls") {
        answer.tool_calls(json, notes);
    }
    fields.text(&["finish_reason"], notes).into_iter().for_each(|reason: Cow<str>| answer.finish(reason));
    let refused = fields.flag(&["refused"], notes);
    answer.response.refused = refused.or(answer.response.refused);
    answer.response
}
