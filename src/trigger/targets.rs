//! Which containers, on which node, through which client.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ckpt_kubelet::{
    Client, Cluster, ContainerName, Error, Namespace, Node, NodeAddress, NodeName, Observer, Pod,
    PodName, Target,
};

use super::access;
use crate::commands::trigger::{TriggerArgs, Via};

/// One container to make a checkpoint of.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) target: Target,
    pub(super) client: Client,
    pub(super) place: Place,
}

/// Where a pod is.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    /// The node's name, where the API server knows.
    pub(super) node: Option<NodeName>,
    /// The kubelet's address, where it is known.
    pub(super) address: Option<NodeAddress>,
    /// What the API server says of the pod and its node.
    pub(super) pod: Option<Pod>,
    pub(super) facts: Option<Node>,
}

impl Place {
    /// The node, for people.
    pub(super) fn told(&self) -> String {
        match (&self.node, &self.address) {
            (Some(node), Some(address)) => format!("{node} ({address})"),
            (Some(node), None) => node.to_string(),
            (None, Some(address)) => address.to_string(),
            (None, None) => "unknown".to_owned(),
        }
    }

    /// Whether this machine is the node for certain: its address is ours, and not by a tunnel, because kubelets live here.
    pub(super) fn is_this_node(&self) -> bool {
        self.is_here() && std::path::Path::new("/var/lib/kubelet").exists()
    }

    /// Whether the kubelet's address is one of this machine.
    pub(super) fn is_here(&self) -> bool {
        self.address.as_ref().is_some_and(NodeAddress::is_here)
    }
}

/// What there is to do, and for which pods there is nothing that can be done, and why.
#[derive(Debug, Default)]
pub(super) struct Resolved {
    pub(super) jobs: Vec<Job>,
    pub(super) failed: Vec<(String, Error, Place)>,
}

/// Whether the API server is asked at all.
pub(super) fn wants_cluster(args: &TriggerArgs) -> bool {
    args.kubelet.node.is_none()
        || args.cluster.kubeconfig.is_some()
        || args.cluster.context.is_some()
        || args.cluster.via == Via::Apiserver
}

/// The namespace of the pods.
pub(super) fn namespace(args: &TriggerArgs, cluster: Option<&Cluster>) -> Result<Namespace, Error> {
    match (&args.namespace, cluster) {
        (Some(namespace), _) => Ok(namespace.clone()),
        (None, Some(cluster)) => Ok(Namespace::new(cluster.default_namespace().trim())?),
        (None, None) => Ok(Namespace::new("default")?),
    }
}

/// The containers that were named for each of the pods.
pub(super) fn containers(args: &TriggerArgs) -> Vec<ContainerName> {
    let mut named = args.containers.clone();
    named.extend(args.more_containers.iter().cloned());
    let mut seen = std::collections::HashSet::new();
    named.retain(|name| seen.insert(name.clone()));
    named
}

/// The pods that were named.
pub(super) fn pods(args: &TriggerArgs) -> Vec<PodName> {
    let mut named: Vec<_> = args.pod.iter().chain(&args.pods).cloned().collect();
    let mut seen = std::collections::HashSet::new();
    named.retain(|name| seen.insert(name.clone()));
    named
}

/// Finds everything out.
pub(super) async fn resolve(
    args: &TriggerArgs,
    cluster: Option<&Cluster>,
    observer: &Arc<dyn Observer>,
) -> Result<Resolved, Error> {
    let namespace = namespace(args, cluster)?;
    let named = containers(args);
    let finish = |client: Client| {
        client
            .timeout(args.timeout.map(|seconds| Duration::from_secs(seconds.into())))
            .observer(Arc::clone(observer))
    };
    let mut resolved = Resolved::default();
    let Some(cluster) = cluster else {
        let address = args.kubelet.node.clone().ok_or(Error::Interrupted)?;
        let client = finish(access::direct(&args.kubelet, &address, None)?);
        if named.is_empty() {
            return Err(Error::Setup {
                what: "a kubelet alone".into(),
                why: "name the containers: without an API server nobody tells which there are"
                    .into(),
            });
        }
        for pod in pods(args) {
            for container in &named {
                let target = Target {
                    namespace: namespace.clone(),
                    pod: pod.clone(),
                    container: container.clone(),
                };
                let place = Place { address: Some(address.clone()), ..Place::default() };
                resolved.jobs.push(Job { target, client: client.clone(), place });
            }
        }
        return Ok(resolved);
    };
    let mut found: Vec<(String, Result<Pod, Error>)> = Vec::new();
    if let Some(selector) = &args.selector {
        for pod in cluster.pods(&namespace, selector).await? {
            found.push((format!("{namespace}/{}", pod.name), Ok(pod)));
        }
    }
    for name in pods(args) {
        found.push((format!("{namespace}/{name}"), cluster.pod(&namespace, &name).await));
    }
    let mut nodes: BTreeMap<NodeName, Option<Node>> = BTreeMap::new();
    for (label, pod) in found {
        let mut place = Place::default();
        let one = async {
            let pod = pod?;
            place.pod = Some(pod.clone());
            let node = pod.node.clone().ok_or_else(|| Error::NotScheduled(pod.name.to_string()))?;
            place.node = Some(node.clone());
            if !nodes.contains_key(&node) {
                // Whoever may not read nodes still learns the address from the pod.
                nodes.insert(node.clone(), cluster.node(&node).await.ok());
            }
            place.facts = nodes.get(&node).cloned().flatten();
            let from_node = place.facts.as_ref().and_then(|facts| facts.kubelet.clone());
            place.address = args.kubelet.node.clone().or(from_node).or_else(|| pod.kubelet());
            let targets = pod.targets(&named)?;
            let client = match (args.cluster.via, &place.address) {
                (Via::Apiserver, _) => Client::through(cluster, node),
                (Via::Direct, Some(address)) => {
                    access::direct(&args.kubelet, address, Some(cluster))?
                }
                (Via::Direct, None) => {
                    let why = format!("node {node} tells no address; give it with --node");
                    return Err(Error::Setup { what: "the node".into(), why });
                }
            };
            Ok((targets, finish(client)))
        };
        match one.await {
            Ok((targets, client)) => {
                for target in targets {
                    resolved.jobs.push(Job {
                        target,
                        client: client.clone(),
                        place: place.clone(),
                    });
                }
            }
            Err(error) => resolved.failed.push((label, error, place)),
        }
    }
    same_node(args, &resolved)?;
    Ok(resolved)
}

/// `--node` is the address of one node: pods of others are not asked for there.
fn same_node(args: &TriggerArgs, resolved: &Resolved) -> Result<(), Error> {
    if args.kubelet.node.is_none() {
        return Ok(());
    }
    let mut nodes: Vec<_> = resolved.jobs.iter().filter_map(|job| job.place.node.clone()).collect();
    nodes.dedup();
    match nodes.as_slice() {
        [] | [_] => Ok(()),
        [first, .., last] => Err(Error::Setup {
            what: "--node".into(),
            why: format!("the pods are on several nodes, such as {first} and {last}"),
        }),
    }
}
