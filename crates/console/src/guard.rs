//! What every request goes through: who is here, whether they may, whether a form is ours, and what browsers are told about the page.
//!
//! Promises that a handler runs only for whoever may use its path, and one that changes something only for a form of this console that was shown in the same session.

use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE as COOKIES, HOST, ORIGIN, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::context::Console;
use crate::fault::Fault;
use crate::frame;
use crate::limits::{FORM_BYTES_MAX, FORM_TIME_MAX};
use crate::route::Needs;
use crate::secret::same;
use crate::session::{COOKIE, Visit};
use crate::upload::Upload;

/// What a page says that asks for itself anew.
const RENEWAL: &str = "x-renew";

/// What guards a path.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    pub(crate) console: Arc<Console>,
    pub(crate) needs: Needs,
    pub(crate) takes_files: bool,
}

/// Nothing but what comes from here: no script, style or picture of anybody else, and nothing that stands within the page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

pub(crate) async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let mut visit = None;
    let answered = admit(&guard, request, &mut visit).await;
    let response = match answered {
        Ok(request) => next.run(request).await,
        Err(response) => response,
    };
    let mut response = frame::explained(&guard.console, visit.as_ref(), response).await;
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| headers.insert(name, HeaderValue::from_static(value));
    set(CONTENT_SECURITY_POLICY, POLICY);
    set(X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(REFERRER_POLICY, "same-origin");
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// The request as its handler gets it, or the answer that it gets instead.
async fn admit(guard: &Guard, mut request: Request, seen: &mut Option<Visit>) -> Result<Request, Response> {
    *seen = visit(&guard.console, request.headers()).await;
    match (guard.needs, seen.as_ref()) {
        (Needs::Nothing, _) => {}
        (_, None) => return Err(led_on(&request, sign_in_first)),
        (Needs::SignedIn, Some(_)) => {}
        (Needs::Role(role), Some(visit)) => {
            if visit.must_change() {
                return Err(led_on(&request, |_| Redirect::to("/password").into_response()));
            }
            if !visit.may(role) {
                let message = format!("this is for {} and above; you are {}", role.name(), visit.role().name());
                return Err(Fault::new(StatusCode::FORBIDDEN, message).into_response());
            }
        }
    }
    let visit = seen.clone();
    if request.method() == Method::POST {
        if !is_of_this_site(request.headers()) {
            let message = "this form was sent by another site, and nothing was done";
            return Err(Fault::new(StatusCode::FORBIDDEN, message).into_response());
        }
        // Whoever signs in needs no session, and so no token of one.
        let of_session = visit.as_ref().filter(|_| guard.needs != Needs::Nothing);
        let checked = timeout(FORM_TIME_MAX, async {
            match of_session.filter(|_| guard.takes_files) {
                Some(visit) => with_files(request, visit).await,
                None => checked(request, of_session).await,
            }
        });
        let seconds = FORM_TIME_MAX.as_secs();
        let too_slow = |_| Fault::new(StatusCode::REQUEST_TIMEOUT, format!("expected the form within {seconds} s"));
        request = checked.await.map_err(too_slow).flatten().map_err(IntoResponse::into_response)?;
        // While the form came, somebody may have been shut out, or have got another role or password.
        if let Some(visit) = of_session {
            still(&guard.console, visit).await.map_err(IntoResponse::into_response)?;
        }
    }
    if let Some(visit) = visit {
        request.extensions_mut().insert(visit);
    }
    Ok(request)
}

/// The token that the cookie shows.
pub(crate) fn token(headers: &HeaderMap) -> Option<&str> {
    cookie(headers, COOKIE)
}

/// A cookie by its name.
pub(crate) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let cookies = headers.get_all(COOKIES).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    Some(pairs.find(|(known, _)| *known == name)?.1)
}

/// Whoever's session the cookie shows, as they are now.
async fn visit(console: &Console, headers: &HeaderMap) -> Option<Visit> {
    let token = token(headers)?;
    let (name, since) = console.sessions.whose(token)?;
    let person = console.admin.registry.person(&name).await.ok()?;
    let holds = person.ended.is_none() && person.changed <= since;
    if !holds {
        console.sessions.end(token);
    }
    let visit = console.sessions.visit(token, person).filter(|_| holds)?;
    let visit = visit.renewing(headers.contains_key(RENEWAL));
    // A page that is left open is no use of a session.
    if !visit.is_renewal() {
        console.sessions.used(&visit);
        // That it is not known later is no reason to keep anybody out.
        let _ = console.admin.registry.visited(visit.name(), console.admin.clock.now()).await;
    }
    Some(visit)
}

