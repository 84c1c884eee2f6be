//! What the crate writes, read by other means: the system's tar, gzip and zstd, and a reader of a few lines that shares
//! nothing with the writer.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected should stop there"
)]

mod archives;
mod images;
mod wire;
