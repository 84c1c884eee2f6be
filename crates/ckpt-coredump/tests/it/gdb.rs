//! What gdb and readelf say of cores, held against what the kernel said of the processes while they still ran.
//!
//! gdb warns of every mapped file that it cannot open, whoever wrote the core: a container's files are not the
//! analyst's. Here empty files stand in for them, so that every other warning shows.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use ckpt_coredump::{Core, CoreOptions};
use ckpt_memory::{AddressSpace, Backing, Piece, VirtAddr};
use ckpt_model::{Arch, Checkpoint, FillOptions, Pid, Task};
use criu_image::messages::{CoreEntry, ThreadInfoX86};
use serde_json::Value;
use tempfile::TempDir;

use crate::architectures::{MACHINES, checkpoint};
use crate::reader::Parsed;
use crate::world::{ANON, PAGE, PRESENT, space, task, vma};

/// A core as a file, with files in place of those that were mapped.
struct Session {
    folder: TempDir,
    program: &'static str,
    /// Where gdb looks for the mapped files.
    root: PathBuf,
}

impl Session {
    /// `None`, after saying so, when there is no debugger for the core.
    fn new(test: &str, task: &Task, memory: &AddressSpace, options: &CoreOptions) -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let core = Core::of(task, memory, options);
        core.write_sparse_to(&mut File::create(folder.path().join("core")).unwrap()).unwrap();
        let mut bytes = Vec::new();
        core.write_to(&mut bytes).unwrap();
        let parsed = Parsed::new(bytes);
        for name in mapped_files(&parsed) {
            let path = folder.path().join("root").join(name.trim_start_matches('/'));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            File::create(path).unwrap();
        }
        let program = if matches!(parsed.machine, 3 | 62) { "gdb" } else { "gdb-multiarch" };
        if Command::new(program).arg("--version").output().is_err() {
            eprintln!("{test}: skipped, there is no {program}");
            return None;
        }
        let root = folder.path().join("root");
        Some(Self { folder, program, root })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What gdb prints, without a warning, for these commands.
    fn run(&self, commands: &[&str]) -> String {
        let mut gdb = Command::new(self.program);
        // Without a home gdb warns that it has no place for an index cache.
        gdb.env_clear().env("HOME", self.folder.path()).env("PATH", "/usr/bin:/bin");
        gdb.args(["-nx", "-batch", "-iex", "set auto-load off", "-iex", "set width 0"]);
        gdb.args(["-iex", &format!("set sysroot {}", self.root.display())]);
        gdb.arg("-c").arg(self.path("core"));
        for command in commands {
            gdb.args(["-ex", command]);
        }
        let output = gdb.output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        // Of threads of another libc than its own gdb knows less, and says so; they are all there. Empty files have none.
        let foreign = !self.root.starts_with(self.folder.path());
        let text = if foreign { text.replace(FOREIGN_LIBC, "") } else { text };
        let quiet = !text.to_lowercase().contains("warning:");
        let ended = output.status.code().is_some();
        assert!(ended && quiet, "{}: {text}", self.program);
        text
    }

    /// Thread ids in gdb's order.
    fn threads(&self) -> Vec<u64> {
        let text = self.run(&["info threads"]);
        let told = text.lines().skip_while(|line| !line.contains("Target Id"));
        let told = told.filter_map(|line| line.split_once("LWP ")?.1.split([')', ' ']).next());
        told.map(|tid| tid.parse().unwrap()).collect()
    }

    /// `sp` and `pc` of each thread, in gdb's order.
    fn pointers(&self) -> Vec<(u64, u64)> {
        let text = self.run(&[
            "thread apply all -ascending -q p/x $sp",
            "p 0",
            "thread apply all -ascending -q p/x $pc",
        ]);
        let numbers = text.lines().filter_map(|line| line.split_once(" = ")?.1.strip_prefix("0x"));
        let numbers: Vec<u64> = numbers.map(|hex| u64::from_str_radix(hex, 16).unwrap()).collect();
        let (sp, pc) = numbers.split_at(numbers.len() / 2);
        sp.iter().copied().zip(pc.iter().copied()).collect()
    }

