//! Which paths are served, and what each is.
//!
//! Promises that whatever is not listed is denied: model servers leave doors open beside the API (`/tokenize`,
//! `/pooling`, `/update_weights`), and a path that is not understood is not forwarded. What is forwarded is the path
//! written anew from what was understood, so no encoding, dot segment or doubled slash reaches a server.

use hyper::Method;
use policy::Action;

use crate::limits::PATH_BYTES_MAX;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Which call.
    pub call: Call,
    /// The path as it is forwarded.
    pub path: String,
}

/// The calls that are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// `POST /v1/chat/completions`
    Chat,
    /// `POST /v1/completions`
    Completion,
    /// `POST /v1/responses`
    Responses,
    /// `POST /v1/embeddings`
    Embeddings,
    /// `POST /v1/messages`
    Messages,
    /// `POST /v1/messages/count_tokens`, `POST /v1/responses/input_tokens`
    CountTokens,
    /// `GET /v1/models`, `GET /v1/models/{model}`
    Models,
    /// Something that a server keeps for a caller: `/v1/files`, `/v1/batches`, `/v1/messages/batches` and what is below.
    Stored(Kind, Operation),
    /// A path that the operator listed.
    Listed,
}

/// What servers keep for callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File,
    /// A batch of requests in a file, as OpenAI's API has it.
    Batch,
    /// A batch of requests, as Anthropic's API has it.
    MessageBatch,
}

/// What is done with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A new one.
    Create,
    /// Which there are.
    List,
    /// How one is.
    Show,
    /// What is in a file, what came out of a batch.
    Content,
    /// Stop a batch.
    Cancel,
    /// Remove it.
    Delete,
}

impl Kind {
    /// Its name in the table of what is stored, and in texts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Kind::File => "file",
            Kind::Batch => "batch",
            Kind::MessageBatch => "message_batch",
        }
    }
}

/// How an API words its errors and its limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// As OpenAI's.
    OpenAi,
    /// As Anthropic's.
    Anthropic,
}

/// Why a path is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unserved {
    /// Nothing is there.
    NotFound,
    /// It is there for another method; the one that it is there for.
    Method(&'static str),
}

impl Call {
    /// The action that it is, whatever its body asks besides.
    #[must_use]
    pub fn action(self) -> Action {
        match self {
            Call::Embeddings => Action::Embeddings,
            Call::Models => Action::ListModels,
            Call::Stored(Kind::Batch | Kind::MessageBatch, _) => Action::Batch,
            _ => Action::Infer,
        }
    }

    /// Whether its body is read as a request to a model.
    #[must_use]
    pub fn is_asked(self) -> bool {
        matches!(
            self,
            Call::Chat | Call::Completion | Call::Responses | Call::Embeddings | Call::Messages | Call::CountTokens
        )
    }

    /// Whether a model writes its reply.
    #[must_use]
    pub fn writes(self) -> bool {
        matches!(self, Call::Chat | Call::Completion | Call::Responses | Call::Messages)
    }

    /// Whether exchanges are recorded of it.
    #[must_use]
    pub fn is_recorded(self) -> bool {
        self.is_generated() || matches!(self, Call::Stored(_, Operation::Create))
    }

    /// Whether its reply is generated: it costs tokens, and is handed over.
    #[must_use]
    pub fn is_generated(self) -> bool {
        self.is_asked() && self != Call::CountTokens
    }
}

/// Reads the path of a request.
///
/// # Errors
///
/// When it is not served. `listed` are the operator's own paths, matched as they are; a path that is understood stays
/// what it is.
pub fn route(method: &Method, path: &str, listed: &[String]) -> Result<Route, Unserved> {
    match understood(method, path) {
        Err(Unserved::NotFound) if path.len() <= PATH_BYTES_MAX && listed.iter().any(|known| known == path) => {
            Ok(Route { call: Call::Listed, path: path.to_owned() })
        }
        route => route,
    }
}

