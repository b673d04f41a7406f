//! The desk: who an account is that a sensor tells of, and whether its call may go on.
//!
//! Promises that policies, responses and quotas hold for calls by way of a sensor as they do for those through the gateway. What cannot be
//! held back by a sensor, since it takes nothing out of a request, is refused where it is asked for ([`ASKED_FOR`]).

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use exchange::{Assurance, Time};
use gateway::admission::{self, Asking, Telling};
use gateway::ask::Ask;
use gateway::flight::Flight;
use gateway::gate::{Head, Pass};
use gateway::record::{Seen, Tap};
use gateway::refuse::Refusal;
use gateway::route::{Call, Route};
use gateway::trust::{Caller, Peer};
use gateway::worker::{Shared, Stats};
use hyper::HeaderMap;
use hyper::header::HeaderName;
use hyper::http::request::Parts;
use policy::account::{Account, Programme, Status, Tier};
use policy::who::Who;
use policy::{AccountId, Action, Actions};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::counts::{Counts, add};
use crate::limits::SHOWN_BYTES_MAX;
use crate::newcomers::Newcomers;

/// What is asked for by a field of a request, and not left out by a sensor.
const ASKED_FOR: [Action; 3] = [Action::Logprobs, Action::Alternatives, Action::Sampling];

/// Whose account a call is.
#[derive(Clone, Debug)]
pub struct Naming {
    /// The header in which Envoy names the account; without one callers show keys of ours.
    pub header: Option<HeaderName>,
    /// The field of `request_data` in which LiteLLM names it.
    pub litellm: String,
    /// What an account is taken to have bought that is not known.
    pub tier: Tier,
}

/// Lets calls go on, or not.
#[derive(Debug)]
pub(crate) struct Desk {
    shared: Arc<Shared>,
    tap: Tap,
    /// What is counted of exchanges, apart from the gateway's own.
    stats: Arc<Stats>,
    naming: Naming,
    newcomers: Arc<Newcomers>,
    counts: Arc<Counts>,
    /// A permit for each byte of exchanges that Envoy shows and that have not ended.
    room: Arc<Semaphore>,
}

/// A call to a model, with what is known of it before it goes on.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) who: Who,
    pub(crate) caller: Option<Caller>,
    pub(crate) head: Parts,
    pub(crate) route: Route,
}

impl Desk {
    pub(crate) fn new(shared: Arc<Shared>, naming: Naming, newcomers: Arc<Newcomers>, counts: Arc<Counts>) -> Desk {
        let tap = shared.tap.with_lane();
        let room = Arc::new(Semaphore::new(SHOWN_BYTES_MAX));
        Desk { shared, tap, stats: Arc::default(), naming, newcomers, counts, room }
    }

