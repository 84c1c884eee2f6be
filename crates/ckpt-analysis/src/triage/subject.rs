//! What is looked at: the checkpoint, and what several detectors need of it, found out once.

use ckpt_model::{Changes, ChangesOptions, Checkpoint, FileSources, FillOptions, MemoryMap};

use super::TriageOptions;

/// A checkpoint under examination.
#[derive(Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) checkpoint: &'a Checkpoint,
    pub(crate) options: &'a TriageOptions,
    /// What changed in the file system; `None` when the evidence has no images of it that could be read.
    pub(crate) changes: Option<Changes>,
    /// The memory maps of the tasks that have memory, by pid.
    pub(crate) maps: Vec<MemoryMap<'a>>,
}

impl<'a> Subject<'a> {
    pub(crate) fn new(checkpoint: &'a Checkpoint, options: &'a TriageOptions) -> Self {
        let changes = ChangesOptions::default().archive(options.archive.clone()).unhashed();
        let files = checkpoint.file_sources(&FillOptions::default());
        // Without what the analyst could name nothing can fail to open.
        let files: FileSources = files.unwrap_or_default();
        let pids = checkpoint.processes().tasks.iter().map(|task| task.pid);
        let maps = pids.filter_map(|pid| checkpoint.memory_map(pid, &files)).collect();
        Self { checkpoint, options, changes: checkpoint.changes(&changes).ok(), maps }
    }
}
