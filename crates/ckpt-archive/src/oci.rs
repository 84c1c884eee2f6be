//! OCI layouts: `index.json` leads to a manifest, the manifest to layers.
//!
//! | what the index leads to | becomes |
//! |---|---|
//! | image manifest (podman, CRI-O, buildah, `checkpointctl build`) | the members of its layers, in order |
//! | containerd checkpoint (`ctr containers checkpoint`): typed blobs instead of manifests | see below |
//!
//! | media type of the blob | becomes |
//! |---|---|
//! | `application/vnd.containerd.container.criu.checkpoint.criu.tar` | its members, below `checkpoint/` |
//! | `application/vnd.containerd.container.criu.checkpoint.predump.tar` | its members, below `pre-checkpoint/` |
//! | `application/vnd.containerd.container.checkpoint.config.v1+proto` | the member `spec.any` (a protobuf `Any`) |
//! | `application/vnd.containerd.container.checkpoint.options.v1+proto` | the member `options.any` |
//! | `application/vnd.containerd.container.checkpoint.runtime.name` | the member `runtime.name` |
//! | `application/vnd.containerd.container.checkpoint.runtime.options+proto` | the member `runtime-options.any` |
//! | a layer (the container's changes) | the member `rootfs-diff.tar`, as it is: usually gzip |
//!
//! source: containerd `core/images/mediatypes.go`; OCI image-spec `image-layout.md`, `image-index.md`, `manifest.md`.
//!
//! The first manifest is taken, whatever its platform; attestations are passed over. What is not read is told.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::Error;
use crate::content::as_u64;
use crate::defect::{Defect, DefectKind};
use crate::evidence::Evidence;
use crate::image::{Assembly, Blob, BlobRole};
use crate::member::Member;
use crate::options::Options;

/// Indexes inside indexes; two are usual for `ctr images export`.
const MAX_INDEX_DEPTH: u32 = 4;

const CONTAINERD: &str = "application/vnd.containerd.container.";

/// Annotations with whatever values; only text is of use.
type Annotations = Option<BTreeMap<String, serde_json::Value>>;

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Descriptor {
    #[serde(default, rename = "mediaType")]
    pub(crate) media_type: String,
    pub(crate) digest: String,
    #[serde(default)]
    size: Option<serde_json::Number>,
    #[serde(default)]
    annotations: Annotations,
}

#[derive(Debug, Deserialize)]
struct Index {
    #[serde(default)]
    manifests: Option<Vec<Descriptor>>,
    #[serde(default)]
    annotations: Annotations,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Manifest {
    #[serde(default)]
    pub(crate) config: Option<Descriptor>,
    #[serde(default)]
    pub(crate) layers: Option<Vec<Descriptor>>,
    #[serde(default)]
    annotations: Annotations,
}

impl Descriptor {
    pub(crate) fn blob(&self, role: BlobRole, path: Option<Vec<u8>>) -> Blob {
        Blob {
            digest: self.digest.clone(),
            media_type: self.media_type.clone(),
            size: self.size.as_ref().and_then(serde_json::Number::as_u64),
            role,
            path,
        }
    }

    /// `sha256:abc` lies at `blobs/sha256/abc`.
    fn layout_path(&self) -> Option<Vec<u8>> {
        let (algorithm, hex) = self.digest.split_once(':')?;
        Some(format!("blobs/{algorithm}/{hex}").into_bytes())
    }
}

pub(crate) fn is_layout(raw: &Evidence) -> bool {
    raw.get(b"index.json").is_some_and(Member::is_file)
        && (raw.get(b"oci-layout").is_some() || raw.is_dir(b"blobs"))
}

pub(crate) fn open(raw: Evidence, options: &Options) -> Result<Evidence, Error> {
    let name = raw.name.clone();
    let mut image = Assembly::new(raw, options);
    let index: Index = image
        .json(b"index.json")
        .map_err(|reason| Error::NoLayers { name, reason: format!("index.json: {reason}") })?;
    let mut found = Found::default();
    found.visit(&mut image, index, &BTreeMap::new(), 0);
    found.read(&mut image)?;
    image.finish("oci-layout")
}

/// What an index and the indexes below it lead to.
#[derive(Default)]
struct Found {
    /// Manifests, with the annotations on the way to each.
    manifests: Vec<(Descriptor, BTreeMap<String, String>)>,
    /// Blobs of a containerd checkpoint, likewise.
    typed: Vec<(Descriptor, BTreeMap<String, String>)>,
    /// Descriptors seen, over all indexes.
    seen: usize,
}

impl Found {
    fn visit(
        &mut self,
        image: &mut Assembly<'_>,
        index: Index,
        above: &BTreeMap<String, String>,
        depth: u32,
    ) {
        let mut here = above.clone();
        merge(&mut here, &index.annotations);
        for descriptor in index.manifests.unwrap_or_default() {
            self.seen = self.seen.saturating_add(1);
            if self.seen > image.options.limits.max_layers {
                let limit = as_u64(image.options.limits.max_layers);
                let kind = DefectKind::Limit { what: "entries of image indexes", limit };
                image.defects.push(Defect::archive(kind, None));
                return;
            }
            let mut annotations = here.clone();
            merge(&mut annotations, &descriptor.annotations);
            match kind(&descriptor) {
                Kind::Index => self.descend(image, &descriptor, &annotations, depth),
                Kind::Attestation => {
                    let blob = descriptor.blob(BlobRole::Unused, descriptor.layout_path());
                    image.blob(blob);
                    image.ignored(&descriptor.digest, "an attestation".to_owned());
                }
                Kind::Manifest => self.manifests.push((descriptor, annotations)),
                Kind::Typed => self.typed.push((descriptor, annotations)),
                Kind::Unknown => {
                    let blob = descriptor.blob(BlobRole::Unused, descriptor.layout_path());
                    image.blob(blob);
                    let what = format!("a blob of type {:?}", descriptor.media_type);
                    image.ignored(&descriptor.digest, what);
                }
            }
        }
    }

