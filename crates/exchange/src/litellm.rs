//! LiteLLM's standard logging payload, as its S3, GCS, file and callback loggers write it, and its spend logs.
//!
//! Also taken inside `standard_logging_object`. Times are epoch seconds with a fraction (RFC 3339 in spend logs).
//!
//! Keys, of which the first found wins:
//!
//! - `account`: `metadata.user_api_key_user_id` (unless `default_user_id`, which every key has),
//!   `metadata.user_api_key_hash`, `metadata.user_api_key_team_id`, `metadata.user_api_key_org_id`; in spend logs
//!   `user`, `api_key`, `team_id`, `organization_id`; last `end_user`
//! - `org`: `metadata.user_api_key_org_id`, `organization_id`, `metadata.user_api_key_team_id`, `team_id`
//! - `key`: `metadata.user_api_key_hash`, `api_key`; a hash already
//! - `end_user`: `end_user`, `metadata.user_api_key_end_user_id`, `metadata.requester_metadata.user_id`
//! - `session`: `session_id`, `metadata.requester_metadata.session_id`, `trace_id`
//! - `client.ip`: `requester_ip_address`, `metadata.requester_ip_address`
//! - `client.user_agent`: `user_agent`, `metadata.user_agent`, the longest tag `User-Agent: …`
//! - `status`: 200 for `success`, else `error_information.error_code`
//!
//! Texts that the proxy was told to redact count as missing: else all its callers would seem to say the same.

use std::borrow::Cow;

use crate::bad::{BadRecord, Notes};
use crate::body::{self, Answer};
use crate::content;
use crate::format::{Position, required_time, secret_free};
use crate::json::{Fields, Json, Object};
use crate::{Client, Content, Exchange, Message, Operation, Request, Usage};

/// What the proxy writes in place of a text that it must not log or does not have.
const REDACTED: [&str; 2] = ["redacted-by-litellm", "default-message-value"];

/// What the proxy writes for keys that belong to nobody in particular.
const NOBODY: &str = "default_user_id";

/// Reads one payload.
pub(crate) fn read<'a>(
    mut record: Fields<'a>,
    position: &Position<'_>,
    notes: &mut Notes,
) -> Result<Exchange<'a>, BadRecord> {
    let mut payload = record.fields("standard_logging_object", "", notes).unwrap_or(record);
    let time = required_time(&mut payload, &["startTime"])?;
    let mut metadata = section(&mut payload, "metadata", "metadata", notes);
    let mut requester = section(&mut metadata, "requester_metadata", "metadata.requester_metadata", notes);

    let user = metadata.id(&["user_api_key_user_id"], notes).or_else(|| payload.id(&["user"], notes));
    let user = user.filter(|user| user != NOBODY).map(secret_free);
    let key = metadata.id(&["user_api_key_hash"], notes).or_else(|| payload.id(&["api_key"], notes)).map(secret_free);
    let team = metadata.id(&["user_api_key_team_id"], notes).or_else(|| payload.id(&["team_id"], notes));
    let org = metadata.id(&["user_api_key_org_id"], notes).or_else(|| payload.id(&["organization_id"], notes));
    let end_user = payload
        .id(&["end_user"], notes)
        .or_else(|| metadata.id(&["user_api_key_end_user_id"], notes))
        .or_else(|| requester.id(&["user_id"], notes))
        .map(secret_free);
    let account = user
        .or_else(|| key.clone())
        .or_else(|| team.clone())
        .or_else(|| org.clone())
        .or_else(|| end_user.clone())
        .map(secret_free)
        .ok_or(BadRecord::Missing {
            field: "metadata.user_api_key_user_id",
            expected: "it, `user_api_key_hash`, `user_api_key_team_id` or `end_user`",
        })?;
    let session = payload
        .id(&["session_id"], notes)
        .or_else(|| requester.id(&["session_id"], notes))
        .or_else(|| payload.id(&["trace_id"], notes));

    let ended = payload.time(&["endTime"], notes).map(|end| end.seconds_since(time));
    let client = client(&mut payload, &mut metadata, notes);
    let request = request(&mut payload, notes);
    let answer = payload.take("response").filter(|json| !is_redacted(json)).map(|json| Answer::read(json, notes));
    let answer = answer.unwrap_or_default();
    let mut response = answer.response;
    response.content = response.content.filter(|text| !REDACTED.contains(&text.as_ref()));
    response.reasoning = response.reasoning.filter(|text| !REDACTED.contains(&text.as_ref()));
    let usage = Usage {
        input_tokens: payload.whole(&["prompt_tokens"], notes).or(answer.usage.input_tokens),
        output_tokens: payload.whole(&["completion_tokens"], notes).or(answer.usage.output_tokens),
        ..answer.usage
    };
    Ok(Exchange {
        fingerprint: None,
        id: payload.id(&["id", "request_id"], notes).map_or_else(|| position.id(0), Into::into),
        time,
        account: account.into(),
        org: org.or(team).map(Into::into),
        key: key.map(Into::into),
        end_user: end_user.map(Into::into),
        session: session.map(Into::into),
        operation: payload.text(&["call_type"], notes).map(|word| operation(&word)),
        model: payload.text(&["model"], notes),
        client,
        request,
        response,
        usage,
        status: status(&mut payload, notes),
        duration_ms: ended.filter(|seconds| *seconds >= 0.0).map(|seconds| seconds * 1e3),
    })
}

