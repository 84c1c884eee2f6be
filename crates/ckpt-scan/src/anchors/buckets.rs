//! Which four bytes of a literal are looked up, and which literals share a bucket: what keeps chance finds rare.

use super::MARK;

/// Buckets at most: one bit each.
const MOST: usize = 16;

/// Offsets of a literal at which its mark may begin.
const FURTHEST: usize = 32;

/// The four bytes of a literal by which it is found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    /// Offset of the first in the literal.
    pub(super) offset: usize,
    /// What stands at each place; a short literal leaves the last ones open.
    places: Places,
}

/// Literals that are found together.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    /// What stands at each place of their marks.
    pub(super) places: Places,
    /// How often that stands in memory.
    chance: f32,
    /// Which they are.
    pub(super) members: Vec<usize>,
}

/// What may stand at each place.
pub(super) type Places = [Halves; MARK];

/// Bytes by their halves: all whose upper four bits are of one set and whose lower four bits are of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Halves {
    /// Bit n for the lower half n.
    pub(super) low: u16,
    /// Bit n for the upper half n.
    pub(super) high: u16,
}

impl Halves {
    const ANY: Self = Self { low: u16::MAX, high: u16::MAX };

    fn of(byte: u8) -> Self {
        let bit = |half: u8| 1_u16.wrapping_shl(u32::from(half));
        Self { low: bit(byte & 0x0f), high: bit(byte >> 4) }
    }

    /// A byte, and when it is an ASCII letter and `ignore_case`, its other case.
    fn of_either(byte: u8, ignore_case: bool) -> Self {
        let one = Self::of(byte);
        let other = ignore_case && byte.is_ascii_alphabetic();
        if other { one.join(Self::of(byte ^ 0x20)) } else { one }
    }

    fn join(self, other: Self) -> Self {
        Self { low: self.low | other.low, high: self.high | other.high }
    }

    /// How often one of them stands in memory.
    fn share(self) -> f32 {
        if self == Self::ANY {
            return 1.0;
        }
        let bytes =
            halves(self.high).flat_map(|high| halves(self.low).map(move |low| high << 4 | low));
        bytes.map(share).sum()
    }
}

/// The halves of a set.
fn halves(set: u16) -> impl Iterator<Item = u8> {
    (0..16_u8).filter(move |half| set.wrapping_shr(u32::from(*half)) & 1 != 0)
}

/// How often a byte stands in memory that is in use: text of programs, and numbers. A guess is enough.
fn share(byte: u8) -> f32 {
    match byte {
        0 => 0.2,
        b' ' | b'e' | b't' => 0.04,
        b'a' | b'i' | b'n' | b'o' | b'r' | b's' => 0.03,
        b'a'..=b'z' | b'_' | b'.' | b'/' => 0.01,
        b'0'..=b'9' | b'A'..=b'Z' | b'-' | b':' | b'=' => 0.005,
        1 | 0xff | b'\n' | b'"' | b'\'' | b',' | b'(' | b')' => 0.004,
        _ => 0.001,
    }
}

impl Mark {
    /// The rarest four bytes in a row.
    pub(super) fn of(literal: &[u8], ignore_case: bool) -> Self {
        let last = literal.len().saturating_sub(MARK).min(FURTHEST);
        let at = |offset: usize| {
            let mut places = [Halves::ANY; MARK];
            let bytes = literal.iter().skip(offset);
            let of = |byte: &u8| Halves::of_either(*byte, ignore_case);
            places.iter_mut().zip(bytes).for_each(|(place, byte)| *place = of(byte));
            Self { offset, places }
        };
        let all = (0..=last).map(at);
        let rarest = all.min_by(|a, b| chance(&a.places).total_cmp(&chance(&b.places)));
        rarest.unwrap_or_else(|| at(0))
    }
}

/// How often four bytes in memory fit.
fn chance(places: &Places) -> f32 {
    places.iter().map(|halves| halves.share()).product()
}

fn join(one: &Places, other: &Places) -> Places {
    let mut places = *one;
    places.iter_mut().zip(other).for_each(|(place, other)| *place = place.join(*other));
    places
}

