//! `timeline`: as its users run it; `mactime` reads what it writes; real checkpoints against what the kernel said.

use std::process::{Command, Stdio};

use ckpt_synth::{Archive, Dump, File, Member, Message, Task};
use serde_json::Value;
use tempfile::TempDir;

use crate::world::{archives, fixtures, run_in};

/// A folder with a checkpoint `cp.tar` that has one of everything that has a time, some of it hostile.
fn folder() -> TempDir {
    let entry =
        |left: u64| Message::new().uint(1, 900u32).uint(2, 0u32).uint(3, left).uint(4, 0u32);
    let timers = Message::new().message(1, &entry(60)).message(2, &entry(0)).message(3, &entry(5));
    let mut dump = Dump::new();
    dump.task(Task::new(1, 0).timers(&timers).fd(5, File::deleted("/tmp/|ghost", b"gone")));
    let mut diff = Archive::new();
    diff.push(Member::file("usr/bin/su2", b"\x7fELF").mode(0o4755).mtime(1_795_392_583))
        .push(Member::dir("var/.x").mode(0o1777).pax("mtime", "1795392583.25"))
        .push(Member::file("tmp/a|b%0A\x1b[31m", b"x").owner(7, 8).mtime(1_795_392_584))
        .push(Member::file("=cmd()", b"x").pax("atime", "1795479000.5").mtime(1_795_392_585))
        .push(Member::file("far", b"x").pax("mtime", "292277026596"))
        .symlink("etc/mtab", "/proc/mounts");
    let log = b"2026-11-23T00:09:42.5Z stdout F ready\n\
        2026-11-23T00:09:43.000000001Z stderr P \x1b]0;owned\x07 =1+1\n\
        not a line\n";
    let mut archive = Archive::crio(&dump);
    archive.replace("rootfs-diff.tar", diff.tar());
    archive.replace("io.kubernetes.cri-o.LogPath", log.to_vec());
    let folder = TempDir::new().expect("a folder");
    std::fs::write(folder.path().join("cp.tar"), archive.tar()).expect("an archive");
    folder
}

fn events(document: &Value) -> &Vec<Value> {
    document["events"].as_array().expect("events")
}

#[test]
fn for_people_and_for_other_tools() {
    let folder = folder();
    for format in ["table", "json", "jsonl", "bodyfile", "timesketch", "timesketch-csv"] {
        let ran = run_in(folder.path(), &["timeline", "--format", format, "cp.tar"]);
        insta::assert_snapshot!(format!("timeline-{format}"), ran.transcript());
    }
}

#[test]
fn of_the_bundled_checkpoints() {
    for (name, file) in [
        ("looper-4.2", "looper-criu-4.2.tar.zst"),
        ("looper-3.17", "looper-criu-3.17.tar.zst"),
        ("stale", "evolve-with-stale-images.tar.zst"),
        ("orphan", "containerd-orphan.tar.zst"),
    ] {
        let ran = run_in(&fixtures(), &["timeline", file]);
        insta::assert_snapshot!(format!("timeline-{name}"), ran.transcript());
    }
}

