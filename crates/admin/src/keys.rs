//! Keys over the API: listed, made, replaced, revoked; and whose a client certificate is.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{delete, get, post, put};
use exchange::Time;
use policy::key::Secret;
use policy::{AccountId, Binding, Key, KeyId, Scope};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::answer::{Answer, Body, MaySend, Part, Problem, Sent, id, label, part};
use crate::context::{Admin, Shared};
use crate::endpoint::Endpoint;
use crate::registry::NewKey;

pub(crate) fn endpoints() -> Vec<Endpoint<Arc<Admin>>> {
    vec![
        Endpoint::get("/keys", "Keys by id, a part at a time; never their secrets", get(keys))
            .query::<Wanted>()
            .lists::<ShownKey>("keys", "The keys"),
        Endpoint::post("/keys", "Makes a key; the answer is the only one with the key in clear", post(add_key))
            .takes::<KeyAsked>()
            .gives::<ShownKey>(StatusCode::CREATED, "The key")
            .fails(StatusCode::NOT_FOUND, "There is no such open account"),
        Endpoint::post("/keys/{id}/rotate", "Makes a key that takes the place of this one", post(rotate_key))
            .may_take::<Rotation>()
            .gives::<ShownKey>(StatusCode::CREATED, "The new key")
            .fails(StatusCode::NOT_FOUND, "There is no such key")
            .fails(StatusCode::CONFLICT, "The old one no longer holds"),
        Endpoint::post("/keys/{id}/revoke", "Ends a key now", post(revoke_key))
            .gives::<ShownKey>(StatusCode::OK, "The key as it is now")
            .fails(StatusCode::NOT_FOUND, "There is no such key"),
        Endpoint::put("/certificates/{thumbprint}", "Says whose a client certificate is", put(put_certificate))
            .takes::<CertificateOf>()
            .does("It is written")
            .fails(StatusCode::NOT_FOUND, "There is no such account"),
        Endpoint::delete(
            "/certificates/{thumbprint}",
            "A certificate is nobody's any more",
            delete(remove_certificate),
        )
        .does("It is gone"),
    ]
}

/// Which keys are wanted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Wanted {
    #[schemars(skip)]
    after: Option<String>,
    #[schemars(skip)]
    limit: Option<usize>,
    /// Of this account only.
    account: Option<String>,
}

/// A key as it is told: without anything of its secret.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Key")]
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
    #[schemars(with = "Option<String>")]
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

async fn keys(State(admin): Shared, query: Result<Query<Wanted>, QueryRejection>) -> Answer<Json<Value>> {
    let Query(Wanted { after, limit, account }) = query?;
    let now = admin.clock.now();
    let is_wanted = |key: &Key| account.as_ref().is_none_or(|account| key.account.as_str() == account);
    let (keys, asked) = (admin.registry.keys(is_wanted).await, Part { after, limit });
    let keys = asked.of(keys.into_iter(), |(key, _)| key.id.as_str())?;
    let keys = keys.iter().map(|(key, used)| ShownKey::of(key, *used, now)).collect();
    Ok(Json(part("keys", keys, |key: &ShownKey| key.id.to_string(), &asked)?))
}

/// What is told of a new key.
#[derive(Debug, Deserialize, JsonSchema)]
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
    let Sent(KeyAsked { account, name, scope, binding, expires }) = body?;
    label("name", &name)?;
    let now = admin.clock.now();
    let made = admin.registry.add_key(NewKey { account, name, scope, binding, expires }, now).await?;
    Ok((StatusCode::CREATED, Json(ShownKey::made(&made, now))))
}

/// How a key is replaced.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Rotation {
    /// How long the old one holds on, in seconds.
    #[serde(default)]
    overlap_seconds: u32,
}

async fn rotate_key(
    State(admin): Shared,
    Path(name): Path<String>,
    body: Result<MaySend<Rotation>, Problem>,
) -> Answer<(StatusCode, Json<ShownKey>)> {
    let MaySend(Rotation { overlap_seconds }) = body?;
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

/// Whose a certificate is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CertificateOf {
    account: AccountId,
}

async fn put_certificate(
    State(admin): Shared,
    Path(thumbprint): Path<String>,
    body: Body<CertificateOf>,
) -> Answer<StatusCode> {
    let Sent(CertificateOf { account }) = body?;
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
