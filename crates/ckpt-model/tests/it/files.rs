//! Descriptors, and what is behind them.

use ckpt_archive::sha256_bytes;
use ckpt_model::{Checkpoint, Descriptor, Details, Pid};
use ckpt_synth::{Archive, Dump, File, Message, Task, stories};

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
    let counter = checkpoint.details(Pid(1), fd(&checkpoint, 1, 13));
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
                let _ = checkpoint.details(task.pid, descriptor);
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
    let details = |pid, number| checkpoint.details(Pid(pid), fd(&checkpoint, pid, number));
    assert!(matches!(details(1, 49), Details::Eventfd { counter: 47 }));
    let Details::Epoll(watches) = details(1, 48) else { panic!("no epoll") };
    let watched: Vec<_> = watches.iter().map(|watch| (watch.fd, watch.data)).collect();
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
