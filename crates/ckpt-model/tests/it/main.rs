//! The model, held against checkpoints that are built byte by byte by a writer that knows no parser.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    reason = "a test ends where it meets what it does not expect"
)]

mod artifacts;
mod attributes;
mod changes;
mod containers;
mod damage;
mod dialects;
mod files;
mod memory;
mod processes;
mod scale;
mod sockets;

use ckpt_archive::{Evidence, Options};
use ckpt_model::{Checkpoint, OpenError, OpenOptions, Pid, Task};
use ckpt_synth::Archive;

fn open(archive: &Archive) -> Checkpoint {
    open_with(archive, &Checkpoint::options()).expect("a checkpoint")
}

fn open_with(archive: &Archive, options: &OpenOptions) -> Result<Checkpoint, OpenError> {
    let evidence = Evidence::from_bytes("synthetic", archive.tar().into(), &Options::default());
    options.open_evidence(evidence.expect("evidence"))
}

fn task(checkpoint: &Checkpoint, pid: u32) -> &Task {
    checkpoint.processes().get(Pid(pid)).unwrap_or_else(|| panic!("no process {pid}"))
}

fn argv(checkpoint: &Checkpoint, pid: u32) -> Vec<String> {
    let argv =
        task(checkpoint, pid).argv.as_ref().unwrap_or_else(|| panic!("process {pid} has no argv"));
    argv.iter().map(|arg| ckpt_model::escape(arg).into_owned()).collect()
}

fn env(checkpoint: &Checkpoint, pid: u32) -> Vec<String> {
    let env =
        task(checkpoint, pid).env.as_ref().unwrap_or_else(|| panic!("process {pid} has no env"));
    env.iter().map(|entry| ckpt_model::escape(entry).into_owned()).collect()
}

fn told(checkpoint: &Checkpoint) -> Vec<String> {
    checkpoint.defects().iter().map(ToString::to_string).collect()
}

/// Asserts that one of the defects told speaks of `words`.
fn assert_told(checkpoint: &Checkpoint, words: &str) {
    let told = told(checkpoint);
    assert!(told.iter().any(|defect| defect.contains(words)), "nothing says {words:?}: {told:#?}");
}
