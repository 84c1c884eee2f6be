//! Which process is which, and what changed in it.

use ckpt_analysis::compare::{
    CompareOptions, Comparison, Identity, MatchBy, ProcessFact, Reason, Subject, ThreadFact,
    compare,
};
use ckpt_model::Pid;
use ckpt_synth::{Archive, Caps, Container, State, Task};

use crate::{checkpoint, compared, dump, init, open};

fn identity(comparison: &Comparison<'_>, pid: u32) -> (Identity, Vec<Reason>) {
    let pair = comparison.matching.pairs.iter().find(|pair| pair.b.pid == Pid(pid));
    let verdict = &pair.unwrap_or_else(|| panic!("{pid} is not matched")).verdict;
    (verdict.identity, verdict.because.clone())
}

fn what(comparison: &Comparison<'_>, pid: u32) -> Vec<ProcessFact> {
    let changed = &comparison.processes.as_ref().unwrap().changed;
    let change = changed.iter().find(|change| change.pair.b.pid == Pid(pid));
    change.map(|change| change.what.clone()).unwrap_or_default()
}

fn pids(tasks: &[&ckpt_model::Task]) -> Vec<u32> {
    tasks.iter().map(|task| task.pid.0).collect()
}

#[test]
fn what_is_the_same_differs_in_nothing() {
    let tasks = || [init(), Task::new(7, 1).argv(&["sleep", "1"]).thread(8, "helper")];
    let (a, b) = (checkpoint(tasks()), checkpoint(tasks()));
    let comparison = compared(&a, &b);
    assert!(!comparison.differs());
    assert!(comparison.matching.continued);
    assert_eq!(comparison.processes.as_ref().unwrap().unchanged.len(), 2);
    let memory = comparison.memory.as_ref().unwrap();
    assert!(memory.changes.is_empty());
    assert!(memory.mappings.unchanged > 10);
}

#[test]
fn processes_come_and_go() {
    let a = checkpoint([init(), Task::new(7, 1), Task::new(9, 7)]);
    let b = checkpoint([init(), Task::new(9, 1), Task::new(12, 1)]);
    let comparison = compared(&a, &b);
    assert_eq!(pids(&comparison.matching.only_a), [7]);
    assert_eq!(pids(&comparison.matching.only_b), [12]);
    // An orphan is given to another parent: that is no other process.
    assert_eq!(identity(&comparison, 9).0, Identity::Same);
    assert_eq!(what(&comparison, 9), [ProcessFact::Ppid]);
}

#[test]
fn facts_of_a_process() {
    let before = Task::new(7, 1).comm("old").env(&["A=1", "B=2", "B=2"]);
    let after = Task::new(7, 1)
        .comm("new")
        .env(&["B=2", "A=1", "C=3"])
        .cwd("/tmp")
        .umask(0o77)
        .session(7, 7)
        .groups(&[4])
        .caps(Caps { effective: 1, ..Caps::DEFAULT })
        .oom_score_adj(5)
        .state(State::Stopped)
        .no_new_privs();
    let (a, b) = (checkpoint([init(), before]), checkpoint([init(), after]));
    let comparison = compared(&a, &b);
    assert_eq!(
        what(&comparison, 7),
        [
            ProcessFact::State,
            ProcessFact::Pgid,
            ProcessFact::Sid,
            ProcessFact::Comm,
            ProcessFact::Env,
            ProcessFact::Cwd,
            ProcessFact::Umask,
            ProcessFact::Groups,
            ProcessFact::Caps,
            ProcessFact::NoNewPrivs,
            ProcessFact::OomScoreAdj,
        ]
    );
    let change = &comparison.processes.as_ref().unwrap().changed[0];
    assert_eq!(change.env.added, [&b"C=3"[..]]);
    assert_eq!(change.env.removed, [&b"B=2"[..]]);
}

#[test]
fn threads_come_go_and_change() {
    let before = Task::new(7, 1).thread(8, "alpha").thread(9, "beta");
    let after = Task::new(7, 1).thread(9, "renamed").thread(10, "gamma");
    let (a, b) = (checkpoint([init(), before]), checkpoint([init(), after]));
    let comparison = compared(&a, &b);
    assert_eq!(what(&comparison, 7), [ProcessFact::Threads]);
    let threads = &comparison.processes.as_ref().unwrap().changed[0].threads;
    assert_eq!(threads.added.iter().map(|thread| thread.tid.0).collect::<Vec<_>>(), [10]);
    assert_eq!(threads.removed.iter().map(|thread| thread.tid.0).collect::<Vec<_>>(), [8]);
    assert_eq!((threads.changed[0].b.tid.0, threads.changed[0].what[0]), (9, ThreadFact::Comm));
}

