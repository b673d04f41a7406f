//! LiteLLM's generic guardrail API: LiteLLM asks before a call, and tells what came of it.
//!
//! Promises an answer to every request, and that what was permitted is recorded once, with the longest answer that was told: of a stream
//! LiteLLM tells again and again. Calls wait for their answers in a table that is bounded by [`CALLS_MAX`] and [`CALLS_BYTES_MAX`].

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use bytes::Bytes;
use gateway::flight::{End, Flight};
use gateway::gate::exchange_id;
use gateway::refuse::Refusal;
use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::counts::add;
use crate::desk::{Desk, Known, chat, forwarded};
use crate::limits::{ANSWER_TIME_MAX, CALL_ID_BYTES_MAX, CALLS_BYTES_MAX, CALLS_MAX, MORE_TIME_MAX};

/// What it is called in the record.
const SENSOR: &str = "litellm";

/// What LiteLLM posts.
#[derive(Deserialize)]
pub(crate) struct Post {
    input_type: InputType,
    litellm_call_id: Option<String>,
    structured_messages: Option<Box<RawValue>>,
    tools: Option<Box<RawValue>>,
    texts: Option<Vec<String>>,
    #[serde(default)]
    request_data: Map<String, Value>,
    request_headers: Option<HashMap<String, String>>,
    tool_calls: Option<Box<RawValue>>,
    model: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum InputType {
    Request,
    Response,
}

/// What it is answered.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Verdict {
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocked_reason: Option<String>,
}

impl Verdict {
    const PASS: Verdict = Verdict { action: "NONE", blocked_reason: None };

    fn of(refusal: &Refusal) -> Verdict {
        Verdict { action: "BLOCKED", blocked_reason: Some(refusal.message()) }
    }
}

/// The calls that LiteLLM told of.
#[derive(Debug)]
pub(crate) struct Guardrail {
    desk: Arc<Desk>,
    calls: Mutex<Calls>,
}

/// Calls without their ends.
#[derive(Debug, Default)]
struct Calls {
    known: HashMap<Box<str>, Open>,
    /// By when they began, with those that have ended.
    order: VecDeque<(Instant, Box<str>)>,
    bytes: usize,
}

#[derive(Debug)]
struct Open {
    flight: Flight,
    begun: Instant,
    bytes: usize,
    /// What was answered so far, and when it was told.
    answer: Option<(Bytes, Instant)>,
}

/// Answers a post.
pub(crate) async fn answer(
    State(guardrail): State<Arc<Guardrail>>,
    post: Result<Json<Post>, JsonRejection>,
) -> Result<Json<Verdict>, (StatusCode, Json<Value>)> {
    let Json(post) = post.map_err(|bad| {
        add(&guardrail.desk.counts().unreadable);
        (bad.status(), Json(json!({"error": bad.body_text()})))
    })?;
    Ok(Json(match post.input_type {
        InputType::Request => guardrail.ask(&post),
        InputType::Response => guardrail.tell(&post),
    }))
}

impl Guardrail {
    pub(crate) fn new(desk: Arc<Desk>) -> Guardrail {
        Guardrail { desk, calls: Mutex::default() }
    }

    fn ask(&self, post: &Post) -> Verdict {
        // Each is decided, also under an id that is known: callers choose it.
        match self.permit(post) {
            Ok((flight, bytes)) => {
                let id = post.litellm_call_id.as_deref().filter(|id| id.len() <= CALL_ID_BYTES_MAX);
                self.wait(id, flight, bytes);
                Verdict::PASS
            }
            Err(refusal) => Verdict::of(&refusal),
        }
    }

    fn permit(&self, post: &Post) -> Result<(Flight, usize), Refusal> {
        self.desk.open()?;
        let name = post.request_data.get(&self.desk.naming().litellm).and_then(Value::as_str).unwrap_or_default();
        let who = self.desk.named(name, SENSOR)?;
        let (mut head, route) = chat().ok_or(Refusal::Failed)?;
        head.headers = post.headers();
        let caller = forwarded(&head.headers).map(|peer| self.desk.caller(peer, &head.headers));
        let body = post.body()?;
        let in_headers = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>();
        let bytes = body.len() + in_headers;
        let known = Known { who, caller, head, route };
        let (_, flight) = self.desk.admit(exchange_id()?, &known, &body)?;
        add(&self.desk.counts().recorded);
        Ok((flight, bytes))
    }

