//! What many have in common is told once beyond a bound: documents grow with the evidence, not with the product of what is in
//! it.

use ckpt_analysis::compare::{CompareOptions, compare};
use ckpt_model::{Checkpoint, FillOptions, Pid};
use ckpt_report::human::{self, Layout, TreeOptions};
use ckpt_report::json::{self, CompareShow, FilesOptions};
use ckpt_synth::{Dump, File, Message, Task, Vma};
use serde::Serialize;
use serde_json::Value;

use crate::html::page;
use crate::stories::open;

/// Records that a document may tell again.
const ROOM: usize = 1 << 14;

/// Processes, and things that all of them have: the product is far beyond the room.
const MANY: u32 = 300;

const REGION: u64 = 0x7000_0000_0000;

fn value(document: &impl Serialize) -> Value {
    serde_json::to_value(document).expect("JSON")
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().unwrap_or_else(|| panic!("no list {key} in {value}"))
}

fn layout(width: Option<usize>) -> Layout {
    Layout { width, color: false }
}

fn files(checkpoint: &Checkpoint, options: &FilesOptions) -> Value {
    value(&json::files(checkpoint, options))
}

/// So many processes that share the descriptors and the memory of the first, which has as many of both.
fn sharing(processes: u32, things: u32) -> Dump {
    let mut first = Task::new(1, 0).no_fds();
    for number in 0..things {
        let at = REGION + u64::from(number) * 0x2000;
        first = first.map(Vma::file(at, 0x1000, format!("/lib/{number}.so"), 0));
        first = first.fd(number + 3, File::Eventfd { counter: 7 });
    }
    let env: Vec<String> = (0..things).map(|number| format!("NAME_{number:0>60}=value")).collect();
    let mut dump = Dump::new();
    dump.task(first.env(&env));
    for pid in 2..=processes {
        dump.task(Task::new(pid, 1).share_vm_with(1).share_files_with(1).no_fds());
    }
    dump
}

/// Of records with a list `key`: each has all of it, or says which one has. How many are written in all.
fn held_by(records: &[Value], key: &str, whole: usize) -> usize {
    let (of, count) = (format!("{key}_of"), format!("{key}_count"));
    let mut written = 0;
    for record in records {
        let here = list(record, key).len();
        written += here;
        match record.get(&of) {
            None => assert_eq!(here, whole, "{}", record["pid"]),
            Some(pid) => {
                assert_eq!((here, record[&count].as_u64()), (0, Some(whole as u64)));
                let told = records.iter().find(|other| other["pid"] == *pid).expect("a process");
                assert_eq!(list(told, key).len(), whole);
            }
        }
    }
    written
}

#[test]
fn what_a_few_processes_share_is_told_of_each() {
    let checkpoint = open(&sharing(4, 5));
    let document = files(&checkpoint, &FilesOptions::default());
    for record in list(&document, "processes") {
        assert_eq!(list(record, "fds").len(), 5);
        let keys: Vec<&str> =
            record.as_object().expect("a process").keys().map(String::as_str).collect();
        assert!(!keys.iter().any(|key| key.ends_with("_of")), "{keys:?}");
    }
    let tree = value(&json::tree(&checkpoint, &[]));
    for record in list(&tree, "processes") {
        assert_eq!((list(record, "env").len(), record.get("strings_of")), (5, None));
    }
}

#[test]
fn descriptors_and_mapped_files_of_a_thousand_processes_are_told_once() {
    let checkpoint = open(&sharing(MANY, MANY));
    let document = files(&checkpoint, &FilesOptions::default());
    let records = list(&document, "processes");
    assert_eq!(records.len(), MANY as usize);
    let mapped = checkpoint.mapped_files(Pid(1)).len();
    let written = held_by(records, "fds", MANY as usize) + held_by(records, "mapped", mapped);
    assert!(written <= ROOM + MANY as usize + mapped, "{written}");
    // A choice of processes has what is chosen in it.
    let some = FilesOptions { pids: vec![250, 299], ..FilesOptions::default() };
    let document = files(&checkpoint, &some);
    assert_eq!(held_by(list(&document, "processes"), "fds", MANY as usize), 2 * MANY as usize);
    let mut table = Vec::new();
    human::files(&mut table, &checkpoint, &FilesOptions::default(), &layout(None)).expect("text");
    let table = String::from_utf8(table).expect("UTF-8");
    assert!(table.contains("300 descriptors, the same as those of process 1\n"), "{table:.2000}");
    assert!(table.lines().count() < ROOM + 8 * MANY as usize, "{}", table.lines().count());
}

