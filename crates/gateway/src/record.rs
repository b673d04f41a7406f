//! Where exchanges that went by are handed over: a bounded queue between the proxy and whoever keeps or looks at them.
//!
//! Promises never to make a request wait: long exchanges are handed over by reference, those up to [`LINE_BYTES_MAX`] as
//! lines that are written in a few microseconds, and what does not fit is let go of and counted ([`Counters::shed`]).
//! Bounded by [`QUEUE_MAX`] long exchanges and [`QUEUE_BYTES_MAX`] bytes. Keeps nothing itself: what waits in the queue when
//! the process dies is gone.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use exchange::Time;
use hyper::HeaderMap;
use hyper::header::USER_AGENT;
use policy::who::{Credential, Who};
use policy::{Account, Actions, OrganisationId, Rung};
use serde::Serialize;

use store::segment::write_line;

use crate::gate::{Pass, Shadow};
use crate::limits::{LINE_BYTES_MAX, LINES_FREE_MAX, LINES_PIECE_BYTES, QUEUE_BYTES_MAX, QUEUE_MAX};
use crate::trust::Caller;

/// An exchange that went by.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When the request arrived.
    pub time: Time,
    /// Its id.
    pub id: String,
    /// Who pays.
    pub account: Arc<Account>,
    /// The key, by its public id.
    pub key: Option<String>,
    /// The path.
    pub path: String,
    /// Where it came from; none where whoever tells of it does not know.
    pub caller: Option<Caller>,
    /// The `User-Agent` header.
    pub user_agent: Option<String>,
    /// What was decided about it.
    pub decision: Decision,
    /// The request's body, as the caller sent it: a JSON object.
    pub request: Bytes,
    /// The reply's body, in pieces, as the server sent it; of a request that was refused, as we did.
    pub reply: Vec<Bytes>,
    /// Whether the reply is a stream of events.
    pub streamed: bool,
    /// The HTTP status of the reply.
    pub status: u16,
    /// How long it took.
    pub duration: Duration,
}

/// What was decided about a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Decision {
    /// Why it was refused, by the name of the refusal; none where it went on.
    pub refused: Option<&'static str>,
    /// What was held back.
    pub held: Actions,
    /// The rung that the responses to the account came to.
    pub rung: Rung,
    /// What it would have got if responses in shadow mode held as well.
    pub shadow: Option<Shadow>,
}

impl Decision {
    /// That it goes on with a pass.
    #[must_use]
    pub fn of(pass: &Pass) -> Decision {
        Decision { refused: None, held: pass.held(), rung: pass.permit().rung(), shadow: pass.shadow() }
    }
}

impl Seen {
    /// A request that `who` makes, before anything is known of how it ends.
    #[must_use]
    pub fn begun(
        id: String,
        who: &Who,
        caller: Option<Caller>,
        headers: &HeaderMap,
        path: &str,
        request: Bytes,
        time: Time,
    ) -> Seen {
        let key = match &who.credential {
            Credential::Key(id) => Some(id.to_string()),
            Credential::Token(_) | Credential::Certificate(_) | Credential::Word(_) => None,
        };
        Seen {
            time,
            id,
            account: Arc::clone(&who.account),
            key,
            path: path.to_owned(),
            caller,
            user_agent: headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).map(str::to_owned),
            decision: Decision { rung: who.responses.force(time).rung, ..Decision::default() },
            request,
            reply: Vec::new(),
            streamed: false,
            status: 0,
            duration: Duration::ZERO,
        }
    }

    fn bytes(&self) -> usize {
        self.request.len() + self.reply.iter().map(Bytes::len).sum::<usize>()
    }

    /// Appends it as one line of a log that `stillwatch hunt` reads, without a newline.
    pub fn write_line(&self, line: &mut Vec<u8>) {
        line.reserve(self.bytes() + 1_024);
        let head = Head {
            id: &self.id,
            time: self.time.nanos(),
            account: self.account.id.as_str(),
            org: self.account.organisation.as_ref().map(OrganisationId::as_str),
            key: self.key.as_deref(),
            endpoint: &self.path,
            client: Client {
                ip: self.caller.as_ref().map(|caller| caller.address),
                asn: self.caller.as_ref().and_then(|caller| caller.asn),
                country: self.caller.as_ref().and_then(|caller| caller.country.as_deref()),
                ja4: self.caller.as_ref().and_then(|caller| caller.ja4.as_deref()),
                user_agent: self.user_agent.as_deref(),
            },
            decision: Decided {
                outcome: if self.decision.refused.is_some() { "refused" } else { "allowed" },
                reason: self.decision.refused,
                held: self.decision.held,
                rung: self.decision.rung,
                shadow: self.decision.shadow.map(|shadow| Shadowed {
                    outcome: if shadow.refused { "refused" } else { "allowed" },
                    held: shadow.held,
                    rung: shadow.rung,
                }),
            },
            status: self.status,
            duration_ms: self.duration.as_secs_f64() * 1e3,
        };
        // Writing into memory does not fail.
        let _ = serde_json::to_writer(&mut *line, &head);
        line.pop();
        line.extend_from_slice(b",\"request\":");
        extend_on_one_line(line, &self.request);
        line.extend_from_slice(b",\"response\":");
        let joined;
        let reply: &[u8] = match self.reply.as_slice() {
            [one] => one,
            pieces => {
                joined = pieces.concat();
                &joined
            }
        };
        match std::str::from_utf8(reply) {
            Ok(text) if !self.streamed && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() => {
                extend_on_one_line(line, reply);
            }
            _ => {
                let _ = serde_json::to_writer(&mut *line, &String::from_utf8_lossy(reply));
            }
        }
        line.push(b'}');
    }
}