fn understood(method: &Method, path: &str) -> Result<Route, Unserved> {
    if path.len() > PATH_BYTES_MAX {
        return Err(Unserved::NotFound);
    }
    let path = path.strip_suffix('/').unwrap_or(path);
    let mut parts = [""; 5];
    let mut count = 0;
    for part in path.strip_prefix("/v1/").ok_or(Unserved::NotFound)?.split('/') {
        *parts.get_mut(count).ok_or(Unserved::NotFound)? = part;
        count += 1;
    }
    let parts = parts.get(..count).unwrap_or_default();
    if let Some((kind, rest)) = stored(parts) {
        if !rest.iter().all(|part| is_plain(part)) {
            return Err(Unserved::NotFound);
        }
        let operation = operation(kind, rest, method)?;
        return Ok(Route { call: Call::Stored(kind, operation), path: path.to_owned() });
    }
    let (call, expected) = match parts {
        ["chat", "completions"] => (Call::Chat, "POST"),
        ["completions"] => (Call::Completion, "POST"),
        ["responses"] => (Call::Responses, "POST"),
        ["embeddings"] => (Call::Embeddings, "POST"),
        ["messages"] => (Call::Messages, "POST"),
        ["messages", "count_tokens"] | ["responses", "input_tokens"] => (Call::CountTokens, "POST"),
        // Models have slashes in their names.
        ["models", ..] => (Call::Models, "GET"),
        _ => return Err(Unserved::NotFound),
    };
    if !parts.iter().all(|part| is_plain(part)) {
        return Err(Unserved::NotFound);
    }
    if method.as_str() != expected {
        return Err(Unserved::Method(expected));
    }
    Ok(Route { call, path: path.to_owned() })
}

/// What is stored, and which one, by the parts of a path.
fn stored<'p, 's>(parts: &'p [&'s str]) -> Option<(Kind, &'p [&'s str])> {
    match parts {
        ["files", rest @ ..] => Some((Kind::File, rest)),
        ["batches", rest @ ..] => Some((Kind::Batch, rest)),
        ["messages", "batches", rest @ ..] => Some((Kind::MessageBatch, rest)),
        _ => None,
    }
}

fn operation(kind: Kind, rest: &[&str], method: &Method) -> Result<Operation, Unserved> {
    let (expected, operations): (&'static str, &[(&str, Operation)]) = match (kind, rest) {
        (_, []) => ("GET, POST", &[("GET", Operation::List), ("POST", Operation::Create)]),
        (Kind::Batch, [_]) => ("GET", &[("GET", Operation::Show)]),
        (_, [_]) => ("DELETE, GET", &[("GET", Operation::Show), ("DELETE", Operation::Delete)]),
        (Kind::File, [_, "content"]) | (Kind::MessageBatch, [_, "results"]) => ("GET", &[("GET", Operation::Content)]),
        (Kind::Batch | Kind::MessageBatch, [_, "cancel"]) => ("POST", &[("POST", Operation::Cancel)]),
        _ => return Err(Unserved::NotFound),
    };
    let known = operations.iter().find(|(known, _)| *known == method.as_str());
    known.map(|(_, operation)| *operation).ok_or(Unserved::Method(expected))
}

/// The dialect that a caller speaks: Anthropic's paths and header, or else OpenAI's.
#[must_use]
pub fn dialect(path: &str, versioned: bool) -> Dialect {
    if path.starts_with("/v1/messages") || versioned { Dialect::Anthropic } else { Dialect::OpenAi }
}

