//! Directories as evidence.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;

use ckpt_archive::{ContentError, Evidence, Limits, MemberKind, Options};

use crate::writer::{Tar, codes, files, noise};

#[test]
fn a_directory_is_listed_by_path_and_read_when_asked() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    std::fs::create_dir_all(at("z/deep")).unwrap();
    std::fs::write(at("z/deep/file"), b"x").unwrap();
    std::fs::write(at("big"), noise(200_000, 1)).unwrap();
    std::fs::write(at("a"), b"hello").unwrap();
    std::fs::write(at("empty"), b"").unwrap();
    symlink("../etc/passwd", at("parent")).unwrap();
    symlink("/", at("root")).unwrap();
    let _socket = UnixListener::bind(at("sock")).unwrap();
    std::fs::set_permissions(at("a"), std::fs::Permissions::from_mode(0o4751)).unwrap();

    let evidence = Evidence::open(dir.path(), &Options::default()).unwrap();
    assert_eq!((evidence.kind().as_str(), evidence.size()), ("directory", 200_006));
    let paths: Vec<_> =
        evidence.members().iter().map(|m| String::from_utf8_lossy(&m.path).into_owned()).collect();
    assert_eq!(
        paths,
        ["a", "big", "empty", "parent", "root", "sock", "z", "z/deep", "z/deep/file"]
    );
    assert_eq!(evidence.get(b"a").unwrap().mode, 0o4751);
    assert!(evidence.get(b"a").unwrap().mtime.secs > 1_700_000_000);
    let parent = evidence.get(b"parent").unwrap();
    assert_eq!(
        (parent.kind, parent.link_target.as_deref()),
        (MemberKind::Symlink, Some(&b"../etc/passwd"[..]))
    );
    assert!(matches!(evidence.content(parent), Err(ContentError::NotAFile { .. })));
    assert_eq!(evidence.get(b"sock").unwrap().kind, MemberKind::Socket);
    assert_eq!(codes(&evidence), [""; 0]);
    let contents = files(&evidence);
    assert_eq!(contents[1], ("big".to_owned(), noise(200_000, 1)));
    assert_eq!(contents[3], ("z/deep/file".to_owned(), b"x".to_vec()));

    // What changes under our hands is an error or a cut, not somebody else's file.
    std::fs::remove_file(at("a")).unwrap();
    symlink("/etc/passwd", at("a")).unwrap();
    std::fs::remove_dir_all(at("z")).unwrap();
    symlink("/etc", at("z")).unwrap();
    std::fs::write(at("big"), b"short").unwrap();
    for gone in ["a", "z/deep/file"] {
        let member = evidence.get(gone.as_bytes()).unwrap();
        assert!(matches!(evidence.content(member), Err(ContentError::Io { .. })), "{gone}");
    }
    let cut = evidence.content(evidence.get(b"big").unwrap()).unwrap();
    assert_eq!((cut.len(), cut.captured_len()), (200_000, 5));
}

#[test]
fn depth_and_count_are_limited() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("1/2/3/4/5")).unwrap();
    let mut limits = Limits::default();
    limits.max_directory_depth = 2;
    let evidence = Evidence::open(dir.path(), &Options::default().limits(limits)).unwrap();
    assert_eq!((evidence.members().len(), codes(&evidence)), (3, vec!["limit"]));
    assert_eq!(evidence.defects()[0].place(), "1/2/3");
    let mut limits = Limits::default();
    limits.max_members = 2;
    let evidence = Evidence::open(dir.path(), &Options::default().limits(limits)).unwrap();
    assert_eq!((evidence.members().len(), codes(&evidence)), (2, vec!["limit"]));
}

#[test]
fn pipes_are_read_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pipe");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let plain = Tar::default().file("a", &noise(100_000, 1)).end();
    let writer = std::thread::spawn({
        let (path, plain) = (path.clone(), plain.clone());
        move || std::fs::write(path, plain).unwrap()
    });
    let evidence = Evidence::open(&path, &Options::default()).unwrap();
    writer.join().unwrap();
    assert_eq!((evidence.kind().as_str(), evidence.size()), ("tar", plain.len() as u64));
    assert_eq!(files(&evidence), [("a".to_owned(), noise(100_000, 1))]);
}

#[test]
fn archives_in_files_open_by_content_whatever_their_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notes.txt");
    let plain = Tar::default().file("a", b"hello").end();
    for bytes in [plain.clone(), zstd::encode_all(&plain[..], 1).unwrap()] {
        std::fs::write(&path, &bytes).unwrap();
        let evidence = Evidence::open(&path, &Options::default()).unwrap();
        assert_eq!(evidence.size(), bytes.len() as u64);
        assert_eq!(files(&evidence), [("a".to_owned(), b"hello".to_vec())]);
        assert_eq!(evidence.name(), path.display().to_string());
    }
    std::fs::write(&path, b"").unwrap();
    let error = Evidence::open(&path, &Options::default()).unwrap_err();
    assert!(matches!(error, ckpt_archive::Error::Empty { .. }));
    let error = Evidence::open(&dir.path().join("nothing"), &Options::default()).unwrap_err();
    assert!(error.to_string().contains("cannot open"), "{error}");
    let member_archive = Evidence::open(dir.path(), &Options::default()).unwrap();
    std::fs::write(&path, &plain).unwrap();
    assert!(member_archive.nested(&member_archive.members()[0], &Options::default()).is_err());
    let member_archive = Evidence::open(dir.path(), &Options::default()).unwrap();
    let nested = member_archive.nested(&member_archive.members()[0], &Options::default()).unwrap();
    assert_eq!(files(&nested).len(), 1);
}
