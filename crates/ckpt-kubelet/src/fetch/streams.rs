//! What archives pass through on their way: hashes, bounds and progress.

use std::fmt::Write as _;
use std::io::{self, Write};

use sha2::{Digest, Sha256};

use crate::name::Target;
use crate::observer::{Event, Observer};

/// What came here.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fetched {
    /// Size in bytes.
    pub size: u64,
    /// SHA-256 of the bytes, in hexadecimal digits.
    pub sha256: String,
}

/// Hashes what passes by.
pub(super) struct Hashing<'a> {
    inner: &'a mut (dyn Write + Send),
    hash: Sha256,
    pub(super) size: u64,
}

impl<'a> Hashing<'a> {
    pub(super) fn new(inner: &'a mut (dyn Write + Send)) -> Self {
        Self { inner, hash: Sha256::new(), size: 0 }
    }

    pub(super) fn finish(self) -> Fetched {
        let mut sha256 = String::with_capacity(64);
        for byte in self.hash.finalize() {
            let _ = write!(sha256, "{byte:02x}");
        }
        Fetched { size: self.size, sha256 }
    }
}

impl Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = self.inner.write(bytes)?;
        self.hash.update(bytes.get(..len).unwrap_or_default());
        self.size = self.size.saturating_add(u64::try_from(len).unwrap_or_default());
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Takes so many bytes and no more: what comes from a node is not trusted to end.
pub(super) struct Bounded<'a> {
    pub(super) inner: &'a mut (dyn Write + Send),
    pub(super) left: u64,
}

impl Write for Bounded<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if len > self.left {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let len = self.inner.write(bytes)?;
        self.left = self.left.saturating_sub(u64::try_from(len).unwrap_or(u64::MAX));
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Tells an observer what is written.
pub(super) struct Observed<'a> {
    pub(super) inner: &'a mut (dyn Write + Send),
    pub(super) observer: &'a dyn Observer,
    pub(super) target: &'a Target,
}

impl Write for Observed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = self.inner.write(bytes)?;
        let bytes = u64::try_from(len).unwrap_or_default();
        self.observer.event(self.target, &Event::Received { bytes });
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
