//! What a process has set for itself, and what a dump does not tell of that.

use ckpt_memory::VirtAddr;
use ckpt_model::{Checkpoint, Mark, Personality, RobustList, Rseq, SignalStack};
use ckpt_synth::{Archive, Dialect, Dump, Message, State, Task, magic};

use crate::{assert_told, open, task, told};

const SECOND: u128 = 1_000_000_000;

fn itimer(interval: (u32, u32), left: (u32, u32)) -> Message {
    Message::new().uint(1, interval.0).uint(2, interval.1).uint(3, left.0).uint(4, left.1)
}

/// Handlers of SIGHUP and of SIGTERM, the second with a return trampoline.
fn actions() -> Vec<Message> {
    let signals = (1..=64u32).filter(|signal| ![9, 19].contains(signal));
    let action = |signal| match signal {
        // sigaction, flags, restorer, mask
        1 => {
            Message::new().uint(1, 0x40_1000u32).uint(2, 0u32).uint(3, 0xdead_0000u32).uint(4, 2u32)
        }
        15 => Message::new()
            .uint(1, 0x40_2000u32)
            .uint(2, 0x1400_0004u32)
            .uint(3, 0x40_3000u32)
            .uint(4, 0u32),
        _ => Message::new().uint(1, 0u32).uint(2, 0u32).uint(3, 0u32).uint(4, 0u32),
    };
    signals.map(action).collect()
}

fn unusual() -> Checkpoint {
    let posix = Message::new()
        .uint(1, 4u32) // it_id
        .uint(2, 0xffff_fffau32) // clock_id: of a process
        .uint(3, 34u32) // si_signo
        .uint(4, 4u32) // it_sigev_notify: to a thread
        .uint(5, 0xbeefu32) // sival_ptr
        .uint(6, 2u32) // overrun
        .uint(7, 1u32) // isec
        .uint(8, 5u32) // insec
        .uint(9, 0u32) // vsec
        .uint(10, 7u32) // vnsec
        .int(11, 8); // notify_thread_id
    let timers = Message::new()
        .message(1, &itimer((0, 0), (30, 250_000)))
        .message(2, &itimer((0, 0), (0, 0)))
        .message(3, &itimer((900, 1), (1, 0)))
        .messages(4, [&posix]);
    let tc = Message::new()
        .uint(3, 440_000u32) // personality: the digits of 0x00440000
        .uint(4, 0x100u32) // flags
        .message(7, &timers)
        .bool(18, true); // child_subreaper
    let stack = Message::new().uint(1, 0x7000_0000u32).uint(2, 8192u32).uint(3, 1u32);
    let rseq = Message::new().uint(1, 0x1a0_0ce0u32).uint(2, 32u32).uint(3, 0x5305_3053u32);
    let thread = Message::new()
        .uint(1, 0x1a0_06a0u32) // futex_rla
        .message(7, &stack)
        .uint(8, 9u32) // pdeath_sig
        .message(15, &rseq)
        .uint(17, 50_000u32); // timerslack_ns
    let mm = Message::new().int(15, 2).bool(17, true); // dumpable, thp_disabled
    let mut dump = Dump::new();
    dump.task(Task::new(1, 0)).task(
        Task::new(7, 1)
            .state(State::Stopped)
            .loginuid(1000)
            .tc_extra(&tc)
            .thread_extra(&thread)
            .mm_extra(&mm)
            .compat(),
    );
    open(&Archive::podman(&dump))
}

