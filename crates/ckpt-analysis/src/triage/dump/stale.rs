//! Images of processes that had ended before the dump.

use ckpt_model::{StaleImage, Staleness};

use crate::triage::finding::{Confidence, Finding, Rule, Seen, Severity};
use crate::triage::group::bounded;
use crate::triage::subject::Subject;

const STALE_IMAGES: Rule = Rule {
    id: "stale-images",
    title: "Images of another dump lie among the images",
    why: "They are of processes that had ended before this dump, or of files and sockets that were gone: the container's past.",
    wrong: "Podman keeps the images of an earlier checkpoint of a container that went on running.",
    check: "ckpt-inspect verify EVIDENCE",
    attack: &[],
};

pub(in crate::triage) const RULES: &[&Rule] = &[&STALE_IMAGES];

pub(in crate::triage) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let stale = subject.checkpoint.stale();
    if stale.is_empty() {
        return;
    }
    let mut pids: Vec<u32> = stale.iter().filter_map(owner).collect();
    pids.sort_unstable();
    pids.dedup();
    let of = match pids.as_slice() {
        [] => String::new(),
        [pid] => format!(", of pid {pid}"),
        several => format!(", of {} processes or threads", several.len()),
    };
    let number = stale.len();
    let title = format!("{number} images are not of this dump{of}");
    let mut finding = Finding::new(&STALE_IMAGES, Severity::Info, Confidence::High, title);
    let seen = stale.iter().map(|image| {
        let what = format!("{}: {}", image.path, image.why);
        Seen::new(what).member(image.path.escaped().into_owned())
    });
    finding.evidence = bounded(seen.collect());
    findings.push(finding);
}

fn owner(image: &StaleImage) -> Option<u32> {
    match image.why {
        Staleness::NoOwner(pid) => Some(pid.0),
        _ => None,
    }
}
