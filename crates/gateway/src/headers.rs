//! Which headers go on, to a server and back.
//!
//! Promises that what a client says of itself stays here, and so does what concerns a server only.

use hyper::HeaderMap;
use hyper::header::{CONNECTION, CONTENT_ENCODING, HeaderName, HeaderValue};

/// The headers that go on to a server: those of the APIs, and no others. Whatever else a client says of itself stays
/// here.
pub(crate) fn passed_on(headers: &HeaderMap, more: &[HeaderName], account: &str) -> HeaderMap {
    let mut passed = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let text = name.as_str();
        let known = PASSED.contains(&text)
            || PASSED_BEGINNINGS.iter().any(|beginning| text.starts_with(beginning))
            || more.contains(name);
        // What goes on is decompressed.
        if known && name != CONTENT_ENCODING {
            passed.append(name, value.clone());
        }
        // To a server all accounts are one caller: two that choose the same key would meet there.
        if name == IDEMPOTENCY_KEY {
            let own = blake3::Hasher::new().update(account.as_bytes()).update(&[0]).update(value.as_bytes()).finalize();
            passed.extend(HeaderValue::try_from(own.to_hex().as_str()).ok().map(|own| (name.clone(), own)));
        }
    }
    passed
}

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const PASSED: [&str; 9] = [
    "accept",
    "content-type",
    "user-agent",
    "openai-beta",
    "traceparent",
    "tracestate",
    "x-client-request-id",
    "x-request-id",
    "accept-language",
];
const PASSED_BEGINNINGS: [&str; 2] = ["anthropic-", "x-stainless-"];

/// Takes out of a reply what concerns its server and nobody else.
pub(crate) fn tidy(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let gone = headers.keys().filter(|name| CONCERNS_SERVER.contains(&name.as_str()) || named.contains(name));
    let gone: Vec<HeaderName> = gone.cloned().collect();
    for name in gone {
        headers.remove(name);
    }
}

/// Headers of the connection to a server, that lead a caller there, or that ask for a credential of somebody else.
const CONCERNS_SERVER: [&str; 15] = [
    "allow",
    "alt-svc",
    "connection",
    "content-location",
    "keep-alive",
    "location",
    "proxy-authenticate",
    "proxy-connection",
    "refresh",
    "server",
    "set-cookie",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "www-authenticate",
];

#[cfg(test)]
mod tests {
    use hyper::header::ACCEPT;

    use super::*;

    #[test]
    fn what_a_client_says_of_itself_stays_here() {
        let mut headers = HeaderMap::new();
        for name in [
            "authorization",
            "x-api-key",
            "host",
            "x-forwarded-for",
            "x-forwarded-host",
            "forwarded",
            "x-real-ip",
            "cookie",
            "openai-organization",
            "openai-project",
            "dpop",
            "x-ja4",
            "connection",
            "te",
            "transfer-encoding",
            "accept-encoding",
            "x-stillwatch-account",
            "proxy-authorization",
        ] {
            headers.insert(name, HeaderValue::from_static("x"));
        }
        assert!(passed_on(&headers, &[], "acct").is_empty());
        for name in ["anthropic-version", "content-type", "x-stainless-lang", "traceparent"] {
            headers.insert(name, HeaderValue::from_static("x"));
        }
        assert_eq!(passed_on(&headers, &[], "acct").len(), 4);
        assert_eq!(passed_on(&headers, &[ACCEPT, HeaderName::from_static("cookie")], "acct").len(), 5);
        let key = |account: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(IDEMPOTENCY_KEY, HeaderValue::from_static("chosen"));
            passed_on(&headers, &[], account).remove(IDEMPOTENCY_KEY).unwrap()
        };
        assert!(key("ann") == key("ann") && key("ann") != key("bob") && key("ann") != "chosen");
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        assert_eq!(passed_on(&headers, &[CONTENT_ENCODING], "acct").len(), 4);
    }

    #[test]
    fn what_leads_a_caller_elsewhere_stays_here_too() {
        let mut headers = HeaderMap::new();
        for name in
            ["location", "www-authenticate", "server", "alt-svc", "set-cookie", "connection", "transfer-encoding"]
        {
            headers.insert(name, HeaderValue::from_static("x"));
        }
        tidy(&mut headers);
        assert!(headers.is_empty(), "{headers:?}");
        for name in ["content-type", "x-request-id", "retry-after", "x-ratelimit-limit-requests"] {
            headers.insert(name, HeaderValue::from_static("x"));
        }
        tidy(&mut headers);
        assert_eq!(headers.len(), 4);
    }
}
