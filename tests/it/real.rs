//! Real checkpoints: the bundled ones, and all others when `CKPT_ARCHIVES` names them.

use crate::world::{archives, checkpoints, fixtures, run_in};

#[test]
fn bundled_checkpoints() {
    let folder = fixtures();
    for (name, file) in [
        ("looper-4.2", "looper-criu-4.2.tar.zst"),
        ("looper-3.17", "looper-criu-3.17.tar.zst"),
        ("looper-aarch64", "looper-aarch64.tar.zst"),
        ("looper-aarch64-16k", "looper-aarch64-16k.tar.zst"),
        ("stale", "evolve-with-stale-images.tar.zst"),
        ("aborted", "runc-aborted.tar.zst"),
        ("orphan", "containerd-orphan.tar.zst"),
    ] {
        insta::assert_snapshot!(
            format!("{name}-info"),
            run_in(&folder, &["info", file]).transcript()
        );
        insta::assert_snapshot!(
            format!("{name}-tree"),
            run_in(&folder, &["tree", file]).transcript()
        );
    }
    let everything = ["tree", "--env", "--threads", "--creds", "--ns", "looper-criu-4.2.tar.zst"];
    insta::assert_snapshot!(
        "looper-4.2-tree-everything",
        run_in(&folder, &everything).transcript()
    );
    let json = ["tree", "--format", "json", "evolve-with-stale-images.tar.zst"];
    insta::assert_snapshot!("stale-tree-json", run_in(&folder, &json).transcript());
    let json = ["info", "--format", "json", "containerd-orphan.tar.zst"];
    insta::assert_snapshot!("orphan-info-json", run_in(&folder, &json).transcript());
    insta::assert_snapshot!("list", run_in(&folder, &["list", "."]).transcript());
    for image in [
        "inventory.img",
        "pstree.img",
        "core-2.img",
        "mm-2.img",
        "pagemap-2.img",
        "files.img",
        "stats-dump",
        "ifaddr-10.img",
        "rule-10.img",
        "nftables-10.img",
    ] {
        let ran = run_in(&folder, &["show", "looper-criu-4.2.tar.zst", image]);
        insta::assert_snapshot!(format!("show-{image}"), ran.transcript());
    }
    let json = ["show", "--format", "json", "looper-criu-4.2.tar.zst", "checkpoint/fs-1.img"];
    insta::assert_snapshot!("show-json", run_in(&folder, &json).transcript());
}

#[test]
fn all_checkpoints() {
    let Some(folder) = archives("all_checkpoints") else { return };
    for evidence in checkpoints(&folder) {
        let name = evidence.replace('/', "-");
        for command in ["info", "tree"] {
            let mut args = vec![command, evidence.as_str()];
            let parent = evidence.replace("final.tar", "pre.tar");
            if parent != evidence {
                args.extend(["--parent", &parent]);
            }
            let ran = run_in(&folder, &args);
            assert!(matches!(ran.status, 0 | 2 | 3), "{evidence}: {}", ran.transcript());
            let name = format!("all-{command}-{name}");
            if is_recorded(&name) {
                insta::assert_snapshot!(name, ran.transcript());
            } else {
                eprintln!(
                    "{evidence}: no snapshot of `{command}`; INSTA_UPDATE=always records one"
                );
            }
        }
    }
}

/// Whether there is a snapshot to hold a checkpoint against: the folder of archives may know more cases than this tree.
fn is_recorded(name: &str) -> bool {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/snapshots");
    let recording = std::env::var_os("INSTA_UPDATE").is_some_and(|mode| mode == "always");
    recording || folder.join(format!("it__real__{name}.snap")).is_file()
}

/// The three forms of one workload say the same of it, whatever their compression.
#[test]
fn compression_changes_nothing() {
    let Some(folder) = archives("compression_changes_nothing") else { return };
    for ending in ["tar", "tar.gz", "tar.zst"] {
        let evidence = format!("06-compress-tri/checkpoint.{ending}");
        let tree = run_in(&folder, &["tree", &evidence, "--format", "json"]).json();
        let argv: Vec<_> =
            tree["processes"].as_array().expect("processes").iter().map(|p| &p["argv"]).collect();
        assert_eq!(argv.len(), 2, "{ending}");
        assert_eq!(tree["defects"], serde_json::json!([]), "{ending}");
    }
}

/// `ks` sends itself SIGUSR1 and twice SIGRTMIN+3 with values that follow one another, all blocked.
#[test]
fn pending_signals_carry_their_values() {
    let Some(folder) = archives("pending_signals_carry_their_values") else { return };
    let tree =
        run_in(&folder, &["tree", "04-kitchen-sink/checkpoint.tar.zst", "--format", "json"]).json();
    let pending = tree["processes"][0]["pending"].as_array().expect("signals").clone();
    let signals: Vec<_> = pending.iter().map(|signal| signal["signo"].as_u64()).collect();
    assert_eq!(signals, [Some(10), Some(37), Some(37)]);
    assert_eq!(pending[0]["code_name"], "SI_USER");
    assert_eq!(pending[1]["code_name"], "SI_QUEUE");
    assert_eq!(pending[1]["value"].as_u64().map(|value| value & 0xffff_ffff), Some(4242 + 17));
    assert_eq!(pending[2]["value"].as_u64().map(|value| value & 0xffff_ffff), Some(4243 + 17));
    assert!(pending.iter().all(|signal| signal["pid"] == 1));
}
