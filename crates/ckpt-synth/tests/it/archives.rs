//! The archives of the stories.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use ckpt_synth::{Archive, Member, SparseForm, stories};

/// Runs a program with `input`; `None` where it is not installed.
fn run(program: &str, args: &[&str], input: Vec<u8>) -> Option<(bool, Vec<u8>)> {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    // A program that has seen enough closes its input.
    let _ = writer.join().unwrap();
    Some((output.status.success(), output.stdout))
}

fn scratch(name: &str) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

#[test]
fn tar_lists_what_was_put_in() {
    for (story, archive) in stories::all() {
        if story.starts_with("hostile_") {
            continue;
        }
        let args = ["--list", "--file=-", "--quoting-style=literal", "--absolute-names"];
        let Some((success, out)) = run("tar", &args, archive.tar()) else { return };
        assert!(success, "{story}");
        let listed = String::from_utf8_lossy(&out).into_owned();
        assert_eq!(listed.lines().collect::<Vec<_>>(), archive.names(), "{story}");
    }
}

#[test]
fn tar_reads_every_form_of_member() {
    let diff = stories::odd_members().get("./rootfs-diff.tar").unwrap();
    let extract = |name: &str| run("tar", &["xOf", "-", name], diff.clone());
    let Some((true, bytes)) = extract("var/old-gnu") else { return };
    let mut expected = vec![0; 200_000];
    expected[..5].copy_from_slice(b"start");
    expected[100_000..100_006].copy_from_slice(b"middle");
    assert!(bytes == expected);
    for name in ["var/pax-0.1", "var/pax-1.0"] {
        assert!(extract(name).unwrap().1 == expected, "{name}");
    }
    let many = extract("var/many").unwrap().1;
    assert_eq!(many.len(), 30 * 4096);
    assert!(many.chunks(4096).all(|chunk| chunk.starts_with(b"piece\0")));
    let deep = "deep/".repeat(30);
    for form in ["gnu", "pax", "prefix"] {
        let (_, bytes) = extract(&format!("opt/{deep}{form}")).unwrap();
        assert_eq!(bytes, form.as_bytes());
    }
}

#[test]
fn compressed_archives_are_sound() {
    let archive = Archive::podman(&stories::looper());
    if let Some((success, out)) = run("zstd", &["-dc"], archive.tar_zst()) {
        assert!(success && out == archive.tar());
    }
    if let Some((success, out)) = run("gzip", &["-dc"], archive.tar_gz()) {
        assert!(success && out == archive.tar());
    }
}

#[test]
fn directories_hold_the_same_bytes() {
    let dir = scratch("directories");
    let archive = stories::chain_two();
    archive.write_to(&dir).unwrap();
    for member in archive.members() {
        let name = std::str::from_utf8(member.name()).unwrap();
        if name.ends_with(".img") {
            assert_eq!(std::fs::read(dir.join(name)).unwrap(), archive.get(name).unwrap());
        }
    }
    let parent = std::fs::read_link(dir.join("chain/2/parent")).unwrap();
    assert_eq!(parent, PathBuf::from("../1"));
    let mut sparse = Archive::new();
    sparse.sparse("hole", &[(4096, b"x")], 8192, SparseForm::OldGnu);
    sparse.write_to(&dir).unwrap();
    assert_eq!(std::fs::read(dir.join("hole")).unwrap().len(), 8192);
}

#[test]
fn directories_refuse_to_be_left() {
    let dir = scratch("refused");
    for name in ["/etc/x", "../x", "a/../../x"] {
        let mut archive = Archive::new();
        archive.member(name, b"x");
        assert!(archive.write_to(&dir).is_err(), "{name}");
    }
}

#[test]
fn header_fields_are_where_ustar_has_them() {
    let mut archive = Archive::new();
    archive.push(Member::file("a", b"xyz").mode(0o600).owner(1000, 100).mtime(1));
    archive.trailing(b"tail");
    let tar = archive.tar();
    assert_eq!(tar.len(), 512 + 512 + 1024 + 4);
    assert_eq!(&tar[..2], b"a\0");
    assert_eq!(&tar[100..108], b"0000600\0");
    assert_eq!(&tar[108..116], b"0001750\0");
    assert_eq!(&tar[124..136], b"00000000003\0");
    assert_eq!(&tar[136..148], b"00000000001\0");
    assert_eq!(&tar[257..265], b"ustar\x0000");
    let mut header = tar[..512].to_vec();
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    assert_eq!(&tar[148..156], format!("{sum:06o}\0 ").as_bytes());
    assert_eq!(&tar[512..516], b"xyz\0");
    assert_eq!(&tar[tar.len() - 4..], b"tail");
}

#[test]
fn stale_images_are_older() {
    let archive = stories::stale_images();
    let Some((true, out)) = run("tar", &["tvf", "-", "--utc", "--full-time"], archive.tar()) else {
        return;
    };
    let out = String::from_utf8(out).unwrap();
    let time = |name: &str| {
        let line = out.lines().find(|line| line.ends_with(name)).unwrap();
        line.split_whitespace().nth(4).unwrap().to_owned()
    };
    assert_eq!(time("core-2.img"), "01:44:54");
    assert_eq!(time("core-1.img"), "01:44:57");
}
