//! Damage costs what is damaged.

use ckpt_archive::{Evidence, Options};
use ckpt_model::{Checkpoint, DefectKind, DumpKind};
use ckpt_synth::{Archive, Dump, Task};

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
            // Without ids nothing that is shown of a process is lost but its namespaces; without a pagemap its memory is
            // zeros only if there never was one, which cannot be told.
            if !(image == "ids-2.img" && harm == "missing") {
                assert!(!checkpoint.defects().is_empty(), "{image} {harm}");
            }
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
