//! Writing what an attacker may have made into a directory, see [`directory`](crate::directory).
//!
//! The name of a file is the artifact's id and what is left of the last part of its path after everything but
//! `[A-Za-z0-9._-]` is replaced. Modes, owners, links and devices of the evidence are in the manifest and nowhere else.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Context as _, Result, anyhow, bail};
use bytes::Bytes;
use ckpt::archive::{Progress, Sha256Digest};
use ckpt::model::artifacts::{Artifact, ArtifactContent, Hashing, Origin};
use ckpt::model::{Lost, Piece, Text};

use crate::directory::{Directory, skip};
use crate::progress::Bar;

/// The file that says what the others are; written last.
pub(crate) const MANIFEST: &str = "manifest.json";

/// Most bytes of the original name in a file's name.
const MAX_TAIL: usize = 80;

/// Bytes that are hashed and then written at a time: few enough to be in the processor's cache still.
const STEP: usize = 256 << 10;

/// Files from this size on are hashed by a thread of their own while they are written.
const LARGE: u64 = 8 << 20;

/// Pieces that may wait for their hash.
const AHEAD: usize = 8;

/// A file to be written.
#[derive(Debug)]
pub(crate) struct Item<'a> {
    pub(crate) artifact: &'a Artifact,
    pub(crate) name: String,
}

impl<'a> Item<'a> {
    pub(crate) fn new(artifact: &'a Artifact) -> Self {
        Self { artifact, name: file_name(artifact) }
    }

    /// Bytes that it takes on the disk.
    fn stored(&self) -> u64 {
        self.artifact.size.saturating_sub(self.artifact.holes)
    }
}

/// The name of an artifact's file: ids differ and have no underscore, so that names differ too.
fn file_name(artifact: &Artifact) -> String {
    let unnamed = matches!(
        artifact.origin,
        Origin::Pipe | Origin::SocketQueue | Origin::TcpQueue | Origin::Shm
    );
    let path = artifact.path.as_ref().filter(|_| !unnamed).map(Text::as_bytes);
    let last = path.and_then(|path| path.rsplit(|byte| *byte == b'/').next()).unwrap_or_default();
    let last = last.strip_prefix(b"memfd:").unwrap_or(last);
    let clean = |byte: &u8| {
        let safe = byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if safe { char::from(*byte) } else { '_' }
    };
    let tail: String = last.iter().take(MAX_TAIL).map(clean).collect();
    let tail = tail.trim_start_matches(['.', '-']);
    if tail.is_empty() { artifact.id.clone() } else { format!("{}_{tail}", artifact.id) }
}

/// A file that was written.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) sha256: Sha256Digest,
    /// Bytes that were missing, and why the first of them is: the file has zeros there.
    pub(crate) missing: Option<(u64, Lost)>,
}

/// Files that are written to a directory.
#[derive(Debug)]
pub(crate) struct Target {
    directory: Directory,
}

