//! What engines write beside the images, by the order of the files in the input, in a tar with an empty process tree.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let (form, rest) = input.split_first().unwrap_or((&0, &[]));
    ckpt_fuzz::checkpoint::ask(&ckpt_fuzz::engine::tar(*form, rest));
});
