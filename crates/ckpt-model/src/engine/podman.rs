//! podman: `config.dump` is libpod's whole container configuration, `network.status` its network.
//!
//! Source: `podman/libpod/container_config.go`, `podman/libpod/container_internal_common.go`.

use serde_json::{Map, Value};

use super::{moment, ports, text, text_map, texts};
use crate::container::{Container, Event, Interface, Pod};
use crate::defect::Defects;
use crate::metadata::Metadata;
use crate::spec::object;

pub(super) fn describe(metadata: &Metadata<'_>, container: &mut Container, defects: &Defects) {
    if let Some((place, json)) = metadata.find(&["config.dump"])
        && let Some(config) = object(&place, &json, defects)
    {
        container.id = text(&config, "id");
        container.name = text(&config, "name");
        container.image =
            text(&config, "rootfsImageName").or_else(|| text(&config, "RawImageName"));
        container.image_id = text(&config, "rootfsImageID");
        container.runtime = text(&config, "runtime");
        container.labels = text_map(&config, "labels");
        ports::of_podman(&config, container);
        // Of a pod podman notes its id alone.
        let pod = Pod { uid: text(&config, "pod"), ..Pod::default() };
        container.pod = pod.known();
        container.privileged = config.get("privileged").and_then(Value::as_bool);
        if container.command.is_empty() {
            container.command = texts(&config, "command");
        }
        moment(&config, "createdTime", Event::Created, &place, container, defects);
    }
    if let Some((place, json)) = metadata.find(&["network.status"]) {
        // With no network of its own, podman writes the four bytes `null`.
        if json.trim_ascii() != b"null"
            && let Some(networks) = object(&place, &json, defects)
        {
            container.network =
                networks.iter().flat_map(|(name, value)| network(name, value)).collect();
        }
    }
}

fn network(network: &str, value: &Value) -> Vec<Interface> {
    let interfaces = value.get("interfaces").and_then(Value::as_object);
    interfaces
        .into_iter()
        .flatten()
        .map(|(name, interface)| describe_one(network, name, interface))
        .collect()
}

fn describe_one(network: &str, name: &str, interface: &Value) -> Interface {
    let subnets: Vec<&Map<String, Value>> = interface
        .get("subnets")
        .and_then(Value::as_array)
        .map(|subnets| subnets.iter().filter_map(Value::as_object).collect())
        .unwrap_or_default();
    Interface {
        network: Some(network.to_owned()),
        name: Some(name.to_owned()),
        addresses: subnets.iter().filter_map(|subnet| text(subnet, "ipnet")).collect(),
        gateways: subnets.iter().filter_map(|subnet| text(subnet, "gateway")).collect(),
        mac: interface.get("mac_address").and_then(Value::as_str).map(str::to_owned),
        source: "network.status".to_owned(),
    }
}
