//! Indexing a plain tar: cost by the number of members, and none by their size.
#![allow(missing_docs, clippy::expect_used)]

use std::hint::black_box;

use ckpt::archive::{Evidence, Options};
use ckpt_synth::{Archive, Content, Dump, Task};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

fn members(c: &mut Criterion) {
    let mut group = c.benchmark_group("index/members");
    for count in [100_u32, 1000, 10_000] {
        let mut archive = Archive::new();
        for number in 0..count {
            archive.member(format!("checkpoint/core-{number}.img"), vec![0; 900]);
        }
        let tar = bytes::Bytes::from(archive.tar());
        group.throughput(Throughput::Elements(count.into()));
        group.bench_function(BenchmarkId::from_parameter(count), |b| {
            b.iter(|| {
                Evidence::from_bytes("bench.tar", black_box(tar.clone()), &Options::default())
            });
        });
    }
    group.finish();
}

fn sizes(c: &mut Criterion) {
    let mut group = c.benchmark_group("index/size");
    let directory = tempfile::tempdir().expect("a temporary directory");
    for mebibytes in [16_u64, 256] {
        let mut archive = Archive::new();
        let mut pages = Content::new();
        pages.push_noise(1, 0, mebibytes << 8, 4096);
        archive.member("checkpoint/pages-1.img", pages);
        let path = directory.path().join(format!("{mebibytes}.tar"));
        let mut file = std::fs::File::create(&path).expect("a file");
        archive.write_tar(&mut file).expect("room for it");
        group.bench_function(BenchmarkId::from_parameter(format!("{mebibytes}MiB")), |b| {
            b.iter(|| Evidence::open(black_box(&path), &Options::default()));
        });
    }
    group.finish();
}

fn compressed(c: &mut Criterion) {
    let mut dump = Dump::new();
    for pid in 1..=200 {
        dump.task(Task::new(pid, u32::from(pid > 1)));
    }
    let archive = Archive::podman(&dump);
    let mut group = c.benchmark_group("index/compressed");
    group.throughput(Throughput::Bytes(archive.tar().len() as u64));
    for (name, bytes) in [("zst", archive.tar_zst()), ("gz", archive.tar_gz())] {
        let bytes = bytes::Bytes::from(bytes);
        group.bench_function(name, |b| {
            b.iter(|| Evidence::from_bytes("bench", black_box(bytes.clone()), &Options::default()));
        });
    }
    group.finish();
}

criterion_group!(benches, members, sizes, compressed);
criterion_main!(benches);
