//! Every limit of this crate, and what happens at it.

use std::time::Duration;

/// Alerts that wait for one destination. Further ones are let go of, counted, and said once in the log.
pub const QUEUE_MAX: usize = 256;
/// Campaigns that are remembered for one destination. At more, those are forgotten that are gone for longest and whose withdrawal was not
/// told yet; where all of them stand, further ones are told as soon as there is room.
pub const CAMPAIGNS_MAX: usize = 4_096;
/// How long one attempt may take, from the connection to the answer.
pub const ATTEMPT_TIME_MAX: Duration = Duration::from_secs(15);
/// How long it is waited after the first failure; twice as long after each further one.
pub const PAUSE_MIN: Duration = Duration::from_secs(2);
/// The longest such pause.
pub const PAUSE_MAX: Duration = Duration::from_secs(600);
/// How long after it came up an alert is tried again. One that was not delivered by then is given up, counted and said in the log.
pub const RETRY_TIME_MAX: Duration = Duration::from_secs(4 * 3_600);
/// How often it is looked whether something is due, where detection says nothing new.
pub const STEP_TIME: Duration = Duration::from_secs(5);
/// How long alerts that wait may take when the process ends. What is left is delivered after the next start.
pub const FINISH_TIME_MAX: Duration = Duration::from_secs(3);
/// Bytes of the key that a webhook is signed with, as Standard Webhooks has it.
pub const KEY_BYTES_MIN: usize = 24;
/// The most bytes of it.
pub const KEY_BYTES_MAX: usize = 64;
/// Bytes of a syslog message over UDP. Of a longer one the end is cut off, since a datagram that is too long may not come at all
/// (RFC 5426, section 3.2).
pub const DATAGRAM_BYTES_MAX: usize = 2_048;
