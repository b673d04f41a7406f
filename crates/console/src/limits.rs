//! Every limit of this crate, and what happens at it.

use std::time::Duration;

/// Bytes of a form. A longer one is refused with 413.
pub const FORM_BYTES_MAX: usize = 256 * 1024;
/// How long a form may take to come; the first part of one with files, of which the rest has its own time. Then it is refused with 408.
pub const FORM_TIME_MAX: Duration = Duration::from_secs(30);
/// People who are signed in, counted by session. The one that was used longest ago is signed out.
pub const SESSIONS_MAX: usize = 2_000;
/// Sessions of one person. The one that was used longest ago is signed out.
pub const SESSIONS_EACH_MAX: usize = 20;
/// Pages of one person that are kept up to date at once. Further ones stay as they are.
pub const LIVE_EACH_MAX: usize = 32;
/// How long a session holds that nobody uses.
pub const SESSION_IDLE_MAX: Duration = Duration::from_secs(60 * 60);
/// How long a session holds at most.
pub const SESSION_AGE_MAX: Duration = Duration::from_secs(12 * 60 * 60);
/// Failures to sign in by one name before it has to wait.
pub const FAILURES_FREE: u32 = 5;
/// How long it waits then; twice as long after each further failure.
pub const WAIT_FIRST: Duration = Duration::from_secs(10);
/// How long it waits at most. Failures longer ago than this are forgotten.
pub const WAIT_MAX: Duration = Duration::from_secs(15 * 60);
/// Names whose failures are remembered. The one that failed longest ago is forgotten.
pub const FAILING_NAMES_MAX: usize = 10_000;
/// Passwords that are checked at once; each takes 19 MB. Others wait.
pub const CHECKS_MAX: usize = 2;
/// People who wait for such a check. Further ones are told to come back.
pub const CHECKS_WAITING_MAX: usize = 32;
/// Pages that are kept up to date at once. Further ones stay as they are until they are loaded anew.
pub const LIVE_MAX: usize = 256;
/// How often those are told that something may have changed.
pub const LIVE_TIME: Duration = Duration::from_secs(1);
/// How old findings may be that a page shows, where nothing says that they changed.
pub const FINDINGS_AGE_MAX: Duration = Duration::from_secs(15);
/// How long a page waits for findings.
pub const FINDINGS_TIME_MAX: Duration = Duration::from_secs(20);
/// Rows of a table on one page; the rest is on the next one.
pub const ROWS_MAX: usize = 100;
/// Rows of a table as CSV or JSON. What is left out is told in the last one.
pub const ROWS_SAVED_MAX: usize = 100_000;
/// Characters of a text from outside in a cell.
pub const CELL_CHARS: usize = 512;
/// Parts of a ledger, of 256 entries each, that one page looks at for what it is asked for. The next page goes on from there.
pub const PARTS_LOOKED_AT: usize = 200;
/// Rows of a search that are saved at once. What is left out comes by narrowing it.
pub const ROWS_SAVED_AT_ONCE: usize = 10_000;
/// Characters of one turn of an exchange that a page shows. That the rest is left out is told.
pub const TEXT_CHARS_MAX: usize = 60_000;
/// Characters of each field that a browser sends of a passkey. A longer one is none.
pub const PASSKEY_BYTES_MAX: usize = 16 * 1024;
/// How long somebody may take over what a passkey is asked.
pub const CHALLENGE_TIME_MAX: Duration = Duration::from_secs(10 * 60);
/// Answers of passkeys that are remembered, so that none counts twice. At the limit nobody signs in by one until some are too old.
pub const ANSWERED_MAX: usize = 10_000;
/// And of one passkey. At the limit it signs nobody in until some are too old.
pub const ANSWERED_EACH_MAX: usize = 100;
/// Characters of the name of a passkey. A longer one is refused.
pub const PASSKEY_NAME_CHARS_MAX: usize = 60;
/// How long somebody may take at an identity provider.
pub const SIGN_IN_TIME_MAX: Duration = Duration::from_secs(15 * 60);
/// How long it holds what an identity provider says of itself.
pub const PROVIDER_FRESH_TIME: Duration = Duration::from_secs(10 * 60);
/// Bytes of an answer of an identity provider. Of a longer one nothing is believed.
pub const PROVIDER_ANSWER_BYTES_MAX: usize = 256 * 1024;
/// Bytes of an address that somebody is led on to after signing in. For a longer one that is the overview.
pub const NEXT_BYTES_MAX: usize = 2_000;
/// Accounts that a page names of a cluster, or of those who share a value. How many are left out is told.
pub const ACCOUNTS_NAMED_MAX: usize = 200;
/// Accounts that are named of those that tried policies would affect. That there are more is told.
pub const ACCOUNTS_TRIED_MAX: usize = 20;
/// Characters of the name of a saved view. A longer one is refused.
pub const VIEW_NAME_CHARS_MAX: usize = 60;
/// Accounts that one decision is about at once, and clusters. More are refused.
pub const CHOSEN_MAX: usize = 200;
/// Days after which a response to several accounts ends by itself, at most.
pub const RESPONSE_DAYS_MAX: u16 = 365;
/// Days of which recorded requests are tried, at most.
pub const TRIED_DAYS_MAX: u16 = 3_650;
/// Bytes of the files that somebody sends to hunt in, together. More are refused with 413.
pub const UPLOAD_BYTES_MAX: u64 = 4 << 30;
/// How long somebody may take to send them. Then they are refused with 408.
pub const UPLOAD_TIME_MAX: Duration = Duration::from_secs(60 * 60);
/// Uploads at once. Further ones are told to come back.
pub const UPLOADS_MAX: usize = 4;
/// Bytes of an upload that are in no file and no field yet: boundaries, names, and what stands before them. More are refused.
pub const UPLOAD_OVERHEAD_MAX: u64 = 2 * 1024 * 1024;
/// Logs of one upload. More are refused.
pub const FILES_MAX: usize = 500;
/// Characters of the name of a file that is sent. Of a longer one the end is kept.
pub const FILE_NAME_CHARS_MAX: usize = 100;
/// Characters of what is typed as the field that is the account. More are refused.
pub const FIELD_CHARS_MAX: usize = 200;
/// Days that a hunt of a schedule looks back, and between two of them, at most.
pub const SCHEDULE_DAYS_MAX: u16 = 366;
/// How often it is looked which schedules are due.
pub const SCHEDULE_TIME: Duration = Duration::from_secs(20);
/// Fields of a form with files, beside these. More are refused.
pub const FIELDS_MAX: usize = 20;
/// Bytes of such a field. A longer one is refused with 413.
pub const FIELD_BYTES_MAX: usize = 8 * 1024;
