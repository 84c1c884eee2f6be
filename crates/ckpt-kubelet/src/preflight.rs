//! What would stop a checkpoint, found out without making one.

use crate::cluster::{Access, Cluster};
use crate::error::Error;
use crate::name::Namespace;
use crate::rbac;
use crate::workload::{Node, Pod};

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It will work.
    Yes,
    /// It will not.
    No,
    /// Nobody says.
    Unknown,
}

impl Verdict {
    /// `yes`, `no` or `unknown`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Unknown => "unknown",
        }
    }
}

impl From<bool> for Verdict {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

/// One question and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Check {
    /// What was asked.
    pub what: String,
    /// The answer.
    pub verdict: Verdict,
    /// What there is to say about it; may be empty.
    pub note: String,
}

impl Check {
    /// A check that was made.
    #[must_use]
    pub fn new(what: impl Into<String>, verdict: Verdict, note: impl Into<String>) -> Self {
        Self { what: what.into(), verdict, note: note.into() }
    }
}

/// What is to be done, as far as access goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Plan {
    /// Whether the API server passes the request on.
    pub proxied: bool,
    /// The namespace of the helper pod, where an archive is fetched through one.
    pub helper: Option<Namespace>,
}

impl Plan {
    /// A plan.
    #[must_use]
    pub fn new(proxied: bool, helper: Option<Namespace>) -> Self {
        Self { proxied, helper }
    }

    /// What the caller must be allowed to do, in the order in which it is needed.
    #[must_use]
    pub fn needs(&self, namespace: &Namespace) -> Vec<Access> {
        let mut needs = vec![Access::within(namespace, "get", "pods", "")];
        needs.push(if self.proxied {
            Access::cluster("create", "nodes", "proxy")
        } else {
            Access::cluster("create", "nodes", "checkpoint")
        });
        if let Some(helper) = &self.helper {
            for (verb, subresource) in
                [("create", ""), ("get", ""), ("delete", ""), ("create", "exec"), ("get", "exec")]
            {
                needs.push(Access::within(helper, verb, "pods", subresource));
            }
        }
        needs
    }
}

/// The outcome: checks, and what to apply where access is missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Preflight {
    /// The checks, in order.
    pub checks: Vec<Check>,
    /// Manifests that grant what is missing; empty if nothing is.
    pub manifests: String,
}

impl Preflight {
    /// Whether nothing stands against it, as far as anybody says.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.checks.iter().all(|check| check.verdict != Verdict::No)
    }

    /// Asks the API server what may be done, and looks at pod and node.
    ///
    /// # Errors
    ///
    /// None: what cannot be found out is [`Verdict::Unknown`].
    pub async fn of(
        cluster: &Cluster,
        namespace: &Namespace,
        pod: Option<&Pod>,
        node: Option<&Node>,
        plan: &Plan,
    ) -> Self {
        let mut outcome = Self::default();
        let mut missing = Vec::new();
        for access in plan.needs(namespace) {
            let what = format!("may I {access}?");
            match cluster.may_i(&access).await {
                Ok(true) => outcome.tell(what, Verdict::Yes, ""),
                Ok(false) => {
                    outcome.tell(what, Verdict::No, "");
                    missing.push(access);
                }
                Err(error) => outcome.tell(what, Verdict::Unknown, first_line(&error)),
            }
        }
        // The kubelet takes whoever asks through a proxy for the API server.
        let kubelets = Access::cluster("create", "nodes", "checkpoint");
        let mut missing_there = false;
        if plan.proxied {
            missing_there = !outcome.apiserver(cluster, &kubelets).await;
        }
        if let Some(pod) = pod {
            outcome.pod(pod);
        }
        if let Some(node) = node {
            let (verdict, note) = runtime(&node.runtime);
            outcome.tell(
                format!("does the runtime ({}) make checkpoints?", or_unknown(&node.runtime)),
                verdict,
                note,
            );
            let (verdict, note) = gate(&node.version);
            outcome.tell(
                format!(
                    "is ContainerCheckpoint on by default in this kubelet ({})?",
                    or_unknown(&node.version)
                ),
                verdict,
                note,
            );
        }
        if !missing.is_empty() {
            let user = cluster.who_am_i().await.unwrap_or_else(|_| "USER".to_owned());
            outcome.manifests = rbac::manifest("ckpt-inspect-trigger", &user, &missing);
        }
        if missing_there {
            if !outcome.manifests.is_empty() {
                outcome.manifests.push_str("---\n");
            }
            let theirs =
                rbac::manifest("ckpt-inspect-apiserver", rbac::APISERVER_USER, &[kubelets]);
            outcome.manifests.push_str(&theirs);
        }
        outcome
    }

    /// Adds a check.
    pub fn tell(&mut self, what: impl Into<String>, verdict: Verdict, note: impl Into<String>) {
        self.checks.push(Check::new(what, verdict, note));
    }

    /// Whether the API server's own identity may, as far as can be said: `true` unless it is known that it may not.
    async fn apiserver(&mut self, cluster: &Cluster, access: &Access) -> bool {
        let user = rbac::APISERVER_USER;
        let what = format!("may the API server ({user}) {access}?");
        match cluster.may(user, access).await {
            Ok(true) => {
                self.tell(what, Verdict::Yes, "");
                true
            }
            // Its groups are in its certificate, which nobody can ask for: with system:masters it may anything.
            Ok(false) => {
                self.tell(
                    what,
                    Verdict::Unknown,
                    "not by this name alone: only if its certificate has a group that may, such as system:masters, or \
                     another name",
                );
                false
            }
            Err(error) => {
                self.tell(what, Verdict::Unknown, first_line(&error));
                true
            }
        }
    }

    fn pod(&mut self, pod: &Pod) {
        let what = format!("is pod {}/{} running?", pod.namespace, pod.name);
        self.tell(what, (pod.phase == "Running").into(), pod.phase.clone());
        for container in &pod.containers {
            let what = format!("is container {} running?", container.name);
            match &container.stopped {
                None => self.tell(what, Verdict::Yes, ""),
                // An init container that has done its work is nothing to worry about.
                Some(state) => self.tell(what, Verdict::Unknown, format!("no: {state}")),
            }
        }
    }
}

