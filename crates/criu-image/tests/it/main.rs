//! Tests of the public interface, one module a subject.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    reason = "tests fail by panicking, and their data is small"
)]

mod archives;
mod framing;
mod members;
mod properties;
mod showing;
mod writer;
