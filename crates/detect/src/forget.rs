//! A long life: what has not been seen for long is forgotten, so that a year takes no more room than a season.
//!
//! The time of the traffic is divided into epochs of [`crate::limits::EPOCH_DAYS`]. At the turn of each one a sweep goes over everything in slices and
//! forgets accounts and clusters that nobody used for [`FORGOTTEN_DAYS`], whatever was found of them; what the provider said of such an
//! account waits for it to come back. A trial that is as old and detected nothing begins anew, since habits change. What is known of all traffic together
//! fades by half. Numbers are given out again when the sweep is over and nothing refers to them.

use exchange::Time;
use findings::Discovery;

use crate::limits::{CLUSTERS_MAX, FORGOTTEN_DAYS};
use crate::state::State;
use crate::state::account::AccountNo;
use crate::state::cluster::{Cluster, Key};
use crate::state::epochs::{Gone, Phase, Sweep, days_later};
use crate::state::shingle::Owner;
use crate::state::trial::Trial;

/// How a step of a sweep ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// There is nothing to sweep.
    Idle,
    /// There is more to do.
    More,
    /// It is over: whoever else remembers these numbers is to forget them now, since the next exchange may be given one of them.
    Over {
        /// What was forgotten.
        gone: Gone,
        /// Whether an epoch turned, and it was not only to make room.
        epoch_turned: bool,
    },
}

impl State {
    /// Does a slice of a sweep, and begins one at the turn of an epoch.
    pub(crate) fn sweep(&mut self) -> Step {
        let Some(mut sweep) = self.sweep.take() else {
            if let Some(now) = self.epochs.turn(self.exchanges) {
                self.fade(now);
                self.sweep = Some(Sweep::begin(now));
            } else {
                self.sweep = self.make_room();
            }
            return if self.sweep.is_some() { Step::More } else { Step::Idle };
        };
        let (len, slice) = match sweep.phase {
            Phase::Clusters | Phase::Members => (self.clusters.len(), CLUSTERS_SLICE),
            Phase::Accounts => (self.accounts.iter().len(), ACCOUNTS_SLICE),
            Phase::Shingles => (self.shingles.len(), SHINGLES_SLICE),
            Phase::Over => {
                // The software that they name may be another one's by then.
                self.bursts.clear();
                self.give_up(&sweep.gone);
                return Step::Over { epoch_turned: !sweep.makes_room(), gone: sweep.gone };
            }
        };
        let part = sweep.next..(sweep.next + slice).min(len);
        match sweep.phase {
            Phase::Clusters => part.for_each(|number| self.sweep_cluster(number as u32, &mut sweep)),
            Phase::Accounts => part.for_each(|number| self.sweep_account(number as AccountNo, &mut sweep)),
            Phase::Members => part.for_each(|number| self.sweep_members(number as u32, &sweep.gone)),
            Phase::Shingles => {
                let clusters = &self.clusters;
                let owns = |owner: Owner, tag| {
                    clusters.get(owner.cluster as usize).is_some_and(|cluster| cluster.has_at(owner.place, tag))
                };
                let idle = self.epochs.forgotten_for(self.exchanges).and_then(|age| u32::try_from(age).ok());
                self.shingles.sweep(part, owns, self.exchanges as u32, idle.unwrap_or(u32::MAX));
            }
            Phase::Over => {}
        }
        sweep.next += slice;
        if sweep.next >= len {
            (sweep.phase, sweep.next) = (sweep.phase.after(), 0);
        }
        self.sweep = Some(sweep);
        Step::More
    }

