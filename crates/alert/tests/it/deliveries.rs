//! Alerts on their way: signed, tried again, bounded, and after a restart.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alert::delivery::World;
use alert::form::Form;
use alert::limits::{ATTEMPT_TIME_MAX, FINISH_TIME_MAX, QUEUE_MAX, RETRY_TIME_MAX, STEP_TIME};
use alert::pace::Pace;
use alert::send::mail::{Login, Relay};
use alert::send::webhook::Key;
use alert::send::{Mail, Syslog, Webhook};
use alert::{Alerter, Counts, Destination, Origin, Rules, Setup, Target};
use exchange::Time;
use rustls::pki_types::CertificateDer;
use serde_json::Value;
use watch::{Board, Campaign, Member};

use crate::servers::{self, come, soon};

const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const PACE: Pace = Pace {
    pause_min: Duration::from_millis(10),
    pause_max: Duration::from_millis(50),
    time_max: Duration::from_secs(3_600),
};

fn now() -> Time {
    "2026-03-01T10:00:00Z".parse().unwrap()
}

fn board(sequence: u64, campaigns: usize) -> Board {
    let campaign = |n| Campaign {
        id: format!("cmp_{n}"),
        since: now(),
        log10_e: 7.25,
        log10_threshold: 4.5,
        rival: "a class".to_owned(),
        members: vec![Member { account: "acc_1".to_owned(), probability: 0.9 }],
    };
    Board { generation: 1, sequence, campaigns: (1..=campaigns).map(campaign).collect() }
}

