//! Timers: interval timers, POSIX timers, timerfds. CRIU keeps how much time was left; what that makes depends on when
//! it was read.

use std::sync::Arc;

use ckpt_model::{DefectKind, Details, Pid};
use criu_image::ImageKind;
use criu_image::messages::{ItimerEntry, PosixTimerEntry, TimerfdEntry};
use jiff::{SignedDuration, Timestamp};

use super::event::{About, Dated};
use super::images::{dump_took, granularity};
use super::{Building, Derivation, Precision, Source, Undated, What};

/// Clocks of processor time. Source: `include/uapi/linux/time.h`; those of other processes are negative numbers.
const CPU_CLOCKS: [u32; 2] = [2, 3];

/// Which kind of timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TimerKind {
    /// `setitimer(2)` with `ITIMER_REAL`, also of `alarm(2)`.
    Real,
    /// `ITIMER_VIRTUAL`: processor time of the program.
    Virtual,
    /// `ITIMER_PROF`: processor time of the program and of the kernel for it.
    Prof,
    /// `timer_create(2)`, and its number.
    Posix(u32),
    /// `timerfd_create(2)`, and the descriptor of the process that is named.
    Timerfd(u32),
}

impl TimerKind {
    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Real => "itimer-real",
            Self::Virtual => "itimer-virtual",
            Self::Prof => "itimer-prof",
            Self::Posix(_) => "posix-timer",
            Self::Timerfd(_) => "timerfd",
        }
    }

    /// The number of a POSIX timer, the descriptor of a timerfd.
    #[must_use]
    pub fn number(self) -> Option<u32> {
        match self {
            Self::Posix(number) | Self::Timerfd(number) => Some(number),
            _ => None,
        }
    }
}

/// A timer that was running.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timer {
    /// Which kind.
    pub kind: TimerKind,
    /// The process that it belongs to; of a timerfd the first that holds it.
    pub pid: Pid,
    /// `CLOCK_*` number; `None` for interval timers.
    pub clock: Option<u32>,
    /// Time that was left, nanoseconds.
    pub left: u128,
    /// Interval in which it repeats, nanoseconds; 0 for one that runs out once.
    pub interval: u128,
    /// Signal that it sends.
    pub signal: Option<u32>,
}

impl Timer {
    fn counts_processor_time(&self) -> bool {
        let of_process = |clock: u32| clock > i32::MAX.unsigned_abs();
        matches!(self.kind, TimerKind::Virtual | TimerKind::Prof)
            || self.clock.is_some_and(|clock| CPU_CLOCKS.contains(&clock) || of_process(clock))
    }
}

/// `SIGALRM`, what `ITIMER_REAL` sends; the same number on every architecture.
const ALARM: u32 = 14;

/// Takes in the timers that were running.
pub(super) fn find(building: &mut Building<'_>) {
    let Some(images) = building.checkpoint.images() else { return };
    let mut found: Vec<(Timer, Arc<str>, Option<ckpt_archive::Timestamp>)> = Vec::new();
    for task in building.checkpoint.processes().by_pid() {
        let timers = task.core.as_ref().and_then(|core| core.tc.as_ref()?.timers.as_ref());
        let Some(timers) = timers else { continue };
        let number = Some(u64::from(task.pid.0));
        let Some(member) = images.member(ImageKind::Core, number) else { continue };
        let place: Arc<str> = ckpt_model::escape(&member.path).into();
        let own = [
            (TimerKind::Real, &timers.real, Some(ALARM)),
            (TimerKind::Virtual, &timers.virt, None),
            (TimerKind::Prof, &timers.prof, None),
        ];
        let own = own.map(|(kind, entry, signal)| itimer(kind, entry, task.pid, signal));
        let posix = timers.posix.iter().map(|entry| posix(entry, task.pid));
        let all = own.into_iter().chain(posix).filter(|timer| timer.left > 0);
        found.extend(all.map(|timer| (timer, Arc::clone(&place), Some(member.mtime))));
    }
    found.extend(timerfds(building));
    // The time that was left was read while the process was frozen, the image written before it went on.
    let clocks = building.checkpoint.image_clocks();
    let took = clocks.first().map(|clocks| dump_took(building, clocks)).unwrap_or_default();
    for (timer, place, read) in found {
        take_in(building, timer, place, read, took);
    }
}

