//! Tasks and memory to make cores of.

use std::io::Cursor;
use std::sync::Arc;

use bytes::Bytes;
use ckpt_archive::{Content, Evidence, Options};
use ckpt_coredump::{Core, CoreOptions};
use ckpt_memory::{AddressSpace, Link, Mapping, PagemapImage, PagesFile};
use ckpt_model::{Checkpoint, Credentials, Pid, Task, TaskState, Text, Thread};
use ckpt_synth::Archive;
use criu_image::PagemapRecord;
use criu_image::messages::{CoreEntry, PagemapEntry, TaskCoreEntry, VmaEntry};

use crate::reader::Parsed;

pub(crate) const PAGE: u64 = 4096;

/// Bits of `vma_entry.status`.
pub(crate) const ANON: u32 = 0x201;
pub(crate) const FILE: u32 = 0x41;
pub(crate) const VVAR: u32 = 0x1201;

/// Bits of `pagemap_entry.flags`.
pub(crate) const PARENT: u32 = 1;
pub(crate) const PRESENT: u32 = 4;

/// A private mapping of whole pages.
pub(crate) fn vma(start: u64, pages: u64, status: u32, prot: u32) -> Mapping {
    let end = start + pages * PAGE;
    Mapping::new(VmaEntry { start, end, status, prot, flags: 2, ..VmaEntry::default() })
}

/// A private mapping of a file, `r-xp`.
pub(crate) fn file(start: u64, pages: u64, pgoff: u64, name: &str) -> Mapping {
    let mut mapping = vma(start, pages, FILE, 5);
    mapping.vma.pgoff = pgoff;
    mapping.name = Some(name.as_bytes().into());
    mapping
}

/// An address space with these runs of pages, `(first address, pages, flags)`. Bytes tell their place in the pages file,
/// and none is 0 but by chance.
pub(crate) fn space(mappings: Vec<Mapping>, runs: &[(u64, u64, u32)]) -> AddressSpace {
    let entries = runs.iter().map(|(vaddr, pages, flags)| PagemapRecord {
        entry: PagemapEntry {
            vaddr: *vaddr,
            nr_pages: Some(*pages),
            flags: Some(*flags),
            ..PagemapEntry::default()
        },
        blocks: None,
    });
    let stored = runs.iter().filter(|run| run.2 & PRESENT != 0).map(|run| run.1).sum::<u64>();
    let bytes: Vec<u8> = (0..stored * PAGE).map(|at| (at / PAGE + at % 251 + 1) as u8).collect();
    let image = PagemapImage { pages_id: 1, entries: entries.collect(), ..PagemapImage::default() };
    let link = Link {
        pagemap: image.layout(PAGE),
        pages: PagesFile::Content(Content::from(Bytes::from(bytes))),
    };
    AddressSpace::new(mappings, vec![link], PAGE)
}

/// A process that runs, of user 1000 and group 100, with one thread.
pub(crate) fn task(pid: u32, core: CoreEntry) -> Task {
    let mut task = Task::default();
    task.pid = Pid(pid);
    task.ppid = Some(Pid(1));
    task.pgid = Some(Pid(5));
    task.sid = Some(Pid(4));
    task.state = Some(TaskState::Alive);
    task.comm = Some(Text::from("a name that is long"));
    task.credentials = Some(Credentials {
        uids: [1000, 1001, 1002, 1003],
        gids: [100, 101, 102, 103],
        ..Credentials::default()
    });
    let tc = TaskCoreEntry { flags: 0x40_0100, ..TaskCoreEntry::default() };
    let core = Arc::new(CoreEntry { tc: Some(tc), ..core });
    task.core = Some(Arc::clone(&core));
    task.threads = vec![thread(pid, core)];
    task
}

pub(crate) fn thread(tid: u32, core: impl Into<Arc<CoreEntry>>) -> Thread {
    let mut thread = Thread::default();
    thread.tid = Pid(tid);
    thread.sigblk = Some(0x14_0000_0201);
    thread.core = Some(core.into());
    thread
}

/// The core of a task, written in both ways, which agree.
pub(crate) fn core(task: &Task, space: &AddressSpace, options: &CoreOptions) -> Parsed {
    let core = Core::of(task, space, options);
    let (mut plain, mut sparse) = (Vec::new(), Cursor::new(Vec::new()));
    core.write_to(&mut plain).unwrap();
    core.write_sparse_to(&mut sparse).unwrap();
    assert!(plain == sparse.into_inner());
    assert_eq!(plain.len() as u64, core.size());
    let parsed = Parsed::new(plain);
    assert_eq!(parsed.loads.len(), core.segments());
    parsed
}

/// What the core of a task lacks, in words.
pub(crate) fn lacks(task: &Task, space: &AddressSpace, options: &CoreOptions) -> Vec<String> {
    Core::of(task, space, options).lacks().iter().map(ToString::to_string).collect()
}

/// A synthetic checkpoint.
pub(crate) fn open(archive: &Archive) -> Checkpoint {
    let evidence = Evidence::from_bytes("synthetic", archive.tar().into(), &Options::default());
    Checkpoint::options().open_evidence(evidence.unwrap()).unwrap()
}
