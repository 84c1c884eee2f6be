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
    let Some((base, is_database)) = scheme(view, view.at()) else { return };
    let start = view.at().saturating_add("://".len());
    // A password may have slashes in it that somebody forgot to encode; an `@` behind the first slash is a path's.
    let authority =
        view.run(start, LONGEST, |byte| url(byte) && !matches!(byte, b'/' | b'?' | b'#'));
    let authority = view.bytes(authority);
    let rule = if is_database { Rule::DatabaseUrl } else { Rule::UrlPassword };
    let found = match memchr::memrchr(b'@', authority) {
        Some(at) => login(authority, at),
        None if is_database => parameter(with_parameters(view, start), authority),
        None => None,
    };
    let Some(Login { user, password, host }) = found else { return };
    // A secret begins near its anchor, wherever memory is cut.
    if password.start >= SPREAD / 2 {
        return;
    }
    let range = start.saturating_add(password.start)..start.saturating_add(password.end);
    let secret = view.bytes(range.clone());
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
    let detail = format!("{base}://{}@{}", ascii(user), ascii(host));
    finds.push(Find::new(rule, confidence, range).detail(detail));
}

/// The scheme that stands before `://`.
fn scheme(view: &View<'_>, at: usize) -> Option<(&'static str, bool)> {
    let letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(*byte, b'+' | b'.' | b'-');
    let before = view.before(at, 32);
    let len = before.iter().rev().take_while(|byte| letter(byte)).count();
    let scheme = before.get(before.len().saturating_sub(len)..)?;
    let scheme = std::str::from_utf8(scheme).ok()?.to_ascii_lowercase();
    known(scheme.split('+').next()?)
}

/// The text of the URL of a database that begins at an offset, up to the next one: a text can be beginnings all along, and
/// those behind it look at what follows them.
fn with_parameters<'a>(view: &View<'a>, start: usize) -> &'a [u8] {
    let rest = view.from(start);
    let rest = rest.get(..LONGEST).unwrap_or(rest);
    let mut others = memchr::memmem::find_iter(rest, b"://");
    let next = others.find(|at| {
        scheme(view, start.saturating_add(*at)).is_some_and(|(_, is_database)| is_database)
    });
    let text = next.and_then(|next| rest.get(..next)).unwrap_or(rest);
    let len = text.iter().take_while(|byte| url(**byte)).count();
    text.get(..len).unwrap_or_default()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let mut finds = Vec::new();
        for at in memchr::memmem::find_iter(text.as_bytes(), b"://") {
            let (view, start) = View::of(text.as_bytes(), at);
            let mut here = Vec::new();
            check(&view, &mut here);
            finds.extend(here.into_iter().map(|find| find.range.moved(start).range()));
        }
        finds.into_iter().map(|range| text[range].to_owned()).collect()
    }

    #[test]
    fn passwords_among_parameters() {
        for text in [
            "jdbc:postgresql://db/shop?user=app&password=s3cr3t-Pa55&ssl=true",
            "jdbc:sqlserver://db;next=http://host/x;password=s3cr3t-Pa55",
            "redis://cache/0 mysql://db/shop?password=s3cr3t-Pa55",
            "mysql://db/shop?next=redis://cache/0?x=y&password=s3cr3t-Pa55",
        ] {
            assert_eq!(found(text), ["s3cr3t-Pa55"], "{text}");
        }
    }

    /// What is read of a text that is beginnings of URLs all along is as long as the text.
    #[test]
    fn the_url_of_a_database_ends_where_the_next_one_begins() {
        let text = "redis://".repeat(1000);
        let read = memchr::memmem::find_iter(text.as_bytes(), b"://").map(|at| {
            let (view, _) = View::of(text.as_bytes(), at);
            with_parameters(&view, view.at() + "://".len()).len()
        });
        assert!(read.sum::<usize>() <= text.len());
    }
}
