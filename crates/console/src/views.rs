//! Saved views: pages narrowed as somebody likes them, by a name of their own.

use std::sync::Arc;

use admin::person::Role;
use askama::Template;
use axum::Extension;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, State};
use axum::http::HeaderMap;
use axum::http::header::{HOST, REFERER};
use axum::response::{IntoResponse as _, Redirect};
use axum::routing::{get, post};
use report::words::printable;
use serde::Deserialize;

use crate::context::Console;
use crate::fault::{Fault, Page};
use crate::form;
use crate::frame::{Frame, drawn};
use crate::limits::{NEXT_BYTES_MAX, VIEW_NAME_CHARS_MAX};
use crate::route::{Needs, Route};
use crate::session::Visit;

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/views", Needs::Role(Role::Viewer), get(views)),
        Route::post("/views", Needs::Role(Role::Viewer), post(save)),
        Route::post("/views/remove", Needs::Role(Role::Viewer), post(remove)),
    ]
}

#[derive(Template)]
#[template(path = "views.html")]
struct Views {
    frame: Frame,
    views: Vec<(String, String)>,
}

async fn views(State(console): State<Arc<Console>>, Extension(visit): Extension<Visit>) -> Page {
    let views = console.admin.registry.views(visit.name()).await;
    drawn(&Views { frame: Frame::new(&console, &visit, "Saved views", ""), views })
}

#[derive(Debug, Deserialize)]
struct Named {
    name: String,
}

/// Saves the page that the form was on, which the browser names.
async fn save(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    headers: HeaderMap,
    form: Result<Form<Named>, FormRejection>,
) -> Page {
    let Form(Named { name }) = form?;
    let name = form::line("name", &name, 1..=VIEW_NAME_CHARS_MAX)?;
    let text = |value: Option<&axum::http::HeaderValue>| value.and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (page, host) = (text(headers.get(REFERER)), text(headers.get(HOST)));
    let address = page.zip(host).and_then(|(page, host)| here(&page, &host));
    let unnamed =
        || Fault::bad("the browser does not say which page is to be saved; let it send the referrer to this site");
    let address = address.ok_or_else(unnamed)?;
    console.registry(&visit).save_view(visit.name(), name, &address).await?;
    console.sessions.leave(
        &visit,
        format!("Saved as {}; it is under your name, Saved views.", printable(name, VIEW_NAME_CHARS_MAX)),
    );
    Ok(Redirect::to(&address).into_response())
}

/// The path and the query of a page of this site.
fn here(page: &str, host: &str) -> Option<String> {
    let (_, rest) = page.split_once("://")?;
    let address = rest.strip_prefix(host)?;
    let is_here = address.starts_with('/') && !address.starts_with("//") && !address.contains(['\\', '#']);
    (is_here && address.len() <= NEXT_BYTES_MAX).then(|| address.to_owned())
}

async fn remove(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    form: Result<Form<Named>, FormRejection>,
) -> Page {
    let Form(Named { name }) = form?;
    console.registry(&visit).remove_view(visit.name(), &name).await?;
    Ok(Redirect::to("/views").into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_this_site_are_saved() {
        let own = |page: &str| here(page, "127.0.0.1:8081");
        assert_eq!(own("http://127.0.0.1:8081/cases?state=open"), Some("/cases?state=open".to_owned()));
        for odd in
            ["https://elsewhere.invalid/cases", "http://127.0.0.1:80810/x", "http://127.0.0.1:8081//x", "/cases", ""]
        {
            assert_eq!(own(odd), None, "{odd}");
        }
        let long = |bytes: usize| own(&format!("http://127.0.0.1:8081/{}", "x".repeat(bytes - 1))).is_some();
        assert!(long(NEXT_BYTES_MAX) && !long(NEXT_BYTES_MAX + 1));
    }
}
