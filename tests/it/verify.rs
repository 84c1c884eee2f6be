//! `verify`: the verdict on synthetic and real evidence; custody manifests made, checked, refused.

use std::path::Path;
use std::process::Stdio;

use ckpt_synth::{Archive, Dump, Member, stories};
use serde_json::Value;
use tempfile::TempDir;

use crate::world::{Ran, archives, checkpoints, fixtures, run_in, run_with};

/// A folder with `checkpoint.tar`.
fn folder(archive: &Archive) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    std::fs::write(folder.path().join("checkpoint.tar"), archive.tar()).expect("written");
    folder
}

fn sealed(folder: &Path, evidence: &str, more: &[&str]) -> Ran {
    let args = ["verify", evidence, "--manifest", "manifest.json"];
    let ran = run_in(folder, &[&args[..], more].concat());
    assert!(matches!(ran.status, 0 | 3), "{}", ran.transcript());
    ran
}

fn checked(folder: &Path, evidence: &str) -> Ran {
    run_in(folder, &["verify", evidence, "--check", "manifest.json"])
}

#[test]
fn bundled_checkpoints() {
    for (name, file) in [
        ("looper", "looper-criu-4.2.tar.zst"),
        ("stale", "evolve-with-stale-images.tar.zst"),
        ("aborted", "runc-aborted.tar.zst"),
        ("orphan", "containerd-orphan.tar.zst"),
    ] {
        let ran = run_in(&fixtures(), &["verify", file]);
        insta::assert_snapshot!(format!("real-{name}"), ran.transcript());
    }
    let json = ["verify", "--format", "json", "evolve-with-stale-images.tar.zst"];
    insta::assert_snapshot!("real-stale-json", run_in(&fixtures(), &json).transcript());
}

#[test]
fn the_names_that_programs_rely_on() {
    let folder = folder(&stories::stale_images());
    let ran = run_in(folder.path(), &["verify", "checkpoint.tar", "--format", "json"]);
    assert_eq!(ran.status, 3, "{}", ran.transcript());
    let document = ran.json();
    assert_eq!(document["schema"], "ckpt-inspect/verify/1");
    let checks = document["checks"].as_array().expect("checks");
    let check =
        |id: &str| checks.iter().find(|check| check["id"] == id).expect("the check").clone();
    assert_eq!(check("threads")["result"], "failed");
    assert_eq!(check("threads")["effect"], "remark");
    assert_eq!(check("threads")["code"], "C13");
    assert_eq!(check("threads")["place"], "checkpoint/core-2.img");
    assert_eq!(check("parent-dumps")["result"], "not-applicable");
    assert_eq!(check("processes-missed")["result"], "not-checkable");
    assert_eq!(check("pages-stored")["result"], "passed");
    assert!(check("pages-stored")["expected"].is_string());
    assert!(document["never_captured"].as_array().is_some_and(|all| !all.is_empty()));
    assert!(document["members"]["parsed"].as_u64().is_some_and(|parsed| parsed > 10));
    assert_eq!(document["members"]["stale"].as_array().map(Vec::len), Some(5));
    let lines = run_in(folder.path(), &["verify", "checkpoint.tar", "--format", "jsonl"]);
    assert_eq!(lines.stdout.lines().count(), checks.len());
}

#[test]
fn manifests_are_made_and_proved() {
    let folder = folder(&Archive::podman(&stories::looper()));
    let note = ["--operator", "A. Analyst", "--note", "from \u{1b}[31mnode-3"];
    let ran = sealed(folder.path(), "checkpoint.tar", &note);
    assert_eq!(ran.status, 0, "{}", ran.transcript());
    assert!(!ran.stdout.contains('\u{1b}'), "{}", ran.stdout);
    let json = std::fs::read(folder.path().join("manifest.json")).expect("the manifest");
    let manifest: Value = serde_json::from_slice(&json).expect("JSON");
    assert_eq!(manifest["schema"], "ckpt-inspect/custody/1");
    assert_eq!(manifest["operator"], "A. Analyst");
    assert_eq!(manifest["evidence"]["path"], "checkpoint.tar");
    assert_eq!(manifest["evidence"]["kind"], "tar");
    let tar = std::fs::metadata(folder.path().join("checkpoint.tar")).expect("the archive");
    assert_eq!(manifest["evidence"]["size"], tar.len());
    assert!(manifest["tool"].as_str().is_some_and(|tool| tool.starts_with("ckpt-inspect ")));
    let same = checked(folder.path(), "checkpoint.tar");
    assert_eq!(same.status, 0, "{}", same.transcript());
    assert!(same.stdout.starts_with("checkpoint.tar (tar): the same\n"), "{}", same.stdout);

    // From standard input, and packed again: the members are the same, the archive is not.
    let file = std::fs::File::open(folder.path().join("checkpoint.tar")).expect("the archive");
    let args = ["verify", "-", "--check", "manifest.json"];
    assert_eq!(run_with(folder.path(), &args, Stdio::from(file)).status, 0);
    let packed = Archive::podman(&stories::looper()).tar_zst();
    std::fs::write(folder.path().join("checkpoint.tar.zst"), packed).expect("written");
    let ran = checked(folder.path(), "checkpoint.tar.zst");
    assert_eq!(ran.status, 3, "{}", ran.transcript());
    assert!(ran.stdout.contains("the archive was packed again"), "{}", ran.stdout);
}

