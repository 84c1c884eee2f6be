//! Engines, several containers, processes that the dump missed, stale images.

use ckpt_model::{Checkpoint, Engine, OpenError};
use ckpt_synth::{Archive, Dump, Task};

use crate::{argv, assert_told, open, open_with, task, told};

fn loop_dump() -> Dump {
    let mut dump = Dump::new();
    dump.task(Task::new(1, 0).comm("sh").argv(&["sh"]).exe("/bin/sh"));
    dump
}

#[test]
fn every_engine_is_told_by_what_it_writes() {
    let dump = loop_dump();
    let archives = [
        (Archive::podman(&dump), Engine::Podman),
        (Archive::crio(&dump), Engine::CriO),
        (Archive::containerd(&dump), Engine::Containerd),
        (Archive::docker_dir(&dump, "cp1"), Engine::Docker),
        (Archive::bare(&dump, "any/name/at/all/"), Engine::Criu),
        (Archive::bare(&dump, ""), Engine::Criu),
    ];
    for (archive, engine) in archives {
        let checkpoint = open(&archive);
        assert_eq!(checkpoint.container().engine, engine);
        assert_eq!(argv(&checkpoint, 1), ["sh"], "{engine:?}");
        assert_eq!(told(&checkpoint), Vec::<String>::new(), "{engine:?}");
        if engine != Engine::Criu {
            assert!(checkpoint.container().name.is_some(), "{engine:?}");
            assert!(checkpoint.container().image.is_some(), "{engine:?}");
        }
        assert_eq!(
            checkpoint.container().pod.is_some(),
            matches!(engine, Engine::CriO | Engine::Containerd)
        );
    }
}

#[test]
fn a_pod_of_several_containers_asks_which() {
    let mut web = loop_dump();
    web.container(ckpt_synth::Container::new("web"));
    let mut db = loop_dump();
    db.container(ckpt_synth::Container::new("db"));
    let containers = [("web", Archive::podman(&web)), ("db", Archive::podman(&db))];
    let folder = tempfile::tempdir().expect("a folder");
    let as_directory = Archive::pod_directory(&containers);
    as_directory.write_to(folder.path()).expect("written");
    match Checkpoint::open(folder.path()) {
        Err(OpenError::SeveralContainers { names, .. }) => assert_eq!(names, ["db", "web"]),
        other => panic!("{other:?}"),
    }
    let picked = Checkpoint::options().container("db").open(folder.path()).expect("db");
    assert_eq!(picked.container().name.as_deref(), Some("db"));

    let as_archive = Archive::pod_archive("pod", &containers);
    assert!(matches!(
        open_with(&as_archive, &Checkpoint::options()),
        Err(OpenError::SeveralContainers { .. })
    ));
    let picked = open_with(&as_archive, &Checkpoint::options().container("web")).expect("web");
    assert_eq!(picked.container().name.as_deref(), Some("web"));
}

/// `pod.options` has the names of containers; their archives and folders are called as their engine likes.
#[test]
fn a_pod_names_its_containers() {
    let options =
        r#"{"version":1,"containers":{"web":"/var/lib/x/ckpt-1f.tar.zst","db":"ckpt-2f.tar.zst"}}"#;
    let mut pod = Archive::new();
    let folders = Archive::pod_directory(&[
        ("ckpt-1f.tar.zst", Archive::podman(&loop_dump())),
        ("ckpt-2f.tar.zst", Archive::podman(&loop_dump())),
    ]);
    let mut unpacked = folders.clone();
    unpacked.member("pod.options", options.as_bytes());
    let tars = Archive::podman(&loop_dump());
    pod.member("ckpt-1f.tar.zst", tars.tar_zst())
        .member("ckpt-2f.tar.zst", tars.tar_zst())
        .member("pod.options", options.as_bytes());
    match open_with(&pod, &Checkpoint::options()) {
        Err(OpenError::SeveralContainers { names, .. }) => assert_eq!(names, ["web", "db"]),
        other => panic!("{other:?}"),
    }
    for archive in [&pod, &unpacked] {
        for name in ["db", "ckpt-2f.tar.zst", "ckpt-2f"] {
            let picked = open_with(archive, &Checkpoint::options().container(name));
            let picked = picked.unwrap_or_else(|error| panic!("{name}: {error}"));
            let place = picked.place().path.to_string();
            let evidence = picked.evidence().name().to_owned();
            assert!(place.contains("2f") || evidence.contains("2f"), "{name}: {place} {evidence}");
        }
        assert!(open_with(archive, &Checkpoint::options().container("nobody")).is_err());
    }
    // What cannot be read names nobody.
    pod.replace("pod.options", b"{\"containers\":7}".to_vec());
    assert!(open_with(&pod, &Checkpoint::options().container("db")).is_err());
    assert!(open_with(&pod, &Checkpoint::options().container("ckpt-2f")).is_ok());
}

#[test]
fn processes_that_the_dump_missed_are_named() {
    let mut archive = Archive::crio(&loop_dump());
    archive.replace(
        "dump.log",
        ckpt_synth::engines::dump_log(
            &loop_dump(),
            &[
                "SEIZE 6334 (comm kdevtmpfsi): success",
                "Warn  (criu/seize.c:404): Unexpected process 6334 in the freezer cgroup (status 0x80057f)",
            ],
        ),
    );
    let checkpoint = open(&archive);
    let missed = &checkpoint.dump_log().expect("a log").not_captured;
    assert_eq!(missed.len(), 1);
    assert_eq!(missed[0].host_pid, 6334);
    assert_eq!(missed[0].comm.as_ref().map(ToString::to_string), Some("kdevtmpfsi".into()));
    assert_told(&checkpoint, "1 process(es) of the container are not in the dump");
}

#[test]
fn images_of_an_exited_process_are_stale_and_never_mixed_in() {
    let mut first = loop_dump();
    first.task(Task::new(2, 1).exe_deleted("/bin/gone", b"\x7fELF".as_slice()));
    let now = Archive::podman(&loop_dump());
    let mut archive = now.clone();
    archive.mtime(1_800_000_100);
    for member in Archive::podman(&first).members() {
        let name = String::from_utf8_lossy(member.name()).into_owned();
        if name.starts_with("checkpoint/") && now.get(&name).is_none() && name.ends_with(".img") {
            archive.push(member.clone());
            archive.mtime_of(&name, 1_800_000_000);
        }
    }
    let checkpoint = open(&archive);
    let stale: Vec<_> = checkpoint.stale().iter().map(|stale| stale.path.to_string()).collect();
    assert!(stale.contains(&"checkpoint/core-2.img".to_owned()), "{stale:?}");
    assert!(stale.contains(&"checkpoint/remap-fpath.img".to_owned()), "{stale:?}");
    let pids: Vec<_> = checkpoint.processes().tasks.iter().map(|task| task.pid.0).collect();
    assert_eq!(pids, [1]);
    assert!(!task(&checkpoint, 1).exe.as_ref().expect("an executable").deleted);
    assert_told(&checkpoint, "image(s) are not of this dump");
}

#[test]
fn no_pid_1_is_normal() {
    let mut dump = Dump::new();
    dump.task(Task::new(6, 0).argv(&["python3"])).task(Task::new(22, 6).argv(&["sleep", "7"]));
    let checkpoint = open(&Archive::crio(&dump));
    assert_eq!(told(&checkpoint), Vec::<String>::new());
    assert_eq!(argv(&checkpoint, 6), ["python3"]);
}
