//! A process, as a test describes it.

use crate::file::File;
use crate::memory::{Run, Source, Vma};
use crate::protobuf::Message;

/// What a task runs.
#[derive(Clone, Debug)]
pub(crate) enum Exe {
    Path { path: Vec<u8>, deleted: Option<Vec<u8>> },
    Memfd { name: Vec<u8>, content: Vec<u8> },
}

/// State at the dump.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Runnable or asleep.
    #[default]
    Alive,
    /// Exited and not yet waited for: only a core image, in which the state is "dead".
    Zombie,
    /// Stopped by a signal.
    Stopped,
}

impl State {
    /// The number in `task_core_entry.task_state`.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::Alive => 1,
            Self::Zombie => 2,
            Self::Stopped => 3,
        }
    }
}

/// Capability sets, as bit masks (bit n = capability n).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Inheritable.
    pub inheritable: u64,
    /// Permitted.
    pub permitted: u64,
    /// Effective.
    pub effective: u64,
    /// Bounding.
    pub bounding: u64,
    /// Ambient.
    pub ambient: u64,
}

impl Caps {
    /// What Docker and CRI engines give by default.
    pub const DEFAULT: Self = Self::same(0xa804_25fb);

    /// Every capability of Linux 6.18: a privileged container.
    pub const ALL: Self = Self::same(0x01ff_ffff_ffff);

    /// No capability, in no set.
    pub const NONE: Self = Self::same(0);

    const fn same(mask: u64) -> Self {
        Self { inheritable: 0, permitted: mask, effective: mask, bounding: mask, ambient: 0 }
    }
}

/// One instruction of a seccomp filter: `code`, `jt`, `jf`, `k`.
pub type SockFilter = (u16, u8, u8, u32);

/// A process.
///
/// ```
/// use ckpt_synth::{Task, Vma};
///
/// let task = Task::new(7, 1)
///     .argv(&["nginx", "-g", "daemon off;"])
///     .env(&["LANG=C", "TOKEN=abc"])
///     .exe("/usr/sbin/nginx")
///     .title(b"nginx: worker process")
///     .map(Vma::anon(0x7f00_0000_0000, 0x2000))
///     .pages(0x7f00_0000_0000, b"hello");
/// # let _ = task;
/// ```
#[derive(Clone, Debug)]
pub struct Task {
    pub(crate) pid: u32,
    pub(crate) ppid: u32,
    pub(crate) pgid: Option<u32>,
    pub(crate) sid: Option<u32>,
    pub(crate) comm: Option<Vec<u8>>,
    pub(crate) argv: Vec<Vec<u8>>,
    pub(crate) env: Vec<Vec<u8>>,
    pub(crate) exe: Exe,
    pub(crate) cwd: Vec<u8>,
    pub(crate) root: Vec<u8>,
    pub(crate) umask: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) groups: Vec<u32>,
    pub(crate) caps: Caps,
    pub(crate) threads: Vec<(u32, Vec<u8>)>,
    pub(crate) state: State,
    pub(crate) exit_code: u32,
    pub(crate) stop_signal: u32,
    pub(crate) no_new_privs: bool,
    pub(crate) loginuid: u32,
    pub(crate) oom_score_adj: i64,
    pub(crate) lsm_profile: Option<Vec<u8>>,
    pub(crate) seccomp: Option<Vec<SockFilter>>,
    pub(crate) title: Option<Vec<u8>>,
    pub(crate) environ_bytes: Option<Vec<u8>>,
    pub(crate) arg_range: Option<(u64, u64)>,
    pub(crate) env_range: Option<(u64, u64)>,
    pub(crate) mm_extra: Message,
    pub(crate) tc_extra: Message,
    pub(crate) thread_extra: Message,
    pub(crate) compat: bool,
    pub(crate) vmas: Vec<Vma>,
    pub(crate) bare_memory: bool,
    pub(crate) pages: Vec<PageRequest>,
    pub(crate) fds: Vec<(u32, File, u32)>,
    pub(crate) registers: Option<(u64, u64)>,
    pub(crate) vm_of: Option<u32>,
    pub(crate) files_of: Option<u32>,
    pub(crate) fs_of: Option<u32>,
    pub(crate) sighand_of: Option<u32>,
    pub(crate) timers: Option<Message>,
}

/// A wish for pages, before the page size is known.
#[derive(Clone, Debug)]
pub(crate) enum PageRequest {
    Bytes { addr: u64, bytes: Vec<u8>, flags: Option<u32> },
    Run(Run),
}

