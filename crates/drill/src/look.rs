//! What a staging instance shows at a moment, as far as it matters to a drill.

use std::collections::BTreeSet;

/// What a staging instance shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// The campaigns that stand.
    pub campaigns: Vec<Standing>,
    /// Every response.
    pub responses: Vec<Response>,
    /// Cases that were opened.
    pub cases: Vec<Case>,
    /// Verdicts that were said, by id, each with whoever did.
    pub verdicts: Vec<(String, String)>,
    /// Appeals that are decided, by id, each with whoever did.
    pub decided: Vec<(String, String)>,
}

/// A campaign that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What detection calls it.
    pub id: String,
    /// The accounts that it names.
    pub members: BTreeSet<String>,
}

/// A case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// What it is called.
    pub id: String,
    /// Who opened it.
    pub by: String,
    /// Whether it is about a campaign.
    pub is_about_campaign: bool,
}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// What it is called.
    pub id: String,
    /// Its rung, by name.
    pub rung: String,
    /// What it does to accounts.
    pub effect: Effect,
    /// Whether it does that now: it is approved, not in shadow mode, not over and not taken back.
    pub is_in_force: bool,
    /// Who took it.
    pub author: String,
    /// Who approved it, where a second person had to.
    pub approved_by: Option<String>,
    /// Who took it back, if somebody did.
    pub undone_by: Option<String>,
    /// How many accounts it covers, or would cover once it is in force.
    pub covers: u64,
    /// The accounts that it covers, where it is in force.
    pub accounts: BTreeSet<String>,
}

/// What a response does to accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// They notice nothing.
    Nothing,
    /// They get less than before.
    Restricts,
    /// They get nothing.
    Blocks,
}

impl Effect {
    /// That of a rung, by its name.
    #[must_use]
    pub fn of(rung: &str) -> Effect {
        match rung {
            "block" => Effect::Blocks,
            "none" | "observe" | "alert" => Effect::Nothing,
            _ => Effect::Restricts,
        }
    }
}
