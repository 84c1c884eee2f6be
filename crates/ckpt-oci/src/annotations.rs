//! Annotations: whose checkpoint it is, in the words that engines look for.
//!
//! | engine | looks for | and then reads |
//! |---|---|---|
//! | containerd 2.1 to 2.3 | `org.criu.checkpoint.container.name` | `config.dump`, `spec.dump`, `status.dump` |
//! | CRI-O | `io.kubernetes.cri-o.annotations.checkpoint.name` | `config.dump`, `spec.dump` |
//! | podman | `io.podman.annotations.checkpoint.runtime.name`, which must be the runtime it uses | `config.dump`, `spec.dump` |
//!
//! Each of them restores only what it wrote itself, so that the last two families are given to checkpoints of that engine.
//!
//! source: containerd `internal/cri/server/container_checkpoint_linux.go`, cri-o `server/container_restore.go` and
//! `internal/annotations/checkpoint.go`, podman `cmd/podman/utils/utils.go` and `libpod/define/annotations.go`,
//! checkpointctl `lib/annotations.go` and `internal/oci_image_build.go`

use std::collections::BTreeMap;

use ckpt_model::{Checkpoint, Container, Engine};
use serde_json::{Map, Value};

/// Longest value of an annotation, in bytes. Registries refuse manifests of more than 4 MiB.
pub const MAX_VALUE: usize = 16 << 10;

/// Longest `config.dump` that is read.
const MAX_CONFIG: u64 = 64 << 20;

/// Most annotations that are kept of an image that the checkpoint comes from. Engines write about twenty.
const MAX_KEPT: usize = 128;

const CRIU: &str = "org.criu.checkpoint.";
const CRIO: &str = "io.kubernetes.cri-o.annotations.checkpoint.";
const PODMAN: &str = "io.podman.annotations.checkpoint.";

/// Namespaces of annotations that are kept when the checkpoint comes from an image.
const KEPT: [&str; 4] = [CRIU, CRIO, PODMAN, "io.containerd.checkpoint."];

/// The annotations of a checkpoint, and what is to be said about them. What is not known has no annotation.
///
/// Those of an image that the checkpoint comes from are kept where they are about checkpoints, and where the checkpoint's own
/// members do not know better.
#[must_use]
pub fn annotations(checkpoint: &Checkpoint) -> (BTreeMap<String, String>, Vec<String>) {
    let container = checkpoint.container();
    let mut all = Annotations::default();
    let mut ignored = 0_usize;
    for (key, value) in checkpoint.evidence().annotations() {
        let is_kept = KEPT.iter().any(|prefix| key.starts_with(prefix));
        if is_kept && all.map.len() < MAX_KEPT {
            all.put(key.clone(), Some(value));
        } else if is_kept || !key.starts_with("org.opencontainers.image.") {
            ignored = ignored.saturating_add(1);
        }
    }
    if ignored > 0 {
        all.notes.push(format!(
            "{ignored} annotation(s) of the evidence's own image were not kept: not about checkpoints, or more than {MAX_KEPT}"
        ));
    }
    let config = Config::read(checkpoint);
    all.criu(container, &config);
    match container.engine {
        Engine::CriO => all.crio(container, &config),
        Engine::Podman => all.podman(container, &config),
        _ => {}
    }
    (all.map, all.notes)
}

/// What `config.dump` says beyond what the model keeps.
#[derive(Default)]
struct Config {
    /// Image name as the user wrote it (`rootfsImage` of CRI-O and containerd).
    requested: Option<String>,
    /// The same as podman calls it (`RawImageName`).
    raw: Option<String>,
}

