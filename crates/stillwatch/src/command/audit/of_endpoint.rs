//! What rules look at of an endpoint, by asking it as a caller would. Every request is for a few tokens, and none changes anything.

use std::sync::Arc;
use std::time::Duration;

use audit::facts::{Endpoint, Given};
use bytes::Bytes;
use gateway::outward;
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::{HeaderMap, Method, Request, Uri};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::of_configuration::is_local;
use crate::failure::Failure;

/// How long an answer may take.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);
/// Bytes of an answer.
const ANSWER_BYTES_MAX: usize = 4 << 20;
const PROMPT: &str = "Name one colour of the rainbow.";
const CHAT: &str = "/v1/chat/completions";

/// Who asks, and what.
pub(super) struct Asked<'a> {
    /// Where, without `/v1`.
    pub(super) url: &'a Uri,
    /// With which key.
    pub(super) key: Zeroizing<String>,
    /// For which model.
    pub(super) model: &'a str,
    /// How many requests at once, to see whether any is turned away; none without it.
    pub(super) burst: u32,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

struct Caller<'a> {
    asked: &'a Asked<'a>,
    tls: Arc<rustls::ClientConfig>,
}

/// The facts of an endpoint.
pub(super) fn facts(asked: &Asked<'_>) -> Result<Endpoint, Failure> {
    let failed = |error| Failure::io("the endpoint cannot be asked", error);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let tls = Arc::new(gateway::tls::towards(None).map_err(Failure::unreadable)?);
    runtime.block_on(Caller { asked, tls }.look())
}

