//! Who has a file open, runs it or maps it.

use std::collections::{HashMap, HashSet};

use criu_image::ImageKind;
use criu_image::messages::{FdinfoEntry, TaskKobjIdsEntry};

use crate::defect::Defects;
use crate::files::fd_type;
use crate::images::Images;
use crate::task::Task;
use crate::{Checkpoint, Pid};

/// Bits of `vma_entry.status` by which `shmid` names a file, shared memory or a System V segment.
///
/// Source: `criu/include/image.h`.
pub(super) mod vma {
    pub(in crate::artifacts) const FILE: u32 = 1 << 6 | 1 << 7;
    pub(in crate::artifacts) const ANON_SHARED: u32 = 1 << 8;
    pub(in crate::artifacts) const SYSVIPC: u32 = 1 << 10;
}

/// How a process has a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Hold {
    /// By a descriptor of this number.
    Fd(u32),
    /// As its executable.
    Exe,
    /// In its memory map.
    Map,
}

/// A process that has a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Holder {
    /// The process.
    pub pid: Pid,
    /// How it has it.
    pub hold: Hold,
}

impl Holder {
    /// Its descriptor.
    #[must_use]
    pub fn fd(&self) -> Option<u32> {
        match self.hold {
            Hold::Fd(fd) => Some(fd),
            _ => None,
        }
    }
}

/// Holders by what they hold.
#[derive(Debug, Default)]
pub(super) struct Owners {
    /// By type and id in `files.img`.
    files: HashMap<(u32, u32), Vec<Holder>>,
    /// By number of the shared memory, with its size as far as it is mapped; System V segments are apart.
    shared: HashMap<(bool, u64), (Vec<Holder>, u64)>,
    /// Regular files that are not deleted, by path.
    paths: HashMap<Vec<u8>, Vec<(u32, u32)>>,
}

impl Owners {
    pub(super) fn of(checkpoint: &Checkpoint) -> Self {
        let mut owners = Self::default();
        let Some(images) = checkpoint.images() else { return owners };
        // A descriptor table that tasks share counts for the first of them.
        let mut tables = HashSet::new();
        let mut maps = HashSet::new();
        for task in checkpoint.processes().by_pid() {
            if task.is_zombie() {
                continue;
            }
            let table = table_of(images, task);
            if tables.insert(table) {
                owners.descriptors(images, task.pid, table);
            }
            if let Some(exe) = &task.exe {
                let kind = if exe.memfd { fd_type::MEMFD } else { fd_type::REG };
                let holder = Holder { pid: task.pid, hold: Hold::Exe };
                owners.files.entry((kind, exe.file_id)).or_default().push(holder);
            }
            if task.mm_owner.is_none_or(|owner| maps.insert(owner)) {
                owners.mappings(checkpoint, task);
            }
        }
        for holders in owners.files.values_mut() {
            settle(holders);
        }
        for (holders, _) in owners.shared.values_mut() {
            settle(holders);
        }
        for entry in checkpoint.files().all() {
            if let Some(reg) = &entry.reg
                && checkpoint.files().remap(entry.id).is_none()
            {
                owners.paths.entry(reg.name.clone()).or_default().push((entry.r#type, entry.id));
            }
        }
        owners
    }

    fn descriptors(&mut self, images: &Images, pid: Pid, table: u64) {
        // What is wrong with descriptor tables is told where they are shown.
        let quiet = Defects::default();
        let entries = images.many::<FdinfoEntry>(ImageKind::Fdinfo, Some(table), &quiet);
        for entry in entries.into_iter().flatten() {
            let holder = Holder { pid, hold: Hold::Fd(entry.fd) };
            self.files.entry((entry.r#type, entry.id)).or_default().push(holder);
        }
    }

    fn mappings(&mut self, checkpoint: &Checkpoint, task: &Task) {
        let holder = Holder { pid: task.pid, hold: Hold::Map };
        let mut seen = HashSet::new();
        for vma in task.mm.iter().flat_map(|mm| &mm.vmas) {
            if vma.status & vma::FILE != 0
                && let Ok(id) = u32::try_from(vma.shmid)
            {
                let files = checkpoint.files();
                let kind = if files.get(fd_type::MEMFD, id).is_some() {
                    fd_type::MEMFD
                } else {
                    fd_type::REG
                };
                if seen.insert((kind, u64::from(id))) {
                    self.files.entry((kind, id)).or_default().push(holder);
                }
            } else if vma.status & vma::ANON_SHARED != 0 {
                let sysv = vma.status & vma::SYSVIPC != 0;
                let (holders, size) = self.shared.entry((sysv, vma.shmid)).or_default();
                let end = vma.pgoff.saturating_add(vma.end.saturating_sub(vma.start));
                *size = end.max(*size);
                if seen.insert((u32::MAX, vma.shmid)) {
                    holders.push(holder);
                }
            }
        }
    }

    /// Who has files of these types and ids.
    pub(super) fn files(&self, files: impl IntoIterator<Item = (u32, u32)>) -> Vec<Holder> {
        let found = files.into_iter().filter_map(|key| self.files.get(&key));
        let mut holders: Vec<Holder> = found.flatten().copied().collect();
        settle(&mut holders);
        holders
    }

    /// Who has the file of that path, which is not deleted.
    pub(super) fn path(&self, path: &[u8]) -> Vec<Holder> {
        self.paths.get(path).map_or_else(Vec::new, |keys| self.files(keys.iter().copied()))
    }

    /// Who maps a System V segment.
    pub(super) fn segment(&self, id: u64) -> Vec<Holder> {
        self.shared.get(&(true, id)).map(|(holders, _)| holders.clone()).unwrap_or_default()
    }

    /// Shared memory that is mapped and has neither a file nor a segment, in the form of older kernels: its number, who
    /// maps it, and how many bytes of it, by number.
    pub(super) fn anonymous(&self) -> Vec<(u64, &[Holder], u64)> {
        let all = self.shared.iter().filter(|((sysv, _), _)| !sysv);
        let mut all: Vec<_> =
            all.map(|((_, shmid), (holders, size))| (*shmid, holders.as_slice(), *size)).collect();
        all.sort_unstable_by_key(|(shmid, ..)| *shmid);
        all
    }
}

/// The number in the name of a task's `fdinfo` image: of the oldest dumps, which have no number of the table, its pid.
fn table_of(images: &Images, task: &Task) -> u64 {
    let quiet = Defects::default();
    let pid = u64::from(task.pid.0);
    let own = images.has(ImageKind::Ids, Some(pid));
    let own = own.then(|| images.one::<TaskKobjIdsEntry>(ImageKind::Ids, Some(pid), &quiet));
    let ids = own.flatten().or_else(|| task.core.as_ref().and_then(|core| core.ids.clone()));
    let number = ids.map(|ids| u64::from(ids.files_id));
    number.filter(|number| images.has(ImageKind::Fdinfo, Some(*number))).unwrap_or(pid)
}

/// By pid, and of a process the descriptors first.
fn settle(holders: &mut Vec<Holder>) {
    holders.sort_unstable();
    holders.dedup();
}
