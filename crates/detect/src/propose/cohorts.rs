//! The third way to discover a group: payers that signed up in one burst, whatever they ask.
//!
//! Accounts that somebody makes in bulk sign up much closer together than strangers do. For windows from an hour to five days the sign-ups of all
//! payers, and of those with the same software, are compared with those of the windows around; where so many came that at most one in twenty
//! would have at the usual rate, they are a *cohort*, without those whose software would have brought more of them. A launch, a class and a
//! hackathon sign up in bursts too, which is why a cohort is a trial only and its sign-ups count nothing in the test.
//! Deterministic; O(accounts log accounts) each time. Accounts of which nobody knows when they signed up are in none.

use std::collections::{BTreeMap, HashSet};

use event::Hash;
use exchange::Time;
use foldhash::fast::FixedState;

use crate::limits::GROUPS_MAX;
use crate::state::account::{Account, AccountNo, Accounts};
use crate::state::sign_ups::{Burst, Software};
use crate::state::value::{Kind, Value};

/// Accounts that signed up in a burst.
pub(crate) struct Cohort {
    /// The burst.
    pub burst: Burst,
    /// Its accounts.
    pub accounts: Vec<AccountNo>,
    /// The share of them that would have signed up at the usual rate.
    pub chance: f64,
}

/// Groups of accounts that signed up in bursts, the shortest first, at most [`GROUPS_MAX`]. An account is in one.
#[must_use]
pub(crate) fn groups(accounts: &Accounts, now: Time) -> Vec<Cohort> {
    let all = sign_ups(accounts);
    let mut by_software: BTreeMap<Value, Vec<i64>> = BTreeMap::new();
    all.iter().for_each(|one| by_software.entry(one.software).or_default().push(one.time));
    let mut found = bursts(&all.iter().map(|one| one.time).collect::<Vec<_>>(), None, now);
    found.extend(by_software.iter().flat_map(|(&software, times)| bursts(times, Some(software), now)));
    let which = |one: &Found| (one.from, one.to, one.software);
    found.sort_by(|a, b| b.weight.total_cmp(&a.weight).then_with(|| which(a).cmp(&which(b))));
    found.truncate(FOUND_MAX);
    let part = |(at, one): &(usize, &Found)| found.iter().take(*at).any(|more| one.is_part_of(more));
    let mut found: Vec<&Found> = found.iter().enumerate().filter(|one| !part(one)).map(|(_, one)| one).collect();
    found.sort_by_key(|one| one.seconds);
    let mut taken: HashSet<AccountNo, FixedState> = HashSet::default();
    let mut groups = Vec::new();
    for found in found {
        let from = all.partition_point(|one| one.time < found.from);
        let within = all.get(from..).unwrap_or_default().iter().take_while(|one| one.time <= found.to);
        let own = within.filter(|one| found.software.is_none_or(|software| one.software == software));
        let mut free: BTreeMap<Value, Vec<AccountNo>> = BTreeMap::new();
        for one in own.filter(|one| !taken.contains(&one.number)) {
            free.entry(one.software).or_default().push(one.number);
        }
        let (mut members, mut usual, mut others) = (Vec::new(), 0.0, Vec::new());
        for (software, mut numbers) in free {
            // Of those who would have come anyway so many use this software, as all others do.
            let used = by_software.get(&software).map_or(0, Vec::len).saturating_sub(numbers.len());
            let share = (used + 1) as f64 / (all.len().saturating_sub(found.count) + 1) as f64;
            let would = if found.software.is_some() { found.usual } else { found.usual * share };
            if would <= CHANCE_MAX * numbers.len() as f64 {
                members.append(&mut numbers);
                usual += would;
            } else {
                others.push(software);
            }
        }
        // What is left of a burst beside others is none.
        let enough = members.len() >= PAYERS_MIN && members.len() * LEFT.1 >= found.count * LEFT.0;
        if enough && groups.len() < GROUPS_MAX {
            taken.extend(&members);
            let software = found.software.map_or(Software::AllBut(others), Software::Only);
            let burst = Burst { from: found.from, to: found.to, software };
            groups.push(Cohort { burst, chance: usual / members.len() as f64, accounts: members });
        }
    }
    groups
}

/// One account that signed up.
struct SignUp {
    time: i64,
    software: Value,
    number: AccountNo,
}

/// When who signed up that asked something, in order: of an organisation the first.
fn sign_ups(accounts: &Accounts) -> Vec<SignUp> {
    let asks = |account: &&Account| account.exchanges > 0 && !account.vetted;
    let mut all: Vec<(SignUp, &Account)> = (0..)
        .zip(accounts.iter())
        .filter(|(_, account)| asks(account))
        .filter_map(|(number, account)| {
            let (time, software) = (account.created?.seconds(), account.holds(Kind::Software));
            Some((SignUp { time, software, number }, account))
        })
        .collect();
    all.sort_unstable_by_key(|(one, _)| (one.time, one.number));
    let mut organisations: HashSet<Hash, FixedState> = HashSet::default();
    let first = |(one, account): (SignUp, &Account)| {
        (account.payer == Hash::of(&account.id) || organisations.insert(account.payer)).then_some(one)
    };
    all.into_iter().filter_map(first).collect()
}

