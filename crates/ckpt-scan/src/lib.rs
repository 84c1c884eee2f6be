//! Searching the bytes of a checkpoint.

#![warn(clippy::arithmetic_side_effects)]

mod anchors;
mod carry;
mod chunker;
mod copies;
mod driver;
mod haystack;
mod part;
mod scanner;
pub mod search;
pub mod secrets;
pub mod strings;
pub mod yara;

pub use copies::CopySpace;
pub use driver::{Hit, Sink, Work, run};
pub use haystack::{Haystack, MOST_PLACES, Place};
pub use part::{Part, Piece};
pub use scanner::{Found, Reach, Report, Scanner};
