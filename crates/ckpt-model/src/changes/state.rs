//! A file as an archive holds it: type, mode, owner, times, content.

use std::collections::BTreeMap;

use ckpt_archive::{Content, Member, MemberKind, Sha256Digest, Timestamp};

use super::capability::FileCapabilities;
use crate::Text;

/// Extended attribute with file capabilities.
pub(crate) const CAPABILITY: &[u8] = b"security.capability";

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FileType {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
    /// A named pipe.
    Fifo,
    /// A unix socket.
    Socket,
    /// A tar member of another type.
    Unknown,
}

impl FileType {
    pub(crate) fn of(kind: MemberKind) -> Self {
        match kind {
            MemberKind::File | MemberKind::HardLink => Self::File,
            MemberKind::Directory => Self::Directory,
            MemberKind::Symlink => Self::Symlink,
            MemberKind::CharDevice { .. } => Self::CharDevice,
            MemberKind::BlockDevice { .. } => Self::BlockDevice,
            MemberKind::Fifo => Self::Fifo,
            MemberKind::Socket => Self::Socket,
            _ => Self::Unknown,
        }
    }

    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Directory => "dir",
            Self::Symlink => "symlink",
            Self::CharDevice => "char",
            Self::BlockDevice => "block",
            Self::Fifo => "fifo",
            Self::Socket => "sock",
            Self::Unknown => "unknown",
        }
    }
}

/// Why a file can be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Executable {
    /// It begins as ELF files do, whatever its mode is.
    Elf,
    /// It begins with `#!`, whatever its mode is.
    Script,
    /// Its mode allows it.
    Mode,
}

impl Executable {
    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Elf => "elf",
            Self::Script => "script",
            Self::Mode => "mode",
        }
    }
}

/// What an archive says of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileState {
    /// What it is.
    pub kind: FileType,
    /// Permission bits, set-user-id, set-group-id and sticky included (`0o7777`).
    pub mode: u32,
    /// Owner, as numbered in the archive.
    pub uid: u64,
    /// Group.
    pub gid: u64,
    /// Bytes, holes included; 0 for everything but regular files.
    pub size: u64,
    /// Last modification.
    pub mtime: Timestamp,
    /// SHA-256 of a regular file's content, holes as zeros; `None` when it could not be hashed or was not asked for.
    pub sha256: Option<Sha256Digest>,
    /// Target of a symbolic link, as written.
    pub target: Option<Text>,
    /// Major and minor number of a device.
    pub device: Option<(u32, u32)>,
    /// Extended attributes by name.
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Whether and why the file can be run.
    pub executable: Option<Executable>,
    /// The member that a hard link names: both are the same file.
    pub hard_link: Option<Text>,
}

impl FileState {
    /// What the header says. `size` is that of the content, which a hard link has elsewhere.
    pub(super) fn of(member: &Member, size: u64) -> Self {
        let kind = FileType::of(member.kind);
        let link = || member.link_target.as_deref().map(Text::from);
        Self {
            kind,
            mode: member.mode,
            uid: member.uid,
            gid: member.gid,
            size: if kind == FileType::File { size } else { 0 },
            mtime: member.mtime,
            sha256: None,
            target: (member.kind == MemberKind::Symlink).then(link).flatten(),
            device: match member.kind {
                MemberKind::CharDevice { major, minor }
                | MemberKind::BlockDevice { major, minor } => Some((major, minor)),
                _ => None,
            },
            xattrs: member.xattrs.clone(),
            executable: None,
            hard_link: (member.kind == MemberKind::HardLink).then(link).flatten(),
        }
    }

    /// The file capabilities, if it has any; an attribute that is none is left to [`FileState::xattrs`].
    #[must_use]
    pub fn capabilities(&self) -> Option<FileCapabilities> {
        FileCapabilities::parse(self.xattrs.get(CAPABILITY)?)
    }

    /// Whether running it gives rights of others: set-user-id, set-group-id, or file capabilities.
    #[must_use]
    pub fn gives_rights(&self) -> bool {
        let bits = self.kind == FileType::File && self.mode & 0o6000 != 0;
        bits || self.xattrs.contains_key(CAPABILITY)
    }

    /// Looks at the first bytes.
    pub(super) fn look_at(&mut self, content: Option<&Content>) {
        if self.kind != FileType::File {
            return;
        }
        let start = content.and_then(|content| content.slice(0..content.len().min(4)).ok());
        let start = start.as_deref().unwrap_or_default();
        self.executable = if start == b"\x7fELF" {
            Some(Executable::Elf)
        } else if start.starts_with(b"#!") {
            Some(Executable::Script)
        } else {
            (self.mode & 0o111 != 0).then_some(Executable::Mode)
        };
    }
}
