//! The requests of a batch: read, decided on and written anew.
//!
//! Promises that each of them is looked at as if it came alone: read by the same rules, with the same held back, and counted
//! one by one. A batch of which one line cannot be read is refused as a whole. Others get their turn while a long one is read.

use std::collections::BTreeMap;

use bytes::Bytes;
use exchange::Time;
use hyper::Method;
use policy::amount::Amounts;
use policy::price::Price;
use policy::quota::QuotaId;
use policy::{Action, Actions};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::ask::Ask;
use crate::limits::{BATCH_MODELS_MAX, BATCH_REQUESTS_MAX, CUSTOM_ID_BYTES_MAX, DECODED_AT_ONCE};
use crate::route::{Call, route};
use crate::shield::{self, Caps, Hold};
use crate::usage::{self, Used};

/// The requests of a batch.
#[derive(Debug)]
pub(crate) struct Batch {
    /// The path that all of them are for.
    pub(crate) endpoint: String,
    /// What that is.
    pub(crate) call: Call,
    /// Each of them.
    pub(crate) requests: Vec<One>,
}

/// One request of a batch.
#[derive(Debug)]
pub(crate) struct One {
    /// Its name.
    custom_id: String,
    /// Its body.
    pub(crate) body: Bytes,
    /// What it asks for.
    pub(crate) ask: Ask,
}

/// What has to be known of a batch later on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// The path that its requests are for.
    pub(crate) endpoint: String,
    /// How many there are.
    pub(crate) requests: u64,
    /// The most tokens that they and their replies have.
    pub(crate) tokens: u64,
    /// What these cost, in millionths.
    pub(crate) micro_cost: Option<u64>,
    /// The models that they name, and what any of them wants of each.
    pub(crate) models: BTreeMap<String, Actions>,
    /// What was held back of them.
    pub(crate) held: Actions,
    /// How many texts each of them completes at least.
    prompts: u64,
    /// Whether answers to any of them begin within reasoning.
    within: bool,
}

/// Why a batch is refused; the text may be shown to the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadBatch {
    /// One request of it is.
    #[error("request {0} of the batch: {1}")]
    Request(usize, String),
    /// It is not one batch.
    #[error("the batch cannot be read: {0}")]
    Whole(String),
}

/// A line of a file of requests.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    custom_id: String,
    method: String,
    url: String,
    #[serde(borrow)]
    body: &'a RawValue,
}

/// A batch as Anthropic's API takes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Messages<'a> {
    #[serde(borrow)]
    requests: Vec<Params<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params<'a> {
    custom_id: String,
    #[serde(borrow)]
    params: &'a RawValue,
}

#[derive(Serialize)]
struct LineOut<'a> {
    custom_id: &'a str,
    method: &'static str,
    url: &'a str,
    body: &'a RawValue,
}

#[derive(Serialize)]
struct ParamsOut<'a> {
    custom_id: &'a str,
    params: &'a RawValue,
}

impl Batch {
    /// Reads a file of requests, one a line.
    ///
    /// # Errors
    ///
    /// When one of them cannot be read, or they are not for one path.
    pub(crate) async fn of_lines(file: &Bytes) -> Result<Batch, BadBatch> {
        let text = std::str::from_utf8(file).map_err(|_| BadBatch::Whole("it is not valid UTF-8".to_owned()))?;
        let mut batch: Option<Batch> = None;
        let mut turn = Turn::default();
        for (index, line) in text.lines().filter(|line| !line.trim().is_empty()).enumerate() {
            let bad = |what: String| BadBatch::Request(index + 1, what);
            if line.contains(['\r', '\u{85}', '\u{2028}', '\u{2029}']) {
                return Err(bad(
                    "it has a carriage return, U+0085, U+2028 or U+2029, at which some readers end a line; write it as `\\u2028`".to_owned()
                ));
            }
            let line: Line<'_> = serde_json::from_str(line).map_err(|error| bad(error.to_string()))?;
            let known = route(&Method::POST, &line.url, &[]).ok().filter(|route| route.call.is_generated());
            let known = known.filter(|known| line.method == "POST" && line.url == known.path);
            let known = known.ok_or_else(|| bad("expected `POST` and the path of a model's API".to_owned()))?;
            let batch = batch.get_or_insert_with(|| Batch {
                endpoint: known.path.clone(),
                call: known.call,
                requests: Vec::new(),
            });
            if batch.endpoint != known.path {
                return Err(bad(format!("expected `{}` as in the requests before it", batch.endpoint)));
            }
            batch.add(index, line.custom_id, file.slice_ref(line.body.get().as_bytes()))?;
            turn.worked(line.body.get().len()).await;
        }
        batch.ok_or_else(|| BadBatch::Whole("it has no requests".to_owned()))
    }

