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
    let core = core.filter(|core| Arch::from_raw(core.mtype) == machine.arch);
    let info = core.and_then(|core| core.thread_info.as_ref());
    if info.is_some_and(|info| is_compat(info.gpregs.mode) != machine.is_i386()) {
        lacks.push(Lack::OtherMode { tid });
        return None;
    }
    let found = core.and_then(|core| in_image(core, machine));
    match (core, &found) {
        (Some(core), Some(_)) => {
            lacks.extend(left_out(core).into_iter().map(|what| Lack::State { tid, what }));
        }
        _ => lacks.push(Lack::Registers { tid }),
    }
    found
}

fn in_image(core: &CoreEntry, machine: &Machine) -> Option<Registers> {
    Some(match machine.arch {
        Arch::X86_64 if machine.is_i386() => i386::registers(core.thread_info.as_ref()?, machine),
        Arch::X86_64 => x86_64::registers(core.thread_info.as_ref()?, machine),
        Arch::Arm => arm::registers(core.ti_arm.as_ref()?, machine),
        Arch::Aarch64 => aarch64::registers(core.ti_aarch64.as_ref()?, machine),
        Arch::Ppc64 => ppc64::registers(core.ti_ppc64.as_ref()?, machine),
        Arch::S390 => s390::registers(core.ti_s390.as_ref()?, machine),
        Arch::Mips => mips::registers(core.ti_mips.as_ref()?, machine),
        Arch::Loongarch64 => loongarch64::registers(core.ti_loongarch64.as_ref()?, machine),
        Arch::Riscv64 => riscv64::registers(core.ti_riscv64.as_ref()?, machine),
        _ => return None,
    })
}

/// What the image holds and no note here does.
fn left_out(core: &CoreEntry) -> Vec<&'static str> {
    let shadow = core.thread_info.as_ref().and_then(|info| info.fpregs.xsave.as_ref()?.cet.clone());
    let instrumentation = core.ti_s390.as_ref().and_then(|info| info.ri_cb.as_ref());
    [
        // A processor that has shadow stacks has the registers, used or not.
        (
            shadow.is_some_and(|cet| cet.cet != 0 || cet.ssp != 0),
            "shadow stack pointer (NT_X86_SHSTK)",
        ),
        (
            core.ti_aarch64.as_ref().is_some_and(|info| info.gcs.is_some()),
            "guarded control stack (NT_ARM_GCS)",
        ),
        (
            core.ti_ppc64.as_ref().is_some_and(|info| info.tmstate.is_some()),
            "registers of a suspended transaction (NT_PPC_TM_CGPR)",
        ),
        (
            instrumentation.is_some_and(|ri| ri.ri_on != 0),
            "runtime instrumentation (NT_S390_RI_CB)",
        ),
    ]
    .into_iter()
    .filter_map(|(there, what)| there.then_some(what))
    .collect()
}
