//! Every limit of the simulation, in one table. Each is tested at the limit and one past it.

/// The longest scenario, in days.
pub const DAYS_MAX: f64 = 366.0;

/// The most accounts, honest and campaign together.
pub const ACCOUNTS_MAX: usize = 2_000_000;

/// The most exchanges; a planned one takes 32 bytes.
pub const EXCHANGES_MAX: usize = 50_000_000;

/// The most campaigns.
pub const CAMPAIGNS_MAX: usize = 64;

/// The most wordings of one template.
pub const WORDINGS_MAX: u32 = 1_000;

/// The most words of a system prompt in front of everybody's requests.
pub const PREAMBLE_WORDS_MAX: u32 = 10_000;

/// The most copies of a request.
pub const COPIES_MAX: u32 = 10;

/// The most calls that a run has in the median.
pub const RUN_CALLS_MAX: u32 = 100;

/// The most rows of one corpus file.
pub const CORPUS_ROWS_MAX: usize = 1_000_000;
