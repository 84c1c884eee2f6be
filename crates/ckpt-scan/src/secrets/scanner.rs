//! Finding secrets: [`Anchors`] first, all in one pass, then the rules look at what lies around each.

use std::cmp::Reverse;
use std::ops::{ControlFlow, Range, RangeInclusive};
use std::sync::{Arc, OnceLock};

use super::rule::{Confidence, Rule};
use super::secret::Secret;
use super::tokens::{TOKENS, Token};
use super::view::{AFTER, BEFORE, Check, Find, SPREAD, View};
use super::wide::{self, Row};
use super::{aws, azure, card, config, jwt, kubeconfig, logins, pem, url};
use crate::anchors::{Anchor, Anchors};
use crate::driver::Hit;
use crate::part::{Part, offset, position};
use crate::scanner::{Found, Reach, Report, Scanner};
use crate::strings::Encoding;

/// The port of PostgreSQL in a line of `.pgpass`.
const PGPASS: &str = ":5432:";

/// What a secret stands at, and the rule that looks there; those of tokens stand in their table.
static ANCHORS: [(&str, Check); 20] = [
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
    ("Q~", azure::client_secret),
    (PGPASS, config::pgpass),
];

/// What names of secrets in configurations have in them.
pub(super) static CONFIG_ANCHORS: [&str; 12] = [
    "assword", "ASSWORD", "asswd", "ASSWD", "ecret", "ECRET", "oken", "TOKEN", "pi_key", "PI_KEY",
    "piKey", "_PASS",
];

/// Fewest and most bytes of a known value that is sought.
const KNOWN: RangeInclusive<usize> = 8..=4 << 10;

/// Most known values that are sought.
const MOST_KNOWN: usize = 256;

/// A value that is known to be secret, to be found wherever else it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) value: Vec<u8>,
    pub(super) rule: Rule,
    pub(super) confidence: Confidence,
    pub(super) detail: Arc<str>,
}

/// Looks for secrets.
///
/// Whether something is one depends on the bytes within a few KiB of it and on nothing else, so that the same memory has the
/// same secrets however it is cut into parts.
#[derive(Debug)]
pub struct SecretScanner {
    /// What is sought: the literals of [`ANCHORS`], [`CONFIG_ANCHORS`], the prefixes of [`TOKENS`], known values, words.
    anchors: Anchors,
    known: Vec<Known>,
    /// Whether values count that are secret for the name that they are assigned to.
    assigned: bool,
    /// Whether text in UTF-16 is looked at, too.
    utf16: bool,
}

