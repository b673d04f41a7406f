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

/// Groups of accounts that signed up in bursts, at most [`GROUPS_MAX`]. An account is in one.
#[must_use]
pub(crate) fn groups(accounts: &Accounts, now: Time) -> Vec<Cohort> {
    let all = sign_ups(accounts);
    let mut by_software: BTreeMap<Value, Vec<i64>> = BTreeMap::new();
    all.iter().for_each(|one| by_software.entry(one.software).or_default().push(one.time));
    let mut found = bursts(&all.iter().map(|one| one.time).collect::<Vec<_>>(), None, now);
    found.extend(by_software.iter().flat_map(|(&software, times)| bursts(times, Some(software), now)));
    let mut taken: HashSet<AccountNo, FixedState> = HashSet::default();
    let mut groups = Vec::new();
    for found in in_turn(found) {
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
        // What others have left of it must be a burst as well.
        if groups.len() < GROUPS_MAX && is_burst(members.len(), usual) {
            taken.extend(&members);
            let software = found.software.map_or(Software::AllBut(others), Software::Only);
            let burst = Burst { from: found.from, to: found.to, software };
            groups.push(Cohort { burst, chance: usual / members.len() as f64, accounts: members });
        }
    }
    groups
}

/// The most pronounced first, but for those within it that are so much denser that they are bursts of their own, which come before it. Pieces of it
/// are left out.
fn in_turn(mut found: Vec<Found>) -> Vec<Found> {
    let which = |one: &Found| (one.from, one.to, one.software);
    found.sort_by(|a, b| b.weight.total_cmp(&a.weight).then_with(|| which(a).cmp(&which(b))));
    found.truncate(FOUND_MAX);
    let mut turns = Vec::new();
    let mut left = found;
    while !left.is_empty() {
        let most = left.remove(0);
        let (mut within, beside): (Vec<Found>, Vec<Found>) = left.into_iter().partition(|one| one.is_within(&most));
        within.retain(|one| one.rate() >= DENSER * most.rate());
        within.sort_by_key(|one| one.seconds);
        turns.extend(within);
        turns.push(most);
        left = beside;
    }
    turns
}

/// One account that signed up.
struct SignUp {
    time: i64,
    software: Value,
    number: AccountNo,
}

/// When who signed up that asked something, in order: of an organisation the first.
fn sign_ups(accounts: &Accounts) -> Vec<SignUp> {
    let signed_up = || {
        let asks = |account: &&Account| account.exchanges > 0 && !account.vetted;
        (0..).zip(accounts.iter()).filter(move |(_, account)| asks(account)).filter_map(|(number, account)| {
            let (time, software) = (account.created?.seconds(), account.holds(Kind::Software));
            Some(SignUp { time, software, number })
        })
    };
    // Counted first: to grow into room for a million would take several times as much.
    let mut all = Vec::with_capacity(signed_up().count());
    all.extend(signed_up());
    all.sort_unstable_by_key(|one: &SignUp| (one.time, one.number));
    let mut organisations: HashSet<Hash, FixedState> = HashSet::default();
    all.retain(|one| {
        let Some(account) = accounts.get(one.number) else { return false };
        account.payer == Hash::of(&account.id) || organisations.insert(account.payer)
    });
    all
}

/// A burst that was found.
struct Found {
    from: i64,
    to: i64,
    /// How long it took, or the window in which it was found, in seconds.
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
    /// Whether another includes all who signed up in it.
    fn is_within(&self, more: &Found) -> bool {
        more.from <= self.from && self.to <= more.to && (more.software.is_none() || more.software == self.software)
    }

    /// How many signed up a second.
    fn rate(&self) -> f64 {
        self.count as f64 / self.seconds as f64
    }

    /// The same with what comes before and after it at such a rate.
    fn extended(self, times: &[i64]) -> Found {
        let (step, usual) = (self.seconds / PIECES, self.usual / PIECES as f64);
        let goes_on = |count: usize| count > 0 && usual <= CHANCE_MAX * count as f64;
        let (mut from, mut to) = (self.from, self.to);
        let mut begin = times.partition_point(|&time| time < from);
        let mut end = times.partition_point(|&time| time <= to);
        loop {
            let next = times.partition_point(|&time| time <= to + step);
            if !goes_on(next - end) {
                break;
            }
            end = next;
            to = times.get(end - 1).copied().unwrap_or(to);
        }
        loop {
            let next = times.partition_point(|&time| time < from - step);
            if !goes_on(begin - next) {
                break;
            }
            begin = next;
            from = times.get(begin).copied().unwrap_or(from);
        }
        let seconds = self.seconds.max(to - from);
        let (count, usual) = (end - begin, self.usual * seconds as f64 / self.seconds as f64);
        Found { from, to, seconds, count, usual, weight: weight(count, usual), ..self }
    }
}

