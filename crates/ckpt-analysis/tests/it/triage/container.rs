//! What confines the container, by its runtime spec and its mounts.

use ckpt_analysis::triage::{Finding, Severity};
use ckpt_synth::{Archive, File, Kind, Member, Message, ROOT_MOUNT, Task, ns};

use crate::triage::findings;
use crate::{dump, init, open};

/// An honest spec, with parts replaced.
struct Spec {
    capabilities: &'static str,
    no_new_privileges: bool,
    apparmor: &'static str,
    uid: u32,
    mounts: String,
    namespaces: &'static str,
    seccomp: &'static str,
    devices: &'static str,
    nodes: &'static str,
}

impl Spec {
    fn honest() -> Self {
        Self {
            capabilities: "\"CAP_CHOWN\",\"CAP_KILL\",\"CAP_NET_RAW\"",
            no_new_privileges: true,
            apparmor: "",
            uid: 1000,
            mounts: String::new(),
            namespaces: r#"{"type":"pid","path":"/proc/4242/ns/pid"},{"type":"network","path":"/run/netns/a"},{"type":"ipc"},{"type":"uts"},{"type":"mount"}"#,
            seccomp: r#","seccomp":{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"}]}"#,
            devices: r#"{"allow":false,"access":"rwm"},{"allow":true,"type":"c","major":1,"minor":3,"access":"rwm"}"#,
            nodes: "",
        }
    }

    fn mount(destination: &str, source: &str, options: &str) -> Self {
        let mounts = format!(
            r#"{{"destination":"{destination}","type":"bind","source":"{source}","options":["rbind","{options}"]}}"#
        );
        Self { mounts, ..Self::honest() }
    }

    fn json(&self) -> String {
        format!(
            r#"{{"ociVersion":"1.2.0","annotations":{{"io.container.manager":"libpod"}},"root":{{"path":"/x"}},"mounts":[{}],
            "process":{{"user":{{"uid":{},"gid":0}},"args":["sh"],"cwd":"/","noNewPrivileges":{},"apparmorProfile":"{}",
            "capabilities":{{"bounding":[{}]}}}},
            "linux":{{"namespaces":[{}],"resources":{{"devices":[{}]}},"devices":[{}]{}}}}}"#,
            self.mounts,
            self.uid,
            self.no_new_privileges,
            self.apparmor,
            self.capabilities,
            self.namespaces,
            self.devices,
            self.nodes,
            self.seccomp
        )
    }

    fn findings(&self) -> Vec<Finding> {
        let mut archive = Archive::podman(&dump([init()]));
        archive.replace("spec.dump", self.json().into_bytes());
        findings(&open(&archive))
    }
}

fn find<'a>(found: &'a [Finding], id: &str) -> Option<&'a Finding> {
    found.iter().find(|one| one.rule.id == id)
}

#[track_caller]
fn severity(spec: &Spec, id: &str, wanted: Severity) {
    let found = spec.findings();
    let one = find(&found, id).unwrap_or_else(|| panic!("no {id}: {found:#?}"));
    assert_eq!(one.severity, wanted, "{one:#?}");
    assert!(!one.evidence.is_empty());
    assert!(
        one.evidence.iter().any(|seen| seen.member.as_deref() == Some("spec.dump")),
        "{one:#?}"
    );
}

/// Rules about the container.
const RULES: [&str; 12] = [
    "privileged-container",
    "dangerous-capability",
    "host-mount",
    "runtime-socket-mounted",
    "service-account-token",
    "host-namespace",
    "seccomp-off",
    "apparmor-off",
    "no-new-privileges-absent",
    "runs-as-root",
    "device-node",
    "dump-incomplete",
];

#[test]
fn an_honest_container_has_none() {
    let found = Spec::honest().findings();
    for id in RULES {
        assert!(find(&found, id).is_none(), "{id}: {found:#?}");
    }
}

