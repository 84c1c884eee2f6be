//! Processes that call themselves what they are not.
//!
//! Of the three names of a process the kernel sets two when it starts: the executable, and `comm`, which is the last part
//! of the path that was started (a link's own name, a script's). The third, the first argument, is whatever the starter
//! wrote. A program may overwrite the last two.

use ckpt_model::{Strings, Task, Text};

use super::executables::is_named_by_script;
use super::finding::{Confidence, Finding, Rule, Seen, Severity};
use super::programs::{is_interpreter, is_multi_call, is_shell, is_system, program, stem};
use super::subject::{Subject, base_name, command_line, named, shortened};

pub(super) static RULES: &[&Rule] = &[&KERNEL, &MISMATCH];

static KERNEL: Rule = Rule {
    id: "name-poses-as-kernel-thread",
    title: "A process calls itself as the kernel's threads are called",
    why: "ps shows kernel threads in brackets, and nobody looks at them twice. A checkpoint never holds a kernel thread, so that this is a program in disguise.",
    wrong: "A program may put its title in brackets for other reasons; then the name in them is no kernel thread's.",
    check: "ckpt-inspect tree --pid PID EVIDENCE; ckpt-inspect maps --pid PID EVIDENCE",
    attack: &["T1036.004", "T1036.005"],
};

static MISMATCH: Rule = Rule {
    id: "name-mismatch",
    title: "A process has the name of another program",
    why: "A process whose name or first argument is that of a part of the system, or of a program that it does not run, may want to be taken for it.",
    wrong: "Links, wrappers that start a program under another name (exec -a), programs that set a title; common ones are passed over.",
    check: "ckpt-inspect tree --pid PID EVIDENCE",
    attack: &["T1036.004", "T1036.011"],
};

/// How names of kernel threads begin, as far as a program would hardly be called so.
const THREADS: [&[u8]; 40] = [
    b"kworker",
    b"ksoftirqd",
    b"kthreadd",
    b"kthread",
    b"migration/",
    b"rcu_",
    b"rcuc/",
    b"rcuob/",
    b"rcuop/",
    b"rcuos/",
    b"rcub/",
    b"kswapd",
    b"khugepaged",
    b"ksmd",
    b"kcompactd",
    b"kdevtmpfs",
    b"kauditd",
    b"kblockd",
    b"kintegrityd",
    b"khungtaskd",
    b"kthrotld",
    b"kstrp",
    b"kdamond",
    b"cpuhp/",
    b"idle_inject/",
    b"irq/",
    b"jbd2/",
    b"scsi_eh_",
    b"scsi_tmf_",
    b"watchdog/",
    b"watchdogd",
    b"oom_reaper",
    b"writeback",
    b"edac-poller",
    b"devfreq_wq",
    b"ext4-rsv",
    b"xfsaild",
    b"xfs-",
    b"zswap",
    b"mm_percpu_wq",
];

/// Bytes of a name that the kernel keeps.
const COMM: usize = 15;

pub(super) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for task in &subject.tasks {
        // What has no memory of its own could be anything.
        if task.mm.is_none() {
            continue;
        }
        findings.extend(kernel(subject, task).or_else(|| mismatch(subject, task)));
    }
}

fn is_kernel_thread(name: &[u8]) -> bool {
    THREADS.iter().any(|thread| name.starts_with(thread))
}

