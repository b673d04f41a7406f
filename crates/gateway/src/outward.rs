//! One request to a service that the operator named, over HTTP/1.1, with TLS or without.
//!
//! Promises that redirections are not followed, and that an answer is read up to a length that the caller names. How long it may take is for the
//! caller to say.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_util::either::Either;

/// The host of a URL, an address without its brackets.
pub(crate) fn host(uri: &Uri) -> Option<&str> {
    uri.host().map(|host| host.trim_start_matches('[').trim_end_matches(']'))
}

/// Sends a request to `uri` and reads an answer of at most `bytes_max`.
///
/// # Errors
///
/// When nobody answers, or with more.
pub async fn ask(
    uri: &Uri,
    tls: &Arc<rustls::ClientConfig>,
    request: Request<Full<Bytes>>,
    bytes_max: usize,
) -> io::Result<(StatusCode, Bytes)> {
    let answer = answer(uri, tls, request, bytes_max).await?;
    Ok((answer.status(), answer.into_body()))
}

/// The same, with the headers of the answer.
///
/// # Errors
///
/// As [`ask`].
pub async fn answer(
    uri: &Uri,
    tls: &Arc<rustls::ClientConfig>,
    mut request: Request<Full<Bytes>>,
    bytes_max: usize,
) -> io::Result<Response<Bytes>> {
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(connect(uri, tls).await?)).await.map_err(io::Error::other)?;
    let asked = async {
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = path.parse().map_err(io::Error::other)?;
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        request.headers_mut().insert(HOST, HeaderValue::from_str(authority).map_err(io::Error::other)?);
        let (head, body) = sender.send_request(request).await.map_err(io::Error::other)?.into_parts();
        let body = Limited::new(body, bytes_max).collect().await.map_err(io::Error::other)?;
        Ok(Response::from_parts(head, body.to_bytes()))
    };
    tokio::pin!(connection, asked);
    tokio::select! {
        answer = asked.as_mut() => answer,
        // It may have ended with the answer's last byte.
        _ = connection => asked.await,
    }
}

async fn connect(
    uri: &Uri,
    tls: &Arc<rustls::ClientConfig>,
) -> io::Result<Either<TcpStream, tokio_rustls::client::TlsStream<TcpStream>>> {
    let host = host(uri).unwrap_or_default();
    let is_tls = uri.scheme_str() == Some("https");
    let socket = TcpStream::connect((host, uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 }))).await?;
    if !is_tls {
        return Ok(Either::Left(socket));
    }
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    Ok(Either::Right(TlsConnector::from(Arc::clone(tls)).connect(name, socket).await?))
}
