//! Files: of the file system, and recovered ones.

use ckpt_analysis::compare::{ArtifactFact, Comparison, Sameness};
use ckpt_model::artifacts::Origin;
use ckpt_model::{Aspect, ChangeKind, Checkpoint, Noise};
use ckpt_synth::{Archive, Container, File, Member, Task};

use crate::{compared, dump, init, open};

/// A podman checkpoint with this diff and these deletions.
fn podman(files: &[(&str, &str)], deleted: &[&str]) -> Checkpoint {
    let mut diff = Archive::new();
    for (path, content) in files {
        diff.push(Member::file(*path, content.as_bytes().to_vec()).mtime(99));
    }
    let mut archive = Archive::podman(&dump([init()]));
    archive.replace("rootfs-diff.tar", diff.tar());
    archive.replace("deleted.files", format!("{deleted:?}").into_bytes());
    open(&archive)
}

/// Kind and path of what differs, noise left out.
fn files(comparison: &Comparison<'_>) -> Vec<(ChangeKind, String)> {
    let found = comparison.filesystem.as_ref().unwrap();
    let changes = found.changes.iter().filter(|change| change.noise.is_none());
    changes.map(|change| (change.kind, change.path.escaped().into_owned())).collect()
}

#[test]
fn changes_against_changes() {
    let a = podman(
        &[("kept", "1"), ("log", "one"), ("gone", "x"), ("undone", "y")],
        &["/etc/motd", "/etc/back"],
    );
    let b = podman(
        &[("kept", "1"), ("log", "one two"), ("etc/back", "again"), ("new", "z")],
        &["/etc/motd", "/undone", "/etc/issue"],
    );
    let comparison = compared(&a, &b);
    let path = |kind, path: &str| (kind, path.to_owned());
    assert_eq!(
        files(&comparison),
        [
            path(ChangeKind::Added, "/etc/back"),
            path(ChangeKind::Deleted, "/etc/issue"),
            path(ChangeKind::Deleted, "/gone"),
            path(ChangeKind::Modified, "/log"),
            path(ChangeKind::Written, "/new"),
            path(ChangeKind::Deleted, "/undone"),
        ]
    );
    let found = comparison.filesystem.as_ref().unwrap();
    let log = found.changes.iter().find(|change| change.path.as_bytes() == b"/log").unwrap();
    assert_eq!(log.what, [Aspect::Content]);
    let same: Vec<_> = found.unchanged.iter().map(|one| one.path.escaped()).collect();
    assert!(same.contains(&"/etc/motd".into()) && same.contains(&"/kept".into()), "{same:?}");
}

#[test]
fn a_directory_whose_time_alone_changed_is_noise() {
    let with = |time| {
        let mut diff = Archive::new();
        diff.push(Member::dir("data").mtime(time)).push(Member::file("data/x", b"1").mtime(9));
        let mut archive = Archive::podman(&dump([init()]));
        archive.replace("rootfs-diff.tar", diff.tar());
        open(&archive)
    };
    let (a, b) = (with(5), with(6));
    let comparison = compared(&a, &b);
    let found = comparison.filesystem.as_ref().unwrap();
    assert_eq!(found.changes[0].noise, Some(Noise::DirectoryTime));
    assert!(!comparison.differs());
}

#[test]
fn a_checkpoint_without_a_file_system_is_no_proof_of_deletion() {
    let with = podman(&[("implant", "x")], &[]);
    let mut archive = Archive::podman(&dump([init()]));
    archive.without("rootfs-diff.tar").without("deleted.files");
    let without = open(&archive);
    let comparison = compared(&with, &without);
    assert_eq!(files(&comparison), []);
    let found = comparison.filesystem.as_ref().unwrap();
    assert!(found.gaps[0].starts_with("B holds no changes of the file system"), "{:?}", found.gaps);
    // The other way round: podman writes no diff as long as there is nothing in it.
    let comparison = compared(&without, &with);
    assert_eq!(files(&comparison), [(ChangeKind::Written, "/implant".to_owned())]);
    // Replicas have file systems of their own, and then nothing says that it was left out.
    let mut dump = dump([init()]);
    dump.container(Container::new("other"));
    let mut archive = Archive::podman(&dump);
    archive.without("rootfs-diff.tar").without("deleted.files");
    let replica = open(&archive);
    let comparison = compared(&with, &replica);
    assert_eq!(files(&comparison), [(ChangeKind::Deleted, "/implant".to_owned())]);
}

#[test]
fn volumes_are_compared_whole() {
    let with = |volumes: &[(&str, &[(&str, &str)])]| {
        let mut archive = Archive::podman(&dump([init()]));
        for (name, files) in volumes {
            let mut volume = Archive::new();
            for (path, content) in *files {
                volume.push(Member::file(*path, content.as_bytes().to_vec()).mtime(9));
            }
            archive.member(format!("volumes/{name}.tar"), volume.tar());
        }
        open(&archive)
    };
    let a = with(&[("data", &[("a", "1"), ("b", "1")]), ("lone", &[("x", "1")])]);
    let b = with(&[("data", &[("b", "2"), ("c", "1")])]);
    let comparison = compared(&a, &b);
    let of =
        |kind: ChangeKind| files(&comparison).iter().filter(|(found, _)| *found == kind).count();
    let (added, modified, deleted) =
        (of(ChangeKind::Added), of(ChangeKind::Modified), of(ChangeKind::Deleted));
    assert_eq!((added, modified, deleted), (1, 1, 1), "{:?}", files(&comparison));
    let gaps = &comparison.filesystem.as_ref().unwrap().gaps;
    let lone = "volume lone is in A alone, with nothing to be compared with";
    assert!(gaps.iter().any(|gap| gap == lone), "{gaps:?}");
}

#[test]
fn recovered_files_by_origin_and_path() {
    let with = |deleted: &str, unread: &str, log: &str| {
        let task = Task::new(7, 1)
            .fd(3, File::deleted("/tmp/a", deleted.as_bytes().to_vec()))
            .fd(4, File::pipe_read(500, unread.as_bytes().to_vec()));
        let mut dump = dump([init(), task]);
        dump.container(Container::new("c").log(log));
        open(&Archive::podman(&dump))
    };
    let a = with("secret one", "", "one\n");
    let b = with("secret two", "waiting", "one\ntwo\n");
    let comparison = compared(&a, &b);
    let found = comparison.artifacts.as_ref().unwrap();
    let changed: Vec<_> = found.changed.iter().map(|one| (one.b.origin, one.content)).collect();
    assert_eq!(
        changed,
        [(Origin::Ghost, Sameness::Differs(7)), (Origin::Log, Sameness::Differs(4))]
    );
    assert_eq!(found.changed[0].what, [ArtifactFact::Content]);
    assert_eq!(found.added.iter().map(|one| one.origin).collect::<Vec<_>>(), [Origin::Pipe]);
    assert!(found.removed.is_empty());
}

#[test]
fn files_of_any_two_engines() {
    let dump = dump([init()]);
    let all = [
        Archive::podman(&dump),
        Archive::crio(&dump),
        Archive::containerd(&dump),
        Archive::bare(&dump, ""),
    ];
    let opened: Vec<Checkpoint> = all.iter().map(open).collect();
    for (a, b) in opened.iter().flat_map(|a| opened.iter().map(move |b| (a, b))) {
        let comparison = compared(a, b);
        assert_eq!(comparison.matching.pairs.len(), 1);
        assert!(comparison.processes.as_ref().unwrap().changed.is_empty());
        assert!(comparison.memory.as_ref().unwrap().changes.is_empty());
    }
}
