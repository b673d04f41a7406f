//! A drill that runs: it is handed everything that happens, in the order of time, and says what arrives next.
//!
//! Promises that an inject arrives once and only after what it waits for, that the first answer to a question counts, and that whoever is honest and was
//! restricted is counted, also where that was taken back.

use std::collections::{BTreeMap, BTreeSet};

use exchange::Time;

use crate::exercise::{Ask, Counts, Difficulty, Exercise, Fact, Inject, Milestone, Question, When};
use crate::limits::{ANSWER_BYTES_MAX, ANSWER_SECONDS, NAME_BYTES_MAX, TIMELINE_MAX, WRONGED_NAMED_MAX};
use crate::look::{Effect, Look, Response, Standing};
use crate::moment::Moment;
use crate::report::{Accounts, Asked, Exchanges, Line, Report, Times, Told, Wronged};
use crate::traffic::{Change, Flow, Truth};

/// What time it is, for the team and for the staging instance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Now {
    /// Seconds since the drill began.
    pub seconds: f64,
    /// What time it is for the staging instance.
    pub staging: Time,
    /// Which share of the traffic's time has passed, from 0 to 1.
    pub traffic: f64,
}

/// A drill that runs.
#[derive(Clone, Debug)]
pub struct Run {
    exercise: Exercise,
    difficulty: Difficulty,
    truth: Truth,
    /// How long the traffic takes, in seconds.
    takes: f64,
    flow: Flow,
    /// Who sent something.
    senders: BTreeSet<String>,
    look: Look,
    arrived: Vec<Arrived>,
    milestones: BTreeMap<Milestone, Moment>,
    wronged: BTreeMap<String, Wronged>,
    /// How many honest accounts that were refused without a response were told.
    refused_told: usize,
    timeline: Vec<Line>,
    untold: u64,
}

/// An inject that arrived.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrived {
    /// Which.
    pub inject: Inject,
    /// When.
    pub at: Moment,
    /// What was answered first, or when it was done.
    pub answered: Option<Answered>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answered {
    /// When.
    pub at: Moment,
    /// By whom.
    pub by: String,
    /// What was said.
    pub said: String,
    /// Whether it is right; nothing where people have to judge.
    pub is_right: Option<bool>,
    /// Whether it came in time.
    pub is_in_time: bool,
    /// What would have been right, in words.
    pub expected: String,
}

/// Why an answer is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// No such inject has arrived.
    #[error("no inject `{0}` has arrived")]
    NotArrived(String),
    /// It asks nothing.
    #[error("`{0}` asks nothing")]
    AsksNothing(String),
    /// It was answered before, and the first answer counts.
    #[error("`{0}` is answered; the first answer counts")]
    Answered(String),
    /// It asks for something to be done.
    #[error("`{0}` asks for something to be done, in the console or on the command line")]
    ToBeDone(String),
    /// The answer is none of those that there are.
    #[error("expected {0}")]
    Form(String),
}

impl Run {
    /// Begins, with traffic that takes so many seconds.
    #[must_use]
    pub fn begin(exercise: Exercise, difficulty: Difficulty, truth: Truth, takes: f64) -> Run {
        Run {
            exercise,
            difficulty,
            truth,
            takes,
            flow: Flow::default(),
            senders: BTreeSet::new(),
            look: Look::default(),
            arrived: Vec::new(),
            milestones: BTreeMap::new(),
            wronged: BTreeMap::new(),
            refused_told: 0,
            timeline: Vec::new(),
            untold: 0,
        }
    }

    /// The exercise.
    #[must_use]
    pub fn exercise(&self) -> &Exercise {
        &self.exercise
    }

    /// How hard it is.
    #[must_use]
    pub fn difficulty(&self) -> Difficulty {
        self.difficulty
    }

    /// By when an inject that arrived has to be answered to count, in seconds since the drill began; never after nobody is asked any more.
    #[must_use]
    pub fn deadline(&self, arrived: &Arrived) -> Option<f64> {
        let minutes = arrived.inject.ask.as_ref()?.minutes?;
        Some((arrived.at.seconds + minutes * 60.0 * self.pace()).min(self.takes + ANSWER_SECONDS))
    }

    /// How fast the drill goes, by the minutes that the exercise is written for.
    fn pace(&self) -> f64 {
        self.takes / (self.exercise.minutes * 60.0)
    }

