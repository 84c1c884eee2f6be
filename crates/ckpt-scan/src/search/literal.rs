//! Literals in the forms that they have in memory.

use std::fmt::Write as _;

use crate::strings::Encoding;

/// Bytes to look for, and how they are to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Needle {
    pub(super) bytes: Vec<u8>,
    /// `None` where the bytes themselves tell.
    pub(super) encoding: Option<Encoding>,
}

/// A literal as it is, and in UTF-16 when that is asked for.
pub(super) fn needles(text: &str, utf16: bool) -> Vec<Needle> {
    let mut needles = vec![Needle { bytes: text.as_bytes().to_vec(), encoding: None }];
    if utf16 {
        needles.extend([Encoding::Utf16Le, Encoding::Utf16Be].map(|encoding| Needle {
            bytes: text.chars().flat_map(|c| encoded(c, Some(encoding))).collect(),
            encoding: Some(encoding),
        }));
    }
    needles
}

/// The bytes of a character.
fn encoded(c: char, encoding: Option<Encoding>) -> Vec<u8> {
    let mut units = [0; 2];
    let mut utf8 = [0; 4];
    match encoding {
        Some(Encoding::Utf16Le) => {
            c.encode_utf16(&mut units).iter().flat_map(|unit| unit.to_le_bytes()).collect()
        }
        Some(Encoding::Utf16Be) => {
            c.encode_utf16(&mut units).iter().flat_map(|unit| unit.to_be_bytes()).collect()
        }
        _ => c.encode_utf8(&mut utf8).as_bytes().to_vec(),
    }
}

/// A literal in upper and lower case as a regular expression over bytes, and the most bytes that it matches.
pub(super) fn any_case(text: &str, encoding: Option<Encoding>) -> (String, usize) {
    let mut regex = String::from("(?s-u)");
    let mut longest = 0_usize;
    for c in text.chars() {
        let mut forms: Vec<Vec<u8>> =
            variants(c).into_iter().map(|c| encoded(c, encoding)).collect();
        forms.dedup();
        longest = longest.saturating_add(forms.iter().map(Vec::len).max().unwrap_or_default());
        let forms: Vec<String> = forms.iter().map(|bytes| escaped(bytes)).collect();
        let _ = write!(regex, "(?:{})", forms.join("|"));
    }
    (regex, longest)
}

fn escaped(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect()
}

/// A character and its other case, where that is one character (simple case folding).
fn variants(c: char) -> Vec<char> {
    let mut all = vec![c];
    let lower: Vec<char> = c.to_lowercase().collect();
    let upper: Vec<char> = c.to_uppercase().collect();
    for other in [lower, upper] {
        if let [other] = other.as_slice()
            && !all.contains(other)
        {
            all.push(*other);
        }
    }
    all
}
