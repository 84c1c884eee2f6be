//! Registers of aarch64.

use criu_image::messages::{PacKeys, ThreadInfoAarch64};

use super::Registers;
use crate::machine::Machine;
use crate::note::{self, Note};

/// `struct user_pt_regs`, then the vector registers, the thread pointer, and which bits of an address are its signature.
///
/// The keys of pointer authentication are secrets of the process and stay out: to follow a signed address it is enough
/// to know which bits to drop.
///
/// Source: `arch/arm64/include/uapi/asm/ptrace.h`, `arch/arm64/kernel/ptrace.c`.
pub(super) fn registers(info: &ThreadInfoAarch64, machine: &Machine) -> Registers {
    let r = &info.gpregs;
    let general = machine.words().list64(&r.regs, 31).words([r.sp, r.pc, r.pstate]).take();
    let vector = machine
        .words()
        .list64(&info.fpsimd.vregs, 64)
        .u32(info.fpsimd.fpsr)
        .u32(info.fpsimd.fpcr)
        .zeros(8)
        .take();
    let mut notes = vec![
        Note::new(note::PRFPREG, vector),
        Note::new(note::ARM_TLS, machine.words().word(info.tls).take()),
    ];
    if info.pac_keys.as_ref().is_some_and(signs_addresses) {
        let mask = signature_bits(machine.address_bits);
        // One mask for data and one for instructions; Linux has the same for both.
        notes.push(Note::new(note::ARM_PAC_MASK, machine.words().words([mask, mask]).take()));
    }
    Registers { general, notes }
}

/// Whether the processor has pointer authentication: without it CRIU 4.1 writes the message all the same, and nothing
/// in it.
fn signs_addresses(keys: &PacKeys) -> bool {
    keys.pac_address_keys.is_some() || keys.pac_generic_keys.is_some()
}

/// The bits of a user address that hold its signature: from the top of the address to bit 54. Bit 55 tells user from
/// kernel, and the byte above it is a tag.
fn signature_bits(address_bits: u32) -> u64 {
    let below = |bits: u32| 1u64.checked_shl(bits).unwrap_or(0).wrapping_sub(1);
    below(55) & !below(address_bits)
}
