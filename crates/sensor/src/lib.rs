//! Sensors beside the gateway, for those whose requests go through something else: an OTLP receiver, Envoy's `ext_authz` and `ext_proc`, and
//! LiteLLM's generic guardrail API.
//!
//! Promises that who asks for a permit gets the one that the gateway would give, and that what is told goes on the same record, where detection
//! finds it. Refuses whoever does not show the sensors' key. Everything is bounded ([`limits`]).
//!
//! [`door`] lets sensors in, [`guardrail`], [`envoy`] and [`otlp`] speak with them, [`desk`] decides, and [`received`] puts on record what OTLP brought.

pub mod counts;
mod desk;
pub mod door;
mod envoy;
mod guardrail;
pub mod limits;
pub mod newcomers;
mod otlp;
mod received;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Extension, Router};
use envoy_types::pb::envoy::service::auth::v3::authorization_server::AuthorizationServer;
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_server::ExternalProcessorServer;
use exchange::ReadOptions;
use gateway::refuse::Refusal;
use gateway::tls::Certificates;
use gateway::worker::Shared;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::LogsServiceServer;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::TraceServiceServer;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch as signal};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tonic::codec::CompressionEncoding;
use tonic::service::Routes;

use crate::counts::Counts;
use crate::desk::Desk;
pub use crate::desk::{Naming, newcomer};
use crate::door::{KeyShown, SensorKey, guarded};
use crate::envoy::Envoy;
use crate::guardrail::Guardrail;
use crate::limits::{CONNECTIONS_MAX, HANDSHAKE_TIME_MAX, HEAD_TIME_MAX, MESSAGE_BYTES_MAX, OTLP_BYTES_MAX, PING_TIME};
use crate::newcomers::Newcomers;
use crate::otlp::Otlp;
use crate::received::{Filing, Received};

/// What sensors work with.
pub struct Setup {
    /// What the gateway knows and is doing.
    pub shared: Arc<Shared>,
    /// Where sensors connect.
    pub listener: TcpListener,
    /// What they are shown, where they speak TLS.
    pub certificates: Option<Arc<Certificates>>,
    /// What they show.
    pub key: SensorKey,
    /// Whose account a call is.
    pub naming: Naming,
    /// How records of OTLP are read.
    pub options: ReadOptions,
    /// Where what was received is kept, and up to where it is on record.
    pub received: (PathBuf, PathBuf),
    /// Where accounts wait to be made.
    pub newcomers: Arc<Newcomers>,
    /// What is counted.
    pub counts: Arc<Counts>,
    /// Hears of trouble.
    pub say: fn(&str),
}

impl std::fmt::Debug for Setup {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Setup").field("naming", &self.naming).finish_non_exhaustive()
    }
}

/// Sensors at work.
#[derive(Debug)]
pub struct Sensors {
    address: SocketAddr,
    guardrail: Arc<Guardrail>,
    filing: Filing,
    ending: signal::Sender<bool>,
    serving: JoinHandle<()>,
    sweeping: JoinHandle<()>,
}

impl Sensors {
    /// Begins.
    ///
    /// # Errors
    ///
    /// When the folder of what was received cannot be used.
    pub fn start(setup: Setup) -> io::Result<Sensors> {
        let Setup { shared, listener, certificates, key, naming, options, received, newcomers, counts, say } = setup;
        let address = listener.local_addr()?;
        let (folder, position) = received;
        let desk = Arc::new(Desk::new(shared, naming, newcomers, Arc::clone(&counts)));
        let received = Arc::new(Received::open(Arc::clone(&desk), &folder)?);
        let filing = Filing::start(received::Setup {
            desk: Arc::clone(&desk),
            received: Arc::clone(&received),
            counts: Arc::clone(&counts),
            folder,
            position,
            options,
            say,
        })?;
        let guardrail = Arc::new(Guardrail::new(Arc::clone(&desk)));
        let otlp = Otlp { received, counts: Arc::clone(&counts) };
        let router = guarded(router(desk, Arc::clone(&guardrail), otlp), key, counts);
        let (ending, ended) = signal::channel(false);
        let serving = tokio::spawn(serve(listener, certificates, router, ended));
        let swept = Arc::clone(&guardrail);
        let sweeping = tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                swept.sweep(Instant::now());
            }
        });
        Ok(Sensors { address, guardrail, filing, ending, serving, sweeping })
    }

    /// Where sensors connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends: lets what is under way come to its end, for `patience` at most, and hands over what waits.
    pub async fn finish(self, patience: Duration) {
        let _ = self.ending.send(true);
        let _ = timeout(patience, self.serving).await;
        self.sweeping.abort();
        self.guardrail.finish();
        let filing = self.filing;
        let _ = tokio::task::spawn_blocking(move || filing.finish()).await;
    }
}

