//! Envoy over gRPC: `ext_authz` asks whether a request may go on, `ext_proc` shows what went by.
//!
//! Promises that a request which is not permitted is answered as the gateway answers it, and that whatever cannot be read is refused. What is
//! shown is recorded, and nothing is ever changed or held up: where Envoy waits for a word it gets it at once.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use envoy_types::pb::envoy::config::core::v3::{HeaderMap as EnvoyHeaders, HeaderValue, HeaderValueOption, address};
use envoy_types::pb::envoy::service::auth::v3::attribute_context::HttpRequest;
use envoy_types::pb::envoy::service::auth::v3::authorization_server::Authorization;
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{
    AttributeContext, CheckRequest, CheckResponse, DeniedHttpResponse, OkHttpResponse,
};
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_server::ExternalProcessor;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Shown;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response as Word;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    BodyResponse, HeadersResponse, HttpBody, HttpHeaders, ProcessingRequest, ProcessingResponse, TrailersResponse,
};
use envoy_types::pb::envoy::r#type::v3::HttpStatus;
use envoy_types::pb::google::protobuf::value::Kind;
use envoy_types::pb::google::rpc::Status as RpcStatus;
use exchange::Time;
use gateway::encoding::decompressed;
use gateway::flight::{End, Flight};
use gateway::gate::exchange_id;
use gateway::limits::{BODY_BYTES_MAX, HEADERS_MAX, TEE_BYTES_MAX};
use gateway::refuse::Refusal;
use gateway::route::{Dialect, dialect};
use hyper::HeaderMap;
use hyper::header::CONTENT_ENCODING;
use hyper::http::request::Parts;
use tokio::sync::OwnedSemaphorePermit;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Response, Status, Streaming};

use crate::counts::add;
use crate::desk::{Desk, Known, forwarded};

/// What it is called in the record.
const SENSOR: &str = "envoy";
/// What Envoy sets where it passes on the beginning of a body only.
const PARTIAL: &str = "x-envoy-auth-partial-body";
/// From here on statuses are those of answers; lower ones announce that one is to come.
const ANSWER_STATUS_MIN: u16 = 200;
/// Words that wait until Envoy takes them.
const WORDS_MAX: usize = 8;

/// Both services.
#[derive(Clone, Debug)]
pub(crate) struct Envoy(pub(crate) Arc<Desk>);

#[tonic::async_trait]
impl Authorization for Envoy {
    async fn check(&self, request: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        let attributes = request.into_inner().attributes.unwrap_or_default();
        let http = attributes.request.as_ref().and_then(|request| request.http.clone()).unwrap_or_default();
        let versioned = http.headers.contains_key("anthropic-version");
        let dialect = dialect(path_of(&http.path), versioned);
        Ok(Response::new(match self.check_http(&attributes, http).await {
            Ok(()) => permitted(),
            Err(refusal) => denied(&refusal, dialect),
        }))
    }
}

impl Envoy {
    async fn check_http(&self, attributes: &AttributeContext, http: HttpRequest) -> Result<(), Refusal> {
        self.0.open()?;
        let named = http.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let of_map =
            http.header_map.iter().flat_map(|map| &map.headers).map(|header| (header.key.as_str(), text(header)));
        let head = head(&http.method, &http.path, named.chain(of_map))?;
        if head.headers.get(PARTIAL).is_some_and(|value| value.as_bytes() == b"true") {
            return Err(Refusal::TooLarge);
        }
        let known = self.0.known(head, source(attributes), SENSOR)?;
        let body = if http.raw_body.is_empty() { Bytes::from(http.body) } else { Bytes::from(http.raw_body) };
        // Envoy may be told to show no body.
        let body = if body.is_empty() { body } else { decompressed(&known.head.headers, body).await? };
        let (_, flight) = self.0.admit(exchange_id()?, &known, &body)?;
        // What comes back is not told here; what was asked is charged, and the exchange is what `ext_proc` shows.
        flight.settle_unseen();
        Ok(())
    }
}

fn permitted() -> CheckResponse {
    CheckResponse {
        status: Some(RpcStatus { code: Code::Ok as i32, ..RpcStatus::default() }),
        http_response: Some(HttpResponse::OkResponse(OkHttpResponse::default())),
        ..CheckResponse::default()
    }
}

fn denied(refusal: &Refusal, dialect: Dialect) -> CheckResponse {
    let (status, headers, body) = refusal.reply(dialect);
    let headers = headers.iter().map(|(name, value)| HeaderValueOption {
        header: Some(HeaderValue {
            key: name.to_string(),
            value: String::from_utf8_lossy(value.as_bytes()).into_owned(),
            ..HeaderValue::default()
        }),
        ..HeaderValueOption::default()
    });
    CheckResponse {
        status: Some(RpcStatus { code: Code::PermissionDenied as i32, ..RpcStatus::default() }),
        http_response: Some(HttpResponse::DeniedResponse(DeniedHttpResponse {
            status: Some(HttpStatus { code: i32::from(status.as_u16()) }),
            headers: headers.collect(),
            body: String::from_utf8_lossy(&body).into_owned(),
        })),
        ..CheckResponse::default()
    }
}

