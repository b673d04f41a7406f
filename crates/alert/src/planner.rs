//! What is to be told when: a state machine over the time and what detection says, without IO or clock.
//!
//! Promises that a campaign is told once when it is detected, at most once in [`Rules::repeat_seconds`] when accounts joined it, and once
//! when it stands no longer; that one which comes back within [`Rules::settle_seconds`] was never gone; and that in quiet hours nothing is lost:
//! what came up is told at their end, put together. What was told outlives the process as [`Kept`].

use std::collections::{BTreeMap, BTreeSet};

use exchange::Time;
use serde::{Deserialize, Serialize};
use watch::{Board, Campaign};
use xxhash_rust::xxh3::xxh3_64;

use crate::limits::CAMPAIGNS_MAX;
use crate::notice::{Kind, Notice};
use crate::quiet::Quiet;

/// How often and when a destination is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// How many seconds lie between two alerts of accounts that joined one campaign.
    pub repeat_seconds: i64,
    /// After how many seconds a campaign that stands no longer counts as gone.
    pub settle_seconds: i64,
    /// When nothing is told that can wait.
    pub quiet: Option<Quiet>,
    /// Whether a campaign that was detected waits as well.
    pub quiet_detected: bool,
}

/// What was told to a destination.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// Since which beginning campaigns have their names.
    #[serde(default)]
    generation: u64,
    campaigns: BTreeMap<String, Known>,
}

/// A campaign that is known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Known {
    /// When it was told last; never, for one that waits for the end of quiet hours.
    told: Option<Time>,
    /// Since when it is on the board no more. Not written down: while the process did not run, nobody looked, so after a start the time counts
    /// anew.
    #[serde(skip)]
    gone: Option<Time>,
    /// Its members when it was told last, as hashes.
    members: BTreeSet<u64>,
    /// How it stood when it was seen last, but for its members.
    since: Time,
    accounts: usize,
    log10_e: f64,
    log10_threshold: f64,
    rival: String,
}

/// Says what is to be told to one destination.
#[derive(Clone, Debug)]
pub struct Planner {
    rules: Rules,
    kept: Kept,
    revision: u64,
}

impl Planner {
    /// One that goes on from what was told.
    #[must_use]
    pub fn new(rules: Rules, kept: Kept) -> Planner {
        Planner { rules, kept, revision: 0 }
    }

    /// What was told.
    #[must_use]
    pub fn kept(&self) -> &Kept {
        &self.kept
    }

    /// Greater with each change of what was told. How campaigns stand changes more often, and is not worth writing down each time.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// What is to be told now, in the order of the campaigns. While detection is far behind what is recorded (`is_behind`), no campaign counts
    /// as gone: it may read the record anew, and come to those that stood when it is done.
    pub fn step(&mut self, now: Time, board: &Board, is_behind: bool) -> Vec<Notice> {
        let is_quiet = self.rules.quiet.is_some_and(|quiet| quiet.contains(now));
        let mut notices = Vec::new();
        if self.kept.generation != board.generation && !board.campaigns.is_empty() {
            // Names begin anew: what was told is of other campaigns.
            self.kept = Kept { generation: board.generation, ..Kept::default() };
            self.revision += 1;
        }
        for campaign in &board.campaigns {
            notices.extend(self.standing(now, is_quiet, campaign));
        }
        let standing: BTreeSet<&str> = board.campaigns.iter().map(|campaign| campaign.id.as_str()).collect();
        if !is_behind {
            notices.extend(self.withdrawn(now, is_quiet, &standing));
        }
        notices
    }

