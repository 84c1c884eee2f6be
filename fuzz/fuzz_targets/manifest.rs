//! Any bytes as a custody manifest.
#![no_main]
libfuzzer_sys::fuzz_target!(|json: &[u8]| ckpt_fuzz::custody::manifest(json));