/// Puts literals into buckets: first each into its own, then the two together that cost the least, until there are few.
pub(super) fn of(marks: &[Mark]) -> Vec<Bucket> {
    let alone = |(member, mark): (usize, &Mark)| Bucket {
        places: mark.places,
        chance: chance(&mark.places),
        members: vec![member],
    };
    let mut buckets: Vec<Bucket> = Vec::new();
    for bucket in marks.iter().enumerate().map(alone) {
        match buckets.iter_mut().find(|other| other.places == bucket.places) {
            Some(same) => same.members.extend(bucket.members),
            None => buckets.push(bucket),
        }
    }
    let mut costs = Costs::of(&buckets);
    while buckets.len() > MOST {
        let Some((one, other)) = costs.least() else { break };
        let taken = buckets.swap_remove(other);
        costs.remove(other);
        if let Some(bucket) = buckets.get_mut(one) {
            bucket.places = join(&bucket.places, &taken.places);
            bucket.chance = chance(&bucket.places);
            bucket.members.extend(taken.members);
        }
        costs.renew(one, &buckets);
    }
    buckets
}

/// What it costs to join two buckets: by the one, then by each before it.
struct Costs(Vec<Vec<f32>>);

impl Costs {
    fn of(buckets: &[Bucket]) -> Self {
        let mut costs = Self(Vec::with_capacity(buckets.len()));
        for (at, bucket) in buckets.iter().enumerate() {
            let before = buckets.get(..at).unwrap_or_default();
            costs.0.push(before.iter().map(|other| cost(bucket, other)).collect());
        }
        costs
    }

    /// The two that cost least, the earlier one first.
    fn least(&self) -> Option<(usize, usize)> {
        let rows = self.0.iter().enumerate();
        let all = rows.flat_map(|(other, row)| row.iter().enumerate().map(move |one| (one, other)));
        let least = all.min_by(|((_, a), _), ((_, b), _)| a.total_cmp(b));
        least.map(|((one, _), other)| (one, other))
    }

    /// Takes a bucket out; the last one has its place then.
    fn remove(&mut self, at: usize) {
        let Some(last) = self.0.pop() else { return };
        if let Some(row) = self.0.get_mut(at) {
            *row = last.iter().take(at).copied().collect();
            for (row, cost) in self.0.iter_mut().zip(&last).skip(at.saturating_add(1)) {
                if let Some(place) = row.get_mut(at) {
                    *place = *cost;
                }
            }
        }
    }

    /// Works out again what it costs to join a bucket with others.
    fn renew(&mut self, at: usize, buckets: &[Bucket]) {
        let Some(bucket) = buckets.get(at) else { return };
        for (number, other) in buckets.iter().enumerate().filter(|(number, _)| *number != at) {
            let (row, column) = (number.max(at), number.min(at));
            if let Some(place) = self.0.get_mut(row).and_then(|row| row.get_mut(column)) {
                *place = cost(bucket, other);
            }
        }
    }
}

/// How many more chance finds two buckets have together than apart.
fn cost(one: &Bucket, other: &Bucket) -> f32 {
    chance(&join(&one.places, &other.places)) - one.chance - other.chance
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rarest_bytes_are_the_mark() {
        let offset = |literal: &[u8]| Mark::of(literal, false).offset;
        assert_eq!((offset(b"aeiou"), offset(b"Q~"), offset(b"")), (1, 0, 0));
        assert_eq!(offset(b"one {%#} two"), 4);
    }

    #[test]
    fn what_is_alike_shares_a_bucket() {
        let literals: Vec<Vec<u8>> = (0..40_u8)
            .map(|n| if n < 25 { vec![b'g', b'h', b'a' + n, b'_'] } else { vec![n, 200 + n, n, 7] })
            .collect();
        let marks: Vec<Mark> = literals.iter().map(|literal| Mark::of(literal, false)).collect();
        let buckets = of(&marks);
        assert_eq!(buckets.len(), MOST);
        let mut all: Vec<usize> =
            buckets.iter().flat_map(|bucket| bucket.members.clone()).collect();
        all.sort_unstable();
        assert_eq!(all, (0..40).collect::<Vec<_>>());
        for bucket in &buckets {
            let tokens = bucket.members.iter().filter(|member| **member < 25).count();
            assert!(tokens == 0 || tokens == bucket.members.len(), "{bucket:?}");
        }
    }
}
