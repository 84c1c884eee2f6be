//! The ports that a container says it offers, in the words of each engine.
//!
//! Source: `podman/libpod/container_config.go` (`newPortMappings`, `exposedPorts`), `moby/api/types/container/config.go`
//! (`ExposedPorts`), `cri-o/internal/annotations/annotations.go` (`io.kubernetes.container.ports`, from the kubelet).

use serde_json::{Map, Value};

use crate::container::Container;

/// Ports of one mapping that are taken over; a range can claim them all.
const MOST: u64 = 1024;

/// Takes over what podman's `config.dump` says.
pub(super) fn of_podman(config: &Map<String, Value>, container: &mut Container) {
    let mappings = config.get("newPortMappings").and_then(Value::as_array);
    for mapping in mappings.into_iter().flatten() {
        let Some(first) = mapping.get("container_port").and_then(Value::as_u64) else { continue };
        let count = mapping.get("range").and_then(Value::as_u64).unwrap_or(1).clamp(1, MOST);
        let ports =
            (first..first.saturating_add(count)).filter_map(|port| u16::try_from(port).ok());
        container.ports.extend(ports);
    }
    exposed(config.get("exposedPorts"), container);
}

/// Takes over the keys of a map such as `{"80/tcp": {}}`, or podman's `{"80": ["tcp"]}`.
pub(super) fn exposed(ports: Option<&Value>, container: &mut Container) {
    let keys = ports.and_then(Value::as_object).into_iter().flatten().map(|(key, _)| key);
    container.ports.extend(keys.filter_map(|key| key.split('/').next()?.parse::<u16>().ok()));
}

/// Takes over what the kubelet wrote into the annotations: a list in JSON.
pub(super) fn of_annotations(container: &mut Container) {
    let Some(json) = container.annotations.get("io.kubernetes.container.ports") else { return };
    let Ok(Value::Array(ports)) = serde_json::from_str::<Value>(json) else { return };
    let ports = ports.iter().filter_map(|port| port.get("containerPort")?.as_u64());
    container.ports.extend(ports.filter_map(|port| u16::try_from(port).ok()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(json: &str) -> Map<String, Value> {
        serde_json::from_str(json).expect("an object")
    }

    #[test]
    fn ports_in_the_words_of_engines() {
        let mut container = Container::default();
        let config = r#"{"newPortMappings":[{"container_port":80,"range":2},{"container_port":70000}],
            "exposedPorts":{"443":["tcp"],"x":[]}}"#;
        of_podman(&map(config), &mut container);
        assert_eq!(container.ports, [80, 81, 443]);
        let mut container = Container::default();
        exposed(map(r#"{"p":{"53/udp":{},"80/tcp":{}}}"#).get("p"), &mut container);
        assert_eq!(container.ports, [53, 80]);
        let mut container = Container::default();
        let ports = r#"[{"name":"web","containerPort":8080,"protocol":"TCP"},{"name":"odd"}]"#;
        container.annotations.insert("io.kubernetes.container.ports".to_owned(), ports.to_owned());
        of_annotations(&mut container);
        assert_eq!(container.ports, [8080]);
    }
}
