//! One call, one exchange: puts together what several records say of the same call, and drops what says it again.
//!
//! - The same record twice (delivery streams deliver at least once, logs are copied): same id, account, time and texts.
//! - Attempts: a call that failed and was tried again under one of the same ids, by the same account, with the same turns; in
//!   some sources also one that was throttled and asked again word for word within [`limits::RETRY_SECONDS_MAX`]. The
//!   failures are attempts and no calls; failures that nothing follows are one call. What succeeded is never an attempt.
//! - Halves: a request and its response in two records, a background call and the poll that brought its answer. Both have one
//!   id and, where both name one, one account. An answer that names none goes to the only request that waits under its id.
//! - Traces: turns in log records beside their span; an account or an address on another span of the trace only; a call
//!   that a framework and the library below it both wrote, one span within the other. A log record that tells a whole call
//!   is one where its span is not there, and so is an outer span of a framework where no call within it is.
//!
//! What has to wait for another record waits until its trace is whole, for at most [`limits::JOIN_SECONDS_MAX`] of the
//! records' own time, as [`Joiner::advance`] tells it, and with at most [`limits::JOIN_WAITING_MAX`] others; then it goes on
//! as it is, and what stayed unjoined is counted. Only the caller's side of an id can be forged, so an id alone makes nothing a duplicate.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::bad::{BadRecord, Remark};
use crate::call::{Call, Who};
use crate::format::Format;
use crate::limits;
use crate::options::ReadOptions;
use crate::place::{Half, Side};
use crate::record::{Exchange, is_default};
use crate::report::ReadReport;
use crate::time::Time;

/// What was read and may not be whole yet.
#[derive(Debug, Default)]
pub struct Joiner {
    options: ReadOptions,
    /// Keys of exchanges that went on, to know them again.
    seen: BTreeSet<u64>,
    seen_in_order: VecDeque<u64>,
    traces: BTreeMap<String, Trace>,
    /// Failed attempts that nothing followed yet, by the order in which they came.
    failed: BTreeMap<u64, Waiting>,
    failures: u64,
    /// The same by what they have in common with what may follow.
    attempts: BTreeMap<u64, u64>,
    /// Parts of calls of which the other part is not there yet.
    halves: BTreeMap<HalfKey, Waiting>,
    /// What waits, by when they began to wait.
    queue: VecDeque<(Time, Entry)>,
    waiting: usize,
    /// Everything that comes is later than this.
    watermark: Option<Time>,
    report: ReadReport,
}

/// What an exchange that stands alone has to be asked before it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallKey {
    format: Format,
    identity: u64,
    time: Time,
    /// What it has in common with other attempts at it, 0 for nothing: by its ids, then by all that was asked.
    attempts: [u64; ATTEMPT_IDS_MAX],
    repeat: u64,
}

/// The ids that a call may have in common with other attempts at it; more are not looked at.
const ATTEMPT_IDS_MAX: usize = 4;

impl CallKey {
    /// What it may have in common with other attempts, each with how many seconds may lie between them.
    fn attempts(&self) -> impl Iterator<Item = (u64, u64)> {
        let by_ids = self.attempts.into_iter().map(|key| (key, limits::JOIN_SECONDS_MAX));
        by_ids.chain([(self.repeat, limits::RETRY_SECONDS_MAX)]).filter(|(key, _)| *key != 0)
    }
}

/// What the two records of a call have in common, and which of them this is. Without an account it is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct HalfKey {
    id: u64,
    account: u64,
    side: Side,
}

impl HalfKey {
    fn of(call: &Call<'_>) -> Option<Self> {
        let Half { side, id } = call.half.as_ref()?;
        let account = call.exchange.account.as_str();
        // The caller's own user may be anybody.
        let account = if call.who >= Who::EndUser { 0 } else { xxh3_64(account.as_bytes()).max(1) };
        Some(HalfKey { id: xxh3_64(id.as_bytes()), account, side: *side })
    }

