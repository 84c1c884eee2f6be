//! Images of CRIU: framing, records, messages, netlink.

use std::hint::black_box;

use bytes::Bytes;
use criu_image::netlink::NlRecords;
use criu_image::show::{ShowContext, ShowLimits, show_payload, show_record};
use criu_image::{ByteOrder, Extra, Image, ImageKind, ImageSummary, Record, wire};

/// Limits of a tree that fit the size of inputs.
const SHOW: ShowLimits = ShowLimits { depth: 16, nodes: 1 << 16 };

/// Reads an image in every way there is.
pub fn image(kind: ImageKind, bytes: &[u8]) {
    let Ok(image) = Image::open(kind, Bytes::copy_from_slice(bytes)) else { return };
    let context = ShowContext { limits: SHOW, ..ShowContext::of(&image) };
    let mut end = 0;
    for record in image.records() {
        match record {
            Ok(record) => {
                assert!(record.offset >= end, "records overlap");
                end = record.payload_offset() + record.payload.len() as u64;
                black_box(show_record(&record, &context));
                extra(&record.extra);
                reading(&record);
            }
            Err(error) => {
                black_box((error.to_string(), error.offset(), error.name()));
            }
        }
    }
    black_box(ImageSummary::of(&image));
}

fn extra(extra: &Extra) {
    match extra {
        Extra::GhostChunks(chunks) => black_box(chunks.iter().count()),
        Extra::Messages(messages) => black_box(messages.clone().count()),
        Extra::Semaphores(semaphores) => black_box(semaphores.values().count()),
        other => black_box(other.what().map_or(0, str::len)),
    };
}

/// What decodes, must encode and decode to the same again.
fn reading(record: &Record) {
    black_box(record.check().err());
    if let Ok(once) = record.schema.reencode(&record.payload) {
        let twice = record.schema.reencode(&once);
        assert_eq!(twice.as_ref(), Ok(&once), "encoding does not settle");
    }
}

/// Walks a payload without decoding it.
pub fn message(kind: ImageKind, payload: &[u8]) {
    let mut at = 0;
    for field in wire::walk(payload) {
        let Ok(field) = field else { break };
        assert!(
            field.offset == at && field.end > at && field.end <= payload.len(),
            "fields leave gaps"
        );
        at = field.end;
    }
    black_box(wire::packed(payload).count());
    let Some(schema) = kind.schema() else { return };
    let listed = wire::unknown_fields(payload, schema).len() as u64;
    let counted = wire::count_unknown(payload, schema);
    assert_eq!(listed, counted.min(wire::MAX_UNKNOWN as u64), "listing and counting differ");
    black_box(wire::missing_required(payload, schema));
    black_box(wire::check(payload, schema).err());
    let context = ShowContext {
        order: ByteOrder::Big,
        mtype: Some(u32::from(payload.len() as u8)),
        limits: SHOW,
    };
    black_box(show_payload(&Bytes::copy_from_slice(payload), schema, &context));
}

/// Reads netlink messages and the attributes in their attributes.
pub fn netlink(kind: ImageKind, bytes: &[u8]) {
    let bytes = Bytes::copy_from_slice(bytes);
    for order in [ByteOrder::Little, ByteOrder::Big] {
        let Ok(records) = NlRecords::open(kind, bytes.clone(), order) else { continue };
        for record in records.map_while(Result::ok) {
            for attribute in [4, 8, 12].into_iter().flat_map(|header| record.attributes(header)) {
                black_box(attribute.attributes(order).count());
            }
        }
    }
}
