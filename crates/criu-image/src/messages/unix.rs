//! Unix sockets and what is queued in sockets.

use super::{FownEntry, SkOptsEntry};
use crate::message::message;
use crate::names;

message! {
    /// A unix socket. Source: `criu/images/sk-unix.proto`.
    UnixSkEntry = "unix_sk_entry" {
        /// File id.
        id: required uint32 = 1,
        /// Socket inode; peers name each other by it.
        ino: required uint32 = 2,
        /// Stream, datagram, sequenced packets.
        r#type: required uint32 = 3 [names(&names::SOCKET_TYPES)],
        /// State, by the numbers of TCP.
        state: required uint32 = 4 [names(&names::SOCKET_STATES)],
        /// Open flags.
        flags: required uint32 = 5 [open_flags],
        /// CRIU's own flags.
        uflags: required uint32 = 6 [flags(&names::UNIX_FLAGS)],
        /// Of a listener: connections that may wait. Otherwise kernel memory of the send queue, bytes.
        backlog: required uint32 = 7,
        /// Inode of the peer, 0 for none; of a connection not accepted yet, the listener's.
        peer: required uint32 = 8,
        /// Owner of asynchronous notification.
        fown: required message(FownEntry) = 9,
        /// Socket options.
        opts: required message(SkOptsEntry) = 10,
        /// Address: empty, a path with its NUL, or an abstract name after a NUL.
        name: required bytes = 11 [unix_name],
        /// Directions shut down.
        shutdown: optional uint32 = 12 [names(&names::SHUTDOWN)],
        /// Owner and mode of the socket file.
        file_perms: optional message(FilePermsEntry) = 13,
        /// Directory of a relative name.
        name_dir: optional string = 14,
        /// The socket file was removed.
        deleted: optional bool = 15,
        /// Network namespace.
        ns_id: optional uint32 = 16,
        /// Mount of the socket file.
        mnt_id: optional sint32 = 17,
    }

    /// Owner and mode of a socket file. Source: `criu/images/sk-unix.proto`.
    FilePermsEntry = "file_perms_entry" {
        /// `st_mode`.
        mode: required uint32 = 1 [octal],
        /// Owner.
        uid: required uint32 = 2,
        /// Group.
        gid: required uint32 = 3,
    }

    /// One queued message of a socket; `length` bytes follow. Source: `criu/images/sk-packet.proto`.
    SkPacketEntry = "sk_packet_entry" {
        /// File id of the receiving socket.
        id_for: required uint32 = 1,
        /// Bytes that follow.
        length: required uint32 = 2,
        /// Control messages.
        scm: repeated message(ScmEntry) = 4,
        /// Credentials of the sender (after 4.2).
        ucred: optional message(SkUcredEntry) = 128,
    }

    /// A control message. Source: `criu/images/sk-packet.proto`.
    ScmEntry = "scm_entry" {
        /// Kind.
        r#type: required uint32 = 1 [names(&names::SCM_TYPES)],
        /// File ids in flight.
        rights: repeated uint32 = 2,
    }

    /// Credentials sent with a message (after 4.2). Source: `criu/images/sk-packet.proto`.
    SkUcredEntry = "sk_ucred_entry" {
        /// User.
        uid: required uint32 = 1,
        /// Group.
        gid: required uint32 = 2,
        /// Process.
        pid: required uint32 = 3,
    }
}