    /// The other record by the same account.
    fn other(self) -> Self {
        let side = if self.side == Side::Asked { Side::Answered } else { Side::Asked };
        HalfKey { side, ..self }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    Trace(String),
    Attempt(u64),
    Half(HalfKey),
}

#[derive(Debug, Default)]
struct Trace {
    members: Vec<Waiting>,
    /// What its spans said that are no calls, by their ids: who, from where.
    facts: BTreeMap<String, Call<'static>>,
    /// Those of which this is not sure.
    disputed: BTreeSet<String>,
    has_root: bool,
    /// Calls that went on when the trace was whole, by their span ids.
    gone: BTreeMap<String, Ran>,
    /// The spans around these.
    around_gone: BTreeSet<String>,
    /// The accounts that its calls name themselves, by hash; two are as good as more.
    accounts: BTreeSet<u64>,
    /// Span ids met, with the span each is within.
    parents: BTreeMap<String, Option<String>>,
}

/// Who made a call, and from when to when.
#[derive(Clone, Debug)]
struct Ran {
    account: Option<String>,
    from: Time,
    to: Option<Time>,
}

impl Ran {
    fn of(call: &Call<'_>) -> Self {
        let account = (call.who < Who::Service).then(|| call.exchange.account.as_str().to_owned());
        Ran { account, from: call.exchange.time, to: call.span.as_ref().and_then(|span| span.end) }
    }

    /// Whether a call within this one may be the same call, as another library saw it: of the same account, and while this one
    /// ran. Whoever calls may name any span as the one around his.
    fn may_hold(&self, inner: &Call<'_>) -> bool {
        let names_other = inner.who < Who::Service
            && self.account.as_deref().is_some_and(|account| account != inner.exchange.account.as_str());
        let before = self.from.seconds_since(inner.exchange.time);
        let after = self.to.map(|to| inner.exchange.time.seconds_since(to));
        !names_other && before <= CLOCKS_DIFFER_SECONDS && after.is_none_or(|after| after <= CLOCKS_DIFFER_SECONDS)
    }
}

/// Not one account but several.
struct Several;

#[derive(Clone, Debug)]
struct Waiting {
    call: Call<'static>,
    source: Arc<str>,
    line: u64,
}

impl Call<'_> {
    /// Whether nothing in another record could be missing of this call.
    #[must_use]
    pub fn stands_alone(&self) -> bool {
        self.is_call
            && self.who < Who::Service
            && self.half.is_none()
            && !self.may_be_tried_again()
            && self.span.as_ref().is_none_or(|span| span.trace.is_empty())
    }

    /// Whether it failed and another attempt at it would be known.
    fn may_be_tried_again(&self) -> bool {
        self.failed && !self.has_answer() && self.span.is_none() && (!self.attempts.is_empty() || self.is_throttled())
    }

    /// Whether something came back, as before a stream broke off: then it was no failed attempt.
    fn has_answer(&self) -> bool {
        let Exchange { response, usage, .. } = &self.exchange;
        response.content.as_deref().is_some_and(|text| !text.is_empty())
            || !response.tool_calls.is_empty()
            || usage.output_tokens.is_some_and(|tokens| tokens > 0)
    }

    fn is_throttled(&self) -> bool {
        self.repeats && self.exchange.status == Some(429) && !self.lacks_text()
    }

