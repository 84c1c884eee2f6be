//! Code in memory that no file explains, and words of miners.

use ckpt_analysis::triage::Severity;
use ckpt_synth::{Archive, Container, Dump, File, Task, Vma, stories};

use super::*;

const AT: u64 = 0x7100_0000_0000;

fn app() -> Task {
    Task::new(2, 1).exe("/usr/bin/app").argv(&["app"])
}

fn with(task: Task, prot: u32, bytes: &[u8]) -> Task {
    task.map(Vma::anon(AT, 0x4000).prot(prot)).pages(AT, bytes)
}

#[test]
fn writable_code() {
    let findings = found([with(app(), 7, b"\x90\x90\xcc")]);
    let finding = one(&findings, "writable-executable-mapping", 2);
    assert_eq!(finding.severity, Severity::Medium);
    assert_eq!(finding.address.map(|at| at.0), Some(AT));
    let seen = &finding.evidence[0];
    assert!(seen.member.as_deref().is_some_and(|member| member.contains("pages-")), "{seen:?}");
    assert!(seen.offset.is_some());
    // Each mapping counts once.
    none(&findings, "anonymous-executable-memory");
    let hidden = Task::new(2, 1).exe("/opt/.x/app");
    let foreign = found([with(hidden, 7, b"\x90")]);
    assert_eq!(one(&foreign, "writable-executable-mapping", 2).severity, Severity::High);
    none(&found([with(app(), 3, b"\x90")]), "writable-executable-mapping");
}

#[test]
fn code_without_a_file() {
    let severity = |task| one(&found([task]), "anonymous-executable-memory", 2).severity;
    assert_eq!(severity(with(app(), 5, b"\x90")), Severity::Medium);
    // A thread is about to run it.
    assert_eq!(severity(with(app(), 5, b"\x90").registers(AT + 0x10, 0x7fff_0000)), Severity::High);
    let node = Task::new(2, 1).exe("/usr/local/bin/node").argv(&["node", "app.js"]);
    assert_eq!(severity(with(node, 5, b"\x90")), Severity::Info);
    let java = app().map(Vma::file(0x7f10_0000_0000, 0x1000, "/opt/jdk/lib/server/libjvm.so", 0));
    assert_eq!(severity(with(java, 5, b"\x90")), Severity::Info);
    // What was linked into one program, and a compiler that nobody knows: the container's own command.
    let ruby = Task::new(2, 1).exe("/usr/local/bin/ruby").argv(&["ruby", "a.rb"]);
    assert_eq!(severity(with(ruby, 5, b"\x90")), Severity::Info);
    let own = |prot| {
        let mut dump = Dump::new();
        dump.container(Container::new("app").command(&["tini", "--", "/srv/app", "serve"]));
        let task = Task::new(2, 1).exe("/srv/app").argv(&["/srv/app", "serve"]);
        let task = with(task, prot, b"\x90").registers(AT + 0x10, 0x7fff_0000);
        let findings = looked(&Archive::podman(dump.task(init()).task(task)));
        let mut of = findings.iter().filter(|one| one.address.is_some_and(|at| at.0 == AT));
        of.next().map(|one| one.severity)
    };
    assert_eq!((own(5), own(7)), (Some(Severity::Medium), Some(Severity::High)));
    // A name costs nothing: this node is not the image's.
    let fake = Task::new(2, 1).exe("/opt/.n/node").argv(&["node"]);
    assert_eq!(severity(with(fake, 5, b"\x90")), Severity::High);
}

#[test]
fn closures_are_known_by_their_code() {
    let python = || {
        let task = Task::new(2, 1).exe("/usr/bin/python3.12").argv(&["python3", "/a.py"]);
        task.map(Vma::file(0x7f10_0000_0000, 0x1000, "/usr/lib/libffi.so.8", 0))
    };
    let severity = |bytes: &[u8]| {
        one(&found([with(python(), 7, bytes)]), "writable-executable-mapping", 2).severity
    };
    let mut closure = vec![0; 16];
    closure.extend_from_slice(b"\xf3\x0f\x1e\xfa\x4c\x8d\x15\xf5\xff\xff\xff");
    assert_eq!(severity(&closure), Severity::Low);
    assert_eq!(severity(b"\x31\xc0\x48\xbb\xd1\x9d\x96\x91"), Severity::Medium);
}

