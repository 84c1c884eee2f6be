//! What an analyst should notice of a mapping. No verdict: each mark has honest causes too.

use ckpt_memory::{AddressSpace, Backing, Mapping, MappingKind, Origin, Span, VirtAddr};

use super::Examined;
use super::elf::is_elf;
use super::filter::holds_stack_of;
use crate::task::Task;

/// Something odd about a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum MappingMark {
    /// Executable memory that no file is behind: programs that compile while they run have it, and injected code.
    AnonymousExecutable,
    /// Executable memory of a memfd: code that never was in a file system.
    MemfdExecutable,
    /// Writable and executable at once.
    WritableExecutable,
    /// A stack that is executable.
    StackExecutable,
    /// A page in memory without a file begins as an ELF file does.
    ElfHeader,
    /// Captured pages of code are not as in the file.
    ModifiedText,
    /// Pages of code were captured, so that something wrote to them; the file that would tell whether they differ is not
    /// at hand.
    WrittenText,
    /// The mapped file was deleted.
    FileDeleted,
}

impl MappingMark {
    /// The word in JSON and on the screen.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::AnonymousExecutable => "anonymous-executable",
            Self::MemfdExecutable => "memfd-executable",
            Self::WritableExecutable => "writable-executable",
            Self::StackExecutable => "stack-executable",
            Self::ElfHeader => "elf-header",
            Self::ModifiedText => "modified-text",
            Self::WrittenText => "written-text",
            Self::FileDeleted => "file-deleted",
        }
    }
}

/// Captured pages of code of a file, held against the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TextCheck {
    /// Pages in the images: each was written to since the file was mapped.
    pub captured: u64,
    /// Of these, pages that are not as in the file; `None` when that is not at hand.
    pub differing: Option<u64>,
    /// The first of them.
    pub first_differing: Option<VirtAddr>,
    /// The only captured page is one that CRIU itself may have written: it puts its system calls into the first executable
    /// mapping of every process, and takes them out again.
    pub perhaps_criu: bool,
}

pub(super) fn examine(task: &Task, space: &AddressSpace) -> Vec<Examined> {
    let first_executable = space.mappings().iter().find(|mapping| mapping.executable());
    let first_executable = first_executable.map(|mapping| mapping.start);
    let examined = space.mappings().iter().map(|mapping| {
        let mut examined = Examined {
            tally: space.tally(mapping),
            threads: holds_stack_of(mapping, task).collect(),
            ..Examined::default()
        };
        if mapping.kind == MappingKind::FilePrivate && mapping.executable() {
            let first = Some(mapping.start) == first_executable;
            examined.text = check_text(space, mapping, first);
        }
        examined.marks = marks(space, mapping, &examined);
        examined
    });
    examined.collect()
}

fn marks(space: &AddressSpace, mapping: &Mapping, examined: &Examined) -> Vec<MappingMark> {
    let mut marks = Vec::new();
    let without_file = mapping.kind.is_anonymous() || mapping.kind == MappingKind::AnonShared;
    if mapping.executable() {
        if without_file {
            marks.push(MappingMark::AnonymousExecutable);
        }
        if matches!(mapping.kind, MappingKind::MemfdPrivate | MappingKind::MemfdShared) {
            marks.push(MappingMark::MemfdExecutable);
        }
        if mapping.writable() {
            marks.push(MappingMark::WritableExecutable);
        }
        if mapping.kind == MappingKind::Stack || !examined.threads.is_empty() && without_file {
            marks.push(MappingMark::StackExecutable);
        }
    }
    if without_file && has_elf_header(space, mapping) {
        marks.push(MappingMark::ElfHeader);
    }
    match examined.text {
        Some(TextCheck { differing: Some(1..), .. }) => marks.push(MappingMark::ModifiedText),
        Some(TextCheck { differing: None, perhaps_criu: false, .. }) => {
            marks.push(MappingMark::WrittenText);
        }
        _ => {}
    }
    if mapping.deleted && mapping.kind.is_file() {
        marks.push(MappingMark::FileDeleted);
    }
    marks
}

/// Looks at every page of executable memory, and of other memory where captured pages begin: reading all of it would take
/// as long as a scan.
fn has_elf_header(space: &AddressSpace, mapping: &Mapping) -> bool {
    let page = usize::try_from(space.page_size()).unwrap_or(usize::MAX).max(1);
    let mut behind_a_gap = true;
    for span in space.spans(mapping.start, mapping.len()) {
        let Span::Bytes { start, bytes, .. } = span else {
            behind_a_gap = true;
            continue;
        };
        let aligned = start.0.checked_rem(space.page_size()) == Some(0);
        let found = if mapping.executable() && aligned {
            bytes.chunks(page).any(is_elf)
        } else {
            behind_a_gap && aligned && is_elf(&bytes)
        };
        if found {
            return true;
        }
        behind_a_gap = false;
    }
    false
}

/// Holds captured pages against the file; `None` when none is captured.
fn check_text(space: &AddressSpace, mapping: &Mapping, first: bool) -> Option<TextCheck> {
    let Backing::File(file) = &mapping.backing else {
        let captured = space.tally(mapping).in_images();
        let perhaps_criu = first && captured == 1;
        return (captured > 0).then(|| TextCheck {
            captured,
            perhaps_criu,
            ..TextCheck::default()
        });
    };
    let page = usize::try_from(space.page_size()).ok().filter(|page| *page > 0)?;
    let mut check = TextCheck { differing: Some(0), ..TextCheck::default() };
    for span in space.spans(mapping.start, mapping.len()) {
        let Span::Bytes { start, bytes, origin: Origin::Dumped | Origin::Parent(_) } = span else {
            continue;
        };
        for (number, bytes) in (0u64..).zip(bytes.chunks(page)) {
            let at = VirtAddr(start.0.saturating_add(number.saturating_mul(space.page_size())));
            check.captured = check.captured.saturating_add(1);
            let offset = mapping.offset().saturating_add(at.since(mapping.start));
            match file.holds(offset, bytes) {
                Some(true) => {}
                Some(false) => {
                    check.differing = check.differing.map(|differing| differing.saturating_add(1));
                    check.first_differing.get_or_insert(at);
                }
                None => check.differing = None,
            }
        }
    }
    check.perhaps_criu = first && check.captured == 1 && check.differing != Some(1);
    (check.captured > 0).then_some(check)
}
