//! `diff A B`: formats, options, exit statuses; real pairs.

use std::path::Path;

use ckpt_synth::{Archive, Container, Dump, File, Member, Task, Vma};
use serde_json::Value;
use tempfile::TempDir;

use crate::world::{archives, fixtures, run_in, run_with};

const AT: u64 = 0x7f00_0000_0000;

fn write(folder: &Path, name: &str, dump: &Dump, files: &[(&str, &str)]) {
    let mut diff = Archive::new();
    for (path, content) in files {
        diff.push(Member::file(*path, content.as_bytes().to_vec()).mtime(1_795_000_000));
    }
    let mut archive = Archive::podman(dump);
    archive.replace("rootfs-diff.tar", diff.tar());
    std::fs::write(folder.join(name), archive.tar()).expect("an archive");
}

fn shell() -> Task {
    Task::new(1, 0).comm("init").argv(&["init"]).fd(3, File::tcp_listen(100, ([0, 0, 0, 0], 80)))
}

/// A folder with two checkpoints, `a.tar` and `b.tar`: between them came what an intruder might bring.
fn folder() -> TempDir {
    let folder = TempDir::new().expect("a folder");
    let mut a = Dump::new();
    a.task(shell())
        .task(
            Task::new(7, 1).comm("worker").argv(&["worker"]).env(&["MODE=quiet"]).fd(
                4,
                File::Reg { path: b"/data/log".to_vec(), flags: 0o101, pos: 20, deleted: None },
            ),
        )
        .task(Task::new(8, 1).comm("job").argv(&["job", "--once"]))
        .task(Task::new(9, 1).comm("helper").argv(&["helper"]));
    write(folder.path(), "a.tar", &a, &[("data/log", "one\n"), ("tmp/lock", "")]);
    let mut b = Dump::new();
    b.task(shell().fd(5, File::tcp_listen(105, ([0, 0, 0, 0], 4444))))
        .task(
            Task::new(7, 1)
                .comm("wor\x1b[31mker")
                .argv(&["worker"])
                .env(&["MODE=loud"])
                .thread(12, "beacon")
                .fd(
                    4,
                    File::Reg { path: b"/data/log".to_vec(), flags: 0o101, pos: 43, deleted: None },
                )
                .map(Vma::anon(AT, 0x2000).prot(7))
                .pages(AT, b"\x90\x90\x90\x90 shellcode".to_vec()),
        )
        .task(Task::new(9, 1).exe("/tmp/x").comm("x").argv(&["x", "--connect", "10.0.0.1"]))
        .task(Task::new(13, 7).comm("nc").argv(&["nc", "-l", "4444"]));
    write(folder.path(), "b.tar", &b, &[("data/log", "one\ntwo\n"), ("tmp/x", "\x7fELF")]);
    folder
}

#[test]
fn for_people() {
    let folder = folder();
    insta::assert_snapshot!(
        "report",
        run_in(folder.path(), &["diff", "a.tar", "b.tar"]).transcript()
    );
    let bytes = ["diff", "--only", "memory", "--bytes=2", "a.tar", "b.tar"];
    insta::assert_snapshot!("bytes", run_in(folder.path(), &bytes).transcript());
    let same = run_in(folder.path(), &["diff", "a.tar", "a.tar"]);
    assert_eq!(same.status, 0, "{}", same.stderr);
    assert!(same.stdout.contains("nothing differs that was compared"), "{}", same.stdout);
    let all = run_in(folder.path(), &["diff", "--unchanged", "a.tar", "a.tar"]);
    for words in ["= 7     worker", "= hostname", "= tcp LISTEN 0.0.0.0:80", "= /data/log"] {
        assert!(all.stdout.contains(words), "no {words:?} in {}", all.stdout);
    }
}

