//! Numbers of payment cards.
//!
//! A number is 13 to 19 digits, in one row or in groups with one kind of separator, alone: no letter or digit beside it, no
//! decimal point. Its issuer is known by the first digits and its length, and Luhn's sum is right. One in ten numbers of the
//! right form passes that by chance, so that it is told above [`Confidence::Low`] only where the words of a card form stand
//! beside it.

use std::ops::Range;

use super::rows;
use super::rule::{Confidence, Rule};
use super::view::Find;

/// Fewest and most digits.
const SHORTEST: usize = 13;
const LONGEST: usize = 19;

/// Most bytes of a row of digits and separators that is looked at.
const MOST: usize = 64;

/// Bytes beside a number in which words are looked for.
const BESIDE: usize = 64;

/// Numbers that begin in a range of a window.
pub(super) fn cards(window: &[u8], own: &Range<usize>, finds: &mut Vec<Find>) {
    let end = own.end.saturating_add(MOST).min(window.len());
    let mut done = own.start;
    rows::find(window, own.start..end, &mut |at| {
        if at < done {
            return;
        }
        let before = window.get(..at).unwrap_or_default().iter().rev();
        let start =
            at.saturating_sub(before.take(MOST + 1).take_while(|byte| part(**byte)).count());
        let behind = window.get(start..).unwrap_or_default().iter();
        let len = behind.take(2 * MOST).take_while(|byte| part(**byte)).count();
        let row = start..start.saturating_add(len);
        if len <= MOST {
            row_of(window, &row, own, finds);
        }
        done = row.end;
    });
}

/// Digits and what separates their groups.
fn part(byte: u8) -> bool {
    byte.is_ascii_digit() || byte == b' ' || byte == b'-'
}

/// The numbers in a row: groups that belong together.
fn row_of(window: &[u8], row: &Range<usize>, own: &Range<usize>, finds: &mut Vec<Find>) {
    let mut groups: Vec<Range<usize>> = Vec::new();
    let mut at = row.start;
    while at < row.end {
        let rest = window.get(at..row.end).unwrap_or_default();
        let len = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if len > 0 {
            groups.push(at..at.saturating_add(len));
        }
        at = at.saturating_add(len).saturating_add(1);
    }
    let mut first = 0;
    while let Some(rest) = groups.get(first..).filter(|rest| !rest.is_empty()) {
        let taken = number(window, rest).unwrap_or_default();
        if let (Some(one), Some(last)) =
            (rest.first(), taken.checked_sub(1).and_then(|at| rest.get(at)))
        {
            let range = one.start..last.end;
            if own.contains(&range.start) && stands_alone(window, &range) {
                finds.extend(find(window, range));
            }
        }
        first = first.saturating_add(taken.max(1));
    }
}

/// How many of the groups make a number: one, or several of the lengths that are printed on cards.
fn number(window: &[u8], groups: &[Range<usize>]) -> Option<usize> {
    let first = groups.first()?;
    if (SHORTEST..=LONGEST).contains(&first.len()) {
        return Some(1);
    }
    let shapes: [&[usize]; 4] = [&[4, 4, 4, 4, 3], &[4, 4, 4, 4], &[4, 6, 5], &[4, 6, 4]];
    let shape = shapes.iter().find(|shape| {
        let same = shape.iter().zip(groups).all(|(len, group)| group.len() == *len);
        let some = groups.get(..shape.len()).filter(|_| same);
        some.is_some_and(|some| {
            let mut gaps = some.windows(2).map(|pair| match pair {
                [one, next] => window.get(one.end..next.start),
                _ => None,
            });
            let separator = gaps.next().flatten();
            separator.is_some_and(|separator| separator.len() == 1)
                && gaps.all(|gap| gap == separator)
        })
    })?;
    Some(shape.len())
}

