//! Webhooks: a POST of JSON, signed in the way of Standard Webhooks 1.0.0.
//!
//! Promises that whoever has the key can tell that an alert came from here, when it was sent, and that nobody changed it. Redirections are not
//! followed, and of the answer nothing but its status counts.

use std::io;
use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use exchange::Time;
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_util::either::Either;
use zeroize::Zeroizing;

use crate::limits::{KEY_BYTES_MAX, KEY_BYTES_MIN};
use crate::send::failed::Failed;

/// What a key may begin with, so that it is known for one.
const KEY_BEGINNING: &str = "whsec_";

/// What alerts are signed with; never shown.
pub struct Key(Zeroizing<Vec<u8>>);

impl std::fmt::Debug for Key {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("a key")
    }
}

/// The text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {KEY_BYTES_MIN} to {KEY_BYTES_MAX} bytes in base64, with or without `{KEY_BEGINNING}` in front")]
pub struct NoKey;

impl Key {
    /// A key as it stands in a file.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn read(text: &str) -> Result<Key, NoKey> {
        let text = text.trim_end_matches(['\r', '\n']);
        let text = text.strip_prefix(KEY_BEGINNING).unwrap_or(text);
        let bytes = Zeroizing::new(STANDARD.decode(text).map_err(|_| NoKey)?);
        if (KEY_BYTES_MIN..=KEY_BYTES_MAX).contains(&bytes.len()) { Ok(Key(bytes)) } else { Err(NoKey) }
    }

    /// The value of `webhook-signature`.
    fn signature(&self, id: &str, timestamp: &str, body: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        let mut context = hmac::Context::with_key(&key);
        for part in [id, ".", timestamp, ".", body] {
            context.update(part.as_bytes());
        }
        format!("v1,{}", STANDARD.encode(context.sign()))
    }
}

/// A URL that takes alerts.
pub struct Webhook {
    url: Uri,
    key: Key,
    tls: Arc<rustls::ClientConfig>,
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Some have a secret in their path.
        out.write_str("a webhook")
    }
}

impl Webhook {
    /// One at a URL that begins with `http://` or `https://`; `tls` is how TLS is spoken there.
    #[must_use]
    pub fn new(url: Uri, key: Key, tls: Arc<rustls::ClientConfig>) -> Webhook {
        Webhook { url, key, tls }
    }

    /// Brings a body there.
    ///
    /// # Errors
    ///
    /// When it was not taken.
    pub async fn send(&self, id: &str, body: &str, version: &str, now: Time) -> Result<(), Failed> {
        let request = self.request(id, body, version, now).map_err(|_| Failed::ForGood("no request".to_owned()))?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(self.connect().await?)).await.map_err(io::Error::other)?;
        let asked = async { sender.send_request(request).await.map(|response| response.status()) };
        tokio::pin!(connection, asked);
        let status: Result<StatusCode, hyper::Error> = tokio::select! {
            status = asked.as_mut() => status,
            // It may have ended with the answer's last byte.
            _ = connection => asked.await,
        };
        let status = status.map_err(io::Error::other)?;
        if status.is_success() { Ok(()) } else { Err(Failed::Status(status.as_u16())) }
    }

    fn request(
        &self,
        id: &str,
        body: &str,
        version: &str,
        now: Time,
    ) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
        let timestamp = now.seconds().to_string();
        let path = self.url.path_and_query().map_or("/", |path| path.as_str());
        let authority = self.url.authority().map_or("", |authority| authority.as_str());
        Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(HOST, authority)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header(USER_AGENT, format!("stillwatch/{version}"))
            .header(HeaderName::from_static("webhook-id"), id)
            .header(HeaderName::from_static("webhook-timestamp"), timestamp.as_str())
            .header(HeaderName::from_static("webhook-signature"), self.key.signature(id, &timestamp, body))
            .body(Full::new(Bytes::copy_from_slice(body.as_bytes())))
    }

    async fn connect(&self) -> io::Result<Either<TcpStream, tokio_rustls::client::TlsStream<TcpStream>>> {
        let host = self.url.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let is_tls = self.url.scheme_str() == Some("https");
        let socket = TcpStream::connect((host, self.url.port_u16().unwrap_or(if is_tls { 443 } else { 80 }))).await?;
        if !is_tls {
            return Ok(Either::Left(socket));
        }
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        Ok(Either::Right(TlsConnector::from(Arc::clone(&self.tls)).connect(name, socket).await?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_the_specification() {
        // The example of the specification's libraries.
        let key = Key::read("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
        let signature = key.signature("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", "{\"test\": 2432232314}");
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(format!("{key:?}"), "a key");
    }

    #[test]
    fn a_key_has_so_many_bytes() {
        for (bytes, is_key) in
            [(KEY_BYTES_MIN - 1, false), (KEY_BYTES_MIN, true), (KEY_BYTES_MAX, true), (KEY_BYTES_MAX + 1, false)]
        {
            assert_eq!(Key::read(&STANDARD.encode(vec![7; bytes])).is_ok(), is_key, "{bytes}");
        }
        assert!(Key::read("a word and no base64, though long enough").is_err());
    }
}
