//! `build`: the layout, that it says the same as the checkpoint, and that there is all of it or nothing.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ckpt_synth::{Archive, Kind, Member, stories};
use serde_json::Value;

use crate::world::{Ran, archives, checkpoints, fixtures, run_in, run_with};

const LOOPER: &str = "looper-criu-4.2.tar.zst";

/// A folder with a checkpoint in it.
fn folder(archive: &Archive) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("checkpoint.tar"), archive.tar()).expect("written");
    folder
}

/// Every file below a folder with its bytes.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && !path.is_symlink() {
            all.extend(files(&path));
        } else {
            let bytes = std::fs::read(&path).expect("a file");
            all.insert(path, bytes);
        }
    }
    all
}

/// Everything in a folder, folders too.
fn names(folder: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        all.push(path.to_string_lossy().into_owned());
        if path.is_dir() && !path.is_symlink() {
            all.extend(names(&path));
        }
    }
    all.sort();
    all
}

fn digests(document: &Value) -> [Value; 4] {
    let of = |path: &str| document.pointer(path).expect(path).clone();
    [of("/manifest/digest"), of("/config/digest"), of("/layer/digest"), of("/layer/diff_id")]
}

#[test]
fn what_is_made_and_told() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::copy(fixtures().join(LOOPER), folder.path().join("checkpoint.tar.zst")).expect("it");
    // Without compression the digests depend on no compressor.
    let args =
        ["build", "checkpoint.tar.zst", "--compress", "none", "--tag", "lab/looper:1", "--to"];
    let ran = run_in(folder.path(), &[&args[..], &["image"]].concat());
    insta::assert_snapshot!("build", ran.transcript());
    let json = [&args[..], &["again", "--format", "json", "--annotation", "org.example.case=7"]];
    insta::assert_snapshot!("build-json", run_in(folder.path(), &json.concat()).transcript());
    let image = folder.path().join("image");
    let mut layout = String::new();
    for (path, bytes) in files(&image) {
        let metadata = path.metadata().expect("metadata");
        assert_eq!(metadata.mode() & 0o777, 0o600, "{}", path.display());
        let name = path.strip_prefix(&image).expect("below it").display();
        layout.push_str(&match std::str::from_utf8(&bytes) {
            Ok(text) if text.starts_with('{') => format!("{name}\n{text}\n"),
            _ => format!("{name}\n{} bytes\n", bytes.len()),
        });
    }
    insta::assert_snapshot!("build-layout", layout);
}

#[test]
fn the_same_evidence_gives_the_same_digests_however_it_is_packed_or_given() {
    let archive = Archive::podman(&stories::looper());
    let folder = folder(&archive);
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("checkpoint.tar.gz"), archive.tar_gz()).expect("written");
    std::fs::write(at("checkpoint.tar.zst"), archive.tar_zst()).expect("written");
    let mut found = Vec::new();
    for (number, evidence) in
        ["checkpoint.tar", "checkpoint.tar", "checkpoint.tar.gz", "checkpoint.tar.zst", "-"]
            .into_iter()
            .enumerate()
    {
        let to = format!("image-{number}");
        let stdin = File::open(at("checkpoint.tar.zst")).expect("it");
        let args = ["build", evidence, "--to", &to, "--format", "json"];
        let ran = run_with(folder.path(), &args, Stdio::from(stdin));
        assert_eq!(ran.status, 0, "{evidence}: {}", ran.transcript());
        let layout = files(&at(&to)).into_iter();
        let layout: BTreeMap<_, _> = layout
            .map(|(path, bytes)| (path.strip_prefix(at(&to)).expect("below it").to_owned(), bytes))
            .collect();
        found.push((digests(&ran.json()), layout));
    }
    assert!(found.iter().all(|one| *one == found[0]));
    // An image of the image is the same image.
    let args = ["build", "image-0", "--to", "image-of-image", "--format", "json"];
    assert_eq!(digests(&run_in(folder.path(), &args).json()), found[0].0);
}

