//! The after-action report of a drill: what happened when, who was wronged, what was answered, and points by rules that anybody can read.
//!
//! Promises that points are given only for what was measured, and that what could not be measured counts for nobody and against nobody.

use std::fmt::Write as _;

use exchange::Time;
use serde::{Deserialize, Serialize};

use crate::exercise::{Counts, Difficulty, Exercise};
use crate::moment::{Moment, clock};
use crate::traffic::{Counted, Slice};

const KIND: &str = "stillwatch drill 1";

/// Points for stopping the campaign once it is detected.
const CONTAIN_POINTS: f64 = 40.0;
/// Points for leaving honest accounts alone.
const HONEST_POINTS: f64 = 30.0;
/// What an honest account costs that was restricted.
const WRONGED_COST: f64 = 3.0;
/// Points for decisions.
const DECIDE_POINTS: f64 = 20.0;
/// Points for telling others.
const NOTIFY_POINTS: f64 = 10.0;

/// The after-action report of a drill.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    kind: String,
    /// Who held it, when and how.
    #[serde(flatten)]
    pub told: Told,
    /// Which exercise.
    pub exercise: String,
    /// What it is called.
    pub title: String,
    /// Which published incident it is made after.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// How hard it was.
    pub difficulty: Difficulty,
    /// Times.
    pub times: Times,
    /// Exchanges.
    pub exchanges: Exchanges,
    /// Accounts.
    pub accounts: Accounts,
    /// What was asked and answered.
    pub asked: Vec<Asked>,
    /// Injects that did not arrive, since what they waited for did not happen.
    pub not_arrived: Vec<String>,
    /// What happened, in its order.
    pub timeline: Vec<Line>,
    /// Lines of the timeline beyond its limit.
    pub untold: u64,
    /// Points; none for a tutorial, one that was cut short, and one in which detection did not name the campaign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<Score>,
}

/// Who held a drill, when and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// What the drill is called: `drill_1`, `drill_2`, ….
    pub id: String,
    /// Who held it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When it began, by the machine's clock.
    pub began: Time,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// How many times as fast the staging instance's clock ran.
    pub speed: u32,
    /// What the traffic was drawn with.
    pub seed: u64,
    /// Whether somebody ended it before the traffic was over.
    pub is_cut_short: bool,
    /// Which build of the program.
    pub version: String,
}

/// When what was reached first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Times {
    /// The campaign sent its first request.
    pub began: Option<Moment>,
    /// Detection named the campaign.
    pub detected: Option<Moment>,
    /// An alert told of it.
    pub alerted: Option<Moment>,
    /// A case was opened.
    pub case: Option<Moment>,
    /// A response restricted accounts.
    pub restricted: Option<Moment>,
    /// Next to nothing of the campaign was answered from then on.
    pub contained: Option<Moment>,
    /// How often much was answered again after that.
    pub reopened: u32,
    /// The right people were told.
    pub notified: Option<Moment>,
}

/// Exchanges of a drill.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Exchanges {
    /// What was sent and answered.
    #[serde(flatten)]
    pub counted: Counted,
    /// What campaigns would have sent in the whole drill.
    pub planned: u64,
    /// How long the traffic took, or would have taken, in seconds as the team lives them.
    pub seconds: f64,
    /// What was sent and answered, by slices of that time.
    pub slices: Vec<Slice>,
}

/// Accounts of a drill.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accounts {
    /// Of campaigns.
    pub campaign: u64,
    /// All others.
    pub honest: u64,
    /// Those that detection names at the end.
    pub named: u64,
    /// Those of them that are honest.
    pub named_honest: u64,
    /// Accounts of campaigns that a response restricts at the end.
    pub restricted: u64,
    /// Those of them that get nothing.
    pub blocked: u64,
    /// Honest accounts that a response restricted at any time, or of which a request was refused.
    pub wronged: u64,
    /// Those of them for whom that held at the end.
    pub wronged_at_the_end: u64,
    /// Some of them, by name.
    pub wronged_named: Vec<Wronged>,
}

