//! Archives whose members tell a story of their own.

use super::{LOOPER_TOKEN, looper};
use crate::engines::dump_log;
use crate::{Archive, Container, Dump, Kind, Member, NameForm, SparseForm, Task};

/// Second checkpoint of a container whose image directory was kept: pids 1 and 3 are in the tree; `core-2`, `ids-2`,
/// `mm-2`, `fs-2` and `pagemap-2` are of a process (`old-tool`) that exited between, three seconds older than the rest,
/// and `pagemap-2` names the pages file that is now pid 3's.
#[must_use]
pub fn stale_images() -> Archive {
    let mut earlier = Dump::new();
    earlier.task(Task::new(1, 0)).task(Task::new(2, 1).exe("/usr/bin/old-tool"));
    let mut now = Dump::new();
    now.task(Task::new(1, 0)).task(Task::new(3, 1).exe("/usr/bin/new-tool"));
    let mut archive = Archive::podman(&now);
    let time = Container::new("synth").mtime();
    let stale = ["core-2.img", "fs-2.img", "ids-2.img", "mm-2.img", "pagemap-2.img"];
    for (name, bytes) in earlier.images() {
        if stale.contains(&name.as_str()) {
            let name = format!("checkpoint/{name}");
            archive.push(Member::file(name, bytes).mtime(time - 3));
        }
    }
    archive
}

/// The host pid of the process that [`unseen_process`]'s dump missed.
pub const UNSEEN_HOST_PID: u32 = 26_334;

/// CRI-O with a pod that shares its pid namespace: the root task is pid 7, there is no pid 1, and `dump.log` says that
/// a process [`UNSEEN_HOST_PID`] (`sleep`) was in the container's cgroup and not in the dump.
#[must_use]
pub fn unseen_process() -> Archive {
    let mut dump = Dump::new();
    dump.container(Container::new("line").shared_pid_namespace().runtime("runc"))
        .task(Task::new(7, 0).argv(&["sh", "-c", "(sleep 7777 &) ; sleep 1"]))
        .task(Task::new(18, 7).exe("/bin/sleep").argv(&["sleep", "1"]));
    let seized = format!("SEIZE {UNSEEN_HOST_PID} (comm sleep): success");
    let unexpected = format!(
        "Warn  (criu/seize.c:404): Unexpected process {UNSEEN_HOST_PID} in the freezer cgroup (status 0x80057f)"
    );
    let log = dump_log(&dump, &[&seized, &unexpected]);
    let mut archive = Archive::crio(&dump);
    archive.replace("dump.log", log.into_bytes());
    archive
}

/// A dump that failed half-way: `inventory.img`, `pstree.img`, cores, memory and namespaces were never written.
#[must_use]
pub fn aborted() -> Dump {
    let mut dump = looper();
    for (name, _) in dump.images() {
        let kept = ["files", "fdinfo", "ids", "seccomp"];
        if !kept.iter().any(|start| name.starts_with(start)) {
            dump.without(&name);
        }
    }
    dump
}

/// [`aborted`] as CRI-O would have it, with the error at the end of `dump.log`.
#[must_use]
pub fn aborted_crio() -> Archive {
    let dump = aborted();
    let log = dump_log(
        &dump,
        &[
            "Error (criu/files-reg.c:1031): Can't dump ghost file /tmp/.sysupd of 2064384 size, increase limit",
            "Error (criu/cr-dump.c:2111): Dumping FAILED.",
        ],
    );
    let log = log.replace("Dumping finished successfully\n", "Unlock network\n");
    let mut archive = Archive::crio(&dump);
    archive.replace("dump.log", log.into_bytes()).without("stats-dump");
    archive
}

/// [`looper`](super::looper) without the pages file of pid 2, which its pagemap names.
#[must_use]
pub fn missing_pages() -> Dump {
    let mut dump = looper();
    dump.without("pages-2.img");
    dump
}

/// [`looper`](super::looper) with cut files: `files.img` ends inside its third record, `mm-2.img` inside its only one,
/// `fs-1.img` inside its header, `pages-1.img` in the middle of a page, `core-2.img` is empty.
#[must_use]
pub fn truncated() -> Dump {
    let mut dump = looper();
    let images = looper().images();
    let image = |name: &str| {
        let found = images.iter().find(|(known, _)| known == name);
        found.map(|(_, bytes)| bytes.as_slice()).unwrap_or_default()
    };
    let half = |name: &str| image(name).len() as u64 / 2;
    dump.truncate("files.img", record_start(image("files.img"), 2) + 9)
        .truncate("mm-2.img", half("mm-2.img"))
        .truncate("fs-1.img", 6)
        .truncate("pages-1.img", half("pages-1.img") / 4096 * 4096 + 100)
        .truncate("core-2.img", 0);
    dump
}

