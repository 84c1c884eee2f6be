//! Which sockets of the dump are the two ends of one connection.

use std::collections::HashMap;
use std::net::IpAddr;

use super::{Family, Socket, state};
use crate::endpoint::Endpoint;
use crate::files::fd_type;

/// What one end of a unix connection sent and the other has not read.
pub(super) fn join_unix(sockets: &mut [Socket]) {
    let is_unix = |socket: &Socket| socket.family == Family::Unix;
    let mut by_ino: HashMap<u32, usize> = HashMap::new();
    for (index, socket) in sockets.iter().enumerate().filter(|(_, socket)| is_unix(socket)) {
        by_ino.extend(socket.ino.map(|ino| (ino, index)));
    }
    let facts: Vec<_> = sockets
        .iter()
        .map(|socket| {
            let peer = socket.peer_ino.filter(|_| is_unix(socket)).and_then(|ino| by_ino.get(&ino));
            let peer = peer.and_then(|index| sockets.get(*index))?;
            let waiting = peer.state == state::LISTEN && !peer.external && socket.kind != 2;
            let mutual = peer.peer_ino == socket.ino;
            Some((waiting, peer.received.filter(|_| mutual), peer.local.clone()))
        })
        .collect();
    for (socket, fact) in sockets.iter_mut().zip(facts) {
        let Some((waiting, outgoing, remote)) = fact else { continue };
        socket.waiting = waiting;
        socket.outgoing = outgoing;
        socket.remote = remote;
    }
}

/// Connections whose both ends are in the dump, by their addresses.
pub(super) fn join_inet(sockets: &mut [Socket]) {
    type Key = (Option<u32>, u32, IpAddr, u32, IpAddr, u32);
    let key = |socket: &Socket, swap: bool| -> Option<Key> {
        let connected = !matches!(socket.state, state::LISTEN | state::CLOSE);
        if socket.fd_type != fd_type::INETSK || !connected {
            return None;
        }
        let end = |end: &Option<Endpoint>| match end {
            // A dual socket has the mapped form of the address that the other end has plain.
            Some(Endpoint::Inet { address, port, .. }) => Some((address.to_canonical(), *port)),
            _ => None,
        };
        let (mut from, mut to) = (end(&socket.local)?, end(&socket.remote)?);
        if swap {
            std::mem::swap(&mut from, &mut to);
        }
        Some((socket.net_ns, socket.protocol, from.0, from.1, to.0, to.1))
    };
    let mut ends: HashMap<Key, u32> = HashMap::new();
    for socket in sockets.iter() {
        if let (Some(key), Some(ino)) = (key(socket, false), socket.ino) {
            ends.entry(key).or_insert(ino);
        }
    }
    for socket in sockets.iter_mut() {
        let peer = key(socket, true).and_then(|key| ends.get(&key).copied());
        if let Some(peer) = peer.filter(|peer| Some(*peer) != socket.ino) {
            socket.peer_ino = Some(peer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::empty;
    use super::*;

    #[test]
    fn both_ends_of_a_connection_find_each_other() {
        let end = |ino: u32, from: (&str, u32), to: (&str, u32)| Socket {
            ino: Some(ino),
            fd_type: fd_type::INETSK,
            protocol: 6,
            kind: 1,
            state: 1,
            local: Some(Endpoint::Inet {
                address: from.0.parse().unwrap(),
                port: from.1,
                device: None,
            }),
            remote: Some(Endpoint::Inet {
                address: to.0.parse().unwrap(),
                port: to.1,
                device: None,
            }),
            ..empty()
        };
        let mut sockets = [
            end(1, ("127.0.0.1", 80), ("127.0.0.1", 4000)),
            end(2, ("::ffff:127.0.0.1", 4000), ("::ffff:127.0.0.1", 80)),
            end(3, ("10.0.0.1", 4000), ("10.0.0.2", 80)),
        ];
        join_inet(&mut sockets);
        assert_eq!(sockets.map(|socket| socket.peer_ino), [Some(2), Some(1), None]);
    }
}
