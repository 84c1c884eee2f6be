//! Searching for literals, regular expressions and patterns of bytes.
//!
//! * **Literals** and **patterns of bytes** are found wherever they stand, also where they overlap themselves; each on its
//!   own. A pattern of bytes has the shortest gaps that fit at each place, the first gap before the second.
//!   A literal that is sought in both byte orders of UTF-16 and found in both one byte apart is one text.
//! * **Regular expressions** match bytes: without `(?u)` a dot is any byte but a line feed and `\w` is ASCII. Each is found
//!   leftmost first and without overlap, as one look at the whole stretch would find it. A match is sought within
//!   [`MAX_MATCH`] bytes behind the part of memory in which it begins; what is longer may be cut.
//!
//! What matches nothing is refused: it would be found everywhere.

mod error;
mod hex;
mod literal;
mod sieve;

use std::ops::{ControlFlow, Range};

use aho_corasick::{AhoCorasick, MatchKind};
use memchr::memmem::Finder;
use regex::bytes::{Regex, RegexBuilder};

pub use error::PatternError;
use literal::Needle;
pub use sieve::{Sieve, Sifted};

use crate::anchors::Anchors;
use crate::part::{Part, offset, position};
use crate::scanner::{Found, Reach, Report, Scanner};
use crate::strings::Encoding;

/// Bytes behind a part in which the end of a match of a regular expression is sought.
pub const MAX_MATCH: usize = 64 << 10;

/// Bytes before a match that decide whether it is one (`\b`, `^`): a character of UTF-8.
const BEFORE: usize = 4;

/// Most bytes of one compiled expression.
const MAX_COMPILED: usize = 64 << 20;

/// Up to so many literals each is looked for on its own; more are looked for together.
const FEW: usize = 4;

/// More literals than that are a matter for an automaton: chance finds would be too many.
const MANY: usize = 256;

/// Collects patterns.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct SearchBuilder {
    patterns: Vec<(Kind, String)>,
    ignore_case: bool,
    utf16: bool,
    context: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Literal,
    Regex,
    Hex,
}

impl SearchBuilder {
    /// Adds a literal.
    pub fn literal(mut self, text: impl Into<String>) -> Self {
        self.patterns.push((Kind::Literal, text.into()));
        self
    }

    /// Adds a regular expression.
    pub fn regex(mut self, pattern: impl Into<String>) -> Self {
        self.patterns.push((Kind::Regex, pattern.into()));
        self
    }

    /// Adds a pattern of bytes, see [`PatternError::Hex`] for what can be wrong with it: `4d 5a ?? 9? [0-16] 50 45`.
    pub fn hex(mut self, pattern: impl Into<String>) -> Self {
        self.patterns.push((Kind::Hex, pattern.into()));
        self
    }

    /// Whether case does not matter, in literals and regular expressions.
    pub fn ignore_case(mut self, ignore: bool) -> Self {
        self.ignore_case = ignore;
        self
    }

    /// Whether literals are looked for in UTF-16, too.
    pub fn utf16(mut self, look: bool) -> Self {
        self.utf16 = look;
        self
    }

    /// Bytes before and behind a hit that are at hand when it is reported, as far as the stretch goes.
    pub fn context(mut self, bytes: usize) -> Self {
        self.context = bytes.min(MAX_MATCH);
        self
    }

    /// Compiles the patterns.
    ///
    /// # Errors
    ///
    /// The first pattern that is none, and where it is wrong.
    pub fn build(self) -> Result<Search, PatternError> {
        let mut search = Search {
            patterns: self.patterns.iter().map(|(_, text)| text.clone()).collect(),
            alone: Vec::new(),
            together: None,
            anywhere: Vec::new(),
            apart: Vec::new(),
            both_orders: self.utf16,
            reach: Reach::default(),
        };
        let mut literals: Vec<(usize, Needle)> = Vec::new();
        let mut after = 0;
        for (number, (kind, text)) in self.patterns.iter().enumerate() {
            match kind {
                Kind::Literal if text.is_empty() => return Err(PatternError::empty(text)),
                Kind::Literal if self.ignore_case && !text.is_ascii() => {
                    for needle in literal::needles(text, self.utf16) {
                        let (regex, longest) = literal::any_case(text, needle.encoding);
                        after = after.max(longest);
                        let encoding = needle.encoding;
                        let regex = compile(text, &regex, false)?;
                        search.anywhere.push(Anywhere { pattern: number, regex, encoding });
                    }
                }
                Kind::Literal => {
                    let needles = literal::needles(text, self.utf16);
                    literals.extend(needles.into_iter().map(|needle| (number, needle)));
                }
                Kind::Hex => {
                    let hex::Hex { regex, longest } = hex::parse(text)?;
                    after = after.max(longest);
                    let regex = compile(text, &regex, false)?;
                    search.anywhere.push(Anywhere { pattern: number, regex, encoding: None });
                }
                Kind::Regex => {
                    check(text, self.ignore_case)?;
                    after = after.max(MAX_MATCH);
                    search.reach.before = BEFORE;
                    let regex = compile(text, text, self.ignore_case)?;
                    search.apart.push(Apart { pattern: number, regex });
                }
            }
        }
        let longest = literals.iter().map(|(_, needle)| needle.bytes.len()).max();
        let after = after.max(longest.unwrap_or_default());
        let beside = usize::from(self.utf16);
        search.reach.after = after.saturating_add(beside.max(self.context));
        search.reach.before = search.reach.before.max(self.context).max(beside);
        search.take_literals(literals, self.ignore_case)?;
        Ok(search)
    }
}