/// What an anchor is.
enum Meaning<'s> {
    Rule(Check),
    /// A name to which something is assigned, or a place where it would stand in a line.
    Assigned(Check),
    Token(&'static Token),
    Known(&'s Known),
    Word(usize),
}

/// What a thread uses again.
#[derive(Debug, Default)]
pub struct Space {
    copy: Vec<u8>,
    finds: Vec<Find>,
    words: Vec<Anchor>,
    told: Vec<Told>,
}

/// What is to be told: offsets in the window, pattern, how to read it.
type Told = (Range<usize>, usize, Encoding);

impl Default for SecretScanner {
    fn default() -> Self {
        Self::with(Vec::new(), &[])
    }
}

impl SecretScanner {
    /// With all rules.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With all rules, made once.
    pub(super) fn shared() -> &'static Self {
        static SCANNER: OnceLock<SecretScanner> = OnceLock::new();
        SCANNER.get_or_init(Self::default)
    }

    /// With values that are known already, and words of which it is told in the same pass where they stand; see
    /// [`word`](Self::word).
    pub(super) fn with(mut known: Vec<Known>, words: &[&str]) -> Self {
        known.retain(|one| KNOWN.contains(&one.value.len()));
        known.sort_by(|one, other| one.value.cmp(&other.value));
        known.dedup_by(|one, other| one.value == other.value);
        known.truncate(MOST_KNOWN);
        let rules = ANCHORS.iter().map(|(literal, _)| literal.as_bytes());
        let names = CONFIG_ANCHORS.iter().map(|name| name.as_bytes());
        let tokens = TOKENS.iter().map(|token| token.prefix.as_bytes());
        let values = known.iter().map(|one| one.value.as_slice());
        let others = words.iter().map(|word| word.as_bytes());
        let literals = rules.chain(names).chain(tokens).chain(values).chain(others);
        Self { anchors: Anchors::new(literals, false), known, assigned: true, utf16: false }
    }

    /// The same for text in UTF-16, too: of its characters those of ASCII, as all that rules know is ASCII. Words are sought in
    /// 8-bit text alone.
    #[must_use]
    pub fn utf16(self) -> Self {
        Self { utf16: true, ..self }
    }

    /// Which of the words a hit is, by its place among them; `None` when it is a secret.
    #[must_use]
    pub fn word(&self, hit: &Hit<'_>) -> Option<usize> {
        hit.found.pattern.checked_sub(FIRST_WORD)
    }

    /// What a hit is; `None` when it is a word.
    #[must_use]
    pub fn secret(&self, hit: &Hit<'_>) -> Option<Secret> {
        if self.word(hit).is_some() {
            return None;
        }
        match hit.found.encoding {
            Encoding::Utf16Le | Encoding::Utf16Be => self.wide_secret(hit),
            _ => self.narrow_secret(hit),
        }
    }

    fn narrow_secret(&self, hit: &Hit<'_>) -> Option<Secret> {
        let range = &hit.found.range;
        let anchor = range
            .start
            .checked_add(SPREAD as u64)?
            .checked_sub(distance(hit.found.pattern) as u64)?;
        let mut copy = Vec::new();
        // Cards look beside themselves, and a secret may begin before its anchor.
        let reach = self.reach();
        let from = anchor.min(range.start).saturating_sub(reach.before as u64);
        let base = from.max(hit.part.around().start);
        let end = anchor.max(range.start).saturating_add(reach.after as u64);
        let window = hit.part.bytes(base..end, &mut copy);
        let start = offset(range.start, base);
        let range = start..start.saturating_add(hit.bytes.len());
        self.again(window, offset(anchor, base), &range, hit.found.pattern)
    }

    fn wide_secret(&self, hit: &Hit<'_>) -> Option<Secret> {
        let Found { range, pattern, encoding, .. } = hit.found;
        let reach = self.reach();
        let from = range.start.saturating_sub(reach.before as u64);
        let base = from.max(hit.part.around().start);
        let end = range.start.saturating_add(reach.after as u64);
        let mut copy = Vec::new();
        let window = hit.part.bytes(base..end, &mut copy);
        let first = wide::first_character(offset(range.start, base), *encoding);
        let row =
            Row::around(window, first, SPREAD.saturating_add(BEFORE), SPREAD.saturating_add(AFTER));
        let start = row.index(first);
        let anchor = start.checked_add(SPREAD)?.checked_sub(distance(*pattern))?;
        let range = start..start.saturating_add(hit.bytes.len().div_ceil(2));
        self.again(&row.text, anchor, &range, *pattern)
    }

    /// What is found once more in a range with this anchor, by the rule that a pattern tells.
    fn again(
        &self,
        window: &[u8],
        anchor: usize,
        range: &Range<usize>,
        pattern: usize,
    ) -> Option<Secret> {
        let mut finds = Vec::new();
        self.look(window, &(anchor..anchor.saturating_add(1)), &mut finds, &mut Vec::new());
        card::cards(window, &(range.start..range.start.saturating_add(1)), &mut finds);
        let same = |find: &&Find| {
            find.range.range() == *range && find.anchor == anchor && mark(find) == pattern
        };
        let sure = finds.iter().filter(same).max_by_key(|find| find.confidence);
        sure.map(|find| secret(window, find))
    }

    /// Secrets in bytes that stand alone, by offset.
    #[must_use]
    pub fn in_bytes(&self, bytes: &[u8]) -> Vec<(usize, Secret)> {
        let mut finds = Vec::new();
        self.finds(bytes, &(0..bytes.len()), &mut finds, &mut Vec::new());
        finds.iter().map(|find| (find.range.start, secret(bytes, find))).collect()
    }

    /// What begins in a range of a window: secrets by place and rule, and words by place.
    fn finds(
        &self,
        window: &[u8],
        own: &Range<usize>,
        finds: &mut Vec<Find>,
        words: &mut Vec<Anchor>,
    ) {
        finds.clear();
        words.clear();
        let from = own.start.saturating_sub(SPREAD);
        let to = own.end.saturating_add(SPREAD).min(window.len());
        self.look(window, &(from..to), finds, words);
        card::cards(window, own, finds);
        finds.retain(|find| own.contains(&find.range.start));
        words.retain(|word| own.contains(&word.start));
        words.sort_unstable();
        // What two rules find is what the first says, and the surest of its hits.
        finds.sort_by_key(|find| (find.range, find.rule, Reverse(find.confidence), find.anchor));
        finds.dedup_by(|next, first| next.range == first.range);
    }

    /// Has the rules look at the anchors that begin in a range.
    fn look(
        &self,
        window: &[u8],
        range: &Range<usize>,
        finds: &mut Vec<Find>,
        words: &mut Vec<Anchor>,
    ) {
        self.anchors.find(window, range, &mut |anchor| match self.meaning(anchor.number) {
            Some(Meaning::Assigned(check)) if self.assigned => {
                apply(window, anchor.start, finds, check);
            }
            Some(Meaning::Assigned(_)) => {}
            Some(Meaning::Rule(check)) => apply(window, anchor.start, finds, check),
            Some(Meaning::Token(token)) => {
                apply(window, anchor.start, finds, |view, finds| token.look(view, finds));
            }
            Some(Meaning::Known(known)) => {
                let end = anchor.start.saturating_add(anchor.len);
                let find = Find::new(known.rule, known.confidence, anchor.start..end);
                finds.push(find.detail(Arc::clone(&known.detail)));
            }
            Some(Meaning::Word(number)) => words.push(Anchor { number, ..anchor }),
            None => {}
        });
    }

    /// What the anchor with a number is.
    fn meaning(&self, number: usize) -> Option<Meaning<'_>> {
        if let Some((literal, check)) = ANCHORS.get(number) {
            let assigned = *literal == PGPASS;
            return Some(if assigned { Meaning::Assigned(*check) } else { Meaning::Rule(*check) });
        }
        let number = number.checked_sub(ANCHORS.len())?;
        if number < CONFIG_ANCHORS.len() {
            return Some(Meaning::Assigned(config::assigned));
        }
        let number = number.checked_sub(CONFIG_ANCHORS.len())?;
        if let Some(token) = TOKENS.get(number) {
            return Some(Meaning::Token(token));
        }
        let number = number.checked_sub(TOKENS.len())?;
        if let Some(known) = self.known.get(number) {
            return Some(Meaning::Known(known));
        }
        number.checked_sub(self.known.len()).map(Meaning::Word)
    }
}

