//! Strings by the rules as they are written, looking at every byte by itself. The fuzz target has it too.

use ckpt_scan::strings::{Encoding, Options};

/// A string: position, bytes, encoding.
pub(crate) type Naive = (u64, Vec<u8>, Encoding);

/// The length of the character of text that begins at `at`, if one does.
fn char_at(bytes: &[u8], at: usize) -> Option<usize> {
    (1..=4).find(|len| {
        let Some(sequence) = bytes.get(at..at + len) else { return false };
        let Ok(text) = std::str::from_utf8(sequence) else { return false };
        text.chars().all(|c| c == '\t' || !c.is_control())
    })
}

/// Rows of text characters in `from..to`, seen by itself.
fn texts(bytes: &[u8], ascii_only: bool) -> Vec<(usize, usize)> {
    let mut rows = Vec::new();
    let mut at = 0;
    let mut open: Option<usize> = None;
    while at < bytes.len() {
        match char_at(bytes, at).filter(|len| !ascii_only || *len == 1) {
            Some(len) => {
                open = open.or(Some(at));
                at += len;
            }
            None => {
                rows.extend(open.take().map(|start| (start, at)));
                at += 1;
            }
        }
    }
    rows.extend(open.map(|start| (start, at)));
    rows
}

/// Script by name, and half bits, of a unit that may be text.
fn unit(unit: u16) -> Option<(&'static str, i64)> {
    Some(match unit {
        0x09 | 0x20..=0x7e => ("ascii", 13),
        0x100 | 0x1e00 | 0x200 => return None,
        0xa0..=0x24f | 0x1e01..=0x1eff => ("latin", 8),
        0x384..=0x3ce => ("greek", 16),
        0x401..=0x4ff => ("cyrillic", 15),
        0x5b0..=0x5f4 => ("hebrew", 16),
        0x60c..=0x6d5 => ("arabic", 15),
        0x2010..=0x20bf | 0x2100..=0x214f => ("sign", 4),
        0x3001..=0x30ff => ("japanese", 14),
        0x4e00..=0x9fff => ("chinese", 3),
        0xac00..=0xd7a3 => ("hangul", 4),
        0xff01..=0xff5e => ("fullwidth", 4),
        _ => return None,
    })
}

#[derive(Clone, Debug)]
struct Row {
    start: usize,
    end: usize,
    big: bool,
    even: bool,
    chars: usize,
    evidence: i64,
}

