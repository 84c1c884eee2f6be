//! What can be compared.

use std::fmt;
use std::str::FromStr;

use ckpt_model::Need;

/// A part of the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Subject {
    /// Who the container is and where it ran.
    Container,
    /// Processes and threads: arguments, environment, credentials, executables.
    Processes,
    /// Mappings, and their bytes page by page.
    Memory,
    /// Descriptors.
    Files,
    /// Sockets.
    Sockets,
    /// Mounts.
    Mounts,
    /// Changes of the container's file system.
    Filesystem,
    /// What only the checkpoint holds as a file: deleted files, memfds, shared memory, tmpfs, queues, logs.
    Artifacts,
}

impl Subject {
    /// All of them, in the order of the report.
    pub const ALL: [Self; 8] = [
        Self::Container,
        Self::Processes,
        Self::Files,
        Self::Sockets,
        Self::Mounts,
        Self::Memory,
        Self::Filesystem,
        Self::Artifacts,
    ];

    /// The word on the command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Processes => "processes",
            Self::Memory => "memory",
            Self::Files => "files",
            Self::Sockets => "sockets",
            Self::Mounts => "mounts",
            Self::Filesystem => "filesystem",
            Self::Artifacts => "artifacts",
        }
    }

    /// What must be kept of a compressed archive to compare it.
    #[must_use]
    pub fn need(self) -> Need {
        match self {
            Self::Container => Need::Facts,
            Self::Filesystem => Need::FileSystem,
            // Processes are recognised by bytes that `execve` left in their memory.
            _ => Need::Everything,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Subject {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|subject| subject.word() == text);
        known.ok_or_else(|| format!("one of {}", Self::ALL.map(Self::word).join(", ")))
    }
}
