//! `extract`: what is listed, what is written, and that nothing of the evidence decides where.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use ckpt_synth::{
    Archive, File, Framing, Image, Kind, Member, Message, SparseForm, magic, stories,
};
use serde_json::Value;

use crate::world::{Ran, archives, run_in};

/// A checkpoint whose `rootfs-diff.tar` has these members, in a folder of its own that is not the topmost.
fn with_diff(diff: &Archive) -> (tempfile::TempDir, PathBuf) {
    let mut archive = Archive::podman(&stories::looper());
    archive.without("rootfs-diff.tar").member("rootfs-diff.tar", diff.tar());
    in_folder(&archive)
}

fn in_folder(archive: &Archive) -> (tempfile::TempDir, PathBuf) {
    let outer = tempfile::tempdir().expect("a folder");
    let folder = outer.path().join("a/b/c");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("checkpoint.tar"), archive.tar()).expect("written");
    (outer, folder)
}

fn artifacts(document: &Value) -> BTreeMap<String, Value> {
    let all = document["artifacts"].as_array().expect("artifacts").iter();
    all.map(|one| (one["id"].as_str().expect("an id").to_owned(), one.clone())).collect()
}

fn by_path<'a>(document: &'a Value, path: &str) -> &'a Value {
    let all = document["artifacts"].as_array().expect("artifacts");
    all.iter()
        .find(|one| one["path"] == path)
        .unwrap_or_else(|| panic!("no {path} in {document:#}"))
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && !path.is_symlink() { all.extend(files(&path)) } else { all.push(path) }
    }
    all.sort();
    all
}

fn no_control_bytes(ran: &Ran) {
    let printed = ran.stdout.chars().chain(ran.stderr.chars());
    let control: Vec<char> = printed.filter(|c| c.is_control() && *c != '\n').collect();
    assert_eq!(control, Vec::<char>::new(), "{}", ran.transcript());
}

#[test]
fn hostile_names_stay_in_the_directory_and_only_plain_files_are_made() {
    let long = "n".repeat(4096);
    let mut diff = Archive::new();
    diff.member("/etc/absolute", "absolute")
        .member("../../../escape", "escape")
        .member("a/../../b/dotdot", "dotdot")
        .pax_name(long.clone(), "long")
        .pax_name(&b"tmp/\x1b[2J\x07\nname\xff"[..], "control")
        .member("-rf", "dash")
        .member(".hidden", "dot")
        .member("manifest.json", "not the manifest")
        .dir("etc")
        .device("dev/sda", 8, 0)
        .symlink("link", "/etc/passwd")
        .hardlink("outside", "/etc/shadow")
        .hardlink("upwards", "../../../../etc/shadow")
        .push(Member::new("pipe", Kind::Fifo))
        .push(Member::file("bin/su", "setuid").mode(0o4755).owner(7, 8));
    let (outer, folder) = with_diff(&diff);
    let before = files(outer.path());
    let ran = run_in(&folder, &["extract", "checkpoint.tar", "--to", "out", "--all"]);
    assert_eq!(ran.status, 3, "{}", ran.transcript());
    assert!(ran.stderr.contains("name with a .. component"), "{}", ran.stderr);
    assert!(ran.stderr.contains("absolute name"), "{}", ran.stderr);
    no_control_bytes(&ran);

    let out = folder.join("out");
    let new: Vec<PathBuf> =
        files(outer.path()).into_iter().filter(|path| !before.contains(path)).collect();
    for path in &new {
        assert_eq!(path.parent(), Some(out.as_path()), "{}", path.display());
        let metadata = std::fs::symlink_metadata(path).expect("metadata");
        assert!(metadata.is_file() && metadata.nlink() == 1, "{}", path.display());
        assert_eq!(metadata.mode() & 0o7777, 0o600, "{}", path.display());
        let name = path.file_name().and_then(|name| name.to_str()).expect("ASCII");
        assert!(name.len() <= 120 && !name.starts_with(['.', '-']), "{name}");
        assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)), "{name}");
    }
    let manifest = std::fs::read(out.join("manifest.json")).expect("the manifest");
    let manifest: Value = serde_json::from_slice(&manifest).expect("JSON");
    let written = manifest["artifacts"].as_array().expect("artifacts").len();
    assert_eq!(new.len(), written + 1, "every file is in the manifest: {new:?}");
    for (path, content) in [
        ("/etc/absolute", "absolute"),
        ("/../../../escape", "escape"),
        ("/a/../../b/dotdot", "dotdot"),
        (&*format!("/{long}"), "long"),
        ("/-rf", "dash"),
        ("/.hidden", "dot"),
        ("/manifest.json", "not the manifest"),
        ("/bin/su", "setuid"),
    ] {
        let one = by_path(&manifest, path);
        let name = one["file"]["name"].as_str().expect("a name");
        assert_eq!(std::fs::read_to_string(out.join(name)).expect("the file"), content, "{path}");
    }
    let su = by_path(&manifest, "/bin/su");
    assert_eq!((&su["mode"], &su["uid"], &su["gid"]), (&"4755".into(), &7.into(), &8.into()));
    // Neither devices, links nor what leads nowhere are artifacts.
    for id in ["rootfs-9", "rootfs-10", "rootfs-11", "rootfs-12", "rootfs-13", "rootfs-14"] {
        assert!(!artifacts(&manifest).contains_key(id), "{id}");
    }
}

