//! Tasks: states, signals, capabilities, limits, scheduling, timers, seccomp, architectures.

use super::{NumberNames, flag_names, number_names};

/// `core_entry.mtype` of x86-64 (also of its 32-bit tasks).
pub const MTYPE_X86_64: u32 = 1;
/// `core_entry.mtype` of 32-bit arm.
pub const MTYPE_ARM: u32 = 2;
/// `core_entry.mtype` of aarch64.
pub const MTYPE_AARCH64: u32 = 3;
/// `core_entry.mtype` of ppc64 in both byte orders.
pub const MTYPE_PPC64: u32 = 4;
/// `core_entry.mtype` of s390x.
pub const MTYPE_S390: u32 = 5;
/// `core_entry.mtype` of mips64 in both byte orders.
pub const MTYPE_MIPS: u32 = 6;
/// `core_entry.mtype` of loongarch64.
pub const MTYPE_LOONGARCH64: u32 = 7;
/// `core_entry.mtype` of riscv64.
pub const MTYPE_RISCV64: u32 = 8;

number_names! {
    /// Architectures: `core_entry.march` of `criu/images/core.proto`.
    MACHINES, "machine":
    0 => "UNKNOWN", 1 => "X86_64", 2 => "ARM", 3 => "AARCH64", 4 => "PPC64", 5 => "S390", 6 => "MIPS",
    7 => "LOONGARCH64", 8 => "RISCV64",
}

number_names! {
    /// Task states: `compel/include/uapi/task-state.h`. Zombies are written as DEAD. Tools that swap 3 and 6 are wrong.
    TASK_STATES, "task state":
    1 => "ALIVE", 2 => "DEAD", 3 => "STOPPED", 6 => "ZOMBIE",
}

number_names! {
    /// `seccomp_mode` of `criu/images/core.proto`.
    SECCOMP_MODES, "seccomp mode": 0 => "DISABLED", 1 => "STRICT", 2 => "FILTER",
}

flag_names! {
    /// `SECCOMP_FILTER_FLAG_*`: `include/uapi/linux/seccomp.h`.
    SECCOMP_FILTER_FLAGS, "seccomp filter flags", zero "0":
    0x1 => "TSYNC", 0x2 => "LOG", 0x4 => "SPEC_ALLOW", 0x8 => "NEW_LISTENER", 0x10 => "TSYNC_ESRCH",
    0x20 => "WAIT_KILLABLE_RECV",
}

number_names! {
    /// Register sets of x86: `user_x86_regs_mode`.
    X86_MODES, "x86 register mode": 1 => "NATIVE", 2 => "COMPAT",
}

number_names! {
    /// Resource limits by position in `task_rlimits_entry`: `include/uapi/asm-generic/resource.h`.
    RLIMITS, "resource limit":
    0 => "RLIMIT_CPU", 1 => "RLIMIT_FSIZE", 2 => "RLIMIT_DATA", 3 => "RLIMIT_STACK", 4 => "RLIMIT_CORE",
    5 => "RLIMIT_RSS", 6 => "RLIMIT_NPROC", 7 => "RLIMIT_NOFILE", 8 => "RLIMIT_MEMLOCK", 9 => "RLIMIT_AS",
    10 => "RLIMIT_LOCKS", 11 => "RLIMIT_SIGPENDING", 12 => "RLIMIT_MSGQUEUE", 13 => "RLIMIT_NICE",
    14 => "RLIMIT_RTPRIO", 15 => "RLIMIT_RTTIME",
}

