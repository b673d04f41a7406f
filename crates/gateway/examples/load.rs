//! Both ends of a measurement of proxies: a server that answers at once, and callers that time it through each proxy.
//!
//! Does as little as can be between two reads of the clock, so that what is measured is what lies between. Understands no
//! more HTTP than proxies write: a head, then `content-length` or chunks. `peers/gateways/run` drives it.

use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::Instant;

type Fallible<T> = Result<T, Box<dyn Error>>;

const USAGE: &str = "usage:
  load serve                                        answers on a free port of loopback, and prints where
  load body BYTES [--stream]                        prints the body of a request
  load latency KEY BYTES COUNT [--stream] ADDRESS…  times requests, one after the other, in turn over the addresses
  load streams KEY COUNT ADDRESS                    holds streams open until its input ends";

/// Events of a streamed reply, written one by one without a pause.
const EVENTS: usize = 100;
/// Bytes of a whole reply.
const REPLY_BYTES: usize = 1_100;
/// In a request that is to be held open after its first event.
const HOLD: &str = "hold the line";
const WAIT_MAX: Duration = Duration::from_secs(60);

fn main() -> Fallible<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let streamed = arguments.iter().any(|argument| argument == "--stream");
    let words: Vec<&str> = arguments.iter().map(String::as_str).filter(|word| *word != "--stream").collect();
    match words.as_slice() {
        ["serve"] => tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(serve()),
        ["body", bytes] => {
            print!("{}", body(bytes.parse()?, streamed, ""));
            Ok(())
        }
        ["latency", key, bytes, count, addresses @ ..] if !addresses.is_empty() => {
            latency(addresses, key, &body(bytes.parse()?, streamed, ""), count.parse()?)
        }
        ["streams", key, count, address] => streams(address, key, count.parse()?),
        _ => Err(USAGE.into()),
    }
}

/// A request for a chat completion of about `bytes` bytes.
fn body(bytes: usize, streamed: bool, more: &str) -> String {
    let frame = |text: &str| {
        format!(
            r#"{{"model":"mock-1","stream":{streamed},"max_tokens":256,"messages":[{{"role":"user","content":"{more}{text}"}}]}}"#
        )
    };
    let room = bytes.saturating_sub(frame("").len());
    frame(&"The quick brown fox jumps over the lazy dog. ".chars().cycle().take(room).collect::<String>())
}

async fn serve() -> Fallible<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("{}", listener.local_addr()?);
    let whole = whole_reply();
    let events: Vec<Vec<u8>> = (0..EVENTS).map(event).collect();
    let (whole, events): (&'static [u8], &'static [Vec<u8>]) = (whole.leak(), events.leak());
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            // A caller that leaves ends its connection, and nothing else.
            let _ = answer(stream, whole, events).await;
        });
    }
}

async fn answer(mut stream: tokio::net::TcpStream, whole: &[u8], events: &[Vec<u8>]) -> std::io::Result<()> {
    const STREAM_HEAD: &[u8] =
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let mut read = Vec::with_capacity(64 * 1024);
    loop {
        let message = loop {
            if let Some(end) = message_end(&read) {
                break end;
            }
            if stream.read_buf(&mut read).await? == 0 {
                return Ok(());
            }
        };
        let request = read.get(..message).unwrap_or_default();
        let has = |text: &str| memchr::memmem::find(request, text.as_bytes()).is_some();
        if has(HOLD) {
            stream.write_all(STREAM_HEAD).await?;
            if let Some(first) = events.first() {
                stream.write_all(first).await?;
            }
            // Until the caller leaves.
            while stream.read_buf(&mut read).await? > 0 {}
            return Ok(());
        } else if has("\"stream\":true") {
            stream.write_all(STREAM_HEAD).await?;
            for event in events {
                stream.write_all(event).await?;
            }
            stream.write_all(b"0\r\n\r\n").await?;
        } else {
            stream.write_all(whole).await?;
        }
        read.drain(..message);
    }
}

fn whole_reply() -> Vec<u8> {
    let frame = |text: &str| {
        format!(
            r#"{{"id":"chatcmpl-1","object":"chat.completion","created":1760000000,"model":"mock-1","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}"}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":300,"completion_tokens":200,"total_tokens":500}}}}"#
        )
    };
    let body = frame(&"x".repeat(REPLY_BYTES.saturating_sub(frame("").len())));
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}

/// One event, as a chunk.
fn event(index: usize) -> Vec<u8> {
    let data = if index + 1 == EVENTS {
        "data: [DONE]\n\n".to_owned()
    } else {
        format!(
            "data: {{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1760000000,\"model\":\"mock-1\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"word {index} \"}},\"finish_reason\":null}}]}}\n\n"
        )
    };
    format!("{:x}\r\n{data}\r\n", data.len()).into_bytes()
}