    /// Reads a batch of messages.
    ///
    /// # Errors
    ///
    /// When one of them cannot be read.
    pub(crate) async fn of_messages(body: &Bytes) -> Result<Batch, BadBatch> {
        let text = std::str::from_utf8(body).map_err(|_| BadBatch::Whole("it is not valid UTF-8".to_owned()))?;
        let Messages { requests } = serde_json::from_str(text).map_err(|error| BadBatch::Whole(error.to_string()))?;
        let endpoint = "/v1/messages".to_owned();
        let mut batch = Batch { endpoint, call: Call::Messages, requests: Vec::new() };
        let mut turn = Turn::default();
        for (index, Params { custom_id, params }) in requests.into_iter().enumerate() {
            batch.add(index, custom_id, body.slice_ref(params.get().as_bytes()))?;
            turn.worked(params.get().len()).await;
        }
        if batch.requests.is_empty() { Err(BadBatch::Whole("it has no requests".to_owned())) } else { Ok(batch) }
    }

    fn add(&mut self, index: usize, custom_id: String, body: Bytes) -> Result<(), BadBatch> {
        let bad = |what: String| BadBatch::Request(index + 1, what);
        if index >= BATCH_REQUESTS_MAX {
            return Err(BadBatch::Whole(format!("it has more than {BATCH_REQUESTS_MAX} requests")));
        }
        if custom_id.is_empty() || custom_id.len() > CUSTOM_ID_BYTES_MAX {
            return Err(bad(format!("expected a `custom_id` of 1 to {CUSTOM_ID_BYTES_MAX} bytes")));
        }
        let mut ask = Ask::read(self.call, &body).map_err(|error| bad(error.to_string()))?;
        ask.wanted = ask.wanted.with(Action::Batch);
        self.requests.push(One { custom_id, body, ask });
        Ok(())
    }

    /// What has to be known of it later on, where `held` is held back. `price` tells what a model's tokens cost, and `thinks`
    /// of which models answers begin within reasoning.
    ///
    /// # Errors
    ///
    /// When its requests name too many models, or replies to them could not all be filtered in one way.
    pub(crate) async fn summary(
        &self,
        held: Actions,
        caps: Caps,
        price: impl Fn(&str) -> Option<Price>,
        thinks: impl Fn(&str) -> bool,
    ) -> Result<Summary, BadBatch> {
        let mut summary: Option<Summary> = None;
        let mut turn = Turn::default();
        for (index, One { body, ask, .. }) in self.requests.iter().enumerate() {
            let model = ask.model.as_deref().unwrap_or_default();
            // What may be had by the time of the results is not known yet.
            let hold = Hold::of(Actions::ALL, caps, body, self.call, ask.prompts, thinks(model));
            let summary = summary.get_or_insert_with(|| Summary {
                endpoint: self.endpoint.clone(),
                requests: 0,
                tokens: 0,
                micro_cost: Some(0),
                models: BTreeMap::new(),
                held,
                prompts: hold.prompts,
                within: hold.within,
            });
            if shield::is_of_replies(held, self.call)
                && (summary.prompts, summary.within) != (hold.prompts, hold.within)
            {
                let what = "it completes another number of texts, or begins within reasoning, and those before it do not; \
                            put it into another batch";
                return Err(BadBatch::Request(index + 1, what.to_owned()));
            }
            let used = Used { input: usage::input_tokens(body), output: ask.output_tokens(self.call) };
            let amounts = used.amounts(price(model));
            summary.requests += 1;
            summary.tokens = summary.tokens.saturating_add(amounts.tokens);
            summary.micro_cost = summary.micro_cost.zip(amounts.micro_cost).map(|(sum, more)| sum.saturating_add(more));
            summary.prompts = summary.prompts.min(hold.prompts);
            summary.within |= hold.within;
            match summary.models.get_mut(model) {
                Some(wanted) => *wanted = wanted.or(ask.wanted),
                None => drop(summary.models.insert(model.to_owned(), ask.wanted)),
            }
            if summary.models.len() > BATCH_MODELS_MAX {
                return Err(BadBatch::Whole(format!("its requests name more than {BATCH_MODELS_MAX} models")));
            }
            turn.worked(body.len()).await;
        }
        summary.ok_or_else(|| BadBatch::Whole("it has no requests".to_owned()))
    }

