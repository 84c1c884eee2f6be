//! Any bytes as the log of a dump.
#![no_main]
libfuzzer_sys::fuzz_target!(|log: &[u8]| {
    std::hint::black_box(ckpt_model::DumpLog::parse(ckpt_model::Text::from("dump.log"), log));
});
