//! Sockets: who talked to whom, and what was still on its way.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use criu_image::messages::{
    FileEntry, InetSkEntry, NetlinkSkEntry, PacketSockEntry, SkOptsEntry, SkPacketEntry,
    SkUcredEntry, TcpStreamEntry, UnixSkEntry,
};
use criu_image::{ByteOrder, Extra, ImageKind};

use crate::defect::Defects;
use crate::endpoint::Endpoint;
use crate::fds::{Descriptors, Holder};
use crate::files::{FileTable, fd_type};
use crate::images::{Images, decode};
use crate::{Checkpoint, Text};

mod join;
mod sequence;

pub(crate) use sequence::Sequence;

/// States that CRIU writes, by the numbers of TCP for every family: `include/net/tcp_states.h`.
mod state {
    pub(super) const CLOSE: u32 = 7;
    pub(super) const LISTEN: u32 = 10;
}

/// `USK_EXTERN` of `criu/sk-unix.c`: the socket is outside of the dump.
pub(crate) const EXTERN: u32 = 1;

/// Address families: `include/linux/socket.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Family {
    /// IPv4.
    Inet,
    /// IPv6.
    Inet6,
    /// Unix.
    Unix,
    /// Netlink.
    Netlink,
    /// Packet.
    Packet,
    /// A number that this version does not know.
    Unknown(u32),
}

/// A socket of the dump.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Socket {
    /// Inode; `None` for packet sockets, whose image has none.
    pub ino: Option<u32>,
    /// `file_entry.id`.
    pub file_id: u32,
    /// `fd_types` number, see [`fd_type`].
    pub fd_type: u32,
    /// Address family.
    pub family: Family,
    /// `SOCK_*` number.
    pub kind: u32,
    /// Protocol: of IP, of netlink, or the packet type.
    pub protocol: u32,
    /// State, by the numbers of TCP for every family; 0 of a socket outside of the dump, whose state no image tells.
    pub state: u32,
    /// Own address.
    pub local: Option<Endpoint>,
    /// The other end's address.
    pub remote: Option<Endpoint>,
    /// Inode of the other end: of a unix socket as the image tells it, else found by its addresses among the sockets of
    /// the dump.
    pub peer_ino: Option<u32>,
    /// The peer is a listener at which this connection waits to be accepted.
    pub waiting: bool,
    /// Bytes received and not read; `None` where CRIU does not save them (UDP, raw, netlink, packet).
    pub received: Option<u64>,
    /// Bytes sent and not acknowledged, or not read by the other end of a unix pair; `None` where that is not known.
    pub outgoing: Option<u64>,
    /// Messages queued for it, oldest first.
    pub queue: Vec<Queued>,
    /// Sequence numbers and options of a TCP connection.
    pub stream: Option<TcpStreamEntry>,
    /// Network namespace, by CRIU's small id.
    pub net_ns: Option<u32>,
    /// Directions that were shut down: 1 reading, 2 writing, 3 both.
    pub shutdown: u32,
    /// Connections that may wait for `accept`.
    pub backlog: Option<u32>,
    /// Path of a unix socket whose file was removed.
    pub deleted: bool,
    /// Outside of the dump: CRIU noted it only because a socket inside talks to it.
    pub external: bool,
    /// Who has it open.
    pub holders: Vec<Holder>,
}

/// A message in the receive queue of a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued {
    /// Bytes.
    pub bytes: u64,
    /// Open files that came with it (`SCM_RIGHTS`), by their ids; they may be open nowhere else.
    pub rights: Vec<u32>,
    /// Who sent it; `None` where CRIU did not note it, which it does since after 4.2.
    pub sender: Option<Sender>,
}

/// Who sent a message, as `SCM_CREDENTIALS` tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sender {
    /// The process.
    pub pid: u32,
    /// Its user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
}

impl Sender {
    pub(crate) fn of(raw: &SkUcredEntry) -> Self {
        Self { pid: raw.pid, uid: raw.uid, gid: raw.gid }
    }
}

