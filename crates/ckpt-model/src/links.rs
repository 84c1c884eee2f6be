//! Files that CRIU kept by a hard link of its own (`--link-remap`).
//!
//! Where an open file has lost its name and its inode has another one, CRIU makes the link `link_remap.N` in the directory
//! of the lost name, or above it when that is gone too. Where the container goes on running after the dump (CRI-O and
//! containerd let it always, podman with `--leave-running`), CRIU takes the link away again before the engine archives the
//! file system: then the content is in the evidence only under the inode's other name, which no image tells.
//!
//! Source: `criu/files-reg.c`, `create_link_remap`, `delete_link_remaps`; `criu/cr-dump.c`.

use std::collections::HashMap;

use ckpt_archive::{Content, normalise};
use criu_image::messages::RegFileEntry;

use crate::artifacts::{Artifact, Artifacts, Details, Origin};
use crate::files::fd_type;
use crate::mounts::{Mount, MountIndex};
use crate::{Change, ChangeSource, Checkpoint, DefectKind, Text};

/// A link that CRIU made.
#[derive(Clone, Copy, Debug)]
struct Link<'a> {
    /// The file that had lost its name.
    file: &'a RegFileEntry,
    /// Path of the link, from the root of the mount namespace.
    path: &'a [u8],
    /// Whether it is in the root file system.
    on_root: bool,
}

impl Link<'_> {
    /// The path that the file had.
    fn deleted_path(&self) -> Text {
        Text::from(self.file.name.as_slice())
    }
}

/// The links by normalised path.
type Links<'a> = HashMap<Vec<u8>, Vec<Link<'a>>>;

impl Checkpoint {
    /// The links in the order of the files that they are to.
    fn links(&self) -> Links<'_> {
        let files = self.files();
        let mut links = Links::new();
        let mut mounts = None;
        for entry in files.all() {
            let (Some(file), Some(link)) = (&entry.reg, files.link(entry.id)) else { continue };
            // Of the link itself CRIU notes no mount.
            let mounts = mounts.get_or_insert_with(|| MountIndex::of(self.mounts()));
            let on_root = mounts.mount_of(file).is_none_or(Mount::is_root);
            let (path, _) = normalise(&link.name);
            links.entry(path).or_default().push(Link { file, path: &link.name, on_root });
        }
        links
    }

    /// Says of artifacts that are such links which files they are, and who has those open.
    pub(crate) fn mark_links(
        &self,
        list: &mut [Artifact],
        holders: impl Fn(Vec<(u32, u32)>) -> Vec<crate::artifacts::Holder>,
    ) {
        let links = self.links();
        if links.is_empty() {
            return;
        }
        for artifact in list {
            let found = of_artifact(&links, artifact);
            if found.is_empty() {
                continue;
            }
            artifact.holders =
                holders(found.iter().map(|link| (fd_type::REG, link.file.id)).collect());
            let details = artifact.details.get_or_insert_with(Box::<Details>::default);
            details.deleted_paths = paths(&found);
        }
    }

    /// Says of changes that are such links which files they are.
    pub(crate) fn mark_changed_links(&self, changes: &mut [Change]) {
        let links = self.links();
        if links.is_empty() {
            return;
        }
        for change in changes {
            let on_root = !matches!(change.source, ChangeSource::Volume(_));
            let (path, _) = normalise(change.path.as_bytes());
            let found = links.get(&path).into_iter().flatten();
            let found: Vec<_> = found.filter(|link| link.on_root == on_root).copied().collect();
            if change.state.is_some() {
                change.deleted_paths = paths(&found);
            }
        }
    }

    /// The content of a file (by its id in `files.img`) that CRIU kept by such a link, where the link is in the evidence.
    pub(crate) fn linked(&self, file_id: u32) -> Option<Content> {
        self.files().link(file_id)?;
        let linked = self.linked.get_or_init(|| {
            let links = self.links();
            let artifacts = self.artifacts(&self.archive_options);
            self.linked_contents(&links, &artifacts)
        });
        linked.get(&file_id).cloned()
    }

    fn linked_contents(&self, links: &Links<'_>, artifacts: &Artifacts) -> HashMap<u32, Content> {
        let mut contents = HashMap::new();
        // Of members with one name the last one counts, as for an extracting tar.
        for artifact in &artifacts.list {
            let found = of_artifact(links, artifact);
            let Some(content) = artifact.content().filter(|_| !found.is_empty()) else { continue };
            let Some(content) = content.of_member() else { continue };
            for link in found {
                if link.file.size.is_none_or(|size| size == content.len()) {
                    contents.insert(link.file.id, content.clone());
                    continue;
                }
                let what = format!(
                    "{} in {} is not the deleted file that CRIU linked to it: its size is another",
                    Text::from(link.path).escaped(),
                    artifact.source
                );
                self.tell(DefectKind::Suspect, &*artifact.source, what);
            }
        }
        contents
    }
}

/// The files that an artifact is by such a link.
fn of_artifact<'a>(links: &Links<'a>, artifact: &Artifact) -> Vec<Link<'a>> {
    let on_root = match artifact.origin {
        Origin::RootfsDiff => true,
        Origin::Tmpfs | Origin::DevShm | Origin::Volume => false,
        _ => return Vec::new(),
    };
    let also = artifact.details.iter().flat_map(|details| &details.also);
    let all = artifact.path.iter().chain(also);
    let found = all.filter_map(|path| links.get(&normalise(path.as_bytes()).0)).flatten();
    found.filter(|link| link.on_root == on_root).copied().collect()
}

/// The paths that the files had, each once.
fn paths(links: &[Link<'_>]) -> Vec<Text> {
    let mut paths: Vec<Text> = links.iter().map(Link::deleted_path).collect();
    paths.sort();
    paths.dedup();
    paths
}
