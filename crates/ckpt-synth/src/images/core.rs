//! `core-TID.img`: registers, credentials and the rest of a task's own state. Source: `criu/images/core.proto`.

use crate::arch::Arch;
use crate::dialect::Dialect;
use crate::protobuf::Message;
use crate::task::{State, Task};

/// What the core images of one task need from the rest of the dump.
pub(crate) struct Surroundings {
    pub(crate) arch: Arch,
    pub(crate) dialect: Dialect,
    /// Credentials, timers and handlers go to images of their own.
    pub(crate) old_images: bool,
    /// Index of the task's seccomp filter in `seccomp.img`.
    pub(crate) seccomp_filter: Option<u32>,
}

/// `core_entry` of a thread; of the leader, with `tc`.
pub(crate) fn core(
    task: &Task,
    around: &Surroundings,
    comm: &[u8],
    leader: bool,
    registers: (u64, u64),
) -> Message {
    let mut core = Message::new().uint(1, around.arch.mtype()); // mtype
    if task.state == State::Zombie {
        return core.message(3, &task_core(task, around)); // tc
    }
    let (field, info) = thread_info(around.arch, registers, task.compat);
    if field == 2 {
        core = core.message(2, &info); // thread_info
    }
    if leader {
        core = core.message(3, &task_core(task, around)); // tc
    }
    core = core.message(5, &thread_core(task, around, comm)); // thread_core
    if field == 2 { core } else { core.message(field, &info) }
}

fn task_core(task: &Task, around: &Surroundings) -> Message {
    let zombie = task.state == State::Zombie;
    let mut tc = Message::new()
        .uint(1, task.state.number()) // task_state
        .uint(2, task.exit_code) // exit_code
        .uint(3, 0u32) // personality
        .uint(4, 0x40_0100u32) // flags
        .uint(5, 0u32) // blk_sigset
        .bytes(6, task.comm_bytes()); // comm
    if zombie {
        return tc;
    }
    if !around.old_images {
        let timers = task.timers.clone().unwrap_or_else(timers);
        tc = tc.message(7, &timers); // timers
        let limits = rlimits();
        tc = tc.message(8, &Message::new().messages(1, &limits)); // rlimits
    }
    if around.dialect.is_317() {
        tc = tc.uint(9, 2u32); // cg_set
    }
    tc = tc
        .message(10, &Message::new()) // signals_s
        .uint(13, task.loginuid) // loginuid
        .int(14, task.oom_score_adj); // oom_score_adj
    if !around.old_images {
        tc = tc.messages(15, &sigactions()); // sigactions
    }
    if task.state == State::Stopped && !around.dialect.is_317() {
        tc = tc.uint(21, task.stop_signal); // stop_signo
    }
    tc.and(&task.tc_extra)
}

fn thread_core(task: &Task, around: &Surroundings, comm: &[u8]) -> Message {
    let sas = Message::new().uint(1, 0u32).uint(2, 0u32).uint(3, 2u32); // ss_sp, ss_size, ss_flags: disabled
    let mut core = Message::new()
        .uint(1, 0u32) // futex_rla
        .uint(2, 24u32) // futex_rla_len
        .sint(3, 0) // sched_nice
        .uint(4, 0u32) // sched_policy
        .message(7, &sas) // sas
        .message(9, &Message::new()); // signals_p
    if !around.old_images {
        core = core.message(10, &creds(task, around.dialect)); // creds
    }
    if let Some(filter) = around.seccomp_filter {
        core = core.uint(11, 2u32).uint(12, filter); // seccomp_mode, seccomp_filter
    }
    let comm: Vec<u8> = comm.iter().copied().take(15).collect();
    core = core.bytes(13, comm); // comm
    let rseq = Message::new().uint(1, 0u32).uint(2, 0u32).uint(3, 0u32); // rseq_abi_pointer, rseq_abi_size, signature
    core = core.message(15, &rseq); // rseq_entry
    let core = if around.dialect.is_317() { core } else { core.uint(16, 2u32) }; // cg_set
    core.and(&task.thread_extra)
}

