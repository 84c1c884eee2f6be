//! From a path, a reader or bytes to evidence: sniff, unpack, walk, and look whether it is an image.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use rustix::fs::OFlags;

use crate::content::{Content, as_u64, clip};
use crate::decompress::{Feed, Report, Source};
use crate::defect::{Defect, DefectKind};
use crate::directory::{Root, open_quietly};
use crate::evidence::{Evidence, Part, Store};
use crate::hashing;
use crate::header::BLOCK;
use crate::map::map;
use crate::options::Options;
use crate::sniff::{self, Codec, HEAD};
use crate::stream::{Purpose, StreamTape};
use crate::tape::MapTape;
use crate::walk::{Listing, walk};
use crate::{Error, image};

/// How an archive is opened.
#[derive(Clone, Copy)]
struct Role<'a> {
    /// Put before the members' paths.
    prefix: &'a [u8],
    /// What a stream of it is read for. An image may hide in evidence, so that its blobs must not be lost.
    purpose: Purpose,
}

const TOP: Role<'static> = Role { prefix: b"", purpose: Purpose::Serve { images: true } };

pub(crate) fn path(path: &Path, options: &Options) -> Result<Evidence, Error> {
    named(path, |name| unnamed(name, path, options))
}

/// Opens evidence under a name that loses nothing of its path.
fn named(
    path: &Path,
    open: impl FnOnce(&str) -> Result<Evidence, Error>,
) -> Result<Evidence, Error> {
    let bytes = path.as_os_str().as_encoded_bytes();
    let mut name = String::new();
    for chunk in bytes.utf8_chunks() {
        name.push_str(chunk.valid());
        name.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    let mut evidence = open(&name)?;
    evidence.name_bytes = path.to_str().is_none().then(|| bytes.into());
    Ok(evidence)
}

fn unnamed(name: &str, path: &Path, options: &Options) -> Result<Evidence, Error> {
    let encoded = path.as_os_str().as_encoded_bytes();
    let fd = open_quietly(rustix::fs::CWD, encoded, OFlags::empty())
        .map_err(|error| Error::io("open", path, error))?;
    let file = File::from(fd);
    let metadata = file.metadata().map_err(|error| Error::io("open", path, error))?;
    if metadata.is_dir() {
        return image::interpret(directory(name, path, options)?, options);
    }
    // Pipes and devices cannot be mapped.
    if !metadata.is_file() {
        return reader(name, Box::new(file), options);
    }
    let mut head = [0; BLOCK];
    let got = file.read_at(&mut head, 0).map_err(|error| Error::io("read", path, error))?;
    if Codec::of(head.get(..got).unwrap_or_default()).is_some() {
        // Read once from start to end, which mapping would only make slower.
        let total = Some(metadata.len());
        let raw = stream(name, Source::Reader(Box::new(file)), total, options, TOP)?;
        return image::interpret(raw, options);
    }
    match map(&file) {
        Ok(mapped) => bytes(name, mapped, options),
        // Files of some virtual file systems.
        Err(_) => reader(name, Box::new(file), options),
    }
}

/// Hashes what is at a path: see [`Evidence::hash`].
pub(crate) fn hash_path(path: &Path, options: &Options) -> Result<Evidence, Error> {
    named(path, |name| hash_unnamed(name, path, options))
}

fn hash_unnamed(name: &str, path: &Path, options: &Options) -> Result<Evidence, Error> {
    let encoded = path.as_os_str().as_encoded_bytes();
    let fd = open_quietly(rustix::fs::CWD, encoded, OFlags::empty())
        .map_err(|error| Error::io("open", path, error))?;
    let file = File::from(fd);
    let metadata = file.metadata().map_err(|error| Error::io("open", path, error))?;
    if !metadata.is_dir() {
        let total = metadata.is_file().then_some(metadata.len());
        return hash_reader(name, Box::new(file), total, options);
    }
    let mut evidence = directory(name, path, options)?;
    if let Some(progress) = &options.progress {
        progress.begin(name, Some(evidence.size));
    }
    if let Some(Store::Directory(root)) = evidence.parts.first().map(|part| &part.store) {
        let progress = options.progress.as_ref();
        hashing::hash_files(root, &mut evidence.members, &options.limits, progress);
    }
    if let Some(progress) = &options.progress {
        progress.end();
    }
    Ok(evidence)
}

/// Hashes an archive while it passes by, read once and plain tar files too: what is mapped would fill the memory with pages
/// that nobody looks at again.
pub(crate) fn hash_reader(
    name: &str,
    reader: Box<dyn Read + Send>,
    total: Option<u64>,
    options: &Options,
) -> Result<Evidence, Error> {
    let (reader, whole) = hashing::tee(reader)?;
    let role = Role { prefix: b"", purpose: Purpose::Hash };
    let mut evidence = stream(name, Source::Reader(reader), total, options, role)?;
    let died = || io::Error::other("the thread that hashes stopped unexpectedly");
    let whole = whole.join().unwrap_or_else(|_| Err(died()));
    let (digest, size) = whole.map_err(|error| Error::io("read", name, error))?;
    evidence.sha256 = Some(digest);
    evidence.size = size;
    Ok(evidence)
}

pub(crate) fn bytes(name: &str, bytes: Bytes, options: &Options) -> Result<Evidence, Error> {
    image::interpret(archive(name, bytes, options, TOP)?, options)
}

pub(crate) fn reader(
    name: &str,
    reader: Box<dyn Read + Send>,
    options: &Options,
) -> Result<Evidence, Error> {
    image::interpret(stream(name, Source::Reader(reader), None, options, TOP)?, options)
}

/// Opens a member's or a blob's content; what is inside is an archive and never an image.
pub(crate) fn content(
    name: &str,
    content: &Content,
    options: &Options,
    prefix: &[u8],
) -> Result<Evidence, Error> {
    let role = Role { prefix, purpose: Purpose::Serve { images: false } };
    // Content that was cut is opened as far as it goes, like a file that was cut.
    match content.slice(0..content.captured_len()) {
        Ok(bytes) => archive(name, bytes, options, role),
        Err(crate::ContentError::TooLarge { .. }) => {
            let reader = Box::new(content.reader().take(content.captured_len()));
            let total = Some(content.captured_len());
            stream(name, Source::Reader(reader), total, options, role)
        }
        Err(source) => Err(Error::Member { name: name.to_owned(), source }),
    }
}

fn directory(name: &str, path: &Path, options: &Options) -> Result<Evidence, Error> {
    let root = Root::open(path)?;
    let (members, defects) = root.list(&options.limits)?;
    let sizes = members.iter().filter(|member| member.is_file()).map(|member| member.size);
    let size = sizes.fold(0, u64::saturating_add);
    let listing = Listing { members, defects, trailing: None };
    let part = Part::new(Store::Directory(Arc::new(root)));
    Ok(Evidence::new(name, "directory".to_owned(), size, part, listing, &options.limits))
}

fn archive(name: &str, bytes: Bytes, options: &Options, role: Role<'_>) -> Result<Evidence, Error> {
    let size = as_u64(bytes.len());
    let head = clip(&bytes, 0..as_u64(HEAD));
    if Codec::of(&head).is_some() {
        return stream(name, Source::Bytes(bytes), Some(size), options, role);
    }
    let complete = bytes.len() == head.len();
    if !sniff::is_tar(&head, complete) {
        return Err(refuse(name, &head, &[]));
    }
    let mut tape = MapTape::new(bytes.clone());
    let listing = walk(&mut tape, &options.limits, role.prefix)?;
    let part = Part { prefix: role.prefix.into(), ..Part::new(Store::Bytes(bytes)) };
    Ok(Evidence::new(name, "tar".to_owned(), size, part, listing, &options.limits))
}

/// One pass over a stream, compressed or not.
fn stream(
    name: &str,
    source: Source,
    total: Option<u64>,
    options: &Options,
    role: Role<'_>,
) -> Result<Evidence, Error> {
    let limits = &options.limits;
    let feed = Feed::start(source, limits)?;
    let mut tape = StreamTape::new(name, feed, total, options, role.purpose);
    let (head, complete) = tape.head();
    if !sniff::is_tar(&head, complete) {
        let (_, report, _) = tape.finish()?;
        return Err(explain(name, &head, &report, limits.max_nesting));
    }
    drop(head);
    let mut listing = walk(&mut tape, limits, role.prefix)?;
    let (spooled, report, consumed) = tape.finish()?;
    if let Some(source) = report.source {
        return Err(Error::Io { action: "read", path: name.into(), source });
    }
    if let Some(failure) = report.failure {
        let (codec, offset) = (failure.codec.name(), failure.offset);
        let (truncated, reason) = (failure.truncated, failure.reason);
        let kind = DefectKind::CompressedDamaged { codec, offset, truncated, reason };
        listing.defects.push(Defect::archive(kind, Some(offset)));
    }
    for (codec, offset, count) in report.trailing {
        let kind = DefectKind::CompressedTrailing { codec: codec.name(), offset, count };
        listing.defects.push(Defect::archive(kind, Some(offset)));
    }
    let codecs = report.codecs.iter().rev().map(|codec| codec.name());
    let kind = codecs.fold("tar".to_owned(), |kind, codec| kind + "." + codec);
    let part = Part { prefix: role.prefix.into(), ..Part::new(Store::Bytes(spooled)) };
    let mut evidence = Evidence::new(name, kind, total.unwrap_or(consumed), part, listing, limits);
    evidence.watched = options.watch.is_some() && role.purpose.is_watched();
    Ok(evidence)
}

/// Why a stream that holds no archive is refused.
fn explain(name: &str, head: &[u8], report: &Report, max_nesting: u32) -> Error {
    let name_of = || name.to_owned();
    if let Some(source) = &report.source {
        return Error::Io { action: "read", path: name.into(), source: Arc::clone(source) };
    }
    if report.too_deep {
        return Error::Nesting { name: name_of(), limit: max_nesting };
    }
    if let Some(failure) = &report.failure {
        let looks_like = format!(
            "the stream is {} at byte {} and gave {} bytes: {}",
            if failure.truncated { "cut" } else { "damaged" },
            failure.offset,
            head.len(),
            failure.reason
        );
        return Error::NotAnArchive {
            name: name_of(),
            inside: Some(failure.codec.name().into()),
            looks_like,
        };
    }
    refuse(name, head, &report.codecs)
}

fn refuse(name: &str, head: &[u8], codecs: &[Codec]) -> Error {
    let name = name.to_owned();
    if head.is_empty() && codecs.is_empty() {
        return Error::Empty { name };
    }
    if sniff::is_lz4(head) {
        return Error::Unsupported {
            name,
            what: "an lz4 file",
            advice: "unpack it first with lz4 -dc, and give the tar file or pipe it in",
        };
    }
    let inside = codecs.iter().map(|codec| codec.name()).collect::<Vec<_>>().join(", ");
    let inside = Some(inside).filter(|codecs| !codecs.is_empty());
    let looks_like =
        if head.is_empty() { "nothing is in it".to_owned() } else { sniff::looks_like(head) };
    Error::NotAnArchive { name, inside, looks_like }
}
