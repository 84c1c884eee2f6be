//! What the container wrote: the files of the diff, of tmpfs, `/dev/shm` and volumes, as one list.

use bytes::Bytes;
use ckpt_model::artifacts::{Artifact, Entry, Holder, Origin};
use ckpt_model::{Change, ChangeKind, Event, FileCapabilities, FileType, Piece, Text};

use super::elf::is_library;
use super::finding::Seen;
use super::subject::Subject;

/// Seconds after its creation or its start in which a container writes its own settings.
const START: i64 = 60;

/// Seconds that a container must have run before the time of a file says that it belongs to the start.
const LONG: i64 = 600;

/// Most bytes of a file that a detector reads unless it needs less.
pub(super) const MOST_READ: u64 = 256 << 10;

/// Most bytes that are read of a file under another name than its first.
const OF_FURTHER_NAMES: u64 = 4 << 10;

/// Something that the container wrote.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written<'a> {
    /// The file system that it is in.
    pub(super) origin: Origin,
    /// Its path in the container.
    pub(super) path: &'a Text,
    /// What it is.
    pub(super) kind: FileType,
    /// Permission bits, `0o7777`.
    pub(super) mode: u32,
    /// Owner.
    pub(super) uid: u64,
    /// Bytes.
    pub(super) size: u64,
    /// Target of a symbolic link.
    pub(super) target: Option<&'a Text>,
    /// Major and minor number of a device.
    pub(super) device: Option<(u32, u32)>,
    /// Capabilities that it gives.
    pub(super) capabilities: Option<FileCapabilities>,
    /// The archive that holds it.
    source: &'a str,
    artifact: Option<&'a Artifact>,
}

/// How the bytes of a program begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// An ELF file that can be started.
    Program,
    /// A shared library.
    Library,
    /// A text that names its interpreter.
    Script,
    /// An archive or compressed file.
    Archive,
}

impl Format {
    /// With its article.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Program => "an ELF program",
            Self::Library => "an ELF library",
            Self::Script => "a script",
            Self::Archive => "an archive",
        }
    }

    /// Of the bytes of an artifact.
    pub(super) fn of(artifact: &Artifact) -> Option<Self> {
        let path = artifact.path.as_ref().map(Text::as_bytes).unwrap_or_default();
        Self::of_bytes(path, |at, most| bytes(artifact, at, most))
    }

    /// Of a file's bytes, at an offset and at most so many.
    fn of_bytes(path: &[u8], read: impl Fn(u64, u64) -> Vec<u8>) -> Option<Self> {
        let start = read(0, 512);
        if start.starts_with(b"\x7fELF") {
            return Some(if is_library(path, read) { Self::Library } else { Self::Program });
        }
        if start.starts_with(b"#!") {
            return Some(Self::Script);
        }
        const ARCHIVES: [&[u8]; 7] = [
            b"\x1f\x8b\x08",
            b"PK\x03\x04",
            b"7z\xbc\xaf\x27\x1c",
            b"Rar!\x1a\x07",
            b"\xfd7zXZ\0",
            b"BZh",
            b"\x28\xb5\x2f\xfd",
        ];
        let tar = start.get(257..262) == Some(b"ustar");
        (tar || ARCHIVES.iter().any(|magic| start.starts_with(magic))).then_some(Self::Archive)
    }
}

impl<'a> Written<'a> {
    fn file(artifact: &'a Artifact) -> Option<Self> {
        let details = artifact.details.as_deref();
        Some(Self {
            origin: artifact.origin,
            path: artifact.path.as_ref()?,
            kind: FileType::File,
            mode: artifact.mode.unwrap_or_default(),
            uid: artifact.uid.unwrap_or_default(),
            size: artifact.size,
            target: None,
            device: None,
            capabilities: details.and_then(|details| details.capabilities),
            source: &artifact.source,
            artifact: Some(artifact),
        })
    }

    fn other(entry: &'a Entry) -> Self {
        Self {
            origin: entry.origin,
            path: &entry.path,
            kind: entry.kind,
            mode: entry.mode,
            uid: entry.uid,
            size: 0,
            target: entry.target.as_ref(),
            device: entry.device,
            capabilities: None,
            source: &entry.source,
            artifact: None,
        }
    }

