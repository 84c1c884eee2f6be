//! Internet sockets, and `tcp-stream-INO.img`: TCP connections with the bytes in their queues.

use super::{FownEntry, SkOptsEntry};
use crate::message::message;
use crate::names;

message! {
    /// An internet socket. Source: `criu/images/sk-inet.proto`.
    InetSkEntry = "inet_sk_entry" {
        /// File id.
        id: required uint32 = 1,
        /// Socket inode; names `tcp-stream-INO.img` in hexadecimal.
        ino: required uint32 = 2,
        /// IPv4 or IPv6.
        family: required uint32 = 3 [names(&names::SOCKET_FAMILIES)],
        /// Stream, datagram, raw.
        r#type: required uint32 = 4 [names(&names::SOCKET_TYPES)],
        /// Protocol.
        proto: required uint32 = 5 [names(&names::IP_PROTOCOLS)],
        /// State, by the numbers of TCP.
        state: required uint32 = 6 [names(&names::SOCKET_STATES)],
        /// Local port, a plain number.
        src_port: required uint32 = 7,
        /// Remote port, a plain number.
        dst_port: required uint32 = 8,
        /// Open flags.
        flags: required uint32 = 9 [open_flags],
        /// Of a listener: connections that may wait. Otherwise bytes of the send queue.
        backlog: required uint32 = 10,
        /// Local address: one word (IPv4) or four (IPv6), network order bytes as a number of the dumping host.
        src_addr: repeated uint32 = 11 [ip],
        /// Remote address, coded likewise.
        dst_addr: repeated uint32 = 12 [ip],
        /// Owner of asynchronous notification.
        fown: required message(FownEntry) = 13,
        /// Socket options.
        opts: required message(SkOptsEntry) = 14,
        /// IPv6 only.
        v6only: optional bool = 15,
        /// Options of IP.
        ip_opts: optional message(IpOptsEntry) = 16,
        /// Interface of a link-local address.
        ifname: optional string = 17,
        /// Network namespace.
        ns_id: optional uint32 = 18,
        /// Directions shut down.
        shutdown: optional uint32 = 19 [names(&names::SHUTDOWN)],
        /// Options of TCP (since 4.0).
        tcp_opts: optional message(TcpOptsEntry) = 20,
    }

    /// Options of IP. Source: `criu/images/sk-inet.proto`.
    IpOptsEntry = "ip_opts_entry" {
        /// May bind addresses that do not exist.
        freebind: optional bool = 1,
        /// Options of raw sockets.
        raw: optional message(IpOptsRawEntry) = 4,
        /// Receives the destination of datagrams.
        pktinfo: optional bool = 5,
        /// Type of service.
        tos: optional uint32 = 6,
        /// Time to live.
        ttl: optional uint32 = 7,
    }

    /// Options of raw sockets. Source: `criu/images/sk-inet.proto`.
    IpOptsRawEntry = "ip_opts_raw_entry" {
        /// Writes its own headers.
        hdrincl: optional bool = 1,
        /// Never fragments.
        nodefrag: optional bool = 2,
        /// The kernel fills the checksum.
        checksum: optional bool = 3,
        /// ICMP types filtered, a bit map.
        icmpv_filter: repeated uint32 = 4 [hex],
    }

    /// Options of TCP. Source: `criu/images/tcp-stream.proto`.
    TcpOptsEntry = "tcp_opts_entry" {
        /// `TCP_CORK`.
        cork: optional bool = 1,
        /// `TCP_NODELAY`.
        nodelay: optional bool = 2,
        /// Probes before a connection is dead.
        keepcnt: optional uint32 = 3,
        /// Seconds before the first probe.
        keepidle: optional uint32 = 4,
        /// Seconds between probes.
        keepintvl: optional uint32 = 5,
    }

    /// A TCP connection; `inq_len` received and `outq_len` outgoing bytes follow. Source: `criu/images/tcp-stream.proto`.
    TcpStreamEntry = "tcp_stream_entry" {
        /// Bytes received and not read.
        inq_len: required uint32 = 1,
        /// Sequence number after them.
        inq_seq: required uint32 = 2,
        /// Bytes sent and not acknowledged, and bytes not sent.
        outq_len: required uint32 = 3,
        /// Sequence number after them.
        outq_seq: required uint32 = 4,
        /// Options in use.
        opt_mask: required uint32 = 5 [flags(&names::TCP_OPTIONS)],
        /// Window scale of the peer.
        snd_wscale: required uint32 = 6,
        /// Largest segment, bytes.
        mss_clamp: required uint32 = 7,
        /// Own window scale.
        rcv_wscale: optional uint32 = 8,
        /// Clock of the timestamps.
        timestamp: optional uint32 = 9,
        /// `TCP_CORK`; newer dumps have it in [`TcpOptsEntry`].
        cork: optional bool = 10,
        /// `TCP_NODELAY`; newer dumps have it in [`TcpOptsEntry`].
        nodelay: optional bool = 11,
        /// Bytes at the end of the outgoing queue that were never sent.
        unsq_len: optional uint32 = 12,
        /// Segment of the last window update.
        snd_wl1: optional uint32 = 13,
        /// Window the peer offered, bytes.
        snd_wnd: optional uint32 = 14,
        /// Largest window the peer ever offered, bytes.
        max_window: optional uint32 = 15,
        /// Own window, bytes.
        rcv_wnd: optional uint32 = 16,
        /// Sequence number when it was last sent.
        rcv_wup: optional uint32 = 17,
    }
}