    /// A sweep that makes room where nearly as many accounts or clusters are kept as can be: those that were not used for longest are
    /// forgotten before their time, so that the newest are served.
    fn make_room(&mut self) -> Option<Sweep> {
        let accounts = self.accounts.count();
        let clusters = self.clusters.len() - self.free_clusters.len();
        let accounts_full = is_full(accounts, self.accounts.limit());
        let clusters_full = is_full(clusters, CLUSTERS_MAX);
        if !accounts_full && !clusters_full || !self.epochs.may_make_room(self.exchanges) {
            return None;
        }
        let mut sweep = Sweep::begin(self.epochs.began()?);
        if accounts_full {
            let every = (accounts / SAMPLED).max(1);
            let seen = self.accounts.iter().filter(|account| account.exchanges > 0);
            let tenth = idle_tenth(seen.step_by(every).map(|account| account.last));
            sweep.accounts_before = tenth.unwrap_or(sweep.accounts_before);
        }
        if clusters_full {
            let kept = self.clusters.iter().filter(|cluster| !cluster.gone);
            let tenth = idle_tenth(kept.map(|cluster| cluster.last));
            sweep.clusters_before = tenth.unwrap_or(sweep.clusters_before);
        }
        if !sweep.makes_room() {
            // To find that out goes over everything, so it is not done again for every exchange.
            self.epochs.is_crowded(self.exchanges + (self.accounts.limit() / TRIED_ONE_IN) as u64);
            return None;
        }
        Some(sweep)
    }

    /// Lets what is known of all traffic together fade.
    fn fade(&mut self, now: Time) {
        self.meaning.fade();
        self.conduct.fade();
        self.timeline.forget(days_later(now, -FORGOTTEN_DAYS));
        self.together.retain(|_, count| {
            *count /= 2;
            *count > 0
        });
    }

    /// Forgets a cluster that is idle, or begins its trial anew.
    fn sweep_cluster(&mut self, number: u32, sweep: &mut Sweep) {
        let free = self.free_clusters.contains(&number);
        let Some(cluster) = self.clusters.get_mut(number as usize).filter(|_| !free) else { return };
        if cluster.gone || cluster.last < sweep.clusters_before {
            let is = |discovery: Discovery| usize::from(cluster.discovery == discovery && !cluster.gone);
            self.pools = self.pools.saturating_sub(is(Discovery::Infrastructure));
            self.cohorts = self.cohorts.saturating_sub(is(Discovery::SignUp));
            self.bursts.retain(|(_, cohort)| *cohort != number);
            *cluster = Cluster::new(cluster.last);
            cluster.gone = true;
            self.by_intent.iter_mut().filter(|known| **known == Some(number)).for_each(|known| *known = None);
            sweep.gone.clusters.insert(number);
            return;
        }
        let stale = |trial: &Trial| trial.detected_at.is_none() && trial.frozen_at < sweep.idle_before;
        if cluster.trial.as_deref().is_some_and(stale) {
            self.begin_anew(number);
        }
    }

    /// Begins the trial of a cluster anew.
    fn begin_anew(&mut self, number: u32) {
        let Some(cluster) = self.clusters.get_mut(number as usize) else { return };
        let by_text = !cluster.is_of_accounts() && cluster.discovery != Discovery::Variants;
        let Some(old) = cluster.trial.take().filter(|_| !by_text) else {
            // The next look freezes the text as it is by then.
            return;
        };
        self.trials += 1;
        let mut trial = Trial::freeze(self.trials, cluster.last, cluster.frozen(), old.p0);
        for &member in &cluster.members {
            let Some(account) = self.accounts.get_mut(member) else { continue };
            let exchanges = account.exchanges;
            if let Some(tally) = account.tallies.iter_mut().find(|tally| tally.cluster == number && tally.entered) {
                tally.enter(exchanges, 0.0);
                trial.entered = trial.entered.saturating_add(1);
            }
        }
        cluster.trial = Some(Box::new(trial));
    }

