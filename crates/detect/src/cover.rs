//! How labels act on a run: which families they are about, whom they take out of the test, and how that is told.
//!
//! Promises that those whom a label covers are not tested, not reported and not learnt from, in the families it is about and
//! nowhere else, and that everybody else in these is tested on his own records only. A label once known to be about a family
//! stays so until it ends: nobody can start a test over by wavering.

use std::collections::{BTreeMap, BTreeSet};

use signals::Hash;

use crate::account::{Account, AccountNo};
use crate::engine::Engine;
use crate::family::Family;
use crate::finding::{Cleared, Discovery, Judgement};
use crate::label::{Identity, Label, LabelNo, Prints, Verdict};

impl Engine {
    /// Finds the labels about a family, and takes those they cover out of what is tested.
    pub(crate) fn heed_labels(&mut self, number: u32) {
        if self.labels.is_empty() {
            return;
        }
        let Some(family) = self.families.get(number as usize) else { return };
        let now = family.last;
        let about = match family.discovery {
            Discovery::Infrastructure | Discovery::Intent => self.labels.pools(family, &self.accounts),
            // It has the labels of the families that are kin, below.
            Discovery::Kin => BTreeSet::new(),
            Discovery::Family => {
                let mut pieces = self.labels.pieces(family);
                // A template may be one family in one log and several in the next.
                pieces.retain(|&label, piece| {
                    let shown = self.shown.entry(label).or_default();
                    shown.append(piece);
                    self.labels.half_shown(label, shown.len())
                });
                pieces.into_keys().collect()
            }
        };
        let mut labels: BTreeSet<LabelNo> = family.labels.iter().copied().collect();
        labels.extend(&about);
        labels.extend(self.alongside(number, family));
        labels.extend(self.texts(number).iter().flat_map(|(_, family)| &family.labels).copied());
        labels.retain(|&label| self.labels.in_force(label, now));
        if !about.is_empty() {
            self.known.entry(number).or_default().extend(about);
        }
        let Some(family) = self.families.get_mut(number as usize) else { return };
        let labels: Vec<LabelNo> = labels.into_iter().collect();
        let vouches = |label: &&LabelNo| self.labels.get(**label).is_some_and(Label::vouches);
        let changed = !labels.iter().filter(vouches).eq(family.labels.iter().filter(vouches));
        family.labels = labels;
        if changed && let Some(hypothesis) = family.hypothesis.as_deref_mut() {
            hypothesis.forget();
        }
        for &member in family.members.iter().filter(|_| changed || !family.labels.is_empty()) {
            let Some(account) = self.accounts.get_mut(member) else { continue };
            let covered = self.labels.cover(&family.labels, account, now);
            if let Some(stride) = account.strides.iter_mut().find(|stride| stride.family == number) {
                if covered {
                    stride.leave();
                }
                stride.covered = covered;
            }
        }
    }

    /// The families by text behind a family: itself, or those that are kin.
    pub(crate) fn texts(&self, number: u32) -> Vec<(u32, &Family)> {
        let own = |family: &(u32, &Family)| family.0 == number || family.1.kin == Some(number);
        let by_text =
            |family: &(u32, &Family)| family.1.discovery == Discovery::Family && family.1.merged_into.is_none();
        match self.families.get(number as usize) {
            Some(family) if family.discovery == Discovery::Kin => {
                (0..).zip(&self.families).filter(own).filter(by_text).collect()
            }
            Some(family) => vec![(number, family)].into_iter().filter(by_text).collect(),
            None => Vec::new(),
        }
    }

    /// The labels that vouch for a family which this one goes along with: a template often makes several families, and one
    /// of which at least half of the exchanges show a known template is a piece of it.
    fn alongside(&self, number: u32, family: &Family) -> BTreeSet<LabelNo> {
        let along = self.known.iter().filter(|&(&known, _)| {
            let pair = (known.min(number), known.max(number));
            let together = self.together.get(&pair).copied().unwrap_or(0);
            known != number && together > 0 && u64::from(together) * 2 >= u64::from(family.exchanges)
        });
        let labels = along.flat_map(|(_, labels)| labels).copied();
        labels.filter(|&label| self.labels.get(label).is_some_and(Label::vouches)).collect()
    }
}

/// What people said of a group, and which of its accounts nobody had looked at then.
pub(crate) fn judgements<'e>(
    engine: &Engine,
    families: impl Iterator<Item = &'e Family>,
    identity: &Identity,
    members: &[&Account],
) -> Vec<Judgement> {
    let mut labels = engine.labels.same(identity);
    let vouches = |label: &LabelNo| engine.labels.get(*label).is_some_and(Label::vouches);
    // Who came to a vetted family shows it, be it a piece; a campaign is known by half of its template only.
    labels.extend(families.flat_map(|family| &family.labels).copied().filter(vouches));
    let labels = labels.into_iter().filter_map(|number| engine.labels.get(number));
    labels.map(|label| judgement(label, members)).collect()
}

