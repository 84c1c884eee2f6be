//! Damage costs what is damaged.

use ckpt_archive::{Evidence, Options};
use ckpt_memory::{MappingKind, Span, VirtAddr};
use ckpt_model::{Checkpoint, DefectKind, DumpKind, MemorySizes, Pid, TaskState};
use ckpt_synth::{Archive, Dump, File, Message, Task, Vma, magic};

use crate::{argv, assert_told, open, task};

fn three() -> Dump {
    let mut dump = Dump::new();
    for pid in 1..=3 {
        let name = format!("task-{pid}");
        dump.task(Task::new(pid, pid.min(2) - 1).argv(&[name.as_str()]).exe(name.into_bytes()));
    }
    dump
}

#[test]
fn one_broken_image_costs_one_process() {
    for image in ["core-2.img", "mm-2.img", "fs-2.img", "ids-2.img", "pagemap-2.img"] {
        for harm in ["missing", "cut", "corrupt", "empty"] {
            let mut dump = three();
            match harm {
                "missing" => dump.without(image),
                "cut" => dump.truncate(image, 11),
                "corrupt" => dump.corrupt(image, 9, 0xff),
                _ => dump.truncate(image, 0),
            };
            let checkpoint = open(&Archive::podman(&dump));
            assert_eq!(checkpoint.processes().tasks.len(), 3, "{image} {harm}");
            assert_eq!(argv(&checkpoint, 1), ["task-1"], "{image} {harm}");
            assert_eq!(argv(&checkpoint, 3), ["task-3"], "{image} {harm}");
            let _ = checkpoint.descriptors();
            assert!(!checkpoint.defects().is_empty(), "{image} {harm}");
        }
    }
}

#[test]
fn a_dump_without_inventory_and_tree_shows_what_is_left() {
    let mut dump = three();
    dump.without("inventory.img").without("pstree.img");
    let checkpoint = open(&Archive::bare(&dump, "image/"));
    assert_eq!(checkpoint.directory().map(|directory| directory.kind), Some(DumpKind::Incomplete));
    assert!(!checkpoint.processes().has_tree);
    assert_eq!(argv(&checkpoint, 2), ["task-2"]);
    assert_eq!(task(&checkpoint, 2).ppid, None);
    assert_told(&checkpoint, "an incomplete dump: inventory.img and pstree.img missing");
    assert!(checkpoint.defects().iter().any(|defect| defect.kind == DefectKind::Missing));
}

#[test]
fn a_pre_dump_has_memory_and_no_names() {
    let mut dump = three();
    dump.pre_dump();
    let checkpoint = open(&Archive::bare(&dump, ""));
    assert_eq!(checkpoint.directory().map(|directory| directory.kind), Some(DumpKind::PreDump));
    assert_eq!(checkpoint.processes().tasks.len(), 3);
    assert!(task(&checkpoint, 1).state.is_none());
}

#[test]
fn a_missing_pages_file_is_told_with_its_size() {
    let mut dump = three();
    let pages: Vec<_> = dump
        .images()
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| name.starts_with("pages-"))
        .collect();
    dump.without(&pages[1]);
    let checkpoint = open(&Archive::podman(&dump));
    let _ = checkpoint.processes();
    assert_told(&checkpoint, "is missing");
    assert_eq!(argv(&checkpoint, 1), ["task-1"]);
}

#[test]
fn cut_anywhere_it_opens_or_says_why() {
    let whole = Archive::podman(&three()).tar();
    for len in (0..whole.len()).step_by(4096).chain([1, 511, 513]) {
        let bytes = whole[..len].to_vec();
        let Ok(evidence) = Evidence::from_bytes("cut", bytes.into(), &Options::default()) else {
            continue;
        };
        let Ok(checkpoint) = Checkpoint::options().open_evidence(evidence) else { continue };
        let _ = checkpoint.processes();
        let _ = checkpoint.container();
        assert!(!checkpoint.defects().is_empty(), "cut at {len} and nothing told");
    }
}

