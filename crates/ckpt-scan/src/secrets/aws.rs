//! AWS: access key ids and the secrets that belong to them.

use std::ops::Range;

use super::rule::{Confidence, Rule};
use super::value::{alnum, base64, entropy, is_placeholder};
use super::view::{Find, SPREAD, View};

/// Bytes on either side of an access key id in which its secret is sought.
const NEAR: usize = SPREAD / 2;

/// Letters of an access key id, and of a secret.
const ID: usize = 20;
const SECRET: usize = 40;

/// The pair of the documentation.
const DOCUMENTED: &[u8] = b"AKIAIOSFODNN7EXAMPLE";

/// `AKIA…` and `ASIA…`: 16 digits of base 32 behind, and its secret where it stands near.
pub(super) fn key_id(view: &View<'_>, finds: &mut Vec<Find>) {
    let range = view
        .run(view.at(), ID + 1, |byte| byte.is_ascii_uppercase() || (b'2'..=b'7').contains(&byte));
    if range.len() != ID || !view.stands_alone(&range, |byte| base64(byte) || byte == b'_') {
        return;
    }
    let id = view.bytes(range.clone());
    if entropy(id) < 2.5 {
        return;
    }
    let secret = nearest_secret(view, &range);
    let before = view.before(range.start, 48).to_ascii_lowercase();
    let named = ["aws", "access_key", "accesskey", "access-key", "key_id", "keyid"];
    let named = named.iter().any(|name| memchr::memmem::find(&before, name.as_bytes()).is_some());
    let confidence = match (&secret, named) {
        _ if id == DOCUMENTED => Confidence::Low,
        (Some(_), _) | (_, true) => Confidence::High,
        _ => Confidence::Medium,
    };
    let kind = if id.starts_with(b"ASIA") { "temporary" } else { "long-term" };
    finds.push(Find::new(Rule::AwsAccessKey, confidence, range).detail(kind));
    if let Some(secret) = secret {
        let least = if id == DOCUMENTED { Confidence::Low } else { Confidence::High };
        finds.push(secret_find(view, secret, least));
    }
}

/// `aws_secret_access_key`, `SecretAccessKey`: the value behind it.
pub(super) fn secret_by_name(view: &View<'_>, finds: &mut Vec<Find>) {
    let name = view.run(view.at(), 48, |byte| alnum(byte) || byte == b'_');
    let Some(start) = view.value_behind(name.end) else { return };
    let range = view.run(start, SECRET + 1, base64);
    if is_secret(view, &range) {
        finds.push(secret_find(view, range, Confidence::High));
    }
}

fn secret_find(view: &View<'_>, range: Range<usize>, confidence: Confidence) -> Find {
    let id = view.bytes(range.clone());
    let confidence =
        if id.ends_with(b"/bPxRfiCYEXAMPLEKEY") && id.starts_with(b"wJalrXUtnFEMI/K7MDENG") {
            // The secret that every manual shows; somebody may use it all the same.
            confidence.min(Confidence::Medium)
        } else {
            confidence
        };
    Find::new(Rule::AwsSecretKey, confidence, range)
}

/// The token of 40 letters that is nearest to an id.
fn nearest_secret(view: &View<'_>, id: &Range<usize>) -> Option<Range<usize>> {
    let start = id.start.saturating_sub(NEAR);
    let end = id.end.saturating_add(NEAR).min(view.all().len());
    let mut nearest: Option<(usize, Range<usize>)> = None;
    let mut at = start;
    while at < end {
        let run = view.run(at, 2 * NEAR, base64);
        // One that began before what is looked at shows only its end.
        if run.len() == SECRET && is_secret(view, &run) {
            let far = id.start.abs_diff(run.start);
            if nearest.as_ref().is_none_or(|(least, _)| far < *least) {
                nearest = Some((far, run.clone()));
            }
        }
        at = run.end.saturating_add(1);
    }
    nearest.map(|(_, range)| range)
}

/// 40 letters of base 64 in which all classes are mixed; not a digest in hexadecimal, not a path.
fn is_secret(view: &View<'_>, range: &Range<usize>) -> bool {
    let bytes = view.bytes(range.clone());
    let count = |class: fn(&u8) -> bool| bytes.iter().filter(|byte| class(byte)).count();
    range.len() == SECRET
        && view.stands_alone(range, |byte| base64(byte) || matches!(byte, b'_' | b'-' | b'.'))
        && view.from(range.end).first() != Some(&b'=')
        && count(u8::is_ascii_uppercase) >= 3
        && count(u8::is_ascii_lowercase) >= 3
        && count(u8::is_ascii_digit) >= 1
        && count(|byte| *byte == b'/') <= 5
        && entropy(bytes) >= 4.0
        && !is_placeholder(bytes)
}
