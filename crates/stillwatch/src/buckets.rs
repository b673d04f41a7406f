//! Lakes in S3-compatible stores: `s3://BUCKET/FOLDER`, with the endpoint and the credentials of the environment, as other tools take them.
//!
//! Promises that what fails by the way is tried again, so many times; that an object is read only by ranges that are needed; and that the lock is
//! one that the store itself gives to one alone. Credentials are neither shown nor written down.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use gateway::lake::STORE;
use gateway::outward;
use http_body_util::Full;
use hyper::header::{IF_NONE_MATCH, RANGE};
use hyper::{Method, Request, StatusCode, Uri};
use lake::objects::{Held, Object, Objects, Stored};
use rusty_s3::actions::{ListObjectsV2, S3Action};
use rusty_s3::{Bucket, Credentials, UrlStyle};
use tokio::runtime::Runtime;

use crate::log::say;

const LOCK: &str = "_lock";
const REGION: &str = "us-east-1";
/// How long a signed request may be used.
const SIGNED_TIME: Duration = Duration::from_secs(900);
/// How long an answer may take.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(300);
/// How long it is waited before what failed is tried again; as many times as there are of these.
const TRIED_AGAIN_AFTER: [Duration; 3] = [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(5)];
/// Bytes that are read of an object at least, as each request takes its time.
const AHEAD_BYTES: usize = 1024 * 1024;
/// Bytes of an answer that lists objects.
const LISTING_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes of an answer that has nothing to say.
const SHORT_BYTES_MAX: usize = 1024 * 1024;

/// Objects in a store.
#[derive(Clone)]
pub(crate) struct Store(Arc<Inner>);

struct Inner {
    bucket: Bucket,
    credentials: Option<Credentials>,
    /// What the names of all objects begin with; ends with a stroke, or is empty.
    prefix: String,
    tls: Arc<rustls::ClientConfig>,
    runtime: Mutex<Runtime>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "the store at {}", self.place())
    }
}

/// A variable of the environment that is set to something.
#[expect(
    clippy::disallowed_methods,
    reason = "where a store is and who may use it is told as every other tool for such stores is told"
)]
fn variable(names: &[&str]) -> Option<String> {
    let set = names.iter().filter_map(std::env::var_os).filter_map(|value| value.into_string().ok());
    set.into_iter().find(|value| !value.is_empty())
}

