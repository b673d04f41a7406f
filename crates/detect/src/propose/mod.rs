//! How groups are found: by text, by shared infrastructure, by texts that the same accounts send, by what they ask for.
//!
//! Nothing here weighs evidence: what is proposed becomes a trial, and only what is sent after that counts.

pub mod community;
pub mod pools;
pub mod text;
pub mod trials;
pub mod variants;
