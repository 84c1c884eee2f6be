//! Registers of x86-64, also of 32-bit tasks on it. Source: `criu/images/core-x86.proto`.

use crate::message::message;
use crate::names;

message! {
    /// A thread's state on x86. Source: `criu/images/core-x86.proto`.
    ThreadInfoX86 = "thread_info_x86" {
        /// Address cleared when the thread ends (`set_tid_address(2)`).
        clear_tid_addr: required uint64 = 1 [hex],
        /// General purpose registers.
        gpregs: required message(UserX86RegsEntry) = 2,
        /// Floating point and vector registers.
        fpregs: required message(UserX86FpregsEntry) = 3,
        /// The three segments for thread local storage; they matter to 32-bit tasks.
        tls: repeated message(UserDescT) = 4,
    }

    /// General purpose registers. Source: `criu/images/core-x86.proto`.
    UserX86RegsEntry = "user_x86_regs_entry" {
        /// r15.
        r15: required uint64 = 1 [hex],
        /// r14.
        r14: required uint64 = 2 [hex],
        /// r13.
        r13: required uint64 = 3 [hex],
        /// r12.
        r12: required uint64 = 4 [hex],
        /// rbp, frame pointer where kept.
        bp: required uint64 = 5 [hex],
        /// rbx.
        bx: required uint64 = 6 [hex],
        /// r11.
        r11: required uint64 = 7 [hex],
        /// r10, fourth argument of a system call.
        r10: required uint64 = 8 [hex],
        /// r9.
        r9: required uint64 = 9 [hex],
        /// r8.
        r8: required uint64 = 10 [hex],
        /// rax, result of a system call.
        ax: required uint64 = 11 [hex],
        /// rcx.
        cx: required uint64 = 12 [hex],
        /// rdx.
        dx: required uint64 = 13 [hex],
        /// rsi.
        si: required uint64 = 14 [hex],
        /// rdi.
        di: required uint64 = 15 [hex],
        /// Number of the system call the thread is in, all ones when in none.
        orig_ax: required uint64 = 16 [hex],
        /// Program counter.
        ip: required uint64 = 17 [hex],
        /// Code segment.
        cs: required uint64 = 18 [hex],
        /// rflags.
        flags: required uint64 = 19 [hex],
        /// Stack pointer.
        sp: required uint64 = 20 [hex],
        /// Stack segment.
        ss: required uint64 = 21 [hex],
        /// Base of fs: the thread control block of 64-bit tasks.
        fs_base: required uint64 = 22 [hex],
        /// Base of gs.
        gs_base: required uint64 = 23 [hex],
        /// Data segment.
        ds: required uint64 = 24 [hex],
        /// Extra segment.
        es: required uint64 = 25 [hex],
        /// fs selector.
        fs: required uint64 = 26 [hex],
        /// gs selector.
        gs: required uint64 = 27 [hex],
        /// Absent or 1 is a 64-bit task, 2 a 32-bit one.
        mode: optional uint32 = 28 [names(&names::X86_MODES)],
    }

    /// `FXSAVE` area and its extension. Source: `criu/images/core-x86.proto`.
    UserX86FpregsEntry = "user_x86_fpregs_entry" {
        /// x87 control word.
        cwd: required uint32 = 1 [hex],
        /// x87 status word.
        swd: required uint32 = 2 [hex],
        /// x87 tag word.
        twd: required uint32 = 3 [hex],
        /// Last x87 opcode.
        fop: required uint32 = 4 [hex],
        /// Last x87 instruction.
        rip: required uint64 = 5 [hex],
        /// Last x87 operand.
        rdp: required uint64 = 6 [hex],
        /// SSE control and status.
        mxcsr: required uint32 = 7 [hex],
        /// Writable bits of mxcsr on that processor.
        mxcsr_mask: required uint32 = 8 [hex],
        /// st0 to st7, four 32-bit words each (32 words).
        st_space: repeated uint32 = 9 [hex],
        /// xmm0 to xmm15, four 32-bit words each (64 words).
        xmm_space: repeated uint32 = 10 [hex],
        /// Unused, 24 words.
        padding: repeated uint32 = 11 [hex],
        /// What `XSAVE` adds.
        xsave: optional message(UserX86XsaveEntry) = 13,
    }

    /// Extended state; lists appear when the processor has the feature. Source: `criu/images/core-x86.proto`.
    UserX86XsaveEntry = "user_x86_xsave_entry" {
        /// Bit map of the components that are not in their initial state.
        xstate_bv: required uint64 = 1 [hex],
        /// Upper halves of ymm0 to ymm15, four 32-bit words each.
        ymmh_space: repeated uint32 = 2 [hex],
        /// MPX bounds.
        bndreg_state: repeated uint64 = 3 [hex],
        /// MPX configuration.
        bndcsr_state: repeated uint64 = 4 [hex],
        /// AVX-512 masks k0 to k7.
        opmask_reg: repeated uint64 = 5 [hex],
        /// Upper halves of zmm0 to zmm15, four 64-bit words each.
        zmm_upper: repeated uint64 = 6 [hex],
        /// zmm16 to zmm31, eight 64-bit words each.
        hi16_zmm: repeated uint64 = 7 [hex],
        /// Protection key rights.
        pkru: repeated uint32 = 8 [hex],
        /// Control flow enforcement (since 4.0).
        cet: optional message(UserX86CetEntry) = 9,
    }

    /// Shadow stack state. Source: `criu/images/core-x86.proto`.
    UserX86CetEntry = "user_x86_cet_entry" {
        /// `IA32_U_CET`.
        cet: required uint64 = 1 [hex],
        /// Shadow stack pointer.
        ssp: required uint64 = 2 [hex],
    }

    /// A segment descriptor, `struct user_desc`. Source: `criu/images/core-x86.proto`.
    UserDescT = "user_desc_t" {
        /// Index in the global descriptor table.
        entry_number: required uint32 = 1,
        /// Base address.
        base_addr: required uint32 = 2 [hex],
        /// Limit, in bytes or pages.
        limit: required uint32 = 3 [hex],
        /// 32-bit segment.
        seg_32bit: required bool = 4,
        /// High bit of the contents.
        contents_h: required bool = 5,
        /// Low bit of the contents.
        contents_l: required bool = 6,
        /// Not writable.
        read_exec_only: required bool = 7,
        /// The limit counts pages.
        limit_in_pages: required bool = 8,
        /// An empty slot.
        seg_not_present: required bool = 9,
        /// Available to the system.
        usable: required bool = 10,
    }
}