/// Every row of units in one byte order and at even or odd bytes that is text by itself.
fn rows(bytes: &[u8], start: u64, big: bool, odd: usize, min: usize, found: &mut Vec<Row>) {
    let units: Vec<u16> = bytes
        .get(odd..)
        .unwrap_or_default()
        .chunks_exact(2)
        .map(|pair| {
            let pair = [pair[0], pair[1]];
            if big { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) }
        })
        .collect();
    let mut text = vec![false; bytes.len()];
    for (from, to) in texts(bytes, false) {
        text[from..to].fill(true);
    }
    let pictograph = |at: usize| {
        matches!(units.get(at), Some(0xd83c..=0xd83e))
            && matches!(units.get(at + 1), Some(0xdc00..=0xdfff))
    };
    let mut at = 0;
    while at < units.len() {
        let first = at;
        let mut chars: Vec<(u16, &str, i64)> = Vec::new();
        let mut spots: Vec<usize> = Vec::new();
        while at < units.len() {
            spots.push(odd + 2 * at);
            if pictograph(at) {
                chars.push((units[at], "pictograph", 16));
                at += 2;
            } else if let Some((script, weight)) = unit(units[at]) {
                chars.push((units[at], script, weight));
                at += 1;
            } else {
                break;
            }
        }
        let (from, to) = (odd + 2 * first, odd + 2 * at);
        at += 1;
        let ascii_pair = |unit: u16| {
            unit.to_be_bytes().iter().all(|byte| *byte == 9 || (0x20..0x7f).contains(byte))
        };
        let worth = |index: usize| {
            let (unit, script, weight) = chars[index];
            let explained = index > 0 && {
                let before = chars[index - 1].0;
                let near = (before >> 8).abs_diff(unit >> 8) <= 4;
                before.abs_diff(unit) <= 1 || (near && matches!(script, "chinese" | "hangul"))
            };
            if explained || ascii_pair(unit) { 0 } else { weight }
        };
        let sum = |scripts: &[&str]| {
            let of = |index: &usize| scripts.contains(&chars[*index].1);
            (0..chars.len()).filter(of).map(worth).sum::<i64>()
        };
        let count = |scripts: &[&str]| {
            chars.iter().filter(|(_, script, _)| scripts.contains(script)).count()
        };
        let mut scripts: Vec<&[&str]> = vec![
            &["greek"],
            &["cyrillic"],
            &["hebrew"],
            &["arabic"],
            &["japanese", "chinese"],
            &["hangul"],
        ];
        scripts.retain(|script| count(script) > 0);
        // The first of those that have most.
        scripts.sort_by_key(|script| std::cmp::Reverse(count(script)));
        let mut evidence = sum(&["ascii", "fullwidth", "sign", "pictograph"]);
        evidence += if scripts.is_empty() { sum(&["latin"]) } else { -sum(&["latin"]) };
        for (rank, script) in scripts.iter().enumerate() {
            evidence += if rank == 0 { sum(script) } else { -sum(script) };
        }
        let east_asian = ["japanese", "chinese", "hangul", "fullwidth"];
        let alphabetic = |(unit, script, _): &(u16, &str, i64)| {
            *unit < 0x700 || (*script == "japanese" && !ascii_pair(*unit))
        };
        let mixed = |c: &(u16, &str, i64)| alphabetic(c) || east_asian.contains(&c.1);
        let pure = |c: &(u16, &str, i64)| east_asian.contains(&c.1) && !ascii_pair(c.0);
        // Four East Asian units in a row, not all of them in UTF-8, that lie within a row of twelve.
        let all: Vec<usize> = (0..chars.len()).collect();
        let core = chars.windows(4).any(|four| four.iter().all(alphabetic))
            || all.split(|at| !mixed(&chars[*at])).any(|row| {
                let four = |four: &[usize]| {
                    let utf8 = |at: &usize| text[spots[*at]] && text[spots[*at] + 1];
                    four.iter().all(|at| pure(&chars[*at])) && !four.iter().all(utf8)
                };
                row.len() >= 12 && row.windows(4).any(four)
            });
        let utf8 = std::str::from_utf8(&bytes[from..to.min(bytes.len())])
            .is_ok_and(|text| text.chars().all(|c| c == '\t' || !c.is_control()));
        if chars.len() >= min.max(4)
            && evidence >= 40
            && 2 * evidence >= 3 * chars.len() as i64
            && 3 * count(&["latin"]) <= chars.len()
            && core
            && !utf8
        {
            found.push(Row {
                start: from,
                end: to,
                big,
                even: (start + from as u64).is_multiple_of(2),
                chars: chars.len(),
                evidence,
            });
        }
    }
}

fn beats(one: &Row, other: &Row) -> bool {
    if one.chars.abs_diff(other.chars) >= 2 {
        one.chars > other.chars
    } else if one.even != other.even {
        one.even
    } else if one.evidence != other.evidence {
        one.evidence > other.evidence
    } else {
        !one.big
    }
}

/// The strings of a stretch.
pub(crate) fn strings(bytes: &[u8], start: u64, options: &Options) -> Vec<Naive> {
    let chosen = options.encodings;
    let mut all = Vec::new();
    let mut free = vec![true; bytes.len()];
    if chosen.utf16le || chosen.utf16be {
        let mut found = Vec::new();
        for big in [false, true] {
            for odd in [0, 1] {
                rows(bytes, start, big, odd, options.min_length, &mut found);
            }
        }
        for row in &found {
            let overlaps = |other: &&Row| other.start < row.end && row.start < other.end;
            let same = |other: &&Row| other.start == row.start && other.big == row.big;
            let beaten = found
                .iter()
                .filter(|other| overlaps(other) && !same(other))
                .any(|other| beats(other, row));
            let wanted = if row.big { chosen.utf16be } else { chosen.utf16le };
            if !beaten && wanted {
                free[row.start..row.end].fill(false);
                let encoding = if row.big { Encoding::Utf16Be } else { Encoding::Utf16Le };
                let at = start + row.start as u64;
                all.push((at, bytes[row.start..row.end].to_vec(), encoding));
            }
        }
    }
    let mut at = 0;
    while at < bytes.len() {
        let len = free[at..].iter().take_while(|is_free| **is_free).count();
        for (from, to) in texts(&bytes[at..at + len], !chosen.utf8) {
            let text = &bytes[at + from..at + to];
            let chars = std::str::from_utf8(text).unwrap().chars().count();
            let encoding = if text.is_ascii() { Encoding::Ascii } else { Encoding::Utf8 };
            let wanted = if text.is_ascii() { chosen.ascii } else { chosen.utf8 };
            if wanted && chars >= options.min_length {
                all.push((start + (at + from) as u64, text.to_vec(), encoding));
            }
        }
        at += len.max(1);
    }
    all.sort();
    all
}
