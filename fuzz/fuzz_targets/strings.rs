//! Strings of memory in pieces, against the model that looks at every byte by itself.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| ckpt_fuzz::scan::strings(input));
