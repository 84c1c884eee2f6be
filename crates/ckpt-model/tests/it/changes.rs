//! What changed in the file system: diffs of every engine, against a base and without one, honest and hostile.

use std::path::Path;

use ckpt_archive::{NameRisk, Options, sha256_bytes};
use ckpt_model::{
    Aspect, Change, ChangeFilter, ChangeKind, ChangeSource, Changes, ChangesOptions, Checkpoint,
    Executable, FileType, Noise,
};
use ckpt_synth::{Archive, Dump, File, Kind, Member, SparseForm, Task};
use tempfile::TempDir;

use crate::{assert_told, open, told};

fn dump() -> Dump {
    let mut dump = Dump::new();
    dump.task(Task::new(1, 0).comm("sh"));
    dump
}

/// A podman checkpoint with this diff and no deletions.
fn podman(diff: &Archive) -> Archive {
    let mut archive = Archive::podman(&dump());
    archive.replace("rootfs-diff.tar", diff.tar()).without("deleted.files");
    archive
}

/// A containerd checkpoint with this layer.
fn containerd(layer: &Archive) -> Archive {
    let mut archive = Archive::containerd(&dump());
    archive.replace("rootfs-diff.tar", layer.tar_gz());
    archive
}

fn changes(checkpoint: &Checkpoint) -> Changes {
    checkpoint.changes(&ChangesOptions::default()).expect("changes")
}

fn against(checkpoint: &Checkpoint, base: &Path) -> Changes {
    checkpoint.changes(&ChangesOptions::default().base(base)).expect("changes")
}

fn find<'a>(changes: &'a Changes, path: &str) -> &'a Change {
    let found = changes.list.iter().find(|change| change.path.as_bytes() == path.as_bytes());
    found.unwrap_or_else(|| panic!("no {path} in {:#?}", lines(changes)))
}

/// `kind path` of each change.
fn lines(changes: &Changes) -> Vec<String> {
    let line = |change: &Change| format!("{} {}", change.kind.word(), change.path);
    changes.list.iter().map(line).collect()
}

/// Writes an image as `docker save` does.
fn docker_archive(folder: &TempDir, layers: &[&Archive]) -> std::path::PathBuf {
    let mut image = Archive::new();
    let names: Vec<String> =
        (0..layers.len()).map(|index| format!("\"{index}/layer.tar\"")).collect();
    for (index, layer) in layers.iter().enumerate() {
        let bytes = if index % 2 == 0 { layer.tar() } else { layer.tar_gz() };
        image.member(format!("{index}/layer.tar"), bytes);
    }
    let manifest = format!(
        "[{{\"Config\":\"c0ffee.json\",\"RepoTags\":[\"a:1\"],\"Layers\":[{}]}}]",
        names.join(",")
    );
    image.member("c0ffee.json", b"{}").member("manifest.json", manifest.into_bytes());
    let path = folder.path().join("image.tar");
    std::fs::write(&path, image.tar()).expect("an image");
    path
}

#[test]
fn without_a_base_what_is_there_was_written() {
    let mut diff = Archive::new();
    diff.push(Member::file("usr/lib/.x/helper", b"\x7fELFrest").mode(0o4755).owner(7, 8).mtime(99))
        .member("tmp/run", b"#!/bin/sh\n")
        .symlink("etc/mtab", "/proc/mounts")
        .push(Member::new("dev/sda", Kind::BlockDevice(8, 1)))
        .push(Member::new("tmp/pipe", Kind::Fifo))
        .hardlink("tmp/twin", "tmp/run");
    let mut archive = podman(&diff);
    archive.member("deleted.files", b"[\n  \"/etc/issue\",\n  \"/tmp/run\"\n]");
    let checkpoint = open(&archive);
    let changes = changes(&checkpoint);
    assert_eq!(
        lines(&changes),
        [
            "written /dev/sda",
            "deleted /etc/issue",
            "written /etc/mtab",
            "written /tmp/pipe",
            // It was deleted and made anew, so the image had it.
            "modified /tmp/run",
            "written /tmp/twin",
            "written /usr/lib/.x/helper",
        ]
    );
    let helper = find(&changes, "/usr/lib/.x/helper").state.as_ref().expect("a state");
    assert_eq!((helper.mode, helper.uid, helper.gid, helper.size), (0o4755, 7, 8, 8));
    assert_eq!(helper.mtime.secs, 99);
    assert_eq!(helper.sha256, Some(sha256_bytes(b"\x7fELFrest")));
    assert_eq!(helper.executable, Some(Executable::Elf));
    assert!(helper.gives_rights());
    let twin = find(&changes, "/tmp/twin").state.as_ref().expect("a state");
    assert_eq!((twin.kind, twin.size), (FileType::File, 10));
    assert_eq!(twin.executable, Some(Executable::Script));
    assert_eq!(twin.hard_link.as_ref().expect("a link").as_bytes(), b"tmp/run");
    assert_eq!(find(&changes, "/dev/sda").state.as_ref().expect("a state").device, Some((8, 1)));
    assert_eq!(find(&changes, "/etc/mtab").noise, Some(Noise::MtabLink));
    assert_eq!(find(&changes, "/etc/issue").source, ChangeSource::DeletedFiles);
    assert!(changes.gaps.iter().any(|gap| gap.contains("podman leaves modified files")));
    assert_eq!(told(&checkpoint), [""; 0]);
}

