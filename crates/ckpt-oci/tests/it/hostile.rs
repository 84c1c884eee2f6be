//! Members that would do harm when a layer is unpacked are not in it, and each of them is told.

use bytes::Bytes;
use ckpt_archive::{Evidence, MemberKind, Options};
use ckpt_model::DefectKind;
use ckpt_synth::{Archive, Kind, Member, SparseForm};

use super::{evidence, layer_of};

fn read(tar: Vec<u8>) -> Evidence {
    Evidence::from_bytes("layer", Bytes::from(tar), &Options::default()).unwrap()
}

/// The layer's paths in its order, and what is told: place and words.
fn paths_and_words(archive: &Archive, folder: &[u8]) -> (Vec<String>, Vec<(String, String)>) {
    let evidence = evidence(archive);
    let (tar, _, defects) = layer_of(&evidence, folder);
    let layer = read(tar);
    let paths = layer.members().iter();
    let paths = paths.map(|member| ckpt_model::escape(&member.raw_path).into_owned()).collect();
    (paths, defects.into_iter().map(|defect| (defect.place, defect.what)).collect())
}

#[test]
fn nothing_that_leaves_the_image_or_is_taken_for_something_else_gets_in() {
    let mut archive = Archive::new();
    archive
        .member("config.dump", "{}")
        .member("/etc/absolute", "kept, without the slash")
        .member("../../escape", "no")
        .member("a/../../escape", "no")
        .pax_name(&b"control\x1b\n\xff"[..], "a name like any other")
        .pax_name(&b"nul\0name"[..], "no")
        .member(".wh.config.dump", "no")
        .member("checkpoint/.wh..wh..opq", "no")
        .member(".wh.d/below", "no")
        .device("dev/sda", 8, 0)
        .push(Member::new("pipe", Kind::Fifo))
        .symlink("spec.dump", "/etc/shadow")
        .symlink("up", "../outside")
        .symlink("checkpoint/parent", "../pre-checkpoint")
        .hardlink("passwd", "/etc/passwd")
        .hardlink("same", "config.dump")
        .hardlink("late", "later")
        .member("later", "x")
        .pax_name("n".repeat(5000), "no")
        .member("", "no");
    let (paths, told) = paths_and_words(&archive, b"");
    assert_eq!(
        paths,
        [
            "config.dump",
            "etc/absolute",
            "control\\x1b\\n\\xff",
            "checkpoint/parent",
            "same",
            "later"
        ]
    );
    let long = "n".repeat(5000);
    for (place, why) in [
        ("../../escape", "a name with .. could leave the image"),
        ("a/../../escape", "a name with .. could leave the image"),
        ("nul\\x00name", "a name with a NUL byte is no file's"),
        (".wh.config.dump", "a layer takes this name for a deletion (whiteout)"),
        ("checkpoint/.wh..wh..opq", "a layer takes this name for a deletion (whiteout)"),
        (".wh.d/below", "a layer takes this name for a deletion (whiteout)"),
        ("dev/sda", "a character device has no place in a checkpoint"),
        ("pipe", "a fifo has no place in a checkpoint"),
        ("spec.dump", "a symlink to /etc/shadow, outside of the image"),
        ("up", "a symlink to ../outside, outside of the image"),
        ("passwd", "it is a hard link to what is not in the image before it"),
        ("late", "it is a hard link to what is not in the image before it"),
        (&long, "a name of 5000 bytes is longer than any path may be"),
        (".", "it has the place of the image's root"),
    ] {
        let what = format!("left out of the image: {why}");
        assert!(told.contains(&(place.to_owned(), what.clone())), "{place}: {what} in {told:#?}");
    }
    assert_eq!(told.len(), 14, "{told:#?}");
}

#[test]
fn of_members_with_one_name_the_last_is_in_the_layer() {
    let mut archive = Archive::new();
    archive
        .dir("checkpoint")
        .member("checkpoint/a", "first")
        .hardlink("checkpoint/link", "checkpoint/a")
        .dir("checkpoint/")
        .member("./checkpoint//a", "second")
        .member("f", "a file")
        .member("f/below", "no")
        .symlink("s", "f")
        .member("s/below", "no")
        .member("s.txt", "beside it");
    let evidence = evidence(&archive);
    let (tar, _, told) = layer_of(&evidence, b"");
    let layer = read(tar);
    let paths: Vec<&[u8]> = layer.members().iter().map(|member| &member.path[..]).collect();
    assert_eq!(paths, [&b"checkpoint"[..], b"checkpoint/a", b"f", b"s", b"s.txt"]);
    let a = layer.get(b"checkpoint/a").unwrap();
    assert_eq!(layer.content(a).unwrap().bytes().unwrap(), &b"second"[..]);
    let told: Vec<String> = told.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "checkpoint/a: left out of the image: a later member has its name",
            "f/below: left out of the image: it lies below f, which is no directory",
            "s/below: left out of the image: it lies below s, which is no directory",
            // It was another name of the first.
            "checkpoint/link: left out of the image: it is a hard link to what is not in the image before it",
        ]
    );
}

