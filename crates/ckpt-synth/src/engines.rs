//! Archives as the engines write them: the images, and the members that each engine puts around them.

use crate::archive::Archive;
use crate::container::{Container, hex_id};
use crate::dump::{Dump, Engine};
use crate::json::{Json, map};
use crate::tar::Member;

impl Archive {
    /// What `podman container checkpoint --export` writes. A pre-dump goes to `pre-checkpoint/`.
    #[must_use]
    pub fn podman(dump: &Dump) -> Self {
        let container = dump.container_or_default();
        let engine = Engine {
            cgroup: format!("/machine.slice/libpod-{}.scope/container", container.id),
            external_net: false,
        };
        let mut archive = at(&container);
        archive.push(Member::dir("artifacts"));
        archive.member("devshm-checkpoint.tar", devshm(&container).tar());
        private(&mut archive, "config.dump", &podman_config(&container).pretty());
        private(&mut archive, "spec.dump", &spec(&container, podman_annotations()).pretty());
        private(&mut archive, "network.status", &network_status(&container).pretty());
        archive.member("stats-dump", dump.stats());
        archive.push(Member::file("ctr.log", container.log.as_bytes()).mode(0o640));
        let prefix = if dump.is_pre_dump() { "pre-checkpoint" } else { "checkpoint" };
        images(&mut archive, prefix, dump, &engine, 0o700);
        if !dump.is_pre_dump() {
            archive.member("rootfs-diff.tar", rootfs_diff(&container).tar());
            archive.member("deleted.files", Json::from(vec!["/etc/motd"]).pretty().into_bytes());
        }
        archive
    }

    /// What CRI-O writes for the kubelet.
    #[must_use]
    pub fn crio(dump: &Dump) -> Self {
        let container = dump.container_or_default();
        let name = format!("k8s_{}", container.pod_name());
        let engine = Engine {
            cgroup: format!(
                "/kubepods.slice/kubepods-besteffort.slice/crio-{}.scope",
                container.id
            ),
            external_net: true,
        };
        let mut archive = at(&container);
        archive.member("stats-dump", dump.stats());
        private(&mut archive, "dump.log", &dump_log(dump, &[]));
        images(&mut archive, "checkpoint", dump, &engine, 0o600);
        let config = cri_config(&container, &name, &container.image_id, "runc");
        private(&mut archive, "config.dump", &config.pretty());
        let annotations = crio_annotations(&container, &name);
        private(&mut archive, "spec.dump", &spec(&container, annotations).pretty());
        let bind = |destination: &str| {
            map([
                ("source", format!("/run/containers/{}{destination}", container.id).into()),
                ("destination", destination.into()),
                ("file_type", "file".into()),
                ("permissions", 420.into()),
            ])
        };
        let binds = Json::List(vec![bind("/etc/resolv.conf"), bind("/etc/hostname")]);
        private(&mut archive, "bind.mounts", &binds.pretty());
        archive.member("rootfs-diff.tar", rootfs_diff(&container).tar());
        archive.member("deleted.files", Json::from(vec!["/etc/motd"]).pretty().into_bytes());
        private(&mut archive, "io.kubernetes.cri-o.LogPath", &container.log);
        archive
    }

    /// What containerd writes for the kubelet.
    #[must_use]
    pub fn containerd(dump: &Dump) -> Self {
        let container = dump.container_or_default();
        let name = container.pod_name();
        let engine = Engine {
            cgroup: format!("/kubepods/besteffort/pod{}/{}", container.pod_uid, container.id),
            external_net: true,
        };
        let mut archive = at(&container);
        images(&mut archive, "checkpoint", dump, &engine, 0o700);
        let image_ref = format!("sha256:{}", container.image_id);
        let config = cri_config(&container, &name, &image_ref, "io.containerd.runc.v2");
        private(&mut archive, "config.dump", &config.compact());
        private(&mut archive, "container.log", &container.log);
        private(&mut archive, "dump.log", &dump_log(dump, &[]));
        archive.member("rootfs-diff.tar", whiteout_diff(&container).tar_gz());
        let spec = spec(&container, containerd_annotations(&container));
        archive.member("spec.dump", spec.compact().into_bytes());
        archive.member("stats-dump", dump.stats());
        private(&mut archive, "status", &containerd_status(&container).compact());
        private(&mut archive, "status.dump", &containerd_status_dump(&container).compact());
        archive
    }

