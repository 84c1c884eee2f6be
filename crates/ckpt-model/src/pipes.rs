//! Pipes and named pipes: both ends, and what waits between them.

use std::collections::BTreeMap;

use criu_image::messages::PipeDataEntry;
use criu_image::{Extra, ImageKind};

use crate::fds::Holder;
use crate::files::fd_type;
use crate::images::decode;
use crate::{Checkpoint, Text};

/// Access mode of open flags, the same on every architecture: 0 reading, 1 writing, 2 both.
const O_ACCMODE: u32 = 3;

/// A pipe or named pipe.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Pipe {
    /// Inode: the number in `pipe:[N]`; of a named pipe the inode of its file.
    pub ino: u32,
    /// Path of a named pipe, as `/proc` shows it.
    pub path: Option<Text>,
    /// Whether it is a named pipe.
    pub named: bool,
    /// Bytes written and not read; `None` where CRIU did not look into it.
    pub waiting: Option<u64>,
    /// Bytes it can hold, where CRIU noted it.
    pub capacity: Option<u32>,
    /// Who can read from it.
    pub readers: Vec<Holder>,
    /// Who can write to it.
    pub writers: Vec<Holder>,
    /// Ids of the open files, by which queued messages refer to them.
    pub files: Vec<u32>,
}

impl Checkpoint {
    /// The pipes and named pipes, by inode.
    pub fn pipes(&self) -> &[Pipe] {
        self.pipes.get_or_init(|| self.read_pipes())
    }

    fn read_pipes(&self) -> Vec<Pipe> {
        let mut pipes: BTreeMap<(bool, u32), Pipe> = BTreeMap::new();
        let files = self.files();
        for file in files.all() {
            let (named, ino, flags, path) = match file.r#type {
                fd_type::PIPE => match &file.pipe {
                    Some(pipe) => (false, pipe.pipe_id, pipe.flags, None),
                    None => continue,
                },
                fd_type::FIFO => match &file.fifo {
                    Some(fifo) => {
                        let id = fifo.regf_id.unwrap_or(fifo.id);
                        let reg = files.get(fd_type::REG, id).and_then(|file| file.reg.as_ref());
                        // Who opened it cannot be told without its file; then it counts as both.
                        let flags = reg.map_or(2, |reg| reg.flags);
                        (true, fifo.pipe_id, flags, files.path(id).map(|file| file.path))
                    }
                    None => continue,
                },
                _ => continue,
            };
            let pipe = pipes.entry((named, ino)).or_default();
            pipe.ino = ino;
            pipe.named = named;
            pipe.path = pipe.path.take().or(path);
            pipe.files.push(file.id);
            let holders = self.descriptors().holders(file.r#type, file.id);
            if flags & O_ACCMODE != 1 {
                pipe.readers.extend_from_slice(holders);
            }
            if flags & O_ACCMODE != 0 {
                pipe.writers.extend_from_slice(holders);
            }
        }
        self.fill(&mut pipes, ImageKind::PipesData, false);
        self.fill(&mut pipes, ImageKind::FifoData, true);
        let mut pipes: Vec<Pipe> = pipes.into_values().collect();
        for pipe in &mut pipes {
            pipe.readers.sort_unstable();
            pipe.writers.sort_unstable();
        }
        pipes.sort_by_key(|pipe| (pipe.ino, pipe.named));
        pipes
    }

    /// Adds what waits in them.
    fn fill(&self, pipes: &mut BTreeMap<(bool, u32), Pipe>, kind: ImageKind, named: bool) {
        let Some(images) = self.images() else { return };
        for (place, record) in images.records(kind, None, self.told()).into_iter().flatten() {
            let Some(entry) = decode::<PipeDataEntry>(&place, &record, self.told()) else {
                continue;
            };
            let Extra::PipeData(data) = &record.extra else { continue };
            let Some(pipe) = pipes.get_mut(&(named, entry.pipe_id)) else {
                let what = format!("data of pipe {}, which no file refers to", entry.pipe_id);
                self.told().missing(place, what);
                continue;
            };
            let bytes = data.len() as u64;
            pipe.waiting = Some(pipe.waiting.unwrap_or_default().saturating_add(bytes));
            pipe.capacity = entry.size.or(pipe.capacity);
        }
    }
}