#[test]
fn the_folder_of_a_container_is_the_root() {
    let mut archive = Archive::new();
    archive
        .dir("pod/one")
        .member("pod/one/config.dump", "{}")
        .hardlink("pod/one/again", "pod/one/config.dump")
        .symlink("pod/one/out", "../two/config.dump")
        .member("pod/two/config.dump", "{}")
        .hardlink("pod/one/other", "pod/two/config.dump");
    let (paths, told) = paths_and_words(&archive, b"pod/one");
    assert_eq!(paths, ["./", "config.dump", "again"]);
    let told: Vec<String> =
        told.into_iter().map(|(place, what)| format!("{place}: {what}")).collect();
    assert_eq!(
        told,
        [
            "pod/one/out: left out of the image: a symlink to ../two/config.dump, outside of the image",
            "archive: left out of the image: 1 member(s) outside of pod/one, the container's folder",
            "pod/one/other: left out of the image: it is a hard link to what is not in the image before it",
        ]
    );
}

#[test]
fn holes_are_zeros_and_bounded() {
    let mut archive = Archive::new();
    archive.sparse("bomb", &[(0, b"x")], 1 << 61, SparseForm::Pax10).sparse(
        "sparse",
        &[(4096, b"middle")],
        1 << 20,
        SparseForm::OldGnu,
    );
    let evidence = evidence(&archive);
    let (tar, layer, told) = layer_of(&evidence, b"");
    assert!(layer.unpacked < 2 << 20);
    let layer = read(tar);
    let member = layer.get(b"sparse").unwrap();
    let mut whole = vec![0; 1 << 20];
    whole[4096..4102].copy_from_slice(b"middle");
    assert!(layer.content(member).unwrap().bytes().unwrap() == whole);
    assert_eq!(layer.members().len(), 1);
    assert_eq!(
        told.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "bomb: left out of the image: its holes are more than the 64 GiB of zeros that are written in all"
        ]
    );
}

#[test]
fn of_a_cut_member_what_is_there_is_in_the_layer() {
    let mut archive = Archive::new();
    archive.member("whole", "whole").member("cut", vec![b'x'; 5000]).hardlink("link", "cut");
    let mut tar = archive.tar();
    tar.truncate(512 + 512 + 512 + 1000);
    let before = read(tar);
    let (tar, _, told) = layer_of(&before, b"");
    let layer = read(tar);
    assert_eq!(layer.get(b"cut").unwrap().size, 1000);
    assert_eq!(layer.defects(), &[]);
    assert_eq!(told.len(), 1);
    assert_eq!(
        told[0].to_string(),
        "cut: the image has 1000 of its 5000 bytes: the archive is cut"
    );
    assert_eq!(told[0].kind, DefectKind::Damaged);
}

#[test]
fn attributes_that_overlayfs_obeys_are_left_out() {
    let mut archive = Archive::new();
    archive.push(
        Member::dir("checkpoint")
            .pax("SCHILY.xattr.trusted.overlay.opaque", "y")
            .pax("SCHILY.xattr.user.overlay.redirect", "/etc")
            .pax("SCHILY.xattr.user.kept", "value"),
    );
    archive.push(Member::file("big", "x").pax("SCHILY.xattr.user.big", vec![0; 600 << 10]));
    let evidence = evidence(&archive);
    let (tar, _, told) = layer_of(&evidence, b"");
    let layer = read(tar);
    let kept: Vec<_> = layer.members()[0].xattrs.iter().collect();
    assert_eq!(kept, [(&b"user.kept".to_vec(), &b"value".to_vec())]);
    assert!(layer.members()[1].xattrs.is_empty());
    let told: Vec<String> = told.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "checkpoint: 2 extended attribute(s) left out of the image: of overlayfs, without a name, or too large",
            "big: 1 extended attribute(s) left out of the image: of overlayfs, without a name, or too large",
        ]
    );
}

#[test]
fn many_fates_are_counted() {
    let mut archive = Archive::new();
    for number in 0..10_100 {
        archive.push(Member::new(format!("pipe-{number}"), Kind::Fifo));
    }
    let evidence = evidence(&archive);
    let (tar, layer, told) = layer_of(&evidence, b"");
    assert_eq!((tar.len(), layer.members), (1024, 0));
    assert_eq!(told.len(), 10_001);
    assert!(told[10_000].what.contains("100 further members"), "{}", told[10_000]);
    assert!(evidence.members().iter().all(|member| member.kind == MemberKind::Fifo));
}