#[test]
fn the_names_that_programs_rely_on() {
    let folder = folder();
    let document = run_in(folder.path(), &["diff", "a.tar", "b.tar", "--format", "json"]).json();
    assert_eq!(document["schema"], "ckpt-inspect/compare/1");
    assert_eq!(document["evidence"]["path"], "a.tar");
    assert_eq!(document["evidence_b"]["path"], "b.tar");
    let list = |key: &str, field: &str| {
        let mut at = &document;
        for part in key.split('.') {
            at = &at[part];
        }
        let all = at.as_array().unwrap_or_else(|| panic!("{key} is no list"));
        all.iter().map(|one| one[field].clone()).collect::<Vec<Value>>()
    };
    assert_eq!(list("processes.started", "pid"), [13]);
    assert_eq!(list("processes.exited", "pid"), [8]);
    assert_eq!(list("processes.changed", "pid"), [7, 9]);
    assert_eq!(list("processes.changed", "identity"), ["same", "execed"]);
    let worker = &document["processes"]["changed"][0];
    assert_eq!(worker["what"], serde_json::json!(["comm", "env", "threads"]));
    assert_eq!(worker["a"], serde_json::json!({"comm": "worker"}));
    assert_eq!(worker["env"]["added"], serde_json::json!(["MODE=loud"]));
    assert_eq!(worker["threads"]["added"][0]["tid"], 12);
    assert_eq!(list("files.opened", "fd"), [5]);
    assert_eq!(list("files.closed", "fd"), [0; 0]);
    let log = &document["files"]["changed"][0];
    assert_eq!((&log["pid"], &log["fd"], &log["what"][0]), (&7.into(), &4.into(), &"pos".into()));
    assert_eq!((&log["a"]["pos"], &log["b"]["pos"]), (&20.into(), &43.into()));
    assert_eq!(list("sockets.added", "local"), ["0.0.0.0:4444"]);
    assert_eq!(list("sockets.removed", "local"), [""; 0]);
    let code = document["memory"].as_array().expect("memory").iter();
    let mut code = code.filter(|one| one["start"] == format!("{AT:#x}"));
    let code = code.next().expect("the new mapping");
    assert_eq!((&code["kind"], &code["perms"]), (&"anon".into(), &"rwxp".into()));
    assert_eq!((&code["pages_added"], &code["pages_changed"]), (&1.into(), &0.into()));
    assert_eq!(document["memory_not_compared"][0]["pid"], 9);
    assert_eq!(list("filesystem", "path"), ["/data/log", "/tmp/lock", "/tmp/x"]);
    assert_eq!(list("filesystem", "change"), ["modified", "deleted", "written"]);
    assert_eq!(document["defects"], serde_json::json!([]));
}

#[test]
fn only_what_is_asked_for() {
    let folder = folder();
    let args = ["diff", "a.tar", "b.tar", "--only", "sockets,container", "--format", "json"];
    let document = run_in(folder.path(), &args).json();
    for key in ["processes", "files", "mounts", "memory", "mappings", "filesystem", "artifacts"] {
        assert_eq!(document[key], Value::Null, "{key}");
    }
    assert!(document["sockets"].is_object() && document["container"].is_object());
    let lines = run_in(folder.path(), &["diff", "a.tar", "b.tar", "--format", "jsonl"]);
    let lists: Vec<String> = lines
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["in"].to_string())
        .collect();
    assert!(lists.contains(&"\"processes.started\"".to_owned()), "{lists:?}");
    assert!(lists.contains(&"\"memory\"".to_owned()), "{lists:?}");
}

#[test]
fn rows_in_json() {
    let folder = folder();
    let args = ["diff", "a.tar", "b.tar", "--only", "memory", "--bytes=1", "--format", "json"];
    let document = run_in(folder.path(), &args).json();
    let all = document["memory"].as_array().expect("memory");
    let code = all.iter().find(|one| one["start"] == format!("{AT:#x}")).expect("the mapping");
    assert_eq!(code["rows"][0]["address"], format!("{AT:#x}"));
    assert_eq!(code["rows"][0]["b"], "90909090207368656c6c636f64650000");
    assert_eq!(code["rows"][0]["why_a"], "unmapped");
}

#[test]
fn exit_statuses_and_refusals() {
    let folder = folder();
    let status = |args: &[&str]| run_in(folder.path(), &[&["diff"], args].concat()).status;
    assert_eq!(status(&["a.tar", "b.tar"]), 0);
    assert_eq!(status(&["--exit-code", "a.tar", "b.tar"]), 1);
    assert_eq!(status(&["--exit-code", "a.tar", "a.tar"]), 0);
    assert_eq!(status(&["--exit-code", "--only", "mounts", "a.tar", "b.tar"]), 0);
    let refused = |args: &[&str], words: &str| {
        let ran = run_in(folder.path(), &[&["diff"], args].concat());
        assert_eq!(ran.status, 2, "{args:?}");
        assert!(ran.stderr.contains(words), "no {words:?} in {}", ran.stderr);
    };
    refused(&["-", "-"], "not both");
    refused(&["--only", "added", "a.tar", "b.tar"], "of two there are container, processes");
    refused(&["--only", "sockets", "a.tar"], "give a second one");
    refused(&["--only", "colour", "a.tar"], "one of added, modified, deleted, written");
    refused(&["--setuid", "a.tar", "b.tar"], "the changes of one checkpoint");
    refused(&["--unchanged", "a.tar"], "EVIDENCE-B");
    refused(&["a.tar", "none.tar"], "none.tar");
    refused(&["--images-b", "nowhere", "a.tar", "b.tar"], "nowhere");
}

