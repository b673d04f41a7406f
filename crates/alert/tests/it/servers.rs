//! Small servers on loopback, each in a thread of its own, that hand on what they got.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What a webhook got.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Posted {
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Posted {
    pub(crate) fn header(&self, name: &str) -> &str {
        let line = self.head.lines().find(|line| line.to_lowercase().starts_with(&format!("{name}: ")));
        line.unwrap_or_else(|| panic!("`{name}` in {}", self.head)).split_once(": ").unwrap().1
    }

    /// Checks the signature as a receiver would, by nothing but a hash.
    pub(crate) fn is_signed_with(&self, key: &str) -> bool {
        let key = STANDARD.decode(key.strip_prefix("whsec_").unwrap_or(key)).unwrap();
        let mut block = [0; 64];
        block[..key.len()].copy_from_slice(&key);
        let hash = |pad: u8, rest: &[u8]| {
            let padded: Vec<u8> = block.iter().map(|byte| byte ^ pad).chain(rest.iter().copied()).collect();
            digest(&SHA256, &padded).as_ref().to_vec()
        };
        let (id, timestamp) = (self.header("webhook-id"), self.header("webhook-timestamp"));
        let inner = hash(0x36, format!("{id}.{timestamp}.{}", self.body).as_bytes());
        self.header("webhook-signature") == format!("v1,{}", STANDARD.encode(hash(0x5c, &inner)))
    }
}

/// Reads a request and answers it.
fn serve(stream: &mut (impl Read + Write), status: u16) -> Posted {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim_end().is_empty() {
            break;
        }
        head.push_str(&line);
    }
    let posted = Posted { head, body: String::new() };
    let mut body = vec![0; posted.header("content-length").parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    reader.get_mut().write_all(answer.as_bytes()).unwrap();
    Posted { body: String::from_utf8(body).unwrap(), ..posted }
}

/// A webhook that answers with these in turn, and with the last one from then on.
pub(crate) fn webhook(statuses: &[u16]) -> (SocketAddr, Receiver<Posted>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (mut statuses, (tell, told)) = (statuses.to_vec(), channel());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let status = if statuses.len() > 1 { statuses.remove(0) } else { statuses[0] };
            let _ = tell.send(serve(&mut stream.unwrap(), status));
        }
    });
    (address, told)
}

/// A webhook with a certificate for `localhost`, and the authority by which that is believed.
pub(crate) fn tls_webhook() -> (SocketAddr, Receiver<Posted>, rustls::pki_types::CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![certificate.clone()], key).unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream.unwrap());
            // Whoever does not believe the certificate breaks off.
            if stream.conn.complete_io(&mut stream.sock).is_ok() {
                let _ = tell.send(serve(&mut stream, 200));
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        }
    });
    (address, told, certificate)
}

/// One that takes connections and never says anything.
pub(crate) fn silent() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let kept: Vec<_> = listener.incoming().collect();
        drop(kept);
    });
    address
}

/// An address where nobody listens.
pub(crate) fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Syslog over UDP.
pub(crate) fn datagrams() -> (SocketAddr, Receiver<String>) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let (tell, told) = channel();
    thread::spawn(move || {
        let mut bytes = vec![0; 65_536];
        while let Ok(length) = socket.recv(&mut bytes) {
            let _ = tell.send(String::from_utf8(bytes[..length].to_vec()).unwrap());
        }
    });
    (address, told)
}

/// Syslog over TCP: whole connections.
pub(crate) fn streams() -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut text = String::new();
            stream.unwrap().read_to_string(&mut text).unwrap();
            let _ = tell.send(text);
        }
    });
    (address, told)
}

/// A mail relay that answers DATA with each of `ends` in turn; hands on all that it was told.
pub(crate) fn relay(ends: &[&'static str]) -> (SocketAddr, Receiver<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (ends, (tell, told)) = (ends.to_vec(), channel());
    thread::spawn(move || {
        for (stream, end) in listener.incoming().zip(ends.into_iter().cycle()) {
            let _ = tell.send(converse(stream.unwrap(), end));
        }
    });
    (address, told)
}

fn converse(stream: TcpStream, end: &str) -> Vec<String> {
    let mut writer = stream.try_clone().unwrap();
    let mut reply = move |text: &str| writer.write_all(format!("{text}\r\n").as_bytes());
    let mut lines = Vec::new();
    let mut is_data = false;
    reply("220 relay.example ready").unwrap();
    for line in BufReader::new(stream).lines() {
        let Ok(line) = line else { break };
        let answer = match line.split(' ').next().unwrap_or_default() {
            "." if is_data => {
                is_data = false;
                end
            }
            _ if is_data => "",
            "EHLO" => "250-relay.example\r\n250 AUTH PLAIN",
            "AUTH" => "235 welcome",
            "DATA" => {
                is_data = true;
                "354 go on"
            }
            "QUIT" => "221 bye",
            _ => "250 fine",
        };
        lines.push(line);
        if !answer.is_empty() && reply(answer).is_err() {
            break;
        }
    }
    lines
}

/// What came, which has to be soon.
pub(crate) fn soon<T>(told: &Receiver<T>) -> T {
    told.recv_timeout(Duration::from_secs(10)).expect("something comes")
}

/// So many come, and no more. Whoever asked has its answer before the server tells what came.
pub(crate) fn come<T>(told: &Receiver<T>, count: usize) {
    (0..count).for_each(|_| drop(soon(told)));
    assert!(told.try_recv().is_err(), "more than {count}");
}