/// Regular expressions need a little code, of a certain length, and are seldom met running.
#[test]
fn code_of_regular_expressions() {
    let nginx = |exe: &str, library: &str, len| {
        let task = Task::new(2, 1).exe(exe).argv(&["nginx"]);
        let task = task.map(Vma::file(0x7f10_0000_0000, 0x1000, library, 0));
        task.map(Vma::anon(AT, len).prot(7)).pages(AT, b"\x90")
    };
    let severity = |task| one(&found([task]), "writable-executable-mapping", 2).severity;
    let (exe, pcre) = ("/usr/sbin/nginx", "/usr/lib/libpcre2-8.so.0");
    assert_eq!(severity(nginx(exe, pcre, 0x1_0000)), Severity::Low);
    assert_eq!(severity(nginx(exe, pcre, 0x4000)), Severity::Medium);
    let running = nginx(exe, pcre, 0x1_0000).registers(AT + 0x10, 0x7fff_0000);
    assert_eq!(severity(running), Severity::Medium);
    let bundled = nginx("/usr/local/sbin/php-fpm", "/usr/lib/libc.so.6", 0x1_0000);
    assert_eq!(severity(bundled), Severity::Low);
    let elf =
        nginx(exe, pcre, 0x1_0000).map(Vma::file(0x7f20_0000_0000, 0x1000, pcre, 0x1000).prot(5));
    let elf = found([elf.pages(AT + 0x1000, b"\x7fELF\x02\x01\x01")]);
    assert_eq!(one(&elf, "elf-in-anonymous-memory", 2).severity, Severity::High);
}

#[test]
fn elf_files_without_a_file() {
    let mut bytes = vec![0; 0x1000];
    bytes.extend_from_slice(b"\x7fELF\x02\x01\x01");
    let library = Vma::file(0x7f10_0000_0000, 0x1000, "/usr/lib/libc.so.6", 0).prot(5);
    // A program that unpacks itself has nothing else loaded.
    let alone = found([with(app(), 5, &bytes)]);
    assert_eq!(one(&alone, "elf-in-anonymous-memory", 2).severity, Severity::Medium);
    for prot in [5, 7] {
        let findings = found([with(app().map(library.clone()), prot, &bytes)]);
        let finding = one(&findings, "elf-in-anonymous-memory", 2);
        assert_eq!(finding.severity, Severity::High);
        assert_eq!(finding.address.map(|at| at.0), Some(AT + 0x1000));
        none(&findings, "writable-executable-mapping");
        none(&findings, "anonymous-executable-memory");
    }
    let data = found([with(app(), 3, b"\x7fELF\x02\x01\x01")]);
    assert_eq!(one(&data, "elf-in-anonymous-memory", 2).severity, Severity::Low);
}

#[test]
fn text_that_was_written_to() {
    // A lone page of the first code may be CRIU's own.
    none(&looked(&Archive::podman(&stories::patched_text())), "modified-text");
    let findings = found([app().pages(0x40_2000, vec![0xe9; 0x2000])]);
    let finding = one(&findings, "modified-text", 2);
    assert_eq!(finding.severity, Severity::Medium);
    assert_eq!(finding.address.map(|at| at.0), Some(0x40_2000));
    // Held against the file it is certain.
    let mut text = vec![0x90; 0x3000];
    text.splice(..4, *b"\x7fELF");
    let hooked = app().map(
        Vma::deleted_file(0x7f10_0000_0000, 0x1000, "/usr/lib/l.so", 0x1000, text.clone()).prot(5),
    );
    let same = found([hooked.clone().pages(0x7f10_0000_0000, text[0x1000..0x2000].to_vec())]);
    none(&same, "modified-text");
    let differs = found([hooked.pages(0x7f10_0000_0000, b"\xe9hook".to_vec())]);
    assert_eq!(one(&differs, "modified-text", 2).severity, Severity::High);
}