/// An honest account that was restricted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wronged {
    /// Which.
    pub account: String,
    /// By which response first; empty where none explains why it was refused.
    pub response: String,
    /// By which rung, or `refused`.
    pub rung: String,
    /// Who took it.
    pub author: String,
    /// Since when.
    pub since: Moment,
    /// Until when, if it was taken back.
    pub until: Option<Moment>,
}

/// What was asked and answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// By which inject.
    pub inject: String,
    /// What it is about.
    pub title: String,
    /// What it counts as.
    pub counts_as: Counts,
    /// When it arrived.
    pub arrived: Moment,
    /// When it was answered or done.
    pub answered: Option<Moment>,
    /// By whom.
    pub by: String,
    /// What was said.
    pub said: String,
    /// Whether that is right; nothing where people have to judge.
    pub is_right: Option<bool>,
    /// Whether it came in time.
    pub is_in_time: bool,
    /// What would have been right.
    pub expected: String,
    /// Why.
    pub why: String,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// When.
    pub at: Moment,
    /// What.
    pub what: String,
    /// By whom, where somebody did it.
    pub by: String,
}

/// Points.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Score {
    /// Of 100.
    pub points: u32,
    /// What they are made of.
    pub parts: Vec<Part>,
}

/// A part of the points.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// For what.
    pub name: String,
    /// How many.
    pub points: f64,
    /// Of how many.
    pub of: f64,
    /// From which numbers.
    pub why: String,
}

impl Report {
    #[expect(clippy::too_many_arguments, reason = "made in one place, from what was gathered there")]
    pub(crate) fn new(
        exercise: &Exercise,
        difficulty: Difficulty,
        told: Told,
        times: Times,
        exchanges: Exchanges,
        accounts: Accounts,
        asked: Vec<Asked>,
        not_arrived: Vec<String>,
        timeline: Vec<Line>,
        untold: u64,
    ) -> Report {
        let is_unseen = exchanges.planned > 0 && times.detected.is_none();
        let is_scored = !exercise.is_tutorial && !exercise.is_unattended && !told.is_cut_short && !is_unseen;
        let score = is_scored.then(|| Score::of(&times, &exchanges.counted, &accounts, &asked));
        Report {
            kind: KIND.to_owned(),
            told,
            exercise: exercise.name.clone(),
            title: exercise.title.clone(),
            source: exercise.source.clone(),
            difficulty,
            times,
            exchanges,
            accounts,
            asked,
            not_arrived,
            timeline,
            untold,
            score,
        }
    }