#[test]
fn hard_links_to_a_file_are_written_once() {
    let mut diff = Archive::new();
    diff.member("one", "content").hardlink("two", "one").hardlink("three", "two");
    let (_outer, folder) = with_diff(&diff);
    let args = ["extract", "checkpoint.tar", "--to", "out", "--origin", "rootfs-diff"];
    let ran = run_in(&folder, &[&args[..], &["--format", "json"]].concat());
    assert_eq!(ran.status, 0, "{}", ran.transcript());
    let document = ran.json();
    for path in ["/two", "/three"] {
        assert_eq!(by_path(&document, path)["same_as"], "rootfs-1");
        assert_eq!(by_path(&document, path)["file"]["name"], "rootfs-1_one");
        assert_eq!(by_path(&document, path)["size"], 7);
    }
    assert_eq!(files(&folder.join("out")).len(), 2);
}

#[test]
fn holes_are_bounded_and_small_ones_are_written_as_holes() {
    let mut diff = Archive::new();
    diff.sparse("bomb", &[(0, b"x")], 1 << 61, SparseForm::Pax10).sparse(
        "sparse",
        &[(4096, b"middle")],
        16 << 20,
        SparseForm::OldGnu,
    );
    let (_outer, folder) = with_diff(&diff);
    let args = ["extract", "checkpoint.tar", "--to", "out", "--origin", "rootfs-diff"];
    let ran = run_in(&folder, &[&args[..], &["--format", "json"]].concat());
    assert_eq!(ran.status, 3, "{}", ran.transcript());
    let document = ran.json();
    let bomb = by_path(&document, "/bomb");
    assert_eq!(bomb["size"], 1u64 << 61);
    assert!(bomb["sha256"].is_null() && bomb["file"].is_null(), "{bomb:#}");
    assert!(ran.stdout.contains("more than 64 GiB of holes in sum are not read"), "{}", ran.stdout);
    let file = folder
        .join("out")
        .join(by_path(&document, "/sparse")["file"]["name"].as_str().expect("a name"));
    let mut whole = vec![0; 16 << 20];
    whole[4096..4102].copy_from_slice(b"middle");
    assert_eq!(std::fs::read(&file).expect("the file"), whole);
    assert!(std::fs::metadata(&file).expect("metadata").blocks() < 1024, "holes are holes");
}

