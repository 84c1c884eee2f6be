//! An archive: members in order, as a tar, compressed, or as a directory.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use crate::content::Content;
use crate::tar::{Kind, Member, NameForm, SparseForm, write_end};

/// An archive under construction.
///
/// ```
/// use ckpt_synth::Archive;
///
/// let mut archive = Archive::new();
/// archive.member("config.dump", b"{}").dir("checkpoint").trailing(b"ZZZ");
/// assert_eq!(archive.tar().len(), 512 + 512 + 512 + 1024 + 3);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Archive {
    members: Vec<Member>,
    mtime: u64,
    trailing: Vec<u8>,
    unended: bool,
}

impl Archive {
    /// No members.
    #[must_use]
    pub fn new() -> Self {
        Self { mtime: 1_795_398_297, ..Self::default() }
    }

    /// Adds a member. Two may have the same name.
    pub fn push(&mut self, member: Member) -> &mut Self {
        self.members.push(member);
        self
    }

    /// Adds a regular file.
    pub fn member(&mut self, name: impl Into<Vec<u8>>, content: impl Into<Content>) -> &mut Self {
        self.push(Member::file(name, content))
    }

    /// Adds a directory entry.
    pub fn dir(&mut self, name: impl Into<Vec<u8>>) -> &mut Self {
        self.push(Member::dir(name))
    }

    /// Adds a symbolic link.
    pub fn symlink(&mut self, name: impl Into<Vec<u8>>, target: impl Into<Vec<u8>>) -> &mut Self {
        self.push(Member::new(name, Kind::Symlink(target.into())))
    }

    /// Adds a hard link.
    pub fn hardlink(&mut self, name: impl Into<Vec<u8>>, target: impl Into<Vec<u8>>) -> &mut Self {
        self.push(Member::new(name, Kind::Hardlink(target.into())))
    }

    /// Adds a character device.
    pub fn device(&mut self, name: impl Into<Vec<u8>>, major: u32, minor: u32) -> &mut Self {
        self.push(Member::new(name, Kind::CharDevice(major, minor)))
    }

    /// Adds a regular file whose name is in a pax header.
    pub fn pax_name(&mut self, name: impl Into<Vec<u8>>, content: impl Into<Content>) -> &mut Self {
        self.push(Member::file(name, content).name_form(NameForm::Pax))
    }

    /// Adds a file with holes: pieces by offset, and the size with holes.
    pub fn sparse(
        &mut self,
        name: impl Into<Vec<u8>>,
        pieces: &[(u64, &[u8])],
        size: u64,
        form: SparseForm,
    ) -> &mut Self {
        let pieces = pieces.iter().map(|(offset, bytes)| (*offset, bytes.to_vec())).collect();
        self.push(Member::new(name, Kind::Sparse { pieces, size, form }))
    }

    /// Adds the members of `other`, each with `prefix` before its name.
    pub fn nest(&mut self, prefix: &str, other: &Archive) -> &mut Self {
        for member in &other.members {
            let mut member = member.clone();
            member.name = [prefix.as_bytes(), &member.name].concat();
            member.mtime = Some(member.mtime.unwrap_or(other.mtime));
            self.members.push(member);
        }
        self
    }

    /// Leaves out all members of a name.
    pub fn without(&mut self, name: &str) -> &mut Self {
        self.members.retain(|member| member.name != name.as_bytes());
        self
    }

    /// Replaces the content of all members of a name.
    pub fn replace(&mut self, name: &str, content: impl Into<Content>) -> &mut Self {
        let content = content.into();
        for member in self.members.iter_mut().filter(|m| m.name == name.as_bytes()) {
            member.content = content.clone();
        }
        self
    }

    /// Changes all members in place.
    pub fn each(&mut self, mut change: impl FnMut(Member) -> Member) -> &mut Self {
        self.members = std::mem::take(&mut self.members).into_iter().map(&mut change).collect();
        self
    }

    /// Seconds since 1970 for all members without a time of their own.
    pub fn mtime(&mut self, seconds: u64) -> &mut Self {
        self.mtime = seconds;
        self
    }

    /// Time of the members of a name.
    pub fn mtime_of(&mut self, name: &str, seconds: u64) -> &mut Self {
        for member in self.members.iter_mut().filter(|m| m.name == name.as_bytes()) {
            member.mtime = Some(seconds);
        }
        self
    }

