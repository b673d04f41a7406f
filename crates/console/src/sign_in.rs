//! Signing in and out, by a password or at an identity provider, and changing one's password.
//!
//! Promises that a wrong name and a wrong password are told alike and take alike, and that whoever guesses waits ever longer.

use std::sync::Arc;
use std::time::Duration;

use admin::limits::PASSWORD_CHARS_MIN;
use askama::Template;
use axum::Extension;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Query, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{AppendHeaders, Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use exchange::Time;
use report::words::printable;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::context::Console;
use crate::fault::{Fault, Page};
use crate::frame::{Frame, drawn};
use crate::guard::{self, token};
use crate::limits::{NEXT_BYTES_MAX, SESSION_AGE_MAX, SIGN_IN_TIME_MAX};
use crate::provider::{Back, Led, Named};
use crate::route::{Needs, Route};
use crate::secret::secret;
use crate::session::{By, COOKIE, Visit};

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/sign-in", Needs::Nothing, get(page)),
        Route::post("/sign-in", Needs::Nothing, post(sign_in)),
        Route::get("/sign-in/provider", Needs::Nothing, get(to_provider)),
        Route::get("/sign-in/provider/done", Needs::Nothing, get(from_provider)),
        Route::post("/sign-out", Needs::SignedIn, post(sign_out)),
        Route::get("/password", Needs::SignedIn, get(password)),
        Route::post("/password", Needs::SignedIn, post(change_password)),
    ]
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn {
    is_nobody: bool,
    problem: String,
    name: String,
    next: String,
    passwords: bool,
    /// What the provider is known by.
    provider: Option<String>,
    /// What a passkey is asked with, and by what it is bound to this site.
    passkey: Option<(String, String)>,
}

impl SignIn {
    fn new(console: &Console, next: &str) -> SignIn {
        let provider = console.door.provider.as_ref().map(|provider| provider.name().to_owned());
        let (passwords, next) = (console.door.passwords, here(next).to_owned());
        let passkey = console.door.passkeys.as_ref().and_then(|desk| {
            let challenge = desk.ask(None, console.admin.clock.now()).ok()?;
            Some((challenge, desk.host().to_owned()))
        });
        SignIn { is_nobody: false, problem: String::new(), name: String::new(), next, passwords, provider, passkey }
    }

    /// The page once more, with why nobody is signed in.
    fn refused(self, status: StatusCode, problem: String) -> Page {
        let page = SignIn { problem, ..self };
        Ok((status, Html(page.render()?)).into_response())
    }
}

#[derive(Debug, Deserialize)]
struct Next {
    #[serde(default)]
    next: String,
}

/// A place to go on to: a path of this site, and nothing else.
pub(crate) fn here(next: &str) -> &str {
    let is_path = next.starts_with('/') && !next.starts_with("//") && next.len() <= NEXT_BYTES_MAX;
    let is_path = is_path && !next.chars().any(|c| c == '\\' || c.is_control() || c.is_whitespace());
    if is_path { next } else { "/" }
}

async fn page(State(console): State<Arc<Console>>, query: Result<Query<Next>, QueryRejection>) -> Page {
    let Query(Next { next }) = query?;
    let is_nobody = console.admin.registry.people().await.is_empty();
    let page = SignIn::new(&console, &next);
    // A provider that gives roles lets in whom nobody added.
    let is_nobody = is_nobody && page.provider.is_none();
    drawn(&SignIn { is_nobody, ..page })
}

#[derive(Deserialize)]
struct Shown {
    name: String,
    #[serde(deserialize_with = "secret")]
    password: Zeroizing<String>,
    #[serde(default)]
    next: String,
}