    /// The same, independent of the text it was read from.
    #[must_use]
    pub fn into_owned(self) -> Call<'static> {
        Call {
            exchange: self.exchange.into_owned(),
            format: self.format,
            who: self.who,
            is_call: self.is_call,
            is_outer: self.is_outer,
            failed: self.failed,
            attempts: self.attempts,
            repeats: self.repeats,
            half: self.half,
            span: self.span,
            damage: self.damage,
        }
    }

    /// With what a [`Joiner`] knows this call again.
    #[must_use]
    pub fn key(&self) -> CallKey {
        let exchange = &self.exchange;
        let mut hash = Xxh3::new();
        for part in [exchange.id.as_str(), exchange.account.as_str()] {
            hash.update(part.as_bytes());
            hash.update(&[0]);
        }
        // What was made of the position of a record differs between copies. Of those with an id, each writer measured for
        // itself how long the call took.
        if exchange.id.as_str().starts_with("ex_") {
            hash.reset();
            hash.update(&exchange.duration_ms.unwrap_or_default().to_bits().to_le_bytes());
        }
        // A caller may choose an id, but copies say the same, the answer included.
        hash.update(&self.content().to_le_bytes());
        hash.update(exchange.response.content.as_deref().unwrap_or_default().as_bytes());
        hash.update(&exchange.time.nanos().to_le_bytes());
        let identity = hash.digest();
        let mut attempts = [0; ATTEMPT_IDS_MAX];
        for (key, id) in attempts.iter_mut().zip(&self.attempts) {
            let mut hash = Xxh3::new();
            hash.update(id.as_bytes());
            hash.update(&self.content().to_le_bytes());
            *key = hash.digest().max(1);
        }
        let repeat = if self.repeats && !self.lacks_text() { self.all_that_was_asked().max(1) } else { 0 };
        CallKey { format: self.format, identity, time: exchange.time, attempts, repeat }
    }

    /// A hash of who asked what, of which model, with which settings and tools.
    fn all_that_was_asked(&self) -> u64 {
        let exchange = &self.exchange;
        let mut hash = Xxh3::new();
        hash.update(&self.content().to_le_bytes());
        let settings = (&exchange.model, exchange.operation, &exchange.request.params, &exchange.request.tools);
        hash.update(format!("{settings:?}").as_bytes());
        hash.digest()
    }

    /// A hash of who asked what.
    fn content(&self) -> u64 {
        let exchange = &self.exchange;
        let mut hash = Xxh3::new();
        hash.update(exchange.account.as_str().as_bytes());
        let turns = exchange.request.messages.iter().map(|message| &message.content);
        for text in exchange.request.system.iter().chain(turns).flat_map(|content| content.texts()) {
            hash.update(&[0]);
            hash.update(text.as_bytes());
        }
        hash.digest()
    }

    fn span_id(&self) -> &str {
        self.span.as_ref().map_or("", |span| span.id.as_str())
    }

    fn is_log(&self) -> bool {
        self.span.as_ref().is_some_and(|span| span.is_log)
    }

    /// Whether a log record lies within the bound around this span.
    fn is_near(&self, log: &Call<'_>) -> bool {
        let (from, time) = (self.exchange.time, log.exchange.time);
        let until = self.span.as_ref().and_then(|span| span.end).unwrap_or(from).max(from);
        from.seconds_since(time).max(time.seconds_since(until)) <= limits::JOIN_SECONDS_MAX as f64
    }

    fn lacks_text(&self) -> bool {
        self.exchange.request.messages.is_empty() && self.exchange.fingerprint.is_none()
    }
}

impl Joiner {
    /// Joins what was read with these options.
    #[must_use]
    pub fn new(options: ReadOptions) -> Self {
        Joiner { options, ..Joiner::default() }
    }

    /// Takes note of an exchange that stands alone; says whether it is to go on, which it is unless it went on before.
    pub fn passes(&mut self, key: CallKey, source: &Arc<str>, line: u64) -> bool {
        if !self.is_new(key.identity) {
            self.report.remark(Remark::Duplicate, source, line);
            return false;
        }
        self.fold(&key);
        self.count(key.format);
        true
    }

    /// Takes what failed before and was tried again by this for attempts at it.
    fn fold(&mut self, key: &CallKey) {
        if self.failed.is_empty() {
            return;
        }
        for (key_of_attempt, seconds) in key.attempts() {
            let Some(number) = self.attempts.get(&key_of_attempt).copied() else { continue };
            let since = self.failed.get(&number).map(|failed| key.time.seconds_since(failed.call.exchange.time));
            if since.is_some_and(|since| (0.0..=seconds as f64).contains(&since))
                && let Some(failed) = self.take_failed(number)
            {
                self.report.remark(Remark::Attempt, &failed.source, failed.line);
            }
        }
    }

    fn take_failed(&mut self, number: u64) -> Option<Waiting> {
        let failed = self.failed.remove(&number)?;
        self.waiting -= 1;
        for (key, _) in failed.call.key().attempts() {
            if self.attempts.get(&key) == Some(&number) {
                self.attempts.remove(&key);
            }
        }
        self.tidy();
        Some(failed)
    }

    /// Forgets that something waited which has gone on.
    fn tidy(&mut self) {
        let goes_on = |since: Time, entry: &Entry| match entry {
            Entry::Attempt(number) => !self.failed.contains_key(number),
            Entry::Half(key) => self.halves.get(key).is_none_or(|half| half.call.exchange.time != since),
            Entry::Trace(_) => false,
        };
        while self.queue.front().is_some_and(|(since, entry)| goes_on(*since, entry)) {
            self.queue.pop_front();
        }
    }