/// A burst that was found.
struct Found {
    from: i64,
    to: i64,
    /// How long the window was, in seconds.
    seconds: i64,
    /// The software that was looked at; none where all were.
    software: Option<Value>,
    /// How many signed up in it,
    count: usize,
    /// how many would have at the usual rate,
    usual: f64,
    /// and how much likelier (ln) so many are where they come in a burst.
    weight: f64,
}

impl Found {
    /// Whether it is a piece of a more pronounced burst, and not so much denser that it is one of its own within that.
    fn is_part_of(&self, more: &Found) -> bool {
        let rate = |one: &Found| one.count as f64 / one.seconds as f64;
        more.from <= self.from && self.to <= more.to && rate(self) < DENSER * rate(more)
    }
}

/// Bursts among sorted times of sign-ups, at each scale of those that overlap the most pronounced.
fn bursts(times: &[i64], software: Option<Value>, now: Time) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    if times.len() < PAYERS_MIN {
        return found;
    }
    for seconds in (0..=DOUBLED).map(|doubled| SHORTEST << doubled) {
        let mut last: Option<Found> = None;
        // The places of the first who signed up after the window, before all windows beside it, and after all of them.
        let (mut next, mut low, mut high) = (0, 0, 0);
        let past = |place: &mut usize, time: i64| {
            while times.get(*place).is_some_and(|&other| other <= time) {
                *place += 1;
            }
            *place
        };
        for (at, &from) in times.iter().enumerate() {
            let count = past(&mut next, from + seconds) - at;
            let all = past(&mut high, from + (BESIDE + 1) * seconds) - past(&mut low, from - BESIDE * seconds - 1);
            // Beside a better one only what is clearly better matters.
            let beside = last.as_ref().filter(|last| last.to >= from).map(|last| last.count + last.count / CLEARLY);
            if count < beside.unwrap_or(PAYERS_MIN) || count * WINDOWS < LOOKED_AT * all {
                continue;
            }
            let Some(usual) = usual(times, from, seconds, now) else { continue };
            let chance = usual / count as f64;
            let weight = usual - count as f64 * (1.0 + chance.ln());
            if chance > CHANCE_MAX || weight < WEIGHT_MIN {
                continue;
            }
            let Some(&to) = times.get(next - 1) else { continue };
            let one = Found { from, to, seconds, software, count, usual, weight };
            match &mut last {
                Some(last) if last.to >= from => {
                    if weight > last.weight {
                        *last = one;
                    }
                }
                _ => found.extend(last.replace(one)),
            }
        }
        found.extend(last);
    }
    found
}

/// How many sign up in so many seconds around a window that begins there: the mean of the windows beside it without the fullest quarter, so that
/// other bursts do not hide this one. None where there are no such windows, since nobody signed up before the first or after now.
fn usual(times: &[i64], from: i64, seconds: i64, now: Time) -> Option<f64> {
    let &first = times.first()?;
    let until = |time: i64| times.partition_point(|&other| other < time);
    let window = |step: i64| {
        let begins = from + step * seconds;
        (begins >= first && begins + seconds <= now.seconds()).then(|| until(begins + seconds) - until(begins))
    };
    let mut counts: Vec<usize> = (1..=BESIDE).flat_map(|step| [-step, step]).filter_map(window).collect();
    counts.sort_unstable();
    counts.truncate(counts.len() - counts.len() / 4);
    (!counts.is_empty()).then(|| (counts.iter().sum::<usize>() + 1) as f64 / counts.len() as f64)
}

