//! `files.img` and what hangs on it: ghosts, memfds, pipe contents, socket queues. Source: `criu/images/fdinfo.proto` and
//! the message files it imports.

use crate::file::{Backing, File};
use crate::frame::{ByteOrder, Framing, Image, magic};
use crate::protobuf::Message;

/// `mnt_id` of the root mount, on which every file lies.
pub const ROOT_MOUNT: u32 = 780;

/// Numbers of `fd_types`.
mod kind {
    pub(super) const REG: u32 = 1;
    pub(super) const PIPE: u32 = 2;
    pub(super) const INETSK: u32 = 4;
    pub(super) const UNIXSK: u32 = 5;
    pub(super) const EVENTFD: u32 = 6;
    pub(super) const MEMFD: u32 = 18;
}

/// A memfd: its inode and the shared memory that holds its bytes.
#[derive(Clone, Debug)]
pub(crate) struct Memfd {
    pub(crate) name: Vec<u8>,
    pub(crate) shmid: u64,
    pub(crate) size: u64,
}

/// An entry of `files.img`, kept apart so that the old layout can sort by type.
#[derive(Debug)]
struct Entry {
    kind: u32,
    id: u32,
    field: u32,
    message: Message,
}

/// Everything that the dump's tasks have open, by id.
#[derive(Debug)]
pub(crate) struct FileTable {
    order: ByteOrder,
    entries: Vec<Entry>,
    known: Vec<(File, u32, u32)>,
    memfds: Vec<Memfd>,
    ghosts: Vec<(Vec<u8>, Vec<u8>)>,
    remaps: Vec<Message>,
    pipes: Vec<(u32, Vec<u8>)>,
    packets: Vec<(u32, Vec<u8>)>,
    streams: Vec<(u32, Vec<u8>, Vec<u8>)>,
}

impl FileTable {
    pub(crate) fn new(order: ByteOrder, memfds: Vec<Memfd>) -> Self {
        Self {
            order,
            entries: Vec::new(),
            known: Vec::new(),
            memfds,
            ghosts: Vec::new(),
            remaps: Vec::new(),
            pipes: Vec::new(),
            packets: Vec::new(),
            streams: Vec::new(),
        }
    }

    /// Id and type of a file, which is added when it is new.
    pub(crate) fn open(&mut self, file: &File) -> (u32, u32) {
        if let Some((_, id, kind)) = self.known.iter().find(|(known, ..)| known == file) {
            return (*id, *kind);
        }
        let (id, kind) = self.add(file);
        self.known.push((file.clone(), id, kind));
        (id, kind)
    }

    /// A directory by its path, always as a new entry.
    pub(crate) fn directory(&mut self, path: &[u8]) -> u32 {
        self.regular(path, 0, 0, 0o40_555, None)
    }

    /// The `shmid` of a VMA.
    pub(crate) fn backing(&mut self, backing: &Backing) -> u64 {
        match backing {
            Backing::None => 0,
            Backing::Shmid(id) => *id,
            Backing::Memfd { name } => u64::from(self.open(&File::Memfd { name: name.clone() }).0),
            Backing::Path { path, deleted } => {
                let (path, deleted) = (path.clone(), deleted.clone());
                u64::from(self.open(&File::Reg { path, flags: 0, pos: 0, deleted }).0)
            }
        }
    }

