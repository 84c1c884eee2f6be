//! Any files as a checkpoint, looked at for what intruders leave.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    ckpt_fuzz::triage::look(&ckpt_fuzz::tar::of(ckpt_fuzz::tar::split(input)));
});
