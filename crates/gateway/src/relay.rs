//! A reply on its way to the caller: passed on as it comes, with a reference kept of what is handed over.
//!
//! Promises the same bytes when nothing is held back, as soon as they are there; what is there already goes on together.
//! However it ends (its end, a server that dies,
//! a caller that leaves), it lands exactly once: the connection is given back or closed, and the exchange handed over.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};

use crate::flight::Flight;
use crate::limits::RELAYED_AT_ONCE;
use crate::shield::{Filter, Unreadable};
use crate::stats::End;
use crate::upstream::Lease;

/// The body of a reply.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly every reply is a relay")]
pub enum Outward {
    /// One that we wrote or filtered.
    Whole(Option<Bytes>),
    /// One that comes from a server.
    Relay(Relay),
}

/// Why a relay ended before its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Broken {
    /// The server's connection broke.
    #[error("the server's reply broke off")]
    Server(#[source] hyper::Error),
    /// The server paused for too long.
    #[error("the server's reply stalled")]
    Stalled,
    /// What came cannot be filtered.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

/// A reply that is passed on as it comes.
#[derive(Debug)]
pub struct Relay {
    body: Incoming,
    lease: Option<Lease>,
    flight: Option<Flight>,
    filter: Option<Filter>,
    /// Wakes when the server has paused for too long; made at the first pause.
    pause: Option<Pin<Box<Sleep>>>,
    /// Whether the pause was heeded since the last piece.
    waiting: bool,
    /// Why it broke off, until that is told.
    broken: Option<Broken>,
    /// Whether what came before it broke off was written.
    written: bool,
}

impl Relay {
    /// Passes `body` on; `filter` is there when something is to be held back.
    #[must_use]
    pub fn new(body: Incoming, lease: Lease, flight: Flight, filter: Option<Filter>) -> Relay {
        let mut relay = Relay {
            body,
            lease: Some(lease),
            flight: Some(flight),
            filter,
            pause: None,
            waiting: false,
            broken: None,
            written: false,
        };
        if relay.body.is_end_stream() {
            relay.end(End::Whole);
        }
        relay
    }

    fn end(&mut self, end: End) {
        if let Some(lease) = self.lease.take() {
            match end {
                End::Whole => lease.give_back(),
                End::Broken => lease.broke(),
                End::Left => {}
            }
        }
        if let Some(flight) = self.flight.take() {
            flight.land(end);
        }
    }

    /// What has come, if anything has.
    fn arrived(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let mut arrived = Pin::new(&mut self.body).poll_frame(context);
        if arrived.is_pending()
            && let Some(lease) = &mut self.lease
        {
            lease.poll(context);
            arrived = Pin::new(&mut self.body).poll_frame(context);
        }
        arrived.map(|frame| frame.map(|frame| frame.map_err(Broken::Server)))
    }

    /// Whether the server has paused for too long by now.
    fn is_stalled(&mut self, context: &mut Context<'_>) -> bool {
        let most = self.lease.as_ref().map(Lease::pause_time_max).unwrap_or_default();
        let pause = self.pause.get_or_insert_with(|| Box::pin(tokio::time::sleep(most)));
        if !std::mem::replace(&mut self.waiting, true) {
            pause.as_mut().reset(Instant::now() + most);
        }
        pause.as_mut().poll(context).is_ready()
    }

    /// The next piece to pass on: all that is there already, up to [`RELAYED_AT_ONCE`] bytes, since each piece is written
    /// for itself.
    fn next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let mut ready = Joined::default();
        while self.lease.is_some() && ready.len() < RELAYED_AT_ONCE {
            let frame = match self.arrived(context) {
                Poll::Ready(frame) => frame,
                Poll::Pending if !ready.is_empty() => break,
                Poll::Pending if self.is_stalled(context) => Some(Err(Broken::Stalled)),
                Poll::Pending => return Poll::Pending,
            };
            self.waiting = false;
            match self.passed(frame) {
                Ok(data) => ready.push(data),
                Err(broken) => {
                    self.end(End::Broken);
                    self.broken = Some(broken);
                }
            }
        }
        Poll::Ready(ready.whole().map(|data| Ok(Frame::data(data))))
    }

    /// What is passed on of a frame, or of the end.
    fn passed(&mut self, frame: Option<Result<Frame<Bytes>, Broken>>) -> Result<Bytes, Broken> {
        let Some(frame) = frame else {
            let rest = self.filter.as_mut().map(Filter::end).transpose()?;
            self.end(End::Whole);
            return Ok(rest.unwrap_or_default());
        };
        // Trailers of a reply carry nothing that a caller of these APIs reads.
        let Ok(data) = frame?.into_data() else { return Ok(Bytes::new()) };
        if let Some(flight) = &mut self.flight {
            flight.saw(&data);
        }
        let mut data = match &mut self.filter {
            None => data,
            Some(filter) => filter.push(&data)?,
        };
        if self.body.is_end_stream() {
            if let Some(filter) = &mut self.filter {
                data = [data, filter.end()?].concat().into();
            }
            self.end(End::Whole);
        }
        Ok(data)
    }
}

/// Pieces as one; a single one is not copied.
#[derive(Default)]
struct Joined {
    first: Bytes,
    all: BytesMut,
}

impl Joined {
    fn push(&mut self, data: Bytes) {
        if self.is_empty() {
            self.first = data;
        } else {
            if self.all.is_empty() {
                self.all.extend_from_slice(&self.first);
            }
            self.all.extend_from_slice(&data);
        }
    }

    fn len(&self) -> usize {
        self.first.len().max(self.all.len())
    }

    fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    fn whole(self) -> Option<Bytes> {
        let whole = if self.all.is_empty() { self.first } else { self.all.freeze() };
        Some(whole).filter(|whole| !whole.is_empty())
    }
}

impl Drop for Relay {
    /// The caller left before the end: the connection is closed, so the server stops its work.
    fn drop(&mut self) {
        self.end(End::Left);
    }
}

impl Body for Outward {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match self.get_mut() {
            Outward::Whole(body) => {
                Poll::Ready(body.take().filter(|body| !body.is_empty()).map(|body| Ok(Frame::data(body))))
            }
            Outward::Relay(relay) => {
                if relay.broken.is_none() {
                    let next = relay.next(context);
                    if !matches!(next, Poll::Ready(None)) {
                        return next;
                    }
                }
                // At an error the connection is cut at once; what came before is to be written first.
                if relay.broken.is_some() && !std::mem::replace(&mut relay.written, true) {
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Ready(relay.broken.take().map(Err))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Outward::Whole(body) => body.as_ref().is_none_or(Bytes::is_empty),
            Outward::Relay(relay) => relay.lease.is_none() && relay.broken.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Outward::Whole(body) => SizeHint::with_exact(body.as_ref().map_or(0, |body| body.len() as u64)),
            Outward::Relay(relay) if relay.filter.is_some() => SizeHint::default(),
            Outward::Relay(relay) => relay.body.size_hint(),
        }
    }
}