    fn descend(
        &mut self,
        image: &mut Assembly<'_>,
        descriptor: &Descriptor,
        annotations: &BTreeMap<String, String>,
        depth: u32,
    ) {
        if depth >= MAX_INDEX_DEPTH {
            image.ignored(&descriptor.digest, "an index nested too deeply".to_owned());
            return;
        }
        let blob = descriptor.blob(BlobRole::Index, descriptor.layout_path());
        let Some(path) = image.blob(blob) else { return };
        match image.json(&path) {
            Ok(index) => self.visit(image, index, annotations, depth.saturating_add(1)),
            Err(reason) => image.unusable(&descriptor.digest, reason),
        }
    }

    /// Opens what was found: a containerd checkpoint if there is one, otherwise the first manifest that can be read.
    fn read(self, image: &mut Assembly<'_>) -> Result<(), Error> {
        let mut taken = !self.typed.is_empty();
        for (descriptor, annotations) in self.typed {
            image.annotations.extend(annotations);
            typed(image, &descriptor)?;
        }
        for (descriptor, annotations) in self.manifests {
            let role = if taken { BlobRole::Unused } else { BlobRole::Manifest };
            let path = image.blob(descriptor.blob(role, descriptor.layout_path()));
            if taken {
                image.ignored(&descriptor.digest, "a further image manifest".to_owned());
                continue;
            }
            let Some(path) = path else { continue };
            match image.json::<Manifest>(&path) {
                Ok(found) => {
                    taken = true;
                    image.annotations = annotations;
                    manifest(image, found, Descriptor::layout_path)?;
                }
                Err(reason) => image.unusable(&descriptor.digest, reason),
            }
        }
        Ok(())
    }
}

/// Opens the layers of a manifest, whose blobs lie where `path` says.
pub(crate) fn manifest(
    image: &mut Assembly<'_>,
    manifest: Manifest,
    path: impl Fn(&Descriptor) -> Option<Vec<u8>>,
) -> Result<(), Error> {
    merge(&mut image.annotations, &manifest.annotations);
    if let Some(config) = manifest.config {
        image.blob(config.blob(BlobRole::Config, path(&config)));
    }
    let layers = manifest.layers.unwrap_or_default();
    let limit = image.options.limits.max_layers;
    if layers.len() > limit {
        let kind = DefectKind::Limit { what: "layers", limit: as_u64(limit) };
        image.defects.push(Defect::archive(kind, None));
    }
    for layer in layers.iter().take(limit) {
        image.layer(layer.blob(BlobRole::Layer, path(layer)), b"")?;
    }
    Ok(())
}

enum Kind {
    Index,
    Manifest,
    Attestation,
    Typed,
    Unknown,
}

fn kind(descriptor: &Descriptor) -> Kind {
    let attests = |annotations: &BTreeMap<String, serde_json::Value>| {
        annotations.contains_key("vnd.docker.reference.type")
    };
    match descriptor.media_type.as_str() {
        "application/vnd.oci.image.index.v1+json"
        | "application/vnd.docker.distribution.manifest.list.v2+json" => Kind::Index,
        "application/vnd.oci.image.manifest.v1+json"
        | "application/vnd.docker.distribution.manifest.v2+json"
        // The specification wants a type; a descriptor without one can only be read as the usual thing.
        | "" => {
            if descriptor.annotations.as_ref().is_some_and(attests) { Kind::Attestation } else { Kind::Manifest }
        }
        other if other.starts_with(CONTAINERD) || is_layer(other) => Kind::Typed,
        _ => Kind::Unknown,
    }
}

fn is_layer(media_type: &str) -> bool {
    media_type.starts_with("application/vnd.oci.image.layer.")
        || media_type.starts_with("application/vnd.docker.image.rootfs.diff.")
}

/// A blob of a containerd checkpoint.
fn typed(image: &mut Assembly<'_>, descriptor: &Descriptor) -> Result<(), Error> {
    let name = match descriptor.media_type.strip_prefix(CONTAINERD) {
        Some("criu.checkpoint.criu.tar") => {
            return image
                .layer(descriptor.blob(BlobRole::Layer, descriptor.layout_path()), b"checkpoint/");
        }
        Some("criu.checkpoint.predump.tar") => {
            return image.layer(
                descriptor.blob(BlobRole::Layer, descriptor.layout_path()),
                b"pre-checkpoint/",
            );
        }
        Some("checkpoint.config.v1+proto") => "spec.any",
        Some("checkpoint.options.v1+proto") => "options.any",
        Some("checkpoint.runtime.name") => "runtime.name",
        Some("checkpoint.runtime.options+proto") => "runtime-options.any",
        Some(_) => {
            image.blob(descriptor.blob(BlobRole::Unused, descriptor.layout_path()));
            image.ignored(&descriptor.digest, format!("a blob of type {}", descriptor.media_type));
            return Ok(());
        }
        None => "rootfs-diff.tar",
    };
    image.document(descriptor.blob(BlobRole::Document, descriptor.layout_path()), name.as_bytes());
    Ok(())
}

fn merge(into: &mut BTreeMap<String, String>, annotations: &Annotations) {
    for (key, value) in annotations.iter().flatten() {
        if let serde_json::Value::String(value) = value {
            into.insert(key.clone(), value.clone());
        }
    }
}
