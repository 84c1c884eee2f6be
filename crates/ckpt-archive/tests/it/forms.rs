//! Every form of header that writers use.

use ckpt_archive::{Chunk, ContentError, DefectKind, Error, MemberKind, NameRisk, Timestamp};

use crate::writer::{Tar, codes, files, gnu, header, noise, octal, open, open_with, put};

#[test]
fn a_plain_archive_is_listed_without_copying() {
    let evidence = open(Tar::default().entry(b"d/", b'5', b"").file("d/a", b"hello").end());
    assert_eq!(evidence.kind(), "tar");
    assert_eq!(evidence.size(), 4 * 512 + 512);
    assert_eq!(codes(&evidence), [""; 0]);
    let [dir, file] = evidence.members() else { panic!() };
    assert_eq!(
        (dir.kind, dir.path.as_slice(), dir.raw_path.as_slice()),
        (MemberKind::Directory, &b"d"[..], &b"d/"[..])
    );
    assert_eq!((file.size, file.mode, file.uid, file.gid), (5, 0o644, 1000, 1001));
    assert_eq!(file.mtime, Timestamp { secs: 1_700_000_000, nanos: 0 });
    assert_eq!((file.header_offset, file.file_name(), file.parent()), (512, &b"a"[..], &b"d"[..]));
    let content = evidence.content(file).unwrap();
    assert_eq!(content.slice(1..4).unwrap(), &b"ell"[..]);
    assert_eq!(content.slice(0..1).unwrap().as_ptr(), content.bytes().unwrap().as_ptr());
    assert!(matches!(evidence.content(dir), Err(ContentError::NotAFile { .. })));
}

#[test]
fn names_come_from_the_prefix_of_each_dialect() {
    let archive = Tar::default()
        .block(header(b"name", b'0', 0, |block| put(block, 345, b"a/b")))
        .block(header(b"star", b'0', 0, |block| {
            put(block, 345, b"c/d");
            put(block, 476, &octal(7, 12));
            put(block, 488, &octal(8, 12));
            put(block, 508, b"tar\0");
        }))
        .block(header(b"gnu", b'0', 0, |block| {
            gnu(block);
            put(block, 345, &octal(9, 12));
        }))
        .block(header(b"v7", 0, 0, |block| block[257..].fill(0)))
        .block(header(b"v7dir/", 0, 0, |block| block[257..].fill(0)))
        .block(header(&[b'n'; 100], b'0', 0, |_| {}))
        .end();
    let evidence = open(archive);
    let paths: Vec<_> = evidence.members().iter().map(|member| member.path.clone()).collect();
    assert_eq!(paths[..5], [&b"a/b/name"[..], b"c/d/star", b"gnu", b"v7", b"v7dir"]);
    assert_eq!(paths[5], [b'n'; 100]);
    assert!(evidence.members()[4].is_dir());
    assert_eq!(evidence.members()[1].atime, Some(Timestamp { secs: 7, nanos: 0 }));
    assert_eq!(evidence.members()[1].ctime, Some(Timestamp { secs: 8, nanos: 0 }));
    assert_eq!(evidence.members()[2].atime, Some(Timestamp { secs: 9, nanos: 0 }));
    assert_eq!(codes(&evidence), [""; 0]);
}

#[test]
fn gnu_long_names_and_links() {
    let name = "x/".repeat(80) + "end";
    let target = "y".repeat(300);
    let archive = Tar::default()
        .entry(b"././@LongLink", b'K', format!("{target}\0").as_bytes())
        .entry(b"././@LongLink", b'L', format!("{name}\0").as_bytes())
        .link("short", b'2', "cut")
        .file("after", b"1")
        .end();
    let evidence = open(archive);
    let link = &evidence.members()[0];
    assert_eq!((link.path.as_slice(), link.kind), (name.as_bytes(), MemberKind::Symlink));
    assert_eq!(link.link_target.as_deref(), Some(target.as_bytes()));
    assert_eq!(link.header_offset, 0);
    assert_eq!(evidence.members()[1].path, b"after");
}

