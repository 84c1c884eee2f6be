//! Names as the evidence gives them: normalised for looking up, judged, and escaped for messages.

use std::fmt;

/// What makes a member name dangerous to whoever extracts it. Here it is only told: nothing is ever extracted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum NameRisk {
    /// The name begins with `/`.
    Absolute,
    /// The name has a `..` component.
    Parent,
    /// The name holds a NUL byte, behind which most tools see nothing.
    Nul,
}

impl fmt::Display for NameRisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NameRisk::Absolute => "absolute name",
            NameRisk::Parent => "name with a .. component",
            NameRisk::Nul => "name with a NUL byte",
        })
    }
}

/// Gives `raw` without leading `/` and `./`, without trailing `/`, and without `.` and empty components.
///
/// `..` is kept as it is, so that a name never changes its meaning; the risk is told beside it (the gravest, if several).
///
/// ```
/// use ckpt_archive::{NameRisk, normalise};
/// assert_eq!(normalise(b"./a//b/"), (b"a/b".to_vec(), None));
/// assert_eq!(normalise(b"/../x"), (b"../x".to_vec(), Some(NameRisk::Parent)));
/// ```
pub fn normalise(raw: &[u8]) -> (Vec<u8>, Option<NameRisk>) {
    let mut path = Vec::with_capacity(raw.len());
    let mut risk = None;
    for component in raw.split(|byte| *byte == b'/') {
        if component.is_empty() || component == b"." {
            continue;
        }
        if component == b".." {
            risk = Some(NameRisk::Parent);
        }
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(component);
    }
    if raw.contains(&0) {
        risk = Some(NameRisk::Nul);
    }
    if risk.is_none() && raw.first() == Some(&b'/') {
        risk = Some(NameRisk::Absolute);
    }
    path.shrink_to_fit();
    (path, risk)
}

/// Where a symlink at the normalised `path` points to, worked out on the names alone: nothing is looked up.
///
/// `None` when the target is absolute or climbs out of the evidence.
///
/// ```
/// use ckpt_archive::resolve_link;
/// assert_eq!(resolve_link(b"checkpoint/parent", b"../pre-checkpoint"), Some(b"pre-checkpoint".to_vec()));
/// assert_eq!(resolve_link(b"a", b"../b"), None);
/// ```
pub fn resolve_link(path: &[u8], target: &[u8]) -> Option<Vec<u8>> {
    if target.first() == Some(&b'/') {
        return None;
    }
    let mut components: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
    components.pop();
    for component in target.split(|byte| *byte == b'/') {
        match component {
            b"" | b"." => {}
            b".." => {
                components.pop().filter(|last| *last != b"..")?;
            }
            other => components.push(other),
        }
    }
    Some(components.join(&b'/'))
}

/// Shows bytes of the evidence in a message: text as it is, control characters and bytes that are not UTF-8 as `\xNN`.
#[derive(Debug, Clone, Copy)]
pub struct Escaped<'a>(pub &'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                match character {
                    '\\' => f.write_str("\\\\")?,
                    c if c.is_ascii_control() => write!(f, "\\x{:02x}", u32::from(c))?,
                    // C1 controls, and marks that reorder text on a terminal.
                    c if c.is_control() || is_bidi(c) => write!(f, "\\u{{{:x}}}", u32::from(c))?,
                    c => write!(f, "{c}")?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

fn is_bidi(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_normalised_and_judged() {
        let cases: [(&[u8], &[u8], Option<NameRisk>); 8] = [
            (b"a", b"a", None),
            (b"./", b"", None),
            (b"./a/./b//c/", b"a/b/c", None),
            (b"/etc/passwd", b"etc/passwd", Some(NameRisk::Absolute)),
            (b"a/../b", b"a/../b", Some(NameRisk::Parent)),
            (b"/..", b"..", Some(NameRisk::Parent)),
            (b"a\0b", b"a\0b", Some(NameRisk::Nul)),
            (b"..a", b"..a", None),
        ];
        for (raw, path, risk) in cases {
            assert_eq!(normalise(raw), (path.to_vec(), risk), "{}", Escaped(raw));
        }
    }

    #[test]
    fn links_resolve_inside_only() {
        assert_eq!(resolve_link(b"3/parent", b"../2"), Some(b"2".to_vec()));
        assert_eq!(resolve_link(b"a/b/c", b"./d"), Some(b"a/b/d".to_vec()));
        assert_eq!(resolve_link(b"a", b".."), None);
        assert_eq!(resolve_link(b"../a/b", b"../../c"), None);
        assert_eq!(resolve_link(b"a", b"/etc"), None);
    }

    #[test]
    fn terminal_controls_are_escaped() {
        assert_eq!(Escaped(b"a\x1b[2J\xff\\").to_string(), "a\\x1b[2J\\xff\\\\");
        assert_eq!(Escaped("\u{202e}gnp".as_bytes()).to_string(), "\\u{202e}gnp");
    }
}
