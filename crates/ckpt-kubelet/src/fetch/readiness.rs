//! Whether a pod that was created runs, may still run, or never will.

use k8s_openapi::api::core::v1::Pod;

/// How far a helper is.
pub(super) enum Look {
    Runs,
    NotYet(String),
    Never(String),
}

/// Reasons for which a container waits in vain.
const IN_VAIN: &[&str] = &[
    "ErrImagePull",
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
];

pub(super) fn look(pod: &Pod) -> Look {
    let status = pod.status.clone().unwrap_or_default();
    let phase = status.phase.unwrap_or_default();
    let why = |reason: Option<String>, message: Option<String>| {
        let parts = [reason, message].into_iter().flatten().filter(|part| !part.is_empty());
        parts.collect::<Vec<_>>().join(": ")
    };
    let container = status.container_statuses.unwrap_or_default().into_iter().next();
    let state = container.and_then(|container| container.state).unwrap_or_default();
    if phase == "Failed" || phase == "Succeeded" {
        let ended = state.terminated.map(|ended| why(ended.reason, ended.message));
        let told = ended.filter(|told| !told.is_empty());
        let told = told.unwrap_or_else(|| why(status.reason, status.message));
        return Look::Never(format!("the helper pod ended by itself: {told}"));
    }
    if state.running.is_some() {
        return Look::Runs;
    }
    if let Some(waiting) = state.waiting {
        let vain = waiting.reason.as_deref().is_some_and(|reason| IN_VAIN.contains(&reason));
        let told = why(waiting.reason, waiting.message);
        return if vain {
            Look::Never(format!("the helper pod does not start: {told}"))
        } else {
            Look::NotYet(told)
        };
    }
    Look::NotYet(if phase.is_empty() { "no state yet".to_owned() } else { phase })
}
