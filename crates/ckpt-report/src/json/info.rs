//! `info`: what container, when, by whom, how large, and what is not in the archive.

use std::collections::BTreeMap;

use ckpt_model::{
    BindMount, Checkpoint, Container, Event, IdRange, Interface, Moment, Pod, Sizes, SpecMount,
    UserNamespace,
};
use criu_image::messages::DumpStatsEntry;
use serde::Serialize;

use super::dump::{CriuRecord, HostRecord, ImageDirectoryRecord, ImagesRecord, MemberRecord};
use super::shared::{DefectRecord, EvidenceRecord, defects};
use crate::logs::logs;

/// `ckpt-inspect/info/1`.
#[derive(Clone, Debug, Serialize)]
pub struct InfoDocument<'a> {
    /// Name and version of this form.
    pub schema: &'static str,
    /// What was opened.
    pub evidence: EvidenceRecord<'a>,
    /// The container.
    pub container: ContainerRecord<'a>,
    /// Who made the checkpoint.
    pub engine: EngineRecord<'a>,
    /// The container's pod.
    pub pod: Option<PodRecord<'a>>,
    /// When it was checkpointed, RFC 3339: the best of `times`.
    pub checkpointed_at: Option<String>,
    /// What CRIU counted.
    pub statistics: Option<StatisticsRecord>,
    /// Sizes in bytes.
    pub sizes: SizesRecord,
    /// Architecture of the processes, as `uname -m` has it.
    pub arch: Option<String>,
    /// Every time with its source, the best source of an event first.
    pub times: Vec<MomentRecord<'a>>,
    /// Network interfaces.
    pub network: Vec<InterfaceRecord<'a>>,
    /// Which users outside those of the container are; left out where they are the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub user_namespaces: Vec<UserNamespaceRecord>,
    /// Mounts that the runtime spec asks for.
    pub mounts: Vec<SpecMountRecord<'a>>,
    /// Mount points that the engine made for bind mounts from outside.
    pub bind_mounts: Vec<BindMountRecord<'a>>,
    /// Annotations of the runtime spec and of the checkpoint image.
    pub annotations: &'a BTreeMap<String, String>,
    /// The CRIU that dumped.
    pub criu: CriuRecord<'a>,
    /// The host.
    pub host: HostRecord<'a>,
    /// Folders of images.
    pub image_directories: Vec<ImageDirectoryRecord<'a>>,
    /// Logs in the evidence.
    pub logs: Vec<MemberRecord>,
    /// What was made of the members.
    pub images: ImagesRecord<'a>,
    /// What archives of this engine never hold.
    pub never_captured: &'static [&'static str],
    /// What could not be read.
    pub defects: Vec<DefectRecord>,
}

/// What container, when, by whom, how large, and what is not in the archive.
#[must_use]
pub fn info(checkpoint: &Checkpoint) -> InfoDocument<'_> {
    let container = checkpoint.container();
    let accounting = checkpoint.accounting();
    let directories = checkpoint.place().directories.iter();
    InfoDocument {
        schema: "ckpt-inspect/info/1",
        evidence: EvidenceRecord::of(checkpoint),
        container: ContainerRecord::of(container),
        engine: EngineRecord {
            name: container.engine.word(),
            version: container.engine_version.as_deref(),
        },
        pod: container.pod.as_ref().map(PodRecord::of),
        checkpointed_at: time(container, Event::Checkpointed),
        statistics: checkpoint.statistics().map(StatisticsRecord::of),
        sizes: SizesRecord::of(checkpoint.sizes()),
        arch: checkpoint.arch().map(|arch| arch.machine(checkpoint.byte_order())),
        times: container.times.iter().map(MomentRecord::of).collect(),
        network: container.network.iter().map(InterfaceRecord::of).collect(),
        user_namespaces: checkpoint.user_namespaces().iter().map(UserNamespaceRecord::of).collect(),
        mounts: container.mounts.iter().map(SpecMountRecord::of).collect(),
        bind_mounts: container.bind_mounts.iter().map(BindMountRecord::of).collect(),
        annotations: &container.annotations,
        criu: CriuRecord::of(checkpoint, checkpoint.criu()),
        host: HostRecord::of(&container.host),
        image_directories: directories
            .map(|directory| ImageDirectoryRecord::of(directory, checkpoint.directory()))
            .collect(),
        logs: logs(&accounting).map(MemberRecord::of).collect(),
        images: ImagesRecord::of(checkpoint, &accounting),
        never_captured: container.engine.never_captured(),
        defects: defects(checkpoint),
    }
}