/// The longest of the windows is twice as long as the shortest so many times: 128 hours.
const DOUBLED: u32 = 7;
/// The shortest of them, in seconds.
const SHORTEST: i64 = 3600;
/// Windows on either side that one is compared with,
const BESIDE: i64 = 8;
/// and all of them with it.
const WINDOWS: usize = 2 * BESIDE as usize + 1;
/// A window is looked at more closely where so many times as many signed up as in the mean of all of them.
const LOOKED_AT: usize = 2;
/// One in so many more who signed up make a window clearly better than the one beside it.
const CLEARLY: usize = 32;
/// Fewer payers are no cohort: twice as many as a group needs, since not all of them go on.
const PAYERS_MIN: usize = 12;
/// The share of a cohort that would have signed up at the usual rate, at most: whoever is in it is told as one of it.
const CHANCE_MAX: f64 = 0.05;
/// How much likelier (ln) a burst is than the usual rate, at least. Among the ten million windows of a million accounts chance makes one in
/// fifty.
const WEIGHT_MIN: f64 = 20.0;
/// A burst that is so many times as dense as a longer one around it is one of its own.
const DENSER: f64 = 3.0;
/// Bursts that are compared with each other, the most pronounced: each cohort is found at every scale, with all software and with its own.
const FOUND_MAX: usize = 16 * GROUPS_MAX;
/// The share of a burst that is left beside others, at least.
const LEFT: (usize, usize) = (3, 4);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::account::tests::fact;
    use crate::state::value::Values;
    use exchange::AccountFact;

    const HOUR: i64 = 3600;
    const DAY: i64 = 24 * HOUR;
    const NOW: Time = Time::from_seconds(400 * DAY);

    /// Accounts that signed up at these times, with this software, each its own payer or one of an organisation.
    fn world(signed_up: &[(i64, &str, Option<&str>)]) -> Accounts {
        let (mut accounts, mut values) = (Accounts::default(), Values::default());
        for (i, &(time, software, org)) in signed_up.iter().enumerate() {
            let id = format!("a{i:04}");
            let number = accounts.number(&id).unwrap();
            let account = accounts.get_mut(number).unwrap();
            account.exchanges = 1;
            *account.held.get_mut(Kind::Software as usize).unwrap() = values.intern(Kind::Software, software);
            account.payer = org.map_or(account.payer, Hash::of);
            accounts.learn(&AccountFact { created: Some(Time::from_seconds(time)), ..fact(&id) }, &mut values);
        }
        accounts
    }

    /// One stranger every seven hours or so, for a year, with one of a few programs.
    fn strangers() -> Vec<(i64, &'static str, Option<&'static str>)> {
        let programs = ["browser", "python", "node"];
        (0..1200).map(|i: i64| (i * 7 * HOUR + i * 7919 % HOUR, programs[i as usize % 3], None)).collect()
    }

    fn sizes(accounts: &Accounts) -> Vec<usize> {
        groups(accounts, NOW).iter().map(|cohort| cohort.accounts.len()).collect()
    }

    #[test]
    fn accounts_made_in_bulk_are_a_cohort_and_strangers_are_none() {
        let mut all = strangers();
        assert!(groups(&world(&all), NOW).is_empty());
        all.extend((0..60).map(|i| (300 * DAY + i * HOUR / 4, "axios", None)));
        let accounts = world(&all);
        let found = groups(&accounts, NOW);
        let [Cohort { burst, accounts: members, chance }] = found.as_slice() else { panic!("{}", found.len()) };
        assert_eq!(*members, (1200..1260).collect::<Vec<_>>());
        assert_eq!((burst.from, burst.to), (300 * DAY, 300 * DAY + 59 * HOUR / 4));
        assert!((0.0..0.01).contains(chance), "{chance}");
        for (number, inside) in [(1200, true), (1259, true), (1028, false), (1030, false)] {
            assert_eq!(burst.has(accounts.get(number).unwrap()), inside, "{number}");
        }
    }

    #[test]
    fn a_burst_within_the_usual_traffic_shows_by_its_software() {
        // As many sign-ups as on other days, but one program's.
        let steady = |program: &'static str| (0..9600).map(move |i| (i * HOUR, program, None));
        let mut all: Vec<_> = steady("browser").collect();
        all.extend((0..24).map(|i| (300 * DAY + i * HOUR / 4, "axios", None)));
        assert_eq!(sizes(&world(&all)), [24]);
    }

    #[test]
    fn so_many_payers_are_a_cohort_and_seats_of_one_organisation_are_one() {
        let burst = |count: i64, org| (0..count).map(move |i| (300 * DAY + i * 60, "axios", org));
        for (own, seats, found) in [(12, 0, vec![12]), (11, 0, vec![]), (11, 40, vec![12]), (0, 40, vec![])] {
            let mut all = strangers();
            all.extend(burst(own, None).chain(burst(seats, Some("firm"))));
            assert_eq!(sizes(&world(&all)), found, "{own} and {seats} seats");
        }
    }

    #[test]
    fn a_day_on_which_many_sign_up_is_a_cohort_only_where_hardly_anybody_else_does() {
        // Around it so many a day sign up.
        for (usual, found) in [(1, true), (4, true), (8, false)] {
            let mut all: Vec<_> = (0..400 * usual).map(|i| (i * DAY / usual, "browser", None)).collect();
            all.extend((0..100).map(|i| (300 * DAY + i * DAY / 100, "browser", None)));
            assert_eq!(!sizes(&world(&all)).is_empty(), found, "{usual} a day");
        }
    }

    #[test]
    fn a_dense_burst_within_a_longer_one_is_a_cohort_of_its_own_and_a_piece_of_one_is_not() {
        for (dense, found) in [(60, vec![60, 300]), (20, vec![320])] {
            let mut all = strangers();
            all.extend((0..300).map(|i| (300 * DAY + i * HOUR / 18, "axios", None)));
            all.extend((0..dense).map(|i| (300 * DAY + 20 * HOUR + i * 60, "axios", None)));
            assert_eq!(sizes(&world(&all)), found, "{dense}");
        }
    }

    #[test]
    fn too_many_cohorts_are_cut_at_the_limit() {
        for (given, kept) in [(GROUPS_MAX, GROUPS_MAX), (GROUPS_MAX + 1, GROUPS_MAX)] {
            let all =
                (0..given as i64).flat_map(|cohort| (0..16).map(move |i| (cohort * 40 * DAY + i * 60, "axios", None)));
            let accounts = world(&all.collect::<Vec<_>>());
            assert_eq!(groups(&accounts, Time::from_seconds(given as i64 * 40 * DAY)).len(), kept);
        }
    }
}
