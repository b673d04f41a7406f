//! Playbooks that somebody brings, and deadlines.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::playbooks(bytes));
