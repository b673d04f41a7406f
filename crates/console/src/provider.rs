//! Signing in at an identity provider: OpenID Connect, by an authorization code with PKCE.
//!
//! Promises that somebody is taken at the provider's word only where that was signed by a key which the provider publishes, is for this console, and
//! answers what this very browser was led there with. What is on its way is kept by the browser, sealed, so that nobody who leads many there
//! takes room from others. Redirections are not followed, and nothing is asked of an address that the provider did not name itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use admin::person::Role;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use exchange::Time;
use gateway::identity::{description, usable};
use gateway::limits::IDENTITY_TIME_MAX;
use gateway::outward;
use http_body_util::Full;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, StatusCode, Uri};
use policy::limits::ISSUER_KEY_BYTES_MAX;
use policy::token::{BadToken, Issuer, KeySet};
use report::words::printable;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use zeroize::Zeroizing;

use crate::kept::Keeper;
use crate::limits::{PROVIDER_ANSWER_BYTES_MAX, PROVIDER_FRESH_TIME, SIGN_IN_TIME_MAX};
use crate::secret::{NoRandom, random, same, secret, some_secret};

/// An identity provider at which people sign in.
pub struct Provider {
    /// Whose word counts, for whom (the client's id there), and by which claim people are named.
    pub issuer: Issuer,
    /// What the console shows of itself there.
    pub secret: Option<Zeroizing<String>>,
    /// The claim with people's groups.
    pub role_claim: Option<String>,
    /// The group that has each role.
    pub roles: BTreeMap<Role, String>,
    /// How TLS is spoken there.
    pub tls: Arc<rustls::ClientConfig>,
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Provider").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// Leads people to a provider, and takes them back.
#[derive(Debug)]
pub(crate) struct Desk {
    provider: Provider,
    /// Where the provider leads back to.
    back: String,
    described: Mutex<Option<(Instant, Arc<Described>)>>,
    keeper: Keeper,
}

/// A provider as it describes itself, and its keys.
#[derive(Debug)]
struct Described {
    authorization: String,
    token: Uri,
    /// Where more is told of people than in tokens.
    people: Option<Uri>,
    /// Whether the secret goes into the form, because it may not go into a header.
    secret_in_form: bool,
    keys: KeySet,
}

/// What OpenID Connect Discovery says, as far as it is of use here.
#[derive(Deserialize)]
struct Description {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
}

/// What the browser keeps while somebody is at the provider.
#[derive(Serialize, Deserialize)]
struct Underway {
    nonce: String,
    verifier: String,
    next: String,
    since: Time,
}

/// Where a browser is led, and what it keeps meanwhile.
pub(crate) struct Led {
    pub(crate) to: String,
    pub(crate) kept: String,
}

/// What the provider leads a browser back with.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Back {
    #[serde(default)]
    code: String,
    #[serde(default)]
    state: String,
    /// Who says so (RFC 9207).
    iss: Option<String>,
    error: Option<String>,
    #[serde(default)]
    error_description: String,
}

/// What the provider gives for a code.
#[derive(Deserialize)]
struct Tokens {
    /// Says who somebody is.
    #[serde(deserialize_with = "secret")]
    id_token: Zeroizing<String>,
    /// By which more can be asked.
    #[serde(default, deserialize_with = "some_secret")]
    access_token: Option<Zeroizing<String>>,
}

/// Somebody whom the provider named.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) name: String,
    /// What their groups give them, where groups decide that.
    pub(crate) role: Option<Role>,
    pub(crate) next: String,
}

/// Why nobody is signed in.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("This sign-in was begun in another browser, or too long ago. Begin again.")]
    NotBegun,
    #[error("The provider did not let you in: {0}")]
    AtProvider(String),
    #[error("The provider cannot be asked: {0}")]
    Unreachable(String),
    #[error("What the provider says does not hold: {0}")]
    Token(#[from] BadToken),
    #[error("What the provider says is no answer to what it was asked. Begin again.")]
    OtherNonce,
    #[error("The provider speaks of two different people. Begin again.")]
    OtherPerson,
    #[error("The provider does not say who you are: expected the claim `{0}`")]
    Nameless(String),
    #[error("The provider does not say that your address is verified.")]
    Unverified,
    #[error("Your groups at the provider have no role here. Ask whoever runs this gateway.")]
    NoRole,
    #[error("No random bytes can be had.")]
    NoRandom,
}

