//! A worker: one thread that serves its share of the connections, with connections of its own to the servers.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use hyper::header::HeaderName;
use policy::price::{Price, Prices};
use policy::response::Rule;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::gate::Gate;
use crate::identity::Provider;
use crate::owners::Owners;
use crate::record::Tap;
use crate::recorder::Recording;
use crate::shield::Caps;
use crate::trust::Trust;
use crate::upstream::{Server, Upstreams, fits};

pub use crate::stats::Stats;

/// What all workers share.
#[derive(Debug)]
pub struct Shared {
    /// Who may what.
    pub gate: Arc<Gate>,
    /// Where exchanges are handed over.
    pub tap: Tap,
    /// How recording goes.
    pub recording: Arc<Recording>,
    /// What may be exchanged while it runs.
    pub settings: Arc<ArcSwap<Settings>>,
    /// Whose files and batches are; without it none are served.
    pub owners: Option<Owners>,
    /// What is counted.
    pub stats: Arc<Stats>,
    /// Tells the time.
    pub clock: Box<dyn Clock>,
}

/// What may be exchanged while requests go on: each request sees one of them from its beginning to its end.
#[derive(Debug, Default)]
pub struct Settings {
    /// Whether requests are turned away while exchanges cannot be recorded.
    pub needs_recording: bool,
    /// How many accounts one person may block without another's approval.
    pub block_alone_max: u32,
    /// What is done by itself when a campaign is strong enough.
    pub rules: Vec<Rule>,
    /// How old what is known of accounts may be, before requests are turned away; any age without it.
    pub stale_time_max: Option<Duration>,
    /// Whose word about a caller is taken.
    pub trust: Trust,
    /// Paths that are served besides those that are understood.
    pub listed: Vec<String>,
    /// How much is left of what is held back in part.
    pub caps: Caps,
    /// Models whose answers begin within reasoning, because their own prompt opens it: by name or by a beginning that ends in
    /// `*`.
    pub thinking: Vec<String>,
    /// Headers that are passed on besides those of the APIs.
    pub passed: Vec<HeaderName>,
    /// What tokens cost, for quotas of costs.
    pub prices: Option<Arc<Prices>>,
    /// Identity providers whose tokens hold.
    pub identities: Arc<Vec<Provider>>,
    /// The servers behind.
    pub servers: Arc<Vec<Server>>,
}

impl Settings {
    /// What the tokens of a model cost; of one without a price, what those of the dearest do, so that no name is a way around
    /// a budget.
    #[must_use]
    pub fn price(&self, model: &str, stats: &Stats) -> Option<Price> {
        let prices = self.prices.as_ref()?;
        prices.of(model).or_else(|| {
            Stats::add(&stats.unpriced);
            prices.at_most()
        })
    }

    /// Whether the answers of `model` are known to begin within reasoning.
    #[must_use]
    pub fn is_thinking(&self, model: &str) -> bool {
        self.thinking.iter().any(|known| fits(known, model))
    }
}

impl std::fmt::Debug for dyn Clock {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("a clock")
    }
}

/// One worker.
#[derive(Debug)]
pub struct Worker {
    /// What it shares with the others.
    pub shared: Arc<Shared>,
    /// Where it hands exchanges over.
    pub tap: Tap,
    /// Its connections to the servers.
    upstreams: RefCell<Rc<Upstreams>>,
    /// From when time is counted.
    started: Instant,
}

impl Worker {
    /// A worker without any connection. All workers count time from the same moment, `started`.
    #[must_use]
    pub fn new(shared: Arc<Shared>, started: Instant) -> Worker {
        let servers = Arc::clone(&shared.settings.load().servers);
        let tap = shared.tap.with_lane();
        Worker { shared, tap, upstreams: RefCell::new(Upstreams::new(servers, started)), started }
    }

    /// Its connections to the servers of `settings`. Those to servers of earlier ones are closed as soon as they are idle.
    #[must_use]
    pub fn upstreams(&self, settings: &Settings) -> Rc<Upstreams> {
        let mut upstreams = self.upstreams.borrow_mut();
        if !upstreams.is_to(&settings.servers) {
            *upstreams = Upstreams::new(Arc::clone(&settings.servers), self.started);
        }
        Rc::clone(&upstreams)
    }

    /// Lets go of connections to servers that nobody needs, and has servers asked how they are.
    pub fn tidy(&self) {
        let upstreams = self.upstreams(&self.shared.settings.load());
        upstreams.tidy();
        upstreams.check();
    }
}
