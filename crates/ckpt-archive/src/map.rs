//! The one place that maps files: `Bytes` over a mapping, shared and freed with its last slice; and what a program says when
//! the file under a mapping is lost.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::num::NonZero;
use std::sync::OnceLock;
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

/// What is said, and the status a program ends with, when mapped evidence is lost.
static FAREWELL: OnceLock<(&str, u8)> = OnceLock::new();

/// Has the program say why it ends, and end with a status of its own, when mapped evidence cannot be read any more: because a
/// disk fails, or because somebody shortens the file. The kernel tells a program so with SIGBUS, of which it would die in
/// silence. This is for programs, once and at their beginning; a library that is part of another program leaves signals alone.
///
/// `message` goes to standard error as it is. Later calls change nothing.
///
/// # Errors
///
/// The system takes no handler for the signal.
pub fn explain_lost_evidence(message: &'static str, status: u8) -> io::Result<()> {
    if FAREWELL.set((message, status)).is_err() {
        return Ok(());
    }
    // SAFETY: all zeros is a valid `sigaction`: no flags, no signals blocked, and a handler that is set in the next line. The
    // handler does nothing but what signal-safety(7) allows.
    let installed = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = say_farewell as extern "C" fn(libc::c_int) as libc::sighandler_t;
        libc::sigaction(libc::SIGBUS, &raw const action, std::ptr::null_mut())
    };
    if installed == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

extern "C" fn say_farewell(_signal: libc::c_int) {
    let (message, status) = FAREWELL.get().copied().unwrap_or_default();
    // SAFETY: `write` and `_exit` are safe in handlers, and the message is there for as long as the program is.
    unsafe {
        libc::write(libc::STDERR_FILENO, message.as_ptr().cast(), message.len());
        libc::_exit(status.into());
    }
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