/// Where the first message ends, if all of it is there.
fn message_end(read: &[u8]) -> Option<usize> {
    let head = memchr::memmem::find(read, b"\r\n\r\n")?.checked_add(4)?;
    let text = std::str::from_utf8(read.get(..head)?).ok()?.to_ascii_lowercase();
    if text.contains("transfer-encoding: chunked") {
        // No event has an empty chunk's bytes within it.
        let rest = read.get(head..)?;
        return memchr::memmem::find(rest, b"0\r\n\r\n")
            .filter(|at| *at == 0 || rest.get(at - 1) == Some(&b'\n'))
            .map(|at| head + at + 5);
    }
    let length = match text.split_once("content-length:") {
        Some((_, rest)) => rest.lines().next()?.trim().parse().ok()?,
        None => 0_usize,
    };
    head.checked_add(length).filter(|end| *end <= read.len())
}

/// A caller on one connection.
struct Caller {
    stream: TcpStream,
    request: Vec<u8>,
    read: Vec<u8>,
    /// Nanoseconds until the first bytes of each reply's body, and until its end.
    first: Vec<u64>,
    whole: Vec<u64>,
}

impl Caller {
    fn new(address: &str, key: &str, body: &str) -> Fallible<Caller> {
        let address: SocketAddr =
            address.parse().map_err(|_| format!("`{address}` is no address such as 127.0.0.1:80"))?;
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(WAIT_MAX))?;
        let request = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let read = Vec::with_capacity(64 * 1024);
        Ok(Caller { stream, request: request.into_bytes(), read, first: Vec::new(), whole: Vec::new() })
    }

    /// Asks, and waits for the first event.
    fn open(&mut self) -> Fallible<()> {
        self.stream.write_all(&self.request)?;
        let mut piece = [0; 4096];
        while memchr::memmem::find(&self.read, b"data: ").is_none() {
            let bytes = self.stream.read(&mut piece)?;
            self.read.extend_from_slice(piece.get(..bytes).filter(|piece| !piece.is_empty()).ok_or("it was closed")?);
        }
        Ok(())
    }

    fn ask(&mut self) -> Fallible<()> {
        self.read.clear();
        let mut piece = [0; 64 * 1024];
        let asked = Instant::now();
        self.stream.write_all(&self.request)?;
        let mut first = None;
        let end = loop {
            let bytes = self.stream.read(&mut piece)?;
            self.read.extend_from_slice(piece.get(..bytes).filter(|piece| !piece.is_empty()).ok_or("it was closed")?);
            if first.is_none()
                && memchr::memmem::find(&self.read, b"\r\n\r\n").is_some_and(|at| at + 4 < self.read.len())
            {
                first = Some(asked.elapsed());
            }
            if let Some(end) = message_end(&self.read) {
                break end;
            }
        };
        let whole = asked.elapsed();
        if end != self.read.len() || !self.read.starts_with(b"HTTP/1.1 200") {
            return Err(format!("unexpected reply: {}", String::from_utf8_lossy(&self.read)).into());
        }
        self.first.push(first.unwrap_or(whole).as_nanos() as u64);
        self.whole.push(whole.as_nanos() as u64);
        Ok(())
    }
}

fn latency(addresses: &[&str], key: &str, body: &str, count: usize) -> Fallible<()> {
    let mut callers = addresses.iter().map(|address| Caller::new(address, key, body)).collect::<Fallible<Vec<_>>>()?;
    let warm = count / 10;
    for turn in 0..count + warm {
        for caller in &mut callers {
            caller.ask()?;
            if turn < warm {
                caller.first.clear();
                caller.whole.clear();
            }
        }
    }
    for (address, caller) in addresses.iter().zip(&mut callers) {
        let [first, whole] = [&mut caller.first, &mut caller.whole].map(|times| {
            times.sort_unstable();
            let at = |share: f64| times.get((times.len() as f64 * share) as usize).map_or(0.0, |ns| *ns as f64 / 1e3);
            (at(0.5), at(0.99))
        });
        println!(
            r#"{{"address":"{address}","first_p50_us":{:.1},"first_p99_us":{:.1},"p50_us":{:.1},"p99_us":{:.1}}}"#,
            first.0, first.1, whole.0, whole.1
        );
    }
    Ok(())
}

fn streams(address: &str, key: &str, count: usize) -> Fallible<()> {
    let body = body(1_536, true, HOLD);
    let mut held = Vec::with_capacity(count);
    for _ in 0..count {
        let mut caller = Caller::new(address, key, &body)?;
        caller.open()?;
        held.push(caller);
    }
    println!("{count} streams are open");
    let mut rest = Vec::new();
    std::io::stdin().read_to_end(&mut rest)?;
    Ok(())
}
