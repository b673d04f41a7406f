//! A store of objects that answers as S3 does, as far as a lake asks, and fails now and then.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

type Objects = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

/// A store on a port of its own.
pub(crate) struct Bucket {
    address: String,
    objects: Objects,
    asked: Arc<AtomicUsize>,
}

/// One in so many requests is answered by 503.
const FAILS_EVERY: usize = 7;
/// Objects that are listed at once.
const LISTED: usize = 20;

impl Bucket {
    pub(crate) fn start() -> Bucket {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let (objects, asked) = (Objects::default(), Arc::new(AtomicUsize::new(0)));
        let bucket = Bucket { address, objects: Arc::clone(&objects), asked: Arc::clone(&asked) };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let is_failing = asked.fetch_add(1, Ordering::Relaxed) % FAILS_EVERY == FAILS_EVERY - 1;
                // Whoever hangs up hears nothing.
                let _ = answer(stream, &objects, is_failing);
            }
        });
        bucket
    }

    /// What the environment says of it.
    pub(crate) fn environment(&self) -> [(&'static str, String); 3] {
        [
            ("AWS_ENDPOINT_URL", format!("http://{}", self.address)),
            ("AWS_ACCESS_KEY_ID", "testing".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "a secret that nobody sees".to_owned()),
        ]
    }

    pub(crate) fn put(&self, name: &str, bytes: &[u8]) {
        self.objects.lock().expect("objects").insert(name.to_owned(), bytes.to_vec());
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.objects.lock().expect("objects").keys().cloned().collect()
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

fn answer(stream: TcpStream, objects: &Objects, is_failing: bool) -> std::io::Result<()> {
    let mut input = BufReader::new(stream);
    let mut line = String::new();
    input.read_line(&mut line)?;
    let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    let (method, target) = (words.first().cloned().unwrap_or_default(), words.get(1).cloned().unwrap_or_default());
    let mut headers = BTreeMap::new();
    loop {
        line.clear();
        input.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    input.read_exact(&mut body)?;
    let (status, answer) = if is_failing {
        ("503 Service Unavailable", b"<Error><Code>SlowDown</Code></Error>".to_vec())
    } else {
        answered(&method, &target, &headers, body, objects)
    };
    let mut output = input.into_inner();
    write!(output, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", answer.len())?;
    output.write_all(&answer)
}

fn answered(
    method: &str,
    target: &str,
    headers: &BTreeMap<String, String>,
    body: Vec<u8>,
    objects: &Objects,
) -> (&'static str, Vec<u8>) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if !query.contains("X-Amz-Signature=") {
        return ("403 Forbidden", b"<Error><Code>AccessDenied</Code></Error>".to_vec());
    }
    let name = path.trim_start_matches("/lakes").trim_start_matches('/').replace("%3D", "=");
    let mut objects = objects.lock().expect("objects");
    match method {
        "GET" if name.is_empty() => ("200 OK", listing(query, &objects).into_bytes()),
        "GET" => match objects.get(&name) {
            None => ("404 Not Found", b"<Error><Code>NoSuchKey</Code></Error>".to_vec()),
            Some(bytes) => match headers.get("range").and_then(|range| range.strip_prefix("bytes=")?.split_once('-')) {
                None => ("200 OK", bytes.clone()),
                Some((from, to)) => {
                    let (from, to): (usize, usize) = (from.parse().expect("a number"), to.parse().expect("a number"));
                    ("206 Partial Content", bytes.get(from..=to.min(bytes.len() - 1)).unwrap_or_default().to_vec())
                }
            },
        },
        "PUT" if headers.contains_key("if-none-match") && objects.contains_key(&name) => {
            ("412 Precondition Failed", b"<Error><Code>PreconditionFailed</Code></Error>".to_vec())
        }
        "PUT" => {
            objects.insert(name, body);
            ("200 OK", Vec::new())
        }
        _ => {
            objects.remove(&name);
            ("204 No Content", Vec::new())
        }
    }
}

fn listing(query: &str, objects: &BTreeMap<String, Vec<u8>>) -> String {
    let value = |name: &str| {
        let all = query.split('&').filter_map(|pair| pair.split_once('='));
        all.filter(|(other, _)| *other == name).map(|(_, value)| value.replace("%2F", "/").replace("%3D", "=")).next()
    };
    let (prefix, after) = (value("prefix").unwrap_or_default(), value("continuation-token").unwrap_or_default());
    let fits = |name: &&String| name.starts_with(&prefix) && **name > after;
    let mut names = objects.keys().filter(fits);
    let listed: Vec<&String> = names.by_ref().take(LISTED).collect();
    let contents: String = listed
        .iter()
        .map(|name| format!(
            "<Contents><Key>{name}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>\"x\"</ETag><Size>{}</Size><StorageClass>STANDARD</StorageClass></Contents>",
            objects.get(*name).map_or(0, Vec::len)
        ))
        .collect();
    let more = match (names.next(), listed.last()) {
        (Some(_), Some(last)) => {
            format!("<IsTruncated>true</IsTruncated><NextContinuationToken>{last}</NextContinuationToken>")
        }
        _ => "<IsTruncated>false</IsTruncated>".to_owned(),
    };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>lakes</Name><MaxKeys>1000</MaxKeys>{more}{contents}</ListBucketResult>"
    )
}
