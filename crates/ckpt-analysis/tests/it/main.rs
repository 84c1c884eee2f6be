//! Two checkpoints, built byte by byte by a writer that knows no parser, held against each other.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    reason = "a test ends where it meets what it does not expect"
)]

mod contents;
mod kernel;
mod memory;
mod processes;

use ckpt_analysis::compare::{CompareOptions, Comparison, compare};
use ckpt_archive::{Evidence, Options};
use ckpt_model::Checkpoint;
use ckpt_synth::{Archive, Dump, Task};

fn open(archive: &Archive) -> Checkpoint {
    let evidence = Evidence::from_bytes("synthetic", archive.tar().into(), &Options::default());
    Checkpoint::options().open_evidence(evidence.expect("evidence")).expect("a checkpoint")
}

fn dump(tasks: impl IntoIterator<Item = Task>) -> Dump {
    let mut dump = Dump::new();
    for task in tasks {
        dump.task(task);
    }
    dump
}

/// A podman checkpoint of these tasks. The file system and what the engine says are always the same.
fn checkpoint(tasks: impl IntoIterator<Item = Task>) -> Checkpoint {
    open(&Archive::podman(&dump(tasks)))
}

fn compared<'a>(a: &'a Checkpoint, b: &'a Checkpoint) -> Comparison<'a> {
    compare(a, b, &CompareOptions::default()).expect("no base that could fail")
}

/// A shell that is in every checkpoint, so that there is something that goes on.
fn init() -> Task {
    Task::new(1, 0).comm("init")
}
