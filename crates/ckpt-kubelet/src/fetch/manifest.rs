//! What the helper pod is.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Capabilities, Container, HostPathVolumeSource, Pod, PodSecurityContext, PodSpec,
    ResourceRequirements, SeccompProfile, SecurityContext, Toleration, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::name::{Namespace, NodeName};

/// Where the helper has the directory of the archive.
pub const MOUNT: &str = "/checkpoints";

/// The helper's only container.
pub(super) const CONTAINER: &str = "fetch";

/// After how long the helper ends by itself, in seconds, should nobody be left to delete it.
const DEADLINE: i64 = 4 * 3600;

/// What the helper pod is to be.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HelperSpec {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: Namespace,
    /// The node that it must run on.
    pub node: NodeName,
    /// An image with `sh`, `sleep`, `wc`, `sha256sum`, `tail` and `rm`.
    pub image: String,
    /// The directory on the node.
    pub directory: String,
    /// Whether the directory is mounted writable, which deleting the archive needs.
    pub writable: bool,
}

impl HelperSpec {
    /// A helper that reads.
    #[must_use]
    pub fn new(
        name: &str,
        namespace: Namespace,
        node: NodeName,
        image: &str,
        directory: &str,
    ) -> Self {
        Self {
            name: name.to_owned(),
            namespace,
            node,
            image: image.to_owned(),
            directory: directory.to_owned(),
            writable: false,
        }
    }

    /// The pod, in JSON, as `kubectl apply -f -` takes it.
    #[must_use]
    pub fn manifest(&self) -> String {
        let mut pod = serde_json::to_value(self.pod()).unwrap_or_default();
        if let Some(object) = pod.as_object_mut() {
            object.insert("apiVersion".into(), "v1".into());
            object.insert("kind".into(), "Pod".into());
        }
        format!("{pod:#}")
    }

    /// The pod.
    ///
    /// It must be root, because directory and archive belong to root and are closed to others; it needs nothing else that root
    /// has: no capability, no privilege, no network of the host, no service account, no file system to write to.
    pub(super) fn pod(&self) -> Pod {
        let labels = [("app.kubernetes.io/name", "ckpt-inspect-fetch")];
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        let amount = |memory: &str, cpu: &str| {
            let one = |(key, value): (&str, &str)| (key.to_owned(), Quantity(value.to_owned()));
            Some(BTreeMap::from([("memory", memory), ("cpu", cpu)].map(one)))
        };
        Pod {
            metadata: ObjectMeta {
                name: Some(self.name.clone()),
                namespace: Some(self.namespace.to_string()),
                labels: Some(labels.iter().map(owned).collect()),
                ..ObjectMeta::default()
            },
            spec: Some(PodSpec {
                // Past the scheduler: the archive is on this node and no other, cordoned, full or tainted as it may be.
                node_name: Some(self.node.to_string()),
                tolerations: Some(vec![Toleration {
                    operator: Some("Exists".to_owned()),
                    ..Toleration::default()
                }]),
                restart_policy: Some("Never".to_owned()),
                active_deadline_seconds: Some(DEADLINE),
                termination_grace_period_seconds: Some(0),
                automount_service_account_token: Some(false),
                enable_service_links: Some(false),
                security_context: Some(PodSecurityContext {
                    seccomp_profile: Some(SeccompProfile {
                        type_: "RuntimeDefault".to_owned(),
                        ..SeccompProfile::default()
                    }),
                    ..PodSecurityContext::default()
                }),
                containers: vec![Container {
                    name: CONTAINER.to_owned(),
                    image: Some(self.image.clone()),
                    image_pull_policy: Some("IfNotPresent".to_owned()),
                    command: Some(vec!["sleep".to_owned(), DEADLINE.to_string()]),
                    resources: Some(ResourceRequirements {
                        requests: amount("16Mi", "10m"),
                        limits: amount("128Mi", "1"),
                        ..ResourceRequirements::default()
                    }),
                    security_context: Some(SecurityContext {
                        run_as_user: Some(0),
                        privileged: Some(false),
                        allow_privilege_escalation: Some(false),
                        read_only_root_filesystem: Some(true),
                        capabilities: Some(Capabilities {
                            drop: Some(vec!["ALL".to_owned()]),
                            ..Capabilities::default()
                        }),
                        ..SecurityContext::default()
                    }),
                    volume_mounts: Some(vec![VolumeMount {
                        name: "checkpoints".to_owned(),
                        mount_path: MOUNT.to_owned(),
                        read_only: Some(!self.writable),
                        ..VolumeMount::default()
                    }]),
                    ..Container::default()
                }],
                volumes: Some(vec![Volume {
                    name: "checkpoints".to_owned(),
                    host_path: Some(HostPathVolumeSource {
                        path: self.directory.clone(),
                        type_: Some("Directory".to_owned()),
                    }),
                    ..Volume::default()
                }]),
                ..PodSpec::default()
            }),
            status: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> HelperSpec {
        let namespace = Namespace::new("shop").unwrap();
        let node = NodeName::new("worker-1").unwrap();
        HelperSpec::new("x", namespace, node, "busybox:stable", "/var/lib/kubelet/checkpoints")
    }

    #[test]
    fn the_helper_has_no_right_that_it_does_not_need() {
        let pod: serde_json::Value = serde_json::from_str(&spec().manifest()).unwrap();
        let spec = &pod["spec"];
        let container = &spec["containers"][0];
        assert_eq!(pod["kind"], "Pod");
        assert_eq!(spec["nodeName"], "worker-1");
        assert_eq!(spec["automountServiceAccountToken"], false);
        assert_eq!(spec["tolerations"], serde_json::json!([{"operator": "Exists"}]));
        assert_eq!(spec["hostNetwork"], serde_json::Value::Null);
        assert_eq!(spec["hostPID"], serde_json::Value::Null);
        assert_eq!(container["securityContext"]["privileged"], false);
        assert_eq!(container["securityContext"]["allowPrivilegeEscalation"], false);
        assert_eq!(container["securityContext"]["capabilities"]["drop"][0], "ALL");
        assert_eq!(container["volumeMounts"][0]["readOnly"], true);
        assert_eq!(spec["volumes"][0]["hostPath"]["path"], "/var/lib/kubelet/checkpoints");
    }

    #[test]
    fn only_deleting_makes_it_writable() {
        let writable = HelperSpec { writable: true, ..spec() };
        let pod: serde_json::Value = serde_json::from_str(&writable.manifest()).unwrap();
        assert_eq!(pod["spec"]["containers"][0]["volumeMounts"][0]["readOnly"], false);
    }
}
