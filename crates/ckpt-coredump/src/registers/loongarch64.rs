//! Registers of 64-bit `LoongArch`.

use criu_image::messages::ThreadInfoLoongarch64;

use super::Registers;
use crate::machine::Machine;
use crate::note::{self, Note};

/// `struct user_pt_regs` (45 words), then the floating point registers. What r4 was on entry of a system call, and the
/// last faulting address, are in no image and stay zero.
///
/// Source: `arch/loongarch/include/uapi/asm/ptrace.h`.
pub(super) fn registers(info: &ThreadInfoLoongarch64, machine: &Machine) -> Registers {
    let r = &info.gpregs;
    let general = machine.words().list64(&r.regs, 32).words([0, r.pc]).zeros(88).take();
    let fp = &info.fpregs;
    let fp = machine.words().list64(&fp.regs, 32).u64(fp.fcc).u32(fp.fcsr).zeros(4).take();
    Registers { general, notes: vec![Note::new(note::PRFPREG, fp)] }
}
