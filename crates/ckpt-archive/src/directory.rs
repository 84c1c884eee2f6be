//! A directory as evidence: listed once without following symlinks, read when asked.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use crate::content::{Content, as_u64};
use crate::defect::{Defect, DefectKind, DefectList};
use crate::digest::Sha256Digest;
use crate::limits::Limits;
use crate::map::map;
use crate::member::{Keep, Member, MemberKind, Stored, Timestamp};
use crate::name::normalise;
use crate::options::Progress;
use crate::{ContentError, Error};

/// Files up to this size are read, larger ones are mapped.
const READ_UP_TO: u64 = 64 << 10;
/// Files are hashed in steps of so many bytes.
const HASH_STEP: usize = 256 << 10;

/// An open directory. Members are found below it by the listing's own components, none of which may be a symlink by then.
#[derive(Debug)]
pub(crate) struct Root {
    fd: OwnedFd,
    path: PathBuf,
}

/// Opens for reading without leaving a trace in the access time, where that is allowed.
pub(crate) fn open_quietly(
    at: BorrowedFd<'_>,
    path: &[u8],
    flags: OFlags,
) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY;
    let path = CString::new(path).map_err(|_| Errno::INVAL)?;
    // Only the owner may leave the access time alone; others get EPERM.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    match rustix::fs::openat(at, &path, flags | OFlags::NOATIME, Mode::empty()) {
        Err(Errno::PERM) => {}
        other => return other,
    }
    rustix::fs::openat(at, &path, flags, Mode::empty())
}

impl Root {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let bytes = path.as_os_str().as_encoded_bytes();
        let fd = open_quietly(rustix::fs::CWD, bytes, OFlags::DIRECTORY)
            .map_err(|error| Error::io("open", path, error))?;
        Ok(Root { fd, path: path.to_path_buf() })
    }

    /// Everything below, sorted by path.
    pub(crate) fn list(&self, limits: &Limits) -> Result<(Vec<Member>, DefectList), Error> {
        let mut listing = Lister {
            limits,
            members: Vec::new(),
            defects: DefectList::new(limits.max_defects),
            metadata: 0,
            full: false,
        };
        listing
            .directory(self.fd.as_fd(), b"", 0)
            .map_err(|error| Error::io("list", &self.path, error))?;
        let Lister { mut members, defects, .. } = listing;
        members.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        for (member, id) in members.iter_mut().zip(0_u32..) {
            member.id = id;
        }
        Ok((members, defects))
    }

    /// The content of the regular file at `path`, which had `size` bytes when it was listed.
    pub(crate) fn read(
        &self,
        path: &[u8],
        size: u64,
        max_copy: u64,
    ) -> Result<Content, ContentError> {
        let bytes = self.bytes(path, size).map_err(|source| ContentError::Io {
            path: self.path.join(String::from_utf8_lossy(path).as_ref()),
            source: Arc::new(source),
        })?;
        Ok(Content::partial(&bytes, size, max_copy))
    }

    /// Hashes the regular file at `path`, which had `size` bytes when it was listed, without mapping it.
    pub(crate) fn sha256(
        &self,
        path: &[u8],
        size: u64,
        limits: &Limits,
        progress: Option<&Arc<dyn Progress>>,
    ) -> Result<Sha256Digest, ContentError> {
        let failed = |source| ContentError::Io {
            path: self.path.join(String::from_utf8_lossy(path).as_ref()),
            source: Arc::new(source),
        };
        let file = self.open_file(path).map_err(failed)?;
        // A sparse file of exabytes is one command away from any archive that holds one.
        let stored = file.metadata().map_err(failed)?.blocks().saturating_mul(512);
        let limit = limits.max_hashed_holes;
        if size.saturating_sub(stored) > limit {
            return Err(ContentError::TooLarge { len: size, limit });
        }
        let (mut file, mut hash) = (file.take(size), Sha256::new());
        let mut buffer = vec![0; HASH_STEP];
        let mut available = 0_u64;
        loop {
            let len = match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(len) => len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(failed(error)),
            };
            hash.update(buffer.get(..len).unwrap_or_default());
            available = available.saturating_add(as_u64(len));
            if let Some(progress) = progress {
                progress.advance(as_u64(len));
            }
        }
        if available < size {
            return Err(ContentError::Truncated { available, len: size });
        }
        Ok(Sha256Digest(hash.finalize().into()))
    }

    fn open_file(&self, path: &[u8]) -> io::Result<File> {
        let mut dir: Option<OwnedFd> = None;
        let mut components = path.split(|byte| *byte == b'/').peekable();
        while let Some(component) = components.next() {
            let at = dir.as_ref().map_or(self.fd.as_fd(), AsFd::as_fd);
            let last = components.peek().is_none();
            // A fifo that has taken the file's place must not block.
            let kind = if last { OFlags::NONBLOCK } else { OFlags::DIRECTORY };
            dir = Some(open_quietly(at, component, kind | OFlags::NOFOLLOW)?);
        }
        let file = File::from(dir.ok_or(io::ErrorKind::InvalidInput)?);
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("it is no regular file any more"));
        }
        Ok(file)
    }

    fn bytes(&self, path: &[u8], size: u64) -> io::Result<Bytes> {
        let file = self.open_file(path)?;
        if size > READ_UP_TO {
            return map(&file);
        }
        let mut bytes = Vec::new();
        file.take(size).read_to_end(&mut bytes)?;
        Ok(bytes.into())
    }
}

