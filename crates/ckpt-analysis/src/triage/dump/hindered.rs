//! What in the container CRIU cannot dump, and what a dump was kept from by it.

use memchr::memmem::find;

use crate::triage::finding::{Confidence, Finding, Rule, Severity};
use crate::triage::quote::quote;
use crate::triage::subject::Subject;

const DUMP_HINDERED: Rule = Rule {
    id: "dump-hindered",
    title: "Something in the container made dumping hard",
    why: "CRIU met what it cannot dump: io_uring, deleted files beyond the ghost limit, a tracer, namespaces in namespaces. Each can be chosen on purpose to keep a checkpoint from being made.",
    wrong: "Databases use io_uring and large deleted files, debuggers trace.",
    check: "ckpt-inspect verify EVIDENCE",
    attack: &["T1562"],
};

pub(in crate::triage) const RULES: &[&Rule] = &[&DUMP_HINDERED];

/// Words of a line, and what they mean: limits that a program can run into on purpose.
///
/// Source: `criu/files.c`, `criu/files-reg.c`, `criu/sk-inet.c`, `criu/file-lock.c`, `criu/seize.c`, `criu/namespaces.c`,
/// `criu/net.c`, `criu/fsnotify.c`.
const LIMITS: [(&[&[u8]], &str); 10] = [
    (&[b"io_uring"], "io_uring is in use, which cannot be dumped"),
    (&[b"Can't dump ghost file"], "a deleted file is larger than the ghost limit"),
    (
        &[b"Connected TCP socket"],
        "a TCP connection is open, and the engine did not ask for connections",
    ),
    (&[b"file locks are hold"], "file locks are held, and the engine did not ask for locks"),
    (&[b"is being traced"], "a process is traced by another"),
    (&[b"already traced"], "a process is traced by another"),
    (&[b"more than one netns"], "a process has a network namespace of its own"),
    (&[b"Can't dump nested"], "a process has namespaces in namespaces"),
    (&[b"Can't dump that handle"], "a file is watched on a file system that has no handles"),
    (&[b"unlinked", b"can't"], "a deleted file cannot be dumped"),
];

pub(in crate::triage) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let Some(log) = subject.checkpoint.dump_log() else { return };
    let mut met: Vec<&str> = Vec::new();
    let mut seen = Vec::new();
    for line in log.errors.iter().chain(&log.warnings) {
        let text = line.as_bytes();
        let limit =
            LIMITS.iter().find(|(words, _)| words.iter().all(|word| find(text, word).is_some()));
        let Some((_, what)) = limit else { continue };
        if !met.contains(what) {
            met.push(what);
            let what = format!("{what}: {}", quote(text));
            seen.push(super::line(subject.checkpoint, log, what, text));
        }
    }
    let Some(first) = met.first() else { return };
    let more = met.len().saturating_sub(1);
    let more = if more > 0 { format!(" and {more} more limits") } else { String::new() };
    let severity = if log.failed { Severity::Medium } else { Severity::Low };
    let title = format!("{first}{more}");
    let mut finding = Finding::new(&DUMP_HINDERED, severity, Confidence::Low, title);
    finding.evidence = seen;
    findings.push(finding);
}