#[test]
fn source_date_epoch_is_the_time_of_the_image_and_of_nothing_else() {
    let folder = folder(&Archive::podman(&stories::looper()));
    let build = |to: &str, epoch: Option<&str>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ckpt-inspect"));
        command.args(["build", "checkpoint.tar", "--format", "json", "--to", to]);
        command.current_dir(folder.path()).env_remove("SOURCE_DATE_EPOCH");
        if let Some(epoch) = epoch {
            command.env("SOURCE_DATE_EPOCH", epoch);
        }
        command.output().expect("the program runs")
    };
    let document =
        |to, epoch| -> Value { serde_json::from_slice(&build(to, epoch).stdout).expect("JSON") };
    let (own, given) = (document("a", None), document("b", Some("1700000000")));
    assert_eq!(given["created"], "2023-11-14T22:13:20Z");
    assert_ne!(own["created"], given["created"]);
    assert_eq!(own["layer"], given["layer"]);
    assert_ne!(own["manifest"], given["manifest"]);
    let refused = build("c", Some("yesterday"));
    assert_eq!(refused.status.code(), Some(2));
    assert!(!folder.path().join("c").exists());
}

#[test]
fn a_directory_is_evidence_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let evidence = folder.path().join("unpacked");
    std::fs::create_dir(&evidence).expect("made");
    Archive::podman(&stories::looper()).write_to(&evidence).expect("unpacked");
    let ran = run_in(folder.path(), &["build", "unpacked", "--to", "image"]);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    for command in ["info", "tree", "files", "maps"] {
        let [a, b] =
            ["unpacked", "image"].map(|evidence| says(folder.path(), command, &[evidence]));
        assert_eq!(a, b, "{command}");
    }
    // Times of access change when the directory is read, and are not in the image.
    let again = run_in(folder.path(), &["build", "unpacked", "--to", "again", "--format", "json"]);
    let first = run_in(folder.path(), &["build", "image", "--to", "third", "--format", "json"]);
    assert_eq!(digests(&again.json()), digests(&first.json()));
}

#[test]
fn one_container_of_several_is_at_the_root_of_its_image() {
    let dump = stories::looper();
    let pod =
        Archive::pod_directory(&[("one", Archive::podman(&dump)), ("two", Archive::podman(&dump))]);
    let folder = folder(&pod);
    let ran = run_in(folder.path(), &["build", "checkpoint.tar", "--to", "image"]);
    assert_eq!(ran.status, 2, "{}", ran.transcript());
    assert!(!folder.path().join("image").exists());
    let args = ["build", "checkpoint.tar", "--container", "one", "--to", "image"];
    let ran = run_in(folder.path(), &args);
    assert!(matches!(ran.status, 0 | 3), "{}", ran.transcript());
    let info = run_in(folder.path(), &["info", "image", "--format", "json"]).json();
    assert_eq!(info["image_directories"][0]["path"], "checkpoint", "{info:#}");
}

#[test]
fn what_cannot_be_is_refused_and_nothing_is_written() {
    let folder = folder(&Archive::podman(&stories::looper()));
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("full")).expect("made");
    std::fs::write(at("full/file"), "x").expect("written");
    std::fs::write(at("plain"), "x").expect("written");
    std::os::unix::fs::symlink("full", at("link")).expect("linked");
    let before = names(folder.path());
    let mut said = String::new();
    for args in [
        &["build", "checkpoint.tar"][..],
        &["build", "checkpoint.tar", "--to", "full"],
        &["build", "checkpoint.tar", "--to", "link"],
        &["build", "checkpoint.tar", "--to", "plain"],
        &["build", "checkpoint.tar", "--to", "absent/image"],
        &["build", "absent.tar", "--to", "image"],
        &["build", "full", "--to", "image"],
        &["build", "checkpoint.tar", "--to", "image", "--tag", "a b"],
        &["build", "checkpoint.tar", "--to", "image", "--annotation", "key="],
        &["build", "checkpoint.tar", "--to", "image", "--annotation", "k=1", "--annotation", "k=2"],
        &[
            "build",
            "checkpoint.tar",
            "--to",
            "i",
            "--annotation",
            "org.opencontainers.image.ref.name=x",
        ],
    ] {
        let ran = run_in(folder.path(), args);
        assert_eq!(ran.status, 2, "{args:?}: {}", ran.transcript());
        assert_eq!(names(folder.path()), before, "{args:?}");
        said.push_str(&format!("$ ckpt-inspect {}\n{}", args.join(" "), ran.stderr));
    }
    insta::assert_snapshot!("build-refused", said);
}

