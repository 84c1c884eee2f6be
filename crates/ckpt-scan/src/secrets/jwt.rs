//! JSON Web Tokens, and among them the tokens of Kubernetes service accounts.

use std::ops::Range;

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value};

use super::rule::{Confidence, Rule};
use super::value::base64url;
use super::view::{Find, View};

/// Most bytes of a token.
const LONGEST: usize = 8 << 10;

/// `eyJ…`: header and payload are JSON, and the header names an algorithm.
pub(super) fn check(view: &View<'_>, finds: &mut Vec<Find>) {
    if !begins(view) {
        return;
    }
    let header = view.run(view.at(), LONGEST, base64url);
    let Some(payload) = next(view, &header) else { return };
    let Some(signature) = next(view, &payload) else { return };
    let range = header.start..signature.end;
    if range.len() > LONGEST || view.from(range.end).first() == Some(&b'.') {
        return;
    }
    let (Some(head), Some(claims)) = (object(view, &header), object(view, &payload)) else {
        return;
    };
    let Some(algorithm) = head.get("alg").and_then(Value::as_str) else { return };
    let confidence = if signature.is_empty() { Confidence::Medium } else { Confidence::High };
    finds.push(match account(&claims) {
        Some(account) => Find::new(Rule::KubernetesToken, confidence, range).detail(account),
        None => Find::new(Rule::Jwt, confidence, range).detail(told(algorithm, &claims)),
    });
}

/// Whether what lies before the anchor is not part of the same.
fn begins(view: &View<'_>) -> bool {
    let before = view.before(view.at(), 1);
    !before.first().is_some_and(|byte| base64url(*byte) || *byte == b'.')
}

/// The part behind a full stop.
fn next(view: &View<'_>, part: &Range<usize>) -> Option<Range<usize>> {
    let dot = view.from(part.end).first() == Some(&b'.');
    dot.then(|| view.run(part.end.saturating_add(1), LONGEST, base64url))
}

fn object(view: &View<'_>, part: &Range<usize>) -> Option<Map<String, Value>> {
    let text = view.bytes(part.clone());
    let decoded = BASE64URL_NOPAD.decode(text.get(..text.len().min(LONGEST))?).ok()?;
    match serde_json::from_slice(&decoded).ok()? {
        Value::Object(object) => Some(object),
        _ => None,
    }
}

/// `system:serviceaccount:NAMESPACE:NAME`, in the claims of tokens of both generations.
fn account(claims: &Map<String, Value>) -> Option<String> {
    let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default();
    let issuer = claims.get("iss").and_then(Value::as_str).unwrap_or_default();
    let known = claims.contains_key("kubernetes.io")
        || issuer == "kubernetes/serviceaccount"
        || subject.starts_with("system:serviceaccount:");
    let name = subject.strip_prefix("system:serviceaccount:").unwrap_or(subject);
    known.then(|| format!("service account {}", short(&name.replacen(':', "/", 1))))
}

fn told(algorithm: &str, claims: &Map<String, Value>) -> String {
    let mut told = short(algorithm);
    if let Some(issuer) = claims.get("iss").and_then(Value::as_str) {
        told.push_str(", issued by ");
        told.push_str(&short(issuer));
    }
    told
}

/// Of text that the evidence gives so much as a line can hold.
fn short(text: &str) -> String {
    text.chars().take(80).collect()
}
