//! Descriptors that were opened, closed or changed, in the processes that both checkpoints have.

use std::cmp::Ordering;
use std::collections::HashMap;

use ckpt_model::{Checkpoint, Descriptor, Pid};

use super::inodes::{Inodes, without_number};
use super::matching::Matching;
use super::whole::Deletions;

/// `O_CLOEXEC`, the same on every architecture that CRIU knows; `/proc` shows it among the flags of the open file, though it
/// belongs to the descriptor.
const O_CLOEXEC: u32 = 0o2_000_000;

/// Descriptors that are compared again in processes whose tables are those of others. An honest dump has few of them; one that
/// is made so has the product of its processes and descriptors.
const MOST_AGAIN: usize = 1 << 14;

/// What of a descriptor is different.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DescriptorFact {
    /// File, pipe, socket and so on.
    Type,
    /// What it refers to.
    Target,
    /// Offset.
    Pos,
    /// Flags of the open file.
    Flags,
    /// Whether it is closed on `execve`.
    Cloexec,
    /// The file lost its name, or another one took its place.
    Deleted,
}

impl DescriptorFact {
    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Target => "target",
            Self::Pos => "pos",
            Self::Flags => "flags",
            Self::Cloexec => "cloexec",
            Self::Deleted => "deleted",
        }
    }
}

/// A descriptor and the process that has it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Held<'a> {
    /// The process, as its own checkpoint numbers it.
    pub pid: Pid,
    /// The descriptor.
    pub descriptor: &'a Descriptor,
}

/// A number that is open in both, and not to the same thing or not in the same way.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DescriptorChange<'a> {
    /// In the first checkpoint.
    pub a: Held<'a>,
    /// In the second.
    pub b: Held<'a>,
    /// What differs.
    pub what: Vec<DescriptorFact>,
}

/// A matched process whose descriptors are those of another one in both checkpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SameTables {
    /// The process in the first checkpoint.
    pub pid_a: Pid,
    /// The process in the second.
    pub pid: Pid,
    /// The other process in the second, of which is told what there is to tell of both.
    pub same_as: Pid,
}

/// Descriptors of the matched processes. Those of processes that came or went came or went with them.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Descriptors<'a> {
    /// Only in the second, by process and number.
    pub opened: Vec<Held<'a>>,
    /// Only in the first.
    pub closed: Vec<Held<'a>>,
    /// In both, and different.
    pub changed: Vec<DescriptorChange<'a>>,
    /// In both, and not different; the second's.
    pub unchanged: Vec<Held<'a>>,
    /// Processes that are left out because all that could be told of them is told of another one.
    pub same: Vec<SameTables>,
}

pub(super) fn compare<'a>(
    matching: &Matching<'a>,
    (a, b): (&'a Checkpoint, &'a Checkpoint),
    inodes: Inodes,
    deletions: Deletions,
) -> Descriptors<'a> {
    let mut found = Descriptors::default();
    let mut told: HashMap<(Pid, Pid), Pid> = HashMap::new();
    let mut left = MOST_AGAIN;
    for pair in &matching.pairs {
        let (all_a, all_b) = (a.descriptors(), b.descriptors());
        let tables = all_a.first_with(pair.a.pid).zip(all_b.first_with(pair.b.pid));
        if let Some(tables) = tables {
            let same_as = *told.entry(tables).or_insert(pair.b.pid);
            let all = all_a.of(pair.a.pid).len().saturating_add(all_b.of(pair.b.pid).len());
            if same_as != pair.b.pid {
                let Some(rest) = left.checked_sub(all) else {
                    let (pid_a, pid) = (pair.a.pid, pair.b.pid);
                    found.same.push(SameTables { pid_a, pid, same_as });
                    continue;
                };
                left = rest;
            }
        }
        let held = |pid| move |descriptor| Held { pid, descriptor };
        let mut one = a.descriptors().of(pair.a.pid).iter().map(held(pair.a.pid)).peekable();
        let mut other = b.descriptors().of(pair.b.pid).iter().map(held(pair.b.pid)).peekable();
        loop {
            let order = match (one.peek(), other.peek()) {
                (Some(one), Some(other)) => one.descriptor.fd.cmp(&other.descriptor.fd),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => break,
            };
            match order {
                Ordering::Less => found.closed.extend(one.next()),
                Ordering::Greater => found.opened.extend(other.next()),
                Ordering::Equal => {
                    let Some((a, b)) = one.next().zip(other.next()) else { break };
                    let what = differences(a.descriptor, b.descriptor, inodes, deletions);
                    if what.is_empty() {
                        found.unchanged.push(b);
                    } else {
                        found.changed.push(DescriptorChange { a, b, what });
                    }
                }
            }
        }
    }
    found
}

fn differences(
    a: &Descriptor,
    b: &Descriptor,
    inodes: Inodes,
    deletions: Deletions,
) -> Vec<DescriptorFact> {
    let target = match (&a.target, &b.target) {
        (Some(one), Some(other)) if inodes == Inodes::Kept => {
            deletions.text(one) != deletions.text(other)
        }
        (Some(one), Some(other)) => {
            deletions.name(without_number(one)) != deletions.name(without_number(other))
        }
        _ => false,
    };
    // Told by itself.
    let own = |flags: u32| flags & !O_CLOEXEC;
    let flags = matches!((a.flags, b.flags), (Some(a), Some(b)) if own(a) != own(b));
    [
        (a.kind != b.kind, DescriptorFact::Type),
        (target, DescriptorFact::Target),
        (matches!((a.pos, b.pos), (Some(a), Some(b)) if a != b), DescriptorFact::Pos),
        (flags, DescriptorFact::Flags),
        (a.cloexec != b.cloexec, DescriptorFact::Cloexec),
        (deletions.told() && a.deleted != b.deleted, DescriptorFact::Deleted),
    ]
    .into_iter()
    .filter_map(|(differs, fact)| differs.then_some(fact))
    .collect()
}
