//! Registers of a thread as the notes of its architecture.

mod aarch64;
mod arm;
mod i386;
mod loongarch64;
mod mips;
mod ppc64;
mod riscv64;
mod s390;
mod x86_64;
mod xstate;

use ckpt_model::{Arch, Pid};
use criu_image::messages::CoreEntry;

use crate::Lack;
use crate::machine::{Machine, is_compat};
use crate::note::Note;

/// A thread's registers.
#[derive(Clone, Debug)]
pub(crate) struct Registers {
    /// `pr_reg` of `NT_PRSTATUS`: the general purpose registers.
    pub(crate) general: Vec<u8>,
    /// What follows in notes of its own, in the kernel's order.
    pub(crate) notes: Vec<Note>,
}

/// The registers in a thread's image; `None` when there are none, or none that this core can show: the reason is among
/// `lacks` then.
pub(crate) fn of(
    core: Option<&CoreEntry>,
    tid: Pid,
    machine: &Machine,
    lacks: &mut Vec<Lack>,
) -> Option<Registers> {
    if matches!(machine.arch, Arch::Unknown(_)) {
        // Told once, for the whole core.
        return None;
    }
    let found = core.filter(|core| Arch::from_raw(core.mtype) == machine.arch).and_then(|core| {
        let mut state = |what| lacks.push(Lack::State { tid, what });
        Some(match machine.arch {
            Arch::X86_64 => {
                let info = core.thread_info.as_ref()?;
                if is_compat(info.gpregs.mode) != machine.is_i386() {
                    return Some(None);
                }
                if info
                    .fpregs
                    .xsave
                    .as_ref()
                    .and_then(|x| x.cet.as_ref())
                    .is_some_and(|cet| cet.cet != 0 || cet.ssp != 0)
                {
                    state("shadow stack pointer (NT_X86_SHSTK)");
                }
                let of = if machine.is_i386() { i386::registers } else { x86_64::registers };
                Some(of(info, machine))
            }
            Arch::Arm => Some(arm::registers(core.ti_arm.as_ref()?, machine)),
            Arch::Aarch64 => {
                let info = core.ti_aarch64.as_ref()?;
                if info.gcs.is_some() {
                    state("guarded control stack (NT_ARM_GCS)");
                }
                Some(aarch64::registers(info, machine))
            }
            Arch::Ppc64 => {
                let info = core.ti_ppc64.as_ref()?;
                if info.tmstate.is_some() {
                    state("registers of a suspended transaction (NT_PPC_TM_CGPR)");
                }
                Some(ppc64::registers(info, machine))
            }
            Arch::S390 => {
                let info = core.ti_s390.as_ref()?;
                if info.ri_cb.as_ref().is_some_and(|ri| ri.ri_on != 0) {
                    state("runtime instrumentation (NT_S390_RI_CB)");
                }
                Some(s390::registers(info, machine))
            }
            Arch::Mips => Some(mips::registers(core.ti_mips.as_ref()?, machine)),
            Arch::Loongarch64 => {
                Some(loongarch64::registers(core.ti_loongarch64.as_ref()?, machine))
            }
            Arch::Riscv64 => Some(riscv64::registers(core.ti_riscv64.as_ref()?, machine)),
            _ => None,
        })
    });
    match found {
        Some(Some(registers)) => return Some(registers),
        Some(None) => lacks.push(Lack::OtherMode { tid }),
        None => lacks.push(Lack::Registers { tid }),
    }
    None
}
