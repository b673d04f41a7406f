//! The model servers behind the gateway: which serves a model, whether it is well, and the connections to it.
//!
//! Promises that a request goes out at most [`ATTEMPTS_MAX`] times and never again once a byte of a reply came back. A
//! server that fails again and again rests ([`Health`]); when all rest, all are tried.
//! Connections are kept per worker, at most [`IDLE_MAX`] idle ones to a server and [`IDLE_TIME_MAX`] long. Whoever uses
//! one drives it ([`Link`]): a task of its own for each would have to be woken for every piece of every reply.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper::header::{AUTHORIZATION, HOST, HeaderValue};
use hyper::http::uri::{Authority, Scheme};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use policy::Permit;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_util::either::Either;

use crate::health::Health;
use crate::limits::{ATTEMPTS_MAX, CHECK_TIME_MAX, IDLE_MAX, IDLE_TIME_MAX};
use crate::refuse::Refusal;
use crate::route::Dialect;

/// A model server.
#[derive(Debug)]
pub struct Server {
    /// A name for people.
    pub name: String,
    /// Where it is: `http` or `https`, host and port.
    pub scheme: Scheme,
    /// Host and port.
    pub authority: Authority,
    /// What comes before the paths of the API there.
    pub prefix: String,
    /// The models that it serves, by name or by a beginning that ends in `*`; empty for all.
    pub models: Vec<String>,
    /// Its share among those that serve a model.
    pub weight: u32,
    /// The credential that it is shown in place of the caller's.
    pub credential: Option<Credential>,
    /// How long a connection may take.
    pub connect_time_max: Duration,
    /// How long the first byte of a reply may take.
    pub first_byte_time_max: Duration,
    /// How long a pause within a reply may take.
    pub pause_time_max: Duration,
    /// TLS, when it is spoken there.
    pub tls: Option<Tls>,
    /// Where it says how it is, if anywhere.
    pub health_path: Option<String>,
    /// How it is.
    pub health: Health,
}

/// How TLS is spoken to a server.
#[derive(Clone)]
pub struct Tls {
    /// Whom it is believed to be.
    pub name: ServerName<'static>,
    /// By which authorities.
    pub config: Arc<rustls::ClientConfig>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.name.fmt(out)
    }
}

/// The credential for a server; never shown.
pub struct Credential {
    bearer: HeaderValue,
    plain: HeaderValue,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("a credential")
    }
}

impl Credential {
    /// A credential as the server's operator gave it out; `None` when it has characters that no header can have.
    #[must_use]
    pub fn new(secret: &str) -> Option<Credential> {
        let value = |text: String| {
            let mut value = HeaderValue::from_str(&text).ok()?;
            value.set_sensitive(true);
            Some(value)
        };
        Some(Credential { bearer: value(format!("Bearer {secret}"))?, plain: value(secret.to_owned())? })
    }
}

impl Server {
    /// Whether it serves `model`.
    #[must_use]
    pub fn serves(&self, model: &str) -> bool {
        self.models.is_empty() || self.models.iter().any(|known| fits(known, model))
    }
}

/// Whether `known` is the name of `model`, or a beginning of it that ends in `*`.
pub(crate) fn fits(known: &str, model: &str) -> bool {
    known.strip_suffix('*').map_or(known == model, |beginning| model.starts_with(beginning))
}

/// Which servers a request may go to.
#[derive(Clone, Copy, Debug)]
pub enum To<'t> {
    /// Every one.
    Any,
    /// Those that serve this model.
    Model(&'t str),
    /// The one of this name.
    Server(&'t str),
}

impl<'t> To<'t> {
    /// The one of this name, or else those that serve `model`, if there is one.
    #[must_use]
    pub fn of(server: Option<&'t str>, model: Option<&'t str>) -> To<'t> {
        server.map(To::Server).or_else(|| model.map(To::Model)).unwrap_or(To::Any)
    }
}