#[test]
fn text_is_held_against_a_directory_with_the_container_s_files() {
    let rootfs = tempfile::tempdir().unwrap();
    let mut text = vec![0x90; 0x3000];
    text.splice(..4, *b"\x7fELF");
    std::fs::create_dir_all(rootfs.path().join("usr/lib")).unwrap();
    std::fs::write(rootfs.path().join("usr/lib/l.so"), &text).unwrap();
    let mapped = || {
        let library = Vma::file(0x7f10_0000_0000, 0x1000, "/usr/lib/l.so", 0x1000);
        app().map(library.prot(5))
    };
    let held = |page: &[u8]| {
        let mut dump = Dump::new();
        dump.task(Task::new(1, 0)).task(mapped().pages(0x7f10_0000_0000, page.to_vec()));
        let options = TriageOptions::default().rootfs(rootfs.path());
        triage(&open(&Archive::podman(&dump)), &options).unwrap().findings
    };
    none(&held(&text[0x1000..0x2000]), "modified-text");
    let differs = held(b"\xe9hook");
    assert_eq!(one(&differs, "modified-text", 2).severity, Severity::High);
}

#[test]
fn stacks_that_run_code() {
    let stack = |prot| {
        let task = app().map(Vma::anon(AT, 0x4000).prot(prot)).pages(AT, b"s");
        found([task.registers(0x40_1000, AT + 0x2000)])
    };
    let findings = stack(7);
    assert_eq!(one(&findings, "executable-stack", 2).severity, Severity::Medium);
    none(&findings, "writable-executable-mapping");
    none(&stack(3), "executable-stack");
}

#[test]
fn miners() {
    let pool = File::tcp(9, ([10, 0, 0, 1], 40_000), ([192, 0, 2, 7], 3333), "", "");
    let told = Task::new(2, 1).exe_deleted("/opt/w", "x").argv(&[
        "[jbd2/sda1]",
        "-o",
        "stratum+tcp://p.example:3333",
    ]);
    let findings = found([told]);
    let finding = one(&findings, "crypto-miner", 2);
    assert_eq!((finding.severity, path(finding)), (Severity::High, "/opt/w"));

    let mut words = b"{\"method\":\"mining.subscribe\"}\n".to_vec();
    words.extend_from_slice(b"mining.submit stratum+ssl://pool:443");
    let quiet = |task: Task| task.map(Vma::anon(AT, 0x4000)).pages(AT, words.clone());
    let by_memory = found([quiet(app()).fd(4, pool.clone())]);
    let finding = one(&by_memory, "crypto-miner", 2);
    assert_eq!(finding.severity, Severity::Medium);
    assert_eq!(finding.address.map(|at| at.0 >> 12), Some(AT >> 12));
    let foreign = found([quiet(Task::new(2, 1).exe("/tmp/.m/x")).fd(4, pool.clone())]);
    assert_eq!(one(&foreign, "crypto-miner", 2).severity, Severity::High);
    // What a configuration says, of a pool that speaks another protocol.
    let told = b"\"url\":\"stratum+tcp://h:443\",\"algo\":\"rx/0\" donate-level".to_vec();
    let configured = |exe: &str, remote| {
        let task = Task::new(2, 1).exe(exe).map(Vma::anon(AT, 0x4000)).pages(AT, told.clone());
        let call = File::tcp(9, ([10, 0, 0, 1], 40_000), (remote, 443), "", "");
        one(&found([task.fd(4, call)]), "crypto-miner", 2).severity
    };
    assert_eq!(configured("/opt/.m/x", [192, 0, 2, 7]), Severity::High);
    assert_eq!(configured("/opt/.m/x", [127, 0, 0, 1]), Severity::Medium);
    assert_eq!(configured("/opt/m/x", [192, 0, 2, 7]), Severity::Low);
    // A list of rules has the words, and nothing else does.
    assert_eq!(one(&found([quiet(app())]), "crypto-miner", 2).severity, Severity::Low);
    let wallet = format!("4{}", "9AbC".repeat(24).get(..94).expect("ascii"));
    let wallet = Task::new(2, 1).exe("/usr/bin/w").argv(&["w", "-u", &wallet]);
    assert_eq!(one(&found([wallet]), "crypto-miner", 2).severity, Severity::Medium);
    none(&found([app().fd(4, pool)]), "crypto-miner");
    let mention = app().map(Vma::anon(AT, 0x1000)).pages(AT, b"stratum+tcp:// is a scheme");
    none(&found([mention]), "crypto-miner");
}
