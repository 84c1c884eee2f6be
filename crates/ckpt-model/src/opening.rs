//! Opening: which container of the evidence, which of its image directories, and what that builds on.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ckpt_archive::{Evidence, MemberKind};
use thiserror::Error;

use crate::Text;
use crate::checkpoint::{Checkpoint, kind_of};
use crate::defect::Defects;
use crate::engine;
use crate::images::{Folders, Images};
use crate::locate::{self, ContainerPlace, ImageDirectory};
use crate::metadata::Metadata;
use crate::pod::PodOptions;
use crate::select::{Need, Selector};

/// How to open a checkpoint.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct OpenOptions {
    archive: ckpt_archive::Options,
    parents: Vec<PathBuf>,
    images: Option<String>,
    container: Option<String>,
    need: Need,
}

impl OpenOptions {
    /// Options for opening the archive itself: spool directory, limits, progress. Archives of parents are not watched.
    pub fn archive(mut self, options: ckpt_archive::Options) -> Self {
        self.archive = options;
        self
    }

    /// Evidence that holds the parent of an incremental dump, nearest first.
    pub fn parent(mut self, path: impl Into<PathBuf>) -> Self {
        self.parents.push(path.into());
        self
    }

    /// Picks an image directory by its path in the evidence, or by the end of it.
    pub fn images(mut self, directory: impl Into<String>) -> Self {
        self.images = Some(directory.into());
        self
    }

    /// Picks a container by name, id or path.
    pub fn container(mut self, name: impl Into<String>) -> Self {
        self.container = Some(name.into());
        self
    }

    /// What will be asked: less need, less kept of a compressed archive.
    pub fn need(mut self, need: Need) -> Self {
        self.need = need;
        self
    }

    /// Opens the checkpoint at a path: an archive, a directory, an OCI image.
    ///
    /// # Errors
    ///
    /// When there is nothing usable; see [`OpenError`].
    pub fn open(&self, path: impl AsRef<Path>) -> Result<Checkpoint, OpenError> {
        let evidence = Evidence::open(path.as_ref(), &self.archive_options())?;
        self.open_evidence(evidence)
    }