/// Leads to another page, which a stream of events cannot follow: with 204 a browser stops asking for it, and the page that asked says that it
/// is not live.
fn led_on(request: &Request, to: impl FnOnce(&Request) -> Response) -> Response {
    let mut kinds = request.headers().get_all(ACCEPT).iter().filter_map(|kinds| kinds.to_str().ok());
    if kinds.any(|kinds| kinds.contains("text/event-stream")) {
        return StatusCode::NO_CONTENT.into_response();
    }
    to(request)
}

/// Refuses what somebody asks for who is not the same any more as when they began to: signed out, shut out, or with another role or password.
pub(crate) async fn still(console: &Console, visit: &Visit) -> Result<(), Fault> {
    if is_still(console, visit).await {
        return Ok(());
    }
    let message =
        "you are not signed in any more as you were, and nothing was done; sign in, go back, and send it again";
    Err(Fault::new(StatusCode::UNAUTHORIZED, message))
}

/// Whether somebody is signed in as they were when a request of theirs began.
pub(crate) async fn is_still(console: &Console, visit: &Visit) -> bool {
    console.sessions.holds(visit)
        && console.admin.registry.person(visit.name()).await.is_ok_and(|person| person == *visit.person())
}

/// A page is shown after signing in; what was to be done is not.
fn sign_in_first(request: &Request) -> Response {
    if request.method() == Method::GET {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let next = serde_urlencoded::to_string([("next", path)]).unwrap_or_default();
        return Redirect::to(&format!("/sign-in?{next}")).into_response();
    }
    let message = "you are not signed in any more, and nothing was done; sign in, go back, and send it again";
    Fault::new(StatusCode::UNAUTHORIZED, message).into_response()
}

/// Whether a browser says that a form is of this site. One that says nothing at all is no browser that people use, and is refused.
fn is_of_this_site(headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    match text(HeaderName::from_static("sec-fetch-site")) {
        Some(site) => site == "same-origin",
        None => {
            let origin = text(ORIGIN).and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
            origin.is_some() && origin == text(HOST)
        }
    }
}

/// A form with the token of the session that it was shown in.
async fn checked(request: Request, visit: Option<&Visit>) -> Result<Request, Fault> {
    let (parts, body) = request.into_parts();
    let too_long =
        |_| Fault::new(StatusCode::PAYLOAD_TOO_LARGE, format!("expected a form of at most {FORM_BYTES_MAX} bytes"));
    let body: Bytes = to_bytes(body, FORM_BYTES_MAX).await.map_err(too_long)?;
    let is_form = parts
        .headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    if !is_form && !body.is_empty() {
        return Err(Fault::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "expected a form"));
    }
    if let Some(visit) = visit {
        let fields: Vec<(String, Zeroizing<String>)> = serde_urlencoded::from_bytes::<Vec<(String, String)>>(&body)
            .map_err(|error| Fault::new(StatusCode::BAD_REQUEST, format!("this is no form: {error}")))?
            .into_iter()
            .map(|(name, value)| (name, Zeroizing::new(value)))
            .collect();
        let shown = fields.iter().find(|(name, _)| name == "csrf");
        ours(shown.map(|(_, token)| token.as_str()), visit)?;
    }
    Ok(Request::from_parts(parts, Body::from(body)))
}

/// A form with files, of which the first field is the token of the session that it was shown in. The rest is not read yet.
async fn with_files(request: Request, visit: &Visit) -> Result<Request, Fault> {
    let (upload, token) = Upload::begun(request).await?;
    ours(token.as_ref().map(|token| token.as_str()), visit)?;
    let mut request = Request::new(Body::empty());
    request.extensions_mut().insert(upload);
    Ok(request)
}

/// Refuses a form that was not shown in this session.
fn ours(token: Option<&str>, visit: &Visit) -> Result<(), Fault> {
    if token.is_some_and(|token| same(token, visit.csrf())) {
        return Ok(());
    }
    let message = "this form is of an earlier session, and nothing was done; load the page again and send it again";
    Err(Fault::new(StatusCode::FORBIDDEN, message))
}
