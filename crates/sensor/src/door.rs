//! The door: who may talk to us, over HTTP/1.1 or HTTP/2, with TLS or without.
//!
//! Promises that nothing is read of a message whose sender does not show the sensors' key. Bounded by [`MESSAGES_MAX`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tonic::Code;

use crate::counts::{Counts, add};
use crate::limits::{MESSAGE_TIME_MAX, MESSAGES_MAX};

/// The key that sensors show.
#[derive(Clone)]
pub struct SensorKey(Arc<str>);

impl std::fmt::Debug for SensorKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("a key")
    }
}

impl SensorKey {
    /// A key, of at least [`KEY_BYTES_MIN`] bytes of printable text without white space.
    #[must_use]
    pub fn new(text: &str) -> Option<SensorKey> {
        let is_fine = text.len() >= KEY_BYTES_MIN && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_fine.then(|| SensorKey(text.into()))
    }

    /// Whether headers show it, once.
    fn is_shown(&self, headers: &HeaderMap) -> bool {
        let one = |name: header::HeaderName| {
            let mut values = headers.get_all(name).iter();
            let only = values.next().and_then(|value| value.to_str().ok());
            only.filter(|_| values.next().is_none())
        };
        let bearer = one(header::AUTHORIZATION).and_then(|value| {
            let (scheme, key) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
        });
        let shown = bearer.or_else(|| one(header::HeaderName::from_static("x-api-key")));
        shown.is_some_and(|shown| verify_slices_are_equal(shown.as_bytes(), self.0.as_bytes()).is_ok())
    }
}

/// Bytes of a key at least: 128 bits, as hexadecimal digits.
pub const KEY_BYTES_MIN: usize = 32;

/// Whether the key was shown on a connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyShown(Arc<AtomicBool>);

impl KeyShown {
    pub(crate) fn is_so(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Clone)]
struct Door {
    key: SensorKey,
    counts: Arc<Counts>,
    under_way: Arc<Semaphore>,
}

/// Lets those in only who show the key, and so many at once.
pub(crate) fn guarded(router: Router, key: SensorKey, counts: Arc<Counts>) -> Router {
    let door = Door { key, counts, under_way: Arc::new(Semaphore::new(MESSAGES_MAX)) };
    router.layer(axum::middleware::from_fn_with_state(door, enter))
}

async fn enter(State(door): State<Door>, request: Request, next: Next) -> Response {
    let is_grpc = request
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    if !door.key.is_shown(request.headers()) {
        add(&door.counts.unauthenticated);
        return refused(
            is_grpc,
            StatusCode::UNAUTHORIZED,
            Code::Unauthenticated,
            "the sensors' key is missing or another",
        );
    }
    if let Some(KeyShown(shown)) = request.extensions().get() {
        shown.store(true, Ordering::Relaxed);
    }
    let Ok(_place) = Arc::clone(&door.under_way).try_acquire_owned() else {
        add(&door.counts.turned_away);
        return refused(
            is_grpc,
            StatusCode::SERVICE_UNAVAILABLE,
            Code::Unavailable,
            "too much is under way; try again",
        );
    };
    let Ok(answer) = timeout(MESSAGE_TIME_MAX, next.run(request)).await else {
        add(&door.counts.turned_away);
        return refused(
            is_grpc,
            StatusCode::REQUEST_TIMEOUT,
            Code::DeadlineExceeded,
            "the message did not come in time",
        );
    };
    answer
}

fn refused(is_grpc: bool, status: StatusCode, code: Code, message: &'static str) -> Response {
    if !is_grpc {
        return (status, axum::Json(serde_json::json!({"message": message}))).into_response();
    }
    let mut response = StatusCode::OK.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-status", HeaderValue::from(code as i32));
    headers.insert("grpc-message", HeaderValue::from_static(message));
    response
}
