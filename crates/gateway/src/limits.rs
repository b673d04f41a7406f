//! Every limit of this crate, and what happens at it.

use std::time::Duration;

/// Rules that respond by themselves. A configuration with more is refused.
pub const RULES_MAX: usize = 32;
/// Bytes of a request body, as it comes and decompressed. A longer one is refused with 413 as soon as its length is known.
pub const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Bytes of a body that are let come after its request was refused. At more the connection is closed, and the caller may lose
/// the reply.
pub const UNREAD_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Bytes of a compressed body that come out before others get their turn.
pub const DECODED_AT_ONCE: usize = 256 * 1024;
/// The window of a body that is compressed with zstd, as a power of two: 8 MiB, as RFC 9659 has it. One with a larger
/// window is refused with 400.
pub const ZSTD_WINDOW_LOG_MAX: u32 = 23;
/// Bytes of the line and the headers of a request together. More are refused with 431.
pub const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Headers of a request. More are refused with 431.
pub const HEADERS_MAX: usize = 100;
/// Bytes of a path. A longer one is refused with 404: no path that is served is as long.
pub const PATH_BYTES_MAX: usize = 1_024;
/// Bytes of a query. A longer one is refused with 400.
pub const QUERY_BYTES_MAX: usize = 2_048;
/// Bytes of the name of a model. A longer one is refused with 400.
pub const MODEL_BYTES_MAX: usize = 256;
/// Files that one request may refer to. More are refused with 400.
pub const FILES_REFERRED_MAX: usize = 100;
/// Requests of one batch. More are refused with 400. As many as OpenAI's API takes.
pub const BATCH_REQUESTS_MAX: usize = 50_000;
/// Models that the requests of one batch may name. More are refused with 400.
pub const BATCH_MODELS_MAX: usize = 16;
/// Bytes of the name that a request of a batch has. A longer one is refused with 400.
pub const CUSTOM_ID_BYTES_MAX: usize = 512;
/// Bytes of the id of something that a server keeps. A longer one is not found, and a server that gives one out has failed.
pub const STORED_ID_BYTES_MAX: usize = 256;
/// Bytes of a reply about something stored, which is read as a whole. A longer one is not delivered.
pub const STORED_REPLY_BYTES_MAX: usize = 1024 * 1024;
/// Things stored that are told on one page. Who asks for more gets so many, and hears that there are more.
pub const PAGE_MAX: u32 = 100;
/// The same where a request does not say how many.
pub const PAGE_USUAL: u32 = 20;
/// Things that servers are asked about for one page. A page of which more are gone is shorter.
pub const PAGE_ASKED_MAX: u32 = 200;
/// Bytes of a field of a form that is no file, and of the name of a file. A longer one is refused with 400.
pub const FORM_TEXT_BYTES_MAX: u64 = 256;
/// Alternatives that one request may ask for. More are refused with 400.
pub const ALTERNATIVES_MAX: u32 = 128;
/// Bytes of a reply of which a copy is handed over. The rest goes to the caller only, and that is counted.
pub const TEE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of a request body, and of a piece of a reply, of which a copy is handed over that is its own. A longer one shares
/// its memory with what was read from the connection, which for a short one would be many times its size.
pub const COPIED_BYTES_MAX: usize = 4 * 1024;
/// Bytes of a reply that are passed on in one piece, give or take the last one that was there. What is more goes on next.
pub const RELAYED_AT_ONCE: usize = 64 * 1024;
/// Bytes of a reply that is filtered as a whole (one that is not a stream). A longer one is not delivered.
pub const FILTERED_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes of one event of a stream that is filtered. At a longer one the stream ends.
pub const EVENT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Connections to callers at once. Further ones wait in the system's queue.
pub const CONNECTIONS_MAX: usize = 65_536;
/// Connections in the system's queue that wait to be accepted.
pub const BACKLOG: i32 = 4_096;
/// Idle connections kept to one server, for each worker. Further ones are closed.
pub const IDLE_MAX: usize = 256;
/// Streams that one HTTP/2 connection may have open at once.
pub const STREAMS_MAX: u32 = 250;
/// Attempts to deliver one request, on several servers, before the first byte of a reply.
pub const ATTEMPTS_MAX: usize = 3;
/// Exchanges that wait to be taken from the queue. Further ones are let go of, and counted.
pub const QUEUE_MAX: usize = 16_384;
/// Bytes of exchanges that wait in the queue. Further ones are let go of, and counted.
pub const QUEUE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes of an exchange, request and reply, up to which it is written as a line by the worker that served it. A longer one is
/// handed over, since writing it would make others wait.
pub const LINE_BYTES_MAX: usize = 64 * 1024;
/// Bytes of lines after which another piece of memory is begun: as much as is written at once, and as caches hold.
pub const LINES_PIECE_BYTES: usize = 256 * 1024;
/// Pieces of memory for lines that each worker keeps. Further ones are given back when their lines are written.
pub const LINES_FREE_MAX: usize = 16;
/// Tokens that are reserved for a reply whose request does not say how many it may have. What it has above is charged
/// afterwards.
pub const OUTPUT_TOKENS_UNTOLD: u64 = 4_096;
/// Events at the end of a stream, and at its beginning, in which it may stand how many tokens were used.
pub const USAGE_EVENTS: usize = 4;

