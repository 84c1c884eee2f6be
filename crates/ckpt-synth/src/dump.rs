//! A dump: the images of one CRIU run.

use crate::arch::Arch;
use crate::container::Container;
use crate::content::Content;
use crate::dialect::Dialect;
use crate::frame::{self, ByteOrder, Framing, Image, magic};
use crate::images::core::{self, Surroundings};
use crate::images::files::{FileTable, Memfd};
use crate::images::tree::{Counts, Kobj, ns};
use crate::images::{kernel, mm, pages, tree};
use crate::layout::{AddressSpace, address_space};
use crate::memory::{Pages, page_run};
use crate::protobuf::Message;
use crate::task::{Exe, SockFilter, State, Task};

/// A dump under construction: x86-64, CRIU 4.2, no tasks.
///
/// ```
/// use ckpt_synth::{Dump, Task};
///
/// let mut dump = Dump::new();
/// dump.task(Task::new(1, 0).argv(&["sh", "-c", "sleep 1"])).zombie(7, 1, 0x300, "sleep");
/// let names: Vec<_> = dump.images().into_iter().map(|(name, _)| name).collect();
/// assert!(names.contains(&"core-7.img".to_owned()));
/// assert!(!names.contains(&"mm-7.img".to_owned()));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Dump {
    arch: Arch,
    dialect: Dialect,
    framing: Framing,
    split: bool,
    pre_dump: bool,
    tasks: Vec<Task>,
    shared: Vec<Segment>,
    edits: Vec<(String, Edit)>,
    container: Option<Container>,
    parent: Option<Vec<u8>>,
    uptime: Option<u64>,
    cgroup: Option<String>,
}

/// Shared memory with a number.
#[derive(Clone, Debug)]
struct Segment {
    shmid: u64,
    size: u64,
    name: Option<Vec<u8>>,
    pieces: Vec<(u64, Vec<u8>)>,
}

/// What a test does to an image after it is made.
#[derive(Clone, Debug)]
enum Edit {
    Put(Vec<u8>),
    Append(Vec<u8>),
    Remove,
    Truncate(u64),
    Corrupt(u64, u8),
}

/// How an engine's surroundings show in the images.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    pub(crate) cgroup: String,
    /// The network namespace was the pod's: CRIU writes nothing of it.
    pub(crate) external_net: bool,
}

impl Dump {
    /// An empty dump of an x86-64 machine by CRIU 4.2.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Which CRIU wrote it.
    pub fn dialect(&mut self, dialect: Dialect) -> &mut Self {
        self.dialect = dialect;
        self
    }

    /// On which machine.
    pub fn arch(&mut self, arch: Arch) -> &mut Self {
        self.arch = arch;
        self
    }

    /// The layout of CRIU before 3.4: `reg-files.img`, `pipes.img`, `inetsk.img`, `unixsk.img` and `eventfd.img` instead
    /// of `files.img` (other types of files are left out), and credentials, timers, limits and signal handlers in images
    /// of their own.
    pub fn split_layout(&mut self) -> &mut Self {
        self.split = true;
        self
    }

    /// Whether images begin with one magic (V1.0) or two (V1.1, the default).
    pub fn framing(&mut self, framing: Framing) -> &mut Self {
        self.framing = framing;
        self
    }

    /// Makes it a pre-dump: an inventory of version 0, pagemaps and pages, and nothing else.
    pub fn pre_dump(&mut self) -> &mut Self {
        self.pre_dump = true;
        self
    }

    /// Adds a task. The first one is the root.
    pub fn task(&mut self, task: Task) -> &mut Self {
        self.tasks.push(task);
        self
    }

    /// Adds a process that has exited and is not waited for: only a core image, and a meaningless thread in `pstree`.
    pub fn zombie(&mut self, pid: u32, ppid: u32, exit_code: u32, comm: &str) -> &mut Self {
        self.task(Task::zombie(pid, ppid, exit_code, comm))
    }

    /// Adds a memfd: its size in bytes and the pieces of it that are stored, by page-aligned offset.
    pub fn memfd(
        &mut self,
        name: &str,
        shmid: u64,
        size: u64,
        pieces: &[(u64, &[u8])],
    ) -> &mut Self {
        let name = Some(name.as_bytes().to_vec());
        self.shared.push(Segment { shmid, size, name, pieces: owned(pieces) });
        self
    }

