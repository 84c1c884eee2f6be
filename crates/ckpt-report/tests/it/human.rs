//! Text for people: what it says, that it fits, and that nothing in it steers a terminal.

use ckpt_model::{Checkpoint, FillOptions, Listed};
use ckpt_report::human::{self, Layout, TreeOptions};
use ckpt_synth::{Archive, Dump, Task, Vma, stories};
use criu_image::{Classified, Image, ShowContext, classify};
use proptest::prelude::*;

use crate::stories::{open, open_archive};

const EVERYTHING: TreeOptions =
    TreeOptions { env: true, threads: true, creds: true, ns: true, pids: Vec::new() };

fn plain(width: Option<usize>) -> Layout {
    Layout { width, color: false }
}

fn tree(checkpoint: &Checkpoint, options: &TreeOptions, width: Option<usize>) -> String {
    let mut out = Vec::new();
    human::tree(&mut out, checkpoint, options, &plain(width)).expect("text");
    String::from_utf8(out).expect("UTF-8")
}

fn info(checkpoint: &Checkpoint, width: Option<usize>) -> String {
    let mut out = Vec::new();
    human::info(&mut out, checkpoint, &plain(width)).expect("text");
    String::from_utf8(out).expect("UTF-8")
}

/// The lines between the heading and the first line without text after it.
fn body(text: &str) -> Vec<&str> {
    text.lines()
        .skip_while(|line| !line.ends_with("COMMAND"))
        .skip(1)
        .take_while(|line| !line.is_empty())
        .collect()
}

