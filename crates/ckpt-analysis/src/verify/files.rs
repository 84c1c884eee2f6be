//! References between descriptors, files, deleted files, mounts and shared memory.

use std::collections::{BTreeMap, HashMap, HashSet};

use ckpt_model::{Remap, fd_type};
use criu_image::ImageKind;
use criu_image::messages::{
    FdinfoEntry, FsEntry, IpcShmEntry, MemfdInodeEntry, MmEntry, MntEntry, RemapFilePathEntry,
    TtyInfoEntry,
};

use super::check::{Check, Effect, Spec, count};
use super::reader::{Subject, listed};

pub(super) const OPEN: Spec = Spec::coded(
    "C6",
    "open-files",
    "the file of every descriptor, executable, directory and mapped file with the table of open files; terminals and named pipes with what they are opened by",
);

pub(super) const SHARED: Spec = Spec::coded(
    "C9",
    "shared-memory",
    "every memfd, System V segment and shared anonymous mapping with what describes it and the pagemap of its pages",
);

pub(super) const DELETED: Spec = Spec::coded(
    "C10",
    "deleted-files",
    "every open file without a name with the ghost or link that stands for it, and every ghost with a file",
);

pub(super) const MOUNTED: Spec = Spec::coded(
    "C11",
    "mounted-files",
    "the mount of every open file with the mounts of all namespaces",
);

/// Bits of `vma_entry.status`. Source: `criu/include/image.h`.
mod status {
    pub(super) const FILE_PRIVATE: u32 = 1 << 6;
    pub(super) const FILE_SHARED: u32 = 1 << 7;
    pub(super) const ANON_SHARED: u32 = 1 << 8;
    pub(super) const SYSVIPC: u32 = 1 << 10;
}

/// C6: the files that tasks refer to.
pub(super) fn open(subject: &Subject<'_>) -> Check {
    let mut check = OPEN.begin();
    let files = subject.checkpoint.files();
    let (mut references, mut tables) = (0_usize, 0_usize);
    for id in subject.images.ids(ImageKind::Fdinfo) {
        let at = subject.place(ImageKind::Fdinfo, Some(id));
        let table = subject.read::<FdinfoEntry>(ImageKind::Fdinfo, Some(id));
        if !table.whole {
            check.unreadable(&*at);
        }
        tables = tables.saturating_add(1);
        for entry in table.list {
            references = references.saturating_add(1);
            if files.get(entry.r#type, entry.id).is_none() {
                let what = format!(
                    "descriptor {} is file {} of type {}, which is in no image",
                    entry.fd, entry.id, entry.r#type
                );
                check.tell(Effect::Incomplete, &*at, what);
            }
        }
    }
    let named =
        |id: u32| files.get(fd_type::REG, id).is_some() || files.get(fd_type::MEMFD, id).is_some();
    for id in subject.images.ids(ImageKind::Fs) {
        let at = subject.place(ImageKind::Fs, Some(id));
        let Some(fs) = subject.one::<FsEntry>(ImageKind::Fs, id) else {
            check.unreadable(at);
            continue;
        };
        for (file, what) in [(fs.cwd_id, "working directory"), (fs.root_id, "root")] {
            references = references.saturating_add(1);
            if !named(file) {
                let what = format!("the {what} is file {file}, which is in no image");
                check.tell(Effect::Incomplete, &*at, what);
            }
        }
    }
    for id in subject.images.ids(ImageKind::Mm) {
        let at = subject.place(ImageKind::Mm, Some(id));
        let Some(mm) = subject.one::<MmEntry>(ImageKind::Mm, id) else {
            check.unreadable(at);
            continue;
        };
        references = references.saturating_add(1);
        if !named(mm.exe_file_id) {
            let what = format!("the executable is file {}, which is in no image", mm.exe_file_id);
            check.tell(Effect::Incomplete, &*at, what);
        }
        let of_file = |vma: &&criu_image::messages::VmaEntry| {
            vma.status & (status::FILE_PRIVATE | status::FILE_SHARED) != 0
        };
        for vma in mm.vmas.iter().filter(of_file) {
            references = references.saturating_add(1);
            let known = u32::try_from(vma.shmid)
                .is_ok_and(|id| named(id) || files.by_id(id).next().is_some());
            if !known {
                let what = format!(
                    "the mapping at {:#x} is of file {}, which is in no image",
                    vma.start, vma.shmid
                );
                check.tell(Effect::Incomplete, &*at, what);
            }
        }
    }
    let terminals = subject.read::<TtyInfoEntry>(ImageKind::TtyInfo, None);
    if !terminals.whole {
        check.unreadable(subject.place(ImageKind::TtyInfo, None));
    }
    for file in files.all() {
        if let Some(tty) = &file.tty {
            references = references.saturating_add(1);
            if terminals.whole && files.terminal(tty.tty_info_id).is_none() {
                let what = format!("terminal {} of file {} is not in it", tty.tty_info_id, tty.id);
                check.tell(Effect::Incomplete, subject.place(ImageKind::TtyInfo, None), what);
            }
        }
        let tty = file.tty.as_ref().and_then(|tty| tty.regf_id);
        let fifo = file.fifo.as_ref().and_then(|fifo| fifo.regf_id);
        if let Some(path) = tty.or(fifo) {
            references = references.saturating_add(1);
            if files.get(fd_type::REG, path).is_none() {
                let what =
                    format!("file {} was opened by file {path}, which is in no image", file.id);
                check.tell(Effect::Incomplete, subject.place(ImageKind::Files, None), what);
            }
        }
    }
    if references == 0 && !check.has_failed() {
        return OPEN.not_applicable("no image refers to a file");
    }
    check.end(
        format!(
            "{} in {}",
            count(references, "reference", "references"),
            count(tables, "table", "tables")
        ),
        count(files.all().len(), "open file", "open files"),
    )
}