number_names! {
    /// The same on MIPS, where five limits have other numbers: `arch/mips/include/uapi/asm/resource.h`.
    RLIMITS_MIPS, "resource limit":
    0 => "RLIMIT_CPU", 1 => "RLIMIT_FSIZE", 2 => "RLIMIT_DATA", 3 => "RLIMIT_STACK", 4 => "RLIMIT_CORE",
    5 => "RLIMIT_NOFILE", 6 => "RLIMIT_AS", 7 => "RLIMIT_RSS", 8 => "RLIMIT_NPROC", 9 => "RLIMIT_MEMLOCK",
    10 => "RLIMIT_LOCKS", 11 => "RLIMIT_SIGPENDING", 12 => "RLIMIT_MSGQUEUE", 13 => "RLIMIT_NICE",
    14 => "RLIMIT_RTPRIO", 15 => "RLIMIT_RTTIME",
}

/// Resource limits of a machine (`core_entry.mtype`).
#[must_use]
pub fn rlimits(mtype: Option<u32>) -> &'static NumberNames {
    if mtype == Some(MTYPE_MIPS) { &RLIMITS_MIPS } else { &RLIMITS }
}

number_names! {
    /// Scheduling policies: `include/uapi/linux/sched.h`.
    SCHED_POLICIES, "scheduling policy":
    0 => "SCHED_OTHER", 1 => "SCHED_FIFO", 2 => "SCHED_RR", 3 => "SCHED_BATCH", 5 => "SCHED_IDLE",
    6 => "SCHED_DEADLINE", 7 => "SCHED_EXT",
}

number_names! {
    /// POSIX clocks: `include/uapi/linux/time.h`.
    CLOCKS, "clock":
    0 => "CLOCK_REALTIME", 1 => "CLOCK_MONOTONIC", 2 => "CLOCK_PROCESS_CPUTIME_ID", 3 => "CLOCK_THREAD_CPUTIME_ID",
    4 => "CLOCK_MONOTONIC_RAW", 5 => "CLOCK_REALTIME_COARSE", 6 => "CLOCK_MONOTONIC_COARSE", 7 => "CLOCK_BOOTTIME",
    8 => "CLOCK_REALTIME_ALARM", 9 => "CLOCK_BOOTTIME_ALARM", 11 => "CLOCK_TAI",
}

number_names! {
    /// How a POSIX timer tells its end: `include/uapi/asm-generic/siginfo.h`.
    SIGEV_NOTIFY, "timer notification":
    0 => "SIGEV_SIGNAL", 1 => "SIGEV_NONE", 2 => "SIGEV_THREAD", 4 => "SIGEV_THREAD_ID",
}

flag_names! {
    /// `sigaction` flags: `include/uapi/asm-generic/signal-defs.h`.
    SIGACTION_FLAGS, "sigaction flags", zero "0":
    0x1 => "SA_NOCLDSTOP", 0x2 => "SA_NOCLDWAIT", 0x4 => "SA_SIGINFO", 0x800 => "SA_EXPOSE_TAGBITS",
    0x0400_0000 => "SA_RESTORER", 0x0800_0000 => "SA_ONSTACK", 0x1000_0000 => "SA_RESTART",
    0x4000_0000 => "SA_NODEFER", 0x8000_0000 => "SA_RESETHAND",
}

flag_names! {
    /// Alternate signal stack flags: `SS_*`.
    SIGALTSTACK_FLAGS, "signal stack flags", zero "0":
    0x1 => "SS_ONSTACK", 0x2 => "SS_DISABLE", 0x8000_0000 => "SS_AUTODISARM",
}

flag_names! {
    /// `SECBIT_*` of credentials: `include/uapi/linux/securebits.h`.
    SECBITS, "securebits", zero "0":
    0x1 => "NOROOT", 0x2 => "NOROOT_LOCKED", 0x4 => "NO_SETUID_FIXUP", 0x8 => "NO_SETUID_FIXUP_LOCKED",
    0x10 => "KEEP_CAPS", 0x20 => "KEEP_CAPS_LOCKED", 0x40 => "NO_CAP_AMBIENT_RAISE",
    0x80 => "NO_CAP_AMBIENT_RAISE_LOCKED",
}

