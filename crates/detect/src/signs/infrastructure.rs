//! Infrastructure: do members share payment instruments, mail domains, address blocks that hardly anybody else has?
//!
//! The statistic, for each kind of value, is the share of payers that share a value with another payer of
//! the group ([`Estimate::share`]; of a payer with several accounts, the share of them), beyond what chance gives for a value as popular as it is among all others: a carrier's network and a
//! public mail service say nothing. Every address that an account used lately counts, so that an exit pool in rotation is
//! seen. Weighed against the deployment's own groups, kind by kind, and averaged over kinds: own cards, networks and mail
//! domains speak against a campaign as far as campaigns have them seldom.
//! Fails when every account has its own card and address. An office or a campus shares infrastructure honestly, which is a
//! rival.

use std::collections::BTreeMap;

use event::Hash;

use crate::evalue::mean;
use crate::signs::calibrate::{Number, Sign};
use crate::signs::distribution::Law;
use crate::signs::scene::{Scene, evidence};
use crate::state::account::Account;
use crate::state::value::{Kind, Value, Values};
use findings::number::{counted, either, grouped, one_or_many};
use findings::{Discovery, Estimate, Evidence, SignalFamily};

/// Weighs what is shared.
#[must_use]
pub(crate) fn weigh(scene: &Scene<'_>) -> Option<Evidence> {
    let members: Vec<&Account> = scene.group.iter(scene.accounts).collect();
    let measured =
        KINDS.into_iter().filter_map(|kind| Some((kind, measure(&members, kind, scene.values, scene.group.one_in)?)));
    let mut pieces: Vec<_> =
        measured.filter_map(|(kind, measured)| Some((kind, scene.others.weigh(&shared(kind)?, measured)))).collect();
    let ln_e = mean(&pieces.iter().map(|(_, weight)| weight.ln_e).collect::<Vec<_>>());
    // Who signs up together shares more than others do: over 40 simulated honest cohorts these e-values had a mean of 1.4.
    let of_cohort = scene.cluster.discovery == Discovery::SignUp;
    let ln_e = if of_cohort { mean(&[ln_e, 0.0]) } else { ln_e };
    pieces.sort_by(|a, b| b.1.ln_e.total_cmp(&a.1.ln_e));
    let &(strongest, weight) = pieces.first()?;
    let known = members.iter().filter(|account| account.holds(strongest).known()).count() as u64;
    let text = if ln_e > 0.0 {
        describe(&members, strongest, scene.values)
    } else {
        format!(
            "{} of which it is known share no payment instrument, mail domain, address block or network operator more often \
             than it is common among all accounts here.",
            counted(known, "account")
        )
    };
    let half =
        if of_cohort { " Half of it counts, since who signs up together shares more than others do." } else { "" };
    Some(evidence(SignalFamily::Infrastructure, ln_e, known, format!("{text} {}{half}", weight.basis())))
}

/// The evidence that a group was found by, for a person: it does not count.
#[must_use]
pub(crate) fn found_by(members: &[&Account], values: &Values) -> Option<Evidence> {
    let pieces = KINDS.into_iter().filter_map(|kind| Some((kind, measure(members, kind, values, 1)?)));
    let (kind, measured) = pieces.min_by(|a, b| a.1.value.total_cmp(&b.1.value))?;
    let known = members.iter().filter(|account| account.holds(kind).known()).count() as u64;
    let text = format!(
        "{} The group was found by this, so it does not count towards the threshold.",
        describe(members, kind, values)
    );
    let odds = libm::tan(-measured.value / 4.0).powi(2);
    Some(Evidence { counts: false, ..evidence(SignalFamily::Infrastructure, odds.ln().max(0.0), known, text) })
}

