//! The queue of one destination: bounded, in order, and the alert under way stays in it until it has come to its end.
//!
//! Promises that nobody who puts something in waits, and that what has no room is told to whoever puts it in.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use exchange::Time;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::limits::QUEUE_MAX;
use crate::notice::Notice;

/// An alert that waits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    /// Since when.
    pub since: Time,
    /// What is to be told.
    pub notice: Notice,
}

/// The queue.
#[derive(Debug, Default)]
pub struct Queue {
    inner: Mutex<Inner>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    waiting: VecDeque<Waiting>,
    revision: u64,
}

impl Queue {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an alert at its end; whether there was room.
    pub fn push(&self, waiting: Waiting) -> bool {
        let mut inner = self.inner();
        if inner.waiting.len() >= QUEUE_MAX {
            return false;
        }
        inner.waiting.push_back(waiting);
        inner.revision += 1;
        drop(inner);
        self.changed.notify_one();
        true
    }

    /// The alert whose turn it is, as soon as there is one. For one who delivers, not for several.
    pub async fn first(&self) -> Waiting {
        loop {
            if let Some(first) = self.inner().waiting.front() {
                return first.clone();
            }
            self.changed.notified().await;
        }
    }

    /// The alert whose turn it was has come to its end.
    pub fn finish_first(&self) {
        let mut inner = self.inner();
        inner.waiting.pop_front();
        inner.revision += 1;
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inner().waiting.is_empty()
    }

    /// Greater with each change.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.inner().revision
    }

    /// All that wait, in order.
    #[must_use]
    pub fn all(&self) -> Vec<Waiting> {
        self.inner().waiting.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notice::Kind;

    fn waiting(campaign: usize) -> Waiting {
        let notice = Notice {
            generation: 1,
            kind: Kind::Detected,
            time: Time::default(),
            campaign: format!("cmp_{campaign}"),
            since: Time::default(),
            accounts: 1,
            joined: 0,
            log10_e: 1.0,
            log10_threshold: 1.0,
            rival: String::new(),
        };
        Waiting { since: Time::default(), notice }
    }

    #[tokio::test]
    async fn it_takes_so_many_and_no_more_and_keeps_their_order() {
        let queue = Queue::default();
        assert!((0..QUEUE_MAX).all(|n| queue.push(waiting(n))));
        assert!(!queue.push(waiting(QUEUE_MAX)));
        assert_eq!(queue.first().await, waiting(0));
        // It stays until it is delivered.
        assert_eq!(queue.first().await, waiting(0));
        queue.finish_first();
        assert_eq!(queue.first().await, waiting(1));
        assert!(queue.push(waiting(QUEUE_MAX)));
        assert_eq!(queue.all().len(), QUEUE_MAX);
    }
}