#[test]
fn a_process_tells_its_personality_timers_and_registrations() {
    let checkpoint = unusual();
    assert_eq!(told(&checkpoint), Vec::<String>::new());
    let odd = task(&checkpoint, 7);
    let personality = odd.personality.expect("a personality");
    assert_eq!((personality.value, personality.stored), (Some(0x0044_0000), 440_000));
    assert!(personality.has(Personality::ADDR_NO_RANDOMIZE | Personality::READ_IMPLIES_EXEC));
    assert_eq!(odd.marks, [Mark::NoAddressRandomisation, Mark::ReadImpliesExec]);
    assert_eq!((odd.kernel_flags, odd.child_subreaper), (Some(0x100), Some(true)));
    assert_eq!((odd.stop_signal, odd.loginuid), (Some(19), Some(1000)));
    assert_eq!((odd.dumpable, odd.thp_disabled), (Some(2), Some(true)));

    let timers = odd.timers.as_ref().expect("timers");
    assert_eq!(timers.real.left, 30 * SECOND + SECOND / 4);
    assert!(timers.real.runs() && !timers.virt.runs());
    assert_eq!(timers.prof.interval, 900 * SECOND + 1000);
    let [posix] = timers.posix.as_slice() else { panic!("{:?}", timers.posix) };
    assert_eq!((posix.id, posix.clock, posix.signal, posix.notify), (4, -6, 34, 4));
    assert_eq!((posix.value, posix.overrun, posix.thread), (0xbeef, 2, Some(8)));
    assert_eq!((posix.countdown.left, posix.countdown.interval), (7, SECOND + 5));

    let thread = &odd.threads[0];
    assert_eq!((thread.parent_death_signal, thread.timer_slack), (Some(9), Some(50_000)));
    assert_eq!(thread.compat, Some(true));
    let registered = thread.registered;
    let start = VirtAddr(0x7000_0000);
    assert_eq!(registered.signal_stack, Some(SignalStack { start, size: 8192, flags: 1 }));
    let head = VirtAddr(0x1a0_06a0);
    assert_eq!(registered.robust_list, Some(RobustList { head, size: 24 }));
    let area = VirtAddr(0x1a0_0ce0);
    assert_eq!(registered.rseq, Some(Rseq { area, size: 32, signature: 0x5305_3053 }));
}

#[test]
fn a_usual_process_has_none_of_it_and_says_so() {
    let checkpoint = unusual();
    let usual = task(&checkpoint, 1);
    assert_eq!(usual.personality.map(|one| one.value), Some(Some(0)));
    assert_eq!((usual.stop_signal, usual.dumpable), (None, Some(1)));
    assert!(usual.timers.as_ref().is_some_and(|timers| timers.posix.is_empty()));
    assert_eq!(usual.marks, []);
    let thread = &usual.threads[0];
    assert_eq!((thread.parent_death_signal, thread.timer_slack), (Some(0), None));
    assert_eq!(thread.compat, Some(false));
    assert_eq!(thread.registered.signal_stack, None);
    assert_eq!((thread.registered.robust_list, thread.registered.rseq), (None, None));
    // The writer of synthetic images leaves it out, as CRIU before it knew of it.
    assert_eq!(usual.child_subreaper, None);
}

#[test]
fn what_a_missing_or_old_image_would_tell_is_not_known() {
    let mut dump = Dump::new();
    dump.dialect(Dialect::Criu317)
        .task(Task::new(1, 0).state(State::Stopped))
        .task(Task::new(4, 1).thread(5, "aux"))
        .without("core-5.img")
        .without("mm-4.img");
    let checkpoint = open(&Archive::podman(&dump));
    let stopped = task(&checkpoint, 1);
    assert_eq!(stopped.stop_signal, None, "CRIU 3 does not record it");
    let worker = task(&checkpoint, 4);
    assert_eq!((worker.dumpable, worker.thp_disabled), (None, None));
    let lost = &worker.threads[1];
    assert_eq!((lost.parent_death_signal, lost.compat), (None, None));
    assert!(lost.cgroups.is_none());
}

#[test]
fn handlers_are_told_with_what_they_mean() {
    let mut dump = Dump::new();
    dump.task(Task::new(1, 0)).without("sigacts-1.img").split_layout();
    dump.image("sigacts-1.img", magic::SIGACT, &actions());
    let checkpoint = open(&Archive::bare(&dump, ""));
    let handlers = task(&checkpoint, 1).handlers.as_ref().expect("handlers");
    let all: Vec<_> = handlers.iter().map(|one| (one.signal, one.address.0, one.mask)).collect();
    assert_eq!(all, [(1, 0x40_1000, 2), (15, 0x40_2000, 0)]);
    // Without SA_RESTORER the number is left from somewhere.
    assert_eq!(handlers[0].restorer, None);
    assert_eq!(handlers[1].restorer, Some(VirtAddr(0x40_3000)));
    dump.without("sigacts-1.img");
    assert!(task(&open(&Archive::bare(&dump, "")), 1).handlers.is_none());
}

