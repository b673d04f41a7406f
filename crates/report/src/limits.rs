//! How much a page shows of each thing; what is left out is counted there.

/// Campaigns with a section of their own.
pub const CAMPAIGNS: usize = 50;
/// Accounts listed for each campaign.
pub const ACCOUNTS: usize = 10_000;
/// Accounts listed on the page in all, but at least [`ACCOUNTS_LEAST`] for each campaign.
pub const ACCOUNTS_PAGE: usize = 18_000;
/// Accounts listed for each campaign, however many came before.
pub const ACCOUNTS_LEAST: usize = 100;
/// Sample exchanges for each campaign.
pub const SAMPLES: usize = 6;
/// Groups that were looked at and not reported.
pub const CLEARED: usize = 30;
/// Pieces of a template.
pub const SEGMENTS: usize = 80;
/// Characters of a sample or of a piece of a template.
pub const TEXT_CHARS: usize = 1_600;
/// Characters of a sentence.
pub const SENTENCE_CHARS: usize = 600;
/// Characters of an identifier.
pub const ID_CHARS: usize = crate::words::ID_CHARS_MAX;
/// Characters at either end of fixed text that a sample shows of it.
pub const SAME_CHARS: usize = 120;
