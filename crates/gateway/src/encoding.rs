//! Compressed request bodies: gzip and zstd, decompressed as they come.
//!
//! Promises that what is decided on is what the server reads: a body goes on as it came out of here, without a word of
//! its encoding. Refuses every other encoding, several on top of each other, a body that is not whole, and whatever
//! follows the end of what was compressed. No more than [`BODY_BYTES_MAX`] bytes ever come out of one, however little
//! goes in, and after every [`DECODED_AT_ONCE`] of them others get their turn.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::write::GzDecoder;
use hyper::HeaderMap;
use hyper::header::CONTENT_ENCODING;
use zstd::stream::raw::{DParameter, Decoder as ZstdDecoder, Operation as _};

use crate::limits::{BODY_BYTES_MAX, DECODED_AT_ONCE, ZSTD_WINDOW_LOG_MAX};

/// What is accepted, as it is told in `accept-encoding` (RFC 9110, section 12.5.3).
pub(crate) const ACCEPTED: &str = "gzip, zstd";

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Plain,
    Gzip,
    Zstd,
}

impl Encoding {
    /// What the headers say; none if they name another encoding, or more than one.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Encoding> {
        let mut values = headers.get_all(CONTENT_ENCODING).iter();
        let Some(value) = values.next() else { return Some(Encoding::Plain) };
        if values.next().is_some() {
            return None;
        }
        match value.as_bytes().to_ascii_lowercase().as_slice() {
            b"identity" => Some(Encoding::Plain),
            // RFC 9110, section 8.4.1.3: the same under an old name.
            b"gzip" | b"x-gzip" => Some(Encoding::Gzip),
            b"zstd" => Some(Encoding::Zstd),
            _ => None,
        }
    }
}

/// Why a body cannot be decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadBody {
    /// It is compressed in a way that is not understood.
    Unknown,
    /// More than [`BODY_BYTES_MAX`] bytes come out of it.
    TooLong,
    /// It is not whole, not what it is called, or something follows its end.
    Broken,
}

/// A body that came as a whole, as it was before it was compressed.
///
/// # Errors
///
/// When its encoding is not known, it is not what that says, or more than [`BODY_BYTES_MAX`] bytes come out of it.
pub async fn decompressed(headers: &HeaderMap, body: Bytes) -> Result<Bytes, BadBody> {
    let encoding = Encoding::of(headers).ok_or(BadBody::Unknown)?;
    let Some(mut decoder) = Decoder::new(encoding) else { return Ok(body) };
    decoder.take(&body).await?;
    decoder.finish()
}

/// A body on its way through.
pub(crate) struct Decoder {
    kind: Kind,
    /// Bytes that came out when others had their turn last.
    rested: usize,
}

