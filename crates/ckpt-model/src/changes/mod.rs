//! What changed in the container's file system.
//!
//! | source | engines | tells |
//! |---|---|---|
//! | `rootfs-diff.tar`, a plain tar | podman, CRI-O | what was written; no whiteouts |
//! | `rootfs-diff.tar`, an image layer (gzip) | containerd, `ctr` | what was written; `.wh.NAME` deleted; `.wh..wh..opq` a directory made anew |
//! | `deleted.files`, a JSON list | podman, CRI-O | what was deleted |
//! | `volumes/NAME.tar` | podman | what a volume holds; it belongs to no image |
//! | the layers of `--base` | given by the analyst | what was there before |
//!
//! Source: `podman/pkg/checkpoint/crutils/checkpoint_restore_utils.go`,
//! `containerd/internal/cri/server/container_checkpoint_linux.go`, OCI image-spec `layer.md`.
//!
//! # Limits
//!
//! Names are compared and shown and never looked up anywhere but in the base. More than [`MAX_HOLES`] bytes of holes are
//! not hashed, however many files claim them. [`Change::state`] of a file whose bytes are not all there has no hash, and
//! a defect says why.

pub(crate) mod base;
mod capability;
mod change;
mod deleted;
mod filter;
mod gather;
mod glob;
mod noise;
mod state;
mod volumes;

use std::path::{Path, PathBuf};

use ckpt_archive::{Evidence, Member};

pub use base::{BaseError, BaseImage};
pub use capability::FileCapabilities;
pub use change::{Aspect, Change, ChangeKind, ChangeSource};
pub use filter::ChangeFilter;
pub use gather::{MAX_DELETED, MAX_HOLES};
pub use glob::{Glob, GlobError};
pub use noise::Noise;
pub(crate) use state::CAPABILITY;
pub use state::{Executable, FileState, FileType};

use crate::checkpoint::Checkpoint;
use crate::{DefectKind, Engine};

const DIFF: &str = "rootfs-diff.tar";

/// How to find the changes.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct ChangesOptions {
    archive: ckpt_archive::Options,
    base: Option<PathBuf>,
    unhashed: bool,
}

impl ChangesOptions {
    /// Options for opening the archives inside the checkpoint, and the base: spool directory, limits, progress.
    pub fn archive(mut self, options: ckpt_archive::Options) -> Self {
        self.archive = options;
        self
    }

    /// The container's image: an OCI layout (directory or tar) or the archive of `docker save`.
    pub fn base(mut self, path: impl Into<PathBuf>) -> Self {
        self.base = Some(path.into());
        self
    }

    /// Leaves contents unread: no file has a hash, and with a base two contents of one size count as the same.
    pub fn unhashed(mut self) -> Self {
        self.unhashed = true;
        self
    }
}

/// The changes of a container's file system.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Changes {
    /// By path.
    pub list: Vec<Change>,
    /// The image that they are compared with.
    pub base: Option<BaseImage>,
    /// Entries of the diff that are as the base has them, time included: directories on the way to a change, as a rule.
    pub unchanged: u64,
    /// What this list cannot show, as sentences. An empty list means nothing as long as there are gaps.
    pub gaps: Vec<&'static str>,
}

/// An archive inside the evidence, called by its member.
fn named<'a>(evidence: &'a Evidence, member: &Member) -> gather::Archive<'a> {
    let label = crate::Text::from(member.path.as_slice()).escaped().into_owned();
    gather::Archive { evidence, label }
}

