//! What is behind a descriptor.

use std::borrow::Cow;
use std::collections::HashMap;

use ckpt_model::{Checkpoint, Descriptor, Details, Remap, Task, Text};
use criu_image::messages::{EventpollTfdEntry, FanotifyMarkEntry, InotifyWdEntry};
use criu_image::names;
use serde::Serialize;

use super::repeats::Repeats;
use super::shared::{base64, lossless, mask};
use super::sockets::FdRecord;

/// `ECHO` of `c_lflag`, the same on every architecture that CRIU knows.
pub(crate) const ECHO: u32 = 0o10;

/// What is behind a descriptor; `kind` tells which fields there are.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum DetailsRecord<'a> {
    /// A file with a path.
    File {
        /// Permissions, octal.
        mode: Option<String>,
        /// Bytes when it was dumped.
        size: Option<u64>,
        /// How a file that had lost its name is kept: `linked`, `ghost`, `procfs`.
        #[serde(skip_serializing_if = "Option::is_none")]
        remap: Option<&'static str>,
        /// Number of the ghost, the link or the process.
        #[serde(skip_serializing_if = "Option::is_none")]
        remap_id: Option<u32>,
        /// Path of the link that CRIU made to keep it.
        #[serde(skip_serializing_if = "Option::is_none")]
        link: Option<Cow<'a, str>>,
        /// Bytes of `link`, when they are not UTF-8.
        #[serde(skip_serializing_if = "Option::is_none")]
        link_base64: Option<String>,
        /// Given by the engine from outside.
        external: bool,
    },
    /// An eventfd. Whether it is a semaphore is in no image.
    Eventfd {
        /// The counter.
        counter: u64,
    },
    /// An epoll.
    Epoll {
        /// What it watches; not there where it stands at another descriptor.
        #[serde(skip_serializing_if = "Option::is_none")]
        watches: Option<Vec<WatchRecord<'a>>>,
        /// Where it stands.
        #[serde(flatten)]
        same: Option<SameRecord>,
    },
    /// A signalfd.
    Signalfd {
        /// Its signals as a mask.
        mask: String,
        /// Their names.
        signals: String,
    },
    /// A timerfd.
    Timerfd {
        /// Its clock.
        clock: String,
        /// Expirations that were not read.
        ticks: u64,
        /// Flags it was set with.
        settime_flags: String,
        /// Seconds and nanoseconds that were left.
        value: [u64; 2],
        /// Interval in seconds and nanoseconds.
        interval: [u64; 2],
    },
    /// An inotify instance.
    Inotify {
        /// What it watches; not there where it stands at another descriptor.
        #[serde(skip_serializing_if = "Option::is_none")]
        watches: Option<Vec<InotifyRecord<'a>>>,
        /// Where it stands.
        #[serde(flatten)]
        same: Option<SameRecord>,
    },
    /// A fanotify group.
    Fanotify {
        /// `FAN_*` flags of the group.
        flags: String,
        /// Flags of the files that it opens.
        event_flags: String,
        /// What it watches; not there where it stands at another descriptor.
        #[serde(skip_serializing_if = "Option::is_none")]
        marks: Option<Vec<FanotifyRecord<'a>>>,
        /// Where it stands.
        #[serde(flatten)]
        same: Option<SameRecord>,
    },
    /// A terminal.
    Tty {
        /// `pty`, `console`, `vt`, `ctty`, `ext_tty`, `serial`.
        tty: String,
        /// The session that it controls.
        sid: u32,
        /// The process group in front.
        pgrp: u32,
        /// Rows and columns.
        window: Option<[u32; 2]>,
        /// N of `/dev/pts/N`.
        index: Option<u32>,
        /// The slave is locked.
        locked: bool,
        /// Exclusive use.
        exclusive: bool,
        /// Packet mode.
        packet_mode: bool,
        /// What is typed is shown; `null` where CRIU could not read the settings.
        echo: Option<bool>,
        /// The slave of a pseudo-terminal whose master was closed.
        hung_up: bool,
    },
    /// A namespace.
    Namespace {
        /// `CLONE_NEW*`.
        namespace: String,
        /// CRIU's small id.
        ns_id: u32,
    },
    /// A TUN or TAP device.
    Tun {
        /// Name of the device.
        device: Option<Cow<'a, str>>,
        /// Detached from its queue.
        detached: bool,
    },
    /// A memfd.
    Memfd {
        /// Bytes.
        size: u64,
        /// Seals.
        seals: String,
        /// Owner and group.
        owner: [u32; 2],
        /// Permissions, octal.
        mode: Option<String>,
    },
    /// A process.
    Pidfd {
        /// Its pid; `null` when it had been reaped.
        pid: Option<u32>,
    },
    /// A BPF map.
    BpfMap {
        /// Type of the map.
        map_type: String,
        /// Its name.
        name: Cow<'a, str>,
        /// Bytes of a key.
        key_size: u32,
        /// Bytes of a value.
        value_size: u32,
        /// Most entries.
        max_entries: u32,
        /// Frozen.
        frozen: bool,
    },
    /// Kept by a plugin of CRIU.
    External {},
}

