//! What requests to the admin API bring and get, in whatever part of it: lists in parts, and problems with a status and a code.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use policy::policies::BadPolicies;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::limits::{PAGE_MAX, WORDS_BYTES_MAX};
use crate::registry::RegistryError;

/// An answer that says what is wrong.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    code: &'static str,
    message: String,
    /// Of policies that cannot be used: everything that is wrong.
    problems: Vec<policy::policies::Problem>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Problem {
        Problem { status, code, message: message.into(), problems: Vec::new() }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut error = json!({"code": self.code, "message": self.message});
        if let (Some(error), false) = (error.as_object_mut(), self.problems.is_empty()) {
            error.insert("problems".to_owned(), json!(self.problems));
        }
        (self.status, Json(json!({"error": error}))).into_response()
    }
}

impl From<RegistryError> for Problem {
    fn from(error: RegistryError) -> Problem {
        let (status, code) = match &error {
            RegistryError::Missing { .. } => (StatusCode::NOT_FOUND, "not_found"),
            RegistryError::Taken { .. } => (StatusCode::CONFLICT, "taken"),
            RegistryError::BadPolicies(_) => (StatusCode::UNPROCESSABLE_ENTITY, "bad_policies"),
            RegistryError::Lapsed(_) => (StatusCode::CONFLICT, "lapsed"),
            RegistryError::NotWanted(_) | RegistryError::Undone(_) => (StatusCode::CONFLICT, "conflict"),
            RegistryError::SamePerson(_) => (StatusCode::FORBIDDEN, "same_person"),
            RegistryError::Full(_) | RegistryError::TooManyQuotas(_) | RegistryError::TooManyAppeals => {
                (StatusCode::INSUFFICIENT_STORAGE, "full")
            }
            _ => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        };
        let problem = Problem::new(status, code, error.to_string());
        match error {
            RegistryError::BadPolicies(BadPolicies(problems)) => Problem { problems, ..problem },
            _ => problem,
        }
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Problem {
        Problem::new(rejection.status(), "bad_request", rejection.body_text())
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Problem {
        Problem::new(rejection.status(), "bad_request", rejection.body_text())
    }
}

/// What a request gets.
pub(crate) type Answer<T> = Result<T, Problem>;
/// What a request brings.
pub(crate) type Body<T> = Result<Json<T>, JsonRejection>;

/// An id as it stands in a path.
pub(crate) fn id<T: std::str::FromStr<Err = policy::BadId>>(text: &str) -> Answer<T> {
    text.parse().map_err(|error: policy::BadId| Problem::new(StatusCode::BAD_REQUEST, "bad_request", error.to_string()))
}

/// Which part of a list is wanted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    /// Begin behind this id.
    after: Option<String>,
    limit: Option<usize>,
    /// Of this account only.
    pub(crate) account: Option<String>,
}

/// A part of a list that is ordered by id, and where the next part begins.
pub(crate) fn part<T: Serialize>(name: &str, all: Vec<T>, id: impl Fn(&T) -> String, part: &Part) -> Value {
    let limit = part.limit.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
    let mut rest = all.into_iter().skip_while(|item| part.after.as_ref().is_some_and(|after| id(item) <= *after));
    let items: Vec<T> = rest.by_ref().take(limit).collect();
    let next = rest.next().and_then(|_| items.last().map(&id));
    json!({name: items, "next": next})
}

/// Whether a text says something, and not too much.
pub(crate) fn words(name: &str, text: &str) -> Answer<()> {
    if text.trim().is_empty() || text.len() > WORDS_BYTES_MAX {
        return Err(bad(format!("`{name}`: expected 1 to {WORDS_BYTES_MAX} bytes of text")));
    }
    Ok(())
}

/// Whether a name is plain, so that nobody is taken for another, or for a rule.
pub(crate) fn person(name: &str) -> Answer<()> {
    words("author", name)?;
    let is_plain = |c: char| c.is_alphanumeric() || " -_.@'+".contains(c);
    if name.trim() != name || !name.chars().all(is_plain) {
        return Err(bad("`author`: expected a name of letters, digits, spaces within and -_.@'+"));
    }
    Ok(())
}

/// A request that cannot be followed, and what was expected.
pub(crate) fn bad(message: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "bad_request", message)
}
