//! Sources: compression, layouts, damage, and that the size of chunks changes nothing.

use std::io::{Read, Write};

use exchange::{Source, SourceError};
use proptest::prelude::*;

use crate::{describe, read_all};

/// A native record of account `n`, padded to some hundred bytes.
fn record(n: usize) -> String {
    format!(
        r#"{{"time":1,"account":"a{n}","request":{{"messages":[{{"role":"user","content":"{}"}}]}}}}"#,
        "x".repeat(n % 300)
    )
}

fn records(count: usize) -> String {
    (0..count).map(|n| record(n) + "\n").collect()
}

fn zst(text: &[u8]) -> Vec<u8> {
    zstd::encode_all(text, 3).unwrap()
}

fn gz(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn every_compression_gives_the_same() {
    let text = records(500);
    let (first, second) = text.split_at(text.len() / 3);
    let skippable = [0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
    let expected = read_all(text.as_bytes(), 1 << 20, None);
    assert_eq!(expected.0.len(), 500);
    for (name, bytes) in [
        ("zstd", zst(text.as_bytes())),
        ("gzip", gz(text.as_bytes())),
        ("two zstd frames", [zst(first.as_bytes()), zst(second.as_bytes())].concat()),
        ("two gzip members", [gz(first.as_bytes()), gz(second.as_bytes())].concat()),
        ("a skippable frame before", [skippable.to_vec(), zst(text.as_bytes())].concat()),
        ("byte order mark", ["\u{feff}".as_bytes(), text.as_bytes()].concat()),
        ("byte order mark within zstd", zst(&["\u{feff}".as_bytes(), text.as_bytes()].concat())),
        ("no newline at the end", text.trim_end().as_bytes().to_vec()),
        ("CRLF", text.replace('\n', "\r\n").into_bytes()),
    ] {
        for chunk_bytes in [1, 100, 1 << 20] {
            assert_eq!(read_all(&bytes, chunk_bytes, None), expected, "{name}");
        }
    }
}

#[test]
fn a_truncated_stream_gives_what_it_has_and_says_so() {
    // Enough text that it does not compress to a single block.
    let text: String = (0..20_000_u64)
        .map(|n| {
            let noise = n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            format!("{{\"time\":1,\"account\":\"{noise:x}\",\"request\":{{}}}}\n")
        })
        .collect();
    let whole = read_all(text.as_bytes(), 1 << 20, None).0;
    for (name, bytes) in [("zstd", zst(text.as_bytes())), ("gzip", gz(text.as_bytes()))] {
        let (exchanges, report) = read_all(&bytes[..bytes.len() * 2 / 3], 1 << 16, None);
        assert!(exchanges.len() > 1000 && exchanges.len() < whole.len(), "{name}: {}", exchanges.len());
        assert_eq!(exchanges, whole[..exchanges.len()], "{name}");
        assert!(report.bad_lines <= 1, "{}", describe(&report));
        assert_eq!(
            report.broken_sources,
            ["test: truncated: the compressed data ends too early; everything before was read"],
            "{name}"
        );
        // Cut to its first bytes, it is still recognised and still no panic.
        for length in 0..20 {
            let (exchanges, _) = read_all(&bytes[..length], 1 << 16, None);
            assert_eq!(exchanges.len(), 0);
        }
    }
}

#[test]
fn damaged_compression_is_told_from_truncation() {
    let mut bytes = gz(records(50).as_bytes());
    let checksum = bytes.len() - 8;
    bytes[checksum] ^= 1;
    let error = Source::new("test", bytes.as_slice()).find_map(Result::err).unwrap();
    assert!(matches!(error, SourceError::Failed { .. }), "{error:?}");
}

#[test]
fn nothing_is_nothing() {
    for text in ["", "\n", "\u{feff}", "  \r\n \n", "[]", "[\n]", "\u{feff}[ ]"] {
        let (exchanges, report) = read_all(text.as_bytes(), 1 << 20, None);
        assert_eq!(exchanges.len(), 0);
        assert_eq!(report.bad_lines, 0, "{text:?}: {}", describe(&report));
        assert_eq!(report.bad_share(), 0.0);
    }
}

#[test]
fn records_spread_over_lines_are_found_with_their_first_line() {
    let pretty =
        |n| serde_json::to_string_pretty(&serde_json::from_str::<serde_json::Value>(&record(n)).unwrap()).unwrap();
    let bad = "{\n  \"time\": 1\n}";
    for (name, text, bad_line) in [
        ("one", format!("{}\n", pretty(1)), None),
        ("some in a row", format!("{}\n{}\n{bad}\n{}", pretty(1), pretty(2), pretty(3)), Some(25)),
        ("an array", format!("[{},\n{},{bad}, {}]", pretty(1), pretty(2), pretty(3)), Some(24)),
        ("an array to a line", format!("[{},{}]\n[{bad}]\n", record(1), record(2)), Some(2)),
        ("an array, a record to a line", format!("[\n{},\n{},\n\"x\"\n]\n", record(1), record(2)), Some(4)),
        ("nested arrays", format!("[[{}],[[{}]]]", record(1), record(2)), None),
    ] {
        let expected = text.matches("a1").count() + text.matches("a2").count() + text.matches("a3").count();
        for chunk_bytes in [1, 7, 1 << 20] {
            let (exchanges, report) = read_all(text.as_bytes(), chunk_bytes, None);
            assert_eq!(exchanges.len(), expected, "{name}: {}", describe(&report));
            assert_eq!(report.kept.first().map(|bad| bad.line), bad_line, "{name}: {}", describe(&report));
            assert_eq!(report.kept.len(), usize::from(bad_line.is_some()), "{name}: {}", describe(&report));
        }
    }
}

#[test]
fn damage_in_a_spread_source_is_contained() {
    let pretty = |n: usize| format!("{{\n  \"time\": {n},\n  \"account\": \"a\",\n  \"request\": {{}}\n}}\n");
    let unclosed = "{\n  \"time\": 1,\n  \"request\": {}\n";
    let open_string = "{\n  \"time\": \"1,\n  \"account\": 5\n}\n";
    let (exchanges, report) =
        read_all(format!("{}{unclosed}{}{open_string}{}", pretty(1), pretty(2), pretty(3)).as_bytes(), 1 << 20, None);
    assert_eq!(exchanges.len(), 3, "{}", describe(&report));
    assert!(report.bad_lines >= 2, "{}", describe(&report));
}

#[test]
fn a_first_line_cut_off_does_not_spoil_the_rest() {
    for first in ["{\"time\":1,\"account\":\"a", "{\"time\":1", "ime\":1}", "{"] {
        let (exchanges, report) = read_all(format!("{first}\n{}", records(3)).as_bytes(), 1 << 20, None);
        assert_eq!((exchanges.len(), report.bad_lines), (3, 1), "{first}: {}", describe(&report));
    }
}

#[test]
fn a_table_is_read_by_its_header() {
    let row = |n: usize, prompt: &str| format!("2026-06-15 08:00:0{n},a{n},m,\"{prompt}\"");
    for (name, text) in [
        ("commas", format!("time,account,model,messages\n{}\n{}", row(1, "one, \"\"two\"\"\nthree"), row(2, "x"))),
        (
            "CRLF",
            format!("time,account,model,messages\r\n{}\r\n{}\r\n", row(1, "one, \"\"two\"\"\nthree"), row(2, "x")),
        ),
        (
            "tabs",
            format!("time\taccount\tmodel\tmessages\n{}\n{}\n", row(1, "one, \"\"two\"\"\nthree"), row(2, "x"))
                .replace(",a", "\ta")
                .replace(",m", "\tm")
                .replace(",\"", "\t\""),
        ),
    ] {
        for chunk_bytes in [1, 7, 1 << 20] {
            let (exchanges, report) = read_all(text.as_bytes(), chunk_bytes, None);
            assert_eq!(exchanges.len(), 2, "{name}: {}", describe(&report));
            assert!(exchanges[0].contains(r#"one, \"two\"\nthree"#), "{name}: {}", exchanges[0]);
        }
    }
    // Columns may be written otherwise than the source does.
    let text = format!("Time,Account,Model,Messages\n{}\n", row(1, "x"));
    assert_eq!(read_all(text.as_bytes(), 7, None).0.len(), 1);
    // A log shipper's columns.
    let shipped =
        serde_json::json!({"time": 1_780_000_000, "account": "a", "request": {}}).to_string().replace('"', "\"\"");
    let text = format!("@timestamp,@message\n2026-06-15 08:00:00.000,\"{shipped}\"\n");
    assert_eq!(read_all(text.as_bytes(), 7, None).0.len(), 1);
    // An empty cell is a missing field; a row without an account is a bad line, told with the line it begins on.
    let text = "time,account,model,messages\n1780000000,a,,x\n1780000001,,m,\"x\ny\"\n1780000002,,m,z\n";
    let (exchanges, report) = read_all(text.as_bytes(), 1 << 20, None);
    assert_eq!(exchanges.len(), 1, "{}", describe(&report));
    assert_eq!(report.kept.iter().map(|bad| bad.line).collect::<Vec<_>>(), [3, 5]);
}

#[test]
fn what_is_no_log_of_a_model_is_named_once() {
    for (text, what) in [
        ("203.0.113.7 - - [15/Jun/2026:08:00:00 +0000] \"GET / HTTP/1.1\" 200 5\n".repeat(3), "an access log"),
        ("name,colour,size\napple,red,3\npear,green,4\n".to_owned(), "a table whose columns no known source has"),
        ("PAR1xxxxxxxxxxxxxxxx".to_owned(), "Parquet"),
        (tar_header(), "a tar archive"),
        ("%PDF-1.7\n%x\n".to_owned(), "a PDF"),
        ("<!DOCTYPE html>\n<html><head>".to_owned(), "a web page, perhaps one to log in"),
        ("<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code></Error>".to_owned(), "XML, perhaps an error"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n".to_owned(), "a pointer of Git LFS"),
        ("\n\u{5}\n\u{3}\n\u{c}service.name\u{12}\u{1}x".to_owned(), "OTLP in protobuf"),
    ] {
        for chunk_bytes in [1, 1 << 20] {
            let (exchanges, report) = read_all(text.as_bytes(), chunk_bytes, None);
            assert_eq!((exchanges.len(), report.bad_lines), (0, 0), "{}", describe(&report));
            assert_eq!(report.broken_sources.len(), 1);
            assert!(
                report.broken_sources[0].contains(&format!("this is {what}"))
                    && report.broken_sources[0].contains(", which is not read; "),
                "{:?}",
                report.broken_sources
            );
        }
    }
}

/// As `tar` writes it before a file without a byte.
fn tar_header() -> String {
    let mut header = format!("{:\0<148}{:8}{:\0<101}ustar\0{:\0<249}", "log.jsonl", "", "0", "00");
    let sum: u32 = header.bytes().map(u32::from).sum();
    header.replace_range(148..156, &format!("{sum:06o}\0 "));
    header
}

#[test]
fn progress_counts_stored_bytes() {
    let bytes = zst(records(100).as_bytes());
    let mut source = Source::new("test", bytes.as_slice());
    let progress = source.progress();
    assert_eq!(progress.bytes(), 0);
    source.by_ref().for_each(drop);
    assert_eq!(progress.bytes(), bytes.len() as u64);
}

#[test]
fn a_bomb_is_read_in_bounded_memory() {
    // 256 MiB of one line in a few kilobytes.
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    let block = vec![b' '; 1 << 20];
    encoder.write_all(b"{").unwrap();
    (0..256).for_each(|_| encoder.write_all(&block).unwrap());
    encoder.write_all(format!("\n{}\n", record(1)).as_bytes()).unwrap();
    let bytes = encoder.finish().unwrap();
    let mut longest = 0;
    for chunk in Source::new("test", bytes.as_slice()) {
        longest = longest.max(chunk.unwrap().text.capacity());
    }
    assert!(longest < 3 * exchange::limits::RECORD_BYTES_MAX, "{longest}");
    let (exchanges, report) = read_all(&bytes, 1 << 20, None);
    assert_eq!((exchanges.len(), report.bad_lines), (1, 1), "{}", describe(&report));
}

#[test]
fn a_bomb_of_nothing_is_read_in_bounded_memory() {
    for (blank, line) in [(b' ', 1), (b'\n', (64 << 20) + 1)] {
        for record in [record(1), "[{}]".to_owned()] {
            let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
            let block = vec![blank; 1 << 20];
            (0..64).for_each(|_| encoder.write_all(&block).unwrap());
            encoder.write_all(record.as_bytes()).unwrap();
            let bytes = encoder.finish().unwrap();
            for chunk in Source::new("test", bytes.as_slice()) {
                let chunk = chunk.unwrap();
                assert!(chunk.text.capacity() < 3 * exchange::limits::CHUNK_BYTES, "{}", chunk.text.capacity());
                assert!(chunk.records().all(|(at, _)| at == line));
                assert_eq!(chunk.records().count(), 1);
            }
        }
    }
}

/// Reads as little at a time as a slow pipe.
struct Trickle<'a>(&'a [u8]);

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = buffer.len().min(3);
        self.0.read(&mut buffer[..length])
    }
}

#[test]
fn a_slow_pipe_gives_the_same() {
    for bytes in [records(20).into_bytes(), zst(records(20).as_bytes()), gz(records(20).as_bytes())] {
        let lines = |chunks: Vec<exchange::Chunk>| -> Vec<(u64, Vec<u8>)> {
            chunks.iter().flat_map(|chunk| chunk.records().map(|(line, text)| (line, text.to_vec()))).collect()
        };
        let slow = Source::new("test", Trickle(&bytes)).map(Result::unwrap).collect();
        let fast = Source::new("test", bytes.as_slice()).map(Result::unwrap).collect();
        assert_eq!(lines(slow), lines(fast));
    }
}

proptest! {
    #[test]
    fn the_size_of_chunks_changes_nothing(
        pieces in prop::collection::vec(
            prop_oneof![
                (0_usize..400).prop_map(record),
                Just("\n".to_owned()),
                Just("\r\n".to_owned()),
                Just("{".to_owned()),
                Just("}".to_owned()),
                Just("[".to_owned()),
                Just(",".to_owned()),
                Just("\"".to_owned()),
                Just("{\n \"time\": 1,\n \"account\": \"p\",\n \"request\": {}\n}".to_owned()),
                Just("\u{feff}".to_owned()),
                Just("junk".to_owned()),
            ],
            0..40,
        ),
        chunk_bytes in 1_usize..2000,
    ) {
        let text = pieces.concat();
        prop_assert_eq!(read_all(text.as_bytes(), chunk_bytes, None), read_all(text.as_bytes(), 1 << 20, None));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..600), magic in 0..3) {
        let start: &[u8] = match magic { 0 => &[], 1 => &[0x28, 0xb5, 0x2f, 0xfd], _ => &[0x1f, 0x8b, 8, 0] };
        read_all(&[start, &bytes].concat(), 64, None);
    }
}
