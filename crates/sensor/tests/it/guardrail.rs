//! LiteLLM's generic guardrail API.

use sensor::limits::{CALL_ID_BYTES_MAX, HEAD_TIME_MAX, MESSAGE_BYTES_MAX, MESSAGES_MAX};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::stand::{KEY, Stand, post, stand};

async fn tell(stand: &Stand, key: &str, body: &Value) -> (u16, Value) {
    let url = format!("{}/beta/litellm_basic_guardrail_api", stand.url());
    let headers = [("x-api-key", key), ("content-type", "application/json")];
    let (status, answer) = post(&url, &headers, body.to_string().into_bytes()).await;
    (status, serde_json::from_slice(&answer).unwrap_or_default())
}

fn asks(call: &str, account: &str) -> Value {
    json!({"input_type": "request", "litellm_call_id": call, "model": "m", "texts": ["What is due north?"],
        "structured_messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is due north?"}],
        "request_headers": {"user-agent": "test/1", "x-forwarded-for": "6.6.6.6, 192.0.2.7", "x-other": "[present]"},
        "request_data": {"user_api_key_hash": account, "user_api_key_team_id": "t"}})
}

fn says(call: &str, text: &str) -> Value {
    json!({"input_type": "response", "litellm_call_id": call, "model": "m", "texts": [text], "request_data": {}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_permitted_and_recorded_with_the_whole_of_its_answer() {
    let stand = stand(tempfile::tempdir().unwrap()).await;
    assert_eq!(tell(&stand, KEY, &asks("c1", "acc_1")).await, (200, json!({"action": "NONE"})));
    // Callers choose the id, so nobody comes in by another's.
    assert_eq!(tell(&stand, KEY, &asks("c1", "blocked")).await.1["action"], "BLOCKED");
    for text in ["The p", "The pole.", "The"] {
        assert_eq!(tell(&stand, KEY, &says("c1", text)).await.1["action"], "NONE");
    }
    assert_eq!(stand.newcomers.take(), ["acc_1".parse().unwrap()]);
    assert_eq!((stand.count("permitted"), stand.count("unpaired")), (1, 0));
    let (records, _folder) = stand.end().await;
    let of_account = |record: &&Value| record["account"] == "acc_1";
    let [record] = records.iter().filter(of_account).collect::<Vec<_>>()[..] else { panic!("{records:?}") };
    assert_eq!(record["client"]["ip"], "192.0.2.7");
    assert_eq!(record["client"]["user_agent"], "test/1");
    assert_eq!(record["request"]["messages"][1]["content"], "What is due north?");
    assert_eq!(record["response"]["choices"][0]["message"]["content"], "The pole.");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_nothing_or_is_nobody_is_blocked_and_does_not_learn_why() {
    let stand = stand(tempfile::tempdir().unwrap()).await;
    let (status, verdict) = tell(&stand, KEY, &asks("c1", "blocked")).await;
    assert_eq!((status, verdict["action"].as_str()), (200, Some("BLOCKED")));
    assert_eq!(verdict["blocked_reason"], "You do not have access to what this request asks for.");
    for nobody in ["", "no account", &"x".repeat(1_000)] {
        assert_eq!(tell(&stand, KEY, &asks("c2", nobody)).await.1["action"], "BLOCKED", "{nobody}");
    }
    assert_eq!(tell(&stand, KEY, &says("unheard-of", "x")).await.1["action"], "NONE");
    assert_eq!((stand.count("refused"), stand.count("nobody"), stand.count("unpaired")), (1, 3, 1));
    let (records, _folder) = stand.end().await;
    let [record] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((record["decision"]["reason"].as_str(), record["status"].as_u64()), (Some("forbidden"), Some(403)));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_read_without_the_key_and_nonsense_is_told() {
    let stand = stand(tempfile::tempdir().unwrap()).await;
    for key in ["", "another", &KEY[1..], &format!("{KEY}0")] {
        assert_eq!(tell(&stand, key, &asks("c1", "acc_1")).await.0, 401, "{key}");
    }
    assert_eq!(tell(&stand, KEY, &json!({"input_type": "neither"})).await.0, 422);
    assert_eq!(tell(&stand, KEY, &json!([])).await.0, 422);
    assert_eq!((stand.count("unauthenticated"), stand.count("unreadable")), (4, 2));
    assert_eq!(stand.end().await.0, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_has_a_limit() {
    let stand = stand(tempfile::tempdir().unwrap()).await;
    let mut body = asks("c1", "acc_1");
    let around = body.to_string().len();
    for (bytes, expected) in [(MESSAGE_BYTES_MAX, 200), (MESSAGE_BYTES_MAX + 1, 413)] {
        body["model"] = "m".repeat(bytes - around + 1).into();
        assert_eq!(body.to_string().len(), bytes);
        assert_eq!(tell(&stand, KEY, &body).await.0, expected, "{bytes}");
    }
    stand.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_under_one_id_is_recorded() {
    let stand = stand(tempfile::tempdir().unwrap()).await;
    for _ in 0..3 {
        assert_eq!(tell(&stand, KEY, &asks("c1", "acc_1")).await.1["action"], "NONE");
    }
    for bytes in [CALL_ID_BYTES_MAX, CALL_ID_BYTES_MAX + 1] {
        let id = "i".repeat(bytes);
        assert_eq!(tell(&stand, KEY, &asks(&id, "acc_1")).await.1["action"], "NONE");
        tell(&stand, KEY, &says(&id, "The pole.")).await;
    }
    assert_eq!((stand.count("permitted"), stand.count("unpaired")), (5, 1));
    assert_eq!(stand.end().await.0.len(), 5);
}

/// Time goes on by itself here whenever nothing else happens.
#[tokio::test]
async fn a_connection_on_which_nobody_shows_the_key_is_closed() {
    let stand = stand(tempfile::tempdir().unwrap()).await;
    let address = stand.url().trim_start_matches("http://").to_owned();
    for beginning in ["", "P", "POST / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nhost: x\r\n\r\n"] {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(beginning.as_bytes()).await.unwrap();
        let begun = tokio::time::Instant::now();
        tokio::time::pause();
        let mut answer = Vec::new();
        // What is cut off may be told as an error.
        let _ = stream.read_to_end(&mut answer).await;
        tokio::time::resume();
        let took = begun.elapsed();
        assert!(took <= HEAD_TIME_MAX + Duration::from_secs(1), "{beginning}: {took:?}");
        assert!(beginning.is_empty() || took >= HEAD_TIME_MAX / 2, "{beginning}: {took:?}");
    }
    stand.end().await;
}

/// Messages of which the end does not come hold their places.
#[tokio::test(flavor = "multi_thread")]
async fn so_many_messages_are_under_way_at_once_and_no_more() {
    let stand = stand(tempfile::tempdir().unwrap()).await;
    let address = stand.url().trim_start_matches("http://").to_owned();
    let head = format!(
        "POST /beta/litellm_basic_guardrail_api HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\ncontent-type: application/json\r\n\
         content-length: 9\r\n\r\n{{"
    );
    let mut held = Vec::new();
    for _ in 0..MESSAGES_MAX - 1 {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        held.push(stream);
    }
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert_eq!(tell(&stand, KEY, &asks("c1", "acc_1")).await.0, 200, "the last place");
    let mut stream = TcpStream::connect(&address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    held.push(stream);
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert_eq!(tell(&stand, KEY, &asks("c2", "acc_1")).await.0, 503);
    assert_eq!(stand.count("turned_away"), 1);
    drop(held);
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert_eq!(tell(&stand, KEY, &asks("c3", "acc_1")).await.0, 200);
    stand.end().await;
}
