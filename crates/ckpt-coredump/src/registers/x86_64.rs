//! Registers of x86-64.

use criu_image::messages::{ThreadInfoX86, UserX86FpregsEntry};

use super::{Registers, xstate};
use crate::machine::Machine;
use crate::note::{self, Note};

/// `struct user_regs_struct`, then the `FXSAVE` area and the `XSAVE` area.
///
/// Source: `arch/x86/include/asm/user_64.h`, `arch/x86/kernel/ptrace.c`.
pub(super) fn registers(info: &ThreadInfoX86, machine: &Machine) -> Registers {
    let r = &info.gpregs;
    let general = machine
        .words()
        .words([r.r15, r.r14, r.r13, r.r12, r.bp, r.bx, r.r11, r.r10, r.r9, r.r8, r.ax, r.cx])
        .words([r.dx, r.si, r.di, r.orig_ax, r.ip, r.cs, r.flags, r.sp, r.ss, r.fs_base, r.gs_base])
        .words([r.ds, r.es, r.fs, r.gs])
        .take();
    let mut notes = vec![Note::new(note::PRFPREG, fxsave(&info.fpregs, machine))];
    if let Some(area) = xstate::area(&info.fpregs, machine) {
        notes.push(Note::new(note::X86_XSTATE, area));
    }
    Registers { general, notes }
}

/// The `FXSAVE` area, 512 bytes. The last 96 are not the processor's and stay empty.
///
/// Source: Intel SDM volume 1, 10.5.1.
pub(super) fn fxsave(fp: &UserX86FpregsEntry, machine: &Machine) -> Vec<u8> {
    machine
        .words()
        .u16(fp.cwd)
        .u16(fp.swd)
        .u16(fp.twd)
        .u16(fp.fop)
        .u64(fp.rip)
        .u64(fp.rdp)
        .u32(fp.mxcsr)
        .u32(fp.mxcsr_mask)
        .list32(&fp.st_space, 32)
        .list32(&fp.xmm_space, 64)
        .zeros(96)
        .take()
}
