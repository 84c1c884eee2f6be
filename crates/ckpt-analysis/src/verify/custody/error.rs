//! Why a manifest cannot be used.

use thiserror::Error;

/// Why a manifest cannot be used. Messages are safe for a terminal.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ManifestError {
    /// More than any honest manifest has.
    #[error("{found} bytes are more than the limit of {limit}")]
    TooLarge {
        /// Bytes there.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// Not JSON, or not of the form that a manifest has; with line and column.
    #[error("not a custody manifest: {reason}")]
    Form {
        /// What the JSON reader says.
        reason: String,
    },
    /// JSON of another kind or version.
    #[error("the schema is `{found}`, not `{expected}`")]
    Schema {
        /// The schema of this version.
        expected: &'static str,
        /// The one there.
        found: String,
    },
    /// A value that no manifest has.
    #[error("{place}: {what}")]
    Value {
        /// Key, and number of the member.
        place: String,
        /// What is wrong with it.
        what: String,
    },
    /// It does not have the hash that it says it has: somebody or something changed it.
    #[error(
        "the manifest was changed after it was made: its content has the digest {found}, and it says {expected}"
    )]
    Digest {
        /// The digest that it says it has.
        expected: String,
        /// The digest of its content.
        found: String,
    },
}