impl Task {
    /// A process `pid`, child of `ppid` (0 for the root): `sh` run as root, with `/dev/null` and two pipes as its
    /// standard streams.
    #[must_use]
    pub fn new(pid: u32, ppid: u32) -> Self {
        Self {
            pid,
            ppid,
            pgid: None,
            sid: None,
            comm: None,
            argv: vec![b"sh".to_vec()],
            env: vec![b"PATH=/usr/local/bin:/usr/bin:/bin".to_vec(), b"HOME=/root".to_vec()],
            exe: Exe::Path { path: b"/bin/sh".to_vec(), deleted: None },
            cwd: b"/".to_vec(),
            root: b"/".to_vec(),
            umask: 0o22,
            uid: 0,
            gid: 0,
            groups: Vec::new(),
            caps: Caps::DEFAULT,
            threads: Vec::new(),
            state: State::Alive,
            exit_code: 0,
            stop_signal: 0,
            no_new_privs: false,
            loginuid: u32::MAX,
            oom_score_adj: 0,
            lsm_profile: None,
            seccomp: None,
            title: None,
            environ_bytes: None,
            arg_range: None,
            env_range: None,
            mm_extra: Message::new(),
            tc_extra: Message::new(),
            thread_extra: Message::new(),
            compat: false,
            vmas: Vec::new(),
            bare_memory: false,
            pages: Vec::new(),
            fds: vec![
                (0, File::null(), 0),
                (1, File::pipe_write(289_558), 0),
                (2, File::pipe_write(289_559), 0),
            ],
            registers: None,
            vm_of: None,
            files_of: None,
            fs_of: None,
            sighand_of: None,
            timers: None,
        }
    }

    /// A process that has exited with the raw wait status `exit_code` (0x300 for `exit(3)`) and is not waited for.
    #[must_use]
    pub fn zombie(pid: u32, ppid: u32, exit_code: u32, comm: impl Into<Vec<u8>>) -> Self {
        Self { state: State::Zombie, exit_code, ..Self::new(pid, ppid).comm(comm) }
    }

    /// Name of the process; by default the last part of the executable's path. Cut to 15 bytes.
    #[must_use]
    pub fn comm(self, comm: impl Into<Vec<u8>>) -> Self {
        Self { comm: Some(comm.into()), ..self }
    }

    /// Arguments, the name first.
    #[must_use]
    pub fn argv<T: AsRef<[u8]>>(self, argv: &[T]) -> Self {
        Self { argv: owned(argv), ..self }
    }

    /// Environment, as `NAME=value`.
    #[must_use]
    pub fn env<T: AsRef<[u8]>>(self, env: &[T]) -> Self {
        Self { env: owned(env), ..self }
    }

    /// Path of the executable.
    #[must_use]
    pub fn exe(self, path: impl Into<Vec<u8>>) -> Self {
        Self { exe: Exe::Path { path: path.into(), deleted: None }, ..self }
    }

    /// The executable was deleted; `content` is in the dump as a ghost file.
    #[must_use]
    pub fn exe_deleted(self, path: impl Into<Vec<u8>>, content: impl Into<Vec<u8>>) -> Self {
        Self { exe: Exe::Path { path: path.into(), deleted: Some(content.into()) }, ..self }
    }

    /// The executable is a memfd called `name`.
    #[must_use]
    pub fn exe_memfd(self, name: impl Into<Vec<u8>>, content: impl Into<Vec<u8>>) -> Self {
        Self { exe: Exe::Memfd { name: name.into(), content: content.into() }, ..self }
    }

    /// Working directory.
    #[must_use]
    pub fn cwd(self, path: impl Into<Vec<u8>>) -> Self {
        Self { cwd: path.into(), ..self }
    }

    /// Root directory: other than `/` after a `chroot`.
    #[must_use]
    pub fn root(self, path: impl Into<Vec<u8>>) -> Self {
        Self { root: path.into(), ..self }
    }

    /// File mode mask.
    #[must_use]
    pub fn umask(self, umask: u32) -> Self {
        Self { umask, ..self }
    }

    /// Process group and session; by default both are the dump's first process.
    #[must_use]
    pub fn session(self, pgid: u32, sid: u32) -> Self {
        Self { pgid: Some(pgid), sid: Some(sid), ..self }
    }

    /// All four user ids.
    #[must_use]
    pub fn uid(self, uid: u32) -> Self {
        Self { uid, ..self }
    }

    /// All four group ids.
    #[must_use]
    pub fn gid(self, gid: u32) -> Self {
        Self { gid, ..self }
    }

