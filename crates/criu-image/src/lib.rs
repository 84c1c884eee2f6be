//! The CRIU image format: bytes in, messages out.
//!
//! CRIU freezes processes and writes what the kernel knows of them to a directory of `*.img` files. This crate reads
//! those files: every kind that CRIU writes or ever wrote, of every architecture and both byte orders, from V1.0 to the
//! compressed pagemaps of V1.2. It does no input or output, knows no archive and has no opinion: names and numbers are
//! upstream's, one to one.
//!
//! | to | use |
//! |---|---|
//! | tell what a file is from its name | [`classify`], [`ImageKind`] |
//! | check a header, walk records, get what follows them | [`Image`], [`Record`], [`Extra`] |
//! | decode a record | [`Record::decode`] into a struct of [`messages`], [`PagemapRecord`] for pagemaps |
//! | name a number or flags | [`names`] |
//! | show any record to people | [`show`] |
//! | list what decoding drops or invents | [`wire`] |
//! | read saved addresses, routes, rules, tracked connections | [`netlink`] |
//! | walk the declarations themselves | [`schema`] |
//!
//! # Example
//!
//! ```
//! use bytes::Bytes;
//! use criu_image::messages::UtsnsEntry;
//! use criu_image::{Classified, Image, classify};
//!
//! let Classified::Image(name) = classify(b"utsns-11.img") else { panic!("not an image") };
//! assert_eq!(name.id, Some(11));
//!
//! let bytes = Bytes::from_static(b"\x19CVT\x03\x32GT\x0e\0\0\0\x0a\x04host\x12\x06(none)");
//! let image = Image::open(name.kind, bytes)?;
//! for record in image.records() {
//!     let host: UtsnsEntry = record?.decode()?;
//!     assert_eq!(host.nodename, b"host");
//! }
//! # Ok::<(), criu_image::ImageError>(())
//! ```
//!
//! # Hostile input
//!
//! Images come from machines that may belong to an attacker. Nothing here panics on input; sizes are checked against the
//! bytes that are left before anything is taken; iterators end after their first error; payloads and queues are slices
//! of the image, never copies. A record whose payload is not protobuf costs that record only. The bounds:
//!
//! | what | bound |
//! |---|---|
//! | payload of a record | [`frame::MAX_RECORD`], 256 MiB |
//! | nesting of messages when walked or shown | [`wire::MAX_DEPTH`], 64; the decoder's own is 100 |
//! | values of a shown record | [`ShowLimits::nodes`] |
//! | pieces of a deleted file, messages of a queue | the file's length: each takes four bytes or more |
//!
//! Contents of deleted files may be scattered over 2^63 bytes: [`GhostChunks`] gives pieces, never the whole.

#![warn(clippy::arithmetic_side_effects)]

mod error;
pub mod extra;
pub mod frame;
pub mod kind;
mod message;
pub mod messages;
pub mod name;
pub mod names;
pub mod netlink;
pub mod pagemap;
pub mod schema;
pub mod show;
pub mod show_raw;
pub mod wire;

pub use extra::{Extra, GhostChunk, GhostChunks, IpcMessage, IpcMessages, Semaphores};
pub use frame::{ByteOrder, Framing, Image, ImageError, Record, Records, probe_order};
pub use kind::{ImageKind, split_era_file_type};
pub use name::{Classified, ImageName, classify};
pub use pagemap::{BlockLayout, Blocks, PagemapRecord};
pub use prost::Message;
pub use show::{FieldLabel, ImageSummary, ShowContext, ShowLimits, Shown};
