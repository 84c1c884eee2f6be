//! Notes of the process: `NT_PRPSINFO` and `NT_AUXV`.

use ckpt_model::{Task, TaskState};

use crate::machine::Machine;
use crate::words::{Width, low};

/// Bytes of `pr_fname`.
const NAME: usize = 16;
/// Bytes of `pr_psargs`.
const ARGUMENTS: usize = 80;
/// What stands for an id that does not fit into 16 bits, or is not known. The usual `overflowuid`.
const OVERFLOW_ID: u32 = 65534;

/// `struct elf_prpsinfo`: 136 bytes, of 32-bit machines 124.
///
/// An image says that a task was alive, not whether it ran or slept: it is shown as running, as every task is that a
/// kernel dumps.
///
/// Source: `include/linux/elfcore.h`, `fill_psinfo` in `fs/binfmt_elf.c`.
pub(crate) fn prpsinfo(task: &Task, machine: &Machine) -> Vec<u8> {
    let (state, letter) = match task.state {
        Some(TaskState::Alive) => (0, b'R'),
        Some(TaskState::Stopped) => (3, b'T'),
        Some(TaskState::Zombie) => (4, b'Z'),
        _ => (0, b'.'),
    };
    let nice = task.threads.first().and_then(|thread| thread.nice).unwrap_or(0);
    let [nice, ..] = nice.to_le_bytes();
    let flags = task.core.as_ref().and_then(|core| core.tc.as_ref()).map_or(0, |tc| tc.flags);
    let id =
        |of: fn(&ckpt_model::Credentials) -> u32| task.credentials.as_ref().map_or(OVERFLOW_ID, of);
    let (uid, gid) = (id(|creds| creds.uids[0]), id(|creds| creds.gids[0]));
    let pid = |pid: Option<ckpt_model::Pid>| pid.map_or(0, |pid| pid.0);
    let mut out = machine.words();
    out.u8(state).u8(letter).u8(u8::from(letter == b'Z')).u8(nice).align_word();
    out.word(u64::from(flags));
    match machine.width {
        Width::Bits64 => out.u32(uid).u32(gid),
        Width::Bits32 => out.u16(short(uid)).u16(short(gid)),
    };
    out.u32(task.pid.0).u32(pid(task.ppid)).u32(pid(task.pgid)).u32(pid(task.sid));
    let comm = task.comm.as_ref().map_or(&[][..], |comm| comm.as_bytes());
    out.text(comm, NAME).text(&arguments(task), ARGUMENTS).take()
}

/// Ids were 16 bits wide once.
fn short(id: u32) -> u32 {
    if id > 0xffff { OVERFLOW_ID } else { id }
}

/// The arguments with blanks between them.
fn arguments(task: &Task) -> Vec<u8> {
    let area = task.argv.as_ref().map_or(&[][..], |argv| argv.0.as_ref());
    let line = area.iter().take(ARGUMENTS).map(|byte| if *byte == 0 { b' ' } else { *byte });
    let mut line: Vec<u8> = line.collect();
    let end = line.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last.saturating_add(1));
    line.truncate(end);
    line
}

/// The auxiliary vector, ended by `AT_NULL`: CRIU cuts the kernel's array to a fixed size, and the end with it.
///
/// Of a 32-bit task on x86-64, CRIU keeps key and value in one number.
pub(crate) fn auxv(task: &Task, machine: &Machine) -> Vec<u8> {
    let saved = task.mm.as_ref().map_or(&[][..], |mm| mm.mm_saved_auxv.as_slice());
    let packed = machine.width == Width::Bits32 && saved.iter().any(|word| word >> 32 != 0);
    let unpacked: Vec<u64> = if packed {
        saved.iter().flat_map(|word| [u64::from(low(*word)), word >> 32]).collect()
    } else {
        saved.to_vec()
    };
    let pairs =
        unpacked.chunks_exact(2).take_while(|pair| pair.first().is_some_and(|key| *key != 0));
    machine.words().words(pairs.flatten().copied()).words([0, 0]).take()
}
