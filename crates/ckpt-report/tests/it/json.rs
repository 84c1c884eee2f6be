//! The names that programs rely on, and how text, masks and addresses are written.

use ckpt_model::{ChangeFilter, ChangesOptions, Checkpoint};
use ckpt_report::json::{self, FilesOptions};
use ckpt_synth::{Archive, Dump, File, Message, Task, magic, stories};
use criu_image::{Image, ImageKind, ShowContext};
use serde::Serialize;
use serde_json::{Value, json};

use crate::stories::{open, open_archive};

fn value(document: &impl Serialize) -> Value {
    serde_json::to_value(document).expect("JSON")
}

fn tree(checkpoint: &Checkpoint) -> Value {
    value(&json::tree(checkpoint, &[]))
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

/// What was set by hand is told; what the kernel sets by itself is not.
#[test]
fn sockets_tell_the_options_that_were_set() {
    let fown = (1..=5).fold(Message::new(), |fown, field| fown.uint(field, 0u32));
    let opts = (1..=6).fold(Message::new(), |opts, field| opts.uint(field, 0u32)); // so_sndbuf to so_rcv_tmo_usec
    let by_hand = Message::new()
        .uint(1, 0u32) // so_sndbuf
        .uint(2, 4096u32) // so_rcvbuf
        .uint(3, 1u32) // so_snd_tmo_sec
        .uint(4, 500_000u32) // so_snd_tmo_usec
        .uint(5, 0u32) // so_rcv_tmo_sec
        .uint(6, 0u32) // so_rcv_tmo_usec
        .uint(9, 10u32) // so_rcvlowat
        .uint(24, 0u32) // so_linger
        .uint(25, 2u32); // so_buf_lock: the receive buffer
    let inet = |ino: u32, opts: &Message, ip_opts: &Message, tcp_opts: &Message| {
        let message = Message::new()
            .uint(2, ino)
            .uint(3, 2u32) // family: AF_INET
            .uint(4, 1u32) // type: SOCK_STREAM
            .uint(5, 6u32) // proto: TCP
            .uint(6, 7u32) // state: CLOSE
            .uint(7, 0u32) // src_port
            .uint(8, 0u32) // dst_port
            .uint(9, 2u32) // flags
            .uint(10, 0u32) // backlog
            .message(13, &fown)
            .message(14, opts)
            .message(16, ip_opts)
            .message(20, tcp_opts);
        File::Other { kind: 4, field: 4, message }
    };
    // hdrincl, icmpv_filter; pktinfo, tos, ttl; keepcnt, keepidle, keepintvl
    let raw = Message::new().bool(1, true).uint(4, 0x101u32);
    let usual = inet(
        71,
        &opts,
        &Message::new().bool(5, false).uint(6, 0u32).uint(7, 64u32),
        &Message::new().uint(3, 9u32).uint(4, 7200u32).uint(5, 75u32),
    );
    let set = inet(
        72,
        &by_hand,
        &Message::new().message(4, &raw).bool(5, true).uint(6, 16u32).uint(7, 77u32),
        &Message::new().uint(3, 5u32).uint(4, 33u32).uint(5, 44u32),
    );
    let mut packet = Message::new()
        .uint(2, 3u32) // type: SOCK_RAW
        .uint(3, 0x300u32) // protocol
        .uint(4, 2u32) // flags
        .uint(5, 0u32) // ifindex
        .message(6, &fown)
        .message(7, &opts);
    for field in 8..=15 {
        packet = packet.uint(field, u32::from(field == 10)); // version to copy_thresh; aux_data
    }
    let promiscuous = Message::new().uint(1, 2u32).uint(2, 1u32).bytes(3, b""); // index, type, addr
    let ring = [4096u32, 4, 2048, 8, 0, 0, 0]; // block_size, block_nr, frame_size, frame_nr and so on
    let ring = (1..).zip(ring).fold(Message::new(), |all, (field, value)| all.uint(field, value));
    let packet = packet.message(16, &promiscuous).uint(17, 42u32).message(18, &ring);
    let mut dump = Dump::new();
    dump.task(
        Task::new(1, 0)
            .fd(3, usual)
            .fd(4, set)
            .fd(5, File::Other { kind: 10, field: 6, message: packet }),
    );
    let checkpoint = open(&dump);
    let wanted = FilesOptions { sockets: true, ..FilesOptions::default() };
    let files = value(&json::files(&checkpoint, &wanted));
    let options = |fd: u32| {
        let holders = json!([{"pid": 1, "fd": fd}]);
        let all = files["sockets"].as_array().expect("sockets");
        let one = all.iter().find(|socket| socket["holders"] == holders).expect("the socket");
        one["options"].clone()
    };
    assert_eq!(options(3), json!([]));
    assert_eq!(
        options(4),
        json!([
            "SO_LINGER=0",
            "SO_RCVLOWAT=10",
            "SO_RCVBUF=4096",
            "SO_SNDTIMEO=1.500000",
            "IP_PKTINFO",
            "IP_HDRINCL",
            "ICMP_FILTER=00000101",
            "IP_TOS=16",
            "IP_TTL=77",
            "TCP_KEEPIDLE=33",
            "TCP_KEEPINTVL=44",
            "TCP_KEEPCNT=5"
        ])
    );
    assert_eq!(
        options(5),
        json!([
            "PACKET_MR_PROMISC=if2",
            "PACKET_FANOUT=42",
            "PACKET_RX_RING (8 frames of 2048 bytes)",
            "PACKET_AUXDATA"
        ])
    );
}

/// Ids in the images are the container's: who they are outside stands in an image of its own.
#[test]
fn info_tells_who_the_users_are_outside() {
    let mut dump = Dump::new();
    dump.task(Task::new(1, 0));
    assert_eq!(value(&json::info(&open(&dump))).get("user_namespaces"), None);
    let range = |first: u32, outside: u32, count: u32| {
        Message::new().uint(1, first).uint(2, outside).uint(3, count)
    };
    let maps = Message::new()
        .message(1, &range(0, 1000, 1))
        .message(1, &range(1, 100_000, 65_536))
        .message(2, &range(0, 1000, 1));
    dump.image("userns-13.img", 0x5547_4906, &[maps]);
    let checkpoint = open(&dump);
    assert_eq!(
        value(&json::info(&checkpoint))["user_namespaces"],
        json!([{
            "ns": 13,
            "uid_map": [
                {"inside": 0, "outside": 1000, "count": 1},
                {"inside": 1, "outside": 100_000, "count": 65_536}
            ],
            "gid_map": [{"inside": 0, "outside": 1000, "count": 1}]
        }])
    );
}

/// A terminal that shows nothing of what is typed, one that does, and one whose other end is gone.
#[test]
fn terminals_tell_whether_they_echo() {
    let fown = (1..=5).fold(Message::new(), |fown, field| fown.uint(field, 0u32));
    let tty = |info: u32| {
        let message = Message::new().uint(2, info).uint(3, 2u32).message(4, &fown); // tty_info_id, flags
        File::Other { kind: 11, field: 19, message }
    };
    // id, type, locked, exclusive, packet_mode, sid, pgrp, rdev; index
    let info = |id: u32| {
        let info = Message::new().uint(1, id).uint(2, 1u32).bool(3, false).bool(4, false);
        let info = info.bool(5, false).uint(6, 0u32).uint(7, 0u32).uint(8, 0x8800 | id);
        info.message(12, &Message::new().uint(1, id))
    };
    let termios = |lflag: u32| {
        let modes = (1..=3).fold(Message::new(), |modes, field| modes.uint(field, 0u32));
        let modes = modes.uint(4, lflag); // c_lflag
        (5..=7).fold(modes, |modes, field| modes.uint(field, 0u32)) // c_line to c_ospeed
    };
    let infos =
        [info(1).message(9, &termios(0x8a33)), info(2).message(9, &termios(0x8a3b)), info(3)];
    let mut dump = Dump::new();
    dump.task(Task::new(1, 0).fd(3, tty(1)).fd(4, tty(2)).fd(5, tty(3)));
    dump.image("tty-info.img", magic::TTY_INFO, &infos);
    let files = value(&json::files(&open(&dump), &FilesOptions::default()));
    let details = |fd: u64| {
        let all = files["processes"][0]["fds"].as_array().expect("descriptors");
        let one = all.iter().find(|one| one["fd"] == fd).expect("the descriptor");
        (one["details"]["echo"].clone(), one["details"]["hung_up"].clone())
    };
    assert_eq!(details(3), (json!(false), json!(false)));
    assert_eq!(details(4), (json!(true), json!(false)));
    assert_eq!(details(5), (Value::Null, json!(true)));
}

/// A file that CRIU kept by a link of its own, under both of its names.
#[test]
fn a_link_of_criu_is_told_by_every_list() {
    let mut dump = Dump::new();
    dump.task(Task::new(1, 0).fd(3, File::linked("/data/gone", "/data/link_remap.9", 6)));
    let mut diff = Archive::new();
    diff.member("data/link_remap.9", "linked");
    let mut archive = Archive::podman(&dump);
    archive.replace("rootfs-diff.tar", diff.tar()).without("deleted.files");
    let checkpoint = open_archive(&archive).expect("a checkpoint");
    let files = value(&json::files(&checkpoint, &FilesOptions::default()));
    let all = files["processes"][0]["fds"].as_array().expect("descriptors");
    let gone = all.iter().find(|fd| fd["fd"] == 3).expect("the descriptor");
    assert_eq!(gone["target"], "/data/gone (deleted)");
    assert_eq!(gone["recovered"]["size"], 6);
    assert_eq!(gone["details"]["remap"], "linked");
    assert_eq!(gone["details"]["link"], "/data/link_remap.9");
    let changes = checkpoint.changes(&ChangesOptions::default()).expect("changes");
    let diff = value(&json::diff(&checkpoint, &changes, &ChangeFilter::default()));
    let deleted = json!([{"text": "/data/gone"}]);
    assert_eq!(diff["changes"][0]["path"], "/data/link_remap.9");
    assert_eq!(diff["changes"][0]["deleted_paths"], deleted);
    let artifacts = checkpoint.artifacts(&ckpt_archive::Options::default());
    let examined = artifacts.list.iter().map(|artifact| json::Examined {
        artifact,
        sha256: Err("not asked for".to_owned()),
        file: None,
    });
    let extract = value(&json::extract(&checkpoint, examined, "test"));
    let link = extract["artifacts"].as_array().expect("artifacts").iter();
    let link = link.clone().find(|one| one["path"] == "/data/link_remap.9").expect("the link");
    assert_eq!(link["deleted_paths"], deleted);
    assert_eq!((&link["pid"], &link["fd"]), (&json!(1), &json!(3)));
}

#[test]
fn tree_of_a_looper() {
    let document = tree(&open(&stories::looper()));
    assert_eq!(document["schema"], "ckpt-inspect/tree/1");
    assert_eq!(document["evidence"], json!({"path": "story.tar", "kind": "tar"}));
    assert_eq!(document["roots"], json!([1]));
    assert_eq!(document["defects"], json!([]));
    let shell = &document["processes"][0];
    assert_eq!(shell["pid"], 1);
    assert_eq!(shell["ppid"], 0);
    assert_eq!(shell["state"], "alive");
    assert_eq!(shell["exit_code"], Value::Null);
    assert_eq!(shell["comm"], "sh");
    assert_eq!(shell["argv"], json!(["sh", "-c", "while :; do sleep 1; done"]));
    assert_eq!(shell["env"], json!(["PATH=/usr/bin:/bin", stories::LOOPER_TOKEN]));
    assert_eq!(shell["exe"], json!({"path": "/bin/busybox", "deleted": false, "memfd": false}));
    assert_eq!(shell["umask"], "0022");
    assert_eq!(shell["uids"], json!([0, 0, 0, 0]));
    assert_eq!(shell["caps"]["effective"], "00000000a80425fb");
    assert_eq!(shell["seccomp"], "disabled");
    assert_eq!(shell["threads"][0]["tid"], 1);
    assert_eq!(shell["threads"][0]["sigblk"].as_str().map(str::len), Some(16));
    assert!(shell["threads"][0]["ip"].as_str().expect("an address").starts_with("0x"));
    assert_eq!(keys(&shell["namespaces"]["net"]), ["id", "shared_with_criu"]);
    assert_eq!(shell.get("comm_base64"), None);
    for name in [
        "pid",
        "ppid",
        "pgid",
        "sid",
        "state",
        "exit_code",
        "comm",
        "argv",
        "env",
        "exe",
        "cwd",
        "root",
        "umask",
        "uids",
        "gids",
        "groups",
        "caps",
        "no_new_privs",
        "seccomp",
        "threads",
        "sigpnd",
        "shdpnd",
        "rlimits",
        "oom_score_adj",
        "namespaces",
    ] {
        assert!(shell.get(name).is_some(), "{name}");
    }
}

/// What a process has set for itself, and what nobody set.
#[test]
fn tree_has_the_attributes_of_processes_and_threads() {
    let tc = Message::new()
        .uint(3, 440_008u32) // personality: the digits of 0x00440008
        .uint(4, 0x4000_0140u32) // flags
        .bool(18, true); // child_subreaper
    let stack = Message::new().uint(1, 0x7000_0000u32).uint(2, 8192u32).uint(3, 0u32);
    let rseq = Message::new().uint(1, 0x1a0_0ce0u32).uint(2, 32u32).uint(3, 0x5305_3053u32);
    let thread = Message::new()
        .uint(1, 0x1a0_06a0u32) // futex_rla
        .message(7, &stack)
        .uint(8, 9u32) // pdeath_sig
        .message(15, &rseq)
        .uint(17, 50_000u32); // timerslack_ns
    let mut dump = Dump::new();
    dump.cgroup("/machine.slice/libpod-1.scope").task(Task::new(1, 0)).task(
        Task::new(7, 1)
            .tc_extra(&tc)
            .thread_extra(&thread)
            .mm_extra(&Message::new().int(15, 0)) // dumpable
            .compat(),
    );
    let document = tree(&open(&dump));
    let odd = &document["processes"][1];
    assert_eq!(
        odd["personality"],
        json!({
            "value": "00440008",
            "domain": "PER_LINUX32",
            "flags": ["ADDR_NO_RANDOMIZE", "READ_IMPLIES_EXEC"],
            "stored": 440_008
        })
    );
    let flags = json!({
        "value": "40000140",
        "names": ["PF_FORKNOEXEC", "PF_SUPERPRIV", "0x40000000"]
    });
    assert_eq!(odd["kernel_flags"], flags);
    assert_eq!(odd["marks"], json!(["no-address-randomisation", "read-implies-exec"]));
    assert_eq!((&odd["child_subreaper"], &odd["stop_signal"]), (&json!(true), &Value::Null));
    assert_eq!((&odd["dumpable"], &odd["thp_disabled"]), (&json!(0), &json!(false)));
    let none = json!({"left": [0, 0], "interval": [0, 0]});
    assert_eq!(odd["timers"], json!({"real": none, "virtual": none, "prof": none, "posix": []}));
    assert_eq!(odd["handlers"], json!([]));
    let cgroups =
        json!([{"controllers": "", "path": "/machine.slice/libpod-1.scope", "outside": null}]);
    assert_eq!(odd["cgroups"], cgroups);
    let thread = &odd["threads"][0];
    assert_eq!(thread["parent_death_signal"], 9);
    assert_eq!((&thread["timer_slack_ns"], &thread["compat"]), (&json!(50_000), &json!(true)));
    let stack = json!({"start": "0x70000000", "size": 8192, "flags": []});
    assert_eq!(thread["signal_stack"], stack);
    assert_eq!(thread["robust_list"], json!({"head": "0x1a006a0", "size": 24}));
    let rseq = json!({"area": "0x1a00ce0", "size": 32, "signature": "53053053"});
    assert_eq!(thread["rseq"], rseq);
    assert_eq!(thread.get("cgroups"), None);

    let usual = &document["processes"][0];
    assert_eq!(usual["personality"]["value"], "00000000");
    assert_eq!(usual["personality"]["flags"], json!([]));
    assert_eq!(usual["child_subreaper"], Value::Null, "not in the image");
    assert_eq!(usual["threads"][0]["parent_death_signal"], 0);
    for absent in ["signal_stack", "robust_list", "rseq", "timer_slack_ns"] {
        assert_eq!(usual["threads"][0].get(absent), None, "{absent}");
    }
}

#[test]
fn a_pid_brings_its_descendants() {
    let checkpoint = open(&stories::looper());
    let document = value(&json::tree(&checkpoint, &[2]));
    assert_eq!(document["roots"], json!([2]));
    assert_eq!(document["processes"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_zombie_has_its_wait_status_and_nothing_else() {
    let document = tree(&open(&stories::zombies()));
    let processes = document["processes"].as_array().expect("a list");
    let zombie = processes.iter().find(|process| process["state"] == "zombie").expect("a zombie");
    assert!(zombie["exit_code"].is_u64());
    for name in ["argv", "env", "exe", "cwd", "uids", "rlimits", "sigpnd"] {
        assert_eq!(zombie[name], Value::Null, "{name}");
    }
}

#[test]
fn bytes_are_never_replaced() {
    let document = tree(&open(&stories::control_bytes()));
    let process = |index: usize| &document["processes"][index];
    assert_eq!(process(1)["comm"], "\u{1b}[31mred\u{7}\u{1b}[0m");
    assert_eq!(process(1).get("comm_base64"), None);
    assert_eq!(process(2)["comm"], "\\xff\\xfe\\x80raw");
    assert_eq!(process(2)["comm_base64"], "//6AcmF3");
    assert_eq!(process(2)["argv"], json!(["caf\\xe9", "\\xf0\\x9f\\x92"]));
    assert_eq!(process(2)["argv_base64"], json!(["Y2Fm6Q==", "8J+S"]));
    assert_eq!(process(2)["exe"]["path"], "/opt/caf\\xe9/bin");
    assert_eq!(process(2)["exe"]["path_base64"], "L29wdC9jYWbpL2Jpbg==");
    assert_eq!(process(2)["cwd_base64"], "L3Nydi//");
    assert_eq!(process(4)["argv"], json!([]));
}

#[test]
fn what_the_dump_missed_and_what_an_earlier_one_left() {
    let document = tree(&open_archive(&stories::unseen_process()).expect("a checkpoint"));
    assert_eq!(document["not_captured"][0]["host_pid"], stories::UNSEEN_HOST_PID);
    assert_eq!(document["not_captured"][0]["comm"], "sleep");
    let document = tree(&open_archive(&stories::stale_images()).expect("a checkpoint"));
    let stale = document["stale"].as_array().expect("a list");
    assert!(stale.iter().any(|image| image["path"] == "checkpoint/core-2.img"));
    assert!(stale.iter().all(|image| image["modified"].is_string() && image["why"].is_string()));
    let defect = &document["defects"][0];
    assert_eq!(keys(defect), ["kind", "what", "where"]);
}

#[test]
fn info_has_the_names_that_programs_rely_on() {
    let looper = stories::looper();
    for (archive, engine) in [
        (Archive::podman(&looper), "podman"),
        (Archive::crio(&looper), "cri-o"),
        (Archive::containerd(&looper), "containerd"),
    ] {
        let checkpoint = open_archive(&archive).expect("a checkpoint");
        let document = value(&json::info(&checkpoint));
        assert_eq!(document["schema"], "ckpt-inspect/info/1");
        assert_eq!(document["engine"]["name"], engine);
        assert_eq!(document["arch"], "x86_64");
        assert!(document["checkpointed_at"].is_string(), "{engine}");
        for name in ["name", "id", "image", "image_id", "runtime", "created", "hostname"] {
            assert!(document["container"][name].is_string(), "{engine} {name}");
        }
        for name in ["archive", "images", "pages"] {
            assert!(document["sizes"][name].is_u64(), "{name}");
        }
        assert_eq!(document["pod"].is_null(), engine == "podman");
        let statistics = &document["statistics"];
        for name in [
            "freezing_us",
            "frozen_us",
            "memdump_us",
            "memwrite_us",
            "pages_scanned",
            "pages_written",
        ] {
            assert!(statistics[name].is_u64(), "{engine} {name}");
        }
        assert!(document["images"]["parsed"].as_u64() > Some(0));
        assert_eq!(document["image_directories"][0]["chosen"], true);
        assert_eq!(document["criu"]["page_size"], 4096);
        assert!(!document["never_captured"].as_array().expect("a list").is_empty());
    }
}

#[test]
fn an_image_keeps_the_order_of_its_fields() {
    let images = stories::looper().images();
    let bytes =
        |name: &str| images.iter().find(|(found, _)| found == name).map(|(_, bytes)| bytes.clone());
    let image = Image::open(ImageKind::Pstree, bytes("pstree.img").expect("an image").into())
        .expect("an image");
    let evidence = || json::EvidenceRecord::new("pstree.img", None, "image".to_owned());
    let context = ShowContext::of(&image);
    let document = json::show(evidence(), "pstree.img", &image, &context, &[]);
    let mut text = Vec::new();
    json::write_line(&mut text, &document.records[1].message).expect("a line");
    assert_eq!(text, b"{\"pid\":2,\"ppid\":1,\"pgid\":1,\"sid\":1,\"threads\":[2]}\n");
    assert_eq!((document.kind, document.magic.as_deref()), ("Pstree", Some("0x50273030")));

    let image = Image::open(ImageKind::Core, bytes("core-1.img").expect("an image").into())
        .expect("an image");
    let document =
        value(&json::show(evidence(), "core-1.img", &image, &ShowContext::of(&image), &[]));
    assert_eq!(document["records"][0]["name"], "core_entry");
    assert_eq!(document["records"][0]["message"]["mtype"], json!({"text": "X86_64", "raw": 1}));
}

#[test]
fn a_line_is_a_record() {
    let checkpoint = open(&stories::crowd(5));
    let mut out = Vec::new();
    json::write_lines(&mut out, json::tree(&checkpoint, &[]).processes).expect("lines");
    let text = String::from_utf8(out).expect("UTF-8");
    let pids: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["pid"].clone())
        .collect();
    assert_eq!(pids.len(), checkpoint.processes().tasks.len());
}

#[test]
fn every_story_has_its_documents() {
    for (name, archive) in stories::all() {
        let Ok(checkpoint) = open_archive(&archive) else { continue };
        let document = tree(&checkpoint);
        let pids: Vec<u64> = document["processes"]
            .as_array()
            .expect(name)
            .iter()
            .filter_map(|p| p["pid"].as_u64())
            .collect();
        assert!(pids.is_sorted(), "{name}");
        assert_eq!(value(&json::info(&checkpoint))["schema"], "ckpt-inspect/info/1", "{name}");
    }
}
