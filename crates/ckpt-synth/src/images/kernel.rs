//! Namespaces, mounts, cgroups and seccomp.

use crate::frame::ByteOrder;
use crate::images::files::ROOT_MOUNT;
use crate::protobuf::Message;
use crate::task::SockFilter;

/// `mnt_entry` of a small container. Source: `criu/images/mnt.proto`.
pub(crate) fn mounts(id: &str) -> Vec<Message> {
    let storage = "/var/lib/containers/storage/overlay";
    let layers = format!(
        "lowerdir={storage}/l/AAAA,upperdir={storage}/{id}/diff,workdir={storage}/{id}/work"
    );
    let mounts = [
        Mount {
            fstype: 17,
            id: ROOT_MOUNT,
            dev: 51,
            parent: 391,
            flags: 0x20_0000,
            point: "/",
            source: "overlay",
            options: &layers,
            external: None,
        },
        Mount {
            fstype: 1,
            id: 781,
            dev: 62,
            parent: ROOT_MOUNT,
            flags: 0x20_000e,
            point: "/proc",
            source: "proc",
            options: "",
            external: None,
        },
        Mount {
            fstype: 5,
            id: 784,
            dev: 134,
            parent: ROOT_MOUNT,
            flags: 0x100_0002,
            point: "/dev",
            source: "tmpfs",
            options: "size=65536k,mode=755",
            external: None,
        },
        Mount {
            fstype: 5,
            id: 785,
            dev: 43,
            parent: 784,
            flags: 0x20_0000,
            point: "/dev/shm",
            source: "shm",
            options: "size=65536k",
            external: Some("/dev/shm"),
        },
        Mount {
            fstype: 5,
            id: 786,
            dev: 25,
            parent: ROOT_MOUNT,
            flags: 0x20_0000,
            point: "/etc/hosts",
            source: "tmpfs",
            options: "size=2466892k,mode=755",
            external: Some("/etc/hosts"),
        },
    ];
    mounts.iter().map(Mount::message).collect()
}

struct Mount<'a> {
    fstype: u32,
    id: u32,
    dev: u32,
    parent: u32,
    flags: u32,
    point: &'a str,
    source: &'a str,
    options: &'a str,
    external: Option<&'a str>,
}

impl Mount<'_> {
    fn message(&self) -> Message {
        let entry = Message::new()
            .uint(1, self.fstype) // fstype
            .uint(2, self.id) // mnt_id
            .uint(3, self.dev) // root_dev
            .uint(4, self.parent) // parent_mnt_id
            .uint(5, self.flags) // flags
            .bytes(6, "/") // root
            .bytes(7, self.point) // mountpoint
            .bytes(8, self.source) // source
            .bytes(9, self.options) // options
            .uint(10, 0u32) // shared_id
            .uint(11, 0u32) // master_id
            .uint(17, 0u32); // sb_flags
        match self.external {
            Some(key) => entry.bytes(18, key), // ext_key
            None => entry,
        }
    }
}

/// `utsns_entry`.
pub(crate) fn uts(hostname: &[u8]) -> Message {
    Message::new().bytes(1, hostname).bytes(2, "(none)") // nodename, domainname
}

/// `timens_entry`: the clocks at the dump.
pub(crate) fn time(uptime: u64) -> Message {
    let clock = Message::new().uint(1, uptime).uint(2, 861_300_904u32); // tv_sec, tv_nsec
    Message::new().message(1, &clock).message(2, &clock) // monotonic, boottime
}

/// `netns_entry` of a namespace that the engine gave.
pub(crate) fn external_net() -> Message {
    Message::new().bytes(8, "extRootNetNS") // ext_key
}

/// `pidns_entry` of a namespace that the pod gave.
pub(crate) fn external_pid() -> Message {
    Message::new().bytes(1, "extRootPidNS") // ext_key
}

/// `net_device_entry` of `lo` and `eth0`. Source: `criu/images/netdev.proto`.
pub(crate) fn devices() -> Vec<Message> {
    let device = |kind: u32, index: u32, mtu: u32, flags: u32, name: &str| {
        // type, ifindex, mtu, flags, name
        Message::new().uint(1, kind).uint(2, index).uint(3, mtu).uint(4, flags).bytes(5, name)
    };
    vec![
        device(1, 1, 65_536, 0x1_0049, "lo"),
        device(2, 2, 1_500, 0x1_1043, "eth0").bytes(7, [0x52, 0x54, 0, 0x12, 0x34, 0x56]), // address
    ]
}

/// `ifaddr-NS.img`: netlink messages as `ip addr save` writes them, with the address of `eth0`.
pub(crate) fn addresses(order: ByteOrder, addr: [u8; 4]) -> Vec<u8> {
    let attribute = |kind: u16, bytes: &[u8]| {
        let mut attribute = order.u16(4 + u16::try_from(bytes.len()).unwrap_or_default()).to_vec();
        attribute.extend(order.u16(kind));
        attribute.extend(bytes);
        attribute.resize(attribute.len().next_multiple_of(4), 0);
        attribute
    };
    let mut body = vec![2, 16, 0x80, 0]; // ifaddrmsg: family, prefix length, flags, scope
    body.extend(order.u32(2)); // index
    body.extend(attribute(1, &addr)); // IFA_ADDRESS
    body.extend(attribute(2, &addr)); // IFA_LOCAL
    body.extend(attribute(3, b"eth0\0")); // IFA_LABEL
    let mut bytes = order.u32(0x4736_1222).to_vec();
    bytes.extend(order.u32(16 + u32::try_from(body.len()).unwrap_or_default()));
    bytes.extend(order.u16(20)); // RTM_NEWADDR
    bytes.extend(order.u16(2)); // NLM_F_MULTI
    bytes.extend(order.u32(0)); // sequence
    bytes.extend(order.u32(0)); // port
    bytes.extend(body);
    bytes
}

/// `cgroup_entry` of pure cgroup v2. Source: `criu/images/cgroup.proto`.
pub(crate) fn cgroup(path: &str) -> Message {
    let set = |id: u32, path: &str| {
        let control = Message::new().bytes(1, "").bytes(2, path); // name, path
        Message::new().uint(1, id).message(2, &control) // id, ctls
    };
    let controller = Message::new().bytes(1, "").message(2, &directory(path)); // cnames, dirs
    Message::new()
        .message(1, &set(1, "/system.slice/criu.service")) // sets: criu's own, then the container's
        .message(1, &set(2, path))
        .message(2, &controller) // controllers
}

/// `cgroup_dir_entry`, nested as the path is.
fn directory(path: &str) -> Message {
    let parts = path.split('/').filter(|part| !part.is_empty());
    parts
        .rev()
        .fold(None, |child: Option<Message>, name| {
            let dir = Message::new().bytes(1, name); // dir_name
            Some(match child {
                Some(child) => dir.message(2, &child), // children
                None => dir,
            })
        })
        .unwrap_or_default()
}

/// `seccomp_entry`; a filter is `sock_filter` structures in the byte order of the machine.
pub(crate) fn seccomp(filters: &[Vec<SockFilter>], order: ByteOrder) -> Message {
    filters.iter().fold(Message::new(), |entry, filter| {
        let mut bytes = Vec::new();
        for (code, jt, jf, k) in filter {
            bytes.extend(order.u16(*code));
            bytes.extend([*jt, *jf]);
            bytes.extend(order.u32(*k));
        }
        entry.message(1, &Message::new().bytes(1, bytes).uint(3, 1u32)) // seccomp_filters: filter, flags
    })
}
