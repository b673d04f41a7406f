//! Numbers of a file, where it is long enough to have them.

use std::io;

/// Reads exactly so many bytes, where there are as many.
pub(super) fn exactly<const N: usize>(from: &mut impl io::Read) -> io::Result<Option<[u8; N]>> {
    let mut bytes = [0; N];
    match from.read_exact(&mut bytes) {
        Ok(()) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}
