//! The report: whatever the evidence has in its names, the page is the page that the templates make.

use ckpt_analysis::timeline::{Timeline, timeline};
use ckpt_analysis::triage::{Triage, TriageOptions, triage};
use ckpt_analysis::verify::{Verification, verify};
use ckpt_archive::Options;
use ckpt_model::artifacts::Artifacts;
use ckpt_model::{ChangeFilter, Changes, ChangesOptions, Checkpoint, FileSources};
use ckpt_report::html::{About, Limits, Sources, write};
use ckpt_report::json::{self, Examined, FilesOptions, FindingRecord, SeenRecord};
use ckpt_scan::secrets::Redactor;
use ckpt_synth::{Archive, Container, Dump, File, Member, Task, stories};
use proptest::prelude::*;

use crate::page::{assert_no_control_bytes, parse};
use crate::stories::{open, open_archive};

/// What a report borrows from.
struct Examination {
    checkpoint: Checkpoint,
    triage: Triage,
    changes: Changes,
    times: Timeline,
    artifacts: Artifacts,
    secrets: Redactor,
    verification: Verification,
}

impl Examination {
    fn of(checkpoint: Checkpoint) -> Self {
        let options = Options::default();
        Self {
            triage: triage(&checkpoint, &TriageOptions::default()).expect("there is no base"),
            changes: checkpoint.changes(&ChangesOptions::default()).expect("changes"),
            times: timeline(&checkpoint, &options),
            artifacts: checkpoint.artifacts(&options),
            secrets: Redactor::of(&checkpoint.processes().tasks),
            verification: verify(&checkpoint, &options),
            checkpoint,
        }
    }

