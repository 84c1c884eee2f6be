//! What the dump itself tells: what it missed, what it was kept from, what an earlier one left.

pub(super) mod hindered;
pub(super) mod incomplete;
pub(super) mod missed;
pub(super) mod stale;

use ckpt_model::{Checkpoint, DumpLog};

use super::finding::Seen;

/// Evidence that a line of the log says this, with the place of the line.
fn line(checkpoint: &Checkpoint, log: &DumpLog, what: String, line: &[u8]) -> Seen {
    let member = checkpoint.evidence().get(log.path.as_bytes());
    let content = member.and_then(|member| checkpoint.evidence().content(member).ok());
    let bytes = content.and_then(|content| content.bytes().ok());
    let at = bytes.and_then(|bytes| memchr::memmem::find(&bytes, line));
    let at = at.and_then(|at| u64::try_from(at).ok());
    Seen::new(what).member(log.path.escaped().into_owned()).offset(at)
}
