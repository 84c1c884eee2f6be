//! Memory of tasks: each mapping joined with the file, memfd or segment behind it.

use std::sync::Arc;

use ckpt_memory::{AddressSpace, Backing, Mapping, MappingKind, Missing, VirtAddr};
use criu_image::messages::{MmEntry, VmaEntry};

use super::fill::FileSources;
use crate::files::fd_type;
use crate::registers::Arch;
use crate::shared::{ANONYMOUS_HUGE, SharedTable, is_anonymous};
use crate::{Checkpoint, Pid};

/// The last column of `/proc/PID/maps` for shared anonymous memory.
const ZERO_DEVICE: &[u8] = b"/dev/zero (deleted)";

/// `MAP_HUGETLB`: `include/uapi/asm-generic/mman.h`, `arch/mips/include/uapi/asm/mman.h`.
const MAP_HUGETLB: u32 = 0x4_0000;
const MAP_HUGETLB_MIPS: u32 = 0x8_0000;

impl Checkpoint {
    /// The address space of a process; `None` when the images have neither a memory map nor a page of it. Pages that the
    /// dump left in mapped files are missing.
    pub fn memory(&self, pid: Pid) -> Option<AddressSpace> {
        self.space_of(pid, None)
    }

    /// As [`memory`](Self::memory), with the pages that the dump left in mapped files read from these.
    pub fn memory_filled(&self, pid: Pid, files: &FileSources) -> Option<AddressSpace> {
        self.space_of(pid, Some(files))
    }

    fn space_of(&self, pid: Pid, files: Option<&FileSources>) -> Option<AddressSpace> {
        let task = self.processes().get(pid)?;
        let mapped = |mm: &MmEntry| {
            let mips =
                task.core.as_ref().is_some_and(|core| Arch::from_raw(core.mtype) == Arch::Mips);
            let hugetlb = if mips { MAP_HUGETLB_MIPS } else { MAP_HUGETLB };
            let shared = self.shared_table();
            let mapper = Mapper { checkpoint: self, shared, files, mm, hugetlb };
            mm.vmas.iter().map(|vma| mapper.mapping(vma)).collect()
        };
        let mappings = task.mm.as_deref().map(mapped).unwrap_or_default();
        // What is wrong with the pagemaps was told when the processes were read.
        let quiet = crate::defect::Defects::default();
        Some(self.chained_memory().space(task.mm_owner?, mappings, &quiet))
    }
}

/// What mappings of one task are joined with.
struct Mapper<'a> {
    checkpoint: &'a Checkpoint,
    shared: &'a SharedTable,
    files: Option<&'a FileSources>,
    mm: &'a MmEntry,
    /// `MAP_HUGETLB` of its machine.
    hugetlb: u32,
}

