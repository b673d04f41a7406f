//! Every limit of this crate, in one table. Each is tested at the limit and one past it.

/// The longest record, in bytes of text before any parsing. Of a longer one, strings are cut at
/// [`LONG_STRING_BYTES_MAX`], and it counts as damaged.
pub const RECORD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How far a record's time may lie ahead of the reader's reference time, in seconds, before it is refused.
pub const FUTURE_SECONDS_MAX: i64 = 24 * 60 * 60;

/// The most messages kept of one request. Of more, those in the middle are dropped, empty ones first.
pub const MESSAGES_MAX: usize = 4096;

/// The most bad lines whose file, line and reason are kept; all of them are counted.
pub const BAD_LINES_KEPT_MAX: usize = 1000;

/// The most JSON values in one record; it bounds the memory that a record takes beyond its text.
pub const JSON_VALUES_MAX: usize = 250_000;

/// How deep values may be nested in a damaged record; deeper ones are missing. Sound records may go to 127.
pub const NESTING_MAX: usize = 100;

/// The longest name of a column of a table within JSON, in bytes; each row repeats it.
pub const COLUMN_NAME_BYTES_MAX: usize = 128;

/// How deep brackets are followed to see where a record that was cut off ends.
pub const BRACKETS_FOLLOWED_MAX: usize = 4096;

/// Bytes that are no record, behind which an object on the same line is a record of its own.
pub const JUNK_BYTES_MAX: usize = 4096;

/// What is kept of a string in a record that is too long, in bytes.
pub const LONG_STRING_BYTES_MAX: usize = 256 * 1024;

/// How often a source may be compressed within itself, such as gzip in gzip.
pub const UNPACK_DEPTH_MAX: usize = 3;

/// How many wrappers may lie around a record, such as a log shipper's around a delivery stream's.
pub const WRAPPED_DEPTH_MAX: usize = 5;

/// How much may be unpacked of the texts within one text, in bytes over all its wrappers; a text within a text counts again.
pub const UNPACKED_BYTES_MAX: usize = RECORD_BYTES_MAX;

/// How long a record may wait for another one of the same call, in seconds of the records' own time.
pub const JOIN_SECONDS_MAX: u64 = 900;

/// How long after a throttled request an equal one is another attempt at the same call where they have no id in common, in
/// seconds.
pub const RETRY_SECONDS_MAX: u64 = 300;

/// How many records may wait for another one.
pub const JOIN_WAITING_MAX: usize = 65_536;

/// How many spans of one trace may wait; a longer one goes on in parts.
pub const TRACE_SPANS_MAX: usize = 1024;

/// Among how many exchanges a copy of one is known again.
pub const DUPLICATE_WINDOW: usize = 1 << 20;

/// How many accounts are told apart for the account of a reading; a hunt has its own limit.
pub const CENSUS_ACCOUNTS_MAX: usize = 100_000;

/// How many end users are told apart for it.
pub const CENSUS_USERS_MAX: usize = 100_000;

/// How far a record's time may lie in the past of the reader's reference time, in seconds, before it is refused as a clock
/// that was never set: twenty years. No model API is as old.
pub const PAST_SECONDS_MAX: i64 = 20 * 365 * 24 * 60 * 60;

/// Accounts with damaged records that are counted one by one.
pub const DAMAGED_ACCOUNTS_MAX: usize = 1000;

/// The longest id, in bytes. A longer one counts as wrong.
pub const ID_BYTES_MAX: usize = 2048;

/// The most characters of user input quoted in a message.
pub const QUOTE_CHARS_MAX: usize = 40;

/// The usual size of a chunk of lines, in bytes; a chunk that holds one long record is as long as that record.
pub const CHUNK_BYTES: usize = 1024 * 1024;

/// The largest zstd window accepted, as a power of two in bytes; it bounds what decompression takes.
pub const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// Records of a chunk that are tried for its first time.
pub const FIRST_TIME_RECORDS_MAX: usize = 16;

/// How many bytes are unpacked at a time, and so the most that damage in a compressed stream takes along before it.
pub const UNPACK_BYTES: usize = 4 * 1024;

/// Hexadecimal digits of the fingerprints in one record. Longer ones are as if absent.
pub const FINGERPRINT_BYTES_MAX: usize = 98_304;

/// How many lines of a container runtime, of which not all parts have come, are held at a time.
pub const LINES_BEGUN_MAX: usize = 256;