impl Socket {
    /// What kind of socket, in one word: `tcp`, `udp`, `udplite`, `raw`, `icmp`, `stream`, `dgram`, `seqpacket`,
    /// `netlink`, `packet`; `None` for a combination that has no name.
    #[must_use]
    pub fn type_word(&self) -> Option<&'static str> {
        Some(match (self.family, self.kind, self.protocol) {
            (Family::Netlink, ..) => "netlink",
            (Family::Packet, ..) => "packet",
            (Family::Unix, 1, _) => "stream",
            (Family::Unix, 2, _) => "dgram",
            (Family::Unix, 5, _) => "seqpacket",
            (Family::Inet | Family::Inet6, 3, _) => "raw",
            (Family::Inet | Family::Inet6, _, 6) => "tcp",
            (Family::Inet | Family::Inet6, _, 17) => "udp",
            (Family::Inet | Family::Inet6, _, 136) => "udplite",
            (Family::Inet | Family::Inet6, _, 1 | 58) => "icmp",
            (Family::Inet | Family::Inet6, _, 132) => "sctp",
            (Family::Inet | Family::Inet6, _, 262) => "mptcp",
            _ => return None,
        })
    }

    /// The state in the words of `ss`.
    #[must_use]
    pub fn state_word(&self) -> Option<&'static str> {
        Some(match self.state {
            1 => "ESTAB",
            2 => "SYN-SENT",
            3 | 12 => "SYN-RECV",
            4 => "FIN-WAIT-1",
            5 => "FIN-WAIT-2",
            6 => "TIME-WAIT",
            7 => "UNCONN",
            8 => "CLOSE-WAIT",
            9 => "LAST-ACK",
            10 => "LISTEN",
            11 => "CLOSING",
            _ => return None,
        })
    }

    /// Sequence number of the first byte that was received and not read; `None` where no image has it.
    #[must_use]
    pub fn first_unread(&self) -> Option<u32> {
        Some(Sequence::received(self.state, self.stream.as_ref()?).first)
    }

    /// Sequence number of the first byte that was sent and not acknowledged; `None` where no image has it.
    #[must_use]
    pub fn first_unacknowledged(&self) -> Option<u32> {
        Some(Sequence::sent(self.state, self.stream.as_ref()?).first)
    }

    fn is_tcp(&self) -> bool {
        self.fd_type == fd_type::INETSK && self.kind == 1
    }
}

impl Checkpoint {
    /// The sockets of all processes, by inode.
    pub fn sockets(&self) -> &[Socket] {
        self.sockets.get_or_init(|| {
            let Some(images) = self.images() else { return Vec::new() };
            let reader = Reader {
                images,
                files: self.files(),
                descriptors: self.descriptors(),
                order: self.byte_order(),
                defects: self.told(),
            };
            reader.read()
        })
    }

    /// The options of a socket, as the image has them.
    #[must_use]
    pub fn socket_options(&self, socket: &Socket) -> Option<&SkOptsEntry> {
        let file = self.files().get(socket.fd_type, socket.file_id)?;
        let inet = file.isk.as_ref().map(|socket| &socket.opts);
        let unix = file.usk.as_ref().map(|socket| &socket.opts);
        let netlink = file.nlsk.as_ref().map(|socket| &socket.opts);
        inet.or(unix).or(netlink).or(file.psk.as_ref().map(|socket| &socket.opts))
    }
}

struct Reader<'a> {
    images: &'a Images,
    files: &'a FileTable,
    descriptors: &'a Descriptors,
    order: ByteOrder,
    defects: &'a Defects,
}

