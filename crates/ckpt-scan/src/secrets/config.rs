//! Passwords and keys of configuration files: `DB_PASSWORD=…`, `password: "…"`, `define('DB_PASSWORD', '…')`, `.pgpass`.
//!
//! Memory is full of words such as `password`, and of what programs do with them. A value counts that is assigned to a name
//! right before it, and that looks as if it was drawn at random.

use std::ops::Range;

use super::redact::is_secret;
use super::rule::{Confidence, Rule};
use super::scanner::holds_secret;
use super::value::{is_placeholder, looks_random};
use super::view::{Find, View};

/// Bytes of a name before and behind its anchor.
const NAME: usize = 64;

/// Fewest and most bytes of a value.
const FEWEST: usize = 8;
const MOST: usize = 256;

/// A name in which an anchor stands, what assigns, and the value.
pub(super) fn assigned(view: &View<'_>, finds: &mut Vec<Find>) {
    let part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let end = view.run(view.at(), NAME, part).end;
    let Some(Assigned { start, quote }) = assignment(view.from(end)) else { return };
    let before = view.before(view.at(), NAME);
    let len = before.iter().rev().take_while(|byte| part(**byte)).count();
    let name = view.bytes(view.at().saturating_sub(len)..end);
    let start = end.saturating_add(start);
    let Some(range) = value(view, start, quote) else { return };
    let value = view.bytes(range.clone());
    let (Ok(name), Ok(text)) = (std::str::from_utf8(name), std::str::from_utf8(value)) else {
        return;
    };
    // Of what two anchors stand in, the last tells.
    let last = super::scanner::CONFIG_ANCHORS.iter().any(|anchor| {
        let behind = view.bytes(view.at().saturating_add(1)..end);
        memchr::memmem::find(behind, anchor.as_bytes()).is_some()
    });
    // Those have a rule that knows more.
    let aws = name.to_ascii_lowercase().replace('_', "").ends_with("secretaccesskey");
    if last || aws || !is_secret(name, text) {
        return;
    }
    let name = name.trim_matches(['-', '.']);
    tell(range, value, format!("value of {name}"), finds);
}

/// A line of `.pgpass`: `HOST:5432:DATABASE:USER:PASSWORD`.
pub(super) fn pgpass(view: &View<'_>, finds: &mut Vec<Find>) {
    let field = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b':' | b'"' | b'\'' | b'/');
    let before = view.before(view.at(), NAME);
    let len = before.iter().rev().take_while(|byte| field(**byte)).count();
    let line = before.get(..before.len().saturating_sub(len)).unwrap_or_default();
    if len == 0 || line.last().is_some_and(|byte| !matches!(byte, b'\n' | b'\r' | 0)) {
        return;
    }
    let database = view.run(view.at().saturating_add(":5432:".len()), NAME, field);
    let user = view.run(database.end.saturating_add(1), NAME, field);
    let colon = |at: usize| view.from(at).first() == Some(&b':');
    if database.is_empty() || user.is_empty() || !colon(database.end) || !colon(user.end) {
        return;
    }
    let start = user.end.saturating_add(1);
    let range = view.run(start, MOST.saturating_add(1), |byte| byte.is_ascii_graphic());
    let ends = view.from(range.end).first().is_none_or(|byte| matches!(byte, b'\n' | b'\r' | 0));
    if ends && range.len() <= MOST {
        let user = String::from_utf8_lossy(view.bytes(user)).into_owned();
        tell(range.clone(), view.bytes(range), format!("user {user}"), finds);
    }
}

fn tell(range: Range<usize>, value: &[u8], detail: String, finds: &mut Vec<Find>) {
    let formed = value.len() >= FEWEST && !is_placeholder(value) && !is_code(value);
    if !formed || assigns(value) || holds_secret(value) {
        return;
    }
    let confidence = match classes(value) {
        Classes { letters: true, digits: true, changes }
            if changes.saturating_mul(4) >= value.len()
                && looks_random(value)
                && !is_example(value) =>
        {
            Confidence::Medium
        }
        Classes { letters: true, digits: true, .. } => Confidence::Low,
        _ => return,
    };
    finds.push(Find::new(Rule::ConfigSecret, confidence, range).detail(detail));
}

/// Whether a value is an assignment of its own, which is told by itself.
fn assigns(value: &[u8]) -> bool {
    super::scanner::CONFIG_ANCHORS.iter().any(|anchor| {
        let mut ends = memchr::memmem::find_iter(value, anchor.as_bytes())
            .map(|at| at.saturating_add(anchor.len()));
        ends.any(|end| matches!(value.get(end), Some(b'=' | b':')))
    })
}

