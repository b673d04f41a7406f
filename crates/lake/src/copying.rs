//! A lake copied to another store: a backup, and back.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use exchange::Time;

use crate::error::LakeError;
use crate::lake::{Lake, Parts};
use crate::limits::COPIED_BYTES_MAX;
use crate::notes::{About, AllTaken, Erased, Erasure, facts, write_facts};
use crate::objects::Objects;

/// What was copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Parts.
    pub parts: u64,
    /// Rows in them.
    pub rows: u64,
    /// Bytes of them.
    pub bytes: u64,
}

/// Copies a lake to where none is. What says that it is a lake comes last, so that a copy that was interrupted is none, and may be made anew.
/// Erasures that the other place knows of are kept: they hold for what comes there.
///
/// # Errors
///
/// When there is a lake already, or something cannot be read or written.
pub fn copy(
    from: Arc<dyn Objects>,
    to: &Arc<dyn Objects>,
    watch: &mut dyn FnMut(usize, usize),
) -> Result<Copied, LakeError> {
    let lake = Lake::open(from)?;
    let changing = lake.change()?;
    let lake = changing.lake();
    let _held = to.lock().map_err(|error| LakeError::object(&**to, "_lock", error))?;
    if About::read(&**to)?.is_some() {
        return Err(LakeError::LakeThere(to.place()));
    }
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
        copied.rows += part.rows;
        copied.bytes += bytes.len() as u64;
        watch(done + 1, live.len());
    }
    write_facts(&**to, &facts(lake.objects())?)?;
    AllTaken::read(lake.objects())?.write(&**to)?;
    let mut erased = Erased::read(lake.objects())?;
    erased.heed(Erased::read(&**to)?);
    erased.write(&**to)?;
    About::new(lake.fingerprints()).write(&**to)?;
    Ok(copied)
}

/// Has a place where no lake is yet know of erasures, which then hold for what is copied there.
///
/// # Errors
///
/// When that cannot be written down.
pub fn remember_erased(to: &dyn Objects, accounts: &BTreeMap<String, Time>) -> Result<(), LakeError> {
    let mut erased = Erased::read(to)?;
    erased.heed(Erased(
        accounts.iter().map(|(account, until)| (account.clone(), Erasure { until: *until, done: false })).collect(),
    ));
    erased.write(to)
}
