//! Secrets that rules know, and those that stand behind names of secrets.
//!
//! What is redacted keeps its length and the beginning of its hash, so that two places with the same secret can be told, and
//! a secret that is known can be recognised.

use std::borrow::Cow;
use std::sync::LazyLock;

use ckpt_scan::secrets::SecretScanner;
use data_encoding::HEXLOWER;
use regex::{Captures, Regex};
use sha2::{Digest, Sha256};

/// What stands in place of a secret.
pub(super) fn redacted(secret: &str) -> String {
    let hash = HEXLOWER.encode(&Sha256::digest(secret.as_bytes()));
    let hash = hash.get(..8).unwrap_or(&hash);
    format!("[redacted: {} bytes, sha256 {hash}…]", secret.len())
}

/// Parts of names that make any name one of a secret.
const PARTS: [&str; 11] = [
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "SECRET",
    "TOKEN",
    "CREDENTIAL",
    "APIKEY",
    "API_KEY",
    "ACCESS_KEY",
    "PRIVATE_KEY",
    "AUTHORIZATION",
];

/// Whole words that do, where they are the last of several.
const LAST_WORDS: [&str; 8] = ["PASS", "PWD", "PW", "KEY", "PSK", "COOKIE", "JWT", "AUTH"];

/// Ends of names of what tells where a secret is, or how long, and is none.
const ENDS: [&str; 11] =
    ["FILE", "PATH", "DIR", "URL", "URI", "NAME", "ID", "LENGTH", "SIZE", "TTL", "ENABLED"];

/// Whether a variable, option or key of that name holds a secret.
pub(super) fn is_secret_name(name: &str) -> bool {
    let name = name.get(..name.floor_char_boundary(256)).unwrap_or_default();
    let name = name.to_ascii_uppercase().replace(['-', '.'], "_");
    let mut words = name.split('_').filter(|word| !word.is_empty());
    let last = words.next_back().unwrap_or_default();
    if ENDS.contains(&last) {
        // An access key's id is known to be half of a pair.
        return name.contains("ACCESS_KEY");
    }
    let several = words.next().is_some();
    PARTS.iter().any(|part| name.contains(part))
        || (several && LAST_WORDS.contains(&last))
        || matches!(last, "PASS" | "JWT")
}

/// Options that take a user with a password: `-u user:password`.
const USER_OPTIONS: [&str; 3] = ["-u", "--user", "--proxy-user"];

/// Programs that take a password right behind `-p`.
const SHORT_PASSWORD: [&str; 6] =
    ["mysql", "mysqldump", "mysqladmin", "mariadb", "mariadb-dump", "sshpass"];

/// The arguments of a program with the secrets among them redacted.
pub(super) fn arguments<'a, T: AsRef<str>>(
    secrets: &SecretScanner,
    argv: &'a [T],
) -> Vec<Cow<'a, str>> {
    let program = argv.first().map(AsRef::as_ref).unwrap_or_default();
    let program = program.rsplit('/').next().unwrap_or(program);
    let mut all = Vec::with_capacity(argv.len());
    let mut before = "";
    for argument in argv.iter().map(AsRef::as_ref) {
        all.push(one(secrets, program, before, argument));
        before = argument;
    }
    all
}

fn one<'a>(
    secrets: &SecretScanner,
    program: &str,
    before: &str,
    argument: &'a str,
) -> Cow<'a, str> {
    let is_option = |text: &str| text.starts_with('-') && !text.contains('=');
    if is_option(before)
        && is_secret_name(before)
        && !argument.starts_with("--")
        && !argument.is_empty()
    {
        return redacted(argument).into();
    }
    if USER_OPTIONS.contains(&before)
        && let Some((user, password)) =
            argument.split_once(':').filter(|(_, password)| !password.is_empty())
    {
        return format!("{user}:{}", redacted(password)).into();
    }
    if SHORT_PASSWORD.contains(&program)
        && let Some(password) = argument.strip_prefix("-p").filter(|password| !password.is_empty())
    {
        return format!("-p{}", redacted(password)).into();
    }
    if let Some((name, value)) = argument.split_once('=')
        && !value.is_empty()
        && !name.contains(char::is_whitespace)
        && is_secret_name(name)
    {
        return format!("{name}={}", redacted(value)).into();
    }
    text(secrets, argument)
}

