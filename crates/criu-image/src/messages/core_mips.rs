//! Registers of mips64. Source: `criu/images/core-mips.proto`.

use crate::message::message;

message! {
    /// A thread's state on mips64. Source: `criu/images/core-mips.proto`.
    ThreadInfoMips = "thread_info_mips" {
        /// Address cleared when the thread ends.
        clear_tid_addr: required uint64 = 1 [hex],
        /// Thread pointer.
        tls: required uint64 = 2 [hex],
        /// General purpose registers.
        gpregs: required message(UserMipsRegsEntry) = 3,
        /// Floating point registers.
        fpregs: required message(UserMipsFpregsEntry) = 4,
    }

    /// General purpose registers. Source: `criu/images/core-mips.proto`.
    UserMipsRegsEntry = "user_mips_regs_entry" {
        /// r0, always zero.
        r0: required uint64 = 1 [hex],
        /// r1.
        r1: required uint64 = 2 [hex],
        /// r2 (v0), result, number of a system call.
        r2: required uint64 = 3 [hex],
        /// r3.
        r3: required uint64 = 4 [hex],
        /// r4 (a0), first argument.
        r4: required uint64 = 5 [hex],
        /// r5.
        r5: required uint64 = 6 [hex],
        /// r6.
        r6: required uint64 = 7 [hex],
        /// r7.
        r7: required uint64 = 8 [hex],
        /// r8.
        r8: required uint64 = 9 [hex],
        /// r9.
        r9: required uint64 = 10 [hex],
        /// r10.
        r10: required uint64 = 11 [hex],
        /// r11.
        r11: required uint64 = 12 [hex],
        /// r12.
        r12: required uint64 = 13 [hex],
        /// r13.
        r13: required uint64 = 14 [hex],
        /// r14.
        r14: required uint64 = 15 [hex],
        /// r15.
        r15: required uint64 = 16 [hex],
        /// r16.
        r16: required uint64 = 17 [hex],
        /// r17.
        r17: required uint64 = 18 [hex],
        /// r18.
        r18: required uint64 = 19 [hex],
        /// r19.
        r19: required uint64 = 20 [hex],
        /// r20.
        r20: required uint64 = 21 [hex],
        /// r21.
        r21: required uint64 = 22 [hex],
        /// r22.
        r22: required uint64 = 23 [hex],
        /// r23.
        r23: required uint64 = 24 [hex],
        /// r24.
        r24: required uint64 = 25 [hex],
        /// r25.
        r25: required uint64 = 26 [hex],
        /// r26.
        r26: required uint64 = 27 [hex],
        /// r27.
        r27: required uint64 = 28 [hex],
        /// r28 (gp).
        r28: required uint64 = 29 [hex],
        /// r29 (sp), stack pointer.
        r29: required uint64 = 30 [hex],
        /// r30 (fp), frame pointer.
        r30: required uint64 = 31 [hex],
        /// r31 (ra), return address.
        r31: required uint64 = 32 [hex],
        /// Multiplication result, low word.
        lo: required uint64 = 33 [hex],
        /// Multiplication result, high word.
        hi: required uint64 = 34 [hex],
        /// Program counter.
        cp0_epc: required uint64 = 35 [hex],
        /// Last faulting address.
        cp0_badvaddr: required uint64 = 36 [hex],
        /// Status of coprocessor 0.
        cp0_status: required uint64 = 37 [hex],
        /// Cause of the last exception.
        cp0_cause: required uint64 = 38 [hex],
    }

    /// Floating point registers. Source: `criu/images/core-mips.proto`.
    UserMipsFpregsEntry = "user_mips_fpregs_entry" {
        /// f0.
        r0: required uint64 = 1 [hex],
        /// f1.
        r1: required uint64 = 2 [hex],
        /// f2.
        r2: required uint64 = 3 [hex],
        /// f3.
        r3: required uint64 = 4 [hex],
        /// f4.
        r4: required uint64 = 5 [hex],
        /// f5.
        r5: required uint64 = 6 [hex],
        /// f6.
        r6: required uint64 = 7 [hex],
        /// f7.
        r7: required uint64 = 8 [hex],
        /// f8.
        r8: required uint64 = 9 [hex],
        /// f9.
        r9: required uint64 = 10 [hex],
        /// f10.
        r10: required uint64 = 11 [hex],
        /// f11.
        r11: required uint64 = 12 [hex],
        /// f12.
        r12: required uint64 = 13 [hex],
        /// f13.
        r13: required uint64 = 14 [hex],
        /// f14.
        r14: required uint64 = 15 [hex],
        /// f15.
        r15: required uint64 = 16 [hex],
        /// f16.
        r16: required uint64 = 17 [hex],
        /// f17.
        r17: required uint64 = 18 [hex],
        /// f18.
        r18: required uint64 = 19 [hex],
        /// f19.
        r19: required uint64 = 20 [hex],
        /// f20.
        r20: required uint64 = 21 [hex],
        /// f21.
        r21: required uint64 = 22 [hex],
        /// f22.
        r22: required uint64 = 23 [hex],
        /// f23.
        r23: required uint64 = 24 [hex],
        /// f24.
        r24: required uint64 = 25 [hex],
        /// f25.
        r25: required uint64 = 26 [hex],
        /// f26.
        r26: required uint64 = 27 [hex],
        /// f27.
        r27: required uint64 = 28 [hex],
        /// f28.
        r28: required uint64 = 29 [hex],
        /// f29.
        r29: required uint64 = 30 [hex],
        /// f30.
        r30: required uint64 = 31 [hex],
        /// f31.
        r31: required uint64 = 32 [hex],
        /// DSP accumulator, low word.
        lo: required uint64 = 33 [hex],
        /// DSP accumulator, high word.
        hi: required uint64 = 34 [hex],
        /// Control and status.
        fpu_fcr31: required uint32 = 35 [hex],
        /// Implementation of the unit.
        fpu_id: required uint32 = 36 [hex],
    }
}
