//! Passwords are checked beside the threads that answer, a few at once.

use admin::person::Person;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::limits::{CHECKS_MAX, CHECKS_WAITING_MAX};

/// Room for checks.
#[derive(Debug)]
pub(crate) struct Checks {
    running: Semaphore,
    waiting: Semaphore,
}

/// Too many passwords wait to be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Busy;

impl Default for Checks {
    fn default() -> Checks {
        Checks { running: Semaphore::new(CHECKS_MAX), waiting: Semaphore::new(CHECKS_MAX + CHECKS_WAITING_MAX) }
    }
}

impl Checks {
    /// Whether a password is that of `person`. Takes as long where there is nobody.
    pub(crate) async fn is_right(&self, person: Option<Person>, password: Zeroizing<String>) -> Result<bool, Busy> {
        let _waiting = self.waiting.try_acquire().map_err(|_| Busy)?;
        let _running = self.running.acquire().await.map_err(|_| Busy)?;
        let check = move || match person {
            Some(person) => person.is_password(&password),
            None => {
                Person::nobody(&password);
                false
            }
        };
        tokio::task::spawn_blocking(check).await.map_err(|_| Busy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn so_many_wait_for_a_check_and_no_more() {
        let checks = Checks::default();
        let taken = checks.waiting.acquire_many((CHECKS_MAX + CHECKS_WAITING_MAX) as u32 - 1).await.unwrap();
        assert_eq!(checks.is_right(None, Zeroizing::default()).await, Ok(false));
        let last = checks.waiting.acquire().await.unwrap();
        assert_eq!(checks.is_right(None, Zeroizing::default()).await, Err(Busy));
        drop((taken, last));
    }
}
