//! Patterns of bytes: `4d 5a ?? 9? [0-16] 50 45`.

use std::fmt::Write as _;

use super::PatternError;

/// Most bytes that a pattern can span, gaps included.
const MAX_SPAN: u64 = 64 << 10;

/// A pattern as a regular expression, and the most bytes that it spans.
pub(super) struct Hex {
    pub(super) regex: String,
    pub(super) longest: usize,
}

/// Reads a pattern: pairs of hexadecimal digits, `?` for any digit, `[n]` and `[n-m]` for gaps of so many bytes. Blanks are
/// free. Gaps are as short as they can be, the first before the second.
pub(super) fn parse(pattern: &str) -> Result<Hex, PatternError> {
    let error = |at: usize, what: String| PatternError::hex(pattern, at, what);
    let mut regex = String::from("(?s-u)");
    let mut longest = 0_u64;
    let mut bytes = 0_u64;
    let mut ends_in_gap = None;
    let mut rest = pattern.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        if c.is_whitespace() {
            continue;
        }
        if c == '[' {
            if bytes == 0 {
                return Err(error(at, "a pattern cannot begin with a gap".to_owned()));
            }
            let inside: String = rest.by_ref().map(|(_, c)| c).take_while(|c| *c != ']').collect();
            let closed = pattern.get(at..).is_some_and(|from| from.contains(']'));
            if !closed {
                return Err(error(at, "the gap is not closed with `]`".to_owned()));
            }
            let (least, most) = gap(&inside).map_err(|what| error(at, what))?;
            longest = longest.saturating_add(most);
            ends_in_gap = Some(at);
            let _ = write!(regex, ".{{{least},{most}}}?");
        } else {
            let high = nibble(c).ok_or_else(|| error(at, unexpected(c)))?;
            let (low_at, low) =
                rest.next().ok_or_else(|| error(at, "the byte has only one digit".to_owned()))?;
            let low = nibble(low).ok_or_else(|| error(low_at, unexpected(low)))?;
            push_byte(&mut regex, high, low);
            bytes = bytes.saturating_add(1);
            longest = longest.saturating_add(1);
            ends_in_gap = None;
        }
        if longest > MAX_SPAN {
            return Err(error(at, format!("a pattern spans {MAX_SPAN} bytes at most")));
        }
    }
    if bytes == 0 {
        return Err(error(0, "there is no byte in it".to_owned()));
    }
    if let Some(at) = ends_in_gap {
        return Err(error(at, "a pattern cannot end with a gap".to_owned()));
    }
    Ok(Hex { regex, longest: usize::try_from(longest).unwrap_or(usize::MAX) })
}

/// A digit, or `None` inside for any.
fn nibble(c: char) -> Option<Option<u32>> {
    if c == '?' { Some(None) } else { c.to_digit(16).map(Some) }
}

fn unexpected(c: char) -> String {
    format!("`{}` is no hexadecimal digit, `?` or gap", c.escape_default())
}

fn push_byte(regex: &mut String, high: Option<u32>, low: Option<u32>) {
    let _ = match (high, low) {
        (Some(high), Some(low)) => write!(regex, "\\x{high:x}{low:x}"),
        (Some(high), None) => write!(regex, "[\\x{high:x}0-\\x{high:x}f]"),
        (None, Some(low)) => {
            regex.push('[');
            for high in 0..16 {
                let _ = write!(regex, "\\x{high:x}{low:x}");
            }
            regex.push(']');
            Ok(())
        }
        (None, None) => write!(regex, "."),
    };
}

/// `n` or `n-m`, bytes.
fn gap(text: &str) -> Result<(u64, u64), String> {
    let number = |part: &str| {
        part.trim().parse::<u64>().map_err(|_| format!("`{}` is no number", part.escape_default()))
    };
    let (least, most) = match text.split_once('-') {
        Some((least, most)) => (number(least)?, number(most)?),
        None => (number(text)?, number(text)?),
    };
    if least > most {
        return Err(format!("the gap [{least}-{most}] is empty"));
    }
    if most > MAX_SPAN {
        return Err(format!("a gap spans {MAX_SPAN} bytes at most"));
    }
    Ok((least, most))
}
