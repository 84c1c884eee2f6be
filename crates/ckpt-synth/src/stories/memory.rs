//! Kinds of mappings and of shared memory.

use super::looper_shell;
use crate::memory::{map_flags, page_flags, status};
use crate::{Dump, Message, Task, Vma, magic};

/// First address of [`every_mapping`]'s mappings, which follow one another every 16 MiB.
pub const MAPPINGS_AT: u64 = 0x7000_0000_0000;

const STEP: u64 = 0x100_0000;

/// Pid 1 with a mapping of every kind; the n-th begins at [`MAPPINGS_AT`] + n × 16 MiB and has four pages unless said:
///
/// | n | what |
/// |---|---|
/// | 0 | anonymous, pages 0 and 2 stored (`anon 0`, `anon 2`), 1 and 3 never touched |
/// | 1 | `/usr/lib/libc.so`, private `r-x`, nothing stored |
/// | 2 | the same file from 0x5000 on, private `rw-`, page 1 stored (`written`) |
/// | 3 | `/usr/lib/gone.so`, private, deleted: its 8192 bytes of `G` are a ghost file |
/// | 4 | `/data/db`, shared: its bytes are nowhere |
/// | 5 | anonymous, pages 0 and 1 only fetched lazily (nowhere), 2 in a parent that there is not |
/// | 6 | no access (`PROT_NONE`), 1 TiB, elsewhere: at `0x6000_0000_0000` |
/// | 7 | anonymous with a guarded page at its start (a pseudo entry) and the last page stored (`above the guard`) |
/// | 8 | anonymous, dropped on fork and never dumped: `MADV_DONTDUMP` and `MADV_WIPEONFORK` |
#[must_use]
pub fn every_mapping() -> Dump {
    let at = |n: u64| MAPPINGS_AT + n * STEP;
    // A tebibyte takes a place of its own.
    let (huge, tebibyte) = (0x6000_0000_0000, 1 << 40);
    let len = 4 * 4096;
    let task = looper_shell()
        .map(Vma::anon(at(0), len))
        .pages(at(0), b"anon 0")
        .pages(at(0) + 2 * 4096, b"anon 2")
        .map(Vma::file(at(1), len, "/usr/lib/libc.so", 0x1000).prot(5))
        .map(Vma::file(at(2), len, "/usr/lib/libc.so", 0x5000).prot(3))
        .pages(at(2) + 4096, b"written")
        .map(Vma::deleted_file(at(3), len, "/usr/lib/gone.so", 0, vec![b'G'; 8192]))
        .map(Vma::shared_file(at(4), len, "/data/db", 0))
        .map(Vma::anon(at(5), len))
        .pages_elsewhere(at(5), 2)
        .pages_in_parent(at(5) + 2 * 4096, 1)
        .map(Vma::anon(huge, tebibyte).prot(0))
        .map(Vma::anon(at(7), len))
        .map(Vma::guard(at(7), 4096))
        .pages_flagged(at(7) + 3 * 4096, b"above the guard", page_flags::PRESENT)
        .map(Vma::anon(at(8), len).madv(1 << 16 | 1 << 18));
    let mut dump = Dump::new();
    dump.task(task);
    dump
}

/// Where [`shared_memory`]'s processes map it.
pub const SHARED_AT: u64 = 0x7200_0000_0000;

/// Shared memory of four kinds, in pids 1 and 2: at [`SHARED_AT`] a memfd `ring` (`in ring` at 0, `later` at 0x2000, a
/// hole between; size 12345); 16 MiB higher `MAP_SHARED | MAP_ANONYMOUS` as a memfd `/dev/zero` (`zero-backed`); then a
/// SysV segment **with id 0** (`sysv zero`; key 0x5001, in `ipcns-shm-11.img`); then the older form, number 4711 (`numbered`). Pid 2 maps `ring` alone,
/// from 0x2000 on.
#[must_use]
pub fn shared_memory() -> Dump {
    let at = |n: u64| SHARED_AT + n * STEP;
    // key, uid, gid, cuid, cgid, mode, id
    let owner =
        (2..=5).fold(Message::new().uint(1, 0x5001u32), |desc, field| desc.uint(field, 0u32));
    let desc = owner.uint(6, 0o600u32).uint(7, 0u32);
    let segment = Message::new().message(1, &desc).uint(2, 8192u32).bool(3, true); // desc, size, in_pagemaps
    let mut dump = Dump::new();
    dump.image("ipcns-shm-11.img", magic::IPCNS_SHM, &[segment])
        .memfd("ring", 8001, 12_345, &[(0, b"in ring"), (0x2000, b"later")])
        .memfd("/dev/zero", 8002, 4096, &[(0, b"zero-backed")])
        .shared_memory(0, 8192, &[(0, b"sysv zero")])
        .shared_memory(4711, 4096, &[(0, b"numbered")])
        .task(
            looper_shell()
                .map(Vma::memfd(at(0), 0x4000, "ring"))
                .map(Vma::memfd(at(1), 0x1000, "/dev/zero"))
                .map(Vma::sysv(at(2), 0x2000, 0))
                .map(Vma::shared_anon(at(3), 0x1000, 4711)),
        )
        .task(
            Task::new(2, 1).comm("reader").map(
                Vma::memfd(at(0), 0x1000, "ring")
                    .offset(0x2000)
                    .prot(1)
                    .flags(map_flags::SHARED)
                    .status(status::REGULAR | status::FILE_SHARED | status::MEMFD),
            ),
        );
    dump
}