fn kernel(subject: &Subject<'_>, task: &Task) -> Option<Finding> {
    let first = task.argv.as_ref().and_then(Strings::first).unwrap_or_default();
    let title = task.argv.as_ref().map(command_line).unwrap_or_default();
    let comm = task.comm.as_ref().map(Text::as_bytes).unwrap_or_default();
    let inside = |name: &[u8]| {
        let inside = name.strip_prefix(b"[").and_then(|name| name.strip_suffix(b"]"));
        inside.map(<[u8]>::to_vec)
    };
    let bracketed = inside(title.as_bytes()).or_else(|| inside(first)).or_else(|| inside(comm));
    let runs = base_name(task.exe.as_ref().map(|exe| exe.path.as_bytes()).unwrap_or_default());
    // A program may be called as it likes, provided that the image has it so.
    let foreign = subject.is_foreign(task);
    let own = |name: &[u8]| !foreign && runs.starts_with(name);
    let known = bracketed.as_deref().is_some_and(is_kernel_thread)
        || (is_kernel_thread(comm) && !own(comm))
        || (is_kernel_thread(first) && !own(first));
    let wordy = |name: &[u8]| name.is_empty() || name.contains(&b' ');
    let severity = match (&bracketed, known) {
        (_, true) if foreign => Severity::Critical,
        (_, true) => Severity::High,
        (Some(name), false) if !wordy(name) && !own(name) => match () {
            () if foreign => Severity::Critical,
            () if same(comm, name) => Severity::High,
            () => Severity::Medium,
        },
        // ps shows the name of a process without arguments in brackets.
        (None, false) if title.is_empty() && task.argv.is_some() && !comm.is_empty() => {
            if foreign {
                Severity::High
            } else {
                Severity::Low
            }
        }
        _ => return None,
    };
    let confidence = if known { Confidence::High } else { Confidence::Medium };
    let shown =
        if bracketed.is_some() && !title.is_empty() { shortened(&title) } else { named(task) };
    let title = format!("{shown} is no kernel thread but {}", ran(task));
    let finding = Finding::new(&KERNEL, severity, confidence, title);
    Some(with_names(subject, task, finding))
}

fn mismatch(subject: &Subject<'_>, task: &Task) -> Option<Finding> {
    let foreign = subject.is_foreign(task);
    let first = task.argv.as_ref().and_then(Strings::first).unwrap_or_default();
    let comm = task.comm.as_ref().map(Text::as_bytes).unwrap_or_default();
    let exe = task.exe.as_ref()?;
    let exe = exe.path.as_bytes();
    let exe = base_name(exe.strip_suffix(b" (deleted)").unwrap_or(exe));
    let first = first.strip_prefix(b"-").unwrap_or(first);
    let claimed = base_name(first.split(|byte| matches!(byte, b' ' | b':')).next()?);
    let runs = program(task);
    let text = is_interpreter(runs) || is_shell(runs);

    // Whatever is started first may be called init.
    let claims_exe =
        matches!(claimed, b"" | b"init") || related(claimed, exe) || related(claimed, runs);
    let claims_script = text && is_named_by_script(task, claimed);
    let comm_is_exe =
        comm.is_empty() || same(comm, exe) || related(comm, exe) || comm_of_memfd(comm);
    let comm_is_claimed = same(comm, claimed) || related(comm, claimed);
    let comm_is_script = text && is_named_by_script(task, comm);

    let (severity, confidence, how) = match () {
        // A script's interpreter that calls itself a daemon which is no script.
        () if text && !claims_exe && !claims_script && is_system(claimed) => (
            Severity::High,
            Confidence::Medium,
            "an interpreter under the name of a part of the system",
        ),
        () if is_multi_call(exe) || claims_script => return None,
        () if !claims_exe && foreign => {
            (Severity::High, Confidence::High, "its arguments name another program")
        }
        // What was started under its own name and says another: `exec -a`, or written over.
        () if !claims_exe && comm_is_exe && is_system(claimed) => {
            (Severity::High, Confidence::Medium, "its arguments name a part of the system")
        }
        () if !claims_exe
            && comm_is_exe
            && first.starts_with(b"/")
            && !is_title(first)
            && !text =>
        {
            (Severity::Low, Confidence::Medium, "its arguments name another program")
        }
        () if !comm_is_exe && !comm_is_claimed && !comm_is_script && is_system(comm) => {
            (Severity::Medium, Confidence::Medium, "it has the name of a part of the system")
        }
        () if !comm_is_exe && !comm_is_script && foreign && is_system(comm) => {
            (Severity::High, Confidence::Medium, "it has the name of a part of the system")
        }
        _ => return None,
    };
    let title = format!("{} is {}: {how}", self_styled(task), ran(task));
    let finding = Finding::new(&MISMATCH, severity, confidence, title);
    Some(with_names(subject, task, finding))
}

