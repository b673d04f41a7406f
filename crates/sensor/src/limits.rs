//! Every limit of this crate, and what happens at it.

use std::time::Duration;

/// Bytes of one message of OTLP, decompressed. A longer one is refused with `RESOURCE_EXHAUSTED` or 413, and its sender has to send less at once.
pub const OTLP_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Spans or log records of one message of OTLP. More are refused for good.
pub const OTLP_RECORDS_MAX: usize = 16_384;
/// Bytes of the records of one message of OTLP, each with what its resource and its library say of themselves. More are refused for good.
pub const OTLP_RECORDS_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Bytes of one message of Envoy or LiteLLM: a body as long as the gateway takes, and what stands around it. A longer one is refused.
pub const MESSAGE_BYTES_MAX: usize = gateway::limits::BODY_BYTES_MAX + 1024 * 1024;
/// Connections of sensors at once. Further ones wait.
pub const CONNECTIONS_MAX: usize = 1_024;
/// Messages that are dealt with at once. A further one is turned away, and its sender tries again.
pub const MESSAGES_MAX: usize = 256;
/// How long the head of a message may take over HTTP/1.1.
pub const HEAD_TIME_MAX: Duration = Duration::from_secs(30);
/// How long it may take until a message is there and its answer begins. A longer one is turned away.
pub const MESSAGE_TIME_MAX: Duration = Duration::from_secs(60);
/// How often a connection over HTTP/2 is asked whether its other end is there; one that does not answer is closed.
pub const PING_TIME: Duration = Duration::from_secs(60);
/// How long a handshake of TLS may take.
pub const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);

/// Bytes of exchanges that Envoy has begun to show and not ended, of all together. Of those for which there is no room the request goes by
/// unrecorded, or the answer is recorded as far as it came.
pub const SHOWN_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Calls of which LiteLLM told the request and not the end yet. At one more the oldest goes on as it is, without its answer.
pub const CALLS_MAX: usize = 16_384;
/// Bytes of these calls. Over it the oldest go on likewise.
pub const CALLS_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Bytes of the id of a call. One with a longer id goes on record without its answer.
pub const CALL_ID_BYTES_MAX: usize = 256;
/// How long the answer to a call is waited for; as long as LiteLLM waits for a model.
pub const ANSWER_TIME_MAX: Duration = Duration::from_secs(600);
/// How long more of an answer is waited for: of a stream LiteLLM tells again and again, a longer part each time.
pub const MORE_TIME_MAX: Duration = Duration::from_secs(5);

/// Accounts that are not known and wait to be made. Further ones are made when they ask again.
pub const NEWCOMERS_MAX: usize = 65_536;
/// Accounts that are made at once.
pub const NEWCOMERS_AT_ONCE: usize = 1_024;

/// Bytes of the lines of one message of OTLP: as many as may wait to be written, less their sums. More are refused for good.
pub const RECEIVED_AT_ONCE_MAX: usize = 60 * 1024 * 1024;
/// Bytes of one file of received records, after which another is begun.
pub const RECEIVED_FILE_BYTES: u64 = 64 * 1024 * 1024;
/// The same in time.
pub const RECEIVED_FILE_TIME: Duration = Duration::from_secs(3_600);
/// Bytes of received records that are kept until they are on record. The oldest files go, and that is told.
pub const RECEIVED_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;
/// How long to wait where nothing was received.
pub const POLL_TIME: Duration = Duration::from_millis(50);
/// How long it takes at most until what was handed over is on record, while recording does not fail.
pub const SETTLE_TIME: Duration = Duration::from_secs(2);
/// How long a record may wait for another one of its call, and a minute. Received records that were read so long ago are not read again by a restart.
pub const JOIN_TIME_MAX: Duration = Duration::from_secs(900 + 60);
/// How often a position is remembered meanwhile.
pub const POSITION_TIME: Duration = Duration::from_secs(1);
/// By how many seconds records of one call may come after each other, while nothing else comes.
pub const LATENESS_SECONDS: i64 = 30;
