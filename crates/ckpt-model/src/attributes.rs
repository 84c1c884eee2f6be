//! What a process has set for itself, or was given, beside its credentials: personality, timers, signal handlers, cgroups,
//! and what threads register with the kernel.
//!
//! Source: `criu/images/core.proto`, `timer.proto`, `sa.proto`, `rseq.proto`, `cgroup.proto`.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use ckpt_memory::VirtAddr;
use criu_image::messages::{
    CgroupEntry, ItimerEntry, PosixTimerEntry, SaEntry, TaskTimersEntry, ThreadCoreEntry,
};
use criu_image::names;

use crate::Text;
use crate::defect::Defects;
use crate::registers::Arch;

/// `personality(2)`: how the kernel treats a program that was written for another system, or that asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Personality {
    /// The kernel's number; `None` when CRIU's reading of it makes none, see [`names::personality`].
    pub value: Option<u32>,
    /// The number as the image has it.
    pub stored: u32,
}

impl Personality {
    /// Addresses are not randomised: of debuggers, and of `setarch -R`.
    pub const ADDR_NO_RANDOMIZE: u32 = 0x0004_0000;
    /// What can be read can be executed: of programs that ask for an executable stack, and of `setarch -X`.
    pub const READ_IMPLIES_EXEC: u32 = 0x0040_0000;

    pub(crate) fn of(stored: u32) -> Self {
        Self { value: names::personality(stored), stored }
    }

    /// Whether all of these bits are set.
    #[must_use]
    pub fn has(&self, bits: u32) -> bool {
        self.value.is_some_and(|value| value & bits == bits)
    }
}

/// Timers of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timers {
    /// `ITIMER_REAL`, also of `alarm(2)`.
    pub real: Countdown,
    /// `ITIMER_VIRTUAL`: processor time of the program.
    pub virt: Countdown,
    /// `ITIMER_PROF`: processor time of the program and of the kernel for it.
    pub prof: Countdown,
    /// Timers of `timer_create(2)`.
    pub posix: Vec<PosixTimer>,
}

/// How long a timer has to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Countdown {
    /// Time left, nanoseconds; 0 of a timer that does not run.
    pub left: u128,
    /// Interval in which it repeats, nanoseconds; 0 of one that ends once.
    pub interval: u128,
}

/// A timer of `timer_create(2)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PosixTimer {
    /// Its id in the process.
    pub id: u32,
    /// `CLOCK_*`; clocks of processor time of other processes and threads are negative.
    pub clock: i32,
    /// How long it has to run.
    pub countdown: Countdown,
    /// How its end is told: 0 by a signal, 1 not at all, 2 by a thread of the library, 4 by a signal to one thread.
    pub notify: u32,
    /// Signal that it sends.
    pub signal: u32,
    /// Value that the signal carries.
    pub value: u64,
    /// Thread that gets the signal.
    pub thread: Option<i32>,
    /// Ends that were missed.
    pub overrun: u32,
}

const NANOS_OF_SECOND: u128 = 1_000_000_000;
const NANOS_OF_MICRO: u128 = 1000;

fn nanos(seconds: u64, rest: u64, unit: u128) -> u128 {
    // Two numbers of 64 bits, multiplied by less than 2^30: their sum has room in 128 bits.
    u128::from(seconds)
        .saturating_mul(NANOS_OF_SECOND)
        .saturating_add(u128::from(rest).saturating_mul(unit))
}

impl Countdown {
    fn of(timer: &ItimerEntry) -> Self {
        Self {
            left: nanos(timer.vsec, timer.vusec, NANOS_OF_MICRO),
            interval: nanos(timer.isec, timer.iusec, NANOS_OF_MICRO),
        }
    }

    /// Whether it runs.
    #[must_use]
    pub fn runs(&self) -> bool {
        self.left > 0
    }
}

impl PosixTimer {
    fn of(timer: &PosixTimerEntry) -> Self {
        Self {
            id: timer.it_id,
            clock: timer.clock_id.cast_signed(),
            countdown: Countdown {
                left: nanos(timer.vsec, timer.vnsec, 1),
                interval: nanos(timer.isec, timer.insec, 1),
            },
            notify: timer.it_sigev_notify,
            signal: timer.si_signo,
            value: timer.sival_ptr,
            thread: timer.notify_thread_id,
            overrun: timer.overrun,
        }
    }
}

impl Timers {
    pub(crate) fn of(timers: &TaskTimersEntry) -> Self {
        let [real, virt, prof] = [&timers.real, &timers.virt, &timers.prof].map(Countdown::of);
        Self { real, virt, prof, posix: timers.posix.iter().map(PosixTimer::of).collect() }
    }

    /// Of dumps before CRIU 2: the three interval timers in their order, and those of `timer_create(2)`. `None` when the
    /// three are not there.
    pub(crate) fn of_images(interval: &[ItimerEntry], posix: &[PosixTimerEntry]) -> Option<Self> {
        let [real, virt, prof] = interval else { return None };
        let [real, virt, prof] = [real, virt, prof].map(Countdown::of);
        Some(Self { real, virt, prof, posix: posix.iter().map(PosixTimer::of).collect() })
    }
}

/// A signal that has a handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Handler {
    /// The signal.
    pub signal: u32,
    /// Address of the handler.
    pub address: VirtAddr,
    /// `SA_*` flags.
    pub flags: u64,
    /// Signals that are blocked while it runs, bit n-1 for signal n.
    pub mask: u64,
    /// Where it returns to; `None` without `SA_RESTORER`, for then the number means nothing.
    pub restorer: Option<VirtAddr>,
}