fn or_unknown(text: &str) -> &str {
    if text.is_empty() { "unknown" } else { text }
}

fn first_line(error: &Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// Major and minor version at the beginning of a text such as `v1.33.1`.
fn version(text: &str) -> Option<(u32, u32)> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let mut parts = text.split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Whether a runtime, as a node's status names it, makes checkpoints.
fn runtime(text: &str) -> (Verdict, &'static str) {
    let Some((name, rest)) = text.split_once("://") else { return (Verdict::Unknown, "") };
    match (name, version(rest)) {
        ("cri-o", Some(at)) if at >= (1, 30) => (Verdict::Yes, "if criu is installed on the node"),
        ("cri-o", Some(at)) if at >= (1, 25) => (
            Verdict::Unknown,
            "only with enable_criu_support = true under [crio.runtime] and criu on the node",
        ),
        ("containerd", Some(at)) if at >= (2, 0) => {
            (Verdict::Yes, "if criu is installed on the node")
        }
        ("cri-o", Some(_)) => (Verdict::No, "CRI-O makes checkpoints since 1.25"),
        ("containerd", Some(_)) => (Verdict::No, "containerd makes checkpoints since 2.0"),
        ("docker", _) => (Verdict::No, "cri-dockerd makes none"),
        _ => (Verdict::Unknown, ""),
    }
}

/// Whether the kubelet's feature gate is on, if nobody configured it.
fn gate(text: &str) -> (Verdict, &'static str) {
    match version(text) {
        Some(at) if at >= (1, 30) => (Verdict::Yes, "unless it was switched off"),
        Some(at) if at >= (1, 25) => (
            Verdict::Unknown,
            "off unless it was switched on: featureGates: {ContainerCheckpoint: true}",
        ),
        Some(_) => (Verdict::No, "the endpoint came with Kubernetes 1.25"),
        None => (Verdict::Unknown, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runtimes_and_gates_by_version() {
        for (text, verdict) in [
            ("cri-o://1.33.1", Verdict::Yes),
            ("cri-o://1.29.0", Verdict::Unknown),
            ("cri-o://1.24.6", Verdict::No),
            ("containerd://2.1.4-k3s1", Verdict::Yes),
            ("containerd://1.7.27", Verdict::No),
            ("docker://28.1.0", Verdict::No),
            ("kata://3", Verdict::Unknown),
            ("", Verdict::Unknown),
        ] {
            assert_eq!(runtime(text).0, verdict, "{text}");
        }
        for (text, verdict) in [
            ("v1.33.1+k3s1", Verdict::Yes),
            ("v1.30.0", Verdict::Yes),
            ("v1.29.9", Verdict::Unknown),
            ("v1.24.0", Verdict::No),
            ("x", Verdict::Unknown),
        ] {
            assert_eq!(gate(text).0, verdict, "{text}");
        }
    }
}
