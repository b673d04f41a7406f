//! What a bad line is told. Each case is one line and the whole message.

use exchange::{Format, Source, UnknownFormat};

use crate::{describe, read_all};

#[test]
fn a_bad_line_is_told_why() {
    let long = format!(r#"{{"time":"{}","account":"a","request":{{}}}}"#, "z".repeat(60));
    let cases: &[(&[u8], &str)] = &[
        (b"hello", "not JSON: expected value at column 1"),
        (b"{", "not JSON: EOF while parsing an object at column 1"),
        (b"{hello}", "not JSON: key must be a string at column 2"),
        (b"\"\xff\"", "not UTF-8 at byte 2"),
        // Damaged, and without a time or an account.
        (br#"{"time":1,"request":{},"x"#, "`account` is missing, expected an id of at most 2048 bytes"),
        (
            b"{\"time\":\"\xff\",\"account\":\"a\"}",
            "`time` is the string `\u{fffd}`, expected an RFC 3339 time or a positive epoch number",
        ),
        (b"17", "`record` is the number `17`, expected an object"),
        (b"\"text\"", "`record` is the string `text`, expected an object"),
        (b"null", "`record` is null, expected an object"),
        (b"{}", "in no known format, expected `time`, `account` and `request`, or a log of a known kind"),
        (br#"{"model":"m"}"#, "in no known format, expected `time`, `account` and `request`, or a log of a known kind"),
        (br#"{"account":"a","request":{}}"#, "`time` is missing, expected an RFC 3339 time or a positive epoch number"),
        (
            br#"{"time":0,"account":"a","request":{}}"#,
            "`time` is the number `0`, expected an RFC 3339 time or a positive epoch number",
        ),
        (
            br#"{"time":true,"account":"a","request":{}}"#,
            "`time` is `true`, expected an RFC 3339 time or a positive epoch number",
        ),
        (
            br#"{"ts":"2026-13-01T00:00:00Z","account":"a","request":{}}"#,
            "`ts` is the string `2026-13-01T00:00:00Z`, expected an RFC 3339 time or a positive epoch number",
        ),
        (
            long.as_bytes(),
            "`time` is the string `zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz…`, expected an RFC 3339 time or a positive \
             epoch number",
        ),
        (
            br#"{"time":"a\u0007b","account":"a","request":{}}"#,
            "`time` is the string `a\\u{7}b`, expected an RFC 3339 time or a positive epoch number",
        ),
        (br#"{"time":1,"request":{}}"#, "`account` is missing, expected an id of at most 2048 bytes"),
        (
            br#"{"time":1,"account":{"id":1},"request":{}}"#,
            "`account` is an object, expected an id of at most 2048 bytes",
        ),
        (br#"{"time":1,"account":null,"request":{}}"#, "`account` is missing, expected an id of at most 2048 bytes"),
        (br#"{"time":1,"account":"a"}"#, "`request` is missing, expected an object"),
        (br#"{"time":1,"account":"a","request":[]}"#, "`request` is a list, expected an object"),
    ];
    for (line, message) in cases {
        let (exchanges, report) = read_all(line, 1 << 20, None);
        assert_eq!(exchanges.len(), 0, "{}", String::from_utf8_lossy(line));
        assert_eq!(report.bad_lines, 1);
        assert_eq!(report.kept[0].to_string(), format!("test:1: {message}"));
    }
}

#[test]
fn bad_lines_take_no_good_ones_with_them() {
    let text = "\n{bad\n{\"time\":1,\"account\":\"a\",\"request\":{}}\r\n\r\n  \nnope\n{\"time\":2,\"account\":\"b\",\"request\":{}}";
    let (exchanges, report) = read_all(text.as_bytes(), 1 << 20, None);
    assert_eq!(exchanges.len(), 2);
    assert_eq!(report.kept.iter().map(|bad| bad.line).collect::<Vec<_>>(), [2, 6]);
    assert_eq!(report.bad_share(), 0.5);
}

#[test]
fn a_format_has_its_name() {
    for format in Format::all() {
        assert_eq!(format.to_string().parse::<Format>(), Ok(format));
    }
    let error: UnknownFormat = "OpenAI".parse::<Format>().unwrap_err();
    let message = error.to_string();
    assert!(message.starts_with("unknown format `OpenAI`, expected native, openai, anthropic, litellm, "), "{message}");
    assert!(message.ends_with(" or otlp"), "{message}");
}

#[test]
fn a_source_that_fails_is_reported_with_its_cause() {
    struct Failing;
    impl std::io::Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the cable is loose"))
        }
    }
    let mut source = Source::new("tape", Failing);
    let mut report = exchange::ReadReport::default();
    report.source_broke(&source.next().unwrap().unwrap_err());
    assert!(source.next().is_none());
    assert_eq!(describe(&report), "records: 0, bad lines: 0\nbroken: tape: cannot be read on: the cable is loose");
}
