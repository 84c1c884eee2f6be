//! Sockets that read what is meant for others, and listeners that nobody asked for.

use std::collections::BTreeMap;

use ckpt_model::{Family, Pid, Socket, Task};
use criu_image::ImageKind;

use super::finding::{Confidence, Finding, Rule, Seen, Severity};
use super::subject::{Subject, named};
use super::talk::{self, is_bound, is_listener};

pub(super) static RULES: &[&Rule] = &[&RAW, &PACKET, &DIAG, &LISTENER];

static RAW: Rule = Rule {
    id: "raw-socket",
    title: "A process has a raw socket",
    why: "A raw socket sends and receives packets below TCP and UDP: scanners, tunnels in ICMP, and back doors that wait for a certain packet.",
    wrong: "ping, traceroute, VRRP (keepalived) and monitoring need one.",
    check: "ckpt-inspect files --sockets EVIDENCE; ckpt-inspect show EVIDENCE files.img",
    attack: &["T1095", "T1205.002"],
};

static PACKET: Rule = Rule {
    id: "packet-socket",
    title: "A process has a packet socket",
    why: "A packet socket sees every packet of an interface: sniffers, and back doors that listen without a port.",
    wrong: "tcpdump, DHCP clients and intrusion detection need one.",
    check: "ckpt-inspect files --sockets EVIDENCE; ckpt-inspect show EVIDENCE files.img",
    attack: &["T1040", "T1205.002"],
};

static DIAG: Rule = Rule {
    id: "netlink-diag-socket",
    title: "A process asks the kernel for all sockets",
    why: "Over NETLINK_SOCK_DIAG a program lists the sockets of everybody, and can destroy them.",
    wrong: "ss, monitoring agents and service meshes do so.",
    check: "ckpt-inspect files --sockets EVIDENCE",
    attack: &["T1049"],
};

static LISTENER: Rule = Rule {
    id: "listener-not-in-spec",
    title: "A process listens on a port that the container does not name",
    why: "The container says which ports it offers. Another listener is a side door, or a tool that somebody started.",
    wrong: "Ports for health, metrics and administration are often left out; naming ports is optional.",
    check: "ckpt-inspect files --sockets EVIDENCE; ckpt-inspect info EVIDENCE",
    attack: &["T1571", "T1205"],
};

/// `SOCK_RAW`, and `NETLINK_SOCK_DIAG` of `include/uapi/linux/netlink.h`.
const SOCK_RAW: u32 = 3;
const NETLINK_SOCK_DIAG: u32 = 4;

/// Sockets of one process that are told.
const MOST_TOLD: usize = 8;

pub(super) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let raw = |socket: &Socket| talk::is_inet(socket) && socket.kind == SOCK_RAW;
    let packet = |socket: &Socket| socket.family == Family::Packet;
    let diag =
        |socket: &Socket| socket.family == Family::Netlink && socket.protocol == NETLINK_SOCK_DIAG;
    for task in &subject.tasks {
        findings.extend(held(subject, task, &RAW, Severity::Medium, "a raw socket", raw));
        findings.extend(held(subject, task, &PACKET, Severity::Medium, "a packet socket", packet));
        findings.extend(held(
            subject,
            task,
            &DIAG,
            Severity::Low,
            "a socket to ask for sockets",
            diag,
        ));
    }
    listeners(subject, findings);
}

/// The sockets of a process for which `wanted` holds, as one finding.
fn held(
    subject: &Subject<'_>,
    task: &Task,
    rule: &'static Rule,
    severity: Severity,
    what: &str,
    wanted: impl Fn(&Socket) -> bool,
) -> Option<Finding> {
    let held: Vec<(u32, &Socket)> = subject
        .sockets_of(task.pid)
        .iter()
        .filter(|(_, socket)| wanted(socket) && is_own(subject, task, socket))
        .map(|(fd, socket)| (*fd, *socket))
        .collect();
    held.first()?;
    let foreign = subject.is_foreign(task);
    let severity = if foreign { Severity::High } else { severity };
    let title = format!("{} has {what}", named(task));
    let mut finding = Finding::new(rule, severity, Confidence::High, title).of(task.pid);
    let member = subject.image(ImageKind::Files, None);
    for (fd, socket) in held.iter().take(MOST_TOLD) {
        let what = format!("descriptor {fd} is {}", talk::worded(socket));
        finding = finding.seen(Seen::new(what).member(member.clone()));
    }
    with_program(subject, task, finding, foreign).into()
}

/// Whether a task is the first that has the socket: children inherit it.
fn is_own(subject: &Subject<'_>, task: &Task, socket: &Socket) -> bool {
    let parent = subject.parent(task).map(|parent| parent.pid);
    !socket.holders.iter().any(|holder| Some(holder.pid) == parent)
}

fn with_program(subject: &Subject<'_>, task: &Task, finding: Finding, foreign: bool) -> Finding {
    let mut finding = finding;
    if let Some(exe) = subject.executable(task) {
        finding = finding.path(exe.path.clone());
        if foreign {
            finding.evidence.extend(exe.seen.iter().cloned());
        }
    }
    finding
}

/// Listeners on ports that the container does not name, by process.
fn listeners(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let ports = &subject.checkpoint.container().ports;
    if ports.is_empty() {
        return;
    }
    let mut by_process: BTreeMap<Pid, Vec<(u32, &Socket)>> = BTreeMap::new();
    for task in &subject.tasks {
        for (fd, socket) in subject.sockets_of(task.pid) {
            let listens = is_listener(socket) || is_bound(socket);
            let port = talk::port(socket.local.as_ref()).and_then(|port| u16::try_from(port).ok());
            let named = port.is_none_or(|port| ports.contains(&port));
            if listens && !named && is_own(subject, task, socket) {
                by_process.entry(task.pid).or_default().push((*fd, socket));
            }
        }
    }
    for (pid, sockets) in by_process {
        let Some(task) = subject.task(pid) else { continue };
        let local = sockets.iter().all(|(_, socket)| talk::is_loopback(socket.local.as_ref()));
        let datagrams = sockets.iter().all(|(_, socket)| !is_listener(socket));
        let foreign = subject.is_foreign(task);
        let severity = match () {
            () if foreign && !local => Severity::High,
            () if foreign => Severity::Medium,
            () if local || datagrams => Severity::Info,
            () => Severity::Low,
        };
        let first = sockets.first().map(|(_, socket)| talk::worded(socket)).unwrap_or_default();
        let title =
            format!("{} listens at {first}, which the container does not name", named(task));
        let mut finding = Finding::new(&LISTENER, severity, Confidence::Medium, title).of(pid);
        let member = subject.image(ImageKind::Files, None);
        for (fd, socket) in sockets.iter().take(MOST_TOLD) {
            let what = format!("descriptor {fd} is {}", talk::worded(socket));
            finding = finding.seen(Seen::new(what).member(member.clone()));
        }
        let names: Vec<String> = ports.iter().take(MOST_TOLD).map(u16::to_string).collect();
        let what = format!("the container names port {}", names.join(", "));
        finding = finding.seen(Seen::new(what));
        findings.push(with_program(subject, task, finding, foreign));
    }
}
