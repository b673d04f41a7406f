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

/// The most rows of one corpus file.
pub const CORPUS_ROWS_MAX: usize = 1_000_000;
