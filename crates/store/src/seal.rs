//! Files of sealed entries: encrypted, in order, and read back only as far as nobody changed them.
//!
//! Promises that an entry that was synced comes back as it was, or the reader says that it does not. A file is a header
//! and entries; an entry is its length (32 bits, little endian) and AES-256-GCM over the content, with the number of
//! the entry as its nonce and the length as associated data. Each file has a key of its own, derived from the master
//! key and 16 random bytes in the header, so no nonce is used twice. An entry that was cut short ends the file, as
//! after a crash; one whose tag is wrong ends it as damage.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::limits::ENTRY_BYTES_MAX;
use crate::whole::sync_folder;

/// The key that everything on this machine is sealed with.
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("a master key")
    }
}

impl MasterKey {
    /// The key with these bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> MasterKey {
        MasterKey(Zeroizing::new(bytes))
    }

    /// A key for another purpose, from which this one cannot be told.
    #[must_use]
    pub fn derive(&self, purpose: &'static str) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(blake3::derive_key(purpose, self.0.as_ref()))
    }

    /// The key in `path`: 32 bytes that only the owner may read. When there is no such file, `random` becomes the key.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or written, or holds something else.
    pub fn open(path: &Path, random: [u8; 32]) -> Result<MasterKey, SealError> {
        let failed = |source| SealError::Failed { path: path.to_owned(), source };
        match std::fs::read(path) {
            Ok(bytes) => {
                let bytes = Zeroizing::new(bytes);
                let key = <[u8; 32]>::try_from(bytes.as_slice());
                key.map(MasterKey::new).map_err(|_| SealError::NotAKey { path: path.to_owned() })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut file = private(path, OpenOptions::new().write(true).create_new(true)).map_err(failed)?;
                file.write_all(&random).and_then(|()| file.sync_all()).map_err(failed)?;
                sync_folder(path).map_err(failed)?;
                Ok(MasterKey::new(random))
            }
            Err(error) => Err(failed(error)),
        }
    }

    fn of_file(&self, salt: [u8; SALT_BYTES]) -> Result<LessSafeKey, SealError> {
        let mut hasher = blake3::Hasher::new_keyed(&self.derive("stillwatch 2026 sealed files v1"));
        hasher.update(&salt);
        let key = Zeroizing::new(*hasher.finalize().as_bytes());
        let key = UnboundKey::new(&AES_256_GCM, key.as_ref()).map_err(|_| SealError::Crypto)?;
        Ok(LessSafeKey::new(key))
    }
}

/// What goes wrong with sealed files.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// A file cannot be read or written.
    #[error("{path}: cannot be read or written")]
    Failed {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file of the master key holds something else.
    #[error("{path}: not a key; expected 32 bytes")]
    NotAKey {
        /// Which.
        path: PathBuf,
    },
    /// It is no sealed file, or one of a later version.
    #[error("{path}: not a sealed file of version {VERSION}")]
    NotSealed {
        /// Which.
        path: PathBuf,
    },
    /// An entry is longer than it may be.
    #[error("an entry of {bytes} bytes; expected at most {ENTRY_BYTES_MAX}")]
    TooLong {
        /// How long.
        bytes: usize,
    },
    /// The cryptography failed.
    #[error("an entry cannot be encrypted")]
    Crypto,
}

const MAGIC: &[u8; 7] = b"SWSEAL\n";
const VERSION: u8 = 1;
const SALT_BYTES: usize = 16;
const HEADER_BYTES: usize = MAGIC.len() + 1 + SALT_BYTES;
const LENGTH_BYTES: usize = 4;

/// Writes a sealed file.
pub struct Writer {
    path: PathBuf,
    file: File,
    key: LessSafeKey,
    /// The number of the next entry.
    next: u64,
    /// Bytes that are in the file.
    written: u64,
    /// Entries that are not in the file yet.
    pending: Vec<u8>,
    /// Whether the file may end in part of an entry, because a write failed.
    torn: bool,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Writer").field("path", &self.path).field("written", &self.written).finish_non_exhaustive()
    }
}

impl Writer {
    /// Makes a new file; `salt` must be random.
    ///
    /// # Errors
    ///
    /// When there is one already or it cannot be written.
    pub fn create(path: &Path, master: &MasterKey, salt: [u8; SALT_BYTES]) -> Result<Writer, SealError> {
        let failed = |source| SealError::Failed { path: path.to_owned(), source };
        let key = master.of_file(salt)?;
        let mut file = private(path, OpenOptions::new().write(true).create_new(true)).map_err(failed)?;
        let header = [MAGIC.as_slice(), &[VERSION], &salt].concat();
        file.write_all(&header).map_err(failed)?;
        let written = header.len() as u64;
        Ok(Writer { path: path.to_owned(), file, key, next: 0, written, pending: Vec::new(), torn: false })
    }

