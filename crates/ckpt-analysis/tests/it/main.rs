//! Checkpoints, built byte by byte by a writer that knows no parser: held against each other and against themselves, and put
//! in order of time.

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
mod timeline;
mod triage;
mod verify;

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

/// Whatever dialect, engine or damage: nothing differs from itself, and any two are compared.
#[test]
fn every_story_is_what_it_is() {
    let opened: Vec<(&str, Checkpoint)> = ckpt_synth::stories::all()
        .into_iter()
        .filter_map(|(name, archive)| {
            let tar = archive.tar().into();
            let evidence = Evidence::from_bytes(name, tar, &Options::default()).ok()?;
            Some((name, Checkpoint::options().open_evidence(evidence).ok()?))
        })
        .collect();
    assert!(opened.len() > 40, "{} stories", opened.len());
    for (name, checkpoint) in &opened {
        assert!(!compared(checkpoint, checkpoint).differs(), "{name} differs from itself");
    }
    for pair in opened.windows(2) {
        let (there, back) = (compared(&pair[0].1, &pair[1].1), compared(&pair[1].1, &pair[0].1));
        assert_eq!(there.matching.only_a.len(), back.matching.only_b.len(), "{}", pair[0].0);
        assert_eq!(there.matching.pairs.len(), back.matching.pairs.len(), "{}", pair[0].0);
    }
}