/// `creds_entry`, also the record of the old `creds-TID.img`. Source: `criu/images/creds.proto`.
pub(crate) fn creds(task: &Task, dialect: Dialect) -> Message {
    let words = |mask: u64| [mask & 0xffff_ffff, mask >> 32];
    let mut creds = Message::new();
    for id in 0..4 {
        // uid, gid, euid, egid, suid, sgid, fsuid, fsgid
        creds = creds.uint(2 * id + 1, task.uid).uint(2 * id + 2, task.gid);
    }
    creds = creds
        .uints(9, words(task.caps.inheritable)) // cap_inh
        .uints(10, words(task.caps.permitted)) // cap_prm
        .uints(11, words(task.caps.effective)) // cap_eff
        .uints(12, words(task.caps.bounding)) // cap_bnd
        .uint(13, 0u32) // secbits
        .uints(14, task.groups.iter().copied()); // groups
    if let Some(profile) = &task.lsm_profile {
        creds = creds.bytes(15, profile); // lsm_profile
    }
    if dialect.is_317() {
        return creds;
    }
    if task.no_new_privs {
        creds = creds.uint(18, 1u32); // no_new_privs
    }
    creds.uints(19, words(task.caps.ambient)) // cap_amb
}

/// `rlimit_entry`, sixteen of them, by number; also the records of the old `rlimit-PID.img`.
pub(crate) fn rlimits() -> Vec<Message> {
    (0..16u32)
        .map(|number| {
            let (soft, hard) = match number {
                3 => (0x80_0000, u64::MAX),  // RLIMIT_STACK
                4 => (0, u64::MAX),          // RLIMIT_CORE
                7 => (0x10_0000, 0x10_0000), // RLIMIT_NOFILE
                8 => (0x80_0000, 0x80_0000), // RLIMIT_MEMLOCK
                13 | 14 => (0, 0),           // RLIMIT_NICE, RLIMIT_RTPRIO
                _ => (u64::MAX, u64::MAX),
            };
            Message::new().uint(1, soft).uint(2, hard) // cur, max
        })
        .collect()
}

/// `sa_entry` for every signal but KILL and STOP; also the records of the old `sigacts-PID.img`.
pub(crate) fn sigactions() -> Vec<Message> {
    (1..=64u32)
        .filter(|signal| ![9, 19].contains(signal))
        .map(|signal| {
            let handler = u64::from(signal == 13); // SIGPIPE is ignored
            Message::new().uint(1, handler).uint(2, 0u32).uint(3, 0u32).uint(4, 0u32) // sigaction, flags, restorer, mask
        })
        .collect()
}

/// `itimer_entry` without time; three are the records of the old `itimers-PID.img`.
pub(crate) fn itimer() -> Message {
    Message::new().uint(1, 0u32).uint(2, 0u32).uint(3, 0u32).uint(4, 0u32) // isec, iusec, vsec, vusec
}

fn timers() -> Message {
    Message::new().message(1, &itimer()).message(2, &itimer()).message(3, &itimer()) // real, virt, prof
}

