//! What the mock keeps: files and batches, in memory. A batch is over as soon as it is made.

use std::collections::BTreeMap;

use bytes::Bytes;
use exchange::Time;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::paths::spoken;
use super::say::{Spoken, error};
use crate::form::Form;

const CREATED: u64 = 1_760_000_000;
/// Files that it keeps; further ones are refused.
const THINGS_MAX: usize = 1_000;
/// Bytes of files that it keeps; more are refused.
const BYTES_MAX: usize = 64 * 1024 * 1024;

/// What there is.
pub(super) struct Stored {
    /// Each with what is told of it and what is in it.
    files: BTreeMap<String, (Value, Bytes)>,
    batches: BTreeMap<String, Value>,
    /// Each with what came out of it.
    message_batches: BTreeMap<String, (Value, Bytes)>,
    /// The number of what was made last.
    made: u64,
}

impl Stored {
    /// Nothing yet. Numbers begin where no earlier mock got to.
    pub(super) fn new(now: Time) -> Stored {
        let made = u64::try_from(now.nanos() / 1_000_000).unwrap_or_default();
        Stored { files: BTreeMap::new(), batches: BTreeMap::new(), message_batches: BTreeMap::new(), made }
    }

    /// The answer to a request for something kept; none where it is for something else.
    pub(super) fn answer(&mut self, method: &Method, path: &str, body: &Bytes, form: Option<Form>) -> Option<Spoken> {
        let parts: Vec<&str> = path.strip_prefix("/v1/")?.split('/').collect();
        let answered = match (method.as_str(), parts.as_slice()) {
            ("POST", ["files"]) => form.map(|form| self.upload(form)),
            ("GET", ["files"]) => Some(list(self.files.values().map(|(told, _)| told))),
            ("GET", ["batches"]) => Some(list(self.batches.values())),
            ("GET", ["messages", "batches"]) => Some(list(self.message_batches.values().map(|(told, _)| told))),
            ("GET", ["files", id]) => self.files.get(*id).map(|(told, _)| ok(told.clone())),
            ("GET", ["files", id, "content"]) => self.files.get(*id).map(|(_, file)| Spoken::File(file.clone())),
            ("DELETE", ["files", id]) => {
                self.files.remove(*id).map(|_| ok(json!({"id": id, "object": "file", "deleted": true})))
            }
            ("POST", ["batches"]) => self.batch(body),
            ("GET", ["batches", id]) | ("POST", ["batches", id, "cancel"]) => self.batches.get(*id).cloned().map(ok),
            ("POST", ["messages", "batches"]) => self.message_batch(body),
            ("GET", ["messages", "batches", id]) | ("POST", ["messages", "batches", id, "cancel"]) => {
                self.message_batches.get(*id).map(|(told, _)| ok(told.clone()))
            }
            ("GET", ["messages", "batches", id, "results"]) => {
                self.message_batches.get(*id).map(|(_, results)| Spoken::File(results.clone()))
            }
            ("DELETE", ["messages", "batches", id]) => {
                let gone = self.message_batches.remove(*id);
                gone.map(|_| ok(json!({"id": id, "type": "message_batch_deleted"})))
            }
            (_, ["files" | "batches", ..] | ["messages", "batches", ..]) => None,
            _ => return None,
        };
        Some(answered.unwrap_or_else(|| Spoken::Whole(StatusCode::NOT_FOUND, error("there is no such thing"))))
    }

    fn new_id(&mut self, kind: &str) -> String {
        self.made += 1;
        format!("{kind}mock{}", self.made)
    }

    fn upload(&mut self, form: Form) -> Spoken {
        let bytes: usize = self.files.values().map(|(_, file)| file.len()).sum();
        if self.files.len() >= THINGS_MAX || bytes.saturating_add(form.file.len()) > BYTES_MAX {
            return Spoken::Whole(StatusCode::BAD_REQUEST, error("the mock keeps no more"));
        }
        let purpose = form.text("purpose").unwrap_or_default().to_owned();
        let id = self.keep(&form.name, &purpose, form.file);
        self.files.get(&id).map_or_else(|| ok(Value::Null), |(told, _)| ok(told.clone()))
    }

    fn keep(&mut self, name: &str, purpose: &str, file: Bytes) -> String {
        let id = self.new_id("file-");
        let told = json!({"id": id, "object": "file", "type": "file", "bytes": file.len(), "size_bytes": file.len(),
            "created_at": CREATED, "filename": name, "mime_type": "application/octet-stream", "purpose": purpose,
            "status": "processed"});
        self.files.insert(id.clone(), (told, file));
        id
    }

    fn batch(&mut self, body: &[u8]) -> Option<Spoken> {
        let asked: Value = serde_json::from_slice(body).ok()?;
        let input = asked.get("input_file_id")?.as_str()?;
        let (_, lines) = self.files.get(input)?.clone();
        let (mut out, mut count, mut tokens) = (Vec::new(), 0, 0);
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let line: Value = serde_json::from_slice(line).ok()?;
            let (url, body) = (line.get("url")?.as_str()?, line.get("body")?);
            let Spoken::Whole(status, reply) = spoken(url, body) else { return None };
            count += 1;
            tokens += reply.pointer("/usage/total_tokens").and_then(Value::as_u64).unwrap_or(0);
            let reply = json!({"id": format!("batch_req_{count}"), "custom_id": line.get("custom_id"),
                "response": {"status_code": status.as_u16(), "request_id": "req_mock", "body": reply}, "error": null});
            out.extend_from_slice(reply.to_string().as_bytes());
            out.push(b'\n');
        }
        let output = self.keep("output.jsonl", "batch_output", out.into());
        let id = self.new_id("batch_");
        let told = json!({"id": id, "object": "batch", "endpoint": asked.get("endpoint"), "errors": null,
            "input_file_id": input, "completion_window": "24h", "status": "completed", "output_file_id": output,
            "error_file_id": null, "created_at": CREATED, "completed_at": CREATED, "metadata": asked.get("metadata"),
            "usage": {"total_tokens": tokens}, "request_counts": {"total": count, "completed": count, "failed": 0}});
        self.batches.insert(id, told.clone());
        Some(ok(told))
    }

    fn message_batch(&mut self, body: &[u8]) -> Option<Spoken> {
        let asked: Value = serde_json::from_slice(body).ok()?;
        let mut out = Vec::new();
        let requests = asked.get("requests")?.as_array()?;
        for request in requests {
            let Spoken::Whole(_, message) = spoken("/v1/messages", request.get("params")?) else { return None };
            let result = json!({"custom_id": request.get("custom_id"),
                "result": {"type": "succeeded", "message": message}});
            out.extend_from_slice(result.to_string().as_bytes());
            out.push(b'\n');
        }
        let id = self.new_id("msgbatch_");
        let time = "2026-01-01T00:00:00Z";
        let counts = json!({"processing": 0, "succeeded": requests.len(), "errored": 0, "canceled": 0, "expired": 0});
        let told = json!({"id": id, "type": "message_batch", "processing_status": "ended", "request_counts": counts,
            "created_at": time, "ended_at": time, "expires_at": time, "archived_at": null,
            "cancel_initiated_at": null, "results_url": format!("/v1/messages/batches/{id}/results")});
        self.message_batches.insert(id, (told.clone(), out.into()));
        Some(ok(told))
    }
}

fn list<'a>(things: impl Iterator<Item = &'a Value>) -> Spoken {
    ok(json!({"object": "list", "data": things.collect::<Vec<_>>(), "has_more": false}))
}

fn ok(told: Value) -> Spoken {
    Spoken::Whole(StatusCode::OK, told)
}