/// C9: shared memory and its pagemaps.
pub(super) fn shared(subject: &Subject<'_>) -> Check {
    let mut check = SHARED.begin();
    let has = |id: u64| subject.images.has(ImageKind::PagemapShmem, Some(id));
    let mut wanted: HashSet<u64> = HashSet::new();
    let mut all: HashSet<u64> = HashSet::new();
    let memfds = subject.read::<MemfdInodeEntry>(ImageKind::MemfdInode, None);
    if !memfds.whole {
        check.unreadable(subject.place(ImageKind::MemfdInode, None));
    }
    let mut missing: Vec<(u64, String)> = Vec::new();
    let files = subject.checkpoint.files();
    let mut opened: BTreeMap<u32, u32> = BTreeMap::new();
    for file in files.all() {
        let Some(memfd) = &file.memfd else { continue };
        if memfds.whole && files.memfd_inode(memfd.id).is_none() {
            opened.entry(memfd.inode_id).or_insert(memfd.id);
        }
    }
    for (inode, file) in &opened {
        let what = format!("memfd {inode}, which is file {file}, is not in it: name, size, pages");
        check.tell(Effect::Incomplete, subject.place(ImageKind::MemfdInode, None), what);
    }
    for memfd in &memfds.list {
        let id = u64::from(memfd.shmid);
        all.insert(id);
        // An empty memfd has no pages to write.
        if memfd.size > 0 && wanted.insert(id) && !has(id) {
            let at = subject.place(ImageKind::MemfdInode, None);
            missing.push((id, format!("{at}: a memfd of {} bytes", memfd.size)));
        }
    }
    let mut segments: HashSet<(u64, u64)> = HashSet::new();
    for ns in subject.images.ids(ImageKind::IpcShm) {
        let entries = subject.read::<IpcShmEntry>(ImageKind::IpcShm, Some(ns));
        let at = subject.place(ImageKind::IpcShm, Some(ns));
        if !entries.whole {
            check.unreadable(&*at);
        }
        for segment in entries.list {
            let id = u64::from(segment.desc.id);
            all.insert(id);
            segments.insert((ns, id));
            // In dumps before CRIU 3 the bytes follow the entry.
            if segment.in_pagemaps == Some(true) && wanted.insert(id) && !has(id) {
                let what = format!("{at}: a System V segment of {} bytes", segment.size);
                missing.push((id, what));
            }
        }
    }
    let ipc = ipc_namespaces(subject);
    let mut undescribed: HashSet<u64> = HashSet::new();
    for id in subject.images.ids(ImageKind::Mm) {
        let Some(mm) = subject.one::<MmEntry>(ImageKind::Mm, id) else { continue };
        for vma in mm.vmas.iter().filter(|vma| vma.status & status::ANON_SHARED != 0) {
            if vma.status & status::SYSVIPC != 0
                && let Some(ns) = ipc.get(&id)
                && !segments.contains(&(*ns, vma.shmid))
                && undescribed.insert(vma.shmid)
            {
                let what = format!(
                    "System V segment {}, which process {id} has mapped at {:#x}, is not in it",
                    vma.shmid, vma.start
                );
                check.tell(Effect::Incomplete, subject.place(ImageKind::IpcShm, Some(*ns)), what);
            }
            all.insert(vma.shmid);
            if vma.status & status::SYSVIPC == 0 && wanted.insert(vma.shmid) && !has(vma.shmid) {
                let at = subject.place(ImageKind::Mm, Some(id));
                missing.push((vma.shmid, format!("{at}: the shared mapping at {:#x}", vma.start)));
            }
        }
    }
    for (id, of) in missing {
        let what = format!("{of} has its pages in it, and it is not there");
        check.tell(Effect::Incomplete, subject.place(ImageKind::PagemapShmem, Some(id)), what);
    }
    for id in subject.images.ids(ImageKind::PagemapShmem) {
        // One that no memfd refers to is that of a memfd without description.
        if opened.is_empty() && !all.contains(&id) {
            let what = "no memfd, segment or mapping refers to it";
            check.tell(Effect::Remark, subject.place(ImageKind::PagemapShmem, Some(id)), what);
        }
    }
    if all.is_empty() && opened.is_empty() && !check.has_failed() && memfds.whole {
        return SHARED.not_applicable("there is no shared memory");
    }
    check.end(
        count(wanted.len(), "segment with pages", "segments with pages"),
        count(subject.images.ids(ImageKind::PagemapShmem).len(), "pagemap", "pagemaps"),
    )
}

