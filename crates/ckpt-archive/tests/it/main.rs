//! Evidence of every form, good and damaged, against archives written byte by byte.

#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::panic, clippy::indexing_slicing, clippy::print_stderr)]

mod compressed;
mod damage;
mod directory;
mod forms;
mod gnu_tar;
mod hashing;
mod image;
mod property;
mod real;
mod writer;
