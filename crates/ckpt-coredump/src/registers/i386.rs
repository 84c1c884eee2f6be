//! Registers of a 32-bit task on x86-64.

use criu_image::messages::{ThreadInfoX86, UserDescT, UserX86FpregsEntry};

use super::x86_64::fxsave;
use super::{Registers, xstate};
use crate::machine::Machine;
use crate::note::{self, Note};

/// `struct user_regs_struct32`, then the x87 state in the form of `FSAVE`, the `FXSAVE` and `XSAVE` areas, and the
/// segments for thread local storage.
///
/// Source: `arch/x86/include/asm/user32.h`, `arch/x86/kernel/ptrace.c`.
pub(super) fn registers(info: &ThreadInfoX86, machine: &Machine) -> Registers {
    let r = &info.gpregs;
    let general = machine
        .words()
        .words([r.bx, r.cx, r.dx, r.si, r.di, r.bp, r.ax, r.ds, r.es, r.fs, r.gs, r.orig_ax])
        .words([r.ip, r.cs, r.flags, r.sp, r.ss])
        .take();
    let mut notes = vec![
        Note::new(note::PRFPREG, fsave(info, machine)),
        Note::new(note::PRXFPREG, fxsave(&info.fpregs, machine)),
    ];
    if let Some(area) = xstate::area(&info.fpregs, machine) {
        notes.push(Note::new(note::X86_XSTATE, area));
    }
    let used = info.tls.iter().rposition(|segment| !segment.seg_not_present);
    if let Some(segments) = used.and_then(|last| info.tls.get(..=last)) {
        notes.push(Note::new(note::I386_TLS, descriptors(segments, machine)));
    }
    Registers { general, notes }
}

/// `struct user_i387_ia32_struct`, 108 bytes, made of the `FXSAVE` area.
///
/// Source: `arch/x86/kernel/fpu/regset.c`, `__convert_from_fxsr`.
fn fsave(info: &ThreadInfoX86, machine: &Machine) -> Vec<u8> {
    const ONES: u32 = 0xffff_0000;
    let (fp, r) = (&info.fpregs, &info.gpregs);
    let mut out = machine.words();
    out.u32(fp.cwd | ONES).u32(fp.swd | ONES).u32(tags(fp) | ONES);
    out.word(fp.rip).word(r.cs).word(fp.rdp).word(r.ds | u64::from(ONES));
    // Ten bytes of each register; `FXSAVE` keeps them sixteen apart.
    for number in 0..8 {
        let register = register(fp, number);
        out.u32(register[0]).u32(register[1]).u16(register[2]);
    }
    out.take()
}

/// Register `number` from the top of the stack, four words.
fn register(fp: &UserX86FpregsEntry, number: usize) -> [u32; 4] {
    let words = fp.st_space.chunks(4).nth(number).unwrap_or_default();
    let word = |index: usize| words.get(index).copied().unwrap_or_default();
    [word(0), word(1), word(2), word(3)]
}

/// The tag word with two bits a register: valid, zero, special, empty. `FXSAVE` keeps one, empty or not.
fn tags(fp: &UserX86FpregsEntry) -> u32 {
    let top = (fp.swd >> 11) & 7;
    (0..8u32).fold(0, |tags, physical| {
        let tag = if (fp.twd >> physical) & 1 == 0 {
            3
        } else {
            let number = physical.wrapping_sub(top) & 7;
            let [low, high, exponent, _] = register(fp, usize::try_from(number).unwrap_or(0));
            match exponent & 0x7fff {
                0x7fff => 2,
                0 if low == 0 && high == 0 => 1,
                0 => 2,
                _ if high >> 31 == 1 => 0,
                _ => 2,
            }
        };
        tags | tag << physical.wrapping_mul(2)
    })
}

/// `struct user_desc`, 16 bytes each.
///
/// Source: `arch/x86/include/uapi/asm/ldt.h`.
fn descriptors(segments: &[UserDescT], machine: &Machine) -> Vec<u8> {
    let mut out = machine.words();
    for segment in segments {
        let flags = [
            segment.seg_32bit,
            segment.contents_l,
            segment.contents_h,
            segment.read_exec_only,
            segment.limit_in_pages,
            segment.seg_not_present,
            segment.usable,
        ];
        let flags = flags.iter().rev().fold(0, |bits, flag| bits << 1 | u32::from(*flag));
        out.u32(segment.entry_number).u32(segment.base_addr).u32(segment.limit).u32(flags);
    }
    out.take()
}
