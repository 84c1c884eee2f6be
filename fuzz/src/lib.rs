//! What the fuzz targets share: small limits, readers that leave no byte untouched, and tars built around the input.

pub mod checkpoint;
pub mod compare;
pub mod cores;
pub mod custody;
pub mod engine;
pub mod images;
pub mod kubelet;
pub mod members;
pub mod memory;
pub mod redact;
pub mod report;
pub mod scan;
pub mod stream;
pub mod tar;
mod terminal;
pub mod timeline;
pub mod triage;
pub mod typed;
pub mod written;

use bytes::Bytes;
use ckpt_archive::{Evidence, Limits, Options};
use ckpt_model::{Checkpoint, Need};
use criu_image::ImageKind;

/// Options with limits that keep one input cheap.
#[must_use]
pub fn options() -> Options {
    let mut limits = Limits::default();
    limits.max_unpacked = 16 << 20;
    limits.max_copy = 4 << 20;
    limits.max_window = 8 << 20;
    limits.max_metadata = 16 << 20;
    limits.max_hashed_holes = 1 << 20;
    Options::default().limits(limits)
}

/// The input as evidence.
#[must_use]
pub fn evidence(input: &[u8]) -> Option<Evidence> {
    Evidence::from_bytes("fuzz", Bytes::copy_from_slice(input), &options()).ok()
}

/// A tar as a checkpoint.
#[must_use]
pub fn open(tar: &[u8], need: Need) -> Option<Checkpoint> {
    Checkpoint::options().archive(options()).need(need).open_evidence(evidence(tar)?).ok()
}

/// The kind of image that a byte picks.
#[must_use]
pub fn kind(byte: u8) -> ImageKind {
    ImageKind::ALL[usize::from(byte) % ImageKind::ALL.len()]
}

/// The byte that [`kind`] takes for a kind; `None` for those beyond the 256th.
#[must_use]
pub fn byte_of(kind: ImageKind) -> Option<u8> {
    let index = ImageKind::ALL.iter().position(|known| *known == kind)?;
    u8::try_from(index).ok()
}
