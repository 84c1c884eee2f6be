//! The same for people: trees, tables and aligned text. Not a contract.
//!
//! Nothing that the evidence says reaches `out` with a control byte in it. Colours and the width are the caller's choice,
//! see [`Layout`]; without a width, which is how a file or a pipe is written, nothing is cut.

mod build;
mod columns;
pub(crate) mod command;
mod compare;
mod custody;
mod defects;
pub(crate) mod details;
mod diff;
mod extract;
mod files;
mod guides;
mod hexdump;
mod info;
mod layout;
mod line;
mod list;
mod maps;
mod memdump;
mod scan;
mod search;
mod show;
mod strings;
mod timeline;
mod tree;
mod triage;
pub(crate) mod units;
mod verify;

pub use build::build;
pub use compare::compare;
pub use custody::{custody, custody_check};
pub use defects::defects;
pub use diff::diff;
pub use extract::extract;
pub use files::files;
pub use hexdump::{hexdump, process_title};
pub use info::info;
pub use layout::{Layout, escaped_once};
pub use list::list;
pub use maps::maps;
pub use memdump::memory;
pub use scan::{ScanSheet, scan_counts};
pub use search::{HitLine, SearchSheet, search_counts};
pub use show::show;
pub use strings::{string_line, strings_heading};
pub use timeline::timeline;
pub use tree::{TreeOptions, tree};
pub use triage::{rules, triage};
pub use verify::verify;
