//! Files with their times: of the archived file systems, and deleted ones.

use std::collections::HashMap;
use std::sync::Arc;

use ckpt_model::artifacts::{Artifact, Artifacts, Entry};
use ckpt_model::{Change, ChangeSource, FileType, Noise, Pid, Text};
use jiff::Timestamp;

use super::event::{About, Dated};
use super::{Building, Precision, Source, What};

/// A file that has a time.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct File {
    /// Its path in the container; of a deleted one the path that it had.
    pub path: Text,
    /// Where it lies.
    pub source: Source,
    /// The archive or image that holds it, safe for a terminal.
    pub place: Arc<str>,
    /// What it is.
    pub kind: FileType,
    /// Permission bits, `0o7777`.
    pub mode: Option<u32>,
    /// Owner.
    pub uid: Option<u64>,
    /// Group.
    pub gid: Option<u64>,
    /// Bytes; `None` for what has no content.
    pub size: Option<u64>,
    /// Target of a symbolic link.
    pub target: Option<Text>,
    /// Last modification.
    pub mtime: Option<Timestamp>,
    /// Last access.
    pub atime: Option<Timestamp>,
    /// Last change of the inode.
    pub ctime: Option<Timestamp>,
    /// The process to name with it.
    pub pid: Option<Pid>,
    /// Its id among the [artifacts](ckpt_model::artifacts).
    pub artifact: Option<String>,
    /// Why it says nothing about the container.
    pub noise: Option<Noise>,
}

impl File {
    fn of_artifact(artifact: &Artifact, source: Source) -> Self {
        Self {
            // Every file of a tree has a path; a ghost has none when no open file leads to it.
            path: artifact.path.clone().unwrap_or_else(|| Text::from(artifact.id.as_str())),
            source,
            place: Arc::clone(&artifact.source),
            kind: FileType::File,
            mode: artifact.mode,
            uid: artifact.uid,
            gid: artifact.gid,
            size: Some(artifact.size),
            target: None,
            mtime: artifact.mtime,
            atime: artifact.atime,
            ctime: artifact.ctime,
            pid: artifact.pid(),
            artifact: Some(artifact.id.clone()),
            noise: None,
        }
    }

    fn of_entry(entry: &Entry, source: Source) -> Self {
        Self {
            path: entry.path.clone(),
            source,
            place: Arc::clone(&entry.source),
            kind: entry.kind,
            mode: Some(entry.mode),
            uid: Some(entry.uid),
            gid: Some(entry.gid),
            size: None,
            target: entry.target.clone(),
            mtime: entry.mtime,
            atime: entry.atime,
            ctime: entry.ctime,
            pid: None,
            artifact: None,
            noise: None,
        }
    }
}

/// Takes in every file, and an event for each of its times.
pub(super) fn find(building: &mut Building<'_>, artifacts: &Artifacts, changes: &[Change]) {
    let noise: HashMap<&Text, Noise> = changes
        .iter()
        .filter(|change| change.source == ChangeSource::RootfsDiff)
        .filter_map(|change| Some((&change.path, change.noise?)))
        .collect();
    let files = artifacts
        .list
        .iter()
        .filter_map(|artifact| Some(File::of_artifact(artifact, Source::of(artifact.origin)?)));
    let entries = artifacts
        .entries
        .iter()
        .filter_map(|entry| Some(File::of_entry(entry, Source::of(entry.origin)?)));
    for mut file in files.chain(entries) {
        if file.source == Source::RootfsDiff {
            file.noise = noise.get(&file.path).copied();
        }
        let times = [
            (What::Modified, file.mtime),
            (What::Accessed, file.atime),
            (What::Changed, file.ctime),
        ];
        let index = building.timeline.files.len();
        for (what, time) in times {
            let Some(time) = time else { continue };
            building.push(Dated {
                time,
                precision: precision(&file, time),
                what,
                source: file.source,
                place: Arc::clone(&file.place),
                derived: None,
                about: About::File(index),
            });
        }
        building.timeline.files.push(file);
    }
}

/// Images of deleted files have microseconds always; archives nanoseconds or none.
fn precision(file: &File, time: Timestamp) -> Precision {
    match file.source {
        Source::Ghost => Precision::Micros,
        _ => Precision::of(time),
    }
}
