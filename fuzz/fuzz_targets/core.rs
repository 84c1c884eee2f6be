//! Any bytes through the whole pipeline to the cores of their processes.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| ckpt_fuzz::cores::write(input));
