//! The words of a text as a shell would see them, with their places.

use std::ops::Range;

use super::command::Command;

/// Command lines inside of quotes inside of each other that are looked into.
const DEEPEST: usize = 4;

/// What opens and closes a quote; the first is how a shell writes one inside of single quotes.
const QUOTES: [&str; 5] = ["'\\''", "\\\"", "\\'", "\"", "'"];

/// Adds what is secret in a text for the programs and options it stands behind.
pub(super) fn secrets(text: &str, ranges: &mut Vec<Range<usize>>) {
    within(text, 0, DEEPEST, ranges);
}

fn within(text: &str, base: usize, depth: usize, ranges: &mut Vec<Range<usize>>) {
    let mut command = Command::default();
    let mut at = 0;
    while let Some(lexeme) = next(text, at) {
        at = lexeme.end;
        if lexeme.separates {
            command.end();
            continue;
        }
        let inner = text.get(lexeme.inner.clone()).unwrap_or_default();
        let start = base.saturating_add(lexeme.inner.start);
        match command.word(inner) {
            Some(secret) => {
                ranges.push(start.saturating_add(secret.start)..start.saturating_add(secret.end));
            }
            None => {
                let quoted = lexeme.quoted && inner.contains(char::is_whitespace);
                if let Some(depth) = depth.checked_sub(1).filter(|_| quoted) {
                    within(inner, start, depth, ranges);
                }
            }
        }
    }
}

/// A word, or what separates commands.
struct Lexeme {
    /// The word without the quotes around it.
    inner: Range<usize>,
    end: usize,
    quoted: bool,
    separates: bool,
}

fn next(text: &str, from: usize) -> Option<Lexeme> {
    let rest = text.get(from..)?;
    let blank = |letter: char| letter.is_whitespace() && letter != '\n';
    let start =
        from.saturating_add(rest.len().saturating_sub(rest.trim_start_matches(blank).len()));
    let first = text.get(start..)?.chars().next()?;
    if separates(first) {
        let end = start.saturating_add(first.len_utf8());
        return Some(Lexeme { inner: start..end, end, quoted: false, separates: true });
    }
    if let Some((quote, close)) = quoted(text, start) {
        let end = close.saturating_add(quote.len());
        let follows = text.get(end..).and_then(|rest| rest.chars().next());
        if follows.is_none_or(|letter| letter.is_whitespace() || !letter.is_alphanumeric()) {
            let inner = start.saturating_add(quote.len())..close;
            return Some(Lexeme { inner, end, quoted: true, separates: false });
        }
    }
    let mut at = start;
    let mut before = ' ';
    while let Some(letter) = text.get(at..).and_then(|rest| rest.chars().next()) {
        if letter.is_whitespace() || separates(letter) {
            break;
        }
        let option = text.get(start..).is_some_and(|word| word.starts_with('-'));
        // An apostrophe in a word opens nothing.
        let opens = at > start && (option || !before.is_alphanumeric());
        match quoted(text, at).filter(|_| opens) {
            Some((quote, close)) => at = close.saturating_add(quote.len()),
            None => at = at.saturating_add(letter.len_utf8()),
        }
        before = letter;
    }
    Some(Lexeme { inner: start..at, end: at, quoted: false, separates: false })
}

fn separates(letter: char) -> bool {
    matches!(letter, '|' | ';' | '&' | '\n')
}

/// Bytes of a quote at most: one that is never closed is sought once for each that opens.
const LONGEST: usize = 4 << 10;

/// The quote that opens at an offset, and where it closes.
fn quoted(text: &str, at: usize) -> Option<(&'static str, usize)> {
    let rest = text.get(at..)?;
    let quote = QUOTES.iter().copied().find(|quote| rest.starts_with(quote))?;
    let start = at.saturating_add(quote.len());
    let inside = text.get(start..text.floor_char_boundary(start.saturating_add(LONGEST)))?;
    let mut from = 0;
    while let Some(found) = inside.get(from..)?.find(quote) {
        let close = from.saturating_add(found);
        let here = inside.get(close..)?;
        let before = inside.get(..close)?;
        // `'\''` goes on, and so does what a backslash is before.
        let inner = match quote {
            "'" if here.starts_with("'\\''") => 4,
            "'" if !before.ends_with('\\') => 0,
            "\"" if !before.ends_with('\\') => 0,
            "'" | "\"" => 1,
            _ => 0,
        };
        if inner == 0 {
            return Some((quote, start.saturating_add(close)));
        }
        from = close.saturating_add(inner);
    }
    None
}
