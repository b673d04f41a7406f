//! Decompression and the cutting of bytes into records.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::source(bytes));
