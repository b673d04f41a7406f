//! What sensors tell, as numbers.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What is counted of sensors, since they began.
        #[derive(Debug, Default)]
        pub struct Counts {
            $($(#[$doc])* pub $name: AtomicU64,)*
        }

        impl Counts {
            /// Every count with its name.
            pub fn all(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name.load(Ordering::Relaxed)),)*].into_iter()
            }
        }
    };
}

counts! {
    /// Messages without the key, or with another one.
    unauthenticated,
    /// Messages that were turned away because too many were under way.
    turned_away,
    /// Messages that could not be read.
    unreadable,
    /// Calls that were let go on.
    permitted,
    /// Calls that were refused.
    refused,
    /// Calls of accounts that nobody could tell.
    nobody,
    /// Exchanges that Envoy showed and that were not recorded whole, since too much was being shown at once.
    crowded,
    /// Spans and log records that were received.
    received,
    /// Spans and log records that were received and could not be read: without an account, or with a time that cannot be.
    bad_records,
    /// Exchanges that were put on record.
    recorded,
    /// Answers whose request was not told.
    unpaired,
    /// Calls that went on record without their answer, since too many waited or it did not come.
    unanswered,
    /// Files of received records that were removed, since more was kept than is allowed.
    removed_files,
}

pub(crate) fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
