//! Which mappings are meant: the words of `--vma`.

use std::str::FromStr;

use ckpt_memory::{Mapping, MappingKind};
use thiserror::Error;

use crate::task::Task;
use crate::{Glob, GlobError};

/// What the kernel puts behind the path of a deleted file.
const DELETED: &[u8] = b" (deleted)";

/// Picks mappings of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MappingFilter {
    /// The heap, `brk(2)`.
    Heap,
    /// The stack of any thread.
    Stack,
    /// Private memory without a file, heap and stacks included.
    Anon,
    /// Writable and executable.
    Rwx,
    /// Executable.
    Exec,
    /// Memory that several processes can have: memfds, shared anonymous memory, System V segments, shared files.
    Shared,
    /// Files whose path matches, deleted ones included.
    File(Glob),
}

/// Why a word names no mappings.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MappingFilterError {
    /// Not a word that is known.
    #[error("there are heap, stack, anon, rwx, exec, shared and file:GLOB")]
    Unknown,
    /// `file:` with a bad pattern.
    #[error(transparent)]
    Glob(#[from] GlobError),
}

impl FromStr for MappingFilter {
    type Err = MappingFilterError;

    fn from_str(word: &str) -> Result<Self, MappingFilterError> {
        if let Some(glob) = word.strip_prefix("file:") {
            return Ok(Self::File(glob.parse()?));
        }
        match word {
            "heap" => Ok(Self::Heap),
            "stack" => Ok(Self::Stack),
            "anon" => Ok(Self::Anon),
            "rwx" => Ok(Self::Rwx),
            "exec" => Ok(Self::Exec),
            "shared" => Ok(Self::Shared),
            _ => Err(MappingFilterError::Unknown),
        }
    }
}

impl MappingFilter {
    /// Whether a mapping of a task is meant.
    #[must_use]
    pub fn matches(&self, mapping: &Mapping, task: &Task) -> bool {
        match self {
            Self::Heap => mapping.kind == MappingKind::Heap,
            Self::Stack => {
                mapping.kind == MappingKind::Stack || holds_stack_of(mapping, task).next().is_some()
            }
            Self::Anon => mapping.kind.is_anonymous(),
            Self::Rwx => mapping.writable() && mapping.executable(),
            Self::Exec => mapping.executable(),
            Self::Shared => mapping.shared() || mapping.kind.is_shared_memory(),
            Self::File(glob) => {
                let name = mapping.name.as_deref().filter(|name| name.starts_with(b"/"));
                name.is_some_and(|name| glob.matches(name.strip_suffix(DELETED).unwrap_or(name)))
            }
        }
    }
}

/// Numbers of the threads whose stack pointer lies in a mapping.
pub fn holds_stack_of<'a>(
    mapping: &'a Mapping,
    task: &'a Task,
) -> impl Iterator<Item = crate::Pid> + 'a {
    let threads = task.threads.iter();
    let inside = threads.filter(|thread| thread.sp.is_some_and(|sp| mapping.contains(sp)));
    inside.map(|thread| thread.tid)
}
