//! The OpenTelemetry protocol: spans and log records, over gRPC and over HTTP as protobuf or JSON.
//!
//! Promises that what is acknowledged is on disk, as one record to a line that `stillwatch hunt` reads too; what cannot be kept is refused in the
//! words by which an exporter sends it again.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response as HttpResponse};
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::LogsService;
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::TraceService;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::logs::v1::{ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans};
use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tonic::{Request, Response, Status};

use crate::counts::{Counts, add};
use crate::limits::{OTLP_RECORDS_BYTES_MAX, OTLP_RECORDS_MAX, RECEIVED_AT_ONCE_MAX};
use crate::received::Received;

/// What is said of a message that is not taken, now or later.
const TOO_LARGE: &str = "too many or too long records in one message; send fewer at once";

/// The receiver.
#[derive(Clone, Debug)]
pub(crate) struct Otlp {
    pub(crate) received: Arc<Received>,
    pub(crate) counts: Arc<Counts>,
}

/// A message of OTLP that is taken apart into records.
pub(crate) trait Export: Message + Default + DeserializeOwned + Send + 'static {
    /// What it is answered.
    type Answer: Message + Default + Serialize;

    /// How many spans or log records it has, and how many bytes these are, each with what its resource and its library say of themselves.
    fn size(&self) -> (usize, usize);

    /// One line for each span or log record, each with what its resource and its library say of themselves.
    fn lines(self) -> serde_json::Result<Vec<Vec<u8>>>;
}

impl Export for ExportTraceServiceRequest {
    type Answer = ExportTraceServiceResponse;

    fn size(&self) -> (usize, usize) {
        total(self.resource_spans.iter().flat_map(|of| {
            let outer = around(of.resource.as_ref(), &of.schema_url);
            of.scope_spans.iter().map(move |scope| {
                (outer.saturating_add(around(scope.scope.as_ref(), &scope.schema_url)), scope.spans.as_slice())
            })
        }))
    }

    fn lines(self) -> serde_json::Result<Vec<Vec<u8>>> {
        let mut lines = Vec::new();
        for ResourceSpans { resource, scope_spans, schema_url } in self.resource_spans {
            for ScopeSpans { scope, spans, schema_url: scope_url } in scope_spans {
                for span in spans {
                    let scope = ScopeSpans { scope: scope.clone(), spans: vec![span], schema_url: scope_url.clone() };
                    let one = ResourceSpans {
                        resource: resource.clone(),
                        scope_spans: vec![scope],
                        schema_url: schema_url.clone(),
                    };
                    lines.push(serde_json::to_vec(&ExportTraceServiceRequest { resource_spans: vec![one] })?);
                }
            }
        }
        Ok(lines)
    }
}

impl Export for ExportLogsServiceRequest {
    type Answer = ExportLogsServiceResponse;

    fn size(&self) -> (usize, usize) {
        total(self.resource_logs.iter().flat_map(|of| {
            let outer = around(of.resource.as_ref(), &of.schema_url);
            of.scope_logs.iter().map(move |scope| {
                (outer.saturating_add(around(scope.scope.as_ref(), &scope.schema_url)), scope.log_records.as_slice())
            })
        }))
    }

    fn lines(self) -> serde_json::Result<Vec<Vec<u8>>> {
        let mut lines = Vec::new();
        for ResourceLogs { resource, scope_logs, schema_url } in self.resource_logs {
            for ScopeLogs { scope, log_records, schema_url: scope_url } in scope_logs {
                for record in log_records {
                    let scope =
                        ScopeLogs { scope: scope.clone(), log_records: vec![record], schema_url: scope_url.clone() };
                    let one = ResourceLogs {
                        resource: resource.clone(),
                        scope_logs: vec![scope],
                        schema_url: schema_url.clone(),
                    };
                    lines.push(serde_json::to_vec(&ExportLogsServiceRequest { resource_logs: vec![one] })?);
                }
            }
        }
        Ok(lines)
    }
}

/// Bytes of what a resource or a library says of itself.
fn around<M: Message>(of: Option<&M>, schema_url: &str) -> usize {
    of.map_or(0, Message::encoded_len).saturating_add(schema_url.len())
}

