//! Checkpoints of a pod: `pod.options` says which archive or folder is which container's.
//!
//! Source: `checkpointctl/lib/metadata.go`, `CheckpointedPodOptions`.

use std::collections::BTreeMap;

use ckpt_archive::Evidence;
use serde::Deserialize;

use crate::locate::split;

/// Largest `pod.options` that is read, bytes: a pod has few containers.
const MAX_OPTIONS: u64 = 1 << 20;

/// The containers of a pod by their names in it.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct PodOptions {
    #[serde(default)]
    containers: BTreeMap<String, String>,
}

impl PodOptions {
    /// What the evidence says; nothing when it is no pod's, or what it says cannot be read.
    pub(crate) fn of(evidence: &Evidence) -> Self {
        let member = evidence.get(b"pod.options").filter(|member| member.size <= MAX_OPTIONS);
        let bytes = member.and_then(|member| evidence.content(member).ok()?.bytes().ok());
        bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    /// The name of the container whose archive or folder lies at a path of the evidence.
    pub(crate) fn name_of(&self, path: &[u8]) -> Option<&str> {
        let last = split(path).1;
        let mut all = self.containers.iter().filter(|(_, file)| {
            // The kubelet and checkpointctl write the whole path on the node.
            let file = file.as_bytes().strip_suffix(b"/").unwrap_or(file.as_bytes());
            split(file).1 == last || file == last
        });
        all.next().map(|(name, _)| name.as_str())
    }
}
