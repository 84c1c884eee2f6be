//! What is wrong with a pattern.

use thiserror::Error;

/// A pattern that cannot be searched for.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum PatternError {
    /// A pattern of bytes.
    #[error("hex pattern, column {column}: {what}\n  {pattern}\n  {:>column$}", '^')]
    Hex {
        /// The pattern, control characters replaced.
        pattern: String,
        /// Where, in characters from 1 on.
        column: usize,
        /// What is wrong there.
        what: String,
    },
    /// A regular expression.
    #[error("regular expression, column {column}: {what}\n  {pattern}\n  {:>column$}", '^')]
    Regex {
        /// The pattern, control characters replaced.
        pattern: String,
        /// Where, in characters from 1 on.
        column: usize,
        /// What is wrong there.
        what: String,
    },
    /// It is too large once compiled, or of another kind that the engine refuses.
    #[error("`{pattern}`: {what}")]
    Refused {
        /// The pattern, control characters replaced.
        pattern: String,
        /// Why.
        what: String,
    },
    /// It would be found everywhere.
    #[error("`{pattern}` matches no bytes at all, and so everywhere")]
    Empty {
        /// The pattern, control characters replaced.
        pattern: String,
    },
}

impl PatternError {
    /// Of a pattern of bytes, wrong at a byte offset.
    pub(super) fn hex(pattern: &str, at: usize, what: String) -> Self {
        let before = pattern.get(..at).unwrap_or_default();
        Self::Hex {
            pattern: shown(pattern),
            column: before.chars().count().saturating_add(1),
            what,
        }
    }

    /// Of a regular expression.
    pub(super) fn regex(pattern: &str, error: &regex_syntax::Error) -> Self {
        let (at, what) = match error {
            regex_syntax::Error::Parse(error) => {
                (error.span().start.offset, error.kind().to_string())
            }
            regex_syntax::Error::Translate(error) => {
                (error.span().start.offset, error.kind().to_string())
            }
            other => (0, other.to_string()),
        };
        let before = pattern.get(..at).unwrap_or_default();
        Self::Regex {
            pattern: shown(pattern),
            column: before.chars().count().saturating_add(1),
            what,
        }
    }

    pub(super) fn refused(pattern: &str, what: &impl ToString) -> Self {
        Self::Refused { pattern: shown(pattern), what: what.to_string() }
    }

    pub(super) fn empty(pattern: &str) -> Self {
        Self::Empty { pattern: shown(pattern) }
    }
}

/// On one line, so that a column can be pointed at: a control character is shown as one that stands for any.
fn shown(pattern: &str) -> String {
    let fit = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    pattern.chars().map(fit).collect()
}
