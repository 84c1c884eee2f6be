//! Literals, expressions and patterns of bytes, against models that look at every byte by themselves.

use ckpt_scan::search::{PatternError, Search, SearchBuilder};
use ckpt_scan::strings::Encoding;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::memory::{Seen, Way, pieces, search, way};

/// Bytes in which short patterns are found often, and over one another.
fn dense() -> impl Strategy<Value = Vec<u8>> {
    vec(prop::sample::select(&b"abAB\0\n \xc3\xa9\x89"[..]), 0..400)
}

fn found(memory: &[u8], way: &Way, search_for: &Search) -> Vec<Seen> {
    let pieces = pieces(memory, way.start, &way.cuts);
    search(&pieces, search_for, way.threads, way.chunk)
}

/// The bytes that patterns match at each place, in the order of hits.
fn naive(
    memory: &[u8],
    start: u64,
    matches: impl Fn(&[u8]) -> Vec<(usize, usize, Option<Encoding>)>,
) -> Vec<Seen> {
    let mut all = Vec::new();
    for at in 0..memory.len() {
        for (pattern, len, encoding) in matches(&memory[at..]) {
            let bytes = &memory[at..at + len];
            let encoding = encoding.unwrap_or_else(|| Encoding::of(bytes));
            all.push(Seen::new(start + at as u64, bytes, pattern, encoding));
        }
    }
    all.sort_by_key(|seen| (seen.start, seen.bytes.len(), seen.pattern));
    all
}

/// Without the second reading of a text in UTF-16: at an odd address, where the text is there in the other byte order one byte
/// before or behind; and big-endian, where the bytes are the same in both.
fn without_second_readings(memory: &[u8], start: u64, literals: &[String], all: &mut Vec<Seen>) {
    all.retain(|seen| {
        let at = (seen.start - start) as usize;
        let literal = &literals[seen.pattern];
        let (other, is_big) = match seen.encoding {
            Encoding::Utf16Le => (utf16(literal, u16::to_be_bytes), false),
            Encoding::Utf16Be => (utf16(literal, u16::to_le_bytes), true),
            _ => return true,
        };
        let is_there = |at: Option<usize>| {
            at.and_then(|at| memory.get(at..)).is_some_and(|rest| rest.starts_with(&other))
        };
        let beside = is_there(at.checked_sub(1)) || is_there(Some(at + 1));
        !(seen.start % 2 == 1 && beside || is_big && is_there(Some(at)))
    });
}

