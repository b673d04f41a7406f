//! Verdicts of people: what somebody said of a group, whom that covers, and how the group is known again.
//!
//! Promises that a verdict speaks for those who were looked at when it was given and for nobody who came later, and that what
//! calibration takes from it was frozen then: what is sent afterwards moves neither. Refuses to know a group again by less
//! than half of its template, or by less than half of what it sends now. Those whom a label covers are not tested, in the clusters it
//! is about and nowhere else, and everybody else in these is tested on his own records only. A label once known to be about a cluster
//! stays so until it ends: nobody can start a test over by wavering. Labels are an input like records: nothing here reads a file or a
//! clock.

use std::collections::{BTreeMap, BTreeSet};

use exchange::Time;
use findings::{Discovery, Identity, Measures, Verdict};
use serde::{Deserialize, Serialize};

use crate::state::State;
use crate::state::account::{Account, AccountNo, Accounts};
use crate::state::cluster::{Cluster, LabelNo};

/// One verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Label {
    /// Its name.
    pub id: String,
    /// What was said.
    pub verdict: Verdict,
    /// Who said it.
    pub by: String,
    /// When.
    pub time: Time,
    /// Why.
    pub reason: String,
    /// Research: records from here on are not covered.
    pub until: Option<Time>,
    /// The group, as it was looked at.
    pub identity: Identity,
}

/// Labels in force.
#[derive(Clone, Debug, Default)]
pub struct Labels {
    list: Vec<Label>,
    /// Labels by the fingerprints of their templates.
    by_print: BTreeMap<u64, Vec<LabelNo>>,
    /// Accounts of confirmed campaigns.
    confirmed: BTreeSet<String>,
    habits: Vec<(LabelNo, Measures)>,
}

impl Labels {
    /// Labels in the order in which they were given, without those that were undone. Where two about the same group name the
    /// same account, the later one speaks for it; a label that speaks for nobody any more is left out.
    #[must_use]
    pub fn new(labels: Vec<Label>) -> Labels {
        let mut list: Vec<Label> = Vec::with_capacity(labels.len());
        let mut by_account: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for label in labels {
            let number = list.len();
            let earlier: BTreeSet<usize> = label
                .identity
                .accounts
                .iter()
                .filter_map(|account| by_account.get(account))
                .flatten()
                .copied()
                .collect();
            for earlier in earlier {
                let Some(earlier) = list.get_mut(earlier) else { continue };
                if earlier.identity.same(&label.identity) {
                    earlier.identity.accounts.retain(|account| !label.identity.accounts.contains(account));
                    earlier.identity.payers.0.retain(|payer| !label.identity.payers.0.contains(payer));
                    if label.verdict == Verdict::Campaign {
                        earlier.identity.habits = None;
                    }
                }
            }
            for account in &label.identity.accounts {
                by_account.entry(account.clone()).or_default().push(number);
            }
            list.push(label);
        }
        Labels::indexed(list)
    }

    fn indexed(list: Vec<Label>) -> Labels {
        let speaks = |label: &&Label| !label.identity.accounts.is_empty() || !label.identity.payers.0.is_empty();
        let confirmed = list.iter().filter(|label| label.verdict == Verdict::Campaign);
        let confirmed: BTreeSet<String> = confirmed.flat_map(|label| &label.identity.accounts).cloned().collect();
        let mut labels = Labels { confirmed, ..Labels::default() };
        for label in list.into_iter().filter(|label| speaks(&label)) {
            let number = labels.list.len() as LabelNo;
            for &print in &label.identity.template.0 {
                labels.by_print.entry(print).or_default().push(number);
            }
            labels.list.push(label);
        }
        labels.habits = labels.learnt();
        labels
    }

