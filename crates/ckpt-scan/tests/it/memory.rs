//! Random memory, in random pieces, and how it is searched.

use std::convert::Infallible;
use std::ops::ControlFlow;

use bytes::Bytes;
use ckpt_scan::strings::Encoding;
use ckpt_scan::{Hit, Piece, Scanner, Sink, Work, run};
use proptest::collection::vec;
use proptest::prelude::*;

/// Something found: position, bytes, pattern, encoding, whether it goes on from and in another part.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Seen {
    pub(crate) region: usize,
    pub(crate) start: u64,
    pub(crate) bytes: Vec<u8>,
    pub(crate) pattern: usize,
    pub(crate) encoding: Encoding,
    pub(crate) continued: bool,
    pub(crate) continues: bool,
}

impl Seen {
    pub(crate) fn new(start: u64, bytes: &[u8], pattern: usize, encoding: Encoding) -> Self {
        let bytes = bytes.to_vec();
        Self { region: 0, start, bytes, pattern, encoding, continued: false, continues: false }
    }
}

/// Keeps every hit; batches are handed on after each few.
struct Keep;

impl Sink for Keep {
    type Batch = Vec<Seen>;

    fn add(&self, batch: &mut Vec<Seen>, hit: &Hit<'_>) -> ControlFlow<()> {
        let found = hit.found;
        assert_eq!(found.range.end - found.range.start, hit.bytes.len() as u64);
        batch.push(Seen {
            region: hit.part.region(),
            start: found.range.start,
            bytes: hit.bytes.to_vec(),
            pattern: found.pattern,
            encoding: found.encoding,
            continued: found.continued,
            continues: found.continues,
        });
        if batch.len() >= 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Everything that a scanner finds in pieces.
pub(crate) fn search<S: Scanner>(
    pieces: &[Piece],
    scanner: &S,
    threads: usize,
    chunk: usize,
) -> Vec<Seen> {
    let mut all = Vec::new();
    let pieces = pieces.iter().cloned();
    let told: Result<(), Infallible> =
        run(pieces, scanner, &Keep, Work { threads, chunk }, |mut batch| {
            all.append(&mut batch);
            Ok(())
        });
    assert!(told.is_ok());
    all
}

/// One stretch in pieces of random lengths.
pub(crate) fn pieces(memory: &[u8], start: u64, cuts: &[usize]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = Bytes::copy_from_slice(memory);
    let mut at = start;
    for cut in cuts.iter().cycle().take(memory.len() + 1) {
        if rest.is_empty() {
            break;
        }
        let bytes = rest.split_to((*cut).clamp(1, rest.len()));
        pieces.push(Piece { region: 0, start: at, bytes: bytes.clone() });
        at += bytes.len() as u64;
    }
    pieces
}

/// How a stretch is cut, where it starts, in what parts and by how many threads it is scanned.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    pub(crate) start: u64,
    pub(crate) cuts: Vec<usize>,
    pub(crate) threads: usize,
    pub(crate) chunk: usize,
}

pub(crate) fn way() -> impl Strategy<Value = Way> {
    let cuts = prop_oneof![Just(vec![1 << 20]), vec(1_usize..200, 1..20), vec(1_usize..8, 1..4)];
    let chunk = prop_oneof![1_usize..40, 40_usize..2000];
    (0x1000_u64..0x1010, cuts, prop_oneof![Just(1_usize), Just(4)], chunk)
        .prop_map(|(start, cuts, threads, chunk)| Way { start, cuts, threads, chunk })
}

const WORDS: [&str; 14] = [
    "password=",
    "GET /api/v1/users HTTP/1.1\r\n",
    "a",
    "    ",
    "\t{\"key\": \"value\"}",
    "Größe",
    "пароль",
    "εύρηκα",
    "日本語",
    "インターネット。",
    "文件保存成功，请检查网络",
    "안녕 세계",
    "😀",
    "\u{85}\u{7f}\u{a0}",
];

fn fragment() -> impl Strategy<Value = Vec<u8>> {
    let words = || vec(prop::sample::select(&WORDS[..]), 1..6).prop_map(|words| words.concat());
    let utf16 = |order: fn(u16) -> [u8; 2]| {
        words().prop_map(move |text| text.encode_utf16().flat_map(order).collect::<Vec<u8>>())
    };
    prop_oneof![
        2 => words().prop_map(String::into_bytes),
        2 => utf16(u16::to_le_bytes),
        2 => utf16(u16::to_be_bytes),
        2 => vec(any::<u8>(), 1..60),
        1 => vec(prop::sample::select(&b"ab \0\x01\x04\x30\x4e\x60\xac\xc3\xa4\xff"[..]), 1..40),
        1 => (1_usize..20).prop_map(|len| vec![0; len]),
        1 => vec(0x20_u16..0x600, 1..30)
            .prop_map(|units| units.into_iter().flat_map(u16::to_le_bytes).collect()),
        1 => vec(0x4e00_u16..0x5600, 1..30)
            .prop_map(|units| units.into_iter().flat_map(u16::to_le_bytes).collect()),
    ]
}

/// Memory with text of all kinds in it, glued together without regard.
pub(crate) fn memory() -> impl Strategy<Value = Vec<u8>> {
    vec(fragment(), 0..24).prop_map(|fragments| fragments.concat())
}
