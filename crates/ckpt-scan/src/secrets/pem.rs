//! Private keys in PEM: of OpenSSL, OpenSSH and PGP; in files, and as a line of JSON with `\n` in it.

use std::ops::Range;

use data_encoding::BASE64_NOPAD;

use super::rule::{Confidence, Rule};
use super::value::{alnum, base64, groups, looks_random};
use super::view::{Find, View};

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";

/// Fewest letters of a body: an Ed25519 key has 64.
const SHORTEST: usize = 40;

/// Most bytes of a key, armour included: RSA with 16384 bits has 13 KiB.
const LONGEST: usize = 15 << 10;

/// Most lines between a key's armour and its body: PGP writes a few. What looks like keys without end has lines without end.
const MOST_HEADERS: usize = 16;

/// Bytes around a key in which the JSON of a service account is sought.
const JSON_WITHIN: usize = 4 << 10;

/// A private key: ranges are offsets from the first dash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// All of it.
    pub(super) end: usize,
    /// Its base 64.
    pub(super) body: Range<usize>,
    pub(super) confidence: Confidence,
    pub(super) detail: String,
}

/// `-----BEGIN … PRIVATE KEY-----`, with a body that is one.
pub(super) fn check(view: &View<'_>, finds: &mut Vec<Find>) {
    let at = view.at();
    let Some(key) = parse(view.from(at)) else { return };
    let range = at..at.saturating_add(key.end);
    let body = at.saturating_add(key.body.start)..at.saturating_add(key.body.end);
    let find = match service_account(view, &range) {
        Some(account) => Find::new(Rule::GcpServiceAccount, key.confidence, range).detail(account),
        None => Find::new(Rule::PrivateKey, key.confidence, range).detail(key.detail),
    };
    finds.push(find.body(body));
}

/// The private key that begins with the first byte.
pub(super) fn parse(bytes: &[u8]) -> Option<Key> {
    let bytes = bytes.get(..bytes.len().min(LONGEST))?;
    let after = bytes.strip_prefix(BEGIN)?;
    let label_len = memchr::memmem::find(after.get(..after.len().min(48))?, DASHES)?;
    let label = std::str::from_utf8(after.get(..label_len)?).ok()?;
    let kind =
        label.strip_suffix("PRIVATE KEY").or_else(|| label.strip_suffix("PRIVATE KEY BLOCK"))?;
    let kind = kind.trim_end();
    if !kind.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b' ') {
        return None;
    }
    let mut at = BEGIN.len().saturating_add(label_len).saturating_add(DASHES.len());
    let mut encrypted = kind == "ENCRYPTED";
    for _ in 0..MOST_HEADERS {
        let Some((header, next)) = header(bytes, at) else { break };
        encrypted |= memchr::memmem::find(header, b"ENCRYPTED").is_some();
        at = next;
    }
    let (letters, body) = letters(bytes, at);
    if letters.len() < SHORTEST {
        return None;
    }
    let closed = bytes.get(body.end..).and_then(closing);
    let end = closed.map_or(body.end, |len| body.end.saturating_add(len));
    let opaque = encrypted && kind != "ENCRYPTED";
    let (state, locked) = examine(&letters, kind, opaque)?;
    encrypted |= locked;
    let name = if kind.is_empty() || kind == "ENCRYPTED" { "PKCS #8" } else { kind };
    let whole = closed.is_some() && state == State::Whole;
    let mut detail = name.to_owned();
    if encrypted {
        detail.push_str(", encrypted");
    }
    match state {
        State::Short { has, of } => detail.push_str(&format!(", incomplete: {has} of {of} bytes")),
        State::Whole if closed.is_none() => detail.push_str(", without its end"),
        State::Unknown if closed.is_none() => return None,
        State::Unknown => detail.push_str(", body of no known form"),
        State::Whole => {}
    }
    let confidence = if whole { Confidence::High } else { Confidence::Medium };
    Some(Key { end, body, confidence, detail })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Whole,
    Short {
        has: usize,
        of: usize,
    },
    /// In whole armour, but not of a form that is known.
    Unknown,
}

/// A line with a colon, as `Proc-Type: 4,ENCRYPTED`, and where the next one begins.
fn header(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let start = at.saturating_add(breaks(bytes, at));
    let line = bytes.get(start..)?;
    let len = line.iter().take(128).position(|byte| matches!(*byte, b'\n' | b'\r' | b'\\'))?;
    let line = line.get(..len)?;
    line.contains(&b':').then(|| (line, start.saturating_add(len)))
}

/// Bytes of blanks and ends of lines, also of those that are written `\n`.
fn breaks(bytes: &[u8], at: usize) -> usize {
    let mut len = 0_usize;
    loop {
        let rest = bytes.get(at.saturating_add(len)..).unwrap_or_default();
        let slashes = rest.iter().take(4).take_while(|byte| **byte == b'\\').count();
        match rest.get(slashes) {
            Some(b'n' | b'r' | b't') if slashes > 0 => {
                len = len.saturating_add(slashes).saturating_add(1);
            }
            Some(b'\n' | b'\r' | b' ' | b'\t') if slashes == 0 => len = len.saturating_add(1),
            _ => return len,
        }
    }
}

