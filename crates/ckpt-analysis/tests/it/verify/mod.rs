//! Every check on a checkpoint that it must pass, and on one with exactly the contradiction that it is for.

mod custody;

use ckpt_analysis::verify::{Check, Effect, Outcome, Verdict, Verification, verify};
use ckpt_archive::{Evidence, Options};
use ckpt_model::Checkpoint;
use ckpt_synth::{
    Archive, BlockLayout, ByteOrder, Compression, Container, Dialect, Dump, File, Framing, Image,
    Message, Task, Vma, magic, noise, ns, stories,
};

const AT: u64 = 0x7f00_0000_0000;
const LOCAL: ([u8; 4], u16) = ([127, 0, 0, 1], 8080);
const REMOTE: ([u8; 4], u16) = ([10, 0, 0, 9], 40_000);

/// Pid 1 as the spec asks for it, a process with every kind of reference, a thread, a zombie.
fn rich() -> Dump {
    let mut dump = Dump::new();
    let container = Container::new("rich").command(&["init", "--now"]).env(&["MODE=quiet", "A=b"]);
    let env = ["MODE=quiet", "A=b", "HOME=/"];
    dump.container(container)
        .task(Task::new(1, 0).comm("init").argv(&["init", "--now"]).env(&env))
        .task(
            Task::new(7, 1)
                .comm("worker")
                .thread(8, "helper")
                .seccomp(&[(6, 0, 0, 0x7fff_0000)])
                .fd(3, File::deleted("/tmp/gone", "content of a deleted file"))
                .fd(4, File::memfd("scratch"))
                .fd(5, File::tcp(0x2188a, LOCAL, REMOTE, "unread", ""))
                .fd(6, File::unix_pair(300, 301, vec![b"waiting".to_vec()]))
                .fd(7, File::unix_pair(301, 300, Vec::new()))
                .fd(8, File::pipe_read(44, "in the pipe"))
                .fd(9, File::pipe_write(44))
                .map(Vma::anon(AT, 0x4000))
                .pages(AT, b"page".to_vec()),
        )
        .zombie(9, 7, 0x700, "done")
        .memfd("scratch", 21, 5000, &[(0, b"in the memfd")]);
    dump
}

fn open(archive: &Archive) -> Checkpoint {
    let evidence = Evidence::from_bytes("synthetic", archive.tar().into(), &Options::default());
    Checkpoint::options().open_evidence(evidence.expect("evidence")).expect("a checkpoint")
}

/// Verifies an archive, after adding what CRIU always writes and the writer of synthetic images does not: the limits of the
/// IPC namespace.
fn verified(archive: &Archive) -> Verification {
    verify(&open(&with_ipc(archive)), &Options::default())
}

fn with_ipc(archive: &Archive) -> Archive {
    const IPCNS_VAR: u32 = 0x5311_5007;
    let mut archive = archive.clone();
    for name in archive.names() {
        let Some(folder) = name.strip_suffix("utsns-12.img") else { continue };
        let uts = archive.get(&name).expect("it is there");
        let framing = if uts.starts_with(&magic::UTSNS.to_le_bytes()) {
            Framing::V1_0
        } else {
            Framing::V1_1
        };
        let big = uts.starts_with(&magic::COMMON.to_be_bytes());
        let order = if big { ByteOrder::Big } else { ByteOrder::Little };
        let limits = (2..=12).fold(Message::new(), |limits, field| limits.uint(field, 1u32));
        let image = Image::new(IPCNS_VAR, framing, order).record(&limits).into_bytes();
        archive.member(format!("{folder}ipcns-var-11.img"), image);
    }
    archive
}

fn of<'a>(verification: &'a Verification, id: &str) -> &'a Check {
    verification.checks.iter().find(|check| check.id == id).unwrap_or_else(|| panic!("no {id}"))
}

fn failed(verification: &Verification) -> Vec<(&str, Effect)> {
    let checks = verification.checks.iter();
    checks
        .filter_map(|check| match check.outcome {
            Outcome::Failed(effect) => Some((check.id, effect)),
            _ => None,
        })
        .collect()
}

#[test]
fn a_sound_checkpoint_is_whole() {
    let archive = Archive::crio(&rich());
    let verification = verified(&archive);
    assert_eq!(failed(&verification), [], "{:#?}", verification.checks);
    assert_eq!(verification.verdict, Verdict::Whole);
    let open_questions: Vec<(&str, &str)> = verification
        .checks
        .iter()
        .filter(|check| check.outcome != Outcome::Passed)
        .map(|check| (check.id, check.outcome.word()))
        .collect();
    assert_eq!(
        open_questions,
        [
            ("pages-elsewhere", "not-applicable"),
            ("parent-dumps", "not-applicable"),
            ("blob-digests", "not-applicable"),
        ]
    );
    for check in &verification.checks {
        assert!(check.expected.is_some() == check.found.is_some(), "{}", check.id);
        assert!(check.expected.is_some() || check.why.is_some(), "{}", check.id);
    }
    assert!(!verification.never_captured.is_empty());
}

