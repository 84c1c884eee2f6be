//! Images of checkpoints that are written byte by byte, read back by readers that are not ours, and by ours.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends where it meets what it does not expect"
)]

mod documents;
mod hostile;
mod property;

use ckpt_archive::{Evidence, Options};
use ckpt_model::{Checkpoint, Defect};
use ckpt_oci::{Compression, Image, Layer, Plan, Settings};
use ckpt_synth::Archive;

fn evidence(archive: &Archive) -> Evidence {
    Evidence::from_bytes("cp", archive.tar().into(), &Options::default()).unwrap()
}

fn checkpoint(archive: &Archive) -> Checkpoint {
    Checkpoint::options().open_evidence(evidence(archive)).unwrap()
}

/// The layer of all members, uncompressed, and everything that is told of it.
fn layer_of(evidence: &Evidence, folder: &[u8]) -> (Vec<u8>, Layer, Vec<Defect>) {
    let plan = Plan::of_folder(evidence, folder);
    let mut tar = Vec::new();
    let layer = plan.write_layer(Compression::None, &mut tar, None).unwrap();
    let mut defects = plan.defects();
    defects.extend(layer.defects.clone());
    (tar, layer, defects)
}

/// An image, with its layer.
fn image(
    checkpoint: &Checkpoint,
    compression: Compression,
    settings: &Settings,
) -> (Image, Vec<u8>) {
    let mut blob = Vec::new();
    let layer = Plan::of(checkpoint).write_layer(compression, &mut blob, None).unwrap();
    (Image::new(checkpoint, layer, settings), blob)
}

/// The layout of an image as an archive.
fn layout(image: &Image, layer: &[u8]) -> Archive {
    let mut archive = Archive::new();
    archive.member(image.layer.blob.path(), layer.to_vec());
    for file in image.files() {
        archive.member(file.path, file.bytes.to_vec());
    }
    archive
}
