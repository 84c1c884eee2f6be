//! Evidence that is large, or made to be slow: the work grows with its size and not faster.
//!
//! Where only time tells, the bound is generous, and work that grows with the square of the size takes many times as long.

use std::time::{Duration, Instant};

use ckpt_archive::Options;
use ckpt_model::artifacts::{Artifact, Origin};
use ckpt_model::{Pid, Processes, Task};
use ckpt_synth::frame::record;
use ckpt_synth::{Archive, ByteOrder, Dump, File, Image, Message, magic, stories};

use crate::open;

/// Bytes in pipes, as `pipes-data.img` has them.
fn in_pipes(dump: &Dump, queues: impl IntoIterator<Item = (u32, &'static [u8])>) -> Vec<u8> {
    let image = Image::new(magic::PIPES_DATA, ckpt_synth::Framing::default(), dump.byte_order());
    let all = queues.into_iter().fold(image, |image, (pipe, bytes)| {
        let entry = Message::new().uint(1, pipe).uint(2, bytes.len() as u64).uint(3, 65_536u32);
        image.record(&entry).extra(bytes) // pipe_id, bytes, size
    });
    all.into_bytes()
}

fn pipes(dump: &Dump) -> Vec<Artifact> {
    let artifacts = open(&Archive::podman(dump)).artifacts(&Options::default());
    artifacts.list.into_iter().filter(|one| one.origin == Origin::Pipe).collect()
}

#[test]
fn the_ends_of_many_pipes_are_looked_for_once() {
    const PIPES: u32 = 50_000;
    let mut dump = stories::looper();
    let fown = (1..=5).fold(Message::new(), |fown, field| fown.uint(field, 0u32));
    let mut files = Vec::new();
    for pipe in 0..PIPES {
        // id, pipe_id, flags, fown; then type, id, pipe
        let id = 1000 + pipe;
        let end = Message::new().uint(1, id).uint(2, 9000 + pipe).uint(3, 0u32).message(4, &fown);
        let file = Message::new().uint(1, 2u32).uint(2, id).message(18, &end);
        files.extend(record(&file, ByteOrder::Little));
    }
    dump.append("files.img", files);
    let queues = in_pipes(&dump, (0..PIPES).map(|pipe| (9000 + pipe, &b"unread"[..])));
    dump.raw("pipes-data.img", queues);
    let begun = Instant::now();
    let found = pipes(&dump);
    assert_eq!(found.len(), PIPES as usize);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

/// Each holder once for each record would be the product of what the evidence has of both.
#[test]
fn many_records_of_one_pipe_are_one_artifact() {
    let mut dump = Dump::new();
    dump.task(
        ckpt_synth::Task::new(1, 0).fd(5, File::pipe_read(500, "")).fd(6, File::pipe_write(500)),
    );
    let records = [(500, &b"one "[..]), (501, b"other"), (500, b"two"), (500, b"")];
    let queues = in_pipes(&dump, records);
    dump.raw("pipes-data.img", queues);
    let found = pipes(&dump);
    let ids: Vec<&str> = found.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(ids, ["pipe-500", "pipe-501"]);
    assert_eq!((found[0].size, found[0].holders.len()), (7, 2));
    let hash = found[0].content().expect("content").sha256();
    assert_eq!(hash, Ok(ckpt_archive::sha256_bytes(b"one two")));
}

#[test]
fn a_process_is_found_by_its_pid_however_many_there_are() {
    const TASKS: u32 = 200_000;
    let mut processes = Processes::default();
    processes.tasks = (1..=TASKS)
        .chain([1])
        .map(|pid| {
            let mut task = Task::default();
            task.pid = Pid(pid);
            task
        })
        .collect();
    let begun = Instant::now();
    for (index, pid) in (1..=TASKS).enumerate() {
        let found = processes.get(Pid(pid)).expect("a task");
        assert!(std::ptr::eq(found, &processes.tasks[index]), "the first of pid {pid}");
    }
    assert_eq!(processes.get(Pid(TASKS + 1)).map(|task| task.pid), None);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}