impl Config {
    fn read(checkpoint: &Checkpoint) -> Self {
        let folder = checkpoint.place().path.as_bytes();
        let path = if folder.is_empty() {
            b"config.dump".to_vec()
        } else {
            [folder, b"/config.dump"].concat()
        };
        let evidence = checkpoint.evidence();
        let bytes = evidence.get(&path).and_then(|member| {
            let content =
                evidence.content(member).ok().filter(|content| content.len() <= MAX_CONFIG)?;
            content.bytes().ok()
        });
        let config =
            bytes.and_then(|bytes| serde_json::from_slice::<Map<String, Value>>(&bytes).ok());
        let text = |key: &str| Some(config.as_ref()?.get(key)?.as_str()?.to_owned());
        Self { requested: text("rootfsImage"), raw: text("RawImageName") }
    }
}

#[derive(Default)]
struct Annotations {
    map: BTreeMap<String, String>,
    notes: Vec<String>,
}

impl Annotations {
    /// Sets an annotation, if there is something to say.
    fn put(&mut self, key: String, value: Option<impl AsRef<str>>) {
        let Some(value) = value else { return };
        let value = value.as_ref();
        if value.len() > MAX_VALUE || key.len() > MAX_VALUE {
            let key: String = key.chars().take(64).collect();
            let key = ckpt_model::escape(key.as_bytes()).into_owned();
            let note = format!("annotation {key}: {} bytes are too long for one", value.len());
            self.notes.push(note);
        } else if !value.is_empty() {
            self.map.insert(key, value.to_owned());
        }
    }

    fn family(&mut self, prefix: &str, pairs: &[(&str, Option<&str>)]) {
        for (key, value) in pairs {
            self.put(format!("{prefix}{key}"), *value);
        }
    }

    fn criu(&mut self, container: &Container, config: &Config) {
        let pod = container.pod.as_ref();
        let host = &container.host;
        self.family(
            CRIU,
            &[
                ("engine.name", engine(container.engine)),
                ("engine.version", container.engine_version.as_deref()),
                ("container.name", container.name.as_deref()),
                ("pod.name", pod.and_then(|pod| pod.name.as_deref())),
                ("pod.namespace", pod.and_then(|pod| pod.namespace.as_deref())),
                ("pod.uid", pod.and_then(|pod| pod.uid.as_deref())),
                ("pod.id", pod.and_then(|pod| pod.sandbox_id.as_deref())),
                ("rootfsImageName", container.image.as_deref()),
                ("rootfsImageUserRequested", config.requested.as_deref()),
                ("rawImageName", config.raw.as_deref()),
                ("rootfsImageID", container.image_id.as_deref()),
                ("runtime.name", container.runtime.as_deref()),
                ("runtime.version", container.runtime_version.as_deref()),
                ("criu.version", host.criu.as_deref()),
                ("host.arch", host.arch.as_deref()),
                ("host.kernel", host.kernel.as_deref()),
                ("distribution.name", host.distribution.as_deref()),
            ],
        );
    }

    fn crio(&mut self, container: &Container, config: &Config) {
        self.family(
            CRIO,
            &[
                ("name", container.name.as_deref()),
                ("rawImageName", config.requested.as_deref()),
                ("rootfsImageName", container.image.as_deref()),
                ("rootfsImageID", container.image_id.as_deref()),
                ("cri-o.version", container.engine_version.as_deref()),
                ("criu.version", container.host.criu.as_deref()),
            ],
        );
    }

    fn podman(&mut self, container: &Container, config: &Config) {
        // podman's own have more digits in the version of CRIU, and are kept when they are there.
        self.family(
            PODMAN,
            &[
                ("name", container.name.as_deref()),
                ("rawImageName", config.raw.as_deref()),
                ("rootfsImageName", container.image.as_deref()),
                ("rootfsImageID", container.image_id.as_deref()),
                ("runtime.name", container.runtime.as_deref()),
            ],
        );
    }
}

/// The engine's name as `checkpointctl build` writes it.
fn engine(engine: Engine) -> Option<&'static str> {
    match engine {
        Engine::Podman => Some("Podman"),
        Engine::CriO => Some("CRI-O"),
        Engine::Containerd => Some("containerd"),
        Engine::Docker => Some("docker"),
        _ => None,
    }
}