/// How few payers share a value of `kind` with another beyond chance: minus their share. The members are one in so many of a
/// group, of which the others hold what these do.
#[must_use]
pub(crate) fn measure(members: &[&Account], kind: Kind, values: &Values, one_in: u32) -> Option<Estimate> {
    let known: Vec<&&Account> = members.iter().filter(|account| account.holds(kind).known()).collect();
    let mut payers: BTreeMap<Hash, u32> = BTreeMap::new();
    known.iter().for_each(|account| *payers.entry(account.payer).or_default() += 1);
    if payers.len() < PAYERS_MIN {
        return None;
    }
    let mut inside: BTreeMap<Value, Holders> = BTreeMap::new();
    for account in &known {
        account.values(kind).for_each(|value| inside.entry(value).or_default().add(account.payer));
    }
    let each = u64::from(one_in);
    let outside = values.known(kind).saturating_sub(known.len() as u64 * each) as f64;
    let others = (known.len() - 1) as f64;
    let beyond_chance = |value: Value| {
        let holders = inside.get(&value)?;
        let elsewhere = values.holders(value).saturating_sub(holders.accounts * each) as f64;
        let popularity = ((elsewhere + UNSEEN) / (outside + 1.0)).min(1.0);
        // That none of the others has it by chance: more customers of a popular service than usual are no sharing.
        holders.several.then(|| libm::exp(-others * popularity))
    };
    let shares = |account: &&&Account| account.values(kind).filter_map(beyond_chance).fold(0.0, f64::max);
    let weight = |account: &Account| payers.get(&account.payer).map_or(0.0, |&accounts| 1.0 / f64::from(accounts));
    let yes: f64 = known.iter().map(|account| shares(account) * weight(account)).sum();
    let share = Estimate::share(yes, payers.len() as f64, payers.len());
    Some(Estimate { value: -share.value, ..share })
}

/// Who holds a value within a group.
#[derive(Default)]
struct Holders {
    accounts: u64,
    payer: Option<Hash>,
    /// Whether several payers do.
    several: bool,
}

impl Holders {
    fn add(&mut self, payer: Hash) {
        self.accounts += 1;
        self.several |= self.payer.is_some_and(|known| known != payer);
        self.payer = Some(payer);
    }
}

fn counts<'a>(members: impl Iterator<Item = &'a Account>, kind: Kind) -> BTreeMap<Value, u64> {
    let mut counts: BTreeMap<Value, u64> = BTreeMap::new();
    for value in members.flat_map(|account| account.values(kind)) {
        *counts.entry(value).or_default() += 1;
    }
    counts
}

/// How members hold values of `kind`, in words: the value that is most theirs and how much sharing there is.
fn describe(members: &[&Account], kind: Kind, values: &Values) -> String {
    let counts = counts(members.iter().copied(), kind);
    let known = members.iter().filter(|account| account.holds(kind).known()).count() as u64;
    let shares = |account: &&&Account| account.values(kind).any(|value| counts.get(&value).is_some_and(|&c| c > 1));
    let shared = members.iter().filter(shares).count() as u64;
    let Some((value, count)) = most_particular(&counts, kind, values) else { return String::new() };
    let elsewhere = values.holders(value).saturating_sub(count);
    format!(
        "{} of the group {} {}; {} of them {} one with another account of the group. {} {} {}, {}. Customers who have \
         nothing to do with each other share one only as often as it is common here.",
        counted(known, "account"),
        either(known, "has", "have"),
        one_or_many(counts.len() as u64, &format!("{} in all", kind.name()), &format!("different {}s", kind.name())),
        grouped(shared),
        either(shared, "shares", "share"),
        grouped(count),
        either(count, "has", "have"),
        values.name(value),
        match elsewhere {
            0 => "which no account outside the group has".to_owned(),
            1 => "which 1 account outside the group has too".to_owned(),
            more => format!("which {} accounts outside the group have too", grouped(more)),
        }
    )
}

/// The value that is most particular to those who hold `counts`: they hold it more often than the others do, and often.
#[must_use]
pub(crate) fn most_particular(counts: &BTreeMap<Value, u64>, kind: Kind, values: &Values) -> Option<(Value, u64)> {
    let known: u64 = counts.values().sum();
    let surprise = |value: Value, count: u64| {
        let elsewhere = values.holders(value).saturating_sub(count) as f64;
        let expected = known as f64 * (elsewhere + 0.5) / (values.known(kind).saturating_sub(known) as f64 + 1.0);
        count as f64 * (count as f64 / expected).ln()
    };
    let most = counts.iter().max_by(|a, b| surprise(*a.0, *a.1).total_cmp(&surprise(*b.0, *b.1)).then(b.0.cmp(a.0)));
    most.map(|(&value, &count)| (value, count))
}

