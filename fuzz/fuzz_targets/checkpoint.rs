//! Any bytes through the whole pipeline: evidence, model, memory, JSON and text.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| ckpt_fuzz::checkpoint::ask(input));
