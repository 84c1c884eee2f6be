//! Sockets and pipes: who talks to whom, and what was on its way.

use std::borrow::Cow;
use std::collections::HashMap;

use ckpt_model::{Checkpoint, Endpoint, Family, FileTable, Holder, Pipe, Queued, Socket, Text};
use criu_image::messages::PacketSockEntry;
use criu_image::names;
use serde::Serialize;

use super::files::FilesOptions;
use super::shared::{base64, fields};
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
    /// The state in the words of `ss`.
    pub state: Word,
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
    /// The file of a unix socket's path was removed.
    pub deleted: bool,
    /// Outside of the dump.
    pub external: bool,
    /// Who has it open.
    pub holders: Vec<FdRecord>,
}

/// A descriptor of a process.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct FdRecord {
    /// The process.
    pub pid: u32,
    /// The number.
    pub fd: u32,
}

fn holders(holders: &[Holder]) -> Vec<FdRecord> {
    holders.iter().map(|holder| FdRecord { pid: holder.pid.0, fd: holder.fd }).collect()
}

/// A message in a receive queue.
#[derive(Clone, Debug, Serialize)]
pub struct QueuedRecord<'a> {
    /// Bytes.
    pub bytes: u64,
    /// Open files that came with it.
    pub files: Vec<PassedRecord<'a>>,
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
    resolve_ports: bool,
}

impl<'a> SocketRecords<'a> {
    pub(super) fn of(checkpoint: &'a Checkpoint, resolve_ports: bool) -> Self {
        let all = checkpoint.sockets().iter();
        let by_ino = all.filter_map(|socket| Some((socket.ino?, socket))).collect();
        Self { checkpoint, by_ino, resolve_ports }
    }

