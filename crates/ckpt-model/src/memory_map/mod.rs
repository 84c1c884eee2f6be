//! The memory map of a process: its mappings, what is behind them, what of them is captured, what to notice.

mod elf;
mod fill;
mod filter;
mod mappings;
mod marks;
mod modules;
mod sizes;

pub use elf::{Identity, machine_name};
pub use fill::{FileSources, FillError, FillOptions};
pub use filter::{MappingFilter, MappingFilterError, holds_stack_of};
pub use marks::{MappingMark, TextCheck};
pub use modules::{IdentitySource, Module};
pub use sizes::MemorySizes;

use ckpt_memory::{AddressSpace, Mapping, Tally};

use crate::task::Task;
use crate::{Checkpoint, Pid};

/// The memory map of a process.
#[derive(Debug)]
#[non_exhaustive]
pub struct MemoryMap<'a> {
    /// The process.
    pub task: &'a Task,
    /// Its memory.
    pub space: AddressSpace,
    /// One for each of [`AddressSpace::mappings`], in the same order.
    pub examined: Vec<Examined>,
}

/// What is found out about a mapping.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Examined {
    /// Its pages by where they are.
    pub tally: Tally,
    /// What an analyst should notice.
    pub marks: Vec<MappingMark>,
    /// Threads whose stack pointer lies in it.
    pub threads: Vec<Pid>,
    /// How its captured pages compare with the file, where it is code of a file.
    pub text: Option<TextCheck>,
}

impl MemoryMap<'_> {
    /// The mappings with what is found out about them.
    pub fn mappings(&self) -> impl Iterator<Item = (&Mapping, &Examined)> {
        self.space.mappings().iter().zip(&self.examined)
    }

    /// Whether there is something to notice of one of its mappings.
    #[must_use]
    pub fn is_marked(&self, mapping: &Mapping) -> bool {
        let place = self.space.mappings().binary_search_by_key(&mapping.start, |one| one.start);
        let examined = place.ok().and_then(|at| self.examined.get(at));
        examined.is_some_and(|one| !one.marks.is_empty())
    }

    /// The ELF objects in it, by address.
    #[must_use]
    pub fn modules(&self, checkpoint: &Checkpoint) -> Vec<Module> {
        modules::find(checkpoint, &self.space)
    }
}

impl Checkpoint {
    /// The memory map of a process, compared with the files that are at hand; `None` when it has none.
    #[must_use]
    pub fn memory_map(&self, pid: Pid, files: &FileSources) -> Option<MemoryMap<'_>> {
        let task = self.processes().get(pid)?;
        let space = self.memory_filled(pid, files)?;
        let examined = marks::examine(task, &space);
        Some(MemoryMap { task, space, examined })
    }
}
