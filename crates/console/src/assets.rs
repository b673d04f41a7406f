//! What pages load besides: styles, scripts, a picture. All of it is in the program.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::get;

use crate::route::{Needs, Route};

const STYLE: &str = concat!(include_str!("../assets/console.css"));
const SCRIPT: &str = include_str!("../assets/console.js");
const REFERENCE: &str = include_str!("../assets/reference.js");
const PASSKEYS: &str = include_str!("../assets/passkeys.js");
const GRAPH: &str = include_str!("../assets/graph.js");
const ICON: &str = include_str!("../assets/icon.svg");

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get(
            "/assets/console.css",
            Needs::Nothing,
            get(async || file("text/css; charset=utf-8", [report::page::STYLE, STYLE].concat())),
        ),
        Route::get(
            "/assets/console.js",
            Needs::Nothing,
            get(async || file("text/javascript; charset=utf-8", SCRIPT.to_owned())),
        ),
        Route::get(
            "/assets/reference.js",
            Needs::Nothing,
            get(async || file("text/javascript; charset=utf-8", REFERENCE.to_owned())),
        ),
        Route::get(
            "/assets/passkeys.js",
            Needs::Nothing,
            get(async || file("text/javascript; charset=utf-8", PASSKEYS.to_owned())),
        ),
        Route::get(
            "/assets/graph.js",
            Needs::Nothing,
            get(async || file("text/javascript; charset=utf-8", GRAPH.to_owned())),
        ),
        Route::get("/assets/icon.svg", Needs::Nothing, get(async || file("image/svg+xml", ICON.to_owned()))),
    ]
}

fn file(kind: &'static str, text: String) -> impl IntoResponse {
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-cache")], text)
}
