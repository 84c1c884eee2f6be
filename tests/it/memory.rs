//! `maps` and `memdump`: what they show, write and refuse.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use ckpt_synth::stories::{self, MAPPINGS_AT, SHARED_AT};
use ckpt_synth::{Archive, Dump, Task, Vma};

use crate::world::{Ran, fixtures, run_in};

const STEP: u64 = 0x100_0000;

/// A folder with `checkpoint.tar` in it.
fn folder(archive: &Archive) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("checkpoint.tar"), archive.tar()).expect("written");
    folder
}

fn mappings() -> tempfile::TempDir {
    folder(&Archive::podman(&stories::every_mapping()))
}

fn run(folder: &tempfile::TempDir, args: &[&str]) -> Ran {
    run_in(folder.path(), args)
}

/// A range as the command line takes it.
fn range(start: u64, len: u64) -> String {
    format!("{start:#x}+{len}")
}

/// A process with memory to notice: code that runs and is written, code of a memfd, a patched program.
fn odd() -> Archive {
    let text: Vec<u8> = (0..8192u32).map(|at| (at % 251) as u8).collect();
    let mut patched = text[4096..].to_vec();
    patched[100] ^= 0xff;
    let mut elf = b"\x7fELF\x02\x01\x01\0".to_vec();
    elf.resize(64, 0);
    let mut dump = Dump::new();
    dump.memfd("\x1b[31mpayload", 9001, 4096, &[(0, b"code")]).task(
        Task::new(1, 0)
            .comm("odd\x1b[2J")
            .map(Vma::deleted_file(0x10_0000, 8192, "/bin/\x1b[1modd", 0, text.clone()).prot(5))
            .pages(0x10_1000, patched)
            .map(Vma::anon(0x1040_0000, 0x4000).prot(7))
            .pages(0x1040_2000, elf)
            .map(Vma::memfd(0x1050_0000, 4096, "\x1b[31mpayload").prot(5)),
    );
    Archive::podman(&dump)
}

#[test]
fn maps_of_every_kind() {
    insta::assert_snapshot!(
        "maps-kinds",
        run(&mappings(), &["maps", "checkpoint.tar"]).transcript()
    );
    let shared = folder(&Archive::podman(&stories::shared_memory()));
    insta::assert_snapshot!("maps-shared", run(&shared, &["maps", "checkpoint.tar"]).transcript());
    let odd = folder(&odd());
    insta::assert_snapshot!(
        "maps-marked",
        run(&odd, &["maps", "checkpoint.tar", "--marked"]).transcript()
    );
    insta::assert_snapshot!(
        "maps-marked-json",
        run(&odd, &["maps", "checkpoint.tar", "--marked", "--format", "json"]).transcript()
    );
    insta::assert_snapshot!(
        "maps-modules",
        run(&odd, &["maps", "checkpoint.tar", "--modules"]).transcript()
    );
}

/// The mark of a fileless program is on its code, which is not where it begins.
#[test]
fn a_module_is_shown_when_any_of_its_mappings_is() {
    let mut elf = b"\x7fELF\x02\x01\x01\0".to_vec();
    elf.resize(4096, 0);
    let mut dump = Dump::new();
    dump.memfd("payload", 9001, 0x3000, &[(0, elf.as_slice())]).task(
        Task::new(1, 0)
            .comm("odd")
            .map(Vma::memfd(0x1050_0000, 0x1000, "payload").prot(1))
            .map(Vma::memfd(0x1050_1000, 0x1000, "payload").offset(0x1000).prot(5))
            .map(Vma::anon(0x1050_3000, 0x1000)),
    );
    let folder = folder(&Archive::podman(&dump));
    let starts = |args: &[&str]| -> Vec<String> {
        let all = [&["maps", "checkpoint.tar", "--modules"], args].concat();
        let table = run(&folder, &all).stdout;
        let ran = run(&folder, &[&all[..], &["--format", "json"]].concat()).json();
        let modules = ran["processes"][0]["modules"].as_array().expect("modules").clone();
        let starts = modules.iter().map(|one| one["start"].as_str().expect("an address"));
        let starts: Vec<String> = starts.map(str::to_owned).collect();
        let row = |start: &String| format!("{:0>12}-", &start[2..]);
        assert!(starts.iter().all(|start| table.contains(&row(start))), "{args:?}: {table}");
        assert_eq!(table.contains("memfd:payload"), starts.contains(&"0x10500000".to_owned()));
        starts
    };
    assert_eq!(starts(&["--marked"]), ["0x10500000"]);
    assert!(starts(&["--vma", "exec"]).contains(&"0x10500000".to_owned()));
    assert_eq!(starts(&["--vma", "anon"]), [""; 0]);
}

