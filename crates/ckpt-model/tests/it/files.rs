//! Descriptors, and what is behind them.

use ckpt_archive::sha256_bytes;
use ckpt_model::{Checkpoint, Descriptor, Details, Pid, fd_type};
use ckpt_synth::{Archive, Dump, File, Message, Task, magic, stories};

use crate::{assert_told, open, told};

fn fd(checkpoint: &Checkpoint, pid: u32, fd: u32) -> &Descriptor {
    let found = checkpoint.descriptors().get(Pid(pid), fd);
    found.unwrap_or_else(|| panic!("process {pid} has no descriptor {fd}"))
}

fn target(checkpoint: &Checkpoint, pid: u32, number: u32) -> String {
    let target = &fd(checkpoint, pid, number).target;
    target.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string)
}

#[test]
fn every_descriptor_as_proc_showed_it() {
    let checkpoint = open(&Archive::podman(&stories::descriptors()));
    let log = fd(&checkpoint, 1, 3);
    assert_eq!((log.kind.word(), log.pos, log.flags), ("reg", Some(4096), Some(0o102_001)));
    assert_eq!(target(&checkpoint, 1, 3), "/var/log/app.log");
    assert_eq!(target(&checkpoint, 1, 4), "/tmp/gone (deleted)");
    assert!(fd(&checkpoint, 1, 4).deleted);
    assert_eq!(target(&checkpoint, 1, 5), "pipe:[500]");
    assert!(!fd(&checkpoint, 1, 5).cloexec);
    assert_eq!(fd(&checkpoint, 1, 6).flags.map(|flags| flags & 0o2_000_000), Some(0o2_000_000));
    assert_eq!(target(&checkpoint, 1, 7), "/memfd:scratch (deleted)");
    assert_eq!(target(&checkpoint, 1, 9), "socket:[902]");
    assert_eq!(target(&checkpoint, 1, 13), "anon_inode:[eventfd]");
    let counter = checkpoint.details(fd(&checkpoint, 1, 13));
    assert!(matches!(counter, Details::Eventfd { counter: 42 }), "{counter:?}");
    assert_eq!(fd(&checkpoint, 1, 15).kind.word(), "unknown");
    let inherited: Vec<u32> =
        checkpoint.descriptors().of(Pid(2)).iter().map(|descriptor| descriptor.fd).collect();
    assert_eq!(inherited.iter().filter(|fd| **fd >= 3).count(), 4);
}

/// CRIU makes an image with its first record.
#[test]
fn a_process_that_closed_everything_lacks_nothing() {
    let mut dump = Dump::new();
    dump.task(Task::new(1, 0)).task(Task::new(2, 1).no_fds());
    let tables = |name: &&(String, Vec<u8>)| name.0.starts_with("fdinfo-");
    assert_eq!(dump.images().iter().filter(tables).count(), 1, "the image is left out");
    let checkpoint = open(&Archive::podman(&dump));
    assert!(!checkpoint.descriptors().of(Pid(1)).is_empty());
    assert!(checkpoint.descriptors().of(Pid(2)).is_empty());
    assert_eq!(told(&checkpoint), Vec::<String>::new());
}

/// What no descriptor leads to was some process's, and that one's image is gone.
#[test]
fn descriptors_that_were_taken_away_are_missed() {
    let mut dump = Dump::new();
    dump.task(Task::new(1, 0)).task(Task::new(2, 1).fd(3, File::pipe_write(7)));
    dump.without("fdinfo-3.img");
    let checkpoint = open(&Archive::podman(&dump));
    assert!(checkpoint.descriptors().of(Pid(2)).is_empty());
    assert_told(&checkpoint, "no descriptors of process 2, and 1 open files are nobody's");
}

