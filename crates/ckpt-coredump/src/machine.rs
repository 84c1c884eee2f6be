//! The machine that a core is of.

use ckpt_model::{Arch, Task};
use criu_image::ByteOrder;

use crate::words::{Width, Words};

/// What an ELF header says of the machine, and how its structures are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Machine {
    pub(crate) arch: Arch,
    pub(crate) order: ByteOrder,
    pub(crate) width: Width,
    /// Bits of a user address, as far as the mappings tell.
    pub(crate) address_bits: u32,
}

impl Machine {
    /// The machine of a task: of the first of its threads whose image is whole, else `fallback`. `highest` is the
    /// highest address that is mapped.
    pub(crate) fn of(task: &Task, order: ByteOrder, fallback: Option<Arch>, highest: u64) -> Self {
        let cores = || task.core.iter().chain(task.threads.iter().flat_map(|thread| &thread.core));
        let arch = cores().next().map(|core| Arch::from_raw(core.mtype));
        let arch = arch.or(fallback).unwrap_or(Arch::Unknown(0));
        let compat = cores()
            .find_map(|core| core.thread_info.as_ref())
            .is_some_and(|info| is_compat(info.gpregs.mode));
        let width = match arch {
            Arch::Arm => Width::Bits32,
            Arch::X86_64 if compat => Width::Bits32,
            _ => Width::Bits64,
        };
        Self { arch, order, width, address_bits: address_bits(highest) }
    }

    /// An empty structure of this machine.
    pub(crate) fn words(&self) -> Words {
        Words::new(self.order, self.width)
    }

    /// Whether it is a 32-bit task on an x86-64 kernel.
    pub(crate) fn is_i386(&self) -> bool {
        self.arch == Arch::X86_64 && self.width == Width::Bits32
    }

    /// `e_machine`.
    ///
    /// Source: `include/uapi/linux/elf-em.h`.
    pub(crate) fn number(&self) -> u32 {
        match self.arch {
            Arch::X86_64 if self.is_i386() => 3,
            Arch::X86_64 => 62,
            Arch::Arm => 40,
            Arch::Aarch64 => 183,
            Arch::Ppc64 => 21,
            Arch::S390 => 22,
            Arch::Mips => 8,
            Arch::Loongarch64 => 258,
            Arch::Riscv64 => 243,
            _ => 0,
        }
    }

    /// `e_flags`: the calling convention, where a debugger picks its registers by it.
    ///
    /// Source: the processor supplements of the ELF specification. CRIU dumps double precision registers on `LoongArch`
    /// and RISC-V, 64-bit tasks of release 2 on MIPS, and the second `PowerPC` convention is the little-endian one.
    pub(crate) fn flags(&self) -> u32 {
        match (self.arch, self.order) {
            (Arch::Arm, _) => 0x0500_0000,         // EF_ARM_EABI_VER5
            (Arch::Ppc64, ByteOrder::Little) => 2, // EF_PPC64_ABI
            (Arch::Ppc64, ByteOrder::Big) => 1,    // EF_PPC64_ABI
            (Arch::Mips, _) => 0x8000_0000,        // EF_MIPS_ARCH_64R2
            (Arch::Loongarch64, _) => 0x43,        // EF_LOONGARCH_ABI_DOUBLE_FLOAT, _OBJABI_V1
            (Arch::Riscv64, _) => 5,               // EF_RISCV_RVC, _FLOAT_ABI_DOUBLE
            _ => 0,
        }
    }
}

/// Whether `user_x86_regs_entry.mode` is that of a 32-bit task.
pub(crate) fn is_compat(mode: Option<u32>) -> bool {
    mode == Some(2)
}

/// Widths of user addresses that kernels are built for, bits; the smallest that holds the highest address mapped.
///
/// The stack lies near the top, so that the highest mapping tells. A kernel for 52 bits gives out addresses of 48 unless
/// a program asks for more.
fn address_bits(highest: u64) -> u32 {
    let needed = u64::BITS.saturating_sub(highest.leading_zeros());
    [36, 39, 42, 47, 48, 52].into_iter().find(|bits| *bits >= needed).unwrap_or(55)
}