    /// Takes a call from a line of a source; hands on what is whole by now.
    pub fn push(&mut self, call: Call<'static>, source: &Arc<str>, line: u64, sink: &mut dyn FnMut(Exchange<'static>)) {
        if call.stands_alone() {
            if self.passes(call.key(), source, line) {
                sink(call.exchange);
            }
            return;
        }
        let waiting = Waiting { call, source: source.clone(), line };
        if let Some(key) = HalfKey::of(&waiting.call) {
            self.halve(key, waiting, sink);
            return self.expire(sink);
        }
        self.whole(waiting, sink);
        self.expire(sink);
    }

    /// Takes a call of which no half is missing.
    fn whole(&mut self, mut waiting: Waiting, sink: &mut dyn FnMut(Exchange<'static>)) {
        waiting.call.half = None;
        match waiting.call.span.as_ref().filter(|span| !span.trace.is_empty()).map(|span| span.trace.clone()) {
            Some(trace) => self.in_trace(trace, waiting.call.exchange.time, waiting, sink),
            None => self.go_on(waiting, sink),
        }
    }

    /// Hands on a call that is whole, unless it may be tried again.
    fn go_on(&mut self, waiting: Waiting, sink: &mut dyn FnMut(Exchange<'static>)) {
        if waiting.call.is_call && waiting.call.may_be_tried_again() {
            self.attempt(waiting);
        } else {
            self.release(waiting, sink);
        }
    }

    /// Puts the two records of a call together, or lets the first of them wait.
    fn halve(&mut self, key: HalfKey, waiting: Waiting, sink: &mut dyn FnMut(Exchange<'static>)) {
        // The whole call has an identity of its own.
        if !self.is_new(!waiting.call.key().identity) {
            return self.report.remark(Remark::Duplicate, &waiting.source, waiting.line);
        }
        let time = waiting.call.exchange.time;
        if let Some(other) = self.other_half(key, time) {
            let (mut asked, answered) = if key.side == Side::Asked { (waiting, other) } else { (other, waiting) };
            self.report.remark(Remark::Joined("an answer to its call"), &answered.source, answered.line);
            asked.call.answered_by(answered.call);
            return self.whole(asked, sink);
        }
        self.waiting += 1;
        if let Some(earlier) = self.halves.insert(key, waiting) {
            self.half_alone(earlier, sink);
        }
        self.queue.push_back((time, Entry::Half(key)));
    }

    /// Takes the record that belongs to one at `time`.
    fn other_half(&mut self, key: HalfKey, time: Time) -> Option<Waiting> {
        let is_near =
            |half: &Waiting| half.call.exchange.time.seconds_since(time).abs() <= limits::JOIN_SECONDS_MAX as f64;
        let of_nobody = HalfKey { account: 0, ..key.other() };
        let found = match key {
            // Whom an answer without an account was for shows only where one request waits for it.
            HalfKey { account: 0, id, side } => {
                let any = HalfKey { id, account: 0, side: Side::Asked }..=HalfKey { id, account: u64::MAX, side };
                let mut asked = self.halves.range(any).filter(|(other, _)| other.side != side).map(|(key, _)| *key);
                asked.next().filter(|_| asked.next().is_none())
            }
            _ => [key.other(), of_nobody].into_iter().find(|other| self.halves.contains_key(other)),
        }?;
        if !self.halves.get(&found).is_some_and(is_near) {
            return None;
        }
        let half = self.halves.remove(&found);
        self.waiting -= usize::from(half.is_some());
        self.tidy();
        half
    }

    /// A request goes on without its answer; an answer alone is nothing.
    fn half_alone(&mut self, half: Waiting, sink: &mut dyn FnMut(Exchange<'static>)) {
        self.waiting -= 1;
        let what = if half.call.is_call { "a request without its answer" } else { "an answer without its request" };
        self.report.remark(Remark::Unjoined(what), &half.source, half.line);
        if half.call.is_call {
            self.whole(half, sink);
        }
    }

    /// Says that nothing earlier is to come than `time`, about. Several files are read side by side, so this is not the time
    /// of the last record.
    pub fn advance(&mut self, time: Time, sink: &mut dyn FnMut(Exchange<'static>)) {
        self.watermark = self.watermark.max(Some(time));
        self.expire(sink);
    }

    /// Whether anything waits for another record.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.waiting > 0
    }

    /// Hands on everything that waits.
    pub fn finish(&mut self, sink: &mut dyn FnMut(Exchange<'static>)) {
        while let Some((since, entry)) = self.queue.pop_front() {
            self.flush(since, &entry, sink);
        }
    }

    /// What was counted; to be added to what was read.
    pub fn take_report(&mut self) -> ReadReport {
        std::mem::take(&mut self.report)
    }

    /// The time of the earliest exchange that may still be handed on.
    #[must_use]
    pub fn earliest(&self) -> Option<Time> {
        self.queue.front().map(|(time, _)| *time)
    }

    fn is_new(&mut self, identity: u64) -> bool {
        if !self.seen.insert(identity) {
            return false;
        }
        self.seen_in_order.push_back(identity);
        if self.seen_in_order.len() > limits::DUPLICATE_WINDOW
            && let Some(oldest) = self.seen_in_order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        true
    }

    /// Lets go of what waited long enough, or of the oldest where too much waits.
    fn expire(&mut self, sink: &mut dyn FnMut(Exchange<'static>)) {
        while let Some((since, _)) = self.queue.front() {
            let waited = self.watermark.map_or(0.0, |watermark| watermark.seconds_since(*since));
            if waited <= limits::JOIN_SECONDS_MAX as f64
                && self.waiting <= limits::JOIN_WAITING_MAX
                && self.queue.len() <= limits::JOIN_WAITING_MAX
            {
                break;
            }
            if let Some((since, entry)) = self.queue.pop_front() {
                self.flush(since, &entry, sink);
            }
        }
    }

    fn flush(&mut self, since: Time, entry: &Entry, sink: &mut dyn FnMut(Exchange<'static>)) {
        match entry {
            Entry::Attempt(number) => {
                if let Some(waiting) = self.take_failed(*number) {
                    self.release(waiting, sink);
                }
            }
            Entry::Half(key) => {
                if self.halves.get(key).is_some_and(|half| half.call.exchange.time == since)
                    && let Some(half) = self.halves.remove(key)
                {
                    self.half_alone(half, sink);
                }
            }
            Entry::Trace(id) => {
                if let Some(mut trace) = self.traces.remove(id) {
                    self.hand_on(&mut trace, sink);
                }
            }
        }
    }

    /// Lets a call that failed wait for another attempt at it.
    fn attempt(&mut self, waiting: Waiting) {
        let key = waiting.call.key();
        if !self.is_new(key.identity) {
            return self.report.remark(Remark::Duplicate, &waiting.source, waiting.line);
        }
        self.fold(&key);
        self.failures += 1;
        let number = self.failures;
        // Without an id in common, only what was throttled is known to be tried again.
        let is_throttled = waiting.call.is_throttled();
        let keys = key.attempts().map(|(key, _)| key).filter(|of| *of != key.repeat || is_throttled);
        self.attempts.extend(keys.map(|key| (key, number)));
        self.failed.insert(number, waiting);
        self.waiting += 1;
        self.queue.push_back((key.time, Entry::Attempt(number)));
    }

    fn in_trace(&mut self, id: String, time: Time, waiting: Waiting, sink: &mut dyn FnMut(Exchange<'static>)) {
        let trace = self.traces.entry(id.clone()).or_insert_with(|| {
            self.queue.push_back((time, Entry::Trace(id.clone())));
            Trace::default()
        });
        let is_log = waiting.call.is_log();
        if let Some(span) = waiting.call.span.as_ref().filter(|_| !is_log) {
            trace.has_root |= span.parent.is_none();
            trace.parents.insert(span.id.clone(), span.parent.clone());
        }
        if waiting.call.is_call && waiting.call.who < Who::Service && trace.accounts.len() < 2 {
            trace.accounts.insert(xxh3_64(waiting.call.exchange.account.as_str().as_bytes()));
        }
        if waiting.call.is_call || is_log {
            trace.members.push(waiting);
            self.waiting += 1;
        } else {
            // A span around calls may be one itself, and tells who made those within it.
            if waiting.call.is_outer {
                trace.members.push(waiting.clone());
                self.waiting += 1;
            }
            if let Some(span) = &waiting.call.span
                && trace.facts.len() < limits::TRACE_SPANS_MAX
            {
                let id = span.id.clone();
                match trace.facts.get_mut(&id) {
                    // Of two that tell of the same, neither may put what others did on somebody else.
                    Some(known) if known.names_other(&waiting.call) => {
                        trace.disputed.insert(id);
                        let what = "account, since two records of the same span name different ones";
                        self.report.remark(Remark::Unjoined(what), &waiting.source, waiting.line);
                    }
                    Some(known) => known.learn_who(&waiting.call),
                    None => {
                        trace.facts.insert(id, waiting.call);
                    }
                }
            }
        }
        // Whoever chooses the id of a trace could make it grow for ever.
        let is_full = trace.members.len() >= limits::TRACE_SPANS_MAX || trace.parents.len() >= limits::TRACE_SPANS_MAX;
        if (is_full || trace.is_whole())
            && let Some(mut trace) = self.traces.remove(&id)
        {
            self.hand_on(&mut trace, sink);
            // Its facts may still be needed by what comes late; a trace that is full begins anew.
            if !is_full {
                self.traces.insert(id, trace);
            }
        }
    }

    /// Puts the members of a trace together and hands on the calls.
    fn hand_on(&mut self, trace: &mut Trace, sink: &mut dyn FnMut(Exchange<'static>)) {
        self.waiting -= trace.members.len();
        let members = std::mem::take(&mut trace.members);
        let (logs, spans): (Vec<Waiting>, Vec<Waiting>) = members.into_iter().partition(|member| member.call.is_log());
        let (mut calls, outer): (Vec<Waiting>, Vec<Waiting>) = spans.into_iter().partition(|span| span.call.is_call);
        let around: BTreeSet<String> = trace.around_calls(&calls).into_iter().map(str::to_owned).collect();
        for mut outer in outer {
            outer.call.is_call = !around.contains(outer.call.span_id());
            if outer.call.is_call {
                calls.push(outer);
            } else {
                self.report.remark(Remark::Skipped("span around a call"), &outer.source, outer.line);
            }
        }
        trace.around_gone = around;
        let places: BTreeMap<String, usize> =
            calls.iter().zip(0..).map(|(call, at)| (call.call.span_id().to_owned(), at)).collect();
        for log in logs {
            let place = places.get(log.call.span_id()).and_then(|at| calls.get_mut(*at));
            match place.filter(|call| call.call.is_near(&log.call)) {
                Some(call) => {
                    call.call.learn(log.call);
                    self.report.remark(Remark::Joined("turns to their call"), &log.source, log.line);
                }
                // What tells a whole call is one, unless its span went on already.
                None if log.call.is_call && !trace.gone.contains_key(log.call.span_id()) => calls.push(log),
                None => self.report.remark(Remark::Unjoined("turns without their call"), &log.source, log.line),
            }
        }
        calls.retain(|call| {
            let is_within = trace.is_within_one_gone(&call.call);
            if is_within {
                self.report.remark(Remark::Joined("a call within a call"), &call.source, call.line);
            }
            !is_within
        });
        self.merge_nested(&mut calls, trace);
        let ran = |call: &Waiting| Some((call.call.span.as_ref()?.id.clone(), Ran::of(&call.call)));
        trace.gone.extend(calls.iter().filter_map(ran));
        for mut call in calls {
            let before = call.call.who;
            let id = call.call.span.as_ref().map(|span| span.id.clone()).unwrap_or_default();
            // Only what is around a call says who made it: a trace may be shared by many, and its id be chosen by a caller.
            for around in trace.around(&id) {
                if let Some(facts) = trace.facts.get(around).filter(|_| !trace.disputed.contains(around)) {
                    call.call.learn_who(facts);
                }
            }
            if call.call.who < before {
                self.report.remark(Remark::Joined("account from another span"), &call.source, call.line);
            } else if call.call.who >= Who::Service && trace.is_broken_above(&id) {
                match trace.only_account() {
                    Some(Ok(facts)) => {
                        call.call.learn_who(facts);
                        let how = "account from a span that is not around the call, as spans between are missing";
                        self.report.remark(Remark::Joined(how), &call.source, call.line);
                    }
                    Some(Err(Several)) => {
                        let what = "account, since its trace names several and spans around the call are missing";
                        self.report.remark(Remark::Unjoined(what), &call.source, call.line);
                    }
                    None => {}
                }
            }
            self.release(call, sink);
        }
    }

    /// Of a call within a call, one remains: the outer one with what the inner one adds, unless several within it
    /// succeeded, which then are the calls.
    fn merge_nested(&mut self, calls: &mut Vec<Waiting>, trace: &Trace) {
        let ids: Vec<String> =
            calls.iter().map(|call| call.call.span.as_ref().map(|span| span.id.clone()).unwrap_or_default()).collect();
        let places: BTreeMap<&str, usize> = ids.iter().zip(0..).map(|(id, at)| (id.as_str(), at)).collect();
        let outer = |id: &String| trace.around(id).find_map(|around| places.get(around.as_str()).copied());
        let mut inner_of: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (at, id) in ids.iter().enumerate() {
            let may_be_one = |outer: &usize| {
                calls
                    .get(*outer)
                    .zip(calls.get(at))
                    .is_some_and(|(outer, inner)| Ran::of(&outer.call).may_hold(&inner.call))
            };
            if let Some(outer) = outer(id).filter(may_be_one) {
                inner_of.entry(outer).or_default().push(at);
            }
        }
        let mut gone = BTreeSet::new();
        for index in 0..calls.len() {
            if gone.contains(&index) {
                continue;
            }
            let inner = inner_of.remove(&index).unwrap_or_default();
            let (failed, good): (Vec<usize>, Vec<usize>) =
                inner.into_iter().partition(|at| calls.get(*at).is_some_and(|call| call.call.failed));
            match good.as_slice() {
                [] if failed.is_empty() => {}
                [] | [_] => {
                    let last = good.last().or(failed.last()).copied();
                    for at in failed.iter().chain(&good) {
                        let Some(call) = calls.get(*at) else { continue };
                        let remark =
                            if good.contains(at) { Remark::Joined("a call within a call") } else { Remark::Attempt };
                        self.report.remark(remark, &call.source, call.line);
                        gone.insert(*at);
                    }
                    let inner = last.and_then(|at| calls.get(at)).map(|call| call.call.clone());
                    if let (Some(inner), Some(call)) = (inner, calls.get_mut(index)) {
                        call.call.learn(inner);
                    }
                }
                _ => {
                    if let Some(call) = calls.get(index) {
                        self.report.remark(Remark::Skipped("span around several calls"), &call.source, call.line);
                    }
                    gone.insert(index);
                }
            }
        }
        let mut at = 0;
        calls.retain(|_| {
            at += 1;
            !gone.contains(&(at - 1))
        });
    }

    fn count(&mut self, format: Format) {
        self.report.records += 1;
        *self.report.by_format.entry(format).or_default() += 1;
    }

    /// Hands on a call as it is.
    fn release(&mut self, waiting: Waiting, sink: &mut dyn FnMut(Exchange<'static>)) {
        let Waiting { mut call, source, line } = waiting;
        // Another record may have told who it was.
        self.options.settle(&mut call);
        // A log record alone is a call only with an account of its own.
        if call.is_log() && (!call.is_call || call.who >= Who::Service) {
            return self.report.remark(Remark::Unjoined("turns without their call"), &source, line);
        }
        if !call.is_call {
            return;
        }
        if call.who == Who::Nobody {
            let expected = "an account on the span, on another span of its trace, or on its resource";
            return self.report.bad(&source, line, BadRecord::Missing { field: "account", expected });
        }
        // A failed attempt was looked at when it began to wait.
        if !call.may_be_tried_again() {
            let key = call.key();
            if !self.is_new(key.identity) {
                return self.report.remark(Remark::Duplicate, &source, line);
            }
            self.fold(&key);
        }
        self.count(call.format);
        self.report.census.see(&call, &self.options);
        if self.options.one_org {
            call.exchange.org = None;
        }
        sink(call.exchange);
    }
}

impl Trace {
    /// The spans around a span, nearest first.
    fn around<'t>(&'t self, id: &str) -> impl Iterator<Item = &'t String> {
        let parent_of = |id: &str| self.parents.get(id).and_then(Option::as_ref);
        std::iter::successors(parent_of(id), move |id| parent_of(id)).take(TRACE_DEPTH_MAX)
    }

    /// The spans around these calls, and around those that went on.
    fn around_calls<'t>(&'t self, members: &'t [Waiting]) -> BTreeSet<&'t str> {
        let calls = members.iter().filter(|member| member.call.is_call && !member.call.is_log());
        calls.flat_map(|call| self.around(call.call.span_id())).chain(&self.around_gone).map(String::as_str).collect()
    }

    /// Whether a span is within a call that went on already.
    fn is_within_one_gone(&self, call: &Call<'_>) -> bool {
        self.around(call.span_id()).filter_map(|around| self.gone.get(around)).any(|ran| ran.may_hold(call))
    }

    /// Whether a span around this one was never seen.
    fn is_broken_above(&self, id: &str) -> bool {
        let parent_of = |id: &str| self.parents.get(id).and_then(Option::as_ref);
        parent_of(id).is_some() && self.around(id).any(|around| !self.parents.contains_key(around))
    }

    /// What the spans say of the one account that they name; who calls a trace by another's id brings an account of his own.
    fn only_account(&self) -> Option<Result<&Call<'static>, Several>> {
        let mut named = self.facts.values().filter(|facts| facts.who < Who::Service);
        let first = named.next()?;
        let account = &first.exchange.account;
        let is_only = self.accounts.iter().all(|other| *other == xxh3_64(account.as_str().as_bytes()));
        Some(if is_only && named.all(|facts| facts.exchange.account == *account) { Ok(first) } else { Err(Several) })
    }

    /// Whether no record could add anything.
    fn is_whole(&self) -> bool {
        let known = |parent: &Option<String>| parent.as_ref().is_none_or(|parent| self.parents.contains_key(parent));
        let has_who = |call: &Call<'_>| {
            let id = call.span.as_ref().map(|span| span.id.as_str()).unwrap_or_default();
            self.around(id).filter_map(|around| self.facts.get(around)).any(|facts| facts.who < Who::Service)
        };
        if !self.has_root || !self.parents.values().all(known) {
            return false;
        }
        let has_outer = self.members.iter().any(|member| member.call.is_outer);
        let around = if has_outer { self.around_calls(&self.members) } else { BTreeSet::new() };
        self.members.iter().all(|member| {
            let call = &member.call;
            // Of an outer span it shows only late that no call is within it.
            (call.is_call || call.is_outer && around.contains(call.span_id()))
                && !call.is_log()
                && !call.lacks_text()
                && (call.who < Who::Service || has_who(call))
        })
    }
}

impl Call<'static> {
    /// Whether another one is sure to be of somebody else.
    fn names_other(&self, other: &Call<'static>) -> bool {
        self.who < Who::Service && other.who < Who::Service && self.exchange.account != other.exchange.account
    }

    /// Takes over who asked and from where, where that is missing or known better.
    fn learn_who(&mut self, other: &Call<'static>) {
        if other.who < self.who {
            self.exchange.account = other.exchange.account.clone();
            self.who = other.who;
        }
        let (have, new) = (&mut self.exchange, &other.exchange);
        macro_rules! fill {
            ($($field:ident).+) => {
                if have.$($field).+.is_none() {
                    have.$($field).+ = new.$($field).+.clone();
                }
            };
        }
        fill!(org);
        fill!(key);
        fill!(end_user);
        fill!(session);
        fill!(client.ip);
        fill!(client.asn);
        fill!(client.country);
        fill!(client.network);
        fill!(client.ja4);
        fill!(client.ja4h);
        fill!(client.user_agent);
        if have.end_user.as_ref().map(|user| user.as_str()) == Some(have.account.as_str()) {
            have.end_user = None;
        }
    }

    /// Takes over what came back, which another record told.
    fn answered_by(&mut self, answered: Call<'static>) {
        self.failed |= answered.failed;
        let took = answered.exchange.time.seconds_since(self.exchange.time) * 1e3;
        let took = answered.exchange.duration_ms.or((took >= 0.0).then_some(took));
        self.exchange.duration_ms = self.exchange.duration_ms.or(took);
        self.learn(answered);
    }

    /// Takes over whatever is missing here; turns of several records follow each other.
    fn learn(&mut self, other: Call<'static>) {
        self.learn_who(&other);
        let (other_is_call, other) = (other.is_call, other.exchange);
        let have = &mut self.exchange;
        if have.request.messages.is_empty() || !other_is_call {
            have.request.messages.extend(other.request.messages);
        }
        have.request.system = have.request.system.take().or(other.request.system);
        if have.request.tools.is_empty() {
            have.request.tools = other.request.tools;
        }
        have.request.params = std::mem::take(&mut have.request.params).or(other.request.params);
        if have.response.content.is_none() && have.response.tool_calls.is_empty() {
            let finish = have.response.finish_reason.take();
            have.response = other.response;
            have.response.finish_reason = have.response.finish_reason.take().or(finish);
        }
        have.model = have.model.take().or(other.model);
        have.operation = have.operation.or(other.operation);
        if is_default(&have.usage) {
            have.usage = other.usage;
        }
        have.status = have.status.or(other.status);
    }
}

/// Spans that may lie around a call.
const TRACE_DEPTH_MAX: usize = 64;

/// How far the clocks of two writers of one call may differ, in seconds.
const CLOCKS_DIFFER_SECONDS: f64 = 5.0;
