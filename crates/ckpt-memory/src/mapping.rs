//! Mappings: what `/proc/PID/maps` showed, and what is behind each.

use std::fmt;
use std::sync::Arc;

use criu_image::messages::VmaEntry;

use crate::{AddrRange, FileBacking, Missing, SharedMemory, VirtAddr};

/// Bits of `vma_entry.status`.
///
/// Source: `criu/include/image.h`.
pub(crate) mod status {
    pub(crate) const VSYSCALL: u32 = 1 << 2;
    pub(crate) const VDSO: u32 = 1 << 3;
    pub(crate) const HEAP: u32 = 1 << 5;
    pub(crate) const FILE_PRIVATE: u32 = 1 << 6;
    pub(crate) const FILE_SHARED: u32 = 1 << 7;
    pub(crate) const ANON_SHARED: u32 = 1 << 8;
    pub(crate) const SYSVIPC: u32 = 1 << 10;
    pub(crate) const SOCKET: u32 = 1 << 11;
    pub(crate) const VVAR: u32 = 1 << 12;
    pub(crate) const AIORING: u32 = 1 << 13;
    pub(crate) const MEMFD: u32 = 1 << 14;
    pub(crate) const SHADOW_STACK: u32 = 1 << 15;
    /// A guard range (`MADV_GUARD_INSTALL`): an extra entry inside an ordinary mapping.
    pub(crate) const GUARD: u32 = 1 << 16;
    pub(crate) const UPROBES: u32 = 1 << 17;
    pub(crate) const EXT_PLUGIN: u32 = 1 << 27;
}

/// Bits of `vma_entry.prot`, the same on every architecture.
///
/// Source: `include/uapi/asm-generic/mman-common.h`, `PROT_*`.
mod prot {
    pub(super) const READ: u32 = 1;
    pub(super) const WRITE: u32 = 2;
    pub(super) const EXEC: u32 = 4;
}

/// Bits of `vma_entry.flags`, the same on every architecture.
///
/// Source: `include/uapi/linux/mman.h`, `MAP_*`.
mod map {
    pub(super) const SHARED: u32 = 1;
    /// Memory that the kernel may drop at any time (`MAP_DROPPABLE`). CRIU clears the private bit beside it.
    pub(super) const DROPPABLE: u32 = 8;
}

/// What a mapping is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum MappingKind {
    /// Private anonymous memory.
    Anon,
    /// The heap, `brk(2)`.
    Heap,
    /// The stack of the first thread.
    Stack,
    /// A file, private: written pages are the process's own.
    FilePrivate,
    /// A file, shared: its pages are the file's.
    FileShared,
    /// Anonymous memory shared with other processes.
    AnonShared,
    /// `memfd_create(2)`, private.
    MemfdPrivate,
    /// `memfd_create(2)`, shared.
    MemfdShared,
    /// A System V shared memory segment.
    SysvShm,
    /// Code that the kernel maps into every process.
    Vdso,
    /// Data of the kernel beside it.
    Vvar,
    /// The old fixed page of system calls.
    Vsyscall,
    /// A range that faults, inside another mapping (`MADV_GUARD_INSTALL`).
    Guard,
    /// Completion ring of asynchronous I/O.
    AioRing,
    /// Ring of a packet socket.
    PacketRing,
    /// The kernel's page of user probes.
    Uprobes,
    /// A shadow stack.
    ShadowStack,
    /// Memory of a device, kept by a plugin of CRIU.
    Device,
    /// Pages that a pagemap has, and that no mapping covers as far as the images tell.
    Unknown,
}