impl Mapper<'_> {
    fn mapping(&self, vma: &VmaEntry) -> Mapping {
        let mut mapping = Mapping::new(vma.clone());
        match mapping.kind {
            MappingKind::FilePrivate
            | MappingKind::FileShared
            | MappingKind::MemfdPrivate
            | MappingKind::MemfdShared => self.file(&mut mapping),
            MappingKind::AnonShared => {
                mapping.name = Some(ZERO_DEVICE.into());
                mapping.deleted = true;
                let size = self.shared.anonymous_size(vma.shmid);
                mapping.backing = self.shared_memory(vma.shmid, size);
            }
            MappingKind::SysvShm => self.segment(&mut mapping),
            MappingKind::Anon | MappingKind::Heap => self.by_place(&mut mapping),
            MappingKind::Vdso => mapping.name = Some(b"[vdso]".as_slice().into()),
            MappingKind::Vvar => mapping.name = Some(b"[vvar]".as_slice().into()),
            MappingKind::Vsyscall => mapping.name = Some(b"[vsyscall]".as_slice().into()),
            // A file of the kernel's own that never had a place (`fs/aio.c`).
            MappingKind::AioRing => {
                mapping.deleted = true;
                mapping.name = Some(b"/[aio] (deleted)".as_slice().into());
            }
            _ => {}
        }
        mapping
    }

    /// A file of a file system, or a memfd.
    fn file(&self, mapping: &mut Mapping) {
        let Ok(id) = u32::try_from(mapping.vma.shmid) else { return };
        let table = self.checkpoint.files();
        if table.get(fd_type::MEMFD, id).is_some() {
            return self.memfd(mapping, id);
        }
        let Some(file) = table.path(id) else { return };
        mapping.name = Some(file.path.as_bytes().into());
        mapping.deleted = file.deleted;
        if let Some(files) = self.files {
            mapping.backing = match files.file(id) {
                Ok(file) => Backing::File(Arc::clone(file)),
                Err(why) => Backing::Unavailable(why),
            };
        }
    }

    fn memfd(&self, mapping: &mut Mapping, id: u32) {
        let private = matches!(mapping.kind, MappingKind::FilePrivate | MappingKind::MemfdPrivate);
        let table = self.checkpoint.files();
        let inode = table.memfd_inode(id);
        let anonymous = inode.filter(|inode| is_anonymous(inode));
        mapping.kind = match (private, anonymous.is_some()) {
            (true, _) => MappingKind::MemfdPrivate,
            (false, true) => MappingKind::AnonShared,
            (false, false) => MappingKind::MemfdShared,
        };
        mapping.deleted = true;
        mapping.name = match anonymous {
            Some(inode) => Some(deleted(&inode.name)),
            None => table.path(id).map(|file| file.path.as_bytes().into()),
        };
        mapping.backing = match inode {
            Some(inode) => self.shared_memory(inode.shmid.into(), inode.size),
            None => Backing::Unavailable(Missing::Shared),
        };
    }

    fn segment(&self, mapping: &mut Mapping) {
        let id = mapping.vma.shmid;
        mapping.deleted = true;
        let Some(segment) = self.shared.segment(id) else {
            // Without the list of segments its pages may still be there.
            let size = mapping.offset().saturating_add(mapping.len());
            mapping.backing = self.shared_memory(id, size);
            return;
        };
        let name = format!("/SYSV{:08x} (deleted)", segment.entry.desc.key);
        mapping.name = Some(name.into_bytes().into());
        mapping.backing = Backing::Shared(self.checkpoint.shared_segment(segment));
    }

    fn shared_memory(&self, id: u64, size: u64) -> Backing {
        Backing::Shared(self.checkpoint.shared_by_id(id, size))
    }

    /// The kernel calls whatever touches the area of `brk(2)` the heap, and whatever holds the first stack pointer the
    /// stack (`fs/proc/task_mmu.c`).
    fn by_place(&self, mapping: &mut Mapping) {
        let MmEntry { mm_brk, mm_start_brk, mm_start_stack, .. } = *self.mm;
        let touches = |first: u64, last: u64| {
            mapping.start <= VirtAddr(last) && VirtAddr(first) <= mapping.end
        };
        if mapping.kind == MappingKind::Heap || (mm_brk != 0 && touches(mm_start_brk, mm_brk)) {
            mapping.kind = MappingKind::Heap;
            mapping.name = Some(b"[heap]".as_slice().into());
        } else if mm_start_stack != 0 && touches(mm_start_stack, mm_start_stack) {
            mapping.kind = MappingKind::Stack;
            mapping.name = Some(b"[stack]".as_slice().into());
        } else if mapping.vma.flags & self.hugetlb != 0 {
            mapping.deleted = true;
            mapping.name = Some(deleted(ANONYMOUS_HUGE));
        }
    }
}

/// A name as `/proc` shows it of what has no place in a file system.
fn deleted(name: &[u8]) -> Arc<[u8]> {
    [name, b" (deleted)"].concat().into()
}
