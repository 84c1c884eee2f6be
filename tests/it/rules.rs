//! `scan --rules`: what matches where, what is refused, and the same hits as Debian's `yara`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ckpt_synth::{Archive, BlockLayout, Compression, Dialect, Dump, File, Member, Task, Vma};
use serde_json::Value;
use tempfile::TempDir;

use crate::world::{Ran, archives, fixtures, run_in};

const AT: u64 = 0x7000_0000_0000;

fn rules() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/rules")
}

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// What the rules look for, in every form, over three pages; something crosses the end of the first.
fn memory() -> Vec<u8> {
    let xored = |text: &str, key: u8| text.bytes().map(|byte| byte ^ key).collect::<Vec<u8>>();
    let mut memory = vec![b'.'; 3 * 4096];
    let mut put = |at: usize, bytes: &[u8]| memory[at..at + bytes.len()].copy_from_slice(bytes);
    put(16, b"mark-11xx-end and BusyBOX, busybox\0");
    put(100, &wide("wide secret"));
    put(200, &wide("both ways"));
    put(300, b"both ways");
    put(400, &xored("xor secret", 0x5a));
    put(450, b"a secret, HOME=/root\0");
    put(500, b"IGJhc2U2NCBzZWNyZXQg");
    put(600, b"tab\there\0end");
    put(700, b"begin 42 finish");
    put(800, b"token=tok-3f9a-abc https://Shop.Example/path");
    put(900, b"\x7fELF\x02\x01\x01");
    put(1000, &[0x90; 40]);
    put(1040, &[0x31, 0xc0, 0x48, 0xbb, 1, 2, 3, 4, 5, 6, 7, 8]);
    put(4090, b"mark-77yyyy-end");
    put(5000, b"mark-\xff\x1b[31m");
    memory
}

/// The smallest ELF executable for x86-64 that has a header and no more.
fn elf() -> Vec<u8> {
    let mut elf = vec![0; 256];
    elf[..16].copy_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    elf[16..18].copy_from_slice(&2_u16.to_le_bytes());
    elf[18..20].copy_from_slice(&62_u16.to_le_bytes());
    elf[20..24].copy_from_slice(&1_u32.to_le_bytes());
    elf[52..54].copy_from_slice(&64_u16.to_le_bytes());
    elf
}

/// A PE header for x86-64.
fn pe() -> Vec<u8> {
    let mut pe = vec![0; 1024];
    pe[..2].copy_from_slice(b"MZ");
    pe[0x3c] = 0x40;
    pe[0x40..0x44].copy_from_slice(b"PE\0\0");
    pe[0x44..0x46].copy_from_slice(&0x8664_u16.to_le_bytes());
    pe[0x54..0x56].copy_from_slice(&240_u16.to_le_bytes());
    pe[0x58..0x5a].copy_from_slice(&0x20b_u16.to_le_bytes());
    pe[0xc4..0xc8].copy_from_slice(&16_u32.to_le_bytes());
    pe
}

/// Pid 1 with all of it in one mapping, its fork with some in two that follow each other, files, and a pipe.
fn folder() -> TempDir {
    let mut dump = Dump::new();
    let first = Task::new(1, 0).bare_memory().comm("first").map(Vma::anon(AT, 0x3000));
    dump.task(first.pages(AT, memory()).fd(3, File::pipe_read(900, "mark-11xx-end in a pipe")))
        .task(
            Task::new(2, 1)
                .bare_memory()
                .comm("fork\x1b[2J")
                .map(Vma::anon(AT, 0x1000))
                .map(Vma::anon(AT + 0x1000, 0x2000).prot(1))
                .pages(AT, memory()),
        );
    let mut diff = Archive::new();
    diff.push(Member::file("usr/bin/tool", elf()))
        .push(Member::file("srv/tool.exe", pe()))
        .push(Member::file("srv/mark", b"mark-11xx-end\n"))
        .push(Member::file("srv/mem", memory()))
        .push(Member::file("srv/empty", b""));
    let mut archive = Archive::podman(&dump);
    archive.without("rootfs-diff.tar").member("rootfs-diff.tar", diff.tar());
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("checkpoint.tar"), archive.tar()).expect("written");
    folder
}

fn scan(folder: &TempDir, args: &[&str]) -> Ran {
    run_in(folder.path(), &[&["scan", "checkpoint.tar"], args].concat())
}

const DEFINED: [&str; 4] = ["--define", "environment=test", "--define", "limit=9"];

