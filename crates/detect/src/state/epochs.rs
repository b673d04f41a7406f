//! Which epoch it is, and what of a sweep is done.

use std::collections::{BTreeSet, VecDeque};

use event::Hash;
use exchange::Time;
use serde::{Deserialize, Serialize};

use crate::limits::{EPOCH_DAYS, FORGOTTEN_DAYS};
use crate::state::account::AccountNo;

/// Which epoch it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Epochs {
    /// When the next one begins; none before the first exchange.
    next: Option<Time>,
    /// Exchanges that came at that time or later,
    beyond: u32,
    /// and the earliest of these.
    earliest: Option<Time>,
    /// The exchanges that there were at the last turns, as many as it takes to forget.
    turns: VecDeque<u64>,
    /// With fewer exchanges it is not tried again to make room.
    crowded_until: u64,
}

impl Epochs {
    /// Counts an exchange. One alone turns no epoch: its clock may be wrong.
    pub(crate) fn count(&mut self, time: Time) {
        let next = *self.next.get_or_insert_with(|| days_later(time, EPOCH_DAYS));
        if time >= next {
            self.beyond = self.beyond.saturating_add(1);
            self.earliest = Some(self.earliest.map_or(time, |earliest| earliest.min(time)));
        }
    }

    /// When the epoch turned that was not swept yet.
    pub(crate) fn turn(&mut self, exchanges: u64) -> Option<Time> {
        let now = self.earliest.filter(|_| self.beyond >= TURN_AFTER)?;
        self.turns.push_back(exchanges);
        while self.turns.len() > FORGOTTEN_TURNS {
            self.turns.pop_front();
        }
        (self.next, self.beyond, self.earliest) = (Some(days_later(now, EPOCH_DAYS)), 0, None);
        Some(now)
    }

    /// When this one began; a single wrong clock does not move it.
    pub(crate) fn began(&self) -> Option<Time> {
        self.next.map(|next| days_later(next, -EPOCH_DAYS))
    }

    /// Whether it may be tried to make room, when there are so many exchanges.
    #[must_use]
    pub(crate) fn may_make_room(&self, exchanges: u64) -> bool {
        exchanges >= self.crowded_until
    }

    /// Says that no room could be made, and that it is not to be tried again before there are so many exchanges.
    pub(crate) fn is_crowded(&mut self, until: u64) {
        self.crowded_until = until;
    }

    /// How many exchanges ago those came that are forgotten; none before there are any.
    #[must_use]
    pub(crate) fn forgotten_for(&self, exchanges: u64) -> Option<u64> {
        let before = self.turns.front().filter(|_| self.turns.len() == FORGOTTEN_TURNS)?;
        Some(exchanges.saturating_sub(*before))
    }
}

/// A sweep under way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sweep {
    /// What was last seen before is idle: that is forgotten, and trials that began before begin anew.
    pub idle_before: Time,
    /// Accounts last seen before are forgotten, which is later where room is made,
    pub accounts_before: Time,
    /// and so are clusters.
    pub clusters_before: Time,
    /// What it goes over now,
    pub phase: Phase,
    /// and where it goes on.
    pub next: usize,
    /// What it forgot.
    pub gone: Gone,
}

/// What a sweep goes over, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Phase {
    /// Clusters that are idle,
    Clusters,
    /// accounts that are,
    Accounts,
    /// What the clusters that are left have of accounts that are gone.
    Members,
    /// The table of shingles.
    Shingles,
    /// Nothing any more.
    Over,
}

/// What a sweep forgot: the numbers that will be given out again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Gone {
    /// Accounts,
    pub accounts: BTreeSet<AccountNo>,
    /// with who paid for them.
    pub payers: BTreeSet<Hash>,
    /// Clusters.
    pub clusters: BTreeSet<u32>,
}

impl Sweep {
    /// One that begins now.
    #[must_use]
    pub(crate) fn begin(now: Time) -> Sweep {
        let before = days_later(now, -FORGOTTEN_DAYS);
        Sweep {
            idle_before: before,
            accounts_before: before,
            clusters_before: before,
            phase: Phase::Clusters,
            next: 0,
            gone: Gone::default(),
        }
    }

    /// Whether it makes room, and forgets more than what is idle.
    #[must_use]
    pub(crate) fn makes_room(&self) -> bool {
        self.accounts_before != self.idle_before || self.clusters_before != self.idle_before
    }
}

impl Phase {
    /// The phase after this one.
    #[must_use]
    pub(crate) fn after(self) -> Phase {
        match self {
            Phase::Clusters => Phase::Accounts,
            Phase::Accounts => Phase::Members,
            Phase::Members => Phase::Shingles,
            Phase::Shingles | Phase::Over => Phase::Over,
        }
    }
}

/// The time so many days later.
#[must_use]
pub(crate) fn days_later(time: Time, days: i64) -> Time {
    Time::from_seconds(time.seconds().saturating_add(days * DAY))
}

/// Seconds of a day.
const DAY: i64 = 86_400;
/// Exchanges of an epoch before it begins.
pub(crate) const TURN_AFTER: u32 = 100;
/// Turns of epochs since what is forgotten was last seen.
const FORGOTTEN_TURNS: usize = (FORGOTTEN_DAYS / EPOCH_DAYS) as usize + 1;
