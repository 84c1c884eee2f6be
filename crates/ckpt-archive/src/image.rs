//! Images: blobs that are layers, put together as one listing.
//!
//! Members of layers appear in layer order; of two with one path the later is found by name. Whiteouts (`.wh.NAME`) are listed
//! as what they are and take nothing away: what a layer deletes is evidence too.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::content::as_u64;
use crate::defect::{Defect, DefectKind, DefectList, Place};
use crate::digest::sha256;
use crate::evidence::{Evidence, Image, Part};
use crate::member::{Member, MemberKind, Stored, Timestamp};
use crate::options::Options;
use crate::{ContentError, Error, docker, oci, open};

/// A blob that an image names.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Blob {
    /// `sha256:` and so on, or the path where the format has no digests.
    pub digest: String,
    /// As the image gives it; may be empty.
    pub media_type: String,
    /// Bytes according to the image, if it says.
    pub size: Option<u64>,
    /// What the image uses it for.
    pub role: BlobRole,
    /// Its member in [`Evidence::outer`], if it is there.
    pub path: Option<Vec<u8>>,
}

/// What an image uses a blob for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BlobRole {
    /// A list of manifests.
    Index,
    /// A list of layers.
    Manifest,
    /// The image's configuration.
    Config,
    /// An archive whose members are listed.
    Layer,
    /// A document that is listed as one member.
    Document,
    /// Nothing here: a further manifest, or something of unknown type.
    Unused,
}

/// The result of hashing a blob.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BlobCheck {
    /// The bytes have the digest.
    Good,
    /// The bytes have another digest.
    Bad {
        /// The digest of the bytes, as `sha256:` and hexadecimal digits.
        found: String,
    },
    /// The image gives no digest, or one that is not sha256.
    Unknown,
    /// The blob is not there.
    Missing,
}

pub(crate) fn check(outer: Option<&Evidence>, blob: &Blob) -> Result<BlobCheck, ContentError> {
    let member = outer.and_then(|outer| Some((outer, outer.get(blob.path.as_deref()?)?)));
    let Some((outer, member)) = member else { return Ok(BlobCheck::Missing) };
    if !blob.digest.starts_with("sha256:") {
        return Ok(BlobCheck::Unknown);
    }
    let found = format!("sha256:{}", sha256(&outer.content(member)?)?);
    Ok(if found == blob.digest { BlobCheck::Good } else { BlobCheck::Bad { found } })
}

/// Opens the image if `raw` is one; gives `raw` back otherwise.
pub(crate) fn interpret(raw: Evidence, options: &Options) -> Result<Evidence, Error> {
    if oci::is_layout(&raw) {
        return oci::open(raw, options);
    }
    match docker::find(&raw) {
        Some(shape) => docker::open(raw, shape, options),
        None => Ok(raw),
    }
}

/// An image while its blobs are opened.
pub(crate) struct Assembly<'a> {
    pub(crate) raw: Evidence,
    pub(crate) options: &'a Options,
    pub(crate) defects: DefectList,
    pub(crate) annotations: BTreeMap<String, String>,
    blobs: Vec<Blob>,
    parts: Vec<Part>,
    members: Vec<Member>,
    /// Bytes held for the listing so far.
    metadata: u64,
    /// Blobs whose content became members.
    used: usize,
    /// Why the last unusable blob was so.
    reason: Option<String>,
}

impl<'a> Assembly<'a> {
    pub(crate) fn new(raw: Evidence, options: &'a Options) -> Self {
        Assembly {
            raw,
            options,
            defects: DefectList::new(options.limits.max_defects),
            annotations: BTreeMap::new(),
            blobs: Vec::new(),
            parts: Vec::new(),
            members: Vec::new(),
            metadata: 0,
            used: 0,
            reason: None,
        }
    }

    /// Reads a JSON document of the image.
    pub(crate) fn json<T: DeserializeOwned>(&self, path: &[u8]) -> Result<T, String> {
        json(&self.raw, path, self.options.limits.max_json)
    }

    /// Remembers a blob, and tells if it is not there or not as long as it should be. Gives its path if it is there.
    pub(crate) fn blob(&mut self, mut blob: Blob) -> Option<Vec<u8>> {
        let found = blob.path.take().and_then(|path| self.raw.get(&path));
        let path = found.map(|member| member.path.clone());
        // A hard link has no size of its own.
        let size = found.filter(|member| member.is_file()).map(|member| member.size);
        blob.path.clone_from(&path);
        if path.is_none() && blob.role != BlobRole::Unused {
            let media_type = blob.media_type.clone();
            self.defects.push(Defect::blob(DefectKind::MissingBlob { media_type }, &blob.digest));
            self.reason = Some(format!("blob {} is not there", blob.digest));
        }
        if let (Some(expected), Some(found)) = (blob.size, size)
            && expected != found
        {
            self.defects.push(Defect::blob(DefectKind::BlobSize { expected, found }, &blob.digest));
        }
        self.blobs.push(blob);
        path
    }

    pub(crate) fn unusable(&mut self, digest: &str, reason: String) {
        self.reason = Some(format!("blob {digest}: {reason}"));
        self.defects.push(Defect::blob(DefectKind::UnreadableBlob { reason }, digest));
    }

    pub(crate) fn ignored(&mut self, digest: &str, what: String) {
        self.defects.push(Defect::blob(DefectKind::Ignored { what }, digest));
    }

