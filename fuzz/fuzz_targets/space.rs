//! A memory map, pagemaps and pages files as one address space; see `tar::split` for how an input holds several files.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| ckpt_fuzz::memory::space(&ckpt_fuzz::tar::split(input)));