#[test]
fn what_was_not_compared_is_told_and_is_no_difference() {
    let folder = TempDir::new().expect("a folder");
    let program = |exe: &str, pages: bool| {
        let mut dump = Dump::new();
        let task = Task::new(7, 1).exe(exe).argv(&[exe]).map(Vma::anon(AT, 0x1000));
        let page = vec![1; 0x1000];
        let task = if pages { task.pages(AT, page) } else { task.pages_elsewhere(AT, 1) };
        dump.task(shell()).task(task);
        dump
    };
    write(folder.path(), "a.tar", &program("/bin/one", true), &[]);
    write(folder.path(), "b.tar", &program("/bin/other", true), &[]);
    write(folder.path(), "c.tar", &program("/bin/one", false), &[]);
    let ran = |other: &str| {
        let args = ["diff", "--exit-code", "--only", "memory", "--match", "pid", "a.tar", other];
        run_in(folder.path(), &args)
    };
    insta::assert_snapshot!("not-compared", ran("b.tar").transcript());
    insta::assert_snapshot!("not-there", ran("c.tar").transcript());
}

#[test]
fn the_moment_always_differs_and_both_forms_have_it() {
    let folder = TempDir::new().expect("a folder");
    let mut dump = Dump::new();
    dump.task(shell());
    let mut archive = Archive::podman(&dump);
    std::fs::write(folder.path().join("a.tar"), archive.tar()).expect("an archive");
    archive.mtime(1_795_100_000);
    std::fs::write(folder.path().join("b.tar"), archive.tar()).expect("an archive");
    let args = ["diff", "--only", "container", "--exit-code", "a.tar", "b.tar"];
    let ran = run_in(folder.path(), &args);
    assert_eq!(ran.status, 0, "{}", ran.transcript());
    assert!(ran.stdout.contains("= checkpointed_at  2026-"), "{}", ran.stdout);
    let document = run_in(folder.path(), &[&args[..], &["--format", "json"]].concat()).json();
    let facts = &document["container"]["changed"];
    assert_eq!(facts.as_array().map(Vec::len), Some(1), "{facts}");
    assert_eq!(facts[0]["what"], "checkpointed_at");
    assert_eq!(facts[0]["noise"], "moment");
}

#[test]
fn empty_strings_of_an_environment_are_counted() {
    let folder = TempDir::new().expect("a folder");
    for (name, env) in [("a.tar", &["A=1"; 1][..]), ("b.tar", &["A=1", "", "", ""])] {
        let mut dump = Dump::new();
        dump.task(shell().env(env));
        write(folder.path(), name, &dump, &[]);
    }
    let ran = run_in(folder.path(), &["diff", "--only", "processes", "a.tar", "b.tar"]);
    let lines = ran.stdout.lines().filter(|line| line.contains(" env ")).collect::<Vec<_>>();
    assert_eq!(lines, ["    + env        3 empty strings"], "{}", ran.stdout);
}

#[test]
fn engines_write_one_fact_in_several_ways() {
    let folder = TempDir::new().expect("a folder");
    let mut dump = Dump::new();
    dump.task(shell());
    std::fs::write(folder.path().join("a.tar"), Archive::crio(&dump).tar()).expect("an archive");
    let other = Archive::containerd(&dump).tar();
    std::fs::write(folder.path().join("b.tar"), other).expect("an archive");
    let args = ["diff", "--only", "container", "a.tar", "b.tar", "--format", "json"];
    let document = run_in(folder.path(), &args).json();
    let changed = document["container"]["changed"].as_array().expect("a list");
    let changed: Vec<&str> = changed.iter().filter_map(|fact| fact["what"].as_str()).collect();
    assert!(changed.contains(&"engine"), "{changed:?}");
    for fact in ["image", "image_id", "runtime"] {
        assert!(!changed.contains(&fact), "{fact}: {document:#}");
    }
}

#[test]
fn one_of_the_two_may_be_standard_input() {
    let folder = folder();
    let stdin = std::fs::File::open(folder.path().join("b.tar")).expect("the archive");
    let ran = run_with(folder.path(), &["diff", "a.tar", "-", "--only", "processes"], stdin.into());
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("+ 13"), "{}", ran.stdout);
}

