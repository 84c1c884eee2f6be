//! Notes of the process and of its threads.

use std::sync::Arc;

use ckpt_coredump::CoreOptions;
use ckpt_model::{Arch, Pid, Strings, TaskState};
use criu_image::ByteOrder;
use criu_image::messages::{CoreEntry, MmEntry, TaskCoreEntry, ThreadInfoX86};

use crate::world::{ANON, PAGE, core, file, lacks, space, task, thread, vma};

const OPTIONS: CoreOptions = CoreOptions::new();

fn x86() -> CoreEntry {
    CoreEntry { mtype: 1, thread_info: Some(ThreadInfoX86::default()), ..CoreEntry::default() }
}

/// `elf_prpsinfo` of a 64-bit machine.
#[test]
fn the_process() {
    let mut it = task(7, x86());
    it.argv = Some(Strings(b"prog\0-x\0\0long\0\0\0".to_vec().into()));
    it.threads[0].nice = Some(-3);
    let parsed = core(&it, &space(vec![], &[]), &OPTIONS);
    let info = parsed.note(3);
    assert_eq!(info.len(), 136);
    assert_eq!(info[..8], [0, b'R', 0, 0xfd, 0, 0, 0, 0]);
    let at = parsed.at(info);
    assert_eq!(at.u64(8), 0x40_0100, "pr_flag");
    assert_eq!(at.words32(16, 6), [1000, 100, 7, 1, 5, 4], "uid, gid, pid, ppid, pgrp, sid");
    assert_eq!(&info[40..56], b"a name that is \0");
    assert_eq!(&info[56..71], b"prog -x  long\0\0");
    assert!(info[71..].iter().all(|byte| *byte == 0));
}

#[test]
fn states_and_long_arguments() {
    let mut it = task(7, x86());
    it.state = Some(TaskState::Stopped);
    it.argv = Some(Strings(vec![b'y'; 500].into()));
    it.credentials = None;
    let parsed = core(&it, &space(vec![], &[]), &OPTIONS);
    let info = parsed.note(3);
    assert_eq!(info[..3], [3, b'T', 0]);
    assert_eq!(info[56..136], [[b'y'; 79].as_slice(), &[0]].concat());
    // Not known is not root.
    assert_eq!(parsed.at(info).words32(16, 2), [65534, 65534]);
    it.state = None;
    let parsed = core(&it, &space(vec![], &[]), &OPTIONS);
    assert_eq!(parsed.note(3)[..2], [0, b'.']);
}

#[test]
fn the_kernels_order() {
    let mut it = task(7, x86());
    it.threads.push(thread(8, x86()));
    let parsed = core(&it, &space(vec![file(0x1000, 1, 0, "/bin/x")], &[]), &OPTIONS);
    let (siginfo, files) = (0x5349_4749, 0x4649_4c45);
    let kinds: Vec<u32> = parsed.kinds().into_iter().map(|(_, kind)| kind).collect();
    assert_eq!(kinds, [1, 3, siginfo, 6, files, 2, 1, 2]);
    assert!(parsed.kinds().iter().all(|(owner, _)| *owner == "CORE"));
}

#[test]
fn a_threads_status() {
    let mut it = task(7, x86());
    it.threads.push(thread(9, x86()));
    let parsed = core(&it, &space(vec![], &[]), &OPTIONS);
    assert_eq!(parsed.all(1).len(), 2);
    for (status, tid) in parsed.all(1).into_iter().zip([7, 9]) {
        assert_eq!(status.len(), 336);
        let at = parsed.at(status);
        assert_eq!(status[..16], [0; 16], "no signal ended it");
        assert_eq!(at.words(16, 2), [0, 0x14_0000_0201], "pr_sigpend, pr_sighold");
        assert_eq!(at.words32(32, 4), [tid, 1, 5, 4]);
        assert_eq!(at.words(48, 8), [0; 8], "times");
        assert_eq!(at.u32(328), 1, "pr_fpvalid");
    }
}

#[test]
fn the_auxiliary_vector_ends() {
    let auxv = |saved: &[u64], it: CoreEntry, options| {
        let mut it = task(7, it);
        let mm = MmEntry { mm_saved_auxv: saved.to_vec(), ..MmEntry::default() };
        it.mm = Some(Arc::new(mm));
        let parsed = core(&it, &space(vec![], &[]), options);
        parsed.note(6).to_vec()
    };
    let words =
        |words: &[u64]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>();
    // Cut by CRIU, cut in the middle of a pair, whole with what lies behind the end, empty.
    assert_eq!(auxv(&[6, 4096, 25, 7], x86(), &OPTIONS), words(&[6, 4096, 25, 7, 0, 0]));
    assert_eq!(auxv(&[6, 4096, 25], x86(), &OPTIONS), words(&[6, 4096, 0, 0]));
    assert_eq!(auxv(&[6, 4096, 0, 0, 9, 9], x86(), &OPTIONS), words(&[6, 4096, 0, 0]));
    assert_eq!(auxv(&[], x86(), &OPTIONS), words(&[0, 0]));
    // A 32-bit task on x86-64 has key and value in one number.
    let mut compat = ThreadInfoX86::default();
    compat.gpregs.mode = Some(2);
    let compat = CoreEntry { mtype: 1, thread_info: Some(compat), ..CoreEntry::default() };
    let packed = [4096 << 32 | 6, 0xfff0_0000 << 32 | 33];
    let expected: Vec<u8> =
        [6u32, 4096, 33, 0xfff0_0000, 0, 0].iter().flat_map(|word| word.to_le_bytes()).collect();
    assert_eq!(auxv(&packed, compat.clone(), &OPTIONS), expected);
    let unpacked = [6, 4096, 33, 0xfff0_0000];
    assert_eq!(auxv(&unpacked, compat, &OPTIONS), expected);
    let big = OPTIONS.byte_order(ByteOrder::Big);
    assert_eq!(auxv(&[6, 4096], x86(), &big)[..8], 6u64.to_be_bytes());
}