fn with_rules(folder: &TempDir, names: &[&str], more: &[&str]) -> Ran {
    let paths: Vec<String> =
        names.iter().map(|name| rules().join(name).to_str().expect("UTF-8").to_owned()).collect();
    let mut args: Vec<&str> = paths.iter().flat_map(|path| ["--rules", path]).collect();
    args.extend(DEFINED);
    args.extend(more);
    scan(folder, &args)
}

fn records(ran: &Ran) -> Vec<Value> {
    let lines = ran.stdout.lines();
    lines.map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Rule, string, and address or offset.
type Hit = (String, String, u64);

fn hit(record: &Value) -> Hit {
    let text = |key: &str| record[key].as_str().unwrap_or_default().to_owned();
    let address = record["address"].as_str();
    let address = address.map(|text| u64::from_str_radix(&text[2..], 16).expect("an address"));
    (text("rule"), text("pattern"), address.or(record["offset"].as_u64()).unwrap_or_default())
}

#[test]
fn matches_are_told_with_their_places() {
    let folder = folder();
    let table = with_rules(&folder, &["conditions.yar", "hex.yara", "newer.yara"], &[]);
    insta::assert_snapshot!("scan-rules-table", table.transcript());
    let control: Vec<char> =
        table.stdout.chars().filter(|c| c.is_control() && *c != '\n').collect();
    assert_eq!(control, Vec::<char>::new());
    let lines = with_rules(&folder, &["strings.yar"], &["--format", "jsonl", "--pid", "1"]);
    insta::assert_snapshot!("scan-rules-jsonl", lines.transcript());
    let json = with_rules(&folder, &["strings.yar"], &["--format", "json", "--pid", "1"]).json();
    assert_eq!(json["schema"], "ckpt-inspect/scan/1");
    assert_eq!(json["hits"], Value::from(records(&lines)));
    assert_eq!(json["remarks"], Value::from(Vec::<Value>::new()));
    let counted = with_rules(&folder, &["strings.yar", "files.yar"], &["--count"]);
    insta::assert_snapshot!("scan-rules-count", counted.transcript());
}

#[test]
fn conditions_are_over_the_whole_process() {
    let folder = folder();
    let of = |names: &[&str], more: &[&str]| -> BTreeSet<(u64, String)> {
        let ran = with_rules(&folder, names, &[&["--format", "jsonl"], more].concat());
        let all = records(&ran);
        let in_memory = all.iter().filter_map(|one| Some((one["pid"].as_u64()?, hit(one).0)));
        in_memory.collect()
    };
    // Pid 2 has one mark in its first mapping and one in its second: none of them alone would do.
    let found = of(&["conditions.yar"], &["--memory"]);
    for pid in [1, 2] {
        assert!(found.contains(&(pid, "Count_And_Offsets".to_owned())), "{found:?}");
        assert!(found.contains(&(pid, "Reads_Bytes_At_A_Match".to_owned())), "{found:?}");
        assert!(found.contains(&(pid, "None_Of_Them".to_owned())), "{found:?}");
    }
    assert!(of(&["conditions.yar"], &["--pid", "2"]).iter().all(|(pid, _)| *pid == 2));
    assert!(of(&["conditions.yar"], &["--artifacts"]).is_empty());
    assert!(of(&["strings.yar"], &["--vma", "heap"]).is_empty());
    // Over the end of a page, but not over that of a mapping.
    let ran = with_rules(&folder, &["hex.yara"], &["--memory", "--format", "jsonl"]);
    let crossing = records(&ran).iter().filter(|one| hit(one).2 == AT + 4090).count();
    assert_eq!(crossing, 1, "{}", ran.stdout);
}

/// Pages that lie apart in the evidence: each in a block of its own, or put in by a call of its own.
#[test]
fn what_crosses_pages_that_lie_apart_is_found() {
    let compressed = Dialect::V12(Compression::per_page(BlockLayout::B));
    for dialect in [Dialect::Criu42, compressed] {
        let mut dump = Dump::new();
        let mut task = Task::new(1, 0).bare_memory().map(Vma::anon(AT, 0x5000));
        for (page, bytes) in memory().chunks(4096).enumerate() {
            task = task.pages(AT + page as u64 * 4096, bytes);
        }
        // Behind a page that was never written begins another fragment.
        dump.dialect(dialect).task(task.pages(AT + 0x4000, memory()[..4096].to_vec()));
        let folder = tempfile::tempdir().expect("a folder");
        let archive = Archive::podman(&dump).tar();
        fs::write(folder.path().join("checkpoint.tar"), archive).expect("written");
        let names = ["hex.yara", "conditions.yar"];
        let ran = with_rules(&folder, &names, &["--memory", "--format", "jsonl"]);
        let hits: BTreeSet<Hit> = records(&ran).iter().map(hit).collect();
        let has = |rule: &str, string: &str, at: u64| {
            hits.contains(&(rule.to_owned(), string.to_owned(), at))
        };
        assert!(has("Hex_Wildcards_And_Jumps", "$gap", AT + 4090), "{dialect:?}: {hits:?}");
        assert!(has("Hex_Wildcards_And_Jumps", "$gap", AT + 0x4010), "{dialect:?}: {hits:?}");
        // The conditions fetch the bytes of both fragments again.
        assert!(has("Reads_Bytes_At_A_Match", "$a", AT + 0x4010), "{dialect:?}: {hits:?}");
        assert!(has("Hash_And_Math_Of_A_Match", "$a", AT + 4090), "{dialect:?}: {hits:?}");
    }
}

#[test]
fn files_are_files_and_empty_ones_too() {
    let folder = folder();
    let ran = with_rules(&folder, &["files.yar"], &["--artifacts", "--format", "jsonl"]);
    let found: BTreeSet<(String, String)> = records(&ran)
        .iter()
        .map(|one| (one["path"].as_str().unwrap_or_default().to_owned(), hit(one).0))
        .collect();
    let has = |path: &str, rule: &str| found.contains(&(path.to_owned(), rule.to_owned()));
    assert!(has("/usr/bin/tool", "Elf_Module") && has("/usr/bin/tool", "Begins_With_Elf"));
    assert!(has("/srv/tool.exe", "Pe_Module"));
    assert!(has("/srv/mark", "Hash_Of_The_File") && has("/srv/mark", "At_The_Beginning"));
    assert!(has("pipe:[900]", "Small_File") && has("pipe:[900]", "At_The_Beginning"), "{found:?}");
    assert!(!has("/srv/mem", "Elf_Module") && !has("/srv/empty", "Small_File"));
}

#[test]
fn directories_are_read_whole_and_in_order() {
    let folder = folder();
    let all = rules();
    let args = ["--rules", all.to_str().expect("UTF-8"), "--count", "--format", "jsonl"];
    let ran = scan(&folder, &[&args[..], &DEFINED[..]].concat());
    let counts = records(&ran);
    let namespaces: BTreeSet<&str> =
        counts.iter().map(|one| one["namespace"].as_str().expect("a namespace")).collect();
    let wanted = [
        "conditions.yar",
        "files.yar",
        "hex.yara",
        "index.yar",
        "newer.yara",
        "regex.yar",
        "strings.yar",
    ];
    assert_eq!(namespaces, BTreeSet::from(wanted), "what is included is not compiled once more");
    assert!(counts.iter().any(|one| one["rule"] == "Included"));
}

#[test]
fn one_thread_or_many_say_the_same_and_the_status_says_whether() {
    let folder = folder();
    for format in ["table", "json", "jsonl"] {
        let with = |threads: &str| {
            let more = ["--format", format, "--threads", threads];
            with_rules(&folder, &["strings.yar", "regex.yar", "files.yar"], &more).stdout
        };
        let one = with("1");
        assert!(one.len() > 1000, "{format}: {one}");
        assert_eq!(one, with("5"), "{format}");
    }
    assert_eq!(with_rules(&folder, &["strings.yar"], &["--exit-code"]).status, 1);
    assert_eq!(with_rules(&folder, &["strings.yar"], &[]).status, 0);
    let nothing = ["--exit-code", "--vma", "heap"];
    assert_eq!(with_rules(&folder, &["hex.yara"], &nothing).status, 0);
}

#[test]
fn limits_are_told_when_they_are_reached() {
    let folder = folder();
    let args = ["--max-matches", "2", "--pid", "1", "--memory", "--format"];
    let lines = with_rules(&folder, &["hex.yara"], &[&args[..], &["jsonl"]].concat());
    assert!(lines.stderr.contains("$sled: more matches than are looked at"), "{}", lines.stderr);
    let json = with_rules(&folder, &["hex.yara"], &[&args[..], &["json"]].concat()).json();
    assert_eq!(json["remarks"][0]["what"], "too-many-matches");
    assert_eq!(
        (&json["remarks"][0]["pid"], &json["remarks"][0]["pattern"]),
        (&1.into(), &"$sled".into())
    );
    let late = with_rules(&folder, &["hex.yara"], &["--timeout", "0", "--pid", "2", "--memory"]);
    assert_eq!(late.status, 3, "{}", late.transcript());
    assert!(late.stderr.contains("process 2: time is up for default: "), "{}", late.stderr);
}

fn with_text(folder: &TempDir, text: &[u8], more: &[&str]) -> Ran {
    fs::write(folder.path().join("own.yar"), text).expect("written");
    scan(folder, &[&["--rules", "own.yar"], more].concat())
}

#[test]
fn a_slow_rule_is_named_and_the_others_are_told() {
    let folder = folder();
    let rules = "
        private rule hidden { condition: true }
        global rule everywhere { condition: filesize > 0 }
        rule first { strings: $a = \"mark-\" condition: $a and hidden }
        rule slow { condition: for any i in (1..2000000000) : (i < 0) } // }
        rule needs { condition: slow or first }
        rule needs_all { condition: any of (sl*) }
        rule last { strings: $slow = \"busybox\" condition: (#slow > 0) /* } */ }
        rule never { condition: false }";
    for threads in ["1", "3"] {
        let more = ["--format", "json", "--timeout", "1", "--threads", threads, "--artifacts"];
        let ran = with_text(&folder, rules.as_bytes(), &more);
        assert_eq!(ran.status, 3, "{}", ran.transcript());
        let json = ran.json();
        let of = |list: &str, path: &str| -> BTreeSet<(String, String)> {
            let all = json[list].as_array().expect("an array").iter();
            let here = all.filter(|one| one[path] == "/srv/mem" || one["artifact"].is_string());
            let text = |one: &Value, key: &str| one[key].as_str().unwrap_or_default().to_owned();
            here.map(|one| (text(one, "rule"), text(one, "what"))).collect()
        };
        let hits: BTreeSet<String> = of("hits", "path").into_iter().map(|(rule, _)| rule).collect();
        assert!(hits.is_superset(&["everywhere", "first", "last"].map(str::to_owned).into()));
        assert!(!hits.contains("never") && !hits.contains("slow"), "{hits:?}");
        let slow = ["slow", "needs", "needs_all"].map(|rule| (rule.into(), "timed-out".into()));
        assert_eq!(of("remarks", "path"), BTreeSet::from(slow));
    }
}

#[test]
fn strings_that_are_cut_are_told_whatever_looks_for_them() {
    let folder = folder();
    let rules = "rule any { strings: $a = /.*/ condition: $a }
        rule many { strings: $b = /.*/ condition: #b > 20000 }";
    let more = ["--pid", "1", "--memory", "--max-matches", "50", "--format"];
    let json = with_text(&folder, rules.as_bytes(), &[&more[..], &["json"]].concat()).json();
    assert_eq!(json["hits"].as_array().map(Vec::len), Some(50));
    let remarks: Vec<_> = json["remarks"].as_array().expect("an array").iter().collect();
    assert_eq!(remarks.len(), 2, "{remarks:?}");
    assert!(remarks.iter().all(|one| one["what"] == "too-many-matches"));
    assert_eq!((&remarks[0]["rule"], &remarks[1]["rule"]), (&"any".into(), &"many".into()));
    let all = with_text(&folder, rules.as_bytes(), &["--pid", "1", "--memory"]);
    assert!(all.stderr.contains("$a: more matches than are looked at"), "{}", all.stderr);
}

#[test]
fn bytes_of_rule_files_need_not_be_utf8() {
    let folder = folder();
    let rules = b"/* caf\xe9 */ rule a { meta: m = \"\xfc\" strings: $a = \"mark-\xff\" $b = /mark-\xff./ condition: all of them }";
    let ran = with_text(&folder, rules, &["--pid", "1", "--memory", "--format", "jsonl"]);
    let hits: Vec<Hit> = records(&ran).iter().map(hit).collect();
    assert_eq!(hits.len(), 2, "{}", ran.transcript());
    assert!(hits.iter().all(|hit| hit.2 == AT + 5000), "{hits:?}");
    let wrong = with_text(&folder, b"// \xe9\nrule a { condition: nowhere }", &[]);
    assert_eq!(wrong.status, 2);
    assert!(wrong.stderr.contains("own.yar:2:21"), "{}", wrong.stderr);
}

#[test]
fn rule_files_that_include_each_other_end() {
    let folder = folder();
    let ran = with_text(&folder, b"include \"own.yar\"", &[]);
    assert_eq!(ran.status, 2, "{}", ran.transcript());
    assert!(ran.stderr.contains("include one another"), "{}", ran.stderr);
}

#[test]
fn wrong_rules_are_all_told_where_they_are_wrong() {
    let folder = folder();
    let write = |name: &str, text: &str| {
        fs::write(folder.path().join(name), text).expect("written");
    };
    fs::create_dir(folder.path().join("set")).expect("a folder");
    write("set/syntax.yar", "rule a {\n  strings:\n    $a = \"x\n  condition: $a\n}\n");
    write("set/unknown.yar", "rule b { condition: nowhere }\n");
    write("set/fine.yar", "rule c { condition: true }\n");
    write("set/include.yar", "include \"absent.yar\"\n");
    fs::create_dir(folder.path().join("none")).expect("a folder");
    write("none/readme.txt", "");
    let mut all = String::new();
    for args in [
        &["--rules", "set"][..],
        &["--rules", "none", "--rules", "absent.yar"],
        &["--rules", "set/fine.yar", "--define", "novalue"],
        &["--rules", "set/fine.yar", "--define", "1=2"],
        &["--define", "a=b", "--secrets"],
        &[],
        &["--reveal"],
    ] {
        let ran = scan(&folder, args);
        assert_eq!(ran.status, 2, "{args:?}: {}", ran.transcript());
        all.push_str(&format!("$ ckpt-inspect scan {}\n{}", args.join(" "), ran.transcript()));
    }
    insta::assert_snapshot!("errors-scan", all);
}

/// Whether Debian's `yara` is there; under CI it has to be.
fn has_yara(test: &str) -> bool {
    let there = Command::new("yara").arg("--version").stdout(Stdio::null()).status().is_ok();
    assert!(there || std::env::var_os("CI").is_none(), "{test}: yara is not on PATH");
    if !there {
        eprintln!("{test}: skipped, yara is not on PATH");
    }
    there
}

/// What `yara` says of a file: rules without strings that match have one hit with neither.
fn yara(file: &Path, names: &[&str], base: u64) -> BTreeSet<Hit> {
    let mut all = BTreeSet::new();
    for name in names {
        let output = Command::new("yara")
            .args(["-w", "-s", "-d", "environment=test", "-d", "limit=9"])
            .arg(rules().join(name))
            .arg(file)
            .output()
            .expect("yara runs");
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut rule: Option<(String, bool)> = None;
        let mut end = |rule: &mut Option<(String, bool)>| {
            if let Some((name, false)) = rule.take() {
                all.insert((name, String::new(), 0));
            }
        };
        let mut hits = Vec::new();
        for line in text.lines() {
            let found = line.strip_prefix("0x").and_then(|rest| {
                let (offset, rest) = rest.split_once(':')?;
                let (string, _) = rest.split_once(": ")?;
                Some((u64::from_str_radix(offset, 16).ok()?, string.to_owned()))
            });
            match (found, &mut rule) {
                (Some((offset, string)), Some((name, any))) => {
                    *any = true;
                    hits.push((name.clone(), string, base + offset));
                }
                _ => {
                    end(&mut rule);
                    rule = line.split(' ').next().map(|name| (name.to_owned(), false));
                }
            }
        }
        end(&mut rule);
        all.extend(hits);
    }
    all
}

const COMPARED: [&str; 6] =
    ["strings.yar", "hex.yara", "regex.yar", "conditions.yar", "files.yar", "index.yar"];

#[test]
fn files_have_the_hits_of_yara() {
    if !has_yara("files_have_the_hits_of_yara") {
        return;
    }
    let folder = folder();
    let mut seen = 0;
    let extract = ["extract", "checkpoint.tar", "--to", "out", "--all", "--format", "json"];
    let extracted = run_in(folder.path(), &extract).json();
    let ours = with_rules(&folder, &COMPARED, &["--artifacts", "--format", "jsonl"]);
    let ours = records(&ours);
    for artifact in extracted["artifacts"].as_array().expect("a list") {
        let Some(name) = artifact["file"]["name"].as_str() else { continue };
        let theirs = yara(&folder.path().join("out").join(name), &COMPARED, 0);
        let mine = ours.iter().filter(|one| one["artifact"] == artifact["id"]).map(hit);
        assert_eq!(mine.collect::<BTreeSet<Hit>>(), theirs, "{name}");
        seen += theirs.len();
    }
    assert!(seen > 60, "{seen}");
}

#[test]
fn memory_has_the_hits_of_yara() {
    if !has_yara("memory_has_the_hits_of_yara") {
        return;
    }
    let folder = folder();
    let range = format!("{AT:#x}-{:#x}", AT + 0x3000);
    let dump =
        ["memdump", "checkpoint.tar", "--pid", "1", "--range", &range, "--as", "raw", "-o", "raw"];
    assert_eq!(run_in(folder.path(), &dump).status, 0);
    let names = ["strings.yar", "hex.yara", "regex.yar", "conditions.yar", "index.yar"];
    let theirs = yara(&folder.path().join("raw"), &names, AT);
    let without_place = |(rule, string, at): Hit| {
        if string.is_empty() { (rule, string, 0) } else { (rule, string, at) }
    };
    let ours = with_rules(&folder, &names, &["--memory", "--pid", "1", "--format", "jsonl"]);
    // The stack is no part of the dump that yara was given.
    let dumped = |hit: &Hit| hit.2 < AT + 0x3000;
    let ours: BTreeSet<Hit> =
        records(&ours).iter().map(hit).map(without_place).filter(dumped).collect();
    assert_eq!(ours, theirs);
    assert!(theirs.len() > 40, "{theirs:?}");
}

/// Every mapping of real processes, dumped as bare pages, under rules that one string is enough for.
#[test]
fn real_memory_has_the_hits_of_yara() {
    if !has_yara("real_memory_has_the_hits_of_yara") {
        return;
    }
    let names = ["strings.yar", "regex.yar"];
    let mut cases = vec![
        fixtures().join("looper-criu-4.2.tar.zst"),
        fixtures().join("evolve-with-stale-images.tar.zst"),
    ];
    if let Some(folder) = archives("real_memory_has_the_hits_of_yara") {
        cases.push(folder.join("02-shop-web/checkpoint.tar.zst"));
    }
    for evidence in cases {
        let evidence = evidence.to_str().expect("UTF-8");
        let folder = tempfile::tempdir().expect("a folder");
        let maps = run_in(folder.path(), &["maps", evidence, "--format", "json"]).json();
        let paths: Vec<String> = names
            .iter()
            .map(|name| rules().join(name).to_str().expect("UTF-8").to_owned())
            .collect();
        let mut args =
            vec!["scan", evidence, "--memory", "--format", "jsonl", "--max-matches", "1000000"];
        args.extend(paths.iter().flat_map(|path| ["--rules", path]));
        let ours: BTreeSet<(u64, Hit)> = records(&run_in(folder.path(), &args))
            .iter()
            .filter(|one| one["address"].is_string())
            .map(|one| (one["pid"].as_u64().expect("a pid"), hit(one)))
            .filter(|(_, hit)| hit.0 != "Text_FullWord")
            .collect();
        let mut theirs = BTreeSet::new();
        for process in maps["processes"].as_array().expect("a list") {
            let pid = process["pid"].as_u64().expect("a pid");
            for vma in process["vmas"].as_array().expect("a list") {
                let (start, end) =
                    (vma["start"].as_str().expect("start"), vma["end"].as_str().expect("end"));
                let size = |text: &str| u64::from_str_radix(&text[2..], 16).expect("an address");
                let file = vma["kind"].as_str().is_some_and(|kind| kind.starts_with("file"));
                if file && vma["dumped_pages"] == 0 || size(end) - size(start) > 64 << 20 {
                    continue;
                }
                let (range, pid_text) = (format!("{start}-{end}"), pid.to_string());
                let dump = [
                    "memdump", evidence, "--pid", &pid_text, "--range", &range, "--as", "raw",
                    "--sparse", "-o", "raw",
                ];
                run_in(folder.path(), &dump);
                let hits = yara(&folder.path().join("raw"), &names, size(start));
                theirs.extend(
                    hits.into_iter()
                        .filter(|hit| !hit.1.is_empty() && hit.0 != "Text_FullWord")
                        .map(|hit| (pid, hit)),
                );
            }
        }
        let missed: Vec<_> = theirs.difference(&ours).take(5).collect();
        let more: Vec<_> = ours.difference(&theirs).take(5).collect();
        assert!(
            missed.is_empty() && more.is_empty(),
            "{evidence}: missed {missed:?}, more {more:?}"
        );
        assert!(theirs.len() > 5, "{evidence}: {theirs:?}");
    }
}
