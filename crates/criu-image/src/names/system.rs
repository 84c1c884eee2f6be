//! System: mounts, network devices, security modules, machines.

use super::{flag_names, number_names};

number_names! {
    /// Filesystem types: `fstype` of `criu/images/mnt.proto`.
    FSTYPES, "filesystem type":
    0 => "UNSUPPORTED", 1 => "PROC", 2 => "SYSFS", 3 => "DEVTMPFS", 4 => "BINFMT_MISC", 5 => "TMPFS", 6 => "DEVPTS",
    7 => "SIMFS", 8 => "PSTORE", 9 => "SECURITYFS", 10 => "FUSECTL", 11 => "DEBUGFS", 12 => "CGROUP", 13 => "AUFS",
    14 => "MQUEUE", 15 => "FUSE", 16 => "AUTO", 17 => "OVERLAYFS", 18 => "AUTOFS", 19 => "TRACEFS", 20 => "RPC_PIPEFS",
    21 => "NFS", 22 => "NFS4", 23 => "CGROUP2",
}

flag_names! {
    /// Mount flags: `MS_*` of `include/uapi/linux/mount.h`.
    MOUNT_FLAGS, "mount flags", zero "0":
    0x1 => "MS_RDONLY", 0x2 => "MS_NOSUID", 0x4 => "MS_NODEV", 0x8 => "MS_NOEXEC", 0x10 => "MS_SYNCHRONOUS",
    0x20 => "MS_REMOUNT", 0x40 => "MS_MANDLOCK", 0x80 => "MS_DIRSYNC", 0x100 => "MS_NOSYMFOLLOW",
    0x400 => "MS_NOATIME", 0x800 => "MS_NODIRATIME", 0x1000 => "MS_BIND", 0x2000 => "MS_MOVE", 0x4000 => "MS_REC",
    0x8000 => "MS_SILENT", 0x1_0000 => "MS_POSIXACL", 0x2_0000 => "MS_UNBINDABLE", 0x4_0000 => "MS_PRIVATE",
    0x8_0000 => "MS_SLAVE", 0x10_0000 => "MS_SHARED", 0x20_0000 => "MS_RELATIME", 0x40_0000 => "MS_KERNMOUNT",
    0x80_0000 => "MS_I_VERSION", 0x0100_0000 => "MS_STRICTATIME", 0x0200_0000 => "MS_LAZYTIME",
}

number_names! {
    /// Security modules: `lsmtype` of `criu/images/inventory.proto`.
    LSM_TYPES, "security module": 0 => "NO_LSM", 1 => "SELINUX", 2 => "APPARMOR",
}

number_names! {
    /// Memory pre-dump methods of the inventory.
    PRE_DUMP_MODES, "pre-dump mode": 1 => "SPLICE", 2 => "READ",
}

number_names! {
    /// How the network was locked while dumping. Counted from 0 here, from 1 in CRIU's RPC.
    NETWORK_LOCKS, "network lock": 0 => "IPTABLES", 1 => "NFTABLES", 2 => "SKIP",
}

number_names! {
    /// Compression of the pages files: `inventory_entry.compress` (CRIU after 4.2).
    COMPRESSIONS, "compression": 0 => "NONE", 1 => "LZ4_PAGE", 2 => "LZ4_REGION",
}

number_names! {
    /// Network devices: `nd_type` of `criu/images/netdev.proto`.
    NET_DEVICE_TYPES, "network device":
    1 => "LOOPBACK", 2 => "VETH", 3 => "TUN", 4 => "EXTLINK", 5 => "VENET", 6 => "BRIDGE", 7 => "MACVLAN", 8 => "SIT",
}

