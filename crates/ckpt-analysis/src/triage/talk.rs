//! Whom a process talks to over the network.

use ckpt_model::{Endpoint, Family, Socket, Task};
use criu_image::ImageKind;

use super::finding::Seen;
use super::subject::Subject;

/// Sockets of one process that are told one by one.
const MOST_TOLD: usize = 4;

/// `TCP_ESTABLISHED`, `TCP_LISTEN` and `TCP_CLOSE` of `include/net/tcp_states.h`.
pub(super) const ESTABLISHED: u32 = 1;
pub(super) const LISTEN: u32 = 10;
const CLOSE: u32 = 7;

/// `SOCK_STREAM` and `SOCK_RAW`.
const STREAM: u32 = 1;
const RAW: u32 = 3;

/// Whether it is a socket of the internet protocols.
pub(crate) fn is_inet(socket: &Socket) -> bool {
    matches!(socket.family, Family::Inet | Family::Inet6)
}

/// Whether somebody else is at the other end, or is being called.
pub(crate) fn is_conversation(socket: &Socket) -> bool {
    let peer = matches!(&socket.remote, Some(Endpoint::Inet { port, .. }) if *port != 0);
    is_inet(socket) && socket.kind != RAW && peer && socket.state != LISTEN
}

/// Whether others can connect to it.
pub(crate) fn is_listener(socket: &Socket) -> bool {
    is_inet(socket) && socket.kind == STREAM && socket.state == LISTEN
}

/// Whether datagrams of anybody are received with it.
pub(crate) fn is_bound(socket: &Socket) -> bool {
    let datagrams = is_inet(socket) && socket.kind != STREAM && socket.kind != RAW;
    datagrams && socket.state == CLOSE && port(socket.local.as_ref()).is_some_and(|port| port != 0)
}

/// The port of an end.
pub(crate) fn port(end: Option<&Endpoint>) -> Option<u32> {
    match end {
        Some(Endpoint::Inet { port, .. }) => Some(*port),
        _ => None,
    }
}

/// Whether an end can be reached from the container itself only.
pub(crate) fn is_loopback(end: Option<&Endpoint>) -> bool {
    matches!(end, Some(Endpoint::Inet { address, .. }) if address.to_canonical().is_loopback())
}

/// What a socket is, in words that are safe for a terminal: `tcp 10.0.0.5:33240 to 203.0.113.9:4444 (ESTAB)`.
pub(crate) fn worded(socket: &Socket) -> String {
    let kind = socket.type_word().unwrap_or("socket");
    let text = |end: Option<&Endpoint>| {
        end.map_or_else(|| "?".to_owned(), |end| end.text().escaped().into_owned())
    };
    let local = text(socket.local.as_ref());
    if is_conversation(socket) {
        let state = socket.state_word().unwrap_or("state unknown");
        format!("{kind} {local} to {} ({state})", text(socket.remote.as_ref()))
    } else if is_listener(socket) {
        format!("{kind} {local} (LISTEN)")
    } else {
        format!("{kind} {local}")
    }
}

/// Whether a process talks, or lets talk, to somebody outside of the container.
pub(crate) fn reaches_out(subject: &Subject<'_>, task: &Task) -> bool {
    subject.sockets_of(task.pid).iter().any(|(_, socket)| {
        (is_conversation(socket) && !is_loopback(socket.remote.as_ref()))
            || (is_listener(socket) && !is_loopback(socket.local.as_ref()))
    })
}

/// Whether a process has a connection to somebody outside of the container that did not come to a listener.
pub(crate) fn calls_out(subject: &Subject<'_>, task: &Task) -> bool {
    subject.sockets_of(task.pid).iter().any(|(_, socket)| is_outgoing(subject, socket))
}

/// Whether somebody outside of the container was called: no listener of the dump has the port.
pub(crate) fn is_outgoing(subject: &Subject<'_>, socket: &Socket) -> bool {
    is_conversation(socket)
        && !is_loopback(socket.remote.as_ref())
        && !subject.links.listens_at_port_of(socket)
}

/// The connections and listeners of a process.
pub(crate) fn seen(subject: &Subject<'_>, task: &Task) -> Vec<Seen> {
    let held = subject.sockets_of(task.pid).iter();
    let telling = held.filter(|(_, socket)| is_conversation(socket) || is_listener(socket));
    let member = subject.image(ImageKind::Files, None);
    let told = telling.take(MOST_TOLD).map(|(fd, socket)| {
        Seen::new(format!("descriptor {fd} is {}", worded(socket))).member(member.clone())
    });
    told.collect()
}