    /// Opens the checkpoint that arrives on a reader, such as standard input.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_reader<R: std::io::Read + Send + 'static>(
        &self,
        name: &str,
        reader: R,
    ) -> Result<Checkpoint, OpenError> {
        let evidence = Evidence::from_reader(name, reader, &self.archive_options())?;
        self.open_evidence(evidence)
    }

    /// Takes opened evidence.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_evidence(&self, evidence: Evidence) -> Result<Checkpoint, OpenError> {
        let mut evidence = Arc::new(evidence);
        let mut places = locate::containers(&evidence);
        let nested = places.is_empty();
        if nested {
            evidence = Arc::new(self.inner(&evidence)?);
            places = locate::containers(&evidence);
        }
        let place = match places.as_slice() {
            // It was picked already, by the name of its archive; its own may be another.
            [only] if nested => only.clone(),
            _ => self.pick(&evidence, &places)?,
        };
        let directory = self.pick_directory(&place)?;
        let defects = Defects::default();
        for defect in evidence.defects() {
            defects.tell(kind_of(defect), defect.place(), defect.to_string());
        }
        let chain = self.chain(&evidence, &place, directory.as_ref(), &defects)?;
        let archive = self.archive.clone().unwatched();
        Ok(Checkpoint::new(evidence, place, directory, chain, defects, archive))
    }

    fn archive_options(&self) -> ckpt_archive::Options {
        match self.need {
            Need::Everything => self.archive.clone(),
            need => self.archive.clone().select(Arc::new(Selector::new(need))),
        }
    }

    /// The one archive inside evidence that has no images itself: pod checkpoints, directories of archives.
    fn inner(&self, evidence: &Evidence) -> Result<Evidence, OpenError> {
        let archives: Vec<_> = evidence
            .members()
            .iter()
            .filter(|member| matches!(member.kind, MemberKind::File | MemberKind::HardLink))
            .filter(|member| {
                let content = evidence.content(member).ok();
                let start = content
                    .and_then(|content| content.slice(0..content.captured_len().min(1024)).ok());
                start.is_some_and(|start| ckpt_archive::begins_like_archive(&start))
            })
            .collect();
        let pod = PodOptions::of(evidence);
        let name = |path: &[u8]| match pod.name_of(path) {
            Some(name) => Text::from(name).escaped().into_owned(),
            None => Text::from(path).escaped().into_owned(),
        };
        let wanted: Vec<_> = match &self.container {
            None => archives.clone(),
            Some(container) => {
                let matching =
                    |path: &[u8]| names(path, container) || pod.name_of(path) == Some(container);
                archives.iter().copied().filter(|member| matching(&member.path)).collect()
            }
        };
        match wanted.as_slice() {
            [only] => {
                let inner = evidence.nested(only, &self.archive_options())?;
                if locate::containers(&inner).is_empty() {
                    return Err(OpenError::NoImages {
                        evidence: format!(
                            "{}: {}",
                            evidence.name(),
                            Text::from(only.path.as_slice()).escaped()
                        ),
                    });
                }
                Ok(inner)
            }
            [] if archives.is_empty() => {
                Err(OpenError::NoImages { evidence: evidence.name().to_owned() })
            }
            _ => Err(OpenError::SeveralContainers {
                evidence: evidence.name().to_owned(),
                names: archives.iter().map(|member| name(&member.path)).collect(),
                wanted: self.container.clone(),
            }),
        }
    }

    fn pick(
        &self,
        evidence: &Evidence,
        places: &[ContainerPlace],
    ) -> Result<ContainerPlace, OpenError> {
        let described = || {
            let quiet = Defects::default();
            places
                .iter()
                .map(move |place| {
                    (
                        place,
                        engine::describe(
                            &Metadata::new(evidence, place.path.as_bytes(), &quiet),
                            &quiet,
                        ),
                    )
                })
                .collect::<Vec<_>>()
        };
        if let ([only], None) = (places, &self.container) {
            return Ok(only.clone());
        }
        let described = described();
        let pod = PodOptions::of(evidence);
        let mut wanted = described.iter().filter(|(place, container)| match &self.container {
            None => true,
            Some(name) => {
                let named = [&container.name, &container.engine_name]
                    .into_iter()
                    .flatten()
                    .any(|known| known == name);
                let id = container
                    .id
                    .as_ref()
                    .is_some_and(|id| name.len() >= 4 && id.starts_with(name.as_str()));
                let path = place.path.as_bytes();
                let in_pod = pod.name_of(path) == Some(name.as_str());
                named || id || (places.len() > 1 && (names(path, name) || in_pod))
            }
        });
        match (wanted.next(), wanted.next()) {
            (Some((only, _)), None) => Ok((*only).clone()),
            _ => Err(OpenError::SeveralContainers {
                evidence: evidence.name().to_owned(),
                names: described
                    .iter()
                    .map(|(place, container)| {
                        let name = container.name.clone().unwrap_or_default();
                        let name = crate::text::escape(name.as_bytes()).into_owned();
                        let path = place.path.folder();
                        if name.is_empty() { path.into_owned() } else { name }
                    })
                    .collect(),
                wanted: self.container.clone(),
            }),
        }
    }

    fn pick_directory(&self, place: &ContainerPlace) -> Result<Option<ImageDirectory>, OpenError> {
        let Some(wanted) = &self.images else {
            return Ok(locate::leaf(&place.directories).cloned());
        };
        let wanted = wanted.trim_start_matches("./").trim_end_matches('/');
        let exact = place
            .directories
            .iter()
            .find(|directory| directory.path.as_bytes() == wanted.as_bytes());
        let mut ending =
            place.directories.iter().filter(|directory| names(directory.path.as_bytes(), wanted));
        let found = exact.or_else(|| match (ending.next(), ending.next()) {
            (Some(only), None) => Some(only),
            _ => None,
        });
        found.cloned().map(Some).ok_or_else(|| OpenError::NoSuchDirectory {
            wanted: wanted.to_owned(),
            known: place
                .directories
                .iter()
                .map(|directory| directory.path.folder().into_owned())
                .collect(),
        })
    }

    /// The image directory and its parents, nearest first.
    fn chain(
        &self,
        evidence: &Arc<Evidence>,
        place: &ContainerPlace,
        directory: Option<&ImageDirectory>,
        defects: &Defects,
    ) -> Result<Vec<Images>, OpenError> {
        let mut chain = Vec::new();
        let Some(directory) = directory else { return Ok(chain) };
        climb(evidence, place, directory, &mut chain, defects);
        for parent in &self.parents {
            let path = parent.as_path();
            let evidence = Arc::new(Evidence::open(path, &self.archive.clone().unwatched())?);
            for defect in evidence.defects() {
                defects.tell(
                    kind_of(defect),
                    format!("{}: {}", evidence.name(), defect.place()),
                    defect.to_string(),
                );
            }
            let places = locate::containers(&evidence);
            let found =
                places.iter().find_map(|place| Some((place, locate::leaf(&place.directories)?)));
            let Some((place, directory)) = found else {
                return Err(OpenError::NoImages { evidence: evidence.name().to_owned() });
            };
            climb(&evidence, place, directory, &mut chain, defects);
        }
        Ok(chain)
    }
}