/// All capabilities up to Linux 5.9.
const ALL: &str = r#""CAP_CHOWN","CAP_DAC_OVERRIDE","CAP_DAC_READ_SEARCH","CAP_FOWNER","CAP_FSETID","CAP_KILL","CAP_SETGID","CAP_SETUID","CAP_SETPCAP","CAP_LINUX_IMMUTABLE","CAP_NET_BIND_SERVICE","CAP_NET_BROADCAST","CAP_NET_ADMIN","CAP_NET_RAW","CAP_IPC_LOCK","CAP_IPC_OWNER","CAP_SYS_MODULE","CAP_SYS_RAWIO","CAP_SYS_CHROOT","CAP_SYS_PTRACE","CAP_SYS_PACCT","CAP_SYS_ADMIN","CAP_SYS_BOOT","CAP_SYS_NICE","CAP_SYS_RESOURCE","CAP_SYS_TIME","CAP_SYS_TTY_CONFIG","CAP_MKNOD","CAP_LEASE","CAP_AUDIT_WRITE","CAP_AUDIT_CONTROL","CAP_SETFCAP","CAP_MAC_OVERRIDE","CAP_MAC_ADMIN","CAP_SYSLOG","CAP_WAKE_ALARM","CAP_BLOCK_SUSPEND","CAP_AUDIT_READ","CAP_PERFMON","CAP_BPF","CAP_CHECKPOINT_RESTORE""#;

#[test]
fn rights() {
    let honest = Spec::honest;
    severity(&Spec { capabilities: ALL, ..honest() }, "privileged-container", Severity::High);
    let devices = r#"{"allow":true,"access":"rwm"}"#;
    severity(&Spec { devices, ..honest() }, "privileged-container", Severity::High);
    let capabilities = "\"CAP_SYS_PTRACE\"";
    severity(&Spec { capabilities, ..honest() }, "dangerous-capability", Severity::Medium);
    let capabilities = "\"CAP_SYS_NICE\"";
    severity(&Spec { capabilities, ..honest() }, "dangerous-capability", Severity::Low);
    let all = Spec { capabilities: ALL, ..honest() }.findings();
    assert!(find(&all, "dangerous-capability").is_none(), "said once");
}

/// A rule without a node of its own, as `--device-cgroup-rule` makes it.
#[test]
fn devices_that_may_be_made() {
    let with = |devices: &'static str, nodes: &'static str| {
        let found = Spec { devices, nodes, ..Spec::honest() }.findings();
        let of_devices = found.iter().filter(|one| one.rule.id == "device-node");
        of_devices.map(|one| one.title.clone()).collect::<Vec<_>>()
    };
    let disks =
        r#"{"allow":false,"access":"rwm"},{"allow":true,"type":"b","major":8,"access":"rwm"}"#;
    assert_eq!(with(disks, ""), ["the container may use disks of the host: b 8:* rwm"]);
    let make = r#"{"allow":true,"type":"b","access":"m"},{"allow":true,"type":"c","access":"m"}"#;
    assert_eq!(with(make, ""), [""; 0], "every container may make nodes");
    let revoked =
        r#"{"allow":true,"type":"b","major":8,"access":"rwm"},{"allow":false,"access":"rwm"}"#;
    assert_eq!(with(revoked, ""), [""; 0]);
    let given = r#"{"allow":true,"type":"b","major":8,"minor":1,"access":"rwm"}"#;
    let node = r#"{"path":"/dev/x","type":"b","major":8,"minor":1}"#;
    assert_eq!(with(given, node).len(), 1, "said once");
}

#[test]
fn mounts_of_the_host() {
    for (source, options, wanted) in [
        ("/", "ro", Severity::High),
        ("/etc", "rw", Severity::High),
        ("/var/lib/kubelet", "rw", Severity::High),
        ("/var/lib/kubelet/pki", "ro", Severity::Medium),
        ("/root/.ssh/", "rw", Severity::High),
        ("/proc", "ro", Severity::Medium),
        ("/srv/data", "rw", Severity::Info),
        ("/var/lib/kubelet/pods/7/volumes/kubernetes.io~empty-dir/d", "rw", Severity::Info),
        ("/var/lib/containers/storage/volumes/v/_data", "rw", Severity::Info),
    ] {
        severity(&Spec::mount("/host", source, options), "host-mount", wanted);
    }
    let quiet = Spec::mount("/etc/resolv.conf", "/etc/resolv.conf", "rw").findings();
    assert!(find(&quiet, "host-mount").is_none());
    let token = "/var/run/secrets/kubernetes.io/serviceaccount";
    let spec = Spec::mount(token, "/var/lib/kubelet/pods/7/volumes/x", "ro");
    severity(&spec, "service-account-token", Severity::Info);
    assert!(find(&spec.findings(), "host-mount").is_none());
    let socket = Spec::mount("/sock", "/run/containerd/containerd.sock", "rw");
    severity(&socket, "runtime-socket-mounted", Severity::High);
    assert!(find(&socket.findings(), "host-mount").is_none(), "said once");
}