/// Why no reply came.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoReply {
    /// No server serves the model.
    #[error("no server serves the model")]
    NoServer,
    /// The server cannot be reached.
    #[error("`{server}` cannot be reached")]
    Unreachable {
        /// Which.
        server: String,
        /// Why.
        source: io::Error,
    },
    /// The connection broke before a reply.
    #[error("the connection to `{server}` broke before a reply")]
    Broken {
        /// Which.
        server: String,
        /// Why.
        source: hyper::Error,
    },
    /// It did not answer in time.
    #[error("`{server}` did not answer in time")]
    TooSlow {
        /// Which.
        server: String,
    },
    /// It sends whoever asks elsewhere, where they would show their credential and nothing is held back.
    #[error("`{server}` answered with a redirection")]
    Elsewhere {
        /// Which.
        server: String,
    },
    /// The request cannot be written for it.
    #[error("the request cannot be written for `{server}`")]
    Unwritable {
        /// Which.
        server: String,
    },
}

impl From<NoReply> for Refusal {
    fn from(failure: NoReply) -> Refusal {
        match failure {
            NoReply::NoServer => Refusal::NotFound,
            NoReply::TooSlow { .. } => Refusal::Timeout,
            NoReply::Unwritable { .. } | NoReply::Elsewhere { .. } => Refusal::Failed,
            NoReply::Unreachable { .. } | NoReply::Broken { .. } => Refusal::Unavailable,
        }
    }
}

/// The connections of one worker.
#[derive(Debug)]
pub struct Upstreams {
    servers: Arc<Vec<Server>>,
    /// For each server, the one used last at the end.
    idle: RefCell<Vec<VecDeque<Idle>>>,
    turn: Cell<u64>,
    started: Instant,
}

#[derive(Debug)]
struct Idle {
    link: Link,
    since: Instant,
}

type Stream = TokioIo<Either<TcpStream, tokio_rustls::client::TlsStream<TcpStream>>>;
type Driver = Pin<Box<Connection<Stream, Full<Bytes>>>>;

/// A connection to a server. Nothing moves on it unless it is driven; dropped, it is closed.
#[derive(Debug)]
pub struct Link {
    sender: SendRequest<Full<Bytes>>,
    /// What reads and writes; none once it came to its end.
    connection: Option<Driver>,
}

impl Link {
    /// Moves what can be moved now, and has `context` woken when there is more.
    pub fn poll(&mut self, context: &mut Context<'_>) {
        if let Some(connection) = &mut self.connection
            && connection.as_mut().poll(context).is_ready()
        {
            // How it ended is told to whoever waits for a reply.
            self.connection = None;
        }
    }

    /// Waits for something that comes about on this connection.
    async fn drive<F: Future>(&mut self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|context| {
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                return Poll::Ready(output);
            }
            self.poll(context);
            future.as_mut().poll(context)
        })
        .await
    }

    async fn ready(&mut self) -> hyper::Result<()> {
        poll_fn(|context| {
            if let Poll::Ready(ready) = self.sender.poll_ready(context) {
                return Poll::Ready(ready);
            }
            self.poll(context);
            self.sender.poll_ready(context)
        })
        .await
    }

    /// Whether the server closed it, or wrote what nobody asked for, while it was idle.
    fn is_closed(&mut self) -> bool {
        self.poll(&mut Context::from_waker(Waker::noop()));
        self.connection.is_none() || self.sender.is_closed()
    }
}

/// A reply with the connection that it comes on.
#[derive(Debug)]
pub struct Reply {
    /// The reply.
    pub response: Response<Incoming>,
    /// To be given back when the body has been read to its end.
    pub lease: Lease,
}

/// A connection in use. Dropped, it is closed, which cancels the work of the server.
#[derive(Debug)]
pub struct Lease {
    home: Rc<Upstreams>,
    server: usize,
    link: Link,
}

impl Lease {
    /// Keeps the connection for the next request.
    pub fn give_back(self) {
        let Lease { home, server, link } = self;
        if link.connection.is_none() || link.sender.is_closed() {
            return;
        }
        if let Some(idle) = home.idle.borrow_mut().get_mut(server)
            && idle.len() < IDLE_MAX
        {
            idle.push_back(Idle { link, since: Instant::now() });
        }
    }

    /// Moves what can be moved on the connection.
    pub fn poll(&mut self, context: &mut Context<'_>) {
        self.link.poll(context);
    }

    /// Waits for something that comes about on the connection.
    pub async fn drive<F: Future>(&mut self, future: F) -> F::Output {
        self.link.drive(future).await
    }

