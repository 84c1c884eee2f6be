//! One secret in many places is one secret: it is told once, with how many places have it and the first of them.

use std::cmp::Reverse;
use std::collections::HashMap;

use ckpt_memory::VirtAddr;
use ckpt_model::{Pid, Text};

use super::environment::Variable;
use super::rule::Confidence;
use super::secret::Secret;
use crate::haystack::Place;

/// Most different secrets that are kept, and most bytes of theirs.
const MOST_SECRETS: usize = 10_000;
const MOST_BYTES: usize = 16 << 20;

/// Most places that are kept of each.
const MOST_SPOTS: usize = 8;

/// Where a secret stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Spot {
    /// In a variable of the environment.
    Environment {
        /// The process.
        pid: Pid,
        /// Name of the variable.
        name: Text,
        /// Address of the value.
        address: Option<VirtAddr>,
    },
    /// Elsewhere in memory.
    Memory {
        /// The process.
        pid: Pid,
        /// Address of its first byte.
        address: VirtAddr,
        /// What the mapping is.
        kind: &'static str,
    },
    /// In an artifact.
    Artifact {
        /// Its id.
        id: String,
        /// Its path in the container, or the kernel's word for it.
        path: Option<Text>,
        /// Offset of the first byte.
        offset: u64,
    },
}

impl Spot {
    /// Of a place.
    #[must_use]
    pub fn of(place: &Place<'_>) -> Self {
        match place {
            Place::Memory { task, address, mapping } => {
                Self::Memory { pid: task.pid, address: *address, kind: mapping.kind.word() }
            }
            Place::Artifact { artifact, offset } => Self::Artifact {
                id: artifact.id.clone(),
                path: artifact.path.clone(),
                offset: *offset,
            },
        }
    }

    /// Of a variable.
    #[must_use]
    pub fn variable(variable: &Variable) -> Self {
        let Variable { pid, name, address, .. } = variable;
        Self::Environment { pid: *pid, name: name.clone(), address: *address }
    }

    /// The process that has it.
    #[must_use]
    pub fn pid(&self) -> Option<Pid> {
        match self {
            Self::Environment { pid, .. } | Self::Memory { pid, .. } => Some(*pid),
            Self::Artifact { .. } => None,
        }
    }
}

/// A secret, and where it stands.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FoldedSecret {
    /// The secret, as the rule says that is surest of it.
    pub secret: Secret,
    /// How many places have it.
    pub places: u64,
    /// The first of them, variables before the rest.
    pub spots: Vec<Spot>,
}

/// Gathers secrets, however often each is found, within bounds.
#[derive(Clone, Debug, Default)]
pub struct Folding {
    known: HashMap<[u8; 32], usize>,
    list: Vec<FoldedSecret>,
    bytes: usize,
    left_out: u64,
}

impl Folding {
    /// Takes a secret that was found at places.
    pub fn add(&mut self, secret: Secret, spots: impl IntoIterator<Item = Spot>) {
        let key = *secret.sha256();
        let index = if let Some(index) = self.known.get(&key) {
            *index
        } else {
            let size = secret.value().len().saturating_add(secret.detail().map_or(0, str::len));
            let bytes = self.bytes.saturating_add(size);
            if self.list.len() >= MOST_SECRETS || bytes > MOST_BYTES {
                self.left_out = self.left_out.saturating_add(1);
                return;
            }
            self.bytes = bytes;
            self.known.insert(key, self.list.len());
            self.list.push(FoldedSecret { secret: secret.clone(), places: 0, spots: Vec::new() });
            self.list.len().saturating_sub(1)
        };
        let Some(folded) = self.list.get_mut(index) else { return };
        if secret.confidence() > folded.secret.confidence() {
            folded.secret = secret;
        }
        for spot in spots {
            folded.places = folded.places.saturating_add(1);
            if folded.spots.len() < MOST_SPOTS {
                folded.spots.push(spot);
            }
        }
    }

    /// The secrets, the surest first, then in the order of the rules and of their first places; and how many sightings of
    /// others were left out because there were too many.
    #[must_use]
    pub fn finish(self) -> (Vec<FoldedSecret>, u64) {
        let mut list = self.list;
        list.sort_by_key(|folded| (Reverse(folded.secret.confidence()), folded.secret.kind()));
        (list, self.left_out)
    }

    /// Whether nothing that sure was found.
    #[must_use]
    pub fn is_empty(&self, least: Confidence) -> bool {
        !self.list.iter().any(|folded| folded.secret.confidence() >= least)
    }
}
