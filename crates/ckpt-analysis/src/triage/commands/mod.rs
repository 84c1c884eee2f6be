//! Command lines that give themselves away: what their words do, and what they do together with a connection.

mod judge;
mod talks;

use ckpt_model::{Strings, Task, escape};

use super::finding::{Finding, Rule, Seen, Severity};
use super::subject::{Subject, named, shortened};
use super::talk;
use judge::joined;
pub(super) use judge::verdict;
use talks::talks;

pub(super) static RULES: &[&Rule] = &[&SUSPICIOUS];

static SUSPICIOUS: Rule = Rule {
    id: "suspicious-command",
    title: "A process was started with a command line that intruders use",
    why: "One-liners that open a connection and hand it a shell, or that fetch or decode a program and run it, are how a foothold becomes a shell.",
    wrong: "Installers are fetched and piped to a shell, too; administrators use netcat and socat to test.",
    check: "ckpt-inspect tree --pid PID EVIDENCE; ckpt-inspect files --pid PID EVIDENCE",
    attack: &["T1059", "T1105", "T1140"],
};

pub(super) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for task in &subject.tasks {
        let Some(argv) = &task.argv else { continue };
        let judged = verdict(task).or_else(|| talks(subject, task, argv));
        let Some((what, severity, confidence)) = judged else { continue };
        // What the container was started with is its owner's doing, as a rule.
        let asked_for = is_asked_for(subject, task);
        let severity = if asked_for { severity.min(Severity::Medium) } else { severity };
        let title = format!("{} {what}", named(task));
        let mut finding = Finding::new(&SUSPICIOUS, severity, confidence, title).of(task.pid);
        if let Some(exe) = subject.executable(task) {
            finding = finding.path(exe.path.clone());
        }
        let shown = format!("arguments: {}", shortened(&escape(&joined(argv.iter()))));
        finding = finding.seen(Seen::new(shown).member(subject.mm(task)));
        if asked_for {
            finding = finding.seen(Seen::new("the container was started with this command"));
        }
        finding.evidence.extend(talk::seen(subject, task));
        findings.push(finding);
    }
}

/// Whether a task is the container's own program: its first process, or what that was asked to start.
pub(super) fn is_own(subject: &Subject<'_>, task: &Task) -> bool {
    subject.first().is_some_and(|first| first.pid == task.pid) || is_asked_for(subject, task)
}

/// Whether the container was started with the command that a task runs, or with one that ends in it: an entry point or
/// an init starts what follows it.
pub(super) fn is_asked_for(subject: &Subject<'_>, task: &Task) -> bool {
    let command = &subject.checkpoint.container().command;
    // An interpreter may stand before it; what is longer cannot be its end.
    let most = command.len().saturating_add(2);
    let argv: Vec<&[u8]> = task.argv.iter().flat_map(Strings::iter).take(most).collect();
    is_end_of(&argv, command)
}

/// Whether arguments are a whole command, or at least two words at its end. A script is known by its path: the kernel puts
/// the interpreter before it.
fn is_end_of(argv: &[&[u8]], command: &[String]) -> bool {
    let ends_in = |argv: &[&[u8]], least: usize| {
        let Some(before) = command.len().checked_sub(argv.len()) else { return false };
        let end = command.iter().skip(before).map(String::as_bytes);
        !argv.is_empty() && (before == 0 || argv.len() >= least) && end.eq(argv.iter().copied())
    };
    let script = argv.get(1..).filter(|rest| rest.first().is_some_and(|word| word.contains(&b'/')));
    ends_in(argv, 2) || script.is_some_and(|script| ends_in(script, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_command() {
        let command = ["tini", "--", "sh", "-c", "x"].map(String::from);
        for (argv, asked_for) in [
            (&["sh", "-c", "x"][..], true),
            (&["tini", "--", "sh", "-c", "x"], true),
            (&["x"], false),
            (&["sh", "-c", "y"], false),
            (&["a", "tini", "--", "sh", "-c", "x"], false),
            (&["/bin/sh", "./x"], false),
            (&[], false),
        ] {
            let argv: Vec<&[u8]> = argv.iter().map(|word| word.as_bytes()).collect();
            assert_eq!(is_end_of(&argv, &command), asked_for, "{argv:?}");
        }
        assert!(is_end_of(&[b"app"], &["app".to_owned()]));
        let script = ["tini", "/run.sh"].map(String::from);
        assert!(is_end_of(&[b"/bin/sh", b"/run.sh"], &script));
        assert!(!is_end_of(&[b"/bin/sh", b"-c", b"/run.sh"], &script));
    }
}
