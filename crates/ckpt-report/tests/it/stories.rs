//! Synthetic checkpoints, opened.

use ckpt_archive::{Evidence, Options};
use ckpt_model::{Checkpoint, OpenError};
use ckpt_synth::{Archive, Dump};

/// An archive that is no checkpoint is an error; one that cannot be read at all fails the test.
pub(crate) fn open_archive(archive: &Archive) -> Result<Checkpoint, OpenError> {
    let evidence = Evidence::from_bytes("story.tar", archive.tar().into(), &Options::default());
    Checkpoint::options().open_evidence(evidence.expect("an archive"))
}

/// The dump as podman would archive it.
pub(crate) fn open(dump: &Dump) -> Checkpoint {
    open_archive(&Archive::podman(dump)).expect("a checkpoint")
}
