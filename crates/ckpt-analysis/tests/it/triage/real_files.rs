//! Real checkpoints: what was planted into files, and those where nobody did anything.

use std::path::{Path, PathBuf};

use ckpt_analysis::triage::{Finding, Severity, TriageOptions, triage};
use ckpt_model::{Checkpoint, Need};

use crate::triage::findings;

/// The directory of real checkpoints, when it is named.
fn archives(test: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("CKPT_ARCHIVES").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("{test}: skipped, CKPT_ARCHIVES names no directory of checkpoints");
    }
    folder
}

fn read(path: &Path) -> Vec<Finding> {
    let opened = Checkpoint::options().need(Need::Everything).open(path);
    findings(&opened.unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

/// What was planted is among the first, with the right path.
#[track_caller]
fn planted(found: &[Finding], id: &str, path: &str, least: Severity) {
    let one = found.iter().find(|one| {
        one.rule.id == id && one.path.as_ref().is_some_and(|at| at.as_bytes() == path.as_bytes())
    });
    let one = one.unwrap_or_else(|| panic!("no {id} at {path}"));
    assert!(one.severity >= least, "{id} at {path} is {}", one.severity);
}

#[test]
fn planted_files_of_the_shop() {
    let Some(folder) = archives("planted_files_of_the_shop") else { return };
    let found = read(&folder.join("02-shop-web/checkpoint.tar.zst"));
    for (id, path, least) in [
        ("persistence-cron", "/etc/cron.d/apt-refresh", Severity::Critical),
        ("setuid-or-setgid-file", "/usr/lib/.x/dbus-helper", Severity::Critical),
        ("web-shell", "/srv/shop/uploads/thumb_0193.php", Severity::Critical),
        ("account-with-uid-0", "/etc/passwd", Severity::High),
        ("persistence-ssh-key", "/root/.ssh/authorized_keys", Severity::High),
        ("logs-deleted", "/var/log/auth.log", Severity::High),
        ("executable-in-writable-place", "/tmp/.lib/libsys.so", Severity::High),
        ("hidden-file", "/dev/shm/.sess-9f", Severity::High),
        ("hidden-file", "/run/cache/.k", Severity::Medium),
        ("hidden-file", "/tmp/.out", Severity::Medium),
    ] {
        planted(&found, id, path, least);
    }
}

#[test]
fn planted_files_under_containerd() {
    let Some(folder) = archives("planted_files_under_containerd") else { return };
    let found = read(&folder.join("k4-containerd-py/checkpoint.tar"));
    for (id, path, least) in [
        ("persistence-cron", "/etc/cron.d/sync", Severity::Critical),
        ("setuid-or-setgid-file", "/var/tmp/.x/sh", Severity::Critical),
        ("account-with-uid-0", "/etc/passwd", Severity::High),
        ("persistence-ssh-key", "/root/.ssh/authorized_keys", Severity::High),
        ("logs-deleted", "/var/log/auth.log", Severity::High),
        ("hidden-file", "/var/tmp/.x", Severity::High),
    ] {
        planted(&found, id, path, least);
    }
}

/// An image that cannot be read is told, and not as if there were none.
#[test]
fn a_base_that_is_none() {
    let Some(folder) = archives("a_base_that_is_none") else { return };
    let path = folder.join("08-evolve/checkpoint-2.tar.zst");
    let opened = Checkpoint::options().need(Need::Everything).open(&path).expect("a checkpoint");
    for base in ["nowhere", "08-evolve/about.txt"] {
        assert!(
            triage(&opened, &TriageOptions::default().base(folder.join(base))).is_err(),
            "{base}"
        );
    }
}

/// What the image has is not the container's doing; the image says so.
#[test]
fn held_against_the_image() {
    let Some(folder) = archives("held_against_the_image") else { return };
    let folder = folder.join("08-evolve");
    let path = folder.join("checkpoint-2.tar.zst");
    let opened = Checkpoint::options().need(Need::Everything).open(&path).expect("a checkpoint");
    let options = TriageOptions::default().base(folder.join("base-oci"));
    let found = triage(&opened, &options).unwrap().findings;
    planted(&found, "setuid-or-setgid-file", "/data/will-chmod", Severity::High);
    planted(&found, "account-with-uid-0", "/etc/passwd", Severity::High);
}

#[test]
fn the_orphan_that_the_dump_missed() {
    let Some(folder) = archives("the_orphan_that_the_dump_missed") else { return };
    let found = read(&folder.join("k3-containerd-looper/checkpoint.tar"));
    let one = found.iter().find(|one| one.rule.id == "process-missed-by-dump");
    let one = one.expect("the orphan");
    assert!(one.title.contains("sleep"), "{}", one.title);
    assert!(
        one.evidence[0].member.as_deref() == Some("dump.log") && one.evidence[0].offset.is_some()
    );
}

#[test]
fn nothing_loud_where_nobody_did_anything() {
    let Some(folder) = archives("nothing_loud_where_nobody_did_anything") else { return };
    let quiet = ["01-", "03-", "05-", "06-", "07", "11-", "k1", "k2", "q"];
    let mut seen = 0;
    let mut cases: Vec<_> =
        std::fs::read_dir(&folder).unwrap().map(|one| one.unwrap().path()).collect();
    cases.sort();
    for case in cases {
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        if !quiet.iter().any(|start| name.starts_with(start)) {
            continue;
        }
        for file in std::fs::read_dir(&case).unwrap() {
            let file = file.unwrap().path();
            if !file.to_string_lossy().contains(".tar") {
                continue;
            }
            seen += 1;
            let found = read(&file);
            let loud: Vec<_> = found.iter().filter(|one| one.severity >= Severity::High).collect();
            assert!(loud.is_empty(), "{}: {loud:#?}", file.display());
        }
    }
    assert!(seen > 20, "{seen} checkpoints");
}
