//! Passwords in URLs: of databases, of brokers, of anything.

use std::ops::Range;

use super::rule::{Confidence, Rule};
use super::value::{is_example_host, is_placeholder};
use super::view::{Find, SPREAD, View};

/// Most bytes of a URL.
const LONGEST: usize = 2 << 10;

/// Schemes of what keeps or passes on data.
const DATABASES: [&str; 20] = [
    "postgres",
    "postgresql",
    "mysql",
    "mariadb",
    "mongodb",
    "redis",
    "rediss",
    "valkey",
    "amqp",
    "amqps",
    "mssql",
    "sqlserver",
    "oracle",
    "clickhouse",
    "cassandra",
    "couchdb",
    "ldap",
    "ldaps",
    "nats",
    "kafka",
];

/// Others in which a password can stand.
const OTHERS: [&str; 9] = ["http", "https", "ftp", "ftps", "sftp", "ssh", "smtp", "smtps", "imaps"];

/// Logins that programs come with, or that manuals show.
const DEFAULTS: [(&[u8], &[u8]); 4] =
    [(b"guest", b"guest"), (b"scott", b"tiger"), (b"user", b"pass"), (b"user", b"password")];

/// `SCHEME://USER:PASSWORD@HOST`, and `jdbc:SCHEME://HOST?password=…`; the secret is the password.
pub(super) fn check(view: &View<'_>, finds: &mut Vec<Find>) {
    let letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(*byte, b'+' | b'.' | b'-');
    let before = view.before(view.at(), 32);
    let len = before.iter().rev().take_while(|byte| letter(byte)).count();
    let scheme = before.get(before.len().saturating_sub(len)..).unwrap_or_default();
    let Ok(scheme) = std::str::from_utf8(scheme) else { return };
    let scheme = scheme.to_ascii_lowercase();
    let base = scheme.split('+').next().unwrap_or_default();
    let Some((base, is_database)) = known(base) else { return };
    let start = view.at().saturating_add("://".len());
    let all = view.run(start, LONGEST, url);
    let text = view.bytes(all.clone());
    let authority = text.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#'));
    // A password may have slashes in it that somebody forgot to encode; an `@` behind the first slash is a path's.
    let authority = authority.map_or(text, |end| text.get(..end).unwrap_or_default());
    let rule = if is_database { Rule::DatabaseUrl } else { Rule::UrlPassword };
    let found = match memchr::memrchr(b'@', authority) {
        Some(at) => login(authority, at),
        None if is_database => parameter(text, authority),
        None => None,
    };
    let Some(Login { user, password, host }) = found else { return };
    // A secret begins near its anchor, wherever memory is cut.
    if password.start >= SPREAD / 2 {
        return;
    }
    let secret = text.get(password.clone()).unwrap_or_default();
    if is_placeholder(secret) || !is_host(host) || is_template(secret) {
        return;
    }
    let default = DEFAULTS.contains(&(user, secret)) || user == secret;
    let confidence = if default || is_example_host(host) {
        Confidence::Low
    } else if is_database {
        Confidence::High
    } else {
        Confidence::Medium
    };
    let range = start.saturating_add(password.start)..start.saturating_add(password.end);
    let detail = format!("{base}://{}@{}", ascii(user), ascii(host));
    finds.push(Find::new(rule, confidence, range).detail(detail));
}

/// A scheme in which passwords stand, and whether it is one of a database.
fn known(word: &str) -> Option<(&'static str, bool)> {
    let exactly = |list: &[&'static str]| list.iter().copied().find(|scheme| word == *scheme);
    exactly(&DATABASES)
        .map(|scheme| (scheme, true))
        .or_else(|| exactly(&OTHERS).map(|scheme| (scheme, false)))
}

struct Login<'a> {
    user: &'a [u8],
    /// Offsets behind `://`.
    password: Range<usize>,
    host: &'a [u8],
}

fn login(authority: &[u8], at: usize) -> Option<Login<'_>> {
    let colon = memchr::memchr(b':', authority.get(..at)?)?;
    let password = colon.saturating_add(1)..at;
    let host = authority.get(at.saturating_add(1)..)?;
    Some(Login { user: authority.get(..colon)?, password, host })
}

/// `password=` among the parameters.
fn parameter<'a>(text: &'a [u8], host: &'a [u8]) -> Option<Login<'a>> {
    let value = |name: &[u8]| {
        let at = memchr::memmem::find(text, name)?;
        let separated = at.checked_sub(1).and_then(|at| text.get(at));
        if !matches!(separated, Some(b'?' | b'&' | b';')) {
            return None;
        }
        let start = at.saturating_add(name.len());
        let rest = text.get(start..)?;
        let len = rest.iter().take_while(|byte| !matches!(**byte, b'&' | b';' | b'#')).count();
        Some(start..start.saturating_add(len))
    };
    let password = value(b"password=")?;
    let user = value(b"user=").and_then(|range| text.get(range)).unwrap_or_default();
    let host = host.split(|byte| *byte == b';').next().unwrap_or(host);
    Some(Login { user, password, host })
}

/// Bytes that stand in a URL as people write it.
fn url(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'`' | b'\\')
}

/// Letters of the host, a port and further hosts.
fn is_host(host: &[u8]) -> bool {
    let first = host.first().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'[');
    first
        && host.iter().all(|byte| {
            byte.is_ascii_alphanumeric()
                || matches!(*byte, b'.' | b'-' | b'_' | b':' | b'[' | b']' | b',')
        })
}

/// `{password}`, `$PASSWORD`, `%s`, or a piece of it.
fn is_template(secret: &[u8]) -> bool {
    secret.iter().any(|byte| matches!(*byte, b'{' | b'}' | b'<' | b'>'))
        || secret.starts_with(b"%s")
}

fn ascii(bytes: &[u8]) -> String {
    bytes.iter().take(80).map(|byte| char::from(*byte)).filter(char::is_ascii_graphic).collect()
}
