//! Descriptors, sockets and mounts that appeared, went or changed.

use std::borrow::Cow;

use ckpt_analysis::compare::{
    Comparison, DescriptorChange, Descriptors, Held, MountChange, Mounts, SameTables, SocketChange,
    Sockets,
};
use ckpt_model::{Descriptor, Mount, Socket};
use serde::Serialize;

use super::CompareShow;
use crate::json::shared::fields;
use crate::json::sockets::{SocketRecord, SocketRecords};
use crate::json::system::MountRecord;

/// Descriptors of matched processes.
#[derive(Clone, Debug, Serialize)]
pub struct DescriptorChangeRecords<'a> {
    /// Only in B.
    pub opened: Vec<HeldRecord<'a>>,
    /// Only in A.
    pub closed: Vec<HeldRecord<'a>>,
    /// In both, and different.
    pub changed: Vec<DescriptorChangeRecord<'a>>,
    /// In both, and not different, when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unchanged: Option<Vec<HeldRecord<'a>>>,
    /// Processes of which nothing is told because it is told of another one with the same descriptors.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub same: Vec<SameTablesRecord>,
}

/// A process with the descriptors of another one, in both checkpoints.
#[derive(Clone, Debug, Serialize)]
pub struct SameTablesRecord {
    /// The process in B.
    pub pid: u32,
    /// The process in A, where it has another number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid_a: Option<u32>,
    /// The other one in B.
    pub same_as: u32,
}

impl SameTablesRecord {
    fn of(same: &SameTables) -> Self {
        let pid_a = (same.pid_a != same.pid).then_some(same.pid_a.0);
        Self { pid: same.pid.0, pid_a, same_as: same.same_as.0 }
    }
}

impl<'a> DescriptorChangeRecords<'a> {
    pub(super) fn of(found: &Descriptors<'a>, show: &CompareShow) -> Self {
        let list = |held: &[Held<'a>]| held.iter().map(HeldRecord::of).collect();
        Self {
            opened: list(&found.opened),
            closed: list(&found.closed),
            changed: found.changed.iter().map(DescriptorChangeRecord::of).collect(),
            unchanged: show.unchanged.then(|| list(&found.unchanged)),
            same: found.same.iter().map(SameTablesRecord::of).collect(),
        }
    }
}

/// A descriptor of a process.
#[derive(Clone, Debug, Serialize)]
pub struct HeldRecord<'a> {
    /// The process.
    pub pid: u32,
    /// The number.
    pub fd: u32,
    /// What it refers to.
    #[serde(flatten)]
    pub state: DescriptorStateRecord<'a>,
}

impl<'a> HeldRecord<'a> {
    fn of(held: &Held<'a>) -> Self {
        let state = DescriptorStateRecord::of(held.descriptor);
        Self { pid: held.pid.0, fd: held.descriptor.fd, state }
    }
}

/// A descriptor that changed.
#[derive(Clone, Debug, Serialize)]
pub struct DescriptorChangeRecord<'a> {
    /// The process in B.
    pub pid: u32,
    /// The process in A, where it has another number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid_a: Option<u32>,
    /// The number.
    pub fd: u32,
    /// `type`, `target`, `pos`, `flags`, `cloexec`, `deleted`.
    pub what: Vec<&'static str>,
    /// In A.
    pub a: DescriptorStateRecord<'a>,
    /// In B.
    pub b: DescriptorStateRecord<'a>,
}

impl<'a> DescriptorChangeRecord<'a> {
    fn of(change: &DescriptorChange<'a>) -> Self {
        Self {
            pid: change.b.pid.0,
            pid_a: (change.a.pid != change.b.pid).then_some(change.a.pid.0),
            fd: change.b.descriptor.fd,
            what: change.what.iter().map(|fact| fact.word()).collect(),
            a: DescriptorStateRecord::of(change.a.descriptor),
            b: DescriptorStateRecord::of(change.b.descriptor),
        }
    }
}

/// What a descriptor refers to, by the names that `files` has for it.
#[derive(Clone, Debug, Serialize)]
pub struct DescriptorStateRecord<'a> {
    /// `reg`, `dir`, `chr`, `blk`, `fifo`, `pipe`, `socket`, `memfd`, `anon` or `unknown`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What `readlink` of `/proc/PID/fd/N` said.
    pub target: Option<Cow<'a, str>>,
    /// Bytes of `target`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_base64: Option<String>,
    /// Offset, bytes.
    pub pos: Option<u64>,
    /// Flags as `/proc/PID/fdinfo/N` shows them, octal.
    pub flags: Option<String>,
    /// Closed on `execve`.
    pub cloexec: bool,
    /// The file had lost its name.
    pub deleted: bool,
}