    /// Whether this is what such a file says that it is.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.kind == KIND
    }

    /// The times that a drill is held for, each with how long it took and from when. Without a campaign there is only how long decisions took, and what was
    /// not asked is not there.
    #[must_use]
    pub fn durations(&self) -> Vec<(&'static str, Option<f64>, &'static str)> {
        let times = &self.times;
        let decide = ("decide", self.decided(), "from a question until its answer, at the median");
        if self.exchanges.planned == 0 {
            return vec![decide];
        }
        let between = |from: Option<Moment>, to: Option<Moment>| Some((to?.seconds - from?.seconds).max(0.0));
        let asks = |counts_as| self.asked.iter().any(|asked| asked.counts_as == counts_as);
        let mut durations = vec![
            (
                "detect",
                between(times.began, times.detected),
                "from the campaign's first request until detection names the campaign",
            ),
            ("alert", between(times.detected, times.alerted), "from there until an alert tells of it"),
            (
                "respond",
                between(times.detected, times.restricted),
                "from detection until a response restricts accounts",
            ),
            (
                "contain",
                between(times.detected, times.contained),
                "from detection until next to nothing of it is answered",
            ),
        ];
        if asks(Counts::Notification) {
            let took = between(times.detected, times.notified);
            durations.push(("notify", took, "from detection until the right people are told"));
        }
        if asks(Counts::Decision) {
            durations.push(decide);
        }
        durations
    }

    /// What is wrong where nobody answered, and it was looked only whether the campaign is noticed: one that was detected late or not at all, of
    /// which no alert told in time, or honest accounts that were named or refused. Nothing where all is well.
    #[must_use]
    pub fn faults(&self, sent_max: f64, alert_seconds_max: f64) -> Vec<String> {
        let mut faults = Vec::new();
        let (times, accounts, counted) = (&self.times, &self.accounts, &self.exchanges.counted);
        match times.detected {
            None if accounts.campaign > 0 => faults.push("detection did not name the campaign".to_owned()),
            Some(at) if at.sent > sent_max => faults.push(format!(
                "detection named the campaign when {} of its exchanges had been sent, and {} were allowed",
                percent(at.sent),
                percent(sent_max)
            )),
            _ => {}
        }
        match (times.detected, times.alerted) {
            (Some(_), None) => faults.push("no alert told of the campaign".to_owned()),
            (Some(detected), Some(alerted)) if alerted.seconds - detected.seconds > alert_seconds_max => {
                faults.push(format!(
                    "an alert told of it {} after detection, and {} were allowed",
                    clock(alerted.seconds - detected.seconds),
                    clock(alert_seconds_max)
                ));
            }
            _ => {}
        }
        if accounts.named_honest > 0 {
            faults.push(format!("{} honest accounts are named", accounts.named_honest));
        }
        if counted.honest_refused > 0 {
            faults.push(format!(
                "{} of {} exchanges of honest accounts were refused",
                counted.honest_refused, counted.honest_sent
            ));
        }
        faults
    }

    /// How long a decision took, at the median.
    fn decided(&self) -> Option<f64> {
        let decisions = self.asked.iter().filter(|asked| asked.counts_as == Counts::Decision);
        // What was done before it was asked for took nobody any time.
        let mut took: Vec<f64> = decisions
            .filter_map(|asked| Some(asked.answered?.seconds - asked.arrived.seconds).filter(|took| *took > 0.0))
            .collect();
        took.sort_by(f64::total_cmp);
        took.get(took.len() / 2).copied()
    }

    /// What stands out, for the talk afterwards: facts, from which people draw what follows.
    #[must_use]
    pub fn remarks(&self) -> Vec<String> {
        let (times, counted, accounts) = (&self.times, &self.exchanges.counted, &self.accounts);
        let mut remarks = Vec::new();
        if self.told.is_cut_short {
            remarks.push("It was ended before the traffic was over, so that there are no points.".to_owned());
        }
        match (times.detected, times.restricted) {
            (None, _) if accounts.campaign > 0 => {
                remarks.push("Detection did not name the campaign, so that there are no points: what ran unseen is the first thing to talk about.".to_owned());
            }
            (Some(detected), None) => remarks.push(format!(
                "Detection named the campaign at {}, and no response restricted anybody.",
                detected.clock()
            )),
            (Some(detected), Some(restricted)) if restricted.seconds > detected.seconds => remarks.push(format!(
                "Between detection and the first response that restricted anybody {} passed, in which {} of the campaign's exchanges were sent.",
                clock(restricted.seconds - detected.seconds),
                percent(restricted.sent - detected.sent),
            )),
            _ => {}
        }
        if times.reopened > 0 {
            remarks.push(format!(
                "After it was contained the campaign got answers again, {}: it came back by other accounts, or a response ended.",
                times_word(times.reopened)
            ));
        }
        if accounts.wronged > 0 {
            let were = if accounts.wronged == 1 { "honest account was" } else { "honest accounts were" };
            remarks.push(format!(
                "{} {were} restricted or refused, {} until the end; {} exchanges of honest accounts were refused.",
                accounts.wronged, accounts.wronged_at_the_end, counted.honest_refused
            ));
        }
        if accounts.restricted < accounts.campaign {
            remarks.push(format!(
                "{} of {} accounts of the campaign were under no response at the end.",
                accounts.campaign - accounts.restricted,
                accounts.campaign
            ));
        }
        let late = self.asked.iter().filter(|asked| asked.answered.is_some() && !asked.is_in_time).count();
        let unanswered = self.asked.iter().filter(|asked| asked.answered.is_none()).count();
        let wrong = self.asked.iter().filter(|asked| asked.answered.is_some() && asked.is_right == Some(false)).count();
        if late + unanswered + wrong > 0 {
            remarks.push(format!(
                "Of {} questions {wrong} were answered wrongly, {late} late and {unanswered} not at all.",
                self.asked.len()
            ));
        }
        if remarks.is_empty() {
            remarks.push("Nothing went wrong that is measured here. Try a harder one.".to_owned());
        }
        remarks
    }

    /// As text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!(
            "{}, {}: {} ({}, seed {})\n{} to {}, held by {}{}\n",
            self.told.id,
            self.difficulty,
            self.title,
            self.exercise,
            self.told.seed,
            self.told.began,
            clock(self.told.seconds),
            self.told.by,
            if self.told.is_cut_short { ", ended before the traffic was over" } else { "" },
        );
        if let Some(score) = &self.score {
            let _ = writeln!(text, "\n{} of 100 points", score.points);
            for part in &score.parts {
                let _ = writeln!(text, "  {:<28} {:>5.1} of {:>2.0}  {}", part.name, part.points, part.of, part.why);
            }
        }
        text.push_str("\nTimes, in minutes and seconds\n");
        for (name, took, what) in self.durations() {
            let took = took.map_or_else(|| "-".to_owned(), clock);
            let _ = writeln!(text, "  {name:<8} {took:>6}  {what}");
        }
        let counted = &self.exchanges.counted;
        let _ = write!(
            text,
            "\nOf {} exchanges of the campaign {} were answered; of {} of everybody else {} were refused.\n",
            counted.campaign_sent, counted.campaign_answered, counted.honest_sent, counted.honest_refused
        );
        text.push_str("\nTo talk about\n");
        for remark in self.remarks() {
            let _ = writeln!(text, "  - {remark}");
        }
        text
    }
}

