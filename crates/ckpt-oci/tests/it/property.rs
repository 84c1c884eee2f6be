//! What must hold for any members.

use std::collections::BTreeMap;
use std::io::Read;

use bytes::Bytes;
use ckpt_archive::{Evidence, MemberKind, Options};
use ckpt_oci::Plan;
use ckpt_synth::{Archive, Member};
use proptest::prelude::*;

use super::{evidence, layer_of};

/// A file or a directory, without the newlines that the `tar` crate stops at, with whatever a header can say of it.
fn member() -> impl Strategy<Value = Member> {
    let name = "([a-z][a-zA-Zé ._-]{0,12}|\\.)(/[a-z.-]{1,90}[a-z]){0,3}";
    let content = prop_oneof![
        Just(Vec::new()),
        proptest::collection::vec(any::<u8>(), 0..1500),
        proptest::collection::vec(any::<u8>(), 510..515),
    ];
    let time = prop_oneof![
        "[0-9]{1,10}",
        "-[1-9][0-9]{0,8}",
        "[0-9]{1,10}\\.[0-9]{1,9}",
        "-[0-9]{1,8}\\.[0-9]{1,9}",
        "9[0-9]{11}",
    ];
    let xattrs =
        proptest::collection::btree_map("(user|security)\\.[a-z]{1,6}", "[ -~]{0,9}", 0..3);
    let owner = (any::<u32>(), any::<u32>());
    let optional = (any::<bool>(), any::<bool>());
    (name, content, any::<bool>(), 0..0o10000_u32, owner, time, xattrs, optional).prop_map(
        |(name, content, dir, mode, (uid, gid), time, xattrs, (has_atime, has_owner))| {
            let dir = dir || name == ".";
            let member =
                if dir { Member::dir(name.as_str()) } else { Member::file(name.as_str(), content) };
            // Numbers that have room in no octal field are pax records here, as they are for other writers.
            let mut member = member
                .pax("path", name.as_str())
                .pax("uid", uid.to_string())
                .pax("gid", gid.to_string())
                .pax("mtime", time.as_str())
                .mode(mode);
            if has_atime {
                member = member.pax("atime", time.as_str()).pax("ctime", time);
            }
            if has_owner {
                member =
                    member.pax("uname", "name with more than thirty-two bytes").owner_name("root");
            }
            for (key, value) in xattrs {
                member = member.pax(format!("SCHILY.xattr.{key}"), value);
            }
            member
        },
    )
}

/// Everything that the layer has to keep of the last member of each path, by path.
fn facts(evidence: &Evidence) -> BTreeMap<Vec<u8>, String> {
    let facts = evidence.members().iter().map(|member| {
        let content = (member.kind == MemberKind::File)
            .then(|| evidence.content(member).unwrap().bytes().unwrap());
        let said = format!(
            "{:?} {:o} {}:{} {:?}:{:?} {:?} {:?} {:?} {:?} {content:?}",
            member.kind,
            member.mode,
            member.uid,
            member.gid,
            member.uname,
            member.gname,
            member.mtime,
            member.atime,
            member.ctime,
            member.xattrs,
        );
        (member.path.clone(), said)
    });
    facts.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_layer_reads_back_as_the_members(members in proptest::collection::vec(member(), 0..12)) {
        let mut archive = Archive::new();
        for member in members {
            archive.push(member);
        }
        let before = evidence(&archive);
        let (tar, layer, defects) = layer_of(&before, b"");
        prop_assert_eq!(tar.len() as u64, layer.unpacked);
        prop_assert_eq!(layer.unpacked, Plan::of_folder(&before, b"").layer_size());
        let after = Evidence::from_bytes("layer", Bytes::from(tar.clone()), &Options::default()).unwrap();
        prop_assert_eq!(after.defects(), &[]);
        let (mut expected, found) = (facts(&before), facts(&after));
        // Below a file there is nothing; and it is told.
        let blocked = |path: &[u8]| {
            path.iter().enumerate().filter(|(_, byte)| **byte == b'/').any(|(at, _)| {
                before.get(&path[..at]).is_some_and(|above| !above.is_dir())
            })
        };
        let gone: Vec<Vec<u8>> = expected.keys().filter(|path| blocked(path)).cloned().collect();
        for path in &gone {
            expected.remove(path);
            let place = ckpt_model::escape(path).into_owned();
            prop_assert!(defects.iter().any(|defect| defect.place == place), "{place}");
        }
        prop_assert_eq!(found, expected);
        prop_assert_eq!(layer.members, after.members().len() as u64);

        // A reader that is not ours sees the same.
        let mut reader = tar::Archive::new(&tar[..]);
        let mut count = 0;
        for entry in reader.entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path_bytes().into_owned();
            let (path, _) = ckpt_archive::normalise(&path);
            let member = after.get(&path).unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            if member.is_file() {
                prop_assert_eq!(&content[..], &after.content(member).unwrap().bytes().unwrap()[..]);
            }
            prop_assert_eq!(entry.header().mode().unwrap(), member.mode);
            count += 1;
        }
        prop_assert_eq!(count, after.members().len());
    }
}
