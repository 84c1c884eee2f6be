//! What rules match, and what is to be known of it. There without the engine too, for those who only show it.

/// A rule that matches a target.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RuleMatch {
    /// Its name.
    pub rule: String,
    /// Its namespace.
    pub namespace: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its metadata, in the order of the file.
    pub meta: Vec<(String, Meta)>,
    /// What its strings match, by string and position; nothing when its condition needs none.
    pub matched: Vec<Matched>,
}

/// A value of metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meta {
    /// Text, which need not be UTF-8.
    Bytes(Vec<u8>),
    /// A number.
    Integer(i64),
    /// True or false.
    Boolean(bool),
}

/// A match of a string.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Matched {
    /// Name of the string, as `$a`; of one without a name `$`.
    pub string: String,
    /// Address in memory, offset in a file.
    pub position: u64,
    /// Bytes that match.
    pub length: u64,
    /// The first of them.
    pub bytes: Box<[u8]>,
    /// The key of a string with the modifier `xor`, where it is not 0.
    pub xor_key: u8,
}

/// What is to be known of a scan besides what matches.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Remark {
    /// It took too long: rules may not have been held against it.
    TimedOut,
    /// A rule took too long by itself, or one that it needs: matches of it may be missing.
    RuleTimedOut {
        /// Namespace of the rule.
        namespace: String,
        /// The rule.
        rule: String,
    },
    /// A string has more matches than are kept.
    TooManyMatches {
        /// Namespace of its rule.
        namespace: String,
        /// Its rule.
        rule: String,
        /// The string.
        string: String,
    },
    /// The file was looked at in parts: it has holes, is missing in part, or is large and does not lie together.
    InParts,
    /// The engine failed on it: this is a defect of the engine.
    Failed,
}
