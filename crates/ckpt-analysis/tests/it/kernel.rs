//! Descriptors, sockets, mounts.

use ckpt_analysis::compare::{DescriptorFact, Inodes, SocketFact};
use ckpt_model::Checkpoint;
use ckpt_synth::{Archive, Container, File, Task};

use crate::{checkpoint, compared, dump, init, open};

const LOCAL: ([u8; 4], u16) = ([127, 0, 0, 1], 8080);
const REMOTE: ([u8; 4], u16) = ([10, 0, 0, 9], 40_000);

fn file(path: &str, pos: u64, flags: u32) -> File {
    File::Reg { path: path.into(), flags, pos, deleted: None }
}

#[test]
fn descriptors_are_opened_closed_and_changed() {
    let before = Task::new(7, 1)
        .fd(3, file("/data/log", 20, 0o101))
        .fd(4, File::path("/etc/passwd"))
        .fd(5, File::path("/etc/hosts"))
        .fd(6, File::path("/same"));
    let after = Task::new(7, 1)
        .fd(3, file("/data/log", 43, 0o2101))
        .fd(4, File::deleted("/etc/passwd", "root"))
        .fd_cloexec(6, File::path("/same"))
        .fd(8, File::path("/new"));
    let (a, b) = (checkpoint([init(), before]), checkpoint([init(), after]));
    let comparison = compared(&a, &b);
    let found = comparison.descriptors.as_ref().unwrap();
    let numbers = |held: &[ckpt_analysis::compare::Held<'_>]| {
        held.iter().map(|held| (held.pid.0, held.descriptor.fd)).collect::<Vec<_>>()
    };
    assert_eq!(numbers(&found.opened), [(7, 8)]);
    assert_eq!(numbers(&found.closed), [(7, 5)]);
    let changed: Vec<(u32, &[DescriptorFact])> = found
        .changed
        .iter()
        .map(|change| (change.b.descriptor.fd, change.what.as_slice()))
        .collect();
    assert_eq!(
        changed,
        [
            (3, &[DescriptorFact::Pos, DescriptorFact::Flags][..]),
            (4, &[DescriptorFact::Target, DescriptorFact::Flags, DescriptorFact::Deleted]),
            (6, &[DescriptorFact::Cloexec]),
        ]
    );
}

#[test]
fn sockets_by_inode_within_one_run() {
    let listener = |ino| File::tcp_listen(ino, LOCAL);
    let before = Task::new(7, 1).fd(3, listener(100)).fd(4, listener(101));
    let after = Task::new(7, 1)
        .fd(3, listener(100))
        .fd(4, listener(105))
        .fd(5, File::tcp(110, LOCAL, REMOTE, "unread", ""));
    let (a, b) = (checkpoint([init(), before]), checkpoint([init(), after]));
    let comparison = compared(&a, &b);
    assert_eq!(comparison.inodes, Inodes::Kept);
    let found = comparison.sockets.as_ref().unwrap();
    let inodes = |sockets: &[&ckpt_model::Socket]| {
        sockets.iter().map(|socket| socket.ino.unwrap()).collect::<Vec<_>>()
    };
    // A listener that took the place of another is another one, whatever its address is.
    assert_eq!(inodes(&found.added), [105, 110]);
    assert_eq!(inodes(&found.removed), [101]);
    assert_eq!(inodes(&found.unchanged), [100]);
    let descriptors = comparison.descriptors.as_ref().unwrap();
    assert_eq!(descriptors.changed[0].what, [DescriptorFact::Target]);
}

#[test]
fn queues_and_states_change() {
    let tcp = |unread: &str, state| {
        let mut file = File::tcp(110, LOCAL, REMOTE, unread, "");
        if let File::Inet { state: of, .. } = &mut file {
            *of = state;
        }
        file
    };
    let before = Task::new(7, 1).fd(5, tcp("", 1));
    let after = Task::new(7, 1).fd(5, tcp("GET /", 8));
    let (a, b) = (checkpoint([init(), before]), checkpoint([init(), after]));
    let comparison = compared(&a, &b);
    let changed = &comparison.sockets.as_ref().unwrap().changed;
    assert_eq!(changed[0].what, [SocketFact::State, SocketFact::Received]);
}

#[test]
fn a_descriptor_that_went_with_its_process_changes_no_socket() {
    let shared = |pid, ppid| Task::new(pid, ppid).fd(3, File::tcp_listen(100, LOCAL));
    let a = checkpoint([init(), shared(7, 1), shared(8, 7), shared(9, 7)]);
    let b = checkpoint([init(), shared(7, 1), shared(9, 7), shared(12, 7)]);
    let comparison = compared(&a, &b);
    let found = comparison.sockets.as_ref().unwrap();
    assert_eq!((found.changed.len(), found.unchanged.len()), (0, 1));
    // But one that a process closed, or got, does.
    let c = checkpoint([init(), shared(7, 1), Task::new(9, 7)]);
    let comparison = compared(&b, &c);
    assert_eq!(comparison.sockets.as_ref().unwrap().changed[0].what, [SocketFact::Holders]);
}

