//! Texts without their secrets.

use std::sync::LazyLock;

use ckpt_scan::secrets::{Redactor, redacted};

static REDACTOR: LazyLock<Redactor> = LazyLock::new(Redactor::new);

/// How what stands in place of a secret begins and ends.
const OPEN: &str = "[redacted: ";
const CLOSE: &str = "…]";

/// Redacts a text: as one, as the arguments of a program, as the value of a variable. A second time nothing changes.
pub fn text(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let shown = REDACTOR.text(&text);
    assert_in_place(&text, &shown);
    assert_eq!(REDACTOR.text(&shown), shown, "again");
    let words: Vec<&str> = text.split(['\0', '\n']).collect();
    let shown = REDACTOR.arguments(&words);
    assert_eq!(shown.len(), words.len(), "an argument is lost");
    words.iter().zip(&shown).for_each(|(word, shown)| assert_in_place(word, shown));
    assert_eq!(REDACTOR.arguments(&shown), shown, "again");
    if let Some((name, value)) = text.split_once('=') {
        let shown = REDACTOR.value(name, value);
        assert_in_place(value, &shown);
        assert_eq!(REDACTOR.value(name, &shown), shown, "again");
    }
}

/// What stands in place of a secret tells the length and the hash of the very bytes that stood there, and nothing else has
/// changed. What looks redacted before is not looked at.
fn assert_in_place(text: &str, shown: &str) {
    if text.contains(OPEN) {
        return;
    }
    let (mut left, mut rest) = (text, shown);
    while let Some((before, mark)) = rest.split_once(OPEN) {
        left = left.strip_prefix(before).expect("nothing changes around a secret");
        let (inner, behind) = mark.split_once(CLOSE).expect("a mark ends");
        let (len, _) = inner.split_once(' ').expect("a length");
        let (secret, behind_it) = left.split_at(len.parse().expect("a number"));
        assert_eq!(format!("{OPEN}{inner}{CLOSE}"), redacted(secret));
        (left, rest) = (behind_it, behind);
    }
    assert_eq!(left, rest, "nothing changes behind the last secret");
}
