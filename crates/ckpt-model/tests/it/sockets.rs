//! Sockets and pipes.

use ckpt_archive::Options;
use ckpt_model::{Checkpoint, Pid, Sender, Socket};
use ckpt_synth::{Arch, Archive, Dump, File, Message, Task, stories};

use crate::open;

fn socket(checkpoint: &Checkpoint, ino: u32) -> &Socket {
    let found = checkpoint.sockets().iter().find(|socket| socket.ino == Some(ino));
    found.unwrap_or_else(|| panic!("no socket {ino}"))
}

fn line(socket: &Socket) -> String {
    let end = |end: &Option<ckpt_model::Endpoint>| {
        end.as_ref().map_or_else(|| "*".to_owned(), |end| end.text().to_string())
    };
    let words = (socket.type_word().unwrap_or("?"), socket.state_word().unwrap_or("?"));
    format!("{} {} {} {}", words.0, words.1, end(&socket.local), end(&socket.remote))
}

#[test]
fn sockets_in_the_words_of_ss() {
    for arch in [Arch::X86_64, Arch::S390x] {
        let mut dump = stories::descriptors();
        dump.arch(arch);
        let checkpoint = open(&Archive::podman(&dump));
        let all = |ino| line(socket(&checkpoint, ino));
        assert_eq!(all(901), "tcp LISTEN 0.0.0.0:80 0.0.0.0:0");
        assert_eq!(all(902), "tcp ESTAB 10.88.0.5:80 10.88.0.9:50000");
        assert_eq!(all(903), "stream ESTAB * *");
        assert_eq!(all(906), "stream LISTEN /run/app.sock *");
        assert_eq!(all(905), "udp UNCONN 0.0.0.0:53 0.0.0.0:0");
    }
}

#[test]
fn queued_bytes_are_real_data() {
    let checkpoint = open(&Archive::podman(&stories::descriptors()));
    let tcp = socket(&checkpoint, 902);
    assert_eq!((tcp.received, tcp.outgoing), (Some(18), Some(12)));
    let reader = socket(&checkpoint, 904);
    assert_eq!((reader.received, reader.peer_ino), (Some(13), Some(903)));
    assert_eq!(socket(&checkpoint, 903).outgoing, Some(13));
    assert_eq!(socket(&checkpoint, 905).received, None, "CRIU keeps no queue of UDP");
    assert_eq!(reader.holders.iter().map(|holder| holder.fd).collect::<Vec<_>>(), [11]);
}

#[test]
fn both_ends_of_a_pipe() {
    let checkpoint = open(&Archive::podman(&stories::descriptors()));
    let pipe = checkpoint.pipes().iter().find(|pipe| pipe.ino == 500).expect("the pipe");
    assert_eq!(pipe.waiting, Some(9));
    let ends = |ends: &[ckpt_model::Holder]| -> Vec<(Pid, u32)> {
        ends.iter().map(|end| (end.pid, end.fd)).collect()
    };
    assert_eq!(ends(&pipe.readers), [(Pid(1), 5), (Pid(2), 5)]);
    assert_eq!(ends(&pipe.writers), [(Pid(1), 6), (Pid(2), 6)]);
}

/// A dump with these sockets from descriptor 3 on.
fn dump_of(files: impl IntoIterator<Item = File>) -> Dump {
    let mut dump = Dump::new();
    let files = (3..).zip(files);
    dump.task(files.fold(Task::new(1, 0), |task, (number, file)| task.fd(number, file)));
    dump
}

fn tcp(ino: u32, state: u32, unread: &str, unsent: &str) -> File {
    let queues = Some((unread.into(), unsent.into()));
    let (local, remote) = (([127, 0, 0, 1], 80), ([127, 0, 0, 1], 4000));
    File::Inet { ino, kind: 1, state, local, remote, queues }
}

/// The queues of the synthetic streams end at 1,000,000 and 2,000,000; a FIN takes a number there.
#[test]
fn sequence_numbers_are_those_of_the_bytes() {
    let states = [(1, 999_997, 1_999_998), (8, 999_996, 1_999_998), (5, 999_997, 1_999_997)];
    let files = states.iter().map(|(state, ..)| tcp(50 + state, *state, "abc", "de"));
    let checkpoint = open(&Archive::podman(&dump_of(files)));
    let artifacts = checkpoint.artifacts(&Options::default());
    for (state, unread, unacknowledged) in states {
        let ino = 50 + state;
        let socket = socket(&checkpoint, ino);
        let first = (socket.first_unread(), socket.first_unacknowledged());
        assert_eq!(first, (Some(unread), Some(unacknowledged)), "state {state}");
        let queue = |name: &str| {
            let artifact = artifacts.get(&format!("tcp-{ino:x}-{name}")).expect("the queue");
            artifact.details.as_ref().and_then(|details| details.tcp.clone()).expect("of TCP")
        };
        assert_eq!((queue("recv").first, queue("recv").next), (unread, unread + 3));
        assert_eq!((queue("send").first, queue("send").next), (unacknowledged, unacknowledged + 2));
    }
}

