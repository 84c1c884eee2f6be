//! Signals that wait.

use std::sync::Arc;

use ckpt_coredump::CoreOptions;
use ckpt_model::{Pid, Task};
use ckpt_synth::{Archive, Dump, Message};
use criu_image::messages::{
    CoreEntry, SiginfoEntry, SignalQueueEntry, ThreadCoreEntry, ThreadInfoX86,
};

use crate::world::{core, open, space};

const SIGINFO: u32 = 0x5349_4749;

/// A `siginfo_t` of `sigqueue(3)`, all of whose bytes can be told from zeros.
fn queued(signo: u32) -> Vec<u8> {
    let mut raw: Vec<u8> = [signo, 0, u32::MAX, 0, 7, 1000, 4242, 0]
        .iter()
        .flat_map(|word: &u32| word.to_le_bytes())
        .collect();
    raw.resize(128, 0xee);
    raw
}

/// The core image of a thread with these signals of its own and of its process.
fn image(leader: bool, own: &[u32], shared: &[u32], blocked: u64) -> Vec<u8> {
    let queue = |signals: &[u32]| {
        let entries = signals.iter().map(|signo| Message::new().bytes(1, queued(*signo)));
        Message::new().messages(1, &entries.collect::<Vec<_>>())
    };
    let mut registers = Message::new();
    for field in 1..=27u32 {
        registers = registers.uint(field, field);
    }
    let mut fp = Message::new();
    for field in 1..=8u32 {
        fp = fp.uint(field, 0u32);
    }
    let info = Message::new().uint(1, 0u32).message(2, &registers).message(3, &fp);
    let mut message = Message::new().uint(1, 1u32).message(2, &info);
    if leader {
        let tc = Message::new().uint(1, 1u32).uint(2, 0u32).uint(3, 0u32).uint(4, 0u32);
        let tc = tc.uint(5, blocked).bytes(6, b"it").message(10, &queue(shared));
        message = message.message(3, &tc);
    }
    let thread = Message::new().uint(1, 0u32).uint(2, 24u32).uint(6, blocked);
    message = message.message(5, &thread.message(9, &queue(own)));
    let image = ckpt_synth::Image::new(
        ckpt_synth::magic::CORE,
        ckpt_synth::Framing::default(),
        ckpt_synth::ByteOrder::Little,
    );
    image.record(&message).into_bytes()
}

/// What the notes say: the thread of each status and its pending signals, the signal of each `NT_SIGINFO`.
fn told(leader: (&[u32], u64), shared: &[u32], other: (&[u32], u64)) -> Vec<(u32, u32)> {
    let mut dump = Dump::new();
    dump.task(ckpt_synth::Task::new(1, 0).thread(2, "other"));
    dump.raw("core-1.img", image(true, leader.0, shared, leader.1));
    dump.raw("core-2.img", image(false, other.0, &[], other.1));
    let checkpoint = open(&Archive::podman(&dump));
    let task = checkpoint.processes().get(Pid(1)).unwrap();
    let parsed = core(task, &checkpoint.memory(Pid(1)).unwrap(), &CoreOptions::of(&checkpoint));
    let mut told = Vec::new();
    for note in &parsed.notes {
        let at = parsed.at(&note.content);
        match note.kind {
            1 => told.push((1, at.u32(32))),
            SIGINFO => {
                assert_eq!(note.content.len(), 128);
                let signo = at.u32(0);
                if signo == 0 {
                    assert_eq!(note.content, [0; 128]);
                } else {
                    assert_eq!(note.content, queued(signo), "as the image has it");
                }
                told.push((SIGINFO, signo));
            }
            _ => {}
        }
    }
    told
}

#[test]
fn no_signal() {
    assert_eq!(told((&[], 0), &[], (&[], 0)), [(1, 1), (SIGINFO, 0), (1, 2)]);
}

#[test]
fn a_threads_own_before_its_process() {
    assert_eq!(told((&[12], 0), &[10], (&[], 0)), [(1, 1), (SIGINFO, 12), (1, 2)]);
    assert_eq!(told((&[], 0), &[37, 10], (&[], 0)), [(1, 1), (SIGINFO, 10), (1, 2)]);
}

#[test]
fn what_is_not_blocked_first() {
    let block_10 = 1 << 9;
    assert_eq!(told((&[], block_10), &[10, 37], (&[], 0)), [(1, 1), (SIGINFO, 37), (1, 2)]);
    let all = u64::MAX;
    assert_eq!(told((&[], all), &[37, 10], (&[], 0)), [(1, 1), (SIGINFO, 10), (1, 2)]);
}

/// gdb shows the first thread, and looks for a signal behind each.
#[test]
fn a_thread_about_to_take_a_signal_comes_first() {
    assert_eq!(told((&[], 0), &[], (&[11], 0)), [(1, 2), (SIGINFO, 11), (1, 1)]);
    let blocked = u64::MAX;
    let expected = [(1, 1), (SIGINFO, 0), (1, 2), (SIGINFO, 11)];
    assert_eq!(told((&[], 0), &[], (&[11], blocked)), expected);
}

/// `siginfo_t` of a 32-bit task has its union at 12, and the image has CRIU's own, of 64 bits.
#[test]
fn rebuilt_for_a_32_bit_task() {
    let mut info = ThreadInfoX86::default();
    info.gpregs.mode = Some(2);
    let signals = vec![SiginfoEntry { siginfo: queued(37) }];
    let own = ThreadCoreEntry {
        signals_p: Some(SignalQueueEntry { signals }),
        ..ThreadCoreEntry::default()
    };
    let entry = CoreEntry {
        mtype: 1,
        thread_info: Some(info),
        thread_core: Some(own),
        ..CoreEntry::default()
    };
    let mut task: Task = crate::world::task(7, entry);
    task.threads[0].pending = pending();
    let parsed = core(&task, &space(vec![], &[]), &CoreOptions::new());
    let note = parsed.note(SIGINFO);
    assert_eq!(parsed.at(note).words32(0, 6), [37, 0, u32::MAX, 7, 1000, 4242]);
    assert_eq!((note.len(), note[24..].iter().all(|byte| *byte == 0)), (128, true));
    assert_eq!(parsed.at(parsed.note(1)).words32(16, 2), [0, 0x201], "one word has 32 signals");
}

/// Signals as the model gives them: of images of their own, as CRIU before 1.3 had them, nothing raw is beside them.
fn pending() -> Vec<ckpt_model::PendingSignal> {
    let mut dump = Dump::new();
    dump.task(ckpt_synth::Task::new(1, 0));
    dump.raw("core-1.img", image(true, &[37], &[], 0));
    let checkpoint = open(&Archive::podman(&dump));
    checkpoint.processes().get(Pid(1)).unwrap().threads[0].pending.clone()
}

#[test]
fn rebuilt_where_nothing_raw_is_beside_it() {
    let info = Some(ThreadInfoX86::default());
    let entry = Arc::new(CoreEntry { mtype: 1, thread_info: info, ..CoreEntry::default() });
    let mut task = crate::world::task(7, (*entry).clone());
    task.threads[0].pending = pending();
    let parsed = core(&task, &space(vec![], &[]), &CoreOptions::new());
    let mut expected = queued(37);
    expected[32..].fill(0);
    assert_eq!(parsed.note(SIGINFO), expected);
    assert_eq!(parsed.at(parsed.note(1)).u64(16), 1 << 36);
}
