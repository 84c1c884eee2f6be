//! Mappings and pages.

use ckpt_analysis::compare::{Cells, MappingFact, Memory, MemoryNoise, PageCounts, ProcessFact};
use ckpt_memory::MappingKind;
use ckpt_model::Checkpoint;
use ckpt_synth::layout::HEAP;
use ckpt_synth::{Arch, Archive, Container, Dump, Task, Vma};

use crate::{checkpoint, compared, dump, init, open};

const PAGE: u64 = 4096;
const AT: u64 = 0x7000_0000_0000;

fn page(byte: u8) -> Vec<u8> {
    vec![byte; PAGE as usize]
}

/// Process 7 with what is added to it.
fn with(build: impl Fn(Task) -> Task) -> Checkpoint {
    checkpoint([init(), build(Task::new(7, 1))])
}

/// Changed, added, removed and unknown pages by first address, where any is not 0.
fn pages(memory: &Memory) -> Vec<(u64, [u64; 4])> {
    let counts = |pages: &PageCounts| [pages.changed, pages.added, pages.removed, pages.unknown];
    memory.changes.iter().map(|one| (one.region.start.0, counts(&one.pages))).collect()
}

fn memory(a: &Checkpoint, b: &Checkpoint) -> Vec<(u64, [u64; 4])> {
    pages(compared(a, b).memory.as_ref().unwrap())
}

#[test]
fn pages_change_come_and_go() {
    let map = |task: Task| task.map(Vma::anon(AT, 8 * PAGE));
    let a = with(|task| {
        map(task)
            .pages(AT, page(1))
            .pages(AT + PAGE, page(2))
            .pages(AT + 2 * PAGE, page(3))
            .pages(AT + 3 * PAGE, page(0))
            .pages(AT + 6 * PAGE, page(6))
    });
    let b = with(|task| {
        map(task)
            .pages(AT, page(1))
            .pages(AT + PAGE, page(9))
            .pages(AT + 4 * PAGE, page(5))
            .pages(AT + 5 * PAGE, page(0))
            .pages(AT + 6 * PAGE, page(0))
    });
    // 1 and 6 changed, the latter to zeros; 4 is new, 2 was given back; 3 and 5 read as zeros in both.
    assert_eq!(memory(&a, &b), [(AT, [2, 1, 1, 0])]);
    assert_eq!(memory(&b, &a), [(AT, [2, 1, 1, 0])]);
    let comparison = compared(&a, &b);
    let rows = comparison.rows(&comparison.memory.as_ref().unwrap().changes[0], 2);
    assert_eq!(rows.list.len(), 2);
    assert!(rows.more);
    assert_eq!(rows.list[0].at_b.unwrap().0, AT + PAGE);
    assert_eq!(rows.list[0].a, Cells::Bytes(vec![2; 16].into()));
    assert_eq!(rows.list[0].b, Cells::Bytes(vec![9; 16].into()));
}

#[test]
fn what_is_missing_is_never_a_change() {
    let map = |task: Task| task.map(Vma::anon(AT, 4 * PAGE));
    let a = with(|task| map(task).pages(AT, page(1)).pages(AT + PAGE, page(2)));
    let b = with(|task| map(task).pages_elsewhere(AT, 1).pages_in_parent(AT + PAGE, 1));
    assert_eq!(memory(&a, &b), [(AT, [0, 0, 0, 2])]);
    let comparison = compared(&a, &b);
    let change = &comparison.memory.as_ref().unwrap().changes[0];
    assert!(!change.pages.differ());
    assert!(comparison.rows(change, 100).list.is_empty());
}

#[test]
fn an_archive_that_was_cut_lacks_things_and_deletes_none() {
    let mut dump = Dump::new();
    dump.task(init()).task(
        Task::new(7, 1).exe_deleted("/tmp/gone", b"\x7fELF".as_slice()).map(Vma::anon(AT, PAGE)),
    );
    let whole = Archive::podman(&dump);
    let a = open(&whole);
    let mut cut = whole.clone();
    for name in ["pstree.img", "remap-fpath.img", "ghost-file-1.img"] {
        cut.without(&format!("checkpoint/{name}"));
    }
    let b = open(&cut);
    let comparison = compared(&a, &b);
    assert_eq!((comparison.whole_a, comparison.whole_b), (true, false));
    let artifacts = comparison.artifacts.as_ref().expect("compared");
    assert_eq!(artifacts.removed.len(), 1, "the deleted file is told");
    let processes = comparison.processes.as_ref().expect("compared");
    let facts: Vec<_> = processes.changed.iter().map(|change| &change.what).collect();
    assert!(facts.iter().all(|what| !what.contains(&ProcessFact::Exe)), "{facts:?}");
    assert!(comparison.memory.as_ref().expect("compared").mappings.changed.is_empty());
    // Where both are whole it is a difference.
    let mut kept = Dump::new();
    kept.task(init()).task(Task::new(7, 1).exe("/tmp/gone").map(Vma::anon(AT, PAGE)));
    let kept = open(&Archive::podman(&kept));
    let comparison = compared(&a, &kept);
    assert!(
        comparison.processes.as_ref().expect("compared").changed[0]
            .what
            .contains(&ProcessFact::Exe)
    );
    assert!(comparison.differs());
}

