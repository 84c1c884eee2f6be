//! Texts without the secrets in them.
//!
//! What is redacted keeps its length and the beginning of its hash, so that two places with the same secret can be told, and
//! a secret that is known can be recognised.

mod command;
mod forms;
mod names;
mod words;

pub(super) use names::is_secret;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};
use ckpt_model::{Task, Text, escape};
use sha2::{Digest, Sha256};

use super::environment::Environment;
use super::rule::{Confidence, Rule};
use super::scanner::SecretScanner;
use super::value::looks_random;

/// From so many bytes on a value of mixed letters is a secret also inside of words.
const LONG: usize = 8;

/// Fewest bytes of a value that is sought beyond its variable.
const SHORTEST: usize = 4;

/// Most values that are sought.
const MOST: usize = 4096;

/// Most bytes of one.
const LONGEST: usize = 4 << 10;

/// Bytes of the beginning of a value by which it is known where a text was cut in it.
const CUT: usize = 4;

/// Redacts secrets in texts of the evidence: what the rules know, what stands behind the names of variables and options, and
/// the values of password-like variables.
///
/// # Limits
///
/// A value of a variable that is shorter than 8 bytes is sought as a word by itself only, one of letters or digits alone also
/// not in paths, and not at all where it is the name of a program or user, shorter than 4 bytes, or a number of less than 8
/// digits. A secret that looks like nothing in particular and stands behind nothing stays.
#[derive(Default)]
pub struct Redactor {
    scanner: SecretScanner,
    known: Option<AhoCorasick>,
    values: Vec<Value>,
}

/// The value of a variable, as it stands in texts.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Value {
    text: String,
    stands: Stands,
}

/// Where a value is taken for the one of the variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stands {
    Anywhere,
    /// As a word.
    Alone,
    /// As a word that is no part of a path.
    Apart,
}

/// What stands in place of a secret.
#[must_use]
pub fn redacted(secret: &str) -> String {
    let digest = Sha256::digest(secret.as_bytes());
    let hash: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("{OPEN}{} bytes, sha256 {hash}{CLOSE}", secret.len())
}

const OPEN: &str = "[redacted: ";
const CLOSE: &str = "…]";

/// How often a text is looked at. What stands in place of a secret has blanks and commas, so that the words around it are others
/// than before, and can be secret where the first look saw one long word: `mysql -p?password=x` is one that `-p` takes, and then
/// `?password=` is. As a rule the second look finds nothing; a text that is made to have something at each is redacted whole.
const LOOKS: usize = 8;

/// Most bytes of a mark behind [`OPEN`].
const MARK: usize = 64 + CLOSE.len();

impl Redactor {
    /// That knows the rules, and names of secrets.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// That knows the values of password-like variables of these tasks as well.
    #[must_use]
    pub fn of(tasks: &[Task]) -> Self {
        Self::knowing(tasks, &Environment::of(tasks))
    }

    /// As [`of`](Self::of), where the environment of the tasks was read already.
    #[must_use]
    pub fn knowing(tasks: &[Task], environment: &Environment) -> Self {
        let mut programs: Vec<&[u8]> = Vec::new();
        for task in tasks {
            programs.extend(task.comm.as_ref().map(Text::as_bytes));
            let exe = task.exe.as_ref().map(|exe| exe.path.as_bytes());
            programs.extend(exe.and_then(|path| path.rsplit(|byte| *byte == b'/').next()));
        }
        let mut values: Vec<Value> = Vec::new();
        for variable in &environment.variables {
            let value = variable.secret.value();
            let Ok(text) = std::str::from_utf8(value) else { continue };
            let Some(stands) = stands(text).filter(|_| !programs.contains(&value)) else {
                continue;
            };
            values.push(Value { text: text.to_owned(), stands });
            // Texts that are made to be shown have it escaped.
            if let Cow::Owned(text) = escape(value) {
                values.push(Value { text, stands });
            }
        }
        values.sort();
        values.dedup();
        values.truncate(MOST);
        let texts = values.iter().map(|value| value.text.as_str());
        let known = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(texts).ok();
        Self { scanner: SecretScanner::new(), known, values }
    }