/// Sharing of one kind of value as a sign; none where it is no sign.
#[must_use]
pub(crate) fn shared(kind: Kind) -> Option<Sign> {
    let number = match kind {
        Kind::Payment => Number::Payment,
        Kind::EmailDomain => Number::EmailDomain,
        Kind::Block => Number::Block,
        Kind::Asn => Number::Asn,
        Kind::Program => Number::Program,
        _ => return None,
    };
    let family = if kind == Kind::Program { SignalFamily::SignUp } else { SignalFamily::Infrastructure };
    Some(Sign { family, law: LAW, number })
}

/// How much honest groups and dispatched ones share.
const LAW: Law = Law {
    scale: 0.0,
    // One account in twenty, up to one in three.
    honest: (-0.9, 0.8),
    // Three in five, from one in seven to all.
    dispatched: (-3.5, 1.3),
    // Cards, mail domains and addresses of one's own.
    imitated: 0.4,
    smoothed: 0.5,
    one_sided: true,
};
/// Kinds in which sharing means something. Software and settings come with the tool that an honest group shares as well.
pub(crate) const KINDS: [Kind; 4] = [Kind::Payment, Kind::EmailDomain, Kind::Block, Kind::Asn];
/// A value that nobody outside has is taken to be had by so many.
const UNSEEN: f64 = 0.1;
/// Fewer known payers give no evidence.
const PAYERS_MIN: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::account::Accounts;
    use crate::state::account::tests::fact;
    use exchange::AccountFact;

    /// What `held` gives of each of `members` among 1,000 others who hold `popular` or a card of their own.
    fn of(members: usize, held: impl Fn(usize) -> String) -> f64 {
        of_payers(members, |_| None, held)
    }

    /// The same where members belong to organisations.
    fn of_payers(members: usize, org: impl Fn(usize) -> Option<&'static str>, held: impl Fn(usize) -> String) -> f64 {
        let (mut accounts, mut values) = (Accounts::default(), Values::default());
        let others = (0..1000).map(|i| if i % 3 == 0 { "popular".to_owned() } else { format!("own{i}") });
        for (i, card) in (0..members).map(held).chain(others).enumerate() {
            let id = format!("a{i}");
            let number = accounts.number(&id).unwrap();
            accounts.get_mut(number).unwrap().exchanges = 1;
            let org = org(i).filter(|_| i < members).map(Into::into);
            let fact = AccountFact { payment: Some(card.as_str().into()), org, ..fact(&id) };
            accounts.learn(&fact, &mut values);
        }
        let group: Vec<&Account> = accounts.iter().take(members).collect();
        measure(&group, Kind::Payment, &values, 1).unwrap().value
    }

    #[test]
    fn rare_cards_that_several_have_are_shared_and_popular_ones_are_not() {
        assert!(of(60, |i| format!("card{}", i / 6)) < -5.5);
        assert!(of(1000, |i| format!("card{}", i / 6)) < -4.5, "however large the group is");
        assert!(of(60, |_| "popular".into()) > -0.5);
        assert!(of(60, |i| format!("card{i}")) > -0.5);
        let half = of(60, |i| if i % 2 == 0 { format!("card{}", i / 8) } else { format!("single{i}") });
        assert!((half + std::f64::consts::PI).abs() < 0.3, "{half}");
    }

    #[test]
    fn what_only_the_rest_of_a_group_holds_is_not_held_elsewhere() {
        let (mut accounts, mut values) = (Accounts::default(), Values::default());
        for i in 0..1400 {
            let id = format!("a{i}");
            let number = accounts.number(&id).unwrap();
            accounts.get_mut(number).unwrap().exchanges = 1;
            let card = if i < 400 { format!("card{}", i % 5) } else { format!("own{i}") };
            accounts.learn(&AccountFact { payment: Some(card.as_str().into()), ..fact(&id) }, &mut values);
        }
        // Each fourth of the group, of five cards; the others of it hold the same.
        let sample: Vec<&Account> = accounts.iter().take(400).step_by(4).collect();
        let of = |one_in| measure(&sample, Kind::Payment, &values, one_in).unwrap().value;
        assert!(of(4) < -5.5 && of(1) > of(4) + 2.0, "{} {}", of(4), of(1));
    }

    #[test]
    fn an_organisation_of_many_seats_counts_once() {
        // All but twenty are seats of one, and share a card with one of the others.
        let held = |i: usize| if i < 41 { "shared".to_owned() } else { format!("own{i}") };
        let firm = of_payers(60, |i| (i < 40).then_some("firm"), held);
        assert!(firm > -1.6 && of(60, held) < -3.5, "{firm}");
    }
}