#[test]
fn memory_of_the_bundled_checkpoints() {
    let folder = fixtures();
    for (name, file) in [
        ("4.2", "looper-criu-4.2.tar.zst"),
        ("3.17", "looper-criu-3.17.tar.zst"),
        ("aarch64-16k", "looper-aarch64-16k.tar.zst"),
    ] {
        let maps = run_in(&folder, &["maps", file]);
        insta::assert_snapshot!(format!("maps-looper-{name}"), maps.transcript());
        let sizes = run_in(&folder, &["memdump", file]);
        insta::assert_snapshot!(format!("memdump-looper-{name}"), sizes.transcript());
    }
    let stack = ["memdump", "looper-criu-4.2.tar.zst", "--pid", "2", "--vma", "stack"];
    insta::assert_snapshot!("memdump-hex", run_in(&folder, &stack).transcript());
    let json = ["memdump", "looper-criu-4.2.tar.zst", "--format", "json"];
    insta::assert_snapshot!("memdump-json", run_in(&folder, &json).transcript());
}

#[test]
fn what_is_missing_is_said_and_never_shown_as_zeros() {
    let folder = mappings();
    let lazy = range(MAPPINGS_AT + 5 * STEP, 0x4000);
    let hex = run(&folder, &["memdump", "checkpoint.tar", "--pid", "1", "--range", &lazy]);
    assert!(hex.stdout.contains("left behind for lazy migration"), "{}", hex.transcript());
    assert!(hex.stdout.contains("in the parent checkpoint"), "{}", hex.transcript());
    assert!(!hex.stdout.contains("00 00"), "{}", hex.transcript());
    let raw =
        ["memdump", "checkpoint.tar", "--pid", "1", "--range", &lazy, "--as", "raw", "-o", "f"];
    let refused = run(&folder, &raw);
    assert_eq!(refused.status, 2);
    assert!(refused.stderr.contains("--sparse"), "{}", refused.stderr);
    assert!(!folder.path().join("f").exists(), "nothing is written");
    let sparse = run(&folder, &[&raw[..], &["--sparse"]].concat());
    assert!(sparse.stderr.contains("zeros stand for what is missing"), "{}", sparse.stderr);
    assert_eq!(std::fs::read(folder.path().join("f")).expect("the file"), vec![0; 0x4000]);
}

#[test]
fn raw_bytes_are_exact_wherever_they_come_from() {
    let folder = folder(&Archive::podman(&stories::shared_memory()));
    let read = |pid: &str, start: u64, len: u64| {
        let range = range(start, len);
        let args = ["memdump", "checkpoint.tar", "--pid", pid, "--range", &range, "--as", "raw"];
        let ran = run(&folder, &args);
        assert_eq!(ran.status, 0, "{}", ran.transcript());
        ran.stdout
    };
    assert_eq!(read("1", SHARED_AT, 7), "in ring");
    assert_eq!(read("1", SHARED_AT + 0x1ffe, 7), "\0\0later");
    assert_eq!(read("2", SHARED_AT + 1, 4), "ater");
    assert_eq!(read("1", SHARED_AT + 2 * STEP, 9), "sysv zero");
}

#[test]
fn mappings_go_to_files_with_an_index() {
    let folder = mappings();
    let args = ["memdump", "checkpoint.tar", "--pid", "1", "--as", "raw", "--to", "out"];
    let ran = run(&folder, &args);
    assert_eq!(ran.status, 3, "{}", ran.transcript());
    let out = folder.path().join("out");
    let index = std::fs::read_to_string(out.join("index.json")).expect("an index");
    let index: serde_json::Value = serde_json::from_str(&index).expect("JSON");
    assert_eq!(index["schema"], "ckpt-inspect/memdump-index/1");
    let at = |start: u64| {
        let all = index["mappings"].as_array().expect("mappings");
        let start = format!("{start:#x}");
        all.iter().find(|one| one["start"] == *start).expect("the mapping").clone()
    };
    let first = at(MAPPINGS_AT);
    let file = std::fs::read(out.join(first["file"].as_str().expect("a file"))).expect("read");
    assert_eq!((file.len() as u64, &file[..6]), (3 * 4096, &b"anon 0"[..]));
    assert_eq!(&file[8192..8198], b"anon 2");
    assert_eq!(first["file_size"], 3 * 4096);
    let origins: Vec<&str> = first["spans"]
        .as_array()
        .expect("spans")
        .iter()
        .map(|span| span["origin"].as_str().expect("an origin"))
        .collect();
    assert_eq!(origins, ["dumped", "zero", "dumped", "zero"]);
    assert_eq!(at(MAPPINGS_AT + STEP)["file"], serde_json::Value::Null);
    let again = run(&folder, &args);
    assert_eq!(again.status, 2, "names are taken");
}

