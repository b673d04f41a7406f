//! The ledger in its folder: `log`, which anybody may see, `statements`, and the lock of whoever appends.
//!
//! Promises that what [`Ledger::append`] returned from is on disk and signed, that no two checkpoints are ever signed of which one does not go
//! on from the other, whoever else appends meanwhile, and that a crash leaves the log as it was before or as it is after. Whoever appends holds
//! a lock on the folder, and goes on from the checkpoint that is there then.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use store::bounded::read_text;
use store::whole::{self, sync_folder};
use verify::checkpoint::{BadCheckpoint, Checkpoint, SignedCheckpoint};
use verify::dated::{self, Dated, TIMESTAMPS};
use verify::entry::{BadOpening, Entry, EntryTime, NotAnEntry, Opening, SALT_BYTES, Statement, is_kind};
use verify::exhibit::Timestamp;
use verify::ledger::{LOG, STATEMENTS};
use verify::limits::NOTE_BYTES_MAX;
use verify::note::VerifierKey;
use verify::receipt::Receipt;
use verify::tiles::{BadTiles, CHECKPOINT, Of, Tiles, WIDTH, path};
use verify::timestamp::Authorities;
use verify::tree::{Tree, is_continued};

use crate::edge::Edge;
use crate::folder::Folder;
use crate::limits::{APPENDED_MAX, STATEMENT_BYTES_MAX};
use crate::signer::SigningKey;
use crate::statements::Statements;

const LOCK: &str = "lock";
/// The public half of the key that signs.
const KEY: &str = "key.pub";
/// The last checkpoint that witnesses signed.
const WITNESSED: &str = "witnessed";

/// Why a ledger cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// There is none.
    #[error("{0}: there is no ledger")]
    Missing(PathBuf),
    /// There are entries, and no checkpoint over them.
    #[error(
        "{0}: the checkpoint is missing, and there are entries: put it back from a copy, or move the ledger away to begin another"
    )]
    NoCheckpoint(PathBuf),
    /// A file cannot be read or written.
    #[error("{path}: cannot be read or written")]
    Failed {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is signed by another key.
    #[error(
        "{path}: the ledger is signed by the key `{found}`, and not by `{expected}`; expected the key file that it was begun with"
    )]
    OtherKey {
        /// Where that is said.
        path: PathBuf,
        /// By which it is signed.
        found: String,
        /// By which it should be.
        expected: String,
    },
    /// A file of the log cannot be read, or holds something else.
    #[error(transparent)]
    Tiles(#[from] BadTiles),
    /// The checkpoint does not count.
    #[error("{path}: the checkpoint does not count")]
    Checkpoint {
        /// Where it is.
        path: PathBuf,
        /// Why.
        source: BadCheckpoint,
    },
    /// The tiles are not those of the checkpoint.
    #[error("{0}: the log's hashes do not come to the root that its checkpoint says; it was changed or damaged")]
    OtherRoot(PathBuf),
    /// The checkpoint does not go on from one that was there before.
    #[error(
        "{path}: the checkpoint of {found} entries does not go on from that of {known} that was there before; it was put back or forked, and nothing is signed"
    )]
    NotContinued {
        /// Where it is.
        path: PathBuf,
        /// How many entries there were.
        known: u64,
        /// How many there are.
        found: u64,
    },
    /// An entry cannot be read.
    #[error("entry {index}: {source}")]
    Entry {
        /// Which.
        index: u64,
        /// Why.
        source: NotAnEntry,
    },
    /// A statement does not fit its entry.
    #[error("entry {index}: {source}")]
    Opening {
        /// Which.
        index: u64,
        /// Why.
        source: BadOpening,
    },
    /// A statement cannot be appended.
    #[error("a statement cannot be appended: {0}")]
    Refused(&'static str),
}

/// A ledger to be read.
#[derive(Clone, Debug)]
pub struct View {
    folder: PathBuf,
    key: VerifierKey,
    tiles: Tiles<Folder>,
    statements: Statements,
}

