//! What of the host is mounted into the container.

use ckpt_model::{SpecMount, Text, escape};

use crate::triage::finding::{Confidence, Finding, Rule, Seen, Severity};
use crate::triage::group::bounded;
use crate::triage::places::{below, within};
use crate::triage::subject::Subject;

const HOST_MOUNT: Rule = Rule {
    id: "host-mount",
    title: "A directory of the host is mounted",
    why: "What is written there is written on the host; /, /etc, /root, the kubelet's and the runtime's directories give the host away.",
    wrong: "Node agents (logs, monitoring, storage) are made for it; other bind mounts are data of the container and weigh nothing.",
    check: "ckpt-inspect info EVIDENCE",
    attack: &["T1611"],
};

const KERNEL_INTERFACE_WRITABLE: Rule = Rule {
    id: "kernel-interface-writable",
    title: "Settings of the kernel can be written",
    why: "Through a writable /proc/sys or /sys a process of the container can change the host: `core_pattern` and `uevent_helper` run programs outside.",
    wrong: "Engines leave /proc unprotected when a container is privileged, or when it was asked for (`procMount: Unmasked`, `--security-opt unmask`).",
    check: "ckpt-inspect files --mounts EVIDENCE",
    attack: &["T1611"],
};

const SERVICE_ACCOUNT_TOKEN: Rule = Rule {
    id: "service-account-token",
    title: "A token of the Kubernetes API is mounted",
    why: "Whoever reads it can talk to the API server with the rights of the pod's service account.",
    wrong: "Kubernetes mounts it into every pod unless told otherwise.",
    check: "ckpt-inspect info EVIDENCE",
    attack: &["T1528"],
};

pub(in crate::triage) const RULES: &[&Rule] =
    &[&HOST_MOUNT, &KERNEL_INTERFACE_WRITABLE, &SERVICE_ACCOUNT_TOKEN];

/// Mount points that engines and Kubernetes fill themselves.
const OF_ENGINES: [&str; 11] = [
    "/etc/hosts",
    "/etc/hostname",
    "/etc/resolv.conf",
    "/dev/termination-log",
    "/dev/shm",
    "/run/.containerenv",
    "/run/secrets",
    "/etc/mtab",
    "/run/systemd/journal/socket",
    "/dev/console",
    "/dev/init",
];

/// Where Kubernetes mounts the token of the service account.
const TOKEN: &str = "secrets/kubernetes.io/serviceaccount";

/// Directories of the host that give it away when they can be written, and much of it when they can be read: as a whole.
const WHOLE: [&[u8]; 16] = [
    b"/var/run",
    b"/",
    b"/etc",
    b"/root",
    b"/home",
    b"/var",
    b"/var/lib",
    b"/usr",
    b"/bin",
    b"/sbin",
    b"/lib",
    b"/boot",
    b"/proc",
    b"/sys",
    b"/dev",
    b"/run",
];

/// Directories that are so with everything in them.
const DEEP: [&[u8]; 26] = [
    b"/etc/cni",
    b"/opt/cni",
    b"/run/containerd",
    b"/run/crio",
    b"/run/docker",
    b"/etc/kubernetes",
    b"/etc/ssh",
    b"/etc/cron.d",
    b"/etc/crontab",
    b"/etc/systemd",
    b"/etc/shadow",
    b"/etc/passwd",
    b"/etc/sudoers",
    b"/etc/sudoers.d",
    b"/etc/pam.d",
    b"/root/.ssh",
    b"/root/.kube",
    b"/var/spool/cron",
    b"/var/lib/kubelet",
    b"/var/lib/docker",
    b"/var/lib/containerd",
    b"/var/lib/containers",
    b"/var/lib/etcd",
    b"/var/log",
    b"/sys/kernel",
    b"/proc/sys",
];

/// Volumes below those directories: data of the container and of nobody else.
fn is_volume(source: &[u8]) -> bool {
    let has = |part: &[u8]| source.windows(part.len()).any(|window| window == part);
    let pod = below(source, b"/var/lib/kubelet/pods").is_some();
    pod && (has(b"/volumes/")
        || has(b"/volume-subpaths/")
        || has(b"/etc-hosts")
        || has(b"/containers/"))
        || (has(b"/volumes/") && has(b"/_data"))
        || has(b"/overlay-containers/")
        || has(b"/io.containerd.grpc.v1.cri/")
        || has(b"/docker/containers/")
}

pub(in crate::triage) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let container = subject.checkpoint.container();
    let source = container.confinement.as_ref().map(|spec| spec.source.clone());
    let member = || source.clone().or_else(|| Some("spec.dump".to_owned()));
    let mut others = Vec::new();
    for mount in &container.mounts {
        if mount.destination.trim_end_matches('/').ends_with(TOKEN) {
            findings.push(token(mount, member()));
            continue;
        }
        match host(mount) {
            Some((severity, path)) if severity > Severity::Info => {
                findings.push(told(mount, severity, &path, member()));
            }
            Some(_) => others.push(mount),
            None => {}
        }
    }
    if let Some(first) = others.first() {
        let number = others.len();
        let title = format!("{number} directories or files of the host are mounted as data");
        let mut finding = Finding::new(&HOST_MOUNT, Severity::Info, Confidence::High, title)
            .path(first.destination.as_str());
        let lines = others.iter().map(|mount| Seen::new(line(mount)).member(member()));
        finding.evidence = bounded(lines.collect());
        findings.push(finding);
    }
    findings.extend(writable(subject));
}

