//! Memory maps: what is behind each mapping, what is filled from files, what is marked.

use ckpt_archive::Options;
use ckpt_memory::{Mapping, MappingKind, Missing, Origin, Span, VirtAddr};
use ckpt_model::{
    Checkpoint, FillOptions, MappingFilter, MappingMark, MemorySizes, Pid, holds_stack_of,
};
use ckpt_synth::stories::{self, MAPPINGS_AT, SHARED_AT};
use ckpt_synth::{Archive, Dump, Message, Task, Vma, magic};

use crate::{assert_told, open, task};

const STEP: u64 = 0x100_0000;
const PAGE: u64 = 4096;

fn mapping(checkpoint: &Checkpoint, pid: u32, at: u64) -> Mapping {
    let space = checkpoint.memory(Pid(pid)).expect("memory");
    space.mapping_at(VirtAddr(at)).unwrap_or_else(|| panic!("nothing at {at:#x}")).clone()
}

fn name(mapping: &Mapping) -> String {
    mapping
        .name
        .as_deref()
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .unwrap_or_default()
}

/// What lies in a range, by its first address in pages of the mapping: where from, or why not.
fn told(checkpoint: &Checkpoint, pid: u32, at: u64, pages: u64) -> Vec<(u64, String)> {
    let space = checkpoint.memory(Pid(pid)).expect("memory");
    let spans = space.spans(VirtAddr(at), pages * PAGE).map(|span| {
        let what = match &span {
            Span::Bytes { origin, .. } => origin.to_string(),
            Span::Zero { .. } => "zero".to_owned(),
            Span::Missing { why, .. } => why.word().to_owned(),
        };
        ((span.start().0 - at) / PAGE, what)
    });
    spans.collect()
}

fn text(checkpoint: &Checkpoint, pid: u32, at: u64, len: u64) -> String {
    let space = checkpoint.memory(Pid(pid)).expect("memory");
    String::from_utf8(space.read(VirtAddr(at), len).expect("bytes")).expect("text")
}

fn pages(list: &[(u64, &str)]) -> Vec<(u64, String)> {
    list.iter().map(|(page, what)| (*page, (*what).to_owned())).collect()
}

/// The ring of `io_setup(2)`: shared memory of a file of the kernel's own.
#[test]
fn the_ring_of_asynchronous_io_has_the_name_that_maps_shows() {
    const AIORING: u32 = 1 << 13;
    let ring = Vma::anon(MAPPINGS_AT, PAGE).prot(3).flags(1).status(AIORING);
    let mut dump = Dump::new();
    dump.task(Task::new(1, 0).map(ring));
    let checkpoint = open(&Archive::podman(&dump));
    let ring = mapping(&checkpoint, 1, MAPPINGS_AT);
    assert_eq!((ring.kind, name(&ring).as_str()), (MappingKind::AioRing, "/[aio] (deleted)"));
    assert!(ring.deleted);
}

/// Anonymous memory of huge pages: CRIU keeps the shared form as a memfd of the name that the kernel gives both.
#[test]
fn huge_pages_of_nobodys_file_are_anonymous_and_no_memfd() {
    const HUGE: u64 = 2 << 20;
    const FLAGS: u32 = 0x5404_0000; // MAP_HUGETLB | MAP_HUGE_2MB
    let at = |n: u64| MAPPINGS_AT + n * HUGE;
    let mut dump = Dump::new();
    dump.task(
        Task::new(1, 0)
            .map(Vma::anon(at(0), HUGE).flags(0x22 | FLAGS))
            .map(Vma::memfd(at(1), HUGE, "/anon_hugepage").flags(1 | FLAGS))
            .map(Vma::memfd(at(2), HUGE, "named").flags(1 | FLAGS)),
    )
    .memfd("/anon_hugepage", 71, HUGE, &[(0, b"shared")])
    .memfd("named", 72, HUGE, &[(0, b"of a memfd")]);
    let inode = |id: u32, name: &str, shmid: u32| {
        let inode = Message::new().bytes(1, name).uint(2, 0u32).uint(3, 0u32).uint(4, HUGE); // name, uid, gid, size
        inode.uint(5, shmid).uint(6, 1u32).uint(7, id).uint(8, 0x5400_0004u32) // shmid, seals, inode_id, hugetlb_flag
    };
    dump.image("memfd.img", magic::MEMFD, &[inode(1, "/anon_hugepage", 71), inode(2, "named", 72)]);
    let checkpoint = open(&Archive::podman(&dump));
    let shown = |n: u64| {
        let mapping = mapping(&checkpoint, 1, at(n));
        assert!(mapping.deleted);
        (mapping.kind, name(&mapping))
    };
    assert_eq!(shown(0), (MappingKind::Anon, "/anon_hugepage (deleted)".to_owned()));
    assert_eq!(shown(1), (MappingKind::AnonShared, "/anon_hugepage (deleted)".to_owned()));
    assert_eq!(shown(2), (MappingKind::MemfdShared, "/memfd:named (deleted)".to_owned()));
    assert_eq!(text(&checkpoint, 1, at(1), 6), "shared");
    let artifacts = checkpoint.artifacts(&Options::default());
    let artifact = artifacts.list.iter().find(|one| one.id == "shm-71").expect("the segment");
    assert_eq!(artifact.path.as_ref().map(ToString::to_string), Some("/anon_hugepage".into()));
}

