//! What must hold of any input: no panic, no hang, and what was read is read again as it was.
//!
//! Each function is the body of the targets of its name. A broken promise is a panic, which the fuzzer reports.

use exchange::{AccountFact, Exchange, Format, Notes, ReadReport, Source, parse_accounts, parse_chunk};

/// A text that claims to be of `format`: whatever is read survives being written and read as a native record.
pub fn reader(format: Format, text: &str) {
    let mut notes = Notes::default();
    let _ = exchange::read(Some(format), text.as_bytes(), "fuzz", 1, &mut notes, &mut |exchange| survives(&exchange));
    if let Some(format) = Format::recognise(text) {
        let _ = exchange::read(Some(format), text.as_bytes(), "fuzz", 1, &mut notes, &mut |exchange| survives(&exchange));
    }
}

/// A text that claims to be an account fact: what is read survives being written and read.
pub fn account(text: &str) {
    let mut notes = Notes::default();
    let Ok(fact) = exchange::read_account(text.as_bytes(), &mut notes) else { return };
    let written = fact.to_json();
    let mut dropped = Notes::default();
    let again = exchange::read_account(written.as_bytes(), &mut dropped).map(|fact: AccountFact<'_>| fact.to_json());
    assert_eq!(again.as_ref(), Ok(&written));
    assert!(dropped.warnings.is_empty(), "{written} is written with {:?}", dropped.warnings);
}

/// Bytes that may be compressed: read alike whatever the size of the chunks, every record within its limit.
pub fn source(bytes: &[u8]) {
    let Some(whole) = read(bytes, exchange::limits::CHUNK_BYTES) else { return };
    for chunk_bytes in [1, 7, 64] {
        if let Some(pieces) = read(bytes, chunk_bytes) {
            assert_eq!(pieces, whole, "chunks of {chunk_bytes} bytes differ");
        }
    }
}

/// All that a source says; nothing where it unpacks to more than is worth the fuzzer's time.
fn read(bytes: &[u8], chunk_bytes: usize) -> Option<(Vec<String>, ReadReport, ReadReport)> {
    let (mut exchanges, mut report, mut accounts) = (Vec::new(), ReadReport::default(), ReadReport::default());
    let mut unpacked = 0;
    let mut source = Source::with_chunk_bytes("fuzz", bytes, chunk_bytes);
    let progress = source.progress();
    for chunk in source.by_ref() {
        match chunk {
            Ok(chunk) => {
                unpacked += chunk.text.len();
                if unpacked > UNPACKED_BYTES_MAX {
                    return None;
                }
                parse_chunk(&chunk, None, None, &mut |read| exchanges.push(read.to_json()), &mut report);
                parse_accounts(&chunk, None, &mut |_| (), &mut accounts);
            }
            Err(error) => report.source_broke(&error),
        }
    }
    assert!(progress.bytes() <= bytes.len() as u64);
    assert!(source.next().is_none(), "a source that ended goes on");
    Some((exchanges, report, accounts))
}

fn survives(exchange: &Exchange<'_>) {
    let written = exchange.to_json();
    let mut again = Vec::new();
    let mut dropped = Notes::default();
    let read = exchange::read(Some(Format::Native), written.as_bytes(), "fuzz", 1, &mut dropped, &mut |exchange| {
        again.push(exchange.to_json());
    });
    assert_eq!(read, Ok(Format::Native), "{written}");
    assert_eq!(again, [written.as_str()]);
    assert!(dropped.warnings.is_empty(), "{written} is written with {:?}", dropped.warnings);
    assert_eq!(Format::recognise(&written), Some(Format::Native), "{written}");
}

const UNPACKED_BYTES_MAX: usize = 1 << 20;
