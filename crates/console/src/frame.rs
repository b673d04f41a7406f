//! What stands around every page: where one is, where one can go, who one is; and what is said where something cannot be done.

use askama::Template;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{Html, IntoResponse, Response};
use std::sync::Arc;

use admin::person::Role;
use report::words::printable;

use crate::context::Console;
use crate::fault::{Fault, Page};
use crate::session::Visit;

/// What stands around a page.
pub(crate) struct Frame {
    pub(crate) title: String,
    pub(crate) name: String,
    pub(crate) role: &'static str,
    pub(crate) csrf: String,
    pub(crate) notice: Option<String>,
    pub(crate) links: Vec<Link>,
    /// Whether somebody may have passkeys.
    pub(crate) passkeys: bool,
    pub(crate) version: &'static str,
}

/// A page that can be gone to.
pub(crate) struct Link {
    pub(crate) to: &'static str,
    pub(crate) label: &'static str,
    pub(crate) is_here: bool,
}

/// The pages that the frame names, each with the role that it needs.
const PAGES: [(&str, &str, Role); 14] = [
    ("/", "Overview", Role::Viewer),
    ("/campaigns", "Campaigns", Role::Viewer),
    ("/cases", "Cases", Role::Viewer),
    ("/clusters", "Clusters", Role::Viewer),
    ("/exchanges", "Exchanges", Role::Viewer),
    ("/hunts", "Hunts", Role::Viewer),
    ("/accounts", "Accounts", Role::Viewer),
    ("/keys", "Keys", Role::Viewer),
    ("/quotas", "Quotas", Role::Viewer),
    ("/responses", "Responses", Role::Viewer),
    ("/policies", "Policies", Role::Viewer),
    ("/audit", "Audit", Role::Viewer),
    ("/people", "People", Role::Admin),
    ("/settings", "Settings", Role::Admin),
];

impl Frame {
    /// Around a page of this title, which belongs to the one at `here`.
    pub(crate) fn new(console: &Console, visit: &Visit, title: impl Into<String>, here: &str) -> Frame {
        let links = PAGES.into_iter().filter(|(_, _, role)| visit.may(*role));
        Frame {
            title: title.into(),
            name: visit.name().to_owned(),
            role: visit.role().name(),
            csrf: visit.csrf().to_owned(),
            notice: if visit.is_renewal() { None } else { console.sessions.take(visit) },
            links: links.map(|(to, label, _)| Link { to, label, is_here: to == here }).collect(),
            passkeys: console.door.passkeys.is_some(),
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// A drawn page.
pub(crate) fn drawn(page: &impl Template) -> Page {
    Ok(Html(page.render()?).into_response())
}

/// The answer where there is no page.
pub(crate) async fn missing(State(_): State<Arc<Console>>, request: Request) -> Fault {
    Fault::missing(format!("there is no page `{}`", printable(request.uri().path(), 200)))
}

#[derive(Template)]
#[template(path = "fault.html")]
struct FaultPage {
    frame: Frame,
    status: u16,
    message: String,
}

#[derive(Template)]
#[template(path = "outside.html")]
struct FaultOutside {
    status: u16,
    message: String,
}

/// Whether an answer says that something is wrong, and is no page.
fn is_bare(response: &Response) -> bool {
    let is_page = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    !is_page && (response.status().is_client_error() || response.status().is_server_error())
}

/// What is said where nothing more is known.
fn in_words(status: StatusCode) -> &'static str {
    match status {
        StatusCode::METHOD_NOT_ALLOWED => "this address is for a form, and cannot be opened",
        StatusCode::BAD_REQUEST => "this address is none that can be read",
        _ => "this request cannot be read",
    }
}

/// Draws a fault as a page, for whoever is here.
pub(crate) async fn explained(console: &Console, visit: Option<&Visit>, mut response: Response) -> Response {
    let fault = match response.extensions_mut().remove::<Fault>() {
        Some(fault) => fault,
        None if is_bare(&response) => {
            // Of what reads requests before a handler does.
            Fault::new(response.status(), in_words(response.status()))
        }
        None => return response,
    };
    let (status, message) = (fault.status(), printable(fault.message(), 2_000));
    let status_code = status.as_u16();
    let page = match visit {
        Some(visit) => {
            let frame = Frame::new(console, visit, "That did not work", "");
            FaultPage { frame, status: status_code, message }.render()
        }
        None => FaultOutside { status: status_code, message }.render(),
    };
    match page {
        Ok(page) => (status, Html(page)).into_response(),
        Err(_) => response,
    }
}
