//! Whether a checkpoint is all there: what one lacks that was cut is not gone.

use ckpt_archive::DefectKind;
use ckpt_model::{Checkpoint, DumpKind, Text};
use criu_image::ImageKind;

/// Whether nothing of the archive and of the dump is known to be missing.
pub(super) fn is_whole(checkpoint: &Checkpoint) -> bool {
    let cut = |kind: &DefectKind| {
        matches!(
            kind,
            DefectKind::Truncated { .. }
                | DefectKind::NoEnd
                | DefectKind::CompressedDamaged { .. }
                | DefectKind::DamagedHeader { .. }
                | DefectKind::Limit { .. }
        )
    };
    let dump = checkpoint.directory().is_some_and(|one| one.kind != DumpKind::Incomplete);
    dump && !checkpoint.evidence().defects().iter().any(|defect| cut(&defect.kind))
}

/// Which files were deleted, as far as both checkpoints tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Deletions {
    told: bool,
}

impl Deletions {
    /// CRIU writes the image that tells of them last but a few, and none when there are no such files.
    pub(super) fn of(a: &Checkpoint, b: &Checkpoint) -> Self {
        let tells = |checkpoint: &Checkpoint| {
            let images = checkpoint.images();
            images.is_some_and(|images| images.has(ImageKind::RemapFpath, None))
                || is_whole(checkpoint)
        };
        Self { told: tells(a) && tells(b) }
    }

    /// Whether both tell of them.
    pub(super) fn told(self) -> bool {
        self.told
    }

    /// A name as it is compared: with the mark of the kernel where both tell of deletions.
    pub(super) fn name(self, name: &[u8]) -> &[u8] {
        if self.told { name } else { name.strip_suffix(b" (deleted)").unwrap_or(name) }
    }

    /// [`name`](Self::name) of a text.
    pub(super) fn text(self, text: &Text) -> &[u8] {
        self.name(text.as_bytes())
    }
}
