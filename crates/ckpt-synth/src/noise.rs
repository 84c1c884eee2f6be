//! Made-up memory: the same for the same seed, fast to make, and about as compressible as the real thing.

/// What a page of noise looks like, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Words, like the text of a program's heap.
    Text,
    /// Pointers and small counters, like an allocator's.
    Pointers,
    /// Bytes without pattern, like compressed or encrypted data.
    Random,
}

/// The look of page `index`: of every eight, three are text, one pointers and four random.
#[must_use]
pub fn look(index: u64) -> Look {
    match index % 8 {
        0 | 2 | 5 => Look::Text,
        7 => Look::Pointers,
        _ => Look::Random,
    }
}

/// Fills `page` as page `index` of the memory that `seed` names.
pub fn fill(seed: u64, index: u64, page: &mut [u8]) {
    let mut state = Random::new(seed ^ index.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    match look(index) {
        Look::Text => fill_text(&mut state, page),
        Look::Pointers => {
            for slot in page.chunks_mut(16) {
                let r = state.next();
                let pointer = 0x7f3d_0000_0000 | (r & 0x00ff_fff0);
                let (low, high) = slot.split_at_mut(slot.len().min(8));
                copy_start(low, pointer.to_le_bytes());
                copy_start(high, ((r >> 32) & 0x3f).to_le_bytes());
            }
        }
        Look::Random => {
            for slot in page.chunks_mut(8) {
                copy_start(slot, state.next().to_le_bytes());
            }
        }
    }
}

/// Page `index` of the memory that `seed` names.
#[must_use]
pub fn page(seed: u64, index: u64, page_size: usize) -> Vec<u8> {
    let mut bytes = vec![0; page_size];
    fill(seed, index, &mut bytes);
    bytes
}

const WORDS: [[u8; 8]; 32] = [
    *b"request ",
    *b"session ",
    *b"user_id=",
    *b"GET /api",
    *b"content-",
    *b"length: ",
    *b"accept: ",
    *b"text/htm",
    *b"charset=",
    *b"utf-8\r\n\r",
    *b"{\"name\":",
    *b"\"value\":",
    *b"\"items\":",
    *b"[0,1,2],",
    *b"nullable",
    *b"function",
    *b"return x",
    *b"var i=0;",
    *b"while (i",
    *b" == 0) {",
    *b"} else {",
    *b"    for ",
    *b"SELECT *",
    *b" FROM t ",
    *b"WHERE id",
    *b" = ?1;\n\0",
    *b"/usr/lib",
    *b"/x86_64-",
    *b"linux-gn",
    *b"u/libc.s",
    *b"o.6\0\0\0\0\0",
    *b"warning:",
];

fn fill_text(state: &mut Random, page: &mut [u8]) {
    for run in page.chunks_mut(96) {
        let mut r = state.next();
        for slot in run.chunks_mut(8) {
            let word = WORDS.get((r & 31) as usize).copied().unwrap_or_default();
            copy_start(slot, word);
            r >>= 5;
        }
    }
}

fn copy_start(slot: &mut [u8], word: [u8; 8]) {
    if let Ok(slot) = <&mut [u8; 8]>::try_from(&mut *slot) {
        *slot = word;
    } else {
        slot.iter_mut().zip(word).for_each(|(slot, byte)| *slot = byte);
    }
}

/// Marsaglia's xorshift with a multiplication: not for secrets.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        // One round of splitmix, so that near seeds are far apart and none is zero.
        let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self((z ^ (z >> 31)) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

#[cfg(test)]
mod tests {
    use super::{Look, look, page};

    #[test]
    fn repeatable_and_different() {
        assert_eq!(page(1, 0, 4096), page(1, 0, 4096));
        assert_ne!(page(1, 0, 4096), page(1, 2, 4096));
        assert_ne!(page(1, 0, 4096), page(2, 0, 4096));
        assert_eq!(look(0), Look::Text);
        assert_eq!(look(1), Look::Random);
    }
}
