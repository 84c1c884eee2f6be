//! Programs that processes run, whose file is in the evidence: deleted ones, memfds, written ones.

use std::collections::{BTreeMap, HashMap};

use super::{Artifact, Hold, Holder, Origin};
use crate::files::Remap;
use crate::{Checkpoint, Pid, Text};

/// Adds an artifact for each program, the same as the one that has its bytes.
pub(super) fn find(checkpoint: &Checkpoint, list: &mut Vec<Artifact>) {
    let mut programs: BTreeMap<u32, (Vec<Pid>, bool, Text)> = BTreeMap::new();
    for task in checkpoint.processes().by_pid() {
        if let Some(exe) = &task.exe {
            let known = programs.entry(exe.file_id);
            let (pids, ..) =
                known.or_insert_with(|| (Vec::new(), exe.memfd, plain(checkpoint, exe)));
            pids.push(task.pid);
        }
    }
    let mut by_path: HashMap<&[u8], usize> = HashMap::new();
    for (index, artifact) in list.iter().enumerate() {
        let in_a_tree = matches!(
            artifact.origin,
            Origin::RootfsDiff | Origin::Tmpfs | Origin::DevShm | Origin::Volume
        );
        if let Some(path) = artifact.path.as_ref().filter(|_| in_a_tree) {
            by_path.insert(path.as_bytes(), index);
        }
    }
    let mut found = Vec::new();
    for (file_id, (pids, memfd, path)) in programs {
        let held = |artifact: &&Artifact| {
            let exe = |holder: &Holder| holder.hold == Hold::Exe && pids.contains(&holder.pid);
            artifact.holders.iter().any(exe)
        };
        let same = match checkpoint.files().remap(file_id) {
            _ if memfd => list.iter().filter(|one| one.origin == Origin::Memfd).find(held),
            Some(Remap::Ghost(ghost)) => {
                let id = format!("ghost-{ghost:x}");
                list.iter().find(|artifact| artifact.id == id)
            }
            _ => by_path.get(path.as_bytes()).and_then(|index| list.get(*index)),
        };
        let (Some(same), Some(first)) = (same, pids.first()) else { continue };
        let mut artifact = same.clone();
        artifact.id = format!("exe-{first}");
        artifact.origin = Origin::Exe;
        artifact.same_as = Some(same.same_as.clone().unwrap_or_else(|| same.id.clone()));
        artifact.holders = pids.iter().map(|pid| Holder { pid: *pid, hold: Hold::Exe }).collect();
        found.push(artifact);
    }
    list.append(&mut found);
}

/// The path in the file systems: without what the kernel adds to a deleted one, and where the inode has another name, that.
fn plain(checkpoint: &Checkpoint, exe: &crate::FileRef) -> Text {
    let files = checkpoint.files();
    let id = match files.remap(exe.file_id) {
        Some(Remap::Linked(link)) => link,
        _ => exe.file_id,
    };
    let reg = files.by_id(id).find_map(|entry| entry.reg.as_ref());
    reg.map_or_else(|| exe.path.clone(), |reg| Text::from(reg.name.as_slice()))
}
