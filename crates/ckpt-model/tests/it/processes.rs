//! Processes: arguments, sharing, trees that make no sense, names that lie.

use ckpt_model::{Mark, Pid, Shared, TaskState};
use ckpt_synth::{Archive, Dump, Message, State, Task, magic};

use crate::{argv, assert_told, env, open, task, told};

#[test]
fn a_family_with_a_thread_and_a_zombie() {
    let mut dump = Dump::new();
    dump.task(
        Task::new(1, 0)
            .comm("sh")
            .argv(&["sh", "-c", ""])
            .env(&["A=1", "A=2", "B="])
            .exe("/bin/sh")
            .cwd("/srv")
            .umask(0o027)
            .session(1, 1)
            .no_new_privs(),
    )
    .task(
        Task::new(7, 1)
            .uid(33)
            .gid(34)
            .groups(&[5, 6])
            .thread(8, "helper")
            .registers(0x40_1000, 0x7ffe_0000),
    )
    .task(Task::new(9, 1).state(State::Stopped))
    .zombie(12, 7, 0x700, "gone");
    let checkpoint = open(&Archive::podman(&dump));
    assert_eq!(told(&checkpoint), Vec::<String>::new());

    let init = task(&checkpoint, 1);
    assert_eq!(argv(&checkpoint, 1), ["sh", "-c", ""]);
    assert_eq!(env(&checkpoint, 1), ["A=1", "A=2", "B="]);
    assert_eq!(init.exe.as_ref().map(|exe| exe.path.to_string()), Some("/bin/sh".into()));
    assert_eq!(init.cwd.as_ref().map(|cwd| cwd.path.to_string()), Some("/srv".into()));
    assert_eq!(init.umask, Some(0o027));
    assert_eq!(init.credentials.as_ref().and_then(|creds| creds.no_new_privs), Some(true));

    let worker = task(&checkpoint, 7);
    let creds = worker.credentials.as_ref().expect("credentials");
    assert_eq!((creds.uids, creds.gids), ([33; 4], [34; 4]));
    assert_eq!(creds.groups, [5, 6]);
    assert_eq!(creds.no_new_privs, Some(false), "left out by CRIU 4 means no");
    let threads: Vec<_> =
        worker.threads.iter().map(|thread| (thread.tid, thread.comm.clone())).collect();
    assert_eq!(threads[1].0, Pid(8));
    assert_eq!(threads[1].1.as_ref().map(ToString::to_string), Some("helper".into()));
    assert_eq!(worker.threads[0].ip.map(|ip| ip.0), Some(0x40_1000));
    assert_eq!(worker.threads[0].sp.map(|sp| sp.0), Some(0x7ffe_0000));

    assert_eq!(task(&checkpoint, 9).state, Some(TaskState::Stopped));
    let zombie = task(&checkpoint, 12);
    assert_eq!((zombie.state, zombie.exit_code), (Some(TaskState::Zombie), Some(1792)));
    assert!(zombie.exe.is_none() && zombie.argv.is_none() && zombie.threads.is_empty());
}

