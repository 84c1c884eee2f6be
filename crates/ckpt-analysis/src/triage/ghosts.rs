//! Files that were deleted while they were open, and that look like tools or loot.

use ckpt_model::Pid;
use ckpt_model::artifacts::{Artifact, Hold, Origin};
use criu_image::ImageKind;

use super::finding::{Confidence, Finding, Rule, Seen, Severity};
use super::places::{is_hidden_away, is_scratch};
use super::quote::quote;
use super::subject::{Subject, named};
use super::suspicion::suspicions;
use super::written::{Format, MOST_READ, start};

const DELETED_FILE_OPEN: Rule = Rule {
    id: "deleted-file-open",
    title: "An open file was deleted, and it is a program or an archive",
    why: "Deleted and still open it is in no listing, and can be run or sent through the descriptor.",
    wrong: "Installers delete an archive while they unpack it; some programs delete their own temporary scripts.",
    check: "ckpt-inspect extract --origin ghost EVIDENCE",
    attack: &["T1070.004"],
};

pub(super) const RULES: &[&Rule] = &[&DELETED_FILE_OPEN];

pub(super) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let ghosts = subject.artifacts.list.iter().filter(|one| one.origin == Origin::Ghost);
    findings.extend(ghosts.filter_map(|ghost| judge(subject, ghost)));
}

fn judge(subject: &Subject<'_>, ghost: &Artifact) -> Option<Finding> {
    // What runs or is mapped has rules of its own.
    let used = ghost.holders.iter().any(|holder| !matches!(holder.hold, Hold::Fd(_)));
    let path = ghost.path.as_ref()?;
    if used || ghost.size == 0 {
        return None;
    }
    let text = start(ghost, MOST_READ);
    let format = Format::of(ghost);
    let hidden = is_hidden_away(path.as_bytes());
    let script = if format == Some(Format::Script) { suspicions(&text) } else { Vec::new() };
    let strong = script.iter().find(|one| one.strong);
    let severity = match format {
        _ if strong.is_some() => Severity::High,
        Some(Format::Program) if hidden || is_scratch(path.as_bytes()) => Severity::High,
        Some(Format::Program | Format::Library | Format::Script) => Severity::Medium,
        Some(Format::Archive) => Severity::Low,
        None if hidden => Severity::Low,
        None => return None,
    };
    let what = format.map_or("a hidden file", Format::word);
    let holder = ghost.holders.first();
    let task = holder.and_then(|holder| subject.checkpoint.processes().get(holder.pid));
    let by = task.map(|task| format!(" by {}", named(task))).unwrap_or_default();
    let title = format!("{what}, deleted and kept open{by}: {path}");
    let member = || Some(ghost.source.as_ref().to_owned());
    let id = ckpt_model::escape(ghost.id.as_bytes());
    let line = format!("{path} ({} bytes, artifact {id}) is {what}", ghost.size);
    let mut finding = Finding::new(&DELETED_FILE_OPEN, severity, Confidence::High, title)
        .path(path.clone())
        .seen(Seen::new(line).member(member()));
    for holder in ghost.holders.iter().take(4) {
        if let Hold::Fd(fd) = holder.hold {
            let what = format!("pid {} has it open as descriptor {fd}", holder.pid);
            finding = finding.seen(Seen::new(what).member(table(subject, holder.pid)));
        }
    }
    if let Some(one) = strong {
        let what = format!("it {}: {}", one.what, quote(one.line));
        finding = finding.seen(Seen::new(what).member(member()));
    }
    if let Some(holder) = holder {
        finding = finding.of(holder.pid);
    }
    Some(finding)
}

/// The member with the descriptors of a process.
fn table(subject: &Subject<'_>, pid: Pid) -> Option<String> {
    let id = subject.checkpoint.processes().get(pid)?.files_id?;
    subject.image(ImageKind::Fdinfo, u64::from(id))
}
