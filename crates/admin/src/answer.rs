//! What requests to the admin API bring and get, in whatever part of it: lists in parts, and problems with a status and a code.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, JsonRejection, QueryRejection};
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use policy::policies::BadPolicies;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use crate::limits::{PAGE_MAX, WORDS_BYTES_MAX};
use crate::order::stretch;
use crate::registry::RegistryError;

/// An answer that says what is wrong.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    message: String,
    /// Of policies that cannot be used: everything that is wrong.
    problems: Vec<policy::policies::Problem>,
}

impl Problem {
    /// Of a request that cannot be followed: what was expected.
    pub fn bad(message: impl Into<String>) -> Problem {
        bad(message)
    }

    /// Of something that is not here, or not now.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Problem {
        Problem { status, code, message: message.into(), problems: Vec::new() }
    }

    /// The status that it is told with.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What is wrong, and what was expected.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Of policies that cannot be used: everything that is wrong.
    #[must_use]
    pub fn problems(&self) -> &[policy::policies::Problem] {
        &self.problems
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
            RegistryError::NotWanted(_) | RegistryError::Undone(_) | RegistryError::LastAdmin(_) => {
                (StatusCode::CONFLICT, "conflict")
            }
            RegistryError::BadPassword => (StatusCode::BAD_REQUEST, "bad_request"),
            RegistryError::SamePerson(_) => (StatusCode::FORBIDDEN, "same_person"),
            RegistryError::Full(_)
            | RegistryError::TooManyQuotas(_)
            | RegistryError::TooManyAppeals
            | RegistryError::TooManyPeople
            | RegistryError::TooManyCases
            | RegistryError::TooManyViews
            | RegistryError::TooManySchedules
            | RegistryError::TooManyPasskeys
            | RegistryError::TooManyNotes(_) => (StatusCode::INSUFFICIENT_STORAGE, "full"),
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
pub type Answer<T> = Result<T, Problem>;
/// What a request brings.
pub type Body<T> = Result<Sent<T>, Problem>;

/// A JSON object of a type. Anything else is refused, also what could be read as one, such as a list of its fields.
#[derive(Debug)]
pub struct Sent<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Sent<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Sent<T>, Problem> {
        let (parts, body) = request.into_parts();
        let bytes =
            Bytes::from_request(Request::from_parts(parts.clone(), body), state).await.map_err(Problem::from)?;
        let begins = bytes.iter().find(|byte| !byte.is_ascii_whitespace()).copied();
        let Json(sent) = Json::from_request(Request::from_parts(parts, axum::body::Body::from(bytes)), state).await?;
        if begins == Some(b'{') { Ok(Sent(sent)) } else { Err(bad("expected a JSON object")) }
    }
}

/// The same, or nothing at all, which is what `T` is by default.
#[derive(Debug)]
pub struct MaySend<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for MaySend<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<MaySend<T>, Problem> {
        let (parts, body) = request.into_parts();
        let bytes =
            Bytes::from_request(Request::from_parts(parts.clone(), body), state).await.map_err(Problem::from)?;
        if bytes.is_empty() {
            return Ok(MaySend(T::default()));
        }
        let Sent(sent) = Sent::from_request(Request::from_parts(parts, axum::body::Body::from(bytes)), state).await?;
        Ok(MaySend(sent))
    }
}

impl From<BytesRejection> for Problem {
    fn from(rejection: BytesRejection) -> Problem {
        Problem::new(rejection.status(), "bad_request", rejection.body_text())
    }
}

/// An id as it stands in a path.
///
/// # Errors
///
/// When it is none.
pub fn id<T: std::str::FromStr<Err = policy::BadId>>(text: &str) -> Answer<T> {
    text.parse().map_err(|error: policy::BadId| Problem::new(StatusCode::BAD_REQUEST, "bad_request", error.to_string()))
}

/// Reads a field that may be taken away: tells `null` from what is not there.
pub(crate) fn told<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// Which part of a list is wanted.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    /// Begin behind this id.
    pub(crate) after: Option<String>,
    pub(crate) limit: Option<usize>,
}

impl Part {
    /// How many items it has at most.
    pub(crate) fn limit(&self) -> Answer<usize> {
        let limit = self.limit.unwrap_or(PAGE_MAX);
        if !(1..=PAGE_MAX).contains(&limit) {
            return Err(bad(format!("`limit`: expected 1 to {PAGE_MAX}")));
        }
        Ok(limit)
    }

    /// Those of many items that it may have, in order, and one more if there is one.
    pub(crate) fn of<'i, T, I: AsRef<str> + ?Sized + 'i>(
        &self,
        items: impl Iterator<Item = T>,
        id: impl Fn(&T) -> &I,
    ) -> Answer<Vec<T>> {
        let after = self.after.as_deref();
        let rest = items.filter(|item| after.is_none_or(|after| id(item).as_ref() > after)).collect();
        let by = |one: &T, other: &T| id(one).as_ref().cmp(id(other).as_ref());
        Ok(stretch(rest, 0, self.limit()? + 1, by))
    }
}

/// A part of a list that is ordered by id, and where the next part begins.
///
/// # Errors
///
/// When more is asked for than a part has.
pub(crate) fn part<T: Serialize>(name: &str, all: Vec<T>, id: impl Fn(&T) -> String, part: &Part) -> Answer<Value> {
    let limit = part.limit()?;
    let mut rest = all.into_iter().skip_while(|item| part.after.as_ref().is_some_and(|after| id(item) <= *after));
    let items: Vec<T> = rest.by_ref().take(limit).collect();
    let next = rest.next().and_then(|_| items.last().map(&id));
    Ok(json!({name: items, "next": next}))
}

/// A part of a list with what it belongs to.
pub(crate) fn beside(mut part: Value, name: &str, owner: &impl Serialize) -> Value {
    if let Some(part) = part.as_object_mut() {
        part.insert(name.to_owned(), json!(owner));
    }
    part
}

/// Whether a text says something, and not too much.
///
/// # Errors
///
/// When it does not.
pub fn words(name: &str, text: &str) -> Answer<()> {
    if text.trim().is_empty() || text.len() > WORDS_BYTES_MAX {
        return Err(bad(format!("`{name}`: expected 1 to {WORDS_BYTES_MAX} bytes of text")));
    }
    Ok(())
}

/// Whether a label, which may be empty, is not too long.
pub(crate) fn label(name: &str, text: &str) -> Answer<()> {
    if text.len() > WORDS_BYTES_MAX {
        return Err(bad(format!("`{name}`: expected at most {WORDS_BYTES_MAX} bytes")));
    }
    Ok(())
}

/// Whether a name is plain, so that nobody is taken for another, or for a rule.
///
/// # Errors
///
/// When it is not.
pub fn person(name: &str) -> Answer<()> {
    words("author", name)?;
    let is_plain = |c: char| c.is_alphanumeric() || " -_.@'+".contains(c);
    if name.trim() != name || !name.chars().all(is_plain) || name.chars().all(|c| c == '.') {
        return Err(bad("expected a name of letters, digits, spaces within and -_.@'+"));
    }
    Ok(())
}

/// A request that cannot be followed, and what was expected.
pub(crate) fn bad(message: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "bad_request", message)
}
