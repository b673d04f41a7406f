//! What is told of a campaign, as plain data: numbers, a sentence, a link.
//!
//! Promises to have no place for the text of a request or for an account.

use exchange::Time;
use serde::{Deserialize, Serialize};

/// What became of a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It was detected.
    Detected,
    /// Accounts joined it.
    Joined,
    /// It stands no longer.
    Withdrawn,
}

impl Kind {
    /// Its name in alerts.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Detected => "campaign_detected",
            Kind::Joined => "campaign_joined",
            Kind::Withdrawn => "campaign_withdrawn",
        }
    }
}

/// One thing that is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// Since which beginning campaigns have their names.
    #[serde(default)]
    pub generation: u64,
    /// What became of the campaign.
    pub kind: Kind,
    /// When that came up.
    pub time: Time,
    /// The campaign, as in findings.
    pub campaign: String,
    /// When it was detected, in the time of the exchanges.
    pub since: Time,
    /// How many accounts belong to it; for one that stands no longer, how many did.
    pub accounts: usize,
    /// How many of them joined since it was told last.
    pub joined: usize,
    /// The evidence (log10).
    pub log10_e: f64,
    /// What it had to come to (log10).
    pub log10_threshold: f64,
    /// The honest explanation that comes nearest.
    pub rival: String,
}

/// Where alerts come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The name of the detection, where there are several.
    pub source: String,
    /// Where a campaign is looked at, with `{id}` in the place of its name.
    pub link: String,
    /// The version of Stillwatch.
    pub version: String,
}

impl Origin {
    /// Where the campaign of `notice` is looked at.
    #[must_use]
    pub fn link(&self, notice: &Notice) -> String {
        self.link.replace("{id}", &notice.campaign)
    }

    /// The name of the campaign of `notice` among those of all detections.
    #[must_use]
    pub fn campaign_uid(&self, notice: &Notice) -> String {
        format!("{}-{:x}-{}", self.source, notice.generation, notice.campaign)
    }

    /// The name of the alert, which stays the same when it is sent again.
    #[must_use]
    pub fn alert_id(&self, notice: &Notice) -> String {
        format!("{}-{}-{}", self.campaign_uid(notice), notice.kind.name(), milliseconds(notice.time))
    }
}

impl Notice {
    /// It in a few words.
    #[must_use]
    pub fn title(&self) -> String {
        let Notice { campaign, accounts, joined, .. } = self;
        match self.kind {
            Kind::Detected => format!("Campaign {campaign} was detected: {}", count(*accounts)),
            Kind::Joined => format!("Campaign {campaign}: {} joined", count(*joined)),
            Kind::Withdrawn => format!("Campaign {campaign} stands no longer"),
        }
    }

    /// It as a plain sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let Notice { campaign, since, rival, .. } = self;
        let verb = if self.kind == Kind::Withdrawn { "was" } else { "is" };
        let evidence = format!(
            "the evidence {verb} {}, where {} {verb} needed; the nearest honest explanation {verb}: {rival}",
            power(self.log10_e),
            power(self.log10_threshold)
        );
        let accounts = count(self.accounts);
        match self.kind {
            Kind::Detected => {
                format!("The campaign {campaign} was detected at {since}: {accounts} act together ({evidence}).")
            }
            Kind::Joined => format!(
                "{} joined the campaign {campaign} since it was told last; it was detected at {since} and has {accounts} now \
                 ({evidence}).",
                count(self.joined)
            ),
            Kind::Withdrawn => format!(
                "The campaign {campaign}, which was detected at {since}, stands no longer; it had {accounts} \
                 ({evidence})."
            ),
        }
    }
}

/// The milliseconds since 1970 of a time.
#[must_use]
pub fn milliseconds(time: Time) -> i64 {
    time.nanos().div_euclid(1_000_000)
}

fn count(accounts: usize) -> String {
    if accounts == 1 { "1 account".to_owned() } else { format!("{accounts} accounts") }
}

/// A power of ten, from its logarithm.
#[must_use]
pub fn power(log10: f64) -> String {
    format!("10^{log10:.1}")
}
