//! Mappings and pages that appeared, went or changed.

use std::borrow::Cow;

use ckpt_analysis::compare::{
    Cells, Comparison, Mapped, MappingChange, Mappings, MemoryChange, MemoryNoise, NotCompared,
    Region, Row,
};
use ckpt_memory::VirtAddr;
use data_encoding::HEXLOWER;
use serde::Serialize;

use super::CompareShow;
use crate::json::shared::{address, base64, lossless};

/// Mappings of matched processes.
#[derive(Clone, Debug, Serialize)]
pub struct MappingChangeRecords<'a> {
    /// Only in B.
    pub added: Vec<MappedRecord<'a>>,
    /// Only in A.
    pub removed: Vec<MappedRecord<'a>>,
    /// In both, and different.
    pub changed: Vec<MappingChangeRecord<'a>>,
    /// How many are in both and not different.
    pub unchanged: u64,
}

impl<'a> MappingChangeRecords<'a> {
    pub(super) fn of(found: &'a Mappings) -> Self {
        let list = |mapped: &'a [Mapped]| mapped.iter().map(MappedRecord::of).collect();
        Self {
            added: list(&found.added),
            removed: list(&found.removed),
            changed: found.changed.iter().map(MappingChangeRecord::of).collect(),
            unchanged: found.unchanged,
        }
    }
}

/// A mapping of a process.
#[derive(Clone, Debug, Serialize)]
pub struct MappedRecord<'a> {
    /// The process.
    pub pid: u32,
    /// The mapping.
    #[serde(flatten)]
    pub region: RegionRecord<'a>,
}

impl<'a> MappedRecord<'a> {
    fn of(mapped: &'a Mapped) -> Self {
        Self { pid: mapped.pid.0, region: RegionRecord::of(&mapped.region) }
    }
}

/// A mapping, or a part of one, by the names that `maps` has for it.
#[derive(Clone, Debug, Serialize)]
pub struct RegionRecord<'a> {
    /// First address.
    pub start: String,
    /// First address after it.
    pub end: String,
    /// `rw-p`.
    pub perms: String,
    /// `anon`, `heap`, `stack`, `file-private` and so on.
    pub kind: &'static str,
    /// The last column of `/proc/PID/maps`.
    pub path: Option<Cow<'a, str>>,
    /// Bytes of `path`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_base64: Option<String>,
    /// Offset in the file or segment, bytes.
    pub offset: u64,
}

impl<'a> RegionRecord<'a> {
    fn of(region: &'a Region) -> Self {
        Self {
            start: address(region.start),
            end: address(region.end),
            perms: region.perms.to_string(),
            kind: region.kind.word(),
            path: region.name.as_deref().map(lossless),
            path_base64: region.name.as_deref().and_then(base64),
            offset: region.offset,
        }
    }
}

/// A mapping that changed.
#[derive(Clone, Debug, Serialize)]
pub struct MappingChangeRecord<'a> {
    /// The process in B.
    pub pid: u32,
    /// `range`, `perms`, `name`, `kind`.
    pub what: Vec<&'static str>,
    /// In A.
    pub a: RegionRecord<'a>,
    /// In B.
    pub b: RegionRecord<'a>,
}

impl<'a> MappingChangeRecord<'a> {
    fn of(change: &'a MappingChange) -> Self {
        Self {
            pid: change.b.pid.0,
            what: change.what.iter().map(|fact| fact.word()).collect(),
            a: RegionRecord::of(&change.a.region),
            b: RegionRecord::of(&change.b.region),
        }
    }
}

/// Pages of a mapping.
#[derive(Clone, Debug, Serialize)]
pub struct MemoryChangeRecord<'a> {
    /// The process in B.
    pub pid: u32,
    /// The process in A, where it has another number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid_a: Option<u32>,
    /// The mapping in B; what B has no mapping for, in A.
    #[serde(flatten)]
    pub region: RegionRecord<'a>,
    /// Where A has it, when that is another address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_a: Option<String>,
    /// Captured in both, and not the same.
    pub pages_changed: u64,
    /// Captured in B alone.
    pub pages_added: u64,
    /// Captured in A alone.
    pub pages_removed: u64,
    /// Not there on one side, though they should be.
    pub pages_unknown: u64,
    /// Known causes, and how many of the differing pages each explains.
    pub noise: Vec<MemoryNoiseRecord>,
    /// Rows that differ, where asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<Vec<RowRecord>>,
    /// There are more rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub more_rows: Option<bool>,
}

impl<'a> MemoryChangeRecord<'a> {
    pub(super) fn of(
        comparison: &Comparison<'_>,
        change: &'a MemoryChange,
        show: &CompareShow,
    ) -> Self {
        let rows = show.rows.map(|limit| comparison.rows(change, limit));
        Self {
            pid: change.pid.0,
            pid_a: (change.pid_a != change.pid).then_some(change.pid_a.0),
            region: RegionRecord::of(&change.region),
            start_a: change.start_a.map(address),
            pages_changed: change.pages.changed,
            pages_added: change.pages.added,
            pages_removed: change.pages.removed,
            pages_unknown: change.pages.unknown,
            noise: change.noise.iter().map(MemoryNoiseRecord::of).collect(),
            more_rows: rows.as_ref().map(|rows| rows.more),
            rows: rows.map(|rows| rows.list.iter().map(RowRecord::of).collect()),
        }
    }
}

/// A known cause of differences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct MemoryNoiseRecord {
    /// `vdso`, `criu-injection`, `rseq`.
    pub what: &'static str,
    /// Pages that it explains.
    pub pages: u64,
}

impl MemoryNoiseRecord {
    fn of((noise, pages): &(MemoryNoise, u64)) -> Self {
        Self { what: noise.word(), pages: *pages }
    }
}

/// Sixteen bytes of which some differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RowRecord {
    /// Address in B.
    pub address: Option<String>,
    /// Address in A, where it is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address_a: Option<String>,
    /// Bytes in A, hexadecimal; `null` where there are none.
    pub a: Option<String>,
    /// Bytes in B.
    pub b: Option<String>,
    /// Why A has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why_a: Option<&'static str>,
    /// Why B has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why_b: Option<&'static str>,
}

impl RowRecord {
    fn of(row: &Row) -> Self {
        let here = |at: Option<VirtAddr>| at.map(address);
        let (a, why_a) = cells(&row.a, row.len);
        let (b, why_b) = cells(&row.b, row.len);
        let address_a = here(row.at_a).filter(|_| row.at_a != row.at_b);
        Self { address: here(row.at_b), address_a, a, b, why_a, why_b }
    }
}

fn cells(cells: &Cells, len: u64) -> (Option<String>, Option<&'static str>) {
    match cells {
        Cells::Bytes(bytes) => (Some(HEXLOWER.encode(bytes)), None),
        Cells::Zeros => {
            let len = usize::try_from(len).unwrap_or_default();
            (Some("00".repeat(len)), None)
        }
        Cells::NotCaptured => (None, Some("not-captured")),
        Cells::Missing(why) => (None, Some(why.word())),
        _ => (None, Some("unmapped")),
    }
}

/// A process whose memory was not compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct NotComparedRecord {
    /// The process in B.
    pub pid: u32,
    /// What it is to the one in A: another program image has other addresses.
    pub identity: &'static str,
}

impl NotComparedRecord {
    pub(super) fn of(process: &NotCompared) -> Self {
        Self { pid: process.pid.0, identity: process.identity.word() }
    }
}
