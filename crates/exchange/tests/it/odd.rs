//! Odd records that are read all the same, and faults that the fuzzer found. Each case is one line and what it becomes.

use exchange::{Damage, Source, limits};

use crate::{describe, read_all};

#[test]
fn an_odd_record_is_read() {
    let nested = format!(r#"{{"time":1,"account":"a","request":{{}},"x":{}1{}}}"#, "[".repeat(120), "]".repeat(120));
    let plain = r#"{"time":"1970-01-01T00:00:01Z","account":"a","request":{"messages":[]}}"#;
    let cases: &[(&str, &str, &[&str])] = &[
        // Of two equal keys the last counts.
        (r#"{"time":9,"account":"b","account":"a","time":1,"request":{"x":1},"request":{}}"#, plain, &[]),
        (r#"{"time":9,"account":"a","time":1,"request":{}}"#, plain, &[]),
        // A comma at the end of an object is harmless.
        (r#"{"time":1,"account":"a","request":{},}"#, plain, &[]),
        // Numbers as strings, ids as numbers, times in any form.
        (
            r#"{"time":"1","account":7,"request":{"params":{"temperature":"0.5","max_tokens":"9","seed":"-3"}}}"#,
            r#"{"time":"1970-01-01T00:00:01Z","account":"7","request":{"messages":[],"params":{"temperature":0.5,"max_tokens":9,"seed":-3}}}"#,
            &[],
        ),
        // Missing fields are missing and no zeros; null is missing.
        (r#"{"time":1,"account":"a","org":null,"usage":null,"response":null,"request":{"messages":null}}"#, plain, &[]),
        (r#"{"time":1,"account":"a","session":"","request":{}}"#, plain, &[]),
        // Of fields with wrong types the rest of the record is kept.
        (
            r#"{"time":1,"account":"a","client":7,"usage":"x","status":"ok","request":{"messages":7,"params":[],"tools":{}}}"#,
            plain,
            &["client", "request.params", "request.messages[]", "status", "request.tools", "usage"],
        ),
        (
            r#"{"time":1,"account":"a","request":{"params":{"n":-1,"max_tokens":4294967296,"temperature":true}}}"#,
            plain,
            &["request.params.n", "request.params.max_tokens", "request.params.temperature"],
        ),
        (r#"{"time":1,"account":"a","request":{"params":{"n":1.5,"top_p":"NaN"}}}"#, plain, &["n", "top_p"]),
        // A byte of zero is a character like any other where JSON allows it.
        (
            r#"{"time":1,"account":"a\u0000","request":{}}"#,
            r#"{"time":"1970-01-01T00:00:01Z","account":"a\u0000","request":{"messages":[]}}"#,
            &[],
        ),
        (&nested, plain, &[]),
        // Found by the fuzzer: a number too large for the field became infinite, and was written as null.
        (
            r#"{"time":1,"account":"a","request":{"params":{"temperature":1e39}}}"#,
            plain,
            &["request.params.temperature"],
        ),
        // Found by the fuzzer: reasoning of no words was written, and not read back.
        (
            r#"{"time":1,"account":"a","request":{"messages":[{"role":"assistant","content":[{"type":"reasoning","summary":[{"type":"text","text":""}]}]}]}}"#,
            r#"{"time":"1970-01-01T00:00:01Z","account":"a","request":{"messages":[{"role":"assistant","content":[]}]}}"#,
            &[],
        ),
        // Found by the fuzzer: a number was read one step beside what was written.
        (
            r#"{"time":1,"account":"a","request":{},"duration_ms":392.84387999999996}"#,
            r#"{"time":"1970-01-01T00:00:01Z","account":"a","request":{"messages":[]},"duration_ms":392.84387999999996}"#,
            &[],
        ),
    ];
    for (line, expected, fields) in cases {
        let (exchanges, report) = read_all(line.as_bytes(), 1 << 20, None);
        assert_eq!(exchanges.iter().map(|json| without_id(json)).collect::<Vec<_>>(), [*expected], "{line}");
        let warnings: Vec<String> = report.notes.warnings.keys().map(ToString::to_string).collect();
        assert_eq!(warnings.len(), fields.len(), "{line}: {warnings:?}");
        for field in *fields {
            assert!(warnings.iter().any(|warning| warning.contains(field)), "{line}: {field} of {warnings:?}");
        }
    }
}

/// What a caller can put into a prompt, and what a log that is cut or badly written holds, costs no record.
#[test]
fn a_damaged_record_is_read_and_told() {
    let deep = format!(r#"{{"time":1,"account":"a","request":{{}},"x":{}}}"#, "[".repeat(100_000));
    let many = format!(r#"{{"x":[{}0],"time":1,"account":"a","request":{{}}}}"#, "0,".repeat(limits::JSON_VALUES_MAX));
    let cases: &[(&[u8], Damage)] = &[
        (br#"{"time":1,"account":"a","request":{"messages":"\ud83d"}}"#, Damage::Surrogate),
        (b"{\"time\":1,\"account\":\"a\",\"request\":{\"messages\":\"\0\"}}", Damage::Control),
        (br#"{"time":1,"account":"a","request":{"messages":"\x"}}"#, Damage::Escape),
        (b"{\"time\":1,\"account\":\"a\",\"request\":{\"messages\":\"\xff\"}}", Damage::Utf8),
        (br#"{"time":1,"account":"a","request":{"params":{"temperature":NaN}}}"#, Damage::Number),
        (br#"{"time":1,"account":"a","request":{"params":{"temperature":-Infinity}}}"#, Damage::Number),
        (br#"{"time":1,"account":"a","request":{"params":{"temperature":1e999}}}"#, Damage::Number),
        (br#"{"time":1,"account":"a","request":{"params":{"seed":1,"seed":2}}}"#, Damage::DuplicateKey),
        (br#"{"time":1,"account":"a","request":{}"#, Damage::Cut),
        (br#"{"time":1,"account":"a","request":{"messages":[{]}}"#, Damage::Syntax),
        (br#"{"time":1,"account":"a","request":{}} junk {"#, Damage::Syntax),
        (deep.as_bytes(), Damage::Nesting),
        (many.as_bytes(), Damage::Values),
    ];
    let (good, other) = (r#"{"time":1,"account":"b","request":{}}"#, r#"{"time":1,"account":"c","request":{}}"#);
    for (damaged, damage) in cases {
        for newline in ["\n", "\r\n"] {
            let text = [good.as_bytes(), newline.as_bytes(), damaged, newline.as_bytes(), other.as_bytes()].concat();
            let (exchanges, report) = read_all(&text, 64, None);
            let what = String::from_utf8_lossy(damaged.get(..60).unwrap_or(damaged));
            assert_eq!((exchanges.len(), report.bad_lines, report.damaged), (3, 0, 1), "{what}: {}", describe(&report));
            let tally = &report.damage[damage];
            assert_eq!((tally.count, &*tally.source, tally.line), (1, "test", 2), "{what}");
            assert_eq!(report.damaged_accounts.iter().map(|(a, n)| (a.as_str(), *n)).collect::<Vec<_>>(), [("a", 1)]);
        }
    }
}

/// Where the time or the account itself is what is damaged, there is no record left.
#[test]
fn a_damaged_envelope_is_a_bad_line_and_costs_its_neighbours_nothing() {
    let (good, other) = (r#"{"time":1,"account":"a","request":{}}"#, r#"{"time":2,"account":"a","request":{}}"#);
    let damaged: &[&[u8]] = &[
        b"\0",
        b"\xff\xfe{\0",
        "\u{feff}{\"time\":1}".as_bytes(),
        br#"{"time":1e999,"account":"a","request":{}}"#,
        br#"{"time":NaN,"account":"a","request":{}}"#,
        br#"{'time':1,'account':'a','request':{}}"#,
        br#"{"time":1,"accou"#,
    ];
    for damage in damaged {
        for newline in ["\n", "\r\n"] {
            let text = [good.as_bytes(), newline.as_bytes(), damage, newline.as_bytes(), other.as_bytes()].concat();
            let (exchanges, report) = read_all(&text, 64, None);
            let lines: Vec<u64> = report.kept.iter().map(|bad| bad.line).collect();
            assert_eq!((exchanges.len(), lines), (2, vec![2]), "{:?}: {}", damage.get(..40), describe(&report));
        }
    }
}

/// Delivery streams join records; container runtimes and syslog write something before each.
#[test]
fn objects_joined_or_behind_a_prefix_are_records() {
    let one = |n: usize| format!(r#"{{"time":{n},"account":"a{n}","request":{{}}}}"#);
    for (name, text, count) in [
        ("joined", one(1) + &one(2) + &one(3), 3),
        ("joined with blanks", [one(1), one(2), one(3)].join(" "), 3),
        ("joined on several lines", format!("{}{}\n{}{}\n", one(1), one(2), one(3), one(4)), 4),
        ("joined on a later line", format!("{}\n{}{}\n", one(1), one(2), one(3)), 3),
        (
            "a container's log",
            format!("2026-06-15T08:02:27.5Z stdout F {}\n2026-06-15T08:02:27.5Z stdout F {}", one(1), one(2)),
            2,
        ),
        ("a JSON text sequence", format!("\u{1e}{}\n\u{1e}{}\n", one(1), one(2)), 2),
    ] {
        for chunk_bytes in [1, 7, 1 << 20] {
            let (exchanges, report) = read_all(text.as_bytes(), chunk_bytes, None);
            assert_eq!(
                (exchanges.len(), report.bad_lines, report.damaged),
                (count, 0, 0),
                "{name}: {}",
                describe(&report)
            );
        }
    }
}

/// A writer died, and the next one went on where it stopped: with a record in the same line, in a stream without lines, or
/// in an array. Wherever the record was cut, only it may be lost, and the one behind it where that stands as its value.
#[test]
fn a_record_that_was_cut_takes_no_other_along() {
    /// The text around a record that was cut and three whole ones.
    type Layout = fn(&str, [&str; 3]) -> String;
    let one = |n: usize| {
        format!(
            r#"{{"time":{n},"account":"a{n}","request":{{"messages":[{{"role":"user","content":"b{{ \"c\": [d"}},{{"role":"user","content":"e"}}],"params":{{"n":1}}}},"status":200}}"#
        )
    };
    let whole = one(1);
    let layouts: [(&str, Layout); 5] = [
        ("on a line", |cut, [two, three, four]| format!("{two}\n{cut}{three}\n{four}\n")),
        ("joined", |cut, [two, three, four]| format!("{two}{cut}{three}{four}")),
        ("in an array", |cut, [two, three, four]| format!("[{two},{cut},{three},{four}]")),
        ("in an array without a comma", |cut, [two, three, four]| format!("[{two},{cut}{three},{four}]")),
        ("with blanks", |cut, [two, three, four]| format!("{two}{cut}{}{four}", three.replacen('{', "{  ", 1))),
    ];
    for (name, layout) in layouts {
        for cut in (1..whole.len()).filter(|at| whole.is_char_boundary(*at)) {
            let before = &whole[..cut];
            let text = layout(before, [&one(2), &one(3), &one(4)]);
            let (exchanges, report) = read_all(text.as_bytes(), 64, None);
            let read = |n: usize| exchanges.iter().any(|exchange| exchange.contains(&format!(r#""account":"a{n}""#)));
            // In a list that ends between two of its items nothing tells where the array around it goes on.
            let ends_in_a_list = before.ends_with('[') || before.ends_with(r#""}"#) || before.ends_with(r#""},"#);
            if name.starts_with("in an array") && ends_in_a_list {
                assert!(read(2), "{name}: {before}: {}", describe(&report));
                continue;
            }
            assert!(read(2) && read(4), "{name}: {before}: {}", describe(&report));
            // Where a value or a turn may stand, the next record stands as one.
            let may_hold_the_next = before.ends_with([':', '[']) || before.ends_with("},") || before.ends_with('}');
            assert!(read(3) || may_hold_the_next, "{name}: {before}: {}", describe(&report));
        }
    }
}

/// The end of a record from before the beginning of a file, however long, and what follows it without a newline.
#[test]
fn what_begins_in_the_middle_is_stepped_over() {
    let one = |n: usize| format!(r#"{{"time":{n},"account":"a{n}","request":{{}}}}"#);
    for bytes in [10, limits::JUNK_BYTES_MAX, limits::JUNK_BYTES_MAX + 1] {
        let text = format!("{}\",\"x\":{{\"y\":1}}}}{}{}{}", "x".repeat(bytes), one(1), one(2), one(3));
        let (exchanges, report) = read_all(format!("[\n{text}").as_bytes(), 64, None);
        assert_eq!(exchanges.len(), 3, "{bytes}: {}", describe(&report));
    }
}

/// One text may hold the records of many accounts: what is wrong with one is not told of the others.
#[test]
fn damage_is_told_of_the_record_it_is_in() {
    let one = |n: usize, text: &str| {
        format!(r#"{{"time":{n},"account":"a{n}","request":{{"messages":[{{"role":"user","content":"{text}"}}]}}}}"#)
    };
    let escaped = |text: &str| serde_json::to_string(text).unwrap();
    let span = |n: usize, text: &str| {
        format!(
            r#"{{"traceId":"0{n}","spanId":"0{n}","startTimeUnixNano":"178000000{n}000000000","attributes":[
                {{"key":"gen_ai.operation.name","value":{{"stringValue":"chat"}}}},
                {{"key":"account.id","value":{{"stringValue":"a{n}"}}}},
                {{"key":"gen_ai.prompt","value":{{"stringValue":"{text}"}}}}]}}"#
        )
        .replace('\n', "")
    };
    for (name, text) in [
        ("joined", [one(1, "x"), one(2, "\\ud83d"), one(3, "x")].concat()),
        ("a key twice", [one(1, "x"), one(2, "x").replacen('{', "{\"k\":1,\"k\":2,", 1), one(3, "x")].concat()),
        ("a list", format!(r#"{{"records":[{},{},{}]}}"#, one(1, "x"), one(2, "\\ud83d"), one(3, "x"))),
        (
            "a list with a key twice",
            format!(
                r#"{{"records":[{},{},{}]}}"#,
                one(1, "x"),
                one(2, "x").replacen('{', "{\"k\":1,\"k\":2,", 1),
                one(3, "x")
            ),
        ),
        (
            "texts in a list",
            format!(
                r#"{{"logEvents":[{{"message":{}}},{{"message":{}}},{{"message":{}}}]}}"#,
                escaped(&one(1, "x")),
                escaped(&one(2, "\\ud83d")),
                escaped(&one(3, "x"))
            ),
        ),
        (
            "spans",
            format!(
                r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{},{},{}]}}]}}]}}"#,
                span(1, "x"),
                span(2, "\\ud83d"),
                span(3, "x")
            ),
        ),
    ] {
        let (exchanges, report) = read_all(text.as_bytes(), 1 << 20, None);
        assert_eq!((exchanges.len(), report.damaged), (3, 1), "{name}: {}", describe(&report));
        assert_eq!(report.damaged_accounts.keys().collect::<Vec<_>>(), ["a2"], "{name}");
    }
}

/// Found by the fuzzer: the Bedrock reader passed on what looks like a secret, where the others do not.
#[test]
fn no_reader_passes_a_secret_on() {
    let openai = |keys: &str| format!(r#"{{"time":1,{keys},"request":{{"model":"m","messages":[]}}}}"#);
    let litellm = |keys: &str| format!(r#"{{"startTime":1.5,"call_type":"completion",{keys}}}"#);
    let bedrock =
        |keys: &str| format!(r#"{{"schemaType":"x","timestamp":"2026-04-10T09:00:00Z","modelId":"m",{keys}}}"#);
    let otlp = |attribute: &str| {
        format!(
            r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"startTimeUnixNano":"1780000000000000000","attributes":[
                {{"key":"gen_ai.operation.name","value":{{"stringValue":"chat"}}}},
                {{"key":"account.id","value":{{"stringValue":"a"}}}},
                {{"key":"{attribute}","value":{{"stringValue":"sk-secret"}}}}]}}]}}]}}]}}"#
        )
    };
    for line in [
        r#"{"time":1,"account":"sk-secret","request":{}}"#.to_owned(),
        r#"{"time":1,"account":"a","key":"Bearer secret","end_user":"sk-secret","request":{}}"#.to_owned(),
        openai(r#""account":"sk-secret""#),
        openai(r#""api_key":"Bearer secret""#),
        openai(r#""organization":"o","user":"sk-secret""#),
        litellm(r#""user":"sk-secret""#),
        litellm(r#""api_key":"sk-secret""#),
        litellm(r#""user":"u","end_user":"sk-secret""#),
        bedrock(r#""accountId":"1","identity":{"arn":"arn:aws:sts::1:assumed-role/role/sk-secret"}"#),
        bedrock(r#""accountId":"1","requestMetadata":{"userId":"sk-secret"}"#),
        otlp("account.id"),
        otlp("api_key.id"),
        otlp("user.id"),
    ] {
        let (exchanges, report) = read_all(line.replace('\n', " ").as_bytes(), 1 << 20, None);
        assert_eq!(exchanges.len(), 1, "{line}: {}", describe(&report));
        assert!(!exchanges[0].contains("secret"), "{}", exchanges[0]);
    }
}

/// Found by the fuzzer: what was unpacked before damage was lost, more of it the larger the chunks were.
#[test]
fn damage_in_a_compressed_source_takes_little_before_it_along() {
    let lines = 10_000;
    let line = |n: usize| format!("{{\"time\":{},\"account\":\"a\",\"request\":{{}}}}\n", 10_000 + n);
    let text: String = (0..lines).map(line).collect();
    for (name, mut bytes) in [("zstd", stored_zst(text.as_bytes())), ("gzip", gz(text.as_bytes()))] {
        damage(&mut bytes, name);
        let whole = read_all(&bytes, 1 << 20, None);
        assert_eq!(whole.1.broken_sources.len(), 1, "{name}: {}", describe(&whole.1));
        for chunk_bytes in [1, 1000, 1 << 16] {
            assert_eq!(read_all(&bytes, chunk_bytes, None), whole, "{name}");
        }
        let lost = lines - whole.0.len();
        assert!(lost <= limits::UNPACK_BYTES / line(0).len() + 1, "{name}: {lost} of {lines} are lost");
    }
}

#[test]
fn a_source_that_broke_yields_no_more() {
    let mut bytes = gz(b"{}\n");
    damage(&mut bytes, "gzip");
    let mut source = Source::new("test", bytes.as_slice());
    assert!(source.by_ref().any(|chunk| chunk.is_err()));
    assert!(source.next().is_none());
}

/// Makes the last thing a decoder reads wrong.
fn damage(bytes: &mut [u8], name: &str) {
    let from_end = if name == "zstd" { 3 } else { 8 };
    let at = bytes.len() - from_end;
    bytes[at] = !bytes[at];
}

/// A zstd frame of blocks stored as they are, with a checksum-free damaged header on the last one.
fn stored_zst(text: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0, 0x58];
    for block in text.chunks(100_000) {
        frame.extend(&((block.len() as u32) << 3).to_le_bytes()[..3]);
        frame.extend(block);
    }
    // A last block, stored, of no bytes; damage makes it one of the reserved type.
    frame.extend([1, 0, 0]);
    frame
}

fn gz(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut encoder, text).unwrap();
    encoder.finish().unwrap()
}

fn without_id(json: &str) -> String {
    let (head, tail) = json.split_once(',').unwrap();
    assert!(head.starts_with("{\"id\":\"ex_"), "{json}");
    format!("{{{tail}")
}

#[test]
fn flat_records_have_a_system_prompt_and_a_network_operator() {
    let record = |system: &str| {
        format!(
            r#"{{"account_id":"a","timestamp":1,"prompt":"Which jam?","system_prompt":{system},"asn_number":64500}}"#
        )
    };
    for (system, expected) in [(r#""You sell jam.""#, Some("You sell jam.")), ("null", None)] {
        let mut seen = Vec::new();
        exchange::read_exchanges(&record(system), &mut exchange::Notes::default(), &mut |exchange| {
            let system = exchange.request.system.as_ref().and_then(|system| system.texts().next().map(str::to_owned));
            seen.push((system, exchange.client.asn));
        })
        .unwrap();
        assert_eq!(seen, [(expected.map(str::to_owned), Some(64_500))]);
    }
}
