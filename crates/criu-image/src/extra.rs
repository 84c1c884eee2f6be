//! What follows the payload of some records: queues, file content, IPC objects.
//!
//! Lengths come from the message before and are checked against the bytes that are left. Padding rounds up: what is
//! aligned already has none. Raw numbers are in the dumping host's byte order.

use bytes::Bytes;

use crate::error::ImageError;
use crate::frame::{ByteOrder, MAX_RECORD, Record, count};
use crate::kind::ExtraRule;
use crate::messages::{
    BpfmapDataEntry, GhostChunkEntry, GhostFileEntry, IpcMsg, IpcMsgEntry, IpcSemEntry,
    IpcShmEntry, PipeDataEntry, SkPacketEntry, TcpStreamEntry,
};

/// What follows a record.
#[derive(Clone, Debug)]
pub enum Extra {
    /// Nothing.
    None,
    /// Unread bytes of a pipe or named pipe, oldest first.
    PipeData(Bytes),
    /// One datagram, or one piece of a stream.
    Packet(Bytes),
    /// Queues of a TCP connection.
    TcpQueues {
        /// Received and not read.
        received: Bytes,
        /// Sent and not acknowledged, then not sent.
        outgoing: Bytes,
    },
    /// Content of a deleted file, whole.
    GhostContent(Bytes),
    /// Content of a deleted file, in pieces.
    GhostChunks(GhostChunks),
    /// Content of a shared memory segment, without its padding.
    SharedMemory(Bytes),
    /// Messages of a System V queue.
    Messages(IpcMessages),
    /// Values of a semaphore set.
    Semaphores(Semaphores),
    /// Content of a BPF map.
    BpfMap {
        /// All keys.
        keys: Bytes,
        /// All values, in the same order.
        values: Bytes,
    },
}

impl Extra {
    /// What it is, in a few words; `None` for nothing.
    #[must_use]
    pub const fn what(&self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::PipeData(_) => Some("pipe data"),
            Self::Packet(_) => Some("packet"),
            Self::TcpQueues { .. } => Some("TCP queues"),
            Self::GhostContent(_) => Some("file content"),
            Self::GhostChunks(_) => Some("file chunks"),
            Self::SharedMemory(_) => Some("shared memory"),
            Self::Messages(_) => Some("messages"),
            Self::Semaphores(_) => Some("semaphore values"),
            Self::BpfMap { .. } => Some("map content"),
        }
    }
}

/// Finds what follows a record, and how many bytes of `rest` it takes.
pub(crate) fn follow(
    rule: ExtraRule,
    record: &Record,
    rest: &Bytes,
    offset: u64,
    order: ByteOrder,
) -> Result<(Extra, usize), ImageError> {
    Ok(match rule {
        ExtraRule::None => (Extra::None, 0),
        ExtraRule::PipeData => {
            let entry: PipeDataEntry = record.decode()?;
            let data = take(rest, 0, entry.bytes.into(), offset, "pipe data")?;
            let length = data.len();
            (Extra::PipeData(data), length)
        }
        ExtraRule::Packet => {
            let entry: SkPacketEntry = record.decode()?;
            let data = take(rest, 0, entry.length.into(), offset, "packet")?;
            let length = data.len();
            (Extra::Packet(data), length)
        }
        ExtraRule::TcpStream => {
            let entry: TcpStreamEntry = record.decode()?;
            let received = take(rest, 0, entry.inq_len.into(), offset, "received TCP queue")?;
            let outgoing =
                take(rest, received.len(), entry.outq_len.into(), offset, "outgoing TCP queue")?;
            let length = received.len().saturating_add(outgoing.len());
            (Extra::TcpQueues { received, outgoing }, length)
        }
        ExtraRule::Ghost => ghost(&record.decode()?, rest, offset, order),
        ExtraRule::IpcShm => {
            let entry: IpcShmEntry = record.decode()?;
            if entry.in_pagemaps() {
                (Extra::None, 0)
            } else {
                let data = take(rest, 0, entry.size, offset, "shared memory")?;
                let length = take(rest, 0, padded(entry.size, 4), offset, "shared memory")?.len();
                (Extra::SharedMemory(data), length)
            }
        }
        ExtraRule::IpcMsg => {
            let entry: IpcMsgEntry = record.decode()?;
            let mut messages = IpcMessages {
                bytes: rest.clone(),
                at: 0,
                left: entry.qnum,
                offset,
                order,
                record: record.index,
            };
            let all = messages.clone();
            for message in messages.by_ref() {
                message?;
            }
            let length = messages.at;
            (
                Extra::Messages(IpcMessages { bytes: rest.slice(..length.min(rest.len())), ..all }),
                length,
            )
        }
        ExtraRule::IpcSem => {
            let entry: IpcSemEntry = record.decode()?;
            let size = u64::from(entry.nsems).saturating_mul(2);
            let values = take(rest, 0, size, offset, "semaphore values")?;
            let length = take(rest, 0, padded(size, 8), offset, "semaphore values")?.len();
            (Extra::Semaphores(Semaphores { values, order }), length)
        }
        ExtraRule::BpfMap => {
            let entry: BpfmapDataEntry = record.decode()?;
            let keys = take(rest, 0, entry.keys_bytes.into(), offset, "map keys")?;
            let values = take(rest, keys.len(), entry.values_bytes.into(), offset, "map values")?;
            let length = keys.len().saturating_add(values.len());
            (Extra::BpfMap { keys, values }, length)
        }
    })
}

