//! Refusals: what a caller hears when a request is not served, in the words of the API that it called.
//!
//! Promises to say what the caller can mend (its key, its body) and never why somebody else decided so: a caller must
//! not learn which rule it met, or whether any.

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{HeaderMap, StatusCode};
use serde_json::json;

use crate::route::Dialect;

/// Why a request is not served, as the caller hears it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody, or nobody that we know, asks.
    Unauthenticated,
    /// Who asks may not do this. Whatever the reason is, these are the words.
    Forbidden,
    /// There is no such path, model or thing, for this caller.
    NotFound,
    /// The path is there for another method.
    Method(&'static str),
    /// The body or the head of the request is not what it should be, and what is wrong.
    Bad(String),
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

impl Refusal {
    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Refusal::Unauthenticated => StatusCode::UNAUTHORIZED,
            Refusal::Forbidden => StatusCode::FORBIDDEN,
            Refusal::NotFound => StatusCode::NOT_FOUND,
            Refusal::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Refusal::Bad(_) => StatusCode::BAD_REQUEST,
            Refusal::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Refusal::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::Failed => StatusCode::INTERNAL_SERVER_ERROR,
            Refusal::Timeout => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// What the caller reads.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Refusal::Unauthenticated => "Incorrect API key provided, or none.".to_owned(),
            Refusal::Forbidden => "You do not have access to what this request asks for.".to_owned(),
            Refusal::NotFound => "Not found.".to_owned(),
            Refusal::Method(method) => format!("Use {method} for this path."),
            Refusal::Bad(what) => what.clone(),
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
        if matches!(self, Refusal::Forbidden | Refusal::Unauthenticated | Refusal::Bad(_) | Refusal::NotFound) {
            // The official clients try again unless they are told not to.
            headers.insert(HeaderName::from_static("x-should-retry"), HeaderValue::from_static("false"));
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
            Refusal::NotFound | Refusal::Method(_) => ("invalid_request_error", Some("not_found")),
            Refusal::Bad(_) | Refusal::TooLarge | Refusal::TooSlow => ("invalid_request_error", None),
            Refusal::Unavailable => ("server_error", Some("overloaded")),
            Refusal::Failed | Refusal::Timeout => ("server_error", None),
        }
    }

    fn anthropic(&self) -> &'static str {
        match self {
            Refusal::Unauthenticated => "authentication_error",
            Refusal::Forbidden => "permission_error",
            Refusal::NotFound | Refusal::Method(_) => "not_found_error",
            Refusal::Bad(_) | Refusal::TooSlow => "invalid_request_error",
            Refusal::TooLarge => "request_too_large",
            Refusal::Unavailable => "overloaded_error",
            Refusal::Failed => "api_error",
            Refusal::Timeout => "timeout_error",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let (_, headers, body) = Refusal::Forbidden.reply(Dialect::OpenAi);
        let text = format!("{headers:?}{body:?}").to_lowercase();
        for word in ["campaign", "detect", "distil", "policy", "shield", "block", "cedar", "stillwatch"] {
            assert!(!text.contains(word), "{word}");
        }
    }
}