#[test]
fn pax_overrides_the_header_and_global_records_stay() {
    let archive = Tar::default()
        .pax(b'g', &[("uid", b"7"), ("comment", b"deadbeef")])
        .pax(
            b'x',
            &[
                ("path", "p\u{e4}th/\n".as_bytes()),
                ("size", b"5"),
                ("mtime", b"1700000001.25"),
                ("atime", b"-1.5"),
                ("ctime", b"3"),
                ("gid", b"4294967297"),
                ("uname", b"alice"),
                ("SCHILY.xattr.security.capability", b"\x01\0\n\xff="),
            ],
        )
        .block(header(b"cut", b'0', 0, |_| {}))
        .data(b"hello")
        .pax(b'x', &[("linkpath", b"target")])
        .link("l", b'2', "cut")
        .file("plain", b"")
        .end();
    let evidence = open(archive);
    assert_eq!(codes(&evidence), [""; 0]);
    let [first, link, plain] = evidence.members() else { panic!() };
    assert_eq!(first.path, "p\u{e4}th/\n".as_bytes());
    assert_eq!((first.size, first.uid, first.gid), (5, 7, 4_294_967_297));
    assert_eq!(first.mtime, Timestamp { secs: 1_700_000_001, nanos: 250_000_000 });
    assert_eq!(first.atime, Some(Timestamp { secs: -2, nanos: 500_000_000 }));
    assert_eq!(first.ctime, Some(Timestamp { secs: 3, nanos: 0 }));
    assert_eq!(first.uname.as_deref(), Some(&b"alice"[..]));
    assert_eq!(first.xattrs[&b"security.capability"[..]], b"\x01\0\n\xff=");
    assert_eq!(evidence.content(first).unwrap().bytes().unwrap(), &b"hello"[..]);
    assert_eq!(link.link_target.as_deref(), Some(&b"target"[..]));
    assert_eq!((plain.uid, plain.gid, plain.uname.as_deref()), (7, 1001, None));
}

#[test]
fn numbers_in_base_256() {
    let archive = Tar::default()
        .block(header(b"a", b'0', 0, |block| {
            gnu(block);
            put(block, 108, &[0x80, 0, 0, 1, 0, 0, 0, 0]);
            put(block, 124, &[0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5]);
            put(block, 136, &[0xff; 12]);
        }))
        .data(b"hello")
        .end();
    let evidence = open(archive);
    let member = &evidence.members()[0];
    assert_eq!((member.uid, member.size, member.mtime.secs), (1 << 32, 5, -1));
}

#[test]
fn links_devices_and_strange_types_are_told_apart() {
    let archive = Tar::default()
        .file("a", b"hello")
        .link("./hard", b'1', "./a")
        .link("harder", b'1', "hard")
        .link("dangling", b'1', "nowhere")
        .link("d/sym", b'2', "../a")
        .link("abs", b'2', "/etc/shadow")
        .block(header(b"tty", b'3', 0, |block| {
            put(block, 329, &octal(4, 8));
            put(block, 337, &octal(64, 8));
        }))
        .block(header(b"disk", b'4', 0, |_| {}))
        .block(header(b"pipe", b'6', 77, |_| {}))
        .entry(b"volume", b'V', b"")
        .entry(b"more", b'M', b"rest of a file")
        .end();
    let evidence = open(archive);
    for name in ["hard", "harder"] {
        let member = evidence.get(name.as_bytes()).unwrap();
        assert_eq!(member.kind, MemberKind::HardLink);
        assert_eq!(evidence.content(member).unwrap().bytes().unwrap(), &b"hello"[..]);
    }
    let dangling = evidence.get(b"dangling").unwrap();
    assert!(matches!(evidence.content(dangling), Err(ContentError::LinkTarget { .. })));
    assert_eq!(evidence.get(b"d/sym").unwrap().symlink_path(), Some(b"a".to_vec()));
    assert_eq!(evidence.get(b"abs").unwrap().symlink_path(), None);
    assert_eq!(evidence.get(b"tty").unwrap().kind, MemberKind::CharDevice { major: 4, minor: 64 });
    // A size on a member that has no data moves nothing.
    assert_eq!(evidence.get(b"pipe").unwrap().size, 0);
    let more = evidence.get(b"more").unwrap();
    assert_eq!(more.kind, MemberKind::Other(b'M'));
    assert_eq!(evidence.content(more).unwrap().bytes().unwrap(), &b"rest of a file"[..]);
    assert_eq!(
        codes(&evidence),
        ["unsupported-member-type", "unsupported-member-type", "dangling-hard-link"]
    );
}

