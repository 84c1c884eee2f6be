//! Which changes to show.

use jiff::Timestamp;

use super::change::{Change, ChangeKind};
use super::glob::Glob;

/// Which changes to show: those that meet every condition.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ChangeFilter {
    /// Of these kinds; all when empty. What may have been added or modified counts as both.
    pub only: Vec<ChangeKind>,
    /// Whose path matches one of these; all when empty.
    pub paths: Vec<Glob>,
    /// Only what can be run: ELF files, scripts, files with an execute bit.
    pub executable: bool,
    /// Only what gives rights of others to whoever runs it: set-user-id, set-group-id, file capabilities.
    pub gives_rights: bool,
    /// Only what was last modified after this. The container can set such times as it likes; what was deleted has none.
    pub newer: Option<Timestamp>,
}

impl ChangeFilter {
    /// Whether a change is shown.
    #[must_use]
    pub fn shows(&self, change: &Change) -> bool {
        let state = change.state.as_ref();
        let newer = |than: Timestamp| {
            let than = (than.as_second(), than.subsec_nanosecond());
            state.is_some_and(|state| {
                let nanos = i32::try_from(state.mtime.nanos).unwrap_or_default();
                // Before 1970 both fields of the one are negative, and the fraction of the other counts forward.
                let (secs, fraction) = than;
                let than = if fraction < 0 {
                    (secs.saturating_sub(1), fraction.saturating_add(1_000_000_000))
                } else {
                    than
                };
                (state.mtime.secs, nanos) > than
            })
        };
        (self.only.is_empty() || self.only.iter().any(|kind| is(change.kind, *kind)))
            && (self.paths.is_empty() || {
                self.paths.iter().any(|glob| glob.matches(change.path.as_bytes()))
            })
            && (!self.executable || state.is_some_and(|state| state.executable.is_some()))
            && (!self.gives_rights || state.is_some_and(super::FileState::gives_rights))
            && self.newer.is_none_or(newer)
    }
}

fn is(kind: ChangeKind, wanted: ChangeKind) -> bool {
    let may_be =
        kind == ChangeKind::Written && matches!(wanted, ChangeKind::Added | ChangeKind::Modified);
    kind == wanted || may_be
}
