//! Options of sockets that are not what the kernel sets by itself, in the words of `setsockopt`.

use ckpt_model::{Checkpoint, Socket, Text};
use criu_image::messages::{InetSkEntry, PacketSockEntry, SkOptsEntry};

/// `packet_sock_entry.fanout` of a socket that shares its packets with none.
const NO_FANOUT: u32 = u32::MAX;

/// `SOCK_SNDBUF_LOCK` and `SOCK_RCVBUF_LOCK`: the size of the buffer was set by hand.
const SEND_BUFFER: u32 = 1;
const RECEIVE_BUFFER: u32 = 2;

/// What was set by hand.
pub(crate) fn socket_options(checkpoint: &Checkpoint, socket: &Socket) -> Vec<String> {
    let mut words = Vec::new();
    let file = checkpoint.files().get(socket.fd_type, socket.file_id);
    if let Some(opts) = checkpoint.socket_options(socket) {
        general(opts, &mut words);
    }
    if let Some(inet) = file.and_then(|file| file.isk.as_ref()) {
        internet(inet, socket, &mut words);
    }
    if let Some(packet) = file.and_then(|file| file.psk.as_ref()) {
        words.extend(packet_options(packet));
    }
    words
}

/// Adds the words of what is set.
fn flags(words: &mut Vec<String>, flags: &[(bool, &str)]) {
    words.extend(flags.iter().filter(|(set, _)| *set).map(|(_, word)| (*word).to_owned()));
}

fn is(set: Option<bool>) -> bool {
    set == Some(true)
}

/// Options that all sockets have.
fn general(opts: &SkOptsEntry, words: &mut Vec<String>) {
    let all = [
        (is(opts.reuseaddr), "SO_REUSEADDR"),
        (is(opts.so_reuseport), "SO_REUSEPORT"),
        (is(opts.so_keepalive), "SO_KEEPALIVE"),
        (is(opts.so_broadcast), "SO_BROADCAST"),
        (is(opts.so_passcred), "SO_PASSCRED"),
        (is(opts.so_passsec), "SO_PASSSEC"),
        (is(opts.so_dontroute), "SO_DONTROUTE"),
        (is(opts.so_no_check), "SO_NO_CHECK"),
    ];
    flags(words, &all);
    let set = |number: Option<u32>| number.filter(|number| *number != 0);
    let locked = |bit: u32, size: u32| (opts.so_buf_lock.unwrap_or(0) & bit != 0).then_some(size);
    let numbers = [
        (set(opts.so_mark), "SO_MARK"),
        (set(opts.so_priority), "SO_PRIORITY"),
        // CRIU notes it only where it is on; 0 is a connection that is reset when it is closed.
        (opts.so_linger, "SO_LINGER"),
        (set(opts.so_oobinline), "SO_OOBINLINE"),
        (opts.so_rcvlowat.filter(|bytes| *bytes > 1), "SO_RCVLOWAT"),
        (locked(SEND_BUFFER, opts.so_sndbuf), "SO_SNDBUF"),
        (locked(RECEIVE_BUFFER, opts.so_rcvbuf), "SO_RCVBUF"),
    ];
    for (number, word) in numbers {
        words.extend(number.map(|number| format!("{word}={number}")));
    }
    let timeouts = [
        (opts.so_snd_tmo_sec, opts.so_snd_tmo_usec, "SO_SNDTIMEO"),
        (opts.so_rcv_tmo_sec, opts.so_rcv_tmo_usec, "SO_RCVTIMEO"),
    ];
    for (seconds, micros, word) in timeouts {
        if (seconds, micros) != (0, 0) {
            words.push(format!("{word}={seconds}.{micros:06}"));
        }
    }
    if let Some(device) = opts.so_bound_dev.as_ref().filter(|name| !name.is_empty()) {
        let device = Text::from(device.as_slice());
        words.push(format!("SO_BINDTODEVICE={}", device.escaped()));
    }
    if !opts.so_filter.is_empty() {
        words.push(format!("SO_ATTACH_FILTER ({} instructions)", opts.so_filter.len()));
    }
}

