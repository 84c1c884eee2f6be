//! `diff`: filters, formats, exit statuses; real checkpoints against the image that they were made from.

use ckpt_synth::{Archive, Dump, Member, Task};
use serde_json::Value;
use tempfile::TempDir;

use crate::world::{archives, run_in};

/// A folder with a podman checkpoint `cp.tar`.
fn folder() -> TempDir {
    let mut dump = Dump::new();
    dump.task(Task::new(1, 0).comm("sh"));
    let mut diff = Archive::new();
    diff.push(Member::file("usr/bin/su2", b"\x7fELF").mode(0o4755))
        .member("tmp/x\x1b[31m", b"#!/bin/sh\n")
        .member("etc/note", b"text")
        .symlink("etc/mtab", "/proc/mounts");
    let mut archive = Archive::podman(&dump);
    archive.replace("rootfs-diff.tar", diff.tar());
    let folder = TempDir::new().expect("a folder");
    std::fs::write(folder.path().join("cp.tar"), archive.tar()).expect("an archive");
    folder
}

fn paths(document: &Value) -> Vec<&str> {
    let changes = document["changes"].as_array().expect("changes");
    changes.iter().map(|change| change["path"].as_str().expect("a path")).collect()
}

#[test]
fn for_people() {
    let folder = folder();
    let ran = run_in(folder.path(), &["diff", "cp.tar"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(!ran.stdout.contains('\u{1b}'));
    for words in [
        "CHANGE   TYPE",
        "/usr/bin/su2 [ELF] [setuid]",
        "/tmp/x\\x1b[31m [script]",
        "/etc/mtab -> /proc/mounts [made by the engine]",
        "deleted  -",
        "4 written, 1 deleted; 1 of them made by the engine",
        "gap: podman leaves modified files of the image out",
    ] {
        assert!(ran.stdout.contains(words), "no {words:?} in {}", ran.stdout);
    }
}

#[test]
fn filters() {
    let folder = folder();
    let shown = |args: &[&str]| {
        let all = [&["diff", "cp.tar", "--format", "json"], args].concat();
        let document = run_in(folder.path(), &all).json();
        paths(&document).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(shown(&["--only", "deleted"]), ["/etc/motd"]);
    assert_eq!(shown(&["--exec"]), ["/tmp/x\u{1b}[31m", "/usr/bin/su2"]);
    assert_eq!(shown(&["--setuid"]), ["/usr/bin/su2"]);
    assert_eq!(shown(&["--path", "/etc/*", "--only", "added"]), ["/etc/mtab", "/etc/note"]);
    assert_eq!(shown(&["--newer", "2100-01-01"]), [""; 0]);
    assert_eq!(shown(&["--newer", "1970-01-01T00:00:00Z", "--path", "note"]), ["/etc/note"]);
}

#[test]
fn exit_statuses_and_refusals() {
    let folder = folder();
    let status = |args: &[&str]| run_in(folder.path(), &[&["diff"], args].concat()).status;
    assert_eq!(status(&["cp.tar"]), 0);
    assert_eq!(status(&["--exit-code", "cp.tar"]), 1);
    // What the engine made is no finding.
    assert_eq!(status(&["--exit-code", "--path", "mtab", "cp.tar"]), 0);
    assert_eq!(status(&["--path", "[a", "cp.tar"]), 2);
    assert_eq!(status(&["--newer", "yesterday", "cp.tar"]), 2);
    let base = run_in(folder.path(), &["diff", "--base", "cp.tar", "cp.tar"]);
    assert_eq!(base.status, 2);
    assert!(base.stderr.contains("cp.tar is no image but a tar"), "{}", base.stderr);
}

#[test]
fn a_line_of_json_is_a_change() {
    let folder = folder();
    let ran = run_in(folder.path(), &["diff", "cp.tar", "--format", "jsonl", "--setuid"]);
    let change: Value = serde_json::from_str(&ran.stdout).expect("one line");
    assert_eq!(change["change"], "written");
    assert_eq!(change["type"], "file");
    assert_eq!(change["mode"], "4755");
    assert_eq!((&change["uid"], &change["size"]), (&Value::from(0), &Value::from(4)));
    assert_eq!(change["executable"], "elf");
    assert_eq!(change["target"], Value::Null);
}

#[test]
fn a_real_container_against_its_image() {
    let Some(archives) = archives("a_real_container_against_its_image") else { return };
    let case = archives.join("08-evolve");
    let args = ["diff", "checkpoint-2.tar.zst", "--base", "base-oci", "--format", "json"];
    let document = run_in(&case, &args).json();
    assert_eq!(document["base"]["is_the_containers"], true);
    let kinds: Vec<(&str, &str)> = document["changes"]
        .as_array()
        .expect("changes")
        .iter()
        .map(|change| {
            (change["change"].as_str().expect("a kind"), change["path"].as_str().expect("a path"))
        })
        .collect();
    assert_eq!(
        kinds,
        [
            ("added", "/data/app.log"),
            ("added", "/data/brand-new"),
            ("added", "/data/will-change"),
            ("added", "/data/will-chmod"),
            ("deleted", "/etc/issue"),
            ("modified", "/etc/passwd"),
        ]
    );
    let passwd = &document["changes"][5];
    assert!(passwd["what"].as_array().expect("what").contains(&Value::from("content")));
    assert_eq!(passwd["before"]["size"], 30);
    assert_eq!(document["changes"][3]["mode"], "4755");
}

#[test]
fn real_layers_of_containerd() {
    let Some(archives) = archives("real_layers_of_containerd") else { return };
    let redis = run_in(
        &archives.join("22-containerd-redis"),
        &["diff", "checkpoint.tar", "--format", "json"],
    );
    let redis = redis.json();
    assert_eq!(paths(&redis), ["/etc", "/etc/hostname", "/etc/hosts", "/etc/resolv.conf"]);
    assert_eq!(redis["summary"]["noise"], 4);
    assert_eq!(redis["gaps"], Value::Array(Vec::new()));
    let looper = run_in(
        &archives.join("k3-containerd-looper"),
        &["diff", "checkpoint.tar", "--format", "json"],
    );
    let looper = looper.json();
    let changes = looper["changes"].as_array().expect("changes");
    let deleted: Vec<_> = changes.iter().filter(|change| change["change"] == "deleted").collect();
    assert_eq!(deleted.len(), 1);
    assert_eq!(deleted[0]["path"], "/etc/motd");
    assert_eq!(deleted[0]["source"], "rootfs-diff");
}

#[test]
fn a_real_volume() {
    let Some(archives) = archives("a_real_volume") else { return };
    let case = archives.join("07d-volume");
    let document = run_in(&case, &["diff", "checkpoint.tar.zst", "--format", "json"]).json();
    assert_eq!(paths(&document), ["/data", "/data/kept", "/etc/passwd", "/ro"]);
    assert_eq!(document["changes"][1]["volume"], "lab-vari-vol");
    assert_eq!(document["changes"][1]["source"], "volume");
}