/// Where record `n` of a little-endian image begins.
fn record_start(image: &[u8], n: usize) -> u64 {
    let mut rest = image.get(8..).unwrap_or_default();
    for _ in 0..n {
        let Some((len, body)) = rest.split_first_chunk() else { break };
        let len = usize::try_from(u32::from_le_bytes(*len)).unwrap_or(usize::MAX);
        rest = body.get(len..).unwrap_or_default();
    }
    (image.len() - rest.len()) as u64
}

fn of_pod(name: &str) -> Dump {
    let token = format!("POD_TOKEN={name}");
    let mut dump = Dump::new();
    dump.container(Container::new(name).pod(
        "shop",
        "default",
        "85c238e7-0000-4222-8333-30fd909dc382",
    ))
    .task(Task::new(1, 0).exe(format!("/usr/bin/{name}")).argv(&[name]).env(&[&token]));
    dump
}

/// Two containers of one pod side by side, `web/` by containerd and `db/` by CRI-O. Each has a pid 1 of its own, with
/// `POD_TOKEN=NAME` in its environment.
#[must_use]
pub fn pod_directory() -> Archive {
    let web = Archive::containerd(&of_pod("web"));
    let db = Archive::crio(&of_pod("db"));
    Archive::pod_directory(&[("web", web), ("db", db)])
}

/// The same as archives in an archive, with `pod.options` and `pod.dump`.
#[must_use]
pub fn pod_archive() -> Archive {
    let web = Archive::containerd(&of_pod("web"));
    let db = Archive::crio(&of_pod("db"));
    Archive::pod_archive("shop", &[("web", web), ("db", db)])
}

/// A CRI-O archive written over a longer one: 100,000 bytes `Z` follow the end of the tar, with [`LOOPER_TOKEN`] among
/// them.
#[must_use]
pub fn trailing_bytes() -> Archive {
    let mut tail = vec![b'Z'; 100_000];
    tail.splice(50_000..50_000 + LOOPER_TOKEN.len(), LOOPER_TOKEN.bytes());
    let mut archive = Archive::crio(&looper());
    archive.trailing(tail);
    archive
}

/// Members in every form that tar has, all sound: `rootfs-diff.tar` holds long names by GNU, pax and prefix, files with
/// holes in three forms (200,000 bytes each, with pieces `start` at 0 and `middle` at 100,000, and one of thirty
/// pieces), a name that is no UTF-8, extended attributes, links, a device and a pipe. The outer archive has `./` before
/// every name and the directory `checkpoint/` with mode 0600.
#[must_use]
pub fn odd_members() -> Archive {
    let long = |form: &str| format!("opt/{}/{form}", "deep/".repeat(30).trim_end_matches('/'));
    let mut diff = Archive::new();
    diff.member(long("gnu"), b"gnu");
    diff.push(Member::file(long("pax"), b"pax").name_form(NameForm::Pax));
    diff.push(Member::file(long("prefix"), b"prefix").name_form(NameForm::Prefix));
    let pieces: &[(u64, &[u8])] = &[(0, b"start"), (100_000, b"middle")];
    diff.sparse("var/old-gnu", pieces, 200_000, SparseForm::OldGnu)
        .sparse("var/pax-0.1", pieces, 200_000, SparseForm::Pax01)
        .sparse("var/pax-1.0", pieces, 200_000, SparseForm::Pax10);
    let many: Vec<(u64, &[u8])> = (0..30).map(|n| (n * 4096, &b"piece"[..])).collect();
    diff.sparse("var/many", &many, 30 * 4096, SparseForm::OldGnu);
    diff.member(&b"etc/caf\xe9"[..], b"latin-1");
    diff.push(
        Member::file("etc/attr", b"x").pax("SCHILY.xattr.user.note", "a note").owner(1000, 33),
    );
    diff.symlink("etc/link", "../data/count").hardlink("etc/hard", "etc/attr");
    diff.device("dev/null2", 1, 3);
    diff.push(Member::new("run/pipe", Kind::Fifo));
    diff.push(Member::file("usr/bin/su2", b"setuid").mode(0o4755).mtime(1));

    let mut archive = Archive::podman(&looper());
    archive.replace("rootfs-diff.tar", diff.tar()).each(|member| {
        let member = if member.name() == b"checkpoint/" { member.mode(0o600) } else { member };
        member.renamed(|name| [b"./", name].concat())
    });
    archive
}