    /// What is to be told of a campaign that stands.
    fn standing(&mut self, now: Time, is_quiet: bool, campaign: &Campaign) -> Option<Notice> {
        let generation = self.kept.generation;
        if !self.kept.campaigns.contains_key(&campaign.id) {
            self.make_room()?;
            self.revision += 1;
        }
        let known = self.kept.campaigns.entry(campaign.id.clone()).or_insert_with(|| Known::of(campaign));
        known.see(now, campaign);
        match known.told {
            None if is_quiet && self.rules.quiet_detected => None,
            None => {
                self.revision += 1;
                known.tell(now, campaign);
                Some(known.notice(Kind::Detected, now, (generation, &campaign.id), 0))
            }
            Some(told) => {
                let is_due = !is_quiet && passed(told, now) >= self.rules.repeat_seconds;
                let joined = if is_due { known.joined(campaign) } else { 0 };
                (joined > 0).then(|| {
                    self.revision += 1;
                    known.tell(now, campaign);
                    known.notice(Kind::Joined, now, (generation, &campaign.id), joined)
                })
            }
        }
    }

    /// What is to be told of campaigns that stand no longer.
    fn withdrawn(&mut self, now: Time, is_quiet: bool, standing: &BTreeSet<&str>) -> Vec<Notice> {
        let mut notices = Vec::new();
        let (settle_seconds, generation) = (self.rules.settle_seconds, self.kept.generation);
        self.kept.campaigns.retain(|id, known| {
            if standing.contains(id.as_str()) {
                return true;
            }
            let gone = known.gone.map_or(now, |gone| gone.min(now));
            known.gone = Some(gone);
            if passed(gone, now) < settle_seconds {
                return true;
            }
            if known.told.is_none() {
                // Whoever never heard of it need not hear that it is gone.
                self.revision += 1;
                return false;
            }
            if !is_quiet {
                self.revision += 1;
                notices.push(known.notice(Kind::Withdrawn, now, (generation, id), 0));
            }
            is_quiet
        });
        notices
    }

    /// Makes room for another campaign, where there is none; `None` where all that are known stand.
    fn make_room(&mut self) -> Option<()> {
        if self.kept.campaigns.len() < CAMPAIGNS_MAX {
            return Some(());
        }
        let gone = self.kept.campaigns.iter().filter(|(_, known)| known.gone.is_some());
        let longest = gone.min_by_key(|(_, known)| known.gone).map(|(other, _)| other.clone())?;
        self.kept.campaigns.remove(&longest).map(drop)
    }
}

impl Known {
    fn of(campaign: &Campaign) -> Known {
        Known {
            told: None,
            gone: None,
            members: BTreeSet::new(),
            since: campaign.since,
            accounts: 0,
            log10_e: written(campaign.log10_e),
            log10_threshold: written(campaign.log10_threshold),
            rival: campaign.rival.clone(),
        }
    }

    /// Takes note of how it stands.
    fn see(&mut self, now: Time, campaign: &Campaign) {
        self.gone = None;
        // A clock that was put back starts the wait anew, and does not make it longer.
        self.told = self.told.map(|told| told.min(now));
        self.since = campaign.since;
        self.accounts = campaign.members.len();
        self.log10_e = written(campaign.log10_e);
        self.log10_threshold = written(campaign.log10_threshold);
        if self.rival != campaign.rival {
            self.rival.clone_from(&campaign.rival);
        }
    }

    fn tell(&mut self, now: Time, campaign: &Campaign) {
        self.told = Some(now);
        self.members = campaign.members.iter().map(|member| xxh3_64(member.account.as_bytes())).collect();
    }

    /// How many belong to it who did not when it was told last.
    fn joined(&self, campaign: &Campaign) -> usize {
        let is_new = |account: &str| !self.members.contains(&xxh3_64(account.as_bytes()));
        campaign.members.iter().filter(|member| is_new(&member.account)).count()
    }

    fn notice(&self, kind: Kind, time: Time, (generation, campaign): (u64, &str), joined: usize) -> Notice {
        Notice {
            generation,
            kind,
            time,
            campaign: campaign.to_owned(),
            since: self.since,
            accounts: self.accounts,
            joined,
            log10_e: self.log10_e,
            log10_threshold: self.log10_threshold,
            rival: self.rival.clone(),
        }
    }
}

/// A number as JSON can have it.
fn written(number: f64) -> f64 {
    if number.is_nan() { 0.0 } else { number.clamp(f64::MIN, f64::MAX) }
}

