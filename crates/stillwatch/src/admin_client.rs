//! Speaks to the admin API of a running gateway.

use std::time::Duration;

use bytes::Bytes;
use exchange::Time;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use report::words::encoded;
use serde_json::Value;
use tokio::net::TcpStream;
use zeroize::Zeroizing;

use crate::cli;
use crate::data_folder;
use crate::failure::Failure;

/// How long a reply may take.
const REPLY_TIME_MAX: Duration = Duration::from_secs(30);
/// Bytes of a reply. Findings with forty thousand accounts have some ten million.
const REPLY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The admin API of a gateway.
pub(crate) struct AdminClient {
    /// Host and port.
    authority: String,
    credential: Zeroizing<String>,
}

impl AdminClient {
    /// The gateway that the flags name.
    pub(crate) fn new(server: &cli::Server) -> Result<AdminClient, Failure> {
        let (url, key_file) = match (&server.server, &server.admin_key_file) {
            (Some(url), Some(file)) => (url.clone(), file.clone()),
            (url, file) => {
                let running = data_folder::running(&server.data)?;
                let nobody = || Failure::usage("the process there has no admin API; name one by --server");
                let url = url.clone().or(running.admin).ok_or_else(nobody)?;
                (url, file.clone().unwrap_or(running.admin_key_file))
            }
        };
        let uri: Uri = url.parse().map_err(|error| Failure::usage(format!("--server `{url}`: {error}")))?;
        let authority = match (uri.scheme_str(), uri.authority()) {
            (Some("http"), Some(authority)) => authority.to_string(),
            _ => return Err(Failure::usage(format!("--server `{url}`: expected http://HOST:PORT"))),
        };
        let missing = || Failure::service(format!("there is no admin credential in `{}`", key_file.display()));
        let credential = data_folder::secret(&key_file)?.ok_or_else(missing)?;
        Ok(AdminClient { authority, credential })
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.authority)
    }

    /// Asks, and gives back what was answered.
    pub(crate) fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let failed = |error| Failure::io("a request to the gateway cannot be made", error);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        runtime.block_on(async {
            let late = |_| Failure::service(format!("the gateway at {} does not answer", self.authority));
            let (status, answer) =
                tokio::time::timeout(REPLY_TIME_MAX, self.exchange(method, path, body)).await.map_err(late)??;
            if status.is_success() {
                return Ok(answer);
            }
            let message = answer.pointer("/error/message").and_then(Value::as_str);
            let message = message.map_or_else(|| format!("the gateway answered {status}"), str::to_owned);
            Err(if status.is_client_error() { Failure::usage(message) } else { Failure::service(message) })
        })
    }

    async fn exchange(&self, method: Method, path: &str, body: Option<&Value>) -> Result<(StatusCode, Value), Failure> {
        let unreachable = |error: std::io::Error| {
            Failure::io(format!("the gateway at {} cannot be reached; is it running?", self.authority), error)
        };
        let broken = |error: hyper::Error| Failure::io(format!("the gateway at {}", self.authority), error);
        let stream = TcpStream::connect(&self.authority).await.map_err(unreachable)?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        tokio::spawn(connection);
        let bearer = Zeroizing::new(format!("Bearer {}", self.credential.as_str()));
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.authority)
            .header(AUTHORIZATION, bearer.as_str())
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body.map(Value::to_string).unwrap_or_default())));
        let request = request.map_err(|error| Failure::usage(error.to_string()))?;
        let response = sender.send_request(request).await.map_err(broken)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), REPLY_BYTES_MAX).collect().await;
        let body = body.map_err(|error| Failure::service(format!("the gateway at {}: {error}", self.authority)))?;
        Ok((status, serde_json::from_slice(&body.to_bytes()).unwrap_or(Value::Null)))
    }

    /// What time it is for the gateway.
    pub(crate) fn time(&self) -> Result<Time, Failure> {
        let status = self.ask(Method::GET, "/api/v1/status", None)?;
        let time = status.get("time").and_then(Value::as_str).and_then(|time| time.parse().ok());
        time.ok_or_else(|| Failure::service("the gateway does not say what time it is"))
    }

    /// Every item of a list that comes in parts.
    pub(crate) fn all(&self, path: &str, name: &str) -> Result<Vec<Value>, Failure> {
        let mut items = Vec::new();
        let mut after = None;
        loop {
            let sign = if path.contains('?') { '&' } else { '?' };
            let from = after.map_or_else(String::new, |id: String| format!("{sign}after={}", encoded(&id)));
            let mut part = self.ask(Method::GET, &format!("{path}{from}"), None)?;
            if let Some(Value::Array(list)) = part.get_mut(name).map(Value::take) {
                items.extend(list);
            }
            match part.get("next").and_then(Value::as_str) {
                Some(next) => after = Some(next.to_owned()),
                None => return Ok(items),
            }
        }
    }
}
