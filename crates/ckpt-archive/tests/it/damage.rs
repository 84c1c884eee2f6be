//! Archives that are cut, overwritten, or followed by something.

use ckpt_archive::{ContentError, DefectKind, Evidence, Options};

use crate::writer::{BLOCK, Tar, codes, files, header, noise, open, open_with, put, record};

/// Members of all kinds, with sizes around block borders.
fn sample() -> Vec<u8> {
    let mut sparse_data = b"2\n1024\n100\n4096\n20\n".to_vec();
    sparse_data.resize(512, 0);
    sparse_data.extend_from_slice(&noise(120, 9));
    Tar::default()
        .entry(b"checkpoint/", b'5', b"")
        .file("checkpoint/a", &noise(1, 1))
        .file("checkpoint/b", &noise(512, 2))
        .pax(b'x', &[("mtime", b"1.5"), ("path", b"checkpoint/c")])
        .file("c", &noise(513, 3))
        .pax(
            b'x',
            &[
                ("GNU.sparse.major", b"1"),
                ("GNU.sparse.name", b"s"),
                ("GNU.sparse.realsize", b"5000"),
            ],
        )
        .file("GNUSparseFile/s", &sparse_data)
        .entry(b"././@LongLink", b'L', &[b'l'; 600])
        .file("l", &noise(2000, 4))
        .link("hard", b'1', "checkpoint/b")
        .file("empty", b"")
        .end()
}

/// All that `cut` lists is also in `whole`, and bytes that it serves are the same.
fn assert_prefix(cut: &Evidence, whole: &Evidence) {
    assert!(cut.members().len() <= whole.members().len());
    for (member, full) in cut.members().iter().zip(whole.members()) {
        assert_eq!((&member.path, member.size, member.kind), (&full.path, full.size, full.kind));
        let (Ok(content), Ok(expected)) = (cut.content(member), whole.content(full)) else {
            continue;
        };
        let there = content.captured_len();
        let expected = expected.slice(0..there).unwrap();
        assert_eq!(content.slice(0..there).unwrap(), expected);
        if there < content.len() {
            let error = content.bytes().unwrap_err();
            assert!(
                matches!(error, ContentError::Truncated { available, .. } if available == there)
            );
        }
    }
}

#[test]
fn a_cut_archive_serves_what_is_there() {
    let bytes = sample();
    let whole = open(bytes.clone());
    assert_eq!(codes(&whole), [""; 0]);
    // Where the cut loses something: anywhere before the end mark.
    let end = bytes.len() - 2 * BLOCK;
    for cut in (0..end).step_by(64).chain((0..end).step_by(BLOCK).map(|at| at + 1)) {
        let Ok(evidence) = open_with(bytes[..cut].to_vec(), &Options::default()) else {
            assert!(cut < BLOCK, "cut at {cut}");
            continue;
        };
        assert_prefix(&evidence, &whole);
        assert!(!evidence.defects().is_empty(), "cut at {cut}");
    }
}

#[test]
fn a_cut_member_tells_how_much_is_there() {
    let bytes = Tar::default().file("a", &noise(5000, 1)).end();
    let evidence = open(bytes[..512 + 1000].to_vec());
    let defect = &evidence.defects()[0];
    assert_eq!(defect.kind, DefectKind::Truncated { expected: 5000, found: 1000 });
    assert_eq!((defect.place().as_str(), defect.offset), ("a", Some(1512)));
    let content = evidence.content(&evidence.members()[0]).unwrap();
    assert_eq!((content.len(), content.captured_len()), (5000, 1000));
    assert_eq!(content.slice(0..1000).unwrap(), noise(5000, 1)[..1000]);
}

#[test]
fn a_missing_end_is_told() {
    let whole = Tar::default().file("a", b"1");
    assert_eq!(codes(&open(whole.clone().0)), ["no-end-of-archive"]);
    // One zero block is what some writers leave.
    let one = [whole.0, vec![0; BLOCK]].concat();
    assert_eq!(codes(&open(one)), ["no-end-of-archive"]);
}

#[test]
fn bytes_behind_the_end_are_told_and_served() {
    let mut bytes = Tar::default().file("a", b"1").end();
    bytes.resize(10240, 0);
    assert_eq!(codes(&open(bytes.clone())), [""; 0]);
    bytes.extend_from_slice(b"left over from a longer file");
    let evidence = open(bytes);
    assert_eq!(evidence.defects()[0].kind, DefectKind::TrailingBytes { offset: 10240, count: 28 });
    let trailing = evidence.trailing().unwrap();
    assert_eq!(trailing.bytes().unwrap(), &b"left over from a longer file"[..]);
    // An archive behind an archive is such bytes, too.
    let two = [Tar::default().file("a", b"1").end(), Tar::default().file("b", b"2").end()].concat();
    let evidence = open(two);
    assert_eq!((evidence.members().len(), codes(&evidence)), (1, vec!["trailing-bytes"]));
    let second = Evidence::from_bytes(
        "rest",
        evidence.trailing().unwrap().bytes().unwrap(),
        &Options::default(),
    );
    assert_eq!(files(&second.unwrap()), [("b".to_owned(), b"2".to_vec())]);
}