/// Whether so many signed up in a burst, where so many are usual.
fn is_burst(count: usize, usual: f64) -> bool {
    count >= PAYERS_MIN && usual <= CHANCE_MAX * count as f64
}

/// How much likelier (ln) so many are in a burst than where so many are usual.
fn weight(count: usize, usual: f64) -> f64 {
    usual - count as f64 * (1.0 + (usual / count as f64).ln())
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
            if !is_burst(count, usual) {
                continue;
            }
            let weight = weight(count, usual);
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
    found.into_iter().map(|one| one.extended(times)).collect()
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
/// A burst is followed beyond its window in pieces of so many parts of it.
const PIECES: i64 = 8;
/// A window is looked at more closely where so many times as many signed up as in the mean of all of them.
const LOOKED_AT: usize = 2;
/// One in so many more who signed up make a window clearly better than the one beside it.
const CLEARLY: usize = 32;
/// Fewer payers are no cohort: twice as many as a group needs, since not all of them go on.
const PAYERS_MIN: usize = 12;
/// The share of a cohort that would have signed up at the usual rate, at most: whoever is in it is told as one of it. Of the fewest payers so many are
/// e^24 times as likely in a burst: among the sixteen million windows of a million accounts chance makes one in two thousand times.
const CHANCE_MAX: f64 = 0.05;
/// A burst that is so many times as dense as a longer one around it is one of its own.
const DENSER: f64 = 3.0;
/// Bursts that are compared with each other, the most pronounced: each cohort is found at every scale, with all software and with its own.
const FOUND_MAX: usize = 16 * GROUPS_MAX;

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
    fn of_too_many_bursts_the_most_pronounced_are_compared() {
        for (given, kept) in [(FOUND_MAX, FOUND_MAX), (FOUND_MAX + 1, FOUND_MAX)] {
            let one = |at: usize| {
                let from = at as i64 * DAY;
                let weight = at as f64;
                Found { from, to: from + HOUR, seconds: HOUR, software: None, count: 12, usual: 0.1, weight }
            };
            let turns = in_turn((0..given).map(one).collect());
            assert_eq!(turns.len(), kept);
            assert_eq!(turns.last().unwrap().from, (given - kept) as i64 * DAY);
        }
    }

    #[test]
    fn accounts_that_ask_nothing_and_those_of_a_contract_are_in_none() {
        let mut all = strangers();
        all.extend((0..24).map(|i| (300 * DAY + i * 60, "axios", None)));
        let change: [fn(&mut Account); 3] = [|_| (), |account| account.exchanges = 0, |account| account.vetted = true];
        for (change, found) in change.into_iter().zip([24, 12, 12]) {
            let mut accounts = world(&all);
            (1200..1212).for_each(|number| change(accounts.get_mut(number).unwrap()));
            assert_eq!(sizes(&accounts), [found]);
        }
    }

    #[test]
    fn what_is_usual_is_known_by_the_windows_on_either_side_without_the_fullest() {
        let from = 300 * DAY;
        let before: Vec<i64> = (0..1000).map(|i| from - 100 * HOUR + i * HOUR / 10).collect();
        let of = |times: &[i64], now| usual(times, from, HOUR, Time::from_seconds(now));
        assert_eq!(
            of(&before, from + 9 * HOUR),
            Some((4.0 * 10.0 + 1.0) / 12.0),
            "half of them are empty, four are left out"
        );
        assert_eq!(of(&before, from + HOUR), Some((6.0 * 10.0 + 1.0) / 6.0), "nobody signed up after now");
        let after: Vec<i64> = (0..1000).map(|i| from + i * HOUR / 10).collect();
        assert_eq!(of(&after, from + 9 * HOUR), Some((6.0 * 10.0 + 1.0) / 6.0), "nor before the first");
        assert_eq!(of(&after, from + HOUR), None);
    }

    #[test]
    fn what_others_have_left_of_a_burst_is_one_where_enough_is_left() {
        for (others, found) in [(20, vec![60, 20]), (5, vec![60])] {
            let mut all = strangers();
            all.extend((0..60).map(|i| (300 * DAY + i * HOUR / 4, "axios", None)));
            let of_many = ["curl", "go", "java", "ruby"];
            all.extend((0..others).map(|i| (300 * DAY + i * HOUR / 4, of_many[i as usize % 4], None)));
            assert_eq!(sizes(&world(&all)), found, "{others}");
        }
    }

    #[test]
    fn a_burst_is_found_whole_however_long_it_takes() {
        for hours in [3, 20, 36, 90, 200] {
            let mut all = strangers();
            all.extend((0..8 * hours).map(|i| (300 * DAY + i * HOUR / 8, "axios", None)));
            assert_eq!(sizes(&world(&all)), [8 * hours as usize], "{hours}");
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
