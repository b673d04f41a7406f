//! Which part of a call a record holds, and where it stands in its trace.

use crate::time::Time;

/// One of the two records of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Half {
    /// Which of them.
    pub side: Side,
    /// What both are known by, beside the account.
    pub id: String,
}

/// The two records of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// What was asked, and by whom.
    Asked,
    /// What came back.
    Answered,
}

/// The place of a span in its trace; ids are lower-case hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The trace.
    pub trace: String,
    /// The span.
    pub id: String,
    /// The span that it is within.
    pub parent: Option<String>,
    /// When it ended.
    pub end: Option<Time>,
    /// Whether this is not the span but a log record within it.
    pub is_log: bool,
}
