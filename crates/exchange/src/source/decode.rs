//! From stored bytes to UTF-8 text: compression and text encodings, told by their first bytes and never by a name.
//!
//! zstd and gzip, also several frames or members in a row and one within the other up to
//! [`limits::UNPACK_DEPTH_MAX`]; zstd frames with their length before each, as OpenTelemetry's collector writes them;
//! UTF-16 and UTF-32 in either order, with and without a mark. What is known and not read is refused by name.

use std::io::{self, BufRead, BufReader, Read};

use crate::limits;

/// A stream of bytes.
pub(super) type Stream<'r> = Box<dyn BufRead + Send + 'r>;

/// What cannot be read, and what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unsupported {
    pub(super) what: &'static str,
    pub(super) advice: &'static str,
}

/// Why a stream cannot be opened.
#[derive(Debug)]
pub(super) enum Refused {
    Io(io::Error),
    Unsupported(Unsupported),
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Refused::Io(error)
    }
}

/// Looks at the first bytes of `input` and unpacks it as often as it is packed.
pub(super) fn open<'r>(input: impl Read + Send + 'r) -> Result<Stream<'r>, Refused> {
    let mut stream: Stream<'r> = Box::new(BufReader::with_capacity(STORED_BUFFER_BYTES, input));
    for depth in 0..=limits::UNPACK_DEPTH_MAX {
        let (magic, all) = peek(stream);
        let packing = Packing::of(&magic);
        if depth == limits::UNPACK_DEPTH_MAX && packing.is_compressed() {
            return Err(Refused::Unsupported(Unsupported {
                what: "compressed within itself too often",
                advice: "unpack it first",
            }));
        }
        stream = match packing {
            Packing::None => return Ok(all),
            Packing::Gzip => unpacked(flate2::bufread::MultiGzDecoder::new(all)),
            Packing::Zstd => unpacked(zstd_of(all)?),
            Packing::ZstdFrames => unpacked(Frames { rest: Some(all), frame: None }),
            Packing::Wide(width, order) => return Ok(unpacked(Transcoder::new(all, width, order))),
            Packing::Unsupported(unsupported) => return Err(Refused::Unsupported(unsupported)),
        };
    }
    Ok(stream)
}

/// Whether what begins so is compressed or of wide characters.
pub(super) fn packed(first: &[u8]) -> Result<bool, Unsupported> {
    match Packing::of(first) {
        Packing::None => Ok(false),
        Packing::Unsupported(unsupported) => Err(unsupported),
        _ => Ok(true),
    }
}

/// The first bytes of a stream, and the whole of it. An error met here comes again where it was met.
fn peek(mut stream: Stream<'_>) -> (Vec<u8>, Stream<'_>) {
    let mut magic = Vec::with_capacity(MAGIC_BYTES);
    let met = Read::by_ref(&mut stream).take(MAGIC_BYTES as u64).read_to_end(&mut magic).err();
    let first = io::Cursor::new(magic.clone());
    let all: Stream<'_> = match met {
        Some(error) => Box::new(first.chain(BufReader::new(Broken(Some(error))))),
        None => Box::new(first.chain(stream)),
    };
    (magic, all)
}

/// A source that fails once.
struct Broken(Option<io::Error>);

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

/// A decoder that meets damage gives up what it unpacked in the same call, so it is asked for the same few bytes each
/// time: little is lost, and the same whatever the size of the chunks.
fn unpacked<'r>(decoder: impl Read + Send + 'r) -> Stream<'r> {
    Box::new(BufReader::with_capacity(limits::UNPACK_BYTES, decoder))
}

fn zstd_of<R: BufRead>(input: R) -> io::Result<zstd::stream::read::Decoder<'static, R>> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(input)?;
    decoder.window_log_max(limits::ZSTD_WINDOW_LOG_MAX)?;
    Ok(decoder)
}

/// As far as a tar archive says what it is.
const MAGIC_BYTES: usize = 512;
const STORED_BUFFER_BYTES: usize = 128 * 1024;