/// Options of IP and of what runs over it.
fn internet(inet: &InetSkEntry, socket: &Socket, words: &mut Vec<String>) {
    let tcp = inet.tcp_opts.as_ref();
    let ip = inet.ip_opts.as_ref();
    let raw = ip.and_then(|ip| ip.raw.as_ref());
    let stream = socket.stream.as_ref();
    let all = [
        (
            is(tcp.and_then(|tcp| tcp.nodelay)) || is(stream.and_then(|tcp| tcp.nodelay)),
            "TCP_NODELAY",
        ),
        (is(tcp.and_then(|tcp| tcp.cork)) || is(stream.and_then(|tcp| tcp.cork)), "TCP_CORK"),
        (is(inet.v6only), "IPV6_V6ONLY"),
        (is(ip.and_then(|ip| ip.freebind)), "IP_FREEBIND"),
        (is(ip.and_then(|ip| ip.pktinfo)), "IP_PKTINFO"),
        (is(raw.and_then(|raw| raw.hdrincl)), "IP_HDRINCL"),
        (is(raw.and_then(|raw| raw.nodefrag)), "IP_NODEFRAG"),
        (is(raw.and_then(|raw| raw.checksum)), "IPV6_CHECKSUM"),
    ];
    flags(words, &all);
    let filter = raw.map(|raw| raw.icmpv_filter.as_slice()).unwrap_or_default();
    if filter.iter().any(|word| *word != 0) {
        let filter: Vec<String> = filter.iter().map(|word| format!("{word:08x}")).collect();
        words.push(format!("ICMP_FILTER={}", filter.join(":")));
    }
    // The second number is what the kernel sets by itself. CRIU 3 keeps the three of TCP with the general options.
    let opts = &inet.opts;
    let numbers = [
        (ip.and_then(|ip| ip.tos), 0, "IP_TOS"),
        (ip.and_then(|ip| ip.ttl), 64, "IP_TTL"),
        (tcp.and_then(|tcp| tcp.keepidle).or(opts.tcp_keepidle), 7200, "TCP_KEEPIDLE"),
        (tcp.and_then(|tcp| tcp.keepintvl).or(opts.tcp_keepintvl), 75, "TCP_KEEPINTVL"),
        (tcp.and_then(|tcp| tcp.keepcnt).or(opts.tcp_keepcnt), 9, "TCP_KEEPCNT"),
    ];
    for (number, usual, word) in numbers {
        words.extend(number.filter(|set| *set != usual).map(|set| format!("{word}={set}")));
    }
}

/// What a packet socket was set to receive, in the words of `packet(7)`.
fn packet_options(packet: &PacketSockEntry) -> Vec<String> {
    let memberships = packet.mclist.iter().map(|member| {
        let word = match member.r#type {
            0 => "PACKET_MR_MULTICAST",
            1 => "PACKET_MR_PROMISC",
            2 => "PACKET_MR_ALLMULTI",
            3 => "PACKET_MR_UNICAST",
            _ => "PACKET_ADD_MEMBERSHIP",
        };
        format!("{word}=if{}", member.index)
    });
    let fanout = packet.fanout.filter(|group| *group != NO_FANOUT);
    let fanout = fanout.map(|group| format!("PACKET_FANOUT={}", group & 0xffff));
    let rings = [(&packet.rx_ring, "PACKET_RX_RING"), (&packet.tx_ring, "PACKET_TX_RING")];
    let rings = rings.into_iter().filter_map(|(ring, word)| {
        let ring = ring.as_ref()?;
        Some(format!("{word} ({} frames of {} bytes)", ring.frame_nr, ring.frame_size))
    });
    let mut words: Vec<String> = memberships.chain(fanout).chain(rings).collect();
    let all = [
        (packet.aux_data, "PACKET_AUXDATA"),
        (packet.orig_dev, "PACKET_ORIGDEV"),
        (packet.vnet_hdr, "PACKET_VNET_HDR"),
        (packet.loss, "PACKET_LOSS"),
    ];
    flags(&mut words, &all);
    let numbers = [
        (packet.reserve, "PACKET_RESERVE"),
        (packet.timestamp, "PACKET_TIMESTAMP"),
        (packet.copy_thresh, "PACKET_COPY_THRESH"),
    ];
    for (number, word) in numbers {
        words.extend((number != 0).then(|| format!("{word}={number}")));
    }
    words
}
