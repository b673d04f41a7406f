//! Listening: connections are accepted in one place, dealt out to the workers, and drained when it is time to go.
//!
//! Promises that a connection costs little while it is idle, that callers who are slow to ask are let go of after named
//! times, and that on a drain no new work begins while what is under way comes to its end.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime;
use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;
use tokio::time::{Instant, timeout};

use crate::limits::{
    BACKLOG, CONNECTIONS_MAX, HANDSHAKE_TIME_MAX, HEAD_BYTES_MAX, HEAD_TIME_MAX, HEADERS_MAX, STREAMS_MAX, TIDY_TIME,
};
use crate::proxy;
use crate::stats::Stats;
use crate::tls::Certificates;
use crate::trust::Peer;
use crate::worker::{Shared, Worker};

/// What is needed to listen.
#[derive(Debug)]
pub struct Listen {
    /// Where.
    pub address: SocketAddr,
    /// With which certificates; without, it is plain HTTP.
    pub certificates: Option<Arc<Certificates>>,
    /// How many workers; 0 for one a core.
    pub workers: usize,
    /// What all workers share.
    pub shared: Arc<Shared>,
}

/// The proxy, running.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    drain: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
    open: Arc<AtomicUsize>,
}

impl Running {
    /// Where it listens; tells the port when it was left to the system.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections that are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Accepts nothing more, lets what is under way come to its end for at most `patience`, and ends.
    pub fn drain(mut self, patience: Duration) {
        let _ = self.drain.send(true);
        let mut left = patience;
        let step = Duration::from_millis(20);
        while self.open() > 0 && !left.is_zero() {
            thread::sleep(step.min(left));
            left = left.saturating_sub(step);
        }
        self.stop();
    }

    fn stop(&mut self) {
        let _ = self.drain.send(true);
        let (gone, _) = watch::channel(true);
        drop(std::mem::replace(&mut self.drain, gone));
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Listens and serves.
///
/// # Errors
///
/// When the address cannot be listened on or no threads be started.
pub fn start(listen: Listen) -> io::Result<Running> {
    let workers = match listen.workers {
        0 => thread::available_parallelism().map_or(1, usize::from),
        some => some,
    };
    let (drain, drained) = watch::channel(false);
    let open = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let mut threads = Vec::new();
    let mut hands = Vec::new();
    for index in 0..workers {
        let (hand, taken) = mpsc::unbounded_channel();
        hands.push(hand);
        let shared = Arc::clone(&listen.shared);
        let (drained, open) = (drained.clone(), Arc::clone(&open));
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
            let tasks = LocalSet::new();
            tasks.block_on(&runtime, async move {
                let worker = Rc::new(Worker::new(shared, started));
                work(&worker, taken, drained, &open).await;
            });
        })?;
        threads.push(thread);
    }
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = {
        let _entered = runtime.enter();
        bind(listen.address)?
    };
    let address = listener.local_addr()?;
    let certificates = listen.certificates;
    let accepting = Arc::clone(&open);
    let stats = Arc::clone(&listen.shared.stats);
    threads.push(thread::Builder::new().name("accept".to_owned()).spawn(move || {
        runtime.block_on(accept(listener, &hands, certificates.as_deref(), drained, &accepting, &stats));
    })?);
    Ok(Running { address, drain, threads, open })
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG as u32)
}

/// A connection on its way to a worker.
struct Accepted {
    stream: std::net::TcpStream,
    address: IpAddr,
    tls: Option<tokio_rustls::TlsAcceptor>,
    counted: Counted,
}

/// Counts a connection while it is open.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(open: &Arc<AtomicUsize>) -> Counted {
        open.fetch_add(1, Ordering::Relaxed);
        Counted(Arc::clone(open))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Deals connections out to the workers in turn.
