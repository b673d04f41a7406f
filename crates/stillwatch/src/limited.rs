//! Serves the console and the admin API: so many connections and no more, so that whoever opens many takes no files from the gateway, and none on
//! which nothing comes.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1::Builder;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot};
use tower_http::timeout::RequestBodyTimeoutLayer;

/// How much is served at once, and for how long nothing may come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Connections at once; further ones wait until one ends.
    connections: usize,
    /// How long the head of a request may take, and a connection be open between two. Then it is closed.
    head: Duration,
    /// How long nothing of a body may come. Then it is refused.
    pause: Duration,
}

pub(crate) const LIMITS: Limits =
    Limits { connections: 1_024, head: Duration::from_secs(30), pause: Duration::from_secs(30) };

/// How long no connection is taken after one could not be: too many files are open, most likely.
const RETRY_TIME: Duration = Duration::from_millis(100);

/// Serves until it is told to end, and then until nothing is under way.
pub(crate) async fn serve(listener: TcpListener, router: Router, limits: Limits, ended: oneshot::Receiver<()>) {
    let router = router.layer(RequestBodyTimeoutLayer::new(limits.pause));
    let places = Arc::new(Semaphore::new(limits.connections));
    let under_way = GracefulShutdown::new();
    let mut ended = pin!(ended);
    loop {
        let next = async {
            // They are never closed; without one nobody is let in.
            let place = Arc::clone(&places).acquire_owned().await.ok()?;
            Some((listener.accept().await, place))
        };
        let next = tokio::select! {
            next = next => next,
            _ = ended.as_mut() => None,
        };
        let Some((accepted, place)) = next else { break };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(RETRY_TIME).await;
            continue;
        };
        let service = TowerToHyperService::new(router.clone());
        let mut builder = Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(limits.head);
        let connection = under_way.watch(builder.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            // How it ends is for its caller to see.
            let _ = connection.await;
            drop(place);
        });
    }
    drop(listener);
    under_way.shutdown().await;
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::body::Bytes;
    use axum::routing::post;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;
    use tokio::task::JoinHandle;
    use tokio::time::timeout;

    use super::*;

    const SHORT: Duration = Duration::from_millis(100);
    /// Nothing takes as long here.
    const LONG: Duration = Duration::from_secs(60);

    /// One that answers with how many bytes came.
    async fn served(limits: Limits) -> (SocketAddr, oneshot::Sender<()>, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", post(|body: Bytes| async move { body.len().to_string() }));
        let (end, ended) = oneshot::channel();
        (address, end, tokio::spawn(serve(listener, router, limits, ended)))
    }

    async fn sent(address: SocketAddr, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    /// What was answered until the connection ended.
    async fn answered(stream: &mut TcpStream) -> String {
        let mut text = String::new();
        let _ = timeout(LONG, stream.read_to_string(&mut text)).await.unwrap();
        text
    }

    const HEAD: &str = "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 3\r\n\r\n";

    #[tokio::test]
    async fn so_many_connections_and_no_more() {
        let (address, _end, _served) = served(Limits { connections: 2, head: LONG, pause: LONG }).await;
        let mut first = sent(address, "").await;
        let mut second = sent(address, &format!("{HEAD}abc")).await;
        assert!(answered(&mut second).await.starts_with("HTTP/1.1 200"));
        let _held = sent(address, "").await;
        let mut third = sent(address, &format!("{HEAD}abc")).await;
        assert!(timeout(SHORT * 3, third.read_u8()).await.is_err(), "both places are taken");
        first.shutdown().await.unwrap();
        assert!(answered(&mut third).await.starts_with("HTTP/1.1 200"));
    }

    #[tokio::test]
    async fn nobody_holds_a_connection_on_which_nothing_comes() {
        let (address, _end, _served) = served(Limits { connections: 9, head: SHORT, pause: LONG }).await;
        for begun in ["", "POST / HTTP/1.1\r\nhost"] {
            assert!(!answered(&mut sent(address, begun).await).await.contains("200"), "{begun}");
        }
        let (address, _end, _served) = served(Limits { connections: 9, head: LONG, pause: SHORT }).await;
        let refused = answered(&mut sent(address, &format!("{HEAD}ab")).await).await;
        assert!(refused.starts_with("HTTP/1.1 4"), "{refused}");
    }

    #[tokio::test]
    async fn what_is_under_way_comes_to_its_end() {
        let (address, end, served) = served(Limits { connections: 9, head: LONG, pause: LONG }).await;
        let mut under_way = sent(address, &format!("{HEAD}ab")).await;
        tokio::time::sleep(SHORT).await;
        end.send(()).unwrap();
        assert!(timeout(LONG, async { while TcpStream::connect(address).await.is_ok() {} }).await.is_ok());
        under_way.write_all(b"c").await.unwrap();
        assert!(answered(&mut under_way).await.starts_with("HTTP/1.1 200"));
        timeout(LONG, served).await.unwrap().unwrap();
    }
}