    /// It as lines, without what is held back; as it came in `file` where nothing is.
    ///
    /// # Errors
    ///
    /// When a body is no JSON object.
    pub(crate) async fn lines(&self, file: &Bytes, held: Actions, caps: Caps) -> Result<Bytes, BadBatch> {
        if held.is_empty() {
            return Ok(file.clone());
        }
        let mut out = Vec::new();
        let mut turn = Turn::default();
        for (index, One { custom_id, body, .. }) in self.requests.iter().enumerate() {
            let body = self.held_back(index, body, held, caps)?;
            let line = LineOut { custom_id, method: "POST", url: &self.endpoint, body: raw(index, &body)? };
            append(&mut out, index, &line)?;
            out.push(b'\n');
            turn.worked(body.len()).await;
        }
        Ok(out.into())
    }

    /// It as Anthropic's API takes it, without what is held back; as it came in `body` where nothing is.
    ///
    /// # Errors
    ///
    /// When a body is no JSON object.
    pub(crate) async fn messages(&self, body: &Bytes, held: Actions, caps: Caps) -> Result<Bytes, BadBatch> {
        if held.is_empty() {
            return Ok(body.clone());
        }
        let mut out = b"{\"requests\":[".to_vec();
        let mut turn = Turn::default();
        for (index, One { custom_id, body, .. }) in self.requests.iter().enumerate() {
            let body = self.held_back(index, body, held, caps)?;
            if index > 0 {
                out.push(b',');
            }
            append(&mut out, index, &ParamsOut { custom_id, params: raw(index, &body)? })?;
            turn.worked(body.len()).await;
        }
        out.extend_from_slice(b"]}");
        Ok(out.into())
    }

    fn held_back(&self, index: usize, body: &Bytes, held: Actions, caps: Caps) -> Result<Bytes, BadBatch> {
        shield::request(body, self.call, held, caps).map_err(|error| BadBatch::Request(index + 1, error.to_string()))
    }

    /// What its requests want of each model, all of them together.
    pub(crate) fn wanted(&self) -> BTreeMap<&str, Ask> {
        let mut wanted: BTreeMap<&str, Ask> = BTreeMap::new();
        for One { ask, .. } in &self.requests {
            let all = wanted
                .entry(ask.model.as_deref().unwrap_or_default())
                .or_insert_with(|| Ask { model: ask.model.clone(), ..Ask::default() });
            all.wanted = all.wanted.or(ask.wanted);
            // One is as good as many: it is refused for the first.
            if all.builds_on.is_empty() {
                all.builds_on.clone_from(&ask.builds_on);
            }
        }
        wanted
    }
}

fn raw(index: usize, body: &[u8]) -> Result<&RawValue, BadBatch> {
    serde_json::from_slice(body).map_err(|error| BadBatch::Request(index + 1, error.to_string()))
}

fn append(out: &mut Vec<u8>, index: usize, line: &impl Serialize) -> Result<(), BadBatch> {
    serde_json::to_writer(out, line).map_err(|error| BadBatch::Request(index + 1, error.to_string()))
}

impl Summary {
    /// What it asks for of each model.
    pub(crate) fn asks(&self) -> impl Iterator<Item = Ask> {
        let ask = |(model, wanted): (&String, &Actions)| Ask {
            model: Some(model.clone()),
            wanted: *wanted,
            ..Ask::default()
        };
        self.models.iter().map(ask)
    }

    /// What it may take of quotas.
    pub(crate) fn may_take(&self) -> Amounts {
        Amounts { requests: self.requests, tokens: self.tokens, micro_cost: self.micro_cost }
    }

