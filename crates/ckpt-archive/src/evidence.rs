//! Evidence that is open: its members, found by path, and their contents.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use crate::content::{Content, as_u64};
use crate::defect::{Defect, DefectKind, DefectList};
use crate::digest::Sha256Digest;
use crate::directory::Root;
use crate::image::{Blob, BlobCheck};
use crate::limits::Limits;
use crate::member::{Member, MemberKind, Stored};
use crate::name::{Escaped, normalise};
use crate::options::Options;
use crate::walk::Listing;
use crate::{ContentError, Error, open};

/// Open evidence: an index of members over bytes that stay where they are.
pub struct Evidence {
    pub(crate) name: String,
    /// Bytes of the path, where they are not UTF-8.
    pub(crate) name_bytes: Option<Box<[u8]>>,
    pub(crate) kind: String,
    pub(crate) size: u64,
    pub(crate) parts: Vec<Part>,
    pub(crate) members: Vec<Member>,
    /// Member ids by path; for equal paths in archive order.
    by_path: Vec<u32>,
    /// Where each hard link leads in the end, by id: to a member that is none, or to the last link on the way when nothing is
    /// there or the links are a ring.
    ends: HashMap<u32, u32>,
    pub(crate) defects: Vec<Defect>,
    pub(crate) trailing: Option<Stored>,
    pub(crate) sha256: Option<Sha256Digest>,
    pub(crate) image: Option<Box<Image>>,
    pub(crate) depth: u32,
    pub(crate) limits: Limits,
    /// Whether its bytes passed by somebody who watched.
    pub(crate) watched: bool,
}

/// What makes evidence an image.
#[derive(Debug)]
pub(crate) struct Image {
    pub(crate) outer: Evidence,
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) blobs: Vec<Blob>,
}

/// Where the bytes of some members are.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) store: Store,
    /// The blob, if this is a layer of an image.
    pub(crate) origin: Option<Arc<str>>,
    /// What its members' paths have before them.
    pub(crate) prefix: Arc<[u8]>,
}

#[derive(Debug, Clone)]
pub(crate) enum Store {
    Bytes(Bytes),
    Directory(Arc<Root>),
}

impl Part {
    pub(crate) fn new(store: Store) -> Self {
        Part { store, origin: None, prefix: Arc::default() }
    }
}

impl Evidence {
    /// Opens a file or a directory. What it is, is found out by its content; pipes and devices are read as
    /// [`Evidence::from_reader`] does.
    pub fn open(path: &Path, options: &Options) -> Result<Evidence, Error> {
        open::path(path, options)
    }

    /// Opens what a reader gives, such as standard input. It is read to its end; members go to the spool.
    pub fn from_reader<R>(name: &str, reader: R, options: &Options) -> Result<Evidence, Error>
    where
        R: Read + Send + 'static,
    {
        open::reader(name, Box::new(reader), options)
    }

    /// Hashes evidence while it passes by once: an archive as it lies there ([`Evidence::sha256`]), and each of its files
    /// ([`Member::sha256`]). Of a directory its files are hashed, several at once.
    ///
    /// Nothing is kept: contents cannot be asked for afterwards. Images are not looked into; their blobs are members.
    pub fn hash(path: &Path, options: &Options) -> Result<Evidence, Error> {
        open::hash_path(path, options)
    }

    /// As [`Evidence::hash`], of an archive that a reader gives. It is read to its end.
    pub fn hash_reader<R>(name: &str, reader: R, options: &Options) -> Result<Evidence, Error>
    where
        R: Read + Send + 'static,
    {
        open::hash_reader(name, Box::new(reader), None, options)
    }

    /// Opens an archive in memory.
    pub fn from_bytes(name: &str, bytes: Bytes, options: &Options) -> Result<Evidence, Error> {
        open::bytes(name, bytes, options)
    }

    /// Opens a member that is an archive itself, such as a `rootfs-diff.tar`, compressed or not.
    ///
    /// Images are not looked for inside: a file system that a container wrote could pretend to be one, and hide behind it.
    pub fn nested(&self, member: &Member, options: &Options) -> Result<Evidence, Error> {
        let name = format!("{}:{}", self.name, Escaped(&member.path));
        let depth = self.depth.saturating_add(1);
        if depth > options.limits.max_nesting {
            return Err(Error::Nesting { name, limit: options.limits.max_nesting });
        }
        let content =
            self.content(member).map_err(|source| Error::Member { name: name.clone(), source })?;
        let mut evidence = open::content(&name, &content, options, b"")?;
        evidence.depth = depth;
        Ok(evidence)
    }

