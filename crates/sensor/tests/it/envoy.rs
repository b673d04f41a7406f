//! Envoy's `ext_authz` and `ext_proc`, spoken as Envoy speaks them.

use std::collections::HashMap;

use envoy_types::pb::envoy::config::core::v3::{
    Address, HeaderMap, HeaderValue, SocketAddress, address::Address as Place,
};
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Peer, Request as Asked};
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest};
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_client::ExternalProcessorClient;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Shown;
use envoy_types::pb::envoy::service::ext_proc::v3::{HttpBody, HttpHeaders, ProcessingRequest};
use serde_json::{Value, json};
use tokio_stream::StreamExt as _;

use gateway::limits::BODY_BYTES_MAX;
use sensor::limits::SHOWN_BYTES_MAX;

use crate::stand::{Stand, keyed, stand};

const PATH: &str = "/v1/chat/completions";

fn check(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> CheckRequest {
    let place = Place::SocketAddress(SocketAddress { address: "192.0.2.9".to_owned(), ..SocketAddress::default() });
    let source = Peer { address: Some(Address { address: Some(place) }), ..Peer::default() };
    let http = HttpRequest {
        method: method.to_owned(),
        path: path.to_owned(),
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect::<HashMap<_, _>>(),
        raw_body: body.as_bytes().to_vec(),
        ..HttpRequest::default()
    };
    let request = Some(Asked { http: Some(http), ..Asked::default() });
    CheckRequest { attributes: Some(AttributeContext { source: Some(source), request, ..AttributeContext::default() }) }
}

/// The status that a request is denied with, and what its caller reads; none where it may go on.
async fn denied(stand: &Stand, request: CheckRequest) -> Option<(i32, Value)> {
    let mut client = AuthorizationClient::new(stand.channel().await);
    let answer = client.check(keyed(request)).await.unwrap().into_inner();
    match answer.http_response.unwrap() {
        HttpResponse::OkResponse(_) => {
            assert_eq!(answer.status.unwrap().code, 0);
            None
        }
        HttpResponse::DeniedResponse(denied) => {
            assert_eq!(answer.status.unwrap().code, 7);
            Some((denied.status.unwrap().code, serde_json::from_str(&denied.body).unwrap()))
        }
        HttpResponse::ErrorResponse(error) => panic!("{error:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_gets_the_permit_that_the_gateway_would_give() {
    let stand = stand(tempfile::tempdir().unwrap()).await;
    let body = r#"{"model":"m","messages":[{"role":"user","content":"What is due north?"}]}"#;
    let warm = r#"{"model":"m","temperature":2,"messages":[{"role":"user","content":"What is due north?"}]}"#;
    let named = |account: &'static str| [("x-account", account)];
    assert_eq!(denied(&stand, check("POST", PATH, &named("acc_1"), body)).await, None);
    assert_eq!(denied(&stand, check("GET", "/v1/models?limit=1", &named("acc_1"), "")).await, None);
    // What would be held back by the gateway is not let through as it is.
    assert_eq!(denied(&stand, check("POST", PATH, &named("shielded"), body)).await, None);
    for (method, path, account, body, status, code) in [
        ("POST", PATH, "shielded", warm, 403, "permission_denied"),
        ("POST", PATH, "blocked", body, 403, "permission_denied"),
        ("POST", PATH, "no account", body, 401, "invalid_api_key"),
        ("POST", "/metrics", "acc_1", body, 404, "not_found"),
        ("GET", "/v1/files", "acc_1", "", 403, "permission_denied"),
        ("POST", "/v1/batches", "acc_1", body, 403, "permission_denied"),
        ("GET", PATH, "acc_1", "", 405, "not_found"),
    ] {
        let (was, reply) = denied(&stand, check(method, path, &named(account), body)).await.unwrap();
        assert_eq!((was, reply["error"]["code"].as_str()), (status, Some(code)), "{method} {path} {account}");
    }
    let packed = [("x-account", "acc_1"), ("content-encoding", "gzip")];
    assert_eq!(denied(&stand, check("POST", PATH, &packed, "")).await, None, "no body is shown");
    let (status, reply) = denied(&stand, check("POST", "/v1/messages", &named("blocked"), body)).await.unwrap();
    assert_eq!((status, &reply["error"]["type"]), (403, &json!("permission_error")));
    assert_eq!(denied(&stand, check("POST", PATH, &[], body)).await.unwrap().0, 401, "nobody is named");
    let partial = [("x-account", "acc_1"), ("x-envoy-auth-partial-body", "true")];
    assert_eq!(denied(&stand, check("POST", PATH, &partial, &body[..40])).await.unwrap().0, 413);
    assert_eq!(denied(&stand, check("POST", PATH, &named("acc_1"), "{")).await.unwrap().0, 400);
    assert_eq!(denied(&stand, CheckRequest::default()).await.unwrap().0, 400);
    // What was refused is on record, and what went on is where `ext_proc` shows it.
    let (records, _folder) = stand.end().await;
    let reasons: Vec<&str> = records.iter().filter_map(|record| record["decision"]["reason"].as_str()).collect();
    assert_eq!(reasons, ["forbidden"; 3], "{records:?}");
    assert_eq!(records[0]["client"]["ip"], "192.0.2.9");
}

fn headers(pairs: &[(&str, &str)]) -> HttpHeaders {
    let header = |(name, value): &(&str, &str)| HeaderValue {
        key: (*name).to_owned(),
        raw_value: value.as_bytes().to_vec(),
        ..HeaderValue::default()
    };
    HttpHeaders { headers: Some(HeaderMap { headers: pairs.iter().map(header).collect() }), ..HttpHeaders::default() }
}

fn part(body: &[u8], end_of_stream: bool) -> HttpBody {
    HttpBody { body: body.to_vec(), end_of_stream, ..HttpBody::default() }
}

/// An exchange as it goes by; how many words came back.
async fn shown(stand: &Stand, account: &str, request: &[&[u8]], answer: &[&[u8]], observes: bool) -> usize {
    packed(stand, account, request, answer, observes, "identity").await
}

/// The same with an answer that is compressed.
async fn packed(
    stand: &Stand,
    account: &str,
    request: &[&[u8]],
    answer: &[&[u8]],
    observes: bool,
    encoding: &str,
) -> usize {
    let asked =
        [(":method", "POST"), (":path", PATH), ("x-account", account), ("x-forwarded-for", "6.6.6.6, 192.0.2.7")];
    let mut parts = vec![Shown::RequestHeaders(headers(&asked))];
    parts.extend(request.iter().map(|piece| Shown::RequestBody(part(piece, false))));
    parts.push(Shown::ResponseHeaders(headers(&[
        (":status", "200"),
        ("content-type", "application/json"),
        ("content-encoding", encoding),
    ])));
    parts.extend(answer.iter().enumerate().map(|(n, piece)| Shown::ResponseBody(part(piece, n + 1 == answer.len()))));
    let requests: Vec<ProcessingRequest> = parts
        .into_iter()
        .map(|shown| ProcessingRequest {
            request: Some(shown),
            observability_mode: observes,
            ..ProcessingRequest::default()
        })
        .collect();
    let mut client = ExternalProcessorClient::new(stand.channel().await);
    let words = client.process(keyed(tokio_stream::iter(requests))).await.unwrap().into_inner();
    words.map(|word| assert!(word.unwrap().response.is_some())).fold(0, |count, ()| count + 1).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_by_is_recorded_and_never_held_up() {
    let stand = stand(tempfile::tempdir().unwrap()).await;
    let request: [&[u8]; 2] = [br#"{"model":"m","messages":"#, br#"[{"role":"user","content":"What is due north?"}]}"#];
    let answer: [&[u8]; 2] = [br#"{"choices":[{"message":{"role":"assistant","#, br#""content":"The pole."}}]}"#];
    assert_eq!(shown(&stand, "acc_1", &request, &answer, true).await, 0, "nothing is awaited");
    assert_eq!(shown(&stand, "acc_2", &request, &answer, false).await, 6, "one word for each part");
    // What is no request to a model, or of nobody, is let go by.
    assert_eq!(shown(&stand, "acc_3", &[b"no JSON"], &answer, false).await, 5);
    assert_eq!(shown(&stand, "no account", &request, &answer, false).await, 6);
    let gzip = crate::otlp::gzip(&answer.concat());
    let (one, other) = gzip.split_at(20);
    packed(&stand, "acc_4", &request, &[one, other], true, "gzip").await;
    packed(&stand, "acc_5", &request, &[b"?"], true, "br").await;
    let (records, _folder) = stand.end().await;
    let accounts: Vec<&str> = records.iter().filter_map(|record| record["account"].as_str()).collect();
    assert_eq!(accounts, ["acc_1", "acc_2", "acc_4", "acc_5"]);
    assert_eq!(records[2]["response"], records[0]["response"]);
    assert_eq!(records[3]["response"], "");
    assert_eq!(records[0]["request"]["messages"][0]["content"], "What is due north?");
    assert_eq!(records[0]["response"]["choices"][0]["message"]["content"], "The pole.");
    assert_eq!((records[0]["client"]["ip"].as_str(), records[0]["status"].as_u64()), (Some("192.0.2.7"), Some(200)));
}

/// The parts of a call's request and answer, the answer after the statuses `before`.
fn parts_of(account: &str, request: &[u8], statuses: &[&str], answer: &[u8]) -> Vec<ProcessingRequest> {
    let asked = [(":method", "POST"), (":path", PATH), ("x-account", account)];
    let mut parts = vec![Shown::RequestHeaders(headers(&asked)), Shown::RequestBody(part(request, true))];
    parts.extend(statuses.iter().map(|status| Shown::ResponseHeaders(headers(&[(":status", status)]))));
    if !statuses.is_empty() {
        parts.push(Shown::ResponseBody(part(answer, true)));
    }
    parts.into_iter().map(|shown| ProcessingRequest { request: Some(shown), ..ProcessingRequest::default() }).collect()
}

const ASKED: &[u8] = br#"{"model":"m","messages":[{"role":"user","content":"What is due north?"}]}"#;
const ANSWERED: &[u8] = br#"{"choices":[{"message":{"role":"assistant","content":"The pole."}}]}"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_status_that_announces_an_answer_is_not_the_answers() {
    let stand = stand(tempfile::tempdir().unwrap()).await;
    let mut client = ExternalProcessorClient::new(stand.channel().await);
    let parts = parts_of("acc_1", ASKED, &["103", "200"], ANSWERED);
    let words = client.process(keyed(tokio_stream::iter(parts))).await.unwrap().into_inner();
    assert_eq!(words.fold(0, |count, word| count + usize::from(word.is_ok())).await, 5);
    let (records, _folder) = stand.end().await;
    assert_eq!((records.len(), records[0]["status"].as_u64()), (1, Some(200)), "{records:?}");
    assert_eq!(records[0]["response"]["choices"][0]["message"]["content"], "The pole.");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shown_at_once_has_a_limit_and_going_by_it_is_counted() {
    let stand = stand(tempfile::tempdir().unwrap()).await;
    let mut client = ExternalProcessorClient::new(stand.channel().await);
    let body = vec![b' '; BODY_BYTES_MAX];
    let mut open = Vec::new();
    for _ in 0..SHOWN_BYTES_MAX / BODY_BYTES_MAX {
        let (parts, shown) = tokio::sync::mpsc::channel(2);
        for part in parts_of("acc_1", &body, &[], b"") {
            parts.send(part).await.unwrap();
        }
        let shown = tokio_stream::wrappers::ReceiverStream::new(shown);
        let mut words = client.process(keyed(shown)).await.unwrap().into_inner();
        for _ in 0..2 {
            words.next().await.unwrap().unwrap();
        }
        open.push((parts, words));
    }
    let mut show = async |account: &str| {
        let parts = parts_of(account, ASKED, &["200"], ANSWERED);
        let words = client.process(keyed(tokio_stream::iter(parts))).await.unwrap().into_inner();
        assert_eq!(words.fold(0, |count, word| count + usize::from(word.is_ok())).await, 4, "it goes by all the same");
    };
    assert_eq!(stand.count("crowded"), 0);
    show("acc_2").await;
    assert_eq!(stand.count("crowded"), 1);
    for (parts, words) in open {
        drop(parts);
        assert_eq!(words.fold(0, |count, _| count + 1).await, 0);
    }
    show("acc_3").await;
    assert_eq!(stand.count("crowded"), 1);
    let (records, _folder) = stand.end().await;
    assert_eq!(records.iter().map(|record| record["account"].as_str().unwrap()).collect::<Vec<_>>(), ["acc_3"]);
}