/// The architecture's own message and its field in `core_entry`. Source: `criu/images/core-*.proto`.
fn thread_info(arch: Arch, (ip, sp): (u64, u64), compat: bool) -> (u32, Message) {
    let zeros = |count: usize| std::iter::repeat_n(0u32, count);
    match arch {
        Arch::X86_64 => (2, x86(ip, sp, if compat { 2 } else { 1 })),
        Arch::Aarch64 { .. } => {
            let regs = Message::new()
                .uints(1, (0..31).map(|n: u32| if n == 8 { 98 } else { n })) // regs: x8 is the system call
                .uint(2, sp) // sp
                .uint(3, ip) // pc
                .uint(4, 0x1000u32); // pstate
            let fpsimd = Message::new().uints(1, zeros(64)).uint(2, 0u32).uint(3, 0u32); // vregs, fpsr, fpcr
            // clear_tid_addr, tls, gpregs, fpsimd
            (8, Message::new().uint(1, 0u32).uint(2, 0u32).message(3, &regs).message(4, &fpsimd))
        }
        Arch::Ppc64le { .. } => {
            let mut regs = Message::new()
                .uints(1, (0..32u64).map(|n| if n == 1 { sp } else { n })) // gpr
                .uint(2, ip); // nip
            for field in 3..=9 {
                regs = regs.uint(field, 0u32); // msr, orig_gpr3, ctr, link, xer, ccr, trap
            }
            (9, Message::new().uint(1, 0u32).message(2, &regs)) // clear_tid_addr, gpregs
        }
        Arch::S390x => {
            let regs = Message::new()
                .uint(1, 0x0705_0001_8000_0000u64) // psw_mask
                .uint(2, ip) // psw_addr
                .uints(3, (0..16u64).map(|n| if n == 15 { sp } else { n })) // gprs
                .uints(4, zeros(16)) // acrs
                .uint(5, 0u32) // orig_gpr2
                .uint(6, 0u32); // system_call
            let fpregs = Message::new().uint(1, 0u32).uints(2, zeros(16)); // fpc, fprs
            // clear_tid_addr, gpregs, fpregs
            (10, Message::new().uint(1, 0u32).message(2, &regs).message(3, &fpregs))
        }
        Arch::LoongArch64 { .. } => {
            let regs = Message::new()
                .uints(1, (0..32u64).map(|n| if n == 3 { sp } else { n })) // regs
                .uint(2, ip); // pc
            let fpregs = Message::new().uints(1, zeros(32)).uint(2, 0u32).uint(3, 0u32); // regs, fcc, fcsr
            // clear_tid_addr, tls, gpregs, fpregs
            (12, Message::new().uint(1, 0u32).uint(2, 0u32).message(3, &regs).message(4, &fpregs))
        }
        Arch::Riscv64 => {
            let mut regs = Message::new().uint(1, ip).uint(2, 0u32).uint(3, sp); // pc, ra, sp
            for field in 4..=32 {
                regs = regs.uint(field, field); // gp, tp, t0 ... t6
            }
            let fpsimd = Message::new().uints(1, zeros(32)).uint(2, 0u32); // f, fcsr
            // clear_tid_addr, tls, gpregs, fpsimd
            (13, Message::new().uint(1, 0u32).uint(2, 0u32).message(3, &regs).message(4, &fpsimd))
        }
    }
}

fn x86(ip: u64, sp: u64, mode: u64) -> Message {
    let mut regs = Message::new();
    for field in 1..=28u32 {
        let value = match field {
            16 => 202,         // orig_ax: futex
            17 => ip,          // ip
            18 => 0x33,        // cs
            19 => 0x246,       // flags
            20 => sp,          // sp
            21 => 0x2b,        // ss
            22..=27 => 0,      // fs_base, gs_base, ds, es, fs, gs
            28 => mode,        // mode: native or compat
            n => u64::from(n), // r15 ... di, numbered so that a test can tell them apart
        };
        regs = regs.uint(field, value);
    }
    let mut fpregs = Message::new();
    for field in 1..=8u32 {
        let value = match field {
            1 => 0x37f_u32, // cwd
            7 => 0x1f80,    // mxcsr
            8 => 0xffff,    // mxcsr_mask
            _ => 0,         // swd, twd, fop, rip, rdp
        };
        fpregs = fpregs.uint(field, value);
    }
    let zeros = |count: usize| std::iter::repeat_n(0u32, count);
    fpregs = fpregs.uints(9, zeros(32)).uints(10, 0..64u32).uints(11, zeros(24)); // st_space, xmm_space, padding
    Message::new().uint(1, 0u32).message(2, &regs).message(3, &fpregs) // clear_tid_addr, gpregs, fpregs
}
