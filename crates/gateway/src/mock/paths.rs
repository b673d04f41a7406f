//! Which API answers a path.

use hyper::StatusCode;
use serde_json::Value;

use super::say::{Spoken, error};
use super::{anthropic, openai};

/// What the models say to a request.
pub(super) fn spoken(path: &str, asked: &Value) -> Spoken {
    match path {
        "/v1/chat/completions" => openai::chat(asked),
        "/v1/completions" => openai::completion(asked),
        "/v1/responses" => openai::responses(asked),
        "/v1/embeddings" => Spoken::Whole(StatusCode::OK, openai::embeddings(asked)),
        "/v1/messages" => anthropic::messages(asked),
        "/v1/messages/count_tokens" | "/v1/responses/input_tokens" => {
            Spoken::Whole(StatusCode::OK, anthropic::count(asked))
        }
        _ => Spoken::Whole(StatusCode::NOT_FOUND, error("not found")),
    }
}
