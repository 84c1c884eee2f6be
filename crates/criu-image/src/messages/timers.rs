//! Timers of a task, and times.

use crate::message::message;
use crate::names;

message! {
    /// Timers of a task. Source: `criu/images/timer.proto`.
    TaskTimersEntry = "task_timers_entry" {
        /// `ITIMER_REAL`.
        real: required message(ItimerEntry) = 1,
        /// `ITIMER_VIRTUAL`.
        virt: required message(ItimerEntry) = 2,
        /// `ITIMER_PROF`.
        prof: required message(ItimerEntry) = 3,
        /// Timers of `timer_create(2)`.
        posix: repeated message(PosixTimerEntry) = 4,
    }

    /// An interval timer. Source: `criu/images/timer.proto`.
    ItimerEntry = "itimer_entry" {
        /// Interval, seconds.
        isec: required uint64 = 1,
        /// Interval, microseconds.
        iusec: required uint64 = 2,
        /// Time left, seconds.
        vsec: required uint64 = 3,
        /// Time left, microseconds.
        vusec: required uint64 = 4,
    }

    /// A POSIX timer. Source: `criu/images/timer.proto`.
    PosixTimerEntry = "posix_timer_entry" {
        /// Timer id.
        it_id: required uint32 = 1,
        /// Clock; clocks of a process or thread are negative numbers.
        clock_id: required uint32 = 2 [names(&names::CLOCKS)],
        /// Signal sent.
        si_signo: required uint32 = 3 [signal],
        /// How the end is told.
        it_sigev_notify: required uint32 = 4 [names(&names::SIGEV_NOTIFY)],
        /// Value handed to the handler.
        sival_ptr: required uint64 = 5 [hex],
        /// Ends missed.
        overrun: required uint32 = 6,
        /// Interval, seconds.
        isec: required uint64 = 7,
        /// Interval, nanoseconds.
        insec: required uint64 = 8,
        /// Time left, seconds.
        vsec: required uint64 = 9,
        /// Time left, nanoseconds.
        vnsec: required uint64 = 10,
        /// Thread told, with `SIGEV_THREAD_ID`.
        notify_thread_id: optional int32 = 11,
    }

    /// A time of microseconds. Source: `criu/images/time.proto`.
    Timeval = "timeval" {
        /// Seconds.
        tv_sec: required uint64 = 1,
        /// Microseconds.
        tv_usec: required uint64 = 2,
    }
}
