//! A checkpoint, asked everything.

use std::hint::black_box;

use ckpt_analysis::verify;
use ckpt_memory::{AddrRange, VirtAddr};
use ckpt_model::artifacts::Artifact;
use ckpt_model::{
    ChangeFilter, ChangesOptions, Checkpoint, FileSources, FillOptions, MemoryMap, MemorySizes,
    Need, Pid,
};
use ckpt_report::{human, json};

use crate::memory::read;
use crate::terminal;

/// Asks a checkpoint everything.
pub fn ask(tar: &[u8]) {
    black_box(answers(tar));
}

/// Asks a checkpoint everything, twice: the same input must give the same answers, byte for byte.
pub fn ask_twice(tar: &[u8]) {
    assert!(answers(tar) == answers(tar), "the same input gave different output");
}

/// Memory maps, sizes, and what lies where mappings begin.
fn memory(
    checkpoint: &Checkpoint,
    options: &ckpt_archive::Options,
    out: &mut Vec<u8>,
) -> FileSources {
    let layout = human::Layout::default();
    let files = checkpoint.file_sources(&FillOptions::default().archive(options.clone()));
    let files = files.expect("nothing is given that could fail");
    let pids = first_pids(checkpoint);
    let maps: Vec<MemoryMap<'_>> =
        pids.iter().filter_map(|pid| checkpoint.memory_map(*pid, &files)).collect();
    for modules in [false, true] {
        human::maps(out, checkpoint, &pids, &files, |_, _| true, modules, &layout)
            .expect("a Vec takes all");
    }
    let sizes: Vec<_> = maps.iter().map(|map| (map.task, MemorySizes::of(&map.space))).collect();
    human::memory(out, &sizes, &layout).expect("a Vec takes all");
    for map in &maps {
        for mapping in map.space.mappings().iter().take(32) {
            let end = mapping.end.min(VirtAddr(mapping.start.0.saturating_add(1 << 14)));
            let range = AddrRange { start: mapping.start, end };
            human::hexdump(out, &map.space, range, &layout).expect("a Vec takes all");
        }
    }
    files
}

/// The processes whose memory is looked at.
fn first_pids(checkpoint: &Checkpoint) -> Vec<Pid> {
    checkpoint.processes().tasks.iter().take(8).map(|task| task.pid).collect()
}

/// All that can be said of a checkpoint. What is text must be fit for a terminal.
fn answers(tar: &[u8]) -> Option<Vec<u8>> {
    let checkpoint = crate::open(tar, Need::Everything)?;
    let mut out = Vec::new();
    let layout = human::Layout::default();
    let details =
        human::TreeOptions { env: true, threads: true, creds: true, ns: true, pids: Vec::new() };
    human::tree(&mut out, &checkpoint, &details, &layout).expect("a Vec takes all");
    human::info(&mut out, &checkpoint, &layout).expect("a Vec takes all");
    let processes = json::FilesOptions::default();
    let lists = json::FilesOptions {
        sockets: true,
        mounts: true,
        locks: true,
        pipes: true,
        net: true,
        ipc: true,
        resolve_ports: true,
        ..json::FilesOptions::default()
    };
    for options in [&processes, &lists] {
        human::files(&mut out, &checkpoint, options, &layout).expect("a Vec takes all");
    }
    let inner = crate::options();
    let changes = checkpoint.changes(&ChangesOptions::default().archive(inner.clone()));
    let (changes, filter) = (changes.expect("no base to fail"), ChangeFilter::default());
    human::diff(&mut out, &changes, &filter, &layout).expect("a Vec takes all");
    let artifacts = checkpoint.artifacts(&inner);
    let list: Vec<&Artifact> = artifacts.list.iter().collect();
    human::extract(&mut out, &list, &layout).expect("a Vec takes all");
    let files = memory(&checkpoint, &inner, &mut out);
    let pids = first_pids(&checkpoint);
    checkpoint.look_for_unknown();
    let verification = verify::verify(&checkpoint, &inner);
    human::verify(&mut out, &checkpoint, &verification, &layout).expect("a Vec takes all");
    for defect in checkpoint.defects() {
        out.extend(defect.to_string().bytes());
    }
    terminal::assert_fit(&out);
    json::write(&mut out, &json::tree(&checkpoint, &[])).expect("a Vec takes all");
    json::write(&mut out, &json::info(&checkpoint)).expect("a Vec takes all");
    json::write(&mut out, &json::verify(&checkpoint, &verification)).expect("a Vec takes all");
    json::write(&mut out, &json::files(&checkpoint, &lists)).expect("a Vec takes all");
    json::write(&mut out, &json::diff(&checkpoint, &changes, &filter)).expect("a Vec takes all");
    json::write(&mut out, &json::maps(&checkpoint, &pids, &files, |_, _| true, true))
        .expect("a Vec takes all");
    for content in list.iter().filter_map(|artifact| artifact.content()) {
        if content.size() <= 1 << 20 {
            out.extend(
                content.sha256().map(|digest| digest.to_string()).unwrap_or_default().bytes(),
            );
        }
    }
    black_box(checkpoint.accounting());
    black_box(checkpoint.sizes());
    for task in checkpoint.processes().tasks.iter().take(8) {
        let Some(space) = checkpoint.memory(task.pid) else { continue };
        for mapping in space.mappings().iter().take(32) {
            read(&space, mapping.start, mapping.len().min(1 << 16));
            black_box(space.tally(mapping));
        }
    }
    Some(out)
}
