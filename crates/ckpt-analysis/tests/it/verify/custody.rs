//! Manifests: what is sealed is found again, and what differs is named.

use ckpt_analysis::verify::custody::{About, Difference, Manifest, ManifestError, compare};
use ckpt_archive::{Evidence, Options, sha256_bytes};
use ckpt_synth::{Archive, Member, SparseForm};
use proptest::prelude::*;

fn about() -> About {
    About {
        tool: "ckpt-inspect 0".to_owned(),
        made: "2026-11-26T10:00:00Z".to_owned(),
        operator: Some("A. Analyst \u{1b}[31m".to_owned()),
        note: Some("from node-3".to_owned()),
    }
}

fn sealed(bytes: &[u8]) -> Manifest {
    let reader = std::io::Cursor::new(bytes.to_vec());
    let evidence = Evidence::hash_reader("evidence", reader, &Options::default());
    Manifest::of(&evidence.expect("evidence"), about())
}

fn written(manifest: &Manifest) -> Vec<u8> {
    let mut json = Vec::new();
    manifest.write(&mut json).expect("memory");
    json
}

fn sample() -> Archive {
    let mut archive = Archive::new();
    archive
        .dir("d")
        .member("d/a", b"one")
        .member("d/b", b"two")
        .member("d/empty", b"")
        .member("d/a", b"one again")
        .member(&b"d/\xff"[..], b"not text")
        .symlink("d/link", "a")
        .hardlink("d/hard", "d/a")
        .device("d/null", 1, 3)
        .sparse("d/holes", &[(4096, b"middle")], 10_000, SparseForm::Pax10);
    archive
}

#[test]
fn what_is_sealed_is_found_again() {
    let tar = sample().tar();
    let manifest = sealed(&tar);
    assert_eq!(manifest.evidence.sha256, Some(sha256_bytes(&tar).to_string()));
    assert_eq!(manifest.evidence.size, tar.len() as u64);
    let member = |at: usize| &manifest.members[at];
    assert_eq!(member(1).sha256, Some(sha256_bytes(b"one").to_string()));
    assert_eq!((member(4).path.as_str(), member(4).copy), ("d/a", 1));
    assert_eq!(member(5).path, "d/\\xff");
    assert_eq!(member(5).path_bytes(), b"d/\xff");
    assert_eq!((member(6).kind.as_str(), member(6).target.as_deref()), ("symlink", Some("a")));
    assert_eq!((member(8).kind.as_str(), member(8).device.as_deref()), ("char", Some("1:3")));
    let mut holes = vec![0; 10_000];
    holes[4096..4102].copy_from_slice(b"middle");
    assert_eq!(member(9).sha256, Some(sha256_bytes(&holes).to_string()));

    let again = Manifest::parse(&written(&manifest)).expect("what was written");
    assert_eq!(again, manifest);
    let found = sealed(&tar);
    let comparison = compare(&again, &found);
    assert!(comparison.is_same());
    assert_eq!((comparison.same, comparison.unhashed), (10, 0));
}

#[test]
fn exactly_what_differs_is_named() {
    let before = sealed(&sample().tar());
    let mut changed = Archive::new();
    changed
        .dir("d")
        .member("d/a", b"one")
        .push(Member::file("d/renamed", b"two").mtime(7))
        .member("d/empty", b"")
        .member("d/a", b"another")
        .member(&b"d/\xff"[..], b"not text")
        .symlink("d/link", "b")
        .hardlink("d/hard", "d/a")
        .device("d/null", 1, 3)
        .member("d/new", b"new");
    let after = sealed(&changed.tar());
    let comparison = compare(&before, &after);
    let told: Vec<String> = comparison
        .differences
        .iter()
        .map(|difference| match difference {
            Difference::Evidence(fact) => format!("evidence {}", fact.name),
            Difference::Defect(fact) => format!("defect {:?}", fact.found),
            Difference::Changed { member, facts } => {
                let facts: Vec<_> = facts.iter().map(|fact| fact.name).collect();
                format!("changed {} {} {}", member.path, member.copy, facts.join(" "))
            }
            Difference::Added(member) => format!("added {}", member.path),
            Difference::Removed(member) => format!("removed {}", member.path),
            Difference::Renamed { from, to } => format!("renamed {} {}", from.path, to.path),
            Difference::Order => "order".to_owned(),
        })
        .collect();
    assert_eq!(
        told[told.len() - 5..],
        [
            "changed d/a 1 size sha256",
            "removed d/holes",
            "changed d/link 0 target",
            "added d/new",
            "renamed d/b d/renamed",
        ]
    );
    assert!(told.contains(&"evidence sha256".to_owned()));
    assert!(!comparison.is_repacked());
}

