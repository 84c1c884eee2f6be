//! What is unusual about a task as it stands.

use crate::attributes::Personality;
use crate::task::{Mark, Task};

/// Marks what is unusual about a task.
pub(crate) fn mark(task: &mut Task) {
    if let Some(exe) = &task.exe {
        if exe.memfd {
            task.marks.push(Mark::ExeMemfd);
        } else if exe.deleted {
            task.marks.push(Mark::ExeDeleted);
        }
    }
    if task.cwd.as_ref().is_some_and(|cwd| cwd.deleted) {
        task.marks.push(Mark::CwdDeleted);
    }
    // A dump never holds a kernel thread.
    let bracketed = |name: &[u8]| name.starts_with(b"[") && name.ends_with(b"]");
    let title = task.argv.as_ref().and_then(|argv| argv.first()).is_some_and(bracketed);
    let comm = task.comm.as_ref().is_some_and(|comm| {
        let name = comm.as_bytes();
        bracketed(name) || KERNEL_THREADS.iter().any(|thread| name.starts_with(thread.as_bytes()))
    });
    if title || comm {
        task.marks.push(Mark::PosesAsKernelThread);
    }
    if let Some(personality) = task.personality {
        for (bits, mark) in [
            (Personality::ADDR_NO_RANDOMIZE, Mark::NoAddressRandomisation),
            (Personality::READ_IMPLIES_EXEC, Mark::ReadImpliesExec),
        ] {
            task.marks.extend(personality.has(bits).then_some(mark));
        }
    }
}

/// How names of kernel threads begin.
const KERNEL_THREADS: [&str; 14] = [
    "kworker/",
    "ksoftirqd/",
    "kthreadd",
    "migration/",
    "rcu_",
    "kswapd",
    "khugepaged",
    "kdevtmpfs",
    "kauditd",
    "kblockd",
    "cpuhp/",
    "irq/",
    "jbd2/",
    "scsi_eh_",
];
