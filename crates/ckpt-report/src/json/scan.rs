//! What a scan found: matches of rules, and secrets.

use std::borrow::Cow;
use std::io::{self, Write};

use ckpt_model::{Checkpoint, Text};
use ckpt_scan::Place;
use ckpt_scan::secrets::Secret;
use ckpt_scan::strings::Encoding;
use ckpt_scan::yara::{Matched, Meta, Remark, RuleMatch};
use serde::Serialize;

use super::hits::{PlaceRecord, hit_text};
use super::shared::{DefectRecord, EvidenceRecord, base64, defects, fields, lossless};
use super::write::write_line;

/// A match of a rule at one place: one for each match of each of its strings, or one for a rule that needs none.
#[derive(Clone, Debug, Serialize)]
pub struct RuleMatchRecord<'a> {
    /// Where it is; without `address` and `offset` when the rule has no string that matches.
    #[serde(flatten)]
    pub place: PlaceRecord<'a>,
    /// `yara`.
    pub source: &'static str,
    /// Name of the rule.
    pub rule: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// Its tags.
    pub tags: &'a [String],
    /// Its metadata, in the order of the file; names may repeat.
    pub meta: Vec<MetaRecord<'a>>,
    /// The string that matches, as `$a`.
    #[serde(flatten)]
    pub matched: Option<StringMatchRecord<'a>>,
}

/// A value of a rule's metadata.
#[derive(Clone, Debug, Serialize)]
pub struct MetaRecord<'a> {
    /// Its name.
    pub name: &'a str,
    /// Text, a number, or a truth value.
    pub value: MetaValue<'a>,
}

/// What a rule's metadata can be.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum MetaValue<'a> {
    /// Text.
    Text(Cow<'a, str>),
    /// A number.
    Number(i64),
    /// A truth value.
    Boolean(bool),
}

/// What a string of a rule matches.
#[derive(Clone, Debug, Serialize)]
pub struct StringMatchRecord<'a> {
    /// The string, as `$a`.
    pub pattern: &'a str,
    /// How the bytes are to be read: `ascii`, `utf8` or `bytes`.
    pub encoding: &'static str,
    /// Bytes that match.
    pub length: u64,
    /// The first of them, those that are not UTF-8 as `\xff`.
    pub text: Cow<'a, str>,
    /// The same bytes, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_base64: Option<String>,
    /// Whether there are more than are given.
    pub truncated: bool,
    /// The key of a string with the modifier `xor`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub xor_key: Option<u8>,
}

impl<'a> RuleMatchRecord<'a> {
    /// Of a rule, and of a match of one of its strings, at a place.
    #[must_use]
    pub fn of(place: PlaceRecord<'a>, rule: &'a RuleMatch, matched: Option<&'a Matched>) -> Self {
        let meta = rule.meta.iter().map(|(name, value)| MetaRecord {
            name,
            value: match value {
                Meta::Bytes(bytes) => MetaValue::Text(lossless(bytes)),
                Meta::Integer(number) => MetaValue::Number(*number),
                Meta::Boolean(boolean) => MetaValue::Boolean(*boolean),
            },
        });
        let matched = matched.map(|one| StringMatchRecord {
            pattern: &one.string,
            encoding: Encoding::of(&one.bytes).word(),
            length: one.length,
            text: lossless(&one.bytes),
            text_base64: base64(&one.bytes),
            truncated: one.length > one.bytes.len() as u64,
            xor_key: (one.xor_key > 0).then_some(one.xor_key),
        });
        Self {
            place,
            source: "yara",
            rule: &rule.rule,
            namespace: &rule.namespace,
            tags: &rule.tags,
            meta: meta.collect(),
            matched,
        }
    }
}

/// A secret at one place.
#[derive(Clone, Debug, Serialize)]
pub struct SecretRecord<'a> {
    /// Where it is.
    #[serde(flatten)]
    pub place: PlaceRecord<'a>,
    /// The variable of the environment that holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variable: Option<Cow<'a, str>>,
    /// Its bytes, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variable_base64: Option<String>,
    /// `secrets`.
    pub source: &'static str,
    /// Id of the rule.
    pub rule: &'static str,
    /// `secrets`: these rules are the program's own.
    pub namespace: &'static str,
    /// None.
    pub tags: &'static [&'static str],
    /// What it is.
    pub title: &'static str,
    /// `high`, `medium` or `low`.
    pub confidence: &'static str,
    /// What can be told of it without giving it away.
    pub detail: Option<&'a str>,
    /// Its ends, its length and its mark.
    pub redacted: String,
    /// The first 8 digits of its SHA-256: equal secrets have the same.
    pub sha256_prefix: String,
    /// How its bytes are to be read: `ascii`, `utf8`, `utf16le`, `utf16be` or `bytes`.
    pub encoding: &'static str,
    /// Bytes, when read.
    pub length: u64,
    /// The secret, only when that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<Cow<'a, str>>,
    /// Its bytes, when they are not UTF-8, only when that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_base64: Option<String>,
}