async fn sign_in(
    State(console): State<Arc<Console>>,
    headers: HeaderMap,
    form: Result<Form<Shown>, FormRejection>,
) -> Page {
    let Form(Shown { name, password, next }) = form?;
    let refused = |status: StatusCode, problem: String| -> Page {
        let page = SignIn { name: printable(&name, 100), ..SignIn::new(&console, &next) };
        page.refused(status, problem)
    };
    if !console.door.passwords {
        return refused(StatusCode::FORBIDDEN, "Passwords do not hold here; sign in at the provider.".to_owned());
    }
    let wait = console.attempts.wait(&name);
    if !wait.is_zero() {
        let seconds = wait.as_secs() + 1;
        let problem = format!("There were too many failures by this name. Try again in {seconds} s.");
        return refused(StatusCode::TOO_MANY_REQUESTS, problem);
    }
    // Before it is known, so that many at once are no more than one after the other.
    console.attempts.failed(&name);
    let person = console.admin.registry.person(&name).await.ok().filter(|person| person.ended.is_none());
    let Ok(is_right) = console.checks.is_right(person.clone(), password).await else {
        let problem = "Too many people sign in at once. Try again in a moment.".to_owned();
        return refused(StatusCode::SERVICE_UNAVAILABLE, problem);
    };
    match person.filter(|_| is_right) {
        None => refused(StatusCode::UNAUTHORIZED, "This name and this password do not belong together.".to_owned()),
        Some(person) => {
            console.attempts.succeeded(&name);
            end_earlier(&console, &headers);
            let to = if person.must_change { "/password" } else { here(&next) };
            let before = console.admin.registry.last_visit(&name).await;
            go_on_signed_in(&console, &name, before, By::Password, to)
        }
    }
}

/// The page on which people sign in, with why nobody is.
pub(crate) fn refused(console: &Console, next: &str, problem: String) -> Page {
    SignIn::new(console, next).refused(StatusCode::UNAUTHORIZED, problem)
}

/// Whoever signs in again goes on in the new session only.
pub(crate) fn end_earlier(console: &Console, headers: &HeaderMap) {
    token(headers).into_iter().for_each(|token| console.sessions.end(token));
}

/// Begins a session of somebody who was last here `before`, and goes on.
pub(crate) fn go_on_signed_in(console: &Console, name: &str, before: Option<Time>, by: By, to: &str) -> Page {
    let cookie = begun(console, name, before, by)?;
    Ok(([(SET_COOKIE, cookie)], Redirect::to(to)).into_response())
}

/// Begins a session of somebody who was last here `before`; the cookie that shows it.
fn begun(console: &Console, name: &str, before: Option<Time>, by: By) -> Result<String, Fault> {
    let no_random = |_| Fault::new(StatusCode::SERVICE_UNAVAILABLE, "no random bytes can be had");
    let token = console.sessions.begin(name, console.admin.clock.now(), before, by).map_err(no_random)?;
    Ok(cookie(console, COOKIE, &token, "Path=/; SameSite=Strict", SESSION_AGE_MAX))
}

/// A cookie that scripts do not see.
fn cookie(console: &Console, name: &str, value: &str, scope: &str, age: Duration) -> String {
    let secure = if console.door.is_secure { "; Secure" } else { "" };
    format!("{name}={value}; {scope}; HttpOnly; Max-Age={}{secure}", age.as_secs())
}

/// What a browser keeps while somebody is at the provider. It comes back by a link of the provider's, with which no stricter cookie is sent.
const UNDERWAY: &str = "stillwatch_sign_in";
const UNDERWAY_SCOPE: &str = "Path=/sign-in/provider; SameSite=Lax";

async fn to_provider(State(console): State<Arc<Console>>, query: Result<Query<Next>, QueryRejection>) -> Page {
    let Query(Next { next }) = query?;
    let desk = console.door.provider.as_ref().ok_or_else(no_provider)?;
    match desk.lead(here(&next), console.admin.clock.now()).await {
        Ok(Led { to, kept }) => {
            let cookie = cookie(&console, UNDERWAY, &kept, UNDERWAY_SCOPE, SIGN_IN_TIME_MAX);
            Ok(([(SET_COOKIE, cookie)], Redirect::to(&to)).into_response())
        }
        Err(why) => SignIn::new(&console, &next).refused(StatusCode::BAD_GATEWAY, why.to_string()),
    }
}