    fn add(&mut self, file: &File) -> (u32, u32) {
        let id = self.next_id();
        let (kind, field, message) = match file {
            File::Reg { path, flags, pos, deleted } => {
                let mode = match path.as_slice() {
                    b"/dev/null" => 0o20_666,
                    _ => 0o100_755,
                };
                let id = self.regular(path, *flags, *pos, mode, deleted.as_deref());
                return (id, kind::REG);
            }
            File::Linked { path, link, size } => {
                return (self.linked(path, link, *size), kind::REG);
            }
            File::Pipe { id: pipe, write, unread } => {
                // CRIU writes a record of every pipe that somebody reads, empty ones too.
                match self.pipes.iter_mut().find(|(known, _)| known == pipe) {
                    Some((_, data)) if data.is_empty() => data.clone_from(unread),
                    Some(_) => {}
                    None if *write && unread.is_empty() => {}
                    None => self.pipes.push((*pipe, unread.clone())),
                }
                let message = Message::new()
                    .uint(1, id) // id
                    .uint(2, *pipe) // pipe_id
                    .uint(3, u32::from(*write)) // flags
                    .message(4, &fown()); // fown
                (kind::PIPE, 18, message)
            }
            File::Memfd { name } => {
                let inode = self.memfd_inode(name);
                let message = Message::new()
                    .uint(1, id) // id
                    .uint(2, 0o100_002u32) // flags
                    .uint(3, 0u32) // pos
                    .message(4, &fown()) // fown
                    .uint(5, inode); // inode_id
                (kind::MEMFD, 20, message)
            }
            File::Inet { ino, kind, state, local, remote, queues } => {
                if let Some((unread, unsent)) = queues {
                    self.streams.push((*ino, unread.clone(), unsent.clone()));
                }
                let word = |addr: [u8; 4]| match self.order {
                    ByteOrder::Little => u32::from_le_bytes(addr),
                    ByteOrder::Big => u32::from_be_bytes(addr),
                };
                let message = Message::new()
                    .uint(1, id) // id
                    .uint(2, *ino) // ino
                    .uint(3, 2u32) // family: AF_INET
                    .uint(4, *kind) // type
                    .uint(5, if *kind == 1 { 6u32 } else { 17 }) // proto
                    .uint(6, *state) // state
                    .uint(7, local.1) // src_port
                    .uint(8, remote.1) // dst_port
                    .uint(9, 0o2u32) // flags
                    .uint(10, if *state == 10 { 128u32 } else { 0 }) // backlog
                    .uint(11, word(local.0)) // src_addr
                    .uint(12, word(remote.0)) // dst_addr
                    .message(13, &fown()) // fown
                    .message(14, &sk_opts()) // opts
                    .uint(18, crate::ns::NET); // ns_id
                (kind::INETSK, 4, message)
            }
            File::Unix { ino, kind, state, peer, name, unread } => {
                self.packets.extend(unread.iter().map(|packet| (id, packet.clone())));
                let message = Message::new()
                    .uint(1, id) // id
                    .uint(2, *ino) // ino
                    .uint(3, *kind) // type
                    .uint(4, *state) // state
                    .uint(5, 0o2u32) // flags
                    .uint(6, 0u32) // uflags
                    .uint(7, if *state == 10 { 128u32 } else { 0 }) // backlog
                    .uint(8, *peer) // peer
                    .message(9, &fown()) // fown
                    .message(10, &sk_opts()) // opts
                    .bytes(11, name) // name
                    .uint(16, crate::ns::NET); // ns_id
                (kind::UNIXSK, 16, message)
            }
            File::Eventfd { counter } => {
                let message = Message::new()
                    .uint(1, id) // id
                    .uint(2, 0o2u32) // flags
                    .message(3, &fown()) // fown
                    .uint(4, *counter); // counter
                (kind::EVENTFD, 8, message)
            }
            File::Other { kind, field, message } => {
                (*kind, *field, Message::new().uint(1, id).and(message)) // id
            }
        };
        self.entries.push(Entry { kind, id, field, message });
        (id, kind)
    }

    /// `reg_file_entry`, with its remap and ghost when it was deleted. Source: `criu/images/regfile.proto`.
    fn regular(
        &mut self,
        path: &[u8],
        flags: u32,
        pos: u64,
        mode: u32,
        deleted: Option<&[u8]>,
    ) -> u32 {
        let id = self.next_id();
        let message = Message::new()
            .uint(1, id) // id
            .uint(2, flags) // flags
            .uint(3, pos) // pos
            .message(5, &fown()) // fown
            .bytes(6, path) // name
            .sint(7, i64::from(ROOT_MOUNT)) // mnt_id
            .uint_opt(8, deleted.map(|content| content.len() as u64)) // size
            .uint(10, mode); // mode
        self.entries.push(Entry { kind: kind::REG, id, field: 3, message });
        if let Some(content) = deleted {
            let ghost = self.ghost(path, content);
            let remap = Message::new().uint(1, id).uint(2, ghost).uint(3, 1u32); // orig_id, remap_id, remap_type: ghost
            self.remaps.push(remap);
        }
        id
    }

