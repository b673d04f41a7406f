//! OTLP over gRPC and HTTP.

use std::io::Write as _;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans};
use prost::Message as _;
use sensor::limits::{OTLP_BYTES_MAX, OTLP_RECORDS_BYTES_MAX, OTLP_RECORDS_MAX, RECEIVED_AT_ONCE_MAX};
use serde_json::{Value, json};
use tonic::Code;
use tonic::codec::CompressionEncoding;

use crate::stand::{KEY, keyed, post, stand};

/// Spans of so many calls, one to an account.
fn spans(from: usize, count: usize) -> Value {
    let span = |n: usize| {
        let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
        json!({"traceId": format!("{n:032x}"), "spanId": format!("{n:016x}"), "name": "chat m", "kind": 3,
            "startTimeUnixNano": "1790000000000000000", "endTimeUnixNano": "1790000001000000000",
            "attributes": [text("gen_ai.operation.name", "chat"), text("gen_ai.request.model", "m"),
                text("user.id", &format!("acc_{n}")),
                text("gen_ai.input.messages", r#"[{"role":"user","parts":[{"type":"text","content":"What is due north?"}]}]"#),
                text("gen_ai.output.messages", r#"[{"role":"assistant","parts":[{"type":"text","content":"The pole."}]}]"#)]})
    };
    json!({"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [
        {"scope": {"name": "s"}, "spans": (from..from + count).map(span).collect::<Vec<_>>()}]}]})
}

fn export(from: usize, count: usize) -> ExportTraceServiceRequest {
    serde_json::from_value(spans(from, count)).unwrap()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn accounts(records: &[Value]) -> Vec<&str> {
    let mut accounts: Vec<&str> = records.iter().filter_map(|record| record["account"].as_str()).collect();
    accounts.sort_unstable();
    accounts
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_go_on_record_however_they_come() {
    let stand = stand(tempfile::tempdir().unwrap()).await;
    let mut client = TraceServiceClient::new(stand.channel().await);
    client.export(keyed(export(0, 2))).await.unwrap();
    let mut compressed = client.send_compressed(CompressionEncoding::Gzip);
    compressed.export(keyed(export(2, 1))).await.unwrap();
    let url = format!("{}/v1/traces", stand.url());
    let bearer = format!("Bearer {KEY}");
    let key = ("authorization", bearer.as_str());
    let protobuf = ("content-type", "application/x-protobuf");
    let json = ("content-type", "application/json; charset=utf-8");
    let plain = export(3, 1).encode_to_vec();
    assert_eq!(post(&url, &[key, protobuf], plain).await, (200, Vec::new()));
    let packed = gzip(&export(4, 1).encode_to_vec());
    assert_eq!(post(&url, &[key, protobuf, ("content-encoding", "gzip")], packed).await.0, 200);
    let (status, answer) = post(&url, &[key, json], spans(5, 1).to_string().into_bytes()).await;
    assert!(status == 200 && answer.starts_with(b"{"), "{status}");
    assert_eq!(stand.count("received"), 6);
    let (records, _folder) = stand.end().await;
    assert_eq!(accounts(&records), ["acc_0", "acc_1", "acc_2", "acc_3", "acc_4", "acc_5"]);
    assert_eq!(records[0]["request"]["messages"][0]["content"][0]["text"], "What is due north?");
    assert_eq!(records[0]["response"]["content"], "The pole.");
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_cannot_be_read_are_counted() {
    let stand = stand(tempfile::tempdir().unwrap()).await;
    let mut client = TraceServiceClient::new(stand.channel().await);
    let mut bad = spans(0, 3);
    let some = &mut bad["resourceSpans"][0]["scopeSpans"][0]["spans"];
    some[0]["startTimeUnixNano"] = json!("18446744073709551615");
    some[0]["endTimeUnixNano"] = json!("18446744073709551615");
    some[1]["attributes"][2]["value"]["stringValue"] = json!("");
    client.export(keyed(serde_json::from_value(bad).unwrap())).await.unwrap();
    let counts = std::sync::Arc::clone(&stand.counts);
    let (records, _folder) = stand.end().await;
    assert_eq!(accounts(&records), ["acc_2"]);
    let count = |name: &str| counts.all().find(|(known, _)| *known == name).unwrap().1;
    assert_eq!((count("received"), count("bad_records")), (3, 2));
}

/// What was acknowledged and not on record yet is after the next start, and what was on record is not again.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_goes_on_record_after_a_restart() {
    let first = stand(tempfile::tempdir().unwrap()).await;
    let mut client = TraceServiceClient::new(first.channel().await);
    client.export(keyed(export(0, 3))).await.unwrap();
    let received = first.received();
    let (records, folder) = first.end().await;
    assert_eq!(accounts(&records), ["acc_0", "acc_1", "acc_2"]);
    // As a process leaves it that was killed right after it said yes.
    let line = serde_json::to_vec(&export(3, 1)).unwrap();
    let mut text = Vec::new();
    store::segment::write_line(&mut text, |to| to.extend_from_slice(&line));
    std::fs::write(received.join("99990101T000000000Z-1-000001.jsonl"), text).unwrap();
    let second = stand(folder).await;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let received = second.received();
    let (records, _folder) = second.end().await;
    assert_eq!(accounts(&records), ["acc_0", "acc_1", "acc_2", "acc_3"]);
    // What is on record is not kept twice.
    assert_eq!(std::fs::read_dir(received).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_malformed_too_long_or_a_bomb_is_refused() {
    let stand = stand(tempfile::tempdir().unwrap()).await;
    let url = format!("{}/v1/traces", stand.url());
    let bearer = format!("Bearer {KEY}");
    let key = ("authorization", bearer.as_str());
    let protobuf = ("content-type", "application/x-protobuf");
    let bomb = gzip(&vec![0; OTLP_BYTES_MAX * 4]);
    assert!(bomb.len() < OTLP_BYTES_MAX / 100);
    for (headers, body, expected) in [
        (vec![key, protobuf], b"\xff\xff\xff".to_vec(), 400),
        (vec![key, ("content-type", "application/json")], b"{\"resourceSpans\":".to_vec(), 400),
        (vec![key, ("content-type", "application/json")], [b"[".repeat(100_000)].concat(), 400),
        (vec![key, ("content-type", "text/plain")], b"x".to_vec(), 415),
        (vec![key, protobuf, ("content-encoding", "br")], b"x".to_vec(), 415),
        (vec![key, protobuf, ("content-encoding", "gzip")], b"x".to_vec(), 400),
        (vec![key, protobuf, ("content-encoding", "gzip")], bomb.clone(), 413),
        (vec![key, protobuf], vec![0; OTLP_BYTES_MAX + 1], 413),
        (vec![protobuf], export(0, 1).encode_to_vec(), 401),
    ] {
        let told = headers.clone();
        assert_eq!(post(&url, &headers, body).await.0, expected, "{told:?}");
    }
    // What is short as it comes and long as it is kept.
    let mut request = export(0, 1);
    request.resource_spans[0].scope_spans[0].spans[0].name = "\u{1}".repeat(RECEIVED_AT_ONCE_MAX / 6 + 1);
    let refused = TraceServiceClient::new(stand.channel().await).export(keyed(request)).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    // Records that are short but many, and a resource that stands around each of many.
    let url_bytes = OTLP_RECORDS_BYTES_MAX / 16;
    for (count, around, expected) in
        [(OTLP_RECORDS_MAX + 1, 0, Code::InvalidArgument), (16, url_bytes, Code::InvalidArgument)]
    {
        let mut request = export(0, 1);
        let scope = &mut request.resource_spans[0].scope_spans[0];
        (scope.scope, scope.spans) = (None, vec![Default::default(); count]);
        request.resource_spans[0].resource = None;
        request.resource_spans[0].schema_url = "x".repeat(around + usize::from(around > 0));
        let mut client = TraceServiceClient::new(stand.channel().await);
        assert_eq!(client.export(keyed(request)).await.unwrap_err().code(), expected, "{count}");
    }
    // A message in the frame of gRPC: whether it is compressed, its length, and the bomb.
    let framed = [&[1][..], &u32::try_from(bomb.len()).unwrap().to_be_bytes(), &bomb].concat();
    let mut client = TraceServiceClient::new(stand.channel().await);
    let without = client.export(export(0, 1)).await.unwrap_err();
    assert_eq!(without.code(), Code::Unauthenticated);
    let long = "x".repeat(OTLP_BYTES_MAX + 1);
    let mut request = export(0, 1);
    request.resource_spans[0].schema_url = long;
    let refused = client.export(keyed(request)).await.unwrap_err();
    assert_eq!(refused.code(), Code::OutOfRange);
    assert_eq!(grpc(&stand.url(), framed).await, Code::ResourceExhausted as i32);
    assert_eq!(stand.count("received"), 0);
    assert_eq!(stand.end().await.0, Vec::<Value>::new());
}

/// A message with as many records as one may have, and one whose records are as long.
#[tokio::test(flavor = "multi_thread")]
async fn as_much_as_is_allowed_is_taken() {
    let stand = stand(tempfile::tempdir().unwrap()).await;
    for (count, around) in [(OTLP_RECORDS_MAX, 0), (16, OTLP_RECORDS_BYTES_MAX / 16)] {
        let mut request = ExportTraceServiceRequest::default();
        let spans = vec![Default::default(); count];
        request.resource_spans = vec![ResourceSpans {
            scope_spans: vec![ScopeSpans { spans, ..Default::default() }],
            schema_url: "x".repeat(around),
            ..Default::default()
        }];
        TraceServiceClient::new(stand.channel().await).export(keyed(request)).await.unwrap();
    }
    assert_eq!(stand.count("received"), OTLP_RECORDS_MAX as u64 + 16);
    stand.end().await;
}

/// Sends what is in a frame, compressed with gzip; the status that comes back.
async fn grpc(url: &str, framed: Vec<u8>) -> i32 {
    use http_body_util::{BodyExt as _, Full};
    let address = url.strip_prefix("http://").unwrap();
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(hyper_util::rt::TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let request = hyper::Request::post(format!("{url}/opentelemetry.proto.collector.trace.v1.TraceService/Export"))
        .header("content-type", "application/grpc")
        .header("grpc-encoding", "gzip")
        .header("authorization", format!("Bearer {KEY}"))
        .body(Full::new(bytes::Bytes::from(framed)))
        .unwrap();
    let answer = sender.send_request(request).await.unwrap();
    let status = answer.headers().get("grpc-status").cloned();
    let trailers = answer.into_body().collect().await.unwrap().trailers().cloned();
    let status = status.or_else(|| trailers?.get("grpc-status").cloned()).unwrap();
    status.to_str().unwrap().parse().unwrap()
}
