//! The reader of account facts.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| fuzz::account(text));
