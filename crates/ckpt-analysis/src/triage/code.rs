//! Code in memory that no file explains: anonymous, writable, an ELF file without a file, text that was changed.

use ckpt_memory::{Mapping, MappingKind, Span, VirtAddr};
use ckpt_model::{Examined, MappingMark, MemoryMap, Pid, Task};
use criu_image::ImageKind;

use super::commands::is_own;
use super::compilers::{self, Compiler};
use super::finding::{Confidence, Finding, Rule, Seen, Severity};
use super::libraries::begins_as_elf;
use super::subject::{Subject, named};

pub(super) static RULES: &[&Rule] = &[&ANONYMOUS, &WRITABLE, &ELF, &MODIFIED, &STACK];

static ANONYMOUS: Rule = Rule {
    id: "anonymous-executable-memory",
    title: "A process has executable memory that no file is behind",
    why: "Code comes from files. Code that was injected, or unpacked in memory, has none.",
    wrong: "Everything that compiles while it runs has such memory: node, java, .NET, PyPy, LuaJIT, PHP, regular expressions, foreign function calls. Those that are recognised are scored info.",
    check: "ckpt-inspect maps --pid PID EVIDENCE; ckpt-inspect memdump --pid PID --vma exec EVIDENCE",
    attack: &["T1055"],
};

static WRITABLE: Rule = Rule {
    id: "writable-executable-mapping",
    title: "A process has memory that is writable and executable at once",
    why: "What can be written and run is where shell code is put; compilers and loaders take care not to need it.",
    wrong: "Some compilers at run time do need it (older node, java, PCRE); programs with relocations in their text.",
    check: "ckpt-inspect maps --pid PID EVIDENCE; ckpt-inspect memdump --pid PID --vma rwx EVIDENCE",
    attack: &["T1055", "T1620"],
};

static ELF: Rule = Rule {
    id: "elf-in-anonymous-memory",
    title: "An ELF file lies in memory that no file is behind",
    why: "The dynamic linker maps files. An ELF image in anonymous memory was loaded by hand: reflective loading, injected libraries, packers.",
    wrong: "Packers that are meant well (UPX); a program that holds an ELF file to work on it, which is then not executable.",
    check: "ckpt-inspect maps --modules --pid PID EVIDENCE; ckpt-inspect memdump --pid PID --vma anon EVIDENCE",
    attack: &["T1620", "T1055.001"],
};

static MODIFIED: Rule = Rule {
    id: "modified-text",
    title: "Code of a file was changed in memory",
    why: "Pages of code are shared with the file and never written, so that a dump leaves them out. Those that are in it were written to: hooks, patches, breakpoints.",
    wrong: "Relocations in the text of old programs; debuggers and probes; CRIU itself writes a page of the first executable mapping and puts it back, which is passed over.",
    check: "ckpt-inspect maps --pid PID --base IMAGE EVIDENCE; ckpt-inspect memdump --pid PID --vma exec EVIDENCE",
    attack: &["T1055", "T1574"],
};

static STACK: Rule = Rule {
    id: "executable-stack",
    title: "A process can run code on its stack",
    why: "An executable stack makes overflows into running code, and has not been the default for twenty years.",
    wrong: "Programs with nested functions of GNU C or hand-written assembly are linked with one; a library that asks for it changes every stack of the process.",
    check: "ckpt-inspect maps --pid PID --vma stack EVIDENCE",
    attack: &["T1055"],
};

/// Mappings of one finding that are told.
const MOST_TOLD: usize = 8;

/// More code without a file than a library for regular expressions or foreign calls needs, bytes.
pub(super) const SMALL: u64 = 1 << 20;

/// A mapping with what is noticed of it.
type Noticed<'m> = (&'m Mapping, &'m Examined, VirtAddr);

pub(super) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for map in &subject.maps {
        // Who shares memory is told of once.
        if map.task.mm_owner.is_none_or(|owner| owner == map.task.pid) {
            Process { subject, map, compiler: compilers::of(subject, map) }.look(findings);
        }
    }
}

struct Process<'p, 'a> {
    subject: &'p Subject<'a>,
    map: &'p MemoryMap<'a>,
    /// What compiles in it while it runs.
    compiler: Option<Compiler>,
}

