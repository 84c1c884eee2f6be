//! What `tree` tells of a process beside its names and credentials: personality, timers, signal handlers, cgroups, and what
//! its threads registered with the kernel.

use std::borrow::Cow;

use ckpt_model::{
    CgroupPlace, Countdown, Handler, Personality, PosixTimer, RobustList, Rseq, SignalStack, Task,
    Timers,
};
use criu_image::names::{self, FlagNames};
use serde::Serialize;

use super::shared::{address, base64, mask};
use crate::message::clock_name;

/// How the kernel treats a program (`personality(2)`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PersonalityRecord {
    /// The kernel's number, 8 hexadecimal digits; `null` when the image's number cannot be one.
    pub value: Option<String>,
    /// `PER_LINUX`, `PER_LINUX32`; `null` when it has no name.
    pub domain: Option<&'static str>,
    /// Bits that are set, by the kernel's names; the rest as one hexadecimal number.
    pub flags: Vec<Cow<'static, str>>,
    /// The number as the image has it: the hexadecimal digits read as decimal ones.
    pub stored: u32,
}

impl PersonalityRecord {
    pub(super) fn of(personality: Personality) -> Self {
        const DOMAIN: u32 = 0xff;
        let Personality { value, stored } = personality;
        let domain = value.map(|value| i64::from(value & DOMAIN));
        let domain = domain.and_then(|domain| names::EXECUTION_DOMAINS.get(domain));
        // The domain has a field of its own, unless nobody knows its name.
        let rest = value.map(|value| if domain.is_some() { value & !DOMAIN } else { value });
        let flags = rest.map(|rest| bits(names::PERSONALITY.bits, rest.into())).unwrap_or_default();
        Self { value: value.map(|value| format!("{value:08x}")), domain, flags, stored }
    }
}

/// A set of bits of the kernel's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BitsRecord {
    /// The number, 8 hexadecimal digits.
    pub value: String,
    /// Bits that have names; the rest as one hexadecimal number.
    pub names: Vec<Cow<'static, str>>,
}

impl BitsRecord {
    pub(super) fn of(table: &FlagNames, value: u32) -> Self {
        Self { value: format!("{value:08x}"), names: bits(table.bits, value.into()) }
    }
}

/// Names of the bits of a set, and the rest of it as one hexadecimal number.
fn bits(table: &[(u64, &'static str)], value: u64) -> Vec<Cow<'static, str>> {
    let mut rest = value;
    let mut found = Vec::new();
    for (bits, name) in table {
        if *bits != 0 && rest & bits == *bits {
            found.push(Cow::Borrowed(*name));
            rest &= !bits;
        }
    }
    found.extend((rest != 0).then(|| Cow::Owned(format!("{rest:#x}"))));
    found
}

/// Timers of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TimersRecord {
    /// `ITIMER_REAL`, also of `alarm(2)`.
    pub real: CountdownRecord,
    /// `ITIMER_VIRTUAL`.
    #[serde(rename = "virtual")]
    pub virt: CountdownRecord,
    /// `ITIMER_PROF`.
    pub prof: CountdownRecord,
    /// Timers of `timer_create(2)`.
    pub posix: Vec<PosixTimerRecord>,
}

impl TimersRecord {
    pub(super) fn of(timers: &Timers) -> Self {
        Self {
            real: CountdownRecord::of(timers.real),
            virt: CountdownRecord::of(timers.virt),
            prof: CountdownRecord::of(timers.prof),
            posix: timers.posix.iter().map(PosixTimerRecord::of).collect(),
        }
    }
}

/// How long a timer has to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CountdownRecord {
    /// Seconds and nanoseconds that were left; zeros when it does not run.
    pub left: (u64, u64),
    /// Seconds and nanoseconds after which it repeats; zeros when it does not.
    pub interval: (u64, u64),
}

impl CountdownRecord {
    fn of(countdown: Countdown) -> Self {
        const SECOND: u128 = 1_000_000_000;
        let split = |nanos: u128| {
            let part = |part: u128| u64::try_from(part).unwrap_or(u64::MAX);
            (part(nanos / SECOND), part(nanos % SECOND))
        };
        Self { left: split(countdown.left), interval: split(countdown.interval) }
    }
}

/// A timer of `timer_create(2)`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PosixTimerRecord {
    /// Its id in the process.
    pub id: u32,
    /// `CLOCK_MONOTONIC`.
    pub clock: String,
    /// How long it has to run.
    #[serde(flatten)]
    pub countdown: CountdownRecord,
    /// How its end is told: `SIGEV_SIGNAL`, `SIGEV_NONE`, `SIGEV_THREAD`, `SIGEV_THREAD_ID`, or a number.
    pub notify: String,
    /// Number of the signal that it sends.
    pub signal: u32,
    /// Value that the signal carries.
    pub value: u64,
    /// Thread that gets the signal.
    pub thread: Option<i32>,
    /// Ends that were missed.
    pub overrun: u32,
}