    /// Supplementary groups.
    #[must_use]
    pub fn groups(self, groups: &[u32]) -> Self {
        Self { groups: groups.to_vec(), ..self }
    }

    /// Capabilities.
    #[must_use]
    pub fn caps(self, caps: Caps) -> Self {
        Self { caps, ..self }
    }

    /// Adds a thread, with a stack of its own of one stored page.
    #[must_use]
    pub fn thread(mut self, tid: u32, comm: impl Into<Vec<u8>>) -> Self {
        self.threads.push((tid, comm.into()));
        self
    }

    /// State at the dump.
    #[must_use]
    pub fn state(self, state: State) -> Self {
        let stop_signal = if state == State::Stopped { 19 } else { 0 };
        Self { state, stop_signal, ..self }
    }

    /// `prctl(PR_SET_NO_NEW_PRIVS)` was called.
    #[must_use]
    pub fn no_new_privs(self) -> Self {
        Self { no_new_privs: true, ..self }
    }

    /// Who logged in (audit), by default unset.
    #[must_use]
    pub fn loginuid(self, loginuid: u32) -> Self {
        Self { loginuid, ..self }
    }

    /// `oom_score_adj`, -1000 to 1000.
    #[must_use]
    pub fn oom_score_adj(self, value: i64) -> Self {
        Self { oom_score_adj: value, ..self }
    }

    /// SELinux context or AppArmor profile.
    #[must_use]
    pub fn lsm_profile(self, profile: impl Into<Vec<u8>>) -> Self {
        Self { lsm_profile: Some(profile.into()), ..self }
    }

    /// A seccomp filter.
    #[must_use]
    pub fn seccomp(self, filter: &[SockFilter]) -> Self {
        Self { seccomp: Some(filter.to_vec()), ..self }
    }

    /// The process wrote this title over its arguments, as `setproctitle` does.
    ///
    /// A title shorter than the arguments is filled up with NULs. A longer one, so that the last byte of the argument
    /// area is no NUL, goes on into the environment, of which the rest is then NULs.
    #[must_use]
    pub fn title(self, title: impl AsRef<[u8]>) -> Self {
        Self { title: Some(title.as_ref().to_vec()), ..self }
    }

    /// The process wrote over its environment area: these bytes, again and again to its end.
    #[must_use]
    pub fn broken_environ(self, bytes: impl AsRef<[u8]>) -> Self {
        Self { environ_bytes: Some(bytes.as_ref().to_vec()), ..self }
    }

    /// `mm_arg_start` and `mm_arg_end` as given, whatever the stack holds.
    #[must_use]
    pub fn arg_range(self, start: u64, end: u64) -> Self {
        Self { arg_range: Some((start, end)), ..self }
    }

    /// `mm_env_start` and `mm_env_end` as given, whatever the stack holds.
    #[must_use]
    pub fn env_range(self, start: u64, end: u64) -> Self {
        Self { env_range: Some((start, end)), ..self }
    }

    /// Its own timers, a `task_timers_entry` (`criu/images/timer.proto`); without it three that do not run.
    #[must_use]
    pub fn timers(self, timers: &Message) -> Self {
        Self { timers: Some(timers.clone()), ..self }
    }

    /// Fields at the end of `mm_entry`: of a number that is there already, the later one counts.
    #[must_use]
    pub fn mm_extra(self, fields: &Message) -> Self {
        Self { mm_extra: self.mm_extra.clone().and(fields), ..self }
    }

    /// Fields at the end of `task_core_entry`: of a number that is there already, the later one counts.
    #[must_use]
    pub fn tc_extra(self, fields: &Message) -> Self {
        Self { tc_extra: self.tc_extra.clone().and(fields), ..self }
    }

    /// Fields at the end of `thread_core_entry` of every thread, likewise.
    #[must_use]
    pub fn thread_extra(self, fields: &Message) -> Self {
        Self { thread_extra: self.thread_extra.clone().and(fields), ..self }
    }

    /// A 32-bit program on x86-64: the mode of its registers, and an auxiliary vector with key and value in one word.
    #[must_use]
    pub fn compat(self) -> Self {
        Self { compat: true, ..self }
    }

    /// Adds a mapping. List order is kept for guard entries only, which go to the end.
    #[must_use]
    pub fn map(mut self, vma: Vma) -> Self {
        self.vmas.push(vma);
        self
    }

    /// No text, data, heap or vdso: only the stack, and what [`map`](Self::map) adds.
    #[must_use]
    pub fn bare_memory(self) -> Self {
        Self { bare_memory: true, ..self }
    }

