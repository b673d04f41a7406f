//! The traffic that is written in every shape, and which of its facts a shape carries.

use std::sync::OnceLock;

use exchange::Time;
use serde_json::{Value, json};

use crate::cli::{Traffic, parsed};

/// One call, with the facts that logs commonly have.
#[derive(Clone)]
pub(super) struct Call {
    /// What a span's id is made of. Shapes that are no spans have the same id, so that samples name the same.
    pub(super) trace: String,
    pub(super) span: String,
    pub(super) time: Time,
    pub(super) account: String,
    pub(super) model: String,
    pub(super) system: Option<String>,
    /// Role and text of each turn.
    pub(super) turns: Vec<(String, String)>,
    pub(super) answer: String,
    pub(super) tokens: (u64, u64),
    pub(super) address: String,
    pub(super) agent: String,
}

/// What a shape carries. Everything else is in all of them: id, time, account, model.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Facts {
    pub(super) texts: bool,
    pub(super) tokens: bool,
    pub(super) address: bool,
    pub(super) agent: bool,
    /// Accounts are roles of AWS, each in an AWS account of its own.
    pub(super) arns: bool,
}

pub(super) const ALL: Facts = Facts { texts: true, tokens: true, address: true, agent: true, arns: false };
pub(super) const NO_AGENT: Facts = Facts { agent: false, ..ALL };
pub(super) const NO_CLIENT: Facts = Facts { address: false, ..NO_AGENT };

/// A campaign of 60 accounts with one template among honest ones. Calls that failed or lack a fact are left out.
pub(super) fn calls() -> &'static [Call] {
    static CALLS: OnceLock<Vec<Call>> = OnceLock::new();
    CALLS.get_or_init(|| {
        let knobs = ["days=1.5", "honest=120", "honest_rate=0.1", "accounts=60", "requests=12"];
        let traffic = Traffic::seeded("hydra", "1", &knobs);
        let records = traffic.exchanges.lines().map(parsed);
        records.enumerate().filter_map(|(number, record)| Call::of(number, &record)).collect()
    })
}

impl Call {
    fn of(number: usize, record: &Value) -> Option<Call> {
        let text = |path: &str| record.pointer(path)?.as_str().map(str::to_owned);
        let turn =
            |turn: &Value| Some((turn.get("role")?.as_str()?.to_owned(), turn.get("content")?.as_str()?.to_owned()));
        Some(Call {
            trace: format!("0af7651916cd43dd8448eb21{:08x}", number + 1),
            span: format!("b7ad6b71{:08x}", number + 1),
            time: text("/time")?.parse().ok()?,
            account: text("/account")?,
            model: text("/model")?,
            system: text("/request/system"),
            turns: record.pointer("/request/messages")?.as_array()?.iter().map(turn).collect::<Option<_>>()?,
            answer: text("/response/content")?,
            tokens: (
                record.pointer("/usage/input_tokens")?.as_u64()?,
                record.pointer("/usage/output_tokens")?.as_u64()?,
            ),
            address: text("/client/ip")?,
            agent: text("/client/user_agent")?,
        })
    }

    /// The native record of the facts.
    pub(super) fn native(&self, facts: Facts) -> Value {
        let mut record = json!({
            "id": self.id(), "time": self.rfc3339(), "account": self.account, "model": self.model, "status": 200,
            "request": {}, "client": {},
        });
        if facts.arns {
            record["account"] = json!(self.arn());
            record["org"] = json!(self.aws());
        }
        if facts.texts {
            record["request"] = json!({"messages": self.turns()});
            if let Some(system) = &self.system {
                record["request"]["system"] = json!(system);
            }
            record["response"] = json!({"content": self.answer});
        }
        if facts.tokens {
            record["usage"] = json!({"input_tokens": self.tokens.0, "output_tokens": self.tokens.1});
        }
        if facts.address {
            record["client"]["ip"] = json!(self.address);
        }
        if facts.agent {
            record["client"]["user_agent"] = json!(self.agent);
        }
        record
    }

    pub(super) fn id(&self) -> String {
        format!("{}/{}", self.trace, self.span)
    }

    /// The id of a span around the call.
    pub(super) fn root(&self) -> String {
        self.span.replacen("b7ad6b71", "00f067aa", 1)
    }

    pub(super) fn arn(&self) -> String {
        format!("arn:aws:iam::{}:role/{}", self.aws(), self.account)
    }

    /// A number of an AWS account.
    pub(super) fn aws(&self) -> String {
        let number = self.account.bytes().fold(0_u64, |hash, byte| hash.wrapping_mul(131) + u64::from(byte));
        format!("{:012}", number % 1_000_000_000_000)
    }

    pub(super) fn rfc3339(&self) -> String {
        self.time.to_string()
    }

    /// With a blank and without an offset, as databases print times of UTC.
    pub(super) fn database_time(&self) -> String {
        self.rfc3339().replace('T', " ").trim_end_matches('Z').to_owned()
    }

    /// A second and a half later.
    pub(super) fn end(&self) -> Time {
        Time::from_nanos(self.time.nanos() + 1_500_000_000)
    }

    pub(super) fn millis(&self) -> i64 {
        self.time.nanos() / 1_000_000
    }

    /// The turns without the system prompt.
    pub(super) fn turns(&self) -> Vec<Value> {
        self.turns.iter().map(|(role, text)| json!({"role": role, "content": text})).collect()
    }

    /// The turns with the system prompt as the first one.
    pub(super) fn chat(&self) -> Vec<Value> {
        let system = self.system.iter().map(|text| json!({"role": "system", "content": text}));
        system.chain(self.turns()).collect()
    }

    pub(super) fn reply(&self) -> Value {
        json!({"role": "assistant", "content": self.answer})
    }

    /// Bodies of OpenAI's Chat Completions.
    pub(super) fn chat_request(&self) -> Value {
        json!({"model": self.model, "messages": self.chat()})
    }

    pub(super) fn chat_response(&self) -> Value {
        json!({
            "object": "chat.completion", "choices": [{"index": 0, "message": self.reply(), "finish_reason": "stop"}],
            "usage": {"prompt_tokens": self.tokens.0, "completion_tokens": self.tokens.1},
        })
    }

    /// Bodies of Anthropic's Messages.
    pub(super) fn messages_request(&self) -> Value {
        let mut body = json!({"model": self.model, "anthropic_version": "2023-06-01", "messages": self.turns()});
        if let Some(system) = &self.system {
            body["system"] = json!(system);
        }
        body
    }

    pub(super) fn messages_response(&self) -> Value {
        json!({
            "type": "message", "role": "assistant", "content": [{"type": "text", "text": self.answer}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": self.tokens.0, "output_tokens": self.tokens.1},
        })
    }

    /// Bodies of Gemini.
    pub(super) fn gemini_request(&self) -> Value {
        let role = |role: &str| if role == "assistant" { "model" } else { "user" };
        let turns = self.turns.iter().map(|(by, text)| json!({"role": role(by), "parts": [{"text": text}]}));
        let mut body = json!({"contents": turns.collect::<Vec<_>>()});
        if let Some(system) = &self.system {
            body["systemInstruction"] = json!({"parts": [{"text": system}]});
        }
        body
    }

    pub(super) fn gemini_response(&self) -> Value {
        json!({
            "candidates": [{"content": {"role": "model", "parts": [{"text": self.answer}]}, "finishReason": "STOP"}],
            "usageMetadata": {"promptTokenCount": self.tokens.0, "candidatesTokenCount": self.tokens.1},
        })
    }
}