impl Caller<'_> {
    async fn look(&self) -> Result<Endpoint, Failure> {
        let url = self.asked.url.to_string().trim_end_matches('/').to_owned();
        let plain = self.chat(&json!({})).await?;
        if plain.status != 200 {
            let told = plain.body.pointer("/error/message").and_then(Value::as_str).unwrap_or_default();
            return Err(Failure::service(format!(
                "the endpoint {url} answers {} to a plain request with this key: {told}",
                plain.status
            )));
        }
        if plain.body.get("choices").and_then(Value::as_array).is_none_or(Vec::is_empty) {
            return Err(Failure::service(format!(
                "the endpoint {url} answers 200 to a plain request and says nothing as a model would: expected `choices`"
            )));
        }
        let mut endpoint = Endpoint {
            url,
            is_local: is_local(self.asked.url),
            tls: self.asked.url.scheme_str() == Some("https"),
            telling_headers: telling(&plain.headers),
            ..Endpoint::default()
        };
        for path in ["/v1/models", CHAT] {
            for key in [None, Some("sk-no-such-key")] {
                let (method, body) =
                    if path == CHAT { (Method::POST, self.body(&json!({}))) } else { (Method::GET, Value::Null) };
                let answer = self.ask(method, path, &body, key).await?;
                // A page to sign in at is answered with 200 as well.
                let is_answer = answer.body.get("choices").or_else(|| answer.body.get("data")).is_some();
                if answer.status == 200 && is_answer {
                    let with = if key.is_some() { "a wrong key" } else { "no key" };
                    endpoint.without_key.push(format!("{path} is answered to {with}"));
                }
            }
        }
        endpoint.asked = self.fields(&plain).await?;
        endpoint.repeats_by_seed = self.repeats().await?;
        if self.asked.burst > 0 {
            endpoint.burst = Some((self.asked.burst, self.burst().await?));
        }
        Ok(endpoint)
    }

    /// Fields that bring more than text, each asked for by itself.
    async fn fields(&self, plain: &Answer) -> Result<Vec<(String, Given)>, Failure> {
        let choice =
            |name: &'static str| move |body: &Value| !body.pointer(&format!("/choices/0/{name}")).is_none_or(is_empty);
        let anywhere = |names: &'static [&'static str]| move |body: &Value| names.iter().any(|name| has(body, name));
        let mut told = Vec::new();
        let mut judge = |name: &str, answer: &Answer, is_given: &dyn Fn(&Value) -> bool| {
            told.push((name.to_owned(), given(answer, is_given)));
        };
        judge("logprobs", &self.chat(&json!({"logprobs": true})).await?, &choice("logprobs"));
        let top = self.chat(&json!({"logprobs": true, "top_logprobs": 3})).await?;
        judge("top_logprobs", &top, &|body| {
            !body.pointer("/choices/0/logprobs/content/0/top_logprobs").is_none_or(is_empty)
        });
        judge("prompt_logprobs", &self.chat(&json!({"prompt_logprobs": 1})).await?, &anywhere(&["prompt_logprobs"]));
        judge("n", &self.chat(&json!({"n": 2})).await?, &|body| {
            body.get("choices").and_then(Value::as_array).is_some_and(|all| all.len() > 1)
        });
        judge(
            "return_token_ids",
            &self.chat(&json!({"return_token_ids": true})).await?,
            &anywhere(&["token_ids", "prompt_token_ids"]),
        );
        judge(
            "return_prompt_text",
            &self.chat(&json!({"return_prompt_text": true})).await?,
            &anywhere(&["prompt_text"]),
        );
        let reasoning = |body: &Value| {
            let text = text_of(body).unwrap_or_default();
            has(body, "reasoning_content") || has(body, "reasoning") || text.contains("<think>")
        };
        judge("reasoning", plain, &reasoning);
        // A bias to some tokens changes what is said where it is heeded; without heat what is said is else the same.
        let cool = self.chat(&json!({"temperature": 0})).await?;
        let again = self.chat(&json!({"temperature": 0})).await?;
        // Low numbers, which every vocabulary has: servers leave out a bias to others, or refuse it.
        let biased = self.chat(&json!({"temperature": 0, "logit_bias": {"68": 100, "300": 100}})).await?;
        let is_steady = text_of(&cool.body).is_some() && text_of(&cool.body) == text_of(&again.body);
        let bias = if biased.status == 200 && !is_steady {
            Given::NotTold
        } else {
            given(&biased, &|body| text_of(body) != text_of(&cool.body))
        };
        told.push(("logit_bias".to_owned(), bias));
        let completion =
            json!({"model": self.asked.model, "prompt": PROMPT, "max_tokens": 4, "echo": true, "logprobs": 1});
        let echoed = self.ask(Method::POST, "/v1/completions", &completion, Some(&self.asked.key)).await?;
        let echoes = |body: &Value| {
            body.pointer("/choices/0/text").and_then(Value::as_str).is_some_and(|text| text.starts_with(PROMPT))
        };
        told.push(("echo".to_owned(), given(&echoed, &echoes)));
        told.push(("completions logprobs".to_owned(), given(&echoed, &choice("logprobs"))));
        Ok(told)
    }

    /// Whether answers with a seed are the same and others are not; none where that cannot be told.
    async fn repeats(&self) -> Result<Option<bool>, Failure> {
        let mut texts = Vec::new();
        for seed in [
            json!({"temperature": 1, "seed": 7}),
            json!({"temperature": 1, "seed": 7}),
            json!({"temperature": 1}),
            json!({"temperature": 1}),
        ] {
            let answer = self.chat(&seed).await?;
            texts.push(text_of(&answer.body).filter(|_| answer.status == 200));
        }
        let [Some(one), Some(two), Some(three), Some(four)] = &texts[..] else { return Ok(None) };
        Ok(if three == four { None } else { Some(one == two) })
    }

    /// Sends many requests at once; how many of them are turned away for their rate.
    async fn burst(&self) -> Result<u32, Failure> {
        let mut sent = tokio::task::JoinSet::new();
        for _ in 0..self.asked.burst {
            let (uri, request) =
                self.request(Method::POST, CHAT, &self.body(&json!({"max_tokens": 1})), Some(&self.asked.key))?;
            sent.spawn(answered(uri, Arc::clone(&self.tls), request));
        }
        let mut refused = 0;
        while let Some(answer) = sent.join_next().await {
            refused += u32::from(answer.is_ok_and(|answer| answer.is_ok_and(|answer| answer.status == 429)));
        }
        Ok(refused)
    }

    fn body(&self, more: &Value) -> Value {
        let mut body =
            json!({"model": self.asked.model, "max_tokens": 16, "messages": [{"role": "user", "content": PROMPT}]});
        if let (Some(body), Some(more)) = (body.as_object_mut(), more.as_object()) {
            body.extend(more.clone());
        }
        body
    }

    async fn chat(&self, more: &Value) -> Result<Answer, Failure> {
        self.ask(Method::POST, CHAT, &self.body(more), Some(&self.asked.key)).await
    }

    async fn ask(&self, method: Method, path: &str, body: &Value, key: Option<&str>) -> Result<Answer, Failure> {
        let (uri, request) = self.request(method, path, body, key)?;
        answered(uri, Arc::clone(&self.tls), request).await
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: &Value,
        key: Option<&str>,
    ) -> Result<(Uri, Request<Full<Bytes>>), Failure> {
        let base = self.asked.url.to_string();
        let uri = format!("{}{path}", base.trim_end_matches('/'));
        let uri: Uri = uri.parse().map_err(|error| Failure::usage(format!("--endpoint: {error}")))?;
        let mut request = Request::builder().method(method).uri(&uri).header(CONTENT_TYPE, "application/json");
        if let Some(key) = key {
            request = request.header(AUTHORIZATION, Zeroizing::new(format!("Bearer {key}")).as_str());
        }
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let request = request.body(Full::new(body));
        Ok((uri, request.map_err(|error| Failure::usage(format!("--endpoint-key-file: {error}")))?))
    }
}

