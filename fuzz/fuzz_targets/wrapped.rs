//! Wrappers, spans of every encoding and all tables of sources: a text that is recognised by its content.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| fuzz::recognised(text));