/// Seconds from `from` to `to`.
fn passed(from: Time, to: Time) -> i64 {
    to.nanos().saturating_sub(from.nanos()) / 1_000_000_000
}

#[cfg(test)]
mod tests {
    use watch::Member;

    use super::*;

    const RULES: Rules = Rules { repeat_seconds: 3_600, settle_seconds: 600, quiet: None, quiet_detected: false };

    fn at(text: &str) -> Time {
        format!("2026-03-{text}Z").parse().unwrap()
    }

    /// A board of campaigns, each with as many accounts, of which the first are the same.
    fn board(campaigns: &[(&str, usize)]) -> Board {
        let campaign = |&(id, accounts): &(&str, usize)| Campaign {
            id: id.to_owned(),
            since: at("01T08:00:00"),
            log10_e: 7.25,
            log10_threshold: 4.0,
            rival: "a class".to_owned(),
            members: (0..accounts).map(|n| Member { account: format!("acc_{n}"), probability: 0.9 }).collect(),
        };
        Board { generation: 1, sequence: 1, campaigns: campaigns.iter().map(campaign).collect() }
    }

    fn told(planner: &mut Planner, time: &str, campaigns: &[(&str, usize)]) -> Vec<(Kind, String, usize, usize)> {
        let notices = planner.step(at(time), &board(campaigns), false);
        notices.into_iter().map(|notice| (notice.kind, notice.campaign, notice.accounts, notice.joined)).collect()
    }

    fn one(kind: Kind, accounts: usize, joined: usize) -> Vec<(Kind, String, usize, usize)> {
        vec![(kind, "cmp_1".to_owned(), accounts, joined)]
    }

    #[test]
    fn a_campaign_is_told_once_and_those_who_join_are_put_together() {
        let mut planner = Planner::new(RULES, Kept::default());
        assert_eq!(told(&mut planner, "01T09:00:00", &[]), []);
        assert_eq!(told(&mut planner, "01T09:00:01", &[("cmp_1", 5)]), one(Kind::Detected, 5, 0));
        assert_eq!(told(&mut planner, "01T09:00:02", &[("cmp_1", 5)]), []);
        assert_eq!(told(&mut planner, "01T09:30:00", &[("cmp_1", 7)]), []);
        assert_eq!(told(&mut planner, "01T10:00:00", &[("cmp_1", 9)]), []);
        assert_eq!(told(&mut planner, "01T10:00:01", &[("cmp_1", 9)]), one(Kind::Joined, 9, 4));
        // Nobody new, for however long.
        assert_eq!(told(&mut planner, "01T20:00:00", &[("cmp_1", 6)]), []);
        // The time counts from when it was told last, not from when accounts joined.
        assert_eq!(told(&mut planner, "01T20:00:01", &[("cmp_1", 10)]), one(Kind::Joined, 10, 1));
        assert_eq!(told(&mut planner, "01T20:30:00", &[("cmp_1", 11), ("cmp_2", 3)]).len(), 1);
    }

    #[test]
    fn names_that_begin_anew_are_of_other_campaigns() {
        let mut planner = Planner::new(RULES, Kept::default());
        let first = board(&[("cmp_1", 3)]);
        let told =
            |notices: Vec<Notice>| notices.iter().map(|notice| (notice.kind, notice.generation)).collect::<Vec<_>>();
        assert_eq!(told(planner.step(at("01T09:00:00"), &first, false)), [(Kind::Detected, 1)]);
        let nothing_yet = Board { generation: 2, sequence: 1, campaigns: Vec::new() };
        assert_eq!(told(planner.step(at("01T09:01:00"), &nothing_yet, true)), []);
        let second = Board { generation: 2, ..first };
        assert_eq!(told(planner.step(at("01T09:02:00"), &second, true)), [(Kind::Detected, 2)]);
        assert_eq!(told(planner.step(at("01T09:03:00"), &second, false)), []);
    }

