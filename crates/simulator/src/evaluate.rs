//! Scores what a hunt found against labels.
//!
//! Promises numbers that can be recomputed by hand: each is a ratio of counts, and the definition stands at its field.
//! Refuses to flatter: an account that is flagged but has no label counts as a false positive, and a ratio over nothing
//! is absent, not 1. Detection never sees this module nor the labels it reads. Memory is bounded by the number of
//! labelled accounts and of the campaigns' own exchanges; honest exchanges are not kept.
//!
//! Use: read [`Labels`] and [`Found`], feed every exchange to [`Activity::see`], then [`score()`].

mod read;
mod score;
pub(crate) mod text;

pub use read::{CAMPAIGNS_LINE_BYTES_MAX, LABELS_LINE_BYTES_MAX, ReadError, read_campaigns, read_labels};
pub use score::{
    AccountScore, Activity, CampaignScore, Contradiction, Evaluation, ExchangeScore, FOUND_PURITY_MIN,
    FOUND_RECALL_MIN, Found, Labels, MEMBER_PROBABILITY_MIN, ROLE_UNLABELLED, ROLE_UNNAMED, RoleScore, Unmatched,
    score,
};
pub use text::WIDTH_MIN;

#[cfg(test)]
mod tests;
