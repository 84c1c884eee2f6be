//! The images of the stories.

use std::collections::BTreeMap;

use ckpt_synth::{Dump, stories};

use crate::wire::{Fields, records, varint};

type Images = BTreeMap<String, Vec<u8>>;

fn images(dump: &Dump) -> Images {
    dump.images().into_iter().collect()
}

fn one(images: &Images, name: &str) -> Fields {
    records(&images[name], 8, false).remove(0)
}

/// Bytes of a task's memory from a pagemap entry that covers `addr`, uncompressed images only.
fn stored(images: &Images, pid: u32, addr: u64, page: u64) -> Option<Vec<u8>> {
    let pagemap = records(&images[&format!("pagemap-{pid}.img")], 8, false);
    let file = &images[&format!("pages-{}.img", pagemap[0].number(1).unwrap())];
    let mut offset = 0;
    for entry in &pagemap[1..] {
        let start = entry.number(1).unwrap();
        let pages = entry.number(5).or(entry.number(2)).unwrap();
        if entry.number(4).unwrap() & 4 == 0 {
            continue;
        }
        if (start..start + pages * page).contains(&addr) {
            let at = usize::try_from(offset + (addr - start)).unwrap();
            return Some(file[at..at + usize::try_from(page - addr % page).unwrap()].to_vec());
        }
        offset += pages * page;
    }
    None
}

fn starts_with(memory: Option<Vec<u8>>, text: &[u8]) -> bool {
    memory.is_some_and(|bytes| bytes.starts_with(text))
}

#[test]
fn pages_files_are_as_long_as_their_pagemaps_say() {
    let dumps = [
        (stories::looper(), 4096, false),
        (stories::criu_317(), 4096, false),
        (stories::s390x(), 4096, true),
        (stories::aarch64(16384), 16384, false),
        (stories::aarch64(65536), 65536, false),
        (stories::ppc64le(), 65536, false),
        (stories::every_mapping(), 4096, false),
        (stories::shared_memory(), 4096, false),
        (stories::memfd_exe(), 4096, false),
    ];
    for (dump, page, big) in dumps {
        let images = images(&dump);
        let mut total = 0;
        for (_, pagemap) in images.iter().filter(|(name, _)| name.starts_with("pagemap-")) {
            let records = records(pagemap, 8, big);
            let file = &images[&format!("pages-{}.img", records[0].number(1).unwrap())];
            let present = records[1..].iter().filter(|entry| entry.number(4).unwrap() & 4 != 0);
            let pages: u64 = present.map(|e| e.number(5).or(e.number(2)).unwrap()).sum();
            assert_eq!(file.len() as u64, pages * page);
            total += pages;
        }
        let stats = records(&dump.stats(), 8, big).remove(0).message(1).unwrap();
        assert_eq!(stats.number(7).unwrap() + stats.number(14).unwrap(), total);
    }
}

#[test]
fn argv_and_environ_are_in_the_pages() {
    let images = images(&stories::looper());
    let mm = one(&images, "mm-1.img");
    let args = stored(&images, 1, mm.number(8).unwrap(), 4096).unwrap();
    assert!(args.starts_with(b"sh\0-c\0while :; do sleep 1; done\0"));
    let env = stored(&images, 1, mm.number(10).unwrap(), 4096);
    assert!(starts_with(env, b"PATH=/usr/bin:/bin\0LOOP_TOKEN=tok-3f9a-looper\0"));
    let sp = one(&images, "core-1.img").message(2).unwrap().message(2).unwrap().number(20);
    assert!(stored(&images, 1, sp.unwrap(), 4096).is_some());
    let auxv = mm.numbers(13);
    assert_eq!(auxv.len(), 44);
    assert!(auxv.chunks(2).any(|pair| pair == [6, 4096]));
}