#[test]
fn timers_of_old_dumps_have_images_of_their_own() {
    let mut dump = Dump::new();
    dump.split_layout().task(Task::new(1, 0)).task(Task::new(4, 1));
    let none = itimer((0, 0), (0, 0));
    let timers = [itimer((2, 0), (1, 500_000)), none.clone(), none.clone()];
    dump.image("itimers-1.img", magic::ITIMERS, &timers);
    dump.image("itimers-4.img", magic::ITIMERS, &[none]);
    let checkpoint = open(&Archive::bare(&dump, ""));
    let timers = task(&checkpoint, 1).timers.as_ref().expect("timers");
    assert_eq!(timers.real.left, SECOND + SECOND / 2);
    assert!(task(&checkpoint, 4).timers.is_none());
    assert_told(&checkpoint, "itimers-4.img: 1 interval timers where a process has three");
}

#[test]
fn credentials_of_a_thread_in_old_dumps_are_its_own() {
    let mut dump = Dump::new();
    dump.split_layout().task(Task::new(1, 0).thread(5, "aux"));
    let creds = (1..=8u32).fold(Message::new(), |creds, field| creds.uint(field, 33u32));
    dump.image("creds-5.img", magic::CREDS, &[creds.uint(13, 0u32)]);
    let checkpoint = open(&Archive::bare(&dump, ""));
    let process = task(&checkpoint, 1);
    assert_eq!(process.credentials.as_ref().map(|creds| creds.uids), Some([0; 4]));
    let own = process.own_credentials(&process.threads[1]).expect("its own credentials");
    assert_eq!(own.uids, [33; 4]);
}

#[test]
fn cgroups_are_those_of_the_process_or_of_its_threads() {
    for dialect in [Dialect::Criu317, Dialect::Criu42] {
        let mut dump = Dump::new();
        dump.dialect(dialect).cgroup("/machine.slice/libpod-1.scope").task(Task::new(1, 0));
        let moved = Task::new(4, 1).thread_extra(&Message::new().uint(16, 1u32));
        dump.task(moved).task(Task::new(9, 1).thread_extra(&Message::new().uint(16, 77u32)));
        let checkpoint = open(&Archive::podman(&dump));
        let paths = |pid| {
            let places = task(&checkpoint, pid).cgroups.clone()?;
            Some(places.iter().map(|place| place.path.to_string()).collect::<Vec<_>>())
        };
        assert_eq!(paths(1), Some(vec!["/machine.slice/libpod-1.scope".to_owned()]), "{dialect:?}");
        assert_eq!(paths(4), Some(vec!["/system.slice/criu.service".to_owned()]));
        assert_eq!(paths(9), None, "a set that is not there");
    }
}

/// Every process of a set tells all of it: a set of a million cgroups would be told a million times.
#[test]
fn a_set_of_more_cgroups_than_there_can_be_is_cut_and_told() {
    let place =
        |number: usize, path: &str| Message::new().bytes(1, format!("c{number}")).bytes(2, path);
    for (number, path, kept) in
        [(16, "/short", 16), (40, "/short", 32), (16, &"/x".repeat(2048), 3)]
    {
        let set = (0..number)
            .fold(Message::new().uint(1, 2u32), |set, n| set.message(2, &place(n, path)));
        let mut dump = Dump::new();
        dump.task(Task::new(1, 0));
        dump.image("cgroup.img", magic::CGROUP, &[Message::new().message(1, &set)]);
        let checkpoint = open(&Archive::bare(&dump, ""));
        let places = task(&checkpoint, 1).cgroups.as_ref().expect("cgroups").len();
        assert_eq!(places, kept, "{number}");
        let cut = kept < number;
        assert_eq!(!told(&checkpoint).is_empty(), cut, "{:?}", told(&checkpoint));
        if cut {
            assert_told(&checkpoint, &format!("cgroup.img: set 2 has {number} cgroups"));
        }
    }
}

#[test]
fn arguments_that_end_before_they_begin_are_no_empty_ones() {
    let mut dump = Dump::new();
    dump.task(Task::new(1, 0).arg_range(0x7000, 0x6000))
        .task(Task::new(2, 1).arg_range(0x7000, 0x7000))
        .task(Task::new(3, 1).env_range(0x7000, 0x6fff));
    let checkpoint = open(&Archive::podman(&dump));
    assert_eq!(task(&checkpoint, 1).argv, None);
    assert_told(&checkpoint, "arguments end at 0x6000, before they begin at 0x7000");
    assert!(task(&checkpoint, 2).argv.as_ref().is_some_and(|argv| argv.iter().next().is_none()));
    assert_eq!(task(&checkpoint, 3).env, None);
    assert_eq!(told(&checkpoint).len(), 2);
}
