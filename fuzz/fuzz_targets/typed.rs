//! What a user types, up to a line feed, and a path or an attribute of the evidence behind it.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let mut parts = input.splitn(2, |byte| *byte == b'\n');
    let word = String::from_utf8_lossy(parts.next().unwrap_or_default());
    let evidence = parts.next().unwrap_or_default();
    ckpt_fuzz::typed::word(&word);
    ckpt_fuzz::typed::path(&word, evidence);
    ckpt_fuzz::typed::capabilities(evidence);
});
