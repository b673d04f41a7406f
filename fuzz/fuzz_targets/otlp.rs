//! The reader of `otlp` records, whatever a text claims to be.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| fuzz::reader("otlp", text));
