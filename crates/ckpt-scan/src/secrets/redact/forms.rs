//! Secrets that are known by what stands around them.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::names::is_secret;

/// What is redacted in any text: the groups of each. Words and their edges are those of ASCII: the tables of Unicode would take
/// longer to compile than most texts take to search.
const FORMS: [&str; 10] = [
    // A private key, also where its end is missing.
    r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----([\s\S]+?)(?:-----END|\z)",
    // The password in a URL, also where the text was cut behind it; one may have slashes in it, but what follows a port is a
    // path.
    r#"(?i)(?-u:\b)[a-z][a-z0-9+.-]{1,20}://[^\s/?\#:@"'<>]*:(?:([^\s/?\#"'<>]+|[^\s/?\#"'<>]*[^\s/?\#"'<>0-9][^\s"'<>]*)@|([^\s/?\#@"'<>]*[^\s/?\#@"'<>0-9.][^\s/?\#@"'<>.]*)(?:\.\.\.|…)\z)"#,
    // Tokens that say themselves what they are.
    r"(?-u:\b)(gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[[:word:]]{30,}|glpat-[[:word:]-]{20,}|xox[abeprs]-[[:word:]-]{10,}|[rs]k_(?:live|test)_[[:word:]]{16,}|eyJ[[:word:]-]{8,}\.eyJ[[:word:]-]{8,}\.[[:word:]-]+|AIza[[:word:]-]{35}|(?:AKIA|ASIA)[0-9A-Z]{16})",
    // Headers of HTTP.
    r"(?i)(?-u:\b)(?:bearer|basic)\s+([A-Za-z0-9+/=_.~-]{8,})",
    r#"(?i)(?-u:\b)authorization\\?["']?\s*[:=]\s*\\?["']?(?:bearer|basic|token|digest|negotiate|apikey|api-key|key)\s+([^\s"',\\]+)"#,
    r#"(?i)(?-u:\b)(?:set-)?cookie\\?["']?\s*[:=]\s*\\?["']?([^\s"'=;,]+=[^\r\n"']*)"#,
    // Key and value in a connection string: `;Pwd=value;`
    r#"(?i);\s*(?:pwd|password|accountkey|sharedaccesskey)\s*=\s*([^;"']+)"#,
    // What is fed to programs that read a password.
    r#"(?-u:\b)(?:echo|printf)\s+(?:-[[:word:]]+\s+)*\\?["']?[[:word:].-]+:([^\s"'|\\]+)\S*\s*\|\s*(?:sudo\s+)?(?:\S*/)?chpasswd"#,
    r#"(?-u:\b)(?:echo|printf)\s+(?:-[[:word:]]+\s+)*\\?["']?([^\s"'|\\]+)[^\s|]*\s*\|\s*(?:sudo\s+-S|(?:sudo\s+)?(?:\S*/)?passwd\s+--stdin|[^|\n]{0,100}--(?:password-stdin|passphrase-fd))"#,
    // `.pgpass`: host:port:database:user:password.
    r"(?m)^[[:word:].*-]+:(?:[0-9]{1,5}|\*):[[:word:].*-]+:[[:word:].*-]+:([^\s:]{4,})\s*$",
];

/// `NAME=`, `"name": "`, `'name' => '`: the name of a value, and what stands between them.
const NAMED: &str = r#"(?i)([a-z0-9_.-]*(?:pass|pwd|pw|secret|token|credential|key|auth|cookie|jwt|psk|connection)[a-z0-9_.-]*)(\\?["']?\]?\s*(?:=>|:=|[:=])\s*(?:'\\''|\\?["'])?|(?:\\?["'])\s*,\s*\\?["'])"#;

static COMPILED: LazyLock<Vec<Regex>> =
    LazyLock::new(|| FORMS.iter().map(|form| compile(form)).collect());

static COMPILED_NAMED: LazyLock<Regex> = LazyLock::new(|| compile(NAMED));

#[expect(clippy::expect_used, reason = "constants, which the tests compile")]
fn compile(form: &str) -> Regex {
    Regex::new(form).expect("a regular expression")
}

