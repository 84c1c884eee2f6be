//! Sockets and pipes: who talks to whom, and what was on its way.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use ckpt_model::{
    Checkpoint, Descriptors, Endpoint, Family, FileTable, Holder, Pipe, Queued, Sender, Socket,
    Text,
};
use criu_image::messages::UnixSkEntry;
use criu_image::names;
use serde::Serialize;

use super::files::FilesOptions;
use super::repeats::Repeats;
use super::shared::{base64, fields, lossless};
use super::socket_options::socket_options;
use crate::services::service;
use crate::words::Word;

/// A socket.
#[derive(Clone, Debug, Serialize)]
pub struct SocketRecord<'a> {
    /// Inode; `null` for packet sockets, whose image has none.
    pub ino: Option<u32>,
    /// `inet`, `inet6`, `unix`, `netlink` or `packet`.
    pub family: Word,
    /// `tcp`, `udp`, `udplite`, `raw`, `icmp`, `stream`, `dgram`, `seqpacket`, `netlink` or `packet`.
    #[serde(rename = "type")]
    pub kind: Word,
    /// The state in the words of `ss`; `null` of a socket outside of the dump.
    pub state: Option<Word>,
    /// Own address.
    pub local: Option<Cow<'a, str>>,
    /// Bytes of `local`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_base64: Option<String>,
    /// The other end's address.
    pub remote: Option<Cow<'a, str>>,
    /// Bytes of `remote`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_base64: Option<String>,
    /// Inode of the other end, where it is in the dump or was noted.
    pub peer_ino: Option<u32>,
    /// Who has the other end open.
    pub peer_holders: Vec<FdRecord>,
    /// How many have it besides, as other records tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub more_peer_holders: Option<usize>,
    /// The other end is a listener at which this connection waits to be accepted.
    pub waiting: bool,
    /// Bytes received and not read; `null` where CRIU does not save them.
    pub recv_bytes: Option<u64>,
    /// Bytes sent that the other end has not acknowledged, or, of a unix pair, not read.
    pub send_bytes: Option<u64>,
    /// Messages in the receive queue, oldest first; none for TCP, which has no messages.
    pub queue: Vec<QueuedRecord<'a>>,
    /// Sequence numbers and windows of a TCP connection.
    pub tcp: Option<ConnectionRecord>,
    /// Options that are not what the kernel sets by itself.
    pub options: Vec<String>,
    /// Connections that may wait for `accept`.
    pub backlog: Option<u32>,
    /// `none`, `read`, `write` or `both`.
    pub shutdown: Word,
    /// Network namespace, by CRIU's small id.
    pub net_ns: Option<u32>,
    /// The file of a unix socket, where CRIU noted more of it than its path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<SocketFileRecord<'a>>,
    /// The file of a unix socket's path was removed.
    pub deleted: bool,
    /// Outside of the dump.
    pub external: bool,
    /// Who has it open.
    pub holders: Vec<FdRecord>,
    /// How many have it besides: processes with the descriptors of one that is in `holders`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub more_holders: Option<usize>,
}

/// The file of a unix socket.
#[derive(Clone, Debug, Serialize)]
pub struct SocketFileRecord<'a> {
    /// Directory in which a path that is not absolute begins.
    pub directory: Option<Cow<'a, str>>,
    /// Bytes of `directory`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory_base64: Option<String>,
    /// Permissions, octal.
    pub mode: Option<String>,
    /// Owner.
    pub uid: Option<u32>,
    /// Group.
    pub gid: Option<u32>,
}

impl<'a> SocketFileRecord<'a> {
    fn of(raw: &'a UnixSkEntry) -> Option<Self> {
        let (directory, perms) = (raw.name_dir.as_deref(), raw.file_perms.as_ref());
        (directory.is_some() || perms.is_some()).then(|| Self {
            directory: directory.map(lossless),
            directory_base64: directory.and_then(base64),
            mode: perms.map(|perms| format!("{:04o}", perms.mode & 0o7777)),
            uid: perms.map(|perms| perms.uid),
            gid: perms.map(|perms| perms.gid),
        })
    }
}

/// A descriptor of a process.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct FdRecord {
    /// The process.
    pub pid: u32,
    /// The number.
    pub fd: u32,
}

/// Lists of holders, those that processes have together as far as there is room.
struct Holders<'a> {
    descriptors: &'a Descriptors,
    repeats: Repeats,
    /// Other ends of which the holders were told.
    peers: HashSet<u32>,
}

impl<'a> Holders<'a> {
    fn of(checkpoint: &'a Checkpoint) -> Self {
        Self {
            descriptors: checkpoint.descriptors(),
            repeats: Repeats::default(),
            peers: HashSet::new(),
        }
    }

