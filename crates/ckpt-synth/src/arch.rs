//! The machine that the dump was made on.

use crate::frame::ByteOrder;

/// An architecture, with the page size where its kernels differ in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Arch {
    /// `core.mtype` 1.
    #[default]
    X86_64,
    /// `core.mtype` 3.
    Aarch64 {
        /// 4096, 16384 or 65536.
        page_size: u64,
    },
    /// `core.mtype` 4, little-endian.
    Ppc64le {
        /// 65536 as a rule, or 4096.
        page_size: u64,
    },
    /// `core.mtype` 5, big-endian: magics, record lengths and raw payloads are byte-swapped.
    S390x,
    /// `core.mtype` 7.
    LoongArch64 {
        /// 16384 as a rule.
        page_size: u64,
    },
    /// `core.mtype` 8.
    Riscv64,
}

impl Arch {
    /// The number in `core_entry.mtype`.
    #[must_use]
    pub fn mtype(self) -> u32 {
        match self {
            Self::X86_64 => 1,
            Self::Aarch64 { .. } => 3,
            Self::Ppc64le { .. } => 4,
            Self::S390x => 5,
            Self::LoongArch64 { .. } => 7,
            Self::Riscv64 => 8,
        }
    }

    /// Bytes in a page.
    #[must_use]
    pub fn page_size(self) -> u64 {
        match self {
            Self::Aarch64 { page_size }
            | Self::Ppc64le { page_size }
            | Self::LoongArch64 { page_size } => page_size,
            Self::X86_64 | Self::S390x | Self::Riscv64 => 4096,
        }
    }

    /// Byte order of framing, of raw payloads and of memory.
    #[must_use]
    pub fn byte_order(self) -> ByteOrder {
        if self == Self::S390x { ByteOrder::Big } else { ByteOrder::Little }
    }

    /// What `uname -m` says, which is also what `AT_PLATFORM` points to here.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 { .. } => "aarch64",
            Self::Ppc64le { .. } => "ppc64le",
            Self::S390x => "s390x",
            Self::LoongArch64 { .. } => "loongarch64",
            Self::Riscv64 => "riscv64",
        }
    }

    /// First address above the stack of a synthetic task; a multiple of every page size.
    #[must_use]
    pub fn stack_top(self) -> u64 {
        match self {
            Self::X86_64 => 0x7ffd_2394_0000,
            Self::Aarch64 { .. } => 0xffff_e2c7_0000,
            Self::Ppc64le { .. } => 0x7fff_d6a0_0000,
            Self::S390x => 0x03ff_f740_0000,
            Self::LoongArch64 { .. } => 0x7fff_fb00_0000,
            Self::Riscv64 => 0x3fff_d120_0000,
        }
    }

    /// Where a synthetic task's mappings without a wish of their own lie: vvar and vdso, then thread stacks.
    #[must_use]
    pub fn mmap_base(self) -> u64 {
        self.stack_top() - 0x1000_0000
    }

    /// Words of `mm_saved_auxv`: the kernel's array, cut by CRIU to a fixed size.
    #[must_use]
    pub(crate) fn auxv_words(self) -> usize {
        match self {
            Self::Aarch64 { .. } => 50,
            _ => 44,
        }
    }
}