#[test]
fn fields_of_a_newer_criu_are_told_and_cost_nothing() {
    let mut dump = three();
    // Field 900, varint 5, appended to the only record of fs-1.img, whose length is the word behind the two magics.
    let (_, mut image) =
        dump.images().into_iter().find(|(name, _)| name == "fs-1.img").expect("fs-1.img");
    image.extend_from_slice(&[0xa0, 0x38, 0x05]);
    let len = u32::from_le_bytes(image[8..12].try_into().expect("four bytes")) + 3;
    image[8..12].copy_from_slice(&len.to_le_bytes());
    dump.raw("fs-1.img", image);
    let checkpoint = open(&Archive::podman(&dump));
    assert_eq!(argv(&checkpoint, 1), ["task-1"]);
    assert!(task(&checkpoint, 1).cwd.is_some());
    assert_told(&checkpoint, "1 unknown field(s), the first is number 900");
    assert!(checkpoint.defects().iter().all(|defect| defect.kind == DefectKind::Unknown));
}

#[test]
fn what_criu_always_writes_is_missed_and_not_taken_for_zero_in_silence() {
    let mut dump = three();
    // The ids of two users, no groups, no securebits.
    let creds = Message::new().uint(1, 1000u32).uint(3, 1000u32);
    let task = Message::new().uint(1, 1u32).uint(2, 0u32).bytes(6, "task-2");
    let thread = Message::new().uint(1, 0u32).uint(2, 24u32).message(10, &creds);
    let core = Message::new().uint(1, 1u32).message(3, &task).message(5, &thread);
    dump.image("core-2.img", magic::CORE, &[core]);
    let checkpoint = open(&Archive::podman(&dump));
    assert_eq!(argv(&checkpoint, 2), ["task-2"]);
    assert_told(
        &checkpoint,
        "core-2.img: record 0: 10 field(s) that CRIU always writes are not there and read as 0",
    );
    assert_told(&checkpoint, "core-2.img: no registers of thread 2");
    assert!(checkpoint.defects().iter().all(|defect| defect.kind == DefectKind::Missing));
}

#[test]
fn states_and_machines_that_are_not_known_are_told_and_keep_their_numbers() {
    let mut dump = three();
    let task = (1..=5u32).fold(Message::new(), |task, field| task.uint(field, 77u32));
    let thread = Message::new().uint(1, 0u32).uint(2, 24u32);
    let core = Message::new().uint(1, 99u32).message(3, &task.bytes(6, "task-2"));
    dump.image("core-2.img", magic::CORE, &[core.message(5, &thread)]);
    let checkpoint = open(&Archive::podman(&dump));
    assert_eq!(crate::task(&checkpoint, 2).state, Some(TaskState::Unknown(77)));
    assert_eq!(argv(&checkpoint, 2), ["task-2"]);
    assert_told(&checkpoint, "core-2.img: task state 77 is not known");
    assert_told(&checkpoint, "core-2.img: architecture 99 is not known: registers are not read");
    assert!(checkpoint.defects().iter().all(|defect| defect.kind == DefectKind::Unknown));
}

#[test]
fn pages_of_a_parent_that_nobody_names_are_told() {
    let checkpoint = open(&Archive::podman(&ckpt_synth::stories::every_mapping()));
    let _ = checkpoint.processes();
    assert_told(&checkpoint, "pages are in a parent checkpoint that is not here");
}

#[test]
fn two_tasks_cannot_have_one_pages_file() {
    let checkpoint = open(&Archive::podman(&ckpt_synth::stories::hostile_numbers()));
    let _ = checkpoint.processes();
    assert_told(&checkpoint, "names pages-1.img, which belongs to process");
}

/// Whatever a story does, the model answers, and the same twice.
#[test]
fn every_story_is_answered() {
    for (name, archive) in ckpt_synth::stories::all() {
        let answer = || {
            let evidence = Evidence::from_bytes(name, archive.tar().into(), &Options::default());
            let checkpoint = Checkpoint::options().open_evidence(evidence.ok()?).ok()?;
            let pids: Vec<_> = checkpoint.processes().tasks.iter().map(|task| task.pid).collect();
            let _ = (
                checkpoint.container(),
                checkpoint.criu(),
                checkpoint.sizes(),
                checkpoint.accounting(),
            );
            checkpoint.look_for_unknown();
            Some((pids, checkpoint.defects()))
        };
        assert_eq!(answer(), answer(), "{name}");
    }
}

