//! `report`: the page as a file, its errors, its limits. What is in the page is tested where it is made, and in a browser.

use std::path::Path;
use std::process::{Command, Stdio};

use ckpt_synth::{Archive, stories};
use tempfile::TempDir;

use crate::world::{archives, checkpoints, run_in, run_with};

/// A folder with `cp.tar`.
fn folder(archive: &Archive) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    std::fs::write(folder.path().join("cp.tar"), archive.tar()).expect("written");
    folder
}

fn written(folder: &Path, args: &[&str]) -> (Option<i32>, String) {
    let ran = Command::new(env!("CARGO_BIN_EXE_ckpt-inspect"))
        .args([&["report", "cp.tar", "-o", "report.html"], args].concat())
        .env("SOURCE_DATE_EPOCH", "1795400000")
        .current_dir(folder)
        .output()
        .expect("the program runs");
    let page = std::fs::read_to_string(folder.join("report.html")).unwrap_or_default();
    (ran.status.code(), page)
}

#[test]
fn a_page_is_one_file_with_everything() {
    let folder = folder(&Archive::podman(&stories::looper()));
    let (status, page) = written(folder.path(), &["--case", "7", "--note", "it's"]);
    assert_eq!(status, Some(0));
    assert!(page.starts_with("<!doctype html>\n<html lang=\"en\">"));
    assert!(page.trim_end().ends_with("</html>"));
    for section in [
        "summary",
        "findings",
        "processes",
        "sockets",
        "memory",
        "changes",
        "timeline",
        "artifacts",
        "defects",
        "verification",
        "made",
    ] {
        assert!(page.contains(&format!("<section id=\"{section}\"")), "no {section}");
    }
    for words in [
        "2026-11-23T02:13:20Z",
        "ckpt-inspect report cp.tar -o report.html --case 7 --note &#x27;it&#x27;\\&#x27;&#x27;s&#x27;",
        "· case 7",
        "while :; do sleep 1; done",
    ] {
        assert!(page.contains(words), "no {words}");
    }
    // Not the token of the shell, which its environment and its memory have.
    assert!(!page.contains("tok-3f9a-looper"));
    let (_, again) = written(folder.path(), &["--case", "7", "--note", "it's"]);
    assert_eq!(again, page, "the same evidence gives the same bytes");
    let (_, revealed) = written(folder.path(), &["--reveal"]);
    assert!(revealed.contains("tok-3f9a-looper"));
}

#[test]
fn the_hashes_are_those_of_the_bytes() {
    let folder = folder(&Archive::podman(&stories::looper()));
    let args = ["verify", "cp.tar", "--manifest", "manifest.json"];
    assert_eq!(run_in(folder.path(), &args).status, 0);
    let manifest = std::fs::read(folder.path().join("manifest.json")).expect("a manifest");
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).expect("JSON");
    let hash = manifest["evidence"]["sha256"].as_str().expect("a hash");
    let listed = run_in(folder.path(), &["extract", "cp.tar", "--format", "json"]).json();
    let artifacts = listed["artifacts"].as_array().expect("artifacts");
    let (_, page) = written(folder.path(), &[]);
    let (_, unhashed) = written(folder.path(), &["--no-hash"]);
    assert!(page.contains(hash) && !unhashed.contains(hash));
    assert!(!artifacts.is_empty());
    for artifact in artifacts {
        let hash = artifact["sha256"].as_str().expect("a hash");
        assert!(page.contains(hash) && !unhashed.contains(hash), "{artifact}");
    }
    assert!(unhashed.contains("not asked for") && unhashed.contains("not hashed"));
}

#[test]
fn standard_input_and_output() {
    let folder = folder(&Archive::podman(&stories::looper()));
    let evidence = std::fs::File::open(folder.path().join("cp.tar")).expect("the archive");
    let ran = run_with(folder.path(), &["report", "-"], Stdio::from(evidence));
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("it came from standard input"));
}

#[test]
fn errors_leave_no_page() {
    let folder = folder(&Archive::podman(&stories::looper()));
    std::fs::write(folder.path().join("no.tar"), b"no tar").expect("written");
    let images = folder.path().join("evidence");
    std::fs::create_dir(&images).expect("a folder");
    Archive::podman(&stories::looper()).write_to(&images).expect("unpacked");
    let mut transcripts = String::new();
    for args in [
        &["report"][..],
        &["report", "no.tar", "-o", "report.html"],
        &["report", "missing.tar", "-o", "report.html"],
        &["report", "evidence", "-o", "evidence/report.html"],
        &["report", "cp.tar", "--base", "no.tar", "-o", "report.html"],
    ] {
        let ran = run_in(folder.path(), args);
        transcripts.push_str(&format!("$ ckpt-inspect {}\n{}\n", args.join(" "), ran.transcript()));
        assert_eq!(ran.status, 2, "{}", ran.transcript());
    }
    insta::assert_snapshot!("report-errors", transcripts);
    let ran = run_in(folder.path(), &["report", "cp.tar", "-o", "nowhere/report.html"]);
    assert_eq!(ran.status, 2);
    assert!(ran.stderr.contains("cannot write in nowhere"), "{}", ran.stderr);
    assert!(!folder.path().join("report.html").exists());
    assert!(!images.join("report.html").exists());
}

#[test]
fn every_real_checkpoint_has_a_page() {
    let Some(folder) = archives("every_real_checkpoint_has_a_page") else { return };
    for evidence in checkpoints(&folder) {
        let ran = run_in(&folder, &["report", &evidence, "--no-hash"]);
        assert!(matches!(ran.status, 0 | 2 | 3), "{evidence}: {}", ran.stderr);
        if ran.status != 2 {
            let whole = ran.stdout.trim_end().ends_with("</html>");
            assert!(whole && ran.stdout.len() < 8 << 20, "{evidence}: {}", ran.stdout.len());
        }
    }
}
