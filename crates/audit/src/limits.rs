//! Every limit of this crate, and what happens at it.

/// Findings of one rule. Further ones are counted in one that says so.
pub const FINDINGS_OF_A_RULE_MAX: usize = 100;
/// Bytes of a message of a finding. A longer one is cut, and says so.
pub const MESSAGE_BYTES_MAX: usize = 2_000;
/// Accepted risks of one file. A file with more is refused.
pub const ACCEPTED_MAX: usize = 1_000;
