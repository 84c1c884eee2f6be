//! Reading images for comparison: what cannot be read is the business of the check of records, not of every other.

use std::collections::HashSet;

use ckpt_archive::Member;
use ckpt_model::{Checkpoint, Images, Text};
use criu_image::{Image, ImageKind, Message, Record};

/// What is verified: the checkpoint, and its chosen image directory.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) checkpoint: &'a Checkpoint,
    pub(super) images: &'a Images,
}

/// The messages of an image, as far as they decode.
pub(super) struct Messages<M> {
    pub(super) list: Vec<M>,
    /// Whether all of it could be read.
    pub(super) whole: bool,
}

impl Subject<'_> {
    /// Path of an image, safe for a terminal, whether it is there or not.
    pub(super) fn place(&self, kind: ImageKind, id: Option<u64>) -> String {
        place(self.images, kind, id)
    }

    /// The messages of an image; none and whole when there is no such image, because CRIU writes none that would be empty.
    pub(super) fn read<M: Message + Default>(
        &self,
        kind: ImageKind,
        id: Option<u64>,
    ) -> Messages<M> {
        let mut messages = Messages { list: Vec::new(), whole: true };
        if !self.images.has(kind, id) {
            return messages;
        }
        let Ok(image) = open(self.images, kind, id) else {
            messages.whole = false;
            return messages;
        };
        for record in image.records() {
            match record.and_then(|record: Record| record.decode()) {
                Ok(message) => messages.list.push(message),
                Err(_) => messages.whole = false,
            }
        }
        messages
    }

    /// The only message of an image.
    pub(super) fn one<M: Message + Default>(&self, kind: ImageKind, id: u64) -> Option<M> {
        self.read(kind, Some(id)).list.into_iter().next()
    }
}

/// Path of an image, safe for a terminal, whether it is there or not.
pub(super) fn place(images: &Images, kind: ImageKind, id: Option<u64>) -> String {
    if let Some(member) = images.member(kind, id) {
        return escaped(&member.path);
    }
    let name = kind.file_name(id).unwrap_or_else(|| kind.name().to_owned());
    let folder = images.path();
    if folder.is_empty() { name } else { format!("{folder}/{name}") }
}

/// An image whose header is right, as far as the evidence has it.
pub(super) fn open(images: &Images, kind: ImageKind, id: Option<u64>) -> Result<Image, String> {
    let member = images.member(kind, id).ok_or("it is not there")?;
    let content = images.evidence().content(member).map_err(|error| error.to_string())?;
    let bytes = content.slice(0..content.captured_len()).map_err(|error| error.to_string())?;
    Image::open(kind, bytes).map_err(|error| error.to_string())
}

/// Bytes of a member that are there.
pub(super) fn captured(images: &Images, member: &Member) -> u64 {
    images.evidence().content(member).map_or(0, |content| content.captured_len())
}

/// Path of a file in a folder of the evidence.
pub(super) fn inside(folder: &[u8], name: &str) -> Vec<u8> {
    if folder.is_empty() {
        return name.as_bytes().to_vec();
    }
    [folder, b"/", name.as_bytes()].concat()
}

/// A path of the evidence, safe for a terminal.
pub(super) fn escaped(path: &[u8]) -> String {
    Text::from(path).escaped().into_owned()
}

/// Numbers in order, for a message: the first few of them.
pub(super) fn listed(numbers: &HashSet<u64>) -> String {
    const FEW: usize = 5;
    let mut sorted: Vec<u64> = numbers.iter().copied().collect();
    sorted.sort_unstable();
    let few: Vec<String> = sorted.iter().take(FEW).map(u64::to_string).collect();
    match sorted.len().saturating_sub(FEW) {
        0 => few.join(", "),
        more => format!("{} and {more} more", few.join(", ")),
    }
}
