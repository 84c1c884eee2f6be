//! Where processes stand: outside the tree of the container's command, at somebody's terminal, in another root, in a folder
//! that is gone, stopped, or with a hand in another process.

use ckpt_model::{Descriptor, Mark, Task, TaskState, Text, fd_type};
use criu_image::ImageKind;

use super::finding::{Confidence, Finding, Rule, Seen, Severity};
use super::programs::{is_interpreter, is_shell, is_tracer, program};
use super::subject::{Subject, named};

pub(super) static RULES: &[&Rule] =
    &[&OUTSIDE, &INTERACTIVE, &CWD, &ROOT, &STOPPED, &MEMORY, &TRACER];

static OUTSIDE: Rule = Rule {
    id: "process-outside-tree",
    title: "A process does not descend from the container's command",
    why: "Everything in a container descends from its command, but for what was put into it from outside: kubectl exec, docker exec, nsenter.",
    wrong: "Health checks and hooks are started like that, too; a parent that ended leaves its children to the first process.",
    check: "ckpt-inspect tree EVIDENCE",
    attack: &["T1609"],
};

static INTERACTIVE: Rule = Rule {
    id: "interactive-session",
    title: "Somebody has a shell on a terminal",
    why: "A shell with a terminal of its own is a person at work, and not what the container was started for.",
    wrong: "Administrators use kubectl exec and docker exec, too.",
    check: "ckpt-inspect tree --pid PID EVIDENCE; ckpt-inspect files --pid PID EVIDENCE; ckpt-inspect strings --pid PID EVIDENCE",
    attack: &["T1609", "T1059.004"],
};

static CWD: Rule = Rule {
    id: "working-directory-deleted",
    title: "A process works in a directory that was deleted",
    why: "Tools that unpack themselves, run and clean up leave their processes in a folder that is gone.",
    wrong: "Builds, tests and updates remove folders while something still runs in them.",
    check: "ckpt-inspect tree --pid PID EVIDENCE; ckpt-inspect diff EVIDENCE",
    attack: &["T1070.004"],
};

static ROOT: Rule = Rule {
    id: "root-directory-changed",
    title: "A process has another root directory",
    why: "After chroot(2) a process sees other files than the container: an environment of its own, or the host's files under a mount.",
    wrong: "Services lock themselves in (sshd, postfix, unbound); build tools work in a root that they made.",
    check: "ckpt-inspect tree --pid PID EVIDENCE; ckpt-inspect files --mounts EVIDENCE",
    attack: &["T1611"],
};

static STOPPED: Rule = Rule {
    id: "process-stopped",
    title: "A process is stopped",
    why: "A stopped process does nothing and keeps what it has: a watchdog that was silenced, or a debugger's victim.",
    wrong: "Job control (Ctrl-Z), and programs that stop their children on purpose.",
    check: "ckpt-inspect tree --pid PID EVIDENCE",
    attack: &["T1562.001"],
};

static MEMORY: Rule = Rule {
    id: "process-memory-open",
    title: "A process has the memory of another process open",
    why: "Whoever has /proc/PID/mem open reads secrets from another process, or writes code into it.",
    wrong: "Debuggers, profilers and crash reporters.",
    check: "ckpt-inspect files --pid PID EVIDENCE",
    attack: &["T1055.009", "T1003.007"],
};

static TRACER: Rule = Rule {
    id: "tracing-tool",
    title: "A debugger or tracer runs in the container",
    why: "A debugger reads and changes other processes. CRIU does not dump a process that is traced, so that the images show the tool alone.",
    wrong: "Developers debug in containers.",
    check: "ckpt-inspect tree --pid PID EVIDENCE",
    attack: &["T1055.008"],
};

pub(super) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let first = subject.first();
    for task in &subject.tasks {
        let is_first = first.is_some_and(|first| first.pid == task.pid);
        if !is_first {
            findings.extend(interactive(subject, task).or_else(|| outside(subject, task)));
        }
        findings.extend(elsewhere(subject, task));
        findings.extend(rooted(subject, task, first));
        findings.extend(stopped(subject, task));
        findings.extend(reaching(subject, task));
        findings.extend(tracing(subject, task));
    }
}