/// Whether nothing beside it makes it a part of something else.
fn stands_alone(window: &[u8], range: &Range<usize>) -> bool {
    let before = range.start.checked_sub(1).and_then(|at| window.get(at)).copied();
    let after = window.get(range.end).copied();
    let joins = |byte: Option<u8>| {
        byte.is_some_and(|byte| {
            byte.is_ascii_alphanumeric()
                || matches!(byte, b'_' | b'.' | b'+' | b'-' | b'/' | b'\\' | b'%' | b'$' | b'#')
        })
    };
    // A full stop may end a sentence; with a digit behind it, it is a point.
    let point = after == Some(b'.')
        && !window.get(range.end.saturating_add(1)).is_some_and(u8::is_ascii_digit);
    !joins(before) && (!joins(after) || point || after == Some(b'/') || after == Some(b'\\'))
}

fn find(window: &[u8], range: Range<usize>) -> Option<Find> {
    let digits: Vec<u8> =
        window.get(range.clone())?.iter().copied().filter(u8::is_ascii_digit).collect();
    let issuer = issuer(&digits)?;
    if !luhn(&digits)
        || digits.iter().skip(1).all(|digit| Some(digit) == digits.get(1))
            && digits.get(1) == Some(&b'0')
    {
        return None;
    }
    let confidence = beside(window, &range);
    let detail = format!("{issuer}, {} digits", digits.len());
    Some(Find::new(Rule::PaymentCard, confidence, range).detail(detail))
}

/// Who issues numbers with these first digits, of this length. Source: ISO/IEC 7812 and the networks' own ranges.
fn issuer(digits: &[u8]) -> Option<&'static str> {
    let prefix = digits.iter().take(4).fold(0_u32, |number, digit| {
        number.saturating_mul(10).saturating_add(u32::from(digit.saturating_sub(b'0')))
    });
    Some(match (prefix, digits.len()) {
        (4000..=4999, 13 | 16 | 19) => "Visa",
        (5100..=5599 | 2221..=2720, 16) => "Mastercard",
        (3400..=3499 | 3700..=3799, 15) => "American Express",
        (6011 | 6440..=6499 | 6500..=6599, 16 | 19) => "Discover",
        (3000..=3059 | 3095 | 3600..=3699 | 3800..=3999, 14) => "Diners Club",
        (3528..=3589, 16..=19) => "JCB",
        (6200..=6299, 16..=19) => "UnionPay",
        _ => return None,
    })
}

/// Luhn's sum: ISO/IEC 7812-1, annex B.
fn luhn(digits: &[u8]) -> bool {
    let sum = digits.iter().rev().enumerate().fold(0_u32, |sum, (place, digit)| {
        let digit = u32::from(digit.saturating_sub(b'0'));
        let value = match place % 2 {
            0 => digit,
            _ if digit > 4 => digit.saturating_mul(2).saturating_sub(9),
            _ => digit.saturating_mul(2),
        };
        sum.saturating_add(value)
    });
    sum % 10 == 0
}

/// How sure the words beside a number make it.
fn beside(window: &[u8], range: &Range<usize>) -> Confidence {
    let before = window.get(range.start.saturating_sub(BESIDE)..range.start).unwrap_or_default();
    let after = window
        .get(range.end..range.end.saturating_add(BESIDE).min(window.len()))
        .unwrap_or_default();
    let words = words(before).chain(words(after));
    words.map(|word| meaning(&word)).max().unwrap_or(Confidence::Low)
}

/// Words of letters and digits, in lower case.
fn words(text: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    text.split(|byte| !byte.is_ascii_alphanumeric())
        .filter(|word| word.len() > 1)
        .map(<[u8]>::to_ascii_lowercase)
}

fn meaning(word: &[u8]) -> Confidence {
    const SURE: [&[u8]; 16] = [
        b"card",
        b"cards",
        b"cardnumber",
        b"cardno",
        b"cardnum",
        b"creditcard",
        b"debitcard",
        b"ccnum",
        b"ccnumber",
        b"pan",
        b"cvv",
        b"cvv2",
        b"cvc",
        b"cvc2",
        b"cardholder",
        b"kreditkarte",
    ];
    const LIKELY: [&[u8]; 8] =
        [b"exp", b"expiry", b"expires", b"visa", b"mastercard", b"amex", b"credit", b"payment"];
    if SURE.contains(&word) {
        Confidence::High
    } else if LIKELY.contains(&word) {
        Confidence::Medium
    } else {
        Confidence::Low
    }
}
