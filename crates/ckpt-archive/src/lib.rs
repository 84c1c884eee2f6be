//! Checkpoint evidence as members and byte ranges: tar, compressed tar, directory, OCI image.
//!
//! # Brief overview
//!
//! [`Evidence::open`] takes a file or a directory, finds out *by content* what it is, and lists its [`Member`]s.
//! [`Evidence::content`] gives a member's bytes as a [`Content`]: cheap to clone, free of lifetimes, and honest about
//! what is data, what is a hole of a sparse file, and what is not there. Whatever is odd about the evidence is told as
//! a [`Defect`] with its place and offset; only evidence that cannot be read at all is an [`Error`].
//!
//! The crate knows archives, not checkpoints: no member name means anything to it, with the exception of those that
//! image layouts define (`index.json`, `manifest.json`, `blobs/`).
//!
//! | form | how it is read |
//! |---|---|
//! | plain tar file | mapped; 512-byte headers are walked, data is never touched before it is asked for |
//! | tar in gzip, zstd, xz, bzip2 (also nested), or any tar from a reader | one pass; what [`Select`] asks for goes to an unlinked temporary file, which is then mapped |
//! | directory | listed without following symlinks; files are opened when their content is asked for |
//! | OCI layout, `docker save` archive, `dir:` image | opened as above, then its layers are opened and listed (see [`Evidence::outer`]) |
//!
//! For a record of what the evidence is, [`Evidence::hash`] reads any of these once, hashes everything and keeps nothing.
//!
//! # Example
//!
//! ```
//! use ckpt_archive::{Evidence, Options};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let mut header = tar::Header::new_gnu();
//! # header.set_size(5);
//! # let mut writer = tar::Builder::new(Vec::new());
//! # writer.append_data(&mut header, "notes/a.txt", &b"hello"[..])?;
//! # let archive = writer.into_inner()?;
//! let evidence = Evidence::from_bytes("notes.tar", archive.into(), &Options::default())?;
//! for member in evidence.members() {
//!     let content = evidence.content(member)?;
//!     assert_eq!(content.slice(1..3)?, &b"el"[..]);
//! }
//! assert!(evidence.defects().is_empty());
//! # Ok(())
//! # }
//! ```
//!
//! # Limits
//!
//! Nothing in the evidence decides how much memory, disk or stack is used: see [`Limits`]. Nothing is ever written under a
//! name that the evidence gives, and links are recorded, not followed. Whiteouts of image layers are listed as the members
//! that they are, not applied. Extended attributes are read from archives only. Mapped evidence must not be truncated by
//! others while it is open (see the safety note of the mapping module); a copy on a read-only mount is the forensic norm.

// Tests may add numbers.
#![cfg_attr(test, allow(clippy::arithmetic_side_effects))]

mod content;
mod decompress;
mod defect;
mod digest;
mod directory;
mod docker;
mod error;
mod evidence;
mod hashing;
mod header;
mod image;
mod limits;
mod map;
mod member;
mod name;
mod oci;
mod open;
mod options;
mod pax;
mod sniff;
mod sparse;
mod spool;
mod stream;
mod tape;
mod walk;

pub use content::{Absence, Chunk, Chunks, Content, ContentReader};
pub use defect::{Defect, DefectKind, Place};
pub use digest::{Sha256Digest, sha256, sha256_bytes};
pub use error::{ContentError, Error};
pub use evidence::{Children, Evidence};
pub use image::{Blob, BlobCheck, BlobRole};
pub use limits::Limits;
pub use map::explain_lost_evidence;
pub use member::{Member, MemberKind, Timestamp};
pub use name::{Escaped, NameRisk, normalise, resolve_link};
pub use options::{Kept, Options, Progress, Select, Selection, Watch};
pub use sniff::begins_like_archive;
