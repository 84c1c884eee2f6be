//! A directory that the user named, into which files are written safely by construction.
//!
//! Nothing of the evidence decides where a file is written: the caller makes names of letters, digits and harmless signs.
//! All files lie directly in the directory, which is opened once; each is made anew with mode 0600 and takes its name when it
//! is complete, and only if nothing has that name.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use rustix::fs::{AtFlags, Mode, OFlags};

use crate::unfinished::{Old, Unfinished};

/// The directory that is written to.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    handle: OwnedFd,
}

impl Directory {
    /// Opens the directory, which is made if it does not exist, and refuses before anything is written what could not
    /// end well: one of these names that is taken, a disk without the room for so many bytes.
    pub(crate) fn open(path: &Path, names: &[&str], needed: u64) -> Result<Self> {
        let made = match std::fs::create_dir(path) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
            Err(error) => {
                return Err(error).with_context(|| format!("cannot make {}", path.display()));
            }
        };
        let target = Self::check(path, names, needed);
        if made && target.is_err() {
            // It is empty, and nobody asked for an empty directory.
            let _ = std::fs::remove_dir(path);
        }
        target
    }

    /// Opens a directory that is made if it does not exist, which the answer tells, and that has to be empty.
    pub(crate) fn open_empty(path: &Path, needed: u64) -> Result<(Self, bool)> {
        let existed = path.symlink_metadata().is_ok();
        let target = Self::open(path, &[], needed)?;
        let cannot = || format!("cannot open {} as a directory", path.display());
        if std::fs::read_dir(path).with_context(cannot)?.next().is_some() {
            bail!("{} is not empty; nothing was written. Give another directory", path.display());
        }
        Ok((target, !existed))
    }

    /// Makes a directory in this one, for its owner only.
    pub(crate) fn subdirectory(&self, name: &str) -> io::Result<Self> {
        rustix::fs::mkdirat(&self.handle, name, Mode::RWXU)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let handle = rustix::fs::openat(&self.handle, name, flags, Mode::empty())?;
        Ok(Self { path: self.path.join(name), handle })
    }

    /// Takes away a file that was placed, or an empty directory that was made.
    pub(crate) fn remove(&self, name: &str) {
        if rustix::fs::unlinkat(&self.handle, name, AtFlags::empty()).is_err() {
            let _ = rustix::fs::unlinkat(&self.handle, name, AtFlags::REMOVEDIR);
        }
    }

    fn check(path: &Path, names: &[&str], needed: u64) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let cannot = || format!("cannot open {} as a directory", path.display());
        let handle = rustix::fs::open(path, flags, Mode::empty()).with_context(cannot)?;
        let mut taken = HashSet::new();
        for entry in std::fs::read_dir(path).with_context(cannot)? {
            taken.insert(entry.with_context(cannot)?.file_name());
        }
        let clash = |name: &&&str| taken.contains(std::ffi::OsStr::new(**name));
        let clashes: Vec<&&str> = names.iter().filter(clash).collect();
        if let Some(first) = clashes.first() {
            bail!(
                "{}: {first} exists{}; nothing was written. Give another directory",
                path.display(),
                if clashes.len() > 1 {
                    format!(" ({} names are taken)", clashes.len())
                } else {
                    String::new()
                }
            );
        }
        let target = Self { path: path.to_owned(), handle };
        let available = target.available()?;
        if needed > available {
            bail!(
                "not enough room in {}: {needed} bytes are needed, {available} are available, {} are missing; nothing was written",
                path.display(),
                needed.saturating_sub(available)
            );
        }
        Ok(target)
    }

    /// Bytes that the file system has left.
    pub(crate) fn available(&self) -> Result<u64> {
        let stat = rustix::fs::fstatvfs(&self.handle).with_context(|| {
            format!("cannot look at the file system of {}", self.path.display())
        })?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    /// Writes a file whose bytes are at hand.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let size = bytes.len() as u64;
        self.place(name, |file| file.write_all(bytes))
            .map_err(|error| self.explain(error, name, size))
    }

    /// Makes a file, lets it be filled, and gives it its name; or leaves nothing.
    pub(crate) fn place(
        &self,
        name: &str,
        fill: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> io::Result<()> {
        self.place_as(|file| fill(file).map(|()| (name.to_owned(), ())))
    }

    /// The same for a file whose name is known when it is filled.
    pub(crate) fn place_as<T>(
        &self,
        fill: impl FnOnce(&mut File) -> io::Result<(String, T)>,
    ) -> io::Result<T> {
        let mut file = Unfinished::new_at(self.handle.as_fd())?;
        let (name, filled) = fill(file.file())?;
        file.name(name.as_str(), Old::Kept)?;
        Ok(filled)
    }

    /// What went wrong with a file of which so many bytes were still to be written.
    pub(crate) fn explain(&self, error: io::Error, name: &str, missing: u64) -> anyhow::Error {
        let path = self.path.join(name);
        if is_full(&error) {
            let available = self.available().unwrap_or_default();
            return anyhow!(
                "no room left for {}: {missing} more bytes are needed, {available} are available, {} are missing",
                path.display(),
                missing.saturating_sub(available)
            );
        }
        anyhow::Error::new(error).context(format!("cannot write {}", path.display()))
    }
}

/// Whether there was no room to write.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}

/// Leaves a hole of so many bytes.
pub(crate) fn skip(file: &mut File, len: u64) -> io::Result<()> {
    let too_far = |_| io::Error::from(io::ErrorKind::FileTooLarge);
    file.seek(SeekFrom::Current(i64::try_from(len).map_err(too_far)?)).map(drop)
}