    /// What arrived so far, in its order.
    #[must_use]
    pub fn arrived(&self) -> &[Arrived] {
        &self.arrived
    }

    /// What happened so far, in its order.
    #[must_use]
    pub fn timeline(&self) -> &[Line] {
        &self.timeline
    }

    /// When something happened for the first time; for containment, since when it lasts.
    #[must_use]
    pub fn reached(&self, milestone: Milestone) -> Option<Moment> {
        self.milestones.get(&milestone).copied()
    }

    /// Whether all that can arrive has arrived and all that is asked is answered.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.exercise.injects(self.difficulty).count() == self.arrived.len()
            && self.arrived.iter().all(|arrived| arrived.inject.ask.is_none() || arrived.answered.is_some())
    }

    /// A request of an account was sent.
    pub fn sent(&mut self, now: Now, account: &str, is_answered: bool) {
        let is_of_campaign = self.truth.campaign.contains(account);
        let is_detected = self.milestones.contains_key(&Milestone::Detected);
        let at = self.moment(now);
        if !self.senders.contains(account) {
            self.senders.insert(account.to_owned());
        }
        if !is_of_campaign {
            self.honest_answered(at, account, is_answered);
        }
        match self.flow.sent(at, now.traffic, is_of_campaign, is_answered, is_detected) {
            None => {}
            Some(Change::Contained(since)) => {
                self.reach(Milestone::Contained, since, "");
                self.tell(since, "next to nothing of the campaign is answered any more", "");
            }
            Some(Change::Reopened) => {
                self.milestones.remove(&Milestone::Contained);
                self.tell(at, "much of the campaign is answered again", "");
            }
        }
    }

    /// An alert told of a campaign.
    pub fn alerted(&mut self, now: Now) {
        let at = self.moment(now);
        self.tell(at, "an alert tells of a campaign", "stillwatch");
        self.reach(Milestone::Alerted, at, "stillwatch");
    }

    /// Somebody looked at the staging instance.
    pub fn look(&mut self, now: Now, look: Look) {
        let at = self.moment(now);
        let before = std::mem::replace(&mut self.look, look);
        let look = self.look.clone();
        self.tell_campaigns(at, &before.campaigns, &look.campaigns);
        for (milestone, what, before, now) in [
            (Milestone::Verdict, "a verdict is said", &before.verdicts, &look.verdicts),
            (Milestone::AppealDecided, "an appeal is decided", &before.decided, &look.decided),
        ] {
            for (id, by) in now.iter().filter(|known| !before.contains(known)) {
                self.tell(at, format!("{what}: {id}"), by);
                self.reach(milestone, at, by);
            }
        }
        for case in look.cases.iter().filter(|case| !before.cases.contains(case)) {
            let about = if case.is_about_campaign { "about a campaign" } else { "about no campaign" };
            self.tell(at, format!("a case is opened, {about}: {}", case.id), &case.by);
            // Where there is a campaign, one that is about nothing is of no use.
            if case.is_about_campaign || self.truth.campaign.is_empty() {
                self.reach(Milestone::Case, at, &case.by);
            }
        }
        self.tell_refused(at);
        for response in &look.responses {
            let was = before.responses.iter().find(|was| was.id == response.id);
            self.tell_response(at, was, response);
        }
        self.count_wronged(at, &look.responses);
    }

    /// What arrives now, after what was told of so far.
    pub fn arrive(&mut self, now: Now) -> Vec<Arrived> {
        let at = self.moment(now);
        let first = self.arrived.len();
        let due: Vec<Inject> = self
            .exercise
            .injects(self.difficulty)
            .filter(|inject| !self.arrived.iter().any(|arrived| arrived.inject.id == inject.id))
            .filter(|inject| self.is_due(inject, now))
            .cloned()
            .collect();
        for inject in due {
            self.tell(at, format!("inject: {}", inject.title), &inject.from.clone());
            let mut arrived = Arrived { inject, at, answered: None };
            // What was done before it was asked for is done.
            if let Some(Ask { question: Question::Do(milestone), .. }) = &arrived.inject.ask
                && self.milestones.contains_key(milestone)
            {
                arrived.answered = Some(done(at, "", true));
            }
            self.arrived.push(arrived);
        }
        self.arrived.get(first..).unwrap_or_default().to_vec()
    }

    /// Somebody answers an inject. What is said of it, once it is answered.
    ///
    /// # Errors
    ///
    /// Says why it is not taken, and what was expected.
    pub fn answer(&mut self, now: Now, id: &str, by: &str, said: &str) -> Result<Answered, NotTaken> {
        let at = self.moment(now);
        let (by, said) = (by.trim(), said.trim());
        if by.is_empty() || by.len() > NAME_BYTES_MAX {
            return Err(NotTaken::Form(format!("a name of at most {NAME_BYTES_MAX} bytes")));
        }
        if said.is_empty() || said.len() > ANSWER_BYTES_MAX {
            return Err(NotTaken::Form(format!("an answer of at most {ANSWER_BYTES_MAX} bytes")));
        }
        let (members, campaigns) = (self.members(), self.look.campaigns.len());
        let known = self.arrived.iter().find(|arrived| arrived.inject.id == id);
        let is_in_time = known.and_then(|arrived| self.deadline(arrived)).is_none_or(|until| at.seconds <= until);
        let Some(arrived) = self.arrived.iter_mut().find(|arrived| arrived.inject.id == id) else {
            return Err(NotTaken::NotArrived(id.to_owned()));
        };
        let Some(ask) = &arrived.inject.ask else { return Err(NotTaken::AsksNothing(id.to_owned())) };
        if arrived.answered.is_some() {
            return Err(NotTaken::Answered(id.to_owned()));
        }
        let (said, is_right, expected) = match &ask.question {
            Question::Do(_) => return Err(NotTaken::ToBeDone(id.to_owned())),
            Question::Words => (said.to_owned(), None, String::new()),
            Question::Choice { options, right } => {
                let form = || NotTaken::Form(format!("a number from 1 to {}", options.len()));
                let number: usize = said.parse().map_err(|_| form())?;
                let chosen = number.checked_sub(1).and_then(|at| options.get(at)).ok_or_else(form)?;
                let expected: Vec<&str> =
                    right.iter().filter_map(|number| options.get(number - 1)).map(String::as_str).collect();
                (chosen.clone(), Some(right.contains(&number)), expected.join("; or "))
            }
            Question::Number { fact, within } => {
                let number: f64 = said.parse().map_err(|_| NotTaken::Form("a number".to_owned()))?;
                #[expect(clippy::cast_precision_loss, reason = "accounts of an exercise")]
                let fact = match fact {
                    Fact::Members => members as f64,
                    Fact::Campaigns => campaigns as f64,
                };
                (said.to_owned(), Some((number - fact).abs() <= fact * within), format!("{fact}"))
            }
        };
        let answered = Answered { at, by: by.to_owned(), said, is_right, is_in_time, expected };
        arrived.answered = Some(answered.clone());
        let title = arrived.inject.title.clone();
        self.tell(at, format!("answer to `{title}`: {}", answered.said), by);
        Ok(answered)
    }

    /// What came of it.
    #[must_use]
    pub fn finish(mut self, told: Told) -> Report {
        // What lasts is told with the moment since when it does.
        self.timeline.sort_by(|a, b| a.at.seconds.total_cmp(&b.at.seconds));
        let counted = self.flow.counted();
        let covered = |effect: Effect| -> BTreeSet<&String> {
            let in_force = self.look.responses.iter().filter(|response| response.is_in_force);
            in_force.filter(|response| response.effect >= effect).flat_map(|response| &response.accounts).collect()
        };
        let restricted = covered(Effect::Restricts);
        let senders: BTreeSet<&String> = self.senders.intersection(&self.truth.campaign).collect();
        let of_campaign =
            |accounts: &BTreeSet<&String>| accounts.iter().filter(|account| senders.contains(**account)).count() as u64;
        let members: BTreeSet<&String> = self.look.campaigns.iter().flat_map(|campaign| &campaign.members).collect();
        let asked: Vec<Asked> = self.arrived.iter().filter_map(asked).collect();
        let notified = asked
            .iter()
            .filter(|asked| asked.counts_as == Counts::Notification && asked.is_right == Some(true))
            .filter_map(|asked| asked.answered)
            .min_by(|a, b| a.seconds.total_cmp(&b.seconds));
        let not_arrived = self.exercise.injects(self.difficulty);
        let not_arrived =
            not_arrived.filter(|inject| !self.arrived.iter().any(|arrived| arrived.inject.id == inject.id));
        let not_arrived = not_arrived.map(|inject| inject.title.clone()).collect();
        let wronged_count = self.wronged.len() as u64;
        let still = self.wronged.values().filter(|wronged| wronged.until.is_none()).count() as u64;
        let reached = |milestone| self.milestones.get(&milestone).copied();
        Report::new(
            &self.exercise,
            self.difficulty,
            told,
            Times {
                began: self.flow.first(),
                detected: reached(Milestone::Detected),
                alerted: reached(Milestone::Alerted),
                case: reached(Milestone::Case),
                restricted: reached(Milestone::Restricted),
                contained: self.flow.contained(),
                reopened: self.flow.reopened(),
                notified,
            },
            Exchanges {
                counted,
                planned: self.truth.campaign_exchanges,
                seconds: self.takes,
                slices: self.flow.slices().to_vec(),
            },
            Accounts {
                campaign: senders.len() as u64,
                honest: self.senders.intersection(&self.truth.honest).count() as u64,
                named: members.len() as u64,
                named_honest: members.iter().filter(|account| self.truth.honest.contains(**account)).count() as u64,
                restricted: of_campaign(&restricted),
                blocked: of_campaign(&covered(Effect::Blocks)),
                wronged: wronged_count,
                wronged_at_the_end: still,
                wronged_named: self.wronged.values().take(WRONGED_NAMED_MAX).cloned().collect(),
            },
            asked,
            not_arrived,
            self.timeline,
            self.untold,
        )
    }

    /// An honest account is wronged where a request of it is refused, whatever by, and no longer once one is answered again.
    fn honest_answered(&mut self, at: Moment, account: &str, is_answered: bool) {
        if is_answered {
            if let Some(wronged) = self.wronged.get_mut(account).filter(|wronged| wronged.response.is_empty()) {
                wronged.until.get_or_insert(at);
            }
            return;
        }
        let wronged = self.wronged.entry(account.to_owned()).or_insert_with(|| Wronged {
            account: account.to_owned(),
            response: String::new(),
            rung: "refused".to_owned(),
            author: String::new(),
            since: at,
            until: None,
        });
        if wronged.response.is_empty() {
            wronged.until = None;
        }
    }

    fn moment(&self, now: Now) -> Moment {
        #[expect(clippy::cast_precision_loss, reason = "exchanges of an exercise")]
        let sent = match self.truth.campaign_exchanges {
            0 => 0.0,
            all => (self.flow.counted().campaign_sent as f64 / all as f64).min(1.0),
        };
        Moment { seconds: now.seconds, staging: now.staging, sent }
    }

    /// Accounts that detection names as members of a campaign.
    fn members(&self) -> usize {
        let all: BTreeSet<&String> = self.look.campaigns.iter().flat_map(|campaign| &campaign.members).collect();
        all.len()
    }

    fn is_due(&self, inject: &Inject, now: Now) -> bool {
        let since = match &inject.when {
            When::Begin => 0.0,
            When::Milestone(milestone) => match self.milestones.get(milestone) {
                Some(at) => at.seconds,
                None => return false,
            },
            When::Answered(id) => {
                let before = self.arrived.iter().find(|arrived| arrived.inject.id == *id);
                match before.and_then(|arrived| arrived.answered.as_ref()) {
                    Some(answered) => answered.at.seconds,
                    None => return false,
                }
            }
            When::Traffic(share) if now.traffic < *share => return false,
            // How long ago that was is not known, and nobody needs a delay there.
            When::Traffic(_) => return true,
        };
        now.seconds >= since + inject.delay * 60.0 * self.pace()
    }

    fn tell_campaigns(&mut self, at: Moment, before: &[Standing], now: &[Standing]) {
        for campaign in now {
            if !before.iter().any(|before| before.id == campaign.id) {
                let names = format!("detection names {}, {} accounts", campaign.id, campaign.members.len());
                self.tell(at, names, "stillwatch");
            }
            let right = campaign.members.intersection(&self.truth.campaign).count();
            if right * 2 > campaign.members.len() {
                self.reach(Milestone::Detected, at, "stillwatch");
            }
        }
        for gone in before.iter().filter(|before| !now.iter().any(|now| now.id == before.id)) {
            self.tell(at, format!("{} stands no longer", gone.id), "stillwatch");
        }
    }

    fn tell_response(&mut self, at: Moment, was: Option<&Response>, is: &Response) {
        let what = format!("{} {}, {} accounts", is.id, is.rung, is.covers);
        if was.is_none() {
            self.tell(at, format!("response {what}{}", if is.is_in_force { "" } else { ", not in force" }), &is.author);
        }
        if is.is_in_force && !was.is_some_and(|was| was.is_in_force) {
            if was.is_some() {
                self.tell(at, format!("in force: {what}"), is.approved_by.as_deref().unwrap_or_default());
            }
            if is.effect >= Effect::Restricts {
                self.reach(Milestone::Restricted, at, &is.author);
            }
            if is.effect == Effect::Blocks {
                self.reach(Milestone::Blocked, at, &is.author);
            }
        }
        if let Some(by) = is.undone_by.as_ref().filter(|_| was.is_none_or(|was| was.undone_by.is_none())) {
            self.tell(at, format!("taken back: {what}"), by);
            self.reach(Milestone::Undone, at, by);
        }
    }

    /// Honest accounts of which something was refused that no response explains: they were suspended, their keys revoked, or a quota or policy was in the way.
    fn tell_refused(&mut self, at: Moment) {
        let refused = self.wronged.values().filter(|wronged| wronged.response.is_empty()).count();
        if refused > self.refused_told {
            let more = refused - self.refused_told;
            let were = if more == 1 { "account is" } else { "accounts are" };
            self.tell(at, format!("requests of {more} honest {were} refused, who were answered before"), "");
            self.refused_told = refused;
        }
    }

    fn count_wronged(&mut self, at: Moment, responses: &[Response]) {
        let mut now: BTreeMap<&String, &Response> = BTreeMap::new();
        let in_force = responses.iter().filter(|response| response.is_in_force && response.effect >= Effect::Restricts);
        for response in in_force {
            for account in response.accounts.intersection(&self.truth.honest) {
                now.entry(account).or_insert(response);
            }
        }
        for (account, response) in &now {
            let wronged = self.wronged.entry((*account).clone()).or_insert_with(|| Wronged {
                account: (*account).clone(),
                response: response.id.clone(),
                rung: response.rung.clone(),
                author: response.author.clone(),
                since: at,
                until: None,
            });
            wronged.until = None;
        }
        for wronged in self.wronged.values_mut() {
            let by_response = !wronged.response.is_empty();
            if by_response && !now.contains_key(&wronged.account) && wronged.until.is_none() {
                wronged.until = Some(at);
            }
        }
    }

    /// Something happened that injects may ask for or wait for.
    fn reach(&mut self, milestone: Milestone, at: Moment, by: &str) {
        self.milestones.entry(milestone).or_insert(at);
        let until: Vec<Option<f64>> = self.arrived.iter().map(|arrived| self.deadline(arrived)).collect();
        for (arrived, until) in self.arrived.iter_mut().zip(until) {
            let Some(Ask { question: Question::Do(what), .. }) = &arrived.inject.ask else { continue };
            if *what == milestone && arrived.answered.is_none() {
                arrived.answered = Some(done(at, by, until.is_none_or(|until| at.seconds <= until)));
            }
        }
    }

    fn tell(&mut self, at: Moment, what: impl Into<String>, by: &str) {
        if self.timeline.len() >= TIMELINE_MAX {
            self.untold += 1;
            return;
        }
        self.timeline.push(Line { at, what: what.into(), by: by.to_owned() });
    }
}

/// What is put down where something that was asked for is done.
fn done(at: Moment, by: &str, is_in_time: bool) -> Answered {
    Answered {
        at,
        by: by.to_owned(),
        said: "done".to_owned(),
        is_right: Some(true),
        is_in_time,
        expected: String::new(),
    }
}

/// What a report says of an inject that asked something.
fn asked(arrived: &Arrived) -> Option<Asked> {
    let ask = arrived.inject.ask.as_ref()?;
    let answered = arrived.answered.as_ref();
    Some(Asked {
        inject: arrived.inject.id.clone(),
        title: arrived.inject.title.clone(),
        counts_as: ask.counts_as,
        arrived: arrived.at,
        answered: answered.map(|answered| answered.at),
        by: answered.map(|answered| answered.by.clone()).unwrap_or_default(),
        said: answered.map(|answered| answered.said.clone()).unwrap_or_default(),
        is_right: match (&ask.question, answered) {
            (Question::Words, _) => None,
            (_, None) => Some(false),
            (_, Some(answered)) => answered.is_right,
        },
        is_in_time: answered.is_some_and(|answered| answered.is_in_time),
        expected: answered.map(|answered| answered.expected.clone()).unwrap_or_default(),
        why: ask.why.clone(),
    })
}
