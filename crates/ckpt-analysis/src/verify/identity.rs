//! Whether what the engine wrote and what CRIU wrote are of one container.

use std::collections::BTreeSet;

use ckpt_model::{Checkpoint, Engine};
use criu_image::ImageKind;
use criu_image::messages::CgroupEntry;
use serde_json::Value;

use super::check::{Check, Effect, Spec};
use super::reader::{Subject, escaped, inside};

pub(super) const CONTAINER: Spec = Spec::coded(
    "C14",
    "container-identity",
    "the container's id in config.dump with that in cgroup paths, runtime spec and annotations",
);

pub(super) const ENGINE_FILES: Spec = Spec::of(
    "engine-files",
    "the files that the container's engine always writes beside the images with the members",
);

/// Members that describe the container, and the key of its id there.
const TOLD: [(&str, &str); 3] =
    [("config.dump", "id"), ("config.v2.json", "ID"), ("status.dump", "id")];

/// Largest description that is read, bytes.
const MAX_DESCRIPTION: u64 = 16 << 20;

/// Digits of a container's id.
const DIGITS: usize = 64;

/// The id that the engine's own description tells, and where.
fn told(checkpoint: &Checkpoint) -> Option<(String, String)> {
    TOLD.iter().find_map(|(name, key)| {
        let member = member(checkpoint, name)?;
        let content = checkpoint.evidence().content(member).ok()?;
        if content.len() > MAX_DESCRIPTION {
            return None;
        }
        let value: Value = serde_json::from_slice(&content.bytes().ok()?).ok()?;
        let id = value.get(*key)?.as_str().filter(|id| !id.is_empty())?.to_owned();
        Some((escaped(&member.path), id))
    })
}

/// A member in the container's folder.
pub(super) fn member<'a>(
    checkpoint: &'a Checkpoint,
    name: &str,
) -> Option<&'a ckpt_archive::Member> {
    checkpoint.evidence().get(&inside(checkpoint.place().path.as_bytes(), name))
}

/// C14: one container.
pub(super) fn container(subject: &Subject<'_>) -> Check {
    let checkpoint = subject.checkpoint;
    let Some((place, id)) = told(checkpoint) else {
        return match checkpoint.container().engine {
            Engine::Criu => CONTAINER.not_applicable("no engine describes a container"),
            _ => CONTAINER.not_checkable("the engine's description tells no id"),
        };
    };
    let mut check = CONTAINER.begin();
    let mut agreeing = Vec::new();
    let mut compare = |what: &str, at: String, texts: Vec<Vec<u8>>| {
        let ids: BTreeSet<&[u8]> = texts.iter().flat_map(|text| ids_in(text)).collect();
        if texts.iter().any(|text| contains(text, id.as_bytes())) {
            agreeing.push(what.to_owned());
        } else if let Some(other) = ids.first() {
            let what = format!("{what} is of container {}, {place} of {id}", escaped(other));
            check.tell(Effect::Remark, at, what);
        }
    };
    let own = checkpoint.inventory().and_then(|inventory| inventory.root_cg_set);
    let cgroups = subject.read::<CgroupEntry>(ImageKind::Cgroup, None);
    let sets = cgroups.list.iter().flat_map(|cgroup| &cgroup.sets);
    let paths = sets.filter(|set| Some(set.id) != own).flat_map(|set| &set.ctls);
    let paths = paths.map(|ctl| ctl.path.clone()).collect();
    compare("the cgroup path", subject.place(ImageKind::Cgroup, None), paths);
    let container = checkpoint.container();
    let spec = || "spec.dump".to_owned();
    if let Some(path) = &container.cgroups_path {
        compare("the cgroup path of the spec", spec(), vec![path.clone().into_bytes()]);
    }
    if let Some(annotated) = container.annotations.get("io.kubernetes.cri-o.ContainerID") {
        compare("the annotation", spec(), vec![annotated.clone().into_bytes()]);
    }
    if let Some(root) = container.rootfs.as_ref().filter(|root| !is_of_layer(root)) {
        compare("the root path", spec(), vec![root.clone().into_bytes()]);
    }
    if agreeing.is_empty() && !check.has_failed() {
        return CONTAINER.not_checkable(format!("{place} alone tells an id"));
    }
    check.end(format!("{id} by {place}"), format!("the same in {}", agreeing.join(", ")))
}

/// Whether a root path lies in a store of layers, which have ids of their own: `overlay/ID/merged`. A runtime's
/// directory has the container's id: `io.containerd.runtime.v2.task/k8s.io/ID/rootfs`.
fn is_of_layer(root: &str) -> bool {
    const STORES: [&str; 7] =
        ["overlay", "overlay2", "fuse-overlayfs", "dir", "mnt", "subvolumes", "graph"];
    root.split('/')
        .zip(root.split('/').skip(1))
        .any(|(folder, name)| STORES.contains(&folder) && ids_in(name.as_bytes()).next().is_some())
}

/// Words of 64 hexadecimal digits.
fn ids_in(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| !byte.is_ascii_hexdigit()).filter(|word| word.len() == DIGITS)
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && text.windows(part.len()).any(|window| window == part)
}

/// The members beside the images that the engine writes into every archive; none where nothing was exported.
///
/// podman leaves `rootfs-diff.tar` out when nothing changed or it was told to, and old ones wrote no `stats-dump`.
/// Source: `cri-o/internal/lib/checkpoint.go`, `containerd/internal/cri/server/container_checkpoint_linux.go`,
/// `podman/libpod/container_internal_common.go`.
pub(super) fn always_written(checkpoint: &Checkpoint) -> &'static [&'static str] {
    match checkpoint.container().engine {
        Engine::Podman => &["config.dump", "spec.dump"],
        Engine::CriO => &["config.dump", "spec.dump", "dump.log", "stats-dump", "rootfs-diff.tar"],
        // `ctr` writes blobs of other kinds.
        Engine::Containerd if member(checkpoint, "spec.any").is_none() => &[
            "config.dump",
            "spec.dump",
            "status",
            "status.dump",
            "dump.log",
            "stats-dump",
            "rootfs-diff.tar",
        ],
        _ => &[],
    }
}

/// The members that an engine always writes.
pub(super) fn engine_files(checkpoint: &Checkpoint) -> Check {
    let wanted = always_written(checkpoint);
    if wanted.is_empty() {
        return ENGINE_FILES.not_applicable("not an archive that podman or a CRI runtime exported");
    }
    let engine = checkpoint.container().engine.word();
    let mut check = ENGINE_FILES.begin();
    let mut there = Vec::new();
    for name in wanted {
        match member(checkpoint, name) {
            None => {
                let what = format!("{engine} always writes it, and it is not there");
                check.tell(Effect::Incomplete, *name, what);
            }
            Some(member) if member.size == 0 => {
                let what = format!("it is empty, and {engine} always writes something into it");
                check.tell(Effect::Incomplete, escaped(&member.path), what);
            }
            Some(_) => there.push(*name),
        }
    }
    let there = if there.is_empty() { "none of them".to_owned() } else { there.join(", ") };
    check.end(wanted.join(", "), there)
}
