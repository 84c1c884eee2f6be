//! Ready-made checkpoints with known contents.

use crate::{Dump, Task};

/// `sh` (pid 1) and its child `sleep` (pid 2).
#[must_use]
pub fn looper() -> Dump {
    let mut dump = Dump::new();
    dump.task(Task::new(1, 0).argv(&["sh", "-c", "while :; do sleep 1; done"]))
        .task(Task::new(2, 1).exe("/bin/sleep").argv(&["sleep", "1"]));
    dump
}
