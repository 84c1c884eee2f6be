//! Registers of 64-bit MIPS.

use criu_image::messages::ThreadInfoMips;

use super::Registers;
use crate::machine::Machine;
use crate::note::{self, Note};

/// `elf_gregset_t` (45 words), then the floating point registers.
///
/// Source: `arch/mips/include/uapi/asm/reg.h`, `arch/mips/kernel/ptrace.c`.
pub(super) fn registers(info: &ThreadInfoMips, machine: &Machine) -> Registers {
    let r = &info.gpregs;
    let general = machine
        .words()
        .words([r.r0, r.r1, r.r2, r.r3, r.r4, r.r5, r.r6, r.r7, r.r8, r.r9, r.r10, r.r11])
        .words([r.r12, r.r13, r.r14, r.r15, r.r16, r.r17, r.r18, r.r19, r.r20, r.r21, r.r22])
        .words([r.r23, r.r24, r.r25, r.r26, r.r27, r.r28, r.r29, r.r30, r.r31, r.lo, r.hi])
        .words([r.cp0_epc, r.cp0_badvaddr, r.cp0_status, r.cp0_cause])
        .zeros(56)
        .take();
    let f = &info.fpregs;
    let fp = machine
        .words()
        .words([f.r0, f.r1, f.r2, f.r3, f.r4, f.r5, f.r6, f.r7, f.r8, f.r9, f.r10, f.r11])
        .words([f.r12, f.r13, f.r14, f.r15, f.r16, f.r17, f.r18, f.r19, f.r20, f.r21, f.r22])
        .words([f.r23, f.r24, f.r25, f.r26, f.r27, f.r28, f.r29, f.r30, f.r31])
        .u32(f.fpu_fcr31)
        .u32(f.fpu_id)
        .take();
    Registers { general, notes: vec![Note::new(note::PRFPREG, fp)] }
}