    /// Start, end, offset and name of each mapped file.
    fn mappings(&self) -> BTreeSet<(u64, u64, u64, String)> {
        let text = self.run(&["info proc mappings"]);
        let rows = text.lines().filter_map(|line| {
            let (start, rest) = line.trim_start().strip_prefix("0x")?.split_once(' ')?;
            let mut rest = rest.trim_start();
            let mut next = || {
                let (word, tail) = rest.split_once(' ')?;
                rest = tail.trim_start();
                hex(word)
            };
            let (end, _, offset) = (next()?, next()?, next()?);
            Some((hex(start)?, end, offset, rest.to_owned()))
        });
        rows.collect()
    }
}

const FOREIGN_LIBC: &str = "warning: Unable to find libthread_db matching inferior's thread library, \
                            thread debugging will not be available.";

/// Whether gdb was built for an architecture.
fn knows(architecture: &str) -> bool {
    let mut gdb = Command::new("gdb-multiarch");
    gdb.args(["-nx", "-batch", "-ex"]).arg(format!("set architecture {architecture}"));
    gdb.output().is_ok_and(|output| output.status.success())
}

fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text.trim_start_matches("0x"), 16).ok()
}

/// The names in `NT_FILE`.
fn mapped_files(parsed: &Parsed) -> Vec<String> {
    let Some(note) = parsed.all(0x4649_4c45).first().copied() else { return Vec::new() };
    let at = parsed.at(note);
    let names = if parsed.class == 2 {
        &note[16 + 24 * at.u64(0) as usize..]
    } else {
        &note[8 + 12 * at.u32(0) as usize..]
    };
    let names = names.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    names.map(|name| String::from_utf8(name.to_vec()).unwrap()).collect()
}

#[test]
fn every_machine() {
    for arch in MACHINES {
        let checkpoint = checkpoint(arch);
        let task = checkpoint.processes().get(Pid(1)).unwrap();
        let (memory, options) = (checkpoint.memory(Pid(1)).unwrap(), CoreOptions::of(&checkpoint));
        if matches!(arch, ckpt_synth::Arch::LoongArch64 { .. }) && !knows("Loongarch64") {
            eprintln!("every_machine: {arch:?} left out, gdb does not know it");
            continue;
        }
        let Some(gdb) = Session::new("every_machine", task, &memory, &options) else { return };
        assert_eq!(gdb.threads(), [1, 2], "{arch:?}");
        let pointers =
            task.threads.iter().map(|thread| (thread.sp.unwrap().0, thread.ip.unwrap().0));
        assert_eq!(gdb.pointers(), pointers.collect::<Vec<_>>(), "{arch:?}");
        let heap = gdb.run(&["x/s 0x1a00000", "info auxv", "info registers", "info all-registers"]);
        assert!(heap.contains("\"heap of 1\""), "{arch:?}: {heap}");
        assert!(
            heap.contains(&format!(
                "AT_PAGESZ            System page size               {}",
                arch.page_size()
            )),
            "{arch:?}: {heap}"
        );
        assert!(heap.contains("AT_NULL"));
    }
}

#[test]
fn a_32_bit_task() {
    let mut info = ThreadInfoX86::default();
    (info.gpregs.mode, info.gpregs.sp, info.gpregs.ip) = (Some(2), 0xffff_d000, 0x804_9000);
    (info.gpregs.bx, info.fpregs.cwd) = (0x1234_5678, 0x37f);
    let entry = CoreEntry { mtype: 1, thread_info: Some(info), ..CoreEntry::default() };
    let mappings =
        vec![crate::world::file(0x804_8000, 2, 0, "/bin/x"), vma(0xffff_d000, 1, ANON, 3)];
    let memory = space(mappings, &[(0xffff_d000, 1, PRESENT)]);
    let (task, options) = (task(7, entry), CoreOptions::new());
    let Some(gdb) = Session::new("a_32_bit_task", &task, &memory, &options) else { return };
    assert_eq!(gdb.pointers(), [(0xffff_d000, 0x804_9000)]);
    let text = gdb.run(&["info registers ebx fctrl", "x/4xb 0xffffd000", "x/1xb 0x8049000"]);
    assert!(text.contains("0x12345678") && text.contains("0x37f"), "{text}");
    assert!(text.contains("0xffffd000:\t0x01\t0x02\t0x03\t0x04"), "{text}");
    assert!(text.contains("Cannot access memory"), "what is not there is not zeros: {text}");
}

