//! What the scanners find, held against slow and simple models of the same rules.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "a test ends where it meets what it does not expect"
)]

mod archives;
mod memory;
mod model;
mod search;
mod secrets;
mod sharing;
mod sieve;
mod strings;
