//! Mounts, locks and System V objects.

use std::borrow::Cow;
use std::collections::HashSet;

use ckpt_model::{Checkpoint, FileLock, Mount, Text};
use criu_image::messages::IpcDescEntry;
use serde::Serialize;

use super::files::FilesOptions;
use super::shared::{base64, fields};

/// A mount.
#[derive(Clone, Debug, Serialize)]
pub struct MountRecord<'a> {
    /// Where it is mounted.
    pub mountpoint: Cow<'a, str>,
    /// Bytes of `mountpoint`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mountpoint_base64: Option<String>,
    /// File system in the kernel's words.
    pub fstype: Option<Cow<'a, str>>,
    /// What is mounted.
    pub source: Cow<'a, str>,
    /// Bytes of `source`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_base64: Option<String>,
    /// Path inside of the file system.
    pub root: Cow<'a, str>,
    /// Bytes of `root`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_base64: Option<String>,
    /// Options of the mount, then of the file system.
    pub options: Cow<'a, str>,
    /// Bytes of `options`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub options_base64: Option<String>,
    /// `shared:N`, `master:N`, `unbindable`, `private`.
    pub propagation: &'a [String],
    /// Key by which the engine brings it in; `null` for mounts of the container's own.
    pub external: Option<Cow<'a, str>>,
    /// The root of a bind mount was removed.
    pub deleted: bool,
    /// Number of the mount.
    pub id: u32,
    /// Number of the mount below it.
    pub parent: u32,
    /// Mount namespace, by CRIU's small id.
    pub ns: u32,
}

/// The mounts; with pids, those of their namespaces.
pub(super) fn mounts<'a>(
    checkpoint: &'a Checkpoint,
    options: &FilesOptions,
) -> Vec<MountRecord<'a>> {
    let all = checkpoint.mounts();
    let tasks = checkpoint.processes().tasks.iter().filter(|task| options.wants(task.pid.0));
    let namespaces: HashSet<u32> =
        tasks.filter_map(|task| Some(task.namespaces.as_ref()?.mnt?.id)).collect();
    let wanted = |mount: &&Mount| options.pids.is_empty() || namespaces.contains(&mount.ns);
    all.iter().filter(wanted).map(MountRecord::of).collect()
}

impl<'a> MountRecord<'a> {
    pub(super) fn of(mount: &'a Mount) -> Self {
        Self {
            mountpoint: mount.mountpoint.lossless(),
            mountpoint_base64: base64(mount.mountpoint.as_bytes()),
            fstype: mount.fstype.as_ref().map(Text::lossless),
            source: mount.source.lossless(),
            source_base64: base64(mount.source.as_bytes()),
            root: mount.root.lossless(),
            root_base64: base64(mount.root.as_bytes()),
            options: mount.options.lossless(),
            options_base64: base64(mount.options.as_bytes()),
            propagation: &mount.propagation,
            external: mount.external.as_ref().map(Text::lossless),
            deleted: mount.deleted,
            id: mount.id,
            parent: mount.parent,
            ns: mount.ns,
        }
    }
}

/// A file lock.
#[derive(Clone, Debug, Serialize)]
pub struct LockRecord<'a> {
    /// `posix`, `flock`, `ofd` or `lease`.
    pub kind: Option<&'static str>,
    /// `read`, `write` or `unlock`.
    pub access: Option<&'static str>,
    /// The process by whose descriptor CRIU dumped it.
    pub pid: u32,
    /// That descriptor.
    pub fd: i32,
    /// Path of the file.
    pub path: Option<Cow<'a, str>>,
    /// Bytes of `path`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_base64: Option<String>,
    /// First byte.
    pub start: i64,
    /// Last byte; `null` to the end of the file, however it grows.
    pub end: Option<i64>,
    /// A lease that its holder was asked to give up.
    pub breaking: bool,
}

