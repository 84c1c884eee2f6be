//! `extract`: everything recoverable as a file, and the manifest of what was written.

use std::borrow::Cow;

use ckpt_model::artifacts::{Artifact, Hold, Holder, Message, TcpQueue};
use ckpt_model::{Checkpoint, Text};
use serde::Serialize;

use super::shared::{DefectRecord, EvidenceRecord, TextRecord, defects as defect_records, fields};
use super::sockets::SenderRecord;

/// `ckpt-inspect/extract/1`: what `--list` shows, and with `file` in its records the `manifest.json` of what was written.
#[derive(Clone, Debug, Serialize)]
pub struct ExtractDocument<'a> {
    /// Name and version of this form.
    pub schema: &'static str,
    /// Name and version of the program that wrote it.
    pub tool: &'a str,
    /// What was opened.
    pub evidence: EvidenceRecord<'a>,
    /// The artifacts, by origin and in the order of the evidence.
    pub artifacts: Vec<ArtifactRecord<'a>>,
    /// What could not be read.
    pub defects: Vec<DefectRecord>,
}

/// An artifact with what the caller found out about its bytes.
#[derive(Clone, Debug)]
pub struct Examined<'a> {
    /// The artifact.
    pub artifact: &'a Artifact,
    /// SHA-256 of all of its bytes, or why there is none.
    pub sha256: Result<String, String>,
    /// The file that it was written to.
    pub file: Option<WrittenFile>,
}

/// A file that was written.
#[derive(Clone, Debug, Serialize)]
pub struct WrittenFile {
    /// Its name in the directory.
    pub name: String,
    /// SHA-256 of the file as it was written: of the artifact too, unless bytes of that were missing.
    pub sha256: String,
    /// Bytes that were missing, for which the file has zeros.
    pub missing: u64,
}

/// The artifacts with their hashes.
#[must_use]
pub fn extract<'a>(
    checkpoint: &'a Checkpoint,
    examined: impl IntoIterator<Item = Examined<'a>>,
    tool: &'a str,
) -> ExtractDocument<'a> {
    ExtractDocument {
        schema: "ckpt-inspect/extract/1",
        tool,
        evidence: EvidenceRecord::of(checkpoint),
        artifacts: examined.into_iter().map(ArtifactRecord::of).collect(),
        defects: defect_records(checkpoint),
    }
}

/// One artifact. What its origin does not have is null or left out.
#[derive(Clone, Debug, Serialize)]
pub struct ArtifactRecord<'a> {
    /// Names it, the same for the same evidence.
    pub id: &'a str,
    /// `rootfs-diff`, `tmpfs`, `dev-shm`, `volume`, `ghost`, `memfd`, `shm`, `sysv-shm`, `pipe`, `socket-queue`,
    /// `tcp-queue`, `tty`, `log` or `exe`.
    pub origin: &'static str,
    /// Path in the container, or what the kernel calls it.
    pub path: Option<Cow<'a, str>>,
    /// Bytes of `path`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_base64: Option<String>,
    /// Further paths of the same file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<TextRecord<'a>>,
    /// Paths that it had and that were removed while it was open: CRIU made the link at `path` to keep it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deleted_paths: Vec<TextRecord<'a>>,
    /// Process to name with it.
    pub pid: Option<u32>,
    /// That process's descriptor.
    pub fd: Option<u32>,
    /// Every process that has it.
    pub holders: Vec<ArtifactHolderRecord>,
    /// Bytes.
    pub size: u64,
    /// Bytes of it that are holes.
    #[serde(skip_serializing_if = "is_zero")]
    pub holes: u64,
    /// Permission bits, octal: `644`, `4755`.
    pub mode: Option<String>,
    /// Owner.
    pub uid: Option<u64>,
    /// Group.
    pub gid: Option<u64>,
    /// Last modification, RFC 3339.
    pub mtime: Option<String>,
    /// Last access.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub atime: Option<String>,
    /// Last change of the inode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ctime: Option<String>,
    /// SHA-256 of all of its bytes.
    pub sha256: Option<String>,
    /// Why there is no hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unhashed: Option<String>,
    /// The image or archive that holds its bytes.
    pub source: &'a str,
    /// Id of the artifact that is the same file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub same_as: Option<&'a str>,
    /// Address of the socket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<TextRecord<'a>>,
    /// The messages of a socket's queue.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<QueuedMessageRecord<'a>>,
    /// Whose TCP queue it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp: Option<TcpQueueRecord>,
    /// The file that it was written to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<WrittenFile>,
}

