//! Sockets and their peers, connections and their queues, data that waits in pipes.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use ckpt_model::fd_type;
use criu_image::ImageKind;
use criu_image::messages::{FileEntry, PipeDataEntry, SkPacketEntry, TtyDataEntry, TtyInfoEntry};

use super::check::{Check, Effect, Spec, count};
use super::reader::Subject;

pub(super) const PEERS: Spec = Spec::coded(
    "C7",
    "socket-peers",
    "every TCP connection with the image of its queues, both ways; the other end of every unix socket with a socket",
);

pub(super) const QUEUED: Spec = Spec::coded(
    "C8",
    "queued-data",
    "data that waits in pipes, sockets and terminals, and files sent over sockets, with what they belong to",
);

/// States by the numbers of TCP. Source: `include/net/tcp_states.h`.
const CLOSE: u32 = 7;
const LISTEN: u32 = 10;
const IPPROTO_TCP: u32 = 6;

/// `USK_EXTERN` of `criu/sk-unix.c`: outside of the dump.
const EXTERN: u32 = 1;

/// C7: sockets.
pub(super) fn peers(subject: &Subject<'_>) -> Check {
    let mut check = PEERS.begin();
    let files = subject.checkpoint.files().all();
    let at = subject.place(ImageKind::Files, None);
    let streams: HashSet<u64> = subject.images.ids(ImageKind::TcpStream).into_iter().collect();
    let closed = subject.checkpoint.inventory().is_some_and(|i| i.tcp_close == Some(true));
    let mut inet: HashSet<u64> = HashSet::new();
    let mut connections = 0_usize;
    let mut without = Vec::new();
    for socket in files.iter().filter_map(|file| file.isk.as_ref()) {
        let ino = u64::from(socket.ino);
        inet.insert(ino);
        let connected = !matches!(socket.state, CLOSE | LISTEN) && socket.dst_port != 0;
        if socket.proto == IPPROTO_TCP && connected {
            connections = connections.saturating_add(1);
            if !streams.contains(&ino) {
                without.push(ino);
            }
        }
    }
    // A dump that closes connections has no queues at all; before it was noted, this is how it shows.
    if !closed && !streams.is_empty() {
        for ino in &without {
            let place = subject.place(ImageKind::TcpStream, Some(*ino));
            let what = format!("the queues of the connection with inode {ino} are not there");
            check.tell(Effect::Incomplete, place, what);
        }
    } else if !without.is_empty() {
        check.note("connections were closed instead of dumped: there are no queues to compare");
    }
    let mut orphaned: Vec<u64> = streams.difference(&inet).copied().collect();
    orphaned.sort_unstable();
    for ino in orphaned {
        let place = subject.place(ImageKind::TcpStream, Some(ino));
        check.tell(Effect::Remark, place, format!("no socket has inode {ino}"));
    }
    let unix: Vec<_> = files.iter().filter_map(|file| file.usk.as_ref()).collect();
    let inodes: HashSet<u32> = unix.iter().map(|socket| socket.ino).collect();
    for socket in &unix {
        let outside = socket.uflags & EXTERN != 0;
        if socket.peer != 0 && !outside && !inodes.contains(&socket.peer) {
            let what = format!(
                "the peer of the unix socket with inode {} has inode {}, which no socket has",
                socket.ino, socket.peer
            );
            check.tell(Effect::Incomplete, &*at, what);
        }
    }
    if inet.is_empty() && unix.is_empty() && streams.is_empty() {
        return PEERS.not_applicable("there are no internet or unix sockets");
    }
    check.end(
        format!(
            "{}, {}",
            count(connections, "TCP connection", "TCP connections"),
            count(unix.len(), "unix socket", "unix sockets")
        ),
        count(streams.len(), "image of queues", "images of queues"),
    )
}

/// Pipes and named pipes with an end that reads, by their number. CRIU looks into each of them, and writes a record even
/// when nothing waits; before it wrote one table of all files (3.4) nobody can tell.
///
/// Source: `criu/pipes.c`, `dump_one_pipe_data`.
fn readers(subject: &Subject<'_>) -> (BTreeSet<u32>, BTreeSet<u32>) {
    const ACCESS: u32 = 3;
    const WRITE_ONLY: u32 = 1;
    let (mut pipes, mut fifos) = (BTreeSet::new(), BTreeSet::new());
    if !subject.images.has(ImageKind::Files, None) {
        return (pipes, fifos);
    }
    let table = subject.checkpoint.files();
    for file in table.all() {
        if let Some(pipe) = file.pipe.as_ref().filter(|pipe| pipe.flags & ACCESS != WRITE_ONLY) {
            pipes.insert(pipe.pipe_id);
        }
        let Some(fifo) = &file.fifo else { continue };
        let path = table.get(fd_type::REG, fifo.regf_id.unwrap_or(fifo.id));
        let path = path.and_then(|file| file.reg.as_ref());
        if path.is_some_and(|path| path.flags & ACCESS != WRITE_ONLY) {
            fifos.insert(fifo.pipe_id);
        }
    }
    (pipes, fifos)
}

