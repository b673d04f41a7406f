//! How many pages are kept up to date at once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::limits::{LIVE_EACH_MAX, LIVE_MAX};

/// How many pages are kept up to date, by whose they are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seats {
    taken: Arc<Mutex<BTreeMap<String, usize>>>,
}

/// One of them, until it is dropped.
pub(crate) struct Seat {
    name: String,
    taken: Arc<Mutex<BTreeMap<String, usize>>>,
}

impl Seats {
    /// One more for somebody, if there is room.
    pub(crate) fn take(&self, name: &str) -> Option<Seat> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.values().sum::<usize>() >= LIVE_MAX || taken.get(name).is_some_and(|own| *own >= LIVE_EACH_MAX) {
            return None;
        }
        *taken.entry(name.to_owned()).or_default() += 1;
        Some(Seat { name: name.to_owned(), taken: Arc::clone(&self.taken) })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = taken.get_mut(&self.name) {
            *own = own.saturating_sub(1);
        }
        taken.retain(|_, own| *own > 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_pages_are_live_and_no_more() {
        let seats = Seats::default();
        let mut taken: Vec<Seat> = (0..LIVE_EACH_MAX).map_while(|_| seats.take("ann")).collect();
        assert_eq!(taken.len(), LIVE_EACH_MAX);
        assert!(seats.take("ann").is_none());
        taken.extend((LIVE_EACH_MAX..LIVE_MAX).map_while(|n| seats.take(&format!("p{n}"))));
        assert_eq!(taken.len(), LIVE_MAX);
        assert!(seats.take("bob").is_none());
        taken.remove(0);
        assert!(seats.take("ann").is_some());
    }
}
