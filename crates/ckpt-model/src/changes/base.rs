//! The image that a container was started from: its layers, put on top of each other.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use ckpt_archive::{BlobRole, Evidence, Kept, Member, MemberKind, Select, Selection, normalise};
use thiserror::Error;

use super::gather::{Archive, Whiteout};
use super::state::FileState;

/// How often a base is opened again because a file that is asked for is a hard link to one that was not kept.
const MAX_ROUNDS: usize = 4;

/// Why there is nothing to compare with.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BaseError {
    /// It could not be opened.
    #[error("the base cannot be opened")]
    Open(#[from] ckpt_archive::Error),
    /// It is something else.
    #[error(
        "{name} is no image but a {kind}; a base is an OCI layout (directory or tar) or the archive of `docker save`"
    )]
    NoImage {
        /// What was opened.
        name: String,
        /// What it is.
        kind: String,
    },
}

/// The image that changes were compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BaseImage {
    /// As the user named it.
    pub path: String,
    /// `oci-layout`, `docker-archive` and so on.
    pub kind: String,
    /// Digest of its configuration, which engines take for the image's id.
    pub image_id: Option<String>,
    /// Whether the container says that this is its image; `None` when one of them does not tell.
    pub is_the_containers: Option<bool>,
}

impl BaseImage {
    pub(super) fn of(evidence: &Evidence, wanted: Option<&str>) -> Self {
        let config = evidence.blobs().iter().find(|blob| blob.role == BlobRole::Config);
        let config = config.map(|blob| blob.digest.clone());
        let manifests = evidence.blobs().iter().filter(|blob| blob.role == BlobRole::Manifest);
        let mut known = manifests.map(|blob| bare(&blob.digest)).chain(config.as_deref().map(bare));
        let is_the_containers = match (wanted, &config) {
            (Some(wanted), Some(_)) => Some(known.any(|known| known == bare(wanted))),
            _ => None,
        };
        Self {
            path: evidence.name().to_owned(),
            kind: evidence.kind(),
            image_id: config,
            is_the_containers,
        }
    }
}

/// The digits of an id, which is written as `sha256:HEX`, `NAME@sha256:HEX`, `HEX` or `HEX.json`.
fn bare(id: &str) -> &str {
    let id = id.rsplit(['@', ':']).next().unwrap_or(id);
    id.strip_suffix(".json").unwrap_or(id)
}

/// Opens an image and keeps the content of the wanted files only.
pub(crate) fn open(
    path: &Path,
    options: &ckpt_archive::Options,
    wanted: &BTreeSet<Vec<u8>>,
) -> Result<Evidence, BaseError> {
    let mut wanted = wanted.clone();
    for _ in 1..MAX_ROUNDS {
        let evidence = open_once(path, options, &wanted)?;
        let more = linked(&evidence, &wanted);
        if more.is_empty() {
            return Ok(evidence);
        }
        wanted.extend(more);
    }
    open_once(path, options, &wanted)
}

fn open_once(
    path: &Path,
    options: &ckpt_archive::Options,
    wanted: &BTreeSet<Vec<u8>>,
) -> Result<Evidence, BaseError> {
    let options = options.clone().select(Arc::new(Wanted(wanted.clone())));
    let evidence = Evidence::open(path, &options)?;
    if evidence.outer().is_none() {
        return Err(BaseError::NoImage { name: evidence.name().to_owned(), kind: evidence.kind() });
    }
    Ok(evidence)
}

/// Files that wanted ones are hard links to and that are not wanted yet.
fn linked(evidence: &Evidence, wanted: &BTreeSet<Vec<u8>>) -> BTreeSet<Vec<u8>> {
    let links = evidence
        .members()
        .iter()
        .filter(|member| member.kind == MemberKind::HardLink && wanted.contains(&member.path));
    let targets = links.filter_map(|link| Some(normalise(link.link_target.as_deref()?).0));
    targets.filter(|target| !wanted.contains(target)).collect()
}

/// Keeps these files of the layers.
struct Wanted(BTreeSet<Vec<u8>>);

impl Select for Wanted {
    fn select(&self, member: &Member, _: &Kept<'_>) -> Selection {
        if self.0.contains(&member.path) { Selection::All } else { Selection::Nothing }
    }
}

/// The file system of an image.
#[derive(Debug)]
pub(crate) struct Tree<'a> {
    pub(super) archive: Archive<'a>,
    files: BTreeMap<&'a [u8], &'a Member>,
}

impl<'a> Tree<'a> {
    /// Applies the layers in order. A layer's whiteouts take away what the layers below it have, wherever in the layer
    /// they stand.
    pub(crate) fn of(evidence: &'a Evidence) -> Self {
        let label = evidence.name().to_owned();
        let mut tree = Self { archive: Archive { evidence, label }, files: BTreeMap::new() };
        let same_layer = |a: &Member, b: &Member| evidence.origin(a) == evidence.origin(b);
        for layer in evidence.members().chunk_by(same_layer) {
            for member in layer {
                match Whiteout::parse(member) {
                    Some(Whiteout::Of(path)) => {
                        tree.files.remove(path.as_slice());
                        tree.clear(&path);
                    }
                    Some(Whiteout::Opaque(path)) => tree.clear(&path),
                    Some(Whiteout::Unknown) | None => {}
                }
            }
            for member in layer.iter().filter(|member| Whiteout::parse(member).is_none()) {
                let before = tree.files.insert(&member.path, member);
                if before.is_some_and(Member::is_dir) && !member.is_dir() {
                    tree.clear(&member.path);
                }
            }
        }
        tree
    }

    /// Removes everything below a path.
    fn clear(&mut self, path: &[u8]) {
        let below: Vec<&[u8]> = self.under(path).map(|(path, _)| path).collect();
        for path in below {
            self.files.remove(path);
        }
    }

    /// What is at a path.
    pub(crate) fn get(&self, path: &[u8]) -> Option<&'a Member> {
        self.files.get(path).copied()
    }

    /// What is below a path, in its order.
    pub(super) fn under(&self, path: &[u8]) -> impl Iterator<Item = (&'a [u8], &'a Member)> {
        let folder = if path.is_empty() { Vec::new() } else { [path, b"/"].concat() };
        let from = (Bound::Included(folder.as_slice()), Bound::Unbounded);
        let range = self.files.range::<[u8], _>(from);
        let below = range.map(|(path, member)| (*path, *member));
        below
            .take_while(move |(path, _)| path.starts_with(&folder))
            .filter(|(path, _)| !path.is_empty())
    }

    /// What the header says of a member; its content is not looked at.
    pub(super) fn state(&self, member: &Member) -> FileState {
        let linked = || self.archive.evidence.content(member).map(|content| content.len());
        let size = match member.kind {
            MemberKind::HardLink => linked().unwrap_or_default(),
            _ => member.size,
        };
        FileState::of(member, size)
    }
}

/// An error as one sentence, with what caused it.
pub(super) fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |sentence, cause| format!("{sentence}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::bare;

    #[test]
    fn ids_in_every_spelling() {
        for id in ["ab12", "sha256:ab12", "registry:5000/name@sha256:ab12", "ab12.json"] {
            assert_eq!(bare(id), "ab12");
        }
    }
}