/// Other arguments lie elsewhere on the stack: `execve` sets everything anew.
fn other_program(pid: u32, ppid: u32) -> Task {
    Task::new(pid, ppid).exe("/usr/bin/nc").argv(&["nc", "-l", "-p", "4444", "-e", "/bin/sh"])
}

#[test]
fn another_program_in_the_same_process() {
    let (a, b) = (checkpoint([init(), Task::new(7, 1)]), checkpoint([init(), other_program(7, 1)]));
    let comparison = compared(&a, &b);
    let (verdict, because) = identity(&comparison, 7);
    assert_eq!(verdict, Identity::Execed);
    assert!(because.contains(&Reason::LowPid), "{because:?}");
    let Reason::OtherMarks(marks) = &because[0] else { panic!("{because:?}") };
    assert!(marks.contains(&"AT_RANDOM") && marks.contains(&"start of the stack"));
    assert_eq!(
        what(&comparison, 7),
        [ProcessFact::Identity, ProcessFact::Comm, ProcessFact::Argv, ProcessFact::Exe]
    );
    assert!(comparison.matching.only_a.is_empty() && comparison.matching.only_b.is_empty());
    let not_compared = &comparison.memory.as_ref().unwrap().not_compared;
    assert_eq!((not_compared.len(), not_compared[0].pid), (1, Pid(7)));
}

#[test]
fn a_high_pid_may_have_been_given_again() {
    let (a, b) =
        (checkpoint([init(), Task::new(700, 1)]), checkpoint([init(), other_program(700, 1)]));
    assert_eq!(identity(&compared(&a, &b), 700).0, Identity::Unclear);
    // Unless a child says that its parent is who it was.
    let child = || Task::new(701, 700);
    let a = checkpoint([init(), Task::new(700, 1), child()]);
    let b = checkpoint([init(), other_program(700, 1), child()]);
    let (verdict, because) = identity(&compared(&a, &b), 700);
    assert_eq!(verdict, Identity::Execed);
    assert!(because.contains(&Reason::Child(Pid(701))), "{because:?}");
}

#[test]
fn a_pid_that_was_reused() {
    let replaced = |before: Task, after: Task| {
        let shell = || Task::new(5, 1).session(5, 5).argv(&["a", "shell", "that", "stays"]);
        let (a, b) = (checkpoint([init(), shell(), before]), checkpoint([init(), shell(), after]));
        let comparison = compared(&a, &b);
        let (verdict, because) = identity(&comparison, 900);
        assert_eq!(verdict, Identity::Replaced, "{because:?}");
        assert!(what(&comparison, 900).contains(&ProcessFact::Identity));
        because
    };
    // Even where nothing of what execve sets is different: a fork of the same parent.
    assert_eq!(replaced(Task::new(900, 5), Task::new(900, 1)), [Reason::ParentLeft(Pid(5))]);
    assert_eq!(
        replaced(Task::new(900, 1).session(900, 900), Task::new(900, 1).session(900, 5)),
        [Reason::OtherSession]
    );
    assert_eq!(replaced(Task::zombie(900, 1, 9, "worker"), Task::new(900, 1)), [Reason::Revived]);
    assert_eq!(
        replaced(Task::new(900, 1).no_new_privs(), Task::new(900, 1)),
        [Reason::PrivilegesFreed]
    );
}

#[test]
fn a_process_that_died_is_the_same_one() {
    let a = checkpoint([init(), Task::new(7, 1).comm("job")]);
    let b = checkpoint([init(), Task::zombie(7, 1, 0x300, "job")]);
    let comparison = compared(&a, &b);
    assert_eq!(identity(&comparison, 7), (Identity::Unknown, vec![Reason::NoMarks]));
    // What a zombie no longer has is no difference.
    assert_eq!(what(&comparison, 7), [ProcessFact::State]);
}

