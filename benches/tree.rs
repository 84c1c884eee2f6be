//! The whole tree: open, decode, join, write; by the number of processes.
#![allow(missing_docs, clippy::expect_used)]

use std::hint::black_box;

use bytes::Bytes;
use ckpt::Checkpoint;
use ckpt::archive::{Evidence, Options};
use ckpt::report::{human, json};
use ckpt_synth::{Archive, Dump, Task};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

fn tar(processes: u32) -> Bytes {
    let mut dump = Dump::new();
    for pid in 1..=processes {
        let argv = format!("worker-{pid}");
        dump.task(Task::new(pid, pid / 3).argv(&[argv.as_str(), "--bench"]).env(&["A=1", "B=2"]));
    }
    Archive::podman(&dump).tar().into()
}

fn open(tar: &Bytes) -> Checkpoint {
    let evidence = Evidence::from_bytes("bench.tar", tar.clone(), &Options::default());
    let evidence = evidence.expect("a sound tar");
    Checkpoint::options().open_evidence(evidence).expect("a sound checkpoint")
}

fn tree(c: &mut Criterion) {
    let mut group = c.benchmark_group("tree");
    for processes in [10, 100, 1000] {
        let tar = tar(processes);
        group.throughput(Throughput::Elements(processes.into()));
        group.bench_function(BenchmarkId::new("model", processes), |b| {
            b.iter(|| black_box(open(&tar)).processes().tasks.len());
        });
        group.bench_function(BenchmarkId::new("text", processes), |b| {
            b.iter(|| {
                let mut out = Vec::new();
                let options = human::TreeOptions::default();
                human::tree(&mut out, &open(&tar), &options, &human::Layout::default())
                    .expect("a Vec takes all");
                out
            });
        });
        group.bench_function(BenchmarkId::new("json", processes), |b| {
            b.iter(|| {
                let mut out = Vec::new();
                json::write(&mut out, &json::tree(&open(&tar), &[])).expect("a Vec takes all");
                out
            });
        });
    }
    group.finish();
}

criterion_group!(benches, tree);
criterion_main!(benches);