/// A mount in one line.
fn line(mount: &SpecMount) -> String {
    let escaped = |text: &str| escape(text.as_bytes()).into_owned();
    format!(
        "mounts: {} from {} ({})",
        escaped(&mount.destination),
        escaped(mount.source.as_deref().unwrap_or("nothing")),
        escaped(&mount.options.join(","))
    )
}

/// How much a bind mount weighs, and the path on the host.
fn host(mount: &SpecMount) -> Option<(Severity, String)> {
    let option = |name: &str| mount.options.iter().any(|option| option == name);
    let bind = mount.kind.as_deref() == Some("bind") || option("bind") || option("rbind");
    let path = mount.source.as_deref().filter(|source| bind && source.starts_with('/'))?;
    let path = match path.trim_end_matches('/') {
        "" => "/",
        path => path,
    };
    let destination = mount.destination.trim_end_matches('/');
    let of_engine = OF_ENGINES.iter().any(|own| {
        destination == *own || destination.strip_prefix(own).is_some_and(|r| r.starts_with('/'))
    });
    let (bytes, socket) = (path.as_bytes(), super::sockets::is_runtime_socket(path.as_bytes()));
    if of_engine || socket {
        return None;
    }
    let sensitive = WHOLE.contains(&bytes) || DEEP.contains(&bytes) || within(bytes, &DEEP);
    let device = below(bytes, b"/dev").is_some();
    let severity = if is_volume(bytes) || device || !sensitive {
        Severity::Info
    } else if !option("ro") || path == "/" {
        Severity::High
    } else {
        Severity::Medium
    };
    Some((severity, path.to_owned()))
}

fn told(mount: &SpecMount, severity: Severity, path: &str, member: Option<String>) -> Finding {
    let readable = mount.options.iter().any(|option| option == "ro");
    let how = if readable { "can be read" } else { "can be written" };
    let (path, at) = (escape(path.as_bytes()), escape(mount.destination.as_bytes()));
    let title = format!("{path} of the host {how} at {at}");
    Finding::new(&HOST_MOUNT, severity, Confidence::High, title)
        .path(mount.destination.as_str())
        .seen(Seen::new(line(mount)).member(member))
}

fn token(mount: &SpecMount, member: Option<String>) -> Finding {
    let title = format!("a service account's token at {}", escape(mount.destination.as_bytes()));
    Finding::new(&SERVICE_ACCOUNT_TOKEN, Severity::Info, Confidence::High, title)
        .path(mount.destination.as_str())
        .seen(Seen::new(line(mount)).member(member))
}

/// File systems of the kernel that are mounted writable and whole.
fn writable(subject: &Subject<'_>) -> Option<Finding> {
    let mounts = subject.checkpoint.mounts();
    let first = mounts.first()?.ns;
    let own: Vec<_> = mounts.iter().filter(|mount| mount.ns == first).collect();
    let kind = |name: &'static [u8]| {
        own.iter().filter(move |mount| mount.fstype.as_ref().is_some_and(|t| t.as_bytes() == name))
    };
    let writes =
        |options: &Text| options.as_bytes().split(|byte| *byte == b',').any(|o| o == b"rw");
    let mut seen = Vec::new();
    // Engines mount parts of /proc again, read-only.
    let sys_covered = kind(b"proc").any(|mount| mount.root.as_bytes() == b"/sys");
    let whole = kind(b"proc").find(|mount| mount.mountpoint.as_bytes() == b"/proc");
    if let Some(mount) = whole.filter(|mount| !sys_covered && writes(&mount.options)) {
        seen.push(format!(
            "{} is a proc mounted {}, and nothing covers /proc/sys",
            mount.mountpoint, mount.options
        ));
    }
    for (name, word) in [(&b"sysfs"[..], "sysfs"), (b"debugfs", "debugfs"), (b"tracefs", "tracefs")]
    {
        if let Some(mount) = kind(name).find(|mount| writes(&mount.options)) {
            seen.push(format!("{} is a {word} mounted {}", mount.mountpoint, mount.options));
        }
    }
    // Engines mount the controllers of version 1 read-only, and all below one directory.
    let outside = kind(b"cgroup").find(|mount| {
        let own = mount.mountpoint.as_bytes();
        writes(&mount.options)
            && own != b"/sys/fs/cgroup"
            && below(own, b"/sys/fs/cgroup").is_none()
    });
    if let Some(mount) = outside {
        seen.push(format!(
            "{} is a cgroup of version 1 mounted {}: its release_agent runs on the host",
            mount.mountpoint, mount.options
        ));
    }
    if seen.is_empty() {
        return None;
    }
    // Where the spec masks nothing, runtimes were told so, and test set-ups are.
    let severity = if seen.iter().any(|what| !what.contains(" is a proc ")) {
        Severity::High
    } else {
        Severity::Medium
    };
    let title = "the container can write settings of the kernel";
    let mut finding = Finding::new(&KERNEL_INTERFACE_WRITABLE, severity, Confidence::High, title);
    let member = subject.image(criu_image::ImageKind::Mountpoints, u64::from(first));
    finding.evidence =
        seen.into_iter().map(|what| Seen::new(what).member(member.clone())).collect();
    Some(finding)
}
