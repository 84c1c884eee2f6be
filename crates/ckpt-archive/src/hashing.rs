//! Hashing while bytes pass by once: the file as it lies there on one thread, its members on another.
//!
//! Nothing is kept, so that neither memory nor disk grows with the evidence; how fast it goes is a matter of how fast one
//! core hashes and, for compressed evidence, another one unpacks.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use sha2::{Digest, Sha256};

use crate::content::as_u64;
use crate::digest::Sha256Digest;
use crate::directory::Root;
use crate::limits::Limits;
use crate::member::{Member, MemberKind};
use crate::options::Progress;
use crate::sparse::SparseMap;
use crate::{ContentError, Error};

/// Size of the buffers between the thread that reads and the one that unpacks.
const BUFFER: usize = 512 << 10;
/// Buffers on the way at once.
const IN_FLIGHT: usize = 8;

/// Hashes the content of one member from its packed bytes, which come in order.
pub(crate) struct MemberHash {
    hash: Sha256,
    map: Option<SparseMap>,
    /// Extents of the map that are complete.
    extent: usize,
    /// Logical bytes so far.
    logical: u64,
    /// Bytes of holes so far, and how many of them are hashed at most.
    holes: u64,
    limit: u64,
}

impl MemberHash {
    /// For a member of which at most so many bytes of holes are hashed.
    pub(crate) fn new(member: &Member, limit: u64) -> Self {
        MemberHash {
            hash: Sha256::new(),
            map: member.sparse.as_deref().cloned(),
            extent: 0,
            logical: 0,
            holes: 0,
            limit,
        }
    }

    /// Takes the next packed bytes.
    pub(crate) fn update(&mut self, mut bytes: &[u8]) {
        if self.map.is_none() {
            self.hash.update(bytes);
            self.logical = self.logical.saturating_add(as_u64(bytes.len()));
            return;
        }
        while !bytes.is_empty() {
            let next = self.map.as_ref().and_then(|map| map.extent(self.extent));
            // Bytes behind a damaged map belong nowhere.
            let Some(range) = next else { return };
            self.zeros(range.start.saturating_sub(self.logical));
            let left = range.end.saturating_sub(self.logical);
            let left = usize::try_from(left).unwrap_or(usize::MAX);
            let (now, rest) = bytes.split_at_checked(left).unwrap_or((bytes, &[]));
            self.hash.update(now);
            self.logical = self.logical.saturating_add(as_u64(now.len()));
            if self.logical >= range.end {
                self.extent = self.extent.saturating_add(1);
            }
            bytes = rest;
        }
    }

    /// The hash of a member of `size` logical bytes, of which `captured` of `packed` stored bytes passed by.
    pub(crate) fn finish(
        &mut self,
        size: u64,
        captured: u64,
        packed: u64,
    ) -> Result<Sha256Digest, ContentError> {
        if captured < packed {
            return Err(ContentError::Truncated { available: self.logical, len: size });
        }
        let trusted = self.map.as_ref().map_or(size, |map| map.trusted);
        self.zeros(trusted.saturating_sub(self.logical));
        if trusted < size {
            return Err(ContentError::Damaged { offset: trusted });
        }
        if self.holes > self.limit {
            return Err(ContentError::TooLarge { len: size, limit: self.limit });
        }
        Ok(Sha256Digest(self.hash.finalize_reset().into()))
    }

    /// Bytes of holes that were hashed.
    pub(crate) fn hashed_holes(&self) -> u64 {
        if self.holes > self.limit { 0 } else { self.holes }
    }

    /// Holes count as zeros, as long as their sum is one that an honest file has.
    fn zeros(&mut self, len: u64) {
        static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
        self.holes = self.holes.saturating_add(len);
        self.logical = self.logical.saturating_add(len);
        if self.holes > self.limit {
            return;
        }
        let mut left = len;
        while left > 0 {
            let step = left.min(as_u64(ZEROS.len()));
            let zeros = usize::try_from(step).ok().and_then(|step| ZEROS.get(..step));
            self.hash.update(zeros.unwrap_or_default());
            left = left.saturating_sub(step);
        }
    }
}

/// A chunk of the file.
struct Chunk {
    buffer: Vec<u8>,
    len: usize,
}

