//! Every limit of this crate, and what happens at it.

/// Bytes of a playbook. A longer one is refused.
pub const PLAYBOOK_BYTES_MAX: usize = 1 << 20;
/// Steps of a playbook. One with more is refused.
pub const STEPS_MAX: usize = 500;
/// Commands of a step. A playbook with more of them is refused.
pub const COMMANDS_MAX: usize = 50;
/// Steps that are done of one run. No more are taken.
pub const DONE_MAX: usize = 2_000;
/// Bytes of what somebody notes of a step. More is refused.
pub const NOTE_BYTES_MAX: usize = 4_000;
/// Deadlines of one file. One with more is refused.
pub const DEADLINES_MAX: usize = 200;
