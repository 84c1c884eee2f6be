//! Memory that more processes have than a list of hits tells.

use ckpt_archive::{Evidence, Options};
use ckpt_model::{Checkpoint, Pid};
use ckpt_scan::secrets::Environment;
use ckpt_scan::{Haystack, MOST_PLACES, Place};
use ckpt_synth::{Archive, Dump, Task, Vma};

const AT: u64 = 0x7000_0000_0000;

const MANY: u32 = 100;

fn open(dump: &Dump) -> Checkpoint {
    let tar = Archive::podman(dump).tar();
    let evidence = Evidence::from_bytes("sharing.tar", tar.into(), &Options::default());
    Checkpoint::options().open_evidence(evidence.expect("an archive")).expect("a checkpoint")
}

/// So many processes with one address space, a page of it and a password in its environment.
fn sharing() -> Dump {
    let first = Task::new(1, 0).env(&["DB_PASSWORD=s3cr3t-Pa55", "LANG=C"]);
    let mut dump = Dump::new();
    dump.task(first.map(Vma::anon(AT, 0x1000)).pages(AT, b"a text of its own"));
    for pid in 2..=MANY {
        dump.task(Task::new(pid, 1).share_vm_with(1));
    }
    dump
}

/// So many processes that map one memfd.
fn mapping() -> Dump {
    let mut dump = Dump::new();
    dump.memfd("m", 7, 0x1000, &[(0, b"a text in common")]);
    for pid in 1..=MANY {
        dump.task(
            Task::new(pid, u32::from(pid > 1)).bare_memory().map(Vma::memfd(AT, 0x1000, "m")),
        );
    }
    dump
}

#[test]
fn the_first_places_of_a_hit_are_told_and_that_there_are_more() {
    for dump in [sharing(), mapping()] {
        let checkpoint = open(&dump);
        let pids: Vec<Pid> = (1..=MANY).map(Pid).collect();
        let mut haystack = Haystack::new();
        haystack.add_memory(&checkpoint, &pids, |mapping, _| mapping.start.0 == AT);
        let piece = haystack.pieces().next().expect("a piece");
        let range = piece.start..piece.start + 6;
        let mut places = Vec::new();
        let pid = |place: &Place<'_>| match place {
            Place::Memory { task, address, .. } => (task.pid.0, address.0),
            _ => panic!("{place:?}"),
        };
        assert!(haystack.first_places(piece.region, &range, &mut places));
        let told: Vec<_> = places.iter().map(pid).collect();
        let wanted: Vec<_> = (1..=MOST_PLACES as u32).map(|pid| (pid, AT)).collect();
        assert_eq!(told, wanted);
        haystack.places(piece.region, &range, &mut places);
        assert_eq!(places.len(), MANY as usize);
        let mut few = Haystack::new();
        few.add_memory(&checkpoint, &pids[..MOST_PLACES], |mapping, _| mapping.start.0 == AT);
        let piece = few.pieces().next().expect("a piece");
        assert!(!few.first_places(piece.region, &range, &mut places));
        assert_eq!(places.len(), MOST_PLACES);
    }
}

#[test]
fn the_variables_of_one_environment_are_read_once() {
    let checkpoint = open(&sharing());
    let tasks = &checkpoint.processes().tasks;
    let environment = Environment::of(tasks);
    let pids: Vec<u32> = environment.variables.iter().map(|one| one.pid.0).collect();
    assert_eq!(pids, (1..=MOST_PLACES as u32).collect::<Vec<_>>());
    let more: Vec<u32> =
        environment.variables.iter().filter(|one| one.more_places).map(|one| one.pid.0).collect();
    assert_eq!(more, [MOST_PLACES as u32]);
    // Of those that are not told of it is known all the same that a variable holds it.
    let address = environment.variables[0].address.expect("an address");
    let last = &tasks[MANY as usize - 1];
    assert_eq!(
        environment.at(last, address).map(|one| one.name.to_string()),
        Some("DB_PASSWORD".to_owned())
    );
}
