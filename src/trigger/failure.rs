//! Errors with what to do about them.

use std::fmt::Write as _;

use ckpt_kubelet::{
    Access, Cluster, Error, Namespace, Plan, Preflight, Reason, Server, Target, Verdict, manifest,
};

use super::targets::Place;

/// An error for people: cause, remedy, and what may be on the node.
pub(super) fn told(error: &Error, target: Option<&Target>) -> String {
    let mut text = format!("{error}\n  what to do: {}", indented(&error.remedy()));
    if let Some(left) = target.and_then(|target| error.leftover(target)) {
        let _ = write!(text, "\n  note: {left}");
    }
    text
}

fn indented(text: &str) -> String {
    text.replace('\n', "\n    ")
}

/// What the API server knows that explains an error, and the manifest that grants what is missing; empty where there is
/// nothing to explain. Nothing is asked of the kubelet.
pub(super) async fn explained(
    error: &Error,
    namespace: Option<&Namespace>,
    place: &Place,
    cluster: Option<&Cluster>,
    plan: &Plan,
) -> String {
    let worth = match error {
        Error::Forbidden(_)
        | Error::Unauthorized(_)
        | Error::GateOff(_)
        | Error::NotFound { .. } => true,
        Error::Runtime(error) => {
            matches!(error.reason, Reason::Unimplemented | Reason::Disabled | Reason::NotRunning)
        }
        _ => false,
    };
    if !worth {
        return String::new();
    }
    if let (Some(cluster), Some(namespace)) = (cluster, namespace) {
        let outcome =
            Preflight::of(cluster, namespace, place.pod.as_ref(), place.facts.as_ref(), plan).await;
        let doubts = outcome.checks.iter().filter(|check| check.verdict != Verdict::Yes);
        let mut text = String::new();
        for check in doubts {
            let _ = writeln!(text, "  {:<8}{} {}", check.verdict.word(), check.what, check.note);
        }
        if !text.is_empty() {
            text.insert_str(0, "what the API server says:\n");
        }
        return text + &to_apply(&outcome.manifests);
    }
    match error {
        // Without an API server to ask, what the kubelet said is enough.
        Error::Forbidden(denied)
            if matches!(denied.server, Server::Kubelet(_))
                && denied.resource == "nodes/checkpoint"
                && denied.user != "system:anonymous" =>
        {
            let access = Access::cluster("create", "nodes", "checkpoint");
            to_apply(&manifest("ckpt-inspect-trigger", &denied.user, &[access]))
        }
        _ => String::new(),
    }
}

/// A manifest under the words that say what it is for.
pub(super) fn to_apply(manifests: &str) -> String {
    if manifests.is_empty() {
        return String::new();
    }
    format!("what is missing is granted by this (kubectl apply -f -):\n{manifests}")
}
