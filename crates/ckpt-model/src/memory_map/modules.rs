//! The ELF objects in an address space: programs, libraries, the vdso, and what was loaded without a file.

use std::collections::BTreeMap;
use std::sync::Arc;

use ckpt_memory::{AddressSpace, Backing, Mapping, MappingKind, Span, VirtAddr};

use super::elf::{Identity, is_elf};
use crate::Checkpoint;
use crate::files::fd_type;

/// An ELF object that a process has mapped.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Module {
    /// Lowest address of its mappings.
    pub start: VirtAddr,
    /// Highest address, exclusive.
    pub end: VirtAddr,
    /// As `/proc/PID/maps` names it; `None` in memory without a file.
    pub name: Option<Arc<[u8]>>,
    /// Whether the file was deleted.
    pub deleted: bool,
    /// What it says of itself.
    pub identity: Identity,
    /// Where that was read.
    pub source: IdentitySource,
}

/// Where an identity was read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdentitySource {
    /// The file, and whose bytes it has.
    File(Arc<str>),
    /// Captured memory.
    Memory,
    /// The build id that CRIU noted in `files.img`; nothing else is known.
    Noted,
}

impl IdentitySource {
    /// The word in JSON.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::File(_) => "file",
            Self::Memory => "memory",
            Self::Noted => "files.img",
        }
    }
}

pub(super) fn find(checkpoint: &Checkpoint, space: &AddressSpace) -> Vec<Module> {
    let mut modules = of_files(checkpoint, space);
    modules.extend(in_memory(space));
    modules.sort_by_key(|module| module.start);
    modules
}

/// Files with an executable mapping, and memfds, each once.
fn of_files(checkpoint: &Checkpoint, space: &AddressSpace) -> Vec<Module> {
    let mut files: BTreeMap<u64, Vec<&Mapping>> = BTreeMap::new();
    for mapping in space.mappings() {
        let memfd = matches!(mapping.kind, MappingKind::MemfdPrivate | MappingKind::MemfdShared);
        if mapping.kind.is_file() || memfd {
            files.entry(mapping.vma.shmid).or_default().push(mapping);
        }
    }
    let modules = files.into_iter().filter_map(|(id, mappings)| {
        let (first, last) = (mappings.first()?, mappings.last()?);
        let (identity, source) = identity(checkpoint, space, id, &mappings)?;
        Some(Module {
            start: first.start,
            end: last.end,
            name: first.name.clone(),
            deleted: first.deleted,
            identity,
            source,
        })
    });
    modules.collect()
}

fn identity(
    checkpoint: &Checkpoint,
    space: &AddressSpace,
    id: u64,
    mappings: &[&Mapping],
) -> Option<(Identity, IdentitySource)> {
    for mapping in mappings {
        let found = match &mapping.backing {
            Backing::File(file) => {
                let identity = Identity::of(file.content.as_ref());
                identity.map(|identity| (identity, IdentitySource::File(Arc::clone(&file.source))))
            }
            Backing::Shared(memory) => {
                Identity::of(memory.as_ref()).map(|identity| (identity, IdentitySource::Memory))
            }
            _ => None,
        };
        if found.is_some() {
            return found;
        }
    }
    let header = mappings.iter().find(|mapping| mapping.offset() == 0);
    if let Some(identity) = header.and_then(|header| Identity::in_memory(space, header.start)) {
        return Some((identity, IdentitySource::Memory));
    }
    let id = u32::try_from(id).ok()?;
    let reg = checkpoint.files().get(fd_type::REG, id)?.reg.as_ref()?;
    let noted: Vec<u8> = reg.build_id.iter().flat_map(|word| word.to_le_bytes()).collect();
    let executable = mappings.iter().any(|mapping| mapping.executable());
    if noted.is_empty() && !executable {
        return None;
    }
    let build_id = (!noted.is_empty()).then_some(noted);
    Some((Identity { build_id, ..Identity::default() }, IdentitySource::Noted))
}

/// Objects in memory without a file: the vdso, and what was put there by hand. A header counts at the start of a mapping
/// and of captured pages.
fn in_memory(space: &AddressSpace) -> Vec<Module> {
    let mut modules = Vec::new();
    let candidates = space.mappings().iter().filter(|mapping| {
        mapping.kind.is_anonymous()
            || matches!(mapping.kind, MappingKind::Vdso | MappingKind::AnonShared)
    });
    for mapping in candidates {
        let mut end = None;
        for span in space.spans(mapping.start, mapping.len()) {
            let Span::Bytes { start, bytes, .. } = span else { continue };
            let follows = end == Some(start);
            end = start.checked_add(bytes.len() as u64);
            if follows || !is_elf(&bytes) {
                continue;
            }
            if let Some(identity) = Identity::in_memory(space, start) {
                modules.push(Module {
                    start,
                    end: mapping.end,
                    name: mapping.name.clone(),
                    deleted: false,
                    identity,
                    source: IdentitySource::Memory,
                });
            }
        }
    }
    modules
}
