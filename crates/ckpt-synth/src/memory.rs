//! A task's mappings and the pages that the dump holds of them.

use crate::file::Backing;

/// Bits of `vma_entry.status`. Source: `criu/include/image.h`.
pub mod status {
    /// Restorable: every VMA but vsyscall.
    pub const REGULAR: u32 = 1 << 0;
    /// `[vsyscall]`.
    pub const VSYSCALL: u32 = 1 << 2;
    /// `[vdso]`.
    pub const VDSO: u32 = 1 << 3;
    /// `[heap]`.
    pub const HEAP: u32 = 1 << 5;
    /// A private mapping of a file.
    pub const FILE_PRIVATE: u32 = 1 << 6;
    /// A shared mapping of a file.
    pub const FILE_SHARED: u32 = 1 << 7;
    /// Shared memory without a file.
    pub const ANON_SHARED: u32 = 1 << 8;
    /// Private memory without a file.
    pub const ANON_PRIVATE: u32 = 1 << 9;
    /// A SysV segment.
    pub const SYSVIPC: u32 = 1 << 10;
    /// `[vvar]`.
    pub const VVAR: u32 = 1 << 12;
    /// The file is a memfd.
    pub const MEMFD: u32 = 1 << 14;
    /// A pseudo entry for a guarded range inside another VMA.
    pub const GUARD: u32 = 1 << 16;
}

/// Bits of `vma_entry.flags`.
pub mod map_flags {
    /// `MAP_SHARED`.
    pub const SHARED: u32 = 1;
    /// `MAP_PRIVATE`.
    pub const PRIVATE: u32 = 2;
    /// `MAP_ANONYMOUS`.
    pub const ANON: u32 = 0x20;
    /// `MAP_GROWSDOWN`.
    pub const GROWSDOWN: u32 = 0x100;
}

/// Bits of `pagemap_entry.flags`.
pub mod page_flags {
    /// The page is in the parent dump.
    pub const PARENT: u32 = 1;
    /// The page may be fetched later at restore.
    pub const LAZY: u32 = 2;
    /// The page is in the pages file.
    pub const PRESENT: u32 = 4;
    /// The payload starts at a page boundary.
    pub const ALIGNED: u32 = 8;
}

/// A mapping (`vma_entry`).
#[derive(Clone, Debug)]
pub struct Vma {
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) pgoff: u64,
    pub(crate) prot: u32,
    pub(crate) flags: u32,
    pub(crate) status: u32,
    pub(crate) madv: Option<u64>,
    pub(crate) backing: Backing,
}

impl Vma {
    /// Private memory without a file, `rw-p`.
    #[must_use]
    pub fn anon(start: u64, len: u64) -> Self {
        Self {
            start,
            end: start.wrapping_add(len),
            pgoff: 0,
            prot: 3,
            flags: map_flags::PRIVATE | map_flags::ANON,
            status: status::REGULAR | status::ANON_PRIVATE,
            madv: None,
            backing: Backing::None,
        }
    }

    /// A private mapping of the file `path` from byte `offset` on, `r--p`.
    #[must_use]
    pub fn file(start: u64, len: u64, path: impl Into<Vec<u8>>, offset: u64) -> Self {
        Self {
            pgoff: offset,
            prot: 1,
            flags: map_flags::PRIVATE,
            status: status::REGULAR | status::FILE_PRIVATE,
            backing: Backing::Path { path: path.into(), deleted: None },
            ..Self::anon(start, len)
        }
    }

    /// As [`file`](Self::file), of a file that was deleted; its content is in the dump as a ghost file.
    #[must_use]
    pub fn deleted_file(
        start: u64,
        len: u64,
        path: impl Into<Vec<u8>>,
        offset: u64,
        content: impl Into<Vec<u8>>,
    ) -> Self {
        Self {
            backing: Backing::Path { path: path.into(), deleted: Some(content.into()) },
            ..Self::file(start, len, Vec::new(), offset)
        }
    }

    /// A shared mapping of the file `path`, `rw-s`: its bytes are never in a dump.
    #[must_use]
    pub fn shared_file(start: u64, len: u64, path: impl Into<Vec<u8>>, offset: u64) -> Self {
        Self {
            prot: 3,
            flags: map_flags::SHARED,
            status: status::REGULAR | status::FILE_SHARED,
            ..Self::file(start, len, path, offset)
        }
    }

    /// A shared mapping of the memfd called `name`, `rw-s` (see [`Dump::memfd`](crate::Dump::memfd)). The name
    /// `/dev/zero` makes it what `MAP_SHARED | MAP_ANONYMOUS` gives.
    #[must_use]
    pub fn memfd(start: u64, len: u64, name: impl Into<Vec<u8>>) -> Self {
        Self {
            prot: 3,
            flags: map_flags::SHARED,
            status: status::REGULAR | status::FILE_SHARED | status::MEMFD,
            backing: Backing::Memfd { name: name.into() },
            ..Self::anon(start, len)
        }
    }

    /// Shared memory by its number, `rw-s`: the older form of shared anonymous memory (see
    /// [`Dump::shared_memory`](crate::Dump::shared_memory)).
    #[must_use]
    pub fn shared_anon(start: u64, len: u64, shmid: u64) -> Self {
        Self {
            flags: map_flags::SHARED | map_flags::ANON,
            status: status::REGULAR | status::ANON_SHARED,
            backing: Backing::Shmid(shmid),
            ..Self::anon(start, len)
        }
    }

