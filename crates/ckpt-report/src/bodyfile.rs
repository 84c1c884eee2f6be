//! Files and their times as a bodyfile of The Sleuth Kit 3, which `mactime` sorts.
//!
//! `MD5|name|inode|mode_as_string|UID|GID|size|atime|mtime|ctime|crtime`, times in seconds since 1970, 0 where a time is not
//! known. Source: <https://wiki.sleuthkit.org/index.php?title=Body_file>; `tsk/fs/fs_name.c`, `tools/timeline/mactime.base`.
//!
//! # Limits
//!
//! The form has neither fractions of seconds nor years before 1970: what is earlier counts as not known. A checkpoint has
//! no inodes and no times of birth. `|` is written `\x7c`, and `%` before two hexadecimal digits `\x25`: mactime would take
//! those for an escape of its own and make any byte of it.

use std::fmt::Write as _;
use std::io::{self, Write};

use ckpt_analysis::timeline::{File, Filter, Source, Timeline};
use ckpt_model::{FileType, Text};
use jiff::Timestamp;

/// Writes a line for each file of which the filter shows a time; all times of it are written.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn write<W: Write>(out: &mut W, timeline: &Timeline, filter: &Filter) -> io::Result<()> {
    timeline.files(filter).try_for_each(|file| writeln!(out, "{}", line(file)))
}

fn line(file: &File) -> String {
    let mut name = safe(&file.path);
    if let Some(target) = &file.target {
        let _ = write!(name, " -> {}", safe(target));
    }
    if file.source == Source::Ghost {
        name.push_str(" (deleted)");
    }
    let (uid, gid) = (file.uid.unwrap_or_default(), file.gid.unwrap_or_default());
    let (mode, size) = (mode(file), file.size.unwrap_or_default());
    let [a, m, c] = [file.atime, file.mtime, file.ctime].map(seconds);
    format!("0|{name}|0|{mode}|{uid}|{gid}|{size}|{a}|{m}|{c}|0")
}

fn seconds(time: Option<Timestamp>) -> i64 {
    // Rounding to zero would move what is before 1970 by a second; it is not known to the form anyway.
    time.map_or(0, |time| time.as_second().max(0))
}

/// A name in which nothing but itself is left for mactime to see.
fn safe(name: &Text) -> String {
    let escaped = name.escaped();
    let mut out = String::with_capacity(escaped.len());
    for (at, c) in escaped.char_indices() {
        match c {
            '|' => out.push_str("\\x7c"),
            '%' if hexadecimal(escaped.get(at.saturating_add(1)..)) => out.push_str("\\x25"),
            c => out.push(c),
        }
    }
    out
}

/// Whether a text begins with two hexadecimal digits.
fn hexadecimal(text: Option<&str>) -> bool {
    let mut bytes = text.unwrap_or_default().bytes();
    (0..2).all(|_| bytes.next().is_some_and(|byte| byte.is_ascii_hexdigit()))
}

/// The type twice (of the name and of the inode) and the bits: `r/rrwsr-xr-x`.
fn mode(file: &File) -> String {
    let letter = match file.kind {
        FileType::File => 'r',
        FileType::Directory => 'd',
        FileType::Symlink => 'l',
        FileType::CharDevice => 'c',
        FileType::BlockDevice => 'b',
        FileType::Fifo => 'p',
        FileType::Socket => 'h',
        _ => '-',
    };
    let mode = file.mode.unwrap_or_default();
    let mut text = format!("{letter}/{letter}");
    // Of owner, group and others: the bits, the bit that shows in place of `x`, and its letter.
    for (shift, special, with, without) in
        [(6, 0o4000, 's', 'S'), (3, 0o2000, 's', 'S'), (0, 0o1000, 't', 'T')]
    {
        let bits = mode >> shift;
        text.push(if bits & 4 != 0 { 'r' } else { '-' });
        text.push(if bits & 2 != 0 { 'w' } else { '-' });
        text.push(match (mode & special != 0, bits & 1 != 0) {
            (true, true) => with,
            (true, false) => without,
            (false, true) => 'x',
            (false, false) => '-',
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_to_their_field() {
        let escaped = |name: &[u8]| safe(&Text::from(name));
        assert_eq!(escaped(b"/a|b\n\x1b"), "/a\\x7cb\\n\\x1b");
        assert_eq!(escaped(b"/100%/%0A%7c%"), "/100%/\\x250A\\x257c%");
        assert_eq!(escaped(b"/\\x7c"), "/\\\\x7c");
    }
}
