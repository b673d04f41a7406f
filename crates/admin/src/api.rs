//! The admin API: JSON over HTTP, documented by the file it serves at `/api/openapi.json`.
//!
//! Everything under `/api/v1` needs the admin credential as a bearer token. Health and metrics do not; they name nobody.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use exchange::{Assurance, Time};
use policy::key::{ADMIN_BRAND, Secret};
use policy::quota::Quota;
use policy::{
    Account, AccountId, Binding, Key, KeyId, Organisation, OrganisationId, PaymentGroup, Policies, Programme, Scope,
    Status, Tier,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use zeroize::Zeroizing;

use crate::answer::{Answer, Body, Part, Problem, id, part};
use crate::context::Admin;
use crate::limits::BODY_BYTES_MAX;
use crate::registry::NewKey;
use crate::{appeals, detection, health, responses};

type Shared = State<Arc<Admin>>;

/// Serves the API until `end` is done.
///
/// # Errors
///
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    admin: Arc<Admin>,
    end: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    axum::serve(listener, router(admin)).with_graceful_shutdown(end).await
}

/// Paths and methods of the API, each with what it needs.
fn router(admin: Arc<Admin>) -> Router {
    let managed = Router::new()
        .route("/status", get(status))
        .route("/accounts", get(accounts).post(add_account))
        .route("/accounts/{id}", get(account).patch(change_account))
        .route("/accounts/{id}/close", post(close_account))
        .route("/organisations", get(organisations).post(put_organisation))
        .route("/keys", get(keys).post(add_key))
        .route("/keys/{id}/rotate", post(rotate_key))
        .route("/keys/{id}/revoke", post(revoke_key))
        .route("/quotas", get(quotas).post(put_quota))
        .route("/quotas/{id}", delete(remove_quota))
        .route("/accounts/{id}/permit", get(permit))
        .route("/policies", get(policies).put(put_policies).delete(remove_policies))
        .route("/certificates/{thumbprint}", put(put_certificate).delete(remove_certificate))
        .merge(detection::routes())
        .merge(responses::routes())
        .merge(appeals::routes())
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "not_found", "there is no such path in this API"))
        .layer(middleware::from_fn_with_state(Arc::clone(&admin), authenticated))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX));
    Router::new()
        .nest("/api/v1", managed)
        .route("/api/openapi.json", get(openapi))
        .route("/healthz", get(async || Json(json!({"status": "ok"}))))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(admin)
}

/// Lets only whoever shows the admin credential go on.
async fn authenticated(State(admin): Shared, request: Request, next: Next) -> Response {
    let mut shown = request.headers().get_all(AUTHORIZATION).iter();
    let is_known = match (shown.next(), shown.next()) {
        (Some(value), None) => value
            .to_str()
            .ok()
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .and_then(|(_, key)| admin.keys.read(ADMIN_BRAND, key.trim()).ok())
            .is_some_and(|(_, hash)| hash == admin.credential),
        _ => false,
    };
    let mut response = if is_known {
        next.run(request).await
    } else {
        let message = "the admin credential is needed, as `Authorization: Bearer …`; it is in the file `admin-key` of the data folder";
        Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", message).into_response()
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn status(State(admin): Shared) -> Json<Value> {
    let (ready, reasons) = health::ready(&admin);
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "time": admin.clock.now(),
        "ready": ready,
        "reasons": reasons,
        "accounts": admin.registry.accounts().await.len(),
        "recorded": admin.recording.recorded(),
        "counts": admin.stats.all().map(|(name, count)| (name.to_owned(), json!(count))).collect::<serde_json::Map<_, _>>(),
    }))
}

async fn accounts(State(admin): Shared, query: Result<Query<Part>, QueryRejection>) -> Answer<Json<Value>> {
    let Query(query) = query?;
    let accounts: Vec<Account> = admin.registry.accounts().await.iter().map(|account| (**account).clone()).collect();
    Ok(Json(part("accounts", accounts, |account| account.id.to_string(), &query)))
}

/// What is told of a new account.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewAccount {
    id: AccountId,
    #[serde(default)]
    name: String,
    organisation: Option<OrganisationId>,
    #[serde(default)]
    tier: Tier,
    #[serde(default)]
    assurance: Assurance,
    #[serde(default)]
    programme: Programme,
    payment: Option<PaymentGroup>,
    region: Option<String>,
    /// When it signed up; now, unless it was there before.
    created: Option<Time>,
}

