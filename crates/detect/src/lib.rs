//! The streaming detection engine: families, hypotheses, tests, campaigns.

pub mod finding;

pub use finding::Findings;