#[test]
fn every_kind_of_mapping_says_what_is_in_it() {
    let checkpoint = open(&Archive::podman(&stories::every_mapping()));
    let at = |n: u64| MAPPINGS_AT + n * STEP;
    let expected: [(u64, &[(u64, &str)]); 7] = [
        (0, &[(0, "dumped"), (1, "zero"), (2, "dumped"), (3, "zero")]),
        (1, &[(0, "file-backed")]),
        (2, &[(0, "file-backed"), (1, "dumped"), (2, "file-backed")]),
        (3, &[(0, "file-backed")]),
        (4, &[(0, "file-backed")]),
        (5, &[(0, "lazy"), (2, "in-parent"), (3, "zero")]),
        (7, &[(0, "guard"), (1, "zero"), (3, "dumped")]),
    ];
    for (n, spans) in expected {
        assert_eq!(told(&checkpoint, 1, at(n), 4), pages(spans), "mapping {n}");
    }
    assert_eq!(mapping(&checkpoint, 1, at(4)).kind, MappingKind::FileShared);
    assert_eq!(mapping(&checkpoint, 1, at(4)).perms().to_string(), "rw-s");
    let deleted = mapping(&checkpoint, 1, at(3));
    assert_eq!((name(&deleted).as_str(), deleted.deleted), ("/usr/lib/gone.so (deleted)", true));
    let space = checkpoint.memory(Pid(1)).expect("memory");
    assert_eq!(space.guards().len(), 1);
    // A tebibyte that nothing ever touched is one span.
    assert_eq!(space.spans(VirtAddr(0x6000_0000_0000), 1 << 40).count(), 1);
    let tally = space.tally(space.mapping_at(VirtAddr(at(5))).expect("a mapping"));
    assert_eq!((tally.zero, tally.missing, tally.dumped), (1, 3, 0));
}

#[test]
fn the_heap_and_the_stack_are_found_by_their_place() {
    let checkpoint = open(&Archive::podman(&stories::every_mapping()));
    let space = checkpoint.memory(Pid(1)).expect("memory");
    let stacks: Vec<&Mapping> =
        space.mappings().iter().filter(|one| one.kind == MappingKind::Stack).collect();
    assert_eq!(stacks.len(), 1);
    assert_eq!(name(stacks[0]), "[stack]");
    let threads: Vec<Pid> = holds_stack_of(stacks[0], task(&checkpoint, 1)).collect();
    assert_eq!(threads, [Pid(1)]);
}

