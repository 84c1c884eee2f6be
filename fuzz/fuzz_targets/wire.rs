//! Any bytes as a protobuf message of the schema that the first byte picks, and as a packed list.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((kind, payload)) = input.split_first() else { return };
    ckpt_fuzz::images::message(ckpt_fuzz::kind(*kind), payload);
});
