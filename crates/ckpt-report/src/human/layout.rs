//! How output for people is laid out.

use std::borrow::Cow;

use anstyle::{AnsiColor, Style};
use ckpt_model::escape;

/// Width and colour, as the caller found them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// Columns of the terminal; `None` where the output is no terminal, so that nothing is cut.
    pub width: Option<usize>,
    /// Whether styles may be written.
    pub color: bool,
}

/// The styles of a layout: empty ones when it has no colour.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Palette {
    /// Titles of sections and columns.
    pub(super) heading: Style,
    /// What a value is of.
    pub(super) label: Style,
    /// What to read first.
    pub(super) name: Style,
    /// What may be passed over.
    pub(super) dim: Style,
    /// What to notice.
    pub(super) warning: Style,
}

impl Palette {
    pub(super) fn of(layout: &Layout) -> Self {
        if !layout.color {
            return Self::default();
        }
        Self {
            heading: Style::new().bold(),
            label: AnsiColor::Cyan.on_default(),
            name: Style::new().bold(),
            dim: Style::new().dimmed(),
            warning: AnsiColor::Yellow.on_default().bold(),
        }
    }
}

/// A text in a style; the text is safe already.
pub(super) fn paint(style: Style, text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("{style}{text}{style:#}") }
}

/// A string of an engine's, escaped.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    escape(text.as_bytes())
}

/// A string that was escaped where it was made, such as a defect's: escaped again but for its backslashes.
#[must_use]
pub fn escaped_once(text: &str) -> String {
    let parts: Vec<_> = text.split('\\').map(|part| escape(part.as_bytes())).collect();
    parts.join("\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_colour_there_is_no_escape_code() {
        let palette = Palette::of(&Layout::default());
        assert_eq!(paint(palette.warning, "x"), "x");
        let palette = Palette::of(&Layout { width: None, color: true });
        assert!(paint(palette.warning, "x").starts_with('\u{1b}'));
        assert_eq!(paint(palette.warning, ""), "");
    }

    #[test]
    fn what_is_escaped_is_not_escaped_twice() {
        assert_eq!(escaped_once("a\\x1b\n"), "a\\x1b\\n");
    }
}