#[test]
fn dialects_differ_where_they_should() {
    let new = images(&stories::looper());
    let old = images(&stories::criu_317());
    let entry = |images: &Images| records(&images["pagemap-1.img"], 8, false)[1].clone();
    assert_eq!((entry(&new).number(2), entry(&new).number(5)), (Some(0), Some(1)));
    assert_eq!((entry(&old).number(2), entry(&old).number(5)), (Some(1), None));
    let run_id = |images: &Images| records(&images["inventory.img"], 4, false)[0].bytes(13);
    assert!(run_id(&new).is_some() && run_id(&old).is_none());
    let set = |images: &Images| one(images, "core-1.img").message(3).unwrap().number(9);
    assert_eq!((set(&new), set(&old)), (None, Some(2)));
    let v1 = images(&stories::split_layout_v1_0());
    assert_eq!(v1["reg-files.img"][..4], [0x36, 0x36, 0x36, 0x50]);
    assert!(!v1.contains_key("files.img") && v1.contains_key("creds-1.img"));
    let s390 = images(&stories::s390x());
    assert_eq!(s390["core-1.img"][..8], [0x54, 0x56, 0x43, 0x19, 0x55, 0x05, 0x38, 0x47]);
    let core = records(&s390["core-1.img"], 8, true).remove(0);
    assert_eq!((core.number(1), core.message(10).is_some()), (Some(5), true));
}

/// Expands the pages file of pid 1 of an LZ4 story at [`stories::LZ4_AT`].
fn lz4(dump: &Dump) -> Vec<u8> {
    let images = images(dump);
    let inventory = records(&images["inventory.img"], 4, false).remove(0);
    assert_eq!(inventory.number(1), Some(3));
    let pagemap = records(&images["pagemap-1.img"], 8, false);
    let file = &images["pages-1.img"];
    let mut offset = 0usize;
    let mut found = Vec::new();
    for entry in &pagemap[1..] {
        if entry.number(4).unwrap() & 8 != 0 {
            offset = offset.next_multiple_of(4096);
        }
        let pages = usize::try_from(entry.number(5).unwrap()).unwrap();
        let layout_a = entry.number(7).is_some();
        let blocks = if layout_a { None } else { entry.message(6) };
        let (sizes, per_block, padded, total) = if layout_a {
            let packed = entry.bytes(6).map(|list| unpack(&list)).unwrap_or_default();
            let sizes = [packed, entry.numbers(6)].concat();
            (sizes, entry.number(8).unwrap_or(1), false, entry.number(7))
        } else if let Some(blocks) = blocks {
            let sizes = blocks.bytes(1).map(|list| unpack(&list)).unwrap_or_default();
            (sizes, blocks.number(3).unwrap(), blocks.number(4) == Some(1), blocks.number(2))
        } else {
            (vec![pages as u64 * 4096], pages as u64, false, None)
        };
        let before = offset;
        let mut memory = Vec::new();
        let mut left = pages * 4096;
        for size in sizes {
            let size = usize::try_from(size).unwrap();
            let plain = left.min(usize::try_from(per_block).unwrap() * 4096);
            let block = &file[offset..offset + size];
            memory.extend(match size {
                0 => vec![0; plain],
                size if size == plain => block.to_vec(),
                _ => lz4_flex::block::decompress(block, plain).unwrap(),
            });
            offset += size;
            if padded {
                offset = offset.next_multiple_of(4096);
            }
            left -= plain;
        }
        assert_eq!(
            (left, total.unwrap_or((offset - before) as u64)),
            (0, (offset - before) as u64)
        );
        if entry.number(1) == Some(stories::LZ4_AT) {
            found = memory;
        }
    }
    assert_eq!(offset, file.len());
    found
}

fn unpack(list: &[u8]) -> Vec<u64> {
    let mut rest = list;
    let mut numbers = Vec::new();
    while !rest.is_empty() {
        numbers.push(varint(&mut rest));
    }
    numbers
}

#[test]
fn lz4_blocks_expand() {
    let expected = stories::lz4_memory();
    for dump in [
        stories::lz4_a_per_page(),
        stories::lz4_a_packed(),
        stories::lz4_a_unpacked(),
        stories::lz4_b_per_page(),
        stories::lz4_b(),
        stories::lz4_b_aligned(),
        stories::lz4_b_padded(),
        stories::lz4_mixed(),
    ] {
        assert!(lz4(&dump) == expected);
    }
    let images = images(&stories::lz4_b());
    let entries = records(&images["pagemap-1.img"], 8, false);
    let entry = entries.iter().find(|e| e.number(1) == Some(stories::LZ4_AT)).unwrap();
    let sizes = unpack(&entry.message(6).unwrap().bytes(1).unwrap());
    assert!(matches!(sizes[..], [0, 1..14336, 8192]), "{sizes:?}");
}

