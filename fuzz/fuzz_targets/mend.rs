//! Damaged JSON: any bytes, also as the prompt of a record, and a record that is cut.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::mend(bytes));
