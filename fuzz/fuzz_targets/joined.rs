//! Records of one call put together: whatever comes in whatever order, each call goes on at most once.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::joined(bytes));