impl<'a> SecretRecord<'a> {
    /// Of a secret at a place, where it is written in an encoding, in a variable or not, with its value or without.
    #[must_use]
    pub fn of(
        place: PlaceRecord<'a>,
        variable: Option<&'a Text>,
        encoding: Encoding,
        secret: &'a Secret,
        reveal: bool,
    ) -> Self {
        let (variable, variable_base64) = fields(variable);
        let value = reveal.then(|| hit_text(secret.value(), Encoding::of(secret.value())));
        let (text, text_base64) = value.map_or((None, None), |(text, bytes)| (Some(text), bytes));
        Self {
            place,
            variable,
            variable_base64,
            source: "secrets",
            rule: secret.rule().id,
            namespace: "secrets",
            tags: &[],
            title: secret.rule().title,
            confidence: secret.confidence().word(),
            detail: secret.detail(),
            redacted: secret.redacted(),
            sha256_prefix: secret.mark(),
            encoding: encoding.word(),
            length: secret.value().len() as u64,
            text,
            text_base64,
        }
    }
}

/// What is to be known of the scan of a process or an artifact besides what matches.
#[derive(Clone, Debug, Serialize)]
pub struct RemarkRecord<'a> {
    /// The process; null for artifacts.
    pub pid: Option<u32>,
    /// The artifact; null for processes.
    pub artifact: Option<&'a str>,
    /// `timed-out`, `too-many-matches`, `in-parts` or `engine-failed`.
    pub what: &'static str,
    /// The rule that took too long, or with a string that has too many matches.
    pub rule: Option<&'a str>,
    /// Its namespace.
    pub namespace: Option<&'a str>,
    /// That string.
    pub pattern: Option<&'a str>,
}

impl<'a> RemarkRecord<'a> {
    /// Of a remark.
    #[must_use]
    pub fn of(pid: Option<u32>, artifact: Option<&'a str>, remark: &'a Remark) -> Self {
        let plain = |what| Self { pid, artifact, what, rule: None, namespace: None, pattern: None };
        match remark {
            Remark::TimedOut => plain("timed-out"),
            Remark::InParts => plain("in-parts"),
            Remark::RuleTimedOut { namespace, rule } => {
                Self { rule: Some(rule), namespace: Some(namespace), ..plain("timed-out") }
            }
            Remark::TooManyMatches { namespace, rule, string } => Self {
                rule: Some(rule),
                namespace: Some(namespace),
                pattern: Some(string),
                ..plain("too-many-matches")
            },
            _ => plain("engine-failed"),
        }
    }
}

/// `ckpt-inspect/scan-count/1`: how often each rule matched.
#[derive(Clone, Debug, Serialize)]
pub struct ScanCountDocument<'a> {
    /// Name and version of this form.
    pub schema: &'static str,
    /// What was opened.
    pub evidence: EvidenceRecord<'a>,
    /// By namespace, rule, pid and artifact.
    pub counts: Vec<ScanCountRecord<'a>>,
    /// What could not be read.
    pub defects: Vec<DefectRecord>,
}

/// How often a rule matched in one process or artifact.
#[derive(Clone, Debug, Serialize)]
pub struct ScanCountRecord<'a> {
    /// Its namespace; `secrets` for the program's own.
    pub namespace: &'a str,
    /// Name of the rule.
    pub rule: &'a str,
    /// The process; null for artifacts.
    pub pid: Option<u32>,
    /// The artifact; null for processes.
    pub artifact: Option<&'a str>,
    /// Matches of its strings, or 1 when it needs none.
    pub hits: u64,
}

/// Counts as a document.
#[must_use]
pub fn scan_counts<'a>(
    checkpoint: &'a Checkpoint,
    counts: Vec<ScanCountRecord<'a>>,
) -> ScanCountDocument<'a> {
    ScanCountDocument {
        schema: "ckpt-inspect/scan-count/1",
        evidence: EvidenceRecord::of(checkpoint),
        counts,
        defects: defects(checkpoint),
    }
}

/// Writes a match of a rule once for each place; `more` when there are more than these.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn write_rule_match<W: Write>(
    out: &mut W,
    places: &[Place<'_>],
    more: bool,
    rule: &RuleMatch,
    matched: &Matched,
) -> io::Result<()> {
    PlaceRecord::all(places, more)
        .try_for_each(|place| write_line(out, &RuleMatchRecord::of(place, rule, Some(matched))))
}
