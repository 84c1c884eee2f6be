//! Registers of 32-bit ARM.

use criu_image::messages::ThreadInfoArm;

use super::Registers;
use crate::machine::Machine;
use crate::note::{self, Note};

/// `struct pt_regs`, then the VFP registers.
///
/// Source: `arch/arm/include/uapi/asm/ptrace.h`, `arch/arm/kernel/ptrace.c`.
pub(super) fn registers(info: &ThreadInfoArm, machine: &Machine) -> Registers {
    let r = &info.gpregs;
    let general = [
        r.r0, r.r1, r.r2, r.r3, r.r4, r.r5, r.r6, r.r7, r.r8, r.r9, r.r10, r.fp, r.ip, r.sp, r.lr,
        r.pc, r.cpsr, r.orig_r0,
    ];
    let general = machine.words().list32(&general, general.len()).take();
    let fp = &info.fpstate;
    let vfp = machine.words().list64(&fp.vfp_regs, 32).u32(fp.fpscr).take();
    Registers { general, notes: vec![Note::new(note::ARM_VFP, vfp)] }
}