impl MappingKind {
    /// The word in JSON and on the command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Anon => "anon",
            Self::Heap => "heap",
            Self::Stack => "stack",
            Self::FilePrivate => "file-private",
            Self::FileShared => "file-shared",
            Self::AnonShared => "anon-shared",
            Self::MemfdPrivate => "memfd-private",
            Self::MemfdShared => "memfd-shared",
            Self::SysvShm => "sysv-shm",
            Self::Vdso => "vdso",
            Self::Vvar => "vvar",
            Self::Vsyscall => "vsyscall",
            Self::Guard => "guard",
            Self::AioRing => "aio-ring",
            Self::PacketRing => "packet-ring",
            Self::Uprobes => "uprobes",
            Self::ShadowStack => "shadow-stack",
            Self::Device => "device",
            Self::Unknown => "unknown",
        }
    }

    /// Whether it is private memory that no file is behind.
    #[must_use]
    pub fn is_anonymous(self) -> bool {
        matches!(self, Self::Anon | Self::Heap | Self::Stack | Self::ShadowStack)
    }

    /// Whether a file of a file system is behind it.
    #[must_use]
    pub fn is_file(self) -> bool {
        matches!(self, Self::FilePrivate | Self::FileShared)
    }

    /// Whether it is memory that several processes can have, without a file of a file system.
    #[must_use]
    pub fn is_shared_memory(self) -> bool {
        matches!(self, Self::AnonShared | Self::MemfdPrivate | Self::MemfdShared | Self::SysvShm)
    }

    /// Of what `vma_entry.status` says; what only other images tell (the stack, whether a memfd is anonymous memory) is
    /// left to whoever has them.
    fn of(vma: &VmaEntry) -> Self {
        let has = |bits| vma.status & bits != 0;
        let shared = vma.flags & map::SHARED != 0 || has(status::FILE_SHARED);
        match () {
            () if has(status::GUARD) => Self::Guard,
            () if has(status::VSYSCALL) => Self::Vsyscall,
            () if has(status::VDSO) => Self::Vdso,
            () if has(status::VVAR) => Self::Vvar,
            () if has(status::AIORING) => Self::AioRing,
            () if has(status::SOCKET) => Self::PacketRing,
            () if has(status::UPROBES) => Self::Uprobes,
            () if has(status::EXT_PLUGIN) => Self::Device,
            () if has(status::SYSVIPC) => Self::SysvShm,
            () if has(status::MEMFD) && shared => Self::MemfdShared,
            () if has(status::MEMFD) => Self::MemfdPrivate,
            () if has(status::FILE_SHARED) => Self::FileShared,
            () if has(status::FILE_PRIVATE) => Self::FilePrivate,
            () if has(status::ANON_SHARED) => Self::AnonShared,
            () if has(status::SHADOW_STACK) => Self::ShadowStack,
            () if has(status::HEAP) => Self::Heap,
            () => Self::Anon,
        }
    }
}

/// What the pages of a mapping are that its pagemap does not have.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Backing {
    /// Nothing: they were never written, and read as zeros.
    Nothing,
    /// Shared memory, at the mapping's offset.
    Shared(Arc<SharedMemory>),
    /// A file that is at hand, at the mapping's offset.
    File(Arc<FileBacking>),
    /// They are not captured.
    Unavailable(Missing),
}

/// A mapping of a process.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Mapping {
    /// First address.
    pub start: VirtAddr,
    /// First address after it.
    pub end: VirtAddr,
    /// What it is.
    pub kind: MappingKind,
    /// The last column of `/proc/PID/maps`: a path, with ` (deleted)` where it is, or a word in brackets. `None` for
    /// plain anonymous memory, and where the file is not known.
    pub name: Option<Arc<[u8]>>,
    /// Whether the file has no name any more.
    pub deleted: bool,
    /// What is behind pages that the pagemap does not have.
    pub backing: Backing,
    /// The raw entry, `criu/images/vma.proto`.
    pub vma: VmaEntry,
}

impl Mapping {
    /// Of an entry of the image, with what it says by itself.
    #[must_use]
    pub fn new(vma: VmaEntry) -> Self {
        let kind = MappingKind::of(&vma);
        let backing = match kind {
            MappingKind::Guard => Backing::Unavailable(Missing::Guard),
            // The code of the vdso is in the images, as a rule; what is not is not zeros.
            MappingKind::Vdso
            | MappingKind::Vsyscall
            | MappingKind::Vvar
            | MappingKind::AioRing
            | MappingKind::PacketRing
            | MappingKind::Uprobes
            | MappingKind::Device => Backing::Unavailable(Missing::KernelOwned),
            MappingKind::FilePrivate | MappingKind::FileShared => {
                Backing::Unavailable(Missing::FileBacked)
            }
            kind if kind.is_shared_memory() => Backing::Unavailable(Missing::Shared),
            _ if vma.flags & map::DROPPABLE != 0 => Backing::Unavailable(Missing::Droppable),
            _ => Backing::Nothing,
        };
        Self {
            start: VirtAddr(vma.start),
            end: VirtAddr(vma.end),
            kind,
            name: None,
            deleted: false,
            backing,
            vma,
        }
    }