/// The IPC namespace of each process that has one of its own: CRIU leaves the one that it shares out.
fn ipc_namespaces(subject: &Subject<'_>) -> HashMap<u64, u64> {
    let tasks = subject.checkpoint.processes().tasks.iter();
    tasks
        .filter_map(|task| {
            let ipc = task.namespaces.as_ref()?.ipc.filter(|ipc| !ipc.shared_with_criu)?;
            Some((u64::from(task.pid.0), u64::from(ipc.id)))
        })
        .collect()
}

/// C10: files without a name.
pub(super) fn deleted(subject: &Subject<'_>) -> Check {
    let mut check = DELETED.begin();
    let remaps = subject.read::<RemapFilePathEntry>(ImageKind::RemapFpath, None);
    let at = subject.place(ImageKind::RemapFpath, None);
    if !remaps.whole {
        check.unreadable(&*at);
    }
    let files = subject.checkpoint.files();
    let mut ghosts: HashSet<u64> = HashSet::new();
    let mut links: HashSet<u32> = HashSet::new();
    for remap in &remaps.list {
        let id = remap.orig_id;
        if files.by_id(id).next().is_none() {
            check.tell(Effect::Incomplete, &*at, format!("file {id} is in no image"));
        }
        if let (0, link) = remap.target() {
            links.insert(link);
        }
        match remap.target() {
            (0, link) if files.get(fd_type::REG, link).is_none() => {
                let what = format!("file {id} is kept as file {link}, which is in no image");
                check.tell(Effect::Incomplete, &*at, what);
            }
            (1, ghost) => {
                let number = u64::from(ghost);
                if ghosts.insert(number) && !subject.images.has(ImageKind::GhostFile, Some(number))
                {
                    let place = subject.place(ImageKind::GhostFile, Some(number));
                    let what = format!("the content of deleted file {id} is not there");
                    check.tell(Effect::Incomplete, place, what);
                }
            }
            _ => {}
        }
    }
    let kept = subject.images.ids(ImageKind::GhostFile);
    // Ghosts that are older than the dump were set aside before: these are of it.
    for id in kept.iter().filter(|id| remaps.whole && !ghosts.contains(id)) {
        let ghost = subject.place(ImageKind::GhostFile, Some(*id));
        let what =
            format!("{ghost} is the content of a deleted file, and nothing in it tells which");
        check.tell(Effect::Incomplete, &*at, what);
    }
    let all = files.all();
    let linked = all.iter().filter_map(|file| file.reg.as_ref()).filter(|reg| is_link(&reg.name));
    let linked: Vec<u32> = linked.map(|reg| reg.id).filter(|id| !links.contains(id)).collect();
    for id in linked.iter().filter(|_| remaps.whole) {
        let what = format!("file {id} is a link that CRIU made, and nothing in it tells for which");
        check.tell(Effect::Incomplete, &*at, what);
    }
    if remaps.list.is_empty() && remaps.whole && kept.is_empty() && linked.is_empty() {
        return DELETED.not_applicable("no open file had lost its name");
    }
    let others = remaps
        .list
        .iter()
        .filter(|remap| files.remap(remap.orig_id) != Some(Remap::Ghost(remap.remap_id)))
        .count();
    check.end(
        format!(
            "{}, {others} of them not a ghost",
            count(remaps.list.len(), "deleted file", "deleted files")
        ),
        count(kept.len(), "ghost", "ghosts"),
    )
}

