//! Help, errors, formats, standard input, output files.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ckpt_synth::{Archive, Dump, Task, Vma, stories};

use crate::world::{fixtures, run_in, run_with};

const LOOPER: &str = "looper-criu-4.2.tar.zst";

const COMMANDS: [&str; 19] = [
    "info",
    "list",
    "tree",
    "files",
    "maps",
    "memdump",
    "strings",
    "scan",
    "search",
    "extract",
    "verify",
    "diff",
    "show",
    "timeline",
    "report",
    "triage",
    "build",
    "completions",
    "man",
];

#[test]
fn help_of_every_command() {
    let folder = fixtures();
    insta::assert_snapshot!("help", run_in(&folder, &["--help"]).transcript());
    for command in COMMANDS {
        let name = format!("help-{command}");
        insta::assert_snapshot!(name, run_in(&folder, &[command, "--help"]).transcript());
    }
    #[cfg(feature = "trigger")]
    insta::assert_snapshot!("help-trigger", run_in(&folder, &["trigger", "--help"]).transcript());
}

/// What examples begin with.
const PROGRAMS: [&str; 4] = ["ckpt-inspect ", "gdb ", "skopeo ", "zstd "];

/// The words of each example in a help text, as a shell would split them.
fn examples(help: &str) -> Vec<Vec<String>> {
    let mut lines: Vec<String> = Vec::new();
    let text = help.lines().skip_while(|line| *line != "Examples:").skip(1);
    for line in text.take_while(|line| line.starts_with("  ")) {
        let line = line.trim_start();
        match lines.last_mut() {
            // What does not begin with a program goes on from the line before.
            Some(last) if !PROGRAMS.iter().any(|program| line.starts_with(program)) => {
                *last = format!("{last} {line}");
            }
            _ => lines.push(line.to_owned()),
        }
    }
    lines.iter().filter_map(|line| line.strip_prefix("ckpt-inspect ")).map(words).collect()
}

/// Up to a pipe, a redirection or the explanation behind two spaces.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let (mut quote, mut spaces) = (None, 0);
    for c in line.chars() {
        let word = words.last_mut().expect("a word");
        match (c, quote) {
            (_, Some(open)) if c == open => quote = None,
            (_, Some(_)) => word.push(c),
            ('\'' | '"', None) => quote = Some(c),
            ('|' | '>' | '&', None) => break,
            (' ', None) if spaces == 1 => break,
            (' ', None) => words.push(String::new()),
            _ => word.push(c),
        }
        spaces = if c == ' ' && quote.is_none() { spaces + 1 } else { 0 };
    }
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn examples_of_every_help_are_understood() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut all = examples(&run_in(folder.path(), &["--help"]).stdout);
    let trigger = cfg!(feature = "trigger").then_some("trigger");
    for command in COMMANDS.into_iter().chain(trigger) {
        let of_command = examples(&run_in(folder.path(), &[command, "--help"]).stdout);
        assert!(of_command.iter().all(|words| words[0] == command), "{of_command:?}");
        all.extend(of_command);
    }
    all.retain(|words| trigger.is_some() || words[0] != "trigger");
    assert!(all.len() > 80, "{all:?}");
    for example in &all {
        let mut words: Vec<&str> = example.iter().map(String::as_str).collect();
        // These write or ask elsewhere: they are only read.
        let read_only = ["trigger", "completions", "man", "list"].contains(&words[0]);
        if read_only {
            words.push("--help");
        }
        let ran = run_in(folder.path(), &words);
        let absent = !read_only && ran.stderr.contains("No such file or directory");
        let reads_stdin = words.contains(&"-") && ran.stderr.contains("cannot open");
        assert!(ran.status == 0 || absent || reads_stdin, "{words:?}: {}", ran.transcript());
    }
}

#[test]
fn completions_and_man_pages_are_made() {
    let folder = fixtures();
    for shell in ["bash", "zsh", "fish"] {
        let ran = run_in(&folder, &["completions", shell]);
        assert_eq!(ran.status, 0);
        assert!(ran.stdout.contains("ckpt-inspect"), "{shell}");
    }
    assert!(run_in(&folder, &["man"]).stdout.contains(".TH ckpt-inspect"));
    let to = tempfile::tempdir().expect("a folder");
    let ran = run_in(&folder, &["man", "--to", to.path().to_str().expect("UTF-8")]);
    assert_eq!(ran.status, 0);
    assert!(to.path().join("ckpt-inspect-tree.1").is_file());
}

