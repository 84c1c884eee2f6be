//! Framing, extras and pagemaps over bytes written by hand.

use crate::writer::{Proto, Writer};
use bytes::Bytes;
use criu_image::messages::*;
use criu_image::{
    BlockLayout, ByteOrder, Extra, Framing, Image, ImageError, ImageKind, PagemapRecord, Record,
    probe_order,
};

const COMMON: u32 = 0x5456_4319;
const SERVICE: u32 = 0x5510_5940;

fn open(kind: ImageKind, bytes: &[u8]) -> Image {
    Image::open(kind, Bytes::copy_from_slice(bytes)).unwrap()
}

fn records(kind: ImageKind, bytes: &[u8]) -> Vec<Record> {
    open(kind, bytes).records().map(Result::unwrap).collect()
}

fn pstree(pid: u64, ppid: u64) -> Proto {
    Proto::new().varint(1, pid).varint(2, ppid).varint(3, pid).varint(4, 1).varint(5, pid)
}

fn desc(id: u64) -> Proto {
    (1..=6).fold(Proto::new(), |proto, number| proto.varint(number, 0)).varint(7, id)
}

#[test]
fn every_form_of_header_in_both_byte_orders() {
    for (big, order) in [(false, ByteOrder::Little), (true, ByteOrder::Big)] {
        let task = pstree(7, 1);
        for (magics, framing) in
            [(&[COMMON, 0x5027_3030][..], Framing::V1_1), (&[0x5027_3030][..], Framing::V1_0)]
        {
            let image = Writer::new(big, magics).record(&task).bytes;
            let image = open(ImageKind::Pstree, &image);
            assert_eq!((image.framing(), image.order()), (framing, Some(order)));
            let record = image.records().next().unwrap().unwrap();
            let entry: PstreeEntry = record.decode().unwrap();
            assert_eq!((entry.pid, entry.ppid, entry.threads), (7, 1, vec![7]));
            assert_eq!(record.offset, 4 * magics.len() as u64);
            assert_eq!(record.schema.name, "pstree_entry");
        }
        let stats = Proto::new();
        for (magics, framing) in
            [(&[SERVICE, 0x5709_3306][..], Framing::Service), (&[0x5709_3306][..], Framing::V1_0)]
        {
            let image = open(ImageKind::StatsDump, &Writer::new(big, magics).record(&stats).bytes);
            assert_eq!((image.framing(), image.order()), (framing, Some(order)));
            assert_eq!(image.single::<StatsEntry>().unwrap(), Some(StatsEntry::default()));
        }
        let bytes = Writer::new(big, &[0x5831_3116]).record(&Proto::new().varint(1, 2)).bytes;
        let image = open(ImageKind::Inventory, &bytes);
        assert_eq!((image.framing(), image.order()), (Framing::Inventory, Some(order)));
        assert_eq!(image.single::<InventoryEntry>().unwrap().unwrap().img_version, 2);
        assert_eq!(probe_order(&bytes), Some(order));
    }
    assert_eq!(probe_order(b"\x16\x31\x31"), None);
    assert_eq!(probe_order(b"nonsense"), None);
}

#[test]
fn raw_files_open_with_anything() {
    let image = open(ImageKind::Pages, b"\x19\x43\x56\x54 any bytes");
    assert_eq!((image.framing(), image.order()), (Framing::Raw, None));
    assert_eq!(image.records().count(), 0);
    assert_eq!(image.body().len(), 14);
    assert_eq!(open(ImageKind::Iptables, b"").records().count(), 0);
}

#[test]
fn header_only_is_an_empty_list() {
    let image = open(ImageKind::Files, &Writer::v1_1(0x5630_3138).bytes);
    assert_eq!(image.records().count(), 0);
    assert_eq!(image.single::<FileEntry>().unwrap(), None);
}

#[test]
fn a_record_of_no_bytes_is_a_record() {
    let found = records(ImageKind::Seccomp, &Writer::v1_1(0x6441_3049).record(&Proto::new()).bytes);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].decode::<SeccompEntry>().unwrap(), SeccompEntry::default());
}

