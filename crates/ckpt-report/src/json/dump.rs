//! Facts of the dump in `info`: CRIU, the host, image directories, and what became of every member.

use std::borrow::Cow;

use ckpt_model::{Account, Accounting, Checkpoint, CriuFacts, Host, ImageDirectory, Standing};
use criu_image::ByteOrder;
use serde::Serialize;

use super::shared::{TextRecord, base64, fields};
use super::tree::StaleRecord;
use crate::times;
use crate::words::{self, Word};
/// The CRIU that dumped.
#[derive(Clone, Debug, Serialize)]
pub struct CriuRecord<'a> {
    /// Version, where the archive states it.
    pub version: Option<String>,
    /// What the images tell of the version.
    pub inferred: Option<&'static str>,
    /// `inventory.img_version`.
    pub image_version: Option<u32>,
    /// UUID of the run.
    pub run_id: Option<String>,
    /// Plugins that took part.
    pub plugins: Vec<String>,
    /// `none`, `lz4-page` or `lz4-region`.
    pub compression: Option<Word>,
    /// Whether TCP connections were closed instead of dumped.
    pub tcp_close: Option<bool>,
    /// Security module of the host: `none`, `selinux` or `apparmor`.
    pub lsm: Option<Word>,
    /// Uptime of the host when the dump began, microseconds.
    pub uptime_us: Option<u64>,
    /// `little` or `big`.
    pub byte_order: &'static str,
    /// Bytes of a page.
    pub page_size: u64,
    /// How that is known: `pages-file`, `auxv`, `alignment` or `architecture`.
    pub page_size_source: &'static str,
    /// What else the dump log says.
    pub log: Option<LogRecord<'a>>,
}

/// What the dump log says of the dump.
#[derive(Clone, Debug, Serialize)]
pub struct LogRecord<'a> {
    /// Path of the log.
    pub path: Cow<'a, str>,
    /// Bytes of `path`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_base64: Option<String>,
    /// Host name, kernel and architecture that CRIU ran on.
    pub running_on: Option<Cow<'a, str>>,
    /// Bytes of `running_on`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub running_on_base64: Option<String>,
    /// `succeeded`, `failed`, or null when the log ends before it says.
    pub outcome: Option<&'static str>,
    /// Its lines that begin with `Error`.
    pub errors: Vec<TextRecord<'a>>,
}

impl<'a> CriuRecord<'a> {
    pub(super) fn of(checkpoint: &'a Checkpoint, facts: CriuFacts) -> Self {
        let (page_size, source) = checkpoint.page_size();
        Self {
            version: facts.version,
            inferred: facts.inferred,
            image_version: facts.image_version,
            run_id: facts.run_id.map(|id| id.lossless().into_owned()),
            plugins: facts.plugins.iter().map(|plugin| plugin.lossless().into_owned()).collect(),
            compression: facts.compression.map(words::compression),
            tcp_close: facts.tcp_close,
            lsm: facts.lsm.map(words::lsm),
            uptime_us: facts.uptime_us,
            byte_order: match checkpoint.byte_order() {
                ByteOrder::Little => "little",
                ByteOrder::Big => "big",
            },
            page_size,
            page_size_source: words::page_size_source(source),
            log: checkpoint.dump_log().map(|log| {
                let (running_on, running_on_base64) = fields(log.running_on.as_ref());
                LogRecord {
                    path: log.path.lossless(),
                    path_base64: base64(log.path.as_bytes()),
                    running_on,
                    running_on_base64,
                    outcome: match (log.failed, log.succeeded) {
                        (true, _) => Some("failed"),
                        (false, true) => Some("succeeded"),
                        (false, false) => None,
                    },
                    errors: log.errors.iter().map(TextRecord::of).collect(),
                }
            }),
        }
    }
}

/// The host that the container ran on.
#[derive(Clone, Debug, Serialize)]
pub struct HostRecord<'a> {
    /// Kernel release.
    pub kernel: Option<&'a str>,
    /// Architecture, in the words of the source.
    pub arch: Option<&'a str>,
    /// Distribution.
    pub distribution: Option<&'a str>,
}

impl<'a> HostRecord<'a> {
    pub(super) fn of(host: &'a Host) -> Self {
        Self {
            kernel: host.kernel.as_deref(),
            arch: host.arch.as_deref(),
            distribution: host.distribution.as_deref(),
        }
    }
}

/// A folder of images.
#[derive(Clone, Debug, Serialize)]
pub struct ImageDirectoryRecord<'a> {
    /// Path in the evidence; empty for its top.
    pub path: Cow<'a, str>,
    /// Bytes of `path`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_base64: Option<String>,
    /// `full`, `pre-dump` or `incomplete`.
    pub kind: &'static str,
    /// Whether it is the one that is shown.
    pub chosen: bool,
    /// Its parent, for an incremental dump.
    pub parent: Option<ParentRecord<'a>>,
    /// Modification time of its youngest image, RFC 3339.
    pub modified: Option<String>,
}

/// The `parent` link of an incremental dump.
#[derive(Clone, Debug, Serialize)]
pub struct ParentRecord<'a> {
    /// Target as written.
    pub target: Cow<'a, str>,
    /// Bytes of `target`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_base64: Option<String>,
    /// The folder in this evidence that it leads to.
    pub found: Option<Cow<'a, str>>,
}

impl<'a> ImageDirectoryRecord<'a> {
    pub(super) fn of(directory: &'a ImageDirectory, chosen: Option<&ImageDirectory>) -> Self {
        Self {
            path: directory.path.lossless(),
            path_base64: base64(directory.path.as_bytes()),
            kind: directory.kind.word(),
            chosen: chosen == Some(directory),
            parent: directory.parent.as_ref().map(|parent| ParentRecord {
                target: parent.target.lossless(),
                target_base64: base64(parent.target.as_bytes()),
                found: parent.found.as_ref().map(ckpt_model::Text::lossless),
            }),
            modified: times::seconds(directory.modified),
        }
    }
}

/// A member of the evidence.
#[derive(Clone, Debug, Serialize)]
pub struct MemberRecord {
    /// Its path.
    pub path: String,
    /// Bytes of `path`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_base64: Option<String>,
    /// Bytes.
    pub size: u64,
}

impl MemberRecord {
    pub(super) fn of(account: &Account) -> Self {
        Self {
            path: account.path.lossless().into_owned(),
            path_base64: base64(account.path.as_bytes()),
            size: account.size,
        }
    }
}

/// What was made of the members: nothing in the evidence is dropped in silence.
#[derive(Clone, Debug, Serialize)]
pub struct ImagesRecord<'a> {
    /// How many were parsed.
    pub parsed: usize,
    /// Known by name; nothing is made of their content.
    pub recognised: Vec<MemberRecord>,
    /// Neither.
    pub unknown: Vec<MemberRecord>,
    /// Left behind by an earlier dump.
    pub stale: Vec<StaleRecord<'a>>,
}

impl<'a> ImagesRecord<'a> {
    pub(super) fn of(checkpoint: &'a Checkpoint, accounting: &Accounting) -> Self {
        let members = |standing| accounting.of(standing).map(MemberRecord::of).collect();
        Self {
            parsed: accounting.of(Standing::Parsed).count(),
            recognised: members(Standing::Recognised),
            unknown: members(Standing::Unknown),
            stale: checkpoint.stale().iter().map(StaleRecord::of).collect(),
        }
    }
}
