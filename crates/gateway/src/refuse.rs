//! Refusals: what a caller hears when a request is not served, in the words of the API that it called.
//!
//! Promises to say what the caller can mend (its key, its body) and never why somebody else decided so: a caller must
//! not learn which rule it met, or whether any.

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{HeaderMap, StatusCode};
use policy::amount::Unit;
use policy::quota::Exhausted;
use serde_json::json;

use crate::encoding::{ACCEPTED, BadBody};
use crate::route::{Dialect, Unserved};

/// Why a request is not served, as the caller hears it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody, or nobody that we know, asks.
    Unauthenticated,
    /// Who asks may not do this. Whatever the reason is, these are the words.
    Forbidden,
    /// Who asks may not do this before showing better who they are.
    Unverified,
    /// A quota is used up.
    Exhausted(Box<Exhausted>),
    /// There is no such path, model or thing, for this caller.
    NotFound,
    /// The path is there for another method.
    Method(&'static str),
    /// The body or the head of the request is not what it should be, and what is wrong.
    Bad(String),
    /// The body is compressed in a way that is not understood.
    Encoding,
    /// The body is too long.
    TooLarge,
    /// The body did not come in time.
    TooSlow,
    /// No server gives an answer.
    Unavailable,
    /// Something here failed.
    Failed,
    /// The server did not answer in time.
    Timeout,
}

impl From<Unserved> for Refusal {
    fn from(unserved: Unserved) -> Refusal {
        match unserved {
            Unserved::NotFound => Refusal::NotFound,
            Unserved::Method(method) => Refusal::Method(method),
        }
    }
}

impl From<BadBody> for Refusal {
    fn from(bad: BadBody) -> Refusal {
        match bad {
            BadBody::Unknown => Refusal::Encoding,
            BadBody::TooLong => Refusal::TooLarge,
            BadBody::Broken => {
                Refusal::Bad("The request body is not compressed as its content-encoding says.".to_owned())
            }
        }
    }
}