/// Files of unix sockets that must have something to read, each with the inode of the peer that sent it: of a connection,
/// CRIU notes the memory that the sender's packets take until they are read.
///
/// Source: `criu/sk-unix.c`, `unix_sk_entry.backlog`.
fn senders(files: &[&FileEntry]) -> BTreeMap<u32, u32> {
    const STREAM: u32 = 1;
    const SEQPACKET: u32 = 5;
    let unix = || files.iter().filter_map(|file| file.usk.as_ref());
    let receivers: HashMap<u32, u32> = unix()
        .filter(|socket| socket.state != LISTEN && socket.uflags & EXTERN == 0)
        .map(|socket| (socket.ino, socket.id))
        .collect();
    let sent = unix().filter(|socket| {
        socket.backlog > 0 && socket.state != LISTEN && matches!(socket.r#type, STREAM | SEQPACKET)
    });
    sent.filter_map(|socket| Some((*receivers.get(&socket.peer)?, socket.ino))).collect()
}

/// C8: data on its way.
pub(super) fn queued(subject: &Subject<'_>) -> Check {
    let mut check = QUEUED.begin();
    let table = subject.checkpoint.files();
    let files = table.all();
    let pipes: HashSet<u32> =
        files.iter().filter_map(|file| Some(file.pipe.as_ref()?.pipe_id)).collect();
    let fifos: HashSet<u32> =
        files.iter().filter_map(|file| Some(file.fifo.as_ref()?.pipe_id)).collect();
    let (read_pipes, read_fifos) = readers(subject);
    let mut queues = 0_usize;
    for (kind, known, name) in
        [(ImageKind::PipesData, &pipes, "pipe"), (ImageKind::FifoData, &fifos, "named pipe")]
    {
        let data = subject.read::<PipeDataEntry>(kind, None);
        let at = subject.place(kind, None);
        if !data.whole {
            check.unreadable(&*at);
        }
        let told: HashSet<u32> = data.list.iter().map(|entry| entry.pipe_id).collect();
        let readers = if kind == ImageKind::FifoData { &read_fifos } else { &read_pipes };
        for id in readers.iter().filter(|id| data.whole && !told.contains(id)) {
            let what = format!("what waited in {name} {id} is not in it");
            check.tell(Effect::Incomplete, &*at, what);
        }
        for entry in data.list {
            queues = queues.saturating_add(1);
            if !known.contains(&entry.pipe_id) {
                let what = format!("data of {name} {}, which no file is", entry.pipe_id);
                check.tell(Effect::Incomplete, &*at, what);
            }
        }
    }
    let packets = subject.read::<SkPacketEntry>(ImageKind::SkQueues, None);
    let at = subject.place(ImageKind::SkQueues, None);
    if !packets.whole {
        check.unreadable(&*at);
    }
    let sockets = [fd_type::UNIXSK, fd_type::INETSK, fd_type::NETLINKSK, fd_type::PACKETSK];
    let received: HashSet<u32> = packets.list.iter().map(|packet| packet.id_for).collect();
    for (receiver, sender) in senders(&files) {
        if packets.whole && !received.contains(&receiver) {
            let what = format!(
                "what unix socket {sender} had sent to file {receiver}, which had not read it, is not in it"
            );
            check.tell(Effect::Incomplete, &*at, what);
        }
    }
    for packet in packets.list {
        queues = queues.saturating_add(1);
        if !sockets.iter().any(|kind| table.get(*kind, packet.id_for).is_some()) {
            let what = format!("a packet for file {}, which is no socket", packet.id_for);
            check.tell(Effect::Incomplete, &*at, what);
        }
        for id in packet.scm.iter().flat_map(|scm| &scm.rights) {
            if table.by_id(*id).next().is_none() {
                let what = format!("file {id} was sent with a packet, and is in no image");
                check.tell(Effect::Incomplete, &*at, what);
            }
        }
    }
    let terminals = subject.read::<TtyInfoEntry>(ImageKind::TtyInfo, None);
    let known: HashSet<u32> = terminals.list.iter().map(|terminal| terminal.id).collect();
    let typed = subject.read::<TtyDataEntry>(ImageKind::TtyData, None);
    for entry in &typed.list {
        queues = queues.saturating_add(1);
        if terminals.whole && !known.contains(&entry.tty_id) {
            let at = subject.place(ImageKind::TtyData, None);
            let what = format!("data of terminal {}, which is in no image", entry.tty_id);
            check.tell(Effect::Incomplete, at, what);
        }
    }
    if queues == 0 && !check.has_failed() {
        return QUEUED.not_applicable("nothing waited in pipes, sockets or terminals");
    }
    let files = files.len();
    check.end(count(queues, "queue or packet", "queues or packets"), format!("{files} open files"))
}