struct Lister<'a> {
    limits: &'a Limits,
    members: Vec<Member>,
    defects: DefectList,
    metadata: u64,
    /// A limit is met: nothing more is listed.
    full: bool,
}

impl Lister<'_> {
    /// Lists what is below `dir`. Recursion is bounded by [`Limits::max_directory_depth`].
    fn directory(&mut self, dir: BorrowedFd<'_>, path: &[u8], depth: u32) -> Result<(), Errno> {
        if depth > self.limits.max_directory_depth {
            let limit = u64::from(self.limits.max_directory_depth);
            let kind = DefectKind::Limit { what: "levels of directories", limit };
            self.defects.push(Defect::member(kind, path, None));
            return Ok(());
        }
        // The order of a directory is an accident; sorting makes defects and limits come out the same every time.
        let mut names = Vec::new();
        // A descriptor of its own: listing moves the position.
        for entry in Dir::new(open_quietly(dir, b".", OFlags::DIRECTORY)?)? {
            let name = entry?.file_name().to_bytes().to_vec();
            if name != b"." && name != b".." {
                names.push(name);
            }
            if names.len() > self.limits.max_members {
                break;
            }
        }
        names.sort_unstable();
        for name in names {
            let below = if path.is_empty() { name.clone() } else { [path, &name].join(&b'/') };
            if let Err(error) = self.entry(dir, &name, &below, depth) {
                self.unreadable(error, &below);
            }
            if self.full {
                break;
            }
        }
        Ok(())
    }

    fn entry(
        &mut self,
        dir: BorrowedFd<'_>,
        name: &[u8],
        path: &[u8],
        depth: u32,
    ) -> Result<(), Errno> {
        let c_name = CString::new(name).map_err(|_| Errno::INVAL)?;
        let stat = rustix::fs::statat(dir, &c_name, AtFlags::SYMLINK_NOFOLLOW)?;
        if self.members.len() >= self.limits.max_members {
            let limit = as_u64(self.limits.max_members);
            self.stop(DefectKind::Limit { what: "members", limit });
            return Ok(());
        }
        let mut member = member(path, &stat);
        if member.kind == MemberKind::Symlink {
            match rustix::fs::readlinkat(dir, &c_name, Vec::new()) {
                Ok(target) => member.link_target = Some(target.into_bytes()),
                Err(error) => self.unreadable(error, path),
            }
        }
        self.metadata = self.metadata.saturating_add(member.weight());
        let is_dir = member.is_dir();
        self.members.push(member);
        if self.metadata > self.limits.max_metadata {
            let limit = self.limits.max_metadata;
            self.stop(DefectKind::Limit { what: "bytes of metadata", limit });
        } else if is_dir {
            let below = open_quietly(dir, name, OFlags::DIRECTORY | OFlags::NOFOLLOW)?;
            self.directory(below.as_fd(), path, depth.saturating_add(1))?;
        }
        Ok(())
    }

    fn stop(&mut self, kind: DefectKind) {
        self.full = true;
        self.defects.push(Defect::archive(kind, None));
    }

    fn unreadable(&mut self, error: Errno, path: &[u8]) {
        let reason = io::Error::from(error).to_string();
        self.defects.push(Defect::member(DefectKind::Unreadable { reason }, path, None));
    }
}

fn member(path: &[u8], stat: &Stat) -> Member {
    let device = (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev));
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => MemberKind::File,
        FileType::Directory => MemberKind::Directory,
        FileType::Symlink => MemberKind::Symlink,
        FileType::CharacterDevice => MemberKind::CharDevice { major: device.0, minor: device.1 },
        FileType::BlockDevice => MemberKind::BlockDevice { major: device.0, minor: device.1 },
        FileType::Fifo => MemberKind::Fifo,
        FileType::Socket => MemberKind::Socket,
        FileType::Unknown => MemberKind::Other(0),
    };
    let size = match kind {
        MemberKind::File => u64::try_from(stat.st_size).unwrap_or(0),
        _ => 0,
    };
    let time = |secs: i64, nanos: u64| Timestamp { secs, nanos: u32::try_from(nanos).unwrap_or(0) };
    let (path, unsafe_name) = normalise(path);
    Member {
        raw_path: path.clone(),
        path,
        kind,
        size,
        mode: stat.st_mode & 0o7777,
        uid: u64::from(stat.st_uid),
        gid: u64::from(stat.st_gid),
        uname: None,
        gname: None,
        mtime: time(stat.st_mtime, stat.st_mtime_nsec),
        atime: Some(time(stat.st_atime, stat.st_atime_nsec)),
        ctime: Some(time(stat.st_ctime, stat.st_ctime_nsec)),
        link_target: None,
        header_offset: 0,
        xattrs: std::collections::BTreeMap::new(),
        unsafe_name,
        id: 0,
        sparse: None,
        stored: Stored { packed: size, captured: size, keep: Keep::File, ..Stored::default() },
    }
}