fn no_provider() -> Fault {
    Fault::missing("no identity provider is configured; see `[sign_in.provider]` of the configuration")
}

/// A page of this site that leads on: the session's cookie is not sent where another site led.
#[derive(Template)]
#[template(path = "signed_in.html")]
struct SignedIn {
    name: String,
    next: String,
}

async fn from_provider(
    State(console): State<Arc<Console>>,
    headers: HeaderMap,
    query: Result<Query<Back>, QueryRejection>,
) -> Page {
    let Query(back) = query?;
    let desk = console.door.provider.as_ref().ok_or_else(no_provider)?;
    let now = console.admin.clock.now();
    let refused = |problem: String| refused(&console, "", problem);
    let Named { name, role, next } = match desk.take_back(guard::cookie(&headers, UNDERWAY), &back, now).await {
        Ok(named) => named,
        Err(why) => return refused(why.to_string()),
    };
    let registry = &console.admin.registry;
    let person = match role {
        Some(role) => Some(registry.by(desk.name()).person_by_provider(&name, role, now).await?),
        None => registry.person(&name).await.ok(),
    };
    let shown = printable(&name, 100);
    match person {
        None => {
            return refused(format!(
                "Nobody is called {shown} here. An admin lets people in, under the name that the provider gives."
            ));
        }
        Some(person) if person.ended.is_some() => return refused(format!("{shown} is shut out here.")),
        Some(_) => {}
    }
    end_earlier(&console, &headers);
    let before = registry.last_visit(&name).await;
    let session = begun(&console, &name, before, By::Provider)?;
    let done = cookie(&console, UNDERWAY, "", UNDERWAY_SCOPE, Duration::ZERO);
    let page = Html(SignedIn { name: shown, next: here(&next).to_owned() }.render()?);
    Ok((AppendHeaders([(SET_COOKIE, session), (SET_COOKIE, done)]), page).into_response())
}

async fn sign_out(State(console): State<Arc<Console>>, headers: HeaderMap) -> Response {
    token(&headers).into_iter().for_each(|token| console.sessions.end(token));
    let cookie = cookie(&console, COOKIE, "", "Path=/; SameSite=Strict", Duration::ZERO);
    ([(SET_COOKIE, cookie)], Redirect::to("/sign-in")).into_response()
}

#[derive(Template)]
#[template(path = "password.html")]
struct Password {
    frame: Frame,
    must_change: bool,
    problem: String,
    least: usize,
}

impl Password {
    fn new(console: &Console, visit: &Visit, problem: &str) -> Password {
        let frame = Frame::new(console, visit, "Change your password", "");
        let must_change = visit.must_change();
        Password { frame, must_change, problem: problem.to_owned(), least: PASSWORD_CHARS_MIN }
    }
}

async fn password(State(console): State<Arc<Console>>, Extension(visit): Extension<Visit>) -> Page {
    drawn(&Password::new(&console, &visit, ""))
}

/// Whether whoever is here knows their password; why not, in a sentence.
pub(crate) async fn password_again(
    console: &Console,
    visit: &Visit,
    password: Zeroizing<String>,
) -> Result<(), String> {
    // Apart from signing in, so that nobody is kept from it by others who guess.
    let name = visit.name();
    let wait = console.attempts_again.wait(name);
    if !wait.is_zero() {
        return Err(format!("There were too many failures. Try again in {} s.", wait.as_secs() + 1));
    }
    // Before it is known, so that many at once are no more than one after the other.
    console.attempts_again.failed(name);
    match console.checks.is_right(Some(visit.person().clone()), password).await {
        Err(_) => Err("Too many passwords are checked at once. Try again in a moment.".to_owned()),
        Ok(false) => Err("The present password is another.".to_owned()),
        Ok(true) => {
            console.attempts_again.succeeded(name);
            Ok(())
        }
    }
}

