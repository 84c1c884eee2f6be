//! YARA rules over memory and files, through `boreal`: feature `yara`. Without it there are only the types of what matches.
//!
//! `Rules` are compiled once from unchanged rule files and directories. `Targets` are what they are held against, each
//! by itself: the memory of a process, with the shared memory that it maps, as *fragmented memory*, and every artifact as
//! a file. `scan` goes through them with several threads and tells what matches in the order of the targets.
//!
//! # Memory
//!
//! A fragment is a row of pages of one mapping that follow one another, up to a page that was never written or is not
//! there. Strings are sought in each fragment; conditions are over all of them together, and offsets (`@a`, `uint32(…)`,
//! `at`, `in`) are addresses. `filesize` is not defined. File modules (`elf`, `pe`, …) take the first fragment that begins
//! with a file of their kind. These are the semantics of YARA for a process that runs.
//!
//! # Limits
//!
//! * What matches only across the end of a fragment is not found. Rows of pages that do not lie together in the evidence are
//!   put together, `MOST_COPIED` bytes at a time.
//! * A file that has holes or is missing in part, or lies in parts and is larger than `MOST_COPIED`, is looked at as
//!   fragmented memory, its offsets as addresses.
//! * Of each string so many matches are kept (`Limits::matches`); a [`Remark`] says where there were more.

#[cfg(feature = "yara")]
mod apart;
#[cfg(feature = "yara")]
mod fragments;
mod matches;
#[cfg(feature = "yara")]
mod rules;
#[cfg(feature = "yara")]
mod scan;
#[cfg(feature = "yara")]
mod set;
#[cfg(feature = "yara")]
mod target;

#[cfg(feature = "yara")]
pub use fragments::MOST_COPIED;
pub use matches::{Matched, Meta, Remark, RuleMatch};
#[cfg(feature = "yara")]
pub use rules::{Definition, Rules, RulesError};
#[cfg(feature = "yara")]
pub use scan::{Limits, scan};
#[cfg(feature = "yara")]
pub use target::{Target, Targets};
