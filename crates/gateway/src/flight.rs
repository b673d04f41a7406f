//! An exchange under way, from its admission to its landing.
//!
//! Promises to land once, however it ends, and to hand over what went by: at most [`TEE_BYTES_MAX`] bytes of the reply.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use exchange::Time;
use policy::price::Price;
use policy::quota::{Quotas, Reservation};
use tokio::time::Instant;

use crate::limits::{COPIED_BYTES_MAX, TEE_BYTES_MAX};
use crate::record::{Seen, Tap};
use crate::stats::Stats;
use crate::usage::{self, Used};

pub use crate::stats::End;

/// What was reserved for an exchange, until it is settled.
#[derive(Debug)]
pub struct Bill {
    /// Where it was reserved.
    pub quotas: Arc<Quotas>,
    /// What was reserved.
    pub reserved: Reservation,
    /// Tokens of the request, where the reply does not tell.
    pub input_tokens: u64,
    /// How many answers the reply may have.
    pub answers: u64,
    /// What the model's tokens cost.
    pub price: Option<Price>,
    /// When the request arrived.
    pub time: Time,
}

/// An exchange under way. Dropped, it lands as one whose caller left.
#[derive(Debug)]
pub struct Flight {
    seen: Option<Box<Seen>>,
    bill: Option<Bill>,
    tap: Tap,
    started: Instant,
    stats: Arc<Stats>,
    reply: Vec<Bytes>,
    /// Short pieces that follow what is in `reply`.
    short: BytesMut,
    kept_bytes: usize,
    cut: bool,
    landed: bool,
}

impl Flight {
    /// Begins. `seen` is handed over at the end, when it is there, and what `bill` reserved is settled.
    #[must_use]
    pub fn new(seen: Option<Box<Seen>>, bill: Option<Bill>, tap: Tap, stats: Arc<Stats>) -> Flight {
        let started = Instant::now();
        Flight {
            seen,
            bill,
            tap,
            started,
            stats,
            reply: Vec::new(),
            short: BytesMut::new(),
            kept_bytes: 0,
            cut: false,
            landed: false,
        }
    }

    /// The server answered with this status.
    pub fn answered(&mut self, status: u16, streamed: bool) {
        if let Some(seen) = &mut self.seen {
            seen.status = status;
            seen.streamed = streamed;
        }
    }

    /// A piece of the reply went by. After one that does not fit none is kept, so that there is no hole.
    pub fn saw(&mut self, piece: &Bytes) {
        if self.seen.is_none() || self.cut {
            return;
        }
        if self.kept_bytes.saturating_add(piece.len()) > TEE_BYTES_MAX {
            self.cut = true;
            Stats::add(&self.stats.cut);
            return;
        }
        self.kept_bytes += piece.len();
        if piece.len() <= COPIED_BYTES_MAX {
            self.short.extend_from_slice(piece);
        } else {
            self.gather();
            self.reply.push(piece.clone());
        }
    }

    /// Puts the short pieces behind the others.
    fn gather(&mut self) {
        if !self.short.is_empty() {
            self.reply.push(self.short.split().freeze());
        }
    }

    /// Nothing came back that could be passed on.
    pub fn abort(mut self) {
        self.landed = true;
        if let Some(Bill { quotas, reserved, .. }) = self.bill.take() {
            quotas.give_back(reserved);
        }
    }

    /// Charges what was asked for an exchange of which nobody shows what comes back, and hands nothing over.
    pub fn settle_unseen(mut self) {
        self.landed = true;
        if let Some(Bill { quotas, reserved, input_tokens, price, time, .. }) = self.bill.take() {
            quotas.settle(reserved, Used { input: input_tokens, output: 0 }.amounts(price), time);
        }
    }

    /// Ends.
    pub fn land(mut self, end: End) {
        self.finish(end);
    }

    fn finish(&mut self, end: End) {
        if std::mem::replace(&mut self.landed, true) {
            return;
        }
        self.stats.landed(end);
        self.gather();
        self.settle();
        if let Some(mut seen) = self.seen.take() {
            seen.duration = self.started.elapsed();
            seen.reply = std::mem::take(&mut self.reply);
            self.tap.offer(seen);
        }
    }
}