/// Finds what is wrong with an expression, where, and whether it matches nothing.
fn check(pattern: &str, ignore_case: bool) -> Result<(), PatternError> {
    let parsed = regex_syntax::ParserBuilder::new()
        .utf8(false)
        .unicode(false)
        .case_insensitive(ignore_case)
        .build()
        .parse(pattern)
        .map_err(|error| PatternError::regex(pattern, &error))?;
    match parsed.properties().minimum_len() {
        Some(1..) => Ok(()),
        _ => Err(PatternError::empty(pattern)),
    }
}

fn compile(pattern: &str, regex: &str, ignore_case: bool) -> Result<Regex, PatternError> {
    RegexBuilder::new(regex)
        .unicode(false)
        .case_insensitive(ignore_case)
        .size_limit(MAX_COMPILED)
        .build()
        .map_err(|error| PatternError::refused(pattern, &error))
}

/// Compiled patterns, to be searched for in any number of parts by any number of threads.
#[derive(Debug)]
pub struct Search {
    patterns: Vec<String>,
    /// Literals that are looked for one by one.
    alone: Vec<Literal>,
    /// Literals that are looked for together, and what each is.
    together: Option<(Together, Vec<Meaning>)>,
    /// Patterns that are found wherever they stand.
    anywhere: Vec<Anywhere>,
    /// Patterns whose matches do not overlap.
    apart: Vec<Apart>,
    /// Whether literals are looked for in both byte orders of UTF-16.
    both_orders: bool,
    reach: Reach,
}

/// Which pattern a literal is of, and how its bytes are read.
type Meaning = (usize, Option<Encoding>);

#[derive(Debug)]
struct Literal {
    finder: Finder<'static>,
    meaning: Meaning,
}

/// Finds several literals at once.
#[derive(Debug)]
enum Together {
    Anchors(Box<Anchors>),
    Automaton(AhoCorasick),
}

#[derive(Debug)]
struct Anywhere {
    pattern: usize,
    regex: Regex,
    encoding: Option<Encoding>,
}

#[derive(Debug)]
struct Apart {
    pattern: usize,
    regex: Regex,
}

/// Something found: offsets in the window, which is far smaller than 4 GiB, and what it is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Match {
    start: u32,
    end: u32,
    pattern: u32,
    encoding: Option<Encoding>,
}

impl Match {
    fn new(range: Range<usize>, (pattern, encoding): Meaning) -> Self {
        let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Self { start: small(range.start), end: small(range.end), pattern: small(pattern), encoding }
    }
}

/// Leaves one of the two readings of a text in UTF-16: `p\0u\0` behind a NUL is `\0p\0u` as well, one byte before it. Both have
/// all of its bytes that differ, so that nothing but the place tells which is meant: the one at an even address stands, as
/// nearly all units of two bytes do. A text that is the same bytes in both orders is little-endian. What does not begin in
/// `own` was there to be compared, and goes.
fn one_text(matches: &mut Vec<Match>, own: &Range<usize>, base: u64) {
    matches.sort_unstable();
    let has = |start: Option<u32>, pattern: u32, encoding: Encoding| {
        let Some(start) = start else { return false };
        let first = matches.partition_point(|one| one.start < start);
        let here = matches.iter().skip(first).take_while(|one| one.start == start);
        here.into_iter().any(|one| one.pattern == pattern && one.encoding == Some(encoding))
    };
    let is_meant = |one: &&Match| {
        let (other, is_big) = match one.encoding {
            Some(Encoding::Utf16Le) => (Encoding::Utf16Be, false),
            Some(Encoding::Utf16Be) => (Encoding::Utf16Le, true),
            _ => return true,
        };
        let is_odd = position(base, one.start as usize) % 2 == 1;
        let beside = || {
            has(one.start.checked_sub(1), one.pattern, other)
                || has(one.start.checked_add(1), one.pattern, other)
        };
        let is_the_same = || is_big && has(Some(one.start), one.pattern, other);
        !(is_odd && beside() || is_the_same())
    };
    let begins = |one: &&Match| own.contains(&(one.start as usize));
    *matches = matches.iter().filter(begins).filter(is_meant).copied().collect();
}

