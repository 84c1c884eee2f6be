//! Sockets: the picture of who talks to whom, and the table.

use std::collections::BTreeMap;

use serde::Serialize;

use super::shown::Shown;
use super::{Legible, Limits, Sources};
use crate::json::SocketRecord;
use crate::svg::{self, Drawing, Graph, GraphSocket};

/// The section.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Sockets {
    drawing: Option<Drawing>,
    left_out: usize,
    list: Shown<Row>,
}

#[derive(Clone, Debug, Serialize)]
struct Row {
    kind: String,
    state: String,
    local: String,
    remote: String,
    received: Option<u64>,
    sent: Option<u64>,
    holders: Vec<(u32, u32)>,
    more_holders: usize,
    inode: Option<u32>,
}

/// Holders that one socket names.
const MOST_HOLDERS: usize = 8;

impl Sockets {
    pub(super) fn of(sources: &Sources<'_>, legible: &Legible<'_>, limits: &Limits) -> Self {
        let sockets = sources.files.sockets.as_deref().unwrap_or_default();
        let drawn = svg::sockets(&graph(sources, sockets, legible));
        let (drawing, left_out) = drawn.map_or((None, 0), |(drawing, left)| (Some(drawing), left));
        let list =
            Shown::first(sockets, limits.sockets, "files --sockets", |one| Row::of(one, legible));
        Self { drawing, left_out, list }
    }
}

impl Row {
    fn of(socket: &SocketRecord<'_>, legible: &Legible<'_>) -> Self {
        let held = socket.holders.iter().take(MOST_HOLDERS);
        Self {
            kind: kind(socket),
            state: socket.state.as_deref().unwrap_or_default().to_owned(),
            local: legible.maybe(socket.local.as_deref()),
            remote: legible.maybe(socket.remote.as_deref().or(peer(socket).as_deref())),
            received: socket.recv_bytes,
            sent: socket.send_bytes,
            holders: held.map(|holder| (holder.pid, holder.fd)).collect(),
            more_holders: socket.holders.len().saturating_sub(MOST_HOLDERS),
            inode: socket.ino,
        }
    }
}

/// `inet tcp`; `netlink` alone where family and type are one word.
fn kind(socket: &SocketRecord<'_>) -> String {
    if socket.family == socket.kind {
        socket.family.to_string()
    } else {
        format!("{} {}", socket.family, socket.kind)
    }
}

/// The process at the other end, for a socket without a remote address.
fn peer(socket: &SocketRecord<'_>) -> Option<String> {
    let holder = socket.peer_holders.first()?;
    Some(format!("process {} fd {}", holder.pid, holder.fd))
}

/// The graph, with every socket at the first process that has it.
fn graph(sources: &Sources<'_>, sockets: &[SocketRecord<'_>], legible: &Legible<'_>) -> Graph {
    let mut names: BTreeMap<u32, String> = BTreeMap::new();
    let mut graph = Graph::default();
    for socket in sockets {
        let Some(holder) = socket.holders.first() else { continue };
        names.entry(holder.pid).or_default();
        let other = socket.peer_holders.first().map(|other| other.pid);
        names.extend(other.map(|pid| (pid, String::new())));
        let pair = socket.ino.zip(socket.peer_ino).filter(|_| other.is_some());
        // A datagram socket without a peer takes what comes.
        let alone = socket.remote.as_deref().is_none_or(|remote| remote.ends_with(":0"));
        let is = |state: &str| socket.state.as_deref() == Some(state);
        let listens = is("LISTEN") || (is("UNCONN") && alone);
        let address = if listens { socket.local.as_deref() } else { socket.remote.as_deref() };
        // A socket that was only made has no address at all: it is not drawn, the table has it.
        if pair.is_none() && address.is_none() {
            continue;
        }
        graph.sockets.push(GraphSocket {
            pid: holder.pid,
            pair: pair.map(|(one, other)| (one.min(other), one.max(other))),
            peer: other,
            listens,
            place: format!("{} {}", socket.kind, legible.within(address.unwrap_or_default(), 80)),
            bytes: socket.recv_bytes.unwrap_or(0).saturating_add(socket.send_bytes.unwrap_or(0)),
        });
    }
    for process in &sources.tree.processes {
        if let Some(name) = names.get_mut(&process.pid).filter(|name| name.is_empty()) {
            *name = legible.within(process.comm.as_deref().unwrap_or("–"), 40);
        }
    }
    let drawn: std::collections::HashSet<u32> =
        graph.sockets.iter().flat_map(|socket| [Some(socket.pid), socket.peer]).flatten().collect();
    graph.processes = names.into_iter().filter(|(pid, _)| drawn.contains(pid)).collect();
    graph
}
