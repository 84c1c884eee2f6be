//! Open files: what a descriptor leads to.

use crate::protobuf::Message;

/// What a mapping is of.
#[derive(Clone, Debug)]
pub(crate) enum Backing {
    None,
    /// A file by its path; with content, it was deleted.
    Path {
        path: Vec<u8>,
        deleted: Option<Vec<u8>>,
    },
    Memfd {
        name: Vec<u8>,
    },
    Shmid(u64),
}

/// An end of a TCP or UDP socket: IPv4 address and port.
pub type End = ([u8; 4], u16);

/// An open file, for [`Task::fd`](crate::Task::fd).
///
/// Two descriptors with equal files get one entry in `files.img`: an inherited or duplicated open file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum File {
    /// A file, directory or device by its path.
    Reg {
        /// Absolute path.
        path: Vec<u8>,
        /// `open(2)` flags.
        flags: u32,
        /// File offset.
        pos: u64,
        /// Content, where the file was deleted.
        deleted: Option<Vec<u8>>,
    },
    /// A file that lost its name while its inode had another one: CRIU links to it, and the image has the path of the link.
    Linked {
        /// The path that it had.
        path: Vec<u8>,
        /// Path of the link.
        link: Vec<u8>,
        /// Bytes.
        size: u64,
    },
    /// One end of a pipe.
    Pipe {
        /// Which pipe.
        id: u32,
        /// Whether it is the end that is written to.
        write: bool,
        /// Bytes in the pipe; told at either end or both.
        unread: Vec<u8>,
    },
    /// A memfd by name (see [`Dump::memfd`](crate::Dump::memfd)).
    Memfd {
        /// Name without `/memfd:`.
        name: Vec<u8>,
    },
    /// An IPv4 socket.
    Inet {
        /// Socket inode; names the `tcp-stream` image.
        ino: u32,
        /// 1 stream (TCP), 2 datagram (UDP).
        kind: u32,
        /// 1 established, 7 closed, 10 listening.
        state: u32,
        /// This end.
        local: End,
        /// The other end.
        remote: End,
        /// TCP: bytes received and not read, bytes sent and not acknowledged.
        queues: Option<(Vec<u8>, Vec<u8>)>,
    },
    /// A unix socket.
    Unix {
        /// Socket inode.
        ino: u32,
        /// 1 stream, 2 datagram, 5 sequenced packets.
        kind: u32,
        /// 1 established, 7 closed, 10 listening.
        state: u32,
        /// Inode of the peer, or 0.
        peer: u32,
        /// Address as CRIU writes it: empty, with a NUL in front (abstract) or behind (path).
        name: Vec<u8>,
        /// Messages received and not read.
        unread: Vec<Vec<u8>>,
    },
    /// An eventfd.
    Eventfd {
        /// Its counter.
        counter: u64,
    },
    /// Anything else: `field` of `file_entry` holds `message`, which lacks its id (field 1).
    Other {
        /// Number of the type in `fd_types`.
        kind: u32,
        /// Field number in `file_entry`.
        field: u32,
        /// The type's own message, from field 2 on.
        message: Message,
    },
}

impl File {
    /// A file opened for reading.
    #[must_use]
    pub fn path(path: impl Into<Vec<u8>>) -> Self {
        Self::Reg { path: path.into(), flags: 0o100_000, pos: 0, deleted: None }
    }

    /// A file opened for reading and writing, and deleted since.
    #[must_use]
    pub fn deleted(path: impl Into<Vec<u8>>, content: impl Into<Vec<u8>>) -> Self {
        Self::Reg { path: path.into(), flags: 0o100_002, pos: 0, deleted: Some(content.into()) }
    }

    /// A file that was deleted since and that CRIU kept by a link of its own.
    #[must_use]
    pub fn linked(path: impl Into<Vec<u8>>, link: impl Into<Vec<u8>>, size: u64) -> Self {
        Self::Linked { path: path.into(), link: link.into(), size }
    }

    /// `/dev/null`, for reading and writing.
    #[must_use]
    pub fn null() -> Self {
        Self::Reg { path: b"/dev/null".to_vec(), flags: 0o100_002, pos: 0, deleted: None }
    }

    /// The end of a pipe that is read.
    #[must_use]
    pub fn pipe_read(id: u32, unread: impl Into<Vec<u8>>) -> Self {
        Self::Pipe { id, write: false, unread: unread.into() }
    }

    /// The end of a pipe that is written to.
    #[must_use]
    pub fn pipe_write(id: u32) -> Self {
        Self::Pipe { id, write: true, unread: Vec::new() }
    }

    /// A memfd.
    #[must_use]
    pub fn memfd(name: impl Into<Vec<u8>>) -> Self {
        Self::Memfd { name: name.into() }
    }

    /// A listening TCP socket.
    #[must_use]
    pub fn tcp_listen(ino: u32, local: End) -> Self {
        Self::Inet { ino, kind: 1, state: 10, local, remote: ([0; 4], 0), queues: None }
    }

    /// An established TCP connection with its unread and unacknowledged bytes.
    #[must_use]
    pub fn tcp(
        ino: u32,
        local: End,
        remote: End,
        unread: impl Into<Vec<u8>>,
        unsent: impl Into<Vec<u8>>,
    ) -> Self {
        let queues = Some((unread.into(), unsent.into()));
        Self::Inet { ino, kind: 1, state: 1, local, remote, queues }
    }

    /// A listening unix stream socket at a path.
    #[must_use]
    pub fn unix_listen(ino: u32, path: &str) -> Self {
        let name = [path.as_bytes(), b"\0"].concat();
        Self::Unix { ino, kind: 1, state: 10, peer: 0, name, unread: Vec::new() }
    }

    /// An end of a connected unix socket without name.
    #[must_use]
    pub fn unix_pair(ino: u32, peer: u32, unread: Vec<Vec<u8>>) -> Self {
        Self::Unix { ino, kind: 1, state: 1, peer, name: Vec::new(), unread }
    }
}
