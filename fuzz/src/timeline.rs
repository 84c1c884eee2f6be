//! What has a time, in order.

use ckpt_analysis::timeline::{self, Filter, Source, Timeline};
use ckpt_model::{Checkpoint, Need};
use ckpt_report::{bodyfile, human, json, timesketch};

use crate::terminal;

/// Everything that has a time, in every form: in order, and the same each time it is asked for.
pub fn order(tar: &[u8]) {
    let Some(checkpoint) = crate::open(tar, Need::Files) else { return };
    let (found, all) = (timeline::timeline(&checkpoint, &crate::options()), Filter::default());
    let keys: Vec<_> = found.events(&all).map(|event| (event.time, event.source)).collect();
    assert!(keys.is_sorted(), "events are not in order");
    let mut logs = Filter::default();
    logs.sources = vec![Source::Log];
    assert_eq!(found.events(&logs).count() as u64, found.log_lines(), "lines are lost");
    assert!(forms(&checkpoint, &found) == forms(&checkpoint, &found), "other output");
}

/// A timeline in every form. What is text must be fit for a terminal.
fn forms(checkpoint: &Checkpoint, found: &Timeline) -> Vec<u8> {
    let all = Filter::default();
    let mut out = Vec::new();
    for width in [None, Some(40)] {
        let layout = human::Layout { width, color: false };
        human::timeline(&mut out, found, &all, &layout).expect("a Vec takes all");
    }
    bodyfile::write(&mut out, found, &all).expect("a Vec takes all");
    for defect in found.defects() {
        out.extend(defect.to_string().bytes());
    }
    terminal::assert_fit(&out);
    timesketch::jsonl(&mut out, checkpoint, found, &all).expect("a Vec takes all");
    timesketch::csv(&mut out, checkpoint, found, &all).expect("a Vec takes all");
    json::write(&mut out, &json::timeline(checkpoint, found, &all)).expect("a Vec takes all");
    out
}