#[test]
fn what_differs_is_named() {
    let mut archive = Archive::podman(&stories::looper());
    archive.member("first", b"one").member("moved", b"the same bytes").member("gone", b"");
    let folder = folder(&archive);
    sealed(folder.path(), "checkpoint.tar", &[]);
    archive
        .replace("first", b"two")
        .without("moved")
        .without("gone")
        .push(Member::file(&b"there\x1b\xff"[..], b"the same bytes"))
        .member("new", b"new")
        .trailing(b"behind the end");
    std::fs::write(folder.path().join("checkpoint.tar"), archive.tar()).expect("written");
    let ran = checked(folder.path(), "checkpoint.tar");
    assert_eq!(ran.status, 3);
    let differences: Vec<&str> =
        ran.stdout.lines().skip_while(|l| !l.contains("are the same")).collect();
    let text = differences.join("\n");
    for line in [
        "evidence  sha256: ",
        "changed   first\n          sha256: ",
        "removed   gone (file, 0 bytes)",
        "renamed   moved -> there\\x1b\\xff",
        "added     new (file, 3 bytes)",
    ] {
        assert!(text.contains(line), "no {line:?} in {text}");
    }
    let args = ["verify", "checkpoint.tar", "--check", "manifest.json", "--format", "json"];
    let document = run_in(folder.path(), &args).json();
    assert_eq!(document["schema"], "ckpt-inspect/custody-check/1");
    assert_eq!((&document["same"], &document["repacked"]), (&false.into(), &false.into()));
    let differences = document["differences"].as_array().expect("differences");
    let renamed = differences.iter().find(|one| one["change"] == "renamed").expect("one");
    assert_eq!(
        (&renamed["path"], &renamed["to_base64"]),
        (&"moved".into(), &"dGhlcmUb/w==".into())
    );
    assert_eq!(document["defects"][0]["what"].as_str().map(|w| w.contains("follow")), Some(true));
}

#[test]
fn nothing_is_written_over_or_into_the_evidence() {
    let folder = folder(&Archive::podman(&stories::looper()));
    let before = std::fs::read(folder.path().join("checkpoint.tar")).expect("the archive");
    std::fs::write(folder.path().join("m.json"), "of yesterday").expect("written");
    for (manifest, why) in [
        ("checkpoint.tar", "nothing is ever written over it"),
        ("m.json", "a manifest is never written over"),
        ("-", "a manifest needs a file"),
    ] {
        let ran = run_in(folder.path(), &["verify", "checkpoint.tar", "--manifest", manifest]);
        assert_eq!(ran.status, 2);
        assert!(ran.stderr.contains(why), "{}", ran.stderr);
    }
    let old = std::fs::read(folder.path().join("m.json")).expect("it");
    assert_eq!(old, b"of yesterday");
    assert_eq!(std::fs::read(folder.path().join("checkpoint.tar")).expect("it"), before);

    let unpacked = TempDir::new().expect("a folder");
    let images = unpacked.path().join("evidence");
    std::fs::create_dir(&images).expect("a folder");
    Archive::podman(&stories::looper()).write_to(&images).expect("unpacked");
    for inside in ["evidence/m.json", "evidence/checkpoint/m.json"] {
        let ran = run_in(unpacked.path(), &["verify", "evidence", "--manifest", inside]);
        assert_eq!(ran.status, 2, "{}", ran.transcript());
        assert!(ran.stderr.contains("lies in the evidence"), "{}", ran.stderr);
        assert!(!unpacked.path().join(inside).exists());
    }
    let ran = sealed(unpacked.path(), "evidence", &[]);
    assert!(ran.stdout.contains("(directory)"), "{}", ran.stdout);
    assert_eq!(checked(unpacked.path(), "evidence").status, 0);
    std::fs::write(images.join("config.dump"), b"{}").expect("written");
    let ran = checked(unpacked.path(), "evidence");
    assert_eq!(ran.status, 3);
    assert!(ran.stdout.contains("changed   config.dump\n          size: "), "{}", ran.stdout);
    // Of evidence that cannot be opened there is no half manifest.
    let ran = run_in(unpacked.path(), &["verify", "missing.tar", "--manifest", "half.json"]);
    assert_eq!(ran.status, 2);
    let names: Vec<_> = std::fs::read_dir(unpacked.path())
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert_eq!(names.len(), 2, "{names:?}");
}

