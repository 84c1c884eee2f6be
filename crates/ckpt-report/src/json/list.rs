//! `list`: the checkpoints in a directory.

use std::borrow::Cow;

use ckpt_model::{Event, Listed};
use serde::Serialize;

use super::shared::{base64, lossless};
use crate::failure;

/// `ckpt-inspect/list/1`.
#[derive(Clone, Debug, Serialize)]
pub struct ListDocument<'a> {
    /// Name and version of this form.
    pub schema: &'static str,
    /// The directory, as the user named it.
    pub directory: &'a str,
    /// Its entries, by name.
    pub checkpoints: Vec<ListedRecord<'a>>,
}

/// The checkpoints of a directory, with facts that cost little.
#[must_use]
pub fn list<'a>(listed: &'a [Listed], directory: &'a str) -> ListDocument<'a> {
    ListDocument {
        schema: "ckpt-inspect/list/1",
        directory,
        checkpoints: listed.iter().map(ListedRecord::of).collect(),
    }
}

/// An entry: a checkpoint, or why it is none.
#[derive(Clone, Debug, Serialize)]
pub struct ListedRecord<'a> {
    /// Its path.
    pub path: Cow<'a, str>,
    /// Bytes of `path`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_base64: Option<String>,
    /// Form of the evidence.
    pub kind: Option<String>,
    /// The container's name.
    pub container: Option<&'a str>,
    /// The container's id.
    pub id: Option<&'a str>,
    /// Name of its pod.
    pub pod: Option<&'a str>,
    /// Namespace of its pod.
    pub namespace: Option<&'a str>,
    /// Image name.
    pub image: Option<&'a str>,
    /// `podman`, `cri-o`, `containerd`, `docker` or `criu`.
    pub engine: Option<&'static str>,
    /// When it was checkpointed, RFC 3339.
    pub checkpointed_at: Option<String>,
    /// Bytes of the evidence.
    pub size: Option<u64>,
    /// How many defects were met on the way.
    pub defects: Option<usize>,
    /// Why it is no checkpoint.
    pub error: Option<String>,
}

impl<'a> ListedRecord<'a> {
    fn of(listed: &'a Listed) -> Self {
        let path = listed.path.as_os_str().as_encoded_bytes();
        let mut record = Self {
            path: lossless(path),
            path_base64: base64(path),
            kind: None,
            container: None,
            id: None,
            pod: None,
            namespace: None,
            image: None,
            engine: None,
            checkpointed_at: None,
            size: None,
            defects: None,
            error: None,
        };
        match &listed.checkpoint {
            Err(error) => record.error = Some(failure::sentence(error)),
            Ok(checkpoint) => {
                let container = checkpoint.container();
                let pod = container.pod.as_ref();
                record.kind = Some(checkpoint.evidence().kind());
                record.container = container.name.as_deref();
                record.id = container.id.as_deref();
                record.pod = pod.and_then(|pod| pod.name.as_deref());
                record.namespace = pod.and_then(|pod| pod.namespace.as_deref());
                record.image = container.image.as_deref();
                record.engine = Some(container.engine.word());
                record.checkpointed_at =
                    container.time(Event::Checkpointed).map(|moment| moment.time.to_string());
                record.size = Some(checkpoint.evidence().size());
                record.defects = Some(checkpoint.defects().len());
            }
        }
        record
    }
}