    /// What is learnt. Of labels about one cluster the first counts: who came to it later does not move it. Nothing is learnt from
    /// a cluster that turned out to have accounts of a campaign in it.
    fn learnt(&self) -> Vec<(LabelNo, Measures)> {
        let mut heard: Vec<(LabelNo, &Identity, Measures)> = Vec::new();
        for (number, label) in self.list.iter().enumerate().filter(|(_, label)| label.verdict == Verdict::Benign) {
            let identity = &label.identity;
            let Some(measures) = identity.habits.filter(|_| identity.accounts.is_disjoint(&self.confirmed)) else {
                continue;
            };
            if !heard.iter().any(|(_, earlier, _)| earlier.same(identity)) {
                heard.push((number as LabelNo, identity, measures));
            }
        }
        heard.into_iter().map(|(number, _, measures)| (number, measures)).collect()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The label with this number.
    #[must_use]
    pub fn get(&self, number: LabelNo) -> Option<&Label> {
        self.list.get(number as usize)
    }

    /// Every label, in the order in which they were given.
    pub fn iter(&self) -> impl Iterator<Item = &Label> {
        self.list.iter()
    }

    /// What was measured of honest clusters that people vetted, when each was first labelled, by label.
    #[must_use]
    pub fn habits(&self) -> &[(LabelNo, Measures)] {
        &self.habits
    }

    /// Whether an account belongs to a campaign that a person confirmed.
    #[must_use]
    pub fn confirmed(&self, account: &Account) -> bool {
        self.confirmed.contains(&*account.id)
    }

    /// The labels whose template at least half of a cluster's core is in, with what it shows of them.
    #[must_use]
    pub(crate) fn pieces(&self, cluster: &Cluster) -> BTreeMap<LabelNo, BTreeSet<u64>> {
        let (mut core, mut shown) = (0, BTreeMap::<LabelNo, BTreeSet<u64>>::new());
        for print in cluster.core() {
            core += 1;
            for &label in self.by_print.get(&print).into_iter().flatten() {
                shown.entry(label).or_default().insert(print);
            }
        }
        shown.retain(|_, shown| shown.len() * 2 >= core);
        shown
    }

    /// Whether so many fingerprints are at least half of a label's template.
    #[must_use]
    pub(crate) fn half_shown(&self, number: LabelNo, shown: usize) -> bool {
        self.get(number).is_some_and(|label| shown * 2 >= label.identity.template.0.len())
    }

    /// The labels that were given to the same group.
    #[must_use]
    pub(crate) fn same(&self, identity: &Identity) -> BTreeSet<LabelNo> {
        let by_text = identity.template.0.iter().filter_map(|print| self.by_print.get(print)).flatten().copied();
        let pools = (0..).zip(&self.list).filter(|(_, label)| label.identity.infrastructure && identity.infrastructure);
        let candidates: BTreeSet<LabelNo> = by_text.chain(pools.map(|(number, _)| number)).collect();
        let same = |number: &LabelNo| self.get(*number).is_some_and(|label| label.identity.same(identity));
        candidates.into_iter().filter(same).collect()
    }

    /// The labels about a group by infrastructure: at least half of its members were looked at.
    #[must_use]
    pub(crate) fn pools(&self, cluster: &Cluster, accounts: &Accounts) -> BTreeSet<LabelNo> {
        let labels = (0..).zip(&self.list).filter(|(_, label)| label.identity.infrastructure);
        let members = || cluster.members.iter().filter_map(|&number| accounts.get(number));
        let known = labels.filter(|(_, label)| {
            let seen = members().filter(|account| label.identity.has(&account.id, account.payer.0)).count();
            seen > 0 && seen * 2 >= cluster.members.len()
        });
        known.map(|(number, _)| number).collect()
    }

    /// Whether a label is still in force at a time.
    #[must_use]
    pub(crate) fn in_force(&self, number: LabelNo, time: Time) -> bool {
        self.get(number).is_some_and(|label| label.until.is_none_or(|until| time < until))
    }

    /// Whether one of `labels` vouches, at a time, for an account.
    #[must_use]
    pub(crate) fn cover(&self, labels: &[LabelNo], account: &Account, time: Time) -> bool {
        labels.iter().any(|&number| {
            self.in_force(number, time)
                && self
                    .get(number)
                    .is_some_and(|label| label.vouches() && label.identity.has(&account.id, account.payer.0))
        })
    }
}

impl Label {
    /// Whether it says that the group is to be left alone.
    #[must_use]
    pub fn vouches(&self) -> bool {
        self.verdict != Verdict::Campaign
    }
}

/// Finds the labels about a cluster, and takes those they cover out of what is tested.
pub(crate) fn heed(state: &mut State, labels: &Labels, number: u32) {
    if labels.is_empty() {
        return;
    }
    let Some(cluster) = state.clusters.get(number as usize) else { return };
    let now = cluster.last;
    let known = match cluster.discovery {
        Discovery::Infrastructure | Discovery::SignUp | Discovery::Intent => labels.pools(cluster, &state.accounts),
        // It has the labels of the clusters that are its variants, below.
        Discovery::Variants => BTreeSet::new(),
        Discovery::Text => {
            let mut pieces = labels.pieces(cluster);
            // A template may be one cluster in one log and several in the next.
            pieces.retain(|&label, piece| {
                let shown = state.shown.entry(label).or_default();
                shown.append(piece);
                labels.half_shown(label, shown.len())
            });
            pieces.into_keys().collect()
        }
    };
    let mut about: BTreeSet<LabelNo> = cluster.labels.iter().copied().collect();
    about.extend(&known);
    about.extend(alongside(state, labels, number, cluster));
    about.extend(state.texts(number).iter().flat_map(|(_, cluster)| &cluster.labels).copied());
    about.retain(|&label| labels.in_force(label, now));
    if !known.is_empty() {
        state.known.entry(number).or_default().extend(known);
    }
    let Some(cluster) = state.clusters.get_mut(number as usize) else { return };
    let about: Vec<LabelNo> = about.into_iter().collect();
    let vouches = |label: &&LabelNo| labels.get(**label).is_some_and(Label::vouches);
    let changed = !about.iter().filter(vouches).eq(cluster.labels.iter().filter(vouches));
    cluster.labels = about;
    if changed && let Some(trial) = cluster.trial.as_deref_mut() {
        state.trials += 1;
        trial.forget(state.trials);
    }
    for &member in cluster.members.iter().filter(|_| changed || !cluster.labels.is_empty()) {
        let Some(account) = state.accounts.get_mut(member) else { continue };
        let vouched = labels.cover(&cluster.labels, account, now);
        if let Some(tally) = account.tallies.iter_mut().find(|tally| tally.cluster == number) {
            if vouched {
                tally.leave();
            }
            tally.vouched = vouched;
        }
    }
}

/// Whether a label vouches, at a time, for what an account sends to a cluster.
#[must_use]
pub(crate) fn covers(state: &State, labels: &Labels, cluster: u32, account: AccountNo, time: Time) -> bool {
    let (cluster, account) = (state.cluster(cluster), state.accounts.get(account));
    cluster.zip(account).is_some_and(|(cluster, account)| labels.cover(&cluster.labels, account, time))
}

/// The labels that vouch for a cluster which this one goes along with: a template often makes several clusters, and one
/// of which at least half of the exchanges show a known template is a piece of it.
fn alongside(state: &State, labels: &Labels, number: u32, cluster: &Cluster) -> BTreeSet<LabelNo> {
    let along = state.known.iter().filter(|&(&known, _)| {
        let pair = (known.min(number), known.max(number));
        let together = state.together.get(&pair).copied().unwrap_or(0);
        known != number && together > 0 && u64::from(together) * 2 >= u64::from(cluster.exchanges)
    });
    let about = along.flat_map(|(_, about)| about).copied();
    about.filter(|&label| labels.get(label).is_some_and(Label::vouches)).collect()
}

#[cfg(test)]
mod tests {
    use findings::Prints;