/// However long the chain is, each link is passed once.
#[test]
fn a_chain_of_many_hard_links_leads_to_its_file() {
    let mut archive = Tar::default().file("0", b"the file");
    for number in 1..5000 {
        archive = archive.link(&number.to_string(), b'1', &(number - 1).to_string());
    }
    // One that names what comes behind it.
    let evidence = open(archive.link("first", b'1', "last").link("last", b'1', "4999").end());
    assert_eq!(codes(&evidence), [""; 0]);
    for member in evidence.members() {
        assert_eq!(evidence.content(member).unwrap().bytes().unwrap(), &b"the file"[..]);
    }
}

#[test]
fn hard_links_in_a_circle_end() {
    let evidence =
        open(Tar::default().link("a", b'1', "b").link("b", b'1', "a").link("c", b'1', "c").end());
    for member in evidence.members() {
        assert!(matches!(evidence.content(member), Err(ContentError::LinkTarget { .. })));
    }
}

#[test]
fn a_hard_link_to_its_own_name_means_the_file_before_it() {
    let evidence = open(Tar::default().file("a", b"1").link("a", b'1', "a").end());
    let member = evidence.get(b"a").unwrap();
    assert_eq!(member.kind, MemberKind::HardLink);
    assert_eq!(evidence.content(member).unwrap().bytes().unwrap(), &b"1"[..]);
}

#[test]
fn the_last_of_duplicates_is_found_and_all_are_listed() {
    let archive = Tar::default()
        .file("a", b"1")
        .entry(b"d/", b'5', b"")
        .entry(b"d", b'5', b"")
        .file("./a", b"22")
        .file("b", b"")
        .end();
    let evidence = open(archive);
    assert_eq!(evidence.members().len(), 5);
    assert_eq!(evidence.get(b"a").unwrap().size, 2);
    assert_eq!(codes(&evidence), ["duplicate-member"]);
    let children: Vec<_> =
        evidence.children(b"").map(|member| (member.path.clone(), member.size)).collect();
    assert_eq!(children, [(b"a".to_vec(), 2), (b"b".to_vec(), 0), (b"d".to_vec(), 0)]);
}

#[test]
fn directories_are_found_with_and_without_members_of_their_own() {
    let archive =
        Tar::default().file("a/b/c", b"").file("a/b.x", b"").file("a/d", b"").file("ab", b"").end();
    let evidence = open(archive);
    assert!(evidence.is_dir(b"a") && evidence.is_dir(b"a/b") && evidence.is_dir(b""));
    assert!(!evidence.is_dir(b"a/d") && !evidence.is_dir(b"b"));
    let names = |members: ckpt_archive::Children<'_>| {
        members.map(|member| member.path.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(evidence.children(b"a")), [&b"a/b.x"[..], b"a/d"]);
    assert_eq!(names(evidence.under(b"a")), [&b"a/b.x"[..], b"a/b/c", b"a/d"]);
    assert_eq!(names(evidence.under(b"a/d")), [&b""[..]; 0]);
}

