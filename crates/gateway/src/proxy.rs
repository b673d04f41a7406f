//! One request, from its head to the beginning of its reply.
//!
//! Read top-down it is the order in which a request is looked at: path, who asks, body, what is asked, what is
//! allowed, and only then a server. Every step that fails refuses.

use bytes::Bytes;
use http_body_util::{BodyExt, Collected, LengthLimitError, Limited as LimitedBody};
use hyper::body::{Body, Incoming};
use hyper::header::{CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use policy::Actions;
use tokio::time::timeout;

use crate::admission::{self, Asking, Telling};
use crate::ask::Ask;
use crate::encoding::{Decoder, Encoding};
use crate::flight::Flight;
use crate::gate::{Head, exchange_id};
use crate::headers::{passed_on, tidy};
use crate::limits::{
    BODY_BYTES_MAX, BODY_TIME_MAX, COPIED_BYTES_MAX, FILTERED_BYTES_MAX, QUERY_BYTES_MAX, UNREAD_BYTES_MAX,
    UNREAD_TIME_MAX,
};
use crate::refuse::Refusal;
use crate::relay::{Outward, Relay};
use crate::route::{Call, Dialect, Route, dialect, route};
use crate::shield::{self, Filter, Hold};
use crate::stats::{End, Stats};
use crate::stored::{self, Asked};
use crate::trust::Peer;
use crate::upstream::{Outgoing, Reply, To};
use crate::worker::Worker;

/// Answers a request.
pub async fn serve(worker: &Worker, peer: &Peer, request: Request<Incoming>) -> Response<Outward> {
    Stats::add(&worker.shared.stats.requests);
    let (head, mut body) = request.into_parts();
    let dialect = dialect(head.uri.path(), head.headers.contains_key("anthropic-version"));
    match answer(worker, peer, &head, &mut body, dialect).await {
        Ok(response) => response,
        Err(refusal) => {
            // One that waits to be asked for its body does not send it.
            if !body.is_end_stream()
                && !head.headers.contains_key(EXPECT)
                && body.size_hint().lower() <= UNREAD_BYTES_MAX as u64
            {
                tokio::task::spawn_local(let_come(body));
            }
            if matches!(refusal, Refusal::Unavailable | Refusal::Timeout | Refusal::Failed) {
                Stats::add(&worker.shared.stats.unanswered);
            } else {
                Stats::add(&worker.shared.stats.refused);
            }
            refused(&refusal, dialect)
        }
    }
}

/// Lets the rest of a body come, and forgets it: a caller that is still sending when the connection closes loses the reply
/// as well, and does not learn why it was refused.
async fn let_come(body: Incoming) {
    let mut body = LimitedBody::new(body, UNREAD_BYTES_MAX);
    let come = async { while body.frame().await.is_some_and(|frame| frame.is_ok()) {} };
    let _ = timeout(UNREAD_TIME_MAX, come).await;
}

async fn answer(
    worker: &Worker,
    peer: &Peer,
    head: &Parts,
    body: &mut Incoming,
    dialect: Dialect,
) -> Result<Response<Outward>, Refusal> {
    let shared = &worker.shared;
    let settings = shared.settings.load();
    let now = shared.clock.now();
    let path = head.uri.path();
    let route = route(&head.method, path, &settings.listed)?;
    let query = head.uri.query().filter(|query| !query.is_empty());
    if query.is_some_and(|query| query.len() > QUERY_BYTES_MAX) {
        return Err(Refusal::Bad("The query is too long.".to_owned()));
    }
    admission::open(shared, &settings, route.call.is_recorded())?;
    let caller = settings.trust.caller(peer.address, &head.headers);
    let asker = shared.gate.identify(&Head { parts: head, peer, caller: &caller }, now)?;
    let body = whole(head, body).await?;
    if let Call::Stored(kind, operation) = route.call {
        let (settings, upstreams) = (&settings, worker.upstreams(&settings));
        let (who, route) = (&asker, &route);
        let asked = Asked { worker, settings, upstreams, who, caller, head, route, dialect, now, body };
        // Its own piece of memory, since every other request would have to have room for it.
        return Box::pin(stored::serve(asked, kind, operation)).await;
    }
    let ask = ask(&route, &body)?;
    let server = if ask.files.is_empty() {
        None
    } else {
        Box::pin(stored::server_of(shared.owners.as_ref(), &ask.files, asker.account.id.as_str())).await?
    };
    let asking = Asking {
        id: exchange_id()?,
        who: &asker,
        caller: Some(caller),
        headers: &head.headers,
        path: &route.path,
        call: route.call,
        ask: &ask,
        body: &body,
        dialect,
        now,
    };
    let telling = Telling { tap: &worker.tap, stats: &shared.stats };
    let (pass, flight) = admission::admit(asking, shared, &settings, telling)?;
    let thinks = ask.model.as_deref().is_some_and(|model| settings.is_thinking(model));
    let hold = Hold::of(pass.held(), settings.caps, &body, route.call, ask.prompts, thinks);
    let body = if route.call.is_asked() && !pass.held().is_empty() {
        match shield::request(&body, route.call, hold.held, hold.caps) {
            Ok(body) => body,
            Err(_) => {
                flight.abort();
                return Err(bad_body());
            }
        }
    } else {
        body
    };
    let outgoing = Outgoing {
        method: head.method.clone(),
        path: match query {
            Some(query) => format!("{}?{query}", route.path),
            None => route.path.clone(),
        },
        headers: passed_on(&head.headers, &settings.passed, asker.account.id.as_str()),
        body,
        dialect,
        repeatable: head.method != Method::POST || route.call.is_asked(),
    };
    let upstreams = worker.upstreams(&settings);
    // A long reply keeps nobody's settings.
    drop(settings);
    let to = To::of(server.as_deref(), ask.model.as_deref());
    match upstreams.send(pass.permit(), to, &outgoing).await {
        Ok(reply) => respond(worker, reply, flight, route.call, hold).await,
        Err(failure) => {
            flight.abort();
            Err(failure.into())
        }
    }
}

/// The body, as a whole: what it asks for must be known before it goes anywhere.
async fn whole(head: &Parts, body: &mut Incoming) -> Result<Bytes, Refusal> {
    let encoding = Encoding::of(&head.headers).ok_or(Refusal::Encoding)?;
    if body.size_hint().lower() > BODY_BYTES_MAX as u64 {
        return Err(Refusal::TooLarge);
    }
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let body = LimitedBody::new(body, BODY_BYTES_MAX);
    let whole = async {
        if encoding == Encoding::Plain {
            let body = body.collect().await.map(Collected::to_bytes).map_err(|error| broken_off(&*error))?;
            let is_short = body.len() <= COPIED_BYTES_MAX;
            return Ok(if is_short { Bytes::copy_from_slice(&body) } else { body });
        }
        decompressed(encoding, body).await
    };
    timeout(BODY_TIME_MAX, whole).await.unwrap_or(Err(Refusal::TooSlow))
}

/// The body as it was before it was compressed.
async fn decompressed(encoding: Encoding, mut body: LimitedBody<&mut Incoming>) -> Result<Bytes, Refusal> {
    let mut decoder = Decoder::new(encoding).ok_or(Refusal::Failed)?;
    while let Some(frame) = body.frame().await {
        if let Ok(part) = frame.map_err(|error| broken_off(&*error))?.into_data() {
            decoder.take(&part).await?;
        }
    }
    Ok(decoder.finish()?)
}

fn broken_off(error: &(dyn std::error::Error + Send + Sync + 'static)) -> Refusal {
    if error.is::<LengthLimitError>() {
        Refusal::TooLarge
    } else {
        Refusal::Bad("The request body broke off.".to_owned())
    }
}

fn ask(route: &Route, body: &[u8]) -> Result<Ask, Refusal> {
    if route.call.is_asked() {
        return Ask::read(route.call, body).map_err(|bad| Refusal::Bad(bad.to_string()));
    }
    Ok(Ask { wanted: Actions::NONE.with(route.call.action()), ..Ask::default() })
}

fn bad_body() -> Refusal {
    Refusal::Bad("The request body is not a JSON object.".to_owned())
}

/// The reply, as it is passed on.
async fn respond(
    worker: &Worker,
    reply: Reply,
    mut flight: Flight,
    call: Call,
    hold: Hold,
) -> Result<Response<Outward>, Refusal> {
    let Reply { response, mut lease } = reply;
    let (mut head, body) = response.into_parts();
    let kind = head.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let is_stream = kind.starts_with(b"text/event-stream");
    flight.answered(head.status.as_u16(), is_stream);
    let filters = shield::is_of_replies(hold.held, call) && call.is_generated() && head.status.is_success();
    tidy(&mut head.headers);
    if !filters {
        let body = Outward::Relay(Relay::new(body, lease, flight, None));
        return Ok(Response::from_parts(head, body));
    }
    Stats::add(&worker.shared.stats.shielded);
    head.headers.remove(CONTENT_LENGTH);
    if head.headers.contains_key(CONTENT_ENCODING) {
        // What cannot be read cannot be filtered.
        flight.abort();
        return Err(Refusal::Failed);
    }
    if is_stream {
        let body = Outward::Relay(Relay::new(body, lease, flight, Some(Filter::of_events(hold))));
        return Ok(Response::from_parts(head, body));
    }
    let (patience, body) = (lease.pause_time_max(), LimitedBody::new(body, FILTERED_BYTES_MAX));
    let Ok(collected) = timeout(patience, lease.drive(body.collect())).await else {
        flight.land(End::Broken);
        return Err(Refusal::Timeout);
    };
    let Ok(collected) = collected else {
        flight.land(End::Broken);
        return Err(Refusal::Unavailable);
    };
    let whole = collected.to_bytes();
    flight.saw(&whole);
    lease.give_back();
    let filtered = shield::reply(&whole, call, hold);
    flight.land(End::Whole);
    let filtered = filtered.map_err(|_| Refusal::Failed)?;
    Ok(Response::from_parts(head, Outward::Whole(Some(filtered))))
}

fn refused(refusal: &Refusal, dialect: Dialect) -> Response<Outward> {
    let (status, headers, body) = refusal.reply(dialect);
    let mut response = Response::new(Outward::Whole(Some(body)));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    if status == StatusCode::REQUEST_TIMEOUT || status == StatusCode::PAYLOAD_TOO_LARGE {
        // Of such a body there may be more than is waited for.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
