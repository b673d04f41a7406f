//! What the first bytes of a file say it is.

use super::chunk::RECORD_SEPARATOR;
use super::decode::{self, Unsupported};
use super::lines::{BYTE_ORDER_MARK, header};
use super::rows::Header;

/// What the first bytes of a file say it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glance {
    /// Records, or something compressed that may hold them.
    Records,
    /// Nothing but white space.
    Nothing,
    /// Something that is known and not read.
    Unsupported {
        /// What it is.
        what: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// Nothing that is known.
    Other,
}

impl Glance {
    /// Looks at the first bytes of a file, a few hundred or more.
    #[must_use]
    pub fn at(first: &[u8]) -> Glance {
        let Unsupported { what, advice } = match decode::packed(first) {
            Ok(true) => return Glance::Records,
            Ok(false) => match begins(first) {
                Ok(glance) => return glance,
                Err(unsupported) => unsupported,
            },
            Err(unsupported) => unsupported,
        };
        Glance::Unsupported { what, advice }
    }
}

/// What a text is that begins so.
fn begins(text: &[u8]) -> Result<Glance, Unsupported> {
    let text = text.strip_prefix(&BYTE_ORDER_MARK).unwrap_or(text).trim_ascii_start();
    let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    match first {
        [] => Ok(Glance::Nothing),
        [b'{' | b'[' | RECORD_SEPARATOR, ..] => Ok(Glance::Records),
        // What stands before each record of a container's log.
        _ if memchr::memmem::find(first, b"{\"").is_some() => Ok(Glance::Records),
        _ => match header(text).1 {
            Header::Table(_) => Ok(Glance::Records),
            Header::Unknown => Ok(Glance::Other),
            Header::Unsupported(unsupported) => Err(unsupported),
        },
    }
}