    /// A container's directory of Docker, with the checkpoint `name` in it.
    #[must_use]
    pub fn docker_dir(dump: &Dump, name: &str) -> Self {
        let container = dump.container_or_default();
        let engine = Engine {
            cgroup: format!("/system.slice/docker-{}.scope", container.id),
            external_net: true,
        };
        let mut archive = at(&container);
        let config = map([
            ("ID", (&container.id).into()),
            ("Name", format!("/{}", container.name).into()),
            ("Created", (&container.created).into()),
            ("Path", container.command.first().cloned().unwrap_or_default().into()),
            ("Args", container.command.iter().skip(1).cloned().collect::<Vec<_>>().into()),
            ("Image", format!("sha256:{}", container.image_id).into()),
            (
                "Config",
                map([
                    ("Hostname", (&container.hostname).into()),
                    ("Image", (&container.image).into()),
                    ("Env", container.env.clone().into()),
                    ("Cmd", container.command.clone().into()),
                ]),
            ),
            ("Driver", "overlay2".into()),
        ]);
        private(&mut archive, "config.v2.json", &config.compact());
        let host = map([("NetworkMode", "bridge".into()), ("Privileged", false.into())]);
        private(&mut archive, "hostconfig.json", &host.compact());
        archive.member("hostname", format!("{}\n", container.hostname).into_bytes());
        let log = map([
            ("log", "tick 1\n".into()),
            ("stream", "stdout".into()),
            ("time", (&container.created).into()),
        ]);
        let log = log.compact() + "\n";
        private(&mut archive, &format!("{}-json.log", container.id), &log);
        images(&mut archive, &format!("checkpoints/{name}"), dump, &engine, 0o700);
        archive
    }

    /// Images as plain `criu dump` leaves them, with `stats-dump`, below `prefix` (`""`, or with a slash at its end).
    #[must_use]
    pub fn bare(dump: &Dump, prefix: &str) -> Self {
        let container = dump.container_or_default();
        let mut archive = at(&container);
        if !prefix.is_empty() {
            archive.push(Member::dir(prefix).mode(0o700));
        }
        for (name, content) in dump.contents() {
            archive.member(format!("{prefix}{name}"), content);
        }
        archive.member(format!("{prefix}stats-dump"), dump.stats());
        if let Some(target) = dump.parent_target() {
            archive.symlink(format!("{prefix}parent"), target);
        }
        archive
    }

    /// Several containers side by side: each archive's members below `NAME/`.
    #[must_use]
    pub fn pod_directory(containers: &[(&str, Archive)]) -> Self {
        let mut pod = Self::new();
        for (name, archive) in containers {
            pod.dir(*name).nest(&format!("{name}/"), archive);
        }
        pod
    }

    /// Several containers as archives inside one: `pod.options`, `pod.dump` and `NAME.tar` for each.
    #[must_use]
    pub fn pod_archive(pod: &str, containers: &[(&str, Archive)]) -> Self {
        let mut outer = Self::new();
        let files = containers
            .iter()
            .map(|(name, _)| ((*name).to_owned(), Json::from(format!("{name}.tar"))))
            .collect();
        let options = map([("version", 1.into()), ("containers", Json::Map(files))]);
        private(&mut outer, "pod.options", &options.pretty());
        let config = map([
            ("metadata", map([("name", pod.into()), ("namespace", "default".into())])),
            ("hostname", pod.into()),
        ]);
        private(&mut outer, "pod.dump", &config.pretty());
        for (name, archive) in containers {
            outer.push(Member::file(format!("{name}.tar"), archive.tar()).mode(0o600));
        }
        outer
    }
}

/// `dump.log` of a successful dump: what CRIU says when it seizes the tasks, and `extra` lines after that. Host pids are
/// the container's plus 20000.
#[must_use]
pub fn dump_log(dump: &Dump, extra: &[&str]) -> String {
    let mut log = String::from(
        "(00.000000) CRIU run id = 3ba07481-9117-47ae-bcd3-f74246339fd6\n\
         (00.000027) Version: 4.2.1 (gitid 0)\n\
         (00.000041) Running on node Linux 6.18.44 #1 SMP x86_64\n",
    );
    for pid in dump.pids() {
        log.push_str(&format!(
            "(00.029027) SEIZE {} (comm sh): success\n",
            u64::from(pid) + 20_000
        ));
    }
    for line in extra {
        log.push_str(&format!("(00.029061) {line}\n"));
    }
    log.push_str("(00.214537) Writing stats\n(00.214601) Dumping finished successfully\n");
    log
}

fn at(container: &Container) -> Archive {
    let mut archive = Archive::new();
    archive.mtime(container.mtime);
    archive
}

fn private(archive: &mut Archive, name: &str, text: &str) {
    archive.push(Member::file(name, text.as_bytes()).mode(0o600));
}

