//! Any bytes as an image of the kind that the first byte picks: framing, records, extras, fields, presentation.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((kind, bytes)) = input.split_first() else { return };
    ckpt_fuzz::images::image(ckpt_fuzz::kind(*kind), bytes);
});
