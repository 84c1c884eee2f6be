//! Named files, as `tar::split` finds them in the input, in a tar and then through the whole pipeline.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let tar = ckpt_fuzz::tar::of(ckpt_fuzz::tar::split(input));
    ckpt_fuzz::checkpoint::ask_twice(&tar);
});