impl Refusal {
    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Refusal::Unauthenticated => StatusCode::UNAUTHORIZED,
            Refusal::Forbidden | Refusal::Unverified => StatusCode::FORBIDDEN,
            Refusal::Exhausted(_) => StatusCode::TOO_MANY_REQUESTS,
            Refusal::NotFound => StatusCode::NOT_FOUND,
            Refusal::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Refusal::Bad(_) => StatusCode::BAD_REQUEST,
            Refusal::Encoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Refusal::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Refusal::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::Failed => StatusCode::INTERNAL_SERVER_ERROR,
            Refusal::Timeout => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// What it is called in the record of exchanges.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Refusal::Unauthenticated => "unauthenticated",
            Refusal::Forbidden => "forbidden",
            Refusal::Unverified => "unverified",
            Refusal::Exhausted(_) => "quota",
            Refusal::NotFound => "not_found",
            Refusal::Method(_) => "method",
            Refusal::Bad(_) => "bad_request",
            Refusal::Encoding => "encoding",
            Refusal::TooLarge => "too_large",
            Refusal::TooSlow => "too_slow",
            Refusal::Unavailable => "unavailable",
            Refusal::Failed => "failed",
            Refusal::Timeout => "timeout",
        }
    }

    /// What the caller reads.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Refusal::Unauthenticated => "Incorrect API key provided, or none.".to_owned(),
            Refusal::Forbidden => "You do not have access to what this request asks for.".to_owned(),
            Refusal::Unverified => "Your account must be verified before it can do this.".to_owned(),
            Refusal::Exhausted(exhausted) => exhausted_message(exhausted),
            Refusal::NotFound => "Not found.".to_owned(),
            Refusal::Method(method) => format!("Use {method} for this path."),
            Refusal::Bad(what) => what.clone(),
            Refusal::Encoding => format!(
                "The content encoding of this request is not supported. Send one of {ACCEPTED}, once, or no content-encoding."
            ),
            Refusal::TooLarge => "The request is too large.".to_owned(),
            Refusal::TooSlow => "The request did not arrive in time.".to_owned(),
            Refusal::Unavailable => "The service is overloaded or not ready yet. Try again later.".to_owned(),
            Refusal::Failed => "The server had an error while processing the request.".to_owned(),
            Refusal::Timeout => "The request timed out.".to_owned(),
        }
    }

    /// The reply: its headers and its body.
    #[must_use]
    pub fn reply(&self, dialect: Dialect) -> (StatusCode, HeaderMap, Bytes) {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Refusal::Method(method) = self {
            headers.insert(hyper::header::ALLOW, HeaderValue::from_static(method));
        }
        if matches!(self, Refusal::Encoding) {
            headers.insert(hyper::header::ACCEPT_ENCODING, HeaderValue::from_static(ACCEPTED));
        }
        if self.status().is_client_error() && !matches!(self, Refusal::Exhausted(_) | Refusal::TooSlow) {
            // The official clients try again unless they are told not to.
            headers.insert(HeaderName::from_static("x-should-retry"), HeaderValue::from_static("false"));
        }
        if let Refusal::Exhausted(exhausted) = self {
            rate_headers(&mut headers, exhausted, dialect);
        }
        let message = self.message();
        let body = match dialect {
            Dialect::OpenAi => {
                let (kind, code) = self.openai();
                json!({"error": {"message": message, "type": kind, "param": null, "code": code}})
            }
            Dialect::Anthropic => json!({"type": "error", "error": {"type": self.anthropic(), "message": message}}),
        };
        (self.status(), headers, Bytes::from(body.to_string()))
    }

    fn openai(&self) -> (&'static str, Option<&'static str>) {
        match self {
            Refusal::Unauthenticated => ("invalid_request_error", Some("invalid_api_key")),
            Refusal::Forbidden => ("invalid_request_error", Some("permission_denied")),
            Refusal::Unverified => ("invalid_request_error", Some("verification_required")),
            Refusal::Exhausted(exhausted) => match exhausted.unit {
                Unit::Requests => ("requests", Some("rate_limit_exceeded")),
                Unit::Tokens => ("tokens", Some("rate_limit_exceeded")),
                Unit::MicroCost => ("insufficient_quota", Some("insufficient_quota")),
            },
            Refusal::NotFound | Refusal::Method(_) => ("invalid_request_error", Some("not_found")),
            Refusal::Bad(_) | Refusal::Encoding | Refusal::TooLarge | Refusal::TooSlow => {
                ("invalid_request_error", None)
            }
            Refusal::Unavailable => ("server_error", Some("overloaded")),
            Refusal::Failed | Refusal::Timeout => ("server_error", None),
        }
    }

    fn anthropic(&self) -> &'static str {
        match self {
            Refusal::Unauthenticated => "authentication_error",
            Refusal::Forbidden | Refusal::Unverified => "permission_error",
            Refusal::Exhausted(_) => "rate_limit_error",
            Refusal::NotFound | Refusal::Method(_) => "not_found_error",
            Refusal::Bad(_) | Refusal::Encoding | Refusal::TooSlow => "invalid_request_error",
            Refusal::TooLarge => "request_too_large",
            Refusal::Unavailable => "overloaded_error",
            Refusal::Failed => "api_error",
            Refusal::Timeout => "timeout_error",
        }
    }
}

/// Which limit it is, and when to come back; never whose it is, since a budget may be shared with strangers.
fn exhausted_message(exhausted: &Exhausted) -> String {
    if exhausted.is_hidden {
        return "Rate limit reached. Please try again later.".to_owned();
    }
    let what = match exhausted.unit {
        Unit::Requests => "requests",
        Unit::Tokens => "tokens",
        Unit::MicroCost => "spend",
    };
    match exhausted.retry_seconds {
        Some(seconds) => format!("Rate limit reached for {what}. Please try again in {seconds} s."),
        None => format!("This request is larger than your limit for {what} will ever allow."),
    }
}

/// After how many seconds whoever shares a budget without knowing may come back.
const HIDDEN_RETRY_SECONDS: u32 = 60;

