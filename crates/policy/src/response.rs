//! Responses: what is done about an account or a whole campaign, by whom, why, and until when.
//!
//! Promises that a response ends when it should: what is over, undone or not approved yet is as if it were not there
//! ([`Responses::force`]), and one in shadow mode changes nothing and is only told. Whom a response covers is said account by account
//! ([`crate::Directory`](crate::directory::Directory)), so that undoing it leaves everybody as they were. Says nothing of what a rung takes
//! away; policies do.

use std::sync::Arc;

use exchange::{Assurance, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::amount::{Per, Unit};
use crate::id::{AccountId, ResponseId};

/// The rungs of the ladder, mildest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Rung {
    /// Nothing is done.
    #[default]
    None,
    /// It is watched more closely.
    Observe,
    /// Somebody was told.
    Alert,
    /// It has to show better who it is.
    Verify,
    /// It shares one budget with others.
    ShareBudget,
    /// Its answers come without what helps most to train on them.
    Shield,
    /// It gets nothing.
    Block,
}

impl Rung {
    /// All of them, mildest first.
    pub const ALL: [Rung; 7] =
        [Rung::None, Rung::Observe, Rung::Alert, Rung::Verify, Rung::ShareBudget, Rung::Shield, Rung::Block];

    /// Its name in policies.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Rung::None => "none",
            Rung::Observe => "observe",
            Rung::Alert => "alert",
            Rung::Verify => "verify",
            Rung::ShareBudget => "share_budget",
            Rung::Shield => "shield",
            Rung::Block => "block",
        }
    }
}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Response {
    /// Its name.
    pub id: ResponseId,
    /// What it is about.
    pub target: Target,
    /// What is done.
    pub rung: Rung,
    /// How well whoever is covered has to be known; by nothing else lifted. For [`Rung::Verify`].
    #[serde(default)]
    pub assurance: Assurance,
    /// What all who are covered may take together. For [`Rung::ShareBudget`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// How likely an account must take part to be covered, in percent. For campaigns.
    #[serde(default = "likely")]
    pub probability: i64,
    /// Whether accounts that join the campaign later are covered as well.
    #[serde(default)]
    pub joiners: Joiners,
    /// Whether it only tells what it would change.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shadow: bool,
    /// From when.
    pub since: Time,
    /// Until when; without it, until it is undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// Why, for the operator; callers never learn it.
    pub reason: String,
    /// Who took it, or which rule.
    pub author: String,
    /// Whether a second person has to approve it, and who did.
    #[serde(default, skip_serializing_if = "Approval::is_needless")]
    pub approval: Approval,
    /// Which detection named the campaign, where it is about one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// How it was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undone: Option<Undone>,
}

/// What a response is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// One account.
    Account(AccountId),
    /// The members of a campaign, by its name.
    Campaign(String),
}

/// A rule that the operator wrote: responds by itself to campaigns that are strong enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// The evidence from which on it responds, as a power of ten.
    pub strength: i64,
    /// How likely an account must take part to be covered, in percent.
    pub probability: i64,
    /// What is done.
    pub rung: Rung,
    /// For [`Rung::Verify`].
    pub assurance: Assurance,
    /// For [`Rung::ShareBudget`].
    pub budget: Option<Budget>,
    /// Whether accounts that join later are covered as well.
    pub joiners: Joiners,
    /// Whether it only tells what it would change.
    pub shadow: bool,
    /// How long a response of it holds, in hours.
    pub hours: u32,
    /// Why, in the operator's words.
    pub reason: String,
}

impl Rule {
    /// The author of its responses. No person's name begins so.
    #[must_use]
    pub fn author(&self) -> String {
        format!("{RULE}{}", self.name)
    }
}

/// What the authors of responses begin with that rules took.
pub const RULE: &str = "rule:";

/// What several accounts may take together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// What is counted.
    pub unit: Unit,
    /// How much.
    pub amount: u64,
    /// In which time.
    pub per: Per,
}

/// What becomes of accounts that join a campaign after a response to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Joiners {
    /// They are left alone.
    #[default]
    Leave,
    /// They are covered as well.
    Inherit,
}

/// Whether a second person has to agree.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Approval {
    /// Nobody has to.
    #[default]
    Needless,
    /// Nobody has yet; until then it does not hold.
    Wanted,
    /// Somebody did.
    By(String),
}

impl Approval {
    fn is_needless(&self) -> bool {
        *self == Approval::Needless
    }
}

/// How a response was taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Undone {
    /// When.
    pub time: Time,
    /// Who did it.
    pub author: String,
    /// Why.
    pub reason: String,
}

/// Members are those who take part more likely than not.
const fn likely() -> i64 {
    50
}

impl Response {
    /// Whether it holds at `now`, in shadow mode or not.
    #[must_use]
    pub fn holds(&self, now: Time) -> bool {
        self.undone.is_none()
            && self.approval != Approval::Wanted
            && self.since <= now
            && self.until.is_none_or(|until| now < until)
    }
}

/// The responses that cover an account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Responses(Vec<Arc<Response>>);

