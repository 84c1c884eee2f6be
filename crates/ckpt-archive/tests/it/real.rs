//! Archives that engines wrote. `CKPT_ARCHIVES` names the folder that holds them; without it these tests are skipped.

use std::path::{Path, PathBuf};

use ckpt_archive::{BlobCheck, DefectKind, Evidence, Options};

use crate::writer::{codes, files};

fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("CKPT_ARCHIVES").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("skipped: CKPT_ARCHIVES is not set");
    }
    folder
}

fn open(path: &Path) -> Evidence {
    Evidence::open(path, &Options::default())
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_archive_opens_and_gives_all_its_bytes() {
    let Some(folder) = folder() else { return };
    let mut opened = 0;
    for case in std::fs::read_dir(folder).unwrap() {
        let Ok(entries) = std::fs::read_dir(case.unwrap().path()) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if !name.contains(".tar") {
                continue;
            }
            let evidence = open(&path);
            assert!(!files(&evidence).is_empty(), "{name}");
            let hostile = path.to_string_lossy().contains("hostile");
            let told: Vec<_> = evidence.defects().iter().map(ckpt_archive::Defect::code).collect();
            assert!(
                hostile || told.is_empty() || told == ["trailing-bytes"],
                "{}: {told:?}",
                path.display()
            );
            opened += 1;
        }
    }
    assert!(opened > 20);
}

#[test]
fn three_compressions_of_one_workload_hold_the_same_members() {
    let Some(folder) = folder() else { return };
    let folder = folder.join("06-compress-tri");
    let [plain, gz, zst] = ["tar", "tar.gz", "tar.zst"].map(|suffix| {
        let evidence = open(&folder.join(format!("checkpoint.{suffix}")));
        assert_eq!(evidence.kind(), suffix);
        evidence
    });
    // The three are exports of one run after the other: the same names, and the same bytes for what does not change.
    let names = |evidence: &Evidence| {
        let mut names: Vec<_> =
            evidence.members().iter().map(|member| member.path.clone()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&plain), names(&gz));
    assert_eq!(names(&plain), names(&zst));
    let bytes = std::fs::read(folder.join("checkpoint.tar")).unwrap();
    let packed = zstd::encode_all(&bytes[..], 3).unwrap();
    let again = Evidence::from_bytes("again", packed.into(), &Options::default()).unwrap();
    assert_eq!(files(&plain), files(&again));
}

#[test]
fn trailing_bytes_are_counted() {
    let Some(folder) = folder() else { return };
    let evidence = open(&folder.join("26-crio-trailing/checkpoint.tar.zst"));
    let [defect] = evidence.defects() else { panic!() };
    assert_eq!(defect.kind, DefectKind::TrailingBytes { offset: 16_022_016, count: 13_977_984 });
    let trailing = evidence.trailing().unwrap().bytes().unwrap();
    assert_eq!(trailing.len(), 13_977_984);
    assert!(trailing.iter().all(|byte| *byte == b'Z'));
}

#[test]
fn all_forms_of_one_image_hold_the_same() {
    let Some(folder) = folder() else { return };
    let folder = folder.join("07f-image");
    let forms = [
        ("image-oci", "oci-layout"),
        ("image-oci.tar", "oci-layout tar"),
        ("image-docker.tar", "docker-archive"),
        ("image-dockerdir", "docker-dir"),
    ];
    let [first, rest @ ..] = forms.map(|(name, kind)| {
        let evidence = open(&folder.join(name));
        assert_eq!(evidence.kind(), kind);
        assert_eq!(codes(&evidence), [""; 0]);
        for blob in evidence.blobs() {
            let check = evidence.check_blob(blob).unwrap();
            assert!(matches!(check, BlobCheck::Good | BlobCheck::Unknown), "{blob:?}: {check:?}");
        }
        evidence
    });
    assert!(first.annotations().contains_key("io.podman.annotations.checkpoint.name"));
    for other in &rest {
        assert_eq!(files(&first), files(other), "{}", other.name());
    }
}

#[test]
fn other_images_open() {
    let Some(folder) = folder() else { return };
    let buildah = open(&folder.join("27-buildah-image/image.oci.tar"));
    assert!(buildah.annotations().keys().any(|key| key.starts_with("org.criu.checkpoint.")));
    assert!(buildah.is_dir(b"checkpoint"));
    let ctr = open(&folder.join("28-ctr-checkpoint/image.oci.tar.zst"));
    assert_eq!(ctr.kind(), "oci-layout tar.zst");
    assert!(ctr.is_dir(b"checkpoint"));
    for name in ["spec.any", "options.any", "runtime-options.any"] {
        assert!(ctr.get(name.as_bytes()).is_some(), "{name}");
    }
    assert_eq!(ctr.annotations()["io.containerd.checkpoint.runtime"], "io.containerd.runc.v2");
}