#[test]
fn more_segments_than_the_header_can_count() {
    let mappings = (0..70_000).map(|index| vma(0x10_000 + 2 * PAGE * index, 1, ANON, 3));
    let last = 0x10_000 + 2 * PAGE * 69_999;
    let memory = space(mappings.collect(), &[(last, 1, PRESENT)]);
    let entry =
        CoreEntry { mtype: 1, thread_info: Some(ThreadInfoX86::default()), ..CoreEntry::default() };
    let test = "more_segments_than_the_header_can_count";
    let Some(gdb) = Session::new(test, &task(7, entry), &memory, &CoreOptions::new()) else {
        return;
    };
    let text = gdb.run(&[&format!("x/4xb {last:#x}")]);
    assert!(text.contains(&format!("{last:#x}:\t0x01\t0x02\t0x03\t0x04")), "{text}");
}

/// A case of real evidence.
struct Case {
    checkpoint: Checkpoint,
    truth: Value,
}

impl Case {
    fn open(folder: &Path, name: &str, evidence: &str, truth: &str) -> Self {
        let case = folder.join(name);
        let checkpoint = Checkpoint::open(case.join(evidence)).unwrap();
        let truth = fs::read_to_string(case.join(truth)).unwrap();
        Self { checkpoint, truth: serde_json::from_str(&truth).unwrap() }
    }

    fn session(&self, test: &str, pid: u32) -> Option<Session> {
        let task = self.checkpoint.processes().get(Pid(pid)).unwrap();
        let memory = self.checkpoint.memory(Pid(pid)).unwrap();
        Session::new(test, task, &memory, &CoreOptions::of(&self.checkpoint))
    }
}

/// The folder of real archives; without it the test says that it was skipped.
fn archives(test: &str) -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("CKPT_ARCHIVES") else {
        eprintln!("{test}: skipped, CKPT_ARCHIVES is not set");
        return None;
    };
    let folder = PathBuf::from(folder);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    Some(if folder.is_absolute() { folder } else { root.join(folder) })
}

/// Text of a field, or a number written as text with `0x`.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| hex(value.as_str()?))
}

const CASES: [&str; 10] = [
    "02-shop-web",
    "04-kitchen-sink",
    "05-postgres",
    "11-node",
    "q1-bookworm-looper",
    "q2-bookworm-ks",
    "q4-arm64-looper",
    "q5-arm64-ks",
    "q10-arm64-py",
    "q11-arm64p16-looper",
];

#[test]
fn real_processes() {
    let Some(folder) = archives("real_processes") else { return };
    let mut facts = 0;
    for name in CASES {
        let case = Case::open(&folder, name, "checkpoint.tar.zst", "truth.json");
        for process in case.truth["processes"].as_array().unwrap() {
            if process["state"] == "Z" {
                continue;
            }
            let pid = process["pid"].as_u64().unwrap() as u32;
            let Some(gdb) = case.session("real_processes", pid) else { return };
            let at = format!("{name}, process {pid}");
            facts += threads_agree(&gdb, process, &at);
            facts += mappings_agree(&gdb, process, &at);
            facts += auxv_agrees(&gdb, process, &case.truth, &at);
            facts += planted_agree(&gdb, &case, pid, &at);
            notes_are_decoded(&gdb, &at);
        }
    }
    assert!(facts > 1000, "{facts} facts were compared");
}