fn time(container: &Container, event: Event) -> Option<String> {
    container.time(event).map(|moment| moment.time.to_string())
}

/// The container's identity and how it was started.
#[derive(Clone, Debug, Serialize)]
pub struct ContainerRecord<'a> {
    /// The name its user knows.
    pub name: Option<&'a str>,
    /// Id.
    pub id: Option<&'a str>,
    /// Image name.
    pub image: Option<&'a str>,
    /// Image id or digest.
    pub image_id: Option<&'a str>,
    /// OCI runtime.
    pub runtime: Option<&'a str>,
    /// Version of the runtime.
    pub runtime_version: Option<&'a str>,
    /// When it was created, RFC 3339.
    pub created: Option<String>,
    /// Host name inside.
    pub hostname: Option<&'a str>,
    /// The engine's own name for it, where that is another one.
    pub engine_name: Option<&'a str>,
    /// Command.
    pub command: &'a [String],
    /// Environment it was started with.
    pub env: &'a [String],
    /// Working directory it was started in.
    pub cwd: Option<&'a str>,
    /// Labels.
    pub labels: &'a BTreeMap<String, String>,
    /// Whether it ran privileged.
    pub privileged: Option<bool>,
    /// Root file system on the host.
    pub rootfs: Option<&'a str>,
}

impl<'a> ContainerRecord<'a> {
    fn of(container: &'a Container) -> Self {
        Self {
            name: container.name.as_deref(),
            id: container.id.as_deref(),
            image: container.image.as_deref(),
            image_id: container.image_id.as_deref(),
            runtime: container.runtime.as_deref(),
            runtime_version: container.runtime_version.as_deref(),
            created: time(container, Event::Created),
            hostname: container.hostname.as_deref(),
            engine_name: container.engine_name.as_deref(),
            command: &container.command,
            env: &container.env,
            cwd: container.cwd.as_deref(),
            labels: &container.labels,
            privileged: container.privileged,
            rootfs: container.rootfs.as_deref(),
        }
    }
}

/// Who made the checkpoint.
#[derive(Clone, Debug, Serialize)]
pub struct EngineRecord<'a> {
    /// `podman`, `cri-o`, `containerd`, `docker` or `criu`.
    pub name: &'static str,
    /// Its version.
    pub version: Option<&'a str>,
}

/// A pod.
#[derive(Clone, Debug, Serialize)]
pub struct PodRecord<'a> {
    /// Name.
    pub name: Option<&'a str>,
    /// Namespace.
    pub namespace: Option<&'a str>,
    /// Uid.
    pub uid: Option<&'a str>,
    /// Id of its sandbox.
    pub sandbox_id: Option<&'a str>,
}

impl<'a> PodRecord<'a> {
    fn of(pod: &'a Pod) -> Self {
        Self {
            name: pod.name.as_deref(),
            namespace: pod.namespace.as_deref(),
            uid: pod.uid.as_deref(),
            sandbox_id: pod.sandbox_id.as_deref(),
        }
    }
}

/// What CRIU counted: times in microseconds, pages of the processes and (`sh`) of shared memory.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct StatisticsRecord {
    pub freezing_us: u32,
    pub frozen_us: u32,
    pub memdump_us: u32,
    pub memwrite_us: u32,
    pub pages_scanned: u64,
    pub pages_written: u64,
    pub pages_skipped_parent: u64,
    pub pages_lazy: Option<u64>,
    pub shpages_scanned: Option<u64>,
    pub shpages_written: Option<u64>,
    pub shpages_skipped_parent: Option<u64>,
}

impl StatisticsRecord {
    fn of(stats: &DumpStatsEntry) -> Self {
        Self {
            freezing_us: stats.freezing_time,
            frozen_us: stats.frozen_time,
            memdump_us: stats.memdump_time,
            memwrite_us: stats.memwrite_time,
            pages_scanned: stats.pages_scanned,
            pages_written: stats.pages_written,
            pages_skipped_parent: stats.pages_skipped_parent,
            pages_lazy: stats.pages_lazy,
            shpages_scanned: stats.shpages_scanned,
            shpages_written: stats.shpages_written,
            shpages_skipped_parent: stats.shpages_skipped_parent,
        }
    }
}