    /// As the user named it, bytes that are not UTF-8 as `\xff`; for nested evidence the path of archives to it, joined with `:`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The bytes of the path that the user named, where they are not UTF-8.
    pub fn name_bytes(&self) -> Option<&[u8]> {
        self.name_bytes.as_deref()
    }

    /// What it is: `tar`, `tar.zst`, `tar.gz.zst` (innermost first), `directory`, `oci-layout`, `oci-layout tar`,
    /// `oci-layout tar.gz`, `docker-archive`, `docker-archive tar.gz`, `docker-dir`.
    pub fn kind(&self) -> String {
        self.kind.clone()
    }

    /// Bytes of the file as it lies there (compressed, if it is), or as read from the reader; for a directory the sum of its
    /// regular files.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// SHA-256 of the archive as it lies there, every byte to the end of the file; only when it was opened by
    /// [`Evidence::hash`]. A directory has none.
    pub fn sha256(&self) -> Option<Sha256Digest> {
        self.sha256
    }

    /// All members, duplicates included: archives in archive order, directories by path, images layer by layer.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The member at a normalised path. Of several with the same path the last one, which is the one that an extraction leaves.
    pub fn get(&self, path: &[u8]) -> Option<&Member> {
        self.group(path).last().and_then(|id| self.by_id(*id))
    }

    /// Whether there is a directory at the normalised path, as a member or because members lie below it.
    pub fn is_dir(&self, path: &[u8]) -> bool {
        self.get(path).is_some_and(Member::is_dir) || self.under(path).next().is_some()
    }