#[test]
fn the_time_can_be_given_and_the_same_evidence_gives_the_same_bytes() {
    let folder = folder(&Archive::podman(&Dump::new()));
    let make = |name: &str, time: &str| {
        let ran = std::process::Command::new(env!("CARGO_BIN_EXE_ckpt-inspect"))
            .args(["verify", "checkpoint.tar", "--manifest", name])
            .env("SOURCE_DATE_EPOCH", time)
            .current_dir(folder.path())
            .output()
            .expect("the program runs");
        (ran.status.code(), std::fs::read(folder.path().join(name)).unwrap_or_default())
    };
    let (status, first) = make("a.json", "1795000000");
    assert_eq!(status, Some(0));
    assert!(String::from_utf8_lossy(&first).contains("\"made\": \"2026-11-18T11:06:40Z\""));
    assert_eq!(make("b.json", "1795000000").1, first);
    assert_eq!(make("c.json", "yesterday"), (Some(2), Vec::new()));
}

#[test]
fn hostile_manifests_are_errors_with_a_place() {
    let folder = folder(&Archive::podman(&stories::looper()));
    sealed(folder.path(), "checkpoint.tar", &[]);
    let path = folder.path().join("manifest.json");
    let good = std::fs::read_to_string(&path).expect("the manifest");
    for (bad, words) in [
        (String::new(), "EOF while parsing a value at line 1 column 0"),
        ("[1, 2]".to_owned(), "not a custody manifest"),
        (good.replacen("custody/1", "custody/2", 1), "the schema is `ckpt-inspect/custody/2`"),
        (good.replacen("\"mode\": \"", "\"mode\": \"9", 1), "members[0].mode: not an octal number"),
        (good.replacen("\"uid\": 0", "\"uid\": 3", 1), "changed after it was made"),
        ("[".repeat(100_000), "not a custody manifest"),
    ] {
        std::fs::write(&path, bad).expect("written");
        let ran = checked(folder.path(), "checkpoint.tar");
        assert_eq!(ran.status, 2, "{}", ran.transcript());
        assert!(ran.stderr.contains(words), "no {words:?} in {}", ran.stderr);
    }
    let both = ["verify", "checkpoint.tar", "--check", "a", "--manifest", "b"];
    assert_eq!(run_in(folder.path(), &both).status, 2);
}

/// Honest dumps are whole; what is not is what their README tells.
#[test]
fn real_checkpoints_are_what_they_are_known_to_be() {
    let Some(folder) = archives("real_checkpoints_are_what_they_are_known_to_be") else { return };
    for evidence in checkpoints(&folder) {
        let mut args = vec!["verify", &evidence, "--format", "json"];
        let parent = evidence.replace("final.tar", "pre.tar");
        if parent != evidence {
            args.extend(["--parent", &parent]);
        }
        let ran = run_in(&folder, &args);
        let document = ran.json();
        let checks = document["checks"].as_array().expect("checks").iter();
        let failed: Vec<&str> = checks
            .filter(|check| check["result"] == "failed")
            .filter_map(|check| check["id"].as_str())
            .collect();
        let case = evidence.split('/').next().unwrap_or_default();
        let known: &[&str] = match (case, evidence.as_str()) {
            (_, "08-evolve/checkpoint-2.tar.zst") => &["threads", "stale-images", "readable"],
            ("25-runc-aborted", _) => &["dump-finished", "dump-log", "readable"],
            ("26-crio-trailing", _) => &["archive-structure"],
            (_, "40-hostile/broken-environ.tar") => &["command-line"],
            (_, "40-hostile/orphan.tar" | "40-hostile/two-roots.tar") => &["process-tree"],
            (_, "40-hostile/traversal.tar") => &["dump-finished", "archive-structure", "readable"],
            // A UDP socket with datagrams that CRIU drops.
            ("k2-crio-ks", _) => &["dump-log"],
            ("k3-containerd-looper", _) => &["processes-missed"],
            _ if evidence.contains("/pre.tar") => &["dump-finished", "readable"],
            _ => &[],
        };
        assert_eq!(failed, known, "{evidence}");
        assert_eq!(ran.status, if known.is_empty() { 0 } else { 3 }, "{evidence}");
    }
}

/// A manifest of every real checkpoint proves it again.
#[test]
fn real_checkpoints_are_sealed_and_proved() {
    let Some(folder) = archives("real_checkpoints_are_sealed_and_proved") else { return };
    let out = TempDir::new().expect("a folder");
    for evidence in checkpoints(&folder) {
        let path = out.path().join(evidence.replace('/', "-"));
        let path = path.to_str().expect("UTF-8");
        let ran = run_in(&folder, &["verify", &evidence, "--manifest", path]);
        assert!(matches!(ran.status, 0 | 3), "{}", ran.transcript());
        let ran = run_in(&folder, &["verify", &evidence, "--check", path]);
        assert_eq!(ran.status, 0, "{}", ran.transcript());
    }
}