/// Sizes in bytes.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct SizesRecord {
    /// The evidence as it lies there.
    pub archive: u64,
    /// All images of the chosen directory.
    pub images: u64,
    /// Its pages files.
    pub pages: u64,
    /// `rootfs-diff.tar`.
    pub rootfs_diff: Option<u64>,
}

impl SizesRecord {
    fn of(sizes: Sizes) -> Self {
        Self {
            archive: sizes.archive,
            images: sizes.images,
            pages: sizes.pages,
            rootfs_diff: sizes.rootfs_diff,
        }
    }
}

/// A time with its source.
#[derive(Clone, Debug, Serialize)]
pub struct MomentRecord<'a> {
    /// `created`, `started`, `checkpointed`, `restored`, `image-created`, `config-seen` or `rollout`.
    pub what: &'static str,
    /// RFC 3339.
    pub time: String,
    /// Member and key that tell it.
    pub source: &'a str,
}

impl<'a> MomentRecord<'a> {
    fn of(moment: &'a Moment) -> Self {
        Self { what: moment.event.word(), time: moment.time.to_string(), source: &moment.source }
    }
}

/// A network interface.
#[derive(Clone, Debug, Serialize)]
pub struct InterfaceRecord<'a> {
    /// Network it belongs to.
    pub network: Option<&'a str>,
    /// Name inside the container.
    pub name: Option<&'a str>,
    /// Addresses.
    pub addresses: &'a [String],
    /// Gateways.
    pub gateways: &'a [String],
    /// MAC address.
    pub mac: Option<&'a str>,
    /// Member or annotation that tells it.
    pub source: &'a str,
}

impl<'a> InterfaceRecord<'a> {
    fn of(interface: &'a Interface) -> Self {
        Self {
            network: interface.network.as_deref(),
            name: interface.name.as_deref(),
            addresses: &interface.addresses,
            gateways: &interface.gateways,
            mac: interface.mac.as_deref(),
            source: &interface.source,
        }
    }
}

/// A user namespace.
#[derive(Clone, Debug, Serialize)]
pub struct UserNamespaceRecord {
    /// CRIU's small id.
    pub ns: u32,
    /// Users.
    pub uid_map: Vec<IdRangeRecord>,
    /// Groups.
    pub gid_map: Vec<IdRangeRecord>,
}

impl UserNamespaceRecord {
    fn of(namespace: &UserNamespace) -> Self {
        let all = |ranges: &[IdRange]| ranges.iter().map(IdRangeRecord::of).collect();
        Self { ns: namespace.ns, uid_map: all(&namespace.users), gid_map: all(&namespace.groups) }
    }
}

/// Ids that follow each other inside and outside.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct IdRangeRecord {
    /// The first one, as the container has it.
    pub inside: u32,
    /// The first one outside.
    pub outside: u32,
    /// How many.
    pub count: u32,
}

impl IdRangeRecord {
    fn of(range: &IdRange) -> Self {
        Self { inside: range.inside, outside: range.outside, count: range.count }
    }
}

/// A mount of the runtime spec.
#[derive(Clone, Debug, Serialize)]
pub struct SpecMountRecord<'a> {
    /// Path inside the container.
    pub destination: &'a str,
    /// File system type.
    #[serde(rename = "type")]
    pub kind: Option<&'a str>,
    /// Path on the host, or a name.
    pub source: Option<&'a str>,
    /// Options.
    pub options: &'a [String],
}

impl<'a> SpecMountRecord<'a> {
    fn of(mount: &'a SpecMount) -> Self {
        Self {
            destination: &mount.destination,
            kind: mount.kind.as_deref(),
            source: mount.source.as_deref(),
            options: &mount.options,
        }
    }
}

/// A mount point that the engine made for a bind mount.
#[derive(Clone, Debug, Serialize)]
pub struct BindMountRecord<'a> {
    /// Path inside the container.
    pub destination: &'a str,
    /// Path on the host.
    pub source: &'a str,
    /// `directory` or `file`.
    pub file_type: &'a str,
    /// Permission bits, octal.
    pub mode: String,
}

impl<'a> BindMountRecord<'a> {
    fn of(mount: &'a BindMount) -> Self {
        Self {
            destination: &mount.destination,
            source: &mount.source,
            file_type: &mount.file_type,
            mode: format!("{:o}", mount.permissions),
        }
    }
}
