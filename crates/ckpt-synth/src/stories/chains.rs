//! Dumps that lean on earlier ones.

use super::looper;
use crate::{Archive, Chain, Dialect, Dump, Task, Vma};

/// Where pid 1 of every chain has its six pages.
///
/// | page | link 1 | link 2 | link 3 | bytes in the end |
/// |---|---|---|---|---|
/// | 0 | `A1` | in parent | in parent | `A1` |
/// | 1 | `B1` | `B2` | in parent | `B2` |
/// | 2 | `C1` | `C2` | `C3` | `C3` |
/// | 3 | `D1` | not mentioned | not mentioned | none: not `D1` |
/// | 4 | – | `E2` | in parent | `E2` |
/// | 5 | – | – | `F3` | `F3` |
///
/// Each page begins with these two letters and is zeros after them.
pub const CHAIN_AT: u64 = 0x7000_0000_0000;

const PAGE: u64 = 4096;

fn task() -> Task {
    Task::new(1, 0).argv(&["store"]).exe("/usr/bin/store").map(Vma::anon(CHAIN_AT, 6 * PAGE))
}

fn first() -> Dump {
    let mut dump = Dump::new();
    let pages =
        |task: Task, name: &str, page: u64| task.pages(CHAIN_AT + page * PAGE, name.as_bytes());
    let task = ["A1", "B1", "C1", "D1"].iter().zip(0..).fold(task(), |t, (n, p)| pages(t, n, p));
    // Pid 5 has exited by the next link.
    dump.dialect(Dialect::Criu41).task(task).task(Task::new(5, 1).comm("short-lived"));
    dump
}

fn second() -> Dump {
    let mut dump = Dump::new();
    let task = task()
        .pages_in_parent(CHAIN_AT, 1)
        .pages(CHAIN_AT + PAGE, b"B2")
        .pages(CHAIN_AT + 2 * PAGE, b"C2")
        .pages(CHAIN_AT + 4 * PAGE, b"E2");
    dump.dialect(Dialect::Criu41).task(task);
    dump
}

fn third() -> Dump {
    let mut dump = Dump::new();
    let task = task()
        .pages_in_parent(CHAIN_AT, 2)
        .pages(CHAIN_AT + 2 * PAGE, b"C3")
        .pages_in_parent(CHAIN_AT + 4 * PAGE, 1)
        .pages(CHAIN_AT + 5 * PAGE, b"F3");
    dump.dialect(Dialect::Criu41).task(task);
    dump
}

/// Two links, `chain/1` (a pre-dump) and `chain/2` (a dump): the columns 1 and 2 of [`CHAIN_AT`].
#[must_use]
pub fn chain_two() -> Archive {
    let mut first = first();
    first.pre_dump();
    Chain::new().link(first).link(second()).archive()
}

/// Three links, two pre-dumps and a dump.
#[must_use]
pub fn chain_three() -> Archive {
    let (mut first, mut second) = (first(), second());
    first.pre_dump();
    second.pre_dump();
    Chain::new().link(first).link(second).link(third()).archive()
}

/// Two full dumps, each the other's parent; page 0 is in the parent in both.
#[must_use]
pub fn chain_cycle() -> Archive {
    Chain::new().link(second()).link(second()).cycle().archive()
}

/// A podman chain as two archives: the first holds `pre-checkpoint/` alone, the second `checkpoint/` whose link
/// `parent` leads to `../pre-checkpoint`, which is not in it. Pages as in [`chain_two`].
#[must_use]
pub fn podman_chain() -> (Archive, Archive) {
    let (mut first, mut second) = (first(), second());
    first.pre_dump();
    second.parent("../pre-checkpoint");
    (Archive::podman(&first), Archive::podman(&second))
}

/// [`looper`](super::looper) as a pre-dump: memory without names.
#[must_use]
pub fn pre_dump() -> Dump {
    let mut dump = looper();
    dump.pre_dump();
    dump
}
