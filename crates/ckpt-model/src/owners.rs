//! Objects that several tasks share, and whose images describe them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use criu_image::ImageKind;
use criu_image::messages::{CoreEntry, MmEntry, PstreeEntry, TaskKobjIdsEntry};

use crate::Pid;
use crate::defect::Defects;
use crate::images::Images;
use crate::task::{Share, Shared};
use crate::text::Strings;

/// Which task's images describe an object that several tasks share: the first in the tree's order that has one.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    pub(crate) ids: HashMap<Pid, TaskKobjIdsEntry>,
    first: HashMap<(Shared, u32), Pid>,
    with_image: HashMap<(Shared, u32), Pid>,
    /// Memory that was read already.
    pub(crate) memory: RefCell<HashMap<Pid, OwnedMemory>>,
}

/// What is read of the memory of a task, for it and for those that share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct OwnedMemory {
    /// Whether there is a memory map, or pages without one.
    pub(crate) is_there: bool,
    pub(crate) mm: Option<Arc<MmEntry>>,
    pub(crate) argv: Option<Strings>,
    pub(crate) env: Option<Strings>,
}

impl Owners {
    pub(crate) fn new(images: &Images, entries: &[PstreeEntry], defects: &Defects) -> Self {
        let mut owners = Self::default();
        for entry in entries {
            let (pid, id) = (Pid(entry.pid), Some(u64::from(entry.pid)));
            let Some(ids) = read_ids(images, pid, defects) else { continue };
            for (what, object) in objects(&ids) {
                owners.first.entry((what, object)).or_insert(pid);
                let has_image = match what {
                    Shared::Vm => {
                        images.has(ImageKind::Mm, id) || images.has(ImageKind::Pagemap, id)
                    }
                    Shared::Fs => images.has(ImageKind::Fs, id),
                    Shared::Files | Shared::Sighand => true,
                };
                if has_image {
                    owners.with_image.entry((what, object)).or_insert(pid);
                }
            }
            owners.ids.insert(pid, ids);
        }
        owners
    }

    pub(crate) fn mm(&self, pid: Pid) -> Pid {
        self.owner(pid, Shared::Vm)
    }

    pub(crate) fn fs(&self, pid: Pid) -> Pid {
        self.owner(pid, Shared::Fs)
    }

    fn owner(&self, pid: Pid, what: Shared) -> Pid {
        let object = self.ids.get(&pid).and_then(|ids| {
            objects(ids).into_iter().find(|(found, _)| *found == what).map(|(_, object)| object)
        });
        object.and_then(|object| self.with_image.get(&(what, object)).copied()).unwrap_or(pid)
    }

    pub(crate) fn shares(&self, pid: Pid, ids: &TaskKobjIdsEntry) -> Vec<Share> {
        let shared = objects(ids).into_iter().filter_map(|(what, object)| {
            let with = *self.first.get(&(what, object))?;
            (with != pid).then_some(Share { what, with })
        });
        shared.collect()
    }
}

/// The objects that a task can share, by id. 0 is no id.
fn objects(ids: &TaskKobjIdsEntry) -> Vec<(Shared, u32)> {
    let all = [
        (Shared::Vm, ids.vm_id),
        (Shared::Files, ids.files_id),
        (Shared::Fs, ids.fs_id),
        (Shared::Sighand, ids.sighand_id),
    ];
    all.into_iter().filter(|(_, id)| *id != 0).collect()
}

fn read_ids(images: &Images, pid: Pid, defects: &Defects) -> Option<TaskKobjIdsEntry> {
    let id = Some(u64::from(pid.0));
    if images.has(ImageKind::Ids, id) {
        return images.one(ImageKind::Ids, id, defects);
    }
    // Old dumps keep them in the core; whatever is wrong with that is told when it is read for itself.
    let core: CoreEntry = images.one(ImageKind::Core, id, &Defects::default())?;
    core.ids
}