impl View {
    /// The ledger in `folder`, which is signed by `key`.
    #[must_use]
    pub fn new(folder: &Path, key: VerifierKey) -> View {
        View {
            folder: folder.to_owned(),
            key,
            tiles: Tiles::new(Folder::new(&folder.join(LOG))),
            statements: Statements::new(folder.join(STATEMENTS)),
        }
    }

    /// The ledger in `folder`, which is signed by the key that it names itself.
    ///
    /// # Errors
    ///
    /// When it names none.
    pub fn open(folder: &Path) -> Result<View, LedgerError> {
        let path = folder.join(KEY);
        let text = read_text(&path, NOTE_BYTES_MAX).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => LedgerError::Missing(folder.to_owned()),
            _ => LedgerError::Failed { path: path.clone(), source },
        })?;
        let wrong = |source| LedgerError::Failed { path: path.clone(), source: io::Error::other(source) };
        Ok(View::new(folder, text.trim_end().parse().map_err(wrong)?))
    }

    /// The key that signs it.
    #[must_use]
    pub fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// The folder of its log, which anybody may see.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.folder.join(LOG)
    }

    /// The tiles of its log.
    #[must_use]
    pub fn tiles(&self) -> &Tiles<Folder> {
        &self.tiles
    }

    fn checkpoint_path(&self) -> PathBuf {
        self.folder.join(LOG).join(CHECKPOINT)
    }

    fn failed(&self, source: io::Error) -> LedgerError {
        LedgerError::Failed { path: self.folder.clone(), source }
    }

    /// The checkpoint that is there, as a note, and what it says.
    ///
    /// # Errors
    ///
    /// When there is none that counts.
    pub fn checkpoint(&self) -> Result<(String, SignedCheckpoint), LedgerError> {
        let path = self.checkpoint_path();
        let note = read_text(&path, NOTE_BYTES_MAX).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => LedgerError::Missing(self.folder.clone()),
            _ => LedgerError::Failed { path: path.clone(), source },
        })?;
        let checkpoint = SignedCheckpoint::parse(&note, &self.key, &[]);
        let checkpoint = checkpoint.map_err(|source| LedgerError::Checkpoint { path, source })?;
        Ok((note, checkpoint))
    }

    /// The entries of the `n`-th 256 in a log of `size`, each with what opens it, if that is there.
    ///
    /// # Errors
    ///
    /// When one cannot be read, or a statement does not fit its entry.
    pub fn part(&self, n: u64, size: u64) -> Result<Vec<Known>, LedgerError> {
        let entries = self.tiles.entries(n, size)?;
        let openings = self.statements.openings(n).map_err(|source| self.failed(source))?;
        let mut openings: BTreeMap<u64, Opening> = openings.into_iter().collect();
        (n * WIDTH..).zip(&entries).map(|(index, bytes)| Known::read(index, bytes, openings.remove(&index))).collect()
    }

    /// One entry of a log of `size`.
    ///
    /// # Errors
    ///
    /// When there is none, or it cannot be read.
    pub fn entry(&self, index: u64, size: u64) -> Result<Known, LedgerError> {
        let bytes = self.tiles.entry(index, size)?;
        let opening = self.statements.opening(index).map_err(|source| self.failed(source))?;
        Known::read(index, &bytes, opening)
    }

    /// The last checkpoint that witnesses signed, as a note, and what it says; none where there is none.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or does not count.
    pub fn witnessed(&self) -> Result<Option<(String, SignedCheckpoint)>, LedgerError> {
        let path = self.folder.join(WITNESSED);
        let note = match read_text(&path, NOTE_BYTES_MAX) {
            Ok(note) => note,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(LedgerError::Failed { path, source }),
        };
        let checkpoint = SignedCheckpoint::parse(&note, &self.key, &[]);
        let checkpoint = checkpoint.map_err(|source| LedgerError::Checkpoint { path, source })?;
        Ok(Some((note, checkpoint)))
    }

    /// Keeps a checkpoint with the signatures of witnesses, which receipts have with them from then on.
    ///
    /// # Errors
    ///
    /// When it does not count, or cannot be written.
    pub fn keep_witnessed(&self, note: &str) -> Result<(), LedgerError> {
        let path = self.folder.join(WITNESSED);
        let checkpoint = SignedCheckpoint::parse(note, &self.key, &[]);
        checkpoint.map_err(|source| LedgerError::Checkpoint { path: path.clone(), source })?;
        whole::write(&path, note.as_bytes()).map_err(|source| LedgerError::Failed { path, source })
    }

    /// The folder of its timestamps.
    fn stamped(&self) -> Folder {
        Folder::new(&self.folder.join(TIMESTAMPS))
    }

    /// The checkpoints that have a timestamp, by how many entries they are of, in order.
    ///
    /// # Errors
    ///
    /// When their folder cannot be read.
    pub fn timestamps(&self) -> Result<Vec<u64>, LedgerError> {
        dated::sizes(&self.stamped()).map_err(|source| self.failed(source))
    }

    /// Keeps the timestamp of a checkpoint of `size` entries, which receipts have with them from then on.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn keep_timestamp(&self, size: u64, dated: &Dated) -> Result<(), LedgerError> {
        let folder = self.folder.join(TIMESTAMPS);
        let kept = || {
            if !folder.is_dir() {
                fs::create_dir_all(&folder)?;
                sync_folder(&folder)?;
            }
            // An answer is there only with what it is over.
            whole::write_for_all(&folder.join(dated::text_path(size)), dated.checkpoint.as_bytes())?;
            whole::write_for_all(&folder.join(dated::answer_path(size)), &dated.answer)
        };
        kept().map_err(|source| LedgerError::Failed { path: folder.clone(), source })
    }

    /// The first timestamp of a checkpoint that has the entry `index`, and what leads from the entry to it; none where there is none yet.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn timestamp(&self, index: u64) -> Result<Option<Timestamp>, LedgerError> {
        let size = self.checkpoint()?.1.tree().size;
        for stamped in self.timestamps()?.into_iter().filter(|stamped| (index + 1..=size).contains(stamped)) {
            // One that cannot be read, or is none, says nothing of this entry.
            if let Some(dated) = self.dated(stamped, &Authorities::default()) {
                return Ok(Some(Timestamp { dated, proof: self.tiles.inclusion(index, stamped)? }));
            }
        }
        Ok(None)
    }

    /// The timestamp of the checkpoint of `stamped` entries, where it is one by these authorities; without any, by anybody.
    #[must_use]
    pub fn dated(&self, stamped: u64, authorities: &Authorities) -> Option<Dated> {
        let dated = Dated::read(&self.stamped(), stamped).ok()?;
        dated.check(&self.key, authorities).is_ok().then_some(dated)
    }

    /// What shows that the entry `index` is in the log: by the last checkpoint that witnesses signed, where that has it, or else by the one that
    /// is there now.
    ///
    /// # Errors
    ///
    /// When there is no such entry.
    pub fn receipt(&self, index: u64) -> Result<Receipt, LedgerError> {
        let witnessed = self.witnessed()?.filter(|(_, checkpoint)| checkpoint.tree().size > index);
        let (note, checkpoint) = witnessed.map_or_else(|| self.checkpoint(), Ok)?;
        let size = checkpoint.tree().size;
        let proof = self.tiles.inclusion(index, size)?;
        let receipt = Receipt { extra: None, index, proof, checkpoint: note };
        let entry = self.tiles.entry(index, size)?;
        // What is handed out is checked first, as whoever gets it will.
        let counts = receipt.check(&entry, &self.key, &[]).is_ok();
        if counts { Ok(receipt) } else { Err(LedgerError::OtherRoot(self.folder.join(LOG))) }
    }
}