/// Where a value begins, and the quote that it begins with.
struct Assigned {
    start: usize,
    quote: Option<u8>,
}

/// `=`, `:`, `=>`, `:=`, `>`, or the comma between two strings, with blanks and quotes around it.
fn assignment(rest: &[u8]) -> Option<Assigned> {
    let rest = rest.get(..rest.len().min(24))?;
    let mut at = 0_usize;
    let is = |at: usize, byte: u8| rest.get(at) == Some(&byte);
    let quote = |at: usize| rest.get(at).copied().filter(|byte| matches!(byte, b'"' | b'\''));
    let escaped = |at: usize| usize::from(is(at, b'\\') && quote(at.saturating_add(1)).is_some());
    at = at.saturating_add(escaped(at));
    let closed = quote(at).is_some();
    at = at.saturating_add(usize::from(closed));
    at = at.saturating_add(usize::from(closed && is(at, b']')));
    let blanks = |at: usize| {
        let rest = rest.get(at..).unwrap_or_default();
        rest.iter().take(8).take_while(|byte| matches!(**byte, b' ' | b'\t')).count()
    };
    at = at.saturating_add(blanks(at));
    let sign = at;
    at = match rest.get(at)? {
        b':' | b'=' => at.saturating_add(1),
        b',' if closed => at.saturating_add(1),
        b'>' if !closed => {
            return Some(Assigned { start: at.saturating_add(1), quote: Some(b'<') });
        }
        _ => return None,
    };
    // `=>` and `:=`, but neither `==` nor `::`.
    if rest.get(sign) == rest.get(at) {
        return None;
    }
    if is(at, b'>') || (is(sign, b':') && is(at, b'=')) {
        at = at.saturating_add(1);
    }
    at = at.saturating_add(blanks(at));
    at = at.saturating_add(escaped(at));
    let quote = quote(at);
    if is(sign, b',') && quote.is_none() {
        return None;
    }
    at = at.saturating_add(usize::from(quote.is_some()));
    Some(Assigned { start: at, quote })
}

/// A value: up to the quote that it began with, or the end of the word. What ends in bytes that are no text is none.
fn value(view: &View<'_>, start: usize, quote: Option<u8>) -> Option<Range<usize>> {
    let most = MOST.saturating_add(1);
    let range = match quote {
        Some(quote) => {
            view.run(start, most, |byte| byte.is_ascii_graphic() && byte != quote && byte != b'\\')
        }
        None => view.run(start, most, |byte| {
            byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b',' | b';' | b'&' | b'\\')
        }),
    };
    let behind = view.from(range.end).first().copied();
    let ends = match (quote, behind) {
        (Some(quote), Some(behind)) => behind == quote || behind == b'\\',
        (Some(_), None) => false,
        (None, behind) => behind.is_none_or(|byte| {
            matches!(
                byte,
                0 | b' ' | b'\t' | b'\n' | b'\r' | b'"' | b'\'' | b',' | b';' | b'&' | b'\\'
            )
        }),
    };
    (ends && (FEWEST..=MOST).contains(&range.len())).then_some(range)
}

/// What programs write where a value would stand: calls, fields, variables, paths, types.
fn is_code(value: &[u8]) -> bool {
    let has = |part: &[u8]| memchr::memmem::find(value, part).is_some();
    let begins =
        matches!(value.first(), Some(b'/' | b'$' | b'%' | b'@' | b'<' | b'(' | b'[' | b'{' | b'&'));
    let word = |byte: &u8| byte.is_ascii_alphabetic() || matches!(*byte, b'_' | b'.' | b'-');
    begins
        || value.iter().all(word)
        || [&b"("[..], b"${", b"{{", b"%s", b"://", b"->", b"::", b"=>", b"[", b"<"]
            .iter()
            .any(|part| has(part))
}

fn is_example(value: &[u8]) -> bool {
    memchr::memmem::find(&value.to_ascii_lowercase(), b"example").is_some()
}

/// Kinds of bytes in a value, and how often another follows.
struct Classes {
    letters: bool,
    digits: bool,
    changes: usize,
}

fn classes(value: &[u8]) -> Classes {
    let kind = |byte: &u8| match byte {
        b'a'..=b'z' => 0,
        b'A'..=b'Z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    };
    let changes = value.windows(2).filter(|pair| match pair {
        // A blank between words is none.
        [one, next] => kind(one) != kind(next) && kind(one) < 3,
        _ => false,
    });
    Classes {
        letters: value.iter().any(u8::is_ascii_alphabetic),
        digits: value.iter().any(u8::is_ascii_digit),
        changes: changes.count(),
    }
}
