//! Cores of processes.

use std::hint::black_box;

use ckpt_coredump::{Core, CoreOptions};
use ckpt_model::Need;

/// Shared memory that is mapped a thousand times is a thousand times in a core.
const LARGEST: u64 = 16 << 20;

/// Lays out the core of every process, and writes those that are no larger than [`LARGEST`].
pub fn write(tar: &[u8]) {
    let Some(checkpoint) = crate::open(tar, Need::Everything) else { return };
    for task in &checkpoint.processes().tasks {
        let Some(memory) = checkpoint.memory(task.pid) else { continue };
        let core = Core::of(task, &memory, &CoreOptions::of(&checkpoint));
        if core.size() <= LARGEST {
            let mut written = Vec::new();
            core.write_to(&mut written).expect("a Vec takes all, and the evidence stays");
            assert_eq!(written.len() as u64, core.size());
        }
        for lack in core.lacks() {
            black_box(lack.to_string());
        }
    }
}