/// As `SigIgn` and `SigCgt` of /proc/PID/status: the images tell of all signals but KILL and STOP.
#[test]
fn ignored_and_handled_signals_are_told() {
    let mut actions = Vec::new();
    for signal in (1..=64u64).filter(|signal| ![9, 19].contains(signal)) {
        let handler = match signal {
            13 | 20 => 1,             // SIGPIPE, SIGTSTP: ignored
            1 | 17 | 64 => 0x40_1000, // SIGHUP, SIGCHLD, the last
            _ => 0u64,
        };
        actions.push(Message::new().uint(1, handler).uint(2, 0u32).uint(3, 0u32).uint(4, 0u32));
    }
    let itimer = (1..=4).fold(Message::new(), |timer, field| timer.uint(field, 0u32));
    let timers = (1..=3).fold(Message::new(), |timers, field| timers.message(field, &itimer));
    let tc = Message::new()
        .uint(1, 1u32) // task_state
        .uint(2, 0u32) // exit_code
        .uint(3, 0u32) // personality
        .uint(4, 0u32) // flags
        .uint(5, 0u32) // blk_sigset
        .bytes(6, b"x") // comm
        .message(7, &timers)
        .messages(15, &actions);
    let thread_core = Message::new().uint(1, 0u32).uint(2, 24u32); // futex_rla, futex_rla_len
    let mut dump = Dump::new();
    dump.task(Task::new(1, 0)).task(Task::new(2, 1)).zombie(3, 1, 0, "gone");
    let core = Message::new().uint(1, 1u32).message(3, &tc).message(5, &thread_core);
    dump.image("core-2.img", magic::CORE, &[core]);
    let checkpoint = open(&Archive::podman(&dump));
    let of = |pid| (task(&checkpoint, pid).sigign, task(&checkpoint, pid).sigcgt);
    assert_eq!(of(1), (Some(1 << 12), Some(0)));
    assert_eq!(of(2), (Some(1 << 12 | 1 << 19), Some(1 | 1 << 16 | 1 << 63)));
    assert_eq!(of(3), (None, None));
}

/// Credentials and scheduling are a thread's own for the kernel.
#[test]
fn what_a_thread_has_to_itself_is_told_of_the_thread() {
    let mut dump = Dump::new();
    dump.task(Task::new(1, 0).thread(2, "like").thread(3, "unlike"));
    let mut creds = Message::new();
    for id in 0..4u32 {
        creds = creds.uint(2 * id + 1, 1234 + id).uint(2 * id + 2, 0u32); // uid, gid and so on
    }
    for set in 9..=12 {
        creds = creds.uints(set, [1u32 << 13, 0]); // cap_inh, cap_prm, cap_eff, cap_bnd
    }
    let thread_core = Message::new()
        .uint(1, 0u32) // futex_rla
        .uint(2, 24u32) // futex_rla_len
        .uint(4, 0x4000_0001u32) // sched_policy: SCHED_FIFO | SCHED_RESET_ON_FORK
        .uint(5, 17u32) // sched_prio
        .message(10, &creds.uint(13, 0u32)); // creds, with secbits
    dump.image("core-3.img", magic::CORE, &[Message::new().uint(1, 1u32).message(5, &thread_core)]);
    let checkpoint = open(&Archive::podman(&dump));
    assert_eq!(told(&checkpoint), Vec::<String>::new());

    let process = task(&checkpoint, 1);
    let own: Vec<_> =
        process.threads.iter().map(|thread| process.own_credentials(thread)).collect();
    assert_eq!((own[0], own[1]), (None, None));
    let unlike = own[2].expect("credentials of its own");
    assert_eq!(unlike.uids, [1234, 1235, 1236, 1237]);
    assert_eq!(unlike.caps.effective, 1 << 13);
    assert_eq!(
        (unlike.no_new_privs, unlike.caps.ambient),
        (Some(false), Some(0)),
        "left out means no"
    );

    let scheduling = |index: usize| {
        let thread = &process.threads[index];
        (thread.sched_policy, thread.sched_priority, thread.reset_on_fork)
    };
    assert_eq!(scheduling(1), (Some(0), None, false));
    assert_eq!(scheduling(2), (Some(1), Some(17), true));
}

#[test]
fn a_title_within_the_arguments_leaves_empty_strings_behind_it() {
    let mut dump = Dump::new();
    dump.task(
        Task::new(1, 0)
            .argv(&["/usr/sbin/program", "--option"])
            .env(&["K=V"])
            .title(b"[kworker/0:1]\0"),
    );
    let checkpoint = open(&Archive::podman(&dump));
    let argv = argv(&checkpoint, 1);
    assert_eq!(argv[0], "[kworker/0:1]");
    assert!(argv[1..].iter().all(String::is_empty) && argv.len() > 1, "{argv:?}");
    assert_eq!(env(&checkpoint, 1), ["K=V"]);
    assert!(task(&checkpoint, 1).marks.contains(&Mark::PosesAsKernelThread));
}

