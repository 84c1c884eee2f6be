//! Custody manifests.

use std::hint::black_box;

use ckpt_analysis::verify::custody::{self, Manifest, ManifestError};
use ckpt_report::{human, json};

use crate::terminal;

/// Reads a manifest. One that was changed is given the digest that it should have, as whoever forges it would do.
pub fn manifest(json: &[u8]) {
    let manifest = match Manifest::parse(json) {
        Err(ManifestError::Digest { expected, found }) => {
            let text = String::from_utf8_lossy(json).replace(&expected, &found);
            Manifest::parse(text.as_bytes())
        }
        other => other,
    };
    let Ok(manifest) = manifest else { return };
    let mut out = Vec::new();
    manifest.write(&mut out).expect("a Vec takes all");
    assert_eq!(Manifest::parse(&out).as_ref(), Ok(&manifest), "writing changes it");
    let comparison = custody::compare(&manifest, &manifest);
    assert!(comparison.is_same(), "it differs from itself");
    out.clear();
    let (layout, empty) =
        (human::Layout::default(), Manifest { members: Vec::new(), ..manifest.clone() });
    for (one, other) in [(&manifest, &empty), (&empty, &manifest)] {
        let comparison = custody::compare(one, other);
        human::custody_check(&mut out, "fuzz", one, other, &comparison, &layout)
            .expect("a Vec takes all");
        black_box(json::custody_check("fuzz", one, other, &comparison));
    }
    human::custody(&mut out, "fuzz", &manifest, &layout).expect("a Vec takes all");
    terminal::assert_fit(&out);
}
