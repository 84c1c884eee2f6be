//! The versioned JSON, one file a command. Field names are a contract: they are added to, never changed.
//!
//! `null` means *not known*. Addresses are strings such as `"0x7f76c1772190"`, masks 16 hexadecimal digits. Text that is
//! not UTF-8 has its other bytes as `\xff`, and the same key with the suffix `_base64` carries the bytes themselves.

mod diff;
mod extract;
mod info;
mod list;
mod shared;
mod show;
mod tree;
mod write;

pub use diff::*;
pub use extract::*;
pub use info::*;
pub use list::*;
pub use shared::{DefectRecord, EvidenceRecord, TextRecord};
pub use show::*;
pub use tree::*;
pub use write::{write, write_line, write_lines};