    /// The members directly in the directory at the normalised path (empty for the top), by path; of duplicates the last one.
    /// Directories that are not members themselves do not appear.
    pub fn children(&self, path: &[u8]) -> Children<'_> {
        Children { direct: true, ..self.under(path) }
    }

    /// All members below the directory at the normalised path (empty for the top), by path; of duplicates the last one.
    pub fn under(&self, path: &[u8]) -> Children<'_> {
        let prefix = if path.is_empty() { Vec::new() } else { [path, b"/"].concat() };
        let start = self.by_path.partition_point(|id| self.path_of(*id) < prefix.as_slice());
        let behind = self.by_path.partition_point(|id| {
            let path = self.path_of(*id);
            path < prefix.as_slice() || path.starts_with(&prefix)
        });
        let ids = self.by_path.get(start..behind).unwrap_or_default();
        Children { evidence: self, ids, prefix: prefix.len(), direct: false }
    }

    /// The content of a member of this evidence. Hard links are followed; symlinks are not.
    ///
    /// Archives only slice their mapping here. In a directory the file is opened now, each time.
    pub fn content(&self, member: &Member) -> Result<Content, ContentError> {
        let member = self.follow(member)?;
        let part = usize::try_from(member.stored.part).ok().and_then(|part| self.parts.get(part));
        let max_copy = self.limits.max_copy;
        match part.map(|part| &part.store) {
            Some(Store::Bytes(bytes)) => {
                let sparse = member.sparse.as_deref();
                Ok(Content::stored(bytes, &member.stored, sparse, member.size, max_copy))
            }
            Some(Store::Directory(root)) => root.read(&member.raw_path, member.size, max_copy),
            None => Err(ContentError::NotAFile { kind: member.kind }),
        }
    }

    /// Annotations of the image: of its manifest, and where that says nothing, of the indexes on the way to it.
    pub fn annotations(&self) -> &BTreeMap<String, String> {
        static NONE: BTreeMap<String, String> = BTreeMap::new();
        self.image.as_ref().map_or(&NONE, |image| &image.annotations)
    }

    /// If this is an image: the archive or directory that holds its blobs, as it lies there.
    pub fn outer(&self) -> Option<&Evidence> {
        self.image.as_ref().map(|image| &image.outer)
    }

    /// If this is an image: the blobs that it names. Opening does not hash them, see [`Evidence::check_blob`].
    pub fn blobs(&self) -> &[Blob] {
        self.image.as_ref().map_or(&[], |image| &image.blobs)
    }

    /// Hashes a blob and compares it with its digest.
    pub fn check_blob(&self, blob: &Blob) -> Result<BlobCheck, ContentError> {
        crate::image::check(self.outer(), blob)
    }

    /// The blob (by digest or path) that the member comes from, if this is an image.
    pub fn origin(&self, member: &Member) -> Option<&str> {
        let part = usize::try_from(member.stored.part).ok()?;
        self.parts.get(part)?.origin.as_deref()
    }

    /// Where bytes of a content passed by a [`Watch`](crate::Watch), if they did: they lie there in one piece.
    pub fn passed_at(&self, bytes: &[u8]) -> Option<u64> {
        if let Some(outer) = self.outer() {
            return outer.passed_at(bytes);
        }
        let spool = match self.parts.first().map(|part| &part.store) {
            Some(Store::Bytes(spool)) if self.watched => spool,
            _ => return None,
        };
        let offset = bytes.as_ptr().addr().checked_sub(spool.as_ptr().addr())?;
        let end = offset.checked_add(bytes.len())?;
        (end <= spool.len()).then_some(as_u64(offset))
    }

    /// The bytes behind the end of the archive, from the first that is not zero. They are told as
    /// [`DefectKind::TrailingBytes`].
    pub fn trailing(&self) -> Option<Content> {
        let stored = self.trailing.as_ref()?;
        let part = self.parts.get(usize::try_from(stored.part).ok()?)?;
        match &part.store {
            Store::Bytes(bytes) => {
                Some(Content::stored(bytes, stored, None, stored.packed, self.limits.max_copy))
            }
            Store::Directory(_) => None,
        }
    }

    /// What is wrong with it, in the order found.
    pub fn defects(&self) -> &[Defect] {
        &self.defects
    }

    /// Puts together an archive or directory, and tells what shows only when all members are known.
    pub(crate) fn new(
        name: &str,
        kind: String,
        size: u64,
        part: Part,
        listing: Listing,
        limits: &Limits,
    ) -> Self {
        let mut evidence = Evidence {
            name: name.to_owned(),
            name_bytes: None,
            kind,
            size,
            parts: vec![part],
            members: listing.members,
            by_path: Vec::new(),
            ends: HashMap::new(),
            defects: Vec::new(),
            trailing: listing.trailing,
            sha256: None,
            image: None,
            depth: 0,
            limits: *limits,
            watched: false,
        };
        evidence.index();
        let mut defects = listing.defects;
        evidence.tell_duplicates(&mut defects);
        evidence.tell_dangling_links(&mut defects);
        evidence.defects = defects.into_vec();
        evidence
    }

    /// Evidence like `raw` without anything in it, for an image to be put together.
    pub(crate) fn empty(raw: &Evidence, kind: String) -> Self {
        Evidence {
            name: raw.name.clone(),
            name_bytes: raw.name_bytes.clone(),
            kind,
            size: raw.size,
            parts: Vec::new(),
            members: Vec::new(),
            by_path: Vec::new(),
            ends: HashMap::new(),
            defects: Vec::new(),
            trailing: None,
            sha256: None,
            image: None,
            depth: raw.depth,
            limits: raw.limits,
            watched: false,
        }
    }

    /// Sorts the members' ids by path, and finds where hard links lead.
    pub(crate) fn index(&mut self) {
        let mut by_path: Vec<u32> = self.members.iter().map(|member| member.id).collect();
        // The ids ascend, so a stable sort keeps the archive order of duplicates.
        by_path.sort_by(|a, b| self.path_of(*a).cmp(self.path_of(*b)));
        self.by_path = by_path;
        self.ends = self.follow_all();
    }

    /// Follows every hard link. Each is passed once, however many lead to it.
    fn follow_all(&self) -> HashMap<u32, u32> {
        let mut ends = HashMap::new();
        let mut passed = Vec::new();
        let mut ring = HashSet::new();
        for link in self.members.iter().filter(|member| member.kind == MemberKind::HardLink) {
            let mut here = link;
            let end = loop {
                if let Some(end) = ends.get(&here.id) {
                    break *end;
                }
                if here.kind != MemberKind::HardLink || !ring.insert(here.id) {
                    break here.id;
                }
                passed.push(here.id);
                match self.link_target(here) {
                    Some(target) => here = target,
                    None => break here.id,
                }
            };
            ends.extend(passed.drain(..).map(|id| (id, end)));
            ring.clear();
        }
        ends
    }

    fn tell_duplicates(&self, defects: &mut DefectList) {
        for group in self.by_path.chunk_by(|a, b| self.path_of(*a) == self.path_of(*b)) {
            if group.len() < 2 {
                continue;
            }
            // Writers repeat directories without harm.
            let members = group.iter().filter_map(|id| self.by_id(*id));
            let files: Vec<&Member> = members.filter(|member| !member.is_dir()).collect();
            if let [_, .., last] = files.as_slice() {
                let kind = DefectKind::Duplicate { count: as_u64(files.len()) };
                defects.push(Defect::member(kind, &last.path, Some(last.header_offset)));
            }
        }
    }

    fn tell_dangling_links(&self, defects: &mut DefectList) {
        for member in &self.members {
            if member.kind == MemberKind::HardLink && self.link_target(member).is_none() {
                let target = member.link_target.clone().unwrap_or_default();
                let kind = DefectKind::DanglingLink { target };
                defects.push(Defect::member(kind, &member.path, Some(member.header_offset)));
            }
        }
    }

    fn by_id(&self, id: u32) -> Option<&Member> {
        self.members.get(usize::try_from(id).ok()?)
    }

    fn path_of(&self, id: u32) -> &[u8] {
        self.by_id(id).map(|member| member.path.as_slice()).unwrap_or_default()
    }

    /// Ids of all members at the path.
    fn group(&self, path: &[u8]) -> &[u32] {
        let start = self.by_path.partition_point(|id| self.path_of(*id) < path);
        let behind = self.by_path.partition_point(|id| self.path_of(*id) <= path);
        self.by_path.get(start..behind).unwrap_or_default()
    }

    /// The member that a hard link names: the last one before the link, as an extraction would have it; otherwise the last one
    /// after it.
    fn link_target(&self, link: &Member) -> Option<&Member> {
        let part = self.parts.get(usize::try_from(link.stored.part).ok()?)?;
        let (path, _) = normalise(link.link_target.as_deref()?);
        let group = self.group(&[&part.prefix, path.as_slice()].concat());
        // The ids of a group ascend.
        let before = group.partition_point(|id| *id < link.id).checked_sub(1);
        let before = before.and_then(|at| group.get(at));
        before.or(group.last().filter(|id| **id != link.id)).and_then(|id| self.by_id(*id))
    }

    fn follow<'a>(&'a self, member: &'a Member) -> Result<&'a Member, ContentError> {
        let end = match member.kind {
            MemberKind::HardLink => self.ends.get(&member.id).and_then(|end| self.by_id(*end)),
            _ => Some(member),
        };
        let end = end.unwrap_or(member);
        match end.kind {
            MemberKind::File | MemberKind::Other(_) => Ok(end),
            MemberKind::HardLink => {
                let target = end.link_target.as_deref().unwrap_or_default();
                Err(ContentError::LinkTarget { target: Escaped(target).to_string() })
            }
            kind => Err(ContentError::NotAFile { kind }),
        }
    }
}

impl fmt::Debug for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Evidence")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("size", &self.size)
            .field("members", &self.members.len())
            .field("defects", &self.defects)
            .finish_non_exhaustive()
    }
}

/// Members of a directory: an iterator, see [`Evidence::children`] and [`Evidence::under`].
#[derive(Debug, Clone)]
pub struct Children<'a> {
    evidence: &'a Evidence,
    ids: &'a [u32],
    prefix: usize,
    direct: bool,
}

impl<'a> Iterator for Children<'a> {
    type Item = &'a Member;

    fn next(&mut self) -> Option<&'a Member> {
        loop {
            let (id, rest) = self.ids.split_first()?;
            self.ids = rest;
            let member = self.evidence.by_id(*id)?;
            let below = member.path.get(self.prefix..).unwrap_or_default();
            let repeated =
                rest.first().is_some_and(|next| self.evidence.path_of(*next) == member.path);
            // The directory itself has an empty path at the top.
            let deeper = self.direct && below.contains(&b'/');
            if !(repeated || deeper || below.is_empty()) {
                return Some(member);
            }
        }
    }
}