/// Reads a source on a thread of its own, which hashes everything, to the end of the source and not just as far as anybody
/// is interested.
pub(crate) fn tee(
    source: Box<dyn Read + Send>,
) -> Result<(Box<dyn Read + Send>, JoinHandle<Whole>), Error> {
    let (filled, chunks) = sync_channel(IN_FLIGHT);
    let (empty, used) = sync_channel(IN_FLIGHT);
    let thread = std::thread::Builder::new()
        .name("hash".to_owned())
        .spawn(move || hash_all(source, &filled, &used))
        .map_err(|error| Error::io("start a thread to hash", "", error))?;
    Ok((Box::new(Passed { chunks, empty, chunk: None, at: 0 }), thread))
}

/// What the hashing thread found: the hash and the number of bytes, or that the source could not be read to its end.
pub(crate) type Whole = io::Result<(Sha256Digest, u64)>;

fn hash_all(
    mut source: Box<dyn Read + Send>,
    filled: &SyncSender<io::Result<Chunk>>,
    used: &Receiver<Vec<u8>>,
) -> Whole {
    let mut hash = Sha256::new();
    let mut size = 0_u64;
    let mut listening = true;
    loop {
        let mut buffer = used.try_recv().unwrap_or_else(|_| vec![0; BUFFER]);
        let len = match fill(&mut source, &mut buffer) {
            Ok(0) => return Ok((Sha256Digest(hash.finalize().into()), size)),
            Ok(len) => len,
            Err(error) => {
                let told = io::Error::new(error.kind(), error.to_string());
                // Whoever has gone away does not need to know.
                let _ = filled.send(Err(told));
                return Err(error);
            }
        };
        hash.update(buffer.get(..len).unwrap_or_default());
        size = size.saturating_add(as_u64(len));
        if listening {
            listening = filled.send(Ok(Chunk { buffer, len })).is_ok();
        }
    }
}

/// Reads until `buffer` is full or the source ends.
fn fill(source: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut len = 0_usize;
    while let Some(free) = buffer.get_mut(len..).filter(|free| !free.is_empty()) {
        match source.read(free) {
            Ok(0) => break,
            Ok(count) => len = len.saturating_add(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(len)
}

/// The bytes that the hashing thread has read.
struct Passed {
    chunks: Receiver<io::Result<Chunk>>,
    empty: SyncSender<Vec<u8>>,
    chunk: Option<Chunk>,
    /// Bytes of the chunk that are used up.
    at: usize,
}

impl Read for Passed {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.chunk.as_ref().is_none_or(|chunk| self.at >= chunk.len) {
            if let Some(old) = self.chunk.take() {
                // If the other thread is done, the buffer is not needed.
                drop(self.empty.try_send(old.buffer));
            }
            self.at = 0;
            match self.chunks.recv() {
                Ok(Ok(chunk)) => self.chunk = Some(chunk),
                Ok(Err(error)) => return Err(error),
                Err(_) => return Ok(0),
            }
        }
        let chunk = self.chunk.as_ref();
        let left = chunk.and_then(|chunk| chunk.buffer.get(self.at..chunk.len)).unwrap_or_default();
        let count = left.len().min(out.len());
        if let (Some(to), Some(from)) = (out.get_mut(..count), left.get(..count)) {
            to.copy_from_slice(from);
        }
        self.at = self.at.saturating_add(count);
        Ok(count)
    }
}

/// Hashes the regular files of a directory, several at once.
pub(crate) fn hash_files(
    root: &Root,
    members: &mut [Member],
    limits: &Limits,
    progress: Option<&Arc<dyn Progress>>,
) {
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let files: &[Member] = members;
    let run = || {
        let mut hashes = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(member) = files.get(at) else { break };
            if member.kind == MemberKind::File {
                hashes.push((at, root.sha256(&member.raw_path, member.size, limits, progress)));
            }
        }
        hashes
    };
    let hashes = std::thread::scope(|scope| {
        // Where no thread can be had, the others do its work.
        let start = |_| std::thread::Builder::new().spawn_scoped(scope, run).ok();
        let others: Vec<_> = (1..threads.min(files.len())).filter_map(start).collect();
        let mut hashes = run();
        for other in others {
            // What a thread that died had found out is missing, and told as such.
            hashes.extend(other.join().unwrap_or_default());
        }
        hashes
    });
    for (at, hash) in hashes {
        if let Some(member) = members.get_mut(at) {
            member.stored.sha256 = Some(hash);
        }
    }
}
