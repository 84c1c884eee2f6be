//! The one place that maps files: `Bytes` over a mapping, shared and freed with its last slice.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::num::NonZero;
use std::thread;

use bytes::Bytes;
use memmap2::{Mmap, UncheckedAdvice};

/// Maps all of `file` for reading. A file without bytes gives an empty `Bytes`.
///
/// The descriptor may be closed afterwards; the mapping lives as long as any slice of the result.
pub(crate) fn map(file: &File) -> io::Result<Bytes> {
    if file.metadata()?.len() == 0 {
        return Ok(Bytes::new());
    }
    // SAFETY: a mapping is sound while nobody changes or shortens the file beneath it. Of the files mapped here, the spool
    // is unlinked and known to this process alone. Evidence is opened read-only and never written by this project, but
    // another process could do so: bytes that change between two reads would then be seen as such (no code here relies on
    // reading the same value twice for memory safety, every access is bounds-checked against the length at mapping time),
    // and a file that is cut while open ends the process with SIGBUS. That is the same contract that every mapping reader
    // (ripgrep, gdb) has with its users, and evidence that changes while it is examined is no evidence.
    let mapping = unsafe { Mmap::map(file)? };
    Ok(Bytes::from_owner(Mapping(mapping)))
}

/// A mapping that several threads take down, if much of it was looked at: the kernel forgets one page after the other.
struct Mapping(Mmap);

/// Pages of files that this process has mapped, from which on this pays.
const MANY: u64 = 32 << 10;

impl AsRef<[u8]> for Mapping {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if mapped_pages().is_none_or(|pages| pages < MANY) {
            return;
        }
        let threads = thread::available_parallelism().map_or(1, NonZero::get).min(8);
        // Whole pages of any size.
        let step = self.0.len().div_ceil(threads).next_multiple_of(1 << 20);
        let mapping = &self.0;
        thread::scope(|scope| {
            for start in (0..mapping.len()).step_by(step) {
                let len = step.min(mapping.len().saturating_sub(start));
                let forget = move || {
                    // SAFETY: what a shared mapping of a file forgets is read from the file when it is asked for again; and
                    // nobody will ask, as this is the end of its last owner.
                    let _ = unsafe {
                        mapping.unchecked_advise_range(UncheckedAdvice::DontNeed, start, len)
                    };
                };
                // Without a thread the pages go when the mapping does.
                let _ = thread::Builder::new().spawn_scoped(scope, forget);
            }
        });
    }
}

/// Pages of files that this process has mapped; `None` where the system does not tell.
///
/// Source: `proc_pid_statm(5)`, the third number.
fn mapped_pages() -> Option<u64> {
    std::fs::read_to_string("/proc/self/statm").ok()?.split_ascii_whitespace().nth(2)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_many_threads_take_down_leaves_others_alone() {
        let file = tempfile::tempfile().unwrap();
        // A hole, so that it needs no disk.
        file.set_len(MANY * 4096 + 4097).unwrap();
        let sum = |bytes: &Bytes| bytes.iter().step_by(4096).fold(0, |sum, byte| sum | byte);
        let (one, other) = (map(&file).unwrap(), map(&file).unwrap());
        let rest = other.slice(4096..);
        assert_eq!((sum(&one), sum(&other)), (0, 0));
        if let Some(pages) = mapped_pages() {
            assert!(pages >= MANY, "{pages} pages");
        }
        drop(one);
        drop(other);
        assert_eq!(sum(&rest), 0);
    }
}