    /// Adds shared memory without a memfd: SysV, or anonymous in the older form.
    pub fn shared_memory(&mut self, shmid: u64, size: u64, pieces: &[(u64, &[u8])]) -> &mut Self {
        self.shared.push(Segment { shmid, size, name: None, pieces: owned(pieces) });
        self
    }

    /// What the engine knows of the container, for the archive's JSON.
    pub fn container(&mut self, container: Container) -> &mut Self {
        self.container = Some(container);
        self
    }

    /// The cgroup path; by default the engine's usual one.
    pub fn cgroup(&mut self, path: &str) -> &mut Self {
        self.cgroup = Some(path.to_owned());
        self
    }

    /// Target of the symbolic link `parent` in the image directory; `dump_uptime` is written too, as for every dump of a
    /// chain.
    pub fn parent(&mut self, target: &str) -> &mut Self {
        self.parent = Some(target.as_bytes().to_vec());
        self.uptime.get_or_insert(2_325_000_000);
        self
    }

    /// Microseconds of uptime when the dump began.
    pub fn uptime(&mut self, micros: u64) -> &mut Self {
        self.uptime = Some(micros);
        self
    }

    /// Adds an image or replaces one.
    pub fn raw(&mut self, name: &str, bytes: impl Into<Vec<u8>>) -> &mut Self {
        self.edit(name, Edit::Put(bytes.into()))
    }

    /// Adds a record to the end of an image that the dump has.
    pub fn record(&mut self, name: &str, message: &Message) -> &mut Self {
        let bytes = frame::record(message, self.arch.byte_order());
        self.edit(name, Edit::Append(bytes))
    }

    /// Adds bytes to the end of an image that the dump has.
    pub fn append(&mut self, name: &str, bytes: impl Into<Vec<u8>>) -> &mut Self {
        self.edit(name, Edit::Append(bytes.into()))
    }

    /// An image of the dump's framing and byte order with these records.
    pub fn image(&mut self, name: &str, kind: u32, records: &[Message]) -> &mut Self {
        let image = self.framed(kind).records(records).into_bytes();
        self.raw(name, image)
    }

    /// Leaves an image out.
    pub fn without(&mut self, name: &str) -> &mut Self {
        self.edit(name, Edit::Remove)
    }

    /// Cuts an image to `len` bytes.
    pub fn truncate(&mut self, name: &str, len: u64) -> &mut Self {
        self.edit(name, Edit::Truncate(len))
    }

    /// Writes `byte` over the byte at `offset`.
    pub fn corrupt(&mut self, name: &str, offset: u64, byte: u8) -> &mut Self {
        self.edit(name, Edit::Corrupt(offset, byte))
    }

    /// Byte order of the machine.
    #[must_use]
    pub fn byte_order(&self) -> ByteOrder {
        self.arch.byte_order()
    }

