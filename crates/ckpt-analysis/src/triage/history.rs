//! Histories of shells: removed, switched off, or left behind.

use ckpt_model::{FileType, Task};

use super::finding::{Confidence, Finding, Rule, Severity};
use super::group::{Group, bounded};
use super::places::split;
use super::quote::quote;
use super::subject::{Subject, named};
use super::suspicion::suspicions;
use super::written::{MOST_READ, Written, deleted, gone, written};

const SHELL_HISTORY_REMOVED: Rule = Rule {
    id: "shell-history-removed",
    title: "The history of a shell was removed",
    why: "Deleting it, emptying it or linking it to /dev/null hides what was typed.",
    wrong: "Hardened images link histories to /dev/null; an image that held a history by mistake is cleaned when it starts.",
    check: "ckpt-inspect diff --path '.*history' EVIDENCE",
    attack: &["T1070.003"],
};

const SHELL_HISTORY_OFF: Rule = Rule {
    id: "shell-history-off",
    title: "A shell keeps no history",
    why: "`HISTFILE=/dev/null` or a history of no lines in the environment of an interactive shell means that somebody does not want to leave one.",
    wrong: "Hardened images set it for everybody.",
    check: "ckpt-inspect tree --env --pid PID EVIDENCE",
    attack: &["T1562.003"],
};

const SHELL_HISTORY_WRITTEN: Rule = Rule {
    id: "shell-history-written",
    title: "Somebody worked in a shell",
    why: "A history in the diff says that a shell was used by hand in this container, and what was typed.",
    wrong: "Administrators do that, too.",
    check: "ckpt-inspect extract --origin rootfs-diff EVIDENCE",
    attack: &["T1059.004"],
};

pub(super) const RULES: &[&Rule] =
    &[&SHELL_HISTORY_REMOVED, &SHELL_HISTORY_OFF, &SHELL_HISTORY_WRITTEN];

/// Whether a file is the history of a shell, or of a client that is worked in like one.
fn is_history(path: &[u8]) -> bool {
    const NAMES: [&[u8]; 14] = [
        b".bash_history",
        b".ash_history",
        b".sh_history",
        b".zsh_history",
        b".zhistory",
        b".ksh_history",
        b".mksh_history",
        b".history",
        b".histfile",
        b"fish_history",
        b".python_history",
        b".mysql_history",
        b".psql_history",
        b".rediscli_history",
    ];
    NAMES.contains(&split(path).1)
}

pub(super) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut group = Group::default();
    for change in deleted(subject).filter(|change| is_history(change.path.as_bytes())) {
        let title = format!("{} was deleted", change.path);
        group.push(
            Finding::new(&SHELL_HISTORY_REMOVED, Severity::High, Confidence::High, title)
                .path(change.path.clone())
                .seen(gone(subject, change)),
        );
    }
    for file in written(subject).filter(|file| is_history(file.path.as_bytes())) {
        if let Some(finding) = left(&file) {
            group.push(finding);
        }
    }
    group.finish(findings);
    findings.extend(switched_off(subject));
}

/// A history in the diff: a link to nowhere, an empty one, or one with something in it.
fn left(file: &Written<'_>) -> Option<Finding> {
    if let Some(target) = file.target {
        let title = format!("{} leads to {target}", file.path);
        let removed = target.as_bytes() == b"/dev/null";
        return removed.then(|| {
            Finding::new(&SHELL_HISTORY_REMOVED, Severity::High, Confidence::High, title)
                .path(file.path.clone())
                .seen(file.seen(file.line()))
        });
    }
    if file.kind != FileType::File {
        return None;
    }
    if file.size == 0 {
        let title = format!("{} is empty", file.path);
        let finding = Finding::new(&SHELL_HISTORY_REMOVED, Severity::Low, Confidence::Low, title);
        return Some(finding.path(file.path.clone()).seen(file.seen(file.line())));
    }
    let text = file.start(MOST_READ);
    let found = suspicions(&text);
    let severity = match found.iter().any(|one| one.strong) {
        true => Severity::High,
        false if found.is_empty() => Severity::Info,
        false => Severity::Medium,
    };
    let title = match found.first() {
        Some(one) => format!("{}: somebody typed what {}", file.path, one.what),
        None => format!("{} has what somebody typed", file.path),
    };
    let mut finding = Finding::new(&SHELL_HISTORY_WRITTEN, severity, Confidence::Medium, title)
        .path(file.path.clone())
        .seen(file.seen(file.line()));
    for one in found {
        finding = finding.seen(file.seen(format!("{}: {}", one.what, quote(one.line))));
    }
    Some(finding)
}

/// Shells whose environment keeps them from writing a history.
fn switched_off(subject: &Subject<'_>) -> Option<Finding> {
    const OFF: [&[u8]; 4] = [b"HISTFILE=/dev/null", b"HISTFILE=", b"HISTSIZE=0", b"HISTFILESIZE=0"];
    let asked = subject.checkpoint.container().env.iter();
    let asked = asked.map(String::as_bytes).any(|entry| OFF.contains(&entry));
    let mut found = Vec::new();
    for task in subject.checkpoint.processes().by_pid() {
        let entry =
            task.env.iter().flat_map(ckpt_model::Strings::iter).find(|one| OFF.contains(one));
        if let Some(entry) = entry.filter(|_| is_shell(task)) {
            found.push((task, entry));
        }
    }
    let (first, _) = found.first()?;
    let severity = if asked { Severity::Low } else { Severity::Medium };
    let title = format!("{} keeps no history", named(first));
    let mut finding = Finding::new(&SHELL_HISTORY_OFF, severity, Confidence::High, title);
    finding = finding.of(first.pid);
    let seen = found.iter().map(|(task, entry)| {
        let what = format!("{}: {} in its environment", named(task), quote(entry));
        super::finding::Seen::new(what).member(subject.mm(task))
    });
    finding.evidence = bounded(seen.collect());
    Some(finding)
}

fn is_shell(task: &Task) -> bool {
    const SHELLS: [&[u8]; 8] =
        [b"sh", b"bash", b"dash", b"ash", b"zsh", b"ksh", b"fish", b"busybox"];
    let exe = task.exe.as_ref().map(|exe| split(exe.path.as_bytes()).1);
    exe.is_some_and(|name| {
        let name = name.strip_suffix(b" (deleted)").unwrap_or(name);
        SHELLS.contains(&name)
            || SHELLS
                .iter()
                .any(|shell| name.strip_prefix(*shell).is_some_and(|rest| rest.starts_with(b".")))
    })
}
