//! Registers of 64-bit `PowerPC`.

use criu_image::messages::ThreadInfoPpc64;

use super::Registers;
use crate::machine::Machine;
use crate::note::{self, Note};

/// `elf_gregset_t` (48 words, of which `struct pt_regs` has the first 44), then the floating point, Altivec and VSX
/// registers.
///
/// Source: `arch/powerpc/include/uapi/asm/{ptrace,elf}.h`.
pub(super) fn registers(info: &ThreadInfoPpc64, machine: &Machine) -> Registers {
    let r = &info.gpregs;
    let general = machine
        .words()
        .list64(&r.gpr, 32)
        .words([r.nip, r.msr, r.orig_gpr3, r.ctr, r.link, r.xer, r.ccr])
        // softe, then trap, dar, dsisr and result; what ends in zeros is the kernel's own.
        .words([0, r.trap])
        .zeros(56)
        .take();
    let mut notes = Vec::new();
    if let Some(fp) = &info.fpstate {
        notes.push(Note::new(note::PRFPREG, machine.words().list64(&fp.fpregs, 33).take()));
    }
    if let Some(vr) = &info.vrstate {
        // 32 registers and the status, then the 32 bits of VRSAVE in a slot as large as theirs.
        let area = machine.words().list64(&vr.vrregs, 66).u32(vr.vrsave).zeros(12).take();
        notes.push(Note::new(note::PPC_VMX, area));
    }
    if let Some(vsx) = &info.vsxstate {
        notes.push(Note::new(note::PPC_VSX, machine.words().list64(&vsx.vsxregs, 32).take()));
    }
    Registers { general, notes }
}
