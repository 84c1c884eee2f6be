//! Documents as bytes.
//!
//! Whatever a table escapes because it would steer a terminal or mislead a reader, JSON writes as `\u009b`: text is the same
//! for every parser, and may be printed as it is.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::{Formatter, PrettyFormatter};

/// Writes a document, indented, with a newline at its end.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn write<W: Write>(out: &mut W, document: &impl Serialize) -> io::Result<()> {
    document.serialize(&mut Serializer::with_formatter(&mut *out, Indented::default()))?;
    out.write_all(b"\n")
}

/// Writes a record as one line.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn write_line<W: Write>(out: &mut W, record: &impl Serialize) -> io::Result<()> {
    write_value(out, record)?;
    out.write_all(b"\n")
}

/// Writes records, one a line.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn write_lines<W: Write, R: Serialize>(
    out: &mut W,
    records: impl IntoIterator<Item = R>,
) -> io::Result<()> {
    records.into_iter().try_for_each(|record| write_line(out, &record))
}

/// Writes a part of a document, without spaces.
pub(super) fn write_value<W: Write>(out: &mut W, value: &impl Serialize) -> io::Result<()> {
    Ok(value.serialize(&mut Serializer::with_formatter(out, Dense))?)
}

/// Without spaces.
struct Dense;

impl Formatter for Dense {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        text: &str,
    ) -> io::Result<()> {
        fragment(out, text)
    }
}

/// Indented by two spaces.
#[derive(Default)]
struct Indented(PrettyFormatter<'static>);

impl Formatter for Indented {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        text: &str,
    ) -> io::Result<()> {
        fragment(out, text)
    }

    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_array(out)
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array(out)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(out, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array_value(out)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object(out)
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object(out)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(out, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object_value(out)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object_value(out)
    }
}

/// Text in which nothing is left that JSON itself would have to escape.
fn fragment<W: ?Sized + Write>(out: &mut W, text: &str) -> io::Result<()> {
    // Nearly all text is plain, and is looked at many bytes at once.
    if text.bytes().all(|byte| byte < 0x7f) {
        return out.write_all(text.as_bytes());
    }
    let mut plain = 0;
    for (at, character) in text.char_indices().filter(|(_, character)| misleads(*character)) {
        out.write_all(text.get(plain..at).unwrap_or_default().as_bytes())?;
        for unit in character.encode_utf16(&mut [0; 2]) {
            write!(out, "\\u{unit:04x}")?;
        }
        plain = at.saturating_add(character.len_utf8());
    }
    out.write_all(text.get(plain..).unwrap_or_default().as_bytes())
}

/// Control characters, and characters without a shape of their own that change how others are shown.
fn misleads(character: char) -> bool {
    matches!(character,
        '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn nothing_that_steers_a_terminal_is_left_and_every_parser_reads_the_same() {
        // A table shows these as they are.
        let shown = |c: char| ckpt_model::escape(c.to_string().as_bytes()).starts_with(c);
        let all: String = ('\0'..=char::MAX).flat_map(|character| ['a', character]).collect();
        let value = json!({ "key\u{9b}31m": [all, "\u{202e}"], "": {} });
        let (mut line, mut document) = (Vec::new(), Vec::new());
        write_line(&mut line, &value).unwrap();
        write(&mut document, &value).unwrap();
        for bytes in [line, document] {
            let written = String::from_utf8(bytes).unwrap();
            assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), value);
            let bad = written.chars().find(|c| !matches!(c, '\n' | '\\') && !shown(*c));
            assert_eq!(bad, None);
        }
    }

    #[test]
    fn it_is_written_as_serde_would_but_for_those() {
        let value = json!({ "a": [1, "ä日\n\"", null, [], {}], "b": { "c": { "d": [[true]] } } });
        let mut document = Vec::new();
        write(&mut document, &value).unwrap();
        let plain = serde_json::to_string_pretty(&value).unwrap();
        assert_eq!(String::from_utf8(document).unwrap(), plain + "\n");
        let mut line = Vec::new();
        write_line(&mut line, &json!("x\u{9b}31m\u{7f}\u{e0041}\u{2028}y")).unwrap();
        assert_eq!(line, b"\"x\\u009b31m\\u007f\\udb40\\udc41\\u2028y\"\n");
    }
}
