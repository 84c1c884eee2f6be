//! Image files: magics, record lengths and extra bytes.

use crate::protobuf::Message;

/// Type magics and the magics above them. Source: `criu/include/magic.h`.
pub mod magic {
    /// First word of an image since V1.1.
    pub const COMMON: u32 = 0x5456_4319;
    /// First word of a service file (`stats-dump`) since V1.1.
    pub const SERVICE: u32 = 0x5510_5940;
    /// `inventory.img`: the only word of its header, in every version.
    pub const INVENTORY: u32 = 0x5831_3116;
    /// `pstree.img`.
    pub const PSTREE: u32 = 0x5027_3030;
    /// `core-TID.img`.
    pub const CORE: u32 = 0x5505_3847;
    /// `ids-PID.img`.
    pub const IDS: u32 = 0x5443_2030;
    /// `mm-PID.img`.
    pub const MM: u32 = 0x5749_2820;
    /// `vmas-PID.img` (old).
    pub const VMAS: u32 = 0x5412_3737;
    /// `pagemap-PID.img` and `pagemap-shmem-ID.img`.
    pub const PAGEMAP: u32 = 0x5608_4025;
    /// `fs-PID.img`.
    pub const FS: u32 = 0x5140_3912;
    /// `fdinfo-FILESID.img`.
    pub const FDINFO: u32 = 0x5621_3732;
    /// `files.img`.
    pub const FILES: u32 = 0x5630_3138;
    /// `reg-files.img` (old).
    pub const REG_FILES: u32 = 0x5036_3636;
    /// `pipes.img` (old).
    pub const PIPES: u32 = 0x5651_3555;
    /// `unixsk.img` (old).
    pub const UNIXSK: u32 = 0x5437_3943;
    /// `inetsk.img` (old).
    pub const INETSK: u32 = 0x5644_3851;
    /// `eventfd.img` (old).
    pub const EVENTFD: u32 = 0x4452_3722;
    /// `pipes-data.img`.
    pub const PIPES_DATA: u32 = 0x5645_3709;
    /// `sk-queues.img`.
    pub const SK_QUEUES: u32 = 0x5626_4026;
    /// `tcp-stream-INO.img`.
    pub const TCP_STREAM: u32 = 0x5146_5506;
    /// `ghost-file-ID.img`.
    pub const GHOST_FILE: u32 = 0x5258_3605;
    /// `remap-fpath.img`.
    pub const REMAP_FPATH: u32 = 0x5913_3954;
    /// `memfd.img`.
    pub const MEMFD: u32 = 0x4845_3499;
    /// `mountpoints-NS.img`.
    pub const MNTS: u32 = 0x5556_3928;
    /// `netdev-NS.img`.
    pub const NETDEV: u32 = 0x5737_3951;
    /// `netns-NS.img`.
    pub const NETNS: u32 = 0x5593_3752;
    /// `ipcns-shm-NS.img`.
    pub const IPCNS_SHM: u32 = 0x4628_3044;
    /// `filelocks.img`.
    pub const FILE_LOCKS: u32 = 0x5432_3616;
    /// `utsns-NS.img`.
    pub const UTSNS: u32 = 0x5447_3203;
    /// `timens-0.img`.
    pub const TIMENS: u32 = 0x4311_4433;
    /// `pidns-NS.img`.
    pub const PIDNS: u32 = 0x6115_7326;
    /// `cgroup.img`.
    pub const CGROUP: u32 = 0x5938_3330;
    /// `seccomp.img`.
    pub const SECCOMP: u32 = 0x6441_3049;
    /// `creds-TID.img` (old).
    pub const CREDS: u32 = 0x5402_3547;
    /// `sigacts-PID.img` (old).
    pub const SIGACT: u32 = 0x5534_4201;
    /// `itimers-PID.img` (old).
    pub const ITIMERS: u32 = 0x5746_4056;
    /// `rlimit-PID.img` (old).
    pub const RLIMIT: u32 = 0x5711_3925;
    /// `tty-info.img`.
    pub const TTY_INFO: u32 = 0x5945_3036;
    /// `stats-dump`.
    pub const STATS: u32 = 0x5709_3306;
}