async fn accept(
    listener: TcpListener,
    hands: &[mpsc::UnboundedSender<Accepted>],
    certificates: Option<&Certificates>,
    mut drained: watch::Receiver<bool>,
    open: &Arc<AtomicUsize>,
    stats: &Stats,
) {
    for hand in hands.iter().cycle() {
        while open.load(Ordering::Relaxed) >= CONNECTIONS_MAX {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = drained.wait_for(|drained| *drained) => return,
        };
        let Ok((stream, peer)) = accepted else {
            // Too many open files, most likely: some will close.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        Stats::add(&stats.connections);
        let _ = stream.set_nodelay(true);
        let Ok(stream) = stream.into_std() else { continue };
        let tls = certificates.map(Certificates::acceptor);
        let counted = Counted::new(open);
        let _ = hand.send(Accepted { stream, address: peer.ip(), tls, counted });
    }
}

/// Serves the connections that come, until there are none left and none can come.
async fn work(
    worker: &Rc<Worker>,
    mut taken: mpsc::UnboundedReceiver<Accepted>,
    drained: watch::Receiver<bool>,
    open: &Arc<AtomicUsize>,
) {
    let mut tidies = tokio::time::interval(TIDY_TIME);
    loop {
        let accepted = tokio::select! {
            accepted = taken.recv() => accepted,
            _ = tidies.tick() => {
                worker.tidy();
                continue;
            }
        };
        let Some(accepted) = accepted else { break };
        let (worker, drained) = (Rc::clone(worker), drained.clone());
        tokio::task::spawn_local(async move { greet(worker, accepted, drained).await });
    }
    // The last ones; whoever drains decides how long they may take, by keeping the other end of `drained`.
    let mut ended = drained;
    while open.load(Ordering::Relaxed) > 0 && ended.has_changed().is_ok() {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(10)) => {}
            changed = ended.changed() => if changed.is_err() { break },
        }
    }
}

async fn greet(worker: Rc<Worker>, accepted: Accepted, drained: watch::Receiver<bool>) {
    let Accepted { stream, address, tls, counted } = accepted;
    let Ok(stream) = TcpStream::from_std(stream) else { return };
    let peer = Peer { address, certificate: None, tls: tls.is_some() };
    match tls {
        None => serve(worker, peer, stream, drained).await,
        // Apart, since a connection without TLS would take its room too.
        Some(acceptor) => Box::pin(greet_over_tls(worker, peer, acceptor, stream, drained)).await,
    }
    drop(counted);
}

async fn greet_over_tls(
    worker: Rc<Worker>,
    mut peer: Peer,
    acceptor: tokio_rustls::TlsAcceptor,
    stream: TcpStream,
    drained: watch::Receiver<bool>,
) {
    let Ok(Ok(stream)) = timeout(HANDSHAKE_TIME_MAX, acceptor.accept(stream)).await else {
        Stats::add(&worker.shared.stats.handshakes_failed);
        return;
    };
    let (_, session) = stream.get_ref();
    peer.certificate = session.peer_certificates().and_then(|chain| chain.first()).map(thumbprint);
    serve(worker, peer, stream, drained).await;
}

/// SHA-256 of a certificate, base64url, as RFC 8705 writes it.
fn thumbprint(certificate: &rustls::pki_types::CertificateDer<'_>) -> Arc<str> {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, certificate);
    URL_SAFE_NO_PAD.encode(digest.as_ref()).into()
}

/// Runs tasks of a connection on this worker.
#[derive(Clone, Copy, Debug)]
struct Here;

impl<F: Future + 'static> hyper::rt::Executor<F> for Here {
    fn execute(&self, task: F) {
        tokio::task::spawn_local(async move {
            task.await;
        });
    }
}

async fn serve<S>(worker: Rc<Worker>, peer: Peer, stream: S, mut drained: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let (worker, peer) = (Rc::clone(&worker), peer.clone());
        async move { Ok::<_, Infallible>(proxy::serve(&worker, &peer, request).await) }
    });
    let mut builder = auto::Builder::new(Here);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEAD_BYTES_MAX as u32)
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(20));
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        // How it ends is told in the counters of its requests.
        _ = connection.as_mut() => return,
        _ = drained.wait_for(|drained| *drained) => connection.as_mut().graceful_shutdown(),
    }
    // Gone when it is done, or when whoever drains has lost patience.
    tokio::select! {
        _ = connection => {}
        () = gone(drained) => {}
    }
}

/// Waits until the other end is dropped.
async fn gone(mut drained: watch::Receiver<bool>) {
    while drained.changed().await.is_ok() {}
}