#[test]
fn pages_of_files_are_copied_on_write() {
    let library = |task: Task| task.map(Vma::file(AT, 4 * PAGE, "/lib/libc.so", 0).prot(3));
    let a = with(|task| library(task).pages(AT + PAGE, page(1)));
    let b = with(|task| library(task).pages(AT + 2 * PAGE, page(2)));
    // Clean pages are in the file: both dumps leave them there.
    assert_eq!(memory(&a, &b), [(AT, [0, 1, 1, 0])]);
}

#[test]
fn mappings_come_go_grow_and_split() {
    let a = with(|task| {
        task.map(Vma::anon(AT, 4 * PAGE))
            .pages(AT, page(1))
            .map(Vma::anon(AT + 0x10_0000, 8 * PAGE))
            .map(Vma::anon(AT + 0x20_0000, 2 * PAGE))
            .pages(AT + 0x20_0000, page(7))
            .map(Vma::file(AT + 0x30_0000, PAGE, "/lib/a.so", 0))
    });
    let b = with(|task| {
        task.map(Vma::anon(AT, 6 * PAGE))
            .pages(AT, page(1))
            .pages(AT + 5 * PAGE, page(3))
            .map(Vma::anon(AT + 0x10_0000, 2 * PAGE))
            .map(Vma::anon(AT + 0x10_2000, 2 * PAGE).prot(5))
            .map(Vma::anon(AT + 0x10_4000, 4 * PAGE))
            .map(Vma::file(AT + 0x30_0000, PAGE, "/lib/b.so", 0))
            .map(Vma::anon(AT + 0x40_0000, PAGE).prot(7))
            .pages(AT + 0x40_0000, page(0))
    });
    let comparison = compared(&a, &b);
    let memory = comparison.memory.as_ref().unwrap();
    let starts = |mapped: &[ckpt_analysis::compare::Mapped]| {
        mapped.iter().map(|mapped| mapped.region.start.0 - AT).collect::<Vec<_>>()
    };
    assert_eq!(starts(&memory.mappings.added), [0x30_0000, 0x40_0000]);
    assert_eq!(starts(&memory.mappings.removed), [0x20_0000, 0x30_0000]);
    let changed: Vec<(u64, &[MappingFact])> = memory
        .mappings
        .changed
        .iter()
        .map(|change| (change.b.region.start.0 - AT, change.what.as_slice()))
        .collect();
    assert_eq!(
        changed,
        [
            (0, &[MappingFact::Range][..]),
            (0x10_0000, &[MappingFact::Range]),
            (0x10_2000, &[MappingFact::Range, MappingFact::Perms]),
            (0x10_4000, &[MappingFact::Range]),
        ]
    );
    // A page of zeros in a new mapping is captured all the same.
    assert_eq!(
        pages(memory),
        [(AT, [0, 1, 0, 0]), (AT + 0x20_0000, [0, 0, 1, 0]), (AT + 0x40_0000, [0, 1, 0, 0])]
    );
}

#[test]
fn the_heap_grows() {
    let heap = |byte| with(move |task| task.pages(HEAP + 4 * PAGE, page(byte)));
    let comparison_pages = memory(&heap(1), &heap(2));
    assert_eq!(comparison_pages, [(HEAP, [1, 0, 0, 0])]);
}

#[test]
fn shared_memory_counts_where_it_is_mapped() {
    let shared = |byte: u8| {
        let map = |pid| Task::new(pid, 1).map(Vma::memfd(AT, 4 * PAGE, "ring"));
        let mut dump = dump([init(), map(7), map(8)]);
        dump.memfd("ring", 5, 4 * PAGE, &[(0, &page(1)), (2 * PAGE, &page(byte))]);
        open(&Archive::podman(&dump))
    };
    let (a, b) = (shared(2), shared(3));
    let comparison = compared(&a, &b);
    let memory = comparison.memory.as_ref().unwrap();
    assert_eq!(pages(memory), [(AT, [1, 0, 0, 0]), (AT, [1, 0, 0, 0])]);
    assert_eq!(memory.changes[0].region.kind, MappingKind::MemfdShared);
    let artifacts = comparison.artifacts.as_ref().unwrap();
    assert_eq!(artifacts.changed.len(), 1);
    // Both are compared at a time, and neither may take the other's counts for its own before they are there.
    for _ in 0..200 {
        assert_eq!(self::memory(&a, &b), [(AT, [1, 0, 0, 0]), (AT, [1, 0, 0, 0])]);
    }
}

