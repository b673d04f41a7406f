//! Tables with a header: quotes, delimiters, cells over several lines.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::rows(bytes));