#[test]
fn zero_blocks_alone_neither_end_nor_hide_members() {
    let archive = Tar::default().file("a", b"1").block([0; BLOCK]).file("b", b"2");
    let evidence = open(archive.clone().end());
    assert_eq!((files(&evidence).len(), codes(&evidence)), (2, vec!["lone-zero-block"]));
    // Behind one zero block, junk is no damaged header.
    let evidence =
        open([Tar::default().file("a", b"1").block([0; BLOCK]).0, noise(3000, 5)].concat());
    assert_eq!(codes(&evidence), ["trailing-bytes"]);
    assert_eq!(evidence.defects()[0].kind, DefectKind::TrailingBytes { offset: 1536, count: 3000 });
}

#[test]
fn reading_goes_on_behind_a_damaged_header() {
    let good = Tar::default().file("a", b"1").file("b", &noise(3000, 1)).file("c", b"3").end();
    let mut bytes = good.clone();
    bytes[1024 + 5] ^= 1;
    let evidence = open(bytes);
    assert_eq!(
        files(&evidence),
        [("a".to_owned(), b"1".to_vec()), ("c".to_owned(), b"3".to_vec())]
    );
    let defect = &evidence.defects()[0];
    assert_eq!(defect.offset, Some(1024));
    let resumed = Some(1024 + 512 + 3072);
    assert_eq!(defect.kind, DefectKind::DamagedHeader { reason: "wrong checksum", resumed });
    // The very first header.
    let mut bytes = good.clone();
    bytes[0] ^= 1;
    let evidence = open(bytes);
    assert_eq!((evidence.members().len(), codes(&evidence)), (2, vec!["damaged-header"]));
    // A missing start.
    let evidence = open(good[1024 + 1024..].to_vec());
    assert_eq!(files(&evidence), [("c".to_owned(), b"3".to_vec())]);
    // The last header.
    let mut bytes = good.clone();
    let last = 1024 + 512 + 3072;
    bytes[last] ^= 1;
    let evidence = open(bytes);
    assert!(matches!(evidence.defects()[0].kind, DefectKind::DamagedHeader { resumed: None, .. }));
    assert_eq!(evidence.members().len(), 2);
}

#[test]
fn fields_that_are_no_numbers_are_told() {
    let archive = Tar::default()
        .block(header(b"a", b'0', 0, |block| put(block, 136, b"not a time!!")))
        .block(header(b"b", b'0', 0, |block| put(block, 124, b"not a size!!")))
        .file("c", b"3")
        .end();
    let evidence = open(archive);
    assert_eq!(codes(&evidence), ["damaged-field", "damaged-header"]);
    let paths: Vec<_> = evidence.members().iter().map(|member| member.path.as_slice()).collect();
    assert_eq!(paths, [b"a", b"c"]);
}

#[test]
fn sizes_without_end_stay_within_the_archive() {
    for size in [
        &b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff"[..],
        b"\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff",
        b"77777777777\0",
    ] {
        for flag in [b'0', b'x', b'L', b'g', b'S', b'V'] {
            let block = header(b"a", flag, 0, |block| put(block, 124, size));
            let evidence = open(Tar::default().block(block).data(b"some data").end());
            assert!(
                evidence.defects().iter().any(|defect| defect.code() == "truncated"),
                "{}",
                char::from(flag)
            );
            for member in evidence.members() {
                let content = evidence.content(member).unwrap();
                if flag == b'S' {
                    // The logical size stands elsewhere in the header, and is 0 here.
                    continue;
                }
                assert!(content.len() > 1 << 30);
                assert!(content.slice(content.len() - 1..content.len()).is_err());
            }
        }
    }
}

#[test]
fn damaged_extended_headers_are_told_and_the_rest_counts() {
    let mut records = record("uid", b"7");
    records.extend_from_slice(b"999 gid=8\n");
    let archive = Tar::default()
        .entry(b"x", b'x', &records)
        .file("a", b"1")
        .pax(b'x', &[("path", b"z")])
        .end();
    let evidence = open(archive);
    assert_eq!(evidence.members()[0].uid, 7);
    assert_eq!(codes(&evidence), ["damaged-extended-header"; 2]);
    let told: Vec<_> = evidence.defects().iter().map(ToString::to_string).collect();
    assert!(told[0].contains("no valid record at byte 8 of 18"), "{told:?}");
    assert!(told[1].contains("no member follows"), "{told:?}");
}

#[test]
fn global_headers_cannot_be_multiplied_by_all_members() {
    let big = vec![b'v'; 100_000];
    let archive = Tar::default()
        .pax(b'g', &[("uid", b"7"), ("GNU.sparse.map", b"0,1,5,1"), ("GNU.sparse.size", b"9")])
        .pax(b'g', &[("SCHILY.xattr.user.big", &big)])
        .file("a", b"12")
        .pax(b'x', &[("path", &big)])
        .file("b", b"")
        .end();
    let evidence = open(archive);
    let [a, b] = evidence.members() else { panic!() };
    assert_eq!((a.uid, a.size, a.xattrs.len(), a.is_sparse()), (7, 2, 0, false));
    assert_eq!(b.path.len(), 64 << 10);
    assert_eq!(codes(&evidence), ["damaged-extended-header"; 2]);
}
