//! The container's log, as its engine archived it.

use ckpt_archive::MemberKind;

use super::content::ArtifactContent;
use super::times::{Clock, stamp};
use super::{Artifact, Origin};
use crate::{Checkpoint, Recovered, Text};

/// podman's, containerd's and CRI-O's: the last one names its member after the annotation that should have given the name.
const NAMES: [&[u8]; 3] = [b"ctr.log", b"container.log", b"io.kubernetes.cri-o.LogPath"];

/// docker's is `ID-json.log`.
const DOCKER: &[u8] = b"-json.log";

pub(super) fn find(checkpoint: &Checkpoint, list: &mut Vec<Artifact>) {
    let evidence = checkpoint.evidence();
    let logs = evidence.children(checkpoint.place().path.as_bytes()).filter(|member| {
        let name = member.file_name();
        matches!(member.kind, MemberKind::File | MemberKind::HardLink)
            && (NAMES.contains(&name) || name.ends_with(DOCKER))
    });
    for (number, member) in logs.enumerate() {
        let place = Text::from(member.path.as_slice());
        match evidence.content(member) {
            Ok(content) => {
                let id = format!("log-{}", number.saturating_add(1));
                let content = ArtifactContent::recovered(Recovered::whole(content));
                let mut artifact = Artifact::new(id, Origin::Log, place.escaped(), content);
                artifact.path = Some(place);
                artifact.mode = Some(member.mode);
                artifact.uid = Some(member.uid);
                artifact.gid = Some(member.gid);
                let place = || artifact.source.to_string();
                artifact.mtime = stamp(checkpoint, member.mtime, Clock::Modified, place);
                list.push(artifact);
            }
            Err(error) => checkpoint.told().damaged(place.escaped(), error.to_string()),
        }
    }
}