/// How many records groups have, and how many bytes they are with what stands around each.
fn total<'r, R: Message + 'r>(groups: impl Iterator<Item = (usize, &'r [R])>) -> (usize, usize) {
    groups.fold((0, 0), |(count, bytes), (around, records)| {
        let own = records.iter().fold(0_usize, |sum, record| sum.saturating_add(record.encoded_len()));
        let around = records.len().saturating_mul(around);
        (count.saturating_add(records.len()), bytes.saturating_add(around).saturating_add(own))
    })
}

/// Why records were not kept.
enum NotKept {
    TooLarge,
    Unreadable,
    NoRoom,
}

impl Otlp {
    async fn keep<E: Export>(&self, export: E) -> Result<(), NotKept> {
        let (records, bytes) = export.size();
        if records > OTLP_RECORDS_MAX || bytes > OTLP_RECORDS_BYTES_MAX {
            add(&self.counts.unreadable);
            return Err(NotKept::TooLarge);
        }
        let received = Arc::clone(&self.received);
        let kept = tokio::task::spawn_blocking(move || {
            let lines = export.lines().map_err(|_| NotKept::Unreadable)?;
            let count = lines.len() as u64;
            // JSON may take several times as much; what never fits is not asked for again.
            if lines.iter().map(Vec::len).sum::<usize>() > RECEIVED_AT_ONCE_MAX {
                return Err(NotKept::TooLarge);
            }
            received.keep(&lines).map_err(|_| NotKept::NoRoom)?;
            Ok(count)
        });
        let count = kept.await.unwrap_or(Err(NotKept::NoRoom))?;
        self.counts.received.fetch_add(count, std::sync::atomic::Ordering::Relaxed);
        Ok(())
    }

    async fn export<E: Export>(&self, export: E) -> Result<Response<E::Answer>, Status> {
        self.keep(export).await.map_err(|not_kept| match not_kept {
            NotKept::TooLarge => Status::invalid_argument(TOO_LARGE),
            NotKept::Unreadable => Status::invalid_argument("the records cannot be read"),
            NotKept::NoRoom => Status::unavailable("the records cannot be kept now; send them again"),
        })?;
        Ok(Response::new(E::Answer::default()))
    }
}

#[tonic::async_trait]
impl TraceService for Otlp {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        Otlp::export(self, request.into_inner()).await
    }
}

#[tonic::async_trait]
impl LogsService for Otlp {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        Otlp::export(self, request.into_inner()).await
    }
}

/// Takes what is posted to `/v1/traces` or `/v1/logs`, decompressed.
pub(crate) async fn post<E: Export>(State(otlp): State<Otlp>, headers: HeaderMap, body: Bytes) -> HttpResponse {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_json = match kind.as_str() {
        "application/json" => true,
        "application/x-protobuf" => false,
        _ => {
            let expected = "expected the content type application/x-protobuf or application/json";
            return refused(&otlp, StatusCode::UNSUPPORTED_MEDIA_TYPE, expected);
        }
    };
    let export = if is_json { serde_json::from_slice(&body).ok() } else { E::decode(body).ok() };
    let Some(export) = export else {
        return refused(&otlp, StatusCode::BAD_REQUEST, "the body is no export request of OTLP");
    };
    match otlp.keep::<E>(export).await {
        Ok(()) if is_json => axum::Json(E::Answer::default()).into_response(),
        Ok(()) => {
            ([(header::CONTENT_TYPE, "application/x-protobuf")], E::Answer::default().encode_to_vec()).into_response()
        }
        Err(NotKept::TooLarge) => (StatusCode::PAYLOAD_TOO_LARGE, TOO_LARGE).into_response(),
        Err(NotKept::Unreadable) => refused(&otlp, StatusCode::BAD_REQUEST, "the records cannot be read"),
        Err(NotKept::NoRoom) => (
            StatusCode::SERVICE_UNAVAILABLE,
            [(header::RETRY_AFTER, "5")],
            "the records cannot be kept now; send them again",
        )
            .into_response(),
    }
}

fn refused(otlp: &Otlp, status: StatusCode, message: &str) -> HttpResponse {
    add(&otlp.counts.unreadable);
    (status, axum::Json(json!({"message": message}))).into_response()
}
