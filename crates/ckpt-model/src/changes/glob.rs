//! Patterns for paths.
//!
//! | in a pattern | stands for |
//! |---|---|
//! | `*` | anything but a slash |
//! | `**` | anything |
//! | `**/` | any number of directories, none included |
//! | `?` | one character but a slash |
//! | `[abc]`, `[a-z]`, `[!a]` | one of these, or not of these; never a slash |
//! | `\*` | the character itself |
//!
//! A pattern without a slash is held against the last name of a path, any other against the whole path from its root.

use std::str::FromStr;

use thiserror::Error;

/// A pattern for paths. Matching takes time in proportion to pattern times path, whatever both hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    tokens: Vec<Token>,
    /// Held against the last name only.
    name_only: bool,
}

/// Why a pattern is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum GlobError {
    /// `[` without `]`.
    #[error("`[` is not closed")]
    Open,
    /// Nothing after a backslash.
    #[error("nothing follows the last `\\`")]
    Escape,
    /// Such as `[z-a]`.
    #[error("the range {0}-{1} is empty")]
    Range(char, char),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Is(char),
    One,
    Class { not: bool, ranges: Vec<(char, char)> },
    InName,
    Anything,
    Directories,
}

/// A character of a path; bytes that are no UTF-8 are characters of their own that no pattern names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Char(char),
    Byte,
}

impl FromStr for Glob {
    type Err = GlobError;

    fn from_str(pattern: &str) -> Result<Self, GlobError> {
        let name_only = !pattern.contains('/');
        let mut tokens = Vec::new();
        let mut rest = pattern.trim_start_matches('/').chars().peekable();
        while let Some(c) = rest.next() {
            tokens.push(match c {
                '?' => Token::One,
                '\\' => Token::Is(rest.next().ok_or(GlobError::Escape)?),
                '[' => class(&mut rest)?,
                '*' if rest.next_if_eq(&'*').is_none() => Token::InName,
                '*' => {
                    while rest.next_if_eq(&'*').is_some() {}
                    // Only a whole component stands for directories: in `a**/b` it does not.
                    let starts = matches!(tokens.last(), None | Some(Token::Is('/')));
                    if starts && rest.next_if_eq(&'/').is_some() {
                        Token::Directories
                    } else {
                        Token::Anything
                    }
                }
                c => Token::Is(c),
            });
        }
        Ok(Self { tokens, name_only })
    }
}

