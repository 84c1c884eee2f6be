//! What can be had as a file: whose it is, where it was, and what bounds it.

use ckpt_archive::{Options, sha256_bytes};
use ckpt_model::artifacts::{Artifact, Artifacts, Origin};
use ckpt_synth::{Archive, File, Member, Task, stories};

use crate::{assert_told, open, told};

fn artifacts(archive: &Archive) -> Artifacts {
    open(archive).artifacts(&Options::default())
}

fn by_path<'a>(artifacts: &'a Artifacts, path: &str) -> &'a Artifact {
    let found = artifacts
        .list
        .iter()
        .find(|one| one.path.as_ref().is_some_and(|found| found.as_bytes() == path.as_bytes()));
    found.unwrap_or_else(|| panic!("no {path} in {:#?}", artifacts.list))
}

/// `/dev` of a synthetic dump is a tmpfs of this device.
const TMPFS: &str = "tmpfs-dev-134.tar.gz.img";

fn with_tmpfs(tmpfs: &Archive) -> Archive {
    let mut dump = stories::looper();
    dump.task(Task::new(9, 1).fd(3, File::path("/dev/secret")));
    dump.raw(TMPFS, tmpfs.tar_gz());
    Archive::podman(&dump)
}

#[test]
fn files_of_a_tmpfs_have_their_paths_owners_and_hashes() {
    let mut tmpfs = Archive::new();
    tmpfs
        .dir("./")
        .push(Member::file("./secret", "of pid 9").mode(0o4711).owner(3, 4).mtime(1_795_000_000))
        .symlink("./fd", "/proc/self/fd")
        .device("./null", 1, 3);
    let artifacts = artifacts(&with_tmpfs(&tmpfs));
    let secret = by_path(&artifacts, "/dev/secret");
    assert_eq!((secret.origin, secret.id.as_str()), (Origin::Tmpfs, "tmpfs-134-2"));
    assert_eq!((secret.mode, secret.uid, secret.gid), (Some(0o4711), Some(3), Some(4)));
    assert_eq!(secret.mtime.map(jiff::Timestamp::as_second), Some(1_795_000_000));
    assert_eq!((secret.pid().map(|pid| pid.0), secret.fd()), (Some(9), Some(3)));
    let hash = secret.content().expect("content").sha256();
    assert_eq!(hash, Ok(sha256_bytes(b"of pid 9")));
    let others = artifacts.list.iter().filter(|one| one.origin == Origin::Tmpfs);
    assert_eq!(others.count(), 1, "links and devices have no content");
}

/// A tmpfs image of a few KiB that unpacks to 8 MiB, where 1 MiB is granted.
#[test]
fn a_gzip_bomb_unpacks_to_what_is_granted() {
    let mut tmpfs = Archive::new();
    tmpfs.member("./zeros", vec![0; 8 << 20]);
    let archive = with_tmpfs(&tmpfs);
    let checkpoint = open(&archive);
    let artifacts = checkpoint.artifacts(&Options::default().unpack_at_most(1 << 20));
    assert!(!artifacts.list.iter().any(|one| one.origin == Origin::Tmpfs));
    assert_told(&checkpoint, "more than 1048576 unpacked bytes");
    assert_eq!(by_path(&self::artifacts(&archive), "/dev/zeros").size, 8 << 20);
}

#[test]
fn noise_in_place_of_a_tmpfs_costs_itself() {
    let mut dump = stories::memfd_exe();
    dump.raw(TMPFS, &b"\x1f\x8b\x08 and nothing that gzip knows"[..]);
    let checkpoint = open(&Archive::podman(&dump));
    let artifacts = checkpoint.artifacts(&Options::default());
    assert!(told(&checkpoint).iter().any(|defect| defect.contains(TMPFS)));
    let memfd = artifacts.list.iter().find(|one| one.origin == Origin::Memfd).expect("the memfd");
    let exe = artifacts.get("exe-6").expect("the program of pid 6");
    assert_eq!(exe.same_as.as_deref(), Some(memfd.id.as_str()));
    assert_eq!(
        memfd.path.as_ref().map(ToString::to_string).as_deref(),
        Some("/memfd:systemd-journald")
    );
    let hash = memfd.content().expect("content").sha256();
    assert_eq!(hash, Ok(sha256_bytes(stories::IMPLANT)));
}

#[test]
fn a_volume_is_where_it_was_mounted_and_whiteouts_are_no_files() {
    let mut volume = Archive::new();
    volume.member("kept", "in the volume");
    let mut layer = Archive::new();
    layer.member("etc/.wh.gone", "").member("etc/new", "new").member(".wh..wh..opq", "");
    let mut archive = Archive::containerd(&stories::looper());
    archive
        .without("rootfs-diff.tar")
        .member("rootfs-diff.tar", layer.tar_gz())
        .member("volumes/data.tar", volume.tar());
    let artifacts = artifacts(&archive);
    let kept = artifacts.get("volume-1-1").expect("the file of the volume");
    assert_eq!(kept.origin, Origin::Volume);
    // Nothing says where it was mounted.
    assert_eq!(kept.path.as_ref().map(ckpt_model::Text::as_bytes), Some(&b"kept"[..]));
    assert_eq!(by_path(&artifacts, "/etc/new").size, 3);
    let diff = artifacts.list.iter().filter(|one| one.origin == Origin::RootfsDiff);
    assert_eq!(diff.count(), 1);
}

#[test]
fn every_story_is_answered() {
    for (name, archive) in stories::all() {
        let evidence =
            ckpt_archive::Evidence::from_bytes(name, archive.tar().into(), &Options::default());
        let Ok(checkpoint) = ckpt_model::Checkpoint::options().open_evidence(evidence.expect(name))
        else {
            continue;
        };
        let artifacts = checkpoint.artifacts(&Options::default());
        for one in &artifacts.list {
            let safe = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            assert!(one.id.bytes().all(safe), "{name}: {}", one.id);
            assert!(artifacts.get(&one.id).is_some(), "{name}: {}", one.id);
            if let Some(content) = one.content().filter(|content| content.size() < 1 << 30) {
                let bytes: u64 = content.pieces().map(|piece| piece.len()).sum();
                assert_eq!(bytes, one.size, "{name}: {}", one.id);
            }
        }
    }
}
