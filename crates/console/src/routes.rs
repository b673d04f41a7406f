//! Which paths there are, and who may use each: one list, from which the router is made and which the test of who may what goes through.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, Uri};
use axum::middleware::from_fn_with_state;
use axum::response::Redirect;
use axum::routing::{MethodRouter, get};

use crate::context::Console;
use crate::guard::{Guard, guard};
use crate::route::{Needs, Route};
use crate::{
    accounts, assets, audit, bulk, campaigns, cases, clusters, exchanges, frame, graph, hunts, live, organisations,
    overview, passkeys, people, playbooks, policies, quotas, reference, responses, schedules, settings, sign_in, views,
};

/// Every path of the console.
pub(crate) fn all() -> Vec<Route> {
    [
        sign_in::routes(),
        passkeys::routes(),
        assets::routes(),
        live::routes(),
        overview::routes(),
        campaigns::routes(),
        graph::routes(),
        cases::routes(),
        playbooks::routes(),
        clusters::routes(),
        accounts::routes(),
        bulk::routes(),
        organisations::routes(),
        quotas::routes(),
        exchanges::routes(),
        hunts::routes(),
        schedules::routes(),
        responses::routes(),
        policies::routes(),
        audit::routes(),
        people::routes(),
        settings::routes(),
        views::routes(),
        reference::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// How many of the first parts of a path are the address of a page.
fn parent(path: &str, shown: &BTreeSet<&'static str>) -> usize {
    let parts: Vec<&str> = path.split('/').collect();
    (1..parts.len())
        .rev()
        .find(|count| parts.get(..*count).is_some_and(|parts| shown.contains(parts.join("/").as_str())))
        .unwrap_or(1)
}

/// So many of the first parts of an address.
fn above(path: &str, parts: usize) -> String {
    let above = path.split('/').take(parts).collect::<Vec<_>>().join("/");
    if above.is_empty() { "/".to_owned() } else { above }
}

/// The pages.
pub fn router(console: Arc<Console>) -> Router {
    let mut paths: BTreeMap<&'static str, MethodRouter<Arc<Console>>> = BTreeMap::new();
    let mut shown: BTreeSet<&'static str> = BTreeSet::new();
    for Route { method, path, needs, takes_files, handler } in all() {
        if method == Method::GET {
            shown.insert(path);
        }
        let of_path = Guard { console: Arc::clone(&console), needs, takes_files };
        let mut guarded = handler.layer(from_fn_with_state(of_path, guard));
        if takes_files {
            // What takes them bounds them.
            guarded = guarded.layer(DefaultBodyLimit::disable());
        }
        let known = paths.remove(path).unwrap_or_default();
        paths.insert(path, known.merge(guarded));
    }
    // Where a form led to something that is shown, its address can be opened again: that leads to the page which it belongs to.
    let led: Vec<&'static str> = paths.keys().copied().filter(|path| !shown.contains(path)).collect();
    for path in led {
        let parent = parent(path, &shown);
        let guarded = get(async move |uri: Uri| Redirect::to(&above(uri.path(), parent))).layer(from_fn_with_state(
            Guard { console: Arc::clone(&console), needs: Needs::SignedIn, takes_files: false },
            guard,
        ));
        let known = paths.remove(path).unwrap_or_default();
        paths.insert(path, known.merge(guarded));
    }
    let missing = Guard { console: Arc::clone(&console), needs: Needs::SignedIn, takes_files: false };
    let router = paths.into_iter().fold(Router::new(), |router, (path, handlers)| router.route(path, handlers));
    router
        .fallback_service(
            Router::new()
                .fallback(frame::missing)
                .layer(from_fn_with_state(missing, guard))
                .with_state(Arc::clone(&console)),
        )
        .with_state(console)
}

#[cfg(test)]
mod tests {
    use admin::person::{Person, Role};
    use axum::body::Body;
    use axum::http::header::{ACCEPT, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE as COOKIES, LOCATION};
    use axum::http::{Request, StatusCode};
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    use super::*;
    use crate::limits::{FORM_BYTES_MAX, SESSION_IDLE_MAX};
    use crate::rig::Rig;
    use crate::session::{By, COOKIE};

    /// A request for a path with one method, and what it brings.
    #[derive(Clone, Copy, Default)]
    struct Asks<'a> {
        token: Option<&'a str>,
        csrf: Option<&'a str>,
        site: Option<&'a str>,
    }

    async fn ask(rig: &Rig, method: &Method, path: &str, asks: Asks<'_>) -> axum::response::Response {
        let takes_files = all().iter().any(|route| route.takes_files && route.path == path);
        let path = path.replace("{id}", "x").replace("{index}", "0").replace("{name}", "nobody");
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = asks.token {
            request = request.header(COOKIES, format!("other=1; {COOKIE}={token}"));
        }
        if let Some(site) = asks.site {
            request = request.header("sec-fetch-site", site);
        }
        let (kind, body) = match asks.csrf {
            Some(csrf) if takes_files => {
                let part = "--xyz\r\ncontent-disposition: form-data; name=\"csrf\"";
                ("multipart/form-data; boundary=xyz", format!("{part}\r\n\r\n{csrf}\r\n--xyz--\r\n"))
            }
            None if takes_files => ("multipart/form-data; boundary=xyz", "--xyz--\r\n".to_owned()),
            Some(csrf) => ("application/x-www-form-urlencoded", format!("csrf={csrf}")),
            None => ("application/x-www-form-urlencoded", String::new()),
        };
        let request = request.header(CONTENT_TYPE, kind).body(Body::from(body));
        rig.router.clone().oneshot(request.unwrap()).await.unwrap()
    }

    fn may(needs: Needs, person: Option<&Person>) -> bool {
        match (needs, person) {
            (Needs::Nothing, _) | (Needs::SignedIn, Some(_)) => true,
            (Needs::Role(role), Some(person)) => person.role >= role,
            (_, None) => false,
        }
    }

    /// Each path with each role, whoever is not signed in, and forms that are not ours.
    #[tokio::test]
    async fn a_path_is_for_whoever_has_its_role_and_a_form_has_to_be_ours() {
        let rig = Rig::new().await;
        let people = rig.everybody().await;
        let mut asked = 0;
        for Route { method, path, needs, .. } in all() {
            let nobody = ask(&rig, &method, path, Asks { site: Some("same-origin"), ..Asks::default() }).await;
            assert!(nobody.headers().contains_key(CONTENT_SECURITY_POLICY), "{path}");
            let is_sent_away = match method {
                Method::GET => {
                    nobody.headers().get(LOCATION).is_some_and(|to| to.to_str().unwrap().starts_with("/sign-in"))
                }
                _ => nobody.status() == StatusCode::UNAUTHORIZED && needs != Needs::Nothing,
            };
            assert_eq!(is_sent_away, !may(needs, None), "{method} {path} by nobody: {}", nobody.status());
            if path == "/sign-in" {
                continue;
            }
            for (person, token, csrf) in &people {
                // Signing out would end what the others are asked with.
                if path == "/sign-out" {
                    continue;
                }
                let ours = Asks { token: Some(token), csrf: Some(csrf), site: Some("same-origin") };
                let answered = ask(&rig, &method, path, ours).await.status();
                assert_eq!(
                    answered != StatusCode::FORBIDDEN,
                    may(needs, Some(person)),
                    "{method} {path} by {person:?}: {answered}"
                );
                assert!(
                    !answered.is_server_error() || answered == StatusCode::SERVICE_UNAVAILABLE,
                    "{method} {path}: {answered}"
                );
                asked += 1;
                if method != Method::POST || needs == Needs::Nothing {
                    continue;
                }
                for odd in [
                    Asks { site: Some("cross-site"), ..ours },
                    Asks { site: Some("same-site"), ..ours },
                    Asks { site: None, ..ours },
                    Asks { csrf: Some("guess"), ..ours },
                    Asks { csrf: Some(""), ..ours },
                    Asks { csrf: None, ..ours },
                ] {
                    let answered = ask(&rig, &method, path, odd).await.status();
                    assert_eq!(answered, StatusCode::FORBIDDEN, "{method} {path}");
                }
            }
        }
        assert!(asked > 100, "{asked}");
    }

    /// What was asked when it could be is not done when it cannot be any more.
    #[tokio::test]
    async fn whoever_is_shut_out_or_changed_while_their_form_comes_does_nothing() {
        for change in [
            admin::person::PersonChange { is_ended: Some(true), role: None },
            admin::person::PersonChange { is_ended: None, role: Some(Role::Viewer) },
        ] {
            let rig = Rig::new().await;
            let people = rig.everybody().await;
            let now = rig.admin.clock.now();
            rig.admin.registry.add_person("other", Role::Admin, now).await.unwrap();
            let (_, token, csrf) = people.last().unwrap();
            let (send, comes) = tokio::sync::mpsc::channel::<Result<axum::body::Bytes, std::io::Error>>(1);
            let request = Request::post("/people").header(COOKIES, format!("{COOKIE}={token}"));
            let request = request.header("sec-fetch-site", "same-origin");
            let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
            let body = Body::from_stream(tokio_stream::wrappers::ReceiverStream::new(comes));
            let asked = tokio::spawn(rig.router.clone().oneshot(request.body(body).unwrap()));
            send.send(Ok(format!("csrf={csrf}&name=back").into())).await.unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            rig.admin.registry.change_person("admin", change, now).await.unwrap();
            send.send(Ok("door&role=admin".into())).await.unwrap();
            drop(send);
            assert_eq!(asked.await.unwrap().unwrap().status(), StatusCode::UNAUTHORIZED);
            assert!(rig.admin.registry.person("backdoor").await.is_err());
        }
    }

    #[tokio::test]
    async fn whoever_has_to_change_the_password_does_that_first() {
        let rig = Rig::new().await;
        rig.admin.registry.add_person("new", Role::Admin, rig.admin.clock.now()).await.unwrap();
        let token = rig.console.sessions.begin("new", rig.admin.clock.now(), None, By::Password).unwrap();
        let asks = Asks { token: Some(&token), ..Asks::default() };
        let answered = ask(&rig, &Method::GET, "/", asks).await;
        assert_eq!(answered.headers().get(LOCATION).unwrap(), "/password");
        assert_eq!(ask(&rig, &Method::GET, "/password", asks).await.status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn whoever_is_shut_out_or_changed_is_so_at_the_next_request() {
        let rig = Rig::new().await;
        let people = rig.everybody().await;
        let (person, token, _) = &people[0];
        let asks = Asks { token: Some(token), ..Asks::default() };
        assert_eq!(ask(&rig, &Method::GET, "/password", asks).await.status(), StatusCode::OK);
        let change = admin::person::PersonChange { is_ended: Some(true), role: None };
        rig.admin.registry.change_person(&person.name, change, rig.admin.clock.now()).await.unwrap();
        assert_eq!(ask(&rig, &Method::GET, "/password", asks).await.status(), StatusCode::SEE_OTHER);
    }

    #[tokio::test]
    async fn what_is_not_there_is_told_on_a_page() {
        let rig = Rig::new().await;
        let people = rig.everybody().await;
        let asks = Asks { token: Some(&people[0].1), ..Asks::default() };
        let answered = ask(&rig, &Method::GET, "/nowhere/%3Cscript%3E", asks).await;
        assert_eq!(answered.status(), StatusCode::NOT_FOUND);
        let page = answered.into_body().collect().await.unwrap().to_bytes();
        let page = std::str::from_utf8(&page).unwrap();
        assert!(page.contains("There is no such page") && !page.contains("<script>"), "{page}");
    }

    #[tokio::test]
    async fn where_a_form_led_to_can_be_opened_again() {
        let rig = Rig::new().await;
        let people = rig.everybody().await;
        let asks = Asks { token: Some(&people[3].1), ..Asks::default() };
        for (path, to) in [
            ("/people/ann", "/people"),
            ("/accounts/a%2Fb/keys", "/accounts/a%2Fb"),
            ("/responses/rsp_1/undo", "/responses/rsp_1"),
            ("/cases/change", "/cases"),
            ("/verdicts", "/"),
        ] {
            let answered = ask(&rig, &Method::GET, path, asks).await;
            assert_eq!(answered.headers().get(LOCATION).and_then(|to| to.to_str().ok()), Some(to), "{path}");
        }
    }

    #[tokio::test]
    async fn whatever_is_wrong_is_told_on_a_page() {
        let rig = Rig::new().await;
        let people = rig.everybody().await;
        let text = async |answered: axum::response::Response| {
            let page = answered.into_body().collect().await.unwrap().to_bytes();
            String::from_utf8(page.to_vec()).unwrap()
        };
        let asks = Asks { token: Some(&people[0].1), ..Asks::default() };
        for (path, status) in [("/audit/abc", 400), ("/accounts/%FF", 400), ("/audit/0", 409)] {
            let answered = ask(&rig, &Method::GET, path, asks).await;
            assert_eq!(answered.status().as_u16(), status, "{path}");
            assert!(text(answered).await.contains("</nav>"), "{path}");
        }
        // A page that says itself what is wrong stays as it is.
        let form = Request::post("/sign-in").header("sec-fetch-site", "same-origin");
        let form = form.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let answered =
            rig.router.clone().oneshot(form.body(Body::from("name=viewer&password=guess")).unwrap()).await.unwrap();
        assert_eq!(answered.status(), StatusCode::UNAUTHORIZED);
        let page = text(answered).await;
        assert!(page.contains("do not belong together") && page.contains("name=\"password\""), "{page}");
    }

    #[tokio::test]
    async fn a_form_has_a_limit() {
        let rig = Rig::new().await;
        let (_, token, csrf) = &rig.everybody().await[3];
        let send = async |bytes: usize| {
            let begin = format!("csrf={csrf}&name=");
            let body = format!("{begin}{}", "x".repeat(bytes - begin.len()));
            let request = Request::post("/people").header("sec-fetch-site", "same-origin");
            let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
            let request = request.header(COOKIES, format!("{COOKIE}={token}"));
            rig.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap().status()
        };
        assert_ne!(send(FORM_BYTES_MAX).await, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(send(FORM_BYTES_MAX + 1).await, StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[tokio::test]
    async fn a_page_that_is_left_open_is_no_use_of_a_session() {
        let rig = Rig::new().await;
        let (_, token, _) = &rig.everybody().await[0];
        tokio::time::pause();
        let ask = async |is_renewal: bool| {
            let request = Request::get("/password").header(COOKIES, format!("{COOKIE}={token}"));
            let request = if is_renewal { request.header("x-renew", "1") } else { request };
            rig.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap().status()
        };
        let step = SESSION_IDLE_MAX / 2;
        for _ in 0..3 {
            assert_eq!(ask(false).await, StatusCode::OK, "a use");
            tokio::time::advance(step).await;
        }
        assert_eq!(ask(true).await, StatusCode::OK);
        tokio::time::advance(step).await;
        assert_eq!(ask(true).await, StatusCode::SEE_OTHER);
    }

    #[tokio::test]
    async fn whoever_is_signed_out_hears_nothing_more() {
        let rig = Rig::new().await;
        let (_, token, _) = &rig.everybody().await[0];
        let asks = Asks { token: Some(token), ..Asks::default() };
        let mut stream = ask(&rig, &Method::GET, "/live", asks).await.into_body();
        let first = stream.frame().await.unwrap().unwrap().into_data().unwrap();
        assert!(first.starts_with(b"event: begin"), "{first:?}");
        rig.console.sessions.end(token);
        assert!(stream.frame().await.is_none());
        // A browser that asks again is told to stop, and is not sent to a page.
        let asks =
            |path| Request::get(path).header(ACCEPT, "text/event-stream").header(COOKIES, format!("{COOKIE}={token}"));
        let again = rig.router.clone().oneshot(asks("/live").body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(again.status(), StatusCode::NO_CONTENT);
    }
}
