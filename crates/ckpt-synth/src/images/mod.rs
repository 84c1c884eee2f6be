//! One file for each subject of the images; messages are written by field number.

pub(crate) mod core;
pub(crate) mod files;
pub(crate) mod kernel;
pub(crate) mod mm;
pub(crate) mod pages;
pub(crate) mod tree;
