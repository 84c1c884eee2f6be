//! Hashing in one pass: the same hashes as of contents that are at hand, the same listing, and the file to its last byte.

use std::io::Cursor;

use ckpt_archive::{
    ContentError, Evidence, MemberKind, Options, Sha256Digest, sha256, sha256_bytes,
};
use proptest::prelude::*;

use crate::writer::{Tar, codes, noise, open};

/// Directories, links, a duplicate, an empty file, a file larger than a buffer, and one with holes.
fn sample() -> Tar {
    let map = b"3,4,100000,5,1200000,0".as_slice();
    Tar::default()
        .entry(b"d/", b'5', b"")
        .file("d/a", b"one")
        .file("d/empty", b"")
        .file("d/big", &noise(1_300_000, 7))
        .file("d/a", b"another")
        .link("d/h", b'1', "d/a")
        .link("d/s", b'2', "a")
        .pax(b'x', &[("GNU.sparse.size", b"1200000"), ("GNU.sparse.map", map)])
        .file("d/sparse", b"abcdefghi")
        .entry(b"d/odd", b'Z', b"unknown type")
}

fn hashed(bytes: &[u8]) -> Evidence {
    let reader = Cursor::new(bytes.to_vec());
    Evidence::hash_reader("sample", reader, &Options::default()).unwrap()
}

/// Hashes of the files, as far as their contents are at hand.
fn expected(bytes: &[u8]) -> Vec<Option<Sha256Digest>> {
    let evidence = open(bytes.to_vec());
    let members = evidence.members().iter();
    members
        .map(|member| match member.kind {
            MemberKind::File | MemberKind::Other(_) => {
                sha256(&evidence.content(member).unwrap()).ok()
            }
            _ => None,
        })
        .collect()
}

fn found(evidence: &Evidence) -> Vec<Option<Sha256Digest>> {
    let members = evidence.members().iter();
    members.map(|member| member.sha256().and_then(Result::ok)).collect()
}

#[test]
fn one_pass_finds_the_hashes_of_all_contents() {
    let plain = sample().end();
    assert_eq!(expected(&plain).iter().flatten().count(), 6);
    let packed = zstd::encode_all(&plain[..], 1).unwrap();
    for bytes in [&plain, &packed] {
        let evidence = hashed(bytes);
        assert_eq!(found(&evidence), expected(&plain));
        assert_eq!(evidence.sha256(), Some(sha256_bytes(bytes)));
        assert_eq!(evidence.size(), bytes.len() as u64);
        assert_eq!(codes(&evidence), codes(&open(plain.clone())));
        let file = evidence.get(b"d/big").unwrap();
        let content = evidence.content(file).unwrap();
        assert!(matches!(content.bytes(), Err(ContentError::NotKept { offset: 0 })));
    }
    assert!(open(plain).sha256().is_none());
}

#[test]
fn files_are_hashed_to_their_last_byte() {
    let folder = tempfile::tempdir().unwrap();
    let plain = sample().end();
    // Junk behind the archive, behind the stream, and a stream that ends early: none of it is read for its members.
    let mut trailing = plain.clone();
    trailing.extend(noise(2_000_000, 3));
    let mut behind = zstd::encode_all(&plain[..], 1).unwrap();
    behind.extend(noise(700_000, 5));
    let mut broken = zstd::encode_all(&plain[..], 1).unwrap();
    broken[1_000_000..1_000_064].fill(0xff);
    broken.extend(noise(3_000_000, 9));
    for bytes in [&plain, &trailing, &behind, &broken] {
        let path = folder.path().join("file");
        std::fs::write(&path, bytes).unwrap();
        let evidence = Evidence::hash(&path, &Options::default()).unwrap();
        assert_eq!(evidence.sha256(), Some(sha256_bytes(bytes)));
        assert_eq!(evidence.size(), bytes.len() as u64);
    }
}

#[test]
fn what_is_cut_has_no_hash_but_a_reason() {
    let plain = sample().end();
    let at = plain.windows(5).position(|window| window == b"d/big").unwrap() + 1000;
    let evidence = hashed(&plain[..at]);
    let big = evidence.get(b"d/big").unwrap();
    let why = big.sha256().unwrap();
    assert!(
        matches!(why, Err(ContentError::Truncated { available: 488, len: 1_300_000 })),
        "{why:?}"
    );
    assert_eq!(evidence.sha256(), Some(sha256_bytes(&plain[..at])));
    let sparse = Tar::default()
        .pax(b'x', &[("GNU.sparse.size", b"5"), ("GNU.sparse.map", b"0,9")])
        .file("sparse", b"abcdefghi")
        .end();
    let evidence = hashed(&sparse);
    let why = evidence.members()[0].sha256().unwrap();
    assert!(matches!(why, Err(ContentError::Damaged { offset: 0 })), "{why:?}");
}