fn itimer(kind: TimerKind, entry: &ItimerEntry, pid: Pid, signal: Option<u32>) -> Timer {
    let nanos = |seconds: u64, micros: u64| nanos(seconds, u128::from(micros).saturating_mul(1000));
    Timer {
        kind,
        pid,
        clock: None,
        left: nanos(entry.vsec, entry.vusec),
        interval: nanos(entry.isec, entry.iusec),
        signal,
    }
}

fn posix(entry: &PosixTimerEntry, pid: Pid) -> Timer {
    Timer {
        kind: TimerKind::Posix(entry.it_id),
        pid,
        clock: Some(entry.clock_id),
        left: nanos(entry.vsec, entry.vnsec.into()),
        interval: nanos(entry.isec, entry.insec.into()),
        signal: Some(entry.si_signo),
    }
}

/// Timerfds, each once, however many descriptors lead to it.
fn timerfds(building: &Building<'_>) -> Vec<(Timer, Arc<str>, Option<ckpt_archive::Timestamp>)> {
    let checkpoint = building.checkpoint;
    let Some(images) = checkpoint.images() else { return Vec::new() };
    let image = [ImageKind::Files, ImageKind::Timerfd];
    let image = image.into_iter().find_map(|kind| images.member(kind, None));
    let place: Arc<str> =
        image.map(|member| ckpt_model::escape(&member.path)).unwrap_or_default().into();
    let mut seen = std::collections::HashSet::new();
    let mut found = Vec::new();
    for task in checkpoint.processes().by_pid() {
        for descriptor in checkpoint.descriptors().of(task.pid) {
            let Details::Timerfd(entry) = checkpoint.details(descriptor) else {
                continue;
            };
            if seen.insert(entry.id) {
                let timer = timerfd(entry, task.pid, descriptor.fd);
                found.push((timer, Arc::clone(&place), image.map(|member| member.mtime)));
            }
        }
    }
    found.retain(|(timer, ..)| timer.left > 0);
    found
}

fn timerfd(entry: &TimerfdEntry, pid: Pid, fd: u32) -> Timer {
    Timer {
        kind: TimerKind::Timerfd(fd),
        pid,
        clock: Some(entry.clockid),
        left: nanos(entry.vsec, entry.vnsec.into()),
        interval: nanos(entry.isec, entry.insec.into()),
        signal: None,
    }
}

fn nanos(seconds: u64, nanos: u128) -> u128 {
    u128::from(seconds).saturating_mul(1_000_000_000).saturating_add(nanos)
}

fn take_in(
    building: &mut Building<'_>,
    timer: Timer,
    place: Arc<str>,
    read: Option<ckpt_archive::Timestamp>,
    took: SignedDuration,
) {
    if timer.counts_processor_time() {
        building.timeline.undated.push(Undated::CpuTimer(timer));
        return;
    }
    let read = read.filter(|time| *time != ckpt_archive::Timestamp::default());
    let Some(read) = read.and_then(|time| building.stamp(time, &place)) else { return };
    let left = i128::try_from(timer.left).ok();
    let due = left.and_then(|left| read.as_nanosecond().checked_add(left));
    let Some(time) = due.and_then(|due| Timestamp::from_nanosecond(due).ok()) else {
        let what = format!(
            "{} of process {}: {} ns left, which ends in no calendar; left out",
            timer.kind.word(),
            timer.pid,
            timer.left
        );
        building.tell(DefectKind::Suspect, &*place, what);
        return;
    };
    let index = building.timeline.timers.len();
    building.timeline.timers.push(timer);
    building.push(Dated {
        time,
        precision: Precision::Seconds,
        what: What::TimerDue,
        source: Source::Timer,
        place,
        derived: Some(Box::new(Derivation {
            uncertainty: granularity(read).saturating_add(took),
            from: "the image's modification time, and the time that was left",
        })),
        about: About::Timer(index),
    });
}
