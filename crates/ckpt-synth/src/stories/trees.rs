//! Process trees, sound and not.

use super::looper;
use crate::{Dump, Task};

/// A shell with three zombies: pid 7 exited with 3, pid 8 was killed by signal 9, pid 9 dumped core on signal 11.
#[must_use]
pub fn zombies() -> Dump {
    let mut dump = looper();
    dump.zombie(7, 1, 0x300, "exit-three").zombie(8, 1, 9, "killed").zombie(
        9,
        1,
        0x80 | 11,
        "crashed",
    );
    dump
}

/// Pid 1 is sound; 5, 6 and 7 are one another's parents.
#[must_use]
pub fn ppid_loop() -> Dump {
    let mut dump = Dump::new();
    dump.task(Task::new(1, 0)).task(Task::new(5, 7)).task(Task::new(6, 5)).task(Task::new(7, 6));
    dump
}

/// Pid 4 is its own parent.
#[must_use]
pub fn self_parent() -> Dump {
    let mut dump = Dump::new();
    dump.task(Task::new(1, 0)).task(Task::new(4, 4));
    dump
}

/// Pid 9's parent, 8, is not in the dump.
#[must_use]
pub fn orphan() -> Dump {
    let mut dump = looper();
    dump.task(Task::new(9, 8).comm("orphan"));
    dump
}

/// Pids 1 and 20 both have parent 0, and a child each.
#[must_use]
pub fn two_roots() -> Dump {
    let mut dump = looper();
    dump.task(Task::new(20, 0).comm("exec")).task(Task::new(21, 20).comm("tool"));
    dump
}

/// Pid 2 is in the tree twice, below 1 and below 3; its images are there once.
#[must_use]
pub fn duplicate_pid() -> Dump {
    let mut dump = looper();
    dump.task(Task::new(3, 1)).task(Task::new(2, 3).comm("double"));
    dump
}

/// Children before their parents: 3 below 2 below 1, listed 3, 2, 1.
#[must_use]
pub fn child_first() -> Dump {
    let mut dump = Dump::new();
    dump.task(Task::new(3, 2)).task(Task::new(2, 1)).task(Task::new(1, 0));
    dump
}

/// `count` processes below pid 1, named `worker-N` for pid N.
#[must_use]
pub fn crowd(count: u32) -> Dump {
    let mut dump = Dump::new();
    dump.task(Task::new(1, 0).comm("init"));
    for pid in 2..count.saturating_add(2) {
        let name = format!("worker-{pid}");
        dump.task(Task::new(pid, 1).exe("/usr/bin/worker").comm(name.as_str()).argv(&[&name]));
    }
    dump
}

/// `count` processes, each the child of the one before.
#[must_use]
pub fn deep(count: u32) -> Dump {
    let mut dump = Dump::new();
    for pid in 1..=count {
        dump.task(Task::new(pid, pid - 1));
    }
    dump
}