#[test]
fn mappings_of_a_thousand_processes_are_told_once() {
    let checkpoint = open(&sharing(MANY, MANY));
    let sources = checkpoint.file_sources(&FillOptions::default()).expect("files");
    let pids: Vec<Pid> = (1..=MANY).map(Pid).collect();
    let document = value(&json::maps(&checkpoint, &pids, &sources, |_, _| true, false));
    let records = list(&document, "processes");
    let whole = list(&records[0], "vmas").len();
    assert!(whole > MANY as usize);
    let written = held_by(records, "vmas", whole);
    assert!(written <= ROOM + whole, "{written}");
    assert_eq!(records[299]["memory_of"], 1);
    let mut table = Vec::new();
    let all = |_: &_, _: &_| true;
    human::maps(&mut table, &checkpoint, &pids, &sources, all, false, &layout(None)).expect("text");
    let table = String::from_utf8(table).expect("UTF-8");
    let line = format!("process 300 sh: {whole} mappings, the same as those of process 1\n");
    assert!(table.contains(&line), "{table:.2000}");
    assert!(table.lines().count() < ROOM + 8 * MANY as usize, "{}", table.lines().count());
}

#[test]
fn the_environment_of_a_thousand_processes_is_told_once() {
    let checkpoint = open(&sharing(MANY, MANY));
    let document = value(&json::tree(&checkpoint, &[]));
    let records = list(&document, "processes");
    let told = records.iter().filter(|record| record.get("strings_of").is_none());
    let bytes = checkpoint.processes().tasks[0].env.as_ref().expect("an environment").0.len();
    assert!((told.count() - 1) * bytes <= ROOM * 64);
    let last = &records[299];
    assert_eq!(last["strings_of"], 1);
    assert_eq!((list(last, "env").len(), list(last, "argv").len()), (0, 0));
    let mut tree = Vec::new();
    let options = TreeOptions { env: true, ..TreeOptions::default() };
    human::tree(&mut tree, &checkpoint, &options, &layout(None)).expect("text");
    let tree = String::from_utf8(tree).expect("UTF-8");
    assert!(tree.contains("env  that of process 1\n"), "{tree:.2000}");
    assert!(tree.len() < 4 << 20, "{}", tree.len());
}

/// An epoll, an inotify or a fanotify with so many watches.
fn watching(kind: u32, field: u32, watches: u32) -> File {
    let fown = (1..=5).fold(Message::new(), |fown, field| fown.uint(field, 0u32));
    let handle = Message::new().uint(1, 8u32).uint(2, 1u32).bytes(4, "/etc/passwd"); // bytes, type, path
    let (owner, list) = if kind == 7 { (3, 4) } else { (4, 5) };
    let message = Message::new().uint(2, 2u32).message(owner, &fown); // flags
    let message = (0..watches).fold(message, |message, number| {
        let watch = Message::new().uint(1, 7u32); // id
        let watch = match kind {
            // tfd, events, data
            7 => watch.uint(2, number + 3).uint(3, 1u32).uint(4, number),
            // i_ino, mask, ignored_mask, s_dev, wd, f_handle
            _ => watch
                .uint(2, 9u32)
                .uint(3, 2u32)
                .uint(4, 0u32)
                .uint(5, 50u32)
                .uint(6, number + 1)
                .message(7, &handle),
        };
        message.message(list, &watch)
    });
    File::Other { kind, field, message }
}

