//! Settings: the configuration that is in force, to be read. It is changed in its file.

use std::sync::Arc;

use admin::person::Role;
use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::routing::get;

use crate::context::{Configured, Console};
use crate::fault::Page;
use crate::frame::{Frame, drawn};
use crate::route::{Needs, Route};
use crate::session::Visit;

pub(crate) fn routes() -> Vec<Route> {
    vec![Route::get("/settings", Needs::Role(Role::Admin), get(settings))]
}

#[derive(Template)]
#[template(path = "settings.html")]
struct Settings {
    frame: Frame,
    configured: Configured,
}

async fn settings(State(console): State<Arc<Console>>, Extension(visit): Extension<Visit>) -> Page {
    let configured = console.configured.borrow().clone();
    drawn(&Settings { frame: Frame::new(&console, &visit, "Settings", "/settings"), configured })
}