/// What a thread uses again.
#[derive(Debug, Default)]
pub struct Space {
    copy: Vec<u8>,
    matches: Vec<Match>,
}

impl Search {
    /// Collects patterns for a search.
    pub fn builder() -> SearchBuilder {
        SearchBuilder::default()
    }

    /// Whether hits in equal pages are equal: not those of regular expressions, which depend on what was found before.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.apart.is_empty()
    }

    /// The patterns as they were given; a hit names one by its place here.
    #[must_use]
    pub fn patterns(&self) -> &[String] {
        &self.patterns
    }

    fn take_literals(
        &mut self,
        literals: Vec<(usize, Needle)>,
        ignore_case: bool,
    ) -> Result<(), PatternError> {
        if literals.len() <= FEW && !ignore_case {
            let alone = literals.into_iter().map(|(pattern, needle)| Literal {
                finder: Finder::new(&needle.bytes).into_owned(),
                meaning: (pattern, needle.encoding),
            });
            self.alone = alone.collect();
            return Ok(());
        }
        let meanings = literals.iter().map(|(pattern, needle)| (*pattern, needle.encoding));
        let meanings: Vec<Meaning> = meanings.collect();
        let needles = literals.iter().map(|(_, needle)| needle.bytes.as_slice());
        let together = if literals.len() <= MANY {
            Together::Anchors(Box::new(Anchors::new(needles, ignore_case)))
        } else {
            let automaton = AhoCorasick::builder()
                .match_kind(MatchKind::Standard)
                .ascii_case_insensitive(ignore_case)
                .build(needles)
                .map_err(|error| PatternError::refused("literals", &error))?;
            Together::Automaton(automaton)
        };
        self.together = (!meanings.is_empty()).then_some((together, meanings));
        Ok(())
    }

    /// Everything that begins in `own`, an offset range of the window, wherever it stands.
    fn everywhere(&self, window: &[u8], own: &Range<usize>, matches: &mut Vec<Match>) {
        for Literal { finder, meaning } in &self.alone {
            let len = finder.needle().len();
            let end = own.end.saturating_add(len).saturating_sub(1).min(window.len());
            let mut at = own.start;
            while let Some(found) = window.get(at..end).and_then(|rest| finder.find(rest)) {
                let start = at.saturating_add(found);
                matches.push(Match::new(start..start.saturating_add(len), *meaning));
                at = start.saturating_add(1);
            }
        }
        if let Some((together, meanings)) = &self.together {
            let mut add = |range: Range<usize>, number: usize| {
                if let Some(meaning) = meanings.get(number)
                    && own.contains(&range.start)
                {
                    matches.push(Match::new(range, *meaning));
                }
            };
            match together {
                Together::Anchors(anchors) => anchors.find(window, own, &mut |anchor| {
                    add(anchor.start..anchor.start.saturating_add(anchor.len), anchor.number);
                }),
                Together::Automaton(automaton) => {
                    let bytes = window.get(own.start..).unwrap_or_default();
                    for found in automaton.find_overlapping_iter(bytes) {
                        let [start, end] =
                            [found.start(), found.end()].map(|at| own.start.saturating_add(at));
                        add(start..end, found.pattern().as_usize());
                    }
                }
            }
        }
        for Anywhere { pattern, regex, encoding } in &self.anywhere {
            let mut at = own.start;
            while let Some(found) =
                regex.find_at(window, at).filter(|one| own.contains(&one.start()))
            {
                matches.push(Match::new(found.range(), (*pattern, *encoding)));
                at = found.start().saturating_add(1);
            }
        }
    }

    /// Whether anything begins in `own` that is found wherever it stands.
    fn begins(&self, window: &[u8], own: &Range<usize>) -> bool {
        let window = window.get(..own.end.saturating_add(self.reach.after)).unwrap_or(window);
        let own_bytes = |len: usize| {
            let end = own.end.saturating_add(len).saturating_sub(1).min(window.len());
            window.get(own.start..end).unwrap_or_default()
        };
        let alone = |one: &Literal| one.finder.find(own_bytes(one.finder.needle().len())).is_some();
        let together = |together: &Together| match together {
            Together::Anchors(anchors) => {
                let mut any = false;
                anchors.find(window, own, &mut |_| any = true);
                any
            }
            Together::Automaton(automaton) => {
                let bytes = window.get(own.start..).unwrap_or_default();
                let begins = |at: usize| own.start.saturating_add(at) < own.end;
                automaton.find_overlapping_iter(bytes).any(|found| begins(found.start()))
            }
        };
        let anywhere = |one: &Anywhere| {
            one.regex.find_at(window, own.start).is_some_and(|found| found.start() < own.end)
        };
        self.alone.iter().any(alone)
            || self.together.as_ref().is_some_and(|(all, _)| together(all))
            || self.anywhere.iter().any(anywhere)
    }

    /// What matches without overlap and begins in the part. The part before may have found something that reaches into
    /// this one; until that is known it is taken that it has not, and what this spoils is looked for again.
    fn without_overlap(&self, part: &Part, window: &[u8], base: u64, matches: &mut Vec<Match>) {
        let own = offset(part.core().start, base)..offset(part.core().end, base);
        let mut lists: Vec<Vec<Match>> =
            self.apart.iter().map(|one| one.from(window, own.start, own.end).collect()).collect();
        let known = part.carry_in.as_ref().and_then(crate::carry::CarryIn::wait);
        let mut ends = Vec::with_capacity(lists.len());
        for (number, (one, list)) in self.apart.iter().zip(&mut lists).enumerate() {
            let from = known.as_ref().and_then(|ends| ends.get(number)).copied().unwrap_or(base);
            let from = offset(from, base).max(own.start);
            if from > own.start {
                one.resume(window, from, own.end, list);
            }
            let last = list.last().map_or(from, |last| last.end as usize);
            ends.push(position(base, last.max(from)));
        }
        if let Some(out) = &part.carry_out {
            out.tell(ends);
        }
        matches.extend(lists.into_iter().flatten());
    }
}