    pub(crate) fn naming(&self) -> &Naming {
        &self.naming
    }

    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Room for so many bytes more of what Envoy shows, if there is any.
    pub(crate) fn room(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.room).try_acquire_many_owned(u32::try_from(bytes).ok()?).ok()
    }

    pub(crate) fn now(&self) -> Time {
        self.shared.clock.now()
    }

    /// Whether anybody can be let go on now.
    pub(crate) fn open(&self) -> Result<(), Refusal> {
        admission::open(&self.shared, &self.shared.settings.load(), true)
    }

    /// Has an account made that is not known, where its name is one that accounts have here.
    pub(crate) fn meet(&self, name: &str) -> Option<AccountId> {
        let id = name.parse::<AccountId>().ok()?;
        if !self.shared.gate.knows(&id) {
            self.newcomers.add(&id);
        }
        Some(id)
    }

    /// Who an account is, by the word of a sensor.
    pub(crate) fn named(&self, name: &str, sensor: &str) -> Result<Who, Refusal> {
        let id = self.meet(name).ok_or_else(|| self.nobody())?;
        self.shared.gate.told(&id, sensor, || newcomer(id.clone(), self.naming.tier, self.now()))
    }

    /// What is known of a call that Envoy tells of, which came to it from `peer`.
    pub(crate) fn known(&self, head: Parts, peer: Option<IpAddr>, sensor: &str) -> Result<Known, Refusal> {
        let settings = self.shared.settings.load();
        let route = gateway::route::route(&head.method, head.uri.path(), &settings.listed)?;
        // Whose a stored thing is, and what is in it, is known to the gateway only.
        if matches!(route.call, Call::Stored(..)) {
            return Err(Refusal::Forbidden);
        }
        let caller = peer.map(|peer| settings.trust.caller(peer, &head.headers));
        let who = match &self.naming.header {
            Some(header) => {
                let mut names = head.headers.get_all(header).iter();
                match (names.next().and_then(|name| name.to_str().ok()), names.next()) {
                    (Some(name), None) => self.named(name, sensor)?,
                    // Nobody is named, or two are.
                    _ => return Err(self.nobody()),
                }
            }
            None => self.by_key(&head, caller.as_ref())?,
        };
        Ok(Known { who, caller, head, route })
    }

    /// Where a call came from, of which somebody who is believed saw `peer`.
    pub(crate) fn caller(&self, peer: IpAddr, headers: &HeaderMap) -> Caller {
        self.shared.settings.load().trust.caller(peer, headers)
    }

    fn by_key(&self, head: &Parts, caller: Option<&Caller>) -> Result<Who, Refusal> {
        let nowhere = Caller { address: IpAddr::from([0, 0, 0, 0]), ja4: None, asn: None, country: None };
        let caller = caller.unwrap_or(&nowhere);
        let peer = Peer { address: caller.address, certificate: None, tls: false };
        let who = self.shared.gate.identify(&Head { parts: head, peer: &peer, caller }, self.now());
        who.map_err(|refusal| if refusal == Refusal::Unauthenticated { self.nobody() } else { refusal })
    }

    /// That nobody could tell who calls.
    fn nobody(&self) -> Refusal {
        add(&self.counts.nobody);
        Refusal::Unauthenticated
    }

    /// Lets a call go on. Its flight is to be landed.
    pub(crate) fn admit(&self, id: String, known: &Known, body: &Bytes) -> Result<(Pass, Flight), Refusal> {
        let settings = self.shared.settings.load();
        let call = known.route.call;
        // Without a body nothing is known but that it is a call.
        let is_read = call.is_asked() && !body.is_empty();
        let mut ask = if is_read {
            Ask::read(call, body).map_err(|bad| Refusal::Bad(bad.to_string()))?
        } else {
            Ask { wanted: Actions::NONE.with(call.action()), ..Ask::default() }
        };
        ask.strict = ASKED_FOR.into_iter().collect();
        let asking = Asking {
            id,
            who: &known.who,
            caller: known.caller.clone(),
            headers: &known.head.headers,
            path: &known.route.path,
            call: known.route.call,
            ask: &ask,
            body,
            dialect: gateway::route::dialect(&known.route.path, known.head.headers.contains_key("anthropic-version")),
            now: self.now(),
        };
        let telling = Telling { tap: &self.tap, stats: &self.stats };
        let admitted = admission::admit(asking, &self.shared, &settings, telling);
        add(if admitted.is_ok() { &self.counts.permitted } else { &self.counts.refused });
        admitted
    }

    /// An exchange that is only looked at.
    pub(crate) fn watch(&self, id: String, known: &Known, body: Bytes, time: Time) -> Flight {
        let Known { who, caller, head, route } = known;
        let seen = Seen::begun(id, who, caller.clone(), &head.headers, &route.path, body, time);
        add(&self.counts.recorded);
        Flight::new(Some(Box::new(seen)), None, self.tap.clone(), Arc::clone(&self.stats))
    }

    /// Puts what is one line of the record already on record; says whether there was room.
    pub(crate) fn record(&self, line: &[u8]) -> bool {
        self.tap.offer_line(line)
    }

    /// Whether what was handed over cannot be put on record now.
    pub(crate) fn is_failing(&self) -> bool {
        self.shared.recording.is_failing()
    }
}

/// A call to chat, as one that no HTTP request is known of.
pub(crate) fn chat() -> Option<(Parts, Route)> {
    let path = "/v1/chat/completions";
    let (head, ()) = hyper::Request::post(path).body(()).ok()?.into_parts();
    Some((head, Route { call: Call::Chat, path: path.to_owned() }))
}

/// An account of which nothing is known but that a sensor tells of it.
#[must_use]
pub fn newcomer(id: AccountId, tier: Tier, now: Time) -> Account {
    Account {
        id,
        name: String::new(),
        organisation: None,
        tier,
        assurance: Assurance::None,
        programme: Programme::None,
        payment: None,
        region: None,
        status: Status::Active,
        created: now,
        cleared: None,
        discovered: true,
    }
}

/// Who connected to a sensor, by what stands last in the list of those who forwarded the request: the sensor adds it.
pub(crate) fn forwarded(headers: &HeaderMap) -> Option<IpAddr> {
    headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
}
