//! How groups are found: by text, by shared infrastructure, by bursts of sign-ups, by texts that the same accounts send, by what they ask for.
//!
//! Nothing here weighs evidence: what is proposed becomes a trial, and only what is sent after that counts.

pub(crate) mod cohorts;
pub(crate) mod community;
pub(crate) mod pools;
pub(crate) mod text;
pub(crate) mod trials;
pub(crate) mod variants;
