//! Any bytes as a stream of netlink messages with nested attributes.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((kind, bytes)) = input.split_first() else { return };
    ckpt_fuzz::images::netlink(ckpt_fuzz::kind(*kind), bytes);
});
