//! A pattern and memory: one look finds what many parts find.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| ckpt_fuzz::scan::search(input));