/// A server as a container of that name has it; inodes begin at `ino`.
fn web(name: &str, ino: u32, more: Option<File>) -> Checkpoint {
    let mut task = Task::new(1, 0)
        .fd(1, File::pipe_write(ino))
        .fd(2, File::pipe_write(ino + 1))
        .fd(3, File::tcp_listen(ino + 2, LOCAL))
        .fd(4, File::unix_listen(ino + 3, "/run/web.sock"))
        .fd(5, File::unix_pair(ino + 4, ino + 5, vec![b"ping".to_vec()]))
        .fd(6, File::unix_pair(ino + 5, ino + 4, Vec::new()));
    if let Some(file) = more {
        task = task.fd(9, file);
    }
    let mut dump = dump([task]);
    dump.container(Container::new(name).id(&name.repeat(16)));
    open(&Archive::podman(&dump))
}

#[test]
fn sockets_by_address_between_replicas() {
    let a = web("web1", 1000, None);
    let b = web("web2", 7000, Some(File::tcp_listen(7010, ([0, 0, 0, 0], 4444))));
    let comparison = compared(&a, &b);
    // The first process of a synthetic container has one memory everywhere, so that it seems to go on; nothing of its
    // pipes and sockets has its number still.
    assert_eq!(comparison.inodes, Inodes::Renumbered);
    let found = comparison.sockets.as_ref().unwrap();
    assert_eq!((found.unchanged.len(), found.changed.len(), found.removed.len()), (4, 0, 0));
    assert_eq!(found.added.len(), 1);
    assert_eq!(found.added[0].ino, Some(7010));
    let descriptors = comparison.descriptors.as_ref().unwrap();
    assert!(descriptors.changed.is_empty(), "{:?}", descriptors.changed);
    assert_eq!(descriptors.opened.len(), 1);
}

/// Sockets in flight, and those of a dump that lost who holds them, have neither address nor holder. Found by fuzzing.
#[test]
fn sockets_that_nobody_holds_are_no_difference() {
    let lost = || {
        let pair = |ino, peer| File::unix_pair(ino, peer, Vec::new());
        let mut dump = dump([init().fd(5, pair(10, 11)).fd(6, pair(11, 10))]);
        dump.without("mm-1.img");
        for (name, _) in dump.images() {
            if name.starts_with("fdinfo-") {
                dump.without(&name);
            }
        }
        open(&Archive::podman(&dump))
    };
    let (a, b) = (lost(), lost());
    let comparison = compared(&a, &b);
    assert_eq!(comparison.inodes, Inodes::Unrelated);
    let found = comparison.sockets.as_ref().unwrap();
    assert!(found.unchanged.iter().all(|socket| socket.holders.is_empty()));
    assert_eq!((found.unchanged.len(), found.added.len(), found.removed.len()), (2, 0, 0));
}

#[test]
fn mounts_by_place() {
    let a = open(&Archive::podman(&dump([init()])));
    let b = open(&Archive::podman(&dump([init()])));
    let comparison = compared(&a, &b);
    let found = comparison.mounts.as_ref().unwrap();
    assert_eq!(found.unchanged.len(), a.mounts().len());
    assert!(!a.mounts().is_empty());
    // Without the images of one side every mount of the other is alone.
    let mut dump = dump([init()]);
    for (name, _) in dump.images() {
        if name.starts_with("mountpoints-") {
            dump.without(&name);
        }
    }
    let bare = open(&Archive::podman(&dump));
    let comparison = compared(&bare, &b);
    let found = comparison.mounts.as_ref().unwrap();
    assert_eq!((found.added.len(), found.removed.len()), (b.mounts().len(), 0));
}

/// The product of processes and the descriptors that all of them have is in neither checkpoint.
#[test]
fn descriptors_that_many_processes_share_are_compared_once() {
    const MANY: u32 = 300;
    let sharing = |descriptors: u32| {
        let file = |task: Task, fd| task.fd(fd, File::Eventfd { counter: 7 });
        let first = (0..descriptors).fold(Task::new(1, 0).no_fds(), file);
        let others = (2..=MANY).map(|pid| Task::new(pid, 1).no_fds().share_files_with(1));
        checkpoint([first].into_iter().chain(others))
    };
    let (a, b) = (sharing(MANY), sharing(MANY + 10));
    let comparison = compared(&a, &b);
    let found = comparison.descriptors.as_ref().unwrap();
    assert_eq!(found.opened.len() % 10, 0);
    let told = found.opened.len() / 10;
    assert!(told > 1, "a few are told of each");
    assert!((told - 1) * (2 * MANY as usize + 10) <= 1 << 14, "{told}");
    assert_eq!(found.same.len(), MANY as usize - told);
    assert!(found.same.iter().all(|same| same.same_as.0 == 1 && same.pid == same.pid_a));
}
