//! Data in flight: pipes, named pipes, unix sockets, TCP connections, terminals.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use criu_image::messages::{
    FileEntry, InetSkEntry, PipeDataEntry, ScmEntry, SkPacketEntry, TcpStreamEntry, TtyDataEntry,
};
use criu_image::names::FD_TYPES;
use criu_image::{ByteOrder, Extra, ImageKind};

use super::content::ArtifactContent;
use super::owners::Owners;
use super::{Artifact, Details, Direction, Message, Origin, TcpQueue};
use crate::files::{FileTable, fd_type};
use crate::images::{Images, decode};
use crate::sockets::{Sender, Sequence};
use crate::{Checkpoint, Text};

/// `SCM_RIGHTS`.
const RIGHTS: u32 = 1;

/// The bits of the open flags that tell reading from writing; reading is 0.
const ACCESS_MODE: u32 = 3;

pub(super) fn find(
    checkpoint: &Checkpoint,
    images: &Images,
    owners: &Owners,
    list: &mut Vec<Artifact>,
) {
    let flight = Flight { checkpoint, images, owners };
    flight.pipes(ImageKind::PipesData, "pipe", list);
    flight.pipes(ImageKind::FifoData, "fifo", list);
    flight.unix(list);
    flight.tcp(list);
    flight.terminals(list);
}

struct Flight<'a> {
    checkpoint: &'a Checkpoint,
    images: &'a Images,
    owners: &'a Owners,
}