    use crate::state::trial::Trial;

    use super::*;

    fn identity(template: std::ops::Range<u64>, accounts: &[&str]) -> Identity {
        Identity {
            template: Prints(template.collect()),
            accounts: accounts.iter().map(|&account| account.to_owned()).collect(),
            ..Identity::default()
        }
    }

    fn label(id: &str, verdict: Verdict, identity: Identity) -> Label {
        let time = Time::from_seconds(0);
        Label { id: id.into(), verdict, by: "ann".into(), time, reason: "a course".into(), until: None, identity }
    }

    fn ids(labels: &Labels) -> Vec<&str> {
        labels.iter().map(|label| label.id.as_str()).collect()
    }

    #[test]
    fn a_group_is_known_again_by_half_of_either_template() {
        let known = identity(0..10, &["a"]);
        for (other, same) in
            [(0..10, true), (5..15, true), (6..16, false), (0..20, true), (0..21, false), (0..4, false)]
        {
            assert_eq!(known.same(&identity(other.clone(), &["b"])), same, "{other:?}");
            assert_eq!(identity(other.clone(), &["b"]).same(&known), same, "{other:?}");
        }
        assert!(!identity(0..0, &["a"]).same(&identity(0..0, &["a"])), "no template is none in common");
    }

    #[test]
    fn a_cluster_is_a_piece_when_half_of_it_is_in_the_template() {
        let labels = Labels::new(vec![label("lbl_1", Verdict::Benign, identity(0..10, &["a"]))]);
        for (core, piece) in [(8..12, true), (7..12, true), (9..12, false), (0..3, true), (10..13, false)] {
            let mut cluster = Cluster::new(Time::from_seconds(0));
            assert!(core.clone().all(|key| cluster.add(key).is_some()));
            assert_eq!(labels.pieces(&cluster).contains_key(&0), piece, "{core:?}");
        }
        assert!(labels.half_shown(0, 5) && !labels.half_shown(0, 4));
    }

