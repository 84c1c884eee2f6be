//! Registers of s390x.

use criu_image::messages::{ThreadInfoS390, UserS390GsCbEntry};

use super::Registers;
use crate::machine::Machine;
use crate::note::{self, Note};

/// `s390_regs`, then the floating point registers, the system call and the vector registers.
///
/// Source: `arch/s390/include/uapi/asm/ptrace.h`, `arch/s390/kernel/ptrace.c`.
pub(super) fn registers(info: &ThreadInfoS390, machine: &Machine) -> Registers {
    let r = &info.gpregs;
    let general = machine
        .words()
        .words([r.psw_mask, r.psw_addr])
        .list64(&r.gprs, 16)
        .list32(&r.acrs, 16)
        .word(r.orig_gpr2)
        .take();
    let fp = &info.fpregs;
    let fp = machine.words().u32(fp.fpc).zeros(4).list64(&fp.fprs, 16).take();
    let mut notes = vec![
        Note::new(note::PRFPREG, fp),
        Note::new(note::S390_SYSTEM_CALL, machine.words().u32(r.system_call).take()),
    ];
    let mut more = |kind, regs: Option<&[u64]>, count| {
        if let Some(regs) = regs {
            notes.push(Note::new(kind, machine.words().list64(regs, count).take()));
        }
    };
    let block = |block: &Option<UserS390GsCbEntry>| block.as_ref().map(|block| block.regs.clone());
    more(note::S390_VXRS_LOW, info.vxrs_low.as_ref().map(|low| low.regs.as_slice()), 16);
    more(note::S390_VXRS_HIGH, info.vxrs_high.as_ref().map(|high| high.regs.as_slice()), 32);
    more(note::S390_GS_CB, block(&info.gs_cb).as_deref(), 4);
    more(note::S390_GS_BC, block(&info.gs_bc).as_deref(), 4);
    Registers { general, notes }
}