fn tls(authority: Option<CertificateDer<'static>>) -> Arc<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(authority);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}

fn webhook(address: SocketAddr) -> Target {
    let url = format!("http://{address}/alerts?team=a").parse().unwrap();
    Target::Webhook(Webhook::new(url, Key::read(KEY).unwrap(), tls(None)), Form::Flat)
}

fn destination(name: &str, target: Target) -> Destination {
    let rules = Rules { repeat_seconds: 60, settle_seconds: 60, quiet: None, quiet_detected: false };
    Destination { name: name.to_owned(), rules, target, link: None }
}

/// An alerter, what it counts and what it said.
struct Told {
    alerter: Alerter,
    counts: Arc<Counts>,
    said: Arc<Mutex<Vec<String>>>,
}

impl Told {
    fn said(&self) -> Vec<String> {
        self.said.lock().unwrap().clone()
    }
}

fn start(folder: &Path, pace: Pace, destinations: Vec<Destination>) -> Told {
    start_at(folder, pace, destinations, Arc::new(now))
}

fn start_at(
    folder: &Path,
    pace: Pace,
    destinations: Vec<Destination>,
    now: Arc<dyn Fn() -> Time + Send + Sync>,
) -> Told {
    let (counts, said) = (Arc::new(Counts::default()), Arc::new(Mutex::new(Vec::new())));
    let says = Arc::clone(&said);
    let world = World {
        now,
        random: Arc::new(|| u64::MAX),
        say: Arc::new(move |text| says.lock().unwrap().push(text.to_owned())),
    };
    let origin = Origin {
        source: "d1".to_owned(),
        // A line of a mail that begins with a dot.
        link: "./campaigns/{id}".to_owned(),
        version: "0.1.0".to_owned(),
    };
    let file = folder.join("alerts.json");
    let setup = Setup { destinations, origin, file, pace, counts: Arc::clone(&counts), world };
    Told { alerter: Alerter::start(setup).unwrap(), counts, said }
}

async fn until(what: impl Fn() -> bool) {
    let end = tokio::time::Instant::now() + Duration::from_secs(10);
    while !what() {
        assert!(tokio::time::Instant::now() < end, "it does not come to that");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_signed_and_tried_again_until_it_takes_it() {
    let folder = tempfile::tempdir().unwrap();
    let (address, posts) = servers::webhook(&[500, 500, 200]);
    let mut told = start(folder.path(), PACE, vec![destination("soc", webhook(address))]);
    told.alerter.step(now(), &board(1, 1), false);
    let all = [soon(&posts), soon(&posts), soon(&posts)];
    for posted in &all {
        assert!(posted.head.starts_with("POST /alerts?team=a HTTP/1.1"), "{}", posted.head);
        assert_eq!(posted.header("content-type"), "application/json");
        assert_eq!(posted.header("webhook-id"), "d1-1-cmp_1-campaign_detected-1772359200000");
        assert_eq!(posted.header("webhook-timestamp"), "1772359200");
        assert!(posted.is_signed_with(KEY), "{posted:?}");
        let mut changed = posted.clone();
        changed.body.push(' ');
        assert!(!changed.is_signed_with(KEY));
        assert_eq!(posted.body, all[0].body);
    }
    let body: Value = serde_json::from_str(&all[0].body).unwrap();
    assert_eq!((&body["campaign_id"], &body["accounts"]), (&"cmp_1".into(), &1.into()));
    until(|| told.counts.sent() == 1).await;
    assert_eq!((told.counts.failed(), told.counts.dropped()), (0, 0));
    let said = told.said();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains("`soc`: it answered 500; it is tried again"), "{said:?}");
    assert_eq!(said[1], "alerts reach `soc` again");
    assert!(said.iter().all(|line| !line.contains("team=a")), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_behind_tls_is_believed_by_its_authority_only() {
    let folder = tempfile::tempdir().unwrap();
    let (address, posts, authority) = servers::tls_webhook();
    let url = || format!("https://localhost:{}/", address.port()).parse().unwrap();
    let target = |tls| Target::Webhook(Webhook::new(url(), Key::read(KEY).unwrap(), tls), Form::Ocsf);
    let destinations =
        vec![destination("known", target(tls(Some(authority)))), destination("unknown", target(tls(None)))];
    let mut told = start(folder.path(), PACE, destinations);
    told.alerter.step(now(), &board(1, 1), false);
    until(|| told.counts.sent() == 1 && told.said().iter().any(|line| line.contains("`unknown`"))).await;
    let posted = soon(&posts);
    assert!(posted.is_signed_with(KEY));
    assert_eq!(serde_json::from_str::<Value>(&posted.body).unwrap()["class_uid"], 2004);
    assert_eq!(told.counts.sent(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_never_answers_holds_up_nobody_and_its_queue_stays_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let (address, posts) = servers::webhook(&[200]);
    let destinations = vec![destination("silent", webhook(servers::silent())), destination("soc", webhook(address))];
    let mut told = start(folder.path(), PACE, destinations);
    // The other one is waited for, so that its queue has room at all times.
    for (step, campaigns) in [100, 200, QUEUE_MAX, QUEUE_MAX + 1, QUEUE_MAX + 10].into_iter().enumerate() {
        let begun = tokio::time::Instant::now();
        told.alerter.step(now(), &board(step as u64 + 1, campaigns), false);
        assert!(begun.elapsed() < Duration::from_secs(5));
        until(|| told.counts.sent() == campaigns as u64).await;
        assert_eq!(told.counts.dropped(), campaigns.saturating_sub(QUEUE_MAX) as u64);
    }
    come(&posts, QUEUE_MAX + 10);
    let said = told.said();
    assert_eq!(said, ["the queue of alerts for `silent` is full; what has no room is counted"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_for_too_long_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let (address, posts) = servers::webhook(&[404]);
    let pace = Pace { time_max: Duration::ZERO, ..PACE };
    let mut told = start(folder.path(), pace, vec![destination("soc", webhook(address))]);
    told.alerter.step(now(), &board(1, 2), false);
    until(|| told.counts.failed() == 2).await;
    come(&posts, 2);
    assert_eq!(told.counts.sent(), 0);
    assert!(told.said()[1].contains("an alert for `soc` is given up: it answered 404"), "{:?}", told.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_delivered_is_after_a_restart_and_what_was_is_not_told_again() {
    let folder = tempfile::tempdir().unwrap();
    let (address, posts) = servers::webhook(&[200]);
    let mut told = start(folder.path(), PACE, vec![destination("soc", webhook(servers::nobody()))]);
    told.alerter.step(now(), &board(1, 1), false);
    // As by a kill.
    drop(told);
    let mut told = start(folder.path(), PACE, vec![destination("soc", webhook(address))]);
    told.alerter.step(now(), &board(1, 1), false);
    assert_eq!(soon(&posts).header("webhook-id"), "d1-1-cmp_1-campaign_detected-1772359200000");
    told.alerter.finish().await;
    let mut told = start(folder.path(), PACE, vec![destination("soc", webhook(address))]);
    told.alerter.step(now(), &board(1, 2), false);
    assert_eq!(soon(&posts).header("webhook-id"), "d1-1-cmp_2-campaign_detected-1772359200000");
    told.alerter.finish().await;
    assert!(matches!(posts.recv_timeout(Duration::from_millis(50)), Err(RecvTimeoutError::Timeout)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_told_and_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (address, posts) = servers::webhook(&[200]);
    for text in ["{", "{\"version\":2,\"destinations\":{}}"] {
        std::fs::write(folder.path().join("alerts.json"), text).unwrap();
        let mut told = start(folder.path(), PACE, vec![destination("soc", webhook(address))]);
        assert!(told.said()[0].starts_with("what was told of campaigns cannot be read ("), "{:?}", told.said());
        told.alerter.step(now(), &board(1, 1), false);
        soon(&posts);
        told.alerter.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn syslog_comes_as_a_datagram_and_counted_in_a_stream() {
    let folder = tempfile::tempdir().unwrap();
    let ((udp, datagrams), (tcp, streams)) = (servers::datagrams(), servers::streams());
    let syslog = |is_tcp, address: SocketAddr| {
        let syslog = Syslog { is_tcp, host: address.ip().to_string(), port: address.port() };
        Target::Syslog(syslog, Form::Flat)
    };
    let destinations = vec![destination("udp", syslog(false, udp)), destination("tcp", syslog(true, tcp))];
    let mut told = start(folder.path(), PACE, destinations);
    told.alerter.step(now(), &board(1, 1), false);
    let datagram = soon(&datagrams);
    let beginning =
        "<106>1 2026-03-01T10:00:00Z - stillwatch - campaign_detected [campaign@32473 id=\"cmp_1\" source=\"d1\" ";
    assert!(datagram.starts_with(beginning), "{datagram}");
    let json = datagram.split_once("] ").unwrap().1;
    assert_eq!(serde_json::from_str::<Value>(json).unwrap()["event_type"], "campaign_detected");
    assert_eq!(soon(&streams), format!("{} {datagram}", datagram.len()));
    until(|| told.counts.sent() == 2).await;
}

fn mail(address: SocketAddr, is_starttls: bool) -> Target {
    mail_as(address, is_starttls, None)
}

fn mail_as(address: SocketAddr, is_starttls: bool, login: Option<Login>) -> Target {
    let to = ["soc@example.com".to_owned(), "Ann <ann@example.com>".to_owned()];
    let host = address.ip().to_string();
    let relay = Relay { host: &host, port: address.port(), is_starttls, login };
    Target::Mail(Mail::new(relay, "Stillwatch <alerts@example.com>", &to).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_asks_who_is_there_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (address, conversations) = servers::relay(&["250 fine"]);
    let login = Login { user: "ann".to_owned(), password: "s3cret".to_owned().into() };
    assert!(!format!("{login:?}").contains("s3cret"));
    let target = mail_as(address, false, Some(login));
    let mut told = start(folder.path(), PACE, vec![destination("mail", target)]);
    told.alerter.step(now(), &board(1, 1), false);
    let lines = soon(&conversations);
    // RFC 4616: a NUL before the user and the password.
    assert!(lines.iter().any(|line| line == "AUTH PLAIN AGFubgBzM2NyZXQ="), "{lines:?}");
    until(|| told.counts.sent() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_goes_through_the_relay_to_everybody() {
    let folder = tempfile::tempdir().unwrap();
    let (address, conversations) = servers::relay(&["451 later", "250 fine"]);
    let mut told = start(folder.path(), PACE, vec![destination("mail", mail(address, false))]);
    told.alerter.step(now(), &board(1, 1), false);
    let (first, second) = (soon(&conversations), soon(&conversations));
    for lines in [&first, &second] {
        let has = |line: &str| assert!(lines.iter().any(|other| other == line), "`{line}` in {lines:#?}");
        assert!(lines[0].starts_with("EHLO "), "{lines:?}");
        has("MAIL FROM:<alerts@example.com>");
        has("RCPT TO:<soc@example.com>");
        has("RCPT TO:<ann@example.com>");
        has("Subject: [Stillwatch] Campaign cmp_1 was detected: 1 account");
        has("Message-ID: <d1-1-cmp_1-campaign_detected-1772359200000@example.com>");
        has("Date: Sun, 01 Mar 2026 10:00:00 +0000");
        // The dot at the beginning of a line is doubled on the way.
        has("../campaigns/cmp_1");
    }
    until(|| told.counts.sent() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_refuses_for_good_is_not_asked_again_and_none_is_used_without_the_tls_that_is_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let (refusing, _conversations) = servers::relay(&["554 no"]);
    let (plain, conversations) = servers::relay(&["250 fine"]);
    let destinations = vec![destination("refusing", mail(refusing, false)), destination("plain", mail(plain, true))];
    let mut told = start(folder.path(), PACE, destinations);
    told.alerter.step(now(), &board(1, 1), false);
    until(|| told.counts.failed() == 1 && told.said().len() > 1).await;
    let said = told.said().concat();
    assert!(said.contains("`refusing`: it refused for good: 554; it is given up"), "{said}");
    let lines = soon(&conversations);
    assert!(lines.iter().all(|line| line.starts_with("EHLO") || line.starts_with("QUIT")), "{lines:?}");
    assert_eq!(told.counts.sent(), 0);
}

fn after(time: Duration) -> Time {
    Time::from_nanos(now().nanos() + i64::try_from(time.as_nanos()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_is_tried_again_for_so_long() {
    for (passed, is_over) in [(RETRY_TIME_MAX - Duration::from_nanos(1), false), (RETRY_TIME_MAX, true)] {
        let folder = tempfile::tempdir().unwrap();
        let (address, posts) = servers::webhook(&[500, 500, 200]);
        let clock = Arc::new(Mutex::new(now()));
        let read = Arc::clone(&clock);
        let pace = Pace { time_max: RETRY_TIME_MAX, ..PACE };
        // The time passes with the first attempt.
        let time = Arc::new(move || std::mem::replace(&mut *read.lock().unwrap(), after(passed)));
        let mut told = start_at(folder.path(), pace, vec![destination("soc", webhook(address))], time);
        told.alerter.step(now(), &board(1, 1), false);
        until(|| told.counts.sent() + told.counts.failed() == 1).await;
        assert_eq!(told.counts.failed() == 1, is_over);
        come(&posts, if is_over { 1 } else { 3 });
    }
}

#[tokio::test]
async fn an_attempt_takes_so_long_and_the_end_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let mut told = start(folder.path(), PACE, vec![destination("soc", webhook(servers::silent()))]);
    told.alerter.step(now(), &board(1, 1), false);
    // Time goes on by itself from here on whenever nothing else happens.
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    until_at(&told, begun, ATTEMPT_TIME_MAX).await;
    let begun = tokio::time::Instant::now();
    told.alerter.finish().await;
    let took = begun.elapsed();
    assert!(took >= FINISH_TIME_MAX && took < FINISH_TIME_MAX + Duration::from_millis(20), "{took:?}");
}

async fn until_at(told: &Told, begun: tokio::time::Instant, time: Duration) {
    while told.said().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let took = begun.elapsed();
    assert!(took >= time && took <= time + Duration::from_millis(20), "{took:?}");
    let expected = "an alert cannot be delivered to `soc`: it did not answer within 15 s; it is tried again";
    assert_eq!(told.said(), [expected]);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_is_new_it_is_looked_so_often() {
    let folder = tempfile::tempdir().unwrap();
    let (address, posts) = servers::webhook(&[200]);
    let mut soc = destination("soc", webhook(address));
    soc.rules.settle_seconds = 0;
    let mut told = start(folder.path(), PACE, vec![soc]);
    told.alerter.step(now(), &board(1, 1), false);
    soon(&posts);
    // Not what happens, but it shows whether it was looked.
    let gone = board(1, 0);
    told.alerter.step(after(STEP_TIME - Duration::from_nanos(1)), &gone, false);
    assert!(posts.recv_timeout(Duration::from_millis(50)).is_err());
    told.alerter.step(after(STEP_TIME), &gone, false);
    assert!(soon(&posts).header("webhook-id").contains("campaign_withdrawn"));
}