/// Offsets at which the records of an image begin, and its end.
fn records(image: &[u8]) -> Vec<usize> {
    let mut at = 8;
    let mut found = vec![at];
    while let Some(len) = image.get(at..at + 4) {
        at += 4 + u32::from_le_bytes(len.try_into().expect("four bytes")) as usize;
        found.push(at);
    }
    found
}

fn image(dump: &Dump, name: &str) -> Vec<u8> {
    dump.images().into_iter().find(|(found, _)| found == name).expect("the image").1
}

/// Pages of a mapping by their word, and what `tell` says of it.
fn words(checkpoint: &Checkpoint, pid: u32, at: u64, pages: u64) -> Vec<&'static str> {
    let space = checkpoint.memory(Pid(pid)).expect("memory");
    let page = |n: u64| match space.spans(VirtAddr(at + n * PAGE), PAGE).next() {
        Some(Span::Bytes { .. }) => "bytes",
        Some(Span::Zero { .. }) => "zero",
        Some(Span::Missing { why, .. }) => why.word(),
        None => "nothing",
    };
    (0..pages).map(page).collect()
}

const PAGE: u64 = 4096;
const AT: u64 = 0x6000_0000_0000;

/// Pid 1 with four pages, of which the first and the third are stored, above everything else that is.
fn holed() -> Dump {
    let mut dump = Dump::new();
    let task = Task::new(1, 0).argv(&["holed"]);
    let task = task.map(Vma::anon(AT, 4 * PAGE)).pages(AT, b"first").pages(AT + 2 * PAGE, b"third");
    dump.task(task);
    dump
}

#[test]
fn memory_behind_a_broken_pagemap_is_missing_and_not_zeros() {
    let whole = image(&holed(), "pagemap-1.img");
    assert_eq!(
        words(&open(&Archive::podman(&holed())), 1, AT, 4),
        ["bytes", "zero", "bytes", "zero"]
    );
    let records = records(&whole);
    let third = records
        .windows(2)
        .position(|pair| {
            let vaddr = prefix(AT + 2 * PAGE);
            whole[pair[0]..pair[1]].windows(vaddr.len()).any(|bytes| bytes == vaddr)
        })
        .expect("the entry of the third page");
    let at = records[third];
    let mut broken = whole.clone();
    broken[at..].fill(0xff);
    for (harm, bytes) in
        [("broken", broken), ("cut", whole[..at + 3].to_vec()), ("ends", whole[..at].to_vec())]
    {
        let mut dump = holed();
        dump.raw("pagemap-1.img", bytes);
        let checkpoint = open(&Archive::podman(&dump));
        let lost = "pagemap-damaged";
        assert_eq!(words(&checkpoint, 1, AT, 4), ["bytes", lost, lost, lost], "{harm}");
        assert_told(&checkpoint, "pagemap-1.img");
    }
    let mut dump = holed();
    dump.without("pagemap-1.img");
    let checkpoint = open(&Archive::podman(&dump));
    assert_eq!(words(&checkpoint, 1, AT, 4), ["no-pagemap"; 4]);
    assert_told(&checkpoint, "pagemap-1.img: no pagemap");
    assert_eq!(checkpoint.stale(), [], "its pages are of this dump");
}

/// `pagemap_entry.vaddr` as the image has it.
fn prefix(mut vaddr: u64) -> Vec<u8> {
    let mut bytes = vec![0x08];
    while vaddr >= 0x80 {
        bytes.push(vaddr as u8 | 0x80);
        vaddr >>= 7;
    }
    bytes.push(vaddr as u8);
    bytes
}

