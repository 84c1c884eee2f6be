//! Documents as bytes.

use std::io::{self, Write};

use serde::Serialize;

/// Writes a document, indented, with a newline at its end.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn write<W: Write>(out: &mut W, document: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, document)?;
    out.write_all(b"\n")
}

/// Writes a record as one line.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn write_line<W: Write>(out: &mut W, record: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, record)?;
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