#[test]
fn the_watches_of_a_thousand_descriptors_are_told_once() {
    for (kind, field, name) in [(7, 9, "epoll"), (8, 13, "inotify")] {
        let file = watching(kind, field, MANY);
        let mut task = Task::new(1, 0).no_fds();
        for fd in 3..MANY + 3 {
            task = task.fd(fd, file.clone());
        }
        let mut dump = Dump::new();
        dump.task(task).task(Task::new(2, 1).no_fds().fd(5, file));
        let checkpoint = open(&dump);
        let document = files(&checkpoint, &FilesOptions::default());
        let processes = list(&document, "processes");
        let mut written = 0;
        for descriptor in processes.iter().flat_map(|process| list(process, "fds")) {
            let details = &descriptor["details"];
            match details.get("same_as") {
                None => {
                    assert_eq!(list(details, "watches").len(), MANY as usize, "{name}");
                    written += MANY as usize;
                }
                Some(same) => {
                    assert_eq!(details.get("watches"), None);
                    assert_eq!((&same["pid"], &same["fd"]), (&1.into(), &3.into()));
                    assert_eq!(details["count"], MANY);
                }
            }
        }
        assert!(written <= ROOM + MANY as usize, "{name}: {written}");
        let other = &list(&processes[1], "fds")[0]["details"];
        assert_eq!(other["same_as"]["fd"], 3, "{name}");
    }
}

#[test]
fn who_has_a_socket_is_told_once() {
    let mut first = Task::new(1, 0).no_fds();
    for number in 0..MANY {
        first = first.fd(number + 3, File::unix_pair(5001 + number, 5000, Vec::new()));
        first = first.fd(number + MANY + 3, File::unix_pair(5000, 0, Vec::new()));
    }
    let mut dump = Dump::new();
    dump.task(first);
    for pid in 2..=MANY {
        dump.task(Task::new(pid, 1).share_files_with(1).no_fds());
    }
    let checkpoint = open(&dump);
    let wanted = FilesOptions { sockets: true, pipes: true, ..FilesOptions::default() };
    let document = files(&checkpoint, &wanted);
    let sockets = list(&document, "sockets");
    let mut written = 0;
    for socket in sockets {
        for (list_of, more, all) in [
            ("holders", "more_holders", if socket["ino"] == 5000 { MANY * MANY } else { MANY }),
            (
                "peer_holders",
                "more_peer_holders",
                if socket["peer_ino"] == 5000 { MANY * MANY } else { 0 },
            ),
        ] {
            let here = list(socket, list_of).len();
            written += here;
            let more = socket.get(more).map_or(0, |more| more.as_u64().expect("a number"));
            assert_eq!(here as u64 + more, u64::from(all), "{list_of} of {}", socket["ino"]);
        }
        // The process that the others have it of is always there.
        assert_eq!(list(socket, "holders")[0]["pid"], 1);
    }
    assert!(written <= ROOM + 4 * MANY as usize, "{written}");
}

#[test]
fn how_the_environment_of_a_thousand_processes_differs_is_told_once() {
    let (a, b) = (open(&sharing(MANY, MANY)), open(&sharing(MANY, MANY - 100)));
    let comparison = compare(&a, &b, &CompareOptions::default()).expect("no base");
    let document = value(&json::compare(&comparison, &CompareShow::default()));
    let changed = list(&document["processes"], "changed");
    assert_eq!(changed.len(), MANY as usize);
    let mut written = 0;
    for record in changed {
        assert!(list(record, "what").contains(&"env".into()));
        match record.get("strings_of") {
            None => written += list(&record["env"], "removed").len(),
            Some(pid) => {
                assert_eq!((pid, record.get("env")), (&1.into(), None));
            }
        }
    }
    // Each of a hundred variables that went counts for more than one record.
    assert!(written <= ROOM + 100 && written > 100, "{written}");
    let same = list(&document["files"], "same");
    assert!(same.iter().all(|same| same["same_as"] == 1) && !same.is_empty());
    assert!(serde_json::to_vec(&document).expect("JSON").len() < 16 << 20);
}

#[test]
fn the_page_says_whose_descriptors_they_are() {
    let checkpoint = open(&sharing(MANY, MANY));
    let page = page(checkpoint);
    assert!(page.contains("300, those of process 1"));
    assert!(page.contains("those of process 1"));
    assert!(page.len() < 16 << 20, "{}", page.len());
}