/// The name is CRIU's doing; what the file holds is the container's, and no noise.
#[test]
fn a_link_that_criu_made_is_told_as_such() {
    let mut diff = Archive::new();
    diff.member("data/link_remap.9", b"\x7fELFgone").member("data/link_remap.8", b"somebody's");
    let mut dump = dump();
    dump.task(Task::new(2, 1).fd(3, File::linked("/data/gone", "/data/link_remap.9", 8)));
    let mut archive = Archive::podman(&dump);
    archive.replace("rootfs-diff.tar", diff.tar()).without("deleted.files");
    let changes = changes(&open(&archive));
    let link = find(&changes, "/data/link_remap.9");
    assert_eq!((link.deleted_paths.as_slice(), link.noise), (&["/data/gone".into()][..], None));
    assert!(find(&changes, "/data/link_remap.8").deleted_paths.is_empty());
}

#[test]
fn containerd_tells_of_deletions_by_whiteouts() {
    let mut layer = Archive::new();
    layer
        .dir("etc")
        .member("etc/hosts", b"")
        .member("etc/hostname", b"")
        .push(Member::file("etc/.wh.motd", b"").mode(0).mtime(0))
        .dir("srv")
        .member("srv/.wh..wh..opq", b"")
        .member("srv/new", b"n")
        .member("srv/.wh.", b"")
        .member("srv/.wh...", b"");
    let checkpoint = open(&containerd(&layer));
    let changes = changes(&checkpoint);
    assert_eq!(
        lines(&changes),
        [
            "written /etc",
            "written /etc/hostname",
            "written /etc/hosts",
            "deleted /etc/motd",
            "written /srv",
            "written /srv/new"
        ]
    );
    assert!(find(&changes, "/srv").opaque);
    assert_eq!(find(&changes, "/etc/hosts").noise, Some(Noise::EngineFile));
    // A deletion in it is somebody's doing.
    assert_eq!(find(&changes, "/etc").noise, None);
    assert!(changes.gaps.is_empty(), "{:?}", changes.gaps);
    assert_eq!(told(&checkpoint).len(), 2);
    assert_told(&checkpoint, "rootfs-diff.tar: srv/.wh.: a whiteout");
}

#[test]
fn a_name_like_a_whiteout_is_a_file_where_there_are_none() {
    let mut diff = Archive::new();
    diff.member("tmp/.wh.x", b"hidden");
    assert_eq!(lines(&changes(&open(&podman(&diff)))), ["written /tmp/.wh.x"]);
}