/// What is redacted in any text: the group of each.
const FORMS: [&str; 6] = [
    // A private key, also where its end is missing.
    r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----([\s\S]+?)(?:-----END|\z)",
    // The password in a URL.
    r#"(?i)\b[a-z][a-z0-9+.-]{1,20}://[^\s/?\#:@"'<>]*:([^\s/?\#@"'<>]+)@"#,
    // Tokens that say themselves what they are.
    r"\b(gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{30,}|glpat-[\w-]{20,}|xox[abeprs]-[\w-]{10,}|[rs]k_(?:live|test)_\w{16,}|eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]+|AIza[\w-]{35}|(?:AKIA|ASIA)[0-9A-Z]{16})",
    // Command lines inside of texts: `mysql -ppassword`, `-u user:password`.
    r"\b(?:mysql|mysqldump|mysqladmin|mariadb|mariadb-dump|sshpass)\b[^\n|;&]{0,200}?\s'?-p([^\s']+)",
    r"\s(?:-u|--user|--proxy-user)[\s=]+[^\s:']{1,100}:([^\s']+)",
    // Headers of HTTP.
    r"(?i)\b(?:bearer|basic)\s+([A-Za-z0-9+/=_.~-]{8,})",
];

/// `NAME=`, `"name": "`, `--name `: the name of a value, and what stands between them.
const NAMED: &str = r#"(?i)([a-z0-9_.-]*(?:pass|pwd|pw|secret|token|credential|key|auth|cookie|jwt|psk)[a-z0-9_.-]*)(\\?["']?\s*[:=]\s*\\?["']?|\s+)"#;

static COMPILED: LazyLock<Vec<Regex>> =
    LazyLock::new(|| FORMS.iter().map(|form| compile(form)).collect());

static COMPILED_NAMED: LazyLock<Regex> = LazyLock::new(|| compile(NAMED));

#[expect(clippy::expect_used, reason = "constants, which the tests compile")]
fn compile(form: &str) -> Regex {
    Regex::new(form).expect("a regular expression")
}

/// A text with the secrets in it redacted.
pub(super) fn text<'a>(secrets: &SecretScanner, text: &'a str) -> Cow<'a, str> {
    let mut text = without_found(secrets, text);
    for form in COMPILED.iter() {
        if let Cow::Owned(changed) = form.replace_all(&text, without_group) {
            text = Cow::Owned(changed);
        }
    }
    match without_named(&text) {
        Some(changed) => Cow::Owned(changed),
        None => text,
    }
}

/// The text without what the rules find in it.
fn without_found<'a>(secrets: &SecretScanner, text: &'a str) -> Cow<'a, str> {
    let mut out = String::new();
    let mut copied = 0;
    for (start, secret) in secrets.in_bytes(text.as_bytes()) {
        let end = start.saturating_add(secret.value().len());
        // One secret may lie in another, and begins after it.
        let (Some(before), Some(value)) = (text.get(copied..start), text.get(start..end)) else {
            continue;
        };
        out.push_str(before);
        out.push_str(&redacted(value));
        copied = end;
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    Cow::Owned(out)
}

fn without_group(found: &Captures<'_>) -> String {
    let (Some(whole), Some(secret)) = (found.get(0), found.get(1)) else { return String::new() };
    let at = |place: usize| place.saturating_sub(whole.start());
    let before = whole.as_str().get(..at(secret.start())).unwrap_or_default();
    let after = whole.as_str().get(at(secret.end())..).unwrap_or_default();
    format!("{before}{}{after}", redacted(secret.as_str()))
}

/// The text without values that stand behind names of secrets; `None` when there are none.
fn without_named(text: &str) -> Option<String> {
    let mut out = String::new();
    let (mut copied, mut place) = (0, 0);
    while let Some(found) = COMPILED_NAMED.captures_at(text, place) {
        let (Some(whole), Some(name), Some(between)) = (found.get(0), found.get(1), found.get(2))
        else {
            break;
        };
        place = whole.end();
        let assigned = between.as_str().contains([':', '=']);
        // Words before others are names only where they are options: `the token was refused` is a sentence.
        if !(assigned || name.as_str().starts_with("--")) || !is_secret_name(name.as_str()) {
            continue;
        }
        let rest = text.get(place..).unwrap_or_default();
        let value = value(rest, between.as_str());
        if is_redacted(value) {
            continue;
        }
        out.push_str(text.get(copied..place).unwrap_or_default());
        out.push_str(&redacted(value));
        place = place.saturating_add(value.len());
        copied = place;
    }
    (copied > 0).then(|| out + text.get(copied..).unwrap_or_default())
}

