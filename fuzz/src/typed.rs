//! What a user types, and the paths that it is held against.

use std::hint::black_box;

use ckpt_analysis::compare::{MatchBy, Subject};
use ckpt_analysis::timeline::Source;
use ckpt_archive::{Escaped, NameRisk, normalise, resolve_link};
use ckpt_kubelet::{Fingerprint, Namespace, NodeAddress, PodName};
use ckpt_memory::AddrRange;
use ckpt_model::{FileCapabilities, Glob, MappingFilter};

/// Reads a word as everything that a word can be.
pub fn word(text: &str) {
    if let Ok(range) = text.parse::<AddrRange>() {
        assert!(range.start < range.end, "an empty range");
        assert_eq!(range.to_string().parse(), Ok(range));
    }
    if let Ok(address) = text.parse::<NodeAddress>() {
        assert_eq!(address.to_string().parse::<NodeAddress>().as_ref(), Ok(&address));
    }
    if let Ok(fingerprint) = text.parse::<Fingerprint>() {
        assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
    }
    for named in [PodName::new(text).is_ok(), Namespace::new(text).is_ok()] {
        assert!(!named || !text.contains(['/', '%', '?', '#', '\n']), "{text:?} leaves its place");
    }
    black_box((text.parse::<MappingFilter>().ok(), text.parse::<Source>().ok()));
    black_box((text.parse::<MatchBy>().ok(), text.parse::<Subject>().ok()));
}

/// Holds a pattern against a path, and works out names on the names alone.
pub fn path(pattern: &str, path: &[u8]) {
    if let Ok(glob) = pattern.parse::<Glob>() {
        black_box(glob.matches(path));
        let all: Glob = "**".parse().expect("a pattern");
        assert!(all.matches(path), "** leaves a path out");
    }
    let (name, risk) = normalise(path);
    assert_eq!(normalise(&name).0, name, "a name that can be made simpler");
    let climbs = name.split(|byte| *byte == b'/').any(|part| part == b"..");
    assert!(!climbs || matches!(risk, Some(NameRisk::Parent | NameRisk::Nul)), "{risk:?}");
    if let Some(target) = resolve_link(&name, pattern.as_bytes()) {
        assert!(climbs || !target.starts_with(b"../"), "a link leads out of the evidence");
    }
    let shown = Escaped(path).to_string();
    assert!(!shown.chars().any(char::is_control), "{shown:?}");
}

/// Reads an attribute `security.capability`.
pub fn capabilities(attribute: &[u8]) {
    if let Some(capabilities) = FileCapabilities::parse(attribute) {
        assert!(!capabilities.to_string().is_empty());
    }
}
