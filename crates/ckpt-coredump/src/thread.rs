//! `NT_PRSTATUS`: what a core says of a thread.

use ckpt_model::{Pid, Task, Thread};

use crate::machine::Machine;
use crate::note;
use crate::registers::Registers;

/// `struct elf_prstatus`: signals, ids, times, registers.
///
/// No signal ended the thread, so that `pr_cursig` is 0 whatever waits: a debugger would say that the program was
/// terminated. Processor times are in no image.
///
/// Source: `include/linux/elfcore.h`.
pub(crate) fn prstatus(
    task: &Task,
    thread: &Thread,
    registers: &Registers,
    machine: &Machine,
) -> Vec<u8> {
    let pid = |pid: Option<Pid>| pid.map_or(0, |pid| pid.0);
    let pending = thread.pending.iter().fold(0, |bits, signal| bits | signal.bit());
    let has_fp = registers.notes.iter().any(|note| note.kind == note::PRFPREG);
    let mut out = machine.words();
    // pr_info (si_signo, si_code, si_errno), then pr_cursig.
    out.zeros(12).u16(0).align_word();
    out.word(pending).word(thread.sigblk.unwrap_or(0));
    out.u32(thread.tid.0).u32(pid(task.ppid)).u32(pid(task.pgid)).u32(pid(task.sid));
    // pr_utime, pr_stime, pr_cutime, pr_cstime: seconds and microseconds each.
    out.words([0; 8]).raw(&registers.general);
    out.u32(u32::from(has_fp)).align_word().take()
}