async fn add_account(State(admin): Shared, body: Body<NewAccount>) -> Answer<(StatusCode, Json<Account>)> {
    let Json(new) = body?;
    let account = Account {
        cleared: None,
        discovered: false,
        id: new.id,
        name: new.name,
        organisation: new.organisation,
        tier: new.tier,
        assurance: new.assurance,
        programme: new.programme,
        payment: new.payment,
        region: new.region,
        status: Status::Active,
        created: new.created.unwrap_or_else(|| admin.clock.now()),
    };
    let account = admin.registry.add_account(account).await?;
    Ok((StatusCode::CREATED, Json((*account).clone())))
}

async fn account(State(admin): Shared, Path(name): Path<String>) -> Answer<Json<Account>> {
    let account = admin.registry.account(&id(&name)?).await?;
    Ok(Json((*account).clone()))
}

/// What is to be different of an account; what is not there stays as it is, `null` takes away.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountChange {
    name: Option<String>,
    #[serde(default, deserialize_with = "told")]
    organisation: Option<Option<OrganisationId>>,
    tier: Option<Tier>,
    assurance: Option<Assurance>,
    programme: Option<Programme>,
    #[serde(default, deserialize_with = "told")]
    payment: Option<Option<PaymentGroup>>,
    #[serde(default, deserialize_with = "told")]
    region: Option<Option<String>>,
    status: Option<Status>,
}

/// Tells `null` from what is not there.
fn told<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

async fn change_account(
    State(admin): Shared,
    Path(name): Path<String>,
    body: Body<AccountChange>,
) -> Answer<Json<Account>> {
    let Json(new) = body?;
    let change = |account: &mut Account| {
        account.name = new.name.unwrap_or(std::mem::take(&mut account.name));
        account.organisation = new.organisation.unwrap_or(account.organisation.take());
        account.tier = new.tier.unwrap_or(account.tier);
        account.assurance = new.assurance.unwrap_or(account.assurance);
        account.programme = new.programme.unwrap_or(account.programme);
        account.payment = new.payment.unwrap_or(account.payment.take());
        account.region = new.region.unwrap_or(account.region.take());
        account.status = new.status.unwrap_or(account.status);
    };
    let account = admin.registry.change_account(&id(&name)?, change).await?;
    Ok(Json((*account).clone()))
}

async fn close_account(State(admin): Shared, Path(name): Path<String>) -> Answer<Json<Account>> {
    let account = admin.registry.close_account(&id(&name)?).await?;
    Ok(Json((*account).clone()))
}

async fn organisations(State(admin): Shared, query: Result<Query<Part>, QueryRejection>) -> Answer<Json<Value>> {
    let Query(query) = query?;
    let organisations = admin.registry.organisations().await;
    let organisations: Vec<Organisation> = organisations.iter().map(|organisation| (**organisation).clone()).collect();
    Ok(Json(part("organisations", organisations, |organisation| organisation.id.to_string(), &query)))
}

/// What is told of an organisation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewOrganisation {
    id: OrganisationId,
    #[serde(default)]
    name: String,
    #[serde(default)]
    assurance: Assurance,
}

async fn put_organisation(
    State(admin): Shared,
    body: Body<NewOrganisation>,
) -> Answer<(StatusCode, Json<Organisation>)> {
    let Json(NewOrganisation { id, name, assurance }) = body?;
    let organisation = Organisation { id, name, assurance, created: admin.clock.now() };
    admin.registry.put_organisation(organisation.clone()).await?;
    Ok((StatusCode::CREATED, Json(organisation)))
}

/// A key as it is told: without anything of its secret.
#[derive(Debug, Serialize)]
struct ShownKey {
    id: KeyId,
    account: AccountId,
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
    /// Whether it holds now, and if not, why.
    state: &'static str,
    scope: Scope,
    #[serde(skip_serializing_if = "Option::is_none")]
    binding: Option<Binding>,
    created: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces: Option<KeyId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used: Option<Time>,
    /// The key in clear, in the reply that made it and never again.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "in_clear")]
    key: Option<Zeroizing<String>>,
}

