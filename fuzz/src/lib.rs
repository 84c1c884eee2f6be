//! What the fuzz targets share: small limits, readers that leave no byte untouched, and tars built around the input.

pub mod stream;
pub mod tar;
pub mod touch;

use bytes::Bytes;
use ckpt_archive::{Evidence, Limits, Options};

/// Options with limits that keep one input cheap.
#[must_use]
pub fn options() -> Options {
    let mut limits = Limits::default();
    limits.max_unpacked = 16 << 20;
    limits.max_copy = 4 << 20;
    limits.max_window = 8 << 20;
    limits.max_metadata = 16 << 20;
    Options::default().limits(limits)
}

/// The input as evidence.
#[must_use]
pub fn evidence(input: &[u8]) -> Option<Evidence> {
    Evidence::from_bytes("fuzz", Bytes::copy_from_slice(input), &options()).ok()
}
