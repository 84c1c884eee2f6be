//! Finding secrets: anchors first, all in one pass, then the rules look at what lies around each.

use std::cmp::Reverse;
use std::ops::{ControlFlow, Range};
use std::sync::OnceLock;

use aho_corasick::packed::{Config, Searcher};
use aho_corasick::{AhoCorasick, Input, MatchKind, Span};
use memchr::memmem::Finder;

use super::rule::{Confidence, Rule};
use super::secret::Secret;
use super::tokens::TOKENS;
use super::view::{AFTER, BEFORE, Check, Find, SPREAD, View};
use super::{aws, azure, card, jwt, kubeconfig, logins, pem, tokens, url};
use crate::driver::Hit;
use crate::part::{Part, offset, position};
use crate::scanner::{Found, Reach, Report, Scanner};
use crate::strings::Encoding;

/// What a secret stands at, and the rule that looks there; those of tokens stand in their table.
static ANCHORS: [(&str, Check); 18] = [
    ("AKIA", aws::key_id),
    ("ASIA", aws::key_id),
    ("aws_secret_access_key", aws::secret_by_name),
    ("AWS_SECRET_ACCESS_KEY", aws::secret_by_name),
    ("SecretAccessKey", aws::secret_by_name),
    ("secretAccessKey", aws::secret_by_name),
    ("AccountKey=", azure::storage_key),
    ("SharedAccessKey=", azure::shared_key),
    ("eyJ", jwt::check),
    ("-----BEGIN ", pem::check),
    ("client-key-data", kubeconfig::check),
    ("://", url::check),
    ("machine ", logins::netrc),
    ("\"auth\"", logins::docker),
    ("Basic ", logins::basic),
    ("basic ", logins::basic),
    ("Bearer ", logins::bearer),
    ("bearer ", logins::bearer),
];

/// The mark of an Azure client secret, too short to be sought with the others.
const AZURE: &[u8] = b"Q~";

/// Bytes of a known value by which it is found.
const HEAD: usize = 8;

/// Most bytes of a known value.
const MOST_KNOWN_BYTES: usize = 4 << 10;

/// Most known values that are sought.
const MOST_KNOWN: usize = 256;

/// A value that is known to be secret, to be found wherever else it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) value: Vec<u8>,
    pub(super) rule: Rule,
    pub(super) confidence: Confidence,
    pub(super) detail: String,
}

/// Looks for secrets.
///
/// Whether something is one depends on the bytes within a few KiB of it and on nothing else, so that the same memory has the
/// same secrets however it is cut into parts.
#[derive(Debug)]
pub struct SecretScanner {
    prefilter: Prefilter,
    azure: Finder<'static>,
    /// By the first bytes that are sought.
    known: Vec<Known>,
}

/// Finds anchors.
#[derive(Debug)]
enum Prefilter {
    /// Compares many at once, where the processor can.
    Packed(Searcher),
    Automaton(AhoCorasick),
    /// No automaton could be made, which would be a defect of this table: then every byte is looked at.
    Nothing,
}

/// What a thread uses again.
#[derive(Debug, Default)]
pub struct Space {
    copy: Vec<u8>,
    finds: Vec<Find>,
}

impl Default for SecretScanner {
    fn default() -> Self {
        Self::with(Vec::new())
    }
}

impl SecretScanner {
    /// With all rules.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With values that are known already.
    pub(super) fn with(mut known: Vec<Known>) -> Self {
        known.retain(|one| (HEAD..=MOST_KNOWN_BYTES).contains(&one.value.len()));
        known.sort_by(|one, other| one.value.cmp(&other.value));
        known.dedup_by(|one, other| one.value == other.value);
        known.truncate(MOST_KNOWN);
        let fixed = ANCHORS.iter().map(|(literal, _)| literal.as_bytes());
        let tokens = TOKENS.iter().map(|token| token.prefix.as_bytes());
        let heads = known.iter().filter_map(|one| one.value.get(..HEAD));
        let literals: Vec<&[u8]> = fixed.chain(tokens).chain(heads).collect();
        let prefilter = Prefilter::of(&literals);
        Self { prefilter, azure: Finder::new(AZURE), known }
    }

    /// What a hit is.
    #[must_use]
    pub fn secret(&self, hit: &Hit<'_>) -> Option<Secret> {
        let range = &hit.found.range;
        let anchor = anchor_of(hit)?;
        let mut copy = Vec::new();
        // Cards look beside themselves, and a secret may begin before its anchor.
        let reach = self.reach();
        let from = anchor.min(range.start).saturating_sub(reach.before as u64);
        let base = from.max(hit.part.around().start);
        let end = anchor.max(range.start).saturating_add(reach.after as u64);
        let window = hit.part.bytes(base..end, &mut copy);
        let (at, start) = (offset(anchor, base), offset(range.start, base));
        let mut finds = Vec::new();
        self.look(window, at, &mut finds);
        if window.get(at..).is_some_and(|here| here.starts_with(AZURE)) {
            apply(azure::client_secret, window, at, &mut finds);
        }
        card::cards(window, &(start..start.saturating_add(1)), &mut finds);
        let same = |find: &&Find| {
            find.range.range() == (start..start.saturating_add(hit.bytes.len()))
                && position(base, find.anchor) == anchor
                && mark_of(find.rule, find.anchor, find.range.start) == hit.found.pattern
        };
        let sure = finds.iter().filter(same).max_by_key(|find| find.confidence);
        sure.map(|find| secret(window, find))
    }

    /// Secrets in bytes that stand alone, by offset.
    #[must_use]
    pub fn in_bytes(&self, bytes: &[u8]) -> Vec<(usize, Secret)> {
        let mut finds = Vec::new();
        self.finds(bytes, &(0..bytes.len()), &mut finds);
        finds.iter().map(|find| (find.range.start, secret(bytes, find))).collect()
    }

