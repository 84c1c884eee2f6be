//! Docker's own image forms: the archive of `docker save` and the `dir:` directories of skopeo and podman.

use serde::Deserialize;

use crate::Error;
use crate::evidence::Evidence;
use crate::image::{Assembly, Blob, BlobRole, json};
use crate::member::MemberKind;
use crate::oci::{Descriptor, Manifest};
use crate::options::Options;

/// Symlinks to layers are followed so far: `docker save` shares layers between images that way.
const MAX_LINKS: u32 = 8;

const MANIFEST: &[u8] = b"manifest.json";

/// Which form, with its `manifest.json`.
pub(crate) enum Shape {
    /// An archive: a list of images, each with the paths of its layers.
    Archive(Vec<Saved>),
    /// A directory: one manifest as in a registry, and blobs named by their digest.
    Directory(Manifest),
}

/// An image of a `docker save` archive.
#[derive(Debug, Deserialize)]
pub(crate) struct Saved {
    #[serde(default, rename = "Config")]
    config: Option<String>,
    #[serde(rename = "Layers")]
    layers: Vec<String>,
    #[serde(default, rename = "RepoTags")]
    tags: Option<Vec<String>>,
}

/// Tells whether `raw` is one. A file that is merely called `manifest.json` is not enough: the layers must be there.
pub(crate) fn find(raw: &Evidence) -> Option<Shape> {
    let max = raw.limits.max_json;
    raw.get(MANIFEST).filter(|member| member.is_file())?;
    if let Ok(saved) = json::<Vec<Saved>>(raw, MANIFEST, max) {
        let mut layers = saved.iter().flat_map(|image| &image.layers);
        return layers
            .any(|layer| find_layer(raw, layer).is_some())
            .then_some(Shape::Archive(saved));
    }
    let manifest = json::<Manifest>(raw, MANIFEST, max).ok()?;
    let mut layers = manifest.layers.iter().flatten();
    layers
        .any(|layer| hex_path(layer).is_some_and(|path| raw.get(&path).is_some()))
        .then_some(Shape::Directory(manifest))
}

pub(crate) fn open(raw: Evidence, shape: Shape, options: &Options) -> Result<Evidence, Error> {
    let mut image = Assembly::new(raw, options);
    match shape {
        Shape::Directory(manifest) => {
            crate::oci::manifest(&mut image, manifest, hex_path)?;
            image.finish("docker-dir")
        }
        Shape::Archive(saved) => {
            let mut saved = saved.into_iter();
            if let Some(first) = saved.next() {
                if let Some(config) = first.config {
                    let path = Some(config.clone().into_bytes());
                    image.blob(blob(config, BlobRole::Config, path));
                }
                for layer in first.layers.into_iter().take(options.limits.max_layers) {
                    let path = find_layer(&image.raw, &layer);
                    image.layer(blob(layer, BlobRole::Layer, path), b"")?;
                }
            }
            for other in saved {
                let tags = other.tags.unwrap_or_default().join(", ");
                image.ignored("manifest.json", format!("a further image ({tags})"));
            }
            image.finish("docker-archive")
        }
    }
}

fn blob(path: String, role: BlobRole, found: Option<Vec<u8>>) -> Blob {
    // Newer archives keep their blobs as OCI layouts do, and then the path tells the digest.
    let digest = match path.strip_prefix("blobs/sha256/") {
        Some(hex) => format!("sha256:{hex}"),
        None => path,
    };
    Blob { digest, media_type: String::new(), size: None, role, path: found }
}

/// In a `dir:` directory the blob is named by the digest without its algorithm.
fn hex_path(descriptor: &Descriptor) -> Option<Vec<u8>> {
    let (_, hex) = descriptor.digest.split_once(':')?;
    Some(hex.as_bytes().to_vec())
}

/// The path of a layer's file, behind symlinks.
fn find_layer(raw: &Evidence, layer: &str) -> Option<Vec<u8>> {
    let (mut path, _) = crate::name::normalise(layer.as_bytes());
    for _ in 0..MAX_LINKS {
        let member = raw.get(&path)?;
        if member.kind != MemberKind::Symlink {
            return Some(path);
        }
        path = member.symlink_path()?;
    }
    None
}