impl Process<'_, '_> {
    /// One finding of each kind; each mapping counts for the most serious kind alone.
    fn look(&self, findings: &mut Vec<Finding>) {
        let (mut elf, mut stack, mut writable, mut anonymous, mut modified) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (mapping, examined) in self.map.mappings() {
            let has = |mark| examined.marks.contains(&mark);
            let noticed = |at| (mapping, examined, at);
            if has(MappingMark::ElfHeader)
                && let Some(at) = self.elf_header(mapping)
            {
                elf.push(noticed(at));
            } else if has(MappingMark::StackExecutable) {
                stack.push(noticed(mapping.start));
            } else if has(MappingMark::WritableExecutable)
                && mapping.kind != MappingKind::FileShared
            {
                writable.push(noticed(mapping.start));
            } else if has(MappingMark::AnonymousExecutable)
                || (has(MappingMark::MemfdExecutable) && self.is_loose(mapping))
            {
                anonymous.push(noticed(mapping.start));
            }
            if has(MappingMark::ModifiedText) || has(MappingMark::WrittenText) {
                let first = examined.text.and_then(|text| text.first_differing);
                modified
                    .push(noticed(first.or_else(|| self.stored(mapping)).unwrap_or(mapping.start)));
            }
        }
        findings.extend(self.elf(&elf));
        findings.extend(self.stack(&stack));
        findings.extend(self.unexplained(&WRITABLE, &writable));
        findings.extend(self.unexplained(&ANONYMOUS, &anonymous));
        findings.extend(self.modified(&modified));
    }

    fn task(&self) -> &Task {
        self.map.task
    }

