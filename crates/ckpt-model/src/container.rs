//! The container that a checkpoint is of, as its engine describes it.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::confinement::Confinement;

/// Who made the checkpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Engine {
    /// podman, through libpod.
    Podman,
    /// CRI-O.
    CriO,
    /// containerd, by its CRI plugin or by `ctr`.
    Containerd,
    /// docker.
    Docker,
    /// CRIU itself, or a runtime (runc, crun) that was called by hand: nothing but images.
    #[default]
    Criu,
}

impl Engine {
    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Podman => "podman",
            Self::CriO => "cri-o",
            Self::Containerd => "containerd",
            Self::Docker => "docker",
            Self::Criu => "criu",
        }
    }

    /// Whether a file of the image that the container modified may be missing from `rootfs-diff.tar`: the library that
    /// podman and CRI-O share looks for it in the host's root, and passes over it when it is not there.
    ///
    /// Source: `common/pkg/crutils/checkpoint_restore_utils.go`, `CRCreateRootFsDiffTar`.
    #[must_use]
    pub fn omits_modified_files(self) -> bool {
        matches!(self, Self::Podman | Self::CriO)
    }

    /// What archives of this engine never hold, so that nobody takes its absence for a fact about the container.
    #[must_use]
    pub fn never_captured(self) -> &'static [&'static str] {
        match self {
            Self::Podman => &[
                "modified files of the image may be missing from rootfs-diff.tar: podman archives them only when the host has the same path",
                "bind mounts from the host (only named volumes are archived)",
                "CRIU's dump.log",
                "datagrams waiting in UDP, netlink and packet sockets",
            ],
            Self::CriO => &[
                "modified files of the image may be missing from rootfs-diff.tar: CRI-O archives them only when the host has the same path",
                "/dev/shm, emptyDir, hostPath and every other mount from outside the container",
                "processes whose parent exited, in a pod that shares its pid namespace (dump.log names them)",
                "datagrams waiting in UDP, netlink and packet sockets",
            ],
            Self::Containerd => &[
                "/dev/shm, emptyDir, hostPath and every other mount from outside the container",
                "the container's IP address",
                "processes whose parent exited, in a pod that shares its pid namespace (dump.log names them)",
                "datagrams waiting in UDP, netlink and packet sockets",
            ],
            Self::Docker => &[
                "changes of the container's file system",
                "volumes and bind mounts",
                "network interfaces and addresses",
                "CRIU's dump.log",
                "datagrams waiting in UDP, netlink and packet sockets",
            ],
            Self::Criu => &[
                "who the container is: there is no engine metadata",
                "changes of the file system",
                "datagrams waiting in UDP, netlink and packet sockets",
            ],
        }
    }
}

/// The container's identity and how it was started. What the archive does not tell is `None` or empty.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Container {
    /// Who made the checkpoint.
    pub engine: Engine,
    /// Version of the engine, from image annotations.
    pub engine_version: Option<String>,
    /// The name that its user knows: podman's name, or the container's name in its pod.
    pub name: Option<String>,
    /// The name the engine uses, where it is another one (`k8s_...`).
    pub engine_name: Option<String>,
    /// The container's id.
    pub id: Option<String>,
    /// Image name, as the user asked for it.
    pub image: Option<String>,
    /// Image id or digest.
    pub image_id: Option<String>,
    /// OCI runtime or runtime handler.
    pub runtime: Option<String>,
    /// The runtime's version, from image annotations.
    pub runtime_version: Option<String>,
    /// Host name inside the container.
    pub hostname: Option<String>,
    /// The pod it belongs to.
    pub pod: Option<Pod>,
    /// Command that the container was told to run.
    pub command: Vec<String>,
    /// Environment that the container was started with, order and repeats kept.
    pub env: Vec<String>,
    /// Working directory that the container was started in.
    pub cwd: Option<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the runtime spec and of the checkpoint image.
    pub annotations: BTreeMap<String, String>,
    /// Whether the container ran privileged, where the engine says so.
    pub privileged: Option<bool>,
    /// The root file system on the host.
    pub rootfs: Option<String>,
    /// Cgroup path that the runtime spec asks for.
    pub cgroups_path: Option<String>,
    /// How the runtime spec confines it; `None` when there is no spec, or not all of it could be read.
    pub confinement: Option<Confinement>,
    /// Mounts that the runtime spec asks for.
    pub mounts: Vec<SpecMount>,
    /// Mount points that the engine made for bind mounts from outside (CRI-O's `bind.mounts`).
    pub bind_mounts: Vec<BindMount>,
    /// Network interfaces and addresses.
    pub network: Vec<Interface>,
    /// Ports that the engine was told the container offers, ascending; empty when it was told of none.
    pub ports: Vec<u16>,
    /// Everything that happened to the container, each time with its source.
    pub times: Vec<Moment>,
    /// The host it ran on, as far as anything in the archive tells.
    pub host: Host,
}

