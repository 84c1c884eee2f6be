//! File capabilities: the extended attribute `security.capability`.
//!
//! Source: `include/uapi/linux/capability.h`, `struct vfs_cap_data`, `struct vfs_ns_cap_data`: little-endian words,
//! the first with the revision in its highest byte and the effective flag in bit 0, then permitted and inheritable for
//! each 32 capabilities; revision 3 adds the user id that is root in the namespace of the file.

use std::fmt;

use criu_image::names::capability_names;

const REVISION_1: u32 = 0x0100_0000;
const REVISION_2: u32 = 0x0200_0000;
const REVISION_3: u32 = 0x0300_0000;
const REVISION_MASK: u32 = 0xff00_0000;
const EFFECTIVE: u32 = 1;

/// The capabilities that a file gives to whoever runs it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FileCapabilities {
    /// Permitted, bit N for capability N.
    pub permitted: u64,
    /// Inheritable.
    pub inheritable: u64,
    /// Whether the permitted ones are effective at once.
    pub effective: bool,
    /// The user id that is root for them (revision 3).
    pub root_uid: Option<u32>,
}

impl FileCapabilities {
    /// Reads the attribute; `None` when it is none that a kernel would take.
    #[must_use]
    pub fn parse(attribute: &[u8]) -> Option<Self> {
        let (chunks, rest) = attribute.as_chunks::<4>();
        let words: Vec<u32> = chunks.iter().map(|word| u32::from_le_bytes(*word)).collect();
        let first = *words.first().filter(|_| rest.is_empty())?;
        let pair = |low: u32, high: u32| u64::from(high) << 32 | u64::from(low);
        let (permitted, inheritable, root_uid) = match (first & REVISION_MASK, words.as_slice()) {
            (REVISION_1, [_, p, i]) => (pair(*p, 0), pair(*i, 0), None),
            (REVISION_2, [_, p0, i0, p1, i1]) => (pair(*p0, *p1), pair(*i0, *i1), None),
            (REVISION_3, [_, p0, i0, p1, i1, root]) => {
                (pair(*p0, *p1), pair(*i0, *i1), Some(*root))
            }
            _ => return None,
        };
        Some(Self { permitted, inheritable, effective: first & EFFECTIVE != 0, root_uid })
    }
}

/// As `getcap` shows them: `cap_net_raw=ep`; of several sets each is told by itself.
impl fmt::Display for FileCapabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let both = self.permitted & self.inheritable;
        let sets = [
            (both, if self.effective { "eip" } else { "ip" }),
            (self.permitted & !both, if self.effective { "ep" } else { "p" }),
            (self.inheritable & !both, if self.effective { "ei" } else { "i" }),
        ];
        let mut first = true;
        for (set, flags) in sets.into_iter().filter(|(set, _)| *set != 0) {
            if !first {
                f.write_str(" ")?;
            }
            first = false;
            write!(f, "{}={flags}", names(set))?;
        }
        if first {
            f.write_str("=")?;
        }
        match self.root_uid {
            Some(uid) if uid != 0 => write!(f, " [rootid={uid}]"),
            _ => Ok(()),
        }
    }
}

fn names(set: u64) -> String {
    let words = [set & u64::from(u32::MAX), set >> 32].map(|word| u32::try_from(word).unwrap_or(0));
    let (known, unknown) = capability_names(&words);
    let known = known.into_iter().map(str::to_ascii_lowercase);
    known.chain(unknown.into_iter().map(|bit| bit.to_string())).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    fn shown(words: &[u32]) -> Option<String> {
        FileCapabilities::parse(&attribute(words)).map(|caps| caps.to_string())
    }

    #[test]
    fn as_getcap_shows_them() {
        assert_eq!(shown(&[0x0200_0001, 1 << 13, 0, 0, 0]).as_deref(), Some("cap_net_raw=ep"));
        assert_eq!(
            shown(&[0x0200_0000, 0x2400, 0x2000, 0, 0]).as_deref(),
            Some("cap_net_raw=ip cap_net_bind_service=p")
        );
        assert_eq!(
            shown(&[0x0300_0001, 0, 0, 1 << 8, 0, 1000]).as_deref(),
            Some("cap_checkpoint_restore=ep [rootid=1000]")
        );
        assert_eq!(shown(&[0x0100_0000, 1, 0]).as_deref(), Some("cap_chown=p"));
        assert_eq!(shown(&[0x0200_0000, 0, 0, 0, 0]).as_deref(), Some("="));
        assert_eq!(shown(&[0x0200_0001, 0, 0, 1 << 31, 0]).as_deref(), Some("63=ep"));
    }

    #[test]
    fn what_no_kernel_takes_is_none() {
        assert_eq!(shown(&[]), None);
        assert_eq!(shown(&[0x0200_0001, 1, 0]), None);
        assert_eq!(shown(&[0x0900_0001, 1, 0, 0, 0]), None);
        assert_eq!(FileCapabilities::parse(&[1, 0, 0, 2, 0]), None);
    }
}