/// What is recorded of an exchange besides its bodies.
#[derive(Serialize)]
struct Head<'s> {
    id: &'s str,
    time: i64,
    account: &'s str,
    org: Option<&'s str>,
    key: Option<&'s str>,
    endpoint: &'s str,
    client: Client<'s>,
    decision: Decided,
    status: u16,
    duration_ms: f64,
}

#[derive(Serialize)]
struct Client<'s> {
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<std::net::IpAddr>,
    asn: Option<u32>,
    country: Option<&'s str>,
    ja4: Option<&'s str>,
    user_agent: Option<&'s str>,
}

#[derive(Serialize)]
struct Decided {
    outcome: &'static str,
    reason: Option<&'static str>,
    held: Actions,
    rung: Rung,
    #[serde(skip_serializing_if = "Option::is_none")]
    shadow: Option<Shadowed>,
}

/// What would have been decided with responses in shadow mode.
#[derive(Serialize)]
struct Shadowed {
    outcome: &'static str,
    held: Actions,
    rung: Rung,
}

/// JSON has line breaks between its values only, where a space does as well.
fn extend_on_one_line(line: &mut Vec<u8>, json: &[u8]) {
    let begins = line.len();
    line.extend_from_slice(json);
    let mut rest = line.get_mut(begins..).unwrap_or_default();
    while let Some(at) = memchr::memchr2(b'\n', b'\r', rest) {
        let (broken, behind) = rest.split_at_mut(at + 1);
        broken.iter_mut().skip(at).for_each(|byte| *byte = b' ');
        rest = behind;
    }
}

/// What is counted of the queue.
#[derive(Debug, Default)]
pub struct Counters {
    /// Exchanges that were handed over.
    pub offered: AtomicU64,
    /// Of them, those that did not fit.
    pub shed: AtomicU64,
    bytes: AtomicUsize,
}

impl Counters {
    /// Whether there is room for so many bytes more, which are taken then.
    fn has_room(&self, bytes: usize) -> bool {
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let fits = before.saturating_add(bytes) <= QUEUE_BYTES_MAX;
        if !fits {
            self.give_back(bytes);
        }
        fits
    }