/// A list that stands at another descriptor of the same open file.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct SameRecord {
    /// The first descriptor of the open file.
    pub same_as: FdRecord,
    /// How long the list is there.
    pub count: usize,
}

/// Lists of open files that a document has told.
#[derive(Debug, Default)]
pub(super) struct ToldLists(HashMap<(u32, u32), FdRecord>);

impl ToldLists {
    /// Where a list of `count` stands already, when there is no room for it at this descriptor as well.
    fn same(
        &mut self,
        task: &Task,
        descriptor: &Descriptor,
        count: usize,
        repeats: &mut Repeats,
    ) -> Option<SameRecord> {
        let here = FdRecord { pid: task.pid.0, fd: descriptor.fd };
        let file = (descriptor.fd_type, descriptor.file_id);
        let same_as = *self.0.entry(file).or_insert(here);
        let is_here = same_as.pid == here.pid && same_as.fd == here.fd;
        (!is_here && !repeats.take(count)).then_some(SameRecord { same_as, count })
    }
}

/// What an epoll watches.
#[derive(Clone, Debug, Serialize)]
pub struct WatchRecord<'a> {
    /// Number of the descriptor when it was added.
    pub fd: u32,
    /// Events.
    pub events: String,
    /// What the program stored beside it.
    pub data: String,
    /// What that number is now.
    pub target: Option<Cow<'a, str>>,
}

/// What inotify watches.
#[derive(Clone, Debug, Serialize)]
pub struct InotifyRecord<'a> {
    /// Watch descriptor.
    pub wd: u32,
    /// Events.
    pub events: String,
    /// Inode.
    pub ino: u64,
    /// Device, `major:minor`.
    pub device: String,
    /// Path, where CRIU found it.
    pub path: Option<Cow<'a, str>>,
    /// Bytes of `path`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_base64: Option<String>,
}

/// What fanotify watches.
#[derive(Clone, Debug, Serialize)]
pub struct FanotifyRecord<'a> {
    /// `inode` or `mount`.
    pub mark: String,
    /// Events.
    pub events: String,
    /// Events that are left out.
    pub ignored: String,
    /// Inode.
    pub ino: Option<u64>,
    /// Mount.
    pub mnt_id: Option<u32>,
    /// Path, where CRIU found it.
    pub path: Option<Cow<'a, str>>,
}