/// A pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pod {
    /// Its name.
    pub name: Option<String>,
    /// Its namespace.
    pub namespace: Option<String>,
    /// Its uid.
    pub uid: Option<String>,
    /// Id of its sandbox.
    pub sandbox_id: Option<String>,
}

impl Pod {
    /// `None` when nothing is known of it.
    pub(crate) fn known(self) -> Option<Self> {
        (self != Self::default()).then_some(self)
    }
}

/// A mount of the runtime spec.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpecMount {
    /// Path inside the container.
    pub destination: String,
    /// File system type; `bind` for bind mounts.
    pub kind: Option<String>,
    /// Path on the host, or a name.
    pub source: Option<String>,
    /// Mount options.
    pub options: Vec<String>,
}

/// A mount point that the engine has to make before a bind mount from outside.
///
/// Source: `cri-o/internal/lib/checkpoint.go`, `ExternalBindMount`.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
pub struct BindMount {
    /// Path on the host.
    pub source: String,
    /// Path inside the container.
    pub destination: String,
    /// `directory` or `file`.
    #[serde(default)]
    pub file_type: String,
    /// Permission bits of the mount point.
    #[serde(default)]
    pub permissions: u32,
}

/// A network interface of the container, as its engine tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// Network it belongs to.
    pub network: Option<String>,
    /// Name inside the container.
    pub name: Option<String>,
    /// Addresses, with prefix length where it is told (`10.88.0.2/16`).
    pub addresses: Vec<String>,
    /// Gateways.
    pub gateways: Vec<String>,
    /// MAC address.
    pub mac: Option<String>,
    /// Which member or annotation tells it.
    pub source: String,
}

/// What a time tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Event {
    /// The container was created.
    Created,
    /// Its first process was started.
    Started,
    /// It was checkpointed.
    Checkpointed,
    /// It was restored from an earlier checkpoint.
    Restored,
    /// The checkpoint was made an image.
    ImageCreated,
    /// The kubelet first saw the configuration of the pod.
    ConfigSeen,
    /// Somebody asked for new pods in place of the old ones: `kubectl rollout restart`.
    Rollout,
}

impl Event {
    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Started => "started",
            Self::Checkpointed => "checkpointed",
            Self::Restored => "restored",
            Self::ImageCreated => "image-created",
            Self::ConfigSeen => "config-seen",
            Self::Rollout => "rollout",
        }
    }
}

/// A time with its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// What happened.
    pub event: Event,
    /// When.
    pub time: Timestamp,
    /// Member and key that tell it.
    pub source: String,
}

/// The host that the container ran on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// Kernel release.
    pub kernel: Option<String>,
    /// Architecture, in the words of the source.
    pub arch: Option<String>,
    /// Distribution.
    pub distribution: Option<String>,
    /// CRIU version.
    pub criu: Option<String>,
}

impl Container {
    /// The first time of an event: sources are kept in the order of how much they are worth.
    #[must_use]
    pub fn time(&self, event: Event) -> Option<&Moment> {
        self.times.iter().find(|moment| moment.event == event)
    }
}