    /// An attached SysV segment, `rw-s`. The number may be 0.
    #[must_use]
    pub fn sysv(start: u64, len: u64, shmid: u64) -> Self {
        Self {
            status: status::REGULAR | status::ANON_SHARED | status::SYSVIPC,
            ..Self::shared_anon(start, len, shmid)
        }
    }

    /// The pseudo entry of a guarded range, which CRIU 4.2 puts after all others.
    #[must_use]
    pub fn guard(start: u64, len: u64) -> Self {
        Self { prot: 0, flags: 0, status: status::GUARD, ..Self::anon(start, len) }
    }

    /// Protection: 1 read, 2 write, 4 execute.
    #[must_use]
    pub fn prot(self, prot: u32) -> Self {
        Self { prot, ..self }
    }

    /// `mmap` flags, all of them.
    #[must_use]
    pub fn flags(self, flags: u32) -> Self {
        Self { flags, ..self }
    }

    /// Status bits, all of them.
    #[must_use]
    pub fn status(self, status: u32) -> Self {
        Self { status, ..self }
    }

    /// Offset in the file or segment, in bytes.
    #[must_use]
    pub fn offset(self, bytes: u64) -> Self {
        Self { pgoff: bytes, ..self }
    }

    /// Bit n for `madvise` value n.
    #[must_use]
    pub fn madv(self, bits: u64) -> Self {
        Self { madv: Some(bits), ..self }
    }
}

/// What a run of pages holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Bytes(Vec<u8>),
    Noise { seed: u64, first: u64 },
    Parent,
    Lazy,
}

impl Source {
    pub(crate) fn stored(&self) -> bool {
        matches!(self, Self::Bytes(_) | Self::Noise { .. })
    }
}

/// Pages one after another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) start: u64,
    pub(crate) pages: u64,
    pub(crate) source: Source,
    /// Overrides the flags that the mapping gives.
    pub(crate) flags: Option<u32>,
}

impl Run {
    fn end(&self, page_size: u64) -> u64 {
        self.start.saturating_add(self.pages.saturating_mul(page_size))
    }

    /// The pages of this run in `from .. to`.
    fn slice(&self, from: u64, to: u64, page_size: u64) -> Option<Run> {
        let start = self.start.max(from);
        let end = self.end(page_size).min(to);
        let pages = end.checked_sub(start)? / page_size;
        if pages == 0 {
            return None;
        }
        let skip = start - self.start;
        let source = match &self.source {
            Source::Bytes(bytes) => {
                let skip = usize::try_from(skip).ok()?;
                let len = usize::try_from(pages * page_size).ok()?;
                Source::Bytes(bytes.iter().skip(skip).take(len).copied().collect())
            }
            Source::Noise { seed, first } => {
                Source::Noise { seed: *seed, first: first + skip / page_size }
            }
            other => other.clone(),
        };
        Some(Run { start, pages, source, flags: self.flags })
    }
}

/// The pages of an address space: runs in address order, disjoint, the later written over the earlier.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pages {
    runs: Vec<Run>,
}

impl Pages {
    pub(crate) fn put(&mut self, run: Run, page_size: u64) {
        let end = run.end(page_size);
        if self.runs.last().is_none_or(|last| last.end(page_size) <= run.start) {
            self.runs.push(run);
            return;
        }
        let mut next = Vec::with_capacity(self.runs.len() + 2);
        for old in &self.runs {
            next.extend(old.slice(0, run.start, page_size));
            next.extend(old.slice(end, u64::MAX, page_size));
        }
        next.push(run);
        next.sort_by_key(|run| run.start);
        self.runs = next;
    }

    pub(crate) fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// Pages that lie in the pages file.
    pub(crate) fn stored(&self) -> u64 {
        self.runs.iter().filter(|run| run.source.stored()).map(|run| run.pages).sum()
    }

    /// Pages that only the parent has.
    pub(crate) fn in_parent(&self) -> u64 {
        self.runs.iter().filter(|run| run.source == Source::Parent).map(|run| run.pages).sum()
    }
}

/// Bytes as whole pages, filled up with zeros.
pub(crate) fn page_run(start: u64, mut bytes: Vec<u8>, page_size: u64) -> Run {
    let size = usize::try_from(page_size).unwrap_or(4096);
    bytes.resize(bytes.len().next_multiple_of(size), 0);
    Run { start, pages: bytes.len() as u64 / page_size, source: Source::Bytes(bytes), flags: None }
}

#[cfg(test)]
mod tests {
    use super::{Pages, Run, Source, page_run};

    #[test]
    fn later_over_earlier() {
        let mut pages = Pages::default();
        pages.put(page_run(0x1000, vec![1; 4 * 4096], 4096), 4096);
        pages.put(page_run(0x2000, vec![2; 4096], 4096), 4096);
        pages.put(Run { start: 0x4000, pages: 2, source: Source::Parent, flags: None }, 4096);
        let seen: Vec<_> =
            pages.runs().iter().map(|r| (r.start, r.pages, r.source.stored())).collect();
        assert_eq!(
            seen,
            [(0x1000, 1, true), (0x2000, 1, true), (0x3000, 1, true), (0x4000, 2, false)]
        );
        assert_eq!((pages.stored(), pages.in_parent()), (3, 2));
    }

    #[test]
    fn noise_keeps_its_number() {
        let mut pages = Pages::default();
        let noise = Run {
            start: 0x1000,
            pages: 4,
            source: Source::Noise { seed: 1, first: 0 },
            flags: None,
        };
        pages.put(noise, 4096);
        pages.put(page_run(0x2000, vec![2; 1], 4096), 4096);
        assert_eq!(pages.runs()[2].source, Source::Noise { seed: 1, first: 2 });
    }
}