/// An entry, with what is known of it.
#[derive(Clone, Debug)]
pub struct Known {
    /// Its number, counted from 0.
    pub index: u64,
    /// The entry.
    pub entry: Entry,
    /// What opens it; none where that was destroyed, or is kept elsewhere.
    pub opening: Option<Opening>,
    /// The statement.
    pub statement: Option<Statement>,
}

impl Known {
    fn read(index: u64, bytes: &[u8], opening: Option<Opening>) -> Result<Known, LedgerError> {
        let entry = Entry::parse(bytes).map_err(|source| LedgerError::Entry { index, source })?;
        let statement = opening.as_ref().map(|opening| opening.check(&entry)).transpose();
        let statement = statement.map_err(|source| LedgerError::Opening { index, source })?;
        Ok(Known { index, entry, opening, statement })
    }
}

/// A ledger to be appended to.
#[derive(Debug)]
pub struct Ledger {
    view: View,
    key: SigningKey,
    edge: Edge,
    /// The checkpoint that it goes on from.
    note: String,
    /// When the last entry was made.
    last: Option<EntryTime>,
}

impl Ledger {
    /// Opens the ledger in `folder`, or begins one there.
    ///
    /// # Errors
    ///
    /// When there is one that does not count.
    pub fn open(folder: &Path, key: SigningKey) -> Result<Ledger, LedgerError> {
        let view = View::new(folder, key.public().clone());
        let failed = |source| LedgerError::Failed { path: folder.to_owned(), source };
        fs::create_dir_all(folder.join(LOG)).map_err(failed)?;
        let mut ledger = Ledger { view, key, edge: Edge::default(), note: String::new(), last: None };
        let lock = ledger.lock()?;
        ledger.name_key()?;
        match ledger.view.checkpoint() {
            Ok(_) => ledger.renew()?,
            // Where there is anything else nothing may be begun over it.
            Err(LedgerError::Missing(_))
                if folder.join(STATEMENTS).exists() || folder.join(LOG).join("tile").exists() =>
            {
                return Err(LedgerError::NoCheckpoint(ledger.view.checkpoint_path()));
            }
            // A log without a checkpoint is one that nobody was told of.
            Err(LedgerError::Missing(_)) => {
                sync_folder(&folder.join(LOG)).map_err(failed)?;
                ledger.sign(ledger.edge.tree())?;
            }
            Err(other) => return Err(other),
        }
        drop(lock);
        Ok(ledger)
    }

