//! What a value looks like: classes of bytes, entropy, and what stands where a secret would but is none.

/// `A-Z a-z 0-9`
pub(super) fn alnum(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

/// `A-Z a-z 0-9 _ -`: base 64 for URLs, without its filling.
pub(super) fn base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// `A-Z a-z 0-9 + /`: base 64, without its filling.
pub(super) fn base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/'
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
}

/// Bytes of whole groups of base 64: what is left of a text behind its last whole one says nothing.
pub(super) fn groups(text: &[u8]) -> &[u8] {
    let rest = text.len() % 4;
    text.get(..text.len().saturating_sub(rest)).unwrap_or_default()
}

/// Shannon's entropy, bits a byte: 0 for one byte repeated, up to log2 of the length.
pub(super) fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in bytes {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count = count.saturating_add(1);
        }
    }
    let len = f64::from(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    let shares = counts.iter().filter(|count| **count > 0).map(|count| f64::from(*count) / len);
    -shares.map(|share| share * share.log2()).sum::<f64>()
}

/// Whether a token that was drawn at random from a large alphabet could look so.
pub(super) fn looks_random(bytes: &[u8]) -> bool {
    let least = match bytes.len() {
        0..=19 => 2.8,
        20..=31 => 3.2,
        _ => 3.5,
    };
    entropy(bytes) >= least && !counts_up(bytes)
}

/// `abcdefgh…`, `12345678…`: rows that people type. More than half of the bytes are the successor of the one before.
fn counts_up(bytes: &[u8]) -> bool {
    let steps = bytes.windows(2).filter(|pair| match pair {
        [one, next] => one.checked_add(1) == Some(*next),
        _ => false,
    });
    steps.count().saturating_mul(2) > bytes.len()
}

/// Words that stand for a secret in examples and defaults.
const PLACEHOLDERS: [&str; 36] = [
    "password",
    "passwd",
    "pass",
    "pwd",
    "pw",
    "secret",
    "mysecret",
    "mypassword",
    "changeme",
    "change-me",
    "change_me",
    "changeit",
    "example",
    "user",
    "username",
    "token",
    "apikey",
    "api_key",
    "api-key",
    "key",
    "none",
    "null",
    "nil",
    "undefined",
    "true",
    "false",
    "yes",
    "no",
    "todo",
    "redacted",
    "hidden",
    "removed",
    "empty",
    "tiger",
    "dummy",
    "placeholder",
];

/// Whether it is no secret but stands for one: `changeme`, `${DB_PASSWORD}`, `<password>`, `****`, `%s`.
pub(super) fn is_placeholder(value: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(value) else { return false };
    let text = text.trim();
    let mut bytes = text.bytes();
    let first = bytes.next();
    let repeated = first.is_none_or(|first| text.bytes().all(|byte| byte == first));
    let wrapped = [
        ("${", "}"),
        ("$(", ")"),
        ("{{", "}}"),
        ("{", "}"),
        ("<", ">"),
        ("[", "]"),
        ("%(", "s"),
        ("%", "%"),
    ]
    .iter()
    .any(|(open, close)| text.starts_with(open) && text.ends_with(close));
    let variable = text.strip_prefix('$').is_some_and(|name| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
    });
    let formatted = matches!(text, "%s" | "%v" | "%d" | "%q" | "%p" | "...");
    let lower = text.to_ascii_lowercase();
    let word = PLACEHOLDERS.contains(&lower.as_str());
    let told = ["your", "xxxx", "****", "....", "<your", "changeme", "placeholder", "redacted"];
    repeated
        || wrapped
        || variable
        || formatted
        || word
        || told.iter().any(|mark| lower.contains(mark))
}

/// Hosts that documentation names.
pub(super) fn is_example_host(host: &[u8]) -> bool {
    let lower = host.to_ascii_lowercase();
    let names: [&[u8]; 7] = [b"host", b"hostname", b"server", b"address", b"ip", b"domain", b"url"];
    let ends: [&[u8]; 4] = [b"example.com", b"example.org", b"example.net", b".example"];
    names.contains(&lower.as_slice()) || ends.iter().any(|end| lower.ends_with(end))
}

/// CRC-32 of ISO 3309, as zip, PNG and GitHub have it.
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    };
    !bytes.iter().fold(u32::MAX, step)
}

/// A number in base 62 (`0-9A-Za-z`), six digits, as tokens of GitHub and npm end.
pub(super) fn base62(number: u32) -> [u8; 6] {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut left = number;
    let mut text = [b'0'; 6];
    for place in text.iter_mut().rev() {
        let digit = usize::try_from(left % 62).unwrap_or_default();
        *place = DIGITS.get(digit).copied().unwrap_or(b'0');
        left /= 62;
    }
    text
}