fn in_clear<S: serde::Serializer>(key: &Option<Zeroizing<String>>, to: S) -> Result<S::Ok, S::Error> {
    key.as_ref().map(|key| key.as_str()).serialize(to)
}

impl ShownKey {
    fn of(key: &Key, last_used: Option<Time>, now: Time) -> ShownKey {
        ShownKey {
            id: key.id.clone(),
            account: key.account.clone(),
            name: key.name.clone(),
            state: key.lapsed(now).map_or("active", policy::key::Lapsed::name),
            scope: key.scope.clone(),
            binding: key.binding.clone(),
            created: key.created,
            expires: key.expires,
            revoked: key.revoked,
            replaces: key.replaces.clone(),
            last_used,
            key: None,
        }
    }

    fn made((key, secret): &(Key, Secret), now: Time) -> ShownKey {
        ShownKey { key: Some(Zeroizing::new(secret.expose().to_owned())), ..ShownKey::of(key, None, now) }
    }
}

async fn keys(State(admin): Shared, query: Result<Query<Part>, QueryRejection>) -> Answer<Json<Value>> {
    let Query(query) = query?;
    let now = admin.clock.now();
    let is_wanted = |key: &Key| query.account.as_ref().is_none_or(|account| key.account.as_str() == account);
    let keys = admin.registry.keys().await;
    let keys = keys.iter().filter(|(key, _)| is_wanted(key)).map(|(key, used)| ShownKey::of(key, *used, now)).collect();
    Ok(Json(part("keys", keys, |key: &ShownKey| key.id.to_string(), &query)))
}

/// What is told of a new key.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyAsked {
    account: AccountId,
    #[serde(default)]
    name: String,
    #[serde(default)]
    scope: Scope,
    binding: Option<Binding>,
    expires: Option<Time>,
}

async fn add_key(State(admin): Shared, body: Body<KeyAsked>) -> Answer<(StatusCode, Json<ShownKey>)> {
    let Json(KeyAsked { account, name, scope, binding, expires }) = body?;
    let now = admin.clock.now();
    let made = admin.registry.add_key(NewKey { account, name, scope, binding, expires }, now).await?;
    Ok((StatusCode::CREATED, Json(ShownKey::made(&made, now))))
}

/// How a key is replaced.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rotation {
    /// How long the old one holds on, in seconds.
    #[serde(default)]
    overlap_seconds: u32,
}

async fn rotate_key(
    State(admin): Shared,
    Path(name): Path<String>,
    body: Bytes,
) -> Answer<(StatusCode, Json<ShownKey>)> {
    let Json(Rotation { overlap_seconds }) =
        if body.is_empty() { Json(Rotation::default()) } else { Json::from_bytes(&body)? };
    let now = admin.clock.now();
    let until = Time::from_nanos(now.nanos().saturating_add(i64::from(overlap_seconds) * 1_000_000_000));
    let made = admin.registry.rotate_key(&id(&name)?, until, now).await?;
    Ok((StatusCode::CREATED, Json(ShownKey::made(&made, now))))
}

async fn revoke_key(State(admin): Shared, Path(name): Path<String>) -> Answer<Json<ShownKey>> {
    let now = admin.clock.now();
    let key = admin.registry.revoke_key(&id(&name)?, now).await?;
    Ok(Json(ShownKey::of(&key, None, now)))
}

async fn quotas(State(admin): Shared) -> Json<Value> {
    Json(json!({"quotas": admin.registry.quotas().await, "next": null}))
}

async fn put_quota(State(admin): Shared, body: Body<Quota>) -> Answer<(StatusCode, Json<Quota>)> {
    let Json(quota) = body?;
    admin.registry.put_quota(&quota).await?;
    Ok((StatusCode::CREATED, Json(quota)))
}

