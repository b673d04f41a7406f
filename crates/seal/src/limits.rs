//! Every limit of this crate, and what happens at it.

/// Account keys that are remembered while records are sealed. At more all are forgotten, and each account gets another one.
pub const KNOWN_MAX: usize = 262_144;
/// Bytes of a file of keys of one day. A longer one is refused.
pub const DAY_BYTES_MAX: usize = 1 << 30;
/// Bytes of a key file. A longer one is refused.
pub const KEY_FILE_BYTES_MAX: usize = 256 * 1024;
/// Bytes of the list of accounts that are being erased. A longer one is not written.
pub const ERASING_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Grants in a key file. One with more is refused.
pub const GRANTS_MAX: usize = 64;
/// Bytes of the name of who is granted, and of a purpose. Longer ones are refused.
pub const WORD_BYTES_MAX: usize = 64;
/// Bytes of a passphrase. A longer one is refused.
pub const PASSPHRASE_BYTES_MAX: usize = 1024;
/// Bytes of the name of an account that is sealed for. A longer one is refused.
pub const ACCOUNT_BYTES_MAX: usize = 1024;
/// Memory that a passphrase is hashed with, in KiB. A key file that asks for more is refused.
pub const PASSPHRASE_KIB_MAX: u32 = 1 << 20;
/// How long a command may take that locks or unlocks. Then it is ended.
pub const COMMAND_TIME_MAX: std::time::Duration = std::time::Duration::from_secs(30);
/// Evidence keys that another took the place of, and that are kept in a key file. At as many no other is made.
pub const RETIRED_MAX: usize = 32;
/// How often a passphrase is hashed over. A key file that asks for more is refused.
pub const PASSPHRASE_PASSES_MAX: u32 = 16;
/// Days whose account keys are remembered while records are sealed. At another one those of the earliest are forgotten.
pub const DAYS_MAX: usize = 4;