    /// The server at its other end, by its name.
    #[must_use]
    pub fn server(&self) -> &str {
        self.home.servers.get(self.server).map_or("", |server| &server.name)
    }

    /// How long a pause within the reply may take.
    #[must_use]
    pub fn pause_time_max(&self) -> Duration {
        self.home.servers.get(self.server).map_or(Duration::ZERO, |server| server.pause_time_max)
    }

    /// The reply broke off.
    pub fn broke(&self) {
        if let Some(server) = self.home.servers.get(self.server) {
            server.health.failed(self.home.now_ms());
        }
    }
}

/// A request on its way out: everything but the server.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The method.
    pub method: hyper::Method,
    /// Path and query.
    pub path: String,
    /// The headers, without the caller's credentials.
    pub headers: hyper::HeaderMap,
    /// The body.
    pub body: Bytes,
    /// In which header the server expects its credential.
    pub dialect: Dialect,
    /// Whether sending it again does no harm, where it is not known if it arrived.
    pub repeatable: bool,
}

impl Upstreams {
    /// No connections yet. All workers count time from the same moment, `started`.
    #[must_use]
    pub fn new(servers: Arc<Vec<Server>>, started: Instant) -> Rc<Upstreams> {
        let idle = RefCell::new(servers.iter().map(|_| VecDeque::new()).collect());
        Rc::new(Upstreams { servers, idle, turn: Cell::new(0), started })
    }

    /// Whether these are its servers.
    #[must_use]
    pub fn is_to(&self, servers: &Arc<Vec<Server>>) -> bool {
        Arc::ptr_eq(&self.servers, servers)
    }

    /// Sends a request that may go on to a server that is asked for, and to another one as long as nothing came back.
    ///
    /// # Errors
    ///
    /// When none answers; the last failure counts.
    pub async fn send(self: &Rc<Self>, _permit: &Permit, to: To<'_>, request: &Outgoing) -> Result<Reply, NoReply> {
        let mut failure = NoReply::NoServer;
        for server in self.order(to).into_iter().take(ATTEMPTS_MAX) {
            match self.attempt(server, request).await {
                Ok(reply) => return Ok(reply),
                Err((error, again)) => {
                    failure = error;
                    if !again {
                        break;
                    }
                }
            }
        }
        Err(failure)
    }

    /// The servers to try, in this order: those that are well by their weights, then the others.
    fn order(&self, to: To<'_>) -> Vec<usize> {
        let now_ms = self.now_ms();
        let serves = |server: &Server| match to {
            To::Any => true,
            To::Model(model) => server.serves(model),
            To::Server(name) => server.name == name,
        };
        let (mut well, resting): (Vec<_>, Vec<_>) = self
            .servers
            .iter()
            .enumerate()
            .filter(|(_, server)| serves(server))
            .partition(|(_, server)| server.health.is_well(now_ms));
        if well.len() > 1 {
            let total: u64 = well.iter().map(|(_, server)| u64::from(server.weight)).sum();
            let turn = self.turn.get();
            self.turn.set(turn.wrapping_add(1));
            // Multiples of the golden ratio fall evenly: every server gets its share over any few turns.
            let mut point = ((u128::from(turn.wrapping_mul(0x9E37_79B9_7F4A_7C15)) * u128::from(total)) >> 64) as u64;
            let chosen = well.iter().position(|(_, server)| {
                let weight = u64::from(server.weight);
                let here = point < weight;
                point = point.saturating_sub(weight);
                here
            });
            well.rotate_left(chosen.unwrap_or(0));
        }
        well.into_iter().chain(resting).map(|(index, _)| index).collect()
    }