flag_names! {
    /// Device flags: `IFF_*` of `include/uapi/linux/if.h`.
    NET_DEVICE_FLAGS, "network device flags", zero "0":
    0x1 => "IFF_UP", 0x2 => "IFF_BROADCAST", 0x4 => "IFF_DEBUG", 0x8 => "IFF_LOOPBACK", 0x10 => "IFF_POINTOPOINT",
    0x20 => "IFF_NOTRAILERS", 0x40 => "IFF_RUNNING", 0x80 => "IFF_NOARP", 0x100 => "IFF_PROMISC",
    0x200 => "IFF_ALLMULTI", 0x400 => "IFF_MASTER", 0x800 => "IFF_SLAVE", 0x1000 => "IFF_MULTICAST",
    0x2000 => "IFF_PORTSEL", 0x4000 => "IFF_AUTOMEDIA", 0x8000 => "IFF_DYNAMIC", 0x1_0000 => "IFF_LOWER_UP",
    0x2_0000 => "IFF_DORMANT", 0x4_0000 => "IFF_ECHO",
}

number_names! {
    /// Argument kinds of `sysctl_entry`.
    SYSCTL_TYPES, "sysctl type": 5 => "CTL_STR", 6 => "CTL_32",
}

number_names! {
    /// Vendors of x86 processors.
    X86_VENDORS, "processor vendor": 0 => "UNKNOWN", 1 => "INTEL", 2 => "AMD",
}

number_names! {
    /// Byte orders of ppc64 machines.
    PPC64_ENDIANNESS, "byte order": 0 => "BIGENDIAN", 1 => "LITTLEENDIAN",
}

/// IPv4 sysctls of a device, by position in `conf4`: `criu/net.c`. Shorter lists come from older CRIU.
pub static DEVCONF4: &[&str] = &[
    "accept_local",
    "accept_redirects",
    "accept_source_route",
    "arp_accept",
    "arp_announce",
    "arp_filter",
    "arp_ignore",
    "arp_notify",
    "bootp_relay",
    "disable_policy",
    "disable_xfrm",
    "force_igmp_version",
    "forwarding",
    "igmpv2_unsolicited_report_interval",
    "igmpv3_unsolicited_report_interval",
    "log_martians",
    "medium_id",
    "promote_secondaries",
    "proxy_arp",
    "proxy_arp_pvlan",
    "route_localnet",
    "rp_filter",
    "secure_redirects",
    "send_redirects",
    "shared_media",
    "src_valid_mark",
    "tag",
    "ignore_routes_with_linkdown",
    "drop_gratuitous_arp",
    "drop_unicast_in_l2_multicast",
];

/// IPv6 sysctls of a device, by position in `conf6`: `criu/net.c`. Shorter lists come from older CRIU.
pub static DEVCONF6: &[&str] = &[
    "accept_dad",
    "accept_ra",
    "accept_ra_defrtr",
    "accept_ra_from_local",
    "accept_ra_min_hop_limit",
    "accept_ra_mtu",
    "accept_ra_pinfo",
    "accept_ra_rt_info_max_plen",
    "accept_ra_rtr_pref",
    "accept_redirects",
    "accept_source_route",
    "autoconf",
    "dad_transmits",
    "disable_ipv6",
    "drop_unicast_in_l2_multicast",
    "drop_unsolicited_na",
    "force_mld_version",
    "force_tllao",
    "forwarding",
    "hop_limit",
    "ignore_routes_with_linkdown",
    "keep_addr_on_down",
    "max_addresses",
    "max_desync_factor",
    "mldv1_unsolicited_report_interval",
    "mldv2_unsolicited_report_interval",
    "mtu",
    "ndisc_notify",
    "optimistic_dad",
    "proxy_ndp",
    "regen_max_retry",
    "router_probe_interval",
    "router_solicitation_delay",
    "router_solicitation_interval",
    "router_solicitations",
    "stable_secret",
    "suppress_frag_ndisc",
    "temp_prefered_lft",
    "temp_valid_lft",
    "use_oif_addrs_only",
    "use_optimistic",
    "use_tempaddr",
];

number_names! {
    /// Netlink message types found in the images of iproute2: `include/uapi/linux/rtnetlink.h`.
    RTNETLINK_TYPES, "rtnetlink message":
    16 => "RTM_NEWLINK", 20 => "RTM_NEWADDR", 24 => "RTM_NEWROUTE", 28 => "RTM_NEWNEIGH", 32 => "RTM_NEWRULE",
}
