//! Named volumes: `volumes/NAME.tar`, and where `config.dump` says that they were mounted.
//!
//! Source: `podman/libpod/container_config.go`, `ContainerNamedVolume`.

use ckpt_archive::{Evidence, Member, MemberKind, normalise};
use serde::Deserialize;

use super::gather::absolute;
use crate::Text;
use crate::defect::Defects;
use crate::locate::join;
use crate::metadata::Metadata;

/// A volume in the evidence.
#[derive(Debug)]
pub(super) struct Volume<'a> {
    pub(super) name: Text,
    pub(super) member: &'a Member,
    /// Where it was mounted, normalised.
    destination: Option<Vec<u8>>,
}

impl Volume<'_> {
    /// The path of a file of the volume: in the container, or where nobody tells the mount point in the evidence.
    pub(super) fn path(&self, inside: &[u8]) -> Text {
        let under = |folder: &[u8]| {
            if inside.is_empty() { folder.to_vec() } else { join(folder, inside) }
        };
        match &self.destination {
            Some(destination) => absolute(&under(destination)),
            None => Text(under(&join(b"volumes", self.name.as_bytes()))),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
struct Config {
    #[serde(default, rename = "namedVolumes")]
    volumes: Vec<Named>,
}

#[derive(Debug, Deserialize)]
struct Named {
    #[serde(default, rename = "volumeName")]
    name: String,
    #[serde(default, rename = "dest")]
    destination: String,
}

/// The volumes of the container, by name.
pub(super) fn find<'a>(
    evidence: &'a Evidence,
    folder: &Text,
    metadata: &Metadata<'_>,
    defects: &Defects,
) -> Vec<Volume<'a>> {
    let archives = evidence.children(&join(folder.as_bytes(), b"volumes")).filter_map(|member| {
        let name = member.file_name().strip_suffix(b".tar")?;
        let is_file = matches!(member.kind, MemberKind::File | MemberKind::HardLink);
        is_file.then_some((name, member))
    });
    let archives: Vec<_> = archives.collect();
    if archives.is_empty() {
        return Vec::new();
    }
    let config = metadata.find(&["config.dump"]).and_then(|(_, json)| {
        // What is wrong with it is told where the container is described.
        serde_json::from_slice::<Config>(&json).ok()
    });
    let named = config.unwrap_or_default().volumes;
    let volumes = archives.into_iter().map(|(name, member)| {
        let known = named.iter().find(|volume| volume.name.as_bytes() == name);
        let known = known.filter(|volume| !volume.destination.is_empty());
        let name = Text::from(name);
        if known.is_none() {
            let what = format!("config.dump does not say where the volume {name} was mounted");
            defects.missing(Text::from(member.path.as_slice()).escaped(), what);
        }
        let destination = known.map(|volume| normalise(volume.destination.as_bytes()).0);
        Volume { name, member, destination }
    });
    volumes.collect()
}
