//! Changes of the file system.

use serde::Serialize;

use super::shown::Shown;
use super::{Legible, Limits};
use crate::human::units::size;
use crate::json::{ChangeRecord, DiffDocument};

/// The section.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct FileChanges {
    known: bool,
    base: Option<String>,
    counts: Vec<(&'static str, u64)>,
    list: Shown<Row>,
    /// Those that the engine made itself.
    noise: Shown<Row>,
    gaps: Vec<&'static str>,
}

#[derive(Clone, Debug, Serialize)]
struct Row {
    path: String,
    change: &'static str,
    kind: &'static str,
    mode: String,
    owner: String,
    size: String,
    modified: String,
    notes: Vec<String>,
}

impl FileChanges {
    pub(super) fn of(
        diff: Option<&DiffDocument<'_>>,
        legible: &Legible<'_>,
        limits: &Limits,
    ) -> Self {
        let Some(diff) = diff else { return Self::default() };
        let counts = &diff.summary;
        let counts = [
            ("added", counts.added),
            ("modified", counts.modified),
            ("written", counts.written),
            ("deleted", counts.deleted),
        ];
        let row = |change: &ChangeRecord<'_>| Row::of(change, legible);
        let (own, noise): (Vec<_>, Vec<_>) =
            diff.changes.iter().partition(|change| change.noise.is_none());
        Self {
            known: true,
            base: diff.base.as_ref().map(|base| legible.text(base.path)),
            counts: counts.into_iter().filter(|(_, count)| *count > 0).collect(),
            list: Shown::first(own, limits.changes, "diff", row),
            noise: Shown::first(noise, limits.changes / 4, "diff", row),
            gaps: diff.gaps.to_vec(),
        }
    }
}

impl Row {
    fn of(change: &ChangeRecord<'_>, legible: &Legible<'_>) -> Self {
        let state = match (&change.now, &change.before) {
            (now, _) if now.kind.is_some() => now,
            (_, Some(before)) => before,
            (now, None) => now,
        };
        let mut notes: Vec<String> = Vec::new();
        notes.extend(state.target.as_deref().map(|target| format!("→ {}", legible.text(target))));
        let bits = state.mode.as_deref().and_then(|mode| u32::from_str_radix(mode, 8).ok());
        if state.kind == Some("file") {
            notes.extend(bits.filter(|bits| bits & 0o4000 != 0).map(|_| "setuid".to_owned()));
            notes.extend(bits.filter(|bits| bits & 0o2000 != 0).map(|_| "setgid".to_owned()));
        }
        notes.extend(state.capabilities.as_ref().map(|caps| legible.text(&caps.text)));
        notes.extend(state.executable.map(|how| format!("executable ({how})")));
        notes
            .extend(state.device.map(|device| format!("device {}:{}", device.major, device.minor)));
        notes.extend(change.risk.as_deref().map(|risk| legible.text(risk)));
        notes.extend(change.opaque.then(|| "made anew".to_owned()));
        notes.extend(
            change.volume.as_deref().map(|volume| format!("volume {}", legible.text(volume))),
        );
        notes.extend(
            change
                .deleted_paths
                .iter()
                .map(|path| format!("CRIU's link to {} (deleted)", legible.text(&path.text))),
        );
        notes.extend(change.noise.map(str::to_owned));
        if !change.what.is_empty() {
            notes.push(format!("other {}", change.what.join(", ")));
        }
        Self {
            path: legible.text(&change.path),
            change: change.change,
            kind: state.kind.unwrap_or("–"),
            mode: state.mode.clone().unwrap_or_default(),
            owner: state
                .uid
                .zip(state.gid)
                .map(|(uid, gid)| format!("{uid}:{gid}"))
                .unwrap_or_default(),
            size: match state.kind {
                Some("file") => state.size.map(size).unwrap_or_default(),
                _ => String::new(),
            },
            modified: state.mtime.clone().unwrap_or_default(),
            notes,
        }
    }
}