#[test]
fn standard_input_is_evidence_too() {
    let folder = fixtures();
    let file = run_in(&folder, &["tree", LOOPER, "--format", "json"]).json();
    let stdin = File::open(folder.join(LOOPER)).expect("the fixture");
    let piped = run_with(&folder, &["tree", "-", "--format", "json"], Stdio::from(stdin)).json();
    assert_eq!(file["processes"], piped["processes"]);
    assert_eq!(piped["evidence"]["path"], "-");
}

#[test]
fn an_output_file_appears_whole_and_holds_what_was_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    let evidence = fixtures().join(LOOPER);
    let evidence = evidence.to_str().expect("UTF-8");
    let ran = run_in(folder.path(), &["tree", evidence, "--format", "json", "-o", "tree.json"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (0, ""), "{}", ran.stderr);
    let written = std::fs::read_to_string(folder.path().join("tree.json")).expect("the file");
    assert_eq!(written, run_in(folder.path(), &["tree", evidence, "--format", "json"]).stdout);
    let left: Vec<_> = std::fs::read_dir(folder.path()).expect("the folder").collect();
    assert_eq!(left.len(), 1, "nothing but the file is left: {left:?}");
    for name in ["new/", ".", "nowhere/x"] {
        let ran = run_in(folder.path(), &["tree", evidence, "-o", name]);
        assert_eq!(ran.status, 2, "{name}: {}", ran.transcript());
    }
}

#[test]
fn a_program_that_is_killed_leaves_nothing_half_written() {
    let folder = tempfile::tempdir().expect("a folder");
    // Standard input that never ends keeps the program waiting behind its open output.
    let mut child = Command::new(env!("CARGO_BIN_EXE_ckpt-inspect"))
        .args(["strings", "-", "-o", "strings.txt"])
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let open = format!("/proc/{}/fd", child.id());
    let here = |target: PathBuf| target.starts_with(folder.path());
    let waits = || {
        let descriptors = std::fs::read_dir(&open).expect("its descriptors");
        descriptors.flatten().any(|fd| std::fs::read_link(fd.path()).is_ok_and(here))
    };
    let end = Instant::now() + Duration::from_secs(60);
    while !waits() {
        assert!(Instant::now() < end, "the program opened no output");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().expect("killed");
    child.wait().expect("ended");
    let left: Vec<_> = std::fs::read_dir(folder.path()).expect("the folder").collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn evidence_is_never_written_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    std::fs::copy(fixtures().join(LOOPER), at("cp")).expect("copied");
    std::fs::hard_link(at("cp"), at("hard")).expect("linked");
    symlink("cp", at("soft")).expect("linked");
    std::fs::create_dir(at("dir")).expect("made");
    Archive::podman(&stories::looper()).write_to(&at("dir")).expect("unpacked");
    std::fs::write(at("rules.yar"), "rule r { condition: true }").expect("written");
    let before = tree(folder.path());
    let mut said = String::new();
    for args in [
        &["tree", "cp", "-o", "cp"][..],
        &["tree", "./cp", "-o", "hard"],
        &["tree", "soft", "-o", "cp"],
        &["maps", "cp", "--format", "json", "-o", "soft"],
        &["timeline", "cp", "-o", "cp"],
        &["report", "cp", "-o", "cp"],
        &["diff", "dir", "cp", "-o", "cp"],
        &["diff", "dir", "--base", "cp", "-o", "cp"],
        &["tree", "dir", "--parent", "cp", "-o", "cp"],
        &["show", "cp", "core-1.img", "-o", "cp"],
        &["tree", "dir", "-o", "dir/config.dump"],
        &["tree", "dir", "-o", "dir/new"],
        &["verify", "dir", "--manifest", "dir/new"],
        &["verify", "cp", "--manifest", "new", "-o", "new"],
        &["extract", "dir", "--to", "dir/new"],
        &["memdump", "dir", "--as", "core", "--to", "dir"],
        &["tree", "cp", "--spool", "dir", "--parent", "dir"],
        &["build", "dir", "--to", "dir/new"],
        &["build", "cp", "--to", "dir"],
        &["build", "cp", "--to", "cp"],
        &["list", ".", "-o", "cp"],
        &["tree", "cp", "-o", "dir"],
    ] {
        let ran = run_in(folder.path(), args);
        assert_eq!(ran.status, 2, "{args:?}: {}", ran.transcript());
        assert_eq!(tree(folder.path()), before, "{args:?}");
        said.push_str(&format!("$ ckpt-inspect {}\n{}", args.join(" "), ran.stderr));
    }
    insta::assert_snapshot!("written-over", said);
}

/// Every file below a folder with its content.
fn tree(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("the folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && !path.is_symlink() {
            files.extend(tree(&path));
        } else {
            let content = std::fs::read(&path).expect("a file");
            files.insert(path, content);
        }
    }
    files
}