#[test]
fn namespaces_of_the_host() {
    let namespaces = r#"{"type":"network"},{"type":"ipc"},{"type":"uts"},{"type":"mount"}"#;
    severity(&Spec { namespaces, ..Spec::honest() }, "host-namespace", Severity::High);
    let namespaces = r#"{"type":"pid"},{"type":"ipc"},{"type":"uts"},{"type":"mount"}"#;
    severity(&Spec { namespaces, ..Spec::honest() }, "host-namespace", Severity::Medium);
    let namespaces = r#"{"type":"pid","path":"/proc/1/ns/pid"},{"type":"network"},{"type":"ipc"},{"type":"uts"},{"type":"mount"}"#;
    severity(&Spec { namespaces, ..Spec::honest() }, "host-namespace", Severity::High);
}

#[test]
fn what_holds_back() {
    let honest = Spec::honest;
    severity(&Spec { seccomp: "", ..honest() }, "seccomp-off", Severity::Medium);
    let seccomp = r#","seccomp":{"defaultAction":"SCMP_ACT_ALLOW"}"#;
    severity(&Spec { seccomp, ..honest() }, "seccomp-off", Severity::Medium);
    severity(&Spec { apparmor: "unconfined", ..honest() }, "apparmor-off", Severity::Low);
    let spec = Spec { no_new_privileges: false, ..honest() };
    severity(&spec, "no-new-privileges-absent", Severity::Info);
    severity(&Spec { uid: 0, ..honest() }, "runs-as-root", Severity::Info);
    let nodes = r#"{"path":"/dev/sda","type":"b","major":8,"minor":0}"#;
    severity(&Spec { nodes, ..honest() }, "device-node", Severity::Medium);
}

/// A disk that the engine was told to give lies in `/dev`, too: that is told once. Another one was made.
#[test]
fn devices_that_were_given_are_not_made() {
    let severities = |nodes, devices, major, minor| {
        let mut tmpfs = Archive::new();
        tmpfs.dir("./").push(Member::new("./sdb", Kind::BlockDevice(major, minor)));
        let mut dump = dump([init()]);
        dump.raw("tmpfs-dev-134.tar.gz.img", tmpfs.tar_gz());
        let mut archive = Archive::podman(&dump);
        let spec = Spec { nodes, devices, ..Spec::honest() };
        archive.replace("spec.dump", spec.json().into_bytes());
        let found = findings(&open(&archive));
        let of = found.iter().filter(|one| one.rule.id == "device-node");
        of.map(|one| one.severity).collect::<Vec<_>>()
    };
    let given = r#"{"path":"/dev/sdb","type":"b","major":8,"minor":16}"#;
    let few = Spec::honest().devices;
    let all = r#"{"allow":true,"access":"rwm"}"#;
    assert_eq!(severities(given, few, 8, 16), [Severity::Medium]);
    assert_eq!(severities(given, few, 8, 0), [Severity::High, Severity::Medium]);
    assert_eq!(severities("", few, 8, 16), [Severity::High]);
    assert!(severities("", all, 8, 16).is_empty());
}

/// A spec of which nothing about Linux can be read says nothing about what is missing in it.
#[test]
fn a_spec_that_cannot_be_read_proves_nothing() {
    for spec in ["{}", "no JSON", r#"{"ociVersion":"1.0.0","root":{"path":"/x"},"linux":7}"#] {
        let mut archive = Archive::podman(&dump([init()]));
        archive.replace("spec.dump", spec.as_bytes());
        let found = findings(&open(&archive));
        for id in RULES {
            assert!(find(&found, id).is_none(), "{spec}: {id}");
        }
    }
}

/// A process that is connected with an engine's socket, and one whose engine is its own.
#[test]
fn processes_that_talk_to_the_engine() {
    let unix = |ino, state, peer, name: &str| File::Unix {
        ino,
        kind: 1,
        state,
        peer,
        name: name.as_bytes().to_vec(),
        unread: Vec::new(),
    };
    let client = || Task::new(7, 1).fd(3, unix(500, 1, 501, ""));
    let server = || Task::new(8, 1).fd(3, unix(501, 1, 500, "/var/run/docker.sock\0"));
    let found = findings(&open(&Archive::podman(&dump([init(), client(), server()]))));
    let one = find(&found, "runtime-socket-mounted").expect("the connection");
    assert_eq!(one.path.as_ref().map(ToString::to_string).as_deref(), Some("/var/run/docker.sock"));
    let own = server().fd(4, File::unix_listen(502, "/var/run/docker.sock"));
    let found = findings(&open(&Archive::podman(&dump([init(), client(), own]))));
    assert!(find(&found, "runtime-socket-mounted").is_none(), "docker in docker");
}