#[test]
fn shared_memory_behind_a_broken_pagemap_is_missing_too() {
    let name = "pagemap-shmem-9001.img";
    let mut dump = Dump::new();
    dump.memfd("ring", 9001, 4 * PAGE, &[(0, b"first"), (2 * PAGE, b"third")])
        .task(Task::new(1, 0).map(Vma::memfd(AT, 4 * PAGE, "ring")));
    let whole = image(&dump, name);
    assert_eq!(words(&open(&Archive::podman(&dump)), 1, AT, 4), ["bytes", "zero", "bytes", "zero"]);
    let last = records(&whole).into_iter().rev().nth(1).expect("the last record");
    dump.raw(name, whole[..last + 2].to_vec());
    let lost = "pagemap-damaged";
    assert_eq!(words(&open(&Archive::podman(&dump)), 1, AT, 4), ["bytes", lost, lost, lost]);
}

#[test]
fn dumped_pages_are_readable_without_a_memory_map() {
    let mut lost = holed();
    lost.without("mm-1.img");
    let mut broken = holed();
    broken.truncate("mm-1.img", 40);
    let mut early = holed();
    early.pre_dump();
    for (name, archive) in [
        ("lost", Archive::podman(&lost)),
        ("broken", Archive::podman(&broken)),
        ("pre-dump", Archive::bare(&early, "")),
    ] {
        let checkpoint = open(&archive);
        let seen = words(&checkpoint, 1, AT, 4);
        assert_eq!(seen, ["bytes", "not-listed", "bytes", "not-listed"], "{name}");
        let space = checkpoint.memory(Pid(1)).expect("memory");
        assert_eq!(space.read(VirtAddr(AT), 5).expect("bytes"), b"first", "{name}");
        let mapping = space.mapping_at(VirtAddr(AT)).expect("a mapping");
        assert_eq!((mapping.kind, mapping.len()), (MappingKind::Unknown, PAGE), "{name}");
        let sound = open(&Archive::podman(&holed()));
        let all = MemorySizes::of(&sound.memory(Pid(1)).expect("memory")).private;
        assert_eq!(MemorySizes::of(&space).private, all, "{name}");
        let told = checkpoint.defects();
        let of_map = told.iter().any(|defect| defect.place.contains("mm-1.img"));
        assert_eq!(of_map, name != "pre-dump", "{name}: {told:?}");
    }
}

#[test]
fn a_mapping_that_ends_before_it_starts_is_told_at_its_image() {
    let mut dump = Dump::new();
    let odd = Vma::anon(AT, 0u64.wrapping_sub(PAGE));
    dump.task(Task::new(1, 0).map(odd).pages(AT, b"still here"));
    let checkpoint = open(&Archive::podman(&dump));
    assert_eq!(words(&checkpoint, 1, AT, 1), ["bytes"]);
    assert_told(&checkpoint, "mm-1.img: the mapping at 0x600000000000 ends at 0x5ffffffff000");
    assert_told(&checkpoint, "mm-1.img: no mapping covers 4096 bytes of dumped memory");
}

#[test]
fn without_ids_nobody_gets_the_descriptors_of_another() {
    let mut dump = Dump::new();
    dump.task(Task::new(1, 0)).task(Task::new(2, 1).fd(7, File::path("/tmp/of-two")));
    // The table of process 2 has the number of process 3.
    dump.task(Task::new(3, 1)).without("ids-3.img");
    let checkpoint = open(&Archive::podman(&dump));
    assert!(!checkpoint.descriptors().of(Pid(2)).is_empty());
    assert!(checkpoint.descriptors().of(Pid(3)).is_empty());
    assert_told(&checkpoint, "ids-3.img: nothing tells which descriptors are those of process 3");
    assert_eq!(checkpoint.stale(), [], "its table is of this dump");
}

#[test]
fn the_threads_of_a_zombie_without_an_image_are_not_believed() {
    let mut dump = Dump::new();
    dump.task(Task::new(1, 0)).zombie(2, 1, 0x300, "gone").without("core-2.img");
    let checkpoint = open(&Archive::podman(&dump));
    assert_eq!(task(&checkpoint, 2).threads.len(), 1);
    let told = checkpoint.defects();
    let cores = told.iter().filter(|defect| defect.place.contains("core-"));
    assert_eq!(cores.map(|one| one.place.as_str()).collect::<Vec<_>>(), ["checkpoint/core-2.img"]);
}
