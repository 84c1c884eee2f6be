//! What the container may do: privileged, capabilities, all devices.

use ckpt_model::{Confinement, ConfinementWords, escape};

use crate::triage::finding::{Confidence, Finding, Rule, Seen, Severity};
use crate::triage::subject::Subject;

const PRIVILEGED_CONTAINER: Rule = Rule {
    id: "privileged-container",
    title: "The container is privileged",
    why: "It has every capability, every device and no filter: who is root in it is root on the host.",
    wrong: "Network plugins, storage drivers, monitoring and docker-in-docker are started so on purpose.",
    check: "ckpt-inspect info EVIDENCE",
    attack: &["T1611", "T1610"],
};

const DANGEROUS_CAPABILITY: Rule = Rule {
    id: "dangerous-capability",
    title: "The container has capabilities that lead out of it",
    why: "With `CAP_SYS_ADMIN`, `CAP_SYS_PTRACE`, `CAP_SYS_MODULE`, `CAP_DAC_READ_SEARCH`, `CAP_SYS_RAWIO` or `CAP_BPF` there are known ways to the host.",
    wrong: "Given on purpose: VPNs have `CAP_NET_ADMIN`, debuggers `CAP_SYS_PTRACE`, FUSE `CAP_SYS_ADMIN`.",
    check: "ckpt-inspect tree --creds EVIDENCE",
    attack: &["T1611"],
};

pub(in crate::triage) const RULES: &[&Rule] = &[&PRIVILEGED_CONTAINER, &DANGEROUS_CAPABILITY];

/// Capabilities that some engine gives to every container. Source: `moby/daemon/pkg/oci/caps/defaults.go`,
/// `containers-common/pkg/config/default.go`.
const USUAL: [&str; 14] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
];

/// Capabilities with which there are known ways to the host.
const WAYS_OUT: [&str; 11] = [
    "CAP_SYS_ADMIN",
    "CAP_SYS_PTRACE",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_BOOT",
    "CAP_DAC_READ_SEARCH",
    "CAP_BPF",
    "CAP_MAC_ADMIN",
    "CAP_MAC_OVERRIDE",
    "CAP_CHECKPOINT_RESTORE",
    "CAP_PERFMON",
];

/// Capabilities that weigh less: the container's own network, the log of the kernel, the clock of the host.
const NOTABLE: [&str; 5] =
    ["CAP_NET_ADMIN", "CAP_SYSLOG", "CAP_SYS_TIME", "CAP_LINUX_IMMUTABLE", "CAP_AUDIT_CONTROL"];

/// So many of them are all: Linux 5.9 has 41, and no engine gives more than these 14 unasked.
const ALL: usize = 36;

pub(in crate::triage) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let container = subject.checkpoint.container();
    let Some(confinement) = &container.confinement else {
        if container.privileged == Some(true) {
            let title = "the engine calls the container privileged";
            let seen = Seen::new("the engine's description says `privileged`");
            findings.push(privileged(title).seen(seen));
        }
        return;
    };
    let all = confinement.bounding.as_ref().is_some_and(|all| all.len() >= ALL);
    let said = container.privileged == Some(true);
    if said || all || confinement.all_devices {
        let title = match (said || (all && confinement.all_devices), all) {
            (true, _) => "the container is privileged",
            (false, true) => "the container has all capabilities",
            (false, false) => "the container may use all devices of the host",
        };
        let mut finding = privileged(title);
        if said {
            let seen = Seen::new("the engine calls the container privileged");
            finding = finding.seen(seen);
        }
        if let Some(bounding) = confinement.bounding.as_ref().filter(|_| all) {
            let key = match confinement.words {
                ConfinementWords::HostConfig => "CapAdd or Privileged",
                _ => "process.capabilities",
            };
            let what = format!("{key}: {} in the bounding set", bounding.len());
            finding = finding.seen(told(confinement, what));
        }
        if confinement.all_devices {
            let key = match confinement.words {
                ConfinementWords::HostConfig if said => "Privileged",
                ConfinementWords::HostConfig => "DeviceCgroupRules",
                _ => "linux.resources.devices",
            };
            let what = format!("{key}: every device may be read and written");
            finding = finding.seen(told(confinement, what));
        }
        findings.push(finding);
    }
    if !all {
        findings.extend(capabilities(confinement));
    }
}

fn privileged(title: &str) -> Finding {
    Finding::new(&PRIVILEGED_CONTAINER, Severity::High, Confidence::High, title)
}

fn told(confinement: &Confinement, what: String) -> Seen {
    Seen::new(what).member(confinement.source.clone())
}

/// Capabilities beyond those that engines give unasked.
fn capabilities(confinement: &Confinement) -> Option<Finding> {
    let more = confinement.bounding.iter().flatten().map(String::as_str);
    let more: Vec<&str> = more.filter(|name| !USUAL.contains(name)).collect();
    let any = |known: &[&str]| more.iter().any(|name| known.contains(name));
    // Given on purpose, and a way out for whoever gets in.
    let severity = if any(&WAYS_OUT) || any(&NOTABLE) { Severity::Medium } else { Severity::Low };
    if more.is_empty() {
        return None;
    }
    let list = escape(more.join(", ").as_bytes()).into_owned();
    let ways = if any(&WAYS_OUT) { ", with known ways to the host" } else { "" };
    let title = format!("capabilities beyond the usual ones: {list}{ways}");
    let finding = Finding::new(&DANGEROUS_CAPABILITY, severity, Confidence::High, title);
    let key = match confinement.words {
        ConfinementWords::HostConfig => "CapAdd",
        _ => "process.capabilities.bounding",
    };
    let what = format!("{key} has {list}");
    Some(finding.seen(told(confinement, what)))
}
