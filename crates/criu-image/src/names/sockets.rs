//! Sockets: families, types, protocols, states, options.

use super::{flag_names, number_names};

number_names! {
    /// Address families: `include/linux/socket.h`.
    SOCKET_FAMILIES, "socket family":
    1 => "UNIX", 2 => "INET", 10 => "INET6", 16 => "NETLINK", 17 => "PACKET",
}

number_names! {
    /// Socket types: `include/linux/net.h`.
    SOCKET_TYPES, "socket type":
    1 => "STREAM", 2 => "DGRAM", 3 => "RAW", 4 => "RDM", 5 => "SEQPACKET", 6 => "DCCP", 10 => "PACKET",
}

number_names! {
    /// IP protocols: `include/uapi/linux/in.h`.
    IP_PROTOCOLS, "IP protocol":
    0 => "IP", 1 => "ICMP", 2 => "IGMP", 6 => "TCP", 17 => "UDP", 33 => "DCCP", 41 => "IPV6", 47 => "GRE",
    50 => "ESP", 51 => "AH", 58 => "ICMPV6", 132 => "SCTP", 136 => "UDPLITE", 255 => "RAW", 262 => "MPTCP",
}

number_names! {
    /// Socket states, by the numbers of TCP for every family: `include/net/tcp_states.h`.
    SOCKET_STATES, "socket state":
    1 => "ESTABLISHED", 2 => "SYN_SENT", 3 => "SYN_RECV", 4 => "FIN_WAIT1", 5 => "FIN_WAIT2", 6 => "TIME_WAIT",
    7 => "CLOSE", 8 => "CLOSE_WAIT", 9 => "LAST_ACK", 10 => "LISTEN", 11 => "CLOSING", 12 => "NEW_SYN_RECV",
}

number_names! {
    /// Shut down directions: `sk_shutdown` of `criu/images/sk-opts.proto`.
    SHUTDOWN, "shutdown": 0 => "NONE", 1 => "READ", 2 => "WRITE", 3 => "BOTH",
}

flag_names! {
    /// CRIU's own flags of unix sockets: `criu/sk-unix.c`.
    UNIX_FLAGS, "unix socket flags", zero "0":
    0x1 => "EXTERN", 0x2 => "SERVICE", 0x4 => "CALLBACK", 0x8 => "INHERIT",
}

flag_names! {
    /// TCP options in use: `TCPI_OPT_*` of `include/uapi/linux/tcp.h`.
    TCP_OPTIONS, "TCP options", zero "0":
    0x1 => "TIMESTAMPS", 0x2 => "SACK", 0x4 => "WSCALE", 0x8 => "ECN", 0x10 => "ECN_SEEN", 0x20 => "SYN_DATA",
}

number_names! {
    /// Control message types of `SOL_SOCKET`.
    SCM_TYPES, "control message": 1 => "SCM_RIGHTS", 2 => "SCM_CREDENTIALS", 3 => "SCM_SECURITY", 4 => "SCM_PIDFD",
}

number_names! {
    /// Netlink families: `include/uapi/linux/netlink.h`.
    NETLINK_PROTOCOLS, "netlink protocol":
    0 => "ROUTE", 1 => "UNUSED", 2 => "USERSOCK", 3 => "FIREWALL", 4 => "SOCK_DIAG", 5 => "NFLOG", 6 => "XFRM",
    7 => "SELINUX", 8 => "ISCSI", 9 => "AUDIT", 10 => "FIB_LOOKUP", 11 => "CONNECTOR", 12 => "NETFILTER",
    13 => "IP6_FW", 14 => "DNRTMSG", 15 => "KOBJECT_UEVENT", 16 => "GENERIC", 18 => "SCSITRANSPORT",
    19 => "ECRYPTFS", 20 => "RDMA", 21 => "CRYPTO", 22 => "SMC",
}

flag_names! {
    /// Which buffer sizes were set by hand: `SOCK_BUF_LOCK_MASK`.
    BUFFER_LOCKS, "buffer locks", zero "0": 0x1 => "SOCK_SNDBUF_LOCK", 0x2 => "SOCK_RCVBUF_LOCK",
}