/// A connection that both ends closed can have bytes that nobody read.
#[test]
fn a_closed_connection_has_its_queues() {
    let never = File::Inet {
        ino: 62,
        kind: 1,
        state: 7,
        local: ([0; 4], 80),
        remote: ([0; 4], 0),
        queues: None,
    };
    let unknown = File::Inet {
        ino: 63,
        kind: 1,
        state: 7,
        local: ([127, 0, 0, 1], 80),
        remote: ([127, 0, 0, 1], 90),
        queues: None,
    };
    let checkpoint = open(&Archive::podman(&dump_of([tcp(61, 7, "unread", ""), never, unknown])));
    let waits = |ino| (socket(&checkpoint, ino).received, socket(&checkpoint, ino).outgoing);
    assert_eq!(waits(61), (Some(6), Some(0)));
    assert_eq!(waits(62), (Some(0), Some(0)), "it never was connected");
    assert_eq!(waits(63), (None, None), "no image has them");
    assert_eq!(crate::told(&checkpoint), Vec::<String>::new());
}

fn numbered(fields: std::ops::RangeInclusive<u32>) -> Message {
    fields.fold(Message::new(), |message, field| message.uint(field, 0u32))
}

/// The kernel lists no netlink socket that is not bound, so that CRIU knows no state.
#[test]
fn a_netlink_socket_that_was_never_bound_is_unconnected() {
    let message = Message::new()
        .uint(2, 71u32) // ino
        .uint(3, 16u32) // protocol: generic
        .uint(4, 0u32) // state
        .uint(6, 0u32) // flags
        .uint(7, 0u32) // portid
        .uint(9, 0u32) // dst_portid
        .uint(10, 0u32) // dst_group
        .message(11, &numbered(1..=5)) // fown
        .message(12, &numbered(1..=6)); // opts
    let netlink = File::Other { kind: 13, field: 7, message };
    let checkpoint = open(&Archive::podman(&dump_of([netlink])));
    assert_eq!(line(socket(&checkpoint, 71)), "netlink UNCONN generic:0 *");
}

/// What CRIU notes of a datagram socket outside: LISTEN, which it cannot be.
#[test]
fn the_state_of_a_socket_outside_is_not_known() {
    let message = Message::new()
        .uint(2, 72u32) // ino
        .uint(3, 2u32) // type: SOCK_DGRAM
        .uint(4, 10u32) // state: LISTEN
        .uint(5, 0u32) // flags
        .uint(6, 1u32) // uflags: EXTERN
        .uint(7, 0u32) // backlog
        .uint(8, 0u32) // peer
        .message(9, &numbered(1..=5)) // fown
        .message(10, &numbered(1..=6)) // opts
        .bytes(11, b"/run/systemd/journal/socket\0"); // name
    let outside = File::Other { kind: 5, field: 16, message };
    let checkpoint = open(&Archive::podman(&dump_of([outside])));
    let socket = socket(&checkpoint, 72);
    assert!(socket.external);
    assert_eq!((socket.state_word(), socket.backlog), (None, None));
}

#[test]
fn a_message_tells_its_sender_and_what_came_with_it() {
    let dump = || {
        let pair = File::unix_pair(81, 82, vec![b"first".to_vec()]);
        dump_of([pair, File::pipe_write(500), File::Eventfd { counter: 7 }])
    };
    let opened = open(&Archive::podman(&dump()));
    let id = |fd| opened.descriptors().get(Pid(1), fd).expect("a descriptor").file_id;
    let scm = Message::new().uint(1, 1u32).uint(2, id(4)).uint(2, id(5)); // SCM_RIGHTS, rights
    let sender = Message::new().uint(1, 1000u32).uint(2, 100u32).uint(3, 7u32); // uid, gid, pid
    let packet = Message::new().uint(1, id(3)).uint(2, 2u32).message(4, &scm).message(128, &sender);
    let mut dump = dump();
    dump.record("sk-queues.img", &packet).append("sk-queues.img", *b"go");
    let checkpoint = open(&Archive::podman(&dump));
    let queue = &socket(&checkpoint, 81).queue;
    assert_eq!(queue.iter().map(|message| message.bytes).collect::<Vec<_>>(), [5, 2]);
    assert_eq!(queue[0].sender, None);
    assert_eq!(queue[1].sender, Some(Sender { pid: 7, uid: 1000, gid: 100 }));
    let artifacts = checkpoint.artifacts(&Options::default());
    let details = artifacts.get("unix-81").and_then(|one| one.details.clone()).expect("details");
    let sent: Vec<String> = details.messages[1].rights.iter().map(ToString::to_string).collect();
    assert_eq!(sent, ["pipe:[500]", "anon_inode:[eventfd]"]);
}

/// CRI-O and containerd give the pod's network from outside.
#[test]
fn a_network_from_outside_has_its_key_alone() {
    let checkpoint = open(&Archive::crio(&dump_of([])));
    let [network] = checkpoint.networks() else { panic!("{:?}", checkpoint.networks()) };
    assert!(network.external.is_some() && network.interfaces.is_empty());
    let checkpoint = open(&Archive::podman(&dump_of([])));
    assert!(checkpoint.networks().iter().all(|network| network.external.is_none()));
}