#[test]
fn an_archive_that_was_packed_again_has_the_same_members() {
    let (before, after) = (sealed(&sample().tar()), sealed(&sample().tar_zst()));
    let comparison = compare(&before, &after);
    assert!(comparison.is_repacked() && !comparison.is_same());
    assert_eq!(comparison.same, 10);
    let mut first = Archive::new();
    first.member("a", b"1").member("b", b"2");
    let mut second = Archive::new();
    second.member("b", b"2").member("a", b"1");
    let (before, after) = (sealed(&first.tar()), sealed(&second.tar()));
    let comparison = compare(&before, &after);
    assert_eq!(comparison.differences.last(), Some(&Difference::Order));
    assert!(comparison.is_repacked());
}

#[test]
fn bytes_around_the_members_are_no_packing() {
    let tar = sample().tar();
    let before = sealed(&tar);
    let told = |bytes: &[u8]| {
        let found = sealed(bytes);
        let comparison = compare(&before, &found);
        assert!(comparison.is_around() && !comparison.is_repacked());
        assert_eq!(comparison.same, 10);
        let all = comparison.differences.iter().map(|difference| match difference {
            Difference::Evidence(fact) => fact.name.to_owned(),
            Difference::Defect(fact) => format!("{:?}", fact.found.as_deref()),
            other => panic!("{other:?}"),
        });
        all.collect::<Vec<String>>().join(", ")
    };
    let appended = [&tar[..], b"x"].concat();
    let words = told(&appended);
    assert!(words.starts_with("size, sha256, ") && words.contains("follow the end"), "{words}");
    let words = told(&tar[..tar.len() - 1]);
    assert!(words.starts_with("size, sha256, ") && words.contains("no end mark"), "{words}");
    // Behind the three bytes of `d/a`.
    let content = tar.windows(3).position(|bytes| bytes == b"one").expect("the content");
    let mut padded = tar.clone();
    padded[content + 9] = 1;
    assert_eq!(told(&padded), "sha256");

    // What was wrong and no longer is.
    let (before, after) = (sealed(&appended), sealed(&tar));
    let comparison = compare(&before, &after);
    let mended = comparison
        .differences
        .iter()
        .any(|difference| matches!(difference, Difference::Defect(fact) if fact.found.is_none()));
    assert!(mended, "{comparison:?}");
}

#[test]
fn names_of_owners_are_sealed() {
    let tar = sample().tar();
    let mut other = tar.clone();
    // The first header's owner: 32 bytes at 265; the checksum is of the bytes as they are.
    other[265..268].copy_from_slice(b"eve");
    let spaces = [b' '; 8];
    let sum = |header: &[u8]| {
        let before: u32 = header[..148].iter().chain(&spaces).map(|byte| u32::from(*byte)).sum();
        before + header[156..512].iter().map(|byte| u32::from(*byte)).sum::<u32>()
    };
    let checksum = format!("{:06o}\0 ", sum(&other));
    other[148..156].copy_from_slice(checksum.as_bytes());
    let (before, after) = (sealed(&tar), sealed(&other));
    let comparison = compare(&before, &after);
    let changed = comparison.differences.iter().find_map(|difference| match difference {
        Difference::Changed { member, facts } => Some((member.path.as_str(), facts[0].clone())),
        _ => None,
    });
    let (path, fact) = changed.expect("a changed member");
    assert_eq!((path, fact.name), ("d", "uname"));
    assert!(fact.found.is_some_and(|name| name.starts_with("eve")));
    assert!(!comparison.is_around());

    // A manifest that has no names is still a manifest, and they are not compared.
    let mut old = before.clone();
    for member in &mut old.members {
        (member.uname, member.gname) = (None, None);
    }
    assert!(!String::from_utf8_lossy(&written(&old)).contains("uname"));
    assert!(compare(&old, &after).is_around());
}

