//! Cells of comma-separated values. Source: RFC 4180.

use std::borrow::Cow;
use std::io::{self, Write};

/// Writes a record, its line ended by CR LF.
///
/// # Errors
///
/// When `out` cannot be written to.
pub(crate) fn record<W: Write>(out: &mut W, cells: &[Cow<'_, str>]) -> io::Result<()> {
    let mut comma = "";
    for cell in cells {
        out.write_all(comma.as_bytes())?;
        out.write_all(quoted(cell).as_bytes())?;
        comma = ",";
    }
    out.write_all(b"\r\n")
}

/// A cell, in quotes where it needs them.
fn quoted(cell: &str) -> Cow<'_, str> {
    if cell.contains(['"', ',', '\r', '\n']) {
        Cow::Owned(format!("\"{}\"", cell.replace('"', "\"\"")))
    } else {
        Cow::Borrowed(cell)
    }
}

/// Text of the evidence as a cell: a spreadsheet takes what begins like a formula for one and would run it, so that an
/// apostrophe goes before it; and before apostrophes that stood there already, so that taking one away gives the text
/// again. Source: OWASP, "CSV Injection".
pub(crate) fn harmless(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '\t', '\r']) {
        Cow::Owned(format!("'{text}"))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells() {
        let mut out = Vec::new();
        let cells = ["a", "b,c", "say \"x\"", "", "two\nlines"].map(Cow::Borrowed);
        record(&mut out, &cells).unwrap();
        assert_eq!(out, b"a,\"b,c\",\"say \"\"x\"\"\",,\"two\nlines\"\r\n");
    }

    #[test]
    fn formulas_do_not_run() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"] {
            assert_eq!(harmless(text.into()), format!("'{text}"));
        }
        for text in ["a=1", "'a'", "'"] {
            assert_eq!(harmless(text.into()), text);
        }
        assert_eq!(harmless("'=1".into()), "''=1");
    }
}
