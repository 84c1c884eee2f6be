//! File locks.

use criu_image::ImageKind;
use criu_image::messages::FileLockEntry;

use crate::{Checkpoint, Pid, Text};

/// A lock on a part of a file.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FileLock {
    /// `posix`, `flock`, `ofd` or `lease`; `None` for a kind that this version does not know.
    pub kind: Option<&'static str>,
    /// `read`, `write` or `unlock`.
    pub access: Option<&'static str>,
    /// The process by whose descriptor CRIU dumped it.
    pub pid: Pid,
    /// That descriptor.
    pub fd: i32,
    /// Path of the file, as `/proc` shows it.
    pub path: Option<Text>,
    /// First byte.
    pub start: i64,
    /// Last byte; `None` when the lock reaches to the end of the file, however it grows.
    pub end: Option<i64>,
    /// A lease that its holder was asked to give up.
    pub breaking: bool,
    /// The raw entry.
    pub raw: FileLockEntry,
}

impl Checkpoint {
    /// The locks, by process and descriptor.
    pub fn locks(&self) -> &[FileLock] {
        self.locks.get_or_init(|| {
            let Some(images) = self.images() else { return Vec::new() };
            let mut locks = Vec::new();
            // In old dumps each task has an image of its own.
            let each = images.ids(ImageKind::FileLocks).into_iter().map(Some);
            for id in std::iter::once(None).chain(each) {
                let entries = images.many::<FileLockEntry>(ImageKind::FileLocks, id, self.told());
                locks.extend(entries.into_iter().flatten().map(|raw| self.lock(raw)));
            }
            locks.sort_by_key(|lock| (lock.pid, lock.fd, lock.start));
            locks
        })
    }

    fn lock(&self, raw: FileLockEntry) -> FileLock {
        /// `LEASE_BREAKING`, `LOCK_MAND` and so on beside the `F_*LCK` number.
        const BREAKING: u32 = 4;
        let pid = Pid(u32::try_from(raw.pid).unwrap_or_default());
        let fd = u32::try_from(raw.fd).ok();
        let descriptor = fd.and_then(|fd| self.descriptors().get(pid, fd));
        if descriptor.is_none() {
            let what = format!(
                "a lock by descriptor {} of process {}, which is not there",
                raw.fd, raw.pid
            );
            let place = self.images().map(|images| images.place(ImageKind::FileLocks, None));
            self.told().missing(place.unwrap_or_default(), what);
        }
        let kind = match raw.flag {
            1 => Some("posix"),
            2 => Some("flock"),
            4 => Some("ofd"),
            8 => Some("lease"),
            _ => None,
        };
        let access = match raw.r#type & 3 {
            0 => Some("read"),
            1 => Some("write"),
            2 => Some("unlock"),
            _ => None,
        };
        let last = raw.len.checked_sub(1).filter(|_| raw.len > 0);
        FileLock {
            kind,
            access,
            pid,
            fd: raw.fd,
            path: descriptor.and_then(|descriptor| descriptor.target.clone()),
            start: raw.start,
            end: last.and_then(|last| raw.start.checked_add(last)),
            breaking: kind == Some("lease") && raw.r#type & BREAKING != 0,
            raw,
        }
    }
}
