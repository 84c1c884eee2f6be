//! `maps`: the memory map of each process.

use std::borrow::Cow;
use std::collections::HashMap;

use ckpt_memory::{Backing, Mapping, MappingKind, Tally};
use ckpt_model::{
    Checkpoint, Examined, FileSources, IdentitySource, MemoryMap, Module, Pid, Task, Text,
    TextCheck, machine_name,
};
use criu_image::names::{FlagNames, MADVISE, VMA_STATUS, map_flags};
use data_encoding::HEXLOWER;
use serde::{Serialize, Serializer};

use super::repeats::Repeats;
use super::shared::{DefectRecord, EvidenceRecord, address, base64, defects, fields, lossless};

/// `ckpt-inspect/maps/1`.
#[derive(Debug, Serialize)]
pub struct MapsDocument<'a> {
    /// Name and version of this form.
    pub schema: &'static str,
    /// What was opened.
    pub evidence: EvidenceRecord<'a>,
    /// Bytes of a page.
    pub page_size: u64,
    /// The processes, by pid; those without a memory map (zombies) are left out.
    pub processes: Vec<ProcessMapsRecord<'a>>,
    /// What could not be read.
    pub defects: Vec<DefectRecord>,
}

/// The memory map of a process.
#[derive(Debug, Serialize)]
pub struct ProcessMapsRecord<'a> {
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
    /// The mappings by address, as `/proc/PID/maps` shows them; none where `vmas_of` says.
    pub vmas: VmaList<'a>,
    /// The process with the same memory, where they stand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vmas_of: Option<u32>,
    /// How many they are there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vmas_count: Option<usize>,
    /// Ranges inside them that fault (`MADV_GUARD_INSTALL`), which `/proc/PID/maps` does not show.
    pub guards: Vec<GuardRecord>,
    /// The ELF objects in it, when they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modules: Option<Vec<ModuleRecord>>,
}

/// Mappings, which become [`VmaRecord`]s one by one while they are written: a process can have a million of them.
#[derive(Debug, Default)]
pub struct VmaList<'a>(Option<Shown<'a>>);

#[derive(Debug)]
struct Shown<'a> {
    map: MemoryMap<'a>,
    /// Whether each of its mappings is shown.
    kept: Vec<bool>,
    flags: &'static FlagNames,
}

impl VmaList<'_> {
    /// The records, by address.
    pub fn iter(&self) -> impl Iterator<Item = VmaRecord> + '_ {
        self.0.iter().flat_map(|Shown { map, kept, flags }| {
            let shown = map.mappings().zip(kept).filter(|(_, kept)| **kept);
            shown.map(|((mapping, examined), _)| vma(mapping, examined, flags))
        })
    }
}

/// The processes at which the mappings of a memory are told.
#[derive(Default)]
pub(crate) struct ToldMaps {
    /// By the owner of the memory, with how many are shown.
    shown: HashMap<Pid, (Pid, usize)>,
    repeats: Repeats,
}

impl ToldMaps {
    /// The process at which the mappings of a task stand already, and how many they are there, when there is no room for them
    /// at this one as well.
    pub(crate) fn same(&mut self, task: &Task) -> Option<(Pid, usize)> {
        let shown = *self.shown.get(&task.mm_owner?)?;
        let mappings = task.mm.as_deref().map_or(0, |mm| mm.vmas.len()).max(shown.1);
        (!self.repeats.take(mappings)).then_some(shown)
    }

    /// Notes what is shown of a task.
    pub(crate) fn note(&mut self, task: &Task, shown: usize) {
        if let Some(owner) = task.mm_owner {
            self.shown.entry(owner).or_insert((task.pid, shown));
        }
    }
}

impl Serialize for VmaList<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

/// A mapping.
#[derive(Clone, Debug, Serialize)]
pub struct VmaRecord {
    /// First address.
    pub start: String,
    /// First address after it.
    pub end: String,
    /// Bytes.
    pub size: u64,
    /// `rw-p`.
    pub perms: String,
    /// Offset in the file or segment, bytes.
    pub offset: u64,
    /// As `/proc/PID/maps` names it, with ` (deleted)` at its end when it is.
    pub path: Option<String>,
    /// Its bytes, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_base64: Option<String>,
    /// Whether the file has no name any more.
    pub deleted: bool,
    /// What it is.
    pub kind: &'static str,
    /// Whose bytes stand for the pages that the dump left in the file; null when they are not at hand.
    pub source: Option<String>,
    /// Pages in this dump's pages file.
    pub dumped_pages: u64,
    /// Pages in the pages file of a parent.
    pub parent_pages: u64,
    /// Pages in images of shared memory.
    pub shared_pages: u64,
    /// Pages that the file at hand has.
    pub file_pages: u64,
    /// Pages that the dump left in the mapped file, which is not at hand.
    pub in_file_pages: u64,
    /// Pages that were never written, and read as zeros.
    pub zero_pages: u64,
    /// Pages that no dump holds: of the kernel, of a device, guards, behind the end of the file.
    pub never_dumped_pages: u64,
    /// Pages that should be there and are not.
    pub missing_pages: u64,
    /// `MAP_*` flags.
    pub flags: Vec<Cow<'static, str>>,
    /// `MADV_*` advice that is in force.
    pub madvise: Vec<Cow<'static, str>>,
    /// CRIU's status bits.
    pub status: Vec<Cow<'static, str>>,
    /// Threads whose stack pointer lies in it.
    pub threads: Vec<u32>,
    /// What an analyst should notice.
    pub marks: Vec<&'static str>,
    /// Captured pages of code held against the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<TextCheckRecord>,
}

