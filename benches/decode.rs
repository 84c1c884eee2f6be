//! Decoding images: framing, messages, unknown fields, and the tree that `show` prints.
#![allow(missing_docs, clippy::expect_used)]

use std::hint::black_box;

use bytes::Bytes;
use ckpt::image::{
    Classified, Image, ImageKind, ImageSummary, PagemapRecord, ShowContext, classify, show,
};
use ckpt_synth::{Dump, Task, Vma};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// A process with many mappings, each with its own run of pages.
fn dump() -> Dump {
    let mut task = Task::new(1, 0).argv(&["bench"]);
    for number in 0..2000_u64 {
        let start = 0x7000_0000_0000 + number * 0x10_0000;
        task = task.map(Vma::anon(start, 0x8000)).noise(start, 2, number);
    }
    let mut dump = Dump::new();
    dump.task(task);
    dump
}

fn images() -> Vec<(ImageKind, Bytes)> {
    let named = dump().images().into_iter();
    let known = named.filter_map(|(name, bytes)| match classify(name.as_bytes()) {
        Classified::Image(image) if !image.kind.is_raw() => Some((image.kind, bytes.into())),
        _ => None,
    });
    known.collect()
}

fn decode(c: &mut Criterion) {
    let images = images();
    let total: usize = images.iter().map(|(_, bytes)| bytes.len()).sum();
    let all = || {
        images.iter().map(|(kind, bytes)| Image::open(*kind, bytes.clone()).expect("sound images"))
    };
    let mut group = c.benchmark_group("decode");
    group.throughput(Throughput::Bytes(total as u64));
    group.bench_function("records", |b| {
        b.iter(|| all().flat_map(|image| image.records()).filter_map(Result::ok).count());
    });
    group.bench_function("summary", |b| {
        b.iter(|| all().for_each(|image| drop(black_box(ImageSummary::of(&image)))));
    });
    group.bench_function("show", |b| {
        b.iter(|| {
            for image in all() {
                let context = ShowContext::of(&image);
                for record in image.records().filter_map(Result::ok) {
                    black_box(show::show_record(&record, &context));
                }
            }
        });
    });
    group.finish();
}

fn pagemap(c: &mut Criterion) {
    let images = images();
    let (kind, bytes) =
        images.iter().find(|(kind, _)| *kind == ImageKind::Pagemap).expect("a pagemap");
    let image = Image::open(*kind, bytes.clone()).expect("a sound pagemap");
    c.bench_function("decode/pagemap", |b| {
        b.iter(|| {
            let entries = image.records().filter_map(Result::ok).skip(1);
            entries.map(|record| PagemapRecord::from_record(&record)).filter(Result::is_ok).count()
        });
    });
}

criterion_group!(benches, decode, pagemap);
criterion_main!(benches);
