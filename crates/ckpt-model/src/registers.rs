//! Where each architecture keeps its stack and instruction pointers.

use ckpt_memory::VirtAddr;
use criu_image::ByteOrder;
use criu_image::messages::CoreEntry;

/// An architecture, by `core_entry.mtype`.
///
/// Source: `criu/images/core.proto`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Arch {
    /// x86-64, 32-bit tasks included.
    X86_64,
    /// 32-bit ARM.
    Arm,
    /// 64-bit ARM.
    Aarch64,
    /// 64-bit PowerPC, either byte order.
    Ppc64,
    /// s390x.
    S390,
    /// MIPS.
    Mips,
    /// 64-bit LoongArch.
    Loongarch64,
    /// 64-bit RISC-V.
    Riscv64,
    /// A number that this version does not know.
    Unknown(u32),
}

impl Arch {
    /// Of `core_entry.mtype`.
    #[must_use]
    pub fn from_raw(mtype: u32) -> Self {
        match mtype {
            1 => Self::X86_64,
            2 => Self::Arm,
            3 => Self::Aarch64,
            4 => Self::Ppc64,
            5 => Self::S390,
            6 => Self::Mips,
            7 => Self::Loongarch64,
            8 => Self::Riscv64,
            other => Self::Unknown(other),
        }
    }

    /// Its name; see [`machine`](Self::machine) for that of a machine.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm => "arm",
            Self::Aarch64 => "aarch64",
            Self::Ppc64 => "ppc64",
            Self::S390 => "s390x",
            Self::Mips => "mips",
            Self::Loongarch64 => "loongarch64",
            Self::Riscv64 => "riscv64",
            Self::Unknown(mtype) => return format!("unknown ({mtype})"),
        }
        .to_owned()
    }

    /// The name that `uname -m` has for it, where images of one architecture can be of both byte orders.
    #[must_use]
    pub fn machine(self, order: ByteOrder) -> String {
        match (self, order) {
            (Self::Ppc64, ByteOrder::Little) => "ppc64le".to_owned(),
            // CRIU runs on 64-bit MIPS alone.
            (Self::Mips, _) => "mips64".to_owned(),
            _ => self.name(),
        }
    }

    /// Whether all its kernels have pages of one size. Of an unknown one they may not.
    #[must_use]
    pub fn has_fixed_pages(self) -> bool {
        matches!(self, Self::X86_64 | Self::Arm | Self::S390 | Self::Riscv64)
    }

    /// The usual page size in bytes, for evidence that does not tell its own.
    #[must_use]
    pub fn usual_page_size(self) -> u64 {
        match self {
            Self::Ppc64 => 65536,
            Self::Loongarch64 => 16384,
            _ => 4096,
        }
    }
}

/// Whether a core has the registers of its own architecture.
pub(crate) fn has(core: &CoreEntry) -> bool {
    match Arch::from_raw(core.mtype) {
        Arch::X86_64 => core.thread_info.is_some(),
        Arch::Arm => core.ti_arm.is_some(),
        Arch::Aarch64 => core.ti_aarch64.is_some(),
        Arch::Ppc64 => core.ti_ppc64.is_some(),
        Arch::S390 => core.ti_s390.is_some(),
        Arch::Mips => core.ti_mips.is_some(),
        Arch::Loongarch64 => core.ti_loongarch64.is_some(),
        Arch::Riscv64 => core.ti_riscv64.is_some(),
        Arch::Unknown(_) => false,
    }
}

/// Stack pointer and instruction pointer of a thread, as far as its registers are in the image.
pub(crate) fn pointers(core: &CoreEntry) -> (Option<VirtAddr>, Option<VirtAddr>) {
    let (sp, ip) = match Arch::from_raw(core.mtype) {
        Arch::X86_64 => {
            pair(core.thread_info.as_ref(), |info| (Some(info.gpregs.sp), Some(info.gpregs.ip)))
        }
        Arch::Arm => pair(core.ti_arm.as_ref(), |info| {
            (Some(u64::from(info.gpregs.sp)), Some(u64::from(info.gpregs.pc)))
        }),
        Arch::Aarch64 => {
            pair(core.ti_aarch64.as_ref(), |info| (Some(info.gpregs.sp), Some(info.gpregs.pc)))
        }
        Arch::Ppc64 => pair(core.ti_ppc64.as_ref(), |info| {
            (info.gpregs.gpr.get(1).copied(), Some(info.gpregs.nip))
        }),
        Arch::S390 => pair(core.ti_s390.as_ref(), |info| {
            (info.gpregs.gprs.get(15).copied(), Some(info.gpregs.psw_addr))
        }),
        Arch::Mips => {
            pair(core.ti_mips.as_ref(), |info| (Some(info.gpregs.r29), Some(info.gpregs.cp0_epc)))
        }
        Arch::Loongarch64 => pair(core.ti_loongarch64.as_ref(), |info| {
            (info.gpregs.regs.get(3).copied(), Some(info.gpregs.pc))
        }),
        Arch::Riscv64 => {
            pair(core.ti_riscv64.as_ref(), |info| (Some(info.gpregs.sp), Some(info.gpregs.pc)))
        }
        Arch::Unknown(_) => (None, None),
    };
    (sp.map(VirtAddr), ip.map(VirtAddr))
}

fn pair<T>(
    info: Option<&T>,
    of: impl Fn(&T) -> (Option<u64>, Option<u64>),
) -> (Option<u64>, Option<u64>) {
    info.map_or((None, None), of)
}
