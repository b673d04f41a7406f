//! Every limit of this crate, and what happens at it.

use std::time::Duration;

/// Bytes of the body of a request to the admin API. A longer one is refused with 413.
pub const BODY_BYTES_MAX: usize = 256 * 1024;
/// Items of one reply that lists something. The rest comes with the next one, by `after`.
pub const PAGE_MAX: usize = 1_000;
/// Bytes of a reason and of an author's name. A longer one is refused.
pub const WORDS_BYTES_MAX: usize = 1_000;
/// Appeals that are kept. At the limit the one that was rejected longest ago goes; where none was, further ones are refused.
pub const APPEALS_MAX: usize = 20_000;
/// Cases that are kept. At the limit the closed one that was opened longest ago goes; where none is closed, further ones are refused.
pub const CASES_MAX: usize = 5_000;
/// Versions of policies that are kept. Older ones go; the ledger goes on telling that they were.
pub const VERSIONS_MAX: usize = 50;
/// Views that one person saves. Further ones are refused.
pub const VIEWS_EACH_MAX: usize = 50;
/// Schedules of hunts. Further ones are refused.
pub const SCHEDULES_MAX: usize = 20;
/// Notes of one case. Further ones are refused.
pub const NOTES_MAX: usize = 100;
/// Bytes of a note of a case. A longer one is refused.
pub const NOTE_BYTES_MAX: usize = 2_000;
/// Addresses that a case leads to, and campaigns that it is opened with. More are refused.
pub const CASE_LINKS_MAX: usize = 20;
/// People who may sign in. Further ones are refused.
pub const PEOPLE_MAX: usize = 1_000;
/// Passkeys of one person. Further ones are refused.
pub const PASSKEYS_EACH_MAX: usize = 10;
/// Characters of a password that somebody chooses. A shorter one is refused.
pub const PASSWORD_CHARS_MIN: usize = 12;
/// Bytes of a password. A longer one is nobody's.
pub const PASSWORD_BYTES_MAX: usize = 1_024;
/// How often it is taken note of that somebody is in the console.
pub const VISIT_TIME: Duration = Duration::from_secs(60);
/// How often the database is asked what other processes changed.
pub const REFRESH_TIME: Duration = Duration::from_millis(500);
/// Keys whose last use is remembered between two writes to the database. The use of further ones is not.
pub const USES_MAX: usize = 100_000;
/// Changes in one statement of the ledger. Further ones are in the next.
pub const STATEMENT_CHANGES_MAX: usize = 256;
/// Bytes of what things are now, in one statement. What is longer is told by its hash.
pub const TOLD_BYTES_MAX: usize = 256 * 1024;