    /// All of them, but for those with the table of another for which there is no room; how many these are.
    fn list(&mut self, holders: &[Holder]) -> (Vec<FdRecord>, Option<usize>) {
        let list = holders.iter().filter(|holder| {
            let first = self.descriptors.first_with(holder.pid);
            first.is_none_or(|first| first == holder.pid) || self.repeats.take(1)
        });
        let list: Vec<FdRecord> =
            list.map(|holder| FdRecord { pid: holder.pid.0, fd: holder.fd }).collect();
        let more = holders.len().saturating_sub(list.len());
        (list, (more > 0).then_some(more))
    }

    /// Those of the other end, which any number of sockets can have.
    fn of_peer(&mut self, ino: u32, holders: &[Holder]) -> (Vec<FdRecord>, Option<usize>) {
        if self.peers.insert(ino) || self.repeats.take(holders.len()) {
            return self.list(holders);
        }
        (Vec::new(), Some(holders.len()))
    }
}

/// A message in a receive queue.
#[derive(Clone, Debug, Serialize)]
pub struct QueuedRecord<'a> {
    /// Bytes.
    pub bytes: u64,
    /// Open files that came with it.
    pub files: Vec<PassedRecord<'a>>,
    /// Who sent it, where CRIU noted that (since after 4.2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<SenderRecord>,
}

/// Who sent a message.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct SenderRecord {
    /// The process.
    pub pid: u32,
    /// Its user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
}

impl SenderRecord {
    pub(super) fn of(sender: Sender) -> Self {
        Self { pid: sender.pid, uid: sender.uid, gid: sender.gid }
    }
}

/// An open file in flight.
#[derive(Clone, Debug, Serialize)]
pub struct PassedRecord<'a> {
    /// Number of the open file in the images.
    pub file_id: u32,
    /// What it is, in CRIU's words; `null` when it is not in the images.
    pub types: Vec<Word>,
    /// Its path, where it has one.
    pub path: Option<Cow<'a, str>>,
    /// What `readlink` of `/proc/PID/fd/N` would say of it.
    pub target: Option<Cow<'a, str>>,
    /// Bytes of `target`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_base64: Option<String>,
}

/// A TCP connection.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ConnectionRecord {
    /// Sequence number of the first byte received and not read.
    pub recv_seq: u32,
    /// Sequence number of the first byte sent and not acknowledged.
    pub send_seq: u32,
    /// Bytes at the end of the send queue that were never sent.
    pub unsent_bytes: Option<u32>,
    /// Largest segment.
    pub mss: u32,
    /// Window of the other end, bytes.
    pub send_window: Option<u32>,
}

/// The sockets of the processes that are asked for.
pub(super) fn sockets<'a>(
    checkpoint: &'a Checkpoint,
    options: &FilesOptions,
) -> Vec<SocketRecord<'a>> {
    let all = checkpoint.sockets();
    let wanted = |socket: &&Socket| {
        options.pids.is_empty() || socket.holders.iter().any(|holder| options.wants(holder.pid.0))
    };
    let records = SocketRecords::of(checkpoint, options.resolve_ports);
    all.iter().filter(wanted).map(|socket| records.record(socket)).collect()
}

/// Makes records of the sockets of a checkpoint.
pub(super) struct SocketRecords<'a> {
    checkpoint: &'a Checkpoint,
    by_ino: HashMap<u32, &'a Socket>,
    holders: RefCell<Holders<'a>>,
    resolve_ports: bool,
}

impl<'a> SocketRecords<'a> {
    pub(super) fn of(checkpoint: &'a Checkpoint, resolve_ports: bool) -> Self {
        let all = checkpoint.sockets().iter();
        let by_ino = all.filter_map(|socket| Some((socket.ino?, socket))).collect();
        let holders = RefCell::new(Holders::of(checkpoint));
        Self { checkpoint, by_ino, holders, resolve_ports }
    }

