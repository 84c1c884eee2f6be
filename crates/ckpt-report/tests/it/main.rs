//! What a checkpoint looks like, held against checkpoints that are built byte by byte.

#![allow(clippy::expect_used, clippy::panic)] // of helpers, which clippy does not take for tests

mod html;
mod human;
mod json;
mod page;
mod scale;
mod stories;
mod timeline;
mod triage;
