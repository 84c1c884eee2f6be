//! Ready-made checkpoints with known contents.
//!
//! A story that is about images is a [`Dump`]: put it into the archive of any engine. A story that is about members is an
//! [`Archive`]. What a test should find is said at each, and is a constant where it is more than a word.

mod chains;
mod dialects;
mod hostile;
mod members;
mod memory;
mod processes;
mod trees;

pub use chains::*;
pub use dialects::*;
pub use hostile::*;
pub use members::*;
pub use memory::*;
pub use processes::*;
pub use trees::*;

use crate::{Archive, Dump, Task};

/// The environment variable of [`looper`]'s shell.
pub const LOOPER_TOKEN: &str = "LOOP_TOKEN=tok-3f9a-looper";

/// A shell (pid 1) and its child `sleep` (pid 2), alive, x86-64, CRIU 4.2. Pid 1 has [`LOOPER_TOKEN`].
#[must_use]
pub fn looper() -> Dump {
    let mut dump = Dump::new();
    dump.task(looper_shell()).task(looper_sleep());
    dump
}

pub(crate) fn looper_shell() -> Task {
    Task::new(1, 0)
        .exe("/bin/busybox")
        .comm("sh")
        .argv(&["sh", "-c", "while :; do sleep 1; done"])
        .env(&["PATH=/usr/bin:/bin", LOOPER_TOKEN])
}

pub(crate) fn looper_sleep() -> Task {
    Task::new(2, 1).exe("/bin/busybox").comm("sleep").argv(&["sleep", "1"])
}

/// Every story by name, in an archive: for tests of the kind "whatever comes, nothing panics", and for fuzzing.
#[must_use]
pub fn all() -> Vec<(&'static str, Archive)> {
    let mut all: Vec<(&'static str, Archive)> = [
        ("looper", looper()),
        ("criu_317", criu_317()),
        ("criu_41", criu_41()),
        ("split_layout", split_layout()),
        ("split_layout_v1_0", split_layout_v1_0()),
        ("s390x", s390x()),
        ("aarch64", aarch64(4096)),
        ("aarch64_16k", aarch64(16384)),
        ("aarch64_64k", aarch64(65536)),
        ("ppc64le", ppc64le()),
        ("riscv64", riscv64()),
        ("loongarch64", loongarch64()),
        ("lz4_a_per_page", lz4_a_per_page()),
        ("lz4_a_packed", lz4_a_packed()),
        ("lz4_a_unpacked", lz4_a_unpacked()),
        ("lz4_b_per_page", lz4_b_per_page()),
        ("lz4_b", lz4_b()),
        ("lz4_b_aligned", lz4_b_aligned()),
        ("lz4_b_padded", lz4_b_padded()),
        ("lz4_mixed", lz4_mixed()),
        ("pre_dump", pre_dump()),
        ("zombies", zombies()),
        ("ppid_loop", ppid_loop()),
        ("self_parent", self_parent()),
        ("orphan", orphan()),
        ("two_roots", two_roots()),
        ("duplicate_pid", duplicate_pid()),
        ("child_first", child_first()),
        ("crowd", crowd(40)),
        ("deep", deep(300)),
        ("broken_environ", broken_environ()),
        ("titles", titles()),
        ("sharing", sharing()),
        ("deleted_exe", deleted_exe()),
        ("memfd_exe", memfd_exe()),
        ("kworker", kworker()),
        ("threads", threads()),
        ("credentials", credentials()),
        ("control_bytes", control_bytes()),
        ("descriptors", descriptors()),
        ("address_space", every_mapping()),
        ("shared_memory", shared_memory()),
        ("patched_text", patched_text()),
        ("aborted", aborted()),
        ("missing_pages", missing_pages()),
        ("truncated", truncated()),
        ("hostile_numbers", hostile_numbers()),
    ]
    .into_iter()
    .map(|(name, dump)| (name, Archive::podman(&dump)))
    .collect();
    let (pre, last) = podman_chain();
    all.extend([
        ("crio", Archive::crio(&looper())),
        ("containerd", Archive::containerd(&looper())),
        ("docker_dir", Archive::docker_dir(&looper(), "cp1")),
        ("bare", Archive::bare(&looper(), "")),
        ("podman_pre", pre),
        ("podman_final", last),
        ("chain_two", chain_two()),
        ("chain_three", chain_three()),
        ("chain_cycle", chain_cycle()),
        ("stale_images", stale_images()),
        ("unseen_process", unseen_process()),
        ("aborted_crio", aborted_crio()),
        ("pod_directory", pod_directory()),
        ("pod_archive", pod_archive()),
        ("trailing_bytes", trailing_bytes()),
        ("odd_members", odd_members()),
        ("hostile_members", hostile_members()),
        ("hostile_tar", hostile_tar()),
    ]);
    all
}
