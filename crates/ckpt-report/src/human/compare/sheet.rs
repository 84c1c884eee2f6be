//! Where the report is written: signs, indents, lines that fit.

use std::io::{self, Write};

use anstyle::Style;

use crate::human::columns::wrap;
use crate::human::layout::{Palette, paint};
use crate::human::line::Line;

/// What became of what a line tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    Added,
    Removed,
    Changed,
    Same,
    /// It could not be compared.
    Unknown,
}

impl Sign {
    fn text(self) -> &'static str {
        match self {
            Self::Added => "+ ",
            Self::Removed => "- ",
            Self::Changed => "~ ",
            Self::Same => "= ",
            Self::Unknown => "? ",
        }
    }
}

/// Columns of the words that lines below a process begin with.
const LABEL: usize = 9;

/// Fewest columns that a text is cut to.
const LEAST: usize = 16;

/// The report under way.
pub(super) struct Sheet<'o, W> {
    pub(super) out: &'o mut W,
    pub(super) palette: Palette,
    pub(super) width: Option<usize>,
}

impl<W: Write> Sheet<'_, W> {
    pub(super) fn line(&self) -> Line {
        Line::default()
    }

    pub(super) fn write(&mut self, line: Line) -> io::Result<()> {
        writeln!(self.out, "{}", line.render(self.width).trim_end())
    }

    pub(super) fn blank(&mut self) -> io::Result<()> {
        writeln!(self.out)
    }

    /// The title of a part, with what it sums up to.
    pub(super) fn title(&mut self, title: &str, sum: &str) -> io::Result<()> {
        self.blank()?;
        let mut line = self.line();
        line.push(self.palette.heading, title);
        if !sum.is_empty() {
            line.push(self.palette.dim, format!("  {sum}"));
        }
        self.write(line)
    }

    /// A remark, wrapped.
    pub(super) fn note(&mut self, text: &str) -> io::Result<()> {
        for line in wrap(text, self.width) {
            writeln!(self.out, "{}", paint(self.palette.dim, line))?;
        }
        Ok(())
    }

    /// The beginning of a line: indent and sign.
    pub(super) fn signed(&self, level: usize, sign: Sign) -> Line {
        let mut line = self.line();
        line.push(Style::new(), "  ".repeat(level));
        line.push(self.style(sign), sign.text());
        line
    }

    pub(super) fn style(&self, sign: Sign) -> Style {
        match sign {
            Sign::Added => self.palette.name,
            Sign::Removed => self.palette.warning,
            Sign::Changed => self.palette.label,
            Sign::Same | Sign::Unknown => self.palette.dim,
        }
    }

    /// A line of a word and a text. Both are safe already.
    pub(super) fn labelled(
        &mut self,
        level: usize,
        sign: Sign,
        label: &str,
        text: impl Into<String>,
    ) -> io::Result<()> {
        let line = self.labelled_line(level, sign, label, text);
        self.write(line)
    }

    /// As [`labelled`](Self::labelled), to be added to.
    pub(super) fn labelled_line(
        &self,
        level: usize,
        sign: Sign,
        label: &str,
        text: impl Into<String>,
    ) -> Line {
        let mut line = self.signed(level, sign);
        line.push(self.palette.label, format!("{label:<LABEL$}  "));
        line.push_cuttable(Style::new(), text, LEAST);
        line
    }

    /// A line of a word and what it was and is.
    pub(super) fn change(
        &mut self,
        level: usize,
        sign: Sign,
        label: &str,
        a: Option<String>,
        b: Option<String>,
    ) -> io::Result<()> {
        let line = self.change_line(level, sign, label, a, b);
        self.write(line)
    }

    /// As [`change`](Self::change), to be added to.
    pub(super) fn change_line(
        &self,
        level: usize,
        sign: Sign,
        label: &str,
        a: Option<String>,
        b: Option<String>,
    ) -> Line {
        let mut line = self.signed(level, sign);
        line.push(self.palette.label, format!("{label:<LABEL$}  "));
        match (a, b) {
            (Some(a), Some(b)) if a != b => {
                line.push_cuttable(Style::new(), a, LEAST);
                line.push(self.palette.dim, " -> ");
                line.push_cuttable(Style::new(), b, LEAST);
            }
            (a, b) => line.push_cuttable(Style::new(), b.or(a).unwrap_or_default(), LEAST),
        }
        line
    }

    /// How many of a list were left out.
    pub(super) fn more(&mut self, level: usize, left_out: usize) -> io::Result<()> {
        if left_out == 0 {
            return Ok(());
        }
        let indent = "  ".repeat(level);
        let text = format!("{indent}… {left_out} more; --format json lists them all");
        writeln!(self.out, "{}", paint(self.palette.dim, &text))
    }
}

/// `2 started, 1 exited`; what there is none of is left out.
pub(super) fn sum(counts: &[(usize, &str)]) -> String {
    let told = counts.iter().filter(|(count, _)| *count > 0);
    told.map(|(count, word)| format!("{count} {word}")).collect::<Vec<_>>().join(", ")
}