    #[test]
    fn one_that_flickers_is_told_once_and_one_that_is_gone_is_told_then() {
        let mut planner = Planner::new(RULES, Kept::default());
        assert_eq!(told(&mut planner, "01T09:00:00", &[("cmp_1", 5)]), one(Kind::Detected, 5, 0));
        for minute in 1..9 {
            let campaigns: &[(&str, usize)] = if minute % 2 == 1 { &[] } else { &[("cmp_1", 5)] };
            assert_eq!(told(&mut planner, &format!("01T09:{minute:02}:00"), campaigns), []);
        }
        assert_eq!(told(&mut planner, "01T09:10:00", &[]), []);
        assert_eq!(told(&mut planner, "01T09:19:59", &[]), []);
        assert_eq!(told(&mut planner, "01T09:20:00", &[]), one(Kind::Withdrawn, 5, 0));
        assert_eq!(told(&mut planner, "01T09:40:00", &[]), []);
        assert_eq!(planner.kept(), &Kept { generation: 1, ..Kept::default() });
        // One that comes back after that is another matter.
        assert_eq!(told(&mut planner, "01T10:00:00", &[("cmp_1", 6)]), one(Kind::Detected, 6, 0));
    }

    #[test]
    fn quiet_hours_put_off_everything_but_a_detection() {
        let quiet = Some("22:00-07:00".parse().unwrap());
        let mut planner = Planner::new(Rules { quiet, ..RULES }, Kept::default());
        assert_eq!(told(&mut planner, "01T21:00:00", &[("cmp_1", 5), ("cmp_2", 5)]).len(), 2);
        assert_eq!(told(&mut planner, "01T22:00:00", &[("cmp_1", 6), ("cmp_2", 5)]), []);
        assert_eq!(told(&mut planner, "01T23:59:59", &[("cmp_1", 8)]), []);
        assert_eq!(told(&mut planner, "02T00:00:00", &[("cmp_1", 8), ("cmp_3", 2)]).len(), 1);
        assert_eq!(told(&mut planner, "02T06:59:59", &[("cmp_1", 9), ("cmp_3", 2)]), []);
        let morning = told(&mut planner, "02T07:00:00", &[("cmp_1", 9), ("cmp_3", 2)]);
        let withdrawn = (Kind::Withdrawn, "cmp_2".to_owned(), 5, 0);
        assert_eq!(morning, [one(Kind::Joined, 9, 4), vec![withdrawn]].concat());
    }

    #[test]
    fn a_detection_waits_too_where_it_is_wanted_so() {
        let quiet = Some("22:00-07:00".parse().unwrap());
        let mut planner = Planner::new(Rules { quiet, quiet_detected: true, ..RULES }, Kept::default());
        assert_eq!(told(&mut planner, "01T22:00:00", &[("cmp_1", 5), ("cmp_2", 4)]), []);
        // One that came and went by night is not told at all.
        assert_eq!(told(&mut planner, "02T01:00:00", &[("cmp_1", 6)]), []);
        assert_eq!(told(&mut planner, "02T01:10:00", &[("cmp_1", 6)]), []);
        assert_eq!(told(&mut planner, "02T07:00:00", &[("cmp_1", 7)]), one(Kind::Detected, 7, 0));
        assert_eq!(told(&mut planner, "02T08:30:00", &[("cmp_1", 7)]), []);
    }

    #[test]
    fn a_restart_tells_nothing_again() {
        let mut planner = Planner::new(RULES, Kept::default());
        told(&mut planner, "01T09:00:00", &[("cmp_1", 5), ("cmp_2", 5)]);
        let json = serde_json::to_vec(planner.kept()).unwrap();
        let mut planner = Planner::new(RULES, serde_json::from_slice(&json).unwrap());
        // Detection is not there yet, then as it was.
        assert_eq!(told(&mut planner, "01T12:00:00", &[]), []);
        assert_eq!(told(&mut planner, "01T12:00:30", &[("cmp_1", 5), ("cmp_2", 5)]), []);
        assert_eq!(told(&mut planner, "01T12:00:31", &[("cmp_1", 8), ("cmp_2", 5)]), one(Kind::Joined, 8, 3));
        // What went shortly before or while it was not running is told when it has been gone for as long as that takes since the start.
        let mut planner = Planner::new(RULES, serde_json::from_slice(&json).unwrap());
        assert_eq!(told(&mut planner, "01T09:30:00", &[("cmp_2", 5)]), []);
        let json = serde_json::to_vec(planner.kept()).unwrap();
        let mut planner = Planner::new(RULES, serde_json::from_slice(&json).unwrap());
        assert_eq!(told(&mut planner, "01T12:00:00", &[("cmp_2", 5)]), []);
        assert_eq!(told(&mut planner, "01T12:10:00", &[("cmp_2", 5)]), one(Kind::Withdrawn, 5, 0));
    }