flag_names! {
    /// Task flags of `/proc/PID/stat`: `PF_*` of `include/linux/sched.h` that survived many kernels.
    TASK_FLAGS, "task flags", zero "0":
    0x4 => "PF_EXITING", 0x40 => "PF_FORKNOEXEC", 0x100 => "PF_SUPERPRIV", 0x200 => "PF_DUMPCORE",
    0x400 => "PF_SIGNALED", 0x800 => "PF_MEMALLOC", 0x1000 => "PF_NPROC_EXCEEDED", 0x8000 => "PF_NOFREEZE",
    0x20_0000 => "PF_KTHREAD", 0x40_0000 => "PF_RANDOMIZE", 0x0400_0000 => "PF_NO_SETAFFINITY",
}

flag_names! {
    /// Commands registered with `membarrier(2)`: `include/uapi/linux/membarrier.h`.
    MEMBARRIER, "membarrier registrations", zero "0":
    0x1 => "GLOBAL", 0x2 => "GLOBAL_EXPEDITED", 0x4 => "REGISTER_GLOBAL_EXPEDITED", 0x8 => "PRIVATE_EXPEDITED",
    0x10 => "REGISTER_PRIVATE_EXPEDITED", 0x20 => "PRIVATE_EXPEDITED_SYNC_CORE",
    0x40 => "REGISTER_PRIVATE_EXPEDITED_SYNC_CORE", 0x80 => "PRIVATE_EXPEDITED_RSEQ",
    0x100 => "REGISTER_PRIVATE_EXPEDITED_RSEQ",
}

number_names! {
    /// Capabilities by bit: `include/uapi/linux/capability.h`.
    CAPABILITIES, "capability":
    0 => "CAP_CHOWN", 1 => "CAP_DAC_OVERRIDE", 2 => "CAP_DAC_READ_SEARCH", 3 => "CAP_FOWNER", 4 => "CAP_FSETID",
    5 => "CAP_KILL", 6 => "CAP_SETGID", 7 => "CAP_SETUID", 8 => "CAP_SETPCAP", 9 => "CAP_LINUX_IMMUTABLE",
    10 => "CAP_NET_BIND_SERVICE", 11 => "CAP_NET_BROADCAST", 12 => "CAP_NET_ADMIN", 13 => "CAP_NET_RAW",
    14 => "CAP_IPC_LOCK", 15 => "CAP_IPC_OWNER", 16 => "CAP_SYS_MODULE", 17 => "CAP_SYS_RAWIO",
    18 => "CAP_SYS_CHROOT", 19 => "CAP_SYS_PTRACE", 20 => "CAP_SYS_PACCT", 21 => "CAP_SYS_ADMIN",
    22 => "CAP_SYS_BOOT", 23 => "CAP_SYS_NICE", 24 => "CAP_SYS_RESOURCE", 25 => "CAP_SYS_TIME",
    26 => "CAP_SYS_TTY_CONFIG", 27 => "CAP_MKNOD", 28 => "CAP_LEASE", 29 => "CAP_AUDIT_WRITE",
    30 => "CAP_AUDIT_CONTROL", 31 => "CAP_SETFCAP", 32 => "CAP_MAC_OVERRIDE", 33 => "CAP_MAC_ADMIN",
    34 => "CAP_SYSLOG", 35 => "CAP_WAKE_ALARM", 36 => "CAP_BLOCK_SUSPEND", 37 => "CAP_AUDIT_READ",
    38 => "CAP_PERFMON", 39 => "CAP_BPF", 40 => "CAP_CHECKPOINT_RESTORE",
}

/// Names of a capability set kept as 32-bit words, low word first, and the bits that have no name.
#[must_use]
pub fn capability_names(words: &[u32]) -> (Vec<&'static str>, Vec<u64>) {
    let mut names = Vec::new();
    let mut unknown = Vec::new();
    for (word, base) in words.iter().zip((0_u32..).step_by(32)) {
        for bit in (0..32_u32).filter(|bit| word >> bit & 1 == 1) {
            let number = base.saturating_add(bit);
            match CAPABILITIES.get(i64::from(number)) {
                Some(name) => names.push(name),
                None => unknown.push(u64::from(number)),
            }
        }
    }
    (names, unknown)
}

