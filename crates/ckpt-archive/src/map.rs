//! The one place that maps files: `Bytes` over a mapping, shared and freed with its last slice.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;

use bytes::Bytes;
use memmap2::Mmap;

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
    Ok(Bytes::from_owner(mapping))
}