#[test]
fn exabytes_of_holes_are_not_hashed() {
    let size = (1_u64 << 60).to_string();
    let bomb = Tar::default()
        .pax(b'x', &[("GNU.sparse.size", size.as_bytes()), ("GNU.sparse.map", b"0,1")])
        .file("bomb", b"x")
        .file("next", b"y")
        .end();
    let evidence = hashed(&bomb);
    let [bomb, next] = evidence.members() else { panic!() };
    assert!(matches!(bomb.sha256(), Some(Err(ContentError::TooLarge { .. }))));
    assert_eq!(next.sha256().unwrap().unwrap(), sha256_bytes(b"y"));
}

#[test]
fn holes_are_hashed_up_to_a_limit_in_sum() {
    let mut tar = Tar::default();
    for name in ["one", "two", "three"] {
        let map = [("GNU.sparse.size", &b"1001"[..]), ("GNU.sparse.map", b"1000,1")];
        tar = tar.pax(b'x', &map).file(name, b"x");
    }
    let mut limits = ckpt_archive::Limits::default();
    limits.max_hashed_holes = 2500;
    let reader = Cursor::new(tar.file("whole", b"y").end());
    let evidence = Evidence::hash_reader("holes", reader, &Options::default().limits(limits));
    let found = found(&evidence.unwrap());
    let hashed: Vec<bool> = found.iter().map(Option::is_some).collect();
    assert_eq!(hashed, [true, true, false, true]);

    let folder = tempfile::tempdir().unwrap();
    let file = std::fs::File::create(folder.path().join("sparse")).unwrap();
    file.set_len(1 << 42).unwrap();
    let evidence = Evidence::hash(folder.path(), &Options::default()).unwrap();
    assert!(matches!(evidence.members()[0].sha256(), Some(Err(ContentError::TooLarge { .. }))));
}

#[test]
fn directories_are_hashed_file_by_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("d")).unwrap();
    std::os::unix::fs::symlink("a", folder.path().join("d/s")).unwrap();
    let mut expected = Vec::new();
    for number in 0..40_u64 {
        let content = noise(usize::try_from(number * 20_011).unwrap(), number);
        std::fs::write(folder.path().join(format!("d/{number:02}")), &content).unwrap();
        expected.push(sha256_bytes(&content));
    }
    let evidence = Evidence::hash(folder.path(), &Options::default()).unwrap();
    assert_eq!(evidence.sha256(), None);
    let files = evidence.members().iter().filter(|member| member.is_file());
    let found: Vec<_> = files.map(|member| member.sha256().unwrap().unwrap()).collect();
    assert_eq!(found, expected);
}

#[test]
fn images_are_members_as_they_lie_there() {
    let blob = format!("blobs/sha256/{}", sha256_bytes(b"{}"));
    let layout = Tar::default().file("oci-layout", b"{}").file(&blob, b"{}").end();
    let evidence = hashed(&layout);
    assert_eq!(evidence.kind(), "tar");
    assert_eq!(found(&evidence), [Some(sha256_bytes(b"{}")); 2]);
}

#[test]
fn what_is_no_archive_is_refused() {
    let reader = Cursor::new(noise(3_000_000, 1));
    assert!(Evidence::hash_reader("noise", reader, &Options::default()).is_err());
    assert!(Evidence::hash_reader("nothing", Cursor::new([]), &Options::default()).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_archive_hashes_as_it_reads(
        contents in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..2000), 1..10),
        cut in any::<Option<proptest::sample::Index>>(),
        pack in any::<bool>(),
    ) {
        let mut tar = Tar::default();
        for (number, content) in contents.iter().enumerate() {
            tar = tar.file(&number.to_string(), content);
        }
        let mut plain = tar.end();
        if let Some(cut) = cut {
            plain.truncate(cut.index(plain.len()).max(512));
        }
        let bytes = if pack { zstd::encode_all(&plain[..], 1).unwrap() } else { plain.clone() };
        let evidence = hashed(&bytes);
        prop_assert_eq!(found(&evidence), expected(&plain));
        prop_assert_eq!(evidence.sha256(), Some(sha256_bytes(&bytes)));
    }
}