/// `SA_RESTORER` of `include/uapi/asm-generic/signal-defs.h`; MIPS has none.
const SA_RESTORER: u64 = 0x0400_0000;

impl Handler {
    pub(crate) fn of(signal: u32, action: &SaEntry, arch: Arch) -> Self {
        let returns = arch != Arch::Mips && action.flags & SA_RESTORER != 0;
        Self {
            signal,
            address: VirtAddr(action.sigaction),
            flags: action.flags,
            mask: action.mask,
            restorer: returns.then_some(VirtAddr(action.restorer)),
        }
    }
}

/// What becomes of the signals of a process.
pub(crate) struct Dispositions {
    /// Those that are ignored, bit n-1 for signal n.
    pub(crate) ignored: u64,
    /// Those that have a handler, likewise.
    pub(crate) caught: u64,
    /// The handlers; on MIPS also of signals above 64.
    pub(crate) handlers: Vec<Handler>,
}

/// Handlers that are none.
const SIG_DFL: u64 = 0;
const SIG_IGN: u64 = 1;

impl Dispositions {
    /// Of the list in an image: all signals in their order, but those that nothing can catch.
    pub(crate) fn of(actions: &[SaEntry], arch: Arch) -> Self {
        let (stop, last) = if arch == Arch::Mips { (23, 128) } else { (19, 64) };
        let kill = 9;
        let signals = (1..=last).filter(|signal| ![kill, stop].contains(signal));
        let mut found = Self { ignored: 0, caught: 0, handlers: Vec::new() };
        for (signal, action) in signals.zip(actions) {
            let bit = 1_u64.checked_shl(u32::saturating_sub(signal, 1)).unwrap_or_default();
            match action.sigaction {
                SIG_DFL => {}
                SIG_IGN => found.ignored |= bit,
                _ => {
                    found.caught |= bit;
                    found.handlers.push(Handler::of(signal, action, arch));
                }
            }
        }
        found
    }
}

/// A place in a hierarchy of cgroups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CgroupPlace {
    /// Controllers of the hierarchy as `/proc/PID/cgroup` has them; empty for version 2.
    pub controllers: Text,
    /// Path as CRIU saw it.
    pub path: Text,
    /// Length of the part of `path` that lies outside of the process's cgroup namespace; `None` without one.
    pub outside: Option<u32>,
}

/// Most places of one set that are kept, and most bytes of their names and paths. Linux has sixteen controllers, and tells
/// paths of a page at most. A set is told with every process that is in it.
const MOST_PLACES: usize = 32;
const MOST_BYTES: usize = 16 << 10;

/// The sets of the image by number; of two with one number the first counts. `place`: path of the image.
pub(crate) fn cgroups(
    cgroup: &CgroupEntry,
    place: &str,
    defects: &Defects,
) -> HashMap<u32, Arc<[CgroupPlace]>> {
    let mut sets: HashMap<u32, Arc<[CgroupPlace]>> = HashMap::new();
    for set in &cgroup.sets {
        let Entry::Vacant(vacant) = sets.entry(set.id) else { continue };
        let mut left = MOST_BYTES;
        let places = set.ctls.iter().take(MOST_PLACES).map_while(|member| {
            left = left.checked_sub(member.name.len())?.checked_sub(member.path.len())?;
            Some(CgroupPlace {
                controllers: Text(member.name.clone()),
                path: Text(member.path.clone()),
                outside: member.cgns_prefix,
            })
        });
        let places = vacant.insert(places.collect());
        if places.len() < set.ctls.len() {
            let what = format!(
                "set {} has {} cgroups, more than there can be: the first {} are told",
                set.id,
                set.ctls.len(),
                places.len()
            );
            defects.suspect(place, what);
        }
    }
    sets
}

/// What a thread has registered with the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Registered {
    /// Alternate stack for signal handlers; `None` when there is none, or nothing tells.
    pub signal_stack: Option<SignalStack>,
    /// List of futexes that the kernel gives up when the thread ends.
    pub robust_list: Option<RobustList>,
    /// Restartable sequences.
    pub rseq: Option<Rseq>,
}

/// An alternate stack for signal handlers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignalStack {
    /// Lowest address.
    pub start: VirtAddr,
    /// Bytes.
    pub size: u64,
    /// `SS_*` flags.
    pub flags: u32,
}

/// The head of a robust futex list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RobustList {
    /// Its address.
    pub head: VirtAddr,
    /// Bytes of the head.
    pub size: u32,
}

/// Registration of restartable sequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rseq {
    /// Address of the `struct rseq`.
    pub area: VirtAddr,
    /// Its bytes.
    pub size: u32,
    /// What stands before abort handlers.
    pub signature: u32,
}

/// `SS_DISABLE` of `include/uapi/linux/signal.h`: there is no alternate stack.
const SS_DISABLE: u32 = 2;

impl Registered {
    pub(crate) fn of(thread: &ThreadCoreEntry) -> Self {
        let stack = thread.sas.as_ref().filter(|stack| stack.ss_flags & SS_DISABLE == 0);
        let rseq = thread.rseq_entry.as_ref().filter(|rseq| rseq.rseq_abi_pointer != 0);
        Self {
            signal_stack: stack.map(|stack| SignalStack {
                start: VirtAddr(stack.ss_sp),
                size: stack.ss_size,
                flags: stack.ss_flags,
            }),
            robust_list: (thread.futex_rla != 0).then_some(RobustList {
                head: VirtAddr(thread.futex_rla),
                size: thread.futex_rla_len,
            }),
            rseq: rseq.map(|rseq| Rseq {
                area: VirtAddr(rseq.rseq_abi_pointer),
                size: rseq.rseq_abi_size,
                signature: rseq.signature,
            }),
        }
    }
}
