//! Registers of arm, aarch64, ppc64, s390x and loongarch64.

use crate::message::message;

message! {
    /// A thread's state on aarch64. Source: `criu/images/core-aarch64.proto`.
    ThreadInfoAarch64 = "thread_info_aarch64" {
        /// Address cleared when the thread ends.
        clear_tid_addr: required uint64 = 1 [hex],
        /// `TPIDR_EL0`, the thread pointer.
        tls: required uint64 = 2 [hex],
        /// General purpose registers.
        gpregs: required message(UserAarch64RegsEntry) = 3,
        /// Vector registers; the state of SVE and SME is not dumped.
        fpsimd: required message(UserAarch64FpsimdContextEntry) = 4,
        /// Pointer authentication keys: secrets of the process (since 4.1). Empty where the processor has none.
        pac_keys: optional message(PacKeys) = 5,
        /// Guarded control stack (after 4.2).
        gcs: optional message(UserAarch64GcsEntry) = 6,
    }

    /// General purpose registers. Source: `criu/images/core-aarch64.proto`.
    UserAarch64RegsEntry = "user_aarch64_regs_entry" {
        /// x0 to x30; x8 is the number of a system call, x29 the frame pointer, x30 the link register.
        regs: repeated uint64 = 1 [hex],
        /// Stack pointer.
        sp: required uint64 = 2 [hex],
        /// Program counter.
        pc: required uint64 = 3 [hex],
        /// Processor state.
        pstate: required uint64 = 4 [hex],
    }

    /// Vector registers. Source: `criu/images/core-aarch64.proto`.
    UserAarch64FpsimdContextEntry = "user_aarch64_fpsimd_context_entry" {
        /// v0 to v31, low then high half each (64 words).
        vregs: repeated uint64 = 1 [hex],
        /// Status.
        fpsr: required uint32 = 2 [hex],
        /// Control.
        fpcr: required uint32 = 3 [hex],
    }

    /// Pointer authentication keys. Source: `criu/images/core-aarch64.proto`.
    PacKeys = "pac_keys" {
        /// Keys for addresses.
        pac_address_keys: optional message(PacAddressKeys) = 6,
        /// Keys for data.
        pac_generic_keys: optional message(PacGenericKeys) = 7,
    }

    /// Keys for addresses. Source: `criu/images/core-aarch64.proto`.
    PacAddressKeys = "pac_address_keys" {
        /// Instruction key A, low half.
        apiakey_lo: required uint64 = 1 [hex],
        /// Instruction key A, high half.
        apiakey_hi: required uint64 = 2 [hex],
        /// Instruction key B, low half.
        apibkey_lo: required uint64 = 3 [hex],
        /// Instruction key B, high half.
        apibkey_hi: required uint64 = 4 [hex],
        /// Data key A, low half.
        apdakey_lo: required uint64 = 5 [hex],
        /// Data key A, high half.
        apdakey_hi: required uint64 = 6 [hex],
        /// Data key B, low half.
        apdbkey_lo: required uint64 = 7 [hex],
        /// Data key B, high half.
        apdbkey_hi: required uint64 = 8 [hex],
        /// Bit map of the keys in use.
        pac_enabled_key: required uint64 = 9 [hex],
    }

    /// Key for data. Source: `criu/images/core-aarch64.proto`.
    PacGenericKeys = "pac_generic_keys" {
        /// Low half.
        apgakey_lo: required uint64 = 1 [hex],
        /// High half.
        apgakey_hi: required uint64 = 2 [hex],
    }

    /// Guarded control stack (after 4.2). Source: `criu/images/core-aarch64.proto`.
    UserAarch64GcsEntry = "user_aarch64_gcs_entry" {
        /// Its pointer.
        gcspr_el0: required uint64 = 1 [hex],
        /// `PR_SHADOW_STACK_*` modes in use.
        features_enabled: required uint64 = 2 [hex],
    }

    /// A thread's state on arm. Source: `criu/images/core-arm.proto`.
    ThreadInfoArm = "thread_info_arm" {
        /// Address cleared when the thread ends.
        clear_tid_addr: required uint64 = 1 [hex],
        /// Thread pointer.
        tls: required uint32 = 2 [hex],
        /// General purpose registers.
        gpregs: required message(UserArmRegsEntry) = 3,
        /// Floating point registers.
        fpstate: required message(UserArmVfpstateEntry) = 4,
    }

    /// General purpose registers. Source: `criu/images/core-arm.proto`.
    UserArmRegsEntry = "user_arm_regs_entry" {
        /// r0.
        r0: required uint32 = 1 [hex],
        /// r1.
        r1: required uint32 = 2 [hex],
        /// r2.
        r2: required uint32 = 3 [hex],
        /// r3.
        r3: required uint32 = 4 [hex],
        /// r4.
        r4: required uint32 = 5 [hex],
        /// r5.
        r5: required uint32 = 6 [hex],
        /// r6.
        r6: required uint32 = 7 [hex],
        /// r7, number of a system call.
        r7: required uint32 = 8 [hex],
        /// r8.
        r8: required uint32 = 9 [hex],
        /// r9.
        r9: required uint32 = 10 [hex],
        /// r10.
        r10: required uint32 = 11 [hex],
        /// r11, frame pointer.
        fp: required uint32 = 12 [hex],
        /// r12, scratch; not the program counter.
        ip: required uint32 = 13 [hex],
        /// Stack pointer.
        sp: required uint32 = 14 [hex],
        /// Link register.
        lr: required uint32 = 15 [hex],
        /// Program counter.
        pc: required uint32 = 16 [hex],
        /// Program status.
        cpsr: required uint32 = 17 [hex],
        /// r0 on entry of the system call.
        orig_r0: required uint32 = 18 [hex],
    }

    /// Floating point registers. Source: `criu/images/core-arm.proto`.
    UserArmVfpstateEntry = "user_arm_vfpstate_entry" {
        /// d0 to d31.
        vfp_regs: repeated uint64 = 1 [hex],
        /// Status and control.
        fpscr: required uint32 = 2 [hex],
        /// Exception.
        fpexc: required uint32 = 3 [hex],
        /// Instruction.
        fpinst: required uint32 = 4 [hex],
        /// Second instruction.
        fpinst2: required uint32 = 5 [hex],
    }

    /// A thread's state on ppc64. Source: `criu/images/core-ppc64.proto`.
    ThreadInfoPpc64 = "thread_info_ppc64" {
        /// Address cleared when the thread ends.
        clear_tid_addr: required uint64 = 1 [hex],
        /// General purpose registers.
        gpregs: required message(UserPpc64RegsEntry) = 2,
        /// Floating point registers.
        fpstate: optional message(UserPpc64FpstateEntry) = 3,
        /// Altivec registers.
        vrstate: optional message(UserPpc64VrstateEntry) = 4,
        /// VSX registers.
        vsxstate: optional message(UserPpc64VsxstateEntry) = 5,
        /// Registers of a suspended transaction.
        tmstate: optional message(UserPpc64TmRegsEntry) = 6,
    }

    /// General purpose registers. Source: `criu/images/core-ppc64.proto`.
    UserPpc64RegsEntry = "user_ppc64_regs_entry" {
        /// r0 to r31; r1 is the stack pointer.
        gpr: repeated uint64 = 1 [hex],
        /// Program counter.
        nip: required uint64 = 2 [hex],
        /// Machine state.
        msr: required uint64 = 3 [hex],
        /// r3 on entry of the system call.
        orig_gpr3: required uint64 = 4 [hex],
        /// Count register.
        ctr: required uint64 = 5 [hex],
        /// Link register.
        link: required uint64 = 6 [hex],
        /// Fixed point exceptions.
        xer: required uint64 = 7 [hex],
        /// Condition register.
        ccr: required uint64 = 8 [hex],
        /// Trap that entered the kernel.
        trap: required uint64 = 9 [hex],
        /// Transaction exceptions and status.
        texasr: optional uint64 = 10 [hex],
        /// Transaction failure handler.
        tfhar: optional uint64 = 11 [hex],
        /// Transaction failure instruction.
        tfiar: optional uint64 = 12 [hex],
    }

    /// Floating point registers. Source: `criu/images/core-ppc64.proto`.
    UserPpc64FpstateEntry = "user_ppc64_fpstate_entry" {
        /// fpr0 on, then the status.
        fpregs: repeated uint64 = 1 [hex],
    }

    /// Altivec registers. Source: `criu/images/core-ppc64.proto`.
    UserPpc64VrstateEntry = "user_ppc64_vrstate_entry" {
        /// High then low half of each 128-bit register; the last pair is the status.
        vrregs: repeated uint64 = 1 [hex],
        /// Which registers are in use.
        vrsave: required uint32 = 2 [hex],
    }

    /// VSX registers. Source: `criu/images/core-ppc64.proto`.
    UserPpc64VsxstateEntry = "user_ppc64_vsxstate_entry" {
        /// Low halves of the first 32 registers.
        vsxregs: repeated uint64 = 1 [hex],
    }

    /// Registers of a suspended transaction. Source: `criu/images/core-ppc64.proto`.
    UserPpc64TmRegsEntry = "user_ppc64_tm_regs_entry" {
        /// General purpose registers.
        gpregs: required message(UserPpc64RegsEntry) = 1,
        /// Floating point registers.
        fpstate: optional message(UserPpc64FpstateEntry) = 2,
        /// Altivec registers.
        vrstate: optional message(UserPpc64VrstateEntry) = 3,
        /// VSX registers.
        vsxstate: optional message(UserPpc64VsxstateEntry) = 4,
    }

    /// A thread's state on s390x. Source: `criu/images/core-s390.proto`.
    ThreadInfoS390 = "thread_info_s390" {
        /// Address cleared when the thread ends.
        clear_tid_addr: required uint64 = 1 [hex],
        /// General purpose registers.
        gpregs: required message(UserS390RegsEntry) = 2,
        /// Floating point registers.
        fpregs: required message(UserS390FpregsEntry) = 3,
        /// Low halves of the vector registers 0 to 15.
        vxrs_low: optional message(UserS390VxrsLowEntry) = 4,
        /// Vector registers 16 to 31.
        vxrs_high: optional message(UserS390VxrsHighEntry) = 5,
        /// Guarded storage control block.
        gs_cb: optional message(UserS390GsCbEntry) = 6,
        /// Guarded storage broadcast control block.
        gs_bc: optional message(UserS390GsCbEntry) = 7,
        /// Runtime instrumentation.
        ri_cb: optional message(UserS390RiEntry) = 8,
    }

    /// General purpose registers. Source: `criu/images/core-s390.proto`.
    UserS390RegsEntry = "user_s390_regs_entry" {
        /// Mask of the program status word.
        psw_mask: required uint64 = 1 [hex],
        /// Program counter.
        psw_addr: required uint64 = 2 [hex],
        /// r0 to r15; r15 is the stack pointer.
        gprs: repeated uint64 = 3 [hex],
        /// Access registers 0 to 15; a0 and a1 hold the thread pointer.
        acrs: repeated uint32 = 4 [hex],
        /// r2 on entry of the system call.
        orig_gpr2: required uint64 = 5 [hex],
        /// System call the thread is in.
        system_call: required uint32 = 6,
    }

    /// Floating point registers. Source: `criu/images/core-s390.proto`.
    UserS390FpregsEntry = "user_s390_fpregs_entry" {
        /// Control.
        fpc: required uint32 = 1 [hex],
        /// f0 to f15.
        fprs: repeated uint64 = 2 [hex],
    }

    /// Low halves of vector registers. Source: `criu/images/core-s390.proto`.
    UserS390VxrsLowEntry = "user_s390_vxrs_low_entry" {
        /// v0 to v15.
        regs: repeated uint64 = 1 [hex],
    }

    /// Whole vector registers. Source: `criu/images/core-s390.proto`.
    UserS390VxrsHighEntry = "user_s390_vxrs_high_entry" {
        /// v16 to v31, high then low half each.
        regs: repeated uint64 = 1 [hex],
    }

    /// A guarded storage block. Source: `criu/images/core-s390.proto`.
    UserS390GsCbEntry = "user_s390_gs_cb_entry" {
        /// Its words.
        regs: repeated uint64 = 1 [hex],
    }

    /// Runtime instrumentation. Source: `criu/images/core-s390.proto`.
    UserS390RiEntry = "user_s390_ri_entry" {
        /// Whether it is on.
        ri_on: required uint32 = 1,
        /// Its control block.
        regs: repeated uint64 = 2 [hex],
    }

    /// A thread's state on loongarch64. Source: `criu/images/core-loongarch64.proto`.
    ThreadInfoLoongarch64 = "thread_info_loongarch64" {
        /// Address cleared when the thread ends.
        clear_tid_addr: required uint64 = 1 [hex],
        /// Thread pointer.
        tls: required uint64 = 2 [hex],
        /// General purpose registers.
        gpregs: required message(UserLoongarch64GpregsEntry) = 3,
        /// Floating point registers.
        fpregs: required message(UserLoongarch64FpregsEntry) = 4,
    }

    /// General purpose registers. Source: `criu/images/core-loongarch64.proto`.
    UserLoongarch64GpregsEntry = "user_loongarch64_gpregs_entry" {
        /// r0 to r31; r3 is the stack pointer.
        regs: repeated uint64 = 1 [hex],
        /// Program counter.
        pc: required uint64 = 2 [hex],
    }

    /// Floating point registers. Source: `criu/images/core-loongarch64.proto`.
    UserLoongarch64FpregsEntry = "user_loongarch64_fpregs_entry" {
        /// f0 to f31.
        regs: repeated uint64 = 1 [hex],
        /// Condition flags.
        fcc: required uint64 = 2 [hex],
        /// Control and status.
        fcsr: required uint32 = 3 [hex],
    }
}