/// The byte order of the machine that made the dump.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ByteOrder {
    /// Everything but the next.
    #[default]
    Little,
    /// s390x.
    Big,
}

impl ByteOrder {
    /// A 16-bit word as this machine stores it.
    #[must_use]
    pub fn u16(self, value: u16) -> [u8; 2] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }

    /// A 32-bit word as this machine stores it.
    #[must_use]
    pub fn u32(self, value: u32) -> [u8; 4] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }

    /// A 64-bit word as this machine stores it.
    #[must_use]
    pub fn u64(self, value: u64) -> [u8; 8] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }
}

/// How an image file begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// `img_version` 1: the type magic alone.
    V1_0,
    /// `img_version` 2 and 3: the common or service magic, then the type magic.
    #[default]
    V1_1,
}

/// An image file under construction.
#[derive(Clone, Debug)]
pub struct Image {
    order: ByteOrder,
    bytes: Vec<u8>,
}

impl Image {
    /// A header with the type magic `kind`, which decides whether a second word stands before it.
    #[must_use]
    pub fn new(kind: u32, framing: Framing, order: ByteOrder) -> Self {
        let mut image = Self { order, bytes: Vec::new() };
        if framing == Framing::V1_1 && kind != magic::INVENTORY {
            let first = if kind == magic::STATS { magic::SERVICE } else { magic::COMMON };
            image.word(first);
        }
        image.word(kind);
        image
    }

    /// Adds a record: its length and its bytes.
    #[must_use]
    pub fn record(mut self, message: &Message) -> Self {
        let bytes = message.as_bytes();
        self.word(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        self.bytes.extend(bytes);
        self
    }

    /// Adds one record for each message.
    #[must_use]
    pub fn records<'a>(self, messages: impl IntoIterator<Item = &'a Message>) -> Self {
        messages.into_iter().fold(self, Image::record)
    }

    /// Adds bytes without a length: the payload after a record.
    #[must_use]
    pub fn extra(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.bytes.extend(bytes.as_ref());
        self
    }

    /// The file.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn word(&mut self, word: u32) {
        self.bytes.extend(self.order.u32(word));
    }
}

/// A record without header, for appending to an image that is there already.
#[must_use]
pub fn record(message: &Message, order: ByteOrder) -> Vec<u8> {
    Image { order, bytes: Vec::new() }.record(message).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::{ByteOrder, Framing, Image, magic};
    use crate::protobuf::Message;

    #[test]
    fn headers() {
        let head = |kind, framing, order| Image::new(kind, framing, order).into_bytes();
        let (le, be) = (ByteOrder::Little, ByteOrder::Big);
        assert_eq!(
            head(magic::PSTREE, Framing::V1_1, le),
            [0x19, 0x43, 0x56, 0x54, 0x30, 0x30, 0x27, 0x50]
        );
        assert_eq!(head(magic::PSTREE, Framing::V1_0, le), [0x30, 0x30, 0x27, 0x50]);
        assert_eq!(head(magic::INVENTORY, Framing::V1_1, le), [0x16, 0x31, 0x31, 0x58]);
        assert_eq!(head(magic::INVENTORY, Framing::V1_1, be), [0x58, 0x31, 0x31, 0x16]);
        assert_eq!(
            head(magic::STATS, Framing::V1_1, le),
            [0x40, 0x59, 0x10, 0x55, 0x06, 0x33, 0x09, 0x57]
        );
    }

    #[test]
    fn records_and_extra() {
        let image = Image::new(magic::FS, Framing::V1_0, ByteOrder::Big)
            .record(&Message::new().uint(1, 5u32))
            .extra(b"xy");
        assert_eq!(image.into_bytes(), [0x51, 0x40, 0x39, 0x12, 0, 0, 0, 2, 8, 5, b'x', b'y']);
    }
}
