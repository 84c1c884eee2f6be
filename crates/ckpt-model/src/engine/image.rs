//! Checkpoint images: annotations of the manifest, in the three families that engines write.
//!
//! Source: `podman/pkg/annotations`, `cri-o/internal/annotations/checkpoint.go`, `checkpointctl/lib/annotations.go`.

use std::collections::BTreeMap;

use crate::container::{Container, Engine, Event, Moment, Pod};

const PODMAN: &str = "io.podman.annotations.checkpoint.";
const CRIO: &str = "io.kubernetes.cri-o.annotations.checkpoint.";
const CRIU: &str = "org.criu.checkpoint.";

/// The engine that the annotations name.
pub(super) fn engine(annotations: &BTreeMap<String, String>) -> Option<Engine> {
    let any = |prefix: &str| annotations.keys().any(|key| key.starts_with(prefix));
    let name =
        annotations.get("org.criu.checkpoint.engine.name").map(|name| name.to_ascii_lowercase());
    // checkpointctl writes `Podman`, `CRI-O` and `containerd`.
    match name.as_deref() {
        Some("podman" | "libpod") => Some(Engine::Podman),
        Some("cri-o") => Some(Engine::CriO),
        Some("containerd") => Some(Engine::Containerd),
        Some("docker") => Some(Engine::Docker),
        _ if any(PODMAN) => Some(Engine::Podman),
        _ if any(CRIO) => Some(Engine::CriO),
        _ => None,
    }
}

/// Takes over what the annotations tell and the archive's own members did not.
pub(super) fn describe(annotations: &BTreeMap<String, String>, container: &mut Container) {
    let first = |keys: &[&str]| {
        let found = [PODMAN, CRIO, CRIU].iter().flat_map(|prefix| {
            keys.iter().filter_map(move |key| annotations.get(&format!("{prefix}{key}")))
        });
        found.into_iter().find(|value| !value.is_empty()).cloned()
    };
    fn keep<T>(slot: &mut Option<T>, value: Option<T>) {
        if slot.is_none() {
            *slot = value;
        }
    }
    keep(&mut container.name, first(&["container.name", "name"]));
    keep(
        &mut container.image,
        first(&["rootfsImageName", "rawImageName", "rootfsImageUserRequested"]),
    );
    keep(&mut container.image_id, first(&["rootfsImageID", "rootfsImageSha"]));
    keep(&mut container.runtime, first(&["runtime.name"]));
    keep(&mut container.runtime_version, first(&["runtime.version"]));
    keep(
        &mut container.engine_version,
        first(&["podman.version", "cri-o.version", "engine.version"]),
    );
    keep(&mut container.host.criu, first(&["criu.version"]).map(criu_version));
    keep(&mut container.host.kernel, first(&["host.kernel"]));
    keep(&mut container.host.arch, first(&["host.arch"]));
    keep(&mut container.host.distribution, first(&["distribution.name"]));
    let pod = Pod {
        name: first(&["pod.name"]),
        namespace: first(&["pod.namespace"]),
        uid: first(&["pod.uid"]),
        sandbox_id: first(&["pod.id"]),
    };
    keep(&mut container.pod, pod.known());
    let created = annotations.get("org.opencontainers.image.created");
    if let Some(time) = created.and_then(|time| time.parse().ok()) {
        let source = "image annotation org.opencontainers.image.created".to_owned();
        container.times.push(Moment { event: Event::ImageCreated, time, source });
    }
    container.annotations.extend(annotations.iter().map(|(k, v)| (k.clone(), v.clone())));
}

/// podman writes `40201` for 4.2.1.
fn criu_version(version: String) -> String {
    match version.parse::<u32>() {
        Ok(number) if number >= 10_000 => {
            format!("{}.{}.{}", number / 10_000, number / 100 % 100, number % 100)
        }
        _ => version,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_as_their_tools_spell_them() {
        let named = |name: &str| {
            let key = "org.criu.checkpoint.engine.name".to_owned();
            engine(&BTreeMap::from([(key, name.to_owned())]))
        };
        for name in ["Podman", "podman", "libpod"] {
            assert_eq!(named(name), Some(Engine::Podman));
        }
        assert_eq!(
            (named("CRI-O"), named("containerd")),
            (Some(Engine::CriO), Some(Engine::Containerd))
        );
        assert_eq!(named("other"), None);
    }
}