    fn elf(&self, noticed: &[Noticed<'_>]) -> Option<Finding> {
        let runs = noticed.iter().find(|(mapping, ..)| mapping.executable());
        let (mapping, _, at) = runs.or_else(|| noticed.first())?;
        let executable = mapping.executable();
        let severity = match () {
            () if executable && self.compiler.is_some_and(|one| one.whole) => Severity::Medium,
            () if executable && self.subject.is_foreign(self.task()) => Severity::Critical,
            // A program of the image that unpacked itself, where nothing else is loaded.
            () if executable && compilers::is_alone(self.map) => Severity::Medium,
            () if executable => Severity::High,
            () => Severity::Low,
        };
        let confidence = if executable { Confidence::High } else { Confidence::Low };
        let how = if executable { "executable " } else { "" };
        let title = format!("{} has an ELF file in {how}memory without a file", named(self.task()));
        let finding = Finding::new(&ELF, severity, confidence, title).at(*at);
        Some(self.with(finding, noticed, "begins as an ELF file"))
    }

    fn stack(&self, noticed: &[Noticed<'_>]) -> Option<Finding> {
        let (_, _, at) = noticed.first()?;
        let severity = match () {
            () if self.compiler.is_some() => Severity::Low,
            () if self.subject.is_foreign(self.task()) => Severity::High,
            () => Severity::Medium,
        };
        let title = format!("{} can run code on its stack", named(self.task()));
        let finding = Finding::new(&STACK, severity, Confidence::High, title).at(*at);
        Some(self.with(finding, noticed, "a stack"))
    }

    /// Executable memory without a file, and writable text.
    fn unexplained(&self, rule: &'static Rule, noticed: &[Noticed<'_>]) -> Option<Finding> {
        let (_, _, at) = noticed.first()?;
        let running = self.running(noticed);
        let (severity, confidence) = match self.compiler {
            Some(Compiler { whole: true, .. }) => (Severity::Info, Confidence::High),
            // A little code of regular expressions or closures is seldom met running.
            Some(Compiler { whole: false, .. }) if running.is_some() => {
                (Severity::Medium, Confidence::Medium)
            }
            Some(Compiler { whole: false, .. }) => (Severity::Low, Confidence::Medium),
            None if running.is_some() && self.may_compile(noticed) => {
                (Severity::Medium, Confidence::Medium)
            }
            None if running.is_some() => (Severity::High, Confidence::High),
            None if self.subject.is_foreign(self.task()) => (Severity::High, Confidence::Medium),
            None => (Severity::Medium, Confidence::Medium),
        };
        let what = if std::ptr::eq(rule, &WRITABLE) {
            "writable and executable memory"
        } else {
            "executable memory without a file"
        };
        let mut title = format!("{} has {what}", named(self.task()));
        if let Some(compiler) = self.compiler {
            title.push_str(&format!(", as {} does", compiler.name));
        }
        let mut finding = Finding::new(rule, severity, confidence, title).at(*at);
        if let Some(compiler) = self.compiler {
            let what = format!("{} compiles while it runs: {}", compiler.name, compiler.because);
            finding = finding.seen(Seen::new(what).member(self.subject.mm(self.task())));
        }
        let mut finding = self.with(finding, noticed, "no file");
        if let Some((thread, at)) = running.filter(|_| self.compiler.is_none_or(|one| !one.whole)) {
            let what = format!("thread {thread} is running there, at {at}");
            let core = self.subject.image(ImageKind::Core, u64::from(thread.0));
            finding = finding.seen(Seen::new(what).member(core));
        }
        if let Some(exe) = self.subject.executable(self.task())
            && exe.is_foreign()
        {
            finding.evidence.extend(exe.seen.iter().cloned());
        }
        Some(finding)
    }

    /// Whether it may be a compiler that is not known: the container's own program, as the image has it, with code that it
    /// cannot write to where it runs.
    fn may_compile(&self, noticed: &[Noticed<'_>]) -> bool {
        is_own(self.subject, self.task())
            && !self.subject.is_foreign(self.task())
            && noticed.iter().all(|(mapping, ..)| {
                let memfd =
                    matches!(mapping.kind, MappingKind::MemfdPrivate | MappingKind::MemfdShared);
                memfd || !mapping.writable()
            })
    }

    /// The first thread that is about to run code of one of these mappings, and where.
    fn running(&self, noticed: &[Noticed<'_>]) -> Option<(Pid, VirtAddr)> {
        let ips = self.task().threads.iter().filter_map(|thread| Some((thread.tid, thread.ip?)));
        let mut ips =
            ips.filter(|(_, ip)| noticed.iter().any(|(mapping, ..)| mapping.contains(*ip)));
        ips.next()
    }

    fn modified(&self, noticed: &[Noticed<'_>]) -> Option<Finding> {
        let differs = |one: &&Noticed<'_>| one.1.marks.contains(&MappingMark::ModifiedText);
        let certain = noticed.iter().find(differs);
        let (mapping, _, at) = certain.or_else(|| noticed.first())?;
        let (severity, confidence) = match certain {
            Some(_) if self.compiler.is_some() => (Severity::Medium, Confidence::High),
            Some(_) => (Severity::High, Confidence::High),
            None if self.compiler.is_some() => (Severity::Low, Confidence::Low),
            None => (Severity::Medium, Confidence::Medium),
        };
        let name = mapping.name.as_deref().map(ckpt_model::escape).unwrap_or_default();
        let what = match certain {
            Some(_) => "is not as in the file",
            None => "was written to, and the file to compare it with is not at hand",
        };
        let title = format!("code of {name} in {} {what}", named(self.task()));
        let mut finding = Finding::new(&MODIFIED, severity, confidence, title).at(*at);
        if let Some(path) = mapping.name.as_deref() {
            finding = finding.path(path);
        }
        Some(self.with(finding, noticed, "code of a file"))
    }

    /// Adds the process, and what was noticed of its mappings.
    fn with(&self, finding: Finding, noticed: &[Noticed<'_>], what: &str) -> Finding {
        let mut finding = finding.of(self.task().pid);
        for (mapping, examined, at) in noticed.iter().take(MOST_TOLD) {
            let (start, end) = (mapping.start, mapping.end);
            let (perms, kind) = (mapping.perms(), mapping.kind.word());
            let pages = examined.tally.captured();
            let mut text =
                format!("{start}-{end} {perms} {kind}, {pages} page(s) captured: {what}");
            if let Some(check) = examined.text {
                let captured = check.captured;
                text = match check.differing {
                    Some(differing) => format!(
                        "{start}-{end} {perms}: {differing} of {captured} captured page(s) differ from the file"
                    ),
                    None => format!("{start}-{end} {perms}: {captured} page(s) were written to"),
                };
            }
            if *at != mapping.start {
                text.push_str(&format!(", at {at}"));
            }
            finding = finding.seen(self.subject.seen_in_memory(self.map, *at, text));
        }
        if let Some(more) = noticed.len().checked_sub(MOST_TOLD).filter(|more| *more > 0) {
            let what = format!("and {more} more mapping(s)");
            finding = finding.seen(Seen::new(what).member(self.subject.mm(self.task())));
        }
        finding
    }

    /// Whether a memfd is neither the program nor a library, of which other rules tell.
    fn is_loose(&self, mapping: &Mapping) -> bool {
        let program = self.task().exe.as_ref().map(|exe| exe.path.as_bytes());
        mapping.name.as_deref() != program && !begins_as_elf(self.map, mapping)
    }

    /// The first page of a mapping that begins as an ELF file does.
    fn elf_header(&self, mapping: &Mapping) -> Option<VirtAddr> {
        let page = self.map.space.page_size().max(1);
        let size = usize::try_from(page).ok()?;
        for span in self.map.space.spans(mapping.start, mapping.len()) {
            let Span::Bytes { start, bytes, .. } = span else { continue };
            if start.0.checked_rem(page) != Some(0) {
                continue;
            }
            let found = bytes.chunks(size).position(|chunk| chunk.starts_with(b"\x7fELF"));
            if let Some(found) = found {
                return start.checked_add((found as u64).saturating_mul(page));
            }
        }
        None
    }

    /// The first page of a mapping that the images hold.
    fn stored(&self, mapping: &Mapping) -> Option<VirtAddr> {
        let mut spans = self.map.space.spans(mapping.start, mapping.len());
        spans.find_map(|span| match span {
            Span::Bytes { start, origin: ckpt_memory::Origin::Dumped, .. } => Some(start),
            Span::Bytes { start, origin: ckpt_memory::Origin::Parent(_), .. } => Some(start),
            _ => None,
        })
    }
}
