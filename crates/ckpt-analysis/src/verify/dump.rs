//! Whether the dump was finished, and what CRIU itself said of it.

use ckpt_archive::MemberKind;
use ckpt_model::{Checkpoint, DumpKind, DumpLog, Engine, Text};

use super::check::{Check, Effect, Spec, count};
use super::identity::{always_written, member};
use super::reader::{escaped, inside};

pub(super) const FINISHED: Spec = Spec::of(
    "dump-finished",
    "inventory and process tree, which CRIU writes last, with the rest of the images",
);

pub(super) const LOG: Spec = Spec::of(
    "dump-log",
    "the last word of CRIU's log, its errors and its warnings with what they mean for the dump",
);

pub(super) const MISSED: Spec = Spec::of(
    "processes-missed",
    "the processes that CRIU met in the container's cgroup with the process tree",
);

pub(super) const PARENTS: Spec =
    Spec::of("parent-dumps", "the parent that an incremental dump names with what was given");

/// Lines of sound dumps, which say nothing of the container: a word of each, and what it is.
const HARMLESS: [(&[u8], &str); 3] = [
    // The limit of CRIU's own open files, when it may not raise it.
    (b"rlimit: Can't setup RLIMIT_NOFILE for self", "CRIU's own limit of open files"),
    // A task that was not in the parent dump.
    (
        b"No parent image found, though parent directory is set",
        "a process that the parent does not have",
    ),
    // A system call that will be made again when the task is restored.
    (b"with interrupted system call", "a system call that will be made again"),
];

/// Lines that tell a loss: a word of each, and what is lost.
///
/// Source: `criu/sk-inet.c` (`dump_sk_queue` of datagrams is not supported), `criu/seize.c`.
const LOSSES: [(&[u8], &str); 1] =
    [(b"Read queue is dropped for socket", "data that a socket had received and nobody had read")];

/// Words of a line that other checks tell.
const ELSEWHERE: [&[u8]; 2] = [b"Unexpected process ", b"Dumping FAILED"];

/// Most lines that a note quotes.
const MOST_QUOTED: usize = 3;

/// Whether the dump is one.
pub(super) fn finished(checkpoint: &Checkpoint) -> Check {
    let Some(directory) = checkpoint.directory() else {
        let mut check = FINISHED.begin();
        let what = "there are no CRIU images, only what the engine wrote";
        check.tell(Effect::Incomplete, "evidence", what);
        return check.end("an image directory", "none");
    };
    let mut check = FINISHED.begin();
    match directory.kind {
        DumpKind::Full => {}
        DumpKind::PreDump => {
            let what = "a pre-dump: memory only, without process tree, names and files";
            check.tell(Effect::Incomplete, directory.path.folder(), what);
        }
        _ => {
            let what = "inventory or process tree is missing, which CRIU writes last: the dump failed, was cut off, or lost files";
            check.tell(Effect::Incomplete, directory.path.folder(), what);
        }
    }
    check.end("a full dump", directory.kind.word())
}

/// What the log says.
pub(super) fn log(checkpoint: &Checkpoint) -> Check {
    let Some(log) = checkpoint.dump_log() else {
        let Some(empty) = empty_log(checkpoint) else {
            return LOG.not_checkable(no_log(checkpoint));
        };
        let mut check = LOG.begin();
        let what = "it is empty: nothing tells how the dump ended";
        check.tell(Effect::Incomplete, empty, what);
        return check.end("the dump succeeded", "an empty log");
    };
    let mut check = LOG.begin();
    let at = log.path.escaped();
    if log.failed {
        let causes: Vec<_> =
            unexplained(&log.errors).take(MOST_QUOTED).map(Text::escaped).collect();
        let what = format!("CRIU says that the dump failed: {}", causes.join("; "));
        check.tell(Effect::Incomplete, &*at, what);
    } else if !log.succeeded {
        let what = "it ends before it says how the dump ended: the dump or the log was cut off";
        check.tell(Effect::Incomplete, &*at, what);
    }
    for (words, lost) in LOSSES {
        let lines = log.warnings.iter().chain(&log.errors);
        let number = lines.filter(|line| contains(line, words)).count();
        if number > 0 {
            check.tell(Effect::Remark, &*at, format!("not dumped: {lost} (told {number} times)"));
        }
    }
    let others: Vec<&Text> = unexplained(&log.errors).chain(unexplained(&log.warnings)).collect();
    if log.succeeded && !others.is_empty() {
        let quoted: Vec<_> = others.iter().take(MOST_QUOTED).map(|line| line.escaped()).collect();
        let number = count(others.len(), "line", "lines");
        check.note(format!("{number} that no rule knows, to be read: {}", quoted.join("; ")));
    }
    let found = match (log.failed, log.succeeded) {
        (true, _) => "failed",
        (false, true) => "succeeded",
        (false, false) => "no last word",
    };
    check.end(
        "the dump succeeded",
        format!(
            "{found}, {}, {}",
            count(log.errors.len(), "error", "errors"),
            count(log.warnings.len(), "warning", "warnings")
        ),
    )
}

