//! Namespaces that the container does not have to itself.

use ckpt_model::{Confinement, ConfinementWords, escape};

use crate::triage::finding::{Confidence, Finding, Rule, Seen, Severity};
use crate::triage::subject::Subject;

const HOST_NAMESPACE: Rule = Rule {
    id: "host-namespace",
    title: "A namespace of the host is shared",
    why: "With the host's pid namespace its processes are seen and can be signalled and traced; with its network namespace its interfaces and local services are at hand.",
    wrong: "Ingress controllers, network plugins and monitoring use the host's network or pids on purpose.",
    check: "ckpt-inspect tree --ns EVIDENCE",
    attack: &["T1611"],
};

pub(in crate::triage) const RULES: &[&Rule] = &[&HOST_NAMESPACE];

/// Namespaces that every engine makes or joins unless told otherwise, and how much the host's weighs. Cgroup and user
/// namespaces are not among them: many engines leave them out.
const EXPECTED: [(&str, Severity, &str); 5] = [
    ("pid", Severity::High, "processes"),
    ("net", Severity::Medium, "network"),
    ("mnt", Severity::High, "mounts"),
    ("ipc", Severity::Medium, "shared memory and message queues"),
    ("uts", Severity::Low, "host name"),
];

pub(in crate::triage) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let Some(confinement) = &subject.checkpoint.container().confinement else { return };
    // A spec without any is one that somebody cut.
    if confinement.namespaces.is_empty() {
        return;
    }
    let mut seen = Vec::new();
    let mut worst = Severity::Info;
    let mut names = Vec::new();
    for (kind, severity, what) in EXPECTED {
        let Some(how) = of_host(confinement, kind) else { continue };
        worst = worst.max(severity);
        names.push(kind);
        let line = match confinement.words {
            ConfinementWords::HostConfig => {
                format!(
                    "the mode of the {kind} namespace is `host`; its {what} are those of the host"
                )
            }
            _ => format!("linux.namespaces: {how}; its {what} are those of the host"),
        };
        seen.push(Seen::new(line).member(confinement.source.clone()));
    }
    if names.is_empty() {
        return;
    }
    let title = format!("namespaces of the host: {}", names.join(", "));
    let mut finding = Finding::new(&HOST_NAMESPACE, worst, Confidence::High, title);
    finding.evidence = seen;
    findings.push(finding);
}

/// How a namespace is the host's: left out, or that of the host's first process. Joining another path is what the
/// containers of a pod do.
fn of_host(confinement: &Confinement, kind: &str) -> Option<String> {
    match confinement.namespaces.iter().find(|namespace| namespace.kind == kind) {
        None => Some(format!("no {kind} namespace")),
        Some(namespace) => {
            let path = namespace.path.as_deref()?;
            let host = path.starts_with("/proc/1/ns/");
            host.then(|| format!("the {kind} namespace {}", escape(path.as_bytes())))
        }
    }
}