#[test]
fn sound_stories_of_every_dialect_are_whole() {
    for (name, dump) in [
        ("looper", stories::looper()),
        ("criu_317", stories::criu_317()),
        ("criu_41", stories::criu_41()),
        ("split_layout", stories::split_layout()),
        ("split_layout_v1_0", stories::split_layout_v1_0()),
        ("s390x", stories::s390x()),
        ("aarch64_64k", stories::aarch64(65536)),
        ("lz4_a_packed", stories::lz4_a_packed()),
        ("lz4_b_padded", stories::lz4_b_padded()),
        ("lz4_mixed", stories::lz4_mixed()),
        ("zombies", stories::zombies()),
        ("crowd", stories::crowd(20)),
        ("sharing", stories::sharing()),
        ("deleted_exe", stories::deleted_exe()),
        ("memfd_exe", stories::memfd_exe()),
        ("threads", stories::threads()),
        ("shared_memory", stories::shared_memory()),
    ] {
        let archives = [Archive::podman(&dump), Archive::crio(&dump), Archive::containerd(&dump)];
        for archive in archives {
            let verification = verified(&archive);
            let mut failed = failed(&verification);
            // The spec of these stories has another environment than their first process.
            failed.retain(|(id, _)| *id != "command-line");
            assert_eq!(failed, [], "{name}: {:#?}", verification.checks);
        }
    }
}

/// The checks are the same ones in the same order whatever the evidence, and nothing takes them down.
#[test]
fn whatever_comes_has_every_check() {
    let ids = |verification: &Verification| {
        verification.checks.iter().map(|check| check.id).collect::<Vec<_>>()
    };
    let usual = ids(&verified(&Archive::podman(&rich())));
    let mut seen = usual.clone();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), usual.len(), "an id is there twice");
    let codes: Vec<_> =
        verified(&Archive::podman(&rich())).checks.iter().filter_map(|check| check.code).collect();
    assert_eq!(codes, (1..=15).map(|number| format!("C{number}")).collect::<Vec<_>>());
    let mut verdicts = Vec::new();
    for (name, archive) in stories::all() {
        let tar = with_ipc(&archive).tar();
        let evidence = Evidence::from_bytes(name, tar.into(), &Options::default());
        let Ok(checkpoint) = evidence
            .map_err(ckpt_model::OpenError::from)
            .and_then(|evidence| Checkpoint::options().open_evidence(evidence))
        else {
            continue;
        };
        let verification = verify(&checkpoint, &Options::default());
        assert_eq!(ids(&verification), usual, "{name}");
        verdicts.push((name, verification.verdict));
    }
    let verdict = |name: &str| verdicts.iter().find(|(known, _)| *known == name).unwrap().1;
    assert_eq!(verdict("stale_images"), Verdict::WholeWithRemarks);
    assert_eq!(verdict("trailing_bytes"), Verdict::WholeWithRemarks);
    assert_eq!(verdict("unseen_process"), Verdict::Incomplete);
    assert_eq!(verdict("aborted_crio"), Verdict::Incomplete);
    assert_eq!(verdict("pre_dump"), Verdict::Incomplete);
    assert_eq!(verdict("missing_pages"), Verdict::Incomplete);
    assert_eq!(verdict("truncated"), Verdict::Damaged);
    assert_eq!(verdict("hostile_numbers"), Verdict::Damaged);
}