    /// Forgets an account that is idle, or what it had of clusters that are gone.
    fn sweep_account(&mut self, number: AccountNo, sweep: &mut Sweep) {
        let Some(account) = self.accounts.get_mut(number).filter(|account| account.exchanges > 0) else { return };
        if account.last < sweep.accounts_before {
            self.forgotten_early += u64::from(account.last >= sweep.idle_before);
            sweep.gone.payers.insert(account.payer);
            self.accounts.forget(number, &mut self.values);
            sweep.gone.accounts.insert(number);
            return;
        }
        account.tallies.retain(|tally| !sweep.gone.clusters.contains(&tally.cluster));
        account.tallies.shrink_to_fit();
        account.pool = account.pool.filter(|pool| !sweep.gone.clusters.contains(pool));
        account.cohort = account.cohort.filter(|cohort| !sweep.gone.clusters.contains(cohort));
    }

    /// Takes accounts that are gone out of a cluster.
    fn sweep_members(&mut self, number: u32, gone: &Gone) {
        let Some(cluster) = self.clusters.get_mut(number as usize) else { return };
        cluster.variant_of = cluster.variant_of.filter(|group| !gone.clusters.contains(group));
        cluster.members.retain(|member| !gone.accounts.contains(member));
        cluster.members.shrink_to_fit();
        cluster.samples.retain(|sample| !gone.accounts.contains(&sample.account));
        if let Some(trial) = cluster.trial.as_deref_mut() {
            trial.likeness.forget(&gone.payers);
        }
    }

    /// Lets go of the last that refers to numbers, and gives them out again.
    fn give_up(&mut self, gone: &Gone) {
        self.together.retain(|(a, b), _| !gone.clusters.contains(a) && !gone.clusters.contains(b));
        self.known.retain(|number, _| !gone.clusters.contains(number));
        self.free_clusters.extend(&gone.clusters);
        self.accounts.give_out_again(&gone.accounts);
        self.values.forget();
        self.exhibits.count_anew(self.clusters.iter().map(|cluster| cluster.samples.as_slice()));
    }
}

impl Cluster {
    /// Whether a shingle with this tag is at `place` of its skeleton.
    fn has_at(&self, place: u16, tag: u32) -> bool {
        let same = |key: &Key| key.key != 0 && (key.key >> 32) as u32 == tag;
        !self.gone && self.keys.get(place as usize).is_some_and(same)
    }
}

/// Whether nearly as many are kept as can be.
fn is_full(kept: usize, limit: usize) -> bool {
    kept >= limit - limit / ROOM_ONE_IN
}

/// The time before which a tenth of them was last seen; none where hardly any was seen before the others, as when all have one time.
fn idle_tenth(seen: impl Iterator<Item = Time>) -> Option<Time> {
    let mut seen: Vec<Time> = seen.collect();
    seen.sort_unstable();
    let before = *seen.get(seen.len() / 10)?;
    // Each sweep goes over everything, so it must be worth it.
    (seen.partition_point(|&time| time < before) * WORTH_ONE_IN >= seen.len()).then_some(before)
}

