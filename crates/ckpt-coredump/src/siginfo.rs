//! `NT_SIGINFO`: a signal that waits for a thread.

use ckpt_model::{Arch, PendingSignal, Task, Thread};
use criu_image::messages::SignalQueueEntry;

use crate::machine::Machine;
use crate::words::{Width, low};

/// Bytes of a `siginfo_t`.
const SIZE: usize = 128;

/// A signal that waits, and its `siginfo_t` where that is kept beside the thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting<'a> {
    signal: &'a PendingSignal,
    raw: Option<&'a [u8]>,
}

/// The signal of a thread's own that it would take next.
pub(crate) fn of_thread(thread: &Thread) -> Option<Waiting<'_>> {
    let queue = thread.core.as_ref().and_then(|core| core.thread_core.as_ref());
    let queue = queue.and_then(|own| own.signals_p.as_ref());
    next(&thread.pending, queue, thread.sigblk)
}

/// The signal of the process that a thread of it would take next.
pub(crate) fn of_process<'a>(task: &'a Task, thread: &Thread) -> Option<Waiting<'a>> {
    let queue = task.core.as_ref().and_then(|core| core.tc.as_ref());
    let queue = queue.and_then(|shared| shared.signals_s.as_ref());
    next(&task.pending, queue, thread.sigblk)
}

/// Whether a thread would take a signal of its own as soon as it runs.
pub(crate) fn is_due(thread: &Thread) -> bool {
    thread.pending.iter().any(|signal| signal.bit() & !thread.sigblk.unwrap_or(0) != 0)
}

/// The lowest one that is not blocked, else the lowest one.
fn next<'a>(
    signals: &'a [PendingSignal],
    queue: Option<&'a SignalQueueEntry>,
    blocked: Option<u64>,
) -> Option<Waiting<'a>> {
    // Those that are too short to name a signal are in the queue and not among the signals.
    let raw = queue.into_iter().flat_map(|queue| &queue.signals);
    let raw = raw.map(|info| info.siginfo.as_slice()).filter(|raw| raw.len() >= 12).map(Some);
    let waiting = signals.iter().zip(raw.chain(std::iter::repeat(None)));
    let waiting = waiting.map(|(signal, raw)| Waiting { signal, raw });
    waiting.min_by_key(|Waiting { signal, .. }| {
        (signal.bit() & blocked.unwrap_or(0) != 0, signal.signo)
    })
}

/// The note's content: the signal as the image has it, or rebuilt of what is known; zeros, which is what the kernel says
/// of no signal, when none waits.
pub(crate) fn siginfo(waiting: Option<Waiting<'_>>, machine: &Machine) -> Vec<u8> {
    let mut out = machine.words();
    match waiting {
        None => {}
        // CRIU is a 64-bit program also where the task is not: its `siginfo_t` is laid out otherwise.
        Some(Waiting { raw: Some(raw), .. }) if !machine.is_i386() => {
            out.raw(raw.get(..SIZE).unwrap_or(raw));
        }
        Some(Waiting { signal, .. }) => {
            let (errno, code) = (signal.errno.cast_unsigned(), signal.code.cast_unsigned());
            let (second, third) =
                if machine.arch == Arch::Mips { (code, errno) } else { (errno, code) };
            out.u32(signal.signo).u32(second).u32(third).align_word();
            let pid = signal.pid.map(|pid| pid.0);
            out.u32(pid.or(signal.timer).unwrap_or(0)).u32(signal.uid.unwrap_or(0));
            let value = signal.value.unwrap_or(0);
            match out.width() {
                Width::Bits32 => out.u32(low(value)),
                Width::Bits64 => out.u64(value),
            };
        }
    }
    let rest = SIZE.saturating_sub(out.len());
    out.zeros(rest).take()
}