#[test]
fn stale_images_are_nobody() {
    // CRIU dumped twice into one directory: what pid 9 left is no process.
    let before = dump([init(), Task::new(9, 1)]);
    let after = dump([init(), Task::new(12, 1)]);
    let a = open(&Archive::podman(&before));
    let mut archive = Archive::podman(&after);
    for (name, bytes) in before.images() {
        if name.ends_with("-9.img") {
            archive.member(format!("checkpoint/{name}"), bytes);
        }
    }
    let b = open(&archive);
    let comparison = compared(&a, &b);
    assert_eq!(pids(&comparison.matching.only_a), [9]);
    assert_eq!(pids(&comparison.matching.only_b), [12]);
}

fn replica(name: &str, tasks: impl IntoIterator<Item = Task>) -> ckpt_model::Checkpoint {
    let mut dump = dump(tasks);
    dump.container(Container::new(name));
    open(&Archive::podman(&dump))
}

/// A server with two workers; `first` is added to every pid but the first.
fn server(first: u32) -> Vec<Task> {
    let nginx = |pid, ppid| Task::new(pid, ppid).exe("/usr/sbin/nginx").comm("nginx");
    vec![
        nginx(1, 0).argv(&["nginx", "-g", "daemon off;"]),
        nginx(first + 7, 1).argv(&["nginx: worker", "1"]),
        nginx(first + 9, 1).argv(&["nginx: worker", "2"]),
        Task::new(first + 8, 1).exe("/bin/sh").argv(&["sh", "-c", "cron"]),
    ]
}

#[test]
fn replicas_are_matched_by_role() {
    let mut tasks = server(40);
    tasks.push(Task::new(60, 47).exe("/tmp/x").argv(&["x"]));
    tasks[0] = tasks[0].clone().env(&["HOSTNAME=other-host", "PATH=/usr/bin"]);
    let (a, b) = (replica("web-1", server(0)), replica("web-2", tasks));
    let comparison = compared(&a, &b);
    assert_eq!(comparison.matching.by, MatchBy::Role);
    assert_eq!(comparison.matching.one_container, Some(false));
    let pairs: Vec<(u32, u32)> =
        comparison.matching.pairs.iter().map(|pair| (pair.a.pid.0, pair.b.pid.0)).collect();
    assert_eq!(pairs, [(1, 1), (7, 47), (8, 48), (9, 49)]);
    assert_eq!(pids(&comparison.matching.only_b), [60]);
    assert_eq!(identity(&comparison, 47), (Identity::Counterpart, vec![Reason::OtherContainer]));
    // A group that is called by its leader's pid is the same group.
    assert!(what(&comparison, 47).is_empty());
    assert_eq!(what(&comparison, 1), [ProcessFact::Env]);
    let facts = comparison.container.as_ref().unwrap();
    let differ: Vec<&str> =
        facts.iter().filter(|fact| fact.differs()).map(|fact| fact.what).collect();
    assert_eq!(differ, ["name", "id", "hostname"]);
}

#[test]
fn how_to_match_can_be_said() {
    let (a, b) = (replica("web-1", server(0)), replica("web-2", server(1)));
    let by = |by| {
        let options = CompareOptions::default().match_by(by).only([Subject::Processes]);
        let comparison = compare(&a, &b, &options).unwrap();
        (comparison.matching.pairs.len(), comparison.matching.only_b.len())
    };
    assert_eq!(by(MatchBy::Role), (4, 0));
    // 8 and 9 are other processes' pids there.
    assert_eq!(by(MatchBy::Pid), (3, 1));
}

#[test]
fn one_container_is_matched_by_pid_even_when_nothing_goes_on() {
    let (a, b) = (checkpoint([Task::new(1, 0)]), checkpoint([other_program(1, 0)]));
    let comparison = compared(&a, &b);
    assert_eq!(comparison.matching.by, MatchBy::Pid);
    assert!(!comparison.matching.continued);
    assert_eq!(identity(&comparison, 1).0, Identity::Unclear);
}

#[test]
fn pids_that_occur_twice_are_each_told_once() {
    let twice = || [init(), Task::new(7, 1), Task::new(7, 1)];
    let (a, b) = (checkpoint(twice()), checkpoint([init(), Task::new(7, 1)]));
    let comparison = compared(&a, &b);
    let told = comparison.matching.pairs.len() + comparison.matching.only_a.len();
    assert_eq!(told, a.processes().tasks.len());
}