#[test]
fn wrong_headers_say_where_and_what() {
    let of =
        |bytes: &[u8]| Image::open(ImageKind::Pstree, Bytes::copy_from_slice(bytes)).unwrap_err();
    assert_eq!(of(b""), ImageError::Empty);
    assert_eq!(
        of(b"\x19"),
        ImageError::Truncated { offset: 0, what: "magic", expected: 4, found: 1 }
    );
    assert_eq!(
        of(b"\x19\x43\x56\x54\x30"),
        ImageError::Truncated { offset: 4, what: "magic", expected: 4, found: 1 }
    );
    assert_eq!(
        of(&Writer::v1_1(0x5505_3847).bytes),
        ImageError::BadMagic { offset: 4, expected: 0x5027_3030, found: 0x5505_3847 }
    );
    assert_eq!(
        of(&Writer::new(true, &[COMMON, 0x5505_3847]).bytes),
        ImageError::BadMagic { offset: 4, expected: 0x5027_3030, found: 0x5505_3847 }
    );
    assert_eq!(
        of(b"\x7fELF0000"),
        ImageError::BadMagic { offset: 0, expected: COMMON, found: 0x464c_457f }
    );
}

#[test]
fn a_bad_payload_costs_one_record_only() {
    let bytes = Writer::v1_1(0x5027_3030)
        .record(&pstree(1, 0))
        .record(&Proto(vec![0xff; 5]))
        .record(&pstree(3, 1))
        .bytes;
    let found = records(ImageKind::Pstree, &bytes);
    assert_eq!(found.len(), 3);
    let error = found[1].decode::<PstreeEntry>().unwrap_err();
    assert!(matches!(error, ImageError::BadProtobuf { record: 1, offset: 22, .. }), "{error:?}");
    assert_eq!(found[2].decode::<PstreeEntry>().unwrap().pid, 3);
}

#[test]
fn a_cut_record_ends_the_iterator_and_keeps_what_was_before() {
    let bytes = Writer::v1_1(0x5027_3030).record(&pstree(1, 0)).record(&pstree(2, 1)).bytes;
    let image = open(ImageKind::Pstree, &bytes[..bytes.len() - 1]);
    let mut found = image.records();
    assert!(found.next().unwrap().is_ok());
    assert_eq!(
        found.next().unwrap().unwrap_err(),
        ImageError::Truncated { offset: 22, what: "record", expected: 10, found: 9 }
    );
    assert!(found.next().is_none());
    let huge = Writer::v1_1(0x5027_3030).raw(&[0xff; 8]).bytes;
    let error = open(ImageKind::Pstree, &huge).records().next().unwrap().unwrap_err();
    assert_eq!(
        error,
        ImageError::Truncated { offset: 8, what: "record", expected: 0xffff_ffff, found: 4 }
    );
}

#[test]
fn single_images_have_nothing_after_their_record() {
    let bytes = Writer::v1_1(0x5447_3203)
        .record(&Proto::new().bytes(1, b"host").bytes(2, b"(none)"))
        .raw(b"xyz")
        .bytes;
    let image = open(ImageKind::Utsns, &bytes);
    let mut found = image.records();
    assert_eq!(found.next().unwrap().unwrap().decode::<UtsnsEntry>().unwrap().nodename, b"host");
    assert_eq!(
        found.next().unwrap().unwrap_err(),
        ImageError::TrailingBytes { offset: 26, length: 3 }
    );
    assert!(found.next().is_none());
}