/// A change of the dump, the check that it must fail, and what that means.
type Case = (&'static str, Effect, fn(&mut Dump) -> &mut Dump);

#[test]
fn every_contradiction_in_the_images_is_found_by_its_check() {
    use Effect::{Damaged, Incomplete, Remark};
    let cases: [Case; 34] = [
        ("image-headers", Damaged, |dump| dump.corrupt("mm-7.img", 4, 0x55)),
        ("image-headers", Damaged, |dump| dump.raw("utsns-99.img", b"TVC\x19THr\x03".to_vec())),
        ("image-records", Damaged, |dump| dump.truncate("files.img", 60)),
        ("image-records", Damaged, |dump| dump.append("mm-7.img", *b"more")),
        ("image-records", Remark, |dump| dump.record("pstree.img", &entry(10, 7).uint(77, 1u32))),
        ("image-records", Incomplete, |dump| {
            // Without group and session.
            dump.record("pstree.img", &Message::new().uint(1, 10u32).uint(2, 7u32))
        }),
        ("pages-counted", Remark, |dump| {
            dump.record("pagemap-7.img", &run(AT + 0x1000, 1));
            dump.append("pages-2.img", vec![7; 4096])
        }),
        ("pages-stored", Damaged, |dump| dump.truncate("pages-2.img", 4096)),
        ("pages-stored", Remark, |dump| dump.append("pages-2.img", vec![7; 4096])),
        ("pages-stored", Incomplete, |dump| dump.without("pages-2.img")),
        ("pages-stored", Damaged, |dump| {
            // Below the entry before it.
            dump.record("pagemap-7.img", &run(AT, 1));
            dump.append("pages-2.img", vec![7; 4096])
        }),
        ("pages-stored", Damaged, |dump| dump.record("pagemap-7.img", &run(AT + 0x1000, 0))),
        ("seccomp-filters", Damaged, |dump| {
            // Two filters, each installed before the other one.
            let filter =
                |prev: u32| Message::new().bytes(1, [6, 0, 0, 0, 0, 0, 0, 0]).uint(2, prev);
            let filters = Message::new().messages(1, [&filter(1), &filter(0)]);
            dump.image("seccomp.img", magic::SECCOMP, &[filters])
        }),
        ("pages-owned", Damaged, |dump| {
            dump.image("pagemap-7.img", magic::PAGEMAP, &[Message::new().uint(1, 1u32)])
        }),
        ("pages-mapped", Damaged, |dump| {
            dump.record("pagemap-7.img", &run(0x7ffe_0000_0000, 1));
            dump.append("pages-2.img", vec![7; 4096])
        }),
        ("pages-mapped", Damaged, |dump| {
            dump.record("pagemap-shmem-21.img", &run(0x10_0000, 1));
            dump.append("pages-3.img", vec![7; 4096])
        }),
        ("open-files", Incomplete, |dump| dump.record("fdinfo-2.img", &fd(4000, 1, 20))),
        ("open-files", Incomplete, |dump| {
            dump.image("fs-7.img", magic::FS, &[Message::new().uint(1, 4000u32).uint(2, 4001u32)])
        }),
        ("socket-peers", Incomplete, |dump| dump.record("files.img", &unix(600, 601, 0))),
        ("socket-peers", Remark, |dump| {
            let stream = (1..=7).fold(Message::new(), |stream, field| stream.uint(field, 0u32));
            dump.image("tcp-stream-abc.img", magic::TCP_STREAM, &[stream])
        }),
        ("queued-data", Incomplete, |dump| {
            dump.record("pipes-data.img", &Message::new().uint(1, 4000u32).uint(2, 0u32))
        }),
        ("queued-data", Incomplete, |dump| {
            dump.record("sk-queues.img", &Message::new().uint(1, 4000u32).uint(2, 0u32))
        }),
        ("shared-memory", Incomplete, |dump| dump.without("pagemap-shmem-21.img")),
        ("shared-memory", Remark, |dump| {
            dump.image("pagemap-shmem-77.img", magic::PAGEMAP, &[Message::new().uint(1, 77u32)])
        }),
        ("deleted-files", Incomplete, |dump| dump.without("ghost-file-1.img")),
        ("deleted-files", Incomplete, |dump| {
            let remap = Message::new().uint(1, 1u32).uint(2, 4000u32).uint(3, 0u32);
            dump.record("remap-fpath.img", &remap)
        }),
        ("mounted-files", Incomplete, |dump| {
            let file = Message::new().uint(1, 500u32).uint(2, 0u32).uint(3, 0u32);
            let fown = (1..=5).fold(Message::new(), |fown, field| fown.uint(field, 0u32));
            let file = file.message(5, &fown).bytes(6, "/elsewhere").sint(7, 4000);
            dump.record(
                "files.img",
                &Message::new().uint(1, 1u32).uint(2, 500u32).message(3, &file),
            )
        }),
        ("namespaces", Incomplete, |dump| dump.without("utsns-12.img")),
        ("namespaces", Incomplete, |dump| dump.without("mountpoints-13.img")),
        ("threads", Incomplete, |dump| dump.without("core-8.img")),
        ("threads", Incomplete, |dump| dump.without("core-9.img")),
        ("process-tree", Incomplete, |dump| dump.record("pstree.img", &entry(10, 4000))),
        ("process-tree", Damaged, |dump| dump.record("pstree.img", &entry(10, 0))),
        ("process-tree", Damaged, |dump| dump.record("pstree.img", &entry(7, 1))),
    ];
    for (number, (id, effect, change)) in cases.into_iter().enumerate() {
        let mut dump = rich();
        change(&mut dump);
        let verification = verified(&Archive::crio(&dump));
        let check = of(&verification, id);
        assert_eq!(check.outcome, Outcome::Failed(effect), "case {number}: {check:#?}");
        assert!(!check.troubles.is_empty(), "case {number}: {check:#?}");
        assert_ne!(verification.verdict, Verdict::Whole, "case {number}");
    }
}

/// What is missing, a change that takes it away, and the check that must name it.
type Missing = (&'static str, &'static str, fn(&mut Dump) -> &mut Dump);

#[test]
fn what_other_images_refer_to_is_missed_and_named() {
    let cases: [Missing; 14] = [
        ("remap-fpath.img", "deleted-files", |dump| dump.without("remap-fpath.img")),
        ("remap-fpath.img", "deleted-files", |dump| {
            let reg = Message::new().uint(1, 500u32).uint(2, 0u32).uint(3, 0u32);
            let reg = reg.message(5, &zeros(5)).bytes(6, "/tmp/link_remap.4");
            dump.record("files.img", &file(1, 500, 3, &reg))
        }),
        ("memfd.img", "shared-memory", |dump| dump.without("memfd.img")),
        ("memfd.img", "shared-memory", |dump| {
            let memfd = Message::new().uint(1, 500u32).uint(2, 2u32).uint(3, 0u32);
            let memfd = memfd.message(4, &zeros(5)).uint(5, 4000u32);
            dump.record("files.img", &file(18, 500, 20, &memfd))
        }),
        ("tty-info.img", "open-files", |dump| {
            let tty = Message::new().uint(1, 500u32).uint(2, 9u32).uint(3, 2u32);
            dump.record("files.img", &file(11, 500, 19, &tty.message(4, &zeros(5))))
        }),
        ("files.img", "open-files", |dump| {
            let fifo = Message::new().uint(1, 500u32).uint(2, 60u32).uint(3, 4000u32);
            dump.record("files.img", &file(3, 500, 17, &fifo))
        }),
        ("seccomp.img", "seccomp-filters", |dump| dump.without("seccomp.img")),
        ("seccomp.img", "seccomp-filters", |dump| {
            let filter = Message::new().bytes(1, [6, 0, 0, 0, 0, 0, 0xff, 0x7f]).uint(2, 1u32);
            dump.image("seccomp.img", magic::SECCOMP, &[Message::new().message(1, &filter)])
        }),
        ("ids-7.img", "namespaces", |dump| dump.without("ids-7.img")),
        ("pagemap-7.img", "pages-stored", |dump| {
            dump.without("pagemap-7.img").without("pages-2.img")
        }),
        ("core-9.img", "threads", |dump| dump.without("core-9.img")),
        ("pipes-data.img", "queued-data", |dump| dump.without("pipes-data.img")),
        ("sk-queues.img", "queued-data", |dump| dump.record("files.img", &unix(600, 301, 768))),
        ("fifo-data.img", "queued-data", |dump| {
            let reg = Message::new().uint(1, 501u32).uint(2, 2u32).uint(3, 0u32);
            let reg = reg.message(5, &zeros(5)).bytes(6, "/tmp/fifo");
            let fifo = Message::new().uint(1, 500u32).uint(2, 60u32).uint(3, 501u32);
            dump.record("files.img", &file(1, 501, 3, &reg));
            dump.record("files.img", &file(3, 500, 17, &fifo))
        }),
    ];
    for (number, (image, id, change)) in cases.into_iter().enumerate() {
        let mut dump = rich();
        change(&mut dump);
        let verification = verified(&Archive::crio(&dump));
        let check = of(&verification, id);
        assert_eq!(check.outcome, Outcome::Failed(Effect::Incomplete), "case {number}: {check:#?}");
        let [trouble] = check.troubles.as_slice() else { panic!("case {number}: {check:#?}") };
        assert_eq!(trouble.place, format!("checkpoint/{image}"), "case {number}: {check:#?}");
        assert_eq!(verification.verdict, Verdict::Incomplete, "case {number}");
    }
}

/// A segment that is mapped has a description, unless its namespace is CRIU's own.
#[test]
fn mapped_system_v_segments_are_described() {
    let mut dump = stories::shared_memory();
    dump.without("ipcns-shm-11.img");
    let verification = verified(&Archive::podman(&dump));
    let check = of(&verification, "shared-memory");
    assert_eq!(check.outcome, Outcome::Failed(Effect::Incomplete), "{check:#?}");
    assert_eq!(check.troubles.len(), 1, "{check:#?}");
    assert_eq!(check.troubles[0].place, "checkpoint/ipcns-shm-11.img");
}

/// A ghost that nothing refers to is of this dump, unless it is older.
#[test]
fn ghosts_of_an_earlier_dump_are_left_overs() {
    let mut dump = rich();
    dump.without("remap-fpath.img");
    let mut archive = Archive::podman(&dump);
    archive.mtime_of("checkpoint/ghost-file-1.img", Container::new("rich").mtime() - 60);
    let verification = verified(&archive);
    assert_eq!(of(&verification, "deleted-files").outcome, Outcome::NotApplicable);
    assert_eq!(of(&verification, "stale-images").outcome, Outcome::Failed(Effect::Remark));
}

/// One network namespace that was dumped tells that CRIU was to dump networks.
/// Before CRIU 0.8 the images of namespaces have the pid of the first process in their names.
#[test]
fn namespaces_of_old_dumps_are_named_by_the_first_process() {
    let mut dump = rich();
    let ids = (1..=12u32).fold(Message::new(), |ids, field| ids.uint(field, 1u32));
    // img_version, fdinfo_per_id, root_ids; no ns_per_id
    let inventory = Message::new().uint(1, 1u32).bool(2, true).message(3, &ids);
    dump.image("inventory.img", magic::INVENTORY, &[inventory]);
    let endings = [ns::MNT, ns::UTS, ns::NET].map(|ns| format!("-{ns}.img"));
    for (name, bytes) in dump.images() {
        if let Some(kind) = endings.iter().find_map(|ending| name.strip_suffix(ending.as_str())) {
            dump.raw(&format!("{kind}-1.img"), bytes).without(&name);
        }
    }
    let limits = (2..=12).fold(Message::new(), |limits, field| limits.uint(field, 1u32));
    dump.image("ipcns-var-1.img", 0x5311_5007, &[limits]);
    dump.image("userns-1.img", 0x5547_4906, &[Message::new()]);
    let verification = verify(&open(&Archive::bare(&dump, "")), &Options::default());
    let check = of(&verification, "namespaces");
    assert_eq!(check.outcome, Outcome::Passed, "{check:#?}");
    dump.without("utsns-1.img");
    let verification = verify(&open(&Archive::bare(&dump, "")), &Options::default());
    assert_eq!(of(&verification, "namespaces").troubles[0].place, "utsns-1.img");
}

#[test]
fn networks_are_left_out_together_or_not_at_all() {
    let other = |change: fn(&mut Dump) -> &mut Dump| {
        let mut dump = rich();
        let mut ids: Vec<u32> = vec![4, 2, 4, 4, ns::PID, 88, ns::IPC, ns::UTS, ns::MNT];
        ids.extend([ns::USER, ns::CGROUP, ns::TIME]);
        let ids = (1u32..).zip(ids).fold(Message::new(), |ids, (field, id)| ids.uint(field, id));
        dump.image("ids-7.img", magic::IDS, std::slice::from_ref(&ids));
        change(&mut dump);
        let check = of(&verified(&Archive::podman(&dump)), "namespaces").clone();
        let places: Vec<String> = check.troubles.into_iter().map(|t| t.place).collect();
        (check.outcome, places.join(" "))
    };
    let incomplete = Outcome::Failed(Effect::Incomplete);
    let inside = "checkpoint/netdev-88.img checkpoint/ifaddr-88.img";
    let (outcome, places) = other(|dump| dump);
    assert_eq!((outcome, places), (incomplete, format!("{inside} checkpoint/netns-88.img")));
    let (outcome, places) =
        other(|dump| dump.image("netns-88.img", magic::NETNS, &[Message::new()]));
    assert_eq!((outcome, places.as_str()), (incomplete, inside));
    let (outcome, places) = other(|dump| {
        let external = Message::new().bytes(8, "extRootNetNS");
        dump.image("netns-88.img", magic::NETNS, &[external])
    });
    assert_eq!((outcome, places.as_str()), (Outcome::Passed, ""));
    let (outcome, places) = other(|dump| {
        for part in ["netns", "netdev", "ifaddr", "route"] {
            dump.without(&format!("{part}-10.img"));
        }
        dump
    });
    assert_eq!((outcome, places.as_str()), (Outcome::Passed, ""));
}

/// Of a zombie there is a core image and nothing else; without it, its list of threads is no list of threads.
#[test]
fn a_zombie_without_its_core_has_no_made_up_threads() {
    let mut dump = Dump::new();
    dump.task(Task::new(1, 0)).zombie(9, 1, 0x700, "done").without("core-9.img");
    let check = of(&verified(&Archive::podman(&dump)), "threads").clone();
    assert_eq!(check.outcome, Outcome::Failed(Effect::Incomplete), "{check:#?}");
    assert_eq!(check.troubles.len(), 1, "{check:#?}");
    assert_eq!(check.troubles[0].place, "checkpoint/core-9.img");
}

#[test]
fn what_an_engine_always_writes_is_missed() {
    let crio: fn(&Dump) -> Archive = Archive::crio;
    let written = [
        (crio, "cri-o", &["config.dump", "dump.log", "stats-dump", "rootfs-diff.tar"]),
        (
            Archive::containerd,
            "containerd",
            &["spec.dump", "dump.log", "status", "rootfs-diff.tar"],
        ),
    ];
    for (archive, engine, names) in written {
        for name in names {
            let mut without = archive(&rich());
            without.without(name);
            let verification = verified(&without);
            let check = of(&verification, "engine-files");
            assert_eq!(check.outcome, Outcome::Failed(Effect::Incomplete), "{name}: {check:#?}");
            let [trouble] = check.troubles.as_slice() else { panic!("{check:#?}") };
            assert_eq!(trouble.place, *name);
            assert_eq!(trouble.what, format!("{engine} always writes it, and it is not there"));
            assert_eq!(verification.verdict, Verdict::Incomplete, "{name}");

            let mut empty = archive(&rich());
            empty.replace(name, b"");
            let check = of(&verified(&empty), "engine-files").clone();
            assert_eq!(check.outcome, Outcome::Failed(Effect::Incomplete), "{name}: {check:#?}");
            assert!(check.troubles[0].what.starts_with("it is empty"), "{check:#?}");
        }
    }
    let mut archive = Archive::containerd(&rich());
    let why = |archive: &Archive, id: &str| of(&verified(archive), id).why.clone().unwrap();
    let podman = Archive::podman(&rich());
    assert_eq!(why(&podman, "dump-log"), "there is no dump.log: podman does not keep it");
    assert_eq!(
        why(archive.clone().without("dump.log"), "dump-log"),
        "there is no dump.log, which containerd always writes"
    );
    archive.replace("dump.log", b"");
    let verification = verified(&archive);
    assert_eq!(of(&verification, "dump-log").outcome, Outcome::Failed(Effect::Incomplete));
    let missed = of(&verification, "processes-missed");
    assert_eq!(missed.outcome, Outcome::NotCheckable);
    let why = "only CRIU's log would tell: dump.log is empty";
    assert_eq!(missed.why.as_deref(), Some(why));
}

/// `pstree_entry` of a process without other threads.
fn entry(pid: u32, ppid: u32) -> Message {
    Message::new().uint(1, pid).uint(2, ppid).uint(3, 1u32).uint(4, 1u32).uint(5, pid)
}

/// `pagemap_entry` of stored pages, as CRIU 4.2 writes it.
fn run(start: u64, pages: u64) -> Message {
    Message::new().uint(1, start).uint(2, 0u32).uint(4, 4u32).uint(5, pages)
}

/// `fdinfo_entry`.
fn fd(id: u32, kind: u32, number: u32) -> Message {
    Message::new().uint(1, id).uint(2, 0u32).uint(3, kind).uint(4, number)
}

/// A message with so many numbers, all of them 0.
fn zeros(to: u32) -> Message {
    (1..=to).fold(Message::new(), |all, field| all.uint(field, 0u32))
}

/// `file_entry`.
fn file(kind: u32, id: u32, field: u32, message: &Message) -> Message {
    Message::new().uint(1, kind).uint(2, id).message(field, message)
}

/// A connected unix socket in `files.img`, and the bytes of memory that what it sent takes.
fn unix(ino: u32, peer: u32, sent: u32) -> Message {
    let socket = Message::new().uint(1, 700u32).uint(2, ino).uint(3, 1u32).uint(4, 1u32);
    let socket = socket.uint(5, 0u32).uint(6, 0u32).uint(7, sent).uint(8, peer);
    let socket = socket.message(9, &zeros(5)).message(10, &zeros(6)).bytes(11, "");
    Message::new().uint(1, 5u32).uint(2, 700u32).message(16, &socket)
}

#[test]
fn left_overs_of_an_earlier_dump_are_remarks() {
    let verification = verified(&stories::stale_images());
    assert_eq!(of(&verification, "threads").outcome, Outcome::Failed(Effect::Remark));
    assert_eq!(of(&verification, "stale-images").outcome, Outcome::Failed(Effect::Remark));
    // The stale pagemap names a pages file of this dump; as it is set aside, the file has one owner.
    assert_eq!(of(&verification, "pages-owned").outcome, Outcome::Passed);
    assert_eq!(verification.verdict, Verdict::WholeWithRemarks);
}

#[test]
fn identities_that_disagree_are_told() {
    let other = "0123456789abcdef".repeat(4);
    let mut dump = rich();
    dump.cgroup(&format!("/machine.slice/libpod-{other}.scope/container"));
    let verification = verified(&Archive::podman(&dump));
    let check = of(&verification, "container-identity");
    assert_eq!(check.outcome, Outcome::Failed(Effect::Remark), "{check:#?}");
    assert!(check.troubles[0].place.ends_with("cgroup.img"), "{check:#?}");
    let mut archive = Archive::podman(&rich());
    let config = String::from_utf8(archive.get("config.dump").unwrap()).unwrap();
    let id = Container::new("rich").id_str().to_owned();
    assert!(config.contains(&id));
    archive.replace("config.dump", config.replace(&id, &other).into_bytes());
    let verification = verified(&archive);
    let check = of(&verification, "container-identity");
    assert_eq!(check.outcome, Outcome::Failed(Effect::Remark), "{check:#?}");
}

#[test]
fn arguments_and_an_environment_that_differ_are_remarks() {
    let started = |argv: &[&str], env: &[&str]| {
        let mut dump = Dump::new();
        let container = Container::new("c").command(&["init", "--now"]).env(&["A=b", "A=c", "D=e"]);
        dump.container(container).task(Task::new(1, 0).comm("init").argv(argv).env(env));
        verified(&Archive::podman(&dump))
    };
    // Of two entries with one key the last one counts.
    let verification = started(&["init", "--now"], &["A=c", "D=e", "HOME=/"]);
    assert_eq!(of(&verification, "command-line").outcome, Outcome::Passed);
    let verification = started(&["init", "--now"], &["A=c", "D=f"]);
    let check = of(&verification, "command-line");
    assert_eq!(check.outcome, Outcome::Failed(Effect::Remark), "{check:#?}");
    assert!(check.troubles[0].what.contains("another D "), "{check:#?}");
    let verification = started(&["nginx", "-g"], &["A=c", "D=f"]);
    let check = of(&verification, "command-line");
    assert_eq!(check.outcome, Outcome::Failed(Effect::Remark), "{check:#?}");
    assert_eq!(check.expected.as_deref(), Some("init --now"));
    assert_eq!(check.found.as_deref(), Some("nginx -g"));
    assert_eq!(verification.verdict, Verdict::WholeWithRemarks);
    // A script's interpreter stands in front of it.
    let verification = started(&["/bin/sh", "/sbin/init", "--now"], &["A=c", "D=e"]);
    assert_eq!(of(&verification, "command-line").outcome, Outcome::Passed);
}

#[test]
fn variables_that_nobody_asked_for_are_named_without_their_values() {
    let started = |env: &[String]| {
        let mut dump = Dump::new();
        let container = Container::new("c").command(&["init"]).env(&["A=b"]);
        let env: Vec<&str> =
            ["A=b", "HOME=/"].into_iter().chain(env.iter().map(|e| &**e)).collect();
        dump.container(container).task(Task::new(1, 0).comm("init").argv(&["init"]).env(&env));
        of(&verified(&Archive::podman(&dump)), "command-line").clone()
    };
    assert_eq!(started(&[]).outcome, Outcome::Passed);
    let check = started(&["LD_PRELOAD=/tmp/.x.so".to_owned(), "A=c".to_owned()]);
    assert_eq!(check.outcome, Outcome::Failed(Effect::Remark), "{check:#?}");
    let [trouble] = check.troubles.as_slice() else { panic!("{check:#?}") };
    assert_eq!(trouble.place, "process 1");
    assert!(trouble.what.ends_with("2 variables that the spec does not ask for: A, LD_PRELOAD"));
    // Many, long ones, and text that is no variable.
    let mut many: Vec<String> =
        (0..40).map(|n| format!("{n:02}{}=secret", "x".repeat(500))).collect();
    many.push("0secret".to_owned());
    let what = &started(&many).troubles[0].what;
    assert!(what.len() < 1000 && !what.contains("secret"), "{what}");
    assert!(what.ends_with(" and 31 more"), "{what}");
}

#[test]
fn arguments_that_the_spec_explains_are_no_remark() {
    let started = |asked: &[&str], argv: &[&str]| {
        let mut dump = Dump::new();
        dump.container(Container::new("c").command(asked)).task(Task::new(1, 0).argv(argv));
        let check = of(&verified(&Archive::podman(&dump)), "command-line").clone();
        assert!(check.found.as_ref().unwrap().len() < 500 && check.expected.is_some());
        check.outcome
    };
    let script = "mkdir -p /run/x; exec httpd -f -p 80";
    for (asked, argv) in [
        (&["nginx", "-g", "daemon off;"][..], &["nginx: master process nginx -g daemon off;"][..]),
        (&["/usr/bin/redis-server", "--port", "1"], &["/usr/bin/redis-server *:1", "", ""]),
        (&["puma", "-b", "tcp"], &["", "", ""]),
        (&["/docker-entrypoint.sh", "postgres", "-c", "x"], &["postgres", "-c", "x"]),
        (&["sh", "-ec", script], &["httpd", "-f", "-p", "80"]),
        (&["bash", "/srv/run"], &["java", "-jar", "/srv/app.jar"]),
        (&["/start.sh"], &["java"]),
    ] {
        assert_eq!(started(asked, argv), Outcome::NotCheckable, "{asked:?} {argv:?}");
    }
    let long = "x".repeat(1 << 16);
    for (asked, argv) in [
        (&["nginx", "-g", "daemon off;"][..], &["[kworker/0:1]", "", ""][..]),
        (&["/usr/sbin/sshd", "-D"], &["/tmp/.x", "-D"]),
        (&["sh", "-c", script], &["xmrig", "-o", "pool"]),
        (&["app"], &[&long, &long]),
    ] {
        assert_eq!(started(asked, argv), Outcome::Failed(Effect::Remark), "{asked:?}");
    }
}

#[test]
fn the_root_path_of_a_runtime_has_the_id_of_the_container() {
    let rooted = |path: &str| {
        let mut archive = Archive::containerd(&rich());
        let spec = String::from_utf8(archive.get("spec.dump").unwrap()).unwrap();
        let id = Container::new("rich").id_str().to_owned();
        let old = format!("/var/lib/containers/storage/overlay/{id}/merged");
        assert!(spec.contains(&old));
        archive.replace("spec.dump", spec.replace(&old, path).into_bytes());
        of(&verified(&archive), "container-identity").clone()
    };
    let other = "0123456789abcdef".repeat(4);
    let runtime = "/run/containerd/io.containerd.runtime.v2.task/k8s.io";
    let check = rooted(&format!("{runtime}/{other}/rootfs"));
    assert_eq!(check.outcome, Outcome::Failed(Effect::Remark), "{check:#?}");
    assert!(check.troubles[0].what.starts_with("the root path is of container 0123"), "{check:#?}");
    let own = Container::new("rich").id_str().to_owned();
    let check = rooted(&format!("{runtime}/{own}/rootfs"));
    assert_eq!(check.outcome, Outcome::Passed);
    assert!(check.found.as_deref().unwrap().contains("the root path"), "{check:#?}");
    // Layers have ids of their own.
    for path in [format!("/var/lib/containers/storage/overlay/{other}/merged"), "rootfs".to_owned()]
    {
        assert_eq!(rooted(&path).outcome, Outcome::Passed, "{path}");
    }
}

#[test]
fn the_log_is_read_for_losses_failures_and_a_missing_end() {
    let with = |lines: &[&str]| {
        let mut archive = Archive::crio(&rich());
        archive.replace("dump.log", ckpt_synth::engines::dump_log(&rich(), lines).into_bytes());
        archive
    };
    let harmless = "Error (criu/util.c:1534): rlimit: Can't setup RLIMIT_NOFILE for self: Operation not permitted";
    let verification = verified(&with(&[harmless]));
    let check = of(&verification, "dump-log");
    assert_eq!((check.outcome, &check.why), (Outcome::Passed, &None), "{check:#?}");

    let lost = "Warn  (criu/sk-inet.c:161): inet: Read queue is dropped for socket b7f93";
    let verification = verified(&with(&[lost, lost]));
    assert_eq!(of(&verification, "dump-log").outcome, Outcome::Failed(Effect::Remark));

    let verification = verified(&with(&["Warn  (criu/new.c:1): something \x1bnew"]));
    let check = of(&verification, "dump-log");
    assert_eq!(check.outcome, Outcome::Passed);
    let why = check.why.as_deref().unwrap();
    assert!(why.contains("something \\x1bnew") && why.starts_with("1 line"), "{why}");

    let mut cut = with(&[]);
    let log = String::from_utf8(cut.get("dump.log").unwrap()).unwrap();
    cut.replace("dump.log", log.replace("Dumping finished", "Dumping").into_bytes());
    assert_eq!(of(&verified(&cut), "dump-log").outcome, Outcome::Failed(Effect::Incomplete));

    let verification = verified(&stories::aborted_crio());
    assert_eq!(of(&verification, "dump-log").outcome, Outcome::Failed(Effect::Incomplete));
    assert_eq!(of(&verification, "dump-finished").outcome, Outcome::Failed(Effect::Incomplete));
    let verification = verified(&stories::unseen_process());
    let check = of(&verification, "processes-missed");
    assert_eq!(check.outcome, Outcome::Failed(Effect::Incomplete));
    assert!(check.troubles[0].what.contains(&stories::UNSEEN_HOST_PID.to_string()), "{check:#?}");
}

#[test]
fn compressed_pages_are_expanded() {
    let mut dump = stories::lz4_b();
    let images = dump.images();
    let pages = images.iter().find(|(name, _)| name == "pages-1.img").unwrap();
    // Tokens that ask for more than there is.
    for at in 0..pages.1.len() {
        dump.corrupt("pages-1.img", at as u64, 0xff);
    }
    let check = of(&verified(&Archive::podman(&dump)), "pages-stored").clone();
    assert_eq!(check.outcome, Outcome::Failed(Effect::Damaged), "{check:#?}");
    assert!(check.troubles[0].what.contains("do not expand"), "{check:#?}");
}

/// Those of shared memory, of a parent and of a pre-dump too, which has no memory map.
#[test]
fn compressed_pages_are_expanded_wherever_they_are() {
    let text = noise::page(7, 0, 4096);
    let compressed = || Dialect::V12(Compression::per_page(BlockLayout::B));
    let damaged = |dump: &mut Dump, pages: &str| {
        let images = dump.images();
        let (_, bytes) = images.iter().find(|(name, _)| name == pages).unwrap();
        for at in 0..bytes.len() {
            dump.corrupt(pages, at as u64, 0xff);
        }
    };
    let mut shared = Dump::new();
    shared.dialect(compressed()).task(Task::new(1, 0).fd(3, File::memfd("scratch"))).memfd(
        "scratch",
        21,
        4096,
        &[(0, &text)],
    );
    damaged(&mut shared, "pages-2.img");
    let mut pre_dump = Dump::new();
    pre_dump.dialect(compressed()).pre_dump();
    pre_dump.task(Task::new(1, 0).map(Vma::anon(AT, 4096)).pages(AT, text.clone()));
    damaged(&mut pre_dump, "pages-1.img");
    for (dump, pagemap) in [(shared, "pagemap-shmem-21.img"), (pre_dump, "pagemap-1.img")] {
        let verification = verify(&open(&Archive::bare(&dump, "")), &Options::default());
        let check = of(&verification, "pages-stored");
        assert_eq!(check.outcome, Outcome::Failed(Effect::Damaged), "{check:#?}");
        let [only] = check.troubles.as_slice() else { panic!("{check:#?}") };
        assert_eq!(only.place, pagemap);
        assert!(only.what.contains("do not expand"), "{check:#?}");
    }
}

#[test]
fn pages_in_a_parent_are_looked_for_there() {
    let whole = verified(&stories::chain_three());
    let check = of(&whole, "pages-elsewhere");
    assert_eq!(check.outcome, Outcome::Passed, "{check:#?}");
    assert_eq!(of(&whole, "parent-dumps").outcome, Outcome::Passed);
    assert_eq!(of(&whole, "pages-counted").outcome, Outcome::NotApplicable);

    let (_, last) = stories::podman_chain();
    let verification = verified(&last);
    for id in ["pages-elsewhere", "parent-dumps"] {
        let check = of(&verification, id);
        assert_eq!(check.outcome, Outcome::Failed(Effect::Incomplete), "{check:#?}");
    }
    let mut lazy = Dump::new();
    let task = Task::new(1, 0).map(Vma::anon(AT, 0x4000)).pages_elsewhere(AT, 2);
    lazy.task(task);
    let verification = verified(&Archive::podman(&lazy));
    let check = of(&verification, "pages-elsewhere");
    assert_eq!(check.outcome, Outcome::Failed(Effect::Incomplete), "{check:#?}");
    assert!(check.troubles[0].what.contains("lazy migration"), "{check:#?}");
}

#[test]
fn the_archive_around_it() {
    let verification = verified(&stories::trailing_bytes());
    let check = of(&verification, "archive-structure");
    assert_eq!(check.outcome, Outcome::Failed(Effect::Remark), "{check:#?}");
    assert!(check.why.as_deref().unwrap().contains("100000 bytes"), "{check:#?}");

    let mut cut = Archive::crio(&rich());
    cut.unended();
    let check = of(&verified(&cut), "archive-structure").clone();
    assert!(matches!(check.outcome, Outcome::Failed(_)), "{check:#?}");

    let mut stripped = Archive::crio(&rich());
    stripped.without("config.dump").member("extra.bin", b"?");
    let verification = verified(&stripped);
    assert_eq!(of(&verification, "engine-files").outcome, Outcome::Failed(Effect::Incomplete));
    let check = of(&verification, "members-accounted");
    assert!(check.why.as_deref().unwrap().contains("extra.bin"), "{check:#?}");

    let broken = {
        let mut archive = Archive::crio(&rich());
        archive.replace("rootfs-diff.tar", b"not a tar at all".repeat(64));
        archive
    };
    let check = of(&verified(&broken), "readable").clone();
    assert_eq!(check.outcome, Outcome::Failed(Effect::Damaged), "{check:#?}");
}

#[test]
fn blobs_of_an_image_have_their_digests() {
    let layer = Archive::podman(&stories::looper()).tar();
    let digest = |bytes: &[u8]| format!("sha256:{}", ckpt_archive::sha256_bytes(bytes));
    let descriptor = |kind: &str, bytes: &[u8]| {
        let (digest, size) = (digest(bytes), bytes.len());
        format!(r#"{{"mediaType":"{kind}","digest":"{digest}","size":{size}}}"#)
    };
    let config = b"{}";
    let manifest = format!(
        r#"{{"schemaVersion":2,"config":{},"layers":[{}]}}"#,
        descriptor("application/vnd.oci.image.config.v1+json", config),
        descriptor("application/vnd.oci.image.layer.v1.tar", &layer),
    );
    let index = format!(
        r#"{{"schemaVersion":2,"manifests":[{}]}}"#,
        descriptor("application/vnd.oci.image.manifest.v1+json", manifest.as_bytes()),
    );
    let blob = |bytes: &[u8]| format!("blobs/{}", digest(bytes).replace(':', "/"));
    let mut image = Archive::new();
    image
        .member("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)
        .member("index.json", index.into_bytes())
        .member(blob(manifest.as_bytes()), manifest.clone().into_bytes())
        .member(blob(config), *config)
        .member(blob(&layer), layer.clone());
    let verification = verified(&image);
    assert_eq!(of(&verification, "blob-digests").outcome, Outcome::Passed);
    let mut changed = layer.clone();
    let at = changed.windows(9).position(|window| window == b"heap of 1").unwrap();
    changed[at] = b'H';
    image.replace(&blob(&layer), changed);
    let verification = verified(&image);
    let check = of(&verification, "blob-digests");
    assert_eq!(check.outcome, Outcome::Failed(Effect::Damaged), "{check:#?}");
}
