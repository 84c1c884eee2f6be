//! Named files, as `tar::split` finds them in the input, as what a container wrote: looked at for what intruders leave.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    ckpt_fuzz::triage::look(&ckpt_fuzz::written::checkpoint(&ckpt_fuzz::tar::split(input)));
});
