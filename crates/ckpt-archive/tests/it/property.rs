//! What must hold for any archive, and for any bytes.

use std::io::Read;

use ckpt_archive::{Evidence, Options};
use proptest::prelude::*;

/// Name, content, kind of writer header.
fn members() -> impl Strategy<Value = Vec<(String, Vec<u8>, bool)>> {
    let name = "[a-z]{1,8}(/[a-z.]{1,12}[a-z]){0,14}";
    let content = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..1500),
        proptest::collection::vec(any::<u8>(), 510..515),
    ];
    proptest::collection::vec((name, content, any::<bool>()), 0..12)
}

fn written(members: &[(String, Vec<u8>, bool)]) -> Vec<u8> {
    let mut writer = tar::Builder::new(Vec::new());
    for (name, content, gnu) in members {
        let mut header = if *gnu { tar::Header::new_gnu() } else { tar::Header::new_ustar() };
        header.set_size(content.len() as u64);
        header.set_mode(0o640);
        header.set_mtime(12345);
        // Long names become GNU extensions in this writer.
        writer.append_data(&mut header, name, &content[..]).unwrap();
    }
    writer.into_inner().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn archives_read_as_the_tar_crate_reads_them(members in members(), pack in any::<bool>()) {
        let bytes = written(&members);
        let mut expected = Vec::new();
        let mut reader = tar::Archive::new(&bytes[..]);
        for entry in reader.entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            let header = entry.header();
            let facts = (header.mode().unwrap(), header.mtime().unwrap().cast_signed());
            expected.push((entry.path_bytes().into_owned(), entry.size(), facts, content));
        }
        let bytes = if pack { zstd::encode_all(&bytes[..], 1).unwrap() } else { bytes };
        let evidence = Evidence::from_bytes("p", bytes.into(), &Options::default()).unwrap();
        let found: Vec<_> = evidence.members().iter().map(|member| {
            let content = evidence.content(member).unwrap().bytes().unwrap().to_vec();
            (member.raw_path.clone(), member.size, (member.mode, member.mtime.secs), content)
        }).collect();
        prop_assert_eq!(found, expected);
        for (name, content, _) in &members {
            prop_assert!(evidence.get(name.as_bytes()).is_some());
            let last = members.iter().rev().find(|(other, ..)| other == name).unwrap();
            if name == &last.0 && content == &last.1 {
                let member = evidence.get(name.as_bytes()).unwrap();
                prop_assert_eq!(&evidence.content(member).unwrap().bytes().unwrap()[..], &last.1[..]);
            }
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..5000)) {
        drop(Evidence::from_bytes("p", bytes.into(), &Options::default()));
    }

    #[test]
    fn any_damage_is_survived(
        members in members(),
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..40),
        pack in any::<bool>(),
    ) {
        let mut bytes = written(&members);
        if pack {
            bytes = zstd::encode_all(&bytes[..], 1).unwrap();
        }
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(evidence) = Evidence::from_bytes("p", bytes.into(), &Options::default()) {
            for member in evidence.members() {
                if let Ok(content) = evidence.content(member) {
                    let mut len = 0_u64;
                    for chunk in content.chunks(0..u64::MAX) {
                        len += chunk.len();
                    }
                    prop_assert_eq!(len, content.len());
                    prop_assert!(content.captured_len() <= content.len());
                }
            }
        }
    }

    #[test]
    fn headers_with_any_fields_are_survived(
        fields in proptest::collection::vec((0_usize..512, any::<u8>()), 0..30),
        flag in proptest::sample::select(&b"0123456xgLKSVMD\0"[..]),
        data in proptest::collection::vec(any::<u8>(), 0..3000),
    ) {
        // A valid checksum lets damage through that it would otherwise catch.
        let block = crate::writer::header(b"name", flag, data.len() as u64, |block| {
            for (at, byte) in fields {
                block[at] = byte;
            }
        });
        let bytes = crate::writer::Tar::default().block(block).data(&data).file("after", b"1").end();
        if let Ok(evidence) = Evidence::from_bytes("p", bytes.into(), &Options::default()) {
            for member in evidence.members() {
                drop(evidence.content(member).map(|content| content.chunks(0..u64::MAX).count()));
            }
        }
    }
}
