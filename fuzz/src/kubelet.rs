//! What a kubelet, or whoever answers in its place, says.

use ckpt_kubelet::{Access, Answer, Error, Presented, RuntimeError, Server, Target, manifest};

/// Statuses that mean something.
const STATUSES: [u16; 13] = [200, 302, 400, 401, 403, 404, 405, 406, 500, 502, 503, 504, 201];

/// Most bytes of an error's text, however long the answer.
const LONGEST_TEXT: usize = 24 << 10;

/// The byte that [`answer`] takes for a status.
#[must_use]
pub fn byte_of(status: u16) -> Option<u8> {
    let place = STATUSES.iter().position(|known| *known == status)?;
    u8::try_from(place).ok()
}

/// Judges an answer: a byte picks its status and another one who gives it; then come the headers `Allow` and `Location`, a line
/// each, and the body.
pub fn answer(input: &[u8]) {
    let [status, server, rest @ ..] = input else { return };
    let mut lines = rest.splitn(3, |byte| *byte == b'\n');
    let mut text = || String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let mut answer = Answer::default();
    answer.status =
        STATUSES.get(usize::from(*status)).copied().unwrap_or(100 + 2 * u16::from(*status));
    answer.allow = text();
    answer.location = text();
    answer.body = lines.next().unwrap_or_default().to_vec();
    let server = match server % 3 {
        0 => Server::Kubelet("10.0.0.7:10250".to_owned()),
        1 => Server::Proxied("worker-1".to_owned()),
        _ => Server::ApiServer,
    };
    let target = Target::new("shop", "web-0", "app").expect("names");
    match answer.judge(&server, &target) {
        Ok(paths) => {
            assert!(answer.status == 200 && !paths.is_empty(), "{}: {paths:?}", answer.status);
            paths.iter().for_each(|path| name(&target, path));
        }
        Err(error) => failure(&error, answer.status, &target),
    }
    let error = RuntimeError::decode(&String::from_utf8_lossy(&answer.body));
    assert!(error.log.is_none_or(|log| log.starts_with('/')), "the log is no path");
}

/// A file of this machine is read, and deleted, where a path is taken for that of an archive.
fn name(target: &Target, path: &str) {
    if target.names_archive(path) {
        assert!(path.starts_with('/') && path.ends_with(".tar"), "{path:?}");
        assert!(path.split('/').all(|part| part != ".."), "{path:?} climbs");
        let folder = path.rsplit('/').nth(1);
        assert_eq!(folder, Some("checkpoints"), "{path:?}");
    }
}

/// An error says something and what to do, in bounds; only what froze nothing is asked for again.
fn failure(error: &Error, status: u16, target: &Target) {
    let told = error.to_string();
    assert!(!told.is_empty() && told.len() <= LONGEST_TEXT, "{} bytes", told.len());
    assert!(!error.remedy().is_empty() && !error.word().is_empty());
    assert!(!error.is_transient() || status == 500, "asked again after {status}");
    assert_eq!(error.leftover(target).is_some(), error.may_have_left_archive());
    if let Error::Forbidden(denied) = error {
        let missing = [Access::cluster("create", "nodes", "checkpoint")];
        let lines = |user: &str| manifest("ckpt-inspect", user, &missing).lines().count();
        let plain = ["jane", "system:serviceaccount:a:b"].map(lines);
        assert!(plain.contains(&lines(&denied.user)), "{:?} is more than a name", denied.user);
    }
}

/// Reads a certificate.
pub fn certificate(der: &[u8]) {
    let presented = Presented::of(der);
    let texts = presented.names.iter().chain(&presented.issuer);
    for text in texts {
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }
    assert_eq!(presented.fingerprint.to_string().parse(), Ok(presented.fingerprint));
}
