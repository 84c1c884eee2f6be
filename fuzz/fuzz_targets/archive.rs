//! Any bytes as evidence: plain, compressed, nested; every member is read, and hashed while it passes by.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if let Some(evidence) = ckpt_fuzz::evidence(input) {
        ckpt_fuzz::members::read(&evidence);
    }
    ckpt_fuzz::members::hashes(input);
});
