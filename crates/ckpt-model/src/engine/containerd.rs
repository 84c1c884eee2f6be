//! containerd: the CRI plugin's `config.dump`, `status` and `status.dump`; `ctr`'s typed blobs.
//!
//! Source: `containerd/internal/cri/server/container_checkpoint_linux.go`, `containerd/core/images/mediatypes.go`.

use criu_image::wire::{WireValue, walk};
use serde_json::Map;

use super::{container_config, moment_nanos, text, text_map};
use crate::container::{Container, Event, Pod};
use crate::defect::Defects;
use crate::metadata::Metadata;
use crate::spec::object;

pub(super) fn describe(metadata: &Metadata<'_>, container: &mut Container, defects: &Defects) {
    if let Some((place, json)) = metadata.find(&["config.dump"])
        && let Some(config) = object(&place, &json, defects)
    {
        container_config(&config, &place, container, defects);
    }
    if let Some((place, json)) = metadata.find(&["status"])
        && let Some(status) = object(&place, &json, defects)
    {
        moment_nanos(&status, "CreatedAt", Event::Created, &place, container);
        moment_nanos(&status, "StartedAt", Event::Started, &place, container);
    }
    let mut status = Map::new();
    if let Some((place, json)) = metadata.find(&["status.dump"])
        && let Some(found) = object(&place, &json, defects)
    {
        moment_nanos(&found, "created_at", Event::Created, &place, container);
        moment_nanos(&found, "started_at", Event::Started, &place, container);
        status = found;
    }
    container.labels = text_map(&status, "labels");
    container.annotations.extend(text_map(&status, "annotations"));
    let annotation = |key: &str| container.annotations.get(key).filter(|v| !v.is_empty()).cloned();
    let label = |key: &str| container.labels.get(key).filter(|v| !v.is_empty()).cloned();
    let name = annotation("io.kubernetes.cri.container-name")
        .or_else(|| label("io.kubernetes.container.name"))
        .or_else(|| container.engine_name.clone());
    let image = annotation("io.kubernetes.cri.image-name");
    let pod = Pod {
        name: annotation("io.kubernetes.cri.sandbox-name")
            .or_else(|| label("io.kubernetes.pod.name")),
        namespace: annotation("io.kubernetes.cri.sandbox-namespace")
            .or_else(|| label("io.kubernetes.pod.namespace")),
        uid: annotation("io.kubernetes.cri.sandbox-uid").or_else(|| label("io.kubernetes.pod.uid")),
        sandbox_id: annotation("io.kubernetes.cri.sandbox-id"),
    };
    container.name = name;
    container.pod = pod.known();
    container.image = container.image.take().or(image);
    container.id = container.id.take().or_else(|| text(&status, "id"));
    container.image_id = container.image_id.take().or_else(|| text(&status, "image_ref"));
    // `ctr` names the container in its cgroup path only: `/<namespace>/<id>`.
    if container.id.is_none() && metadata.has("spec.any") {
        let path = container.cgroups_path.as_deref();
        container.id = path.and_then(|path| path.rsplit('/').next()).map(str::to_owned);
    }
    if let Some(runtime) = metadata.find(&["runtime.name"]).and_then(|(_, name)| name_of(&name)) {
        container.runtime.get_or_insert(runtime);
    }
    if let Some(hostname) = host_name(container) {
        container.hostname.get_or_insert(hostname);
    }
}

fn name_of(bytes: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(bytes).ok()?.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

/// The CRI plugin leaves the spec's host name to the sandbox and tells it in the environment.
fn host_name(container: &Container) -> Option<String> {
    let value = container.env.iter().rev().find_map(|entry| entry.strip_prefix("HOSTNAME="))?;
    (!value.is_empty()).then(|| value.to_owned())
}

/// The value of a protobuf `Any` (`ctr` stores the spec as one), or the bytes as they are when they are JSON already.
///
/// Source: `google/protobuf/any.proto`: 1 type_url, 2 value.
pub(super) fn unwrap_any(bytes: &[u8]) -> &[u8] {
    if bytes.trim_ascii_start().starts_with(b"{") {
        return bytes;
    }
    let value =
        walk(bytes).map_while(Result::ok).find_map(|field| match (field.number, field.value) {
            (2, WireValue::Bytes(value)) => Some(value),
            _ => None,
        });
    value.unwrap_or(bytes)
}
