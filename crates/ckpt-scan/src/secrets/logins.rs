//! Logins in the forms of configuration files and HTTP: `.netrc`, docker's `config.json`, `Authorization`.

use data_encoding::BASE64_NOPAD;

use super::rule::{Confidence, Rule};
use super::scanner::holds_secret;
use super::value::{base64, is_example_host, is_placeholder, looks_random};
use super::view::{Find, View};

/// Bytes of an entry of a `.netrc`.
const NETRC: usize = 512;

/// Bytes before `"auth"` in which `"auths"` is sought.
const DOCKER: usize = 2 << 10;

/// `machine HOST login USER password PASSWORD`, in any order behind the host.
pub(super) fn netrc(view: &View<'_>, finds: &mut Vec<Find>) {
    if glued(view) {
        return;
    }
    let entry = view.from(view.at());
    let entry = entry.get(..entry.len().min(NETRC)).unwrap_or_default();
    let mut words = Words { text: entry, at: 0 };
    words.next();
    let Some((host, _)) = words.next() else { return };
    let (mut login, mut password) = (None, None);
    while let Some((key, _)) = words.next() {
        let value = match key {
            b"login" => &mut login,
            b"password" => &mut password,
            b"account" => {
                words.next();
                continue;
            }
            _ => break,
        };
        *value = words.next();
    }
    let (Some((login, _)), Some((secret, at))) = (login, password) else { return };
    let named = host.contains(&b'.') || host == b"localhost";
    if !named || !host.iter().all(u8::is_ascii_graphic) || is_placeholder(secret) {
        return;
    }
    let confidence = if is_example_host(host) { Confidence::Low } else { Confidence::High };
    let start = view.at().saturating_add(at);
    let find = Find::new(Rule::Netrc, confidence, start..start.saturating_add(secret.len()));
    finds.push(find.detail(format!("{} at {}", ascii(login), ascii(host))));
}

/// Whether the anchor is the end of a longer word.
fn glued(view: &View<'_>) -> bool {
    view.before(view.at(), 1)
        .first()
        .is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// Words between blanks, with their offsets. A byte that is no text ends them.
struct Words<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Words<'a> {
    fn next(&mut self) -> Option<(&'a [u8], usize)> {
        let rest = self.text.get(self.at..)?;
        let blank = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let start = self.at.saturating_add(blank);
        let rest = self.text.get(start..)?;
        let len = rest.iter().take_while(|byte| byte.is_ascii_graphic()).count();
        self.at = start.saturating_add(len);
        let word = rest.get(..len)?;
        (!word.is_empty()).then_some((word, start))
    }
}

/// `"auth": "…"` of docker's `config.json`: user and password in base 64.
pub(super) fn docker(view: &View<'_>, finds: &mut Vec<Find>) {
    let name = view.at().saturating_add("\"auth".len());
    let Some(start) = view.value_behind(name) else { return };
    let letters = view.run(start, 4097, base64);
    let Some((user, password)) = pair(view.bytes(letters.clone())) else { return };
    if is_placeholder(&password) {
        return;
    }
    let before = view.before(view.at(), DOCKER);
    let listed = memchr::memmem::find(before, b"\"auths").is_some();
    let confidence = if listed { Confidence::High } else { Confidence::Medium };
    finds.push(
        Find::new(Rule::DockerAuth, confidence, letters).detail(format!("user {}", ascii(&user))),
    );
}

/// `Authorization: Basic …`
pub(super) fn basic(view: &View<'_>, finds: &mut Vec<Find>) {
    let start = view.at().saturating_add("Basic ".len());
    let letters = view.run(start, 4097, base64);
    if !is_authorization(view) {
        return;
    }
    let Some((user, password)) = pair(view.bytes(letters.clone())) else { return };
    if !is_placeholder(&password) {
        let find = Find::new(Rule::BasicAuth, Confidence::High, letters);
        finds.push(find.detail(format!("user {}", ascii(&user))));
    }
}

/// `Authorization: Bearer …`, where the token is none that has a rule of its own.
pub(super) fn bearer(view: &View<'_>, finds: &mut Vec<Find>) {
    let start = view.at().saturating_add("Bearer ".len());
    let letter = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
    };
    let range = view.run(start, 4097, letter);
    let token = view.bytes(range.clone());
    let fits = (16..=4096).contains(&token.len());
    if fits
        && is_authorization(view)
        && looks_random(token)
        && !is_placeholder(token)
        && !holds_secret(token)
    {
        finds.push(Find::new(Rule::BearerToken, Confidence::Medium, range));
    }
}

/// Whether a header or a field of that name is set here.
fn is_authorization(view: &View<'_>) -> bool {
    let before = view.before(view.at(), 24).to_ascii_lowercase();
    let Some(at) = memchr::memmem::rfind(&before, b"authorization") else { return false };
    let between = before.get(at.saturating_add(b"authorization".len())..).unwrap_or_default();
    between.iter().all(|byte| matches!(*byte, b' ' | b'\t' | b':' | b'=' | b'"' | b'\'' | b'\\'))
        && between.iter().any(|byte| matches!(*byte, b':' | b'='))
}

/// User and password of `user:password` in base 64, where both are text.
fn pair(letters: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    if !(8..=4096).contains(&letters.len()) {
        return None;
    }
    let decoded = BASE64_NOPAD.decode(letters).ok()?;
    let text = std::str::from_utf8(&decoded).ok()?;
    let (user, password) = text.split_once(':')?;
    let plain = |text: &str| !text.is_empty() && !text.chars().any(char::is_control);
    (plain(user) && plain(password))
        .then(|| (user.as_bytes().to_vec(), password.as_bytes().to_vec()))
}

fn ascii(bytes: &[u8]) -> String {
    bytes.iter().take(80).map(|byte| char::from(*byte)).filter(char::is_ascii_graphic).collect()
}
