//! Bytes that the evidence calls text.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;

/// Text as the evidence holds it: bytes, not necessarily UTF-8, possibly hostile to a terminal.
///
/// File names, command names, arguments and environment are byte strings for the kernel; nothing is ever replaced in
/// them. `Display` escapes what a terminal must not see.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(pub Vec<u8>);

impl Text {
    /// The bytes as they are.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text when it is UTF-8, control characters and all.
    #[must_use]
    pub fn utf8(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// UTF-8 as it is, other bytes as `\xff`: for JSON, which escapes control characters itself.
    #[must_use]
    pub fn lossless(&self) -> Cow<'_, str> {
        match self.utf8() {
            Some(text) => Cow::Borrowed(text),
            None => {
                let mut out = String::new();
                for chunk in self.0.utf8_chunks() {
                    out.push_str(chunk.valid());
                    out.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
                }
                Cow::Owned(out)
            }
        }
    }

    /// The text with everything escaped that could steer a terminal or mislead its reader.
    #[must_use]
    pub fn escaped(&self) -> Cow<'_, str> {
        escape(&self.0)
    }

    /// The path of a folder in the evidence, escaped; the top is called `.`.
    #[must_use]
    pub fn folder(&self) -> Cow<'_, str> {
        if self.is_empty() { Cow::Borrowed(".") } else { self.escaped() }
    }

    /// The path of something in this folder, escaped.
    pub(crate) fn inside(&self, name: &str) -> String {
        Self(crate::locate::join(&self.0, name.as_bytes())).escaped().into_owned()
    }

    /// Whether there is no byte.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.escaped())
    }
}

impl From<&[u8]> for Text {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

/// Strings one after another as the kernel keeps them: each ends in a NUL byte, the last one perhaps not.
///
/// `/proc/PID/cmdline` and `/proc/PID/environ` are such areas. Kept as one block of bytes: a title written over a long
/// argument area leaves thousands of empty strings behind it. A copy shares the bytes, as tasks share their memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Strings(pub Bytes);

impl Strings {
    /// The strings, empty ones included.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> + '_ {
        let ends = self.0.last() == Some(&0);
        let body =
            if ends { self.0.get(..self.0.len().saturating_sub(1)) } else { Some(&self.0[..]) };
        body.filter(|_| !self.0.is_empty())
            .into_iter()
            .flat_map(|body| body.split(|byte| *byte == 0))
    }

    /// The first string.
    #[must_use]
    pub fn first(&self) -> Option<&[u8]> {
        self.iter().next()
    }
}

/// Escapes bytes for a terminal: control characters, characters that reorder or hide text, bytes that are not UTF-8, and
/// the backslash, so that the escaped form says exactly what was there.
#[must_use]
pub fn escape(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        // Most text needs nothing, and then nothing is copied.
        Ok(text) if text.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'\\') => {
            Cow::Borrowed(text)
        }
        _ => Cow::Owned(criu_image::show::escape(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_never_sees_what_steers_it() {
        assert_eq!(escape(b"plain \xc3\xa4"), "plain \u{e4}");
        assert_eq!(escape(b"\x1b]0;owned\x07"), "\\x1b]0;owned\\x07");
        assert_eq!(escape("a\u{9b}31m".as_bytes()), "a\\u{9b}31m");
        assert_eq!(escape("\u{202e}gpj.exe".as_bytes()), "\\u{202e}gpj.exe");
        assert_eq!(escape(b"\xff\n\\"), "\\xff\\n\\\\");
    }

    #[test]
    fn strings_keep_empty_ones_and_a_missing_end() {
        let split = |bytes: &[u8]| {
            Strings(bytes.to_vec().into()).iter().map(<[u8]>::to_vec).collect::<Vec<_>>()
        };
        assert_eq!(split(b"sh\0\0-c\0"), [&b"sh"[..], b"", b"-c"]);
        assert_eq!(split(b"title"), [b"title"]);
        assert_eq!(split(b"\0"), [b""]);
        assert!(split(b"").is_empty());
    }

    #[test]
    fn json_keeps_utf8_and_escapes_the_rest() {
        assert_eq!(Text::from(&b"a\x1b"[..]).lossless(), "a\u{1b}");
        assert_eq!(Text::from(&b"a\xff\xc3\xa4"[..]).lossless(), "a\\xff\u{e4}");
    }
}