impl From<NoRandom> for Refused {
    fn from(_: NoRandom) -> Refused {
        Refused::NoRandom
    }
}

impl Desk {
    /// One for a console that browsers reach at `url`.
    pub(crate) fn new(provider: Provider, url: &str) -> Desk {
        Desk {
            provider,
            back: format!("{url}/sign-in/provider/done"),
            described: Mutex::default(),
            keeper: Keeper::default(),
        }
    }

    /// What people know the provider by.
    pub(crate) fn name(&self) -> &str {
        let issuer = self.provider.issuer.issuer.as_str();
        issuer.split_once("://").map_or(issuer, |(_, rest)| rest).split('/').next().unwrap_or(issuer)
    }

    /// Leads a browser to the provider, from where it comes back and goes on to `next`.
    pub(crate) async fn lead(&self, next: &str, now: Time) -> Result<Led, Refused> {
        let described = self.described(false).await?;
        let underway = Underway { nonce: random()?, verifier: random()?, next: next.to_owned(), since: now };
        let kept = self.keeper.seal(&underway)?;
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, underway.verifier.as_bytes()));
        let query = serde_urlencoded::to_string([
            ("response_type", "code"),
            ("client_id", &self.provider.issuer.audience),
            ("redirect_uri", &self.back),
            ("scope", "openid profile email"),
            ("state", &state(&kept)),
            ("nonce", &underway.nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        let joint = if described.authorization.contains('?') { '&' } else { '?' };
        Ok(Led { to: format!("{}{joint}{}", described.authorization, query.unwrap_or_default()), kept })
    }

    /// Takes a browser back that `kept` something; who its user is.
    pub(crate) async fn take_back(&self, kept: Option<&str>, back: &Back, now: Time) -> Result<Named, Refused> {
        let kept = kept.ok_or(Refused::NotBegun)?;
        let underway: Underway = self.keeper.open(kept).ok_or(Refused::NotBegun)?;
        let age = now.nanos().saturating_sub(underway.since.nanos());
        if !same(&state(kept), &back.state) || !(0..=SIGN_IN_TIME_MAX.as_nanos() as i64).contains(&age) {
            return Err(Refused::NotBegun);
        }
        if back.iss.as_ref().is_some_and(|iss| *iss != self.provider.issuer.issuer) {
            return Err(Refused::Token(BadToken::Issuer));
        }
        if let Some(error) = &back.error {
            let told = format!("{error} {}", back.error_description);
            return Err(Refused::AtProvider(printable(told.trim(), 200)));
        }
        let Tokens { id_token, access_token } = self.tokens(&back.code, &underway.verifier).await?;
        let mut claims = self.claims(&id_token, now).await?;
        if !claims.get("nonce").and_then(Value::as_str).is_some_and(|nonce| same(nonce, &underway.nonce)) {
            return Err(Refused::OtherNonce);
        }
        let asked_for = [Some(&self.provider.issuer.account_claim), self.provider.role_claim.as_ref()];
        if asked_for.into_iter().flatten().any(|claim| at(&claims, claim).is_none()) {
            self.add_more(&mut claims, access_token.as_deref().map(String::as_str)).await?;
        }
        let (name, role) = self.named(&claims)?;
        Ok(Named { name, role, next: underway.next })
    }

    /// The tokens for the code that the browser came back with.
    async fn tokens(&self, code: &str, verifier: &str) -> Result<Tokens, Refused> {
        let described = self.described(false).await?;
        let id = &self.provider.issuer.audience;
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.back),
            ("client_id", id),
            ("code_verifier", verifier),
        ];
        let secret = self.provider.secret.as_ref().map(|secret| secret.as_str());
        form.extend(secret.filter(|_| described.secret_in_form).map(|secret| ("client_secret", secret)));
        let form = Zeroizing::new(serde_urlencoded::to_string(form).unwrap_or_default());
        let mut request = Request::new(Full::new(Bytes::copy_from_slice(form.as_bytes())));
        *request.method_mut() = Method::POST;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        if let Some(secret) = secret.filter(|_| !described.secret_in_form) {
            // Each by itself as a form has it (RFC 6749, section 2.3.1).
            let part = |text: &str| serde_urlencoded::to_string([("", text)]).map(|text| text.replacen('=', "", 1));
            let both = format!("{}:{}", part(id).unwrap_or_default(), part(secret).unwrap_or_default());
            let value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(both)));
            let mut value = value.map_err(|_| Refused::Unreachable("its secret cannot be sent".to_owned()))?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        let (status, body) = self.ask(&described.token, request, PROVIDER_ANSWER_BYTES_MAX).await?;
        if status != StatusCode::OK {
            let told = serde_json::from_slice::<Value>(&body).unwrap_or_default();
            let error = told.get("error").and_then(Value::as_str).unwrap_or_default();
            return Err(Refused::AtProvider(format!("status {} {}", status.as_u16(), printable(error, 100))));
        }
        serde_json::from_slice(&body).map_err(|_| Refused::Unreachable("it gave no token of whom it let in".to_owned()))
    }

    /// Adds what the provider tells of people elsewhere than in tokens, of the same person.
    async fn add_more(&self, claims: &mut Value, access_token: Option<&str>) -> Result<(), Refused> {
        let described = self.described(false).await?;
        let Some((uri, token)) = described.people.as_ref().zip(access_token) else { return Ok(()) };
        let mut request = Request::new(Full::default());
        let shown = HeaderValue::from_str(&format!("Bearer {token}"));
        let mut shown = shown.map_err(|_| Refused::Unreachable("its access token cannot be sent".to_owned()))?;
        shown.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, shown);
        let (status, body) = self.ask(uri, request, PROVIDER_ANSWER_BYTES_MAX).await?;
        let more = serde_json::from_slice::<Value>(&body).ok().filter(|_| status == StatusCode::OK);
        let wrong = || Refused::Unreachable(format!("`{uri}` answered {status}, and nothing of who you are"));
        let Some(Value::Object(more)) = more else { return Err(wrong()) };
        // Of another person nothing counts (OpenID Connect Core 1.0, section 5.3.2).
        if more.get("sub").is_none() || more.get("sub") != claims.get("sub") {
            return Err(Refused::OtherPerson);
        }
        if let Value::Object(claims) = claims {
            for (name, value) in more {
                claims.entry(name).or_insert(value);
            }
        }
        Ok(())
    }

    /// What a token says, which holds. Keys that changed meanwhile are fetched once.
    async fn claims(&self, token: &str, now: Time) -> Result<Value, Refused> {
        let issuer = &self.provider.issuer;
        let checked = match issuer.checked(token, &self.described(false).await?.keys, now) {
            Err(BadToken::UnknownKey) => issuer.checked(token, &self.described(true).await?.keys, now),
            checked => checked,
        };
        let claims = checked?;
        // One that is for several was given to one of them.
        if claims.get("azp").is_some_and(|party| party.as_str() != Some(&issuer.audience)) {
            return Err(Refused::Token(BadToken::Audience));
        }
        Ok(claims)
    }

    fn named(&self, claims: &Value) -> Result<(String, Option<Role>), Refused> {
        let claim = &self.provider.issuer.account_claim;
        let name = claims.get(claim).and_then(Value::as_str);
        let name = name.filter(|name| admin::answer::person(name).is_ok());
        let name = name.ok_or_else(|| Refused::Nameless(claim.clone()))?.to_owned();
        if claim == "email" && claims.get("email_verified") != Some(&Value::Bool(true)) {
            return Err(Refused::Unverified);
        }
        let Some(role_claim) = &self.provider.role_claim else { return Ok((name, None)) };
        let groups = match at(claims, role_claim) {
            Some(Value::Array(groups)) => groups.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(group)) => vec![group.as_str()],
            _ => Vec::new(),
        };
        let highest = self.provider.roles.iter().rev().find(|(_, group)| groups.contains(&group.as_str()));
        Ok((name, Some(*highest.ok_or(Refused::NoRole)?.0)))
    }

    /// The provider as it describes itself, asked for every some minutes, or `anew`.
    async fn described(&self, anew: bool) -> Result<Arc<Described>, Refused> {
        let mut described = self.described.lock().await;
        if let Some((asked, known)) = described.as_ref()
            && !anew
            && asked.elapsed() < PROVIDER_FRESH_TIME
        {
            return Ok(Arc::clone(known));
        }
        let issuer = &self.provider.issuer.issuer;
        let wrong = |error: gateway::identity::NotFetched| Refused::Unreachable(error.to_string());
        let told = self.get(&description(issuer).map_err(wrong)?, PROVIDER_ANSWER_BYTES_MAX).await?;
        let told: Description = serde_json::from_slice(&told).map_err(|error| {
            Refused::Unreachable(format!("it does not describe itself as OpenID Connect asks: {error}"))
        })?;
        if told.issuer != *issuer {
            let other = printable(&told.issuer, 200);
            return Err(Refused::Unreachable(format!("it calls itself `{other}`, and is configured as `{issuer}`")));
        }
        usable(&told.authorization_endpoint).map_err(wrong)?;
        let keys = self.get(&usable(&told.jwks_uri).map_err(wrong)?, ISSUER_KEY_BYTES_MAX).await?;
        let methods = &told.token_endpoint_auth_methods_supported;
        let takes = |method: &str| methods.iter().any(|one| one == method);
        let known = Arc::new(Described {
            token: usable(&told.token_endpoint).map_err(wrong)?,
            people: told.userinfo_endpoint.as_deref().map(usable).transpose().map_err(wrong)?,
            secret_in_form: takes("client_secret_post") && !takes("client_secret_basic"),
            authorization: told.authorization_endpoint,
            keys: KeySet::read(&keys).map_err(|error| Refused::Unreachable(error.to_string()))?,
        });
        *described = Some((Instant::now(), Arc::clone(&known)));
        Ok(known)
    }

    async fn get(&self, uri: &Uri, bytes_max: usize) -> Result<Bytes, Refused> {
        match self.ask(uri, Request::new(Full::default()), bytes_max).await? {
            (StatusCode::OK, body) => Ok(body),
            (status, _) => Err(Refused::Unreachable(format!("`{uri}` answered {status}"))),
        }
    }

    async fn ask(
        &self,
        uri: &Uri,
        mut request: Request<Full<Bytes>>,
        bytes_max: usize,
    ) -> Result<(StatusCode, Bytes), Refused> {
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        let answer = timeout(IDENTITY_TIME_MAX, outward::ask(uri, &self.provider.tls, request, bytes_max)).await;
        let seconds = IDENTITY_TIME_MAX.as_secs();
        answer
            .map_err(|_| Refused::Unreachable(format!("`{uri}` did not answer within {seconds} s")))?
            .map_err(|error| Refused::Unreachable(format!("`{uri}`: {error}")))
    }
}