/// What responses come to for an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Force {
    /// The strictest rung.
    pub rung: Rung,
    /// How well it has to be known.
    pub assurance: Assurance,
}

impl FromIterator<Arc<Response>> for Responses {
    fn from_iter<I: IntoIterator<Item = Arc<Response>>>(responses: I) -> Self {
        Responses(responses.into_iter().collect())
    }
}

impl Responses {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Response>> {
        self.0.iter()
    }

    /// What those come to that hold at `now`.
    #[must_use]
    pub fn force(&self, now: Time) -> Force {
        Force::of(self.iter().filter(|response| response.holds(now) && !response.shadow))
    }

    /// What they would come to if those in shadow mode held as well; none where there are none that hold.
    #[must_use]
    pub fn force_with_shadows(&self, now: Time) -> Option<Force> {
        let holding = || self.iter().filter(|response| response.holds(now));
        holding().any(|response| response.shadow).then(|| Force::of(holding()))
    }

    /// The names of those that have it share a budget at `now`.
    #[must_use]
    pub fn budgets(&self, now: Time) -> Vec<ResponseId> {
        let shared = |response: &&Arc<Response>| response.budget.is_some() && response.holds(now) && !response.shadow;
        self.iter().filter(shared).map(|response| response.id.clone()).collect()
    }
}

impl Force {
    fn of<'r>(responses: impl Iterator<Item = &'r Arc<Response>>) -> Force {
        responses.fold(Force::default(), |force, response| Force {
            rung: force.rung.max(response.rung),
            assurance: force.assurance.max(response.assurance),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn response(id: &str, change: impl FnOnce(&mut Response)) -> Arc<Response> {
        let mut response: Response = serde_json::from_value(json!({
            "id": id, "target": {"account": "a"}, "rung": "block", "since": "1970-01-01T00:00:10Z", "until": "1970-01-01T00:00:20Z",
            "reason": "seen", "author": "ann",
        }))
        .unwrap();
        change(&mut response);
        Arc::new(response)
    }

    fn at(seconds: i64) -> Time {
        Time::from_seconds(seconds)
    }

    #[test]
    fn every_rung_has_its_name() {
        for (index, rung) in Rung::ALL.into_iter().enumerate() {
            assert_eq!(rung as usize, index);
            assert_eq!(serde_json::to_string(&rung).unwrap(), format!("\"{}\"", rung.name()));
        }
    }

    #[test]
    fn a_response_holds_for_its_time_once_it_is_approved_and_until_it_is_undone() {
        let rung = |response: &Arc<Response>, now| Responses(vec![Arc::clone(response)]).force(at(now)).rung;
        let plain = response("r", |_| {});
        for (now, expected) in [(9, Rung::None), (10, Rung::Block), (19, Rung::Block), (20, Rung::None)] {
            assert_eq!(rung(&plain, now), expected, "{now}");
        }
        assert_eq!(rung(&response("r", |response| response.until = None), 1_000_000), Rung::Block);
        assert_eq!(rung(&response("r", |response| response.approval = Approval::Wanted), 15), Rung::None);
        assert_eq!(
            rung(&response("r", |response| response.approval = Approval::By("bob".to_owned())), 15),
            Rung::Block
        );
        let undone = Undone { time: at(12), author: "ann".to_owned(), reason: "wrong".to_owned() };
        assert_eq!(rung(&response("r", |response| response.undone = Some(undone)), 15), Rung::None);
    }

    #[test]
    fn one_in_shadow_mode_changes_nothing_and_is_told() {
        let shield = response("s", |response| response.rung = Rung::Shield);
        let shadow = response("t", |response| response.shadow = true);
        let both = Responses(vec![Arc::clone(&shield), shadow]);
        assert_eq!(both.force(at(15)).rung, Rung::Shield);
        assert_eq!(both.force_with_shadows(at(15)).map(|force| force.rung), Some(Rung::Block));
        assert_eq!(both.force_with_shadows(at(25)), None, "over");
        assert_eq!(Responses(vec![shield]).force_with_shadows(at(15)), None);
    }

    proptest! {
        /// The strictest of those that hold, in whatever order they came.
        #[test]
        fn the_strictest_holds(rungs in prop::collection::vec((0_usize..7, any::<bool>()), 0..8)) {
            let all: Vec<Arc<Response>> = rungs.iter().enumerate().map(|(number, &(rung, undone))| {
                response(&format!("r{number}"), |response| {
                    response.rung = Rung::ALL[rung];
                    response.undone = undone.then(|| Undone { time: at(1), author: String::new(), reason: String::new() });
                })
            }).collect();
            let expected = rungs.iter().filter(|(_, undone)| !undone).map(|&(rung, _)| Rung::ALL[rung]).max().unwrap_or_default();
            let there: Responses = all.iter().cloned().collect();
            let back: Responses = all.into_iter().rev().collect();
            prop_assert_eq!((there.force(at(15)).rung, back.force(at(15)).rung), (expected, expected));
        }
    }
}
