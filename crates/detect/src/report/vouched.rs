//! How labels are told: what people said of a group, and groups that they vouch for.

use std::collections::{BTreeMap, BTreeSet};

use event::Hash;

use crate::labels::Label;
use crate::report::template;
use crate::report::view::View;
use crate::state::account::{Account, AccountNo};
use crate::state::cluster::{Cluster, LabelNo};
use findings::{Cleared, Discovery, Identity, Judgement, Prints, Verdict};

/// What people said of a group, and which of its accounts nobody had looked at then.
pub(crate) fn judgements<'e>(
    view: View<'_>,
    clusters: impl Iterator<Item = &'e Cluster>,
    identity: &Identity,
    members: &[&Account],
) -> Vec<Judgement> {
    let mut labels = view.judge.labels.same(identity);
    let vouches = |label: &LabelNo| view.judge.labels.get(*label).is_some_and(Label::vouches);
    // Who came to a vetted cluster shows it, be it a piece; a campaign is known by half of its template only.
    labels.extend(clusters.flat_map(|cluster| &cluster.labels).copied().filter(vouches));
    let labels = labels.into_iter().filter_map(|number| view.judge.labels.get(number));
    labels.map(|label| judgement(label, members)).collect()
}

fn judgement(label: &Label, members: &[&Account]) -> Judgement {
    let new = members.iter().filter(|account| !label.identity.has(&account.id, account.payer.0));
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

/// By what a group is known again: the cores of its clusters, who is in it, and what it says of honest traffic.
pub(crate) fn identity(view: View<'_>, clusters: &[(u32, &Cluster)], members: &[&Account]) -> Identity {
    let mut texts: Vec<(u32, &Cluster)> = clusters.iter().flat_map(|&(number, _)| view.state.texts(number)).collect();
    texts.sort_by_key(|&(number, _)| number);
    texts.dedup_by_key(|&mut (number, _)| number);
    let paid_for = members.iter().filter(|account| account.payer != Hash::of(&account.id));
    let habits = texts.first().and_then(|&(number, _)| Some(view.judge.measured(view.state, number)?.measures));
    Identity {
        infrastructure: clusters.iter().any(|(_, cluster)| cluster.is_of_accounts())
            || clusters.first().is_some_and(|(_, cluster)| cluster.discovery == Discovery::Intent),
        template: Prints(texts.iter().flat_map(|(_, cluster)| cluster.core()).collect()),
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
    /// Its largest cluster, by which several labels are known to be about one group.
    largest: u32,
}

impl Vetted {
    /// Whether a cluster is of this group, as others of the same template and those who joined it are.
    pub(crate) fn has(&self, cluster: &Cluster) -> bool {
        cluster.labels.iter().any(|label| self.labels.contains(label))
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
pub(crate) fn vetted(view: View<'_>) -> Vec<Vetted> {
    let mut clusters: BTreeMap<LabelNo, Vec<(u32, &Cluster)>> = BTreeMap::new();
    for (&number, about) in &view.state.known {
        let Some(cluster) = view.state.clusters.get(number as usize) else { continue };
        for &label in about.iter().filter(|label| cluster.labels.contains(label)) {
            clusters.entry(label).or_default().push((number, cluster));
        }
    }
    let mut groups: Vec<Vetted> = Vec::new();
    for (number, clusters) in clusters {
        let largest = clusters.iter().max_by_key(|(_, cluster)| names(cluster)).map(|&(number, _)| number);
        let of: Vec<&Cluster> = clusters.iter().map(|&(_, cluster)| cluster).collect();
        let told = view.judge.labels.get(number).and_then(|label| cleared(view, label, &of));
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
fn names(cluster: &Cluster) -> (bool, u32) {
    (cluster.discovery == Discovery::Text, cluster.exchanges)
}

fn cleared(view: View<'_>, label: &Label, clusters: &[&Cluster]) -> Option<Cleared> {
    let members: BTreeSet<AccountNo> = clusters.iter().flat_map(|cluster| cluster.members.iter().copied()).collect();
    let members = members.into_iter().filter_map(|number| view.state.accounts.get(number));
    let members: Vec<&Account> = members.filter(|account| label.identity.has(&account.id, account.payer.0)).collect();
    let largest = clusters.iter().max_by_key(|cluster| names(cluster)).filter(|_| label.vouches())?;
    (!members.is_empty()).then(|| Cleared {
        id: String::new(),
        accounts: members.len() as u64,
        exchanges: largest.exchanges.into(),
        label: template::name(largest),
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