fn router(desk: Arc<Desk>, guardrail: Arc<Guardrail>, otlp: Otlp) -> Router {
    let envoy = Envoy(desk);
    let (gzip, zstd) = (CompressionEncoding::Gzip, CompressionEncoding::Zstd);
    let traces = TraceServiceServer::new(otlp.clone())
        .max_decoding_message_size(OTLP_BYTES_MAX)
        .accept_compressed(gzip)
        .accept_compressed(zstd);
    let logs = LogsServiceServer::new(otlp.clone())
        .max_decoding_message_size(OTLP_BYTES_MAX)
        .accept_compressed(gzip)
        .accept_compressed(zstd);
    let grpc = Routes::new(AuthorizationServer::new(envoy.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX))
        .add_service(ExternalProcessorServer::new(envoy).max_decoding_message_size(MESSAGE_BYTES_MAX))
        .add_service(traces)
        .add_service(logs);
    let exports = Router::new()
        .route("/v1/traces", post(otlp::post::<ExportTraceServiceRequest>))
        .route("/v1/logs", post(otlp::post::<ExportLogsServiceRequest>))
        .layer(axum::middleware::from_fn(decompress))
        .layer(DefaultBodyLimit::max(OTLP_BYTES_MAX))
        .with_state(otlp);
    let asked = Router::new()
        .route("/beta/litellm_basic_guardrail_api", post(guardrail::answer))
        .layer(DefaultBodyLimit::max(MESSAGE_BYTES_MAX))
        .with_state(guardrail);
    grpc.into_axum_router().merge(exports).merge(asked)
}

/// Hands a body on as it was before it was compressed.
async fn decompress(request: Request, next: Next) -> Response {
    let (mut head, body) = request.into_parts();
    let whole = match axum::body::to_bytes(body, OTLP_BYTES_MAX).await {
        Ok(body) => gateway::encoding::decompressed(&head.headers, body).await.map_err(Refusal::from),
        Err(_) => Err(Refusal::TooLarge),
    };
    match whole {
        Ok(body) => {
            head.headers.remove(hyper::header::CONTENT_ENCODING);
            next.run(Request::from_parts(head, body.into())).await
        }
        Err(refusal) => (refusal.status(), refusal.message()).into_response(),
    }
}

/// Serves until it is told to end, and then until nothing is under way.
async fn serve(
    listener: TcpListener,
    certificates: Option<Arc<Certificates>>,
    router: Router,
    mut ended: signal::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { break };
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                // Too many files are open, most likely.
                Err(_) => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
            _ = ended.changed() => break,
        };
        while connections.try_join_next().is_some() {}
        let (certificates, router, ended) = (certificates.clone(), router.clone(), ended.clone());
        connections.spawn(async move {
            connection(stream, certificates.as_deref(), router, ended).await;
            drop(place);
        });
    }
    while connections.join_next().await.is_some() {}
}

async fn connection(
    stream: TcpStream,
    certificates: Option<&Certificates>,
    router: Router,
    mut ended: signal::Receiver<bool>,
) {
    let _ = stream.set_nodelay(true);
    let shown = KeyShown::default();
    let service = TowerToHyperService::new(router.layer(Extension(shown.clone())));
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIME_MAX);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(PING_TIME);
    // What goes wrong on one connection ends it, and its sensor opens another.
    match certificates {
        None => {
            let serving = builder.serve_connection(TokioIo::new(stream), service);
            until(serving, &shown, &mut ended).await;
        }
        Some(certificates) => {
            let shaken = timeout(HANDSHAKE_TIME_MAX, certificates.acceptor().accept(stream)).await;
            if let Ok(Ok(stream)) = shaken {
                let serving = builder.serve_connection(TokioIo::new(stream), service);
                until(serving, &shown, &mut ended).await;
            }
        }
    }
}

/// Serves a connection until its end, or until all end; one on which nobody has shown the key in time is closed.
async fn until<C: hyper_util::server::graceful::GracefulConnection>(
    serving: C,
    shown: &KeyShown,
    ended: &mut signal::Receiver<bool>,
) {
    let mut serving = std::pin::pin!(serving);
    let mut late = std::pin::pin!(tokio::time::sleep(HEAD_TIME_MAX));
    let mut may_be_late = true;
    loop {
        tokio::select! {
            _ = serving.as_mut() => return,
            () = late.as_mut(), if may_be_late => {
                if !shown.is_so() {
                    return;
                }
                may_be_late = false;
            }
            _ = ended.changed() => break,
        }
    }
    serving.as_mut().graceful_shutdown();
    let _ = serving.await;
}