#[test]
fn queues_follow_their_records() {
    let bytes = Writer::v1_1(0x5645_3709)
        .record(&Proto::new().varint(1, 5).varint(2, 3))
        .raw(b"abc")
        .record(&Proto::new().varint(1, 6).varint(2, 0).varint(3, 65536))
        .bytes;
    let found = records(ImageKind::PipesData, &bytes);
    assert!(matches!(&found[0].extra, Extra::PipeData(data) if data == "abc"));
    assert!(matches!(&found[1].extra, Extra::PipeData(data) if data.is_empty()));

    let bytes = Writer::v1_1(0x5626_4026)
        .record(&Proto::new().varint(1, 5).varint(2, 4))
        .raw(b"ping")
        .bytes;
    assert!(
        matches!(&records(ImageKind::SkQueues, &bytes)[0].extra, Extra::Packet(data) if data == "ping")
    );

    let stream = (5..=7)
        .fold(Proto::new().varint(1, 2).varint(2, 9).varint(3, 3).varint(4, 9), |p, n| {
            p.varint(n, 0)
        });
    let bytes = Writer::v1_1(0x5146_5506).record(&stream).raw(b"inOUT").bytes;
    let found = records(ImageKind::TcpStream, &bytes);
    assert!(
        matches!(&found[0].extra, Extra::TcpQueues { received, outgoing } if received == "in" && outgoing == "OUT")
    );
    let cut = open(ImageKind::TcpStream, &bytes[..bytes.len() - 1])
        .records()
        .next()
        .unwrap()
        .unwrap_err();
    assert!(
        matches!(
            cut,
            ImageError::Truncated { what: "outgoing TCP queue", expected: 3, found: 2, .. }
        ),
        "{cut:?}"
    );
}

#[test]
fn ghosts_whole_and_in_chunks() {
    let ghost = |mode: u64| Proto::new().varint(1, 0).varint(2, 0).varint(3, mode);
    let bytes = Writer::v1_1(0x5258_3605).record(&ghost(0o100_644)).raw(b"content").bytes;
    assert!(
        matches!(&records(ImageKind::GhostFile, &bytes)[0].extra, Extra::GhostContent(data) if data == "content")
    );

    let directory = Writer::v1_1(0x5258_3605).record(&ghost(0o040_755)).bytes;
    assert!(matches!(records(ImageKind::GhostFile, &directory)[0].extra, Extra::None));

    let chunked = ghost(0o100_755).varint(9, 1).varint(10, 0x4000_0000);
    let bytes = Writer::v1_1(0x5258_3605)
        .record(&chunked)
        .record(&Proto::new().varint(1, 4).varint(2, 0))
        .raw(b"\x7fELF")
        .record(&Proto::new().varint(1, 3).varint(2, 1 << 29))
        .raw(b"end")
        .bytes;
    let found = records(ImageKind::GhostFile, &bytes);
    let Extra::GhostChunks(chunks) = &found[0].extra else { panic!("{:?}", found[0].extra) };
    assert_eq!(chunks.size(), Some(0x4000_0000));
    let pieces: Vec<_> = chunks.iter().map(Result::unwrap).collect();
    assert_eq!((pieces[0].start, &pieces[0].data[..]), (0, &b"\x7fELF"[..]));
    assert_eq!((pieces[1].start, &pieces[1].data[..]), (1 << 29, &b"end"[..]));
    assert_eq!(bytes[pieces[1].image_offset as usize..][..3], *b"end");

    for (len, off) in [(u64::MAX, 1), (1, u64::MAX), (1, i64::MAX as u64), (4, 0)] {
        let bytes = Writer::v1_1(0x5258_3605)
            .record(&chunked)
            .record(&Proto::new().varint(1, len).varint(2, off))
            .raw(b"abc")
            .bytes;
        let found = records(ImageKind::GhostFile, &bytes);
        let Extra::GhostChunks(chunks) = &found[0].extra else { panic!() };
        let mut chunks = chunks.iter();
        assert!(chunks.next().unwrap().is_err(), "{len} {off}");
        assert!(chunks.next().is_none());
    }
}