number_names! {
    /// Signals of every architecture but MIPS: `include/uapi/asm-generic/signal.h`.
    SIGNALS, "signal":
    1 => "SIGHUP", 2 => "SIGINT", 3 => "SIGQUIT", 4 => "SIGILL", 5 => "SIGTRAP", 6 => "SIGABRT", 7 => "SIGBUS",
    8 => "SIGFPE", 9 => "SIGKILL", 10 => "SIGUSR1", 11 => "SIGSEGV", 12 => "SIGUSR2", 13 => "SIGPIPE",
    14 => "SIGALRM", 15 => "SIGTERM", 16 => "SIGSTKFLT", 17 => "SIGCHLD", 18 => "SIGCONT", 19 => "SIGSTOP",
    20 => "SIGTSTP", 21 => "SIGTTIN", 22 => "SIGTTOU", 23 => "SIGURG", 24 => "SIGXCPU", 25 => "SIGXFSZ",
    26 => "SIGVTALRM", 27 => "SIGPROF", 28 => "SIGWINCH", 29 => "SIGIO", 30 => "SIGPWR", 31 => "SIGSYS",
}

number_names! {
    /// Signals of MIPS: `arch/mips/include/uapi/asm/signal.h`.
    SIGNALS_MIPS, "signal":
    1 => "SIGHUP", 2 => "SIGINT", 3 => "SIGQUIT", 4 => "SIGILL", 5 => "SIGTRAP", 6 => "SIGABRT", 7 => "SIGEMT",
    8 => "SIGFPE", 9 => "SIGKILL", 10 => "SIGBUS", 11 => "SIGSEGV", 12 => "SIGSYS", 13 => "SIGPIPE",
    14 => "SIGALRM", 15 => "SIGTERM", 16 => "SIGUSR1", 17 => "SIGUSR2", 18 => "SIGCHLD", 19 => "SIGPWR",
    20 => "SIGWINCH", 21 => "SIGURG", 22 => "SIGIO", 23 => "SIGSTOP", 24 => "SIGTSTP", 25 => "SIGCONT",
    26 => "SIGTTIN", 27 => "SIGTTOU", 28 => "SIGVTALRM", 29 => "SIGPROF", 30 => "SIGXCPU", 31 => "SIGXFSZ",
}

/// Signals of a machine (`core_entry.mtype`).
#[must_use]
pub fn signals(mtype: Option<u32>) -> &'static NumberNames {
    if mtype == Some(MTYPE_MIPS) { &SIGNALS_MIPS } else { &SIGNALS }
}

/// Name of one signal; real time signals are `SIGRTMIN+n`, where the kernel's first is 32.
#[must_use]
pub fn signal_text(mtype: Option<u32>, signal: u64) -> String {
    let last = if mtype == Some(MTYPE_MIPS) { 128 } else { 64 };
    let name = i64::try_from(signal).ok().and_then(|number| signals(mtype).get(number));
    match (name, signal) {
        (Some(name), _) => name.to_owned(),
        (None, 32) => "SIGRTMIN".to_owned(),
        (None, 33..=128) if signal <= last => format!("SIGRTMIN+{}", signal.saturating_sub(32)),
        (None, _) => signal.to_string(),
    }
}

/// Signals of a mask (bit n-1 is signal n) by name, joined with a space, in brackets.
#[must_use]
pub fn signal_set_text(mtype: Option<u32>, mask: u64) -> String {
    if mask == u64::MAX {
        return "[all]".to_owned();
    }
    let names: Vec<String> = (0..64_u64)
        .filter(|bit| mask >> bit & 1 == 1)
        .map(|bit| signal_text(mtype, bit.saturating_add(1)))
        .collect();
    format!("[{}]", names.join(" "))
}