fn ghost(entry: &GhostFileEntry, rest: &Bytes, offset: u64, order: ByteOrder) -> (Extra, usize) {
    const TYPE: u32 = 0o170_000;
    const REGULAR: u32 = 0o100_000;
    if entry.chunks() {
        let chunks = GhostChunks { bytes: rest.clone(), offset, order, size: entry.size };
        (Extra::GhostChunks(chunks), rest.len())
    } else if entry.mode & TYPE == REGULAR {
        (Extra::GhostContent(rest.clone()), rest.len())
    } else {
        (Extra::None, 0)
    }
}

/// Rounds up to a multiple; what does not fit 64 bits stays above every file.
fn padded(size: u64, multiple: u64) -> u64 {
    size.checked_next_multiple_of(multiple).unwrap_or(u64::MAX)
}

/// Takes `length` bytes at `start`.
fn take(
    rest: &Bytes,
    start: usize,
    length: u64,
    offset: u64,
    what: &'static str,
) -> Result<Bytes, ImageError> {
    let left = rest.len().saturating_sub(start);
    match usize::try_from(length) {
        Ok(length) if length <= left => Ok(rest.slice(start..start.saturating_add(length))),
        _ => Err(ImageError::Truncated {
            offset: offset.saturating_add(count(start)),
            what,
            expected: length,
            found: count(left),
        }),
    }
}

/// Reads a length and a small message at `at`; gives the message and the offset after it.
fn nested<M: prost::Message + Default>(
    bytes: &Bytes,
    at: usize,
    offset: u64,
    order: ByteOrder,
    record: usize,
    what: &'static str,
) -> Result<(M, usize), ImageError> {
    let here = offset.saturating_add(count(at));
    let left = bytes.len().saturating_sub(at);
    let length = order.u32_at(bytes, at).ok_or(ImageError::Truncated {
        offset: here,
        what,
        expected: 4,
        found: count(left),
    })?;
    if u64::from(length) > MAX_RECORD {
        return Err(ImageError::TooLong {
            offset: here,
            what,
            length: length.into(),
            limit: MAX_RECORD,
        });
    }
    let payload = take(bytes, at.saturating_add(4), length.into(), offset, what)?;
    let message = M::decode(&*payload).map_err(|error| ImageError::BadProtobuf {
        record,
        offset: here,
        message: format!("{what}: {error}"),
    })?;
    Ok((message, at.saturating_add(4).saturating_add(payload.len())))
}

/// Content of a deleted file as pieces; what no piece covers is zeros.
///
/// Offsets are the file's own and can be far apart: never build the whole file in memory without a limit.
#[derive(Clone, Debug)]
pub struct GhostChunks {
    bytes: Bytes,
    offset: u64,
    order: ByteOrder,
    size: Option<u64>,
}

impl GhostChunks {
    /// Bytes of the file, where the image says; CRIU does not cut pieces that go beyond.
    #[must_use]
    pub const fn size(&self) -> Option<u64> {
        self.size
    }

    /// Bytes of the image that hold the pieces, with their framing.
    #[must_use]
    pub fn stored(&self) -> u64 {
        count(self.bytes.len())
    }

