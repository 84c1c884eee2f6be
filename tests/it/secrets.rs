//! `scan --secrets`: found where they are, told once in the table, redacted unless somebody asks.

use ckpt_synth::{Archive, Dump, File, Member, Task, Vma};
use serde_json::Value;
use tempfile::TempDir;

use crate::world::{Ran, archives, run_in};

const AT: u64 = 0x7000_0000_0000;
const PASSWORD: &str = "s3same-Street-42";

/// A process and its fork with a password in the environment, a card number in memory, a key in a file.
fn folder() -> TempDir {
    let page = |text: &str| {
        let mut page = text.as_bytes().to_vec();
        page.resize(4096, 0);
        page
    };
    let variable = format!("DB_PASSWORD={PASSWORD}");
    let task = |pid: u32| {
        Task::new(pid, pid - 1)
            .comm("app\x1b[2J")
            .env(&["PATH=/bin", &variable])
            .map(Vma::anon(AT, 0x1000))
            .pages(AT, page(&format!("config {PASSWORD} card=4111111111111111&exp=12/29 order 6011000990139424x 6011000990139424 ")))
    };
    let mut dump = Dump::new();
    dump.task(task(1).fd(3, File::pipe_read(900, "//user:hunter2-ish@host"))).task(task(2));
    let mut diff = Archive::new();
    diff.push(Member::file(
        "root/.netrc",
        b"machine ftp.shop.net login bob\x1b[1m password t0p-Secret-99\nmachine ftp.shop.net login bob password t0p-Secret-99\n",
    ));
    let mut archive = Archive::podman(&dump);
    archive.without("rootfs-diff.tar").member("rootfs-diff.tar", diff.tar());
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("checkpoint.tar"), archive.tar()).expect("written");
    folder
}

fn secrets(folder: &TempDir, args: &[&str]) -> Ran {
    run_in(folder.path(), &[&["scan", "checkpoint.tar", "--secrets"], args].concat())
}

fn records(ran: &Ran) -> Vec<Value> {
    let lines = ran.stdout.lines();
    lines.map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn secrets_are_told_once_and_redacted() {
    let folder = folder();
    let table = secrets(&folder, &[]);
    insta::assert_snapshot!("scan-secrets-table", table.transcript());
    let control: Vec<char> =
        table.stdout.chars().filter(|c| c.is_control() && *c != '\n').collect();
    assert_eq!(control, Vec::<char>::new());
    let lines = secrets(&folder, &["--format", "jsonl"]);
    insta::assert_snapshot!("scan-secrets-jsonl", lines.transcript());
    let json = secrets(&folder, &["--format", "json"]);
    assert_eq!(json.json()["hits"], Value::from(records(&lines)));
    let count = secrets(&folder, &["--count"]);
    insta::assert_snapshot!("scan-secrets-count", count.transcript());
    for ran in [&table, &lines, &json, &count] {
        for secret in [PASSWORD, "4111111111111111", "t0p-Secret-99"] {
            assert!(!ran.stdout.contains(secret), "{secret} in {}", ran.stdout);
        }
    }
    for format in ["table", "json", "jsonl"] {
        let ran = secrets(&folder, &["--reveal", "--format", format]);
        for secret in [PASSWORD, "4111111111111111", "t0p-Secret-99"] {
            assert!(ran.stdout.contains(secret), "no {secret} in {}", ran.stdout);
        }
    }
}

#[test]
fn secrets_in_utf16_are_those_of_8_bits() {
    let text = format!("of {PASSWORD} and card=4111111111111111&exp=12/29");
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let variable = format!("DB_PASSWORD={PASSWORD}");
    let task = Task::new(1, 0).env(&[&variable]).map(Vma::anon(AT, 0x1000)).pages(AT, utf16);
    let mut dump = Dump::new();
    dump.task(task);
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("checkpoint.tar"), Archive::podman(&dump).tar())
        .expect("written");
    let found = records(&secrets(&folder, &["--format", "jsonl", "--reveal"]));
    let told: Vec<_> = found
        .iter()
        .map(|one| ["variable", "address", "encoding", "text"].map(|key| one[key].as_str()))
        .collect();
    assert_eq!(
        told,
        [
            [Some("DB_PASSWORD"), told[0][1], Some("ascii"), Some(PASSWORD)],
            [None, Some("0x700000000006"), Some("utf16le"), Some(PASSWORD)],
            [None, Some("0x70000000003a"), Some("utf16le"), Some("4111111111111111")],
        ]
    );
    assert_eq!(found[0]["sha256_prefix"], found[1]["sha256_prefix"]);
    let table = secrets(&folder, &[]).stdout;
    assert!(table.contains("secrets: 2\n"), "equal secrets are told once: {table}");
}

#[test]
fn what_is_chosen_is_looked_at_and_no_more() {
    let folder = folder();
    let of = |args: &[&str]| -> Vec<(Option<u64>, String)> {
        let ran = secrets(&folder, &[&["--format", "jsonl"], args].concat());
        let told = |one: &Value| (one["pid"].as_u64(), one["rule"].as_str().unwrap().to_owned());
        let mut all: Vec<_> = records(&ran).iter().map(told).collect();
        all.sort();
        all.dedup();
        all
    };
    let rules = |pid: Option<u64>, rules: &[&str]| -> Vec<(Option<u64>, String)> {
        rules.iter().map(|rule| (pid, (*rule).to_owned())).collect()
    };
    assert_eq!(of(&["--artifacts"]), rules(None, &["netrc"]));
    assert_eq!(of(&["--pid", "2"]), rules(Some(2), &["env-secret", "payment-card"]));
    assert_eq!(of(&["--pid", "2", "--vma", "stack"]), rules(Some(2), &["env-secret"]));
    assert_eq!(
        of(&["--memory", "--pid", "1", "--confidence", "high"]),
        rules(Some(1), &["env-secret", "payment-card"])
    );
    let heap = ["--vma", "heap", "--exit-code"];
    assert_eq!(secrets(&folder, &heap).status, 0);
    assert_eq!(secrets(&folder, &["--exit-code"]).status, 1);
    for format in ["table", "jsonl"] {
        let with =
            |threads: &str| secrets(&folder, &["--format", format, "--threads", threads]).stdout;
        assert_eq!(with("1"), with("4"));
    }
}

#[test]
fn planted_secrets_of_a_real_intrusion_are_found() {
    let Some(folder) = archives("planted_secrets_of_a_real_intrusion_are_found") else { return };
    let evidence = "02-shop-web/checkpoint.tar.zst";
    let ran = run_in(&folder, &["scan", evidence, "--secrets", "--format", "jsonl"]);
    let all = records(&ran);
    for (rule, pid, address) in [
        ("payment-card", 1, "0x7f76c218b655"),
        ("private-key", 1, "0x7f76c1772890"),
        ("jwt", 1, "0x7f76c1772190"),
        ("database-url", 1, "0x7f76c2379320"),
    ] {
        let found = all
            .iter()
            .any(|one| one["rule"] == rule && one["pid"] == pid && one["address"] == address);
        assert!(found, "{rule} at {address}");
    }
    assert!(all.iter().any(|one| one["variable"] == "JWT_SECRET"));
    assert!(!ran.stdout.contains("4111111111111111"));
}

#[cfg(not(feature = "yara"))]
#[test]
fn a_build_without_yara_says_so() {
    let folder = folder();
    let ran = run_in(folder.path(), &["scan", "checkpoint.tar", "--rules", "any.yar"]);
    assert_eq!(ran.status, 2);
    assert!(ran.stderr.contains("this build has no YARA"), "{}", ran.stderr);
}
