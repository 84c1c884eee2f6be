//! `search`: where hits are, who else has them, in what forms, and what is refused.

use std::collections::BTreeSet;

use ckpt_synth::stories::{self, SHARED_AT};
use ckpt_synth::{Archive, Dump, Task, Vma};
use serde_json::Value;

use crate::world::{Ran, archives, fixtures, run_in};

const AT: u64 = 0x7000_0000_0000;

fn folder(archive: &Archive) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("checkpoint.tar"), archive.tar()).expect("written");
    folder
}

/// Pid 1 and its fork, pid 2: a page that is the same in both, and one that is not; over the end of the first page lies a
/// word.
fn forked_dump() -> Dump {
    let mut first = vec![b'.'; 4096];
    first[100..106].copy_from_slice(b"secret");
    first[4093..].copy_from_slice(b"acr");
    let page = |rest: &str| {
        let mut page = rest.as_bytes().to_vec();
        page.resize(4096, 0);
        page
    };
    let task = |pid: u32, parent: u32, rest: &str| {
        Task::new(pid, parent)
            .comm(if pid == 1 { "first" } else { "fork\x1b[2J" })
            .map(Vma::anon(AT, 0x4000))
            .pages(AT, first.clone())
            .pages(AT + 0x1000, page(rest))
    };
    let mut dump = Dump::new();
    dump.task(task(1, 0, "ossing \x1b[31mred p\0a\0s\0s\0")).task(task(2, 1, "ossing blue"));
    dump
}

fn forked() -> tempfile::TempDir {
    folder(&Archive::podman(&forked_dump()))
}

fn search(folder: &tempfile::TempDir, args: &[&str]) -> Ran {
    run_in(folder.path(), &[&["search", "checkpoint.tar"], args].concat())
}

