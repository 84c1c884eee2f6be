//! Differing bytes: sixteen a row, A and B side by side, or below one another where the terminal is narrow.

use std::io::{self, Write};

use anstyle::Style;
use ckpt_analysis::compare::{Cells, Row, Rows};

use super::sheet::Sheet;
use crate::human::layout::paint;

/// Columns that both sides beside each other take.
const BESIDE: usize = 160;

const INDENT: usize = 8;

pub(super) fn write<W: Write>(sheet: &mut Sheet<'_, W>, rows: &Rows) -> io::Result<()> {
    let mut previous: Option<&Row> = None;
    let mut folded = false;
    for row in &rows.list {
        // A run of rows with the same bytes is one row and a star.
        let repeats = previous.is_some_and(|before| {
            let next = before.at_b.or(before.at_a).and_then(|at| at.checked_add(before.len));
            before.a == row.a && before.b == row.b && next == row.at_b.or(row.at_a)
        });
        previous = Some(row);
        if repeats {
            if !folded {
                writeln!(sheet.out, "{}*", " ".repeat(INDENT))?;
            }
            folded = true;
            continue;
        }
        folded = false;
        row_lines(sheet, row)?;
    }
    if folded && let Some(last) = previous {
        row_lines(sheet, last)?;
    }
    if rows.more {
        let text = format!("{}… more rows; --bytes=ROWS shows them", " ".repeat(INDENT));
        writeln!(sheet.out, "{}", paint(sheet.palette.dim, &text))?;
    }
    Ok(())
}

fn row_lines<W: Write>(sheet: &mut Sheet<'_, W>, row: &Row) -> io::Result<()> {
    let address = row.at_b.or(row.at_a).unwrap_or_default();
    let differs: Vec<bool> = (0..16).map(|at| byte(&row.a, at) != byte(&row.b, at)).collect();
    let (a, b) = (side(sheet, &row.a, row.len, &differs), side(sheet, &row.b, row.len, &differs));
    let indent = " ".repeat(INDENT);
    let address = format!("{:#018x}", address.0);
    if sheet.width.is_none_or(|width| width >= BESIDE) {
        return writeln!(sheet.out, "{indent}{}  {a}  {b}", paint(sheet.palette.dim, &address));
    }
    let letter = |letter| paint(sheet.palette.label, letter);
    let narrow = sheet.width.is_some_and(|width| width < INDENT + 18 + 4 + CELLS);
    if narrow {
        writeln!(sheet.out, "{indent}{}", paint(sheet.palette.dim, &address))?;
        writeln!(sheet.out, "  {} {}", letter("A"), hex(sheet, &row.a, row.len, &differs))?;
        return writeln!(sheet.out, "  {} {}", letter("B"), hex(sheet, &row.b, row.len, &differs));
    }
    writeln!(sheet.out, "{indent}{} {} {a}", paint(sheet.palette.dim, &address), letter("A"))?;
    let room = " ".repeat(address.len());
    writeln!(sheet.out, "{indent}{room} {} {b}", letter("B"))
}

/// Columns of one side: bytes, and between bars their letters.
const CELLS: usize = 16 * 3 + 18;

fn byte(cells: &Cells, at: usize) -> Option<u8> {
    match cells {
        Cells::Bytes(bytes) => bytes.get(at).copied(),
        Cells::Zeros => Some(0),
        _ => None,
    }
}

fn side<W: Write>(sheet: &Sheet<'_, W>, cells: &Cells, len: u64, differs: &[bool]) -> String {
    let hex = hex(sheet, cells, len, differs);
    let Some(letters) = letters(sheet, cells, len, differs) else { return hex };
    format!("{hex} |{letters}|")
}

fn hex<W: Write>(sheet: &Sheet<'_, W>, cells: &Cells, len: u64, differs: &[bool]) -> String {
    if let Some(why) = why(cells) {
        let text = format!("{why:<width$}", width = CELLS - 1);
        return paint(sheet.palette.dim, &text);
    }
    let len = usize::try_from(len).unwrap_or(16).min(16);
    let mut text = String::new();
    for at in 0..16 {
        let cell = match byte(cells, at).filter(|_| at < len) {
            Some(byte) => format!("{byte:02x}"),
            None => "  ".to_owned(),
        };
        text.push_str(&paint(style(sheet, differs, at), &cell));
        if at < 15 {
            text.push(' ');
        }
    }
    text
}

fn letters<W: Write>(
    sheet: &Sheet<'_, W>,
    cells: &Cells,
    len: u64,
    differs: &[bool],
) -> Option<String> {
    if why(cells).is_some() {
        return None;
    }
    let len = usize::try_from(len).unwrap_or(16).min(16);
    let letters = (0..16).map(|at| {
        let letter = match byte(cells, at).filter(|_| at < len) {
            Some(byte @ b' '..=b'~') => char::from(byte),
            Some(_) => '.',
            None => ' ',
        };
        paint(style(sheet, differs, at), &letter.to_string())
    });
    Some(letters.collect())
}

fn style<W: Write>(sheet: &Sheet<'_, W>, differs: &[bool], at: usize) -> Style {
    if differs.get(at) == Some(&true) { sheet.palette.warning } else { Style::new() }
}

/// Why there are no bytes.
fn why(cells: &Cells) -> Option<&'static str> {
    match cells {
        Cells::Bytes(_) | Cells::Zeros => None,
        Cells::NotCaptured => Some("(not captured: in the mapped file)"),
        Cells::Missing(why) => Some(why.word()),
        _ => Some("(not mapped)"),
    }
}
