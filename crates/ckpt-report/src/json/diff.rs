//! `diff`: the changes of the container's file system.

use std::borrow::Cow;

use ckpt_model::{
    BaseImage, Change, ChangeFilter, ChangeKind, ChangeSource, Changes, Checkpoint, Executable,
    FileState, Noise,
};
use serde::Serialize;

use super::shared::{
    DefectRecord, EvidenceRecord, TextRecord, base64, defects, fields, lossless, mask,
};
use crate::times;

/// `ckpt-inspect/diff/1`.
#[derive(Clone, Debug, Serialize)]
pub struct DiffDocument<'a> {
    /// Name and version of this form.
    pub schema: &'static str,
    /// What was opened.
    pub evidence: EvidenceRecord<'a>,
    /// The image that the changes were compared with.
    pub base: Option<BaseRecord<'a>>,
    /// How many there are of each kind, whatever the filter shows.
    pub summary: DiffSummary,
    /// The changes that the filter shows, by path.
    pub changes: Vec<ChangeRecord<'a>>,
    /// What the list cannot show, as sentences.
    pub gaps: &'a [&'static str],
    /// What could not be read.
    pub defects: Vec<DefectRecord>,
}

/// The changes as a document.
#[must_use]
pub fn diff<'a>(
    checkpoint: &'a Checkpoint,
    changes: &'a Changes,
    filter: &ChangeFilter,
) -> DiffDocument<'a> {
    let shown = changes.list.iter().filter(|change| filter.shows(change));
    DiffDocument {
        schema: "ckpt-inspect/diff/1",
        evidence: EvidenceRecord::of(checkpoint),
        base: changes.base.as_ref().map(BaseRecord::of),
        summary: DiffSummary::of(changes),
        changes: shown.map(ChangeRecord::of).collect(),
        gaps: &changes.gaps,
        defects: defects(checkpoint),
    }
}

/// An image that changes were compared with.
#[derive(Clone, Debug, Serialize)]
pub struct BaseRecord<'a> {
    /// As the user named it.
    pub path: &'a str,
    /// `oci-layout`, `docker-archive` and so on.
    pub kind: &'a str,
    /// Digest of its configuration.
    pub image_id: Option<&'a str>,
    /// Whether the container says that this is its image; `null` when one of them does not tell.
    pub is_the_containers: Option<bool>,
}

impl<'a> BaseRecord<'a> {
    fn of(base: &'a BaseImage) -> Self {
        Self {
            path: &base.path,
            kind: &base.kind,
            image_id: base.image_id.as_deref(),
            is_the_containers: base.is_the_containers,
        }
    }
}

/// Changes by kind, those that the engine made included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DiffSummary {
    /// Added.
    pub added: u64,
    /// Modified.
    pub modified: u64,
    /// Deleted.
    pub deleted: u64,
    /// Added or modified, which only the image could tell.
    pub written: u64,
    /// Of all these, made by the engine.
    pub noise: u64,
    /// Entries of the diff that are as the base has them; they are not listed.
    pub unchanged: u64,
}

impl DiffSummary {
    fn of(changes: &Changes) -> Self {
        let mut summary = Self { unchanged: changes.unchanged, ..Self::default() };
        for change in &changes.list {
            let kind = match change.kind {
                ChangeKind::Added => &mut summary.added,
                ChangeKind::Modified => &mut summary.modified,
                ChangeKind::Deleted => &mut summary.deleted,
                _ => &mut summary.written,
            };
            *kind = kind.saturating_add(1);
            summary.noise = summary.noise.saturating_add(u64::from(change.noise.is_some()));
        }
        summary
    }
}

/// A change. What was deleted has only `before`, and that only with a base.
#[derive(Clone, Debug, Serialize)]
pub struct ChangeRecord<'a> {
    /// Absolute path in the container. `..` is kept as the evidence writes it.
    pub path: Cow<'a, str>,
    /// Bytes of `path`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_base64: Option<String>,
    /// `added`, `modified`, `deleted`, or `written` where only the image could tell.
    pub change: &'static str,
    /// What it is now.
    #[serde(flatten)]
    pub now: StateRecord<'a>,
    /// What is different from the base: `type`, `content`, `target`, `device`, `mode`, `owner`, `xattrs`, `time`.
    pub what: Vec<&'static str>,
    /// What the base has there.
    pub before: Option<StateRecord<'a>>,
    /// The directory was made anew: nothing of what the image had in it is left.
    pub opaque: bool,
    /// Why this is the engine's doing: `mtab-link`, `engine-file`, `mount-point`, `above-mount-point`, `directory-time`.
    pub noise: Option<&'static str>,
    /// Paths of removed files that were open: CRIU made the link at `path` to keep them while it dumped.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deleted_paths: Vec<TextRecord<'a>>,
    /// `rootfs-diff`, `deleted-files`, `base` (what a new directory took away) or `volume`.
    pub source: &'static str,
    /// Name of the volume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume: Option<Cow<'a, str>>,
    /// Why the name is dangerous for tools that act on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub risk: Option<String>,
}

