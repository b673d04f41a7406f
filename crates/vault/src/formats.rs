//! What the files of a model are, by their content: a list of formats that hold numbers and text, and nothing that is run when it is loaded.
//!
//! Promises that a file counts as one of the list only where its content is that, whatever it is called, and that of everything else it is said why
//! it is not on the list.

mod exact;
mod gguf;
mod pickled;
mod safetensors;

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _, SeekFrom};
use std::path::Path;

use crate::error::VaultError;
use crate::files::ModelFile;
use crate::limits::LOOK_BYTES_MAX;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// Tensors with a header in JSON.
    Safetensors,
    /// Tensors with typed metadata, as llama.cpp reads them.
    Gguf,
    /// A graph and its tensors, as protocol buffers.
    Onnx,
    /// An array of numbers.
    Numpy,
    /// A tokeniser of SentencePiece, as protocol buffers.
    SentencePiece,
    /// Text in UTF-8: JSON, YAML, Markdown, lists of words.
    Text,
    /// A PNG or JPEG picture.
    Picture,
    /// What Python's pickle wrote, or what loaders unpickle: loading it may run anything.
    Pickle,
    /// An archive or a compressed file: what is in it was not looked at, and `torch.save` writes pickles into archives.
    Archive,
    /// A Keras model in HDF5, whose layers may hold code.
    Hdf5,
    /// A program, a library or a script.
    Program,
    /// Begins as a format of the list and breaks its rules.
    Damaged,
    /// Nothing that is known.
    Unknown,
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 13] = [
        Format::Safetensors,
        Format::Gguf,
        Format::Onnx,
        Format::Numpy,
        Format::SentencePiece,
        Format::Text,
        Format::Picture,
        Format::Pickle,
        Format::Archive,
        Format::Hdf5,
        Format::Program,
        Format::Damaged,
        Format::Unknown,
    ];

    /// Its name, as it is typed and printed.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Format::Safetensors => "safetensors",
            Format::Gguf => "gguf",
            Format::Onnx => "onnx",
            Format::Numpy => "numpy",
            Format::SentencePiece => "sentencepiece",
            Format::Text => "text",
            Format::Picture => "picture",
            Format::Pickle => "pickle",
            Format::Archive => "archive",
            Format::Hdf5 => "hdf5",
            Format::Program => "program",
            Format::Damaged => "damaged",
            Format::Unknown => "unknown",
        }
    }

    /// Whether it is on the list: loading it runs nothing that is in it.
    #[must_use]
    pub fn is_listed(self) -> bool {
        match self {
            Format::Safetensors
            | Format::Gguf
            | Format::Onnx
            | Format::Numpy
            | Format::SentencePiece
            | Format::Text
            | Format::Picture => true,
            Format::Pickle | Format::Archive | Format::Hdf5 | Format::Program | Format::Damaged | Format::Unknown => {
                false
            }
        }
    }

    /// Whether it holds the weights of a model.
    #[must_use]
    pub fn holds_weights(self) -> bool {
        matches!(
            self,
            Format::Safetensors | Format::Gguf | Format::Onnx | Format::Numpy | Format::Pickle | Format::Hdf5
        )
    }
}

impl fmt::Display for Format {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// What a file is, and why it is not on the list where it is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// Its format.
    pub format: Format,
    /// Why it is not on the list; empty where it is.
    pub why: String,
}

impl Look {
    fn listed(format: Format) -> Look {
        Look { format, why: String::new() }
    }

    fn not(format: Format, why: impl Into<String>) -> Look {
        Look { format, why: why.into() }
    }
}

/// Looks at every file of a model.
///
/// # Errors
///
/// When one cannot be read.
pub fn look_at(files: &[ModelFile]) -> Result<Vec<(&ModelFile, Look)>, VaultError> {
    let look_at = |file: &ModelFile| -> Result<Look, VaultError> {
        let ModelFile { name, path, .. } = file;
        let mut content = File::open(path).map_err(VaultError::io(path))?;
        let called = if name.is_whole() { path.clone() } else { name.within(Path::new("")) };
        look(&called, &mut content).map_err(VaultError::io(path))
    };
    files.iter().map(|file| Ok((file, look_at(file)?))).collect()
}