    /// Whether it is a regular file.
    pub(super) fn is_file(&self) -> bool {
        self.kind == FileType::File
    }

    /// Whether it lies in memory and is gone with the container.
    pub(super) fn in_memory(&self) -> bool {
        matches!(self.origin, Origin::Tmpfs | Origin::DevShm)
    }

    /// Its first bytes, at most so many; fewer where they end or are missing. Of a further name of a file even fewer: it is
    /// read by its first name, and an archive can have any number of names for one file.
    pub(super) fn start(&self, most: u64) -> Bytes {
        let Some(artifact) = self.artifact else { return Bytes::new() };
        let most = if artifact.same_as.is_some() { most.min(OF_FURTHER_NAMES) } else { most };
        start(artifact, most)
    }

    /// What its first bytes are.
    pub(super) fn format(&self) -> Option<Format> {
        self.artifact.filter(|_| self.is_file() && self.size > 1).and_then(Format::of)
    }

    /// Whether its content is older than the container: a change of its mode or owner alone copies it into the diff.
    pub(super) fn is_older(&self, subject: &Subject<'_>) -> bool {
        let container = subject.checkpoint.container();
        let began = container.time(Event::Created).or_else(|| container.time(Event::Started));
        let written = self.artifact.and_then(|artifact| artifact.mtime);
        began.zip(written).is_some_and(|(began, at)| at.as_second() < began.time.as_second())
    }

    /// Whether it was written while the container started, and the container ran on for long: entrypoints write their
    /// settings then.
    pub(super) fn is_of_start(&self, subject: &Subject<'_>) -> bool {
        let container = subject.checkpoint.container();
        let Some(at) = self.artifact.and_then(|artifact| artifact.mtime) else { return false };
        // Copies of a checkpoint may have later times.
        let ends = container.times.iter().filter(|moment| moment.event == Event::Checkpointed);
        let Some(end) = ends.map(|moment| moment.time).min() else { return false };
        let ran = end.as_second().saturating_sub(at.as_second());
        let starts = [Event::Created, Event::Started];
        ran > LONG
            && starts.iter().filter_map(|event| container.time(*event)).any(|start| {
                let after = at.as_second().saturating_sub(start.time.as_second());
                (0..=START).contains(&after)
            })
    }

    /// How the artifact is called that has its bytes.
    pub(super) fn id(&self) -> Option<&'a str> {
        self.artifact.map(|artifact| artifact.id.as_str())
    }

    /// Who uses it.
    pub(super) fn holders(&self) -> &'a [Holder] {
        self.artifact.map(|artifact| artifact.holders.as_slice()).unwrap_or_default()
    }

    /// Evidence that it says this; `what` must be safe for a terminal.
    pub(super) fn seen(&self, what: impl Into<String>) -> Seen {
        Seen::new(what).member(self.source.to_owned())
    }

    /// What it is in one line: path, mode, owner, size, and the artifact to extract.
    pub(super) fn line(&self) -> String {
        let mut line = format!("{} ({} {:04o}", self.path, self.kind.word(), self.mode);
        line.push_str(&format!(", uid {}", self.uid));
        if self.is_file() {
            line.push_str(&format!(", {} bytes", self.size));
        }
        if let Some(id) = self.id() {
            line.push_str(&format!(", artifact {}", ckpt_model::escape(id.as_bytes())));
        }
        line.push(')');
        line
    }
}

/// The first bytes of an artifact, at most so many.
pub(super) fn start(artifact: &Artifact, most: u64) -> Bytes {
    let Some(content) = artifact.content() else { return Bytes::new() };
    let mut start: Vec<u8> = Vec::new();
    for piece in content.pieces() {
        let left = usize::try_from(most).unwrap_or(usize::MAX).saturating_sub(start.len());
        if left == 0 {
            break;
        }
        match piece {
            Piece::Bytes(bytes) => {
                let bytes = bytes.slice(..bytes.len().min(left));
                // Most files are one piece, and then nothing is copied.
                if start.is_empty() && (bytes.len() == left || bytes.len() as u64 == artifact.size)
                {
                    return bytes;
                }
                start.extend_from_slice(&bytes);
            }
            Piece::Zeros(len) => {
                let len = usize::try_from(len).unwrap_or(usize::MAX).min(left);
                start.resize(start.len().saturating_add(len), 0);
            }
            Piece::Missing { .. } => break,
        }
    }
    start.into()
}