#[test]
fn settings_of_the_kernel() {
    let mount = |id: u32, kind: u32, flags: u32, root: &str, point: &str| {
        Message::new()
            .uint(1, kind)
            .uint(2, id)
            .uint(3, 900_u32)
            .uint(4, ROOT_MOUNT)
            .uint(5, flags)
            .bytes(6, root)
            .bytes(7, point)
            .bytes(8, "none")
            .bytes(9, "")
    };
    let with = |mounts: &[Message]| {
        let mut dump = dump([init()]);
        for mount in mounts {
            dump.record(&format!("mountpoints-{}.img", ns::MNT), mount);
        }
        let found = findings(&open(&Archive::podman(&dump)));
        find(&found, "kernel-interface-writable").map(|one| one.severity)
    };
    let covered = mount(900, 1, 1, "/sys", "/proc/sys");
    assert_eq!(with(&[]), Some(Severity::Medium), "nothing covers /proc/sys of a synthetic dump");
    assert_eq!(with(std::slice::from_ref(&covered)), None);
    assert_eq!(with(&[covered.clone(), mount(901, 2, 1, "/", "/sys")]), None, "read-only");
    assert_eq!(with(&[covered.clone(), mount(901, 2, 0, "/", "/sys")]), Some(Severity::High));
    let cgroup = |flags: u32, point: &str| mount(902, 12, flags, "/", point);
    assert_eq!(with(&[covered.clone(), cgroup(0, "/sys/fs/cgroup/memory")]), None);
    assert_eq!(with(&[covered.clone(), cgroup(1, "/tmp/cgrp")]), None, "read-only");
    assert_eq!(with(&[covered, cgroup(0, "/tmp/cgrp")]), Some(Severity::High));
}