fn finding(
    subject: &Subject<'_>,
    task: &Task,
    rule: &'static Rule,
    (severity, confidence): (Severity, Confidence),
    title: String,
) -> Finding {
    let mut finding = Finding::new(rule, severity, confidence, title).of(task.pid);
    if let Some(exe) = subject.executable(task) {
        finding = finding.path(exe.path.clone());
    }
    finding
}

/// A second root of the tree.
fn outside(subject: &Subject<'_>, task: &Task) -> Option<Finding> {
    let processes = subject.checkpoint.processes();
    let root = processes.has_tree && task.ppid.is_some_and(|ppid| ppid.0 == 0);
    let orphan = task.marks.contains(&Mark::Orphan);
    if !root && !orphan {
        return None;
    }
    let title = format!("{} does not descend from the container's command", named(task));
    let weight = (Severity::Medium, Confidence::Medium);
    let what = match task.ppid {
        Some(ppid) if orphan => format!("its parent {ppid} is not in the dump"),
        _ => "it has no parent in the container".to_owned(),
    };
    let seen = Seen::new(what).member(subject.image(ImageKind::Pstree, None));
    let mut found = finding(subject, task, &OUTSIDE, weight, title).seen(seen);
    found.evidence.extend(subject.seen_arguments(task));
    Some(found)
}

/// A shell that leads a session of its own, on a terminal that the container was not started with.
fn interactive(subject: &Subject<'_>, task: &Task) -> Option<Finding> {
    let name = program(task);
    if !(is_shell(name) || is_interpreter(name)) || task.sid != Some(task.pid) {
        return None;
    }
    let terminal = terminal(subject, task)?;
    let of_first = subject.first().and_then(|first| self::terminal(subject, first));
    if of_first.is_some_and(|first| first.target == terminal.target) {
        return None;
    }
    let target = terminal.target.clone().unwrap_or_default();
    let severity = if is_shell(name) { Severity::Medium } else { Severity::Low };
    let title = format!("{} is a session on the terminal {target}", named(task));
    let weight = (severity, Confidence::Medium);
    let what = format!("standard input is {target}, and it leads session {}", task.pid);
    let seen = Seen::new(what).member(subject.image(ImageKind::Files, None));
    let mut found = finding(subject, task, &INTERACTIVE, weight, title).seen(seen);
    found.evidence.extend(subject.seen_arguments(task));
    if let Some(loginuid) = task.loginuid.filter(|uid| *uid != u32::MAX) {
        let what = format!("it belongs to a login of user {loginuid}");
        found = found.seen(Seen::new(what).member(subject.core(task)));
    }
    Some(found)
}

/// The terminal that is standard input.
fn terminal<'s>(subject: &'s Subject<'_>, task: &Task) -> Option<&'s Descriptor> {
    let input = subject.checkpoint.descriptors().get(task.pid, 0)?;
    (input.fd_type == fd_type::TTY).then_some(input)
}

fn elsewhere(subject: &Subject<'_>, task: &Task) -> Option<Finding> {
    let cwd = task.cwd.as_ref().filter(|cwd| cwd.deleted)?;
    let foreign = subject.is_foreign(task);
    let severity = if foreign { Severity::Medium } else { Severity::Low };
    let title = format!("{} works in {}", named(task), cwd.path);
    let what = format!("its working directory is {}", cwd.path);
    let seen = Seen::new(what).member(subject.image(ImageKind::Fs, u64::from(task.pid.0)));
    let weight = (severity, Confidence::High);
    let mut found = finding(subject, task, &CWD, weight, title).seen(seen);
    let path = cwd.path.as_bytes();
    found.path = Some(Text::from(path.strip_suffix(b" (deleted)").unwrap_or(path)));
    Some(found)
}

