//! Where a fetched archive goes.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, bail};

use crate::unfinished::{Old, Unfinished};

/// The file or directory that the user named.
#[derive(Debug, Clone)]
pub(super) enum Destination {
    /// A file that does not exist yet.
    File(PathBuf),
    /// A directory that exists.
    Directory(PathBuf),
}

impl Destination {
    /// Finds out which it is, before anything is frozen: a directory if it exists as one, or ends in a slash and is made then.
    /// Evidence is never written over.
    pub(super) fn new(path: &Path, several: bool) -> Result<Self> {
        let named_directory = path.as_os_str().as_encoded_bytes().ends_with(b"/");
        if named_directory {
            std::fs::create_dir_all(path)
                .with_context(|| format!("cannot make the directory {}", path.display()))?;
        }
        if path.is_dir() {
            // A directory that cannot be written to is found out now.
            partial(path)?;
            return Ok(Self::Directory(path.to_owned()));
        }
        if path.symlink_metadata().is_ok() {
            bail!("{} exists; evidence is not written over: name another file", path.display());
        }
        if several {
            bail!(
                "several archives need a directory: {} is none (end it in / to have it made)",
                path.display()
            );
        }
        partial(&folder(path))?;
        Ok(Self::File(path.to_owned()))
    }

    /// The final name of the archive that is at `remote` on its node.
    pub(super) fn name(&self, remote: &str) -> PathBuf {
        match self {
            Self::File(path) => path.clone(),
            Self::Directory(directory) => directory.join(plain_name(remote)),
        }
    }
}

fn folder(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new(".")).to_owned()
}

/// A file beside the final one, which grows while the user waits; gone when it is dropped.
fn partial(folder: &Path) -> Result<Unfinished> {
    Unfinished::seen_in(folder).with_context(|| format!("cannot write in {}", folder.display()))
}

/// The last part of a path on the node, made of harmless characters only: it is the kubelet's text.
fn plain_name(remote: &str) -> String {
    let last = remote.rsplit('/').next().unwrap_or_default();
    let harmless = |c: char| c.is_ascii_alphanumeric() || "-_.:+".contains(c);
    let name: String = last.chars().take(200).map(|c| if harmless(c) { c } else { '_' }).collect();
    match name.trim_start_matches('.') {
        "" => "checkpoint.tar".to_owned(),
        name => name.to_owned(),
    }
}

/// An archive that is on its way: under no name that anybody looks for until it is complete.
#[derive(Debug)]
pub(super) struct Arriving {
    file: Unfinished,
    name: PathBuf,
    stop: Arc<AtomicBool>,
}

impl Arriving {
    /// Opens it beside its final name. Once `stop` is set nothing more is written.
    pub(super) fn open(name: PathBuf, stop: Arc<AtomicBool>) -> Result<Self> {
        Ok(Self { file: partial(&folder(&name))?, name, stop })
    }

    /// Gives it its name, when everything is on the disk; never in place of another file.
    pub(super) fn finish(self) -> Result<PathBuf> {
        let Self { mut file, name, .. } = self;
        file.file().sync_all().with_context(|| format!("cannot write {}", name.display()))?;
        let cannot = || format!("cannot name {}", name.display());
        let last = name.file_name().with_context(cannot)?;
        file.name(last, Old::Kept).with_context(cannot)?;
        Ok(name)
    }
}

impl Write for Arriving {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(io::Error::other("interrupted"));
        }
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_out_harmless() {
        for (remote, name) in [
            (
                "/var/a/checkpoint-web_default-app-2026-11-23T00:22:56+02:00.tar",
                "checkpoint-web_default-app-2026-11-23T00:22:56+02:00.tar",
            ),
            ("/a/b c'$(d).tar", "b_c___d_.tar"),
            ("/a/..", "checkpoint.tar"),
            ("/a/.hidden", "hidden"),
            ("/a/\u{1b}[2Jé.tar", "__2J_.tar"),
            ("", "checkpoint.tar"),
        ] {
            assert_eq!(plain_name(remote), name, "{remote}");
        }
    }

    #[test]
    fn a_file_that_exists_stays_as_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let name = folder.path().join("a.tar");
        let mut arriving = Arriving::open(name.clone(), Arc::default()).expect("a file on its way");
        arriving.write_all(b"new").expect("written");
        std::fs::write(&name, b"old").expect("another file in between");
        assert!(arriving.finish().is_err());
        assert_eq!(std::fs::read(&name).expect("the file"), b"old");
        assert!(Destination::new(&name, false).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).expect("the folder").count(), 1);
    }

    #[test]
    fn several_archives_need_a_directory() {
        let folder = tempfile::tempdir().expect("a folder");
        let missing = folder.path().join("x");
        assert!(Destination::new(&missing, true).is_err());
        let slash = folder.path().join("made/");
        assert!(matches!(Destination::new(&slash, true), Ok(Destination::Directory(_))));
        assert!(slash.is_dir());
    }
}