#[test]
fn cores_are_written_whole_or_not_at_all() {
    let folder = fixtures();
    let to = tempfile::tempdir().expect("a folder");
    let to_file = to.path().join("core");
    let to_file = to_file.to_str().expect("UTF-8");
    let args = ["memdump", "looper-criu-4.2.tar.zst", "--pid", "1", "--as", "core", "-o", to_file];
    let ran = run_in(&folder, &args);
    assert_eq!(ran.status, 0, "{}", ran.transcript());
    let core = std::fs::read(to_file).expect("a core");
    assert_eq!((&core[..5], core[16]), (&b"\x7fELF\x02"[..], 4));
    let all = to.path().join("all");
    let all = all.to_str().expect("UTF-8");
    let args = ["memdump", "looper-criu-4.2.tar.zst", "--as", "core", "--to", all];
    assert_eq!(run_in(&folder, &args).status, 0);
    assert_eq!(std::fs::read(format!("{all}/core.1")).expect("a core"), core);
    assert!(std::fs::exists(format!("{all}/core.2")).expect("the folder"));
    let several =
        run_in(&folder, &["memdump", "looper-criu-4.2.tar.zst", "--as", "core", "-o", "x"]);
    assert_eq!(several.status, 2);
    assert!(several.stderr.contains("--pid"), "{}", several.stderr);
}

#[test]
fn errors_of_memory() {
    let folder = mappings();
    let mut all = String::new();
    for args in [
        &["memdump", "checkpoint.tar", "--pid", "77"][..],
        &["memdump", "checkpoint.tar", "--comm", "nobody*"],
        &["memdump", "checkpoint.tar", "--pid", "1", "--range", "0x1000-0x2000"],
        &["memdump", "checkpoint.tar", "--pid", "1", "--range", "0x2000-0x1000"],
        &["memdump", "checkpoint.tar", "--pid", "1", "--range", "here"],
        &["memdump", "checkpoint.tar", "--pid", "1", "--vma", "roodle"],
        &["memdump", "checkpoint.tar", "--pid", "1", "--vma", "file:["],
        &["memdump", "checkpoint.tar", "--pid", "1", "--as", "raw"],
        &["memdump", "checkpoint.tar", "--pid", "1", "--rootfs", "absent"],
        &["memdump", "checkpoint.tar", "--pid", "1", "--base", "."],
        &["maps", "checkpoint.tar", "--pid", "77"],
        &["memdump", "checkpoint.tar", "--pid", "1", "--vma", "file:/nothing"],
        &["memdump", "checkpoint.tar", "--vma", "file:/nothing", "--as", "raw", "--to", "out"],
        &["memdump", "checkpoint.tar", "--pid", "1", "--sparse"],
        &["memdump", "checkpoint.tar", "--as", "raw", "--to", "out", "--sparse"],
        &[
            "memdump",
            "checkpoint.tar",
            "--range",
            "0x700000000000+16",
            "--vma",
            "anon",
            "--as",
            "raw",
        ],
        &["memdump", "checkpoint.tar", "--vma", "anon", "--format", "json"],
        &["maps", "checkpoint.tar", "--comm", "nobody*", "--pid", "1"],
    ] {
        let ran = run(&folder, args);
        assert_eq!(ran.status, 2, "{args:?}: {}", ran.transcript());
        all.push_str(&format!("$ ckpt-inspect {}\n{}", args.join(" "), ran.transcript()));
    }
    insta::assert_snapshot!("errors-memory", all);
    assert!(!folder.path().join("out").exists(), "nothing is written");
}

/// Two processes, and one that has ended.
fn ended() -> tempfile::TempDir {
    let mut dump = Dump::new();
    let anon = |pid: u32, parent: u32, comm: &str| {
        Task::new(pid, parent).comm(comm).map(Vma::anon(0x1_0000, 0x1000))
    };
    dump.task(anon(1, 0, "init").pages(0x1_0000, b"some text".to_vec()))
        .task(anon(3, 1, "worker"))
        .zombie(2, 1, 0, "gone");
    folder(&Archive::podman(&dump))
}

#[test]
fn what_a_process_that_has_ended_lacks_is_said() {
    let folder = ended();
    for command in [
        &["maps", "checkpoint.tar"][..],
        &["strings", "checkpoint.tar"],
        &["search", "checkpoint.tar", "--literal", "some"],
        &["memdump", "checkpoint.tar", "--format", "json"],
    ] {
        let one = run(&folder, &[command, &["--pid", "2"]].concat());
        assert_eq!(one.status, 0, "{}", one.transcript());
        assert_eq!(one.stderr, "note: process 2 has no memory: it has ended\n", "{command:?}");
        let comm = run(&folder, &[command, &["--comm", "gone"]].concat());
        assert_eq!(comm.stderr, one.stderr, "{command:?}");
        let all = run(&folder, command);
        assert_eq!(all.stderr, "", "nobody asked for it: {command:?}");
    }
    let both = run(&folder, &["memdump", "checkpoint.tar", "--pid", "1", "--pid", "2"]);
    assert!(both.stdout.contains("some text"), "{}", both.transcript());
    assert!(both.stderr.contains("process 2 has no memory"), "{}", both.transcript());
}

