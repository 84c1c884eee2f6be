//! Any bytes as the certificate of a server that nobody trusts yet.
#![no_main]
libfuzzer_sys::fuzz_target!(|der: &[u8]| ckpt_fuzz::kubelet::certificate(der));