#[test]
fn dangerous_names_are_told_and_nothing_else() {
    let archive = Tar::default()
        .file("/etc/passwd", b"")
        .file("../../up", b"")
        .pax(b'x', &[("path", b"a\0b")])
        .file("x", b"")
        .end();
    let evidence = open(archive);
    let risks: Vec<_> = evidence.members().iter().map(|member| member.unsafe_name).collect();
    assert_eq!(risks, [Some(NameRisk::Absolute), Some(NameRisk::Parent), Some(NameRisk::Nul)]);
    assert_eq!(codes(&evidence), ["unsafe-name"; 3]);
    assert_eq!(evidence.defects()[2].place(), "a\\x00b");
    assert!(evidence.get(b"etc/passwd").is_some() && evidence.get(b"../../up").is_some());
}

/// Extents of an old GNU header or extension block.
fn extents(at: usize, block: &mut [u8], list: &[(u64, u64)]) {
    for (index, (offset, len)) in list.iter().enumerate() {
        put(block, at + index * 24, &octal(*offset, 12));
        put(block, at + index * 24 + 12, &octal(*len, 12));
    }
}

#[test]
fn old_gnu_sparse_may_begin_with_a_hole_and_go_on_in_further_blocks() {
    // 4 + 21 + 2 extents of 3 bytes each, 4096 bytes apart, the first at 4096.
    let map: Vec<(u64, u64)> = (0..27).map(|index| ((index + 1) * 4096, 3)).collect();
    let data = noise(27 * 3, 1);
    let real = 30 * 4096;
    let mut second = [0; 512];
    extents(0, &mut second, &map[4..25]);
    second[504] = 1;
    let mut third = [0; 512];
    extents(0, &mut third, &map[25..]);
    let archive = Tar::default()
        .block(header(b"sparse", b'S', 27 * 3, |block| {
            gnu(block);
            extents(386, block, &map[..4]);
            block[482] = 1;
            put(block, 483, &octal(real, 12));
        }))
        .block(second)
        .block(third)
        .data(&data)
        .file("after", b"1")
        .end();
    let mut expected = vec![0; usize::try_from(real).unwrap()];
    for (index, (offset, _)) in map.iter().enumerate() {
        put(&mut expected, usize::try_from(*offset).unwrap(), &data[index * 3..][..3]);
    }
    let evidence = open(archive);
    assert_eq!(codes(&evidence), [""; 0]);
    assert_eq!(
        files(&evidence),
        [("sparse".to_owned(), expected), ("after".to_owned(), b"1".to_vec())]
    );
    let member = evidence.get(b"sparse").unwrap();
    assert!(member.is_sparse());
    let content = evidence.content(member).unwrap();
    assert_eq!(content.chunks(0..4097).collect::<Vec<_>>()[0], Chunk::Hole(4096));
}

#[test]
fn pax_sparse_in_all_three_versions() {
    let expected =
        [vec![0; 1000], b"abc".to_vec(), vec![0; 997], b"defg".to_vec(), vec![0; 96]].concat();
    let old = Tar::default()
        .pax(
            b'x',
            &[
                ("GNU.sparse.size", b"2100"),
                ("GNU.sparse.numblocks", b"2"),
                ("GNU.sparse.offset", b"1000"),
                ("GNU.sparse.numbytes", b"3"),
                ("GNU.sparse.offset", b"2000"),
                ("GNU.sparse.numbytes", b"4"),
            ],
        )
        .file("s", b"abcdefg");
    let middle = Tar::default()
        .pax(
            b'x',
            &[
                ("GNU.sparse.size", b"2100"),
                ("GNU.sparse.name", b"s"),
                ("GNU.sparse.map", b"1000,3,2000,4,2100,0"),
            ],
        )
        .file("GNUSparseFile.0/s", b"abcdefg");
    let mut data = b"3\n1000\n3\n2000\n4\n2100\n0\n".to_vec();
    data.resize(512, 0);
    data.extend_from_slice(b"abcdefg");
    let new = Tar::default()
        .pax(
            b'x',
            &[
                ("GNU.sparse.major", b"1"),
                ("GNU.sparse.minor", b"0"),
                ("GNU.sparse.name", b"s"),
                ("GNU.sparse.realsize", b"2100"),
            ],
        )
        .file("GNUSparseFile.0/s", &data);
    for archive in [old, middle, new] {
        let evidence = open(archive.file("after", b"1").end());
        assert_eq!(codes(&evidence), [""; 0]);
        assert_eq!(
            files(&evidence),
            [("s".to_owned(), expected.clone()), ("after".to_owned(), b"1".to_vec())]
        );
    }
}