async fn remove_quota(State(admin): Shared, Path(name): Path<String>) -> Answer<StatusCode> {
    admin.registry.remove_quota(&id(&name)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What is asked about a permit.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PermitAsked {
    /// The model; without it, what is allowed of requests that name none.
    model: Option<String>,
}

async fn permit(
    State(admin): Shared,
    Path(name): Path<String>,
    query: Result<Query<PermitAsked>, QueryRejection>,
) -> Answer<Json<Value>> {
    let Query(PermitAsked { model }) = query?;
    let (rung, actions) = admin.registry.explain(&id(&name)?, model.as_deref(), admin.clock.now()).await?;
    Ok(Json(json!({"account": name, "model": model, "rung": rung, "actions": actions})))
}

async fn policies(State(admin): Shared) -> Json<Value> {
    let (policies, are_applied) = admin.registry.policies().await;
    Json(shown(&policies, are_applied))
}

fn shown(policies: &Policies, are_applied: bool) -> Value {
    let source = if are_applied { "applied" } else { "default" };
    json!({"source": source, "count": policies.len(), "text": &**policies.text()})
}

/// Policies as Cedar writes them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PoliciesText {
    text: String,
}

async fn put_policies(State(admin): Shared, body: Body<PoliciesText>) -> Answer<Json<Value>> {
    let Json(PoliciesText { text }) = body?;
    Ok(Json(shown(&*admin.registry.put_policies(Some(&text)).await?, true)))
}

async fn remove_policies(State(admin): Shared) -> Answer<Json<Value>> {
    Ok(Json(shown(&*admin.registry.put_policies(None).await?, false)))
}

/// Whose a certificate is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CertificateOf {
    account: AccountId,
}

async fn put_certificate(
    State(admin): Shared,
    Path(thumbprint): Path<String>,
    body: Body<CertificateOf>,
) -> Answer<StatusCode> {
    let Json(CertificateOf { account }) = body?;
    admin.registry.put_certificate(checked(&thumbprint)?, Some(&account)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn remove_certificate(State(admin): Shared, Path(thumbprint): Path<String>) -> Answer<StatusCode> {
    admin.registry.put_certificate(checked(&thumbprint)?, None).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// SHA-256 in base64url has 43 characters.
fn checked(thumbprint: &str) -> Answer<&str> {
    let is_one =
        thumbprint.len() == 43 && thumbprint.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    let message = "expected the SHA-256 of a certificate in base64url, 43 characters";
    is_one.then_some(thumbprint).ok_or_else(|| Problem::new(StatusCode::BAD_REQUEST, "bad_request", message))
}

async fn openapi() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], OPENAPI)
}

/// What the API is, for people and programs.
const OPENAPI: &str = include_str!("../openapi.json");

async fn ready(State(admin): Shared) -> (StatusCode, Json<Value>) {
    let (ready, reasons) = health::ready(&admin);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({"ready": ready, "reasons": reasons})))
}

