//! Cores, read back by a reader that knows nothing of how they were made, and by gdb.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    reason = "a test ends where it meets what it does not expect"
)]

mod architectures;
mod gdb;
mod notes;
mod property;
mod reader;
mod segments;
mod signals;
mod world;
mod x86;