    pub(super) fn record(&self, socket: &'a Socket) -> SocketRecord<'a> {
        let peer = socket.peer_ino.and_then(|ino| Some((ino, self.by_ino.get(&ino)?)));
        let mut all = self.holders.borrow_mut();
        let (holders, more_holders) = all.list(&socket.holders);
        let (peer_holders, more_peer_holders) =
            peer.map(|(ino, peer)| all.of_peer(ino, &peer.holders)).unwrap_or_default();
        let raw = self.checkpoint.files().get(socket.fd_type, socket.file_id);
        SocketRecord {
            ino: socket.ino,
            family: family(socket.family),
            kind: kind(socket),
            state: state(socket),
            local: text(socket.local.as_ref(), self.resolve_ports).0,
            local_base64: text(socket.local.as_ref(), self.resolve_ports).1,
            remote: text(socket.remote.as_ref(), self.resolve_ports).0,
            remote_base64: text(socket.remote.as_ref(), self.resolve_ports).1,
            peer_ino: socket.peer_ino,
            peer_holders,
            more_peer_holders,
            waiting: socket.waiting,
            recv_bytes: socket.received,
            send_bytes: socket.outgoing,
            queue: socket
                .queue
                .iter()
                .map(|queued| message(queued, self.checkpoint.files()))
                .collect(),
            tcp: socket.stream.as_ref().map(|stream| ConnectionRecord {
                recv_seq: socket.first_unread().unwrap_or(stream.inq_seq),
                send_seq: socket.first_unacknowledged().unwrap_or(stream.outq_seq),
                unsent_bytes: stream.unsq_len,
                mss: stream.mss_clamp,
                send_window: stream.snd_wnd,
            }),
            options: socket_options(self.checkpoint, socket),
            backlog: socket.backlog,
            shutdown: match names::SHUTDOWN.get(i64::from(socket.shutdown)) {
                Some(word) => word.to_ascii_lowercase().into(),
                None => socket.shutdown.to_string().into(),
            },
            net_ns: socket.net_ns,
            file: raw.and_then(|file| SocketFileRecord::of(file.usk.as_ref()?)),
            deleted: socket.deleted,
            external: socket.external,
            holders,
            more_holders,
        }
    }
}

pub(crate) fn family(family: Family) -> Word {
    match family {
        Family::Inet => "inet".into(),
        Family::Inet6 => "inet6".into(),
        Family::Unix => "unix".into(),
        Family::Netlink => "netlink".into(),
        Family::Packet => "packet".into(),
        Family::Unknown(number) => format!("unknown ({number})").into(),
        _ => "unknown".into(),
    }
}

pub(crate) fn kind(socket: &Socket) -> Word {
    let unknown = || format!("unknown ({}, {})", socket.kind, socket.protocol).into();
    socket.type_word().map_or_else(unknown, Word::from)
}

pub(crate) fn state(socket: &Socket) -> Option<Word> {
    let unknown = || format!("unknown ({})", socket.state).into();
    (!socket.external).then(|| socket.state_word().map_or_else(unknown, Word::from))
}

pub(crate) fn endpoint(endpoint: &Endpoint, resolve: bool) -> Text {
    endpoint.with_service(|port| if resolve { service(port) } else { None })
}

fn text(end: Option<&Endpoint>, resolve: bool) -> (Option<Cow<'static, str>>, Option<String>) {
    let Some(text) = end.map(|end| endpoint(end, resolve)) else { return (None, None) };
    (Some(Cow::Owned(text.lossless().into_owned())), base64(text.as_bytes()))
}

fn message<'a>(queued: &Queued, files: &'a FileTable) -> QueuedRecord<'a> {
    let passed = |id: &u32| {
        let target = files.by_id(*id).find_map(|file| files.target(file));
        PassedRecord {
            file_id: *id,
            types: files
                .by_id(*id)
                .map(|file| {
                    names::FD_TYPES.text(i64::from(file.r#type)).to_ascii_lowercase().into()
                })
                .collect(),
            path: files.path(*id).map(|file| Cow::Owned(file.path.lossless().into_owned())),
            target_base64: target.as_ref().and_then(|target| base64(target.as_bytes())),
            target: target.map(|target| Cow::Owned(target.lossless().into_owned())),
        }
    };
    QueuedRecord {
        bytes: queued.bytes,
        files: queued.rights.iter().map(passed).collect(),
        sender: queued.sender.map(SenderRecord::of),
    }
}

/// A pipe or named pipe.
#[derive(Clone, Debug, Serialize)]
pub struct PipeRecord<'a> {
    /// Inode.
    pub ino: u32,
    /// Path of a named pipe.
    pub path: Option<Cow<'a, str>>,
    /// Bytes of `path`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_base64: Option<String>,
    /// Bytes written and not read; `null` where CRIU did not look.
    pub bytes: Option<u64>,
    /// Bytes that fit.
    pub capacity: Option<u32>,
    /// Who can read.
    pub readers: Vec<FdRecord>,
    /// How many can besides: processes with the descriptors of one that is in `readers`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub more_readers: Option<usize>,
    /// Who can write.
    pub writers: Vec<FdRecord>,
    /// How many can besides: processes with the descriptors of one that is in `writers`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub more_writers: Option<usize>,
}

/// The pipes of the processes that are asked for.
pub(super) fn pipes<'a>(checkpoint: &'a Checkpoint, options: &FilesOptions) -> Vec<PipeRecord<'a>> {
    let wanted = |pipe: &&Pipe| {
        let mut ends = pipe.readers.iter().chain(&pipe.writers);
        options.pids.is_empty() || ends.any(|holder| options.wants(holder.pid.0))
    };
    let mut holders = Holders::of(checkpoint);
    let record = |pipe: &'a Pipe| {
        let (path, path_base64) = fields(pipe.path.as_ref());
        let (readers, more_readers) = holders.list(&pipe.readers);
        let (writers, more_writers) = holders.list(&pipe.writers);
        PipeRecord {
            ino: pipe.ino,
            path,
            path_base64,
            bytes: pipe.waiting,
            capacity: pipe.capacity,
            readers,
            more_readers,
            writers,
            more_writers,
        }
    };
    checkpoint.pipes().iter().filter(wanted).map(record).collect()
}