/// Follows `parent` links inside one evidence.
fn climb(
    evidence: &Arc<Evidence>,
    place: &ContainerPlace,
    from: &ImageDirectory,
    chain: &mut Vec<Images>,
    defects: &Defects,
) {
    chain.push(Images::new(Arc::clone(evidence), from.path.clone()));
    if from.parent.is_none() {
        return;
    }
    let by_path: HashMap<&Text, &ImageDirectory> =
        place.directories.iter().map(|directory| (&directory.path, directory)).collect();
    let folders = Folders::of(evidence);
    let mut visited = HashSet::from([&from.path]);
    let mut here = from;
    while let Some(found) = here.parent.as_ref().and_then(|link| link.found.as_ref())
        && let Some(next) = by_path.get(found)
    {
        if !visited.insert(&next.path) {
            let what = format!("the chain of parents comes back to {}", next.path);
            defects.suspect(here.path.inside("parent"), what);
            return;
        }
        chain.push(Images::of_folder(Arc::clone(evidence), next.path.clone(), &folders));
        here = next;
    }
}

/// Whether a path is, or ends in, what the user typed; an archive also without its endings.
fn names(path: &[u8], typed: &str) -> bool {
    let typed = typed.as_bytes();
    let last = locate::split(path).1;
    let stem = last.split(|byte| *byte == b'.').next().unwrap_or_default();
    let ends = path.strip_suffix(typed).is_some_and(|rest| rest.is_empty() || rest.ends_with(b"/"));
    ends || last == typed || stem == typed
}

/// Why there is no checkpoint to show.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The evidence itself could not be opened.
    #[error(transparent)]
    Archive(#[from] ckpt_archive::Error),
    /// No CRIU image and no description of a container in it.
    #[error(
        "{evidence}: no checkpoint in it: neither CRIU images (inventory.img, pstree.img) nor an engine's config.dump"
    )]
    NoImages {
        /// What was opened.
        evidence: String,
    },
    /// More than one container, and none or no single one picked.
    #[error(
        "{evidence}: {} {}; pick one with --container",
        match wanted { None => "holds several checkpoints:".to_owned(), Some(w) => format!("no single checkpoint is called `{w}` among") },
        names.join(", ")
    )]
    SeveralContainers {
        /// What was opened.
        evidence: String,
        /// The containers in it, safe for a terminal.
        names: Vec<String>,
        /// The one asked for.
        wanted: Option<String>,
    },
    /// No image directory of that name.
    #[error("no image directory `{wanted}`; there are: {}", known.join(", "))]
    NoSuchDirectory {
        /// The one asked for.
        wanted: String,
        /// Those there are, safe for a terminal.
        known: Vec<String>,
    },
}