    pub(super) fn record(&self, socket: &'a Socket) -> SocketRecord<'a> {
        let peer = socket.peer_ino.and_then(|ino| self.by_ino.get(&ino));
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
            peer_holders: peer.map(|peer| holders(&peer.holders)).unwrap_or_default(),
            waiting: socket.waiting,
            recv_bytes: socket.received,
            send_bytes: socket.outgoing,
            queue: socket
                .queue
                .iter()
                .map(|queued| message(queued, self.checkpoint.files()))
                .collect(),
            tcp: socket.stream.as_ref().map(|stream| ConnectionRecord {
                recv_seq: stream.inq_seq,
                send_seq: stream.outq_seq,
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
            deleted: socket.deleted,
            external: socket.external,
            holders: holders(&socket.holders),
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

pub(crate) fn state(socket: &Socket) -> Word {
    socket.state_word().map_or_else(|| format!("unknown ({})", socket.state).into(), Word::from)
}

pub(crate) fn endpoint(endpoint: &Endpoint, resolve: bool) -> Text {
    endpoint.with_service(|port| if resolve { service(port) } else { None })
}

fn text(end: Option<&Endpoint>, resolve: bool) -> (Option<Cow<'static, str>>, Option<String>) {
    let Some(text) = end.map(|end| endpoint(end, resolve)) else { return (None, None) };
    (Some(Cow::Owned(text.lossless().into_owned())), base64(text.as_bytes()))
}

fn message<'a>(queued: &Queued, files: &'a FileTable) -> QueuedRecord<'a> {
    let passed = |id: &u32| PassedRecord {
        file_id: *id,
        types: files
            .by_id(*id)
            .map(|file| names::FD_TYPES.text(i64::from(file.r#type)).to_ascii_lowercase().into())
            .collect(),
        path: files.path(*id).map(|file| Cow::Owned(file.path.lossless().into_owned())),
    };
    QueuedRecord { bytes: queued.bytes, files: queued.rights.iter().map(passed).collect() }
}

/// `packet_sock_entry.fanout` of a socket that shares its packets with none.
const NO_FANOUT: u32 = u32::MAX;

/// What was set by hand, in the words of `setsockopt`.
pub(crate) fn socket_options(checkpoint: &Checkpoint, socket: &Socket) -> Vec<String> {
    let mut words = Vec::new();
    let file = checkpoint.files().get(socket.fd_type, socket.file_id);
    if let Some(opts) = checkpoint.socket_options(socket) {
        let flags = [
            (opts.reuseaddr, "SO_REUSEADDR"),
            (opts.so_reuseport, "SO_REUSEPORT"),
            (opts.so_keepalive, "SO_KEEPALIVE"),
            (opts.so_broadcast, "SO_BROADCAST"),
            (opts.so_passcred, "SO_PASSCRED"),
            (opts.so_passsec, "SO_PASSSEC"),
            (opts.so_dontroute, "SO_DONTROUTE"),
            (opts.so_no_check, "SO_NO_CHECK"),
        ];
        words.extend(flags.iter().filter(|(set, _)| *set == Some(true)).map(|(_, w)| (*w).into()));
        let numbers = [
            (opts.so_mark, "SO_MARK"),
            (opts.so_priority, "SO_PRIORITY"),
            (opts.so_linger, "SO_LINGER"),
            (opts.so_oobinline, "SO_OOBINLINE"),
        ];
        for (number, word) in numbers {
            words.extend(number.filter(|set| *set != 0).map(|set| format!("{word}={set}")));
        }
        if let Some(device) = opts.so_bound_dev.as_ref().filter(|name| !name.is_empty()) {
            let device = Text::from(device.as_slice());
            words.push(format!("SO_BINDTODEVICE={}", device.escaped()));
        }
        if !opts.so_filter.is_empty() {
            words.push(format!("SO_ATTACH_FILTER ({} instructions)", opts.so_filter.len()));
        }
    }
    if let Some(inet) = file.and_then(|file| file.isk.as_ref()) {
        let tcp = inet.tcp_opts.as_ref();
        let ip = inet.ip_opts.as_ref();
        let stream = socket.stream.as_ref();
        let set = |set: Option<bool>| set == Some(true);
        let flags = [
            (
                set(tcp.and_then(|tcp| tcp.nodelay)) || set(stream.and_then(|tcp| tcp.nodelay)),
                "TCP_NODELAY",
            ),
            (set(tcp.and_then(|tcp| tcp.cork)) || set(stream.and_then(|tcp| tcp.cork)), "TCP_CORK"),
            (set(inet.v6only), "IPV6_V6ONLY"),
            (set(ip.and_then(|ip| ip.freebind)), "IP_FREEBIND"),
            (set(ip.and_then(|ip| ip.pktinfo)), "IP_PKTINFO"),
            (set(ip.and_then(|ip| ip.raw.as_ref()).and_then(|raw| raw.hdrincl)), "IP_HDRINCL"),
        ];
        words.extend(flags.iter().filter(|(set, _)| *set).map(|(_, word)| (*word).to_owned()));
        // The second number is what the kernel sets by itself. CRIU 3 keeps the three of TCP with the general options.
        let opts = checkpoint.socket_options(socket);
        let numbers = [
            (ip.and_then(|ip| ip.tos), 0, "IP_TOS"),
            (ip.and_then(|ip| ip.ttl), 64, "IP_TTL"),
            (
                tcp.and_then(|tcp| tcp.keepidle).or(opts.and_then(|opts| opts.tcp_keepidle)),
                7200,
                "TCP_KEEPIDLE",
            ),
            (
                tcp.and_then(|tcp| tcp.keepintvl).or(opts.and_then(|opts| opts.tcp_keepintvl)),
                75,
                "TCP_KEEPINTVL",
            ),
            (
                tcp.and_then(|tcp| tcp.keepcnt).or(opts.and_then(|opts| opts.tcp_keepcnt)),
                9,
                "TCP_KEEPCNT",
            ),
        ];
        for (number, usual, word) in numbers {
            words.extend(number.filter(|set| *set != usual).map(|set| format!("{word}={set}")));
        }
    }
    if let Some(packet) = file.and_then(|file| file.psk.as_ref()) {
        words.extend(packet_options(packet));
    }
    words
}

/// What a packet socket was set to receive, in the words of `packet(7)`.
fn packet_options(packet: &PacketSockEntry) -> impl Iterator<Item = String> {
    let memberships = packet.mclist.iter().map(|member| {
        let word = match member.r#type {
            0 => "PACKET_MR_MULTICAST",
            1 => "PACKET_MR_PROMISC",
            2 => "PACKET_MR_ALLMULTI",
            3 => "PACKET_MR_UNICAST",
            _ => "PACKET_ADD_MEMBERSHIP",
        };
        format!("{word}=if{}", member.index)
    });
    let fanout = packet.fanout.filter(|group| *group != NO_FANOUT);
    let fanout = fanout.map(|group| format!("PACKET_FANOUT={}", group & 0xffff));
    let rings = [(&packet.rx_ring, "PACKET_RX_RING"), (&packet.tx_ring, "PACKET_TX_RING")];
    let rings = rings.into_iter().filter_map(|(ring, word)| {
        let ring = ring.as_ref()?;
        Some(format!("{word} ({} frames of {} bytes)", ring.frame_nr, ring.frame_size))
    });
    memberships.chain(fanout).chain(rings)
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
    /// Who can write.
    pub writers: Vec<FdRecord>,
}

/// The pipes of the processes that are asked for.
pub(super) fn pipes<'a>(checkpoint: &'a Checkpoint, options: &FilesOptions) -> Vec<PipeRecord<'a>> {
    let wanted = |pipe: &&Pipe| {
        let mut ends = pipe.readers.iter().chain(&pipe.writers);
        options.pids.is_empty() || ends.any(|holder| options.wants(holder.pid.0))
    };
    let record = |pipe: &'a Pipe| {
        let (path, path_base64) = fields(pipe.path.as_ref());
        PipeRecord {
            ino: pipe.ino,
            path,
            path_base64,
            bytes: pipe.waiting,
            capacity: pipe.capacity,
            readers: holders(&pipe.readers),
            writers: holders(&pipe.writers),
        }
    };
    checkpoint.pipes().iter().filter(wanted).map(record).collect()
}