#[test]
fn ipc_pads_up_and_not_when_aligned() {
    for (size, padding) in [(5_u64, 3), (8, 0)] {
        let shm = Proto::new().message(1, &desc(3)).varint(2, size);
        let bytes = Writer::v1_1(0x4628_3044)
            .record(&shm)
            .raw(&vec![b'm'; size as usize])
            .raw(&vec![0; padding])
            .record(&shm.clone().varint(3, 1))
            .bytes;
        let found = records(ImageKind::IpcShm, &bytes);
        assert_eq!(found.len(), 2);
        assert!(matches!(&found[0].extra, Extra::SharedMemory(data) if data.len() as u64 == size));
        assert_eq!(found[0].extra_bytes.len() as u64, size + padding as u64);
        assert!(matches!(found[1].extra, Extra::None));
    }
    for (text, padding) in [(&b"hello"[..], 3), (b"12345678", 0), (b"", 0)] {
        let message = Proto::new().varint(1, 7).varint(2, text.len() as u64);
        let queue = Proto::new().message(1, &desc(0)).varint(2, 16384).varint(3, 2);
        let mut writer = Writer::v1_1(0x5545_3737).record(&queue);
        for _ in 0..2 {
            writer = writer.record(&message).raw(text).raw(&vec![0; padding]);
        }
        let found = records(
            ImageKind::IpcMsg,
            &writer.record(&Proto::new().message(1, &desc(1)).varint(2, 0).varint(3, 0)).bytes,
        );
        assert_eq!(found.len(), 2);
        let Extra::Messages(messages) = &found[0].extra else { panic!() };
        let messages: Vec<_> = messages.clone().map(Result::unwrap).collect();
        assert_eq!(messages.len(), 2);
        assert!(messages.iter().all(|found| found.text == text && found.entry.mtype == 7));
    }
    for (values, padding) in [(&[2_u16, 3, 4][..], 2), (&[1, 2, 3, 4], 0)] {
        for big in [false, true] {
            let set = Proto::new().message(1, &desc(0)).varint(2, values.len() as u64);
            let mut writer = Writer::new(big, &[COMMON, 0x5957_3019]).record(&set);
            values.iter().for_each(|value| writer.half(*value));
            let bytes = writer
                .raw(&vec![0; padding])
                .record(&Proto::new().message(1, &desc(1)).varint(2, 0))
                .bytes;
            let found = records(ImageKind::IpcSem, &bytes);
            assert_eq!(found.len(), 2);
            let Extra::Semaphores(semaphores) = &found[0].extra else { panic!() };
            assert_eq!(semaphores.values().collect::<Vec<_>>(), values);
        }
    }
}

#[test]
fn counts_of_ipc_are_bounded_by_the_file() {
    let queue = Proto::new().message(1, &desc(0)).varint(2, 0).varint(3, 0xffff_ffff);
    let bytes = Writer::v1_1(0x5545_3737).record(&queue).raw(&[0; 64]).bytes;
    assert!(open(ImageKind::IpcMsg, &bytes).records().next().unwrap().is_err());
    let set = Proto::new().message(1, &desc(0)).varint(2, 0xffff_ffff);
    let bytes = Writer::v1_1(0x5957_3019).record(&set).raw(&[0; 64]).bytes;
    assert!(open(ImageKind::IpcSem, &bytes).records().next().unwrap().is_err());
    let shm = Proto::new().message(1, &desc(0)).varint(2, u64::MAX);
    let bytes = Writer::v1_1(0x4628_3044).record(&shm).raw(&[0; 64]).bytes;
    assert!(open(ImageKind::IpcShm, &bytes).records().next().unwrap().is_err());
    let map = Proto::new().varint(1, 1).varint(2, 0xffff_ffff).varint(3, 0xffff_ffff).varint(4, 1);
    let bytes = Writer::v1_1(0x6432_4033).record(&map).raw(&[0; 64]).bytes;
    assert!(open(ImageKind::BpfmapData, &bytes).records().next().unwrap().is_err());
}

#[test]
fn bpf_maps_have_keys_then_values() {
    let map = Proto::new().varint(1, 1).varint(2, 2).varint(3, 4).varint(4, 1);
    let bytes = Writer::v1_1(0x6432_4033).record(&map).raw(b"kkvvvv").bytes;
    let found = records(ImageKind::BpfmapData, &bytes);
    assert!(
        matches!(&found[0].extra, Extra::BpfMap { keys, values } if keys == "kk" && values == "vvvv")
    );
}