    /// Lets a call wait for its answer.
    fn wait(&self, id: Option<&str>, mut flight: Flight, bytes: usize) {
        flight.answered(200, false);
        let Some(id) = id else {
            add(&self.desk.counts().unanswered);
            flight.land(End::Left);
            return;
        };
        let surplus = self.lock().enter(id, Open { flight, begun: Instant::now(), bytes, answer: None });
        surplus.into_iter().for_each(|open| self.land(open));
    }

    fn tell(&self, post: &Post) -> Verdict {
        let answer = Bytes::from(post.answer().to_string());
        let mut calls = self.lock();
        let open = post.litellm_call_id.as_ref().and_then(|id| calls.known.get_mut(id.as_str()));
        let Some(open) = open else {
            add(&self.desk.counts().unpaired);
            return Verdict::PASS;
        };
        let before = open.answer.as_ref().map_or(0, |(answer, _)| answer.len());
        if answer.len() < before {
            open.answer.iter_mut().for_each(|(_, told)| *told = Instant::now());
            return Verdict::PASS;
        }
        let more = answer.len() - before;
        open.bytes += more;
        open.answer = Some((answer, Instant::now()));
        calls.bytes += more;
        let surplus = calls.surplus();
        drop(calls);
        surplus.into_iter().for_each(|open| self.land(open));
        Verdict::PASS
    }

    /// Ends calls of which nothing more is to come.
    pub(crate) fn sweep(&self, now: Instant) {
        let ended = {
            let mut calls = self.lock();
            let is_over = |open: &Open| match &open.answer {
                Some((_, told)) => now.duration_since(*told) >= MORE_TIME_MAX,
                None => now.duration_since(open.begun) >= ANSWER_TIME_MAX,
            };
            let ids: Vec<Box<str>> =
                calls.known.iter().filter(|(_, open)| is_over(open)).map(|(id, _)| id.clone()).collect();
            let ended: Vec<Open> = ids.iter().filter_map(|id| calls.known.remove(id)).collect();
            calls.bytes -= ended.iter().map(|open| open.bytes).sum::<usize>();
            let Calls { known, order, .. } = &mut *calls;
            order.retain(|(begun, id)| known.get(id).is_some_and(|open| open.begun == *begun));
            ended
        };
        ended.into_iter().for_each(|open| self.land(open));
    }

    /// Ends all calls.
    pub(crate) fn finish(&self) {
        let calls = std::mem::take(&mut *self.lock());
        calls.known.into_values().for_each(|open| self.land(open));
    }

