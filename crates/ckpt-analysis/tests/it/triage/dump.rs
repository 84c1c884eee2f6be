//! What the dump itself tells.

use ckpt_analysis::triage::{Finding, Severity};
use ckpt_synth::Archive;
use ckpt_synth::engines::dump_log;

use crate::triage::findings;
use crate::{dump, init, open};

/// A CRI-O checkpoint whose log has these lines.
fn with_log(lines: &[&str]) -> Vec<Finding> {
    let dump = dump([init()]);
    let mut archive = Archive::crio(&dump);
    archive.replace("dump.log", dump_log(&dump, lines).into_bytes());
    findings(&open(&archive))
}

fn find<'a>(found: &'a [Finding], id: &str) -> Option<&'a Finding> {
    found.iter().find(|one| one.rule.id == id)
}

#[test]
fn processes_that_the_dump_missed() {
    let line =
        "Warn  (criu/seize.c:404): Unexpected process 777 in the freezer cgroup (status 0x80057f)";
    let found = with_log(&["SEIZE 777 (comm kdevtmp\x1b[2J): success", line, line]);
    let one = find(&found, "process-missed-by-dump").expect("the orphan");
    assert_eq!(one.severity, Severity::Medium);
    assert_eq!(one.title, "not in the dump: kdevtmp\\x1b[2J (host pid 777)");
    assert_eq!(one.evidence.len(), 1);
    assert_eq!(one.evidence[0].member.as_deref(), Some("dump.log"));
    assert!(one.evidence[0].offset.is_some_and(|at| at > 0));
    assert!(find(&with_log(&[]), "process-missed-by-dump").is_none());
}

#[test]
fn limits_that_were_met() {
    let uring = "Error (criu/files.c:1): io_uring is not supported";
    let found = with_log(&[uring, uring]);
    let one = find(&found, "dump-hindered").expect("io_uring");
    assert_eq!((one.severity, one.evidence.len()), (Severity::Low, 1));
    let harmless = "Error (criu/util.c:1534): rlimit: Can't setup RLIMIT_NOFILE for self: Operation not permitted";
    let found = with_log(&[harmless]);
    assert!(find(&found, "dump-hindered").is_none() && find(&found, "dump-incomplete").is_none());
    let ghost =
        "Error (criu/files-reg.c:9): Can't dump ghost file /tmp/.s of 2064384 size, increase limit";
    let failed = "Error (criu/cr-dump.c:1975): Dumping FAILED.";
    let found = with_log(&[ghost, failed]);
    assert_eq!(find(&found, "dump-hindered").map(|one| one.severity), Some(Severity::Medium));
    let one = find(&found, "dump-incomplete").expect("the failure");
    assert!(one.evidence.iter().any(|seen| seen.what.contains("/tmp/.s")), "{one:#?}");
}

#[test]
fn dumps_that_stopped() {
    let mut archive = Archive::podman(&dump([init()]));
    archive.without("checkpoint/inventory.img").without("checkpoint/pstree.img");
    assert!(find(&findings(&open(&archive)), "dump-incomplete").is_some());
    let archive = Archive::podman(&dump([init()]));
    let found = findings(&open(&archive));
    assert!(find(&found, "dump-incomplete").is_none() && find(&found, "stale-images").is_none());
}

#[test]
fn images_of_earlier_dumps() {
    let mut archive = Archive::podman(&dump([init()]));
    let core = archive.get("checkpoint/core-1.img").expect("a core image");
    archive.member("checkpoint/core-99.img", core);
    let found = findings(&open(&archive));
    let one = find(&found, "stale-images").expect("the left-over");
    assert!(one.title.ends_with("of pid 99"), "{}", one.title);
    assert_eq!(one.evidence[0].member.as_deref(), Some("checkpoint/core-99.img"));
}