    /// A text without its secrets. Of what comes back nothing more is redacted.
    #[must_use]
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut shown = self.look_at_text(text);
        for _ in 1..LOOKS {
            let Cow::Owned(before) = &shown else { return shown };
            let Cow::Owned(after) = self.look_at_text(before) else { return shown };
            if after == *before {
                return shown;
            }
            shown = Cow::Owned(after);
        }
        redacted(text).into()
    }

    fn look_at_text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut ranges = self.anywhere(text);
        words::secrets(text, &mut ranges);
        without(text, ranges)
    }

    /// The arguments of a program, those that are secret for what they stand behind among them. Of what comes back nothing
    /// more is redacted.
    #[must_use]
    pub fn arguments<'a, T: AsRef<str>>(&self, argv: &'a [T]) -> Vec<Cow<'a, str>> {
        let mut shown = self.look_at_arguments(argv);
        for _ in 1..LOOKS {
            let after = self.look_at_arguments(&shown);
            if after == shown {
                return shown;
            }
            shown = after.into_iter().map(|one| Cow::Owned(one.into_owned())).collect();
        }
        let all = argv.iter().map(AsRef::as_ref);
        all.map(|one| if one.is_empty() { one.into() } else { redacted(one).into() }).collect()
    }

    fn look_at_arguments<'a, T: AsRef<str>>(&self, argv: &'a [T]) -> Vec<Cow<'a, str>> {
        let mut command = command::Command::default();
        let argument = |argument: &'a T| {
            let argument = argument.as_ref();
            let mut ranges = self.anywhere(argument);
            if let Some((name, value)) = argument.split_once('=')
                && !name.contains(char::is_whitespace)
                && is_secret(name, value)
            {
                ranges.push(name.len().saturating_add(1)..argument.len());
            }
            match command.word(argument) {
                Some(range) => ranges.push(range),
                None => words::secrets(argument, &mut ranges),
            }
            without(argument, ranges)
        };
        argv.iter().map(argument).collect()
    }

    /// The value of a variable.
    #[must_use]
    pub fn value<'t>(&self, name: &str, value: &'t str) -> Cow<'t, str> {
        if is_secret(name, value) {
            without(value, std::iter::once(0..value.len()).collect())
        } else {
            self.text(value)
        }
    }

    /// Secrets that are some wherever they stand.
    fn anywhere(&self, text: &str) -> Vec<Range<usize>> {
        let mut ranges = Vec::new();
        for (start, secret) in self.scanner.in_bytes(text.as_bytes()) {
            // Any number may have the sum of a card's.
            let number = secret.kind() == Rule::PaymentCard;
            if !number || secret.confidence() > Confidence::Low {
                ranges.push(start..start.saturating_add(secret.value().len()));
            }
        }
        self.values(text, &mut ranges);
        forms::secrets(text, &mut ranges);
        ranges
    }

    /// Values of variables.
    fn values(&self, text: &str, ranges: &mut Vec<Range<usize>>) {
        let Some(known) = &self.known else { return };
        for found in known.find_iter(text) {
            let stands = self.values.get(found.pattern().as_usize()).map(|value| value.stands);
            let before = text.get(..found.start()).and_then(|before| before.chars().next_back());
            let behind = text.get(found.end()..).and_then(|behind| behind.chars().next());
            let beside = |part: fn(char) -> bool| [before, behind].into_iter().flatten().any(part);
            let word = |letter: char| letter.is_alphanumeric() || letter == '_';
            let fits = match stands {
                Some(Stands::Anywhere) => true,
                Some(Stands::Alone) => !beside(word),
                Some(Stands::Apart) => {
                    !beside(word) && !beside(|letter| matches!(letter, '/' | '.' | '-'))
                }
                None => false,
            };
            if fits {
                ranges.push(found.range());
            }
        }
        // A text that was cut may end in the middle of one.
        let Some(cut) = ["...", "…"].iter().find_map(|dots| text.strip_suffix(dots)) else {
            return;
        };
        for value in self.values.iter().filter(|value| value.stands == Stands::Anywhere) {
            let longest = value.text.len().saturating_sub(1).min(cut.len());
            let beginning =
                |len: &usize| value.text.get(..*len).is_some_and(|it| cut.ends_with(it));
            if let Some(len) = (CUT..=longest).rev().find(beginning) {
                ranges.push(cut.len().saturating_sub(len)..cut.len());
            }
        }
    }
}

