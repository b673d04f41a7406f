//! An authority that gives timestamps (RFC 3161) over HTTP, made of OpenSSL.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::authority::Authority;

/// An authority on a port of its own.
pub(crate) struct Clock {
    address: String,
    root: PathBuf,
    /// Whether it answers by an error.
    is_down: Arc<AtomicBool>,
}

impl Clock {
    /// One whose files are in `folder`.
    pub(crate) fn start(folder: &Path) -> Clock {
        let authority = Authority::of_rsa(folder);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let (address, root) = (listener.local_addr().expect("an address").to_string(), authority.root());
        let is_down = Arc::new(AtomicBool::new(false));
        let down = Arc::clone(&is_down);
        // It ends with the process of the test.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                serve(stream.expect("a connection"), &authority, down.load(Ordering::SeqCst));
            }
        });
        Clock { address, root, is_down }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/tsa", self.address)
    }

    /// The certificate that vouches for it, as a path.
    pub(crate) fn root(&self) -> String {
        self.root.to_str().expect("a path").to_owned()
    }

    pub(crate) fn set_down(&self, is_down: bool) {
        self.is_down.store(is_down, Ordering::SeqCst);
    }
}

fn serve(mut stream: TcpStream, authority: &Authority, is_down: bool) {
    let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
    let (mut line, mut length, mut is_query) = (String::new(), 0, false);
    reader.read_line(&mut line).expect("a line");
    assert!(line.starts_with("POST /tsa "), "{line}");
    loop {
        line.clear();
        reader.read_line(&mut line).expect("a header");
        let header = line.trim().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        is_query |= header == "content-type: application/timestamp-query";
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().expect("a number");
        }
    }
    assert!(is_query, "as RFC 3161 asks for");
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    let (status, answer) = if is_down { ("503 Down", Vec::new()) } else { ("200 OK", authority.answer(&body)) };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/timestamp-reply\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        answer.len()
    );
    let _ = stream.write_all(&[head.as_bytes(), &answer].concat());
}
