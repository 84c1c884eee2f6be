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
    let by_id: HashMap<&str, usize> =
        list.iter().enumerate().rev().map(|(index, one)| (one.id.as_str(), index)).collect();
    // The first memfd that each process runs.
    let mut memfds: HashMap<Pid, usize> = HashMap::new();
    for (index, artifact) in list.iter().enumerate() {
        if artifact.origin == Origin::Memfd {
            for holder in artifact.holders.iter().filter(|holder| holder.hold == Hold::Exe) {
                memfds.entry(holder.pid).or_insert(index);
            }
        }
    }
    let mut found = Vec::new();
    for (file_id, (pids, memfd, path)) in programs {
        let same = match checkpoint.files().remap(file_id) {
            _ if memfd => pids.iter().filter_map(|pid| memfds.get(pid)).min(),
            Some(Remap::Ghost(ghost)) => by_id.get(format!("ghost-{ghost:x}").as_str()),
            _ => by_path.get(path.as_bytes()),
        };
        found.extend(same.map(|index| (*index, pids)));
    }
    for (index, pids) in found {
        let (Some(same), Some(first)) = (list.get_mut(index), pids.first()) else { continue };
        // One file can be the program of many processes under many names: who else has it stays with it.
        let holders = std::mem::take(&mut same.holders);
        let mut artifact = same.clone();
        same.holders = holders;
        artifact.id = format!("exe-{first}");
        artifact.origin = Origin::Exe;
        artifact.same_as = Some(same.same_as.clone().unwrap_or_else(|| same.id.clone()));
        artifact.holders = pids.iter().map(|pid| Holder { pid: *pid, hold: Hold::Exe }).collect();
        list.push(artifact);
    }
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