/// What a process calls itself, with its pid.
fn self_styled(task: &Task) -> String {
    let line = task.argv.as_ref().map(command_line).unwrap_or_default();
    let word = line.split(' ').next().unwrap_or_default();
    if word.is_empty() { named(task) } else { format!("{} (pid {})", shortened(word), task.pid) }
}

fn ran(task: &Task) -> String {
    match &task.exe {
        Some(exe) => exe.path.escaped().into_owned(),
        None => "a program that is not known".to_owned(),
    }
}

fn with_names(subject: &Subject<'_>, task: &Task, finding: Finding) -> Finding {
    let mut finding = finding.of(task.pid);
    if let Some(exe) = subject.executable(task) {
        finding = finding.path(exe.path.clone());
    }
    let what = format!("the executable is {}", ran(task));
    finding = finding.seen(Seen::new(what).member(subject.mm(task)));
    if let Some(comm) = &task.comm {
        let what = format!("it is called {comm}");
        finding = finding.seen(Seen::new(what).member(subject.core(task)));
    }
    finding.evidence.extend(subject.seen_arguments(task));
    if let Some(exe) = subject.executable(task) {
        finding.evidence.extend(exe.seen.iter().cloned());
    }
    finding
}

/// Whether a first argument is rather a title than a path.
fn is_title(first: &[u8]) -> bool {
    first.contains(&b' ') || first.contains(&b':')
}

/// Whether the kernel would make the one name of the other.
fn same(comm: &[u8], name: &[u8]) -> bool {
    comm == name || (comm.len() >= COMM && name.starts_with(comm))
}

/// The kernel calls a program that is run from a memfd so, whatever it is.
fn comm_of_memfd(comm: &[u8]) -> bool {
    comm.starts_with(b"memfd:") || (!comm.is_empty() && comm.iter().all(u8::is_ascii_digit))
}

/// Whether two names belong together, as a link and its target do: one is part of the other (`python3` and `python3.14`,
/// `nc` and `nc.openbsd`, `.foo-wrapped` and `foo`), or both are shells, or both are interpreters of one language.
fn related(a: &[u8], b: &[u8]) -> bool {
    // Debian's cron calls its children CRON.
    let (a, b) = (&a.to_ascii_lowercase()[..], &b.to_ascii_lowercase()[..]);
    let part = |a: &[u8], b: &[u8]| a.len() >= 2 && memchr::memmem::find(b, a).is_some();
    let family = |name: &[u8]| {
        let end = name.iter().position(|byte| matches!(byte, b'-' | b'_' | b'.'));
        let family = end.and_then(|end| name.get(..end)).unwrap_or(name);
        (family.len() >= 3).then(|| family.to_vec())
    };
    part(a, b)
        || part(b, a)
        || (is_shell(a) && is_shell(b))
        || (is_interpreter(a) && is_interpreter(b))
        || (stem(a).ends_with(b"awk") && stem(b).ends_with(b"awk"))
        || family(a).is_some_and(|family_a| family(b) == Some(family_a))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_belong_together() {
        for (a, b) in [
            ("python3", "python3.14"),
            ("sh", "dash"),
            ("nc", "nc.openbsd"),
            ("foo", ".foo-wrapped"),
            ("redis-server", "redis-check-rdb"),
            ("awk", "mawk"),
            ("CRON", "cron"),
        ] {
            assert!(related(a.as_bytes(), b.as_bytes()), "{a} {b}");
        }
        for (a, b) in [("sshd", "implant"), ("dbus-daemon", "systemd-journal"), ("cron", "perl")] {
            assert!(!related(a.as_bytes(), b.as_bytes()), "{a} {b}");
        }
    }
}