/// Who connected to Envoy.
fn source(attributes: &AttributeContext) -> Option<IpAddr> {
    match attributes.source.as_ref()?.address.as_ref()?.address.as_ref()? {
        address::Address::SocketAddress(socket) => socket.address.parse().ok(),
        _ => None,
    }
}

fn text(header: &HeaderValue) -> &[u8] {
    if header.raw_value.is_empty() { header.value.as_bytes() } else { &header.raw_value }
}

fn path_of(path: &str) -> &str {
    path.split_once('?').map_or(path, |(path, _)| path)
}

/// The head of a request, as Envoy tells it.
fn head<'h>(method: &str, path: &str, headers: impl Iterator<Item = (&'h str, &'h [u8])>) -> Result<Parts, Refusal> {
    let bad = || Refusal::Bad("The head of the request cannot be read.".to_owned());
    let mut request = hyper::Request::builder().method(method).uri(path);
    for (count, (name, value)) in headers.filter(|(name, _)| !name.starts_with(':')).enumerate() {
        if count >= HEADERS_MAX {
            return Err(bad());
        }
        request = request.header(name, value);
    }
    request.body(()).map(|request| request.into_parts().0).map_err(|_| bad())
}

#[tonic::async_trait]
impl ExternalProcessor for Envoy {
    type ProcessStream = Pin<Box<dyn tokio_stream::Stream<Item = Result<ProcessingResponse, Status>> + Send>>;

    async fn process(
        &self,
        request: Request<Streaming<ProcessingRequest>>,
    ) -> Result<Response<Self::ProcessStream>, Status> {
        let (words, taken) = tokio::sync::mpsc::channel(WORDS_MAX);
        let desk = Arc::clone(&self.0);
        let mut shown = request.into_inner();
        tokio::spawn(async move {
            let mut view = View::new(desk);
            while let Some(Ok(part)) = shown.next().await {
                let is_awaited = !part.observability_mode;
                let word = view.see(part).await;
                if let (true, Some(word)) = (is_awaited, word) {
                    let word = ProcessingResponse { response: Some(word), ..ProcessingResponse::default() };
                    if words.send(Ok(word)).await.is_err() {
                        break;
                    }
                }
                // Where it observes only, Envoy keeps the stream for seconds unless it is ended here, and has a limit of streams.
                if view.is_whole {
                    break;
                }
            }
            view.end().await;
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(taken))))
    }
}

/// One exchange as it goes by.
struct View {
    desk: Arc<Desk>,
    begun: Option<(Known, Time)>,
    body: BytesMut,
    /// What it takes of the room for all of them.
    room: Option<OwnedSemaphorePermit>,
    /// Whether there was no room once: nothing more is kept, so that there is no hole.
    is_crowded: bool,
    /// Whether the body is longer than one that is recorded, or there was no room for it.
    is_too_long: bool,
    flight: Option<Flight>,
    /// The answer so far, and what says how it is compressed, where it is.
    packed: Option<(HeaderMap, BytesMut)>,
    is_whole: bool,
}

impl View {
    fn new(desk: Arc<Desk>) -> View {
        View {
            desk,
            begun: None,
            body: BytesMut::new(),
            room: None,
            is_crowded: false,
            is_too_long: false,
            flight: None,
            packed: None,
            is_whole: false,
        }
    }

    /// Takes the next part; the word with which it goes on.
    async fn see(&mut self, part: ProcessingRequest) -> Option<Word> {
        let attributes = part.attributes;
        match part.request? {
            Shown::RequestHeaders(headers) => {
                let peer = attributes.values().find_map(|fields| {
                    match fields.fields.get("source.address")?.kind.as_ref()? {
                        Kind::StringValue(address) => address_of(address),
                        _ => None,
                    }
                });
                self.begin(&headers, peer);
                Some(Word::RequestHeaders(HeadersResponse::default()))
            }
            Shown::RequestBody(body) => {
                self.take(&body);
                Some(Word::RequestBody(BodyResponse::default()))
            }
            Shown::ResponseHeaders(headers) => {
                if status(&headers) >= ANSWER_STATUS_MIN {
                    self.answered(&headers).await;
                }
                Some(Word::ResponseHeaders(HeadersResponse::default()))
            }
            Shown::ResponseBody(body) => {
                // What there is no room for is cut off, as what is too long is.
                if self.flight.is_some() && self.has_room(body.body.len()) {
                    match (&mut self.packed, &mut self.flight) {
                        (Some((_, packed)), _) if packed.len() + body.body.len() <= TEE_BYTES_MAX => {
                            packed.extend_from_slice(&body.body);
                        }
                        (None, Some(flight)) => flight.saw(&Bytes::from(body.body)),
                        _ => {}
                    }
                }
                self.is_whole |= body.end_of_stream;
                Some(Word::ResponseBody(BodyResponse::default()))
            }
            Shown::RequestTrailers(_) => Some(Word::RequestTrailers(TrailersResponse::default())),
            Shown::ResponseTrailers(_) => {
                self.is_whole = true;
                Some(Word::ResponseTrailers(TrailersResponse::default()))
            }
        }
    }

