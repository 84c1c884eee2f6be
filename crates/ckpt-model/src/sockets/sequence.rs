//! Sequence numbers of what waits in the queues of a TCP connection.
//!
//! `tcp_stream_entry` has the number behind each queue, as the kernel has it: `rcv_nxt` and `write_seq`. A FIN takes a number as
//! well, and is no byte of the queue.
//!
//! Source: `soccr/soccr.c`, `get_queue`, `libsoccr_set_sk_data_noq`.

use criu_image::messages::TcpStreamEntry;

/// States by which the other end has sent its FIN: CLOSE, CLOSE-WAIT, LAST-ACK, CLOSING.
const FIN_RECEIVED: [u32; 4] = [7, 8, 9, 11];

/// States by which this end has sent its FIN: FIN-WAIT-1, FIN-WAIT-2, CLOSE, LAST-ACK, CLOSING.
const FIN_SENT: [u32; 5] = [4, 5, 7, 9, 11];

/// Sequence numbers of the bytes in a queue. They wrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sequence {
    /// Of the first byte.
    pub(crate) first: u32,
    /// Behind the last one.
    pub(crate) next: u32,
}

impl Sequence {
    /// Of what was received and not read. `state` is the number of TCP's state.
    pub(crate) fn received(state: u32, stream: &TcpStreamEntry) -> Self {
        Self::of(stream.inq_seq, stream.inq_len, FIN_RECEIVED.contains(&state))
    }

    /// Of what was sent and not acknowledged, or not sent.
    pub(crate) fn sent(state: u32, stream: &TcpStreamEntry) -> Self {
        Self::of(stream.outq_seq, stream.outq_len, FIN_SENT.contains(&state))
    }

    fn of(behind: u32, len: u32, fin: bool) -> Self {
        let next = behind.wrapping_sub(u32::from(fin));
        Self { first: next.wrapping_sub(len), next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fin_has_a_number_and_is_no_byte() {
        let stream = TcpStreamEntry {
            inq_len: 10,
            inq_seq: 1000,
            outq_len: 3,
            outq_seq: 2,
            ..TcpStreamEntry::default()
        };
        let both = |state| (Sequence::received(state, &stream), Sequence::sent(state, &stream));
        let range = |first, next| Sequence { first, next };
        assert_eq!(both(1), (range(990, 1000), range(u32::MAX, 2)), "ESTAB");
        assert_eq!(both(8), (range(989, 999), range(u32::MAX, 2)), "CLOSE-WAIT");
        assert_eq!(both(5), (range(990, 1000), range(u32::MAX - 1, 1)), "FIN-WAIT-2");
        assert_eq!(both(11), (range(989, 999), range(u32::MAX - 1, 1)), "CLOSING");
    }
}