#[test]
fn tasks_that_share_memory_are_told_once() {
    let shared = |byte| {
        let owner = Task::new(7, 1).map(Vma::anon(AT, PAGE)).pages(AT, page(byte));
        checkpoint([init(), owner, Task::new(8, 7).share_vm_with(7)])
    };
    let (a, b) = (shared(1), shared(2));
    let comparison = compared(&a, &b);
    let memory = comparison.memory.as_ref().unwrap();
    assert_eq!(memory.changes.iter().map(|change| change.pid.0).collect::<Vec<_>>(), [7]);
}

#[test]
fn page_sizes_may_differ() {
    let with = |size: u64, byte: u8| {
        let task = Task::new(7, 1).map(Vma::anon(AT, 0x1_0000)).pages(AT, vec![byte; 0x4000]);
        let mut dump = dump([init(), task]);
        dump.arch(Arch::Aarch64 { page_size: size });
        open(&Archive::podman(&dump))
    };
    let (a, b) = (with(4096, 1), with(16_384, 1));
    let comparison = compared(&a, &b);
    assert_eq!(comparison.memory.as_ref().unwrap().page_size, 16_384);
    let (a, b) = (with(4096, 1), with(4096, 2));
    let comparison = compared(&a, &b);
    let counts = pages(comparison.memory.as_ref().unwrap());
    assert!(counts.contains(&(AT, [4, 0, 0, 0])), "{counts:?}");
}

#[test]
fn known_causes_are_named_and_counted() {
    let vdso = Arch::X86_64.mmap_base() + 2 * PAGE;
    let text = ckpt_synth::layout::TEXT + PAGE;
    let a = with(|task| task);
    let b = with(|task| task.pages(vdso, page(0xcc)).pages(text, page(0x90)));
    let comparison = compared(&a, &b);
    let memory = comparison.memory.as_ref().unwrap();
    let noise: Vec<(u64, Vec<(MemoryNoise, u64)>)> =
        memory.changes.iter().map(|one| (one.region.start.0, one.noise.clone())).collect();
    assert_eq!(
        noise,
        [(text, vec![(MemoryNoise::Injection, 1)]), (vdso, vec![(MemoryNoise::Vdso, 1)])]
    );
    assert!(!comparison.differs());
    // Two pages of text are somebody's.
    let c = with(|task| task.pages(text, [page(0x90), page(0x90)].concat()));
    let comparison = compared(&a, &c);
    assert!(comparison.memory.as_ref().unwrap().changes[0].noise.is_empty());
    assert!(comparison.differs());
}

#[test]
fn counterparts_are_compared_by_what_they_map() {
    let replica = |name: &str, at: u64, byte: u8| {
        let task = Task::new(1, 0)
            .argv(&[name, &name.repeat(9)])
            .map(Vma::file(at, 4 * PAGE, "/lib/libc.so", 0x1000).prot(5))
            .pages(at + PAGE, page(byte))
            .map(Vma::anon(at + 0x10_0000, 2 * PAGE))
            .pages(at + 0x10_0000, page(4));
        let mut dump = dump([task]);
        dump.container(Container::new(name));
        open(&Archive::podman(&dump))
    };
    let (a, b) = (replica("one", AT, 1), replica("another-name", AT + 0x55_5000, 2));
    let comparison = compared(&a, &b);
    let memory = comparison.memory.as_ref().unwrap();
    let library = memory.changes.iter().find(|one| one.region.start.0 == AT + 0x55_5000).unwrap();
    assert_eq!(library.start_a.unwrap().0, AT);
    assert_eq!(library.pages, {
        let mut one = PageCounts::default();
        one.changed = 1;
        one
    });
    assert!(memory.mappings.added.is_empty() && memory.mappings.removed.is_empty());
}

#[test]
fn huge_sparse_mappings_cost_nothing() {
    let huge = |byte: u8| {
        with(move |task| {
            let task = task.map(Vma::anon(0x1000_0000_0000, 0x4000_0000_0000));
            task.pages(0x1234_5678_9000, page(byte)).pages(0x4fff_ffff_f000, page(byte))
        })
    };
    let (a, b) = (huge(1), huge(2));
    let start = std::time::Instant::now();
    assert_eq!(memory(&a, &b), [(0x1000_0000_0000, [2, 0, 0, 0])]);
    assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
}

#[test]
fn a_million_mappings_are_a_matter_of_seconds() {
    let many = |prot: u32| {
        let mut task = Task::new(7, 1);
        for index in 0..1_000_000_u64 {
            let prot = if index % 1000 == 0 { prot } else { 3 };
            task = task.map(Vma::anon(0x1000_0000_0000 + index * 2 * PAGE, PAGE).prot(prot));
        }
        let mut dump = Dump::new();
        dump.task(init()).task(task);
        open(&Archive::podman(&dump))
    };
    let (a, b) = (many(3), many(1));
    let start = std::time::Instant::now();
    let comparison = compared(&a, &b);
    let mappings = &comparison.memory.as_ref().unwrap().mappings;
    assert_eq!(mappings.changed.len(), 1000);
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}
