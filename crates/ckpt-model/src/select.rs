//! What of a compressed archive is kept while it passes by.
//!
//! Compressed evidence is read in one pass, and of a large one a command like `tree` needs only the images and the few
//! pages that hold arguments and environments. Engines write the images of a directory in the order of their names, so
//! that memory maps and pagemaps come before the pages; where they do not, the pages are kept whole.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use ckpt_archive::{Kept, Member, Select, Selection};
use ckpt_memory::{PagemapImage, RunKind, derive_page_size};
use criu_image::messages::MmEntry;
use criu_image::{Classified, Image, ImageKind, classify};

use crate::cmdline::MAX_AREA;
use crate::locate::{join, split};

/// What a command needs of a checkpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Need {
    /// The container, sizes and statistics: no memory at all.
    Facts,
    /// The container and the changes of its file system: no memory.
    FileSystem,
    /// Processes with arguments and environment.
    Processes,
    /// Processes with arguments and environment, and all but their memory: files, logs, queues.
    Files,
    /// Every byte.
    #[default]
    Everything,
}

/// Members that engines write and no listing of facts or processes needs, however large.
const NOT_NEEDED: [&[u8]; 4] =
    [b"rootfs-diff.tar", b"devshm-checkpoint.tar", b"ctr.log", b"container.log"];

/// Largest member that is kept without a question, bytes.
const SMALL: u64 = 1 << 20;

/// Keeps what processes need.
#[derive(Debug)]
pub(crate) struct Selector {
    need: Need,
    seen: Mutex<Seen>,
}

/// A pagemap and the pid in its name.
type User = (u64, PagemapImage);

/// What has passed by: how many members were looked at, and the pagemaps by folder and pages id.
#[derive(Debug, Default)]
struct Seen {
    members: usize,
    pagemaps: HashMap<(Vec<u8>, u32), Vec<User>>,
}

impl Selector {
    pub(crate) fn new(need: Need) -> Self {
        Self { need, seen: Mutex::default() }
    }

    /// The parts of a pages file that hold arguments and environments; `None` when they cannot be told.
    fn strings(&self, member: &Member, id: u32, kept: &Kept<'_>) -> Option<Vec<Range<u64>>> {
        let folder = split(&member.path).0;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.catch_up(kept);
        let users = seen.pagemaps.get(&(folder.to_vec(), id))?;
        let mut ranges = Vec::new();
        for (pid, pagemap) in users {
            let mm = join(folder, format!("mm-{pid}.img").as_bytes());
            let mm: MmEntry = first_record(ImageKind::Mm, kept.get(&mm)?)?;
            let (page_size, _) = derive_page_size([(pagemap, member.size)], None, 4096);
            for (start, end) in [(mm.mm_arg_start, mm.mm_arg_end), (mm.mm_env_start, mm.mm_env_end)]
            {
                let end = end.min(start.saturating_add(MAX_AREA));
                for run in &pagemap.layout(page_size).runs {
                    let (from, to) = (start.max(run.start.0), end.min(run.end.0));
                    if from >= to {
                        continue;
                    }
                    match run.kind {
                        RunKind::Stored { offset } => {
                            let at = offset.saturating_add(from.saturating_sub(run.start.0));
                            ranges.push(at..at.saturating_add(to.saturating_sub(from)));
                        }
                        RunKind::Compressed(_) => return None,
                        RunKind::Parent | RunKind::Lazy | RunKind::Nowhere => {}
                    }
                }
            }
        }
        Some(ranges)
    }
}

impl Select for Selector {
    fn select(&self, member: &Member, kept: &Kept<'_>) -> Selection {
        let (folder, name) = split(&member.path);
        if let Classified::Image(image) = classify(name) {
            return match (image.kind, self.need) {
                (ImageKind::Pages, Need::Facts | Need::FileSystem) => Selection::Nothing,
                (ImageKind::Pages, _) => {
                    let id = image.id.and_then(|id| u32::try_from(id).ok());
                    match id.and_then(|id| self.strings(member, id, kept)) {
                        Some(ranges) => Selection::Ranges(ranges),
                        None => Selection::All,
                    }
                }
                (_, Need::Files) => Selection::All,
                (kind, _) if kind.is_raw() && member.size > SMALL => Selection::Nothing,
                (ImageKind::GhostFile, _) if member.size > SMALL => Selection::Nothing,
                _ => Selection::All,
            };
        }
        if self.need == Need::Files {
            return Selection::All;
        }
        let volume = folder.split(|byte| *byte == b'/').any(|part| part == b"volumes");
        if self.need == Need::FileSystem && (volume || name == b"rootfs-diff.tar") {
            return Selection::All;
        }
        if member.size > SMALL && (NOT_NEEDED.contains(&name) || volume) {
            return Selection::Nothing;
        }
        Selection::All
    }
}

impl Seen {
    fn catch_up(&mut self, kept: &Kept<'_>) {
        let members = kept.members();
        for member in members.get(self.members..).unwrap_or_default() {
            let (folder, name) = split(&member.path);
            if let Classified::Image(image) = classify(name)
                && image.kind == ImageKind::Pagemap
                && let Some(pid) = image.id
                && let Some(pagemap) = kept.get(&member.path).and_then(pagemap)
            {
                self.pagemaps
                    .entry((folder.to_vec(), pagemap.pages_id))
                    .or_default()
                    .push((pid, pagemap));
            }
        }
        self.members = members.len();
    }
}

fn first_record<M: criu_image::Message + Default>(kind: ImageKind, bytes: Bytes) -> Option<M> {
    Image::open(kind, bytes).ok()?.records().next()?.ok()?.decode().ok()
}

fn pagemap(bytes: Bytes) -> Option<PagemapImage> {
    let image = Image::open(ImageKind::Pagemap, bytes).ok()?;
    // With a broken entry nobody can say where later pages lie: then all are kept.
    let (pagemap, broken) = PagemapImage::read(&image).ok()?;
    broken.is_none().then_some(pagemap)
}
