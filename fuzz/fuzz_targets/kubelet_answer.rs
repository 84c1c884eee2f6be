//! An answer to a request for a checkpoint, from a kubelet, the API server, or whoever stands between.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| ckpt_fuzz::kubelet::answer(input));
