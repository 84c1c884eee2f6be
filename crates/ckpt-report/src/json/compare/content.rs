//! Files that appeared, went or changed: in the file system, and recovered ones.

use std::borrow::Cow;

use ckpt_analysis::compare::{ArtifactChange, ArtifactChanges, FileChange, Sameness};
use ckpt_model::artifacts::Artifact;
use ckpt_model::{Change, Noise};
use serde::Serialize;

use super::CompareShow;
use crate::json::diff::StateRecord;
use crate::json::shared::{base64, fields};

/// A path that differs.
#[derive(Clone, Debug, Serialize)]
pub struct FileChangeRecord<'a> {
    /// Absolute path in the container.
    pub path: Cow<'a, str>,
    /// Bytes of `path`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_base64: Option<String>,
    /// `added`, `modified`, `deleted`, or `written` for what only B tells of and only the image could tell added from
    /// modified.
    pub change: &'static str,
    /// What differs: `type`, `content`, `target`, `device`, `mode`, `owner`, `xattrs`, `time`.
    pub what: Vec<&'static str>,
    /// Name of the volume it lies in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume: Option<Cow<'a, str>>,
    /// Why this says nothing about the container, as in `diff`.
    pub noise: Option<&'static str>,
    /// What A tells of it; `null` when it tells nothing.
    pub a: Option<ToldRecord<'a>>,
    /// What B tells of it.
    pub b: Option<ToldRecord<'a>>,
}

impl<'a> FileChangeRecord<'a> {
    pub(super) fn of(change: &'a FileChange) -> Self {
        Self {
            path: change.path.lossless(),
            path_base64: base64(change.path.as_bytes()),
            change: change.kind.word(),
            what: change.what.iter().map(|aspect| aspect.word()).collect(),
            volume: change.volume.as_ref().map(ckpt_model::Text::lossless),
            noise: change.noise.map(Noise::word),
            a: change.a.as_ref().map(ToldRecord::of),
            b: change.b.as_ref().map(ToldRecord::of),
        }
    }
}

/// What a checkpoint tells of a path.
#[derive(Clone, Debug, Serialize)]
pub struct ToldRecord<'a> {
    /// Against the image: `added`, `modified`, `deleted`, `written`.
    pub change: &'static str,
    /// What it is, as in `diff`.
    #[serde(flatten)]
    pub state: StateRecord<'a>,
}

impl<'a> ToldRecord<'a> {
    fn of(change: &'a Change) -> Self {
        let state = change.state.as_ref().map(StateRecord::of).unwrap_or_default();
        Self { change: change.kind.word(), state }
    }
}

/// What only the checkpoints hold as files.
#[derive(Clone, Debug, Serialize)]
pub struct ArtifactChangeRecords<'a> {
    /// Only in B.
    pub added: Vec<ComparedArtifactRecord<'a>>,
    /// Only in A.
    pub removed: Vec<ComparedArtifactRecord<'a>>,
    /// In both, and different.
    pub changed: Vec<ArtifactChangeRecord<'a>>,
    /// In both, and not different as far as their bytes are there; when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unchanged: Option<Vec<ArtifactChangeRecord<'a>>>,
}

impl<'a> ArtifactChangeRecords<'a> {
    pub(super) fn of(found: &'a ArtifactChanges, show: &CompareShow) -> Self {
        let list =
            |artifacts: &'a [Artifact]| artifacts.iter().map(ComparedArtifactRecord::of).collect();
        let changes =
            |changes: &'a [ArtifactChange]| changes.iter().map(ArtifactChangeRecord::of).collect();
        Self {
            added: list(&found.added),
            removed: list(&found.removed),
            changed: changes(&found.changed),
            unchanged: show.unchanged.then(|| changes(&found.unchanged)),
        }
    }
}

/// An artifact, by the names that `extract` has for it.
#[derive(Clone, Debug, Serialize)]
pub struct ComparedArtifactRecord<'a> {
    /// Names it for `extract`.
    pub id: &'a str,
    /// Where its bytes come from.
    pub origin: &'static str,
    /// Path in the container, or what the kernel calls it.
    pub path: Option<Cow<'a, str>>,
    /// Bytes of `path`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_base64: Option<String>,
    /// Process to name with it.
    pub pid: Option<u32>,
    /// That process's descriptor.
    pub fd: Option<u32>,
    /// Bytes.
    pub size: u64,
    /// Permission bits, octal.
    pub mode: Option<String>,
    /// Owner.
    pub uid: Option<u64>,
    /// Group.
    pub gid: Option<u64>,
    /// Last modification.
    pub mtime: Option<String>,
}

impl<'a> ComparedArtifactRecord<'a> {
    fn of(artifact: &'a Artifact) -> Self {
        let (path, path_base64) = fields(artifact.path.as_ref());
        Self {
            id: &artifact.id,
            origin: artifact.origin.word(),
            path,
            path_base64,
            pid: artifact.pid().map(|pid| pid.0),
            fd: artifact.fd(),
            size: artifact.size,
            mode: artifact.mode.map(|mode| format!("{mode:o}")),
            uid: artifact.uid,
            gid: artifact.gid,
            mtime: artifact.mtime.map(|time| time.to_string()),
        }
    }
}

/// An artifact of both.
#[derive(Clone, Debug, Serialize)]
pub struct ArtifactChangeRecord<'a> {
    /// `content`, `size`, `mode`, `owner`, `time`.
    pub what: Vec<&'static str>,
    /// Offset of the first byte that differs.
    pub first_difference: Option<u64>,
    /// Why contents could not be compared to their ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_compared: Option<String>,
    /// In A.
    pub a: ComparedArtifactRecord<'a>,
    /// In B.
    pub b: ComparedArtifactRecord<'a>,
}

impl<'a> ArtifactChangeRecord<'a> {
    fn of(change: &'a ArtifactChange) -> Self {
        let (first_difference, not_compared) = match change.content {
            Sameness::Differs(offset) => (Some(offset), None),
            Sameness::Unknown(why) => (None, Some(why.to_string())),
            Sameness::NotRead => (None, Some("more holes than are read".to_owned())),
            _ => (None, None),
        };
        Self {
            what: change.what.iter().map(|fact| fact.word()).collect(),
            first_difference,
            not_compared,
            a: ComparedArtifactRecord::of(&change.a),
            b: ComparedArtifactRecord::of(&change.b),
        }
    }
}
