//! What a logged HTTP request was for, by its method and path alone: most requests to a model API ask no model.
//!
//! A caller writes the path that he asks for, so nothing is concluded from one that a server may read in another way.

/// A poll of an answer, which may hold the answer.
pub(crate) const POLL: &str = "poll of an answer";

/// The method and path of a request.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Route<'r> {
    method: Option<&'r str>,
    path: Option<&'r str>,
}

/// Methods that ask for what is there.
const READING: [&str; 4] = ["GET", "HEAD", "OPTIONS", "DELETE"];
const WRITING: [&str; 3] = ["POST", "PUT", "PATCH"];
const HEALTH: [&str; 13] = [
    "health",
    "healthz",
    "healthcheck",
    "health_check",
    "health-check",
    "livez",
    "liveness",
    "liveliness",
    "readyz",
    "readiness",
    "ready",
    "ping",
    "heartbeat",
];
/// Things that are listed, fetched and put down, and none of which a model answers.
const COLLECTIONS: [&str; 5] = ["models", "files", "batches", "uploads", "moderations"];

impl<'r> Route<'r> {
    /// Takes a word for the method if it is one.
    pub(crate) fn method(&mut self, word: &'r str) {
        if self.method.is_none() && is_method(word) {
            self.method = Some(word);
        }
    }

    /// Takes a text for the path if it is one, or a URL, or begins with a method as the first line of a request does.
    pub(crate) fn path(&mut self, text: &'r str) {
        let mut words = text.split_ascii_whitespace();
        let (first, second) = (words.next().unwrap_or_default(), words.next());
        let target = match second {
            Some(target) if is_method(first) => {
                self.method(first);
                target
            }
            Some(_) => return,
            None => first,
        };
        let path = match target.split_once("://") {
            Some((_, rest)) => rest.find('/').and_then(|slash| rest.get(slash..)).unwrap_or("/"),
            None => target,
        };
        if self.path.is_none() && path.starts_with('/') {
            self.path = path.split(['?', '#']).next();
        }
    }

    /// Whether a method was named.
    pub(crate) fn has_method(self) -> bool {
        self.method.is_some()
    }

    /// Why the request asked no model, if it did not.
    pub(crate) fn no_call(self) -> Option<&'static str> {
        let path = self.path?;
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).take(SEGMENTS_MAX).collect();
        let [.., last] = segments.as_slice() else { return None };
        // What a server makes of such a path is its own affair.
        if segments.len() == SEGMENTS_MAX || path.contains(['%', ';', '\\']) || segments.contains(&"..") {
            return None;
        }
        let is_reading = self.method.is_some_and(|method| READING.iter().any(|one| one.eq_ignore_ascii_case(method)));
        let is_writing = self.method.is_some() && !is_reading;
        // How many segments stand behind a name.
        let behind = |name: &str| segments.iter().rev().position(|segment| *segment == name);
        let is_cancelled = *last == "cancel";
        if (is_reading || segments.len() == 1) && HEALTH.contains(last)
            || is_reading && segments.first() == Some(&"health")
        {
            return Some("health check");
        }
        if matches!(*last, "count_tokens" | "input_tokens") || last.ends_with(":countTokens") {
            return Some("count of tokens");
        }
        if behind("responses").is_some_and(|behind| behind > 0) && (!is_writing || is_cancelled) {
            return Some(POLL);
        }
        let has_version = || segments.iter().any(|segment| is_version(segment));
        let of = COLLECTIONS.iter().find_map(|name| behind(name));
        if of.is_some_and(|behind| match behind {
            0 => is_reading || has_version(),
            _ => is_reading || (is_cancelled || !is_writing && behind == 1) && has_version() && !last.contains(':'),
        }) {
            return Some("listing, file or batch");
        }
        // Sessions in both directions begin so.
        (is_reading && !segments.contains(&"realtime")).then_some("request that asks no model")
    }
}

fn is_method(word: &str) -> bool {
    READING.iter().chain(&WRITING).any(|method| method.eq_ignore_ascii_case(word))
}

/// `v1`, `v1beta`, or a version by date, as it stands in paths.
fn is_version(segment: &str) -> bool {
    segment.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// Segments of a path that are looked at; no API has as many.
const SEGMENTS_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn no_call(method: &str, path: &str) -> Option<&'static str> {
        let mut route = Route::default();
        route.method(method);
        route.path(path);
        route.no_call()
    }

    #[test]
    fn what_asks_no_model_is_known_by_its_path() {
        for (method, path, why) in [
            ("GET", "/v1/responses/resp_1", POLL),
            ("get", "https://api.example.com/v1/responses/resp_1?include=x", POLL),
            ("", "/v1/responses/resp_1", POLL),
            ("", "GET /v1/responses/resp_1/input_items HTTP/1.1", POLL),
            ("POST", "/v1/responses/resp_1/cancel", POLL),
            ("GET", "/v1/models", "listing, file or batch"),
            ("", "/v1/models/", "listing, file or batch"),
            ("", "/v1/models/gpt-x", "listing, file or batch"),
            ("POST", "/v1/files", "listing, file or batch"),
            ("GET", "/openai/v1/files/f/content", "listing, file or batch"),
            ("POST", "/v1/messages/batches", "listing, file or batch"),
            ("POST", "/v1/batches/b/cancel", "listing, file or batch"),
            ("POST", "/v1/messages/count_tokens?beta=true", "count of tokens"),
            ("POST", "/v1beta/models/gemini-x:countTokens", "count of tokens"),
            ("GET", "/healthz", "health check"),
            ("", "/healthz", "health check"),
            ("GET", "/health/readiness", "health check"),
            ("GET", "/v1/chat/completions/chatcmpl-1", "request that asks no model"),
        ] {
            assert_eq!(no_call(method, path), Some(why), "{method} {path}");
        }
    }

    /// A path is the caller's to choose: what could reach a model is a call.
    #[test]
    fn what_may_ask_a_model_is_a_call() {
        for (method, path) in [
            ("POST", "/v1/responses"),
            ("", "/v1/responses"),
            ("POST", "/v1/chat/completions"),
            ("POST", "/v1/chat/completions?x=/healthz"),
            ("POST", "/v1/chat/completions#/v1/models"),
            ("POST", "/healthz/../v1/chat/completions"),
            ("POST", "/v1/chat/completions/%2e%2e/healthz"),
            ("POST", "/v1/chat/completions/healthz"),
            ("POST", "/v1/models/gemini-x:generateContent"),
            ("", "/v1beta/models/gemini-x:generateContent"),
            ("POST", "/models/chat/completions"),
            ("POST", "/model/anthropic.x/invoke"),
            ("GET", "/v1/realtime"),
            ("", "/var/log/models/a.log"),
            ("", "models"),
            ("", "{\"x\":\" /v1/models \"}"),
            ("GET", ""),
            ("", ""),
        ] {
            assert_eq!(no_call(method, path), None, "{method} {path}");
        }
    }
}
