//! Whether all is well, and what is counted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use exchange::Time;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use schemars::JsonSchema;
use serde::Serialize;

use crate::context::{Admin, Shared};
use crate::endpoint::Endpoint;

/// The type of what [`metrics`] writes.
pub(crate) const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How long the database may be silent before that is told.
const DATABASE_SILENT_MAX: Duration = Duration::from_secs(5);

/// From how many bytes that detection is behind that is told; some seconds of a busy gateway.
const BEHIND_BYTES_TOLD: u64 = 256 * 1024 * 1024;

pub(crate) fn endpoints() -> Vec<Endpoint<Arc<Admin>>> {
    vec![
        Endpoint::get("/healthz", "Whether the process answers", get(async || Json(Alive { status: "ok" })))
            .open()
            .gives::<Alive>(StatusCode::OK, "It does"),
        Endpoint::get("/readyz", "Whether requests are served as they should be", get(is_ready))
            .open()
            .gives::<Readiness>(StatusCode::OK, "They are; `reasons` tells what might become wrong")
            .gives::<Readiness>(StatusCode::SERVICE_UNAVAILABLE, "They are not"),
        Endpoint::get("/metrics", "What is counted, for Prometheus", get(counted))
            .open()
            .says(METRICS_TYPE, "OpenMetrics"),
        Endpoint::get("/status", "Whether all is well, and what was counted", get(status))
            .gives::<Standing>(StatusCode::OK, "How it stands"),
    ]
}

/// That the process answers.
#[derive(Debug, Serialize, JsonSchema)]
struct Alive {
    /// Always `ok`.
    status: &'static str,
}

/// Whether requests are served as they should be.
#[derive(Debug, Serialize, JsonSchema)]
struct Readiness {
    ready: bool,
    /// What is wrong, or might become so.
    reasons: Vec<String>,
}

async fn is_ready(State(admin): Shared) -> (StatusCode, Json<Readiness>) {
    let (ready, reasons) = ready(&admin);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready, reasons }))
}

