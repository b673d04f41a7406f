//! A lake copied to another store: a backup, and back.
//!
//! Promises that a copy that was interrupted is no lake, and is begun anew by the next; and that what was erased does not come back with one.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use exchange::Time;

use crate::error::LakeError;
use crate::lake::{Lake, Parts, list, refuse_parts};
use crate::limits::COPIED_BYTES_MAX;
use crate::notes::{self, About, AllTaken, Erased, facts, write_facts};
use crate::objects::{Held, Objects};
use crate::place::PartName;

/// What was copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Parts.
    pub parts: u64,
    /// Rows in them, of which those that were erased meanwhile are gone.
    pub rows: u64,
    /// Bytes of them.
    pub bytes: u64,
}

/// Copies a lake to where none is, without what `erased` says or the other place knows to be erased, and reads it again.
///
/// # Errors
///
/// When there is a lake already, or something cannot be read or written.
pub fn copy(
    from: Arc<dyn Objects>,
    to: &Arc<dyn Objects>,
    erased: &BTreeMap<String, Time>,
    watch: &mut dyn FnMut(usize, usize),
) -> Result<Copied, LakeError> {
    let lake = Lake::open(from)?;
    let _changed_by_nobody = lock_if_changeable(lake.objects())?;
    let held = to.lock().map_err(|error| LakeError::object(&**to, "_lock", error))?;
    if notes::is_copying(&**to)? {
        // All of it is of the copy that was interrupted.
        for object in list(&**to)?.into_iter().filter(|object| PartName::read(&object.name).is_some()) {
            to.remove(&object.name).map_err(|error| LakeError::object(&**to, &object.name, error))?;
        }
    } else if About::read(&**to)?.is_some() {
        return Err(LakeError::LakeThere(to.place()));
    } else {
        refuse_parts(&**to)?;
        notes::begin_copying(&**to)?;
    }
    let mut known = lake.erased()?;
    known.heed(Erased::read(&**to)?);
    known.heed(notes::erasures(erased));
    known.write(&**to)?;
    let Parts { live, broken, .. } = lake.parts()?;
    if let Some(error) = broken.into_iter().next() {
        return Err(error);
    }
    let mut copied = Copied::default();
    for (done, part) in live.iter().enumerate() {
        let object = part.name.to_string();
        let bytes = lake.objects().read(&object, COPIED_BYTES_MAX);
        let bytes = bytes.map_err(|error| LakeError::object(lake.objects(), &object, error))?;
        let bytes = bytes.ok_or_else(|| LakeError::object(lake.objects(), &object, io::ErrorKind::NotFound.into()))?;
        to.write(&object, &bytes).map_err(|error| LakeError::object(&**to, &object, error))?;
        copied.parts += 1;
        copied.bytes += bytes.len() as u64;
        watch(done + 1, live.len());
    }
    write_facts(&**to, &facts(lake.objects())?)?;
    AllTaken::read(lake.objects())?.write(&**to)?;
    About::new(lake.fingerprints()).write(&**to)?;
    let mut changing = Lake::opened(Arc::clone(to))?.change_held(held)?;
    changing.finish_erasing(watch)?;
    let checked = changing.lake().check(watch, &mut |_| None)?;
    if let Some(fault) = checked.faults.into_iter().next() {
        return Err(LakeError::NotSound { place: to.place(), fault });
    }
    notes::end_copying(&**to)?;
    copied.rows = checked.rows;
    Ok(copied)
}

/// The lock, or nothing where this process could not change anything anyway.
fn lock_if_changeable(objects: &dyn Objects) -> Result<Option<Box<dyn Held>>, LakeError> {
    match objects.lock() {
        Ok(held) => Ok(Some(held)),
        Err(error) if [io::ErrorKind::PermissionDenied, io::ErrorKind::ReadOnlyFilesystem].contains(&error.kind()) => {
            Ok(None)
        }
        Err(error) => Err(LakeError::object(objects, "_lock", error)),
    }
}