/// A range inside a mapping that faults.
#[derive(Clone, Debug, Serialize)]
pub struct GuardRecord {
    /// First address.
    pub start: String,
    /// First address after it.
    pub end: String,
}

/// Captured pages of code held against the file.
#[derive(Clone, Debug, Serialize)]
pub struct TextCheckRecord {
    /// Pages that something wrote to.
    pub captured_pages: u64,
    /// Pages that are not as in the file; null when it is not at hand.
    pub differing_pages: Option<u64>,
    /// Address of the first of them.
    pub first_differing: Option<String>,
    /// Whether the one captured page can be CRIU's own doing.
    pub perhaps_criu: bool,
}

/// An ELF object.
#[derive(Clone, Debug, Serialize)]
pub struct ModuleRecord {
    /// Lowest address.
    pub start: String,
    /// Highest address, exclusive.
    pub end: String,
    /// As `/proc/PID/maps` names it.
    pub path: Option<String>,
    /// Its bytes, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_base64: Option<String>,
    /// Whether the file was deleted.
    pub deleted: bool,
    /// Build id, hexadecimal.
    pub build_id: Option<String>,
    /// Name as a shared library.
    pub soname: Option<String>,
    /// `x86-64`, `aarch64`, ...; the number where it has no name.
    pub machine: Option<String>,
    /// Where that was read: `file`, `memory`, `files.img`.
    pub identity_from: &'static str,
    /// The file that it was read from.
    pub source: Option<String>,
}

/// The memory maps of processes, compared with the files that are at hand. `keep` says which mappings are shown, `modules`
/// whether ELF objects are looked for: those of which a mapping is shown.
pub fn maps<'a>(
    checkpoint: &'a Checkpoint,
    pids: &[Pid],
    files: &FileSources,
    keep: impl Fn(&Mapping, &MemoryMap<'a>) -> bool,
    modules: bool,
) -> MapsDocument<'a> {
    let mut told = ToldMaps::default();
    let processes = pids.iter().filter_map(|pid| {
        let task = checkpoint.processes().get(*pid)?;
        if let Some((pid, count)) = told.same(task) {
            let record = ProcessMapsRecord::of(task, VmaList::default());
            return Some(ProcessMapsRecord {
                vmas_of: Some(pid.0),
                vmas_count: Some(count),
                ..record
            });
        }
        let map = checkpoint.memory_map(*pid, files)?;
        Some(process(checkpoint, map, &keep, modules, &mut told))
    });
    let processes = processes.collect();
    MapsDocument {
        schema: "ckpt-inspect/maps/1",
        evidence: EvidenceRecord::of(checkpoint),
        page_size: checkpoint.page_size().0,
        processes,
        defects: defects(checkpoint),
    }
}

fn process<'a>(
    checkpoint: &Checkpoint,
    map: MemoryMap<'a>,
    keep: &impl Fn(&Mapping, &MemoryMap<'a>) -> bool,
    modules: bool,
    told: &mut ToldMaps,
) -> ProcessMapsRecord<'a> {
    let task = map.task;
    let kept: Vec<bool> = map.mappings().map(|(mapping, _)| keep(mapping, &map)).collect();
    told.note(task, kept.iter().filter(|kept| **kept).count());
    let guards = map.space.guards().iter().filter(|guard| {
        map.space.mapping_at(guard.start).is_some_and(|mapping| keep(mapping, &map))
    });
    let guards =
        guards.map(|guard| GuardRecord { start: address(guard.start), end: address(guard.end) });
    let guards = guards.collect();
    let modules =
        modules.then(|| kept_modules(checkpoint, &map, keep).iter().map(module).collect());
    let machine = task.core.as_ref().map(|core| core.mtype);
    let vmas = VmaList(Some(Shown { map, kept, flags: map_flags(machine) }));
    ProcessMapsRecord { guards, modules, ..ProcessMapsRecord::of(task, vmas) }
}

