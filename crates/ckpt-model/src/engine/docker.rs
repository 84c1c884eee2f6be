//! docker: no archive of its own; the container's directory with `config.v2.json`, or the checkpoint's alone.
//!
//! Source: `moby/daemon/container/container.go`; [`hostconfig`].

use serde_json::{Map, Value};

use super::{hostconfig, moment, ports, text, text_map, texts};
use crate::container::{Container, Event, Interface};
use crate::defect::Defects;
use crate::metadata::Metadata;
use crate::spec::object;

pub(super) fn describe(metadata: &Metadata<'_>, container: &mut Container, defects: &Defects) {
    let Some((place, json)) = metadata.find(&["config.v2.json"]) else { return };
    let Some(config) = object(&place, &json, defects) else { return };
    let empty = Map::new();
    let part = |key: &str| config.get(key).and_then(Value::as_object).unwrap_or(&empty);
    let settings = part("Config");
    container.id = text(&config, "ID");
    // docker keeps names with a leading slash.
    container.name = text(&config, "Name").map(|name| name.trim_start_matches('/').to_owned());
    container.image = text(settings, "Image");
    container.image_id = text(&config, "Image");
    container.hostname = text(settings, "Hostname");
    container.env = texts(settings, "Env");
    container.cwd = text(settings, "WorkingDir");
    container.labels = text_map(settings, "Labels");
    ports::exposed(settings.get("ExposedPorts"), container);
    container.command = text(&config, "Path").into_iter().chain(texts(&config, "Args")).collect();
    moment(&config, "Created", Event::Created, &place, container, defects);
    moment(part("State"), "StartedAt", Event::Started, &place, container, defects);
    let networks = part("NetworkSettings").get("Networks").and_then(Value::as_object);
    container.network = networks
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| network(name, value, &place))
        .collect();
    if let Some((place, json)) = metadata.find(&["hostconfig.json"])
        && let Some(host) = object(&place, &json, defects)
    {
        container.runtime = text(&host, "Runtime");
        container.privileged = host.get("Privileged").and_then(Value::as_bool);
        if container.confinement.is_none() {
            let user = text(settings, "User");
            let found = hostconfig::confinement(&host, user.as_deref(), &place);
            container.confinement = Some(found);
        }
        if container.mounts.is_empty() {
            container.mounts = hostconfig::mounts(&host);
        }
    }
}

fn network(name: &str, value: &Value, place: &str) -> Option<Interface> {
    let value = value.as_object()?;
    let with_prefix = |address: &str, prefix: &str| {
        let address = text(value, address)?;
        let prefix = value.get(prefix).and_then(Value::as_u64).filter(|bits| *bits > 0);
        Some(prefix.map_or(address.clone(), |bits| format!("{address}/{bits}")))
    };
    let addresses: Vec<String> =
        [("IPAddress", "IPPrefixLen"), ("GlobalIPv6Address", "GlobalIPv6PrefixLen")]
            .into_iter()
            .filter_map(|(address, prefix)| with_prefix(address, prefix))
            .collect();
    Some(Interface {
        network: Some(name.to_owned()),
        name: None,
        addresses,
        gateways: ["Gateway", "IPv6Gateway"]
            .into_iter()
            .filter_map(|key| text(value, key))
            .collect(),
        mac: text(value, "MacAddress"),
        source: format!("{place}: NetworkSettings"),
    })
}