    /// It, to be read.
    #[must_use]
    pub fn view(&self) -> &View {
        &self.view
    }

    /// How many entries it had when it was last looked at, and their root.
    #[must_use]
    pub fn tree(&self) -> Tree {
        self.edge.tree()
    }

    /// When the last entry was made; none where there is none.
    #[must_use]
    pub fn last(&self) -> Option<&EntryTime> {
        self.last.as_ref()
    }

    /// Whether it goes on from a checkpoint of its own that somebody kept.
    ///
    /// # Errors
    ///
    /// When it does not.
    pub fn goes_on_from(&self, note: &str) -> Result<(), LedgerError> {
        let path = self.view.checkpoint_path();
        let kept = SignedCheckpoint::parse(note, self.key.public(), &[]);
        let kept = kept.map_err(|source| LedgerError::Checkpoint { path: path.clone(), source })?.tree();
        let now = self.edge.tree();
        let proof = if kept.size <= now.size { Some(self.view.tiles.continuation(kept.size, now.size)?) } else { None };
        let goes_on = proof.is_some_and(|proof| is_continued(kept, now, &proof));
        if goes_on { Ok(()) } else { Err(LedgerError::NotContinued { path, known: kept.size, found: now.size }) }
    }

    /// The checkpoint as a note, as it was when it was last looked at.
    #[must_use]
    pub fn note(&self) -> &str {
        &self.note
    }

