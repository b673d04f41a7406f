//! Tells pages that something may have changed, so that they load themselves anew: server-sent events.

use std::convert::Infallible;
use std::sync::Arc;

use admin::person::Role;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::time::Instant;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::IntervalStream;

use crate::context::Console;
use crate::guard;
use crate::hunt::HuntState;
use crate::hunts;
use crate::limits::LIVE_TIME;
use crate::route::{Needs, Route};
use crate::session::Visit;

pub(crate) fn routes() -> Vec<Route> {
    vec![Route::get("/live", Needs::Role(Role::Viewer), get(live))]
}

async fn live(State(console): State<Arc<Console>>, Extension(visit): Extension<Visit>) -> Response {
    let Some(seat) = console.seats.take(visit.name()) else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many pages are kept up to date already").into_response();
    };
    let mut told = None;
    let ticks = IntervalStream::new(tokio::time::interval(LIVE_TIME)).then(move |_| {
        let console = Arc::clone(&console);
        // Held as long as the stream is.
        let _held = &seat;
        let visit = visit.clone();
        async move {
            // Whoever is signed out, or shut out, hears nothing more.
            if guard::is_still(&console, &visit).await { Some(pulse(&console).await) } else { None }
        }
    });
    let changes = ticks.map_while(|now| now).filter_map(move |now| {
        if told.as_ref() == Some(&now) {
            return None;
        }
        let event = Event::default().event(if told.is_none() { "begin" } else { "changed" }).data(&now);
        told = Some(now);
        Some(Ok::<_, Infallible>(event))
    });
    Sse::new(changes).keep_alive(KeepAlive::default()).into_response()
}

/// The same for everybody who asks within a moment.
async fn pulse(console: &Arc<Console>) -> String {
    let mut latest = console.pulse.lock().await;
    if let Some((at, known)) = latest.as_ref()
        && at.elapsed() < LIVE_TIME / 2
    {
        return known.clone();
    }
    let now = state(console).await;
    *latest = Some((Instant::now(), now.clone()));
    now
}

/// What changes whenever a page may look different: how detection goes in steps of a second, who is found, what was decided, and how far hunts are.
async fn state(console: &Arc<Console>) -> String {
    let revision = console.admin.registry.revision().await;
    let view = console.ledger.clone();
    // It is a file, and a moment behind what is changed.
    let entries = tokio::task::spawn_blocking(move || view?.checkpoint().ok().map(|(_, known)| known.tree().size));
    let entries = entries.await.ok().flatten().unwrap_or_default();
    // That they cannot be read is for the page of hunts to tell.
    let hunts = hunts::known(console).await.unwrap_or_default();
    let latest = hunts.first().map(|hunt| hunt.id.as_str()).unwrap_or_default();
    let of = |state: &HuntState| hunts.iter().filter(|hunt| hunt.state == *state).count();
    let hunts = format!("{latest} {} {}", of(&HuntState::Waiting), of(&HuntState::Running));
    match &console.admin.detection {
        None => format!("{revision} {entries} {hunts}"),
        Some(watched) => {
            let (board, status) = (watched.board(), watched.status());
            format!("{revision} {entries} {hunts} {} {} {}", board.generation, board.sequence, status.has_caught_up)
        }
    }
}
