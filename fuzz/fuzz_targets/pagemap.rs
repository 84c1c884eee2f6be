//! Any bytes as a pagemap image, laid out with several page sizes.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ckpt_fuzz::memory::pagemap(bytes));