/// A limit on the size of files stands for a full disk: the system's answer is of the same kind.
#[test]
fn without_room_nothing_is_left() {
    let mut archive = Archive::podman(&stories::looper());
    archive.member("noise", ckpt_synth::noise::page(7, 0, 1 << 20));
    let folder = folder(&archive);
    std::fs::create_dir(folder.path().join("empty")).expect("made");
    let before = names(folder.path());
    for (to, compress) in [("new", "none"), ("empty", "gzip"), ("new", "zstd")] {
        let script = "trap '' XFSZ; ulimit -f 64; exec \"$@\"";
        let ended = Command::new("bash")
            .args(["-c", script, "bash", env!("CARGO_BIN_EXE_ckpt-inspect"), "build"])
            .args(["checkpoint.tar", "--to", to, "--compress", compress])
            .current_dir(folder.path())
            .output()
            .expect("bash runs");
        let stderr = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(&format!("no room left in {to} for the layer")), "{stderr}");
        assert_eq!(names(folder.path()), before, "{to}");
    }
}

#[test]
fn hostile_members_are_told_and_nothing_is_written_beside_the_layout() {
    let mut archive = Archive::podman(&stories::looper());
    archive
        .member("../../escape", "x")
        .member("/absolute", "x")
        .member(".wh.config.dump", "x")
        .symlink("checkpoint/link", "/etc/passwd")
        .device("sda", 8, 0)
        .push(Member::new("pipe\x1b[2J", Kind::Fifo));
    let folder = folder(&archive);
    let before = names(folder.path());
    let ran = run_in(folder.path(), &["build", "checkpoint.tar", "--to", "image"]);
    assert_eq!(ran.status, 3, "{}", ran.transcript());
    for left_out in ["../../escape", ".wh.config.dump", "checkpoint/link", "sda", "pipe\\x1b[2J"] {
        let said = format!("warning: {left_out}: left out of the image: ");
        assert!(ran.stderr.contains(&said), "{left_out}: {}", ran.stderr);
    }
    let control = |c: char| c.is_control() && c != '\n';
    assert!(!ran.stdout.chars().chain(ran.stderr.chars()).any(control), "{}", ran.transcript());
    let image = folder.path().join("image").to_string_lossy().into_owned();
    let new: Vec<String> =
        names(folder.path()).into_iter().filter(|name| !before.contains(name)).collect();
    assert!(new.iter().all(|name| name.starts_with(&image)), "{new:?}");
    assert_eq!(new.len(), 8, "{new:?}");
    let info = run_in(folder.path(), &["info", "image", "--format", "json"]);
    assert_eq!(info.status, 0, "the image itself is whole: {}", info.transcript());
}

/// What a command says of evidence, without what says where it comes from.
fn says(folder: &Path, command: &str, evidence: &[&str]) -> Value {
    let args = [&[command], evidence, &["--format", "json"]].concat();
    let ran = run_in(folder, &args);
    assert!(matches!(ran.status, 0 | 3), "{args:?}: {}", ran.transcript());
    let mut document = ran.json();
    document["evidence"] = Value::Null;
    if command == "info" {
        document["sizes"]["archive"] = Value::Null;
        let annotations = document["annotations"].as_object_mut().expect("annotations");
        // Those of images, which the archive need not be.
        annotations.retain(|key, _| {
            !["org.criu.", "io.podman.annotations.checkpoint.", "io.kubernetes.cri-o.annotations."]
                .iter()
                .chain(&["org.opencontainers.image.", "io.containerd.image.name"])
                .any(|prefix| key.starts_with(prefix))
        });
        let times = document["times"].as_array_mut().expect("times");
        times.retain(|time| time["what"] != "image-created");
    }
    document
}

