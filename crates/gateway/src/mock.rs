//! A small built-in model server, so that the gateway can be tried and tested without one: it speaks both APIs and
//! makes its answers up from the request alone, the same ones every time.
//!
//! Promises the shapes that the official clients read: streams, tools, several answers, structured output,
//! probabilities, reasoning, vectors. Refuses to be clever. The names of its models say what they do: [`MODELS`].

mod anthropic;
mod openai;
mod paths;
mod say;
mod stored;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Frame, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use self::paths::spoken;
use self::say::{Spoken, error};
use self::stored::Stored;
use crate::clock::{Clock as _, SystemClock};
use crate::form::Form;
use crate::limits::BODY_BYTES_MAX;

pub use self::openai::MODELS;

/// A pause before each event of [`MODELS`]' slow one.
const SLOW: Duration = Duration::from_millis(50);

/// The mock, listening; it ends with the process.
#[derive(Debug)]
pub struct Mock {
    address: SocketAddr,
}

impl Mock {
    /// Starts it on `address`, in a thread of its own.
    ///
    /// # Errors
    ///
    /// When the address cannot be listened on or no thread be started.
    pub fn start(address: SocketAddr) -> io::Result<Mock> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let listener = {
            let _entered = runtime.enter();
            TcpListener::from_std(listener)?
        };
        thread::Builder::new().name("mock".to_owned()).spawn(move || runtime.block_on(listen(listener)))?;
        Ok(Mock { address })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn listen(listener: TcpListener) {
    let stored = Arc::new(Mutex::new(Stored::new(SystemClock.now())));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Too many open files, most likely: some will close.
            tokio::time::sleep(SLOW).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let stored = Arc::clone(&stored);
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let stored = Arc::clone(&stored);
                async move { Ok::<_, Infallible>(answer(request, &stored).await) }
            });
            let builder = auto::Builder::new(hyper_util::rt::TokioExecutor::new());
            // A caller that leaves is no news.
            let _ = builder.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(request: Request<Incoming>, stored: &Mutex<Stored>) -> Response<Reply> {
    let path = request.uri().path().to_owned();
    let method = request.method().clone();
    let headers = request.headers().clone();
    let body = match Limited::new(request.into_body(), BODY_BYTES_MAX).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(_) => return whole(StatusCode::BAD_REQUEST, &error("the body cannot be read")),
    };
    let form = if path == "/v1/files" { Form::read(&headers, &body).await.ok() } else { None };
    let about_stored = stored.lock().ok().and_then(|mut stored| stored.answer(&method, &path, &body, form));
    if let Some(spoken) = about_stored {
        return said(spoken, Duration::ZERO, false).await;
    }
    if method == Method::GET {
        let spoken = if path == "/v1/models" { Some(openai::models()) } else { None };
        let model = path.strip_prefix("/v1/models/").and_then(openai::model);
        return match spoken.or(model) {
            Some(list) => whole(StatusCode::OK, &list),
            None => whole(StatusCode::NOT_FOUND, &error("not found")),
        };
    }
    let Ok(asked) = serde_json::from_slice::<Value>(&body) else {
        return whole(StatusCode::BAD_REQUEST, &error("the body is no JSON"));
    };
    let model = asked.get("model").and_then(Value::as_str).unwrap_or_default();
    let mut dies = false;
    let mut pause = Duration::ZERO;
    match model {
        "mock-error" => return whole(StatusCode::INTERNAL_SERVER_ERROR, &error("the mock was asked to fail")),
        "mock-busy" => return whole(StatusCode::TOO_MANY_REQUESTS, &error("the mock was asked to be busy")),
        "mock-never" => std::future::pending::<()>().await,
        "mock-dies" => dies = true,
        "mock-slow" => pause = SLOW,
        _ => {}
    }
    said(spoken(&path, &asked), pause, dies).await
}

async fn said(spoken: Spoken, pause: Duration, dies: bool) -> Response<Reply> {
    match spoken {
        Spoken::Whole(status, value) => {
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            whole(status, &value)
        }
        Spoken::File(file) => {
            let mut response = Response::new(Reply::Whole(Some(file)));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/binary"));
            response
        }
        Spoken::Events(events) => stream(events, pause, dies),
    }
}

fn whole(status: StatusCode, value: &Value) -> Response<Reply> {
    let mut response = Response::new(Reply::Whole(Some(Bytes::from(value.to_string()))));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert("x-request-id", HeaderValue::from_static("req_mock"));
    response.headers_mut().insert("request-id", HeaderValue::from_static("req_mock"));
    response
}

fn stream(events: Vec<String>, pause: Duration, dies: bool) -> Response<Reply> {
    let (sender, receiver) = mpsc::channel(events.len().max(1));
    let half = events.len() / 2;
    let send = async move {
        for (index, event) in events.into_iter().enumerate() {
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            if dies && index == half {
                // What came before is to be on its way.
                tokio::time::sleep(SLOW).await;
            }
            let piece = if dies && index >= half { Err(Died) } else { Ok(Bytes::from(event)) };
            let ended = piece.is_err();
            if sender.send(piece).await.is_err() || ended {
                break;
            }
        }
    };
    tokio::spawn(send);
    let mut response = Response::new(Reply::Stream(receiver));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    response.headers_mut().insert("x-request-id", HeaderValue::from_static("req_mock"));
    response
}

enum Reply {
    Whole(Option<Bytes>),
    Stream(mpsc::Receiver<Result<Bytes, Died>>),
}

/// The mock broke off, as it was asked to.
#[derive(Debug, thiserror::Error)]
#[error("the mock was asked to break off")]
struct Died;

impl Body for Reply {
    type Data = Bytes;
    type Error = Died;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Died>>> {
        match self.get_mut() {
            Reply::Whole(body) => std::task::Poll::Ready(body.take().map(|body| Ok(Frame::data(body)))),
            Reply::Stream(receiver) => {
                receiver.poll_recv(context).map(|piece| piece.map(|piece| piece.map(Frame::data)))
            }
        }
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        match self {
            Reply::Whole(body) => hyper::body::SizeHint::with_exact(body.as_ref().map_or(0, |body| body.len() as u64)),
            Reply::Stream(_) => hyper::body::SizeHint::default(),
        }
    }
}
