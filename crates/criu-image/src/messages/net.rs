//! Network namespaces and devices.

use crate::message::message;
use crate::names;

message! {
    /// A network namespace. Source: `criu/images/netdev.proto`.
    ///
    /// Sysctl lists are positional, see [`names::DEVCONF4`] and [`names::DEVCONF6`].
    NetnsEntry = "netns_entry" {
        /// `net.ipv4.conf.default`, by old CRIU.
        def_conf: repeated int32 = 1,
        /// `net.ipv4.conf.all`, by old CRIU.
        all_conf: repeated int32 = 2,
        /// `net.ipv4.conf.default`.
        def_conf4: repeated message(SysctlEntry) = 3,
        /// `net.ipv4.conf.all`.
        all_conf4: repeated message(SysctlEntry) = 4,
        /// `net.ipv6.conf.default`.
        def_conf6: repeated message(SysctlEntry) = 5,
        /// `net.ipv6.conf.all`.
        all_conf6: repeated message(SysctlEntry) = 6,
        /// Ids of other namespaces in this one.
        nsids: repeated message(NetnsId) = 7,
        /// Key of a namespace from outside; the rest is then not dumped.
        ext_key: optional string = 8,
        /// `net.unix.max_dgram_qlen`.
        unix_conf: repeated message(SysctlEntry) = 9,
        /// `net.ipv4.ping_group_range` (since 4.1).
        ipv4_sysctl: repeated message(SysctlEntry) = 10,
    }

    /// Id of another namespace. Source: `criu/images/netdev.proto`.
    NetnsId = "netns_id" {
        /// CRIU's id of that namespace.
        target_ns_id: required uint32 = 1,
        /// The kernel's id of it here.
        netnsid_value: required int32 = 2,
    }

    /// A sysctl; without argument it did not exist. Source: `criu/images/sysctl.proto`.
    SysctlEntry = "sysctl_entry" {
        /// String or number.
        r#type: required uint32 = 1 [names(&names::SYSCTL_TYPES)],
        /// Number.
        iarg: optional int32 = 2,
        /// String.
        sarg: optional string = 3,
    }

    /// A network device. Source: `criu/images/netdev.proto`.
    NetDeviceEntry = "net_device_entry" {
        /// Kind.
        r#type: required uint32 = 1 [names(&names::NET_DEVICE_TYPES)],
        /// Index.
        ifindex: required uint32 = 2,
        /// Largest packet, bytes.
        mtu: required uint32 = 3,
        /// `IFF_*`.
        flags: required uint32 = 4 [flags(&names::NET_DEVICE_FLAGS)],
        /// Name.
        name: required string = 5,
        /// TUN or TAP.
        tun: optional message(TunLinkEntry) = 6,
        /// Hardware address.
        address: optional bytes = 7,
        /// IPv4 sysctls, by old CRIU.
        conf: repeated int32 = 8,
        /// IPv4 sysctls.
        conf4: repeated message(SysctlEntry) = 9,
        /// IPv6 sysctls.
        conf6: repeated message(SysctlEntry) = 10,
        /// Macvlan.
        macvlan: optional message(MacvlanLinkEntry) = 11,
        /// Index of the other end of a veth.
        peer_ifindex: optional uint32 = 12,
        /// Namespace of the other end of a veth.
        peer_nsid: optional uint32 = 13,
        /// Index of the bridge it belongs to.
        master: optional uint32 = 14,
        /// IPv6 in IPv4 tunnel.
        sit: optional message(SitEntry) = 15,
    }

    /// A TUN or TAP device. Source: `criu/images/tun.proto`.
    TunLinkEntry = "tun_link_entry" {
        /// `IFF_TUN`, `IFF_TAP` and options.
        flags: required uint32 = 1 [hex],
        /// User that may open it, -1 for all.
        owner: required int32 = 2,
        /// Group that may open it, -1 for all.
        group: required int32 = 3,
        /// Bytes of the header.
        vnethdr: required uint32 = 4,
        /// Send buffer, bytes.
        sndbuf: required uint32 = 5,
    }

    /// A macvlan device. Source: `criu/images/macvlan.proto`.
    MacvlanLinkEntry = "macvlan_link_entry" {
        /// `MACVLAN_MODE_*`.
        mode: required uint32 = 1,
        /// `MACVLAN_FLAG_*`.
        flags: optional uint32 = 2 [hex],
    }

    /// An IPv6 in IPv4 tunnel. Source: `criu/images/sit.proto`.
    SitEntry = "sit_entry" {
        /// Underlying device.
        link: optional uint32 = 1,
        /// Local address.
        local: repeated uint32 = 2 [ip],
        /// Remote address.
        remote: repeated uint32 = 3 [ip],
        /// Time to live.
        ttl: optional uint32 = 4,
        /// Type of service.
        tos: optional uint32 = 5,
        /// Path MTU discovery.
        pmtudisc: optional bool = 6,
        /// Protocol.
        proto: optional uint32 = 7 [names(&names::IP_PROTOCOLS)],
        /// Tunnel flags.
        flags: optional uint32 = 8 [hex],
        /// Encapsulation.
        encap_type: optional uint32 = 9,
        /// Flags of the encapsulation.
        encap_flags: optional uint32 = 10 [hex],
        /// Source port of the encapsulation.
        encap_sport: optional uint32 = 11,
        /// Destination port of the encapsulation.
        encap_dport: optional uint32 = 12,
        /// Bits of the 6rd prefix.
        rd_prefixlen: optional uint32 = 13,
        /// 6rd prefix.
        rd_prefix: repeated uint32 = 14 [ip],
        /// Bits of the 6rd relay prefix.
        relay_prefixlen: optional uint32 = 15,
        /// 6rd relay prefix.
        relay_prefix: repeated uint32 = 16 [ip],
    }
}
