//! Tokens that their prefix names: of GitHub, GitLab, Slack, Stripe, Google and others.

use std::ops::RangeInclusive;

use data_encoding::BASE64URL_NOPAD;

use super::rule::{Confidence, Rule};
use super::value::{
    alnum, base62, base64url, crc32, entropy, groups, hex, is_placeholder, looks_random,
};
use super::view::{Find, View};

/// A form of token.
pub(super) struct Token {
    pub(super) prefix: &'static str,
    rule: Rule,
    /// Bytes behind the prefix.
    length: RangeInclusive<usize>,
    letter: fn(u8) -> bool,
    /// How sure it is, by what stands behind the prefix.
    check: fn(&[u8]) -> Option<Confidence>,
}

const fn token(
    prefix: &'static str,
    rule: Rule,
    length: RangeInclusive<usize>,
    letter: fn(u8) -> bool,
    check: fn(&[u8]) -> Option<Confidence>,
) -> Token {
    Token { prefix, rule, length, letter, check }
}

pub(super) static TOKENS: [Token; 36] = [
    token("AIza", Rule::GcpApiKey, 35..=35, base64url, random),
    token("GOCSPX-", Rule::GcpOauth, 28..=28, base64url, random),
    token("ya29.", Rule::GcpOauth, 40..=1024, base64url, random),
    token("ghp_", Rule::Github, 36..=36, alnum, checksum),
    token("gho_", Rule::Github, 36..=36, alnum, checksum),
    token("ghu_", Rule::Github, 36..=36, alnum, checksum),
    token("ghs_", Rule::Github, 36..=36, alnum, checksum),
    token("ghr_", Rule::Github, 36..=76, alnum, checksum),
    token("github_pat_", Rule::Github, 82..=82, word, fine_grained),
    token("glpat-", Rule::Gitlab, 20..=64, dotted, random),
    token("gldt-", Rule::Gitlab, 20..=64, dotted, random),
    token("glrt-", Rule::Gitlab, 20..=64, dotted, random),
    token("glptt-", Rule::Gitlab, 40..=40, hex, random_hex),
    token("xoxb-", Rule::Slack, 40..=200, dashed, slack),
    token("xoxp-", Rule::Slack, 40..=200, dashed, slack),
    token("xoxa-", Rule::Slack, 40..=200, dashed, slack),
    token("xoxr-", Rule::Slack, 40..=200, dashed, slack),
    token("xoxs-", Rule::Slack, 40..=200, dashed, slack),
    token("xapp-", Rule::Slack, 40..=200, dashed, slack_app),
    token("hooks.slack.com/services/", Rule::SlackWebhook, 40..=60, path, webhook),
    token("sk_live_", Rule::Stripe, 24..=247, alnum, random),
    token("rk_live_", Rule::Stripe, 24..=247, alnum, random),
    token("sk_test_", Rule::Stripe, 24..=247, alnum, test_mode),
    token("rk_test_", Rule::Stripe, 24..=247, alnum, test_mode),
    token("npm_", Rule::Npm, 36..=36, alnum, checksum),
    token("pypi-", Rule::Pypi, 85..=1024, base64url, macaroon),
    token("dckr_pat_", Rule::DockerHub, 27..=27, base64url, random),
    token("sk-ant-", Rule::Anthropic, 80..=200, base64url, random),
    token("sk-proj-", Rule::OpenAi, 40..=200, base64url, random),
    token("hf_", Rule::HuggingFace, 34..=34, |byte| byte.is_ascii_alphabetic(), random),
    token("SG.", Rule::SendGrid, 66..=66, dotted, sendgrid),
    token("dop_v1_", Rule::DigitalOcean, 64..=64, hex, random_hex),
    token("shpat_", Rule::Shopify, 32..=32, hex, random_hex),
    token("shpss_", Rule::Shopify, 32..=32, hex, random_hex),
    token("hvs.", Rule::Vault, 24..=200, base64url, random),
    token("AGE-SECRET-KEY-1", Rule::Age, 58..=58, bech32, random),
];

fn word(byte: u8) -> bool {
    alnum(byte) || byte == b'_'
}

fn dashed(byte: u8) -> bool {
    alnum(byte) || byte == b'-'
}

fn dotted(byte: u8) -> bool {
    base64url(byte) || byte == b'.'
}

fn path(byte: u8) -> bool {
    alnum(byte) || byte == b'/'
}

fn bech32(byte: u8) -> bool {
    (byte.is_ascii_uppercase() || byte.is_ascii_digit())
        && !matches!(byte, b'1' | b'B' | b'I' | b'O')
}

