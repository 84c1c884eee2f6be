//! Columns of a terminal: how wide text is, where it is cut, how it is wrapped.

/// What stands for what was cut.
const ELLIPSIS: char = '…';

/// Columns of a character. East Asian wide characters and pictographs take two; all others count as one, combining marks
/// included: text may end up narrower than counted, never wider.
pub(super) fn char_columns(c: char) -> usize {
    let wide = matches!(u32::from(c),
        0x1100..=0x115f | 0x231a..=0x231b | 0x2329..=0x232a | 0x23e9..=0x23f3 | 0x25fd..=0x25fe
        | 0x2600..=0x27bf | 0x2b1b..=0x2b55 | 0x2e80..=0xa4cf | 0xa960..=0xa97c | 0xac00..=0xd7a3
        | 0xf900..=0xfaff | 0xfe10..=0xfe6f | 0xff00..=0xff60 | 0xffe0..=0xffe6 | 0x16fe0..=0x18d08
        | 0x1aff0..=0x1b2fb | 0x1f000..=0x1faff | 0x20000..=0x3fffd);
    if wide { 2 } else { 1 }
}

/// Columns of a text without control characters.
pub(super) fn columns(text: &str) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    text.chars().map(char_columns).sum()
}

/// The text in at most so many columns, an ellipsis at the end of what was cut.
pub(super) fn cut(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let Some(room) = width.checked_sub(1) else { return String::new() };
    let mut kept = prefix(text, room).to_owned();
    kept.push(ELLIPSIS);
    kept
}

/// The longest beginning that fits into so many columns.
fn prefix(text: &str, width: usize) -> &str {
    let mut used = 0_usize;
    for (at, c) in text.char_indices() {
        used = used.saturating_add(char_columns(c));
        if used > width {
            return text.split_at(at).0;
        }
    }
    text
}

/// The text in lines of at most so many columns, broken after a space where there is one; whole without a width.
pub(super) fn wrap(text: &str, width: Option<usize>) -> Vec<&str> {
    let Some(width) = width else { return vec![text] };
    let mut lines = Vec::new();
    let mut rest = text;
    loop {
        let fitting = prefix(rest, width.max(2));
        if fitting.len() == rest.len() {
            lines.push(rest);
            return lines;
        }
        // A break far to the left would waste the line.
        let space = fitting.rfind(' ').filter(|at| at.saturating_mul(2) > fitting.len());
        let at = space.map_or(fitting.len(), |at| at.saturating_add(1));
        let (line, more) = rest.split_at(at);
        lines.push(line.trim_end());
        rest = more;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_count_twice() {
        assert_eq!(columns("a…é"), 3);
        assert_eq!(columns("日本"), 4);
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("日本語", 4), "日…");
    }

    #[test]
    fn cutting() {
        assert_eq!(cut("nginx", 5), "nginx");
        assert_eq!(cut("nginx", 4), "ngi…");
        assert_eq!(cut("nginx", 1), "…");
        assert_eq!(cut("nginx", 0), "");
    }

    #[test]
    fn wrapping_loses_nothing_but_spaces() {
        assert_eq!(wrap("one two three", Some(8)), ["one two", "three"]);
        assert_eq!(wrap("aaaaaaaaaa", Some(4)), ["aaaa", "aaaa", "aa"]);
        assert_eq!(wrap("日本語", Some(1)), ["日", "本", "語"]);
        assert_eq!(wrap("", Some(4)), [""]);
        assert_eq!(wrap("one two", None), ["one two"]);
    }
}
