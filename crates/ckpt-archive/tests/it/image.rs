//! Images of all forms, built here blob by blob.

use std::io::Write;

use ckpt_archive::{
    BlobCheck, BlobRole, DefectKind, Error, Evidence, Options, Timestamp, sha256_bytes,
};

use crate::writer::{Tar, codes, files, open, open_with};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const CRIU: &str = "application/vnd.containerd.container.criu.checkpoint.criu.tar";

/// A layout under construction: paths and bytes.
#[derive(Default, Clone)]
struct Layout(Vec<(String, Vec<u8>)>);

impl Layout {
    /// Adds a blob and gives its descriptor.
    fn blob(&mut self, media_type: &str, bytes: &[u8]) -> String {
        let hex = sha256_bytes(bytes).to_string();
        let path = format!("blobs/sha256/{hex}");
        if !self.0.iter().any(|(other, _)| *other == path) {
            self.0.push((path, bytes.to_vec()));
        }
        let size = bytes.len();
        format!(r#"{{"mediaType":"{media_type}","digest":"sha256:{hex}","size":{size}}}"#)
    }

    fn json(&mut self, path: &str, text: &str) {
        self.0.push((path.to_owned(), text.as_bytes().to_vec()));
    }

    fn index(&mut self, manifests: &[String]) {
        let list = manifests.join(",");
        self.json("index.json", &format!(r#"{{"schemaVersion":2,"manifests":[{list}],"annotations":{{"index":"i","who":"index"}}}}"#));
        self.json("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
    }

    fn manifest(&mut self, layers: &[String]) -> String {
        let config = self.blob("application/vnd.oci.image.config.v1+json", b"{}");
        let text = format!(
            r#"{{"config":{config},"layers":[{}],"annotations":{{"who":"manifest","n":3}}}}"#,
            layers.join(",")
        );
        self.blob(MANIFEST, text.as_bytes())
    }

    fn tar(&self) -> Vec<u8> {
        self.0.iter().fold(Tar::default(), |tar, (path, bytes)| tar.file(path, bytes)).end()
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn two_layers() -> Layout {
    let mut layout = Layout::default();
    let first = layout.blob(LAYER, &Tar::default().file("a", b"1").file("b", b"1").end());
    let second =
        Tar::default().file("b", b"2").file("dir/.wh.gone", b"").link("h", b'1', "b").end();
    let second = layout.blob(&format!("{LAYER}+gzip"), &gzip(&second));
    let manifest = layout.manifest(&[first, second]);
    layout.index(&[manifest]);
    layout
}

fn assert_two_layers(evidence: &Evidence) {
    let expected = [("a", "1"), ("b", "1"), ("b", "2"), ("dir/.wh.gone", "")];
    let expected: Vec<_> =
        expected.iter().map(|(a, b)| ((*a).to_owned(), b.as_bytes().to_vec())).collect();
    assert_eq!(files(evidence), expected);
    let member = evidence.get(b"b").unwrap();
    assert_eq!(evidence.content(member).unwrap().bytes().unwrap(), &b"2"[..]);
    let hard = evidence.get(b"h").unwrap();
    assert_eq!(evidence.content(hard).unwrap().bytes().unwrap(), &b"2"[..]);
    assert_eq!(codes(evidence), [""; 0]);
}

#[test]
fn layers_stack_in_order() {
    let layout = two_layers();
    let evidence = open(layout.tar());
    assert_eq!(evidence.kind(), "oci-layout tar");
    assert_two_layers(&evidence);
    let annotations: Vec<_> =
        evidence.annotations().iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(annotations, [("index", "i"), ("who", "manifest")]);
    assert_eq!(evidence.outer().unwrap().kind(), "tar");
    let roles: Vec<_> = evidence.blobs().iter().map(|blob| blob.role).collect();
    assert_eq!(roles, [BlobRole::Manifest, BlobRole::Config, BlobRole::Layer, BlobRole::Layer]);
    for blob in evidence.blobs() {
        assert_eq!(evidence.check_blob(blob).unwrap(), BlobCheck::Good);
    }
    assert_eq!(
        evidence.origin(evidence.get(b"a").unwrap()),
        Some(evidence.blobs()[2].digest.as_str())
    );

    let compressed = open(gzip(&layout.tar()));
    assert_eq!(compressed.kind(), "oci-layout tar.gz");
    assert_two_layers(&compressed);
    let reader =
        Evidence::from_reader("-", std::io::Cursor::new(layout.tar()), &Options::default())
            .unwrap();
    assert_two_layers(&reader);

    let dir = tempfile::tempdir().unwrap();
    for (path, bytes) in &layout.0 {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let evidence = Evidence::open(dir.path(), &Options::default()).unwrap();
    assert_eq!(evidence.kind(), "oci-layout");
    assert_two_layers(&evidence);
}

#[test]
fn a_select_is_asked_about_layers_and_not_about_blobs() {
    struct Only;
    impl ckpt_archive::Select for Only {
        fn select(
            &self,
            member: &ckpt_archive::Member,
            _: &ckpt_archive::Kept<'_>,
        ) -> ckpt_archive::Selection {
            assert!(!member.path.starts_with(b"blobs/"));
            ckpt_archive::Selection::Nothing
        }
    }
    let options = Options::default().select(std::sync::Arc::new(Only));
    let evidence = open_with(gzip(&two_layers().tar()), &options).unwrap();
    // The first layer is plain, so all of it is at hand; the second passed by.
    assert_eq!(evidence.content(&evidence.members()[0]).unwrap().bytes().unwrap(), &b"1"[..]);
    assert!(evidence.content(evidence.get(b"b").unwrap()).unwrap().bytes().is_err());
}

#[test]
fn typed_blobs_of_containerd_get_names() {
    let mut layout = Layout::default();
    let images =
        Tar::default().file("inventory.img", b"I").link("hard", b'1', "inventory.img").end();
    let diff = gzip(&Tar::default().file("x", b"y").end());
    let prefix = "application/vnd.containerd.container.checkpoint";
    let typed = [
        layout.blob(CRIU, &images),
        layout.blob(
            "application/vnd.containerd.container.criu.checkpoint.predump.tar",
            &Tar::default().file("p", b"P").end(),
        ),
        layout.blob(&format!("{prefix}.config.v1+proto"), b"any"),
        layout.blob(&format!("{prefix}.options.v1+proto"), b"opt"),
        layout.blob(&format!("{prefix}.runtime.name"), b"io.containerd.runc.v2"),
        layout.blob(&format!("{prefix}.runtime.options+proto"), b"ro"),
        layout.blob(&format!("{LAYER}+gzip"), &diff),
        layout.blob(MANIFEST, b"{}"),
        layout.blob("application/x-new", b"?"),
    ];
    let inner = layout.blob(INDEX, format!(r#"{{"manifests":[{}]}}"#, typed.join(",")).as_bytes());
    layout.index(&[inner]);
    let check = |evidence: &Evidence| {
        let names: Vec<_> = files(evidence).into_iter().map(|(name, _)| name).collect();
        assert_eq!(
            names,
            [
                "checkpoint/inventory.img",
                "pre-checkpoint/p",
                "spec.any",
                "options.any",
                "runtime.name",
                "runtime-options.any",
                "rootfs-diff.tar"
            ]
        );
        let hard = evidence.get(b"checkpoint/hard").unwrap();
        assert_eq!(evidence.content(hard).unwrap().bytes().unwrap(), &b"I"[..]);
        let name = evidence.get(b"runtime.name").unwrap();
        assert_eq!(evidence.content(name).unwrap().bytes().unwrap(), &b"io.containerd.runc.v2"[..]);
        assert_eq!((name.mtime, name.atime, name.ctime), (Timestamp::default(), None, None));
        let diff = evidence
            .nested(evidence.get(b"rootfs-diff.tar").unwrap(), &Options::default())
            .unwrap();
        assert_eq!(files(&diff).len(), 1);
        assert_eq!(codes(evidence), ["ignored-part", "ignored-part"]);
    };
    check(&open(layout.tar()));
    let dir = tempfile::tempdir().unwrap();
    for (path, bytes) in &layout.0 {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    check(&Evidence::open(dir.path(), &Options::default()).unwrap());
}

#[test]
fn what_is_missing_or_further_is_told() {
    let mut layout = two_layers();
    let other = layout.manifest(&[]);
    let attestation =
        other.replace("\"digest\"", r#""annotations":{"vnd.docker.reference.type":"x"},"digest""#);
    let first = layout.0[3].clone();
    let first =
        format!(r#"{{"mediaType":"{MANIFEST}","digest":"sha256:{}","size":1}}"#, &first.0[13..]);
    layout.0.retain(|(path, _)| path != "index.json" && path != "oci-layout");
    layout.index(&[attestation, first, other]);
    // The first layer is gone, the second is cut.
    layout.0.remove(0);
    let evidence = open(layout.tar());
    assert_eq!(codes(&evidence), ["ignored-part", "blob-size", "missing-blob", "ignored-part"]);
    assert_eq!(files(&evidence).len(), 2);
    let missing = evidence.blobs().iter().find(|blob| blob.path.is_none()).unwrap();
    assert_eq!(evidence.check_blob(missing).unwrap(), BlobCheck::Missing);
}

#[test]
fn a_changed_blob_is_found_when_checked() {
    let mut layout = two_layers();
    let layer = &mut layout.0[0].1;
    layer[512] = b'X';
    let evidence = open(layout.tar());
    let checks: Vec<_> =
        evidence.blobs().iter().map(|blob| evidence.check_blob(blob).unwrap()).collect();
    assert!(matches!(checks[2], BlobCheck::Bad { .. }));
    assert_eq!(checks[3], BlobCheck::Good);
}

#[test]
fn defects_of_layers_name_the_blob() {
    let mut layout = Layout::default();
    let layer =
        layout.blob(LAYER, &[Tar::default().file("a", b"1").end(), b"old".to_vec()].concat());
    let manifest = layout.manifest(&[layer]);
    layout.index(&[manifest]);
    let evidence = open(layout.tar());
    assert!(matches!(evidence.defects()[0].kind, DefectKind::TrailingBytes { count: 3, .. }));
    assert!(evidence.defects()[0].place().starts_with("blob sha256:"));
}

#[test]
fn an_image_without_layers_is_an_error() {
    let mut layout = Layout::default();
    let manifest = layout.manifest(&[]);
    layout.index(&[manifest]);
    assert!(matches!(open_with(layout.tar(), &Options::default()), Err(Error::NoLayers { .. })));
    let mut layout = Layout::default();
    let junk = layout.blob(LAYER, b"no archive at all");
    let manifest = layout.manifest(&[junk]);
    layout.index(&[manifest]);
    let error = open_with(layout.tar(), &Options::default()).unwrap_err().to_string();
    assert!(error.contains("plain text"), "{error}");
    let mut layout = Layout::default();
    layout.json("index.json", "[");
    layout.json("oci-layout", "{}");
    assert!(matches!(open_with(layout.tar(), &Options::default()), Err(Error::NoLayers { .. })));
}

#[test]
fn indexes_that_contain_each_other_end() {
    // Digests cannot be made to agree with such contents, but nothing checks them on opening.
    let hex = "a".repeat(64);
    let entry = format!(r#"{{"mediaType":"{INDEX}","digest":"sha256:{hex}","size":9}}"#);
    let index = format!(r#"{{"manifests":[{}]}}"#, vec![entry; 40].join(","));
    let mut layout = Layout::default();
    layout.json(&format!("blobs/sha256/{hex}"), &index);
    layout.json("index.json", &index);
    assert!(matches!(open_with(layout.tar(), &Options::default()), Err(Error::NoLayers { .. })));
}

#[test]
fn docker_archives_and_directories() {
    let hex = "0".repeat(64);
    let layer = Tar::default().file("a", b"1").end();
    let manifest = format!(
        r#"[{{"Config":"c.json","RepoTags":["x:1"],"Layers":["{hex}/layer.tar","gone.tar"]}},{{"Layers":[]}}]"#
    );
    let archive = Tar::default()
        .file(&format!("{hex}.tar"), &layer)
        .link(&format!("{hex}/layer.tar"), b'2', &format!("../{hex}.tar"))
        .file("c.json", b"{}")
        .file("manifest.json", manifest.as_bytes())
        .end();
    for bytes in [archive.clone(), gzip(&archive)] {
        let evidence = open(bytes);
        assert!(evidence.kind().starts_with("docker-archive"));
        assert_eq!(files(&evidence), [("a".to_owned(), b"1".to_vec())]);
        assert_eq!(codes(&evidence), ["missing-blob", "ignored-part"]);
    }

    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).unwrap();
    let hex = sha256_bytes(&layer).to_string();
    write(&hex, &layer);
    write("version", b"Directory Transport Version: 1.1\n");
    write(
        "manifest.json",
        format!(
            r#"{{"schemaVersion":2,"layers":[{{"digest":"sha256:{hex}","size":{}}}]}}"#,
            layer.len()
        )
        .as_bytes(),
    );
    let evidence = Evidence::open(dir.path(), &Options::default()).unwrap();
    assert_eq!(evidence.kind(), "docker-dir");
    assert_eq!(files(&evidence), [("a".to_owned(), b"1".to_vec())]);
    assert_eq!(evidence.check_blob(&evidence.blobs()[0]).unwrap(), BlobCheck::Good);
}

#[test]
fn a_member_that_looks_like_an_image_stays_an_archive() {
    let image = two_layers().tar();
    let evidence = open(Tar::default().file("rootfs-diff.tar", &image).end());
    let nested = evidence.nested(&evidence.members()[0], &Options::default()).unwrap();
    assert_eq!(nested.kind(), "tar");
    assert!(nested.get(b"index.json").is_some() && nested.outer().is_none());
}

#[test]
fn one_layer_named_many_times_does_not_multiply_without_end() {
    let mut layout = Layout::default();
    let mut layer = Tar::default();
    for index in 0..20 {
        layer = layer.file(&format!("f{index}"), b"x");
    }
    let layer = layout.blob(LAYER, &layer.end());
    let manifest = layout.manifest(&vec![layer; 100]);
    layout.index(&[manifest]);
    let mut limits = ckpt_archive::Limits::default();
    limits.max_members = 50;
    let evidence = open_with(layout.tar(), &Options::default().limits(limits)).unwrap();
    assert_eq!(evidence.members().len(), 60);
    assert_eq!(codes(&evidence), ["limit"; 97]);
}