    #[test]
    fn nothing_is_gone_while_detection_is_behind() {
        let mut planner = Planner::new(RULES, Kept::default());
        told(&mut planner, "01T09:00:00", &[("cmp_1", 5)]);
        for time in ["01T09:00:01", "01T11:00:00"] {
            assert_eq!(planner.step(at(time), &board(&[]), true), []);
        }
        // From then on the time counts.
        assert_eq!(told(&mut planner, "01T11:00:01", &[]), []);
        assert_eq!(told(&mut planner, "01T11:10:01", &[]), one(Kind::Withdrawn, 5, 0));
    }

    #[test]
    fn a_number_that_json_cannot_have_is_kept_as_the_next_one() {
        let mut endless = board(&[("cmp_1", 5)]);
        endless.campaigns[0].log10_e = f64::INFINITY;
        let mut planner = Planner::new(RULES, Kept::default());
        planner.step(at("01T09:00:00"), &endless, false);
        let json = serde_json::to_vec(planner.kept()).unwrap();
        assert_eq!(&serde_json::from_slice::<Kept>(&json).unwrap(), planner.kept());
    }

    #[test]
    fn what_is_written_down_changes_with_what_is_told_only() {
        let mut planner = Planner::new(RULES, Kept::default());
        told(&mut planner, "01T09:00:00", &[("cmp_1", 5)]);
        let before = planner.revision();
        told(&mut planner, "01T09:00:10", &[("cmp_1", 6)]);
        assert_eq!(planner.revision(), before);
        told(&mut planner, "01T09:00:20", &[]);
        assert_eq!(planner.revision(), before);
        told(&mut planner, "01T09:10:20", &[]);
        assert!(planner.revision() > before);
    }

    #[test]
    fn a_clock_that_is_put_back_makes_nobody_wait_longer() {
        let mut planner = Planner::new(RULES, Kept::default());
        told(&mut planner, "09T09:00:00", &[("cmp_1", 5), ("cmp_2", 5)]);
        told(&mut planner, "09T09:00:01", &[("cmp_1", 5)]);
        assert_eq!(told(&mut planner, "01T09:00:00", &[("cmp_1", 6)]), []);
        let later = told(&mut planner, "01T10:00:00", &[("cmp_1", 6)]);
        assert_eq!(later, [one(Kind::Joined, 6, 1), vec![(Kind::Withdrawn, "cmp_2".to_owned(), 5, 0)]].concat());
    }

    #[test]
    fn so_many_campaigns_are_remembered_and_those_that_are_gone_make_room() {
        let names: Vec<String> = (0..=CAMPAIGNS_MAX).map(|n| format!("cmp_{n:05}")).collect();
        let all: Vec<(&str, usize)> = names.iter().map(|name| (name.as_str(), 2)).collect();
        let mut planner = Planner::new(RULES, Kept::default());
        assert_eq!(told(&mut planner, "01T09:00:00", &all[..CAMPAIGNS_MAX]).len(), CAMPAIGNS_MAX);
        // One beyond: it is told as soon as another is gone.
        assert_eq!(told(&mut planner, "01T09:00:01", &all), []);
        assert_eq!(told(&mut planner, "01T09:00:02", &all[1..]), []);
        let beyond = told(&mut planner, "01T09:00:03", &all[1..]);
        assert_eq!(beyond, [(Kind::Detected, names[CAMPAIGNS_MAX].clone(), 2, 0)]);
        assert_eq!(planner.kept().campaigns.len(), CAMPAIGNS_MAX);
    }
}
