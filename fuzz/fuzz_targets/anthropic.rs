//! The reader of `anthropic` records, whatever a text claims to be.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| fuzz::reader("anthropic", text));