impl PosixTimerRecord {
    fn of(timer: &PosixTimer) -> Self {
        Self {
            id: timer.id,
            clock: clock_name(timer.clock.cast_unsigned()),
            countdown: CountdownRecord::of(timer.countdown),
            notify: names::SIGEV_NOTIFY.text(timer.notify.into()),
            signal: timer.signal,
            value: timer.value,
            thread: timer.thread,
            overrun: timer.overrun,
        }
    }
}

/// A signal that has a handler.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HandlerRecord {
    /// Number of the signal.
    pub signo: u32,
    /// Its name.
    pub name: String,
    /// Address of the handler.
    pub address: String,
    /// `SA_*` flags, the rest as one hexadecimal number; on MIPS, where they have other numbers, all of them.
    pub flags: Vec<Cow<'static, str>>,
    /// Signals that are blocked while it runs.
    pub mask: String,
    /// Where it returns to, where that is told.
    pub restorer: Option<String>,
}

impl HandlerRecord {
    pub(super) fn list(task: &Task) -> Option<Vec<Self>> {
        let machine = task.core.as_ref().map(|core| core.mtype);
        let table = match machine {
            Some(names::MTYPE_MIPS) => &[][..],
            _ => names::SIGACTION_FLAGS.bits,
        };
        let of = |handler: &Handler| Self {
            signo: handler.signal,
            name: names::signal_text(machine, handler.signal.into()),
            address: address(handler.address),
            flags: bits(table, handler.flags),
            mask: mask(handler.mask),
            restorer: handler.restorer.map(address),
        };
        Some(task.handlers.as_ref()?.iter().map(of).collect())
    }
}

/// A place in a hierarchy of cgroups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CgroupRecord<'a> {
    /// Controllers of the hierarchy as `/proc/PID/cgroup` has them; empty for version 2.
    pub controllers: Cow<'a, str>,
    /// Bytes of `controllers`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub controllers_base64: Option<String>,
    /// Path as CRIU saw it.
    pub path: Cow<'a, str>,
    /// Bytes of `path`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_base64: Option<String>,
    /// Length of the part of `path` that lies outside of the process's cgroup namespace.
    pub outside: Option<u32>,
}

impl<'a> CgroupRecord<'a> {
    pub(super) fn list(places: &'a [CgroupPlace]) -> Vec<Self> {
        let of = |place: &'a CgroupPlace| Self {
            controllers: place.controllers.lossless(),
            controllers_base64: base64(place.controllers.as_bytes()),
            path: place.path.lossless(),
            path_base64: base64(place.path.as_bytes()),
            outside: place.outside,
        };
        places.iter().map(of).collect()
    }
}

/// An alternate stack for signal handlers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SignalStackRecord {
    /// Lowest address.
    pub start: String,
    /// Bytes.
    pub size: u64,
    /// `SS_*` flags.
    pub flags: Vec<Cow<'static, str>>,
}

impl SignalStackRecord {
    pub(super) fn of(stack: SignalStack) -> Self {
        Self {
            start: address(stack.start),
            size: stack.size,
            flags: bits(names::SIGALTSTACK_FLAGS.bits, stack.flags.into()),
        }
    }
}

/// The head of a robust futex list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RobustListRecord {
    /// Its address.
    pub head: String,
    /// Bytes of the head.
    pub size: u32,
}

impl RobustListRecord {
    pub(super) fn of(list: RobustList) -> Self {
        Self { head: address(list.head), size: list.size }
    }
}

/// Registration of restartable sequences.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RseqRecord {
    /// Address of the `struct rseq`.
    pub area: String,
    /// Its bytes.
    pub size: u32,
    /// What stands before abort handlers, 8 hexadecimal digits.
    pub signature: String,
}

impl RseqRecord {
    pub(super) fn of(rseq: Rseq) -> Self {
        Self {
            area: address(rseq.area),
            size: rseq.size,
            signature: format!("{:08x}", rseq.signature),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn personality(value: Option<u32>) -> PersonalityRecord {
        PersonalityRecord::of(Personality { value, stored: 7 })
    }

    #[test]
    fn a_personality_is_a_domain_and_bits() {
        let record = personality(Some(0x0044_0008));
        assert_eq!(record.value.as_deref(), Some("00440008"));
        assert_eq!(record.domain, Some("PER_LINUX32"));
        assert_eq!(record.flags, ["ADDR_NO_RANDOMIZE", "READ_IMPLIES_EXEC"]);
        let record = personality(Some(0x1_0099));
        assert_eq!((record.domain, record.flags), (None, vec![Cow::from("0x10099")]));
        let record = personality(None);
        assert_eq!((record.value, record.domain, record.stored), (None, None, 7));
    }
}