#[test]
fn a_base_tells_what_changed() {
    let folder = TempDir::new().expect("a folder");
    let mut lower = Archive::new();
    lower
        .dir("./etc")
        .member("./etc/passwd", b"root")
        .member("./etc/gone", b"x")
        .member("./etc/same", b"same")
        .member("./etc/mode", b"m")
        .dir("./opt")
        .member("./opt/a", b"a")
        .dir("./opt/sub")
        .member("./opt/sub/b", b"b")
        .member("./opt/sub/c", b"c")
        .dir("./lib")
        .member("./lib/x", b"x")
        .member("./real", b"linked content")
        .hardlink("./link", "./real")
        .dir("./removed")
        .member("./removed/y", b"y");
    let mut upper = Archive::new();
    upper.member(".wh.removed", b"").member("etc/passwd", b"root:x").dir("tmp");
    let base = docker_archive(&folder, &[&lower, &upper]);

    let mut layer = Archive::new();
    layer
        .push(Member::dir("etc").mtime(5))
        .member("etc/passwd", b"root:y")
        .push(Member::file("etc/.wh.gone", b""))
        .member("etc/same", b"same")
        .push(Member::file("etc/mode", b"m").mode(0o4755).owner(1, 0))
        .dir("opt")
        .member("opt/.wh..wh..opq", b"")
        .dir("opt/sub")
        .member("opt/sub/b", b"new b")
        .symlink("lib", "usr/lib")
        .member("link", b"linked content")
        .dir("removed")
        .member("new", b"n");
    let checkpoint = open(&containerd(&layer));
    let changes = against(&checkpoint, &base);
    assert_eq!(
        lines(&changes),
        [
            "modified /etc",
            "deleted /etc/gone",
            "modified /etc/mode",
            "modified /etc/passwd",
            "modified /lib",
            "deleted /lib/x",
            "added /new",
            "modified /opt",
            "deleted /opt/a",
            "modified /opt/sub/b",
            "deleted /opt/sub/c",
            "added /removed",
        ]
    );
    // etc/same, opt/sub, link: as the base has them.
    assert_eq!(changes.unchanged, 3);
    let what = |path| find(&changes, path).what.clone();
    assert_eq!(what("/etc/passwd"), [Aspect::Content]);
    assert_eq!(what("/etc/mode"), [Aspect::Mode, Aspect::Owner]);
    assert_eq!(what("/etc"), [Aspect::Time]);
    assert_eq!(find(&changes, "/etc").noise, Some(Noise::DirectoryTime));
    assert_eq!(what("/lib"), [Aspect::Type]);
    assert_eq!(find(&changes, "/lib/x").source, ChangeSource::Base);
    let before = find(&changes, "/etc/passwd").before.as_ref().expect("a base");
    assert_eq!(before.sha256, Some(sha256_bytes(b"root:x")));
    let image = changes.base.as_ref().expect("a base");
    assert_eq!((image.kind.as_str(), image.is_the_containers), ("docker-archive", Some(false)));
    assert_eq!(told(&checkpoint), [""; 0]);
}

#[test]
fn a_hard_link_to_a_file_that_is_not_in_the_diff_is_read_from_a_compressed_layer() {
    let folder = TempDir::new().expect("a folder");
    let empty = Archive::new();
    let mut lower = Archive::new();
    lower.member("a", b"content").hardlink("b", "a");
    // The second layer is the compressed one.
    let mut first = empty.clone();
    first.dir("x");
    let base = docker_archive(&folder, &[&first, &lower]);
    let mut diff = Archive::new();
    diff.member("b", b"CONTENT");
    let changes = against(&open(&podman(&diff)), &base);
    assert_eq!(lines(&changes), ["modified /b"]);
    assert_eq!(find(&changes, "/b").what, [Aspect::Content]);
    let before = find(&changes, "/b").before.as_ref().expect("a base");
    assert_eq!(before.sha256, Some(sha256_bytes(b"content")));
}

#[test]
fn the_wrong_image_is_noticed_and_what_is_no_image_refused() {
    let folder = TempDir::new().expect("a folder");
    let mut layer = Archive::new();
    layer.dir("etc");
    let base = docker_archive(&folder, &[&layer]);
    let mut archive = podman(&Archive::new());
    archive.member("deleted.files", b"[\"/etc/issue\"]");
    let checkpoint = open(&archive);
    against(&checkpoint, &base);
    assert_told(&checkpoint, "it may be the wrong image");
    let plain = folder.path().join("plain.tar");
    std::fs::write(&plain, layer.tar()).expect("a tar");
    let refused = checkpoint.changes(&ChangesOptions::default().base(&plain));
    let refused = refused.expect_err("no image").to_string();
    assert!(refused.contains("is no image but a tar"), "{refused}");
    assert!(checkpoint.changes(&ChangesOptions::default().base("/nonexistent")).is_err());
}