/// Builds an image of evidence and holds what is said of it against what is said of the evidence.
fn round_trip(folder: &Path, evidence: &str) {
    let to = tempfile::tempdir().expect("a folder");
    let image = to.path().join("image");
    let image = image.to_str().expect("UTF-8");
    let built = run_in(
        folder,
        &["build", evidence, "--to", image, "--compress", "zstd", "--format", "json"],
    );
    assert!(matches!(built.status, 0 | 3), "{evidence}: {}", built.transcript());
    let built = built.json();
    for command in ["info", "tree", "files", "maps"] {
        let mut before = says(folder, command, &[evidence]);
        let mut after = says(folder, command, &[image]);
        // What was wrong with the archive, and is told by `build` too, is not wrong with the image.
        let told = built["defects"].as_array().expect("defects").clone();
        let kept = after["defects"].as_array().expect("defects").clone();
        let defects = before["defects"].as_array_mut().expect("defects");
        defects.retain(|defect| kept.contains(defect) || !told.contains(defect));
        // What was left out is not there.
        if command == "info" {
            let left_out = |path: &Value| {
                told.iter().any(|defect| {
                    let what = defect["what"].as_str().expect("words");
                    defect["where"] == *path && what.starts_with("left out of the image")
                })
            };
            for document in [&mut before, &mut after] {
                let unknown = document["images"]["unknown"].as_array_mut().expect("members");
                unknown.retain(|member| !left_out(&member["path"]));
            }
        }
        assert!(before == after, "{evidence}: {command}: {before:#} {after:#}");
    }
}

#[test]
fn an_image_says_the_same_as_the_bundled_checkpoint() {
    let folder = fixtures();
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).expect("fixtures") {
        let name = entry.expect("an entry").file_name().into_string().expect("UTF-8");
        if name.contains(".tar") {
            round_trip(&folder, &name);
            count += 1;
        }
    }
    assert!(count > 5, "{count}");
}

#[test]
fn an_image_says_the_same_as_every_checkpoint() {
    let Some(folder) = archives("an_image_says_the_same_as_every_checkpoint") else { return };
    for evidence in checkpoints(&folder) {
        round_trip(&folder, &evidence);
    }
}

/// Runs a tool that may not be installed; says so when it is not.
fn tool(folder: &Path, test: &str, program: &str, args: &[&str]) -> Option<Ran> {
    let Ok(output) = Command::new(program).args(args).current_dir(folder).output() else {
        eprintln!("{test}: skipped, there is no {program}");
        return None;
    };
    Some(Ran {
        status: output.status.code().expect("it ends by itself"),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// The digests of another program, and a copy that it made and whose blobs it checked.
#[test]
fn skopeo_reads_the_image() {
    let name = "skopeo_reads_the_image";
    let folder = tempfile::tempdir().expect("a folder");
    let evidence = fixtures().join(LOOPER);
    let evidence = evidence.to_str().expect("UTF-8");
    for compress in ["none", "gzip", "zstd"] {
        let args = [
            "build",
            evidence,
            "--to",
            compress,
            "--compress",
            compress,
            "--tag",
            "a/b:1",
            "--format",
            "json",
        ];
        let built = run_in(folder.path(), &args).json();
        let image = format!("oci:{compress}:a/b:1");
        let Some(inspected) = tool(folder.path(), name, "skopeo", &["inspect", &image]) else {
            return;
        };
        assert_eq!(inspected.status, 0, "{}", inspected.transcript());
        assert_eq!(inspected.json()["Digest"], built["manifest"]["digest"]);
        assert_eq!(inspected.json()["Architecture"], "amd64");
        assert_eq!(inspected.json()["Layers"][0], built["layer"]["digest"]);
        let raw = ["inspect", "--raw", &image];
        let raw = tool(folder.path(), name, "skopeo", &raw).expect("it is there").json();
        assert_eq!(raw["annotations"], built["annotations"]);
        let copy = format!("oci:copy-{compress}");
        let args = ["--insecure-policy", "copy", "--preserve-digests", &image, &copy];
        let copied = tool(folder.path(), name, "skopeo", &args).expect("it is there");
        assert_eq!(copied.status, 0, "{}", copied.transcript());
        let blobs = |layout: &str| -> Vec<String> {
            let folder = folder.path().join(layout).join("blobs/sha256");
            let entries = std::fs::read_dir(folder).expect("blobs");
            let mut all: Vec<String> = entries
                .map(|entry| entry.expect("an entry").file_name().into_string().expect("hex"))
                .collect();
            all.sort();
            all
        };
        assert_eq!(blobs(compress), blobs(&format!("copy-{compress}")));
    }
}
