//! The documents around a layer: image configuration, manifest, index.
//!
//! source: image-spec `config.md`, `manifest.md`, `image-index.md`, `image-layout.md`, `annotations.md`

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use ckpt_archive::{Sha256Digest, sha256_bytes};
use ckpt_model::{Arch, Checkpoint, Event};
use criu_image::ByteOrder;
use jiff::Timestamp;
use serde::Serialize;
use thiserror::Error;

use crate::annotations::annotations;
use crate::layer::Layer;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// What the user may say about an image.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Settings {
    /// Its name in the index.
    pub tag: Option<Tag>,
    /// Annotations that take precedence over the checkpoint's.
    pub annotations: BTreeMap<String, String>,
    /// When it was made; the checkpoint's own time if not given.
    pub created: Option<Timestamp>,
}

/// The name of an image in a layout, such as `latest` or `registry.example/web:checkpoint`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag(String);

/// A text that names no image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "letters and digits, joined by one of - . _ : @ + / or by --, as in registry.example/web:1"
)]
pub struct TagError;

impl FromStr for Tag {
    type Err = TagError;

    /// source: image-spec `annotations.md`, grammar of `org.opencontainers.image.ref.name`
    fn from_str(text: &str) -> Result<Self, TagError> {
        let mut separator = true;
        let mut rest = text;
        while let Some(first) = rest.bytes().next() {
            let (len, separates) = match first {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => (1, false),
                b'-' if rest.starts_with("--") => (2, true),
                b'-' | b'.' | b'_' | b':' | b'@' | b'+' | b'/' => (1, true),
                _ => return Err(TagError),
            };
            if separates && separator {
                return Err(TagError);
            }
            separator = separates;
            rest = rest.get(len..).unwrap_or_default();
        }
        if separator || text.len() > 255 { Err(TagError) } else { Ok(Self(text.to_owned())) }
    }
}

impl Tag {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A blob of the layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// What it is.
    pub media_type: &'static str,
    /// Digest of its bytes.
    pub digest: Sha256Digest,
    /// Bytes.
    pub size: u64,
}

impl Blob {
    fn of(media_type: &'static str, bytes: &[u8]) -> Self {
        Self { media_type, digest: sha256_bytes(bytes), size: bytes.len() as u64 }
    }

    /// Where the layout has it.
    #[must_use]
    pub fn path(&self) -> String {
        format!("blobs/sha256/{}", self.digest)
    }

    fn descriptor(&self) -> Descriptor<'_> {
        Descriptor {
            media_type: self.media_type,
            digest: format!("sha256:{}", self.digest),
            size: self.size,
            platform: None,
            annotations: None,
        }
    }
}

/// The machine that an image is for, in the words of Go (`GOARCH`), which image configurations use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Platform {
    /// `amd64`, `arm64` and so on; `unknown` when no image tells.
    pub architecture: &'static str,
    /// `linux`: CRIU runs nowhere else.
    pub os: &'static str,
}

impl Platform {
    /// That of a checkpoint's processes.
    #[must_use]
    pub fn of(checkpoint: &Checkpoint) -> Self {
        let little = checkpoint.byte_order() == ByteOrder::Little;
        let architecture = match checkpoint.arch() {
            Some(Arch::X86_64) => "amd64",
            Some(Arch::Arm) => "arm",
            Some(Arch::Aarch64) => "arm64",
            Some(Arch::Ppc64) if little => "ppc64le",
            Some(Arch::Ppc64) => "ppc64",
            Some(Arch::S390) => "s390x",
            Some(Arch::Mips) if little => "mips64le",
            Some(Arch::Mips) => "mips64",
            Some(Arch::Loongarch64) => "loong64",
            Some(Arch::Riscv64) => "riscv64",
            _ => "unknown",
        };
        Self { architecture, os: "linux" }
    }
}

/// A file of the layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayoutFile<'a> {
    /// Path in the layout.
    pub path: &'a str,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// An image: a layer that was written, and the documents that belong to it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Image {
    /// The layer.
    pub layer: Layer,
    /// The image configuration.
    pub config: Blob,
    /// The manifest.
    pub manifest: Blob,
    /// What the image is for.
    pub platform: Platform,
    /// When it was made, if anything tells.
    pub created: Option<Timestamp>,
    /// Its name.
    pub tag: Option<Tag>,
    /// Annotations, which the manifest and `index.json` both have.
    pub annotations: BTreeMap<String, String>,
    /// What is to be said about the image and is no defect of the evidence.
    pub notes: Vec<String>,
    files: [(String, Vec<u8>); 4],
}

