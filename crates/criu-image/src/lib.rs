//! The CRIU image format: framing, messages, names; bytes in, messages out.
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
pub mod wire;

pub use extra::{Extra, GhostChunk, GhostChunks, IpcMessage, IpcMessages, Semaphores};
pub use frame::{ByteOrder, Framing, Image, ImageError, Record, Records, probe_order};
pub use kind::{ImageKind, split_era_file_type};
pub use name::{Classified, ImageName, classify};
pub use pagemap::{BlockLayout, Blocks, PagemapRecord};
pub use prost::Message;
