//! A file without a name until it is complete: however the program ends, nothing is left of one that is not.
//!
//! What is written is memory and files of a container. Half of that under a name that nobody remembers is worse than nothing.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

/// What happens to a file that has the name already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Old {
    /// It is replaced.
    Replaced,
    /// It stays, and naming fails.
    Kept,
}

/// The file, and the directory in which it will have its name. Only its owner can read it.
#[derive(Debug)]
pub(crate) struct Unfinished {
    file: File,
    folder: OwnedFd,
    /// The name it has meanwhile, on file systems that know no file without one.
    meanwhile: Option<String>,
}

impl Unfinished {
    /// Makes one for the directory at this path.
    pub(crate) fn new_in(folder: &Path) -> io::Result<Self> {
        Self::new(open(folder)?)
    }

    /// Makes one that can be seen to grow, under a name that nobody takes for a finished file.
    #[cfg(feature = "trigger")]
    pub(crate) fn seen_in(folder: &Path) -> io::Result<Self> {
        Self::named(open(folder)?)
    }

    /// Makes one for an open directory.
    pub(crate) fn new_at(folder: BorrowedFd<'_>) -> io::Result<Self> {
        Self::new(folder.try_clone_to_owned()?)
    }

    fn new(folder: OwnedFd) -> io::Result<Self> {
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        // Without /proc a file could not be named afterwards.
        if Path::new("/proc/self/fd").exists() {
            match rustix::fs::openat(&folder, c".", flags | OFlags::TMPFILE, owner()) {
                Ok(file) => return Ok(Self { file: file.into(), folder, meanwhile: None }),
                Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Self::named(folder)
    }

    /// Makes one that has a name all the while.
    fn named(folder: OwnedFd) -> io::Result<Self> {
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let (file, name) =
            with_free_name(|name| rustix::fs::openat(&folder, name, flags, owner()))?;
        Ok(Self { file: file.into(), folder, meanwhile: Some(name) })
    }

    /// What is written to.
    pub(crate) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Gives it its name, a single part of a path.
    pub(crate) fn name(mut self, name: impl rustix::path::Arg + Copy, old: Old) -> io::Result<()> {
        match (&self.meanwhile, old) {
            (None, Old::Kept) => self.link(name)?,
            (None, Old::Replaced) => match self.link(name) {
                Err(Errno::EXIST) => {
                    let ((), meanwhile) = with_free_name(|name| self.link(name))?;
                    self.meanwhile = Some(meanwhile.clone());
                    rustix::fs::renameat(&self.folder, &meanwhile, &self.folder, name)?;
                }
                result => result?,
            },
            (Some(meanwhile), Old::Replaced) => {
                rustix::fs::renameat(&self.folder, meanwhile, &self.folder, name)?;
            }
            (Some(meanwhile), Old::Kept) => self.rename_to_free(meanwhile, name)?,
        }
        self.meanwhile = None;
        Ok(())
    }

    /// Gives a file without a name one that is free.
    fn link(&self, name: impl rustix::path::Arg) -> rustix::io::Result<()> {
        let file = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        rustix::fs::linkat(CWD, file, &self.folder, name, AtFlags::SYMLINK_FOLLOW)
    }

    fn rename_to_free(
        &self,
        meanwhile: &str,
        name: impl rustix::path::Arg + Copy,
    ) -> rustix::io::Result<()> {
        let dir = &self.folder;
        match rustix::fs::renameat_with(dir, meanwhile, dir, name, RenameFlags::NOREPLACE) {
            // File systems that cannot do it in one step.
            Err(Errno::INVAL | Errno::NOSYS) => {
                match rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
                    Ok(_) => Err(Errno::EXIST),
                    Err(_) => rustix::fs::renameat(dir, meanwhile, dir, name),
                }
            }
            result => result,
        }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(name) = &self.meanwhile {
            let _ = rustix::fs::unlinkat(&self.folder, name, AtFlags::empty());
        }
    }
}

impl Write for Unfinished {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn open(folder: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(folder, flags, Mode::empty())
}

/// Readable and writable by its owner alone.
fn owner() -> Mode {
    Mode::RUSR | Mode::WUSR
}

/// Names that are tried before it is given up.
const MOST_NAMES: u32 = 1000;

/// Does something with a name that nothing has, and tells the name.
fn with_free_name<T>(
    mut make: impl FnMut(&str) -> rustix::io::Result<T>,
) -> io::Result<(T, String)> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let process = std::process::id();
    for _ in 0..MOST_NAMES {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!(".ckpt-inspect-{process}-{number}.part");
        match make(&name) {
            Err(Errno::EXIST) => {}
            result => return Ok((result?, name)),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn names(folder: &TempDir) -> Vec<String> {
        let entries = std::fs::read_dir(folder.path()).expect("the folder");
        let name = |entry: io::Result<std::fs::DirEntry>| {
            entry.expect("an entry").file_name().into_string().expect("UTF-8")
        };
        entries.map(name).collect()
    }

    /// Both kinds: without a name, and with one where the file system knows no other.
    fn kinds() -> [fn(OwnedFd) -> io::Result<Unfinished>; 2] {
        [Unfinished::new, Unfinished::named]
    }

    #[test]
    fn a_finished_file_has_its_name_and_nothing_else_is_left() {
        use std::os::unix::fs::PermissionsExt as _;
        for make in kinds() {
            for old in [Old::Replaced, Old::Kept] {
                let folder = tempfile::tempdir().expect("a folder");
                let mut file = make(open(folder.path()).expect("the folder")).expect("a file");
                file.write_all(b"new").expect("written");
                file.name("x", old).expect("named");
                assert_eq!(names(&folder), ["x"]);
                let path = folder.path().join("x");
                assert_eq!(std::fs::read(&path).expect("the file"), b"new");
                let mode = path.metadata().expect("the file").permissions().mode();
                assert_eq!(mode & 0o777, 0o600);
            }
        }
    }

    #[test]
    fn an_old_file_is_replaced_or_kept() {
        for make in kinds() {
            for (old, content) in [(Old::Replaced, b"new"), (Old::Kept, b"old")] {
                let folder = tempfile::tempdir().expect("a folder");
                std::fs::write(folder.path().join("x"), b"old").expect("written");
                let mut file = make(open(folder.path()).expect("the folder")).expect("a file");
                file.write_all(b"new").expect("written");
                let named = file.name("x", old);
                match old {
                    Old::Replaced => named.expect("named"),
                    Old::Kept => {
                        let error = named.expect_err("the name is taken");
                        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
                    }
                }
                assert_eq!(names(&folder), ["x"]);
                assert_eq!(std::fs::read(folder.path().join("x")).expect("the file"), content);
            }
        }
    }

    #[test]
    fn an_unfinished_file_leaves_nothing() {
        for make in kinds() {
            let folder = tempfile::tempdir().expect("a folder");
            let mut file = make(open(folder.path()).expect("the folder")).expect("a file");
            file.write_all(b"half").expect("written");
            drop(file);
            assert_eq!(names(&folder), [""; 0]);
        }
    }
}