impl Target {
    /// Opens the directory for these items and their manifest.
    pub(crate) fn open(path: &Path, items: &[Item<'_>]) -> Result<Self> {
        let names: Vec<&str> =
            items.iter().map(|item| item.name.as_str()).chain([MANIFEST]).collect();
        let needed = items.iter().fold(0u64, |sum, item| sum.saturating_add(item.stored()));
        Ok(Self { directory: Directory::open(path, &names, needed)? })
    }

    /// Writes the items with as many threads as are given; the results are in the order of the items. The first failure
    /// ends it: files that are complete stay, there is no partial one and no manifest.
    pub(crate) fn write_all(
        &self,
        items: &[Item<'_>],
        threads: usize,
        bar: Option<&Bar>,
    ) -> Result<Vec<Written>> {
        let total = items.iter().fold(0u64, |sum, item| sum.saturating_add(item.stored()));
        if let Some(bar) = bar {
            bar.begin("writing", Some(total));
        }
        let results =
            in_parallel(items.len(), threads, |at| items.get(at).map(|item| self.write(item, bar)));
        if let Some(bar) = bar {
            bar.end();
        }
        let complete = results.iter().flatten().filter(|result| result.is_ok()).count();
        let mut written = Vec::new();
        for result in results.into_iter().flatten() {
            written.push(result.with_context(|| {
                format!(
                    "{complete} of {} files are complete; {MANIFEST} was not written",
                    items.len()
                )
            })?);
        }
        if written.len() < items.len() {
            bail!("{} of {} files were not written", items.len() - written.len(), items.len());
        }
        Ok(written)
    }

    fn write(&self, item: &Item<'_>, bar: Option<&Bar>) -> Result<Written> {
        let content = item
            .artifact
            .content()
            .ok_or_else(|| anyhow!("{} claims more holes than are written", item.artifact.id))?;
        let mut written = None;
        let mut done = 0u64;
        let result = self.directory.place(&item.name, |file| {
            let large = item.stored() >= LARGE;
            let outcome = if large {
                pour_and_hash(content, file, bar, &mut done)
            } else {
                pour(content, file, bar, &mut done)
            };
            written = Some(outcome?);
            file.set_len(item.artifact.size)
        });
        let missing = item.stored().saturating_sub(done);
        result.map_err(|error| self.directory.explain(error, &item.name, missing))?;
        written.ok_or_else(|| anyhow!("{} was not written", item.name))
    }

    /// Writes the manifest.
    pub(crate) fn finish(&self, document: &[u8]) -> Result<()> {
        self.directory.write(MANIFEST, document)
    }
}

/// Hashes contents with as many threads as are given; the results are in their order.
pub(crate) fn hash_all(
    contents: &[Option<&ArtifactContent>],
    threads: usize,
    bar: Option<&Bar>,
) -> Vec<Result<Sha256Digest, String>> {
    let refused = || Err("more holes than are read".to_owned());
    let total = contents.iter().flatten().fold(0u64, |sum, one| sum.saturating_add(one.size()));
    if let Some(bar) = bar {
        bar.begin("hashing", Some(total));
    }
    let hashes = in_parallel(contents.len(), threads, |at| {
        let content = (*contents.get(at)?)?;
        let hash = content.sha256().map_err(|why| why.to_string());
        if let Some(bar) = bar {
            bar.advance(content.size());
        }
        Some(hash)
    });
    if let Some(bar) = bar {
        bar.end();
    }
    hashes.into_iter().map(|hash| hash.unwrap_or_else(refused)).collect()
}

/// Calls `work` with every number below `count`, in several threads.
fn in_parallel<T: Send>(
    count: usize,
    threads: usize,
    work: impl Fn(usize) -> Option<T> + Sync,
) -> Vec<Option<T>> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    let run = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= count {
                return;
            }
            let result = work(at);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((at, result));
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads.clamp(1, count.max(1)) {
            // Where no thread can be had, the others do its work.
            let _ = thread::Builder::new().spawn_scoped(scope, run);
        }
        run();
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Writes a content and hashes it.
fn pour(
    content: &ArtifactContent,
    file: &mut File,
    bar: Option<&Bar>,
    done: &mut u64,
) -> io::Result<Written> {
    let mut hashing = Hashing::default();
    let missing = each(content, file, bar, done, |piece| {
        hash(&mut hashing, &piece);
        Ok(())
    })?;
    Ok(Written { sha256: hashing.finish(), missing })
}

/// Writes a content while another thread hashes it.
fn pour_and_hash(
    content: &ArtifactContent,
    file: &mut File,
    bar: Option<&Bar>,
    done: &mut u64,
) -> io::Result<Written> {
    thread::scope(|scope| {
        let (send, receive) = sync_channel::<Piece>(AHEAD);
        let hasher = thread::Builder::new().spawn_scoped(scope, move || {
            let mut hashing = Hashing::default();
            for piece in receive {
                hash(&mut hashing, &piece);
            }
            hashing.finish()
        });
        // Where no thread can be had, one does both.
        let Ok(hasher) = hasher else { return pour(content, file, bar, done) };
        let gone = |_| io::Error::other("the thread that hashes has ended");
        let missing = each(content, file, bar, done, |piece| send.send(piece).map_err(gone));
        drop(send);
        let sha256 =
            hasher.join().map_err(|_| io::Error::other("the thread that hashes failed"))?;
        Ok(Written { sha256, missing: missing? })
    })
}

/// What is missing is zeros in the file.
fn hash(hashing: &mut Hashing, piece: &Piece) {
    match piece {
        Piece::Missing { len, .. } => hashing.zeros(*len),
        // Only missing pieces are refused.
        piece => drop(hashing.update(piece)),
    }
}

/// Hands each piece on, in steps, and writes it; holes stay holes.
fn each(
    content: &ArtifactContent,
    file: &mut File,
    bar: Option<&Bar>,
    done: &mut u64,
    mut then: impl FnMut(Piece) -> io::Result<()>,
) -> io::Result<Option<(u64, Lost)>> {
    let mut missing: Option<(u64, Lost)> = None;
    for piece in content.pieces() {
        match piece {
            Piece::Bytes(mut bytes) => {
                while !bytes.is_empty() {
                    let step: Bytes = bytes.split_to(bytes.len().min(STEP));
                    let length = step.len() as u64;
                    then(Piece::Bytes(step.clone()))?;
                    file.write_all(&step)?;
                    *done = done.saturating_add(length);
                    if let Some(bar) = bar {
                        bar.advance(length);
                    }
                }
                continue;
            }
            Piece::Zeros(len) => skip(file, len)?,
            Piece::Missing { len, why } => {
                let (sum, first) = missing.unwrap_or((0, why));
                missing = Some((sum.saturating_add(len), first));
                skip(file, len)?;
            }
        }
        then(piece)?;
    }
    Ok(missing)
}