impl Image {
    /// Makes the documents for a layer of this checkpoint.
    #[must_use]
    pub fn new(checkpoint: &Checkpoint, layer: Layer, settings: &Settings) -> Self {
        let (mut annotations, mut notes) = annotations(checkpoint);
        annotations.extend(settings.annotations.clone());
        let platform = Platform::of(checkpoint);
        if platform.architecture == "unknown" {
            notes.push("no image of the checkpoint tells its architecture".to_owned());
        }
        let own = || checkpoint.container().time(Event::Checkpointed).map(|moment| moment.time);
        // A year before the first has no form in RFC 3339.
        let created = settings.created.or_else(own).filter(|time| *time >= Timestamp::UNIX_EPOCH);
        let text = created.map(|time| time.to_string());
        let config = json(&Config {
            created: text.clone(),
            architecture: platform.architecture,
            os: platform.os,
            config: Empty {},
            rootfs: RootFs { r#type: "layers", diff_ids: [format!("sha256:{}", layer.diff_id)] },
            history: [History { created: text, created_by: "ckpt-inspect build" }],
        });
        let config_blob = Blob::of(CONFIG, &config);
        let manifest = json(&Manifest {
            schema_version: 2,
            media_type: MANIFEST,
            config: config_blob.descriptor(),
            layers: [layer.blob.descriptor()],
            annotations: some(&annotations),
        });
        let manifest_blob = Blob::of(MANIFEST, &manifest);
        let name = settings
            .tag
            .as_ref()
            .map(|tag| BTreeMap::from([(REF_NAME.to_owned(), tag.as_str().to_owned())]));
        let index = json(&Index {
            schema_version: 2,
            media_type: INDEX,
            manifests: [Descriptor {
                platform: (platform.architecture != "unknown").then_some(PlatformRecord {
                    architecture: platform.architecture,
                    os: platform.os,
                }),
                annotations: name.as_ref(),
                ..manifest_blob.descriptor()
            }],
            // containerd looks here when an import keeps the index (`ctr images import --index-name`).
            annotations: some(&annotations),
        });
        let files = [
            (config_blob.path(), config),
            (manifest_blob.path(), manifest),
            ("oci-layout".to_owned(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()),
            ("index.json".to_owned(), index),
        ];
        Self {
            layer,
            config: config_blob,
            manifest: manifest_blob,
            platform,
            created,
            tag: settings.tag.clone(),
            annotations,
            notes,
            files,
        }
    }

    /// The files of the layout beside the layer, in the order in which they should appear: without the last of them,
    /// `index.json`, a layout is none.
    pub fn files(&self) -> impl ExactSizeIterator<Item = LayoutFile<'_>> {
        self.files.iter().map(|(path, bytes)| LayoutFile { path, bytes })
    }
}

fn some(annotations: &BTreeMap<String, String>) -> Option<&BTreeMap<String, String>> {
    (!annotations.is_empty()).then_some(annotations)
}

/// Serialising these types has no way to fail: their keys are texts.
fn json(document: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(document).unwrap_or_default()
}

// The types of `oci-spec` keep annotations in a hash map, whose order, and with it the digest, would change from run to run.

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor<'a> {
    media_type: &'static str,
    digest: String,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<PlatformRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<&'a BTreeMap<String, String>>,
}

#[derive(Serialize)]
struct PlatformRecord {
    architecture: &'static str,
    os: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index<'a> {
    schema_version: u8,
    media_type: &'static str,
    manifests: [Descriptor<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<&'a BTreeMap<String, String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest<'a> {
    schema_version: u8,
    media_type: &'static str,
    config: Descriptor<'a>,
    layers: [Descriptor<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<&'a BTreeMap<String, String>>,
}

#[derive(Serialize)]
struct Config {
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<String>,
    architecture: &'static str,
    os: &'static str,
    config: Empty,
    rootfs: RootFs,
    history: [History; 1],
}

#[derive(Serialize)]
struct Empty {}

#[derive(Serialize)]
struct RootFs {
    r#type: &'static str,
    diff_ids: [String; 1],
}

#[derive(Serialize)]
struct History {
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<String>,
    created_by: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_grammar() {
        for good in
            ["a", "latest", "v1.0", "localhost/web:ckpt-1", "quay.io:443/a/b@sha256:0f", "a--b"]
        {
            assert_eq!(Tag::from_str(good).unwrap().as_str(), good);
        }
        let long = "a".repeat(256);
        for bad in ["", "-a", "a/", "a//b", "a b", "ä", "a---b", "a\n", ":1", &long] {
            assert_eq!(Tag::from_str(bad), Err(TagError), "{bad}");
        }
    }
}