fn utf16(text: &str, order: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(order).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 800, ..ProptestConfig::default() })]

    #[test]
    fn literals_are_found_wherever_they_stand(
        memory in dense(),
        way in way(),
        literals in vec("[abAB]{1,4}|é|慡", 1..7),
        both in any::<bool>(),
    ) {
        let builder = literals.iter().fold(Search::builder(), SearchBuilder::literal);
        let search_for = builder.utf16(both).build().unwrap();
        let mut wanted = naive(&memory, way.start, |rest| {
            let mut here = Vec::new();
            for (number, literal) in literals.iter().enumerate() {
                let mut forms = vec![(literal.as_bytes().to_vec(), None)];
                if both {
                    forms.push((utf16(literal, u16::to_le_bytes), Some(Encoding::Utf16Le)));
                    forms.push((utf16(literal, u16::to_be_bytes), Some(Encoding::Utf16Be)));
                }
                let met = forms.into_iter().filter(|(form, _)| rest.starts_with(form));
                here.extend(met.map(|(form, encoding)| (number, form.len(), encoding)));
            }
            here
        });
        without_second_readings(&memory, way.start, &literals, &mut wanted);
        prop_assert_eq!(found(&memory, &way, &search_for), wanted);
    }

    #[test]
    fn case_does_not_matter_when_it_should_not(
        memory in dense(),
        way in way(),
        literals in vec("[abAB]{1,4}|é|Éa", 1..4),
    ) {
        let builder = literals.iter().fold(Search::builder(), SearchBuilder::literal);
        let search_for = builder.ignore_case(true).build().unwrap();
        let wanted = naive(&memory, way.start, |rest| {
            let same = |literal: &&String| {
                let text = rest.get(..literal.len()).and_then(|text| std::str::from_utf8(text).ok());
                text.is_some_and(|text| text.to_lowercase() == literal.to_lowercase())
            };
            let numbered = literals.iter().enumerate();
            let met = numbered.filter(|(_, literal)| same(literal));
            met.map(|(number, literal)| (number, literal.len(), None)).collect()
        });
        prop_assert_eq!(found(&memory, &way, &search_for), wanted);
    }

    #[test]
    fn patterns_of_bytes_have_the_shortest_gaps(
        memory in dense(),
        way in way(),
        least in 0_usize..4,
        more in 0_usize..5,
    ) {
        let most = least + more;
        let pattern = format!("61 ?? [{least}-{most}] 6? ?2");
        let search_for = Search::builder().hex(pattern).build().unwrap();
        let wanted = naive(&memory, way.start, |rest| {
            let ends = |gap: &usize| {
                let tail = rest.get(2 + gap..4 + gap);
                tail.is_some_and(|tail| tail[0] >> 4 == 6 && tail[1] & 15 == 2)
            };
            let gap = (least..=most).find(ends).filter(|_| rest[0] == 0x61);
            gap.map(|gap| (0, 4 + gap, None)).into_iter().collect()
        });
        prop_assert_eq!(found(&memory, &way, &search_for), wanted);
    }

    #[test]
    fn expressions_match_as_in_one_look_at_all(
        memory in dense(),
        way in way(),
        chosen in prop::sample::subsequence(
            vec![r"a+b?", r"\bab", r"(?i)abab|ba", r"[^\n]{3,7}", r"(?-i)A.{0,9}?B", r"(?m)^\x00+", r"a\b"],
            1..4,
        ),
    ) {
        let builder = chosen.iter().fold(Search::builder(), |all, one| all.regex(*one));
        let search_for = builder.build().unwrap();
        let mut wanted = Vec::new();
        for (number, pattern) in chosen.iter().enumerate() {
            let regex =
                regex::bytes::RegexBuilder::new(pattern).unicode(false).build().unwrap();
            wanted.extend(regex.find_iter(&memory).map(|one| {
                let start = way.start + one.start() as u64;
                Seen::new(start, one.as_bytes(), number, Encoding::of(one.as_bytes()))
            }));
        }
        wanted.sort_by_key(|seen| (seen.start, seen.bytes.len(), seen.pattern));
        // `^` and `\b` look at what lies before; where the stretch begins, nothing does, in one look and in many.
        prop_assert_eq!(found(&memory, &way, &search_for), wanted);
    }

    #[test]
    fn any_text_is_a_pattern_or_an_error_and_never_a_panic(text in ".{0,40}", hex in "[0-9a-f?\\[\\]\\- x]{0,24}") {
        let _ = Search::builder().regex(&text).build();
        let _ = Search::builder().hex(&text).build();
        if let Ok(search_for) = Search::builder().hex(&hex).build() {
            let way = Way { start: 0, cuts: vec![7], threads: 1, chunk: 9 };
            found(b"a0 a1 a2 a3 a4 a5", &way, &search_for);
        }
        let _ = Search::builder().literal(&text).utf16(true).ignore_case(true).build();
    }
}

#[test]
fn what_is_wrong_with_a_pattern_is_shown_where_it_is() {
    let hex = |pattern: &str| match Search::builder().hex(pattern).build() {
        Err(PatternError::Hex { column, what, .. }) => (column, what),
        other => panic!("{pattern}: {other:?}"),
    };
    assert_eq!(hex("4d 5z").0, 5);
    assert_eq!(hex("4d 5"), (4, "the byte has only one digit".to_owned()));
    assert_eq!(hex("[4] 41"), (1, "a pattern cannot begin with a gap".to_owned()));
    assert_eq!(hex("41 [4]"), (4, "a pattern cannot end with a gap".to_owned()));
    assert_eq!(hex("41 [5-4] 42"), (4, "the gap [5-4] is empty".to_owned()));
    assert_eq!(hex("41 [1-99999999] 42").0, 4);
    assert_eq!(hex("41 [4 42"), (4, "the gap is not closed with `]`".to_owned()));
    assert_eq!(hex(""), (1, "there is no byte in it".to_owned()));
    let regex = |pattern: &str| match Search::builder().regex(pattern).build() {
        Err(error) => error,
        Ok(_) => panic!("{pattern} is a pattern"),
    };
    assert!(matches!(regex("ab(c"), PatternError::Regex { column: 3, .. }), "{}", regex("ab(c"));
    assert!(matches!(regex("a*"), PatternError::Empty { .. }));
    assert!(matches!(
        regex("(?:a{1000}){1000}{9}b"),
        PatternError::Refused { .. } | PatternError::Regex { .. }
    ));
    assert_eq!(
        regex("ab(c").to_string(),
        "regular expression, column 3: unclosed group\n  ab(c\n    ^"
    );
    assert!(matches!(Search::builder().literal("").build(), Err(PatternError::Empty { .. })));
}

