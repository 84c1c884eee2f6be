//! Real checkpoints: every image decodes and encodes again to the same bytes, with nothing left over.
//!
//! Set `CKPT_ARCHIVES` to a folder of checkpoint archives (tar, gzip or zstd); without it the test is skipped.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use criu_image::show::show_record;
use criu_image::{Classified, Image, ImageKind, ShowContext, classify, wire};

use crate::members;

/// Differences that have a reason: archive, image, what. There are none: every message that CRIU 3.17 to 4.2 wrote comes
/// out byte for byte.
const EXPLAINED: &[(&str, &str, &str)] = &[];

fn kind_of(path: &Path) -> Option<ImageKind> {
    match classify(path.file_name()?.as_encoded_bytes()) {
        Classified::Image(name) => Some(name.kind),
        _ => None,
    }
}

#[test]
fn every_image_comes_back_byte_for_byte() {
    let Some(folder) = std::env::var_os("CKPT_ARCHIVES") else {
        println!("skipped: CKPT_ARCHIVES is not set");
        return;
    };
    let mut problems = Vec::new();
    let mut records = BTreeMap::<ImageKind, usize>::new();
    for archive in members::archives(Path::new(&folder)) {
        let label = archive.strip_prefix(&folder).unwrap().display().to_string();
        let wanted = |path: &Path| kind_of(path).is_some_and(|kind| !kind.is_raw());
        members::each_member(&archive, wanted, |path, bytes| {
            let kind = kind_of(path).unwrap();
            let mut problem = |what: String| {
                let image = path.display().to_string();
                let explained = EXPLAINED
                    .iter()
                    .any(|(a, i, w)| *a == label && *i == image && what.contains(w));
                if !explained {
                    problems.push(format!("{label}: {image}: {what}"));
                }
            };
            match check(kind, &bytes, &mut problem) {
                Ok(count) => *records.entry(kind).or_default() += count,
                Err(error) => problem(error.to_string()),
            }
        });
    }
    for (kind, count) in &records {
        println!("{:>8} {}", count, kind.name());
    }
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
    assert!(!records.is_empty(), "no images in {}", Path::new(&folder).display());
}

fn check(
    kind: ImageKind,
    bytes: &[u8],
    problem: &mut impl FnMut(String),
) -> Result<usize, criu_image::ImageError> {
    let image = Image::open(kind, Bytes::copy_from_slice(bytes))?;
    let order = image.order().unwrap();
    let context = ShowContext::of(&image);
    let mut again = bytes[..bytes.len() - image.body().len()].to_vec();
    let mut count = 0;
    for record in image.records() {
        let record = record?;
        let payload = record.schema.reencode(&record.payload).unwrap();
        if payload != record.payload {
            problem(format!("record {} of {} differs", record.index, record.schema.name));
        }
        for unknown in wire::unknown_fields(&record.payload, record.schema) {
            problem(format!("record {}: unknown {unknown:?}", record.index));
        }
        for missing in wire::missing_required(&record.payload, record.schema) {
            problem(format!("record {}: {missing} is missing", record.index));
        }
        let shown = format!("{:?}", show_record(&record, &context));
        if ["Unknown {", "Broken(", "Omitted"].iter().any(|label| shown.contains(label)) {
            problem(format!("record {} is not shown whole", record.index));
        }
        if let criu_image::Extra::GhostChunks(chunks) = &record.extra {
            for chunk in chunks {
                chunk?;
            }
        }
        again.extend(order.bytes_of_u32(payload.len().try_into().unwrap()));
        again.extend(payload);
        again.extend(&record.extra_bytes);
        count += 1;
    }
    if again != bytes {
        problem("encodes to other bytes".to_owned());
    }
    Ok(count)
}
