//! The admin API: JSON over HTTP, documented by what it serves at `/api/openapi.json`.
//!
//! Everything under `/api/v1` needs the admin credential as a bearer token. Health and metrics do not; they name nobody.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::to_bytes;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any, get};
use axum::{Json, Router};
use policy::key::ADMIN_BRAND;
use serde_json::Value;

use crate::answer::Problem;
use crate::context::{Admin, Shared};
use crate::endpoint::{Endpoint, ROOT};
use crate::limits::BODY_BYTES_MAX;
use crate::openapi::document;
use crate::{accounts, appeals, cases, detection, health, keys, people, policies, quotas, responses};

/// Where the document of the API stands.
const DOCUMENT: &str = "/api/openapi.json";

/// What the API consists of.
pub fn endpoints(admin: &Arc<Admin>) -> Vec<Endpoint> {
    [
        health::endpoints(),
        accounts::endpoints(),
        keys::endpoints(),
        quotas::endpoints(),
        policies::endpoints(),
        detection::endpoints(),
        responses::endpoints(),
        appeals::endpoints(),
        cases::endpoints(),
        people::endpoints(),
    ]
    .into_iter()
    .flatten()
    .map(|endpoint| endpoint.with_state(Arc::clone(admin)))
    .collect()
}

/// The API of `endpoints`, with its document.
pub fn router(admin: &Arc<Admin>, endpoints: Vec<Endpoint>) -> Router {
    let document = Arc::new(document(&endpoints));
    let (open, managed): (Vec<Endpoint>, Vec<Endpoint>) = endpoints.into_iter().partition(Endpoint::is_open);
    let managed = routed(managed)
        .fallback(nowhere)
        .layer(middleware::from_fn_with_state(Arc::clone(admin), authenticated))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX));
    routed(open)
        .route(DOCUMENT, get(async move || Json(Value::clone(&document))))
        .nest(ROOT, managed)
        .route("/api/v1/", any(nowhere))
        .layer(middleware::map_response(told_alike))
}

async fn nowhere() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "there is no such path in this API")
}

