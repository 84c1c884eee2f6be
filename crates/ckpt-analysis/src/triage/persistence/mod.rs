//! Places from which something is run again: whoever writes there comes back.
//!
//! The place says what kind of thing it is ([`locations`]), the content how much it weighs ([`judge`]): a job that fetches
//! something and runs it is not the job of a backup, and what a container wrote in its first minute is what it was made for.

mod judge;
mod locations;
mod rules;

use ckpt_model::FileType;

use super::finding::{Confidence, Finding, Rule, Severity};
use super::group::Group;
use super::places::{is_hidden_away, is_scratch};
use super::provenance::is_hidden;
use super::quote::inside;
use super::subject::Subject;
use super::written::{MOST_READ, Written, written};
use judge::{Verdict, judge};
use locations::{Location, Nature, locate};

pub(super) use rules::RULES;

pub(super) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut group = Group::default();
    for file in written(subject) {
        let Some(location) = locate(file.path.as_bytes()).or_else(|| own_program(subject, &file))
        else {
            continue;
        };
        let verdict = match file.kind {
            FileType::File if file.size > 0 => {
                judge(location.nature, &file, &file.start(MOST_READ))
            }
            FileType::Symlink => link(&file),
            _ => None,
        };
        if let Some(mut verdict) = verdict {
            if settles(location.nature) && !verdict.suspicious && file.is_of_start(subject) {
                verdict = verdict.of_start();
            }
            let (finding, packaged) = finding(subject, &file, location.rule, verdict);
            if packaged { group.push_together(finding) } else { group.push(finding) }
        }
    }
    group.finish(findings);
}

/// Whether honest containers write such a file when they start: jobs, services, and keys.
fn settles(nature: Nature) -> bool {
    matches!(nature, Nature::Commands(_) | Nature::Keys)
}

/// What the container itself runs when it is started again: its program, or a script among its arguments.
fn own_program(subject: &Subject<'_>, file: &Written<'_>) -> Option<Location> {
    let command = &subject.checkpoint.container().command;
    let own = command.iter().take(4).any(|argument| argument.as_bytes() == file.path.as_bytes());
    (own && !is_scratch(file.path.as_bytes())).then_some(locations::OWN_PROGRAM)
}

/// A link in the place of such a file. Units and init scripts are enabled by links, which say nothing; a link that leads
/// to where everybody may write does.
fn link(file: &Written<'_>) -> Option<Verdict> {
    let target = file.target?.as_bytes();
    let odd = is_scratch(target) || (is_hidden_away(target) && is_hidden(target));
    odd.then(|| {
        let what =
            format!("it links to {}", file.target.map(ToString::to_string).unwrap_or_default());
        Verdict::new(Severity::High, Confidence::High).because(what)
    })
}

/// The finding, and whether a package brought the file.
fn finding(
    subject: &Subject<'_>,
    file: &Written<'_>,
    rule: &'static Rule,
    verdict: Verdict,
) -> (Finding, bool) {
    let packaged = subject.packages.own(file.path.as_bytes()) && !verdict.strong;
    let severity = if packaged { verdict.severity.min(Severity::Low) } else { verdict.severity };
    let mut title = format!("{}: {}", inside(rule.title), file.path);
    if let Some(first) = verdict.reasons.first().filter(|_| verdict.suspicious && !packaged) {
        title = format!("{title}, which {}", first.0);
    }
    let mut finding = Finding::new(rule, severity, verdict.confidence, title)
        .path(file.path.clone())
        .seen(file.seen(file.line()));
    for (what, line) in verdict.reasons {
        let what = if line.is_empty() { what } else { format!("{what}: {line}") };
        finding = finding.seen(file.seen(what));
    }
    if packaged && let Some(manager) = subject.packages.ran() {
        finding = finding.seen(file.seen(format!("{manager} installed it in the same diff")));
    }
    (finding, packaged)
}
