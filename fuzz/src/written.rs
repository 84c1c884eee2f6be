//! What a container wrote: pages, rules, scripts, programs, accounts, by the names of their files.

use crate::tar;

/// What a checkpoint of podman has beside its diff.
const FRAME: [(&[u8], &[u8]); 3] = [
    (b"checkpoint/inventory.img", b"\x16\x31\x31\x58"),
    (b"config.dump", b"{\"name\":\"web\",\"createdTime\":\"2026-11-23T00:00:00Z\"}"),
    (b"network.status", b"null"),
];

/// A checkpoint in whose file system these files were written.
#[must_use]
pub fn checkpoint(files: &[(&[u8], &[u8])]) -> Vec<u8> {
    let diff = tar::of(files.iter().copied());
    tar::of(FRAME.into_iter().chain([(&b"rootfs-diff.tar"[..], &diff[..])]))
}
