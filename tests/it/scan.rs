//! `strings` and `search`: what is found where, who else has it, and what is refused.

use std::collections::BTreeSet;
use std::io::Read;
use std::process::{Command, Stdio};

use ckpt_synth::{Archive, Dump, File, Task, Vma};
use serde_json::Value;

use crate::world::{Ran, archives, fixtures, run_in};

const AT: u64 = 0x10_0000;

fn folder(archive: &Archive) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("checkpoint.tar"), archive.tar()).expect("written");
    folder
}

fn records(ran: &Ran) -> Vec<Value> {
    let lines = ran.stdout.lines();
    lines.map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// `(pid, address)` of every hit in memory.
fn places(ran: &Ran) -> BTreeSet<(u64, u64)> {
    let address = |one: &Value| {
        u64::from_str_radix(one["address"].as_str()?.trim_start_matches("0x"), 16).ok()
    };
    records(ran).iter().filter_map(|one| Some((one["pid"].as_u64()?, address(one)?))).collect()
}

fn wide(text: &str, order: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(order).collect()
}

/// Pid 1 and its forks 2, 3; of the page at `AT` pid 3 has changed a part. Text crosses pages, runs and mappings, stands in
/// a pipe, in UTF-16, and would steer a terminal.
fn family() -> tempfile::TempDir {
    let mut page = vec![0; 4096];
    page[16..32].copy_from_slice(b"of the whole lot");
    page[100..116].copy_from_slice(b"of two of three!");
    let mut changed = page.clone();
    changed[100..116].copy_from_slice(b"of one of three!");
    let crossing = |task: Task| {
        let mut end = vec![0; 4096];
        end[4088..].copy_from_slice(b"crosses ");
        let mut begin = vec![0; 4096];
        begin[..20].copy_from_slice(b"pages and mappings \x07");
        task.map(Vma::anon(AT + 0x10_000, 0x1000))
            .map(Vma::anon(AT + 0x11_000, 0x1000).prot(1))
            .pages(AT + 0x10_000, end)
            .pages(AT + 0x11_000, begin)
    };
    let mut text = b"\x1b]0;not a title\x07 a back\\slash and\ta tab\xff\xfe".to_vec();
    text.resize(64, 0);
    text.extend(wide("Καλημέρα κόσμε", u16::to_le_bytes));
    text.extend([0, 0]);
    text.extend(wide("big-endian text", u16::to_be_bytes));
    text.extend([0, 0, 0]);
    text.extend("пароль: hunter2\0".as_bytes());
    let task = |pid: u32, page: &[u8]| {
        let task = Task::new(pid, u32::from(pid > 1)).bare_memory();
        task.map(Vma::anon(AT, 0x1000)).pages(AT, page)
    };
    let mut dump = Dump::new();
    dump.task(
        crossing(task(1, &page))
            .comm("first")
            .map(Vma::anon(AT + 0x20_000, 0x1000))
            .pages(AT + 0x20_000, text)
            .fd(3, File::pipe_read(900, "hunter2 in a pipe")),
    )
    .task(task(2, &page).comm("second"))
    .task(task(3, &changed).comm("third"));
    folder(&Archive::podman(&dump))
}

const MINE: [&str; 2] = ["--vma", "anon"];

#[test]
fn strings_of_memory() {
    let family = family();
    let strings = |more: &[&str]| {
        let args = ["strings", "checkpoint.tar"];
        run_in(family.path(), &[&args[..], &MINE[..], more].concat())
    };
    let table = strings(&[]);
    insta::assert_snapshot!("strings-table", table.transcript());
    let control: Vec<char> =
        table.stdout.chars().filter(|c| c.is_control() && *c != '\n').collect();
    assert_eq!(control, Vec::<char>::new());
    insta::assert_snapshot!("strings-jsonl", strings(&["--format", "jsonl"]).transcript());
    let json = strings(&["--format", "json"]);
    assert_eq!(json.json()["schema"], "ckpt-inspect/strings/1");
    assert_eq!(json.json()["strings"], Value::from(records(&strings(&["--format", "jsonl"]))));
    insta::assert_snapshot!(
        "strings-unique",
        strings(&["--unique", "--sort", "count"]).transcript()
    );
    let texts = |more: &[&str]| -> Vec<String> {
        let ran = strings(&[more, &["--format", "jsonl"]].concat());
        records(&ran).iter().map(|one| one["text"].as_str().expect("text").to_owned()).collect()
    };
    assert_eq!(texts(&["--encoding", "utf16be"]), ["big-endian text"]);
    assert_eq!(texts(&["--encoding", "utf8"]), ["пароль: hunter2"]);
    assert_eq!(texts(&["--pid", "3"])[..2], ["of the whole lot", "of one of three!"]);
    assert!(texts(&["-n", "21", "--pid", "1"]).contains(&"crosses pages and mappings ".to_owned()));
    assert!(!texts(&["-n", "30"]).contains(&"crosses pages and mappings ".to_owned()));
    let mut unique = texts(&["--unique", "--sort", "text"]);
    let sorted = unique.clone();
    unique.sort();
    assert_eq!(unique, sorted);
}

#[test]
fn strings_of_files_are_asked_for() {
    let family = family();
    let args = ["strings", "checkpoint.tar", "--format", "jsonl", "--pid", "1", "--vma", "heap"];
    let without = run_in(family.path(), &args);
    assert!(!without.stdout.contains("in a pipe"), "{}", without.stdout);
    let with = run_in(family.path(), &[&args[..], &["--artifacts"]].concat());
    let all = records(&with);
    let pipe = all.iter().find(|one| one["artifact"] == "pipe-900").expect("the pipe");
    assert_eq!((&pipe["text"], &pipe["offset"]), (&"hunter2 in a pipe".into(), &0.into()));
    assert!(pipe["pid"].is_null() && pipe["address"].is_null());
    let other = run_in(family.path(), &["strings", "checkpoint.tar", "--pid", "2", "--artifacts"]);
    assert!(!other.stdout.contains("in a pipe"), "{}", other.stdout);
}

#[test]
fn search_of_memory_and_files() {
    let family = family();
    let search =
        |more: &[&str]| run_in(family.path(), &[&["search", "checkpoint.tar"], more].concat());
    let literal = search(&["--literal", "hunter2", "--format", "jsonl"]);
    let hits = records(&literal);
    assert_eq!(hits.len(), 2, "{}", literal.stdout);
    assert!(hits.iter().any(|one| one["artifact"] == "pipe-900" && one["offset"] == 0));
    assert!(hits.iter().all(|one| one["pattern"] == "hunter2" && one["text"] == "hunter2"));
    let memory = search(&["--literal", "hunter2", "--memory", "--count", "--format", "jsonl"]);
    assert_eq!(records(&memory).len(), 1);
    let crossing = search(&["--literal", "crosses pages", "--format", "jsonl"]);
    assert_eq!(places(&crossing), BTreeSet::from([(1, AT + 0x10_000 + 4088)]));
    let regex = search(&["--regex", r"of \w+ of three.", "--format", "jsonl"]);
    assert_eq!(places(&regex), BTreeSet::from([(1, AT + 100), (2, AT + 100), (3, AT + 100)]));
    let hex = search(&["--hex", "63 72 6f [0-8] 70 61 ?? 65", "--format", "jsonl"]);
    assert_eq!(places(&hex), BTreeSet::from([(1, AT + 0x10_000 + 4088)]));
    let wide = search(&["--literal", "ΚΌΣΜΕ", "-i", "--utf16", "--format", "jsonl"]);
    assert_eq!(records(&wide)[0]["encoding"], "utf16le");
    assert_eq!(records(&wide)[0]["text"], "κόσμε");
    assert_eq!(records(&search(&["--literal", "o", "--format", "jsonl", "-m", "3"])).len(), 3);
    assert_eq!(search(&["--literal", "hunter2"]).status, 0);
    assert_eq!(search(&["--literal", "hunter2", "--exit-code"]).status, 1);
    assert_eq!(search(&["--literal", "nowhere", "--exit-code"]).status, 0);
}

#[test]
fn one_thread_or_many_say_the_same() {
    let evidence = ["evolve-with-stale-images.tar.zst"];
    for command in [&["strings"][..], &["search", "--regex", "[a-z]{3,}", "--literal", "e"]] {
        let run = |threads| {
            let args = [command, &evidence, &["--threads", threads, "--format", "jsonl"]].concat();
            run_in(&fixtures(), &args).stdout
        };
        let one = run("1");
        assert!(one.lines().count() > 20, "{one}");
        assert!(one == run("2") && one == run("7"), "{command:?}");
    }
}

#[test]
fn what_is_not_there_or_makes_no_sense_is_said() {
    let mut all = String::new();
    for args in [
        &["strings", "looper-criu-4.2.tar.zst", "--pid", "77"][..],
        &["strings", "looper-criu-4.2.tar.zst", "--comm", "nginx*"],
        &["strings", "looper-criu-4.2.tar.zst", "--sort", "text"],
        &["strings", "looper-criu-4.2.tar.zst", "-n", "0"],
    ] {
        let ran = run_in(&fixtures(), args);
        assert_eq!(ran.status, 2, "{args:?}");
        all.push_str(&format!("$ ckpt-inspect {}\n{}", args.join(" "), ran.transcript()));
    }
    insta::assert_snapshot!("strings-errors", all);
}

/// The reader goes away after a few bytes: the program ends, at once and without a word.
#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut dump = Dump::new();
    dump.task(Task::new(1, 0).map(Vma::anon(AT, 4096 * 4096)).noise(AT, 4096, 1));
    let folder = folder(&Archive::podman(&dump));
    for args in
        [&["strings", "checkpoint.tar"][..], &["search", "checkpoint.tar", "--literal", "e"]]
    {
        let mut child = Command::new(env!("CARGO_BIN_EXE_ckpt-inspect"))
            .args(args)
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program runs");
        let mut some = [0; 100];
        let mut out = child.stdout.take().expect("a pipe");
        out.read_exact(&mut some).expect("some output");
        drop(out);
        let ended = child.wait_with_output().expect("it ends");
        assert_eq!(ended.status.code(), Some(0), "{args:?}");
        assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
    }
}

#[test]
fn text_of_node_is_found_in_utf16() {
    let Some(folder) = archives("text_of_node_is_found_in_utf16") else { return };
    let evidence = "11-node/checkpoint.tar.zst";
    let ran = run_in(
        &folder,
        &["strings", evidence, "--encoding", "utf16le", "--unique", "--format", "jsonl"],
    );
    let texts = records(&ran);
    assert!(texts.iter().any(|one| one["text"] == "κωδικός-Ω-12345"), "{}", ran.stderr);
    let ran = run_in(
        &folder,
        &["search", evidence, "--literal", "κωδικός-Ω-12345", "--utf16", "--format", "jsonl"],
    );
    assert!(records(&ran).iter().any(|one| one["encoding"] == "utf16le"));
}