impl<'a> ChangeRecord<'a> {
    fn of(change: &'a Change) -> Self {
        Self {
            path: change.path.lossless(),
            path_base64: base64(change.path.as_bytes()),
            change: change.kind.word(),
            now: change.state.as_ref().map(StateRecord::of).unwrap_or_default(),
            what: change.what.iter().map(|aspect| aspect.word()).collect(),
            before: change.before.as_ref().map(StateRecord::of),
            opaque: change.opaque,
            noise: change.noise.map(Noise::word),
            deleted_paths: change.deleted_paths.iter().map(TextRecord::of).collect(),
            source: change.source.word(),
            volume: match &change.source {
                ChangeSource::Volume(name) => Some(name.lossless()),
                _ => None,
            },
            risk: change.risk.map(|risk| risk.to_string()),
        }
    }
}

/// What an archive says of a file. Every field is `null` for a file that is not there.
#[derive(Clone, Debug, Default, Serialize)]
pub struct StateRecord<'a> {
    /// `file`, `dir`, `symlink`, `char`, `block`, `fifo`, `sock`.
    #[serde(rename = "type")]
    pub kind: Option<&'static str>,
    /// Permission bits, octal: `4755`.
    pub mode: Option<String>,
    /// Owner.
    pub uid: Option<u64>,
    /// Group.
    pub gid: Option<u64>,
    /// Bytes of a regular file, holes included.
    pub size: Option<u64>,
    /// Last modification, RFC 3339, with nanoseconds where the archive has them.
    pub mtime: Option<String>,
    /// SHA-256 of a regular file.
    pub sha256: Option<String>,
    /// Target of a symbolic link.
    pub target: Option<Cow<'a, str>>,
    /// Bytes of `target`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_base64: Option<String>,
    /// The member that a hard link names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hard_link: Option<Cow<'a, str>>,
    /// Bytes of `hard_link`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hard_link_base64: Option<String>,
    /// Numbers of a device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceRecord>,
    /// `elf`, `script`, or `mode` for a file with an execute bit that is neither.
    pub executable: Option<&'static str>,
    /// File capabilities.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<FileCapabilitiesRecord>,
    /// Extended attributes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub xattrs: Vec<XattrRecord<'a>>,
}

impl<'a> StateRecord<'a> {
    pub(super) fn of(state: &'a FileState) -> Self {
        let (target, target_base64) = fields(state.target.as_ref());
        let (hard_link, hard_link_base64) = fields(state.hard_link.as_ref());
        Self {
            kind: Some(state.kind.word()),
            mode: Some(format!("{:04o}", state.mode)),
            uid: Some(state.uid),
            gid: Some(state.gid),
            size: Some(state.size),
            mtime: times::exact(state.mtime.secs, state.mtime.nanos),
            sha256: state.sha256.map(|digest| digest.to_string()),
            target,
            target_base64,
            hard_link,
            hard_link_base64,
            device: state.device.map(|(major, minor)| DeviceRecord { major, minor }),
            executable: state.executable.map(Executable::word),
            capabilities: state.capabilities().map(|caps| FileCapabilitiesRecord {
                text: caps.to_string(),
                permitted: mask(caps.permitted),
                inheritable: mask(caps.inheritable),
                effective: caps.effective,
                root_uid: caps.root_uid,
            }),
            xattrs: state.xattrs.iter().map(|(name, value)| XattrRecord::of(name, value)).collect(),
        }
    }
}

/// Numbers of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct DeviceRecord {
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
}

/// File capabilities.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileCapabilitiesRecord {
    /// As `getcap` shows them: `cap_net_raw=ep`.
    pub text: String,
    /// Permitted, 16 hexadecimal digits.
    pub permitted: String,
    /// Inheritable, 16 hexadecimal digits.
    pub inheritable: String,
    /// Whether the permitted ones are effective at once.
    pub effective: bool,
    /// The user id that is root for them.
    pub root_uid: Option<u32>,
}

/// An extended attribute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct XattrRecord<'a> {
    /// Name.
    pub name: Cow<'a, str>,
    /// Bytes of `name`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_base64: Option<String>,
    /// Value, bytes that are not UTF-8 as `\xff`.
    pub value: Cow<'a, str>,
    /// Bytes of `value`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_base64: Option<String>,
}

impl<'a> XattrRecord<'a> {
    fn of(name: &'a [u8], value: &'a [u8]) -> Self {
        Self {
            name: lossless(name),
            name_base64: base64(name),
            value: lossless(value),
            value_base64: base64(value),
        }
    }
}
