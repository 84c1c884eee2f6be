//! A secret, and how it is shown: redacted, unless somebody asks for it.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::rule::{Confidence, Rule, SecretRule};

/// Below so many bytes nothing of a secret is shown: a quarter of a short one is worth guessing with.
const SHORT: usize = 16;

/// Most bytes that are shown.
const SHOWN: usize = 8;

/// A secret that was found.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    rule: Rule,
    confidence: Confidence,
    detail: Option<Arc<str>>,
    value: Arc<[u8]>,
    body: Vec<u8>,
    digest: [u8; 32],
}

impl Secret {
    pub(super) fn new(
        rule: Rule,
        confidence: Confidence,
        detail: Option<Arc<str>>,
        value: &[u8],
        body: &[u8],
    ) -> Self {
        // Only the ends of a body are ever shown.
        let ends = ends(body).map(|(first, last)| [first, last].concat()).unwrap_or_default();
        let digest = Sha256::digest(value).into();
        Self { rule, confidence, detail, value: value.into(), body: ends, digest }
    }

    /// The same, known by other bytes than its own.
    pub(super) fn known_by(self, bytes: &[u8]) -> Self {
        Self { digest: Sha256::digest(bytes).into(), ..self }
    }

    /// The rule that found it.
    #[must_use]
    pub fn rule(&self) -> &'static SecretRule {
        self.rule.rule()
    }

    /// The same, by name.
    pub(super) fn kind(&self) -> Rule {
        self.rule
    }

    /// How sure it is that it is one.
    #[must_use]
    pub fn confidence(&self) -> Confidence {
        self.confidence
    }

    /// What can be told of it without giving it away: the host of a URL, the kind of a key, the issuer of a card. Text of
    /// the evidence, not escaped.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// The secret itself.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    /// SHA-256 of the secret; of a private key in PEM that of its base 64 without ends of lines, which differ from copy to copy.
    #[must_use]
    pub fn sha256(&self) -> &[u8; 32] {
        &self.digest
    }

    /// The first 8 digits of its SHA-256, in hexadecimal: equal secrets are recognised by it.
    #[must_use]
    pub fn mark(&self) -> String {
        self.digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
    }

    /// The secret as it is shown: its ends, a quarter of it at most and nothing of short ones, its length and its mark.
    #[must_use]
    pub fn redacted(&self) -> String {
        let half = self.body.len().div_ceil(2);
        let (first, last) = self.body.split_at_checked(half).unwrap_or_default();
        let show = |bytes: &[u8]| ckpt_model::escape(bytes).into_owned();
        format!(
            "{}…{} ({} bytes, sha256 {})",
            show(first),
            show(last),
            self.value.len(),
            self.mark()
        )
    }
}

/// First and last bytes that may be shown.
fn ends(body: &[u8]) -> Option<(&[u8], &[u8])> {
    if body.len() < SHORT {
        return None;
    }
    let shown = (body.len() / 4).min(SHOWN);
    let first = body.get(..shown.div_ceil(2))?;
    let last = body.get(body.len().saturating_sub(shown / 2)..)?;
    Some((first, last))
}

/// Redacted as well: what is printed while something is sought in the program itself stays somewhere.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret")
            .field("rule", &self.rule().id)
            .field("confidence", &self.confidence)
            .field("detail", &self.detail)
            .field("value", &self.redacted())
            .finish()
    }
}