/// An optional nested object; an empty one where there is none.
fn section<'a>(from: &mut Fields<'a>, key: &'static str, path: &'static str, notes: &mut Notes) -> Fields<'a> {
    from.fields(key, path, notes).unwrap_or_else(|| Fields::new(path, Object::default()))
}

/// The turns, with settings and tools from `model_parameters`; spend logs may have both in the body as it was received.
fn request<'a>(payload: &mut Fields<'a>, notes: &mut Notes) -> Request<'a> {
    let mut request = payload
        .fields("model_parameters", "model_parameters", notes)
        .map(|mut parameters| body::request(&mut parameters, notes))
        .unwrap_or_default();
    let turns = match payload.take("messages").map(Json::unwrapped) {
        Some(Json::Object(mut object)) if !object.has("role") => object.take("messages"),
        turns => turns,
    };
    if let Some(json) = turns.filter(|json| !is_redacted(json)) {
        request.messages = content::messages(json, "messages", notes);
    }
    if request.messages.is_empty()
        && let Some(mut received) = payload.fields("proxy_server_request", "proxy_server_request", notes)
    {
        let mut body = received.fields_if_unwrapped("body", "proxy_server_request.body").unwrap_or(received);
        request = body::request(&mut body, notes);
    }
    request
        .messages
        .retain(|Message { content, .. }| !matches!(content, Content::Text(text) if REDACTED.contains(&text.as_ref())));
    request
}

fn is_redacted(json: &Json<'_>) -> bool {
    matches!(json, Json::Text(text) if text.is_empty() || REDACTED.contains(&text.as_ref()))
}

fn client<'a>(payload: &mut Fields<'a>, metadata: &mut Fields<'a>, notes: &mut Notes) -> Client<'a> {
    let ip = payload.id(&["requester_ip_address"], notes).or_else(|| metadata.id(&["requester_ip_address"], notes));
    let agent = payload.text(&["user_agent"], notes).or_else(|| metadata.text(&["user_agent"], notes));
    Client { ip, user_agent: agent.or_else(|| tagged_agent(payload)), ..Client::default() }
}

fn tagged_agent<'a>(payload: &mut Fields<'a>) -> Option<Cow<'a, str>> {
    let tags = payload.take("request_tags")?.unwrapped().list()?;
    let agents = tags.into_iter().filter_map(Json::text).filter_map(|tag| {
        let agent = tag.strip_prefix("User-Agent: ")?;
        Some(agent.to_owned())
    });
    agents.max_by_key(String::len).map(Cow::Owned)
}

fn operation(call_type: &str) -> Operation {
    let word = call_type.strip_prefix('a').filter(|word| *word != "nthropic_messages").unwrap_or(call_type);
    match word {
        "completion" => Operation::Chat,
        "text_completion" => Operation::Completion,
        "embedding" => Operation::Embeddings,
        "responses" => Operation::Responses,
        "anthropic_messages" => Operation::Messages,
        word if word.contains("batch") => Operation::Batch,
        _ => Operation::Other,
    }
}

fn status(payload: &mut Fields<'_>, notes: &mut Notes) -> Option<u16> {
    let succeeded = payload.text(&["status"], notes).is_some_and(|word| word == "success");
    let mut error = payload.fields_if("error_information", "error_information");
    let code = error.as_mut().and_then(|error| error.take("error_code")?.whole());
    code.or(succeeded.then_some(200))
}