impl<'a> ProcessMapsRecord<'a> {
    fn of(task: &'a Task, vmas: VmaList<'a>) -> Self {
        let (comm, comm_base64) = fields(task.comm.as_ref());
        Self {
            pid: task.pid.0,
            comm,
            comm_base64,
            memory_of: task.mm_owner.filter(|owner| *owner != task.pid).map(|owner| owner.0),
            vmas,
            vmas_of: None,
            vmas_count: None,
            guards: Vec::new(),
            modules: None,
        }
    }
}

/// The ELF objects of which a mapping is kept. Between the first and the last mapping of an object may be others: its own are
/// those of its name.
pub(crate) fn kept_modules<'a>(
    checkpoint: &Checkpoint,
    map: &MemoryMap<'a>,
    keep: impl Fn(&Mapping, &MemoryMap<'a>) -> bool,
) -> Vec<Module> {
    let mut kept: HashMap<Option<&[u8]>, Vec<&Mapping>> = HashMap::new();
    for (mapping, _) in map.mappings().filter(|(mapping, _)| keep(mapping, map)) {
        kept.entry(mapping.name.as_deref()).or_default().push(mapping);
    }
    let is_kept = |module: &Module| {
        let Some(namesakes) = kept.get(&module.name.as_deref()) else { return false };
        let first = namesakes.partition_point(|mapping| mapping.end <= module.start);
        namesakes.get(first).is_some_and(|mapping| mapping.start < module.end)
    };
    map.modules(checkpoint).into_iter().filter(is_kept).collect()
}

fn vma(mapping: &Mapping, examined: &Examined, flags: &FlagNames) -> VmaRecord {
    let Tally { dumped, parent, shared, file, in_file, zero, never, missing, .. } = examined.tally;
    let (path, path_base64) = name(mapping.name.as_deref());
    let source = match &mapping.backing {
        Backing::File(file) => Some(file.source.to_string()),
        _ => None,
    };
    VmaRecord {
        start: address(mapping.start),
        end: address(mapping.end),
        size: mapping.len(),
        perms: mapping.perms().to_string(),
        offset: if has_offset(mapping.kind) { mapping.offset() } else { 0 },
        path,
        path_base64,
        deleted: mapping.deleted,
        kind: mapping.kind.word(),
        source,
        dumped_pages: dumped,
        parent_pages: parent,
        shared_pages: shared,
        file_pages: file,
        in_file_pages: in_file,
        zero_pages: zero,
        never_dumped_pages: never,
        missing_pages: missing,
        flags: names(flags.split(mapping.vma.flags.into())),
        madvise: names(MADVISE.split(mapping.vma.madv.unwrap_or_default())),
        status: names(VMA_STATUS.split(mapping.vma.status.into())),
        threads: examined.threads.iter().map(|tid| tid.0).collect(),
        marks: examined.marks.iter().map(|mark| mark.word()).collect(),
        text: examined.text.as_ref().map(text),
    }
}

/// The kernel's offset of private anonymous memory means nothing.
fn has_offset(kind: MappingKind) -> bool {
    kind.is_file() || kind.is_shared_memory()
}

fn text(check: &TextCheck) -> TextCheckRecord {
    TextCheckRecord {
        captured_pages: check.captured,
        differing_pages: check.differing,
        first_differing: check.first_differing.map(address),
        perhaps_criu: check.perhaps_criu,
    }
}

fn module(module: &Module) -> ModuleRecord {
    let (path, path_base64) = name(module.name.as_deref());
    let known = !matches!(module.source, IdentitySource::Noted);
    let number = module.identity.machine;
    let machine = machine_name(number).map_or_else(|| number.to_string(), str::to_owned);
    ModuleRecord {
        start: address(module.start),
        end: address(module.end),
        path,
        path_base64,
        deleted: module.deleted,
        build_id: module.identity.build_id.as_ref().map(|id| HEXLOWER.encode(id)),
        soname: module.identity.soname.as_deref().map(|name| lossless(name).into_owned()),
        machine: known.then_some(machine),
        identity_from: module.source.word(),
        source: match &module.source {
            IdentitySource::File(source) => Some(source.to_string()),
            _ => None,
        },
    }
}

fn name(name: Option<&[u8]>) -> (Option<String>, Option<String>) {
    let text = name.map(|name| Text::from(name).lossless().into_owned());
    (text, name.and_then(base64))
}

/// Names of bits; those without one as a hexadecimal number.
fn names((names, rest): (Vec<&'static str>, u64)) -> Vec<Cow<'static, str>> {
    let rest = (rest != 0).then(|| Cow::Owned(format!("{rest:#x}")));
    names.into_iter().map(Cow::Borrowed).chain(rest).collect()
}
