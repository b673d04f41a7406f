//! Amazon Bedrock's model invocation log, as it is delivered to S3 and CloudWatch.
//!
//! The account is the caller: the role or user in `identity.arn`, without the session name of an assumed role, which
//! becomes the `key`; without an ARN it is `accountId`. The AWS account (`accountId`) is the `org`. `end_user` and
//! `session` come from `requestMetadata` (`user_id`, `userId`; `session_id`, `sessionId`, `traceId`), which callers of
//! Converse may set.
//!
//! Bodies of Anthropic, Converse, Nova, Llama, Titan and Mistral models are read. A body that was too large for the log
//! lies elsewhere (`inputBodyS3Path`): such a record has no text, which counts for nothing.

use std::borrow::Cow;

use crate::bad::{BadRecord, Notes};
use crate::body::{self, Answer};
use crate::format::{Position, required_time, secret_free};
use crate::json::{Fields, Object};
use crate::{Client, Exchange, Operation, Usage};

/// Reads one log record.
pub(crate) fn read<'a>(
    mut record: Fields<'a>,
    position: &Position<'_>,
    notes: &mut Notes,
) -> Result<Exchange<'a>, BadRecord> {
    let time = required_time(&mut record, &["timestamp"])?;
    let aws_account = record.id(&["accountId"], notes);
    let arn = record.fields("identity", "identity", notes).and_then(|mut identity| identity.id(&["arn"], notes));
    let (caller, key) = arn.map_or((None, None), |arn| {
        let (caller, session) = principal(arn);
        (Some(caller), session)
    });
    let account = caller
        .or_else(|| aws_account.clone())
        .map(secret_free)
        .ok_or(BadRecord::Missing { field: "identity.arn", expected: "an ARN, or an `accountId`" })?;
    let mut metadata = section(&mut record, "requestMetadata", notes);
    let mut input = section(&mut record, "input", notes);
    let mut output = section(&mut record, "output", notes);
    let verb = record.text(&["operation"], notes);
    let model = record.text(&["modelId"], notes).map(last_segment);

    let asked = input.fields("inputBodyJson", "input.inputBodyJson", notes);
    let operation = operation(verb.as_deref(), model.as_deref(), asked.as_ref().map(Fields::peek));
    let mut request = asked.map(|mut body| body::request(&mut body, notes)).unwrap_or_default();
    if verb.is_some_and(|verb| verb.ends_with("Stream")) {
        request.params.stream = request.params.stream.or(Some(true));
    }
    let returned = output.take("outputBodyJson");
    let latency =
        returned.clone().and_then(|json| json.object()?.take("metrics")?.object()?.take("latencyMs")?.float());
    let answer = returned.map(|json| Answer::read(json, notes)).unwrap_or_default();
    Ok(Exchange {
        fingerprint: None,
        id: record.id(&["requestId"], notes).map_or_else(|| position.id(0), Into::into),
        time,
        account: account.into(),
        org: aws_account.map(Into::into),
        key: key.map(secret_free).map(Into::into),
        end_user: metadata.id(&["user_id", "userId"], notes).map(secret_free).map(Into::into),
        session: metadata.id(&["session_id", "sessionId", "traceId"], notes).map(Into::into),
        operation,
        model,
        client: Client::default(),
        request,
        response: answer.response,
        usage: usage(&mut input, &mut output, answer.usage, notes),
        status: record.text(&["errorCode"], notes).and_then(|code| status(&code)),
        duration_ms: latency,
    })
}

fn section<'a>(record: &mut Fields<'a>, key: &'static str, notes: &mut Notes) -> Fields<'a> {
    record.fields(key, key, notes).unwrap_or_else(|| Fields::new(key, Object::default()))
}

/// The caller in an ARN, and the session name if it is an assumed role.
fn principal(arn: Cow<'_, str>) -> (Cow<'_, str>, Option<Cow<'_, str>>) {
    if !arn.contains(":assumed-role/") {
        return (arn, None);
    }
    match arn.rsplit_once('/') {
        Some((role, session)) if role.contains('/') => {
            (Cow::Owned(role.to_owned()), Some(Cow::Owned(session.to_owned())))
        }
        _ => (arn, None),
    }
}

/// A model's id without the ARN of the inference profile or throughput it was called through.
fn last_segment(model: Cow<'_, str>) -> Cow<'_, str> {
    match model.rsplit_once('/') {
        Some((_, id)) if !id.is_empty() => Cow::Owned(id.to_owned()),
        _ => model,
    }
}

fn operation(verb: Option<&str>, model: Option<&str>, body: Option<&Object<'_>>) -> Option<Operation> {
    let verb = verb?;
    if verb.starts_with("Converse") {
        return Some(Operation::Chat);
    }
    if !verb.starts_with("InvokeModel") {
        return Some(Operation::Other);
    }
    if model.is_some_and(|model| model.contains("embed")) {
        return Some(Operation::Embeddings);
    }
    // One verb serves every API; without the body there is no telling which.
    let body = body?;
    Some(if body.has("anthropic_version") {
        Operation::Messages
    } else if body.has("prompt") || body.has("inputText") {
        Operation::Completion
    } else {
        Operation::Chat
    })
}

/// What the model reported, else what the log counted, cached input included.
fn usage(input: &mut Fields<'_>, output: &mut Fields<'_>, reported: Usage, notes: &mut Notes) -> Usage {
    let fresh: Option<u64> = input.whole(&["inputTokenCount"], notes);
    let read: Option<u64> = input.whole(&["cacheReadInputTokenCount"], notes);
    let written: Option<u64> = input.whole(&["cacheWriteInputTokenCount"], notes);
    let cached = read.unwrap_or(0).saturating_add(written.unwrap_or(0));
    let counted = fresh.map(|tokens| tokens.saturating_add(cached));
    Usage {
        // A stream reports what the cache served only in part.
        input_tokens: if reported.cached_tokens.is_some() { reported.input_tokens } else { counted }
            .or(counted)
            .or(reported.input_tokens),
        output_tokens: reported.output_tokens.or_else(|| output.whole(&["outputTokenCount"], notes)),
        reasoning_tokens: reported.reasoning_tokens,
        cached_tokens: reported.cached_tokens.or(read),
    }
}

/// The HTTP status behind an error code.
fn status(code: &str) -> Option<u16> {
    Some(match code {
        "ValidationException" => 400,
        "AccessDeniedException" => 403,
        "ResourceNotFoundException" => 404,
        "ModelTimeoutException" => 408,
        "ModelErrorException" => 424,
        "ThrottlingException" | "ModelNotReadyException" | "ServiceQuotaExceededException" => 429,
        "InternalServerException" => 500,
        "ServiceUnavailableException" => 503,
        _ => return None,
    })
}
