//! `memdump`: how much memory there is of each process, and the index of memory that was written to a directory.

use std::borrow::Cow;

use ckpt_memory::{AddressSpace, Mapping, Span};
use ckpt_model::{Checkpoint, MemorySizes, Task, Text};
use serde::Serialize;

use super::shared::{DefectRecord, EvidenceRecord, address, base64, defects, fields};

/// `ckpt-inspect/memdump/1`: what can be dumped of whom.
#[derive(Clone, Debug, Serialize)]
pub struct MemoryDocument<'a> {
    /// Name and version of this form.
    pub schema: &'static str,
    /// What was opened.
    pub evidence: EvidenceRecord<'a>,
    /// Bytes of a page.
    pub page_size: u64,
    /// The processes that have memory, by pid.
    pub processes: Vec<MemoryRecord<'a>>,
    /// What could not be read.
    pub defects: Vec<DefectRecord>,
}

/// The memory of a process, bytes.
#[derive(Clone, Debug, Serialize)]
pub struct MemoryRecord<'a> {
    /// Process id in the container.
    pub pid: u32,
    /// Name of the task.
    pub comm: Option<Cow<'a, str>>,
    /// Its bytes, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comm_base64: Option<String>,
    /// The process whose images describe the memory, when it is not this one: both share it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_of: Option<u32>,
    /// Of all mappings.
    pub mapped: u64,
    /// The process's own pages in the images.
    pub private: u64,
    /// Pages of shared memory in the images.
    pub shared: u64,
    /// Clean pages of mapped files, which a dump leaves in the file.
    pub file_backed: u64,
    /// Never written.
    pub zero: u64,
    /// What should be there and is not.
    pub missing: u64,
}

/// The memory of processes.
#[must_use]
pub fn memory<'a>(
    checkpoint: &'a Checkpoint,
    processes: &[(&'a Task, MemorySizes)],
) -> MemoryDocument<'a> {
    MemoryDocument {
        schema: "ckpt-inspect/memdump/1",
        evidence: EvidenceRecord::of(checkpoint),
        page_size: checkpoint.page_size().0,
        processes: processes.iter().map(|(task, sizes)| memory_record(task, sizes)).collect(),
        defects: defects(checkpoint),
    }
}

fn memory_record<'a>(task: &'a Task, sizes: &MemorySizes) -> MemoryRecord<'a> {
    let (comm, comm_base64) = fields(task.comm.as_ref());
    MemoryRecord {
        pid: task.pid.0,
        comm,
        comm_base64,
        memory_of: task.mm_owner.filter(|owner| *owner != task.pid).map(|owner| owner.0),
        mapped: sizes.mapped,
        private: sizes.private,
        shared: sizes.shared,
        file_backed: sizes.file_backed,
        zero: sizes.zero,
        missing: sizes.missing,
    }
}

/// `ckpt-inspect/memdump-index/1`: what the files in a directory of raw memory are.
#[derive(Clone, Debug, Serialize)]
pub struct MemoryIndex<'a> {
    /// Name and version of this form.
    pub schema: &'static str,
    /// Name and version of the program that wrote it.
    pub tool: &'a str,
    /// What was opened.
    pub evidence: EvidenceRecord<'a>,
    /// Bytes of a page.
    pub page_size: u64,
    /// The mappings, by pid and address.
    pub mappings: Vec<IndexRecord>,
    /// What could not be read.
    pub defects: Vec<DefectRecord>,
}

/// A mapping and its file.
#[derive(Clone, Debug, Serialize)]
pub struct IndexRecord {
    /// Process id in the container.
    pub pid: u32,
    /// Name of the file; null where nothing of the mapping is there. Byte n of it is at `start` + n.
    pub file: Option<String>,
    /// Bytes of the file: up to the last one that is there.
    pub file_size: u64,
    /// First address.
    pub start: String,
    /// First address after it.
    pub end: String,
    /// `rw-p`.
    pub perms: String,
    /// What it is.
    pub kind: &'static str,
    /// As `/proc/PID/maps` names it.
    pub path: Option<String>,
    /// Its bytes, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_base64: Option<String>,
    /// What is where; the file has zeros where nothing is.
    pub spans: Vec<SpanRecord>,
}

/// A stretch of memory from one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SpanRecord {
    /// First address.
    pub start: String,
    /// First address after it.
    pub end: String,
    /// `dumped`, `parent:N`, `shmem`, `file:PATH@SOURCE`, `zero`, or why it is not there.
    pub origin: String,
    /// Whether it is there.
    pub captured: bool,
}

/// The index of files with the memory of mappings.
#[must_use]
pub fn memory_index<'a>(
    checkpoint: &'a Checkpoint,
    mappings: Vec<IndexRecord>,
    tool: &'a str,
) -> MemoryIndex<'a> {
    MemoryIndex {
        schema: "ckpt-inspect/memdump-index/1",
        tool,
        evidence: EvidenceRecord::of(checkpoint),
        page_size: checkpoint.page_size().0,
        mappings,
        defects: defects(checkpoint),
    }
}

impl IndexRecord {
    /// A mapping, and the file that its first `file_size` bytes are in.
    #[must_use]
    pub fn of(
        task: &Task,
        space: &AddressSpace,
        mapping: &Mapping,
        file: Option<String>,
        file_size: u64,
    ) -> Self {
        let name = mapping.name.as_deref();
        Self {
            pid: task.pid.0,
            file,
            file_size,
            start: address(mapping.start),
            end: address(mapping.end),
            perms: mapping.perms().to_string(),
            kind: mapping.kind.word(),
            path: name.map(|name| Text::from(name).lossless().into_owned()),
            path_base64: name.and_then(base64),
            spans: spans(space, mapping),
        }
    }
}

/// Stretches of one origin; neighbours are joined.
fn spans(space: &AddressSpace, mapping: &Mapping) -> Vec<SpanRecord> {
    let mut records: Vec<SpanRecord> = Vec::new();
    for span in space.spans(mapping.start, mapping.len()) {
        let (origin, captured) = match &span {
            Span::Bytes { origin, .. } => (origin.to_string(), true),
            Span::Zero { .. } => ("zero".to_owned(), true),
            Span::Missing { why, .. } => (why.to_string(), false),
        };
        let end = address(span.end());
        match records.last_mut().filter(|last| last.origin == origin) {
            Some(last) => last.end = end,
            None => {
                records.push(SpanRecord { start: address(span.start()), end, origin, captured });
            }
        }
    }
    records
}
