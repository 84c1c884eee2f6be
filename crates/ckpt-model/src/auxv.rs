//! The auxiliary vector, which the kernel gives every program.

use criu_image::messages::MmEntry;

/// Keys and values of the auxiliary vector of a memory map, up to `AT_NULL` or the end: CRIU cuts it to a fixed size.
///
/// CRIU reads the vector as words of its own width. Of a 32-bit task on x86-64 each word then holds a key, in its low
/// half, and the value of it. Keys are small, so that a word at the place of a key with a high half shows that form.
///
/// Source: `criu/cr-dump.c`, `get_task_auxv`; keys in `include/uapi/linux/auxvec.h`.
pub fn auxv(mm: &MmEntry) -> impl Iterator<Item = (u64, u64)> {
    const LOW: u64 = 0xffff_ffff;
    let words = mm.mm_saved_auxv.as_slice();
    let mut keys = words.iter().step_by(2).take_while(|word| **word != 0);
    let is_packed = keys.any(|word| *word > LOW);
    let step = if is_packed { 1 } else { 2 };
    words
        .chunks_exact(step)
        .filter_map(|chunk| match *chunk {
            [word] => Some((word & LOW, word >> 32)),
            [key, value] => Some((key, value)),
            _ => None,
        })
        .take_while(|(key, _)| *key != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(words: &[u64]) -> Vec<(u64, u64)> {
        let mm = MmEntry { mm_saved_auxv: words.to_vec(), ..MmEntry::default() };
        auxv(&mm).collect()
    }

    #[test]
    fn a_key_and_its_value_are_two_words_or_one() {
        let address = 0x7ffd_0000_1000;
        assert_eq!(pairs(&[33, address, 6, 4096, 0, 0]), [(33, address), (6, 4096)]);
        // What lies behind the end is no key.
        assert_eq!(pairs(&[6, 4096, 0, 0, address, 1]), [(6, 4096)]);
        // The end was cut off, with half of a pair.
        assert_eq!(pairs(&[6, 4096, 25, address, 31]), [(6, 4096), (25, address)]);
        let packed = [0xf7f0_0000_0000_0020, 4096 << 32 | 6, 23, 0, 9];
        assert_eq!(pairs(&packed), [(32, 0xf7f0_0000), (6, 4096), (23, 0)]);
        assert_eq!(pairs(&[]), []);
    }
}