    /// What it took, when `tokens` were told or so many of its requests were answered.
    pub(crate) fn took(&self, tokens: Option<u64>, answered: Option<u64>) -> Amounts {
        let part = |whole: u64, share: u64, of: u64| {
            u64::try_from(u128::from(whole) * u128::from(share) / u128::from(of.max(1))).unwrap_or(u64::MAX)
        };
        let answered = answered.unwrap_or(self.requests).min(self.requests);
        let tokens = tokens.unwrap_or_else(|| part(self.tokens, answered, self.requests));
        let micro_cost = self.micro_cost.map(|cost| part(cost, tokens, self.tokens));
        Amounts { requests: self.requests, tokens, micro_cost }
    }

    /// What is held back of each reply, where `held` is by now.
    pub(crate) fn hold(&self, held: Actions, caps: Caps) -> Hold {
        Hold { held, caps, prompts: self.prompts, within: self.within }
    }
}

/// A batch that was made: what was reserved for it, to be settled when it is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Made {
    /// What it asks for.
    pub(crate) summary: Summary,
    /// The name of the credential that it was made with.
    pub(crate) credential: String,
    /// When what it may take was reserved.
    pub(crate) reserved: Time,
    /// Of which limits.
    pub(crate) limits: Vec<QuotaId>,
}

/// Work after which others get their turn.
#[derive(Debug, Default)]
struct Turn {
    bytes: usize,
}