/// How a stream is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packing {
    None,
    Gzip,
    Zstd,
    /// Four bytes of length, most significant first, before each zstd frame.
    ZstdFrames,
    /// Two or four bytes a unit.
    Wide(usize, Order),
    Unsupported(Unsupported),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    LittleEndian,
    BigEndian,
}

impl Packing {
    fn of(magic: &[u8]) -> Packing {
        let [a, b, c, d] = magic.first_chunk::<4>().copied().unwrap_or_default();
        match [a, b, c, d] {
            [0x1f, 0x8b, _, _] => Packing::Gzip,
            // A frame, or a skippable frame before it.
            [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => Packing::Zstd,
            [0xff, 0xfe, 0, 0] => Packing::Wide(4, Order::LittleEndian),
            [0, 0, 0xfe, 0xff] => Packing::Wide(4, Order::BigEndian),
            [0xff, 0xfe, _, _] => Packing::Wide(2, Order::LittleEndian),
            [0xfe, 0xff, _, _] => Packing::Wide(2, Order::BigEndian),
            // Without a mark: JSON begins with a bracket, a quote or white space.
            [0, 0, 0, low] if begins_json(low) => Packing::Wide(4, Order::BigEndian),
            [low, 0, 0, 0] if begins_json(low) => Packing::Wide(4, Order::LittleEndian),
            [0, low, 0, _] if begins_json(low) => Packing::Wide(2, Order::BigEndian),
            [low, 0, _, 0] if begins_json(low) => Packing::Wide(2, Order::LittleEndian),
            // The first field of an export, with the name of a service in it.
            [0x0a, ..] if memchr::memmem::find(magic, b"service.name").is_some() && !magic.contains(&b'{') => {
                Packing::Unsupported(Unsupported {
                    what: "OTLP in protobuf",
                    advice: "let the collector's file exporter write JSON",
                })
            }
            _ if magic.get(4..8) == Some(&[0x28, 0xb5, 0x2f, 0xfd]) => Packing::ZstdFrames,
            _ if is_tar(magic) => Packing::Unsupported(Unsupported {
                what: "a tar archive",
                advice: "unpack it with tar -x and name the folder",
            }),
            _ => UNSUPPORTED
                .iter()
                .find(|(bytes, _)| magic.starts_with(bytes))
                .map_or(Packing::None, |(_, unsupported)| Packing::Unsupported(*unsupported)),
        }
    }

    fn is_compressed(self) -> bool {
        matches!(self, Packing::Gzip | Packing::Zstd | Packing::ZstdFrames)
    }
}

fn begins_json(byte: u8) -> bool {
    matches!(byte, b'{' | b'[' | b' ' | b'\r' | b'\n' | b'\t')
}

/// Whether the header of a tar archive (POSIX.1-1988) is there: its mark, and its checksum, since a prompt may have the
/// mark where the header has it.
fn is_tar(magic: &[u8]) -> bool {
    const CHECKSUM: std::ops::Range<usize> = 148..156;
    let Some(header) = magic.first_chunk::<512>() else { return false };
    if header.get(257..262) != Some(b"ustar") {
        return false;
    }
    let written = header.get(CHECKSUM).and_then(|digits| std::str::from_utf8(digits).ok()).unwrap_or_default();
    let written = u32::from_str_radix(written.trim_matches([' ', '\0']), 8);
    // The checksum counts as eight spaces in itself.
    let bytes = header.iter().enumerate();
    let sum = bytes.map(|(at, byte)| if CHECKSUM.contains(&at) { u32::from(b' ') } else { u32::from(*byte) }).sum();
    written == Ok(sum)
}

/// What begins like this.
const UNSUPPORTED: [(&[u8], Unsupported); 12] = [
    (
        b"PAR1",
        Unsupported {
            what: "Parquet",
            advice: "convert it to JSON lines, for example with duckdb -c \"COPY (FROM 'x.parquet') TO 'x.jsonl'\"",
        },
    ),
    (b"BZh", Unsupported { what: "bzip2", advice: "unpack it with bzip2 -dc" }),
    (b"\xfd7zXZ\0", Unsupported { what: "xz", advice: "unpack it with xz -dc" }),
    (b"\x04\x22\x4d\x18", Unsupported { what: "lz4", advice: "unpack it with lz4 -dc" }),
    (b"\xff\x06\0\0sNaPpY", Unsupported { what: "snappy", advice: "unpack it with snzip -dc" }),
    (b"PK\x03\x04", Unsupported { what: "a zip archive", advice: "unpack it and name the folder" }),
    (b"7z\xbc\xaf\x27\x1c", Unsupported { what: "a 7z archive", advice: "unpack it and name the folder" }),
    (b"\x1f\x9d", Unsupported { what: "compress (.Z)", advice: "unpack it with gzip -dc" }),
    (b"Obj\x01", Unsupported { what: "Avro", advice: "convert it to JSON lines, for example with avro-tools tojson" }),
    (b"ORC", Unsupported { what: "ORC", advice: "convert it to JSON lines, for example with orc-contents" }),
    (
        b"SQLite format 3\0",
        Unsupported { what: "an SQLite database", advice: "export the table as JSON or CSV with a header" },
    ),
    (b"\x89PNG", Unsupported { what: "a picture", advice: "name a log instead" }),
];

/// zstd frames, each after its length; a newline follows each, since the frames need not end in one.
struct Frames<'r> {
    rest: Option<Stream<'r>>,
    frame: Option<zstd::stream::read::Decoder<'static, io::Take<Stream<'r>>>>,
}

