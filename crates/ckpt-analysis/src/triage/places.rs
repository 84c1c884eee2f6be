//! Paths and what they mean: where everybody may write, where programs of the system are, what is hidden.

use ckpt_model::artifacts::Origin;

use super::written::Written;

/// The name and the directory of an absolute path.
pub(super) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (
            path.get(..at).unwrap_or_default(),
            path.get(at.saturating_add(1)..).unwrap_or_default(),
        ),
        None => (b"", path),
    }
}

/// The rest of a path below a directory, without the slash; `None` when it is not below it.
pub(super) fn below<'a>(path: &'a [u8], directory: &[u8]) -> Option<&'a [u8]> {
    let rest = path.strip_prefix(directory)?.strip_prefix(b"/")?;
    (!rest.is_empty()).then_some(rest)
}

/// Whether a path is below one of these directories.
pub(super) fn within(path: &[u8], directories: &[&[u8]]) -> bool {
    directories.iter().any(|directory| below(path, directory).is_some())
}

/// Whether a path is directly in one of these directories.
pub(super) fn directly(path: &[u8], directories: &[&[u8]]) -> bool {
    let (folder, name) = split(path);
    !name.is_empty() && directories.contains(&folder)
}

/// Directories where every user may write, or that live in memory only.
const SCRATCH: [&[u8]; 7] =
    [b"/tmp", b"/var/tmp", b"/dev/shm", b"/run/shm", b"/run/lock", b"/var/lock", b"/dev/mqueue"];

/// Directories in /tmp that packages make for the sockets of the X window system, and nothing else.
pub(super) const SOCKET_FOLDERS: [&[u8]; 5] =
    [b".X11-unix", b".ICE-unix", b".font-unix", b".XIM-unix", b".Test-unix"];

/// Whether everybody may write there.
pub(super) fn is_scratch(path: &[u8]) -> bool {
    within(path, &SCRATCH)
}

/// Whether a file lies where everybody may write, in memory, or among devices and run-time files.
pub(super) fn is_passing(file: &Written<'_>) -> bool {
    let path = file.path.as_bytes();
    is_scratch(path) || file.in_memory() || within(path, &[b"/dev", b"/run", b"/var/run"])
}

/// Directories whose programs are found by their names alone.
const PROGRAMS: [&[u8]; 4] = [b"/bin", b"/sbin", b"/usr/bin", b"/usr/sbin"];

/// As [`PROGRAMS`], for what the administrator adds.
const LOCAL_PROGRAMS: [&[u8]; 2] = [b"/usr/local/bin", b"/usr/local/sbin"];

/// Directories of libraries that every program finds; those of an architecture are directly below.
const LIBRARIES: [&[u8]; 6] =
    [b"/lib", b"/lib64", b"/lib32", b"/usr/lib", b"/usr/lib64", b"/usr/lib32"];

/// Whether a program there is found by its name.
pub(super) fn is_program_path(path: &[u8]) -> bool {
    directly(path, &PROGRAMS)
}

/// Whether a program there is found by its name, and administrators put programs there.
pub(super) fn is_local_program_path(path: &[u8]) -> bool {
    directly(path, &LOCAL_PROGRAMS)
}

/// Whether a library there is found by its name: in the library directories, or in those of an architecture
/// (`x86_64-linux-gnu`), and those of PAM and NSS.
pub(super) fn is_library_path(path: &[u8]) -> bool {
    let (folder, name) = split(path);
    if name.is_empty() {
        return false;
    }
    let (above, last) = split(folder);
    let of_architecture = last.ends_with(b"-linux-gnu") || last.windows(10).any(is_triplet);
    LIBRARIES.contains(&folder) || (LIBRARIES.contains(&above) && of_architecture)
}

fn is_triplet(window: &[u8]) -> bool {
    window == b"-linux-gnu" || window == b"-linux-mus"
}

/// Why a name is made for not being seen; the strongest reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hiding {
    /// It begins with a dot.
    Dot,
    /// It begins or ends with a blank.
    Blank,
    /// It is nothing but dots, or dots and blanks.
    Dots,
    /// It has characters that do not show, or that turn the text round.
    Invisible,
}

impl Hiding {
    /// What is odd about the name.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Dot => "begins with a dot",
            Self::Blank => "begins or ends with a blank",
            Self::Dots => "is made of dots",
            Self::Invisible => "has characters that do not show",
        }
    }

    /// Whether nobody gives such a name by chance.
    pub(super) fn is_trick(self) -> bool {
        self != Self::Dot
    }
}

/// Judges one name of a path.
pub(super) fn hiding(name: &[u8]) -> Option<Hiding> {
    let dots = name.iter().all(|byte| matches!(byte, b'.' | b' ' | b'\t'));
    if name.is_empty() || name == b"." || name == b".." {
        return None;
    }
    if dots {
        return Some(Hiding::Dots);
    }
    if is_invisible(name) {
        return Some(Hiding::Invisible);
    }
    let blank = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_whitespace);
    if blank(name.first()) || blank(name.last()) {
        return Some(Hiding::Blank);
    }
    name.starts_with(b".").then_some(Hiding::Dot)
}

/// Control characters, and characters of no width or of direction. Bytes that are no text are odd and can be seen.
fn is_invisible(name: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(name) else { return false };
    text.chars().any(|c| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{3164}' | '\u{e0000}'..='\u{e007f}')
    })
}

