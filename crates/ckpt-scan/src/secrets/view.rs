//! What a rule sees: the bytes around an anchor, always as many of them, however memory is cut into parts.

use std::ops::Range;
use std::sync::Arc;

use super::rule::{Confidence, Rule};

/// Bytes before an anchor that a rule may look at.
pub(super) const BEFORE: usize = 4 << 10;

/// Bytes from an anchor on that a rule may look at.
pub(super) const AFTER: usize = 16 << 10;

/// How far from its anchor a secret may begin.
pub(super) const SPREAD: usize = 1 << 10;

/// Bytes around an anchor.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// Looks at an anchor, and tells what it finds there.
pub(super) type Check = fn(&View<'_>, &mut Vec<Find>);

/// A secret: ranges are offsets in the view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Find {
    pub(super) range: Extent,
    pub(super) rule: Rule,
    /// Where its anchor stands.
    pub(super) anchor: usize,
    pub(super) confidence: Confidence,
    /// The part whose ends may be shown: of a key its body, and not its armour.
    pub(super) body: Extent,
    /// What can be told of it without giving it away.
    pub(super) detail: Option<Arc<str>>,
}

/// A range of offsets; other than a range it has an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Extent {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Extent {
    pub(super) fn range(self) -> Range<usize> {
        self.start..self.end
    }

    pub(super) fn moved(self, by: usize) -> Self {
        Self { start: self.start.saturating_add(by), end: self.end.saturating_add(by) }
    }
}

impl From<Range<usize>> for Extent {
    fn from(range: Range<usize>) -> Self {
        Self { start: range.start, end: range.end }
    }
}

impl Find {
    pub(super) fn new(rule: Rule, confidence: Confidence, range: Range<usize>) -> Self {
        let range = Extent::from(range);
        Self { range, rule, anchor: range.start, confidence, body: range, detail: None }
    }

    pub(super) fn detail(self, detail: impl Into<Arc<str>>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    pub(super) fn body(self, body: Range<usize>) -> Self {
        Self { body: body.into(), ..self }
    }
}

impl<'a> View<'a> {
    /// Of a window, at an offset, with the offset in the window at which the view begins.
    pub(super) fn of(window: &'a [u8], at: usize) -> (Self, usize) {
        let start = at.saturating_sub(BEFORE);
        let end = at.saturating_add(AFTER).min(window.len());
        let bytes = window.get(start..end).unwrap_or_default();
        (Self { bytes, at: at.saturating_sub(start) }, start)
    }

    /// Where the anchor stands.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Everything.
    pub(super) fn all(&self) -> &'a [u8] {
        self.bytes
    }

    /// From an offset on.
    pub(super) fn from(&self, offset: usize) -> &'a [u8] {
        self.bytes.get(offset..).unwrap_or_default()
    }

    /// What lies before an offset, so many bytes at most.
    pub(super) fn before(&self, offset: usize, most: usize) -> &'a [u8] {
        self.bytes.get(offset.saturating_sub(most)..offset).unwrap_or_default()
    }

    /// A range.
    pub(super) fn bytes(&self, range: Range<usize>) -> &'a [u8] {
        self.bytes.get(range).unwrap_or_default()
    }

    /// The range of bytes of a class that begins at an offset, so many at most: an anchor can stand at every other byte.
    pub(super) fn run(
        &self,
        offset: usize,
        most: usize,
        class: impl Fn(u8) -> bool,
    ) -> Range<usize> {
        let len = self.from(offset).iter().take(most).take_while(|byte| class(**byte)).count();
        offset..offset.saturating_add(len)
    }

    /// Whether neither the byte before a range nor the one behind it is of a class.
    pub(super) fn stands_alone(&self, range: &Range<usize>, class: impl Fn(u8) -> bool) -> bool {
        let before = range.start.checked_sub(1).and_then(|at| self.bytes.get(at));
        !before.is_some_and(|byte| class(*byte))
            && !self.bytes.get(range.end).is_some_and(|byte| class(*byte))
    }

    /// Behind `name`, what stands between a name and its value: blanks, quotes, `=` or `:`, at least one of these two.
    pub(super) fn value_behind(&self, offset: usize) -> Option<usize> {
        let rest = self.from(offset);
        let len = rest
            .iter()
            .take(8)
            .take_while(|byte| matches!(**byte, b' ' | b'\t' | b'"' | b'\'' | b'=' | b':' | b'\\'))
            .count();
        let between = rest.get(..len)?;
        let joined = between.iter().any(|byte| matches!(byte, b'=' | b':'));
        joined.then(|| offset.saturating_add(len))
    }
}