fn judgement(label: &Label, members: &[&Account]) -> Judgement {
    let new = members.iter().filter(|account| !label.identity.has(account));
    Judgement {
        label: label.id.clone(),
        verdict: label.verdict,
        by: label.by.clone(),
        time: label.time,
        reason: label.reason.clone(),
        until: label.until,
        new_accounts: new.map(|account| account.id.to_string()).collect(),
    }
}

/// By what a group is known again: the cores of its families, who is in it, and what it says of honest traffic.
pub(crate) fn identity(engine: &Engine, families: &[(u32, &Family)], members: &[&Account]) -> Identity {
    let mut texts: Vec<(u32, &Family)> = families.iter().flat_map(|&(number, _)| engine.texts(number)).collect();
    texts.sort_by_key(|&(number, _)| number);
    texts.dedup_by_key(|&mut (number, _)| number);
    let paid_for = members.iter().filter(|account| account.payer != Hash::of(&account.id));
    let habits = texts.first().and_then(|&(number, _)| Some(engine.measured(number)?.measures));
    Identity {
        infrastructure: families.iter().any(|(_, family)| family.discovery == Discovery::Infrastructure)
            || families.first().is_some_and(|(_, family)| family.discovery == Discovery::Intent),
        template: Prints(texts.iter().flat_map(|(_, family)| family.core()).collect()),
        accounts: members.iter().map(|account| account.id.to_string()).collect(),
        payers: Prints(paid_for.map(|account| account.payer.0).collect()),
        habits,
    }
}

/// A group that people vouch for.
pub(crate) struct Vetted {
    /// How it is told.
    pub(crate) cleared: Cleared,
    /// The labels about it.
    labels: BTreeSet<LabelNo>,
    /// Its largest family, by which several labels are known to be about one group.
    largest: u32,
}

impl Vetted {
    /// Whether a family is of this group, as others of the same template and those who joined it are.
    pub(crate) fn has(&self, family: &Family) -> bool {
        family.labels.iter().any(|label| self.labels.contains(label))
    }

    /// Takes in what another label says of the same group.
    fn join(&mut self, other: Vetted) {
        let accounts = &mut self.cleared.identity.accounts;
        accounts.extend(other.cleared.identity.accounts);
        self.cleared.accounts = accounts.len() as u64;
        self.cleared.reason = format!("{}; {}", self.cleared.reason, other.cleared.reason);
        self.cleared.judgements.extend(other.cleared.judgements);
        self.labels.extend(other.labels);
    }
}

/// Groups that people vouch for and that were seen, in the order of the labels, each once.
pub(crate) fn vetted(engine: &Engine) -> Vec<Vetted> {
    let mut families: BTreeMap<LabelNo, Vec<(u32, &Family)>> = BTreeMap::new();
    for (&number, about) in &engine.known {
        let Some(family) = engine.families.get(number as usize) else { continue };
        for &label in about.iter().filter(|label| family.labels.contains(label)) {
            families.entry(label).or_default().push((number, family));
        }
    }
    let mut groups: Vec<Vetted> = Vec::new();
    for (number, families) in families {
        let largest = families.iter().max_by_key(|(_, family)| names(family)).map(|&(number, _)| number);
        let of: Vec<&Family> = families.iter().map(|&(_, family)| family).collect();
        let told = engine.labels.get(number).and_then(|label| cleared(engine, label, &of));
        let Some((largest, cleared)) = largest.zip(told) else { continue };
        let group = Vetted { cleared, labels: BTreeSet::from([number]), largest };
        match groups.iter_mut().find(|known| known.largest == largest) {
            Some(known) => known.join(group),
            None => groups.push(group),
        }
    }
    groups
}

/// What names a group best: a text says more to a person than that accounts ask for the same.
fn names(family: &Family) -> (bool, u32) {
    (family.discovery == Discovery::Family, family.exchanges)
}

fn cleared(engine: &Engine, label: &Label, families: &[&Family]) -> Option<Cleared> {
    let members: BTreeSet<AccountNo> = families.iter().flat_map(|family| family.members.iter().copied()).collect();
    let members = members.into_iter().filter_map(|number| engine.accounts.get(number));
    let members: Vec<&Account> = members.filter(|account| label.identity.has(account)).collect();
    let largest = families.iter().max_by_key(|family| names(family)).filter(|_| label.vouches())?;
    (!members.is_empty()).then(|| Cleared {
        id: String::new(),
        accounts: members.len() as u64,
        exchanges: largest.exchanges.into(),
        label: crate::campaign::label(largest),
        log10_e: 0.0,
        evidence: Vec::new(),
        reason: reason(label),
        // Whoever is looked at again is who was seen now; what it says of honest traffic stays as it was.
        identity: Identity {
            accounts: members.iter().map(|account| account.id.to_string()).collect(),
            ..label.identity.clone()
        },
        judgements: vec![judgement(label, &members)],
    })
}

fn reason(label: &Label) -> String {
    let what = if label.verdict == Verdict::Research { "approved as research" } else { "vetted as honest" };
    let until = label.until.map(|until| format!(", until {until}")).unwrap_or_default();
    format!(
        "{what} by {} on {}{until} ({}): {}. Only accounts that were looked at are covered; others are tested",
        label.by, label.time, label.id, label.reason
    )
}
