//! Client keys in kubeconfig files: PEM in base 64.

use data_encoding::BASE64_NOPAD;

use super::pem;
use super::rule::{Confidence, Rule};
use super::value::{base64, groups};
use super::view::{Find, View};

/// Most letters of a key.
const LONGEST: usize = 15 << 10;

/// `client-key-data:` and a private key.
pub(super) fn check(view: &View<'_>, finds: &mut Vec<Find>) {
    let name = view.at().saturating_add("client-key-data".len());
    let Some(start) = view.value_behind(name) else { return };
    let range = view.run(start, LONGEST + 1, base64);
    if range.len() > LONGEST {
        return;
    }
    let letters = view.bytes(range.clone());
    let Ok(pem) = BASE64_NOPAD.decode(groups(letters)) else { return };
    if !pem.starts_with(b"-----BEGIN ") {
        return;
    }
    // What is left of the last group is the end of its last line.
    let Some(key) = pem::parse(&pem) else { return };
    let find = Find::new(Rule::Kubeconfig, Confidence::High, range);
    finds.push(find.detail(key.detail));
}