    /// One attempt at one server. The error says whether another may be tried.
    async fn attempt(self: &Rc<Self>, index: usize, request: &Outgoing) -> Result<Reply, (NoReply, bool)> {
        let Some(server) = self.servers.get(index) else { return Err((NoReply::NoServer, false)) };
        let name = || server.name.clone();
        // A kept connection may have been closed at the other end; that is found out by using it, and is no failure.
        let mut kept = self.take(index);
        loop {
            let reused = kept.is_some();
            let mut link = match kept.take() {
                Some(link) => link,
                None => match timeout(server.connect_time_max, connect(server)).await {
                    Ok(Ok(link)) => link,
                    Ok(Err(source)) => {
                        server.health.failed(self.now_ms());
                        return Err((NoReply::Unreachable { server: name(), source }, true));
                    }
                    Err(_) => {
                        server.health.failed(self.now_ms());
                        return Err((NoReply::TooSlow { server: name() }, true));
                    }
                },
            };
            let Some(message) = written(server, request) else {
                return Err((NoReply::Unwritable { server: name() }, false));
            };
            if link.ready().await.is_err() && reused {
                continue;
            }
            let answer = link.sender.try_send_request(message);
            match timeout(server.first_byte_time_max, link.drive(answer)).await {
                Ok(Ok(response)) => {
                    server.health.succeeded();
                    if response.status().is_redirection() {
                        return Err((NoReply::Elsewhere { server: name() }, false));
                    }
                    return Ok(Reply { response, lease: Lease { home: Rc::clone(self), server: index, link } });
                }
                Ok(Err(mut error)) => {
                    let unsent = error.take_message().is_some();
                    if reused && (unsent || request.repeatable) {
                        continue;
                    }
                    server.health.failed(self.now_ms());
                    let source = error.into_error();
                    return Err((NoReply::Broken { server: name(), source }, unsent || request.repeatable));
                }
                // It may be at work on it: sending it elsewhere would double the cost.
                Err(_) => {
                    server.health.failed(self.now_ms());
                    return Err((NoReply::TooSlow { server: name() }, false));
                }
            }
        }
    }

    /// Asks each server that says how it is, unless another worker just did.
    pub fn check(self: &Rc<Self>) {
        for (index, server) in self.servers.iter().enumerate() {
            if server.health_path.is_some() && server.health.is_check_due(self.now_ms()) {
                let home = Rc::clone(self);
                tokio::task::spawn_local(async move {
                    if let Some(server) = home.servers.get(index) {
                        let well = timeout(CHECK_TIME_MAX, says_it_is_well(server)).await.unwrap_or_default();
                        server.health.checked(well);
                    }
                });
            }
        }
    }

    /// A kept connection, the one used last first.
    fn take(&self, index: usize) -> Option<Link> {
        let mut idle = self.idle.borrow_mut();
        let idle = idle.get_mut(index)?;
        while let Some(Idle { mut link, since }) = idle.pop_back() {
            if since.elapsed() < IDLE_TIME_MAX && !link.is_closed() {
                return Some(link);
            }
        }
        None
    }

    /// Closes what was idle for too long, and what a server closed.
    pub fn tidy(&self) {
        for idle in self.idle.borrow_mut().iter_mut() {
            idle.retain_mut(|Idle { link, since }| since.elapsed() < IDLE_TIME_MAX && !link.is_closed());
        }
    }

    fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }
}

/// The request as this server gets it.
fn written(server: &Server, request: &Outgoing) -> Option<Request<Full<Bytes>>> {
    let path: Uri = format!("{}{}", server.prefix, request.path).parse().ok()?;
    let mut message = Request::new(Full::new(request.body.clone()));
    *message.method_mut() = request.method.clone();
    *message.uri_mut() = path;
    *message.headers_mut() = request.headers.clone();
    let headers = message.headers_mut();
    headers.insert(HOST, HeaderValue::from_str(server.authority.as_str()).ok()?);
    if let Some(credential) = &server.credential {
        match request.dialect {
            Dialect::OpenAi => headers.insert(AUTHORIZATION, credential.bearer.clone()),
            Dialect::Anthropic => headers.insert("x-api-key", credential.plain.clone()),
        };
    }
    Some(message)
}

/// Whether a server, asked on a connection of its own, says that it is well.
async fn says_it_is_well(server: &Server) -> bool {
    let path = server.health_path.clone().unwrap_or_default();
    let headers = hyper::HeaderMap::new();
    let (method, dialect) = (hyper::Method::GET, Dialect::OpenAi);
    let request = Outgoing { method, path, headers, body: Bytes::new(), dialect, repeatable: true };
    let (Ok(mut link), Some(message)) = (connect(server).await, written(server, &request)) else { return false };
    if link.ready().await.is_err() {
        return false;
    }
    let answer = link.sender.send_request(message);
    link.drive(answer).await.is_ok_and(|answer| answer.status().is_success())
}

