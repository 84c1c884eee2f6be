//! Searching while an archive is unpacked finds what searching afterwards finds.

use std::sync::Arc;

use bytes::Bytes;
use ckpt_archive::Watch;
use ckpt_scan::Piece;
use ckpt_scan::search::{Search, Sieve};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::memory::{Seen, search};

/// Bytes of the stream: several blocks of the sieve.
const STREAM: usize = 300 << 10;

/// A stream of zeros with texts in it, and how it lies in memory.
#[derive(Clone, Debug)]
struct World {
    stream: Vec<u8>,
    /// Pieces of memory and where they lie in the stream.
    pieces: Vec<(Piece, u64)>,
    /// Where in the stream one part of it ends that passes by, and the next begins.
    ends: Vec<usize>,
}

/// A text and where: at a byte of the stream, and perhaps where one part of it that passes by ends within the text.
type Plant = (usize, &'static str, Option<usize>);

const TEXTS: [&str; 6] = ["needle", "need", "dle", "n\0e\0", "xx", "xxx"];

fn plants() -> impl Strategy<Value = Vec<Plant>> {
    let at = prop_oneof![
        0..STREAM - 8,
        (1_usize..4, 0_usize..8).prop_map(|(block, before)| (block << 16) - before),
    ];
    vec((at, prop::sample::select(&TEXTS[..]), prop::option::of(0_usize..8)), 0..6)
}

fn world() -> impl Strategy<Value = World> {
    let cuts = vec(16..STREAM - 16, 0..9);
    let order = Just((0..10).collect::<Vec<usize>>()).prop_shuffle();
    let gaps = vec(prop_oneof![Just(0_u64), Just(0), Just(4096)], 10);
    // Texts of which one half ends a piece of memory and the other begins the next.
    let seams = vec(prop::option::of((prop::sample::select(&TEXTS[..]), 1_usize..6)), 10);
    (cuts, plants(), order, gaps, seams, vec(0..STREAM, 0..5)).prop_map(
        |(mut cuts, plants, order, gaps, seams, mut ends)| {
            cuts.extend([0, STREAM]);
            cuts.sort_unstable();
            // Pieces shorter than two halves of a text would have to be shared between them.
            cuts.dedup_by_key(|cut| *cut / 16);
            let ranges: Vec<(usize, usize)> =
                cuts.windows(2).map(|pair| (pair[0], pair[1])).collect();
            let order: Vec<usize> =
                order.into_iter().filter(|index| *index < ranges.len()).collect();
            let mut stream = vec![0; STREAM];
            for (at, text, end) in plants {
                stream[at..at + text.len()].copy_from_slice(text.as_bytes());
                ends.extend(end.map(|end| at + end));
            }
            for (pair, seam) in order.windows(2).zip(seams) {
                let Some((text, half)) = seam else { continue };
                let (head, tail) = text.as_bytes().split_at(half.min(text.len()));
                let (end, start) = (ranges[pair[0]].1, ranges[pair[1]].0);
                stream[end - head.len()..end].copy_from_slice(head);
                stream[start..start + tail.len()].copy_from_slice(tail);
            }
            let whole = Bytes::from(stream.clone());
            let mut address = 0x1001;
            let pieces = order.iter().zip(gaps).map(|(index, gap)| {
                let (start, end) = ranges[*index];
                let piece =
                    Piece { region: 0, start: address + gap, bytes: whole.slice(start..end) };
                address = piece.end();
                (piece, start as u64)
            });
            let pieces = pieces.collect();
            ends.push(STREAM);
            ends.sort_unstable();
            World { stream, pieces, ends }
        },
    )
}

fn sieved(world: &World, search_for: &Arc<Search>) -> (Vec<Piece>, usize) {
    let sieve = Sieve::of(search_for).expect("no regular expression");
    let mut start = 0;
    for end in &world.ends {
        sieve.pass(start as u64, &world.stream[start..*end]);
        start = *end;
    }
    let sifted = sieve.sifted();
    let kept = world.pieces.iter().flat_map(|(piece, at)| sifted.keep(piece, *at));
    let kept: Vec<Piece> = kept.collect();
    let bytes = kept.iter().map(|piece| piece.bytes.len()).sum();
    (kept, bytes)
}

fn plain(world: &World, search_for: &Search) -> Vec<Seen> {
    let pieces: Vec<Piece> = world.pieces.iter().map(|(piece, _)| piece.clone()).collect();
    search(&pieces, search_for, 1, 1 << 20)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn it_finds_what_a_search_of_everything_finds(
        world in world(),
        which in 0_usize..5,
        context in prop_oneof![Just(0_usize), Just(40)],
    ) {
        let builder = Search::builder().context(context);
        let builder = match which {
            0 => builder.literal("needle"),
            1 => builder.literal("ne").utf16(true),
            2 => ["needle", "dle", "xx", "a", "b"].iter().fold(builder, |all, one| all.literal(*one)),
            3 => builder.literal("NEEDLE").ignore_case(true),
            _ => builder.hex("6e ?? [0-3] 64").hex("78 78"),
        };
        let search_for = Arc::new(builder.build().unwrap());
        let (kept, _) = sieved(&world, &search_for);
        prop_assert_eq!(search(&kept, &*search_for, 1, 1 << 20), plain(&world, &search_for));
    }
}

fn quiet() -> World {
    let stream = vec![0; STREAM];
    let piece = Piece { region: 0, start: 4096, bytes: stream.clone().into() };
    World { stream, pieces: vec![(piece, 0)], ends: vec![50_000, STREAM] }
}

#[test]
fn where_nothing_is_nothing_is_searched_again() {
    let search_for = Arc::new(Search::builder().literal("needle").build().unwrap());
    let (_, bytes) = sieved(&quiet(), &search_for);
    // The ends of the piece, and the block that was not seen to its end.
    assert!(bytes <= 70 << 10, "{bytes} of {STREAM} bytes");
}

#[test]
fn a_second_stream_takes_back_what_is_known() {
    let search_for = Arc::new(Search::builder().literal("needle").build().unwrap());
    let sieve = Sieve::of(&search_for).unwrap();
    let World { stream, pieces, .. } = quiet();
    sieve.pass(0, &stream);
    sieve.pass(0, &stream);
    let kept = sieve.sifted().keep(&pieces[0].0, 0);
    assert_eq!(kept.iter().map(|piece| piece.bytes.len()).sum::<usize>(), STREAM);
}

#[test]
fn what_did_not_pass_is_searched() {
    let search_for = Arc::new(Search::builder().literal("needle").build().unwrap());
    let sieve = Sieve::of(&search_for).unwrap();
    let World { pieces, .. } = quiet();
    let kept = sieve.sifted().keep(&pieces[0].0, 0);
    assert_eq!(kept.iter().map(|piece| piece.bytes.len()).sum::<usize>(), STREAM);
}

#[test]
fn matches_that_depend_on_one_another_are_not_sieved() {
    let search_for = Arc::new(Search::builder().literal("a").regex("b.").build().unwrap());
    assert!(Sieve::of(&search_for).is_none());
}
