//! Logged Anthropic Messages bodies, with whatever the logger put around.
//!
//! The keys around the bodies are those of [`openai`](crate::openai); batch results (`result.message`) are taken too.
//! Usage counts what was read from and written to the cache as input, which the API reports apart; the signature of a
//! thinking block is kept as sealed reasoning beside its text.

use crate::bad::{BadRecord, Notes};
use crate::format::Position;
use crate::json::Fields;
use crate::{Exchange, Format, envelope};

/// Reads one line.
pub(crate) fn read<'a>(
    record: Fields<'a>,
    position: &Position<'_>,
    notes: &mut Notes,
) -> Result<Exchange<'a>, BadRecord> {
    envelope::read(record, Format::Anthropic, position, notes)
}
