//! Sockets and pipes.

use ckpt_model::{Checkpoint, Pid, Socket};
use ckpt_synth::{Arch, Archive, stories};

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
