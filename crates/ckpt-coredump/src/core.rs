//! A core: what it is made of, and how it is written.

use std::io::{self, Seek, Write};

use ckpt_memory::{AddressSpace, Mapping, Span, VirtAddr};
use ckpt_model::{Arch, Checkpoint, Task, Thread};
use criu_image::ByteOrder;

use crate::elf;
use crate::files;
use crate::lack::Lack;
use crate::machine::Machine;
use crate::note::{self, Note};
use crate::process;
use crate::registers;
use crate::segments::{Extent, Segment, Segments};
use crate::siginfo::{self, siginfo};
use crate::sink::{Sink, Sparse, Stream};
use crate::thread::prstatus;

/// What a core needs to know beyond the task and its memory.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct CoreOptions {
    byte_order: ByteOrder,
    arch: Option<Arch>,
}

impl CoreOptions {
    /// For tasks of this checkpoint.
    pub fn of(checkpoint: &Checkpoint) -> Self {
        Self { byte_order: checkpoint.byte_order(), arch: checkpoint.arch() }
    }

    /// For tasks of a little-endian machine whose architecture the tasks' own images tell.
    pub const fn new() -> Self {
        Self { byte_order: ByteOrder::Little, arch: None }
    }

    /// Byte order of the machine.
    pub const fn byte_order(self, byte_order: ByteOrder) -> Self {
        Self { byte_order, ..self }
    }

    /// Architecture of a task none of whose own images tell it.
    pub const fn arch(self, arch: Arch) -> Self {
        Self { arch: Some(arch), ..self }
    }
}

impl Default for CoreOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// The core of one task, laid out and ready to be written.
///
/// Laying it out reads no memory where the evidence is not compressed; memory goes from the evidence to the writer when
/// the core is written, in one pass from the first byte to the last.
#[derive(Debug)]
pub struct Core<'a> {
    space: &'a AddressSpace,
    machine: Machine,
    notes: Vec<u8>,
    segments: Vec<Segment>,
    /// Where the first segment's bytes begin.
    memory_at: u64,
    size: u64,
    lacks: Vec<Lack>,
}

impl<'a> Core<'a> {
    /// Lays out the core of a task with this memory.
    #[must_use]
    pub fn of(task: &Task, space: &'a AddressSpace, options: &CoreOptions) -> Self {
        // Addresses from half-way up are the kernel's: only [vsyscall] is mapped there.
        let highest = space.mappings().iter().map(|mapping| mapping.end.0.saturating_sub(1));
        let highest = highest.filter(|addr| addr >> 63 == 0).max().unwrap_or(0);
        let machine = Machine::of(task, options.byte_order, options.arch, highest);
        let mut segments = Segments::new(machine.width);
        for mapping in space.mappings() {
            segments.add(&extent(mapping), space.spans(mapping.start, mapping.len()));
        }
        let mut lacks = Vec::new();
        let notes = notes(task, space, &machine, &segments, &mut lacks);
        let page_size = space.page_size().max(1);
        let head = head_size(&machine, segments.list.len() as u64);
        let memory_at = head.saturating_add(notes.len() as u64);
        let memory_at = memory_at.checked_next_multiple_of(page_size).unwrap_or(memory_at);
        let size = segments.place(memory_at);
        let (segments, of_memory) = segments.finish();
        lacks.extend(of_memory);
        Self { space, machine, notes, segments, memory_at, size, lacks }
    }

    /// Bytes of the whole file.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Segments of memory.
    #[must_use]
    pub fn segments(&self) -> usize {
        self.segments.len()
    }

    /// What the task had and its core has not: registers first, then memory.
    #[must_use]
    pub fn lacks(&self) -> &[Lack] {
        &self.lacks
    }

