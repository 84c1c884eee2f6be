//! Whether the numbers of pipes and sockets mean the same in both checkpoints.

use ckpt_model::{Checkpoint, Descriptor, DescriptorType, Text};

use super::identity::Identity;
use super::matching::Matching;

/// What inode numbers of pipes and sockets are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Inodes {
    /// Both dumps are of one run on one kernel: the same number is the same object.
    Kept,
    /// Processes go on, and none of their pipes and sockets has its number still: they were restored in between.
    Renumbered,
    /// Nothing goes on; numbers are of different kernels or runs.
    Unrelated,
}

impl Inodes {
    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Renumbered => "renumbered",
            Self::Unrelated => "unrelated",
        }
    }

    pub(super) fn of(matching: &Matching<'_>, a: &Checkpoint, b: &Checkpoint) -> Self {
        if !matching.continued {
            return Self::Unrelated;
        }
        let (mut kept, mut lost) = (0_usize, 0_usize);
        let same = matching.pairs.iter().filter(|pair| pair.verdict.identity == Identity::Same);
        for pair in same {
            let theirs = b.descriptors();
            for one in a.descriptors().of(pair.a.pid).iter().filter(|one| is_numbered(one)) {
                let other = theirs.get(pair.b.pid, one.fd).filter(|other| other.kind == one.kind);
                match other {
                    Some(other) if other.target == one.target => kept = kept.saturating_add(1),
                    Some(_) => lost = lost.saturating_add(1),
                    None => {}
                }
            }
        }
        // One socket that took the place of another is an everyday thing; all of several at once are not.
        if kept == 0 && lost > 1 { Self::Renumbered } else { Self::Kept }
    }
}

fn is_numbered(descriptor: &Descriptor) -> bool {
    matches!(descriptor.kind, DescriptorType::Pipe | DescriptorType::Socket)
}

/// The target without the number in it: `pipe:[250880]`, `socket:[1]` and `net:[4026531840]` without what is in brackets.
pub(super) fn without_number(target: &Text) -> &[u8] {
    let bytes = target.as_bytes();
    let parts = bytes.strip_suffix(b"]").and_then(|rest| {
        let open = rest.iter().rposition(|byte| *byte == b'[')?;
        Some((rest.get(..open)?, rest.get(open.saturating_add(1)..)?))
    });
    match parts {
        Some((kind, number))
            if kind.ends_with(b":")
                && !kind.starts_with(b"/")
                && number.iter().all(u8::is_ascii_digit) =>
        {
            kind
        }
        _ => bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_left_out() {
        let text = |text: &str| String::from_utf8(without_number(&Text::from(text)).to_vec());
        assert_eq!(text("pipe:[250880]").as_deref(), Ok("pipe:"));
        assert_eq!(text("anon_inode:[eventpoll]").as_deref(), Ok("anon_inode:[eventpoll]"));
        assert_eq!(text("/tmp/x:[7]").as_deref(), Ok("/tmp/x:[7]"));
        assert_eq!(text("]").as_deref(), Ok("]"));
    }
}