async fn answered(uri: Uri, tls: Arc<rustls::ClientConfig>, request: Request<Full<Bytes>>) -> Result<Answer, Failure> {
    let unreached = |error| Failure::io(format!("the endpoint {uri} cannot be reached"), error);
    let late =
        |_| Failure::service(format!("the endpoint {uri} does not answer within {} s", ANSWER_TIME_MAX.as_secs()));
    let asked = outward::answer(&uri, &tls, request, ANSWER_BYTES_MAX);
    let (head, body) =
        tokio::time::timeout(ANSWER_TIME_MAX, asked).await.map_err(late)?.map_err(unreached)?.into_parts();
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
}

fn given(answer: &Answer, is_given: &dyn Fn(&Value) -> bool) -> Given {
    match answer.status {
        200 if is_given(&answer.body) => Given::Given,
        200 => Given::LeftOut,
        400 | 403 | 422 => Given::Refused,
        _ => Given::NotTold,
    }
}

/// What an answer says, its reasoning before it; none where it says nothing, as models do whose reasoning is hidden and takes all tokens.
fn text_of(body: &Value) -> Option<String> {
    let message = body.pointer("/choices/0/message")?;
    let said = |field: &&str| message.get(*field).and_then(Value::as_str);
    let text: String = ["reasoning", "reasoning_content", "content"].iter().filter_map(said).collect();
    Some(text).filter(|text| !text.is_empty())
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(all) => all.is_empty(),
        Value::Object(fields) => fields.values().all(is_empty),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

/// Whether a field of this name, with something in it, is anywhere in a value.
fn has(value: &Value, name: &str) -> bool {
    match value {
        Value::Object(fields) => fields.iter().any(|(is, value)| (is == name && !is_empty(value)) || has(value, name)),
        Value::Array(all) => all.iter().any(|value| has(value, name)),
        _ => false,
    }
}

/// Headers that tell what serves.
fn telling(headers: &HeaderMap) -> Vec<String> {
    const SERVERS: [&str; 9] =
        ["uvicorn", "vllm", "llama.cpp", "ollama", "litellm", "sglang", "werkzeug", "gunicorn", "hypercorn"];
    let tells = |name: &str, value: &str| {
        let value = value.to_ascii_lowercase();
        name.starts_with("x-litellm")
            || name == "x-powered-by"
            || (name == "server" && SERVERS.iter().any(|server| value.contains(server)))
    };
    let pairs = headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    pairs.filter(|(name, value)| tells(name, value)).map(|(name, value)| format!("{name}: {value}")).take(10).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_answer_brings_is_told_from_what_it_leaves_out() {
        let answer = |status, body: Value| Answer { status, headers: HeaderMap::new(), body };
        let probabilities = |body: &Value| has(body, "logprobs");
        for (status, body, expected) in [
            (200, json!({"choices": [{"logprobs": {"content": [{"token": "a"}]}}]}), Given::Given),
            (200, json!({"choices": [{"logprobs": null}]}), Given::LeftOut),
            (200, json!({"choices": [{"logprobs": {"content": []}}]}), Given::LeftOut),
            (400, json!({}), Given::Refused),
            (404, json!({}), Given::NotTold),
            (429, json!({}), Given::NotTold),
        ] {
            assert_eq!(given(&answer(status, body.clone()), &probabilities), expected, "{status}: {body}");
        }
    }

    #[test]
    fn what_a_model_that_thinks_says_is_told_where_it_comes_to_nothing_else() {
        let says = |message: Value| text_of(&json!({"choices": [{"message": message}]}));
        assert_eq!(says(json!({"content": "a"})).as_deref(), Some("a"));
        assert_eq!(says(json!({"content": "", "reasoning_content": "b"})).as_deref(), Some("b"));
        assert_eq!(says(json!({"content": null, "reasoning": "c"})).as_deref(), Some("c"));
        // Hidden reasoning took all tokens: nothing can be told from it.
        assert_eq!(says(json!({"content": ""})), None);
    }

    #[test]
    fn headers_that_tell_the_server_are_told() {
        let mut headers = HeaderMap::new();
        for (name, value) in [("server", "uvicorn"), ("x-litellm-version", "1"), ("date", "now")] {
            headers.insert(name, value.parse().expect("a value"));
        }
        headers.append("server", "cloud".parse().expect("a value"));
        assert_eq!(telling(&headers), ["server: uvicorn", "x-litellm-version: 1"]);
    }
}