    fn begin(&mut self, headers: &HttpHeaders, peer: Option<IpAddr>) {
        let headers = headers.headers.iter().flat_map(|map| &map.headers);
        let pairs = || headers.clone().map(|header| (header.key.as_str(), text(header)));
        let pseudo = |wanted: &str| {
            let value = pairs().find(|(name, _)| *name == wanted).map(|(_, value)| value);
            value.and_then(|value| std::str::from_utf8(value).ok()).unwrap_or_default()
        };
        let Ok(head) = head(pseudo(":method"), pseudo(":path"), pairs()) else {
            add(&self.desk.counts().unreadable);
            return;
        };
        let peer = peer.or_else(|| forwarded(&head.headers));
        // Of what is no call, or of nobody that is known, nothing is recorded.
        let known = self.desk.known(head, peer, SENSOR).ok();
        self.begun = known.filter(|known| known.route.call.is_generated()).map(|known| (known, self.desk.now()));
    }

    fn take(&mut self, part: &HttpBody) {
        if self.begun.is_none() || self.is_too_long {
            return;
        }
        self.is_too_long =
            self.body.len().saturating_add(part.body.len()) > BODY_BYTES_MAX || !self.has_room(part.body.len());
        if !self.is_too_long {
            self.body.extend_from_slice(&part.body);
        }
    }

    /// Whether so many bytes more can be held.
    fn has_room(&mut self, bytes: usize) -> bool {
        if self.is_crowded {
            return false;
        }
        match (&mut self.room, self.desk.room(bytes)) {
            (_, None) => {
                self.is_crowded = true;
                add(&self.desk.counts().crowded);
            }
            (Some(room), Some(more)) => room.merge(more),
            (room, more) => *room = more,
        }
        !self.is_crowded
    }

    async fn answered(&mut self, headers: &HttpHeaders) {
        let Some((known, time)) = self.begun.take() else { return };
        let body = std::mem::take(&mut self.body).freeze();
        let body = decompressed(&known.head.headers, body).await.unwrap_or_default();
        let Ok(id) = exchange_id() else { return };
        let is_object =
            serde_json::from_slice::<&serde_json::value::RawValue>(&body).is_ok_and(|it| it.get().starts_with('{'));
        if self.is_too_long || !is_object {
            add(&self.desk.counts().unreadable);
            return;
        }
        let mut flight = self.desk.watch(id, &known, body, time);
        let is_stream = value(headers, "content-type").is_some_and(|kind| kind.starts_with(b"text/event-stream"));
        flight.answered(status(headers), is_stream);
        self.packed = value(headers, "content-encoding").and_then(|encoding| {
            let encoding = hyper::header::HeaderValue::from_bytes(encoding).ok()?;
            Some((HeaderMap::from_iter([(CONTENT_ENCODING, encoding)]), BytesMut::new()))
        });
        self.flight = Some(flight);
        self.is_whole = headers.end_of_stream;
    }

    async fn end(self) {
        if let Some(mut flight) = self.flight {
            if let Some((headers, packed)) = self.packed {
                // Of what is cut off, or compressed in a way that is not known, nothing is recorded.
                flight.saw(&decompressed(&headers, packed.freeze()).await.unwrap_or_default());
            }
            flight.land(if self.is_whole { End::Whole } else { End::Left });
        }
    }
}

/// The status of an answer; one that cannot be read is taken for an error of the server's.
fn status(headers: &HttpHeaders) -> u16 {
    let told = value(headers, ":status").and_then(|status| std::str::from_utf8(status).ok()?.parse().ok());
    told.unwrap_or(502)
}

fn value<'h>(headers: &'h HttpHeaders, wanted: &str) -> Option<&'h [u8]> {
    let mut all = headers.headers.iter().flat_map(|map: &EnvoyHeaders| &map.headers);
    all.find(|header| header.key.eq_ignore_ascii_case(wanted)).map(text)
}

/// An address with its port.
fn address_of(text: &str) -> Option<IpAddr> {
    text.parse::<std::net::SocketAddr>().map(|address| address.ip()).or_else(|_| text.parse()).ok()
}