/// Whether CRIU made a link of that name, to dump a file whose own name was deleted.
///
/// Source: `criu/files-reg.c`, `create_link_remap`.
fn is_link(path: &[u8]) -> bool {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    name.strip_prefix(b"link_remap.")
        .is_some_and(|number| !number.is_empty() && number.iter().all(u8::is_ascii_digit))
}

/// C11: the mounts of open files.
pub(super) fn mounted(subject: &Subject<'_>) -> Check {
    let namespaces = subject.images.ids(ImageKind::Mountpoints);
    if namespaces.is_empty() {
        let mut tasks = subject.checkpoint.processes().tasks.iter();
        let mnt = |task: &ckpt_model::Task| task.namespaces.as_ref().and_then(|all| all.mnt);
        return if tasks.any(|task| mnt(task).is_some_and(|mnt| mnt.shared_with_criu)) {
            MOUNTED.not_applicable("the processes were in the mount namespace of CRIU itself")
        } else {
            MOUNTED.not_checkable("there are no mounts")
        };
    }
    let mut check = MOUNTED.begin();
    let mut mounts: HashSet<i64> = HashSet::new();
    for ns in &namespaces {
        // The kernel counts mounts of all namespaces together: one process may have files of another's.
        let entries = subject.read::<MntEntry>(ImageKind::Mountpoints, Some(*ns));
        if !entries.whole {
            check.unreadable(subject.place(ImageKind::Mountpoints, Some(*ns)));
        }
        mounts.extend(entries.list.iter().map(|mount| i64::from(mount.mnt_id)));
    }
    let mut strangers: HashMap<i64, (usize, String)> = HashMap::new();
    let mut files = 0_usize;
    for file in subject.checkpoint.files().all() {
        let Some(reg) = file.reg.as_ref().filter(|reg| reg.ext != Some(true)) else { continue };
        let Some(mount) = reg.mnt_id.map(i64::from).filter(|mount| *mount >= 0) else { continue };
        files = files.saturating_add(1);
        if !mounts.contains(&mount) {
            let name = || format!("file {} ({})", reg.id, super::reader::escaped(&reg.name));
            let stranger = strangers.entry(mount).or_insert_with(|| (0, name()));
            stranger.0 = stranger.0.saturating_add(1);
        }
    }
    let unknown: HashSet<u64> = strangers.keys().filter_map(|id| u64::try_from(*id).ok()).collect();
    let mut strangers: Vec<_> = strangers.into_iter().collect();
    strangers.sort();
    let at = subject.place(ImageKind::Files, None);
    for (mount, (number, first)) in &strangers {
        let what = format!(
            "mount {mount} of {first} and {} more is in no image",
            number.saturating_sub(1)
        );
        check.tell(Effect::Incomplete, &*at, what);
    }
    if files == 0 {
        return MOUNTED.not_applicable("no open file tells its mount");
    }
    let found = if unknown.is_empty() {
        format!("{} of them known", count(mounts.len(), "mount, all", "mounts, all"))
    } else {
        format!("unknown mounts {}", listed(&unknown))
    };
    check.end(count(files, "open file with a mount", "open files with a mount"), found)
}