/// The locks of the processes that are asked for.
pub(super) fn locks<'a>(checkpoint: &'a Checkpoint, options: &FilesOptions) -> Vec<LockRecord<'a>> {
    let record = |lock: &'a FileLock| {
        let (path, path_base64) = fields(lock.path.as_ref());
        LockRecord {
            kind: lock.kind,
            access: lock.access,
            pid: lock.pid.0,
            fd: lock.fd,
            path,
            path_base64,
            start: lock.start,
            end: lock.end,
            breaking: lock.breaking,
        }
    };
    checkpoint.locks().iter().filter(|lock| options.wants(lock.pid.0)).map(record).collect()
}

/// The System V objects of an IPC namespace.
#[derive(Clone, Debug, Serialize)]
pub struct IpcRecord {
    /// CRIU's small id of the namespace.
    pub ns: u32,
    /// Shared memory segments.
    pub shm: Vec<SegmentRecord>,
    /// Message queues.
    pub msg: Vec<QueueRecord>,
    /// Semaphore sets.
    pub sem: Vec<SemaphoreRecord>,
}

/// What every System V object has.
#[derive(Clone, Debug, Serialize)]
pub struct OwnerRecord {
    /// Key, hexadecimal as `ipcs` shows it.
    pub key: String,
    /// Id.
    pub id: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Permissions, octal.
    pub mode: String,
}

impl OwnerRecord {
    fn of(desc: &IpcDescEntry) -> Self {
        Self {
            key: format!("{:#010x}", desc.key),
            id: desc.id,
            uid: desc.uid,
            gid: desc.gid,
            mode: format!("{:04o}", desc.mode & 0o7777),
        }
    }
}

/// A shared memory segment.
#[derive(Clone, Debug, Serialize)]
pub struct SegmentRecord {
    /// Key, id, owner.
    #[serde(flatten)]
    pub owner: OwnerRecord,
    /// Bytes.
    pub size: u64,
}

/// A message queue.
#[derive(Clone, Debug, Serialize)]
pub struct QueueRecord {
    /// Key, id, owner.
    #[serde(flatten)]
    pub owner: OwnerRecord,
    /// Bytes that fit.
    pub limit: u32,
    /// Messages, oldest first.
    pub messages: Vec<SysvMessageRecord>,
}

/// A message.
#[derive(Clone, Debug, Serialize)]
pub struct SysvMessageRecord {
    /// Type that the sender gave it.
    #[serde(rename = "type")]
    pub kind: u64,
    /// Its text.
    pub text: String,
    /// Bytes of `text`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_base64: Option<String>,
}

/// A semaphore set.
#[derive(Clone, Debug, Serialize)]
pub struct SemaphoreRecord {
    /// Key, id, owner.
    #[serde(flatten)]
    pub owner: OwnerRecord,
    /// The values.
    pub values: Vec<u16>,
}

/// The System V objects.
pub(super) fn ipc(checkpoint: &Checkpoint) -> Vec<IpcRecord> {
    let record = |namespace: ckpt_model::IpcNamespace| IpcRecord {
        ns: namespace.ns,
        shm: namespace
            .segments
            .iter()
            .map(|segment| SegmentRecord {
                owner: OwnerRecord::of(&segment.desc),
                size: segment.size,
            })
            .collect(),
        msg: namespace
            .queues
            .iter()
            .map(|queue| QueueRecord {
                owner: OwnerRecord::of(&queue.desc),
                limit: queue.limit,
                messages: queue
                    .messages
                    .iter()
                    .map(|message| SysvMessageRecord {
                        kind: message.entry.mtype,
                        text: Text::from(&*message.text).lossless().into_owned(),
                        text_base64: base64(&message.text),
                    })
                    .collect(),
            })
            .collect(),
        sem: namespace
            .semaphores
            .into_iter()
            .map(|set| SemaphoreRecord { owner: OwnerRecord::of(&set.desc), values: set.values })
            .collect(),
    };
    checkpoint.ipc().into_iter().map(record).collect()
}