impl<'a> DescriptorStateRecord<'a> {
    fn of(descriptor: &'a Descriptor) -> Self {
        let (target, target_base64) = fields(descriptor.target.as_ref());
        Self {
            kind: descriptor.kind.word(),
            target,
            target_base64,
            pos: descriptor.pos,
            flags: descriptor.flags.map(|flags| format!("0{flags:o}")),
            cloexec: descriptor.cloexec,
            deleted: descriptor.deleted,
        }
    }
}

/// Sockets; each as in `files`.
#[derive(Clone, Debug, Serialize)]
pub struct SocketChangeRecords<'a> {
    /// Only in B.
    pub added: Vec<SocketRecord<'a>>,
    /// Only in A.
    pub removed: Vec<SocketRecord<'a>>,
    /// In both, and different.
    pub changed: Vec<SocketChangeRecord<'a>>,
    /// In both, and not different, when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unchanged: Option<Vec<SocketRecord<'a>>>,
}

impl<'a> SocketChangeRecords<'a> {
    pub(super) fn of(comparison: &Comparison<'a>, found: &Sockets<'a>, show: &CompareShow) -> Self {
        let (a, b) =
            (SocketRecords::of(comparison.a, false), SocketRecords::of(comparison.b, false));
        let list = |of: &SocketRecords<'a>, sockets: &[&'a Socket]| {
            sockets.iter().map(|socket| of.record(socket)).collect()
        };
        Self {
            added: list(&b, &found.added),
            removed: list(&a, &found.removed),
            changed: found.changed.iter().map(|one| SocketChangeRecord::of(one, &a, &b)).collect(),
            unchanged: show.unchanged.then(|| list(&b, &found.unchanged)),
        }
    }
}

/// A socket that changed.
#[derive(Clone, Debug, Serialize)]
pub struct SocketChangeRecord<'a> {
    /// `state`, `local`, `remote`, `peer_ino`, `recv_bytes`, `send_bytes`, `shutdown`, `backlog`, `holders`.
    pub what: Vec<&'static str>,
    /// In A.
    pub a: SocketRecord<'a>,
    /// In B.
    pub b: SocketRecord<'a>,
}

impl<'a> SocketChangeRecord<'a> {
    fn of(change: &SocketChange<'a>, a: &SocketRecords<'a>, b: &SocketRecords<'a>) -> Self {
        Self {
            what: change.what.iter().map(|fact| fact.word()).collect(),
            a: a.record(change.a),
            b: b.record(change.b),
        }
    }
}

/// Mounts; each as in `files`.
#[derive(Clone, Debug, Serialize)]
pub struct MountChangeRecords<'a> {
    /// Only in B.
    pub added: Vec<MountRecord<'a>>,
    /// Only in A.
    pub removed: Vec<MountRecord<'a>>,
    /// In both, and different.
    pub changed: Vec<MountChangeRecord<'a>>,
    /// In both, and not different, when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unchanged: Option<Vec<MountRecord<'a>>>,
}

impl<'a> MountChangeRecords<'a> {
    pub(super) fn of(found: &Mounts<'a>, show: &CompareShow) -> Self {
        let list =
            |mounts: &[&'a Mount]| mounts.iter().map(|mount| MountRecord::of(mount)).collect();
        Self {
            added: list(&found.added),
            removed: list(&found.removed),
            changed: found.changed.iter().map(MountChangeRecord::of).collect(),
            unchanged: show.unchanged.then(|| list(&found.unchanged)),
        }
    }
}

/// A mount that changed.
#[derive(Clone, Debug, Serialize)]
pub struct MountChangeRecord<'a> {
    /// `fstype`, `source`, `root`, `options`, `propagation`, `external`, `deleted`.
    pub what: Vec<&'static str>,
    /// In A.
    pub a: MountRecord<'a>,
    /// In B.
    pub b: MountRecord<'a>,
}

impl<'a> MountChangeRecord<'a> {
    fn of(change: &MountChange<'a>) -> Self {
        Self {
            what: change.what.iter().map(|fact| fact.word()).collect(),
            a: MountRecord::of(change.a),
            b: MountRecord::of(change.b),
        }
    }
}