fn rooted(subject: &Subject<'_>, task: &Task, first: Option<&Task>) -> Option<Finding> {
    let root = task.root.as_ref()?;
    let usual = first.and_then(|first| first.root.as_ref());
    // Other mount namespaces have roots of their own.
    let namespace = |task: &Task| task.namespaces.and_then(|all| all.mnt).map(|mnt| mnt.id);
    let other_namespace = first.is_some_and(|first| namespace(first) != namespace(task));
    if other_namespace
        || root.path.as_bytes() == b"/"
        || usual.is_some_and(|usual| usual.path == root.path)
    {
        return None;
    }
    let severity = if subject.is_foreign(task) { Severity::Medium } else { Severity::Low };
    let title = format!("{} has {} as its root directory", named(task), root.path);
    let what = format!("its root directory is {}", root.path);
    let seen = Seen::new(what).member(subject.image(ImageKind::Fs, u64::from(task.pid.0)));
    let weight = (severity, Confidence::High);
    let mut found = finding(subject, task, &ROOT, weight, title).seen(seen);
    found.path = Some(root.path.clone());
    Some(found)
}

fn stopped(subject: &Subject<'_>, task: &Task) -> Option<Finding> {
    if task.state != Some(TaskState::Stopped) {
        return None;
    }
    let title = format!("{} is stopped", named(task));
    let seen = Seen::new("its state is stopped by a signal").member(subject.core(task));
    let weight = (Severity::Info, Confidence::High);
    Some(finding(subject, task, &STOPPED, weight, title).seen(seen))
}

/// Descriptors of `/proc/PID/mem` of somebody else.
fn reaching(subject: &Subject<'_>, task: &Task) -> Option<Finding> {
    let member = subject.image(ImageKind::Files, None);
    let open = subject.checkpoint.descriptors().of(task.pid).iter().filter_map(|one| {
        let target = one.target.as_ref()?;
        let pid = memory_of(target.as_bytes())?;
        let other = pid != task.pid.0 && !task.threads.iter().any(|thread| thread.tid.0 == pid);
        other.then_some((one, target, pid))
    });
    let open: Vec<_> = open.collect();
    let (_, target, pid) = open.first()?;
    let title = format!("{} has the memory of process {pid} open", named(task));
    // A name costs an intruder nothing.
    let known = is_tracer(program(task)) && !subject.is_foreign(task);
    let severity = if known { Severity::Medium } else { Severity::High };
    let mut found = finding(subject, task, &MEMORY, (severity, Confidence::High), title);
    found.path = Some((*target).clone());
    for (one, target, _) in open.iter().take(8) {
        let what = format!("descriptor {} is {target}", one.fd);
        found = found.seen(Seen::new(what).member(member.clone()));
    }
    Some(found)
}

/// The process of `/proc/PID/mem` and `/proc/PID/task/TID/mem`.
fn memory_of(path: &[u8]) -> Option<u32> {
    let rest = path.strip_prefix(b"/proc/")?.strip_suffix(b"/mem")?;
    let pid = rest.split(|byte| *byte == b'/').next()?;
    std::str::from_utf8(pid).ok()?.parse().ok()
}

fn tracing(subject: &Subject<'_>, task: &Task) -> Option<Finding> {
    let name = program(task);
    if !is_tracer(name) {
        return None;
    }
    let title = format!("{} is a tool to trace processes", named(task));
    let weight = (Severity::Low, Confidence::High);
    let mut found = finding(subject, task, &TRACER, weight, title);
    found.evidence.extend(subject.seen_arguments(task));
    if found.evidence.is_empty() {
        let seen = Seen::new("its executable is such a tool").member(subject.mm(task));
        found = found.seen(seen);
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::memory_of;

    #[test]
    fn memory_of_processes() {
        assert_eq!(memory_of(b"/proc/7/mem"), Some(7));
        assert_eq!(memory_of(b"/proc/7/task/8/mem"), Some(7));
        assert_eq!(memory_of(b"/proc/self/mem"), None);
        assert_eq!(memory_of(b"/proc/7/maps"), None);
    }
}
