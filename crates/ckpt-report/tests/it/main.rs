//! What a checkpoint looks like, held against checkpoints that are built byte by byte.

mod human;
mod json;
mod stories;