#[test]
fn a_title_that_runs_over_the_environment_is_one_string() {
    let mut dump = Dump::new();
    let title = b"nginx: worker process with a title longer than its arguments";
    dump.task(
        Task::new(1, 0)
            .argv(&["nginx"])
            .env(&["A=0123456789012345678901234567890123456789012345678901234567890123456789"])
            .title(title),
    );
    let checkpoint = open(&Archive::podman(&dump));
    assert_eq!(argv(&checkpoint, 1), [String::from_utf8_lossy(title)]);
}

#[test]
fn one_process_with_a_broken_environ_costs_nothing() {
    let mut dump = Dump::new();
    dump.task(Task::new(1, 0).argv(&["init"]))
        .task(
            Task::new(2, 1)
                .argv(&["odd"])
                .env(&["AAAAAAAAAAAA=1"])
                .broken_environ(b"\xff\xfe\x1b[31m no equals sign"),
        )
        .task(Task::new(3, 1).argv(&["even"]).env(&["K=V"]));
    let checkpoint = open(&Archive::podman(&dump));
    assert_eq!(argv(&checkpoint, 2), ["odd"]);
    let odd = env(&checkpoint, 2);
    assert!(odd[0].starts_with("\\xff\\xfe\\x1b[31m"), "{odd:?}");
    assert_eq!(env(&checkpoint, 3), ["K=V"]);
}

#[test]
fn shared_memory_files_and_directories_resolve_to_their_owner() {
    let mut dump = Dump::new();
    dump.task(Task::new(1, 0).argv(&["server"]).exe("/bin/server").cwd("/data"))
        .task(Task::new(2, 1).share_vm_with(1).share_fs_with(1).share_files_with(1));
    let checkpoint = open(&Archive::podman(&dump));
    assert_eq!(told(&checkpoint), Vec::<String>::new());
    assert_eq!(argv(&checkpoint, 2), ["server"]);
    let second = task(&checkpoint, 2);
    assert_eq!(second.mm_owner, Some(Pid(1)));
    assert_eq!(second.cwd.as_ref().map(|cwd| cwd.path.to_string()), Some("/data".into()));
    let shared: Vec<_> = second.shares.iter().map(|share| (share.what, share.with)).collect();
    assert!(
        shared.contains(&(Shared::Vm, Pid(1))) && shared.contains(&(Shared::Files, Pid(1))),
        "{shared:?}"
    );
}

#[test]
fn deleted_and_memfd_executables_are_marked() {
    let mut dump = Dump::new();
    dump.task(Task::new(1, 0))
        .task(Task::new(2, 1).exe_deleted("/tmp/.x/miner", b"\x7fELF deleted".as_slice()))
        .task(Task::new(3, 1).exe_memfd("journal", b"\x7fELF fileless".as_slice()));
    let checkpoint = open(&Archive::podman(&dump));
    let deleted = task(&checkpoint, 2);
    let exe = deleted.exe.as_ref().expect("an executable");
    assert_eq!((exe.path.to_string(), exe.deleted), ("/tmp/.x/miner (deleted)".to_owned(), true));
    assert_eq!(deleted.marks, [Mark::ExeDeleted]);
    let memfd = task(&checkpoint, 3);
    let exe = memfd.exe.as_ref().expect("an executable");
    assert_eq!((exe.path.to_string(), exe.memfd), ("/memfd:journal (deleted)".to_owned(), true));
    assert_eq!(memfd.marks, [Mark::ExeMemfd]);
}

#[test]
fn trees_that_make_no_sense_lose_nobody() {
    let mut dump = Dump::new();
    dump.task(Task::new(1, 0))
        .task(Task::new(2, 0))
        .task(Task::new(3, 99))
        .task(Task::new(4, 5))
        .task(Task::new(5, 4))
        .task(Task::new(6, 6));
    let checkpoint = open(&Archive::podman(&dump));
    let processes = checkpoint.processes();
    let roots: Vec<_> = processes
        .forest
        .iter()
        .filter(|node| node.depth == 0)
        .map(|node| processes.tasks[node.task].pid.0)
        .collect();
    assert_eq!(roots, [1, 2, 3, 4, 6]);
    assert_eq!(processes.forest.len(), 6);
    assert_eq!(task(&checkpoint, 3).marks, [Mark::Orphan]);
    assert_eq!(task(&checkpoint, 4).marks, [Mark::Cycle]);
    assert_eq!(task(&checkpoint, 6).marks, [Mark::Cycle]);
}

