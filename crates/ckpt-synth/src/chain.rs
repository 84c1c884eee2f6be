//! Incremental dumps, one image directory after another.

use crate::archive::Archive;
use crate::dump::Dump;
use crate::tar::Member;

/// A chain of dumps in directories `chain/1`, `chain/2` and so on, each with a link `parent` to the one before.
///
/// ```
/// use ckpt_synth::{Chain, Dump, Task};
///
/// let mut first = Dump::new();
/// first.task(Task::new(1, 0)).pre_dump();
/// let mut second = Dump::new();
/// second.task(Task::new(1, 0).pages_in_parent(ckpt_synth::layout::HEAP, 1));
/// let archive = Chain::new().link(first).link(second).archive();
/// assert!(archive.names().contains(&"chain/2/parent".to_owned()));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Chain {
    links: Vec<Dump>,
    cycle: bool,
}

impl Chain {
    /// A chain without links.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a dump; the first has no parent.
    #[must_use]
    pub fn link(mut self, dump: Dump) -> Self {
        self.links.push(dump);
        self
    }

    /// The first dump's parent is the last one.
    #[must_use]
    pub fn cycle(self) -> Self {
        Self { cycle: true, ..self }
    }

    /// The directories, `chain/1` first.
    #[must_use]
    pub fn archive(&self) -> Archive {
        let mut archive = Archive::new();
        archive.push(Member::dir("chain").mode(0o700));
        let count = self.links.len();
        for (index, dump) in self.links.iter().enumerate() {
            let number = index + 1;
            let mut dump = dump.clone();
            if index > 0 {
                dump.parent(&format!("../{index}"));
            } else if self.cycle {
                dump.parent(&format!("../{count}"));
            }
            archive.nest(&format!("chain/{number}/"), &Archive::bare(&dump, ""));
        }
        archive
    }
}
