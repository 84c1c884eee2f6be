//! What is looked at: the checkpoint, and what several detectors need of it, found out once.

use ckpt_model::{
    Change, ChangeSource, Changes, ChangesOptions, Checkpoint, FileSources, FillOptions, MemoryMap,
    Task, Text,
};
use criu_image::ImageKind;

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

    /// The member that holds an image, safe for a terminal; `None` when there is no such image.
    pub(crate) fn image(&self, kind: ImageKind, id: impl Into<Option<u64>>) -> Option<String> {
        let member = self.checkpoint.images()?.member(kind, id.into())?;
        Some(Text::from(member.path.as_slice()).escaped().into_owned())
    }

    /// What happened to a path of the root file system or of a volume; `None` when nothing did, or nobody can tell.
    pub(crate) fn change(&self, path: &[u8]) -> Option<&Change> {
        let list = &self.changes.as_ref()?.list;
        let at = list.partition_point(|change| change.path.as_bytes() < path);
        list.get(at).filter(|change| change.path.as_bytes() == path)
    }

    /// The member that tells of a change, safe for a terminal.
    pub(crate) fn member_of(&self, change: &Change) -> Option<String> {
        let wanted: Vec<u8> = match &change.source {
            ChangeSource::RootfsDiff => b"rootfs-diff.tar".to_vec(),
            ChangeSource::DeletedFiles => b"deleted.files".to_vec(),
            ChangeSource::Volume(name) => [b"volumes/", name.as_bytes(), b".tar"].concat(),
            _ => return None,
        };
        let members = self.checkpoint.evidence().members().iter();
        let mut found = members.filter(|member| {
            let rest = member.path.strip_suffix(wanted.as_slice());
            rest.is_some_and(|rest| rest.is_empty() || rest.ends_with(b"/"))
        });
        found.next().map(|member| Text::from(member.path.as_slice()).escaped().into_owned())
    }
}

/// A process in words, safe for a terminal: `python3 (pid 7)`.
pub(crate) fn named(task: &Task) -> String {
    match &task.comm {
        Some(comm) => format!("{comm} (pid {})", task.pid),
        None => format!("pid {}", task.pid),
    }
}
