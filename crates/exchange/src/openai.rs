//! Logged OpenAI bodies: Chat Completions, Completions, Responses and Embeddings, with whatever the logger put around.
//!
//! A line holds the bodies under `request` (or `request_body`, `body`) and `response` (or `response_body`), as objects or
//! as JSON in a string, directly or under `body` within (with `status_code`, `headers`, as batch output has them). A line
//! that is itself a request body with a `response` beside is taken too. A response may be a list of stream chunks or the
//! text of an event stream. Everything else is looked for on the line, in its `metadata`, then beside the request body:
//!
//! Keys, of which the first found wins:
//!
//! - `time`: `time`, `timestamp`, `ts`, `created_at`, `request_time`, `requested_at`, `start_time`, `startTime`,
//!   `created`; last the response body's `created` or `created_at`
//! - `account`: `account`, `account_id`, `customer_id`, `tenant_id`; last what was found for `org`, project, `key`,
//!   user, `end_user`, in this order
//! - `org`: `org`, `org_id`, `organization`, `organization_id`
//! - project (only for `account`): `project`, `project_id`, `workspace`, `workspace_id`
//! - `key`: `key`, `key_id`, `api_key_id`, `api_key_hash`, `api_key`
//! - user: `user`, `user_id`
//! - `end_user`: `end_user`, `end_user_id`; the request body's `user`, `safety_identifier`, `metadata.user_id`; last
//!   the user
//! - `session`: `session`, `session_id`, `conversation_id`, `thread_id`; the request body's `conversation`
//! - `id`: `id`, `request_id`; the response's `request_id`, then its `id`
//! - `client`: an object `client` as in a native record; `ip`, `client_ip`, `ip_address`, `remote_addr`, `remote_ip`;
//!   `asn`, `asn_number`, `as_number`; `country`, `ja4`, `ja4h`, `user_agent`; the header `user-agent`
//! - the system prompt: as the APIs have it; in flat logs `system_prompt`, `system_message`
//! - `status`: the response's `status_code`; `status_code`, `http_status`, `status`
//! - `duration_ms`: `duration_ms`, `latency_ms`, `response_time_ms`, `elapsed_ms`; `end_time`, `endTime`,
//!   `completed_at`, `responded_at` less the time
//! - `operation`: `endpoint`, `path`, `url`, `operation`; else the shape of the bodies; a `custom_id` means a batch
//!
//! A key that looks like a secret is replaced by a hash.

use crate::bad::{BadRecord, Notes};
use crate::call::Call;
use crate::envelope;
use crate::fields::Fields;
use crate::format::Format;
use crate::position::Position;

/// Reads one line.
pub(crate) fn read<'a>(
    record: Fields<'a>,
    has_account: bool,
    position: &Position<'_>,
    ordinal: u64,
    notes: &mut Notes,
) -> Result<Call<'a>, BadRecord> {
    envelope::read(record, Format::OpenAi, has_account, position, ordinal, notes)
}