/// What docker was asked for, where there is no spec.
#[test]
fn what_docker_was_asked_for() {
    let with = |host: &str| {
        let mut archive = Archive::docker_dir(&dump([init()]), "cp");
        archive.replace("hostconfig.json", host.as_bytes().to_vec());
        findings(&open(&archive))
    };
    let severity = |found: &[Finding], id: &str| find(found, id).map(|one| one.severity);
    let found = with(
        r#"{"CapAdd":["SYS_ADMIN"],"PidMode":"host","NetworkMode":"bridge","IpcMode":"private",
            "SecurityOpt":["seccomp=unconfined"],"Binds":["/etc:/host/etc"]}"#,
    );
    assert_eq!(severity(&found, "dangerous-capability"), Some(Severity::Medium));
    assert_eq!(severity(&found, "host-namespace"), Some(Severity::High));
    assert_eq!(severity(&found, "seccomp-off"), Some(Severity::Medium));
    assert_eq!(severity(&found, "host-mount"), Some(Severity::High));
    assert!(find(&found, "privileged-container").is_none());
    let one = find(&found, "host-namespace").expect("the namespace");
    assert!(
        one.evidence[0].member.as_ref().is_some_and(|member| member.ends_with("hostconfig.json"))
    );
    assert!(!format!("{found:?}").contains("linux.namespaces"), "the words are docker's");
    let found = with(r#"{"Privileged":true}"#);
    assert_eq!(severity(&found, "privileged-container"), Some(Severity::High));
    for (host, id, wanted) in [
        (r#"{"Binds":["/:/host:ro"]}"#, "host-mount", Severity::High),
        (r#"{"Binds":["/var/run/docker.sock:/s"]}"#, "runtime-socket-mounted", Severity::High),
        (r#"{"NetworkMode":"host"}"#, "host-namespace", Severity::Medium),
        (r#"{"IpcMode":"host"}"#, "host-namespace", Severity::Medium),
        (r#"{"SecurityOpt":["apparmor=unconfined"]}"#, "apparmor-off", Severity::Low),
        (r#"{"UsernsMode":"host"}"#, "runs-as-root", Severity::Info),
        (r#"{"Devices":[{"PathOnHost":"/dev/nvme0n1"}]}"#, "device-node", Severity::Medium),
        (r#"{"Devices":[{"PathOnHost":"/dev/mapper/vg-a"}]}"#, "device-node", Severity::Medium),
        (r#"{"Devices":[{"PathOnHost":"/dev/mem"}]}"#, "device-node", Severity::Medium),
        (r#"{"DeviceCgroupRules":["b *:* rwm"]}"#, "device-node", Severity::Medium),
        (r#"{"DeviceCgroupRules":["b 8:* rwm"]}"#, "device-node", Severity::Medium),
        (r#"{"DeviceCgroupRules":["b 8:1 r"]}"#, "device-node", Severity::Medium),
        (r#"{"DeviceCgroupRules":["c 1:1 rw"]}"#, "device-node", Severity::Medium),
        (r#"{"DeviceCgroupRules":["a *:* rwm"]}"#, "privileged-container", Severity::High),
        (r#"{"SecurityOpt":["systempaths=unconfined"]}"#, "system-paths-unmasked", Severity::Low),
        (r#"{"MaskedPaths":[],"ReadonlyPaths":[]}"#, "system-paths-unmasked", Severity::Low),
    ] {
        let found = with(host);
        assert_eq!(severity(&found, id), Some(wanted), "{host}: {found:#?}");
        let one = find(&found, id).expect("it is there");
        let by_docker = |member: &str| member.ends_with("hostconfig.json");
        assert!(one.evidence[0].member.as_deref().is_some_and(by_docker), "{one:#?}");
    }
    for device in ["/dev/fuse", "/dev/dri/card0", "/dev/mapper/control", "/dev/sdx/y", "/srv/sda"] {
        let found = with(&format!(r#"{{"Devices":[{{"PathOnHost":"{device}"}}]}}"#));
        assert!(find(&found, "device-node").is_none(), "{device}");
    }
    for rule in ["b 8:* m", "c 1:3 rwm", "c 10:200 rwm", "c 136:* rwm", "c 1:3 rw", "b"] {
        let found = with(&format!(r#"{{"DeviceCgroupRules":["{rule}"]}}"#));
        assert!(find(&found, "device-node").is_none(), "{rule}: {found:#?}");
    }
    let found = with(r#"{"NetworkMode":"bridge","SecurityOpt":["no-new-privileges"]}"#);
    for id in [
        "selinux-off",
        "system-paths-unmasked",
        "device-node",
        "dangerous-capability",
        "host-namespace",
        "seccomp-off",
        "no-new-privileges-absent",
        "runs-as-root",
    ] {
        assert!(find(&found, id).is_none(), "{id}");
    }
}

/// A request to leave SELinux off means something where the host has it.
#[test]
fn selinux_is_off_where_it_is() {
    let with = |lsm: u8, option: &str, task: Task| {
        let mut archive = Archive::docker_dir(&dump([task]), "cp");
        let host = format!(r#"{{"SecurityOpt":["{option}"]}}"#);
        archive.replace("hostconfig.json", host.into_bytes());
        let names = archive.names();
        let name = names.iter().find(|name| name.ends_with("inventory.img")).expect("inventory");
        let mut inventory = archive.get(name).expect("the inventory");
        // lsmtype, field 6.
        let at = inventory.windows(2).position(|bytes| bytes == [0x30, 0]).expect("lsmtype");
        inventory[at + 1] = lsm;
        archive.replace(name, inventory);
        find(&findings(&open(&archive)), "selinux-off").map(|one| one.severity)
    };
    for option in ["label=disable", "label:disable"] {
        assert_eq!(with(1, option, init()), Some(Severity::Low));
        assert_eq!(with(0, option, init()), None, "no module");
        assert_eq!(with(2, option, init()), None, "AppArmor");
    }
    let labelled = |label: &str| init().lsm_profile(label);
    let excepted = labelled("system_u:system_r:spc_t:s0");
    assert_eq!(with(1, "label=type:x", excepted), Some(Severity::Low));
    let confined = labelled("system_u:system_r:container_t:s0:c1,c2");
    assert_eq!(with(1, "label=type:x", confined), None);
}

#[test]
fn firewalls() {
    let with = |text: &str| {
        let mut dump = dump([init(), Task::new(7, 1)]);
        let name = "iptables-10.img";
        dump.raw(name, text.as_bytes().to_vec());
        findings(&open(&Archive::podman(&dump)))
    };
    let found = with(
        "*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 15001\nCOMMIT\n",
    );
    let one = find(&found, "firewall-rules").expect("the redirection");
    assert_eq!(one.severity, Severity::Low);
    let found = with("*filter\n-A INPUT -s 192.0.2.1/32 -j DROP\nCOMMIT\n");
    assert_eq!(find(&found, "firewall-rules").expect("the drop").severity, Severity::Info);
    let found = with(
        "*filter\n:CRIU - [0:0]\n-A INPUT -j CRIU\n-A CRIU -m mark --mark 0xc114 -j ACCEPT\n-A CRIU -j DROP\nCOMMIT\n",
    );
    assert!(find(&found, "firewall-rules").is_none(), "CRIU's own lock");
}
