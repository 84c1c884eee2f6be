//! Memory: protections, mappings, CRIU's VMA status, pagemap flags, advice, auxiliary vector.

use super::{FlagNames, MTYPE_MIPS, MTYPE_PPC64, flag_names, number_names};

flag_names! {
    /// Page protection: `PROT_*`.
    MMAP_PROT, "protection", zero "PROT_NONE":
    0x1 => "PROT_READ", 0x2 => "PROT_WRITE", 0x4 => "PROT_EXEC",
}

number_names! {
    /// `MAP_TYPE` part of the mapping flags.
    MAP_TYPES, "mapping type":
    0x1 => "MAP_SHARED", 0x2 => "MAP_PRIVATE", 0x3 => "MAP_SHARED_VALIDATE", 0x8 => "MAP_DROPPABLE",
}

/// Sizes of huge pages, `MAP_HUGE_*` of `include/uapi/asm-generic/hugetlb_encode.h`: the logarithm from bit 26 on. They are
/// in the order of their bits, so that none is taken for parts of another.
macro_rules! map_flags {
    ($(#[$doc:meta])* $name:ident: $($bits:literal => $flag:literal),+ $(,)?) => {
        flag_names! {
            $(#[$doc])*
            $name, "mapping flags", zero "0", choice 0xf of &MAP_TYPES;
            $($bits => $flag,)+
            0x7c00_0000 => "MAP_HUGE_2GB", 0x7800_0000 => "MAP_HUGE_1GB", 0x7400_0000 => "MAP_HUGE_512MB",
            0x5c00_0000 => "MAP_HUGE_8MB", 0x7000_0000 => "MAP_HUGE_256MB", 0x6400_0000 => "MAP_HUGE_32MB",
            0x5400_0000 => "MAP_HUGE_2MB", 0x4c00_0000 => "MAP_HUGE_512KB", 0x3800_0000 => "MAP_HUGE_16KB",
            0x8800_0000 => "MAP_HUGE_16GB", 0x6000_0000 => "MAP_HUGE_16MB", 0x5000_0000 => "MAP_HUGE_1MB",
            0x4000_0000 => "MAP_HUGE_64KB",
        }
    };
}

map_flags! {
    /// Mapping flags of most architectures: `include/uapi/asm-generic/mman.h`.
    MAP_FLAGS:
    0x10 => "MAP_FIXED", 0x20 => "MAP_ANONYMOUS", 0x40 => "MAP_32BIT", 0x100 => "MAP_GROWSDOWN",
    0x800 => "MAP_DENYWRITE", 0x1000 => "MAP_EXECUTABLE", 0x2000 => "MAP_LOCKED", 0x4000 => "MAP_NORESERVE",
    0x8000 => "MAP_POPULATE", 0x1_0000 => "MAP_NONBLOCK", 0x2_0000 => "MAP_STACK", 0x4_0000 => "MAP_HUGETLB",
    0x8_0000 => "MAP_SYNC",
}

map_flags! {
    /// Mapping flags of MIPS: `arch/mips/include/uapi/asm/mman.h`.
    MAP_FLAGS_MIPS:
    0x10 => "MAP_FIXED", 0x400 => "MAP_NORESERVE", 0x800 => "MAP_ANONYMOUS", 0x1000 => "MAP_GROWSDOWN",
    0x2000 => "MAP_DENYWRITE", 0x4000 => "MAP_EXECUTABLE", 0x8000 => "MAP_LOCKED", 0x1_0000 => "MAP_POPULATE",
    0x2_0000 => "MAP_NONBLOCK", 0x4_0000 => "MAP_STACK", 0x8_0000 => "MAP_HUGETLB",
}

map_flags! {
    /// Mapping flags of ppc64: `arch/powerpc/include/uapi/asm/mman.h`.
    MAP_FLAGS_PPC64:
    0x10 => "MAP_FIXED", 0x20 => "MAP_ANONYMOUS", 0x40 => "MAP_NORESERVE", 0x80 => "MAP_LOCKED",
    0x100 => "MAP_GROWSDOWN", 0x800 => "MAP_DENYWRITE", 0x1000 => "MAP_EXECUTABLE", 0x8000 => "MAP_POPULATE",
    0x1_0000 => "MAP_NONBLOCK", 0x2_0000 => "MAP_STACK", 0x4_0000 => "MAP_HUGETLB",
}

/// Mapping flags of a machine (`core_entry.mtype`).
#[must_use]
pub fn map_flags(mtype: Option<u32>) -> &'static FlagNames {
    match mtype {
        Some(MTYPE_MIPS) => &MAP_FLAGS_MIPS,
        Some(MTYPE_PPC64) => &MAP_FLAGS_PPC64,
        _ => &MAP_FLAGS,
    }
}

/// VMA status: restorable.
pub const VMA_AREA_REGULAR: u32 = 0x1;
/// VMA status: stack (not set in practice).
pub const VMA_AREA_STACK: u32 = 0x2;
/// VMA status: `[vsyscall]`, not dumped.
pub const VMA_AREA_VSYSCALL: u32 = 0x4;
/// VMA status: `[vdso]`, dumped.
pub const VMA_AREA_VDSO: u32 = 0x8;
/// VMA status: `[heap]`.
pub const VMA_AREA_HEAP: u32 = 0x20;
/// VMA status: private mapping of a file.
pub const VMA_FILE_PRIVATE: u32 = 0x40;
/// VMA status: shared mapping of a file.
pub const VMA_FILE_SHARED: u32 = 0x80;
/// VMA status: shared anonymous memory.
pub const VMA_ANON_SHARED: u32 = 0x100;
/// VMA status: private anonymous memory.
pub const VMA_ANON_PRIVATE: u32 = 0x200;
/// VMA status: System V shared memory.
pub const VMA_AREA_SYSVIPC: u32 = 0x400;
/// VMA status: ring of a packet socket, not dumped.
pub const VMA_AREA_SOCKET: u32 = 0x800;
/// VMA status: `[vvar]`, not dumped.
pub const VMA_AREA_VVAR: u32 = 0x1000;
/// VMA status: ring of Linux AIO, not dumped.
pub const VMA_AREA_AIORING: u32 = 0x2000;
/// VMA status: mapping of a memfd, also every shared anonymous region of newer CRIU.
pub const VMA_AREA_MEMFD: u32 = 0x4000;
/// VMA status: shadow stack of x86 CET.
pub const VMA_AREA_SHSTK: u32 = 0x8000;
/// VMA status: pseudo entry for a `MADV_GUARD_INSTALL` range inside another VMA.
pub const VMA_AREA_GUARD: u32 = 0x1_0000;
/// VMA status: `[uprobes]`, not dumped.
pub const VMA_AREA_UPROBES: u32 = 0x2_0000;
/// VMA status: device mapping that a plugin owns.
pub const VMA_EXT_PLUGIN: u32 = 0x800_0000;

flag_names! {
    /// VMA status bits: `criu/include/image.h`.
    VMA_STATUS, "VMA status", zero "VMA_AREA_NONE":
    0x1 => "VMA_AREA_REGULAR", 0x2 => "VMA_AREA_STACK", 0x4 => "VMA_AREA_VSYSCALL", 0x8 => "VMA_AREA_VDSO",
    0x20 => "VMA_AREA_HEAP", 0x40 => "VMA_FILE_PRIVATE", 0x80 => "VMA_FILE_SHARED", 0x100 => "VMA_ANON_SHARED",
    0x200 => "VMA_ANON_PRIVATE", 0x400 => "VMA_AREA_SYSVIPC", 0x800 => "VMA_AREA_SOCKET", 0x1000 => "VMA_AREA_VVAR",
    0x2000 => "VMA_AREA_AIORING", 0x4000 => "VMA_AREA_MEMFD", 0x8000 => "VMA_AREA_SHSTK",
    0x1_0000 => "VMA_AREA_GUARD", 0x2_0000 => "VMA_AREA_UPROBES", 0x800_0000 => "VMA_EXT_PLUGIN",
    0x1000_0000 => "VMA_CLOSE", 0x2000_0000 => "VMA_NO_PROT_WRITE", 0x4000_0000 => "VMA_PREMMAPED",
    0x8000_0000 => "VMA_UNSUPP",
}

/// Pagemap flag: the bytes are in the parent image directory.
pub const PE_PARENT: u32 = 0x1;
/// Pagemap flag: may be (with [`PE_PRESENT`]) or was (alone) transferred lazily.
pub const PE_LAZY: u32 = 0x2;
/// Pagemap flag: the bytes are in this dump's pages file.
pub const PE_PRESENT: u32 = 0x4;
/// Pagemap flag: the payload starts at the next page boundary of the pages file.
pub const PE_PAYLOAD_ALIGNED: u32 = 0x8;

flag_names! {
    /// Pagemap flags: `criu/include/pagemap.h`.
    PAGEMAP_FLAGS, "pagemap flags", zero "0":
    0x1 => "PE_PARENT", 0x2 => "PE_LAZY", 0x4 => "PE_PRESENT", 0x8 => "PE_PAYLOAD_ALIGNED",
}

flag_names! {
    /// Advice as `vma_entry.madv` keeps it: bit n is `MADV_*` value n.
    MADVISE, "advice", zero "0":
    0x2 => "MADV_RANDOM", 0x4 => "MADV_SEQUENTIAL", 0x400 => "MADV_DONTFORK", 0x1000 => "MADV_MERGEABLE",
    0x4000 => "MADV_HUGEPAGE", 0x8000 => "MADV_NOHUGEPAGE", 0x1_0000 => "MADV_DONTDUMP", 0x4_0000 => "MADV_WIPEONFORK",
}

number_names! {
    /// `mm_entry.dumpable`: `include/linux/sched/coredump.h`.
    DUMPABLE, "dumpable": 0 => "SUID_DUMP_DISABLE", 1 => "SUID_DUMP_USER", 2 => "SUID_DUMP_ROOT",
}

number_names! {
    /// Keys of the auxiliary vector: `include/uapi/linux/auxvec.h`.
    AUXV, "auxiliary vector key":
    0 => "AT_NULL", 1 => "AT_IGNORE", 2 => "AT_EXECFD", 3 => "AT_PHDR", 4 => "AT_PHENT", 5 => "AT_PHNUM",
    6 => "AT_PAGESZ", 7 => "AT_BASE", 8 => "AT_FLAGS", 9 => "AT_ENTRY", 10 => "AT_NOTELF", 11 => "AT_UID",
    12 => "AT_EUID", 13 => "AT_GID", 14 => "AT_EGID", 15 => "AT_PLATFORM", 16 => "AT_HWCAP", 17 => "AT_CLKTCK",
    23 => "AT_SECURE", 24 => "AT_BASE_PLATFORM", 25 => "AT_RANDOM", 26 => "AT_HWCAP2", 27 => "AT_RSEQ_FEATURE_SIZE",
    28 => "AT_RSEQ_ALIGN", 29 => "AT_HWCAP3", 30 => "AT_HWCAP4", 31 => "AT_EXECFN", 32 => "AT_SYSINFO",
    33 => "AT_SYSINFO_EHDR", 51 => "AT_MINSIGSTKSZ",
}