impl Turn {
    async fn worked(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes >= DECODED_AT_ONCE {
            self.bytes = 0;
            tokio::task::yield_now().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::limits::OUTPUT_TOKENS_UNTOLD;

    fn line(custom_id: &str, url: &str, body: &Value) -> String {
        json!({"custom_id": custom_id, "method": "POST", "url": url, "body": body}).to_string() + "\n"
    }

    async fn read(text: &str) -> Result<Batch, BadBatch> {
        Batch::of_lines(&Bytes::from(text.to_owned())).await
    }

    const CHAT: &str = "/v1/chat/completions";

    #[tokio::test]
    async fn each_request_is_read_as_if_it_came_alone() {
        let text = line("a", CHAT, &json!({"model": "m", "max_tokens": 10, "logprobs": true}))
            + "\n"
            + &line("b", CHAT, &json!({"model": "n", "messages": [], "seed": 1}));
        let batch = read(&text).await.unwrap();
        let wanted = batch.wanted();
        assert!(wanted["m"].wanted.has(Action::Logprobs) && !wanted["n"].wanted.has(Action::Logprobs));
        assert!(wanted.values().all(|ask| ask.wanted.has(Action::Batch)));
        let held = Actions::NONE.with(Action::Logprobs).with(Action::Sampling);
        let summary = batch.summary(held, Caps::default(), |_| None, |_| false).await.unwrap();
        assert_eq!((summary.requests, summary.models.len(), summary.micro_cost), (2, 2, None));
        assert!(summary.tokens >= 10 + OUTPUT_TOKENS_UNTOLD);
        let file = Bytes::from(text.clone());
        let lines = batch.lines(&file, held, Caps::default()).await.unwrap();
        let lines: Vec<Value> =
            lines.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
        assert_eq!(lines[0]["body"], json!({"model": "m", "max_tokens": 10}));
        assert_eq!((&lines[1]["custom_id"], &lines[1]["body"]), (&json!("b"), &json!({"model": "n", "messages": []})));
        assert_eq!(batch.lines(&file, Actions::NONE, Caps::default()).await.unwrap(), file);
    }

    #[tokio::test]
    async fn a_batch_of_messages_is_one_too() {
        let body =
            json!({"requests": [{"custom_id": "a", "params": {"model": "m", "max_tokens": 5, "temperature": 1}}]});
        let batch = Batch::of_messages(&Bytes::from(body.to_string())).await.unwrap();
        let held = Actions::NONE.with(Action::Sampling);
        let out: Value =
            serde_json::from_slice(&batch.messages(&Bytes::new(), held, Caps::default()).await.unwrap()).unwrap();
        assert_eq!(out, json!({"requests": [{"custom_id": "a", "params": {"model": "m", "max_tokens": 5}}]}));
        for bad in [
            json!({"requests": []}),
            json!({"requests": [{"custom_id": "", "params": {"model": "m"}}]}),
            json!({"requests": [{"custom_id": "a", "params": {}}]}),
            json!({"requests": [{"custom_id": "a", "params": {"model": "m"}, "x": 1}]}),
            json!({"requests": [], "x": 1}),
            json!({}),
        ] {
            assert!(Batch::of_messages(&Bytes::from(bad.to_string())).await.is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn one_request_that_cannot_be_read_is_one_too_many() {
        let good = line("a", CHAT, &json!({"model": "m"}));
        for (bad, expected) in [
            ("{}\n".to_owned(), "request 2 of the batch: missing field"),
            (line("b", CHAT, &json!({"model": "m"})).replace(":{", ":\r{"), "at which some readers end a line"),
            (line("b", "/v1/chat/completions/", &json!({"model": "m"})), "expected `POST` and the path"),
            (line("b", CHAT, &json!({"model": "m", "user": "\u{2028}"})), "at which some readers end a line"),
            (line("b", CHAT, &json!({})), "you must provide a model"),
            (line("b", "/v1/files", &json!({"model": "m"})), "expected `POST` and the path of a model's API"),
            (line("b", "/v1/messages/count_tokens", &json!({"model": "m"})), "the path of a model's API"),
            (line("b", "/v1/completions", &json!({"model": "m"})), "expected `/v1/chat/completions`"),
            (line("b", CHAT, &json!({"model": "m"})).replace("POST", "GET"), "expected `POST`"),
            (
                line("b", CHAT, &json!({"model": "m"})).replace("\"url\"", "\"custom_id\":\"c\",\"url\""),
                "duplicate field",
            ),
            (line("b", CHAT, &json!({"model": "m"})).replace("\"url\"", "\"x\":1,\"url\""), "unknown field"),
            (line("b", CHAT, &json!({"model": "m", "Stream": true})), "did you mean `stream`"),
            (line(&"b".repeat(CUSTOM_ID_BYTES_MAX + 1), CHAT, &json!({"model": "m"})), "`custom_id` of 1 to 512"),
        ] {
            let error = read(&format!("{good}{bad}")).await.unwrap_err().to_string();
            assert!(error.contains(expected), "{bad}: {error}");
        }
        assert!(read(&line(&"b".repeat(CUSTOM_ID_BYTES_MAX), CHAT, &json!({"model": "m"}))).await.is_ok());
        assert!(read("\n \n").await.is_err());
        assert!(Batch::of_lines(&Bytes::from_static(b"\xff")).await.is_err());
    }

    #[tokio::test]
    async fn a_batch_has_limits() {
        let one = line("a", CHAT, &json!({"model": "m"}));
        assert!(read(&one.repeat(BATCH_REQUESTS_MAX)).await.is_ok());
        assert!(read(&one.repeat(BATCH_REQUESTS_MAX + 1)).await.is_err());
        for (count, fits) in [(BATCH_MODELS_MAX, true), (BATCH_MODELS_MAX + 1, false)] {
            let text: String = (0..count).map(|n| line("a", CHAT, &json!({"model": format!("m{n}")}))).collect();
            let batch = read(&text).await.unwrap();
            assert_eq!(batch.summary(Actions::NONE, Caps::default(), |_| None, |_| false).await.is_ok(), fits);
        }
    }

    #[tokio::test]
    async fn replies_that_would_be_filtered_in_two_ways_are_apart() {
        let text = line("a", CHAT, &json!({"model": "m"})) + &line("b", CHAT, &json!({"model": "thinks"}));
        let batch = read(&text).await.unwrap();
        let thinks = |model: &str| model == "thinks";
        let held = Actions::NONE.with(Action::ReasoningText);
        assert!(batch.summary(held, Caps::default(), |_| None, thinks).await.is_err());
        let held = Actions::NONE.with(Action::Sampling);
        assert!(batch.summary(held, Caps::default(), |_| None, thinks).await.is_ok());
    }

    #[test]
    fn what_was_not_answered_is_not_charged() {
        let summary = Summary {
            endpoint: CHAT.to_owned(),
            requests: 4,
            tokens: 400,
            micro_cost: Some(40),
            models: BTreeMap::new(),
            held: Actions::NONE,
            prompts: 1,
            within: false,
        };
        let amounts = |tokens, micro_cost| Amounts { requests: 4, tokens, micro_cost: Some(micro_cost) };
        assert_eq!(summary.took(None, None), amounts(400, 40));
        assert_eq!(summary.took(None, Some(1)), amounts(100, 10));
        assert_eq!(summary.took(None, Some(0)), amounts(0, 0));
        assert_eq!(summary.took(Some(200), Some(4)), amounts(200, 20));
        assert_eq!(summary.took(None, Some(9)), amounts(400, 40));
    }
}
