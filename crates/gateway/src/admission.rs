//! Admission: what is decided of a request that is known whole, whoever brings it.
//!
//! Promises that a request is let go on, or refused, for the same reasons by the proxy and by sensors beside it, and that either is recorded.

use std::sync::Arc;

use bytes::Bytes;
use exchange::Time;
use hyper::HeaderMap;
use policy::who::Who;
use tokio::time::Instant;

use crate::ask::Ask;
use crate::flight::{Bill, Flight};
use crate::gate::Pass;
use crate::record::{Decision, Seen, Tap};
use crate::refuse::Refusal;
use crate::route::{Call, Dialect};
use crate::stats::Stats;
use crate::trust::Caller;
use crate::usage::{self, Used};
use crate::worker::{Settings, Shared};

/// A request that is known whole.
#[derive(Debug)]
pub struct Asking<'r> {
    /// The id that its exchange has.
    pub id: String,
    /// Who asks.
    pub who: &'r Who,
    /// Where it came from, where that is known.
    pub caller: Option<Caller>,
    /// Its headers.
    pub headers: &'r HeaderMap,
    /// Its path.
    pub path: &'r str,
    /// Which call it is.
    pub call: Call,
    /// What it asks for.
    pub ask: &'r Ask,
    /// Its body.
    pub body: &'r Bytes,
    /// How its caller hears of a refusal.
    pub dialect: Dialect,
    /// When it arrived.
    pub now: Time,
}

/// Where what comes of a request is told.
#[derive(Clone, Copy, Debug)]
pub struct Telling<'t> {
    /// Where exchanges are handed over.
    pub tap: &'t Tap,
    /// What is counted.
    pub stats: &'t Arc<Stats>,
}

/// Whether anybody can be let go on now; `is_recorded` tells whether the exchange has to be recorded.
///
/// # Errors
///
/// When it has to be and cannot, or what is known of accounts is too old.
pub fn open(shared: &Shared, settings: &Settings, is_recorded: bool) -> Result<(), Refusal> {
    let is_unrecorded = settings.needs_recording && is_recorded && shared.recording.is_failing();
    let is_stale = shared.gate.freshness().is_lost(settings.stale_time_max, Instant::now());
    if is_unrecorded || is_stale { Err(Refusal::Unavailable) } else { Ok(()) }
}

/// Lets a request go on, with what is reserved for it.
///
/// # Errors
///
/// When it may not; that is recorded.
pub fn admit(
    asking: Asking<'_>,
    shared: &Shared,
    settings: &Settings,
    telling: Telling<'_>,
) -> Result<(Pass, Flight), Refusal> {
    let Asking { id, who, caller, headers, path, call, ask, body, dialect, now } = asking;
    let Telling { tap, stats } = telling;
    let input_tokens = usage::input_tokens(body);
    let price = settings.price(ask.model.as_deref().unwrap_or_default(), stats);
    let may_take = Used { input: input_tokens, output: ask.output_tokens(call) }.amounts(price);
    let mut seen =
        call.is_generated().then(|| Box::new(Seen::begun(id, who, caller, headers, path, body.clone(), now)));
    let admitted = shared.gate.admit(who, call, ask, may_take, now);
    let mut pass = admitted.inspect_err(|refusal| {
        seen.take().into_iter().for_each(|seen| tap.offer(turned_away(seen, refusal, dialect)));
    })?;
    if let Some(seen) = &mut seen {
        seen.decision = Decision::of(&pass);
    }
    let quotas = Arc::clone(shared.gate.quotas());
    let bill = Bill { quotas, reserved: pass.take_reserved(), input_tokens, answers: ask.answers, price, time: now };
    Ok((pass, Flight::new(seen, Some(bill), tap.clone(), Arc::clone(stats))))
}

/// A request that was refused, with what its caller heard.
fn turned_away(mut seen: Box<Seen>, refusal: &Refusal, dialect: Dialect) -> Box<Seen> {
    let (status, _, body) = refusal.reply(dialect);
    seen.decision.refused = Some(refusal.name());
    seen.status = status.as_u16();
    seen.reply = vec![body];
    seen
}