    /// The tasks.
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        self.tasks.iter().map(|task| task.pid).collect()
    }

    /// The images by name, in the order of names. `stats-dump` is not among them: see [`stats`](Self::stats).
    #[must_use]
    pub fn images(&self) -> Vec<(String, Vec<u8>)> {
        let contents = self.contents();
        contents.into_iter().map(|(name, content)| (name, content.to_vec())).collect()
    }

    /// As [`images`](Self::images), with noise pages still to be made.
    #[must_use]
    pub fn contents(&self) -> Vec<(String, Content)> {
        let cgroup = "/user.slice/session-1.scope".to_owned();
        self.contents_for(&Engine { cgroup, external_net: false })
    }

    /// `stats-dump`, which CRIU writes to its work directory.
    #[must_use]
    pub fn stats(&self) -> Vec<u8> {
        let counts = self.tasks.iter().filter(|task| self.owns_memory(task)).fold(
            Counts {
                shared_written: self.segments().iter().map(|(_, pages)| pages.stored()).sum(),
                ..Counts::default()
            },
            |counts, task| {
                let space = self.space(task);
                Counts {
                    written: counts.written + space.pages.stored(),
                    in_parent: counts.in_parent + space.pages.in_parent(),
                    ..counts
                }
            },
        );
        self.framed(magic::STATS).record(&tree::stats(counts)).into_bytes()
    }

    pub(crate) fn container_or_default(&self) -> Container {
        self.container.clone().unwrap_or_else(|| Container::new("synth"))
    }

    pub(crate) fn parent_target(&self) -> Option<&[u8]> {
        self.parent.as_deref()
    }

    pub(crate) fn is_pre_dump(&self) -> bool {
        self.pre_dump
    }

    pub(crate) fn contents_for(&self, engine: &Engine) -> Vec<(String, Content)> {
        let mut set = ImageSet::default();
        if self.pre_dump {
            let uptime = self.uptime.unwrap_or(2_324_000_000);
            let inventory = tree::pre_dump_inventory(self.dialect, uptime);
            set.put("inventory.img", self.framed(magic::INVENTORY).record(&inventory));
            let mut pages_id = 0;
            for task in self.tasks.iter().filter(|task| self.owns_memory(task)) {
                self.memory_images(&mut set, task, &self.space(task), &mut pages_id);
            }
        } else {
            self.all_images(&mut set, engine);
        }
        for (name, edit) in &self.edits {
            set.edit(name, edit);
        }
        set.images.sort_by(|a, b| a.0.cmp(&b.0));
        set.images
    }

    fn all_images(&self, set: &mut ImageSet, engine: &Engine) {
        let version = match (self.dialect, self.framing) {
            (Dialect::V12(_), _) => 3,
            (_, Framing::V1_0) => 1,
            _ => 2,
        };
        let inventory = tree::inventory(self.dialect, version, self.uptime);
        set.put("inventory.img", self.framed(magic::INVENTORY).record(&inventory));
        let root = self.tasks.first().map_or(0, |task| task.pid);
        let entries = self.tasks.iter().map(|task| tree::pstree(task, root, self.dialect));
        let entries: Vec<_> = entries.collect();
        set.put("pstree.img", self.framed(magic::PSTREE).records(&entries));

        let mut files = FileTable::new(self.arch.byte_order(), self.memfds());
        let mut filters = Vec::new();
        let mut pages_id = 0;
        for task in &self.tasks {
            self.task_images(set, task, &mut files, &mut filters, &mut pages_id);
        }
        for (name, bytes) in files.images(self.framing, self.split) {
            set.add(&name, bytes.into());
        }
        for (shmid, pages) in self.segments() {
            pages_id += 1;
            self.pagemap(set, &format!("pagemap-shmem-{shmid}.img"), pages_id, &pages, &[]);
        }
        self.kernel_images(set, engine, &filters);
    }

    fn task_images(
        &self,
        set: &mut ImageSet,
        task: &Task,
        files: &mut FileTable,
        filters: &mut Vec<Vec<SockFilter>>,
        pages_id: &mut u32,
    ) {
        let pid = task.pid;
        let one = |kind: u32, record: &Message| self.framed(kind).record(record);
        let seccomp_filter = task.seccomp.as_ref().map(|filter| {
            filters.push(filter.clone());
            u32::try_from(filters.len() - 1).unwrap_or(u32::MAX)
        });
        let around = Surroundings {
            arch: self.arch,
            dialect: self.dialect,
            old_images: self.split,
            seccomp_filter,
        };
        let space = self.space(task);
        let threads = std::iter::once((pid, task.comm_bytes())).chain(task.threads.clone());
        for ((tid, comm), registers) in threads.zip(&space.registers) {
            let core = core::core(task, &around, &comm, tid == pid, *registers);
            set.put(&format!("core-{tid}.img"), one(magic::CORE, &core));
            if self.split && task.state != State::Zombie {
                let creds = core::creds(task, self.dialect);
                set.put(&format!("creds-{tid}.img"), one(magic::CREDS, &creds));
            }
        }
        if task.state == State::Zombie {
            return;
        }
        if self.split {
            let sigacts = self.framed(magic::SIGACT).records(&core::sigactions());
            set.put(&format!("sigacts-{pid}.img"), sigacts);
            let itimers = vec![core::itimer(); 3];
            let itimers = self.framed(magic::ITIMERS).records(&itimers);
            set.put(&format!("itimers-{pid}.img"), itimers);
            let rlimits = self.framed(magic::RLIMIT).records(&core::rlimits());
            set.put(&format!("rlimit-{pid}.img"), rlimits);
        }
        let kobj = self.kobj(task);
        set.put(&format!("ids-{pid}.img"), one(magic::IDS, &tree::ids(kobj)));

        let exe = self.open_exe(task, files);
        // CRIU makes an image with its first record.
        if task.files_of.is_none() && !task.fds.is_empty() {
            let mut fdinfo = self.framed(magic::FDINFO);
            for (fd, file, flags) in &task.fds {
                let (id, kind) = files.open(file);
                // id, flags, type, fd
                let entry = Message::new().uint(1, id).uint(2, *flags).uint(3, kind).uint(4, *fd);
                fdinfo = fdinfo.record(&entry);
            }
            set.put(&format!("fdinfo-{}.img", kobj.files), fdinfo);
        }
        if task.fs_of.is_none() {
            let (cwd, root) = (files.directory(&task.cwd), files.directory(&task.root));
            set.put(&format!("fs-{pid}.img"), one(magic::FS, &tree::fs(cwd, root, task.umask)));
        }
        if self.owns_memory(task) {
            let vmas: Vec<_> =
                space.vmas.iter().map(|vma| mm::vma(vma, files.backing(&vma.backing))).collect();
            let mm = mm::mm(&space, exe, &vmas).and(&task.mm_extra);
            set.put(&format!("mm-{pid}.img"), one(magic::MM, &mm));
            self.memory_images(set, task, &space, pages_id);
        }
    }

    fn kernel_images(&self, set: &mut ImageSet, engine: &Engine, filters: &[Vec<SockFilter>]) {
        let container = self.container_or_default();
        let order = self.arch.byte_order();
        let one = |kind: u32, record: &Message| self.framed(kind).record(record);
        let cgroup = self.cgroup.as_deref().unwrap_or(&engine.cgroup);
        set.put("cgroup.img", one(magic::CGROUP, &kernel::cgroup(cgroup)));
        set.put("seccomp.img", one(magic::SECCOMP, &kernel::seccomp(filters, order)));
        set.put("timens-0.img", one(magic::TIMENS, &kernel::time(2_325)));
        let uts = kernel::uts(container.hostname.as_bytes());
        set.put(&format!("utsns-{}.img", ns::UTS), one(magic::UTSNS, &uts));
        let mounts = self.framed(magic::MNTS).records(&kernel::mounts(&container.id));
        set.put(&format!("mountpoints-{}.img", ns::MNT), mounts);
        let net = ns::NET;
        if engine.external_net {
            let netns = kernel::external_net();
            set.put(&format!("netns-{net}.img"), one(magic::NETNS, &netns));
        } else {
            set.put(&format!("netns-{net}.img"), one(magic::NETNS, &Message::new()));
            set.add(&format!("iptables-{net}.img"), Content::new());
        }
        if let Some(ip) = container.ip.filter(|_| !engine.external_net) {
            let devices = self.framed(magic::NETDEV).records(&kernel::devices());
            set.put(&format!("netdev-{net}.img"), devices);
            set.add(&format!("ifaddr-{net}.img"), kernel::addresses(order, ip).into());
        }
        if container.shared_pid_namespace {
            let pidns = one(magic::PIDNS, &kernel::external_pid());
            set.put(&format!("pidns-{}.img", ns::PID), pidns);
        }
    }

    fn memory_images(
        &self,
        set: &mut ImageSet,
        task: &Task,
        space: &AddressSpace,
        pages_id: &mut u32,
    ) {
        *pages_id += 1;
        let name = format!("pagemap-{}.img", task.pid);
        self.pagemap(set, &name, *pages_id, &space.pages, &space.vmas);
    }

    fn pagemap(
        &self,
        set: &mut ImageSet,
        name: &str,
        pages_id: u32,
        pages: &Pages,
        vmas: &[crate::memory::Vma],
    ) {
        let (entries, file) = pages::encode(pages, vmas, self.dialect, self.arch.page_size());
        let pagemap = self.framed(magic::PAGEMAP).record(&pages::head(pages_id)).records(&entries);
        set.put(name, pagemap);
        set.add(&format!("pages-{pages_id}.img"), file);
    }

    fn open_exe(&self, task: &Task, files: &mut FileTable) -> u32 {
        let backing = match &task.exe {
            Exe::Path { path, deleted } => {
                crate::file::Backing::Path { path: path.clone(), deleted: deleted.clone() }
            }
            Exe::Memfd { name, .. } => crate::file::Backing::Memfd { name: name.clone() },
        };
        u32::try_from(files.backing(&backing)).unwrap_or(u32::MAX)
    }

    /// Identities: each kind of object counts from 2 (1 is criu itself), and sharing takes the owner's.
    fn kobj(&self, task: &Task) -> Kobj {
        let id = |owner: Option<u32>| {
            let pid = owner.unwrap_or(task.pid);
            let index = self.tasks.iter().position(|task| task.pid == pid);
            index.and_then(|index| u32::try_from(index + 2).ok()).unwrap_or(0)
        };
        Kobj {
            vm: id(task.vm_of),
            files: id(task.files_of),
            fs: id(task.fs_of),
            sighand: id(task.sighand_of),
        }
    }

    fn owns_memory(&self, task: &Task) -> bool {
        task.state != State::Zombie && task.vm_of.is_none()
    }

    fn space(&self, task: &Task) -> AddressSpace {
        address_space(task, self.arch, self.dialect)
    }

    /// Named segments, and the memfds that tasks run.
    fn memfds(&self) -> Vec<Memfd> {
        let named = self.shared.iter().filter_map(|segment| {
            let name = segment.name.clone()?;
            Some(Memfd { name, shmid: segment.shmid, size: segment.size })
        });
        let run = self.exe_memfds().into_iter().map(|(name, shmid, content)| Memfd {
            name,
            shmid,
            size: content.len() as u64,
        });
        named.chain(run).collect()
    }

    fn exe_memfds(&self) -> Vec<(Vec<u8>, u64, Vec<u8>)> {
        let mut found: Vec<(Vec<u8>, u64, Vec<u8>)> = Vec::new();
        for task in &self.tasks {
            if let Exe::Memfd { name, content } = &task.exe
                && found.iter().all(|(known, ..)| known != name)
            {
                found.push((name.clone(), 60_001 + found.len() as u64, content.clone()));
            }
        }
        found
    }

    /// Shared memory by number, with its stored pages.
    fn segments(&self) -> Vec<(u64, Pages)> {
        let page = self.arch.page_size();
        let given = self.shared.iter().map(|segment| (segment.shmid, segment.pieces.clone()));
        let run =
            self.exe_memfds().into_iter().map(|(_, shmid, content)| (shmid, vec![(0, content)]));
        given
            .chain(run)
            .map(|(shmid, pieces)| {
                let mut pages = Pages::default();
                for (offset, bytes) in pieces {
                    pages.put(page_run(offset, bytes, page), page);
                }
                (shmid, pages)
            })
            .collect()
    }

    fn framed(&self, kind: u32) -> Image {
        Image::new(kind, self.framing, self.arch.byte_order())
    }

    fn edit(&mut self, name: &str, edit: Edit) -> &mut Self {
        self.edits.push((name.to_owned(), edit));
        self
    }
}

