//! A witness (C2SP tlog-witness) that others' implementations make of: notes are read by `signed_note`, proofs checked by `tlog_tiles`.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use signed_note::{Note, StandardVerifier, VerifierList, key_id};
use tlog_tiles::{Checkpoint, Hash, check_tree};

const NAME: &str = "witness.example.com/w1";
/// Cosignatures.
const TYPE: u8 = 4;
const TIME: u64 = 1_772_356_350;

/// A witness of one ledger, on a port of its own.
pub(crate) struct Witness {
    address: String,
    pair: Arc<Ed25519KeyPair>,
    /// What it signed last.
    seen: Arc<Mutex<(u64, [u8; 32])>>,
}

impl Witness {
    /// One that knows the ledger with this key.
    pub(crate) fn start(log: &str) -> Witness {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let pair = Arc::new(Ed25519KeyPair::from_seed_unchecked(&[9; 32]).expect("a key"));
        let seen = Arc::new(Mutex::new((0, [0; 32])));
        let (log, signs, state) = (log.to_owned(), Arc::clone(&pair), Arc::clone(&seen));
        // It ends with the process of the test.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                serve(stream.expect("a connection"), &log, &signs, &state);
            }
        });
        Witness { address, pair, seen }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its key, as text.
    pub(crate) fn key(&self) -> String {
        let material = [&[TYPE], self.pair.public_key().as_ref()].concat();
        format!("{NAME}+{:08x}+{}", key_id(NAME, &material), STANDARD.encode(material))
    }

    /// How many entries it saw.
    pub(crate) fn seen(&self) -> u64 {
        self.seen.lock().expect("a number").0
    }
}

fn serve(mut stream: TcpStream, log: &str, pair: &Ed25519KeyPair, seen: &Mutex<(u64, [u8; 32])>) {
    let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
    let (mut line, mut length) = (String::new(), 0);
    reader.read_line(&mut line).expect("a line");
    assert!(line.starts_with("POST /add-checkpoint "), "{line}");
    loop {
        line.clear();
        reader.read_line(&mut line).expect("a header");
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a number");
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    let (status, kind, answer) = answer(&String::from_utf8(body).expect("text"), log, pair, seen);
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        answer.len()
    );
    stream.write_all(format!("{head}{answer}").as_bytes()).expect("sent");
}

fn answer(
    body: &str,
    log: &str,
    pair: &Ed25519KeyPair,
    seen: &Mutex<(u64, [u8; 32])>,
) -> (&'static str, &'static str, String) {
    let refused = |status| (status, "text/plain", String::new());
    let (head, note) = body.split_once("\n\n").expect("an empty line");
    let mut lines = head.lines();
    let old: u64 = lines.next().and_then(|line| line.strip_prefix("old ")).expect("a size").parse().expect("a number");
    let proof: Vec<Hash> = lines.map(|line| Hash::parse_hash(line).expect("a hash")).collect();
    let parsed = Note::from_bytes(note.as_bytes()).expect("a note");
    let known = VerifierList::new(vec![Box::new(StandardVerifier::new(log).expect("a key"))]);
    if parsed.verify(&known).is_err() {
        return refused("403 Forbidden");
    }
    let new = Checkpoint::from_bytes(parsed.text()).expect("a checkpoint");
    let mut seen = seen.lock().expect("what it saw");
    if old != seen.0 {
        return ("409 Conflict", "text/x.tlog.size", format!("{}\n", seen.0));
    }
    let goes_on = match old {
        0 => proof.is_empty(),
        _ if old == new.size() => proof.is_empty() && new.hash().0 == seen.1,
        _ => check_tree(&proof, new.size(), *new.hash(), old, Hash(seen.1)).is_ok(),
    };
    if !goes_on {
        return refused("422 Unprocessable Entity");
    }
    *seen = (new.size(), new.hash().0);
    let text = String::from_utf8(parsed.text().to_vec()).expect("text");
    let signature = pair.sign(format!("cosignature/v1\ntime {TIME}\n{text}").as_bytes());
    let material = [&[TYPE], pair.public_key().as_ref()].concat();
    let id = key_id(NAME, &material).to_be_bytes();
    let signed = STANDARD.encode([&id[..], &TIME.to_be_bytes(), signature.as_ref()].concat());
    ("200 OK", "text/plain", format!("\u{2014} {NAME} {signed}\n"))
}