fn threads_agree(gdb: &Session, process: &Value, at: &str) -> usize {
    let threads = process["threads"].as_array().unwrap();
    let tids: Vec<u64> = threads.iter().map(|thread| thread["tid"].as_u64().unwrap()).collect();
    assert_eq!(gdb.threads(), tids, "{at}");
    let mut facts = tids.len();
    for (thread, (sp, pc)) in threads.iter().zip(gdb.pointers()) {
        let words: Vec<&str> = thread["syscall"].as_str().unwrap().split_whitespace().collect();
        if thread["stable"] != true || words.len() < 9 {
            continue;
        }
        assert_eq!(Some(sp), hex(words[words.len() - 2]), "{at}: sp");
        // CRIU rewinds a thread that waits in a system call by one instruction.
        let apart = hex(words[words.len() - 1]).unwrap().wrapping_sub(pc);
        assert!(matches!(apart, 0 | 2 | 4), "{at}: {pc:#x} is {apart} off");
        facts += 2;
    }
    facts
}

fn mappings_agree(gdb: &Session, process: &Value, at: &str) -> usize {
    let vmas = process["vmas"].as_array().unwrap().iter();
    let files = vmas.filter(|vma| vma["path"].as_str().unwrap().starts_with('/')).map(|vma| {
        let field = |name: &str| number(&vma[name]).unwrap();
        (field("start"), field("end"), field("offset"), vma["path"].as_str().unwrap().to_owned())
    });
    let expected: BTreeSet<_> = files.collect();
    assert_eq!(gdb.mappings(), expected, "{at}");
    expected.len()
}

fn auxv_agrees(gdb: &Session, process: &Value, truth: &Value, at: &str) -> usize {
    let text = gdb.run(&["info auxv"]);
    let value = |key: &str| {
        let line = text.lines().find(|line| line.split_whitespace().nth(1) == Some(key))?;
        let last = line.split_whitespace().next_back()?;
        last.parse().ok().or_else(|| hex(last))
    };
    let page_size = truth["page_size"].as_u64().unwrap_or(4096);
    assert_eq!(value("AT_PAGESZ"), Some(page_size), "{at}");
    let vdso = process["vmas"].as_array().unwrap().iter().find(|vma| vma["path"] == "[vdso]");
    assert_eq!(value("AT_SYSINFO_EHDR"), vdso.and_then(|vma| number(&vma["start"])), "{at}");
    assert!(text.trim_end().lines().last().unwrap().contains("AT_NULL"), "{at}: {text}");
    3
}

/// Bytes that the lab put there and found again.
fn planted_agree(gdb: &Session, case: &Case, pid: u32, at: &str) -> usize {
    let memory = case.checkpoint.memory(Pid(pid)).unwrap();
    let planted = case.truth["planted"].as_array().into_iter().flatten();
    let planted = planted.filter_map(|it| {
        let (addr, value) = (number(&it["addr"])?, it["value"].as_str()?);
        // What lies in a mapped file is in the file.
        let there =
            it["pid"] == pid && value.len() >= 16 && memory.read(VirtAddr(addr), 16).is_ok();
        there.then(|| (addr, value.as_bytes()[..16].to_vec()))
    });
    let planted: Vec<_> = planted.collect();
    let commands: Vec<String> =
        planted.iter().map(|(addr, _)| format!("x/16xb {addr:#x}")).collect();
    let text = gdb.run(&commands.iter().map(String::as_str).collect::<Vec<_>>());
    let shown =
        text.lines().filter_map(|line| line.starts_with("0x").then(|| line.split_once(":\t"))?);
    let bytes = shown.flat_map(|(_, bytes)| bytes.split('\t').map(|byte| hex(byte).unwrap() as u8));
    let expected: Vec<u8> = planted.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
    assert_eq!(bytes.collect::<Vec<_>>(), expected, "{at}");
    planted.len()
}

fn notes_are_decoded(gdb: &Session, at: &str) {
    let Ok(output) = Command::new("readelf").args(["-nW"]).arg(gdb.path("core")).output() else {
        eprintln!("{at}: notes not looked at, there is no readelf");
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && output.stderr.is_empty(), "{at}: {text}");
    assert!(text.contains("NT_PRSTATUS") && text.contains("NT_FILE"), "{at}: {text}");
    assert!(!text.to_lowercase().contains("unknown note"), "{at}: {text}");
}

