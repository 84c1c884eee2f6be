//! Pods and nodes, as far as a checkpoint needs to know them.

use std::net::IpAddr;

use k8s_openapi::api::core::v1 as core;

use crate::address::{KUBELET_PORT, NodeAddress};
use crate::error::Error;
use crate::name::{ContainerName, Namespace, NodeName, PodName, Target};

/// A container of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PodContainer {
    /// Its name.
    pub name: ContainerName,
    /// `None` while it runs; otherwise its state in words, such as `terminated (Completed)`.
    pub stopped: Option<String>,
}

/// A pod.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pod {
    /// Its namespace.
    pub namespace: Namespace,
    /// Its name.
    pub name: PodName,
    /// Its node, once it has one.
    pub node: Option<NodeName>,
    /// Its node's address, as its status tells it.
    pub host_ip: Option<String>,
    /// `Running`, `Pending`, …
    pub phase: String,
    /// Regular containers, then init and ephemeral ones.
    pub containers: Vec<PodContainer>,
}

impl Pod {
    pub(crate) fn read(namespace: &Namespace, pod: &core::Pod) -> Result<Self, Error> {
        let name = PodName::new(pod.metadata.name.as_deref().unwrap_or_default())?;
        let spec = pod.spec.clone().unwrap_or_default();
        let status = pod.status.clone().unwrap_or_default();
        let statuses: Vec<core::ContainerStatus> = [
            status.container_statuses,
            status.init_container_statuses,
            status.ephemeral_container_statuses,
        ]
        .into_iter()
        .flatten()
        .flatten()
        .collect();
        let regular = spec.containers.into_iter().map(|container| container.name);
        let init = spec.init_containers.into_iter().flatten().map(|container| container.name);
        let ephemeral = spec.ephemeral_containers.into_iter().flatten().map(|one| one.name);
        let containers = regular
            .chain(init)
            .chain(ephemeral)
            .map(|name| {
                let status = statuses.iter().find(|status| status.name == name);
                let stopped = stopped(status.and_then(|status| status.state.as_ref()));
                Ok(PodContainer { name: ContainerName::new(&name)?, stopped })
            })
            .collect::<Result<_, Error>>()?;
        let node = spec.node_name.filter(|name| !name.is_empty());
        Ok(Self {
            namespace: namespace.clone(),
            name,
            node: node.map(|name| NodeName::new(&name)).transpose()?,
            host_ip: status.host_ip,
            phase: status.phase.unwrap_or_default(),
            containers,
        })
    }

    /// The containers to make checkpoints of: those named, or all that run.
    ///
    /// # Errors
    ///
    /// One of those named does not exist or does not run, or none runs.
    pub fn targets(&self, named: &[ContainerName]) -> Result<Vec<Target>, Error> {
        let pod = self.name.to_string();
        let target = |container: &ContainerName| Target {
            namespace: self.namespace.clone(),
            pod: self.name.clone(),
            container: container.clone(),
        };
        if named.is_empty() {
            let running: Vec<_> = self
                .containers
                .iter()
                .filter(|container| container.stopped.is_none())
                .map(|container| target(&container.name))
                .collect();
            if running.is_empty() {
                return Err(Error::NothingRuns { pod, known: self.told() });
            }
            return Ok(running);
        }
        named
            .iter()
            .map(|name| {
                let known = self.containers.iter().find(|container| container.name == *name);
                match known.map(|container| &container.stopped) {
                    Some(None) => Ok(target(name)),
                    Some(Some(state)) => Err(Error::NotRunning {
                        pod: pod.clone(),
                        container: name.to_string(),
                        state: state.clone(),
                    }),
                    None => Err(Error::NoContainer {
                        pod: pod.clone(),
                        container: name.to_string(),
                        known: self.containers.iter().map(|one| one.name.to_string()).collect(),
                    }),
                }
            })
            .collect()
    }

    fn told(&self) -> Vec<String> {
        let state = |container: &PodContainer| {
            let state = container.stopped.as_deref().unwrap_or("running");
            format!("{} ({state})", container.name)
        };
        self.containers.iter().map(state).collect()
    }

    /// The address of the pod's kubelet where its node may not be read: the pod's status has the address, and the port is
    /// the usual one.
    #[must_use]
    pub fn kubelet(&self) -> Option<NodeAddress> {
        NodeAddress::new(self.host_ip.as_deref()?, KUBELET_PORT).ok()
    }
}

/// The state of a container that does not run, in words.
fn stopped(state: Option<&core::ContainerState>) -> Option<String> {
    let Some(state) = state else { return Some("not started".to_owned()) };
    let why =
        |reason: Option<&String>| reason.map_or_else(String::new, |reason| format!(" ({reason})"));
    match (&state.running, &state.terminated, &state.waiting) {
        (Some(_), ..) => None,
        (_, Some(ended), _) => Some(format!("terminated{}", why(ended.reason.as_ref()))),
        (.., Some(waiting)) => Some(format!("waiting{}", why(waiting.reason.as_ref()))),
        _ => Some("not started".to_owned()),
    }
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Node {
    /// Its name.
    pub name: NodeName,
    /// Where its kubelet listens: its internal address, else its host name, else its external address.
    pub kubelet: Option<NodeAddress>,
    /// Its runtime with its version, such as `cri-o://1.33.1`.
    pub runtime: String,
    /// Its kubelet's version, such as `v1.33.1`.
    pub version: String,
}

impl Node {
    pub(crate) fn read(name: &NodeName, node: &core::Node) -> Self {
        let status = node.status.clone().unwrap_or_default();
        let addresses = status.addresses.unwrap_or_default();
        let port = status
            .daemon_endpoints
            .and_then(|endpoints| endpoints.kubelet_endpoint)
            .and_then(|endpoint| u16::try_from(endpoint.port).ok())
            .filter(|port| *port != 0)
            .unwrap_or(KUBELET_PORT);
        let of = |kind: &str| addresses.iter().find(|address| address.type_ == kind);
        let address = of("InternalIP").or_else(|| of("Hostname")).or_else(|| of("ExternalIP"));
        let info = status.node_info;
        let told = |text: Option<String>| text.unwrap_or_default();
        Self {
            name: name.clone(),
            kubelet: address.and_then(|address| NodeAddress::new(&address.address, port).ok()),
            runtime: told(info.as_ref().map(|info| info.container_runtime_version.clone())),
            version: told(info.as_ref().map(|info| info.kubelet_version.clone())),
        }
    }

    /// Whether an address or host name is this node's.
    #[must_use]
    pub fn is_at(&self, host: &str) -> bool {
        let same = |kubelet: &NodeAddress| match (
            kubelet.host().parse::<IpAddr>(),
            host.parse::<IpAddr>(),
        ) {
            (Ok(a), Ok(b)) => a == b,
            _ => kubelet.host() == host,
        };
        self.name.as_str() == host || self.kubelet.as_ref().is_some_and(same)
    }
}