#[test]
fn what_has_no_hash_is_not_passed_off_as_compared() {
    let mut tar = sample().unended().tar();
    tar.truncate(tar.len() - 600);
    let manifest = sealed(&tar);
    let last = manifest.members.last().unwrap();
    assert!(last.sha256.is_none() && last.unhashed.is_some());
    assert!(!manifest.defects.is_empty());
    let found = sealed(&tar);
    let comparison = compare(&manifest, &found);
    assert!(comparison.is_same());
    assert_eq!(comparison.unhashed, 1);
}

#[test]
fn a_manifest_that_was_changed_is_refused_with_the_place() {
    let json = String::from_utf8(written(&sealed(&sample().tar()))).unwrap();
    let refused = |json: &str| Manifest::parse(json.as_bytes()).unwrap_err();
    for (what, instead) in [
        ("\"size\": 3", "\"size\": 4"),
        ("from node-3", "from node-4"),
        ("\"uid\": 0", "\"uid\": 1"),
        ("2026-11-26", "2026-11-25"),
    ] {
        assert!(json.contains(what), "{what}");
        let error = refused(&json.replacen(what, instead, 1));
        assert!(matches!(error, ManifestError::Digest { .. }), "{what}: {error}");
    }
    let error = refused(&json.replacen("custody/1", "custody/9", 1));
    assert!(matches!(error, ManifestError::Schema { .. }), "{error}");
    let error = refused(&json.replacen("\"size\"", "\"sise\"", 1));
    assert!(error.to_string().contains("unknown field `sise`"), "{error}");
    assert!(error.to_string().contains("line 10 column 10"), "{error}");
    let error = refused(&json.replacen("\"copy\": 1", "\"copy\": 7", 1));
    assert_eq!(error.to_string(), "members[4].copy: 1 members of this path stand before it");
    let error = refused(&json.replacen("\"ZC//\"", "\"ZC9h\"", 1));
    assert_eq!(error.to_string(), "members[5].path_base64: other bytes than the text beside it");
    let error = refused(&json.replacen("\"sha256\": \"", "\"sha256\": \"X", 1));
    assert_eq!(error.to_string(), "evidence: sha256: not 64 lower-case hexadecimal digits");
    let error = refused(&json[..json.len() / 2]);
    assert!(error.to_string().contains("EOF while parsing"), "{error}");
    let error = refused("{\"schema\": \"\u{1b}[2J\"}");
    assert!(!error.to_string().contains('\u{1b}'), "{error}");
    let without = json.split(",\n  \"digest\"").next().unwrap().to_owned() + "\n}";
    assert_eq!(refused(&without).to_string(), "digest: it is missing");
}

/// The digest can be computed with any tool that writes compact JSON and keeps the order of keys.
#[test]
fn the_digest_is_over_the_compact_document() {
    let manifest = sealed(&sample().tar());
    let json = written(&manifest);
    let text = String::from_utf8(json).unwrap();
    // No string of this sample has a line break or two blanks in it.
    let compact: String =
        text.lines().map(|line| line.trim_start().replacen("\": ", "\":", 1)).collect();
    let (content, digest) = compact.split_once(",\"digest\":\"").unwrap();
    let content = format!("{content}}}");
    assert_eq!(digest.trim_end_matches("\"}"), sha256_bytes(content.as_bytes()).to_string());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_archive_comes_back_from_its_manifest(
        members in proptest::collection::vec(
            (proptest::collection::vec(1u8..=255, 1..20), proptest::collection::vec(any::<u8>(), 0..100)),
            1..12,
        ),
        operator in any::<Option<String>>(),
        note in any::<Option<String>>(),
    ) {
        let mut archive = Archive::new();
        for (name, content) in &members {
            archive.member(name.clone(), content.clone());
        }
        let reader = std::io::Cursor::new(archive.tar());
        let evidence = Evidence::hash_reader("any", reader, &Options::default()).unwrap();
        let manifest = Manifest::of(&evidence, About { operator, note, ..about() });
        let again = Manifest::parse(&written(&manifest)).unwrap();
        prop_assert_eq!(&again, &manifest);
        prop_assert!(compare(&again, &manifest).is_same());
    }

    #[test]
    fn any_damage_to_a_manifest_is_noticed(
        at in any::<proptest::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let manifest = sealed(&sample().tar());
        let mut json = written(&manifest);
        let at = at.index(json.len());
        json[at] = byte;
        if let Ok(read) = Manifest::parse(&json) {
            prop_assert_eq!(read, manifest);
        }
    }

    #[test]
    fn any_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..500)) {
        prop_assert!(Manifest::parse(&bytes).is_err());
    }
}