/// Whatever is refused before a handler has it says so in the form in which handlers do.
async fn told_alike(response: Response) -> Response {
    let status = response.status();
    let is_told =
        response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    if !status.is_client_error() || is_told {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let said = to_bytes(body, REFUSAL_BYTES_MAX).await.unwrap_or_default();
    let (code, message) = match status {
        StatusCode::METHOD_NOT_ALLOWED => {
            ("method_not_allowed", "this path has other methods; `allow` names them".to_owned())
        }
        _ => ("bad_request", String::from_utf8_lossy(&said).into_owned()),
    };
    let (told, body) = Problem::new(status, code, message).into_response().into_parts();
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.extend(told.headers);
    Response::from_parts(parts, body)
}

/// Bytes of what is said by whoever refuses a request before a handler has it.
const REFUSAL_BYTES_MAX: usize = 16 * 1024;

/// A router of what stands at each path, with all its methods.
fn routed(endpoints: Vec<Endpoint>) -> Router {
    let mut paths: BTreeMap<&'static str, MethodRouter> = BTreeMap::new();
    for (path, handler) in endpoints.into_iter().map(Endpoint::into_route) {
        let known = paths.remove(path).unwrap_or_default();
        paths.insert(path, known.merge(handler));
    }
    paths.into_iter().fold(Router::new(), |router, (path, handler)| router.route(path, handler))
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
        let mut response = Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", message).into_response();
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        response
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Method;
    use axum::http::header::CONTENT_TYPE;
    use exchange::Time;
    use gateway::clock::SystemClock;
    use gateway::worker::Stats;
    use http_body_util::BodyExt;
    use policy::key::Keys;
    use serde_json::json;
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
            Rig {
                router: router(&admin, endpoints(&admin)),
                admin,
                credential: secret.expose().to_owned(),
                _folder: folder,
            }
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
            let sent = |bytes: usize| Some(json!({"text": "x".repeat(bytes)}));
            let around = sent(0).unwrap().to_string().len();
            let too_long = rig.ask(Method::PUT, "/api/v1/policies", sent(BODY_BYTES_MAX - around + 1)).await;
            assert_eq!(
                (too_long.0, &too_long.1["error"]["code"]),
                (StatusCode::PAYLOAD_TOO_LARGE, &json!("bad_request"))
            );
            // It is looked at, and is no policy.
            let long = rig.ask(Method::PUT, "/api/v1/policies", sent(BODY_BYTES_MAX - around)).await;
            assert_eq!(long.0, StatusCode::UNPROCESSABLE_ENTITY);
        });
    }

    #[test]
    fn a_name_has_a_limit_and_a_list_is_no_object() {
        run(async |rig| {
            let named = |bytes: usize| Some(json!({"id": "a", "name": "x".repeat(bytes)}));
            let post = async |body| rig.ask(Method::POST, "/api/v1/accounts", body).await.0;
            assert_eq!(post(named(WORDS_BYTES_MAX + 1)).await, StatusCode::BAD_REQUEST);
            assert_eq!(post(named(WORDS_BYTES_MAX)).await, StatusCode::CREATED);
            let list = rig.ask(Method::POST, "/api/v1/people", Some(json!(["zed", "viewer"]))).await;
            assert_eq!(list.0, StatusCode::BAD_REQUEST);
            assert!(rig.admin.registry.people().await.is_empty());
            for query in ["limit=0", "limit=1001", "limit=x", "account=a"] {
                let (status, body) = rig.ask(Method::GET, &format!("/api/v1/accounts?{query}"), None).await;
                assert_eq!(
                    (status, body["error"]["code"].as_str()),
                    (StatusCode::BAD_REQUEST, Some("bad_request")),
                    "{query}"
                );
            }
        });
    }

    /// Also what is refused before a handler has it.
    #[test]
    fn every_refusal_has_one_form() {
        run(async |rig| {
            for (method, path, status) in [
                (Method::DELETE, "/api/v1/status", StatusCode::METHOD_NOT_ALLOWED),
                (Method::POST, "/healthz", StatusCode::METHOD_NOT_ALLOWED),
                (Method::GET, "/api/v1/accounts/%FF", StatusCode::BAD_REQUEST),
                (Method::GET, "/api/v1/", StatusCode::NOT_FOUND),
                (Method::GET, "/api/v1/nothing", StatusCode::NOT_FOUND),
            ] {
                let (told, body) = rig.ask(method, path, None).await;
                assert_eq!(told, status, "{path}");
                assert!(body["error"]["message"].as_str().is_some_and(|message| !message.is_empty()), "{path} {body}");
            }
        });
    }

    /// Every path and method that is documented is there, and none other.
    #[test]
    fn the_documented_paths_are_those_that_are_there() {
        run(async |rig| {
            let (_, documented) = rig.ask(Method::GET, DOCUMENT, None).await;
            let paths = documented["paths"].as_object().unwrap();
            assert!(paths.len() > 30, "{}", paths.len());
            for (path, methods) in paths {
                let path = path.replace("{id}", "x").replace("{thumbprint}", "x");
                for method in ["get", "post", "put", "patch", "delete"] {
                    let verb = method.to_uppercase().parse().unwrap();
                    let (status, body) = rig.ask(verb, &path, Some(json!({}))).await;
                    let is_there = status != StatusCode::METHOD_NOT_ALLOWED
                        && body["error"]["message"] != "there is no such path in this API";
                    assert_eq!(is_there, methods.get(method).is_some(), "{method} {path} {status}");
                    // What fails says so in the same form, and nothing fails inside.
                    let is_told =
                        status.is_success() || !is_there || body["error"]["code"].is_string() || path == "/readyz";
                    assert!(is_told && status != StatusCode::INTERNAL_SERVER_ERROR, "{method} {path} {status} {body}");
                }
            }
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
