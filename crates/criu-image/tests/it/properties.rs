//! Arbitrary bytes never panic and never give more than they have; what is encoded decodes to the same.

use crate::writer;
use bytes::Bytes;
use criu_image::messages::*;
use criu_image::netlink::NlRecords;
use criu_image::schema::Described;
use criu_image::show::{escape, show_record};
use criu_image::wire::{self, WireValue, walk};
use criu_image::{
    ByteOrder, Extra, Image, ImageKind, ImageSummary, PagemapRecord, ShowContext, classify,
};
use proptest::prelude::*;
use prost::Message;

/// Bytes that often are protobuf.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    let field = (1_u64..24, any::<u64>(), prop::collection::vec(any::<u8>(), 0..24), 0_u8..6);
    prop::collection::vec(field, 0..12).prop_map(|fields| {
        let proto =
            fields.into_iter().fold(writer::Proto::new(), |proto, (number, value, bytes, kind)| {
                match kind {
                    0 | 1 => proto.varint(number, value % 200),
                    2 => proto.varint(number, value),
                    3 => proto.fixed64(number, value),
                    4 => proto.bytes(number, &bytes),
                    _ => proto.message(number, &writer::Proto::new().varint(number, value)),
                }
            });
        proto.0
    })
}

/// The body of an image: records of such payloads with bytes between them.
fn body() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec((payload(), prop::collection::vec(any::<u8>(), 0..20)), 0..5).prop_map(
        |records| {
            let writer = records
                .into_iter()
                .fold(writer::Writer::new(false, &[]), |writer, (payload, after)| {
                    writer.record(&writer::Proto(payload)).raw(&after)
                });
            writer.bytes
        },
    )
}

fn image_of(kind: ImageKind, big: bool, body: &[u8]) -> Vec<u8> {
    use criu_image::kind::Header;
    let magics = match kind.info().header {
        Header::Inventory => vec![kind.magic()],
        Header::Normal => vec![0x5456_4319, kind.magic()],
        Header::Service => vec![0x5510_5940, kind.magic()],
        Header::None => vec![],
    };
    writer::Writer::new(big, &magics).raw(body).bytes
}

/// Everything that can be asked of an image.
fn exercise(kind: ImageKind, bytes: &Bytes) {
    for order in [ByteOrder::Little, ByteOrder::Big] {
        if let Ok(found) = NlRecords::open(kind, bytes.clone(), order) {
            for message in found.map_while(Result::ok) {
                let data: usize = message.attributes(8).map(|attribute| attribute.data.len()).sum();
                assert!(data <= message.payload.len());
            }
        }
    }
    let Ok(image) = Image::open(kind, bytes.clone()) else { return };
    let context = ShowContext::of(&image);
    let mut held = 0;
    for record in image.records() {
        let Ok(record) = record else { break };
        held += 4 + record.payload.len() + record.extra_bytes.len();
        assert_eq!(record.check().is_ok(), record.schema.reencode(&record.payload).is_ok());
        let _ = show_record(&record, &context);
        let _ = (
            PagemapRecord::from_record(&record),
            wire::missing_required(&record.payload, record.schema),
        );
        if let Extra::GhostChunks(chunks) = &record.extra {
            let data: usize =
                chunks.iter().map_while(Result::ok).map(|chunk| chunk.data.len()).sum();
            assert!(data as u64 <= chunks.stored());
        }
        if let Extra::Messages(messages) = &record.extra {
            assert!(messages.clone().all(|message| message.is_ok()));
        }
    }
    assert!(held <= bytes.len());
    let _ = ImageSummary::of(&image);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn arbitrary_bodies_of_every_kind(body in body(), big in any::<bool>()) {
        for kind in ImageKind::ALL {
            exercise(*kind, &Bytes::from(image_of(*kind, big, &body)));
        }
    }

    #[test]
    fn arbitrary_bytes_of_every_kind(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for kind in ImageKind::ALL {
            exercise(*kind, &Bytes::from(bytes.clone()));
            exercise(*kind, &Bytes::from(image_of(*kind, false, &bytes)));
        }
    }

    #[test]
    fn arbitrary_names(name in prop::collection::vec(any::<u8>(), 0..40), text in "(core|pages|ghost-file)-[0-9a-f]{0,20}\\.img") {
        let _ = (classify(&name), classify(text.as_bytes()));
    }

    #[test]
    fn escaped_text_has_no_control_characters(bytes in prop::collection::vec(any::<u8>(), 0..100), text in ".*") {
        for text in [escape(&bytes), escape(text.as_bytes())] {
            prop_assert!(!text.chars().any(char::is_control));
        }
    }

    #[test]
    fn the_walker_covers_every_byte_that_it_accepts(bytes in prop::collection::vec(any::<u8>(), 0..120), sound in payload()) {
        for bytes in [bytes, sound] {
            let mut at = 0;
            for field in walk(&bytes).map_while(Result::ok) {
                prop_assert_eq!(field.offset, at);
                prop_assert!(field.value_offset > at && field.end <= bytes.len() && field.end >= field.value_offset);
                at = field.end;
            }
        }
    }

    #[test]
    fn the_walker_agrees_with_prost(bytes in payload()) {
        // A message without fields accepts what the wire format accepts.
        let empty = ApparmorEntry::decode(&bytes[..]).is_ok();
        if empty {
            prop_assert!(walk(&bytes).all(|field| field.is_ok()));
        }
        if walk(&bytes).all(|field| field.is_ok_and(|field| field.number != 1)) {
            prop_assert!(empty);
        }
    }

    #[test]
    fn messages_come_back(pid in any::<u32>(), name in prop::collection::vec(any::<u8>(), 0..40), words in prop::collection::vec(any::<u32>(), 0..9), pos in any::<u64>(), mnt in any::<i32>()) {
        let task = PstreeEntry { pid, ppid: 1, pgid: pid, sid: 0, threads: words.clone() };
        prop_assert_eq!(&PstreeEntry::decode(&task.encode_to_vec()[..]).unwrap(), &task);
        let file = RegFileEntry { id: pid, pos, name: name.clone(), mnt_id: Some(mnt), build_id: words, ..RegFileEntry::default() };
        let entry = FileEntry { r#type: 1, id: pid, reg: Some(file), ..FileEntry::default() };
        let bytes = entry.encode_to_vec();
        prop_assert_eq!(&FileEntry::decode(&bytes[..]).unwrap(), &entry);
        prop_assert_eq!(wire::count_unknown(&bytes, FileEntry::schema()), 0);
        prop_assert!(wire::missing_required(&bytes, FileEntry::schema()).is_empty());
        let found = walk(&bytes).map(Result::unwrap).find(|field| field.number == 3).unwrap();
        prop_assert!(matches!(found.value, WireValue::Bytes(_)));
    }
}
