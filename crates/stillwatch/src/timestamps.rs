//! Timestamps (RFC 3161) of a ledger: an authority is asked when a checkpoint was there.
//!
//! Promises that an answer is kept only where it counts by the certificates that the operator named. Bounded by [`ANSWER_TIME_MAX`] a question.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gateway::config::Config;
use gateway::ledger::TimestampTable;
use gateway::outward;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, StatusCode, Uri};
use ledger::View;
use store::bounded::read_file;
use verify::dated::Dated;
use verify::hash::Hash;
use verify::limits::{NOTE_BYTES_MAX, TIMESTAMP_BYTES_MAX};
use verify::timestamp::{self, Authorities, NONCE_BYTES, Stamp};

use crate::failure::Failure;

/// How long an authority may take to answer. It is asked again the next time.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);

/// An authority that says when.
#[derive(Clone, Debug)]
pub(crate) struct Authority {
    url: Uri,
    /// Whose certificates vouch for what it signs.
    authorities: Authorities,
    tls: Arc<rustls::ClientConfig>,
}

impl Authority {
    /// One by its table; why it cannot be used, with the name of what is wrong.
    pub(crate) fn new(table: &TimestampTable) -> Result<Authority, (&'static str, String)> {
        // What it says is signed, so that it can be asked without TLS.
        let is_fine = |url: &Uri| {
            let is_plain = url.authority().is_some_and(|authority| !authority.as_str().contains('@'));
            is_plain && matches!(url.scheme_str(), Some("http" | "https"))
        };
        let url = table.url.parse().ok().filter(is_fine);
        let url = url.ok_or_else(|| ("url", "expected a URL such as `http://timestamp.example.com`".to_owned()))?;
        let authorities = authorities(&table.authority).map_err(|why| ("authority", why))?;
        let tls = gateway::tls::towards(None).map_err(|error| ("url", error.to_string()))?;
        Ok(Authority { url, authorities, tls: Arc::new(tls) })
    }

    /// Where it is.
    pub(crate) fn place(&self) -> &Uri {
        &self.url
    }

    async fn ask(&self, over: &Hash, nonce: [u8; NONCE_BYTES]) -> Result<(Stamp, Bytes), String> {
        let mut request = Request::new(Full::new(Bytes::from(timestamp::request(over, nonce))));
        *request.method_mut() = Method::POST;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(timestamp::REQUEST_TYPE));
        let asked = outward::ask(&self.url, &self.tls, request, TIMESTAMP_BYTES_MAX);
        let answer = tokio::time::timeout(ANSWER_TIME_MAX, asked).await;
        let (status, body) = answer.map_err(|_| "it does not answer".to_owned())?.map_err(|error| error.to_string())?;
        if status != StatusCode::OK {
            return Err(format!("it answered {status}"));
        }
        let stamp = timestamp::check_answer(&body, over, nonce, &self.authorities);
        Ok((stamp.map_err(|error| error.to_string())?, body))
    }
}

/// The authorities whose certificates a file has.
pub(crate) fn authorities(path: &Path) -> Result<Authorities, String> {
    let pem = read_file(path, NOTE_BYTES_MAX).map_err(|error| format!("`{}`: {error}", path.display()))?;
    Authorities::read(&pem).map_err(|error| format!("`{}`: {error}", path.display()))
}

/// The authority of a configuration, which stands at `path`.
pub(crate) fn configured(config: &Config, path: &Path) -> Result<Option<Authority>, Failure> {
    let table = config.ledger.timestamp.as_ref();
    table
        .map(Authority::new)
        .transpose()
        .map_err(|(key, reason)| Failure::bad_input(format!("{}: `ledger.timestamp.{key}`: {reason}", path.display())))
}

/// Has the checkpoint stamped and keeps that, unless one of as many entries was; what the timestamp says. Why not, as words, where the
/// authority gave none that counts.
pub(crate) async fn stamp(view: &View, authority: &Authority) -> Result<Option<Result<Stamp, String>>, Failure> {
    let (_, signed) = view.checkpoint().map_err(Failure::unreadable)?;
    let size = signed.tree().size;
    if size == 0 || view.dated(size, &authority.authorities).is_some() {
        return Ok(None);
    }
    let checkpoint = signed.checkpoint().to_string();
    let mut nonce = [0; NONCE_BYTES];
    aws_lc_rs::rand::fill(&mut nonce).map_err(|_| Failure::service("the machine gives no random bytes"))?;
    Ok(Some(match authority.ask(&Hash::of(&[checkpoint.as_bytes()]), nonce).await {
        Err(why) => Err(why),
        Ok((stamp, answer)) => {
            let dated = Dated { checkpoint, answer: answer.to_vec() };
            view.keep_timestamp(size, &dated).map_err(Failure::unreadable)?;
            Ok(stamp)
        }
    }))
}