#[test]
fn volumes_are_shown_where_they_were_mounted() {
    let mut volume = Archive::new();
    volume.dir("./").push(Member::file("./kept", b"kept").mode(0o600));
    let mut archive = podman(&Archive::new());
    archive
        .replace("config.dump", &br#"{"namedVolumes":[{"volumeName":"vol","dest":"/data"}]}"#[..])
        .member("volumes/vol.tar", volume.tar())
        .member("volumes/other.tar", volume.tar());
    let checkpoint = open(&archive);
    let changes = changes(&checkpoint);
    assert_eq!(
        lines(&changes),
        [
            "written /data",
            "written /data/kept",
            "written volumes/other",
            "written volumes/other/kept"
        ]
    );
    assert_eq!(find(&changes, "/data/kept").source, ChangeSource::Volume("vol".into()));
    assert_told(&checkpoint, "where the volume other was mounted");
}

#[test]
fn mount_points_are_noise_and_what_lies_beside_them_is_not() {
    let mut diff = Archive::new();
    diff.dir("proc")
        .dir("sys")
        .dir("dev")
        .member("dev/shell", b"#!/bin/sh")
        .member("etc/hosts", b"");
    let changes = changes(&open(&podman(&diff)));
    assert_eq!(find(&changes, "/proc").noise, Some(Noise::MountPoint));
    assert_eq!(find(&changes, "/etc/hosts").noise, Some(Noise::EngineFile));
    assert_eq!(find(&changes, "/dev/shell").noise, None);
    let mut diff = Archive::new();
    diff.member("etc/hosts", b"10.0.0.1 evil\n");
    diff.push(Member::file("etc/hostname", b"").mode(0o4755));
    let changes = self::changes(&open(&podman(&diff)));
    assert_eq!(find(&changes, "/etc/hosts").noise, None);
    assert_eq!(find(&changes, "/etc/hostname").noise, None);
}

#[test]
fn attributes_are_kept_and_capabilities_read() {
    let mut diff = Archive::new();
    let caps = b"\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    diff.push(Member::file("bin/ping", b"x").pax("SCHILY.xattr.security.capability", &caps[..]));
    let changes = changes(&open(&podman(&diff)));
    let ping = find(&changes, "/bin/ping").state.as_ref().expect("a state");
    assert_eq!(ping.capabilities().expect("capabilities").to_string(), "cap_net_raw=ep");
    assert!(ping.gives_rights());
}

#[test]
fn filters_meet() {
    let mut diff = Archive::new();
    diff.push(Member::file("tmp/a.so", b"\x7fELF").mtime(100))
        .push(Member::file("tmp/b.so", b"text").mtime(200))
        .push(Member::file("bin/su", b"x").mode(0o4755).mtime(300));
    let mut archive = podman(&diff);
    archive.member("deleted.files", b"[\"/etc/issue\"]");
    let changes = changes(&open(&archive));
    let shown = |set: &dyn Fn(&mut ChangeFilter)| {
        let mut filter = ChangeFilter::default();
        set(&mut filter);
        let shown = changes.list.iter().filter(|change| filter.shows(change));
        shown.map(|change| change.path.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(shown(&|_| {}), ["/bin/su", "/etc/issue", "/tmp/a.so", "/tmp/b.so"]);
    assert_eq!(shown(&|f| f.only = vec![ChangeKind::Deleted]), ["/etc/issue"]);
    assert_eq!(shown(&|f| f.only = vec![ChangeKind::Added]), ["/bin/su", "/tmp/a.so", "/tmp/b.so"]);
    assert_eq!(shown(&|f| f.executable = true), ["/bin/su", "/tmp/a.so"]);
    assert_eq!(shown(&|f| f.gives_rights = true), ["/bin/su"]);
    assert_eq!(shown(&|f| f.newer = "1970-01-01T00:03:20Z".parse().ok()), ["/bin/su"]);
    assert_eq!(
        shown(&|f| {
            f.paths = vec!["*.so".parse().expect("a glob")];
            f.executable = true;
        }),
        ["/tmp/a.so"]
    );
}

#[test]
fn names_that_lead_out_are_shown_and_told() {
    let long = vec![b'n'; 4096];
    let mut diff = Archive::new();
    diff.member("../../etc/cron.d/x", b"x")
        .member("/etc/absolute", b"x")
        .hardlink("tmp/shadow", "../../../etc/shadow")
        .member("tmp/\x1b]0;owned\x07", b"x")
        .member(&b"tmp/\xff"[..], b"x")
        .push(Member::new("dev/mem", Kind::CharDevice(1, 1)))
        .member([&b"tmp/"[..], &long].concat(), b"x");
    let mut archive = podman(&diff);
    archive.member(
        "deleted.files",
        &b"[\"/../../etc/passwd\", \"relative\", \"/\", \"\", 7, \"/a\\u0000b\", \"/\\u001b[2J\"]"
            [..],
    );
    let checkpoint = open(&archive);
    let changes = changes(&checkpoint);
    assert_eq!(find(&changes, "/../../etc/cron.d/x").risk, Some(NameRisk::Parent));
    assert_eq!(find(&changes, "/etc/absolute").risk, Some(NameRisk::Absolute));
    assert_eq!(find(&changes, "/../../etc/passwd").risk, Some(NameRisk::Parent));
    assert_eq!(find(&changes, "/relative").kind, ChangeKind::Deleted);
    assert_eq!(find(&changes, "/tmp/shadow").state.as_ref().expect("a state").sha256, None);
    assert!(changes.list.iter().any(|change| change.path.as_bytes().len() == 4096 + 5));
    for change in &changes.list {
        assert!(!change.path.to_string().chars().any(char::is_control));
    }
    for words in [
        "deleted.files: name with a .. component: `/../../etc/passwd`",
        "`/` names no file",
        "1 element(s) of the list are no text",
        "name with a NUL byte",
        "dangerous to extract",
        "the hard link's target ../../../etc/shadow is not in the archive",
    ] {
        assert_told(&checkpoint, words);
    }
    for defect in told(&checkpoint) {
        assert!(!defect.chars().any(char::is_control), "{defect:?}");
    }
}

#[test]
fn holes_without_end_are_not_hashed() {
    let mut diff = Archive::new();
    diff.sparse("tmp/bomb", &[(0, b"x")], 1 << 62, SparseForm::Pax10).sparse(
        "tmp/fine",
        &[(0, b"y")],
        1 << 20,
        SparseForm::Pax10,
    );
    let checkpoint = open(&podman(&diff));
    let changes = changes(&checkpoint);
    let bomb = find(&changes, "/tmp/bomb").state.as_ref().expect("a state");
    assert_eq!((bomb.size, bomb.sha256), (1 << 62, None));
    let fine = find(&changes, "/tmp/fine").state.as_ref().expect("a state");
    let mut bytes = vec![0; 1 << 20];
    bytes[0] = b'y';
    assert_eq!(fine.sha256, Some(sha256_bytes(&bytes)));
    assert_told(&checkpoint, "rootfs-diff.tar: tmp/bomb: not hashed");
}

#[test]
fn many_links_to_one_file_cost_one_hash() {
    let mut diff = Archive::new();
    diff.member("big", vec![7; 8 << 20]);
    for index in 0..2000 {
        diff.hardlink(format!("link{index}"), "big");
    }
    // Without sharing this would hash 16 GiB.
    let changes = changes(&open(&podman(&diff)));
    assert_eq!(changes.list.len(), 2001);
    let first = changes.list[0].state.as_ref().expect("a state").sha256;
    assert!(first.is_some());
    assert!(
        changes.list.iter().all(|change| change.state.as_ref().expect("a state").sha256 == first)
    );
}

#[test]
fn a_layer_that_unpacks_without_end_is_given_up() {
    let mut layer = Archive::new();
    layer.member("zeros", vec![0; 4 << 20]);
    let checkpoint = open(&containerd(&layer));
    let mut limits = ckpt_archive::Limits::default();
    limits.max_unpacked = 1 << 20;
    let options = ChangesOptions::default().archive(Options::default().limits(limits));
    let changes = checkpoint.changes(&options).expect("changes");
    assert!(changes.list.is_empty());
    assert_told(&checkpoint, "1048576");
}

#[test]
fn what_is_no_archive_or_no_list_is_told() {
    let mut archive = podman(&Archive::new());
    archive
        .replace("rootfs-diff.tar", &b"not a tar at all, only text that goes on and on"[..])
        .member("deleted.files", b"{\"a\": 1}");
    let checkpoint = open(&archive);
    assert!(changes(&checkpoint).list.is_empty());
    assert_told(&checkpoint, "rootfs-diff.tar:");
    assert_told(&checkpoint, "deleted.files: not a list of paths");
}

#[test]
fn engines_without_a_diff_say_so() {
    let changes = changes(&open(&Archive::bare(&dump(), "")));
    assert!(changes.list.is_empty());
    assert!(changes.gaps.iter().any(|gap| gap.contains("does not capture the file system")));
}