#[test]
fn shared_memory_reads_the_same_wherever_it_is_mapped() {
    let checkpoint = open(&Archive::podman(&stories::shared_memory()));
    let at = |n: u64| SHARED_AT + n * STEP;
    let kinds = [
        (0, MappingKind::MemfdShared, "/memfd:ring (deleted)"),
        (1, MappingKind::AnonShared, "/dev/zero (deleted)"),
        (2, MappingKind::SysvShm, "/SYSV00005001 (deleted)"),
        (3, MappingKind::AnonShared, "/dev/zero (deleted)"),
    ];
    for (n, kind, of) in kinds {
        let mapping = mapping(&checkpoint, 1, at(n));
        assert_eq!((mapping.kind, name(&mapping).as_str()), (kind, of));
    }
    assert_eq!(text(&checkpoint, 1, at(0), 7), "in ring");
    assert_eq!(text(&checkpoint, 1, at(0) + 0x2000, 5), "later");
    assert_eq!(text(&checkpoint, 2, at(0), 5), "later");
    assert_eq!(text(&checkpoint, 1, at(1), 11), "zero-backed");
    assert_eq!(text(&checkpoint, 1, at(2), 9), "sysv zero");
    assert_eq!(text(&checkpoint, 1, at(3), 8), "numbered");
    // 12345 bytes are three pages and a bit; what is mapped behind the last page was never there.
    let spans = told(&checkpoint, 1, at(0), 4);
    assert_eq!(spans, pages(&[(0, "shmem"), (1, "zero"), (2, "shmem"), (3, "zero"), (3, "zero")]));
    let sizes = MemorySizes::of(&checkpoint.memory(Pid(1)).expect("memory"));
    assert_eq!((sizes.shared, sizes.missing), (5 * PAGE, 0));
}

/// Pid 1 maps four kinds of code; `text` is the content of a deleted program of two pages.
fn code() -> (Archive, Vec<u8>) {
    let text: Vec<u8> = (0..2 * PAGE).map(|at| (at % 253) as u8).collect();
    let mut elf = b"\x7fELF\x02\x01\x01\0".to_vec();
    elf.resize(64, 0);
    let mut patched = text[4096..].to_vec();
    patched[100] ^= 0xff;
    let task = Task::new(1, 0)
        .comm("odd")
        // The first executable mapping: a page that CRIU wrote and put back.
        .map(Vma::deleted_file(0x10_0000, 2 * PAGE, "/bin/odd", 0, text.clone()).prot(5))
        .pages(0x10_0000, &text[..4096])
        // The same file once more, patched.
        .map(Vma::deleted_file(0x20_0000, 2 * PAGE, "/bin/odd", 0, text.clone()).prot(5))
        .pages(0x20_1000, patched)
        .map(Vma::file(0x30_0000, 2 * PAGE, "/bin/nowhere", 0).prot(5))
        .pages(0x30_0000, b"written")
        .map(Vma::anon(0x1040_0000, 4 * PAGE).prot(7))
        .pages(0x1040_2000, elf.clone())
        .map(Vma::anon(0x1050_0000, 4 * PAGE))
        .pages(0x1050_1000, elf);
    let mut dump = Dump::new();
    dump.task(task);
    (Archive::podman(&dump), text)
}

#[test]
fn code_is_held_against_its_file() {
    let (archive, _) = code();
    let checkpoint = open(&archive);
    let files = checkpoint.file_sources(&FillOptions::default()).expect("files");
    let map = checkpoint.memory_map(Pid(1), &files).expect("a map");
    let of = |at: u64| {
        let found = map.mappings().find(|(mapping, _)| mapping.start.0 == at).expect("a mapping");
        found.1
    };
    let criu = of(0x10_0000);
    assert_eq!(criu.marks, [MappingMark::FileDeleted]);
    let check = criu.text.expect("captured code");
    assert_eq!((check.captured, check.differing, check.perhaps_criu), (1, Some(0), true));
    let patched = of(0x20_0000);
    assert_eq!(patched.marks, [MappingMark::ModifiedText, MappingMark::FileDeleted]);
    let check = patched.text.expect("captured code");
    assert_eq!((check.differing, check.first_differing), (Some(1), Some(VirtAddr(0x20_1000))));
    assert_eq!(of(0x30_0000).marks, [MappingMark::WrittenText]);
    let anonymous =
        [MappingMark::AnonymousExecutable, MappingMark::WritableExecutable, MappingMark::ElfHeader];
    assert_eq!(of(0x1040_0000).marks, anonymous);
    assert_eq!(of(0x1050_0000).marks, [MappingMark::ElfHeader]);
    let modules = map.modules(&checkpoint);
    let in_memory: Vec<u64> = modules
        .iter()
        .filter(|module| module.name.is_none())
        .map(|module| module.start.0)
        .collect();
    assert_eq!(in_memory, [0x1040_2000, 0x1050_1000]);
}

