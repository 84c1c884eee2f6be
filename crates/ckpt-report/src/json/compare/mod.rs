//! `diff A B`: two checkpoints against each other.

mod content;
mod kernel;
mod lines;
mod memory;
mod processes;

use ckpt_analysis::compare::{Comparison, Fact};
use ckpt_model::Checkpoint;
use serde::Serialize;

pub use content::*;
pub use kernel::*;
pub use lines::write_compare_lines;
pub use memory::*;
pub use processes::*;

use super::shared::{DefectRecord, EvidenceRecord, defects as defect_records};

/// What stands in the document beside what differs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CompareShow {
    /// What is the same, too.
    pub unchanged: bool,
    /// Rows of differing bytes, at most so many of a mapping.
    pub rows: Option<usize>,
}

/// `ckpt-inspect/compare/1`. A part that was not asked for is `null`.
#[derive(Clone, Debug, Serialize)]
pub struct CompareDocument<'a> {
    /// Name and version of this form.
    pub schema: &'static str,
    /// The first checkpoint, A.
    pub evidence: EvidenceRecord<'a>,
    /// The second, B.
    pub evidence_b: EvidenceRecord<'a>,
    /// Whether the containers have one id; `null` when one of them has none.
    pub same_container: Option<bool>,
    /// How processes were matched: `pid` or `role`.
    pub matched_by: &'static str,
    /// Whether a process of A goes on in B.
    pub continued: bool,
    /// What inode numbers of pipes and sockets are worth: `kept`, `renumbered` or `unrelated`.
    pub inodes: &'static str,
    /// Whether A is all there; what an archive that was cut lacks is no difference.
    pub whole_a: bool,
    /// Whether B is.
    pub whole_b: bool,
    /// Facts about the containers.
    pub container: Option<FactRecords<'a>>,
    /// Processes.
    pub processes: Option<ProcessChangeRecords<'a>>,
    /// Descriptors of matched processes.
    pub files: Option<DescriptorChangeRecords<'a>>,
    /// Sockets.
    pub sockets: Option<SocketChangeRecords<'a>>,
    /// Mounts.
    pub mounts: Option<MountChangeRecords<'a>>,
    /// Mappings of matched processes.
    pub mappings: Option<MappingChangeRecords<'a>>,
    /// Mappings whose pages differ, or are not there to be compared.
    pub memory: Option<Vec<MemoryChangeRecord<'a>>>,
    /// Matched processes whose memory was not compared.
    pub memory_not_compared: Option<Vec<NotComparedRecord>>,
    /// Bytes of the pages that `memory` counts.
    pub page_size: Option<u64>,
    /// Changes of the file system.
    pub filesystem: Option<Vec<FileChangeRecord<'a>>>,
    /// Paths that both tell of in the same way, when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filesystem_unchanged: Option<Vec<FileChangeRecord<'a>>>,
    /// What the list of files cannot show, as sentences.
    pub gaps: &'a [String],
    /// What only the checkpoints hold as files.
    pub artifacts: Option<ArtifactChangeRecords<'a>>,
    /// What could not be read, of both.
    pub defects: Vec<SidedDefectRecord>,
}

/// The comparison as a document.
#[must_use]
pub fn compare<'a>(comparison: &'a Comparison<'a>, show: &CompareShow) -> CompareDocument<'a> {
    let memory = comparison.memory.as_ref();
    let filesystem = comparison.filesystem.as_ref();
    let mut document = CompareDocument {
        schema: "ckpt-inspect/compare/1",
        evidence: EvidenceRecord::of(comparison.a),
        evidence_b: EvidenceRecord::of(comparison.b),
        same_container: comparison.matching.one_container,
        matched_by: comparison.matching.by.word(),
        continued: comparison.matching.continued,
        inodes: comparison.inodes.word(),
        whole_a: comparison.whole_a,
        whole_b: comparison.whole_b,
        container: comparison.container.as_ref().map(|facts| FactRecords::of(facts, show)),
        processes: comparison
            .processes
            .as_ref()
            .map(|found| ProcessChangeRecords::of(&comparison.matching, found, show)),
        files: comparison
            .descriptors
            .as_ref()
            .map(|found| DescriptorChangeRecords::of(found, show)),
        sockets: comparison
            .sockets
            .as_ref()
            .map(|found| SocketChangeRecords::of(comparison, found, show)),
        mounts: comparison.mounts.as_ref().map(|found| MountChangeRecords::of(found, show)),
        mappings: memory.map(|found| MappingChangeRecords::of(&found.mappings)),
        memory: memory.map(|found| {
            found.changes.iter().map(|one| MemoryChangeRecord::of(comparison, one, show)).collect()
        }),
        memory_not_compared: memory
            .map(|found| found.not_compared.iter().map(NotComparedRecord::of).collect()),
        page_size: memory.map(|found| found.page_size),
        filesystem: filesystem
            .map(|found| found.changes.iter().map(FileChangeRecord::of).collect()),
        filesystem_unchanged: filesystem
            .filter(|_| show.unchanged)
            .map(|found| found.unchanged.iter().map(FileChangeRecord::of).collect()),
        gaps: filesystem.map(|found| found.gaps.as_slice()).unwrap_or_default(),
        artifacts: comparison
            .artifacts
            .as_ref()
            .map(|found| ArtifactChangeRecords::of(found, show)),
        defects: Vec::new(),
    };
    // Last, because reading finds defects.
    document.defects = [("a", comparison.a), ("b", comparison.b)]
        .into_iter()
        .flat_map(|(of, checkpoint)| SidedDefectRecord::list(of, checkpoint))
        .collect();
    document
}

/// A defect and the checkpoint that has it.
#[derive(Clone, Debug, Serialize)]
pub struct SidedDefectRecord {
    /// The defect.
    #[serde(flatten)]
    pub defect: DefectRecord,
    /// `a` or `b`.
    pub of: &'static str,
}

impl SidedDefectRecord {
    fn list(of: &'static str, checkpoint: &Checkpoint) -> impl Iterator<Item = Self> {
        defect_records(checkpoint).into_iter().map(move |defect| Self { defect, of })
    }
}

/// Facts about the containers.
#[derive(Clone, Debug, Serialize)]
pub struct FactRecords<'a> {
    /// Different.
    pub changed: Vec<FactRecord<'a>>,
    /// Told by one of them alone.
    pub one_sided: Vec<FactRecord<'a>>,
    /// The same, when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unchanged: Option<Vec<FactRecord<'a>>>,
}

impl<'a> FactRecords<'a> {
    fn of(facts: &'a [Fact], show: &CompareShow) -> Self {
        let list = |wanted: fn(&Fact) -> bool| {
            facts.iter().filter(|fact| wanted(fact)).map(FactRecord::of).collect()
        };
        Self {
            changed: list(Fact::differs),
            one_sided: list(Fact::one_sided),
            unchanged: show.unchanged.then(|| list(|fact| !fact.differs() && !fact.one_sided())),
        }
    }
}

/// A fact.
#[derive(Clone, Debug, Serialize)]
pub struct FactRecord<'a> {
    /// What it is.
    pub what: &'static str,
    /// In A.
    pub a: Option<&'a str>,
    /// In B.
    pub b: Option<&'a str>,
    /// Why this says nothing about the container: `moment`, when the checkpoints were made.
    pub noise: Option<&'static str>,
}

impl<'a> FactRecord<'a> {
    fn of(fact: &'a Fact) -> Self {
        let noise = (fact.differs() && fact.always_differs()).then_some("moment");
        Self { what: fact.what, a: fact.a.as_deref(), b: fact.b.as_deref(), noise }
    }
}
