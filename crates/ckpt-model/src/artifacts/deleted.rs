//! Deleted files that CRIU kept as ghosts.

use std::collections::{BTreeMap, HashSet};

use criu_image::ImageKind;
use criu_image::messages::Timeval;

use super::content::ArtifactContent;
use super::owners::Owners;
use super::times::{Clock, timeval};
use super::{Artifact, Details, Origin};
use crate::files::{Remap, fd_type};
use crate::images::Images;
use crate::{Checkpoint, Text};

pub(super) fn find(
    checkpoint: &Checkpoint,
    images: &Images,
    owners: &Owners,
    list: &mut Vec<Artifact>,
) {
    // Several entries can be hard links to one inode.
    let mut ghosts: BTreeMap<u32, Vec<(u32, Text)>> = BTreeMap::new();
    for entry in checkpoint.files().all() {
        if let Some(reg) = &entry.reg
            && let Some(Remap::Ghost(ghost)) = checkpoint.files().remap(entry.id)
        {
            let path = Text::from(reg.name.as_slice());
            ghosts.entry(ghost).or_default().push((entry.id, path));
        }
    }
    for id in images.ids(ImageKind::GhostFile) {
        if let Ok(id) = u32::try_from(id) {
            ghosts.entry(id).or_default();
        }
    }
    for (id, files) in ghosts {
        let Some(ghost) = checkpoint.ghost_image(id) else { continue };
        let Some(content) = ghost.content else { continue };
        let place = images.place(ImageKind::GhostFile, Some(u64::from(id)));
        let content = ArtifactContent::recovered(content);
        let mut artifact = Artifact::new(format!("ghost-{id:x}"), Origin::Ghost, place, content);
        artifact.mode = Some(ghost.entry.mode & 0o7777);
        artifact.uid = Some(ghost.entry.uid.into());
        artifact.gid = Some(ghost.entry.gid.into());
        let time =
            |time: Option<&Timeval>, clock| timeval(checkpoint, time?, clock, &artifact.source);
        (artifact.mtime, artifact.atime) = (
            time(ghost.entry.mtim.as_ref(), Clock::Modified),
            time(ghost.entry.atim.as_ref(), Clock::Accessed),
        );
        artifact.holders = owners.files(files.iter().map(|(id, _)| (fd_type::REG, *id)));
        let mut known = HashSet::new();
        let paths = files.into_iter().map(|(_, path)| path);
        let mut paths = paths.filter(|path| known.insert(path.clone()));
        artifact.path = paths.next();
        let also: Vec<Text> = paths.collect();
        if !also.is_empty() {
            artifact.details = Some(Box::new(Details { also, ..Details::default() }));
        }
        list.push(artifact);
    }
}