/// The first hidden part of a path: how it hides, and the path up to it.
pub(super) fn hidden(path: &[u8]) -> Option<(Hiding, &[u8])> {
    let mut from = 0_usize;
    for part in path.split(|byte| *byte == b'/') {
        let end = from.saturating_add(part.len());
        if let Some(hiding) = hiding(part) {
            return Some((hiding, path.get(..end).unwrap_or(path)));
        }
        from = end.saturating_add(1);
    }
    None
}

/// Whether a path has a hidden part where settings of users do not lie: their homes are full of names with a dot.
pub(super) fn is_hidden_away(path: &[u8]) -> bool {
    match hidden(path) {
        Some((Hiding::Dot, up_to)) => !within(up_to, &[b"/root", b"/home"]),
        Some(_) => true,
        None => false,
    }
}

/// The directory of a web server that a path is in, as far as paths tell.
pub(super) fn is_served(path: &[u8]) -> bool {
    const ROOTS: [&[u8]; 8] = [
        b"/var/www",
        b"/srv",
        b"/usr/share/nginx",
        b"/usr/local/nginx",
        b"/usr/local/apache2",
        b"/usr/share/caddy",
        b"/var/lib/tomcat",
        b"/usr/lib/cgi-bin",
    ];
    const PARTS: [&[u8]; 15] = [
        b"htdocs",
        b"public_html",
        b"www",
        b"wwwroot",
        b"webapps",
        b"webroot",
        b"html",
        b"public",
        b"static",
        b"cgi-bin",
        b"uploads",
        b"upload",
        b"wp-content",
        b"wp-includes",
        b"wp-admin",
    ];
    within(path, &ROOTS)
        || split(path).0.split(|byte| *byte == b'/').any(|part| PARTS.contains(&part))
}

/// Whether the first hidden part of a path is a name that Rust's `tempfile` and its like give to anything: `.tmp` and six
/// characters.
pub(super) fn is_of_tempfile(path: &[u8]) -> bool {
    let Some((Hiding::Dot, up_to)) = hidden(path) else { return false };
    let random = split(up_to).1.strip_prefix(b".tmp");
    random.is_some_and(|rest| rest.len() == 6 && rest.iter().all(u8::is_ascii_alphanumeric))
}

/// Whether documents of a web server lie there: where served files lie, but for /srv, which applications share.
pub(super) fn is_document(path: &[u8]) -> bool {
    const APPLICATION: &[u8] = b"/srv";
    let rest = below(path, APPLICATION).and_then(|_| path.strip_prefix(APPLICATION));
    is_served(rest.unwrap_or(path))
}

/// Whether a web server runs what lies there as programs.
pub(super) fn is_cgi(path: &[u8]) -> bool {
    split(path).0.split(|byte| *byte == b'/').any(|part| matches!(part, b"cgi-bin" | b"cgi"))
}

/// Whether users put files there through a web server.
pub(super) fn is_upload(path: &[u8]) -> bool {
    const PARTS: [&[u8]; 10] = [
        b"uploads",
        b"upload",
        b"images",
        b"img",
        b"media",
        b"avatars",
        b"attachments",
        b"files",
        b"cache",
        b"tmp",
    ];
    let (folder, _) = split(path);
    is_served(path) && folder.split(|byte| *byte == b'/').any(|part| PARTS.contains(&part))
}

/// The origin in words for evidence: where a file is that is not in the diff.
pub(super) fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Tmpfs => "in a tmpfs",
        Origin::DevShm => "in shared memory",
        Origin::Volume => "in a volume",
        _ => "in the diff",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_hide() {
        assert_eq!(hiding(b".x"), Some(Hiding::Dot));
        assert_eq!(hiding(b"..."), Some(Hiding::Dots));
        assert_eq!(hiding(b".. "), Some(Hiding::Dots));
        assert_eq!(hiding(b"ls "), Some(Hiding::Blank));
        assert_eq!(hiding("a\u{202e}gpj".as_bytes()), Some(Hiding::Invisible));
        assert_eq!(hiding(b"a\x1b"), Some(Hiding::Invisible));
        assert_eq!(hiding(b"plain.txt"), None);
        assert_eq!(hiding(b".."), None);
        assert_eq!(hidden(b"/tmp/.x/sh"), Some((Hiding::Dot, &b"/tmp/.x"[..])));
        assert!(is_hidden_away(b"/usr/lib/.x/y") && !is_hidden_away(b"/root/.cargo/bin/x"));
    }

    #[test]
    fn places() {
        assert!(is_library_path(b"/usr/lib/x86_64-linux-gnu/libc.so.6"));
        assert!(!is_library_path(b"/usr/lib/python3/x.so"));
        assert!(is_program_path(b"/usr/bin/ls") && !is_program_path(b"/usr/bin/x/ls"));
        assert!(is_scratch(b"/tmp/x") && !is_scratch(b"/tmp") && !is_scratch(b"/tmpx/y"));
        assert!(is_served(b"/var/www/x.php") && is_upload(b"/srv/a/uploads/x.php"));
        assert!(!is_served(b"/usr/lib/python3/x.py"));
        assert!(is_served(b"/srv/app/x.py") && !is_document(b"/srv/app/x.py"));
        assert!(is_document(b"/srv/app/public/x.py") && is_document(b"/var/www/x.pl"));
        assert!(is_of_tempfile(b"/tmp/.tmpA1b2C3/x") && !is_of_tempfile(b"/tmp/.tmp/x"));
        assert!(!is_of_tempfile(b"/tmp/.x/.tmpA1b2C3") && !is_of_tempfile(b"/tmp/.tmpA1b2C34"));
        assert!(is_cgi(b"/usr/lib/cgi-bin/x") && !is_cgi(b"/srv/cgi-bin"));
    }
}
