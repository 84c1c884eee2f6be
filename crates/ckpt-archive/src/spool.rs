//! The spool: an unlinked temporary file for unpacked members, mapped when complete.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::Error;
use crate::content::as_u64;
use crate::map::map;

/// Room that is left alone on the spool's file system, unless it is so small that this would be most of it.
const RESERVE: u64 = 64 << 20;
/// After so many bytes the room is looked at again: others may write there too.
const CHECK_EVERY: u64 = 64 << 20;
/// What is gathered before it is written, and what writes begin and end at a multiple of. The page
/// cache holds a file in the pieces in which it was written. These are the largest that Linux keeps at hand for each
/// processor (`PAGE_ALLOC_COSTLY_ORDER`); larger ones are quicker to map and to free, but are often memory that a guest
/// has given back to its host, which then takes ten times as long to write.
const BUFFER: usize = 32 << 10;

/// An append-only temporary file without a name. Created with the first byte, so that keeping nothing needs no disk.
#[derive(Debug)]
pub(crate) struct Spool {
    dir: PathBuf,
    file: Option<File>,
    buffer: Vec<u8>,
    /// Bytes in the file; those in the buffer come on top.
    written: u64,
    /// The room is known to suffice up to here.
    checked: u64,
}

impl Spool {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Spool { dir, file: None, buffer: Vec::new(), written: 0, checked: 0 }
    }

    /// Offset of the next byte.
    pub(crate) fn position(&self) -> u64 {
        self.written.saturating_add(as_u64(self.buffer.len()))
    }

    /// Refuses if `more` bytes do not fit, before any of them is written.
    pub(crate) fn require(&mut self, more: u64) -> Result<(), Error> {
        let end = self.position().saturating_add(more);
        if end <= self.checked {
            return Ok(());
        }
        let (available, total) = room(&self.dir)?;
        let reserve = RESERVE.min(total / 16);
        let needed = more.saturating_add(as_u64(self.buffer.len())).saturating_add(reserve);
        if needed > available {
            return Err(Error::DiskFull { needed, available, dir: self.dir.clone() });
        }
        self.checked = end.max(self.position().saturating_add(CHECK_EVERY.min(available / 2)));
        Ok(())
    }

    pub(crate) fn write(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        self.require(as_u64(bytes.len()))?;
        while let Some((fits, rest)) = bytes.split_at_checked(self.to_boundary()) {
            self.buffer.extend_from_slice(fits);
            self.flush()?;
            bytes = rest;
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// Bytes up to the next place at which a write ends: what was flushed early is made up for.
    fn to_boundary(&self) -> usize {
        let used = self.position().checked_rem(as_u64(BUFFER)).unwrap_or(0);
        usize::try_from(used).map_or(BUFFER, |used| BUFFER.saturating_sub(used))
    }

    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        let mut buffer = std::mem::take(&mut self.buffer);
        if !buffer.is_empty() {
            self.append(&buffer)?;
            buffer.clear();
        }
        self.buffer = buffer;
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => tempfile::tempfile_in(&self.dir)
                .map_err(|error| Error::io("create a temporary file in", &self.dir, error))?,
        };
        if let Err(error) = file.write_all(bytes) {
            return Err(self.explain(error, as_u64(bytes.len())));
        }
        self.file = Some(file);
        self.written = self.written.saturating_add(as_u64(bytes.len()));
        Ok(())
    }

    /// Running out of room in spite of the checks is told like running out of it beforehand.
    fn explain(&self, error: io::Error, needed: u64) -> Error {
        match error.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => {
                let available = room(&self.dir).map_or(0, |(available, _)| available);
                Error::DiskFull { needed, available, dir: self.dir.clone() }
            }
            _ => Error::io("write to a temporary file in", &self.dir, error),
        }
    }

    /// Copies back what was written and flushed. `None` if it is not there or the disk fails.
    pub(crate) fn read(&self, offset: u64, len: u64) -> Option<Bytes> {
        if len == 0 {
            return Some(Bytes::new());
        }
        let file = self.file.as_ref()?;
        // The length is that of bytes that were written, so it is no guess of the evidence.
        if offset.checked_add(len)? > self.written {
            return None;
        }
        let mut out = vec![0; usize::try_from(len).ok()?];
        file.read_exact_at(&mut out, offset).ok()?;
        Some(out.into())
    }

    /// Maps everything that was written. The file lives as long as the mapping.
    pub(crate) fn finish(mut self) -> Result<Bytes, Error> {
        self.flush()?;
        match &self.file {
            None => Ok(Bytes::new()),
            Some(file) => {
                map(file).map_err(|error| Error::io("map a temporary file in", &self.dir, error))
            }
        }
    }
}

/// Bytes available to this user, and in all.
fn room(dir: &Path) -> Result<(u64, u64), Error> {
    let stat = rustix::fs::statvfs(dir)
        .map_err(|error| Error::io("use as the spool directory:", dir, error))?;
    let unit = stat.f_frsize;
    Ok((stat.f_bavail.saturating_mul(unit), stat.f_blocks.saturating_mul(unit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_and_large_writes_come_back_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = Spool::new(dir.path().to_path_buf());
        let mut expected = Vec::new();
        for (at, size) in [3, BUFFER - 3, 1, BUFFER * 2, 5, 0, BUFFER].into_iter().enumerate() {
            let part = vec![u8::try_from(at).unwrap(); size];
            assert_eq!(spool.position(), expected.len() as u64);
            spool.write(&part).unwrap();
            expected.extend_from_slice(&part);
        }
        spool.flush().unwrap();
        assert_eq!(&spool.read(1, 4).unwrap()[..], &expected[1..5]);
        assert_eq!(spool.read(spool.position(), 1), None);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        assert_eq!(&spool.finish().unwrap()[..], &expected[..]);
    }

    #[test]
    fn what_cannot_fit_is_refused_before_it_is_written() {
        let mut spool = Spool::new(std::env::temp_dir());
        let error = spool.require(u64::MAX / 2).unwrap_err();
        assert!(matches!(error, Error::DiskFull { .. }));
        assert!(error.to_string().contains("--spool DIR"), "{error}");
        let mut spool = Spool::new("/nonexistent/spool".into());
        assert!(matches!(spool.require(1), Err(Error::Io { .. })));
    }
}