    /// The pieces in the order of the image.
    #[must_use]
    pub fn iter(&self) -> GhostChunkIter {
        GhostChunkIter { chunks: self.clone(), at: 0 }
    }
}

impl IntoIterator for &GhostChunks {
    type Item = Result<GhostChunk, ImageError>;
    type IntoIter = GhostChunkIter;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// A piece of a deleted file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GhostChunk {
    /// Where it belongs in the file; `start` and its length together fit a signed 64-bit file offset.
    pub start: u64,
    /// Its bytes.
    pub data: Bytes,
    /// Where its bytes are in the image file.
    pub image_offset: u64,
}

/// Iterator over the pieces of a deleted file; ends after the first error.
#[derive(Clone, Debug)]
pub struct GhostChunkIter {
    chunks: GhostChunks,
    at: usize,
}

impl Iterator for GhostChunkIter {
    type Item = Result<GhostChunk, ImageError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.chunks.bytes.len() {
            return None;
        }
        let chunk = self.read();
        self.at = chunk.as_ref().map_or(self.chunks.bytes.len(), |(_, end)| *end);
        Some(chunk.map(|(chunk, _)| chunk))
    }
}

impl std::iter::FusedIterator for GhostChunkIter {}

impl GhostChunkIter {
    fn read(&self) -> Result<(GhostChunk, usize), ImageError> {
        let GhostChunks { bytes, offset, order, .. } = &self.chunks;
        let here = offset.saturating_add(count(self.at));
        let (entry, start): (GhostChunkEntry, usize) =
            nested(bytes, self.at, *offset, *order, 0, "ghost chunk")?;
        let end = entry.off.checked_add(entry.len).and_then(|end| i64::try_from(end).ok());
        if end.is_none() {
            return Err(ImageError::BadValue {
                offset: here,
                what: "end of a ghost chunk",
                value: entry.off,
            });
        }
        let data = take(bytes, start, entry.len, *offset, "ghost chunk data")?;
        let after = start.saturating_add(data.len());
        // Without this a chunk of no bytes could be repeated for ever, but its framing always takes four.
        Ok((
            GhostChunk {
                start: entry.off,
                data,
                image_offset: offset.saturating_add(count(start)),
            },
            after,
        ))
    }
}

/// Messages of a System V queue, in their order; an iterator that has been run once already, so that framing is known to
/// be right.
#[derive(Clone, Debug)]
pub struct IpcMessages {
    bytes: Bytes,
    at: usize,
    left: u32,
    offset: u64,
    order: ByteOrder,
    record: usize,
}

/// A message of a System V queue.
#[derive(Clone, Debug, PartialEq)]
pub struct IpcMessage {
    /// Type and size.
    pub entry: IpcMsg,
    /// Text, without its padding.
    pub text: Bytes,
    /// Where its length field is in the file.
    pub offset: u64,
}

impl Iterator for IpcMessages {
    type Item = Result<IpcMessage, ImageError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let message = self.read();
        match &message {
            Ok((_, end)) => self.at = *end,
            Err(_) => self.left = 0,
        }
        Some(message.map(|(message, _)| message))
    }
}

impl std::iter::FusedIterator for IpcMessages {}

impl IpcMessages {
    /// Messages not yet read.
    #[must_use]
    pub const fn remaining(&self) -> u32 {
        self.left
    }

    fn read(&self) -> Result<(IpcMessage, usize), ImageError> {
        let (entry, start): (IpcMsg, usize) =
            nested(&self.bytes, self.at, self.offset, self.order, self.record, "message")?;
        let text = take(&self.bytes, start, entry.msize.into(), self.offset, "message text")?;
        let length =
            take(&self.bytes, start, padded(entry.msize.into(), 8), self.offset, "message text")?
                .len();
        let offset = self.offset.saturating_add(count(self.at));
        Ok((IpcMessage { entry, text, offset }, start.saturating_add(length)))
    }
}

/// Values of a semaphore set.
#[derive(Clone, Debug)]
pub struct Semaphores {
    values: Bytes,
    order: ByteOrder,
}

impl Semaphores {
    /// The values.
    pub fn values(&self) -> impl Iterator<Item = u16> + '_ {
        self.values.chunks_exact(2).filter_map(<[u8]>::first_chunk).map(|raw| self.order.u16(*raw))
    }
}
