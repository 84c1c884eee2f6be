//! User namespaces: which users of the host those of the container are.
//!
//! Ids in every other image are those of the container.
//!
//! Source: `criu/images/userns.proto`; `/proc/PID/uid_map`.

use criu_image::ImageKind;
use criu_image::messages::{UidGidExtent, UsernsEntry};

use crate::Checkpoint;

/// A user namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserNamespace {
    /// CRIU's small id.
    pub ns: u32,
    /// Users.
    pub users: Vec<IdRange>,
    /// Groups.
    pub groups: Vec<IdRange>,
}

/// Ids that follow each other inside and outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdRange {
    /// The first one, as the container has it.
    pub inside: u32,
    /// The first one, as the namespace outside has it: the host's, as a rule.
    pub outside: u32,
    /// How many.
    pub count: u32,
}

impl IdRange {
    fn of(raw: &UidGidExtent) -> Self {
        Self { inside: raw.first, outside: raw.lower_first, count: raw.count }
    }
}

impl Checkpoint {
    /// The user namespaces that were dumped, by CRIU's small id; none where the container's ids are the host's.
    #[must_use]
    pub fn user_namespaces(&self) -> Vec<UserNamespace> {
        let Some(images) = self.images() else { return Vec::new() };
        let read = |id: u64| {
            let entry: UsernsEntry = images.one(ImageKind::Userns, Some(id), self.told())?;
            Some(UserNamespace {
                ns: u32::try_from(id).ok()?,
                users: entry.uid_map.iter().map(IdRange::of).collect(),
                groups: entry.gid_map.iter().map(IdRange::of).collect(),
            })
        };
        images.ids(ImageKind::Userns).into_iter().filter_map(read).collect()
    }
}
