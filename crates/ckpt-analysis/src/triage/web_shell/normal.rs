//! A page as it is judged: without what does not matter, and with where everything stood.

use std::ops::Range;

use memchr::memmem;

use super::languages::Language;

/// A page as it is judged.
#[derive(Debug)]
pub(super) struct Normal {
    pub(super) text: Vec<u8>,
    /// Where each byte of the text stands in the page.
    places: Vec<usize>,
}

impl Normal {
    /// What the page has at a place of the text.
    pub(super) fn as_written<'p>(&self, page: &'p [u8], at: Range<usize>) -> &'p [u8] {
        let place = |at: Option<usize>| self.places.get(at?).copied();
        let end = place(at.end.checked_sub(1)).map_or(0, |last| last.saturating_add(1));
        let start = place(Some(at.start)).unwrap_or(end);
        page.get(start..end).unwrap_or_default()
    }
}

/// The text in lower case, without `@`, comments, and blanks but those between words, its joined strings put together. Line
/// ends stay where they end statements.
pub(super) fn normal(text: &[u8], language: &Language) -> Normal {
    let mut out: Vec<u8> = Vec::with_capacity(text.len());
    let mut places: Vec<usize> = Vec::with_capacity(text.len());
    let (mut rest, mut blank) = (text, false);
    while let Some((byte, after)) = rest.split_first() {
        let place = text.len().saturating_sub(rest.len());
        rest = after;
        if *byte == b'/' && after.first() == Some(&b'*') {
            let end = memmem::find(after, b"*/").map_or(after.len(), |at| at.saturating_add(2));
            rest = after.get(end..).unwrap_or_default();
            continue;
        }
        let keeps = *byte == b'\n' && language.ends.contains(&b'\n');
        if *byte == b'@' || (byte.is_ascii_whitespace() && !keeps) {
            blank = true;
            continue;
        }
        // Words stay apart.
        let word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        if blank && word(byte) && out.last().is_some_and(word) {
            out.push(b' ');
            places.push(place);
        }
        blank = false;
        out.push(byte.to_ascii_lowercase());
        places.push(place);
        // 'a'.'b' and "a"+"b" are one string.
        if let [.., one, b'.' | b'+', other] = out.as_slice()
            && matches!(one, b'\'' | b'"')
            && one == other
        {
            out.truncate(out.len().saturating_sub(3));
            places.truncate(out.len());
        }
    }
    Normal { text: out, places }
}