number_names! {
    /// Clone namespaces: `CLONE_NEW*` of `include/uapi/linux/sched.h`.
    NAMESPACES, "namespace":
    0x80 => "CLONE_NEWTIME", 0x2_0000 => "CLONE_NEWNS", 0x0200_0000 => "CLONE_NEWCGROUP",
    0x0400_0000 => "CLONE_NEWUTS", 0x0800_0000 => "CLONE_NEWIPC", 0x1000_0000 => "CLONE_NEWUSER",
    0x2000_0000 => "CLONE_NEWPID", 0x4000_0000 => "CLONE_NEWNET",
}

number_names! {
    /// Execution domains, the low byte of a personality: `include/uapi/linux/personality.h`.
    EXECUTION_DOMAINS, "execution domain":
    0 => "PER_LINUX", 1 => "PER_SVR4", 2 => "PER_SVR3", 3 => "PER_SCOSVR3", 4 => "PER_WYSEV386", 5 => "PER_ISCR4",
    6 => "PER_BSD", 7 => "PER_XENIX", 8 => "PER_LINUX32", 9 => "PER_IRIX32", 10 => "PER_IRIXN32", 11 => "PER_IRIX64",
    12 => "PER_RISCOS", 13 => "PER_SOLARIS", 14 => "PER_UW7", 15 => "PER_OSF4", 16 => "PER_HPUX",
}

flag_names! {
    /// Personality as the kernel has it, see [`personality`]: `include/uapi/linux/personality.h`.
    PERSONALITY, "personality", zero "PER_LINUX", choice 0xff of &EXECUTION_DOMAINS;
    0x0002_0000 => "UNAME26", 0x0004_0000 => "ADDR_NO_RANDOMIZE",
    0x0008_0000 => "FDPIC_FUNCPTRS", 0x0010_0000 => "MMAP_PAGE_ZERO", 0x0020_0000 => "ADDR_COMPAT_LAYOUT",
    0x0040_0000 => "READ_IMPLIES_EXEC", 0x0080_0000 => "ADDR_LIMIT_32BIT", 0x0100_0000 => "SHORT_INODE",
    0x0200_0000 => "WHOLE_SECONDS", 0x0400_0000 => "STICKY_TIMEOUTS", 0x0800_0000 => "ADDR_LIMIT_3GB",
}

/// The kernel's number of what `task_core_entry.personality` holds; `None` when that can be no reading of CRIU's.
///
/// CRIU reads `/proc/PID/personality`, which is hexadecimal, with `atoi(3)`: the digits of 0x00040000 become the number
/// 40000, and of a number with a letter in it what stands before the letter is left. Source: `get_task_personality` of
/// `criu/cr-dump.c` (every version up to 4.2), `proc_pid_personality` of the kernel's `fs/proc/base.c`.
#[must_use]
pub fn personality(stored: u32) -> Option<u32> {
    let digits = stored.to_string();
    (digits.len() <= 8).then(|| u32::from_str_radix(&digits, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digits_of_a_personality_are_hexadecimal() {
        let text = |stored| personality(stored).map(|value| PERSONALITY.text(value.into()));
        assert_eq!(text(0).as_deref(), Some("PER_LINUX"));
        assert_eq!(text(40_000).as_deref(), Some("PER_LINUX | ADDR_NO_RANDOMIZE"));
        assert_eq!(
            text(440_000).as_deref(),
            Some("PER_LINUX | ADDR_NO_RANDOMIZE | READ_IMPLIES_EXEC")
        );
        assert_eq!(text(8).as_deref(), Some("PER_LINUX32"));
        assert_eq!(text(10).as_deref(), Some("PER_HPUX"));
        assert_eq!(text(8_000_008).as_deref(), Some("PER_LINUX32 | ADDR_LIMIT_3GB"));
        assert_eq!(text(99).as_deref(), Some("0x99"));
        assert_eq!(personality(100_000_000), None);
    }
}