impl Flight<'_> {
    fn pipes(&self, kind: ImageKind, word: &str, list: &mut Vec<Artifact>) {
        let told = self.checkpoint.told();
        // A hostile image has many records of one pipe, which many have open.
        let mut queues: Vec<(u32, String, Vec<Bytes>)> = Vec::new();
        let mut known: HashMap<u32, usize> = HashMap::new();
        for (place, record) in self.images.records(kind, None, told).into_iter().flatten() {
            let Some(entry) = decode::<PipeDataEntry>(&place, &record, told) else { continue };
            let Extra::PipeData(data) = record.extra else { continue };
            if data.is_empty() {
                continue;
            }
            let queue = *known.entry(entry.pipe_id).or_insert_with(|| {
                queues.push((entry.pipe_id, place.to_string(), Vec::new()));
                queues.len().saturating_sub(1)
            });
            if let Some((.., parts)) = queues.get_mut(queue) {
                parts.push(data);
            }
        }
        if queues.is_empty() {
            return;
        }
        let mut ends = self.ends();
        for (number, place, parts) in queues {
            let Ends { readers, writers, name } = ends.remove(&number).unwrap_or_default();
            let content = ArtifactContent::parts(parts);
            let mut artifact =
                Artifact::new(format!("{word}-{number}"), Origin::Pipe, place, content);
            // Who would read it comes first.
            artifact.holders = self.owners.files(readers);
            artifact.holders.extend(self.owners.files(writers));
            artifact.path = Some(name.unwrap_or_else(|| bracketed("pipe", number)));
            list.push(artifact);
        }
    }

    /// The ends of pipes and named pipes by their number.
    fn ends(&self) -> HashMap<u32, Ends> {
        let files = self.checkpoint.files();
        let mut ends: HashMap<u32, Ends> = HashMap::new();
        for file in files.all() {
            if let Some(pipe) = &file.pipe {
                let of = ends.entry(pipe.pipe_id).or_default();
                let end =
                    if pipe.flags & ACCESS_MODE == 0 { &mut of.readers } else { &mut of.writers };
                end.push((file.r#type, file.id));
            }
            if let Some(fifo) = &file.fifo {
                let of = ends.entry(fifo.pipe_id).or_default();
                of.readers.push((file.r#type, file.id));
                of.name = files.path(fifo.regf_id.unwrap_or(file.id)).map(|path| path.path);
            }
        }
        ends
    }

    /// Each record is a datagram or a piece of a stream, in the order of arrival, for one receiving socket.
    fn unix(&self, list: &mut Vec<Artifact>) {
        let told = self.checkpoint.told();
        let files = self.checkpoint.files();
        let mut queues: BTreeMap<u32, (String, Vec<Bytes>, Vec<Message>)> = BTreeMap::new();
        let records = self.images.records(ImageKind::SkQueues, None, told);
        for (place, record) in records.into_iter().flatten() {
            let Some(entry) = decode::<SkPacketEntry>(&place, &record, told) else { continue };
            let Extra::Packet(data) = record.extra else { continue };
            let queue = queues.entry(entry.id_for);
            let (_, parts, messages) =
                queue.or_insert_with(|| (place.to_string(), Vec::new(), Vec::new()));
            messages.push(Message {
                size: data.len() as u64,
                rights: rights(files, &entry.scm),
                sender: entry.ucred.as_ref().map(Sender::of),
            });
            parts.push(data);
        }
        for (id, (place, parts, messages)) in queues {
            let socket =
                files.get(fd_type::UNIXSK, id).and_then(|entry| Some((entry, entry.usk.as_ref()?)));
            let name = socket.map_or_else(
                || format!("socket-queue-file-{id}"),
                |(_, socket)| format!("unix-{}", socket.ino),
            );
            let content = ArtifactContent::parts(parts);
            let mut artifact = Artifact::new(name, Origin::SocketQueue, place, content);
            artifact.path = socket.map(|(_, socket)| bracketed("socket", socket.ino));
            artifact.holders = self.owners.files([(fd_type::UNIXSK, id)]);
            let name = socket.and_then(|(_, socket)| unix_name(&socket.name));
            artifact.details = Some(Box::new(Details { messages, name, ..Details::default() }));
            list.push(artifact);
        }
    }

    fn tcp(&self, list: &mut Vec<Artifact>) {
        let told = self.checkpoint.told();
        let mut sockets: BTreeMap<u64, (&FileEntry, &InetSkEntry)> = BTreeMap::new();
        for entry in self.checkpoint.files().all() {
            if let Some(socket) = &entry.isk {
                sockets.entry(socket.ino.into()).or_insert((entry, socket));
            }
        }
        let order = self.checkpoint.byte_order();
        for ino in self.images.ids(ImageKind::TcpStream) {
            let records = self.images.records(ImageKind::TcpStream, Some(ino), told);
            let Some((place, record)) = records.and_then(|mut records| records.next()) else {
                continue;
            };
            let Some(entry) = decode::<TcpStreamEntry>(&place, &record, told) else { continue };
            let Extra::TcpQueues { received, outgoing } = record.extra else { continue };
            let socket = sockets.get(&ino);
            let state = socket.map_or(0, |(_, socket)| socket.state);
            for (direction, data, Sequence { first, next }) in [
                (Direction::Received, received, Sequence::received(state, &entry)),
                (Direction::Sent, outgoing, Sequence::sent(state, &entry)),
            ] {
                if data.is_empty() {
                    continue;
                }
                let queue = TcpQueue {
                    direction,
                    local: socket.and_then(|(_, s)| address(&s.src_addr, s.src_port, order)),
                    remote: socket.and_then(|(_, s)| address(&s.dst_addr, s.dst_port, order)),
                    first,
                    next,
                    unsent: match direction {
                        Direction::Sent => entry.unsq_len.unwrap_or_default(),
                        Direction::Received => 0,
                    },
                };
                let id = format!("tcp-{ino:x}-{}", direction.word());
                let content = ArtifactContent::parts(vec![data]);
                let mut artifact = Artifact::new(id, Origin::TcpQueue, place.clone(), content);
                artifact.path = Some(bracketed("socket", ino));
                artifact.holders =
                    self.owners.files(socket.map(|(entry, _)| (entry.r#type, entry.id)));
                artifact.details =
                    Some(Box::new(Details { tcp: Some(queue), ..Details::default() }));
                list.push(artifact);
            }
        }
    }

    fn terminals(&self, list: &mut Vec<Artifact>) {
        let told = self.checkpoint.told();
        let files = self.checkpoint.files();
        let mut queues: Vec<(u32, String, Vec<Bytes>)> = Vec::new();
        let mut known: HashMap<u32, usize> = HashMap::new();
        let records = self.images.records(ImageKind::TtyData, None, told);
        for (place, record) in records.into_iter().flatten() {
            let Some(entry) = decode::<TtyDataEntry>(&place, &record, told) else { continue };
            if entry.data.is_empty() {
                continue;
            }
            let queue = *known.entry(entry.tty_id).or_insert_with(|| {
                queues.push((entry.tty_id, place.to_string(), Vec::new()));
                queues.len().saturating_sub(1)
            });
            if let Some((.., parts)) = queues.get_mut(queue) {
                parts.push(Bytes::from(entry.data));
            }
        }
        if queues.is_empty() {
            return;
        }
        let mut open: HashMap<u32, Vec<&FileEntry>> = HashMap::new();
        for file in files.all() {
            if let Some(tty) = &file.tty {
                open.entry(tty.tty_info_id).or_default().push(file);
            }
        }
        for (number, place, parts) in queues {
            let content = ArtifactContent::parts(parts);
            let mut artifact = Artifact::new(format!("tty-{number}"), Origin::Tty, place, content);
            let info = files.terminal(number);
            let open = open.remove(&number).unwrap_or_default();
            let named = open.iter().find_map(|file| files.path(file.tty.as_ref()?.regf_id?));
            let slave = info.and_then(|info| info.pty.as_ref());
            artifact.path = named
                .map(|named| named.path)
                .or_else(|| slave.map(|pty| Text(format!("/dev/pts/{}", pty.index).into_bytes())));
            artifact.uid = info.and_then(|info| info.uid).map(u64::from);
            artifact.gid = info.and_then(|info| info.gid).map(u64::from);
            artifact.holders = self.owners.files(open.iter().map(|file| (file.r#type, file.id)));
            list.push(artifact);
        }
    }
}

/// Who has a pipe open, as types and ids of open files, and the path of a named one.
#[derive(Debug, Default)]
struct Ends {
    readers: Vec<(u32, u32)>,
    writers: Vec<(u32, u32)>,
    name: Option<Text>,
}

/// `pipe:[250880]`, as the kernel calls what has no path.
fn bracketed(word: &str, number: impl Into<u64>) -> Text {
    Text(format!("{word}:[{}]", number.into()).into_bytes())
}

/// The address of a unix socket: a path, or `@` and an abstract name; `None` without one.
fn unix_name(name: &[u8]) -> Option<Text> {
    match name.split_first() {
        None => None,
        Some((0, name)) => Some(Text([b"@", name].concat())),
        Some(_) => Some(Text::from(name.strip_suffix(b"\0").unwrap_or(name))),
    }
}

/// What was sent with a message.
fn rights(files: &FileTable, scm: &[ScmEntry]) -> Vec<Text> {
    let sent = scm.iter().filter(|scm| scm.r#type == RIGHTS).flat_map(|scm| &scm.rights);
    let target = |file: &FileEntry| {
        files.target(file).unwrap_or_else(|| {
            let word = FD_TYPES.get(i64::from(file.r#type)).unwrap_or("file").to_ascii_lowercase();
            bracketed(&word, file.id)
        })
    };
    sent.map(|id| files.by_id(*id).next().map_or_else(|| bracketed("file", *id), target)).collect()
}

/// One word (IPv4) or four (IPv6): bytes in network order, read as numbers by the dumping host.
fn address(words: &[u32], port: u32, order: ByteOrder) -> Option<SocketAddr> {
    let bytes = |word: &u32| match order {
        ByteOrder::Little => word.to_le_bytes(),
        ByteOrder::Big => word.to_be_bytes(),
    };
    let ip: IpAddr = match words {
        [word] => bytes(word).into(),
        [a, b, c, d] => {
            let all = [bytes(a), bytes(b), bytes(c), bytes(d)].concat();
            <[u8; 16]>::try_from(all).ok()?.into()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::try_from(port).ok()?))
}