impl Flight {
    /// Charges what was used, also of a reply that was broken off: what was made of it was made.
    fn settle(&mut self) {
        let (Some(bill), Some(seen)) = (self.bill.take(), &self.seen) else { return };
        let used = if seen.status < 400 {
            usage::tokens(&self.reply, seen.streamed, bill.input_tokens, bill.answers)
        } else {
            Used::default()
        };
        let elapsed = i64::try_from(self.started.elapsed().as_nanos()).unwrap_or(i64::MAX);
        let now = Time::from_nanos(bill.time.nanos().saturating_add(elapsed));
        bill.quotas.settle(bill.reserved, used.amounts(bill.price), now);
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.finish(End::Left);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;
    use std::time::Duration;

    use exchange::Time;
    use serde_json::json;

    use super::*;
    use crate::record::{Records, queue};
    use crate::trust::Caller;

    fn flight() -> (Flight, Records, Arc<Stats>) {
        let account = json!({"id": "acct", "created": "1970-01-01T00:00:00Z"});
        let seen = Seen {
            time: Time::from_seconds(0),
            id: "ex_1".to_owned(),
            account: Arc::new(serde_json::from_value(account).unwrap()),
            key: None,
            path: "/v1/messages".to_owned(),
            caller: Some(Caller { address: "192.0.2.1".parse().unwrap(), ja4: None, asn: None, country: None }),
            user_agent: None,
            decision: crate::record::Decision::default(),
            request: Bytes::from_static(b"{}"),
            reply: Vec::new(),
            streamed: false,
            status: 0,
            duration: Duration::ZERO,
        };
        let (tap, records) = queue();
        let stats = Arc::new(Stats::default());
        (Flight::new(Some(Box::new(seen)), None, tap, Arc::clone(&stats)), records, stats)
    }

    #[test]
    fn it_lands_once_however_it_ends() {
        for (end, expected) in [(Some(End::Whole), (1, 0, 0)), (Some(End::Broken), (0, 1, 0)), (None, (0, 0, 1))] {
            let (mut flight, records, stats) = flight();
            flight.answered(200, true);
            match end {
                Some(end) => flight.land(end),
                None => drop(flight),
            }
            let counts = [&stats.whole, &stats.broken, &stats.left].map(|count| count.load(Ordering::Relaxed));
            assert_eq!((counts[0], counts[1], counts[2]), expected);
            assert_eq!(records.map(|seen| seen.status).collect::<Vec<_>>(), [200]);
        }
        let (flight, records, stats) = flight();
        flight.abort();
        assert_eq!((records.count(), stats.left.load(Ordering::Relaxed)), (0, 0));
    }

    #[test]
    fn short_and_long_pieces_are_kept_in_their_order() {
        let (mut flight, mut records, _) = flight();
        let mut whole = Vec::new();
        for length in [1, COPIED_BYTES_MAX, COPIED_BYTES_MAX + 1, 2, 3, 2 * COPIED_BYTES_MAX, 1] {
            let piece = vec![b'a' + (whole.len() % 26) as u8; length];
            whole.extend_from_slice(&piece);
            flight.saw(&Bytes::from(piece));
        }
        flight.land(End::Whole);
        let reply = records.next().unwrap().reply;
        assert_eq!((reply.concat(), reply.len()), (whole, 5));
    }

    #[test]
    fn of_a_long_reply_the_beginning_is_kept_without_a_hole() {
        for (more, kept, cut) in [(0, TEE_BYTES_MAX, 0), (1, TEE_BYTES_MAX - 1, 1)] {
            let (mut flight, mut records, stats) = flight();
            flight.saw(&Bytes::from(vec![b'a'; TEE_BYTES_MAX - 1]));
            flight.saw(&Bytes::from(vec![b'b'; 1 + more]));
            if more > 0 {
                flight.saw(&Bytes::from_static(b"c"));
            }
            flight.land(End::Whole);
            let reply = records.next().unwrap().reply.concat();
            assert_eq!((reply.len(), stats.cut.load(Ordering::Relaxed)), (kept, cut));
        }
    }
}
