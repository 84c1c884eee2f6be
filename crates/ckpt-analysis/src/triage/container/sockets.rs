//! Sockets of container engines that are within reach.

use std::collections::BTreeSet;

use ckpt_model::{Endpoint, Socket, escape};
use criu_image::ImageKind;

use crate::triage::finding::{Confidence, Finding, Rule, Seen, Severity};
use crate::triage::group::bounded;
use crate::triage::places::split;
use crate::triage::subject::Subject;

const RUNTIME_SOCKET_MOUNTED: Rule = Rule {
    id: "runtime-socket-mounted",
    title: "The container can talk to the container engine",
    why: "Whoever can write to the socket of docker, containerd, CRI-O or podman can start a privileged container and has the host.",
    wrong: "CI runners, monitoring agents and dashboards are given the socket on purpose.",
    check: "ckpt-inspect files --mounts --sockets EVIDENCE",
    attack: &["T1610", "T1611"],
};

pub(in crate::triage) const RULES: &[&Rule] = &[&RUNTIME_SOCKET_MOUNTED];

/// Whether a path is the socket of an engine, by the names that engines give them.
pub(super) fn is_runtime_socket(path: &[u8]) -> bool {
    const NAMES: [&[u8]; 11] = [
        b"docker.sock",
        b"containerd.sock",
        b"containerd.sock.ttrpc",
        b"crio.sock",
        b"podman.sock",
        b"cri-dockerd.sock",
        b"dockershim.sock",
        b"buildkitd.sock",
        b"frakti.sock",
        b"kubelet.sock",
        b"rkt.sock",
    ];
    NAMES.contains(&split(path).1)
}

pub(in crate::triage) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let container = subject.checkpoint.container();
    let member = container.confinement.as_ref().map(|spec| spec.source.clone());
    let mut seen = Vec::new();
    let mut path = None;
    for mount in &container.mounts {
        let source = mount.source.as_deref().unwrap_or_default();
        if is_runtime_socket(source.as_bytes()) || is_runtime_socket(mount.destination.as_bytes()) {
            let (at, from) = (escape(mount.destination.as_bytes()), escape(source.as_bytes()));
            seen.push(Seen::new(format!("mounts: {at} from {from}")).member(member.clone()));
            path.get_or_insert_with(|| mount.destination.clone());
        }
    }
    for mount in subject.checkpoint.mounts() {
        if is_runtime_socket(mount.mountpoint.as_bytes()) && path.is_none() {
            let image = subject.image(ImageKind::Mountpoints, u64::from(mount.ns));
            let what = format!("{} is mounted from {}", mount.mountpoint, mount.root);
            seen.push(Seen::new(what).member(image));
            path = Some(mount.mountpoint.lossless().into_owned());
        }
    }
    let sockets = subject.checkpoint.sockets();
    // The engine of docker in docker is the container's own.
    let listens = |socket: &&Socket| socket.state_word() == Some("LISTEN");
    let own = sockets.iter().filter(listens).filter_map(|socket| match &socket.local {
        Some(Endpoint::Path(name)) => Some(name.as_bytes()),
        _ => None,
    });
    let own: BTreeSet<&[u8]> = own.filter(|name| is_runtime_socket(name)).collect();
    let mut pid = None;
    for socket in sockets {
        let ends = [&socket.remote, &socket.local].into_iter().flatten();
        for end in ends {
            let Endpoint::Path(name) = end else { continue };
            if !is_runtime_socket(name.as_bytes()) || own.contains(name.as_bytes()) {
                continue;
            }
            let holder = socket.holders.first();
            let by = holder.map(|one| format!("pid {} ", one.pid)).unwrap_or_default();
            let what = format!("{by}has a connection with {name}");
            let image = subject.image(ImageKind::Files, None);
            seen.push(Seen::new(what).member(image));
            pid = pid.or(holder.map(|one| one.pid));
            path.get_or_insert_with(|| name.lossless().into_owned());
        }
    }
    let Some(path) = path else { return };
    let shown = escape(path.as_bytes());
    let (severity, how) = match pid {
        Some(_) => (Severity::High, "a process talks to"),
        None => (Severity::High, "the container can talk to"),
    };
    let title = format!("{how} the container engine: {shown}");
    let mut finding = Finding::new(&RUNTIME_SOCKET_MOUNTED, severity, Confidence::High, title)
        .path(path.as_str());
    finding.evidence = bounded(seen);
    finding.pid = pid;
    findings.push(finding);
}