#[test]
fn what_is_no_regular_file_is_written_into_and_not_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    let evidence = fixtures().join(LOOPER);
    let evidence = evidence.to_str().expect("UTF-8");
    let plain = run_in(folder.path(), &["tree", evidence]).stdout;
    let core = ["memdump", evidence, "--pid", "1", "--as", "core", "-o"];
    assert_eq!(run_in(folder.path(), &[&core[..], &["core"]].concat()).status, 0);

    let pipe = folder.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().expect("mkfifo");
    assert!(made.success());
    for (args, expected) in [
        (&["tree", evidence, "-o", "pipe"][..], plain.clone().into_bytes()),
        (&[&core[..], &["pipe"]].concat(), std::fs::read(folder.path().join("core")).expect("it")),
    ] {
        let reader = {
            let pipe = pipe.clone();
            std::thread::spawn(move || std::fs::read(pipe).expect("the pipe"))
        };
        let ran = run_in(folder.path(), args);
        assert_eq!((ran.status, ran.stdout.as_str()), (0, ""), "{}", ran.stderr);
        assert!(reader.join().expect("the reader") == expected, "{args:?}");
        assert!(pipe.metadata().expect("the pipe").file_type().is_fifo(), "it is a pipe still");
    }
    for name in ["/dev/stdout", "-"] {
        let ran = run_in(folder.path(), &["tree", evidence, "-o", name]);
        assert_eq!((ran.status, &ran.stdout), (0, &plain), "{name}: {}", ran.stderr);
    }

    std::fs::write(folder.path().join("old"), "old").expect("written");
    symlink("old", folder.path().join("link")).expect("linked");
    assert_eq!(run_in(folder.path(), &["tree", evidence, "-o", "link"]).status, 0);
    assert!(folder.path().join("link").is_symlink(), "the link is followed, and stays");
    assert_eq!(std::fs::read_to_string(folder.path().join("old")).expect("the file"), plain);
}

#[test]
fn names_of_evidence_lose_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let name = OsStr::from_bytes(b"a\xff\x1b[31m.tar.zst");
    std::fs::copy(fixtures().join(LOOPER), folder.path().join(name)).expect("copied");
    let run = |args: &[&OsStr]| {
        let output = Command::new(env!("CARGO_BIN_EXE_ckpt-inspect"))
            .args(args)
            .current_dir(folder.path())
            .output()
            .expect("the program runs");
        String::from_utf8([output.stdout, output.stderr].concat()).expect("UTF-8")
    };
    let json: serde_json::Value =
        serde_json::from_str(&run(&["info".as_ref(), name, "--format=json".as_ref()]))
            .expect("JSON");
    assert_eq!(json["evidence"]["path"], "a\\xff\u{1b}[31m.tar.zst");
    let bytes = json["evidence"]["path_base64"].as_str().expect("bytes");
    let bytes = data_encoding::BASE64.decode(bytes.as_bytes()).expect("base64");
    assert_eq!(bytes, name.as_bytes());
    for args in [&["info".as_ref(), name][..], &["list".as_ref(), ".".as_ref()]] {
        let shown = run(args);
        assert!(!shown.contains('\u{1b}') && !shown.contains('\u{fffd}'), "{shown:?}");
        assert!(shown.contains("xff") && shown.contains("x1b[31m.tar.zst"), "{shown:?}");
    }
}

#[test]
fn a_full_disk_is_told_with_what_was_written() {
    let full = || File::options().write(true).open("/dev/full").expect("a device that is full");
    for args in [&["tree", LOOPER][..], &["strings", LOOPER], &["tree", LOOPER, "--format=json"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_ckpt-inspect"))
            .args(args)
            .current_dir(fixtures())
            .stdout(full())
            .output()
            .expect("the program runs");
        let said = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("standard output: No space left on device"), "{args:?}: {said}");
    }
    let ran = run_in(&fixtures(), &["strings", LOOPER, "-o", "/dev/full"]);
    assert_eq!(ran.status, 2);
    assert!(ran.stderr.contains("cannot write to /dev/full: No space left"), "{}", ran.stderr);
}

