//! Named files, as `tar::split` finds them in the input, as a checkpoint: the page that a report makes of it.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    ckpt_fuzz::report::page(&ckpt_fuzz::tar::of(ckpt_fuzz::tar::split(input)));
});
