//! How everybody stands now, as plain data: what detection tells to whoever decides.

use exchange::Time;

/// All campaigns that stand, and who belongs to them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Board {
    /// Since which beginning campaigns have their names: a number that no other beginning has.
    pub generation: u64,
    /// How often the board was written anew since the watcher began; greater with each change.
    pub sequence: u64,
    /// The campaigns in the order of their numbers.
    pub campaigns: Vec<Campaign>,
}

/// A campaign that stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Campaign {
    /// Its name, as in findings.
    pub id: String,
    /// When it was detected, in the time of the exchanges.
    pub since: Time,
    /// The evidence (log10).
    pub log10_e: f64,
    /// What it had to come to (log10).
    pub log10_threshold: f64,
    /// The honest explanation that comes nearest.
    pub rival: String,
    /// Its members.
    pub members: Vec<Member>,
}

/// An account that belongs to a campaign.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// The account.
    pub account: String,
    /// How likely it takes part.
    pub probability: f64,
}