fn pagemap(entry: &Proto) -> (Record, PagemapRecord) {
    let bytes = Writer::v1_1(0x5608_4025).record(&Proto::new().varint(1, 9)).record(entry).bytes;
    let mut found = records(ImageKind::Pagemap, &bytes);
    assert_eq!(found[0].decode::<PagemapHead>().unwrap().pages_id, 9);
    let record = found.remove(1);
    let decoded = PagemapRecord::from_record(&record).unwrap();
    assert!(criu_image::wire::unknown_fields(&record.payload, record.schema).is_empty());
    assert_eq!(record.decode::<PagemapEntry>().unwrap(), decoded.entry);
    (record, decoded)
}

#[test]
fn page_counts_of_old_and_new_criu() {
    let old = pagemap(&Proto::new().varint(1, 0x1000).varint(2, 3).varint(4, 4)).1;
    assert_eq!((old.pages(), old.stored(), old.in_parent(), old.lazy()), (3, true, false, false));
    let new =
        pagemap(&Proto::new().varint(1, 0x1000).varint(2, 0).varint(4, 6).varint(5, 1 << 33)).1;
    assert_eq!((new.pages(), new.stored(), new.lazy()), (1 << 33, true, true));
    let parent = pagemap(&Proto::new().varint(1, 0).varint(2, 1).varint(4, 1)).1;
    assert_eq!((parent.stored(), parent.in_parent()), (false, true));
    let ancient = pagemap(&Proto::new().varint(1, 0).varint(2, 1).varint(3, 1)).1;
    assert_eq!((ancient.stored(), ancient.in_parent()), (false, true));
    let oldest = pagemap(&Proto::new().varint(1, 0).varint(2, 1)).1;
    assert_eq!((oldest.stored(), oldest.in_parent()), (true, false));
    let remote = pagemap(&Proto::new().varint(1, 0).varint(2, 1).varint(4, 2)).1;
    assert_eq!((remote.stored(), remote.in_parent(), remote.lazy()), (false, false, true));
    assert!(old.blocks.is_none() && !old.payload_aligned());
}

#[test]
fn block_lists_of_both_layouts() {
    let entry = || Proto::new().varint(1, 0x7000).varint(2, 0).varint(4, 12).varint(5, 3);
    let sizes = [0, 300, 4096];
    let packed = pagemap(&entry().packed(6, &sizes).varint(7, 4396)).1;
    let unpacked = pagemap(
        &sizes
            .iter()
            .fold(entry(), |proto, size| proto.varint(6, *size))
            .varint(7, 4396)
            .varint(8, 1),
    )
    .1;
    for found in [packed, unpacked] {
        assert!(found.payload_aligned());
        let blocks = found.blocks.unwrap();
        assert_eq!(blocks.layout, BlockLayout::A);
        assert_eq!(
            (blocks.sizes, blocks.total, blocks.pages_per_block),
            (vec![0, 300, 4096], 4396, 1)
        );
    }
    let bare = pagemap(&entry().packed(6, &sizes)).1.blocks.unwrap();
    assert_eq!((bare.layout, bare.total), (BlockLayout::A, 4396));
    for message in [
        Proto::new().packed(1, &sizes).varint(2, 4396).varint(3, 16).varint(4, 1),
        sizes
            .iter()
            .fold(Proto::new(), |proto, size| proto.varint(1, *size))
            .varint(2, 4396)
            .varint(3, 16)
            .varint(4, 1),
    ] {
        let blocks = pagemap(&entry().message(6, &message)).1.blocks.unwrap();
        assert_eq!(blocks.layout, BlockLayout::B);
        assert_eq!((blocks.sizes, blocks.total), (vec![0, 300, 4096], 4396));
        assert_eq!((blocks.pages_per_block, blocks.padded), (16, true));
    }
}

