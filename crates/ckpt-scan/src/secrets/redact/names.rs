//! Names whose value is a secret.

/// How much a name says of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weight {
    /// It is a secret whatever it looks like.
    Strong,
    /// It is one unless it is a path: `PWD`, `SSL_KEY`, `COOKIE`.
    Weak,
}

/// Parts of names that make any name one of a secret.
const PARTS: [&str; 12] = [
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "PASSCODE",
    "SECRET",
    "CREDENTIAL",
    "APIKEY",
    "API_KEY",
    "ACCESS_KEY",
    "PRIVATE_KEY",
    "AUTHORIZATION",
    "CONNECTION_STRING",
];

/// Ends of words that do.
const WORD_ENDS: [&str; 3] = ["TOKEN", "TOKENS", "JWT"];

/// Whole words that do, alone too.
const WORDS: [&str; 14] = [
    "PASS",
    "MASTERAUTH",
    "ROOTPW",
    "BINDPW",
    "DBPW",
    "DBPWD",
    "USERPW",
    "SECRETKEY",
    "ACCESSKEY",
    "ACCOUNTKEY",
    "PRIVATEKEY",
    "ENCRYPTIONKEY",
    "SIGNINGKEY",
    "AUTHKEY",
];

/// Whole words that do where they are the last of several.
const LAST_WORDS: [&str; 7] = ["PWD", "PW", "KEY", "PSK", "COOKIE", "AUTH", "SESSION"];

/// Those that do alone.
const ALONE: [&str; 3] = ["PWD", "COOKIE", "PSK"];

/// Words that end as one of a secret does, and are none.
const NO_PASS: [&str; 7] =
    ["BYPASS", "COMPASS", "TRESPASS", "SURPASS", "OVERPASS", "UNDERPASS", "MULTIPASS"];

/// What keys are that are no secret.
const PUBLIC_KEYS: [&str; 10] = [
    "PUBLIC",
    "HOST",
    "KNOWN",
    "SORT",
    "PRIMARY",
    "FOREIGN",
    "CACHE",
    "PARTITION",
    "REGISTRY",
    "AUTHORIZED",
];

/// Ends of names of what tells where a secret is, or how long, and is none.
const ENDS: [&str; 16] = [
    "FILE", "PATH", "DIR", "URL", "URI", "NAME", "ID", "LENGTH", "SIZE", "TTL", "ENABLED", "TYPE",
    "POLICY", "EXPIRY", "TIMEOUT", "COUNT",
];

/// Bytes of a name that are looked at.
const LONGEST: usize = 256;

/// Whether a variable, option or key of that name holds a secret, if its value looks like one.
fn weight(name: &str) -> Option<Weight> {
    let name = name.get(..name.floor_char_boundary(LONGEST)).unwrap_or_default();
    let whole = name.to_ascii_uppercase().replace(['-', '.'], "_");
    let split = words_of(name);
    let words: Vec<&str> = split.split('_').filter(|word| !word.is_empty()).collect();
    let (last, before) = words.split_last()?;
    if ENDS.contains(last) {
        // An access key's id is known to be half of a pair.
        return whole.contains("ACCESS_KEY").then_some(Weight::Strong);
    }
    if matches!(whole.trim_matches('_'), "OLDPWD") {
        return None;
    }
    if PARTS.iter().any(|part| whole.contains(part) || split.contains(part)) {
        return Some(Weight::Strong);
    }
    let is_word = |word: &&str| {
        WORDS.contains(word)
            || WORD_ENDS.iter().any(|end| word.ends_with(end))
            || (word.ends_with("PASS") && !NO_PASS.contains(word))
    };
    let joined = whole.rsplit('_').find(|word| !word.is_empty()).unwrap_or_default();
    if is_word(last) || is_word(&joined) {
        return Some(Weight::Strong);
    }
    if WORD_ENDS.iter().any(|end| before.iter().any(|word| word.ends_with(end))) {
        return Some(Weight::Weak);
    }
    let public = *last == "KEY" && before.iter().any(|word| PUBLIC_KEYS.contains(word));
    let listed = if before.is_empty() { &ALONE[..] } else { &LAST_WORDS };
    (listed.contains(last) && !public).then_some(Weight::Weak)
}

/// The words of a name in capitals, joined by `_`: `AccountKey` is two.
fn words_of(name: &str) -> String {
    let mut out = String::with_capacity(name.len().saturating_add(8));
    let mut lower = false;
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && lower {
            out.push('_');
        }
        lower = letter.is_ascii_lowercase() || letter.is_ascii_digit();
        out.push(if matches!(letter, '-' | '.') { '_' } else { letter.to_ascii_uppercase() });
    }
    out
}

/// Whether the value of a variable, option or key is a secret for its name.
pub(in crate::secrets) fn is_secret(name: &str, value: &str) -> bool {
    match weight(name) {
        Some(_) if says_nothing(value) => false,
        Some(Weight::Strong) => true,
        Some(Weight::Weak) => !is_path(value) && !is_small(value),
        None => false,
    }
}

/// Whether an option of that name takes a secret.
pub(super) fn is_option(name: &str) -> bool {
    name.starts_with('-') && !name.contains('=') && weight(name).is_some()
}

/// What says whether there is one, or that there is none.
fn says_nothing(value: &str) -> bool {
    let words = ["true", "false", "yes", "no", "none", "null"];
    value.is_empty() || words.iter().any(|word| value.eq_ignore_ascii_case(word))
}

fn is_path(value: &str) -> bool {
    let drive = value.as_bytes().get(1..3) == Some(b":\\");
    ["/", "./", "../", "~", "\\\\", "file:"].iter().any(|start| value.starts_with(start)) || drive
}

/// A small number counts something.
fn is_small(value: &str) -> bool {
    value.len() < 6 && value.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_and_others() {
        for name in [
            "PASSWORD",
            "POSTGRES_PASSWORD",
            "db.password",
            "--api-key",
            "LOOP_TOKEN",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_ACCESS_KEY_ID",
            "MYSQL_PWD",
            "REDIS_PASS",
            "SECRET_KEY",
            "PASS",
            "SIGNING_KEY",
            "--requirepass",
            "--masterauth",
            "AccountKey",
            "SharedAccessKey",
            "secretAccessKey",
            "authToken",
            "COOKIE",
            "pwd",
            "passphrase",
            "--passwd",
            "userPass",
        ] {
            assert!(is_secret(name, "s3cr3t"), "{name}");
        }
        for name in [
            "PATH",
            "OLDPWD",
            "HOME",
            "KEY",
            "POSTGRES_PASSWORD_FILE",
            "TOKEN_URL",
            "KEYBOARD",
            "PASSENGERS",
            "TOKEN_TTL",
            "",
            "_",
            "SSH_AUTH_SOCK",
            "GPG_KEY_ID",
            "BYPASS",
            "authorized_keys",
            "publicKey",
            "ssh_host_key",
            "monkey",
        ] {
            assert!(!is_secret(name, "s3cr3t"), "{name}");
        }
        for (name, value) in [
            ("PWD", "/srv"),
            ("OLDPWD", "/"),
            ("TLS_KEY", "/etc/tls/key.pem"),
            ("PASSWORD", ""),
            ("using_password", "YES"),
            ("TOKEN_LIMIT", "4096"),
        ] {
            assert!(!is_secret(name, value), "{name}={value}");
        }
    }
}
