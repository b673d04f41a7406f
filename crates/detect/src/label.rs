//! Verdicts of people: what somebody said of a group, whom that covers, and how the group is known again.
//!
//! Promises that a verdict speaks for those who were looked at when it was given and for nobody who came later, and that what
//! calibration takes from it was frozen then: what is sent afterwards moves neither. Refuses to know a group again by less
//! than half of its template, or by less than half of what it sends now. Labels are an input like records: nothing here reads a file or a clock.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use exchange::Time;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::account::{Account, Accounts};
use crate::calibrate::Measures;
use crate::family::Family;

/// What a person says of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// An honest family: one product, one class, one tool that its users share.
    Benign,
    /// Approved research: it works like a campaign and may.
    Research,
    /// A campaign.
    Campaign,
}

/// One verdict.
#[derive(Clone, Debug, PartialEq)]
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

/// A group as it was at one time: by what it is known again, and who was in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// Whether shared infrastructure joined it; such a group is known again by its accounts.
    pub infrastructure: bool,
    /// The cores of its templates, all in one: which of them make a family of their own differs from log to log.
    pub template: Prints,
    /// Its accounts.
    pub accounts: BTreeSet<String>,
    /// Those who pay for them, apart from accounts that stand for themselves.
    pub payers: Prints,
    /// What was measured of it, and would be of an honest group if it is one; none when it is too small to say.
    pub habits: Option<Measures>,
}

/// A set of fingerprints; written as 16 hexadecimal digits for each, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prints(pub BTreeSet<u64>);

impl fmt::Display for Prints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|print| write!(f, "{print:016x}"))
    }
}

impl Serialize for Prints {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Prints {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Prints, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = || de::Error::custom("expected 16 hexadecimal digits for each fingerprint");
        if !text.len().is_multiple_of(DIGITS) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        let prints = (0..text.len()).step_by(DIGITS).map(|at| text.get(at..at + DIGITS));
        let prints = prints.map(|digits| u64::from_str_radix(digits.unwrap_or_default(), 16).map_err(|_| wrong()));
        prints.collect::<Result<_, _>>().map(Prints)
    }
}

impl Identity {
    /// Whether `other` is the same group: half of each one's template is in the other's, or shared infrastructure joined both and they have
    /// half of the smaller one's accounts in common.
    #[must_use]
    pub fn same(&self, other: &Identity) -> bool {
        let (mine, theirs) = (&self.template.0, &other.template.0);
        let shown = mine.intersection(theirs).count();
        let common = || self.accounts.intersection(&other.accounts).count();
        // Less than half of either would be a phrase that both use, and most of one of them something else.
        (shown > 0 && shown * 2 >= mine.len() && shown * 2 >= theirs.len())
            || (self.infrastructure
                && other.infrastructure
                && common() * 2 >= self.accounts.len().min(other.accounts.len()).max(1))
    }

    /// Whether an account was looked at, or who pays for it was.
    #[must_use]
    pub fn has(&self, account: &Account) -> bool {
        self.accounts.contains(&*account.id) || self.payers.0.contains(&account.payer.0)
    }
}

/// A label's place among the labels.
pub type LabelNo = u32;

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

    /// What is learnt. Of labels about one family the first counts: who came to it later does not move it. Nothing is learnt from
    /// a family that turned out to have accounts of a campaign in it.
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

    /// What was measured of honest families that people vetted, when each was first labelled, by label.
    #[must_use]
    pub fn habits(&self) -> &[(LabelNo, Measures)] {
        &self.habits
    }

    /// Whether an account belongs to a campaign that a person confirmed.
    #[must_use]
    pub fn confirmed(&self, account: &Account) -> bool {
        self.confirmed.contains(&*account.id)
    }

    /// The labels whose template at least half of a family's core is in, with what it shows of them.
    #[must_use]
    pub(crate) fn pieces(&self, family: &Family) -> BTreeMap<LabelNo, BTreeSet<u64>> {
        let (mut core, mut shown) = (0, BTreeMap::<LabelNo, BTreeSet<u64>>::new());
        for print in family.core() {
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
    pub(crate) fn pools(&self, family: &Family, accounts: &Accounts) -> BTreeSet<LabelNo> {
        let labels = (0..).zip(&self.list).filter(|(_, label)| label.identity.infrastructure);
        let members = || family.members.iter().filter_map(|&number| accounts.get(number));
        let known = labels.filter(|(_, label)| {
            let seen = members().filter(|account| label.identity.has(account)).count();
            seen > 0 && seen * 2 >= family.members.len()
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
                && self.get(number).is_some_and(|label| label.vouches() && label.identity.has(account))
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

/// Hexadecimal digits of a fingerprint.
const DIGITS: usize = 16;

#[cfg(test)]
mod tests {
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
    fn a_family_is_a_piece_when_half_of_it_is_in_the_template() {
        let labels = Labels::new(vec![label("lbl_1", Verdict::Benign, identity(0..10, &["a"]))]);
        for (core, piece) in [(8..12, true), (7..12, true), (9..12, false), (0..3, true), (10..13, false)] {
            let mut family = Family::new(Time::from_seconds(0));
            assert!(core.clone().all(|key| family.add(key).is_some()));
            assert_eq!(labels.pieces(&family).contains_key(&0), piece, "{core:?}");
        }
        assert!(labels.half_shown(0, 5) && !labels.half_shown(0, 4));
    }

    #[test]
    fn who_was_looked_at_is_covered_until_it_ends_and_nobody_else() {
        let mut research = label("lbl_1", Verdict::Research, identity(0..10, &["a"]));
        research.until = Some(Time::from_seconds(10));
        research.identity.payers.0.insert(signals::Hash::of("org").0);
        let campaign = label("lbl_2", Verdict::Campaign, identity(0..10, &["b"]));
        let labels = Labels::new(vec![research, campaign]);
        let mut accounts = Accounts::default();
        let mut covered = |id: &str, org: Option<&str>, seconds: i64| {
            let number = accounts.number(id).unwrap();
            let account = accounts.get_mut(number).unwrap();
            account.payer = signals::Hash::of(org.unwrap_or(id));
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
    fn of_labels_about_one_family_the_first_is_learnt_from() {
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
    fn fingerprints_are_read_as_they_are_written() {
        let prints = Prints([0, 7, u64::MAX].into());
        let text = serde_json::to_string(&prints).unwrap();
        assert_eq!(text, r#""00000000000000000000000000000007ffffffffffffffff""#);
        assert_eq!(serde_json::from_str::<Prints>(&text).unwrap(), prints);
        for wrong in [r#""7""#, r#""000000000000000g""#, r#""+000000000000007""#, "7", r#""ééééééé7é""#] {
            assert!(serde_json::from_str::<Prints>(wrong).is_err(), "{wrong}");
        }
    }
}