/// Headers of a limit in the words of each API.
fn rate_headers(headers: &mut HeaderMap, exhausted: &Exhausted, dialect: Dialect) {
    let Exhausted { limit, remaining, retry_seconds, reset_seconds, .. } = exhausted;
    let mut insert = |name: &'static str, value: String| {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    if exhausted.is_hidden {
        // What is left of it, and when it comes back, would tell how much others with the same budget send.
        insert("retry-after", HIDDEN_RETRY_SECONDS.to_string());
        return;
    }
    match retry_seconds {
        Some(seconds) => insert("retry-after", seconds.to_string()),
        None => insert("x-should-retry", "false".to_owned()),
    }
    // Anthropic's third header is a time and no duration, and no clock is read here.
    let names: &[&'static str] = match (dialect, exhausted.unit) {
        (Dialect::OpenAi, Unit::Requests) => {
            &["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"]
        }
        (Dialect::OpenAi, Unit::Tokens) => {
            &["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"]
        }
        (Dialect::Anthropic, Unit::Requests) => {
            &["anthropic-ratelimit-requests-limit", "anthropic-ratelimit-requests-remaining"]
        }
        (Dialect::Anthropic, Unit::Tokens) => {
            &["anthropic-ratelimit-tokens-limit", "anthropic-ratelimit-tokens-remaining"]
        }
        (_, Unit::MicroCost) => return,
    };
    let reset = format!("{reset_seconds}s");
    for (&name, value) in names.iter().zip([limit.to_string(), remaining.to_string(), reset]) {
        insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_told_in_the_words_of_each_api() {
        let exhausted = Exhausted {
            quota: "secret-name".parse().unwrap(),
            unit: Unit::Requests,
            limit: 60,
            remaining: 0,
            retry_seconds: Some(7),
            reset_seconds: 60,
            is_hidden: false,
        };
        for (dialect, header) in [
            (Dialect::OpenAi, "x-ratelimit-limit-requests"),
            (Dialect::Anthropic, "anthropic-ratelimit-requests-limit"),
        ] {
            let (status, headers, body) = Refusal::Exhausted(Box::new(exhausted.clone())).reply(dialect);
            assert_eq!(
                (status.as_u16(), &headers["retry-after"], &headers[header]),
                (429, &HeaderValue::from(7), &HeaderValue::from(60))
            );
            assert!(!format!("{headers:?}{body:?}").contains("secret-name"));
        }
        let hidden = Exhausted { is_hidden: true, ..exhausted.clone() };
        for dialect in [Dialect::OpenAi, Dialect::Anthropic] {
            let (status, headers, body) = Refusal::Exhausted(Box::new(hidden.clone())).reply(dialect);
            assert_eq!(
                (status, &headers["retry-after"]),
                (StatusCode::TOO_MANY_REQUESTS, &HeaderValue::from_static("60"))
            );
            assert!(headers.keys().all(|name| !name.as_str().contains("limit")), "{headers:?}");
            assert!(String::from_utf8_lossy(&body).contains("Please try again later."), "{body:?}");
        }
        let never = Exhausted { retry_seconds: None, ..exhausted };
        let (_, headers, _) = Refusal::Exhausted(Box::new(never)).reply(Dialect::OpenAi);
        assert!(headers["x-should-retry"] == "false" && !headers.contains_key("retry-after"));
    }

    #[test]
    fn each_api_hears_its_own_words() {
        let (status, headers, body) = Refusal::Unauthenticated.reply(Dialect::OpenAi);
        assert_eq!((status.as_u16(), headers["x-should-retry"].to_str().unwrap()), (401, "false"));
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["error"]["code"], "invalid_api_key");
        let (_, _, body) = Refusal::Unauthenticated.reply(Dialect::Anthropic);
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((&body["type"], &body["error"]["type"]), (&json!("error"), &json!("authentication_error")));
    }

    #[test]
    fn who_is_forbidden_learns_nothing() {
        for refusal in [Refusal::Forbidden, Refusal::Unverified] {
            let (_, headers, body) = refusal.reply(Dialect::OpenAi);
            let text = format!("{headers:?}{body:?}").to_lowercase();
            for word in ["campaign", "detect", "distil", "policy", "shield", "block", "cedar", "stillwatch", "rung"] {
                assert!(!text.contains(word), "{word}");
            }
        }
    }
}