#[test]
fn filters_and_refusals() {
    let folder = folder();
    let shown = |args: &[&str]| {
        let all = [&["timeline", "cp.tar", "--format", "json"], args].concat();
        let document = run_in(folder.path(), &all).json();
        events(&document)
            .iter()
            .map(|event| event["what"].as_str().expect("a word").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(shown(&["--source", "log"]), ["log", "log"]);
    assert_eq!(shown(&["--source", "log", "--no-logs"]), [""; 0]);
    assert_eq!(shown(&["--source", "host", "--source", "timer"]), ["booted", "timer-due"]);
    assert_eq!(shown(&["--since", "2026-11-24"]), ["accessed"]);
    let window = ["--since", "2026-11-23T00:09:43Z", "--until", "2026-11-23T00:09:44Z"];
    assert_eq!(shown(&window), ["modified", "log", "modified"]);
    let status = |args: &[&str]| run_in(folder.path(), &[&["timeline"], args].concat());
    // A time that no calendar has, and a line that is none.
    assert_eq!(status(&["cp.tar"]).status, 3);
    let ran = status(&["--source", "everything", "cp.tar"]);
    assert_eq!(ran.status, 2);
    assert!(ran.stderr.contains("rootfs-diff, tmpfs"), "{}", ran.stderr);
    assert_eq!(status(&["--since", "yesterday", "cp.tar"]).status, 2);
    assert_eq!(status(&["--format", "html", "cp.tar"]).status, 2);
}

/// The Sleuth Kit takes every file for itself, with its times and its rights.
#[test]
fn mactime_opens_the_bodyfile() {
    if Command::new("mactime").arg("-V").stdout(Stdio::null()).status().is_err() {
        eprintln!("mactime_opens_the_bodyfile: skipped, mactime (sleuthkit) is not on PATH");
        return;
    }
    let folder = folder();
    let ran = run_in(folder.path(), &["timeline", "cp.tar", "--format", "bodyfile", "-o", "body"]);
    assert_eq!(ran.status, 3, "{}", ran.stderr);
    let sorted = Command::new("mactime")
        .args(["-b", "body", "-y", "-d", "-z", "UTC"])
        .current_dir(folder.path())
        .output()
        .expect("mactime runs");
    assert!(sorted.status.success(), "{}", String::from_utf8_lossy(&sorted.stderr));
    let sorted = String::from_utf8(sorted.stdout).expect("nothing but names as they were written");
    assert!(!sorted.chars().any(|letter| letter.is_control() && letter != '\n'), "{sorted}");
    for line in [
        "2026-11-23T00:09:43Z,4,m...,r/rrwsr-xr-x,0,0,0,\"/usr/bin/su2\"",
        "2026-11-23T00:09:43Z,0,m...,d/drwxrwxrwt,0,0,0,\"/var/.x\"",
        "2026-11-23T00:09:44Z,1,m...,r/rrw-r--r--,7,8,0,\"/tmp/a\\x7cb\\x250A\\x1b[31m\"",
        "2026-11-24T00:10:00Z,1,.a..,r/rrw-r--r--,0,0,0,\"/=cmd()\"",
        "2026-11-23T02:13:20Z,4,ma..,r/rrwxr-xr-x,0,0,0,\"/tmp/\\x7cghost (deleted)\"",
    ] {
        assert!(sorted.lines().any(|found| found == line), "no {line} in {sorted}");
    }
    // What has no time at all has no line.
    assert!(!sorted.contains("\"/far\""));
}

/// Seconds and nanoseconds since 1970 as an event writes them.
fn seconds(event: &Value) -> jiff::Timestamp {
    event["time"].as_str().expect("a time").parse().expect("RFC 3339")
}

/// Files that the kernel showed and the archive has: each has its time, as exactly as the archive keeps it.
#[test]
fn real_files_have_the_times_of_the_kernel() {
    let Some(archives) = archives("real_files_have_the_times_of_the_kernel") else { return };
    for (case, least) in [("02-shop-web", 8), ("04-kitchen-sink", 4), ("05-postgres", 4)] {
        let truth = std::fs::read(archives.join(case).join("truth.json")).expect("the truth");
        let truth: Value = serde_json::from_slice(&truth).expect("JSON");
        let args =
            ["timeline", "checkpoint.tar.zst", "--format", "json", "--source", "rootfs-diff"];
        let document = run_in(&archives.join(case), &args).json();
        assert_eq!(document["defects"], serde_json::json!([]));
        let known = ["added", "changed"].into_iter().flat_map(|kind| truth["fs"][kind].as_array());
        let mut held = 0;
        for file in known.flatten().filter(|file| file["in_archive"] == true) {
            let mtime = file["mtime_ns"].as_i64().expect("a time") / 1_000_000_000;
            let Some(event) = events(&document).iter().find(|event| event["path"] == file["path"])
            else {
                // Sockets are in no archive.
                continue;
            };
            let (what, found) = (&event["what"], seconds(event).as_second());
            assert_eq!((what.as_str(), found), (Some("modified"), mtime), "{case}: {file}");
            held += 1;
        }
        assert!(held >= least, "{case}: {held} files");
    }
}

/// A timerfd of which the kernel said how much time it had left.
#[test]
fn real_timers_are_due_when_the_kernel_said() {
    let Some(archives) = archives("real_timers_are_due_when_the_kernel_said") else { return };
    let case = archives.join("04-kitchen-sink");
    let truth = std::fs::read(case.join("truth.json")).expect("the truth");
    let truth: Value = serde_json::from_slice(&truth).expect("JSON");
    let captured: jiff::Timestamp =
        truth["captured_at"].as_str().expect("a time").parse().expect("RFC 3339");
    let args = ["timeline", "checkpoint.tar.zst", "--format", "json", "--source", "timer"];
    let document = run_in(&case, &args).json();
    let timerfd = events(&document).iter().find(|event| event["timer"]["kind"] == "timerfd");
    let event = timerfd.expect("a timerfd");
    assert_eq!((&event["pid"], &event["timer"]["number"]), (&Value::from(1), &Value::from(50)));
    let descriptors = truth["processes"][0]["fds"].as_array().expect("descriptors");
    let told = descriptors.iter().find(|fd| fd["fd"] == 50).expect("descriptor 50");
    let told = told["fdinfo"].as_array().expect("fdinfo").iter().filter_map(Value::as_str);
    let left = told.filter_map(|line| line.strip_prefix("it_value: (")).next().expect("time left");
    let left: i64 = left.split(',').next().expect("seconds").parse().expect("a number");
    let apart = seconds(event).as_second() - captured.as_second() - left;
    assert!(apart.abs() <= 2, "{apart} s apart");
    // The interval timers that count processor time have no date.
    let kinds: Vec<_> = document["undated"]
        .as_array()
        .expect("undated")
        .iter()
        .map(|one| &one["timer"]["kind"])
        .collect();
    assert_eq!(kinds, ["itimer-prof"]);
}

/// Every line of real logs is one, in order, and checkpoints of one machine agree on when it booted.
#[test]
fn real_logs_and_a_real_boot() {
    let Some(archives) = archives("real_logs_and_a_real_boot") else { return };
    let mut boots = Vec::new();
    for (case, archive, member, format) in [
        ("02-shop-web", "checkpoint.tar.zst", "ctr.log", "cri"),
        ("21-crio-redis", "checkpoint.tar", "io.kubernetes.cri-o.LogPath", "cri"),
        ("22-containerd-redis", "checkpoint.tar", "container.log", "cri"),
        ("29-crio-tty", "checkpoint.tar", "io.kubernetes.cri-o.LogPath", "cri"),
        ("23-docker-dir", "checkpoint.tar.zst", "-json.log", "json-file"),
    ] {
        let args = ["timeline", archive, "--format", "json"];
        let document = run_in(&archives.join(case), &args).json();
        assert_eq!(document["defects"], serde_json::json!([]), "{case}");
        let all = events(&document);
        assert!(all.iter().map(seconds).is_sorted(), "{case}");
        let lines: Vec<&Value> = all.iter().filter(|event| event["what"] == "log").collect();
        assert_eq!(document["log_lines"].as_u64(), Some(lines.len() as u64));
        assert!(lines.len() > 5, "{case}: {} lines", lines.len());
        for line in lines {
            assert!(line["place"].as_str().expect("a place").ends_with(member), "{case}: {line}");
            assert_eq!((&line["log_format"], &line["precision"]), (&format.into(), &"ns".into()));
            assert!(line["stream"].is_string() && line["text"].is_string());
        }
        boots.extend(all.iter().filter(|event| event["what"] == "booted").map(seconds));
    }
    let (first, last) = (boots.iter().min().expect("a boot"), boots.iter().max().expect("a boot"));
    assert!(boots.len() >= 5 && last.as_second() - first.as_second() <= 2, "{boots:?}");
}
