//! Terminals: open files, the terminals behind them, unread bytes.

use super::FownEntry;
use crate::message::message;
use crate::names;

message! {
    /// An open terminal. Source: `criu/images/tty.proto`.
    TtyFileEntry = "tty_file_entry" {
        /// File id.
        id: required uint32 = 1,
        /// [`TtyInfoEntry::id`] of the terminal.
        tty_info_id: required uint32 = 2,
        /// Open flags.
        flags: required uint32 = 3 [open_flags],
        /// Owner of asynchronous notification.
        fown: required message(FownEntry) = 4,
        /// File id of its path.
        regf_id: optional uint32 = 6,
    }

    /// A terminal. Source: `criu/images/tty.proto`.
    TtyInfoEntry = "tty_info_entry" {
        /// Key.
        id: required uint32 = 1,
        /// Kind.
        r#type: required uint32 = 2 [names(&names::TTY_TYPES)],
        /// Slave is locked.
        locked: required bool = 3,
        /// Exclusive use.
        exclusive: required bool = 4,
        /// Packet mode.
        packet_mode: required bool = 5,
        /// Session it controls.
        sid: required uint32 = 6,
        /// Foreground process group.
        pgrp: required uint32 = 7,
        /// Device number: 5:2 is a master, 136 to 143 are slaves.
        rdev: required uint32 = 8 [odev],
        /// Settings.
        termios: optional message(TermiosEntry) = 9,
        /// Which settings are locked.
        termios_locked: optional message(TermiosEntry) = 10,
        /// Window.
        winsize: optional message(WinsizeEntry) = 11,
        /// Pseudo terminal.
        pty: optional message(TtyPtyEntry) = 12,
        /// Device its file is on.
        dev: optional uint32 = 13 [odev],
        /// Owner.
        uid: optional uint32 = 14,
        /// Group.
        gid: optional uint32 = 15,
    }

    /// Terminal settings. Source: `criu/images/tty.proto`.
    TermiosEntry = "termios_entry" {
        /// Input modes.
        c_iflag: required uint32 = 1 [hex],
        /// Output modes.
        c_oflag: required uint32 = 2 [hex],
        /// Control modes.
        c_cflag: required uint32 = 3 [hex],
        /// Local modes.
        c_lflag: required uint32 = 4 [hex],
        /// Line discipline.
        c_line: required uint32 = 5,
        /// Input speed.
        c_ispeed: required uint32 = 6,
        /// Output speed.
        c_ospeed: required uint32 = 7,
        /// CRIU copies 19 control *bytes* into these 19 words: four characters in each of the first words, in the
        /// dumping host's byte order. What follows the 19th byte is uninitialised memory of CRIU.
        c_cc: repeated uint32 = 8 [hex],
    }

    /// Size of a terminal. Source: `criu/images/tty.proto`.
    WinsizeEntry = "winsize_entry" {
        /// Rows.
        ws_row: required uint32 = 1,
        /// Columns.
        ws_col: required uint32 = 2,
        /// Pixels across.
        ws_xpixel: required uint32 = 3,
        /// Pixels down.
        ws_ypixel: required uint32 = 4,
    }

    /// A pseudo terminal. Source: `criu/images/tty.proto`.
    TtyPtyEntry = "tty_pty_entry" {
        /// N of `/dev/pts/N`.
        index: required uint32 = 1,
    }

    /// Unread bytes of a terminal. Source: `criu/images/tty.proto`.
    TtyDataEntry = "tty_data_entry" {
        /// [`TtyInfoEntry::id`].
        tty_id: required uint32 = 1,
        /// The bytes.
        data: required bytes = 2,
    }
}