    fn land(&self, open: Open) {
        let Open { mut flight, answer, .. } = open;
        match answer {
            Some((answer, _)) => {
                flight.saw(&answer);
                flight.land(End::Whole);
            }
            None => {
                add(&self.desk.counts().unanswered);
                flight.land(End::Left);
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Calls {
    /// Lets a call wait; those that there is no room for any more.
    fn enter(&mut self, id: &str, open: Open) -> Vec<Open> {
        self.order.push_back((open.begun, id.into()));
        self.bytes += open.bytes;
        let before = self.known.insert(id.into(), open);
        self.bytes -= before.as_ref().map_or(0, |before| before.bytes);
        before.into_iter().chain(self.surplus()).collect()
    }

    /// The oldest, so far as there are too many or too long ones.
    fn surplus(&mut self) -> Vec<Open> {
        let mut surplus = Vec::new();
        while self.known.len() > CALLS_MAX || self.bytes > CALLS_BYTES_MAX {
            let Some(open) = self.oldest() else { break };
            surplus.push(open);
        }
        surplus
    }

    fn oldest(&mut self) -> Option<Open> {
        loop {
            let (begun, id) = self.order.pop_front()?;
            if self.known.get(&id).is_some_and(|open| open.begun == begun) {
                let open = self.known.remove(&id)?;
                self.bytes -= open.bytes;
                return Some(open);
            }
        }
    }
}

/// What LiteLLM writes in the place of a header's value that it does not pass on.
const HIDDEN: &str = "[present]";

impl Post {
    fn headers(&self) -> HeaderMap {
        let said = self.request_headers.iter().flatten().filter(|(_, value)| *value != HIDDEN);
        let readable = said.filter_map(|(name, value)| {
            Some((HeaderName::try_from(name.as_str()).ok()?, HeaderValue::try_from(value.as_str()).ok()?))
        });
        readable.collect()
    }

    /// The request as its caller sent it, so far as LiteLLM tells.
    fn body(&self) -> Result<Bytes, Refusal> {
        #[derive(Serialize)]
        struct Body<'p> {
            model: &'p str,
            messages: Messages<'p>,
            #[serde(skip_serializing_if = "Option::is_none")]
            tools: Option<&'p RawValue>,
        }
        #[derive(Serialize)]
        #[serde(untagged)]
        enum Messages<'p> {
            Told(&'p RawValue),
            Texts(Vec<Message<'p>>),
        }
        #[derive(Serialize)]
        struct Message<'p> {
            role: &'static str,
            content: &'p str,
        }
        let texts = || self.texts.iter().flatten().map(|text| Message { role: "user", content: text });
        let messages = match self.structured_messages.as_deref().filter(|told| told.get() != "null") {
            Some(told) => Messages::Told(told),
            None => Messages::Texts(texts().collect()),
        };
        let tools = self.tools.as_deref().filter(|tools| !matches!(tools.get(), "null" | "[]"));
        // LiteLLM does not always name it, and then no policy of a model holds.
        let model = self.model.as_deref().filter(|model| !model.is_empty()).unwrap_or("unknown");
        let body = serde_json::to_vec(&Body { model, messages, tools });
        body.map(Bytes::from).map_err(|_| Refusal::Failed)
    }

    /// The answer as a model's server would write it.
    fn answer(&self) -> Value {
        let text = self.texts.iter().flatten().map(String::as_str).collect::<Vec<_>>().join("\n");
        let mut message = json!({"role": "assistant", "content": text});
        if let (Some(calls), Some(message)) = (&self.tool_calls, message.as_object_mut())
            && let Ok(calls @ Value::Array(_)) = serde_json::from_str::<Value>(calls.get())
        {
            message.insert("tool_calls".to_owned(), calls);
        }
        json!({"model": self.model, "choices": [{"index": 0, "message": message}]})
    }
}

#[cfg(test)]
mod tests {
    use gateway::record::Tap;

    use super::*;

    fn open(bytes: usize) -> Open {
        let flight = Flight::new(None, None, Tap::closed(), Arc::default());
        Open { flight, begun: Instant::now(), bytes, answer: None }
    }

    #[test]
    fn calls_that_wait_have_a_limit_and_the_oldest_goes_first() {
        let mut calls = Calls::default();
        for n in 0..CALLS_MAX {
            assert!(calls.enter(&n.to_string(), open(1)).is_empty(), "{n}");
        }
        assert_eq!(calls.enter("one more", open(1)).len(), 1);
        assert!(!calls.known.contains_key("0") && calls.known.contains_key("1"));
        assert_eq!((calls.known.len(), calls.bytes), (CALLS_MAX, CALLS_MAX));
        // One that comes twice takes the place of itself.
        assert_eq!(calls.enter("1", open(3)).len(), 1);
        assert_eq!((calls.known.len(), calls.bytes), (CALLS_MAX, CALLS_MAX + 2));

        let mut calls = Calls::default();
        assert!(calls.enter("a", open(CALLS_BYTES_MAX - 1)).is_empty());
        assert!(calls.enter("b", open(1)).is_empty());
        assert_eq!(calls.enter("c", open(1)).len(), 1);
        assert_eq!((calls.known.len(), calls.bytes), (2, 2));
    }
}
