//! `build`: the image that was made of a checkpoint.

use std::collections::BTreeMap;

use ckpt_model::{Checkpoint, Defect};
use ckpt_oci::{Blob, Image, Layer};
use serde::Serialize;

use super::shared::{DefectRecord, EvidenceRecord};

/// `ckpt-inspect/build/1`.
#[derive(Clone, Debug, Serialize)]
pub struct BuildDocument<'a> {
    /// Name and version of this form.
    pub schema: &'static str,
    /// What was opened.
    pub evidence: EvidenceRecord<'a>,
    /// The layout's directory, as the user named it.
    pub directory: &'a str,
    /// The image's name in the layout (`org.opencontainers.image.ref.name`).
    pub tag: Option<&'a str>,
    /// When the image says that it was made, RFC 3339.
    pub created: Option<String>,
    /// What it is for.
    pub platform: PlatformRecord,
    /// The manifest: its digest is the image's.
    pub manifest: BlobRecord,
    /// The image configuration: its digest is the image id of podman and docker.
    pub config: BlobRecord,
    /// The layer.
    pub layer: LayerRecord,
    /// Annotations of the manifest and of `index.json`.
    pub annotations: &'a BTreeMap<String, String>,
    /// What is to be said about the image and is no defect of the evidence.
    pub notes: &'a [String],
    /// What could not be read, and what the layer does not hold of it.
    pub defects: Vec<DefectRecord>,
}

/// A machine, in the words of image configurations.
#[derive(Clone, Debug, Serialize)]
pub struct PlatformRecord {
    /// `amd64`, `arm64` and so on, or `unknown`.
    pub architecture: &'static str,
    /// `linux`.
    pub os: &'static str,
}

/// A blob.
#[derive(Clone, Debug, Serialize)]
pub struct BlobRecord {
    /// What it is.
    pub media_type: &'static str,
    /// `sha256:` and 64 hexadecimal digits.
    pub digest: String,
    /// Bytes.
    pub size: u64,
}

impl BlobRecord {
    fn of(blob: &Blob) -> Self {
        let digest = format!("sha256:{}", blob.digest);
        Self { media_type: blob.media_type, digest, size: blob.size }
    }
}

/// A layer.
#[derive(Clone, Debug, Serialize)]
pub struct LayerRecord {
    /// The blob.
    #[serde(flatten)]
    pub blob: BlobRecord,
    /// `none`, `gzip` or `zstd`.
    pub compression: &'static str,
    /// Digest of the uncompressed layer.
    pub diff_id: String,
    /// Bytes of the uncompressed layer.
    pub unpacked: u64,
    /// Members of the checkpoint in it.
    pub members: u64,
}

impl LayerRecord {
    fn of(layer: &Layer) -> Self {
        Self {
            blob: BlobRecord::of(&layer.blob),
            compression: layer.compression.word(),
            diff_id: format!("sha256:{}", layer.diff_id),
            unpacked: layer.unpacked,
            members: layer.members,
        }
    }
}

/// The image that was made of a checkpoint, in a directory, with everything that was found wrong on the way.
#[must_use]
pub fn build<'a>(
    checkpoint: &'a Checkpoint,
    image: &'a Image,
    directory: &'a str,
    defects: &[Defect],
) -> BuildDocument<'a> {
    BuildDocument {
        schema: "ckpt-inspect/build/1",
        evidence: EvidenceRecord::of(checkpoint),
        directory,
        tag: image.tag.as_ref().map(ckpt_oci::Tag::as_str),
        created: image.created.map(|time| time.to_string()),
        platform: PlatformRecord {
            architecture: image.platform.architecture,
            os: image.platform.os,
        },
        manifest: BlobRecord::of(&image.manifest),
        config: BlobRecord::of(&image.config),
        layer: LayerRecord::of(&image.layer),
        annotations: &image.annotations,
        notes: &image.notes,
        defects: defects.iter().cloned().map(DefectRecord::from).collect(),
    }
}