impl Apart {
    /// Matches that begin at `from` or behind, and before `end`.
    fn from<'a>(
        &'a self,
        window: &'a [u8],
        from: usize,
        end: usize,
    ) -> impl Iterator<Item = Match> + 'a {
        let mut at = from;
        std::iter::from_fn(move || {
            let found = self.regex.find_at(window, at).filter(|found| found.start() < end)?;
            // None is empty, so that this goes on.
            at = found.end();
            Some(Match::new(found.range(), (self.pattern, None)))
        })
    }

    /// Looks again from `from` on, until a match is one that was found before: what follows is known then.
    fn resume(&self, window: &[u8], from: usize, end: usize, list: &mut Vec<Match>) {
        let mut again = Vec::new();
        let mut rest = list.len();
        for found in self.from(window, from, end) {
            if let Ok(at) = list.binary_search(&found) {
                rest = at;
                break;
            }
            again.push(found);
        }
        again.extend_from_slice(list.get(rest..).unwrap_or_default());
        *list = again;
    }
}

impl Scanner for Search {
    type Space = Space;

    fn reach(&self) -> Reach {
        self.reach
    }

    fn carries(&self) -> bool {
        !self.apart.is_empty()
    }

    fn scan(&self, part: &Part, space: &mut Space, report: &mut Report<'_>) -> ControlFlow<()> {
        let Space { copy, matches } = space;
        matches.clear();
        let around = part.around();
        let base = around.start;
        let window = part.bytes(around, copy);
        let own = offset(part.core().start, base)..offset(part.core().end, base);
        if self.both_orders {
            // What begins in the next part can be the other reading of the last text in this one.
            let beside = own.start.saturating_sub(1)..own.end.saturating_add(1).min(window.len());
            self.everywhere(window, &beside, matches);
            one_text(matches, &own, base);
        } else {
            self.everywhere(window, &own, matches);
        }
        let single = self.alone.len().saturating_add(self.anywhere.len()) <= 1;
        if !self.apart.is_empty() {
            self.without_overlap(part, window, base, matches);
        }
        if !single || self.together.is_some() || !self.apart.is_empty() {
            matches.sort_unstable();
        }
        for found in matches.iter() {
            let range = found.start as usize..found.end as usize;
            let bytes = window.get(range.clone()).unwrap_or_default();
            let found = Found {
                range: position(base, range.start)..position(base, range.end),
                pattern: found.pattern as usize,
                encoding: found.encoding.unwrap_or_else(|| Encoding::of(bytes)),
                continued: false,
                continues: false,
            };
            report(&found, bytes)?;
        }
        ControlFlow::Continue(())
    }
}
