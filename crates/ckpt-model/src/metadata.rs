//! The small members that engines write beside the images.

use std::collections::BTreeMap;

use bytes::Bytes;
use ckpt_archive::{Evidence, Member, MemberKind};

use crate::Text;
use crate::defect::Defects;
use crate::locate::{ancestors, join, split};

/// Largest description that is read, bytes. Real ones stay below a few hundred KiB.
const MAX_DESCRIPTION: u64 = 64 << 20;

/// Access to the descriptions of one container.
#[derive(Debug)]
pub(crate) struct Metadata<'a> {
    evidence: &'a Evidence,
    /// The container's folder.
    folder: &'a [u8],
    defects: &'a Defects,
}

impl<'a> Metadata<'a> {
    pub(crate) fn new(evidence: &'a Evidence, folder: &'a [u8], defects: &'a Defects) -> Self {
        Self { evidence, folder, defects }
    }

    /// Annotations of the checkpoint image, when the evidence is one.
    pub(crate) fn image_annotations(&self) -> &'a BTreeMap<String, String> {
        self.evidence.annotations()
    }

    /// The member of that name in the container's folder.
    pub(crate) fn member(&self, name: &str) -> Option<&'a Member> {
        let member = self.evidence.get(&join(self.folder, name.as_bytes()))?;
        matches!(member.kind, MemberKind::File | MemberKind::HardLink).then_some(member)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.member(name).is_some()
    }

    /// Place and bytes of the first of these members that is there and not empty.
    pub(crate) fn find(&self, names: &[&str]) -> Option<(String, Bytes)> {
        names.iter().find_map(|name| self.read(self.member(name)?))
    }

    /// Place and bytes of the member of that name nearest to the images: in their folder, above it up to the
    /// container's, or in a work directory beside or below those.
    pub(crate) fn near(&self, images: &[u8], name: &str) -> Option<(String, Bytes)> {
        let above = ancestors(images).take_while(|path| within(path, self.folder));
        let direct = above.filter_map(|folder| self.evidence.get(&join(folder, name.as_bytes())));
        let elsewhere = self.evidence.members().iter().filter(|member| {
            let (folder, found) = split(&member.path);
            found == name.as_bytes() && within(folder, self.folder) && is_work_directory(folder)
        });
        direct.chain(elsewhere).find_map(|member| self.read(member))
    }

    fn read(&self, member: &Member) -> Option<(String, Bytes)> {
        let place = Text::from(member.path.as_slice()).escaped().into_owned();
        if member.size > MAX_DESCRIPTION {
            let size = member.size;
            self.defects.damaged(
                place,
                format!("{size} bytes, too long for a description (at most {MAX_DESCRIPTION})"),
            );
            return None;
        }
        match self.evidence.content(member).and_then(|content| content.bytes()) {
            Ok(bytes) if bytes.is_empty() => None,
            Ok(bytes) => Some((place, bytes)),
            Err(error) => {
                self.defects.damaged(place, error.to_string());
                None
            }
        }
    }
}

/// Whether a path is a folder or lies in it.
fn within(path: &[u8], folder: &[u8]) -> bool {
    ancestors(path).any(|ancestor| ancestor == folder)
}

/// docker's `criu.work/<time>` and what people name `--work-path`.
fn is_work_directory(folder: &[u8]) -> bool {
    folder.split(|byte| *byte == b'/').any(|part| matches!(part, b"work" | b"criu.work"))
}