/// Adds what is secret in a text for its form, or for the name that it stands behind.
pub(super) fn secrets(text: &str, ranges: &mut Vec<Range<usize>>) {
    for form in COMPILED.iter() {
        for found in form.captures_iter(text) {
            ranges.extend(found.iter().skip(1).flatten().map(|group| group.range()));
        }
    }
    named(text, ranges);
}

/// Values that stand behind names of secrets.
fn named(text: &str, ranges: &mut Vec<Range<usize>>) {
    let mut place = 0;
    let mut ends = Ends::of(text);
    while let Some(found) = COMPILED_NAMED.captures_at(text, place) {
        let (Some(whole), Some(name), Some(between)) = (found.get(0), found.get(1), found.get(2))
        else {
            break;
        };
        place = whole.end();
        let before = text.get(..name.start()).and_then(|before| before.chars().next_back());
        let end = ends.value(place, name.as_str(), between.as_str(), before);
        let value = text.get(place..end).unwrap_or_default();
        if value.starts_with("--") || is_scheme(value) || !is_secret(name.as_str(), value) {
            continue;
        }
        ranges.push(place..end);
        place = end;
    }
}

/// What ends a value that began with it.
const QUOTES: [&str; 5] = ["'\\''", "\\\"", "\\'", "\"", "'"];

/// What ends a value that began without: of `NAME=`, and of others.
const OF_VARIABLES: &str = "\"';&|";
const OF_OTHERS: &str = "\"'&,;<>(){}";

/// Where values end. Each end is sought once, however many values have it: a text can be names of values all along, with one
/// end for all of them.
struct Ends<'a> {
    text: &'a str,
    /// The next place of each quote from where it was sought last on; `None` behind the last one.
    quotes: [Option<Option<usize>>; QUOTES.len()],
    variable: Option<usize>,
    other: Option<usize>,
}

impl<'a> Ends<'a> {
    fn of(text: &'a str) -> Self {
        Self { text, quotes: [None; QUOTES.len()], variable: None, other: None }
    }

    /// The end of the value at a place, which is behind those that were asked for before: the quote that it began with, or the
    /// end of the word.
    fn value(&mut self, place: usize, name: &str, between: &str, before: Option<char>) -> usize {
        let whole = self.text.len();
        if let Some(kind) = QUOTES.iter().position(|quote| between.ends_with(quote)) {
            return self.quote(kind, place).unwrap_or(whole);
        }
        let variable = between == "=" && !name.bytes().any(|byte| byte.is_ascii_lowercase());
        // `'NAME=value with blanks'`
        let quote = before.filter(|_| variable).map(String::from);
        let kind = quote.and_then(|quote| QUOTES.iter().position(|known| *known == quote));
        let quoted = kind.and_then(|kind| self.quote(kind, place));
        quoted.unwrap_or_else(|| self.word(variable, place))
    }

    fn quote(&mut self, kind: usize, place: usize) -> Option<usize> {
        let text = self.text;
        let quote = QUOTES.get(kind)?;
        let known = self.quotes.get_mut(kind)?;
        if known.is_none_or(|next| next.is_some_and(|next| next < place)) {
            let rest = text.get(place..)?;
            *known = Some(rest.find(quote).map(|at| place.saturating_add(at)));
        }
        known.flatten()
    }

    fn word(&mut self, variable: bool, place: usize) -> usize {
        let text = self.text;
        let (known, ends) = if variable {
            (&mut self.variable, OF_VARIABLES)
        } else {
            (&mut self.other, OF_OTHERS)
        };
        let end = match *known {
            Some(end) if end >= place => end,
            _ => {
                let rest = text.get(place..).unwrap_or_default();
                let end = rest.find(|one: char| one.is_whitespace() || ends.contains(one));
                end.map_or(text.len(), |at| place.saturating_add(at))
            }
        };
        *known = Some(end);
        end
    }
}

/// Whether it is how somebody proves who they are, and the proof comes behind it.
fn is_scheme(value: &str) -> bool {
    let schemes = ["bearer", "basic", "token", "digest", "negotiate", "apikey", "api-key", "key"];
    schemes.iter().any(|scheme| value.eq_ignore_ascii_case(scheme))
}
