//! What the proxy counts, one number each.

use std::sync::atomic::{AtomicU64, Ordering};

/// How a reply ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// At its end.
    Whole,
    /// The server broke off, or it could not be passed on.
    Broken,
    /// The caller left.
    Left,
}

macro_rules! stats {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What the proxy counts, since it began.
        #[derive(Debug, Default)]
        pub struct Stats {
            $($(#[$doc])* pub $name: AtomicU64,)*
        }

        impl Stats {
            /// Every count with its name.
            pub fn all(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name.load(Ordering::Relaxed)),)*].into_iter()
            }
        }
    };
}

stats! {
    /// Connections accepted.
    connections,
    /// Connections whose TLS handshake failed.
    handshakes_failed,
    /// Requests whose head was read.
    requests,
    /// Requests that were refused before a server saw them.
    refused,
    /// Requests that no server answered.
    unanswered,
    /// Replies that were passed on to their end.
    whole,
    /// Replies that a server broke off.
    broken,
    /// Replies whose caller left.
    left,
    /// Replies that went through a filter, because something is held back from their caller.
    shielded,
    /// Replies of which only the beginning was handed over.
    cut,
    /// Requests for models without a price, which count as the dearest one.
    unpriced,
}

impl Stats {
    /// A reply ended.
    pub fn landed(&self, end: End) {
        let counter = match end {
            End::Whole => &self.whole,
            End::Broken => &self.broken,
            End::Left => &self.left,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Adds one.
    pub fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}
