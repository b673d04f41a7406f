//! Why something is not shown or done, for whoever asked for it.

use admin::registry::RegistryError;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

/// Why something is not shown or done, for whoever asked for it.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    status: StatusCode,
    message: String,
}

impl Fault {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Fault {
        Fault { status, message: message.into() }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn bad(message: impl Into<String>) -> Fault {
        Fault::new(StatusCode::BAD_REQUEST, message)
    }

    pub(crate) fn missing(message: impl Into<String>) -> Fault {
        Fault::new(StatusCode::NOT_FOUND, message)
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        // In plain words for now; what guards the path draws it as a page.
        let mut response = (self.status, self.message.clone()).into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Fault> for admin::Problem {
    fn from(Fault { status, message }: Fault) -> admin::Problem {
        let code = match status {
            StatusCode::BAD_REQUEST => "bad_request",
            StatusCode::NOT_FOUND => "not_found",
            StatusCode::CONFLICT => "conflict",
            StatusCode::INSUFFICIENT_STORAGE => "full",
            _ => "unavailable",
        };
        admin::Problem::new(status, code, message)
    }
}

impl From<admin::Problem> for Fault {
    fn from(problem: admin::Problem) -> Fault {
        Fault::new(problem.status(), problem.message())
    }
}

impl From<RegistryError> for Fault {
    fn from(error: RegistryError) -> Fault {
        admin::Problem::from(error).into()
    }
}

impl From<FormRejection> for Fault {
    fn from(rejection: FormRejection) -> Fault {
        Fault::new(rejection.status(), rejection.body_text())
    }
}

impl From<QueryRejection> for Fault {
    fn from(rejection: QueryRejection) -> Fault {
        Fault::new(rejection.status(), rejection.body_text())
    }
}

impl From<askama::Error> for Fault {
    fn from(error: askama::Error) -> Fault {
        Fault::new(StatusCode::INTERNAL_SERVER_ERROR, format!("the page cannot be drawn: {error}"))
    }
}

/// What a page is, or why it is not.
pub(crate) type Page = Result<Response, Fault>;