/// Without the values: what is printed while something is sought in the program itself stays somewhere.
impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor").field("values", &self.values.len()).finish_non_exhaustive()
    }
}

/// Where a value is to be sought; `None` when it could be anything.
fn stands(value: &str) -> Option<Stands> {
    let all = |class: fn(&u8) -> bool| value.as_bytes().iter().all(class);
    let number = all(u8::is_ascii_digit);
    let least = if number { LONG } else { SHORTEST };
    let users = ["root", "admin", "nobody", "daemon", "localhost"];
    if value.len() < least || value.len() > LONGEST || users.contains(&value) {
        return None;
    }
    Some(if number || all(u8::is_ascii_alphabetic) && !mixed(value) {
        Stands::Apart
    } else if value.len() < LONG {
        Stands::Alone
    } else {
        Stands::Anywhere
    })
}

/// Letters of both cases that no word has so.
fn mixed(value: &str) -> bool {
    let inner = value.bytes().skip(1).filter(u8::is_ascii_uppercase).count();
    let lower = value.bytes().filter(u8::is_ascii_lowercase).count();
    value.len() >= LONG && inner > 1 && lower > 1 && looks_random(value.as_bytes())
}

/// A text with ranges of it redacted; what overlaps is one secret, and what was redacted before stays.
fn without(text: &str, mut ranges: Vec<Range<usize>>) -> Cow<'_, str> {
    if ranges.is_empty() {
        return Cow::Borrowed(text);
    }
    let before = marks(text);
    ranges.sort_by_key(|range| (range.start, range.end));
    let mut out = String::new();
    let mut copied = 0;
    let mut ranges = ranges.into_iter().peekable();
    while let Some(Range { start, mut end }) = ranges.next() {
        while let Some(next) = ranges.next_if(|next| next.start < end) {
            end = end.max(next.end);
        }
        let mut start = start.max(copied);
        // Around the marks that are in it already.
        let first = before.partition_point(|mark| mark.end <= start);
        for mark in before.iter().skip(first).take_while(|mark| mark.start < end) {
            copied = copy(text, copied, start..mark.start, &mut out);
            start = mark.end;
        }
        copied = copy(text, copied, start..end, &mut out);
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    Cow::Owned(out)
}

/// Copies up to a secret and redacts it; where to go on.
fn copy(text: &str, copied: usize, secret: Range<usize>, out: &mut String) -> usize {
    let (Some(before), Some(value)) = (text.get(copied..secret.start), text.get(secret.clone()))
    else {
        return copied;
    };
    if value.is_empty() {
        return copied;
    }
    out.push_str(before);
    out.push_str(&redacted(value));
    secret.end
}

/// Where something was redacted already.
fn marks(text: &str) -> Vec<Range<usize>> {
    let mut marks = Vec::new();
    let mut from = 0;
    while let Some(start) = text.get(from..).and_then(|rest| rest.find(OPEN)) {
        let start = from.saturating_add(start);
        from = start.saturating_add(OPEN.len());
        let rest = text.get(from..).unwrap_or_default();
        // One end can lie behind any number of beginnings.
        let rest = rest.get(..rest.floor_char_boundary(MARK)).unwrap_or_default();
        let Some(len) = rest.find(CLOSE) else { continue };
        let inner = rest.get(..len).unwrap_or_default();
        let own = |c: char| c.is_ascii_digit() || c.is_ascii_lowercase() || " ,".contains(c);
        if inner.chars().all(own) {
            from = from.saturating_add(len).saturating_add(CLOSE.len());
            marks.push(start..from);
        }
    }
    marks
}

#[cfg(test)]
mod tests;