    /// A file and the link that CRIU made to it, of which it notes neither mount nor size. Source: `criu/files-reg.c`,
    /// `create_link_remap`.
    fn linked(&mut self, path: &[u8], link: &[u8], size: u64) -> u32 {
        let id = self.next_id();
        let file = Message::new()
            .uint(1, id) // id
            .uint(2, 0o100_002u32) // flags
            .uint(3, 0u32) // pos
            .message(5, &fown()) // fown
            .bytes(6, path) // name
            .sint(7, i64::from(ROOT_MOUNT)) // mnt_id
            .uint(8, size) // size
            .uint(10, 0o100_600u32); // mode
        self.entries.push(Entry { kind: kind::REG, id, field: 3, message: file });
        let to = self.next_id();
        let made = Message::new()
            .uint(1, to) // id
            .uint(2, 0u32) // flags
            .uint(3, 0u32) // pos
            .message(5, &fown()) // fown
            .bytes(6, link); // name
        self.entries.push(Entry { kind: kind::REG, id: to, field: 3, message: made });
        let remap = Message::new().uint(1, id).uint(2, to).uint(3, 0u32); // orig_id, remap_id, remap_type: linked
        self.remaps.push(remap);
        id
    }

    /// Number of the ghost of `path`: one inode, whatever opened it.
    fn ghost(&mut self, path: &[u8], content: &[u8]) -> u32 {
        let known = self.ghosts.iter().position(|(p, c)| p == path && c == content);
        let index = known.unwrap_or_else(|| {
            self.ghosts.push((path.to_vec(), content.to_vec()));
            self.ghosts.len() - 1
        });
        small(index) + 1
    }

    /// `inode_id` of a memfd. One that nobody described is empty.
    fn memfd_inode(&mut self, name: &[u8]) -> u32 {
        let known = self.memfds.iter().position(|memfd| memfd.name == name);
        let index = known.unwrap_or_else(|| {
            let shmid = 61_000 + self.memfds.len() as u64;
            self.memfds.push(Memfd { name: name.to_vec(), shmid, size: 0 });
            self.memfds.len() - 1
        });
        small(index) + 1
    }

    fn next_id(&self) -> u32 {
        small(self.entries.len()) + 1
    }

    /// The images, in either layout.
    pub(crate) fn images(&self, framing: Framing, split: bool) -> Vec<(String, Vec<u8>)> {
        let mut images = Vec::new();
        let image = |kind| Image::new(kind, framing, self.order);
        if split {
            let old = [
                (kind::REG, "reg-files.img", magic::REG_FILES),
                (kind::PIPE, "pipes.img", magic::PIPES),
                (kind::INETSK, "inetsk.img", magic::INETSK),
                (kind::UNIXSK, "unixsk.img", magic::UNIXSK),
                (kind::EVENTFD, "eventfd.img", magic::EVENTFD),
            ];
            for (kind, name, magic) in old {
                let records: Vec<_> =
                    self.entries.iter().filter(|e| e.kind == kind).map(|e| &e.message).collect();
                if !records.is_empty() {
                    images.push((name.to_owned(), image(magic).records(records).into_bytes()));
                }
            }
        } else {
            let files = self.entries.iter().fold(image(magic::FILES), |files, entry| {
                let Entry { kind, id, field, message } = entry;
                files.record(&Message::new().uint(1, *kind).uint(2, *id).message(*field, message)) // type, id
            });
            images.push(("files.img".to_owned(), files.into_bytes()));
        }
        if !self.remaps.is_empty() {
            let remaps = image(magic::REMAP_FPATH).records(&self.remaps);
            images.push(("remap-fpath.img".to_owned(), remaps.into_bytes()));
        }
        for (number, (_, content)) in (1u32..).zip(&self.ghosts) {
            let ghost = ghost_image(image(magic::GHOST_FILE), number, content);
            images.push((format!("ghost-file-{number:x}.img"), ghost));
        }
        if !self.memfds.is_empty() {
            let memfds = (1u32..)
                .zip(&self.memfds)
                .fold(image(magic::MEMFD), |image, (id, m)| image.record(&memfd_inode(id, m)));
            images.push(("memfd.img".to_owned(), memfds.into_bytes()));
        }
        if !self.pipes.is_empty() {
            let data = self.pipes.iter().fold(image(magic::PIPES_DATA), |data, (pipe, bytes)| {
                let entry =
                    Message::new().uint(1, *pipe).uint(2, bytes.len() as u64).uint(3, 65_536u32); // pipe_id, bytes, size
                data.record(&entry).extra(bytes)
            });
            images.push(("pipes-data.img".to_owned(), data.into_bytes()));
        }
        if !self.packets.is_empty() {
            let queues =
                self.packets.iter().fold(image(magic::SK_QUEUES), |queues, (id, bytes)| {
                    let entry = Message::new().uint(1, *id).uint(2, bytes.len() as u64); // id_for, length
                    queues.record(&entry).extra(bytes)
                });
            images.push(("sk-queues.img".to_owned(), queues.into_bytes()));
        }
        for (ino, unread, unsent) in &self.streams {
            let stream = image(magic::TCP_STREAM).record(&tcp_stream(unread, unsent));
            let bytes = stream.extra(unread).extra(unsent).into_bytes();
            images.push((format!("tcp-stream-{ino:x}.img"), bytes));
        }
        images
    }
}

