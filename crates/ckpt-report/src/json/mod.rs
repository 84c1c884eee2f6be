//! The versioned JSON, one file a command. Field names are a contract: they are added to, never changed.
//!
//! `null` means *not known*. Addresses are strings such as `"0x7f76c1772190"`, masks 16 hexadecimal digits. Text that is
//! not UTF-8 has its other bytes as `\xff`, and the same key with the suffix `_base64` carries the bytes themselves.

mod attributes;
mod build;
mod compare;
mod custody;
mod diff;
mod dump;
mod extract;
mod file_details;
mod files;
mod hits;
mod info;
mod list;
mod maps;
mod memdump;
mod network;
mod repeats;
mod scan;
mod shared;
mod show;
mod socket_options;
mod sockets;
mod strings;
mod system;
mod threads;
mod timeline;
mod tree;
mod triage;
mod verify;
mod write;

pub use attributes::*;
pub use build::*;
pub use compare::*;
pub use custody::*;
pub use diff::*;
pub use dump::*;
pub use extract::*;
pub(crate) use file_details::ECHO;
pub use file_details::*;
pub use files::*;
pub(crate) use files::{Kept, files_lists, kept};
pub use hits::*;
pub use info::*;
pub use list::*;
pub use maps::*;
pub(crate) use maps::{ToldMaps, kept_modules};
pub use memdump::*;
pub use network::*;
pub(crate) use repeats::Repeats;
pub use scan::*;
pub use shared::{DefectRecord, EvidenceRecord, TextRecord};
pub use show::*;
pub(crate) use socket_options::socket_options;
pub use sockets::*;
pub(crate) use sockets::{endpoint, kind, state};
pub use strings::*;
pub use system::*;
pub use threads::*;
pub use timeline::*;
pub(crate) use tree::ToldStrings;
pub use tree::*;
pub use triage::*;
pub use verify::*;
pub use write::{write, write_line, write_lines};
