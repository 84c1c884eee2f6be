//! Any bytes, compressed by us, so that the pass over a stream is reached without guessing checksums.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((form, content)) = input.split_first() else { return };
    if let Some(evidence) = ckpt_fuzz::stream::evidence(*form, content) {
        ckpt_fuzz::members::read(&evidence);
    }
});