impl Store {
    /// The store that a place names.
    pub(crate) fn open(place: &Path) -> io::Result<Store> {
        let wrong = |why: &str| io::Error::other(format!("`{}`: {why}", place.display()));
        let named = place.to_str().and_then(|place| place.strip_prefix(STORE));
        let named = named.ok_or_else(|| wrong("expected s3://BUCKET/FOLDER"))?;
        let (bucket, folder) = named.split_once('/').unwrap_or((named, ""));
        let folder = folder.trim_matches('/');
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let region = variable(&["AWS_REGION", "AWS_DEFAULT_REGION"]).unwrap_or_else(|| REGION.to_owned());
        let endpoint = variable(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]);
        let style = if endpoint.is_some() { UrlStyle::Path } else { UrlStyle::VirtualHost };
        let endpoint = endpoint.unwrap_or_else(|| format!("https://s3.{region}.amazonaws.com"));
        let endpoint =
            endpoint.parse().map_err(|_| wrong("AWS_ENDPOINT_URL: expected a URL such as https://s3.example.com"))?;
        let bucket = Bucket::new(endpoint, style, bucket.to_owned(), region);
        let bucket = bucket.map_err(|error| wrong(&error.to_string()))?;
        let tls = gateway::tls::towards(variable(&["AWS_CA_BUNDLE"]).map(PathBuf::from).as_deref());
        let tls = Arc::new(tls.map_err(|error| wrong(&error.to_string()))?);
        let runtime = Mutex::new(tokio::runtime::Builder::new_current_thread().enable_all().build()?);
        Ok(Store(Arc::new(Inner { bucket, credentials: Credentials::from_env(), prefix, tls, runtime })))
    }

    fn named(&self, name: &str) -> String {
        format!("{}{name}", self.0.prefix)
    }

    /// Does what was signed, again where it failed by the way; `sign` signs it anew.
    fn ask(&self, sign: &dyn Fn(&Inner) -> (Method, String), more: &Asked) -> io::Result<(StatusCode, Bytes)> {
        let mut waits = TRIED_AGAIN_AFTER.iter();
        loop {
            let answer = self.ask_once(sign, more);
            let is_lost = match &answer {
                Ok((status, _)) => status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS,
                Err(_) => true,
            };
            let Some(wait) = waits.next().filter(|_| is_lost) else { return answer };
            std::thread::sleep(*wait);
        }
    }

    fn ask_once(&self, sign: &dyn Fn(&Inner) -> (Method, String), more: &Asked) -> io::Result<(StatusCode, Bytes)> {
        let (method, url) = sign(&self.0);
        let uri: Uri = url.parse().map_err(io::Error::other)?;
        let mut request = Request::builder().method(method);
        if let Some((start, length)) = more.range {
            request = request.header(RANGE, format!("bytes={start}-{}", start + length as u64 - 1));
        }
        if more.only_new {
            request = request.header(IF_NONE_MATCH, "*");
        }
        let request = request.body(Full::new(more.body.clone())).map_err(io::Error::other)?;
        let runtime = self.0.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        runtime.block_on(async {
            let asked = outward::ask(&uri, &self.0.tls, request, more.bytes_max);
            let answer = tokio::time::timeout(ANSWER_TIME_MAX, asked).await;
            answer.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
        })
    }

    fn get(&self, name: &str, range: Option<(u64, usize)>, bytes_max: usize) -> io::Result<Option<Bytes>> {
        let object = self.named(name);
        let sign = |inner: &Inner| {
            let action = inner.bucket.get_object(inner.credentials.as_ref(), &object);
            (Method::GET, action.sign(SIGNED_TIME).to_string())
        };
        let (status, body) = self.ask(&sign, &Asked { range, bytes_max, ..Asked::default() })?;
        match status {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => Ok(Some(body)),
            StatusCode::NOT_FOUND => Ok(None),
            status => Err(refused(status, &body)),
        }
    }

    /// Writes an object; whether it did, which one that is to be new does not where there is one.
    fn put(&self, name: &str, bytes: Bytes, only_new: bool) -> io::Result<bool> {
        let object = self.named(name);
        let sign = |inner: &Inner| {
            let mut action = inner.bucket.put_object(inner.credentials.as_ref(), &object);
            if only_new {
                action.headers_mut().insert(IF_NONE_MATCH.as_str(), "*");
            }
            (Method::PUT, action.sign(SIGNED_TIME).to_string())
        };
        let asked = Asked { body: bytes, only_new, bytes_max: SHORT_BYTES_MAX, ..Asked::default() };
        let (status, body) = self.ask(&sign, &asked)?;
        match status {
            status if status.is_success() => Ok(true),
            StatusCode::PRECONDITION_FAILED | StatusCode::CONFLICT if only_new => Ok(false),
            status => Err(refused(status, &body)),
        }
    }
}

/// What is asked for besides what is signed.
#[derive(Default)]
struct Asked {
    body: Bytes,
    range: Option<(u64, usize)>,
    only_new: bool,
    bytes_max: usize,
}

