//! Evidence that an attacker made: it is answered, told, and nothing of it reaches the disk or the terminal.

use std::path::Path;

use ckpt_synth::{Archive, stories};

use crate::world::{archives, fixtures, run_in, run_with};

/// Everything in a folder, with sizes.
fn listing(folder: &Path) -> Vec<(String, u64)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let metadata = entry.metadata().expect("metadata");
        if metadata.is_dir() {
            all.extend(listing(&entry.path()));
        } else {
            all.push((entry.path().to_string_lossy().into_owned(), metadata.len()));
        }
    }
    all.sort();
    all
}

fn assert_answered(name: &str, folder: &Path, evidence: &str) {
    for command in ["info", "tree"] {
        for format in ["table", "json"] {
            let ran = run_in(folder, &[command, evidence, "--format", format]);
            assert!(matches!(ran.status, 0 | 2 | 3), "{name}: {command}: {}", ran.transcript());
            let printed = ran.stdout.chars().chain(ran.stderr.chars());
            let control: Vec<char> = printed.filter(|c| c.is_control() && *c != '\n').collect();
            assert_eq!(control, Vec::<char>::new(), "{name}: {command} --format {format}");
        }
    }
}

#[test]
fn every_story_is_answered_and_nothing_is_written() {
    for (name, archive) in stories::all() {
        let outer = tempfile::tempdir().expect("a folder");
        let folder = outer.path().join("a/b/c");
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join("evidence"), archive.tar()).expect("written");
        let before = listing(outer.path());
        assert_answered(name, &folder, "evidence");
        assert_eq!(listing(outer.path()), before, "{name}");
    }
}

#[test]
fn the_hostile_cases() {
    let Some(folder) = archives("the_hostile_cases") else { return };
    for case in ["broken-environ", "orphan", "traversal", "two-roots"] {
        let evidence = format!("40-hostile/{case}.tar");
        assert_answered(case, &folder, &evidence);
    }
    let traversal = run_in(&folder, &["info", "40-hostile/traversal.tar"]);
    assert!(traversal.stderr.contains("name with a .. component"), "{}", traversal.stderr);
    let orphan = run_in(&folder, &["tree", "40-hostile/orphan.tar", "--format", "json"]).json();
    assert_eq!(orphan["processes"].as_array().map(Vec::len), Some(2));
    let roots = run_in(&folder, &["tree", "40-hostile/two-roots.tar", "--format", "json"]).json();
    assert_eq!(roots["processes"].as_array().map(Vec::len), Some(2));
}

#[test]
fn cut_at_every_4_kib() {
    let whole = Archive::podman(&stories::looper()).tar();
    let folder = tempfile::tempdir().expect("a folder");
    for len in (0..whole.len()).step_by(4096) {
        std::fs::write(folder.path().join("cut.tar"), &whole[..len]).expect("written");
        let ran = run_in(folder.path(), &["tree", "cut.tar", "--format", "json"]);
        assert!(matches!(ran.status, 2 | 3), "cut at {len}: {}", ran.transcript());
        if ran.status == 3 {
            assert!(!ran.json()["defects"].as_array().expect("defects").is_empty());
        }
    }
}

#[test]
fn compressed_evidence_that_is_cut_is_served_as_far_as_it_goes() {
    let whole = std::fs::read(fixtures().join("looper-criu-4.2.tar.zst")).expect("the fixture");
    let folder = tempfile::tempdir().expect("a folder");
    for len in (0..whole.len()).step_by(4096) {
        std::fs::write(folder.path().join("cut.zst"), &whole[..len]).expect("written");
        let ran = run_in(folder.path(), &["tree", "cut.zst"]);
        assert!(matches!(ran.status, 2 | 3), "cut at {len}: {}", ran.transcript());
    }
}

#[test]
fn a_spool_that_cannot_be_used_is_a_clear_error() {
    let ran = run_in(&fixtures(), &["tree", "looper-criu-4.2.tar.zst", "--spool", "/nonexistent"]);
    assert_eq!(ran.status, 2);
    assert!(ran.stderr.contains("/nonexistent"), "{}", ran.stderr);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let binary = env!("CARGO_BIN_EXE_ckpt-inspect");
    let script = format!(
        "'{binary}' show looper-criu-4.2.tar.zst seccomp.img | head -n 1; echo \"${{PIPESTATUS[0]}}\""
    );
    let output = std::process::Command::new("bash")
        .args(["-c", &script])
        .current_dir(fixtures())
        .output()
        .expect("bash runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.ends_with("0\n"), "{text} {}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn noise_on_standard_input_is_refused() {
    let noise = tempfile::NamedTempFile::new().expect("a file");
    let bytes: Vec<u8> =
        (0..20_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    std::fs::write(noise.path(), bytes).expect("written");
    let file = std::fs::File::open(noise.path()).expect("the file");
    let ran = run_with(&fixtures(), &["tree", "-"], file.into());
    assert_eq!(ran.status, 2, "{}", ran.transcript());
    assert!(ran.stderr.contains("not a tar archive"), "{}", ran.stderr);
}