/// Room is made when less than one place in this many is free.
const ROOM_ONE_IN: usize = 20;
/// A sweep that makes room is worth it when it forgets one in this many.
const WORTH_ONE_IN: usize = 40;
/// Where no room could be made, exchanges until it is tried again: one for so many accounts that can be kept.
const TRIED_ONE_IN: usize = 128;
/// Accounts by which it is told which tenth is idle.
const SAMPLED: usize = 1 << 14;
/// Clusters that one step goes over.
const CLUSTERS_SLICE: usize = 1024;
/// Accounts that one step goes over.
const ACCOUNTS_SLICE: usize = 1 << 13;
/// Places of the table of shingles that one step goes over.
const SHINGLES_SLICE: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use std::iter;

    use exchange::{Exchange, Notes};
    use proptest::prelude::*;

    use super::*;
    use crate::limits::EPOCH_DAYS;
    use crate::propose::text::Scratch;
    use crate::state::account::Accounts;
    use crate::state::account::tests::fact;
    use crate::state::epochs::TURN_AFTER;
    use crate::state::shingle::Shingles;
    use crate::state::sign_ups::{Burst, Software};
    use crate::state::value::Kind;

    /// With a small table, since every sweep goes over all of it.
    fn state() -> State {
        State { shingles: Shingles::new(1 << 14), ..State::default() }
    }

    /// Has an account ask something on a day; days count from some day in 1997.
    fn ask(state: &mut State, account: &str, day: i64, text: &str) {
        let time = Time::from_seconds((10_000 + day) * 86_400);
        let number = state.exchanges;
        let record = format!(
            r#"{{"id":"e{number}","time":"{time}","account":"{account}","client":{{"ip":"10.1.2.3"}},"request":{{"messages":[{{"role":"user","content":"{text}"}}]}}}}"#
        );
        let mut sink = |exchange: Exchange<'_>| {
            let signals = signals::of(&exchange);
            let Some(seen) = state.count(&signals) else { return };
            let matches = state.matches(&signals, seen.account, &mut Scratch::default());
            for hits in matches.into_iter().flat_map(|matches| matches.hits) {
                state.count_for(hits, &signals, seen, 0, false);
            }
        };
        exchange::read_exchanges(&record, &mut Notes::default(), &mut sink).unwrap();
    }

    /// Has so many exchanges come on a day that an epoch turns, and sweeps.
    fn turn(state: &mut State, day: i64) -> Option<Gone> {
        (0..TURN_AFTER).for_each(|_| ask(state, "steady", day, "something of my own"));
        sweep(state)
    }

    fn sweep(state: &mut State) -> Option<Gone> {
        iter::from_fn(|| match state.sweep() {
            Step::Idle => None,
            Step::More => Some(None),
            Step::Over { gone, .. } => Some(Some(gone)),
        })
        .flatten()
        .last()
    }

    const SHARED: &str = "Please name every step of the proof and then give the bare result at the end";

    #[test]
    fn what_is_idle_for_longer_than_the_limit_is_forgotten_and_its_numbers_are_given_out_again() {
        for (days, forgotten) in [(FORGOTTEN_DAYS, false), (FORGOTTEN_DAYS + 1, true)] {
            let mut state = state();
            let payment = exchange::AccountFact { payment: Some("card".into()), ..fact("a") };
            state.learn(&payment);
            ["a", "b", "c", "d"].into_iter().for_each(|account| ask(&mut state, account, 0, SHARED));
            assert_eq!((state.accounts.count(), state.clusters.len()), (4, 1));
            let gone = turn(&mut state, days).unwrap();
            assert_eq!(gone.accounts.len(), if forgotten { 4 } else { 0 }, "{days}");
            assert_eq!(gone.clusters.len(), usize::from(forgotten), "{days}");
            let known = |state: &State| {
                state.accounts.known("a").and_then(|number| state.accounts.get(number).map(|account| account.exchanges))
            };
            assert_eq!(known(&state), (!forgotten).then_some(1));
            // It comes back, with what the provider said of it, and takes no new place.
            let places = state.accounts.iter().len();
            ask(&mut state, "a", days, SHARED);
            assert_eq!((known(&state), state.accounts.iter().len()), (Some(if forgotten { 1 } else { 2 }), places));
            let account = state.accounts.get(state.accounts.known("a").unwrap()).unwrap();
            assert_eq!(state.values.name(account.holds(Kind::Payment)), "card");
            assert_eq!(state.values.holders(account.holds(Kind::Payment)), 1);
            // So does the text, once as many payers as at first send it.
            ["e", "f", "g"].into_iter().for_each(|account| ask(&mut state, account, days, SHARED));
            assert_eq!(state.clusters.iter().filter(|cluster| !cluster.gone).count(), 1);
            assert_eq!(state.clusters.len(), 1);
        }
    }

    #[test]
    fn a_cohort_is_forgotten_with_its_burst() {
        for (days, forgotten) in [(FORGOTTEN_DAYS, false), (FORGOTTEN_DAYS + 1, true)] {
            let mut state = state();
            ask(&mut state, "a", 0, SHARED);
            let now = state.last.unwrap();
            let cohort = state.begin_cluster(Cluster::without_skeleton(Discovery::SignUp, now)).unwrap();
            let burst = Burst { from: 0, to: 60, software: Software::AllBut(Vec::new()) };
            (state.cohorts, state.bursts) = (1, vec![(burst, cohort)]);
            let fact = |id| exchange::AccountFact { created: Some(Time::from_seconds(30)), ..fact(id) };
            state.learn(&fact("b"));
            ask(&mut state, "b", 0, SHARED);
            let own = |state: &State, id| state.accounts.get(state.accounts.known(id).unwrap()).unwrap().cohort;
            assert_eq!((own(&state, "a"), own(&state, "b")), (None, Some(cohort)), "it joins with its first request");
            turn(&mut state, days).unwrap();
            let left = (state.cohorts, state.accounts.known("b").is_some());
            assert_eq!(left, if forgotten { (0, false) } else { (1, true) }, "{days}");
            assert!(state.bursts.is_empty(), "they are found anew");
        }
    }

    #[test]
    fn what_is_known_of_clusters_goes_with_those_that_are_forgotten() {
        let mut state = state();
        let now = FORGOTTEN_DAYS + 1;
        for (day, text) in
            [(0, SHARED), (now, "Write a long story about the sea and tell me who was on the ship that sank")]
        {
            ["a", "b", "c", "d"].into_iter().for_each(|account| ask(&mut state, account, day, text));
        }
        assert_eq!(state.clusters.len(), 2);
        state.known = [(0, [7].into()), (1, [8].into())].into();
        let gone = turn(&mut state, now).unwrap();
        assert_eq!(gone.clusters.into_iter().collect::<Vec<_>>(), [0]);
        assert_eq!(state.known, [(1, [8].into())].into());
    }

    #[test]
    fn room_is_made_for_the_newest_before_the_limit() {
        for (accounts, forgotten) in [(94, 0), (95, 9)] {
            let mut state = State { accounts: Accounts::limited(100), ..state() };
            (0..accounts).for_each(|i| ask(&mut state, &format!("a{i}"), i / 3, "something of my own"));
            assert_eq!(sweep(&mut state).map_or(0, |gone| gone.accounts.len()), forgotten, "{accounts}");
            assert_eq!(state.forgotten_early, forgotten as u64);
            // Those of the first days.
            assert_eq!(state.accounts.known("a0").is_none(), forgotten > 0);
            assert!(state.accounts.known("a10").is_some());
        }
        // Of accounts that were all seen at one time none is older than the others, and that is not found out for every exchange.
        let mut state = State { accounts: Accounts::limited(10 * TRIED_ONE_IN), ..state() };
        (0..10 * TRIED_ONE_IN).for_each(|i| ask(&mut state, &format!("a{i}"), 0, "something of my own"));
        assert_eq!(sweep(&mut state), None);
        let tried = |state: &State, after| state.epochs.may_make_room(state.exchanges + after);
        assert!(!tried(&state, 9) && tried(&state, 10));
        let mut state = State { accounts: Accounts::limited(100), ..self::state() };
        (0..=100).for_each(|i| ask(&mut state, &format!("a{i}"), 0, "something of my own"));
        assert_eq!((sweep(&mut state), state.accounts.refused), (None, 1));
        let mut state = State { accounts: Accounts::limited(100), ..self::state() };
        for i in 0..1000 {
            ask(&mut state, &format!("a{i}"), i / 10, "something of my own");
            sweep(&mut state);
        }
        assert_eq!(state.accounts.refused, 0);
        assert!(state.accounts.known("a999").is_some() && state.accounts.known("a1").is_none());
    }

    #[test]
    fn to_make_room_turns_no_epoch_and_one_wrong_clock_makes_nothing_else_idle() {
        let mut state = State { accounts: Accounts::limited(100), ..state() };
        (0..94).for_each(|i| ask(&mut state, &format!("a{i}"), i / 3, SHARED));
        ask(&mut state, "wrong", 20_000, "from the future");
        let turned = iter::from_fn(|| match state.sweep() {
            Step::Idle => None,
            Step::More => Some(None),
            Step::Over { epoch_turned, gone } => Some(Some((epoch_turned, gone))),
        });
        let (turned, gone) = turned.flatten().last().unwrap();
        assert!(!turned && gone.clusters.is_empty(), "{turned} {gone:?}");
        assert_eq!(gone.accounts.len(), 9);
    }

    #[test]
    fn one_wrong_clock_turns_no_epoch() {
        let mut state = state();
        ask(&mut state, "a", 0, SHARED);
        (0..TURN_AFTER - 1).for_each(|_| ask(&mut state, "b", 20_000, "from the future"));
        assert_eq!(sweep(&mut state), None);
        ask(&mut state, "b", EPOCH_DAYS, "now");
        assert_eq!(sweep(&mut state), Some(Gone::default()), "nothing is idle on that day");
        assert_eq!(sweep(&mut state), None, "swept once");
    }

    #[test]
    fn a_trial_that_detected_nothing_in_time_begins_anew() {
        for (detected, anew) in [(false, true), (true, false)] {
            let mut state = state();
            ask(&mut state, "a", 0, SHARED);
            let now = state.last.unwrap();
            let pool = state.begin_cluster(Cluster::without_skeleton(Discovery::Infrastructure, now)).unwrap();
            let number = state.accounts.known("a").unwrap();
            let frozen = crate::state::trial::Frozen::default();
            let mut trial = Trial::freeze(7, now, frozen, 0.05);
            (trial.exchanges, trial.entered, trial.number) = (50, 1, 3);
            trial.detected_at = detected.then_some(now);
            let cluster = state.clusters.get_mut(pool as usize).unwrap();
            (cluster.trial, cluster.members) = (Some(Box::new(trial)), vec![number]);
            let (tally, _) = state.accounts.get_mut(number).unwrap().tally_mut(pool, now, |_| false);
            tally.unwrap().enter(1, 0.0);
            state.accounts.get_mut(number).unwrap().pool = Some(pool);
            ask(&mut state, "a", FORGOTTEN_DAYS + 1, "and again");
            turn(&mut state, FORGOTTEN_DAYS + 1).unwrap();
            let trial = state.clusters.get(pool as usize).and_then(|cluster| cluster.trial.as_deref()).unwrap();
            let seen = (trial.id != 7, trial.number == 0, trial.exchanges < 50, trial.entered);
            assert_eq!(seen, (anew, anew, anew, 1), "detected: {detected}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        /// Whoever comes and goes, nothing refers to what is gone, and places are given out again.
        #[test]
        fn nothing_refers_to_what_is_gone(asked in prop::collection::vec((0_usize..30, 0_i64..400, 0_usize..4), 1..150)) {
            let mut asked = asked;
            asked.sort_unstable_by_key(|&(_, day, _)| day);
            let mut state = state();
            for (account, day, text) in asked {
                ask(&mut state, &format!("a{account}"), day, &format!("{SHARED} {}", ["one", "two", "three", "four"][text]));
                turn(&mut state, day);
            }
            for account in state.accounts.iter() {
                prop_assert!(account.exchanges > 0 || account.id.is_empty());
                for tally in &account.tallies {
                    prop_assert!(state.cluster(tally.cluster).is_some_and(|cluster| !cluster.gone));
                }
                for kind in Kind::ALL {
                    prop_assert!(account.values(kind).all(|value| state.values.holders(value) > 0));
                }
            }
            for cluster in state.clusters.iter().filter(|cluster| !cluster.gone) {
                for &member in &cluster.members {
                    prop_assert!(state.accounts.get(member).is_some_and(|account| account.exchanges > 0));
                }
            }
            let live = state.accounts.iter().filter(|account| account.exchanges > 0).count();
            prop_assert_eq!(state.accounts.count(), live);
            prop_assert!(state.accounts.iter().len() <= 31, "thirty accounts and the steady one");
        }
    }
}
