//! Every limit of the lake, and what happens at it.

/// Parts of a day, by a hash of the account: erasing one account rewrites one of so many.
pub const SHARDS: u64 = 16;

/// Rows of a row group. With one more, the next begins.
pub const GROUP_ROWS_MAX: usize = 65_536;

/// Bytes of a row group before they are compressed. With more, the next begins.
pub const GROUP_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Bytes of a part as it is written; sealed texts count as they are. A part that has more is ended, and another is begun.
pub const PART_BYTES_MAX: usize = 128 * 1024 * 1024;

/// Bytes of rows that are gathered in memory before they are written as parts.
pub const GATHERED_BYTES_MAX: usize = 96 * 1024 * 1024;

/// Rows that are gathered likewise.
pub const GATHERED_ROWS_MAX: usize = 131_072;

/// Rows that are handed to the writer of a part at once.
pub const BATCH_ROWS: usize = 1024;

/// Bytes of rows that are handed to it at once.
pub const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// Bytes of rows that are read of a part at once, by the average of the part.
pub const READ_BYTES: usize = 1024 * 1024;

/// Partitions whose rows are known by their hashes while rows are added. What is in further ones is read again.
pub const PARTITIONS_MAX: usize = 64;

/// Letters of the name of a recorded file that parts are called after. Parts of a longer one are called `record`.
pub const STEM_LETTERS_MAX: usize = 80;

/// Parts of a shard and a day that is not over, which are merged from then on.
pub const PARTS_OF_TODAY_MAX: usize = 8;

/// Parts that are merged at once, since each is open then. What is left is merged the next time.
pub const MERGED_MAX: usize = 256;

/// Bytes of what stands beside the parts: what was taken in, what was erased. A longer file is not read.
pub const NOTE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Accounts that are erased at once. For more, erase in parts.
pub const ERASED_AT_ONCE_MAX: usize = 10_000;

/// Bytes of what is known of accounts. More is neither written nor read.
pub const FACTS_BYTES_MAX: usize = 1024 * 1024 * 1024;

/// Bytes of a part that is copied. None of ours is longer.
pub const COPIED_BYTES_MAX: usize = 1024 * 1024 * 1024;

/// Rows that one page of a search looks at. The next page goes on from there.
pub const SEARCH_ROWS_MAX: u64 = 4_000_000;