/// The bytes of an artifact at an offset, at most so many; fewer where they end or are missing. Of a further name of a file
/// only those near its start.
fn bytes(artifact: &Artifact, at: u64, most: u64) -> Vec<u8> {
    let further = artifact.same_as.is_some();
    let most = if further { most.min(OF_FURTHER_NAMES.saturating_sub(at)) } else { most };
    let mut found = Vec::new();
    let (Some(content), Ok(most)) = (artifact.content(), usize::try_from(most)) else {
        return found;
    };
    let mut skipped = at;
    for piece in content.pieces() {
        let left = most.saturating_sub(found.len());
        if left == 0 {
            break;
        }
        let len = match &piece {
            Piece::Bytes(bytes) => bytes.len() as u64,
            Piece::Zeros(len) | Piece::Missing { len, .. } => *len,
        };
        if skipped >= len {
            skipped = skipped.saturating_sub(len);
            continue;
        }
        let from = usize::try_from(std::mem::take(&mut skipped)).unwrap_or(usize::MAX);
        match piece {
            Piece::Bytes(bytes) => {
                found.extend(bytes.get(from..).unwrap_or_default().iter().take(left));
            }
            Piece::Zeros(len) => {
                let len = usize::try_from(len).unwrap_or(usize::MAX).saturating_sub(from);
                found.resize(found.len().saturating_add(len.min(left)), 0);
            }
            Piece::Missing { .. } => break,
        }
    }
    found
}

/// Everything that the container wrote and its engine did not: files in the order of the evidence, then the rest.
pub(super) fn written<'a>(subject: &'a Subject<'_>) -> impl Iterator<Item = Written<'a>> {
    let systems = [Origin::RootfsDiff, Origin::Tmpfs, Origin::DevShm, Origin::Volume];
    let files = subject.artifacts.list.iter().filter(move |one| systems.contains(&one.origin));
    let files = files.filter_map(Written::file);
    let others = subject.artifacts.entries.iter().map(Written::other);
    let compared = subject.changes.base.is_some();
    files.chain(others).filter(move |one| {
        let change = || subject.change(one.path.as_bytes());
        match one.origin {
            // What the image has just so is not listed among the changes.
            Origin::RootfsDiff if compared => change().is_some_and(|it| it.noise.is_none()),
            Origin::RootfsDiff => change().is_none_or(|it| it.noise.is_none()),
            _ => true,
        }
    })
}

/// What is gone.
pub(super) fn deleted<'a>(subject: &'a Subject<'_>) -> impl Iterator<Item = &'a Change> {
    let changes = subject.changes.list.iter();
    changes.filter(|change| change.kind == ChangeKind::Deleted)
}

/// Evidence that something is gone.
pub(super) fn gone(subject: &Subject<'_>, change: &Change) -> Seen {
    let what = format!("{} was in the image and is gone", change.path);
    Seen::new(what).member(subject.member_of(change))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::triage::elf::tests::elf;

    #[test]
    fn formats_by_the_first_bytes() {
        let of = |file: &[u8]| {
            Format::of_bytes(b"/tmp/x", |at, most| {
                let at = usize::try_from(at).unwrap_or(usize::MAX);
                let rest = file.get(at..).unwrap_or_default();
                rest.iter().copied().take(usize::try_from(most).unwrap_or(usize::MAX)).collect()
            })
        };
        assert_eq!(of(&elf(1, &[], &[])), Some(Format::Program));
        assert_eq!(of(&elf(0, &[], &[])), Some(Format::Library));
        assert_eq!(of(b"\x7fELF"), Some(Format::Program));
        assert_eq!(of(b"#!/bin/sh\n"), Some(Format::Script));
        assert_eq!(of(b"PK\x03\x04"), Some(Format::Archive));
        assert_eq!(of(b"text"), None);
        assert_eq!(of(b""), None);
    }
}
