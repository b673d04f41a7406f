//! Every limit of this crate, and what happens at it.

/// Bytes of an exercise. A longer one is refused.
pub const EXERCISE_BYTES_MAX: usize = 256 * 1024;
/// Injects of an exercise. One with more is refused.
pub const INJECTS_MAX: usize = 100;
/// Options of a question. An exercise with a longer list is refused.
pub const OPTIONS_MAX: usize = 20;
/// Bytes of a text of an exercise. A longer one is refused.
pub const TEXT_BYTES_MAX: usize = 8_000;
/// Minutes that an exercise may take. A longer one is refused.
pub const MINUTES_MAX: f64 = 24.0 * 60.0;
/// By how much a scenario is scaled at most. A larger one is refused.
pub const SCALE_MAX: f64 = 100.0;
/// Bytes of an answer. A longer one is refused.
pub const ANSWER_BYTES_MAX: usize = 2_000;
/// Seconds after the traffic is over in which answers are still taken.
pub const ANSWER_SECONDS: f64 = 120.0;
/// Bytes of a name. A longer one is refused.
pub const NAME_BYTES_MAX: usize = 100;
/// Lines of the timeline of a drill. What happens after that is counted, and no longer told one by one.
pub const TIMELINE_MAX: usize = 2_000;
/// Honest accounts that were restricted, which a report names. The others are counted.
pub const WRONGED_NAMED_MAX: usize = 200;