/// A deleted file whose one piece lies at 2^62: four bytes that claim four exabytes.
#[test]
fn a_ghost_that_claims_exabytes_costs_nothing() {
    let mut dump = stories::deleted_exe();
    let far = 1u64 << 62;
    let entry = Message::new().uint(1, 0u32).uint(2, 0u32).uint(3, 0o100_644u32).bool(9, true);
    let chunk = Message::new().uint(1, 4u32).uint(2, far);
    let image = Image::new(magic::GHOST_FILE, Framing::default(), dump.byte_order());
    let image = image.record(&entry.uint(10, far + 4)).record(&chunk).extra(b"here");
    dump.raw("ghost-file-2.img", image.into_bytes());
    let (_outer, folder) = in_folder(&Archive::podman(&dump));
    let ran = run_in(&folder, &["extract", "checkpoint.tar", "--list", "--format", "json"]);
    assert_eq!(ran.status, 3, "{}", ran.transcript());
    let listed = artifacts(&ran.json());
    assert_eq!(listed["ghost-2"]["size"], far + 4);
    assert_eq!(listed["ghost-2"]["holes"], far);
    assert!(listed["ghost-2"]["sha256"].is_null());
    assert_eq!(listed["exe-4"]["same_as"], "ghost-1");
    let ran = run_in(&folder, &["extract", "checkpoint.tar", "--to", "out", "--all"]);
    assert_eq!(ran.status, 3, "{}", ran.transcript());
    assert!(ran.stderr.contains("ghost-2: claims 4611686018427387908 bytes"), "{}", ran.stderr);
    let out = folder.join("out");
    assert_eq!(std::fs::read(out.join("ghost-1_.sysupd")).ok(), None);
    assert_eq!(std::fs::read(out.join("ghost-1_sysupd")).expect("the file"), stories::IMPLANT);
    assert!(!files(&out).iter().any(|path| path.to_string_lossy().contains("ghost-2")));
}

#[test]
fn queues_come_out_byte_for_byte() {
    let mut dump = stories::looper();
    let ends = (([10, 0, 0, 2], 8080), ([10, 0, 0, 9], 40_000));
    dump.task(
        ckpt_synth::Task::new(7, 1)
            .fd(3, File::pipe_read(900, "in the pipe"))
            .fd(
                4,
                File::tcp(0x2188a, ends.0, ends.1, b"GET / HTTP/1.1\r\n", b"HTTP/1.1 200 OK\r\n"),
            )
            .fd(5, File::unix_pair(501, 502, vec![b"one".to_vec(), b"three".to_vec()])),
    );
    let (_outer, folder) = in_folder(&Archive::podman(&dump));
    let ran = run_in(&folder, &["extract", "checkpoint.tar", "--pid", "7", "--to", "out"]);
    assert_eq!(ran.status, 0, "{}", ran.transcript());
    let out = folder.join("out");
    let read = |name: &str| std::fs::read_to_string(out.join(name)).expect(name);
    assert_eq!(read("pipe-900"), "in the pipe");
    assert_eq!(read("tcp-2188a-recv"), "GET / HTTP/1.1\r\n");
    assert_eq!(read("tcp-2188a-send"), "HTTP/1.1 200 OK\r\n");
    assert_eq!(read("unix-501"), "onethree");
    let manifest: Value = serde_json::from_str(&read("manifest.json")).expect("JSON");
    let all = artifacts(&manifest);
    let received = &all["tcp-2188a-recv"];
    assert_eq!((&received["pid"], &received["fd"]), (&7.into(), &4.into()));
    assert_eq!(received["tcp"]["local"], "10.0.0.2:8080");
    assert_eq!(received["tcp"]["first_sequence"], 1_000_000 - 16);
    assert_eq!(received["tcp"]["next_sequence"], 1_000_000);
    let sizes: Vec<&Value> = all["unix-501"]["messages"]
        .as_array()
        .expect("messages")
        .iter()
        .map(|message| &message["size"])
        .collect();
    assert_eq!(sizes, [&Value::from(3), &Value::from(5)]);
}

#[test]
fn a_name_that_is_taken_is_refused_before_anything_is_written() {
    let mut diff = Archive::new();
    diff.member("first", "1").member("second", "2");
    let (_outer, folder) = with_diff(&diff);
    let out = folder.join("out");
    std::fs::create_dir(&out).expect("a folder");
    std::fs::write(out.join("rootfs-2_second"), "mine").expect("written");
    let ran = run_in(&folder, &["extract", "checkpoint.tar", "--to", "out", "--all"]);
    assert_eq!(ran.status, 2, "{}", ran.transcript());
    assert!(ran.stderr.contains("rootfs-2_second exists; nothing was written"), "{}", ran.stderr);
    assert_eq!(std::fs::read_to_string(out.join("rootfs-2_second")).expect("the file"), "mine");
    assert_eq!(files(&out).len(), 1);
}