    /// What begins in a range of a window, by place and rule.
    fn finds(&self, window: &[u8], own: &Range<usize>, finds: &mut Vec<Find>) {
        finds.clear();
        let from = own.start.saturating_sub(SPREAD);
        let to = own.end.saturating_add(SPREAD).min(window.len());
        let mut at = from;
        while let Some(start) = self.prefilter.next(window, at).filter(|start| *start < to) {
            self.look(window, start, finds);
            at = start.saturating_add(1);
        }
        let marks = window.get(from..to.saturating_add(1).min(window.len())).unwrap_or_default();
        for mark in self.azure.find_iter(marks) {
            let at = from.saturating_add(mark);
            apply(azure::client_secret, window, at, finds);
        }
        card::cards(window, own, finds);
        finds.retain(|find| own.contains(&find.range.start));
        // What two rules find is what the first says, and the surest of its hits.
        finds.sort_by_key(|find| (find.range, find.rule, Reverse(find.confidence), find.anchor));
        finds.dedup_by(|next, first| next.range == first.range);
    }

    /// Has the rules look at an anchor.
    fn look(&self, window: &[u8], at: usize, finds: &mut Vec<Find>) {
        let here = window.get(at..).unwrap_or_default();
        for (literal, check) in &ANCHORS {
            if here.starts_with(literal.as_bytes()) {
                apply(*check, window, at, finds);
            }
        }
        if TOKENS.iter().any(|token| here.starts_with(token.prefix.as_bytes())) {
            apply(tokens::check, window, at, finds);
        }
        for known in self.known.iter().filter(|known| here.starts_with(&known.value)) {
            let range = at..at.saturating_add(known.value.len());
            let find = Find::new(known.rule, known.confidence, range);
            finds.push(find.detail(known.detail.clone()));
        }
    }
}

fn apply(check: Check, window: &[u8], at: usize, finds: &mut Vec<Find>) {
    let (view, start) = View::of(window, at);
    let first = finds.len();
    check(&view, finds);
    for find in finds.iter_mut().skip(first) {
        find.range = find.range.moved(start);
        find.body = find.body.moved(start);
        find.anchor = at;
    }
}

/// Number of a rule, and how far before the secret its anchor stands: with both a hit is known again without another search.
fn mark(find: &Find) -> usize {
    mark_of(find.rule, find.anchor, find.range.start)
}

fn mark_of(rule: Rule, anchor: usize, start: usize) -> usize {
    let before = start.saturating_add(SPREAD).saturating_sub(anchor);
    before.saturating_mul(RULES_AT_MOST).saturating_add(rule.number())
}

/// More than there are rules.
const RULES_AT_MOST: usize = 256;

/// The anchor that a mark tells.
fn anchor_of(hit: &Hit<'_>) -> Option<u64> {
    let before = hit.found.pattern / RULES_AT_MOST;
    hit.found.range.start.checked_add(SPREAD as u64)?.checked_sub(before as u64)
}

fn secret(window: &[u8], find: &Find) -> Secret {
    let value = window.get(find.range.range()).unwrap_or_default();
    let body = window.get(find.body.range()).unwrap_or_default();
    let secret = Secret::new(find.rule, find.confidence, find.detail.clone(), value, body);
    match find.rule {
        Rule::PrivateKey | Rule::GcpServiceAccount => secret.known_by(&pem::material(body)),
        _ => secret,
    }
}

/// Whether a token has something in it that a rule of its own knows.
pub(super) fn holds_secret(token: &[u8]) -> bool {
    static SCANNER: OnceLock<SecretScanner> = OnceLock::new();
    !SCANNER.get_or_init(SecretScanner::default).in_bytes(token).is_empty()
}

impl Prefilter {
    fn of(literals: &[&[u8]]) -> Self {
        let mut builder = Config::new().heuristic_pattern_limits(false).builder();
        if let Some(searcher) = builder.extend(literals).build() {
            return Self::Packed(searcher);
        }
        let mut builder = AhoCorasick::builder();
        builder
            .match_kind(MatchKind::LeftmostFirst)
            .build(literals)
            .map_or(Self::Nothing, Self::Automaton)
    }

    /// Where the next anchor begins, from an offset on.
    fn next(&self, window: &[u8], at: usize) -> Option<usize> {
        if at >= window.len() {
            return None;
        }
        let span = Span { start: at, end: window.len() };
        match self {
            Self::Packed(searcher) => searcher.find_in(window, span).map(|found| found.start()),
            Self::Automaton(automaton) => {
                automaton.find(Input::new(window).span(span)).map(|found| found.start())
            }
            Self::Nothing => Some(at),
        }
    }
}

impl Scanner for SecretScanner {
    type Space = Space;

    fn reach(&self) -> Reach {
        Reach { before: SPREAD.saturating_add(BEFORE), after: SPREAD.saturating_add(AFTER) }
    }

    fn scan(&self, part: &Part, space: &mut Space, report: &mut Report<'_>) -> ControlFlow<()> {
        let Space { copy, finds } = space;
        let around = part.around();
        let base = around.start;
        let window = part.bytes(around, copy);
        let own = offset(part.core().start, base)..offset(part.core().end, base);
        self.finds(window, &own, finds);
        for find in finds.iter() {
            let range = find.range.range();
            let bytes = window.get(range.clone()).unwrap_or_default();
            let found = Found {
                range: position(base, range.start)..position(base, range.end),
                pattern: mark(find),
                encoding: Encoding::of(bytes),
                continued: false,
                continues: false,
            };
            report(&found, bytes)?;
        }
        ControlFlow::Continue(())
    }
}