/// The letters of a body: what is the same of a key however its lines are broken.
pub(super) fn material(body: &[u8]) -> Vec<u8> {
    letters(body, 0).0
}

/// The letters of a body without what breaks its lines, and where they lie.
fn letters(bytes: &[u8], at: usize) -> (Vec<u8>, Range<usize>) {
    let start = at.saturating_add(breaks(bytes, at));
    let mut letters = Vec::new();
    let (mut at, mut end) = (start, start);
    while let Some(byte) = bytes.get(at) {
        if base64(*byte) || *byte == b'=' {
            letters.push(*byte);
            at = at.saturating_add(1);
            end = at;
        } else {
            match breaks(bytes, at) {
                0 => break,
                len => at = at.saturating_add(len),
            }
        }
    }
    (letters, start..end)
}

/// Bytes up to the end of the closing line.
fn closing(rest: &[u8]) -> Option<usize> {
    let blank = breaks(rest, 0);
    let line = rest.get(blank..)?;
    let label = line.strip_prefix(END)?;
    let len = memchr::memmem::find(label.get(..label.len().min(48))?, DASHES)?;
    Some(blank.saturating_add(END.len()).saturating_add(len).saturating_add(DASHES.len()))
}

/// What a body is, and whether it says itself that it is encrypted; `None` when it is no key.
fn examine(letters: &[u8], kind: &str, opaque: bool) -> Option<(State, bool)> {
    let filling = letters.iter().rev().take_while(|byte| **byte == b'=').count();
    let mut text = letters.get(..letters.len().saturating_sub(filling))?;
    if kind == "PGP" {
        // The checksum of the armour: `=` and four letters.
        if let Some(at) =
            memchr::memrchr(b'=', text).filter(|at| text.len().saturating_sub(*at) == 5)
        {
            text = text.get(..at)?;
        }
        let trimmed = text.iter().rev().take_while(|byte| **byte == b'=').count();
        text = text.get(..text.len().saturating_sub(trimmed))?;
    }
    let decoded = BASE64_NOPAD.decode(groups(text)).ok()?;
    let rest = text.len() % 4;
    let has = decoded.len().saturating_add(rest.saturating_sub(1));
    match kind {
        "PGP" => {
            // A packet of a secret key: tag 5, in the old form or the new one.
            let first = decoded.first()?;
            (matches!(first, 0x94..=0x97 | 0xc5)).then_some((State::Whole, false))
        }
        "OPENSSH" => {
            let cipher = decoded.strip_prefix(b"openssh-key-v1\0")?;
            let name = cipher.get(4..)?;
            Some((State::Whole, !name.starts_with(b"none\0")))
        }
        // What DEK-Info encrypts is no DER, but whole blocks.
        _ if opaque => has.is_multiple_of(8).then_some((State::Whole, true)),
        _ => {
            let Some(of) = der_length(&decoded) else {
                return looks_random(text).then_some((State::Unknown, false));
            };
            let state = match has.cmp(&of) {
                std::cmp::Ordering::Equal => State::Whole,
                std::cmp::Ordering::Less => State::Short { has, of },
                std::cmp::Ordering::Greater => State::Unknown,
            };
            Some((state, false))
        }
    }
}

/// Bytes of a SEQUENCE with its head. Source: ITU-T X.690, 8.1.
fn der_length(bytes: &[u8]) -> Option<usize> {
    let (head, len) = match bytes {
        [0x30, len @ 0..=0x7f, ..] => (2, usize::from(*len)),
        [0x30, 0x81, len @ 0x80..=0xff, ..] => (3, usize::from(*len)),
        [0x30, 0x82, high @ 1..=0xff, low, ..] => {
            (4, usize::from(u16::from_be_bytes([*high, *low])))
        }
        _ => return None,
    };
    // A key begins with its version.
    let version = bytes.get(head..)?;
    let encrypted = version.first() == Some(&0x30);
    (version.starts_with(&[2, 1]) || encrypted).then(|| usize::saturating_add(len, head))
}

/// The account of the JSON that has the key as its `private_key`.
fn service_account(view: &View<'_>, key: &Range<usize>) -> Option<String> {
    let near = view.before(key.start, 24);
    memchr::memmem::find(near, b"private_key")?;
    let start = key.start.saturating_sub(JSON_WITHIN);
    let end = key.end.saturating_add(JSON_WITHIN).min(view.all().len());
    let json = view.bytes(start..end);
    memchr::memmem::find(json, b"service_account")?;
    let mail = b".gserviceaccount.com";
    let at = memchr::memmem::find(json, mail)?;
    let letter = |byte: &u8| alnum(*byte) || matches!(*byte, b'-' | b'.' | b'@' | b'_');
    let before = json.get(at.saturating_sub(128)..at)?;
    let len = before.iter().rev().take_while(|byte| letter(byte)).count();
    let name = before.get(before.len().saturating_sub(len)..)?;
    let name: String = name.iter().map(|byte| char::from(*byte)).collect();
    Some(format!("{name}.gserviceaccount.com"))
}
