//! What engines write beside the images.

const FORMS: [&[&str]; 5] = [
    &["config.dump", "spec.dump", "network.status", "dump.log"],
    &["config.dump", "spec.dump", "bind.mounts", "dump.log"],
    &["config.dump", "spec.dump", "status", "status.dump", "runtime.name"],
    &["config.v2.json", "hostconfig.json", "checkpoints/c/config.json"],
    &["state.json", "config.json", "criu-dump.log"],
];

/// Never in UTF-8, so that any text can stand between two.
const SEPARATOR: u8 = 0xff;

/// Names of the files that a form takes, in the order of their contents in the input.
#[must_use]
pub fn names(form: u8) -> &'static [&'static str] {
    FORMS[usize::from(form) % FORMS.len()]
}

/// Number of forms.
#[must_use]
pub fn forms() -> u8 {
    FORMS.len() as u8
}

/// A tar of the files that the input holds, and of an inventory, without which there is no dump to describe.
#[must_use]
pub fn tar(form: u8, input: &[u8]) -> Vec<u8> {
    let names = names(form).iter().map(|name| name.as_bytes());
    let files = names.zip(input.split(|byte| *byte == SEPARATOR));
    crate::tar::of(files.chain([(&b"checkpoint/inventory.img"[..], &b"\x16\x31\x31\x58"[..])]))
}

/// The input that [`tar`] takes apart into these contents.
#[must_use]
pub fn join(contents: &[Vec<u8>]) -> Vec<u8> {
    contents.join(&SEPARATOR)
}
