//! Logged Anthropic Messages bodies, with whatever the logger put around.
//!
//! The keys around the bodies are those of [`openai`](crate::openai); batch results (`result.message`) are taken too.
//! Usage counts what was read from and written to the cache as input, which the API reports apart; the signature of a
//! thinking block is kept as sealed reasoning beside its text.

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
    envelope::read(record, Format::Anthropic, has_account, position, ordinal, notes)
}