/// Path of a log without a byte, in the container's folder or beside the images.
fn empty_log(checkpoint: &Checkpoint) -> Option<String> {
    let beside = || {
        let folder = checkpoint.images()?.path();
        checkpoint.evidence().get(&inside(folder.as_bytes(), "dump.log"))
    };
    let log = member(checkpoint, "dump.log").or_else(beside)?;
    if log.size > 0 || !matches!(log.kind, MemberKind::File) {
        return None;
    }
    Some(escaped(&log.path))
}

/// Why there is no log.
fn no_log(checkpoint: &Checkpoint) -> String {
    let engine = checkpoint.container().engine;
    match engine {
        _ if always_written(checkpoint).contains(&"dump.log") => {
            format!("there is no dump.log, which {} always writes", engine.word())
        }
        Engine::Criu => {
            "there is no dump.log: CRIU writes it to its work directory, which may be another"
                .to_owned()
        }
        Engine::Containerd => "there is no dump.log: ctr does not keep it".to_owned(),
        _ => format!("there is no dump.log: {} does not keep it", engine.word()),
    }
}

/// Lines that are neither harmless nor told otherwise.
pub(crate) fn unexplained(lines: &[Text]) -> impl Iterator<Item = &Text> {
    let known = HARMLESS.iter().chain(&LOSSES).map(|(words, _)| *words).chain(ELSEWHERE);
    lines.iter().filter(move |line| !known.clone().any(|words| contains(line, words)))
}

fn contains(line: &Text, words: &[u8]) -> bool {
    line.as_bytes().windows(words.len()).any(|window| window == words)
}

/// Processes of the container that are not in the dump.
pub(super) fn missed(checkpoint: &Checkpoint) -> Check {
    let Some(log): Option<&DumpLog> = checkpoint.dump_log() else {
        let why = match empty_log(checkpoint) {
            Some(empty) => format!("{empty} is empty"),
            None => no_log(checkpoint),
        };
        return MISSED.not_checkable(format!("only CRIU's log would tell: {why}"));
    };
    let mut check = MISSED.begin();
    for process in &log.not_captured {
        let name = process.comm.as_ref().map(|comm| format!(" ({comm})")).unwrap_or_default();
        let what = format!(
            "process {}{name} of the host was in the container's cgroup and is not in the dump",
            process.host_pid
        );
        check.tell(Effect::Incomplete, log.path.escaped(), what);
    }
    let tasks = checkpoint.processes().tasks.len();
    check.end(
        format!("{} and no other", count(tasks, "process", "processes")),
        format!("{} missed", log.not_captured.len()),
    )
}

/// The parents of an incremental dump.
pub(super) fn parents(checkpoint: &Checkpoint) -> Check {
    let link = checkpoint.directory().and_then(|directory| directory.parent.as_ref());
    let (Some(link), Some(directory)) = (link, checkpoint.directory()) else {
        return PARENTS.not_applicable("not an incremental dump");
    };
    let mut check = PARENTS.begin();
    if checkpoint.parents().is_empty() {
        let what =
            format!("the parent {} is not in the evidence; give it with --parent", link.target);
        check.tell(Effect::Incomplete, directory.path.folder(), what);
    }
    check.end(
        format!("the parent {}", link.target),
        format!("{} at hand", count(checkpoint.parents().len(), "parent", "parents")),
    )
}