#[test]
fn zombies_have_only_a_core() {
    let images = images(&stories::zombies());
    let of_seven: Vec<_> = images.keys().filter(|name| name.contains("-7.")).collect();
    assert_eq!(of_seven, ["core-7.img"]);
    let core = one(&images, "core-7.img").message(3).unwrap();
    assert_eq!((core.number(1), core.number(2)), (Some(2), Some(0x300)));
    let pstree = records(&images["pstree.img"], 8, false);
    assert_eq!(pstree[2].numbers(5), [3_428_082_240]);
}

#[test]
fn shared_objects_have_one_image() {
    let images = images(&stories::sharing());
    for name in ["mm-2.img", "pagemap-2.img", "fs-4.img", "mm-5.img", "fs-5.img", "fdinfo-4.img"] {
        assert!(!images.contains_key(name), "{name}");
    }
    let ids = |pid: u32| one(&images, &format!("ids-{pid}.img"));
    assert_eq!(ids(1).number(1), ids(2).number(1));
    assert_eq!(ids(1).number(2), ids(3).number(2));
    assert_eq!(ids(1).number(3), ids(4).number(3));
    assert_eq!(ids(1).number(4), ids(5).number(4));
    assert_ne!(ids(1).number(1), ids(6).number(1));
}

#[test]
fn deleted_files_lead_to_ghosts() {
    let images = images(&stories::deleted_exe());
    let exe = one(&images, "mm-4.img").number(12);
    let remap = one(&images, "remap-fpath.img");
    assert_eq!((remap.number(1), remap.number(2), remap.number(3)), (exe, Some(1), Some(1)));
    assert!(images["ghost-file-1.img"].ends_with(stories::IMPLANT));
    assert!(images["ghost-file-2.img"].ends_with(&[b'2'; 20_000]));
    let files = records(&images["files.img"], 8, false);
    let entry = files.iter().find(|file| file.number(2) == exe).unwrap();
    assert_eq!(entry.message(3).unwrap().bytes(6).unwrap(), b"/tmp/.sysupd");
}

#[test]
fn memfd_leads_to_shared_memory() {
    let images = images(&stories::memfd_exe());
    let exe = one(&images, "mm-6.img").number(12);
    let files = records(&images["files.img"], 8, false);
    let entry = files.iter().find(|file| file.number(2) == exe).unwrap();
    assert_eq!(entry.number(1), Some(18));
    let inode = one(&images, "memfd.img");
    assert_eq!(entry.message(20).unwrap().number(5), inode.number(7));
    let pagemap = &images[&format!("pagemap-shmem-{}.img", inode.number(5).unwrap())];
    let pages = records(pagemap, 8, false)[0].number(1).unwrap();
    assert!(images[&format!("pages-{pages}.img")].starts_with(stories::IMPLANT));
    assert_eq!(
        one(&images, "core-6.img").message(3).unwrap().bytes(6).unwrap(),
        b"memfd:systemd-j"
    );
}

#[test]
fn titles_end_without_nul_where_they_go_on() {
    let images = images(&stories::titles());
    for (pid, title) in stories::TITLES {
        let mm = one(&images, &format!("mm-{pid}.img"));
        let (start, end) = (mm.number(8).unwrap(), mm.number(9).unwrap());
        let area = stored(&images, *pid, start, 4096).unwrap();
        let len = usize::try_from(end - start).unwrap();
        assert!(area.starts_with(title.as_bytes()));
        assert_eq!(area[len - 1] != 0, title.len() >= len, "{pid}");
        let kept = area[len..].starts_with(b"PATH=");
        assert_eq!(kept, title.len() < len, "{pid}");
    }
}

#[test]
fn the_same_bytes_every_time() {
    for ((name, first), (_, second)) in stories::all().into_iter().zip(stories::all()) {
        assert!(first.tar() == second.tar(), "{name}");
    }
}
