//! A reply on its way to the caller: passed on as it comes, with a reference kept of what is handed over.
//!
//! Promises the same bytes in the same pieces when nothing is held back. However it ends (its end, a server that dies,
//! a caller that leaves), it lands exactly once: the connection is given back or closed, and the exchange handed over.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};

use crate::flight::{End, Flight};
use crate::shield::Events;
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
    Unreadable(#[from] crate::shield::Unreadable),
}

/// A reply that is passed on as it comes.
#[derive(Debug)]
pub struct Relay {
    body: Incoming,
    lease: Option<Lease>,
    flight: Option<Flight>,
    filter: Option<Events>,
    /// Wakes when the server has paused for too long.
    pause: Pin<Box<Sleep>>,
    /// Whether the pause was heeded since the last piece.
    waiting: bool,
    /// Why it broke off, until what came before is on its way.
    broken: Option<Broken>,
}

impl Relay {
    /// Passes `body` on; `filter` is there when something is to be held back.
    #[must_use]
    pub fn new(body: Incoming, lease: Lease, flight: Flight, filter: Option<Events>) -> Relay {
        let pause = Box::pin(tokio::time::sleep(lease.pause_time_max()));
        let mut relay =
            Relay { body, lease: Some(lease), flight: Some(flight), filter, pause, waiting: false, broken: None };
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

    /// Waits for a piece, at most as long as a pause may take.
    fn piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(frame) => {
                self.waiting = false;
                Poll::Ready(frame.map(|frame| frame.map_err(Broken::Server)))
            }
            Poll::Pending => {
                if !self.waiting {
                    self.waiting = true;
                    let most = self.lease.as_ref().map(Lease::pause_time_max).unwrap_or_default();
                    self.pause.as_mut().reset(Instant::now() + most);
                }
                ready!(self.pause.as_mut().poll(context));
                Poll::Ready(Some(Err(Broken::Stalled)))
            }
        }
    }

    fn next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        loop {
            if self.lease.is_none() {
                return Poll::Ready(None);
            }
            let Some(frame) = ready!(self.piece(context)) else {
                let rest = self.filter.as_mut().map(Events::end).transpose()?;
                self.end(End::Whole);
                return Poll::Ready(rest.filter(|rest| !rest.is_empty()).map(|rest| Ok(Frame::data(rest))));
            };
            // Trailers of a reply carry nothing that a caller of these APIs reads.
            let Ok(data) = frame?.into_data() else { continue };
            if let Some(flight) = &mut self.flight {
                flight.saw(&data);
            }
            let mut data = match &mut self.filter {
                None => data,
                Some(filter) => filter.push(&data)?,
            };
            if self.body.is_end_stream() {
                if let Some(filter) = &mut self.filter {
                    let rest = filter.end()?;
                    data = [data, rest].concat().into();
                }
                self.end(End::Whole);
            }
            if !data.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
        }
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
                if let Some(broken) = relay.broken.take() {
                    return Poll::Ready(Some(Err(broken)));
                }
                match ready!(relay.next(context)) {
                    Some(Err(broken)) => {
                        relay.end(End::Broken);
                        // At an error the connection is cut at once; what came before is to be written first.
                        relay.broken = Some(broken);
                        context.waker().wake_by_ref();
                        Poll::Pending
                    }
                    next => Poll::Ready(next),
                }
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
