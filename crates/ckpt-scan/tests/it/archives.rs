//! Secrets of real checkpoints: those that were planted, where they were; and nothing where nothing is.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::path::{Path, PathBuf};

use ckpt_model::{Checkpoint, Pid};
use ckpt_scan::secrets::{Confidence, Environment, Sightings, summary};
use ckpt_scan::{Haystack, Place, Work, run};
use serde_json::Value;

#[allow(clippy::print_stderr, reason = "a test that is skipped says so")]
fn archives(test: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("CKPT_ARCHIVES").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("{test}: skipped, CKPT_ARCHIVES does not name a directory of real checkpoints");
    }
    folder
}

fn open(case: &Path) -> Checkpoint {
    let names = ["checkpoint.tar.zst", "checkpoint.tar"];
    let path = names.iter().map(|name| case.join(name)).find(|path| path.exists());
    Checkpoint::open(path.expect("an archive")).expect("a checkpoint")
}

/// Pid and address of everything that is found in memory and environments.
fn places(checkpoint: &Checkpoint) -> BTreeSet<(u64, u64)> {
    let tasks = checkpoint.processes().by_pid();
    let environment = Environment::of(tasks.iter().copied());
    let scanner = environment.scanner();
    let pids: Vec<Pid> = tasks.iter().map(|task| task.pid).collect();
    let mut haystack = Haystack::new();
    haystack.add_memory(checkpoint, &pids, |_, _| true);
    let variables = environment.variables.iter();
    let mut places: BTreeSet<(u64, u64)> =
        variables.filter_map(|one| Some((u64::from(one.pid.0), one.address?.0))).collect();
    let sink = Sightings::new(&haystack, &scanner, &environment, Confidence::Medium);
    let done: Result<(), Infallible> =
        run(haystack.pieces(), &scanner, &sink, Work::default(), |batch| {
            for place in batch.iter().flat_map(|sighting| &sighting.places) {
                if let Place::Memory { task, address, .. } = place {
                    places.insert((u64::from(task.pid.0), address.0));
                }
            }
            Ok(())
        });
    assert!(done.is_ok());
    places
}

fn number(address: &Value) -> u64 {
    let text = address.as_str().expect("an address").trim_start_matches("0x");
    u64::from_str_radix(text, 16).expect("a number")
}

#[test]
fn planted_secrets_are_found_where_they_are() {
    let Some(folder) = archives("planted_secrets_are_found_where_they_are") else { return };
    for case in ["02-shop-web", "k4-containerd-py"] {
        let truth =
            std::fs::read_to_string(folder.join(case).join("truth.json")).expect("the truth");
        let truth: Value = serde_json::from_str(&truth).expect("JSON");
        let checkpoint = open(&folder.join(case));
        let found = places(&checkpoint);
        let near =
            |pid: u64, from: u64, len: u64| found.range((pid, from)..(pid, from + len)).next();
        let mut planted = 0;
        for one in truth["planted"].as_array().expect("a list") {
            if matches!(one["name"].as_str(), Some("card" | "private-key" | "jwt" | "session-jwt"))
            {
                let (pid, len) = (one["pid"].as_u64().unwrap(), one["len"].as_u64().unwrap());
                assert!(near(pid, number(&one["addr"]), len).is_some(), "{case}: {one}");
                planted += 1;
            }
        }
        assert_eq!(planted, 3, "{case}");
        for one in truth["secrets"].as_array().expect("a list") {
            let (kind, name) = (one["kind"].as_str().unwrap(), one["name"].as_str().unwrap());
            if kind == "env" || name == "card" {
                let len = one["value"].as_str().unwrap().len() as u64;
                for hit in one["memory_hits"].as_array().expect("a list") {
                    let pid = hit[0].as_u64().unwrap();
                    assert!(near(pid, number(&hit[1]), len).is_some(), "{case}: {name}: {hit}");
                }
            }
        }
    }
}

#[test]
fn honest_containers_have_what_was_planted_and_no_more() {
    let Some(folder) = archives("honest_containers_have_what_was_planted_and_no_more") else {
        return;
    };
    let honest = [
        "01-looper",
        "03-redis",
        "04-kitchen-sink",
        "05-postgres",
        "11-node",
        "21-crio-redis",
        "22-containerd-redis",
        "k1-crio-looper",
        "k2-crio-ks",
        "q1-bookworm-looper",
        "q2-bookworm-ks",
        "q8-bookworm-py",
        "q10-arm64-py",
    ];
    for case in honest {
        let checkpoint = open(&folder.join(case));
        let artifacts = checkpoint.artifacts(&ckpt_archive::Options::default());
        let found = summary(&checkpoint, &artifacts.list, &[], Confidence::Low, Work::default());
        // A variable, and one value that was planted beside a name such as `password`.
        let of = |id| found.secrets.iter().filter(|one| one.secret.rule().id == id).count();
        let (variables, assigned) = (of("env-secret"), of("config-secret"));
        assert!(variables <= 1 && assigned <= 1, "{case}: {found:?}");
        assert_eq!(found.secrets.len(), variables + assigned, "{case}: {found:?}");
    }
}
