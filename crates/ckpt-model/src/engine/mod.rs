//! Engine dialects: who made the checkpoint, and where each of them keeps what.

mod bare;
mod containerd;
mod crio;
mod docker;
mod hostconfig;
mod image;
mod podman;
mod ports;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::container::{Container, Engine, Event, Moment};
use crate::defect::Defects;
use crate::metadata::Metadata;
use crate::spec;

/// Describes the container from the members that its engine wrote.
pub(crate) fn describe(metadata: &Metadata<'_>, defects: &Defects) -> Container {
    let mut container = Container::default();
    let spec = metadata.find(&["spec.dump", "spec.any"]).and_then(|(place, json)| {
        let spec = spec::parse(&place, containerd::unwrap_any(&json), defects)?;
        Some((place, spec))
    });
    let annotations = spec.as_ref().map(|(_, spec)| spec::annotations(spec)).unwrap_or_default();
    container.engine = detect(metadata, &annotations);
    if let Some((place, spec)) = &spec {
        spec::describe(place, spec, &mut container);
    }
    match container.engine {
        Engine::Podman => podman::describe(metadata, &mut container, defects),
        Engine::CriO => crio::describe(metadata, &mut container, defects),
        Engine::Containerd => containerd::describe(metadata, &mut container, defects),
        Engine::Docker => docker::describe(metadata, &mut container, defects),
        Engine::Criu => bare::describe(metadata, &mut container, defects),
    }
    kubernetes_times(&mut container, defects);
    image::describe(metadata.image_annotations(), &mut container);
    ports::of_annotations(&mut container);
    container.ports.sort_unstable();
    container.ports.dedup();
    container
}

/// Clocks of Kubernetes: annotations of the pod, which CRI-O hands on to its containers.
// source: kubernetes/pkg/kubelet/types/constants.go; kubectl/pkg/polymorphichelpers/objectrestarter.go
fn kubernetes_times(container: &mut Container, defects: &Defects) {
    for (key, event) in [
        ("kubernetes.io/config.seen", Event::ConfigSeen),
        ("kubectl.kubernetes.io/restartedAt", Event::Rollout),
    ] {
        if let Some(time) = container.annotations.get(key).cloned() {
            let object = Map::from_iter([(key.to_owned(), Value::String(time))]);
            moment(&object, key, event, "spec.dump: annotations", container, defects);
        }
    }
}

/// Who made it: the manager's annotation first, then members that only one engine writes.
fn detect(metadata: &Metadata<'_>, spec: &BTreeMap<&str, &str>) -> Engine {
    match spec.get("io.container.manager").copied() {
        Some("libpod") => return Engine::Podman,
        Some("cri-o") => return Engine::CriO,
        _ => {}
    }
    let has = |name: &str| metadata.has(name);
    if has("spec.any")
        || has("status.dump")
        || spec.keys().any(|key| key.starts_with("io.kubernetes.cri."))
    {
        Engine::Containerd
    } else if has("config.v2.json") {
        Engine::Docker
    } else if let Some(engine) = image::engine(metadata.image_annotations()) {
        engine
    } else if has("network.status") {
        Engine::Podman
    } else if has("bind.mounts") {
        Engine::CriO
    } else if has("config.dump") && has("spec.dump") {
        Engine::Containerd
    } else {
        Engine::Criu
    }
}

/// The part of `config.dump` that CRI-O and containerd share: checkpointctl's `ContainerConfig`.
///
/// Source: `checkpointctl/lib/metadata.go`.
fn container_config(
    config: &Map<String, Value>,
    place: &str,
    container: &mut Container,
    defects: &Defects,
) {
    container.id = text(config, "id");
    container.engine_name = text(config, "name");
    container.image = text(config, "rootfsImageName").or_else(|| text(config, "rootfsImage"));
    container.image_id = text(config, "rootfsImageRef");
    container.runtime = text(config, "runtime");
    for (key, event) in [
        ("createdTime", Event::Created),
        ("checkpointedTime", Event::Checkpointed),
        ("restoredTime", Event::Restored),
    ] {
        moment(config, key, event, place, container, defects);
    }
}

/// A text value that says something.
fn text(object: &Map<String, Value>, key: &str) -> Option<String> {
    object.get(key)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The texts of a list, or none.
fn texts(object: &Map<String, Value>, key: &str) -> Vec<String> {
    let list = object.get(key).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Text values by key.
fn text_map(object: &Map<String, Value>, key: &str) -> BTreeMap<String, String> {
    let map = object.get(key).and_then(Value::as_object);
    let pairs = map.into_iter().flatten();
    pairs.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// Takes over an RFC 3339 time; Go's zero time means "never".
fn moment(
    object: &Map<String, Value>,
    key: &str,
    event: Event,
    place: &str,
    container: &mut Container,
    defects: &Defects,
) {
    let Some(value) = text(object, key) else { return };
    if value.starts_with("0001-01-01T00:00:00") {
        return;
    }
    let source = format!("{place}: {key}");
    match value.parse::<Timestamp>() {
        Ok(time) => container.times.push(Moment { event, time, source }),
        Err(_) => {
            defects
                .damaged(source, format!("not a time: {}", crate::text::escape(value.as_bytes())));
        }
    }
}

/// Takes over a time in nanoseconds since 1970; 0 means "never".
fn moment_nanos(
    object: &Map<String, Value>,
    key: &str,
    event: Event,
    place: &str,
    container: &mut Container,
) {
    let Some(nanos) = object.get(key).and_then(Value::as_i64).filter(|nanos| *nanos != 0) else {
        return;
    };
    if let Ok(time) = Timestamp::from_nanosecond(i128::from(nanos)) {
        container.times.push(Moment { event, time, source: format!("{place}: {key}") });
    }
}