impl Reader<'_> {
    fn read(&self) -> Vec<Socket> {
        let mut queues = self.queues();
        let mut sockets: Vec<Socket> = self
            .files
            .all()
            .into_iter()
            .filter_map(|file| self.socket(file, &mut queues))
            .collect();
        for (id, messages) in queues {
            let place = self.images.place(ImageKind::SkQueues, None);
            let what = format!("{} message(s) for file {id}, which is no socket", messages.len());
            self.defects.missing(place, what);
        }
        join::join_unix(&mut sockets);
        join::join_inet(&mut sockets);
        sockets.sort_by_key(|socket| (socket.ino.is_none(), socket.ino, socket.file_id));
        sockets
    }

    /// What waits in receive queues, by the id of the receiving file.
    fn queues(&self) -> HashMap<u32, Vec<Queued>> {
        let mut queues: HashMap<u32, Vec<Queued>> = HashMap::new();
        let records = self.images.records(ImageKind::SkQueues, None, self.defects);
        for (place, record) in records.into_iter().flatten() {
            let Some(entry) = decode::<SkPacketEntry>(&place, &record, self.defects) else {
                continue;
            };
            let Extra::Packet(data) = &record.extra else { continue };
            let rights = entry.scm.iter().flat_map(|scm| scm.rights.iter().copied()).collect();
            let sender = entry.ucred.as_ref().map(Sender::of);
            let queued = Queued { bytes: data.len() as u64, rights, sender };
            queues.entry(entry.id_for).or_default().push(queued);
        }
        queues
    }

    fn socket(&self, file: &FileEntry, queues: &mut HashMap<u32, Vec<Queued>>) -> Option<Socket> {
        let mut socket = match file.r#type {
            fd_type::INETSK => self.inet(file.isk.as_ref()?),
            fd_type::UNIXSK => unix(file.usk.as_ref()?),
            fd_type::NETLINKSK => netlink(file.nlsk.as_ref()?),
            fd_type::PACKETSK => packet(file.psk.as_ref()?, self.order),
            _ => return None,
        };
        socket.file_id = file.id;
        socket.fd_type = file.r#type;
        socket.holders = self.descriptors.holders(file.r#type, file.id).to_vec();
        socket.queue = queues.remove(&file.id).unwrap_or_default();
        if socket.family == Family::Unix || !socket.queue.is_empty() {
            let bytes = socket.queue.iter().map(|message| message.bytes);
            socket.received = Some(bytes.fold(0, u64::saturating_add));
        }
        Some(socket)
    }

    fn inet(&self, raw: &InetSkEntry) -> Socket {
        let device = raw.opts.so_bound_dev.as_ref().or(raw.ifname.as_ref());
        let end = |words: &[u32], port: u32| Endpoint::Inet {
            address: address(words, raw.family, self.order),
            port,
            device: device.filter(|name| !name.is_empty()).map(|name| Text(name.clone())),
        };
        let mut socket = Socket {
            ino: Some(raw.ino),
            family: match raw.family {
                2 => Family::Inet,
                10 => Family::Inet6,
                other => Family::Unknown(other),
            },
            kind: raw.r#type,
            protocol: raw.proto,
            state: raw.state,
            local: Some(end(&raw.src_addr, raw.src_port)),
            remote: Some(match end(&raw.dst_addr, raw.dst_port) {
                // The device belongs to the end that is bound to it.
                Endpoint::Inet { address, port, .. } => {
                    Endpoint::Inet { address, port, device: None }
                }
                other => other,
            }),
            net_ns: raw.ns_id,
            shutdown: raw.shutdown.unwrap_or_default(),
            backlog: (raw.state == state::LISTEN).then_some(raw.backlog),
            ..empty()
        };
        socket.fd_type = fd_type::INETSK;
        if socket.is_tcp() {
            self.stream(&mut socket, raw.ino);
        }
        socket
    }

    /// The queues of a TCP connection.
    fn stream(&self, socket: &mut Socket, ino: u32) {
        let id = Some(u64::from(ino));
        if !self.images.has(ImageKind::TcpStream, id) {
            if socket.state == state::LISTEN || !has_remote_port(socket) {
                // It never was connected.
                (socket.received, socket.outgoing) = (Some(0), Some(0));
            } else if socket.state != state::CLOSE && self.images.has_numbered(ImageKind::TcpStream)
            {
                // A dump that closes connections has none at all.
                let what = format!("no queues of the TCP connection with inode {ino}");
                self.defects.missing(self.images.place(ImageKind::TcpStream, id), what);
            }
            return;
        }
        let records = self.images.records(ImageKind::TcpStream, id, self.defects);
        let Some((place, record)) = records.and_then(|mut records| records.next()) else { return };
        let Some(entry) = decode::<TcpStreamEntry>(&place, &record, self.defects) else { return };
        if let Extra::TcpQueues { received, outgoing } = &record.extra {
            socket.received = Some(received.len() as u64);
            socket.outgoing = Some(outgoing.len() as u64);
        }
        socket.stream = Some(entry);
    }
}