#[test]
fn evidence_that_is_lost_while_it_is_read_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("checkpoint.tar");
    // More lines than a pipe and all that is ahead of it hold.
    let mut dump = Dump::new();
    let text = b"what nobody reads yet\n".repeat(2 << 20);
    let len = text.len().next_multiple_of(4096) as u64;
    dump.task(Task::new(1, 0).map(Vma::anon(0x7000_0000_0000, len)).pages(0x7000_0000_0000, text));
    std::fs::write(&path, Archive::podman(&dump).tar()).expect("written");
    let mut child = Command::new(env!("CARGO_BIN_EXE_ckpt-inspect"))
        .args(["strings", "checkpoint.tar"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut first = [0; 16];
    let stdout = child.stdout.as_mut().expect("a pipe");
    stdout.read_exact(&mut first).expect("the first line");
    File::options().write(true).open(&path).expect("it").set_len(4096).expect("shortened");
    let output = child.wait_with_output().expect("the program ends");
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("the evidence cannot be read any more"), "{said}");
}

#[test]
fn where_no_thread_can_be_had_one_does_everything() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("a.tar"), Archive::podman(&stories::looper()).tar()).expect("written");
    std::fs::write(at("b.tar"), Archive::podman(&stories::every_mapping()).tar()).expect("written");
    std::fs::write(at("r.yar"), "rule r { strings: $a = \"a\" condition: $a }").expect("written");
    let run = |args: &[&str], stack: Option<&str>| {
        let _ = std::fs::remove_dir_all(at("to"));
        let output = Command::new(env!("CARGO_BIN_EXE_ckpt-inspect"))
            .args(args)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .envs(stack.map(|stack| ("RUST_MIN_STACK", stack)))
            .output()
            .expect("the program runs");
        let said = String::from_utf8([output.stdout, output.stderr].concat()).expect("UTF-8");
        let written = if at("to").exists() { tree(&at("to")) } else { BTreeMap::new() };
        (output.status.code(), said, written)
    };
    for args in [
        &["strings", "a.tar"][..],
        &["search", "a.tar", "-l", "a"],
        &["scan", "b.tar", "--secrets"],
        &["scan", "a.tar", "--rules", "r.yar"],
        &["triage", "a.tar"],
        &["diff", "a.tar", "b.tar"],
        &["extract", "b.tar", "--all", "--to", "to"],
        &["memdump", "b.tar", "--as", "core", "--to", "to"],
    ] {
        let plenty = run(args, None);
        // No system has room for the stack of a thread that is so large.
        let none = run(args, Some("9007199254740992"));
        assert!(none == plenty, "{args:?}: {} where there was {}", none.1, plenty.1);
        assert!(matches!(none.0, Some(0 | 3)), "{args:?}: {}", none.1);
    }
}

#[test]
fn processes_are_named_one_by_one_or_in_a_list() {
    let folder = fixtures();
    let one_by_one = run_in(&folder, &["maps", LOOPER, "--pid", "1", "--pid", "2"]);
    let list = run_in(&folder, &["maps", LOOPER, "--pid", "1,2"]);
    assert_eq!((list.status, &list.stdout), (0, &one_by_one.stdout), "{}", list.stderr);
    assert_ne!(list.stdout, run_in(&folder, &["maps", LOOPER, "--pid", "1"]).stdout);
}

#[test]
fn json_lines_are_one_process_each() {
    let ran = run_in(&fixtures(), &["tree", LOOPER, "--format", "jsonl"]);
    let pids: Vec<u64> = ran
        .stdout
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).expect("JSON")["pid"]
                .as_u64()
                .expect("a pid")
        })
        .collect();
    assert_eq!(pids, [1, 2]);
}

#[test]
fn errors_say_what_where_and_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("empty"), b"").expect("a file");
    std::fs::write(
        folder.path().join("zip"),
        b"PK\x03\x04rest of a zip file, which is no checkpoint",
    )
    .expect("a file");
    std::fs::write(folder.path().join("noise"), [0x5au8; 4096]).expect("a file");
    std::fs::create_dir(folder.path().join("nothing")).expect("a folder");
    let mut all = String::new();
    for args in [
        &["tree", "absent.tar"][..],
        &["tree", "empty"],
        &["tree", "zip"],
        &["tree", "noise"],
        &["tree", "nothing"],
        &["list", "absent"],
        &["show", "absent.img"],
    ] {
        let ran = run_in(folder.path(), args);
        assert_eq!(ran.status, 2, "{args:?}");
        all.push_str(&format!("$ ckpt-inspect {}\n{}", args.join(" "), ran.transcript()));
    }
    let evidence = fixtures().join(LOOPER);
    let ran = run_in(folder.path(), &["tree", evidence.to_str().expect("UTF-8"), "--pid", "77"]);
    all.push_str(&format!("$ ckpt-inspect tree --pid 77\n{}", ran.transcript()));
    let ran = run_in(&fixtures(), &["tree", LOOPER, "--images", "elsewhere"]);
    all.push_str(&format!("$ ckpt-inspect tree --images elsewhere\n{}", ran.transcript()));
    insta::assert_snapshot!("errors", all);
}
