//! Registers of 64-bit RISC-V.

use criu_image::messages::ThreadInfoRiscv64;

use super::Registers;
use crate::machine::Machine;
use crate::note::{self, Note};

/// `struct user_regs_struct`, x1 to x31 behind the program counter, then the double precision registers.
///
/// Source: `arch/riscv/include/uapi/asm/ptrace.h`.
pub(super) fn registers(info: &ThreadInfoRiscv64, machine: &Machine) -> Registers {
    let r = &info.gpregs;
    let general = machine
        .words()
        .words([r.pc, r.ra, r.sp, r.gp, r.tp, r.t0, r.t1, r.t2, r.s0, r.s1, r.a0, r.a1, r.a2])
        .words([r.a3, r.a4, r.a5, r.a6, r.a7, r.s2, r.s3, r.s4, r.s5, r.s6, r.s7, r.s8, r.s9])
        .words([r.s10, r.s11, r.t3, r.t4, r.t5, r.t6])
        .take();
    let fp = machine.words().list64(&info.fpsimd.f, 32).u32(info.fpsimd.fcsr).zeros(4).take();
    Registers { general, notes: vec![Note::new(note::PRFPREG, fp)] }
}
