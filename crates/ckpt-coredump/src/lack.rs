//! What a core lacks.

use std::fmt;

use ckpt_memory::Missing;
use ckpt_model::{Arch, Pid};

/// Something that the task had and its core has not, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lack {
    /// No note with registers: how this architecture lays them out is not known here.
    Architecture(Arch),
    /// No registers of a thread: its image is missing or broken, or holds none.
    Registers {
        /// The thread.
        tid: Pid,
    },
    /// No registers of a thread that runs in the other mode of an x86-64 processor than its process: a core is of one
    /// class.
    OtherMode {
        /// The thread.
        tid: Pid,
    },
    /// Part of a thread's state that the image holds and that the core has no place for.
    State {
        /// The thread.
        tid: Pid,
        /// What it is, with the name of the note that a kernel would write.
        what: &'static str,
    },
    /// Names of mapped files that found no place in `NT_FILE`.
    FileNames {
        /// Mappings left out.
        mappings: u64,
    },
    /// Mappings beyond the reach of a 32-bit core.
    Unreachable {
        /// Mappings left out.
        mappings: u64,
    },
    /// Memory that is not in the evidence: the core has no segment there.
    Memory {
        /// Why.
        why: Missing,
        /// Bytes.
        bytes: u64,
    },
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Architecture(arch) => {
                write!(f, "no registers: their layout on {} is not known", arch.name())
            }
            Self::Registers { tid } => {
                write!(f, "no registers of thread {tid}: they are not in its image")
            }
            Self::OtherMode { tid } => {
                write!(f, "no registers of thread {tid}: it runs in another mode than its process")
            }
            Self::State { tid, what } => write!(f, "thread {tid}: no {what}"),
            Self::FileNames { mappings } => {
                write!(f, "no file names of {mappings} mapping(s): NT_FILE has no room for them")
            }
            Self::Unreachable { mappings } => {
                write!(f, "{mappings} mapping(s) left out: beyond the reach of a 32-bit core")
            }
            Self::Memory { why, bytes } => write!(f, "{bytes} bytes of memory: {why}"),
        }
    }
}