#[derive(Deserialize)]
struct NewPassword {
    #[serde(deserialize_with = "secret")]
    old: Zeroizing<String>,
    #[serde(deserialize_with = "secret")]
    new: Zeroizing<String>,
    #[serde(deserialize_with = "secret")]
    again: Zeroizing<String>,
}

async fn change_password(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    form: Result<Form<NewPassword>, FormRejection>,
) -> Page {
    let Form(NewPassword { old, new, again }) = form?;
    let refused = |problem: &str| -> Page {
        let page = Password::new(&console, &visit, problem);
        Ok((StatusCode::BAD_REQUEST, Html(page.render()?)).into_response())
    };
    if *new != *again {
        return refused("The new password is not the same twice.");
    }
    if *new == *old {
        return refused("The new password is the present one.");
    }
    if let Err(problem) = password_again(&console, &visit, old).await {
        return refused(&problem);
    }
    // Checking a password takes a while.
    guard::still(&console, &visit).await?;
    let name = visit.name();
    match console.registry(&visit).set_password(name, &new, console.admin.clock.now()).await {
        Err(admin::registry::RegistryError::BadPassword) => {
            refused(&admin::registry::RegistryError::BadPassword.to_string())
        }
        Err(error) => Err(error.into()),
        Ok(_) => {
            console.sessions.end_all(name);
            go_on_signed_in(&console, name, visit.before(), visit.by(), "/")
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use tower::ServiceExt as _;

    use super::*;
    use crate::context;
    use crate::rig::Rig;

    #[test]
    fn nobody_is_led_to_another_site() {
        let long = format!("/{}", "x".repeat(NEXT_BYTES_MAX));
        for (next, to) in [
            ("/campaigns/cmp_1?x=y", "/campaigns/cmp_1?x=y"),
            ("", "/"),
            ("//evil.example", "/"),
            ("/\\evil.example", "/"),
            ("https://evil.example", "/"),
            ("/\r\nset-cookie: x", "/"),
            ("/\0", "/"),
            ("/\u{7f}", "/"),
            (&long[..NEXT_BYTES_MAX], &long[..NEXT_BYTES_MAX]),
            (&long, "/"),
        ] {
            assert_eq!(here(next), to);
        }
    }

    #[tokio::test]
    async fn passwords_hold_where_they_are_to_and_cookies_go_by_tls_alone_where_there_is_tls() {
        for (url, passwords, status, is_secure) in [
            (None, true, StatusCode::SEE_OTHER, false),
            (Some("https://c.example"), true, StatusCode::SEE_OTHER, true),
            (Some("https://c.example"), false, StatusCode::FORBIDDEN, false),
        ] {
            let rig =
                Rig::with(context::SignIn { url: url.map(str::to_owned), passwords, passkeys: false, provider: None })
                    .await;
            rig.everybody().await;
            let request = Request::builder().method("POST").uri("/sign-in").header("sec-fetch-site", "same-origin");
            let request = request.header("content-type", "application/x-www-form-urlencoded");
            let request = request.body(Body::from("name=viewer&password=long+enough+password")).unwrap();
            let answered = rig.router.clone().oneshot(request).await.unwrap();
            assert_eq!(answered.status(), status);
            let cookie = answered.headers().get(SET_COOKIE).map(|cookie| cookie.to_str().unwrap()).unwrap_or_default();
            assert_eq!(cookie.contains("; Secure"), is_secure, "{cookie}");
            let page = Request::builder().uri("/sign-in/provider").body(Body::empty()).unwrap();
            assert_eq!(rig.router.clone().oneshot(page).await.unwrap().status(), StatusCode::NOT_FOUND);
        }
    }
}