fn lines(ran: &Ran) -> Vec<Value> {
    ran.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Pid and address of every hit.
fn places(ran: &Ran) -> BTreeSet<(u64, String)> {
    lines(ran)
        .iter()
        .filter_map(|hit| Some((hit["pid"].as_u64()?, hit["address"].as_str()?.to_owned())))
        .collect()
}

#[test]
fn the_table_tells_once_and_says_who_else_has_it() {
    let folder = forked();
    let ran = search(&folder, &["--literal", "secret", "--hex", "61 63 72 6f 73 [0-16] 72 65 64"]);
    insta::assert_snapshot!("search-table", ran.transcript());
    let counted = search(&folder, &["--literal", "secret", "--regex", "acros+", "--count"]);
    insta::assert_snapshot!("search-count", counted.transcript());
    let json = search(&folder, &["--literal", "acrossing", "--format", "json", "-C", "4"]);
    insta::assert_snapshot!("search-json", json.transcript());
    let control: Vec<char> = ran.stdout.chars().filter(|c| c.is_control() && *c != '\n').collect();
    assert_eq!(control, Vec::<char>::new());
}

#[test]
fn jsonl_lists_each() {
    let folder = forked();
    let of = |args: &[&str]| places(&search(&folder, &[args, &["--format", "jsonl"]].concat()));
    let at = |pid: u64, address: u64| (pid, format!("{address:#x}"));
    let both = |address: u64| BTreeSet::from([at(1, address), at(2, address)]);
    assert_eq!(of(&["--literal", "secret"]), both(AT + 100));
    assert_eq!(of(&["--literal", "SECRET"]), BTreeSet::new());
    assert_eq!(of(&["--literal", "SECRET", "-i"]), both(AT + 100));
    assert_eq!(of(&["--literal", "acrossing"]), both(AT + 4093), "over the end of a page");
    assert_eq!(of(&["--literal", "pass", "--utf16"]), BTreeSet::from([at(1, AT + 0x1010)]));
    assert_eq!(of(&["--regex", "ossing .*?(red|blue)"]), both(AT + 0x1000));
    assert_eq!(of(&["--literal", "secret", "--pid", "2"]), BTreeSet::from([at(2, AT + 100)]));
    assert_eq!(of(&["--literal", "secret", "--vma", "heap"]), BTreeSet::new());
    assert_eq!(of(&["--literal", "secret", "--artifacts"]), BTreeSet::new());
    let one = search(&folder, &["--literal", "secret", "--format", "jsonl", "-m", "1"]);
    assert_eq!(lines(&one).len(), 1);
}

#[test]
fn the_table_says_what_is_in_utf_16_and_tells_each_text_once() {
    let folder = forked();
    let ran = search(&folder, &["--literal", "pass", "--literal", "secret", "--utf16", "-C", "4"]);
    let line = |word: &str| ran.stdout.lines().find(|line| line.contains(word)).map(str::to_owned);
    let hit = line("pass").expect("a hit");
    assert!(hit.ends_with("[pass]  utf16le"), "{}", ran.transcript());
    assert!(line("secret").is_some_and(|hit| !hit.contains("utf16")), "{}", ran.transcript());
    let mut page = vec![0; 4096];
    let wide: Vec<u8> = "wide".encode_utf16().flat_map(u16::to_le_bytes).collect();
    page[0x106..0x10e].copy_from_slice(&wide);
    let mut dump = Dump::new();
    dump.task(Task::new(1, 0).map(Vma::anon(AT, 0x1000)).pages(AT, page));
    let folder = self::folder(&Archive::podman(&dump));
    let hits = search(&folder, &["--literal", "wide", "--utf16", "--format", "jsonl"]);
    assert_eq!(places(&hits), BTreeSet::from([(1, format!("{:#x}", AT + 0x106))]));
}

#[test]
fn a_search_that_stops_early_says_so() {
    let folder = forked();
    let of = |args: &[&str]| search(&folder, &[&["--regex", "[a-z]{3}", "-m", "2"], args].concat());
    let table = of(&[]);
    assert!(
        table.stdout.ends_with("\nstopped after 2 hits: there may be more\n"),
        "{}",
        table.transcript()
    );
    let lines_of = of(&["--format", "jsonl"]);
    assert_eq!(lines(&lines_of).len(), 2);
    assert_eq!(lines_of.stderr, "note: stopped after 2 hits (--max-count): there may be more\n");
    let document = of(&["--format", "json"]).json();
    assert_eq!(document["hits"].as_array().map(Vec::len), Some(2));
    assert_eq!(document["stopped"], true);
    let all = search(&folder, &["--literal", "secret", "-m", "9", "--format", "json"]).json();
    assert_eq!(all["stopped"], false);
}

#[test]
fn shared_memory_is_told_wherever_it_is_mapped() {
    let folder = folder(&Archive::podman(&stories::shared_memory()));
    let later = search(&folder, &["--literal", "later", "--format", "jsonl"]);
    let at = |pid: u64, address: u64| (pid, format!("{address:#x}"));
    assert_eq!(places(&later), BTreeSet::from([at(1, SHARED_AT + 0x2000), at(2, SHARED_AT)]));
    // Only pid 1 maps the beginning; with the memory of pid 2 alone it is in the memfd all the same.
    let of_two = search(&folder, &["--literal", "in ring", "--pid", "2", "--format", "jsonl"]);
    let hits = lines(&of_two);
    assert_eq!(hits.len(), 1, "{}", of_two.transcript());
    assert_eq!(hits[0]["origin"], "memfd");
    assert_eq!(hits[0]["offset"], 0);
}

/// A compressed archive is searched while it is unpacked, as far as that goes.
#[test]
fn a_compressed_archive_gives_what_a_plain_one_gives() {
    let folder = tempfile::tempdir().expect("a folder");
    let forked = ("forked", Archive::podman(&forked_dump()));
    let mut hits = 0;
    for (name, archive) in stories::all().into_iter().chain([forked]) {
        std::fs::write(folder.path().join("plain.tar"), archive.tar()).expect("a tar");
        std::fs::write(folder.path().join("packed.tar"), archive.tar_zst()).expect("a tar.zst");
        for args in [
            &["--literal", "e", "--count"][..],
            &["--literal", "secretacrossing", "--literal", "pass", "--utf16"],
            &["--literal", "PATH", "-i", "--format", "jsonl", "--context", "9"],
            &["--hex", "63 [1-2] 6?", "--format", "jsonl"],
            &["--literal", "o", "--regex", "[a-z]{3}", "--count"],
        ] {
            let of = |file| run_in(folder.path(), &[&["search", file], args].concat());
            let (plain, packed) = (of("plain.tar"), of("packed.tar"));
            assert_eq!(packed.stdout, plain.stdout, "{name} {args:?}");
            hits += usize::from(!plain.stdout.is_empty());
        }
    }
    assert!(hits > 40, "{hits}");
}

#[test]
fn one_thread_or_many_say_the_same_and_the_status_says_whether() {
    let folder = forked();
    assert_eq!(search(&folder, &["--literal", "secret", "--exit-code"]).status, 1);
    assert_eq!(search(&folder, &["--literal", "absent", "--exit-code"]).status, 0);
    assert_eq!(search(&folder, &["--literal", "secret"]).status, 0);
    for format in ["table", "json", "jsonl"] {
        let with = |threads: &str| {
            search(&folder, &["--regex", "[a-z.]{2}", "--format", format, "--threads", threads])
        };
        let (one, many) = (with("1"), with("4"));
        assert!(one.stdout.len() > 10_000, "{format}: {} bytes", one.stdout.len());
        assert_eq!(one.stdout, many.stdout, "{format}");
    }
}

#[test]
fn errors_of_patterns_point_at_them() {
    let folder = forked();
    let mut all = String::new();
    for args in [
        &[][..],
        &["--regex", "user=(\\w+"],
        &["--regex", "a*"],
        &["--hex", "4d 5z"],
        &["--hex", "4d [9-3] 5a"],
        &["--literal", ""],
        &["--literal", "x", "--pid", "77"],
        &["--literal", "x", "--memory", "--artifacts"],
        &["--literal", "x", "--artifacts", "--vma", "heap"],
        &["--literal", "x", "--count", "-m", "1"],
        &["--literal", "x", "-m", "0"],
    ] {
        let ran = search(&folder, args);
        assert_eq!(ran.status, 2, "{args:?}: {}", ran.transcript());
        all.push_str(&format!("$ ckpt-inspect search {}\n{}", args.join(" "), ran.transcript()));
    }
    insta::assert_snapshot!("errors-search", all);
}

#[test]
fn bundled_checkpoints_are_searched() {
    let args = ["search", "looper-criu-4.2.tar.zst", "--literal", "busybox", "--count"];
    insta::assert_snapshot!("search-looper", run_in(&fixtures(), &args).transcript());
}

#[test]
fn every_planted_utf16_string_is_found() {
    let Some(folder) = archives("every_planted_utf16_string_is_found") else { return };
    let truth = std::fs::read_to_string(folder.join("11-node/truth.json")).expect("the truth");
    let truth: Value = serde_json::from_str(&truth).expect("JSON");
    let secrets = truth["secrets"].as_array().expect("secrets").iter();
    let mut seen = 0;
    for secret in secrets.filter(|one| one["hex"].is_string()) {
        let hex = secret["hex"].as_str().expect("hex");
        let evidence = "11-node/checkpoint.tar.zst";
        let ran = run_in(&folder, &["search", evidence, "--hex", hex, "--format", "jsonl"]);
        let found = places(&ran);
        for hit in secret["memory_hits"].as_array().into_iter().flatten() {
            let place =
                (hit[0].as_u64().expect("a pid"), hit[1].as_str().expect("an address").to_owned());
            assert!(found.contains(&place), "{}: {place:?}", secret["name"]);
            seen += 1;
        }
    }
    assert!(seen > 0, "the case has such a string");
}