/// Whether it is, or was, connected.
fn has_remote_port(socket: &Socket) -> bool {
    matches!(socket.remote, Some(Endpoint::Inet { port, .. }) if port != 0)
}

fn empty() -> Socket {
    Socket {
        ino: None,
        file_id: 0,
        fd_type: 0,
        family: Family::Unknown(0),
        kind: 0,
        protocol: 0,
        state: 0,
        local: None,
        remote: None,
        peer_ino: None,
        waiting: false,
        received: None,
        outgoing: None,
        queue: Vec::new(),
        stream: None,
        net_ns: None,
        shutdown: 0,
        backlog: None,
        deleted: false,
        external: false,
        holders: Vec::new(),
    }
}

/// An address from its words, each of them bytes of the network's order read as a number of the dumping host's.
fn address(words: &[u32], family: u32, order: ByteOrder) -> IpAddr {
    let mut bytes = [0u8; 16];
    for (slot, word) in bytes.chunks_exact_mut(4).zip(words) {
        slot.copy_from_slice(&order.bytes_of_u32(*word));
    }
    if family == 10 {
        IpAddr::V6(Ipv6Addr::from(bytes))
    } else {
        let [a, b, c, d, ..] = bytes;
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    }
}

fn unix(raw: &UnixSkEntry) -> Socket {
    Socket {
        ino: Some(raw.ino),
        family: Family::Unix,
        kind: raw.r#type,
        // CRIU writes LISTEN for a datagram socket outside of the dump, which cannot listen.
        state: if raw.uflags & EXTERN == 0 { raw.state } else { 0 },
        local: Endpoint::unix(&raw.name),
        peer_ino: (raw.peer != 0).then_some(raw.peer),
        net_ns: raw.ns_id,
        shutdown: raw.shutdown.unwrap_or_default(),
        // CRIU writes LISTEN for sockets outside of the dump; the number beside it is no backlog.
        backlog: (raw.state == state::LISTEN && raw.uflags & EXTERN == 0).then_some(raw.backlog),
        deleted: raw.deleted.unwrap_or_default(),
        external: raw.uflags & EXTERN != 0,
        ..empty()
    }
}

fn netlink(raw: &NetlinkSkEntry) -> Socket {
    Socket {
        ino: Some(raw.ino),
        family: Family::Netlink,
        kind: 3,
        protocol: raw.protocol,
        // `NETLINK_UNCONNECTED` is 0; so is what CRIU writes of a socket that was never bound, which the kernel does not list.
        state: if raw.state == 0 { state::CLOSE } else { raw.state },
        local: Some(Endpoint::Netlink {
            protocol: raw.protocol,
            port: raw.portid,
            groups: raw.groups.clone(),
        }),
        remote: (raw.dst_portid != 0 || raw.dst_group != 0).then(|| Endpoint::Netlink {
            protocol: raw.protocol,
            port: raw.dst_portid,
            groups: vec![raw.dst_group],
        }),
        net_ns: raw.ns_id,
        ..empty()
    }
}

fn packet(raw: &PacketSockEntry, order: ByteOrder) -> Socket {
    // 16 bits of the network's order, read as a number of the dumping host's.
    let protocol = match order {
        ByteOrder::Little => raw.protocol.swap_bytes() >> 16,
        ByteOrder::Big => raw.protocol,
    };
    Socket {
        family: Family::Packet,
        kind: raw.r#type,
        protocol,
        state: state::CLOSE,
        local: Some(Endpoint::Packet { protocol, interface: raw.ifindex }),
        net_ns: raw.ns_id,
        ..empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_both_byte_orders() {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        assert_eq!(address(&[16_777_343], 2, ByteOrder::Little), loopback);
        assert_eq!(address(&[0x7f00_0001], 2, ByteOrder::Big), loopback);
        let words = [0, 0, 0, 0x0100_0000];
        assert_eq!(address(&words, 10, ByteOrder::Little), IpAddr::V6(Ipv6Addr::LOCALHOST));
        assert_eq!(address(&[], 2, ByteOrder::Little), IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    }
}
