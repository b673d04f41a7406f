//! A path of the console: its method, who may use it, and what answers.

use std::sync::Arc;

use admin::person::Role;
use axum::http::Method;
use axum::routing::MethodRouter;

use crate::context::Console;

/// Who may use a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Everybody.
    Nothing,
    /// Whoever is signed in, also one whose password is to be changed first.
    SignedIn,
    /// Whoever has at least this role.
    Role(Role),
}

/// A path with one method.
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) needs: Needs,
    /// Whether its form brings files.
    pub(crate) takes_files: bool,
    pub(crate) handler: MethodRouter<Arc<Console>>,
}

impl Route {
    pub(crate) fn get(path: &'static str, needs: Needs, handler: MethodRouter<Arc<Console>>) -> Route {
        Route { method: Method::GET, path, needs, takes_files: false, handler }
    }

    pub(crate) fn post(path: &'static str, needs: Needs, handler: MethodRouter<Arc<Console>>) -> Route {
        Route { method: Method::POST, path, needs, takes_files: false, handler }
    }

    /// One whose form brings files, which its handler takes as [`Upload`](crate::upload::Upload).
    pub(crate) fn upload(path: &'static str, needs: Needs, handler: MethodRouter<Arc<Console>>) -> Route {
        Route { takes_files: true, ..Route::post(path, needs, handler) }
    }
}