async fn counted(State(admin): Shared) -> Response {
    match metrics(&admin) {
        Ok(text) => ([(CONTENT_TYPE, METRICS_TYPE)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// How the gateway stands.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "GatewayStatus")]
struct Standing {
    version: &'static str,
    time: Time,
    ready: bool,
    /// What is wrong, or might become so.
    reasons: Vec<String>,
    /// How many accounts there are.
    accounts: usize,
    /// Exchanges recorded since the start.
    recorded: u64,
    /// What was counted since the start, by name.
    counts: BTreeMap<&'static str, u64>,
}

async fn status(State(admin): Shared) -> Json<Standing> {
    let (ready, reasons) = ready(&admin);
    Json(Standing {
        version: env!("CARGO_PKG_VERSION"),
        time: admin.clock.now(),
        ready,
        reasons,
        accounts: admin.registry.directory().await.len(),
        recorded: admin.recording.recorded(),
        counts: admin.stats.all().collect(),
    })
}

/// Whether requests are served as they should be, and what is wrong otherwise or might become so.
#[must_use]
pub fn ready(admin: &Admin) -> (bool, Vec<String>) {
    let mut reasons = Vec::new();
    if let Some(trouble) = admin.recording.trouble() {
        reasons.push(format!("exchanges cannot be recorded: {trouble}"));
    }
    let settings = admin.settings.load();
    let (is_known, reason) = known(admin.registry.age(), settings.stale_time_max);
    reasons.extend(reason);
    let failures = admin.registry.gate().permits().failures();
    if failures > 0 {
        reasons.push(format!("policies failed at {failures} requests, and what they were about was denied"));
    }
    if settings.prices.is_none() && admin.registry.gate().quotas().count_costs() {
        reasons.push(
            "a quota of costs is set, and no prices are configured; requests that it holds for are turned away"
                .to_owned(),
        );
    }
    let identities = admin.registry.gate().identities().load();
    for server in settings.servers.iter().filter(|server| server.health.fails_checks()) {
        reasons.push(format!("the model server `{}` fails its health checks and is tried last", server.name));
    }
    for issuer in identities.without_keys() {
        reasons.push(format!("the keys of the identity provider `{issuer}` are not known; no token of it holds"));
    }
    if let Some(watched) = &admin.detection {
        let status = watched.status();
        reasons.extend(status.trouble.map(|trouble| format!("detection does not go on: {trouble}")));
        if status.behind_bytes > BEHIND_BYTES_TOLD {
            reasons.push(format!("detection is {} MB behind what is recorded", status.behind_bytes / 1_000_000));
        }
    }
    (is_known && !(admin.recording.is_failing() && settings.needs_recording), reasons)
}

/// Whether what the database said `age` ago holds still, and what is to be said of it.
fn known(age: Duration, stale_time_max: Option<Duration>) -> (bool, Option<String>) {
    let since = format!("the database has given no usable answer for {} s", age.as_secs());
    match stale_time_max {
        Some(max) if age > max => {
            let told = format!("{since}, and what is known holds for {} s; requests are turned away", max.as_secs());
            (false, Some(told))
        }
        _ if age <= DATABASE_SILENT_MAX => (true, None),
        Some(max) => {
            let left = max.saturating_sub(age).as_secs();
            (true, Some(format!("{since}; the last known state is stale and holds for another {left} s")))
        }
        None => (true, Some(format!("{since}; the last known state is stale and holds on"))),
    }
}

/// Everything that is counted, as OpenMetrics text.
pub(crate) fn metrics(admin: &Arc<Admin>) -> Result<String, std::fmt::Error> {
    let mut registry = Registry::with_prefix("stillwatch");
    registry.register_collector(Box::new(Counts(Arc::clone(admin))));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct Counts(Arc<Admin>);

impl Collector for Counts {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let admin = &self.0;
        let mut count = |name: &str, help: &str, count: u64| {
            let counter = ConstCounter::new(count);
            let metric = encoder.encode_descriptor(name, help, None, counter.metric_type())?;
            counter.encode(metric)
        };
        for (name, value) in admin.stats.all() {
            count(name, "Counted by the gateway since it began; see docs/gateway.md", value)?;
        }
        count(
            "exchanges_offered",
            "Exchanges that were handed over to be recorded",
            admin.queue.offered.load(Ordering::Relaxed),
        )?;
        count("exchanges_shed", "Exchanges for which the queue had no room", admin.queue.shed.load(Ordering::Relaxed))?;
        count("exchanges_recorded", "Exchanges that were written", admin.recording.recorded())?;
        count("exchanges_lost", "Exchanges that could not be kept while the disk failed", admin.recording.lost())?;
        count(
            "recorded_files_removed",
            "Recorded files that were removed as the oldest",
            admin.recording.removed_files(),
        )?;
        let failures = admin.registry.gate().permits().failures();
        count("policy_failures", "Requests at whose decision a policy failed, so that something was denied", failures)?;
        count("alerts_sent", "Alerts that a destination took", admin.alerts.sent())?;
        count("alerts_failed", "Alerts that were given up: refused for good, or for too long", admin.alerts.failed())?;
        count("alerts_dropped", "Alerts for which the queue of a destination had no room", admin.alerts.dropped())?;
        for (name, value) in admin.sensors.iter().flat_map(|counted| counted()) {
            count(&format!("sensor_{name}"), "Counted of sensors since it began; see docs/sensors.md", value)?;
        }
        let detection = admin.detection.as_ref().map(|watched| (watched.status(), watched.board()));
        if let Some((status, _)) = &detection {
            count("detection_exchanges", "Exchanges that detection has read", status.counts.exchanges)?;
            count(
                "detection_unread",
                "Recorded lines that detection could not read: no exchange, damaged or torn",
                status.counts.unread + status.lost.damaged + status.lost.torn,
            )?;
            count(
                "detection_missed_files",
                "Recorded files that were removed before detection had read them",
                status.lost.files,
            )?;
            count("detection_late", "Exchanges that came too late to be put in order", status.counts.late)?;
        }
        let mut gauge = |name: &str, help: &str, value: i64| {
            let gauge = ConstGauge::new(value);
            let metric = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
            gauge.encode(metric)
        };
        gauge(
            "recording_failing",
            "Whether the last attempt to record failed",
            i64::from(admin.recording.is_failing()),
        )?;
        let without = admin.registry.gate().identities().load().without_keys().count();
        gauge(
            "identity_providers_without_keys",
            "Identity providers whose keys are not known, so that no token of theirs holds",
            i64::try_from(without).unwrap_or(i64::MAX),
        )?;
        let unwell = admin.settings.load().servers.iter().filter(|server| server.health.fails_checks()).count();
        gauge(
            "servers_unwell",
            "Model servers that fail their health checks and are tried last",
            i64::try_from(unwell).unwrap_or(i64::MAX),
        )?;
        if let Some((status, board)) = &detection {
            let behind = i64::try_from(status.behind_bytes).unwrap_or(i64::MAX);
            gauge("detection_behind_bytes", "Bytes that are recorded and that detection has not read yet", behind)?;
            gauge("detection_failing", "Whether detection cannot go on", i64::from(status.trouble.is_some()))?;
            let campaigns = i64::try_from(board.campaigns.len()).unwrap_or(i64::MAX);
            gauge("campaigns", "Campaigns that stand", campaigns)?;
        }
        let silent = i64::try_from(admin.registry.age().as_secs()).unwrap_or(i64::MAX);
        gauge("database_silent_seconds", "How long ago the database last answered", silent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_database_is_told_and_past_its_time_nothing_is_served() {
        let nanosecond = Duration::from_nanos(1);
        let max = Duration::from_secs(60);
        assert_eq!(known(DATABASE_SILENT_MAX, Some(max)), (true, None));
        for (age, max, is_known, words) in [
            (
                DATABASE_SILENT_MAX + nanosecond,
                Some(max),
                true,
                "for 5 s; the last known state is stale and holds for another 54 s",
            ),
            (max, Some(max), true, "holds for another 0 s"),
            (
                max + nanosecond,
                Some(max),
                false,
                "for 60 s, and what is known holds for 60 s; requests are turned away",
            ),
            (max + nanosecond, None, true, "for 60 s; the last known state is stale and holds on"),
            // A time that is shorter than what is worth telling.
            (Duration::from_secs(3), Some(Duration::from_secs(2)), false, "requests are turned away"),
        ] {
            let (known, reason) = known(age, max);
            let reason = reason.unwrap();
            assert!(known == is_known && reason.contains(words), "{reason}");
        }
    }
}
