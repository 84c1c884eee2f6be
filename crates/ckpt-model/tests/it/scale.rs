//! Evidence that is large, or made to be slow: the work grows with its size and not faster.
//!
//! Where only time tells, the bound is generous, and work that grows with the square of the size takes many times as long.

use std::time::{Duration, Instant};

use ckpt_archive::Options;
use ckpt_model::artifacts::{Artifact, Origin};
use ckpt_model::{FillOptions, Pid, Processes, Task};
use ckpt_synth::frame::record;
use ckpt_synth::{Archive, ByteOrder, Dump, File, Image, Message, Vma, magic, stories};

use crate::{assert_told, env, open, task};

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

/// A thousand tasks of one address space are a thousand small images and one large one.
#[test]
fn memory_that_tasks_share_is_read_and_kept_once() {
    let mut dump = Dump::new();
    dump.task(ckpt_synth::Task::new(1, 0).env(&["TOKEN=abc"]));
    dump.task(ckpt_synth::Task::new(2, 1).share_vm_with(1));
    let checkpoint = open(&Archive::podman(&dump));
    assert_eq!(env(&checkpoint, 2), ["TOKEN=abc"]);
    let (one, other) = (task(&checkpoint, 1), task(&checkpoint, 2));
    assert_eq!(other.mm_owner, Some(Pid(1)));
    let map = |task: &Task| std::sync::Arc::as_ptr(task.mm.as_ref().expect("a memory map"));
    assert_eq!(map(one), map(other));
    for of in [|task: &Task| task.argv.clone(), |task: &Task| task.env.clone()] {
        let bytes = |task: &Task| of(task).expect("strings").0.as_ptr();
        assert_eq!(bytes(one), bytes(other));
    }
    assert!(checkpoint.defects().is_empty(), "{:?}", checkpoint.defects());
}

/// Each descriptor and mapping of a file has its name; an image can hold one of 256 MiB.
#[test]
fn a_name_that_no_kernel_gives_is_cut() {
    let long = format!("/{}", "x".repeat(9999));
    let mut dump = Dump::new();
    dump.memfd(&long, 7, 4096, &[]);
    let task = ckpt_synth::Task::new(1, 0).fd(3, File::path(long.as_str()));
    let task = task.fd(4, File::memfd(long.as_str())).fd(5, File::unix_listen(5, &long));
    dump.task(task.map(Vma::file(0x7000_0000_0000, 0x1000, long.as_str(), 0)));
    let checkpoint = open(&Archive::podman(&dump));
    let cut = format!("/{}", "x".repeat(4095));
    let target = |fd: u32| {
        let found = checkpoint.descriptors().get(Pid(1), fd).expect("a descriptor");
        found.target.as_ref().map(ToString::to_string)
    };
    assert_eq!(target(3), Some(cut.clone()));
    assert_eq!(target(4), Some(format!("/memfd:{cut} (deleted)")));
    let space = checkpoint.memory(Pid(1)).expect("memory");
    let mapping = space.mapping_at(ckpt_memory::VirtAddr(0x7000_0000_0000)).expect("a mapping");
    assert_eq!(mapping.name.as_deref(), Some(cut.as_bytes()));
    let local = checkpoint.sockets()[0].local.as_ref().map(|end| end.text().to_string());
    assert_eq!(local.map(|path| path.len()), Some(4096));
    assert_told(&checkpoint, "file 5 has a name of 10000 bytes, longer than any path");
    assert_told(&checkpoint, "memfd 1 has a name of 10000 bytes");
}

/// An archive can name a path any number of times, and any number of open files can have it.
#[test]
fn the_last_files_of_a_path_are_held_against_what_was_mapped() {
    let mut diff = Archive::new();
    for number in 0..40 {
        diff.member("usr/lib/x.so", vec![b'x'; 100 + number]);
    }
    let mut dump = Dump::new();
    let mut task = ckpt_synth::Task::new(1, 0);
    let fown = (1..=5).fold(Message::new(), |fown, field| fown.uint(field, 0u32));
    let mut files = Vec::new();
    for (id, size) in [(900u32, 139u32), (901, 124), (902, 123)] {
        let at = 0x7000_0000_0000 + u64::from(id) * 0x1000;
        let file = Vma::shared_anon(at, 0x1000, id.into()).flags(2).status(1 | 1 << 6);
        task = task.map(file);
        // id, flags, pos, fown, name, size; then type, id, reg
        let reg = Message::new().uint(1, id).uint(2, 0u32).uint(3, 0u32).message(5, &fown);
        let reg = reg.bytes(6, "/usr/lib/x.so").uint(8, size);
        let entry = Message::new().uint(1, 1u32).uint(2, id).message(3, &reg);
        files.extend(record(&entry, ByteOrder::Little));
    }
    dump.task(task);
    dump.append("files.img", files);
    let mut archive = Archive::podman(&dump);
    archive.replace("rootfs-diff.tar", diff.tar());
    let checkpoint = open(&archive);
    let sources = checkpoint.file_sources(&FillOptions::default()).expect("files");
    let size = |id: u32| sources.file(id).map(|file| file.content.size());
    assert_eq!((size(900), size(901)), (Ok(139), Ok(124)));
    assert_eq!(size(902), Err(ckpt_memory::Missing::FileDiffers));
    assert_told(&checkpoint, "is there more than 16 times; 24 of them are not held against");
}