/// The image directory, with `descriptors.json` as the runtime writes it.
fn images(archive: &mut Archive, prefix: &str, dump: &Dump, engine: &Engine, mode: u32) {
    let container = dump.container_or_default();
    archive.push(Member::dir(prefix).mode(mode));
    for (name, content) in dump.contents_for(engine) {
        archive.member(format!("{prefix}/{name}"), content);
    }
    let descriptors = Json::from(vec!["/dev/null", "pipe:[289558]", "pipe:[289559]"]);
    let text = match container.runtime.as_str() {
        "crun" => descriptors.pretty().replace('/', "\\/"),
        _ => descriptors.compact(),
    };
    let file = Member::file(format!("{prefix}/descriptors.json"), text.into_bytes());
    archive.push(file.mode(0o700));
    if let Some(target) = dump.parent_target() {
        archive.symlink(format!("{prefix}/parent"), target);
    }
}

fn rootfs_diff(container: &Container) -> Archive {
    let mut diff = at(container);
    diff.member("data/count", b"41\n").member("tmp/f", b"counter file\n");
    diff
}

/// As containerd: an OCI layer, with deletions as whiteouts.
fn whiteout_diff(container: &Container) -> Archive {
    let mut diff = at(container);
    diff.dir("data").member("data/count", b"41\n").dir("etc");
    diff.push(Member::file("etc/.wh.motd", b"").mode(0).mtime(0));
    diff
}

fn devshm(container: &Container) -> Archive {
    let mut shm = at(container);
    shm.push(Member::dir("./").mode(0o1777)).member("./queue", b"in shared memory\n");
    shm
}

fn capabilities() -> Json {
    let list = || Json::from(vec!["CAP_CHOWN", "CAP_KILL", "CAP_SETGID", "CAP_SETUID"]);
    map([("bounding", list()), ("effective", list()), ("permitted", list())])
}

/// The OCI runtime specification.
fn spec(container: &Container, annotations: Json) -> Json {
    let mount = |destination: &str, kind: &str, source: &str| {
        map([
            ("destination", destination.into()),
            ("type", kind.into()),
            ("source", source.into()),
            ("options", vec!["nosuid", "noexec"].into()),
        ])
    };
    let pid = map([("type", "pid".into())]);
    let pid = if container.shared_pid_namespace {
        pid.with([("path", "/proc/14120/ns/pid".into())])
    } else {
        pid
    };
    let process = map([
        ("user", map([("uid", 0.into()), ("gid", 0.into())])),
        ("args", container.command.clone().into()),
        ("env", container.env.clone().into()),
        ("cwd", "/".into()),
        ("capabilities", capabilities()),
        (
            "rlimits",
            Json::List(vec![map([
                ("type", "RLIMIT_CORE".into()),
                ("hard", u64::MAX.into()),
                ("soft", u64::MAX.into()),
            ])]),
        ),
    ]);
    let root = format!("/var/lib/containers/storage/overlay/{}/merged", container.id);
    map([
        ("ociVersion", "1.2.1".into()),
        ("process", process),
        ("root", map([("path", root.into())])),
        ("hostname", (&container.hostname).into()),
        (
            "mounts",
            Json::List(vec![
                mount("/proc", "proc", "proc"),
                mount("/dev", "tmpfs", "tmpfs"),
                mount("/dev/shm", "bind", "/run/shm"),
            ]),
        ),
        ("annotations", annotations),
        (
            "linux",
            map([
                ("resources", map([("pids", map([("limit", 2048.into())]))])),
                (
                    "namespaces",
                    Json::List(vec![
                        pid,
                        map([("type", "mount".into())]),
                        map([("type", "network".into()), ("path", "/run/netns/synth".into())]),
                    ]),
                ),
                ("maskedPaths", vec!["/proc/kcore", "/proc/keys"].into()),
            ]),
        ),
    ])
}

fn podman_annotations() -> Json {
    map([
        ("io.container.manager", "libpod".into()),
        ("io.podman.annotations.autoremove", "FALSE".into()),
        ("org.opencontainers.image.stopSignal", "15".into()),
    ])
}

fn podman_config(container: &Container) -> Json {
    map([
        ("spec", spec(container, podman_annotations())),
        ("id", (&container.id).into()),
        ("name", (&container.name).into()),
        ("lockID", 0.into()),
        ("rootfsImageID", (&container.image_id).into()),
        ("rootfsImageName", (&container.image).into()),
        ("RawImageName", (&container.image).into()),
        ("runtime", (&container.runtime).into()),
        ("createdTime", (&container.created).into()),
        ("command", container.command.clone().into()),
        ("CreateCommand", vec!["podman", "run", "-d", container.image.as_str()].into()),
        ("logDriver", "k8s-file".into()),
        (
            "logPath",
            format!(
                "/var/lib/containers/storage/overlay-containers/{}/userdata/ctr.log",
                container.id
            )
            .into(),
        ),
        ("stopSignal", 15.into()),
        ("hostname", (&container.hostname).into()),
        ("privileged", false.into()),
    ])
}