fn apply(
    window: &[u8],
    at: usize,
    finds: &mut Vec<Find>,
    check: impl Fn(&View<'_>, &mut Vec<Find>),
) {
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
    let before = find.range.start.saturating_add(SPREAD).saturating_sub(find.anchor);
    before.saturating_mul(RULES_AT_MOST).saturating_add(find.rule.number())
}

/// How far before the secret the anchor of a mark stands, and [`SPREAD`].
fn distance(pattern: usize) -> usize {
    pattern / RULES_AT_MOST
}

/// More than there are rules.
const RULES_AT_MOST: usize = 256;

/// Number of the first word; those of secrets are smaller.
const FIRST_WORD: usize = usize::MAX / 2;

fn secret(window: &[u8], find: &Find) -> Secret {
    let value = window.get(find.range.range()).unwrap_or_default();
    let body = window.get(find.body.range()).unwrap_or_default();
    let secret = Secret::new(find.rule, find.confidence, find.detail.clone(), value, body);
    match find.rule {
        Rule::PrivateKey | Rule::GcpServiceAccount => secret.known_by(&pem::material(body)),
        _ => secret,
    }
}

/// Whether a token has something in it that a rule of its own knows. What is assigned to a name does not count: to judge it is
/// to ask this, and names can be assigned to names without end.
pub(super) fn holds_secret(token: &[u8]) -> bool {
    static SCANNER: OnceLock<SecretScanner> = OnceLock::new();
    let scanner =
        SCANNER.get_or_init(|| SecretScanner { assigned: false, ..SecretScanner::default() });
    !scanner.in_bytes(token).is_empty()
}

impl Scanner for SecretScanner {
    type Space = Space;

    fn reach(&self) -> Reach {
        // A character is two bytes.
        let width = if self.utf16 { 2 } else { 1 };
        let characters = |near: usize| SPREAD.saturating_add(near).saturating_mul(width);
        Reach { before: characters(BEFORE), after: characters(AFTER) }
    }

    fn scan(&self, part: &Part, space: &mut Space, report: &mut Report<'_>) -> ControlFlow<()> {
        let Space { copy, finds, words, told } = space;
        let around = part.around();
        let base = around.start;
        let window = part.bytes(around, copy);
        let own = offset(part.core().start, base)..offset(part.core().end, base);
        self.finds(window, &own, finds, words);
        told.clear();
        told.extend(words.iter().map(|word| {
            let range = word.start..word.start.saturating_add(word.len);
            (range, FIRST_WORD.saturating_add(word.number), Encoding::Ascii)
        }));
        told.extend(finds.iter().map(|find| {
            let range = find.range.range();
            let bytes = window.get(range.clone()).unwrap_or_default();
            (range, mark(find), Encoding::of(bytes))
        }));
        if self.utf16 {
            wide::rows(window, |row| {
                self.finds(&row.text, &row.within(&own), finds, words);
                told.extend(finds.iter().map(|find| {
                    let (range, encoding) = row.place(window, base, &find.range.range());
                    (range, mark(find), encoding)
                }));
            });
        }
        // Words come before what begins where they do.
        told.sort_by_key(|(range, pattern, _)| (range.start, *pattern < FIRST_WORD));
        told.iter().try_for_each(|(range, pattern, encoding)| {
            let bytes = window.get(range.clone()).unwrap_or_default();
            let found = Found {
                range: position(base, range.start)..position(base, range.end),
                pattern: *pattern,
                encoding: *encoding,
                continued: false,
                continues: false,
            };
            report(&found, bytes)
        })
    }
}