/// `fown_entry` of a file that nobody owns.
fn fown() -> Message {
    (1..=5).fold(Message::new(), |fown, field| fown.uint(field, 0u32)) // uid, euid, signum, pid_type, pid
}

/// `sk_opts_entry`.
fn sk_opts() -> Message {
    let opts = Message::new().uint(1, 212_992u32).uint(2, 212_992u32); // so_sndbuf, so_rcvbuf
    (3..=6).fold(opts, |opts, field| opts.uint(field, 0u32)) // timeouts
}

/// `memfd_inode_entry`.
fn memfd_inode(inode_id: u32, memfd: &Memfd) -> Message {
    Message::new()
        .bytes(1, &memfd.name) // name
        .uint(2, 0u32) // uid
        .uint(3, 0u32) // gid
        .uint(4, memfd.size) // size
        .uint(5, memfd.shmid) // shmid
        .uint(6, 1u32) // seals
        .uint(7, inode_id) // inode_id
        .uint(9, 0o100_777u32) // mode
}

/// `tcp_stream_entry`.
fn tcp_stream(unread: &[u8], unsent: &[u8]) -> Message {
    Message::new()
        .uint(1, unread.len() as u64) // inq_len
        .uint(2, 1_000_000u32) // inq_seq
        .uint(3, unsent.len() as u64) // outq_len
        .uint(4, 2_000_000u32) // outq_seq
        .uint(5, 3u32) // opt_mask
        .uint(6, 7u32) // snd_wscale
        .uint(7, 65_483u32) // mss_clamp
        .uint(8, 7u32) // rcv_wscale
}

/// `ghost_file_entry` and the content, in chunk form from 12288 bytes on as CRIU does.
fn ghost_image(image: Image, number: u32, content: &[u8]) -> Vec<u8> {
    let time = Message::new().uint(1, 1_795_400_000u32).uint(2, 0u32); // tv_sec, tv_usec
    let entry = Message::new()
        .uint(1, 0u32) // uid
        .uint(2, 0u32) // gid
        .uint(3, 0o100_755u32) // mode
        .uint(4, 51u32) // dev
        .uint(5, 700_000 + u64::from(number)) // ino
        .message(7, &time) // atim
        .message(8, &time); // mtim
    if content.len() < 12_288 {
        return image.record(&entry).extra(content).into_bytes();
    }
    let size = content.len() as u64;
    let entry = entry.bool(9, true).uint(10, size); // chunks, size
    let chunk = Message::new().uint(1, size).uint(2, 0u32); // len, off
    image.record(&entry).record(&chunk).extra(content).into_bytes()
}

fn small(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