impl Checkpoint {
    /// The changes of the container's file system. Without a base what the diff holds is [`ChangeKind::Written`], because
    /// only the image could tell what is new.
    ///
    /// # Errors
    ///
    /// When there is a base and it cannot be read as an image.
    pub fn changes(&self, options: &ChangesOptions) -> Result<Changes, BaseError> {
        let metadata = self.metadata();
        let mut found = gather::Gathered::new(options.unhashed);
        if let Some(member) = metadata.member(DIFF)
            && let Some(diff) = self.inner(member, options)
        {
            let whiteouts = self.writes_whiteouts(&diff);
            found.diff(&named(&diff, member), whiteouts, self.told());
        }
        deleted::read(&metadata, &mut found, self.told());
        let mut changes = Changes { gaps: self.gaps(), ..Changes::default() };
        if let Some(path) = &options.base {
            changes.base = Some(self.compare(path, options, &mut found, &mut changes.unchanged)?);
        }
        for volume in volumes::find(self.evidence(), &self.place().path, &metadata, self.told()) {
            if let Some(content) = self.inner(volume.member, options) {
                found.volume(&named(&content, volume.member), &volume, self.told());
            }
        }
        changes.list = found.finish();
        noise::mark(&mut changes.list, self.container());
        self.mark_changed_links(&mut changes.list);
        Ok(changes)
    }

    /// Opens an archive inside the evidence, and tells what is wrong with it.
    fn inner(&self, member: &Member, options: &ChangesOptions) -> Option<Evidence> {
        let place = crate::Text::from(member.path.as_slice()).escaped().into_owned();
        // Engines write an empty file where there is nothing to tell.
        if member.is_file() && member.size == 0 {
            return None;
        }
        match self.evidence().nested(member, &options.archive) {
            Ok(inner) => {
                for defect in inner.defects() {
                    let kind = crate::checkpoint::kind_of(defect);
                    self.tell(kind, format!("{place}: {}", defect.place()), defect.to_string());
                }
                Some(inner)
            }
            Err(error) => {
                self.tell(DefectKind::Damaged, place, base::with_causes(&error));
                None
            }
        }
    }

    /// Whether names that begin with `.wh.` delete. They do in image layers, which are compressed whenever an engine makes
    /// them; in the plain tar of podman and CRI-O such a name is a file that somebody called so.
    fn writes_whiteouts(&self, diff: &Evidence) -> bool {
        diff.kind() != "tar" || !self.container().engine.omits_modified_files()
    }

    fn compare(
        &self,
        path: &Path,
        options: &ChangesOptions,
        found: &mut gather::Gathered,
        unchanged: &mut u64,
    ) -> Result<BaseImage, BaseError> {
        let evidence = base::open(path, &options.archive, &found.wanted())?;
        for defect in evidence.defects() {
            let place = format!("{}: {}", evidence.name(), defect.place());
            self.tell(crate::checkpoint::kind_of(defect), place, defect.to_string());
        }
        let tree = base::Tree::of(&evidence);
        *unchanged = found.compare(&tree, self.told());
        let image = BaseImage::of(&evidence, self.container().image_id.as_deref());
        let strangers = found.not_in_base();
        if strangers > 0 {
            let what = format!(
                "{strangers} deleted path(s) of the container are not in it; it may be the wrong image"
            );
            self.tell(DefectKind::Suspect, evidence.name(), what);
        }
        Ok(image)
    }

    fn gaps(&self) -> Vec<&'static str> {
        let engine = self.container().engine;
        let mut gaps = Vec::new();
        if engine.omits_modified_files() {
            gaps.push(match engine {
                Engine::CriO => {
                    "CRI-O leaves modified files of the image out unless the host has a file of the same path: a file that is not listed may still be modified"
                }
                _ => {
                    "podman leaves modified files of the image out unless the host has a file of the same path: a file that is not listed may still be modified"
                }
            });
            gaps.push(
                "sockets, and directories whose mode or owner alone changed, are never in the diff",
            );
        }
        if !self.metadata().has(DIFF) {
            gaps.push(match engine {
                Engine::Podman | Engine::CriO => {
                    "no rootfs-diff.tar: nothing was written, or the checkpoint was made without the file system"
                }
                Engine::Containerd => "no rootfs-diff.tar: the checkpoint was made without the file system",
                Engine::Docker | Engine::Criu => {
                    "no rootfs-diff.tar: what made this checkpoint does not capture the file system"
                }
            });
        }
        gaps
    }
}