    /// Writes the core, from its first byte to its last.
    ///
    /// # Errors
    ///
    /// Those of the writer, and of evidence that changes while it is read.
    pub fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        let mut sink = Stream::new(out);
        self.put(&mut sink)?;
        sink.finish()
    }

    /// As [`write_to`](Self::write_to), into a fresh and empty file: longer runs of zeros become holes of it.
    ///
    /// # Errors
    ///
    /// As [`write_to`](Self::write_to).
    pub fn write_sparse_to(&self, out: &mut (impl Write + Seek)) -> io::Result<()> {
        let mut sink = Sparse::new(out);
        self.put(&mut sink)?;
        sink.finish()
    }

    fn put(&self, sink: &mut impl Sink) -> io::Result<()> {
        let mut out = self.machine.words();
        let headers = (self.segments.len() as u64).saturating_add(1);
        let head = head_size(&self.machine, self.segments.len() as u64);
        elf::file_header(&mut out, &self.machine, headers);
        elf::note_header(&mut out, head, self.notes.len() as u64);
        for segment in &self.segments {
            elf::load_header(&mut out, segment, self.space.page_size());
            // A million headers are not kept: they go out as they come.
            sink.bytes(out.as_bytes())?;
            out.clear();
        }
        if headers >= elf::MANY {
            elf::section_header(&mut out, headers);
        }
        out.raw(&self.notes);
        sink.bytes(out.as_bytes())?;
        let written = head.saturating_add(self.notes.len() as u64);
        sink.zeros(self.memory_at.saturating_sub(written))?;
        self.segments.iter().try_for_each(|segment| self.put_memory(segment, sink))
    }

    fn put_memory(&self, segment: &Segment, sink: &mut impl Sink) -> io::Result<()> {
        for span in self.space.spans(VirtAddr(segment.start), segment.file) {
            match span {
                Span::Bytes { bytes, .. } => sink.bytes(&bytes)?,
                Span::Zero { len, .. } => sink.zeros(len)?,
                Span::Missing { start, why, .. } => {
                    return Err(io::Error::other(format!("memory at {start} is gone: {why}")));
                }
            }
        }
        Ok(())
    }
}

/// Bytes before the notes.
fn head_size(machine: &Machine, segments: u64) -> u64 {
    let sizes = elf::sizes(machine.width);
    let headers = segments.saturating_add(1);
    let section = if headers >= elf::MANY { sizes.section } else { 0 };
    let programs = headers.saturating_mul(u64::from(sizes.program));
    u64::from(sizes.file).saturating_add(programs).saturating_add(u64::from(section))
}

fn extent(mapping: &Mapping) -> Extent {
    Extent {
        start: mapping.start.0,
        len: mapping.len(),
        prot: mapping.vma.prot,
        code: mapping.executable() && mapping.kind.is_anonymous(),
    }
}

/// The notes, in the kernel's order: those of the process stand behind the first thread's `NT_PRSTATUS`.
///
/// Source: `write_note_info` in `fs/binfmt_elf.c`.
fn notes(
    task: &Task,
    space: &AddressSpace,
    machine: &Machine,
    segments: &Segments,
    lacks: &mut Vec<Lack>,
) -> Vec<u8> {
    if let Arch::Unknown(_) = machine.arch {
        lacks.push(Lack::Architecture(machine.arch));
    }
    let mut out = machine.words();
    let mut of_process = Some(process_notes(task, space, machine, segments, lacks));
    for thread in in_order(task) {
        let found = registers::of(thread.core.as_deref(), thread.tid, machine, lacks);
        let Some(registers) = found else { continue };
        let status = prstatus(task, thread, &registers, machine);
        Note::new(note::PRSTATUS, status).put(&mut out);
        match of_process.take() {
            Some(notes) => notes.iter().for_each(|note| note.put(&mut out)),
            // A kernel writes one for the whole process; gdb reads one behind each thread.
            None => {
                if let Some(own) = siginfo::of_thread(thread) {
                    Note::new(note::SIGINFO, siginfo(Some(own), machine)).put(&mut out);
                }
            }
        }
        registers.notes.iter().for_each(|note| note.put(&mut out));
    }
    of_process.iter().flatten().for_each(|note| note.put(&mut out));
    out.take()
}

fn process_notes(
    task: &Task,
    space: &AddressSpace,
    machine: &Machine,
    segments: &Segments,
    lacks: &mut Vec<Lack>,
) -> Vec<Note> {
    let first = in_order(task).next();
    let signal = first.and_then(|thread| {
        siginfo::of_thread(thread).or_else(|| siginfo::of_process(task, thread))
    });
    let mut notes = vec![
        Note::new(note::PRPSINFO, process::prpsinfo(task, machine)),
        Note::new(note::SIGINFO, siginfo(signal, machine)),
        Note::new(note::AUXV, process::auxv(task, machine)),
    ];
    let mapped = space.mappings().iter().filter(|mapping| segments.reaches(&extent(mapping)));
    let files = files::note(mapped, space.page_size(), machine, lacks);
    notes.extend(files.map(|content| Note::new(note::FILE, content)));
    notes
}

/// The threads, the leading one first unless another is about to take a signal of its own: a debugger shows the first.
fn in_order(task: &Task) -> impl Iterator<Item = &Thread> {
    let first = task.threads.iter().position(siginfo::is_due).unwrap_or(0);
    let others = task.threads.iter().enumerate().filter(move |(index, _)| *index != first);
    task.threads.get(first).into_iter().chain(others.map(|(_, thread)| thread))
}