fn is_safe(text: &str) -> bool {
    text.chars().all(|c| {
        c == '\n'
            || !(c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{200b}' | '\u{feff}'))
    })
}

#[test]
fn a_tree() {
    let mut dump = Dump::new();
    dump.task(Task::new(1, 0).exe("/bin/dash").argv(&["sh", "-c", "sleep 1 & wait"]).comm("sh"))
        .task(
            Task::new(20, 1)
                .exe("/usr/sbin/nginx")
                .comm("nginx")
                .argv(&["/usr/sbin/nginx"])
                .uid(101)
                .thread(21, "aio"),
        )
        .task(
            Task::new(30, 20)
                .exe_deleted("/tmp/.x", "ELF")
                .comm("kworker/0:1")
                .argv(&["[kworker/0:1]"]),
        )
        .zombie(40, 20, 0x700, "gone")
        .zombie(41, 1, 9, "shot");
    let text = tree(&open(&dump), &TreeOptions::default(), None);
    assert_eq!(
        body(&text),
        [
            "  1    0 alive  sh -c 'sleep 1 & wait'  exe /bin/dash",
            " 20  101 alive  ├─ /usr/sbin/nginx  +1 thread",
            " 30    0 alive  │  ├─ '[kworker/0:1]'  name kworker/0:1  exe /tmp/.x (deleted) [exe deleted] [poses as kernel thread]",
            " 40    - zombie │  └─ gone <defunct> exit 7",
            " 41    - zombie └─ shot <defunct> killed by SIGKILL",
        ]
    );
    assert!(text.starts_with("synth · "), "{text}");
    assert!(
        text.contains(" · podman · image docker.io/library/alpine:3.22 · host name synth-host · ")
    );
    assert!(text.contains("5 processes, 4 threads · checkpointed 20"), "{text}");
}

#[test]
fn details_stand_below_their_process() {
    let text = tree(&open(&stories::looper()), &EVERYTHING, None);
    assert!(text.contains(&format!("│  {:12}  {}\n", "", stories::LOOPER_TOKEN)), "{text}");
    assert!(text.contains("thread        1 sh  ip 0x"), "{text}");
    assert!(text.contains("effective, permitted, bounding: chown dac_override fowner"), "{text}");
    assert!(text.contains("namespaces    pid "), "{text}");
    let text = tree(&open(&stories::looper()), &TreeOptions { pids: vec![2], ..EVERYTHING }, None);
    assert!(!text.contains(stories::LOOPER_TOKEN));
    assert!(body(&text)[0].ends_with("sleep 1  exe /bin/busybox"), "{text}");
}

#[test]
fn what_the_dump_missed_stands_below_the_tree() {
    let text =
        tree(&open_archive(&stories::unseen_process()).unwrap(), &TreeOptions::default(), None);
    let missed = format!(
        "\nNot captured (named by dump.log alone):\n  host pid {}  sleep\n",
        stories::UNSEEN_HOST_PID
    );
    assert!(text.contains(&missed), "{text}");
    let text =
        tree(&open_archive(&stories::stale_images()).unwrap(), &TreeOptions::default(), None);
    assert!(text.contains("\nStale images (not of this dump):\n  checkpoint/core-2.img     2 is not in the process tree, 2026-"), "{text}");
}

#[test]
fn info_says_where_times_come_from() {
    let text = info(&open(&stories::looper()), None);
    for part in [
        "\nTimes\n",
        "(config.dump: createdTime)",
        "\nNot in this archive\n",
        "by pages-file",
        "\nStatistics\n",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn a_list_names_what_is_no_checkpoint() {
    let listed = [
        Listed {
            path: "/c/web.tar".into(),
            checkpoint: open_archive(&Archive::crio(&stories::looper())),
        },
        Listed {
            path: "/c/no\x1bte.tar".into(),
            checkpoint: open_archive(Archive::new().member("a", b"b")),
        },
    ];
    let mut out = Vec::new();
    human::list(&mut out, &listed, &plain(None)).unwrap();
    let text = String::from_utf8(out).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("TIME "), "{text}");
    assert!(
        lines[1].contains("default/synth-pod")
            && lines[1].contains("cri-o")
            && lines[1].ends_with("web.tar"),
        "{text}"
    );
    assert!(lines[2].starts_with("no\\x1bte.tar: story.tar: "), "{text}");
    assert_eq!(lines.len(), 3);
}

#[test]
fn an_image_reads_like_crit() {
    let images = stories::looper().images();
    let mut out = Vec::new();
    for (name, bytes) in
        images.iter().filter(|(name, _)| name == "pstree.img" || name == "mm-1.img")
    {
        let Classified::Image(found) = classify(name.as_bytes()) else { panic!("{name}") };
        let image = Image::open(found.kind, bytes.clone().into()).unwrap();
        human::show(&mut out, name, &image, &ShowContext::of(&image), &plain(Some(100))).unwrap();
    }
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains("\nrecord 1: pstree_entry at "), "{text}");
    assert!(
        text.contains("\n  pid: 2\n  ppid: 1\n  pgid: 1\n  sid: 1\n  threads: [2]\n"),
        "{text}"
    );
    assert!(text.contains("PROT_READ | PROT_WRITE (0x3)"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
}

#[test]
fn every_story_fits_and_is_safe() {
    for (name, archive) in stories::all() {
        let Ok(checkpoint) = open_archive(&archive) else { continue };
        for width in [40, 80, 132] {
            for text in
                [tree(&checkpoint, &EVERYTHING, Some(width)), info(&checkpoint, Some(width))]
            {
                assert!(is_safe(&text), "{name}: {text}");
                let long = text.lines().find(|line| line.chars().count() > width);
                assert_eq!(long, None, "{name} in {width} columns");
            }
        }
        assert!(
            is_safe(&tree(&checkpoint, &EVERYTHING, None)) && is_safe(&info(&checkpoint, None)),
            "{name}"
        );
    }
}

#[test]
fn every_image_of_every_story_is_safe() {
    for (name, archive) in stories::all() {
        for member in archive.names() {
            let file = member.rsplit('/').next().unwrap_or_default();
            let Classified::Image(found) = classify(file.as_bytes()) else { continue };
            let bytes = archive.get(&member).unwrap_or_default();
            let Ok(image) = Image::open(found.kind, bytes.into()) else { continue };
            let mut out = Vec::new();
            human::show(&mut out, &member, &image, &ShowContext::of(&image), &plain(None)).unwrap();
            assert!(is_safe(&String::from_utf8(out).unwrap()), "{name}: {member}");
        }
    }
}

#[test]
fn colour_adds_nothing_but_styles() {
    let checkpoint = open(&stories::control_bytes());
    let mut out = Vec::new();
    human::tree(&mut out, &checkpoint, &EVERYTHING, &Layout { width: None, color: true }).unwrap();
    let coloured = String::from_utf8(out).unwrap();
    let mut stripped = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        stripped.push_str(before);
        rest = after.split_once('m').expect("the end of a style").1;
    }
    stripped.push_str(rest);
    assert_eq!(stripped, tree(&checkpoint, &EVERYTHING, None));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_a_process_is_called_the_terminal_is_safe(
        comm in prop::collection::vec(any::<u8>(), 0..15),
        argv in prop::collection::vec(prop::collection::vec(1..=255_u8, 0..40), 0..4),
        env in prop::collection::vec(prop::collection::vec(1..=255_u8, 0..40), 0..4),
        path in "[\\PC\u{202e}\u{1b}\n]{0,20}",
        width in prop::option::of(20..120_usize),
    ) {
        let mut dump = Dump::new();
        dump.task(Task::new(1, 0).comm(comm).argv(&argv).env(&env).exe(format!("/{path}")));
        let checkpoint = open(&dump);
        let text = tree(&checkpoint, &EVERYTHING, width);
        prop_assert!(is_safe(&text), "{text:?}");
        if let Some(width) = width {
            prop_assert!(text.lines().all(|line| line.chars().count() <= width), "{text}");
        }
    }
}

/// Memory of every kind, with a mapping that has several marks and one that lies under a long path.
fn maps_in(width: Option<usize>, modules: bool) -> String {
    let mut dump = stories::every_mapping();
    let long = format!("/opt/{}/libdeep.so.1", "folder/".repeat(12));
    dump.task(
        Task::new(9, 1)
            .comm("odd")
            .map(Vma::anon(0x1040_0000, 0x4000).prot(7))
            .pages(0x1040_0000, elf_header())
            .map(Vma::file(0x1050_0000, 0x4000, long, 0).prot(5)),
    );
    let checkpoint = open(&dump);
    let files = checkpoint.file_sources(&FillOptions::default()).expect("files");
    let pids = [1, 9].map(ckpt_model::Pid);
    let mut out = Vec::new();
    let all = |_: &_, _: &_| true;
    human::maps(&mut out, &checkpoint, &pids, &files, all, modules, &plain(width)).expect("text");
    String::from_utf8(out).expect("UTF-8")
}

fn elf_header() -> Vec<u8> {
    let mut header = b"\x7fELF\x02\x01\x01\0".to_vec();
    header.resize(64, 0);
    header
}

#[test]
fn maps_keep_kinds_names_and_marks_in_a_narrow_terminal() {
    for width in [60, 80, 100, 120] {
        let text = maps_in(Some(width), false);
        assert!(text.lines().all(|line| line.chars().count() <= width), "{width}: {text}");
        for kept in ["heap", "elf-header", "writable-executable", "file-private  /opt/folder/"] {
            assert!(text.contains(kept), "{width}: {kept} in {text}");
        }
    }
    let narrow = maps_in(Some(80), false);
    let at = narrow.find("000010400000").expect("the mapping");
    let lines: Vec<&str> = narrow[at..].lines().take(4).collect();
    let cells: Vec<&str> = lines[0].split_whitespace().collect();
    let sizes = ["16.0", "KiB", "4.0", "KiB", "12.0", "KiB", "-"];
    assert_eq!(cells, [&["000010400000-000010404000", "rwxp"], &sizes[..]].concat());
    assert_eq!(lines[1], "    anon    anonymous-executable, writable-executable, elf-header");
    assert!(lines[2].starts_with("000010500000-000010504000"), "{narrow}");
    assert!(lines[3].starts_with("    file-private  /opt/folder/"), "{narrow}");
    assert!(narrow.lines().any(|line| line == "    KIND  MAPPED"), "{narrow}");
    // Where there is room each mapping has one line.
    let wide = maps_in(None, false);
    assert!(wide.lines().count() < narrow.lines().count());
    assert_eq!(maps_in(Some(250), false), wide);
}

#[test]
fn modules_keep_their_paths_in_a_narrow_terminal() {
    let text = maps_in(Some(80), true);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(text.contains("files.img   /opt/folder/"), "{text}");
    assert!(text.contains("memory      (memory without a file)"), "{text}");
    assert_eq!(maps_in(Some(250), true), maps_in(None, true));
}

/// The container's id is one word that is longer than the room for it.
#[test]
fn checks_fit_into_the_terminal() {
    let archive = Archive::crio(&stories::looper());
    let checkpoint = open_archive(&archive).expect("a checkpoint");
    let verification =
        ckpt_analysis::verify::verify(&checkpoint, &ckpt_archive::Options::default());
    for width in [80, 100, 132] {
        let mut out = Vec::new();
        human::verify(&mut out, &checkpoint, &verification, &plain(Some(width))).expect("text");
        let text = String::from_utf8(out).expect("UTF-8");
        let checks = text.lines().skip_while(|line| *line != "Checks");
        for line in checks {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
    }
}
