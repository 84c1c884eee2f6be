//! Real checkpoints: every intrusion that was planted stands high, and honest containers stay quiet. Only where
//! `CKPT_ARCHIVES` names the folder that has them.

use std::path::PathBuf;

use ckpt_analysis::triage::{Finding, Severity, TriageOptions, triage};
use ckpt_model::Checkpoint;

use super::told;

fn archives(test: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("CKPT_ARCHIVES").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("{test}: skipped, CKPT_ARCHIVES is not set");
    }
    folder
}

fn looked(path: &std::path::Path) -> Vec<Finding> {
    let checkpoint = Checkpoint::open(path).expect("a checkpoint");
    triage(&checkpoint, &TriageOptions::default().threads(2)).unwrap().findings
}

/// Id, pid, path (empty: whatever), address (0: whatever).
type Planted = (&'static str, u32, &'static str, u64);

fn stand_high(findings: &[Finding], planted: &[Planted]) {
    for (id, pid, path, address) in planted {
        let there = findings.iter().any(|one| {
            one.rule.id == *id
                && one.pid.is_some_and(|known| known.0 == *pid)
                && (path.is_empty()
                    || one.path.as_ref().is_some_and(|at| at.as_bytes() == path.as_bytes()))
                && (*address == 0 || one.address.is_some_and(|at| at.0 == *address))
                && one.severity >= Severity::High
        });
        assert!(there, "{id} of pid {pid}: {path} {address:#x} among:\n{}", told(findings));
    }
}

#[test]
fn a_web_shop_with_an_intruder() {
    let Some(folder) = archives("a_web_shop_with_an_intruder") else { return };
    let findings = looked(&folder.join("02-shop-web/checkpoint.tar.zst"));
    stand_high(
        &findings,
        &[
            ("interpreter-child-of-service", 3, "/usr/bin/dash", 0),
            ("executable-deleted", 4, "/tmp/.X11-cache/xmrig-proxy", 0),
            ("crypto-miner", 4, "/tmp/.X11-cache/xmrig-proxy", 0),
            ("executable-memfd", 6, "/memfd:systemd-journal", 0),
            ("writable-executable-mapping", 7, "", 0x7fa6_9fcd_f000),
            ("name-poses-as-kernel-thread", 9, "/srv/shop/.stage/implant", 0),
            ("preloaded-library", 11, "/tmp/.lib/libsys.so", 0),
            ("executable-in-odd-place", 12, "/srv/shop/.stage/implant", 0),
            ("shell-on-socket", 13, "/usr/bin/dash", 0),
        ],
    );
    let shell = findings.iter().find(|one| one.rule.id == "shell-on-socket").expect("it is there");
    assert!(shell.title.contains("127.0.0.1:4444"), "{}", shell.title);
    // The service itself is honest.
    let honest =
        |one: &&Finding| one.pid.is_some_and(|pid| pid.0 <= 2) && one.severity >= Severity::High;
    assert_eq!(findings.iter().filter(honest).count(), 0, "{}", told(&findings));
}

#[test]
fn a_ledger_with_an_intruder() {
    let Some(folder) = archives("a_ledger_with_an_intruder") else { return };
    let findings = looked(&folder.join("k4-containerd-py/checkpoint.tar"));
    stand_high(
        &findings,
        &[
            ("executable-deleted", 7, "/var/tmp/.x/dbus-launcher", 0),
            ("executable-memfd", 8, "/memfd:systemd-resolve", 0),
            ("writable-executable-mapping", 9, "", 0x7f21_86f0_d000),
            ("name-poses-as-kernel-thread", 10, "/srv/ledger/.w/implant", 0),
            ("elf-in-anonymous-memory", 11, "", 0x7f0e_869e_a000),
            ("preloaded-library", 12, "/srv/ledger/.w/libhide.so", 0),
        ],
    );
}

#[test]
fn honest_containers() {
    let Some(folder) = archives("honest_containers") else { return };
    let honest = ["01-", "03-", "05-", "06-", "07", "11-", "k1-", "k2-", "q"];
    let mut looked_at = 0;
    for case in std::fs::read_dir(&folder).expect("a folder").map(|case| case.expect("an entry")) {
        let name = case.file_name().into_string().expect("ASCII");
        if !honest.iter().any(|start| name.starts_with(start)) {
            continue;
        }
        let files = std::fs::read_dir(case.path()).expect("a folder");
        for file in files.map(|file| file.expect("an entry").path()) {
            let archive =
                file.file_name().is_some_and(|name| name.to_string_lossy().contains(".tar"));
            if !archive {
                continue;
            }
            let findings = looked(&file);
            let loud: Vec<Finding> =
                findings.into_iter().filter(|one| one.severity >= Severity::High).collect();
            assert!(loud.is_empty(), "{}:\n{}", file.display(), told(&loud));
            looked_at += 1;
        }
    }
    assert!(looked_at > 20, "{looked_at} checkpoints");
}
