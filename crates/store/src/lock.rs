//! Locks on files, held while somebody changes what belongs to them.
//!
//! Promises to wait for no longer than [`LOCK_TIME_MAX`]: whoever stands still with a lock is told of, and not waited for.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use crate::limits::LOCK_TIME_MAX;

/// How often it is seen whether the lock is free.
const STEP_TIME: Duration = Duration::from_millis(2);

/// Takes the lock of a file, which is made where it is not there. It is held until what is returned is dropped.
///
/// # Errors
///
/// When it cannot be taken, or another process holds it for too long.
pub fn exclusive(path: &Path) -> io::Result<File> {
    exclusive_within(path, LOCK_TIME_MAX)
}

fn exclusive_within(path: &Path, time_max: Duration) -> io::Result<File> {
    let file = OpenOptions::new().create(true).write(true).truncate(false).mode(0o600).open(path)?;
    let mut waited = Duration::ZERO;
    while let Err(held) = file.try_lock() {
        let TryLockError::WouldBlock = held else { return Err(held.into()) };
        if waited >= time_max {
            return Err(io::Error::other(format!("another process has held it for {} s", time_max.as_secs())));
        }
        std::thread::sleep(STEP_TIME);
        waited += STEP_TIME;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_for_one_and_is_not_waited_for_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = exclusive(&path).unwrap();
        let told = exclusive_within(&path, STEP_TIME * 3).unwrap_err().to_string();
        assert!(told.contains("another process has held it"), "{told}");
        drop(held);
        assert!(exclusive_within(&path, Duration::ZERO).is_ok());
    }
}