/// The value that a text begins with: to the quote that it began with, or to the end of the word.
fn value<'a>(text: &'a str, between: &str) -> &'a str {
    let end = match between.chars().next_back().filter(|last| matches!(last, '"' | '\'')) {
        Some(quote) => text.find(quote),
        None => text.find(|letter: char| letter.is_whitespace() || "\"'&,;<>(){}".contains(letter)),
    };
    text.get(..end.unwrap_or(text.len())).unwrap_or_default()
}

/// Whether a value is none, or was redacted for its form already.
fn is_redacted(value: &str) -> bool {
    let scheme = ["bearer", "basic"].iter().any(|scheme| value.eq_ignore_ascii_case(scheme));
    value.is_empty() || value.contains("[redacted:") || scheme || value.starts_with("--")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redact(text: &str) -> String {
        super::text(&SecretScanner::new(), text).into_owned()
    }

    const SECRET: &str = "s3cr3t-Pa55";

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
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "PATH",
            "PWD",
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
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn secrets_in_texts() {
        for text in [
            "postgres://app:s3cr3t-Pa55@db:5432/shop?sslmode=disable",
            "DB_PASSWORD=s3cr3t-Pa55 started",
            "{\"password\": \"s3cr3t-Pa55\", \"user\": \"app\"}",
            "curl --token s3cr3t-Pa55 host",
            "Authorization: Bearer s3cr3t-Pa55",
            "-----BEGIN RSA PRIVATE KEY-----\ns3cr3t-Pa55\n-----END RSA PRIVATE KEY-----",
            "-----BEGIN PRIVATE KEY-----\ns3cr3t-Pa55",
            "secret_key: s3cr3t-Pa55",
            "sh -c 'mysqldump -h db -ps3cr3t-Pa55 shop'",
            "curl -s -u me:s3cr3t-Pa55 host",
            "the token DB_PASSWORD=s3cr3t-Pa55",
            "keyboard: DB_PASSWORD=s3cr3t-Pa55",
            "PWD=/srv?token=s3cr3t-Pa55",
            "{\\\"password\\\":\\\"s3cr3t-Pa55\\\"}",
            "API_KEY='s3cr3t-Pa55, with spaces'",
        ] {
            let shown = redact(text);
            assert!(!shown.contains(SECRET), "{shown}");
            assert!(shown.contains("[redacted: "), "{shown}");
        }
        let token = format!("ghp_{}", "a1".repeat(18));
        assert!(!redact(&format!("x {token} y")).contains(&token));
        for text in [
            "http://db:5432/shop",
            "the token was refused",
            "key=value",
            "/run/secrets/db",
            "PWD=/srv",
            "a@b:c",
            "--password-file /run/secrets/db",
            "ratio: 3",
        ] {
            assert_eq!(redact(text), text);
        }
    }

    #[test]
    fn secrets_in_arguments() {
        for argv in [
            &["app", "--db-password", "s3cr3t-Pa55"][..],
            &["app", "--db-password=s3cr3t-Pa55"],
            &["mysql", "-ps3cr3t-Pa55", "-u", "root"],
            &["/usr/bin/curl", "-u", "me:s3cr3t-Pa55", "http://host/"],
            &["env", "TOKEN=s3cr3t-Pa55", "sh"],
            &["sh", "-c", "psql postgres://app:s3cr3t-Pa55@db/shop"],
        ] {
            let shown = arguments(&SecretScanner::new(), argv).join(" ");
            assert!(!shown.contains(SECRET), "{shown}");
            assert!(shown.contains("[redacted: 11 bytes, sha256 "), "{shown}");
        }
        let plain = ["app", "-p", "8080", "--token-file", "/run/t", "--key", "--verbose", ""];
        assert_eq!(arguments(&SecretScanner::new(), &plain), plain);
    }

    #[test]
    fn it_takes_time_in_proportion() {
        for text in ["key=", "token ", "a:", "Bearer ", "://:", "-----BEGIN PRIVATE KEY-----"] {
            let long = text.repeat((64 << 10) / text.len());
            assert!(redact(&long).len() < 4 << 20);
        }
    }

    #[test]
    fn the_same_secret_is_recognised() {
        assert_eq!(redacted("hunter2"), redacted("hunter2"));
        assert_ne!(redacted("hunter2"), redacted("hunter3"));
        let once = redact("PASSWORD=hunter2");
        assert_eq!(redact(&once), once);
    }
}