impl Token {
    /// The token of this form that begins at the anchor.
    pub(super) fn look(&self, view: &View<'_>, finds: &mut Vec<Find>) {
        let start = view.at();
        let tail = view.run(
            start.saturating_add(self.prefix.len()),
            self.length.end().saturating_add(2),
            self.letter,
        );
        let tail = tail.start..trimmed(view.bytes(tail.clone()), tail.start);
        let range = start..tail.end;
        let text = view.bytes(tail.clone());
        if !self.length.contains(&text.len())
            || !view.stands_alone(&range, alnum)
            || is_placeholder(text)
        {
            return;
        }
        if let Some(confidence) = (self.check)(text) {
            let prefix = self.prefix.trim_end_matches(['_', '-', '.', '/']);
            finds.push(Find::new(self.rule, confidence, range).detail(prefix));
        }
    }
}

/// The end of a token without the full stops and dashes of the sentence around it.
fn trimmed(text: &[u8], start: usize) -> usize {
    let tail = text.iter().rev().take_while(|byte| matches!(**byte, b'.' | b'/')).count();
    start.saturating_add(text.len().saturating_sub(tail))
}

fn random(text: &[u8]) -> Option<Confidence> {
    looks_random(text).then_some(Confidence::High)
}

/// Sixteen digits make four bits at most.
fn random_hex(text: &[u8]) -> Option<Confidence> {
    (entropy(text) >= 3.0).then_some(Confidence::High)
}

fn test_mode(text: &[u8]) -> Option<Confidence> {
    looks_random(text).then_some(Confidence::Medium)
}

/// The last six letters are the CRC-32 of those before, in base 62. What has another sum was typed, not issued.
///
/// Source: GitHub, "Behind GitHub's new authentication token formats" (2021).
fn checksum(text: &[u8]) -> Option<Confidence> {
    let (random, sum) = text.split_at_checked(text.len().checked_sub(6)?)?;
    if sum == base62(crc32(random)) {
        Some(Confidence::High)
    } else {
        looks_random(text).then_some(Confidence::Low)
    }
}

/// 22 letters, `_`, 59 letters.
fn fine_grained(text: &[u8]) -> Option<Confidence> {
    let mut parts = text.split(|byte| *byte == b'_');
    let lengths = [parts.next()?.len(), parts.next()?.len()];
    (lengths == [22, 59] && parts.next().is_none() && looks_random(text))
        .then_some(Confidence::High)
}

/// Numbers of team, app and user, then letters: `12345678901-1234567890123-AbC…`.
fn slack(text: &[u8]) -> Option<Confidence> {
    let parts: Vec<&[u8]> = text.split(|byte| *byte == b'-').collect();
    let (last, numbers) = parts.split_last()?;
    let number =
        |part: &&[u8]| (9..=14).contains(&part.len()) && part.iter().all(u8::is_ascii_digit);
    let formed = (1..=4).contains(&numbers.len()) && numbers.iter().all(number);
    (formed && last.len() >= 20 && looks_random(last)).then_some(Confidence::High)
}

/// `1-A012345-1234567890123-` and 64 hexadecimal digits.
fn slack_app(text: &[u8]) -> Option<Confidence> {
    let last = text.rsplit(|byte| *byte == b'-').next()?;
    (last.len() == 64 && last.iter().all(|byte| hex(*byte)) && entropy(last) >= 3.0)
        .then_some(Confidence::High)
}

/// `T…/B…/` and 24 letters.
fn webhook(text: &[u8]) -> Option<Confidence> {
    let parts: Vec<&[u8]> = text.split(|byte| *byte == b'/').collect();
    let [team, bot, last] = parts.as_slice() else { return None };
    let formed = team.starts_with(b"T") && bot.starts_with(b"B") && last.len() == 24;
    (formed && looks_random(last)).then_some(Confidence::High)
}

/// 22 letters, a full stop, 43 letters.
fn sendgrid(text: &[u8]) -> Option<Confidence> {
    let mut parts = text.split(|byte| *byte == b'.');
    let lengths = [parts.next()?.len(), parts.next()?.len()];
    (lengths == [22, 43] && parts.next().is_none() && looks_random(text))
        .then_some(Confidence::High)
}

/// A macaroon of version 2 whose location is `pypi.org` or `test.pypi.org`.
fn macaroon(text: &[u8]) -> Option<Confidence> {
    let decoded = BASE64URL_NOPAD.decode(groups(text.get(..text.len().min(64))?)).ok()?;
    let here = |location: &[u8]| decoded.get(3..).is_some_and(|rest| rest.starts_with(location));
    let formed = decoded.starts_with(&[2, 1]) && (here(b"pypi.org") || here(b"test.pypi.org"));
    formed.then_some(Confidence::High)
}