#[test]
fn defects_say_whose_they_are() {
    let folder = folder();
    let mut dump = Dump::new();
    dump.task(shell()).truncate("core-1.img", 9);
    std::fs::write(folder.path().join("broken.tar"), Archive::podman(&dump).tar()).expect("a file");
    let ran = run_in(folder.path(), &["diff", "a.tar", "broken.tar", "--only", "processes"]);
    assert_eq!(ran.status, 3);
    assert!(ran.stderr.contains("warning: B: checkpoint/core-1.img"), "{}", ran.stderr);
    let args = ["diff", "a.tar", "broken.tar", "--only", "processes", "--format", "json"];
    let document = run_in(folder.path(), &args).json();
    assert_eq!(document["defects"][0]["of"], "b");
}

#[test]
fn replicas() {
    let folder = TempDir::new().expect("a folder");
    for (name, first, more) in [("web-1", 7, false), ("web-2", 21, true)] {
        let mut dump = Dump::new();
        dump.container(Container::new(name))
            .task(
                Task::new(1, 0)
                    .exe("/usr/sbin/nginx")
                    .argv(&["nginx", &"x".repeat(first as usize * 3)]),
            )
            .task(Task::new(first, 1).exe("/usr/sbin/nginx").argv(&["nginx: worker"]));
        if more {
            dump.task(Task::new(40, 1).exe("/dev/shm/.x").argv(&["[kworker/0:1]"]));
        }
        write(folder.path(), &format!("{name}.tar"), &dump, &[]);
    }
    let args = ["diff", "web-1.tar", "web-2.tar", "--only", "processes", "--format", "json"];
    let document = run_in(folder.path(), &args).json();
    assert_eq!(document["matched_by"], "role");
    assert_eq!(document["same_container"], false);
    assert_eq!(document["processes"]["started"][0]["pid"], 40);
    assert_eq!(document["processes"]["started"].as_array().map(Vec::len), Some(1));
    assert_eq!(document["processes"]["exited"], serde_json::json!([]));
}

#[test]
fn bundled_checkpoints() {
    let folder = fixtures();
    let same = run_in(&folder, &["diff", "looper-criu-4.2.tar.zst", "looper-criu-4.2.tar.zst"]);
    assert!(same.stdout.ends_with("nothing differs that was compared\n"), "{}", same.stdout);
    let other = ["diff", "looper-criu-3.17.tar.zst", "looper-criu-4.2.tar.zst"];
    insta::assert_snapshot!("two-loopers", run_in(&folder, &other).transcript());
}

#[test]
fn a_real_container_at_two_moments() {
    let Some(archives) = archives("a_real_container_at_two_moments") else { return };
    let case = archives.join("08-evolve");
    let args = ["diff", "checkpoint-1.tar.zst", "checkpoint-2.tar.zst"];
    insta::assert_snapshot!("real-evolve", run_in(&case, &args).transcript());
    let with_base =
        [&args[..], &["--base", "base-oci", "--only", "filesystem", "--format", "json"]].concat();
    let document = run_in(&case, &with_base).json();
    let kinds: Vec<(&str, &str)> = document["filesystem"]
        .as_array()
        .expect("files")
        .iter()
        .map(|file| {
            (file["change"].as_str().expect("a kind"), file["path"].as_str().expect("a path"))
        })
        .collect();
    assert_eq!(
        kinds,
        [
            ("modified", "/data/app.log"),
            ("added", "/data/brand-new"),
            ("modified", "/data/will-change"),
            ("modified", "/data/will-chmod"),
            ("deleted", "/data/will-go"),
            ("deleted", "/etc/issue"),
            ("modified", "/etc/passwd"),
        ]
    );
}

/// One workload, exported with three compressions: nothing of it differs.
#[test]
fn compression_is_no_difference() {
    let Some(archives) = archives("compression_is_no_difference") else { return };
    let case = archives.join("06-compress-tri");
    for other in ["checkpoint.tar.gz", "checkpoint.tar.zst"] {
        let ran = run_in(&case, &["diff", "--exit-code", "checkpoint.tar", other]);
        assert_eq!(ran.status, 0, "{}", ran.transcript());
    }
}

/// Whatever two real checkpoints are compared, an answer comes, and a checkpoint never differs from itself.
#[test]
fn any_two_real_checkpoints() {
    let Some(archives) = archives("any_two_real_checkpoints") else { return };
    let all = crate::world::checkpoints(&archives);
    for pair in all.windows(2) {
        let ran = run_in(&archives, &["diff", &pair[0], &pair[1], "--format", "json"]);
        assert!(matches!(ran.status, 0 | 2 | 3), "{pair:?}: {}", ran.stderr);
        if ran.status != 2 {
            assert_eq!(ran.json()["schema"], "ckpt-inspect/compare/1", "{pair:?}");
        }
        let itself = run_in(&archives, &["diff", "--exit-code", &pair[0], &pair[0]]);
        assert_ne!(itself.status, 1, "{}: {}", pair[0], itself.stdout);
    }
}
