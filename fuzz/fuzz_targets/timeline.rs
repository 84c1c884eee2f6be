//! Any files as a checkpoint, put in order of time.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    ckpt_fuzz::timeline::order(&ckpt_fuzz::tar::of(ckpt_fuzz::tar::split(input)));
});
