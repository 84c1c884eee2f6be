//! Sockets that appeared, went or changed.
//!
//! Where numbers of inodes are kept, a socket is its inode. Else it is its family, type and addresses; one without
//! addresses is known by the descriptor that holds it, and one that nobody holds by its kind, state and unread bytes.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use ckpt_model::{Checkpoint, Endpoint, Family, Holder, Pid, Socket};

use super::inodes::Inodes;
use super::matching::Matching;

/// What of a socket is different.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SocketFact {
    /// Listening, connected and so on.
    State,
    /// Own address.
    Local,
    /// The other end's address.
    Remote,
    /// Inode of the other end, where numbers are kept.
    Peer,
    /// Bytes received and not read.
    Received,
    /// Bytes sent that the other end does not have.
    Outgoing,
    /// Directions that were shut down.
    Shutdown,
    /// Connections that may wait for `accept`.
    Backlog,
    /// Which of the matched processes have it open, and by which numbers.
    Holders,
}

impl SocketFact {
    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Local => "local",
            Self::Remote => "remote",
            Self::Peer => "peer_ino",
            Self::Received => "recv_bytes",
            Self::Outgoing => "send_bytes",
            Self::Shutdown => "shutdown",
            Self::Backlog => "backlog",
            Self::Holders => "holders",
        }
    }
}

/// A socket that changed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SocketChange<'a> {
    /// In the first checkpoint.
    pub a: &'a Socket,
    /// In the second.
    pub b: &'a Socket,
    /// What differs.
    pub what: Vec<SocketFact>,
}

/// Sockets of both checkpoints.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Sockets<'a> {
    /// Only in the second, in its order.
    pub added: Vec<&'a Socket>,
    /// Only in the first, in its order.
    pub removed: Vec<&'a Socket>,
    /// In both, and different.
    pub changed: Vec<SocketChange<'a>>,
    /// In both, and not different; the second's.
    pub unchanged: Vec<&'a Socket>,
}

pub(super) fn compare<'a>(
    matching: &Matching<'a>,
    a: &'a Checkpoint,
    b: &'a Checkpoint,
    inodes: Inodes,
) -> Sockets<'a> {
    let mut pool = Pool {
        a: a.sockets().iter().collect(),
        b: b.sockets().iter().collect(),
        pairs: Vec::new(),
    };
    let kept = inodes == Inodes::Kept;
    // With inodes that tell, only what has none is looked for by other means.
    let blind = |socket: &Socket| !kept || socket.ino.is_none();
    if kept {
        pool.pair(
            |socket| Some((kind(socket), socket.ino?)),
            |socket| Some((kind(socket), socket.ino?)),
        );
    }
    let addressed = |socket: &'a Socket| {
        let has = socket.local.is_some() || socket.remote.is_some();
        (blind(socket) && has).then_some((
            kind(socket),
            socket.state,
            &socket.local,
            &socket.remote,
        ))
    };
    pool.pair(addressed, addressed);
    let held =
        |socket: &'a Socket, at: Option<(Pid, u32)>| blind(socket).then_some((kind(socket), at?));
    pool.pair(
        |socket| held(socket, first(socket, |pid| matching.partner(pid))),
        |socket| held(socket, first(socket, Some)),
    );
    // In flight between processes, or of a dump that does not tell who has what: nothing but their kind is left.
    let lost = |socket: &'a Socket| {
        let known = socket.local.is_some() || socket.remote.is_some() || !socket.holders.is_empty();
        (blind(socket) && !known).then_some((kind(socket), socket.state, socket.received))
    };
    pool.pair(lost, lost);
    let mut found = Sockets { added: pool.b, removed: pool.a, ..Sockets::default() };
    pool.pairs.sort_by_key(|(_, other)| (other.ino.is_none(), other.ino, other.file_id));
    for (a, b) in pool.pairs {
        let what = differences(a, b, matching, kept);
        if what.is_empty() {
            found.unchanged.push(b);
        } else {
            found.changed.push(SocketChange { a, b, what });
        }
    }
    found
}

fn kind(socket: &Socket) -> (Family, u32, u32) {
    (socket.family, socket.kind, socket.protocol)
}

fn first(socket: &Socket, pid: impl Fn(Pid) -> Option<Pid>) -> Option<(Pid, u32)> {
    let holder = socket.holders.first()?;
    Some((pid(holder.pid)?, holder.fd))
}

/// Sockets that have no partner yet.
struct Pool<'a> {
    a: Vec<&'a Socket>,
    b: Vec<&'a Socket>,
    pairs: Vec<(&'a Socket, &'a Socket)>,
}

impl<'a> Pool<'a> {
    /// Pairs those with equal keys; of several the first goes with the first.
    fn pair<K: Hash + Eq>(
        &mut self,
        key_a: impl Fn(&'a Socket) -> Option<K>,
        key_b: impl Fn(&'a Socket) -> Option<K>,
    ) {
        let mut waiting: HashMap<K, Vec<usize>> = HashMap::new();
        for (index, socket) in self.b.iter().enumerate().rev() {
            if let Some(key) = key_b(socket) {
                waiting.entry(key).or_default().push(index);
            }
        }
        let mut taken = HashSet::new();
        let (b, pairs) = (&self.b, &mut self.pairs);
        self.a.retain(|socket| {
            let index = key_a(socket).and_then(|key| waiting.get_mut(&key)?.pop());
            let other = index.and_then(|index| b.get(index));
            taken.extend(index);
            pairs.extend(other.map(|other| (*socket, *other)));
            other.is_none()
        });
        let mut index = 0_usize;
        self.b.retain(|_| {
            let keep = !taken.contains(&index);
            index = index.saturating_add(1);
            keep
        });
    }
}

fn differences(a: &Socket, b: &Socket, matching: &Matching<'_>, kept: bool) -> Vec<SocketFact> {
    fn known<T: PartialEq>(a: Option<T>, b: Option<T>) -> bool {
        matches!((a, b), (Some(a), Some(b)) if a != b)
    }
    let shut = |a: &Option<Endpoint>, b: &Option<Endpoint>| a != b;
    // A process that came or went took its descriptors along; that is no change of the socket.
    let mut holders: Vec<Holder> = a
        .holders
        .iter()
        .filter_map(|holder| Some(Holder { pid: matching.partner(holder.pid)?, ..*holder }))
        .collect();
    holders.sort_unstable();
    let still = b.holders.iter().filter(|holder| matching.is_matched(holder.pid));
    let holders = !still.eq(&holders);
    [
        (a.state != b.state, SocketFact::State),
        (shut(&a.local, &b.local), SocketFact::Local),
        (shut(&a.remote, &b.remote), SocketFact::Remote),
        (kept && a.peer_ino != b.peer_ino, SocketFact::Peer),
        (known(a.received, b.received), SocketFact::Received),
        (known(a.outgoing, b.outgoing), SocketFact::Outgoing),
        (a.shutdown != b.shutdown, SocketFact::Shutdown),
        (known(a.backlog, b.backlog), SocketFact::Backlog),
        (holders, SocketFact::Holders),
    ]
    .into_iter()
    .filter_map(|(differs, fact)| differs.then_some(fact))
    .collect()
}
