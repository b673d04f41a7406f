//! Identity providers: keys found, fetched over TLS, rotated and withdrawn, and tokens at the gate.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use aws_lc_rs::encoding::{AsBigEndian, EcPublicKeyUncompressedBin};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use exchange::Time;
use gateway::config::Config;
use gateway::identity::{Keeper, NotFetched, Provider};
use gateway::limits::IDENTITY_TIME_MAX;
use policy::Actions;
use policy::limits::ISSUER_KEY_BYTES_MAX;
use policy::token::{Identities, KEYS_FRESH_SECONDS, KEYS_PAUSE_SECONDS, KEYS_STALE_SECONDS};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::rig::{Rig, raw};

/// A server of fixed answers, by path.
struct Site {
    address: SocketAddr,
    pages: Arc<Mutex<HashMap<String, (u16, String)>>>,
    asked: Arc<AtomicUsize>,
}

impl Site {
    fn new() -> Site {
        Site::slow(Duration::ZERO)
    }

    /// One that takes its time before each answer.
    fn slow(pause: Duration) -> Site {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let pages: Arc<Mutex<HashMap<String, (u16, String)>>> = Arc::default();
        let asked = Arc::new(AtomicUsize::new(0));
        let (shown, counted) = (Arc::clone(&pages), Arc::clone(&asked));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let first = lines.next().and_then(Result::ok).unwrap_or_default();
                while lines.next().and_then(Result::ok).is_some_and(|line| !line.is_empty()) {}
                counted.fetch_add(1, Ordering::SeqCst);
                std::thread::sleep(pause);
                let path = first.split(' ').nth(1).unwrap_or_default();
                let (status, body) = shown.lock().unwrap().get(path).cloned().unwrap_or((404, String::new()));
                let length = body.len();
                let _ =
                    write!(stream, "HTTP/1.1 {status} X\r\nlocation: /keys\r\ncontent-length: {length}\r\n\r\n{body}");
            }
        });
        Site { address, pages, asked }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn show(&self, path: &str, status: u16, body: impl ToString) {
        self.pages.lock().unwrap().insert(path.to_owned(), (status, body.to_string()));
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn pair() -> EcdsaKeyPair {
    EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()
}

fn published(pairs: &[(&EcdsaKeyPair, &str)]) -> Value {
    let one = |(pair, id): &(&EcdsaKeyPair, &str)| {
        let point: EcPublicKeyUncompressedBin<'_> = pair.public_key().as_be_bytes().unwrap();
        let coordinate = |from: usize| URL_SAFE_NO_PAD.encode(&point.as_ref()[from..from + 32]);
        json!({"kty": "EC", "crv": "P-256", "alg": "ES256", "kid": id, "x": coordinate(1), "y": coordinate(33)})
    };
    json!({"keys": pairs.iter().map(one).collect::<Vec<_>>()})
}

/// A token of `issuer` for an account, valid for a day from `now`.
fn token(pair: &EcdsaKeyPair, id: &str, issuer: &str, account: &str, now: Time) -> String {
    let seconds = now.seconds();
    let claims = json!({"iss": issuer, "aud": "models", "sub": account, "iat": seconds, "exp": seconds + 2 * KEYS_STALE_SECONDS});
    let code = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", code(json!({"alg": "ES256", "kid": id})), code(claims));
    let signature = pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn providers(text: &str) -> Arc<Vec<Provider>> {
    let path = Path::new("gateway.toml");
    Config::parse(path, text).unwrap().settings(path).unwrap().identities
}

/// What a keeper knows, and a clock that is moved by hand.
struct Kept {
    keeper: Keeper,
    identities: ArcSwap<Identities>,
    now: i64,
}

impl Kept {
    fn new() -> Kept {
        Kept { keeper: Keeper::default(), identities: ArcSwap::default(), now: 1_760_000_000 }
    }

    fn time(&self) -> Time {
        Time::from_seconds(self.now)
    }

    async fn step(&mut self, providers: &Arc<Vec<Provider>>) -> Vec<NotFetched> {
        let failures = self.keeper.step(providers, &self.identities, Time::from_seconds(self.now)).await;
        failures.into_iter().map(|(_, failure)| failure).collect()
    }

    fn holds(&self, token: &str) -> bool {
        self.identities.load().verify(token, self.time()).is_ok()
    }
}

/// Elsewhere tokens were remembered by a part of them, and one account got the answers of another.
#[tokio::test]
async fn no_two_tokens_are_one_in_memory() {
    let (site, one) = (Site::new(), pair());
    site.show("/keys", 200, published(&[(&one, "1")]));
    let url = site.url();
    let text = format!("[[identity]]\nissuer = \"{url}\"\nkeys = \"{url}/keys\"\naudience = \"models\"");
    let mut kept = Kept::new();
    assert!(kept.step(&providers(&text)).await.is_empty());
    let long = "a".repeat(60);
    let names: Vec<String> = (0..50).map(|n| format!("{long}{n}")).collect();
    let tokens: Vec<String> = names.iter().map(|name| token(&one, "1", &url, name, kept.time())).collect();
    let who = |token: &str| {
        kept.identities.load().verify(token, kept.time()).map(|(_, claims)| claims.account.to_string()).ok()
    };
    for _ in 0..2 {
        for (name, token) in names.iter().zip(&tokens) {
            assert_eq!(who(token).as_ref(), Some(name));
        }
    }
    // With all of them remembered, none lends its signature, its claims or its beginning to another.
    let (claims, signature) = (tokens[0].rsplit_once('.').unwrap().0, tokens[1].rsplit_once('.').unwrap().1);
    for forged in
        [format!("{claims}.{signature}"), tokens[0][..tokens[0].len() - 4].to_owned(), format!("{}x", tokens[0])]
    {
        assert_eq!(who(&forged), None, "{forged}");
    }
}

/// A provider that does not answer keeps nobody waiting for longer than it may take, and one that is slow is waited for.
#[tokio::test]
async fn who_does_not_answer_in_time_is_not_waited_for() {
    let one = pair();
    for (pause, is_in_time) in
        [(IDENTITY_TIME_MAX - Duration::from_secs(2), true), (IDENTITY_TIME_MAX + Duration::from_secs(2), false)]
    {
        let site = Site::slow(pause);
        site.show("/keys", 200, published(&[(&one, "1")]));
        let url = site.url();
        let text = format!("[[identity]]\nissuer = \"{url}\"\nkeys = \"{url}/keys\"\naudience = \"models\"");
        let begun = Instant::now();
        let failures = Kept::new().step(&providers(&text)).await;
        assert_eq!(failures.is_empty(), is_in_time, "{failures:?}");
        assert!(is_in_time || matches!(failures[0], NotFetched::TooSlow(_)), "{failures:?}");
        assert!(begun.elapsed() < IDENTITY_TIME_MAX + Duration::from_secs(2));
    }
}

#[tokio::test]
async fn keys_are_found_by_what_describes_their_issuer() {
    let (site, one) = (Site::new(), pair());
    let text = format!("[[identity]]\nissuer = \"{}/realm/\"\naudience = \"models\"", site.url());
    let providers = providers(&text);
    let issuer = format!("{}/realm/", site.url());
    let mut kept = Kept::new();
    let text = token(&one, "1", &issuer, "acct", kept.time());
    let described = |issuer: &str, keys: String| json!({"issuer": issuer, "jwks_uri": keys});
    let place = "/realm/.well-known/openid-configuration";
    site.show("/keys", 200, published(&[(&one, "1")]));
    for (answer, is_expected) in [
        (
            described(&site.url(), format!("{}/keys", site.url())),
            (|bad| matches!(bad, NotFetched::Description(_))) as fn(&_) -> _,
        ),
        (described(&issuer, "http://192.0.2.1/keys".to_owned()), |bad| matches!(bad, NotFetched::Url(_))),
        (described(&issuer, format!("{}/none", site.url())), |bad| matches!(bad, NotFetched::Status(..))),
        (json!({"issuer": issuer}), |bad| matches!(bad, NotFetched::Description(_))),
    ] {
        site.show(place, 200, &answer);
        let failures = kept.step(&providers).await;
        assert!(failures.len() == 1 && is_expected(&failures[0]) && !kept.holds(&text), "{answer}: {failures:?}");
        kept.now += KEYS_PAUSE_SECONDS;
    }
    site.show(place, 200, described(&issuer, format!("{}/keys", site.url())));
    assert!(kept.step(&providers).await.is_empty() && kept.holds(&text));
}

#[tokio::test]
async fn keys_are_rotated_withdrawn_and_outlive_their_issuer_for_a_time() {
    let (site, one, two) = (Site::new(), pair(), pair());
    let text = format!("[[identity]]\nissuer = \"i\"\naudience = \"models\"\nkeys = \"{}/keys\"", site.url());
    let all = providers(&text);
    let mut kept = Kept::new();
    let first = token(&one, "1", "i", "acct", kept.time());
    let second = token(&two, "2", "i", "acct", kept.time());
    site.show("/keys", 200, published(&[(&one, "1")]));
    assert!(kept.step(&all).await.is_empty() && kept.holds(&first) && site.asked() == 1);

    // A new key is fetched when a token names it, and not more often than it may be.
    site.show("/keys", 200, published(&[(&one, "1"), (&two, "2")]));
    assert!(!kept.holds(&second));
    kept.now += KEYS_PAUSE_SECONDS - 1;
    assert!(kept.step(&all).await.is_empty() && !kept.holds(&second) && site.asked() == 1);
    kept.now += 1;
    assert!(kept.step(&all).await.is_empty() && kept.holds(&second) && kept.holds(&first) && site.asked() == 2);

    // One that is withdrawn is out when the keys are fetched anew, whether its token was checked before or not.
    site.show("/keys", 200, published(&[(&two, "2")]));
    kept.now += KEYS_FRESH_SECONDS;
    assert!(kept.step(&all).await.is_empty() && !kept.holds(&first) && kept.holds(&second));

    // A reload of the same providers fetches nothing and forgets nothing.
    let (again, asked) = (providers(&text), site.asked());
    assert!(kept.step(&again).await.is_empty() && kept.holds(&second) && site.asked() == asked);

    // Redirections, errors and what is no set of keys leave the old ones in place, and that ends.
    for (status, body) in [
        (302, String::new()),
        (500, String::new()),
        (200, "{}".to_owned()),
        (200, " ".repeat(ISSUER_KEY_BYTES_MAX + 1)),
    ] {
        site.show("/keys", status, body);
        kept.now += KEYS_FRESH_SECONDS;
        assert!(kept.step(&again).await.len() == 1 && kept.holds(&second));
    }
    kept.now += KEYS_STALE_SECONDS;
    assert!(kept.step(&again).await.len() == 1 && !kept.holds(&second));
    assert_eq!(kept.identities.load().without_keys().collect::<Vec<_>>(), ["i"]);

    // Without them in the configuration they are nobody's.
    site.show("/keys", 200, published(&[(&two, "2")]));
    kept.now += KEYS_PAUSE_SECONDS;
    assert!(kept.step(&again).await.is_empty() && kept.holds(&second));
    assert!(kept.step(&Arc::default()).await.is_empty() && !kept.holds(&second) && kept.identities.load().is_empty());
}

#[tokio::test]
async fn an_issuer_is_believed_by_its_certificate() {
    let authority = crate::tls::Authority::new("identity");
    authority.sign("server", "localhost");
    let one = pair();
    let port = authority.serve(published(&[(&one, "1")]).to_string());
    let stranger = crate::tls::Authority::new("identity-stranger");
    let of = |authority: &crate::tls::Authority| {
        providers(&format!(
            "[[identity]]\nissuer = \"i\"\naudience = \"models\"\nkeys = \"https://localhost:{port}/keys\"\nauthorities = \"{}\"",
            authority.path("ca.pem").display()
        ))
    };
    let mut kept = Kept::new();
    let text = token(&one, "1", "i", "acct", kept.time());
    let failures = kept.step(&of(&stranger)).await;
    assert!(matches!(failures[..], [NotFetched::Unreachable(..)]) && !kept.holds(&text), "{failures:?}");
    let mut kept = Kept::new();
    let failures = kept.step(&of(&authority)).await;
    assert!(failures.is_empty() && kept.holds(&text), "{failures:?}");
}

#[test]
fn a_token_is_who_it_names_and_nothing_else_is() {
    let rig = Rig::new(Actions::NONE);
    let one = pair();
    let file = std::env::temp_dir().join(format!("stillwatch-identity-{}.json", std::process::id()));
    std::fs::write(&file, published(&[(&one, "1")]).to_string()).unwrap();
    let all =
        providers(&format!("[[identity]]\nissuer = \"i\"\naudience = \"models\"\nkeys_file = \"{}\"", file.display()));
    let now = Time::from_seconds(i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let failures = runtime.block_on(Keeper::default().step(&all, rig.gate.identities(), now));
    assert!(failures.is_empty());
    std::fs::remove_file(file).unwrap();
    let body = r#"{"model":"mock-1","messages":[{"role":"user","content":"hello"}]}"#;
    let ask = |token: &str, more: &str| {
        let length = body.len();
        let request = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n{more}\
             content-type: application/json\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        raw(rig.gateway.address(), request.as_bytes()).status
    };
    let good = token(&one, "1", "i", "acct", now);
    assert_eq!((ask(&good, ""), ask(&good, "")), (200, 200));
    assert_eq!(ask(&crate::rig::KEY.to_string(), ""), 200, "keys hold as before");
    for bad in [
        token(&one, "1", "i", "nobody", now),
        token(&one, "1", "other", "acct", now),
        token(&pair(), "1", "i", "acct", now),
        format!("{}x", good),
        good.rsplit_once('.').unwrap().0.to_owned() + ".",
        "eyJhbGciOiJub25lIn0.e30.".to_owned(),
    ] {
        assert_eq!(ask(&bad, ""), 401, "{bad}");
    }
    assert_eq!(ask(&good, "x-api-key: x\r\n"), 401);
}