impl Frames<'_> {
    /// Begins the next frame; false at the end.
    fn advance(&mut self) -> io::Result<bool> {
        let Some(mut rest) = self.rest.take() else { return Ok(false) };
        if rest.fill_buf()?.is_empty() {
            return Ok(false);
        }
        let mut length = [0; 4];
        rest.read_exact(&mut length)?;
        self.frame = Some(zstd_of(rest.take(u64::from(u32::from_be_bytes(length))))?);
        Ok(true)
    }
}

impl Read for Frames<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if let Some(frame) = &mut self.frame {
                let read = frame.read(buffer)?;
                if read > 0 {
                    return Ok(read);
                }
            }
            if let Some(frame) = self.frame.take() {
                let mut stored = frame.finish();
                io::copy(&mut stored, &mut io::sink())?;
                self.rest = Some(stored.into_inner());
                if let Some(first) = buffer.first_mut() {
                    *first = b'\n';
                }
                return Ok(1);
            }
            if !self.advance()? {
                return Ok(0);
            }
        }
    }
}

/// UTF-16 or UTF-32 as UTF-8. What is no character is replaced.
struct Transcoder<'r> {
    input: Stream<'r>,
    width: usize,
    order: Order,
    /// Bytes of a unit that has not come whole.
    part: Vec<u8>,
    /// The first half of a surrogate pair.
    high: Option<u16>,
    out: Vec<u8>,
    taken: usize,
}

impl<'r> Transcoder<'r> {
    fn new(input: Stream<'r>, width: usize, order: Order) -> Self {
        Transcoder { input, width, order, part: Vec::new(), high: None, out: Vec::new(), taken: 0 }
    }

    /// Turns what is ready into text; false at the end.
    fn fill(&mut self) -> io::Result<bool> {
        let ready = self.input.fill_buf()?;
        let bytes = ready.len();
        let mut units = std::mem::take(&mut self.part);
        units.extend_from_slice(ready);
        self.input.consume(bytes);
        let whole = if bytes == 0 { units.len() } else { units.len() - units.len() % self.width };
        self.part = units.split_off(whole);
        for unit in units.chunks(self.width) {
            self.unit(unit);
        }
        if bytes == 0 && self.high.take().is_some() {
            self.push(char::REPLACEMENT_CHARACTER);
        }
        Ok(bytes > 0 || !self.out.is_empty())
    }