#[test]
fn mapped_files() {
    let mut heap = vma(0x8000, 1, ANON, 3);
    heap.name = Some(b"[heap]"[..].into());
    let mappings = vec![
        file(0x1000, 2, 0, "/bin/x"),
        vma(0x3000, 1, ANON, 3),
        file(0x4000, 1, 3 * PAGE, "/tmp/gone (deleted)"),
        file(0x5000, 1, PAGE, "/memfd:\u{e4} (deleted)"),
        heap,
    ];
    let parsed = core(&task(7, x86()), &space(mappings, &[]), &OPTIONS);
    let note = parsed.note(0x4649_4c45);
    let at = parsed.at(note);
    assert_eq!(at.words(0, 2), [3, PAGE], "count, page size");
    assert_eq!(at.words(16, 3), [0x1000, 0x3000, 0]);
    assert_eq!(at.words(40, 3), [0x4000, 0x5000, 3], "offset in pages");
    assert_eq!(at.words(64, 3), [0x5000, 0x6000, 1]);
    assert_eq!(&note[88..], "/bin/x\0/tmp/gone (deleted)\0/memfd:\u{e4} (deleted)\0".as_bytes());
}

#[test]
fn no_mapped_file_no_note() {
    let parsed = core(&task(7, x86()), &space(vec![vma(0x3000, 1, ANON, 3)], &[]), &OPTIONS);
    assert!(parsed.all(0x4649_4c45).is_empty());
}

/// A name can be long, and mapped a million times.
#[test]
fn names_of_files_are_bounded() {
    let name: Arc<[u8]> = format!("/{}", "n".repeat(1 << 20)).into_bytes().into();
    let mappings = (0..100).map(|index| {
        let mut mapping = file(0x1000 * (index + 1), 1, 0, "");
        mapping.name = Some(Arc::clone(&name));
        mapping
    });
    let (it, space) = (task(7, x86()), space(mappings.collect(), &[]));
    let parsed = core(&it, &space, &OPTIONS);
    assert!(parsed.note(0x4649_4c45).len() <= 64 << 20);
    assert_eq!(parsed.loads.len(), 100);
    let told = lacks(&it, &space, &OPTIONS);
    assert!(told[0].starts_with("no file names of 37 mapping(s)"), "{told:?}");
}

/// A thread whose image is broken, or a zombie's, has no registers; the others have theirs.
#[test]
fn threads_without_registers() {
    let mut it = task(7, x86());
    it.threads[0].core = None;
    it.threads.push(thread(8, x86()));
    let bare = CoreEntry { mtype: 1, tc: Some(TaskCoreEntry::default()), ..CoreEntry::default() };
    it.threads.push(thread(9, bare));
    let space = space(vec![], &[]);
    let parsed = core(&it, &space, &OPTIONS);
    assert_eq!(parsed.all(1).len(), 1);
    assert_eq!(parsed.at(parsed.note(1)).u32(32), 8);
    assert_eq!(parsed.at(parsed.note(3)).u32(24), 7, "the process keeps its pid");
    let told = lacks(&it, &space, &OPTIONS);
    assert_eq!(
        told,
        [7, 9].map(|tid| format!("no registers of thread {tid}: they are not in its image"))
    );
}

#[test]
fn a_task_of_which_nothing_is_known() {
    let mut it = task(7, x86());
    (it.core, it.threads) = (None, Vec::new());
    let space = space(vec![vma(0x1000, 1, ANON, 3)], &[]);
    let parsed = core(&it, &space, &OPTIONS);
    assert_eq!((parsed.class, parsed.machine), (2, 0));
    assert!(parsed.all(1).is_empty());
    assert_eq!(parsed.memory(0x1000, PAGE), Some(vec![0; 4096]));
    let told = lacks(&it, &space, &OPTIONS);
    assert_eq!(told, ["no registers: their layout on unknown (0) is not known"]);
    it.pid = Pid(8);
    assert_eq!(core(&it, &space, &OPTIONS.arch(Arch::X86_64)).machine, 62);
}
