//! `trigger` against a kubelet and an API server that are made here: real TLS, real HTTP/1.1 and HTTP/2, real WebSockets, and
//! nothing that leaves loopback.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    reason = "a test ends where it meets what it does not expect"
)]

mod answers;
mod apiserver;
mod certificates;
mod cluster;
mod connections;
mod fetching;
mod interrupted;
mod kubelet;
mod library;
mod secrets;
mod serving;
mod world;