async fn connect(server: &Server) -> io::Result<Link> {
    let port = server.authority.port_u16().unwrap_or(if server.scheme == Scheme::HTTPS { 443 } else { 80 });
    let host = server.authority.host().trim_start_matches('[').trim_end_matches(']');
    let socket = TcpStream::connect((host, port)).await?;
    // Without it the second of two small writes waits for the answer to the first: 40 ms.
    socket.set_nodelay(true)?;
    let stream = match &server.tls {
        None => Either::Left(socket),
        Some(tls) => {
            let connector = TlsConnector::from(Arc::clone(&tls.config));
            Either::Right(connector.connect(tls.name.clone(), socket).await?)
        }
    };
    let (sender, connection) = http1::Builder::new().handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    Ok(Link { sender, connection: Some(Box::pin(connection)) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::FAILURES_MAX;

    fn server(name: &str, models: &[&str], weight: u32) -> Server {
        Server {
            name: name.to_owned(),
            scheme: Scheme::HTTP,
            authority: "127.0.0.1:1".parse().unwrap(),
            prefix: String::new(),
            models: models.iter().map(|model| (*model).to_owned()).collect(),
            weight,
            credential: None,
            connect_time_max: Duration::from_secs(1),
            first_byte_time_max: Duration::from_secs(1),
            pause_time_max: Duration::from_secs(1),
            tls: None,
            health_path: None,
            health: Health::default(),
        }
    }

    #[tokio::test]
    async fn servers_get_their_share() {
        let servers = vec![server("a", &["m"], 3), server("b", &["m*"], 1), server("c", &["other"], 9)];
        let upstreams = Upstreams::new(Arc::new(servers), Instant::now());
        let mut counts = [0; 3];
        for _ in 0..1_000 {
            counts[upstreams.order(To::Model("m"))[0]] += 1;
        }
        assert!((740..=760).contains(&counts[0]) && (240..=260).contains(&counts[1]), "{counts:?}");
        assert_eq!(upstreams.order(To::Model("m-large")), [1]);
        assert_eq!(upstreams.order(To::Model("none")), [0; 0]);
    }

    #[tokio::test]
    async fn who_is_not_well_is_tried_last() {
        let upstreams = Upstreams::new(Arc::new(vec![server("a", &[], 1), server("b", &[], 1)]), Instant::now());
        for _ in 0..FAILURES_MAX {
            upstreams.servers[0].health.failed(0);
        }
        for _ in 0..4 {
            assert_eq!(upstreams.order(To::Any), [1, 0], "tried last, while it rests");
        }
    }

    /// Connections that a server closed, or that were idle for too long, are found without using them.
    #[tokio::test]
    async fn idle_connections_are_let_go_of() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut here = server("a", &[], 1);
        here.authority = listener.local_addr().unwrap().to_string().parse().unwrap();
        let upstreams = Upstreams::new(Arc::new(vec![here]), Instant::now());
        let mut ends = Vec::new();
        for _ in 0..3 {
            let link = connect(&upstreams.servers[0]).await.unwrap();
            Lease { home: Rc::clone(&upstreams), server: 0, link }.give_back();
            ends.push(listener.accept().await.unwrap().0);
        }
        let count = || upstreams.idle.borrow()[0].len();
        upstreams.tidy();
        assert_eq!(count(), 3);
        drop(ends.pop());
        // The end of a connection takes its way through the machine.
        for _ in 0..100 {
            tokio::time::sleep(Duration::from_millis(10)).await;
            upstreams.tidy();
            if count() < 3 {
                break;
            }
        }
        assert_eq!(count(), 2);
        for (age, left) in [(IDLE_TIME_MAX - Duration::from_secs(5), 2), (IDLE_TIME_MAX, 1)] {
            upstreams.idle.borrow_mut()[0][0].since = Instant::now() - age;
            upstreams.tidy();
            assert_eq!(count(), left);
        }
        assert!(upstreams.take(0).is_some() && upstreams.take(0).is_none());
    }

    #[test]
    fn credentials_are_never_shown() {
        assert_eq!(format!("{:?}", Credential::new("s3cret")), "Some(a credential)");
        assert!(Credential::new("a\nb").is_none());
    }
}