/// Few literals, some, and very many are looked for in different ways.
#[test]
fn literals_are_found_among_any_number_of_others() {
    let memory: Vec<u8> = (0..4000_u32).flat_map(|n| format!("word{n} ").into_bytes()).collect();
    let pieces = pieces(&memory, 4096, &[999]);
    let text = String::from_utf8(memory).unwrap();
    for others in [0, 20, 400] {
        let literals = ["word77 ", "RD3999"].map(str::to_owned).into_iter();
        let literals = literals.chain((0..others).map(|n| format!("other{n}")));
        let builder = literals.fold(Search::builder(), SearchBuilder::literal);
        for (ignore_case, wanted) in [(false, vec!["word77 "]), (true, vec!["word77 ", "rd3999"])] {
            let search_for = builder.clone().ignore_case(ignore_case).build().unwrap();
            let found = search(&pieces, &search_for, 2, 1 << 10);
            let starts: Vec<u64> = found.iter().map(|one| one.start).collect();
            let wanted: Vec<u64> =
                wanted.iter().map(|one| 4096 + text.find(one).unwrap() as u64).collect();
            assert_eq!(starts, wanted, "{others} others, {ignore_case}");
        }
    }
}

#[test]
fn a_match_can_go_over_many_parts() {
    let mut memory = vec![b'x'; 100_000];
    memory[40_000] = b'<';
    memory[70_000] = b'>';
    let search_for = Search::builder().regex("<[^>]*>").regex("x{9}").build().unwrap();
    for threads in [1, 4] {
        let way = Way { start: 0, cuts: vec![4096], threads, chunk: 1000 };
        let all = found(&memory, &way, &search_for);
        let long: Vec<&Seen> = all.iter().filter(|seen| seen.pattern == 0).collect();
        assert_eq!(long.len(), 1);
        assert_eq!((long[0].start, long[0].bytes.len()), (40_000, 30_001));
        assert_eq!(all.len() - 1, 40_000 / 9 + 29_999 / 9 + 29_999 / 9);
    }
}

#[test]
fn a_text_in_utf_16_is_one_hit() {
    let found_in = |text: &str, start: u64, memory: &[u8]| -> Vec<(u64, Encoding)> {
        let mut seen = Vec::new();
        for ignore_case in [false, true] {
            let builder = Search::builder().literal(text).ignore_case(ignore_case);
            let search_for = builder.utf16(true).build().unwrap();
            for chunk in [1, 2, 3, 100] {
                let way = Way { start, cuts: vec![4], threads: 2, chunk };
                let hits = found(memory, &way, &search_for);
                let hits: Vec<_> = hits.iter().map(|hit| (hit.start, hit.encoding)).collect();
                assert!(seen.is_empty() || seen == hits, "{text} in parts of {chunk}: {hits:?}");
                seen = hits;
            }
            assert!(!seen.is_empty(), "{text}");
        }
        seen
    };
    let little = |text: &str| utf16(text, u16::to_le_bytes);
    let big = |text: &str| utf16(text, u16::to_be_bytes);
    for text in ["pub", "при", "aaaa"] {
        // Behind a NUL, or behind a letter of the same script.
        let before = little(text)[1..2].to_vec();
        let memory = [vec![b'.'], before.clone(), little(text), b"..".to_vec()].concat();
        assert_eq!(found_in(text, 0x1000, &memory), [(0x1002, Encoding::Utf16Le)], "{text}");
        let memory = [big(text), before, b"..".to_vec()].concat();
        assert_eq!(found_in(text, 0x1000, &memory), [(0x1000, Encoding::Utf16Be)], "{text}");
        // With nothing to mistake it for, it stands wherever it is.
        let memory = [vec![b'.'], little(text), vec![b'.']].concat();
        assert_eq!(found_in(text, 0x1000, &memory), [(0x1001, Encoding::Utf16Le)], "{text}");
        let memory = [vec![b'.'], big(text), vec![b'.']].concat();
        assert_eq!(found_in(text, 0x1000, &memory), [(0x1001, Encoding::Utf16Be)], "{text}");
    }
    assert_eq!(found_in("慡", 0x1000, b".aa."), [(0x1001, Encoding::Utf16Le)]);
    // Two texts are two hits, however near.
    let memory = [little("pub"), little("pub")].concat();
    assert_eq!(found_in("pub", 0x1000, &memory).len(), 2);
}
