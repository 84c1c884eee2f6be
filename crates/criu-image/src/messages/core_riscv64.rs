//! Registers of riscv64. Source: `criu/images/core-riscv64.proto`.

use crate::message::message;

message! {
    /// A thread's state on riscv64 (since 4.1). Source: `criu/images/core-riscv64.proto`.
    ThreadInfoRiscv64 = "thread_info_riscv64" {
        /// Address cleared when the thread ends.
        clear_tid_addr: required uint64 = 1 [hex],
        /// Thread pointer.
        tls: required uint64 = 2 [hex],
        /// General purpose registers.
        gpregs: required message(UserRiscv64RegsEntry) = 3,
        /// Floating point registers.
        fpsimd: required message(UserRiscv64DExtEntry) = 4,
    }

    /// General purpose registers. Source: `criu/images/core-riscv64.proto`.
    UserRiscv64RegsEntry = "user_riscv64_regs_entry" {
        /// Program counter.
        pc: required uint64 = 1 [hex],
        /// Return address (x1).
        ra: required uint64 = 2 [hex],
        /// Stack pointer (x2).
        sp: required uint64 = 3 [hex],
        /// Global pointer (x3).
        gp: required uint64 = 4 [hex],
        /// Thread pointer (x4).
        tp: required uint64 = 5 [hex],
        /// Temporary register 0.
        t0: required uint64 = 6 [hex],
        /// Temporary register 1.
        t1: required uint64 = 7 [hex],
        /// Temporary register 2.
        t2: required uint64 = 8 [hex],
        /// Frame pointer (x8).
        s0: required uint64 = 9 [hex],
        /// Saved register 1.
        s1: required uint64 = 10 [hex],
        /// First argument and result (x10).
        a0: required uint64 = 11 [hex],
        /// Argument register 1.
        a1: required uint64 = 12 [hex],
        /// Argument register 2.
        a2: required uint64 = 13 [hex],
        /// Argument register 3.
        a3: required uint64 = 14 [hex],
        /// Argument register 4.
        a4: required uint64 = 15 [hex],
        /// Argument register 5.
        a5: required uint64 = 16 [hex],
        /// Argument register 6.
        a6: required uint64 = 17 [hex],
        /// Number of a system call (x17).
        a7: required uint64 = 18 [hex],
        /// Saved register 2.
        s2: required uint64 = 19 [hex],
        /// Saved register 3.
        s3: required uint64 = 20 [hex],
        /// Saved register 4.
        s4: required uint64 = 21 [hex],
        /// Saved register 5.
        s5: required uint64 = 22 [hex],
        /// Saved register 6.
        s6: required uint64 = 23 [hex],
        /// Saved register 7.
        s7: required uint64 = 24 [hex],
        /// Saved register 8.
        s8: required uint64 = 25 [hex],
        /// Saved register 9.
        s9: required uint64 = 26 [hex],
        /// Saved register 10.
        s10: required uint64 = 27 [hex],
        /// Saved register 11.
        s11: required uint64 = 28 [hex],
        /// Temporary register 3.
        t3: required uint64 = 29 [hex],
        /// Temporary register 4.
        t4: required uint64 = 30 [hex],
        /// Temporary register 5.
        t5: required uint64 = 31 [hex],
        /// Temporary register 6.
        t6: required uint64 = 32 [hex],
    }

    /// Floating point registers. Source: `criu/images/core-riscv64.proto`.
    UserRiscv64DExtEntry = "user_riscv64_d_ext_entry" {
        /// f0 to f31.
        f: repeated uint64 = 1 [hex],
        /// Control and status.
        fcsr: required uint32 = 2 [hex],
    }
}