    /// Of pages that no mapping covers: nothing is known of it but where it lies.
    pub(crate) fn unknown(start: VirtAddr, end: VirtAddr) -> Self {
        let vma = VmaEntry { start: start.0, end: end.0, ..VmaEntry::default() };
        Self {
            kind: MappingKind::Unknown,
            backing: Backing::Unavailable(Missing::NotListed),
            ..Self::new(vma)
        }
    }

    /// Bytes.
    #[allow(clippy::len_without_is_empty)] // an address space has no empty mapping
    #[must_use]
    pub fn len(&self) -> u64 {
        self.end.since(self.start)
    }

    /// Its addresses.
    #[must_use]
    pub fn range(&self) -> AddrRange {
        AddrRange { start: self.start, end: self.end }
    }

    /// Offset of the first byte in the file or segment, bytes.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.vma.pgoff.saturating_add(self.start.0.saturating_sub(self.vma.start))
    }

    /// Whether the address lies in it.
    #[must_use]
    pub fn contains(&self, addr: VirtAddr) -> bool {
        self.start <= addr && addr < self.end
    }

    /// Whether it can be read. Of a mapping that is not listed nobody knows, and it counts as one that can.
    #[must_use]
    pub fn readable(&self) -> bool {
        self.vma.prot & prot::READ != 0 || self.kind == MappingKind::Unknown
    }

    /// Whether it can be written.
    #[must_use]
    pub fn writable(&self) -> bool {
        self.vma.prot & prot::WRITE != 0
    }

    /// Whether it can be executed.
    #[must_use]
    pub fn executable(&self) -> bool {
        self.vma.prot & prot::EXEC != 0
    }

    /// Whether writes are seen by whoever else maps it.
    #[must_use]
    pub fn shared(&self) -> bool {
        self.vma.flags & map::SHARED != 0
    }

    /// Whether the pages are what is behind it, and never the process's own.
    pub(crate) fn is_backing_itself(&self) -> bool {
        match self.kind {
            MappingKind::FileShared
            | MappingKind::AnonShared
            | MappingKind::MemfdShared
            | MappingKind::SysvShm => true,
            // Owned by the kernel or by a plugin, and never in the images.
            MappingKind::Vsyscall
            | MappingKind::Vvar
            | MappingKind::AioRing
            | MappingKind::PacketRing
            | MappingKind::Uprobes
            | MappingKind::Device => true,
            _ => false,
        }
    }

    /// `rw-p`, as the second column of `/proc/PID/maps`.
    #[must_use]
    pub fn perms(&self) -> Perms {
        Perms {
            known: self.kind != MappingKind::Unknown,
            readable: self.readable(),
            writable: self.writable(),
            executable: self.executable(),
            shared: self.shared(),
        }
    }
}

/// Permissions of a mapping; shown as `rw-p`, or as `????` where they are not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Perms {
    /// Whether the images tell them.
    pub known: bool,
    /// `r`.
    pub readable: bool,
    /// `w`.
    pub writable: bool,
    /// `x`.
    pub executable: bool,
    /// `s`, otherwise `p`.
    pub shared: bool,
}

impl fmt::Display for Perms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.known {
            return f.pad("????");
        }
        let letter = |set, letter| if set { letter } else { '-' };
        let text: String = [
            letter(self.readable, 'r'),
            letter(self.writable, 'w'),
            letter(self.executable, 'x'),
            if self.shared { 's' } else { 'p' },
        ]
        .into_iter()
        .collect();
        f.pad(&text)
    }
}