#[test]
fn nothing_is_written_into_the_evidence() {
    let folder = tempfile::tempdir().expect("a folder");
    Archive::podman(&stories::looper()).write_to(&folder.path().join("unpacked")).expect("written");
    let before = files(folder.path());
    let ran = run_in(folder.path(), &["extract", "unpacked", "--to", "unpacked/out", "--all"]);
    assert_eq!(ran.status, 2, "{}", ran.transcript());
    assert!(ran.stderr.contains("lies in the evidence"), "{}", ran.stderr);
    assert_eq!(files(folder.path()), before);
    assert!(!folder.path().join("unpacked/out").exists());
}

#[test]
fn what_to_write_must_be_said() {
    let (_outer, folder) = in_folder(&Archive::podman(&stories::looper()));
    let ran = run_in(&folder, &["extract", "checkpoint.tar", "--to", "out"]);
    assert_eq!(ran.status, 2);
    assert!(ran.stderr.contains("--all"), "{}", ran.stderr);
    let ran = run_in(&folder, &["extract", "checkpoint.tar", "--to", "out", "ghost-77"]);
    assert_eq!(ran.status, 2);
    assert!(ran.stderr.contains("no artifact `ghost-77`"), "{}", ran.stderr);
    assert!(!folder.join("out").exists());
}

#[test]
fn the_shop() {
    let Some(folder) = archives("the_shop") else { return };
    let case = folder.join("02-shop-web");
    let truth = std::fs::read(case.join("truth.json")).expect("truth.json");
    let truth: Value = serde_json::from_slice(&truth).expect("JSON");
    let out = tempfile::tempdir().expect("a folder");
    let to = out.path().join("out");
    let to = to.to_str().expect("UTF-8");
    let ran =
        run_in(&case, &["extract", "checkpoint.tar.zst", "--to", to, "--all", "--format", "json"]);
    assert_eq!(ran.status, 0, "{}", ran.transcript());
    let document = ran.json();
    let read = |id: &str| {
        let name = artifacts(&document)[id]["file"]["name"].as_str().expect("a name").to_owned();
        std::fs::read(Path::new(to).join(name)).expect("the file")
    };
    let request = read("tcp-21889-recv");
    let body = b"card=4111111111111111&exp=12/29&cvv=737&name=Ada+Customer".as_slice();
    let head = b"POST /checkout HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 57\r\n\r\n";
    assert_eq!(request, [head.as_slice(), body].concat());
    let response = read("tcp-2188a-recv");
    assert_eq!(response, b"HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{\"cart\":[\"sku7\"]}");
    for queue in
        truth["planted"].as_array().expect("planted").iter().filter(|p| p["queue"].is_string())
    {
        let Some(hex) = queue["hex"].as_str() else { continue };
        let planted: Vec<u8> = (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex"))
            .collect();
        let queues =
            artifacts(&document).into_iter().filter(|(_, one)| one["origin"] == "tcp-queue");
        assert!(queues.map(|(id, _)| read(&id)).any(|bytes| bytes == planted), "{queue}");
    }
    for (pid, id) in [(4, "ghost-1"), (6, "memfd-1")] {
        let task = truth["processes"].as_array().expect("processes").iter();
        let exe = &task.clone().find(|task| task["pid"] == pid).expect("the process")["exe"];
        let artifact = &artifacts(&document)[id];
        assert_eq!(artifact["sha256"], exe["sha256"], "{id}");
        assert_eq!(artifact["size"], exe["size"], "{id}");
        assert_eq!(artifacts(&document)[&format!("exe-{pid}")]["same_as"], id);
        assert!(read(id).starts_with(b"\x7fELF"));
    }
}