enum Kind {
    Gzip(GzDecoder<Bounded>),
    Zstd { decoder: ZstdDecoder<'static>, out: Bounded, piece: Vec<u8>, ended: bool },
}

impl Decoder {
    /// For a body of this encoding; none if it is plain, or if there is no memory for one.
    pub(crate) fn new(encoding: Encoding) -> Option<Decoder> {
        let kind = match encoding {
            Encoding::Plain => return None,
            Encoding::Gzip => Kind::Gzip(GzDecoder::new(Bounded::default())),
            Encoding::Zstd => {
                let mut decoder = ZstdDecoder::new().ok()?;
                decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG_MAX)).ok()?;
                Kind::Zstd { decoder, out: Bounded::default(), piece: vec![0; PIECE_BYTES], ended: false }
            }
        };
        Some(Decoder { kind, rested: 0 })
    }

    /// Takes the next part of it.
    pub(crate) async fn take(&mut self, mut part: &[u8]) -> Result<(), BadBody> {
        while self.step(&mut part)? {
            let made = self.out().bytes.len();
            if made - self.rested >= DECODED_AT_ONCE {
                self.rested = made;
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    /// The whole of it, once every part was taken.
    pub(crate) fn finish(mut self) -> Result<Bytes, BadBody> {
        match &mut self.kind {
            Kind::Gzip(decoder) => {
                let finished = decoder.try_finish();
                let out = decoder.get_mut();
                match finished {
                    Ok(()) => Ok(Bytes::from(std::mem::take(&mut out.bytes))),
                    Err(_) => Err(out.failure()),
                }
            }
            Kind::Zstd { out, ended: true, .. } => Ok(Bytes::from(std::mem::take(&mut out.bytes))),
            Kind::Zstd { .. } => Err(BadBody::Broken),
        }
    }

    /// Makes at most [`PIECE_BYTES`] bytes; whether there is more to do with this part.
    fn step(&mut self, part: &mut &[u8]) -> Result<bool, BadBody> {
        match &mut self.kind {
            Kind::Gzip(decoder) => {
                if part.is_empty() {
                    return Ok(false);
                }
                match decoder.write(part) {
                    // Nothing is taken any more: this follows the end.
                    Ok(0) => Err(BadBody::Broken),
                    Ok(taken) => {
                        *part = part.get(taken..).unwrap_or_default();
                        Ok(true)
                    }
                    Err(_) => Err(decoder.get_ref().failure()),
                }
            }
            Kind::Zstd { decoder, out, piece, ended } => {
                if *ended {
                    return if part.is_empty() { Ok(false) } else { Err(BadBody::Broken) };
                }
                let status = decoder.run_on_buffers(part, piece).map_err(|_| BadBody::Broken)?;
                let made = piece.get(..status.bytes_written).unwrap_or_default();
                out.write_all(made).map_err(|_| out.failure())?;
                *part = part.get(status.bytes_read..).unwrap_or_default();
                *ended = status.remaining == 0;
                let stands = status.bytes_read == 0 && status.bytes_written == 0;
                if stands && !part.is_empty() {
                    return Err(BadBody::Broken);
                }
                Ok(*ended || !part.is_empty() || status.bytes_written == piece.len())
            }
        }
    }

    fn out(&self) -> &Bounded {
        match &self.kind {
            Kind::Gzip(decoder) => decoder.get_ref(),
            Kind::Zstd { out, .. } => out,
        }
    }
}

/// Bytes that are made at once: flate2 makes as many.
const PIECE_BYTES: usize = 32 * 1024;

/// Holds at most [`BODY_BYTES_MAX`] bytes, and has room for no more.
#[derive(Debug, Default)]
struct Bounded {
    bytes: Vec<u8>,
    is_full: bool,
}

impl Bounded {
    fn failure(&self) -> BadBody {
        if self.is_full { BadBody::TooLong } else { BadBody::Broken }
    }
}

impl Write for Bounded {
    fn write(&mut self, made: &[u8]) -> io::Result<usize> {
        let len = self.bytes.len() + made.len();
        if len > BODY_BYTES_MAX {
            self.is_full = true;
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        if len > self.bytes.capacity() {
            let room = len.max(self.bytes.capacity() * 2).min(BODY_BYTES_MAX);
            self.bytes.reserve_exact(room - self.bytes.len());
        }
        self.bytes.extend_from_slice(made);
        Ok(made.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use hyper::header::HeaderValue;
    use zstd::stream::write::Encoder as ZstdEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8], window_log: u32) -> Vec<u8> {
        let mut encoder = ZstdEncoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(window_log).unwrap();
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// What comes out of parts of `size` bytes.
    fn decoded(encoding: Encoding, body: &[u8], size: usize) -> Result<Bytes, BadBody> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut decoder = Decoder::new(encoding).unwrap();
            for part in body.chunks(size) {
                decoder.take(part).await?;
            }
            decoder.finish()
        })
    }

    fn both(bytes: &[u8]) -> [(Encoding, Vec<u8>); 2] {
        [(Encoding::Gzip, gzip(bytes)), (Encoding::Zstd, zstd(bytes, 20))]
    }

    #[test]
    fn one_encoding_is_read_and_no_more() {
        let of = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CONTENT_ENCODING, HeaderValue::from_static(value));
            }
            Encoding::of(&headers)
        };
        assert_eq!((of(&[]), of(&["Identity"])), (Some(Encoding::Plain), Some(Encoding::Plain)));
        assert_eq!((of(&["GZip"]), of(&["x-gzip"])), (Some(Encoding::Gzip), Some(Encoding::Gzip)));
        assert_eq!(of(&["zstd"]), Some(Encoding::Zstd));
        for values in [
            &["gzip, gzip"][..],
            &["gzip", "gzip"],
            &["identity", "gzip"],
            &["gzip,identity"],
            &["br"],
            &["deflate"],
            &["dcz"],
            &[""],
            &["gzip;q=1"],
        ] {
            assert_eq!(of(values), None, "{values:?}");
        }
    }

    #[test]
    fn bodies_come_out_as_they_went_in_whatever_the_parts() {
        let text: Vec<u8> = (0..200_000_u32).flat_map(|n| (n / 7).wrapping_mul(n).to_le_bytes()).collect();
        for bytes in [&b""[..], b"{}", &text] {
            for (encoding, body) in both(bytes) {
                for size in [1, 7, 4096, usize::MAX] {
                    assert!(decoded(encoding, &body, size).unwrap() == bytes, "{encoding:?} {size}");
                }
            }
        }
    }

    #[test]
    fn what_is_not_whole_or_has_a_tail_is_refused() {
        for (encoding, body) in both(&b"some text, some text, and some more".repeat(9)) {
            for end in 0..body.len() {
                assert_eq!(decoded(encoding, &body[..end], 5), Err(BadBody::Broken), "{encoding:?} {end}");
            }
            for tail in [&b"x"[..], &body] {
                for size in [3, usize::MAX] {
                    assert_eq!(decoded(encoding, &[&body, tail].concat(), size), Err(BadBody::Broken));
                }
            }
            assert_eq!(decoded(encoding, b"{\"model\":\"m\"}", 64), Err(BadBody::Broken));
        }
        let mut wrong = gzip(b"text");
        let last = wrong.len() - 5;
        wrong[last] ^= 1;
        assert_eq!(decoded(Encoding::Gzip, &wrong, 64), Err(BadBody::Broken), "the checksum counts");
    }

    #[test]
    fn as_many_bytes_come_out_as_a_body_may_have_and_no_more() {
        for (encoding, body) in both(&vec![b' '; BODY_BYTES_MAX]) {
            let whole = decoded(encoding, &body, 4096).unwrap();
            assert_eq!(whole.len(), BODY_BYTES_MAX);
        }
        for (encoding, body) in both(&vec![b' '; BODY_BYTES_MAX + 1]) {
            assert_eq!(decoded(encoding, &body, 4096), Err(BadBody::TooLong), "{encoding:?}");
        }
    }

    /// Others get their turn in between, and there is never room for more than may come out.
    #[test]
    fn a_bomb_takes_neither_the_thread_nor_the_memory() {
        for (encoding, body) in both(&vec![0; 2 * BODY_BYTES_MAX]) {
            let mut decoder = Decoder::new(encoding).unwrap();
            let mut part = body.as_slice();
            let mut last = 0;
            let failure = loop {
                let stepped = decoder.step(&mut part);
                let made = decoder.out().bytes.len();
                assert!(made - last <= PIECE_BYTES, "{encoding:?} {}", made - last);
                last = made;
                if let Err(failure) = stepped {
                    break failure;
                }
            };
            assert_eq!(failure, BadBody::TooLong);
            assert!(decoder.out().bytes.capacity() <= BODY_BYTES_MAX);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let turns = runtime.block_on(async {
            let body = zstd(&vec![0; 16 * DECODED_AT_ONCE], 20);
            let mut decoder = Decoder::new(Encoding::Zstd).unwrap();
            let mut taking = std::pin::pin!(decoder.take(&body));
            let mut turns = 0;
            std::future::poll_fn(|context| {
                turns += 1;
                taking.as_mut().poll(context)
            })
            .await
            .unwrap();
            turns
        });
        assert!(turns >= 16, "{turns}");
    }

    #[test]
    fn a_window_is_as_large_as_it_may_be() {
        let bytes = vec![7; 10_000];
        assert!(decoded(Encoding::Zstd, &zstd(&bytes, ZSTD_WINDOW_LOG_MAX), 64).is_ok());
        assert_eq!(decoded(Encoding::Zstd, &zstd(&bytes, ZSTD_WINDOW_LOG_MAX + 1), 64), Err(BadBody::Broken));
    }
}