// serde wants a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl<'a> ArtifactRecord<'a> {
    fn of(examined: Examined<'a>) -> Self {
        let Examined { artifact, sha256, file } = examined;
        let (path, path_base64) = fields(artifact.path.as_ref());
        let details = artifact.details.as_deref();
        let also = details.map(|details| details.also.as_slice()).unwrap_or_default();
        let deleted = details.map(|details| details.deleted_paths.as_slice()).unwrap_or_default();
        let messages = details.map(|details| details.messages.as_slice()).unwrap_or_default();
        let (sha256, unhashed) = match sha256 {
            Ok(hash) => (Some(hash), None),
            Err(why) => (None, Some(why)),
        };
        Self {
            id: &artifact.id,
            origin: artifact.origin.word(),
            path,
            path_base64,
            also: also.iter().map(TextRecord::of).collect(),
            deleted_paths: deleted.iter().map(TextRecord::of).collect(),
            pid: artifact.pid().map(|pid| pid.0),
            fd: artifact.fd(),
            holders: artifact.holders.iter().map(ArtifactHolderRecord::of).collect(),
            size: artifact.size,
            holes: artifact.holes,
            mode: artifact.mode.map(|mode| format!("{mode:o}")),
            uid: artifact.uid,
            gid: artifact.gid,
            mtime: artifact.mtime.map(|time| time.to_string()),
            atime: artifact.atime.map(|time| time.to_string()),
            ctime: artifact.ctime.map(|time| time.to_string()),
            sha256,
            unhashed,
            source: &artifact.source,
            same_as: artifact.same_as.as_deref(),
            name: details.and_then(|details| details.name.as_ref()).map(TextRecord::of),
            messages: messages.iter().map(QueuedMessageRecord::of).collect(),
            tcp: details.and_then(|details| details.tcp.as_ref()).map(TcpQueueRecord::of),
            file,
        }
    }
}

/// A process that has the file.
#[derive(Clone, Debug, Serialize)]
pub struct ArtifactHolderRecord {
    /// The process.
    pub pid: u32,
    /// Its descriptor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fd: Option<u32>,
    /// `fd`, `exe` or `map`.
    pub how: &'static str,
}

impl ArtifactHolderRecord {
    fn of(holder: &Holder) -> Self {
        let how = match holder.hold {
            Hold::Fd(_) => "fd",
            Hold::Exe => "exe",
            Hold::Map => "map",
            _ => "other",
        };
        Self { pid: holder.pid.0, fd: holder.fd(), how }
    }
}

/// A message in a socket's queue.
#[derive(Clone, Debug, Serialize)]
pub struct QueuedMessageRecord<'a> {
    /// Bytes.
    pub size: u64,
    /// Files that were sent with it (`SCM_RIGHTS`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rights: Vec<TextRecord<'a>>,
    /// Who sent it, where CRIU noted that (since after 4.2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<SenderRecord>,
}

impl<'a> QueuedMessageRecord<'a> {
    fn of(message: &'a Message) -> Self {
        let rights: &'a [Text] = &message.rights;
        Self {
            size: message.size,
            rights: rights.iter().map(TextRecord::of).collect(),
            sender: message.sender.map(SenderRecord::of),
        }
    }
}

/// A direction of a TCP connection.
#[derive(Clone, Debug, Serialize)]
pub struct TcpQueueRecord {
    /// `recv`: received and not read; `send`: sent and not acknowledged, or not sent.
    pub queue: &'static str,
    /// Local address and port.
    pub local: Option<String>,
    /// Remote address and port.
    pub remote: Option<String>,
    /// Sequence number of the first byte.
    pub first_sequence: u32,
    /// Sequence number after the last byte.
    pub next_sequence: u32,
    /// Bytes at the end that were never sent.
    pub unsent: u32,
}

impl TcpQueueRecord {
    fn of(queue: &TcpQueue) -> Self {
        Self {
            queue: queue.direction.word(),
            local: queue.local.map(|address| address.to_string()),
            remote: queue.remote.map(|address| address.to_string()),
            first_sequence: queue.first,
            next_sequence: queue.next,
            unsent: queue.unsent,
        }
    }
}