impl<'a> DetailsRecord<'a> {
    pub(super) fn of(
        checkpoint: &'a Checkpoint,
        task: &Task,
        descriptor: &Descriptor,
        told: &mut ToldLists,
        repeats: &mut Repeats,
    ) -> Option<Self> {
        let machine = task.core.as_ref().map(|core| core.mtype);
        let named = |table: &names::NumberNames, number: u32| table.text(i64::from(number));
        let mut same = |count: usize| told.same(task, descriptor, count, repeats);
        Some(match checkpoint.details(descriptor) {
            Details::File { reg, remap } => {
                let link = checkpoint.files().link(reg.id);
                let (remap, remap_id) = match remap {
                    Some(Remap::Linked(id)) => (Some("linked"), Some(id)),
                    Some(Remap::Ghost(id)) => (Some("ghost"), Some(id)),
                    Some(Remap::Procfs(pid)) => (Some("procfs"), Some(pid)),
                    Some(Remap::Unknown(_, id)) => (Some("unknown"), Some(id)),
                    _ => (None, None),
                };
                Self::File {
                    mode: reg.mode.map(|mode| format!("{:04o}", mode & 0o7777)),
                    size: reg.size,
                    remap,
                    remap_id,
                    link: link.map(|link| lossless(&link.name)),
                    link_base64: link.and_then(|link| base64(&link.name)),
                    external: reg.ext.unwrap_or_default(),
                }
            }
            Details::Eventfd { counter } => Self::Eventfd { counter },
            Details::Epoll(watches) => {
                let record = |watch: &EventpollTfdEntry| WatchRecord {
                    fd: watch.tfd,
                    events: names::EPOLL_EVENTS.text(u64::from(watch.events)),
                    data: format!("{:#x}", watch.data),
                    target: checkpoint.watched(task.pid, watch).map(Text::lossless),
                };
                let same = same(watches.len());
                let watches = same.is_none().then(|| watches.iter().map(record).collect());
                Self::Epoll { watches, same }
            }
            Details::Signalfd(signals) => Self::Signalfd {
                mask: mask(signals),
                signals: names::signal_set_text(machine, signals),
            },
            Details::Timerfd(timer) => Self::Timerfd {
                clock: named(&names::CLOCKS, timer.clockid),
                ticks: timer.ticks,
                settime_flags: names::TIMERFD_FLAGS.text(u64::from(timer.settime_flags)),
                value: [timer.vsec, timer.vnsec],
                interval: [timer.isec, timer.insec],
            },
            Details::Inotify(watches) => {
                let record = |watch: &'a InotifyWdEntry| InotifyRecord {
                    wd: watch.wd,
                    events: names::INOTIFY_MASK.text(u64::from(watch.mask)),
                    ino: watch.i_ino,
                    device: device(watch.s_dev),
                    path: watch.f_handle.path.as_deref().map(lossless),
                    path_base64: watch.f_handle.path.as_deref().and_then(base64),
                };
                let same = same(watches.len());
                let watches = same.is_none().then(|| watches.iter().map(record).collect());
                Self::Inotify { watches, same }
            }
            Details::Fanotify(group) => {
                let record = |mark: &'a FanotifyMarkEntry| FanotifyRecord {
                    mark: named(&names::FANOTIFY_MARK_TYPES, mark.r#type).to_ascii_lowercase(),
                    events: names::FANOTIFY_MASK.text(u64::from(mark.mask)),
                    ignored: names::FANOTIFY_MASK.text(u64::from(mark.ignored_mask)),
                    ino: mark.ie.as_ref().map(|inode| inode.i_ino),
                    mnt_id: mark.me.as_ref().map(|mount| mount.mnt_id),
                    path: mark
                        .ie
                        .as_ref()
                        .and_then(|inode| inode.f_handle.path.as_deref())
                        .or(mark.me.as_ref().and_then(|mount| mount.path.as_deref()))
                        .map(lossless),
                };
                let same = same(group.mark.len());
                let marks = same.is_none().then(|| group.mark.iter().map(record).collect());
                Self::Fanotify {
                    flags: format!("{:#x}", group.faflags),
                    event_flags: names::open_flags(machine).text(u64::from(group.evflags)),
                    marks,
                    same,
                }
            }
            Details::Terminal(tty) => Self::Tty {
                tty: named(&names::TTY_TYPES, tty.r#type).to_ascii_lowercase(),
                sid: tty.sid,
                pgrp: tty.pgrp,
                window: tty.winsize.as_ref().map(|size| [size.ws_row, size.ws_col]),
                index: tty.pty.as_ref().map(|pty| pty.index),
                locked: tty.locked,
                exclusive: tty.exclusive,
                packet_mode: tty.packet_mode,
                echo: tty.termios.as_ref().map(|termios| termios.c_lflag & ECHO != 0),
                hung_up: checkpoint.files().hung_up(tty),
            },
            Details::Namespace(namespace) => Self::Namespace {
                namespace: named(&names::NAMESPACES, namespace.ns_cflag),
                ns_id: namespace.ns_id,
            },
            Details::Tun(tun) => Self::Tun {
                device: tun.netdev.as_deref().map(lossless),
                detached: tun.detached.unwrap_or_default(),
            },
            Details::Memfd(inode) => Self::Memfd {
                size: inode.size,
                seals: names::SEALS.text(u64::from(inode.seals)),
                owner: [inode.uid, inode.gid],
                mode: inode.mode.map(|mode| format!("{:04o}", mode & 0o7777)),
            },
            Details::Pidfd(pid) => Self::Pidfd { pid: pid.map(|pid| pid.0) },
            Details::BpfMap(map) => Self::BpfMap {
                map_type: named(&names::BPF_MAP_TYPES, map.map_type),
                name: lossless(&map.map_name),
                key_size: map.key_size,
                value_size: map.value_size,
                max_entries: map.max_entries,
                frozen: map.frozen,
            },
            Details::External => Self::External {},
            _ => return None,
        })
    }
}

/// A kernel's own device number: 12 bits of major over 20 of minor.
fn device(number: u32) -> String {
    format!("{}:{}", number >> 20, number & 0xf_ffff)
}