fn network_status(container: &Container) -> Json {
    if container.ip.is_none() {
        return Json::Null;
    }
    let subnet = map([
        ("ipnet", format!("{}/16", container.ip_text()).into()),
        ("gateway", "10.88.0.1".into()),
    ]);
    let eth0 =
        map([("subnets", Json::List(vec![subnet])), ("mac_address", "52:54:00:12:34:56".into())]);
    map([("podman", map([("interfaces", map([("eth0", eth0)]))]))])
}

fn cri_config(container: &Container, name: &str, image_ref: &str, runtime: &str) -> Json {
    map([
        ("id", (&container.id).into()),
        ("name", name.into()),
        ("rootfsImage", (&container.image).into()),
        ("rootfsImageRef", image_ref.into()),
        ("rootfsImageName", (&container.image).into()),
        ("runtime", runtime.into()),
        ("createdTime", (&container.created).into()),
        ("checkpointedTime", (&container.checkpointed).into()),
        ("restoredTime", "0001-01-01T00:00:00Z".into()),
        ("restored", false.into()),
    ])
}

/// Labels of the pod, as Kubernetes names them.
fn labels(container: &Container) -> Json {
    map([
        ("io.kubernetes.container.name", (&container.name).into()),
        ("io.kubernetes.pod.name", (&container.pod).into()),
        ("io.kubernetes.pod.namespace", (&container.namespace).into()),
        ("io.kubernetes.pod.uid", (&container.pod_uid).into()),
    ])
}

fn crio_annotations(container: &Container, name: &str) -> Json {
    let log = format!(
        "/var/log/pods/{}_{}_{}/{}/0.log",
        container.namespace, container.pod, container.pod_uid, container.name
    );
    let metadata = map([("name", (&container.name).into())]).compact();
    map([
        ("io.container.manager", "cri-o".into()),
        ("io.kubernetes.container.name", (&container.name).into()),
        ("io.kubernetes.cri-o.Annotations", "{\"note\":\"a<b\"}".into()),
        ("io.kubernetes.cri-o.ContainerID", (&container.id).into()),
        ("io.kubernetes.cri-o.Created", (&container.created).into()),
        ("io.kubernetes.cri-o.IP.0", container.ip_text().into()),
        ("io.kubernetes.cri-o.ImageName", (&container.image).into()),
        ("io.kubernetes.cri-o.Labels", labels(container).compact().into()),
        ("io.kubernetes.cri-o.LogPath", log.into()),
        ("io.kubernetes.cri-o.Metadata", metadata.into()),
        ("io.kubernetes.cri-o.Name", name.into()),
        ("io.kubernetes.cri-o.SandboxID", hex_id(&container.pod).into()),
        ("io.kubernetes.pod.name", (&container.pod).into()),
        ("io.kubernetes.pod.namespace", (&container.namespace).into()),
        ("io.kubernetes.pod.uid", (&container.pod_uid).into()),
        ("kubectl.kubernetes.io/restartedAt", "2026-11-23T01:11:05+01:00".into()),
        ("kubernetes.io/config.seen", "2026-11-23T00:11:06.597845011Z".into()),
    ])
}

fn containerd_annotations(container: &Container) -> Json {
    map([
        ("io.kubernetes.cri.container-name", (&container.name).into()),
        ("io.kubernetes.cri.container-type", "container".into()),
        ("io.kubernetes.cri.image-name", (&container.image).into()),
        ("io.kubernetes.cri.sandbox-id", hex_id(&container.pod).into()),
        ("io.kubernetes.cri.sandbox-name", (&container.pod).into()),
        ("io.kubernetes.cri.sandbox-namespace", (&container.namespace).into()),
        ("io.kubernetes.cri.sandbox-uid", (&container.pod_uid).into()),
    ])
}

fn containerd_status(container: &Container) -> Json {
    let started = container.mtime * 1_000_000_000;
    map([
        ("Version", "v1".into()),
        ("Pid", 20_001.into()),
        ("CreatedAt", (started - 181_839_141_019).into()),
        ("StartedAt", (started - 181_000_000_000).into()),
        ("FinishedAt", 0.into()),
        ("ExitCode", 0.into()),
        ("Reason", "".into()),
        ("Message", "".into()),
        ("Resources", map([("linux", map([]))])),
    ])
}

fn containerd_status_dump(container: &Container) -> Json {
    let started = container.mtime * 1_000_000_000;
    map([
        ("id", (&container.id).into()),
        ("metadata", map([("name", (&container.name).into())])),
        ("state", 1.into()),
        ("created_at", (started - 181_839_141_019).into()),
        ("started_at", (started - 181_000_000_000).into()),
        ("image", map([("image", (&container.image).into())])),
        ("image_ref", format!("sha256:{}", container.image_id).into()),
        ("labels", labels(container)),
        ("annotations", map([("io.kubernetes.container.restartCount", "0".into())])),
        ("log_path", format!("/var/log/pods/{}/0.log", container.pod).into()),
    ])
}
