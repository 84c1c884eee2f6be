//! What can be had as a file, with its hash.

use serde::Serialize;

use super::shown::Shown;
use super::{Legible, Limits};
use crate::human::units::size;
use crate::json::{ArtifactRecord, ExtractDocument};

/// The section.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Artifacts {
    counts: Vec<(&'static str, usize)>,
    list: Shown<Row>,
}

#[derive(Clone, Debug, Serialize)]
struct Row {
    id: String,
    origin: &'static str,
    path: String,
    pid: Option<u32>,
    size: String,
    modified: String,
    sha256: Option<String>,
    unhashed: String,
    same_as: Option<String>,
}

impl Artifacts {
    pub(super) fn of(
        extract: &ExtractDocument<'_>,
        legible: &Legible<'_>,
        limits: &Limits,
    ) -> Self {
        let mut counts: Vec<(&'static str, usize)> = Vec::new();
        for artifact in &extract.artifacts {
            match counts.iter_mut().find(|(origin, _)| *origin == artifact.origin) {
                Some((_, count)) => *count = count.saturating_add(1),
                None => counts.push((artifact.origin, 1)),
            }
        }
        let row = |artifact| Row::of(artifact, legible);
        Self {
            counts,
            list: Shown::first(&extract.artifacts, limits.artifacts, "extract --list", row),
        }
    }
}

impl Row {
    fn of(artifact: &ArtifactRecord<'_>, legible: &Legible<'_>) -> Self {
        Self {
            id: legible.text(artifact.id),
            origin: artifact.origin,
            path: legible.maybe(artifact.path.as_deref()),
            pid: artifact.pid,
            size: size(artifact.size),
            modified: artifact.mtime.clone().unwrap_or_default(),
            sha256: artifact.sha256.clone(),
            unhashed: artifact.unhashed.as_deref().map(|why| legible.text(why)).unwrap_or_default(),
            same_as: artifact.same_as.map(|id| legible.text(id)),
        }
    }
}