impl Score {
    fn of(times: &Times, counted: &Counted, accounts: &Accounts, asked: &[Asked]) -> Score {
        let mut parts = Vec::new();
        if times.detected.is_some() && counted.after_detection_sent > 0 {
            let stopped = 1.0 - share(counted.after_detection_answered, counted.after_detection_sent);
            parts.push(Part {
                name: "the campaign is stopped".to_owned(),
                points: CONTAIN_POINTS * stopped,
                of: CONTAIN_POINTS,
                why: format!(
                    "{} of {} exchanges that it sent after detection were not answered",
                    counted.after_detection_sent - counted.after_detection_answered,
                    counted.after_detection_sent
                ),
            });
        }
        #[expect(clippy::cast_precision_loss, reason = "accounts of an exercise")]
        let cost = accounts.wronged as f64 * WRONGED_COST;
        parts.push(Part {
            name: "honest accounts are left alone".to_owned(),
            points: (HONEST_POINTS - cost).max(0.0),
            of: HONEST_POINTS,
            why: format!(
                "{} of {} were restricted or refused, {WRONGED_COST} points each",
                accounts.wronged, accounts.honest
            ),
        });
        for (counts_as, name, of) in
            [(Counts::Decision, "decisions", DECIDE_POINTS), (Counts::Notification, "others are told", NOTIFY_POINTS)]
        {
            let judged: Vec<&Asked> =
                asked.iter().filter(|asked| asked.counts_as == counts_as && asked.is_right.is_some()).collect();
            if judged.is_empty() {
                continue;
            }
            let right = judged.iter().filter(|asked| asked.is_right == Some(true) && asked.is_in_time).count();
            parts.push(Part {
                name: name.to_owned(),
                points: of * share(right as u64, judged.len() as u64),
                of,
                why: format!("{right} of {} right and in time", judged.len()),
            });
        }
        let (got, all) = parts.iter().fold((0.0, 0.0), |(got, all), part| (got + part.points, all + part.of));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 100")]
        let points = (100.0 * got / all).round().clamp(0.0, 100.0) as u32;
        Score { points, parts }
    }
}

#[expect(clippy::cast_precision_loss, reason = "exchanges of an exercise")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share.clamp(0.0, 1.0) * 100.0)
}

fn times_word(times: u32) -> String {
    match times {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        more => format!("{more} times"),
    }
}