/// Whether a part of a path is what it looks like: no escapes, no dots alone, nothing that a server could read
/// differently.
pub(crate) fn is_plain(part: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:@+~".contains(&byte);
    !part.is_empty() && part.bytes().all(plain) && !part.bytes().all(|byte| byte == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(method: Method, path: &str) -> Result<Call, Unserved> {
        route(&method, path, &["/health".to_owned()]).map(|route| route.call)
    }

    #[test]
    fn the_apis_are_served() {
        for (method, path, expected) in [
            (Method::POST, "/v1/chat/completions", Call::Chat),
            (Method::POST, "/v1/chat/completions/", Call::Chat),
            (Method::POST, "/v1/completions", Call::Completion),
            (Method::POST, "/v1/responses", Call::Responses),
            (Method::POST, "/v1/embeddings", Call::Embeddings),
            (Method::POST, "/v1/messages", Call::Messages),
            (Method::POST, "/v1/messages/count_tokens", Call::CountTokens),
            (Method::POST, "/v1/responses/input_tokens", Call::CountTokens),
            (Method::GET, "/v1/models", Call::Models),
            (Method::GET, "/v1/models/org/model-7b", Call::Models),
            (Method::POST, "/v1/files", Call::Stored(Kind::File, Operation::Create)),
            (Method::GET, "/v1/files", Call::Stored(Kind::File, Operation::List)),
            (Method::GET, "/v1/files/file-1", Call::Stored(Kind::File, Operation::Show)),
            (Method::DELETE, "/v1/files/file-1", Call::Stored(Kind::File, Operation::Delete)),
            (Method::GET, "/v1/files/file-1/content", Call::Stored(Kind::File, Operation::Content)),
            (Method::POST, "/v1/batches", Call::Stored(Kind::Batch, Operation::Create)),
            (Method::GET, "/v1/batches", Call::Stored(Kind::Batch, Operation::List)),
            (Method::GET, "/v1/batches/batch_1", Call::Stored(Kind::Batch, Operation::Show)),
            (Method::POST, "/v1/batches/batch_1/cancel", Call::Stored(Kind::Batch, Operation::Cancel)),
            (Method::POST, "/v1/messages/batches", Call::Stored(Kind::MessageBatch, Operation::Create)),
            (Method::GET, "/v1/messages/batches", Call::Stored(Kind::MessageBatch, Operation::List)),
            (Method::GET, "/v1/messages/batches/b_1", Call::Stored(Kind::MessageBatch, Operation::Show)),
            (Method::DELETE, "/v1/messages/batches/b_1", Call::Stored(Kind::MessageBatch, Operation::Delete)),
            (Method::POST, "/v1/messages/batches/b_1/cancel", Call::Stored(Kind::MessageBatch, Operation::Cancel)),
            (Method::GET, "/v1/messages/batches/b_1/results", Call::Stored(Kind::MessageBatch, Operation::Content)),
            (Method::GET, "/health", Call::Listed),
        ] {
            assert_eq!(call(method, path), Ok(expected), "{path}");
        }
        let listed = ["/v1/chat/completions".to_owned()];
        let route = route(&Method::POST, "/v1/chat/completions", &listed).unwrap();
        assert_eq!(route.call, Call::Chat, "listing a path does not make it less understood");
    }

    #[test]
    fn everything_else_is_not() {
        for path in [
            "/",
            "",
            "/v1",
            "/v1/",
            "/invocations",
            "/pooling",
            "/tokenize",
            "/detokenize",
            "/update_weights",
            "/v1/load_lora_adapter",
            "/metrics",
            "/health/",
            "/v1//chat/completions",
            "//v1/chat/completions",
            "/v1/chat/../chat/completions",
            "/v1/chat/%63ompletions",
            "/v1/models/../../update_weights",
            "/v1/models/%2e%2e/update_weights",
            "/v1/models/a/b/c/d/e/f",
            "/v1/chat/completions;x=1",
            "/V1/chat/completions",
            "/v1/chat/completions/extra",
            "/v1/models/a\\b",
            "/v1/batches/b/cancel/extra",
            "/v1/batches/b/results",
            "/v1/messages/batches/b/content",
            "/v1/files/../models",
            "/v1/files/%2e%2e/content",
            "/v1/files//content",
            "/v1/uploads",
            "/v1/responses/resp_1",
            "/v1/vector_stores",
        ] {
            assert_eq!(call(Method::POST, path), Err(Unserved::NotFound), "{path}");
        }
        assert_eq!(call(Method::GET, "/v1/chat/completions"), Err(Unserved::Method("POST")));
        assert_eq!(call(Method::PUT, "/v1/files"), Err(Unserved::Method("GET, POST")));
        assert_eq!(call(Method::DELETE, "/v1/batches/b"), Err(Unserved::Method("GET")));
        assert_eq!(call(Method::from_bytes(b"TRACE").unwrap(), "/v1/models"), Err(Unserved::Method("GET")));
    }

    #[test]
    fn paths_have_a_limit() {
        let path = |bytes: usize| format!("/v1/models/{}", "m".repeat(bytes - "/v1/models/".len()));
        assert_eq!(call(Method::GET, &path(PATH_BYTES_MAX)), Ok(Call::Models));
        assert_eq!(call(Method::GET, &path(PATH_BYTES_MAX + 1)), Err(Unserved::NotFound));
    }
}
