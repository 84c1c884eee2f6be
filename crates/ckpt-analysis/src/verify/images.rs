//! Headers and records of the images: every one in the evidence, of parents and of earlier dumps too.

use std::collections::{BTreeMap, HashMap, HashSet};

use ckpt_archive::{Evidence, Member, MemberKind};
use ckpt_model::Checkpoint;
use criu_image::kind::Header;
use criu_image::wire::review;
use criu_image::{ByteOrder, Classified, Extra, Framing, Image, ImageKind, classify};

use super::check::{Check, Effect, Spec, count};
use super::reader::escaped;

pub(super) const HEADERS: Spec = Spec::coded(
    "C1",
    "image-headers",
    "the first bytes of every image with the magic of its kind, and all of them with one byte order",
);

pub(super) const RECORDS: Spec = Spec::of(
    "image-records",
    "every record of every image with its length and with the message that it must be, no field left out",
);

/// Longest header: two words.
const HEADER: u64 = 8;

/// An image of an image directory.
struct Found<'a> {
    evidence: &'a Evidence,
    member: &'a Member,
    kind: ImageKind,
}

/// Every image in the image directories of the container and of the parents that were given.
fn all(checkpoint: &Checkpoint) -> Vec<Found<'_>> {
    let own = checkpoint.evidence();
    let mut folders: Vec<(&Evidence, Vec<&[u8]>)> = vec![(
        own,
        checkpoint.place().directories.iter().map(|directory| directory.path.as_bytes()).collect(),
    )];
    for parent in checkpoint.parents() {
        let evidence = parent.evidence();
        let path = parent.path().as_bytes();
        match folders.iter_mut().find(|(known, _)| std::ptr::eq(*known, evidence)) {
            Some((_, paths)) if paths.contains(&path) => {}
            Some((_, paths)) => paths.push(path),
            None => folders.push((evidence, vec![path])),
        }
    }
    let mut found = Vec::new();
    for (evidence, paths) in folders {
        let paths: HashSet<&[u8]> = paths.into_iter().collect();
        for member in evidence.members() {
            if matches!(member.kind, MemberKind::File | MemberKind::HardLink)
                && paths.contains(member.parent())
                && let Classified::Image(image) = classify(member.file_name())
            {
                found.push(Found { evidence, member, kind: image.kind });
            }
        }
    }
    found
}

/// C1: headers.
pub(super) fn headers(checkpoint: &Checkpoint) -> Check {
    let mut check = HEADERS.begin();
    let mut raw = 0_usize;
    let mut good = 0_usize;
    let mut orders: HashMap<ByteOrder, usize> = HashMap::new();
    let mut framings: BTreeMap<&str, usize> = BTreeMap::new();
    let mut first_of: HashMap<ByteOrder, String> = HashMap::new();
    let found = all(checkpoint);
    for Found { evidence, member, kind } in &found {
        if kind.info().header == Header::None {
            raw = raw.saturating_add(1);
            continue;
        }
        let place = escaped(&member.path);
        let head = evidence.content(member).map_err(|error| error.to_string());
        let head = head.and_then(|content| {
            let len = content.captured_len().min(HEADER);
            content.slice(0..len).map_err(|error| error.to_string())
        });
        let image =
            head.and_then(|head| Image::open(*kind, head).map_err(|error| error.to_string()));
        match image {
            Ok(image) => {
                good = good.saturating_add(1);
                if let Some(order) = image.order() {
                    let number = orders.entry(order).or_default();
                    *number = number.saturating_add(1);
                    first_of.entry(order).or_insert(place);
                }
                let framing = match image.framing() {
                    Framing::V1_0 => Some("V1.0"),
                    Framing::V1_1 => Some("V1.1"),
                    _ => None,
                };
                if let Some(framing) = framing {
                    let number = framings.entry(framing).or_default();
                    *number = number.saturating_add(1);
                }
            }
            Err(error) => check.tell(Effect::Damaged, place, error),
        }
    }
    if orders.len() > 1 {
        let rarer =
            orders.iter().min_by_key(|(order, number)| (**number, **order != ByteOrder::Big));
        let place = rarer.and_then(|(order, _)| first_of.get(order)).cloned().unwrap_or_default();
        let what = "is of another byte order than most images: they are of different machines";
        check.tell(Effect::Damaged, place, what);
    }
    if framings.len() > 1 {
        check.note("images of V1.0 and of V1.1 lie side by side: of two generations of CRIU");
    }
    if found.is_empty() {
        return HEADERS.not_applicable("there are no images");
    }
    let with = found.len().saturating_sub(raw);
    check.end(
        format!("{} with a header", count(with, "image", "images")),
        format!("{good} good, {raw} without a header by their kind"),
    )
}

/// Records: framing, protobuf, what follows them, fields that are not known.
pub(super) fn records(checkpoint: &Checkpoint) -> Check {
    let mut check = RECORDS.begin();
    let (mut images, mut good, mut unknown) = (0_usize, 0_usize, 0_usize);
    for Found { evidence, member, kind } in all(checkpoint) {
        if kind.is_raw() {
            continue;
        }
        let place = escaped(&member.path);
        let bytes = evidence.content(member).map_err(|error| error.to_string());
        let bytes = bytes.and_then(|content| {
            let captured = content.captured_len();
            if captured < content.len() {
                let missing = content.len().saturating_sub(captured);
                check.tell(
                    Effect::Damaged,
                    &*place,
                    format!("the last {missing} bytes are missing"),
                );
            }
            content.slice(0..captured).map_err(|error| error.to_string())
        });
        let bytes = match bytes {
            Ok(bytes) => bytes,
            Err(error) => {
                check.tell(Effect::Damaged, place, error);
                continue;
            }
        };
        // A header that is wrong is told by the check of headers.
        let Ok(image) = Image::open(kind, bytes) else { continue };
        images = images.saturating_add(1);
        let (mut strange, mut lacking) = (0_usize, Vec::new());
        for record in image.records() {
            let whole = record.and_then(|record| {
                record.check()?;
                if let Extra::GhostChunks(chunks) = &record.extra {
                    chunks.into_iter().try_for_each(|chunk| chunk.map(drop))?;
                }
                Ok(record)
            });
            match whole {
                Ok(record) => {
                    good = good.saturating_add(1);
                    let found = review(&record.payload, record.schema);
                    strange = strange.saturating_add(found.unknown.len());
                    let first = found.missing.first().map(|field| (record.index, field.clone()));
                    lacking.extend(first);
                }
                Err(error) => check.tell(Effect::Damaged, &*place, error.to_string()),
            }
        }
        if let Some((record, field)) = lacking.first() {
            let what = format!(
                "{}, the first is {field} of record {record}: what is not there reads as 0",
                count(
                    lacking.len(),
                    "record lacks a field that CRIU always writes",
                    "records lack fields that CRIU always writes"
                )
            );
            check.tell(Effect::Incomplete, &*place, what);
        }
        if strange > 0 {
            unknown = unknown.saturating_add(strange);
            let what = format!(
                "{}: the image is of a CRIU that is newer than this program, or altered",
                count(strange, "field is not known", "fields are not known")
            );
            check.tell(Effect::Remark, place, what);
        }
    }
    if images == 0 && !check.has_failed() {
        return RECORDS.not_applicable("there are no images with records");
    }
    check.end(
        format!("whole records in {}", count(images, "image", "images")),
        format!("{}, {unknown} unknown fields", count(good, "good record", "good records")),
    )
}