    fn give_back(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Exchanges as lines, of one worker, that wait to be written.
#[derive(Debug, Default)]
pub struct Lines {
    /// Whole lines as [`store::segment`] writes them, in pieces of about [`LINES_PIECE_BYTES`].
    pub pieces: Vec<Vec<u8>>,
    /// Memory for more of them.
    free: Vec<Vec<u8>>,
    /// How many lines.
    pub count: u64,
    /// Keys that were used, by their public ids, and when last.
    pub used: HashMap<String, Time>,
    /// Bytes of them as they count for the queue.
    held: usize,
}

type Lane = Arc<Mutex<Lines>>;

/// The end of the queue that requests see.
#[derive(Clone, Debug)]
pub struct Tap(Arc<End>);

#[derive(Clone, Debug)]
struct End {
    sender: Option<SyncSender<Box<Seen>>>,
    /// Where short exchanges are written as lines at once; without it, all are handed over whole.
    lane: Option<Lane>,
    lanes: Option<Arc<Mutex<Vec<Lane>>>>,
    counters: Arc<Counters>,
}

/// The other end.
#[derive(Debug)]
pub struct Records {
    receiver: Receiver<Box<Seen>>,
    lanes: Option<Arc<Mutex<Vec<Lane>>>>,
    counters: Arc<Counters>,
}

/// A queue in which every exchange is handed over whole.
#[must_use]
pub fn queue() -> (Tap, Records) {
    made(None)
}

/// A queue in which workers that ask for a lane ([`Tap::with_lane`]) write short exchanges as lines themselves: what is in
/// reach of a processor is written with less work than what another one has to fetch.
#[must_use]
pub fn queue_of_lines() -> (Tap, Records) {
    made(Some(Arc::default()))
}

fn made(lanes: Option<Arc<Mutex<Vec<Lane>>>>) -> (Tap, Records) {
    let (sender, receiver) = sync_channel(QUEUE_MAX);
    let counters = Arc::new(Counters::default());
    let end = End { sender: Some(sender), lane: None, lanes: lanes.clone(), counters: Arc::clone(&counters) };
    (Tap(Arc::new(end)), Records { receiver, lanes, counters })
}

impl Tap {
    /// A tap that leads nowhere.
    #[must_use]
    pub fn closed() -> Tap {
        Tap(Arc::new(End { sender: None, lane: None, lanes: None, counters: Arc::default() }))
    }

    /// The same for one worker, with a lane of its own where the queue has lanes.
    #[must_use]
    pub fn with_lane(&self) -> Tap {
        let lane = self.0.lanes.as_ref().and_then(|lanes| {
            let lane = Lane::default();
            lanes.lock().ok()?.push(Arc::clone(&lane));
            Some(lane)
        });
        Tap(Arc::new(End { lane, ..(*self.0).clone() }))
    }

    /// What was counted.
    #[must_use]
    pub fn counters(&self) -> &Arc<Counters> {
        &self.0.counters
    }

    /// Hands an exchange over, or counts that there was no room.
    pub fn offer(&self, seen: Box<Seen>) {
        let End { sender: Some(sender), lane, counters, .. } = &*self.0 else { return };
        counters.offered.fetch_add(1, Ordering::Relaxed);
        let bytes = seen.bytes();
        if !counters.has_room(bytes) {
            counters.shed.fetch_add(1, Ordering::Relaxed);
            return;
        }
        if bytes <= LINE_BYTES_MAX
            && let Some(Ok(mut lines)) = lane.as_ref().map(|lane| lane.lock())
        {
            lines.add(&seen, bytes);
        } else if sender.try_send(seen).is_err() {
            counters.give_back(bytes);
            counters.shed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Hands over what is one line of the record already, a JSON object without a newline; says whether there was room. For taps with a lane only.
    #[must_use]
    pub fn offer_line(&self, line: &[u8]) -> bool {
        let End { lane: Some(lane), counters, .. } = &*self.0 else { return false };
        counters.offered.fetch_add(1, Ordering::Relaxed);
        if !counters.has_room(line.len()) {
            counters.shed.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        lane.lock().is_ok_and(|mut lines| {
            lines.add_line(line.len(), |to| to.extend_from_slice(line));
            true
        })
    }
}

impl Lines {
    fn add(&mut self, seen: &Seen, bytes: usize) {
        self.add_line(bytes, |line| seen.write_line(line));
        let Some(key) = &seen.key else { return };
        match self.used.get_mut(key) {
            Some(last) => *last = seen.time.max(*last),
            None => drop(self.used.insert(key.clone(), seen.time)),
        }
    }

    fn add_line(&mut self, bytes: usize, write: impl FnOnce(&mut Vec<u8>)) {
        let is_full = |piece: &Vec<u8>| piece.len() >= LINES_PIECE_BYTES;
        if self.pieces.last().is_none_or(is_full) {
            let room = || Vec::with_capacity(LINES_PIECE_BYTES + LINE_BYTES_MAX);
            self.pieces.push(self.free.pop().unwrap_or_else(room));
        }
        if let Some(piece) = self.pieces.last_mut() {
            write_line(piece, write);
        }
        self.count += 1;
        self.held += bytes;
    }
}

/// What looking for an exchange brought.
#[derive(Debug)]
pub enum Next {
    /// The next one.
    Seen(Box<Seen>),
    /// None now.
    Nothing,
    /// None, and no tap is left.
    Ended,
}

impl Records {
    /// The next exchange that was handed over whole.
    pub fn try_next(&mut self) -> Next {
        match self.receiver.try_recv() {
            Ok(seen) => {
                self.counters.give_back(seen.bytes());
                Next::Seen(seen)
            }
            Err(TryRecvError::Empty) => Next::Nothing,
            Err(TryRecvError::Disconnected) => Next::Ended,
        }
    }

    /// Hands the lines of each worker to `each`; the memory of their pieces goes back to the worker.
    pub fn take_lines(&mut self, mut each: impl FnMut(&mut Lines)) {
        let lanes = self.lanes.as_ref().and_then(|lanes| lanes.lock().ok()).map(|lanes| lanes.clone());
        for lane in lanes.into_iter().flatten() {
            let Ok(mut waiting) = lane.lock() else { continue };
            if waiting.count == 0 {
                continue;
            }
            let free = std::mem::take(&mut waiting.free);
            let mut lines = std::mem::replace(&mut *waiting, Lines { free, ..Lines::default() });
            drop(waiting);
            self.counters.give_back(lines.held);
            each(&mut lines);
            if let Ok(mut waiting) = lane.lock() {
                for mut piece in lines.pieces {
                    if waiting.free.len() < LINES_FREE_MAX && piece.capacity() > 0 {
                        piece.clear();
                        waiting.free.push(piece);
                    }
                }
            }
        }
    }
}

impl Iterator for Records {
    type Item = Box<Seen>;

    /// Waits for the next exchange; `None` when no tap is left.
    fn next(&mut self) -> Option<Box<Seen>> {
        let seen = self.receiver.recv().ok()?;
        self.counters.give_back(seen.bytes());
        Some(seen)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn seen(request: &str, reply: &'static [u8]) -> Box<Seen> {
        let account = json!({"id": "acct", "organisation": "org-1", "created": "1970-01-01T00:00:00Z"});
        Box::new(Seen {
            time: Time::from_seconds(1_760_000_001),
            id: "ex_1".to_owned(),
            account: Arc::new(serde_json::from_value(account).unwrap()),
            key: Some("key-1".to_owned()),
            path: "/v1/chat/completions".to_owned(),
            caller: Some(Caller { address: "192.0.2.1".parse().unwrap(), ja4: None, asn: Some(64_500), country: None }),
            user_agent: Some("test/1.0".to_owned()),
            decision: Decision::default(),
            request: Bytes::from(request.to_owned()),
            reply: vec![Bytes::from_static(reply)],
            streamed: false,
            status: 200,
            duration: Duration::from_millis(5),
        })
    }

    fn line(seen: &Seen) -> Vec<u8> {
        let mut line = Vec::new();
        seen.write_line(&mut line);
        line
    }

    const REQUEST: &str =
        "{\r\n\"model\": \"m\",\n\"messages\": [{\"role\": \"user\", \"content\": \"hello \u{1F600} \\\"there\\\"\"}]}";

    #[test]
    fn what_went_by_can_be_read_as_a_log() {
        let whole =
            seen(REQUEST, b"{\"choices\":[{\"index\":0,\n\"message\":{\"role\":\"assistant\",\"content\":\"fine\"}}]}");
        let mut streamed =
            seen(REQUEST, b"data: {\"choices\":[{\"delta\":{\"content\":\"fine\"}}]}\n\ndata: [DONE]\n\n");
        streamed.streamed = true;
        for seen in [whole, streamed] {
            let line = String::from_utf8(line(&seen)).unwrap();
            assert!(!line.contains(['\n', '\r']), "{line}");
            let mut read = Vec::new();
            let notes = &mut exchange::Notes::default();
            exchange::read_exchanges(&line, notes, &mut |exchange| read.push(exchange.to_json())).unwrap();
            let exchange: serde_json::Value = serde_json::from_str(&read[0]).unwrap();
            assert_eq!(exchange["account"], "acct", "{exchange}");
            assert_eq!(exchange["request"]["messages"][0]["content"], "hello \u{1F600} \"there\"");
            assert!(exchange["response"]["content"].as_str().unwrap().starts_with("fine"), "{exchange}");
            assert_eq!(exchange["client"]["ip"], "192.0.2.1");
            assert_eq!(exchange["time"], "2025-10-09T08:53:21Z");
        }
    }

    #[test]
    fn a_reply_that_is_no_text_or_cut_short_breaks_no_line() {
        for reply in [b"{\"a\":\"\xff\"}".as_slice(), b"{\"choices\":[{", b"", b"<html>\n"] {
            let line = line(&seen("{\"model\":\"m\"}", reply));
            let value: serde_json::Value = serde_json::from_slice(&line).unwrap();
            assert!(value["response"].is_string(), "{value}");
        }
    }

    #[test]
    fn short_exchanges_are_lines_and_long_ones_are_not() {
        let (tap, mut records) = queue_of_lines();
        let lane = tap.with_lane();
        let long = |more: usize| {
            let mut seen = seen("{}", b"");
            seen.reply = vec![Bytes::from(vec![b'x'; LINE_BYTES_MAX - 2 + more])];
            seen
        };
        lane.offer(long(0));
        lane.offer(seen("{}", b""));
        lane.offer(long(1));
        tap.offer(seen("{}", b""));
        let mut taken = Vec::new();
        records.take_lines(|lines| {
            let bytes = lines.pieces.concat();
            assert!(bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).all(store::segment::check));
            taken.push((lines.count, lines.used.keys().cloned().collect::<Vec<_>>()));
        });
        assert_eq!(taken, [(2, vec!["key-1".to_owned()])]);
        records.take_lines(|_| panic!("they are taken once"));
        let whole = std::iter::from_fn(|| match records.try_next() {
            Next::Seen(seen) => Some(seen.bytes()),
            _ => None,
        });
        assert_eq!(whole.collect::<Vec<_>>(), [LINE_BYTES_MAX + 1, 2]);
        assert_eq!(tap.counters().bytes.load(Ordering::Relaxed), 0);
        assert!(matches!(records.try_next(), Next::Nothing));
        drop((tap, lane));
        assert!(matches!(records.try_next(), Next::Ended));
    }

    #[test]
    fn lines_that_wait_have_limits_and_keep_little_memory() {
        let (tap, mut records) = queue_of_lines();
        let lane = tap.with_lane();
        let mut offered = 0;
        let one = || {
            let mut seen = seen("{}", b"");
            seen.reply = vec![Bytes::from(vec![b'x'; LINE_BYTES_MAX - 2])];
            seen
        };
        while tap.counters().shed.load(Ordering::Relaxed) == 0 {
            lane.offer(one());
            offered += 1;
        }
        assert_eq!(offered, QUEUE_BYTES_MAX / LINE_BYTES_MAX + 1);
        records.take_lines(|lines| {
            assert_eq!(lines.count, offered as u64 - 1);
            assert!(lines.pieces.iter().all(|piece| piece.len() < LINES_PIECE_BYTES + LINE_BYTES_MAX + 1_024));
        });
        let free = || tap.0.lanes.as_ref().unwrap().lock().unwrap()[0].lock().unwrap().free.len();
        assert_eq!(free(), LINES_FREE_MAX);
        lane.offer(one());
        assert_eq!(tap.counters().shed.load(Ordering::Relaxed), 1, "there is room again");
    }

    #[test]
    fn what_does_not_fit_is_shed_and_counted() {
        let counts =
            |tap: &Tap| (tap.counters().offered.load(Ordering::Relaxed), tap.counters().shed.load(Ordering::Relaxed));
        let (tap, mut records) = queue();
        for _ in 0..=QUEUE_MAX {
            tap.offer(seen("{}", b""));
        }
        assert_eq!(counts(&tap), (QUEUE_MAX as u64 + 1, 1));
        assert!(records.next().is_some());
        tap.offer(seen("{}", b""));
        assert_eq!(counts(&tap).1, 1, "there is room again");

        let (tap, mut records) = queue();
        let mut big = seen("", b"");
        big.reply = vec![Bytes::from(vec![b'x'; QUEUE_BYTES_MAX])];
        tap.offer(big.clone());
        tap.offer(seen("{}", b""));
        assert_eq!(counts(&tap), (2, 1));
        assert_eq!(records.next().map(|seen| seen.bytes()), Some(QUEUE_BYTES_MAX));
        big.reply.push(Bytes::from_static(b"x"));
        tap.offer(big);
        assert_eq!(counts(&tap), (3, 2));

        let (tap, records) = queue();
        drop(records);
        tap.offer(seen("{}", b""));
        assert_eq!(counts(&tap), (1, 1), "nobody listens any more");
        Tap::closed().offer(seen("{}", b""));
    }
}