fn owned(pieces: &[(u64, &[u8])]) -> Vec<(u64, Vec<u8>)> {
    pieces.iter().map(|(offset, bytes)| (*offset, bytes.to_vec())).collect()
}

/// Images by name; the first of a name stays.
#[derive(Default)]
struct ImageSet {
    images: Vec<(String, Content)>,
    names: std::collections::HashSet<String>,
}

impl ImageSet {
    fn put(&mut self, name: &str, image: Image) {
        self.add(name, image.into_bytes().into());
    }

    fn add(&mut self, name: &str, content: Content) {
        if self.names.insert(name.to_owned()) {
            self.images.push((name.to_owned(), content));
        }
    }

    fn edit(&mut self, name: &str, edit: &Edit) {
        let found = self.images.iter_mut().find(|(known, _)| known == name);
        match (edit, found) {
            (Edit::Put(bytes), None) => self.add(name, bytes.clone().into()),
            (Edit::Put(bytes), Some((_, content))) => *content = bytes.clone().into(),
            (Edit::Remove, _) => {
                self.images.retain(|(known, _)| known != name);
                self.names.remove(name);
            }
            (_, None) => {}
            (Edit::Append(bytes), Some((_, content))) => content.push(bytes),
            (Edit::Truncate(len), Some((_, content))) => {
                let mut bytes = content.to_vec();
                bytes.truncate(usize::try_from(*len).unwrap_or(usize::MAX));
                *content = bytes.into();
            }
            (Edit::Corrupt(offset, byte), Some((_, content))) => {
                let mut bytes = content.to_vec();
                let at = usize::try_from(*offset).ok();
                if let Some(slot) = at.and_then(|at| bytes.get_mut(at)) {
                    *slot = *byte;
                }
                *content = bytes.into();
            }
        }
    }
}
