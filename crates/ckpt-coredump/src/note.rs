//! Notes: everything of a core that is not memory.

use crate::words::Words;

/// Types of notes, with the name that goes before each.
///
/// Source: `include/uapi/linux/elf.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// Owner: `CORE` for what SVR4 had, `LINUX` for what came later.
    owner: &'static [u8],
    number: u32,
}

const fn core(number: u32) -> Kind {
    Kind { owner: b"CORE\0", number }
}

const fn linux(number: u32) -> Kind {
    Kind { owner: b"LINUX\0", number }
}

pub(crate) const PRSTATUS: Kind = core(1);
pub(crate) const PRFPREG: Kind = core(2);
pub(crate) const PRPSINFO: Kind = core(3);
pub(crate) const AUXV: Kind = core(6);
pub(crate) const SIGINFO: Kind = core(0x5349_4749);
pub(crate) const FILE: Kind = core(0x4649_4c45);
pub(crate) const PRXFPREG: Kind = linux(0x46e6_2b7f);
pub(crate) const PPC_VMX: Kind = linux(0x100);
pub(crate) const PPC_VSX: Kind = linux(0x102);
pub(crate) const I386_TLS: Kind = linux(0x200);
pub(crate) const X86_XSTATE: Kind = linux(0x202);
pub(crate) const S390_SYSTEM_CALL: Kind = linux(0x307);
pub(crate) const S390_VXRS_LOW: Kind = linux(0x309);
pub(crate) const S390_VXRS_HIGH: Kind = linux(0x30a);
pub(crate) const S390_GS_CB: Kind = linux(0x30b);
pub(crate) const S390_GS_BC: Kind = linux(0x30c);
pub(crate) const ARM_VFP: Kind = linux(0x400);
pub(crate) const ARM_TLS: Kind = linux(0x401);
pub(crate) const ARM_PAC_MASK: Kind = linux(0x406);

/// A note: its kind and what it says.
#[derive(Clone, Debug)]
pub(crate) struct Note {
    pub(crate) kind: Kind,
    pub(crate) content: Vec<u8>,
}

impl Note {
    pub(crate) fn new(kind: Kind, content: Vec<u8>) -> Self {
        Self { kind, content }
    }

    /// Adds the note to a segment of notes: sizes, type, name, content, each part on a multiple of 4 bytes.
    ///
    /// A content of 4 GiB or more has no form; nothing here comes near it.
    pub(crate) fn put(&self, segment: &mut Words) {
        let size = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        segment.u32(size(self.kind.owner)).u32(size(&self.content)).u32(self.kind.number);
        segment.raw(self.kind.owner).align(ALIGN).raw(&self.content).align(ALIGN);
    }
}

/// Alignment of the parts of a note, bytes. Linux has 4 in files of either class.
pub(crate) const ALIGN: usize = 4;
