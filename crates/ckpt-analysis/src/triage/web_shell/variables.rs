//! The variables of a page that are made of a request.

use std::collections::BTreeSet;

use memchr::memmem;

use super::calls::ARGUMENTS;
use super::languages::Language;
use super::page::{MOST_CALLS, SHORT_PAGE};

/// Most assignments of a page that are read.
const MOST_ASSIGNMENTS: usize = 4000;

/// Most signs of one statement that may assign something.
const MOST_SIGNS: usize = 16;

/// Most variables of a page that are followed.
pub(super) const MOST_NAMES: usize = 64;

/// The variables that are made of a request. In a short page also those that are made of these.
pub(super) fn tainted<'a>(
    language: &Language,
    text: &'a [u8],
    input: &impl Fn(&[u8]) -> bool,
) -> BTreeSet<&'a [u8]> {
    let assignments = assignments(language, text);
    let mut found: BTreeSet<&[u8]> = BTreeSet::new();
    let mut fresh = Vec::new();
    for (name, value) in &assignments {
        if found.len() < MOST_NAMES && input(value) && found.insert(name) {
            fresh.push(*name);
        }
    }
    if text.len() >= SHORT_PAGE {
        return found;
    }
    while let Some(known) = fresh.pop() {
        for (name, value) in &assignments {
            if found.len() < MOST_NAMES && names(value, known) && found.insert(name) {
                fresh.push(*name);
            }
        }
    }
    found
}

/// Names, and what is assigned to them: `$a=...`, and `foreach(... as $a)`.
pub(super) fn assignments<'a>(language: &Language, text: &'a [u8]) -> Vec<(&'a [u8], &'a [u8])> {
    let mut found = Vec::new();
    for statement in text.split(|byte| language.ends.contains(byte)) {
        for at in memchr::memchr_iter(b'=', statement).take(MOST_SIGNS) {
            let (left, right) = statement.split_at_checked(at).unwrap_or_default();
            let right = right.get(1..).unwrap_or_default();
            // Comparisons assign nothing, nor do keys of an array.
            let compares = matches!(right.first(), Some(b'=' | b'>'))
                || matches!(left.last(), Some(b'!' | b'=' | b'<' | b'>'));
            let right = right.get(..ARGUMENTS).unwrap_or(right);
            if !compares && !is_cleaned(right) {
                found.push((last_name(left), right));
            }
        }
        if found.len() > MOST_ASSIGNMENTS {
            break;
        }
    }
    if language.sigil.is_some() {
        for at in memmem::find_iter(text, b"foreach(").take(MOST_CALLS) {
            let from = at.saturating_add(b"foreach(".len());
            let rest = text.get(from..from.saturating_add(ARGUMENTS).min(text.len()));
            let rest = rest.unwrap_or_default();
            let Some((list, names)) = [&b"as$"[..], b"as&$"].iter().find_map(|sign| {
                let at = memmem::find(rest, sign)?;
                Some((rest.get(..at)?, rest.get(at..)?))
            }) else {
                continue;
            };
            let end = names.iter().position(|byte| *byte == b')').unwrap_or(names.len());
            let names = names.get(..end).unwrap_or(names);
            for name in
                names.split(|byte| *byte == b'>').map(|one| one.strip_suffix(b"=").unwrap_or(one))
            {
                found.push((last_name(name), list));
            }
        }
    }
    found.retain(|(name, _)| name.len() > usize::from(language.sigil.is_some()));
    found
}

/// Whether a value was made harmless.
fn is_cleaned(value: &[u8]) -> bool {
    const CLEANS: [&[u8]; 5] =
        [b"intval(", b"(int)", b"escapeshell", b"shlex.quote(", b"parseint("];
    CLEANS.iter().any(|word| value.starts_with(word))
}

/// The name at the end of the left side of an assignment.
pub(super) fn last_name(left: &[u8]) -> &[u8] {
    let left = left.strip_suffix(b".").or_else(|| left.strip_suffix(b":")).unwrap_or(left);
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let from = match left.iter().rposition(|byte| !part(byte)) {
        Some(at) if left.get(at) == Some(&b'$') => at,
        Some(at) => at.saturating_add(1),
        None => 0,
    };
    left.get(from..).unwrap_or_default()
}

/// Whether a text has a name that is not part of a longer one.
pub(super) fn names(text: &[u8], name: &[u8]) -> bool {
    memmem::find_iter(text, name).any(|at| {
        let after = text.get(at.saturating_add(name.len()));
        let before = at.checked_sub(1).and_then(|before| text.get(before));
        let part =
            |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
        !part(after) && !part(before)
    })
}
