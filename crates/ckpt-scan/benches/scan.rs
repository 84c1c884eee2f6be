//! Bytes a second, beside what reading the same bytes takes: strings, searches and secrets over kinds of memory.
#![allow(missing_docs, clippy::expect_used)]

use std::convert::Infallible;
use std::hint::black_box;
use std::ops::ControlFlow;

use bytes::Bytes;
use ckpt_scan::search::{Search, SearchBuilder};
use ckpt_scan::secrets::SecretScanner;
use ckpt_scan::strings::{Options, Strings};
use ckpt_scan::{Hit, Piece, Scanner, Sink, Work, run};
use ckpt_synth::noise;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const SIZE: usize = 32 << 20;
const PAGE: usize = 4096;

/// Counts, so that finding is all that is measured.
struct Count;

impl Sink for Count {
    type Batch = u64;

    fn add(&self, batch: &mut u64, _: &Hit<'_>) -> ControlFlow<()> {
        *batch += 1;
        ControlFlow::Continue(())
    }
}

fn hits<S: Scanner>(memory: &Bytes, scanner: &S) -> u64 {
    let piece = Piece { region: 0, start: 0, bytes: memory.clone() };
    let mut sum = 0;
    let told: Result<(), Infallible> =
        run(std::iter::once(piece), scanner, &Count, Work::default(), |batch| {
            sum += batch;
            Ok(())
        });
    told.expect("counting does not fail");
    sum
}

/// Memory of one kind, or of all kinds that `ckpt-synth` makes.
fn memory(look: Option<noise::Look>) -> Bytes {
    let wanted = |index: &u64| look.is_none_or(|look| noise::look(*index) == look);
    let pages = (0..).filter(wanted).take(SIZE / PAGE);
    pages.flat_map(|index| noise::page(7, index, PAGE)).collect::<Vec<u8>>().into()
}

fn scan(c: &mut Criterion) {
    let kinds = [
        ("zeros", Bytes::from(vec![0; SIZE])),
        ("pointers", memory(Some(noise::Look::Pointers))),
        ("random", memory(Some(noise::Look::Random))),
        ("text", memory(Some(noise::Look::Text))),
        ("mixed", memory(None)),
    ];
    let strings = Strings::new(Options::default());
    let literal = Search::builder().literal("absent literal").build().expect("a pattern");
    let literals = (0..20).map(|n| format!("absent{n}literal"));
    let literals = literals.fold(Search::builder(), SearchBuilder::literal).ignore_case(true);
    let literals = literals.build().expect("patterns");
    let secrets = SecretScanner::new();
    let regex = Search::builder().regex("[a-z]+@[a-z]+[.]com").build().expect("a pattern");
    let mut group = c.benchmark_group("scan");
    group.throughput(Throughput::Bytes(SIZE as u64)).sample_size(10);
    for (kind, memory) in &kinds {
        group.bench_function(BenchmarkId::new("read", kind), |b| {
            b.iter(|| {
                let (words, _) = black_box(memory).as_chunks::<8>();
                words.iter().fold(0, |sum: u64, word| sum.wrapping_add(u64::from_le_bytes(*word)))
            });
        });
        let id = |what| BenchmarkId::new(what, kind);
        group.bench_function(id("strings"), |b| b.iter(|| hits(memory, &strings)));
        group.bench_function(id("literal"), |b| b.iter(|| hits(memory, &literal)));
        group.bench_function(id("literals"), |b| b.iter(|| hits(memory, &literals)));
        group.bench_function(id("secrets"), |b| b.iter(|| hits(memory, &secrets)));
        group.bench_function(id("regex"), |b| b.iter(|| hits(memory, &regex)));
    }
    group.finish();
}

criterion_group!(benches, scan);
criterion_main!(benches);