/// What stands between `[` and `]`.
fn class(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Token, GlobError> {
    let not = rest.next_if(|c| matches!(c, '!' | '^')).is_some();
    let mut ranges = Vec::new();
    loop {
        let mut next = || -> Result<char, GlobError> {
            match rest.next().ok_or(GlobError::Open)? {
                '\\' => rest.next().ok_or(GlobError::Open),
                c => Ok(c),
            }
        };
        let from = next()?;
        let mut to = from;
        if rest.next_if_eq(&'-').is_some() {
            match rest.next().ok_or(GlobError::Open)? {
                // A minus at the end is itself.
                ']' => {
                    ranges.extend([(from, from), ('-', '-')]);
                    return Ok(Token::Class { not, ranges });
                }
                end => to = end,
            }
        }
        if to < from {
            return Err(GlobError::Range(from, to));
        }
        ranges.push((from, to));
        if rest.next_if_eq(&']').is_some() {
            return Ok(Token::Class { not, ranges });
        }
    }
}

impl Token {
    /// Whether it takes this character, and stays to take more.
    fn takes(&self, unit: Unit) -> (bool, bool) {
        let slash = unit == Unit::Char('/');
        match self {
            Self::Is(c) => (unit == Unit::Char(*c), false),
            Self::One => (!slash, false),
            Self::Class { not, ranges } => {
                let within = |(from, to): &(char, char)| matches!(unit, Unit::Char(c) if (*from..=*to).contains(&c));
                (!slash && ranges.iter().any(within) != *not, false)
            }
            Self::InName => (!slash, true),
            Self::Anything => (true, true),
            Self::Directories => (true, true),
        }
    }
}

/// Which tokens may come next, while a path is read. One more than there are tokens: behind the last.
#[derive(Debug)]
struct States {
    at: Vec<bool>,
    /// For [`Token::Directories`]: in the middle of a name, where the rest of the pattern cannot begin.
    inside: Vec<bool>,
}

impl Glob {
    /// Whether a path matches, with or without a slash at its start.
    #[must_use]
    pub fn matches(&self, path: &[u8]) -> bool {
        let path = path.strip_prefix(b"/").unwrap_or(path);
        let path = match path.iter().rposition(|byte| *byte == b'/') {
            Some(slash) if self.name_only => path.get(slash.saturating_add(1)..),
            _ => Some(path),
        };
        let mut states = self.start();
        for unit in units(path.unwrap_or_default()) {
            states = self.step(&states, unit);
        }
        states.at.last().copied().unwrap_or_default()
    }

    fn empty(&self) -> States {
        let len = self.tokens.len().saturating_add(1);
        States { at: vec![false; len], inside: vec![false; len] }
    }

    fn start(&self) -> States {
        let mut states = self.empty();
        self.enter(&mut states, 0);
        states
    }

    /// Sets a state, and those behind it that need no character.
    fn enter(&self, states: &mut States, from: usize) {
        for index in from..=self.tokens.len() {
            match states.at.get_mut(index) {
                Some(set) if !*set => *set = true,
                _ => return,
            }
            let skips = matches!(
                self.tokens.get(index),
                Some(Token::InName | Token::Anything | Token::Directories)
            );
            if !skips {
                return;
            }
        }
    }

    fn step(&self, before: &States, unit: Unit) -> States {
        let mut after = self.empty();
        let states = before.at.iter().zip(&before.inside);
        for ((index, token), (at, inside)) in self.tokens.iter().enumerate().zip(states) {
            if !at && !inside {
                continue;
            }
            match (token, token.takes(unit)) {
                (_, (false, _)) => {}
                (Token::Directories, _) if unit != Unit::Char('/') => {
                    if let Some(set) = after.inside.get_mut(index) {
                        *set = true;
                    }
                }
                (_, (true, true)) => self.enter(&mut after, index),
                (_, (true, false)) => self.enter(&mut after, index.saturating_add(1)),
            }
        }
        after
    }
}

fn units(path: &[u8]) -> impl Iterator<Item = Unit> {
    path.utf8_chunks().flat_map(|chunk| {
        let bytes = chunk.invalid().iter().map(|_| Unit::Byte);
        chunk.valid().chars().map(Unit::Char).chain(bytes)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, path: &str) -> bool {
        pattern.parse::<Glob>().unwrap().matches(path.as_bytes())
    }

    #[test]
    fn names_and_paths() {
        for (pattern, path) in [
            ("*.so", "/usr/lib/libx.so"),
            ("passwd", "/etc/passwd"),
            ("/etc/*", "/etc/passwd"),
            ("etc/*", "/etc/passwd"),
            ("/etc/**", "/etc/cron.d/apt"),
            ("/**/passwd", "/passwd"),
            ("/**/passwd", "/a/b/passwd"),
            ("/a/**/b", "/a/b"),
            ("/a/**/b", "/a/x/y/b"),
            ("**", "/anything/at/all"),
            ("/tmp/.?*", "/tmp/.X"),
            ("/pg/[0-9]*", "/pg/1247_fsm"),
            ("[!a-c]x", "/dx"),
            ("[]a]", "/]"),
            ("[a-]", "/-"),
            ("a\\*", "/a*"),
            ("/a**z", "/a/b/z"),
            ("日?", "/日本"),
        ] {
            assert!(matches(pattern, path), "{pattern} {path}");
        }
    }

    #[test]
    fn what_does_not_match() {
        for (pattern, path) in [
            ("/etc/*", "/etc/cron.d/apt"),
            ("/etc/?", "/etc/ab"),
            ("/**/passwd", "/etc/xpasswd"),
            ("/a/**/b", "/a/xb"),
            ("/a?b", "/a/b"),
            ("/a[!x]b", "/a/b"),
            ("*.so", "/lib.so/x"),
            ("etc", "/x/etcetera"),
            ("[!a]", "/a"),
        ] {
            assert!(!matches(pattern, path), "{pattern} {path}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_match_wildcards_only() {
        let any: Glob = "a?b".parse().unwrap();
        assert!(any.matches(b"/a\xffb"));
        let replacement: Glob = "a\u{fffd}b".parse().unwrap();
        assert!(!replacement.matches(b"/a\xffb"));
    }

    #[test]
    fn broken_patterns() {
        assert_eq!("[a".parse::<Glob>(), Err(GlobError::Open));
        assert_eq!("[".parse::<Glob>(), Err(GlobError::Open));
        assert_eq!("a\\".parse::<Glob>(), Err(GlobError::Escape));
        assert_eq!("[z-a]".parse::<Glob>(), Err(GlobError::Range('z', 'a')));
    }

    #[test]
    fn hostile_patterns_end() {
        let pattern = "*a".repeat(200) + "b";
        assert!(!matches(&pattern, &"a".repeat(4096)));
    }
}