/// That the store does not do it, with its own word for why.
fn refused(status: StatusCode, body: &[u8]) -> io::Error {
    let text = String::from_utf8_lossy(body);
    let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>")).map(|(code, _)| code);
    let code = code.filter(|code| code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let advice = match status {
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => {
            "; AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY name the credentials"
        }
        StatusCode::NOT_FOUND | StatusCode::MOVED_PERMANENTLY => {
            "; AWS_ENDPOINT_URL and AWS_REGION say where the store is"
        }
        _ => "",
    };
    io::Error::other(format!(
        "the store answered {status}{}{advice}",
        code.map(|code| format!(" ({code})")).unwrap_or_default()
    ))
}

impl Objects for Store {
    fn place(&self) -> String {
        format!("{STORE}{}/{}", self.0.bucket.name(), self.0.prefix.trim_end_matches('/'))
    }

    fn list(&self) -> io::Result<Vec<Object>> {
        let (mut objects, mut token) = (Vec::new(), None::<String>);
        loop {
            let sign = |inner: &Inner| {
                let mut action = inner.bucket.list_objects_v2(inner.credentials.as_ref());
                action.with_prefix(inner.prefix.as_str());
                if let Some(token) = &token {
                    action.with_continuation_token(token.clone());
                }
                (Method::GET, action.sign(SIGNED_TIME).to_string())
            };
            let (status, body) = self.ask(&sign, &Asked { bytes_max: LISTING_BYTES_MAX, ..Asked::default() })?;
            if status != StatusCode::OK {
                return Err(refused(status, &body));
            }
            let text = std::str::from_utf8(&body).map_err(io::Error::other)?;
            let listed = ListObjectsV2::parse_response(text).map_err(io::Error::other)?;
            for content in listed.contents {
                let name = content.key.strip_prefix(&self.0.prefix).filter(|name| *name != LOCK && !name.is_empty());
                objects
                    .extend(name.map(|name| Object { name: name.to_owned(), bytes: content.size.unwrap_or_default() }));
            }
            token = listed.next_continuation_token;
            if token.is_none() {
                objects.sort_by(|a, b| a.name.cmp(&b.name));
                return Ok(objects);
            }
        }
    }

    fn read(&self, name: &str, bytes_max: usize) -> io::Result<Option<Vec<u8>>> {
        self.get(name, None, bytes_max).map(|bytes| bytes.map(Vec::from))
    }

    fn open(&self, name: &str, bytes: u64) -> io::Result<(Box<dyn Stored>, u64)> {
        let ahead = Mutex::new((0, Bytes::new()));
        Ok((Box::new(InStore { store: self.clone(), name: name.to_owned(), bytes, ahead }), bytes))
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.put(name, Bytes::copy_from_slice(bytes), false).map(drop)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let object = self.named(name);
        let sign = |inner: &Inner| {
            let action = inner.bucket.delete_object(inner.credentials.as_ref(), &object);
            (Method::DELETE, action.sign(SIGNED_TIME).to_string())
        };
        let (status, body) = self.ask(&sign, &Asked { bytes_max: SHORT_BYTES_MAX, ..Asked::default() })?;
        if status.is_success() || status == StatusCode::NOT_FOUND { Ok(()) } else { Err(refused(status, &body)) }
    }

    fn lock(&self) -> io::Result<Box<dyn Held>> {
        let mut random = [0; 16];
        aws_lc_rs::rand::fill(&mut random).map_err(|_| io::Error::other("the machine gives no random bytes"))?;
        let since = crate::clock::now().map(|now| now.to_string()).unwrap_or_default();
        let mine = format!("{:032x} since {since}", u128::from_be_bytes(random));
        if !self.put(LOCK, Bytes::from(mine.clone()), true)? {
            // It may be ours, where the answer was lost by the way.
            let there = self.read(LOCK, SHORT_BYTES_MAX)?.unwrap_or_default();
            if there != mine.as_bytes() {
                let there = String::from_utf8_lossy(&there);
                let since = there.split_once(" since ").map_or("", |(_, since)| since);
                return Err(io::Error::other(format!(
                    "another process changes the lake, since {}; where that one was killed, `stillwatch lake unlock` removes its lock",
                    report::words::printable(since, 40)
                )));
            }
        }
        Ok(Box::new(Lock(self.clone())))
    }

    fn unlock(&self) -> io::Result<bool> {
        let was_there = self.read(LOCK, SHORT_BYTES_MAX)?.is_some();
        self.remove(LOCK).map(|()| was_there)
    }
}

/// Held until it is dropped.
struct Lock(Store);

impl Held for Lock {}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Err(error) = self.0.remove(LOCK) {
            say(&format!("the lock of {} stays: {error}; `stillwatch lake unlock` removes it", self.0.place()));
        }
    }
}

/// An object of which parts are read, some bytes ahead.
#[derive(Debug)]
struct InStore {
    store: Store,
    name: String,
    bytes: u64,
    /// Where what was read begins, and what it is.
    ahead: Mutex<(u64, Bytes)>,
}

impl Stored for InStore {
    fn read_at(&self, start: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        let part = |(begins, bytes): &(u64, Bytes)| {
            let from = usize::try_from(start.checked_sub(*begins)?).ok()?;
            bytes.get(from..from.checked_add(length)?).map(<[u8]>::to_vec)
        };
        if let Some(part) = part(&ahead) {
            return Ok(part);
        }
        let left = self.bytes.saturating_sub(start);
        // What is asked for at the end is followed by what stands before it.
        let is_end = start + length as u64 >= self.bytes;
        let (begin, wanted) = if is_end && length < AHEAD_BYTES {
            let begin = self.bytes.saturating_sub(AHEAD_BYTES as u64);
            (begin, self.bytes - begin)
        } else {
            (start, left.min(length.max(AHEAD_BYTES) as u64))
        };
        let wanted = usize::try_from(wanted).map_err(io::Error::other)?;
        if wanted == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let bytes = self.store.get(&self.name, Some((begin, wanted)), wanted)?.ok_or(io::ErrorKind::NotFound)?;
        *ahead = (begin, bytes);
        part(&ahead).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}