    /// The page; `change` may put into the sources what no checkpoint has.
    fn page(&self, limits: &Limits, change: impl FnOnce(&mut Sources<'_>)) -> String {
        let checkpoint = &self.checkpoint;
        let files = FileSources::default();
        let pids = checkpoint.processes().by_pid().into_iter().map(|task| task.pid);
        let pids: Vec<_> = pids.take(limits.mapped).collect();
        let examined = self.artifacts.list.iter().map(|artifact| Examined {
            artifact,
            sha256: Ok("00".repeat(32)),
            file: None,
        });
        let shown = ChangeFilter::default();
        let wanted = FilesOptions { sockets: true, ..FilesOptions::default() };
        let mut sources = Sources {
            info: json::info(checkpoint),
            triage: json::triage(checkpoint, &self.triage),
            tree: json::tree(checkpoint, &[]),
            files: json::files(checkpoint, &wanted),
            maps: json::maps(checkpoint, &pids, &files, |_, _| true, false),
            diff: Some(json::diff(checkpoint, &self.changes, &shown)),
            timeline: &self.times,
            secrets: &self.secrets,
            extract: json::extract(checkpoint, examined, "tool"),
            verify: json::verify(checkpoint, &self.verification),
            about: About { made: "2026-11-23T00:00:00Z".to_owned(), ..About::default() },
        };
        change(&mut sources);
        let mut out = Vec::new();
        write(&mut out, &sources, limits).expect("a Vec takes all");
        String::from_utf8(out).expect("UTF-8")
    }
}

pub(crate) fn page(checkpoint: Checkpoint) -> String {
    Examination::of(checkpoint).page(&Limits::default(), |_| {})
}

#[test]
fn every_story_gives_a_page() {
    for (name, archive) in stories::all() {
        let Ok(checkpoint) = open_archive(&archive) else { continue };
        let page = page(checkpoint);
        let text = parse(&page);
        assert!(text.contains("How it was made"), "{name}");
        assert_no_control_bytes(&page);
    }
}

#[test]
#[should_panic(expected = "one of each is the page's own")]
fn a_second_script_is_seen() {
    let page = page(open(&stories::looper()));
    parse(&page.replacen("<main id=\"main\">", "<main id=\"main\"><script>x</script>", 1));
}

#[test]
fn the_same_evidence_gives_the_same_bytes() {
    let make = || page(open(&stories::looper()));
    assert_eq!(make(), make());
    // A clock would show in it.
    assert!(make().contains("2026-11-23T00:00:00Z"));
}

#[test]
fn secrets_are_redacted_unless_they_are_asked_for() {
    let mut dump = Dump::new();
    let argv = ["mysqldump", "-phunter2", "mysql://root:hunter2@db/x", "--token", "hunter2"];
    let env = [
        "PASSWORD=hunter2",
        "URL=redis://:hunter2@cache:6379",
        "PATH=/bin",
        "APP_SECRET=tr0ub4dor&3",
    ];
    dump.task(Task::new(1, 0).argv(&argv).env(&env).fd(3, File::path("/srv/token=hunter2")));
    dump.container(
        Container::new("name").env(&["A_SECRET=hunter2"]).command(&["x", "--password=hunter2"]),
    );
    let mut archive = Archive::podman(&dump);
    archive.replace("ctr.log", &b"2026-11-23T00:00:01.5Z stdout F login password=hunter2\n2026-11-23T00:00:01.6Z stdout F got tr0ub4dor&3\n"[..]);
    let examination = Examination::of(open_archive(&archive).expect("a checkpoint"));
    let text = parse(&examination.page(&Limits::default(), |_| {}));
    let left = text.lines().find(|line| line.contains("hunter2"));
    assert_eq!(left, None);
    assert!(!text.contains("tr0ub4dor&3"), "the value of a variable, wherever it stands");
    assert!(text.contains("[redacted: 7 bytes, sha256 f52fbd32…]"));
    let text = parse(&examination.page(&Limits::default(), |sources| sources.about.reveal = true));
    assert!(text.contains("-phunter2") && text.contains("Secrets are shown"));
}

/// One finding of each severity, as hostile as a detector could be made to make them.
fn findings(sources: &mut Sources<'_>) {
    sources.triage.findings.clear();
    for (count, severity) in ["critical", "high", "medium", "low", "info"].into_iter().enumerate() {
        sources.triage.findings.push(FindingRecord {
            id: "executable-deleted",
            severity,
            confidence: "medium",
            title: "<script>alert(1)</script> runs, and password=hunter2",
            pid: Some(1),
            path: Some("/tmp/\"><img src=x>\u{202e}".into()),
            path_base64: None,
            address: Some("0x7f0000000000".to_owned()),
            evidence: (0..50)
                .map(|_| SeenRecord { what: "</li>", member: Some("a&b"), offset: Some(7) })
                .collect(),
            attack: &["T1070.004"],
            why: "It matters.",
            wrong: "It can be wrong.",
            check: "ckpt-inspect tree EVIDENCE\nckpt-inspect maps --pid PID EVIDENCE",
        });
        let counts = &mut sources.triage.counts;
        let counts = [
            &mut counts.critical,
            &mut counts.high,
            &mut counts.medium,
            &mut counts.low,
            &mut counts.info,
        ];
        *counts.into_iter().nth(count).expect("five") = 1;
    }
}

#[test]
fn findings_say_what_to_do() {
    let examination = Examination::of(open(&stories::looper()));
    let page = examination.page(&Limits::default(), findings);
    let text = parse(&page);
    for words in [
        "<script>alert(1)</script> runs, and password=[redacted: 7 bytes",
        "/tmp/\"><img src=x>\\u{202e}",
        "in a&b at offset 7",
        "10 more things that were seen; see ckpt-inspect triage --format json EVIDENCE",
        "ckpt-inspect maps --pid 1 EVIDENCE",
        "T1070.004",
        "It can be wrong.",
    ] {
        assert!(text.contains(words), "no {words}");
    }
    // The serious ones are open, and the process has the worst of them.
    assert_eq!(page.matches("\" open>").count(), 3, "two findings, and the children of process 1");
    assert!(page.contains("<span class=\"badge critical\">critical</span>"));
}

#[test]
fn crowds_are_cut_and_told() {
    let mut dump = Dump::new();
    let many: Vec<String> = (0..300).map(|n| format!("argument-{n}")).collect();
    dump.task(Task::new(1, 0).argv(&many).env(&many));
    for pid in 2..2000 {
        dump.task(Task::new(pid, 1).comm("many").bare_memory());
    }
    let examination = Examination::of(open(&dump));
    let text = parse(&examination.page(&Limits::default(), |_| {}));
    for words in [
        "236 more arguments; see ckpt-inspect tree --format json EVIDENCE",
        "236 more variables; see ckpt-inspect tree --env EVIDENCE",
        "1\u{202f}499 more processes; see ckpt-inspect tree EVIDENCE",
        "more processes; see ckpt-inspect maps EVIDENCE",
    ] {
        assert!(text.contains(words), "no {words}");
    }
    assert!(text.contains("argument-63") && !text.contains("argument-64"));
    assert!(text.len() < 2 << 20, "{}", text.len());
}

#[test]
fn a_name_of_a_mebibyte_is_cut() {
    let mut dump = Dump::new();
    let long = "x".repeat(1 << 20);
    dump.task(Task::new(1, 0).argv(&[&long, &long]).env(&[&format!("A={long}")]).exe("/bin/x"));
    let page = page(open(&dump));
    assert!(page.len() < 200_000, "{}", page.len());
    assert!(parse(&page).contains("… (1048576 bytes)"));
}

/// Names that break out of wherever they are put, and any others.
fn name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        "[<>\"'&/=;:{}%#!a-z \\-\\\\\u{202e}\u{0}\u{1b}]{1,40}".prop_map(String::into_bytes),
        "(</?(script|style|title|svg|td)>|<!--|-->|\"on|\\{\\{|\\{%|&lt;|]]>){1,4}"
            .prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 1..40),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_names_are_text(names in proptest::collection::vec(name(), 6..9)) {
        let text = |at: usize| String::from_utf8_lossy(&names[at]).replace('\0', "0");
        let path = |at: usize| [b"/d/", &names[at][..]].concat();
        let mut dump = Dump::new();
        dump.container(Container::new(&text(0)).image(&text(1)).hostname(&text(2)).command(&[&text(3)]));
        dump.task(
            Task::new(1, 0).comm(names[0].clone()).argv(&names).env(&names).exe(path(1)).cwd(path(2))
                .fd(3, File::path(path(3)))
                .fd(4, File::unix_listen(7, &text(4)))
                .fd(5, File::deleted(path(5), &b"gone"[..])),
        );
        let mut diff = Archive::new();
        for name in &names {
            diff.push(Member::file([b"d/", &name[..]].concat(), b"x"));
        }
        let log: Vec<u8> = names
            .iter()
            .flat_map(|name| [b"2026-11-23T00:00:01.5Z stdout F ", &name[..], b"\n"].concat())
            .collect();
        let mut archive = Archive::podman(&dump);
        archive.replace("rootfs-diff.tar", diff.tar()).replace("ctr.log", log).member(names[0].clone(), &b"x"[..]);
        if let Ok(checkpoint) = open_archive(&archive) {
            let page = page(checkpoint);
            parse(&page);
            assert_no_control_bytes(&page);
        }
    }
}
