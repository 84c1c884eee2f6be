//! Lookups for 64 bytes at once.

use std::ops::Range;

use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch, u8x64};

use super::MARK;
use super::buckets::Places;

/// Bytes of a block.
const BLOCK: usize = 64;

/// A block and the bytes behind it that its last marks reach into.
const REACH: usize = BLOCK + MARK - 1;

/// What buckets a half of a byte is in, at each place of a mark.
#[derive(Clone, Debug, Default)]
pub(super) struct Tables {
    /// Of the first eight buckets.
    first: [Table; MARK],
    /// Of the others.
    second: [Table; MARK],
}

/// A bit for each bucket, by half.
#[derive(Clone, Copy, Debug, Default)]
struct Table {
    low: [u8; 16],
    high: [u8; 16],
}

/// The same as vectors.
#[derive(Clone, Copy)]
struct Vectors<S: Simd> {
    low: u8x64<S>,
    high: u8x64<S>,
}

impl Tables {
    /// Adds a bucket, from 0 to 15.
    pub(super) fn add(&mut self, bucket: u32, places: &Places) {
        let tables = if bucket < 8 { &mut self.first } else { &mut self.second };
        let [bit, other] = 1_u16.wrapping_shl(bucket).to_le_bytes();
        let bit = bit | other;
        for (table, halves) in tables.iter_mut().zip(places) {
            set(&mut table.low, halves.low, bit);
            set(&mut table.high, halves.high, bit);
        }
    }

    /// Tells where in a range of a window a mark of which buckets may begin, one a bit.
    pub(super) fn look(
        &self,
        window: &[u8],
        range: Range<usize>,
        tell: &mut dyn FnMut(usize, u16),
    ) {
        dispatch!(Level::new(), simd => self.run(simd, window, range, tell));
    }

    /// Compiled once for each set of vector instructions: all that it calls is inlined, and there are no closures, which
    /// would be compiled for the oldest processor.
    #[inline(always)]
    fn run<S: Simd>(
        &self,
        simd: S,
        window: &[u8],
        range: Range<usize>,
        tell: &mut dyn FnMut(usize, u16),
    ) {
        let first = vectors(simd, &self.first);
        let second = vectors(simd, &self.second);
        let mut at = range.start;
        while at < range.end {
            let rest = window.get(at..).unwrap_or_default();
            let mut padded = [0; REACH];
            let bytes = if let Some(bytes) = rest.first_chunk::<REACH>() {
                bytes
            } else {
                padded.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
                &padded
            };
            let (mut of_first, mut of_second) =
                (u8x64::splat(simd, 0xff), u8x64::splat(simd, 0xff));
            let mut place = 0;
            while place < MARK {
                let (Some(block), Some(one), Some(other)) = (
                    bytes.get(place..).and_then(|bytes| bytes.first_chunk::<BLOCK>()),
                    first.get(place),
                    second.get(place),
                ) else {
                    break;
                };
                let block = u8x64::simd_from(simd, *block);
                let (low, high) = (block & 0x0f, upper(block));
                of_first = of_first
                    & one.low.swizzle_dyn_within_blocks(low)
                    & one.high.swizzle_dyn_within_blocks(high);
                of_second = of_second
                    & other.low.swizzle_dyn_within_blocks(low)
                    & other.high.swizzle_dyn_within_blocks(high);
                place = place.wrapping_add(1);
            }
            let nothing = (of_first | of_second).simd_eq(0).to_bitmask();
            if nothing != u64::MAX {
                let blocks: [[u8; BLOCK]; 2] = [of_first.into(), of_second.into()];
                hits(!nothing, &blocks, at, range.end, tell);
            }
            at = at.saturating_add(BLOCK);
        }
    }
}

/// The upper four bits of each byte.
#[inline(always)]
#[expect(clippy::arithmetic_side_effects, reason = "a shift by four of eight bits")]
fn upper<S: Simd>(bytes: u8x64<S>) -> u8x64<S> {
    bytes >> 4
}

/// Tells of the hits in a block, one a bit, before an end.
fn hits(
    hits: u64,
    [first, second]: &[[u8; BLOCK]; 2],
    at: usize,
    end: usize,
    tell: &mut dyn FnMut(usize, u16),
) {
    let mut left = hits;
    while left != 0 {
        let offset = left.trailing_zeros() as usize;
        left &= left.wrapping_sub(1);
        let bits = |of: &[u8; BLOCK]| of.get(offset).copied().unwrap_or_default();
        let here = at.saturating_add(offset);
        if here < end {
            tell(here, u16::from_le_bytes([bits(first), bits(second)]));
        }
    }
}

/// Sets the bit of a bucket for halves, one a bit.
fn set(table: &mut [u8; 16], halves: u16, bit: u8) {
    for (half, buckets) in (0..).zip(table.iter_mut()) {
        if halves.wrapping_shr(half) & 1 != 0 {
            *buckets |= bit;
        }
    }
}

#[inline(always)]
fn vectors<S: Simd>(simd: S, tables: &[Table; MARK]) -> [Vectors<S>; MARK] {
    let [one, two, three, four] = tables;
    [vector(simd, one), vector(simd, two), vector(simd, three), vector(simd, four)]
}

#[inline(always)]
fn vector<S: Simd>(simd: S, table: &Table) -> Vectors<S> {
    Vectors { low: repeated(simd, &table.low), high: repeated(simd, &table.high) }
}

/// A table in each part of a vector in which bytes are looked up.
#[inline(always)]
fn repeated<S: Simd>(simd: S, table: &[u8; 16]) -> u8x64<S> {
    let mut bytes = [0; BLOCK];
    let (parts, _) = bytes.as_chunks_mut::<16>();
    for part in parts {
        *part = *table;
    }
    u8x64::simd_from(simd, bytes)
}