/// A process without descriptors lost none when the file that nobody has is in a message, or outside of the dump.
#[test]
fn what_is_on_its_way_is_not_missed() {
    let mut dump = Dump::new();
    dump.task(Task::new(1, 0).fd(3, File::unix_pair(21, 22, vec![b"x".to_vec()])));
    dump.task(Task::new(2, 1).fd(4, File::Eventfd { counter: 1 }));
    dump.without("fdinfo-3.img");
    let lost = open(&Archive::podman(&dump));
    assert!(lost.descriptors().of(Pid(2)).is_empty());
    assert_told(&lost, "1 open files are nobody's");
    let of_type =
        |kind| lost.files().all().into_iter().find(|file| file.r#type == kind).map(|f| f.id);
    let (socket, sent) = (of_type(fd_type::UNIXSK), of_type(fd_type::EVENTFD));
    let scm = Message::new().uint(1, 1u32).uint_opt(2, sent); // SCM_RIGHTS, rights
    let packet = Message::new().uint_opt(1, socket).uint(2, 4u32).message(4, &scm);
    dump.record("sk-queues.img", &packet).append("sk-queues.img", *b"sent");
    let checkpoint = open(&Archive::podman(&dump));
    assert!(checkpoint.descriptors().of(Pid(2)).is_empty());
    assert_eq!(told(&checkpoint), Vec::<String>::new());
}

/// CRIU leaves `O_RDWR` out, which `pidfd_open(2)` refuses and every pidfd has.
#[test]
fn a_pidfd_is_open_to_read_and_write() {
    let fown = (1..=5).fold(Message::new(), |fown, field| fown.uint(field, 0u32));
    // ino, flags, nspid, fown
    let message = Message::new().uint(2, 7u32).uint(3, 0o4000u32).int(4, -1).message(5, &fown);
    let mut dump = Dump::new();
    dump.task(Task::new(1, 0).fd_cloexec(5, File::Other { kind: 20, field: 22, message }));
    let checkpoint = open(&Archive::podman(&dump));
    assert_eq!(target(&checkpoint, 1, 5), "anon_inode:[pidfd]");
    assert_eq!(fd(&checkpoint, 1, 5).flags, Some(0o2_004_002));
}

#[test]
fn deleted_files_and_memfds_come_back() {
    let checkpoint = open(&Archive::podman(&stories::descriptors()));
    let hash = |number| {
        let content = checkpoint.recovered(fd(&checkpoint, 1, number).file_id).expect("content");
        (content.size(), content.sha256().expect("whole"))
    };
    assert_eq!(hash(4), (11, sha256_bytes(b"still here\n")));
    assert_eq!(hash(7), (12, sha256_bytes(b"in the memfd")));
    assert!(checkpoint.recovered(fd(&checkpoint, 1, 3).file_id).is_none());
}

/// A process with a deleted file of 6 bytes that CRIU kept as `/data/link_remap.9`.
fn linked() -> Dump {
    let mut dump = Dump::new();
    dump.task(Task::new(1, 0).fd(3, File::linked("/data/gone", "/data/link_remap.9", 6)));
    dump
}

fn with_diff(dump: &Dump, diff: &Archive) -> Archive {
    let mut archive = Archive::podman(dump);
    archive.replace("rootfs-diff.tar", diff.tar()).without("deleted.files");
    archive
}

#[test]
fn a_file_that_criu_linked_comes_back_from_the_link() {
    let mut diff = Archive::new();
    diff.member("data/link_remap.9", "linked").member("data/link_remap.8", "not CRIU's");
    let checkpoint = open(&with_diff(&linked(), &diff));
    assert_eq!(target(&checkpoint, 1, 3), "/data/gone (deleted)");
    let id = fd(&checkpoint, 1, 3).file_id;
    let content = checkpoint.recovered(id).expect("the content");
    assert_eq!(content.sha256(), Ok(sha256_bytes(b"linked")));
    let artifacts = checkpoint.artifacts(&ckpt_archive::Options::default());
    let find = |path: &str| {
        let mut all = artifacts.list.iter();
        all.find(|one| one.path.as_ref().is_some_and(|p| p.as_bytes() == path.as_bytes()))
    };
    let link = find("/data/link_remap.9").expect("the link");
    let lost = link.details.as_ref().map(|details| details.deleted_paths.clone());
    assert_eq!(lost, Some(vec!["/data/gone".into()]));
    assert_eq!((link.pid(), link.fd()), (Some(Pid(1)), Some(3)));
    let other = find("/data/link_remap.8").expect("the other file");
    assert!(other.details.is_none() && other.holders.is_empty());
    assert_eq!(told(&checkpoint), Vec::<String>::new());
}

/// CRIU takes the link away again where the container goes on, and another file can have its name since.
#[test]
fn a_link_that_is_gone_or_another_file_gives_nothing() {
    let checkpoint = open(&with_diff(&linked(), &Archive::new()));
    assert!(checkpoint.recovered(fd(&checkpoint, 1, 3).file_id).is_none());
    assert_eq!(told(&checkpoint), Vec::<String>::new());
    let mut diff = Archive::new();
    diff.member("data/link_remap.9", "longer than it was");
    let checkpoint = open(&with_diff(&linked(), &diff));
    assert!(checkpoint.recovered(fd(&checkpoint, 1, 3).file_id).is_none());
    assert_told(&checkpoint, "is not the deleted file that CRIU linked to it: its size is another");
}

/// The root file system's diff has nothing of what is mounted.
#[test]
fn a_link_on_a_tmpfs_comes_from_there() {
    let mut dump = Dump::new();
    let files = Task::new(1, 0).fd(3, File::linked("/dev/shm/x", "/dev/shm/link_remap.9", 6));
    dump.task(files);
    // CRIU noted another mount than the root.
    let opened = open(&Archive::podman(&dump));
    let id = fd(&opened, 1, 3).file_id;
    let mut shm = Archive::new();
    shm.member("./link_remap.9", "in shm");
    let mut diff = Archive::new();
    diff.member("dev/shm/link_remap.9", "in dif");
    let mut archive = with_diff(&dump, &diff);
    archive.without("devshm-checkpoint.tar").member("devshm-checkpoint.tar", shm.tar());
    let hash =
        |archive: &Archive| open(archive).recovered(id).and_then(|content| content.sha256().ok());
    assert_eq!(hash(&archive), Some(sha256_bytes(b"in dif")), "mounted at the root");
    let mut moved = archive.get("checkpoint/files.img").expect("files.img");
    // mnt_id, field 7 behind the name: 780 and 785 in zig-zag form.
    let name = moved.windows(10).position(|bytes| bytes == b"/dev/shm/x").expect("the name");
    let at = name + 10;
    assert_eq!(moved[at..at + 3], [0x38, 0x98, 0x0c]);
    moved[at..at + 3].copy_from_slice(&[0x38, 0xa2, 0x0c]);
    archive.replace("checkpoint/files.img", moved);
    assert_eq!(hash(&archive), Some(sha256_bytes(b"in shm")));
}

/// `/dev/pts/1` whose master was closed, as CRIU 4.2 wrote it: neither settings nor window.
#[test]
fn the_slave_of_a_closed_pseudo_terminal_has_lost_its_name() {
    let fown = (1..=5).fold(Message::new(), |fown, field| fown.uint(field, 0u32));
    let names = || Task::new(1, 0).fd(3, File::path("/dev/pts/1")).fd(4, File::path("/dev/pts/0"));
    let mut dump = Dump::new();
    dump.task(names());
    let opened = open(&Archive::podman(&dump));
    let tty = |info: u32, number: u32| {
        let message = Message::new()
            .uint(2, info) // tty_info_id
            .uint(3, 0o2u32) // flags
            .message(4, &fown)
            .uint(6, fd(&opened, 1, number).file_id); // regf_id
        File::Other { kind: 11, field: 19, message }
    };
    let info = |id: u32, rdev: u32, index: u32| {
        let info =
            Message::new().uint(1, id).uint(2, 1u32).bool(3, false).bool(4, false).bool(5, false);
        let pty = Message::new().uint(1, index);
        info.uint(6, 0u32).uint(7, 0u32).uint(8, rdev).message(12, &pty) // sid, pgrp, rdev
    };
    let window = (1..=4).fold(Message::new(), |window, field| window.uint(field, 24u32));
    let mut dump = Dump::new();
    dump.task(names().fd(5, tty(2, 3)).fd(6, tty(1, 4)).fd(7, tty(3, 4)));
    let slave = |minor: u32| 0x8800 | minor;
    let terminals = [
        info(1, slave(0), 0).message(11, &window),
        info(2, slave(1), 1),
        // Its master is open: somebody hung it up.
        info(3, slave(7), 7),
        info(4, 0x502, 7).message(11, &window),
    ];
    dump.image("tty-info.img", magic::TTY_INFO, &terminals);
    let checkpoint = open(&Archive::podman(&dump));
    assert_eq!(target(&checkpoint, 1, 5), "/dev/pts/1 (deleted)");
    assert!(fd(&checkpoint, 1, 5).deleted);
    assert_eq!(target(&checkpoint, 1, 6), "/dev/pts/0");
    assert!(!fd(&checkpoint, 1, 6).deleted);
    assert_eq!(target(&checkpoint, 1, 7), "/dev/pts/0", "named so by the test");
    assert!(checkpoint.recovered(fd(&checkpoint, 1, 5).file_id).is_none());
}

/// What the kernel calls files of a process that ended, and what NFS calls a removed one.
#[test]
fn names_that_are_lost_and_stay() {
    let mut dump = Dump::new();
    let silly = "/nfs/.nfs000000000000000a00000001";
    dump.task(
        Task::new(1, 0)
            .fd(3, File::path("/proc/77"))
            .fd(4, File::path("/proc/77/status"))
            .fd(5, File::path("/proc/77/task/78"))
            .fd(6, File::linked(silly, "/nfs/link_remap.1", 1)),
    );
    let opened = open(&Archive::podman(&dump));
    for number in [3, 4, 5] {
        let remap =
            Message::new().uint(1, fd(&opened, 1, number).file_id).uint(2, 77u32).uint(3, 2u32);
        dump.record("remap-fpath.img", &remap);
    }
    let checkpoint = open(&Archive::podman(&dump));
    assert_eq!(target(&checkpoint, 1, 3), "/proc/77 (deleted)");
    assert_eq!(target(&checkpoint, 1, 4), "/proc/77/status");
    assert_eq!(target(&checkpoint, 1, 5), "/proc/77/task/78");
    assert_eq!(target(&checkpoint, 1, 6), silly);
    assert!(fd(&checkpoint, 1, 3).deleted && !fd(&checkpoint, 1, 4).deleted);
    assert!(fd(&checkpoint, 1, 6).deleted);
}

/// CRIU writes the engine's key in place of the path.
#[test]
fn a_file_from_outside_has_no_path() {
    let fown = (1..=5).fold(Message::new(), |fown, field| fown.uint(field, 0u32));
    let message = Message::new()
        .uint(2, 0u32) // flags
        .uint(3, 0u32) // pos
        .message(5, &fown)
        .bytes(6, "file[1f:2a]") // name
        .sint(7, -1) // mnt_id
        .bool(9, true); // ext
    let mut dump = Dump::new();
    dump.task(Task::new(1, 0).fd(3, File::Other { kind: 1, field: 3, message }));
    let checkpoint = open(&Archive::podman(&dump));
    let outside = fd(&checkpoint, 1, 3);
    assert_eq!((outside.kind.word(), &outside.target, outside.mount_id), ("reg", &None, None));
}

#[test]
fn shared_memory_has_holes_and_an_odd_size() {
    let checkpoint = open(&Archive::podman(&stories::shared_memory()));
    let ring = checkpoint.shared_memory(8001, 12_345);
    let mut expected = vec![0; 12_345];
    expected[..7].copy_from_slice(b"in ring");
    expected[0x2000..0x2005].copy_from_slice(b"later");
    assert_eq!(ring.sha256(), Ok(sha256_bytes(&expected)));
    assert!(checkpoint.shared_memory(99, 4096).sha256().is_err(), "nothing is known of it");
    let segments = checkpoint.ipc();
    assert_eq!(segments[0].segments[0].size, 8192);
}

#[test]
fn a_descriptor_without_its_file_is_told() {
    let mut dump = stories::descriptors();
    dump.without("files.img");
    let checkpoint = open(&Archive::podman(&dump));
    assert_eq!(fd(&checkpoint, 1, 5).kind.word(), "pipe");
    assert_eq!(target(&checkpoint, 1, 5), "-");
    assert_told(&checkpoint, "which is not in the images");
}

#[test]
fn a_ghost_without_its_image_is_told() {
    let mut dump = stories::descriptors();
    dump.without("ghost-file-1.img");
    let checkpoint = open(&Archive::podman(&dump));
    assert!(checkpoint.recovered(fd(&checkpoint, 1, 4).file_id).is_none());
    assert_told(&checkpoint, "the content of a deleted file is not there");
}

#[test]
fn whatever_comes_nothing_panics() {
    for (name, archive) in stories::all() {
        let evidence = ckpt_archive::Evidence::from_bytes(
            name,
            archive.tar().into(),
            &ckpt_archive::Options::default(),
        );
        let Ok(evidence) = evidence else { continue };
        let Ok(checkpoint) = Checkpoint::options().open_evidence(evidence) else { continue };
        for task in checkpoint.processes().by_pid() {
            for descriptor in checkpoint.descriptors().of(task.pid) {
                let _ = checkpoint.details(descriptor);
                let content = checkpoint.recovered(descriptor.file_id);
                let _ = content.map(|content| content.sha256());
            }
            let _ = checkpoint.mapped_files(task.pid);
        }
        let _ = (checkpoint.sockets(), checkpoint.pipes(), checkpoint.mounts());
        let _ = (checkpoint.locks(), checkpoint.networks(), checkpoint.ipc());
    }
}

/// What the kitchen sink of the archives made; values are those that it printed.
#[test]
fn the_kitchen_sink() {
    let Some(archives) = std::env::var_os("CKPT_ARCHIVES") else {
        eprintln!("skipped: CKPT_ARCHIVES does not name the directory of archives");
        return;
    };
    let path = std::path::Path::new(&archives).join("04-kitchen-sink/checkpoint.tar.zst");
    let checkpoint = Checkpoint::open(path).expect("the kitchen sink");
    let details = |pid, number| checkpoint.details(fd(&checkpoint, pid, number));
    assert!(matches!(details(1, 49), Details::Eventfd { counter: 47 }));
    let Details::Epoll(watches) = details(1, 48) else { panic!("no epoll") };
    let watched: Vec<_> = watches.iter().map(|watch| (watch.tfd, watch.data)).collect();
    let data = 0xabcd_ef00_0000_0011;
    assert_eq!(watched, [(50, data + 1), (49, data), (52, data + 2)]);
    let Details::Timerfd(timer) = details(1, 50) else { panic!("no timerfd") };
    assert_eq!((timer.clockid, timer.isec, timer.insec), (1, 3617, 5));
    assert!(matches!(details(1, 51), Details::Timerfd(timer) if timer.clockid == 0));
    assert!(matches!(details(1, 52), Details::Signalfd(0x4_0000_0001)));
    let Details::Inotify(watches) = details(1, 53) else { panic!("no inotify") };
    let watches: Vec<_> = watches.iter().map(|watch| (watch.wd, watch.mask)).collect();
    assert_eq!(watches, [(2, 2), (1, 0x300)]);
    let Details::Terminal(terminal) = details(13, 4) else { panic!("no terminal") };
    let window = terminal.winsize.as_ref().map(|size| (size.ws_row, size.ws_col));
    assert_eq!((window, terminal.sid), (Some((31, 97)), 13));
    let locks: Vec<_> =
        checkpoint.locks().iter().map(|l| (l.kind, l.access, l.fd, l.start, l.end)).collect();
    let (posix, ofd) = (Some("posix"), Some("ofd"));
    assert_eq!(locks[0], (Some("flock"), Some("write"), 14, 0, None));
    assert_eq!(locks[1], (posix, Some("write"), 15, 103, Some(152)));
    assert_eq!(locks[2], (ofd, Some("read"), 16, 8, Some(23)));
    let ipc = &checkpoint.ipc()[0];
    assert_eq!((ipc.segments[0].desc.key, ipc.segments[0].size), (0x5eed_0011, 12_288));
    assert_eq!(ipc.semaphores[0].values, [2, 3, 4]);
    let texts: Vec<&[u8]> = ipc.queues[0].messages.iter().map(|message| &*message.text).collect();
    assert_eq!(texts, [&b"ks-public/sysv-msg#0"[..], b"ks-public/sysv-msg#1"]);
    assert!(checkpoint.networks()[0].firewalls.iter().any(|firewall| firewall.network_lock));
}