    /// Appends statements as entries made at `now`, or at the last entry's time where that is later; which they are. `salt` gives random bytes.
    ///
    /// # Errors
    ///
    /// When they cannot be appended. Then none was, unless the disk failed at the very end: then all may have been.
    pub fn append(
        &mut self,
        now: &EntryTime,
        statements: Vec<Statement>,
        salt: &mut dyn FnMut() -> Option<[u8; SALT_BYTES]>,
    ) -> Result<Range<u64>, LedgerError> {
        if statements.len() > APPENDED_MAX {
            return Err(LedgerError::Refused("too many at once"));
        }
        let lock = self.lock()?;
        self.catch_up()?;
        let first = self.edge.tree().size;
        if statements.is_empty() {
            return Ok(first..first);
        }
        let at = self.last.iter().chain([now]).max().cloned().unwrap_or_else(|| now.clone());
        let mut entries = Vec::with_capacity(statements.len());
        let mut openings = Vec::with_capacity(statements.len());
        for mut statement in statements {
            at.as_str().clone_into(&mut statement.at);
            let (entry, opening) = closed(&statement, at.clone(), &random(salt)?)?;
            entries.push(entry.bytes());
            openings.push(opening);
        }
        self.view.statements.append(first, &openings).map_err(|source| self.view.failed(source))?;
        let mut edge = self.edge.clone();
        let files = edge.append(&entries);
        self.write(&files)?;
        self.sign(edge.tree())?;
        self.edge = edge;
        self.last = Some(at);
        self.tidy(first);
        drop(lock);
        Ok(first..self.edge.tree().size)
    }

    /// Destroys what opens these entries, which stay in the log.
    ///
    /// # Errors
    ///
    /// When it cannot be destroyed.
    pub fn destroy(&mut self, indexes: &BTreeSet<u64>) -> Result<(), LedgerError> {
        let _lock = self.lock()?;
        self.view.statements.destroy(indexes).map_err(|source| self.view.failed(source))
    }

    /// Says in the folder by which key it is signed, or sees that it is this one.
    fn name_key(&self) -> Result<(), LedgerError> {
        let path = self.view.folder.join(KEY);
        let ours = self.key.public().to_string();
        match read_text(&path, NOTE_BYTES_MAX) {
            Ok(text) if text.trim_end() == ours => Ok(()),
            Ok(text) => Err(LedgerError::OtherKey { path, found: text.trim_end().to_owned(), expected: ours }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let written = whole::write_for_all(&path, format!("{ours}\n").as_bytes());
                written.map_err(|source| LedgerError::Failed { path, source })
            }
            Err(source) => Err(LedgerError::Failed { path, source }),
        }
    }

    fn lock(&self) -> Result<File, LedgerError> {
        let path = self.view.folder.join(LOCK);
        store::lock::exclusive(&path).map_err(|source| LedgerError::Failed { path: path.clone(), source })
    }

    /// Goes on from the checkpoint that is there, where somebody else appended.
    fn catch_up(&mut self) -> Result<(), LedgerError> {
        let path = self.view.checkpoint_path();
        let note = read_text(&path, NOTE_BYTES_MAX).map_err(|source| LedgerError::Failed { path, source })?;
        if note == self.note { Ok(()) } else { self.renew() }
    }

    /// Reads the right edge of what is there.
    fn renew(&mut self) -> Result<(), LedgerError> {
        let (note, checkpoint) = self.view.checkpoint()?;
        let (known, found) = (self.edge.tree(), checkpoint.tree());
        let is_continued = found.size >= known.size && {
            let proof = self.view.tiles.continuation(known.size, found.size)?;
            is_continued(known, found, &proof)
        };
        if !is_continued {
            let path = self.view.checkpoint_path();
            return Err(LedgerError::NotContinued { path, known: known.size, found: found.size });
        }
        let edge = Edge::read(&self.view.tiles, found.size)?;
        if edge.tree() != found {
            return Err(LedgerError::OtherRoot(self.view.folder.join(LOG)));
        }
        self.last = match found.size.checked_sub(1) {
            Some(index) => Some(self.view.entry(index, found.size)?.entry.at),
            None => None,
        };
        (self.edge, self.note) = (edge, note);
        Ok(())
    }

