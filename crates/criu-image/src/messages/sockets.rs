//! Socket options, netlink sockets, packet sockets, TUN files.

use super::FownEntry;
use crate::message::message;
use crate::names;

message! {
    /// Options that all sockets have. Source: `criu/images/sk-opts.proto`.
    SkOptsEntry = "sk_opts_entry" {
        /// Send buffer, bytes.
        so_sndbuf: required uint32 = 1,
        /// Receive buffer, bytes.
        so_rcvbuf: required uint32 = 2,
        /// Send timeout, seconds.
        so_snd_tmo_sec: required uint64 = 3,
        /// Send timeout, microseconds.
        so_snd_tmo_usec: required uint64 = 4,
        /// Receive timeout, seconds.
        so_rcv_tmo_sec: required uint64 = 5,
        /// Receive timeout, microseconds.
        so_rcv_tmo_usec: required uint64 = 6,
        /// Address may be reused.
        reuseaddr: optional bool = 7,
        /// Queueing priority.
        so_priority: optional uint32 = 8,
        /// Bytes that wake a reader.
        so_rcvlowat: optional uint32 = 9,
        /// Firewall mark.
        so_mark: optional uint32 = 10 [hex],
        /// Receives credentials.
        so_passcred: optional bool = 11,
        /// Receives security labels.
        so_passsec: optional bool = 12,
        /// Does not use gateways.
        so_dontroute: optional bool = 13,
        /// Does not check sums.
        so_no_check: optional bool = 14,
        /// Bound device.
        so_bound_dev: optional string = 15,
        /// Attached classic BPF program, one `struct sock_filter` each.
        so_filter: repeated fixed64 = 16 [hex],
        /// Port is shared.
        so_reuseport: optional bool = 17,
        /// May broadcast.
        so_broadcast: optional bool = 18,
        /// Probes idle connections.
        so_keepalive: optional bool = 19,
        /// Probes before a connection is dead; newer dumps have it in [`TcpOptsEntry`](super::TcpOptsEntry).
        tcp_keepcnt: optional uint32 = 20,
        /// Seconds before the first probe; newer dumps have it in [`TcpOptsEntry`](super::TcpOptsEntry).
        tcp_keepidle: optional uint32 = 21,
        /// Seconds between probes; newer dumps have it in [`TcpOptsEntry`](super::TcpOptsEntry).
        tcp_keepintvl: optional uint32 = 22,
        /// Urgent data stays in line.
        so_oobinline: optional uint32 = 23,
        /// Seconds that closing waits.
        so_linger: optional uint32 = 24,
        /// Which buffer sizes were set by hand.
        so_buf_lock: optional uint32 = 25 [flags(&names::BUFFER_LOCKS)],
    }

    /// A netlink socket. Source: `criu/images/sk-netlink.proto`.
    NetlinkSkEntry = "netlink_sk_entry" {
        /// File id.
        id: required uint32 = 1,
        /// Socket inode.
        ino: required uint32 = 2,
        /// Which part of the kernel.
        protocol: required uint32 = 3 [names(&names::NETLINK_PROTOCOLS)],
        /// State, by the numbers of TCP.
        state: required uint32 = 4 [names(&names::SOCKET_STATES)],
        /// Open flags.
        flags: required uint32 = 6 [open_flags],
        /// Own address.
        portid: required uint32 = 7,
        /// Multicast groups, a bit map.
        groups: repeated uint32 = 8 [hex],
        /// Peer's address.
        dst_portid: required uint32 = 9,
        /// Peer's group.
        dst_group: required uint32 = 10,
        /// Owner of asynchronous notification.
        fown: required message(FownEntry) = 11,
        /// Socket options.
        opts: required message(SkOptsEntry) = 12,
        /// Network namespace.
        ns_id: optional uint32 = 13,
    }

    /// A packet socket: whoever has one can read other's traffic. Source: `criu/images/packet-sock.proto`.
    PacketSockEntry = "packet_sock_entry" {
        /// File id.
        id: required uint32 = 1,
        /// Raw (3) or cooked (2).
        r#type: required uint32 = 2 [names(&names::SOCKET_TYPES)],
        /// `ETH_P_*`, in network order.
        protocol: required uint32 = 3 [hex],
        /// Open flags.
        flags: required uint32 = 4 [open_flags],
        /// Bound interface, 0 for all.
        ifindex: required uint32 = 5,
        /// Owner of asynchronous notification.
        fown: required message(FownEntry) = 6,
        /// Socket options.
        opts: required message(SkOptsEntry) = 7,
        /// Version of the ring.
        version: required uint32 = 8,
        /// Bytes kept free before each packet of the ring.
        reserve: required uint32 = 9,
        /// `PACKET_AUXDATA`.
        aux_data: required bool = 10,
        /// `PACKET_ORIGDEV`.
        orig_dev: required bool = 11,
        /// `PACKET_VNET_HDR`.
        vnet_hdr: required bool = 12,
        /// `PACKET_LOSS`.
        loss: required bool = 13,
        /// `PACKET_TIMESTAMP`.
        timestamp: required uint32 = 14,
        /// `PACKET_COPY_THRESH`.
        copy_thresh: required uint32 = 15,
        /// Multicast and promiscuous memberships.
        mclist: repeated message(PacketMclist) = 16,
        /// `PACKET_FANOUT`; 4294967295 is none.
        fanout: optional uint32 = 17 [hex],
        /// Receive ring.
        rx_ring: optional message(PacketRing) = 18,
        /// Send ring.
        tx_ring: optional message(PacketRing) = 19,
        /// Network namespace.
        ns_id: optional uint32 = 20,
    }

    /// A membership of a packet socket. Source: `criu/images/packet-sock.proto`.
    PacketMclist = "packet_mclist" {
        /// Interface.
        index: required uint32 = 1,
        /// 0 multicast, 1 promiscuous, 2 all multicast, 3 unicast.
        r#type: required uint32 = 2,
        /// Hardware address.
        addr: required bytes = 3,
    }

    /// A ring of a packet socket. Source: `criu/images/packet-sock.proto`.
    PacketRing = "packet_ring" {
        /// Bytes of a block.
        block_size: required uint32 = 1,
        /// Blocks.
        block_nr: required uint32 = 2,
        /// Bytes of a frame.
        frame_size: required uint32 = 3,
        /// Frames.
        frame_nr: required uint32 = 4,
        /// Milliseconds until a block is handed over.
        retire_tmo: required uint32 = 5,
        /// Private bytes of a block.
        sizeof_priv: required uint32 = 6,
        /// Feature bits.
        features: required uint32 = 7 [hex],
    }

    /// An open TUN or TAP. Source: `criu/images/tun.proto`.
    TunfileEntry = "tunfile_entry" {
        /// File id.
        id: required uint32 = 1,
        /// Device attached to.
        netdev: optional string = 2,
        /// Queue is detached.
        detached: optional bool = 3,
        /// Network namespace.
        ns_id: optional uint32 = 4,
    }
}