/// Seconds for which what is known of accounts holds while the database is away, unless the configuration says otherwise.
/// Then requests are turned away.
pub const STALE_SECONDS: u64 = 3_600;
/// The fewest seconds that the configuration may name: the database is asked twice each second, and may pause now and then.
pub const STALE_SECONDS_MIN: u64 = 2;
/// The most seconds that the configuration may name, a year; whoever wants more says `unlimited`.
pub const STALE_SECONDS_MAX: u64 = 365 * 24 * 3_600;

/// Answers of one stream from which reasoning between tags is taken out. Of further ones nothing is passed.
pub const THINKING_ANSWERS_MAX: usize = 128;
/// Bytes of white space and of a tag that are waited for at the beginning of an answer in pieces. A longer one begins with
/// no tag, and passes.
pub const THINKING_BEGINNING_BYTES_MAX: usize = 64;
/// Tokens of a reply that may not be long, unless the configuration says otherwise.
pub const SHIELDED_OUTPUT_TOKENS: u64 = 1_024;
/// Decimals of the numbers of a vector that may not be exact, unless the configuration says otherwise: two vectors that are
/// near each other stay so, and what distinguishes near ones is gone.
pub const SHIELDED_EMBEDDING_DECIMALS: u8 = 2;
/// Decimals that a 32-bit float has; a configuration that asks for more rounds nothing and is refused.
pub const EMBEDDING_DECIMALS_MAX: u8 = 7;

/// Bytes of recorded lines that are written at once.
pub const RECORD_BATCH_BYTES: usize = 256 * 1024;

/// How long it is waited before exchanges are looked for again, where there were some, so that several are written at once.
pub const RECORD_GATHER_TIME: Duration = Duration::from_millis(1);
/// The same where there were none, or they could not be written.
pub const RECORD_TIME_MAX: Duration = Duration::from_millis(20);
/// How often the oldest recorded files are looked at, to remove what is too much.
pub const RECORD_TIDY_TIME: Duration = Duration::from_secs(60);
/// How long the head of a request may take.
pub const HEAD_TIME_MAX: Duration = Duration::from_secs(30);
/// How long the rest of a body is let come after its request was refused.
pub const UNREAD_TIME_MAX: Duration = Duration::from_secs(10);
/// How long a request body may take.
pub const BODY_TIME_MAX: Duration = Duration::from_secs(120);
/// How long an identity provider may take to answer. What it published before holds on.
pub const IDENTITY_TIME_MAX: Duration = Duration::from_secs(5);
/// Identity providers. A configuration with more is refused: each may have to be asked about a token.
pub const IDENTITIES_MAX: usize = 16;
/// Destinations of alerts. A configuration with more is refused.
pub const ALERTS_MAX: usize = 16;
/// Mailboxes of one destination of alerts. A configuration with more is refused.
pub const MAILBOXES_MAX: usize = 32;
/// Minutes between two alerts of accounts that joined one campaign, a week at most.
pub const REPEAT_MINUTES_MAX: u32 = 7 * 24 * 60;
/// Minutes after which a campaign that stands no longer counts as gone, a day at most. At least 1: after a start, detection needs a moment.
pub const SETTLE_MINUTES_MAX: u32 = 24 * 60;
/// How long a TLS handshake may take.
pub const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);
/// How often connections to servers that are idle for too long, or that a server closed, are let go of, and servers asked how
/// they are.
pub const TIDY_TIME: Duration = Duration::from_secs(5);
/// How long a server may take to say how it is. At more it counts as not well.
pub const CHECK_TIME_MAX: Duration = Duration::from_secs(5);
/// How long an idle connection to a server is kept.
pub const IDLE_TIME_MAX: Duration = Duration::from_secs(60);
