//! Strings, against a model that looks at every byte by itself.

use ckpt_scan::strings::{Encoding, Encodings, Options, Strings};
use proptest::prelude::*;

use crate::memory::{Seen, Way, memory, pieces, search, way};
use crate::model;

/// The strings of a stretch, as the model has them.
fn naive(bytes: &[u8], start: u64, options: &Options) -> Vec<Seen> {
    let all = model::strings(bytes, start, options).into_iter();
    all.map(|(at, bytes, encoding)| Seen::new(at, &bytes, 0, encoding)).collect()
}

/// U+3009 is a zero and a tab in bytes, which is text by itself, too.
#[test]
fn a_tab_is_ascii_in_pairs_as_well() {
    let memory = b"l\x01\xff\0\t\0 0\t\0 }}\xff\xff\xff\xff\xd4\x930-\xa5\"";
    let encodings = Encodings { utf8: false, utf16le: false, ..Encodings::ALL };
    let options = Options { min_length: 1, encodings, ..Options::default() };
    let pieces = pieces(memory, 0x1000, &[1]);
    let found = search(&pieces, &Strings::new(options), 1, 118);
    assert_eq!(found, naive(memory, 0x1000, &options));
}

fn encodings() -> impl Strategy<Value = Encodings> {
    let some = prop::sample::subsequence(Encoding::TEXT.to_vec(), 1..=4);
    prop_oneof![Just(Encodings::ALL), some.prop_map(|some| Encodings::of(&some))]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn strings_are_what_a_slow_look_finds(
        memory in memory(),
        way in way(),
        min_length in 1_usize..12,
        encodings in encodings(),
    ) {
        let options = Options { min_length, encodings, ..Options::default() };
        let Way { start, cuts, threads, chunk } = &way;
        let wanted = naive(&memory, *start, &options);
        let pieces = pieces(&memory, *start, cuts);
        prop_assert_eq!(search(&pieces, &Strings::new(options), *threads, *chunk), wanted);
    }

    /// Whatever the parts are cut to, put together they are the strings.
    #[test]
    fn parts_of_long_strings_join(
        memory in memory(),
        way in way(),
        min_length in 1_usize..6,
        longest_part in 16_usize..64,
    ) {
        let encodings = Encodings { utf16le: false, utf16be: false, ..Encodings::ALL };
        let whole = Options { min_length, encodings, ..Options::default() };
        let wanted = naive(&memory, way.start, &whole);
        let parts = Strings::new(Options { longest_part, ..whole });
        let pieces = pieces(&memory, way.start, &way.cuts);
        let mut joined: Vec<Seen> = Vec::new();
        for seen in search(&pieces, &parts, way.threads, way.chunk) {
            prop_assert!(seen.bytes.len() <= longest_part, "{} bytes", seen.bytes.len());
            match joined.last_mut() {
                Some(last) if last.continues && last.start + last.bytes.len() as u64 == seen.start => {
                    prop_assert!(seen.continued);
                    last.bytes.extend_from_slice(&seen.bytes);
                    last.continues = seen.continues;
                }
                _ => joined.push(Seen { continued: false, ..seen }),
            }
        }
        // A place that was cut though nothing crosses it, and ASCII that goes on beyond ASCII.
        for seen in &mut joined {
            seen.continues = false;
            seen.encoding = if seen.bytes.is_ascii() { Encoding::Ascii } else { Encoding::Utf8 };
        }
        joined.retain(|seen| {
            std::str::from_utf8(&seen.bytes).unwrap().chars().count() >= min_length
        });
        prop_assert_eq!(joined, wanted);
    }
}
