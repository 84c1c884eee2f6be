//! The documents of an image: as another implementation reads them, by engine, and byte for byte the same again.

use std::collections::BTreeMap;
use std::str::FromStr;

use ckpt_archive::{BlobCheck, BlobRole, Evidence, Options, sha256_bytes};
use ckpt_model::{Checkpoint, Engine};
use ckpt_oci::{Compression, MAX_VALUE, Settings, Tag, annotations};
use ckpt_synth::{Archive, stories};
use oci_spec::image::{Arch, ImageConfiguration, ImageIndex, ImageManifest, MediaType, Os};

use super::{checkpoint, image, layout};

const ALL: [Compression; 3] = [Compression::None, Compression::Gzip, Compression::Zstd];

#[test]
fn another_implementation_reads_the_documents() {
    let checkpoint = checkpoint(&Archive::podman(&stories::looper()));
    let mut settings = Settings::default();
    settings.tag = Some(Tag::from_str("localhost/looper:1").unwrap());
    settings.annotations = BTreeMap::from([("org.example.case".to_owned(), "\"7\"\n".to_owned())]);
    for compression in ALL {
        let (image, blob) = image(&checkpoint, compression, &settings);
        let files: BTreeMap<&str, &[u8]> =
            image.files().map(|file| (file.path, file.bytes)).collect();
        assert_eq!(files["oci-layout"], br#"{"imageLayoutVersion":"1.0.0"}"#);
        let index = ImageIndex::from_reader(files["index.json"]).unwrap();
        let [descriptor] = &index.manifests()[..] else { panic!("{index:?}") };
        let name = descriptor.annotations().as_ref().unwrap();
        assert_eq!(name["org.opencontainers.image.ref.name"], "localhost/looper:1");
        let platform = descriptor.platform().as_ref().unwrap();
        assert_eq!((platform.architecture(), platform.os()), (&Arch::Amd64, &Os::Linux));
        let find = |digest: &oci_spec::image::Digest, size: u64| {
            let bytes = files[&*format!("blobs/sha256/{}", digest.digest())];
            assert_eq!(bytes.len() as u64, size);
            assert_eq!(sha256_bytes(bytes).to_string(), digest.digest());
            bytes
        };
        let manifest = find(descriptor.digest(), descriptor.size());
        let manifest = ImageManifest::from_reader(manifest).unwrap();
        let config = find(manifest.config().digest(), manifest.config().size());
        let config = ImageConfiguration::from_reader(config).unwrap();
        let [layer] = &manifest.layers()[..] else { panic!("{manifest:?}") };
        let expected = match compression {
            Compression::None => MediaType::ImageLayer,
            Compression::Gzip => MediaType::ImageLayerGzip,
            Compression::Zstd => MediaType::ImageLayerZstd,
        };
        assert_eq!(layer.media_type(), &expected);
        assert_eq!(layer.size(), blob.len() as u64);
        assert_eq!(layer.digest().digest(), sha256_bytes(&blob).to_string());
        assert_eq!(config.rootfs().diff_ids(), &[format!("sha256:{}", image.layer.diff_id)]);
        assert_eq!(config.architecture(), &Arch::Amd64);
        // The time of inventory.img.
        assert_eq!(
            config.created().as_deref(),
            image.created.map(|time| time.to_string()).as_deref()
        );
        let of_manifest: BTreeMap<_, _> =
            manifest.annotations().clone().unwrap().into_iter().collect();
        let of_index: BTreeMap<_, _> = index.annotations().clone().unwrap().into_iter().collect();
        assert_eq!(of_manifest, of_index);
        assert_eq!(of_manifest, image.annotations);
        assert_eq!(of_manifest["org.example.case"], "\"7\"\n");
    }
}

#[test]
fn the_same_checkpoint_gives_the_same_bytes_and_the_same_layer_in_every_form() {
    let archive = Archive::podman(&stories::looper());
    let mut diff_ids = Vec::new();
    for compression in ALL {
        let runs = [(); 2].map(|()| {
            let (image, blob) = image(&checkpoint(&archive), compression, &Settings::default());
            let files: Vec<_> =
                image.files().map(|file| (file.path.to_owned(), file.bytes.to_vec())).collect();
            diff_ids.push(image.layer.diff_id);
            (files, blob)
        });
        assert!(runs[0] == runs[1], "{compression:?}");
    }
    assert!(diff_ids.iter().all(|id| *id == diff_ids[0]));
}

#[test]
fn our_own_reader_finds_every_blob_good_and_the_same_members() {
    let checkpoint = checkpoint(&Archive::crio(&stories::looper()));
    for compression in ALL {
        let (image, blob) = image(&checkpoint, compression, &Settings::default());
        let tar = layout(&image, &blob).tar();
        let built = Evidence::from_bytes("image", tar.into(), &Options::default()).unwrap();
        assert_eq!(built.defects(), &[]);
        assert_eq!(built.blobs().len(), 3);
        for blob in built.blobs() {
            assert_eq!(built.check_blob(blob).unwrap(), BlobCheck::Good, "{blob:?}");
            assert_ne!(blob.role, BlobRole::Unused);
        }
        let names = |evidence: &Evidence| -> Vec<Vec<u8>> {
            evidence.members().iter().map(|member| member.path.clone()).collect()
        };
        assert_eq!(names(&built), names(checkpoint.evidence()));
        let again = Checkpoint::options().open_evidence(built).unwrap();
        assert_eq!(again.container().engine, Engine::CriO);
        assert_eq!(again.container().name, checkpoint.container().name);
        // An image of the image has the same annotations.
        assert_eq!(annotations(&again), annotations(&checkpoint));
    }
}

#[test]
fn each_engine_finds_its_own_words() {
    let dump = stories::looper();
    let podman = annotations(&checkpoint(&Archive::podman(&dump))).0;
    assert!(podman.contains_key("io.podman.annotations.checkpoint.runtime.name"), "{podman:#?}");
    assert_eq!(podman["org.criu.checkpoint.engine.name"], "Podman");
    let crio = annotations(&checkpoint(&Archive::crio(&dump))).0;
    assert!(crio.contains_key("io.kubernetes.cri-o.annotations.checkpoint.name"), "{crio:#?}");
    assert_eq!(crio["org.criu.checkpoint.engine.name"], "CRI-O");
    assert!(crio.contains_key("org.criu.checkpoint.pod.namespace"));
    let containerd = annotations(&checkpoint(&Archive::containerd(&dump))).0;
    assert!(containerd.contains_key("org.criu.checkpoint.container.name"), "{containerd:#?}");
    assert_eq!(containerd["org.criu.checkpoint.engine.name"], "containerd");
    assert!(containerd.keys().all(|key| key.starts_with("org.criu.checkpoint.")));
    for all in [&podman, &crio, &containerd] {
        assert!(all.values().all(|value| !value.is_empty()), "{all:#?}");
    }
}

#[test]
fn what_is_not_known_has_no_annotation() {
    let bare = checkpoint(&Archive::bare(&stories::looper(), ""));
    let (all, notes) = annotations(&bare);
    assert_eq!(notes, Vec::<String>::new());
    for key in ["engine.name", "container.name", "pod.name", "rootfsImageName", "runtime.name"] {
        assert!(!all.contains_key(&format!("org.criu.checkpoint.{key}")), "{all:#?}");
    }
    let (image, _) = image(&bare, Compression::None, &Settings::default());
    let index = image.files().last().unwrap();
    assert_eq!(index.path, "index.json");
    assert!(!String::from_utf8(index.bytes.to_vec()).unwrap().contains("ref.name"));
}

#[test]
fn of_another_image_what_is_about_checkpoints_is_kept_within_bounds() {
    let checkpoint = checkpoint(&Archive::podman(&stories::looper()));
    let mut settings = Settings::default();
    settings.annotations = BTreeMap::from([
        ("io.podman.annotations.checkpoint.criu.version".to_owned(), "40201".to_owned()),
        ("io.podman.annotations.checkpoint.name".to_owned(), "forged".to_owned()),
        ("org.example.case".to_owned(), "7".to_owned()),
        ("org.opencontainers.image.base.name".to_owned(), "x".to_owned()),
    ]);
    let image_of = |settings: &Settings| {
        let (image, blob) = image(&checkpoint, Compression::None, settings);
        let tar = layout(&image, &blob).tar();
        let built = Evidence::from_bytes("image", tar.into(), &Options::default()).unwrap();
        Checkpoint::options().open_evidence(built).unwrap()
    };
    let (all, notes) = annotations(&image_of(&settings));
    assert_eq!(all["io.podman.annotations.checkpoint.criu.version"], "40201");
    // The checkpoint's own members know better.
    assert_eq!(
        all["io.podman.annotations.checkpoint.name"],
        all["org.criu.checkpoint.container.name"]
    );
    assert!(!all.contains_key("org.example.case"));
    assert!(!all.contains_key("org.opencontainers.image.base.name"));
    assert!(notes[0].starts_with("1 annotation(s)"), "{notes:?}");

    for number in 0..1000 {
        settings.annotations.insert(format!("org.criu.checkpoint.x{number}"), "x".to_owned());
    }
    let (all, notes) = annotations(&image_of(&settings));
    assert!(all.len() < 160, "{}", all.len());
    assert!(notes[0].contains("more than 128"), "{notes:?}");
}

#[test]
fn values_are_data_and_bounded() {
    let mut archive = Archive::podman(&stories::looper());
    let name = "a\"},{\u{1b}[2J\u{202e}\n";
    let image = "i".repeat(MAX_VALUE + 1);
    let config =
        serde_json::json!({ "id": "0f", "name": name, "rootfsImageName": image, "runtime": "" });
    archive.replace("config.dump", config.to_string());
    let checkpoint = checkpoint(&archive);
    let (all, notes) = annotations(&checkpoint);
    assert_eq!(all["org.criu.checkpoint.container.name"], name);
    assert!(!all.contains_key("org.criu.checkpoint.rootfsImageName"));
    assert!(!all.contains_key("io.podman.annotations.checkpoint.runtime.name"));
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(notes[0].ends_with("16385 bytes are too long for one"), "{notes:?}");
    let (image, _) = super::image(&checkpoint, Compression::None, &Settings::default());
    for file in image.files().filter(|file| file.path != "oci-layout") {
        serde_json::from_slice::<serde_json::Value>(file.bytes).unwrap();
    }
}