    /// Lists the members of an archive blob, with `prefix` before their paths.
    pub(crate) fn layer(&mut self, blob: Blob, prefix: &[u8]) -> Result<(), Error> {
        let digest = blob.digest.clone();
        let Some(member) = self.blob(blob).and_then(|path| self.raw.get(&path).cloned()) else {
            return Ok(());
        };
        if self.is_full(&digest) {
            return Ok(());
        }
        let name = format!("{}:{digest}", self.raw.name);
        let opened = self
            .raw
            .content(&member)
            .map_err(|source| Error::Member { name: name.clone(), source })
            .and_then(|content| open::content(&name, &content, self.options, prefix));
        match opened {
            Ok(layer) => self.add(layer, &digest),
            // The blob is at fault: the others may be good.
            Err(
                error @ (Error::Empty { .. }
                | Error::NotAnArchive { .. }
                | Error::Unsupported { .. }
                | Error::Nesting { .. }
                | Error::Member { .. }),
            ) => self.unusable(&digest, with_sources(&error)),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn add(&mut self, layer: Evidence, digest: &str) {
        self.used = self.used.saturating_add(1);
        let origin: Arc<str> = digest.into();
        let first_part = as_u64(self.parts.len());
        for part in layer.parts {
            self.parts.push(Part { origin: Some(Arc::clone(&origin)), ..part });
        }
        for mut member in layer.members {
            member.stored.part = u64::from(member.stored.part)
                .checked_add(first_part)
                .and_then(|part| u32::try_from(part).ok())
                .unwrap_or(u32::MAX);
            self.push(member);
        }
        for mut defect in layer.defects {
            if defect.place == Place::Archive {
                defect.place = Place::Blob(Arc::clone(&origin));
            }
            self.defects.push(defect);
        }
    }

    /// Lists a blob as one member with a name that is made here.
    pub(crate) fn document(&mut self, blob: Blob, name: &[u8]) {
        let digest: Arc<str> = blob.digest.as_str().into();
        let Some(found) = self.blob(blob).and_then(|path| self.raw.get(&path).cloned()) else {
            return;
        };
        let part =
            usize::try_from(found.stored.part).ok().and_then(|part| self.raw.parts.get(part));
        let (Some(part), MemberKind::File) = (part.cloned(), found.kind) else {
            self.unusable(&digest, format!("it is a {}", found.kind));
            return;
        };
        let stored = Stored {
            part: u32::try_from(self.parts.len()).unwrap_or(u32::MAX),
            ..found.stored.clone()
        };
        self.parts.push(Part { origin: Some(digest), prefix: Arc::default(), ..part });
        self.used = self.used.saturating_add(1);
        // The raw path stays that of the blob: it is what the evidence says, and where a directory has the file.
        self.push(Member {
            path: name.to_vec(),
            // Whatever times the blob has, they are not the document's.
            mtime: Timestamp::default(),
            atime: None,
            ctime: None,
            mode: 0,
            stored,
            ..found
        });
    }

    fn push(&mut self, mut member: Member) {
        if let Ok(id) = u32::try_from(self.members.len()) {
            member.id = id;
            self.metadata = self.metadata.saturating_add(member.weight());
            self.members.push(member);
        }
    }

    /// Whether the layers so far use up what one evidence may hold. Each layer keeps the limits by itself, but an image may name
    /// the same layer hundreds of times.
    fn is_full(&mut self, digest: &str) -> bool {
        let limits = &self.options.limits;
        let kind = if self.members.len() >= limits.max_members {
            DefectKind::Limit { what: "members", limit: as_u64(limits.max_members) }
        } else if self.metadata > limits.max_metadata {
            DefectKind::Limit { what: "bytes of metadata", limit: limits.max_metadata }
        } else {
            return false;
        };
        self.defects.push(Defect::blob(kind, digest));
        true
    }

    /// The image as evidence.
    pub(crate) fn finish(self, shape: &str) -> Result<Evidence, Error> {
        let raw = self.raw;
        if self.used == 0 {
            let reason = self.reason.unwrap_or_else(|| "it names none".to_owned());
            return Err(Error::NoLayers { name: raw.name, reason });
        }
        // A plain docker archive is always a tar, so only a compression is worth a word.
        let kind = match (shape, raw.kind.as_str()) {
            (_, "directory") | ("docker-archive", "tar") => shape.to_owned(),
            (_, archive) => format!("{shape} {archive}"),
        };
        let mut defects = raw.defects.clone();
        defects.extend(self.defects.into_vec());
        let mut evidence = Evidence::empty(&raw, kind);
        evidence.members = self.members;
        evidence.parts = self.parts;
        evidence.defects = defects;
        evidence.index();
        // Bytes behind the archive belong to the archive that holds the blobs.
        if let Some(mut trailing) = raw.trailing.clone() {
            trailing.part = u32::try_from(evidence.parts.len()).unwrap_or(u32::MAX);
            evidence.parts.extend(raw.parts.first().cloned());
            evidence.trailing = Some(trailing);
        }
        evidence.image =
            Some(Box::new(Image { outer: raw, annotations: self.annotations, blobs: self.blobs }));
        Ok(evidence)
    }
}

/// An error as one sentence, with what caused it.
fn with_sources(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |sentence, cause| format!("{sentence}: {cause}"))
}

/// Reads a JSON document.
pub(crate) fn json<T: DeserializeOwned>(
    raw: &Evidence,
    path: &[u8],
    max: u64,
) -> Result<T, String> {
    let member = raw.get(path).ok_or("it is not there")?;
    let content = raw.content(member).map_err(|error| error.to_string())?;
    if content.len() > max {
        return Err(format!("its {} bytes are more than the limit of {max}", content.len()));
    }
    let bytes = content.bytes().map_err(|error| error.to_string())?;
    serde_json::from_slice(&bytes).map_err(|error| error.to_string())
}
