//! Two checkpoints, compared.

use ckpt_analysis::compare::{self, CompareOptions};
use ckpt_model::{Checkpoint, Need};
use ckpt_report::{human, json};

use crate::terminal;

/// Compares two checkpoints, twice: with the same answers, byte for byte. None of them differs from itself.
pub fn hold_against(a: &[u8], b: &[u8]) {
    let open = |tar: &[u8]| crate::open(tar, Need::Everything);
    let (Some(a), Some(b)) = (open(a), open(b)) else { return };
    assert!(differences(&a, &b).1 == differences(&a, &b).1, "the same input gave other output");
    assert!(!differences(&a, &a).0, "a checkpoint differs from itself");
    assert!(!differences(&b, &b).0, "a checkpoint differs from itself");
}

/// Whether two checkpoints differ, and all that can be said of it.
fn differences(a: &Checkpoint, b: &Checkpoint) -> (bool, Vec<u8>) {
    let options = CompareOptions::default().archive(crate::options());
    let found = compare::compare(a, b, &options).expect("no base to fail");
    let show = json::CompareShow { unchanged: true, rows: Some(16) };
    let mut out = Vec::new();
    for width in [None, Some(40), Some(100)] {
        let layout = human::Layout { width, color: false };
        human::compare(&mut out, &found, &show, &layout).expect("a Vec takes all");
    }
    terminal::assert_fit(&out);
    json::write(&mut out, &json::compare(&found, &show)).expect("a Vec takes all");
    (found.differs(), out)
}