#[test]
fn files_at_hand_fill_what_the_dump_left_in_them() {
    let (archive, text) = code();
    let checkpoint = open(&archive);
    let files = checkpoint.file_sources(&FillOptions::default()).expect("files");
    let space = checkpoint.memory_filled(Pid(1), &files).expect("memory");
    assert_eq!(space.read(VirtAddr(0x10_0000), 2 * PAGE).expect("all of it"), text);
    let origin = space.spans(VirtAddr(0x10_1000), PAGE).next();
    let Some(Span::Bytes { origin: origin @ Origin::File(_), .. }) = origin else {
        panic!("{origin:?}")
    };
    assert_eq!(origin.to_string(), "file:/bin/odd@ghost-file-1.img");
    let missing = space.read(VirtAddr(0x30_1000), 16).expect_err("a file that is nowhere");
    assert_eq!(missing.why, Missing::FileBacked);
}

#[test]
fn a_root_file_system_fills_only_with_the_file_that_was_mapped() {
    let root = tempfile::tempdir().expect("a folder");
    let folder = root.path().join("usr/lib");
    std::fs::create_dir_all(&folder).expect("a folder");
    let content: Vec<u8> = (0..9 * PAGE).map(|at| (at / PAGE) as u8 + b'0').collect();
    std::fs::write(folder.join("libc.so"), &content).expect("written");
    let checkpoint = open(&Archive::podman(&stories::every_mapping()));
    let options = FillOptions::default().archive(Options::default()).rootfs(root.path());
    let files = checkpoint.file_sources(&options).expect("files");
    let space = checkpoint.memory_filled(Pid(1), &files).expect("memory");
    let byte = |at: u64| space.read(VirtAddr(at), 1).map(|bytes| bytes[0]);
    // Mapping 1 begins at 0x1000 of the file, mapping 2 at 0x5000; of the latter the second page was written.
    assert_eq!(byte(MAPPINGS_AT + STEP), Ok(b'1'));
    assert_eq!(byte(MAPPINGS_AT + 2 * STEP), Ok(b'5'));
    assert_eq!(byte(MAPPINGS_AT + 2 * STEP + PAGE), Ok(b'w'));
    assert_eq!(byte(MAPPINGS_AT + 2 * STEP + 3 * PAGE), Ok(b'8'));
    let base = FillOptions::default().base(root.path());
    assert!(checkpoint.file_sources(&base).is_err(), "a folder is no image");
}

#[test]
fn filters_name_what_they_say() {
    let (archive, _) = code();
    let checkpoint = open(&archive);
    let space = checkpoint.memory(Pid(1)).expect("memory");
    let count = |word: &str| {
        let filter: MappingFilter = word.parse().expect("a filter");
        let task = task(&checkpoint, 1);
        space.mappings().iter().filter(|mapping| filter.matches(mapping, task)).count()
    };
    assert_eq!((count("rwx"), count("file:odd"), count("file:/bin/no*")), (1, 2, 1));
    assert_eq!(count("stack"), 1);
    assert!(count("exec") >= 4 && count("anon") >= 3);
    assert!("file:[".parse::<MappingFilter>().is_err());
    let unknown = "roodle".parse::<MappingFilter>().expect_err("no such word");
    assert!(unknown.to_string().contains("file:GLOB"));
}

#[test]
fn overlapping_mappings_are_cut_and_told() {
    let task = Task::new(1, 0)
        .comm("twice")
        .map(Vma::anon(0x10_0000, 4 * PAGE))
        .pages(0x10_0000, b"first")
        .map(Vma::anon(0x10_2000, 4 * PAGE).prot(1));
    let mut dump = Dump::new();
    dump.task(task);
    let checkpoint = open(&Archive::podman(&dump));
    let space = checkpoint.memory(Pid(1)).expect("memory");
    assert_eq!(space.mapping_at(VirtAddr(0x10_3000)).expect("the first").start.0, 0x10_0000);
    assert_eq!(space.mapping_at(VirtAddr(0x10_4000)).expect("the second").start.0, 0x10_4000);
    assert_told(&checkpoint, "overlaps the one before it");
}