    /// Writes files of the log. They are on disk when this returns.
    fn write(&self, files: &[(String, Vec<u8>)]) -> Result<(), LedgerError> {
        let log = self.view.folder.join(LOG);
        let mut folders = BTreeSet::new();
        for (name, bytes) in files {
            let path = log.join(name);
            let mut written = || {
                if let Some(folder) = path.parent().filter(|folder| !folder.is_dir()) {
                    fs::create_dir_all(folder)?;
                    // Every new folder has to be known to the one above it.
                    let new = folder.ancestors().take_while(|above| above.starts_with(&log));
                    folders.extend(new.map(Path::to_owned));
                }
                let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o644).open(&path)?;
                file.write_all(bytes)?;
                file.sync_data()?;
                folders.extend(path.parent().map(Path::to_owned));
                Ok(())
            };
            written().map_err(|source| LedgerError::Failed { path: path.clone(), source })?;
        }
        for folder in folders {
            File::open(&folder)
                .and_then(|file| file.sync_all())
                .map_err(|source| LedgerError::Failed { path: folder, source })?;
        }
        Ok(())
    }

    /// Signs a tree and puts it in the place of the checkpoint that is there.
    fn sign(&mut self, tree: Tree) -> Result<(), LedgerError> {
        let origin = self.key.public().name().to_owned();
        let note = self.key.note(&Checkpoint { origin, tree, extension: Vec::new() }.to_string());
        let path = self.view.checkpoint_path();
        // What is handed out is checked first, as whoever gets it will.
        let signed = SignedCheckpoint::parse(&note, self.key.public(), &[]);
        signed.map_err(|source| LedgerError::Checkpoint { path: path.clone(), source })?;
        whole::write_for_all(&path, note.as_bytes()).map_err(|source| LedgerError::Failed { path, source })?;
        self.note = note;
        Ok(())
    }

    /// Removes parts of tiles that are full now. Nobody needs them, so that it does not matter if that fails.
    fn tidy(&self, first: u64) {
        let size = self.edge.tree().size;
        let log = self.view.folder.join(LOG);
        for level in 0..8 {
            let on_level = |size: u64| size >> (8 * level);
            let full = on_level(first) / WIDTH..on_level(size) / WIDTH;
            for n in full {
                let kinds = [Some(Of::Hashes(level)), (level == 0).then_some(Of::Entries)];
                for of in kinds.into_iter().flatten() {
                    let _ = fs::remove_dir_all(log.join(format!("{}.p", path(of, n, WIDTH))));
                }
            }
        }
    }
}

fn random(salt: &mut dyn FnMut() -> Option<[u8; SALT_BYTES]>) -> Result<[u8; SALT_BYTES], LedgerError> {
    salt().ok_or(LedgerError::Refused("no random bytes can be had"))
}

/// A statement as an entry, and what opens it.
fn closed(statement: &Statement, at: EntryTime, salt: &[u8; SALT_BYTES]) -> Result<(Entry, Opening), LedgerError> {
    if !is_kind(&statement.kind) {
        return Err(LedgerError::Refused("its kind is not small letters, digits and `_`"));
    }
    let cannot = |_| LedgerError::Refused("it cannot be written");
    let opening = Opening::new(statement, salt).map_err(cannot)?;
    if opening.bytes() > STATEMENT_BYTES_MAX {
        return Err(LedgerError::Refused("it is longer than a megabyte"));
    }
    let entry = Entry { at, kind: statement.kind.clone(), hash: opening.hash().map_err(cannot)? };
    Ok((entry, opening))
}
