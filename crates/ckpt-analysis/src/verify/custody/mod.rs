//! Custody: what evidence was when it was taken in, and whether it still is.
//!
//! A [`Manifest`] lists the evidence as it lies there: the archive with size and SHA-256, and every member with path, kind,
//! size, SHA-256, owner and time. Nothing is interpreted: of an image its blobs are members, of a compressed archive its
//! unpacked files are, and evidence that holds no checkpoint can have a manifest too. [`compare`] holds evidence against
//! it and names exactly what differs.
//!
//! | step | function |
//! |---|---|
//! | hash everything, once | [`Evidence::hash`](ckpt_archive::Evidence::hash) |
//! | make a manifest of it | [`Manifest::of`] |
//! | write it, read it again | [`Manifest::write`], [`Manifest::parse`] |
//! | hold evidence against it | [`compare`] |
//!
//! # Limits
//!
//! The manifest carries a hash of itself, so that a slip of an editor or of a disk shows. It is not signed: whoever can
//! write it can write another one. Note its digest somewhere else, or sign the file.

mod compare;
mod error;
mod manifest;
mod record;

pub use compare::{Comparison, Difference, Fact, compare};
pub use error::ManifestError;
pub use manifest::{About, MAX_MANIFEST, Manifest, SCHEMA};
pub use record::{DefectRecord, EvidenceRecord, MemberRecord};