/// What a file of some name and content is.
///
/// # Errors
///
/// When it cannot be read.
pub fn look<F: io::Read + io::Seek>(called: &Path, content: &mut F) -> io::Result<Look> {
    let bytes = content.seek(SeekFrom::End(0))?;
    content.seek(SeekFrom::Start(0))?;
    let mut head = Vec::new();
    content.by_ref().take(LOOK_BYTES_MAX as u64).read_to_end(&mut head)?;
    content.seek(SeekFrom::Start(0))?;
    let ending = called.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
    if head.starts_with(b"GGUF") {
        return judged(Format::Gguf, gguf::check(content, bytes));
    }
    if let Some(look) = by_beginning(&head) {
        return Ok(look);
    }
    if pickled::names_something(&head) {
        return Ok(Look::not(
            Format::Pickle,
            "it reads as a pickle that names what is to be called, and loading it may run anything",
        ));
    }
    if head.starts_with(NUMPY) {
        return Ok(numpy(&head));
    }
    // A header in JSON behind its length.
    if ending == "safetensors" || (head.get(8) == Some(&b'{') && head.get(4..8) == Some(&[0; 4])) {
        return judged(Format::Safetensors, safetensors::check(content, bytes));
    }
    if UNPICKLED.contains(&ending.as_str()) {
        return Ok(Look::not(
            Format::Pickle,
            format!("loaders unpickle files called `.{ending}`, which may run anything"),
        ));
    }
    let is_text = !head.contains(&0) && is_utf8(&head, bytes > head.len() as u64);
    if SOURCES.contains(&ending.as_str()) || (is_text && head.starts_with(b"#!")) {
        return Ok(Look::not(Format::Program, "it is a script, which loaders may run (`trust_remote_code`)"));
    }
    if is_text {
        return Ok(Look::listed(Format::Text));
    }
    Ok(match ending.as_str() {
        // The first field of such a message: the version, a number.
        "onnx" if head.first() == Some(&0x08) => Look::listed(Format::Onnx),
        // The first field: a piece, a message.
        "model" if head.first() == Some(&0x0a) => Look::listed(Format::SentencePiece),
        _ => Look::not(Format::Unknown, "it is of no format that is known"),
    })
}

fn judged(format: Format, checked: io::Result<Result<(), String>>) -> io::Result<Look> {
    Ok(match checked? {
        Ok(()) => Look::listed(format),
        Err(why) => Look::not(Format::Damaged, format!("it begins as {format}, and {why}")),
    })
}

const NUMPY: &[u8] = b"\x93NUMPY";
/// Endings of files that loaders of Python unpickle, whatever is in them.
const UNPICKLED: [&str; 9] = ["bin", "ckpt", "dill", "joblib", "pickle", "pkl", "pt", "pth", "th"];
/// Endings of files that are run.
const SOURCES: [&str; 10] = ["bat", "cu", "js", "jar", "lua", "pl", "ps1", "py", "pyc", "sh"];

/// What the first bytes say.
fn by_beginning(head: &[u8]) -> Option<Look> {
    const ARCHIVES: [(&[u8], &str); 9] = [
        (b"PK\x03\x04", "a ZIP archive, as `torch.save` and Keras write"),
        (b"PK\x05\x06", "an empty ZIP archive"),
        (b"\x1f\x8b", "compressed by gzip"),
        (b"BZh", "compressed by bzip2"),
        (b"\xfd7zXZ\0", "compressed by xz"),
        (b"\x28\xb5\x2f\xfd", "compressed by zstd"),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
        (b"Rar!\x1a\x07", "a RAR archive"),
        (b"\x04\x22\x4d\x18", "compressed by LZ4"),
    ];
    const PROGRAMS: [(&[u8], &str); 7] = [
        (b"\x7fELF", "a program or library for Linux"),
        (b"MZ", "a program or library for Windows"),
        (b"\xcf\xfa\xed\xfe", "a program or library for macOS"),
        (b"\xce\xfa\xed\xfe", "a program or library for macOS"),
        (b"\xca\xfe\xba\xbe", "a program for macOS or Java"),
        (b"\0asm", "a WebAssembly program"),
        (b"dex\n", "a program for Android"),
    ];
    let begins = |(magic, _): &&(&[u8], &str)| head.starts_with(magic);
    if let Some((_, what)) = ARCHIVES.iter().find(begins) {
        return Some(Look::not(Format::Archive, format!("it is {what}, and what is in it was not looked at")));
    }
    if head.get(257..262) == Some(b"ustar") {
        return Some(Look::not(Format::Archive, "it is a tar archive, and what is in it was not looked at"));
    }
    if let Some((_, what)) = PROGRAMS.iter().find(begins) {
        return Some(Look::not(Format::Program, format!("it is {what}")));
    }
    if head.starts_with(b"\x89HDF\r\n\x1a\n") {
        return Some(Look::not(Format::Hdf5, "it is HDF5, and the layers of a Keras model in it may hold code"));
    }
    if head.starts_with(b"\x89PNG\r\n\x1a\n") || head.starts_with(b"\xff\xd8\xff") {
        return Some(Look::listed(Format::Picture));
    }
    // PROTO and its version.
    if let [0x80, 2..=5, ..] = head {
        return Some(Look::not(Format::Pickle, "it is a pickle, and loading it may run anything"));
    }
    None
}

/// An array of numbers, or of objects, which are pickled.
fn numpy(head: &[u8]) -> Look {
    let header = head.get(..1_024).unwrap_or(head);
    let says = |text: &[u8]| header.windows(text.len()).any(|part| part == text);
    let described = [b"'descr': '".as_slice(), b"'descr': [(".as_slice()].iter().any(|text| says(text));
    if says(b"|O") || says(b"'O'") || !described {
        return Look::not(Format::Pickle, "it is an array of NumPy with objects, which are pickled");
    }
    Look::listed(Format::Numpy)
}

/// Whether bytes are UTF-8, but for a character that is cut off at their end where they go on.
fn is_utf8(bytes: &[u8], goes_on: bool) -> bool {
    match std::str::from_utf8(bytes) {
        Ok(_) => true,
        Err(error) => goes_on && error.error_len().is_none(),
    }
}
