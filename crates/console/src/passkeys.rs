//! Somebody's own passkeys: added and removed; and signing in by one.

use std::sync::Arc;

use admin::person::{Passkey, Role};
use askama::Template;
use axum::Extension;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Redirect};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use report::words::{minute, printable};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::context::Console;
use crate::fault::{Fault, Page};
use crate::form;
use crate::frame::{Frame, drawn};
use crate::guard;
use crate::limits::PASSKEY_NAME_CHARS_MAX;
use crate::passkey::{self, ALGORITHMS, Shown};
use crate::route::{Needs, Route};
use crate::secret::secret;
use crate::session::{By, Visit};
use crate::sign_in;

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/passkeys", Needs::Role(Role::Viewer), get(passkeys)),
        Route::post("/passkeys", Needs::Role(Role::Viewer), post(add)),
        Route::post("/passkeys/{id}/remove", Needs::Role(Role::Viewer), post(remove)),
        Route::post("/sign-in/passkey", Needs::Nothing, post(sign_in)),
    ]
}

#[derive(Template)]
#[template(path = "passkeys.html")]
struct Passkeys {
    frame: Frame,
    problem: String,
    own: Vec<Own>,
    /// What the browser is asked with.
    ask: Ask,
    asks_password: bool,
}

struct Own {
    id: String,
    name: String,
    since: String,
}

/// What the browser needs to make a passkey.
struct Ask {
    challenge: String,
    host: String,
    /// What tells the person from others at this site, and says nothing of them.
    handle: String,
    algorithms: String,
    /// Those that there are already.
    known: String,
}

fn desk(console: &Console) -> Result<&passkey::Desk, Fault> {
    let none = || Fault::missing("passkeys are not configured; see `passkeys` under `[sign_in]` of the configuration");
    console.door.passkeys.as_ref().ok_or_else(none)
}

/// Whether the password is asked for: whoever finds a session open is not to stay.
fn asks_password(visit: &Visit) -> bool {
    visit.by() == By::Password
}

async fn page(console: &Console, visit: &Visit, problem: &str) -> Result<Passkeys, Fault> {
    let desk = desk(console)?;
    let person = console.admin.registry.person(visit.name()).await?;
    let challenge = desk.ask(Some(visit.name()), console.admin.clock.now());
    let no_random = |_| Fault::new(StatusCode::SERVICE_UNAVAILABLE, "no random bytes can be had");
    let handle = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, visit.name().as_bytes());
    let own = |passkey: &Passkey| Own {
        id: passkey.id.clone(),
        name: printable(&passkey.name, PASSKEY_NAME_CHARS_MAX),
        since: minute(passkey.since),
    };
    Ok(Passkeys {
        frame: Frame::new(console, visit, "Passkeys", ""),
        problem: problem.to_owned(),
        own: person.passkeys.iter().map(own).collect(),
        ask: Ask {
            challenge: challenge.map_err(no_random)?,
            host: desk.host().to_owned(),
            handle: URL_SAFE_NO_PAD.encode(handle),
            algorithms: ALGORITHMS.map(|algorithm| algorithm.to_string()).join(" "),
            known: person.passkeys.iter().map(|passkey| passkey.id.as_str()).collect::<Vec<_>>().join(" "),
        },
        asks_password: asks_password(visit),
    })
}

async fn passkeys(State(console): State<Arc<Console>>, Extension(visit): Extension<Visit>) -> Page {
    drawn(&page(&console, &visit, "").await?)
}

#[derive(Deserialize)]
struct New {
    name: String,
    #[serde(default, deserialize_with = "secret")]
    password: Zeroizing<String>,
    #[serde(flatten)]
    shown: Shown,
}

async fn add(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    form: Result<Form<New>, FormRejection>,
) -> Page {
    let Form(New { name, password, shown }) = form?;
    let desk = desk(&console)?;
    // At a provider it is the provider that says for how long somebody may come in; a passkey would outlive its word.
    if visit.by() == By::Provider {
        let message =
            "whoever signs in at the provider adds no passkey here; how one signs in there is for the provider";
        return Err(Fault::new(StatusCode::FORBIDDEN, message));
    }
    let name = form::line("name", &name, 1..=PASSKEY_NAME_CHARS_MAX)?;
    if asks_password(&visit)
        && let Err(problem) = sign_in::password_again(&console, &visit, password).await
    {
        let page = page(&console, &visit, &problem).await?;
        return Ok((StatusCode::BAD_REQUEST, drawn(&page)?).into_response());
    }
    // Checking a password takes a while.
    guard::still(&console, &visit).await?;
    let refused = |why: passkey::Refused| Fault::bad(format!("the passkey was not added: {why}"));
    let passkey = desk.made(&shown, visit.name(), name, console.admin.clock.now()).map_err(refused)?;
    console.registry(&visit).add_passkey(visit.name(), passkey).await?;
    let told = format!("{} is added. Sign in by it the next time.", printable(name, PASSKEY_NAME_CHARS_MAX));
    console.sessions.leave(&visit, told);
    Ok(Redirect::to("/passkeys").into_response())
}

async fn remove(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    Path(id): Path<String>,
) -> Page {
    console.registry(&visit).remove_passkey(visit.name(), &id, console.admin.clock.now()).await?;
    console.sessions.end_all(visit.name());
    sign_in::go_on_signed_in(&console, visit.name(), visit.before(), visit.by(), "/passkeys")
}

#[derive(Deserialize)]
struct SigningIn {
    #[serde(default)]
    next: String,
    #[serde(flatten)]
    shown: Shown,
}

async fn sign_in(
    State(console): State<Arc<Console>>,
    headers: HeaderMap,
    form: Result<Form<SigningIn>, FormRejection>,
) -> Page {
    let Form(SigningIn { next, shown }) = form?;
    let desk = desk(&console)?;
    let held = console.admin.registry.holder(&shown.id).await.filter(|(person, _)| person.ended.is_none());
    let Some((person, passkey)) = held else {
        return sign_in::refused(&console, &next, "This passkey is nobody's here.".to_owned());
    };
    if let Err(why) = desk.holds(&passkey, &shown, console.admin.clock.now()) {
        return sign_in::refused(&console, &next, format!("The passkey does not hold: {why}."));
    }
    sign_in::end_earlier(&console, &headers);
    let before = console.admin.registry.last_visit(&person.name).await;
    sign_in::go_on_signed_in(&console, &person.name, before, By::Passkey, sign_in::here(&next))
}