#[test]
fn sizes_of_chosen_processes_are_had_as_json() {
    let folder = ended();
    let pids = |args: &[&str]| {
        let args = [&["memdump", "checkpoint.tar", "--format", "json"], args].concat();
        let document = run(&folder, &args).json();
        let processes = document["processes"].as_array().expect("processes");
        processes.iter().filter_map(|one| one["pid"].as_u64()).collect::<Vec<_>>()
    };
    assert_eq!(pids(&[]), [1, 3]);
    assert_eq!(pids(&["--pid", "3"]), [3]);
    assert_eq!(pids(&["--comm", "in*"]), [1]);
    assert_eq!(pids(&["--pid", "2"]), [0; 0]);
}

#[test]
fn a_name_that_is_there_is_not_said_to_be_absent() {
    let folder = ended();
    let ran = run(&folder, &["maps", "checkpoint.tar", "--comm", "w*", "--pid", "1"]);
    assert_eq!(ran.status, 2);
    let said = "--pid and --comm have no process in common: --pid names 1 init, --comm 3 worker";
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ckpt-inspect"))
        .args(["memdump", "looper-criu-4.2.tar.zst", "--pid", "1"])
        .current_dir(fixtures())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    drop(child.stdout.take());
    let ended = child.wait_with_output().expect("it ends");
    assert!(ended.status.success());
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
}

#[test]
fn a_full_disk_leaves_no_file() {
    let full = PathBuf::from("/dev/full");
    if !full.exists() {
        eprintln!("a_full_disk_leaves_no_file: skipped, there is no /dev/full");
        return;
    }
    let ended = Command::new(env!("CARGO_BIN_EXE_ckpt-inspect"))
        .args(["memdump", "looper-criu-4.2.tar.zst", "--pid", "1", "--as", "core"])
        .current_dir(fixtures())
        .stdout(std::fs::OpenOptions::new().write(true).open(full).expect("opened"))
        .output()
        .expect("the program runs");
    assert_eq!(ended.status.code(), Some(2));
    let stderr = String::from_utf8_lossy(&ended.stderr);
    assert!(stderr.contains("No space left"), "{stderr}");
}

#[test]
fn hostile_memory_ends_in_time() {
    let mut million = Task::new(1, 0).comm("million");
    for n in 0..1_000_000u64 {
        million = million.map(Vma::anon(0x1000_0000 + n * 0x2000, 0x1000));
    }
    let mut many = Dump::new();
    many.task(million);
    let many = folder(&Archive::podman(&many));
    let began = std::time::Instant::now();
    let maps = run(&many, &["maps", "checkpoint.tar", "--format", "jsonl"]);
    assert_eq!(maps.status, 0, "{}", maps.stderr);
    assert_eq!(maps.stdout.matches("\"kind\":\"anon\"").count(), 1_000_000);
    let core = run(&many, &["memdump", "checkpoint.tar", "--pid", "1", "--as", "core", "-o", "c"]);
    assert_eq!(core.status, 0, "{}", core.stderr);
    assert!(began.elapsed().as_secs() < 120, "{:?}", began.elapsed());

    let claims = Task::new(1, 0)
        .comm("claims")
        .map(Vma::anon(0x1000_0000, 0x1000))
        .pages_elsewhere(0x1000_0000, 1 << 63);
    let mut huge = Dump::new();
    huge.task(claims);
    let huge = folder(&Archive::podman(&huge));
    for command in [&["maps", "checkpoint.tar"][..], &["memdump", "checkpoint.tar", "--pid", "1"]] {
        let ran = run(&huge, command);
        assert_eq!(ran.status, 3, "{}", ran.transcript());
        assert!(ran.stderr.contains("do not fit the address space"), "{}", ran.stderr);
    }

    let mut cut = Archive::podman(&stories::every_mapping());
    cut.without("checkpoint/pages-1.img");
    let cut = folder(&cut);
    let ran = run(&cut, &["maps", "checkpoint.tar"]);
    assert_eq!(ran.status, 3);
    assert!(ran.stderr.contains("pages-1.img is missing"), "{}", ran.stderr);
    let ran =
        run(&cut, &["memdump", "checkpoint.tar", "--pid", "1", "--range", "0x700000000000+16"]);
    assert!(ran.stdout.contains("the pages file is missing"), "{}", ran.transcript());
}