/// With its text filled from the image, and the program beside it for its unwind tables, the stack of a static program
/// unwinds to where the kernel had started it. It has no symbols.
#[test]
fn the_stack_of_a_static_program() {
    let test = "the_stack_of_a_static_program";
    let Some(folder) = archives(test) else { return };
    let case = Case::open(&folder, "08-evolve", "checkpoint-1.tar.zst", "truth-1.json");
    let base = folder.join("08-evolve/base-oci");
    let files = case.checkpoint.file_sources(&FillOptions::default().base(base)).unwrap();
    let task = case.checkpoint.processes().get(Pid(2)).unwrap();
    let memory = case.checkpoint.memory_filled(Pid(2), &files).unwrap();
    let options = CoreOptions::of(&case.checkpoint).arch(Arch::X86_64);
    let Some(gdb) = Session::new(test, task, &memory, &options) else { return };
    let text = memory.mapping_at(task.threads[0].ip.unwrap()).unwrap();
    let Backing::File(file) = &text.backing else { panic!("{} is not filled", text.start) };
    let size = file.content.size();
    let mut program = Vec::new();
    while (program.len() as u64) < size {
        match file.content.piece(program.len() as u64, size - program.len() as u64) {
            Piece::Bytes(bytes) => program.extend_from_slice(&bytes),
            Piece::Zeros(len) => program.resize(program.len() + len as usize, 0),
            Piece::Missing(..) => panic!("a hole in the program"),
        }
    }
    fs::write(gdb.path("program"), program).unwrap();
    // gdb warns of a program that is younger than the core.
    let file = fs::File::options().write(true).open(gdb.path("program")).unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    let file = format!("file {}", gdb.path("program").display());
    let shown = gdb.run(&[&file, "bt"]);
    let frames = shown.lines().rev().take_while(|line| !line.starts_with("Core was"));
    let frames: Vec<u64> =
        frames.filter_map(|line| hex(line.split_once(" 0x")?.1.split(' ').next()?)).collect();
    let auxv = &task.mm.as_ref().unwrap().mm_saved_auxv;
    let entry = auxv.chunks(2).find(|pair| pair[0] == 9).unwrap()[1];
    assert!(frames.len() > 6, "{shown}");
    assert!((entry..entry + 64).contains(&frames[0]), "{shown}");
}

/// With text filled from the container's root file system, the stacks of a program of many libraries unwind, the frames of
/// code without a frame pointer among them.
#[test]
fn the_stack_of_redis_with_its_root() {
    let test = "the_stack_of_redis_with_its_root";
    let Some(folder) = archives(test) else { return };
    let Some(root) = std::env::var_os("CKPT_REDIS_ROOT") else {
        eprintln!("{test}: skipped, CKPT_REDIS_ROOT is not set");
        return;
    };
    let root = PathBuf::from(root);
    let case = Case::open(&folder, "03-redis", "checkpoint.tar.zst", "truth.json");
    let files = case.checkpoint.file_sources(&FillOptions::default().rootfs(&root)).unwrap();
    let task = case.checkpoint.processes().get(Pid(3)).unwrap();
    let memory = case.checkpoint.memory_filled(Pid(3), &files).unwrap();
    let options = CoreOptions::of(&case.checkpoint).arch(Arch::X86_64);
    let Some(mut gdb) = Session::new(test, task, &memory, &options) else { return };
    let file = format!("file {}", root.join("usr/bin/redis-server").display());
    gdb.root = root;
    // Once more, now that gdb knows the program: it tells which libraries there are.
    let core = format!("core-file {}", gdb.path("core").display());
    let shown = gdb.run(&[&file, &core, "thread apply all -ascending bt"]);
    for frame in
        ["in main ()", "in aeProcessEvents ()", "in epoll_wait ()", "in pthread_cond_wait ()"]
    {
        assert!(shown.contains(frame), "{frame}: {shown}");
    }
    assert_eq!(shown.matches("in bioProcessBackgroundJobs ()").count(), 3, "{shown}");
}
