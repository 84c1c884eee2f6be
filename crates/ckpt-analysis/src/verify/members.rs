//! The evidence itself: its structure, its digests, what was made of its members, what else was told while reading.

use std::collections::{HashMap, HashSet};

use ckpt_archive::{BlobCheck, BlobRole};
use ckpt_model::{Checkpoint, Defect, DefectKind, Standing};

use super::check::{Check, Effect, Spec, count};
use super::reader::escaped;

pub(super) const STRUCTURE: Spec = Spec::of(
    "archive-structure",
    "headers, sizes, compression and end of the archive with what its format asks for",
);

pub(super) const DIGESTS: Spec = Spec::of(
    "blob-digests",
    "every blob of an image with the digest and size that the image names",
);

pub(super) const MEMBERS: Spec = Spec::of(
    "members-accounted",
    "every member of the evidence with what this program makes of it",
);

pub(super) const READABLE: Spec = Spec::of(
    "readable",
    "everything that reading the whole checkpoint met and that was not as it should be",
);

/// What a defect means for the evidence.
fn effect(kind: DefectKind) -> Effect {
    match kind {
        DefectKind::Missing => Effect::Incomplete,
        DefectKind::Damaged => Effect::Damaged,
        _ => Effect::Remark,
    }
}

/// The archive.
pub(super) fn structure(checkpoint: &Checkpoint, defects: &[Defect]) -> Check {
    let evidence = checkpoint.evidence();
    let mut check = STRUCTURE.begin();
    // The model tells the same ones, and knows whether something is missing, damaged or odd.
    let kinds: HashMap<(&str, &str), DefectKind> =
        defects.iter().map(|told| ((&*told.place, &*told.what), told.kind)).collect();
    for defect in evidence.defects() {
        let (place, what) = (defect.place(), defect.to_string());
        let kind = kinds.get(&(&*place, &*what));
        let effect = kind.map_or(Effect::Damaged, |kind| effect(*kind));
        let place = match defect.offset {
            Some(offset) => format!("{place} at offset {offset}"),
            None => place,
        };
        check.tell(effect, place, what);
    }
    if let Some(trailing) = evidence.trailing() {
        check.note(format!(
            "{} bytes follow the end of the archive: what was there when a shorter archive was written over a longer one",
            trailing.len()
        ));
    }
    check.end(
        format!("a sound {}", evidence.kind()),
        format!(
            "{}, {}",
            count(evidence.members().len(), "member", "members"),
            count(evidence.defects().len(), "defect", "defects")
        ),
    )
}

/// Digests of the blobs of an image.
pub(super) fn digests(checkpoint: &Checkpoint) -> Check {
    let evidence = checkpoint.evidence();
    if evidence.blobs().is_empty() {
        return DIGESTS.not_applicable("not an image");
    }
    let mut check = DIGESTS.begin();
    let (mut good, mut without) = (0_usize, 0_usize);
    for blob in evidence.blobs() {
        let place = format!("blob {}", escaped(blob.digest.as_bytes()));
        match evidence.check_blob(blob) {
            Ok(BlobCheck::Good) => good = good.saturating_add(1),
            Ok(BlobCheck::Bad { found }) => {
                check.tell(Effect::Damaged, place, format!("its bytes have the digest {found}"));
            }
            Ok(BlobCheck::Missing) if blob.role == BlobRole::Unused => {}
            Ok(BlobCheck::Missing) => check.tell(Effect::Incomplete, place, "it is not there"),
            Ok(_) => without = without.saturating_add(1),
            Err(error) => check.tell(Effect::Damaged, place, error.to_string()),
        }
    }
    if good == 0 && !check.has_failed() {
        return DIGESTS.not_checkable("the image names no digests");
    }
    check.end(
        count(evidence.blobs().len(), "blob", "blobs"),
        format!("{good} with their digest, {without} without one"),
    )
}

/// What was made of the members.
pub(super) fn accounted(checkpoint: &Checkpoint) -> Check {
    let accounting = checkpoint.accounting();
    let number = |standing| accounting.of(standing).count();
    let mut check = MEMBERS.begin();
    let unknown = number(Standing::Unknown);
    if unknown > 0 {
        let some: Vec<String> = accounting
            .of(Standing::Unknown)
            .take(3)
            .map(|member| member.path.to_string())
            .collect();
        let more = if unknown > some.len() { " and others" } else { "" };
        check.note(format!("not known: {}{more}", some.join(", ")));
    }
    check.end(
        count(accounting.members.len(), "file", "files"),
        format!(
            "{} parsed, {} recognised, {unknown} unknown, {} of an earlier dump",
            number(Standing::Parsed),
            number(Standing::Recognised),
            number(Standing::Stale)
        ),
    )
}

/// What else was told while everything was read.
pub(super) fn readable(checkpoint: &Checkpoint, defects: &[Defect]) -> Check {
    let mut check = READABLE.begin();
    // What the log says is judged by checks of its own.
    let log = checkpoint.dump_log().map(|log| log.path.escaped().into_owned());
    let structure: HashSet<String> =
        checkpoint.evidence().defects().iter().map(ToString::to_string).collect();
    let mut told = 0_usize;
    for defect in defects {
        if Some(&defect.place) == log.as_ref() || structure.contains(&defect.what) {
            continue;
        }
        told = told.saturating_add(1);
        check.tell(effect(defect.kind), &*defect.place, &*defect.what);
    }
    check.end("no defects", count(told, "defect", "defects"))
}