    /// Puts bytes into the dump as whole pages from the page-aligned `addr` on, the last one filled up with zeros.
    /// Later calls win over earlier ones and over the default layout.
    #[must_use]
    pub fn pages(mut self, addr: u64, bytes: impl Into<Vec<u8>>) -> Self {
        self.pages.push(PageRequest::Bytes { addr, bytes: bytes.into(), flags: None });
        self
    }

    /// As [`pages`](Self::pages), with the flags of the pagemap entry given. The bytes go to the pages file even where the
    /// flags deny it.
    #[must_use]
    pub fn pages_flagged(mut self, addr: u64, bytes: impl Into<Vec<u8>>, flags: u32) -> Self {
        self.pages.push(PageRequest::Bytes { addr, bytes: bytes.into(), flags: Some(flags) });
        self
    }

    /// Pages that are in the parent dump (`PE_PARENT`).
    #[must_use]
    pub fn pages_in_parent(self, addr: u64, pages: u64) -> Self {
        self.run(addr, pages, Source::Parent)
    }

    /// Pages that were sent over the network and are nowhere (`PE_LAZY` alone).
    #[must_use]
    pub fn pages_elsewhere(self, addr: u64, pages: u64) -> Self {
        self.run(addr, pages, Source::Lazy)
    }

    /// Pages of made-up memory (see [`noise`](crate::noise)), page 0 of `seed` first. They take no memory here.
    #[must_use]
    pub fn noise(self, addr: u64, pages: u64, seed: u64) -> Self {
        self.run(addr, pages, Source::Noise { seed, first: 0 })
    }

    /// Adds a descriptor, or replaces the one of that number.
    #[must_use]
    pub fn fd(self, fd: u32, file: File) -> Self {
        self.fd_flagged(fd, file, 0)
    }

    /// As [`fd`](Self::fd), closed on exec.
    #[must_use]
    pub fn fd_cloexec(self, fd: u32, file: File) -> Self {
        self.fd_flagged(fd, file, 1)
    }

    /// No descriptors at all.
    #[must_use]
    pub fn no_fds(mut self) -> Self {
        self.fds.clear();
        self
    }

    /// Instruction and stack pointer; by default in the text and the stack.
    #[must_use]
    pub fn registers(self, ip: u64, sp: u64) -> Self {
        Self { registers: Some((ip, sp)), ..self }
    }

    /// `CLONE_VM` without `CLONE_THREAD`: the address space is that of `pid`, which alone has the images.
    #[must_use]
    pub fn share_vm_with(self, pid: u32) -> Self {
        Self { vm_of: Some(pid), ..self }
    }

    /// `CLONE_FILES`: the descriptor table is that of `pid`.
    #[must_use]
    pub fn share_files_with(self, pid: u32) -> Self {
        Self { files_of: Some(pid), ..self }
    }

    /// `CLONE_FS`: root, working directory and umask are those of `pid`, which alone has the image.
    #[must_use]
    pub fn share_fs_with(self, pid: u32) -> Self {
        Self { fs_of: Some(pid), ..self }
    }

    /// `CLONE_SIGHAND`: the signal handlers are those of `pid`.
    #[must_use]
    pub fn share_sighand_with(self, pid: u32) -> Self {
        Self { sighand_of: Some(pid), ..self }
    }

    /// The name as the kernel keeps it.
    pub(crate) fn comm_bytes(&self) -> Vec<u8> {
        let full = match (&self.comm, &self.exe) {
            (Some(comm), _) => comm.clone(),
            (None, Exe::Path { path, .. }) => {
                path.rsplit(|b| *b == b'/').next().unwrap_or_default().to_vec()
            }
            (None, Exe::Memfd { name, .. }) => [b"memfd:", name.as_slice()].concat(),
        };
        full.into_iter().take(15).collect()
    }

    fn run(mut self, start: u64, pages: u64, source: Source) -> Self {
        self.pages.push(PageRequest::Run(Run { start, pages, source, flags: None }));
        self
    }

    fn fd_flagged(mut self, fd: u32, file: File, flags: u32) -> Self {
        self.fds.retain(|(number, ..)| *number != fd);
        self.fds.push((fd, file, flags));
        self.fds.sort_by_key(|(number, ..)| *number);
        self
    }
}

fn owned<T: AsRef<[u8]>>(list: &[T]) -> Vec<Vec<u8>> {
    list.iter().map(|item| item.as_ref().to_vec()).collect()
}