#[test]
fn a_damaged_sparse_map_serves_what_is_certain() {
    let archive = Tar::default()
        .pax(b'x', &[("GNU.sparse.size", b"100"), ("GNU.sparse.map", b"10,3,5,4")])
        .file("s", b"abcdefg")
        .file("after", b"1")
        .end();
    let evidence = open(archive);
    assert_eq!(codes(&evidence), ["damaged-sparse-map"]);
    let content = evidence.content(&evidence.members()[0]).unwrap();
    assert_eq!((content.len(), content.captured_len()), (100, 13));
    assert_eq!(content.slice(9..13).unwrap(), &b"\0abc"[..]);
    assert!(matches!(content.slice(9..14), Err(ContentError::Damaged { offset: 13 })));
    assert_eq!(evidence.get(b"after").unwrap().size, 1);
}

#[test]
fn what_is_no_archive_is_refused_with_a_guess() {
    let cases: [(&[u8], &str); 6] = [
        (b"PK\x03\x04 and so on", "zip"),
        (b"\x7fELF\x02\x01\x01", "elf"),
        (b"just a note\n", "plain text"),
        (b"{\"ociVersion\": \"1.0.0\"}", "json"),
        (&[0; 1 << 21], "zero bytes"),
        (&[0x1f, 0x8b, 8, 0, 0], "cut"),
    ];
    for (bytes, expected) in cases {
        let error = open_with(bytes.to_vec(), &Default::default()).unwrap_err();
        assert!(matches!(error, Error::NotAnArchive { .. }), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
    assert!(matches!(open_with(Vec::new(), &Default::default()), Err(Error::Empty { .. })));
    let noise = open_with(noise(100_000, 3), &Default::default()).unwrap_err();
    assert!(noise.to_string().contains("no known form"), "{noise}");
    let lz4 = open_with(b"\x04\x22\x4d\x18dGp".to_vec(), &Default::default()).unwrap_err();
    assert!(lz4.to_string().contains("lz4 -dc"), "{lz4}");
}

#[test]
fn an_archive_without_members_is_an_archive() {
    let evidence = open(vec![0; 10240]);
    assert_eq!((evidence.members().len(), codes(&evidence).len()), (0, 0));
}

#[test]
fn nested_archives_open_to_a_depth() {
    let mut bytes = Tar::default().file("leaf", b"x").end();
    for _ in 0..10 {
        bytes = Tar::default().file("inner.tar", &bytes).end();
    }
    let options = ckpt_archive::Options::default();
    let mut evidence = open(bytes);
    for _ in 0..8 {
        let member = evidence.get(b"inner.tar").unwrap().clone();
        evidence = evidence.nested(&member, &options).unwrap();
    }
    assert!(evidence.name().ends_with("inner.tar:inner.tar"));
    let member = &evidence.members()[0];
    assert!(matches!(evidence.nested(member, &options), Err(Error::Nesting { limit: 8, .. })));
}

#[test]
fn limits_end_the_listing_and_are_told() {
    let mut limits = ckpt_archive::Limits::default();
    limits.max_members = 3;
    limits.max_pax = 100;
    limits.max_name = 50;
    let mut archive = Tar::default().pax(b'x', &[("path", &[b'p'; 200])]);
    for index in 0..5 {
        archive = archive.file(&format!("f{index}"), b"");
    }
    let options = ckpt_archive::Options::default().limits(limits);
    let evidence = open_with(archive.end(), &options).unwrap();
    assert_eq!(evidence.members().len(), 3);
    assert_eq!(evidence.members()[0].path, b"f0");
    assert_eq!(codes(&evidence), ["damaged-extended-header", "limit"]);
    assert!(matches!(evidence.defects()[1].kind, DefectKind::Limit { what: "members", limit: 3 }));
}
