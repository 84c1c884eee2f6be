//! Secrets in memory: in one look and in many, and how they are shown.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| ckpt_fuzz::scan::secrets(input));
