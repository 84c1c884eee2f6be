//! The same container as other CRIUs and other machines write it.

use super::{looper, looper_shell, looper_sleep};
use crate::noise;
use crate::{Arch, BlockLayout, Compression, Dialect, Dump, Framing, Vma};

/// [`looper`](super::looper) by CRIU 3.17: counts in `compat_nr_pages`, `cg_set` in `tc`, no run id, no `no_new_privs`.
#[must_use]
pub fn criu_317() -> Dump {
    let mut dump = looper();
    dump.dialect(Dialect::Criu317).zombie(3, 1, 0, "gone");
    dump
}

/// [`looper`](super::looper) by CRIU 4.1: still counts in `compat_nr_pages`.
#[must_use]
pub fn criu_41() -> Dump {
    let mut dump = looper();
    dump.dialect(Dialect::Criu41);
    dump
}

/// [`looper`](super::looper) in the layout before CRIU 3.4: `reg-files.img` and `pipes.img` instead of `files.img`, and
/// `creds-`, `sigacts-`, `itimers-` and `rlimit-` images.
#[must_use]
pub fn split_layout() -> Dump {
    let mut dump = looper();
    dump.dialect(Dialect::Criu317).split_layout();
    dump
}

/// [`split_layout`] with the framing of `img_version` 1: one magic.
#[must_use]
pub fn split_layout_v1_0() -> Dump {
    let mut dump = split_layout();
    dump.framing(Framing::V1_0);
    dump
}

/// [`looper`](super::looper) on s390x: magics, lengths, netlink messages and memory are big-endian.
#[must_use]
pub fn s390x() -> Dump {
    on(Arch::S390x)
}

/// [`looper`](super::looper) on aarch64; the page size is told by `AT_PAGESZ` alone, and by the size of the pages files.
#[must_use]
pub fn aarch64(page_size: u64) -> Dump {
    on(Arch::Aarch64 { page_size })
}

/// [`looper`](super::looper) on ppc64le with pages of 64 KiB.
#[must_use]
pub fn ppc64le() -> Dump {
    on(Arch::Ppc64le { page_size: 65536 })
}

/// [`looper`](super::looper) on riscv64.
#[must_use]
pub fn riscv64() -> Dump {
    on(Arch::Riscv64)
}

/// [`looper`](super::looper) on loongarch64 with pages of 16 KiB.
#[must_use]
pub fn loongarch64() -> Dump {
    on(Arch::LoongArch64 { page_size: 16384 })
}

fn on(arch: Arch) -> Dump {
    let mut dump = looper();
    dump.arch(arch);
    dump
}

/// Where pid 1 of the `lz4_*` stories has [`lz4_memory`].
pub const LZ4_AT: u64 = 0x7000_0000_0000;

/// The 40960 bytes at [`LZ4_AT`]: four pages of zeros, four of text, and two that LZ4 cannot shrink. Blocks of 16 KiB
/// are then an empty one, a compressed one, and a short one stored as it is.
#[must_use]
pub fn lz4_memory() -> Vec<u8> {
    let mut bytes = vec![0; 4 * 4096];
    for index in [0, 2, 5, 8] {
        bytes.extend(noise::page(7, index, 4096)); // text
    }
    for index in [1, 3] {
        bytes.extend(noise::page(7, index, 4096)); // random
    }
    bytes
}

/// Layout A, a block a page, sizes packed.
#[must_use]
pub fn lz4_a_per_page() -> Dump {
    lz4(Compression::per_page(BlockLayout::A))
}

/// Layout A, blocks of 16 KiB, sizes packed.
#[must_use]
pub fn lz4_a_packed() -> Dump {
    lz4(Compression::region(BlockLayout::A, 16384))
}

/// Layout A, blocks of 16 KiB, a tag for each size.
#[must_use]
pub fn lz4_a_unpacked() -> Dump {
    lz4(Compression::region(BlockLayout::A, 16384).unpacked())
}

/// Layout B, a block a page.
#[must_use]
pub fn lz4_b_per_page() -> Dump {
    lz4(Compression::per_page(BlockLayout::B))
}

/// Layout B, blocks of 16 KiB.
#[must_use]
pub fn lz4_b() -> Dump {
    lz4(Compression::region(BlockLayout::B, 16384))
}

/// Layout B, blocks of 16 KiB, each entry at a page boundary of the pages file.
#[must_use]
pub fn lz4_b_aligned() -> Dump {
    lz4(Compression::region(BlockLayout::B, 16384).aligned())
}

/// Layout B, blocks of 16 KiB, each block at a page boundary.
#[must_use]
pub fn lz4_b_padded() -> Dump {
    lz4(Compression::region(BlockLayout::B, 16384).padded())
}

/// Layout B, blocks of 16 KiB, every second entry left uncompressed.
#[must_use]
pub fn lz4_mixed() -> Dump {
    lz4(Compression::region(BlockLayout::B, 16384).aligned().mixed())
}

/// [`looper`](super::looper) with [`lz4_memory`] at [`LZ4_AT`] of pid 1.
#[must_use]
pub fn lz4(compression: Compression) -> Dump {
    let memory = lz4_memory();
    let map = Vma::anon(LZ4_AT, memory.len() as u64);
    let mut dump = Dump::new();
    dump.dialect(Dialect::V12(compression))
        .task(looper_shell().map(map).pages(LZ4_AT, memory))
        .task(looper_sleep());
    dump
}