async fn metrics(State(admin): Shared) -> Response {
    match health::metrics(&admin) {
        Ok(text) => ([(CONTENT_TYPE, health::METRICS_TYPE)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Method;
    use gateway::clock::SystemClock;
    use gateway::worker::Stats;
    use http_body_util::BodyExt;
    use policy::key::Keys;
    use store::control::Control;
    use tower::ServiceExt;

    use super::*;
    use crate::limits::WORDS_BYTES_MAX;
    use crate::registry::Registry;

    const PEPPER: [u8; 32] = [3; 32];

    struct Rig {
        router: Router,
        admin: Arc<Admin>,
        credential: String,
        _folder: tempfile::TempDir,
    }

    impl Rig {
        async fn new() -> Rig {
            let folder = tempfile::tempdir().unwrap();
            let control = Control::open_file(&folder.path().join("control.db")).await.unwrap();
            let registry = Arc::new(Registry::open(control, PEPPER, Vec::new()).await.unwrap());
            let (secret, credential) = Registry::mint_admin(PEPPER).unwrap();
            let admin = Arc::new(Admin {
                registry,
                credential,
                keys: Keys::new(PEPPER),
                clock: Box::new(SystemClock),
                stats: Arc::default(),
                queue: Arc::default(),
                recording: Arc::default(),
                settings: Arc::default(),
                detection: None,
                alerts: Arc::default(),
                sensors: None,
                folder: "here".to_owned(),
            });
            Rig { router: router(Arc::clone(&admin)), admin, credential: secret.expose().to_owned(), _folder: folder }
        }

        async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
            self.ask_as(&format!("Bearer {}", self.credential), method, path, body).await
        }

        async fn ask_as(&self, who: &str, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
            let request = Request::builder().method(method).uri(path).header(AUTHORIZATION, who);
            let request = request.header(CONTENT_TYPE, "application/json");
            let body = body.map_or(Body::empty(), |body| Body::from(body.to_string()));
            let response = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
            let status = response.status();
            let bytes = response.into_body().collect().await.unwrap().to_bytes();
            (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
        }
    }

    fn run(test: impl AsyncFn(Rig)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { test(Rig::new().await).await });
    }

    #[test]
    fn nothing_is_told_or_done_without_the_credential() {
        run(async |rig| {
            let other = Registry::mint_admin(PEPPER).unwrap().0.expose().to_owned();
            let caller =
                Keys::new(PEPPER).mint(policy::key::BRAND, [7; policy::key::RANDOM_BYTES]).1.expose().to_owned();
            let (other, caller, basic) =
                (format!("Bearer {other}"), format!("Bearer {caller}"), format!("Basic {}", rig.credential));
            for who in ["", "Bearer", "Bearer ", "Bearer swadm_x", &other, &caller, &basic] {
                for path in ["/api/v1/accounts", "/api/v1/keys", "/api/v1/status", "/api/v1/nothing", "/api/v1"] {
                    let (status, body) = rig.ask_as(who, Method::GET, path, None).await;
                    let is_refused = status == StatusCode::UNAUTHORIZED && body["error"]["code"] == "unauthenticated";
                    assert!(
                        is_refused || (path == "/api/v1" && status == StatusCode::NOT_FOUND),
                        "{who} {path} {status}"
                    );
                }
                let new = json!({"id": "mallory"});
                let (status, _) = rig.ask_as(who, Method::POST, "/api/v1/accounts", Some(new)).await;
                assert_eq!(status, StatusCode::UNAUTHORIZED);
            }
            assert!(rig.admin.registry.accounts().await.is_empty());
            for path in ["/healthz", "/readyz", "/api/openapi.json"] {
                assert_eq!(rig.ask_as("", Method::GET, path, None).await.0, StatusCode::OK, "{path}");
            }
        });
    }

    #[test]
    fn accounts_and_keys_live_from_their_making_to_their_end() {
        run(async |rig| {
            let (status, account) =
                rig.ask(Method::POST, "/api/v1/accounts", Some(json!({"id": "acc_1", "tier": "standard"}))).await;
            assert_eq!((status, &account["status"]), (StatusCode::CREATED, &json!("active")));
            let again = rig.ask(Method::POST, "/api/v1/accounts", Some(json!({"id": "acc_1"}))).await;
            assert_eq!((again.0, &again.1["error"]["code"]), (StatusCode::CONFLICT, &json!("taken")));
            let unknown =
                rig.ask(Method::POST, "/api/v1/accounts", Some(json!({"id": "x", "organisation": "none"}))).await;
            assert_eq!(unknown.0, StatusCode::NOT_FOUND);
            let (status, key) =
                rig.ask(Method::POST, "/api/v1/keys", Some(json!({"account": "acc_1", "name": "laptop"}))).await;
            assert_eq!(status, StatusCode::CREATED);
            let secret = key["key"].as_str().unwrap().to_owned();
            assert!(secret.starts_with("sw_"));
            rig.admin.registry.used(key["id"].as_str().unwrap(), Time::from_seconds(1_780_000_000));
            rig.admin.registry.save_uses().await.unwrap();
            let (_, keys) = rig.ask(Method::GET, "/api/v1/keys?account=acc_1", None).await;
            assert!(!keys.to_string().contains(&secret[20..]) && keys["keys"][0]["state"] == "active");
            assert_eq!(keys["keys"][0]["last_used"], "2026-05-28T20:26:40Z");
            let rotate = format!("/api/v1/keys/{}/rotate", key["id"].as_str().unwrap());
            let (status, new) = rig.ask(Method::POST, &rotate, Some(json!({"overlap_seconds": 3600}))).await;
            assert_eq!((status, &new["replaces"]), (StatusCode::CREATED, &key["id"]));
            let revoke = format!("/api/v1/keys/{}/revoke", key["id"].as_str().unwrap());
            let (status, revoked) = rig.ask(Method::POST, &revoke, None).await;
            assert_eq!((status, &revoked["state"]), (StatusCode::OK, &json!("revoked")));
            assert_eq!(rig.ask(Method::POST, &rotate, None).await.0, StatusCode::CONFLICT);
            let (_, closed) = rig.ask(Method::POST, "/api/v1/accounts/acc_1/close", None).await;
            assert_eq!(closed["status"], "closed");
            let late = rig.ask(Method::POST, "/api/v1/keys", Some(json!({"account": "acc_1"}))).await;
            assert_eq!(late.0, StatusCode::NOT_FOUND);
        });
    }

    #[test]
    fn changes_leave_the_rest_and_null_takes_away() {
        run(async |rig| {
            rig.ask(Method::POST, "/api/v1/organisations", Some(json!({"id": "org_1"}))).await;
            let new = json!({"id": "a", "organisation": "org_1", "region": "eu", "tier": "business"});
            rig.ask(Method::POST, "/api/v1/accounts", Some(new)).await;
            let path = "/api/v1/accounts/a";
            let (_, account) = rig.ask(Method::PATCH, path, Some(json!({"region": null, "assurance": "phone"}))).await;
            let expected = (&json!("org_1"), &Value::Null, &json!("phone"), &json!("business"));
            assert_eq!(
                (&account["organisation"], &account["region"], &account["assurance"], &account["tier"]),
                expected
            );
            let (status, problem) = rig.ask(Method::PATCH, path, Some(json!({"teir": "free"}))).await;
            assert!(
                status.is_client_error() && problem["error"]["message"].as_str().unwrap().contains("teir"),
                "{problem}"
            );
        });
    }

    #[test]
    fn quotas_hold_from_when_they_are_made_to_when_they_are_removed() {
        run(async |rig| {
            let quota = json!({"id": "rpm", "of": "each_account", "unit": "requests", "amount": 60, "per": "minute"});
            assert_eq!(
                rig.ask(Method::POST, "/api/v1/quotas", Some(quota.clone())).await,
                (StatusCode::CREATED, quota.clone())
            );
            let group =
                json!({"id": "ring", "of": {"group": ["a", "b"]}, "unit": "tokens", "amount": 9, "per": "thirty_days"});
            rig.ask(Method::POST, "/api/v1/quotas", Some(group.clone())).await;
            let (_, listed) = rig.ask(Method::GET, "/api/v1/quotas", None).await;
            assert_eq!(listed["quotas"], json!([group, quota]));
            let bad = json!({"id": "x", "of": "each_account", "unit": "words", "amount": 1, "per": "minute"});
            let (status, problem) = rig.ask(Method::POST, "/api/v1/quotas", Some(bad)).await;
            assert!(
                status.is_client_error() && problem["error"]["message"].as_str().unwrap().contains("tokens"),
                "{problem}"
            );
            assert_eq!(rig.ask(Method::DELETE, "/api/v1/quotas/rpm", None).await.0, StatusCode::NO_CONTENT);
            assert_eq!(rig.ask(Method::DELETE, "/api/v1/quotas/rpm", None).await.0, StatusCode::NOT_FOUND);
        });
    }

    #[test]
    fn policies_hold_from_when_they_are_applied_whole_or_not_at_all() {
        run(async |rig| {
            rig.ask(Method::POST, "/api/v1/accounts", Some(json!({"id": "a"}))).await;
            let (_, shipped) = rig.ask(Method::GET, "/api/v1/policies", None).await;
            assert_eq!(shipped["source"], "default");
            let allows = async || {
                let (_, permit) = rig.ask(Method::GET, "/api/v1/accounts/a/permit?model=m", None).await;
                (permit["actions"][0]["allowed"].as_bool().unwrap(), permit["actions"][0]["policies"].clone())
            };
            assert_eq!(allows().await, (true, json!(["every-account"])));
            let bad = "@id(\"x\")\nforbid (principal, action, resource) when { principal.colour == 1 };";
            let (status, problem) = rig.ask(Method::PUT, "/api/v1/policies", Some(json!({"text": bad}))).await;
            assert_eq!((status, &problem["error"]["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("bad_policies")));
            assert_eq!(problem["error"]["problems"][0]["line"], 2);
            assert!(allows().await.0);
            let none = "@id(\"nobody\") forbid (principal, action, resource);";
            let (status, applied) = rig.ask(Method::PUT, "/api/v1/policies", Some(json!({"text": none}))).await;
            assert_eq!((status, &applied["source"], &applied["count"]), (StatusCode::OK, &json!("applied"), &json!(1)));
            assert_eq!(allows().await, (false, json!(["nobody"])));
            // Whoever opens the database later has them too.
            let control = Control::open_file(&rig._folder.path().join("control.db")).await.unwrap();
            let other = Registry::open(control, PEPPER, Vec::new()).await.unwrap();
            assert_eq!(&**other.policies().await.0.text(), none);
            rig.ask(Method::DELETE, "/api/v1/policies", None).await;
            assert_eq!(rig.ask(Method::GET, "/api/v1/policies", None).await.1, shipped);
            assert!(allows().await.0);
        });
    }

    #[test]
    fn a_response_is_taken_and_undone() {
        run(async |rig| {
            rig.ask(Method::POST, "/api/v1/accounts", Some(json!({"id": "a"}))).await;
            let take = async |target: Value, rung: &str, more: Value| {
                let mut new = json!({"target": target, "rung": rung, "reason": "campaign 7", "author": "ann"});
                new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
                rig.ask(Method::POST, "/api/v1/responses", Some(new)).await
            };
            let to_a = || json!({"account": "a"});
            assert_eq!(take(json!({"account": "nobody"}), "shield", json!({})).await.0, StatusCode::NOT_FOUND);
            assert_eq!(take(json!({"campaign": "cmp_1"}), "shield", json!({})).await.0, StatusCode::NOT_FOUND);
            let budget = json!({"budget": {"unit": "requests", "amount": 5, "per": "hour"}});
            for (rung, more) in [
                ("verify", json!({})),
                ("shield", json!({"assurance": "phone"})),
                ("share_budget", json!({})),
                ("shield", budget.clone()),
                ("none", json!({})),
                ("shield", json!({"reason": " "})),
                ("shield", json!({"author": "rule:mine"})),
                ("shield", json!({"author": " ann"})),
                ("shield", json!({"author": "a\u{200b}nn"})),
                ("share_budget", json!({"budget": {"unit": "requests", "amount": 0, "per": "hour"}})),
                ("shield", json!({"probability": 49})),
                ("shield", json!({"probability": 100})),
                ("shield", json!({"author": "x".repeat(WORDS_BYTES_MAX + 1)})),
                ("shield", json!({"until": "1990-01-01T00:00:00Z"})),
            ] {
                let (status, problem) = take(to_a(), rung, more).await;
                assert_eq!(status, StatusCode::BAD_REQUEST, "{rung} {problem}");
            }
            let (_, before) = rig.ask(Method::GET, "/api/v1/accounts/a/permit?model=m", None).await;
            let (status, taken) = take(to_a(), "shield", json!({"author": "x".repeat(WORDS_BYTES_MAX)})).await;
            assert_eq!(
                (status, &taken["state"], &taken["accounts"]),
                (StatusCode::CREATED, &json!("holds"), &json!(1))
            );
            let permit = async || rig.ask(Method::GET, "/api/v1/accounts/a/permit?model=m", None).await.1;
            let shielded = permit().await;
            assert_eq!(
                (&shielded["rung"], &shielded["actions"][1]["policies"]),
                (&json!("shield"), &json!(["shield"]))
            );
            let (_, shared) = take(to_a(), "share_budget", budget).await;
            assert_eq!(permit().await["rung"], "shield", "the strictest holds");
            let (_, listed) = rig.ask(Method::GET, "/api/v1/responses", None).await;
            assert_eq!(listed["responses"].as_array().unwrap().len(), 2);
            let place =
                |response: &Value, what: &str| format!("/api/v1/responses/{}{what}", response["id"].as_str().unwrap());
            let (_, one) = rig.ask(Method::GET, &place(&taken, ""), None).await;
            assert_eq!((&one["accounts"], &one["response"]["reason"]), (&json!(["a"]), &json!("campaign 7")));
            let undo = json!({"author": "bob", "reason": "a class"});
            for response in [&taken, &shared] {
                let (status, undone) = rig.ask(Method::POST, &place(response, "/undo"), Some(undo.clone())).await;
                assert_eq!((status, &undone["state"]), (StatusCode::OK, &json!("undone")));
                let again = rig.ask(Method::POST, &place(response, "/undo"), Some(undo.clone())).await;
                assert_eq!(again.0, StatusCode::CONFLICT);
            }
            assert_eq!(permit().await, before, "as if it had never been");
            let approve = rig.ask(Method::POST, &place(&taken, "/approve"), Some(json!({"author": "bob"}))).await;
            assert_eq!(approve.0, StatusCode::CONFLICT, "it waits for nobody");
        });
    }

    #[test]
    fn lists_come_in_parts() {
        run(async |rig| {
            for n in 0..5 {
                rig.ask(Method::POST, "/api/v1/accounts", Some(json!({"id": format!("a{n}")}))).await;
            }
            let (_, first) = rig.ask(Method::GET, "/api/v1/accounts?limit=3", None).await;
            assert_eq!((first["accounts"].as_array().unwrap().len(), &first["next"]), (3, &json!("a2")));
            let (_, rest) = rig.ask(Method::GET, "/api/v1/accounts?limit=3&after=a2", None).await;
            assert_eq!((rest["accounts"].as_array().unwrap().len(), &rest["next"]), (2, &Value::Null));
        });
    }

    #[test]
    fn a_body_has_a_limit() {
        run(async |rig| {
            let named = |bytes: usize| Some(json!({"id": "a", "name": "x".repeat(bytes)}));
            let around = named(0).unwrap().to_string().len();
            let too_long = rig.ask(Method::POST, "/api/v1/accounts", named(BODY_BYTES_MAX - around + 1)).await;
            assert_eq!(too_long.0, StatusCode::PAYLOAD_TOO_LARGE);
            assert_eq!(
                rig.ask(Method::POST, "/api/v1/accounts", named(BODY_BYTES_MAX - around)).await.0,
                StatusCode::CREATED
            );
        });
    }

    /// Every path and method that is documented is there, and none other.
    #[test]
    fn the_documented_paths_are_those_that_are_there() {
        run(async |rig| {
            let documented: Value = serde_json::from_str(OPENAPI).unwrap();
            for (path, methods) in documented["paths"].as_object().unwrap() {
                let path = path.replace("{id}", "x").replace("{thumbprint}", "x");
                for method in ["get", "post", "put", "patch", "delete"] {
                    let verb = method.to_uppercase().parse().unwrap();
                    let (status, body) = rig.ask(verb, &path, Some(json!({}))).await;
                    let is_there = status != StatusCode::METHOD_NOT_ALLOWED
                        && body["error"]["message"] != "there is no such path in this API";
                    assert_eq!(is_there, methods.get(method).is_some(), "{method} {path} {status}");
                }
            }
            let source = [
                include_str!("api.rs"),
                include_str!("detection.rs"),
                include_str!("responses.rs"),
                include_str!("appeals.rs"),
            ]
            .concat();
            let routes = source.matches(".route(\"/").count();
            // Four of them are not under `/api/v1`.
            assert_eq!(documented["paths"].as_object().unwrap().len(), routes - 4);
        });
    }

    #[test]
    fn what_is_counted_can_be_read_by_prometheus() {
        run(async |rig| {
            Stats::add(&rig.admin.stats.requests);
            let request = Request::builder().uri("/metrics").body(Body::empty()).unwrap();
            let response = rig.router.clone().oneshot(request).await.unwrap();
            let text = response.into_body().collect().await.unwrap().to_bytes();
            let text = std::str::from_utf8(&text).unwrap();
            assert!(
                text.contains("stillwatch_requests_total 1\n") && text.contains("stillwatch_recording_failing 0\n"),
                "{text}"
            );
            assert!(text.ends_with("# EOF\n"));
        });
    }

    /// What another process wrote is known when it is asked for, and what it revoked is out.
    #[test]
    fn changes_of_other_processes_are_learnt() {
        run(async |rig| {
            let control = Control::open_file(&rig._folder.path().join("control.db")).await.unwrap();
            let other = Registry::open(control, PEPPER, Vec::new()).await.unwrap();
            rig.ask(Method::POST, "/api/v1/accounts", Some(json!({"id": "a"}))).await;
            assert!(other.accounts().await.is_empty());
            other.refresh().await.unwrap();
            assert_eq!(other.accounts().await.len(), 1);
        });
    }
}
