//! Receipts, checkpoints, entries and statements of a ledger.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::proofs(bytes));
