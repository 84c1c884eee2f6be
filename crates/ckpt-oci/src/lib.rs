//! A checkpoint as an OCI image: one layer with its members at the image's root, and annotations that say whose it is.
//!
//! [`Plan::of`] decides which members the layer gets, [`Plan::write_layer`] streams them, [`Image::new`] makes the documents
//! around it. Nothing here touches a file system: the caller puts [`Image::files`] and the layer where a layout has them.
//!
//! ```
//! use ckpt_oci::{Compression, Image, Plan, Settings};
//!
//! # let dump = ckpt_synth::stories::looper();
//! # let tar = ckpt_synth::Archive::podman(&dump).tar();
//! # let evidence = ckpt_archive::Evidence::from_bytes("cp", tar.into(), &Default::default())?;
//! # let checkpoint = ckpt_model::Checkpoint::options().open_evidence(evidence)?;
//! let plan = Plan::of(&checkpoint);
//! let mut blob = Vec::new();
//! let layer = plan.write_layer(Compression::Gzip, &mut blob, None)?;
//! let image = Image::new(&checkpoint, layer, &Settings::default());
//! assert_eq!(image.layer.blob.size, blob.len() as u64);
//! assert_eq!(image.layer.blob.path(), format!("blobs/sha256/{}", ckpt_archive::sha256_bytes(&blob)));
//! for file in image.files() {
//!     println!("{} {} bytes", file.path, file.bytes.len());
//! }
//! # assert_eq!(image.files().len(), 4);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What the layer is
//!
//! The members of the checkpoint in their order, contents unchanged, with owner, mode, times and extended attributes, as a
//! POSIX pax archive. It is not the bytes of the evidence's own tar: an engine that unpacks a layer does what its entries
//! say, so that names which would leave the image's root, whiteouts, devices, links that lead outside and repeated names
//! are left out, and told in [`Plan::defects`]. Trailing bytes and damage of an archive have no place in a layer either.
//!
//! The same checkpoint gives the same bytes: there is no time in it but the checkpoint's.
//!
//! # Limits
//!
//! Whether an engine restores from the image is the engine's affair: see `docs/build.md`. Zeros that a sparse file does
//! not store are written in full, up to 64 GiB of them in all.

mod annotations;
mod header;
mod image;
mod layer;
mod plan;

pub use annotations::{MAX_VALUE, annotations};
pub use image::{Blob, Image, LayoutFile, Platform, Settings, Tag, TagError};
pub use layer::{Compression, Layer};
pub use plan::Plan;
