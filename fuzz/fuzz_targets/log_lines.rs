//! Any bytes as the log of a container, in a checkpoint that has nothing else.
#![no_main]
libfuzzer_sys::fuzz_target!(|log: &[u8]| {
    let inventory: (&[u8], &[u8]) = (b"checkpoint/inventory.img", b"\x16\x31\x31\x58");
    ckpt_fuzz::timeline::order(&ckpt_fuzz::tar::of([inventory, (&b"ctr.log"[..], log)]));
});