    fn unit(&mut self, bytes: &[u8]) {
        let number = match self.order {
            Order::LittleEndian => bytes.iter().rev().fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte)),
            Order::BigEndian => bytes.iter().fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte)),
        };
        if bytes.len() < self.width {
            return self.push(char::REPLACEMENT_CHARACTER);
        }
        let Ok(unit) = u16::try_from(number) else {
            return self.push(char::from_u32(number).unwrap_or(char::REPLACEMENT_CHARACTER));
        };
        for c in char::decode_utf16(self.high.take().into_iter().chain([unit])) {
            match c {
                Ok(c) => self.push(c),
                Err(lone) if lone.unpaired_surrogate() == unit && (0xd800..0xdc00).contains(&unit) => {
                    self.high = Some(unit);
                }
                Err(_) => self.push(char::REPLACEMENT_CHARACTER),
            }
        }
    }

    fn push(&mut self, c: char) {
        self.out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

impl Read for Transcoder<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.out.len() {
            self.out.clear();
            self.taken = 0;
            if !self.fill()? {
                return Ok(0);
            }
        }
        let mut left = self.out.get(self.taken..).unwrap_or_default();
        let read = left.read(buffer)?;
        self.taken += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> String {
        let mut text = String::new();
        open(bytes).map_err(|_| "refused").unwrap().read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn wide_characters_become_utf_8() {
        let plain = "{\"a\":\"ü😀\"}\n";
        let utf_16: Vec<u16> = plain.encode_utf16().collect();
        let utf_32: Vec<u32> = plain.chars().map(u32::from).collect();
        for (name, bytes) in [
            ("UTF-16LE", utf_16.iter().flat_map(|unit| unit.to_le_bytes()).collect::<Vec<u8>>()),
            ("UTF-16BE", utf_16.iter().flat_map(|unit| unit.to_be_bytes()).collect()),
            ("UTF-32LE", utf_32.iter().flat_map(|unit| unit.to_le_bytes()).collect()),
            ("UTF-32BE", utf_32.iter().flat_map(|unit| unit.to_be_bytes()).collect()),
        ] {
            assert_eq!(text(&bytes), plain, "{name}");
        }
        // Half a pair, and a unit cut off at the end.
        assert_eq!(text(b"{\0 \0\x3d\xd8}\0"), "{ \u{fffd}}");
        assert_eq!(text(b"{\0}\0\x3d\xd8"), "{}\u{fffd}");
        assert_eq!(text(b"{\0}\0x"), "{}\u{fffd}");
    }

    #[test]
    fn frames_after_their_lengths() {
        let frame = |text: &[u8]| {
            let packed = zstd::encode_all(text, 1).unwrap();
            [&u32::try_from(packed.len()).unwrap().to_be_bytes(), packed.as_slice()].concat()
        };
        assert_eq!(text(&[frame(b"{}"), frame(b"[1]\n")].concat()), "{}\n[1]\n\n");
    }

    #[test]
    fn what_is_known_and_not_read_has_a_name() {
        for (magic, unsupported) in UNSUPPORTED {
            let bytes = [magic, &[0; 16]].concat();
            assert!(matches!(open(bytes.as_slice()), Err(Refused::Unsupported(met)) if met == unsupported));
        }
    }

    #[test]
    fn a_prompt_with_the_mark_of_a_tar_archive_is_none() {
        let mut header = [0; 512];
        header[..9].copy_from_slice(b"log.jsonl");
        header[257..263].copy_from_slice(b"ustar\0");
        let sum: u32 =
            header.iter().enumerate().filter(|(at, _)| !(148..156).contains(at)).map(|(_, b)| u32::from(*b)).sum();
        header[148..156].copy_from_slice(format!("{:06o}\0 ", sum + 8 * 32).as_bytes());
        assert!(is_tar(&header));
        header[0] = b'L';
        assert!(!is_tar(&header));
        let record = format!("{:x<257}ustar{:x<512}\"}}\n", r#"{"account":"a","response":""#, "");
        assert_eq!(text(record.as_bytes()), record);
    }

    #[test]
    fn packed_within_itself_to_a_depth() {
        let pack =
            |depth: usize| (0..depth).fold(b"{}\n".to_vec(), |bytes, _| zstd::encode_all(bytes.as_slice(), 1).unwrap());
        assert_eq!(text(&pack(limits::UNPACK_DEPTH_MAX)), "{}\n");
        assert!(matches!(open(pack(limits::UNPACK_DEPTH_MAX + 1).as_slice()), Err(Refused::Unsupported(_))));
    }
}