    #[test]
    fn who_was_looked_at_is_covered_until_it_ends_and_nobody_else() {
        let mut research = label("lbl_1", Verdict::Research, identity(0..10, &["a"]));
        research.until = Some(Time::from_seconds(10));
        research.identity.payers.0.insert(event::Hash::of("org").0);
        let campaign = label("lbl_2", Verdict::Campaign, identity(0..10, &["b"]));
        let labels = Labels::new(vec![research, campaign]);
        let mut accounts = Accounts::default();
        let mut covered = |id: &str, org: Option<&str>, seconds: i64| {
            let number = accounts.number(id).unwrap();
            let account = accounts.get_mut(number).unwrap();
            account.payer = event::Hash::of(org.unwrap_or(id));
            labels.cover(&[0, 1], accounts.get(number).unwrap(), Time::from_seconds(seconds))
        };
        assert!(covered("a", None, 9) && !covered("a", None, 10));
        assert!(covered("c", Some("org"), 9), "who pays was looked at");
        assert!(!covered("b", None, 9) && !covered("c", None, 9));
    }

    #[test]
    fn a_later_label_speaks_for_the_accounts_it_names() {
        let benign = || label("lbl_1", Verdict::Benign, identity(0..10, &["a", "b"]));
        let some = Labels::new(vec![benign(), label("lbl_2", Verdict::Campaign, identity(0..10, &["b"]))]);
        assert_eq!(ids(&some), ["lbl_1", "lbl_2"]);
        assert_eq!(some.get(0).unwrap().identity.accounts.iter().collect::<Vec<_>>(), ["a"]);
        let all = Labels::new(vec![benign(), label("lbl_2", Verdict::Campaign, identity(0..10, &["a", "b"]))]);
        assert_eq!(ids(&all), ["lbl_2"]);
        let other = Labels::new(vec![benign(), label("lbl_2", Verdict::Campaign, identity(20..30, &["a", "b"]))]);
        assert_eq!(ids(&other), ["lbl_1", "lbl_2"], "another group");
    }

    #[test]
    fn of_labels_about_one_cluster_the_first_is_learnt_from() {
        let with = |id: &str, verdict, template, account: &str, shape| {
            let habits = Some(Measures { reply: Some(shape), ..Measures::default() });
            label(id, verdict, Identity { habits, ..identity(template, &[account]) })
        };
        let labels = Labels::new(vec![
            with("lbl_1", Verdict::Benign, 0..10, "a", 1.0),
            with("lbl_2", Verdict::Benign, 0..10, "b", 2.0),
            with("lbl_3", Verdict::Benign, 20..30, "c", 3.0),
            with("lbl_4", Verdict::Research, 40..50, "d", 4.0),
            with("lbl_5", Verdict::Campaign, 60..70, "e", 5.0),
        ]);
        let shapes: Vec<_> = labels.habits().iter().filter_map(|(_, habits)| habits.reply).collect();
        assert_eq!(shapes, [1.0, 3.0]);
        let tainted = Labels::new(vec![
            with("lbl_1", Verdict::Benign, 0..10, "a", 1.0),
            with("lbl_2", Verdict::Campaign, 80..90, "a", 2.0),
        ]);
        assert!(tainted.habits().is_empty(), "one of its accounts is a campaign's");
    }

    #[test]
    fn a_trial_is_forgotten_once_when_somebody_vouches_and_once_when_that_ends() {
        let mut state = State::default();
        let start = Time::from_seconds(0);
        let mut cluster = Cluster::new(start);
        (0..10).for_each(|key| {
            cluster.add(key);
        });
        cluster.trial = Some(Box::new(Trial::freeze(1, start, cluster.frozen(), 0.1)));
        state.clusters.push(cluster);
        state.trials = 1;
        let mut research = label("lbl_1", Verdict::Research, identity(0..10, &["a"]));
        research.until = Some(Time::from_seconds(100));
        let labels = Labels::new(vec![research]);
        let trial = |state: &State| state.cluster(0).and_then(|cluster| Some(cluster.trial.as_ref()?.id));
        for (seconds, id) in [(10, 2), (20, 2), (99, 2), (100, 3), (110, 3)] {
            state.clusters.iter_mut().for_each(|cluster| cluster.last = Time::from_seconds(seconds));
            heed(&mut state, &labels, 0);
            assert_eq!(trial(&state), Some(id), "at {seconds}");
        }
        heed(&mut state, &Labels::default(), 0);
        assert_eq!(trial(&state), Some(3), "nobody says anything");
    }
}