    /// Bytes after the end of the tar.
    pub fn trailing(&mut self, bytes: impl Into<Vec<u8>>) -> &mut Self {
        self.trailing = bytes.into();
        self
    }

    /// Leaves out the zero blocks that end a tar.
    pub fn unended(&mut self) -> &mut Self {
        self.unended = true;
        self
    }

    /// The members.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Names of the members, those that are no UTF-8 with replacement characters.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.members.iter().map(|m| String::from_utf8_lossy(&m.name).into_owned()).collect()
    }

    /// Content of the first member of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Vec<u8>> {
        self.members.iter().find(|m| m.name == name.as_bytes()).map(|m| m.content.to_vec())
    }

    /// Writes the tar without holding pages of noise in memory.
    pub fn write_tar(&self, out: &mut dyn Write) -> io::Result<()> {
        for member in &self.members {
            member.write_to(out, self.mtime)?;
        }
        if !self.unended {
            write_end(out)?;
        }
        out.write_all(&self.trailing)
    }

    /// As [`write_tar`](Self::write_tar), through gzip at level 6.
    pub fn write_tar_gz(&self, out: &mut dyn Write) -> io::Result<()> {
        let encoder = flate2::write::GzEncoder::new(out, flate2::Compression::new(6));
        let mut buffered = BufWriter::with_capacity(1 << 20, encoder);
        self.write_tar(&mut buffered)?;
        let encoder = buffered.into_inner().map_err(io::IntoInnerError::into_error)?;
        encoder.finish().map(drop)
    }

    /// As [`write_tar`](Self::write_tar), through zstd at level 3.
    pub fn write_tar_zst(&self, out: &mut dyn Write) -> io::Result<()> {
        let encoder = zstd::Encoder::new(out, 3)?;
        let mut buffered = BufWriter::with_capacity(1 << 20, encoder);
        self.write_tar(&mut buffered)?;
        let encoder = buffered.into_inner().map_err(io::IntoInnerError::into_error)?;
        encoder.finish().map(drop)
    }

    /// The tar.
    #[must_use]
    pub fn tar(&self) -> Vec<u8> {
        in_memory(|out| self.write_tar(out))
    }

    /// The tar, compressed with gzip.
    #[must_use]
    pub fn tar_gz(&self) -> Vec<u8> {
        in_memory(|out| self.write_tar_gz(out))
    }

    /// The tar, compressed with zstd.
    #[must_use]
    pub fn tar_zst(&self) -> Vec<u8> {
        in_memory(|out| self.write_tar_zst(out))
    }

    /// Unpacks the members below a directory. Names that lead out of it, devices and pipes are refused; modes and owners
    /// are left to the system; times are set.
    pub fn write_to(&self, dir: &Path) -> io::Result<()> {
        for member in &self.members {
            let path = below(dir, &member.name)?;
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            let seconds = member.mtime.unwrap_or(self.mtime);
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            match &member.kind {
                Kind::File => {
                    let file = fs::File::create(&path)?;
                    let mut out = BufWriter::new(&file);
                    member.content.write_to(&mut out)?;
                    out.flush()?;
                    drop(out);
                    file.set_modified(time)?;
                }
                Kind::Directory => fs::create_dir_all(&path)?,
                Kind::Symlink(target) => {
                    std::os::unix::fs::symlink(std::ffi::OsStr::from_bytes(target), &path)?;
                }
                Kind::Hardlink(target) => fs::hard_link(below(dir, target)?, &path)?,
                Kind::Sparse { pieces, size, .. } => {
                    use std::os::unix::fs::FileExt;
                    let file = fs::File::create(&path)?;
                    file.set_len(*size)?;
                    for (offset, bytes) in pieces {
                        file.write_all_at(bytes, *offset)?;
                    }
                    file.set_modified(time)?;
                }
                _ => return Err(io::Error::from(io::ErrorKind::Unsupported)),
            }
        }
        Ok(())
    }
}

/// `name` below `dir`, if it stays there.
fn below(dir: &Path, name: &[u8]) -> io::Result<PathBuf> {
    let name = Path::new(std::ffi::OsStr::from_bytes(name));
    if name.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
        Ok(dir.join(name))
    } else {
        Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a member's name leads out of the directory",
        ))
    }
}

/// What `write` writes. A Vec takes everything, and neither encoder fails on its own.
fn in_memory(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let written = write(&mut bytes);
    debug_assert!(written.is_ok(), "writing to memory failed: {written:?}");
    bytes
}
