//! Tests of the program as its users run it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    reason = "a test ends where it meets what it does not expect"
)]

mod build;
mod cli;
mod compare;
mod diff;
mod extract;
mod hostile;
mod memory;
mod real;
mod report;
#[cfg(feature = "yara")]
mod rules;
mod scan;
mod search;
mod secrets;
mod synthetic;
mod timeline;
mod triage;
mod verify;
mod world;
