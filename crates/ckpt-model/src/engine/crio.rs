//! CRI-O: a small `config.dump`, and most of what it knows in annotations of the spec, some of them JSON in a string.
//!
//! Source: `cri-o/internal/lib/checkpoint.go`, `cri-o/internal/annotations/annotations.go`.

use serde_json::{Map, Value};

use super::{container_config, moment};
use crate::container::{Container, Event, Interface, Pod};
use crate::defect::Defects;
use crate::metadata::Metadata;
use crate::spec::object;

pub(super) fn describe(metadata: &Metadata<'_>, container: &mut Container, defects: &Defects) {
    if let Some((place, json)) = metadata.find(&["config.dump"])
        && let Some(config) = object(&place, &json, defects)
    {
        container_config(&config, &place, container, defects);
    }
    if let Some((place, json)) = metadata.find(&["bind.mounts"]) {
        match serde_json::from_slice(&json) {
            Ok(mounts) => container.bind_mounts = mounts,
            Err(error) => {
                let error = error.to_string();
                let error = crate::text::escape(error.as_bytes());
                defects.damaged(place, format!("not a list of bind mounts: {error}"));
            }
        }
    }
    let annotation = |key: &str| container.annotations.get(key).filter(|v| !v.is_empty()).cloned();
    let pod = Pod {
        name: annotation("io.kubernetes.pod.name"),
        namespace: annotation("io.kubernetes.pod.namespace"),
        uid: annotation("io.kubernetes.pod.uid"),
        sandbox_id: annotation("io.kubernetes.cri-o.SandboxID"),
    };
    let name = annotation("io.kubernetes.container.name");
    let id = annotation("io.kubernetes.cri-o.ContainerID");
    let image = annotation("io.kubernetes.cri-o.ImageName");
    let image_id = annotation("io.kubernetes.cri-o.ImageRef");
    let created = annotation("io.kubernetes.cri-o.Created");
    let labels = annotation("io.kubernetes.cri-o.Labels");
    let privileged =
        annotation("io.kubernetes.cri-o.PrivilegedRuntime").map(|value| value == "true");

    container.name = name.or_else(|| container.engine_name.clone());
    container.id = container.id.take().or(id);
    container.image = container.image.take().or(image);
    container.image_id = container.image_id.take().or(image_id);
    container.privileged = privileged;
    container.pod = pod.known();
    container.network = addresses(container);
    let place = "spec.dump: annotations";
    if let Some(labels) = labels
        && let Some(labels) =
            object(&format!("{place}: io.kubernetes.cri-o.Labels"), labels.as_bytes(), defects)
    {
        let pairs = labels.into_iter();
        container.labels = pairs.filter_map(|(k, v)| Some((k, v.as_str()?.to_owned()))).collect();
    }
    if let Some(created) = created {
        // About 100 ms before config.dump's createdTime: not the same instant, so both are kept.
        let key = "io.kubernetes.cri-o.Created";
        let object = Map::from_iter([(key.to_owned(), Value::String(created))]);
        moment(&object, key, Event::Created, place, container, defects);
    }
}

/// `io.kubernetes.cri-o.IP.0` and on.
fn addresses(container: &Container) -> Vec<Interface> {
    let of_ip = container.annotations.iter().filter(|(key, value)| {
        let index = key.strip_prefix("io.kubernetes.cri-o.IP.");
        index.is_some_and(|index| index.bytes().all(|b| b.is_ascii_digit())) && !value.is_empty()
    });
    of_ip
        .map(|(key, address)| Interface {
            addresses: vec![address.clone()],
            source: format!("spec.dump: annotations: {key}"),
            ..Interface::default()
        })
        .collect()
}