#[test]
fn lists_are_read_packed_and_unpacked() {
    let base = || Proto::new().varint(1, 5).varint(2, 1).varint(3, 5).varint(4, 5);
    for task in [base().varint(5, 5).varint(5, 600), base().packed(5, &[5, 600])] {
        let found = records(ImageKind::Pstree, &Writer::v1_1(0x5027_3030).record(&task).bytes);
        assert_eq!(found[0].decode::<PstreeEntry>().unwrap().threads, [5, 600]);
        assert!(criu_image::wire::unknown_fields(&found[0].payload, found[0].schema).is_empty());
    }
}

#[test]
fn netlink_files_of_both_byte_orders() {
    use criu_image::netlink::{MAGIC_IFADDR, NlRecords};
    for big in [false, true] {
        let mut writer = Writer::new(big, &[MAGIC_IFADDR, 16 + 8 + 8]);
        writer.half(20);
        writer.half(2);
        writer.word(7);
        writer.word(0);
        let mut writer = writer.raw(&[2, 8, 128, 254, 1, 0, 0, 0]);
        writer.half(8);
        writer.half(1);
        let bytes = Bytes::from(writer.raw(&[127, 0, 0, 1]).bytes);
        let mut found =
            NlRecords::open(ImageKind::Ifaddr, bytes.clone(), ByteOrder::Little).unwrap();
        let message = found.next().unwrap().unwrap();
        assert_eq!((message.kind, message.flags, message.sequence), (20, 2, 7));
        let attributes: Vec<_> = message.attributes(8).collect();
        assert_eq!(attributes.len(), 1);
        assert_eq!((attributes[0].kind, &attributes[0].data[..]), (1, &[127, 0, 0, 1][..]));
        assert!(found.next().is_none());
        for end in 0..bytes.len() {
            if let Ok(found) =
                NlRecords::open(ImageKind::Ifaddr, bytes.slice(..end), ByteOrder::Little)
            {
                assert_eq!(found.filter_map(Result::ok).count(), 0);
            }
        }
    }
    let empty = NlRecords::open(ImageKind::NetnsCt, Bytes::new(), ByteOrder::Big).unwrap();
    assert_eq!(empty.count(), 0);
}

#[test]
fn cut_anywhere_is_an_error_or_fewer_records() {
    let message = Proto::new().varint(1, 7).varint(2, 5);
    let queue = Proto::new().message(1, &desc(0)).varint(2, 16384).varint(3, 1);
    let all = [
        (
            ImageKind::Inventory,
            Writer::new(true, &[0x5831_3116]).record(&Proto::new().varint(1, 2)).bytes,
        ),
        (
            ImageKind::Pstree,
            Writer::v1_1(0x5027_3030).record(&pstree(1, 0)).record(&pstree(2, 1)).bytes,
        ),
        (
            ImageKind::IpcMsg,
            Writer::v1_1(0x5545_3737).record(&queue).record(&message).raw(b"hello\0\0\0").bytes,
        ),
        (
            ImageKind::Pagemap,
            Writer::v1_1(0x5608_4025)
                .record(&Proto::new().varint(1, 9))
                .record(
                    &Proto::new()
                        .varint(1, 0)
                        .varint(2, 0)
                        .message(6, &Proto::new().packed(1, &[1, 2])),
                )
                .bytes,
        ),
        (
            ImageKind::Seccomp,
            Writer::new(false, &[0x6441_3049])
                .record(&Proto::new().message(1, &Proto::new().bytes(1, &[6; 16])))
                .bytes,
        ),
        (
            ImageKind::StatsDump,
            Writer::new(false, &[SERVICE, 0x5709_3306])
                .record(&Proto::new().message(1, &Proto::new()))
                .bytes,
        ),
    ];
    for (kind, bytes) in all {
        let whole = records(kind, &bytes).len();
        for end in 0..bytes.len() {
            let Ok(image) = Image::open(kind, Bytes::copy_from_slice(&bytes[..end])) else {
                continue;
            };
            let found: Vec<_> = image.records().collect();
            let good = found.iter().filter(|record| record.is_ok()).count();
            assert!(good < whole, "{kind:?} cut at {end}");
            for record in found.into_iter().flatten() {
                let _ = (record.check(), PagemapRecord::from_record(&record));
            }
        }
    }
}