/// What ties an answer to the browser that keeps this.
fn state(kept: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, kept.as_bytes()))
}

/// A claim by its name, or by a path such as `realm_access.roles`.
fn at<'v>(claims: &'v Value, name: &str) -> Option<&'v Value> {
    claims.get(name).or_else(|| name.split('.').try_fold(claims, |value, part| value.get(part)))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex as Plain;
    use std::time::Duration;

    use aws_lc_rs::encoding::{AsBigEndian as _, EcPublicKeyUncompressedBin};
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
    use axum::http::HeaderMap;
    use axum::routing::{get, post};
    use axum::{Json, Router};
    use serde_json::json;

    use super::*;

    const NOW: Time = Time::from_seconds(1_800_000_000);

    /// A provider that says what it is told to.
    struct Site {
        url: String,
        says: Arc<Plain<Says>>,
    }

    struct Says {
        description: Value,
        /// The keys that it publishes, and that it signs with.
        published: EcdsaKeyPair,
        signs: EcdsaKeyPair,
        key: &'static str,
        claims: Value,
        /// What it tells elsewhere.
        more: Value,
        status: StatusCode,
        /// What it was asked for a token with.
        asked: Vec<(HeaderMap, BTreeMap<String, String>)>,
    }

    fn pair() -> EcdsaKeyPair {
        EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()
    }

    fn copy(pair: &EcdsaKeyPair) -> EcdsaKeyPair {
        let bytes = pair.to_pkcs8v1().unwrap();
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, bytes.as_ref()).unwrap()
    }

    fn keys(pair: &EcdsaKeyPair, id: &str) -> Value {
        let point: EcPublicKeyUncompressedBin = pair.public_key().as_be_bytes().unwrap();
        let coordinate = |from: usize| URL_SAFE_NO_PAD.encode(&point.as_ref()[from..from + 32]);
        json!({"keys": [{"kty": "EC", "crv": "P-256", "alg": "ES256", "kid": id, "x": coordinate(1), "y": coordinate(33)}]})
    }

    fn token(says: &Says) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&json!({"alg": "ES256", "kid": says.key})), part(&says.claims));
        let signature = says.signs.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    impl Site {
        async fn new() -> Site {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            let pair = pair();
            let description = json!({
                "issuer": url, "authorization_endpoint": format!("{url}/authorize"), "token_endpoint": format!("{url}/token"),
                "jwks_uri": format!("{url}/keys"), "userinfo_endpoint": format!("{url}/me"),
            });
            let (published, status, key) = (copy(&pair), StatusCode::OK, "one");
            let says = Says {
                description,
                published,
                signs: pair,
                key,
                claims: Value::Null,
                more: Value::Null,
                status,
                asked: Vec::new(),
            };
            let says = Arc::new(Plain::new(says));
            let (one, two, three, four) = (Arc::clone(&says), Arc::clone(&says), Arc::clone(&says), Arc::clone(&says));
            let router = Router::new()
                .route(
                    "/.well-known/openid-configuration",
                    get(async move || Json(one.lock().unwrap().description.clone())),
                )
                .route(
                    "/me",
                    get(async move |headers: HeaderMap| {
                        assert_eq!(headers[AUTHORIZATION], "Bearer t");
                        Json(four.lock().unwrap().more.clone())
                    }),
                )
                .route(
                    "/keys",
                    get(async move || {
                        let says = two.lock().unwrap();
                        Json(keys(&says.published, says.key))
                    }),
                )
                .route(
                    "/token",
                    post(async move |headers: HeaderMap, form: axum::Form<BTreeMap<String, String>>| {
                        let mut says = three.lock().unwrap();
                        says.asked.push((headers, form.0));
                        (
                            says.status,
                            Json(json!({"id_token": token(&says), "access_token": "t", "error": "invalid_grant"})),
                        )
                    }),
                );
            tokio::spawn(axum::serve(listener, router).into_future());
            Site { url, says }
        }

        fn desk(&self, role_claim: Option<&str>) -> Desk {
            let issuer = Issuer {
                issuer: self.url.clone(),
                audience: "our console".to_owned(),
                account_claim: "email".to_owned(),
            };
            let secret = Some(Zeroizing::new("s e:c&ret".to_owned()));
            let roles = BTreeMap::from([(Role::Analyst, "abuse".to_owned()), (Role::Admin, "bosses".to_owned())]);
            let tls = Arc::new(gateway::tls::towards(None).unwrap());
            let provider = Provider { issuer, secret, role_claim: role_claim.map(str::to_owned), roles, tls };
            Desk::new(provider, "https://console.example")
        }

        /// Says a token that holds, answering the question which a browser was led there with, but for one claim.
        fn answer(&self, led: &Led, (name, value): (&str, Value)) {
            let mut says = self.says.lock().unwrap();
            says.claims = json!({
                "iss": self.url, "aud": "our console", "exp": NOW.seconds() + 60, "iat": NOW.seconds(),
                "nonce": query(&led.to)["nonce"], "email": "ann@a.example", "email_verified": true, "groups": ["all", "abuse"],
            });
            says.claims[name] = value;
        }
    }

    fn query(to: &str) -> BTreeMap<String, String> {
        serde_urlencoded::from_str(to.split_once('?').unwrap().1).unwrap()
    }

    fn back(led: &Led) -> Back {
        Back { code: "c".to_owned(), state: query(&led.to)["state"].clone(), ..Back::default() }
    }

    #[tokio::test]
    async fn whoever_the_provider_names_is_signed_in_with_the_role_of_their_groups() {
        let site = Site::new().await;
        for (role_claim, role) in
            [(None, None), (Some("groups"), Some(Role::Analyst)), (Some("realm.roles"), Some(Role::Admin))]
        {
            let desk = site.desk(role_claim);
            assert_eq!(desk.name(), site.url.split_once("//").unwrap().1);
            let led = desk.lead("/cases", NOW).await.unwrap();
            let asked = query(&led.to);
            assert!(led.to.starts_with(&format!("{}/authorize?response_type=code&", site.url)));
            assert_eq!(asked["redirect_uri"], "https://console.example/sign-in/provider/done");
            site.answer(&led, ("realm", json!({"roles": "bosses"})));
            let named = desk.take_back(Some(&led.kept), &back(&led), NOW).await.unwrap();
            assert_eq!(named, Named { name: "ann@a.example".to_owned(), role, next: "/cases".to_owned() });
            let (headers, form) = site.says.lock().unwrap().asked.pop().unwrap();
            // Each part as a form has it, then joined.
            assert_eq!(headers[AUTHORIZATION], format!("Basic {}", STANDARD.encode("our+console:s+e%3Ac%26ret")));
            assert_eq!((form["code"].as_str(), form.get("client_secret")), ("c", None));
            let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, form["code_verifier"].as_bytes()));
            assert_eq!((challenge, asked["code_challenge_method"].as_str()), (asked["code_challenge"].clone(), "S256"));
        }
    }

    #[tokio::test]
    async fn what_a_provider_says_counts_for_this_browser_and_this_time_only() {
        let site = Site::new().await;
        let desk = site.desk(None);
        let (led, other) = (desk.lead("/", NOW).await.unwrap(), desk.lead("/", NOW).await.unwrap());
        site.answer(&led, ("x", json!(1)));
        let later = |by: Duration| Time::from_nanos(NOW.nanos() + by.as_nanos() as i64);
        let mut torn = led.kept.clone();
        torn.replace_range(30..31, if torn.as_bytes()[30] == b'A' { "B" } else { "A" });
        let elsewhere = site.desk(None);
        for (kept, asked, now) in [
            (None, &led, NOW),
            (Some(other.kept.as_str()), &led, NOW),
            (Some(torn.as_str()), &led, NOW),
            (Some(""), &led, NOW),
            (Some(led.kept.as_str()), &led, later(SIGN_IN_TIME_MAX + Duration::from_nanos(1))),
            (Some(led.kept.as_str()), &led, Time::from_seconds(NOW.seconds() - 1)),
        ] {
            assert_eq!(desk.take_back(kept, &back(asked), now).await, Err(Refused::NotBegun));
        }
        assert_eq!(
            elsewhere.take_back(Some(&led.kept), &back(&led), NOW).await,
            Err(Refused::NotBegun),
            "another process"
        );
        assert!(site.says.lock().unwrap().asked.is_empty(), "no code is shown for what was not begun here");
        let said_by_other = Back { iss: Some("https://evil.example".to_owned()), ..back(&led) };
        let refused = desk.take_back(Some(&led.kept), &said_by_other, NOW).await;
        assert_eq!(refused, Err(Refused::Token(BadToken::Issuer)));
        let denied =
            Back { error: Some("access_denied".to_owned()), error_description: "no\nway".to_owned(), ..back(&led) };
        let refused = desk.take_back(Some(&led.kept), &denied, NOW).await.unwrap_err();
        assert!(matches!(&refused, Refused::AtProvider(told) if told.starts_with("access_denied no")), "{refused}");
        // The token does not hold so long; what the browser keeps does.
        let late = desk.take_back(Some(&led.kept), &back(&led), later(SIGN_IN_TIME_MAX)).await;
        assert_eq!(late, Err(Refused::Token(BadToken::Time)));
        assert!(desk.take_back(Some(&led.kept), &back(&led), NOW).await.is_ok());
    }

    #[tokio::test]
    async fn a_token_that_does_not_hold_signs_nobody_in() {
        let site = Site::new().await;
        let desk = site.desk(Some("groups"));
        let led = desk.lead("/", NOW).await.unwrap();
        for (claim, expected) in [
            (("nonce", json!("other")), Refused::OtherNonce),
            (("nonce", Value::Null), Refused::OtherNonce),
            (("iss", json!("https://evil.example")), Refused::Token(BadToken::Issuer)),
            (("aud", json!("others")), Refused::Token(BadToken::Audience)),
            (("azp", json!("others")), Refused::Token(BadToken::Audience)),
            (("exp", json!(NOW.seconds() - 31)), Refused::Token(BadToken::Time)),
            (("email", Value::Null), Refused::Nameless("email".to_owned())),
            (("email", json!("a\nb")), Refused::Nameless("email".to_owned())),
            (("email_verified", json!(false)), Refused::Unverified),
            (("email_verified", Value::Null), Refused::Unverified),
            (("groups", json!(["all"])), Refused::NoRole),
            (("groups", Value::Null), Refused::NoRole),
        ] {
            site.answer(&led, claim.clone());
            assert_eq!(desk.take_back(Some(&led.kept), &back(&led), NOW).await, Err(expected), "{claim:?}");
        }
        site.answer(&led, ("aud", json!(["others", "our console"])));
        assert!(desk.take_back(Some(&led.kept), &back(&led), NOW).await.is_ok());
        site.says.lock().unwrap().signs = pair();
        let refused = desk.take_back(Some(&led.kept), &back(&led), NOW).await;
        assert_eq!(refused, Err(Refused::Token(BadToken::Signature)));
        site.says.lock().unwrap().status = StatusCode::BAD_REQUEST;
        let refused = desk.take_back(Some(&led.kept), &back(&led), NOW).await;
        assert_eq!(refused, Err(Refused::AtProvider("status 400 invalid_grant".to_owned())));
    }

    #[tokio::test]
    async fn keys_that_changed_are_fetched_and_a_provider_that_calls_itself_otherwise_is_not_believed() {
        let site = Site::new().await;
        let desk = site.desk(None);
        let led = desk.lead("/", NOW).await.unwrap();
        site.answer(&led, ("x", json!(1)));
        let fresh = pair();
        {
            let mut says = site.says.lock().unwrap();
            (says.published, says.signs, says.key) = (copy(&fresh), fresh, "two");
        }
        assert!(desk.take_back(Some(&led.kept), &back(&led), NOW).await.is_ok());
        for (field, value) in [
            ("issuer", json!("https://other.example")),
            ("token_endpoint", json!("http://192.0.2.1/token")),
            ("authorization_endpoint", json!("javascript:alert(1)")),
            ("jwks_uri", json!("file:///etc/passwd")),
            ("issuer", Value::Null),
            ("padding", json!("x".repeat(PROVIDER_ANSWER_BYTES_MAX))),
        ] {
            let before = site.says.lock().unwrap().description.clone();
            site.says.lock().unwrap().description[field] = value;
            assert!(matches!(site.desk(None).lead("/", NOW).await, Err(Refused::Unreachable(_))), "{field}");
            site.says.lock().unwrap().description = before;
        }
        site.says.lock().unwrap().description["token_endpoint_auth_methods_supported"] = json!(["client_secret_post"]);
        let desk = site.desk(None);
        let led = desk.lead("/", NOW).await.unwrap();
        site.answer(&led, ("x", json!(1)));
        desk.take_back(Some(&led.kept), &back(&led), NOW).await.unwrap();
        let (headers, form) = site.says.lock().unwrap().asked.pop().unwrap();
        assert_eq!((form["client_secret"].as_str(), headers.get(AUTHORIZATION)), ("s e:c&ret", None));
    }

    #[tokio::test]
    async fn what_a_token_does_not_say_is_asked_for_and_counts_for_the_same_person_only() {
        let site = Site::new().await;
        let desk = site.desk(Some("groups"));
        let led = desk.lead("/", NOW).await.unwrap();
        site.answer(&led, ("sub", json!("7")));
        for claim in ["email", "email_verified", "groups"] {
            site.says.lock().unwrap().claims[claim].take();
            site.says.lock().unwrap().claims.as_object_mut().unwrap().remove(claim);
        }
        let told =
            json!({"sub": "7", "email": "bob@a.example", "email_verified": true, "groups": "bosses", "nonce": "other"});
        site.says.lock().unwrap().more = told.clone();
        let named = desk.take_back(Some(&led.kept), &back(&led), NOW).await.unwrap();
        assert_eq!((named.name.as_str(), named.role), ("bob@a.example", Some(Role::Admin)));
        for sub in [json!("8"), Value::Null] {
            let mut other = told.clone();
            other["sub"] = sub;
            site.says.lock().unwrap().more = other;
            assert_eq!(desk.take_back(Some(&led.kept), &back(&led), NOW).await, Err(Refused::OtherPerson));
        }
        // What the token says stands.
        site.says.lock().unwrap().more = told;
        site.says.lock().unwrap().claims["email_verified"] = json!(false);
        assert_eq!(desk.take_back(Some(&led.kept), &back(&led), NOW).await, Err(Refused::Unverified));
    }
}