    /// Seals an entry; it is in the file after the next [`Writer::flush`].
    ///
    /// # Errors
    ///
    /// When it is too long.
    pub fn append(&mut self, entry: &[u8]) -> Result<(), SealError> {
        if entry.len() > ENTRY_BYTES_MAX {
            return Err(SealError::TooLong { bytes: entry.len() });
        }
        let length = ((entry.len() + AES_256_GCM.tag_len()) as u32).to_le_bytes();
        let start = self.pending.len();
        self.pending.extend_from_slice(&length);
        self.pending.extend_from_slice(entry);
        let content = self.pending.get_mut(start + LENGTH_BYTES..).unwrap_or_default();
        match self.key.seal_in_place_separate_tag(nonce(self.next), Aad::from(length), content) {
            Ok(tag) => {
                self.pending.extend_from_slice(tag.as_ref());
                self.next += 1;
                Ok(())
            }
            Err(_) => {
                self.pending.truncate(start);
                Err(SealError::Crypto)
            }
        }
    }

    /// Hands what was appended to the system: it outlives this process.
    ///
    /// # Errors
    ///
    /// When it cannot be written, as on a full disk. The entries stay here and are tried again with the next call.
    pub fn flush(&mut self) -> Result<(), SealError> {
        let written = self.try_flush();
        written.map_err(|source| SealError::Failed { path: self.path.clone(), source })
    }

    fn try_flush(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        if self.torn {
            self.file.set_len(self.written)?;
            io::Seek::seek(&mut self.file, io::SeekFrom::Start(self.written))?;
            self.torn = false;
        }
        self.torn = true;
        self.file.write_all(&self.pending)?;
        self.torn = false;
        self.written += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }

    /// Waits until everything is on the disk: it outlives the machine's power.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn sync(&mut self) -> Result<(), SealError> {
        self.flush()?;
        self.file.sync_data().map_err(|source| SealError::Failed { path: self.path.clone(), source })
    }

    /// Bytes in the file and about to be.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.written + self.pending.len() as u64
    }

    /// Bytes that wait to be written.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        self.pending.len()
    }
}

/// Reads a sealed file.
pub struct Reader {
    input: BufReader<File>,
    key: LessSafeKey,
    next: u64,
    end: Option<Ending>,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Reader").field("next", &self.next).field("end", &self.end).finish_non_exhaustive()
    }
}

/// How a sealed file ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// After a whole entry.
    Whole,
    /// In the middle of an entry, as after a crash.
    Torn,
    /// At an entry that is not what was written, or not sealed with this key.
    Damaged,
}

impl Reader {
    /// Opens a file.
    ///
    /// # Errors
    ///
    /// When it cannot be read or is no sealed file. One that is shorter than its header has no entries.
    pub fn open(path: &Path, master: &MasterKey) -> Result<Reader, SealError> {
        let failed = |source| SealError::Failed { path: path.to_owned(), source };
        let mut input = BufReader::new(File::open(path).map_err(failed)?);
        let mut header = [0; HEADER_BYTES];
        let read = fill(&mut input, &mut header).map_err(failed)?;
        let (magic, rest) = header.split_at(MAGIC.len());
        let (version, salt) = rest.split_at(1);
        let known = magic == MAGIC && version == [VERSION];
        if read == HEADER_BYTES && !known {
            return Err(SealError::NotSealed { path: path.to_owned() });
        }
        let end = (read < HEADER_BYTES).then_some(Ending::Torn);
        let key = master.of_file(<[u8; SALT_BYTES]>::try_from(salt).unwrap_or_default())?;
        Ok(Reader { input, key, next: 0, end })
    }

    /// The next entry; `None` at the end, of which [`Reader::ending`] tells.
    ///
    /// # Errors
    ///
    /// When the file cannot be read on.
    pub fn read(&mut self) -> io::Result<Option<Vec<u8>>> {
        if self.end.is_some() {
            return Ok(None);
        }
        let mut length = [0; LENGTH_BYTES];
        match fill(&mut self.input, &mut length)? {
            0 => return Ok(self.finish(Ending::Whole)),
            LENGTH_BYTES => {}
            _ => return Ok(self.finish(Ending::Torn)),
        }
        let bytes = u32::from_le_bytes(length) as usize;
        if bytes < AES_256_GCM.tag_len() || bytes > ENTRY_BYTES_MAX + AES_256_GCM.tag_len() {
            return Ok(self.finish(Ending::Damaged));
        }
        let mut entry = vec![0; bytes];
        if fill(&mut self.input, &mut entry)? < bytes {
            return Ok(self.finish(Ending::Torn));
        }
        let Ok(content) = self.key.open_in_place(nonce(self.next), Aad::from(length), &mut entry) else {
            return Ok(self.finish(Ending::Damaged));
        };
        let content = content.len();
        entry.truncate(content);
        self.next += 1;
        Ok(Some(entry))
    }

    /// How it ended; `None` before the end.
    #[must_use]
    pub fn ending(&self) -> Option<Ending> {
        self.end
    }

    fn finish(&mut self, ending: Ending) -> Option<Vec<u8>> {
        self.end = Some(ending);
        None
    }
}

fn nonce(number: u64) -> Nonce {
    let mut bytes = [0; 12];
    let (low, _) = bytes.split_at_mut(8);
    low.copy_from_slice(&number.to_le_bytes());
    Nonce::assume_unique_for_key(bytes)
}

/// Reads until `buffer` is full or the input ends; says how much there was.
fn fill(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match input.read(rest) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Opens a file that only its owner may read.
fn private(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)
}