/// Each would be told with all that its images hold: a few bytes of tree for all of them.
#[test]
fn a_tree_that_names_one_process_a_hundred_times_is_cut_and_told() {
    let mut dump = Dump::new();
    dump.task(Task::new(1, 0));
    for _ in 0..100 {
        dump.task(Task::new(2, 1));
    }
    dump.task(Task::new(3, 1));
    let checkpoint = open(&Archive::podman(&dump));
    assert_eq!(checkpoint.processes().tasks.len(), 19);
    assert_eq!(task(&checkpoint, 3).ppid, Some(Pid(1)));
    assert_told(&checkpoint, "pstree.img: 83 more entries of processes that are in the tree");
}

#[test]
fn a_thread_of_two_processes_is_told_with_the_first() {
    let mut dump = Dump::new();
    dump.task(Task::new(1, 0))
        .task(Task::new(2, 1).thread(9, "worker"))
        .task(Task::new(3, 1).thread(9, "worker").thread(10, "own"));
    let checkpoint = open(&Archive::podman(&dump));
    let threads = |pid| {
        let threads = task(&checkpoint, pid).threads.iter();
        threads.map(|thread| (thread.tid.0, thread.core.is_some())).collect::<Vec<_>>()
    };
    assert_eq!(threads(2), [(2, true), (9, true)]);
    assert_eq!(threads(3), [(3, true), (9, false), (10, true)]);
    assert_told(&checkpoint, "thread 9 of process 3 is another one's as well");
}

#[test]
fn control_bytes_never_leave_unescaped() {
    let mut dump = Dump::new();
    dump.task(
        Task::new(1, 0)
            .comm(b"\x1b[2J\x07".to_vec())
            .argv(&[b"\x1b]0;title\x07".as_slice(), b"\xc3\x28"])
            .exe(b"/bin/\x1b[31mred".to_vec()),
    );
    let checkpoint = open(&Archive::podman(&dump));
    let init = task(&checkpoint, 1);
    assert_eq!(init.comm.as_ref().map(ckpt_model::Text::as_bytes), Some(&b"\x1b[2J\x07"[..]));
    for text in [
        init.comm.as_ref().map(ToString::to_string),
        init.exe.as_ref().map(|exe| exe.path.to_string()),
    ] {
        assert!(text.is_some_and(|text| text.chars().all(|c| !c.is_control())));
    }
    assert_eq!(argv(&checkpoint, 1), ["\\x1b]0;title\\x07", "\\xc3("]);
}

#[test]
fn an_argument_area_that_claims_the_moon_is_bounded() {
    let mut dump = Dump::new();
    dump.task(Task::new(1, 0))
        .task(Task::new(2, 1).arg_range(0x1000, u64::MAX))
        .task(Task::new(3, 1).env_range(0x9000, 0x1000))
        .task(
            Task::new(4, 1)
                .map(ckpt_synth::Vma::anon(0x10_0000_0000, 1 << 40))
                .arg_range(0x10_0000_0000, 0x90_0000_0000),
        );
    let checkpoint = open(&Archive::podman(&dump));
    assert_eq!(checkpoint.processes().tasks.len(), 4);
    assert!(task(&checkpoint, 2).argv.is_none());
    assert_told(&checkpoint, "process 2: arguments");
    assert!(task(&checkpoint, 3).env.is_none());
    assert_told(&checkpoint, "environment end at 0x1000, before they begin at 0x9000");
    assert_eq!(task(&checkpoint, 4).argv.as_ref().map(|argv| argv.0.len()), Some(8 << 20));
    assert_told(&checkpoint, "the first 8388608 are shown");
}
